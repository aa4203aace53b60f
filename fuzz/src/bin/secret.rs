//! A secret that stands where the record's credential stands comes out of no event and no reject.
//!
//! The fixtures' key in the input becomes one that scrubbing knows by its prefix, so that wherever the fuzzer moves it, it must
//! be cut out.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tokenwatch_fuzz::{chosen, decode};

/// In the seeds.
const MARK: &[u8] = b"sk_live_example";
const SECRET: &str = "sk_live_4eC39HqLyjWDarjtT1zdp7dc";

fuzz_target!(|input: &[u8]| {
    let Some((decoder, record)) = chosen(input) else {
        return;
    };
    // Where the fuzzer wrote it itself, nobody knows what touches it.
    if holds(record, SECRET.as_bytes()) {
        return;
    }
    let mut planted = Vec::with_capacity(record.len());
    let mut rest = record;
    while let Some(at) = rest.windows(MARK.len()).position(|window| window == MARK) {
        // Letters that touch it would make it another word, which is no key.
        planted.extend_from_slice(&rest[..at]);
        let touches = planted
            .last()
            .is_some_and(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(byte));
        planted.extend_from_slice(if touches { MARK } else { SECRET.as_bytes() });
        rest = &rest[at + MARK.len()..];
    }
    planted.extend_from_slice(rest);
    let (events, rejects) = decode(decoder, &planted);
    let events = serde_json::to_string(&events).expect("events are JSON");
    let rejects = serde_json::to_string(&rejects).expect("rejects are JSON");
    for text in [events, rejects] {
        assert!(!text.contains(SECRET), "{text}");
    }
});

fn holds(text: &[u8], wanted: &[u8]) -> bool {
    text.windows(wanted.len()).any(|window| window == wanted)
}
