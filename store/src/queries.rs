//! Reading for the console: typed questions with bounded answers.
//!
//! Statements are fixed texts; what people type reaches ClickHouse as a bound parameter only, so there is nothing to
//! escape. An empty parameter stands for "any", which ClickHouse folds away before it reads a row. Every statement has a
//! limit of rows, of time and of memory.

mod activity;
mod audit;
mod band;
mod blast_radius;
mod breakdown;
mod circumstances;
mod deployment;
mod events;
mod findings;
mod grid;
mod handling;
mod incidents;
mod notifications;
mod overview;
mod page;
mod precision;
mod responses;
mod series;
mod tokens;

use std::net::{IpAddr, Ipv6Addr};

use clickhouse::query::Query;
use clickhouse::{RowOwned, RowRead};
use ipnet::IpNet;
use tokenwatch_model::{Subject, SubjectKind, Timestamp, TokenId};

pub use audit::{AuditFilter, AuditLine};
pub use band::{BandPoint, baseline_band};
pub use blast_radius::NodeCalls;
pub use breakdown::{ClientCount, PlaceCount, RouteCount};
pub use circumstances::Arrivals;
pub use deployment::DeploymentTotals;
pub use events::{EventFilter, EventPage};
pub use findings::{FindingFilter, FindingOrder};
pub use grid::{TimeGrid, TimeRange};
pub use incidents::{IncidentFilter, IncidentOrder};
pub use notifications::NotificationFilter;
pub use overview::{DetectorCount, FindingPoint, FleetTotals, SeverityCounts};
pub use page::{CursorError, Page};
pub use precision::DetectorRecord;
pub use responses::ResponseFilter;
pub use series::CallPoint;
pub use tokens::{TokenOrder, TokenRow};

use crate::error::StoreError;
use crate::store::Store;

/// What every statement is bounded by: seconds, and bytes (1 GiB).
const BOUNDS: &str = "SETTINGS max_execution_time = 10, max_memory_usage = 1073741824";

/// A page that could not be read.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// The cursor is not one of this list.
    #[error(transparent)]
    Cursor(#[from] CursorError),
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Reads for the console.
#[derive(Clone, Debug)]
pub struct Queries {
    store: Store,
}

/// Whose events are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventScope {
    /// A token's.
    Token(TokenId),
    /// Those from a network; a single address is one of full length.
    Source(IpNet),
    /// Those from an autonomous system.
    System(u32),
    /// Those that go the same way.
    Way(Way),
    /// A consumer's.
    Consumer(String),
    /// Everybody's.
    Fleet,
}

impl Store {
    /// Reads for the console.
    pub fn queries(&self) -> Queries {
        Queries {
            store: self.clone(),
        }
    }
}

impl Queries {
    /// A statement with its bounds.
    fn statement(&self, sql: &str) -> Query {
        self.store.client().query(&format!("{sql}\n{BOUNDS}"))
    }

    /// Every row of an answer, in time.
    async fn rows<T: RowOwned + RowRead>(&self, query: Query) -> Result<Vec<T>, StoreError> {
        match tokio::time::timeout(self.store.timeout(), query.fetch_all()).await {
            Ok(rows) => Ok(rows?),
            Err(_) => Err(clickhouse::error::Error::TimedOut.into()),
        }
    }

    /// The first row of an answer, in time.
    async fn row<T: RowOwned + RowRead>(&self, query: Query) -> Result<Option<T>, StoreError> {
        Ok(self.rows(query).await?.into_iter().next())
    }
}

/// A route that is called in the same manner, as findings about many addresses name it: `GET /v1/orders (curl/8)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// Empty if the log has none.
    method: String,
    /// Route, or path with `{id}` for every id.
    place: String,
    /// How the user agent begins; empty for every client.
    client: String,
}

impl Way {
    fn parse(name: &str) -> Option<Self> {
        let is_method =
            |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_uppercase());
        let (method, rest) = match name.split_once(' ').filter(|(word, _)| is_method(word)) {
            Some(parts) => parts,
            None if name.starts_with('/') => ("", name),
            None => return None,
        };
        let named = rest
            .strip_suffix(')')
            .and_then(|rest| rest.split_once(" ("));
        let (place, client) = named.unwrap_or((rest, ""));
        Some(Self {
            method: method.to_owned(),
            place: place.to_owned(),
            client: client.to_owned(),
        })
    }

    /// What SQL calls alike the paths of the place.
    fn pattern(&self) -> String {
        let literal = |text: &str| {
            text.replace('\\', r"\\")
                .replace('%', r"\%")
                .replace('_', r"\_")
        };
        let parts: Vec<String> = self.place.split("{id}").map(literal).collect();
        parts.join("%")
    }
}

impl EventScope {
    /// The scope of a finding's subject; none if it names a source that is none.
    pub fn of_subject(subject: &Subject) -> Option<Self> {
        match subject.kind {
            SubjectKind::Token => subject.id.parse().ok().map(Self::Token),
            SubjectKind::Source => {
                let network = subject.id.parse::<IpNet>().ok();
                let address = || subject.id.parse::<IpAddr>().ok().map(IpNet::from);
                let system = || {
                    subject
                        .id
                        .strip_prefix("AS")?
                        .parse()
                        .ok()
                        .map(Self::System)
                };
                network
                    .or_else(address)
                    .map(Self::Source)
                    .or_else(system)
                    .or_else(|| Way::parse(&subject.id).map(Self::Way))
            }
            SubjectKind::Consumer => Some(Self::Consumer(subject.id.clone())),
            SubjectKind::Fleet => Some(Self::Fleet),
        }
    }

    /// The condition on `events`.
    const fn condition(&self) -> &'static str {
        match self {
            Self::Token(_) => "token_id = {scope:String}",
            Self::Source(_) => "ip BETWEEN toIPv6({first_ip:String}) AND toIPv6({last_ip:String})",
            Self::System(_) => "asn = toUInt32({scope:String})",
            Self::Way(_) => {
                "method = {method:String} AND (route = {place:String} OR path LIKE {pattern:String}) \
                 AND (startsWith(user_agent, {client:String}) OR startsWith(ja4, {client:String}))"
            }
            Self::Consumer(_) => "consumer = {scope:String}",
            Self::Fleet => "1",
        }
    }

    /// Binds the parameters of the condition.
    fn bind(&self, query: Query) -> Query {
        match self {
            Self::Token(id) => query.param("scope", id.to_string()),
            Self::Source(network) => query
                .param("first_ip", ipv6(network.network()).to_string())
                .param("last_ip", ipv6(network.broadcast()).to_string()),
            Self::System(number) => query.param("scope", number.to_string()),
            Self::Way(way) => query
                .param("method", &way.method)
                .param("place", &way.place)
                .param("pattern", way.pattern())
                .param("client", &way.client),
            Self::Consumer(name) => query.param("scope", name),
            Self::Fleet => query,
        }
    }
}

/// An address as the column has it: IPv4 mapped into IPv6.
fn ipv6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

/// Binds a time range, in microseconds; all of time where there is none.
fn bind_range_if(query: Query, range: Option<TimeRange>) -> Query {
    let always = TimeRange {
        from: Timestamp::from_micros(0),
        to: Timestamp::from_micros(i64::MAX),
    };
    bind_range(query, range.unwrap_or(always))
}

/// Binds a time range, in microseconds.
fn bind_range(query: Query, range: TimeRange) -> Query {
    query
        .param("from", bounded(range.from))
        .param("to", bounded(range.to))
}

/// A time as microseconds, within what a `DateTime64` and a `DateTime` can hold: 1970 to 2106.
fn bounded(time: Timestamp) -> i64 {
    time.as_micros().clamp(0, 4_294_967_295_000_000)
}

/// A text column's value; empty means absent.
fn present(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_become_scopes() {
        let scope = |kind, id: &str| {
            EventScope::of_subject(&Subject {
                kind,
                id: id.to_owned(),
            })
        };
        let token = TokenId::from_bits(7);
        assert_eq!(
            scope(SubjectKind::Token, &token.to_string()),
            Some(EventScope::Token(token))
        );
        assert_eq!(
            scope(SubjectKind::Source, "10.1.2.3"),
            Some(EventScope::Source("10.1.2.3/32".parse().unwrap()))
        );
        assert_eq!(
            scope(SubjectKind::Source, "2001:db8::/64"),
            Some(EventScope::Source("2001:db8::/64".parse().unwrap()))
        );
        assert_eq!(
            scope(SubjectKind::Source, "AS64500"),
            Some(EventScope::System(64_500))
        );
        for (name, method, place, client) in [
            ("GET /v1/orders (curl/8)", "GET", "/v1/orders", "curl/8"),
            (
                "POST iam.amazonaws.com/CreateUser",
                "POST",
                "iam.amazonaws.com/CreateUser",
                "",
            ),
            ("/v1/orders", "", "/v1/orders", ""),
        ] {
            let way = Way {
                method: method.to_owned(),
                place: place.to_owned(),
                client: client.to_owned(),
            };
            assert_eq!(
                scope(SubjectKind::Source, name),
                Some(EventScope::Way(way)),
                "{name}"
            );
        }
        let Some(EventScope::Way(way)) = scope(SubjectKind::Source, "GET /v1/my_orders/{id}/100%")
        else {
            panic!("a way")
        };
        assert_eq!(way.pattern(), r"/v1/my\_orders/%/100\%");
        assert_eq!(scope(SubjectKind::Source, "' OR 1 = 1"), None);
        assert_eq!(scope(SubjectKind::Fleet, ""), Some(EventScope::Fleet));
    }
}
