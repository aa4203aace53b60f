//! How a call ended, as far as token use is concerned.

use serde::{Deserialize, Serialize};

/// The outcome of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Outcome {
    /// 1xx to 3xx.
    Ok = 0,
    /// 401, 403, 407: the credential was refused.
    Denied = 1,
    /// 404, 410.
    NotFound = 2,
    /// 429.
    Throttled = 3,
    /// Any other 4xx.
    ClientError = 4,
    /// 5xx.
    ServerError = 5,
    /// No answer was sent, or the client had gone (nginx 499, Envoy 0).
    Aborted = 6,
}

impl Outcome {
    /// Every outcome, by its number.
    pub const ALL: [Self; 7] = [
        Self::Ok,
        Self::Denied,
        Self::NotFound,
        Self::Throttled,
        Self::ClientError,
        Self::ServerError,
        Self::Aborted,
    ];

    /// What a status means; none, and one outside 100 to 599, is an aborted call.
    pub const fn of_status(status: Option<u16>) -> Self {
        match status {
            Some(100..=399) => Self::Ok,
            Some(401 | 403 | 407) => Self::Denied,
            Some(404 | 410) => Self::NotFound,
            Some(429) => Self::Throttled,
            // nginx: 444 closed without an answer, 499 the client closed first.
            Some(444 | 499) => Self::Aborted,
            Some(400..=499) => Self::ClientError,
            Some(500..=599) => Self::ServerError,
            _ => Self::Aborted,
        }
    }

    /// The contract name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Denied => "denied",
            Self::NotFound => "not_found",
            Self::Throttled => "throttled",
            Self::ClientError => "client_error",
            Self::ServerError => "server_error",
            Self::Aborted => "aborted",
        }
    }
}
