//! Reads a JSON Web Token without verifying it: the gateway did, or refused it.
//!
//! Claims make the identity of the grant behind short-lived tokens; beside that, header and claims are held against what is
//! expected of them, and only facts from a closed list leave this module. The token itself is never kept. Whether the
//! secret behind an HMAC is weak cannot be seen in a log, and is not claimed.

mod claim_names;
mod config;
mod header;
mod key_ids;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{DeserializeSeed, MapAccess};
use tokenwatch_model::{JwtAlgorithm, JwtFact, JwtFacts, JwtKeyKind, Text, Timestamp};

use crate::binding::{Proven, thumbprint};
use crate::credentials::Grant;
use crate::json::{self, Fields, Object};

pub(crate) use config::JwtPolicy;
pub use config::{JwtConfig, JwtIssuerConfig};
pub use key_ids::JwtKeyIds;

/// Longer payloads are not read: headers of 16 KiB are more than any gateway takes.
const PAYLOAD_LIMIT_BYTES: usize = 16 * 1_024;

/// The claims of a token, owned: the decoded payload does not outlive this. What was noticed is held against `policy`.
pub(crate) fn claims(token: &str, policy: &JwtPolicy) -> Option<Grant<'static>> {
    let (header, rest) = token.split_once('.')?;
    let payload = rest.split_once('.').map_or(rest, |(payload, _)| payload);
    if !header.starts_with("eyJ") || payload.len() > PAYLOAD_LIMIT_BYTES {
        return None;
    }
    let decoded = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    let text = std::str::from_utf8(&decoded).ok()?;
    let mut claims = Claims::default();
    Object(&mut claims)
        .deserialize(&mut serde_json::Deserializer::from_str(text))
        .ok()?;
    let mut grant = claims.grant;
    if !claims.has_end {
        grant.noticed.insert(JwtFact::MissingEnd);
    }
    if let Some(decoded) = header::decode(header)
        && let Some(header) = header::read(&decoded)
    {
        grant.take_header(&header, policy);
    }
    Some(grant.into_owned())
}

#[derive(Default)]
struct Claims<'a> {
    grant: Grant<'a>,
    has_end: bool,
}

impl<'de> Fields<'de> for Claims<'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        if key == "cnf" {
            return map.next_value_seed(Object(&mut self.grant.bound));
        }
        self.has_end |= key == "exp";
        if !is_known(key)
            && let Some(fact) = claim_names::classify(key)
        {
            self.grant.noticed.insert(fact);
        }
        self.grant.claim(key, map)
    }
}

impl<'a> Grant<'a> {
    /// Takes the claim `name`.
    pub(crate) fn claim<A: MapAccess<'a>>(
        &mut self,
        name: &str,
        map: &mut A,
    ) -> Result<(), A::Error> {
        if !is_known(name) {
            return json::skip(map);
        }
        if let Some(value) = json::text(map)? {
            self.claim_text(name, value);
        }
        Ok(())
    }

    /// Takes the value of the claim `name`, or of a few names under which operators log what is deeper in a token.
    pub(crate) fn claim_text(&mut self, name: &str, value: Text<'a>) {
        match name {
            // "none" is a value here.
            "alg" | "header_alg" => self.algorithm = JwtAlgorithm::of_name(&value),
            _ if json::is_missing(&value) => {}
            "iss" => self.issuer = Some(value),
            "sub" => self.subject = Some(value),
            "client_id" => self.client = Some(value),
            "azp" | "cid" | "appid" => {
                self.client.get_or_insert(value);
            }
            "jti" => self.instance = Some(value),
            "scope" | "scp" | "scopes" => self.scopes = Some(value),
            "iat" => self.issued_at = moment(&value),
            "exp" => self.expires_at = moment(&value),
            "nbf" => self.not_before = moment(&value),
            "aud" => self.audience = Some(value),
            "cnf_x5t_s256" => self.bound.certificate = thumbprint(Some(value)),
            "cnf_jkt" => self.bound.key = thumbprint(Some(value)),
            _ => {}
        }
    }

    /// Notes what the header of the token gives away.
    fn take_header(&mut self, header: &header::Header<'_>, policy: &JwtPolicy) {
        self.algorithm = header.algorithm;
        if header.has_key {
            self.noticed.insert(JwtFact::EmbeddedKey);
        }
        if header.points_elsewhere(self.issuer.as_deref()) {
            self.noticed.insert(JwtFact::ForeignKeyUrl);
        }
        let issuer = policy.issuer(self.issuer.as_deref());
        if issuer.is_some_and(|known| !known.key_ids.allow(header.key_id.as_deref())) {
            self.noticed.insert(JwtFact::UnknownKey);
        }
    }
}

impl JwtPolicy {
    fn issuer(&self, name: Option<&str>) -> Option<&config::Issuer> {
        let name = name?;
        self.issuers.iter().find(|issuer| issuer.name == name)
    }

    /// What is to be noticed about a token that was used at `at` by who proved to hold `proven`.
    pub(crate) fn judge(&self, grant: &Grant<'_>, proven: Proven, at: Timestamp) -> JwtFacts {
        let mut facts = grant.noticed;
        let breaches = grant.bound.breaches(proven);
        breaches.iter().for_each(|fact| facts.insert(fact));
        let latest = at + self.clock_skew;
        let starts = [grant.issued_at, grant.not_before];
        if starts.into_iter().flatten().any(|start| start > latest) {
            facts.insert(JwtFact::FromTheFuture);
        }
        if self.issuers.is_empty() {
            return facts;
        }
        let Some(issuer) = self.issuer(grant.issuer.as_deref()) else {
            facts.insert(JwtFact::UnexpectedIssuer);
            return facts;
        };
        let algorithm = grant.algorithm;
        let expects = issuer.algorithms.is_empty() || issuer.algorithms.contains(&algorithm);
        if !algorithm.is_unsaid() && !expects {
            let shared = algorithm.key_kind() == Some(JwtKeyKind::Shared);
            facts.insert(if shared && issuer.signs_publicly() {
                JwtFact::ConfusedAlgorithm
            } else {
                JwtFact::UnexpectedAlgorithm
            });
        }
        let mut audiences = grant.audience.iter().flat_map(|names| names.split(", "));
        if !issuer.audiences.is_empty()
            && !audiences.any(|name| issuer.audiences.iter().any(|known| known == name))
        {
            facts.insert(JwtFact::UnexpectedAudience);
        }
        facts
    }
}

fn is_known(claim: &str) -> bool {
    matches!(
        claim,
        "iss"
            | "sub"
            | "client_id"
            | "azp"
            | "cid"
            | "appid"
            | "jti"
            | "scope"
            | "scp"
            | "scopes"
            | "iat"
            | "exp"
            | "nbf"
            | "aud"
    )
}

/// A `NumericDate` of RFC 7519: seconds since 1970, perhaps with a fraction. Anything else says nothing, and so do times
/// that no token has.
fn moment(text: &str) -> Option<Timestamp> {
    /// 2001-09-09 to 2286-11-20: ten digits.
    const CREDIBLE: std::ops::Range<f64> = 1e9..1e10;
    let seconds: f64 = text.trim().parse().ok()?;
    CREDIBLE
        .contains(&seconds)
        .then(|| Timestamp::from_micros((seconds * 1e6) as i64))
}

impl Grant<'_> {
    /// The same, borrowing nothing.
    fn into_owned(self) -> Grant<'static> {
        let own = |text: Option<Text<'_>>| text.map(|text| text.into_owned().into());
        Grant {
            issuer: own(self.issuer),
            subject: own(self.subject),
            client: own(self.client),
            instance: own(self.instance),
            scopes: own(self.scopes),
            issued_at: self.issued_at,
            expires_at: self.expires_at,
            not_before: self.not_before,
            audience: own(self.audience),
            algorithm: self.algorithm,
            bound: self.bound,
            noticed: self.noticed,
        }
    }
}

#[cfg(test)]
mod tests;
