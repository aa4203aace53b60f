//! An inventory's text to entries: TOML for people, CSV for spreadsheets, JSON for programs. Every problem has its line.

mod csv;

use std::collections::HashMap;
use std::fmt;
use std::path::Path;

use serde::Deserialize;
use serde_json::value::RawValue;
use tokenwatch_model::{Registration, RegistryKey};

use crate::config::locate::{Lines, line_of};

/// Problems told at once: whoever has more has one that repeats.
const PROBLEMS_LIMIT: usize = 20;

/// How an inventory is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notation {
    /// `[[tokens]]` tables.
    Toml,
    /// A line of names, then a line per entry.
    Csv,
    /// An array of objects, or an object a line.
    Json,
}

/// What is wrong with one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EntryProblem {
    /// The line, from 1, where it is known.
    pub(crate) line: Option<usize>,
    /// The field, where it is one.
    pub(crate) field: String,
    /// What is wrong.
    pub(crate) message: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    tokens: Vec<Registration>,
}

/// An entry and the line that it begins on.
struct Placed {
    line: Option<usize>,
    entry: Registration,
}

impl Notation {
    /// By the ending of a file's name.
    pub(crate) fn of_path(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "toml" => Some(Self::Toml),
            "csv" => Some(Self::Csv),
            "json" | "ndjson" | "jsonl" => Some(Self::Json),
            _ => None,
        }
    }

    /// By the media type of an answer; JSON unless it says otherwise.
    pub(crate) fn of_media_type(media_type: &str) -> Self {
        let essence = media_type.split(';').next().unwrap_or_default().trim();
        match essence.to_ascii_lowercase().as_str() {
            "text/csv" => Self::Csv,
            "application/toml" => Self::Toml,
            _ => Self::Json,
        }
    }
}

/// The entries of an inventory, or what is wrong with them.
pub(crate) fn read(notation: Notation, text: &str) -> Result<Vec<Registration>, Vec<EntryProblem>> {
    // Spreadsheets put one in front.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut problems = Vec::new();
    let placed = match notation {
        Notation::Toml => read_toml(text, &mut problems),
        Notation::Csv => csv::read(text, &mut problems),
        Notation::Json => read_json(text, &mut problems),
    };
    let mut seen: HashMap<RegistryKey, Option<usize>> = HashMap::with_capacity(placed.len());
    let mut aliases: HashMap<String, Option<usize>> = HashMap::new();
    let mut entries = Vec::with_capacity(placed.len());
    for Placed { line, entry } in placed {
        match entry.check() {
            Err(error) => problems.push(EntryProblem {
                line,
                field: error.field.to_owned(),
                message: error.message.to_owned(),
            }),
            Ok(key) => {
                if let Some(first) = seen.insert(key, line) {
                    problems.push(repeated("token", line, first));
                }
                for alias in &entry.aliases {
                    if let Some(first) = aliases.insert(alias.clone(), line) {
                        problems.push(repeated("aliases", line, first));
                    }
                }
                entries.push(entry);
            }
        }
    }
    if problems.is_empty() {
        Ok(entries)
    } else {
        problems.sort_by_key(|problem| problem.line);
        problems.truncate(PROBLEMS_LIMIT);
        Err(problems)
    }
}

/// What two entries cannot both say.
fn repeated(field: &str, line: Option<usize>, first: Option<usize>) -> EntryProblem {
    EntryProblem {
        line,
        field: field.to_owned(),
        message: match first {
            Some(first) => format!("is there already, in line {first}"),
            None => "is there already".to_owned(),
        },
    }
}

fn read_toml(text: &str, problems: &mut Vec<EntryProblem>) -> Vec<Placed> {
    let parsed = toml::Deserializer::parse(text)
        .map_err(|error| (error, String::new()))
        .and_then(|deserializer| {
            serde_path_to_error::deserialize::<_, Document>(deserializer).map_err(|error| {
                let path = error.path().to_string();
                (error.into_inner(), path)
            })
        });
    match parsed {
        Ok(document) => {
            let lines = Lines::of(text);
            let place = |(index, entry)| Placed {
                line: lines.find(&format!("tokens[{index}]")),
                entry,
            };
            document.tokens.into_iter().enumerate().map(place).collect()
        }
        Err((error, path)) => {
            problems.push(EntryProblem {
                line: error.span().map(|span| line_of(text, span.start)),
                field: if path == "." { String::new() } else { path },
                message: error.message().to_owned(),
            });
            Vec::new()
        }
    }
}

/// An array, or an object a line.
fn read_json(text: &str, problems: &mut Vec<EntryProblem>) -> Vec<Placed> {
    if !text.trim_start().starts_with('[') {
        let lines = text.lines().enumerate();
        return lines
            .filter(|(_, line)| !line.trim().is_empty())
            .filter_map(|(index, line)| place(line, Some(index + 1), problems))
            .collect();
    }
    match serde_json::from_str::<Vec<&RawValue>>(text) {
        Ok(values) => values
            .into_iter()
            .filter_map(|value| {
                let start = value.get().as_ptr() as usize - text.as_ptr() as usize;
                place(value.get(), Some(line_of(text, start)), problems)
            })
            .collect(),
        Err(error) => {
            problems.push(EntryProblem {
                line: Some(error.line()),
                field: String::new(),
                message: error.to_string(),
            });
            Vec::new()
        }
    }
}

/// The entry that `json` is.
fn place(json: &str, line: Option<usize>, problems: &mut Vec<EntryProblem>) -> Option<Placed> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let parsed = serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| (error.path().to_string(), error.into_inner()))
        .and_then(|entry| match deserializer.end() {
            Ok(()) => Ok(entry),
            Err(error) => Err((String::new(), error)),
        });
    match parsed {
        Ok(entry) => Some(Placed { line, entry }),
        Err((path, error)) => {
            problems.push(problem(line, path, &error));
            None
        }
    }
}

/// What serde says, without its own place: ours is of the whole text.
fn problem(line: Option<usize>, path: String, error: &serde_json::Error) -> EntryProblem {
    let message = error.to_string();
    let message = message
        .rsplit_once(" at line ")
        .map_or(message.as_str(), |(message, _)| message);
    EntryProblem {
        line,
        field: if path == "." { String::new() } else { path },
        message: message.to_owned(),
    }
}

impl fmt::Display for EntryProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "{line}: ")?;
        }
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.message)
    }
}

#[cfg(test)]
mod tests;
