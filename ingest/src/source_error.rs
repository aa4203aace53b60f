//! Why a source stopped, split by what its supervisor does about it.

/// A source ended before it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The source cannot work as configured; starting it again will not help.
    #[error("{source_name} cannot work as configured: {reason}")]
    Unusable {
        /// `kafka`, `files`, `http_push`, `dead_letters`.
        source_name: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The source failed in a way that may pass; start it again after a pause.
    #[error("{source_name} failed: {reason}")]
    Failed {
        /// `kafka`, `files`, `http_push`, `dead_letters`.
        source_name: &'static str,
        /// What happened.
        reason: String,
    },
    /// The pipeline no longer takes records; the process is about to end.
    #[error("the pipeline is gone")]
    PipelineGone,
}

impl SourceError {
    /// Whether starting the source again can help.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Failed { .. } => true,
            Self::Unusable { .. } | Self::PipelineGone => false,
        }
    }
}
