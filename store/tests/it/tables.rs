//! The other tables, the migrations and the retention.

use std::time::Duration;

use tokenwatch_model::{
    Evidence, FindingMatcher, Notification, NotificationResult, Response, ResponseAction,
    ResponseDetails, ResponseMode, ResponseResult, Severity, Signal, Silence, Timestamp, Word,
};
use tokenwatch_store::testing::TestStore;
use tokenwatch_store::{
    AuditRow, FindingRow, Lease, NotificationRow, ResponseRow, SignalRow, SilenceRow, StoreError,
    UserRow, VerdictRow,
};

use crate::fixtures::{NOW_SECS, count, finding, token};

#[tokio::test]
async fn the_highest_revision_of_a_finding_is_the_finding() {
    let Some(test) = TestStore::open().await else {
        return;
    };
    for revision in [2, 1, 2] {
        test.store
            .insert_findings(&[finding(revision)])
            .await
            .unwrap();
    }
    let sql = "SELECT ?fields FROM findings FINAL";
    let rows = test
        .client()
        .query(sql)
        .fetch_all::<FindingRow>()
        .await
        .unwrap();
    assert_eq!(rows, [FindingRow::of(&finding(2))]);
    let sql =
        "SELECT count() AS x FROM findings FINAL WHERE severity >= 'medium' AND status = 'open'";
    assert_eq!(count(&test, sql).await, 1);
    test.close().await;
}

#[tokio::test]
async fn a_signal_that_is_sent_twice_is_one() {
    let Some(test) = TestStore::open().await else {
        return;
    };
    let finding = finding(1);
    let signal = Signal {
        ts: Timestamp::from_secs(NOW_SECS),
        detector: finding.detector,
        subject: finding.subject,
        token: finding.token,
        evidence_db: 12.0,
        summary: "a hit".to_owned(),
        evidence: Evidence::default(),
        finding_id: Some(finding.id),
    };
    for _ in 0..2 {
        test.store
            .insert_signals(std::slice::from_ref(&signal))
            .await
            .unwrap();
    }
    let sql = "SELECT ?fields FROM signals FINAL";
    let rows = test
        .client()
        .query(sql)
        .fetch_all::<SignalRow>()
        .await
        .unwrap();
    assert_eq!(rows, [SignalRow::of(&signal)]);
    test.close().await;
}

#[tokio::test]
async fn the_ledger_and_the_journal_read_back() {
    let Some(test) = TestStore::open().await else {
        return;
    };
    let at = Timestamp::from_secs(NOW_SECS);
    let notification = Notification {
        id: "msg_1".to_owned(),
        finding_id: finding(1).id,
        receiver: "on-call".to_owned(),
        channel: "webhook".to_owned(),
        occasion: "opened".to_owned(),
        group: String::new(),
        step: 0,
        begun_at: at,
        severity: Severity::Critical,
        at,
        attempts: 3,
        result: NotificationResult::Failed,
        reason: "it's \"down\"\n".to_owned(),
    };
    let response = Response {
        id: "rsp_1".to_owned(),
        finding_id: finding(1).id,
        token_id: token(1),
        action: ResponseAction::Revoke,
        target: "gateway".to_owned(),
        mode: ResponseMode::Enforce,
        at,
        result: ResponseResult::Delivered,
        reason: String::new(),
        details: ResponseDetails::default(),
    };
    for _ in 0..2 {
        test.store
            .insert_notifications(std::slice::from_ref(&notification))
            .await
            .unwrap();
        test.store
            .insert_responses(std::slice::from_ref(&response))
            .await
            .unwrap();
    }
    let query = test
        .client()
        .query("SELECT ?fields FROM notifications FINAL");
    let rows = query.fetch_all::<NotificationRow>().await.unwrap();
    let rows: Vec<_> = rows
        .into_iter()
        .map(|row| row.into_notification().unwrap())
        .collect();
    assert_eq!(rows, [notification]);
    let query = test.client().query("SELECT ?fields FROM responses FINAL");
    let rows = query.fetch_all::<ResponseRow>().await.unwrap();
    let rows: Vec<_> = rows
        .into_iter()
        .map(|row| row.into_response().unwrap())
        .collect();
    assert_eq!(rows, [response]);
    test.close().await;
}

#[tokio::test]
async fn what_people_write_reads_back() {
    let Some(test) = TestStore::open().await else {
        return;
    };
    let at = NOW_SECS * 1_000_000;
    let verdict = VerdictRow {
        finding_id: "fnd_1".into(),
        at,
        actor: "ann".into(),
        verdict: "benign".into(),
        note: "a 'test'".into(),
    };
    let silence = SilenceRow {
        id: "s".into(),
        version: 1,
        starts_at: at,
        ends_at: at,
        created_by: "ann".into(),
        reason: "migration".into(),
        matchers: "[]".into(),
    };
    let audit = AuditRow {
        at,
        actor: "ann".into(),
        action: "login".into(),
        subject: "ann".into(),
        detail: String::new(),
    };
    let user = UserRow {
        name: "ann".into(),
        password_hash: "$argon2id$…".into(),
        role: "admin".into(),
        created_at: at,
        version: 1,
    };
    test.store
        .insert_verdicts(std::slice::from_ref(&verdict))
        .await
        .unwrap();
    test.store
        .insert_silences(std::slice::from_ref(&silence))
        .await
        .unwrap();
    test.store
        .insert_audit(std::slice::from_ref(&audit))
        .await
        .unwrap();
    test.store
        .insert_users(std::slice::from_ref(&user))
        .await
        .unwrap();
    let client = test.client();
    let rows = client
        .query("SELECT ?fields FROM verdicts")
        .fetch_all::<VerdictRow>();
    assert_eq!(rows.await.unwrap(), [verdict]);
    let rows = client
        .query("SELECT ?fields FROM silences")
        .fetch_all::<SilenceRow>();
    assert_eq!(rows.await.unwrap(), [silence]);
    let rows = client
        .query("SELECT ?fields FROM audit")
        .fetch_all::<AuditRow>();
    assert_eq!(rows.await.unwrap(), [audit]);
    let rows = client
        .query("SELECT ?fields FROM users")
        .fetch_all::<UserRow>();
    assert_eq!(rows.await.unwrap(), [user]);
    test.close().await;
}

#[tokio::test]
async fn migrating_again_changes_nothing_and_a_newer_schema_is_refused() {
    let Some(test) = TestStore::open().await else {
        return;
    };
    let steps = "SELECT count() AS x FROM schema_migrations";
    let before = count(&test, steps).await;
    test.store.migrate().await.unwrap();
    assert_eq!(count(&test, steps).await, before);
    let newer = "INSERT INTO schema_migrations (version, step) VALUES (4000, 0)";
    test.client().query(newer).execute().await.unwrap();
    let error = test.store.migrate().await.unwrap_err();
    assert!(
        matches!(error, StoreError::NewerSchema { found: 4000, .. }),
        "{error}"
    );
    test.close().await;
}

#[tokio::test]
async fn a_migration_that_was_killed_half_way_goes_on() {
    let Some(test) = TestStore::open().await else {
        return;
    };
    for sql in [
        "DROP TABLE verdicts",
        "ALTER TABLE schema_migrations DELETE WHERE step >= 3 SETTINGS mutations_sync = 1",
    ] {
        test.client().query(sql).execute().await.unwrap();
    }
    test.store.migrate().await.unwrap();
    assert_eq!(count(&test, "SELECT count() AS x FROM verdicts").await, 0);
    test.close().await;
}

#[tokio::test]
async fn retention_follows_the_settings() {
    let Some(test) = TestStore::open().await else {
        return;
    };
    let (mut settings, folder) = test.close().await;
    settings.retention.events = Duration::from_hours(24 * 7);
    settings.retention.findings = Duration::from_hours(25);
    let test = TestStore::open_with(settings, folder).await;
    let ttl = |table: &str, ttl: &str| {
        format!(
            "SELECT position(create_table_query, '{ttl}') > 0 AS x FROM system.tables \
             WHERE database = currentDatabase() AND name = '{table}'"
        )
    };
    let events = ttl("events", "TTL toDateTime(ts) + toIntervalDay(7)");
    assert_eq!(count(&test, &events).await, 1);
    let findings = ttl(
        "findings",
        "TTL toDateTime(last_event_at) + toIntervalSecond(90000)",
    );
    assert_eq!(count(&test, &findings).await, 1);
    test.close().await;
}

#[tokio::test]
async fn silences_and_acknowledgements_read_back_as_they_are_now() {
    let Some(test) = TestStore::open().await else {
        return;
    };
    let at = Timestamp::from_secs(NOW_SECS);
    let mut silence = Silence {
        id: "sil_1".to_owned(),
        starts_at: at,
        ends_at: at + Duration::from_hours(2),
        created_by: "ann".to_owned(),
        reason: "it's a \"load test\"".to_owned(),
        matcher: FindingMatcher {
            consumers: vec!["a'b".to_owned()],
            ..FindingMatcher::default()
        },
    };
    let row = SilenceRow::of(&silence, at);
    test.store.insert_silences(&[row]).await.unwrap();
    assert_eq!(test.store.silences(at).await.unwrap(), [silence.clone()]);
    silence.ends_at = at + Duration::from_mins(1);
    let row = SilenceRow::of(&silence, at + Duration::from_secs(30));
    test.store.insert_silences(&[row]).await.unwrap();
    assert_eq!(test.store.silences(at).await.unwrap(), [silence.clone()]);
    let later = at + Duration::from_mins(1);
    assert_eq!(test.store.silences(later).await.unwrap(), []);

    let word = |secs, verdict: &str| VerdictRow {
        finding_id: "inc_1".to_owned(),
        at: (at + Duration::from_secs(secs)).as_micros(),
        actor: "ann".to_owned(),
        verdict: verdict.to_owned(),
        note: String::new(),
    };
    for (secs, said, is_withdrawn) in [
        (1, Word::Acknowledged, false),
        (2, Word::AcknowledgementWithdrawn, true),
        (3, Word::Benign, false),
        (4, Word::Closed, false),
        (5, Word::Reopened, true),
    ] {
        test.store
            .insert_verdicts(&[word(secs, said.name())])
            .await
            .unwrap();
        let words = test.store.acknowledgements(at).await.unwrap();
        assert_eq!(words.len(), 1);
        assert_eq!(words[0].subject, "inc_1");
        assert_eq!(words[0].is_withdrawn, is_withdrawn);
    }
    test.close().await;
}

#[tokio::test]
async fn the_newest_claim_of_each_instance_counts() {
    let Some(test) = TestStore::open().await else {
        return;
    };
    let at = Timestamp::from_secs(NOW_SECS);
    let lease = |holder: &str, secs| Lease {
        holder: holder.to_owned(),
        claimed_at: at,
        held_until: at + Duration::from_secs(secs),
    };
    for (number, claim) in (0..).zip([lease("a", 10), lease("b", 12), lease("a", 20)]) {
        let now = at + Duration::from_secs(number);
        test.store
            .claim_lease("alerting", &claim, now)
            .await
            .unwrap();
    }
    let claims = test.store.leases("alerting").await.unwrap();
    assert_eq!(claims, [lease("a", 20), lease("b", 12)]);
    assert_eq!(test.store.leases("other").await.unwrap(), []);
    test.close().await;
}
