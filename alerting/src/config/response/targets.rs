//! `[alerting.response.target]` and `[[alerting.response.targets]]`: those that are asked to act, by `kind`.

mod deny_list;
mod ssf;
mod validate;

use std::sync::Arc;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use tokenwatch_model::{Format, ResponseAction};

use super::{SecretUrl, SigningSecret, TargetConfig};

pub use deny_list::DenyListSettings;
pub use ssf::{SsfEvent, SsfReceiver, SsfSubject};
pub(super) use validate::validate;

/// One target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum ResponderConfig {
    /// A webhook signed like every other, with the keys of `[alerting.response.target]`.
    Webhook(TargetConfig),
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
    /// The list that gateways poll or ask.
    Denylist {
        /// What the journal calls it.
        name: String,
        /// Environment variables with the keys of those that may read the list.
        #[serde(default)]
        feed_key_env: Vec<String>,
        /// Files with such keys.
        #[serde(default)]
        feed_key_file: Vec<String>,
        /// Environment variables with the keys of those that may ask about requests.
        #[serde(default)]
        check_key_env: Vec<String>,
        /// Files with such keys.
        #[serde(default)]
        check_key_file: Vec<String>,
        /// As which format's gateway names credentials and consumers in the headers below.
        #[serde(default = "deny_list::usual_format")]
        format: Format,
        /// The header in which the gateway tells the client's address.
        #[serde(default = "deny_list::usual_address_header")]
        client_address_header: String,
        /// The header in which it names the credential.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        credential_id_header: Option<String>,
        /// The header in which it names the consumer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        consumer_header: Option<String>,
        /// What a throttled request is answered: 403, or 429 where the gateway hands it on.
        #[serde(default = "deny_list::usual_throttled_status")]
        throttled_status: u16,
    },
    /// A receiver of security event tokens (RFC 8935).
    Ssf {
        /// What the journal calls it.
        name: String,
        /// Where tokens are pushed to.
        url: String,
        /// What the receiver calls itself.
        audience: String,
        /// The environment variable that holds the bearer token that it wants, if it wants one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token_env: Option<String>,
        /// The file that holds it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token_file: Option<String>,
        /// What it is told, each in a token of its own.
        #[serde(default = "ssf::usual_events")]
        events: Vec<SsfEvent>,
        /// By which of its names the token is told.
        #[serde(default)]
        subject: SsfSubject,
        /// Whose names these are: then they are told as `iss_sub`, else as `opaque`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        subject_issuer: Option<String>,
        /// What the receiver calls such a credential.
        #[serde(default = "ssf::usual_credential_type")]
        credential_type: String,
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
    /// The list that gateways poll or ask.
    DenyList(DenyListSettings),
    /// A receiver of security event tokens.
    Ssf(SsfReceiver),
}

impl TargetKind {
    /// Whether it can do `action`.
    pub(crate) const fn can(&self, action: ResponseAction) -> bool {
        match self {
            Self::None | Self::Webhook { .. } | Self::Kong { .. } | Self::DenyList(_) => true,
            Self::Apisix { .. } | Self::Oauth { .. } | Self::Ssf(_) => {
                matches!(action, ResponseAction::Revoke)
            }
            Self::Keycloak { .. } | Self::Aws { .. } => action.ends_use(),
        }
    }

    /// Whether it can take `action` back.
    pub(crate) const fn can_undo(&self, action: ResponseAction) -> bool {
        match self {
            Self::Webhook { undo, .. } => *undo,
            // A credential that was deleted is gone.
            Self::Kong { .. } => !matches!(action, ResponseAction::Revoke),
            Self::Apisix { .. } | Self::Oauth { .. } | Self::Ssf(_) => false,
            Self::None | Self::Keycloak { .. } | Self::Aws { .. } | Self::DenyList(_) => true,
        }
    }
}

impl ResponderConfig {
    /// Where its API is, and whether that may be a private address; a webhook's URL may be a secret, and is none of these, and a list
    /// has none.
    fn endpoint(&self) -> Option<(&str, bool)> {
        match self {
            Self::Webhook(_) | Self::Denylist { .. } => None,
            Self::Kong {
                url, allow_private, ..
            }
            | Self::Apisix {
                url, allow_private, ..
            }
            | Self::Oauth {
                url, allow_private, ..
            }
            | Self::Keycloak {
                url, allow_private, ..
            }
            | Self::Aws {
                url, allow_private, ..
            }
            | Self::Ssf {
                url, allow_private, ..
            } => Some((url, *allow_private)),
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::Webhook(TargetConfig { name, .. })
            | Self::Kong { name, .. }
            | Self::Apisix { name, .. }
            | Self::Oauth { name, .. }
            | Self::Keycloak { name, .. }
            | Self::Aws { name, .. }
            | Self::Denylist { name, .. }
            | Self::Ssf { name, .. } => name,
        }
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
