//! The boxed parts of a token that most tokens never have: failures, data, many endpoints, counts of different things.
//!
//! A token should not take more than [`TOKEN_BYTES`]. Hardly any needs every part at once; of one that does, habits of failures that
//! are far below their floors are given up at the end of the day. What is in use is kept: a habit that was lost would begin anew,
//! and take what is usual for a burst. With all of it in use a token takes [`MOST_TOKEN_BYTES`].

use serde::{Deserialize, Serialize};
use tokenwatch_model::Timestamp;

use crate::distinct::{Distinct, Sweep};
use crate::endpoints::{Endpoints, Many};
use crate::failures::{FailureKind, Failures, FewFailures};
use crate::rate::RateHabit;
use crate::token::Token;
use crate::volume::Volume;
use crate::whereabouts::Roaming;

/// The allocator's overhead of a box.
const BOX_BYTES: usize = 8;
/// What a token should take at most, with its boxes and their overhead. A contest for it, which is evidence as a case is, comes on
/// top while it lasts.
pub(crate) const TOKEN_BYTES: usize = 1_024;
/// What one takes that has every part in use.
#[cfg(test)]
pub(crate) const MOST_TOKEN_BYTES: usize = 1_500;
/// What is left for the parts of one that has a habit of the rate.
const PARTS_BYTES: usize = TOKEN_BYTES - size_of::<Token>() - size_of::<RateHabit>() - BOX_BYTES;

/// Parts that exist once they are needed; 8 bytes until then.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Parts(Option<Box<Present>>);

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Present {
    failures: [Option<Box<Failures>>; FailureKind::ALL.len()],
    few: [Option<Box<FewFailures>>; FailureKind::ALL.len()],
    volume: Option<Box<Volume>>,
    many: Many,
    distinct: Option<Box<Distinct>>,
    sweep: Option<Box<Sweep>>,
    roaming: Option<Box<Roaming>>,
}

impl Present {
    /// Bytes with the box that it is in, and those that it points at, but for a contest.
    fn bytes(&self) -> usize {
        let boxed = |count: usize, size: usize| count * (size + BOX_BYTES);
        size_of::<Self>()
            + BOX_BYTES
            + boxed(
                self.failures.iter().flatten().count(),
                size_of::<Failures>(),
            )
            + boxed(self.few.iter().flatten().count(), size_of::<FewFailures>())
            + boxed(self.volume.iter().count(), size_of::<Volume>())
            + self.many.heap_bytes()
            + boxed(self.distinct.iter().count(), size_of::<Distinct>())
            + boxed(self.sweep.iter().count(), size_of::<Sweep>())
            + boxed(self.roaming.iter().count(), size_of::<Roaming>())
    }

    /// Gives up habits of failures that are far below their floors while there is too much.
    fn bound(&mut self) {
        for kind in [FailureKind::NotFound, FailureKind::Denied] {
            if self.bytes() > PARTS_BYTES {
                self.failures[kind as usize].take_if(|failures| failures.is_low());
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.failures.iter().all(Option::is_none)
            && self.few.iter().all(Option::is_none)
            && self.volume.is_none()
            && self.many.is_empty()
            && self.distinct.is_none()
            && self.sweep.is_none()
            && self.roaming.is_none()
    }
}

impl Parts {
    /// The failures of a kind, if it ever failed so.
    pub(crate) fn failures(&self, kind: FailureKind) -> Option<&Failures> {
        self.0.as_ref()?.failures[kind as usize].as_deref()
    }

    /// The same, to be changed.
    pub(crate) fn failures_mut(&mut self, kind: FailureKind) -> Option<&mut Failures> {
        self.0.as_mut()?.failures[kind as usize].as_deref_mut()
    }

    /// The failures of every kind.
    pub(crate) fn all_failures(&self) -> impl Iterator<Item = &Failures> {
        let present = self.0.iter();
        present.flat_map(|present| present.failures.iter().flatten().map(Box::as_ref))
    }

    /// The same, to be changed.
    pub(crate) fn all_failures_mut(&mut self) -> impl Iterator<Item = &mut Failures> {
        let present = self.0.iter_mut();
        present.flat_map(|present| present.failures.iter_mut().flatten().map(Box::as_mut))
    }

    /// Begins a habit of failures of a kind, which are not few any more.
    pub(crate) fn begin_failures(&mut self, kind: FailureKind, failures: Failures) {
        let present = self.0.get_or_insert_default();
        present.failures[kind as usize] = Some(Box::new(failures));
        present.few[kind as usize] = None;
    }

    /// The few failures of a kind of which there is no habit.
    pub(crate) fn few_failures_mut(&mut self, kind: FailureKind) -> &mut FewFailures {
        self.0.get_or_insert_default().few[kind as usize].get_or_insert_default()
    }

    /// Counts a call that failed in the way `kind`, if at all, among the few failures of other ways.
    pub(crate) fn count_call_among_few(&mut self, newest: Timestamp, kind: Option<FailureKind>) {
        let Some(present) = &mut self.0 else {
            return;
        };
        for (other, few) in FailureKind::ALL.into_iter().zip(&mut present.few) {
            if let Some(few) = few.as_mut().filter(|_| kind != Some(other)) {
                few.count_call(newest);
            }
        }
    }

    /// Forgets at the end of a day what holds nothing to remember: few failures, and habits that four weeks did not need.
    pub(crate) fn forget_idle(&mut self, newest: Timestamp) {
        let Some(present) = &mut self.0 else {
            return;
        };
        present.few.iter_mut().for_each(|few| {
            few.take_if(|few| few.is_over(newest));
        });
        present.failures.iter_mut().for_each(|failures| {
            failures.take_if(|failures| failures.is_idle());
        });
        present.distinct.take_if(|distinct| distinct.is_idle());
        present.bound();
        if present.is_empty() {
            self.0 = None;
        }
    }

    /// The data habit.
    pub(crate) fn volume(&self) -> Option<&Volume> {
        self.0.as_ref()?.volume.as_deref()
    }

    /// The same, to be changed.
    pub(crate) fn volume_mut(&mut self) -> Option<&mut Volume> {
        self.0.as_mut()?.volume.as_deref_mut()
    }

    /// Begins a data habit.
    pub(crate) fn begin_volume(&mut self, volume: Volume) {
        self.0.get_or_insert_default().volume = Some(Box::new(volume));
    }

    /// The endpoints, if there are more than fit into the token.
    pub(crate) fn many_mut(&mut self) -> Option<&mut Many> {
        self.0
            .as_mut()
            .map(|present| &mut present.many)
            .filter(|many| !many.is_empty())
    }

    /// The same, to be read.
    pub(crate) fn many(&self) -> Option<&Many> {
        self.0
            .as_ref()
            .map(|present| &present.many)
            .filter(|many| !many.is_empty())
    }

    /// Begins a list with the endpoints of `few`, used on `day` at the latest.
    pub(crate) fn begin_many(&mut self, few: &Endpoints, day: u16) -> &mut Many {
        let present = self.0.get_or_insert_default();
        present.many.begin(few, day);
        &mut present.many
    }

    /// How many endpoints are in the list.
    pub(crate) fn many_count(&self) -> usize {
        self.0.as_ref().map_or(0, |present| present.many.count())
    }

    /// The counts of different things, once the token was busy.
    pub(crate) fn distinct(&self) -> Option<&Distinct> {
        self.0.as_ref()?.distinct.as_deref()
    }

    /// The same, to change them.
    pub(crate) fn distinct_mut(&mut self) -> Option<&mut Distinct> {
        self.0.as_mut()?.distinct.as_deref_mut()
    }

    /// Begins to count different things.
    pub(crate) fn begin_distinct(&mut self, distinct: Distinct) {
        self.0.get_or_insert_default().distinct = Some(Box::new(distinct));
    }

    /// What it tried of a cloud API, if anything.
    pub(crate) fn sweep(&self) -> Option<&Sweep> {
        self.0.as_ref()?.sweep.as_deref()
    }

    /// The same, which begins now if there was nothing.
    pub(crate) fn sweep_mut(&mut self) -> &mut Sweep {
        let present = self.0.get_or_insert_default();
        present.sweep.get_or_insert_default()
    }

    /// More places and clients than fit into the token.
    pub(crate) fn roaming(&self) -> Option<&Roaming> {
        self.0.as_ref()?.roaming.as_deref()
    }

    /// The same, to be changed.
    pub(crate) fn roaming_mut(&mut self) -> Option<&mut Roaming> {
        self.0.as_mut()?.roaming.as_deref_mut()
    }

    /// The same, which begins now if there was nothing.
    pub(crate) fn roam(&mut self) -> &mut Roaming {
        let present = self.0.get_or_insert_default();
        present.roaming.get_or_insert_default()
    }

    /// Reads a little of each line of memory of what most calls need, which brings it into the cache.
    pub(crate) fn read(&self) -> u64 {
        self.0.as_ref().map_or(0, |present| {
            let failures = present.failures.iter().flatten();
            let failures = failures.fold(0, |sum, failures| sum ^ failures.read());
            let many = present.many.read();
            let volume = present.volume.as_ref().map_or(0, |volume| volume.read());
            let distinct = present
                .distinct
                .as_ref()
                .map_or(0, |distinct| distinct.read());
            let roaming = present.roaming.as_ref().map_or(0, |roaming| roaming.read());
            failures ^ many ^ volume ^ distinct ^ roaming
        })
    }

    /// Bytes outside the token, but for a contest.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |present| present.bytes())
    }

    /// Bytes of a contest for the token.
    pub(crate) fn contest_bytes(&self) -> usize {
        self.roaming().map_or(0, Roaming::contest_bytes)
    }
}

#[cfg(test)]
mod tests {
    use tokenwatch_model::TokenId;

    use super::*;
    use crate::scope::Scope;
    use crate::volume::SmallVolume;

    const NOW: i64 = 1_793_577_600;

    /// Everything at once.
    fn crowded() -> Parts {
        let now = Timestamp::from_secs(NOW);
        let mut parts = Parts::default();
        for kind in FailureKind::ALL {
            parts.begin_failures(kind, Failures::begin(now));
        }
        let floors = [20_480, 204_800];
        parts.begin_volume(Volume::begin(SmallVolume::default(), now, floors));
        // A habit that is worth keeping.
        parts.begin_distinct(Distinct::begin(now, 20.0));
        parts.sweep_mut();
        parts.roam();
        let mut scope = Scope::default();
        for endpoint in 0..100 {
            let hash = crate::hash_text(&endpoint.to_string());
            scope.visit(&mut parts, hash, 20_000);
        }
        parts
    }

    #[test]
    fn a_token_with_everything_is_bounded_and_fits_into_a_kibibyte_after_a_day() {
        let mut token = Token::new(TokenId::from_bits(1), Timestamp::from_secs(0));
        token.rate = Some(Box::default());
        token.parts = crowded();
        assert!(token.bytes() <= MOST_TOKEN_BYTES, "{}", token.bytes());
        token.parts.forget_idle(Timestamp::from_secs(NOW));
        assert!(
            token.bytes() <= TOKEN_BYTES + size_of::<Volume>() + 2 * BOX_BYTES,
            "{}",
            token.bytes()
        );
        assert!(token.parts.roaming().is_some() && token.parts.sweep().is_some());
        assert_eq!(token.parts.many_count(), 32);
    }

    #[test]
    fn failures_near_their_floors_are_kept_however_much_there_is() {
        let mut parts = crowded();
        let denied = parts.failures_mut(FailureKind::Denied).expect("it has all");
        denied.scales[2].add_many(0, 20);
        parts.forget_idle(Timestamp::from_secs(NOW));
        assert!(parts.failures(FailureKind::Denied).is_some());
        assert!(parts.failures(FailureKind::NotFound).is_none());
    }
}
