//! Findings to the right people, once; and, where a stolen token is certain, to the machine that can revoke it.
//!
//! The pipeline stores findings and then offers them to the [`Dispatcher`]. What is announced to whom is a pure
//! decision over the findings, the routes, what people said and the ledger (`desk`); whether a token is revoked is another
//! ([`decide_response`]). The ledger in the store is the truth: a line is written before anything is sent, so that a
//! process that dies in between goes on where it was, under the same ids. Nothing here detects anything, and nothing
//! here decides how grave a finding is.

mod calendar;
mod channel;
mod circuit;
mod config;
mod deny_list;
mod desk;
mod dispatcher;
mod error;
mod http;
mod layout;
mod lease;
mod ledger;
mod message;
mod metrics;
mod occasion;
mod outgoing;
mod receiver;
mod response;
mod retry;
mod routing;
mod sample;
mod signature;
mod ssf;
#[cfg(test)]
mod testing;

pub use calendar::{Digest, Span, Window};
pub use config::{
    AlertingConfig, AlertingSettings, BodyFormat, ChannelSettings, ChatConfig, DenyListSettings,
    DigestConfig, EscalationConfig, KafkaOptions, KongCredential, LinksConfig, LinksSettings,
    ProtectedTokens, ReceiverConfig, ReceiverSettings, ResponderConfig, ResponseConfig,
    ResponseRuleConfig, ResponseSettings, RouteConfig, RuleAction, SecretUrl, SmtpTls, SsfConfig,
    SsfEvent, SsfReceiver, SsfSubject, SyslogFormat, SyslogSettings, SyslogTransport, TargetConfig,
    TargetKind, TargetSettings, TemplateConfig, WindowConfig,
};
pub use deny_list::{
    Delta, DeniedName, DeniedToken, DenyList, DenyListFull, DenyVerdict, WholeList,
};
pub use dispatcher::{AlertingEvent, Dispatcher, ReceiverStatus, Runtime};
pub use error::AlertingError;
pub use metrics::AlertingMetrics;
pub use occasion::{Occasion, notification_id, response_id};
pub use response::{
    ResponseDecision, ResponsePast, ResponseReason, ResponseRule, TokenFacts, decide_response,
};
pub use routing::{
    Escalation, GroupBy, Grouping, Outside, ReceiverPolicy, Repeat, Route, RouteStep, RouteVerdict,
    Routing, RoutingAccount, Way, WayAccount,
};
pub use sample::{Sample, SampleOutcome};
pub use signature::{SecretError, SigningSecret, sign};
pub use ssf::{CONFIGURATION_PATH, JWKS_PATH, SsfKey, SsfKeyError, SsfSettings};
