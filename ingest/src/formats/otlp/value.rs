//! OTLP's lists and values: `{"key":"a","value":{"stringValue":"b"}}`.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use tokenwatch_model::Text;

use crate::json::{self, Fields, Object, Scalar};

/// What the elements of a list are read into.
pub(super) trait Item<'de> {
    /// Reads one element.
    fn item<D: Deserializer<'de>>(&mut self, element: D) -> Result<(), D::Error>;
}

/// Reads a list into its items; an object in its place is the only element, anything else has none.
pub(super) struct List<'i, I>(pub(super) &'i mut I);

impl<'de, I: Item<'de>> DeserializeSeed<'de> for List<'_, I> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, I: Item<'de>> Visitor<'de> for List<'_, I> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(Element(&mut *self.0))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        self.0
            .item(serde::de::value::MapAccessDeserializer::new(map))
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
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

struct Element<'i, I>(&'i mut I);

impl<'de, I: Item<'de>> DeserializeSeed<'de> for Element<'_, I> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.0.item(deserializer)
    }
}

/// An attribute; its key and its value come in either order.
#[derive(Default)]
pub(super) struct KeyValue<'a> {
    pub(super) key: Text<'a>,
    pub(super) value: Any<'a>,
}

impl<'de> Fields<'de> for KeyValue<'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "key" => self.key = json::text(map)?.unwrap_or_default(),
            "value" => map.next_value_seed(Object(&mut self.value))?,
            _ => json::skip(map)?,
        }
        Ok(())
    }
}

/// The value of an attribute.
pub(super) enum Any<'a> {
    /// A plain value; a list of them joined by `, `, as HTTP joins repeated headers.
    Scalar(Scalar<'a>),
    /// Attributes within the attribute.
    Attributes(Vec<KeyValue<'a>>),
}

impl Default for Any<'_> {
    fn default() -> Self {
        Self::Scalar(Scalar::Missing)
    }
}

impl<'de> Fields<'de> for Any<'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "stringValue" | "intValue" | "doubleValue" | "boolValue" | "string_value"
            | "int_value" | "double_value" | "bool_value" => {
                *self = Self::Scalar(map.next_value()?);
            }
            "arrayValue" | "array_value" => {
                let mut joined = Joined(Scalar::Missing);
                map.next_value_seed(Object(&mut Values(&mut joined)))?;
                *self = Self::Scalar(joined.0);
            }
            "kvlistValue" | "kvlist_value" => {
                let mut attributes = Vec::new();
                map.next_value_seed(Object(&mut Values(&mut attributes)))?;
                *self = Self::Attributes(attributes);
            }
            _ => json::skip(map)?,
        }
        Ok(())
    }
}

/// `{"values":[…]}`
struct Values<'i, I>(&'i mut I);

impl<'de, I: Item<'de>> Fields<'de> for Values<'_, I> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        if key == "values" {
            map.next_value_seed(List(&mut *self.0))
        } else {
            json::skip(map)
        }
    }
}

impl<'de> Item<'de> for Vec<KeyValue<'de>> {
    fn item<D: Deserializer<'de>>(&mut self, element: D) -> Result<(), D::Error> {
        let mut attribute = KeyValue::default();
        Object(&mut attribute).deserialize(element)?;
        self.push(attribute);
        Ok(())
    }
}

struct Joined<'a>(Scalar<'a>);

impl<'de> Item<'de> for Joined<'de> {
    fn item<D: Deserializer<'de>>(&mut self, element: D) -> Result<(), D::Error> {
        let mut value = Any::default();
        Object(&mut value).deserialize(element)?;
        let Any::Scalar(value) = value else {
            return Ok(());
        };
        let so_far = std::mem::take(&mut self.0);
        self.0 = match (so_far, value) {
            (Scalar::Missing, value) => value,
            (Scalar::Text(list), Scalar::Text(value)) => {
                Scalar::Text(format!("{list}, {value}").into())
            }
            (list, _) => list,
        };
        Ok(())
    }
}
