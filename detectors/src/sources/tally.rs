//! What calls with one key in common amount to: commutative sums, so that the order of events cannot matter.

use serde::{Deserialize, Serialize};
use tokenwatch_model::{AccessEvent, Outcome, TokenId, TokenUse};

use super::sketch::Sketch;
use super::standing::Standing;

/// Tokens that were let in which are remembered by name: those with the smallest ids.
pub(crate) const MAX_GUESTS: usize = 8;

/// Classes of credentials in a sketch: tried and refused, without or with somebody's name on it, or in use elsewhere;
/// refused though at home; accepted where it never was before.
pub(crate) const UNNAMED: u32 = 0;
pub(crate) const NAMED: u32 = 1;
pub(crate) const VISITING: u32 = 2;
pub(crate) const REGULAR: u32 = 3;
pub(crate) const ADMITTED: u32 = 4;

/// Sums over some time. At most 0.8 KB.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tally {
    /// Refused calls with credentials that are not at home here.
    pub(crate) tried: u32,
    /// Refused calls without any credential that the log recognises.
    pub(crate) anonymous: u32,
    /// Calls accepted with a credential that was never accepted here before.
    pub(crate) admitted: u32,
    /// Other calls that were accepted, as far as they were counted.
    pub(crate) usual: u32,
    /// Different credentials by class.
    pub(crate) credentials: Sketch,
    /// Different pairs of address and credential that were refused.
    pub(crate) trials: Sketch,
    /// Different addresses of refused calls.
    pub(crate) addresses: Sketch,
    pub(crate) guests: Vec<Guest>,
    /// Microseconds since 1970 of the first and the last refused or admitted call.
    pub(crate) span: Option<(i64, i64)>,
}

/// A token that was let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Guest {
    pub(crate) id: TokenId,
    /// It had been accepted from elsewhere before.
    pub(crate) is_visitor: bool,
}

impl Tally {
    /// Counts a refused or admitted call.
    pub(crate) fn note(&mut self, event: &AccessEvent<'_>, standing: Standing) {
        let token = event.token.as_ref();
        let credential = token.map_or(0, |token| hash_bits(token.id.bits()));
        let address = event.client.ip.map_or(0, crate::hash_ip);
        let refused = event.outcome == Outcome::Denied;
        match (refused, standing) {
            (true, Standing::Anonymous) => self.anonymous = self.anonymous.saturating_add(1),
            (true, Standing::Regular) => self.credentials.add(credential, REGULAR),
            (true, Standing::Stranger) => {
                self.tried = self.tried.saturating_add(1);
                let named = token.is_some_and(is_named);
                self.credentials
                    .add(credential, if named { NAMED } else { UNNAMED });
            }
            (true, Standing::Visitor) => {
                self.tried = self.tried.saturating_add(1);
                self.credentials.add(credential, VISITING);
            }
            (false, _) => {
                self.admitted = self.admitted.saturating_add(1);
                self.credentials.add(credential, ADMITTED);
                if let Some(token) = token {
                    self.welcome(Guest {
                        id: token.id,
                        is_visitor: standing == Standing::Visitor,
                    });
                }
            }
        }
        if refused && standing == Standing::Regular {
            return;
        }
        if refused {
            self.trials
                .add(credential ^ address.rotate_left(32), UNNAMED);
            self.addresses.add(address, UNNAMED);
        }
        self.extend(event.ts.as_micros(), event.ts.as_micros());
    }

    /// Adds the sums of another time or part.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.tried = self.tried.saturating_add(other.tried);
        self.anonymous = self.anonymous.saturating_add(other.anonymous);
        self.admitted = self.admitted.saturating_add(other.admitted);
        self.usual = self.usual.saturating_add(other.usual);
        self.credentials.merge(&other.credentials);
        self.trials.merge(&other.trials);
        self.addresses.merge(&other.addresses);
        self.merge_guests(other);
        if let Some((first, last)) = other.span {
            self.extend(first, last);
        }
    }

    /// Adds only the tokens that were let in.
    pub(crate) fn merge_guests(&mut self, other: &Self) {
        for guest in &other.guests {
            self.welcome(*guest);
        }
    }

    fn welcome(&mut self, guest: Guest) {
        if let Err(place) = self.guests.binary_search(&guest)
            && place < MAX_GUESTS
        {
            self.guests.insert(place, guest);
            self.guests.truncate(MAX_GUESTS);
        }
    }

    fn extend(&mut self, first: i64, last: i64) {
        let (a, b) = self.span.unwrap_or((first, last));
        self.span = Some((a.min(first), b.max(last)));
    }

    /// Refused calls that may be tries.
    pub(crate) fn attempts(&self) -> u32 {
        self.tried.saturating_add(self.anonymous)
    }

    /// Bytes on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.credentials.heap_bytes()
            + self.trials.heap_bytes()
            + self.addresses.heap_bytes()
            + self.guests.capacity() * size_of::<Guest>()
    }
}

/// Whether the gateway knows whose credential it is, or the credential says so.
fn is_named(token: &TokenUse<'_>) -> bool {
    token.credential_id.is_some() || token.consumer.is_some()
}

fn hash_bits(bits: u128) -> u64 {
    use std::hash::BuildHasher;
    foldhash::quality::FixedState::default().hash_one(bits)
}
