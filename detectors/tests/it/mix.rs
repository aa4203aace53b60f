//! The fleet that state and speed are measured on: 70 % quiet, 25 % regular and 5 % busy tokens, calls in time order.
//!
//! Each token calls as a Poisson process at its class's rate. Quiet ones have one home and one client, regular ones fail now
//! and then, busy ones move between six networks, use two clients and a dozen endpoints, and fail in both ways.

use std::sync::LazyLock;

use tokenwatch_model::{
    AccessEvent, Client, CountryCode, EventFlags, Format, Http, Origin, Outcome, Timestamp,
    TokenId, TokenKind, TokenUse,
};

/// Monday, 2026-11-02, 00:00 UTC, in microseconds.
const START_MICROS: i64 = 1_793_577_600_000_000;
const DAY_MICROS: f64 = 86_400e6;
/// Calls a day of a token of each class; and its share of the fleet, in twentieths.
const CALLS_A_DAY: [f64; 3] = [1.5, 30.0, 600.0];
const TWENTIETHS: [u64; 3] = [14, 5, 1];
/// Calls in ten thousand that are not found, and that are refused.
const NOT_FOUND: [u32; 3] = [30, 50, 200];
const REFUSED: [u32; 3] = [10, 20, 50];
const NETWORKS: u64 = 12;

static PATHS: LazyLock<Vec<Vec<String>>> = LazyLock::new(|| {
    let names = [
        "orders",
        "items",
        "customers",
        "carts",
        "prices",
        "stock",
        "labels",
        "parcels",
        "returns",
        "coupons",
        "reviews",
        "wishes",
    ];
    let paths = names.map(|name| {
        let path = |id| format!("/v1/{name}/{}", 100_000 + id * 7_919);
        (0..512).map(path).collect()
    });
    paths.to_vec()
});
static CONSUMERS: LazyLock<Vec<String>> = LazyLock::new(|| {
    (0..2_000)
        .map(|number| format!("consumer-{number}"))
        .collect()
});
static AGENTS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let names = [
        "acme-sdk",
        "okhttp",
        "python-requests",
        "Go-http-client",
        "axios",
    ];
    let agents = names.map(|name| (1..5).map(move |major| format!("{name}/{major}.1")));
    agents.into_iter().flatten().collect()
});

/// The calls of a fleet, without end.
pub(crate) struct Mix {
    tokens: u64,
    /// Times its usual rates.
    pace: f64,
    /// Tokens that were not seen yet are seen first, one after the other.
    next_new: u64,
    at_micros: f64,
    random: fastrand::Rng,
}

impl Mix {
    /// A fleet of `tokens`, a multiple of twenty, that calls at `pace` times its usual rates.
    pub(crate) fn new(tokens: u64, pace: f64) -> Self {
        Self {
            tokens,
            pace,
            next_new: 0,
            at_micros: 0.0,
            random: fastrand::Rng::with_seed(20_261_122),
        }
    }

    /// Calls of a day, on average.
    pub(crate) fn calls_a_day(&self) -> f64 {
        let of_class = |class: usize| CALLS_A_DAY[class] * TWENTIETHS[class] as f64;
        self.pace * self.tokens as f64 / 20.0 * (0..3).map(of_class).sum::<f64>()
    }

    /// Days gone by.
    pub(crate) fn days(&self) -> f64 {
        self.at_micros / DAY_MICROS
    }

    /// The next call.
    pub(crate) fn next_call(&mut self) -> AccessEvent<'static> {
        self.at_micros += DAY_MICROS / self.calls_a_day();
        let number = if self.next_new < self.tokens {
            self.next_new += 1;
            self.next_new - 1
        } else {
            self.any_by_rate()
        };
        let class = match number % 20 {
            0 => 2,
            1..=5 => 1,
            _ => 0,
        };
        let (spread, random) = (number.wrapping_mul(0x9e37_79b9_7f4a_7c15), &mut self.random);
        let home = spread >> 32;
        // A busy token has six networks, of which it uses another one every four hours, and two clients. It shows them all at first,
        // so that none is news.
        let begins = self.pace * self.at_micros < DAY_MICROS / 8.0;
        let turn = if begins {
            random.u64(0..6)
        } else {
            (self.at_micros / DAY_MICROS * 6.0) as u64
        };
        let (network, agent, paths) = match class {
            2 => (home + turn % 6, home + random.u64(0..2), 12),
            1 => (home, home, 3),
            _ => (home, home, 2),
        };
        let drawn = random.u32(0..10_000);
        let status = if drawn < NOT_FOUND[class] {
            404
        } else if drawn < NOT_FOUND[class] + REFUSED[class] {
            403
        } else {
            200
        };
        let path = &PATHS[((home + random.u64(0..paths)) % 12) as usize];
        AccessEvent {
            ts: Timestamp::from_micros(START_MICROS + self.at_micros as i64),
            format: Format::ALL[0],
            request_id: None,
            token: Some(token(
                u128::from(spread) << 64 | u128::from(number),
                &CONSUMERS[(home % 2_000) as usize],
            )),
            client: Client {
                ip: Some([10, (network % NETWORKS) as u8, (home >> 8) as u8, 7].into()),
                country: CountryCode::parse("DE"),
                asn: Some(64_500 + (network % NETWORKS) as u32),
                user_agent: Some(AGENTS[(agent % 20) as usize].as_str().into()),
                ..Client::default()
            },
            http: Http {
                method: Some("GET".into()),
                path: Some(path[random.usize(0..512)].as_str().into()),
                status: Some(status),
                bytes_out: Some(u64::from(random.u16(..))),
                ..Http::default()
            },
            tls: None,
            outcome: Outcome::of_status(Some(status)),
            flags: EventFlags::default(),
            origin: Origin {
                topic: Some("gateway.access".into()),
                partition: Some((number % 4) as i32),
                ..Origin::default()
            },
        }
    }

    /// A token, as likely as it calls often.
    fn any_by_rate(&mut self) -> u64 {
        let all = self.calls_a_day() * 20.0 / self.tokens as f64 / self.pace;
        let mut drawn = self.random.f64() * all;
        let mut class = 0;
        while class < 2 && drawn >= CALLS_A_DAY[class] * TWENTIETHS[class] as f64 {
            drawn -= CALLS_A_DAY[class] * TWENTIETHS[class] as f64;
            class += 1;
        }
        let place = match class {
            2 => 0,
            1 => self.random.u64(1..6),
            _ => self.random.u64(6..20),
        };
        self.random.u64(0..self.tokens / 20) * 20 + place
    }
}

fn token(bits: u128, consumer: &'static str) -> TokenUse<'static> {
    TokenUse {
        id: TokenId::from_bits(bits),
        kind: TokenKind::ApiKey,
        credential_id: None,
        instance: None,
        consumer: Some(consumer.into()),
        scopes: Vec::new(),
        fingerprint: None,
        issued_at: None,
        expires_at: None,
        jwt: None,
    }
}
