//! `log`: a line in the process's own log and, if named, one JSON object per line in a file.
//!
//! After a crash between writing and recording, a line may be there twice; both have the same notification id.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::Serialize;
use tokenwatch_model::{Finding, Response, Severity, Timestamp};
use tokio::fs::OpenOptions;
use tokio::io::AsyncWriteExt as _;

use super::{Delivery, Outgoing};
use crate::error::AlertingError;

/// The process's own log, and a file.
pub(crate) struct LogChannel {
    file: Option<PathBuf>,
}

/// One line of the file.
#[derive(Serialize)]
struct Line<'l> {
    id: &'l str,
    at: Timestamp,
    occasion: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<&'l Response>,
    finding: &'l Finding,
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

    pub(super) async fn send(&self, message: &Outgoing, now: Timestamp) -> Delivery {
        if let Some(path) = &self.file {
            let line = Line {
                id: &message.id,
                at: now,
                occasion: message.occasion.name(),
                response: message.response.as_ref(),
                finding: &message.finding,
            };
            if let Err(error) = append(path, &line).await {
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
        }
        trace(message);
        Delivery::Accepted
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

fn trace(message: &Outgoing) {
    let finding = &*message.finding;
    let token = finding.token.as_ref().map(|token| token.id.to_string());
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                finding.id = %finding.id,
                finding.detector = %finding.detector,
                finding.severity = %message.severity,
                finding.occasion = message.occasion.name(),
                finding.confidence = finding.confidence,
                token.id = token,
                notification.id = message.id,
                response.result = message.response.as_ref().map(|response| response.result.name()),
                "{}", finding.summary
            )
        };
    }
    match message.severity {
        Severity::Critical => line!(error),
        Severity::High | Severity::Medium => line!(warn),
        Severity::Low | Severity::Info => line!(info),
    }
}
