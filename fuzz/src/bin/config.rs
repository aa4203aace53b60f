//! Any document as the decoder's configuration is refused with its problems or taken, and what was taken decodes.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tokenwatch_fuzz::decode;
use tokenwatch_ingest::{Decoder, DecoderConfig, Geo, IngestMetrics, TokenKey};

const RECORD: &str = r#"{"when":1763793600,"call":{"verb":"get","url":"https://api.example.com/v2/items?key=x","codes":[200,"x"]},"who":{"key":"k"}}"#;

fuzz_target!(|document: &[u8]| {
    let Ok(config) = serde_json::from_slice::<DecoderConfig>(document) else {
        return;
    };
    match config.validate("ingest.decoder") {
        Ok(settings) => {
            let key = TokenKey::from_bytes(&[7; 32]);
            let decoder = Decoder::new(settings, key, Geo::off(), IngestMetrics::default());
            decode(&decoder, RECORD.as_bytes());
        }
        Err(problems) => assert!(!problems.is_empty()),
    }
});
