//! Reads JSON as paths and plain values, for formats that do not fix the nesting.
//!
//! `{"http":{"request":{"method":"GET"}}}` and `{"http.request.method":"GET"}` both give `http.request.method`. The elements of
//! a list all have the path of the list. The path is one text that grows and shrinks with the depth, so a record costs one
//! allocation however many values it has.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::call::Call;
use crate::json::{Fields, Key, Scalar};

/// What the values of one record are read into.
pub(crate) trait Leaves<'de> {
    /// Takes the value at `path`, which is no object and no list.
    fn leaf(&mut self, path: &str, value: Scalar<'de>);
}

/// One record, read as paths.
pub(crate) struct Flat<L> {
    leaves: L,
    path: String,
}

impl<L> Flat<L> {
    pub(crate) const fn new(leaves: L) -> Self {
        Self {
            leaves,
            path: String::new(),
        }
    }
}

impl<'a, L: Into<Call<'a>>> From<Flat<L>> for Call<'a> {
    fn from(flat: Flat<L>) -> Self {
        flat.leaves.into()
    }
}

impl<'de, L: Leaves<'de>> Fields<'de> for Flat<L> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        let outer = self.path.len();
        if outer > 0 {
            self.path.push('.');
        }
        self.path.push_str(key);
        let result = map.next_value_seed(Value(self));
        self.path.truncate(outer);
        result
    }
}

/// The value at the current path.
struct Value<'f, L>(&'f mut Flat<L>);

impl<'de, L: Leaves<'de>> Value<'_, L> {
    fn take(self, value: Scalar<'de>) {
        self.0.leaves.leaf(&self.0.path, value);
    }
}

impl<'de, L: Leaves<'de>> DeserializeSeed<'de> for Value<'_, L> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, L: Leaves<'de>> Visitor<'de> for Value<'_, L> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Key<'de>>()? {
            self.0.field(key.as_str(), &mut map)?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(Value(&mut *self.0))?.is_some() {}
        Ok(())
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<(), E> {
        self.take(Scalar::Text(Cow::Borrowed(text)));
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.visit_string(text.to_owned())
    }

    fn visit_string<E>(self, text: String) -> Result<(), E> {
        self.take(Scalar::Text(Cow::Owned(text)));
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.take(Scalar::Bool(value));
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.take(Scalar::Unsigned(value));
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.take(Scalar::Signed(value));
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.take(Scalar::Float(value));
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    #[derive(Default)]
    struct Seen(Vec<String>);

    impl<'de> Leaves<'de> for Seen {
        fn leaf(&mut self, path: &str, value: Scalar<'de>) {
            self.0
                .push(format!("{path}={}", value.into_text().unwrap_or_default()));
        }
    }

    fn check(document: &str, expected: &[&str]) {
        let mut seen = Vec::new();
        json::read_document(
            document,
            || Flat::new(Seen::default()),
            |flat| {
                seen.extend(flat.map(|flat| flat.leaves.0).unwrap_or_default());
                true
            },
        )
        .unwrap();
        assert_eq!(seen, expected, "{document}");
    }

    #[test]
    fn nested_and_dotted_keys_are_the_same_path() {
        check(
            r#"{"http":{"request":{"method":"GET"},"version":2}}"#,
            &["http.request.method=GET", "http.version=2"],
        );
        check(
            r#"{"http.request.method":"GET","http":{"version":"2"},"a":null}"#,
            &["http.request.method=GET", "http.version=2"],
        );
    }

    #[test]
    fn elements_of_a_list_have_the_path_of_the_list() {
        check(
            r#"{"a":["x",{"n":"y","v":["z",["w"]]}],"b":{}}"#,
            &["a=x", "a.n=y", "a.v=z", "a.v=w"],
        );
    }
}
