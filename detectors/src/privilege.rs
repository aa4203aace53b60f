//! What few may do: calls that change who may do what, hide traces, read secrets, share data, run commands or destroy.
//!
//! A call is told by the configuration's patterns, the words of its path ([`paths`]), or the name of a cloud API's action
//! ([`actions`]). Each belongs to one of eight classes, so that a byte says which of them a token is used to. A class
//! becomes a habit at the end of the day of its first use. 2 bytes per token.

mod actions;
mod paths;

use serde::{Deserialize, Serialize};
use tokenwatch_model::Http;

use crate::route_pattern::{CalledPath, RoutePattern};

/// What a privileged call is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum PrivilegeClass {
    /// Administrative, internal and billing routes.
    Administration = 0,
    /// Accounts, roles and permissions (T1136, T1098.003).
    Accounts = 1,
    /// Keys, passwords and second factors (T1098.001, T1556).
    Credentials = 2,
    /// Logs, audit trails and detection (T1562).
    Tampering = 3,
    /// Reading stored secrets (T1555.006, T1552).
    Secrets = 4,
    /// Sharing, exporting and opening up data (T1537, T1562.007).
    Sharing = 5,
    /// Running code or commands elsewhere (T1651, T1648).
    Execution = 6,
    /// Destroying data, keys or backups (T1485, T1490).
    Destruction = 7,
}

impl PrivilegeClass {
    /// Every class.
    pub(crate) const ALL: [Self; 8] = [
        Self::Administration,
        Self::Accounts,
        Self::Credentials,
        Self::Tampering,
        Self::Secrets,
        Self::Sharing,
        Self::Execution,
        Self::Destruction,
    ];

    /// Its bit.
    pub(crate) const fn bit(self) -> u8 {
        1 << self as u8
    }

    /// In words: what such a call does.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Administration => "an administrative call",
            Self::Accounts => "a change to accounts, roles or permissions",
            Self::Credentials => "a change to keys, passwords or second factors",
            Self::Tampering => "a change to logging, auditing or detection",
            Self::Secrets => "a read of stored secrets",
            Self::Sharing => "a call that shares, exports or opens up data",
            Self::Execution => "a call that runs commands or code elsewhere",
            Self::Destruction => "a call that destroys data, keys or backups",
        }
    }
}

/// How much a privileged call says about a token without history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Grade {
    /// Nothing: only a habit can be broken.
    Habit,
    /// Nothing until there are many in a short time: services read their own secrets when they start.
    Burst,
    /// A little: infrastructure tools do such things, too.
    Notable,
    /// Enough: hardly anyone does it, and what follows is grave.
    Blatant,
}

/// A privileged call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Privilege {
    pub(crate) class: PrivilegeClass,
    pub(crate) grade: Grade,
}

/// What is privileged about a call, if anything; `patterns` are the configuration's, `built_in` lets names speak, too.
pub(crate) fn classify_call(
    http: &Http<'_>,
    patterns: &[RoutePattern],
    built_in: bool,
) -> Option<Privilege> {
    let route = http.route.as_deref();
    let path = http.path.as_deref();
    let configured = !patterns.is_empty() && {
        let called = path
            .or(route.filter(|route| route.starts_with('/')))
            .map(CalledPath::new);
        patterns
            .iter()
            .any(|pattern| pattern.matches(called.as_ref(), route))
    };
    let named = || {
        let action = route
            .filter(|route| !route.starts_with('/'))
            .and_then(actions::classify_action);
        action.or_else(|| {
            let method = http.method.as_deref().unwrap_or("");
            let path = path.or(route.filter(|route| route.starts_with('/')))?;
            paths::classify_path(method, path)
        })
    };
    let named = if built_in { named() } else { None };
    if configured {
        let class = named.map_or(PrivilegeClass::Administration, |privilege| privilege.class);
        let grade = named.map_or(Grade::Habit, |privilege| privilege.grade);
        return Some(Privilege { class, grade });
    }
    named
}

/// Which classes a token is used to, and which it used today.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Privileges {
    habitual: u8,
    today: u8,
}

impl Privileges {
    /// Notes a use; whether the class is no habit.
    pub(crate) fn visit(&mut self, class: PrivilegeClass) -> bool {
        self.today |= class.bit();
        self.habitual & class.bit() == 0
    }

    /// Takes a class for a habit from its first use on.
    pub(crate) fn accept(&mut self, class: PrivilegeClass) {
        self.habitual |= class.bit();
    }

    /// Whether calls have to be looked at although their endpoints are known: a class was used today that is no habit.
    pub(crate) const fn is_watched(self) -> bool {
        self.today & !self.habitual != 0
    }

    /// How many classes were used today that are no habit.
    pub(crate) const fn unusual_today(self) -> u32 {
        (self.today & !self.habitual).count_ones()
    }

    /// How many classes are a habit.
    pub(crate) const fn habitual(self) -> u32 {
        self.habitual.count_ones()
    }

    /// Ends a day: what was used is a habit from now on.
    pub(crate) fn end_day(&mut self) {
        self.habitual |= self.today;
        self.today = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(
        method: &'static str,
        path: Option<&'static str>,
        route: Option<&'static str>,
    ) -> Option<Privilege> {
        let http = Http {
            method: Some(method.into()),
            path: path.map(Into::into),
            route: route.map(Into::into),
            ..Http::default()
        };
        classify_call(&http, &[], true)
    }

    fn check(method: &'static str, path: &'static str, want: Option<PrivilegeClass>) {
        let got = call(method, Some(path), None);
        assert_eq!(
            got.map(|privilege| privilege.class),
            want,
            "{method} {path}"
        );
        assert!(got.is_none_or(|privilege| privilege.grade == Grade::Habit));
    }

    #[test]
    fn words_of_a_path_tell_its_class() {
        check(
            "GET",
            "/v1/admin/settings",
            Some(PrivilegeClass::Administration),
        );
        check(
            "GET",
            "/v1/%61dmin/settings",
            Some(PrivilegeClass::Administration),
        );
        check("POST", "/api/Users", Some(PrivilegeClass::Accounts));
        check(
            "DELETE",
            "/v1/api-keys/17",
            Some(PrivilegeClass::Credentials),
        );
        check("GET", "/v1/customers/export", Some(PrivilegeClass::Sharing));
        check(
            "GET",
            "/api/v1/namespaces/prod/secrets",
            Some(PrivilegeClass::Secrets),
        );
        check(
            "POST",
            "/v1/audit-logs/settings",
            Some(PrivilegeClass::Tampering),
        );
    }

    #[test]
    fn reading_users_and_changing_oneself_are_no_privileges() {
        check("GET", "/v1/users/17", None);
        check("GET", "/v1/orders", None);
        check("POST", "/v1/orders", None);
        check("PATCH", "/v1/users/me", None);
        check("POST", "/oauth/tokens", None);
        check("GET", "/v1/administrivia", None);
    }

    #[test]
    fn a_pattern_of_the_configuration_decides_without_the_words() {
        let http = Http {
            method: Some("GET".into()),
            path: Some("/v1/crown-jewels/17".into()),
            ..Http::default()
        };
        let pattern = RoutePattern::compile("/v1/crown-jewels/{*rest}").expect("a pattern");
        assert_eq!(classify_call(&http, &[], true), None);
        assert!(classify_call(&http, std::slice::from_ref(&pattern), false).is_some());
        let admin = Http {
            path: Some("/admin".into()),
            ..http
        };
        assert_eq!(classify_call(&admin, &[], false), None);
    }

    #[test]
    fn a_class_is_a_habit_from_the_next_day_on() {
        let mut privileges = Privileges::default();
        assert!(privileges.visit(PrivilegeClass::Accounts));
        assert!(
            privileges.visit(PrivilegeClass::Accounts),
            "the same day is no habit"
        );
        assert!(privileges.is_watched() && privileges.unusual_today() == 1);
        privileges.end_day();
        assert!(!privileges.visit(PrivilegeClass::Accounts) && !privileges.is_watched());
        assert!(privileges.visit(PrivilegeClass::Tampering));
        assert_eq!(size_of::<Privileges>(), 2);
    }
}
