//! Responses that wait: the list, words of people with and without a session, and what makes no sense.

use std::time::Duration;

use axum::body::Body;
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use tokenwatch_dashboards::{Role, create_user};
use tokenwatch_model::{
    OrderVerb, Response, ResponseAction, ResponseDetails, ResponseLinkKey, ResponseMode,
    ResponseResult, Timestamp,
};

use crate::console::{Console, LINK_KEY, NOON};
use crate::seed::{BUSY, fill, findings};

const HELD: &str = "rsp_held";

async fn filled() -> Option<Console> {
    let mut console = Console::open().await?;
    console.log_in_as_admin().await;
    fill(&console).await;
    let at = Timestamp::from_secs(NOON - 60);
    let held = Response {
        id: HELD.to_owned(),
        finding_id: findings()[0].id,
        token_id: BUSY,
        action: ResponseAction::Suspend,
        target: "gate<b>way".to_owned(),
        mode: ResponseMode::Enforce,
        at,
        result: ResponseResult::Held,
        reason: String::new(),
        details: ResponseDetails {
            rule: "production".to_owned(),
            approvals_needed: 2,
            held_until: Some(at + Duration::from_mins(10)),
            ..ResponseDetails::default()
        },
    };
    console.store.insert_responses(&[held]).await.unwrap();
    Some(console)
}

async fn say(console: &Console, verb: &str) -> crate::console::Answer {
    let path = format!("/api/v1/responses/{HELD}/{verb}");
    let note = json!({"note": "looks like theft"});
    console.change(Method::POST, &path, Some(&note)).await
}

#[tokio::test]
async fn a_response_is_listed_and_approved_once_by_each() {
    let Some(mut console) = filled().await else {
        return;
    };
    let list = console.get_json("/api/v1/responses").await;
    assert_eq!(list["items"].as_array().map(Vec::len), Some(2));
    assert_eq!(list["items"][0]["id"], HELD);
    let held = console
        .get_json(&format!(
            "/api/v1/responses?result=held&action=suspend&token={BUSY}"
        ))
        .await;
    assert_eq!(held["items"][0]["approvals_needed"], 2);
    assert_eq!(held["items"].as_array().map(Vec::len), Some(1));
    let bad = console.get("/api/v1/responses?result=stolen").await;
    bad.assert_problem(StatusCode::BAD_REQUEST);

    let path = format!("/api/v1/responses/{HELD}");
    let one = console.get_json(&path).await;
    assert_eq!(
        one["may"],
        json!({"approve": true, "veto": true, "undo": false})
    );
    assert_eq!(one["lines"].as_array().map(Vec::len), Some(1));
    assert_eq!(one["finding"]["id"], one["response"]["finding_id"]);

    let said = say(&console, "approve").await;
    assert_eq!(said.status, StatusCode::ACCEPTED, "{said:?}");
    assert_eq!(said.json()["order"]["actor"], "admin");
    assert_eq!(said.json()["response"]["result"], "held");
    say(&console, "approve")
        .await
        .assert_problem(StatusCode::CONFLICT);
    say(&console, "undo")
        .await
        .assert_problem(StatusCode::CONFLICT);
    let one = console.get_json(&path).await;
    assert_eq!(
        one["may"],
        json!({"approve": false, "veto": true, "undo": false})
    );
    assert_eq!(one["orders"][0]["note"], "looks like theft");
    let orders = console
        .store
        .response_orders(Timestamp::from_secs(NOON))
        .await;
    let orders = orders.unwrap();
    assert_eq!((orders.len(), orders[0].verb), (1, OrderVerb::Approve));
    let trail = console.get_json("/api/v1/audit").await;
    let actions: Vec<&Value> = trail["items"].as_array().unwrap().iter().collect();
    let is_it = |line: &&&Value| line["action"] == "response_approved" && line["subject"] == HELD;
    assert_eq!(actions.iter().filter(is_it).count(), 1);

    let (nobody, empty) = ("/api/v1/responses/rsp_none/veto", json!({}));
    let missing = console.change(Method::POST, nobody, Some(&empty)).await;
    missing.assert_problem(StatusCode::NOT_FOUND);
    let (name, password) = ("vera", "a long enough password");
    create_user(
        &console.store,
        &console.clock(),
        name,
        Role::Viewer,
        &password.into(),
    )
    .await
    .unwrap();
    let answer = console.log_in(name, password).await;
    console.cookie = Some(answer.cookie());
    let one = console.get_json(&path).await;
    assert_eq!(one["may"]["veto"], false);
    say(&console, "veto")
        .await
        .assert_problem(StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_signed_link_asks_first_acts_once_and_ends() {
    let Some(mut console) = filled().await else {
        return;
    };
    console.cookie = None;
    let key = ResponseLinkKey::new(LINK_KEY);
    let until = Timestamp::from_secs(NOON + 540);
    let link = |verb| format!("/{}", key.path(HELD, verb, until));
    let post = async |path: &str| {
        let request = Request::builder().method(Method::POST).uri(path);
        console.send(request.body(Body::empty()).unwrap()).await
    };
    let approve = link(OrderVerb::Approve);
    for _ in 0..2 {
        let page = console.get(&approve).await;
        assert_eq!(page.status, StatusCode::OK);
        let text = String::from_utf8(page.body.to_vec()).unwrap();
        assert!(text.contains("<form method=\"post\">") && text.contains("gate&lt;b&gt;way"));
        assert!(
            page.header("content-security-policy")
                .contains("form-action 'self'")
        );
    }
    let said = async || {
        let orders = console.store.orders_on(HELD).await.unwrap();
        orders
            .iter()
            .map(|order| (order.actor.clone(), order.verb))
            .collect::<Vec<_>>()
    };
    assert!(said().await.is_empty(), "opening a link does nothing");
    for forged in [
        approve.replace("/approve", "/veto"),
        approve.replace("expires=1", "expires=2"),
        approve.replace("/approve", "/undo"),
        format!("/respond/{HELD}/approve?expires=9999999999&signature=00"),
    ] {
        assert_eq!(
            post(&forged).await.status,
            StatusCode::FORBIDDEN,
            "{forged}"
        );
    }
    let done = post(&approve).await;
    assert_eq!(done.status, StatusCode::OK);
    let text = String::from_utf8(done.body.to_vec()).unwrap();
    assert!(
        text.contains("other people"),
        "one of two approvals: {text}"
    );
    assert_eq!(post(&approve).await.status, StatusCode::CONFLICT);
    assert_eq!(said().await, [("link".to_owned(), OrderVerb::Approve)]);
    console.pass(Duration::from_secs(541));
    let veto = link(OrderVerb::Veto);
    assert_eq!(
        post(&veto).await.status,
        StatusCode::FORBIDDEN,
        "it has ended"
    );
}
