//! How many different things of a few classes: exact while they are few, estimated when they are many.
//!
//! The smallest [`KEPT`] hashes of a set are a uniform sample of it, do not depend on the order in which they were added,
//! and the sketch of a union is the union of the sketches (Bar-Yossef et al. 2002, "k minimum values"; the estimate
//! `(k - 1) / largest` is that of Beyer et al. 2007, standard error `1 / sqrt(k - 2)`, 15 % here). Linear counting would
//! be as small, but errs on ten things just as on a thousand, and ten is where decisions fall.

use serde::{Deserialize, Serialize};

/// Hashes kept: 192 bytes when full.
const KEPT: usize = 48;
/// The lowest bits of a hash hold its class.
const CLASS_BITS: u32 = 3;
const CLASS_MASK: u32 = (1 << CLASS_BITS) - 1;

/// A set of things, each of one of eight classes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sketch {
    /// Ascending.
    smallest: Vec<u32>,
    /// There were more than are kept.
    cut: bool,
}

impl Sketch {
    /// Adds a thing by its hash.
    pub(crate) fn add(&mut self, hash: u64, class: u32) {
        self.insert((hash >> 32) as u32 & !CLASS_MASK | class);
    }

    /// Adds everything that another sketch holds.
    pub(crate) fn merge(&mut self, other: &Self) {
        for value in &other.smallest {
            self.insert(*value);
        }
        self.cut |= other.cut;
    }

    fn insert(&mut self, value: u32) {
        let Err(place) = self.smallest.binary_search(&value) else {
            return;
        };
        if self.smallest.len() == KEPT {
            self.cut = true;
            if place == KEPT {
                return;
            }
            self.smallest.pop();
        }
        self.smallest.insert(place, value);
    }

    /// About how many things there are.
    pub(crate) fn count(&self) -> f64 {
        let kept = self.smallest.len() as f64;
        match self.smallest.last() {
            Some(largest) if self.cut => {
                (kept - 1.0) * 4_294_967_296.0 / (f64::from(*largest) + 1.0)
            }
            _ => kept,
        }
    }

    /// About how many are of one of the classes.
    pub(crate) fn count_of(&self, classes: &[u32]) -> f64 {
        if self.smallest.is_empty() {
            return 0.0;
        }
        let of_them = self.of(classes).count();
        self.count() * of_them as f64 / self.smallest.len() as f64
    }

    /// Whether the count is exact.
    pub(crate) fn is_exact(&self) -> bool {
        !self.cut
    }

    /// The share of this sketch's things of `classes` that the other one has too, in any of them; `None` if the samples
    /// have no range in common.
    pub(crate) fn share_within(&self, other: &Self, classes: &[u32]) -> Option<f64> {
        let range = |sketch: &Self| match sketch.smallest.last() {
            Some(largest) if sketch.cut => *largest,
            _ => u32::MAX,
        };
        let common = range(self).min(range(other));
        let (mut seen, mut shared) = (0u32, 0u32);
        for value in self.of(classes).take_while(|value| *value <= common) {
            seen += 1;
            let thing = value & !CLASS_MASK;
            let has = |class: &u32| other.smallest.binary_search(&(thing | *class)).is_ok();
            shared += u32::from(classes.iter().any(has));
        }
        (seen > 0).then(|| f64::from(shared) / f64::from(seen))
    }

    fn of<'s>(&'s self, classes: &'s [u32]) -> impl Iterator<Item = u32> + 's {
        let is_one = |value: &u32| classes.contains(&(value & CLASS_MASK));
        self.smallest.iter().copied().filter(is_one)
    }

    /// Bytes on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.smallest.capacity() * size_of::<u32>()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(things: impl IntoIterator<Item = u32>, class: u32) -> Sketch {
        let mut sketch = Sketch::default();
        for thing in things {
            sketch.add(crate::hash_text(&thing.to_string()), class);
        }
        sketch
    }

    #[test]
    fn small_sets_are_counted_exactly_and_large_ones_within_a_third() {
        for count in [0, 1, 9, 10, 48] {
            let sketch = of((0..count).chain(0..count), 0);
            assert!(sketch.is_exact());
            assert_eq!(sketch.count() as u32, count);
        }
        for count in [100u32, 1_000, 100_000] {
            let estimate = of(0..count, 0).count();
            assert!(
                (estimate / f64::from(count) - 1.0).abs() < 0.33,
                "{count}: {estimate}"
            );
        }
    }

    #[test]
    fn classes_are_counted_apart() {
        let mut sketch = of(0..9, 0);
        sketch.merge(&of(9..12, 3));
        assert_eq!(sketch.count_of(&[0]) as u32, 9);
        assert_eq!(sketch.count_of(&[1, 3]) as u32, 3);
    }

    #[test]
    fn a_part_lies_within_its_whole_and_strangers_do_not() {
        let (part, whole, other) = (of(0..400, 0), of(0..600, 1), of(900..1_500, 0));
        assert_eq!(part.share_within(&whole, &[0, 1]), Some(1.0));
        let share = whole.share_within(&part, &[0, 1]).expect("common range");
        assert!((0.4..0.9).contains(&share), "{share}");
        assert_eq!(part.share_within(&other, &[0, 1]), Some(0.0));
    }

    proptest! {
        #[test]
        fn a_sketch_does_not_depend_on_order_or_parts(things in prop::collection::vec((0u32..400, 0u32..4), 0..300), cut in 0usize..300) {
            let add = |sketch: &mut Sketch, (thing, class): (u32, u32)| {
                sketch.add(crate::hash_text(&thing.to_string()), class);
            };
            let mut whole = Sketch::default();
            for thing in &things {
                add(&mut whole, *thing);
            }
            let (first, second) = things.split_at(cut.min(things.len()));
            let (mut one, mut other) = (Sketch::default(), Sketch::default());
            for thing in first.iter().rev() {
                add(&mut one, *thing);
            }
            for thing in second {
                add(&mut other, *thing);
            }
            other.merge(&one);
            prop_assert_eq!(whole, other);
        }
    }
}
