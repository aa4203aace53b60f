//! Cuts a record into documents: JSON values or lines of text.
//!
//! A record is one JSON value (which may span lines), or lines that each are a document. Container runtimes put
//! `2025-12-31T16:37:40.479Z stdout F ` before each line, syslog a header such as `<134>Nov 22 06:40:00 edge-1 haproxy[7]: `;
//! both go.

mod syslog;

/// The documents of one record, without what a container runtime or syslog put before them. Never empty ones.
pub(crate) fn documents(record: &[u8]) -> impl Iterator<Item = &[u8]> {
    let record = record.trim_ascii();
    let is_one = memchr::memchr(b'\n', record).is_none() || is_one_value(record);
    let mut rest = Some(record);
    std::iter::from_fn(move || {
        let document = rest?;
        let end = if is_one {
            None
        } else {
            memchr::memchr(b'\n', document)
        };
        rest = end.map(|end| &document[end + 1..]);
        Some(&document[..end.unwrap_or(document.len())])
    })
    .map(|document| syslog::message(without_runtime_prefix(document.trim_ascii())))
    .filter(|document| !document.is_empty())
}

/// Whether a record of several lines is one JSON value, printed for people: a list that opens on the first line and closes
/// on the last, or an object of which no line is a whole one.
fn is_one_value(record: &[u8]) -> bool {
    let is_object = |line: &[u8]| line.starts_with(b"{") && line.trim_ascii_end().ends_with(b"}");
    let mut lines = record.split(|byte| *byte == b'\n');
    match record {
        // A time in brackets opens a line of Envoy's text.
        [b'[', b'0'..=b'9', ..] => false,
        [b'[', .., b']'] => lines
            .next()
            .is_some_and(|first| !first.trim_ascii_end().ends_with(b"]")),
        [b'{', ..] => !lines.any(is_object),
        _ => false,
    }
}

/// `<time> stdout F <line>`, from containerd and CRI-O: the line.
fn without_runtime_prefix(line: &[u8]) -> &[u8] {
    if !line.first().is_some_and(u8::is_ascii_digit) {
        return line;
    }
    let mut parts = line.splitn(4, |byte| *byte == b' ');
    let (Some(time), Some(stream), Some(tag), Some(rest)) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return line;
    };
    let is_prefix = time.get(10) == Some(&b'T')
        && matches!(stream, b"stdout" | b"stderr")
        && matches!(tag, b"F" | b"P");
    if is_prefix { rest.trim_ascii() } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(record: &str, expected: &[&str]) {
        let found: Vec<_> = documents(record.as_bytes())
            .map(|document| std::str::from_utf8(document).unwrap())
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_record_is_one_value_or_several_lines() {
        check("{\"a\":1}", &["{\"a\":1}"]);
        check("{\"a\":1}\n{\"a\":2}\r\n\n", &["{\"a\":1}", "{\"a\":2}"]);
        check("{\n  \"a\": {}\n}", &["{\n  \"a\": {}\n}"]);
        check(
            "[\n{\"a\":1},\n{\"a\":2}\n]",
            &["[\n{\"a\":1},\n{\"a\":2}\n]"],
        );
        check("{\"damaged\n{\"a\":2}", &["{\"damaged", "{\"a\":2}"]);
        check(
            "[2025-11-22T06:40:00Z] \"a\"\n[2025-11-22T06:40:01Z] \"b\"",
            &[
                "[2025-11-22T06:40:00Z] \"a\"",
                "[2025-11-22T06:40:01Z] \"b\"",
            ],
        );
        check("a\nb", &["a", "b"]);
        check(" \n ", &[]);
        check("", &[]);
    }

    #[test]
    fn what_a_container_runtime_put_before_the_line_goes() {
        check(
            "2025-12-31T17:37:40.479+01:00 stdout F {\"a\":1}",
            &["{\"a\":1}"],
        );
        check("203.0.113.7 - - [x] \"y\"", &["203.0.113.7 - - [x] \"y\""]);
        check(
            "2025-12-31T17:37:40.479+01:00 stdout F",
            &["2025-12-31T17:37:40.479+01:00 stdout F"],
        );
    }
}
