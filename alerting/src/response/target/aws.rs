//! AWS access keys: IAM makes them inactive, and active again. A policy that denies what thieves do first can be attached to their user.
//!
//! The key's id is the gateway's name of the credential, as CloudTrail writes it (`AKIA…`). Temporary keys (`ASIA…`) cannot be ended
//! one by one; they are refused.

mod signature;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use tokenwatch_model::{ResponseAction, Timestamp};

use super::Attempt;
use super::rest::{Rest, form_of};
use crate::config::SecretUrl;
use crate::response::Ask;

pub(crate) use signature::AwsKey;

const AMZ_DATE: HeaderName = HeaderName::from_static("x-amz-date");
/// IAM's API has one version.
const VERSION: (&str, &str) = ("Version", "2010-05-08");

/// IAM.
pub(crate) struct Aws {
    rest: Rest,
    host: String,
    region: String,
    key: AwsKey,
    /// The ARN of the policy that is attached to the user of a revoked key.
    quarantine: Option<String>,
}

impl Aws {
    pub(super) fn new(
        rest: Rest,
        url: &SecretUrl,
        region: String,
        key: AwsKey,
        quarantine: Option<String>,
    ) -> Self {
        let url = url.expose();
        let name = url.host_str().unwrap_or_default();
        let host = match url.port() {
            Some(port) => format!("{name}:{port}"),
            None => name.to_owned(),
        };
        Self {
            rest,
            host,
            region,
            key,
            quarantine,
        }
    }

    pub(super) async fn carry_out(&self, ask: &Ask, now: Timestamp) -> Attempt {
        let id = ask.token.credential_id.as_deref().unwrap_or_default();
        if !id.starts_with("AKIA") || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Attempt::Refused("not_a_long_lived_access_key".to_owned());
        }
        match self.change(ask, id, now).await {
            Ok(user) => Attempt::Done(user),
            Err(attempt) => attempt,
        }
    }

    /// The user whose key it is.
    async fn change(&self, ask: &Ask, id: &str, now: Timestamp) -> Result<String, Attempt> {
        let question = [
            ("Action", "GetAccessKeyLastUsed"),
            ("AccessKeyId", id),
            VERSION,
        ];
        let answer = self.ask(&question, now).await?;
        let Some(user) = element(&answer, "UserName") else {
            return Err(Attempt::Refused("no_such_access_key".to_owned()));
        };
        let status = if ask.is_undo() { "Active" } else { "Inactive" };
        let update = [
            ("Action", "UpdateAccessKey"),
            ("AccessKeyId", id),
            ("Status", status),
            ("UserName", &user),
            VERSION,
        ];
        self.ask(&update, now).await?;
        if let Some(policy) = &self.quarantine
            && ask.response.action == ResponseAction::Revoke
        {
            let action = if ask.is_undo() {
                "DetachUserPolicy"
            } else {
                "AttachUserPolicy"
            };
            let fields = [
                ("Action", action),
                ("PolicyArn", policy.as_str()),
                ("UserName", &user),
                VERSION,
            ];
            self.ask(&fields, now).await?;
        }
        Ok(user)
    }

    async fn ask(&self, fields: &[(&str, &str)], now: Timestamp) -> Result<String, Attempt> {
        let body = form_of(fields);
        let (date, authorization) =
            self.key
                .authorize_post(&self.host, &self.region, "iam", body.as_bytes(), now);
        let mut authorization =
            HeaderValue::from_str(&authorization).expect("hosts, ids and hexadecimal are ASCII");
        authorization.set_sensitive(true);
        let date = HeaderValue::from_str(&date).expect("a date is ASCII");
        let headers = HeaderMap::from_iter([(AUTHORIZATION, authorization), (AMZ_DATE, date)]);
        let reply = self.rest.post_form(&[], fields, headers, now).await?;
        let text = String::from_utf8_lossy(&reply.body).into_owned();
        if let (400..=499, Some(code)) = (reply.status, element(&text, "Code")) {
            let is_throttled = code.contains("Throttl");
            return Err(if is_throttled {
                Attempt::TryAgain {
                    reason: code,
                    after: reply.retry_after,
                }
            } else {
                Attempt::Refused(format!("http_{} {code}", reply.status))
            });
        }
        reply.success()?;
        Ok(text)
    }
}

/// The text of the first element of this name: IAM's answers are flat enough.
fn element(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    let is_plain = text.len() <= 128 && !text.contains(['<', '&']) && !text.is_empty();
    is_plain.then(|| text.to_owned())
}
