//! The demo's tokens: whose they are, where they are used from, what for, and how often.

use std::net::Ipv4Addr;

use fastrand::Rng;

/// A token, its owner and its habits.
#[derive(Clone, Debug)]
pub(super) struct Member {
    /// The consumer that the gateway names.
    pub(super) consumer: String,
    /// The gateway's id of the credential.
    pub(super) credential_id: String,
    /// The raw key, which only the simulated gateway and its log lines know.
    pub(super) key: String,
    /// The gateway that it is used at.
    pub(super) gateway: GatewayKind,
    /// How often it is used.
    pub(super) habit: Habit,
    /// Where it is used from.
    pub(super) addresses: Vec<Ipv4Addr>,
    /// What it is used with.
    pub(super) user_agent: &'static str,
    /// What it is used for.
    pub(super) routes: Vec<Route>,
    /// The share of its calls that fail on an ordinary day.
    pub(super) failing: f64,
}

/// A simulated gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GatewayKind {
    /// Logs as Kong does.
    Kong,
    /// Logs as nginx does, as JSON.
    Nginx,
}

/// How often a token is used.
#[derive(Clone, Copy, Debug)]
pub(super) enum Habit {
    /// A daily job that runs for two hours from this hour, UTC.
    DailySync { from_hour: i64, per_hour: f64 },
    /// People at work, around this hour, UTC; quiet at weekends.
    Office { noon: i64, per_hour: f64 },
    /// A machine that never sleeps.
    Steady { per_hour: f64 },
    /// A burst at every full hour.
    Hourly { calls: f64 },
    /// Now and then.
    Sparse { per_hour: f64 },
}

/// An endpoint of the demo's API.
#[derive(Clone, Copy, Debug)]
pub(super) struct Route {
    /// The method.
    pub(super) method: &'static str,
    /// The gateway's name of the route.
    pub(super) name: &'static str,
    /// The path; `{}` becomes an id.
    pub(super) path: &'static str,
}

/// Networks with the addresses of one place each, as the geo database knows them.
const PLACES: [[u8; 3]; 14] = [
    [3, 120, 5],
    [54, 93, 10],
    [52, 95, 110],
    [34, 140, 1],
    [20, 50, 3],
    [62, 210, 18],
    [85, 214, 132],
    [91, 64, 10],
    [194, 25, 0],
    [81, 2, 69],
    [90, 22, 33],
    [24, 48, 0],
    [126, 72, 10],
    [139, 59, 1],
];
/// Consumers: a company and what its application does.
const COMPANIES: [&str; 24] = [
    "acme",
    "northwind",
    "globex",
    "initech",
    "umbra",
    "contoso",
    "fabrikam",
    "hooli",
    "vandelay",
    "stark",
    "wayne",
    "tyrell",
    "cyberdyne",
    "wonka",
    "aperture",
    "soylent",
    "oscorp",
    "massive",
    "gringotts",
    "monarch",
    "zorin",
    "duff",
    "bluth",
    "dunder",
];
const PURPOSES: [&str; 5] = ["billing", "sync", "reports", "mobile", "checkout"];
const USER_AGENTS: [&str; 6] = [
    "acme-sdk/2.1 (linux; rust)",
    "python-requests/2.32.3",
    "okhttp/4.12.0",
    "axios/1.7.9",
    "Go-http-client/2.0",
    "partner-sync/5.4.0 (+java/21)",
];
/// The demo's API as ordinary tokens use it.
const ROUTES: [Route; 8] = [
    Route {
        method: "GET",
        name: "orders-list",
        path: "/v1/orders",
    },
    Route {
        method: "GET",
        name: "orders-get",
        path: "/v1/orders/{}",
    },
    Route {
        method: "POST",
        name: "orders-create",
        path: "/v1/orders",
    },
    Route {
        method: "GET",
        name: "invoices-get",
        path: "/v1/invoices/{}",
    },
    Route {
        method: "GET",
        name: "customers-get",
        path: "/v1/customers/{}",
    },
    Route {
        method: "GET",
        name: "catalog",
        path: "/v1/catalog",
    },
    Route {
        method: "PUT",
        name: "stock-set",
        path: "/v1/stock/{}",
    },
    Route {
        method: "GET",
        name: "shipments-get",
        path: "/v1/shipments/{}",
    },
];

/// `count` tokens of different habits; the daily jobs are at work in `hour`, so that there is something to see.
pub(super) fn members(count: usize, hour: i64, rng: &mut Rng) -> Vec<Member> {
    (0..count).map(|index| member(index, hour, rng)).collect()
}

fn member(index: usize, hour: i64, rng: &mut Rng) -> Member {
    let habit = match index % 8 {
        step @ (0 | 4) => {
            // Most work now, so that there is something to see; some at their own hour.
            let elsewhen = step == 4 && rng.bool();
            let from_hour = if elsewhen {
                rng.i64(0..24)
            } else {
                (hour - 1).rem_euclid(24)
            };
            Habit::DailySync {
                from_hour,
                per_hour: 110.0 + 90.0 * rng.f64(),
            }
        }
        1 | 5 => Habit::Office {
            noon: rng.i64(10..17),
            per_hour: 14.0 + 16.0 * rng.f64(),
        },
        2 => Habit::Steady {
            per_hour: 2.0 + 4.0 * rng.f64(),
        },
        3 => Habit::Hourly {
            calls: 3.0 + 3.0 * rng.f64(),
        },
        _ => Habit::Sparse {
            per_hour: 0.15 + 0.2 * rng.f64(),
        },
    };
    let network = PLACES[rng.usize(..PLACES.len())];
    let hosts = 1 + rng.usize(..3);
    let addresses = (0..hosts)
        .map(|_| Ipv4Addr::new(network[0], network[1], network[2], rng.u8(10..250)))
        .collect();
    let first = rng.usize(..ROUTES.len());
    let routes = (0..3)
        .map(|step| ROUTES[(first + step) % ROUTES.len()])
        .collect();
    Member {
        consumer: format!(
            "{}-{}",
            COMPANIES[index % COMPANIES.len()],
            PURPOSES[(index / COMPANIES.len()) % PURPOSES.len()]
        ),
        credential_id: uuid(rng),
        key: format!("tw_live_{}", text(rng, 32)),
        gateway: if index % 3 == 2 {
            GatewayKind::Nginx
        } else {
            GatewayKind::Kong
        },
        habit,
        addresses,
        user_agent: USER_AGENTS[rng.usize(..USER_AGENTS.len())],
        routes,
        failing: 0.004 + 0.01 * rng.f64(),
    }
}

impl Habit {
    /// Calls expected in the hour that begins `hour` hours after 1970.
    pub(super) fn per_hour(self, hour: i64) -> f64 {
        let hour_of_day = hour.rem_euclid(24);
        match self {
            Self::DailySync {
                from_hour,
                per_hour,
            } => {
                if (hour_of_day - from_hour).rem_euclid(24) < 3 {
                    per_hour
                } else {
                    0.0
                }
            }
            Self::Office { noon, per_hour } => {
                // 1970-01-01 was a Thursday: Saturday and Sunday are the third and fourth day from then.
                let weekend = matches!(hour.div_euclid(24).rem_euclid(7), 2 | 3);
                let away = (hour_of_day - noon)
                    .abs()
                    .min(24 - (hour_of_day - noon).abs());
                let share = (1.0 - away as f64 / 6.0).max(0.02);
                per_hour * share * if weekend { 0.1 } else { 1.0 }
            }
            Self::Hourly { calls: per_hour }
            | Self::Steady { per_hour }
            | Self::Sparse { per_hour } => per_hour,
        }
    }
}

/// Lower-case letters and digits.
pub(super) fn text(rng: &mut Rng, length: usize) -> String {
    const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    (0..length)
        .map(|_| char::from(ALPHABET[rng.usize(..ALPHABET.len())]))
        .collect()
}

/// A random UUID, version 4.
pub(super) fn uuid(rng: &mut Rng) -> String {
    let bits = rng.u128(..);
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        (bits >> 96) as u32,
        (bits >> 80) as u16,
        (bits >> 68) as u16 & 0xfff,
        0x8000 | ((bits >> 48) as u16 & 0x3fff),
        bits & 0xffff_ffff_ffff
    )
}
