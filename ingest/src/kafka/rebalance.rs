//! Assignment and revocation: what librdkafka announces is agreed with the pipeline before it is answered.

use std::collections::HashMap;
use std::time::Instant;

use rdkafka::consumer::Consumer;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tokenwatch_model::StreamId;
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

use super::client::RebalanceEvent;
use super::config::StartFrom;
use super::consumer_loop::ConsumerLoop;
use super::failed;
use crate::record::SourceEvent;
use crate::source_error::SourceError;

/// A rebalance that waits for the pipeline. Polling goes on meanwhile, so the group sees a live member.
#[derive(Debug)]
pub(super) enum Rebalancing {
    /// Where do these go on?
    Assigning {
        partitions: TopicPartitionList,
        answer: oneshot::Receiver<HashMap<StreamId, i64>>,
    },
    /// Is everything of these checkpointed?
    Revoking {
        partitions: TopicPartitionList,
        done: oneshot::Receiver<()>,
        deadline: Instant,
    },
}

impl ConsumerLoop {
    /// Takes the current rebalance as far as it goes without waiting.
    pub(super) fn rebalance(&mut self) -> Result<(), SourceError> {
        if self.rebalancing.is_none() {
            self.take_event()?;
        }
        self.take_answer()
    }

    fn take_event(&mut self) -> Result<(), SourceError> {
        match self.consumer.context().next_rebalance() {
            // In a cooperative rebalance a member may get nothing, or lose nothing; the pipeline need not know.
            Some(RebalanceEvent::Assign(partitions)) if partitions.count() == 0 => {
                return self
                    .consumer
                    .incremental_assign(&partitions)
                    .map_err(|error| failed(&error));
            }
            Some(RebalanceEvent::Revoke(partitions)) if partitions.count() == 0 => {
                return self.unassign(&partitions);
            }
            Some(RebalanceEvent::Assign(partitions)) => self.ask_positions(partitions),
            Some(RebalanceEvent::Revoke(partitions)) => self.ask_checkpoint(partitions),
            None => {}
        }
        Ok(())
    }

    fn take_answer(&mut self) -> Result<(), SourceError> {
        match self.rebalancing.take() {
            Some(Rebalancing::Assigning {
                partitions,
                mut answer,
            }) => match answer.try_recv() {
                Ok(positions) => self.assign(&partitions, &positions),
                Err(TryRecvError::Closed) => Err(SourceError::PipelineGone),
                Err(TryRecvError::Empty) => {
                    self.rebalancing = Some(Rebalancing::Assigning { partitions, answer });
                    Ok(())
                }
            },
            Some(Rebalancing::Revoking {
                partitions,
                mut done,
                deadline,
            }) => {
                let waiting = matches!(done.try_recv(), Err(TryRecvError::Empty));
                if !waiting {
                    return self.unassign(&partitions);
                }
                if Instant::now() > deadline {
                    self.metrics.late_checkpoints.inc();
                    tracing::warn!("partitions are given up before their checkpoint was written");
                    return self.unassign(&partitions);
                }
                self.rebalancing = Some(Rebalancing::Revoking {
                    partitions,
                    done,
                    deadline,
                });
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn ask_positions(&mut self, partitions: TopicPartitionList) {
        let (positions, answer) = oneshot::channel();
        self.outbox.push_back(SourceEvent::Assigned {
            streams: streams_of(&partitions),
            positions,
        });
        self.rebalancing = Some(Rebalancing::Assigning { partitions, answer });
    }

    fn ask_checkpoint(&mut self, partitions: TopicPartitionList) {
        // What was read so far goes first, then nothing of these partitions any more.
        self.seal_batch();
        let streams = streams_of(&partitions);
        for stream in &streams {
            self.assignment.remove(stream);
            self.shared.revoked(stream);
        }
        let (done_tx, done) = oneshot::channel();
        self.outbox.push_back(SourceEvent::Revoked {
            streams,
            done: done_tx,
        });
        self.rebalancing = Some(Rebalancing::Revoking {
            partitions,
            done,
            deadline: Instant::now() + self.settings.revoke_timeout,
        });
        self.report_partitions();
    }

    fn assign(
        &mut self,
        partitions: &TopicPartitionList,
        positions: &HashMap<StreamId, i64>,
    ) -> Result<(), SourceError> {
        let mut list = TopicPartitionList::with_capacity(partitions.count());
        for stream in streams_of(partitions) {
            let position = positions.get(&stream).copied();
            let offset = match (position, self.settings.start_from) {
                (Some(position), _) => Offset::Offset(position),
                (None, StartFrom::Earliest) => Offset::Beginning,
                (None, StartFrom::Latest) => Offset::End,
            };
            list.add_partition_offset(&stream.topic, stream.partition, offset)
                .map_err(|error| failed(&error))?;
            self.shared.assigned(&stream, position);
            self.assignment.add(stream, position);
        }
        self.consumer
            .incremental_assign(&list)
            .map_err(|error| failed(&error))?;
        self.pause_new_partitions();
        self.report_partitions();
        tracing::info!(kafka.partitions = list.count(), "Kafka partitions assigned");
        Ok(())
    }

    fn unassign(&mut self, partitions: &TopicPartitionList) -> Result<(), SourceError> {
        self.consumer
            .incremental_unassign(partitions)
            .map_err(|error| failed(&error))?;
        tracing::info!(
            kafka.partitions = partitions.count(),
            "Kafka partitions given back"
        );
        Ok(())
    }

    fn report_partitions(&self) {
        self.metrics.partitions.set(self.assignment.len() as i64);
    }
}

fn streams_of(partitions: &TopicPartitionList) -> Vec<StreamId> {
    partitions
        .elements()
        .iter()
        .map(|element| StreamId {
            topic: element.topic().to_owned(),
            partition: element.partition(),
        })
        .collect()
}
