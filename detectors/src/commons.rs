//! What joins tokens: how many of the fleet fail or surge together, and what many of them take up.
//!
//! Everything here is a sum over half-minutes of event time, so it does not depend on the order in which partitions are
//! read. A token that asks about a time gets the sums of windows that ended at least [`READ_LAG_S`] before, which are
//! complete as long as the streams are no further apart than ten seconds; soft hits are therefore confirmed a minute late.
//! A window is sealed when the watermark of all streams has passed it; that is when a failure of the fleet is told.

mod failure;
mod peers;
mod popularity;
mod usual;
mod window;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tokenwatch_model::{AccessEvent, Outcome, Timestamp};

pub(crate) use failure::GroupFailure;
pub(crate) use peers::{Caps, Peers};
pub(crate) use popularity::{ANY, Popularity};
use usual::Usual;
use window::{Cell, Window};

use crate::config::FleetFailureConfig;
use crate::hash_text;
use crate::route_template::RouteWords;
use crate::token::Token;

/// Length of a window in seconds.
pub(crate) const WINDOW_S: i64 = 30;
/// A window is read this long after its end at the earliest, and sealed so long after by the watermark.
pub(crate) const READ_LAG_S: i64 = 20;
/// Windows kept after sealing: half an hour.
const KEPT_WINDOWS: i64 = 60;
/// Windows that may be open at once: an hour, for streams that are apart.
const MAX_WINDOWS: usize = 120;
/// A token fails in a window in which a quarter of its calls do.
const FAILING_PART: u16 = 4;
/// A token counts as active, failing or hot once in so many windows, and that many are looked at together: five minutes, so
/// that slow fleets are seen to fail, too.
const SPAN: i64 = 10;
/// The sums of the fleet.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Commons {
    windows: BTreeMap<i64, Window>,
    /// Windows before this number are sealed.
    sealed: i64,
    pub(crate) popularity: Popularity,
    pub(crate) peers: Peers,
    pub(crate) words: RouteWords,
    usual: Usual,
    /// Groups and windows that found no room.
    pub(crate) overflowed: u64,
}

/// What a token did in its newest window, and for how long it still counts; 6 bytes.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Mark {
    /// Windows for which it still counts as active, failing, hot, this one included: four bits each.
    counted: u16,
    pub(crate) calls: u16,
    pub(crate) failed: u16,
}

/// The groups that a call's token belongs to beside the fleet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Groups {
    consumer: u64,
    client: u64,
}

/// The number of the window that `at` lies in.
pub(crate) fn window_of(at: Timestamp) -> i64 {
    at.as_secs().div_euclid(WINDOW_S)
}

/// The key of the fleet among groups.
const FLEET: u64 = 0;

impl Groups {
    /// The groups of the token that made this call.
    pub(crate) fn of(event: &AccessEvent<'_>) -> Self {
        let consumer = event.token.as_ref().and_then(|t| t.consumer.as_deref());
        let client = event.client.user_agent.as_deref().map(client_family);
        Self {
            consumer: consumer.map_or(0, |name| hash_text(name) | 1),
            client: client.map_or(0, |name| hash_text(name) & !1),
        }
    }

    /// The key of the client program; 0 if it is unknown.
    pub(crate) fn client(self) -> u64 {
        self.client
    }

    /// Their keys, with what people call them: the kind and the name.
    fn named<'e>(
        self,
        event: &'e AccessEvent<'_>,
    ) -> impl Iterator<Item = (u64, &'e str, &'e str)> {
        let consumer = event.token.as_ref().and_then(|t| t.consumer.as_deref());
        let client = event.client.user_agent.as_deref().map(client_family);
        let consumer = consumer.map(|name| (self.consumer, "consumer", name));
        let client = client.map(|name| (self.client, "client", name));
        [Some((FLEET, "fleet", "")), consumer, client]
            .into_iter()
            .flatten()
    }

    fn keys(self) -> impl Iterator<Item = u64> {
        [FLEET, self.consumer, self.client]
            .into_iter()
            .enumerate()
            .filter_map(|(index, key)| (index == 0 || key != 0).then_some(key))
    }
}

/// The window `number`, unless it is older than all of so many that there is no room.
fn window_at(windows: &mut BTreeMap<i64, Window>, number: i64) -> Option<&mut Window> {
    if windows.len() >= MAX_WINDOWS && !windows.contains_key(&number) {
        let oldest = *windows.keys().next()?;
        if oldest > number {
            return None;
        }
        windows.remove(&oldest);
    }
    Some(windows.entry(number).or_default())
}

/// The program that a user agent names: all before its version.
pub(crate) fn client_family(agent: &str) -> &str {
    agent.split(['/', ' ']).next().unwrap_or(agent)
}

impl Commons {
    /// Counts a call of `token` in its newest window; older ones count for nothing, and in one that is sealed for the token
    /// alone: what it knows of itself must not depend on how far others are.
    pub(crate) fn count(&mut self, token: &mut Token, event: &AccessEvent<'_>, groups: Groups) {
        let number = window_of(event.ts);
        if number != window_of(token.newest) {
            return;
        }
        let mark = &mut token.mark;
        mark.calls = mark.calls.saturating_add(1);
        let failed = matches!(
            event.outcome,
            Outcome::Denied | Outcome::NotFound | Outcome::ServerError
        );
        mark.failed = mark.failed.saturating_add(u16::from(failed));
        let (is_failing, calls) = (failed && fails_at(*mark), mark.calls);
        let is_rated = token.rate.is_some();
        let is_hot = token.rate.as_ref().is_some_and(|rate| calls >= rate.hot_at);
        if number < self.sealed {
            return;
        }
        let is_failing = is_failing && !token.fails_habitually();
        let mark = &mut token.mark;
        if mark.counts(ACTIVE) {
            self.add(number, groups, |cell| {
                cell.active += 1;
                cell.rated += u32::from(is_rated);
            });
        }
        if is_hot && mark.counts(HOT) {
            self.name_hot(number, event, groups);
        }
        if is_failing && mark.counts(FAILING) {
            self.note_failing(number, event, groups);
        }
    }

    fn add(&mut self, number: i64, groups: Groups, change: impl Fn(&mut Cell)) {
        let Some(window) = window_at(&mut self.windows, number) else {
            self.overflowed += 1;
            return;
        };
        for key in groups.keys() {
            match window.cell(key) {
                Some(cell) => change(cell),
                None => self.overflowed += 1,
            }
        }
    }

    /// Counts a token that surges, and names its groups.
    fn name_hot(&mut self, number: i64, event: &AccessEvent<'_>, groups: Groups) {
        let named = groups.named(event);
        self.add_named(number, named, |cell| cell.hot += 1);
    }

    fn note_failing(&mut self, number: i64, event: &AccessEvent<'_>, groups: Groups) {
        let route = event.http.route.as_deref().or(event.http.path.as_deref());
        let route = route.map(crate::samples::shortened);
        let of_route = route.map(|route| (hash_text(route).rotate_left(7) | 1, "route", route));
        let named = groups.named(event).chain(of_route);
        self.add_named(number, named, |cell| cell.failing += 1);
        if let (Some(route), Some(window)) = (route, self.windows.get_mut(&number)) {
            window.keep_route(route);
        }
    }

    fn add_named<'n>(
        &mut self,
        number: i64,
        named: impl Iterator<Item = (u64, &'n str, &'n str)>,
        change: impl Fn(&mut Cell),
    ) {
        let Some(window) = window_at(&mut self.windows, number) else {
            self.overflowed += 1;
            return;
        };
        for (key, kind, name) in named {
            match window.cell(key) {
                Some(cell) => {
                    change(cell);
                    cell.call(kind, name);
                }
                None => self.overflowed += 1,
            }
        }
    }

    /// Whether so many tokens of the fleet, or of one of the groups, failed in the five minutes before a window between
    /// `from` and `to` was over that no single one is to blame.
    pub(crate) fn is_failing(
        &self,
        groups: Groups,
        from: Timestamp,
        to: Timestamp,
        settings: &FleetFailureConfig,
    ) -> bool {
        readable(from, to).any(|number| self.is_common_in(groups, number, What::Fails, settings))
    }

    /// The same for a surge of calls.
    pub(crate) fn is_surging(
        &self,
        groups: Groups,
        from: Timestamp,
        to: Timestamp,
        settings: &FleetFailureConfig,
    ) -> bool {
        readable(from, to).any(|number| self.is_common_in(groups, number, What::Surges, settings))
    }

    /// Whether the fleet, or one of the groups, failed in one window, by its number; it must have ended long enough ago.
    pub(crate) fn fails_in(
        &self,
        groups: Groups,
        window: u32,
        settings: &FleetFailureConfig,
    ) -> bool {
        self.is_common_in(groups, i64::from(window), What::Fails, settings)
    }

    /// The same for a surge.
    pub(crate) fn surges_in(
        &self,
        groups: Groups,
        window: u32,
        settings: &FleetFailureConfig,
    ) -> bool {
        self.is_common_in(groups, i64::from(window), What::Surges, settings)
    }

    /// Whether what befalls tokens is common to the fleet, or to one of the groups, in the five minutes that end with window
    /// `number`.
    fn is_common_in(
        &self,
        groups: Groups,
        number: i64,
        what: What,
        settings: &FleetFailureConfig,
    ) -> bool {
        let (of_fleet, _) = self.pair(FLEET, number, what);
        // Whoever counts for a group counts for the fleet, so that one look says no at most times.
        of_fleet >= settings.fleet_tokens.min(settings.group_tokens)
            && groups.keys().any(|key| {
                let (affected, all) = self.pair(key, number, what);
                is_common(key, affected, all, settings)
                    && (what == What::Fails || !self.usual.is_chance(key, number, affected, all))
            })
    }

    /// The sums of two counts of a group over the five minutes that end with window `number`.
    fn pair(&self, key: u64, number: i64, what: What) -> (u32, u32) {
        let windows = self.windows.range(number - SPAN + 1..=number);
        let cells = windows.filter_map(|(_, window)| window.get(key));
        cells
            .map(|cell| what.of(cell))
            .fold((0, 0), |sum, more| (sum.0 + more.0, sum.1 + more.1))
    }

    /// All sums of a group over the five minutes that end with window `number`.
    fn sum(&self, key: u64, number: i64) -> Cell {
        let mut sum = Cell::default();
        for (_, window) in self.windows.range(number - SPAN + 1..=number) {
            if let Some(cell) = window.get(key) {
                sum.active += cell.active;
                sum.failing += cell.failing;
                sum.rated += cell.rated;
                sum.hot += cell.hot;
                if sum.name.is_none() {
                    sum.name.clone_from(&cell.name);
                }
            }
        }
        sum
    }

    /// Seals every window that `watermark` has passed; what failed together in them, in order.
    pub(crate) fn seal_until(
        &mut self,
        watermark: Timestamp,
        settings: &FleetFailureConfig,
        mut told: impl FnMut(GroupFailure),
    ) {
        self.words.seal(crate::calendar::hour_of(watermark));
        let until = watermark.as_secs().div_euclid(WINDOW_S);
        if until <= self.sealed {
            return;
        }
        let from = self.sealed;
        let sealed: Vec<i64> = self
            .windows
            .range(from..until)
            .map(|(number, _)| *number)
            .collect();
        for number in sealed {
            if let Some(window) = self.windows.get(&number) {
                self.overflowed += self.usual.learn(number, window);
            }
            let failed = self.failure_of(number, settings);
            if let Some(failure) = failed.or_else(|| self.surge_of(number, settings)) {
                told(failure);
            }
        }
        self.sealed = until;
        self.windows = self.windows.split_off(&(until - KEPT_WINDOWS));
    }
}

impl Mark {
    /// Ends a window; another one begins `later` windows after it.
    pub(crate) fn begin(&mut self, later: u32) -> Self {
        let ended = *self;
        let left = |of: u16| u32::from(self.counted >> (4 * of) & 0xf).saturating_sub(later) as u16;
        *self = Self {
            counted: left(ACTIVE) | left(FAILING) << (4 * FAILING) | left(HOT) << (4 * HOT),
            ..Self::default()
        };
        ended
    }

    /// Whether the token counts in its newest window: it did not in the nine before. Notes it.
    fn counts(&mut self, of: u16) -> bool {
        let is_counted = self.counted >> (4 * of) & 0xf != 0;
        if !is_counted {
            self.counted |= SPAN as u16 * (1 << (4 * of));
        }
        !is_counted
    }
}

/// Windows from that of `from` on that may be read at `to`.
fn readable(from: Timestamp, to: Timestamp) -> std::ops::RangeInclusive<i64> {
    window_of(from)..=(to.as_secs() - READ_LAG_S).div_euclid(WINDOW_S) - 1
}

/// What befalls tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Fails,
    Surges,
}

impl What {
    /// Tokens of a group that it befalls, of those that it might.
    fn of(self, cell: &Cell) -> (u32, u32) {
        match self {
            Self::Fails => (cell.failing, cell.active),
            Self::Surges => (cell.hot, cell.rated),
        }
    }
}

/// Indices of what a token counts as.
const ACTIVE: u16 = 0;
const FAILING: u16 = 1;
const HOT: u16 = 2;

fn fails_at(mark: Mark) -> bool {
    mark.failed > 0 && mark.failed.saturating_mul(FAILING_PART) >= mark.calls
}

fn is_common(key: u64, affected: u32, all: u32, settings: &FleetFailureConfig) -> bool {
    let (tokens, share) = if key == FLEET {
        (settings.fleet_tokens, settings.fleet_share)
    } else {
        (settings.group_tokens, settings.group_share)
    };
    affected >= tokens && f64::from(affected) >= share * f64::from(all) && all > 0
}
