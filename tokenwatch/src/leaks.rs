//! Finds tokens of this deployment where they should not be: in files, archives and the history of git repositories.
//!
//! Every word that may be a secret is fingerprinted under the deployment key and looked up among the known tokens; nothing
//! else decides, so a look-alike is never told, and nothing that was read is kept or printed. `files` walks, `archive` opens
//! what holds other files, `git` reads every object of a repository's history, `words` cuts texts up. Others who scan report over HTTP
//! (`http`, `partner`); `report` looks up what they found and hands it to the pipeline.

mod archive;
mod config;
mod files;
mod git;
mod http;
mod known;
mod partner;
mod report;
mod words;

use std::io::{self, Read};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use tokenwatch_ingest::{TokenKey, may_be_secret};
use tokenwatch_model::TokenId;

pub(crate) use config::{LeaksConfig, LeaksSettings};
pub(crate) use files::scan;
pub(crate) use http::{Reporters, router};
pub(crate) use known::Known;
pub(crate) use partner::PartnerKeys;
pub(crate) use report::{LeakDesk, Standing, standing};

/// Hits of one scan beyond this are counted and not told: whoever has so many has other problems.
const HITS_LIMIT: usize = 100_000;

/// Where a token was found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Place {
    /// The file, or the repository.
    pub(crate) file: String,
    /// Of a file in an archive, its name there; of a git object, its path in the repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) entry: Option<String>,
    /// The first commit that has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) commit: Option<String>,
    /// From 1.
    pub(crate) line: u64,
}

/// A token that was found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Hit {
    pub(crate) token: TokenId,
    pub(crate) place: Place,
}

/// What a scan has read.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) files: AtomicU64,
    pub(crate) objects: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) candidates: AtomicU64,
    pub(crate) hits_left_out: AtomicU64,
}

/// A scan under way; shared by threads.
pub(crate) struct Scan<'k> {
    key: &'k TokenKey,
    known: &'k Known,
    pub(crate) counts: Counts,
    hits: Mutex<Vec<Hit>>,
    problems: Mutex<Vec<String>>,
}

impl<'k> Scan<'k> {
    pub(crate) fn new(key: &'k TokenKey, known: &'k Known) -> Self {
        Self {
            key,
            known,
            counts: Counts::default(),
            hits: Mutex::default(),
            problems: Mutex::default(),
        }
    }

    /// What was found, in the order of files, and what could not be read.
    pub(crate) fn finish(self) -> (Vec<Hit>, Vec<String>, Counts) {
        let unpoisoned = "no thread that holds it panics";
        let mut hits = self.hits.into_inner().expect(unpoisoned);
        hits.sort();
        hits.dedup();
        let mut problems = self.problems.into_inner().expect(unpoisoned);
        problems.sort();
        (hits, problems, self.counts)
    }

    /// The tokens in a text, each with its line.
    fn read(&self, text: &mut dyn Read) -> io::Result<Vec<(TokenId, u64)>> {
        let mut found = Vec::new();
        let mut candidates = 0;
        let bytes = words::each(text, &mut |word, line| {
            if !may_be_secret(word) {
                return;
            }
            candidates += 1;
            if let Some(token) = self.known.find(self.key.token_id(word.as_bytes())) {
                found.push((token, line));
            }
        })?;
        self.counts.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.counts
            .candidates
            .fetch_add(candidates, Ordering::Relaxed);
        Ok(found)
    }

    fn add(&self, new: impl Iterator<Item = Hit>) {
        let mut hits = self.hits.lock().expect("no thread that holds it panics");
        for hit in new {
            if hits.len() < HITS_LIMIT {
                hits.push(hit);
            } else {
                self.counts.hits_left_out.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Notes that something could not be read.
    fn problem(&self, what: impl std::fmt::Display, why: impl std::fmt::Display) {
        let mut problems = self
            .problems
            .lock()
            .expect("no thread that holds it panics");
        problems.push(format!("{what}: {why}"));
    }
}

#[cfg(test)]
mod tests;
