//! What people said of findings and incidents.
//!
//! A duplicate's note begins with the id of the finding that it repeats: the table has no column of its own for what
//! one word in a hundred needs.

use std::collections::BTreeMap;

use clickhouse::Row;
use serde::Deserialize;
use tokenwatch_model::{FindingId, Handling, Saying, Timestamp, Word};

use super::Queries;
use crate::error::StoreError;
use crate::rows::VerdictRow;

/// Words that are read of one finding or incident, the newest of them.
const SAYINGS_LIMIT: u32 = 100;

const SAYINGS: &str = "
SELECT finding_id, toUnixTimestamp64Micro(at) AS said_at, actor, verdict, note FROM verdicts FINAL
WHERE has({subjects:Array(String)}, finding_id)
ORDER BY finding_id, at DESC, actor LIMIT {rows:UInt32} BY finding_id";

#[derive(Row, Deserialize)]
struct SayingRow {
    finding_id: String,
    said_at: i64,
    actor: String,
    verdict: String,
    note: String,
}

impl Queries {
    /// What was said of each of `subjects`, ids of findings and incidents: the oldest word first.
    pub async fn sayings(&self, subjects: &[String]) -> Result<Vec<Saying>, StoreError> {
        if subjects.is_empty() {
            return Ok(Vec::new());
        }
        let query = self.statement(SAYINGS).param("subjects", subjects);
        let rows = self.rows::<SayingRow>(query.param("rows", SAYINGS_LIMIT));
        let mut sayings: Vec<Saying> = rows
            .await?
            .into_iter()
            .filter_map(SayingRow::into_saying)
            .collect();
        sayings.sort_by(|a, b| (&a.subject, a.at).cmp(&(&b.subject, b.at)));
        Ok(sayings)
    }

    /// Where people's words leave each of `subjects`; what nobody spoke of is not there.
    pub async fn handling(
        &self,
        subjects: &[String],
    ) -> Result<BTreeMap<String, Handling>, StoreError> {
        let sayings = self.sayings(subjects).await?;
        Ok(sayings
            .chunk_by(|a, b| a.subject == b.subject)
            .map(|said| (said[0].subject.clone(), Handling::after(said)))
            .collect())
    }
}

impl VerdictRow {
    /// The row that stores `saying`.
    pub fn of(saying: &Saying) -> Self {
        let parts = [saying.duplicate_of.map(|id| id.to_string())];
        let note = parts.into_iter().flatten().chain([saying.note.clone()]);
        Self {
            finding_id: saying.subject.clone(),
            at: saying.at.as_micros(),
            actor: saying.actor.clone(),
            verdict: saying.word.name().to_owned(),
            note: note.collect::<Vec<_>>().join(" ").trim().to_owned(),
        }
    }
}

impl SayingRow {
    /// Nothing where a later release wrote a word that this one does not know.
    fn into_saying(self) -> Option<Saying> {
        let word = Word::named(&self.verdict)?;
        let (duplicate_of, note) = if word == Word::Duplicate {
            let (id, note) = self.note.split_once(' ').unwrap_or((&self.note, ""));
            (id.parse::<FindingId>().ok(), note.to_owned())
        } else {
            (None, self.note)
        };
        Some(Saying {
            subject: self.finding_id,
            at: Timestamp::from_micros(self.said_at),
            actor: self.actor,
            word,
            duplicate_of,
            note,
        })
    }
}
