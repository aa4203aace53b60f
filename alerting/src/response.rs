//! Revoking a stolen token: a pure decision, and a request that is made at most once.
//!
//! Only a critical finding about a token may revoke it. The journal is written before the request (`intended`) and
//! after it; what died in between is `unknown` and is never asked for again by itself. Attempts that fail are tried
//! again within seconds, under the same webhook id, as long as the process lives.

mod history;
mod responder;

use tokenwatch_model::{
    Finding, Response, ResponseAction, ResponseMode, ResponseResult, Severity, Timestamp, TokenId,
};

use crate::config::{AlertingSettings, ResponseSettings};
use crate::occasion::response_id;

pub(crate) use history::ResponseHistory;
pub(crate) use responder::Responder;

/// What to do about a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseDecision {
    /// Nothing, and nothing to record.
    Nothing(ResponseReason),
    /// Record that the token would be revoked.
    DryRun,
    /// Record why the token is not revoked.
    Withhold(ResponseReason),
    /// Revoke the token.
    Revoke,
}

/// Why a token is not revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseReason {
    /// Responses are off.
    Off,
    /// The finding is not critical.
    NotCritical,
    /// The finding is not about a token.
    NoToken,
    /// The journal has an answer to this finding.
    AlreadyAnswered,
    /// The finding's last event is older than what counts as news.
    TooOld,
    /// The token is protected by its id.
    ProtectedToken,
    /// The token is protected by its credential id.
    ProtectedCredential,
    /// The token is protected by its consumer.
    ProtectedConsumer,
    /// The token was revoked, or is being revoked, for an earlier finding.
    AlreadyRevoked,
    /// More responses than the limit in the last hour.
    RateLimited,
}

/// What the decision needs to know of the past.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResponsePast {
    /// Whether the journal has an answer to this finding.
    pub is_answered: bool,
    /// Whether the token was revoked, or is being revoked, for another finding.
    pub is_revoked: bool,
    /// Responses of the last hour.
    pub last_hour: u32,
}

impl ResponseReason {
    /// The contract name, as in the journal.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::NotCritical => "not_critical",
            Self::NoToken => "no_token",
            Self::AlreadyAnswered => "already_answered",
            Self::TooOld => "too_old",
            Self::ProtectedToken => "protected_token",
            Self::ProtectedCredential => "protected_credential",
            Self::ProtectedConsumer => "protected_consumer",
            Self::AlreadyRevoked => "already_revoked",
            Self::RateLimited => "rate_limited",
        }
    }
}

/// Whether to revoke the token of `finding`. Protection is told before the rate limit, so that a protected token
/// shows as protected, and a token that is revoked already does not count against the limit.
pub fn decide_response(
    finding: &Finding,
    past: ResponsePast,
    settings: &AlertingSettings,
    now: Timestamp,
) -> ResponseDecision {
    use ResponseDecision::{Nothing, Withhold};
    let response = &settings.response;
    if response.mode == ResponseMode::Off {
        return Nothing(ResponseReason::Off);
    }
    if finding.severity < Severity::Critical {
        return Nothing(ResponseReason::NotCritical);
    }
    if finding.token.is_none() {
        return Nothing(ResponseReason::NoToken);
    }
    if past.is_answered {
        return Nothing(ResponseReason::AlreadyAnswered);
    }
    if now.since(finding.last_event_at) > settings.max_age {
        return Withhold(ResponseReason::TooOld);
    }
    if let Some(reason) = response.protected.protects(finding) {
        return Withhold(reason);
    }
    if past.is_revoked {
        return Withhold(ResponseReason::AlreadyRevoked);
    }
    if past.last_hour >= response.max_per_hour {
        return Withhold(ResponseReason::RateLimited);
    }
    match response.mode {
        ResponseMode::Enforce => ResponseDecision::Revoke,
        ResponseMode::DryRun | ResponseMode::Off => ResponseDecision::DryRun,
    }
}

/// The journal's line for what was decided, if it gets one.
pub(crate) fn line_of(
    decision: ResponseDecision,
    finding: &Finding,
    token_id: TokenId,
    settings: &ResponseSettings,
    now: Timestamp,
) -> Option<Response> {
    let (result, reason) = match decision {
        ResponseDecision::Nothing(_) => return None,
        ResponseDecision::DryRun => (ResponseResult::WouldRespond, ""),
        ResponseDecision::Withhold(reason) => (ResponseResult::Withheld, reason.name()),
        ResponseDecision::Revoke => (ResponseResult::Intended, ""),
    };
    Some(Response {
        id: response_id(finding.id, &settings.target_name),
        finding_id: finding.id,
        token_id,
        action: ResponseAction::Revoke,
        target: settings.target_name.to_string(),
        mode: settings.mode,
        at: now,
        result,
        reason: reason.to_owned(),
    })
}

#[cfg(test)]
mod tests;
