//! Ingest from the outside: whole records of every format, damaged ones and planted secrets; the sources against real
//! brokers (librdkafka's mock cluster), real files and the real router.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

mod allocations;
mod damage;
mod files;
mod fixtures;
mod geo;
mod http_push;
mod kafka;
mod planted;
mod samples;
mod secrets;
mod support;

use tokenwatch_ingest::{Decoder, DecoderConfig, Geo, IngestMetrics, RawRecord, Reject, TokenKey};
use tokenwatch_model::{AccessEvent, StreamId};

/// A decoder with a fixed key and no geo databases.
fn decoder(config: &DecoderConfig) -> Decoder {
    let settings = config
        .validate("decoder")
        .expect("the configuration is valid");
    Decoder::new(
        settings,
        TokenKey::from_bytes(&[7; 32]),
        Geo::off(),
        IngestMetrics::default(),
    )
}

fn stream() -> StreamId {
    StreamId {
        topic: "gateway.access".into(),
        partition: 3,
    }
}

/// What `decoder` makes of one record.
fn decode(
    decoder: &Decoder,
    offset: i64,
    bytes: &[u8],
) -> (Vec<AccessEvent<'static>>, Vec<Reject>) {
    let stream = stream();
    let (mut events, mut rejects) = (Vec::new(), Vec::new());
    decoder.decode(
        RawRecord {
            stream: &stream,
            offset,
            appended_at: None,
            bytes,
        },
        &mut events,
        &mut rejects,
    );
    (
        events.into_iter().map(AccessEvent::into_owned).collect(),
        rejects,
    )
}
