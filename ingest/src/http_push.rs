//! The HTTP source: events pushed with `POST /ingest/v1/events`, answered once they are durable.
//!
//! The body is lines (NDJSON or any log format) or a JSON array whose elements become records as they were written.
//! Nothing is decoded here: the lines go to a spool on disk, which a file source reads, or to a Kafka topic, which the
//! Kafka source reads, so positions, replays and exactly-once work as for every other source.

mod auth;
mod body;
mod config;
mod problem;
mod producer;
mod spool;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use tokio::sync::Semaphore;

pub use auth::PushKey;
pub use config::{
    HttpPushConfig, HttpPushSettings, PushKeyConfig, PushSinkSettings, PushTarget, SpoolSettings,
};
pub use producer::EventProducer;
pub use spool::{Spool, SpoolWriter};

use crate::source_metrics::PushMetrics;
use problem::Refusal;

/// Where pushed events are made durable.
#[derive(Clone)]
pub enum PushSink {
    /// On the local disk.
    Spool(Spool),
    /// In a Kafka topic.
    Kafka(EventProducer),
}

struct Push {
    settings: HttpPushSettings,
    sink: PushSink,
    metrics: PushMetrics,
    permits: Semaphore,
}

/// The router of the HTTP source, to be merged into the service's.
pub fn push_router(settings: HttpPushSettings, sink: PushSink, metrics: PushMetrics) -> Router {
    let push = Push {
        permits: Semaphore::new(settings.concurrent_requests_limit),
        settings,
        sink,
        metrics,
    };
    Router::new()
        .route("/ingest/v1/events", post(answer))
        .with_state(Arc::new(push))
}

async fn answer(State(push): State<Arc<Push>>, request: Request) -> Response {
    match push.take(request).await {
        Ok(count) => {
            push.metrics.accepted.inc();
            push.metrics.records.inc_by(count as u64);
            axum::Json(serde_json::json!({ "accepted": count })).into_response()
        }
        Err(refusal) => {
            match refusal {
                Refusal::Full | Refusal::Failed => push.metrics.failed.inc(),
                _ => push.metrics.refused.inc(),
            };
            refusal.into_response()
        }
    }
}

impl Push {
    /// The number of records that are durable now.
    async fn take(&self, request: Request) -> Result<usize, Refusal> {
        let (parts, body) = request.into_parts();
        let settings = &self.settings;
        let key = auth::find_key(&parts.headers, &settings.keys).ok_or(Refusal::Unauthorised)?;
        let encoding = body::check_headers(&parts.headers, settings.body_bytes_limit)?;
        let _permit = self.permits.try_acquire().map_err(|_| Refusal::TooMany)?;
        let body = body::read(body, settings.body_bytes_limit, settings.body_timeout).await?;
        let limit = settings.inflated_bytes_limit;
        // Decompressing and splitting megabytes takes too long for the threads that serve requests.
        let lines = tokio::task::spawn_blocking(move || body::to_lines(body, encoding, limit))
            .await
            .map_err(|_| Refusal::Failed)??;
        let count = lines.count;
        if count > 0 {
            match &self.sink {
                PushSink::Spool(spool) => spool.append(lines.bytes).await?,
                PushSink::Kafka(producer) => producer.append(&lines).await?,
            }
        }
        tracing::debug!(push.key = key.name(), batch.rows = count, "events pushed");
        Ok(count)
    }
}
