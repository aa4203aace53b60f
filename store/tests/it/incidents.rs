//! Incidents: the newest version counts, lists are filtered and paged, and an older schema gets their columns.

use std::time::Duration;

use tokenwatch_model::{
    Detector, Family, FamilyEvidence, FindingId, FindingStatus, Incident, Severity, Timestamp,
};
use tokenwatch_store::IncidentRow;
use tokenwatch_store::queries::{IncidentFilter, IncidentOrder};
use tokenwatch_store::testing::TestStore;

use crate::fixtures::{NOW_SECS, finding, token};

fn incident(number: u64, revision: u32) -> Incident {
    let finding = finding(1);
    let at = Timestamp::from_secs(NOW_SECS) - Duration::from_mins(number);
    Incident {
        id: format!("inc_{number:026}"),
        revision,
        status: FindingStatus::Open,
        severity: Severity::ALL[number as usize % 5],
        confidence: 0.97,
        evidence_db: 31.5,
        subject: finding.subject,
        token: finding.token,
        first_event_at: at - Duration::from_secs(30),
        last_event_at: at + Duration::from_secs(revision.into()),
        detected_at: at,
        detectors: vec![Detector::RateSpike, Detector::OutOfScope],
        evidence: vec![FamilyEvidence {
            family: Family::Volume,
            detector: Detector::RateSpike,
            db: 18.0,
            hard: false,
        }],
        finding_ids: vec![FindingId::from_bits(5)],
        summary: "Too many calls, and out-of-scope calls".to_owned(),
    }
}

#[tokio::test]
async fn the_highest_revision_of_an_incident_is_the_incident() {
    let Some(test) = TestStore::open().await else {
        return;
    };
    for revision in [1, 3, 2, 3] {
        let versions = [incident(4, revision)];
        test.store.insert_incidents(&versions).await.unwrap();
    }
    let sql = "SELECT ?fields FROM incidents FINAL";
    let rows = test.client().query(sql).fetch_all::<IncidentRow>().await;
    assert_eq!(rows.unwrap(), [IncidentRow::of(&incident(4, 3))]);
    let queries = test.store.queries();
    let read = queries.incident(&incident(4, 1).id).await.unwrap();
    assert_eq!(read, Some(incident(4, 3)));
    assert_eq!(queries.incident("inc_' OR 1").await.unwrap(), None);
    test.store.insert_findings(&[finding(2)]).await.unwrap();
    let findings = queries.findings_by_id(&incident(4, 3).finding_ids).await;
    assert_eq!(findings.unwrap(), [finding(2)]);
    test.close().await;
}

#[tokio::test]
async fn incidents_are_filtered_and_pages_join() {
    let Some(test) = TestStore::open().await else {
        return;
    };
    let mut incidents: Vec<Incident> = (0..10).map(|number| incident(number, 1)).collect();
    incidents[3].status = FindingStatus::Closed;
    incidents[3].detectors = vec![Detector::FailureBurst];
    test.store.insert_incidents(&incidents).await.unwrap();
    let queries = test.store.queries();
    let count = async |filter: IncidentFilter| queries.count_incidents(&filter).await.unwrap();
    let any = IncidentFilter::default;
    let every = any();
    assert_eq!(count(any()).await, 10);
    let severities = vec![Severity::Info, Severity::High];
    assert_eq!(
        count(IncidentFilter {
            severities,
            ..any()
        })
        .await,
        4
    );
    let detectors = vec![Detector::FailureBurst, Detector::NewGeography];
    assert_eq!(count(IncidentFilter { detectors, ..any() }).await, 1);
    let status = Some(FindingStatus::Closed);
    assert_eq!(count(IncidentFilter { status, ..any() }).await, 1);
    let token = Some(token(2));
    assert_eq!(count(IncidentFilter { token, ..any() }).await, 0);
    let q = FindingId::from_bits(5).to_string();
    assert_eq!(count(IncidentFilter { q, ..any() }).await, 10);
    for order in [
        IncidentOrder::Newest,
        IncidentOrder::Gravest,
        IncidentOrder::MostRecent,
    ] {
        let whole = queries.incidents(&every, order, 50, None).await.unwrap();
        let mut joined = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let page = queries.incidents(&every, order, 3, cursor.as_deref());
            let page = page.await.unwrap();
            joined.extend(page.items);
            match page.next_cursor {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
        assert_eq!(joined, whole.items, "{order:?}");
    }
    test.close().await;
}

#[tokio::test]
async fn an_older_table_of_incidents_gets_the_new_columns() {
    let Some(test) = TestStore::open().await else {
        return;
    };
    // As the first schema had it, with the note of the migration gone.
    for sql in [
        "ALTER TABLE incidents DROP COLUMN detected_at, DROP COLUMN detectors, DROP COLUMN summary",
        "ALTER TABLE schema_migrations DELETE WHERE version = 3 SETTINGS mutations_sync = 1",
    ] {
        test.client().query(sql).execute().await.unwrap();
    }
    let (settings, folder) = test.close().await;
    let again = TestStore::open_with(settings, folder).await;
    again
        .store
        .insert_incidents(&[incident(1, 1)])
        .await
        .unwrap();
    let queries = again.store.queries();
    let every = IncidentFilter::default();
    let page = queries.incidents(&every, IncidentOrder::Newest, 5, None);
    assert_eq!(page.await.unwrap().items, [incident(1, 1)]);
    again.close().await;
}
