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
    Route { method: "GET", name: "admin-users", path: "/v1/admin/users" },
    Route { method: "GET", name: "admin-keys", path: "/v1/admin/keys" },
    Route { method: "GET", name: "admin-export", path: "/v1/admin/export/{}" },
    Route { method: "POST", name: "admin-keys", path: "/v1/admin/keys" },
];
const CUSTOMERS: Route = Route { method: "GET", name: "customers-get", path: "/v1/customers/{}" };
const REFUNDS: Route = Route { method: "POST", name: "refunds-create", path: "/v1/refunds" };

/// The tokens that the attacks are about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attacks {
    /// Stolen, and used from elsewhere while its owner goes on.
    pub(super) stolen: usize,
    /// Tries out what it may do.
    probing: usize,
    /// Used far more than ever.
    spiking: usize,
    /// Used for what it is not meant for.
    straying: usize,
}

impl Attacks {
    /// Picks tokens whose habits suit the attacks.
    pub(super) fn choose(fleet: &[Member]) -> Self {
        let mut busy = fleet.iter().enumerate().filter(|(_, member)| {
            member.gateway == GatewayKind::Kong && matches!(member.habit, Habit::DailySync { .. })
        });
        let mut next = || busy.next().expect("the fleet has four busy tokens at Kong").0;
        Self { stolen: next(), probing: next(), spiking: next(), straying: next() }
    }

    /// Calls of the attacks from `from` until `to`, counted from the start of live traffic.
    pub(super) fn calls(
        &self,
        fleet: &[Member],
        live_since: Timestamp,
        from: Timestamp,
        to: Timestamp,
        rng: &mut Rng,
    ) -> Vec<Call> {
        let mut calls = Vec::new();
        let mut script = |starts: f64, lasts: f64, per_s: f64, make: &mut dyn FnMut(Timestamp, &mut Rng) -> Call| {
            for at in ticks(live_since, starts, lasts, per_s, from, to) {
                calls.push(make(at, rng));
            }
        };
        // A burst of failures: keys of other customers are tried out.
        script(1.0, 20.0, 6.0, &mut |at, rng| self.probe(fleet, at, rng));
        // Out of scope: a reporting token starts to refund.
        script(6.0, 40.0, 0.1, &mut |at, rng| self.stray(fleet, at, rng));
        // A spike: many times the token's busiest minute.
        script(8.0, 60.0, 25.0, &mut |at, rng| {
            call(self.spiking, &fleet[self.spiking], at, rng)
        });
        // Theft: the owner goes on, the thief reads customers and rattles at the administrative routes.
        script(5.0, 3_600.0, 0.5, &mut |at, rng| call(self.stolen, &fleet[self.stolen], at, rng));
        script(12.0, 3_600.0, 3.0, &mut |at, rng| self.steal(at, rng));
        calls.sort_by_key(|call| (call.at, call.member));
        calls
    }

    fn probe(&self, fleet: &[Member], at: Timestamp, rng: &mut Rng) -> Call {
        let member = &fleet[self.probing];
        let status = if rng.f64() < 0.9 { 403 } else { 200 };
        call_of(self.probing, CUSTOMERS, at, member.addresses[0], member.user_agent, status, rng)
    }

    fn stray(&self, fleet: &[Member], at: Timestamp, rng: &mut Rng) -> Call {
        let member = &fleet[self.straying];
        call_of(self.straying, REFUNDS, at, member.addresses[0], member.user_agent, 201, rng)
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

/// The moments between `from` and `to` at which something happens `per_s` times a second, from `starts` seconds after
/// `live_since` for `lasts` seconds.
fn ticks(
    live_since: Timestamp,
    starts: f64,
    lasts: f64,
    per_s: f64,
    from: Timestamp,
    to: Timestamp,
) -> impl Iterator<Item = Timestamp> {
    let step = Duration::from_secs_f64(1.0 / per_s);
    let start = live_since + Duration::from_secs_f64(starts);
    let count = (lasts * per_s) as u32;
    let first = (from.since(start).as_secs_f64() * per_s).ceil() as u32;
    (first..count).map(move |index| start + step * index).take_while(move |at| *at < to)
        .filter(move |at| *at >= from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_of_time_hold_every_tick_once() {
        let live_since = Timestamp::from_secs(1_000);
        let all = |step_ms: u64| {
            let mut from = live_since;
            let mut seen = Vec::new();
            while from < live_since + Duration::from_secs(12) {
                let to = from + Duration::from_millis(step_ms);
                seen.extend(ticks(live_since, 2.0, 5.0, 3.0, from, to));
                from = to;
            }
            seen
        };
        assert_eq!(all(200).len(), 15);
        assert_eq!(all(200), all(1_000));
    }
}
