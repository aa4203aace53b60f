//! What findings say about a source.

use tokenwatch_model::{Detector, Evidence, Severity, Timestamp, TokenId};

use super::WINDOW_S;
use super::attacks::Attempt;
use super::entry::{Entry, window_start_s};
use super::key::{Level, SourceKey};
use crate::detect::{credential_stuffing, token_guessing};
use crate::hit::{Belonging, Bulk, Hit, QUIET_S, Story, Tier};
use crate::wording::{count, percent};

/// What the rule looks at, in seconds.
const SPAN_S: u64 = 600;
/// Weight of an attack that just crosses the line, and at most; ten times as large weighs ten decibans more.
const LEAST_DB: f64 = 20.0;
const MOST_DB: f64 = 30.0;
/// A share that would read as all of them.
const NEARLY_ALL: f64 = 0.995;
/// Tokens that are named in the sentence.
const NAMED_TOKENS: usize = 3;

/// The hit that an attack amounts to in the window that was just sealed.
pub(crate) fn hit(attempt: &Attempt, entry: &Entry, window: i64, start_s: i64) -> Hit {
    let (severity, story) = match attempt.detector {
        Detector::TokenGuessing => (
            token_guessing::severity(attempt),
            token_guessing::tell(attempt),
        ),
        _ => (
            credential_stuffing::severity(attempt),
            credential_stuffing::tell(attempt),
        ),
    };
    let strength = attempt.picture.strength;
    Hit {
        tier: Tier::Finding,
        severity,
        evidence_db: (LEAST_DB + 10.0 * libm::log10(strength.max(1.0) / 10.0))
            .clamp(LEAST_DB, MOST_DB),
        hard: severity >= Severity::High,
        // Of two with as many credentials, the one of more addresses says more.
        size: strength + attempt.picture.addresses / 1_000.0,
        window_start: Timestamp::from_secs(start_s),
        quiet_s: QUIET_S,
        confirm: false,
        story,
        bulk: Some(Box::new(bulk(attempt, entry, window))),
    }
}

/// The events: of the whole ten minutes at first, then those of each window.
fn bulk(attempt: &Attempt, entry: &Entry, window: i64) -> Bulk {
    let (attempts, admitted, span) = if attempt.ongoing.is_some() {
        let newest = entry.newest(window);
        (newest.attempts, attempt.admitted[1], newest.span)
    } else {
        (
            attempt.sum.attempts(),
            attempt.admitted[0],
            attempt.sum.span,
        )
    };
    let at = window * WINDOW_S * 1_000_000;
    let (first, last) = span.unwrap_or((at, at));
    let second = |micros: i64| micros.div_euclid(1_000_000);
    Bulk {
        first_event_s: second(first),
        last_event_s: second(last),
        events: u64::from(attempts) + u64::from(admitted),
        refused: u64::from(attempts),
        succeeded: u64::from(admitted),
        samples: entry.earliest.samples(),
        token: None,
    }
}

/// When an attack that shows now began.
pub(crate) fn start_s(attempt: &Attempt, window: i64) -> i64 {
    attempt
        .sum
        .span
        .map_or(window * WINDOW_S, |(first, _)| window_start_s(first))
}

/// `Address {name} tried 42 different credentials since {since}`, `90 addresses tried 42 … at {name} since {since}`.
pub(crate) fn tried(attempt: &Attempt, what: &str) -> String {
    let picture = &attempt.picture;
    let about = if picture.exact { "" } else { "about " };
    let number = count(libm::round(credentials(attempt)));
    let addresses = count(libm::round(picture.addresses));
    let (who, whither) = match attempt.key {
        SourceKey::Address(_) => ("Address {name}".to_owned(), ""),
        SourceKey::Prefix(_) | SourceKey::System(_) => {
            (format!("{addresses} addresses of {{name}}"), "")
        }
        SourceKey::Way(..) | SourceKey::Route(_) => {
            (format!("{addresses} addresses"), " at {name}")
        }
    };
    format!("{who} tried {about}{number} {what}{whither} since {{since}}")
}

/// How many credentials were tried. In a wide key many newcomers are let in that have nothing to do with it.
fn credentials(attempt: &Attempt) -> f64 {
    let picture = &attempt.picture;
    if attempt.key.level() <= Level::Prefix {
        picture.credentials + picture.admitted
    } else {
        picture.credentials
    }
}

/// The sentence's end, and the figures.
pub(crate) fn finish(attempt: &Attempt, begun: &str) -> Story {
    let picture = &attempt.picture;
    let (share, of_what) = if picture.credentials >= picture.strength {
        (picture.credential_share, "them")
    } else {
        (picture.call_share, "its calls")
    };
    let share = if share > NEARLY_ALL && picture.admitted_calls > 0 {
        "nearly all".to_owned()
    } else {
        percent(share)
    };
    let text = format!(
        "{begun}; {share} of {of_what} were refused{}",
        accepted(&attempt.helped)
    );
    let usual = picture.usual.map(|(usual, _)| usual);
    Story {
        detector: attempt.detector,
        rank: u8::from(!attempt.helped.is_empty()),
        belonging: Belonging::OwnHits,
        text,
        figures: Evidence {
            observed: Some(libm::round(if picture.credentials >= picture.strength {
                credentials(attempt)
            } else {
                f64::from(picture.anonymous)
            })),
            habitual_peak: usual,
            window_s: Some(SPAN_S),
            statistic:
                "a rule: many different credentials, most of them refused, and far more than usual"
                    .to_owned(),
            baseline_days: picture.usual.map(|(_, days)| days as u32),
            usual: Some(match usual {
                Some(usual) => format!(
                    "about {} such credentials in its worst 10 min of a day",
                    count(usual)
                ),
                None => "first seen to try any within the last day".to_owned(),
            }),
            ..Evidence::default()
        },
    }
}

/// What was let in: `, but tok_… was ACCEPTED`.
fn accepted(helped: &[TokenId]) -> String {
    match helped {
        [] => String::new(),
        [id] => format!(", but {id} was ACCEPTED"),
        ids => {
            let named: Vec<String> = ids
                .iter()
                .take(NAMED_TOKENS)
                .map(ToString::to_string)
                .collect();
            let more = if ids.len() > NAMED_TOKENS {
                ", …"
            } else {
                ""
            };
            format!(
                ", but {} were ACCEPTED ({}{more})",
                ids.len(),
                named.join(", ")
            )
        }
    }
}
