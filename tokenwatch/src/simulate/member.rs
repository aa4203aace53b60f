//! A simulated token: whose it is, how often, where from, with what and what for it is used.

use std::net::Ipv4Addr;

use tokenwatch_model::TokenId;

use super::api::{NO_ROUTE, Naming, ORDINARY, ROUTES, RouteId};
use super::calendar::Moment;
use super::call::{Call, Cause, Holder, Manner};
use super::clients::Agent;
use super::dice::Dice;
use super::habit::{Class, Habit};
use super::home::Home;

/// One token.
#[derive(Clone, Debug)]
pub(super) struct Member {
    /// Its index in the fleet.
    pub(super) index: u32,
    /// What the decoder will call it.
    pub(super) id: TokenId,
    /// The raw key, which only the simulated gateway and its log lines know.
    pub(super) key: String,
    /// The gateway's id of the credential.
    pub(super) credential_id: String,
    /// The application that it was given to.
    pub(super) consumer: String,
    /// Which company that belongs to.
    pub(super) tenant: u16,
    /// Its class of habit.
    pub(super) class: Class,
    /// Its habit.
    pub(super) habit: Habit,
    /// Where it is used from.
    pub(super) home: Home,
    /// What it is used with.
    pub(super) agent: Agent,
    /// What it is used for, the most usual first.
    pub(super) routes: Vec<RouteId>,
    /// What its application may call, whatever it does call.
    pub(super) allowed: Vec<RouteId>,
    /// Which objects.
    pub(super) objects: Objects,
    /// How its calls fail on an ordinary day.
    pub(super) failures: Failures,
    /// Whether a policy says what it may call.
    pub(super) has_policy: bool,
    /// It is used from then on,
    pub(super) born: Moment,
    /// and no longer from then on.
    pub(super) ends: Moment,
    /// It lies idle from the first until the second of these.
    pub(super) gap: Option<(Moment, Moment)>,
}

/// Which objects of a route are asked for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Objects {
    /// The next one each time: a synchronisation.
    Cursor { first: u64 },
    /// Any.
    Random,
    /// Always the same few.
    Own { first: u64, count: u64 },
}

/// Shares of calls that fail.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failures {
    /// 404: some poll for what is not there yet.
    pub(super) not_found: f64,
    /// 401 and 403.
    pub(super) denied: f64,
    /// 500, 502, 503.
    pub(super) server: f64,
    /// 400, 409, 422, 429.
    pub(super) other: f64,
}

impl Member {
    /// Whether it is in use at a moment.
    pub(super) fn is_used_at(&self, at: Moment) -> bool {
        at >= self.born && at < self.ends && self.gap.is_none_or(|(from, to)| at < from || at >= to)
    }

    /// An ordinary call.
    pub(super) fn call(&self, at: Moment, dice: &mut Dice) -> Call {
        let manner = self.manner(self.home.address(at, dice));
        let route = self.any_route(dice);
        let object = self.any_object(route, at, dice);
        let status = self.any_status(route, dice);
        Call::new(manner, at, (route, object), status, dice)
    }

    /// How its owner calls, from this address.
    pub(super) fn manner(&self, address: Ipv4Addr) -> Manner {
        Manner {
            holder: Holder::Token(self.index),
            cause: Cause::Owner,
            address,
            agent: self.agent,
        }
    }

    /// One of its routes; each is used half as often as the one before.
    pub(super) fn any_route(&self, dice: &mut Dice) -> RouteId {
        let mut chosen = 0;
        while chosen + 1 < self.routes.len() && dice.chance(0.5) {
            chosen += 1;
        }
        self.routes[chosen]
    }

    /// An object that it asks for.
    pub(super) fn any_object(&self, route: RouteId, at: Moment, dice: &mut Dice) -> u64 {
        let is_named = ROUTES
            .get(usize::from(route))
            .is_some_and(|route| route.naming != Naming::None);
        if !is_named {
            return 0;
        }
        match self.objects {
            // About one object a second, so that it goes on where it stopped.
            Objects::Cursor { first } => first + (at / 1_000_000).unsigned_abs(),
            Objects::Random => dice.whole(1, 2_000_000) as u64,
            Objects::Own { first, count } => first + dice.below(count as usize) as u64,
        }
    }

    /// How a call ends on an ordinary day.
    fn any_status(&self, route: RouteId, dice: &mut Dice) -> u16 {
        let Failures {
            not_found,
            denied,
            server,
            other,
        } = self.failures;
        let mut draw = dice.between(0.0, 1.0);
        for (share, statuses) in [
            (not_found, &[404][..]),
            (denied, &[403, 401]),
            (server, &[500, 502, 503]),
            (other, &[400, 409, 422, 429]),
        ] {
            if draw < share {
                return *dice.pick(statuses);
            }
            draw -= share;
        }
        success(route)
    }

    /// Ordinary routes that its application may not call.
    pub(super) fn foreign_routes(&self) -> Vec<RouteId> {
        (0..ORDINARY)
            .filter(|route| !self.allowed.contains(route))
            .collect()
    }
}

/// The status of a call that succeeds.
pub(super) fn success(route: RouteId) -> u16 {
    if route == NO_ROUTE {
        return 404;
    }
    match ROUTES[usize::from(route)].method {
        "POST" => 201,
        "DELETE" => 204,
        _ => 200,
    }
}
