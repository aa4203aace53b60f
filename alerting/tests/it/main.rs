//! The dispatcher over a real ClickHouse: what is announced, recorded and remembered across restarts.

use std::sync::Arc;
use std::time::Duration;

use tokenwatch_alerting::{
    AlertingConfig, AlertingEvent, AlertingMetrics, Dispatcher, Runtime, notification_id,
    response_id,
};
use tokenwatch_model::{
    Clock, Detector, Evidence, Finding, FindingId, FindingMatcher, FindingStatus, FindingToken,
    Notification, NotificationResult, Response, ResponseAction, ResponseMode, ResponseResult,
    SecretSource, Severity, Silence, Subject, SubjectKind, Timestamp, TokenId,
};
use tokenwatch_store::testing::TestStore;
use tokenwatch_store::{SilenceRow, Store};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const NOW: Timestamp = Timestamp::from_secs(1_795_329_600);

struct NoSecrets;

impl SecretSource for NoSecrets {
    fn env(&self, _name: &str) -> Option<secrecy::SecretString> {
        None
    }

    fn file(&self, _path: &str) -> Result<secrecy::SecretString, String> {
        Err("there are no files".to_owned())
    }
}

fn finding(number: u128, severity: Severity) -> Finding {
    let token = TokenId::from_bits(number);
    Finding {
        id: FindingId::from_bits(number),
        revision: 1,
        detector: Detector::FailureBurst,
        severity,
        confidence: 0.9,
        status: FindingStatus::Open,
        evidence_db: 30.0,
        subject: Subject {
            kind: SubjectKind::Token,
            id: token.to_string(),
        },
        token: Some(FindingToken {
            id: token,
            credential_id: None,
            consumer: None,
            owner: None,
            team: None,
            environment: None,
        }),
        first_event_at: NOW - Duration::from_mins(1),
        last_event_at: NOW - Duration::from_secs(30),
        detected_at: NOW - Duration::from_secs(30),
        event_count: 10,
        summary: "it's a \\ \"burst\"".to_owned(),
        evidence: Evidence::default(),
        incident_id: None,
        attack: Vec::new(),
        owasp: Vec::new(),
    }
}

/// Runs a dispatcher until the console heard of `lines` lines whose sending ended, then stops it.
async fn announce(store: &Store, file: &std::path::Path, lines: usize) {
    announce_with(store, file, "", lines).await;
}

/// The same with more to say of the route.
async fn announce_with(store: &Store, file: &std::path::Path, route: &str, lines: usize) {
    let text = format!(
        "[[receivers]]\nkind = \"log\"\nname = \"ops\"\nfile = {:?}\n\
         [[routes]]\nseverity = \"medium\"\nreceivers = [\"ops\"]\n{route}",
        file.display().to_string()
    );
    let config: AlertingConfig = toml::from_str(&text).expect("the configuration's shape");
    let settings = config
        .validate("alerting", &NoSecrets)
        .expect("valid settings");
    let (events, mut heard) = broadcast::channel(4_096);
    let (tracker, cancel) = (TaskTracker::new(), CancellationToken::new());
    let runtime = Runtime {
        clock: Clock::fixed(NOW),
        metrics: AlertingMetrics::default(),
        events: Some(events),
        tracker: tracker.clone(),
        cancel: cancel.clone(),
    };
    let dispatcher =
        Dispatcher::start(Arc::new(settings), store.clone(), runtime).expect("it starts");
    let mut ended = 0;
    while ended < lines {
        if let AlertingEvent::Notification(line) = heard.recv().await.expect("an event")
            && line.result != NotificationResult::Sending
        {
            ended += 1;
        }
    }
    drop(dispatcher);
    cancel.cancel();
    tracker.close();
    tracker.wait().await;
}

/// The findings that the log's file names, in order.
fn announced(file: &std::path::Path) -> Vec<FindingId> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines()
        .map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
            line["finding"]["id"]
                .as_str()
                .expect("an id")
                .parse()
                .expect("a finding's id")
        })
        .collect()
}

#[tokio::test]
async fn every_stored_finding_is_announced_once_across_restarts() {
    let Some(test) = TestStore::open().await else {
        return;
    };
    let file = test.folder.path().join("alerts.ndjson");
    let store = &test.store;
    // More than a page of the reconciliation.
    let findings: Vec<Finding> = (1..=300).map(|n| finding(n, Severity::High)).collect();
    store.insert_findings(&findings).await.expect("stored");
    announce(store, &file, 300).await;
    store
        .insert_findings(&[
            finding(301, Severity::Critical),
            finding(302, Severity::Low),
        ])
        .await
        .expect("stored");
    announce(store, &file, 1).await;
    let mut ids = announced(&file);
    assert_eq!(ids.len(), 301);
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 301, "each once");
    let responses = store
        .responses_of(&[FindingId::from_bits(301)])
        .await
        .expect("read");
    assert_eq!(responses.len(), 1);
    assert_eq!(responses[0].result, ResponseResult::WouldRespond);
    test.close().await;
}

#[tokio::test]
async fn what_a_killed_process_had_begun_is_finished_by_the_next() {
    let Some(test) = TestStore::open().await else {
        return;
    };
    let file = test.folder.path().join("alerts.ndjson");
    let store = &test.store;
    let begun = finding(1, Severity::High);
    let occasion = tokenwatch_alerting::Occasion::Opened;
    let line = Notification {
        id: notification_id(begun.id, "ops", occasion, begun.severity, 0),
        finding_id: begun.id,
        receiver: "ops".to_owned(),
        channel: "log".to_owned(),
        occasion: "opened".to_owned(),
        group: String::new(),
        step: 0,
        begun_at: NOW,
        severity: begun.severity,
        at: NOW - Duration::from_secs(20),
        attempts: 0,
        result: NotificationResult::Sending,
        reason: "first_match".to_owned(),
    };
    let intended = Response {
        id: response_id(begun.id, "gateway", ResponseAction::Revoke),
        finding_id: begun.id,
        token_id: TokenId::from_bits(1),
        action: ResponseAction::Revoke,
        target: "gateway".to_owned(),
        mode: ResponseMode::Enforce,
        // Long before anything that is read for the rate limit.
        at: NOW - Duration::from_hours(30 * 24),
        result: ResponseResult::Intended,
        reason: String::new(),
        details: tokenwatch_model::ResponseDetails::default(),
    };
    store
        .insert_findings(std::slice::from_ref(&begun))
        .await
        .expect("stored");
    store
        .insert_notifications(std::slice::from_ref(&line))
        .await
        .expect("stored");
    store
        .insert_responses(std::slice::from_ref(&intended))
        .await
        .expect("stored");
    announce(store, &file, 1).await;
    assert_eq!(announced(&file), [begun.id]);
    let lines = store.notifications_of(&[begun.id]).await.expect("read");
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0].id, line.id);
    assert_eq!(lines[0].result, NotificationResult::Sent);
    let responses = store.responses_of(&[begun.id]).await.expect("read");
    assert_eq!(responses[0].result, ResponseResult::Unknown);
    test.close().await;
}

#[tokio::test]
async fn the_newest_line_of_a_moment_is_the_one_that_says_how_it_ended() {
    let Some(test) = TestStore::open().await else {
        return;
    };
    let store = &test.store;
    let id = FindingId::from_bits(9);
    let line = |result, reason: &str| Notification {
        id: "ntf_9".to_owned(),
        finding_id: id,
        receiver: "it's".to_owned(),
        channel: "log".to_owned(),
        occasion: "opened".to_owned(),
        group: String::new(),
        step: 0,
        begun_at: NOW,
        severity: Severity::High,
        at: NOW,
        attempts: 1,
        result,
        reason: reason.to_owned(),
    };
    let lines = [
        line(NotificationResult::Failed, "endpoint_gone abc"),
        line(NotificationResult::Sending, ""),
    ];
    store.insert_notifications(&lines).await.expect("stored");
    let newest = store.notifications_of(&[id]).await.expect("read");
    assert_eq!(newest, [lines[0].clone()]);
    let gone = store
        .receivers_with_reason("endpoint_gone ")
        .await
        .expect("read");
    assert_eq!(gone, [("it's".to_owned(), "endpoint_gone abc".to_owned())]);
    test.close().await;
}

#[tokio::test]
async fn a_group_is_one_message_with_a_line_for_each_finding_and_a_silence_mutes() {
    let Some(test) = TestStore::open().await else {
        return;
    };
    let file = test.folder.path().join("alerts.ndjson");
    let store = &test.store;
    let mut findings: Vec<Finding> = (1..=3).map(|n| finding(n, Severity::High)).collect();
    findings[2].detector = Detector::TokenInUrl;
    store.insert_findings(&findings).await.expect("stored");
    let silence = Silence {
        id: "sil_1".to_owned(),
        starts_at: NOW - Duration::from_mins(1),
        ends_at: NOW + Duration::from_hours(1),
        created_by: "ann".to_owned(),
        reason: "known".to_owned(),
        matcher: FindingMatcher {
            detectors: vec![Detector::TokenInUrl],
            ..FindingMatcher::default()
        },
    };
    store
        .insert_silences(&[SilenceRow::of(&silence, NOW)])
        .await
        .expect("stored");
    let routes = "group_by = []\ngroup_wait = \"0s\"\nrepeat = \"1h\"\n";
    for _ in 0..2 {
        announce_with(
            store,
            &file,
            routes,
            if announced(&file).is_empty() { 3 } else { 0 },
        )
        .await;
    }
    assert_eq!(announced(&file), [findings[0].id, findings[1].id]);
    let ids: Vec<FindingId> = findings.iter().map(|finding| finding.id).collect();
    let mut lines = store.notifications_of(&ids).await.expect("read");
    lines.sort_by_key(|line| line.finding_id);
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[0].id, lines[1].id, "one message");
    assert!(lines[0].group.starts_with("grp_"));
    for line in &lines[..2] {
        assert_eq!(
            (line.result, line.occasion.as_str()),
            (NotificationResult::Sent, "opened")
        );
        assert_eq!(line.begun_at, NOW);
    }
    assert_eq!(lines[2].result, NotificationResult::Muted);
    assert!(lines[2].reason.starts_with("silenced: sil_1 by ann until "));
    test.close().await;
}
