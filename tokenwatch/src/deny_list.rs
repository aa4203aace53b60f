//! The deny list towards gateways: they poll it (`feed`), or ask about every request (`check`).
//!
//! What is on the list is alerting's; tokens of requests are named by ingest's code; this module joins the two. `follow` reads the
//! journal at the start, and goes on reading it, because another instance may be the one that responds. Neither a poll nor a question
//! waits for the store.

mod check;
mod feed;
mod follow;
mod key;

use axum::Router;
use tokenwatch_alerting::{
    AlertingMetrics, DenyList, DenyListSettings, ResponseSettings, TargetKind,
};
use tokenwatch_ingest::RequestTokens;
use tokenwatch_model::Clock;

pub(crate) use follow::follow;

/// What a gateway's questions are answered with.
pub(crate) struct Desk {
    pub(crate) list: DenyList,
    pub(crate) settings: DenyListSettings,
    pub(crate) tokens: RequestTokens,
    pub(crate) metrics: AlertingMetrics,
    pub(crate) clock: Clock,
}

/// The target that is the deny list, if there is one: its name in the journal, and its settings.
pub(crate) fn target(settings: &ResponseSettings) -> Option<(&str, &DenyListSettings)> {
    settings
        .targets
        .iter()
        .find_map(|target| match &target.kind {
            TargetKind::DenyList(settings) => Some((&*target.name, settings)),
            _ => None,
        })
}

/// The paths for those whose keys are configured; others are not there.
pub(crate) fn router(desk: Desk) -> Router {
    let feed = feed::router(desk.list.clone(), &desk.settings.feed_keys);
    feed.merge(check::router(desk))
}
