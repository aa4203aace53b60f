//! Who and what is hit if a token ends: its calls before a finding began; and what gateways did with those after a response.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use clickhouse::Row;
use ipnet::IpNet;
use serde::Deserialize;
use tokenwatch_model::{BlastRadius, Timestamp, TokenId, UsedClient, UsedEndpoint, UsedNetwork};

use super::{Queries, TimeRange, bind_range, present};
use crate::error::StoreError;

/// How far back its use is looked at.
const SPAN: Duration = Duration::from_hours(7 * 24);
/// Entries of each list.
const LISTED: usize = 10;

const VOLUME: &str = "\
SELECT countIf(ts >= fromUnixTimestamp64Micro({hour:Int64}, 'UTC')) AS hour,
       countIf(ts >= fromUnixTimestamp64Micro({day:Int64}, 'UTC')) AS day,
       if(count() = 0, toInt64(0), toUnixTimestamp64Micro(max(ts))) AS last
FROM events
WHERE token_id = {token:String}
  AND ts >= fromUnixTimestamp64Micro({from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Micro({to:Int64}, 'UTC')";

const CLIENTS: &str = "\
SELECT toString(user_agent) AS name, count() AS calls FROM events
WHERE token_id = {token:String} AND user_agent != ''
  AND ts >= fromUnixTimestamp64Micro({from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Micro({to:Int64}, 'UTC')
GROUP BY name ORDER BY calls DESC, name LIMIT {rows:UInt32}";

/// A v4 address is stored as `::ffff:a.b.c.d`: its /24 is a /120.
const NETWORKS: &str = "\
SELECT tupleElement(IPv6CIDRToRange(ip, toUInt8(if(startsWith(toString(ip), '::ffff:'), 120, 48))), 1) AS network,
       toString(any(country)) AS country, count() AS calls
FROM events
WHERE token_id = {token:String} AND outcome = 'ok' AND ip != toIPv6('::')
  AND ts >= fromUnixTimestamp64Micro({from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Micro({to:Int64}, 'UTC')
GROUP BY network ORDER BY calls DESC, network LIMIT {rows:UInt32}";

const KIND: &str = "\
SELECT toString(max(kind)) AS kind FROM tokens WHERE token_id = {token:String} GROUP BY token_id";

const NODES: &str = "\
SELECT toString(e.gateway) AS gateway, countIf(e.outcome = 'ok') AS accepted, countIf(e.outcome = 'denied') AS refused,
       toInt64(maxIf(toUnixTimestamp64Micro(e.ts), e.outcome = 'ok')) AS last_accepted,
       toInt64(minIf(toUnixTimestamp64Micro(e.ts), e.outcome = 'denied' AND toUnixTimestamp64Micro(e.ts) > l.last)) AS first_refused
FROM events AS e
LEFT JOIN
(
    SELECT gateway, toInt64(maxIf(toUnixTimestamp64Micro(ts), outcome = 'ok')) AS last FROM events
    WHERE token_id = {token:String} AND ts >= fromUnixTimestamp64Micro({since:Int64}, 'UTC')
    GROUP BY gateway
) AS l ON l.gateway = e.gateway
WHERE e.token_id = {token:String} AND e.ts >= fromUnixTimestamp64Micro({since:Int64}, 'UTC')
GROUP BY gateway ORDER BY gateway LIMIT 200";

/// What a gateway node did with a token's calls since a response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeCalls {
    /// Its name in the logs.
    pub gateway: String,
    /// Calls that succeeded.
    pub accepted: u64,
    /// Calls that were denied.
    pub refused: u64,
    /// The last that succeeded.
    pub last_accepted_at: Option<Timestamp>,
    /// The first that was denied after that.
    pub first_refused_at: Option<Timestamp>,
}

#[derive(Row, Deserialize)]
struct VolumeRow {
    hour: u64,
    day: u64,
    last: i64,
}

#[derive(Row, Deserialize)]
struct KindRow {
    kind: String,
}

#[derive(Row, Deserialize)]
struct NamedRow {
    name: String,
    calls: u64,
}

#[derive(Row, Deserialize)]
struct NetworkRow {
    network: Ipv6Addr,
    country: String,
    calls: u64,
}

#[derive(Row, Deserialize)]
struct NodeRow {
    gateway: String,
    accepted: u64,
    refused: u64,
    last_accepted: i64,
    first_refused: i64,
}

impl Queries {
    /// How `token` was used in the week before `before`: at most ten entries of each list. Whose it is, is not known here.
    pub async fn blast_radius(
        &self,
        token: TokenId,
        before: Timestamp,
    ) -> Result<BlastRadius, StoreError> {
        let range = TimeRange {
            from: before - SPAN,
            to: before,
        };
        let bind = |sql: &str| {
            bind_range(self.statement(sql), range)
                .param("token", token.to_string())
                .param("rows", LISTED)
        };
        let volume = bind(VOLUME)
            .param("hour", (before - Duration::from_hours(1)).as_micros())
            .param("day", (before - Duration::from_hours(24)).as_micros());
        let (volume, clients, networks, routes) = tokio::try_join!(
            self.row::<VolumeRow>(volume),
            self.rows::<NamedRow>(bind(CLIENTS)),
            self.networks_of(token, range, LISTED),
            self.routes(token, range),
        )?;
        let endpoint = |route: super::RouteCount| UsedEndpoint {
            endpoint: [route.method, route.route]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .join(" "),
            calls: route.calls,
        };
        let volume = volume.unwrap_or(VolumeRow {
            hour: 0,
            day: 0,
            last: 0,
        });
        Ok(BlastRadius {
            as_of: before,
            calls_per_minute: volume.hour as f64 / 60.0,
            calls_24h: volume.day,
            last_call_at: (volume.last != 0).then(|| Timestamp::from_micros(volume.last)),
            clients: clients
                .into_iter()
                .map(|row| UsedClient {
                    user_agent: row.name,
                    calls: row.calls,
                })
                .collect(),
            networks,
            endpoints: routes.into_iter().take(LISTED).map(endpoint).collect(),
            ..BlastRadius::default()
        })
    }

    /// The networks that `token` was let in from in the week before `before`, most used first.
    pub async fn known_networks(
        &self,
        token: TokenId,
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<IpNet>, StoreError> {
        let range = TimeRange {
            from: before - SPAN,
            to: before,
        };
        let found = self.networks_of(token, range, limit).await?;
        Ok(found.into_iter().map(|used| used.network).collect())
    }

    /// What sort of credential `token` is, if it was ever used.
    pub async fn kind_of(&self, token: TokenId) -> Result<Option<String>, StoreError> {
        let query = self.statement(KIND).param("token", token.to_string());
        let row = self.row::<KindRow>(query).await?;
        Ok(row.map(|row| row.kind))
    }

    async fn networks_of(
        &self,
        token: TokenId,
        range: TimeRange,
        limit: usize,
    ) -> Result<Vec<UsedNetwork>, StoreError> {
        let query = bind_range(self.statement(NETWORKS), range)
            .param("token", token.to_string())
            .param("rows", limit);
        let rows = self.rows::<NetworkRow>(query).await?;
        let network = |row: NetworkRow| UsedNetwork {
            network: network_of(row.network),
            country: present(row.country),
            calls: row.calls,
        };
        Ok(rows.into_iter().map(network).collect())
    }

    /// What each gateway node did with the calls of `token` since `since`.
    pub async fn calls_by_node(
        &self,
        token: TokenId,
        since: Timestamp,
    ) -> Result<Vec<NodeCalls>, StoreError> {
        let query = self
            .statement(NODES)
            .param("token", token.to_string())
            .param("since", since.as_micros());
        let rows = self.rows::<NodeRow>(query).await?;
        let moment = |micros: i64| (micros > 0).then(|| Timestamp::from_micros(micros));
        let node = |row: NodeRow| NodeCalls {
            gateway: row.gateway,
            accepted: row.accepted,
            refused: row.refused,
            last_accepted_at: moment(row.last_accepted),
            first_refused_at: moment(row.first_refused),
        };
        Ok(rows.into_iter().map(node).collect())
    }
}

/// The /24 or /48 that begins with `first`.
fn network_of(first: Ipv6Addr) -> IpNet {
    let (ip, length) = match first.to_ipv4_mapped() {
        Some(ip) => (IpAddr::V4(ip), 24),
        None => (IpAddr::V6(first), 48),
    };
    IpNet::new(ip, length)
        .expect("both lengths are allowed")
        .trunc()
}
