//! Records in an envelope: what `{"Records":[…]}`, `{"detail":{…}}` or `{"records":[…]}` hold.
//!
//! Whoever ships a log may wrap its records, and wrap them again. An object with one of the envelope's keys is an envelope,
//! and only what stands under that key are records; everything else is a record itself. Lists are gone through at every
//! level.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::json::reader::{BrokenJson, Reader};
use crate::json::{Fields, Key};

/// Reads a document that is a record, a list of them, or an envelope under one of `keys`; `done` is as it is for
/// [`crate::json::read_document`].
pub(crate) fn read_document<'de, F: Fields<'de>>(
    document: &'de str,
    keys: &[&str],
    mut new: impl FnMut() -> F,
    mut done: impl FnMut(Option<F>) -> bool,
) -> Result<(), BrokenJson> {
    let mut reader = Reader::new(document);
    let value = Value {
        keys,
        new: &mut new,
        done: &mut done,
        is_full: &mut false,
    };
    value.deserialize(&mut reader)?;
    reader.end()
}

/// A record, a list or an envelope.
struct Value<'e, N, D> {
    keys: &'e [&'e str],
    new: &'e mut N,
    done: &'e mut D,
    /// No more records are taken.
    is_full: &'e mut bool,
}

impl<N, D> Value<'_, N, D> {
    fn inner(&mut self) -> Value<'_, N, D> {
        Value {
            keys: self.keys,
            new: self.new,
            done: self.done,
            is_full: self.is_full,
        }
    }

    fn take<F>(&mut self, fields: Option<F>)
    where
        D: FnMut(Option<F>) -> bool,
    {
        if !*self.is_full {
            *self.is_full = !(self.done)(fields);
        }
    }
}

impl<'de, F, N, D> DeserializeSeed<'de> for Value<'_, N, D>
where
    F: Fields<'de>,
    N: FnMut() -> F,
    D: FnMut(Option<F>) -> bool,
{
    type Value = ();

    fn deserialize<T: Deserializer<'de>>(self, deserializer: T) -> Result<(), T::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, F, N, D> Visitor<'de> for Value<'_, N, D>
where
    F: Fields<'de>,
    N: FnMut() -> F,
    D: FnMut(Option<F>) -> bool,
{
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or a list of objects")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let mut fields = (self.new)();
        let mut is_envelope = false;
        while let Some(key) = map.next_key::<Key<'de>>()? {
            if self.keys.contains(&key.as_str()) {
                is_envelope = true;
                map.next_value_seed(self.inner())?;
            } else {
                fields.field(key.as_str(), &mut map)?;
            }
        }
        if !is_envelope {
            self.take(Some(fields));
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        while !*self.is_full {
            if seq.next_element_seed(self.inner())?.is_none() {
                return Ok(());
            }
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_str<E>(mut self, _: &str) -> Result<(), E> {
        self.take(None);
        Ok(())
    }

    fn visit_bool<E>(mut self, _: bool) -> Result<(), E> {
        self.take(None);
        Ok(())
    }

    fn visit_u64<E>(mut self, _: u64) -> Result<(), E> {
        self.take(None);
        Ok(())
    }

    fn visit_i64<E>(mut self, _: i64) -> Result<(), E> {
        self.take(None);
        Ok(())
    }

    fn visit_f64<E>(mut self, _: f64) -> Result<(), E> {
        self.take(None);
        Ok(())
    }

    fn visit_unit<E>(mut self) -> Result<(), E> {
        self.take(None);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    /// The names of the records.
    #[derive(Default)]
    struct Named(Option<String>);

    impl<'de> Fields<'de> for Named {
        fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
            match key {
                "name" => self.0 = json::text(map)?.map(Into::into),
                _ => json::skip(map)?,
            }
            Ok(())
        }
    }

    fn names(document: &str, limit: usize) -> Vec<Option<String>> {
        let mut names = Vec::new();
        read_document(document, &["Records", "detail"], Named::default, |named| {
            names.push(named.and_then(|named| named.0));
            names.len() < limit
        })
        .unwrap();
        names
    }

    fn check(document: &str, expected: &[Option<&str>]) {
        let found = names(document, 100);
        let found: Vec<_> = found.iter().map(Option::as_deref).collect();
        assert_eq!(found, expected, "{document}");
    }

    #[test]
    fn only_what_the_envelope_holds_are_records() {
        check(r#"{"name":"a"}"#, &[Some("a")]);
        check(r#"[{"name":"a"},{"name":"b"}]"#, &[Some("a"), Some("b")]);
        check(
            r#"{"name":"outside","Records":[{"name":"a"},{"name":"b"}],"more":1}"#,
            &[Some("a"), Some("b")],
        );
        check(
            r#"[{"id":1,"detail":{"name":"a"}},{"detail":{"Records":[{"name":"b"}]}}]"#,
            &[Some("a"), Some("b")],
        );
        check(r#"{"Records":[]}"#, &[]);
        check(
            r#"{"Records":[1,{"name":"a"},null]}"#,
            &[None, Some("a"), None],
        );
    }

    #[test]
    fn beyond_the_limit_nothing_is_taken_and_the_document_is_still_read() {
        let document = r#"[{"Records":[{"name":"a"},{"name":"b"},{"name":"c"}]},{"name":"d"}]"#;
        assert_eq!(names(document, 2).len(), 2);
        let broken = &document[..document.len() - 1];
        assert!(read_document(broken, &["Records"], Named::default, |_| false).is_err());
    }
}
