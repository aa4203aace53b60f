//! Makes lines of JSON that comes otherwise: CloudTrail's files, which are one `{"Records":[…]}`, and JSON that was printed for
//! people to read.
//!
//! Such a file is one line, or one record per many lines, and may be larger than any record should be. Here what stands
//! between its records becomes line breaks, and line breaks within a record become blanks. No byte is added or removed, so
//! places in the text stay what they are, and nothing is kept but a depth. Whether a file is of this kind is decided by its
//! beginning; all others come back as they were.

use std::io::{self, BufRead, BufReader, Read};

/// The key under which CloudTrail's files hold their records.
const RECORDS: &[u8] = b"\"Records\"";

/// Where the records of a file lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fold {
    /// `{"Records":[…]}`.
    Envelope,
    /// A list over many lines.
    List,
    /// Objects over many lines.
    Object,
}

/// A reader that unfolds what it reads.
struct Unfold<R> {
    reader: R,
    fold: Fold,
    depth: u32,
    is_text: bool,
    is_escaped: bool,
}

/// The text of `reader`, with each record on a line of its own.
pub fn unfolded(mut reader: Box<dyn BufRead>) -> io::Result<Box<dyn BufRead>> {
    let Some(fold) = Fold::of(reader.fill_buf()?) else {
        return Ok(reader);
    };
    let capacity = reader.fill_buf()?.len();
    let unfold = Unfold {
        reader,
        fold,
        depth: 0,
        is_text: false,
        is_escaped: false,
    };
    Ok(Box::new(BufReader::with_capacity(capacity, unfold)))
}

impl Fold {
    /// How a file that begins like this is folded, if it is.
    fn of(beginning: &[u8]) -> Option<Self> {
        let (opening, rest) = beginning.trim_ascii_start().split_first()?;
        let inner = rest.trim_ascii_start();
        let has_break = rest[..rest.len() - inner.len()].contains(&b'\n');
        match (opening, inner.first()?) {
            (b'{', b'"') if is_envelope(inner) => Some(Self::Envelope),
            (b'{', b'"') if has_break => Some(Self::Object),
            (b'[', b'{') if has_break => Some(Self::List),
            _ => None,
        }
    }

    /// How deep the records lie.
    const fn depth(self) -> u32 {
        match self {
            Self::Envelope => 2,
            Self::List => 1,
            Self::Object => 0,
        }
    }
}

/// `"Records":[`.
fn is_envelope(inner: &[u8]) -> bool {
    inner.strip_prefix(RECORDS).is_some_and(|rest| {
        rest.trim_ascii_start()
            .strip_prefix(b":")
            .is_some_and(|rest| rest.trim_ascii_start().starts_with(b"["))
    })
}

impl<R> Unfold<R> {
    /// What stands in the place of the next byte.
    fn replace(&mut self, byte: u8) -> u8 {
        let is_inside = self.depth > self.fold.depth();
        if self.is_text {
            let is_end = byte == b'"' && !self.is_escaped;
            self.is_escaped = byte == b'\\' && !self.is_escaped;
            self.is_text = !is_end;
        } else {
            match byte {
                b'"' => self.is_text = is_inside || self.fold != Fold::Object,
                b'{' | b'[' => {
                    self.depth += 1;
                    if self.depth > self.fold.depth() {
                        return byte;
                    }
                }
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                b',' if !is_inside => return b'\n',
                _ => {}
            }
        }
        match byte {
            b'\n' if is_inside => b' ',
            byte if is_inside || byte.is_ascii_whitespace() || self.fold == Fold::Object => byte,
            b'}' | b']' => b'\n',
            _ => b' ',
        }
    }
}

impl<R: Read> Read for Unfold<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.reader.read(buffer)?;
        for byte in &mut buffer[..length] {
            *byte = self.replace(*byte);
        }
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn unfold(text: &str) -> String {
        let reader = Box::new(Cursor::new(text.to_owned()));
        let mut unfolded_text = String::new();
        unfolded(reader)
            .unwrap()
            .read_to_string(&mut unfolded_text)
            .unwrap();
        assert_eq!(unfolded_text.len(), text.len(), "{text}");
        unfolded_text
    }

    fn check(text: &str, expected: &[&str]) {
        let unfolded = unfold(text);
        let lines: Vec<_> = unfolded
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .collect();
        assert_eq!(lines, expected, "{text}");
    }

    #[test]
    fn each_record_of_an_envelope_is_a_line() {
        check(
            r#"{"Records":[{"a":"}],\"{"},{"b":[1,{"c":2}]}]}"#,
            &[r#"{"a":"}],\"{"}"#, r#"{"b":[1,{"c":2}]}"#],
        );
        check(
            "{\n  \"Records\" : [\n    {\n      \"a\": 1\n    },\n    {}\n  ]\n}\n",
            &["{       \"a\": 1     }", "{}"],
        );
        check(
            "{\"Records\":[{\"a\":1}]}{\"Records\":[{\"b\":2}]}\n{\"Records\":[]}",
            &["{\"a\":1}", "{\"b\":2}"],
        );
    }

    #[test]
    fn json_printed_for_people_becomes_lines() {
        check(
            "[\n  {\n    \"a\": [\n 1\n]\n  },\n  {\"b\": 2}\n]\n",
            &["{     \"a\": [  1 ]   }", "{\"b\": 2}"],
        );
        check(
            "{\n  \"a\": 1\n}\n{\n  \"b\": \"\\\"{\"\n}\nplain \"text\n{\"c\":3}\n",
            &[
                "{   \"a\": 1 }",
                "{   \"b\": \"\\\"{\" }",
                "plain \"text",
                "{\"c\":3}",
            ],
        );
    }

    #[test]
    fn lines_come_back_as_they_were() {
        for text in [
            "",
            "{",
            "{\"a\":1}\n{\"Records\":[{}]}\n",
            "[{\"a\":1},{\"b\":2}]\n",
            "[2025-11-22T06:40:00Z] \"GET / HTTP/2\"\n",
            "{\"Records\":1}",
            "plain, text\n",
        ] {
            assert_eq!(unfold(text), text);
        }
    }

    #[test]
    fn a_file_in_pieces_is_the_same_as_in_one() {
        let text = r#"{"Records":[{"a":"\\"},{"b":"\""},{"c":",\n"}]}"#;
        for capacity in [12, 13, 20, 64] {
            let reader = BufReader::with_capacity(capacity, Cursor::new(text));
            let mut pieces = String::new();
            unfolded(Box::new(reader))
                .unwrap()
                .read_to_string(&mut pieces)
                .unwrap();
            assert_eq!(pieces, unfold(text));
        }
    }
}
