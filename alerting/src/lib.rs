//! Findings to the right people, once; and, where a stolen token is certain, to the machine that can revoke it.
//!
//! The pipeline stores findings and then offers them to the [`Dispatcher`]. What is announced to whom is a pure
//! decision over the finding, the routes and the ledger ([`decide`]); whether a token is revoked is another
//! ([`decide_response`]). The ledger in the store is the truth: a line is written before anything is sent, so that a
//! process that dies in between goes on where it was, under the same ids. Nothing here detects anything, and nothing
//! here decides how grave a finding is.

mod channel;
mod config;
mod decision;
mod dispatcher;
mod error;
mod http;
mod ledger;
mod message;
mod metrics;
mod occasion;
mod receiver;
mod response;
mod retry;
mod signature;
#[cfg(test)]
mod testing;

pub use config::{
    AlertingConfig, AlertingSettings, ChannelSettings, Matcher, ProtectedTokens, ReceiverConfig,
    ReceiverSettings, ResponseConfig, ResponseSettings, RouteConfig, SecretUrl, SmtpTls,
    TargetConfig, TargetSettings,
};
pub use decision::{Action, Decision, Reason, ReceiverPolicy, Routing, decide};
pub use dispatcher::{AlertingEvent, Dispatcher, ReceiverStatus, Runtime};
pub use error::AlertingError;
pub use metrics::AlertingMetrics;
pub use occasion::{Occasion, notification_id, response_id};
pub use response::{ResponseDecision, ResponsePast, ResponseReason, decide_response};
pub use signature::{SecretError, SigningSecret, sign};
