//! The header of syslog, as gateways write it to the network (RFC 5424 and RFC 3164, with a priority) and as syslog daemons
//! write it to files (without).
//!
//! Whoever wrote the header named the program, so a line without `program: ` is no such line and stays as it is. A client
//! writes nothing before its own request, so it cannot pretend to be a header.

/// The message behind the header; the whole line if there is none.
pub(super) fn message(line: &[u8]) -> &[u8] {
    behind_header(line).unwrap_or(line)
}

fn behind_header(line: &[u8]) -> Option<&[u8]> {
    match line {
        [b'<', rest @ ..] => {
            let end = rest.iter().take(4).position(|byte| *byte == b'>')?;
            let (priority, rest) = (&rest[..end], &rest[end + 1..]);
            if priority.is_empty() || !priority.iter().all(u8::is_ascii_digit) {
                return None;
            }
            match rest.strip_prefix(b"1 ") {
                Some(rest) => behind_rfc5424(rest),
                None => behind_program(behind_time(rest)?),
            }
        }
        [b'A'..=b'Z', ..] | [b'0'..=b'9', b'0'..=b'9', b'0'..=b'9', b'0'..=b'9', b'-', ..] => {
            behind_program(behind_time(line)?)
        }
        _ => None,
    }
}

/// `2025-11-22T06:40:00Z edge-1 haproxy 7 - - message`: what follows five words and the structured data.
fn behind_rfc5424(mut rest: &[u8]) -> Option<&[u8]> {
    for _ in 0..5 {
        rest = behind_word(rest)?;
    }
    let rest = match rest {
        [b'-', rest @ ..] => rest,
        [b'[', ..] => behind_structured_data(rest)?,
        _ => return None,
    };
    let rest = rest.strip_prefix(b" ")?;
    Some(rest.strip_prefix(b"\xef\xbb\xbf").unwrap_or(rest))
}

/// `[id name="value"][id …]`, in whose values `"`, `\` and `]` are escaped.
fn behind_structured_data(mut rest: &[u8]) -> Option<&[u8]> {
    while rest.first() == Some(&b'[') {
        let mut is_escaped = false;
        let end = rest.iter().position(|byte| {
            let is_end = *byte == b']' && !is_escaped;
            is_escaped = *byte == b'\\' && !is_escaped;
            is_end
        })?;
        rest = &rest[end + 1..];
    }
    Some(rest)
}

/// What follows `Nov 22 06:40:00 ` or an RFC 3339 time.
fn behind_time(line: &[u8]) -> Option<&[u8]> {
    match line {
        [b'0'..=b'9', ..] => behind_word(line).filter(|_| line.get(10) == Some(&b'T')),
        [
            _,
            _,
            _,
            b' ',
            _,
            _,
            b' ',
            _,
            _,
            b':',
            _,
            _,
            b':',
            _,
            _,
            b' ',
            rest @ ..,
        ] => Some(rest),
        _ => None,
    }
}

/// What follows `host program[7]: `; some leave the host out.
fn behind_program(rest: &[u8]) -> Option<&[u8]> {
    let is_program = |word: &[u8]| word.len() > 1 && word.ends_with(b":");
    let mut words = rest.splitn(3, |byte| *byte == b' ');
    let (first, second) = (words.next()?, words.next()?);
    if is_program(first) {
        behind_word(rest)
    } else if is_program(second) {
        words.next()
    } else {
        None
    }
}

fn behind_word(text: &[u8]) -> Option<&[u8]> {
    let end = memchr::memchr(b' ', text)?;
    Some(&text[end + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: &str) {
        assert_eq!(message(line.as_bytes()), expected.as_bytes(), "{line}");
    }

    #[test]
    fn every_header_of_syslog_goes() {
        check("<134>Nov 22 06:40:00 haproxy[7]: a b", "a b");
        check("<190>Nov  2 06:40:00 edge-1 nginx: a b", "a b");
        check("Nov 22 06:40:00 edge-1 haproxy[7]: {\"a\":1}", "{\"a\":1}");
        check(
            "2025-11-22T06:40:00.123456+01:00 edge-1 haproxy[7]: a b",
            "a b",
        );
        check(
            "<134>1 2024-06-20T11:47:56.817934+02:00 - haproxy 266980 - - a b",
            "a b",
        );
        check(
            "<134>1 2024-06-20T11:47:56Z h haproxy 7 - [x@1 a=\"[\\]\"][y@1] \u{feff}a b",
            "a b",
        );
    }

    #[test]
    fn what_is_no_header_stays() {
        for line in [
            "",
            "<",
            "<134>",
            "<html>Nov 22 06:40:00 haproxy: a",
            "<134>1 a b c",
            "<134>Nov 22 06:40:00 a b c",
            "203.0.113.7 - - [22/Nov/2025:06:40:00 +0000] \"GET /x: HTTP/1.1\" 200 1",
            "2025-11-22T06:40:00Z one two three:",
            "2025/11/22 - 06:40:00 | a: b",
            "Nov 22 06:40:00",
        ] {
            check(line, line);
        }
    }
}
