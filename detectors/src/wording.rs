//! How findings speak: counts, shares, spans of time, and one sentence per story.

use tokenwatch_model::{Timestamp, TokenId};

use crate::calendar::{DAY, HOUR, MINUTE};
use crate::episode::Episode;
use crate::failures::FailureKind;
use crate::hit::{FailureStory, PlaceStory, RateStory, ScopeStory, Story};
use crate::places::{Place, PlaceKey};

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

/// A share: `87 %`, `0.4 %`.
pub(crate) fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    if percent < 9.95 {
        format!("{percent:.1} %")
    } else {
        format!("{percent:.0} %")
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
fn abbreviated(id: &str) -> String {
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
        (None, None) => "an unknown place".to_owned(),
    }
}

/// Up to three places, used last first.
pub(crate) fn usual_places(places: &[Place]) -> String {
    let named: Vec<String> = places.iter().take(3).map(|p| place(p.key, None)).collect();
    match places.len() {
        0..=3 => named.join(", "),
        more => format!("{} and {} more", named.join(", "), more - 3),
    }
}

/// The sentence of a finding.
pub(crate) fn summary(episode: &Episode, name: &str) -> String {
    let mut text = match &episode.story {
        Story::Rate(story) => rate(story, episode, name),
        Story::Failures(story) => failures(story, episode, name),
        Story::Place(story) => place_story(story, episode, name),
        Story::Scope(story) => scope(story, episode, name),
    };
    if let Some(others) = joined(episode) {
        text.push_str("; with ");
        text.push_str(&others);
        text.push_str(" from the same token");
    }
    text.push('.');
    text
}

fn rate(story: &RateStory, episode: &Episode, name: &str) -> String {
    let judgement = &story.judgement;
    let window = span(story.width_s);
    format!(
        "{name} made {} calls within {window} from {}; it usually makes about {} then, {} in its busiest {window} of a \
         day, and {} at most in 28 days{}",
        count(f64::from(judgement.count)),
        time(episode.window_start, episode),
        count(judgement.expected),
        count(judgement.habitual_peak),
        count(judgement.max_28d),
        sources(episode),
    )
}

fn failures(story: &FailureStory, episode: &Episode, name: &str) -> String {
    let observed = count(f64::from(story.judgement.count));
    let window = span(story.width_s);
    let since = time(episode.window_start, episode);
    if story.retry_loop {
        let seen = if story.usual_share > 0.5 || story.baseline_days == 0 {
            "an unknown, expired or mistyped credential"
        } else {
            "an expired or revoked credential"
        };
        return format!(
            "{name} was refused with 401 {observed} times within {window} from {since}, always the same client on the \
             same route and never let in: it looks like {seen} that is retried (credential_expired_retry){}",
            sources(episode),
        );
    }
    let what = match story.kind {
        FailureKind::Denied => "was refused (401, 403)".to_owned(),
        FailureKind::NotFound => {
            format!(
                "asked for what does not exist (404) on at least {} paths,",
                story.distinct_paths
            )
        }
    };
    let usual = if story.baseline_days == 0 {
        "it is too new to have a habit".to_owned()
    } else {
        format!("usually {} fail", percent(story.usual_share))
    };
    format!(
        "{name} {what} {observed} times within {window} from {since}, {} of its calls; {usual}{}",
        percent(story.share),
        sources(episode),
    )
}

fn place_story(story: &PlaceStory, episode: &Episode, name: &str) -> String {
    let kind = if story.new_country {
        "country"
    } else {
        "network"
    };
    let calls = if episode.event_count == 1 {
        "once".to_owned()
    } else {
        format!("{} times", count(episode.event_count as f64))
    };
    let mut text = format!(
        "{name} was used {calls} from {} since {}, a {kind} it never came from in {} days; until then it came from {}",
        story.place,
        time(episode.first_event_at, episode),
        story.baseline_days,
        story.usual,
    );
    if story.concurrent {
        text.push_str(", and calls from there go on in between, so two parties hold it");
    }
    text
}

fn scope(story: &ScopeStory, episode: &Episode, name: &str) -> String {
    let basis = if story.by_scopes {
        "its scopes do"
    } else {
        "its policy does"
    };
    let grade = if story.privileged {
        ", a privileged route"
    } else {
        ""
    };
    let mut text = format!(
        "{name} called {}{grade}, which {basis} not allow",
        story.call
    );
    if episode.event_count == 1 {
        text.push_str(match (episode.refused, episode.succeeded) {
            (1, _) => "; the gateway refused it",
            (_, 1) => "; it SUCCEEDED",
            _ => "; it failed",
        });
    } else {
        let counts = format!(
            "; {} such calls since {}, {} refused, {} SUCCEEDED",
            count(episode.event_count as f64),
            time(episode.first_event_at, episode),
            count(episode.refused as f64),
            count(episode.succeeded as f64),
        );
        text.push_str(&counts);
    }
    text.push_str(&sources(episode));
    text
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
