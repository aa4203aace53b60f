//! Databases of both shapes, as the writer of another project made them.

use std::path::PathBuf;

use tokenwatch_ingest::{Geo, GeoConfig, GeoState, IngestMetrics};

fn open(files: &[&str]) -> Geo {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/geo");
    let config = GeoConfig {
        databases: files.iter().map(|file| folder.join(file)).collect(),
    };
    Geo::open(&config, &IngestMetrics::default())
}

const ALL: [&str; 4] = [
    "city-ipv4.mmdb",
    "city-ipv6.mmdb",
    "maxmind-city.mmdb",
    "asn.mmdb",
];

#[test]
fn flat_and_nested_records_say_the_same() {
    let geo = open(&ALL);
    assert_eq!(geo.state(), GeoState::Ready);
    // Twice: from the database, and from the cache.
    for _ in 0..2 {
        let place = geo.place("203.0.113.7".parse().unwrap());
        assert_eq!(place.country.unwrap().as_str(), "DE");
        assert_eq!(place.city, Some("Frankfurt am Main"));
        assert_eq!(
            (place.latitude, place.longitude),
            (Some(50.1109), Some(8.6821))
        );
        assert_eq!(
            (place.asn, place.as_org),
            (Some(3_320), Some("Deutsche Telekom AG"))
        );

        let place = geo.place("192.0.2.1".parse().unwrap());
        assert_eq!(place.country.unwrap().as_str(), "ZA");
        assert_eq!(place.city, Some("Cape Town"));
        assert_eq!(
            (place.latitude, place.longitude),
            (Some(-33.9249), Some(18.4241))
        );
        assert_eq!(place.asn, None);
    }
}

#[test]
fn both_families_are_answered_whatever_a_file_holds() {
    let geo = open(&ALL);
    let v6 = geo.place("2001:db8::17".parse().unwrap());
    assert_eq!((v6.city, v6.asn), (Some("Tokyo"), Some(2_914)));
    let mapped = geo.place("::ffff:203.0.113.7".parse().unwrap());
    assert_eq!(mapped.city, Some("Frankfurt am Main"));
    let unknown = geo.place("10.0.0.1".parse().unwrap());
    assert_eq!((unknown.country, unknown.asn), (None, None));
}

#[test]
fn an_empty_city_is_no_city() {
    let geo = open(&ALL);
    let place = geo.place("198.51.100.1".parse().unwrap());
    assert_eq!(place.country.unwrap().as_str(), "US");
    assert_eq!(place.city, None);
}

#[test]
fn a_missing_or_broken_file_degrades() {
    let geo = open(&["city-ipv4.mmdb", "missing.mmdb", "../kong/lines.log"]);
    assert_eq!(geo.state(), GeoState::Degraded);
    let detail = geo.degraded().unwrap();
    assert!(
        detail.contains("missing.mmdb") && detail.contains("lines.log"),
        "{detail}"
    );
    assert!(geo.place("203.0.113.7".parse().unwrap()).country.is_some());
    assert_eq!(Geo::off().state(), GeoState::Off);
}
