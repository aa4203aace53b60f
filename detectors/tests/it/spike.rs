//! Spikes of tokens whose habit is little older than a week: what the first days teach must not blind the next ones.

use tokenwatch_model::{Detector, Signal};

use crate::support::{Call, DAY, MONDAY, replay};

/// The spike: Thursday of the second week, 10:00.
const SPIKE: i64 = MONDAY + 10 * DAY + 10 * 3_600;

/// `per_window` calls in every ten minutes since `begin`, at random, and `spike` more from [`SPIKE`] on.
fn calls(begin: i64, per_window: i64, spike: i64) -> Vec<Call> {
    let mut random = fastrand::Rng::with_seed(7);
    let mut call = |from: i64| Call {
        at_ms: from * 1_000 + random.i64(0..600_000),
        path: format!("/v1/orders/{}", random.u32(0..40)),
        ..Call::default()
    };
    let windows = (begin..SPIKE).step_by(600);
    let mut calls: Vec<Call> = windows
        .flat_map(|from| (0..per_window).map(move |_| from))
        .map(&mut call)
        .collect();
    calls.extend((0..spike).map(|_| call(SPIKE)));
    calls.sort_by_key(|call| call.at_ms);
    calls
}

fn is_found(calls: &[Call]) -> bool {
    let found = replay("", calls).findings;
    found
        .iter()
        .any(|finding| finding.detector == Detector::RateSpike)
}

#[test]
fn six_times_a_steady_rate_is_found_in_the_second_week() {
    for per_window in [5, 20] {
        let spike = |times| calls(MONDAY, per_window, times * per_window);
        assert!(is_found(&spike(6)), "{per_window} calls in ten minutes");
        assert!(!is_found(&spike(1)), "{per_window} calls in ten minutes");
    }
}

#[test]
fn ten_times_the_rate_of_four_days_is_found_and_thrice_is_not() {
    let begin = SPIKE - 4 * DAY;
    assert!(is_found(&calls(begin, 20, 200)));
    assert!(!is_found(&calls(begin, 20, 60)));
}

/// Two calls on one day of each of five weeks, and on the Thursday of the sixth `spike` calls within `over` seconds.
fn weekly(spike: i64, over: i64) -> Vec<Call> {
    let at = MONDAY + 38 * DAY + 10 * 3_600;
    let call = |from: i64, number: i64, gap_ms: i64| Call {
        at_ms: from * 1_000 + number * gap_ms,
        path: format!("/v1/orders/{number}"),
        ..Call::default()
    };
    let usual = (0..5).flat_map(|week| {
        (0..2).map(move |number| {
            call(
                MONDAY + (7 * week + week % 3) * DAY + 36_000,
                number,
                400_000,
            )
        })
    });
    let spike = (0..spike).map(|number| call(at, number, over * 1_000 / spike));
    usual.chain(spike).collect()
}

fn signals(calls: &[Call]) -> usize {
    let signals = replay("", calls).signals;
    let of_rate = |signal: &&Signal| signal.detector == Detector::RateSpike;
    signals.iter().filter(of_rate).count()
}

#[test]
fn a_key_that_calls_once_a_week_is_signalled_at_six_times_its_most_and_found_at_forty_calls() {
    for over in [10, 600, 3_600] {
        assert_eq!(signals(&weekly(3, over)), 0, "within {over} s");
        assert_ne!(signals(&weekly(16, over)), 0, "within {over} s");
        assert!(is_found(&weekly(64, over)), "within {over} s");
    }
    assert!(!is_found(&weekly(16, 3_600)), "few are not worth a ticket");
}
