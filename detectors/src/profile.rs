//! The readable baseline of a token.

use tokenwatch_model::{ProfilePeak, ProfilePlace, Timestamp, TokenProfile};

use crate::calendar::DAY;
use crate::habit::RATE_WIDTHS;
use crate::settings::DetectorSettings;
use crate::token::{Maturity, Token};

/// What `token` has learned, for people.
pub(crate) fn of(token: &Token, settings: &DetectorSettings) -> TokenProfile {
    let level = token.hourly_level();
    let hourly = |class: usize| match &token.rate {
        Some(rate) => rate
            .slots
            .hourly(class, level)
            .map(|calls| calls as f32)
            .collect(),
        None => vec![level as f32; 24],
    };
    let short = token.rate.iter().flat_map(|rate| rate.scales.iter());
    let peaks = short
        .map(|scale| (scale.mean_peak(), scale.max_28d()))
        .zip(RATE_WIDTHS)
        .chain([((token.day.mean_peak(), token.day.max_28d()), DAY)])
        .map(|((calls, max_28d), width_s)| ProfilePeak {
            window_s: width_s.unsigned_abs(),
            calls: calls as f32,
            max_28d: max_28d as f32,
        });
    let at_day = |day: u16| Timestamp::from_secs(i64::from(day) * DAY);
    let places = token
        .whereabouts
        .places(&token.parts)
        .into_iter()
        .map(|known| ProfilePlace {
            country: known.key.key().country().map(|country| country.to_string()),
            asn: known.key.key().asn(),
            first_seen: at_day(known.first_day),
            last_seen: at_day(known.last_day),
        });
    TokenProfile {
        token_id: token.id(),
        first_seen: token.first_seen(),
        last_seen: token.newest,
        baseline_days: u32::from(token.active_days),
        mature: token.maturity(settings) == Maturity::Mature,
        weekday_hourly: hourly(0),
        weekend_hourly: hourly(1),
        peaks: peaks.collect(),
        places: places.collect(),
    }
}
