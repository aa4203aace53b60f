//! Whatever is typed or crafted is data: it finds nothing, or is refused, and does nothing.

use http::StatusCode;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::console::Console;
use crate::seed::{BUSY, fill};

const TEXTS: [&str; 14] = [
    "'",
    "\"",
    "\\",
    "\\'",
    "' OR 1 = 1 --",
    "'; DROP TABLE events; --",
    "') > 0 OR sleep(3) --",
    "{q:String}",
    "?fields ? ??",
    "%' OR '%",
    "\u{0}\u{1}\n\t\r",
    "é漢字🦀\u{202e}",
    "\u{fffd}\\x27\\N",
    "$HOME`id`;",
];

#[tokio::test]
async fn hostile_text_is_only_text() {
    let Some(mut console) = Console::open().await else {
        return;
    };
    console.log_in_as_admin().await;
    fill(&console).await;
    for text in TEXTS {
        let q = utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        for (path, key) in [
            (format!("/api/v1/findings?q={q}"), "items"),
            (format!("/api/v1/findings?consumer={q}"), "items"),
            (format!("/api/v1/incidents?q={q}"), "items"),
            (format!("/api/v1/incidents?consumer={q}"), "items"),
            (format!("/api/v1/tokens?q={q}"), "items"),
            (format!("/api/v1/tokens/{BUSY}/events?q={q}"), "items"),
            (format!("/api/v1/tokens/{BUSY}/events?method={q}"), "items"),
        ] {
            let answer = console.get_json(&path).await;
            // What is only white space is no question; everything else is found nowhere.
            if !text.trim().is_empty() {
                assert_eq!(answer[key].as_array().map(Vec::len), Some(0), "{path}");
            }
        }
        for path in [
            format!("/api/v1/findings?severity={q}"),
            format!("/api/v1/findings?sort={q}"),
            format!("/api/v1/findings?cursor={q}"),
            format!("/api/v1/findings?token={q}"),
            format!("/api/v1/findings?from={q}"),
            format!("/api/v1/findings?{q}=1"),
            format!("/api/v1/incidents?detector={q}"),
            format!("/api/v1/incidents?cursor={q}"),
            format!("/api/v1/tokens?sort={q}"),
            format!("/api/v1/tokens?limit={q}"),
            format!("/api/v1/overview?range={q}"),
            format!("/api/v1/tokens/{BUSY}/events?outcome={q}"),
            format!("/api/v1/tokens/{BUSY}/events?ip={q}"),
            format!("/api/v1/tokens/{BUSY}/events?country={q}"),
            format!("/api/v1/tokens/{BUSY}/events?cursor={q}"),
        ] {
            if !text.trim().is_empty() {
                console
                    .get(&path)
                    .await
                    .assert_problem(StatusCode::BAD_REQUEST);
            }
        }
        for path in [
            format!("/api/v1/findings/{q}"),
            format!("/api/v1/tokens/{q}"),
            format!("/api/v1/tokens/{q}/events"),
        ] {
            console
                .get(&path)
                .await
                .assert_problem(StatusCode::NOT_FOUND);
        }
    }
    let page = console.get_json("/api/v1/overview").await;
    assert_eq!(page["totals"]["calls"], 610, "nothing was changed");
}

#[tokio::test]
async fn what_is_too_long_or_too_much_is_refused() {
    let Some(mut console) = Console::open().await else {
        return;
    };
    console.log_in_as_admin().await;
    let long = "x".repeat(201);
    let base = format!("/api/v1/tokens/{BUSY}/events");
    for path in [
        format!("/api/v1/findings?q={long}"),
        format!("{base}?q={long}"),
        format!("{base}?limit=0"),
        format!("{base}?limit=501"),
        format!("{base}?limit=99999999999999"),
        format!("{base}?from=0001-01-01T00:00:00Z"),
        format!("{base}?from=2026-11-21T12:00:00Z&to=2026-11-21T11:00:00Z"),
        format!("/api/v1/findings?cursor={}", "A".repeat(3_000)),
    ] {
        console
            .get(&path)
            .await
            .assert_problem(StatusCode::BAD_REQUEST);
    }
    let widest = "x".repeat(200);
    console.get_json(&format!("{base}?q={widest}")).await;
    let far = format!("{base}?from=2200-01-01T00:00:00Z&to=2200-06-01T00:00:00Z");
    console.get_json(&far).await;
}

#[tokio::test]
async fn a_cursor_of_another_order_is_refused() {
    let Some(mut console) = Console::open().await else {
        return;
    };
    console.log_in_as_admin().await;
    fill(&console).await;
    let page = console.get_json("/api/v1/findings?limit=1").await;
    let cursor = page["next_cursor"].as_str().unwrap();
    for path in [
        format!("/api/v1/findings?sort=-severity&cursor={cursor}"),
        format!("/api/v1/tokens?cursor={cursor}"),
        format!("/api/v1/tokens/{BUSY}/events?cursor={cursor}"),
    ] {
        console
            .get(&path)
            .await
            .assert_problem(StatusCode::BAD_REQUEST);
    }
}
