//! The token registry's versions: written by the pipeline before the engine judges by them, read at start and by the console.

use clickhouse::{Row, RowOwned, RowRead};
use serde::{Deserialize, Serialize};
use tokenwatch_model::{Registration, RegistryKey, RegistryOrigin, Timestamp, TokenId};

use crate::error::StoreError;
use crate::store::Store;

/// Versions of one entry that are read: as many as the engine tells apart.
const VERSIONS_LIMIT: u32 = 8;
/// How long reading a million entries may take.
const READ_LIMIT: std::time::Duration = std::time::Duration::from_mins(2);

const ALL: &str = "\
SELECT ?fields FROM
(
    SELECT * FROM registrations FINAL ORDER BY kind, name, origin, since DESC
    LIMIT {versions:UInt32} BY kind, name, origin
)
ORDER BY since, kind, name, origin";

const OF_TOKEN: &str = "\
SELECT ?fields FROM registrations FINAL
WHERE (kind = 'token' AND name = {id:String}) OR (kind = 'credential' AND name = {credential:String})
   OR (kind = 'consumer' AND name = {consumer:String})
ORDER BY kind, name, origin, since DESC LIMIT 1 BY kind, name, origin";

/// One version of what an origin says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistrationVersion {
    /// What it is about.
    pub key: RegistryKey,
    /// Who says it.
    pub origin: RegistryOrigin,
    /// From which event time on it counts.
    pub since: Timestamp,
    /// The user, or empty.
    pub actor: String,
    /// What is said; nothing once it was taken out.
    pub entry: Option<Registration>,
}

/// What the registry says of a token, as of its newest versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KnownRegistration {
    /// What the entry is about: `token`, `credential`, `consumer`.
    pub of: &'static str,
    /// Who says it.
    pub origin: RegistryOrigin,
    /// Since when.
    pub since: Timestamp,
    /// What is said.
    pub registration: Registration,
}

#[derive(Clone, Debug, PartialEq, Row, Serialize, Deserialize)]
struct RegistrationRow {
    kind: String,
    name: String,
    origin: String,
    since: i64,
    actor: String,
    body: String,
}

impl Store {
    /// Stores versions, until it succeeds; the same version twice is one.
    pub async fn insert_registrations(
        &self,
        versions: &[RegistrationVersion],
    ) -> Result<(), StoreError> {
        let rows: Vec<RegistrationRow> = versions.iter().map(RegistrationRow::of).collect();
        self.insert_rows("registrations", &rows).await
    }

    /// The newest versions of every entry, the oldest first.
    pub async fn registrations(&self) -> Result<Vec<RegistrationVersion>, StoreError> {
        let query = self.client().query(ALL).param("versions", VERSIONS_LIMIT);
        let rows: Vec<RegistrationRow> = within(READ_LIMIT, query).await?;
        rows.into_iter()
            .map(RegistrationRow::into_version)
            .collect()
    }

    /// What is said of a token by any of its names: the narrowest entry that there is.
    pub async fn registration(
        &self,
        id: TokenId,
        credential: Option<&str>,
        consumer: Option<&str>,
    ) -> Result<Option<KnownRegistration>, StoreError> {
        let query = self
            .client()
            .query(OF_TOKEN)
            .param("id", id.to_string())
            .param("credential", credential.unwrap_or_default())
            .param("consumer", consumer.unwrap_or_default());
        let rows: Vec<RegistrationRow> = within(self.timeout(), query).await?;
        let mut versions = Vec::with_capacity(rows.len());
        for row in rows {
            versions.push(row.into_version()?);
        }
        Ok(newest(&versions))
    }
}

/// What the newest `versions` of a token's keys say together.
fn newest(versions: &[RegistrationVersion]) -> Option<KnownRegistration> {
    let said = versions
        .iter()
        .filter_map(|version| Some((version, version.entry.as_ref()?)));
    let (added, said): (Vec<_>, Vec<_>) = said.partition(|(version, _)| version.origin.adds());
    // The narrowest key, and the last origin of that.
    let decisive = said
        .iter()
        .min_by_key(|(version, _)| (&version.key, std::cmp::Reverse(version.origin)));
    let (version, entry) = decisive.or(added.first())?;
    let revoked = added.iter().find_map(|(_, entry)| entry.revoked);
    let leak = added.iter().find(|(_, entry)| entry.leaked.is_some());
    Some(KnownRegistration {
        of: version.key.kind(),
        origin: version.origin,
        since: version.since,
        registration: Registration {
            revoked: Registration::earlier(entry.revoked, revoked),
            leaked: leak.and_then(|(_, entry)| entry.leaked),
            leaked_in: leak.and_then(|(_, entry)| entry.leaked_in.clone()),
            ..(*entry).clone()
        },
    })
}

async fn within<T: RowOwned + RowRead>(
    limit: std::time::Duration,
    query: clickhouse::query::Query,
) -> Result<Vec<T>, StoreError> {
    match tokio::time::timeout(limit, query.fetch_all()).await {
        Ok(rows) => Ok(rows?),
        Err(_) => Err(clickhouse::error::Error::TimedOut.into()),
    }
}

impl RegistrationRow {
    fn of(version: &RegistrationVersion) -> Self {
        Self {
            kind: version.key.kind().to_owned(),
            name: version.key.name(),
            origin: version.origin.name().to_owned(),
            since: version.since.as_micros(),
            actor: version.actor.clone(),
            body: version.entry.as_ref().map_or_else(String::new, |entry| {
                serde_json::to_string(entry).expect("a registration has texts for keys")
            }),
        }
    }

    fn into_version(self) -> Result<RegistrationVersion, StoreError> {
        let corrupt = |detail: String| StoreError::Corrupt {
            table: "registrations",
            detail,
        };
        let key = RegistryKey::parse(&self.kind, &self.name);
        let origin = RegistryOrigin::ALL
            .into_iter()
            .find(|origin| origin.name() == self.origin);
        let (Some(key), Some(origin)) = (key, origin) else {
            return Err(corrupt(format!("{} of {}", self.kind, self.origin)));
        };
        let entry = match self.body.as_str() {
            "" => None,
            body => Some(serde_json::from_str(body).map_err(|error| corrupt(error.to_string()))?),
        };
        Ok(RegistrationVersion {
            key,
            origin,
            since: Timestamp::from_micros(self.since),
            actor: self.actor,
            entry,
        })
    }
}
