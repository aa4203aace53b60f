//! OpenTelemetry: access logs as OTLP in JSON, which is what the Collector's Kafka exporter writes with `encoding: otlp_json`.
//!
//! One message holds many calls: resources hold scopes, scopes hold records. From opentelemetry-proto 1.5 and the semantic
//! conventions before and after 1.23, which renamed every HTTP attribute. Traps: 64-bit numbers are texts in one writer and
//! numbers in the next; a time of 0 is none; attributes are a list of key and value, and a record's body may hold them
//! too; `client.address` is what a proxy said, `network.peer.address` who connected; the protobuf encoding, the exporter's
//! default, is no JSON and is refused. A resource counts for what follows it, where every writer puts its records.

mod attributes;
mod value;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess};
use tokenwatch_model::Text;

use crate::call::{Call, CallTime};
use crate::format::CallSink;
use crate::json::reader::Reader;
use crate::json::{self, Fields, Object, Scalar};
use crate::names::CredentialNames;
use crate::reject::RejectReason;
use attributes::Attributes;
use value::{Any, Item, KeyValue, List};

/// Reads a message, or a list of them.
pub(crate) fn read<'a>(
    document: &'a str,
    names: &'a CredentialNames,
    sink: &mut impl CallSink<'a>,
) -> Result<(), RejectReason> {
    let mut message = Message {
        names,
        sink,
        gateway: None,
        is_full: false,
        has_records: false,
    };
    let mut reader = Reader::new(document);
    List(&mut message)
        .deserialize(&mut reader)
        .and_then(|()| reader.end())
        .map_err(|_| RejectReason::InvalidJson)?;
    // Otherwise it held traces, metrics, or nothing at all.
    if message.has_records {
        Ok(())
    } else {
        Err(RejectReason::UnsupportedRecord)
    }
}

/// A message, and the resources and scopes in it: no two of these share a key.
struct Message<'n, 's, 'a, S> {
    names: &'n CredentialNames,
    sink: &'s mut S,
    gateway: Option<Text<'a>>,
    is_full: bool,
    has_records: bool,
}

impl<'de, S: CallSink<'de>> Item<'de> for Message<'_, '_, 'de, S> {
    fn item<D: Deserializer<'de>>(&mut self, element: D) -> Result<(), D::Error> {
        Object(self).deserialize(element)
    }
}

impl<'de, S: CallSink<'de>> Fields<'de> for Message<'_, '_, 'de, S> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "resourceLogs" | "resource_logs" => map.next_value_seed(List(self))?,
            "resource" => {
                let mut resource = Resource::default();
                map.next_value_seed(Object(&mut resource))?;
                self.gateway = resource.instance.or(resource.service);
            }
            "scopeLogs" | "scope_logs" => {
                map.next_value_seed(List(self))?;
                self.gateway = None;
            }
            "logRecords" | "log_records" => map.next_value_seed(List(&mut Records(self)))?,
            _ => json::skip(map)?,
        }
        Ok(())
    }
}

/// The records of a scope.
struct Records<'m, 'n, 's, 'a, S>(&'m mut Message<'n, 's, 'a, S>);

impl<'de, S: CallSink<'de>> Item<'de> for Records<'_, '_, '_, 'de, S> {
    fn item<D: Deserializer<'de>>(&mut self, element: D) -> Result<(), D::Error> {
        let message = &mut *self.0;
        message.has_records = true;
        if message.is_full {
            return serde::Deserialize::deserialize(element).map(|IgnoredAny| ());
        }
        let mut record = Record {
            attributes: Attributes::new(message.names),
            time: CallTime::Missing,
            observed: CallTime::Missing,
        };
        Object(&mut record).deserialize(element)?;
        let mut call = Call::from(record);
        call.gateway.clone_from(&message.gateway);
        message.is_full = !message.sink.take(Ok(call));
        Ok(())
    }
}

/// One record.
struct Record<'n, 'a> {
    attributes: Attributes<'n, 'a>,
    time: CallTime,
    observed: CallTime,
}

impl<'a> From<Record<'_, 'a>> for Call<'a> {
    fn from(record: Record<'_, 'a>) -> Self {
        let mut call = Call::from(record.attributes);
        call.time = match record.time {
            CallTime::Missing => record.observed,
            time => time,
        };
        call
    }
}

impl<'de> Fields<'de> for Record<'_, 'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "timeUnixNano" | "time_unix_nano" => set_time(&mut self.time, map)?,
            "observedTimeUnixNano" | "observed_time_unix_nano" => {
                set_time(&mut self.observed, map)?;
            }
            "attributes" => map.next_value_seed(List(&mut self.attributes))?,
            "body" => {
                let mut body = Any::default();
                map.next_value_seed(Object(&mut body))?;
                self.attributes.take_all(body);
            }
            _ => json::skip(map)?,
        }
        Ok(())
    }
}

fn set_time<'de, A: MapAccess<'de>>(time: &mut CallTime, map: &mut A) -> Result<(), A::Error> {
    let value = map.next_value::<Scalar<'_>>()?;
    if value.as_unsigned() != Some(0) {
        time.set(&value);
    }
    Ok(())
}

/// What the records of a resource have in common: which instance of the gateway wrote them.
#[derive(Default)]
struct Resource<'a> {
    instance: Option<Text<'a>>,
    service: Option<Text<'a>>,
}

impl<'de> Fields<'de> for Resource<'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        if key == "attributes" {
            map.next_value_seed(List(self))
        } else {
            json::skip(map)
        }
    }
}

impl<'de> Item<'de> for Resource<'de> {
    fn item<D: Deserializer<'de>>(&mut self, element: D) -> Result<(), D::Error> {
        let mut attribute = KeyValue::default();
        Object(&mut attribute).deserialize(element)?;
        match (&*attribute.key, attribute.value) {
            ("host.name" | "k8s.pod.name", Any::Scalar(value)) => {
                self.instance = value.into_text();
            }
            ("service.name", Any::Scalar(value)) => self.service = value.into_text(),
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Calls<'a>(Vec<Call<'a>>, usize);

    impl<'a> CallSink<'a> for Calls<'a> {
        fn take(&mut self, call: Result<Call<'a>, RejectReason>) -> bool {
            self.0.extend(call);
            self.0.len() < self.1
        }
    }

    fn read_all(document: &str, limit: usize) -> (Result<(), RejectReason>, usize) {
        let names = CredentialNames::default();
        let mut calls = Calls(Vec::new(), limit);
        let result = read(document, &names, &mut calls);
        (result, calls.0.len())
    }

    #[test]
    fn every_record_of_every_scope_of_every_resource_is_a_call() {
        let scope = r#"{"logRecords":[{"timeUnixNano":"1763793600123161800"},{}]}"#;
        let resource = format!(r#"{{"scopeLogs":[{scope},{scope}]}}"#);
        let message = format!(r#"{{"resourceLogs":[{resource},{resource}]}}"#);
        assert_eq!(read_all(&message, 100), (Ok(()), 8));
        assert_eq!(
            read_all(&format!("[{message},{message}]"), 100),
            (Ok(()), 16)
        );
        assert_eq!(read_all(&message, 3), (Ok(()), 3));
    }

    #[test]
    fn what_holds_no_records_is_not_passed_over_in_silence() {
        for document in [
            r#"{"resourceSpans":[]}"#,
            r#"{"resourceLogs":[]}"#,
            r#"{"resourceLogs":null}"#,
            "[]",
        ] {
            assert_eq!(
                read_all(document, 100),
                (Err(RejectReason::UnsupportedRecord), 0),
                "{document}"
            );
        }
    }
}
