//! `[[alerting.response.rules]]`: which finding leads to what, in their order.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokenwatch_model::{
    Detector, FindingMatcher, HoldEnd, Problems, ResponseAction, Severity, TokenClass, TokenKind,
};

use super::targets::TargetSettings;
use crate::response::ResponseRule;

/// Rules in all; a finding is compared with one after the other.
const RULES_LIMIT: usize = 100;
/// Nothing waits for people longer: what is said in the meantime is looked for this far back.
const LONGEST_HOLD: Duration = Duration::from_hours(7 * 24);
/// What has to last longer is a revocation.
const LONGEST_LAST: Duration = Duration::from_hours(30 * 24);
/// As many people as may be asked for.
const PEOPLE_LIMIT: u32 = 5;
/// A rule takes this severity and graver ones unless it says otherwise.
const USUAL_SEVERITY: Severity = Severity::Critical;
/// How many calls a minute a throttled token may make unless a rule says otherwise.
const USUAL_CALLS_PER_MINUTE: u32 = 60;

/// One rule.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ResponseRuleConfig {
    /// Its name, for the journal; absent: its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The mildest severity that it takes; critical unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// The detectors that it takes; empty takes all.
    pub detectors: Vec<Detector>,
    /// The consumers that it takes; empty takes all.
    pub consumers: Vec<String>,
    /// Ids or credential ids of the tokens that it takes; empty takes all.
    pub tokens: Vec<String>,
    /// The owners that it takes; empty takes all.
    pub owners: Vec<String>,
    /// The teams that it takes; empty takes all.
    pub teams: Vec<String>,
    /// The environments that it takes; empty takes all.
    pub environments: Vec<String>,
    /// The kinds of token that it takes; empty takes all.
    pub kinds: Vec<TokenKind>,
    /// The classes of token that it takes, as the registry says them; empty takes all.
    pub classes: Vec<TokenClass>,
    /// What is done.
    pub action: RuleAction,
    /// The names of those that are asked; with one target alone that one, unless told.
    pub targets: Vec<String>,
    /// How long a throttle, a restriction or a suspension lasts; without an end unless told.
    #[serde(with = "humantime_serde", skip_serializing_if = "Option::is_none")]
    pub lasts: Option<Duration>,
    /// How many calls a minute a throttled token may make.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls_per_minute: Option<u32>,
    /// How long it waits for people; not at all unless told.
    #[serde(with = "humantime_serde", skip_serializing_if = "Option::is_none")]
    pub hold: Option<Duration>,
    /// What happens if nobody says anything until then: `act` or `lapse`.
    pub at_hold_end: HoldEnd,
    /// How many different people have to approve.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub people: Option<u32>,
    /// Journals what would be done, whatever `mode` says.
    pub dry_run: bool,
}

/// What a rule does, the mildest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleAction {
    /// People are told, as ever, and nothing else is done.
    Notify,
    /// Let in only so many calls a minute.
    Throttle,
    /// Let in calls from known networks alone.
    Restrict,
    /// Make the token useless for a time.
    Suspend,
    /// Make the token useless.
    #[default]
    Revoke,
}

impl RuleAction {
    const fn action(self) -> Option<ResponseAction> {
        match self {
            Self::Notify => None,
            Self::Throttle => Some(ResponseAction::Throttle),
            Self::Restrict => Some(ResponseAction::Restrict),
            Self::Suspend => Some(ResponseAction::Suspend),
            Self::Revoke => Some(ResponseAction::Revoke),
        }
    }
}

/// The rules; without any, a critical finding revokes at every target.
pub(super) fn validate(
    rules: &[ResponseRuleConfig],
    targets: &[TargetSettings],
    problems: &mut Problems,
) -> Vec<ResponseRule> {
    if rules.len() > RULES_LIMIT {
        let message = format!("has at most {RULES_LIMIT} entries");
        problems.add("response.rules", message);
    }
    if rules.is_empty() {
        let revoke = ResponseRuleConfig {
            name: Some("default".to_owned()),
            targets: targets
                .iter()
                .map(|target| target.name.to_string())
                .collect(),
            ..ResponseRuleConfig::default()
        };
        return vec![rule(&revoke, "response.targets", 0, targets, problems)];
    }
    rules
        .iter()
        .enumerate()
        .map(|(index, config)| {
            let key = format!("response.rules[{index}]");
            check(config, &key, problems);
            rule(config, &key, index, targets, problems)
        })
        .collect()
}

fn check(config: &ResponseRuleConfig, key: &str, problems: &mut Problems) {
    let action = config.action.action();
    let mut complain = |field: &str, message: &str| problems.add(format!("{key}.{field}"), message);
    if action.is_none() && (!config.targets.is_empty() || config.hold.is_some()) {
        complain(
            "action",
            "is \"notify\": it has no targets and waits for nobody",
        );
    }
    if let Some(lasts) = config.lasts {
        if matches!(action, None | Some(ResponseAction::Revoke)) {
            complain(
                "lasts",
                "is for throttle, restrict and suspend: a revocation has no end",
            );
        }
        if lasts < Duration::from_mins(1) || lasts > LONGEST_LAST {
            complain("lasts", "must be from 1m to 30days");
        }
    }
    if config.calls_per_minute == Some(0) {
        complain(
            "calls_per_minute",
            "must be at least 1; to let nothing in, suspend",
        );
    }
    match (config.hold, config.people) {
        (Some(hold), _) if hold < Duration::from_secs(10) || hold > LONGEST_HOLD => {
            complain("hold", "must be from 10s to 7days");
        }
        (None, Some(_)) => complain("people", "needs a hold, in which they can approve"),
        (Some(_), Some(people)) if !(1..=PEOPLE_LIMIT).contains(&people) => {
            complain("people", "must be from 1 to 5");
        }
        (Some(_), Some(people)) if people > 1 && config.at_hold_end == HoldEnd::Act => {
            complain(
                "at_hold_end",
                "must be \"lapse\": at its end nobody would have approved",
            );
        }
        _ => {}
    }
}

fn rule(
    config: &ResponseRuleConfig,
    key: &str,
    index: usize,
    targets: &[TargetSettings],
    problems: &mut Problems,
) -> ResponseRule {
    let action = config.action.action();
    ResponseRule {
        name: config
            .name
            .clone()
            .unwrap_or_else(|| format!("rule {}", index + 1)),
        matcher: FindingMatcher {
            severity: Some(config.severity.unwrap_or(USUAL_SEVERITY)),
            detectors: config.detectors.clone(),
            consumers: config.consumers.clone(),
            tokens: config.tokens.clone(),
            owners: config.owners.clone(),
            teams: config.teams.clone(),
            environments: config.environments.clone(),
            ..FindingMatcher::default()
        },
        kinds: config.kinds.clone(),
        classes: config.classes.clone(),
        action,
        targets: action.map_or_else(Vec::new, |action| {
            targets_of(config, action, key, targets, problems)
        }),
        lasts: config.lasts,
        calls_per_minute: (action == Some(ResponseAction::Throttle))
            .then(|| config.calls_per_minute.unwrap_or(USUAL_CALLS_PER_MINUTE)),
        hold: config.hold,
        at_hold_end: config.at_hold_end,
        people: config.people.unwrap_or(1),
        dry_run: config.dry_run,
    }
}

fn targets_of(
    config: &ResponseRuleConfig,
    action: ResponseAction,
    key: &str,
    targets: &[TargetSettings],
    problems: &mut Problems,
) -> Vec<usize> {
    if config.targets.is_empty() && targets.len() == 1 {
        return named_target(config, action, 0, key, targets, problems);
    }
    if config.targets.is_empty() {
        problems.add(
            format!("{key}.targets"),
            "must name one of the targets at least",
        );
    }
    let mut found = Vec::new();
    for (index, name) in config.targets.iter().enumerate() {
        let key = format!("{key}.targets[{index}]");
        match targets.iter().position(|target| *target.name == **name) {
            Some(place) => {
                found.extend(named_target(config, action, place, &key, targets, problems));
            }
            None => problems.add(key, format!("no target is called {name:?}")),
        }
    }
    found
}

/// The target at `place`, if it can do what the rule asks.
fn named_target(
    config: &ResponseRuleConfig,
    action: ResponseAction,
    place: usize,
    key: &str,
    targets: &[TargetSettings],
    problems: &mut Problems,
) -> Vec<usize> {
    let target = &targets[place];
    if !target.kind.can(action) {
        let message = format!(
            "{:?} cannot {} a token: see docs/responses.md for what each kind of target can do",
            target.name,
            action.name()
        );
        problems.add(key, message);
    } else if config.lasts.is_some() && !target.kind.can_undo(action) {
        let message = format!(
            "{:?} cannot take back what it did, so nothing that it does ends (a webhook needs undo = true)",
            target.name
        );
        problems.add(key, message);
    }
    vec![place]
}
