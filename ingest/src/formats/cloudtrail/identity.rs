//! Whose credential a record's `userIdentity` is.
//!
//! A long-lived access key (`AKIA…`) is the credential; its id is no secret. A temporary one (`ASIA…`) changes every hour, so
//! it belongs to whoever may have such keys made: the role of `sessionIssuer`, else the user at the console; the key's
//! id is the instance. Whoever signs in by SAML or OpenID Connect is the identity provider's subject. AWS services and
//! anonymous callers have no credential.

use serde::de::MapAccess;
use tokenwatch_model::{Text, TokenKind};

use super::super::aws_principal::{role_of, stable_part};
use crate::credentials::Credentials;
use crate::json::{self, Fields, Object};

/// What the console logs in the place of a name that was typed and does not exist: people type passwords there.
const HIDDEN_NAME: &str = "HIDDEN_DUE_TO_SECURITY_REASONS";
/// The account of callers without credentials.
const ANONYMOUS: &str = "ANONYMOUS_PRINCIPAL";

/// The object `userIdentity`.
#[derive(Default)]
pub(super) struct UserIdentity<'a> {
    kind: Option<Text<'a>>,
    principal_id: Option<Text<'a>>,
    arn: Option<Text<'a>>,
    account: Option<Text<'a>>,
    access_key: Option<Text<'a>>,
    name: Option<Text<'a>>,
    provider: Option<Text<'a>>,
    session_id: Option<Text<'a>>,
    issuer: Issuer<'a>,
    behalf: Behalf<'a>,
}

/// `sessionContext.sessionIssuer`: who had the temporary key made.
#[derive(Default)]
struct Issuer<'a> {
    arn: Option<Text<'a>>,
    name: Option<Text<'a>>,
}

/// `onBehalfOf`: the person in the directory of IAM Identity Center.
#[derive(Default)]
struct Behalf<'a> {
    user: Option<Text<'a>>,
    directory: Option<Text<'a>>,
}

impl<'a> UserIdentity<'a> {
    /// Puts into `credentials` whose call it was.
    pub(super) fn tell(self, credentials: &mut Credentials<'a>) {
        match self.kind.as_deref() {
            Some("AWSService") => {}
            Some("SAMLUser" | "WebIdentityUser") => {
                credentials.kind = Some(TokenKind::Jwt);
                credentials.grant.issuer = self.provider;
                credentials.grant.subject = self.principal_id.or(self.name);
            }
            Some("IdentityCenterUser") => {
                credentials.kind = Some(TokenKind::Session);
                credentials.grant.issuer = self.behalf.directory;
                credentials.grant.subject = self.behalf.user;
                credentials.grant.instance = self.session_id;
            }
            _ if self.account.as_deref() == Some(ANONYMOUS) => {}
            _ => self.tell_principal(credentials),
        }
    }

    fn tell_principal(self, credentials: &mut Credentials<'a>) {
        let is_root = self.kind.as_deref() == Some("Root");
        let is_user = self.kind.as_deref() == Some("IAMUser");
        let is_long_lived = self.issuer.arn.is_none()
            && matches!(&self.access_key, Some(key) if !key.starts_with("ASIA"));
        let (role, role_name) = match self.arn {
            Some(arn) => role_of(arn),
            None => (None, None),
        };
        let name = self.issuer.name.or(role_name).or(self.name);
        let name = name
            .filter(|name| name != HIDDEN_NAME)
            .or_else(|| is_root.then_some(Text::Borrowed("root")));
        if is_long_lived {
            credentials.kind = Some(TokenKind::ApiKey);
            credentials.credential_id = self.access_key;
        } else {
            credentials.kind = Some(TokenKind::Session);
            let principal = self.principal_id.and_then(stable_part);
            // A refused login has no ARN, so a user without a key is known by the id.
            credentials.credential_id = self.issuer.arn.or(if is_user {
                principal.or(role)
            } else {
                role.or(principal)
            });
            credentials.grant.instance = self.access_key;
        }
        credentials.consumer = match (self.account, name) {
            (Some(account), Some(name)) => Some(format!("{account}/{name}").into()),
            // Another account's caller, of whom nothing else is told.
            (Some(account), None) if credentials.credential_id.is_some() => Some(account),
            (_, name) => name,
        };
    }
}

impl<'de> Fields<'de> for UserIdentity<'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "type" => self.kind = json::text(map)?,
            "principalId" => self.principal_id = json::text(map)?,
            "arn" => self.arn = json::text(map)?,
            "accountId" => self.account = json::text(map)?,
            "accessKeyId" => self.access_key = json::text(map)?,
            "userName" => self.name = json::text(map)?,
            "identityProvider" => self.provider = json::text(map)?,
            "credentialId" => self.session_id = json::text(map)?,
            "sessionContext" => map.next_value_seed(Object(&mut SessionContext(self)))?,
            "onBehalfOf" => map.next_value_seed(Object(&mut self.behalf))?,
            _ => json::skip(map)?,
        }
        Ok(())
    }
}

struct SessionContext<'i, 'a>(&'i mut UserIdentity<'a>);

impl<'de> Fields<'de> for SessionContext<'_, 'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        if key != "sessionIssuer" {
            return json::skip(map);
        }
        map.next_value_seed(Object(&mut self.0.issuer))
    }
}

impl<'de> Fields<'de> for Issuer<'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "arn" => self.arn = json::text(map)?,
            "userName" => self.name = json::text(map)?,
            _ => json::skip(map)?,
        }
        Ok(())
    }
}

impl<'de> Fields<'de> for Behalf<'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "userId" => self.user = json::text(map)?,
            "identityStoreArn" => self.directory = json::text(map)?,
            _ => json::skip(map)?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(identity: &str, id: Option<&str>, instance: Option<&str>, consumer: Option<&str>) {
        let mut fields = UserIdentity::default();
        serde::de::DeserializeSeed::deserialize(
            Object(&mut fields),
            &mut serde_json::Deserializer::from_str(identity),
        )
        .unwrap();
        let mut credentials = Credentials::default();
        fields.tell(&mut credentials);
        assert_eq!(credentials.credential_id.as_deref(), id, "{identity}");
        assert_eq!(
            credentials.grant.instance.as_deref(),
            instance,
            "{identity}"
        );
        assert_eq!(credentials.consumer.as_deref(), consumer, "{identity}");
    }

    #[test]
    fn a_long_lived_key_is_itself_and_a_temporary_one_its_roles() {
        check(
            r#"{"type":"IAMUser","principalId":"AIDA1","arn":"arn:aws:iam::1:user/ci","accountId":"1","accessKeyId":"AKIAIOSFODNN7EXAMPLE","userName":"ci"}"#,
            Some("AKIAIOSFODNN7EXAMPLE"),
            None,
            Some("1/ci"),
        );
        check(
            r#"{"type":"AssumedRole","principalId":"AROA1:i-0abc","arn":"arn:aws:sts::1:assumed-role/web/i-0abc","accountId":"1","accessKeyId":"ASIA1","sessionContext":{"sessionIssuer":{"type":"Role","principalId":"AROA1","arn":"arn:aws:iam::1:role/app/web","accountId":"1","userName":"web"}}}"#,
            Some("arn:aws:iam::1:role/app/web"),
            Some("ASIA1"),
            Some("1/web"),
        );
    }

    #[test]
    fn a_session_without_its_issuer_still_belongs_to_the_role() {
        check(
            r#"{"type":"AssumedRole","principalId":"AROA1:me","arn":"arn:aws-cn:sts::1:assumed-role/web/me","accountId":"1","accessKeyId":"ASIA1"}"#,
            Some("arn:aws-cn:iam::1:role/web"),
            Some("ASIA1"),
            Some("1/web"),
        );
        check(
            r#"{"type":"AWSAccount","principalId":"AROA1:me","accountId":"2"}"#,
            Some("AROA1"),
            None,
            Some("2"),
        );
    }

    #[test]
    fn the_console_belongs_to_the_user_with_a_key_and_without() {
        for key in [r#","accessKeyId":"ASIA1""#, r#","accessKeyId":"""#, ""] {
            let instance = key.contains("ASIA1").then_some("ASIA1");
            check(
                &format!(
                    r#"{{"type":"Root","principalId":"1","arn":"arn:aws:iam::1:root","accountId":"1"{key}}}"#
                ),
                Some("arn:aws:iam::1:root"),
                instance,
                Some("1/root"),
            );
        }
    }

    #[test]
    fn a_refused_login_and_the_session_after_it_are_one_users() {
        check(
            r#"{"type":"IAMUser","principalId":"AIDA1","accountId":"1","accessKeyId":"","userName":"jo"}"#,
            Some("AIDA1"),
            None,
            Some("1/jo"),
        );
        check(
            r#"{"type":"IAMUser","principalId":"AIDA1","arn":"arn:aws:iam::1:user/jo","accountId":"1","accessKeyId":"ASIA1","userName":"jo"}"#,
            Some("AIDA1"),
            Some("ASIA1"),
            Some("1/jo"),
        );
    }

    #[test]
    fn who_has_no_credential_has_none() {
        for identity in [
            r#"{"type":"AWSService","invokedBy":"ec2.amazonaws.com"}"#,
            r#"{"type":"AWSAccount","principalId":"","accountId":"ANONYMOUS_PRINCIPAL"}"#,
            r#"{"accountId":"1","invokedBy":"AWS Internal"}"#,
            r#"{"type":"IAMUser","accountId":"1","userName":"HIDDEN_DUE_TO_SECURITY_REASONS","accessKeyId":""}"#,
            "null",
        ] {
            check(identity, None, None, None);
        }
    }
}
