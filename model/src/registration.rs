//! What an inventory says of a token: whose it is, what it may do, from where, and how long.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{CountryCode, Format, Timestamp, TokenId};

/// One entry of the token registry. What it does not say is absent and restricts nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Registration {
    /// The token: `tok_…`, or the gateway's name of the credential.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The format of the gateway that calls the token so: with aliases, its calls are what the others join.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway: Option<Format>,
    /// Other identities of the same token, each `tok_…` or a gateway's name: their calls count as its own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// Instead of a token: a consumer, for all of its tokens without an entry of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consumer: Option<String>,
    /// Who answers for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The owner's team.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// How the owner is reached: an address, a channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    /// `production`, `staging`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// How much harm it can do; decides how often it must be rotated.
    pub class: TokenClass,
    /// The scopes granted, for logs that do not name them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// Networks that it may be used from; every one if empty.
    #[serde(with = "networks", skip_serializing_if = "Vec::is_empty")]
    pub allowed_networks: Vec<IpNet>,
    /// Countries that it may be used from; every one if empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allowed_countries: Vec<CountryCode>,
    /// When it was issued.
    #[serde(with = "moment", skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// When it ends.
    #[serde(with = "moment", skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// When it was revoked.
    #[serde(with = "moment", skip_serializing_if = "Option::is_none")]
    pub revoked: Option<Timestamp>,
    /// How long it may be used before it must be replaced; its class decides if absent.
    #[serde(with = "humantime_serde", skip_serializing_if = "Option::is_none")]
    pub rotation_period: Option<Duration>,
    /// The token that this one replaces, by either of its names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
    /// How many calls it may make.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quota: Option<Quota>,
    /// It must never be revoked by a machine.
    pub protected: bool,
    /// When it was exposed, by the report of a leak.
    #[serde(with = "moment", skip_serializing_if = "Option::is_none")]
    pub leaked: Option<Timestamp>,
    /// Where: `GitHub (commit)`, as the report says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leaked_in: Option<String>,
}

/// How much harm a token can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenClass {
    /// An ordinary one.
    #[default]
    Standard,
    /// It reaches personal data, money, other people's secrets.
    Sensitive,
    /// It administers.
    Privileged,
}

/// Calls within an hour, a day or a month, UTC: `100000/day`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// How many calls.
    pub calls: u64,
    /// Within what.
    pub per: QuotaPeriod,
}

/// The period of a quota; each begins at its first moment in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuotaPeriod {
    /// An hour.
    Hour,
    /// A day.
    Day,
    /// A calendar month.
    Month,
}

/// What an entry is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RegistryKey {
    /// A token by its id.
    Token(TokenId),
    /// A token by the gateway's name of the credential.
    Credential(String),
    /// All tokens of a consumer that have no entry of their own.
    Consumer(String),
}

/// Where an entry comes from. Where several know a token, the last in this list decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RegistryOrigin {
    /// A response that revoked the token: it adds that to whatever else is said.
    Response,
    /// The report of a leak: it adds that to whatever else is said.
    Leak,
    /// The inventory file.
    File,
    /// The inventory that is polled.
    Http,
    /// The API.
    Api,
}

/// Names of one token; more are no rotation but a mistake.
const ALIASES_LIMIT: usize = 64;

/// Why an entry is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct RegistrationError {
    /// The field that is wrong.
    pub field: &'static str,
    /// What is wrong with it.
    pub message: &'static str,
}

impl Registration {
    /// What the entry is about, if all of it makes sense.
    pub fn check(&self) -> Result<RegistryKey, RegistrationError> {
        let error = |field, message| Err(RegistrationError { field, message });
        let named = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
        let ((Some(key), None) | (None, Some(key))) = (
            named(&self.token).map(|name| RegistryKey::of_token(&name)),
            named(&self.consumer).map(RegistryKey::Consumer),
        ) else {
            return error("token", "name a token or a consumer, and not both");
        };
        if let (Some(created), Some(expires)) = (self.created, self.expires)
            && expires <= created
        {
            return error("expires", "must lie after created");
        }
        if self.rotation_period.is_some_and(|period| period.is_zero()) {
            return error("rotation_period", "must be longer than nothing");
        }
        let of_one = self.created.is_some()
            || self.expires.is_some()
            || self.revoked.is_some()
            || self.replaces.is_some();
        if of_one && matches!(key, RegistryKey::Consumer(_)) {
            return error(
                "consumer",
                "created, expires, revoked and replaces are facts of one token, not of a consumer",
            );
        }
        let itself = |name: &String| RegistryKey::of_token(name) == key;
        if self.replaces.as_ref().is_some_and(itself) {
            return error("replaces", "a token cannot replace itself");
        }
        self.check_aliases(&key)?;
        Ok(key)
    }
}

impl Registration {
    fn check_aliases(&self, key: &RegistryKey) -> Result<(), RegistrationError> {
        let error = |field, message| Err(RegistrationError { field, message });
        if self.aliases.is_empty() {
            return Ok(());
        }
        let is_itself = |alias: &String| RegistryKey::of_token(alias) == *key;
        match key {
            RegistryKey::Consumer(_) => {
                error("aliases", "are names of one token, not of a consumer")
            }
            RegistryKey::Credential(_) if self.gateway.is_none() => error(
                "gateway",
                "with aliases, say the format of the gateway that calls the token so, such as \"kong\"",
            ),
            _ if self.aliases.len() > ALIASES_LIMIT => error("aliases", "at most 64 for one token"),
            _ if self.aliases.iter().any(is_itself) => error("aliases", "names the token itself"),
            _ if self.aliases.iter().any(|alias| alias.trim().is_empty()) => {
                error("aliases", "a name is not empty")
            }
            _ => Ok(()),
        }
    }

    /// The earlier of two revocations.
    pub fn earlier(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
        match (one, other) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }
}

impl RegistryKey {
    /// A token by either of its names.
    pub fn of_token(name: &str) -> Self {
        name.parse()
            .map_or_else(|_| Self::Credential(name.to_owned()), Self::Token)
    }

    /// What sort of name it is: `token`, `credential`, `consumer`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Token(_) => "token",
            Self::Credential(_) => "credential",
            Self::Consumer(_) => "consumer",
        }
    }

    /// The name.
    pub fn name(&self) -> String {
        match self {
            Self::Token(id) => id.to_string(),
            Self::Credential(name) | Self::Consumer(name) => name.clone(),
        }
    }

    /// The key of this kind and name, if there is such a kind.
    pub fn parse(kind: &str, name: &str) -> Option<Self> {
        match kind {
            "token" => name.parse().ok().map(Self::Token),
            "credential" => Some(Self::Credential(name.to_owned())),
            "consumer" => Some(Self::Consumer(name.to_owned())),
            _ => None,
        }
    }
}

impl RegistryOrigin {
    /// Every origin, the one that decides last.
    pub const ALL: [Self; 5] = [
        Self::Response,
        Self::Leak,
        Self::File,
        Self::Http,
        Self::Api,
    ];

    /// Whether it adds a fact to what others say, instead of saying all that it knows.
    pub const fn adds(self) -> bool {
        matches!(self, Self::Response | Self::Leak)
    }

    /// The contract name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Response => "response",
            Self::Leak => "leak",
            Self::File => "file",
            Self::Http => "http",
            Self::Api => "api",
        }
    }
}

impl TokenClass {
    /// Every class.
    pub const ALL: [Self; 3] = [Self::Standard, Self::Sensitive, Self::Privileged];

    /// The contract name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Sensitive => "sensitive",
            Self::Privileged => "privileged",
        }
    }
}

impl QuotaPeriod {
    /// The contract name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
        }
    }
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.calls, self.per.name())
    }
}

impl FromStr for Quota {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const SHAPE: &str = "a quota is calls per hour, day or month, such as \"100000/day\"";
        let (calls, per) = text.split_once('/').ok_or(SHAPE)?;
        let calls: u64 = calls.trim().replace('_', "").parse().map_err(|_| SHAPE)?;
        let per = [QuotaPeriod::Hour, QuotaPeriod::Day, QuotaPeriod::Month]
            .into_iter()
            .find(|period| period.name() == per.trim())
            .ok_or(SHAPE)?;
        if calls == 0 {
            return Err("a quota is at least one call");
        }
        Ok(Self { calls, per })
    }
}

impl Serialize for Quota {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Quota {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// Networks as texts; an address alone is the network of that address.
mod networks {
    use super::{Deserialize, Deserializer, IpAddr, IpNet, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(networks: &[IpNet], to: S) -> Result<S::Ok, S::Error> {
        networks.serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<IpNet>, D::Error> {
        let texts = Vec::<String>::deserialize(from)?;
        let parse = |text: &String| {
            let address = || text.parse::<IpAddr>().ok().map(IpNet::from);
            let network = text.parse::<IpNet>().ok().or_else(address);
            network.ok_or_else(|| {
                serde::de::Error::custom(format!(
                    "{text:?} is neither a network such as \"203.0.113.0/24\" nor an address"
                ))
            })
        };
        texts.iter().map(parse).collect()
    }
}

/// A time, or a day, which is its first moment in UTC.
mod moment {
    use super::{Deserialize, Deserializer, Serialize, Serializer, Timestamp};

    #[expect(clippy::ref_option, reason = "serde hands over a reference")]
    pub(super) fn serialize<S: Serializer>(
        time: &Option<Timestamp>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        time.serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        let Some(text) = Option::<String>::deserialize(from)? else {
            return Ok(None);
        };
        let day = || format!("{text}T00:00:00Z").parse();
        let time = text.parse().or_else(|_| day()).map_err(|_| {
            serde::de::Error::custom(format!(
                "{text:?} is neither a time such as \"2026-11-22T06:40:00Z\" nor a day"
            ))
        });
        time.map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Registration, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn an_entry_reads_days_addresses_and_quotas() {
        let entry = read(
            r#"{"token":"5cbc","owner":"Ada","class":"sensitive","allowed_networks":["192.0.2.7","10.0.0.0/8"],
                "allowed_countries":["de"],"created":"2026-01-01","expires":"2026-06-01T12:00:00+02:00",
                "rotation_period":"45days","quota":"10_000/day","gateway":"aws-apigw","aliases":["6dcd"]}"#,
        )
        .expect("an entry");
        assert_eq!(
            entry.created.map(|t| t.to_string()).as_deref(),
            Some("2026-01-01T00:00:00.000Z")
        );
        assert_eq!(entry.allowed_networks[0].to_string(), "192.0.2.7/32");
        assert_eq!(
            entry.quota.map(|q| q.to_string()).as_deref(),
            Some("10000/day")
        );
        assert_eq!(
            entry.check(),
            Ok(RegistryKey::Credential("5cbc".to_owned()))
        );
        let text = serde_json::to_string(&entry).expect("JSON");
        assert_eq!(read(&text), Ok(entry));
    }

    #[test]
    fn what_makes_no_sense_is_told_with_its_field() {
        for (json, field) in [
            ("{}", "token"),
            (r#"{"token":"a","consumer":"b"}"#, "token"),
            (r#"{"token":" "}"#, "token"),
            (
                r#"{"token":"a","created":"2026-02-01","expires":"2026-01-01"}"#,
                "expires",
            ),
            (r#"{"token":"a","rotation_period":"0s"}"#, "rotation_period"),
            (r#"{"consumer":"a","revoked":"2026-01-01"}"#, "consumer"),
            (r#"{"token":"a","replaces":"a"}"#, "replaces"),
            (r#"{"token":"a","aliases":["b"]}"#, "gateway"),
            (r#"{"consumer":"a","aliases":["b"]}"#, "aliases"),
            (
                r#"{"token":"a","gateway":"kong","aliases":["b","a"]}"#,
                "aliases",
            ),
        ] {
            let error = read(json).expect("shape").check().expect_err(json);
            assert_eq!(error.field, field, "{json}");
        }
        for json in [
            r#"{"token":"a","ownr":"b"}"#,
            r#"{"token":"a","allowed_networks":["10.0.0.0/99"]}"#,
            r#"{"token":"a","allowed_countries":["Germany"]}"#,
            r#"{"token":"a","quota":"0/day"}"#,
            r#"{"token":"a","quota":"10/week"}"#,
            r#"{"token":"a","expires":"tomorrow"}"#,
        ] {
            assert!(read(json).is_err(), "{json}");
        }
    }

    #[test]
    fn a_token_is_named_by_its_id_or_by_its_gateway() {
        let id = TokenId::from_bits(7);
        assert_eq!(
            RegistryKey::of_token(&id.to_string()),
            RegistryKey::Token(id)
        );
        let keys = [
            RegistryKey::Token(id),
            RegistryKey::Credential("5cbc".to_owned()),
            RegistryKey::Consumer("acme".to_owned()),
        ];
        for key in keys {
            assert_eq!(RegistryKey::parse(key.kind(), &key.name()), Some(key));
        }
        assert_eq!(RegistryKey::parse("nobody", "x"), None);
    }
}
