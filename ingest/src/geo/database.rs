//! One mmdb file, whatever its records look like: the flat ones of DB-IP and the nested ones of MaxMind.

use std::borrow::Cow;
use std::net::IpAddr;
use std::path::Path;

use bytes::Bytes;
use maxminddb::{PathElement, Reader};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess};
use tokenwatch_model::CountryCode;

use crate::json::{self, Fields, Object, Scalar};

/// A database in memory.
pub(super) struct Database {
    reader: Reader<Bytes>,
    bytes: Bytes,
    has_v6: bool,
}

/// A text inside a database: where it starts and how long it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    start: u32,
    length: u16,
}

/// What one database says about an address.
#[derive(Default)]
pub(super) struct Found {
    pub(super) country: Option<CountryCode>,
    pub(super) city: Option<Span>,
    pub(super) latitude: Option<f64>,
    pub(super) longitude: Option<f64>,
    pub(super) asn: Option<u32>,
    pub(super) as_org: Option<Span>,
}

impl Database {
    /// Reads the file at `path`.
    pub(super) fn open(path: &Path) -> Result<Self, String> {
        let bytes = Bytes::from(std::fs::read(path).map_err(|error| error.to_string())?);
        let reader = Reader::from_source(bytes.clone()).map_err(|error| error.to_string())?;
        let has_v6 = reader.metadata().ip_version == 6;
        Ok(Self {
            reader,
            bytes,
            has_v6,
        })
    }

    /// What it says about `ip`; a broken record says nothing.
    pub(super) fn find(&self, ip: IpAddr) -> Option<Found> {
        // A v4 file answers a v6 address with an error.
        if ip.is_ipv6() && !self.has_v6 {
            return None;
        }
        let result = self.reader.lookup(ip).ok()?;
        let RecordFields(record) = result
            .decode_path::<RecordFields<'_>>(&[] as &[PathElement<'_>])
            .ok()??;
        Some(Found {
            country: record.country.and_then(|code| CountryCode::parse(&code)),
            city: record.city.and_then(|name| self.span(&name)),
            latitude: record.latitude.map(round),
            longitude: record.longitude.map(round),
            asn: record.asn,
            as_org: record.as_org.and_then(|name| self.span(&name)),
        })
    }

    /// The text at `span`.
    pub(super) fn text(&self, span: Span) -> Option<&str> {
        let start = span.start as usize;
        std::str::from_utf8(self.bytes.get(start..start + usize::from(span.length))?).ok()
    }

    /// Where `text`, borrowed from this database, stands in it.
    fn span(&self, text: &str) -> Option<Span> {
        let start = (text.as_ptr() as usize).checked_sub(self.bytes.as_ptr() as usize)?;
        let span = Span {
            start: u32::try_from(start).ok()?,
            length: u16::try_from(text.len()).ok()?,
        };
        (start + text.len() <= self.bytes.len()).then_some(span)
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Database({})", self.reader.metadata().database_type)
    }
}

/// Four decimals are eleven metres; a 32-bit float printed as 64 bits claims nanometres.
fn round(degrees: f64) -> f64 {
    (degrees * 1e4).round() / 1e4
}

/// The fields of a record, flat or nested.
#[derive(Default)]
struct Record<'a> {
    country: Option<Cow<'a, str>>,
    city: Option<Cow<'a, str>>,
    latitude: Option<f64>,
    longitude: Option<f64>,
    asn: Option<u32>,
    as_org: Option<Cow<'a, str>>,
}

struct RecordFields<'a>(Record<'a>);

impl<'de> Deserialize<'de> for RecordFields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut record = Record::default();
        Object(&mut record).deserialize(deserializer)?;
        Ok(Self(record))
    }
}

impl<'de> Fields<'de> for Record<'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "country_code" => self.country = json::text(map)?,
            "country" => map.next_value_seed(Object(&mut Country(self)))?,
            "city" => map.next_value_seed(Object(&mut City(self)))?,
            "location" => map.next_value_seed(Object(&mut Location(self)))?,
            "latitude" => self.latitude = degrees(map)?,
            "longitude" => self.longitude = degrees(map)?,
            "autonomous_system_number" => {
                self.asn = map
                    .next_value::<Scalar<'_>>()?
                    .as_unsigned()
                    .and_then(|number| u32::try_from(number).ok());
            }
            "autonomous_system_organization" => self.as_org = json::text(map)?,
            _ => json::skip(map)?,
        }
        Ok(())
    }
}

/// MaxMind's `country`; plain text in other databases.
struct Country<'r, 'a>(&'r mut Record<'a>);

impl<'de> Fields<'de> for Country<'_, 'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        if key == "iso_code" {
            self.0.country = json::text(map)?;
            return Ok(());
        }
        json::skip(map)
    }

    fn text(&mut self, code: Cow<'de, str>) {
        if code.len() == 2 {
            self.0.country = Some(code);
        }
    }
}

/// MaxMind's `city`, with names in several languages; plain text in DB-IP's.
struct City<'r, 'a>(&'r mut Record<'a>);

impl<'de> Fields<'de> for City<'_, 'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "names" => map.next_value_seed(Object(self)),
            "en" => {
                self.0.city = json::text(map)?;
                Ok(())
            }
            _ => json::skip(map),
        }
    }

    fn text(&mut self, name: Cow<'de, str>) {
        self.0.city = Some(name).filter(|name| !json::is_missing(name));
    }
}

/// MaxMind's `location`.
struct Location<'r, 'a>(&'r mut Record<'a>);

impl<'de> Fields<'de> for Location<'_, 'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "latitude" => self.0.latitude = degrees(map)?,
            "longitude" => self.0.longitude = degrees(map)?,
            _ => json::skip(map)?,
        }
        Ok(())
    }
}

/// Degrees may be negative, unlike everything else that gateways count.
fn degrees<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<f64>, A::Error> {
    Ok(match map.next_value::<Scalar<'de>>()? {
        Scalar::Float(degrees) => Some(degrees),
        Scalar::Unsigned(degrees) => Some(degrees as f64),
        Scalar::Signed(degrees) => Some(degrees as f64),
        _ => None,
    }
    .filter(|degrees| degrees.is_finite() && degrees.abs() <= 180.0))
}
