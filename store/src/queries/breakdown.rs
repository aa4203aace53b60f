//! What a token's calls in a time range fall into: places, routes, clients. Most used first.

use clickhouse::Row;
use serde::{Deserialize, Serialize};
use tokenwatch_model::{Timestamp, TokenId};

use super::{Queries, TimeRange, bind_range, present};
use crate::error::StoreError;

const PLACES: &str = "\
SELECT toString(country) AS country, toString(city) AS city,
       toFloat64(ifNull(latitude, nan)) AS latitude, toFloat64(ifNull(longitude, nan)) AS longitude,
       asn, toString(as_org) AS as_org, count() AS calls, countIf(outcome != 'ok') AS failures,
       toUnixTimestamp64Micro(min(ts)) AS first_seen, toUnixTimestamp64Micro(max(ts)) AS last_seen
FROM events
WHERE token_id = {token:String}
  AND ts >= fromUnixTimestamp64Micro({from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Micro({to:Int64}, 'UTC')
GROUP BY country, city, latitude, longitude, asn, as_org
ORDER BY calls DESC, country, city, asn LIMIT 500";

const ROUTES: &str = "\
SELECT toString(method) AS method, toString(route) AS route, sum(r.calls) AS calls, sum(r.failures) AS failures,
       toInt64(toUnixTimestamp(max(minute))) AS last_seen
FROM rollup_minute AS r
WHERE token_id = {token:String}
  AND minute >= toStartOfMinute(toDateTime(intDiv({from:Int64}, 1000000), 'UTC'))
  AND minute < toDateTime(intDiv({to:Int64}, 1000000), 'UTC')
GROUP BY method, route
ORDER BY calls DESC, method, route LIMIT 500";

const CLIENTS: &str = "\
SELECT toString(user_agent) AS user_agent, replaceOne(toString(ip), '::ffff:', '') AS ip, asn,
       toString(as_org) AS as_org, toString(country) AS country, count() AS calls,
       countIf(outcome != 'ok') AS failures,
       toUnixTimestamp64Micro(min(ts)) AS first_seen, toUnixTimestamp64Micro(max(ts)) AS last_seen
FROM events
WHERE token_id = {token:String}
  AND ts >= fromUnixTimestamp64Micro({from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Micro({to:Int64}, 'UTC')
GROUP BY user_agent, ip, asn, as_org, country
ORDER BY calls DESC, ip, user_agent LIMIT 500";

/// Calls from one place and network.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the names are those of the access event")]
pub struct PlaceCount {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub city: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latitude: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub longitude: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asn: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_org: Option<String>,
    pub calls: u64,
    pub failures: u64,
    pub first_seen: Timestamp,
    pub last_seen: Timestamp,
}

/// Calls of one route.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the names are those of the access event")]
pub struct RouteCount {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    pub calls: u64,
    pub failures: u64,
    pub last_seen: Timestamp,
}

/// Calls of one client.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the names are those of the access event")]
pub struct ClientCount {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asn: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_org: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    pub calls: u64,
    pub failures: u64,
    pub first_seen: Timestamp,
    pub last_seen: Timestamp,
}

#[derive(Row, Deserialize)]
struct PlaceRow {
    country: String,
    city: String,
    latitude: f64,
    longitude: f64,
    asn: u32,
    as_org: String,
    calls: u64,
    failures: u64,
    first_seen: i64,
    last_seen: i64,
}

#[derive(Row, Deserialize)]
struct RouteRow {
    method: String,
    route: String,
    calls: i64,
    failures: i64,
    last_seen: i64,
}

#[derive(Row, Deserialize)]
struct ClientRow {
    user_agent: String,
    ip: String,
    asn: u32,
    as_org: String,
    country: String,
    calls: u64,
    failures: u64,
    first_seen: i64,
    last_seen: i64,
}

impl Queries {
    /// Where a token's calls came from.
    pub async fn places(
        &self,
        token: TokenId,
        range: TimeRange,
    ) -> Result<Vec<PlaceCount>, StoreError> {
        let query = bind_range(self.statement(PLACES), range).param("token", token.to_string());
        let rows = self.rows::<PlaceRow>(query).await?;
        let degrees = |stored: f64| stored.is_finite().then(|| (stored * 1e4).round() / 1e4);
        let place = |row: PlaceRow| PlaceCount {
            country: present(row.country),
            city: present(row.city),
            latitude: degrees(row.latitude),
            longitude: degrees(row.longitude),
            asn: (row.asn != 0).then_some(row.asn),
            as_org: present(row.as_org),
            calls: row.calls,
            failures: row.failures,
            first_seen: Timestamp::from_micros(row.first_seen),
            last_seen: Timestamp::from_micros(row.last_seen),
        };
        Ok(rows.into_iter().map(place).collect())
    }

    /// What a token called; from the roll-ups, so `last_seen` is a whole minute.
    pub async fn routes(
        &self,
        token: TokenId,
        range: TimeRange,
    ) -> Result<Vec<RouteCount>, StoreError> {
        let query = bind_range(self.statement(ROUTES), range).param("token", token.to_string());
        let rows = self.rows::<RouteRow>(query).await?;
        let route = |row: RouteRow| RouteCount {
            method: present(row.method),
            route: present(row.route),
            calls: row.calls.max(0).cast_unsigned(),
            failures: row.failures.max(0).cast_unsigned(),
            last_seen: Timestamp::from_secs(row.last_seen),
        };
        Ok(rows.into_iter().map(route).collect())
    }

    /// Which clients made a token's calls.
    pub async fn clients(
        &self,
        token: TokenId,
        range: TimeRange,
    ) -> Result<Vec<ClientCount>, StoreError> {
        let query = bind_range(self.statement(CLIENTS), range).param("token", token.to_string());
        let rows = self.rows::<ClientRow>(query).await?;
        let client = |row: ClientRow| ClientCount {
            user_agent: present(row.user_agent),
            ip: present(row.ip).filter(|ip| ip != "::"),
            asn: (row.asn != 0).then_some(row.asn),
            as_org: present(row.as_org),
            country: present(row.country),
            calls: row.calls,
            failures: row.failures,
            first_seen: Timestamp::from_micros(row.first_seen),
            last_seen: Timestamp::from_micros(row.last_seen),
        };
        Ok(rows.into_iter().map(client).collect())
    }
}
