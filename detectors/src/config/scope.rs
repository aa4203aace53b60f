//! What an operator writes about what tokens call: `[detectors.out_of_scope]`, `[detectors.new_endpoint]`,
//! `[detectors.privilege_use]` and `[detectors.endpoint_enumeration]`.

use serde::{Deserialize, Serialize};
use tokenwatch_model::Problems;

use super::DetectorMode;
use crate::route_pattern::RoutePattern;

/// `[detectors.out_of_scope]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OutOfScopeConfig {
    /// What it may do.
    pub mode: DetectorMode,
    /// Routes that make a call out of scope grave.
    pub privileged: Vec<String>,
    /// What consumers and tokens may call. One without any policy may call everything.
    pub policies: Vec<PolicyConfig>,
    /// What OAuth scopes allow, for tokens without a policy of their own.
    pub scopes: Vec<ScopeConfig>,
    /// OpenAPI documents; whoever reads the configuration adds their operations to `operations`.
    pub openapi: Vec<OpenApiConfig>,
    /// Which scopes single operations require, for tokens without a policy of their own.
    pub operations: Vec<OperationConfig>,
}

/// `[[detectors.out_of_scope.openapi]]`: an OpenAPI 3 document.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OpenApiConfig {
    /// The document, YAML or JSON.
    pub file: String,
    /// Where the API begins, instead of the paths of the document's servers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_path: Option<String>,
    /// Hosts that it is the document of; every one if empty.
    pub hosts: Vec<String>,
    /// What a list of scopes in the document means.
    pub requires: RequiredScopes,
}

/// What a list of scopes in an OpenAPI document means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequiredScopes {
    /// All of them are required, as OpenAPI has it.
    #[default]
    All,
    /// One of them is enough, as many documents mean it.
    Any,
}

/// `[[detectors.out_of_scope.operations]]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OperationConfig {
    /// The HTTP method.
    pub method: String,
    /// Its path, such as `/v1/orders/{id}`.
    pub path: String,
    /// Hosts that it is on; every one if empty.
    pub hosts: Vec<String>,
    /// Sets of scopes, of which a token must have one whole; none are needed if empty.
    pub requires: Vec<Vec<String>>,
}

/// `[[detectors.out_of_scope.policies]]`: several that name the same token add up.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PolicyConfig {
    /// Consumers by name.
    pub consumers: Vec<String>,
    /// Tokens by `tok_…` or by the gateway's name of the credential.
    pub tokens: Vec<String>,
    /// What they may call; nothing if empty.
    pub allow: Vec<AllowConfig>,
}

/// Methods and routes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AllowConfig {
    /// HTTP methods; every one if empty.
    pub methods: Vec<String>,
    /// Path patterns such as `/v1/orders/{id}` and `/v1/orders/{*rest}`, or names of the gateway's routes.
    pub routes: Vec<String>,
}

/// `[[detectors.out_of_scope.scopes]]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScopeConfig {
    /// The scope as the token carries it.
    pub scope: String,
    /// What it allows.
    pub allow: Vec<AllowConfig>,
}

/// `[detectors.new_endpoint]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NewEndpointConfig {
    /// What it may do; it never has findings of its own.
    pub mode: DetectorMode,
    /// Surprise, in decibans, from which a new endpoint is a signal.
    pub signal_db: f64,
}

/// `[detectors.privilege_use]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PrivilegeUseConfig {
    /// What it may do.
    pub mode: DetectorMode,
    /// Whether the words of a path and the names of cloud APIs' actions tell privileged calls.
    pub built_in: bool,
    /// Further privileged routes, as patterns.
    pub routes: Vec<String>,
    /// Secrets read within ten minutes that need no habit to be many.
    pub secrets_burst: u32,
}

/// `[detectors.endpoint_enumeration]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EndpointEnumerationConfig {
    /// What it may do.
    pub mode: DetectorMode,
    /// Fewer different endpoints or objects than this in an hour never matter.
    pub floor: u32,
    /// Nor do fewer than this many times those of a usual day's busiest hour.
    pub ratio: f64,
    /// Different objects in an hour from which a walk from id to id counts.
    pub walk_objects: u32,
    /// Share of steps of at most ten ids that makes a walk.
    pub walk_share: f64,
    /// Different paths that are forbidden or not found in an hour, which need no habit to be a sweep.
    pub failing_paths: u32,
    /// Share of the hour's calls that must fail for that.
    pub failing_share: f64,
    /// New reading actions of a cloud API within ten minutes that are a sweep.
    pub sweep_actions: u32,
    /// Services that they must belong to.
    pub sweep_services: u32,
}

impl Default for OutOfScopeConfig {
    fn default() -> Self {
        let privileged = [
            "/admin/{*rest}",
            "/{version}/admin/{*rest}",
            "/internal/{*rest}",
        ];
        Self {
            mode: DetectorMode::On,
            privileged: privileged.map(str::to_owned).to_vec(),
            policies: Vec::new(),
            scopes: Vec::new(),
            openapi: Vec::new(),
            operations: Vec::new(),
        }
    }
}

impl Default for NewEndpointConfig {
    fn default() -> Self {
        Self {
            mode: DetectorMode::On,
            signal_db: 10.0,
        }
    }
}

impl Default for PrivilegeUseConfig {
    fn default() -> Self {
        Self {
            mode: DetectorMode::On,
            built_in: true,
            routes: Vec::new(),
            secrets_burst: 10,
        }
    }
}

impl Default for EndpointEnumerationConfig {
    fn default() -> Self {
        Self {
            mode: DetectorMode::On,
            floor: 30,
            ratio: 3.0,
            walk_objects: 40,
            walk_share: 0.85,
            failing_paths: 40,
            failing_share: 0.5,
            sweep_actions: 12,
            sweep_services: 4,
        }
    }
}

impl PrivilegeUseConfig {
    /// The patterns; what is wrong with them goes to `problems`.
    pub(super) fn compile(&self, problems: &mut Problems) -> Vec<RoutePattern> {
        if self.secrets_burst == 0 {
            problems.add("privilege_use.secrets_burst", "must be at least 1");
        }
        let mut patterns = Vec::with_capacity(self.routes.len());
        for (index, route) in self.routes.iter().enumerate() {
            match RoutePattern::compile(route) {
                Ok(pattern) => patterns.push(pattern),
                Err(why) => problems.add(format!("privilege_use.routes[{index}]"), why),
            }
        }
        patterns
    }
}

impl EndpointEnumerationConfig {
    /// Adds what is wrong to `problems`.
    pub(super) fn check(&self, problems: &mut Problems) {
        let name = |key: &str| format!("endpoint_enumeration.{key}");
        for (key, count) in [
            ("floor", self.floor),
            ("walk_objects", self.walk_objects),
            ("failing_paths", self.failing_paths),
            ("sweep_actions", self.sweep_actions),
            ("sweep_services", self.sweep_services),
        ] {
            if count == 0 {
                problems.add(name(key), "must be at least 1");
            }
        }
        for (key, share) in [
            ("walk_share", self.walk_share),
            ("failing_share", self.failing_share),
        ] {
            if !(0.0..=1.0).contains(&share) {
                problems.add(name(key), "must lie between 0 and 1");
            }
        }
        if !(1.0..=1e6).contains(&self.ratio) {
            problems.add(name("ratio"), "must lie between 1 and 1,000,000");
        }
    }
}
