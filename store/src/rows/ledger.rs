//! The rows of `notifications` and `responses`, both ways.

use clickhouse::Row;
use serde::{Deserialize, Serialize};
use tokenwatch_model::{
    Notification, NotificationResult, OrderVerb, Response, ResponseAction, ResponseDetails,
    ResponseMode, ResponseOrder, ResponseResult, Severity, Timestamp,
};

use super::{from_json, to_json};
use crate::error::StoreError;

/// One row of `notifications`.
#[derive(Clone, Debug, PartialEq, Row, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the columns are described in docs/storage.md")]
pub struct NotificationRow {
    pub finding_id: String,
    pub id: String,
    pub receiver: String,
    pub channel: String,
    pub severity: i8,
    pub at: i64,
    pub attempts: u32,
    pub result: i8,
    pub reason: String,
    pub occasion: String,
    pub group_id: String,
    pub step: u32,
    pub begun_at: i64,
}

/// One row of `responses`.
#[derive(Clone, Debug, PartialEq, Row, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the columns are described in docs/storage.md")]
pub struct ResponseRow {
    pub finding_id: String,
    pub id: String,
    pub token_id: String,
    pub action: String,
    pub target: String,
    pub mode: i8,
    pub at: i64,
    pub result: i8,
    pub reason: String,
    pub pending: u8,
    pub details: String,
}

/// One row of `response_orders`.
#[derive(Clone, Debug, PartialEq, Eq, Row, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the columns are described in docs/storage.md")]
pub struct ResponseOrderRow {
    pub response_id: String,
    pub at: i64,
    pub actor: String,
    pub verb: String,
    pub note: String,
}

impl NotificationRow {
    /// The row that stores `notification`.
    pub fn of(notification: &Notification) -> Self {
        Self {
            finding_id: notification.finding_id.to_string(),
            id: notification.id.clone(),
            receiver: notification.receiver.clone(),
            channel: notification.channel.clone(),
            severity: notification.severity as i8,
            at: notification.at.as_micros(),
            attempts: notification.attempts,
            result: number(&NotificationResult::ALL, notification.result),
            reason: notification.reason.clone(),
            occasion: notification.occasion.clone(),
            group_id: notification.group.clone(),
            step: notification.step,
            begun_at: notification.begun_at.as_micros(),
        }
    }

    /// The line of the ledger that the row stores.
    pub fn into_notification(self) -> Result<Notification, StoreError> {
        let corrupt = |detail: &str| corrupt("notifications", detail);
        Ok(Notification {
            finding_id: self.finding_id.parse().map_err(|_| corrupt("finding_id"))?,
            id: self.id,
            receiver: self.receiver,
            channel: self.channel,
            severity: value(&Severity::ALL, self.severity).ok_or_else(|| corrupt("severity"))?,
            at: Timestamp::from_micros(self.at),
            attempts: self.attempts,
            result: value(&NotificationResult::ALL, self.result)
                .ok_or_else(|| corrupt("result"))?,
            reason: self.reason,
            occasion: self.occasion,
            group: self.group_id,
            step: self.step,
            begun_at: Timestamp::from_micros(self.begun_at),
        })
    }
}

impl ResponseRow {
    /// The row that stores `response`.
    pub fn of(response: &Response) -> Self {
        Self {
            finding_id: response.finding_id.to_string(),
            id: response.id.clone(),
            token_id: response.token_id.to_string(),
            action: response.action.name().to_owned(),
            target: response.target.clone(),
            mode: number(&ResponseMode::ALL, response.mode),
            at: response.at.as_micros(),
            result: number(&ResponseResult::ALL, response.result),
            reason: response.reason.clone(),
            pending: u8::from(response.is_pending()),
            details: to_json(&response.details),
        }
    }

    /// The line of the journal that the row stores.
    pub fn into_response(self) -> Result<Response, StoreError> {
        let corrupt = |detail: &str| corrupt("responses", detail);
        Ok(Response {
            finding_id: self.finding_id.parse().map_err(|_| corrupt("finding_id"))?,
            id: self.id,
            token_id: self.token_id.parse().map_err(|_| corrupt("token_id"))?,
            action: ResponseAction::ALL
                .into_iter()
                .find(|action| action.name() == self.action)
                .ok_or_else(|| corrupt("action"))?,
            target: self.target,
            mode: value(&ResponseMode::ALL, self.mode).ok_or_else(|| corrupt("mode"))?,
            at: Timestamp::from_micros(self.at),
            result: value(&ResponseResult::ALL, self.result).ok_or_else(|| corrupt("result"))?,
            reason: self.reason,
            details: match self.details.as_str() {
                // A line of an earlier release.
                "" => ResponseDetails::default(),
                details => from_json("responses", details)?,
            },
        })
    }
}

impl ResponseOrderRow {
    /// The row that stores `order`.
    pub fn of(order: &ResponseOrder) -> Self {
        Self {
            response_id: order.response_id.clone(),
            at: order.at.as_micros(),
            actor: order.actor.clone(),
            verb: order.verb.name().to_owned(),
            note: order.note.clone(),
        }
    }

    /// The word that the row stores.
    pub fn into_order(self) -> Result<ResponseOrder, StoreError> {
        let verb = OrderVerb::ALL
            .into_iter()
            .find(|verb| verb.name() == self.verb)
            .ok_or_else(|| corrupt("response_orders", "verb"))?;
        Ok(ResponseOrder {
            response_id: self.response_id,
            at: Timestamp::from_micros(self.at),
            actor: self.actor,
            verb,
            note: self.note,
        })
    }
}

/// The number of a value in its column's `Enum8`.
fn number<T: Copy + PartialEq>(values: &[T], wanted: T) -> i8 {
    let index = values.iter().position(|value| *value == wanted);
    index.expect("the list holds every value") as i8
}

fn value<T: Copy>(values: &[T], number: i8) -> Option<T> {
    values.get(usize::try_from(number).ok()?).copied()
}

fn corrupt(table: &'static str, column: &str) -> StoreError {
    StoreError::Corrupt {
        table,
        detail: format!("{column} is unknown"),
    }
}
