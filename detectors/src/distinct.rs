//! How many different endpoints and objects a token calls in an hour, and how many paths fail it.
//!
//! Counted by linear counting: each hash sets a bit, and the share of bits that are still clear tells how many different
//! ones there were (Whang et al., TODS 1990: within 4 % at 200 for 512 bits). The counts are streams of the habit engine.
//! Exists from a token's first busy hour on, until four weeks were quiet: 152 bytes.

mod steps;
mod sweep;

use serde::{Deserialize, Serialize};
use tokenwatch_model::Timestamp;

use crate::calendar::{HOUR, day_of};
use crate::habit::{Basis, Scale};
use crate::log_count::LogCount;
use crate::settings::DetectorSettings;
use crate::token::DayEnd;

pub(crate) use steps::Steps;
pub(crate) use sweep::{SWEEP_S, Sweep, discovery_of};

/// Fewer different things in every hour of four weeks are no reason to go on counting.
const IDLE_BELOW: f64 = 15.0;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Counted {
    /// Endpoints: methods and templates.
    Endpoints = 0,
    /// Objects: the ids in paths.
    Objects = 1,
}

impl Counted {
    /// In words, for a count other than one.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Endpoints => "different endpoints",
            Self::Objects => "different objects",
        }
    }
}

/// Boxed part of a token that had a busy hour.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Distinct {
    pub(crate) scales: [Scale; 2],
    objects: Bits<8>,
    endpoints: Bits<2>,
    /// Paths that were not found or forbidden.
    failing: Bits<1>,
    /// Calls of the hour, of the newest some hundred of them; the failed ones; those to endpoints that the token does not use.
    calls: u8,
    failed: u8,
    foreign: u8,
    /// Steps to objects that are new in this hour, of the newest some hundred, and the short ones among them.
    steps: u8,
    short_steps: u8,
    /// The largest count of the hour that was told.
    told: LogCount,
    since_day: u16,
}

impl Distinct {
    /// Begins at `newest` for a token that makes up to `usual_peak` calls in its busiest hour of a day: it cannot have
    /// called more endpoints or objects than that.
    pub(crate) fn begin(newest: Timestamp, usual_peak: f64) -> Self {
        Self {
            scales: std::array::from_fn(|_| Scale::below(usual_peak)),
            since_day: u16::try_from(day_of(newest).max(0)).unwrap_or(u16::MAX),
            ..Self::default()
        }
    }

    /// Moves the hour on. `day` is that of `from`.
    pub(crate) fn advance(&mut self, from: Timestamp, to: Timestamp, day: i64) {
        let first = from.as_secs().div_euclid(HOUR);
        let last = to.as_secs().div_euclid(HOUR);
        if first == last {
            return;
        }
        for scale in &mut self.scales {
            let expected = scale.mean_peak();
            scale.advance(first, last, HOUR, day, expected);
        }
        self.objects = Bits::default();
        self.endpoints = Bits::default();
        self.failing = Bits::default();
        (self.calls, self.failed, self.foreign) = (0, 0, 0);
        (self.steps, self.short_steps, self.told) = (0, 0, LogCount::default());
    }

    /// Reads a little of each of its lines of memory.
    pub(crate) fn read(&self) -> u64 {
        self.objects.0[0]
            ^ self.failing.0[0]
            ^ u64::from(self.scales[0].count(0))
            ^ u64::from(self.since_day)
    }

    /// Ends a day.
    pub(crate) fn end_day(&mut self, end: &DayEnd, settings: &DetectorSettings) {
        let fold = end.fold(i64::from(self.since_day), false);
        for (scale, spec) in self.scales.iter_mut().zip(&settings.enumeration_scales) {
            scale.end_day(spec, fold);
        }
    }

    /// Counts a call of the newest hour.
    pub(crate) fn count_call(&mut self) {
        if self.calls == u8::MAX {
            self.calls /= 2;
            self.failed /= 2;
            self.foreign /= 2;
        }
        self.calls += 1;
    }

    /// Notes something that was called in the newest hour; its count, if it is another one than before.
    pub(crate) fn note(&mut self, counted: Counted, hash: u64) -> Option<u32> {
        let different = match counted {
            Counted::Endpoints => self.endpoints.insert(hash),
            Counted::Objects => self.objects.insert(hash),
        }?;
        Some(self.scales[counted as usize].raise(different))
    }

    /// Notes a step to an object that is new in this hour.
    pub(crate) fn note_step(&mut self, is_short: bool) {
        if self.steps == u8::MAX {
            self.steps /= 2;
            self.short_steps /= 2;
        }
        self.steps += 1;
        self.short_steps += u8::from(is_short);
    }

    /// How many such steps there were this hour, and the share of short ones.
    pub(crate) fn steps(&self) -> (u32, f64) {
        let steps = u32::from(self.steps);
        (steps, f64::from(self.short_steps) / f64::from(steps.max(1)))
    }

    /// Notes a path that was not found or forbidden in the newest hour, of an endpoint that the token uses or not; how many
    /// different ones there are now.
    pub(crate) fn note_failing(&mut self, hash: u64, is_foreign: bool) -> Option<u32> {
        self.failed = self.failed.saturating_add(1);
        self.foreign = self.foreign.saturating_add(u8::from(is_foreign));
        self.failing.insert(hash)
    }

    /// The count of the newest hour.
    pub(crate) fn count(&self, counted: Counted) -> u32 {
        self.scales[counted as usize].count(0)
    }

    /// Whether `count` is so much more than was told this hour that it is told again.
    pub(crate) fn tell(&mut self, count: u32) -> bool {
        let grown = f64::from(count) >= 2.0 * self.told.count();
        if grown {
            self.told = LogCount::of(f64::from(count));
        }
        grown
    }

    /// Share of the hour's calls that were not found or forbidden.
    pub(crate) fn failed_share(&self) -> f64 {
        f64::from(self.failed) / f64::from(self.calls.max(self.failed).max(1))
    }

    /// Share of those calls that went to endpoints that the token does not use.
    pub(crate) fn foreign_share(&self) -> f64 {
        f64::from(self.foreign) / f64::from(self.failed.max(1))
    }

    /// Whether four weeks held nothing that could break a habit: then there is none to keep.
    pub(crate) fn is_idle(&self) -> bool {
        self.scales
            .iter()
            .all(|scale| scale.count(0) == 0 && scale.max_28d() < IDLE_BELOW)
    }

    /// What the habit of a count rests on: the busiest hour of a usual day is what any hour may be.
    pub(crate) fn basis(&self, counted: Counted, days: f64) -> Basis {
        let peak = self.scales[counted as usize].mean_peak();
        Basis {
            expected: peak,
            typical: peak / 3.0,
            days,
        }
    }
}

/// A bitmap for linear counting.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Bits<const WORDS: usize>(#[serde(with = "words")] [u64; WORDS]);

impl<const WORDS: usize> Default for Bits<WORDS> {
    fn default() -> Self {
        Self([0; WORDS])
    }
}

impl<const WORDS: usize> Bits<WORDS> {
    /// Adds a hash; about how many different ones there are, if it set a bit.
    fn insert(&mut self, hash: u64) -> Option<u32> {
        let place = (hash >> 32) as usize % (64 * WORDS);
        let word = &mut self.0[place / 64];
        let bit = 1u64 << (place % 64);
        if *word & bit != 0 {
            return None;
        }
        *word |= bit;
        let size = 64.0 * WORDS as f64;
        let set: u32 = self.0.iter().map(|word| word.count_ones()).sum();
        let clear = (size - f64::from(set)).max(0.5);
        Some(libm::round(size * libm::log(size / clear)) as u32)
    }
}

/// Serde knows arrays of fixed lengths only.
mod words {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer, const N: usize>(
        words: &[u64; N],
        to: S,
    ) -> Result<S::Ok, S::Error> {
        words.as_slice().serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>, const N: usize>(
        from: D,
    ) -> Result<[u64; N], D::Error> {
        let words = Vec::<u64>::deserialize(from)?;
        words
            .try_into()
            .map_err(|_| D::Error::custom("a bitmap of another size"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(number: u32) -> u64 {
        crate::hash_text(&number.to_string())
    }

    #[test]
    fn different_objects_are_counted_within_ten_per_cent() {
        for count in [10, 30, 100, 300, 1_000] {
            let mut distinct = Distinct::default();
            for number in 0..count {
                for _ in 0..2 {
                    distinct.note(Counted::Objects, hash(number));
                }
            }
            let counted = distinct.count(Counted::Objects);
            assert!(
                counted.abs_diff(count) <= count / 10 + 1,
                "{count}: {counted}"
            );
        }
    }

    #[test]
    fn a_new_hour_begins_at_nothing() {
        let mut distinct = Distinct::default();
        distinct.count_call();
        distinct.note_failing(hash(1), true);
        distinct.note(Counted::Endpoints, hash(1));
        let from = Timestamp::from_secs(1_000_000);
        distinct.advance(from, Timestamp::from_secs(1_003_600), day_of(from));
        assert_eq!(distinct.count(Counted::Endpoints), 0);
        assert!(distinct.failed_share().abs() < f64::EPSILON);
        assert_eq!(distinct.note(Counted::Endpoints, hash(1)), Some(1));
    }

    #[test]
    fn it_takes_152_bytes() {
        assert_eq!(size_of::<Distinct>(), 152);
    }
}
