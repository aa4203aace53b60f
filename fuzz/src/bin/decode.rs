//! Any bytes in any format: no panic, no stall, no more events than the limit; every event reads back as it was, and nothing
//! is unknown as `""`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tokenwatch_fuzz::{chosen, decode};
use tokenwatch_model::AccessEvent;

fuzz_target!(|input: &[u8]| {
    let Some((decoder, record)) = chosen(input) else {
        return;
    };
    let (events, rejects) = decode(decoder, record);
    for event in &events {
        let text = serde_json::to_string(event).expect("an event is JSON");
        let again: AccessEvent<'_> = serde_json::from_str(&text).expect("an event reads back");
        assert_eq!(
            serde_json::to_string(&again).expect("an event is JSON"),
            text
        );
        assert!(!text.contains(r#"":"""#), "an empty text: {text}");
    }
    for reject in &rejects {
        assert!(reject.excerpt.len() <= 512);
    }
});
