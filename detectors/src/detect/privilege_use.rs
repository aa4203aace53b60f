//! `privilege_use`: a token does what few may do, and what neither it nor its peers are used to.
//!
//! Catches new users and keys, changed roles, stopped audit trails, secrets read by the dozen, snapshots shared with strangers,
//! and a settled token's first call to an administrative route. What is blatant needs no habit; the rest does. Misses
//! abuse by a token that does such things anyway, and privileges that no name gives away. Its main false positive is an
//! administrator's new duty. Bytes per token: 2; 32 more for tokens that read secrets or call cloud APIs.

use tokenwatch_model::{AccessEvent, Detector, Evidence, Outcome, Severity};

use super::new_endpoint::{Called, Peers};
use crate::calendar::hour_of;
use crate::commons::Commons;
use crate::hit::{Belonging, Hit, QUIET_S, Story, Tier};
use crate::privilege::{Grade, Privilege, PrivilegeClass, classify_call};
use crate::route_template;
use crate::settings::DetectorSettings;
use crate::token::{Maturity, Token};
use crate::wording;

/// Weight of a privilege that no peer uses.
const MOST_DB: f64 = 29.0;
/// A blatant one weighs at least this much, unless peers do it.
const BLATANT_DB: f64 = 20.0;
/// So does a notable one,
const NOTABLE_DB: f64 = 10.0;
/// and so do secrets by the dozen.
const BURST_DB: f64 = 15.0;
/// What this share of at least so many tokens does is their job.
const REGULAR_SHARE: f64 = 0.05;
const REGULAR_TOKENS: u32 = 3;
/// So many calls before its first privileged one are a life without privileges, or fewer on several days.
const LIFE_BEFORE: u32 = 20;
const LIFE_BEFORE_OF_DAYS: (u32, u16) = (5, 3);
/// So many unusual classes in a day are more than a new duty.
const SEVERAL: u32 = 2;
/// Surprise of a token that does not keep taking up new endpoints.
const SETTLED_DB: f64 = 13.0;

/// A hit if the call is a privilege that the token is not used to.
pub(crate) fn observe(
    token: &mut Token,
    event: &AccessEvent<'_>,
    called: &Called,
    commons: &Commons,
    settings: &DetectorSettings,
) -> Option<Hit> {
    // Known endpoints were looked at when they were new; only a class that is new today is followed on.
    let due = called.is_new || token.scope.privileges.is_watched();
    if !due || !matches!(event.outcome, Outcome::Ok | Outcome::Denied) {
        return None;
    }
    let config = &settings.privilege;
    let privilege = classify_call(&event.http, &settings.privileged_routes, config.built_in)?;
    if !token.scope.privileges.visit(privilege.class) {
        return None;
    }
    let maturity = token.maturity(settings);
    let (calls, days) = LIFE_BEFORE_OF_DAYS;
    let has_life =
        token.calls >= LIFE_BEFORE || (token.calls >= calls && token.active_days >= days);
    if privilege.grade == Grade::Habit && maturity == Maturity::New && !has_life {
        // A new tool of administrators begins with such calls.
        token.scope.privileges.accept(privilege.class);
        return None;
    }
    let secrets = (privilege.grade == Grade::Burst).then(|| {
        let sweep = token.parts.sweep_mut();
        sweep.note_secret(event.ts)
    });
    let peers = Peers::of(&called.endpoint, commons, event.ts);
    let facts = Facts {
        privilege,
        maturity,
        classes: token.scope.privileges.unusual_today(),
        settled: token.scope.surprise_db(token.days()) >= SETTLED_DB,
        succeeded: event.outcome == Outcome::Ok,
        regular: peers.tokens >= REGULAR_TOKENS && peers.share >= REGULAR_SHARE,
        secrets,
        secrets_burst: config.secrets_burst,
    };
    let (tier, severity) = decide(&facts)?;
    let evidence_db = weigh(&facts, &peers, token);
    let call = route_template::text_of(&event.http, &commons.words, hour_of(event.ts));
    Some(Hit {
        tier,
        severity,
        evidence_db,
        hard: false,
        size: f64::from(secrets.unwrap_or(facts.classes)),
        window_start: event.ts,
        quiet_s: QUIET_S,
        confirm: false,
        story: story(token, &facts, &peers, &call, (severity, evidence_db)),
        bulk: None,
    })
}

/// Weight of the call: by the peers that do it, or by the token's own habit where none does.
fn weigh(facts: &Facts, peers: &Peers, token: &Token) -> f64 {
    let own_db = if peers.tokens == 0 && facts.maturity > Maturity::New {
        token.scope.surprise_db(token.days())
    } else {
        0.0
    };
    let is_burst = facts
        .secrets
        .is_some_and(|read| read >= facts.secrets_burst);
    let least = match facts.privilege.grade {
        Grade::Blatant if !facts.regular => BLATANT_DB,
        Grade::Burst if is_burst && !facts.regular => BURST_DB,
        Grade::Notable if !facts.regular => NOTABLE_DB,
        _ => 0.0,
    };
    peers.surprise_db().max(own_db).clamp(least, MOST_DB)
}

/// What is known when a privileged call is judged.
struct Facts {
    privilege: Privilege,
    maturity: Maturity,
    /// Classes used today that are no habit.
    classes: u32,
    /// The token does not keep taking up new endpoints.
    settled: bool,
    succeeded: bool,
    /// Peers do it all the time.
    regular: bool,
    /// Secrets read within ten minutes, where the call reads one.
    secrets: Option<u32>,
    secrets_burst: u32,
}

/// What the call may lead to.
fn decide(facts: &Facts) -> Option<(Tier, Severity)> {
    let mature = facts.maturity == Maturity::Mature;
    if facts.regular {
        return (facts.maturity > Maturity::New).then_some((Tier::Signal, Severity::Info));
    }
    match facts.privilege.grade {
        Grade::Blatant => Some((Tier::Finding, Severity::Medium)),
        Grade::Notable if mature && facts.classes >= SEVERAL => {
            Some((Tier::Finding, Severity::Medium))
        }
        Grade::Notable => Some((Tier::Finding, Severity::Low)),
        Grade::Burst => decide_burst(facts, mature),
        Grade::Habit => Some(decide_broken_habit(facts, mature)),
    }
}

/// Reads of secrets count by their number: at the threshold, and whenever they have doubled.
fn decide_burst(facts: &Facts, mature: bool) -> Option<(Tier, Severity)> {
    let read = facts.secrets?;
    let times = read / facts.secrets_burst;
    if times == 0 {
        return (mature && read == 1).then_some((Tier::Signal, Severity::Info));
    }
    let severity = if mature || times >= 2 {
        Severity::Medium
    } else {
        Severity::Low
    };
    Some((Tier::Finding, severity))
}

fn decide_broken_habit(facts: &Facts, mature: bool) -> (Tier, Severity) {
    let administers = facts.privilege.class == PrivilegeClass::Administration;
    if !mature {
        return if administers {
            (Tier::Finding, Severity::Low)
        } else {
            (Tier::Signal, Severity::Info)
        };
    }
    let grave = facts.classes >= SEVERAL || (administers && facts.succeeded);
    let severity = if grave && facts.settled {
        Severity::Medium
    } else {
        Severity::Low
    };
    (Tier::Finding, severity)
}

fn story(
    token: &Token,
    facts: &Facts,
    peers: &Peers,
    call: &str,
    (severity, db): (Severity, f64),
) -> Story {
    let words = facts.privilege.class.words();
    let days = token.active_days;
    let habit = match facts.maturity {
        Maturity::New => "it is too new to have a habit of it".to_owned(),
        Maturity::Young | Maturity::Mature => format!("it never did so in {days} days"),
    };
    let several = match facts.secrets {
        Some(read) if read > 1 => format!(
            ", {} of them within 10 min",
            wording::count(f64::from(read))
        ),
        _ if facts.classes >= SEVERAL => {
            format!(", one of {} unusual privileges today", facts.classes)
        }
        _ => String::new(),
    };
    Story {
        detector: Detector::PrivilegeUse,
        rank: 8 * (severity as u8) + facts.privilege.grade as u8,
        belonging: Belonging::OwnHits,
        text: format!(
            "{{name}} called {call}, {words}{several}; {habit}, and {}{{outcomes}}{{sources}}",
            peers.words(),
        ),
        figures: Evidence {
            expected: Some(0.0),
            statistic: if facts.privilege.grade == Grade::Blatant {
                "absolute: a privilege that hardly any token uses".to_owned()
            } else {
                "the share of tokens that use the privileged endpoint, and the token's own habit"
                    .to_owned()
            },
            p_value: Some(libm::exp10(-db / 10.0)),
            baseline_days: Some(u32::from(days)),
            usual: Some(match token.scope.privileges.habitual() {
                0 => "no privileged calls".to_owned(),
                count => format!("{count} other sorts of privileged calls"),
            }),
            ..Evidence::default()
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(grade: Grade, maturity: Maturity) -> Facts {
        Facts {
            privilege: Privilege {
                class: PrivilegeClass::Administration,
                grade,
            },
            maturity,
            classes: 1,
            settled: true,
            succeeded: true,
            regular: false,
            secrets: None,
            secrets_burst: 10,
        }
    }

    #[test]
    fn what_is_blatant_needs_no_habit() {
        let verdict = decide(&facts(Grade::Blatant, Maturity::New));
        assert_eq!(verdict, Some((Tier::Finding, Severity::Medium)));
        let regular = Facts {
            regular: true,
            ..facts(Grade::Blatant, Maturity::New)
        };
        assert_eq!(decide(&regular), None);
    }

    #[test]
    fn an_admin_route_is_news_only_for_a_settled_token() {
        let young = facts(Grade::Habit, Maturity::Young);
        assert_eq!(decide(&young), Some((Tier::Finding, Severity::Low)));
        let mature = facts(Grade::Habit, Maturity::Mature);
        assert_eq!(decide(&mature), Some((Tier::Finding, Severity::Medium)));
        let refused = Facts {
            succeeded: false,
            ..facts(Grade::Habit, Maturity::Mature)
        };
        assert_eq!(decide(&refused), Some((Tier::Finding, Severity::Low)));
        let explorer = Facts {
            settled: false,
            ..facts(Grade::Habit, Maturity::Mature)
        };
        assert_eq!(decide(&explorer), Some((Tier::Finding, Severity::Low)));
    }

    #[test]
    fn secrets_are_counted() {
        let read = |secrets| {
            decide(&Facts {
                secrets: Some(secrets),
                ..facts(Grade::Burst, Maturity::New)
            })
        };
        assert_eq!(read(9), None);
        assert_eq!(read(10), Some((Tier::Finding, Severity::Low)));
        assert_eq!(read(20), Some((Tier::Finding, Severity::Medium)));
    }
}
