//! The reader of JSON under every format: what is asked for is read strictly and borrowed, what is not is passed over.
//!
//! A gateway's record is mostly what nobody asks for (the headers of the answer, tags, upstreams), so passing over is what
//! counts. A value that is passed over must have its quotes closed and its brackets in pairs, which finds records that were
//! cut, joined or lost a quote; the commas, numbers and escapes within are not looked at. `serde_json` looks at all of it,
//! and takes twice as long for a record of Kong.

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::block::{self, WINDOW_BYTES, Window};
use super::number;
use super::text::{self, Text};

/// Deeper JSON is refused; `limits.nesting` is lower, and says so in time.
const DEPTH_LIMIT: u8 = 127;

/// A place in a document.
pub(crate) struct Reader<'de> {
    document: &'de str,
    at: usize,
    depth: u8,
}

/// The JSON is broken: where and how is of no use to anybody, since a gateway wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the JSON is damaged")]
pub(crate) struct BrokenJson;

impl serde::de::Error for BrokenJson {
    fn custom<T: std::fmt::Display>(_: T) -> Self {
        Self
    }
}

impl<'de> Reader<'de> {
    pub(crate) const fn new(document: &'de str) -> Self {
        Self {
            document,
            at: 0,
            depth: 0,
        }
    }

    /// Whether nothing but blanks follows.
    pub(crate) fn end(&mut self) -> Result<(), BrokenJson> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(BrokenJson),
        }
    }

    /// The next byte that is no blank, which is not taken.
    #[inline]
    fn peek(&mut self) -> Option<u8> {
        match self.document.as_bytes().get(self.at) {
            Some(..=b' ') => self.peek_behind_blanks(),
            byte => byte.copied(),
        }
    }

    #[cold]
    fn peek_behind_blanks(&mut self) -> Option<u8> {
        let rest = &self.document.as_bytes()[self.at..];
        let is_blank = |byte: &u8| matches!(byte, b' ' | b'\n' | b'\r' | b'\t');
        let blanks = rest.iter().take_while(|byte| is_blank(byte)).count();
        self.at += blanks;
        rest.get(blanks).copied()
    }

    /// Takes `expected`, behind blanks.
    #[inline]
    fn take(&mut self, expected: u8) -> Result<(), BrokenJson> {
        if self.peek() != Some(expected) {
            return Err(BrokenJson);
        }
        self.at += 1;
        Ok(())
    }

    /// Takes what separates the elements of a list or an object, and says whether one more follows.
    #[inline]
    fn has_next(&mut self, is_first: bool, closing: u8) -> Result<bool, BrokenJson> {
        match self.peek() {
            Some(byte) if byte == closing => {
                self.at += 1;
                Ok(false)
            }
            Some(b',') if !is_first => {
                self.at += 1;
                // Another must follow: `[1,]` is broken.
                match self.peek() {
                    Some(byte) if byte != closing => Ok(true),
                    _ => Err(BrokenJson),
                }
            }
            Some(_) if is_first => Ok(true),
            _ => Err(BrokenJson),
        }
    }

    /// Reads the text whose quote is the next byte, if it is one without escapes. Otherwise nothing is taken.
    ///
    /// Most of a record are such texts, so this is a function of its own that answers in registers.
    fn plain_text(&mut self) -> Option<&'de str> {
        if self.document.as_bytes().get(self.at) != Some(&b'"') {
            return None;
        }
        let (text, end) = text::plain(self.document, self.at + 1)?;
        self.at = end;
        Some(text)
    }

    /// Reads the text whose quote comes next, whatever it holds.
    fn text(&mut self) -> Result<Text<'de>, BrokenJson> {
        self.take(b'"')?;
        let (text, end) = text::read(self.document, self.at)?;
        self.at = end;
        Ok(text)
    }

    fn word(&mut self, word: &str) -> Result<(), BrokenJson> {
        let rest = &self.document.as_bytes()[self.at..];
        if !rest.starts_with(word.as_bytes()) {
            return Err(BrokenJson);
        }
        self.at += word.len();
        Ok(())
    }

    /// Passes over a value.
    fn skip(&mut self) -> Result<(), BrokenJson> {
        let bytes = self.document.as_bytes();
        match self.peek().ok_or(BrokenJson)? {
            b'"' => self.at = text::end(bytes, self.at + 1).ok_or(BrokenJson)?,
            b'{' | b'[' => self.at = container_end(bytes, self.at).ok_or(BrokenJson)?,
            b't' => self.word("true")?,
            b'f' => self.word("false")?,
            b'n' => self.word("null")?,
            _ => {
                let (_, end) = number::read(bytes, self.at).ok_or(BrokenJson)?;
                self.at = end;
            }
        }
        Ok(())
    }

    fn deeper<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, BrokenJson>,
    ) -> Result<T, BrokenJson> {
        if self.depth == DEPTH_LIMIT {
            return Err(BrokenJson);
        }
        self.at += 1;
        self.depth += 1;
        let value = read(self)?;
        self.depth -= 1;
        Ok(value)
    }
}

/// The end of the object or list that begins at `start`.
fn container_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut open = OpenBrackets::default();
    // All bits are set while a text goes on from the window before.
    let (mut text_before, mut is_escaped) = (0, false);
    let mut at = start;
    while at < bytes.len() {
        let window = Window::at(bytes, at);
        let mut quotes = window.quotes;
        if window.backslashes != 0 || is_escaped {
            quotes &= !block::escaped(window.backslashes, &mut is_escaped);
        }
        let texts = block::between(quotes) ^ text_before;
        text_before = 0_u64.wrapping_sub(texts >> 63);
        let mut brackets = window.brackets & !texts;
        while brackets != 0 {
            let place = at + brackets.trailing_zeros() as usize;
            brackets &= brackets - 1;
            // Behind the end are blanks, so a bracket is in the document.
            if open.take(bytes[place])? {
                return Some(place + 1);
            }
        }
        at += WINDOW_BYTES;
    }
    None
}

/// The brackets that are open, one bit for each, 1 for an object.
#[derive(Default)]
struct OpenBrackets {
    kinds: u128,
    depth: u32,
}

impl OpenBrackets {
    /// Whether `byte` closes the last of them; `None` if it is no pair with the one it closes, or one too many.
    #[inline]
    fn take(&mut self, byte: u8) -> Option<bool> {
        match byte {
            b'{' | b'[' => {
                self.depth += 1;
                if self.depth > u128::BITS {
                    return None;
                }
                self.kinds = self.kinds << 1 | u128::from(byte == b'{');
            }
            b'}' | b']' => {
                if (self.kinds & 1 == 1) != (byte == b'}') {
                    return None;
                }
                self.kinds >>= 1;
                self.depth -= 1;
            }
            _ => return Some(false),
        }
        Some(self.depth == 0)
    }
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = BrokenJson;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BrokenJson> {
        match self.peek().ok_or(BrokenJson)? {
            b'"' => self.deserialize_str(visitor),
            b'{' => self.deeper(|reader| visitor.visit_map(Elements::new(reader))),
            b'[' => self.deeper(|reader| visitor.visit_seq(Elements::new(reader))),
            b't' => {
                self.word("true")?;
                visitor.visit_bool(true)
            }
            b'f' => {
                self.word("false")?;
                visitor.visit_bool(false)
            }
            b'n' => {
                self.word("null")?;
                visitor.visit_unit()
            }
            _ => {
                let (number, end) =
                    number::read(self.document.as_bytes(), self.at).ok_or(BrokenJson)?;
                self.at = end;
                match number {
                    number::Number::Unsigned(number) => visitor.visit_u64(number),
                    number::Number::Signed(number) => visitor.visit_i64(number),
                    number::Number::Float(number) => visitor.visit_f64(number),
                }
            }
        }
    }

    /// For values that are expected to be texts; others are read as what they are.
    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BrokenJson> {
        match self.plain_text() {
            Some(text) => visitor.visit_borrowed_str(text),
            None => self.deserialize_any(visitor),
        }
    }

    /// For keys, which are texts, and for values that are.
    #[inline]
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BrokenJson> {
        if let Some(text) = self.plain_text() {
            return visitor.visit_borrowed_str(text);
        }
        match self.text()? {
            Text::Borrowed(text) => visitor.visit_borrowed_str(text),
            Text::Owned(text) => visitor.visit_string(text),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BrokenJson> {
        self.skip()?;
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char string bytes byte_buf unit
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier
    }
}

/// The elements of an open object or list.
struct Elements<'r, 'de> {
    reader: &'r mut Reader<'de>,
    is_first: bool,
}

impl<'r, 'de> Elements<'r, 'de> {
    const fn new(reader: &'r mut Reader<'de>) -> Self {
        Self {
            reader,
            is_first: true,
        }
    }

    #[inline]
    fn has_next(&mut self, closing: u8) -> Result<bool, BrokenJson> {
        let is_first = std::mem::take(&mut self.is_first);
        self.reader.has_next(is_first, closing)
    }
}

impl<'de> MapAccess<'de> for Elements<'_, 'de> {
    type Error = BrokenJson;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, BrokenJson> {
        if !self.has_next(b'}')? {
            return Ok(None);
        }
        seed.deserialize(&mut *self.reader).map(Some)
    }

    #[inline]
    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, BrokenJson> {
        self.reader.take(b':')?;
        seed.deserialize(&mut *self.reader)
    }
}

impl<'de> SeqAccess<'de> for Elements<'_, 'de> {
    type Error = BrokenJson;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, BrokenJson> {
        if !self.has_next(b']')? {
            return Ok(None);
        }
        seed.deserialize(&mut *self.reader).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;
    use serde::de::IgnoredAny;
    use serde_json::Value;

    use super::*;

    fn read<'de, T: Deserialize<'de>>(document: &'de str) -> Result<T, BrokenJson> {
        let mut reader = Reader::new(document);
        let value = T::deserialize(&mut reader)?;
        reader.end()?;
        Ok(value)
    }

    /// Reads strictly, and agrees with `serde_json`.
    fn check(document: &str) {
        let expected = serde_json::from_str::<Value>(document).ok();
        assert_eq!(read::<Value>(document).ok(), expected, "{document}");
        if expected.is_some() {
            assert!(read::<IgnoredAny>(document).is_ok(), "{document}");
        }
    }

    #[test]
    fn what_is_read_is_what_serde_json_reads() {
        for document in [
            r#"{"a":[1,-2,3.5,1e3,true,false,null,"x\"\\\/\b\f\n\r\tA\u00e9\ud83d\ude00"],"b":{}}"#,
            " [ ] ",
            "[1,]",
            "[,1]",
            "[1 2]",
            r#"{"a":1,}"#,
            r#"{"a" 1}"#,
            "{a:1}",
            r#"{"a":1}}"#,
            "01",
            "-",
            "1.",
            ".5",
            "1e",
            "1e400",
            "-0",
            "18446744073709551615",
            "18446744073709551616",
            "-9223372036854775808",
            "1763793600.1231618",
            "tru",
            "nul",
            "\"a",
            "\"a\nb\"",
            r#""\x41""#,
            r#""\u12""#,
            "",
            " ",
            "{",
            "[",
            "\"\u{7f}é☃😀\"",
        ] {
            check(document);
        }
    }

    #[test]
    fn a_value_that_is_passed_over_has_closed_quotes_and_paired_brackets() {
        for whole in [
            r#"{"a":"}\"]","b":[{"c":["\\"]}]}"#,
            r#"["\x41",01,]"#,
            "\"\\\"\"",
            "-1.5e+7",
        ] {
            assert!(read::<IgnoredAny>(whole).is_ok(), "{whole}");
        }
        for broken in [
            "[}",
            "{]",
            "[{]}",
            "[[]",
            "[]]",
            r#"["a]"#,
            r#"{"a":1}}"#,
            "\"a",
            "\"a\\\"",
            "x",
        ] {
            assert!(read::<IgnoredAny>(broken).is_err(), "{broken}");
        }
        assert!(read::<IgnoredAny>(&"[".repeat(10_000)).is_err());
        assert!(read::<Value>(&"[".repeat(10_000)).is_err());
    }

    #[test]
    fn half_of_a_pair_is_replaced() {
        assert_eq!(read::<String>(r#""a\ud83dx""#).unwrap(), "a\u{fffd}x");
        assert_eq!(read::<String>(r#""\ude00""#).unwrap(), "\u{fffd}");
        assert_eq!(read::<String>(r#""\ud83d\u0041""#).unwrap(), "\u{fffd}A");
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            "\\PC{0,24}".prop_map(Value::from),
            "[\\\\\"\u{0}-\u{20}\u{e9}a]{0,24}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::hash_map("\\PC{0,8}", inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_document_is_read_as_serde_json_reads_it(value in json()) {
            for document in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
                prop_assert_eq!(&read::<Value>(&document).unwrap(), &value);
                prop_assert!(read::<IgnoredAny>(&document).is_ok());
                for end in (0..document.len()).filter(|end| document.is_char_boundary(*end)) {
                    let cut = &document[..end];
                    let is_whole = serde_json::from_str::<Value>(cut).is_ok();
                    prop_assert_eq!(read::<Value>(cut).is_ok(), is_whole, "{}", cut);
                    prop_assert_eq!(read::<IgnoredAny>(cut).is_ok(), is_whole, "{}", cut);
                }
            }
        }

        #[test]
        fn what_is_broken_is_refused_as_serde_json_refuses_it(text in "[\\[\\]{}\",:\\\\ 0-9.eEtrufalsn+-]{0,24}") {
            let expected = serde_json::from_str::<Value>(&text).ok();
            prop_assert_eq!(read::<Value>(&text).ok(), expected);
            // What is passed over may be read less strictly, never the other way round.
            prop_assert!(read::<IgnoredAny>(&text).is_ok() || serde_json::from_str::<IgnoredAny>(&text).is_err());
        }
    }
}
