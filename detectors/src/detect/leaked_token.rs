//! `leaked_token`: a token of this deployment was found where everybody can read it.
//!
//! The report is certain (its fingerprint is a token's), so the finding is critical at once, whether or not the token was
//! used. What follows is told with it: whether it was used since it was exposed, by its owner only or from elsewhere, and
//! when it was revoked. A place is the owner's if the token was used there on a day before it was exposed; without places in
//! the log that cannot be told apart. A token that no longer works when it is reported is no finding. Main false positive:
//! none of the match; a token that was exposed where only its owner can read it. Bytes per token: about a hundred of one
//! that leaked.

use serde::{Deserialize, Serialize};
use tokenwatch_model::{Detector, Evidence, Outcome, Severity, Timestamp};

use crate::calendar::day_of;
use crate::hit::{Belonging, Bulk, Hit, Story, Tier};
use crate::registry::{Leak, Registered};
use crate::token::{Token, micros};
use crate::whereabouts::Visit;
use crate::wording;

/// Weight: it is known, not inferred.
const LEAKED_DB: f64 = 40.0;
/// It goes on until a week has passed without use.
const QUIET_S: i64 = 7 * 86_400;

/// What became of a leaked token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct LeakUse {
    /// The report that it is about.
    #[serde(with = "micros")]
    pub(crate) reported: Timestamp,
    /// It was used between exposure and report.
    used_before: Use,
    owner_calls: u64,
    other_calls: u64,
    /// From places that the log does not name.
    unplaced_calls: u64,
    /// The first call from elsewhere, in seconds; 0 if there was none.
    first_other_s: i64,
    /// What was told last.
    told: Stage,
}

/// How a token was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Use {
    Unused,
    /// It was used; by whom is not known.
    Used,
    /// From new places.
    Elsewhere,
}

/// How far the story has come; every stage is news.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Stage {
    Reported,
    Used,
    Elsewhere,
    Revoked,
}

impl LeakUse {
    /// What is known at the report; `token` if it was ever seen.
    pub(crate) fn begin(leak: Leak<'_>, token: Option<&Token>) -> Self {
        Self {
            reported: leak.reported,
            used_before: token.map_or(Use::Unused, |token| used_before(leak, token)),
            owner_calls: 0,
            other_calls: 0,
            unplaced_calls: 0,
            first_other_s: 0,
            told: Stage::Reported,
        }
    }

    /// Counts a call that was let in.
    fn count(&mut self, leak: Leak<'_>, token: &Token, visit: &Visit) {
        let Some(place) = visit.place else {
            self.unplaced_calls += 1;
            return;
        };
        let homes = token.whereabouts.places(&token.parts);
        let exposed_on = day_of(leak.exposed);
        let is_home = |first_day: u16| i64::from(first_day) < exposed_on;
        let known = homes.iter().find(|known| known.key.key().is_same_as(place));
        if known.is_some_and(|known| is_home(known.first_day)) {
            self.owner_calls += 1;
            return;
        }
        self.other_calls += 1;
        let at_s = visit.at.as_secs();
        if self.first_other_s == 0 || at_s < self.first_other_s {
            self.first_other_s = at_s;
        }
    }

    fn stage(&self, revoked: Option<Timestamp>) -> Stage {
        if revoked.is_some() {
            Stage::Revoked
        } else if self.other_calls > 0 || self.used_before == Use::Elsewhere {
            Stage::Elsewhere
        } else if self.owner_calls + self.unplaced_calls > 0 || self.used_before == Use::Used {
            Stage::Used
        } else {
            Stage::Reported
        }
    }

    /// The use in words.
    fn told_use(&self) -> String {
        let calls = |count: u64| match count {
            1 => "once".to_owned(),
            count => format!("{} times", wording::count(count as f64)),
        };
        let before = match self.used_before {
            Use::Unused => "",
            Use::Used => "it was used between exposure and report, ",
            Use::Elsewhere => "it was USED FROM PLACES NEW TO IT between exposure and report, ",
        };
        let since = if self.other_calls > 0 {
            format!(
                "USED {} FROM ELSEWHERE since {}, and {} from its owner's places",
                calls(self.other_calls),
                wording::moment(Timestamp::from_secs(self.first_other_s)),
                if self.owner_calls == 0 {
                    "never".to_owned()
                } else {
                    calls(self.owner_calls)
                },
            )
        } else if self.owner_calls > 0 {
            format!(
                "used {} since the report, from its owner's places only",
                calls(self.owner_calls)
            )
        } else if self.unplaced_calls > 0 {
            format!(
                "used {} since the report, from where is not logged",
                calls(self.unplaced_calls)
            )
        } else if self.used_before == Use::Unused {
            "not used since".to_owned()
        } else {
            "not used since the report".to_owned()
        };
        format!("{before}{since}")
    }
}

/// A hit on a call of a token that was exposed before.
pub(crate) fn observe(
    seen: &mut LeakUse,
    token: &Token,
    visit: Option<&Visit>,
    outcome: Outcome,
    known: &Registered<'_>,
) -> Option<Hit> {
    let leak = known.leak?;
    let visit = visit.filter(|_| outcome == Outcome::Ok)?;
    seen.count(leak, token, visit);
    Some(hit(seen, leak, known.revoked, visit.at))
}

/// The hit at the report, or at the revocation after it: nothing if that is told already.
pub(crate) fn tell(
    seen: &mut LeakUse,
    is_new: bool,
    known: &Registered<'_>,
    now: Timestamp,
) -> Option<Hit> {
    let leak = known.leak?;
    let is_news = is_new || seen.stage(known.revoked) > seen.told;
    is_news.then(|| {
        let at = if is_new { leak.reported } else { now };
        Hit {
            // No event: the report itself keeps the episode going.
            bulk: Some(Box::new(Bulk {
                first_event_s: at.as_secs(),
                last_event_s: at.as_secs(),
                ..Bulk::default()
            })),
            ..hit(seen, leak, known.revoked, at)
        }
    })
}

/// Whether the token still works at `at`, as far as is known.
pub(crate) fn is_live(known: &Registered<'_>, at: Timestamp) -> bool {
    let is_past = |end: Option<Timestamp>| end.is_some_and(|end| end <= at);
    !is_past(known.revoked) && !is_past(known.entry.expires)
}

fn hit(seen: &mut LeakUse, leak: Leak<'_>, revoked: Option<Timestamp>, at: Timestamp) -> Hit {
    let stage = seen.stage(revoked);
    seen.told = seen.told.max(stage);
    let ended = revoked.map_or_else(String::new, |revoked| {
        let after = revoked.since(leak.exposed).as_secs() as i64;
        format!(
            "; revoked {}, {} after it was exposed",
            wording::moment(revoked),
            wording::elapsed(after)
        )
    });
    // Every stage is larger than the calls of the one before, so that it is told.
    let size = [1.0, 1e6, 1e12, 1e18][seen.told as usize];
    Hit {
        tier: Tier::Finding,
        severity: Severity::Critical,
        evidence_db: LEAKED_DB,
        hard: true,
        size,
        window_start: at,
        quiet_s: QUIET_S,
        confirm: false,
        story: Story {
            detector: Detector::LeakedToken,
            rank: 0,
            belonging: Belonging::Standing,
            text: format!(
                "{{name}} was EXPOSED in {} on {}: {}{ended}",
                leak.place,
                wording::moment(leak.exposed),
                seen.told_use(),
            ),
            figures: Evidence {
                observed: Some((seen.owner_calls + seen.other_calls + seen.unplaced_calls) as f64),
                expected: Some(0.0),
                statistic:
                    "calls since the report; the fingerprint of what was found is the token's"
                        .to_owned(),
                usual: Some(format!(
                    "since the report: {} calls from its owner's places, {} from elsewhere, {} from where is not logged",
                    seen.owner_calls, seen.other_calls, seen.unplaced_calls
                )),
                ..Evidence::default()
            },
        },
        bulk: None,
    }
}

fn used_before(leak: Leak<'_>, token: &Token) -> Use {
    if token.newest < leak.exposed {
        return Use::Unused;
    }
    let exposed_on = day_of(leak.exposed);
    let homes = token.whereabouts.places(&token.parts);
    let is_new = |first_day: u16| i64::from(first_day) >= exposed_on;
    // Without a place from before, none is new.
    let had_home = homes.iter().any(|known| !is_new(known.first_day));
    if had_home && homes.iter().any(|known| is_new(known.first_day)) {
        Use::Elsewhere
    } else {
        Use::Used
    }
}
