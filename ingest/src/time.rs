//! Reads the times that gateways write: numbers whose unit shows by their magnitude, RFC 3339, the common log format, and
//! gin's.
//!
//! Hand-written, because it runs once per event: a calendar library spends ten times as long on the general case.

use tokenwatch_model::Timestamp;

use crate::json::Scalar;

/// Below this a number counts seconds: as seconds it is the year 5138.
const SECONDS_LIMIT: f64 = 1e11;
/// Below this it counts milliseconds.
const MILLIS_LIMIT: f64 = 1e14;
/// Below this it counts microseconds; above, nanoseconds.
const MICROS_LIMIT: f64 = 1e17;

/// A time in any known notation; numbers also as text.
pub(crate) fn read(value: &Scalar<'_>) -> Option<Timestamp> {
    match value {
        Scalar::Unsigned(number) => read_whole(*number),
        Scalar::Float(number) => read_float(*number),
        Scalar::Text(text) => read_text(text.trim()),
        Scalar::Missing | Scalar::Bool(_) | Scalar::Signed(_) => None,
    }
}

/// A time as text.
pub(crate) fn read_text(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    match bytes.get(..5)? {
        [_, _, _, _, b'-'] => read_rfc3339(bytes),
        [_, _, _, _, b'/'] => read_gin(bytes),
        [_, _, b'/', _, _] => read_common_log(bytes),
        _ if bytes.iter().all(u8::is_ascii_digit) => read_whole(text.parse().ok()?),
        _ => read_decimal(text),
    }
}

fn read_whole(number: u64) -> Option<Timestamp> {
    let value = i64::try_from(number).ok()?;
    let micros = match number as f64 {
        magnitude if magnitude < SECONDS_LIMIT => value.checked_mul(1_000_000)?,
        magnitude if magnitude < MILLIS_LIMIT => value.checked_mul(1_000)?,
        magnitude if magnitude < MICROS_LIMIT => value,
        _ => value / 1_000,
    };
    Some(Timestamp::from_micros(micros))
}

fn read_float(number: f64) -> Option<Timestamp> {
    if !number.is_finite() || number < 0.0 {
        return None;
    }
    let micros = if number < SECONDS_LIMIT {
        number * 1e6
    } else if number < MILLIS_LIMIT {
        number * 1e3
    } else if number < MICROS_LIMIT {
        number
    } else {
        number / 1e3
    };
    (micros < i64::MAX as f64).then(|| Timestamp::from_micros(micros.round() as i64))
}

/// `1763793600.123`, exactly: a float would round the microseconds.
fn read_decimal(text: &str) -> Option<Timestamp> {
    let (whole, fraction) = text.split_once('.')?;
    let (Ok(seconds), true) = (whole.parse::<i64>(), whole.len() <= 11) else {
        return read_float(text.parse().ok()?);
    };
    let (micros, used) = fraction_micros(fraction.as_bytes());
    (used == fraction.len() && seconds >= 0)
        .then(|| seconds.checked_mul(1_000_000)?.checked_add(micros))?
        .map(Timestamp::from_micros)
}

/// `2025-11-22T06:40:00.310Z`, with any fraction, a zone as `Z` or an offset (none means UTC), and `T` or a space.
fn read_rfc3339(bytes: &[u8]) -> Option<Timestamp> {
    let date = bytes.get(..19)?;
    if date[7] != b'-'
        || date[13] != b':'
        || date[16] != b':'
        || !matches!(date[10], b'T' | b't' | b' ')
    {
        return None;
    }
    let seconds = seconds_of(
        number(&date[..4])?,
        number(&date[5..7])?,
        number(&date[8..10])?,
        [
            number(&date[11..13])?,
            number(&date[14..16])?,
            number(&date[17..])?,
        ],
    )?;
    let mut rest = &bytes[19..];
    let mut micros = 0;
    if let [b'.' | b',', fraction @ ..] = rest {
        let (value, used) = fraction_micros(fraction);
        if used == 0 {
            return None;
        }
        micros = value;
        rest = &fraction[used..];
    }
    let zone = match rest {
        [] | b"Z" | b"z" => 0,
        zone => read_zone(zone)?,
    };
    Some(Timestamp::from_micros(
        (seconds - zone) * 1_000_000 + micros,
    ))
}

/// `22/Nov/2025:06:40:00 +0000`, with or without a fraction and a zone.
fn read_common_log(bytes: &[u8]) -> Option<Timestamp> {
    let date = bytes.get(..20)?;
    if date[6] != b'/' || date[11] != b':' || date[14] != b':' || date[17] != b':' {
        return None;
    }
    let month = match &date[3..6] {
        b"Jan" => 1,
        b"Feb" => 2,
        b"Mar" => 3,
        b"Apr" => 4,
        b"May" => 5,
        b"Jun" => 6,
        b"Jul" => 7,
        b"Aug" => 8,
        b"Sep" => 9,
        b"Oct" => 10,
        b"Nov" => 11,
        b"Dec" => 12,
        _ => return None,
    };
    let seconds = seconds_of(
        number(&date[7..11])?,
        month,
        number(&date[..2])?,
        [
            number(&date[12..14])?,
            number(&date[15..17])?,
            number(&date[18..])?,
        ],
    )?;
    let mut rest = &bytes[20..];
    let mut micros = 0;
    if let [b'.', fraction @ ..] = rest {
        let (value, used) = fraction_micros(fraction);
        micros = value;
        rest = &fraction[used..];
    }
    let zone = match rest {
        [] => 0,
        [b' ', zone @ ..] => read_zone(zone)?,
        _ => return None,
    };
    Some(Timestamp::from_micros(
        (seconds - zone) * 1_000_000 + micros,
    ))
}

/// `2025/11/22 - 06:40:00`, with or without a fraction; it never has a zone.
fn read_gin(bytes: &[u8]) -> Option<Timestamp> {
    let date = bytes.get(..21)?;
    if date[7] != b'/' || &date[10..13] != b" - " || date[15] != b':' || date[18] != b':' {
        return None;
    }
    let seconds = seconds_of(
        number(&date[..4])?,
        number(&date[5..7])?,
        number(&date[8..10])?,
        [
            number(&date[13..15])?,
            number(&date[16..18])?,
            number(&date[19..])?,
        ],
    )?;
    let micros = match &bytes[21..] {
        [] => 0,
        [b'.', fraction @ ..] => {
            let (micros, used) = fraction_micros(fraction);
            (used == fraction.len()).then_some(micros)?
        }
        _ => return None,
    };
    Some(Timestamp::from_micros(seconds * 1_000_000 + micros))
}

/// `+01:00`, `-0530`: seconds east of Greenwich.
fn read_zone(zone: &[u8]) -> Option<i64> {
    let (hours, minutes) = match zone {
        [_, a, b, b':', c, d] | [_, a, b, c, d] => (number(&[*a, *b])?, number(&[*c, *d])?),
        [_, a, b] => (number(&[*a, *b])?, 0),
        _ => return None,
    };
    if hours > 23 || minutes > 59 {
        return None;
    }
    match zone[0] {
        b'+' => Some(hours * 3_600 + minutes * 60),
        b'-' => Some(-(hours * 3_600 + minutes * 60)),
        _ => None,
    }
}

/// The microseconds of a decimal fraction, digits past the sixth dropped, and how many digits there were.
fn fraction_micros(fraction: &[u8]) -> (i64, usize) {
    let mut micros = 0;
    let mut digits = 0;
    for byte in fraction.iter().take_while(|byte| byte.is_ascii_digit()) {
        if digits < 6 {
            micros = micros * 10 + i64::from(byte - b'0');
        }
        digits += 1;
    }
    (
        micros * 10_i64.pow(6_u32.saturating_sub(digits as u32)),
        digits,
    )
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |value, digit| {
        digit
            .is_ascii_digit()
            .then(|| value * 10 + i64::from(digit - b'0'))
    })
}

/// Seconds since 1970 of a date and a time of day; 60 seconds for a leap second.
fn seconds_of(year: i64, month: i64, day: i64, [hour, minute, second]: [i64; 3]) -> Option<i64> {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days_in_month = match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=days_in_month).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    // Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", days_from_civil.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100
        + day_of_year
        - 719_468;
    Some(days * 86_400 + hour * 3_600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expected: &str) {
        let expected: Timestamp = expected.parse().unwrap();
        assert_eq!(read_text(text), Some(expected), "{text}");
    }

    #[test]
    fn every_notation_of_the_gateways_is_read() {
        check("2025-11-22T06:40:00.310Z", "2025-11-22T06:40:00.310Z");
        check("2025-11-22T07:40:00+01:00", "2025-11-22T06:40:00Z");
        check(
            "2025-11-22T06:40:00.123161800Z",
            "2025-11-22T06:40:00.123161Z",
        );
        check("2022-05-07 18:53:12", "2022-05-07T18:53:12Z");
        check("22/Nov/2025:06:40:00 +0000", "2025-11-22T06:40:00Z");
        check("17/May/2015:08:05:32 -0530", "2015-05-17T13:35:32Z");
        check("22/Nov/2025:06:40:00.123", "2025-11-22T06:40:00.123Z");
        check("2025/11/22 - 06:40:00", "2025-11-22T06:40:00Z");
        check("2025/11/22 - 06:40:00.123", "2025-11-22T06:40:00.123Z");
        check("1763793600", "2025-11-22T06:40:00Z");
        check("1763793600.123", "2025-11-22T06:40:00.123Z");
        check("1763793600123", "2025-11-22T06:40:00.123Z");
        check("1763793600123456", "2025-11-22T06:40:00.123456Z");
        check("1763793600123456789", "2025-11-22T06:40:00.123456Z");
    }

    #[test]
    fn numbers_show_their_unit_by_their_magnitude() {
        let at = |micros| Some(Timestamp::from_micros(micros));
        assert_eq!(
            read(&Scalar::Unsigned(1_566_660_387)),
            at(1_566_660_387_000_000)
        );
        assert_eq!(
            read(&Scalar::Unsigned(1_763_793_600_122)),
            at(1_763_793_600_122_000)
        );
        assert_eq!(
            read(&Scalar::Float(1_763_793_600.123_161_8)),
            at(1_763_793_600_123_162)
        );
        assert_eq!(
            read(&Scalar::Float(1.775_462_399_100_2e18)),
            at(1_775_462_399_100_200)
        );
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "-",
            "now",
            "2025-13-01T00:00:00Z",
            "2025-02-29T00:00:00Z",
            "2025-11-22T24:00:00Z",
            "22/Foo/2025:06:40:00 +0000",
            "2025/11/22 - 24:00:00",
            "2025/11/22 06:40:00",
            "2025/11/22 - 06:40:00 x",
            "2025-11-22T06:40:00.Z",
            "2025-11-22T06:40:00+99:00",
            "-1763793600",
            "99999999999999999999999",
            "2025-11-22",
            "12345.6x",
            "\u{1d7d8}\u{1d7d8}",
        ] {
            assert_eq!(read_text(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn rfc_3339_agrees_with_the_calendar_library(micros in -2_000_000_000_000_000_i64..250_000_000_000_000_000) {
            let time = jiff::Timestamp::from_microsecond(micros).unwrap();
            prop_assert_eq!(read_text(&time.to_string()), Some(Timestamp::from_micros(micros)));
        }

        #[test]
        fn no_text_panics(text: String) {
            read_text(&text);
        }

        #[test]
        fn no_digits_panic(text in "[0-9:/ .TZ+-]{0,32}") {
            read_text(&text);
        }
    }
}
