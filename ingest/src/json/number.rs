//! Numbers in JSON.

/// As many digits fit into 64 bits, whatever they are: 2^64 has twenty.
const DIGITS_THAT_FIT: usize = 19;

/// A number, whole where it can be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    Unsigned(u64),
    Signed(i64),
    Float(f64),
}

/// The number at `start`, and the place behind it. Those that are too large for any type are refused.
pub(super) fn read(bytes: &[u8], start: usize) -> Option<(Number, usize)> {
    let is_negative = bytes.get(start) == Some(&b'-');
    let first = start + usize::from(is_negative);
    let (whole, mut end) = digits(bytes, first);
    if end == first || (bytes[first] == b'0' && end > first + 1) {
        return None;
    }
    let mut is_whole = true;
    if bytes.get(end) == Some(&b'.') {
        is_whole = false;
        end = behind_digits(bytes, end + 1)?;
    }
    if let Some(b'e' | b'E') = bytes.get(end) {
        is_whole = false;
        let sign = matches!(bytes.get(end + 1), Some(b'+' | b'-'));
        end = behind_digits(bytes, end + 1 + usize::from(sign))?;
    }
    let number = match whole {
        Some(whole) if is_whole && !is_negative => Number::Unsigned(whole),
        // Minus zero is no whole number.
        Some(whole @ 1..) if is_whole && whole <= i64::MIN.unsigned_abs() => {
            Number::Signed(0_i64.wrapping_sub_unsigned(whole))
        }
        _ => {
            let text = std::str::from_utf8(&bytes[start..end]).ok()?;
            Number::Float(
                text.parse()
                    .ok()
                    .filter(|number: &f64| number.is_finite())?,
            )
        }
    };
    Some((number, end))
}

/// What the digits from `at` on count, unless that is too much, and the place behind them.
fn digits(bytes: &[u8], at: usize) -> (Option<u64>, usize) {
    let (mut value, mut end) = (0_u64, at);
    while let Some(digit @ b'0'..=b'9') = bytes.get(end) {
        value = value.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
        end += 1;
    }
    if end - at <= DIGITS_THAT_FIT {
        return (Some(value), end);
    }
    let text = std::str::from_utf8(&bytes[at..end]);
    (text.ok().and_then(|text| text.parse().ok()), end)
}

/// The place behind the digits at `at`, of which there must be some.
fn behind_digits(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = bytes.get(at..)?;
    let count = rest
        .iter()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(rest.len());
    (count > 0).then_some(at + count)
}
