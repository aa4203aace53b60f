//! What a decoder noticed about a JSON Web Token: its algorithm, its issuer as a digest, and facts from a closed list.
//!
//! Claims never leave the decoder. What detectors, the store and the API see is small enough to be copied.

use serde::de::{SeqAccess, Visitor};
use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A JWT as one call carried it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JwtUse {
    /// How it says it is signed.
    #[serde(
        default,
        rename = "alg",
        skip_serializing_if = "JwtAlgorithm::is_unsaid"
    )]
    pub algorithm: JwtAlgorithm,
    /// A digest of its issuer under the deployment key; 0 if it names none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub issuer: u32,
    /// What was noticed.
    #[serde(default, skip_serializing_if = "JwtFacts::is_empty")]
    pub facts: JwtFacts,
}

/// The `alg` of a JWT's header (RFC 7518, RFC 8037).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum JwtAlgorithm {
    /// The log does not say.
    #[default]
    #[serde(rename = "")]
    Unsaid,
    /// No signature at all.
    #[serde(rename = "none")]
    None,
    /// HMAC with a shared secret.
    HS256,
    /// The same.
    HS384,
    /// The same.
    HS512,
    /// RSA, PKCS #1.
    RS256,
    /// The same.
    RS384,
    /// The same.
    RS512,
    /// RSA, PSS.
    PS256,
    /// The same.
    PS384,
    /// The same.
    PS512,
    /// ECDSA.
    ES256,
    /// The same, on secp256k1.
    ES256K,
    /// The same.
    ES384,
    /// The same.
    ES512,
    /// Edwards curves.
    #[serde(rename = "EdDSA")]
    EdDsa,
    /// Something else.
    #[serde(rename = "other")]
    Other,
}

/// With what an algorithm verifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JwtKeyKind {
    /// A secret that issuer and verifier share.
    Shared,
    /// The issuer's public key.
    Public,
}

impl JwtAlgorithm {
    /// Every one that is written in a header and known.
    pub const ALL: [Self; 15] = [
        Self::None,
        Self::HS256,
        Self::HS384,
        Self::HS512,
        Self::RS256,
        Self::RS384,
        Self::RS512,
        Self::PS256,
        Self::PS384,
        Self::PS512,
        Self::ES256,
        Self::ES256K,
        Self::ES384,
        Self::ES512,
        Self::EdDsa,
    ];

    /// The name in a header; empty if nothing is said.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unsaid => "",
            Self::None => "none",
            Self::HS256 => "HS256",
            Self::HS384 => "HS384",
            Self::HS512 => "HS512",
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::PS256 => "PS256",
            Self::PS384 => "PS384",
            Self::PS512 => "PS512",
            Self::ES256 => "ES256",
            Self::ES256K => "ES256K",
            Self::ES384 => "ES384",
            Self::ES512 => "ES512",
            Self::EdDsa => "EdDSA",
            Self::Other => "other",
        }
    }

    /// The algorithm of this name. `None` in any case is none: verifiers were fooled by `nOnE`.
    pub fn of_name(name: &str) -> Self {
        if name.is_empty() {
            return Self::Unsaid;
        }
        if name.eq_ignore_ascii_case("none") {
            return Self::None;
        }
        let mut all = Self::ALL.into_iter();
        all.find(|algorithm| algorithm.name() == name)
            .unwrap_or(Self::Other)
    }

    /// Whether nothing is said of it.
    pub const fn is_unsaid(&self) -> bool {
        matches!(self, Self::Unsaid)
    }

    /// With what it verifies; `None` if with nothing, or nothing known.
    pub const fn key_kind(self) -> Option<JwtKeyKind> {
        match self {
            Self::Unsaid | Self::None | Self::Other => None,
            Self::HS256 | Self::HS384 | Self::HS512 => Some(JwtKeyKind::Shared),
            Self::RS256
            | Self::RS384
            | Self::RS512
            | Self::PS256
            | Self::PS384
            | Self::PS512
            | Self::ES256
            | Self::ES256K
            | Self::ES384
            | Self::ES512
            | Self::EdDsa => Some(JwtKeyKind::Public),
        }
    }
}

/// One thing that was noticed about a JWT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum JwtFact {
    /// Its issuer signs with a public key by the configuration, and it with a shared secret.
    ConfusedAlgorithm = 0,
    /// Its algorithm is none of those that its issuer has by the configuration.
    UnexpectedAlgorithm = 1,
    /// Its header brings along the key to verify it with.
    EmbeddedKey = 2,
    /// Its header points elsewhere than to its issuer for that key.
    ForeignKeyUrl = 3,
    /// Its issuer is none of those in the configuration.
    UnexpectedIssuer = 4,
    /// It is meant for somebody else.
    UnexpectedAudience = 5,
    /// Its key is none of its issuer's.
    UnknownKey = 6,
    /// It was issued, or begins, later than it was used.
    FromTheFuture = 7,
    /// It has no end.
    MissingEnd = 8,
    /// Claims are named like secrets.
    SecretClaims = 9,
    /// Claims are named like what identifies a person.
    PersonalClaims = 10,
    /// It is bound to another client certificate than the one that it came with.
    CertificateMismatch = 11,
    /// It is bound to a client certificate, and came without any.
    CertificateMissing = 12,
    /// It is bound to another key than the one that it was proven with.
    ProofKeyMismatch = 13,
}

impl JwtFact {
    /// Every fact, the gravest first.
    pub const ALL: [Self; 14] = [
        Self::ConfusedAlgorithm,
        Self::UnexpectedAlgorithm,
        Self::EmbeddedKey,
        Self::ForeignKeyUrl,
        Self::UnexpectedIssuer,
        Self::UnexpectedAudience,
        Self::UnknownKey,
        Self::FromTheFuture,
        Self::MissingEnd,
        Self::SecretClaims,
        Self::PersonalClaims,
        Self::CertificateMismatch,
        Self::CertificateMissing,
        Self::ProofKeyMismatch,
    ];

    /// The contract name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ConfusedAlgorithm => "confused_algorithm",
            Self::UnexpectedAlgorithm => "unexpected_algorithm",
            Self::EmbeddedKey => "embedded_key",
            Self::ForeignKeyUrl => "foreign_key_url",
            Self::UnexpectedIssuer => "unexpected_issuer",
            Self::UnexpectedAudience => "unexpected_audience",
            Self::UnknownKey => "unknown_key",
            Self::FromTheFuture => "from_the_future",
            Self::MissingEnd => "missing_end",
            Self::SecretClaims => "secret_claims",
            Self::PersonalClaims => "personal_claims",
            Self::CertificateMismatch => "certificate_mismatch",
            Self::CertificateMissing => "certificate_missing",
            Self::ProofKeyMismatch => "proof_key_mismatch",
        }
    }
}

/// A set of such facts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JwtFacts(u16);

impl JwtFacts {
    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.0 == 0
    }

    /// Adds one.
    pub const fn insert(&mut self, fact: JwtFact) {
        self.0 |= 1 << fact as u8;
    }

    /// Whether one is among them.
    pub const fn contains(self, fact: JwtFact) -> bool {
        self.0 & (1 << fact as u8) != 0
    }

    /// Those that there are, the gravest first.
    pub fn iter(self) -> impl Iterator<Item = JwtFact> {
        JwtFact::ALL
            .into_iter()
            .filter(move |fact| self.contains(*fact))
    }
}

impl FromIterator<JwtFact> for JwtFacts {
    fn from_iter<I: IntoIterator<Item = JwtFact>>(facts: I) -> Self {
        let mut set = Self::default();
        facts.into_iter().for_each(|fact| set.insert(fact));
        set
    }
}

impl Serialize for JwtFacts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(Some(self.0.count_ones() as usize))?;
        for fact in self.iter() {
            seq.serialize_element(&fact)?;
        }
        seq.end()
    }
}

impl<'de> Deserialize<'de> for JwtFacts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Facts;
        impl<'de> Visitor<'de> for Facts {
            type Value = JwtFacts;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a list of facts about a JWT")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<JwtFacts, A::Error> {
                let mut facts = JwtFacts::default();
                while let Some(fact) = seq.next_element()? {
                    facts.insert(fact);
                }
                Ok(facts)
            }
        }
        deserializer.deserialize_seq(Facts)
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands over a reference"
)]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_none_is_none_however_it_is_written() {
        for algorithm in JwtAlgorithm::ALL {
            assert_eq!(JwtAlgorithm::of_name(algorithm.name()), algorithm);
        }
        assert_eq!(JwtAlgorithm::of_name("nOnE"), JwtAlgorithm::None);
        assert_eq!(JwtAlgorithm::of_name("rs256"), JwtAlgorithm::Other);
        for fact in JwtFact::ALL {
            let text = serde_json::to_string(&fact).unwrap();
            assert_eq!(text, format!("\"{}\"", fact.name()));
        }
    }

    #[test]
    fn what_is_not_known_is_absent() {
        assert_eq!(serde_json::to_string(&JwtUse::default()).unwrap(), "{}");
        let used = JwtUse {
            algorithm: JwtAlgorithm::RS256,
            issuer: 7,
            facts: [JwtFact::PersonalClaims, JwtFact::MissingEnd]
                .into_iter()
                .collect(),
        };
        let text = serde_json::to_string(&used).unwrap();
        assert_eq!(
            text,
            r#"{"alg":"RS256","issuer":7,"facts":["missing_end","personal_claims"]}"#
        );
        assert_eq!(serde_json::from_str::<JwtUse>(&text).unwrap(), used);
    }
}
