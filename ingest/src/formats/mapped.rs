//! Any other JSON: the operator says by JSON pointers (RFC 6901) where the fields are.
//!
//! The pointers become a tree that is walked along with the record, so a record is read once however many pointers there
//! are, and nothing of it is built that no pointer asks for.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use tokenwatch_model::{Problems, Timestamp};

use crate::call::{Call, CallTime};
use crate::format::CallSink;
use crate::json::{self, Fields, Scalar};
use crate::names::CredentialNames;
use crate::reject::RejectReason;

/// Where the fields are, as written in the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MappedConfig {
    /// Unit of the timestamp where it is a number.
    pub timestamp_unit: TimestampUnit,
    /// Unit of the latency.
    pub latency_unit: LatencyUnit,
    /// A JSON pointer for each field that the records have.
    pub fields: std::collections::BTreeMap<MappedField, String>,
}

/// A field that a pointer can lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MappedField {
    /// When; the one that is required.
    Timestamp,
    /// The gateway's id of the call.
    RequestId,
    /// The gateway node.
    Gateway,
    /// The method.
    Method,
    /// The host.
    Host,
    /// The path, with or without a query, or the whole URL.
    Path,
    /// The route.
    Route,
    /// The status.
    Status,
    /// Bytes received.
    BytesIn,
    /// Bytes sent.
    BytesOut,
    /// How long it took.
    Latency,
    /// The client's address.
    ClientIp,
    /// X-Forwarded-For.
    ForwardedFor,
    /// The user agent.
    UserAgent,
    /// The JA4 fingerprint.
    Ja4,
    /// The TLS version.
    TlsVersion,
    /// The gateway's name of the credential.
    CredentialId,
    /// The consumer.
    Consumer,
    /// A raw key.
    ApiKey,
    /// The Authorization header.
    Authorization,
    /// The Cookie header.
    Cookie,
    /// The claim `iss`.
    JwtIssuer,
    /// The claim `sub`.
    JwtSubject,
    /// The claim `client_id` or `azp`.
    JwtClient,
    /// The claim `jti`.
    JwtId,
    /// The scopes.
    Scopes,
}

/// What a number in the timestamp counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimestampUnit {
    /// Told by its magnitude.
    #[default]
    Auto,
    /// Seconds since 1970.
    Seconds,
    /// Milliseconds since 1970.
    Milliseconds,
    /// Microseconds since 1970.
    Microseconds,
    /// Nanoseconds since 1970.
    Nanoseconds,
}

/// What the latency counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LatencyUnit {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    #[default]
    Milliseconds,
    /// Microseconds.
    Microseconds,
    /// Nanoseconds.
    Nanoseconds,
}

/// The pointers as a tree.
#[derive(Clone, Debug)]
pub(crate) struct MappedPlan {
    root: Node,
    timestamp_unit: TimestampUnit,
    latency_unit: LatencyUnit,
}

#[derive(Clone, Debug, Default)]
struct Node {
    field: Option<MappedField>,
    children: Vec<(String, Node)>,
}

impl MappedConfig {
    /// The tree of the pointers, unless something is wrong with them.
    pub(crate) fn plan(&self, problems: &mut Problems) -> Option<MappedPlan> {
        let mut root = Node::default();
        let mut is_valid = self.fields.contains_key(&MappedField::Timestamp);
        if !is_valid {
            problems.add(
                "mapped.fields.timestamp",
                "the pointer of the timestamp is required",
            );
        }
        for (field, pointer) in &self.fields {
            if let Err(message) = root.insert(*field, pointer) {
                let name = serde_json::to_value(field).expect("a field is a name");
                problems.add(
                    format!("mapped.fields.{}", name.as_str().unwrap_or_default()),
                    message,
                );
                is_valid = false;
            }
        }
        is_valid.then_some(MappedPlan {
            root,
            timestamp_unit: self.timestamp_unit,
            latency_unit: self.latency_unit,
        })
    }
}

impl Node {
    fn insert(&mut self, field: MappedField, pointer: &str) -> Result<(), &'static str> {
        let segments = pointer
            .strip_prefix('/')
            .ok_or("a JSON pointer begins with `/`")?;
        let mut node = self;
        for segment in segments.split('/') {
            let segment = segment.replace("~1", "/").replace("~0", "~");
            let index = node
                .children
                .iter()
                .position(|(name, _)| *name == segment)
                .unwrap_or_else(|| {
                    node.children.push((segment, Self::default()));
                    node.children.len() - 1
                });
            if node.field.is_some() {
                return Err("lies inside the value of another pointer");
            }
            node = &mut node.children[index].1;
        }
        if node.field.is_some() || !node.children.is_empty() {
            return Err("another pointer leads to the same value or into it");
        }
        node.field = Some(field);
        Ok(())
    }

    fn child(&self, name: &str) -> Option<&Self> {
        self.children
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, child)| child)
    }
}

/// Reads an object or a list of them.
pub(crate) fn read<'a>(
    document: &'a str,
    plan: &'a MappedPlan,
    names: &'a CredentialNames,
    sink: &mut impl CallSink<'a>,
) -> Result<(), RejectReason> {
    let new = || Mapped {
        plan,
        names,
        node: &plan.root,
        call: Call::default(),
    };
    json::read_document(document, new, |mapped| {
        sink.take(
            mapped
                .map(|mapped| mapped.call)
                .ok_or(RejectReason::MissingRequiredField),
        )
    })
    .map_err(|_| RejectReason::InvalidJson)
}

struct Mapped<'p, 'a> {
    plan: &'p MappedPlan,
    names: &'p CredentialNames,
    node: &'p Node,
    call: Call<'a>,
}

impl<'de> Fields<'de> for Mapped<'_, 'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match self.node.child(key) {
            Some(node) => map.next_value_seed(Value { mapped: self, node }),
            None => json::skip(map),
        }
    }
}

/// A value that a pointer leads to or through.
struct Value<'m, 'p, 'a> {
    mapped: &'m mut Mapped<'p, 'a>,
    node: &'p Node,
}

impl<'de> DeserializeSeed<'de> for Value<'_, '_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.node.field {
            Some(field) => self
                .mapped
                .set(field, serde::Deserialize::deserialize(deserializer)?),
            None => deserializer.deserialize_any(self)?,
        }
        Ok(())
    }
}

impl<'de> Visitor<'de> for Value<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<json::Key<'de>>()? {
            match self.node.child(key.as_str()) {
                Some(node) => map.next_value_seed(Value {
                    mapped: &mut *self.mapped,
                    node,
                })?,
                None => json::skip(&mut map)?,
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        for index in 0_usize.. {
            let is_end = match self.node.child(&index.to_string()) {
                Some(node) => seq
                    .next_element_seed(Value {
                        mapped: &mut *self.mapped,
                        node,
                    })?
                    .is_none(),
                None => seq.next_element::<IgnoredAny>()?.is_none(),
            };
            if is_end {
                break;
            }
        }
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

impl<'a> Mapped<'_, 'a> {
    fn set(&mut self, field: MappedField, value: Scalar<'a>) {
        let call = &mut self.call;
        let credentials = &mut call.credentials;
        match field {
            MappedField::Timestamp => match self.plan.timestamp_unit.read(&value) {
                Some(at) => call.time = CallTime::At(at),
                None => call.time.set(&value),
            },
            MappedField::Status => call.status = value.as_unsigned(),
            MappedField::BytesIn => call.bytes_in = value.as_unsigned(),
            MappedField::BytesOut => call.bytes_out = value.as_unsigned(),
            MappedField::Latency => {
                call.latency_ms = value
                    .as_float()
                    .map(|latency| latency * self.plan.latency_unit.in_millis());
            }
            MappedField::RequestId => call.request_id = value.into_text(),
            MappedField::Gateway => call.gateway = value.into_text(),
            MappedField::Method => call.method = value.into_text(),
            MappedField::Host => call.host = value.into_text(),
            MappedField::Path => call.target = value.into_text(),
            MappedField::Route => call.route = value.into_text(),
            MappedField::ClientIp => call.peer = value.into_text(),
            MappedField::ForwardedFor => call.forwarded_for = value.into_text(),
            MappedField::UserAgent => call.user_agent = value.into_text(),
            MappedField::Ja4 => call.ja4 = value.into_text(),
            MappedField::TlsVersion => call.tls_version = value.into_text(),
            MappedField::CredentialId => credentials.credential_id = value.into_text(),
            MappedField::Consumer => credentials.consumer = value.into_text(),
            MappedField::JwtIssuer => credentials.grant.issuer = value.into_text(),
            MappedField::JwtSubject => credentials.grant.subject = value.into_text(),
            MappedField::JwtClient => credentials.grant.client = value.into_text(),
            MappedField::JwtId => credentials.grant.instance = value.into_text(),
            MappedField::Scopes => credentials.grant.scopes = value.into_text(),
            MappedField::ApiKey | MappedField::Authorization | MappedField::Cookie => {
                if let Some(value) = value.into_text() {
                    match field {
                        MappedField::ApiKey => credentials.key(value),
                        MappedField::Cookie => credentials.cookies(self.names, &value),
                        _ => credentials.authorization(value),
                    }
                }
            }
        }
    }
}

impl TimestampUnit {
    /// The time that a number counts; `None` for text and for `auto`.
    fn read(self, value: &Scalar<'_>) -> Option<Timestamp> {
        let micros_each = match self {
            Self::Auto => return None,
            Self::Seconds => 1e6,
            Self::Milliseconds => 1e3,
            Self::Microseconds => 1.0,
            Self::Nanoseconds => 1e-3,
        };
        let count = value.as_float()?;
        Some(Timestamp::from_micros((count * micros_each).round() as i64))
    }
}

impl LatencyUnit {
    fn in_millis(self) -> f64 {
        match self {
            Self::Seconds => 1e3,
            Self::Milliseconds => 1.0,
            Self::Microseconds => 1e-3,
            Self::Nanoseconds => 1e-6,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(fields: &[(MappedField, &str)]) -> Vec<String> {
        let config = MappedConfig {
            fields: fields
                .iter()
                .map(|(field, pointer)| (*field, (*pointer).to_owned()))
                .collect(),
            ..MappedConfig::default()
        };
        let mut problems = Problems::at("d");
        let is_planned = config.plan(&mut problems).is_some();
        let problems = problems.into_result(|| ()).err().unwrap_or_default();
        assert_eq!(is_planned, problems.is_empty());
        problems.into_iter().map(|problem| problem.path).collect()
    }

    #[test]
    fn every_wrong_pointer_is_reported() {
        use MappedField::{Host, Method, Path, Status, Timestamp};
        assert!(messages(&[(Timestamp, "/t"), (Status, "/r/s"), (Path, "/r/0/p~1q")]).is_empty());
        assert_eq!(
            messages(&[(Host, "h"), (Method, "/r"), (Path, "/r/p"), (Status, "/r")]),
            [
                "d.mapped.fields.timestamp",
                "d.mapped.fields.host",
                "d.mapped.fields.path",
                "d.mapped.fields.status"
            ]
        );
    }
}
