//! The demo's attacks: what happens to which token, and when.

use std::net::Ipv4Addr;
use std::time::Duration;

use fastrand::Rng;
use tokenwatch_model::Timestamp;

use super::fleet::{GatewayKind, Habit, Member, Route};
use super::traffic::{Call, call, call_of};

/// Where the thief sits.
const THIEF: Ipv4Addr = Ipv4Addr::new(41, 190, 2, 77);
/// What the thief uses.
const THIEF_AGENT: &str = "curl/8.5.0";
/// The administrative part of the API, which no ordinary token may touch.
const ADMIN: [Route; 4] = [
    Route {
        method: "GET",
        name: "admin-users",
        path: "/v1/admin/users",
    },
    Route {
        method: "GET",
        name: "admin-keys",
        path: "/v1/admin/keys",
    },
    Route {
        method: "GET",
        name: "admin-export",
        path: "/v1/admin/export/{}",
    },
    Route {
        method: "POST",
        name: "admin-keys",
        path: "/v1/admin/keys",
    },
];
const CUSTOMERS: Route = Route {
    method: "GET",
    name: "customers-get",
    path: "/v1/customers/{}",
};
const REFUNDS: Route = Route {
    method: "POST",
    name: "refunds-create",
    path: "/v1/refunds",
};

/// A wave of attacks begins this often, each on other tokens; only the first has a theft.
const WAVE: Duration = Duration::from_mins(1);

/// The tokens that the attacks are about, wave by wave.
#[derive(Clone, Debug)]
pub(super) struct Attacks {
    waves: Vec<Wave>,
}

/// One wave: a token for each attack.
#[derive(Clone, Copy, Debug)]
struct Wave {
    /// Stolen, and used from elsewhere while its owner goes on.
    stolen: usize,
    /// Tries out what it may do.
    probing: usize,
    /// Used far more than ever.
    spiking: usize,
    /// Used for what it is not meant for.
    straying: usize,
}

/// When something happens: from `starts` seconds after the wave begins, for `lasts` seconds, `per_s` times a second.
#[derive(Clone, Copy, Debug)]
struct Rhythm {
    starts: f64,
    lasts: f64,
    per_s: f64,
}

/// Keys of other customers are tried out: a burst of failures.
const PROBE: Rhythm = Rhythm {
    starts: 1.0,
    lasts: 15.0,
    per_s: 6.0,
};
/// A reporting token starts to refund.
const STRAY: Rhythm = Rhythm {
    starts: 12.0,
    lasts: 30.0,
    per_s: 0.1,
};
/// Many times the token's busiest minute.
const SPIKE: Rhythm = Rhythm {
    starts: 26.0,
    lasts: 25.0,
    per_s: 25.0,
};
/// The owner of the stolen token goes on …
const OWNER: Rhythm = Rhythm {
    starts: 5.0,
    lasts: 3_600.0,
    per_s: 0.25,
};
/// … while the thief reads customers and rattles at the administrative routes.
const THIEF_AT_WORK: Rhythm = Rhythm {
    starts: 20.0,
    lasts: 3_600.0,
    per_s: 3.0,
};

impl Attacks {
    /// Picks tokens whose habits suit the attacks.
    pub(super) fn choose(fleet: &[Member], now: Timestamp) -> Self {
        let hour = now.as_secs().div_euclid(3_600);
        let busy: Vec<usize> = fleet
            .iter()
            .enumerate()
            .filter(|(_, member)| {
                member.gateway == GatewayKind::Kong
                    && matches!(member.habit, Habit::DailySync { .. })
                    && member.habit.per_hour(hour) > 0.0
            })
            .map(|(index, _)| index)
            .collect();
        let wave = |chosen: &[usize]| match *chosen {
            [stolen, probing, spiking, straying] => Some(Wave {
                stolen,
                probing,
                spiking,
                straying,
            }),
            _ => None,
        };
        Self {
            waves: busy.chunks(4).filter_map(wave).collect(),
        }
    }

    /// The token that is stolen.
    pub(super) fn stolen(&self) -> usize {
        self.waves[0].stolen
    }

    /// Calls of the attacks from `from` until `to`; the first wave begins at `live_since`.
    pub(super) fn calls(
        &self,
        fleet: &[Member],
        live_since: Timestamp,
        from: Timestamp,
        to: Timestamp,
        rng: &mut Rng,
    ) -> Vec<Call> {
        let mut calls = Vec::new();
        for (wave, begins) in self
            .waves
            .iter()
            .zip((0..).map(|wave| live_since + WAVE * wave))
        {
            let at = |rhythm| ticks(begins, rhythm, from, to);
            calls.extend(at(PROBE).map(|at| wave.probe(fleet, at, rng)));
            calls.extend(at(STRAY).map(|at| wave.stray(fleet, at, rng)));
            calls.extend(at(SPIKE).map(|at| call(wave.spiking, &fleet[wave.spiking], at, rng)));
        }
        let (theft, owner) = (self.waves[0], &fleet[self.stolen()]);
        calls.extend(
            ticks(live_since, OWNER, from, to).map(|at| call(theft.stolen, owner, at, rng)),
        );
        calls.extend(ticks(live_since, THIEF_AT_WORK, from, to).map(|at| theft.steal(at, rng)));
        calls
    }
}

impl Wave {
    fn probe(&self, fleet: &[Member], at: Timestamp, rng: &mut Rng) -> Call {
        let member = &fleet[self.probing];
        let status = if rng.f64() < 0.9 { 403 } else { 200 };
        call_of(
            self.probing,
            CUSTOMERS,
            at,
            member.addresses[0],
            member.user_agent,
            status,
            rng,
        )
    }

    fn stray(&self, fleet: &[Member], at: Timestamp, rng: &mut Rng) -> Call {
        let member = &fleet[self.straying];
        call_of(
            self.straying,
            REFUNDS,
            at,
            member.addresses[0],
            member.user_agent,
            201,
            rng,
        )
    }

    fn steal(&self, at: Timestamp, rng: &mut Rng) -> Call {
        let (route, status) = if rng.f64() < 0.6 {
            (ADMIN[rng.usize(..ADMIN.len())], 403)
        } else {
            (CUSTOMERS, 200)
        };
        call_of(self.stolen, route, at, THIEF, THIEF_AGENT, status, rng)
    }
}

/// The moments between `from` and `to` of a rhythm that is counted from `begins`.
fn ticks(
    begins: Timestamp,
    rhythm: Rhythm,
    from: Timestamp,
    to: Timestamp,
) -> impl Iterator<Item = Timestamp> {
    let step = Duration::from_secs_f64(1.0 / rhythm.per_s);
    let start = begins + Duration::from_secs_f64(rhythm.starts);
    let count = (rhythm.lasts * rhythm.per_s) as u32;
    let first = (from.since(start).as_secs_f64() * rhythm.per_s) as u32;
    (first..count)
        .map(move |index| start + step * index)
        .take_while(move |at| *at < to)
        .filter(move |at| *at >= from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_of_time_hold_every_tick_once() {
        let begins = Timestamp::from_secs(1_000);
        let rhythm = Rhythm {
            starts: 2.0,
            lasts: 5.0,
            per_s: 3.0,
        };
        let all = |slice_ms: u64| {
            let mut from = begins;
            let mut seen = Vec::new();
            while from < begins + Duration::from_secs(12) {
                let to = from + Duration::from_millis(slice_ms);
                seen.extend(ticks(begins, rhythm, from, to));
                from = to;
            }
            seen
        };
        assert_eq!(all(200).len(), 15);
        assert_eq!(all(200), all(1_000));
    }
}
