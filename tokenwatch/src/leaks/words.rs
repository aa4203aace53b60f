//! Cuts texts of any kind into the words that a token can be.
//!
//! A run of the characters that tokens are made of is a word, and so are its parts where one of those characters may also
//! stand between things: `key=VALUE`, `https://host/VALUE`, `prefix.VALUE`. Everything else ends a word; so binary files
//! need no special care. A run is looked at whole even where it is cut by the end of a buffer.

use std::io::{self, Read};

/// Shorter words are no tokens; longer ones are encoded files. A JWT of 8 KiB is larger than any header.
const WORD_BYTES: std::ops::RangeInclusive<usize> = 12..=8_192;
const BUFFER_BYTES: usize = 256 * 1_024;

/// Calls `take` with every word of `text` and its line; gives the bytes read.
pub(super) fn each(text: &mut dyn Read, take: &mut dyn FnMut(&str, u64)) -> io::Result<u64> {
    let mut buffer = vec![0; BUFFER_BYTES];
    let (mut kept, mut line, mut total) = (0, 1, 0);
    // The run at hand is longer than any token: it ends before anything is looked at again.
    let mut overlong = false;
    loop {
        let read = match text.read(&mut buffer[kept..]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        total += read as u64;
        let end = kept + read;
        let mut start = 0;
        for at in kept..end {
            let byte = buffer[at];
            if is_word(byte) {
                continue;
            }
            if !overlong {
                take_run(&buffer[start..at], line, take);
            }
            overlong = false;
            start = at + 1;
            line += u64::from(byte == b'\n');
        }
        if read == 0 {
            if !overlong {
                take_run(&buffer[start..end], line, take);
            }
            return Ok(total);
        }
        overlong |= end - start > *WORD_BYTES.end();
        kept = if overlong { 0 } else { end - start };
        buffer.copy_within(end - kept..end, 0);
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.~+/=".contains(&byte)
}

/// Takes a run whole and in parts, without what only surrounds it.
fn take_run(run: &[u8], line: u64, take: &mut dyn FnMut(&str, u64)) {
    if run.len() < *WORD_BYTES.start() {
        return;
    }
    let Ok(run) = std::str::from_utf8(run) else {
        return;
    };
    let mut take = |word: &str| {
        if WORD_BYTES.contains(&word.len()) {
            take(word, line);
        }
    };
    let whole = run.trim_matches(['.', '/', '~']);
    take(whole);
    // Padding belongs to base64, and an empty value ends the same way.
    let bare = whole
        .trim_end_matches('=')
        .trim_start_matches(['=', '-', '+']);
    if bare != whole {
        take(bare);
    }
    let mut cut = |delimiters: &[char]| {
        if bare.contains(delimiters) {
            bare.split(delimiters).for_each(&mut take);
        }
    };
    cut(&['=']);
    cut(&['/', '=']);
    cut(&['.', '/', '=', '+', '~']);
    if let Some((_, value)) = whole.split_once('=') {
        take(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &[u8]) -> Vec<(String, u64)> {
        let mut words = Vec::new();
        let take = &mut |word: &str, line| words.push((word.to_owned(), line));
        each(&mut &*text, take).expect("memory can be read");
        words
    }

    fn check(text: &str, word: &str, line: u64) {
        let words = words(text.as_bytes());
        assert!(
            words.contains(&(word.to_owned(), line)),
            "{text}: {words:?}"
        );
    }

    #[test]
    fn a_token_is_found_wherever_it_stands() {
        let token = "sk_live_4eC39HqLyjWDarjtT1zdp7dc";
        for text in [
            format!("API_KEY={token}"),
            format!("export API_KEY=\"{token}\";"),
            format!("curl https://api.example.com/v1/{token}/orders"),
            format!("https://api.example.com/v1?api_key={token}&x=1"),
            format!("Authorization: Bearer {token}"),
            format!("\0\u{1}{token}\u{ff}"),
            format!("the key is {token}."),
        ] {
            check(&text, token, 1);
        }
        check(&format!("a\nb\r\n{token}"), token, 3);
        check("x: Zm9vYmFyYmF6cXV4/+A==", "Zm9vYmFyYmF6cXV4/+A==", 1);
        check("x=Zm9vYmFyYmF6cXV4/+A==", "Zm9vYmFyYmF6cXV4/+A==", 1);
    }

    #[test]
    fn a_token_across_the_end_of_a_buffer_is_found_whole() {
        let token = "sk_live_4eC39HqLyjWDarjtT1zdp7dc";
        for before in BUFFER_BYTES - 40..BUFFER_BYTES + 2 {
            let mut text = vec![b' '; before];
            text.extend(token.as_bytes());
            assert_eq!(words(&text), [(token.to_owned(), 1)], "{before}");
        }
    }

    #[test]
    fn runs_longer_than_any_token_are_passed_over() {
        let mut text = vec![b'a'; 3 * BUFFER_BYTES];
        text.extend(b"\nsk_live_4eC39HqLyjWDarjtT1zdp7dc");
        assert_eq!(
            words(&text),
            [("sk_live_4eC39HqLyjWDarjtT1zdp7dc".to_owned(), 2)]
        );
    }
}
