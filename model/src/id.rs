//! Stable ids: 128 bits in Crockford's base 32 behind a prefix that says what they name.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

/// Crockford's alphabet, lower case: no i, l, o, u.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// 128 bits at 5 bits a character.
const ENCODED_LEN: usize = 26;
/// Prefix, underscore and digits of either kind of id.
const TEXT_LEN: usize = 4 + ENCODED_LEN;

/// The text was not an id of this kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an id of the form {prefix}_ and 26 base-32 characters")]
pub struct IdError {
    prefix: &'static str,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u128);

        impl $name {
            /// The id with these bits.
            pub const fn from_bits(bits: u128) -> Self {
                Self(bits)
            }

            /// Its bits.
            pub const fn bits(self) -> u128 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(encode(self.0, $prefix, &mut [0; TEXT_LEN]))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                decode(text, $prefix).map(Self).ok_or(IdError { prefix: $prefix })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(encode(self.0, $prefix, &mut [0; TEXT_LEN]))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = Cow::<str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

id! {
    /// The stable identity of a token: `tok_` and 26 characters.
    TokenId, "tok"
}
id! {
    /// The stable identity of a finding: `fnd_` and 26 characters, the same however often it is computed.
    FindingId, "fnd"
}

impl FindingId {
    /// No finding: what the ledger says of messages in which Tokenwatch speaks of itself.
    pub const NIL: Self = Self::from_bits(0);
}

impl FindingId {
    /// The id of the episode of `detector` on `subject` that began in the window starting at `start_micros`.
    pub fn of_episode(detector: &str, subject: &str, start_micros: i64) -> Self {
        let mut hash = Sha256::new();
        for part in [
            detector.as_bytes(),
            subject.as_bytes(),
            &start_micros.to_be_bytes(),
        ] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let digest = hash.finalize();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        Self(u128::from_be_bytes(bytes))
    }
}

/// Writes `prefix_` and the digits of `bits` into `buffer`.
fn encode<'b>(bits: u128, prefix: &str, buffer: &'b mut [u8; TEXT_LEN]) -> &'b str {
    buffer[..3].copy_from_slice(prefix.as_bytes());
    buffer[3] = b'_';
    for (index, digit) in buffer[4..].iter_mut().enumerate() {
        let shift = 5 * (ENCODED_LEN - 1 - index);
        *digit = ALPHABET[((bits >> shift) & 31) as usize];
    }
    std::str::from_utf8(buffer).expect("the alphabet is ASCII")
}

/// The bits behind `prefix_`; `None` for anything that `encode` would not write.
fn decode(text: &str, prefix: &str) -> Option<u128> {
    let digits = text.strip_prefix(prefix)?.strip_prefix('_')?.as_bytes();
    // 26 digits hold 130 bits; the first may only use three of its five.
    if digits.len() != ENCODED_LEN || digits[0] > b'7' {
        return None;
    }
    digits.iter().try_fold(0u128, |bits, digit| {
        let value = ALPHABET.iter().position(|letter| letter == digit)?;
        Some(bits << 5 | value as u128)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_id_reads_back(bits: u128) {
            let id = TokenId::from_bits(bits);
            prop_assert_eq!(id.to_string().len(), 30);
            prop_assert_eq!(id.to_string().parse::<TokenId>(), Ok(id));
        }
    }

    #[test]
    fn what_encode_would_not_write_is_refused() {
        for text in [
            "",
            "tok_",
            "fnd_00000000000000000000000000",
            "tok_8zzzzzzzzzzzzzzzzzzzzzzzzz",
            "tok_0000000000000000000000000l",
            "tok_000000000000000000000000000",
        ] {
            assert!(text.parse::<TokenId>().is_err(), "{text}");
        }
    }

    #[test]
    fn episode_ids_depend_on_every_part() {
        let id = FindingId::of_episode("rate_spike", "tok_x", 0);
        assert_eq!(id, FindingId::of_episode("rate_spike", "tok_x", 0));
        assert_ne!(id, FindingId::of_episode("rate_spike", "tok_x", 1));
        assert_ne!(id, FindingId::of_episode("rate_spike", "tok_y", 0));
        assert_ne!(id, FindingId::of_episode("rate_spiket", "ok_x", 0));
    }
}
