//! The boxed parts of a token that most tokens never have: failures, data, many endpoints, counts of different things.

use serde::{Deserialize, Serialize};

use crate::distinct::{Distinct, Sweep};
use crate::endpoints::{Endpoints, Many};
use crate::failures::{FailureKind, Failures};
use crate::volume::Volume;

/// The allocator's overhead of a box.
const BOX_BYTES: usize = 8;

/// Parts that exist once they are needed; 8 bytes until then.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Parts(Option<Box<Present>>);

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Present {
    failures: [Option<Box<Failures>>; FailureKind::ALL.len()],
    volume: Option<Box<Volume>>,
    many: Many,
    distinct: Option<Box<Distinct>>,
    sweep: Option<Box<Sweep>>,
}

impl Parts {
    /// The most that they take.
    #[cfg(test)]
    pub(crate) const MOST_BYTES: usize = size_of::<Present>()
        + BOX_BYTES
        + 2 * (size_of::<Failures>() + BOX_BYTES)
        + size_of::<Volume>()
        + Many::MOST_HEAP_BYTES
        + size_of::<Distinct>()
        + size_of::<Sweep>()
        + 4 * BOX_BYTES;

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

    /// Begins to count failures of a kind.
    pub(crate) fn begin_failures(&mut self, kind: FailureKind, failures: Failures) {
        self.0.get_or_insert_default().failures[kind as usize] = Some(Box::new(failures));
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
        let many = &mut self.0.get_or_insert_default().many;
        many.begin(few, day);
        many
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

    /// Forgets the counts of different things once there is nothing in them to remember.
    pub(crate) fn forget_idle_distinct(&mut self) {
        if let Some(present) = &mut self.0
            && present
                .distinct
                .as_ref()
                .is_some_and(|distinct| distinct.is_idle())
        {
            present.distinct = None;
        }
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

    /// Bytes outside the token.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |present| {
            let failures = present.failures.iter().flatten().count();
            let volume = present.volume.iter().count();
            let distinct = present.distinct.iter().count();
            let sweep = present.sweep.iter().count();
            size_of::<Present>()
                + BOX_BYTES
                + failures * (size_of::<Failures>() + BOX_BYTES)
                + volume * (size_of::<Volume>() + BOX_BYTES)
                + present.many.heap_bytes()
                + distinct * (size_of::<Distinct>() + BOX_BYTES)
                + sweep * (size_of::<Sweep>() + BOX_BYTES)
        })
    }
}
