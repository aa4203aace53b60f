//! The state of one token: header, the day's count, places, and boxed parts that exist once they are needed.
//!
//! Most tokens are quiet and stay at the header (168 bytes). One that made [`PROMOTION_CALLS`] calls in a day gets the
//! rate habit, one that fails gets the failure streams. Nothing here depends on any other token, nor on batches.

use serde::{Deserialize, Serialize};
use tokenwatch_model::{AccessEvent, Timestamp, TokenId, TokenProfile};

use crate::calendar::{DAY, day_of, hour_of};
use crate::commons::{Commons, Groups, Mark};
use crate::detect::slow_drift;
use crate::habit::{Basis, DAY_DISCOUNT, Fold, Habit, RATE_WIDTHS};
use crate::log_count::Fixed;
use crate::parts::Parts;
use crate::rate::RateHabit;
use crate::scope::Scope;
use crate::settings::DetectorSettings;
use crate::sources::Homes;
use crate::volume::SmallVolume;
use crate::whereabouts::{Visit, Whereabouts};

/// Calls in one day from which a token has a rate habit. Fewer can break none: the floors begin here.
const PROMOTION_CALLS: u32 = 20;
/// And in one half-minute: a token that never was busy may begin so.
const PROMOTION_BURST: u32 = 8;
/// Discounted days learned before a habit may signal: two.
const YOUNG_DAYS: f64 = 1.9;
/// After a longer silence, only the 28-day maxima go on ageing.
const MAX_IDLE_FOLDS: i64 = 7;
/// Days that a roll looks at one by one: five weeks clear every maximum.
const MAX_ROLLED_DAYS: i64 = 35;

/// What one day adds to the sum of drifts at most, in spreads: a spike is no drift.
const MAX_DRIFT: f64 = 3.0;

/// One token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Token {
    /// In halves, which align to 8 bytes instead of 16.
    #[serde(skip)]
    id: [u64; 2],
    #[serde(with = "micros")]
    pub(crate) newest: Timestamp,
    first_seen_s: u32,
    pub(crate) calls: u32,
    /// Whole days with at least one call.
    pub(crate) active_days: u16,
    pub(crate) marks: Marks,
    /// Discounted days learned.
    days: Fixed<1_024>,
    pub(crate) whereabouts: Whereabouts,
    pub(crate) day: Habit,
    pub(crate) rate: Option<Box<RateHabit>>,
    pub(crate) parts: Parts,
    pub(crate) mark: Mark,
    /// The networks that it was last accepted from.
    pub(crate) homes: Homes,
    pub(crate) scope: Scope,
    pub(crate) small_volume: SmallVolume,
    /// The longest silence so far.
    pub(crate) longest_silence_days: u8,
}

/// Facts about a token that the hot path asks for, by their bits.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(from = "u8", into = "u8")]
pub(crate) struct Marks(u8);

/// Facts of a token's day and life, by their bits.
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
pub(crate) enum Fact {
    /// Its rate broke the habit today.
    SpikedToday = 1,
    /// And yesterday.
    SpikedYesterday = 1 << 1,
    /// It changed since the last checkpoint; not part of the state.
    Changed = 1 << 2,
    /// A token in a URL was told today.
    ToldTokenInUrl = 1 << 3,
    /// It once had a call with a token in the URL.
    HadTokenInUrl = 1 << 4,
    /// It once had a call without TLS.
    HadInsecureTransport = 1 << 5,
    /// A call without TLS was told today.
    ToldInsecureTransport = 1 << 6,
    /// There is evidence against it.
    HasCase = 1 << 7,
}

impl Marks {
    /// Whether a fact holds.
    pub(crate) const fn is(self, fact: Fact) -> bool {
        self.0 & fact as u8 != 0
    }

    /// Says whether it holds from now on.
    pub(crate) const fn set(&mut self, fact: Fact, holds: bool) {
        if holds {
            self.0 |= fact as u8;
        } else {
            self.0 &= !(fact as u8);
        }
    }
}

impl From<u8> for Marks {
    fn from(facts: u8) -> Self {
        Self(facts)
    }
}

impl From<Marks> for u8 {
    fn from(mut marks: Marks) -> Self {
        marks.set(Fact::Changed, false);
        marks.0
    }
}

/// A day that ends, as the streams of a token see it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DayEnd {
    /// The day before it, which is learned now, if the token was there.
    pub(crate) folded: Option<i64>,
    /// Discounted days learned before.
    pub(crate) days: f64,
    /// Whether that day may shape means: not the eighth of a silence.
    pub(crate) learn: bool,
}

impl DayEnd {
    /// The fold for a stream, which leaves out the days of which it says so.
    pub(crate) fn fold(&self, since: i64, tainted: bool) -> Option<Fold> {
        self.folded.filter(|day| *day >= since).map(|day| Fold {
            day,
            days: self.days,
            learn: self.learn && !tainted,
        })
    }
}

impl Token {
    /// A token at its first event.
    pub(crate) fn new(id: TokenId, first_seen: Timestamp) -> Self {
        Self {
            id: halves(id),
            newest: first_seen,
            first_seen_s: u32::try_from(first_seen.as_secs()).unwrap_or(0),
            calls: 0,
            active_days: 0,
            marks: Marks::default(),
            days: Fixed::default(),
            whereabouts: Whereabouts::default(),
            day: Habit::default(),
            rate: None,
            parts: Parts::default(),
            mark: Mark::default(),
            homes: Homes::default(),
            scope: Scope::default(),
            small_volume: SmallVolume::default(),
            longest_silence_days: 0,
        }
    }

    /// Its id.
    pub(crate) fn id(&self) -> TokenId {
        TokenId::from_bits(u128::from(self.id[0]) << 64 | u128::from(self.id[1]))
    }

    /// Names a restored token, whose bytes do not hold its id.
    pub(crate) fn set_id(&mut self, id: TokenId) {
        self.id = halves(id);
    }

    /// Discounted days learned.
    pub(crate) fn days(&self) -> f64 {
        self.days.value()
    }

    /// When it was first seen, to the second.
    pub(crate) fn first_seen(&self) -> Timestamp {
        Timestamp::from_secs(i64::from(self.first_seen_s))
    }

    /// Moves the token's own time to `ts`; an earlier one changes nothing.
    pub(crate) fn advance(&mut self, ts: Timestamp, settings: &DetectorSettings) {
        if ts <= self.newest {
            return;
        }
        let from = std::mem::replace(&mut self.newest, ts);
        if from.as_secs().div_euclid(10) == ts.as_secs().div_euclid(10) {
            return;
        }
        let day = day_of(from);
        if let Some(rate) = &mut self.rate {
            rate.advance(from, ts, day);
        }
        match self.parts.volume_mut() {
            Some(volume) => volume.advance(from, ts, day),
            None => self.small_volume.advance(from, ts),
        }
        for failures in self.parts.all_failures_mut() {
            failures.advance(from, ts, day);
        }
        if let Some(distinct) = self.parts.distinct_mut() {
            distinct.advance(from, ts, day);
        }
        let last = day_of(ts);
        if last > day {
            self.roll_days(day, last, settings);
        }
        if hour_of(ts) != hour_of(from) {
            let level = self.hourly_level();
            if let Some(rate) = &mut self.rate {
                rate.begin_hour(hour_of(from), hour_of(ts), level);
            }
        }
    }

    fn roll_days(&mut self, from: i64, to: i64, settings: &DetectorSettings) {
        let first = day_of(self.first_seen());
        let start = from.max(to - MAX_ROLLED_DAYS);
        for ended in start..to {
            if self.day.count(0) > 0 {
                self.active_days = self.active_days.saturating_add(1);
            }
            let folded = Some(ended - 1).filter(|day| *day >= first);
            let end = DayEnd {
                folded,
                days: self.days(),
                learn: ended - from <= MAX_IDLE_FOLDS,
            };
            // A day that broke the habit is learned only if the next one did, too: then it is the new habit.
            let tainted = self.marks.is(Fact::SpikedYesterday) && !self.marks.is(Fact::SpikedToday);
            let level = self.hourly_level();
            if let Some(rate) = &mut self.rate {
                rate.end_day(&end, tainted, settings);
                if let Some(fold) = end.fold(i64::from(rate.since_day), tainted)
                    && level > 0.0
                {
                    let expected = rate.slots.expected_day(fold.day, level);
                    let count = f64::from(self.day.count(1));
                    self.day.learn_day_dispersion(count, expected, fold.days);
                }
            }
            self.add_drift(&end, settings);
            if let Some(volume) = self.parts.volume_mut() {
                volume.end_day(&end, tainted, settings);
            }
            let whole_day = &settings.rate_scales[4];
            self.day.end_whole_day(whole_day, end.fold(first, tainted));
            for failures in self.parts.all_failures_mut() {
                failures.end_day(&end, settings);
            }
            if folded.is_some() && end.learn {
                self.days = Fixed::of(self.days() * DAY_DISCOUNT + 1.0);
            }
            self.whereabouts.end_day();
            if let Some(distinct) = self.parts.distinct_mut() {
                distinct.end_day(&end, settings);
            }
            self.parts.forget_idle(self.newest);
            self.scope.end_day();
            let spiked = self.marks.is(Fact::SpikedToday);
            self.marks.set(Fact::SpikedYesterday, spiked);
            self.marks.set(Fact::SpikedToday, false);
            self.marks.set(Fact::ToldTokenInUrl, false);
            self.marks.set(Fact::ToldInsecureTransport, false);
        }
    }

    /// Adds the day that is learned now to the cumulative sum of drifts.
    fn add_drift(&mut self, end: &DayEnd, settings: &DetectorSettings) {
        let level = self.hourly_level();
        let (Some(rate), Some(day)) = (&mut self.rate, end.folded) else {
            return;
        };
        if day <= i64::from(rate.since_day) {
            return;
        }
        let expected = rate.slots.expected_day(day, level);
        let count = f64::from(self.day.count(1));
        let spec = &settings.rate_scales[4];
        let above = self
            .day
            .standardised(spec, count, expected, self.days.value());
        let sum = rate.drift.value() + above.min(MAX_DRIFT) - slow_drift::ALLOWANCE;
        rate.drift = Fixed::of(sum);
    }

    /// Begins the half-minute `window`, after `before`. What it did in the one before that is known to be its own doing or the fleet's
    /// by now: in the latter case it is taken out of every count again.
    pub(crate) fn begin_window(
        &mut self,
        before: u32,
        window: u32,
        groups: Groups,
        commons: &Commons,
        settings: &DetectorSettings,
    ) {
        let newest = self.newest;
        let ended = self.mark.begin(window.saturating_sub(before));
        if let Some(rate) = &mut self.rate
            && let Some((before, excess)) = rate.end_window(before, ended)
            && commons.surges_in(groups, before, &settings.fleet)
        {
            rate.excise(newest, before, excess);
            self.day.excise(age_in(newest, before, DAY), excess);
            self.marks.set(Fact::SpikedToday, true);
        }
        for failures in self.parts.all_failures_mut() {
            if let Some((before, count)) = failures.end_window(window)
                && commons.fails_in(groups, before, &settings.fleet)
            {
                failures.excise(newest, before, count);
            }
        }
    }

    /// Whether much of what it does fails on usual days, so that it says nothing about the fleet.
    pub(crate) fn fails_habitually(&self) -> bool {
        const MUCH: f64 = 0.15;
        self.parts
            .all_failures()
            .any(|failures| failures.usual_share() >= MUCH)
    }

    /// Notes where a call comes from and with which client; `None` if its credential was not accepted.
    pub(crate) fn visit(&mut self, event: &AccessEvent<'_>) -> Option<Visit> {
        let first_seen = self.first_seen();
        self.whereabouts.visit(&mut self.parts, event, first_seen)
    }

    /// Counts a call at `ts`; the counts of its windows go to the rate habit, which may not exist yet.
    pub(crate) fn count_call(&mut self, ts: Timestamp) {
        self.calls = self.calls.saturating_add(1);
        let today = self.day.add(day_of(self.newest) - day_of(ts));
        let burst = u32::from(self.mark.calls);
        let promoted = today.is_some_and(|calls| calls >= PROMOTION_CALLS);
        if self.rate.is_none() && (promoted || burst >= PROMOTION_BURST) {
            let level = self.hourly_level();
            let hour = hour_of(self.newest);
            let since = day_of(self.newest);
            let mut rate = RateHabit::seeded(&self.day, hour, since, level);
            rate.count_before(burst.saturating_sub(1));
            self.rate = Some(Box::new(rate));
        }
    }

    /// Calls per hour, on average over a usual day.
    pub(crate) fn hourly_level(&self) -> f64 {
        self.day.mean_peak() / 24.0
    }

    /// What the habits of the rate rest on for a window of `width_s` seconds.
    pub(crate) fn rate_basis(&self, width_s: i64) -> Basis {
        let width = width_s as f64;
        let expected = match &self.rate {
            Some(rate) if width_s == DAY => rate
                .slots
                .expected_day(day_of(self.newest), self.hourly_level()),
            Some(rate) => f64::from(rate.expected_hour) * width / 3_600.0,
            None => self.hourly_level() * width / 3_600.0,
        };
        Basis {
            expected,
            typical: self.hourly_level() * width / 3_600.0,
            days: self.days(),
        }
    }

    /// The largest windows of the day before, if the token has a habit that others may be measured by.
    pub(crate) fn yesterdays_peaks(
        &self,
        settings: &DetectorSettings,
    ) -> Option<[f64; RATE_WIDTHS.len()]> {
        let rate = self.rate.as_ref()?;
        let mature =
            self.active_days >= settings.mature_days && !self.marks.is(Fact::SpikedYesterday);
        let count = self.day.count(1);
        (mature && count > 0).then(|| {
            std::array::from_fn(|index| match rate.scales.get(index) {
                Some(scale) => scale.yesterdays_peak(),
                None => f64::from(count),
            })
        })
    }

    /// How much a habit may say.
    pub(crate) fn maturity(&self, settings: &DetectorSettings) -> Maturity {
        if self.active_days >= settings.mature_days {
            Maturity::Mature
        } else if self.days() >= YOUNG_DAYS && self.calls >= settings.min_calls {
            Maturity::Young
        } else {
            Maturity::New
        }
    }

    /// Reads a little of each line of memory that the header takes, which brings it into the cache.
    pub(crate) fn read_header(&self) -> u64 {
        u64::from(self.calls)
            ^ u64::from(self.day.count(0))
            ^ u64::from(self.longest_silence_days)
            ^ u64::from(self.mark.calls)
            ^ u64::from(self.active_days)
    }

    /// The same for the parts outside of it, most of which the next call will need.
    pub(crate) fn read_parts(&self) -> u64 {
        self.rate.as_ref().map_or(0, |rate| rate.read()) ^ self.parts.read()
    }

    /// Bytes of this token, boxed parts included, the allocator's overhead of 8 bytes a box too; a contest for it excepted.
    pub(crate) fn bytes(&self) -> usize {
        let boxed = |bytes: usize| bytes + 8;
        size_of::<Self>()
            + self
                .rate
                .as_ref()
                .map_or(0, |_| boxed(size_of::<RateHabit>()))
            + self.parts.heap_bytes()
    }

    /// The readable baseline.
    pub(crate) fn profile(&self, settings: &DetectorSettings) -> TokenProfile {
        crate::profile::of(self, settings)
    }
}

/// How much the habit of a token may say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Maturity {
    /// Nothing.
    New,
    /// Signals.
    Young,
    /// Everything.
    Mature,
}

/// How many windows of `width_s` lie between the half-minute `window` and `newest`.
pub(crate) fn age_in(newest: Timestamp, window: u32, width_s: i64) -> i64 {
    let at = i64::from(window) * crate::commons::WINDOW_S;
    newest.as_secs().div_euclid(width_s) - at.div_euclid(width_s)
}

const fn halves(id: TokenId) -> [u64; 2] {
    [(id.bits() >> 64) as u64, id.bits() as u64]
}

/// Times in the state are whole numbers, not text.
pub(crate) mod micros {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use tokenwatch_model::Timestamp;

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde hands over a reference"
    )]
    pub(crate) fn serialize<S: Serializer>(time: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
        time.as_micros().serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
        i64::deserialize(from).map(Timestamp::from_micros)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_small() {
        assert!(size_of::<Token>() <= 168, "{}", size_of::<Token>());
    }
}
