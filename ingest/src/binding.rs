//! Keys that a token is bound to, by its own claim, and keys that the caller proved to hold, by the gateway's log.
//!
//! A token is bound to a client certificate by `cnf.x5t#S256` (RFC 8705), to a key by `cnf.jkt` (RFC 9449). The certificate's
//! SHA-256 fingerprint or the certificate itself is what some gateways log; a `DPoP` proof carries its public key, whose
//! thumbprint is made here (RFC 7638). SHA-1 fingerprints cannot be compared and say nothing. Proofs are not verified: the
//! gateway did, or let everything in.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use data_encoding::HEXLOWER_PERMISSIVE;
use serde::de::MapAccess;
use sha2::{Digest, Sha256};
use tokenwatch_model::{JwtFact, JwtFacts, Text};

use crate::json::{self, Fields, Object};

/// A SHA-256.
pub(crate) type Thumbprint = [u8; 32];

/// Longer certificates and proofs are not read.
const LIMIT_BYTES: usize = 16 * 1_024;

/// What a token says that its holder must prove.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bound {
    pub(crate) certificate: Option<Thumbprint>,
    pub(crate) key: Option<Thumbprint>,
}

/// What the caller proved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Proven {
    pub(crate) certificate: Certificate,
    pub(crate) key: Option<Thumbprint>,
}

/// The client's certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Certificate {
    /// The log does not say.
    #[default]
    Unsaid,
    /// There was none.
    Missing,
    /// There was one.
    Shown(Thumbprint),
}

/// What a field of a flat record says about the caller's keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProofField {
    Fingerprint,
    Certificate,
    ProofKey,
}

impl ProofField {
    /// What the field `name` says, if anything: these are the names under which operators log the SHA-256 fingerprint of the
    /// client's certificate, and the certificate.
    pub(crate) fn of(name: &str) -> Option<Self> {
        // Bytes, so that lengths are told apart before names are compared: this is asked of every key that a format does not
        // know.
        match name.as_bytes() {
            b"downstream_peer_fingerprint_256"
            | b"peer_fingerprint_256"
            | b"ssl_client_fingerprint_sha256"
            | b"ssl_client_sha256"
            | b"client_cert_sha256"
            | b"client_certificate_sha256"
            | b"tls_client_cert_sha256"
            | b"ClientMTLSAuthCertFingerprint" => Some(Self::Fingerprint),
            b"ssl_client_escaped_cert" | b"ssl_client_cert" | b"ssl_client_raw_cert" => {
                Some(Self::Certificate)
            }
            // Where a gateway makes the thumbprint of the proof's key.
            b"dpop_jkt" => Some(Self::ProofKey),
            _ => None,
        }
    }
}

impl Bound {
    /// Whether it says nothing.
    pub(crate) const fn is_free(&self) -> bool {
        self.certificate.is_none() && self.key.is_none()
    }

    /// What a token that is bound so and was used with `proven` breaks.
    pub(crate) fn breaches(self, proven: Proven) -> JwtFacts {
        let mut facts = JwtFacts::default();
        match (self.certificate, proven.certificate) {
            (Some(bound), Certificate::Shown(shown)) if bound != shown => {
                facts.insert(JwtFact::CertificateMismatch);
            }
            (Some(_), Certificate::Missing) => facts.insert(JwtFact::CertificateMissing),
            _ => {}
        }
        if let (Some(bound), Some(proven)) = (self.key, proven.key)
            && bound != proven
        {
            facts.insert(JwtFact::ProofKeyMismatch);
        }
        facts
    }
}

impl<'de> Fields<'de> for Bound {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "x5t#S256" => self.certificate = thumbprint(json::text(map)?),
            "jkt" => self.key = thumbprint(json::text(map)?),
            _ => json::skip(map)?,
        }
        Ok(())
    }
}

impl Proven {
    /// Takes what a field of a flat record says; none if it holds no value.
    pub(crate) fn field(&mut self, field: ProofField, value: Option<&str>) {
        match (field, value) {
            (ProofField::ProofKey, value) => self.key = value.and_then(thumbprint_of),
            (ProofField::Fingerprint | ProofField::Certificate, None) => {
                self.certificate = Certificate::Missing;
            }
            (ProofField::Fingerprint, Some(value)) => self.show(thumbprint_of(value)),
            (ProofField::Certificate, Some(value)) => self.show(thumbprint_of_pem(value)),
        }
    }

    /// Takes the header `X-Forwarded-Client-Cert`: pairs such as `Hash=…;Subject="…"` for every hop, the nearest last.
    pub(crate) fn forwarded(&mut self, value: &str) {
        let hash = value
            .rsplit([',', ';'])
            .find_map(|pair| pair.trim().strip_prefix("Hash="));
        self.show(hash.and_then(thumbprint_of));
    }

    /// Takes the header `DPoP`: a JWT whose header holds the public key.
    pub(crate) fn proof(&mut self, proof: &str) {
        self.key = thumbprint_of_proof(proof);
    }

    fn show(&mut self, thumbprint: Option<Thumbprint>) {
        if let Some(thumbprint) = thumbprint {
            self.certificate = Certificate::Shown(thumbprint);
        }
    }
}

/// The thumbprint in a claim.
pub(crate) fn thumbprint(text: Option<Text<'_>>) -> Option<Thumbprint> {
    thumbprint_of(&text?)
}

/// A SHA-256 as hexadecimal digits, with or without colons, or as base64url.
fn thumbprint_of(text: &str) -> Option<Thumbprint> {
    let text = text.trim();
    if text.len() == 43 {
        return URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok();
    }
    if text.len() > 3 * size_of::<Thumbprint>() {
        return None;
    }
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b':').collect();
    HEXLOWER_PERMISSIVE.decode(&digits).ok()?.try_into().ok()
}

/// The thumbprint of a certificate as PEM, percent-encoded or with other blanks than it had.
fn thumbprint_of_pem(text: &str) -> Option<Thumbprint> {
    if text.len() > LIMIT_BYTES {
        return None;
    }
    let text = percent_encoding::percent_decode_str(text)
        .decode_utf8()
        .ok()?;
    let (_, body) = text.split_once("-----BEGIN CERTIFICATE-----")?;
    let (body, _) = body.split_once("-----END")?;
    let digits: Vec<u8> = body.bytes().filter(u8::is_ascii_graphic).collect();
    Some(Sha256::digest(STANDARD.decode(digits).ok()?).into())
}

/// The thumbprint of the key in the header of a `DPoP` proof.
fn thumbprint_of_proof(proof: &str) -> Option<Thumbprint> {
    let (header, _) = proof.split_once('.')?;
    if header.len() > LIMIT_BYTES {
        return None;
    }
    let decoded = URL_SAFE_NO_PAD.decode(header.trim_end_matches('=')).ok()?;
    let mut proof = ProofHeader::default();
    serde::de::DeserializeSeed::deserialize(
        Object(&mut proof),
        &mut serde_json::Deserializer::from_slice(&decoded),
    )
    .ok()?;
    proof.key.thumbprint()
}

#[derive(Default)]
struct ProofHeader<'a> {
    key: Jwk<'a>,
}

impl<'de> Fields<'de> for ProofHeader<'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        if key == "jwk" {
            map.next_value_seed(Object(&mut self.key))
        } else {
            json::skip(map)
        }
    }
}

/// The members of a public key that its thumbprint is made of.
#[derive(Default)]
struct Jwk<'a> {
    kty: Option<Text<'a>>,
    crv: Option<Text<'a>>,
    x: Option<Text<'a>>,
    y: Option<Text<'a>>,
    e: Option<Text<'a>>,
    n: Option<Text<'a>>,
}

impl<'de> Fields<'de> for Jwk<'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        let member = match key {
            "kty" => &mut self.kty,
            "crv" => &mut self.crv,
            "x" => &mut self.x,
            "y" => &mut self.y,
            "e" => &mut self.e,
            "n" => &mut self.n,
            _ => return json::skip(map),
        };
        *member = json::text(map)?;
        Ok(())
    }
}

impl Jwk<'_> {
    /// RFC 7638, 3: the required members in the order of their names, without blanks.
    fn thumbprint(&self) -> Option<Thumbprint> {
        let kty = self.kty.as_deref()?;
        let members: &[(&str, &Option<Text<'_>>)] = match kty {
            "EC" => &[
                ("crv", &self.crv),
                ("kty", &self.kty),
                ("x", &self.x),
                ("y", &self.y),
            ],
            "OKP" => &[("crv", &self.crv), ("kty", &self.kty), ("x", &self.x)],
            "RSA" => &[("e", &self.e), ("kty", &self.kty), ("n", &self.n)],
            _ => return None,
        };
        let mut canonical = String::from("{");
        for (index, (name, value)) in members.iter().enumerate() {
            let value = value.as_deref()?;
            // None of them has anything that JSON would escape.
            if value
                .bytes()
                .any(|byte| matches!(byte, b'"' | b'\\') || byte.is_ascii_control())
            {
                return None;
            }
            let comma = if index == 0 { "" } else { "," };
            canonical.extend([comma, "\"", name, "\":\"", value, "\""]);
        }
        canonical.push('}');
        Some(Sha256::digest(canonical).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZEROS: Thumbprint = [0; 32];
    const ONES: Thumbprint = [1; 32];

    #[test]
    fn fingerprints_are_read_in_every_notation() {
        let hex = "01".repeat(32);
        let colons = ["01"; 32].join(":");
        let url = URL_SAFE_NO_PAD.encode(ONES);
        for text in [hex.as_str(), &colons, &url, &colons.to_uppercase()] {
            assert_eq!(thumbprint_of(text), Some(ONES), "{text}");
        }
        // A SHA-1 is none.
        assert_eq!(thumbprint_of(&"01".repeat(20)), None);
        assert_eq!(thumbprint_of(""), None);
    }

    #[test]
    fn the_thumbprint_of_a_key_is_that_of_rfc_7638() {
        // RFC 7638, 3.1.
        let key = r#"{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}"#;
        let proof = format!(
            "{}.e30.sig",
            URL_SAFE_NO_PAD.encode(format!(r#"{{"typ":"dpop+jwt","alg":"RS256","jwk":{key}}}"#))
        );
        let mut proven = Proven::default();
        proven.proof(&proof);
        let want = thumbprint_of("NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
        assert!(want.is_some());
        assert_eq!(proven.key, want);
        proven.proof("no proof");
        assert_eq!(proven.key, None);
    }

    #[test]
    fn a_certificate_is_hashed_however_it_was_escaped() {
        let der = b"not quite a certificate, but long enough to be broken into lines of sixty-four";
        let body = STANDARD.encode(der);
        let (first, rest) = body.split_at(64);
        let want = Some(Sha256::digest(der).into());
        let pem =
            format!("-----BEGIN CERTIFICATE-----\n{first}\n{rest}\n-----END CERTIFICATE-----\n");
        let escaped = pem
            .replace('\n', "%0A")
            .replace('+', "%2B")
            .replace(' ', "%20");
        let tabs = pem.replace('\n', "\n\t");
        for text in [&pem, &escaped, &tabs] {
            assert_eq!(thumbprint_of_pem(text), want, "{text}");
        }
    }

    #[test]
    fn only_what_was_shown_can_differ() {
        let bound = Bound {
            certificate: Some(ZEROS),
            key: Some(ZEROS),
        };
        let breaches = |certificate, key| bound.breaches(Proven { certificate, key });
        assert!(breaches(Certificate::Unsaid, None).is_empty());
        assert!(breaches(Certificate::Shown(ZEROS), Some(ZEROS)).is_empty());
        let both = breaches(Certificate::Shown(ONES), Some(ONES));
        assert!(both.contains(JwtFact::CertificateMismatch));
        assert!(both.contains(JwtFact::ProofKeyMismatch));
        assert!(breaches(Certificate::Missing, None).contains(JwtFact::CertificateMissing));
        let unbound = Bound::default();
        let shown = Proven {
            certificate: Certificate::Shown(ONES),
            key: Some(ONES),
        };
        assert!(unbound.breaches(shown).is_empty());
    }

    #[test]
    fn the_nearest_forwarded_certificate_counts() {
        let mut proven = Proven::default();
        let (zeros, ones) = ("00".repeat(32), "01".repeat(32));
        proven.forwarded(&format!(
            "By=spiffe://a;Hash={zeros};Subject=\"CN=a\",By=spiffe://b;Hash={ones};URI=spiffe://c"
        ));
        assert_eq!(proven.certificate, Certificate::Shown(ONES));
    }
}
