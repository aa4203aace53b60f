//! What can go wrong when alerting starts; what goes wrong later is retried, counted and in the ledger.

use std::path::PathBuf;

/// Why alerting could not start.
#[derive(Debug, thiserror::Error)]
pub enum AlertingError {
    /// The HTTP client could not be built: TLS could not be set up.
    #[error("no HTTP client could be built for receiver {receiver:?}")]
    HttpClient {
        /// Which receiver or target it was for.
        receiver: String,
        /// Why.
        source: reqwest::Error,
    },
    /// The SMTP transport could not be built: TLS could not be set up.
    #[error("no SMTP transport could be built for receiver {receiver:?}")]
    SmtpTransport {
        /// Which receiver it was for.
        receiver: String,
        /// Why.
        source: lettre::transport::smtp::Error,
    },
    /// The file of a log receiver cannot be written.
    #[error("the alerts file {} cannot be written", path.display())]
    LogFile {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}
