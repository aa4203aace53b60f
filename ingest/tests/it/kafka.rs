//! The Kafka source against librdkafka's mock cluster.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use tokenwatch_ingest::{
    KafkaConfig, KafkaMetrics, KafkaSource, KafkaState, OptionValue, SourceError, SourceEvent,
    StartFrom,
};
use tokenwatch_model::{Clock, Position, Timestamp};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::{Asked, NoSecrets, PATIENCE, Pipeline, stream};

type Cluster = MockCluster<'static, DefaultProducerContext>;

struct Running {
    handle: tokenwatch_ingest::KafkaHandle,
    metrics: KafkaMetrics,
    cancel: CancellationToken,
    task: JoinHandle<Result<(), SourceError>>,
}

fn cluster(topics: &[(&str, i32)]) -> Cluster {
    let cluster = MockCluster::new(1).expect("a mock cluster starts");
    for (topic, partitions) in topics {
        cluster
            .create_topic(topic, *partitions, 1)
            .expect("a topic is created");
    }
    cluster
}

fn config(cluster: &Cluster, topics: &[&str]) -> KafkaConfig {
    KafkaConfig {
        brokers: vec![cluster.bootstrap_servers()],
        topics: topics.iter().map(|topic| (*topic).to_owned()).collect(),
        revoke_timeout: Duration::from_secs(20),
        options: [
            ("session.timeout.ms", 3_000),
            ("heartbeat.interval.ms", 300),
            ("reconnect.backoff.max.ms", 500),
        ]
        .map(|(name, value)| (name.to_owned(), OptionValue::Number(value)))
        .into(),
        ..KafkaConfig::default()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test waits for the task itself"
)]
fn start(config: &KafkaConfig, tx: mpsc::Sender<SourceEvent>) -> Running {
    let settings = config
        .validate("ingest.kafka", &NoSecrets)
        .expect("valid")
        .expect("turned on");
    let metrics = KafkaMetrics::default();
    let clock = Clock::fixed(Timestamp::from_secs(4_000_000_000));
    let source = KafkaSource::new(settings, clock, metrics.clone());
    let handle = source.handle();
    let cancel = CancellationToken::new();
    let stop = cancel.clone();
    let task = tokio::spawn(async move { source.run(tx, stop).await });
    Running {
        handle,
        metrics,
        cancel,
        task,
    }
}

impl Running {
    async fn stop(self, pipeline: &mut Pipeline) {
        self.cancel.cancel();
        let answer = async {
            while let Some(event) = pipeline.rx.recv().await {
                match event {
                    SourceEvent::Batch(_) => {}
                    SourceEvent::Assigned { positions, .. } => {
                        positions.send(HashMap::new()).expect("the source waits");
                    }
                    SourceEvent::Revoked { done, .. } => {
                        done.send(()).expect("the source waits for the checkpoint");
                    }
                }
            }
        };
        let (result, ()) =
            tokio::time::timeout(PATIENCE, async { tokio::join!(self.task, answer) })
                .await
                .expect("the source stops in time");
        result.expect("no panic").expect("no error");
    }
}

fn produce(cluster: &Cluster, topic: &str, partition: i32, texts: impl Iterator<Item = String>) {
    let producer: ThreadedProducer<DefaultProducerContext> = ClientConfig::new()
        .set("bootstrap.servers", cluster.bootstrap_servers())
        .set("queue.buffering.max.messages", "1000000")
        .create()
        .expect("a producer");
    for text in texts {
        let record = BaseRecord::<(), str>::to(topic)
            .partition(partition)
            .payload(text.as_str());
        producer.send(record).expect("room in the producer's queue");
    }
    producer.flush(PATIENCE).expect("delivered");
}

fn numbers(range: std::ops::Range<usize>) -> impl Iterator<Item = String> {
    range.map(|number| number.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn all_partitions_of_several_topics_are_read_in_order() {
    let cluster = cluster(&[("a", 3), ("b", 1)]);
    for partition in 0..3 {
        produce(&cluster, "a", partition, numbers(0..100));
    }
    produce(&cluster, "b", 0, numbers(0..50));
    let (tx, mut pipeline) = Pipeline::new(4);
    let running = start(&config(&cluster, &["a", "b"]), tx);
    pipeline.run_until(|pipeline| pipeline.count() == 350).await;
    for (id, lines) in &pipeline.received {
        let expected: Vec<_> = (0..if id.topic == "a" { 100 } else { 50 })
            .map(|number| (number, number.to_string()))
            .collect();
        assert_eq!(lines, &expected, "{id:?}");
    }
    assert_eq!(pipeline.received.len(), 4);
    assert_eq!(running.metrics.records.get(), 350);
    running.stop(&mut pipeline).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_may_be_a_regular_expression() {
    let cluster = cluster(&[("gateway.eu", 1), ("gateway.us", 1), ("other", 1)]);
    for topic in ["gateway.eu", "gateway.us", "other"] {
        produce(&cluster, topic, 0, numbers(0..10));
    }
    let (tx, mut pipeline) = Pipeline::new(4);
    let running = start(&config(&cluster, &["^gateway\\..*"]), tx);
    pipeline.run_until(|pipeline| pipeline.count() == 20).await;
    let topics: Vec<_> = pipeline
        .received
        .keys()
        .map(|id| id.topic.as_str())
        .collect();
    assert_eq!(topics, ["gateway.eu", "gateway.us"]);
    running.stop(&mut pipeline).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_goes_on_at_the_positions_that_the_pipeline_answers() {
    let cluster = cluster(&[("a", 2)]);
    produce(&cluster, "a", 0, numbers(0..10));
    produce(&cluster, "a", 1, numbers(0..10));
    let (tx, mut pipeline) = Pipeline::new(4);
    pipeline.positions.insert(stream("a", 0), 7);
    let running = start(&config(&cluster, &["a"]), tx);
    pipeline.run_until(|pipeline| pipeline.count() == 13).await;
    assert_eq!(pipeline.received[&stream("a", 0)][0], (7, "7".to_owned()));
    assert_eq!(pipeline.received[&stream("a", 1)][0], (0, "0".to_owned()));
    assert_eq!(running.metrics.gap_records.get(), 0);
    running.stop(&mut pipeline).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_the_broker_deleted_before_they_were_read_are_counted() {
    let cluster = cluster(&[("a", 1)]);
    // The mock cluster keeps 5 MB of a partition.
    produce(&cluster, "a", 0, (0..100).map(|_| "x".repeat(200_000)));
    let (tx, mut pipeline) = Pipeline::new(4);
    pipeline.positions.insert(stream("a", 0), 1);
    let running = start(&config(&cluster, &["a"]), tx);
    let newest = |pipeline: &Pipeline| Some(pipeline.received.get(&stream("a", 0))?.last()?.0);
    pipeline
        .run_until(|pipeline| newest(pipeline) == Some(99))
        .await;
    let first = pipeline.received[&stream("a", 0)][0].0;
    assert!(first > 1, "the first record was deleted");
    assert_eq!(running.metrics.gap_records.get(), first.unsigned_abs() - 1);
    running.stop(&mut pipeline).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_without_a_position_may_start_at_the_end() {
    let cluster = cluster(&[("a", 1)]);
    produce(&cluster, "a", 0, numbers(0..10));
    let mut config = config(&cluster, &["a"]);
    config.start_from = StartFrom::Latest;
    let (tx, mut pipeline) = Pipeline::new(4);
    let running = start(&config, tx);
    pipeline
        .run_until(|pipeline| !pipeline.assigned.is_empty())
        .await;
    // The end is looked up after the assignment, so records are appended until one arrives.
    let mut number = 10;
    while pipeline.received.is_empty() {
        produce(&cluster, "a", 0, numbers(number..number + 1));
        number += 1;
        let next = tokio::time::timeout(Duration::from_millis(200), pipeline.next());
        next.await.ok();
    }
    assert!(pipeline.received[&stream("a", 0)][0].0 >= 10);
    running.stop(&mut pipeline).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_without_a_value_are_skipped_and_counted() {
    let cluster = cluster(&[("a", 1)]);
    let producer: ThreadedProducer<DefaultProducerContext> = ClientConfig::new()
        .set("bootstrap.servers", cluster.bootstrap_servers())
        .create()
        .expect("a producer");
    for payload in [None, Some(""), Some("text")] {
        let mut record = BaseRecord::<str, str>::to("a").partition(0).key("key");
        record.payload = payload;
        producer.send(record).expect("room in the producer's queue");
    }
    producer.flush(PATIENCE).expect("delivered");
    let (tx, mut pipeline) = Pipeline::new(4);
    let running = start(&config(&cluster, &["a"]), tx);
    pipeline.run_until(|pipeline| pipeline.count() == 1).await;
    assert_eq!(pipeline.received[&stream("a", 0)], [(2, "text".to_owned())]);
    assert_eq!(running.metrics.empty.get(), 2);
    running.stop(&mut pipeline).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_member_takes_partitions_over_where_the_first_was_checkpointed() {
    let cluster = cluster(&[("a", 4)]);
    for partition in 0..4 {
        produce(&cluster, "a", partition, numbers(0..100));
    }
    let config = config(&cluster, &["a"]);
    let (tx, mut first) = Pipeline::new(4);
    let first_source = start(&config, tx);
    first.run_until(|pipeline| pipeline.count() == 400).await;

    let (tx, mut second) = Pipeline::new(4);
    let second_source = start(&config, tx);
    let Asked::Revoked(revoked, done) = first.next().await else {
        panic!("nothing else comes: everything was read");
    };
    assert_eq!(revoked.len(), 2);
    // Until the checkpoint is written, nobody owns the partitions.
    assert!(second.rx.try_recv().is_err());
    second.positions.clone_from(&first.positions);
    done.send(()).expect("the source waits for the checkpoint");
    second
        .run_until(|pipeline| pipeline.assigned.len() == 2)
        .await;

    let owned = |pipeline: &Pipeline| pipeline.assigned.iter().cloned().collect::<BTreeSet<_>>();
    assert_eq!(owned(&second), revoked.into_iter().collect());
    assert!(owned(&first).is_disjoint(&owned(&second)));
    for partition in 0..4 {
        produce(&cluster, "a", partition, numbers(100..110));
    }
    first.run_until(|pipeline| pipeline.count() == 420).await;
    second.run_until(|pipeline| pipeline.count() == 20).await;
    for lines in second.received.values() {
        assert_eq!(lines[0], (100, "100".to_owned()));
    }
    second_source.stop(&mut second).await;
    first_source.stop(&mut first).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_pipeline_pauses_reading_and_keeps_the_membership() {
    let cluster = cluster(&[("a", 1)]);
    produce(&cluster, "a", 0, numbers(0..20_000));
    let mut config = config(&cluster, &["a"]);
    config.batch_records = 100;
    config.options.insert(
        "max.poll.interval.ms".to_owned(),
        OptionValue::Number(3_000),
    );
    let (tx, mut pipeline) = Pipeline::new(1);
    let running = start(&config, tx);
    pipeline.run_until(|pipeline| pipeline.count() >= 500).await;
    // Nobody takes anything for longer than the group allows between two polls.
    let stalled = std::time::Instant::now();
    let mut state = running.handle.state();
    while stalled.elapsed() < Duration::from_secs(5) || running.metrics.paused.get() == 0 {
        assert!(stalled.elapsed() < PATIENCE, "partitions are paused");
        let changed = tokio::time::timeout(Duration::from_millis(100), state.changed());
        changed.await.ok();
    }
    assert_eq!(running.metrics.partitions.get(), 1);
    let read = running.metrics.records.get();
    assert!(read < 2_000, "{read} records were read for nobody");
    loop {
        assert!(
            !matches!(pipeline.next().await, Asked::Revoked(..)),
            "the group lost its member"
        );
        if pipeline.count() == 20_000 {
            break;
        }
    }
    let offsets: Vec<_> = pipeline.received[&stream("a", 0)]
        .iter()
        .map(|line| line.0)
        .collect();
    assert!(
        offsets.iter().copied().eq(0..20_000),
        "each record once, in order"
    );
    assert_eq!(running.metrics.paused.get(), 0);
    running.stop(&mut pipeline).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_goes_away_and_comes_back_loses_nothing() {
    let cluster = cluster(&[("a", 1)]);
    produce(&cluster, "a", 0, numbers(0..100));
    let (tx, mut pipeline) = Pipeline::new(4);
    let running = start(&config(&cluster, &["a"]), tx);
    let mut state = running.handle.state();
    pipeline.run_until(|pipeline| pipeline.count() == 100).await;
    cluster.broker_down(-1).expect("the broker goes down");
    let down = state.wait_for(|state| matches!(state, KafkaState::Down { .. }));
    tokio::time::timeout(PATIENCE, down)
        .await
        .expect("in time")
        .expect("runs");
    cluster.broker_up(-1).expect("the broker comes back");
    produce(&cluster, "a", 0, numbers(100..200));
    pipeline.run_until(|pipeline| pipeline.count() == 200).await;
    let up = state.wait_for(|state| *state == KafkaState::Up);
    tokio::time::timeout(PATIENCE, up)
        .await
        .expect("in time")
        .expect("runs");
    let offsets: Vec<_> = pipeline.received[&stream("a", 0)]
        .iter()
        .map(|line| line.0)
        .collect();
    assert!(offsets.iter().copied().eq(0..200));
    running.stop(&mut pipeline).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_source_asks_for_its_last_checkpoint_and_stops_while_no_broker_answers() {
    let cluster = cluster(&[("a", 1)]);
    produce(&cluster, "a", 0, numbers(0..10));
    let (tx, mut pipeline) = Pipeline::new(4);
    let running = start(&config(&cluster, &["a"]), tx);
    pipeline.run_until(|pipeline| pipeline.count() == 10).await;
    cluster.broker_down(-1).expect("the broker goes down");
    running.cancel.cancel();
    pipeline
        .run_until(|pipeline| pipeline.assigned.is_empty())
        .await;
    running.stop(&mut pipeline).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lag_counts_what_the_pipeline_was_not_handed() {
    let cluster = cluster(&[("a", 1)]);
    produce(&cluster, "a", 0, numbers(0..5_000));
    let mut config = config(&cluster, &["a"]);
    config.batch_records = 1_000;
    let (tx, mut pipeline) = Pipeline::new(1);
    let running = start(&config, tx);
    pipeline
        .run_until(|pipeline| pipeline.count() >= 1_000)
        .await;
    let mut waits = tokio::time::interval(Duration::from_millis(50));
    tokio::time::timeout(PATIENCE, async {
        loop {
            let lag = running.handle.lag();
            if lag.len() == 1 && lag[0].records > 0 && lag[0].seconds > 0 {
                return;
            }
            waits.tick().await;
        }
    })
    .await
    .expect("lag shows while the pipeline is full");
    pipeline
        .run_until(|pipeline| pipeline.count() == 5_000)
        .await;
    running.handle.committed(&[Position {
        stream: stream("a", 0),
        next_offset: 5_000,
    }]);
    running.stop(&mut pipeline).await;
}
