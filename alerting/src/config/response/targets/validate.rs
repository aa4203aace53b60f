//! Targets as they are written to targets as they are used; every problem with its key.

use secrecy::SecretString;
use tokenwatch_model::{Problems, SecretSource};

use super::super::{ResponseConfig, SecretUrl, TargetConfig, UNNAMED_TARGET, UrlKeys, secrets};
use super::{ResponderConfig, TargetKind, TargetSettings};

/// Targets in all.
const TARGETS_LIMIT: usize = 16;

pub(in crate::config::response) fn validate(
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
