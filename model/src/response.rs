//! What is done about tokens: the journal of responses, and what people say about responses that wait.
//!
//! A response has a line for every step of its life; the newest is what it is now. Every line repeats what the ones before it said,
//! so that one line tells the whole way from the detection to the effect.

mod journal;
mod link;
mod order;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::{FindingId, Timestamp, TokenId};

pub use journal::{ResponseMode, ResponseResult};
pub use link::ResponseLinkKey;
pub use order::{OrderRefusal, OrderVerb, ResponseOrder};

/// One line of the journal of responses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Response {
    /// Stable per finding and target, and per action below a revocation.
    pub id: String,
    /// The finding that called for it.
    pub finding_id: FindingId,
    /// The token.
    pub token_id: TokenId,
    /// What was asked.
    pub action: ResponseAction,
    /// The responder's name in the configuration.
    pub target: String,
    /// Whether it was meant.
    pub mode: ResponseMode,
    /// When this line was written.
    pub at: Timestamp,
    /// What became of it.
    pub result: ResponseResult,
    /// Why, where there is more to say; never a secret.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// All else that is known of it.
    #[serde(flatten)]
    pub details: ResponseDetails,
}

/// What a gateway or identity provider is asked to do, the mildest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResponseAction {
    /// Let in only so many calls a minute.
    Throttle,
    /// Let in calls from known networks alone.
    Restrict,
    /// Make the token useless for a time.
    Suspend,
    /// Make the token useless.
    Revoke,
}

/// What a line of the journal says beside its result; what does not apply is absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ResponseDetails {
    /// The rule that asked for it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub rule: String,
    /// Whose limit of responses it counts against: the owner, else the team, else the consumer.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub tenant: String,
    /// The gateway's name of the credential.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential_id: Option<String>,
    /// The consumer that the gateway names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consumer: Option<String>,
    /// When the finding was detected, in event time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detected_at: Option<Timestamp>,
    /// When it was decided on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<Timestamp>,
    /// When the target was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked_at: Option<Timestamp>,
    /// When the target said yes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered_at: Option<Timestamp>,
    /// Until when it waits for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_until: Option<Timestamp>,
    /// What happens if nobody says anything until then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_hold_end: Option<HoldEnd>,
    /// How many people have to approve.
    #[serde(skip_serializing_if = "is_zero")]
    pub approvals_needed: u32,
    /// Who did.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<Approval>,
    /// Who vetoed or undid it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub actor: String,
    /// How long it lasts, in seconds, once the target said yes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lasts_s: Option<u64>,
    /// When it ends by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Timestamp>,
    /// How many calls a minute a throttled token may make.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls_per_minute: Option<u32>,
    /// The networks that a restricted token may be used from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<IpNet>,
    /// Whether the target can take it back.
    #[serde(skip_serializing_if = "is_false")]
    pub can_undo: bool,
    /// What the target needs to take it back: ids of what was made there, never a secret.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub handle: String,
    /// How the token was used before the finding began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blast_radius: Option<Box<BlastRadius>>,
    /// Whether it worked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect: Option<Box<Effect>>,
}

/// What happens to a response that waited for people in vain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldEnd {
    /// It is carried out.
    Act,
    /// Nothing is done.
    #[default]
    Lapse,
}

/// Somebody's yes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Who.
    pub actor: String,
    /// When.
    pub at: Timestamp,
}

/// Who and what is hit if the token ends: how it was used before the finding began.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BlastRadius {
    /// As of when.
    pub as_of: Timestamp,
    /// Calls a minute of the last hour before the finding.
    pub calls_per_minute: f64,
    /// Calls of the last 24 hours before it.
    pub calls_24h: u64,
    /// The last call before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_call_at: Option<Timestamp>,
    /// What called, most used first.
    pub clients: Vec<UsedClient>,
    /// From where.
    pub networks: Vec<UsedNetwork>,
    /// What was called.
    pub endpoints: Vec<UsedEndpoint>,
    /// Whose token it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The owner's team.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// How the owner is reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    /// `production`, `staging`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
}

/// A client program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsedClient {
    /// As it names itself.
    pub user_agent: String,
    /// Its calls.
    pub calls: u64,
}

/// A network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsedNetwork {
    /// A /24 or a /48.
    pub network: IpNet,
    /// Its country, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// Its calls.
    pub calls: u64,
}

/// A method and a route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsedEndpoint {
    /// `GET /v1/orders/{id}`.
    pub endpoint: String,
    /// Calls of it.
    pub calls: u64,
}

/// Whether a revocation or suspension worked, by the calls that came after it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effect {
    /// What is known.
    pub state: EffectState,
    /// When the calls were looked at.
    pub checked_at: Timestamp,
    /// When the last node had heard of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective_at: Option<Timestamp>,
    /// How long that took from the target's yes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag_ms: Option<u64>,
    /// Whether the token's calls are still looked at.
    #[serde(default)]
    pub is_open: bool,
    /// The gateway nodes that were called.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<NodeEffect>,
}

/// What is known of an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EffectState {
    /// No call came yet that could tell.
    Watching,
    /// Calls are refused.
    Effective,
    /// Calls are let in after the grace time.
    Ineffective,
    /// The watch ended and nobody had called.
    Unobserved,
}

/// What one gateway node did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeEffect {
    /// Its name in the logs; empty where they have none.
    pub gateway: String,
    /// What is known.
    pub state: EffectState,
    /// The last call that it let in after the target's yes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_accepted_at: Option<Timestamp>,
    /// The first call that it refused after that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_refused_at: Option<Timestamp>,
    /// From the target's yes until the last call that was let in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag_ms: Option<u64>,
    /// Calls that it let in after the target's yes.
    pub accepted: u64,
    /// Calls that it refused.
    pub refused: u64,
}

impl Response {
    /// The next line of the same response. Its time is after this line's, so that the newest line is the last one.
    #[must_use]
    pub fn followed_by(&self, result: ResponseResult, now: Timestamp) -> Self {
        Self {
            at: now.max(self.at + std::time::Duration::from_micros(1)),
            result,
            reason: String::new(),
            ..self.clone()
        }
    }

    /// When it was decided on.
    pub fn decided_at(&self) -> Timestamp {
        self.details.decided_at.unwrap_or(self.at)
    }

    /// When the target said yes, if it did.
    pub fn answered_at(&self) -> Option<Timestamp> {
        let is_answered = self.result == ResponseResult::Delivered;
        self.details
            .answered_at
            .or_else(|| is_answered.then_some(self.at))
    }

    /// Whether something is still to be done about it: people to be heard, an outcome, an end, an effect to be watched.
    pub fn is_pending(&self) -> bool {
        match self.result {
            ResponseResult::Intended | ResponseResult::Held | ResponseResult::Undoing => true,
            ResponseResult::Delivered | ResponseResult::UndoFailed => {
                let details = &self.details;
                let watched = details.effect.as_ref();
                (details.ends_at.is_some() && details.can_undo)
                    || watched.is_some_and(|effect| effect.is_open)
            }
            _ => false,
        }
    }

    /// Whether it can be taken back: the target took it, and can.
    pub fn can_be_undone(&self) -> bool {
        self.details.can_undo
            && matches!(
                self.result,
                ResponseResult::Delivered | ResponseResult::UndoFailed | ResponseResult::Unknown
            )
    }
}

impl ResponseAction {
    /// Every action, the mildest first.
    pub const ALL: [Self; 4] = [Self::Throttle, Self::Restrict, Self::Suspend, Self::Revoke];

    /// The contract name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Throttle => "throttle",
            Self::Restrict => "restrict",
            Self::Suspend => "suspend",
            Self::Revoke => "revoke",
        }
    }

    /// Whether no call may succeed afterwards.
    pub const fn ends_use(self) -> bool {
        matches!(self, Self::Suspend | Self::Revoke)
    }
}

impl EffectState {
    /// The contract name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Watching => "watching",
            Self::Effective => "effective",
            Self::Ineffective => "ineffective",
            Self::Unobserved => "unobserved",
        }
    }
}

impl HoldEnd {
    /// The contract name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Act => "act",
            Self::Lapse => "lapse",
        }
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde's skip_serializing_if hands over a reference"
)]
const fn is_zero(value: &u32) -> bool {
    *value == 0
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde's skip_serializing_if hands over a reference"
)]
const fn is_false(value: &bool) -> bool {
    !*value
}
