//! Privileged routes by the words of their path: what an API's designer calls what only few may do.

use std::borrow::Cow;

use super::{Grade, Privilege, PrivilegeClass};
use crate::route_template::words_of;

/// Calls to one's own account and log-ins are nobody's privilege.
const HARMLESS: [&str; 9] = [
    "me", "self", "login", "logout", "session", "sessions", "oauth", "oauth2", "auth",
];

/// The class of a call by `method` to `path`: that of the first word that names one.
pub(super) fn classify_path(method: &str, path: &str) -> Option<Privilege> {
    let writes = matches!(method, "POST" | "PUT" | "PATCH" | "DELETE");
    let mut class = None;
    for word in words_of(path) {
        let word = lower(&word);
        if HARMLESS.contains(&&*word) {
            return None;
        }
        class = class.or_else(|| classify_word(&word, method, writes));
    }
    let class = class?;
    Some(Privilege {
        class,
        grade: Grade::Habit,
    })
}

fn classify_word(word: &str, method: &str, writes: bool) -> Option<PrivilegeClass> {
    use PrivilegeClass as C;
    match word {
        "admin" | "administration" | "administrator" | "superuser" | "sudo" | "impersonate"
        | "impersonation" | "internal" | "root" | "actuator" | "_debug" => Some(C::Administration),
        "export" | "exports" | "dump" | "dumps" | "backup" | "backups" => Some(C::Sharing),
        "secrets" | "credentials" if !writes => Some(C::Secrets),
        _ if !writes => None,
        "billing" | "payouts" | "bank-accounts" | "payment-methods" => Some(C::Administration),
        "users"
        | "members"
        | "memberships"
        | "invitations"
        | "roles"
        | "permissions"
        | "policies"
        | "grants"
        | "acl"
        | "acls"
        | "rolebindings"
        | "clusterroles"
        | "clusterrolebindings"
        | "serviceaccounts"
        | "service-accounts" => Some(C::Accounts),
        "keys"
        | "api-keys"
        | "api_keys"
        | "apikeys"
        | "tokens"
        | "access-tokens"
        | "credentials"
        | "secrets"
        | "ssh-keys"
        | "ssh_keys"
        | "deploy-keys"
        | "mfa"
        | "2fa"
        | "password"
        | "passwords"
        | "certificatesigningrequests" => Some(C::Credentials),
        "webhooks" | "webhook" | "hooks" | "shares" | "sharing" => Some(C::Sharing),
        "audit" | "audit-log" | "audit-logs" | "audit_logs" | "auditlogs" | "logging" => {
            Some(C::Tampering)
        }
        "logs" | "alerts" if method == "DELETE" => Some(C::Tampering),
        "exec" | "execute" | "run-command" | "shell" | "portforward" | "ephemeralcontainers" => {
            Some(C::Execution)
        }
        "purge" | "wipe" | "truncate" => Some(C::Destruction),
        _ => None,
    }
}

fn lower(word: &str) -> Cow<'_, str> {
    if word.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(word.to_ascii_lowercase())
    } else {
        Cow::Borrowed(word)
    }
}
