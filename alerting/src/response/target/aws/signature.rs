//! AWS Signature Version 4 of a request, after "Create a signed AWS API request" in the IAM user guide.
//!
//! Only what IAM's requests need: one path, no header but the type, the host and the date.

use std::fmt;

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use tokenwatch_model::Timestamp;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const FORM: &str = "application/x-www-form-urlencoded";

/// Whose request it is.
#[derive(Clone)]
pub(crate) struct AwsKey {
    /// `AKIA…`, no secret.
    pub(crate) id: String,
    /// The secret half.
    pub(crate) secret: SecretString,
}

/// What is signed.
struct Canonical<'r> {
    method: &'r str,
    query: &'r str,
    host: &'r str,
    content_type: &'r str,
    body: &'r [u8],
}

impl AwsKey {
    /// `x-amz-date` and `authorization` for a form that is posted to `/`.
    pub(super) fn authorize_post(
        &self,
        host: &str,
        region: &str,
        service: &str,
        body: &[u8],
        now: Timestamp,
    ) -> (String, String) {
        let request = Canonical {
            method: "POST",
            query: "",
            host,
            content_type: FORM,
            body,
        };
        self.authorize(&request, region, service, now)
    }

    fn authorize(
        &self,
        request: &Canonical<'_>,
        region: &str,
        service: &str,
        now: Timestamp,
    ) -> (String, String) {
        let moment = compact(now);
        let day = &moment[..8];
        let canonical = format!(
            "{}\n/\n{}\ncontent-type:{}\nhost:{}\nx-amz-date:{moment}\n\ncontent-type;host;x-amz-date\n{}",
            request.method,
            request.query,
            request.content_type,
            request.host,
            HEXLOWER.encode(&Sha256::digest(request.body)),
        );
        let scope = format!("{day}/{region}/{service}/aws4_request");
        let hash = HEXLOWER.encode(&Sha256::digest(canonical));
        let to_sign = format!("{ALGORITHM}\n{moment}\n{scope}\n{hash}");
        let secret = format!("AWS4{}", self.secret.expose_secret().trim());
        let parts = [day, region, service, "aws4_request", &to_sign];
        let signature = parts
            .iter()
            .fold(secret.into_bytes(), |key, part| hmac(&key, part));
        let authorization = format!(
            "{ALGORITHM} Credential={}/{scope}, SignedHeaders=content-type;host;x-amz-date, Signature={}",
            self.id,
            HEXLOWER.encode(&signature)
        );
        (moment, authorization)
    }
}

impl fmt::Debug for AwsKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// `20150830T123600Z`.
fn compact(now: Timestamp) -> String {
    let text = now.to_string();
    let digits: String = text
        .chars()
        .take(19)
        .filter(|character| !matches!(character, '-' | ':'))
        .collect();
    format!("{digits}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    // The worked example of AWS's guide: ListUsers of IAM at 2015-08-30T12:36:00Z.
    #[test]
    fn signatures_are_those_of_the_published_example() {
        let key = AwsKey {
            id: "AKIDEXAMPLE".to_owned(),
            secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into(),
        };
        let request = Canonical {
            method: "GET",
            query: "Action=ListUsers&Version=2010-05-08",
            host: "iam.amazonaws.com",
            content_type: "application/x-www-form-urlencoded; charset=utf-8",
            body: b"",
        };
        let now = Timestamp::from_secs(1_440_938_160);
        let (date, authorization) = key.authorize(&request, "us-east-1", "iam", now);
        assert_eq!(date, "20150830T123600Z");
        assert_eq!(
            authorization,
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date, \
             Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
        );
        assert!(!format!("{key:?}").contains("EXAMPLEKEY"));
    }
}
