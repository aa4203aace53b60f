//! Responses to findings: a pure decision, a life of its own, and requests that are made at most once.
//!
//! Rules say which finding leads to what; the first that matches decides. The journal is written before a target is asked
//! (`intended`) and after it; what died in between is `unknown` and is never asked for again by itself. Attempts that fail are
//! tried again within seconds, under the same id, as long as the process lives. A finding is answered at most once per target and
//! action; once it became graver, a graver action may follow, never a milder one.

mod agenda;
mod effect;
mod facts;
mod history;
mod orders;
mod responder;
mod rule;
mod target;

use tokenwatch_model::{Finding, ResponseAction, ResponseMode, Timestamp};

use crate::config::{AlertingSettings, ResponseSettings};

pub(crate) use agenda::{Agenda, Step, decide_step};
pub(crate) use effect::{decide_effect, tell_effect};
pub use facts::TokenFacts;
pub(crate) use history::{ResponseHistory, tenant_of};
pub(crate) use orders::decide_order;
pub(crate) use responder::{Ask, Responder};
pub use rule::ResponseRule;
pub(crate) use rule::lines_of;
pub(crate) use target::Target;
#[cfg(test)]
pub(crate) use target::{Attempt, script::ScriptTarget};

/// What to do about a finding.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ResponseDecision<'s> {
    /// Nothing, and nothing to record.
    Nothing(ResponseReason),
    /// Record what would be done by this rule.
    DryRun(&'s ResponseRule),
    /// Record why this rule is not followed.
    Withhold(&'s ResponseRule, ResponseReason),
    /// Ask people first.
    Hold(&'s ResponseRule),
    /// Ask the targets of this rule.
    Act(&'s ResponseRule),
}

/// Why nothing is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseReason {
    /// Responses are off.
    Off,
    /// No rule matches: by default, the finding is not critical.
    NoRule,
    /// The rule says that people are told, and nothing else.
    NotifyOnly,
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
    /// The registry says that no machine may touch the token.
    ProtectedByRegistry,
    /// The same, or more, was done about the token, or is being done, for an earlier finding.
    AlreadyRevoked,
    /// More responses than the limit in the last hour.
    RateLimited,
    /// More responses on the owner's tokens than the limit in the last hour.
    OwnerRateLimited,
    /// It is not known from where the token is used.
    NoKnownNetworks,
}

/// What the decision needs to know of the past.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResponsePast {
    /// The gravest action that the journal has for this finding.
    pub answered: Option<ResponseAction>,
    /// The gravest action that holds for the token, or is under way, for other findings.
    pub done: Option<ResponseAction>,
    /// Findings that were responded to in the last hour.
    pub last_hour: u32,
    /// Those of them on tokens of the same owner.
    pub last_hour_of_owner: u32,
}

impl ResponseReason {
    /// The contract name, as in the journal.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::NoRule => "no_rule",
            Self::NotifyOnly => "notify_only",
            Self::NoToken => "no_token",
            Self::AlreadyAnswered => "already_answered",
            Self::TooOld => "too_old",
            Self::ProtectedToken => "protected_token",
            Self::ProtectedCredential => "protected_credential",
            Self::ProtectedConsumer => "protected_consumer",
            Self::ProtectedByRegistry => "protected_by_registry",
            Self::AlreadyRevoked => "already_revoked",
            Self::RateLimited => "rate_limited",
            Self::OwnerRateLimited => "owner_rate_limited",
            Self::NoKnownNetworks => "no_known_networks",
        }
    }
}

/// What to do about `finding`. Protection is told before the rate limits, so that a protected token shows as protected, and a token
/// that is revoked already does not count against them.
pub fn decide_response<'s>(
    finding: &Finding,
    facts: &TokenFacts,
    past: ResponsePast,
    settings: &'s AlertingSettings,
    now: Timestamp,
) -> ResponseDecision<'s> {
    use ResponseDecision::{Act, DryRun, Hold, Nothing, Withhold};
    let response = &settings.response;
    if response.mode == ResponseMode::Off {
        return Nothing(ResponseReason::Off);
    }
    if finding.token.is_none() {
        return Nothing(ResponseReason::NoToken);
    }
    let matching = |rule: &&ResponseRule| rule.matches(finding, facts);
    let Some(rule) = response.rules.iter().find(matching) else {
        return Nothing(ResponseReason::NoRule);
    };
    let Some(action) = rule.action else {
        return Nothing(ResponseReason::NotifyOnly);
    };
    if past.answered >= Some(action) {
        return Nothing(ResponseReason::AlreadyAnswered);
    }
    if now.since(finding.last_event_at) > settings.max_age {
        return Withhold(rule, ResponseReason::TooOld);
    }
    if let Some(reason) = obstacle(finding, facts, past, action, response) {
        return Withhold(rule, reason);
    }
    if response.mode == ResponseMode::DryRun || rule.dry_run {
        DryRun(rule)
    } else if rule.hold.is_some() {
        Hold(rule)
    } else {
        Act(rule)
    }
}

/// What stands in the way of `action`.
fn obstacle(
    finding: &Finding,
    facts: &TokenFacts,
    past: ResponsePast,
    action: ResponseAction,
    settings: &ResponseSettings,
) -> Option<ResponseReason> {
    if let Some(reason) = settings.protected.protects(finding) {
        return Some(reason);
    }
    let obstacles = [
        (facts.is_protected(), ResponseReason::ProtectedByRegistry),
        (past.done >= Some(action), ResponseReason::AlreadyRevoked),
        (
            past.last_hour >= settings.max_per_hour,
            ResponseReason::RateLimited,
        ),
        (
            past.last_hour_of_owner >= settings.max_per_hour_per_owner,
            ResponseReason::OwnerRateLimited,
        ),
        (
            action == ResponseAction::Restrict && facts.networks.is_empty(),
            ResponseReason::NoKnownNetworks,
        ),
    ];
    obstacles
        .into_iter()
        .find_map(|(stands, reason)| stands.then_some(reason))
}

#[cfg(test)]
mod tests;
