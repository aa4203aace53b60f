//! Asks the target to revoke a token, and says in the journal what came of it.

use std::time::Duration;

use serde::Serialize;
use tokenwatch_model::{
    Clock, Finding, FindingToken, Response, ResponseResult, Timestamp, TokenId,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::config::ResponseSettings;
use crate::error::AlertingError;
use crate::http::{Answer, NoAnswer, SignedEndpoint};
use crate::ledger::{LedgerWriter, Line};
use crate::metrics::AlertingMetrics;
use crate::retry::next_delay;

/// Waits between the attempts of one request. A revocation that comes minutes later is another decision.
const DELAYS: [Duration; 4] = [
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(9),
    Duration::from_secs(20),
];

/// Asks one target.
#[derive(Clone)]
pub(crate) struct Responder {
    pub(crate) endpoint: Option<SignedEndpoint>,
    pub(crate) clock: Clock,
    pub(crate) metrics: AlertingMetrics,
    pub(crate) writer: LedgerWriter,
    /// Outcomes, for the history of the dispatcher.
    pub(crate) outcomes: mpsc::Sender<Response>,
    pub(crate) cancel: CancellationToken,
}

/// The body of the request.
#[derive(Serialize)]
struct Body<'b> {
    r#type: &'static str,
    timestamp: Timestamp,
    data: Data<'b>,
}

#[derive(Serialize)]
struct Data<'b> {
    token: Token<'b>,
    reason: &'b str,
    finding: &'b Finding,
}

/// How the target may know the token. The id is the fingerprint: the raw token is not kept.
#[derive(Serialize)]
struct Token<'b> {
    id: TokenId,
    #[serde(skip_serializing_if = "Option::is_none")]
    credential_id: Option<&'b str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    consumer: Option<&'b str>,
}

/// What one attempt came to.
enum Attempt {
    Delivered,
    Refused(String),
    TryAgain {
        reason: String,
        after: Option<Duration>,
    },
}

impl Responder {
    /// The target's endpoint, if the settings name one.
    pub(crate) fn endpoint(
        settings: &ResponseSettings,
    ) -> Result<Option<SignedEndpoint>, AlertingError> {
        let Some(target) = &settings.target else {
            return Ok(None);
        };
        let (url, secrets) = (target.url.clone(), target.secrets.clone());
        SignedEndpoint::new(url, secrets, target.allow_private)
            .map(Some)
            .map_err(|source| AlertingError::HttpClient {
                receiver: settings.target_name.to_string(),
                source,
            })
    }

    /// Asks for what `intended` says, which is in the journal already, and records what came of it.
    pub(crate) async fn respond(self, intended: Response, finding: Finding, token: FindingToken) {
        let (result, reason) = self.ask(&intended, &finding, &token).await;
        let outcome = Response {
            at: self.clock.now(),
            result,
            reason,
            ..intended
        };
        self.metrics.responded(result);
        if result == ResponseResult::Delivered {
            tracing::warn!(
                response.id = outcome.id, token.id = %outcome.token_id, finding.id = %outcome.finding_id,
                "{} took the request to revoke the token", outcome.target
            );
        } else {
            tracing::error!(
                response.id = outcome.id, token.id = %outcome.token_id, finding.id = %outcome.finding_id,
                reason = outcome.reason, "the token could not be revoked: act by hand"
            );
        }
        if self.outcomes.send(outcome.clone()).await.is_err() {
            tracing::debug!("the dispatcher ended before a response did");
        }
        self.writer.write(Line::Response(outcome)).await;
    }

    async fn ask(
        &self,
        intended: &Response,
        finding: &Finding,
        token: &FindingToken,
    ) -> (ResponseResult, String) {
        let Some(endpoint) = &self.endpoint else {
            return (ResponseResult::Failed, "no_target".to_owned());
        };
        let body = body(intended, finding, token);
        for attempt in 1.. {
            let now = self.clock.now();
            let answer = endpoint.post(&intended.id, body.clone(), now).await;
            let (reason, after) = match classify(answer) {
                Attempt::Delivered => return (ResponseResult::Delivered, String::new()),
                Attempt::Refused(reason) => return (ResponseResult::Failed, reason),
                Attempt::TryAgain { reason, after } => (reason, after),
            };
            // A target that asks for more time than the schedule has is not waited for.
            let longest = DELAYS[DELAYS.len() - 1];
            let delay = next_delay(&DELAYS, attempt, after, fastrand::f64());
            let Some(delay) = delay.filter(|delay| *delay <= longest.mul_f64(1.5)) else {
                return (ResponseResult::Failed, format!("gave_up: {reason}"));
            };
            self.metrics.response_retried();
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                () = self.cancel.cancelled() => {
                    return (ResponseResult::Failed, format!("stopped: {reason}"));
                }
            }
        }
        unreachable!("the loop ends with the schedule");
    }
}

/// 2xx is a yes. Statuses that say "not now" and lost connections are tried again; everything else is a no.
fn classify(answer: Result<Answer, NoAnswer>) -> Attempt {
    match answer {
        Ok(Answer {
            status: 200..=299, ..
        }) => Attempt::Delivered,
        Ok(Answer {
            status: status @ (408 | 425 | 429 | 500..=599),
            retry_after: after,
        }) => Attempt::TryAgain {
            reason: format!("http_{status}"),
            after,
        },
        Ok(Answer { status, .. }) => Attempt::Refused(format!("http_{status}")),
        Err(NoAnswer::BlockedAddress) => {
            Attempt::Refused(NoAnswer::BlockedAddress.name().to_owned())
        }
        Err(no_answer) => Attempt::TryAgain {
            reason: no_answer.name().to_owned(),
            after: None,
        },
    }
}

fn body(intended: &Response, finding: &Finding, token: &FindingToken) -> Vec<u8> {
    let body = Body {
        r#type: "token.revoke",
        timestamp: intended.at,
        data: Data {
            token: Token {
                id: token.id,
                credential_id: token.credential_id.as_deref(),
                consumer: token.consumer.as_deref(),
            },
            reason: &finding.summary,
            finding,
        },
    };
    serde_json::to_vec(&body)
        .expect("findings have string keys and no custom serialisers that fail")
}
