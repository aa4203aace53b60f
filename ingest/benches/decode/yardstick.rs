//! The yardstick: every documented field of a Kong record, typed and owned, as a plain `serde_json` parse gives it.

#![expect(dead_code, reason = "parsed, not read: that is the yardstick")]

use std::collections::HashMap;

use serde::Deserialize;

/// One record; what shorter records lack is optional.
#[derive(Debug, Deserialize)]
pub(crate) struct Record {
    request: Request,
    upstream_uri: Option<String>,
    response: Response,
    #[serde(default)]
    tries: Vec<Try>,
    latencies: Latencies,
    authenticated_entity: Option<Entity>,
    consumer: Option<Consumer>,
    route: Option<Route>,
    service: Option<Service>,
    workspace: Option<String>,
    workspace_name: String,
    client_ip: String,
    started_at: u64,
    source: Option<String>,
    upstream_status: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Request {
    uri: String,
    url: String,
    querystring: HashMap<String, String>,
    method: String,
    headers: HashMap<String, String>,
    size: u64,
    id: String,
    tls: Option<Tls>,
}

#[derive(Debug, Deserialize)]
struct Tls {
    version: String,
    cipher: String,
    client_verify: String,
}

#[derive(Debug, Deserialize)]
struct Response {
    status: u16,
    size: u64,
    headers: HashMap<String, String>,
}

#[derive(Debug, Deserialize)]
struct Try {
    balancer_start: u64,
    balancer_start_ns: f64,
    ip: String,
    balancer_latency: u64,
    port: u16,
    balancer_latency_ns: u64,
}

#[derive(Debug, Deserialize)]
struct Latencies {
    kong: i64,
    proxy: i64,
    request: i64,
    receive: i64,
}

#[derive(Debug, Deserialize)]
struct Entity {
    id: String,
    consumer_id: String,
}

#[derive(Debug, Deserialize)]
struct Consumer {
    id: String,
    username: String,
    custom_id: Option<String>,
    created_at: Option<u64>,
    updated_at: Option<u64>,
    #[serde(default)]
    tags: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Route {
    id: String,
    name: String,
    #[serde(default)]
    paths: Vec<String>,
    #[serde(default)]
    protocols: Vec<String>,
    service: Option<ServiceId>,
    ws_id: Option<String>,
}

#[derive(Debug, Deserialize)]
struct ServiceId {
    id: String,
}

#[derive(Debug, Deserialize)]
struct Service {
    id: String,
    name: String,
    host: String,
    port: u16,
    protocol: Option<String>,
}
