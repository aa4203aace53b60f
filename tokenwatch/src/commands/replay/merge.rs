//! Reads several log files side by side, in the order of their events' times.
//!
//! Each round decodes what lies ready of every file and hands on the events up to the horizon: the time up to which
//! every file is known. What lies behind it waits for the next round. The order within a file is never changed.

use std::collections::BTreeMap;
use std::io;

use tokenwatch_detectors::Registry;
use tokenwatch_ingest::{Decoder, RecordBatch, Reject};
use tokenwatch_model::{AccessEvent, Timestamp};

use crate::commands::input::Input;
use crate::pipeline::{self, Admission, Decoded, ReadNext, RejectedRecords};

/// Events handed on at once.
const SLICE_EVENTS: usize = 8_192;

/// The files and what of them is read but not handed on.
pub(super) struct Merge {
    files: Vec<OpenFile>,
    counts: Counts,
}

/// What was read.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    /// Events handed on.
    pub(super) events: u64,
    /// Events that were in the files before.
    pub(super) redelivered: u64,
    /// Records that could not be read, by reason.
    pub(super) rejected: BTreeMap<&'static str, u64>,
}

struct OpenFile {
    input: Input,
    waiting: RecordBatch,
    fresh: bool,
    ended: bool,
}

impl Merge {
    pub(super) fn new(inputs: Vec<Input>) -> Self {
        let open = |input| OpenFile {
            input,
            waiting: RecordBatch::default(),
            fresh: false,
            ended: false,
        };
        Self {
            files: inputs.into_iter().map(open).collect(),
            counts: Counts::default(),
        }
    }

    /// What was read so far.
    pub(super) fn counts(&self) -> Counts {
        self.counts.clone()
    }

    /// Hands the next events to `take`, in order, those that `admission` lets in; false once every file has ended.
    pub(super) fn next_round(
        &mut self,
        decoder: &Decoder,
        admission: &mut Admission,
        registry: &Registry,
        take: &mut dyn FnMut(ReadNext<'_, '_>),
    ) -> io::Result<bool> {
        for file in &mut self.files {
            file.fill()?;
        }
        let mut read: Vec<Decoded<'_>> = self
            .files
            .iter()
            .map(|file| pipeline::decode(decoder, &file.waiting))
            .collect();
        let horizon = horizon(&self.files, &read);
        let ready: Vec<usize> = read
            .iter()
            .map(|part| events_until(&part.events, horizon))
            .collect();
        for (file, part) in self.files.iter().zip(&read) {
            if file.fresh {
                count_rejects(&mut self.counts.rejected, &part.rejects);
            }
        }
        let kept_from: Vec<Option<i64>> = read
            .iter()
            .zip(&ready)
            .map(|(part, ready)| part.events.get(*ready)?.origin.offset)
            .collect();
        let ended = |reject: &&Reject, kept_from: Option<i64>| {
            kept_from.is_none_or(|offset| reject.offset < offset)
        };
        // Of what waits for the next round, the rejected records do, too.
        let mut rejected =
            RejectedRecords::of(read.iter().zip(&kept_from).flat_map(|(part, kept_from)| {
                let rejects = part.rejects.iter();
                rejects.filter(move |reject| ended(reject, *kept_from))
            }));
        // The others are decoded again in the next round.
        for (part, ready) in read.iter_mut().zip(ready) {
            part.events.truncate(ready);
            self.counts.redelivered += admission.admit(&mut part.events, registry);
            self.counts.events += part.events.len() as u64;
        }
        hand_on(&mut read, &mut |events| {
            rejected.hand_on(events, take);
        });
        rejected.finish(take);
        drop(read);
        for (file, kept_from) in self.files.iter_mut().zip(kept_from) {
            file.keep_from(kept_from);
        }
        Ok(self
            .files
            .iter()
            .any(|file| !file.ended || !file.waiting.records.is_empty()))
    }
}

impl OpenFile {
    /// Reads on if everything read before was handed on.
    fn fill(&mut self) -> io::Result<()> {
        self.fresh = false;
        if self.waiting.records.is_empty() && !self.ended {
            self.waiting = self.input.next_batch()?;
            self.ended = self.waiting.records.is_empty();
            self.fresh = true;
        }
        Ok(())
    }

    /// Forgets the records before the one at `offset`; all if there is none.
    fn keep_from(&mut self, offset: Option<i64>) {
        let records = &mut self.waiting.records;
        let handed_on = match offset {
            Some(offset) => records.partition_point(|record| record.offset < offset),
            None => records.len(),
        };
        records.drain(..handed_on);
    }
}

/// The time up to which every file that goes on is known; `None` if at most one does.
fn horizon(files: &[OpenFile], decoded: &[Decoded<'_>]) -> Option<Timestamp> {
    if files.len() < 2 {
        return None;
    }
    let known = |decoded: &Decoded<'_>| pipeline::newest(&decoded.events);
    files
        .iter()
        .zip(decoded)
        .filter(|(file, _)| !file.ended)
        .filter_map(|(_, decoded)| known(decoded))
        .min()
}

/// How many of `events` lie before the first record that is newer than `horizon`.
fn events_until(events: &[AccessEvent<'_>], horizon: Option<Timestamp>) -> usize {
    let Some(horizon) = horizon else {
        return events.len();
    };
    // A record may hold many events; they are handed on together.
    let newer = |event: &AccessEvent<'_>| event.origin.index == 0 && event.ts > horizon;
    events.iter().position(newer).unwrap_or(events.len())
}

/// Hands the events of each file on, the earliest head first.
fn hand_on<'a>(decoded: &mut [Decoded<'a>], take: &mut dyn FnMut(&[AccessEvent<'_>])) {
    if let [only] = decoded {
        for slice in only.events.chunks(SLICE_EVENTS) {
            take(slice);
        }
        return;
    }
    let mut heads: Vec<_> = decoded
        .iter_mut()
        .map(|decoded| decoded.events.drain(..).peekable())
        .collect();
    let mut slice = Vec::with_capacity(SLICE_EVENTS);
    loop {
        let next = heads
            .iter_mut()
            .enumerate()
            .filter_map(|(index, head)| Some((head.peek()?.ts, index)))
            .min();
        let Some((_, index)) = next else { break };
        slice.extend(heads[index].next());
        if slice.len() == SLICE_EVENTS {
            take(&slice);
            slice.clear();
        }
    }
    take(&slice);
}

fn count_rejects(rejected: &mut BTreeMap<&'static str, u64>, rejects: &[Reject]) {
    for reject in rejects {
        *rejected.entry(reject.reason.name()).or_default() += 1;
    }
}
