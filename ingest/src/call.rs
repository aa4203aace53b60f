//! The intermediate between a format and the normalised event: what the record says, before anything is judged.
//!
//! A format fills in what it finds and leaves out what it does not; [`crate::enrich`] does the rest, the same for all
//! of them. This is the only place besides [`crate::credentials`] that may hold a raw credential, and it lives no longer
//! than the decoding of one record.

use serde::de::MapAccess;
use tokenwatch_model::{Text, Timestamp};

use crate::binding::ProofField;
use crate::credentials::Credentials;
use crate::json::{self, Scalar};
use crate::names::CredentialNames;
use crate::time;

/// One call as its record tells it.
#[derive(Debug, Default)]
pub(crate) struct Call<'a> {
    /// When, or what could not be read as a time.
    pub(crate) time: CallTime,
    /// The gateway's id of the call.
    pub(crate) request_id: Option<Text<'a>>,
    /// The gateway node.
    pub(crate) gateway: Option<Text<'a>>,
    /// The method.
    pub(crate) method: Option<Text<'a>>,
    /// The host, with or without a port.
    pub(crate) host: Option<Text<'a>>,
    /// Path and query, or a whole URL.
    pub(crate) target: Option<Text<'a>>,
    /// The route.
    pub(crate) route: Option<Text<'a>>,
    /// The status as written.
    pub(crate) status: Option<u64>,
    /// Bytes received.
    pub(crate) bytes_in: Option<u64>,
    /// Bytes sent.
    pub(crate) bytes_out: Option<u64>,
    /// Milliseconds.
    pub(crate) latency_ms: Option<f64>,
    /// The address of the peer, with or without a port.
    pub(crate) peer: Option<Text<'a>>,
    /// X-Forwarded-For as the gateway received it.
    pub(crate) forwarded_for: Option<Text<'a>>,
    /// The user agent.
    pub(crate) user_agent: Option<Text<'a>>,
    /// The JA4 fingerprint.
    pub(crate) ja4: Option<Text<'a>>,
    /// The TLS version as written.
    pub(crate) tls_version: Option<Text<'a>>,
    /// The record says that the connection was not encrypted.
    pub(crate) is_plaintext: bool,
    /// A proxy in front says that it was, up to there.
    pub(crate) is_forwarded_tls: bool,
    /// A credential stood in the query, which the record holds apart from the target.
    pub(crate) has_token_in_url: bool,
    /// The record is of a kind that is no API call (Kong's stream sessions).
    pub(crate) is_unsupported: bool,
    /// What names or is the credential.
    pub(crate) credentials: Credentials<'a>,
}

/// The time of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum CallTime {
    /// The record has none.
    #[default]
    Missing,
    /// It has one that no known notation explains.
    Unreadable,
    /// It has one.
    At(Timestamp),
}

impl CallTime {
    /// Reads `value`, whatever its notation; a time that is known already is not overwritten by one that is not.
    pub(crate) fn set(&mut self, value: &Scalar<'_>) {
        match value {
            Scalar::Missing | Scalar::Bool(_) => {}
            Scalar::Text(text) if json::is_missing(text) => {}
            value => match (time::read(value), *self) {
                (Some(at), _) => *self = Self::At(at),
                (None, Self::Missing) => *self = Self::Unreadable,
                (None, _) => {}
            },
        }
    }
}

impl<'a> Call<'a> {
    /// Takes a key that a flat format does not know: a credential's header, cookie or parameter, or a claim of its JWT,
    /// under the names that operators give them (`http_x_api_key`, `arg_token`, `cookie_sid`, `jwt_claim_sub`).
    pub(crate) fn credential_field<A: MapAccess<'a>>(
        &mut self,
        names: &CredentialNames,
        key: &str,
        map: &mut A,
    ) -> Result<(), A::Error> {
        match CredentialField::of(names, key) {
            Some(CredentialField::Proof(field)) => {
                let value = json::text(map)?;
                self.credentials.proven.field(field, value.as_deref());
                Ok(())
            }
            Some(field) => {
                if let Some(value) = json::text(map)? {
                    self.credential(names, field, value);
                }
                Ok(())
            }
            None => json::skip(map),
        }
    }

    /// Takes the value of such a key.
    pub(crate) fn credential(
        &mut self,
        names: &CredentialNames,
        field: CredentialField<'_>,
        value: Text<'a>,
    ) {
        let credentials = &mut self.credentials;
        match field {
            CredentialField::Claim(name) => credentials.grant.claim_text(name, value),
            CredentialField::Argument(name) => {
                credentials.parameter(names, name, value);
                self.has_token_in_url = true;
            }
            CredentialField::Proof(field) => credentials.proven.field(field, Some(&value)),
            CredentialField::Cookie => credentials.session(value),
            CredentialField::Header(name) => credentials.header(names, name, value),
        }
    }
}

/// What a key of a flat record holds that has to do with credentials.
#[derive(Clone, Copy)]
pub(crate) enum CredentialField<'k> {
    /// A claim of the JWT.
    Claim(&'k str),
    /// What the caller proved to hold.
    Proof(ProofField),
    /// A parameter of the query.
    Argument(&'k str),
    /// The session cookie.
    Cookie,
    /// A header.
    Header(&'k str),
}

impl<'k> CredentialField<'k> {
    /// What `key` holds; `None` if it has nothing to do with credentials.
    pub(crate) fn of(names: &CredentialNames, key: &'k str) -> Option<Self> {
        if let Some(field) = ProofField::of(key) {
            return Some(Self::Proof(field));
        }
        // One look at the first letter: most keys have none of the prefixes.
        match key.as_bytes().first()? {
            b'j' => {
                if let Some(claim) = key.strip_prefix("jwt_") {
                    let claim = claim.strip_prefix("claim_").unwrap_or(claim);
                    return Some(Self::Claim(claim));
                }
            }
            b'a' => {
                if let Some(name) = key.strip_prefix("arg_")
                    && names.is_key_parameter(name)
                {
                    return Some(Self::Argument(name));
                }
            }
            b'c' => {
                if let Some(name) = key.strip_prefix("cookie_")
                    && names.is_session_cookie(name)
                {
                    return Some(Self::Cookie);
                }
            }
            _ => {}
        }
        let header = key.strip_prefix("http_").unwrap_or(key);
        names.is_sensitive(header).then_some(Self::Header(header))
    }
}
