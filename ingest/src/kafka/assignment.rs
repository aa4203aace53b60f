//! The partitions that this process reads, and how far it has read them.

use std::sync::Arc;

use hashbrown::{Equivalent, HashMap};
use rdkafka::topic_partition_list::TopicPartitionList;
use tokenwatch_model::StreamId;

use crate::batching::StreamSlot;

/// One partition.
#[derive(Debug)]
pub(super) struct AssignedStream {
    pub(super) id: Arc<StreamId>,
    pub(super) slot: StreamSlot,
    /// The offset that is expected next; lower ones were handed over already.
    pub(super) next_offset: Option<i64>,
    /// The offset that reading resumed at, until the first record shows whether the broker still had it.
    pub(super) resumed_at: Option<i64>,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Assignment {
    streams: Vec<AssignedStream>,
    places: HashMap<Arc<StreamId>, usize, foldhash::fast::RandomState>,
    /// Where the last record belonged: records come in long runs of one partition.
    last: usize,
}

/// A [`StreamId`] that borrows its topic; hashes alike because the fields are the same.
#[derive(Hash)]
struct StreamRef<'a> {
    topic: &'a str,
    partition: i32,
}

impl Equivalent<Arc<StreamId>> for StreamRef<'_> {
    fn equivalent(&self, id: &Arc<StreamId>) -> bool {
        self.partition == id.partition && self.topic == id.topic
    }
}

impl Assignment {
    pub(super) fn add(&mut self, id: StreamId, resumed_at: Option<i64>) {
        self.remove(&id);
        let id = Arc::new(id);
        self.places.insert(Arc::clone(&id), self.streams.len());
        self.streams.push(AssignedStream {
            id,
            slot: StreamSlot::default(),
            next_offset: None,
            resumed_at,
        });
    }

    pub(super) fn remove(&mut self, id: &StreamId) {
        let Some(place) = self.places.remove(&StreamRef {
            topic: &id.topic,
            partition: id.partition,
        }) else {
            return;
        };
        self.streams.swap_remove(place);
        if let Some(moved) = self.streams.get(place) {
            self.places.insert(Arc::clone(&moved.id), place);
        }
        self.last = 0;
    }

    pub(super) fn find(&mut self, topic: &str, partition: i32) -> Option<&mut AssignedStream> {
        let is_last = self
            .streams
            .get(self.last)
            .is_some_and(|stream| stream.id.partition == partition && stream.id.topic == topic);
        if !is_last {
            self.last = *self.places.get(&StreamRef { topic, partition })?;
        }
        self.streams.get_mut(self.last)
    }

    pub(super) fn len(&self) -> usize {
        self.streams.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }

    /// The assignment in librdkafka's words.
    pub(super) fn to_list(&self) -> TopicPartitionList {
        let mut list = TopicPartitionList::with_capacity(self.streams.len());
        for stream in &self.streams {
            list.add_partition(&stream.id.topic, stream.id.partition);
        }
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_found_after_others_were_removed() {
        let id = |topic: &str, partition| StreamId {
            topic: topic.to_owned(),
            partition,
        };
        let mut assignment = Assignment::default();
        for partition in 0..5 {
            assignment.add(id("a", partition), None);
            assignment.add(id("b", partition), Some(7));
        }
        assignment.remove(&id("a", 0));
        assignment.remove(&id("b", 3));
        assignment.remove(&id("b", 9));
        assert_eq!(assignment.len(), 8);
        assert!(assignment.find("a", 0).is_none());
        for partition in [0, 1, 2, 4] {
            let stream = assignment.find("b", partition).expect("assigned");
            assert_eq!(*stream.id, id("b", partition));
        }
        assert!(assignment.find("c", 1).is_none());
    }
}
