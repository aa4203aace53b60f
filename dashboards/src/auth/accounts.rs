//! Accounts: the first administrator, new users, new passwords. The binary's commands and first start come here.

use secrecy::{ExposeSecret, SecretString};
use tokenwatch_model::Clock;
use tokenwatch_store::{AuditRow, Store, StoreError, UserRow};

use super::password::{HashError, generate_password, hash_password};

/// The first administrator's name.
pub const FIRST_ADMIN: &str = "admin";

const NAME_CHARS_LIMIT: usize = 64;
const PASSWORD_CHARS_MINIMUM: usize = 12;
const PASSWORD_BYTES_LIMIT: usize = 1024;

/// What a user may do. Both see everything; what changes something is for administrators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Everything.
    Admin,
    /// Look.
    Viewer,
}

/// Why an account was not written.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The name cannot be one.
    #[error("a user's name has 1 to 64 letters, digits, dots, dashes, underscores or @")]
    Name,
    /// The password is too weak or too long.
    #[error("a password has at least 12 characters and at most 1024 bytes")]
    Password,
    /// There is one already.
    #[error("there is a user of this name already")]
    Exists,
    /// There is none.
    #[error("there is no user of this name")]
    Unknown,
    /// The password could not be hashed.
    #[error("the password could not be hashed: {0}")]
    Hash(String),
    /// The store did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Role {
    /// The name in the API and the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Viewer => "viewer",
        }
    }
}

impl From<HashError> for AccountError {
    fn from(error: HashError) -> Self {
        Self::Hash(error.to_string())
    }
}

/// Creates the user `admin` with a random password where there is no user at all; gives the password, to print once.
pub async fn ensure_first_admin(
    store: &Store,
    clock: &Clock,
) -> Result<Option<SecretString>, AccountError> {
    if store.has_users().await? {
        return Ok(None);
    }
    let password = generate_password();
    create_user(store, clock, FIRST_ADMIN, Role::Admin, &password).await?;
    Ok(Some(password))
}

/// Creates a user.
pub async fn create_user(
    store: &Store,
    clock: &Clock,
    name: &str,
    role: Role,
    password: &SecretString,
) -> Result<(), AccountError> {
    check_name(name)?;
    if store.user(name).await?.is_some() {
        return Err(AccountError::Exists);
    }
    let user = UserRow {
        name: name.to_owned(),
        role: role.name().to_owned(),
        password_hash: String::new(),
        created_at: 0,
        version: 0,
    };
    write(store, clock, None, user, password).await
}

/// Gives a user a new password; every session of theirs ends.
pub async fn set_password(
    store: &Store,
    clock: &Clock,
    name: &str,
    password: &SecretString,
) -> Result<(), AccountError> {
    let user = store.user(name).await?.ok_or(AccountError::Unknown)?;
    write(store, clock, Some(user.clone()), user, password).await
}

async fn write(
    store: &Store,
    clock: &Clock,
    known: Option<UserRow>,
    mut user: UserRow,
    password: &SecretString,
) -> Result<(), AccountError> {
    check_password(password)?;
    let owned = password.clone();
    user.password_hash = tokio::task::spawn_blocking(move || hash_password(&owned))
        .await
        .map_err(|panic| AccountError::Hash(panic.to_string()))??;
    let now = clock.now().as_micros();
    // The version is when the user changed, which ends the sessions begun before.
    let next = known.as_ref().map_or(0, |user| user.version + 1);
    user.version = now.unsigned_abs().max(next);
    user.created_at = known.as_ref().map_or(now, |user| user.created_at);
    store.put_user(&user).await?;
    let line = AuditRow {
        at: now,
        actor: "command line".to_owned(),
        action: match known {
            Some(_) => "password_changed".to_owned(),
            None => "user_created".to_owned(),
        },
        subject: user.name,
        detail: user.role,
    };
    store.audit(&line).await?;
    Ok(())
}

/// Whether `name` may be a user's name; the login asks too, so that nothing else reaches the store or the audit trail.
pub(crate) fn check_name(name: &str) -> Result<(), AccountError> {
    let valid = (1..=NAME_CHARS_LIMIT).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-@".contains(&byte));
    if valid {
        Ok(())
    } else {
        Err(AccountError::Name)
    }
}

fn check_password(password: &SecretString) -> Result<(), AccountError> {
    let text = password.expose_secret();
    let valid =
        text.chars().count() >= PASSWORD_CHARS_MINIMUM && text.len() <= PASSWORD_BYTES_LIMIT;
    if valid {
        Ok(())
    } else {
        Err(AccountError::Password)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        for name in ["admin", "ada.lovelace@example.com", "a_b-c"] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        for name in ["", "a b", "ädmin", "x'--", "a\n", &"a".repeat(65)] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn short_and_huge_passwords_are_refused() {
        let check = |text: &str| check_password(&SecretString::from(text)).is_ok();
        assert!(check("twelve chars"));
        assert!(!check("eleven char"));
        assert!(!check(&"a".repeat(1025)));
    }
}
