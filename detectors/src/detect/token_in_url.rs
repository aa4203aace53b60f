//! `token_in_url`: the token stood in a URL, where proxies, browsers and logs keep it.
//!
//! Deterministic. Misses gateways that strip the query before they log. Its main false positive is an API that wants it
//! so: then it is a signal only. Bytes per token: 2 bits.

use tokenwatch_model::{AccessEvent, Detector, EventFlag};

use super::hygiene;
use crate::commons::Popularity;
use crate::hit::Hit;
use crate::token::Token;

/// A hit on the first such call of a day.
pub(crate) fn observe(
    token: &mut Token,
    popularity: &mut Popularity,
    event: &AccessEvent<'_>,
) -> Option<Hit> {
    hygiene::observe(
        token,
        popularity,
        event,
        EventFlag::TokenInUrl,
        Detector::TokenInUrl,
        "{name} came in a URL, where every proxy, browser and log on the way keeps it",
    )
}
