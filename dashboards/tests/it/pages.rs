//! What each page of the console is told, from rows in a real store.

use serde_json::Value;
use tokenwatch_dashboards::PipelineStatus;

use crate::console::Console;
use crate::seed::{BUSY, INCIDENT, QUIET, ago, fill, findings, incident};

async fn filled() -> Option<Console> {
    let mut console = Console::open().await?;
    console.log_in_as_admin().await;
    fill(&console).await;
    Some(console)
}

fn length(value: &Value) -> usize {
    value.as_array().map_or(usize::MAX, Vec::len)
}

fn sum(points: &Value, key: &str) -> u64 {
    let points = points.as_array().unwrap();
    points
        .iter()
        .map(|point| point[key].as_u64().unwrap())
        .sum()
}

#[tokio::test]
async fn the_overview_adds_up() {
    let Some(console) = filled().await else {
        return;
    };
    let page = console.get_json("/api/v1/overview?range=1h").await;
    assert_eq!(page["step_s"], 60);
    assert_eq!(page["from"], "2026-11-21T11:00:00.000Z");
    assert_eq!(length(&page["calls"]), 60);
    assert_eq!(sum(&page["calls"], "calls"), 610);
    assert_eq!(page["totals"]["calls"], 610);
    assert_eq!(page["totals"]["failures"], sum(&page["calls"], "failures"));
    assert_eq!(page["totals"]["tokens_active"], 2);
    let open = &page["totals"]["findings_open"];
    assert_eq!((&open["info"], &open["critical"]), (&0.into(), &1.into()));
    assert_eq!(length(&page["findings"]), 60);
    assert_eq!(sum(&page["findings"], "critical"), 1);
    assert_eq!(length(&page["top_findings"]), 5);
    assert_eq!(page["top_findings"][0]["severity"], "critical");
    assert_eq!(page["detectors"][0]["detector"], "failure_burst");
    assert_eq!(page["detectors"][0]["count"], 5);
    for range in ["6h", "24h", "7d", "30d"] {
        let page = console
            .get_json(&format!("/api/v1/overview?range={range}"))
            .await;
        assert_eq!(page["totals"]["calls"], 610, "{range}");
    }
}

#[tokio::test]
async fn findings_are_filtered_sorted_and_paged() {
    let Some(console) = filled().await else {
        return;
    };
    let ids = async |query: &str| -> Vec<String> {
        let page = console.get_json(&format!("/api/v1/findings?{query}")).await;
        let items = page["items"].as_array().unwrap().clone();
        assert!(page["total"].as_u64().unwrap() as usize >= items.len());
        items
            .iter()
            .map(|item| item["severity"].as_str().unwrap().to_owned())
            .collect()
    };
    let newest = ["critical", "high", "medium", "low", "info"];
    let oldest = ["info", "low", "medium", "high", "critical"];
    assert_eq!(ids("").await, newest);
    assert_eq!(ids("sort=detected_at").await, oldest);
    assert_eq!(ids("sort=-severity").await, newest);
    assert_eq!(ids("severity=low,high").await, ["high", "low"]);
    assert_eq!(ids("status=closed").await, ["info"]);
    assert_eq!(ids("detector=rate_spike").await, [""; 0]);
    assert_eq!(ids(&format!("token={BUSY}")).await.len(), 5);
    assert_eq!(ids(&format!("token={QUIET}")).await.len(), 0);
    assert_eq!(ids("consumer=acme").await.len(), 5);
    assert_eq!(ids("q=burst%203").await, ["high"]);
    assert_eq!(ids("q=203.0.113.7").await.len(), 5);
    let from = ago(400);
    assert_eq!(ids(&format!("from={from}")).await, ["critical"]);
}

#[tokio::test]
async fn pages_of_findings_join_without_gap_or_repeat() {
    let Some(console) = filled().await else {
        return;
    };
    for sort in ["-detected_at", "detected_at", "-severity", "-last_event_at"] {
        let whole = console
            .get_json(&format!("/api/v1/findings?sort={sort}"))
            .await;
        let mut joined = Vec::new();
        let mut cursor = String::new();
        loop {
            let path = format!("/api/v1/findings?sort={sort}&limit=2&cursor={cursor}");
            let page = console.get_json(&path).await;
            assert_eq!(page["total"], 5);
            joined.extend(page["items"].as_array().unwrap().iter().cloned());
            match page["next_cursor"].as_str() {
                Some(next) => next.clone_into(&mut cursor),
                None => break,
            }
        }
        assert_eq!(Value::Array(joined), whole["items"], "{sort}");
    }
}

#[tokio::test]
async fn a_finding_tells_its_whole_story() {
    let Some(console) = filled().await else {
        return;
    };
    let worst = findings().pop().unwrap();
    let page = console
        .get_json(&format!("/api/v1/findings/{}", worst.id))
        .await;
    assert_eq!(page["finding"], serde_json::to_value(&worst).unwrap());
    assert_eq!(page["incident"], serde_json::to_value(incident()).unwrap());
    assert_eq!(sum(&page["series"]["points"], "calls"), 600);
    assert_eq!(length(&page["series"]["band"]), 0);
    assert_eq!(length(&page["signals"]), 1);
    assert_eq!(page["notifications"][0]["result"], "sent");
    assert_eq!(page["responses"][0]["result"], "delivered");
    assert_eq!(length(&page["related"]), 4);
    let path = format!("/api/v1/findings/{}/events?limit=20", worst.id);
    let first = console.get_json(&path).await;
    assert_eq!(length(&first["items"]), 20);
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = console.get_json(&format!("{path}&cursor={cursor}")).await;
    // Thirty seconds, both ends included.
    assert_eq!(length(&second["items"]), 11);
    assert_eq!(second["next_cursor"], Value::Null);
}

#[tokio::test]
async fn an_incident_tells_its_findings_and_what_was_done() {
    let Some(console) = filled().await else {
        return;
    };
    let list = console
        .get_json("/api/v1/incidents?status=open&detector=failure_burst&severity=critical")
        .await;
    assert_eq!(list["total"], 1);
    let newest = serde_json::to_value(incident()).unwrap();
    assert_eq!(list["items"][0], newest);
    for none in ["status=closed", "q=nobody", &format!("token={QUIET}")] {
        let list = console.get_json(&format!("/api/v1/incidents?{none}")).await;
        assert_eq!(list["total"], 0, "{none}");
    }
    let page = console
        .get_json(&format!("/api/v1/incidents/{INCIDENT}"))
        .await;
    assert_eq!(page["incident"], newest);
    assert_eq!(length(&page["findings"]), 2);
    assert_eq!(page["findings"][0]["severity"], "high");
    assert_eq!(sum(&page["series"]["points"], "calls"), 600);
    assert_eq!(page["notifications"][0]["id"], "msg_1");
    assert_eq!(page["responses"][0]["result"], "delivered");
    let nothing = console.get("/api/v1/incidents/inc_0").await;
    assert_eq!(nothing.status, http::StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn tokens_are_listed_with_their_day() {
    let Some(console) = filled().await else {
        return;
    };
    let page = console.get_json("/api/v1/tokens?sort=-calls").await;
    assert_eq!(page["total"], 2);
    let busy = &page["items"][0];
    assert_eq!(busy["id"], BUSY.to_string());
    assert_eq!(busy["kind"], "api_key");
    assert_eq!(busy["consumer"], "acme");
    assert_eq!(busy["calls_24h"], 600);
    assert_eq!(busy["failures_24h"], 60);
    assert_eq!(busy["findings_open"], 4);
    assert_eq!(busy["worst_severity"], "critical");
    assert_eq!(busy["countries"], serde_json::json!(["DE"]));
    assert_eq!(busy["first_seen"], ago(600).to_string());
    assert_eq!(page["items"][1]["worst_severity"], Value::Null);
    for sort in ["-last_seen", "-calls", "-findings"] {
        let first = console
            .get_json(&format!("/api/v1/tokens?sort={sort}&limit=1"))
            .await;
        assert_eq!(first["items"][0]["id"], BUSY.to_string(), "{sort}");
        let cursor = first["next_cursor"].as_str().unwrap();
        let path = format!("/api/v1/tokens?sort={sort}&limit=1&cursor={cursor}");
        let second = console.get_json(&path).await;
        assert_eq!(second["items"][0]["id"], QUIET.to_string(), "{sort}");
        assert_eq!(second["next_cursor"], Value::Null);
    }
    assert_eq!(console.get_json("/api/v1/tokens?q=ACME").await["total"], 2);
    assert_eq!(
        console.get_json("/api/v1/tokens?q=nobody").await["total"],
        0
    );
}

#[tokio::test]
async fn a_token_shows_where_how_and_by_whom_it_is_used() {
    let Some(console) = filled().await else {
        return;
    };
    let base = format!("/api/v1/tokens/{BUSY}");
    let page = console.get_json(&base).await;
    assert_eq!(page["token"]["calls_24h"], 600);
    assert_eq!(page["profile"], Value::Null);
    assert_eq!(length(&page["findings"]), 5);
    assert_eq!(page["incidents"][0]["id"], INCIDENT);
    assert_eq!(page["responses"][0]["target"], "gateway");
    // Minutes from the roll-ups, and ten seconds from the events themselves, tell the same.
    for range in [format!("from={}", ago(3_600)), format!("from={}", ago(900))] {
        let series = console.get_json(&format!("{base}/series?{range}")).await;
        assert_eq!(sum(&series["points"], "calls"), 600, "{range}");
        assert_eq!(sum(&series["points"], "failures"), 60, "{range}");
    }
    let places = console.get_json(&format!("{base}/geography")).await;
    assert_eq!(places["items"][0]["city"], "Berlin");
    assert_eq!(places["items"][0]["latitude"], 52.52);
    assert_eq!(places["items"][0]["calls"], 600);
    let routes = console.get_json(&format!("{base}/routes")).await;
    assert_eq!(length(&routes["items"]), 2);
    assert_eq!(routes["items"][0]["method"], "GET");
    assert_eq!(routes["items"][1]["failures"], 60);
    let clients = console.get_json(&format!("{base}/clients")).await;
    assert_eq!(clients["items"][0]["ip"], "203.0.113.7");
    assert_eq!(clients["items"][0]["user_agent"], "acme-sdk/2.1");
    let nobody = console
        .get("/api/v1/tokens/tok_0000000000000000000000000z")
        .await;
    assert_eq!(nobody.status, http::StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_explanation_is_asked_for_a_token_and_a_time() {
    let Some(console) = filled().await else {
        return;
    };
    let base = format!("/api/v1/tokens/{BUSY}/explain");
    let now = console.get_json(&base).await;
    assert_eq!(now["token"]["id"], BUSY.to_string());
    assert_eq!(now["at"], ago(0).to_string());
    let then = console.get_json(&format!("{base}?at={}", ago(60))).await;
    assert_eq!(then["at"], ago(60).to_string());
    let wrong = console.get(&format!("{base}?at=yesterday")).await;
    wrong.assert_problem(http::StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn events_are_searched_in_everything_an_analyst_would_paste() {
    let Some(console) = filled().await else {
        return;
    };
    let count = async |query: &str| {
        let path = format!("/api/v1/tokens/{BUSY}/events?limit=500&{query}");
        length(&console.get_json(&path).await["items"])
    };
    assert_eq!(count("q=/V1/ORDERS/17").await, 11);
    assert_eq!(count("q=req-600").await, 1);
    assert_eq!(count("q=113.7").await, 500);
    assert_eq!(count("q=ACME-SDK&outcome=denied").await, 60);
    assert_eq!(count("q=ffff").await, 0);
    assert_eq!(count("method=delete").await, 60);
    assert_eq!(count("ip=203.0.113.7&outcome=denied").await, 60);
    assert_eq!(count("ip=::ffff:203.0.113.7&outcome=denied").await, 60);
    assert_eq!(count("ip=203.0.113.8").await, 0);
    assert_eq!(count("country=de&outcome=denied").await, 60);
    assert_eq!(count("country=FR").await, 0);
    assert_eq!(
        count(&format!("from={}&to={}", ago(100), ago(50))).await,
        50
    );
    let path = format!("/api/v1/tokens/{BUSY}/events?limit=1");
    let page = console.get_json(&path).await;
    let newest = crate::seed::call(BUSY, 1, ago(1));
    assert_eq!(page["items"][0], serde_json::to_value(&newest).unwrap());
}

#[tokio::test]
async fn the_pipeline_is_told_as_the_process_sees_it() {
    let Some(console) = filled().await else {
        return;
    };
    console.pipeline.send_replace(PipelineStatus {
        ready: true,
        version: "1.2.3".to_owned(),
        events_per_s: 12.5,
        ..PipelineStatus::default()
    });
    let page = console.get_json("/api/v1/pipeline").await;
    assert_eq!(page["events_per_s"], 12.5);
    assert_eq!(page["kafka"]["state"], "off");
    assert_eq!(page["response_mode"], "dry_run");
    assert_eq!(page["latency"]["stored"]["p99_ms"], 0);
    assert_eq!(page["last_event_at"], Value::Null);
}
