//! Where secrets come from: the environment or files, never the configuration's text.

use secrecy::SecretString;

/// Looks secrets up; only the binary has one that reads the environment.
pub trait SecretSource {
    /// The secret in the environment variable `name`.
    fn env(&self, name: &str) -> Option<SecretString>;

    /// The secret in the file at `path`, without its final line break; else why it could not be read.
    fn file(&self, path: &str) -> Result<SecretString, String>;
}
