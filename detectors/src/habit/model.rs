//! The windows of a token against a model that keeps every event and counts anew each time.

use proptest::prelude::*;
use tokenwatch_model::{
    AccessEvent, Client, EventFlags, Format, Http, Origin, Outcome, Timestamp, TokenId,
};

use super::{FAILURE_WIDTHS, RATE_WIDTHS, VOLUME_WIDTHS};
use crate::calendar::DAY;
use crate::detect::{data_volume_spike, failure_burst, rate_spike};
use crate::failures::{FailureKind, Failures};
use crate::log_count::LogCount;
use crate::settings::DetectorSettings;
use crate::token::Token;
use crate::volume::{SmallVolume, Volume};

/// A Monday.
const START: i64 = 1_793_577_600;

/// Every event so far: its second, the newest second when it came, whether it failed, and its KiB.
#[derive(Default)]
struct Model(Vec<Event>);

#[derive(Clone, Copy, Debug)]
struct Event {
    secs: i64,
    newest: i64,
    failed: bool,
    kib: u32,
}

impl Model {
    /// What `of` gives for the events in window number `window`, of those that came before it had been closed.
    fn sum(&self, width: i64, window: i64, of: impl Fn(&Event) -> u32) -> u32 {
        let counted = |event: &&Event| {
            let own = event.secs.div_euclid(width);
            own == window && event.newest.div_euclid(width) - own <= 1
        };
        self.0.iter().filter(counted).map(of).sum()
    }

    /// The largest of the closed windows of the days that `is_meant` says, as far as a byte tells it.
    fn most(&self, width: i64, newest: i64, is_meant: impl Fn(i64) -> bool) -> f64 {
        let closed = newest.div_euclid(width) - 2;
        let windows = self.0.iter().map(|event| event.secs.div_euclid(width));
        let meant = windows
            .filter(|window| *window <= closed && is_meant((window * width).div_euclid(DAY)));
        let counts = meant.map(|window| LogCount::of_count(self.sum(width, window, |_| 1)));
        counts.max().unwrap_or_default().count()
    }
}

/// Steps between calls of seconds, hours and days; most calls are on time, some seconds or hours late.
fn steps() -> impl Strategy<Value = Vec<(i64, i64, bool, u32)>> {
    let gap = prop_oneof![6 => 0..20i64, 3 => 0..4_000i64, 1 => 0..3 * DAY];
    let late = prop_oneof![6 => Just(0i64), 2 => 0..40i64, 1 => 0..9_000i64];
    prop::collection::vec((gap, late, prop::bool::weighted(0.4), 0..5_000u32), 1..160)
}

fn event(secs: i64, failed: bool, kib: u32) -> AccessEvent<'static> {
    let status = if failed { 403 } else { 200 };
    AccessEvent {
        ts: Timestamp::from_secs(secs),
        format: Format::ALL[0],
        request_id: None,
        token: None,
        client: Client::default(),
        http: Http {
            status: Some(status),
            bytes_out: Some(u64::from(kib) * 1_024),
            ..Http::default()
        },
        tls: None,
        outcome: Outcome::of_status(Some(status)),
        flags: EventFlags::default(),
        origin: Origin::default(),
    }
}

/// A token that has every count stream from the beginning.
fn token() -> Token {
    let start = Timestamp::from_secs(START);
    let mut token = Token::new(TokenId::from_bits(1), start);
    token.rate = Some(Box::default());
    token
        .parts
        .begin_failures(FailureKind::Denied, Failures::begin(start));
    let floors = [20_480, 204_800];
    let volume = Volume::begin(SmallVolume::default(), start, floors);
    token.parts.begin_volume(volume);
    token
}

fn check(token: &Token, model: &Model, check_failures: bool) -> Result<(), TestCaseError> {
    let newest = token.newest.as_secs();
    let rate = token.rate.as_ref().expect("it has one from the beginning");
    let today = newest.div_euclid(DAY);
    for age in 0..2 {
        let number = |width: i64| newest.div_euclid(width) - age;
        for (index, width) in RATE_WIDTHS.into_iter().enumerate() {
            let count = match rate.scales.get(index) {
                Some(scale) => scale.count(age),
                None => token.day.count(age),
            };
            prop_assert_eq!(
                count,
                model.sum(width, number(width), |_| 1),
                "calls in {} s",
                width
            );
        }
        if let Some(failures) = token
            .parts
            .failures(FailureKind::Denied)
            .filter(|_| check_failures)
        {
            for (index, width) in FAILURE_WIDTHS.into_iter().enumerate() {
                let failed = model.sum(width, number(width), |event| u32::from(event.failed));
                prop_assert_eq!(
                    failures.scales[index].count(age),
                    failed,
                    "failures in {} s",
                    width
                );
                let calls = model.sum(width, number(width), |_| 1);
                prop_assert_eq!(
                    failures.calls(index, age),
                    calls,
                    "calls beside them in {} s",
                    width
                );
            }
        }
        let volume = token.parts.volume().expect("it has one from the beginning");
        for (scale, width) in volume.scales.iter().zip(VOLUME_WIDTHS) {
            let kib = model.sum(width, number(width), |event| event.kib);
            prop_assert_eq!(scale.count(age), kib, "KiB in {} s", width);
        }
    }
    // The day before yesterday is the last that is learned, in the ring of its calendar week and the three before.
    let last_week = (today - 2).div_euclid(7);
    for (scale, width) in rate.scales.iter().zip(RATE_WIDTHS) {
        let yesterday = model.most(width, newest, |day| day == today - 1);
        prop_assert_eq!(
            scale.yesterdays_peak().to_bits(),
            yesterday.to_bits(),
            "yesterday's peak of {} s",
            width
        );
        let kept = model.most(width, newest, |day| {
            day == today - 1 || (day <= today - 2 && day.div_euclid(7) > last_week - 4)
        });
        prop_assert_eq!(
            scale.max_28d().to_bits(),
            kept.to_bits(),
            "peak of four weeks of {} s",
            width
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn windows_hold_what_a_model_that_keeps_every_event_counts(steps in steps()) {
        let settings = DetectorSettings::default();
        let (mut token, mut model, mut ahead) = (token(), Model::default(), START);
        let mut has_failures = true;
        for (gap, late, failed, kib) in steps {
            ahead += gap;
            let secs = (ahead - late).max(START);
            let call = event(secs, failed, kib);
            token.advance(call.ts, &settings);
            // Four quiet weeks may have ended the habit of failures, which begins anew.
            has_failures &= token.parts.failures(FailureKind::Denied).is_some();
            failure_burst::observe(&mut token, &call, &settings);
            rate_spike::observe(&mut token, call.ts, &|| None, &settings);
            data_volume_spike::observe(&mut token, &call, &settings);
            model.0.push(Event { secs, newest: token.newest.as_secs(), failed, kib });
            check(&token, &model, has_failures)?;
        }
    }
}
