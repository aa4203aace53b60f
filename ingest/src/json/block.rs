//! Bytes that are looked at many at a time: bit n of an answer is about byte n.

use std::ops::BitOr;

use wide::u8x16;

/// How many bytes a window has: as many as a word has bits.
pub(super) const WINDOW_BYTES: usize = 64;
/// How many bytes a block has.
pub(super) const BLOCK_BYTES: usize = 16;

/// Sixteen bytes.
#[derive(Clone, Copy)]
pub(super) struct Block(u8x16);

/// Which of the sixteen are meant: all bits of those are set.
#[derive(Clone, Copy)]
pub(super) struct Marks(u8x16);

impl Block {
    /// These.
    #[inline]
    pub(super) fn of(bytes: &[u8; BLOCK_BYTES]) -> Self {
        Self(u8x16::new(*bytes))
    }

    /// Which are `wanted`.
    #[inline]
    pub(super) fn equal(self, wanted: u8) -> Marks {
        Marks(self.0.simd_eq(u8x16::splat(wanted)))
    }

    /// Which are at most `limit`.
    #[inline]
    pub(super) fn at_most(self, limit: u8) -> Marks {
        let least = self.0.min(u8x16::splat(limit));
        Marks(least.simd_eq(self.0))
    }

    /// Which may be brackets: these differ in three bits only, which a few other characters have, too.
    #[inline]
    fn brackets(self) -> Marks {
        Self(self.0 | u8x16::splat(b'[' ^ b'{' | b'[' ^ b']')).equal(b'[' | b']' | b'{')
    }
}

impl Marks {
    /// One bit for each byte.
    #[inline]
    pub(super) fn bits(self) -> u32 {
        self.0.to_bitmask()
    }
}

impl BitOr for Marks {
    type Output = Self;

    #[inline]
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// What is of interest in 64 bytes to whoever passes over JSON.
pub(super) struct Window {
    pub(super) quotes: u64,
    pub(super) backslashes: u64,
    pub(super) brackets: u64,
}

impl Window {
    /// The window at `at`; behind the end are blanks.
    #[inline]
    pub(super) fn at(bytes: &[u8], at: usize) -> Self {
        let rest = &bytes[at..];
        if let Some(whole) = rest.first_chunk() {
            return Self::of(whole);
        }
        let mut padded = [b' '; WINDOW_BYTES];
        padded[..rest.len()].copy_from_slice(rest);
        Self::of(&padded)
    }

    #[inline]
    fn of(bytes: &[u8; WINDOW_BYTES]) -> Self {
        let mut window = Self {
            quotes: 0,
            backslashes: 0,
            brackets: 0,
        };
        let (blocks, _) = bytes.as_chunks::<BLOCK_BYTES>();
        for (index, block) in blocks.iter().enumerate() {
            let block = Block::of(block);
            let shift = index * BLOCK_BYTES;
            window.quotes |= u64::from(block.equal(b'"').bits()) << shift;
            window.backslashes |= u64::from(block.equal(b'\\').bits()) << shift;
            window.brackets |= u64::from(block.brackets().bits()) << shift;
        }
        window
    }
}

/// Bit n is set if an odd number of bits up to n is: between an opening and a closing quote.
#[inline]
pub(super) const fn between(quotes: u64) -> u64 {
    let mut bits = quotes;
    bits ^= bits << 1;
    bits ^= bits << 2;
    bits ^= bits << 4;
    bits ^= bits << 8;
    bits ^= bits << 16;
    bits ^ bits << 32
}

/// What stands behind a backslash that is not behind one itself. `is_carried` says so of the first byte, and afterwards of
/// the byte behind the window.
#[inline]
pub(super) fn escaped(backslashes: u64, is_carried: &mut bool) -> u64 {
    let mut escaped = u64::from(*is_carried);
    *is_carried = false;
    let mut rest = backslashes & !escaped;
    while rest != 0 {
        let backslash = rest & rest.wrapping_neg();
        if backslash == 1 << 63 {
            *is_carried = true;
            break;
        }
        escaped |= backslash << 1;
        rest &= !(backslash | backslash << 1);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quotes_enclose_what_is_between_them() {
        assert_eq!(between(0b1_0010), 0b1110);
        assert_eq!(between(0b1_0001_0010) >> 8, u64::MAX >> 8);
        assert_eq!(between(0), 0);
    }

    proptest! {
        #[test]
        fn blocks_and_windows_say_of_each_byte_what_it_is(bytes in prop::collection::vec(any::<u8>(), 16..80)) {
            let bits = |is: &dyn Fn(u8) -> bool, count: usize| {
                (0..count).filter(|at| bytes.get(*at).is_some_and(|byte| is(*byte))).fold(0_u64, |bits, at| bits | 1 << at)
            };
            let block = Block::of(bytes.first_chunk().unwrap());
            prop_assert_eq!(u64::from(block.equal(b'"').bits()), bits(&|byte| byte == b'"', 16));
            prop_assert_eq!(u64::from(block.at_most(31).bits()), bits(&|byte| byte < 32, 16));
            let window = Window::at(&bytes, 0);
            prop_assert_eq!(window.quotes, bits(&|byte| byte == b'"', 64));
            prop_assert_eq!(window.backslashes, bits(&|byte| byte == b'\\', 64));
            let brackets = bits(&|byte| b"[]{}".contains(&byte), 64);
            prop_assert_eq!(window.brackets & brackets, brackets);
        }

        #[test]
        fn a_backslash_escapes_the_next_byte_over_windows_too(text in "[a\\\\]{0,200}") {
            let mut expected = Vec::new();
            let mut is_escaped = false;
            for byte in text.bytes() {
                expected.push(is_escaped);
                is_escaped = byte == b'\\' && !is_escaped;
            }
            let mut is_carried = false;
            for (start, expected) in (0..).step_by(WINDOW_BYTES).zip(expected.chunks(WINDOW_BYTES)) {
                let bits = escaped(Window::at(text.as_bytes(), start).backslashes, &mut is_carried);
                for (at, expected) in expected.iter().enumerate() {
                    prop_assert_eq!(bits >> at & 1 == 1, *expected);
                }
            }
        }
    }
}
