//! Keeps the deny list as the journal has it, and looks up under which other names its tokens go.
//!
//! What this instance does is on the list at once. What another one did is found here within two seconds, and so is what was there
//! before the start.

use std::time::Duration;

use tokenwatch_alerting::{AlertingMetrics, DenyList};
use tokenwatch_model::{Clock, Timestamp};
use tokenwatch_store::{Store, StoreError};

/// How often the journal is read.
const EVERY: Duration = Duration::from_secs(2);
/// Lines become visible in the order of their inserts, which may not be that of their times.
const SPAN: Duration = Duration::from_mins(10);
/// Other names of a token are looked up at once, and again so often for so long: a call that names them may still be on its way.
const NAMES_EVERY: Duration = Duration::from_mins(1);
const NAMES_FOR: Duration = Duration::from_hours(1);

/// Follows the journal of `target` until it is dropped.
pub(crate) async fn follow(
    list: DenyList,
    target: String,
    store: Store,
    metrics: AlertingMetrics,
    clock: Clock,
) {
    let mut since = None;
    let mut named_at = Timestamp::default();
    loop {
        let now = clock.now();
        match read(&list, &target, &store, since).await {
            Ok(refused) => {
                since = Some(now - SPAN);
                metrics.deny_list_lost(refused);
            }
            Err(error) => tracing::warn!(%error, "the deny list could not be brought up to date"),
        }
        list.sweep(now);
        let is_again = now.since(named_at) >= NAMES_EVERY;
        let newer_than = if is_again { now - NAMES_FOR } else { now };
        match look_up_names(&list, &store, newer_than).await {
            Ok(()) if is_again => named_at = now,
            Ok(()) => {}
            Err(error) => tracing::warn!(%error, "other names of denied tokens could not be read"),
        }
        metrics.deny_list_holds(list.count());
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = list.changed() => {}
        }
    }
}

/// Takes in the lines since `since`, or all; tells how many did not fit.
async fn read(
    list: &DenyList,
    target: &str,
    store: &Store,
    since: Option<Timestamp>,
) -> Result<usize, StoreError> {
    let lines = store
        .responses_of_target(target, since.unwrap_or_default())
        .await?;
    let refused = list.take_in(&lines, since.is_none());
    if refused > 0 {
        tracing::error!(
            batch.rows = refused,
            "the deny list is full: these tokens are not denied"
        );
    }
    Ok(refused)
}

/// Under which other names the tokens go that came after `newer_than`, or have none yet.
async fn look_up_names(
    list: &DenyList,
    store: &Store,
    newer_than: Timestamp,
) -> Result<(), StoreError> {
    let tokens = list.to_be_named(newer_than);
    let mut names = store.other_names(&tokens).await?;
    for token in tokens {
        list.name(token, &names.remove(&token).unwrap_or_default());
    }
    Ok(())
}
