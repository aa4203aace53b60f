//! AWS CloudTrail: API calls to AWS itself, as files, single records or EventBridge events.
//!
//! Fields from the CloudTrail user guide ("CloudTrail record contents"). Traps: times are whole seconds, and records are out
//! of order by minutes; there is no HTTP status, only an error code, and none for a refused console login; the source
//! address may be the name of an AWS service; user agents stand in brackets now and then; `accessKeyId` is `""` for
//! the console; `readOnly` and `tlsDetails` are younger than many archives; service events and Insights have no caller.
//!
//! There is no URL. The operation is the route, `iam.amazonaws.com/CreateUser`, and the method says whether it only
//! reads: `GET` or `POST`. Request parameters and response elements are not read: they hold passwords and session tokens.

mod error;
mod identity;

use serde::de::MapAccess;
use tokenwatch_model::Text;

use crate::call::Call;
use crate::json::{self, Fields, Object, Scalar};
use identity::UserIdentity;

pub(super) use error::status as status_of_error;

/// What files and EventBridge put records into.
pub(crate) const ENVELOPES: [&str; 2] = ["Records", "detail"];

/// One record.
#[derive(Default)]
pub(crate) struct CloudTrail<'a> {
    call: Call<'a>,
    identity: UserIdentity<'a>,
    service: Option<Text<'a>>,
    operation: Option<Text<'a>>,
    region: Option<Text<'a>>,
    request_id: Option<Text<'a>>,
    error: Option<Text<'a>>,
    is_login_refused: bool,
}

impl<'a> From<CloudTrail<'a>> for Call<'a> {
    fn from(record: CloudTrail<'a>) -> Self {
        let CloudTrail {
            mut call,
            identity,
            service,
            operation,
            region,
            request_id,
            error,
            is_login_refused,
        } = record;
        // The event id is what CloudTrail can be asked for, and every record has one.
        call.request_id = call.request_id.or(request_id);
        if let Some(operation) = operation {
            call.status = Some(match error {
                Some(code) => error::status(&code),
                None if is_login_refused => error::UNAUTHENTICATED,
                None => 200,
            });
            call.route = Some(match &service {
                Some(service) => format!("{service}/{operation}").into(),
                None => operation,
            });
        } else {
            call.method = None;
        }
        call.host = service.map(|service| host(service, region.as_deref()));
        identity.tell(&mut call.credentials);
        call
    }
}

impl<'de> Fields<'de> for CloudTrail<'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        let call = &mut self.call;
        match key {
            "eventTime" => call.time.set(&map.next_value::<Scalar<'_>>()?),
            "eventID" => call.request_id = json::text(map)?,
            "requestID" => self.request_id = json::text(map)?,
            "recipientAccountId" => call.gateway = json::text(map)?,
            "eventSource" => self.service = json::text(map)?,
            "eventName" => self.operation = json::text(map)?,
            "awsRegion" => self.region = json::text(map)?,
            "readOnly" => call.method = method(&map.next_value()?),
            "sourceIPAddress" => call.peer = json::text(map)?,
            "userAgent" => call.user_agent = json::text(map)?.map(without_brackets),
            "errorCode" => self.error = json::text(map)?,
            "userIdentity" => map.next_value_seed(Object(&mut self.identity))?,
            "tlsDetails" => map.next_value_seed(Object(&mut Tls(call)))?,
            "additionalEventData" => map.next_value_seed(Object(&mut Transfer(call)))?,
            "responseElements" => {
                map.next_value_seed(Object(&mut SignIn(&mut self.is_login_refused)))?;
            }
            // Insights are statistics of CloudTrail's own.
            "insightDetails" => {
                call.is_unsupported = true;
                json::skip(map)?;
            }
            _ => json::skip(map)?,
        }
        Ok(())
    }
}

struct Tls<'c, 'a>(&'c mut Call<'a>);

impl<'de> Fields<'de> for Tls<'_, 'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        if key != "tlsVersion" {
            return json::skip(map);
        }
        self.0.tls_version = json::text(map)?;
        Ok(())
    }
}

/// What S3 says of its data events.
struct Transfer<'c, 'a>(&'c mut Call<'a>);

impl<'de> Fields<'de> for Transfer<'_, 'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "bytesTransferredIn" => {
                self.0.bytes_in = map.next_value::<Scalar<'_>>()?.as_unsigned();
            }
            "bytesTransferredOut" => {
                self.0.bytes_out = map.next_value::<Scalar<'_>>()?.as_unsigned();
            }
            _ => json::skip(map)?,
        }
        Ok(())
    }
}

/// How signing in at the console went; nothing else of the response is looked at.
struct SignIn<'r>(&'r mut bool);

impl<'de> Fields<'de> for SignIn<'_> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "ConsoleLogin" | "CheckMfa" | "SwitchRole" | "RenewRole" => {
                *self.0 = json::text(map)?.is_some_and(|result| result == "Failure");
            }
            _ => json::skip(map)?,
        }
        Ok(())
    }
}

/// The method that stands for whether an operation only reads.
fn method(read_only: &Scalar<'_>) -> Option<Text<'static>> {
    let reads = match read_only {
        Scalar::Bool(reads) => *reads,
        Scalar::Text(text) => text.parse().ok()?,
        _ => return None,
    };
    Some(if reads { "GET" } else { "POST" }.into())
}

/// `[aws-cli/2.2.23]` without its brackets.
fn without_brackets(agent: Text<'_>) -> Text<'_> {
    let inner = |agent: &str| -> Option<usize> {
        let inner = agent.strip_prefix('[')?.strip_suffix(']')?;
        (!inner.is_empty()).then_some(1 + inner.len())
    };
    match (inner(&agent), agent) {
        (None, agent) => agent,
        (Some(end), Text::Borrowed(agent)) => Text::Borrowed(&agent[1..end]),
        (Some(end), Text::Owned(agent)) => Text::Owned(agent[1..end].to_owned()),
    }
}

/// The endpoint of a service in a region: `ec2.eu-west-1.amazonaws.com`.
fn host<'a>(service: Text<'a>, region: Option<&str>) -> Text<'a> {
    match (service.split_once('.'), region) {
        (Some((name, domain)), Some(region)) => format!("{name}.{region}.{domain}").into(),
        _ => service,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_around_a_user_agent_go() {
        for (agent, expected) in [
            ("[aws-cli/2.2.23]", "aws-cli/2.2.23"),
            ("aws-cli/2.2.23", "aws-cli/2.2.23"),
            (
                "[S3Console/0.4, aws-internal/3]",
                "S3Console/0.4, aws-internal/3",
            ),
            ("[]", "[]"),
            ("[", "["),
        ] {
            assert_eq!(without_brackets(agent.into()), expected);
            assert_eq!(without_brackets(agent.to_owned().into()), expected);
        }
    }

    #[test]
    fn the_region_is_part_of_the_host() {
        assert_eq!(
            host("ec2.amazonaws.com".into(), Some("eu-west-1")),
            "ec2.eu-west-1.amazonaws.com"
        );
        assert_eq!(host("ec2.amazonaws.com".into(), None), "ec2.amazonaws.com");
        assert_eq!(host("ec2".into(), Some("eu-west-1")), "ec2");
    }
}
