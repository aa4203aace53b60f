use super::*;

const DAY: Duration = Duration::from_hours(24);

fn origin(gateway: &'static str, partition: i32) -> Origin<'static> {
    Origin {
        gateway: Some(gateway.into()),
        topic: Some("t".into()),
        partition: Some(partition),
        ..Origin::default()
    }
}

fn admit(clock: &mut EventClock, gateway: &'static str, secs: i64) -> Admission {
    let ts = Timestamp::from_secs(1_000_000 + secs);
    clock.admit(&origin(gateway, 0), ts, 10_000_000, 300_000_000)
}

fn busy() -> EventClock {
    let mut clock = EventClock::default();
    for second in 0..200 {
        admit(&mut clock, ["a", "b"][second as usize % 2], second);
    }
    clock
}

/// Moves a stream to `secs`.
fn advance(clock: &mut EventClock, partition: i32, secs: i64) {
    let ts = Timestamp::from_secs(1_000_000 + secs);
    clock.admit(&origin("a", partition), ts, 0, i64::MAX);
}

#[test]
fn a_stream_that_is_days_behind_has_its_own_time_as_long_as_it_moves() {
    let mut clock = EventClock::default();
    for hour in 0..100 {
        advance(&mut clock, 0, (hour + 80) * 3_600);
        advance(&mut clock, 1, hour * 3_600);
        let behind = clock.watermark(1, DAY).as_secs();
        assert_eq!(behind, 1_000_000 + hour * 3_600);
    }
}

#[test]
fn a_stream_that_stands_still_follows_the_foremost_at_a_distance() {
    let mut clock = EventClock::default();
    for hour in 0..100 {
        advance(&mut clock, 0, (hour + 80) * 3_600);
        if hour < 10 {
            advance(&mut clock, 1, hour * 3_600);
        }
    }
    let foremost = clock.watermark(0, DAY);
    assert_eq!(clock.watermark(1, DAY), foremost - DAY);
    assert!(clock.watermark(1, 5 * DAY) < foremost - 5 * DAY);
}

#[test]
fn one_wrong_clock_is_quarantined_for_as_long_as_it_is_wrong() {
    let mut clock = busy();
    for second in 200..400 {
        assert_eq!(
            admit(&mut clock, "c", 86_400 + second),
            Admission::Quarantined
        );
        assert!(matches!(
            admit(&mut clock, "a", second),
            Admission::Live { late: false, .. }
        ));
    }
}

#[test]
fn two_clocks_wrong_by_different_times_do_not_confirm_each_other() {
    let mut clock = busy();
    for second in 200..300 {
        assert_eq!(admit(&mut clock, "c", 600 + second), Admission::Quarantined);
        assert_eq!(
            admit(&mut clock, "d", 86_400 + second),
            Admission::Quarantined
        );
        assert_eq!(admit(&mut clock, "c", 601 + second), Admission::Quarantined);
        assert!(matches!(
            admit(&mut clock, "a", second),
            Admission::Live { .. }
        ));
    }
}

#[test]
fn time_goes_on_after_a_silence_of_a_busy_stream() {
    let mut clock = busy();
    assert_eq!(admit(&mut clock, "a", 10_000), Admission::Quarantined);
    assert_eq!(admit(&mut clock, "b", 10_000), Admission::Quarantined);
    assert!(matches!(
        admit(&mut clock, "a", 10_001),
        Admission::Live { .. }
    ));
    assert!(matches!(
        admit(&mut clock, "b", 10_001),
        Admission::Live { .. }
    ));
}

#[test]
fn a_sparse_stream_goes_on_after_a_weekend() {
    let mut clock = EventClock::default();
    for tenth in 0..200 {
        admit(&mut clock, "a", tenth * 600);
    }
    let monday = 120_000 + 400_000;
    let quarantined = (0..20)
        .filter(|tenth| admit(&mut clock, "a", monday + tenth * 600) == Admission::Quarantined)
        .count();
    assert_eq!(quarantined, 2);
}

#[test]
fn a_sparse_stream_may_jump_as_it_always_did() {
    let mut clock = EventClock::default();
    for hour in 0..200 {
        assert!(matches!(
            admit(&mut clock, "a", hour * 3_600),
            Admission::Live { .. }
        ));
    }
}

#[test]
fn a_node_that_stands_still_holds_the_watermark_until_it_is_idle() {
    let mut clock = busy();
    let mut held = 0;
    for second in 200..500 {
        admit(&mut clock, "a", second);
        let watermark = clock.watermark(0, Duration::MAX).as_secs() - 1_000_000;
        assert!(watermark <= second - 10);
        held += i64::from(watermark < 199);
    }
    assert!((60..=150).contains(&held), "{held}");
    assert!(clock.watermark(0, Duration::MAX).as_secs() >= 1_000_000 + 480);
}

#[test]
fn lateness_is_measured_against_the_events_own_gateway() {
    let mut clock = busy();
    admit(&mut clock, "a", 260);
    assert!(matches!(
        admit(&mut clock, "b", 240),
        Admission::Live { late: false, .. }
    ));
    assert!(matches!(
        admit(&mut clock, "a", 240),
        Admission::Live { late: true, .. }
    ));
}
