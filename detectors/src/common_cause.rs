//! Whether what befalls many tokens now is what befell many a while ago, or another outage that has to be told by itself.
//!
//! An outage unfolds: first one client fails, then the fleet; a surge of calls may come before it and a stampede after it.
//! All of that is one thing. But one client that goes on failing for days must not hide that the fleet begins to, and what
//! fails tomorrow is another thing than what failed today.

use serde::{Deserialize, Serialize};
use tokenwatch_model::Timestamp;

/// For so long whatever happens to many tokens is part of what has just begun.
const UNFOLDS_S: i64 = 1_800;
/// Later, another group is another thing if it has so many times as many tokens.
const OUTGROWN: u32 = 2;

/// Which group of tokens failed or surged, and how many of them; 16 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CommonCause {
    /// The group's key.
    pub(crate) group: u64,
    /// They did not fail, but made far more calls than they usually do.
    pub(crate) surge: bool,
    /// How many did lately.
    pub(crate) tokens: u32,
}

impl CommonCause {
    /// Whether it is the same that befalls the same group.
    pub(crate) fn is_same(self, other: Self) -> bool {
        (self.group, self.surge) == (other.group, other.surge)
    }

    /// Whether `newer`, at `now`, is part of this, which began at `since` and goes on.
    pub(crate) fn includes(self, newer: Self, since: Timestamp, now: Timestamp) -> bool {
        let unfolds = now.as_secs() - since.as_secs() <= UNFOLDS_S;
        let breaks_out = self.surge && !newer.surge;
        let outgrows = newer.tokens >= self.tokens.saturating_mul(OUTGROWN);
        self.is_same(newer) || unfolds || !(breaks_out || outgrows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLEET: u64 = 0;
    const CLIENT: u64 = 7;

    fn failure(group: u64, tokens: u32) -> CommonCause {
        CommonCause {
            group,
            surge: false,
            tokens,
        }
    }

    fn surge(group: u64, tokens: u32) -> CommonCause {
        CommonCause {
            surge: true,
            ..failure(group, tokens)
        }
    }

    fn after_mins(cause: CommonCause, newer: CommonCause, minutes: i64) -> bool {
        let since = Timestamp::from_secs(1_000_000);
        let now = Timestamp::from_secs(1_000_000 + 60 * minutes);
        cause.includes(newer, since, now)
    }

    #[test]
    fn what_begins_with_one_client_and_a_surge_is_one_outage() {
        assert!(after_mins(failure(CLIENT, 4), failure(FLEET, 50), 10));
        assert!(after_mins(surge(CLIENT, 4), failure(FLEET, 50), 10));
        assert!(after_mins(failure(FLEET, 50), surge(FLEET, 60), 10));
    }

    #[test]
    fn a_client_that_fails_for_hours_does_not_hide_that_the_fleet_begins_to() {
        assert!(!after_mins(failure(CLIENT, 4), failure(FLEET, 50), 60));
        assert!(after_mins(failure(CLIENT, 30), failure(FLEET, 50), 60));
        assert!(after_mins(failure(FLEET, 10), failure(FLEET, 50), 60));
    }

    #[test]
    fn a_surge_that_lasts_does_not_hide_a_failure() {
        assert!(!after_mins(surge(FLEET, 50), failure(CLIENT, 4), 60));
        assert!(after_mins(failure(FLEET, 50), surge(CLIENT, 4), 60));
    }
}
