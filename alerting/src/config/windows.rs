//! `[[alerting.windows]]`: named times, for routes.

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use tokenwatch_model::Problems;

use crate::calendar::{Span, Window};

/// More parts of windows than any rota has.
const WINDOWS_LIMIT: usize = 256;

/// One part of a window; windows of the same name are one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WindowConfig {
    /// The name that routes use.
    pub name: String,
    /// Whose time of day: `Europe/Berlin`.
    #[serde(default = "utc")]
    pub zone: String,
    /// `mon` to `sun`; empty is every day.
    #[serde(default)]
    pub days: Vec<String>,
    /// `2026-12-25`; empty is every date.
    #[serde(default)]
    pub dates: Vec<String>,
    /// From this time of day.
    #[serde(default = "midnight")]
    pub from: String,
    /// To this one; not after `from`: on the next day.
    #[serde(default = "midnight")]
    pub to: String,
    /// Only in one of so many weeks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every_weeks: Option<u32>,
    /// A date in the first of these weeks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_week: Option<String>,
}

fn utc() -> String {
    "UTC".to_owned()
}

fn midnight() -> String {
    "00:00".to_owned()
}

pub(super) fn validate(windows: &[WindowConfig], problems: &mut Problems) -> Vec<Window> {
    if windows.len() > WINDOWS_LIMIT {
        problems.add("windows", format!("has at most {WINDOWS_LIMIT} entries"));
    }
    let mut found: Vec<Window> = Vec::new();
    for (index, window) in windows.iter().enumerate() {
        let key = format!("windows[{index}]");
        if window.name.is_empty() {
            problems.add(format!("{key}.name"), "must not be empty");
        }
        let Some(span) = span(window, &key, problems) else {
            continue;
        };
        match found.iter_mut().find(|known| known.name == window.name) {
            Some(known) => known.spans.push(span),
            None => found.push(Window {
                name: window.name.clone(),
                spans: vec![span],
            }),
        }
    }
    found
}

fn span(window: &WindowConfig, key: &str, problems: &mut Problems) -> Option<Span> {
    let zone = zone(&format!("{key}.zone"), &window.zone, problems);
    let from = time(&format!("{key}.from"), &window.from, problems);
    let to = time(&format!("{key}.to"), &window.to, problems);
    let mut days = Vec::new();
    for (index, day) in window.days.iter().enumerate() {
        match weekday(day) {
            Some(day) => days.push(day),
            None => problems.add(
                format!("{key}.days[{index}]"),
                "is none of mon, tue, wed, thu, fri, sat, sun",
            ),
        }
    }
    let mut dates = Vec::new();
    for (index, text) in window.dates.iter().enumerate() {
        dates.extend(date(&format!("{key}.dates[{index}]"), text, problems));
    }
    let rota = match (window.every_weeks, &window.first_week) {
        (None, None) => None,
        (Some(every @ 2..=52), Some(first)) => {
            Some((every, date(&format!("{key}.first_week"), first, problems)?))
        }
        (Some(_), Some(_)) => {
            problems.add(format!("{key}.every_weeks"), "must be from 2 to 52");
            None
        }
        _ => {
            let message = "and first_week belong together";
            problems.add(format!("{key}.every_weeks"), message);
            None
        }
    };
    Some(Span {
        zone: zone?,
        days,
        dates,
        from: from?,
        to: to?,
        rota,
    })
}

/// The zone of this name.
pub(super) fn zone(key: &str, name: &str, problems: &mut Problems) -> Option<TimeZone> {
    let zone = TimeZone::get(name).ok();
    if zone.is_none() {
        let message = format!("{name:?} is no time zone like \"Europe/Berlin\"");
        problems.add(key, message);
    }
    zone
}

/// A time of day like `09:00`.
pub(super) fn time(key: &str, text: &str, problems: &mut Problems) -> Option<Time> {
    let time = text.parse().ok();
    if time.is_none() {
        problems.add(key, format!("{text:?} is no time of day like \"09:00\""));
    }
    time
}

fn date(key: &str, text: &str, problems: &mut Problems) -> Option<Date> {
    let date = text.parse().ok();
    if date.is_none() {
        problems.add(key, format!("{text:?} is no date like \"2026-12-25\""));
    }
    date
}

fn weekday(name: &str) -> Option<Weekday> {
    Some(match name {
        "mon" => Weekday::Monday,
        "tue" => Weekday::Tuesday,
        "wed" => Weekday::Wednesday,
        "thu" => Weekday::Thursday,
        "fri" => Weekday::Friday,
        "sat" => Weekday::Saturday,
        "sun" => Weekday::Sunday,
        _ => return None,
    })
}
