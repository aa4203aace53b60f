//! The nouns of Tokenwatch: access events, tokens, signals, findings, responses and the words around them.
//!
//! Every other crate speaks in these types, so a word has one meaning from the decoder to the console. Nothing here
//! reads a clock, a file or the network; what serialises, serialises to the JSON that `docs/` promises.

mod clock;
mod config;
mod detector;
mod event;
mod explanation;
mod finding;
mod flags;
mod format;
mod handling;
mod id;
mod incident;
mod jwt;
mod latency;
mod ledger;
mod matcher;
mod origin;
mod outcome;
mod owned;
mod profile;
mod registration;
mod response;
mod secret;
mod severity;
mod silence;
mod timestamp;

pub use clock::Clock;
pub use config::{Problem, Problems};
pub use detector::{Detector, Family};
pub use event::{AccessEvent, Client, ConnectionTls, CountryCode, Http, Text, TokenKind, TokenUse};
pub use explanation::{DetectorVerdict, DetectorView, ExplainedFigure, Explanation};
pub use finding::{Evidence, Finding, FindingStatus, FindingToken, Signal, Subject, SubjectKind};
pub use flags::{EventFlag, EventFlags};
pub use format::Format;
pub use handling::{Handling, HandlingState, Saying, Word};
pub use id::{FindingId, IdError, TokenId};
pub use incident::{FamilyEvidence, Incident};
pub use jwt::{JwtAlgorithm, JwtFact, JwtFacts, JwtKeyKind, JwtUse};
pub use latency::{LatencyRecorder, LatencySummary};
pub use ledger::{Notification, NotificationResult};
pub use matcher::{FindingMatcher, token_facts};
pub use origin::{Origin, Position, StreamId};
pub use outcome::Outcome;
pub use profile::{ProfilePeak, ProfilePlace, TokenProfile};
pub use registration::{
    Quota, QuotaPeriod, Registration, RegistrationError, RegistryKey, RegistryOrigin, TokenClass,
};
pub use response::{
    Approval, BlastRadius, Effect, EffectState, HoldEnd, NodeEffect, OrderRefusal, OrderVerb,
    Response, ResponseAction, ResponseDetails, ResponseLinkKey, ResponseMode, ResponseOrder,
    ResponseResult, UsedClient, UsedEndpoint, UsedNetwork,
};
pub use secret::SecretSource;
pub use severity::Severity;
pub use silence::{Acknowledgement, Silence};
pub use timestamp::{Timestamp, TimestampError};
