//! `data_volume_spike`: more bytes sent to this token than in its heaviest windows.
//!
//! Catches exfiltration at an unchanged number of calls, within ten minutes or trickling over a day. Misses what stays
//! below the floors, and gateways that do not log sizes. Its main false positive is a real export or backfill. Alone it is
//! low, as all volume. Bytes per token: 12 in the header, 80 more once an eighth of a floor was reached. Three keys as for
//! `rate_spike`; KiB instead of calls.

use tokenwatch_model::{AccessEvent, Detector, Severity};

use super::{habit_db, window_start};
use crate::calendar::DAY;
use crate::habit::{Judgement, VOLUME_WIDTHS, very_far_floor};
use crate::hit::{Belonging, Hit, QUIET_S, Story, Stream, Tier, figures_of};
use crate::settings::DetectorSettings;
use crate::token::{Fact, Maturity, Token};
use crate::volume::Volume;
use crate::wording;

/// Evidence of a habit that is not a week old.
const YOUNG_DB: f64 = 12.0;
/// Evidence of a spike that is high for its token, but does not matter by itself.
const SMALL_DB: f64 = 6.0;

/// Counts the bytes of the call; a hit if a window broke the habit.
pub(crate) fn observe(
    token: &mut Token,
    event: &AccessEvent<'_>,
    settings: &DetectorSettings,
) -> Option<Hit> {
    let bytes = event.http.bytes_out?;
    let newest = token.newest;
    // A habit of megabytes does not mind the rounding.
    let kib = u32::try_from((bytes + 512) / 1_024).unwrap_or(u32::MAX);
    let mut counted = false;
    if token.parts.volume().is_none() {
        let floors = settings.volume_floors();
        let same_day = event.ts.as_secs().div_euclid(DAY) == newest.as_secs().div_euclid(DAY);
        if !same_day || !token.small_volume.add(bytes, floors) {
            return None;
        }
        token
            .parts
            .begin_volume(Volume::begin(token.small_volume, newest, floors));
        counted = true;
    }
    let is_mature = token.maturity(settings) == Maturity::Mature;
    let mut strongest: Option<Hit> = None;
    for (index, width) in VOLUME_WIDTHS.into_iter().enumerate() {
        let age = newest.as_secs().div_euclid(width) - event.ts.as_secs().div_euclid(width);
        let scale = &mut token.parts.volume_mut()?.scales[index];
        let count = if counted {
            Some(scale.count(age))
        } else {
            scale.add_many(age, kib)
        };
        let Some(count) = count else {
            continue;
        };
        // Nothing trips below its floor; a mature token's trip count does not depend on when it is computed.
        if is_mature && count < very_far_floor(settings.volume_scales[index].floor) {
            continue;
        }
        if scale.is_stale() {
            arm(token, index, settings);
        }
        if token.parts.volume()?.scales[index].trips(count)
            && let Some(hit) = judge(token, index, age, settings)
            && strongest
                .as_ref()
                .is_none_or(|best| (hit.tier, hit.size) > (best.tier, best.size))
        {
            strongest = Some(hit);
        }
    }
    strongest
}

/// KiB in the newest window at `index`: what keeps an episode going.
pub(crate) fn heat(token: &Token, index: u8) -> Option<u32> {
    let volume = token.parts.volume()?;
    Some(volume.scales[usize::from(index)].count(0))
}

fn arm(token: &mut Token, index: usize, settings: &DetectorSettings) {
    let maturity = token.maturity(settings);
    let days = token.days();
    let Some(volume) = token.parts.volume_mut() else {
        return;
    };
    if maturity == Maturity::New {
        volume.scales[index].silence();
    } else {
        let basis = volume.basis(index, days);
        let spec = &settings.volume_scales[index];
        let trip = volume.scales[index].spike_count(spec, &basis, &settings.signal_quantiles);
        volume.scales[index].arm(trip);
    }
}

fn judge(token: &mut Token, index: usize, age: i64, settings: &DetectorSettings) -> Option<Hit> {
    let maturity = token.maturity(settings);
    let days = token.days();
    let volume = token.parts.volume_mut()?;
    let basis = volume.basis(index, days);
    let scale = &mut volume.scales[index];
    let count = scale.count(age);
    let judgement = scale.judge(&settings.volume_scales[index], &basis, count);
    if judgement.p_now > settings.alpha_now {
        scale.arm(count.saturating_add((count / 10).max(1)));
        return None;
    }
    let floor = settings.volume_scales[index].floor;
    let is_finding = judgement.is_finding(maturity, floor, settings.alpha_finding);
    if is_finding {
        scale.arm(count.saturating_mul(2));
        token.marks.set(Fact::SpikedToday, true);
    } else {
        scale.arm(count.saturating_add((count / 4).max(1)));
    }
    let tier = if is_finding {
        Tier::Finding
    } else {
        Tier::Signal
    };
    Some(hit(token, index, age, judgement, tier, settings))
}

fn hit(
    token: &Token,
    index: usize,
    age: i64,
    judgement: Judgement,
    tier: Tier,
    settings: &DetectorSettings,
) -> Hit {
    let width_s = VOLUME_WIDTHS[index];
    let window = wording::span(width_s);
    let young = token.active_days < settings.mature_days;
    let kib = |count: f64| wording::bytes(1_024.0 * count);
    Hit {
        tier,
        severity: Severity::Low,
        evidence_db: if judgement.count < settings.volume_scales[index].floor {
            SMALL_DB
        } else if young {
            YOUNG_DB
        } else {
            habit_db(&judgement)
        },
        hard: false,
        size: judgement.above_peak(),
        window_start: window_start(token.newest.as_secs(), width_s, age),
        quiet_s: QUIET_S.max(2 * width_s.min(DAY)),
        confirm: true,
        story: Story {
            detector: Detector::DataVolumeSpike,
            rank: 0,
            belonging: Belonging::Count {
                stream: Stream::BytesOut,
                scale: index as u8,
                half: judgement.count / 2,
            },
            text: format!(
                "{{name}} was sent {} within {window} from {{since}}; in its heaviest {window} of a usual day it is sent {}, \
                 and {} at most in 28 days{{sources}}",
                kib(f64::from(judgement.count)),
                kib(judgement.habitual_peak),
                kib(judgement.max_28d),
            ),
            figures: figures_of(
                &judgement,
                width_s,
                u32::from(token.active_days),
                "KiB sent: negative binomial against the expectation, and Student's t on log daily maxima",
                format!(
                    "{} in its heaviest window of a usual day",
                    kib(judgement.habitual_peak)
                ),
            ),
        },
        bulk: None,
    }
}
