//! What the fuzz targets share: decoders of every format, and what must hold whatever the bytes are.
//!
//! An input's first byte chooses the format, `auto` among them, the rest is a record. Envelopes, syslog headers, JWTs and
//! scrubbing are on the way of a record, so they need no target of their own.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use tokenwatch_ingest::{
    Decoder, DecoderConfig, FormatChoice, Geo, IngestMetrics, RawRecord, Reject, TokenKey,
};
use tokenwatch_model::{AccessEvent, StreamId};

/// What no record of a few kilobytes may take; a hundred times what the slowest known takes, for machines that are busy.
const TIME_LIMIT: Duration = Duration::from_secs(1);
/// `limits.record_events`, and the reject that says that there were more.
const EVENTS_LIMIT: usize = 10_001;

static MAPPED: &str = include_str!("../../ingest/tests/fixtures/mapped/config.json");

static DECODERS: LazyLock<Vec<Decoder>> =
    LazyLock::new(|| FormatChoice::ALL.into_iter().map(decoder).collect());

/// The decoder and the record that an input stands for.
pub fn chosen(input: &[u8]) -> Option<(&'static Decoder, &[u8])> {
    let (choice, record) = input.split_first()?;
    Some((&DECODERS[usize::from(*choice) % DECODERS.len()], record))
}

/// Decodes a record, within the limits on time and number.
///
/// # Panics
///
/// When a limit is passed.
pub fn decode(decoder: &Decoder, record: &[u8]) -> (Vec<AccessEvent<'static>>, Vec<Reject>) {
    let stream = StreamId {
        topic: "fuzz".to_owned(),
        partition: 0,
    };
    let (mut events, mut rejects) = (Vec::new(), Vec::new());
    let start = Instant::now();
    let raw = RawRecord {
        stream: &stream,
        offset: 0,
        appended_at: None,
        bytes: record,
    };
    decoder.decode(raw, &mut events, &mut rejects);
    assert!(start.elapsed() < TIME_LIMIT, "took {:?}", start.elapsed());
    assert!(events.len() + rejects.len() <= EVENTS_LIMIT);
    (
        events.into_iter().map(AccessEvent::into_owned).collect(),
        rejects,
    )
}

fn decoder(format: FormatChoice) -> Decoder {
    let config = match format {
        FormatChoice::Mapped => serde_json::from_str(MAPPED).expect("the fixture is valid"),
        format => DecoderConfig {
            format,
            ..DecoderConfig::default()
        },
    };
    Decoder::new(
        config.validate("").expect("the configuration is valid"),
        TokenKey::from_bytes(&[7; 32]),
        Geo::off(),
        IngestMetrics::default(),
    )
}
