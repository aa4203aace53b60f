//! Facts about a call that a decoder notices while it still sees the raw record.

use serde::de::{SeqAccess, Visitor};
use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One such fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum EventFlag {
    /// A credential stood in the URL.
    TokenInUrl = 0,
    /// Something secret was cut out of a text.
    Scrubbed = 1,
    /// The connection was not encrypted.
    InsecureTransport = 2,
}

/// A set of facts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventFlags(u8);

impl EventFlags {
    /// Whether none is set.
    pub const fn is_empty(&self) -> bool {
        self.0 == 0
    }

    /// Sets one.
    pub const fn insert(&mut self, flag: EventFlag) {
        self.0 |= 1 << flag as u8;
    }

    /// Whether one is set.
    pub const fn contains(self, flag: EventFlag) -> bool {
        self.0 & (1 << flag as u8) != 0
    }

    /// Those that are set.
    pub fn iter(self) -> impl Iterator<Item = EventFlag> {
        EventFlag::ALL
            .into_iter()
            .filter(move |flag| self.contains(*flag))
    }
}

impl EventFlag {
    /// Every flag.
    pub const ALL: [Self; 3] = [Self::TokenInUrl, Self::Scrubbed, Self::InsecureTransport];

    /// The contract name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TokenInUrl => "token_in_url",
            Self::Scrubbed => "scrubbed",
            Self::InsecureTransport => "insecure_transport",
        }
    }
}

impl Serialize for EventFlags {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(Some(self.0.count_ones() as usize))?;
        for flag in self.iter() {
            seq.serialize_element(&flag)?;
        }
        seq.end()
    }
}

impl<'de> Deserialize<'de> for EventFlags {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Flags;
        impl<'de> Visitor<'de> for Flags {
            type Value = EventFlags;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a list of event flags")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<EventFlags, A::Error> {
                let mut flags = EventFlags::default();
                while let Some(flag) = seq.next_element()? {
                    flags.insert(flag);
                }
                Ok(flags)
            }
        }
        deserializer.deserialize_seq(Flags)
    }
}
