//! Keyset pages: the last row's sort key, as an opaque text, says where the next page begins.
//!
//! Unlike offsets, keys neither repeat nor skip rows while new ones arrive, and the last page costs what the first does.

use data_encoding::BASE64URL_NOPAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The longest cursor that is looked at; ours have 150 characters at most.
const CURSOR_CHARS_LIMIT: usize = 1_024;

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// What to ask for the next page with; none on the last.
    pub next_cursor: Option<String>,
    /// How many rows there are on all pages, where counting them is cheap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
}

/// A cursor that we did not write, or wrote for another list or order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the cursor does not belong to this list and order")]
pub struct CursorError;

/// What is inside a cursor.
#[derive(Deserialize, Serialize)]
struct Sealed<K> {
    list: String,
    key: K,
}

impl<T> Page<T> {
    /// A page of at most `limit` of `rows`, which hold one more than that if there is a next page.
    pub(crate) fn cut<K: Serialize>(
        mut rows: Vec<T>,
        limit: u32,
        list: &str,
        key: impl Fn(&T) -> K,
    ) -> Self {
        let limit = limit as usize;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = rows
            .last()
            .filter(|_| more)
            .map(|row| write_cursor(list, &key(row)));
        Self {
            items: rows,
            next_cursor,
            total: None,
        }
    }

    /// The same page of other things.
    pub(crate) fn try_map<U, E>(self, map: impl FnMut(T) -> Result<U, E>) -> Result<Page<U>, E> {
        Ok(Page {
            items: self.items.into_iter().map(map).collect::<Result<_, E>>()?,
            next_cursor: self.next_cursor,
            total: self.total,
        })
    }
}

/// Whether a page of `list` is the first, as statements have it, and the key of the row behind which it begins.
pub(crate) fn begin<K: DeserializeOwned + Default>(
    list: &str,
    cursor: Option<&str>,
) -> Result<(u8, K), CursorError> {
    let key = cursor.map(|text| read_cursor(list, text)).transpose()?;
    Ok((u8::from(cursor.is_none()), key.unwrap_or_default()))
}

/// The cursor behind the row with `key` of `list`, a name that includes the order.
pub(crate) fn write_cursor<K: Serialize>(list: &str, key: &K) -> String {
    let sealed = Sealed {
        list: list.to_owned(),
        key,
    };
    let json = serde_json::to_vec(&sealed).expect("keys are numbers and texts");
    BASE64URL_NOPAD.encode(&json)
}

/// The key in a cursor of `list`.
pub(crate) fn read_cursor<K: DeserializeOwned>(list: &str, text: &str) -> Result<K, CursorError> {
    if text.len() > CURSOR_CHARS_LIMIT {
        return Err(CursorError);
    }
    let json = BASE64URL_NOPAD
        .decode(text.as_bytes())
        .map_err(|_| CursorError)?;
    let sealed: Sealed<K> = serde_json::from_slice(&json).map_err(|_| CursorError)?;
    if sealed.list == list {
        Ok(sealed.key)
    } else {
        Err(CursorError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Key = (i64, String);

    #[test]
    fn a_cursor_reads_back_for_its_own_list_only() {
        let key = (i64::MIN, "tok_\"';--é".to_owned());
        let cursor = write_cursor("findings-detected_at", &key);
        assert_eq!(read_cursor("findings-detected_at", &cursor), Ok(key));
        assert_eq!(read_cursor::<Key>("findings", &cursor), Err(CursorError));
        assert_eq!(
            read_cursor::<(String, i64)>("findings-detected_at", &cursor),
            Err(CursorError)
        );
    }

    #[test]
    fn foreign_cursors_are_refused() {
        for text in [
            "",
            "AAAA",
            "eyJsaXN0Ijp7fX0",
            "%00",
            "ü",
            &"A".repeat(5_000),
        ] {
            assert_eq!(read_cursor::<Key>("x", text), Err(CursorError), "{text}");
        }
    }

    #[test]
    fn only_a_full_page_with_more_behind_it_has_a_cursor() {
        let page = |rows: Vec<u32>| Page::cut(rows, 2, "n", |row| *row);
        assert_eq!(page(vec![1, 2]).next_cursor, None);
        let first = page(vec![1, 2, 3]);
        assert_eq!(first.items, [1, 2]);
        let cursor = first.next_cursor.unwrap();
        assert_eq!(read_cursor::<u32>("n", &cursor), Ok(2));
    }
}
