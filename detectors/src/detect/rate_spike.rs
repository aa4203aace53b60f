//! `rate_spike`: more calls than this token makes at its busiest.
//!
//! Catches a key used in bulk, in any of five windows. Misses what stays within the token's own daily peaks. Its main
//! false positive is a real change: a deployment, a backfill, a new batch job. Volume alone is low: it needs
//! other evidence to become a ticket.
//! Bytes per token: 22 in the header, 288 once it has made 20 calls in a day.

use tokenwatch_model::{Detector, Severity, Timestamp};

use super::{habit_db, window_start};
use crate::calendar::DAY;
use crate::commons::Caps;
use crate::failures::FailureKind;
use crate::habit::{Habit, Judgement, RATE_WIDTHS, Scale, ScaleSpec};
use crate::hit::{Belonging, Hit, QUIET_S, Story, Stream, Tier, figures_of};
use crate::log_count::LogCount;
use crate::settings::DetectorSettings;
use crate::token::{Fact, Maturity, Token};
use crate::wording;

/// Evidence of a habit that is not a week old.
const YOUNG_DB: f64 = 12.0;
/// Evidence of a spike that is high for its token, but does not matter by itself.
const SMALL_DB: f64 = 6.0;
/// A token without a habit is told from so many times the most that its peers do.
const ABOVE_PEERS: f64 = 1.5;
/// Share of refused calls from which on a window is retries.
const RETRIED_SHARE: f64 = 0.9;
/// Discounted days after which even the silence of a token is a habit.
const QUIET_DAYS: f64 = 6.0;
/// Index of the day among the windows.
const WHOLE_DAY: usize = 4;
/// Fewer calls say nothing, however far above every window they are; so many, very far above, are a signal.
const LEAST_CALLS: u32 = 8;

/// Counts a call at `ts` in every window; a hit if one broke the habit. `caps` is the most that its peers do, by which a
/// token without a mature habit is measured.
pub(crate) fn observe(
    token: &mut Token,
    ts: Timestamp,
    caps: &dyn Fn() -> Option<Caps>,
    settings: &DetectorSettings,
) -> Option<Hit> {
    token.count_call(ts);
    let newest = token.newest.as_secs();
    let mut strongest: Option<Hit> = None;
    // Of a token that hardly calls, only the days are counted.
    let first = if token.rate.is_some() { 0 } else { WHOLE_DAY };
    for (index, width) in RATE_WIDTHS.into_iter().enumerate().skip(first) {
        let age = newest.div_euclid(width) - ts.as_secs().div_euclid(width);
        let scale = scale_mut(token, index)?;
        let count = if index == WHOLE_DAY {
            Some(scale.count(age))
        } else {
            scale.add(age)
        };
        let Some(count) = count else {
            continue;
        };
        // Nothing trips below its floor, and nothing that a trip count rests on changes within an hour.
        if count < least_floor(index, settings) {
            continue;
        }
        if scale.is_stale() {
            arm(token, index, caps, settings);
        }
        if scale_mut(token, index)?.trips(count) {
            let hit = judge(token, index, count, age, caps, settings);
            if let Some(hit) = hit
                && strongest
                    .as_ref()
                    .is_none_or(|best| (hit.tier, hit.size) > (best.tier, best.size))
            {
                strongest = Some(hit);
            }
        }
    }
    strongest
}

/// The count in the newest window at `index`: what keeps an episode going.
pub(crate) fn heat(token: &Token, index: u8) -> u32 {
    match &token.rate {
        Some(rate) if usize::from(index) < WHOLE_DAY => rate.scales[usize::from(index)].count(0),
        _ => token.day.count(0),
    }
}

fn scale_mut(token: &mut Token, index: usize) -> Option<&mut Habit> {
    if index == WHOLE_DAY {
        return Some(&mut token.day);
    }
    token
        .rate
        .as_mut()
        .map(|rate| rate.scales[index].habit_mut())
}

/// The largest window of the day before, where the habit has not learned it yet.
fn recent(token: &Token, index: usize) -> LogCount {
    let scale = token.rate.as_ref().and_then(|rate| rate.scales.get(index));
    scale.map_or_else(LogCount::default, Scale::recent)
}

/// How much the habit of calls may say: that a token hardly calls at all is known after a week, however few its calls.
fn maturity_of(token: &Token, settings: &DetectorSettings) -> Maturity {
    match token.maturity(settings) {
        Maturity::New if token.days() >= QUIET_DAYS => Maturity::Young,
        maturity => maturity,
    }
}

fn arm(
    token: &mut Token,
    index: usize,
    caps: &dyn Fn() -> Option<Caps>,
    settings: &DetectorSettings,
) {
    let maturity = maturity_of(token, settings);
    let basis = token.rate_basis(RATE_WIDTHS[index]);
    let spec = &settings.rate_scales[index];
    let recent = recent(token, index);
    let Some(scale) = scale_mut(token, index) else {
        return;
    };
    if maturity == Maturity::New {
        scale.silence();
    } else {
        let table = &settings.signal_quantiles;
        let trip = scale.spike_count(recent, spec, &basis, table, far_floor(settings));
        let small = least_floor(index, settings);
        let very_far = scale.very_far_count(recent, spec, &basis, small);
        scale.arm(trip.min(very_far));
    }
    if maturity < Maturity::Mature
        && let Some(cap) = caps().map(|caps| above_peers(caps[index], spec))
    {
        scale.arm_at_most(cap);
    }
}

/// What matters within an hour matters within a day, if it is far above every day.
pub(crate) fn far_floor(settings: &DetectorSettings) -> u32 {
    settings.rate_scales[WHOLE_DAY - 1].floor
}

/// The smallest count that can be a hit.
fn least_floor(index: usize, settings: &DetectorSettings) -> u32 {
    LEAST_CALLS.min(settings.rate_scales[index].floor)
}

/// From what on a token does more than its peers ever do.
fn above_peers(cap: u32, spec: &ScaleSpec) -> u32 {
    let above = f64::from(cap) * ABOVE_PEERS;
    (above as u32).saturating_add(1).max(spec.floor)
}

/// Judges a count that tripped, and sets the count at which to look again.
fn judge(
    token: &mut Token,
    index: usize,
    count: u32,
    age: i64,
    caps: &dyn Fn() -> Option<Caps>,
    settings: &DetectorSettings,
) -> Option<Hit> {
    let maturity = maturity_of(token, settings);
    let basis = token.rate_basis(RATE_WIDTHS[index]);
    let spec = &settings.rate_scales[index];
    let cap = if maturity < Maturity::Mature {
        caps().map(|caps| caps[index])
    } else {
        None
    };
    let recent = recent(token, index);
    let scale = scale_mut(token, index)?;
    let judgement = scale.judge(recent, spec, &basis, count);
    if let Some(cap) = cap.filter(|cap| count >= above_peers(*cap, spec)) {
        scale.arm(count.saturating_mul(2));
        return Some(hit(
            token,
            index,
            judgement,
            age,
            Verdict::AbovePeers(cap),
            settings,
        ));
    }
    if judgement.p_now > settings.alpha_now || maturity == Maturity::New {
        scale.arm(count.saturating_add((count / 10).max(1)));
        return None;
    }
    let floor = spec.floor.min(far_floor(settings));
    let is_finding = judgement.is_finding(maturity, floor, settings.alpha_finding);
    let verdict = if is_finding {
        scale.arm(count.saturating_mul(2));
        token.marks.set(Fact::SpikedToday, true);
        Verdict::Finding
    } else {
        let finding = if maturity == Maturity::Mature {
            let table = &settings.finding_quantiles;
            scale.spike_count(recent, spec, &basis, table, far_floor(settings))
        } else {
            scale.very_far_count(recent, spec, &basis, floor)
        };
        scale.arm(next_look(finding, count));
        Verdict::Signal
    };
    Some(hit(token, index, judgement, age, verdict, settings))
}

/// What became of a count.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// Unusual.
    Signal,
    /// Unheard of.
    Finding,
    /// Of a token without a habit, and more than this, which its peers do not exceed on one day in a thousand.
    AbovePeers(u32),
}

/// Whether the window holds hardly anything but calls refused with 401: a dead credential that is retried, of which
/// `failure_burst` tells.
fn is_retried(token: &Token, index: usize, age: i64, count: u32) -> bool {
    let Some(failures) = token.parts.failures(FailureKind::Denied) else {
        return false;
    };
    // Failures are counted in the same windows from the minute on.
    let refused = index
        .checked_sub(1)
        .map_or(0, |index| failures.scales[index].count(age));
    failures.is_only_401() && f64::from(refused) >= RETRIED_SHARE * f64::from(count)
}

/// After a signal: the count that makes a finding, or twice this one.
fn next_look(finding: u32, count: u32) -> u32 {
    finding.clamp(
        count.saturating_add(1),
        count.saturating_mul(2).max(count.saturating_add(1)),
    )
}

fn hit(
    token: &Token,
    index: usize,
    judgement: Judgement,
    age: i64,
    verdict: Verdict,
    settings: &DetectorSettings,
) -> Hit {
    let width_s = RATE_WIDTHS[index];
    let above_peak = judgement.above_peak();
    let young = token.active_days < settings.mature_days;
    let retried = is_retried(token, index, age, judgement.count);
    Hit {
        tier: if verdict == Verdict::Signal || retried {
            Tier::Signal
        } else {
            Tier::Finding
        },
        severity: Severity::Low,
        evidence_db: if retried {
            0.0
        } else if judgement.count < settings.rate_scales[index].floor.min(far_floor(settings)) {
            SMALL_DB
        } else if young {
            YOUNG_DB
        } else {
            habit_db(&judgement)
        },
        hard: false,
        size: above_peak,
        window_start: window_start(token.newest.as_secs(), width_s, age),
        quiet_s: QUIET_S.max(2 * width_s.min(DAY)),
        confirm: true,
        story: Story {
            detector: Detector::RateSpike,
            rank: 0,
            belonging: Belonging::Count {
                stream: Stream::Calls,
                scale: index as u8,
                half: judgement.count / 2,
            },
            text: text(&judgement, &wording::span(width_s), verdict),
            figures: figures_of(
                &judgement,
                width_s,
                u32::from(token.active_days),
                "negative binomial against the hour's expectation, and Student's t on log daily maxima",
                format!(
                    "about {} calls in such a window at this time, {} at its busiest on a usual day",
                    wording::count(judgement.expected),
                    wording::count(judgement.habitual_peak),
                ),
            ),
        },
        bulk: None,
    }
}

fn text(judgement: &Judgement, window: &str, verdict: Verdict) -> String {
    if let Verdict::AbovePeers(cap) = verdict {
        return format!(
            "{{name}} made {} calls within {window} from {{since}}; it has no habit yet, and of tokens of the same client \
             999 in 1,000 make at most {} in their busiest {window} of a day{{sources}}",
            wording::count(f64::from(judgement.count)),
            wording::count(f64::from(cap)),
        );
    }
    format!(
        "{{name}} made {} calls within {window} from {{since}}; it usually makes about {} then, {} in its busiest {window} \
         of a day, and {} at most in 28 days{{sources}}",
        wording::count(f64::from(judgement.count)),
        wording::count(judgement.expected),
        wording::count(judgement.habitual_peak),
        wording::count(judgement.max_28d),
    )
}
