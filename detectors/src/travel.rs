//! Where a token was last, and whether it can have got from there to here.
//!
//! Great-circle distance less what both positions may be off by. A city database is trusted to 50 km; a position without a
//! city is the middle of a country, or of a wide area, and is trusted to 500 km. Airliners cruise at about 900 km/h, which
//! is also where others draw the line (Okta 805, Panther 900, Airlock 1,000 km/h: research note 3.2).

use libm::{asin, cos, sin, sqrt};
use serde::{Deserialize, Serialize};
use tokenwatch_model::Client;

/// Steps of a degree: 0.6 km, and 180 degrees fit in 16 bits.
const STEPS: f64 = 180.0;
const EARTH_RADIUS_KM: f64 = 6_371.0;
/// What a position may be off by.
pub(crate) const CITY_KM: f64 = 50.0;
pub(crate) const COUNTRY_KM: f64 = 500.0;

/// A position: four bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fix {
    /// In steps, doubled: 90 degrees are 32,400. The lowest bit says that a city is known.
    latitude: i16,
    longitude: i16,
}

/// What no latitude is: there is no position.
const NOWHERE: i16 = i16::MIN;

impl Default for Fix {
    fn default() -> Self {
        Self {
            latitude: NOWHERE,
            longitude: 0,
        }
    }
}

/// A journey that the distance allows no better than.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Journey {
    /// Kilometres between the two, less what they may be off by.
    pub(crate) km: f64,
    pub(crate) seconds: i64,
}

impl Fix {
    /// The position of a call, where it has one.
    pub(crate) fn of(client: &Client<'_>) -> Option<Self> {
        let (latitude, longitude) = (client.latitude?, client.longitude?);
        let on_earth = latitude.abs() <= 90.0 && longitude.abs() <= 180.0;
        // Databases put what they do not know at the zero of both.
        let known = latitude != 0.0 || longitude != 0.0;
        (on_earth && known).then(|| Self {
            latitude: ((latitude * STEPS) as i16 * 2) | i16::from(client.city.is_some()),
            longitude: (longitude * STEPS) as i16,
        })
    }

    /// Whether there is a position.
    pub(crate) fn is_known(self) -> bool {
        self.latitude != NOWHERE
    }

    /// The least distance between the two, in kilometres.
    pub(crate) fn least_km(self, other: Self) -> f64 {
        let radians = |steps: i16| f64::from(steps) / STEPS * std::f64::consts::PI / 180.0;
        let (here, there) = (radians(self.latitude >> 1), radians(other.latitude >> 1));
        let half_down = sin((there - here) / 2.0);
        let half_round = sin((radians(other.longitude) - radians(self.longitude)) / 2.0);
        let haversine = half_down * half_down + cos(here) * cos(there) * half_round * half_round;
        let km = 2.0 * EARTH_RADIUS_KM * asin(sqrt(haversine.clamp(0.0, 1.0)));
        (km - self.radius_km() - other.radius_km()).max(0.0)
    }

    fn radius_km(self) -> f64 {
        if self.is_known() && self.latitude & 1 != 0 {
            CITY_KM
        } else {
            COUNTRY_KM
        }
    }
}

impl Journey {
    /// The journey between two calls `seconds` apart, in either order.
    pub(crate) fn between(from: Fix, to: Fix, seconds: i64) -> Self {
        Self {
            km: from.least_km(to),
            seconds: seconds.abs(),
        }
    }

    /// Kilometres per hour, at least; a call in the same second counts as one a second later.
    pub(crate) fn kmh(self) -> f64 {
        self.km * 3_600.0 / self.seconds.max(1) as f64
    }

    /// Whether nobody can have made it.
    pub(crate) fn is_impossible(self, max_kmh: f64, min_km: f64) -> bool {
        self.km >= min_km && self.kmh() > max_kmh
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fix(latitude: f64, longitude: f64, city: Option<&'static str>) -> Fix {
        let client = Client {
            latitude: Some(latitude),
            longitude: Some(longitude),
            city: city.map(Into::into),
            ..Client::default()
        };
        Fix::of(&client).expect("a position")
    }

    #[test]
    fn distances_are_great_circles_less_both_radii() {
        let frankfurt = fix(50.11, 8.68, Some("Frankfurt"));
        let sao_paulo = fix(-23.55, -46.63, Some("São Paulo"));
        let brazil = fix(-10.0, -55.0, None);
        // 9,810 km by any atlas.
        let km = frankfurt.least_km(sao_paulo);
        assert!((9_680.0..9_740.0).contains(&km), "{km}");
        assert!(frankfurt.least_km(brazil) < km);
        assert!(
            fix(0.1, 179.9, Some("a")).least_km(fix(0.1, -179.9, Some("b"))) < 1.0,
            "across the date line"
        );
    }

    #[test]
    fn a_flight_is_possible_and_an_hour_to_brazil_is_not() {
        let frankfurt = fix(50.11, 8.68, Some("Frankfurt"));
        let sao_paulo = fix(-23.55, -46.63, Some("São Paulo"));
        let berlin = fix(52.52, 13.4, Some("Berlin"));
        let impossible =
            |to, seconds| Journey::between(frankfurt, to, seconds).is_impossible(900.0, 500.0);
        assert!(impossible(sao_paulo, 3_600) && impossible(sao_paulo, 0));
        assert!(
            impossible(sao_paulo, -3_600),
            "the later call may come first"
        );
        assert!(!impossible(sao_paulo, 12 * 3_600));
        assert!(!impossible(berlin, 1), "too near to be sure of");
    }

    #[test]
    fn no_position_is_no_position() {
        assert_eq!(Fix::of(&Client::default()), None);
        for (latitude, longitude) in [(0.0, 0.0), (91.0, 0.0), (f64::NAN, 1.0)] {
            let client = Client {
                latitude: Some(latitude),
                longitude: Some(longitude),
                ..Client::default()
            };
            assert_eq!(Fix::of(&client), None);
        }
        assert!(!Fix::default().is_known());
    }
}
