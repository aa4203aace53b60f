//! `log`: a line in the process's own log and, if named, one JSON object per line in a file.
//!
//! After a crash between writing and recording, a line may be there twice; both have the same notification id.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::Serialize;
use tokenwatch_model::{Finding, Response, Severity, Timestamp};
use tokio::fs::OpenOptions;
use tokio::io::AsyncWriteExt as _;

use super::{Delivery, Part, Payload};
use crate::error::AlertingError;
use crate::occasion::Occasion;
use crate::outgoing::{Item, Notice, Outgoing};

/// The process's own log, and a file.
pub(crate) struct LogChannel {
    file: Option<PathBuf>,
}

/// What one line is about.
#[derive(Clone, Debug)]
pub(crate) struct LogEntry {
    id: String,
    item: Option<Item>,
    notice: Option<Notice>,
}

/// One line of the file.
#[derive(Serialize)]
struct Line<'l> {
    id: &'l str,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<Timestamp>,
    occasion: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<&'l Response>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finding: Option<&'l Finding>,
    #[serde(skip_serializing_if = "Option::is_none")]
    notice: Option<&'l str>,
}

impl LogChannel {
    /// Checks that the file can be written.
    pub(super) fn new(_receiver: &str, file: Option<&Path>) -> Result<Self, AlertingError> {
        if let Some(path) = file {
            std::fs::OpenOptions::new()
                .create(true)
                .append(true)
                .open(path)
                .map_err(|source| AlertingError::LogFile {
                    path: path.to_owned(),
                    source,
                })?;
        }
        Ok(Self {
            file: file.map(Path::to_owned),
        })
    }

    pub(super) fn render(message: &Outgoing) -> Vec<Part> {
        Part::each(message, |id, item| {
            Payload::Log(Box::new(LogEntry {
                id: id.to_owned(),
                item: item.cloned(),
                notice: message.notice.clone(),
            }))
        })
    }

    pub(super) async fn send(&self, part: &Part, now: Timestamp) -> Delivery {
        let Payload::Log(entry) = &part.payload else {
            unreachable!("the channel renders log entries alone");
        };
        if let Some(path) = &self.file
            && let Err(error) = append(path, &entry.line(Some(now))).await
        {
            let reason = match error.kind() {
                ErrorKind::StorageFull => "disk_full",
                ErrorKind::PermissionDenied => "permission_denied",
                _ => "write_failed",
            };
            return Delivery::Retry {
                reason: reason.to_owned(),
                after: None,
            };
        }
        match (&entry.item, &entry.notice) {
            (Some(item), _) => trace(&entry.id, item),
            (None, Some(notice)) => {
                tracing::warn!(
                    notification.id = entry.id,
                    "{}: {}",
                    notice.title,
                    notice.text
                );
            }
            (None, None) => {}
        }
        Delivery::Accepted
    }
}

impl LogEntry {
    fn line(&self, at: Option<Timestamp>) -> Line<'_> {
        let item = self.item.as_ref();
        Line {
            id: &self.id,
            at,
            occasion: item.map_or(Occasion::Notice, |item| item.occasion).name(),
            response: item.and_then(|item| item.response.as_ref()),
            finding: item.map(|item| &*item.finding),
            notice: self.notice.as_ref().map(|notice| notice.text.as_str()),
        }
    }

    pub(super) fn preview(&self) -> String {
        serde_json::to_string_pretty(&self.line(None)).expect("findings serialise to JSON")
    }
}

/// Opens the file anew for each line, so that it can be rotated by renaming.
async fn append(path: &Path, line: &Line<'_>) -> std::io::Result<()> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .await?;
    file.write_all(&text).await?;
    file.flush().await
}

fn trace(id: &str, item: &Item) {
    let finding = &*item.finding;
    let token = finding.token.as_ref().map(|token| token.id.to_string());
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                finding.id = %finding.id,
                finding.detector = %finding.detector,
                finding.severity = %item.severity,
                finding.occasion = item.occasion.name(),
                finding.confidence = finding.confidence,
                token.id = token,
                notification.id = id,
                response.result = item.response.as_ref().map(|response| response.result.name()),
                "{}", finding.summary
            )
        };
    }
    match item.severity {
        Severity::Critical => line!(error),
        Severity::High | Severity::Medium => line!(warn),
        Severity::Low | Severity::Info => line!(info),
    }
}
