//! Events and rejected records in the order of each stream, so that the detectors learn of a record that could not be read
//! where it stood, however batches are cut.

use std::collections::{HashMap, VecDeque};

use tokenwatch_ingest::Reject;
use tokenwatch_model::{AccessEvent, Origin, StreamId};

/// What was read next.
pub(crate) enum ReadNext<'r, 'a> {
    /// Events, none of which has a rejected record before it that was not handed on.
    Events(&'r [AccessEvent<'a>]),
    /// A record of this stream that could not be read.
    Rejected(&'r StreamId),
}

/// Offsets of rejected records that were not handed on yet, by stream.
#[derive(Debug, Default)]
pub(crate) struct RejectedRecords {
    waiting: HashMap<StreamId, VecDeque<i64>>,
}

impl RejectedRecords {
    /// Those of a batch, in the order of its records.
    pub(crate) fn of<'r>(rejects: impl IntoIterator<Item = &'r Reject>) -> Self {
        let mut waiting: HashMap<StreamId, VecDeque<i64>> = HashMap::new();
        for reject in rejects {
            match waiting.get_mut(&reject.stream) {
                Some(offsets) => offsets.push_back(reject.offset),
                None => {
                    waiting.insert(reject.stream.clone(), VecDeque::from([reject.offset]));
                }
            }
        }
        Self { waiting }
    }

    /// Hands `events` on, and before each of them the rejected records that precede it in its stream.
    pub(crate) fn hand_on(
        &mut self,
        events: &[AccessEvent<'_>],
        take: &mut dyn FnMut(ReadNext<'_, '_>),
    ) {
        let mut from = 0;
        for (index, event) in events.iter().enumerate() {
            if self.waiting.is_empty() {
                break;
            }
            while let Some(stream) = self.next_before(&event.origin) {
                if from < index {
                    take(ReadNext::Events(&events[from..index]));
                    from = index;
                }
                take(ReadNext::Rejected(&stream));
            }
        }
        if from < events.len() {
            take(ReadNext::Events(&events[from..]));
        }
    }

    /// Hands on those behind the last events.
    pub(crate) fn finish(self, take: &mut dyn FnMut(ReadNext<'_, '_>)) {
        let mut streams: Vec<_> = self.waiting.into_iter().collect();
        streams.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        for (stream, offsets) in streams {
            for _ in offsets {
                take(ReadNext::Rejected(&stream));
            }
        }
    }

    /// Takes the next of the event's stream, if it stands before it.
    fn next_before(&mut self, origin: &Origin<'_>) -> Option<StreamId> {
        let (topic, offset) = (origin.topic.as_deref()?, origin.offset?);
        let partition = origin.partition.unwrap_or(0);
        let is_it = |stream: &&StreamId| stream.partition == partition && stream.topic == topic;
        let stream = self.waiting.keys().find(is_it)?.clone();
        let offsets = self.waiting.get_mut(&stream)?;
        offsets.front().filter(|rejected| **rejected < offset)?;
        offsets.pop_front();
        if offsets.is_empty() {
            self.waiting.remove(&stream);
        }
        Some(stream)
    }
}

#[cfg(test)]
mod tests {
    use tokenwatch_ingest::RejectReason;
    use tokenwatch_model::{Format, Outcome, Timestamp};

    use super::*;

    fn event(partition: i32, offset: i64) -> AccessEvent<'static> {
        AccessEvent {
            ts: Timestamp::from_secs(offset),
            format: Format::ALL[0],
            request_id: None,
            token: None,
            client: tokenwatch_model::Client::default(),
            http: tokenwatch_model::Http::default(),
            tls: None,
            outcome: Outcome::Ok,
            flags: tokenwatch_model::EventFlags::default(),
            origin: Origin {
                topic: Some("t".into()),
                partition: Some(partition),
                offset: Some(offset),
                ..Origin::default()
            },
        }
    }

    fn reject(partition: i32, offset: i64) -> Reject {
        Reject {
            reason: RejectReason::ALL[0],
            stream: StreamId {
                topic: "t".to_owned(),
                partition,
            },
            offset,
            excerpt: String::new(),
        }
    }

    /// What each stream saw, in order, when its records come in batches that end at `cuts`.
    fn seen(cuts: &[usize]) -> Vec<Vec<String>> {
        // (partition, offset, readable), partitions in turn.
        let records: Vec<(i32, i64, bool)> = (0..40)
            .map(|number| ((number % 2) as i32, number / 2, number % 7 > 2))
            .collect();
        let mut seen = vec![Vec::new(); 2];
        let mut from = 0;
        for until in cuts.iter().copied().chain([records.len()]) {
            let batch = &records[from..until];
            from = until;
            let events: Vec<_> = batch
                .iter()
                .filter(|r| r.2)
                .map(|r| event(r.0, r.1))
                .collect();
            let rejects: Vec<_> = batch
                .iter()
                .filter(|r| !r.2)
                .map(|r| reject(r.0, r.1))
                .collect();
            let mut take = |next: ReadNext<'_, '_>| match next {
                ReadNext::Events(events) => {
                    for event in events {
                        let partition = event.origin.partition.expect("set") as usize;
                        seen[partition].push(format!("{:?}", event.origin.offset));
                    }
                }
                ReadNext::Rejected(stream) => {
                    seen[stream.partition as usize].push("rejected".to_owned());
                }
            };
            let mut waiting = RejectedRecords::of(&rejects);
            waiting.hand_on(&events, &mut take);
            waiting.finish(&mut take);
        }
        seen
    }

    #[test]
    fn every_stream_is_in_order_however_batches_are_cut() {
        let whole = seen(&[]);
        assert_eq!(whole[0].len() + whole[1].len(), 40);
        assert_eq!(
            whole[0][..4],
            ["rejected", "rejected", "Some(2)", "Some(3)"]
        );
        for cuts in [&[1][..], &[20], &[7, 8, 9, 30], &[39]] {
            assert_eq!(whole, seen(cuts), "{cuts:?}");
        }
    }
}
