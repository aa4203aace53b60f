//! Inventories as CSV: RFC 4180, with a first line of names. Lists are separated by blanks, commas or semicolons; an empty cell
//! says nothing.

use serde_json::{Map, Value};

use super::{EntryProblem, Placed, problem};

/// Columns that hold lists.
const LISTS: [&str; 4] = ["scopes", "allowed_networks", "allowed_countries", "aliases"];

/// The entries of `text`.
pub(super) fn read(text: &str, problems: &mut Vec<EntryProblem>) -> Vec<Placed> {
    let mut reader = ::csv::ReaderBuilder::new()
        .trim(::csv::Trim::All)
        .from_reader(text.as_bytes());
    let names: Vec<String> = match reader.headers() {
        Ok(headers) => headers.iter().map(name_of).collect(),
        Err(error) => {
            problems.push(broken(&error));
            return Vec::new();
        }
    };
    let mut placed = Vec::new();
    for record in reader.records() {
        match record {
            Ok(record) => {
                let line = record
                    .position()
                    .and_then(|position| usize::try_from(position.line()).ok());
                placed.extend(entry_of(&names, &record, line, problems));
            }
            Err(error) => problems.push(broken(&error)),
        }
    }
    placed
}

fn name_of(header: &str) -> String {
    header.trim().to_ascii_lowercase().replace([' ', '-'], "_")
}

fn entry_of(
    names: &[String],
    record: &::csv::StringRecord,
    line: Option<usize>,
    problems: &mut Vec<EntryProblem>,
) -> Option<Placed> {
    let mut fields = Map::new();
    for (name, cell) in names.iter().zip(record) {
        if cell.is_empty() {
            continue;
        }
        let value = match name.as_str() {
            list if LISTS.contains(&list) => cell
                .split([' ', ',', ';'])
                .filter(|item| !item.is_empty())
                .collect(),
            "protected" => match cell.to_ascii_lowercase().as_str() {
                "true" | "yes" | "1" => Value::Bool(true),
                "false" | "no" | "0" => Value::Bool(false),
                _ => Value::from(cell),
            },
            _ => Value::from(cell),
        };
        fields.insert(name.clone(), value);
    }
    match serde_path_to_error::deserialize(Value::Object(fields)) {
        Ok(entry) => Some(Placed { line, entry }),
        Err(error) => {
            let path = error.path().to_string();
            problems.push(problem(line, path, error.inner()));
            None
        }
    }
}

fn broken(error: &::csv::Error) -> EntryProblem {
    let line = error
        .position()
        .and_then(|position| usize::try_from(position.line()).ok());
    let message = match error.kind() {
        ::csv::ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => format!("has {len} cells, and the first line {expected_len}"),
        _ => error.to_string(),
    };
    EntryProblem {
        line,
        field: String::new(),
        message,
    }
}
