//! Targets as they are written to targets as they are used; every problem with its key.

use std::sync::Arc;

use secrecy::SecretString;
use tokenwatch_model::{Problems, SecretSource};

use super::super::{ResponseConfig, SecretUrl, TargetConfig, UNNAMED_TARGET, UrlKeys, secrets};
use super::{ResponderConfig, TargetKind, TargetSettings, deny_list, ssf};
use crate::ssf::SsfSettings;

/// Targets in all.
const TARGETS_LIMIT: usize = 16;

pub(in crate::config::response) fn validate(
    config: &ResponseConfig,
    signer: Option<&Arc<SsfSettings>>,
    secrets: &dyn SecretSource,
    problems: &mut Problems,
) -> Vec<TargetSettings> {
    let mut found = Vec::new();
    if let Some(target) = &config.target {
        let key = "response.target";
        check_name(&target.name, key, problems);
        found.extend(validate_target(target, key, secrets, problems));
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
        let is_list = |target: &ResponderConfig| matches!(target, ResponderConfig::Denylist { .. });
        if is_list(target) && config.targets[..index].iter().any(is_list) {
            problems.add(
                format!("{key}.kind"),
                "is there once: there is one deny list",
            );
        }
        found.extend(validate_responder(target, &key, signer, secrets, problems));
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
    signer: Option<&Arc<SsfSettings>>,
    secrets: &dyn SecretSource,
    problems: &mut Problems,
) -> Option<TargetSettings> {
    check_name(config.name(), key, problems);
    match config {
        ResponderConfig::Webhook(target) => validate_target(target, key, secrets, problems),
        ResponderConfig::Denylist { .. } => deny_list::validate(config, key, secrets, problems)
            .map(|settings| TargetSettings {
                name: config.name().into(),
                kind: TargetKind::DenyList(settings),
                allow_private: false,
            }),
        ResponderConfig::Ssf { allow_private, .. } => {
            let receiver = ssf::validate(config, key, signer, secrets, problems);
            receiver.map(|receiver| TargetSettings {
                name: config.name().into(),
                kind: TargetKind::Ssf(receiver),
                allow_private: *allow_private,
            })
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
    let (url, url_env, url_file) = (&target.url, &target.url_env, &target.url_file);
    let keys = UrlKeys::one_of(url, url_env, url_file);
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

fn check_name(name: &str, key: &str, problems: &mut Problems) {
    if name.is_empty() {
        problems.add(format!("{key}.name"), "must not be empty");
    }
}

/// Reads the secret of a name, by its `_env` or its `_file`.
type ReadSecret<'r> =
    dyn FnMut(&str, &Option<String>, &Option<String>) -> Option<SecretString> + 'r;

/// The targets that are asked by their own APIs.
fn validate_api(
    config: &ResponderConfig,
    key: &str,
    secrets: &dyn SecretSource,
    problems: &mut Problems,
) -> Option<TargetSettings> {
    let (at, allow_private) = config.endpoint()?;
    let url = secrets::url(key, UrlKeys::plain(at), allow_private, secrets, problems);
    let mut secret = |name: &str, env: &Option<String>, file: &Option<String>| {
        secret(
            key,
            name,
            (env.as_deref(), file.as_deref()),
            secrets,
            problems,
        )
    };
    let kind = api_kind(config, url, &mut secret)?;
    Some(TargetSettings {
        name: config.name().into(),
        kind,
        allow_private,
    })
}

/// What a target is, with its secrets.
fn api_kind(
    config: &ResponderConfig,
    url: Option<SecretUrl>,
    secret: &mut ReadSecret<'_>,
) -> Option<TargetKind> {
    use ResponderConfig as Of;
    Some(match config {
        // They are checked by themselves.
        Of::Webhook(_) | Of::Denylist { .. } | Of::Ssf { .. } => return None,
        Of::Kong {
            token_env: env,
            token_file: file,
            credential,
            ..
        } => TargetKind::Kong {
            token: match (env, file) {
                (None, None) => None,
                _ => Some(secret("token", env, file)?),
            },
            url: url?,
            credential: *credential,
        },
        Of::Apisix {
            key_env, key_file, ..
        } => TargetKind::Apisix {
            key: secret("key", key_env, key_file)?,
            url: url?,
        },
        Of::Oauth {
            client_id,
            client_secret_env: env,
            client_secret_file: file,
            ..
        } => TargetKind::Oauth {
            client_secret: secret("client_secret", env, file)?,
            client_id: client_id.clone(),
            url: url?,
        },
        Of::Keycloak {
            realm,
            client_id,
            client_secret_env: env,
            client_secret_file: file,
            ..
        } => TargetKind::Keycloak {
            client_secret: secret("client_secret", env, file)?,
            client_id: client_id.clone(),
            realm: realm.clone(),
            url: url?,
        },
        Of::Aws {
            region,
            access_key_id,
            secret_access_key_env: env,
            secret_access_key_file: file,
            quarantine_policy,
            ..
        } => TargetKind::Aws {
            secret_access_key: secret("secret_access_key", env, file)?,
            access_key_id: access_key_id.clone(),
            region: region.clone(),
            quarantine_policy: quarantine_policy.clone(),
            url: url?,
        },
    })
}

/// The secret that `name` + `_env` or `_file` below `key` names.
fn secret(
    key: &str,
    name: &str,
    (env, file): (Option<&str>, Option<&str>),
    secrets: &dyn SecretSource,
    problems: &mut Problems,
) -> Option<SecretString> {
    let key = format!("{key}.{name}");
    if env.is_none() && file.is_none() {
        let message = format!("is needed: {name}_env = \"NAME\" or {name}_file = \"path\"");
        problems.add(key, message);
        return None;
    }
    secrets::secret(&key, env, file, secrets, problems)
}
