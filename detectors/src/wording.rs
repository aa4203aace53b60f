//! How findings speak: counts, shares, spans of time, and one sentence per story.

use tokenwatch_model::{Timestamp, TokenId};

use crate::calendar::{DAY, HOUR, MINUTE};
use crate::episode::Episode;
use crate::known::Known;
use crate::places::{PackedPlace, PlaceKey};

/// A count, with thousands set apart: `4,312`; small expectations keep one digit.
pub(crate) fn count(value: f64) -> String {
    if value < 0.05 {
        return "0".to_owned();
    }
    if value < 9.95 && (value - libm::round(value)).abs() >= 0.05 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// An amount of data: `37 kB`, `1.2 GB`.
pub(crate) fn bytes(bytes: f64) -> String {
    let (value, unit) = match bytes {
        b if b >= 1e9 => (b / 1e9, "GB"),
        b if b >= 1e6 => (b / 1e6, "MB"),
        b => (b / 1e3, "kB"),
    };
    format!("{} {unit}", count(value))
}

/// A time in days, or in hours if it is short: `12 days`, `5 hours`.
pub(crate) fn days(duration: std::time::Duration) -> String {
    let hours = duration.as_secs() / 3_600;
    if hours >= 48 {
        format!("{} days", hours / 24)
    } else {
        format!("{hours} hours")
    }
}

/// A share: `87 %`, `0.4 %`.
pub(crate) fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    if percent < 9.95 {
        format!("{percent:.1} %")
    } else {
        format!("{percent:.0} %")
    }
}

/// A time that went by, roughly: `45 s`, `12 min`, `5 h`, `3 days`.
pub(crate) fn elapsed(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / MINUTE),
        7_200..172_800 => format!("{} h", seconds / HOUR),
        _ => format!("{} days", seconds / DAY),
    }
}

/// A point in time, to the minute: `2026-11-22 06:40 UTC`.
pub(crate) fn moment(at: Timestamp) -> String {
    let text = at.to_string();
    match (text.get(..10), text.get(11..16)) {
        (Some(date), Some(time)) => format!("{date} {time} UTC"),
        _ => text,
    }
}

/// A window's length: `10 s`, `10 min`, `1 h`, `1 day`.
pub(crate) fn span(seconds: i64) -> String {
    match seconds {
        DAY => "1 day".to_owned(),
        s if s % HOUR == 0 => format!("{} h", s / HOUR),
        s if s % MINUTE == 0 => format!("{} min", s / MINUTE),
        s => format!("{s} s"),
    }
}

/// A time of day in UTC, with its date if the episode went on into another day.
fn time(at: Timestamp, episode: &Episode) -> String {
    let text = at.to_string();
    let last = episode.last_event_at.to_string();
    // 2026-11-22T06:40:00.123Z
    match (text.get(..10), text.get(11..19)) {
        (Some(date), Some(time)) if last.starts_with(date) => format!("{time} UTC"),
        (Some(date), Some(time)) => format!("{date} {time} UTC"),
        _ => text,
    }
}

/// A token's name, its owner first: `A token of acme (5cbc6a9e…)`.
pub(crate) fn token(id: TokenId, credential_id: Option<&str>, consumer: Option<&str>) -> String {
    match (credential_id, consumer) {
        (Some(credential), Some(consumer)) => {
            format!("A token of {consumer} ({})", abbreviated(credential))
        }
        (Some(credential), None) => format!("Token {}", abbreviated(credential)),
        (None, Some(consumer)) => {
            format!("A token of {consumer} ({})", abbreviated(&id.to_string()))
        }
        (None, None) => format!("Token {id}"),
    }
}

/// The beginning of an id that is too long for a sentence; the finding has all of it.
pub(crate) fn abbreviated(id: &str) -> String {
    const WHOLE_CHARS: usize = 16;
    const SHOWN_CHARS: usize = 12;
    if id.chars().count() <= WHOLE_CHARS {
        return id.to_owned();
    }
    let shown: String = id.chars().take(SHOWN_CHARS).collect();
    format!("{shown}…")
}

/// A place: `BR (AS28573 Claro)`.
pub(crate) fn place(key: PlaceKey, org: Option<&str>) -> String {
    let network = key.asn().map(|asn| match org {
        Some(org) => format!("AS{asn} {}", crate::samples::shortened(org)),
        None => format!("AS{asn}"),
    });
    match (key.country(), network) {
        (Some(country), Some(network)) => format!("{country} ({network})"),
        (Some(country), None) => country.to_string(),
        (None, Some(network)) => network,
        (None, None) => key.range().unwrap_or_else(|| "an unknown place".to_owned()),
    }
}

/// Up to three places, used last first.
pub(crate) fn usual_places(places: &[Known<PackedPlace>]) -> String {
    let name = |known: &Known<PackedPlace>| place(known.key.key(), None);
    let named: Vec<String> = places.iter().take(3).map(name).collect();
    match places.len() {
        0 => "no other place".to_owned(),
        1..=3 => named.join(", "),
        more => format!("{} and {} more", named.join(", "), more - 3),
    }
}

/// The sentence of a finding: the story's text with its markers filled in, and what else raised the severity.
pub(crate) fn summary(episode: &Episode, name: &str) -> String {
    let mut text = fill(&episode.story.text, |marker| match marker {
        "name" => Some(name.to_owned()),
        "events" => Some(times(episode.event_count)),
        "since" => Some(time(episode.window_start, episode)),
        "first" => Some(time(episode.first_event_at, episode)),
        "outcomes" => Some(outcomes(episode)),
        "sources" => Some(sources(episode)),
        _ => None,
    });
    if let Some(others) = joined(episode) {
        text.push_str("; with ");
        text.push_str(&others);
        text.push_str(" from the same token");
    }
    text.push('.');
    text
}

/// Puts `value` of each marker in its place; what is no marker stays as it is.
fn fill(text: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut filled = String::with_capacity(2 * text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let marked = after
            .split_once('}')
            .and_then(|(marker, tail)| value(marker).map(|value| (value, tail)));
        if let Some((value, tail)) = marked {
            filled.push_str(&value);
            rest = tail;
        } else {
            filled.push('{');
            rest = after;
        }
    }
    filled.push_str(rest);
    filled
}

/// How often: `once`, `1,204 times`.
fn times(events: u64) -> String {
    match events {
        1 => "once".to_owned(),
        events => format!("{} times", count(events as f64)),
    }
}

/// How the calls of an episode ended: `; it SUCCEEDED`, `; 7 such calls since 10:00:00 UTC, 5 refused, 2 SUCCEEDED`.
fn outcomes(episode: &Episode) -> String {
    if episode.event_count == 1 {
        return match (episode.refused, episode.succeeded) {
            (1, _) => "; the gateway refused it",
            (_, 1) => "; it SUCCEEDED",
            _ => "; it failed",
        }
        .to_owned();
    }
    format!(
        "; {} such calls since {}, {} refused, {} SUCCEEDED",
        count(episode.event_count as f64),
        time(episode.first_event_at, episode),
        count(episode.refused as f64),
        count(episode.succeeded as f64),
    )
}

/// `, from 203.0.113.7 (DE)`.
fn sources(episode: &Episode) -> String {
    let samples = &episode.samples;
    let Some(first) = samples.source_ips.first() else {
        return String::new();
    };
    let more = match samples.source_ips.len() {
        1 => String::new(),
        n if n < crate::samples::MAX_SAMPLES => format!(" and {} more addresses", n - 1),
        n => format!(" and at least {} more addresses", n - 1),
    };
    let countries = if samples.countries.is_empty() {
        String::new()
    } else {
        format!(" ({})", samples.countries.join(", "))
    };
    format!(", from {first}{more}{countries}")
}

/// What else raised the severity: `a failure burst and out-of-scope calls`.
fn joined(episode: &Episode) -> Option<String> {
    let others: Vec<&str> = episode
        .raised_with
        .iter()
        .map(|detector| detector.noun())
        .collect();
    let (last, rest) = others.split_last()?;
    Some(if rest.is_empty() {
        (*last).to_owned()
    } else {
        format!("{} and {last}", rest.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_read_like_counts() {
        for (value, text) in [
            (0.0, "0"),
            (0.3, "0.3"),
            (2.0, "2"),
            (61.4, "61"),
            (4_312.0, "4,312"),
            (1_234_567.0, "1,234,567"),
        ] {
            assert_eq!(count(value), text);
        }
    }

    #[test]
    fn a_token_is_named_after_its_owner_and_shortly() {
        let id = TokenId::from_bits(7);
        for (credential, consumer, name) in [
            (
                Some("5cbc6a9e-6f44-4f3b"),
                Some("acme"),
                "A token of acme (5cbc6a9e-6f4…)",
            ),
            (Some("acme-sub"), None, "Token acme-sub"),
            (None, Some("acme"), "A token of acme (tok_00000000…)"),
            (None, None, "Token tok_00000000000000000000000007"),
        ] {
            assert_eq!(token(id, credential, consumer), name);
        }
    }

    #[test]
    fn markers_are_filled_and_nothing_else() {
        let value = |marker: &str| (marker == "name").then(|| "X".to_owned());
        for (text, want) in [
            ("{name} called /v1/{id}, {name", "X called /v1/{id}, {name"),
            ("/{a/{name}", "/{a/X"),
            ("", ""),
        ] {
            assert_eq!(fill(text, value), want);
        }
    }

    #[test]
    fn spans_read_like_spans() {
        for (seconds, text) in [
            (10, "10 s"),
            (60, "1 min"),
            (600, "10 min"),
            (3_600, "1 h"),
            (DAY, "1 day"),
        ] {
            assert_eq!(span(seconds), text);
        }
    }
}
