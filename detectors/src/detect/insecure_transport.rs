//! `insecure_transport`: the call crossed the network without TLS, and the token with it, readable for everyone.
//!
//! Deterministic. Misses gateways behind a balancer that ends TLS and does not say so. Its main false positive is exactly
//! that the other way round: a balancer that ends TLS before a gateway that logs `http`; then all tokens do it, and it is
//! a signal only. Bytes per token: 2 bits.

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
        EventFlag::InsecureTransport,
        Detector::InsecureTransport,
        "{name} was sent without TLS, readable for everyone on the way",
    )
}
