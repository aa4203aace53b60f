//! What the demo's tokens do: calls, by their habits, in any stretch of time.

use std::net::Ipv4Addr;
use std::time::Duration;

use fastrand::Rng;
use tokenwatch_model::Timestamp;

use super::fleet::{Habit, Member, Route};

const HOUR: Duration = Duration::from_hours(1);

/// One call at a gateway.
#[derive(Clone, Debug)]
pub(super) struct Call {
    /// When.
    pub(super) at: Timestamp,
    /// Whose token, as an index into the fleet.
    pub(super) member: usize,
    /// Where from.
    pub(super) address: Ipv4Addr,
    /// With what.
    pub(super) user_agent: &'static str,
    /// The method.
    pub(super) method: &'static str,
    /// The gateway's name of the route.
    pub(super) route: &'static str,
    /// The path.
    pub(super) path: String,
    /// What the service behind the gateway answers, unless the gateway refuses the token.
    pub(super) status: u16,
    /// Bytes received.
    pub(super) bytes_in: u64,
    /// Bytes sent.
    pub(super) bytes_out: u64,
    /// How long it took.
    pub(super) latency_ms: u64,
}

/// Every call of `fleet` from `from` until `to`, in order, at most an hour.
pub(super) fn calls(fleet: &[Member], from: Timestamp, to: Timestamp, rng: &mut Rng) -> Vec<Call> {
    let hour = from.as_secs().div_euclid(3_600);
    let share = to.since(from).as_secs_f64() / HOUR.as_secs_f64();
    let mut calls = Vec::new();
    for (index, member) in fleet.iter().enumerate() {
        let full_hour = from.floor_to(HOUR) == from;
        if let Habit::Hourly { .. } = member.habit {
            // The whole hour's calls come in the first minute after the full hour.
            if full_hour {
                let count = poisson(member.habit.per_hour(hour), rng);
                calls.extend((0..count).map(|_| {
                    call(
                        index,
                        member,
                        from + Duration::from_millis(rng.u64(..60_000)),
                        rng,
                    )
                }));
            }
            continue;
        }
        let count = poisson(member.habit.per_hour(hour) * share, rng);
        let width = to.since(from).as_micros() as u64;
        calls.extend((0..count).map(|_| {
            call(
                index,
                member,
                from + Duration::from_micros(rng.u64(..width.max(1))),
                rng,
            )
        }));
    }
    calls.sort_by_key(|call| (call.at, call.member));
    calls
}

/// An ordinary call of `member`.
pub(super) fn call(index: usize, member: &Member, at: Timestamp, rng: &mut Rng) -> Call {
    let route = member.routes[rng.usize(..member.routes.len())];
    let status = if rng.f64() < member.failing {
        [400, 404, 404, 409, 500][rng.usize(..5)]
    } else if route.method == "POST" {
        201
    } else {
        200
    };
    let address = member.addresses[rng.usize(..member.addresses.len())];
    call_of(index, route, at, address, member.user_agent, status, rng)
}

/// A call of the token at `index` with everything given.
pub(super) fn call_of(
    index: usize,
    route: Route,
    at: Timestamp,
    address: Ipv4Addr,
    user_agent: &'static str,
    status: u16,
    rng: &mut Rng,
) -> Call {
    Call {
        at,
        member: index,
        address,
        user_agent,
        method: route.method,
        route: route.name,
        path: route.path.replace("{}", &rng.u32(1..50_000).to_string()),
        status,
        bytes_in: rng.u64(180..900),
        bytes_out: if status < 300 {
            rng.u64(300..9_000)
        } else {
            rng.u64(60..220)
        },
        latency_ms: rng.u64(3..120),
    }
}

/// A Poisson-distributed count: Knuth's product of uniforms below 30, the normal approximation above.
fn poisson(mean: f64, rng: &mut Rng) -> usize {
    if mean > 30.0 {
        let normal =
            (-2.0 * (1.0 - rng.f64()).ln()).sqrt() * (std::f64::consts::TAU * rng.f64()).cos();
        return (mean + mean.sqrt() * normal).round().max(0.0) as usize;
    }
    let limit = (-mean).exp();
    let mut product = rng.f64();
    let mut count = 0;
    while product > limit {
        product *= rng.f64();
        count += 1;
    }
    count
}
