//! Raw records to access events.
//!
//! A pure function of the record, the settings, the key and the geo databases: the same in every thread, in a replay and
//! live. Whatever the bytes are, the result is events, rejects with a reason, or both; never a panic and never a stall.
//!
//! A record becomes documents ([`crate::framing`]), a document calls ([`crate::format`]), a call an event
//! ([`crate::enrich`]).

use serde::de::IgnoredAny;
use tokenwatch_model::{AccessEvent, Format};

use crate::call::Call;
use crate::cloudwatch;
use crate::decoder_config::DecoderSettings;
use crate::enrich::Enricher;
use crate::format::{self, CallSink};
use crate::formats::auto::Recogniser;
use crate::framing;
use crate::geo::Geo;
use crate::metrics::IngestMetrics;
use crate::record::RawRecord;
use crate::reject::{Reject, RejectReason};
use crate::scrub::Scrubber;
use crate::token_key::TokenKey;

/// How much of a rejected record is kept.
const EXCERPT_BYTES: usize = 512;

/// Decodes records; shared by all decoding threads.
#[derive(Debug)]
pub struct Decoder {
    enricher: Enricher,
    recogniser: Recogniser,
    metrics: IngestMetrics,
}

/// Where the events of one record go.
struct Output<'o, 'a> {
    decoder: &'a Decoder,
    record: RawRecord<'a>,
    events: &'o mut Vec<AccessEvent<'a>>,
    rejects: &'o mut Vec<Reject>,
    /// Index of the next event in the record.
    index: u32,
    is_full: bool,
}

/// How much an output held.
#[derive(Clone, Copy)]
struct Mark {
    events: usize,
    rejects: usize,
    index: u32,
}

impl Decoder {
    /// A decoder that makes token ids with `key` and places with `geo`.
    pub fn new(settings: DecoderSettings, key: TokenKey, geo: Geo, metrics: IngestMetrics) -> Self {
        Self {
            enricher: Enricher { settings, key, geo },
            recogniser: Recogniser::new(),
            metrics,
        }
    }

    /// Appends the events of `record` to `events`, and what could not be decoded to `rejects`.
    pub fn decode<'a>(
        &'a self,
        record: RawRecord<'a>,
        events: &mut Vec<AccessEvent<'a>>,
        rejects: &mut Vec<Reject>,
    ) {
        let mut output = Output {
            decoder: self,
            record,
            events,
            rejects,
            index: 0,
            is_full: false,
        };
        if record.bytes.len() > self.enricher.settings.record_bytes_limit {
            return output.reject(RejectReason::Oversized, record.bytes);
        }
        for document in framing::documents(record.bytes) {
            match cloudwatch::messages(document) {
                Some(messages) => {
                    for message in messages {
                        output.attempt(message.as_bytes(), |output| {
                            self.decode_copy(&message, output)
                        });
                        if output.is_full {
                            break;
                        }
                    }
                }
                None => output.attempt(document, |output| self.decode_document(document, output)),
            }
            if output.is_full {
                break;
            }
        }
    }

    /// Counts a batch that was decoded. Apart from `decode`, so that no counter is touched once per event.
    pub fn count(&self, records: usize, events: &[AccessEvent<'_>], rejects: &[Reject]) {
        self.metrics.count_batch(records, events, rejects);
    }

    /// Where addresses are looked up.
    pub fn geo(&self) -> &Geo {
        &self.enricher.geo
    }

    fn decode_document<'a>(
        &'a self,
        document: &'a [u8],
        output: &mut Output<'_, 'a>,
    ) -> Result<(), RejectReason> {
        let Ok(text) = std::str::from_utf8(document) else {
            return self.decode_lossy(document, output);
        };
        self.decode_as_recognised(text, output, |output, format| {
            let settings = &self.enricher.settings;
            let mark = output.mark();
            let mut sink = Borrowing {
                output,
                document,
                format,
            };
            match format::read(format, text, settings, &mut sink) {
                Err(RejectReason::InvalidJson) => {}
                result => return result,
            }
            let Some(repaired) = format::repaired(format, text) else {
                return Err(RejectReason::InvalidJson);
            };
            output.return_to(mark);
            self.read_copy(&repaired, document, format, output)
        })
    }

    /// Decodes a document with bytes that are no UTF-8. nginx logs those of a path or a header as they came, so that a client
    /// can cause them at will; they become U+FFFD, as in gateways that see to it themselves.
    fn decode_lossy<'a>(
        &'a self,
        document: &[u8],
        output: &mut Output<'_, 'a>,
    ) -> Result<(), RejectReason> {
        let text = String::from_utf8_lossy(document);
        self.decode_copy(&text, output)
            .map_err(|_| RejectReason::NotUtf8)
    }

    /// Decodes a text that was taken out of an envelope and does not outlive this.
    fn decode_copy<'a>(
        &'a self,
        text: &str,
        output: &mut Output<'_, 'a>,
    ) -> Result<(), RejectReason> {
        self.decode_as_recognised(text, output, |output, format| {
            let mark = output.mark();
            match self.read_copy(text, text.as_bytes(), format, output) {
                Err(RejectReason::InvalidJson) => {}
                result => return result,
            }
            let Some(repaired) = format::repaired(format, text) else {
                return Err(RejectReason::InvalidJson);
            };
            output.return_to(mark);
            self.read_copy(&repaired, text.as_bytes(), format, output)
        })
    }

    /// Reads a text that does not outlive this.
    fn read_copy<'a>(
        &'a self,
        text: &str,
        document: &[u8],
        format: Format,
        output: &mut Output<'_, 'a>,
    ) -> Result<(), RejectReason> {
        let mut sink = Owning {
            output,
            document,
            format,
        };
        format::read(format, text, &self.enricher.settings, &mut sink)
    }

    /// Reads a text in its format. Where that is recognised and gives no event, the other formats whose keys are there have
    /// their turn: clients choose the keys of some objects, and must not hide a record by the keys of another gateway.
    fn decode_as_recognised<'a>(
        &self,
        text: &str,
        output: &mut Output<'_, 'a>,
        read: impl Fn(&mut Output<'_, 'a>, Format) -> Result<(), RejectReason>,
    ) -> Result<(), RejectReason> {
        let format = self.format_of(text)?;
        let mark = output.mark();
        let result = read(output, format);
        let is_certain = self.enricher.settings.format.format().is_some();
        if is_certain || result.is_err() || output.events.len() > mark.events {
            return result;
        }
        let (rejects, index) = (output.rejects.split_off(mark.rejects), output.index);
        for other in self.recogniser.others(text, format) {
            output.return_to(mark);
            if read(output, other).is_ok() && output.events.len() > mark.events {
                return Ok(());
            }
        }
        output.return_to(mark);
        output.rejects.extend(rejects);
        output.index = index;
        Ok(())
    }

    /// The format of a document that can be read.
    fn format_of(&self, text: &str) -> Result<Format, RejectReason> {
        let settings = &self.enricher.settings;
        if is_nested_deeper(text.as_bytes(), settings.limits.nesting) {
            return Err(RejectReason::NestingTooDeep);
        }
        match settings
            .format
            .format()
            .or_else(|| self.recogniser.recognise(text))
        {
            Some(format) => Ok(format),
            None if is_broken_json(text) => Err(RejectReason::InvalidJson),
            None => Err(RejectReason::UnknownFormat),
        }
    }
}

impl<'a> Output<'_, 'a> {
    /// Takes the events of a document, all or nothing: what stands before the damage may have lost what belongs to it,
    /// credentials too.
    fn attempt(
        &mut self,
        document: &[u8],
        decode: impl FnOnce(&mut Self) -> Result<(), RejectReason>,
    ) {
        let mark = self.mark();
        if let Err(reason) = decode(self) {
            self.return_to(mark);
            self.reject(reason, document);
        }
    }

    /// What there is now.
    fn mark(&self) -> Mark {
        Mark {
            events: self.events.len(),
            rejects: self.rejects.len(),
            index: self.index,
        }
    }

    /// Drops what came since.
    fn return_to(&mut self, mark: Mark) {
        self.events.truncate(mark.events);
        self.rejects.truncate(mark.rejects);
        self.index = mark.index;
    }

    /// The index of one more event, unless the record has too many.
    fn next_index(&mut self, document: &[u8]) -> Option<u32> {
        let index = self.index;
        self.index += 1;
        if index < self.decoder.enricher.settings.limits.record_events {
            return Some(index);
        }
        self.is_full = true;
        self.reject(RejectReason::TooManyEvents, document);
        None
    }

    /// Makes the event of a call, or rejects it.
    fn event<'r>(
        &mut self,
        call: &mut Result<Call<'r>, RejectReason>,
        format: Format,
        document: &[u8],
        record: RawRecord<'r>,
    ) -> Option<AccessEvent<'r>>
    where
        'a: 'r,
    {
        let index = self.next_index(document)?;
        let enricher = &self.decoder.enricher;
        let call = match call {
            Ok(call) => call,
            Err(reason) => {
                self.reject(*reason, document);
                return None;
            }
        };
        match enricher.time_of(call, record) {
            Ok(ts) => Some(enricher.event(call, ts, format, record, index)),
            Err(reason) => {
                // The secrets of this call are known, so its excerpt can be cleaned of them too.
                let secrets = call.credentials.secrets();
                let scrubber = Scrubber::new(&enricher.settings.names, secrets.needles());
                self.rejects
                    .push(reject_of(record, reason, &scrubber, document));
                None
            }
        }
    }

    fn reject(&mut self, reason: RejectReason, document: &[u8]) {
        let scrubber = Scrubber::new(&self.decoder.enricher.settings.names, std::iter::empty());
        self.rejects
            .push(reject_of(self.record, reason, &scrubber, document));
    }
}

fn reject_of(
    record: RawRecord<'_>,
    reason: RejectReason,
    scrubber: &Scrubber<'_>,
    document: &[u8],
) -> Reject {
    Reject {
        reason,
        stream: record.stream.clone(),
        offset: record.offset,
        excerpt: scrubber.excerpt(document, EXCERPT_BYTES),
    }
}

/// Takes calls that borrow from the record.
struct Borrowing<'s, 'o, 'a> {
    output: &'s mut Output<'o, 'a>,
    document: &'a [u8],
    format: Format,
}

impl<'a> CallSink<'a> for Borrowing<'_, '_, 'a> {
    fn take(&mut self, mut call: Result<Call<'a>, RejectReason>) -> bool {
        let event = self
            .output
            .event(&mut call, self.format, self.document, self.output.record);
        self.output.events.extend(event);
        !self.output.is_full
    }
}

/// Takes calls that borrow from a repaired copy of the record, which does not outlive the decoding.
struct Owning<'s, 'o, 'a, 'd> {
    output: &'s mut Output<'o, 'a>,
    document: &'d [u8],
    format: Format,
}

impl<'r, 'a: 'r> CallSink<'r> for Owning<'_, '_, 'a, '_> {
    fn take(&mut self, mut call: Result<Call<'r>, RejectReason>) -> bool {
        let event = self
            .output
            .event(&mut call, self.format, self.document, self.output.record);
        self.output
            .events
            .extend(event.map(AccessEvent::into_owned));
        !self.output.is_full
    }
}

/// Whether brackets are nested deeper than `limit` outside of texts. Most records have fewer brackets than that at all,
/// which counting them tells much faster.
fn is_nested_deeper(document: &[u8], limit: usize) -> bool {
    if opening_brackets(document) <= limit {
        return false;
    }
    let (mut depth, mut is_text, mut is_escaped) = (0_usize, false, false);
    for byte in document {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_text => is_escaped = true,
            b'"' => is_text = !is_text,
            b'[' | b'{' if !is_text => {
                depth += 1;
                if depth > limit {
                    return true;
                }
            }
            b']' | b'}' if !is_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// How many `[` and `{` there are, which differ in one bit only. Bytes are counted in bytes, as many sixteens of them as
/// these can count, so that sixteen are looked at in one step.
fn opening_brackets(document: &[u8]) -> usize {
    let count_few = |few: &[u8]| {
        few.iter().fold(0_u8, |count, byte| {
            count.wrapping_add(u8::from(*byte | 0x20 == b'{'))
        })
    };
    document
        .chunks(usize::from(u8::MAX) / 16 * 16)
        .map(|few| usize::from(count_few(few)))
        .sum()
}

/// Whether a document of no known format begins like JSON and is none.
fn is_broken_json(text: &str) -> bool {
    text.starts_with(['{', '[']) && serde_json::from_str::<IgnoredAny>(text).is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nesting_is_counted_outside_of_texts() {
        assert!(!is_nested_deeper(b"[[[]]]", 3));
        assert!(is_nested_deeper(b"[[[]]]", 2));
        assert!(!is_nested_deeper(br#"{"a":"[[[[\"[[[["}"#, 1));
        assert!(!is_nested_deeper(b"[],[],[],[]", 1));
    }

    #[test]
    fn brackets_are_counted_past_what_a_byte_counts() {
        assert_eq!(opening_brackets(&b"[{".repeat(1_000)), 2_000);
        assert_eq!(opening_brackets(b"a]}b"), 0);
    }
}
