//! Sweeps over a cloud account: many different reading actions, over many services, in minutes.
//!
//! Whoever finds keys asks first what they open (MITRE ATT&CK T1580, T1526, T1087.004, T1069.003): `List…`, `Describe…`
//! and `Get…` of everything, of which many are refused. Only actions that are new to the token count, so that a scanner
//! with a habit is quiet. Exists only for tokens that call actions by name: 32 bytes.

use serde::{Deserialize, Serialize};
use tokenwatch_model::{Http, Timestamp};

/// A sweep begins anew after this long.
pub(crate) const SWEEP_S: i64 = 600;
/// Verbs that only read.
const READING: [&str; 7] = [
    "List", "Describe", "Get", "BatchGet", "Search", "Lookup", "Simulate",
];

/// An action that reads, told from its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Discovery {
    /// Of the service: what stands before the action.
    service: u64,
    /// Of the whole name.
    action: u64,
}

/// The action of a call that has no path, if it only reads.
pub(crate) fn discovery_of(http: &Http<'_>) -> Option<Discovery> {
    let route = http
        .route
        .as_deref()
        .filter(|route| !route.starts_with('/'))?;
    let (service, action) = route.rsplit_once(['/', '.'])?;
    let reads = READING.iter().any(|verb| {
        let behind = action.strip_prefix(verb);
        behind.is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_uppercase()))
    });
    reads.then(|| Discovery {
        service: crate::hash_text(service),
        action: crate::hash_text(route),
    })
}

/// What a token tried of late.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Sweep {
    actions: u64,
    services: u64,
    /// Begin, in seconds since 1970.
    start_s: u32,
    secrets_start_s: u32,
    tried: u16,
    refused: u16,
    /// Largest count that was told.
    told: u16,
    /// Secrets read since their own begin.
    secrets: u16,
}

impl Sweep {
    /// Notes an action that is new to the token. A call before the sweep's start is counted to it: it was late.
    pub(crate) fn note(&mut self, discovery: Discovery, refused: bool, ts: Timestamp) {
        if is_over(self.start_s, ts) {
            *self = Self {
                start_s: seconds(ts),
                secrets_start_s: self.secrets_start_s,
                secrets: self.secrets,
                ..Self::default()
            };
        }
        self.actions |= 1 << (discovery.action >> 58);
        self.services |= 1 << (discovery.service >> 58);
        self.tried = self.tried.saturating_add(1);
        self.refused = self.refused.saturating_add(u16::from(refused));
    }

    /// Notes that a secret was read; how many there are within ten minutes now.
    pub(crate) fn note_secret(&mut self, ts: Timestamp) -> u32 {
        if is_over(self.secrets_start_s, ts) {
            (self.secrets_start_s, self.secrets) = (seconds(ts), 0);
        }
        self.secrets = self.secrets.saturating_add(1);
        u32::from(self.secrets)
    }

    /// About how many different actions and services.
    pub(crate) fn breadth(&self) -> (u32, u32) {
        (linear_count(self.actions), linear_count(self.services))
    }

    /// Share of the tried actions that were refused.
    pub(crate) fn refused_share(&self) -> f64 {
        f64::from(self.refused) / f64::from(self.tried.max(1))
    }

    /// Begin of the sweep.
    pub(crate) fn start(&self) -> Timestamp {
        Timestamp::from_secs(i64::from(self.start_s))
    }

    /// Whether there is so much more than was told that it is told again.
    pub(crate) fn tell(&mut self, actions: u32) -> bool {
        let grown = actions >= 2 * u32::from(self.told).max(1);
        if grown {
            self.told = u16::try_from(actions).unwrap_or(u16::MAX);
        }
        grown
    }
}

fn seconds(ts: Timestamp) -> u32 {
    u32::try_from(ts.as_secs()).unwrap_or(0)
}

fn is_over(start_s: u32, ts: Timestamp) -> bool {
    ts.as_secs() >= i64::from(start_s) + SWEEP_S
}

fn linear_count(bits: u64) -> u32 {
    let clear = f64::from(bits.count_zeros()).max(0.5);
    libm::round(64.0 * libm::log(64.0 / clear)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn action(route: &'static str) -> Option<Discovery> {
        discovery_of(&Http {
            route: Some(route.into()),
            ..Http::default()
        })
    }

    #[test]
    fn reading_actions_are_told_by_their_verbs() {
        for route in [
            "iam.amazonaws.com/ListUsers",
            "ec2.amazonaws.com/DescribeInstances",
            "google.iam.v1.IAMPolicy.GetIamPolicy",
        ] {
            assert!(action(route).is_some(), "{route}");
        }
        for route in [
            "iam.amazonaws.com/CreateUser",
            "/v1/Get",
            "getter",
            "x/Listen",
            "orders-list",
        ] {
            assert!(action(route).is_none(), "{route}");
        }
    }

    #[test]
    fn breadth_and_refusals_are_counted_within_ten_minutes() {
        let mut sweep = Sweep::default();
        let routes = [
            "iam.amazonaws.com/ListUsers",
            "iam.amazonaws.com/ListRoles",
            "s3.amazonaws.com/ListBuckets",
            "ec2.amazonaws.com/DescribeInstances",
        ];
        for (number, route) in routes.into_iter().enumerate() {
            let at = Timestamp::from_secs(1_000_000 + number as i64);
            sweep.note(action(route).expect("it reads"), number % 2 == 0, at);
        }
        assert_eq!(sweep.breadth(), (4, 3));
        assert!((sweep.refused_share() - 0.5).abs() < 1e-9);
        assert!(sweep.tell(4) && !sweep.tell(7) && sweep.tell(8));
        sweep.note(
            action(routes[0]).expect("it reads"),
            false,
            Timestamp::from_secs(1_000_700),
        );
        assert_eq!(sweep.breadth(), (1, 1));
        assert_eq!(sweep.note_secret(Timestamp::from_secs(1_000_700)), 1);
        assert_eq!(sweep.note_secret(Timestamp::from_secs(1_001_299)), 2);
        assert_eq!(sweep.note_secret(Timestamp::from_secs(1_001_300)), 1);
        assert!(size_of::<Sweep>() <= 32);
    }
}
