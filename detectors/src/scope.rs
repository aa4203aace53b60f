//! What a token is used for: its endpoints, privileges, steps between ids, and how many different things it calls.
//!
//! 32 bytes for every token; what only busy or curious ones need is boxed.

use serde::{Deserialize, Serialize};
use tokenwatch_model::Timestamp;

use crate::distinct::{Distinct, Steps, Sweep};
use crate::endpoints::{Endpoints, Many};
use crate::privilege::Privileges;
use crate::settings::DetectorSettings;
use crate::token::DayEnd;

/// The scope of one token.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Scope {
    endpoints: Endpoints,
    pub(crate) steps: Steps,
    pub(crate) privileges: Privileges,
    more: Option<Box<More>>,
}

/// Parts that exist once they are needed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct More {
    many: Many,
    distinct: Option<Box<Distinct>>,
    sweep: Option<Box<Sweep>>,
}

/// The allocator's overhead of a box.
const BOX_BYTES: usize = 8;

impl Scope {
    /// Bytes outside the struct at most.
    #[cfg(test)]
    pub(crate) const MOST_HEAP_BYTES: usize = size_of::<More>()
        + Many::MOST_HEAP_BYTES
        + size_of::<Distinct>()
        + size_of::<Sweep>()
        + 4 * BOX_BYTES;

    /// Notes a call on `day` to the endpoint of this hash; whether it is the first to it, as far as is known.
    pub(crate) fn visit(&mut self, hash: u64, day: u16) -> bool {
        if let Some(more) = &mut self.more
            && !more.many.is_empty()
        {
            return more.many.visit(hash, day);
        }
        if let Some(is_new) = self.endpoints.visit(hash) {
            return is_new;
        }
        let more = self.more.get_or_insert_default();
        more.many.begin(&self.endpoints, day);
        more.many.visit(hash, day)
    }

    /// Remembers that a token that is not new itself took up a new endpoint today.
    pub(crate) fn mark_novel(&mut self) {
        self.endpoints.mark_novel();
    }

    /// How surprising a new endpoint is for a token with `days` days of history, in decibans.
    pub(crate) fn surprise_db(&self, days: f64) -> f64 {
        self.endpoints.surprise_db(days)
    }

    /// How many endpoints are known.
    pub(crate) fn endpoint_count(&self) -> usize {
        let boxed = self.more.as_ref().map_or(0, |more| more.many.count());
        boxed.max(self.endpoints.count())
    }

    /// The counts of different things, once the token was busy.
    pub(crate) fn distinct(&self) -> Option<&Distinct> {
        self.more.as_ref()?.distinct.as_deref()
    }

    /// The same, to change them.
    pub(crate) fn distinct_mut(&mut self) -> Option<&mut Distinct> {
        self.more.as_mut()?.distinct.as_deref_mut()
    }

    /// Begins to count different things.
    pub(crate) fn begin_distinct(&mut self, distinct: Distinct) {
        self.more.get_or_insert_default().distinct = Some(Box::new(distinct));
    }

    /// What it tried of a cloud API, if anything.
    pub(crate) fn sweep(&self) -> Option<&Sweep> {
        self.more.as_ref()?.sweep.as_deref()
    }

    /// The same, which begins now if there was nothing.
    pub(crate) fn sweep_mut(&mut self) -> &mut Sweep {
        let more = self.more.get_or_insert_default();
        more.sweep.get_or_insert_default()
    }

    /// Moves the hour on. `day` is that of `from`.
    pub(crate) fn advance(&mut self, from: Timestamp, to: Timestamp, day: i64) {
        if let Some(distinct) = self.distinct_mut() {
            distinct.advance(from, to, day);
        }
    }

    /// Ends a day.
    pub(crate) fn end_day(&mut self, end: &DayEnd, settings: &DetectorSettings) {
        if let Some(distinct) = self.distinct_mut() {
            distinct.end_day(end, settings);
        }
        self.endpoints.end_day();
        self.steps.end_day();
        self.privileges.end_day();
    }

    /// Bytes outside the struct.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.more.as_ref().map_or(0, |more| {
            let distinct = more
                .distinct
                .as_ref()
                .map_or(0, |_| size_of::<Distinct>() + BOX_BYTES);
            let sweep = more
                .sweep
                .as_ref()
                .map_or(0, |_| size_of::<Sweep>() + BOX_BYTES);
            size_of::<More>() + BOX_BYTES + more.many.heap_bytes() + distinct + sweep
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(number: u64) -> u64 {
        crate::hash_text(&number.to_string())
    }

    #[test]
    fn an_endpoint_is_new_once() {
        let mut scope = Scope::default();
        for number in 0..20 {
            assert!(scope.visit(hash(number), 100), "{number}");
            assert_eq!(scope.endpoint_count(), number as usize + 1);
        }
        for number in 0..20 {
            assert!(!scope.visit(hash(number), 101), "{number}");
        }
    }

    #[test]
    fn the_one_unused_for_longest_makes_room() {
        let mut scope = Scope::default();
        for number in 0..32 {
            scope.visit(hash(number), if number == 15 { 90 } else { 100 });
        }
        assert!(scope.visit(hash(99), 101));
        assert_eq!(scope.endpoint_count(), 32);
        assert!(scope.visit(hash(15), 101), "it was forgotten");
        assert!(!scope.visit(hash(99), 101));
    }

    #[test]
    fn it_takes_32_bytes_and_400_more_at_most() {
        assert_eq!(size_of::<Scope>(), 32);
        assert!(Scope::MOST_HEAP_BYTES <= 400, "{}", Scope::MOST_HEAP_BYTES);
    }
}
