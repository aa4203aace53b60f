//! What validation of a configuration says: every problem, with the key path it is about.
//!
//! A crate's `FooConfig` is what is written (serde); its `validate()` is pure and gives a `FooSettings` or all
//! problems. The binary joins key paths to the lines of the file.

use std::fmt;

/// One thing wrong with the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where: `alerting.receivers[0].url`.
    pub path: String,
    /// What is wrong and what would be right, in one sentence.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// Collects problems below a key path, so that validation reports all of them at once.
#[derive(Debug, Default)]
pub struct Problems {
    prefix: String,
    found: Vec<Problem>,
}

impl Problems {
    /// An empty list whose paths start at `prefix` (`"ingest"`; `""` for the top).
    pub fn at(prefix: impl Into<String>) -> Self {
        Self {
            prefix: prefix.into(),
            found: Vec::new(),
        }
    }

    /// Adds a problem with `key`, relative to the prefix.
    pub fn add(&mut self, key: impl AsRef<str>, message: impl Into<String>) {
        let key = key.as_ref();
        let path = match (self.prefix.is_empty(), key.is_empty()) {
            (true, _) => key.to_owned(),
            (false, true) => self.prefix.clone(),
            (false, false) => format!("{}.{key}", self.prefix),
        };
        self.found.push(Problem {
            path,
            message: message.into(),
        });
    }

    /// Takes over the problems of a part that has its own prefix.
    pub fn extend(&mut self, part: Vec<Problem>) {
        self.found.extend(part);
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// The settings if nothing was found, else everything that was.
    pub fn into_result<T>(self, settings: impl FnOnce() -> T) -> Result<T, Vec<Problem>> {
        if self.found.is_empty() {
            Ok(settings())
        } else {
            Err(self.found)
        }
    }
}
