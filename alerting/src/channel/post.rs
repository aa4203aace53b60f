//! JSON to a fixed place: what Slack, Teams, `PagerDuty`, Opsgenie and Alertmanager have in common.

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use tokenwatch_model::Timestamp;
use url::Url;

use super::{Delivery, Part, Payload};
use crate::config::SecretUrl;
use crate::http::{Answer, HttpClient};

/// Posts JSON.
pub(super) struct Poster {
    client: HttpClient,
    url: SecretUrl,
    headers: HeaderMap,
}

impl Poster {
    pub(super) fn new(url: SecretUrl, allow_private: bool) -> Result<Self, reqwest::Error> {
        let mut headers = HeaderMap::with_capacity(2);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(Self {
            client: HttpClient::new(allow_private)?,
            url,
            headers,
        })
    }

    /// The same with an `Authorization` header.
    pub(super) fn authorized(mut self, value: HeaderValue) -> Self {
        let mut value = value;
        value.set_sensitive(true);
        self.headers.insert(reqwest::header::AUTHORIZATION, value);
        self
    }

    pub(super) async fn post(&self, part: &Part, now: Timestamp) -> Delivery {
        let (url, body) = match &part.payload {
            Payload::Body(body) => (self.url.expose().clone(), body),
            Payload::Below { path, body } => (below(self.url.expose(), path), body),
            _ => unreachable!("channels that post render bodies alone"),
        };
        let answer = self
            .client
            .post(&url, self.headers.clone(), body.clone(), now)
            .await;
        match answer {
            Ok(answer) => classify(answer),
            Err(no_answer) => Delivery::of_no_answer(no_answer),
        }
    }
}

/// `path` and its query behind the path of `base`.
fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let whole = format!("{}{path}", base.path().trim_end_matches('/'));
    url.set_path(&whole);
    url.set_query((!query.is_empty()).then_some(query));
    url
}

/// 4xx stays (no such hook, payload refused, key unknown), but for 408 and 429; all else may pass.
pub(super) fn classify(answer: Answer) -> Delivery {
    let reason = format!("http_{}", answer.status);
    match answer.status {
        200..=299 => Delivery::Accepted,
        408 | 429 | 500..=599 => Delivery::Retry {
            reason,
            after: answer.retry_after,
        },
        _ => Delivery::Rejected { reason },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_tried_again_only_where_that_helps() {
        let check = |status, again| {
            let delivery = classify(Answer {
                status,
                retry_after: None,
            });
            assert_eq!(
                matches!(delivery, Delivery::Retry { .. }),
                again,
                "{status}"
            );
        };
        for status in [302, 400, 401, 403, 404, 410, 413, 422] {
            check(status, false);
        }
        for status in [408, 429, 500, 503] {
            check(status, true);
        }
        let answer = Answer {
            status: 202,
            retry_after: None,
        };
        assert_eq!(classify(answer), Delivery::Accepted);
    }

    #[test]
    fn places_below_keep_the_base_path() {
        let base = Url::parse("https://api.example.com/v2/alerts").expect("a URL");
        let url = below(&base, "/grp_1/close?identifierType=alias");
        assert_eq!(
            url.as_str(),
            "https://api.example.com/v2/alerts/grp_1/close?identifierType=alias"
        );
    }
}
