//! One simulated call, before it becomes a log line or an access event.

use std::net::Ipv4Addr;

use super::api::{ROUTES, RouteId};
use super::calendar::Moment;
use super::clients::Agent;
use super::dice::Dice;

/// Whose credential a call shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Holder {
    /// A token of the fleet, by its index.
    Token(u32),
    /// A credential that nobody gave out, by a number.
    Unknown(u64),
}

/// Why a call is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// The owner's habit, or a benign case.
    Owner,
    /// An attack, by its index; without the attack the call would not be there.
    Attack(u16),
    /// An attack that only makes more bytes of one of the owner's calls, which would have had these.
    Swollen { attack: u16, bytes_out: u32 },
}

/// One call.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// When it was logged, by the gateway's clock.
    pub(super) at: Moment,
    /// When its line arrives; lines arrive in this order.
    pub(super) arrives: Moment,
    /// With which credential.
    pub(super) holder: Holder,
    /// Why.
    pub(super) cause: Cause,
    /// Where from.
    pub(super) address: Ipv4Addr,
    /// With what.
    pub(super) agent: Agent,
    /// To which gateway.
    pub(super) node: u8,
    /// What for.
    pub(super) route: RouteId,
    /// Which object.
    pub(super) object: u64,
    /// A method other than the route's own.
    pub(super) method: Option<&'static str>,
    /// The answer.
    pub(super) status: u16,
    /// Bytes received.
    pub(super) bytes_in: u32,
    /// Bytes sent.
    pub(super) bytes_out: u32,
    /// How long it took.
    pub(super) latency_ms: u32,
    /// Makes the request's id.
    pub(super) request: u64,
}

/// What a call is made of that its time does not decide.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    /// With which credential.
    pub(super) holder: Holder,
    /// Why.
    pub(super) cause: Cause,
    /// Where from.
    pub(super) address: Ipv4Addr,
    /// With what.
    pub(super) agent: Agent,
}

impl Call {
    /// A call at `at`, of `route` for `object`, that is answered with `status` and `bytes_out`.
    pub(super) fn new(
        manner: Manner,
        at: Moment,
        (route, object): (RouteId, u64),
        status: u16,
        dice: &mut Dice,
    ) -> Self {
        let median = ROUTES
            .get(usize::from(route))
            .map_or(120, |route| route.answer_bytes);
        let bytes_out = if status < 300 {
            f64::from(median) * dice.lognormal(0.5)
        } else {
            dice.between(60.0, 220.0)
        };
        // Logs tell milliseconds; what happened and what is judged must not differ by less.
        let at = at - at.rem_euclid(1_000);
        Self {
            at,
            arrives: at,
            holder: manner.holder,
            cause: manner.cause,
            address: manner.address,
            agent: manner.agent,
            node: dice.below(usize::from(NODES)) as u8,
            route,
            object,
            method: None,
            status,
            bytes_in: dice.whole(180, 900) as u32,
            bytes_out: bytes_out as u32,
            latency_ms: (4.0 + dice.exponential(30.0)) as u32,
            request: dice.whole(0, i64::MAX) as u64,
        }
    }

    /// The method that is logged.
    pub(super) fn method(&self) -> &'static str {
        self.method.unwrap_or_else(|| {
            ROUTES
                .get(usize::from(self.route))
                .map_or("GET", |route| route.method)
        })
    }

    /// The attack that it belongs to.
    pub(super) fn attack(&self) -> Option<u16> {
        match self.cause {
            Cause::Owner => None,
            Cause::Attack(attack) | Cause::Swollen { attack, .. } => Some(attack),
        }
    }
}

/// Gateways behind a balancer.
pub(super) const NODES: u8 = 4;
