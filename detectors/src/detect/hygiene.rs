//! What `insecure_transport` and `token_in_url` share: a fact that the decoder noticed, told once a day and token.
//!
//! Where more than a twentieth of the fleet does the same, it is the way of this API and no news of a single token: then
//! it is a signal only.

use tokenwatch_model::{AccessEvent, Detector, EventFlag, Evidence, Severity};

use crate::commons::Popularity;
use crate::hit::{Belonging, Hit, QUIET_S, Story, Tier};
use crate::token::{Fact, Token};

/// Weight: it is a risk, and says little about who uses the token.
const HYGIENE_DB: f64 = 5.0;
/// Tokens that the fleet must have for shares to mean anything.
const LEAST_TOKENS: u32 = 20;
/// One token in so many may do it and still be told.
const RARE_PART: u32 = 20;

/// A hit if the call has `flag`, for the first time today.
pub(crate) fn observe(
    token: &mut Token,
    popularity: &mut Popularity,
    event: &AccessEvent<'_>,
    flag: EventFlag,
    detector: Detector,
    text: &str,
) -> Option<Hit> {
    if !event.flags.contains(flag) {
        return None;
    }
    let (told, had) = match flag {
        EventFlag::TokenInUrl => (Fact::ToldTokenInUrl, Fact::HadTokenInUrl),
        EventFlag::InsecureTransport => (Fact::ToldInsecureTransport, Fact::HadInsecureTransport),
        EventFlag::Scrubbed => return None,
    };
    if token.marks.is(told) {
        return None;
    }
    token.marks.set(told, true);
    let feature = 0x0f1a_6000 + flag as u64;
    if !token.marks.is(had) {
        token.marks.set(had, true);
        popularity.takes_up(feature, event.ts);
    }
    let (with, all) = (
        popularity.tokens_with(feature, event.ts),
        popularity.tokens(event.ts),
    );
    let is_custom = all >= LEAST_TOKENS && with.saturating_mul(RARE_PART) > all;
    Some(Hit {
        tier: if is_custom {
            Tier::Signal
        } else {
            Tier::Finding
        },
        severity: Severity::Low,
        evidence_db: HYGIENE_DB,
        hard: false,
        size: 1.0,
        window_start: event.ts,
        quiet_s: QUIET_S,
        confirm: false,
        story: Story {
            detector,
            rank: 0,
            belonging: Belonging::OwnHits,
            text: format!("{text} ({}){{sources}}", crate::samples::call(event)),
            figures: Evidence {
                statistic: "a fact of the log".to_owned(),
                ..Evidence::default()
            },
        },
        bulk: None,
    })
}
