//! One rule of the ladder, and the lines of the journal that a decision by it begins with.

use std::time::Duration;

use tokenwatch_model::{
    Finding, FindingMatcher, HoldEnd, Response, ResponseAction, ResponseDetails, ResponseMode,
    ResponseResult, Timestamp, TokenClass, TokenKind,
};

use super::{ResponseDecision, TokenFacts, tenant_of};
use crate::config::ResponseSettings;
use crate::occasion::response_id;

/// Which findings lead to what.
#[derive(Clone, Debug, PartialEq)]
pub struct ResponseRule {
    /// Its name, for the journal.
    pub name: String,
    /// Which findings it takes.
    pub matcher: FindingMatcher,
    /// The kinds of token that it takes; empty takes all.
    pub kinds: Vec<TokenKind>,
    /// The classes of token that it takes; empty takes all.
    pub classes: Vec<TokenClass>,
    /// What is done; people are told and nothing else is done if absent.
    pub action: Option<ResponseAction>,
    /// Those that are asked, by their index.
    pub targets: Vec<usize>,
    /// How long what is done lasts.
    pub lasts: Option<Duration>,
    /// How many calls a minute a throttled token may make.
    pub calls_per_minute: Option<u32>,
    /// How long it waits for people.
    pub hold: Option<Duration>,
    /// What happens if nobody says anything until then.
    pub at_hold_end: HoldEnd,
    /// How many different people have to approve.
    pub people: u32,
    /// Whether it is only journalled what would be done.
    pub dry_run: bool,
}

impl ResponseRule {
    /// Whether it takes `finding`.
    pub(super) fn matches(&self, finding: &Finding, facts: &TokenFacts) -> bool {
        let class = facts.registration.as_ref().map(|entry| entry.class);
        self.matcher.matches(finding)
            && holds(&self.kinds, facts.kind)
            && holds(&self.classes, class)
    }

    /// Whether it may do something about `finding`, as far as that says itself.
    pub(crate) fn may_act_on(&self, finding: &Finding) -> bool {
        self.action.is_some() && self.matcher.matches(finding)
    }
}

fn holds<T: PartialEq>(listed: &[T], value: Option<T>) -> bool {
    listed.is_empty() || value.is_some_and(|value| listed.contains(&value))
}

/// The journal's lines for what was decided: one for each target.
pub(crate) fn lines_of(
    decision: ResponseDecision<'_>,
    finding: &Finding,
    facts: &TokenFacts,
    settings: &ResponseSettings,
    now: Timestamp,
) -> Vec<Response> {
    let (rule, result, reason) = match decision {
        ResponseDecision::Nothing(_) => return Vec::new(),
        ResponseDecision::DryRun(rule) => (rule, ResponseResult::WouldRespond, ""),
        ResponseDecision::Withhold(rule, reason) => (rule, ResponseResult::Withheld, reason.name()),
        ResponseDecision::Hold(rule) => (rule, ResponseResult::Held, ""),
        ResponseDecision::Act(rule) => (rule, ResponseResult::Intended, ""),
    };
    let (Some(token), Some(action)) = (&finding.token, rule.action) else {
        return Vec::new();
    };
    let is_held = result == ResponseResult::Held;
    let details = ResponseDetails {
        rule: rule.name.clone(),
        tenant: tenant_of(token),
        credential_id: token.credential_id.clone(),
        consumer: token.consumer.clone(),
        detected_at: Some(finding.detected_at),
        decided_at: Some(now),
        asked_at: (result == ResponseResult::Intended).then_some(now),
        held_until: rule.hold.filter(|_| is_held).map(|hold| now + hold),
        at_hold_end: is_held.then_some(rule.at_hold_end),
        approvals_needed: if is_held { rule.people } else { 0 },
        lasts_s: rule.lasts.map(|lasts| lasts.as_secs()),
        calls_per_minute: rule.calls_per_minute,
        networks: match action {
            ResponseAction::Restrict => facts.networks.clone(),
            _ => Vec::new(),
        },
        blast_radius: facts.blast_radius_of(token),
        ..ResponseDetails::default()
    };
    let line = |target: &usize| {
        let target = &settings.targets[*target];
        Response {
            id: response_id(finding.id, &target.name, action),
            finding_id: finding.id,
            token_id: token.id,
            action,
            target: target.name.to_string(),
            mode: if rule.dry_run {
                ResponseMode::DryRun
            } else {
                settings.mode
            },
            at: now,
            result,
            reason: reason.to_owned(),
            details: ResponseDetails {
                can_undo: target.kind.can_undo(action),
                ..details.clone()
            },
        }
    };
    rule.targets.iter().map(line).collect()
}
