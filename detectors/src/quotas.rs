//! How much of their quotas tokens have used, and when they will have used them up.
//!
//! Only tokens whose registration names a quota have an entry, of 80 bytes, beside their habits. The forecast is Holt's: a
//! level and a trend of calls per slot (a twenty-fourth of the period), the trend damped, so that a short burst is not taken
//! for a line that rises for ever (Gardner and `McKenzie`, Forecasting trends in time series, 1985).

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use tokenwatch_model::{Quota, QuotaPeriod, Timestamp, TokenId};

use crate::calendar::{DAY, HOUR, month_around};

/// Slots of a period.
const SLOTS: i64 = 24;
/// How much a new slot moves the level, and the level the trend.
const LEVEL_GAIN: f64 = 0.4;
const TREND_GAIN: f64 = 0.2;
/// What is left of the trend a slot later.
const DAMPING: f64 = 0.9;

/// The quotas in use.
#[derive(Debug, Default)]
pub(crate) struct Quotas {
    uses: HashMap<TokenId, QuotaUse, foldhash::fast::FixedState>,
}

/// One token's use of its quota.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct QuotaUse {
    quota_calls: u64,
    period_start_s: i64,
    period_end_s: i64,
    /// Calls of this period.
    pub(crate) used: u64,
    /// The slot of this period that the newest call lies in, and its calls.
    slot: u8,
    in_slot: u64,
    /// Calls a slot, over this period and those before.
    level: f64,
    trend: f64,
    slots_learned: u32,
    /// What was told of this period.
    pub(crate) told: Told,
}

/// How much of a period was told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Told {
    /// Nothing.
    #[default]
    Nothing,
    /// That it will be used up.
    Approach,
    /// That it is used up.
    UsedUp,
}

impl Quotas {
    /// Counts a call at `ts` and gives the use of the period; nothing for a call of another period than the token's newest.
    pub(crate) fn count(
        &mut self,
        id: TokenId,
        quota: Quota,
        ts: Timestamp,
    ) -> Option<&mut QuotaUse> {
        let (start_s, end_s) = period_around(quota.per, ts);
        let of_token = self.uses.entry(id).or_insert_with(|| {
            let mut first = QuotaUse::new(start_s, end_s);
            first.quota_calls = quota.calls;
            first
        });
        of_token
            .count(quota, start_s, end_s, ts)
            .then_some(of_token)
    }

    /// What a checkpoint holds of a token.
    pub(crate) fn get(&self, id: TokenId) -> Option<QuotaUse> {
        self.uses.get(&id).copied()
    }

    /// Goes on with what a checkpoint held.
    pub(crate) fn restore(&mut self, id: TokenId, known: QuotaUse) {
        self.uses.insert(id, known);
    }

    /// Forgets a token.
    pub(crate) fn forget(&mut self, id: TokenId) {
        self.uses.remove(&id);
    }

    /// Bytes, about.
    pub(crate) fn bytes(&self) -> usize {
        self.uses.capacity() * (size_of::<(TokenId, QuotaUse)>() + 1)
    }
}

impl QuotaUse {
    fn new(start_s: i64, end_s: i64) -> Self {
        Self {
            quota_calls: 0,
            period_start_s: start_s,
            period_end_s: end_s,
            used: 0,
            slot: 0,
            in_slot: 0,
            level: 0.0,
            trend: 0.0,
            slots_learned: 0,
            told: Told::Nothing,
        }
    }

    fn count(&mut self, quota: Quota, start_s: i64, end_s: i64, ts: Timestamp) -> bool {
        if start_s < self.period_start_s {
            return false;
        }
        if (start_s, end_s) != (self.period_start_s, self.period_end_s) {
            self.begin(start_s, end_s);
        }
        if self.quota_calls != quota.calls {
            self.quota_calls = quota.calls;
            self.told = Told::Nothing;
        }
        let slot = ((ts.as_secs() - start_s) * SLOTS / (end_s - start_s)) as u8;
        while self.slot < slot {
            self.end_slot();
        }
        self.used += 1;
        // A late call of an earlier slot counts for the quota, and not for the pace.
        self.in_slot += u64::from(slot == self.slot);
        true
    }

    /// A new period. The pace goes on, if the periods are equally long and follow each other.
    fn begin(&mut self, start_s: i64, end_s: i64) {
        let days = |from: i64, to: i64| (to - from) / DAY;
        let alike =
            days(self.period_start_s, self.period_end_s).abs_diff(days(start_s, end_s)) <= 3;
        if alike && start_s == self.period_end_s {
            while i64::from(self.slot) < SLOTS {
                self.end_slot();
            }
            *self = Self {
                quota_calls: self.quota_calls,
                level: self.level,
                trend: self.trend,
                slots_learned: self.slots_learned,
                ..Self::new(start_s, end_s)
            };
        } else {
            *self = Self {
                quota_calls: self.quota_calls,
                ..Self::new(start_s, end_s)
            };
        }
    }

    fn end_slot(&mut self) {
        let calls = std::mem::take(&mut self.in_slot) as f64;
        if self.slots_learned == 0 {
            self.level = calls;
        } else {
            let expected = self.level + DAMPING * self.trend;
            let level = LEVEL_GAIN * calls + (1.0 - LEVEL_GAIN) * expected;
            self.trend =
                TREND_GAIN * (level - self.level) + (1.0 - TREND_GAIN) * DAMPING * self.trend;
            self.level = level;
        }
        self.slots_learned = self.slots_learned.saturating_add(1);
        self.slot += 1;
    }

    /// Whether `share` of the quota is used.
    pub(crate) fn has_used(&self, share: f64) -> bool {
        self.used as f64 >= share * self.quota_calls as f64
    }

    /// When the period ends.
    pub(crate) fn renewed_at(&self) -> Timestamp {
        Timestamp::from_secs(self.period_end_s)
    }

    /// How long the period is, in seconds.
    pub(crate) fn period_s(&self) -> i64 {
        self.period_end_s - self.period_start_s
    }

    /// When the quota will be used up, as of `now`; `None` if it will last.
    pub(crate) fn forecast(&self, now: Timestamp) -> Option<Timestamp> {
        let left = self.quota_calls.saturating_sub(self.used) as f64;
        let slot_s = self.period_s() as f64 / SLOTS as f64;
        let passed_s = (now.as_secs() - self.period_start_s).max(1) as f64;
        // Before a slot is learned, the pace so far is all there is.
        let (level, mut trend) = match self.slots_learned {
            0 => (self.used as f64 / passed_s * slot_s, 0.0),
            _ => (self.level, self.trend),
        };
        let mut pace = level;
        let mut at_s = now.as_secs() as f64;
        let mut left = left;
        for slot in i64::from(self.slot)..SLOTS {
            trend *= DAMPING;
            pace = (pace + trend).max(0.0);
            let ends_s = self.period_start_s as f64 + slot_s * (slot + 1) as f64;
            let calls = pace * (ends_s - at_s) / slot_s;
            if calls >= left && calls > 0.0 {
                at_s += (ends_s - at_s) * left / calls;
                return Some(Timestamp::from_secs(at_s as i64));
            }
            left -= calls;
            at_s = ends_s;
        }
        None
    }
}

/// The first second of the period that `ts` lies in, and of the next.
fn period_around(per: QuotaPeriod, ts: Timestamp) -> (i64, i64) {
    let secs = ts.as_secs();
    let whole = |width: i64| {
        let start = secs.div_euclid(width) * width;
        (start, start + width)
    };
    match per {
        QuotaPeriod::Hour => whole(HOUR),
        QuotaPeriod::Day => whole(DAY),
        QuotaPeriod::Month => {
            let (first, next) = month_around(secs.div_euclid(DAY));
            (first * DAY, next * DAY)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Monday, 2026-11-02, 00:00 UTC.
    const MONDAY: i64 = 1_793_577_600;

    fn after(calls: u64, per: QuotaPeriod, times: impl Iterator<Item = i64>) -> QuotaUse {
        let mut quotas = Quotas::default();
        let quota = Quota { calls, per };
        for secs in times {
            quotas.count(TokenId::from_bits(1), quota, Timestamp::from_secs(secs));
        }
        quotas.get(TokenId::from_bits(1)).expect("counted")
    }

    #[test]
    fn a_steady_pace_is_used_up_when_arithmetic_says() {
        // 100 calls an hour of 1,800 a day: used up after 18 hours.
        let until = MONDAY + 12 * HOUR;
        let used = after(1_800, QuotaPeriod::Day, (MONDAY..until).step_by(36));
        assert_eq!(used.used, 1_200);
        let at = used.forecast(Timestamp::from_secs(until)).expect("used up");
        let error_s = at.as_secs() - (MONDAY + 18 * HOUR);
        assert!(error_s.abs() <= HOUR / 6, "{error_s}");
    }

    #[test]
    fn a_quota_that_lasts_has_no_forecast() {
        let until = MONDAY + 12 * HOUR;
        let used = after(2_500, QuotaPeriod::Day, (MONDAY..until).step_by(36));
        assert_eq!(used.forecast(Timestamp::from_secs(until)), None);
    }

    #[test]
    fn a_growing_pace_is_used_up_earlier_than_the_average_says() {
        let times = (0..12).flat_map(|hour| {
            let calls = 20 * (hour + 1);
            (0..calls).map(move |n| MONDAY + hour * HOUR + n * HOUR / calls)
        });
        let used = after(3_000, QuotaPeriod::Day, times);
        let now = MONDAY + 12 * HOUR;
        let at = used.forecast(Timestamp::from_secs(now)).expect("used up");
        // 1,560 in 12 h: at the average pace, 11 h more; growing as it does, about 5.
        assert!(at.as_secs() - now < 8 * HOUR, "{}", at.as_secs() - now);
    }

    #[test]
    fn a_new_period_begins_at_nothing_and_late_calls_of_the_last_do_not_count() {
        let times = [MONDAY + 10, MONDAY + 20, MONDAY + DAY, MONDAY + 30];
        let used = after(10, QuotaPeriod::Day, times.into_iter());
        assert_eq!(used.used, 1);
        assert_eq!(used.renewed_at(), Timestamp::from_secs(MONDAY + 2 * DAY));
    }

    #[test]
    fn months_are_those_of_the_calendar() {
        let used = after(10, QuotaPeriod::Month, [MONDAY].into_iter());
        assert_eq!(used.renewed_at().to_string(), "2026-12-01T00:00:00.000Z");
        assert_eq!(used.period_s(), 30 * DAY);
    }
}
