//! `failure_burst`: more refused calls (401, 403), or more calls to what does not exist (404), than this token has at its
//! worst.
//!
//! Catches guessing, probing and enumeration with one token, from its first minute on: a blatant burst needs no habit.
//! Misses a probe slower than the floors. Its main false positive is a client released with a wrong path or an expired
//! credential; the latter is recognised and says so. 429 and 5xx never count, and what fails while much of the fleet does
//! is taken out again. Bytes per token: 40 for each kind on a day with failures, 208 once it fails more than now and then.

use tokenwatch_model::{AccessEvent, Detector, Severity};

use super::{habit_db, window_start};
use crate::failures::{Failed, FailureKind, Failures};
use crate::habit::{FAILURE_WIDTHS, Judgement};
use crate::hash_text;
use crate::hit::{Belonging, Hit, QUIET_S, Story, Stream, Tier, figures_of};
use crate::settings::DetectorSettings;
use crate::token::{Maturity, Token};
use crate::wording;

/// Weight of a retried expired credential, of a blatant burst without a habit to compare with.
const RETRY_DB: f64 = 5.0;
const BLATANT_DB: f64 = 20.0;
/// Evidence of a habit that is not a week old.
const YOUNG_DB: f64 = 12.0;
/// Alone it is medium from this many times the token's own worst and of the floor; below it is low.
const MEDIUM_ABOVE_PEAK: f64 = 4.0;
const MEDIUM_ABOVE_FLOOR: f64 = 3.0;
/// All calls of the window failed, but for rounding.
const ALL: f64 = 0.999;

/// Counts the call for the streams, and as a failure if it is one; a hit if a window broke the habit or is blatant.
pub(crate) fn observe(
    token: &mut Token,
    event: &AccessEvent<'_>,
    settings: &DetectorSettings,
) -> Option<Hit> {
    let newest = token.newest;
    let kind = FailureKind::of(event.outcome);
    let failed = kind.map(|_| failed(event));
    if let (Some(kind), Some(failed)) = (kind, failed)
        && token.parts.failures(kind).is_none()
    {
        begin(token, kind, failed);
    }
    for failures in token.parts.all_failures_mut() {
        failures.count_call(newest, event.ts);
    }
    token.parts.count_call_among_few(newest, kind);
    let (kind, failed) = (kind?, failed?);
    failed.note_in(token.parts.failures_mut(kind)?);
    let is_mature = token.maturity(settings) == Maturity::Mature;
    let mut strongest: Option<Hit> = None;
    for (index, width) in FAILURE_WIDTHS.into_iter().enumerate() {
        let age = newest.as_secs().div_euclid(width) - event.ts.as_secs().div_euclid(width);
        let failures = token.parts.failures_mut(kind)?;
        let Some(count) = failures.scales[index].add(age) else {
            continue;
        };
        // A mature token's trip count does not depend on when it is computed.
        if is_mature && count < least_trip(index, settings) {
            continue;
        }
        if failures.scales[index].is_stale() {
            arm(token, kind, index, settings);
        }
        let failures = token.parts.failures_mut(kind)?;
        if !failures.scales[index].trips(count) {
            continue;
        }
        if let Some(hit) = judge(token, kind, index, age, settings)
            && strongest
                .as_ref()
                .is_none_or(|best| (hit.tier, hit.size) > (best.tier, best.size))
        {
            strongest = Some(hit);
        }
    }
    strongest
}

/// The count in the newest window at `index` if the event counts in `stream`: what keeps an episode going.
pub(crate) fn heat(
    token: &Token,
    event: &AccessEvent<'_>,
    stream: Stream,
    index: u8,
) -> Option<u32> {
    let kind = FailureKind::of(event.outcome).filter(|kind| kind.stream() == stream)?;
    let failures = token.parts.failures(kind)?;
    Some(failures.scales[usize::from(index)].count(0))
}

/// Where the failure came from and went to.
fn failed(event: &AccessEvent<'_>) -> Failed {
    let path = event
        .http
        .path
        .as_deref()
        .or(event.http.route.as_deref())
        .unwrap_or("");
    let place = event.http.route.as_deref().unwrap_or(path);
    let agent = event.client.user_agent.as_deref().unwrap_or("");
    let address = event.client.ip.map_or(0, crate::hash_ip);
    let cause = hash_text(place) ^ hash_text(agent).rotate_left(21) ^ address.rotate_left(42);
    let unauthorised = event.http.status == Some(401);
    Failed::new(
        event.ts,
        hash_text(path),
        (cause >> 32) as u32,
        unauthorised,
    )
}

/// Notes a failure of a kind that the token has no habit of. A habit begins once there are more than a few.
fn begin(token: &mut Token, kind: FailureKind, failed: Failed) {
    let newest = token.newest;
    let calls = token.day.count(0).saturating_add(1);
    let few = token.parts.few_failures_mut(kind);
    if !few.note(failed, newest, calls) {
        return;
    }
    let mut failures = few.begin(newest);
    // What was called since the first of them is counted; the longer windows began before it.
    if let Some(rate) = &token.rate {
        let hour = &rate.scales[3];
        failures.raise_calls(2, [hour.count(0), hour.count(1)]);
    }
    failures.raise_calls(3, [token.day.count(0), token.day.count(1)]);
    token.parts.begin_failures(kind, failures);
}

fn arm(token: &mut Token, kind: FailureKind, index: usize, settings: &DetectorSettings) {
    let maturity = token.maturity(settings);
    let days = token.days();
    let Some(failures) = token.parts.failures_mut(kind) else {
        return;
    };
    let mut trip = blatant_trip(index, settings);
    if maturity > Maturity::New {
        let basis = failures.basis(FAILURE_WIDTHS[index], days);
        let spec = &settings.failure_scales[index];
        let table = &settings.signal_quantiles;
        trip = trip.min(failures.scales[index].trip_count(spec, &basis, table));
    }
    failures.scales[index].arm(trip);
}

/// From what on a window may be blatant.
fn blatant_trip(index: usize, settings: &DetectorSettings) -> u32 {
    // The shortest window counts together with the one before, so half of its threshold has to be looked at.
    let blatant = settings.failure.blatant[index];
    if index == 0 {
        blatant.div_ceil(2)
    } else {
        blatant
    }
}

/// No trip count is below this.
fn least_trip(index: usize, settings: &DetectorSettings) -> u32 {
    blatant_trip(index, settings).min(settings.failure_scales[index].floor)
}

const fn look_again(count: u32) -> u32 {
    let step = count / 10;
    count.saturating_add(if step == 0 { 1 } else { step })
}

/// What a window shows.
struct Window {
    judgement: Judgement,
    share: f64,
    usual_share: f64,
    distinct_paths: u32,
    single_cause: bool,
    /// Calls and failures that count for blatancy: the shortest window together with the one before.
    blatant_count: u32,
    blatant_share: f64,
}

fn window(
    failures: &Failures,
    index: usize,
    age: i64,
    days: f64,
    settings: &DetectorSettings,
) -> Window {
    let scale = &failures.scales[index];
    let basis = failures.basis(FAILURE_WIDTHS[index], days);
    let count = scale.count(age);
    let share = |count: u32, calls: u32| f64::from(count) / f64::from(calls.max(count).max(1));
    let (blatant_count, blatant_calls) = if index == 0 {
        (
            scale.count(0) + scale.count(1),
            failures.calls(0, 0) + failures.calls(0, 1),
        )
    } else {
        (count, failures.calls(index, age))
    };
    Window {
        judgement: scale.judge(&settings.failure_scales[index], &basis, count),
        share: share(count, failures.calls(index, age)),
        usual_share: failures.usual_share(),
        distinct_paths: failures.distinct_paths(index),
        single_cause: failures.has_single_cause(),
        blatant_count,
        blatant_share: share(blatant_count, blatant_calls),
    }
}

/// Judges a count that tripped, and sets the count at which to look again.
fn judge(
    token: &mut Token,
    kind: FailureKind,
    index: usize,
    age: i64,
    settings: &DetectorSettings,
) -> Option<Hit> {
    let maturity = token.maturity(settings);
    let days = token.days();
    let failures = token.parts.failures_mut(kind)?;
    let window = window(failures, index, age, days, settings);
    let count = window.judgement.count;
    let Some((tier, blatant)) = decide(&window, kind, index, maturity, settings) else {
        failures.scales[index].arm(look_again(count));
        return None;
    };
    if tier == Tier::Finding {
        failures.taint();
        failures.scales[index].arm(count.saturating_mul(2));
    } else {
        failures.scales[index].arm(count.saturating_add((count / 4).max(1)));
    }
    Some(hit(
        token,
        kind,
        index,
        age,
        &window,
        (tier, blatant),
        settings,
    ))
}

/// Whether the window is a hit, of which tier, and whether it needed no habit.
fn decide(
    window: &Window,
    kind: FailureKind,
    index: usize,
    maturity: Maturity,
    settings: &DetectorSettings,
) -> Option<(Tier, bool)> {
    let limits = &settings.failure;
    let judgement = &window.judgement;
    if kind == FailureKind::NotFound && window.distinct_paths < limits.distinct_paths {
        return None;
    }
    let unusual_share = window.share >= limits.share_ratio * window.usual_share;
    let habit = maturity > Maturity::New
        && unusual_share
        && window.share >= limits.min_share
        && judgement.count >= settings.failure_scales[index].floor
        && judgement.p_now <= settings.alpha_now
        && judgement.p_habit <= settings.alpha_signal;
    let blatant = window.blatant_count >= limits.blatant[index]
        && window.blatant_share >= limits.blatant_share
        && (maturity < Maturity::Mature || (habit && unusual_share));
    if habit && maturity == Maturity::Mature && judgement.p_habit <= settings.alpha_finding {
        Some((Tier::Finding, false))
    } else if blatant {
        Some((Tier::Finding, true))
    } else {
        habit.then_some((Tier::Signal, false))
    }
}

fn hit(
    token: &Token,
    kind: FailureKind,
    index: usize,
    age: i64,
    window: &Window,
    (tier, blatant): (Tier, bool),
    settings: &DetectorSettings,
) -> Hit {
    let width_s = FAILURE_WIDTHS[index];
    let only_401 = token
        .parts
        .failures(kind)
        .is_some_and(Failures::is_only_401);
    let retry_loop = kind == FailureKind::Denied && only_401 && window.share >= ALL;
    let judgement = window.judgement;
    let above_floor = f64::from(judgement.count) / f64::from(settings.failure_scales[index].floor);
    let grave = if blatant {
        !window.single_cause
    } else {
        judgement.above_peak() >= MEDIUM_ABOVE_PEAK && above_floor >= MEDIUM_ABOVE_FLOOR
    };
    let severity = if tier == Tier::Finding && grave && !retry_loop {
        Severity::Medium
    } else {
        Severity::Low
    };
    let young = token.active_days < settings.mature_days;
    let evidence_db = match (retry_loop, blatant, young) {
        (true, _, _) => RETRY_DB,
        (_, true, true) => BLATANT_DB,
        (_, true, false) => habit_db(&judgement).max(BLATANT_DB),
        (_, false, true) => YOUNG_DB,
        (_, false, false) => habit_db(&judgement),
    };
    Hit {
        tier,
        severity,
        evidence_db,
        hard: false,
        size: f64::from(judgement.count) / f64::from(settings.failure_scales[index].floor),
        window_start: window_start(token.newest.as_secs(), width_s, age),
        quiet_s: QUIET_S.max(2 * width_s),
        confirm: true,
        story: Story {
            detector: Detector::FailureBurst,
            rank: 0,
            belonging: Belonging::Count {
                stream: kind.stream(),
                scale: index as u8,
                half: judgement.count / 2,
            },
            text: text(token, kind, window, width_s, retry_loop),
            figures: figures_of(
                &judgement,
                width_s,
                u32::from(token.active_days),
                if blatant {
                    "absolute: so many failed calls, and so large a share, need no baseline"
                } else {
                    "negative binomial against the expectation, and Student's t on log daily maxima"
                },
                format!(
                    "{} of its calls fail so",
                    wording::percent(window.usual_share)
                ),
            ),
        },
        bulk: None,
    }
}

fn text(
    token: &Token,
    kind: FailureKind,
    window: &Window,
    width_s: i64,
    retry_loop: bool,
) -> String {
    let observed = wording::count(f64::from(window.judgement.count));
    let span = wording::span(width_s);
    let unknown = token.active_days == 0;
    if retry_loop {
        let seen = if window.usual_share > 0.5 || unknown {
            "an unknown, expired or mistyped credential"
        } else {
            "an expired or revoked credential"
        };
        return format!(
            "{{name}} was refused with 401 {observed} times within {span} from {{since}}, and nothing \
             else came of its calls: it looks like {seen} that is retried (credential_expired_retry){{sources}}"
        );
    }
    let what = match kind {
        FailureKind::Denied => "was refused (401, 403)".to_owned(),
        FailureKind::NotFound => {
            format!(
                "asked for what does not exist (404) on at least {} paths,",
                window.distinct_paths
            )
        }
    };
    let usual = if unknown {
        "it is too new to have a habit".to_owned()
    } else {
        format!("usually {} fail", wording::percent(window.usual_share))
    };
    format!(
        "{{name}} {what} {observed} times within {span} from {{since}}, {} of its calls; {usual}{{sources}}",
        wording::percent(window.share),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looking_again_always_moves_on() {
        assert_eq!(look_again(3), 4);
        assert_eq!(look_again(100), 110);
        assert_eq!(look_again(u32::MAX), u32::MAX);
    }
}
