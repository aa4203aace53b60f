//! What is told of a sealed half-minute: the group of which most tokens failed together, or surged.

use super::{Cell, Commons, FLEET, is_common};
use crate::config::FleetFailureConfig;

/// Something that happened to much of a group in one sealed window.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct GroupFailure {
    /// The window's number.
    pub(crate) window: i64,
    /// The group's key.
    pub(crate) key: u64,
    /// Which group: `fleet`, `consumer acme`, `client acme-sdk`, `route /v1/orders`.
    pub(crate) group: String,
    pub(crate) failing: u32,
    pub(crate) active: u32,
    pub(crate) routes: Vec<String>,
    /// They did not fail, but made far more calls than they usually do.
    pub(crate) surge: bool,
}

impl Commons {
    /// What failed together in the five minutes that end with window `number`, if any of its tokens began to fail in it.
    pub(super) fn failure_of(
        &self,
        number: i64,
        settings: &FleetFailureConfig,
    ) -> Option<GroupFailure> {
        let window = self.windows.get(&number)?;
        let fleet = self.sum(FLEET, number);
        let all = fails_together(FLEET, &fleet, settings);
        let failing = window
            .groups()
            .filter(|(key, cell)| cell.failing > 0 && (*key == FLEET) == all)
            .map(|(key, _)| (key, self.sum(key, number)))
            .filter(|(key, cell)| {
                fails_together(*key, cell, settings) || is_route(cell, fleet.active, settings)
            })
            // The failing of a group is one fact: the largest of its groups tells it.
            .max_by_key(|(key, cell)| (cell.failing, cell.active, *key));
        failing.map(|(key, cell)| GroupFailure {
            window: number,
            key,
            group: cell.name.unwrap_or_default(),
            failing: cell.failing,
            active: if cell.active == 0 {
                fleet.active
            } else {
                cell.active
            },
            routes: window.routes.clone(),
            surge: false,
        })
    }

    /// The group that surged together in the five minutes that end with window `number`, if any began to in it.
    pub(super) fn surge_of(
        &self,
        number: i64,
        settings: &FleetFailureConfig,
    ) -> Option<GroupFailure> {
        let window = self.windows.get(&number)?;
        let surging = window
            .groups()
            .filter(|(_, cell)| cell.hot > 0)
            .map(|(key, _)| (key, self.sum(key, number)))
            .filter(|(key, cell)| {
                is_common(*key, cell.hot, cell.rated, settings)
                    && !self.usual.is_chance(*key, number, cell.hot, cell.rated)
            })
            .max_by_key(|(key, cell)| (cell.hot, cell.rated, *key));
        surging.map(|(key, cell)| GroupFailure {
            window: number,
            key,
            group: cell.name.unwrap_or_default(),
            failing: cell.hot,
            active: cell.rated,
            routes: Vec::new(),
            surge: true,
        })
    }
}

fn fails_together(key: u64, cell: &Cell, settings: &FleetFailureConfig) -> bool {
    is_common(key, cell.failing, cell.active, settings)
}

/// A route has no tokens of its own: it fails if as many fail there as make a failure of the fleet, or an eighth of all.
fn is_route(cell: &Cell, active: u32, settings: &FleetFailureConfig) -> bool {
    cell.active == 0 && cell.failing >= settings.fleet_tokens.max(active / 8)
}
