//! Where an address is: country, city, coordinates and autonomous system, from mmdb files.
//!
//! Any number of files may be given, each with what it knows: the first that knows a thing wins, so an operator can put
//! a paid database before the default one. A file that is missing or broken degrades: a warning, the metric
//! `geo_degraded`, and events without what it would have known. Nothing here fails at look-up time.

mod cache;
mod database;

use std::net::IpAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tokenwatch_model::CountryCode;

use crate::metrics::IngestMetrics;
use cache::Cache;
use database::{Database, Found, Span};

/// The databases, as written in the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GeoConfig {
    /// mmdb files with countries, cities, coordinates or autonomous systems; for each fact the first that knows it wins.
    pub databases: Vec<PathBuf>,
}

/// Whether the databases are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GeoState {
    /// None is configured.
    Off,
    /// All that are configured were opened.
    Ready,
    /// At least one could not be opened.
    Degraded,
}

/// Answers where an address is. Shared by all decoding threads.
#[derive(Debug)]
pub struct Geo {
    databases: Vec<Database>,
    cache: Cache<Facts>,
    problems: Vec<String>,
}

/// What is known about an address.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Place<'g> {
    /// The country.
    pub country: Option<CountryCode>,
    /// The city, in English where the database has several names.
    pub city: Option<&'g str>,
    /// Degrees north.
    pub latitude: Option<f64>,
    /// Degrees east.
    pub longitude: Option<f64>,
    /// The autonomous system's number.
    pub asn: Option<u32>,
    /// The autonomous system's organisation.
    pub as_org: Option<&'g str>,
}

/// The same, with the places of texts in the databases instead of the texts: this is what the cache holds.
#[derive(Clone, Copy, Debug, Default)]
struct Facts {
    country: Option<CountryCode>,
    city: Option<(u8, Span)>,
    latitude: Option<f64>,
    longitude: Option<f64>,
    asn: Option<u32>,
    as_org: Option<(u8, Span)>,
}

impl Geo {
    /// No databases: every address is nowhere.
    pub fn off() -> Self {
        Self::open(&GeoConfig::default(), &IngestMetrics::default())
    }

    /// Opens the databases into memory (the default ones take 140 MB). Those that cannot be opened are left out: see
    /// [`Geo::degraded`].
    pub fn open(config: &GeoConfig, metrics: &IngestMetrics) -> Self {
        let mut databases = Vec::new();
        let mut problems = Vec::new();
        for path in &config.databases {
            match Database::open(path) {
                Ok(database) => databases.push(database),
                Err(reason) => {
                    tracing::warn!(
                        geo.file = %path.display(),
                        geo.reason = %reason,
                        "a geo database cannot be used; events will lack what it knows"
                    );
                    problems.push(format!("{}: {reason}", path.display()));
                }
            }
        }
        let geo = Self {
            databases,
            cache: Cache::new(),
            problems,
        };
        metrics.set_geo(geo.state());
        geo
    }

    /// Whether all configured databases are in use.
    pub fn state(&self) -> GeoState {
        match (self.problems.is_empty(), self.databases.is_empty()) {
            (false, _) => GeoState::Degraded,
            (true, true) => GeoState::Off,
            (true, false) => GeoState::Ready,
        }
    }

    /// The files that could not be used, and why; `None` if all are in use.
    pub fn degraded(&self) -> Option<String> {
        (!self.problems.is_empty()).then(|| self.problems.join("; "))
    }

    /// Where `ip` is.
    pub fn place(&self, ip: IpAddr) -> Place<'_> {
        if self.databases.is_empty() {
            return Place::default();
        }
        let ip = ip.to_canonical();
        let facts = self.cache.get_or_insert(ip, || self.look_up(ip));
        let text = |place: Option<(u8, Span)>| {
            place.and_then(|(database, span)| self.databases[usize::from(database)].text(span))
        };
        Place {
            country: facts.country,
            city: text(facts.city),
            latitude: facts.latitude,
            longitude: facts.longitude,
            asn: facts.asn,
            as_org: text(facts.as_org),
        }
    }

    fn look_up(&self, ip: IpAddr) -> Facts {
        let mut facts = Facts::default();
        for (index, database) in (0..).zip(&self.databases) {
            let Some(found) = database.find(ip) else {
                continue;
            };
            facts.add(&found, index);
        }
        facts
    }
}

impl Facts {
    /// Takes what is not known yet; a city goes with its own country and coordinates.
    fn add(&mut self, found: &Found, database: u8) {
        if self.country.is_none() || (self.country == found.country && self.city.is_none()) {
            self.country = self.country.or(found.country);
            self.city = self.city.or(found.city.map(|span| (database, span)));
            if self.latitude.is_none() {
                (self.latitude, self.longitude) = (found.latitude, found.longitude);
            }
        }
        if self.asn.is_none() {
            self.asn = found.asn;
            self.as_org = found.as_org.map(|span| (database, span));
        }
    }
}
