//! The boxed parts of a token that most tokens never have: streams of failures, and the data habit.

use serde::{Deserialize, Serialize};

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
}

impl Parts {
    /// The most that they take.
    #[cfg(test)]
    pub(crate) const MOST_BYTES: usize = size_of::<Present>()
        + BOX_BYTES
        + 2 * (size_of::<Failures>() + BOX_BYTES)
        + size_of::<Volume>()
        + BOX_BYTES;

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

    /// Bytes outside the token.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |present| {
            let failures = present.failures.iter().flatten().count();
            let volume = present.volume.iter().count();
            size_of::<Present>()
                + BOX_BYTES
                + failures * (size_of::<Failures>() + BOX_BYTES)
                + volume * (size_of::<Volume>() + BOX_BYTES)
        })
    }
}
