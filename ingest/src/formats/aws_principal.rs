//! How AWS names who calls, for the formats that log it: CloudTrail, API Gateway.

use tokenwatch_model::Text;

/// `arn:aws:sts::1:assumed-role/deploy/session` is a session of the role `arn:aws:iam::1:role/deploy`, named `deploy`. The
/// role's path is not part of it, so whoever knows the role's own ARN knows better. Any other ARN is itself.
pub(super) fn role_of(arn: Text<'_>) -> (Option<Text<'_>>, Option<Text<'_>>) {
    let Some((account, session)) = arn.split_once(":assumed-role/") else {
        return (Some(arn), None);
    };
    let role = session.split('/').next().unwrap_or(session);
    let account = account.replacen(":sts:", ":iam:", 1);
    (
        Some(format!("{account}:role/{role}").into()),
        Some(role.to_owned().into()),
    )
}

/// `AROA…:session` without the session, whose name the caller chooses.
pub(super) fn stable_part(principal: Text<'_>) -> Option<Text<'_>> {
    let end = principal.find(':').unwrap_or(principal.len());
    let part = match principal {
        Text::Borrowed(principal) => Text::Borrowed(&principal[..end]),
        Text::Owned(principal) => Text::Owned(principal[..end].to_owned()),
    };
    (!part.is_empty()).then_some(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_its_roles() {
        let (role, name) = role_of("arn:aws:sts::1:assumed-role/deploy/me@example.com".into());
        assert_eq!(role.as_deref(), Some("arn:aws:iam::1:role/deploy"));
        assert_eq!(name.as_deref(), Some("deploy"));
        let (user, name) = role_of("arn:aws:iam::1:user/ci".into());
        assert_eq!(user.as_deref(), Some("arn:aws:iam::1:user/ci"));
        assert_eq!(name, None);
    }

    #[test]
    fn a_principal_has_no_session() {
        for (principal, expected) in [
            ("AROA1:me", Some("AROA1")),
            ("AIDA1", Some("AIDA1")),
            (":", None),
            ("", None),
        ] {
            assert_eq!(stable_part(principal.into()).as_deref(), expected);
            assert_eq!(
                stable_part(principal.to_owned().into()).as_deref(),
                expected
            );
        }
    }
}
