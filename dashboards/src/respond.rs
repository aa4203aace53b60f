//! `/respond/{id}/{verb}`: the pages behind signed links in messages, for people without a session.
//!
//! Opening a link shows what it would do; only its button does it, since programs that preview links open them, too. A link is good
//! for one response, one verb and until the hold ends, and once: whoever uses it acts as `link`, who can approve a response once.

use axum::Router;
use axum::extract::{Path, Query, Request, State};
use axum::middleware::from_fn_with_state;
use axum::response::{Html, IntoResponse, Response as HttpResponse};
use axum::routing::get;
use http::StatusCode;
use serde::Deserialize;
use tokenwatch_model::{OrderVerb, Response, ResponseOrder};

use crate::api::responses::say;
use crate::auth::{CurrentUser, client_address};
use crate::limits;
use crate::problem::ApiError;
use crate::state::DashboardState;

/// The longest text of a finding that the page repeats, in characters.
const SHOWN_LIMIT: usize = 600;

/// What is signed, and the signature.
#[derive(Deserialize)]
struct Signed {
    expires: i64,
    signature: String,
}

pub(crate) fn routes(state: &DashboardState) -> Router<DashboardState> {
    Router::new()
        .route("/respond/{id}/{verb}", get(show).post(decide))
        .route_layer(from_fn_with_state(state.clone(), limits::bound))
}

/// What the link would do.
async fn show(
    State(state): State<DashboardState>,
    Path((id, verb)): Path<(String, String)>,
    Query(signed): Query<Signed>,
) -> HttpResponse {
    let Some(verb) = allowed(&state, &id, &verb, &signed) else {
        return refused();
    };
    match state.store.response(&id).await {
        Ok(Some(response)) => match response.takes(verb, ResponseOrder::LINK, &[]) {
            Ok(()) => {
                let finding = state.store.queries().finding(response.finding_id).await;
                let summary = finding.ok().flatten().map(|finding| finding.summary);
                page(
                    StatusCode::OK,
                    &question(&response, verb, summary.as_deref()),
                )
            }
            Err(refusal) => page(StatusCode::CONFLICT, &paragraph(&refusal.to_string())),
        },
        Ok(None) => refused(),
        Err(error) => ApiError::from(error).into_response(),
    }
}

/// Does it.
async fn decide(
    State(state): State<DashboardState>,
    Path((id, verb)): Path<(String, String)>,
    Query(signed): Query<Signed>,
    request: Request,
) -> HttpResponse {
    let Some(verb) = allowed(&state, &id, &verb, &signed) else {
        return refused();
    };
    let (parts, _) = request.into_parts();
    let address = client_address(&parts, &state.settings.trusted_proxies);
    let user = CurrentUser {
        name: ResponseOrder::LINK.to_owned(),
        role: String::new(),
    };
    let note = format!("by a signed link, from {address}");
    match say(&state, &user, &id, verb, note).await {
        Ok((_, response)) => {
            let told = match verb {
                OrderVerb::Approve if response.details.approvals_needed > 1 => {
                    "Your approval is noted. It takes other people's, too."
                }
                OrderVerb::Approve => "Approved. The target is asked now.",
                _ => "Vetoed. Nothing is done.",
            };
            page(StatusCode::OK, &paragraph(told))
        }
        Err(ApiError::Conflict(why)) => page(StatusCode::CONFLICT, &paragraph(&why)),
        Err(error) => error.into_response(),
    }
}

/// The verb, if the link is ours and still good. Undoing takes a session.
fn allowed(state: &DashboardState, id: &str, verb: &str, signed: &Signed) -> Option<OrderVerb> {
    let key = state.link_key.as_ref()?;
    let verb = [OrderVerb::Approve, OrderVerb::Veto]
        .into_iter()
        .find(|known| known.name() == verb)?;
    let now = state.clock.now();
    key.allows(id, verb, signed.expires, &signed.signature, now)
        .then_some(verb)
}

fn question(response: &Response, verb: OrderVerb, summary: Option<&str>) -> String {
    let (action, target) = (response.action.name(), escaped(&response.target));
    let token = response.token_id;
    let what = match verb {
        OrderVerb::Approve => format!("Ask {target} to {action} the token {token} now?"),
        _ => format!("Do not ask {target} to {action} the token {token}?"),
    };
    let summary = summary.map(paragraph).unwrap_or_default();
    let hit = response.details.blast_radius.as_deref();
    let hit = hit.map(|radius| {
        format!(
            "<p>Before that it made {:.1} calls a minute, and {} in a day.</p>",
            radius.calls_per_minute, radius.calls_24h
        )
    });
    let button = match verb {
        OrderVerb::Approve => "Approve",
        _ => "Veto",
    };
    format!(
        "{summary}{}<form method=\"post\"><p><strong>{what}</strong></p><button type=\"submit\">{button}</button></form>",
        hit.unwrap_or_default()
    )
}

fn refused() -> HttpResponse {
    let told = "This link is not valid, or its time is over. The console shows what became of the response.";
    page(StatusCode::FORBIDDEN, &paragraph(told))
}

fn paragraph(text: &str) -> String {
    format!("<p>{}</p>", escaped(text))
}

fn page(status: StatusCode, content: &str) -> HttpResponse {
    let page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><meta name=\"robots\" content=\"noindex\">\
         <title>Tokenwatch</title></head><body><h1>Tokenwatch</h1>{content}</body></html>"
    );
    (status, Html(page)).into_response()
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars().take(SHOWN_LIMIT) {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}
