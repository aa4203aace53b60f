//! Time windows (business hours, on-call shifts, holidays) and times of digests, in any zone.
//!
//! Pure: the time is a parameter, zones come from the database that is built in. A window that ends before it begins
//! runs past midnight and belongs to the day on which it began; days have as many hours as their zone gives them.

use jiff::Timestamp as Instant;
use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use tokenwatch_model::Timestamp;

/// How many days ahead a window's next opening is looked for; a longer wait is looked at again then.
const AHEAD_DAYS: i32 = 16;

/// A part of a window: some days, from one time of day to another.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// Whose time of day.
    pub zone: TimeZone,
    /// On which days of the week; empty is all.
    pub days: Vec<Weekday>,
    /// On which dates alone; empty is all.
    pub dates: Vec<Date>,
    /// From this time of day.
    pub from: Time,
    /// To this one; not after `from` means on the next day.
    pub to: Time,
    /// Only every so many weeks, counted from the week of a date: an on-call rota.
    pub rota: Option<(u32, Date)>,
}

/// Times that have a name.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// The name.
    pub name: String,
    /// Open while any of these is.
    pub spans: Vec<Span>,
}

/// Times of day at which what was collected is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Digest {
    /// Whose times of day.
    pub zone: TimeZone,
    /// The times, at least one.
    pub at: Vec<Time>,
}

impl Span {
    /// Whether it is open at `now`.
    pub fn is_open(&self, now: Timestamp) -> bool {
        let Some(local) = local(now, &self.zone) else {
            return false;
        };
        let (date, time) = local;
        if self.from < self.to {
            return self.has(date) && self.from <= time && time < self.to;
        }
        let began_yesterday = date.yesterday().is_ok_and(|before| self.has(before));
        (self.has(date) && time >= self.from) || (began_yesterday && time < self.to)
    }

    /// Whether it opens on `date`.
    fn has(&self, date: Date) -> bool {
        let in_turn = self.rota.is_none_or(|(every, first)| {
            let monday = |date: Date| {
                date.saturating_sub(
                    jiff::Span::new().days(i64::from(date.weekday().to_monday_zero_offset())),
                )
            };
            let days = (monday(date) - monday(first)).get_days();
            (days / 7).rem_euclid(i32::try_from(every.max(1)).unwrap_or(1)) == 0
        });
        in_turn
            && (self.days.is_empty() || self.days.contains(&date.weekday()))
            && (self.dates.is_empty() || self.dates.contains(&date))
    }

    /// Its beginnings and ends around `now` and in the days after.
    fn edges(&self, now: Timestamp) -> Vec<Timestamp> {
        let Some((today, _)) = local(now, &self.zone) else {
            return Vec::new();
        };
        let mut edges = Vec::new();
        for ahead in -1..=AHEAD_DAYS {
            let date = today.saturating_add(jiff::Span::new().days(i64::from(ahead)));
            edges.extend([self.from, self.to].map(|time| instant(date, time, &self.zone)));
        }
        edges
    }
}

impl Window {
    /// Whether it is open at `now`.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.spans.iter().any(|span| span.is_open(now))
    }
}

/// Whether `active` windows (none: always) allow `now` and no `inactive` one forbids it.
pub(crate) fn is_open(active: &[&Window], inactive: &[&Window], now: Timestamp) -> bool {
    (active.is_empty() || active.iter().any(|window| window.is_open(now)))
        && !inactive.iter().any(|window| window.is_open(now))
}

/// The first time after `now` that the windows allow; the end of the search if there is none in it.
pub(crate) fn next_opening(active: &[&Window], inactive: &[&Window], now: Timestamp) -> Timestamp {
    let mut edges: Vec<Timestamp> = active
        .iter()
        .chain(inactive)
        .flat_map(|window| &window.spans)
        .flat_map(|span| span.edges(now))
        .filter(|edge| *edge > now)
        .collect();
    edges.sort_unstable();
    let opening = edges
        .into_iter()
        .find(|edge| is_open(active, inactive, *edge));
    opening.unwrap_or(now + std::time::Duration::from_hours(24 * AHEAD_DAYS as u64))
}

impl Digest {
    /// The first of its times after `since`.
    pub fn next(&self, since: Timestamp) -> Timestamp {
        let Some((today, _)) = local(since, &self.zone) else {
            return since;
        };
        let days = [today, today.saturating_add(jiff::Span::new().days(1))];
        let times = days
            .into_iter()
            .flat_map(|date| self.at.iter().map(move |time| (date, *time)))
            .map(|(date, time)| instant(date, time, &self.zone));
        times
            .filter(|time| *time > since)
            .min()
            .unwrap_or(since + std::time::Duration::from_hours(24))
    }
}

/// The date and time of day at `now` in `zone`; none for times that calendars do not reach.
fn local(now: Timestamp, zone: &TimeZone) -> Option<(Date, Time)> {
    let zoned = Instant::from_microsecond(now.as_micros())
        .ok()?
        .to_zoned(zone.clone());
    Some((zoned.date(), zoned.time()))
}

/// The moment of a time of day; one that a change of clocks skips or repeats is told as calendars do.
fn instant(date: Date, time: Time, zone: &TimeZone) -> Timestamp {
    zone.to_ambiguous_timestamp(date.to_datetime(time))
        .compatible()
        .map_or(Timestamp::from_micros(i64::MAX), |moment| {
            Timestamp::from_micros(moment.as_microsecond())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).expect("a zone")
    }

    fn span(zone_name: &str, days: &[Weekday], from: &str, to: &str) -> Span {
        Span {
            zone: zone(zone_name),
            days: days.to_vec(),
            dates: Vec::new(),
            from: from.parse().expect("a time of day"),
            to: to.parse().expect("a time of day"),
            rota: None,
        }
    }

    fn window(span: Span) -> Window {
        Window {
            name: "w".to_owned(),
            spans: vec![span],
        }
    }

    const WORKDAYS: [Weekday; 5] = [
        Weekday::Monday,
        Weekday::Tuesday,
        Weekday::Wednesday,
        Weekday::Thursday,
        Weekday::Friday,
    ];

    #[test]
    fn business_hours_follow_their_zone_through_changes_of_clocks() {
        let office = span("Europe/Berlin", &WORKDAYS, "09:00", "17:00");
        // Friday in winter: UTC+1; Monday after clocks changed to summer: UTC+2.
        for (time, open) in [
            ("2026-03-27T07:59:59Z", false),
            ("2026-03-27T08:00:00Z", true),
            ("2026-03-27T16:00:00Z", false),
            ("2026-03-28T10:00:00Z", false),
            ("2026-03-30T07:00:00Z", true),
            ("2026-03-30T15:00:00Z", false),
        ] {
            assert_eq!(office.is_open(at(time)), open, "{time}");
        }
        let office = window(office);
        let next = next_opening(&[&office], &[], at("2026-03-27T16:00:00Z"));
        assert_eq!(next, at("2026-03-30T07:00:00Z"));
    }

    #[test]
    fn a_shift_past_midnight_belongs_to_the_day_on_which_it_began() {
        let night = span("Asia/Tokyo", &[Weekday::Friday], "22:00", "06:00");
        // 2026-11-27 is a Friday; Tokyo is UTC+9.
        for (time, open) in [
            ("2026-11-27T12:59:00Z", false),
            ("2026-11-27T13:00:00Z", true),
            ("2026-11-27T20:59:00Z", true),
            ("2026-11-27T21:00:00Z", false),
            ("2026-11-26T20:00:00Z", false),
        ] {
            assert_eq!(night.is_open(at(time)), open, "{time}");
        }
    }

    #[test]
    fn a_rota_takes_turns_by_the_week() {
        let mut turn = span("UTC", &[], "00:00", "00:00");
        turn.rota = Some((2, "2026-11-02".parse().expect("a date")));
        // Monday 2 November begins the first turn, Monday 9 that of somebody else.
        assert!(turn.is_open(at("2026-11-08T23:59:00Z")));
        assert!(!turn.is_open(at("2026-11-09T00:00:00Z")));
        assert!(turn.is_open(at("2026-11-16T00:00:00Z")));
        assert!(turn.is_open(at("2026-10-19T12:00:00Z")), "and before it");
    }

    #[test]
    fn holidays_close_what_business_hours_open() {
        let office = window(span("UTC", &WORKDAYS, "09:00", "17:00"));
        let mut holiday = span("UTC", &[], "00:00", "00:00");
        holiday.dates = vec!["2026-12-25".parse().expect("a date")];
        let holidays = window(holiday);
        // Christmas is a Friday.
        let eve = at("2026-12-24T18:00:00Z");
        assert!(!is_open(
            &[&office],
            &[&holidays],
            at("2026-12-25T10:00:00Z")
        ));
        let next = next_opening(&[&office], &[&holidays], eve);
        assert_eq!(next, at("2026-12-28T09:00:00Z"));
        let next = next_opening(&[], &[&holidays], at("2026-12-25T10:00:00Z"));
        assert_eq!(next, at("2026-12-26T00:00:00Z"));
    }

    #[test]
    fn a_digest_is_told_at_the_next_of_its_times() {
        let digest = Digest {
            zone: zone("America/New_York"),
            at: vec![
                "08:00".parse().expect("a time"),
                "16:00".parse().expect("a time"),
            ],
        };
        // New York is UTC-5 in winter.
        assert_eq!(
            digest.next(at("2026-11-22T12:59:59Z")),
            at("2026-11-22T13:00:00Z")
        );
        assert_eq!(
            digest.next(at("2026-11-22T13:00:00Z")),
            at("2026-11-22T21:00:00Z")
        );
        assert_eq!(
            digest.next(at("2026-11-22T22:00:00Z")),
            at("2026-11-23T13:00:00Z")
        );
    }
}
