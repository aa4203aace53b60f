//! Sources: who tries many credentials, from one address or from thousands.
//!
//! Every refused call with a credential that is not at home where it comes from counts as a try of its address, network,
//! autonomous system, client and route ([`Window`]). When all streams have got past a window it is sealed: its sums go
//! into what is remembered of each key ([`Table`]), and the narrowest keys that explain most of an attack are reported
//! ([`attacks`]). Two detectors share all this and differ in what was tried: `credential_stuffing`, `token_guessing`.
//!
//! Deliberately not: refusals of credentials that are at home (an outage, a rotation, an expired key), 429 and 404.
//! What surprises: an accepted call of a token that is at home costs a hash and a bit, unless its address tried others.

mod attacks;
mod config;
mod earliest;
mod entry;
mod key;
mod picture;
mod sketch;
mod standing;
pub(crate) mod story;
mod table;
mod tally;
mod window;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tokenwatch_model::{AccessEvent, Outcome, Timestamp, TokenId};

pub(crate) use attacks::Attempt;
use attacks::Choice;
pub use config::{CredentialStuffingConfig, TokenGuessingConfig};
use entry::Attack;
pub(crate) use key::SourceKey;
pub(crate) use standing::{Homes, Standing};

use crate::hit::Hit;
use crate::settings::DetectorSettings;
use table::Table;
use window::Window;

/// Length of a window in seconds.
pub(crate) const WINDOW_S: i64 = 30;
/// Windows that are judged together: ten minutes.
const SPAN_WINDOWS: i64 = 20;
/// Windows of a day.
pub(crate) const WINDOWS_PER_DAY: i64 = 86_400 / WINDOW_S;
/// While streams are together, a window is sealed before the one after the next begins to end. Accepted calls are counted
/// for addresses that were remembered so many windows before, and for all addresses if that is not known yet.
const LAG_WINDOWS: i64 = 2;
/// Windows open at once: streams are waited for while they are ten minutes apart, which is twenty windows.
const MAX_OPEN: usize = 64;
/// Tokens let in that an attack remembers, so that each is told of once.
const MAX_HELPED: usize = 64;
/// A window is judged when the watermark of all streams has passed it, and what it says of tokens counts a minute later,
/// when no stream is that far behind.
const DECIDED_S: i64 = 20;
const COUNTS_S: i64 = 60;

/// Everything known of sources.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Sources {
    open: BTreeMap<i64, Window>,
    /// The last window that was sealed.
    sealed: i64,
    table: Table,
    late: u64,
}

/// An attack of a source, as one sealed window shows it.
#[derive(Clone, Debug)]
pub(crate) struct SourceHit {
    /// The address, network, `AS64500` or route: the subject's id.
    pub(crate) name: String,
    /// The window that showed it.
    pub(crate) window: i64,
    pub(crate) hit: Hit,
    /// Tokens that the source was let in with, and that were not told yet.
    pub(crate) helped: Vec<TokenId>,
}

impl SourceHit {
    /// When it was decided.
    pub(crate) fn decided(&self) -> Timestamp {
        Timestamp::from_secs((self.window + 1) * WINDOW_S + DECIDED_S)
    }

    /// From when on it speaks against the tokens that helped.
    pub(crate) fn counts_from(&self) -> Timestamp {
        Timestamp::from_secs((self.window + 1) * WINDOW_S + COUNTS_S)
    }
}

/// How large it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SourcesStats {
    /// Keys remembered.
    pub(crate) keys: usize,
    pub(crate) bytes: usize,
    /// Keys forgotten for want of room.
    pub(crate) evicted: u64,
    /// Calls that came after their window was sealed.
    pub(crate) late: u64,
}

impl Sources {
    /// Counts a call in its window; `standing` is how its token stood to its network before the call.
    pub(crate) fn note(&mut self, event: &AccessEvent<'_>, standing: Standing) {
        let is_try = match (event.outcome, standing) {
            (Outcome::Denied, Standing::Regular)
            | (Outcome::Ok, Standing::Stranger | Standing::Visitor) => false,
            (Outcome::Denied, _) => true,
            (Outcome::Ok, Standing::Regular | Standing::Anonymous) => {
                return self.note_usual(event);
            }
            _ => return,
        };
        let Some(window) = self.window_of(event) else {
            self.late += 1;
            return;
        };
        if is_try {
            window.note_try(event, standing);
        } else {
            window.note_other(event, standing);
        }
    }

    fn note_usual(&mut self, event: &AccessEvent<'_>) {
        let Some(address) = event.client.ip.map(|ip| ip.to_canonical()) else {
            return;
        };
        let number = event.ts.as_secs().div_euclid(WINDOW_S);
        let is_known = number <= self.sealed + LAG_WINDOWS;
        if is_known && !self.table.remembers(address) {
            return;
        }
        if let Some(window) = self.window_of(event) {
            window.note_usual(address);
        }
    }

    /// The window of an event, unless it is sealed.
    fn window_of(&mut self, event: &AccessEvent<'_>) -> Option<&mut Window> {
        let number = event.ts.as_secs().div_euclid(WINDOW_S);
        let has_room = self.open.len() < MAX_OPEN || self.open.contains_key(&number);
        (number > self.sealed && has_room).then(|| self.open.entry(number).or_default())
    }

    /// Seals what `watermark` has passed; the attacks that show. `outage` says whether much of the fleet failed in the
    /// ten minutes up to a window.
    pub(crate) fn seal_until(
        &mut self,
        watermark: Timestamp,
        settings: &DetectorSettings,
        outage: impl Fn(Timestamp, Timestamp) -> bool,
    ) -> Vec<SourceHit> {
        let mut hits = Vec::new();
        let last = watermark.as_secs().div_euclid(WINDOW_S) - 1;
        let outage = |window: i64| {
            let time = |window: i64| Timestamp::from_secs(window * WINDOW_S);
            outage(time(window - SPAN_WINDOWS), time(window + 1))
        };
        self.seal(
            last,
            &settings.stuffing,
            &settings.guessing,
            outage,
            &mut hits,
        );
        hits
    }

    /// Seals every window up to `last` and adds the attacks that they show. `last` must not fall.
    fn seal(
        &mut self,
        last: i64,
        stuffing: &CredentialStuffingConfig,
        guessing: &TokenGuessingConfig,
        outage: impl Fn(i64) -> bool,
        out: &mut Vec<SourceHit>,
    ) {
        while let Some(open) = self.open.first_entry()
            && *open.key() <= last
        {
            let (number, window) = open.remove_entry();
            self.sealed = number;
            let touched = self.table.fold(number, window);
            if touched.is_empty() {
                continue;
            }
            let choice = attacks::choose(
                &self.table,
                &touched,
                number,
                outage(number),
                stuffing,
                guessing,
            );
            self.report(choice, number, out);
            self.table.bound();
        }
        self.sealed = self.sealed.max(last);
    }

    /// Notes what was decided in what is remembered, and adds the hits.
    fn report(&mut self, choice: Choice, number: i64, out: &mut Vec<SourceHit>) {
        for (key, strength, attacked) in choice.strengths {
            if let Some(entry) = self.table.get_mut(key) {
                entry.habit.note(number, strength, attacked);
            }
        }
        for attempt in choice.attempts {
            let Some(entry) = self.table.get_mut(attempt.key) else {
                continue;
            };
            let mut attack = attempt.ongoing.clone().unwrap_or_else(|| Attack {
                detector: attempt.detector,
                start_s: story::start_s(&attempt, number),
                last: number,
                helped: Vec::new(),
            });
            attack.last = number;
            let mut helped = attempt.helped.clone();
            helped.retain(|id| !attack.helped.contains(id));
            attack.helped.extend(&helped);
            attack.helped.truncate(MAX_HELPED);
            let start_s = attack.start_s;
            entry.attack = Some(attack);
            out.push(SourceHit {
                name: entry.name.clone(),
                window: number,
                hit: story::hit(&attempt, entry, number, start_s),
                helped,
            });
        }
    }

    /// After a restore: what follows from the state.
    pub(crate) fn rebuild(&mut self) {
        self.table.build_filter();
    }

    /// Sizes and counters.
    pub(crate) fn stats(&self) -> SourcesStats {
        SourcesStats {
            keys: self.table.len(),
            bytes: self.table.bytes() + self.open.values().map(Window::bytes).sum::<usize>(),
            evicted: self.table.evicted(),
            late: self.late,
        }
    }
}

#[cfg(test)]
mod tests;
