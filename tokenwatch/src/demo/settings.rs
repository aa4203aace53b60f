//! The demo's configuration: a text as an operator would write it, and the secrets that it names.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fastrand::Rng;
use secrecy::SecretString;
use tokenwatch_model::SecretSource;

use super::fleet::{self, Member};
use crate::config::{self, ConfigError, Settings};

const PUSH_KEY: &str = "DEMO_PUSH_KEY";
const REVOKE_SECRET: &str = "DEMO_REVOKE_SECRET";
/// Standard Webhooks asks for 24 to 64 bytes.
const WEBHOOK_SECRET_BYTES: usize = 32;

/// The text and the secrets.
pub(super) struct DemoSettings {
    text: String,
    push_key: String,
    webhook_secret: Vec<u8>,
}

/// Secrets that exist for the demo alone.
struct DemoSecrets(HashMap<&'static str, String>);

impl DemoSettings {
    /// Everything below `folder`, the console on `listen`, revocations to `gateway`.
    pub(super) fn new(
        folder: &Path,
        listen: SocketAddr,
        gateway: SocketAddr,
        fleet: &[Member],
        rng: &mut Rng,
    ) -> Self {
        let consumers: Vec<&str> = fleet
            .iter()
            .map(|member| member.consumer.as_str())
            .collect();
        let text = format!(
            r#"
[log]
level = "warn"

[ingest]
data_dir = {data:?}

[ingest.http_push]
enabled = true
keys = [{{ name = "gateways", key_env = "{PUSH_KEY}" }}]

[store.embedded]
path = {clickhouse:?}

[dashboards]
listen = "{listen}"

[detectors.out_of_scope]
privileged = ["/v1/admin/{{*rest}}"]

[[detectors.out_of_scope.policies]]
consumers = {consumers:?}
allow = [
  {{ methods = ["GET", "POST"], routes = ["/v1/orders", "/v1/orders/{{id}}"] }},
  {{ methods = ["GET"], routes = ["/v1/invoices/{{id}}", "/v1/customers/{{id}}", "/v1/catalog", "/v1/shipments/{{id}}"] }},
  {{ methods = ["PUT"], routes = ["/v1/stock/{{id}}"] }},
]

[[alerting.receivers]]
kind = "log"
name = "log"
file = {alerts:?}

[[alerting.routes]]
severity = "low"
receivers = ["log"]

[alerting.response]
mode = "enforce"

[alerting.response.target]
name = "gateways"
url = "http://{gateway}/revoke"
secret_env = ["{REVOKE_SECRET}"]
allow_private = true
undo = true

[[alerting.response.rules]]
name = "stolen"
action = "revoke"

[[alerting.response.rules]]
name = "out of bounds"
severity = "medium"
detectors = ["out_of_scope"]
action = "suspend"
lasts = "1h"
hold = "30m"
"#,
            data = folder.display().to_string(),
            clickhouse = folder.join("clickhouse").display().to_string(),
            alerts = folder.join("alerts.ndjson").display().to_string(),
        );
        let webhook_secret = (0..WEBHOOK_SECRET_BYTES).map(|_| rng.u8(..)).collect();
        Self {
            text,
            push_key: fleet::text(rng, 40),
            webhook_secret,
        }
    }

    /// The settings that `tokenwatch run` would have with this text.
    pub(super) fn settings(&self) -> Result<Settings, ConfigError> {
        let secrets = DemoSecrets(HashMap::from([
            (PUSH_KEY, self.push_key.clone()),
            (
                REVOKE_SECRET,
                format!("whsec_{}", STANDARD.encode(&self.webhook_secret)),
            ),
        ]));
        config::parse("demo", &self.text, &secrets)
    }

    /// What the gateways ship their logs with.
    pub(super) fn push_key(&self) -> String {
        self.push_key.clone()
    }

    /// What the gateways believe revocations by.
    pub(super) fn webhook_secret(&self) -> Vec<u8> {
        self.webhook_secret.clone()
    }
}

impl SecretSource for DemoSecrets {
    fn env(&self, name: &str) -> Option<SecretString> {
        self.0.get(name).cloned().map(SecretString::from)
    }

    fn file(&self, path: &str) -> Result<SecretString, String> {
        Err(format!("{path}: the demo keeps no secrets in files"))
    }
}
