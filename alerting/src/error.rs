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
    /// TLS could not be set up.
    #[error("TLS could not be set up for receiver {receiver:?}")]
    Tls {
        /// Which receiver it was for.
        receiver: String,
        /// Why.
        source: native_tls::Error,
    },
    /// librdkafka refused its options.
    #[error("the Kafka producer of receiver {receiver:?} could not be built: {reason}")]
    Kafka {
        /// Which receiver it was for.
        receiver: String,
        /// Why; never holds an option's value.
        reason: String,
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
