//! `google.cloud.audit.AuditLog`: who called which method of Google's own APIs.

use serde::de::MapAccess;
use tokenwatch_model::{Text, TokenKind};

use crate::call::Call;
use crate::json::{self, Fields, Object, Scalar};

/// The payload of an audit entry.
#[derive(Default)]
pub(super) struct AuditLog<'a> {
    service: Option<Text<'a>>,
    operation: Option<Text<'a>>,
    caller: Caller<'a>,
    ip: Option<Text<'a>>,
    agent: Option<Text<'a>>,
    code: u64,
    access: Access,
}

/// `authenticationInfo`.
#[derive(Default)]
struct Caller<'a> {
    email: Option<Text<'a>>,
    subject: Option<Text<'a>>,
    key: Option<Text<'a>>,
}

/// What the permissions that were asked for are about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Access {
    #[default]
    Unknown,
    Reads,
    Writes,
}

impl<'a> AuditLog<'a> {
    pub(super) fn tell(self, call: &mut Call<'a>) {
        if let Some(operation) = self.operation {
            call.status = Some(status(self.code));
            call.route = Some(match &self.service {
                Some(service) => format!("{service}/{operation}").into(),
                None => operation,
            });
        }
        call.method = match self.access {
            Access::Unknown => None,
            Access::Reads => Some("GET".into()),
            Access::Writes => Some("POST".into()),
        };
        call.host = self.service;
        call.peer = self.ip;
        call.user_agent = self.agent;
        let credentials = &mut call.credentials;
        credentials.consumer = self.caller.email.or(self.caller.subject);
        if self.caller.key.is_some() {
            credentials.kind = Some(TokenKind::ApiKey);
            credentials.credential_id = self.caller.key;
        }
    }
}

impl<'de> Fields<'de> for AuditLog<'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "serviceName" => self.service = json::text(map)?,
            "methodName" => self.operation = json::text(map)?,
            "authenticationInfo" => map.next_value_seed(Object(&mut self.caller))?,
            "requestMetadata" => map.next_value_seed(Object(&mut Metadata(self)))?,
            "status" => map.next_value_seed(Object(&mut Status(&mut self.code)))?,
            "authorizationInfo" => {
                map.next_value_seed(Object(&mut Permission(&mut self.access)))?;
            }
            _ => json::skip(map)?,
        }
        Ok(())
    }
}

impl<'de> Fields<'de> for Caller<'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "principalEmail" => self.email = json::text(map)?,
            "principalSubject" => self.subject = json::text(map)?,
            "serviceAccountKeyName" => self.key = json::text(map)?,
            _ => json::skip(map)?,
        }
        Ok(())
    }
}

struct Metadata<'l, 'a>(&'l mut AuditLog<'a>);

impl<'de> Fields<'de> for Metadata<'_, 'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "callerIp" => self.0.ip = json::text(map)?,
            "callerSuppliedUserAgent" => self.0.agent = json::text(map)?,
            _ => json::skip(map)?,
        }
        Ok(())
    }
}

struct Status<'c>(&'c mut u64);

impl<'de> Fields<'de> for Status<'_> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        if key != "code" {
            return json::skip(map);
        }
        *self.0 = map.next_value::<Scalar<'_>>()?.as_unsigned().unwrap_or(2);
        Ok(())
    }
}

/// One of `authorizationInfo`; whether it was granted is in the status.
struct Permission<'c>(&'c mut Access);

impl<'de> Fields<'de> for Permission<'_> {
    const IN_LISTS: bool = true;

    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        if key != "permissionType" {
            return json::skip(map);
        }
        // ADMIN_READ, ADMIN_WRITE, DATA_READ, DATA_WRITE: a call that writes anything writes.
        match (json::text(map)?, *self.0) {
            (Some(kind), _) if kind.ends_with("_WRITE") => *self.0 = Access::Writes,
            (Some(kind), Access::Unknown) if kind.ends_with("_READ") => *self.0 = Access::Reads,
            _ => {}
        }
        Ok(())
    }
}

/// The status of a call that ended with this code, as `google/rpc/code.proto` maps them.
const fn status(code: u64) -> u64 {
    match code {
        0 => 200,
        1 => 499,
        3 | 9 | 11 => 400,
        4 => 504,
        5 => 404,
        6 | 10 => 409,
        7 => 403,
        8 => 429,
        12 => 501,
        14 => 503,
        16 => 401,
        _ => 500,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(info: &str) -> Access {
        let mut audit = AuditLog::default();
        let text = format!(r#"{{"authorizationInfo":{info}}}"#);
        serde::de::DeserializeSeed::deserialize(
            Object(&mut audit),
            &mut serde_json::Deserializer::from_str(&text),
        )
        .unwrap();
        audit.access
    }

    #[test]
    fn a_call_that_writes_anything_writes() {
        let (read, write) = (
            r#"{"permissionType":"ADMIN_READ"}"#,
            r#"{"permissionType":"DATA_WRITE"}"#,
        );
        assert_eq!(access(&format!("[{read}]")), Access::Reads);
        assert_eq!(access(&format!("[{read},{write},{read}]")), Access::Writes);
        for unknown in ["[]", "{}", "null", "[{}]", "[1]", "\"x\""] {
            assert_eq!(access(unknown), Access::Unknown, "{unknown}");
        }
    }
}
