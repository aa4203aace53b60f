//! `kind = "denylist"`: who may read the list, who may ask about requests, and how those requests tell what is in them.

use secrecy::{ExposeSecret as _, SecretString};
use tokenwatch_model::{Format, Problems, SecretSource};

use super::super::secrets;
use super::ResponderConfig;

/// Shorter keys can be guessed.
const KEY_BYTES_MIN: usize = 16;

/// The deny list, checked.
#[derive(Clone, Debug)]
pub struct DenyListSettings {
    /// The keys of those that may read the list; without any, nobody may.
    pub feed_keys: Vec<SecretString>,
    /// The keys of those that may ask about requests; without any, nobody may.
    pub check_keys: Vec<SecretString>,
    /// As which format's gateway names credentials and consumers.
    pub format: Format,
    /// The header in which the gateway tells the client's address.
    pub client_address_header: String,
    /// The header in which it names the credential.
    pub credential_id_header: Option<String>,
    /// The header in which it names the consumer.
    pub consumer_header: Option<String>,
    /// What a throttled request is answered.
    pub throttled_status: u16,
}

pub(super) fn usual_format() -> Format {
    Format::Nginx
}

pub(super) fn usual_address_header() -> String {
    "x-real-ip".to_owned()
}

pub(super) fn usual_throttled_status() -> u16 {
    403
}

pub(super) fn validate(
    config: &ResponderConfig,
    key: &str,
    secrets: &dyn SecretSource,
    problems: &mut Problems,
) -> Option<DenyListSettings> {
    let ResponderConfig::Denylist {
        name: _,
        feed_key_env,
        feed_key_file,
        check_key_env,
        check_key_file,
        format,
        client_address_header,
        credential_id_header,
        consumer_header,
        throttled_status,
    } = config
    else {
        return None;
    };
    let feed_keys = keys(
        key,
        "feed_key",
        (feed_key_env, feed_key_file),
        secrets,
        problems,
    );
    let check_keys = keys(
        key,
        "check_key",
        (check_key_env, check_key_file),
        secrets,
        problems,
    );
    let given = [feed_key_env, feed_key_file, check_key_env, check_key_file];
    if given.into_iter().all(Vec::is_empty) {
        let message = "needs feed_key_env or feed_key_file for those that poll it, or check_key_env or check_key_file for those \
                       that ask about requests";
        problems.add(key, message);
    }
    let headers = [
        ("client_address_header", Some(client_address_header)),
        ("credential_id_header", credential_id_header.as_ref()),
        ("consumer_header", consumer_header.as_ref()),
    ];
    for (field, header) in headers {
        let is_name = |name: &String| {
            let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
            !name.is_empty() && name.bytes().all(is_allowed)
        };
        if header.is_some_and(|name| !is_name(name)) {
            problems.add(format!("{key}.{field}"), "is not the name of a header");
        }
    }
    if ![403, 429].contains(throttled_status) {
        problems.add(format!("{key}.throttled_status"), "must be 403 or 429");
    }
    Some(DenyListSettings {
        feed_keys,
        check_keys,
        format: *format,
        client_address_header: client_address_header.clone(),
        credential_id_header: credential_id_header.clone(),
        consumer_header: consumer_header.clone(),
        throttled_status: *throttled_status,
    })
}

/// The keys that `name` + `_env` and `_file` below `key` list.
fn keys(
    key: &str,
    name: &str,
    (env, file): (&[String], &[String]),
    secrets: &dyn SecretSource,
    problems: &mut Problems,
) -> Vec<SecretString> {
    let mut found = Vec::new();
    let mut take = |key: String, secret: Option<SecretString>, problems: &mut Problems| {
        let Some(secret) = secret else { return };
        if secret.expose_secret().trim().len() < KEY_BYTES_MIN {
            problems.add(
                key,
                format!("must have at least {KEY_BYTES_MIN} characters"),
            );
        }
        found.push(secret);
    };
    for (index, variable) in env.iter().enumerate() {
        let key = format!("{key}.{name}_env[{index}]");
        let secret = secrets::from_env(&key, variable, secrets, problems);
        take(key, secret, problems);
    }
    for (index, path) in file.iter().enumerate() {
        let key = format!("{key}.{name}_file[{index}]");
        let secret = secrets::from_file(&key, path, secrets, problems);
        take(key, secret, problems);
    }
    found
}
