//! The deployment key: turns a raw token into its `token.id`, one way.
//!
//! A token's id is the first 128 bits of HMAC-SHA-256 under this key, so the stored id of a token tells nothing about
//! it, and a leaked string can still be matched by whoever holds the key. Names (a gateway's credential id, a JWT's
//! grant) go through the same function behind a prefix with NUL bytes, which no header can carry, so that a name and a
//! raw token never meet.
//!
//! The key file holds 64 hexadecimal digits. It is created at first start, and refused when others may read it.

use std::fmt;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER_PERMISSIVE;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::zeroize::{Zeroize, Zeroizing};
use sha2::Sha256;
use tokenwatch_model::{Format, TokenId};

/// 256 bits, the block that SHA-256 gives.
const KEY_BYTES: usize = 32;
/// Anyone may read or write, or the group may write. A group may read, because that is how Kubernetes mounts secrets.
const FORBIDDEN_MODE: u32 = 0o027;

/// The deployment key, as an HMAC state that has taken the key in already.
#[derive(Clone)]
pub struct TokenKey {
    keyed: Hmac<Sha256>,
}

/// Why there is no deployment key.
#[derive(Debug, thiserror::Error)]
pub enum TokenKeyError {
    /// Others may read the file.
    #[error(
        "the key file {} has mode {mode:04o}, which lets others read or write it; run: chmod 600 {}",
        path.display(),
        path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file does not hold a key.
    #[error("the key file {} does not hold 64 hexadecimal digits", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// The file could not be read or created.
    #[error("the key file {} cannot be {action}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// `read` or `created`.
        action: &'static str,
        /// Why.
        source: io::Error,
    },
}

impl TokenKey {
    /// The key with these bytes.
    #[expect(clippy::missing_panics_doc, reason = "HMAC takes keys of every length")]
    pub fn from_bytes(bytes: &[u8; KEY_BYTES]) -> Self {
        Self {
            keyed: Hmac::new_from_slice(bytes).expect("HMAC takes keys of every length"),
        }
    }

    /// The key in the file at `path`, which is created with a random key and mode 0600 if there is none. Two processes
    /// that start together end up with the same key.
    pub fn load_or_create(path: &Path) -> Result<Self, TokenKeyError> {
        let failed = |action| {
            move |source| TokenKeyError::File {
                path: path.to_owned(),
                action,
                source,
            }
        };
        match fs::metadata(path) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                create(path).map_err(failed("created"))?;
            }
            Err(error) => return Err(failed("read")(error)),
        }
        let mode = fs::metadata(path)
            .map_err(failed("read"))?
            .permissions()
            .mode()
            & 0o7777;
        if mode & FORBIDDEN_MODE != 0 {
            return Err(TokenKeyError::Exposed {
                path: path.to_owned(),
                mode,
            });
        }
        let text = Zeroizing::new(fs::read(path).map_err(failed("read"))?);
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        HEXLOWER_PERMISSIVE
            .decode_len(text.trim_ascii().len())
            .ok()
            .filter(|length| *length == KEY_BYTES)
            .and_then(|_| {
                HEXLOWER_PERMISSIVE
                    .decode_mut(text.trim_ascii(), &mut *bytes)
                    .ok()
            })
            .ok_or_else(|| TokenKeyError::Malformed {
                path: path.to_owned(),
            })?;
        Ok(Self::from_bytes(&bytes))
    }

    /// The id of a raw token.
    pub fn token_id(&self, secret: &[u8]) -> TokenId {
        let mut mac = self.keyed.clone();
        mac.update(secret);
        finish(mac)
    }

    /// The id of the credential that a gateway logging in this format names so.
    pub fn credential_id(&self, format: Format, name: &str) -> TokenId {
        // A name is unique within its gateway only, and the format stands for the gateway.
        self.name_id("credential", &[format.name(), name])
    }

    /// The id of what `parts` name within `namespace`.
    pub(crate) fn name_id(&self, namespace: &str, parts: &[&str]) -> TokenId {
        let mut mac = self.keyed.clone();
        mac.update(b"\0");
        mac.update(namespace.as_bytes());
        for part in parts {
            mac.update(b"\0");
            mac.update(part.as_bytes());
        }
        finish(mac)
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey([redacted])")
    }
}

fn finish(mac: Hmac<Sha256>) -> TokenId {
    let digest = mac.finalize().into_bytes();
    let first: [u8; 16] = digest[..16].try_into().expect("a SHA-256 has 32 bytes");
    TokenId::from_bits(u128::from_be_bytes(first))
}

/// Writes a new key beside `path` and links it into place, which fails if another process was first: then its key counts.
fn create(path: &Path) -> io::Result<()> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)?;
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    getrandom::fill(&mut *key).map_err(io::Error::other)?;
    let mut text = HEXLOWER_PERMISSIVE.encode(&*key);
    text.push('\n');
    let unique = getrandom::u64().map_err(io::Error::other)?;
    let draft = directory.join(format!(".token-key-{unique:016x}"));
    let linked = write_private(&draft, text.as_bytes()).and_then(|()| fs::hard_link(&draft, path));
    text.zeroize();
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
        Ok(()) => fs::File::open(directory)?.sync_all(),
    }
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_ids_are_the_first_half_of_hmac_sha_256() {
        // RFC 4231, test case 1, whose key of 20 bytes is padded with zeros to the block anyway.
        let mut key = [0; KEY_BYTES];
        key[..20].fill(0x0b);
        let id = TokenKey::from_bytes(&key).token_id(b"Hi There");
        assert_eq!(id.bits(), 0xb034_4c61_d8db_3853_5ca8_afce_af0b_f12b);
    }

    #[test]
    fn names_and_raw_tokens_have_different_ids() {
        let key = TokenKey::from_bytes(&[7; KEY_BYTES]);
        assert_ne!(key.name_id("credential", &["x"]), key.token_id(b"x"));
        assert_ne!(
            key.name_id("credential", &["x"]),
            key.name_id("consumer", &["x"])
        );
        assert_ne!(
            key.name_id("grant", &["a", "bc"]),
            key.name_id("grant", &["ab", "c"])
        );
    }

    #[test]
    fn the_first_start_creates_a_private_key_and_later_ones_read_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("data/token.key");
        let created = TokenKey::load_or_create(&path).unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let read = TokenKey::load_or_create(&path).unwrap();
        assert_eq!(created.token_id(b"secret"), read.token_id(b"secret"));
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn processes_that_start_together_share_one_key() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token.key");
        let ids: Vec<TokenId> = std::thread::scope(|scope| {
            let starts: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| TokenKey::load_or_create(&path).unwrap().token_id(b"secret"))
                })
                .collect();
            starts
                .into_iter()
                .map(|start| start.join().unwrap())
                .collect()
        });
        assert!(ids.iter().all(|id| *id == ids[0]));
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token.key");
        TokenKey::load_or_create(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let error = TokenKey::load_or_create(&path).unwrap_err();
        assert!(error.to_string().contains("0644"), "{error}");
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }

    #[test]
    fn a_file_that_is_no_key_is_refused_without_being_shown() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token.key");
        for text in [
            "",
            "abc",
            "zz",
            &"g".repeat(64),
            &"a".repeat(65),
            &"ab".repeat(33),
        ] {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            let error = TokenKey::load_or_create(&path).unwrap_err();
            assert!(matches!(error, TokenKeyError::Malformed { .. }), "{text}");
        }
    }

    #[test]
    fn debug_shows_nothing_of_the_key() {
        assert_eq!(
            format!("{:?}", TokenKey::from_bytes(&[7; KEY_BYTES])),
            "TokenKey([redacted])"
        );
    }
}
