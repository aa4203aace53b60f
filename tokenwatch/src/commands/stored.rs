//! What `backtest` and `explain` share: the store, opened to be read only, and its events run through an engine.

use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokenwatch_detectors::{Detections, Engine, Registry};
use tokenwatch_model::{AccessEvent, RegistryOrigin};
use tokenwatch_store::{History, Store, StoreMetrics, Target};

use crate::clock;
use crate::config::Settings;
use crate::registry::{self, Keeper, RegistrySettings};
use crate::wiring::Stops;

/// Opens the store that `settings` name and changes nothing in it: no schema, no retention.
pub(super) async fn open(settings: &Settings, stops: &Stops) -> anyhow::Result<Store> {
    if let Target::Embedded(embedded) = &settings.store.target {
        // The engine would make a new, empty one.
        ensure!(
            embedded.path.is_dir(),
            "there is no store at {}",
            embedded.path.display()
        );
    }
    let store = Store::open(
        &settings.store,
        clock::system(),
        StoreMetrics::default(),
        &stops.tasks,
        stops.store.clone(),
    )
    .await
    .context("the store cannot be opened")?;
    if let Err(error) = store.ping().await {
        stops.close().await;
        bail!("the store does not answer: {error}");
    }
    Ok(store)
}

/// The token registry as it was at every time, by what is stored. With `file`, the inventory of these settings counts for all
/// time, instead of what the service had of its own.
pub(super) async fn registry(
    store: &Store,
    file: Option<&RegistrySettings>,
) -> anyhow::Result<Arc<Registry>> {
    let mut versions = store
        .registrations()
        .await
        .context("the token registry could not be read")?;
    if let Some(settings) = file {
        versions.retain(|version| version.origin != RegistryOrigin::File);
        versions.extend(registry::file_versions(settings)?);
        versions.sort_by_key(|version| version.since);
    }
    // Stored events have their tokens' own ids already.
    Ok(Keeper::new(versions, 0.0, None).registry())
}

/// Runs the events of `history` through `engine`; `take` gets what each batch led to.
pub(super) async fn run_through(
    history: &mut History,
    engine: &mut Engine,
    take: &mut dyn FnMut(&[AccessEvent<'static>], Detections),
) -> anyhow::Result<()> {
    let bar = progress(history.event_count());
    while let Some(events) = history
        .next_batch()
        .await
        .context("stored events could not be read")?
    {
        let mut detections = Detections::default();
        tokio::task::block_in_place(|| engine.process(&events, &mut detections));
        bar.inc(events.len() as u64);
        take(&events, detections);
    }
    bar.finish_and_clear();
    Ok(())
}

/// A bar over `events` on standard error, if that is a terminal.
pub(super) fn progress(events: u64) -> ProgressBar {
    let bar = ProgressBar::new(events);
    bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(5));
    let style = "{wide_bar} {human_pos}/{human_len} events, {per_sec} {eta}";
    bar.set_style(ProgressStyle::with_template(style).expect("the template is valid"));
    bar
}
