//! One half-minute: what the tokens of the fleet and of each group did in it.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use foldhash::fast::FixedState;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::FLEET;

/// Groups counted in one window: 4,096 of 56 bytes with their keys are 224 KiB.
const MAX_GROUPS: usize = 4_096;
/// Names of routes that a window keeps as examples: the first in the alphabet.
const MAX_ROUTES: usize = 5;

/// The groups by their keys; nothing that is told depends on the order in which they lie.
type Cells = HashMap<u64, Cell, FixedState>;

/// A half-minute.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Window {
    fleet: Cell,
    #[serde(serialize_with = "in_order", deserialize_with = "from_order")]
    cells: Cells,
    /// Routes on which calls failed.
    pub(super) routes: Vec<String>,
}

/// A group's sums over one window; tokens, not calls.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Cell {
    pub(crate) active: u32,
    pub(crate) failing: u32,
    /// With a habit of the rate, and those of them far above what they expect.
    pub(crate) rated: u32,
    pub(crate) hot: u32,
    /// Named once one of them fails or surges.
    pub(crate) name: Option<String>,
}

impl Cell {
    /// Names the group, if it has no name: of which kind it is, and which of them.
    pub(super) fn call(&mut self, kind: &str, name: &str) {
        self.name.get_or_insert_with(|| {
            let space = if name.is_empty() { "" } else { " " };
            format!("{kind}{space}{name}")
        });
    }
}

impl Window {
    /// A group's sums, if it has any.
    pub(super) fn get(&self, key: u64) -> Option<&Cell> {
        if key == FLEET {
            Some(&self.fleet)
        } else {
            self.cells.get(&key)
        }
    }

    /// The same, to add to; `None` if there is no room for another group.
    pub(super) fn cell(&mut self, key: u64) -> Option<&mut Cell> {
        if key == FLEET {
            return Some(&mut self.fleet);
        }
        let is_full = self.cells.len() >= MAX_GROUPS;
        match self.cells.entry(key) {
            Entry::Occupied(cell) => Some(cell.into_mut()),
            Entry::Vacant(_) if is_full => None,
            Entry::Vacant(free) => Some(free.insert(Cell::default())),
        }
    }

    /// All groups and the fleet, in no particular order.
    pub(super) fn groups(&self) -> impl Iterator<Item = (u64, &Cell)> {
        let groups = self.cells.iter().map(|(key, cell)| (*key, cell));
        std::iter::once((FLEET, &self.fleet)).chain(groups)
    }

    /// Notes a route on which a call failed.
    pub(super) fn keep_route(&mut self, route: &str) {
        let routes = &mut self.routes;
        if let Err(place) = routes.binary_search_by(|known| known.as_str().cmp(route))
            && place < MAX_ROUTES
        {
            routes.insert(place, route.to_owned());
            routes.truncate(MAX_ROUTES);
        }
    }
}

/// The same state has the same bytes, whatever the order in which its groups came.
fn in_order<S: Serializer>(cells: &Cells, to: S) -> Result<S::Ok, S::Error> {
    cells.iter().collect::<BTreeMap<_, _>>().serialize(to)
}

fn from_order<'de, D: Deserializer<'de>>(from: D) -> Result<Cells, D::Error> {
    Ok(BTreeMap::deserialize(from)?.into_iter().collect())
}
