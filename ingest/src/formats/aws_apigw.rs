//! AWS API Gateway: JSON access logs of REST, HTTP and WebSocket APIs, under keys that the operator chose.
//!
//! Variables from "$context variables" of both kinds of API. A key is known by its variable's name, whatever its case, dashes
//! and dots, and with or without `context` and `identity` before it. Traps: every value is text and `-` is missing, unless the
//! operator left the quotes out, which then is no JSON and is repaired; `requestTime` has whole seconds,
//! `requestTimeEpoch` milliseconds; `path` begins with the stage, `resourcePath` and `routeKey` are templates;
//! `identity.apiKey` is the key itself, `identity.apiKeyId` its name; `identity.accessKey` is an access key's id.

use serde::de::MapAccess;
use tokenwatch_model::{Text, TokenKind};

use super::aws_principal;
use crate::call::{Call, CallTime};
use crate::json::{self, Fields, Scalar};
use crate::names::CredentialNames;

/// The longest key that is looked at.
const KEY_MAX_BYTES: usize = 64;
/// The route of calls that no other one matches.
const DEFAULT_ROUTE: &str = "$default";

/// One record.
pub(crate) struct AwsApigw<'n, 'a> {
    names: &'n CredentialNames,
    call: Call<'a>,
    epoch: CallTime,
    integration_ms: Option<f64>,
    api_key_id: Option<Text<'a>>,
    iam: Iam<'a>,
    principal: Option<Text<'a>>,
}

/// Who signed the call with AWS credentials.
#[derive(Default)]
struct Iam<'a> {
    access_key: Option<Text<'a>>,
    arn: Option<Text<'a>>,
    user: Option<Text<'a>>,
}

impl<'n> AwsApigw<'n, '_> {
    pub(crate) fn new(names: &'n CredentialNames) -> Self {
        Self {
            names,
            call: Call::default(),
            epoch: CallTime::Missing,
            integration_ms: None,
            api_key_id: None,
            iam: Iam::default(),
            principal: None,
        }
    }
}

impl<'a> From<AwsApigw<'_, 'a>> for Call<'a> {
    fn from(record: AwsApigw<'_, 'a>) -> Self {
        let AwsApigw {
            mut call,
            epoch,
            integration_ms,
            api_key_id,
            iam,
            principal,
            ..
        } = record;
        if epoch != CallTime::Missing {
            call.time = epoch;
        }
        call.latency_ms = call.latency_ms.or(integration_ms);
        let credentials = &mut call.credentials;
        if api_key_id.is_some() {
            credentials.kind = Some(TokenKind::ApiKey);
            credentials.credential_id = api_key_id;
            credentials.consumer = principal.or(iam.arn).or(iam.user);
        } else {
            iam.tell(&mut call);
            let credentials = &mut call.credentials;
            credentials.consumer = principal.or(credentials.consumer.take());
        }
        call
    }
}

impl<'a> Iam<'a> {
    /// As in CloudTrail: a long-lived key is itself, a temporary one belongs to its role.
    fn tell(self, call: &mut Call<'a>) {
        let credentials = &mut call.credentials;
        let is_temporary = self
            .access_key
            .as_ref()
            .is_some_and(|key| key.starts_with("ASIA"));
        let (role, name) = self.arn.map_or((None, None), aws_principal::role_of);
        match self.access_key {
            Some(key) if !is_temporary => {
                credentials.kind = Some(TokenKind::ApiKey);
                credentials.credential_id = Some(key);
                credentials.consumer = role.or(self.user);
            }
            key => {
                let principal = self.user.and_then(aws_principal::stable_part);
                credentials.credential_id = role.or(principal);
                credentials.kind = credentials
                    .credential_id
                    .is_some()
                    .then_some(TokenKind::Session);
                if key.is_some() {
                    credentials.grant.instance = key;
                }
                credentials.consumer = name;
            }
        }
    }
}

impl<'de> Fields<'de> for AwsApigw<'_, 'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        let mut folded = [0; KEY_MAX_BYTES];
        let name = fold(key, &mut folded);
        let call = &mut self.call;
        match name {
            b"requesttimeepoch" => self.epoch.set(&map.next_value::<Scalar<'_>>()?),
            b"requesttime" | b"time" | b"timestamp" => {
                call.time.set(&map.next_value::<Scalar<'_>>()?);
            }
            b"requestid" => call.request_id = json::text(map)?,
            b"sourceip" | b"ip" | b"clientip" => call.peer = json::text(map)?,
            b"useragent" => call.user_agent = json::text(map)?,
            b"httpmethod" | b"method" => call.method = json::text(map)?,
            b"resourcepath" => call.route = json::text(map)?,
            b"routekey" => read_route_key(call, json::text(map)?),
            b"path" => call.target = json::text(map)?,
            b"domainname" => call.host = json::text(map)?,
            b"stage" => call.gateway = json::text(map)?,
            b"status" => call.status = map.next_value::<Scalar<'_>>()?.as_unsigned(),
            b"responselength" => call.bytes_out = map.next_value::<Scalar<'_>>()?.as_unsigned(),
            b"responselatency" => call.latency_ms = map.next_value::<Scalar<'_>>()?.as_float(),
            b"integrationlatency" => {
                self.integration_ms = map.next_value::<Scalar<'_>>()?.as_float();
            }
            b"tlsversion" => call.tls_version = json::text(map)?,
            b"apikeyid" => self.api_key_id = json::text(map)?,
            b"apikey" => {
                if let Some(key) = json::text(map)? {
                    call.credentials.key(key);
                }
            }
            b"accesskey" => self.iam.access_key = json::text(map)?,
            b"userarn" => self.iam.arn = json::text(map)?,
            b"user" | b"caller" => {
                let user = json::text(map)?;
                self.iam.user = self.iam.user.take().or(user);
            }
            b"principalid" | b"authorizerprincipalid" => self.principal = json::text(map)?,
            _ => match claim(name) {
                Some(claim) => call.credentials.grant.claim(claim, map)?,
                None => call.credential_field(self.names, key, map)?,
            },
        }
        Ok(())
    }
}

/// `$context.identity.sourceIp`, `source_ip` and `sourceIp` are one key: its letters and digits in lower case.
fn fold<'f>(key: &str, folded: &'f mut [u8; KEY_MAX_BYTES]) -> &'f [u8] {
    let mut length = 0;
    for byte in key.bytes().filter(u8::is_ascii_alphanumeric) {
        let Some(place) = folded.get_mut(length) else {
            return &[];
        };
        *place = byte.to_ascii_lowercase();
        length += 1;
    }
    let name = &folded[..length];
    let name = name.strip_prefix(b"context").unwrap_or(name);
    name.strip_prefix(b"identity").unwrap_or(name)
}

/// The claim of the JWT that the authorizer checked: `claimsSub`, `authorizer.jwt.claims.scope`.
fn claim(name: &[u8]) -> Option<&'static str> {
    let name = name.strip_prefix(b"authorizer").unwrap_or(name);
    let name = name.strip_prefix(b"jwt").unwrap_or(name);
    let name = name.strip_prefix(b"claim")?;
    let known = |name: &[u8]| {
        Some(match name {
            b"iss" => "iss",
            b"sub" => "sub",
            b"clientid" => "client_id",
            b"azp" => "azp",
            b"jti" => "jti",
            b"scope" | b"scp" | b"scopes" => "scope",
            _ => return None,
        })
    };
    // `claimSub` begins like `claims`.
    known(name).or_else(|| known(name.strip_prefix(b"s")?))
}

/// `GET /orders/{id}` of HTTP APIs; a WebSocket API's is a name.
fn read_route_key<'a>(call: &mut Call<'a>, key: Option<Text<'a>>) {
    let Some(key) = key.filter(|key| key != DEFAULT_ROUTE) else {
        return;
    };
    match key.split_once(' ') {
        Some((method, route)) => {
            if call.method.is_none() && method != "ANY" {
                call.method = Some(method.to_owned().into());
            }
            call.route = Some(route.to_owned().into());
        }
        None => call.route = Some(key),
    }
}

/// The document with `null` for each `-` that stands where a value was left out; `None` if there are none.
pub(crate) fn repair_json(document: &str) -> Option<String> {
    let bytes = document.as_bytes();
    let mut repaired = String::new();
    let (mut copied, mut is_text, mut is_escaped) = (0, false, false);
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_text => is_escaped = true,
            b'"' => is_text = !is_text,
            b'-' if !is_text
                && !bytes.get(at + 1).is_some_and(u8::is_ascii_digit)
                && is_value(&bytes[..at]) =>
            {
                repaired += &document[copied..at];
                repaired += "null";
                copied = at + 1;
            }
            _ => {}
        }
    }
    (copied > 0).then(|| repaired + &document[copied..])
}

/// Whether a value begins behind `before`.
fn is_value(before: &[u8]) -> bool {
    before.trim_ascii_end().ends_with(b":")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_known_in_every_spelling() {
        for key in [
            "sourceIp",
            "source_ip",
            "identity.sourceIp",
            "$context.identity.sourceIp",
            "SourceIP",
        ] {
            assert_eq!(fold(key, &mut [0; KEY_MAX_BYTES]), b"sourceip", "{key}");
        }
        assert_eq!(fold(&"x".repeat(200), &mut [0; KEY_MAX_BYTES]), b"");
        for key in [
            "claimsSub",
            "authorizer.claims.sub",
            "context.authorizer.jwt.claims.sub",
            "jwtClaimSub",
        ] {
            let mut folded = [0; KEY_MAX_BYTES];
            assert_eq!(claim(fold(key, &mut folded)), Some("sub"), "{key}");
        }
        assert_eq!(claim(b"authorizererror"), None);
    }

    #[test]
    fn what_was_left_out_between_quotes_is_repaired() {
        assert_eq!(
            repair_json(r#"{"status":-,"n":-1,"latency": - ,"ua":"a:-,\":-","x":-}"#).as_deref(),
            Some(r#"{"status":null,"n":-1,"latency": null ,"ua":"a:-,\":-","x":null}"#)
        );
        for fine in [r#"{"status":"-"}"#, r#"{"n":-1}"#, "{", "-"] {
            assert_eq!(repair_json(fine), None, "{fine}");
        }
    }
}
