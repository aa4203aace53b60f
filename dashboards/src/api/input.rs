//! Reading what a request asks for; every complaint names the parameter.

use std::str::FromStr;
use std::time::Duration;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::{Json, RequestPartsExt};
use http::StatusCode;
use http::request::Parts;
use serde::de::DeserializeOwned;
use tokenwatch_model::Timestamp;
use tokenwatch_store::queries::TimeRange;

use crate::problem::ApiError;

/// Longest text that is searched for.
const SEARCH_CHARS_LIMIT: usize = 200;
/// Longest range that one question covers: what the roll-ups are kept for.
const RANGE_LIMIT: Duration = Duration::from_hours(400 * 24);

/// The query string.
pub(super) struct Asked<T>(pub(super) T);

/// The JSON body.
pub(super) struct Body<T>(pub(super) T);

/// The id in the path; what is no id names nothing.
pub(super) struct Id<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + 'static> FromRequestParts<S> for Asked<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let query: Result<Query<T>, QueryRejection> = parts.extract().await;
        query
            .map(|Query(asked)| Self(asked))
            .map_err(|rejection| ApiError::BadRequest(rejection.body_text()))
    }
}

impl<S: Send + Sync, T: DeserializeOwned + 'static> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let body: Result<Json<T>, JsonRejection> = Json::from_request(request, state).await;
        body.map(|Json(body)| Self(body)).map_err(|rejection| {
            // What was sent may be a password, so the complaint does not quote it.
            ApiError::BadRequest(match rejection.status() {
                StatusCode::PAYLOAD_TOO_LARGE => "the body is too large".to_owned(),
                StatusCode::UNSUPPORTED_MEDIA_TYPE => {
                    "the body must be application/json".to_owned()
                }
                _ => "the body is not the JSON that is expected here".to_owned(),
            })
        })
    }
}

impl<S: Send + Sync, T: FromStr> FromRequestParts<S> for Id<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let Path(text): Path<String> = parts.extract().await.map_err(|_| ApiError::NotFound)?;
        text.parse().map(Self).map_err(|_| ApiError::NotFound)
    }
}

/// What is given, and not empty.
pub(super) fn given(value: Option<&String>) -> Option<&str> {
    value
        .map(|text| text.trim())
        .filter(|text| !text.is_empty())
}

/// One value, if given.
pub(super) fn one<T: FromStr>(name: &str, value: Option<&String>) -> Result<Option<T>, ApiError> {
    given(value)
        .map(|text| text.parse().map_err(|_| bad(name, text)))
        .transpose()
}

/// One of `all` by its name, if given.
pub(super) fn named<T: Copy>(
    name: &str,
    value: Option<&String>,
    all: &[T],
    name_of: impl Fn(T) -> &'static str,
) -> Result<Option<T>, ApiError> {
    let several = several(name, value, all, name_of)?;
    match several.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(*one)),
        _ => Err(ApiError::BadRequest(format!("{name}: only one is allowed"))),
    }
}

/// Any of `all` by their names, separated by commas.
pub(super) fn several<T: Copy>(
    name: &str,
    value: Option<&String>,
    all: &[T],
    name_of: impl Fn(T) -> &'static str,
) -> Result<Vec<T>, ApiError> {
    let find = |text: &str| {
        let found = all.iter().copied().find(|one| name_of(*one) == text);
        found.ok_or_else(|| bad(name, text))
    };
    given(value).map_or_else(
        || Ok(Vec::new()),
        |list| list.split(',').map(|text| find(text.trim())).collect(),
    )
}

/// A text to search for.
pub(super) fn search(name: &str, value: Option<&String>) -> Result<String, ApiError> {
    let text = given(value).unwrap_or_default();
    if text.chars().count() > SEARCH_CHARS_LIMIT {
        return Err(ApiError::BadRequest(format!(
            "{name}: at most {SEARCH_CHARS_LIMIT} characters"
        )));
    }
    Ok(text.to_owned())
}

/// How many rows.
pub(super) fn limit(value: Option<u32>, default: u32, most: u32) -> Result<u32, ApiError> {
    let limit = value.unwrap_or(default);
    if (1..=most).contains(&limit) {
        Ok(limit)
    } else {
        Err(ApiError::BadRequest(format!(
            "limit: must be between 1 and {most}"
        )))
    }
}

/// A time range; `to` is now and `from` is `default` before it unless given.
pub(super) fn range(
    from: Option<&String>,
    to: Option<&String>,
    default: Duration,
    now: Timestamp,
) -> Result<TimeRange, ApiError> {
    let to: Timestamp = one("to", to)?.unwrap_or(now);
    let from = one("from", from)?.unwrap_or(to - default);
    if from >= to {
        return Err(ApiError::BadRequest("from: must be before to".to_owned()));
    }
    if to.since(from) > RANGE_LIMIT {
        return Err(ApiError::BadRequest(
            "from: a range has 400 days at most".to_owned(),
        ));
    }
    Ok(TimeRange { from, to })
}

/// A time range if one is asked for; it begins with everything that is kept unless told.
pub(super) fn range_if_asked(
    from: Option<&String>,
    to: Option<&String>,
    now: Timestamp,
) -> Result<Option<TimeRange>, ApiError> {
    if from.is_none() && to.is_none() {
        return Ok(None);
    }
    range(from, to, RANGE_LIMIT, now).map(Some)
}

fn bad(name: &str, text: &str) -> ApiError {
    let shown: String = text.chars().take(60).collect();
    ApiError::BadRequest(format!("{name}: {shown:?} is not allowed here"))
}

#[cfg(test)]
mod tests {
    use tokenwatch_model::Severity;

    use super::*;

    #[test]
    fn lists_hold_known_names_only() {
        let severities = |text: &str| {
            several(
                "severity",
                Some(&text.to_owned()),
                &Severity::ALL,
                Severity::name,
            )
        };
        assert_eq!(
            severities("high, critical").unwrap(),
            [Severity::High, Severity::Critical]
        );
        assert!(severities("").unwrap().is_empty());
        assert!(severities("high,'; DROP TABLE findings").is_err());
    }

    #[test]
    fn ranges_are_bounded_and_run_forward() {
        let now = Timestamp::from_secs(1_800_000_000);
        let hour = Duration::from_hours(1);
        let check =
            |from: &str, to: &str| range(Some(&from.to_owned()), Some(&to.to_owned()), hour, now);
        assert_eq!(check("", "").unwrap().length(), hour);
        assert!(check("2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z").is_err());
        assert!(check("1999-01-01T00:00:00Z", "").is_err());
        assert!(check("yesterday", "").is_err());
    }
}
