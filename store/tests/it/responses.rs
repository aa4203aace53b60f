//! The journal of responses, what people say about them, and the calls before and after.

use std::time::Duration;

use tokenwatch_model::{
    AccessEvent, OrderVerb, Outcome, Response, ResponseAction, ResponseDetails, ResponseMode,
    ResponseOrder, ResponseResult, Timestamp,
};
use tokenwatch_store::queries::ResponseFilter;
use tokenwatch_store::testing::TestStore;

use crate::fixtures::{NOW_SECS, event, finding, token};

const DAY: i64 = 86_400;

fn now() -> Timestamp {
    Timestamp::from_secs(NOW_SECS)
}

fn response(id: &str, result: ResponseResult, at: Timestamp) -> Response {
    Response {
        id: id.to_owned(),
        finding_id: finding(1).id,
        token_id: token(1),
        action: ResponseAction::Suspend,
        target: "gateway".to_owned(),
        mode: ResponseMode::Enforce,
        at,
        result,
        reason: String::new(),
        details: ResponseDetails {
            rule: "production".to_owned(),
            networks: vec!["203.0.113.0/24".parse().unwrap()],
            can_undo: true,
            ..ResponseDetails::default()
        },
    }
}

#[tokio::test]
async fn the_newest_line_of_a_response_is_what_it_is_and_what_is_pending_is_never_forgotten() {
    let Some(test) = TestStore::open().await else {
        return;
    };
    let store = &test.store;
    let old = now() - Duration::from_hours(20 * 24);
    let held = response("rsp_held", ResponseResult::Held, old);
    let vetoed = held.followed_by(ResponseResult::Vetoed, old);
    let waiting = response("rsp_waiting", ResponseResult::Held, old);
    let done = response("rsp_done", ResponseResult::Delivered, old);
    let mut ends = response("rsp_ends", ResponseResult::Delivered, old);
    ends.details.ends_at = Some(old);
    let lines = [held, waiting.clone(), done, ends.clone(), vetoed.clone()];
    store.insert_responses(&lines).await.unwrap();

    let since = store.responses_since(now()).await.unwrap();
    let mut ids: Vec<&str> = since.iter().map(|line| line.id.as_str()).collect();
    ids.sort_unstable();
    assert_eq!(ids, ["rsp_ends", "rsp_waiting"]);
    assert_eq!(store.response("rsp_held").await.unwrap(), Some(vetoed));
    assert_eq!(store.response("rsp_none").await.unwrap(), None);

    let queries = store.queries();
    let filter = ResponseFilter {
        results: vec![ResponseResult::Held],
        token: Some(token(1)),
        ..ResponseFilter::default()
    };
    let page = queries.responses_page(&filter, 10, None).await.unwrap();
    assert_eq!(page.items, [waiting], "a vetoed one is not held any more");
    let all = ResponseFilter::default();
    let first = queries.responses_page(&all, 3, None).await.unwrap();
    let cursor = first.next_cursor.as_deref();
    let second = queries.responses_page(&all, 3, cursor).await.unwrap();
    assert_eq!((first.items.len(), second.items.len()), (3, 1));
    let lines = queries.response_lines("rsp_held").await.unwrap();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0].result, ResponseResult::Held);

    let order = ResponseOrder {
        response_id: "rsp_waiting".to_owned(),
        at: now(),
        actor: "ann".to_owned(),
        verb: OrderVerb::Approve,
        note: "yes".to_owned(),
    };
    store.insert_response_order(&order).await.unwrap();
    assert_eq!(store.response_orders(now()).await.unwrap(), [order]);
    let later = now() + Duration::from_secs(1);
    assert!(store.response_orders(later).await.unwrap().is_empty());
    assert!(store.orders_on("rsp_held").await.unwrap().is_empty());
    test.close().await;
}

fn call(
    offset: i64,
    secs: i64,
    ip: &str,
    gateway: &'static str,
    outcome: Outcome,
) -> AccessEvent<'static> {
    let mut event = event(offset);
    event.ts = Timestamp::from_secs(NOW_SECS + secs);
    event.token.as_mut().unwrap().id = token(1);
    event.client.ip = Some(ip.parse().unwrap());
    event.origin.gateway = Some(gateway.into());
    event.outcome = outcome;
    event
}

#[tokio::test]
async fn calls_before_a_finding_are_the_blast_radius_and_those_after_a_response_its_effect() {
    let Some(test) = TestStore::open().await else {
        return;
    };
    let mut events = vec![
        call(1, -9 * DAY, "192.0.2.1", "edge-1", Outcome::Ok),
        call(2, -2 * DAY, "203.0.113.7", "edge-1", Outcome::Ok),
        call(3, -600, "203.0.113.200", "edge-1", Outcome::Ok),
        call(4, -300, "2001:db8:7:1::5", "edge-1", Outcome::Ok),
        call(5, -200, "198.51.100.1", "edge-1", Outcome::Denied),
    ];
    // After the response: one node hears of it after 3 seconds, the other never does.
    for (offset, secs, gateway, outcome) in [
        (10, 1, "edge-1", Outcome::Ok),
        (11, 3, "edge-1", Outcome::Ok),
        (12, 4, "edge-1", Outcome::Denied),
        (13, 9, "edge-1", Outcome::Denied),
        (14, 2, "edge-2", Outcome::Denied),
        (15, 400, "edge-2", Outcome::Ok),
    ] {
        events.push(call(offset, secs, "198.51.100.9", gateway, outcome));
    }
    test.store.insert_events(&events).await.unwrap();
    let queries = test.store.queries();
    let before = queries.blast_radius(token(1), now()).await.unwrap();
    assert_eq!(before.calls_24h, 3);
    assert!((before.calls_per_minute - 3.0 / 60.0).abs() < 1e-9);
    let networks: Vec<String> = before
        .networks
        .iter()
        .map(|used| format!("{} {}", used.network, used.calls))
        .collect();
    assert_eq!(networks, ["203.0.113.0/24 2", "2001:db8:7::/48 1"]);
    assert_eq!(before.endpoints[0].endpoint, "GET /v1/orders/{id}");
    assert_eq!(before.clients[0].calls, 4);
    let known = queries.known_networks(token(1), now(), 1).await.unwrap();
    assert_eq!(known, ["203.0.113.0/24".parse().unwrap()]);

    let nodes = queries.calls_by_node(token(1), now()).await.unwrap();
    let at = |secs: i64| Some(Timestamp::from_secs(NOW_SECS + secs));
    let told: Vec<_> = nodes
        .iter()
        .map(|node| {
            (
                node.accepted,
                node.refused,
                node.last_accepted_at,
                node.first_refused_at,
            )
        })
        .collect();
    assert_eq!(told, [(2, 2, at(3), at(4)), (1, 1, at(400), None)]);
    test.close().await;
}
