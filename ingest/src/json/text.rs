//! Texts in JSON: where one ends, and what it says.

use std::borrow::Cow;

use super::block::{BLOCK_BYTES, Block, Marks};
use super::reader::BrokenJson;

/// A text, borrowed unless it holds escapes.
pub(super) type Text<'de> = Cow<'de, str>;

/// The place of the first byte from `at` on that `mark` marks in a block, or `is` knows where no whole block is left.
#[inline]
fn find(
    bytes: &[u8],
    at: usize,
    mark: impl Fn(Block) -> Marks,
    is: impl Fn(u8) -> bool,
) -> Option<usize> {
    let (blocks, tail) = bytes.get(at..)?.as_chunks::<BLOCK_BYTES>();
    let mut passed = 0;
    for block in blocks {
        let marks = mark(Block::of(block)).bits();
        if marks != 0 {
            return Some(at + passed + marks.trailing_zeros() as usize);
        }
        passed += BLOCK_BYTES;
    }
    let found = tail.iter().position(|byte| is(*byte))?;
    Some(at + passed + found)
}

/// The place behind the quote that ends the text which begins at `start`.
#[inline]
pub(super) fn end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    loop {
        at = find(
            bytes,
            at,
            |block| block.equal(b'"') | block.equal(b'\\'),
            |byte| matches!(byte, b'"' | b'\\'),
        )?;
        if bytes[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

/// The next byte of the text that is no plain character: its end, an escape, or one that must not stand in a text.
#[inline]
fn special(bytes: &[u8], at: usize) -> Option<usize> {
    find(
        bytes,
        at,
        |block| block.equal(b'"') | block.equal(b'\\') | block.at_most(b' ' - 1),
        |byte| matches!(byte, b'"' | b'\\' | ..b' '),
    )
}

/// The text that begins at `start`, and the place behind its quote.
#[inline]
pub(super) fn read(document: &str, start: usize) -> Result<(Text<'_>, usize), BrokenJson> {
    let bytes = document.as_bytes();
    let end = special(bytes, start).ok_or(BrokenJson)?;
    match bytes[end] {
        b'"' => Ok((Cow::Borrowed(&document[start..end]), end + 1)),
        b'\\' => unescape(document, start, end),
        _ => Err(BrokenJson),
    }
}

/// The same of a text without escapes.
#[inline]
pub(super) fn plain(document: &str, start: usize) -> Option<(&str, usize)> {
    let bytes = document.as_bytes();
    let end = special(bytes, start)?;
    let text = document.get(start..end)?;
    (bytes[end] == b'"').then_some((text, end + 1))
}

/// The same for a text whose first escape stands at `escape`.
#[cold]
fn unescape(
    document: &str,
    mut start: usize,
    mut escape: usize,
) -> Result<(Text<'_>, usize), BrokenJson> {
    let bytes = document.as_bytes();
    let mut text = String::new();
    loop {
        text.push_str(&document[start..escape]);
        match bytes[escape] {
            b'"' => return Ok((Cow::Owned(text), escape + 1)),
            b'\\' => {}
            _ => return Err(BrokenJson),
        }
        let (character, end) = character(bytes, escape + 1).ok_or(BrokenJson)?;
        text.push(character);
        start = end;
        escape = special(bytes, start).ok_or(BrokenJson)?;
    }
}

/// The character whose escape has its letter at `at`, and the place behind it.
fn character(bytes: &[u8], at: usize) -> Option<(char, usize)> {
    let plain = match bytes.get(at)? {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return unicode(bytes, at + 1),
        _ => return None,
    };
    Some((plain, at + 1))
}

/// The character of the four digits at `at`, and of the four of the next escape where the two are a pair. Half of a pair,
/// which clients can have some gateways write, is no character.
fn unicode(bytes: &[u8], at: usize) -> Option<(char, usize)> {
    let first = hex(bytes, at)?;
    let end = at + 4;
    if (0xd800..0xdc00).contains(&first)
        && bytes.get(end..end + 2) == Some(b"\\u")
        && let second = hex(bytes, end + 2)?
        && (0xdc00..0xe000).contains(&second)
    {
        let both = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        return Some((char::from_u32(both)?, end + 6));
    }
    Some((
        char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER),
        end,
    ))
}

fn hex(bytes: &[u8], at: usize) -> Option<u32> {
    let digits = bytes.get(at..at + 4)?;
    digits.iter().try_fold(0, |value, digit| {
        Some(value << 4 | char::from(*digit).to_digit(16)?)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_ends_at_its_first_quote_that_is_not_escaped() {
        assert_eq!(end(b"abc\" ", 0), Some(4));
        assert_eq!(end(br#"a\"bc\\","#, 0), Some(8));
        assert_eq!(end(b"0123456789012345\"", 0), Some(17));
        assert_eq!(end(br"abc\", 0), None);
        assert_eq!(end(b"", 0), None);
    }

    proptest! {
        #[test]
        fn many_at_a_time_are_as_one_at_a_time(text in prop::collection::vec(any::<u8>(), 0..40), start in 0_usize..42) {
            let plain = (start.min(text.len())..text.len()).find(|at| matches!(text[*at], b'"' | b'\\' | ..b' '));
            prop_assert_eq!(special(&text, start), plain);
        }
    }
}
