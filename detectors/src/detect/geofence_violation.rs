//! `geofence_violation`: a call from a country that the token is not registered for.
//!
//! Deterministic, as far as the geo database is right. Misses a thief in the same country, or behind a VPN that ends there;
//! a call of unknown country violates nothing. Its main false positive is an address whose country the database has wrong.
//! Needs no history and keeps no state per token.

use tokenwatch_model::{AccessEvent, Detector};

use super::breach::{Breach, listed};
use super::ip_not_allowed::grade;
use crate::hit::{Hit, Tier};
use crate::registry::Registered;

/// A hit if the call comes from another country.
pub(crate) fn observe(event: &AccessEvent<'_>, known: &Registered<'_>) -> Option<Hit> {
    let allowed = &known.entry.allowed_countries;
    let country = event.client.country?;
    if allowed.is_empty() || allowed.contains(&country) {
        return None;
    }
    let (severity, evidence_db) = grade(known.entry.class);
    let breach = Breach {
        detector: Detector::GeofenceViolation,
        tier: Tier::Finding,
        severity,
        evidence_db,
        hard: true,
        rank: 0,
        text: format!(
            "{{name}} was used from {country}, a country that it is not registered for{{outcomes}}{{sources}}"
        ),
        statistic: "registry: deterministic, by the country of the address",
        usual: format!(
            "registered for {}",
            listed(allowed.iter().map(ToString::to_string))
        ),
    };
    Some(breach.hit(event))
}
