//! Changes what is known of a token. The binary does it: it knows the pipeline, which decides from when on it counts.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use tokenwatch_model::{Registration, RegistryKey, Timestamp};
use tokenwatch_store::StoreError;

type Answer = Pin<Box<dyn Future<Output = Result<Timestamp, RegistrarError>> + Send>>;
type Register = dyn Fn(RegistryKey, Option<Box<Registration>>, String) -> Answer + Send + Sync;

/// Writes registrations; none takes one back. The answer is the event time from which it counts.
#[derive(Clone)]
pub struct Registrar(Arc<Register>);

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum RegistrarError {
    /// There is nothing to take back.
    #[error("nothing was registered here")]
    Unknown,
    /// It was not believed.
    #[error("{0}")]
    Refused(String),
    /// It could not be stored.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Registrar {
    /// One that writes with `register`; its last argument is the user.
    pub fn new<F>(
        register: impl Fn(RegistryKey, Option<Box<Registration>>, String) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<Timestamp, RegistrarError>> + Send + 'static,
    {
        Self(Arc::new(move |key, entry, actor| {
            Box::pin(register(key, entry, actor))
        }))
    }

    pub(crate) async fn register(
        &self,
        key: RegistryKey,
        entry: Option<Box<Registration>>,
        actor: String,
    ) -> Result<Timestamp, RegistrarError> {
        (self.0)(key, entry, actor).await
    }
}

impl fmt::Debug for Registrar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registrar").finish_non_exhaustive()
    }
}
