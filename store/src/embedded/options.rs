//! What the parent tells the child, and where things are in the data folder.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Carries the password: unlike arguments, a process's environment is its user's own to read.
pub(crate) const PASSWORD_VARIABLE: &str = "TOKENWATCH_ENGINE_PASSWORD";
/// The user that the password belongs to.
pub(crate) const USER: &str = "tokenwatch";
/// The child's first line on stdout begins so when it serves; the port follows.
pub(crate) const READY_LINE: &str = "ready ";
/// … and so when another process has the folder; who follows.
pub(crate) const IN_USE_LINE: &str = "in-use ";
/// … and so when something else is wrong; what follows.
pub(crate) const FAILED_LINE: &str = "failed ";

/// What [`crate::run_embedded_server`] needs to know: the arguments of `tokenwatch embedded-clickhouse`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmbeddedServerOptions {
    /// The data folder.
    pub path: PathBuf,
    /// `libchdb.so`.
    pub library: PathBuf,
    /// The most memory that the engine may take, in bytes.
    pub memory_limit: u64,
    /// Whether the engine writes its own log.
    pub log: bool,
    /// The port to serve on; 0 for any.
    pub port: u16,
    /// The process whose end is ours too.
    pub parent: u32,
}

impl EmbeddedServerOptions {
    /// Reads `--path P --library L --memory-limit BYTES --parent PID [--port P] [--log]`.
    pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, String> {
        let (mut path, mut library, mut memory_limit, mut parent) = (None, None, None, None);
        let mut port = Some(0);
        let mut log = false;
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            if argument == "--log" {
                log = true;
                continue;
            }
            let value = arguments
                .next()
                .ok_or_else(|| format!("{} needs a value", argument.display()))?;
            let number = || value.to_str().and_then(|text| text.parse::<u64>().ok());
            match argument.to_str() {
                Some("--path") => path = Some(PathBuf::from(value)),
                Some("--library") => library = Some(PathBuf::from(value)),
                Some("--memory-limit") => memory_limit = number(),
                Some("--port") => port = number().and_then(|port| u16::try_from(port).ok()),
                Some("--parent") => parent = number().and_then(|pid| u32::try_from(pid).ok()),
                _ => return Err(format!("{} is unknown", argument.display())),
            }
        }
        Ok(Self {
            path: path.ok_or("--path is missing")?,
            library: library.ok_or("--library is missing")?,
            memory_limit: memory_limit.ok_or("--memory-limit is missing or not a number")?,
            port: port.ok_or("--port is not a port")?,
            parent: parent.ok_or("--parent is missing or not a number")?,
            log,
        })
    }

    /// The arguments that [`Self::parse`] reads back.
    pub(crate) fn to_arguments(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec![
            "--path".into(),
            self.path.clone().into(),
            "--library".into(),
            self.library.clone().into(),
            "--memory-limit".into(),
            self.memory_limit.to_string().into(),
            "--port".into(),
            self.port.to_string().into(),
            "--parent".into(),
            self.parent.to_string().into(),
        ];
        if self.log {
            arguments.push("--log".into());
        }
        arguments
    }

    /// Where the engine keeps its data.
    pub(crate) fn engine_folder(&self) -> PathBuf {
        self.path.join("engine")
    }
}

/// The file whose lock is held by the process that has the folder open.
pub(crate) fn lock_file(folder: &Path) -> PathBuf {
    folder.join("lock")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_read_back() {
        let options = EmbeddedServerOptions {
            path: "/var/lib/token watch".into(),
            library: "/usr/lib/libchdb.so".into(),
            memory_limit: 1 << 30,
            log: true,
            port: 0,
            parent: 17,
        };
        assert_eq!(
            EmbeddedServerOptions::parse(options.to_arguments()),
            Ok(options)
        );
    }

    #[test]
    fn missing_and_unknown_arguments_are_named() {
        let parse = |arguments: &[&str]| {
            EmbeddedServerOptions::parse(arguments.iter().map(OsString::from)).unwrap_err()
        };
        assert_eq!(parse(&["--path"]), "--path needs a value");
        assert_eq!(parse(&["--host", "1"]), "--host is unknown");
        assert_eq!(parse(&["--path", "p"]), "--library is missing");
    }
}
