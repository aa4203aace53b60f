//! What is written under `[ingest.files]`, and what it means.

use std::time::Duration;

use bytesize::ByteSize;
use glob::Pattern;
use serde::{Deserialize, Serialize};
use tokenwatch_model::{Problem, Problems};

use crate::batching::BatchLimits;

/// `[ingest.files]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FilesConfig {
    /// Patterns of paths, as the shell knows them; empty turns the source off.
    pub paths: Vec<String>,
    /// Patterns of paths that are left out.
    pub exclude: Vec<String>,
    /// The longest line; longer ones are rejected.
    pub line_bytes_limit: ByteSize,
    /// Most files open at a time.
    pub open_files_limit: usize,
    /// How often files are looked at.
    #[serde(with = "humantime_serde")]
    pub poll_interval: Duration,
    /// How long a file that was renamed away or deleted is still followed.
    #[serde(with = "humantime_serde")]
    pub rotated_wait: Duration,
    /// Most lines in a batch.
    pub batch_records: usize,
    /// Most bytes in a batch.
    pub batch_bytes: ByteSize,
    /// Delete a file once everything in it is checkpointed, except for the newest by name.
    pub delete_after_checkpoint: bool,
}

/// A validated [`FilesConfig`].
#[derive(Clone, Debug)]
pub struct FilesSettings {
    /// Patterns of paths.
    pub paths: Vec<String>,
    /// Patterns of paths that are left out.
    pub exclude: Vec<Pattern>,
    /// The longest line.
    pub line_bytes_limit: usize,
    /// Most files open at a time.
    pub open_files_limit: usize,
    /// How often files are looked at.
    pub poll_interval: Duration,
    /// How long a file that was renamed away or deleted is still followed.
    pub rotated_wait: Duration,
    /// When a batch is handed over; a batch never waits for lines, so its age is not used.
    pub batch: BatchLimits,
    /// Delete a file once everything in it is checkpointed, except for the newest by name.
    pub delete_after_checkpoint: bool,
}

impl Default for FilesConfig {
    fn default() -> Self {
        Self {
            paths: Vec::new(),
            exclude: Vec::new(),
            line_bytes_limit: ByteSize::mib(1),
            open_files_limit: 256,
            poll_interval: Duration::from_millis(200),
            rotated_wait: Duration::from_mins(1),
            batch_records: 20_000,
            batch_bytes: ByteSize::mib(16),
            delete_after_checkpoint: false,
        }
    }
}

impl FilesConfig {
    /// The settings, `None` if no path is named, or every problem, with key paths below `prefix`.
    pub fn validate(&self, prefix: &str) -> Result<Option<FilesSettings>, Vec<Problem>> {
        let mut problems = Problems::at(prefix);
        for (index, path) in self.paths.iter().enumerate() {
            if let Err(error) = Pattern::new(path) {
                problems.add(format!("paths[{index}]"), error.to_string());
            }
        }
        let mut exclude = Vec::new();
        for (index, path) in self.exclude.iter().enumerate() {
            match Pattern::new(path) {
                Ok(pattern) => exclude.push(pattern),
                Err(error) => problems.add(format!("exclude[{index}]"), error.to_string()),
            }
        }
        let positive = [
            ("line_bytes_limit", self.line_bytes_limit.as_u64()),
            ("open_files_limit", self.open_files_limit as u64),
            ("batch_records", self.batch_records as u64),
            ("batch_bytes", self.batch_bytes.as_u64()),
            ("poll_interval", self.poll_interval.as_millis() as u64),
        ];
        for (key, value) in positive {
            if value == 0 {
                problems.add(key, "must be greater than zero");
            }
        }
        let bytes = |size: ByteSize| usize::try_from(size.as_u64()).unwrap_or(usize::MAX);
        problems.into_result(|| {
            (!self.paths.is_empty()).then(|| FilesSettings {
                paths: self.paths.clone(),
                exclude,
                line_bytes_limit: bytes(self.line_bytes_limit),
                open_files_limit: self.open_files_limit,
                poll_interval: self.poll_interval,
                rotated_wait: self.rotated_wait,
                batch: BatchLimits {
                    records: self.batch_records,
                    bytes: bytes(self.batch_bytes),
                    age: self.poll_interval,
                },
                delete_after_checkpoint: self.delete_after_checkpoint,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_is_told_with_its_key() {
        let config = FilesConfig {
            paths: vec!["/var/log/*.log".to_owned(), "a***".to_owned()],
            exclude: vec!["[".to_owned()],
            batch_records: 0,
            ..FilesConfig::default()
        };
        let problems = config.validate("ingest.files").expect_err("has problems");
        let paths: Vec<_> = problems
            .iter()
            .map(|problem| problem.path.as_str())
            .collect();
        assert_eq!(
            paths,
            [
                "ingest.files.paths[1]",
                "ingest.files.exclude[0]",
                "ingest.files.batch_records"
            ]
        );
    }

    #[test]
    fn no_path_turns_the_source_off() {
        assert!(
            FilesConfig::default()
                .validate("")
                .is_ok_and(|settings| settings.is_none())
        );
    }
}
