//! The token registry: what is known of tokens from elsewhere than their calls.
//!
//! It comes from a file, from an inventory service that is polled, from the API, and from responses that revoked a token. All
//! of them send a [`Change`] to the pipeline, which gives it the event time from which it counts, stores it, and only then
//! lets the engine judge by it: after a crash the same events are judged by the same versions. What is refused or cannot be
//! read changes nothing: what was known before goes on.

mod client;
mod config;
mod file;
mod inventory;
mod keeper;
mod metrics;
mod sources;

use tokenwatch_model::{Registration, RegistryKey, RegistryOrigin, Timestamp, TokenId};
use tokio::sync::{mpsc, oneshot};

pub(crate) use config::{RegistryConfig, RegistrySettings};
pub(crate) use file::{check_file, file_versions, fixed};
pub(crate) use keeper::Keeper;
pub(crate) use metrics::RegistryMetrics;
pub(crate) use sources::{RegistrySources, follow_responses, registrar};

/// Changes that wait for the pipeline: people and polls are few.
pub(crate) const CHANGES_WAITING_LIMIT: usize = 16;

/// What an origin says anew.
#[derive(Debug)]
pub(crate) enum Change {
    /// All that it says: what it does not repeat, it has taken back.
    All {
        origin: RegistryOrigin,
        entries: Vec<Registration>,
    },
    /// It is not asked any more.
    Withdrawn { origin: RegistryOrigin },
    /// A user's word on one token; none takes it back.
    One {
        key: RegistryKey,
        entry: Option<Box<Registration>>,
        actor: String,
    },
    /// A token was found exposed at `at`, in `place`.
    Leaked {
        id: TokenId,
        at: Timestamp,
        place: String,
        actor: String,
    },
    /// A response revoked or suspended a token.
    Revoked { id: TokenId, at: Timestamp },
    /// A response that had revoked or suspended a token was taken back.
    Restored { id: TokenId, at: Timestamp },
}

impl Change {
    /// Whose word it is.
    pub(crate) fn origin(&self) -> RegistryOrigin {
        match self {
            Self::All { origin, .. } | Self::Withdrawn { origin } => *origin,
            Self::One { .. } => RegistryOrigin::Api,
            Self::Leaked { .. } => RegistryOrigin::Leak,
            Self::Revoked { .. } | Self::Restored { .. } => RegistryOrigin::Response,
        }
    }
}

/// A change on its way to the pipeline.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) change: Change,
    /// What came of it.
    pub(crate) reply: oneshot::Sender<Result<Applied, Refusal>>,
}

/// Where changes are sent.
pub(crate) type Requests = mpsc::Sender<Request>;

/// What came of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Applied {
    /// From when on it counts.
    pub(crate) since: Timestamp,
    /// Entries that differ from before.
    pub(crate) changed: usize,
    /// Entries of the origin now.
    pub(crate) entries: usize,
}

/// Why an inventory was not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// It has nothing any more.
    #[error("it has no entries any more, and had {before}")]
    Empty { before: usize },
    /// It has lost most of what it had.
    #[error(
        "it has {now} entries, and had {before}: `keep_share` does not allow to lose so many at once"
    )]
    Shrunk { before: usize, now: usize },
    /// There are too many.
    #[error("it has {now} entries, {limit} are the limit")]
    TooMany { now: usize, limit: usize },
    /// There is nothing to take back.
    #[error("nothing was said of this token here")]
    Unknown,
}
