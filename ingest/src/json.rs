//! Reads JSON key by key, straight from the record into a format's fields.
//!
//! Gateways disagree with themselves about types: a number is text, an empty table is `[]`, a repeated header is a
//! list. So nothing here fails on a type: an object that is something else has no keys, a value that is something else
//! is missing, and keys that nobody asks for are skipped without being built. Only broken JSON is an error. Texts borrow
//! from the record unless they hold escapes.

mod block;
mod number;
pub(crate) mod reader;
mod text;

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

use reader::{BrokenJson, Reader};

/// What one kind of JSON object is read into.
pub(crate) trait Fields<'de> {
    /// Whether the objects of a list are read too, one after the other.
    const IN_LISTS: bool = false;

    /// Takes the value of `key`, which must be read from `map` exactly once.
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error>;

    /// Takes a text that stands where the object was expected.
    fn text(&mut self, _text: Cow<'de, str>) {}
}

/// Reads a value into fields: the keys of an object, and of those in a list if the fields want it; nothing of anything
/// else.
pub(crate) struct Object<'f, F>(pub(crate) &'f mut F);

/// Reads and drops the next value.
pub(crate) fn skip<'de, A: MapAccess<'de>>(map: &mut A) -> Result<(), A::Error> {
    map.next_value::<IgnoredAny>().map(drop)
}

/// Reads the next value as a text; see [`Scalar::into_text`].
pub(crate) fn text<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<Cow<'de, str>>, A::Error> {
    map.next_value::<OptionalText<'de>>().map(|text| text.0)
}

/// A value that is not an object; a list counts as its elements joined by `, `, as HTTP joins repeated headers.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Scalar<'de> {
    /// `null`, an object, an empty list.
    #[default]
    Missing,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Unsigned(u64),
    /// A negative whole number.
    Signed(i64),
    /// Any other number.
    Float(f64),
    /// A text, as written.
    Text(Cow<'de, str>),
}

impl<'de> Scalar<'de> {
    /// The text, unless it is one of the spellings of a missing value; numbers as they print.
    pub(crate) fn into_text(self) -> Option<Cow<'de, str>> {
        match self {
            Self::Text(text) => (!is_missing(&text)).then_some(text),
            Self::Unsigned(number) => Some(Cow::Owned(number.to_string())),
            Self::Signed(number) => Some(Cow::Owned(number.to_string())),
            Self::Float(number) => Some(Cow::Owned(number.to_string())),
            Self::Bool(_) | Self::Missing => None,
        }
    }

    /// The number, also from text; not when negative (gateways write -1 for unknown).
    pub(crate) fn as_unsigned(&self) -> Option<u64> {
        match self {
            Self::Unsigned(number) => Some(*number),
            Self::Float(number) if *number >= 0.0 && *number < 1e19 => Some(*number as u64),
            Self::Text(text) => parse(text),
            _ => None,
        }
    }

    /// The number, also from text; not when negative or not finite.
    pub(crate) fn as_float(&self) -> Option<f64> {
        match self {
            Self::Unsigned(number) => Some(*number as f64),
            Self::Float(number) => Some(*number),
            Self::Text(text) => parse(text),
            _ => None,
        }
        .filter(|number| number.is_finite() && *number >= 0.0)
    }
}

/// The number in `text`, which seldom has blanks around it.
fn parse<T: FromStr>(text: &str) -> Option<T> {
    text.parse().or_else(|_| text.trim().parse()).ok()
}

/// The spellings of a missing value that gateways use.
#[inline]
pub(crate) fn is_missing(text: &str) -> bool {
    // Bytes, so that lengths are told apart before texts are compared: this is asked of every value.
    matches!(
        text.as_bytes(),
        b"" | b"-" | b"unknown" | b"none" | b"null" | b"(null)" | b"<nil>"
    )
}

/// Reads a document that is one object or a list of them; `done` is handed the fields of each, or `None` for an element
/// that is no object, and says whether to go on. What was read before the JSON breaks has been handed over by then.
pub(crate) fn read_document<'de, F: Fields<'de>>(
    document: &'de str,
    new: impl FnMut() -> F,
    done: impl FnMut(Option<F>) -> bool,
) -> Result<(), BrokenJson> {
    let mut reader = Reader::new(document);
    reader.deserialize_any(Top { new, done })?;
    reader.end()
}

impl<'de, F: Fields<'de>> DeserializeSeed<'de> for Object<'_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, F: Fields<'de>> Visitor<'de> for Object<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Key(key)) = map.next_key()? {
            self.0.field(&key, &mut map)?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        if !F::IN_LISTS {
            return skip_elements(seq);
        }
        while seq.next_element_seed(Object(&mut *self.0))?.is_some() {}
        Ok(())
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<(), E> {
        self.0.text(Cow::Borrowed(text));
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.visit_string(text.to_owned())
    }

    fn visit_string<E>(self, text: String) -> Result<(), E> {
        self.0.text(Cow::Owned(text));
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// A key; borrowed unless it holds escapes.
pub(crate) struct Key<'de>(Cow<'de, str>);

impl Key<'_> {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Key<'de> {
    #[inline]
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            #[inline]
            fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(key)))
            }

            fn visit_str<E: Error>(self, key: &str) -> Result<Key<'de>, E> {
                self.visit_string(key.to_owned())
            }

            fn visit_string<E>(self, key: String) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(key)))
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}

impl<'de> Deserialize<'de> for Scalar<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

/// What [`Scalar::into_text`] makes of a value, for values that are expected to be texts: those take the short way.
struct OptionalText<'de>(Option<Cow<'de, str>>);

impl<'de> Deserialize<'de> for OptionalText<'de> {
    #[inline]
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_option(OptionalTextVisitor)
    }
}

struct OptionalTextVisitor;

impl<'de> Visitor<'de> for OptionalTextVisitor {
    type Value = OptionalText<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    #[inline]
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<OptionalText<'de>, E> {
        let is_there = !is_missing(text);
        Ok(OptionalText(is_there.then_some(Cow::Borrowed(text))))
    }

    fn visit_some<D: Deserializer<'de>>(self, some: D) -> Result<OptionalText<'de>, D::Error> {
        some.deserialize_any(self)
    }

    fn visit_none<E>(self) -> Result<OptionalText<'de>, E> {
        Ok(OptionalText(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<OptionalText<'de>, A::Error> {
        ScalarVisitor.visit_map(map).map(OptionalText::from)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<OptionalText<'de>, A::Error> {
        ScalarVisitor.visit_seq(seq).map(OptionalText::from)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<OptionalText<'de>, E> {
        self.visit_string(text.to_owned())
    }

    fn visit_string<E>(self, text: String) -> Result<OptionalText<'de>, E> {
        Ok(Scalar::Text(Cow::Owned(text)).into())
    }

    fn visit_bool<E>(self, _: bool) -> Result<OptionalText<'de>, E> {
        Ok(OptionalText(None))
    }

    fn visit_u64<E>(self, value: u64) -> Result<OptionalText<'de>, E> {
        Ok(Scalar::Unsigned(value).into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<OptionalText<'de>, E> {
        Ok(Scalar::Signed(value).into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<OptionalText<'de>, E> {
        Ok(Scalar::Float(value).into())
    }

    fn visit_unit<E>(self) -> Result<OptionalText<'de>, E> {
        Ok(OptionalText(None))
    }
}

impl<'de> From<Scalar<'de>> for OptionalText<'de> {
    fn from(scalar: Scalar<'de>) -> Self {
        Self(scalar.into_text())
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar<'de>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Missing)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Scalar<'de>, A::Error> {
        let mut joined = Scalar::Missing;
        while let Some(element) = seq.next_element::<Scalar<'de>>()? {
            joined = match (joined, element) {
                (Scalar::Missing, element) => element,
                (Scalar::Text(mut list), Scalar::Text(element)) => {
                    list.to_mut().push_str(", ");
                    list.to_mut().push_str(&element);
                    Scalar::Text(list)
                }
                (list, _) => list,
            };
        }
        Ok(joined)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Scalar<'de>, E> {
        self.visit_string(text.to_owned())
    }

    fn visit_string<E>(self, text: String) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Owned(text)))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Unsigned(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Signed(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Float(value))
    }

    fn visit_unit<E>(self) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Missing)
    }
}

/// The document itself.
struct Top<N, D> {
    new: N,
    done: D,
}

/// One element of a list of objects.
struct Element<'f, F> {
    fields: &'f mut F,
    is_object: bool,
}

impl<'de, F, N, D> Visitor<'de> for Top<N, D>
where
    F: Fields<'de>,
    N: FnMut() -> F,
    D: FnMut(Option<F>) -> bool,
{
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or a list of objects")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, map: A) -> Result<(), A::Error> {
        let mut fields = (self.new)();
        Object(&mut fields).visit_map(map)?;
        (self.done)(Some(fields));
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        loop {
            let mut fields = (self.new)();
            let mut element = Element {
                fields: &mut fields,
                is_object: false,
            };
            if seq.next_element_seed(&mut element)?.is_none() {
                return Ok(());
            }
            let is_object = element.is_object;
            if !(self.done)(is_object.then_some(fields)) {
                return skip_elements(seq);
            }
        }
    }
}

impl<'de, F: Fields<'de>> DeserializeSeed<'de> for &mut Element<'_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(Object(self))
    }
}

impl<'de, F: Fields<'de>> Fields<'de> for Element<'_, F> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        self.is_object = true;
        self.fields.field(key, map)
    }
}

fn skip_elements<'de, A: SeqAccess<'de>>(mut seq: A) -> Result<(), A::Error> {
    while seq.next_element::<IgnoredAny>()?.is_some() {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_is_expected_to_be_a_text_is_what_its_scalar_says() {
        for document in [
            r#""a""#,
            r#" "longer than one block of bytes" "#,
            r#""a\n\u00e9""#,
            r#""-""#,
            r#""""#,
            "1",
            "-1",
            "1.5",
            "true",
            "null",
            "{}",
            r#"{"a":"b"}"#,
            "[]",
            r#"["a","b"]"#,
            r#"[null,"a",1]"#,
            "",
            "\"",
            "\"a",
            "\"a\u{1}\"",
            r#""\x""#,
            "[1",
            "nul",
        ] {
            let text = OptionalText::deserialize(&mut Reader::new(document));
            let scalar = Scalar::deserialize(&mut Reader::new(document));
            let (text, scalar) = (text.map(|text| text.0), scalar.map(Scalar::into_text));
            assert_eq!(text, scalar, "{document}");
            // Claims come from another reader.
            let other = serde_json::from_str::<OptionalText<'_>>(document);
            assert_eq!(other.ok().map(|text| text.0), text.ok(), "{document}");
        }
    }
}
