//! `[alerting.response.target]` and `[[alerting.response.targets]]`: those that are asked to act, by `kind`.

use std::sync::Arc;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use tokenwatch_model::{Problems, ResponseAction, SecretSource};

use super::{
    ResponseConfig, SecretUrl, SigningSecret, TargetConfig, UNNAMED_TARGET, UrlKeys, secrets,
};

/// Targets in all.
const TARGETS_LIMIT: usize = 16;

/// One target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum ResponderConfig {
    /// A webhook signed like every other.
    Webhook {
        /// What the journal calls it. A finding is answered once per name.
        name: String,
        /// Its URL.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        url: Option<String>,
        /// The environment variable that holds its URL.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        url_env: Option<String>,
        /// The file that holds its URL.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        url_file: Option<String>,
        /// Environment variables with signing secrets; all sign.
        #[serde(default)]
        secret_env: Vec<String>,
        /// Files with signing secrets; all sign.
        #[serde(default)]
        secret_file: Vec<String>,
        /// Whether it may have a private address, and be reached by http.
        #[serde(default)]
        allow_private: bool,
        /// Whether it takes `token.restore`, which takes back what it did.
        #[serde(default)]
        undo: bool,
    },
    /// Kong's Admin API.
    Kong {
        /// What the journal calls it.
        name: String,
        /// Where the Admin API is, with the workspace if there is one.
        url: String,
        /// The environment variable that holds the admin token, if it wants one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token_env: Option<String>,
        /// The file that holds it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token_file: Option<String>,
        /// What its credentials are.
        #[serde(default)]
        credential: KongCredential,
        /// Whether it may have a private address, and be reached by http.
        #[serde(default)]
        allow_private: bool,
    },
    /// APISIX's Admin API.
    Apisix {
        /// What the journal calls it.
        name: String,
        /// Where the Admin API is.
        url: String,
        /// The environment variable that holds the admin key.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key_env: Option<String>,
        /// The file that holds it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key_file: Option<String>,
        /// Whether it may have a private address, and be reached by http.
        #[serde(default)]
        allow_private: bool,
    },
    /// A revocation endpoint (RFC 7009).
    Oauth {
        /// What the journal calls it.
        name: String,
        /// The endpoint.
        url: String,
        /// Who asks.
        client_id: String,
        /// The environment variable that holds the client's secret.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        client_secret_env: Option<String>,
        /// The file that holds it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        client_secret_file: Option<String>,
        /// Whether it may have a private address, and be reached by http.
        #[serde(default)]
        allow_private: bool,
    },
    /// Keycloak's admin API.
    Keycloak {
        /// What the journal calls it.
        name: String,
        /// Where Keycloak is.
        url: String,
        /// The realm of the clients, and of the one that asks.
        realm: String,
        /// Who asks: a client with a service account that may manage clients.
        client_id: String,
        /// The environment variable that holds the client's secret.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        client_secret_env: Option<String>,
        /// The file that holds it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        client_secret_file: Option<String>,
        /// Whether it may have a private address, and be reached by http.
        #[serde(default)]
        allow_private: bool,
    },
    /// AWS access keys.
    Aws {
        /// What the journal calls it.
        name: String,
        /// Where IAM is.
        #[serde(default = "iam_url")]
        url: String,
        /// IAM's region for signatures.
        #[serde(default = "iam_region")]
        region: String,
        /// Who asks.
        access_key_id: String,
        /// The environment variable that holds the secret access key.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        secret_access_key_env: Option<String>,
        /// The file that holds it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        secret_access_key_file: Option<String>,
        /// The ARN of the policy that is attached to the user of a revoked key.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        quarantine_policy: Option<String>,
        /// Whether it may have a private address, and be reached by http.
        #[serde(default)]
        allow_private: bool,
    },
}

/// What Kong calls a credential of each kind in its paths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KongCredential {
    /// API keys.
    #[default]
    KeyAuth,
    /// Keys of JWTs.
    Jwt,
    /// OAuth 2.0 applications.
    Oauth2,
    /// Names and passwords.
    BasicAuth,
    /// HMAC signatures.
    HmacAuth,
}

fn iam_url() -> String {
    "https://iam.amazonaws.com/".to_owned()
}

fn iam_region() -> String {
    "us-east-1".to_owned()
}

/// A target, checked.
#[derive(Clone, Debug)]
pub struct TargetSettings {
    /// What the journal calls it.
    pub name: Arc<str>,
    /// What it is.
    pub kind: TargetKind,
    /// Whether its address may be a private one.
    pub allow_private: bool,
}

/// What a target is.
#[derive(Clone, Debug)]
pub enum TargetKind {
    /// There is none: a dry run without a target.
    None,
    /// A signed webhook.
    Webhook {
        /// Where it is.
        url: SecretUrl,
        /// What requests are signed with.
        secrets: Vec<SigningSecret>,
        /// Whether it takes `token.restore`.
        undo: bool,
    },
    /// Kong's Admin API.
    Kong {
        /// Where it is.
        url: SecretUrl,
        /// The admin token.
        token: Option<SecretString>,
        /// What its credentials are.
        credential: KongCredential,
    },
    /// APISIX's Admin API.
    Apisix {
        /// Where it is.
        url: SecretUrl,
        /// The admin key.
        key: SecretString,
    },
    /// A revocation endpoint (RFC 7009).
    Oauth {
        /// Where it is.
        url: SecretUrl,
        /// Who asks.
        client_id: String,
        /// The client's secret.
        client_secret: SecretString,
    },
    /// Keycloak's admin API.
    Keycloak {
        /// Where it is.
        url: SecretUrl,
        /// The realm.
        realm: String,
        /// Who asks.
        client_id: String,
        /// The client's secret.
        client_secret: SecretString,
    },
    /// AWS access keys.
    Aws {
        /// Where IAM is.
        url: SecretUrl,
        /// IAM's region for signatures.
        region: String,
        /// Who asks.
        access_key_id: String,
        /// The secret half.
        secret_access_key: SecretString,
        /// The policy that is attached to the user of a revoked key.
        quarantine_policy: Option<String>,
    },
}

impl TargetKind {
    /// Whether it can do `action`.
    pub(crate) const fn can(&self, action: ResponseAction) -> bool {
        match self {
            Self::None | Self::Webhook { .. } | Self::Kong { .. } => true,
            Self::Apisix { .. } | Self::Oauth { .. } => matches!(action, ResponseAction::Revoke),
            Self::Keycloak { .. } | Self::Aws { .. } => action.ends_use(),
        }
    }

    /// Whether it can take `action` back.
    pub(crate) const fn can_undo(&self, action: ResponseAction) -> bool {
        match self {
            Self::None => true,
            Self::Webhook { undo, .. } => *undo,
            // A credential that was deleted is gone.
            Self::Kong { .. } => !matches!(action, ResponseAction::Revoke),
            Self::Apisix { .. } | Self::Oauth { .. } => false,
            Self::Keycloak { .. } | Self::Aws { .. } => true,
        }
    }
}

impl ResponderConfig {
    fn name(&self) -> &str {
        match self {
            Self::Webhook { name, .. }
            | Self::Kong { name, .. }
            | Self::Apisix { name, .. }
            | Self::Oauth { name, .. }
            | Self::Keycloak { name, .. }
            | Self::Aws { name, .. } => name,
        }
    }
}

pub(super) fn validate(
    config: &ResponseConfig,
    secrets: &dyn SecretSource,
    problems: &mut Problems,
) -> Vec<TargetSettings> {
    let mut found = Vec::new();
    if let Some(target) = &config.target {
        found.extend(validate_target(
            target,
            "response.target",
            secrets,
            problems,
        ));
    }
    if config.targets.len() > TARGETS_LIMIT {
        let message = format!("has at most {TARGETS_LIMIT} entries");
        problems.add("response.targets", message);
    }
    for (index, target) in config.targets.iter().enumerate() {
        let key = format!("response.targets[{index}]");
        let earlier = config.targets[..index].iter().map(ResponderConfig::name);
        let single = config.target.iter().map(|target| target.name.as_str());
        if earlier.chain(single).any(|name| name == target.name()) {
            let message = format!("{:?} is the name of another target", target.name());
            problems.add(format!("{key}.name"), message);
        }
        found.extend(validate_responder(target, &key, secrets, problems));
    }
    if config.target.is_none() && config.targets.is_empty() {
        found.push(TargetSettings {
            name: UNNAMED_TARGET.into(),
            kind: TargetKind::None,
            allow_private: false,
        });
    }
    found
}

fn validate_responder(
    config: &ResponderConfig,
    key: &str,
    secrets: &dyn SecretSource,
    problems: &mut Problems,
) -> Option<TargetSettings> {
    if config.name().is_empty() {
        problems.add(format!("{key}.name"), "must not be empty");
    }
    match config.clone() {
        ResponderConfig::Webhook {
            name,
            url,
            url_env,
            url_file,
            secret_env,
            secret_file,
            allow_private,
            undo,
        } => {
            let target = TargetConfig {
                name,
                url,
                url_env,
                url_file,
                secret_env,
                secret_file,
                allow_private,
                undo,
            };
            validate_target(&target, key, secrets, problems)
        }
        other => validate_api(other, key, secrets, problems),
    }
}

fn validate_target(
    target: &TargetConfig,
    key: &str,
    secrets: &dyn SecretSource,
    problems: &mut Problems,
) -> Option<TargetSettings> {
    if target.name.is_empty() && key == "response.target" {
        problems.add("response.target.name", "must not be empty");
    }
    let keys = UrlKeys {
        url: target.url.as_deref(),
        url_env: target.url_env.as_deref(),
        url_file: target.url_file.as_deref(),
    };
    let url = secrets::url(key, keys, target.allow_private, secrets, problems);
    let (env, file) = (&target.secret_env, &target.secret_file);
    let signing = secrets::signing_secrets(key, env, file, secrets, problems);
    Some(TargetSettings {
        name: target.name.as_str().into(),
        kind: TargetKind::Webhook {
            url: url?,
            secrets: signing,
            undo: target.undo,
        },
        allow_private: target.allow_private,
    })
}

/// The targets that are asked by their own APIs.
fn validate_api(
    config: ResponderConfig,
    key: &str,
    secrets: &dyn SecretSource,
    problems: &mut Problems,
) -> Option<TargetSettings> {
    let mut keys = ApiKeys {
        key,
        secrets,
        problems,
    };
    let (name, allow_private, kind) = match config {
        // It is signed, and has been read before.
        ResponderConfig::Webhook { .. } => return None,
        ResponderConfig::Kong {
            name,
            url,
            token_env,
            token_file,
            credential,
            allow_private,
        } => {
            let url = keys.url(&url, allow_private);
            let wants_token = token_env.is_some() || token_file.is_some();
            let token = wants_token.then(|| keys.secret("token", token_env, token_file));
            let kind = TargetKind::Kong {
                url: url?,
                token: token.flatten(),
                credential,
            };
            (name, allow_private, kind)
        }
        ResponderConfig::Apisix {
            name,
            url,
            key_env,
            key_file,
            allow_private,
        } => {
            let url = keys.url(&url, allow_private);
            let key = keys.secret("key", key_env, key_file);
            (
                name,
                allow_private,
                TargetKind::Apisix {
                    url: url?,
                    key: key?,
                },
            )
        }
        ResponderConfig::Oauth {
            name,
            url,
            client_id,
            client_secret_env,
            client_secret_file,
            allow_private,
        } => {
            let url = keys.url(&url, allow_private);
            let secret = keys.secret("client_secret", client_secret_env, client_secret_file);
            let kind = TargetKind::Oauth {
                url: url?,
                client_id,
                client_secret: secret?,
            };
            (name, allow_private, kind)
        }
        ResponderConfig::Keycloak {
            name,
            url,
            realm,
            client_id,
            client_secret_env,
            client_secret_file,
            allow_private,
        } => {
            let url = keys.url(&url, allow_private);
            let secret = keys.secret("client_secret", client_secret_env, client_secret_file);
            let kind = TargetKind::Keycloak {
                url: url?,
                realm,
                client_id,
                client_secret: secret?,
            };
            (name, allow_private, kind)
        }
        ResponderConfig::Aws {
            name,
            url,
            region,
            access_key_id,
            secret_access_key_env: env,
            secret_access_key_file: file,
            quarantine_policy,
            allow_private,
        } => {
            let url = keys.url(&url, allow_private);
            let secret = keys.secret("secret_access_key", env, file);
            let kind = TargetKind::Aws {
                url: url?,
                region,
                access_key_id,
                secret_access_key: secret?,
                quarantine_policy,
            };
            (name, allow_private, kind)
        }
    };
    Some(TargetSettings {
        name: name.as_str().into(),
        kind,
        allow_private,
    })
}

/// Reads what an API's target needs.
struct ApiKeys<'k> {
    key: &'k str,
    secrets: &'k dyn SecretSource,
    problems: &'k mut Problems,
}

impl ApiKeys<'_> {
    fn url(&mut self, url: &str, allow_private: bool) -> Option<SecretUrl> {
        let keys = UrlKeys {
            url: Some(url),
            url_env: None,
            url_file: None,
        };
        secrets::url(self.key, keys, allow_private, self.secrets, self.problems)
    }

    /// The secret that `name` + `_env` or `_file` names.
    fn secret(
        &mut self,
        name: &str,
        env: Option<String>,
        file: Option<String>,
    ) -> Option<SecretString> {
        let key = format!("{}.{name}", self.key);
        if env.is_none() && file.is_none() {
            let message = format!("is needed: {name}_env = \"NAME\" or {name}_file = \"path\"");
            self.problems.add(key, message);
            return None;
        }
        let (env, file) = (env.as_deref(), file.as_deref());
        secrets::secret(&key, env, file, self.secrets, self.problems)
    }
}

impl KongCredential {
    /// As it stands in paths.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::KeyAuth => "key-auth",
            Self::Jwt => "jwt",
            Self::Oauth2 => "oauth2",
            Self::BasicAuth => "basic-auth",
            Self::HmacAuth => "hmac-auth",
        }
    }
}
