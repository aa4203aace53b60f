//! Which keys an attack is reported under: the narrowest that explain most of it, so that one attack is one finding.
//!
//! An address lies in its network, that in its autonomous system, and all of them come by clients and routes. From the
//! widest to the narrowest: a key is left out if a wider one is reported that holds most of it, or if a narrower one
//! made at least half of its tries; two thousand addresses with a few tries each are one route's finding, and a
//! single busy one is its own.

use std::collections::BTreeSet;

use tokenwatch_model::{Detector, TokenId};

use super::config::{CredentialStuffingConfig, TokenGuessingConfig};
use super::entry::{Attack, Entry};
use super::key::{Level, SourceKey};
use super::picture::{Picture, decide_attack};
use super::table::Table;
use super::tally::{Guest, MAX_GUESTS, Tally, UNNAMED};
use crate::config::DetectorMode;
use crate::hit::QUIET_S;

/// Windows without a try after which an attack is over.
pub(crate) const QUIET_WINDOWS: i64 = QUIET_S / super::WINDOW_S;
/// The share of a key's tries that a narrower one must have made to explain it, and of pairs that both must share.
const MOST: f64 = 0.5;
/// From so many credentials on, a single new one that is let in is no customer who found the right key at last.
const BLATANT_CREDENTIALS: f64 = 30.0;

/// An attack that is to be reported.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub(crate) key: SourceKey,
    pub(crate) detector: Detector,
    pub(crate) picture: Picture,
    /// The ten minutes up to now.
    pub(crate) sum: Tally,
    /// Calls that were let in with new credentials from where the tries came: in these ten minutes, in this window.
    pub(crate) admitted: [u32; 2],
    /// Tokens that were let in.
    pub(crate) helped: Vec<TokenId>,
    /// It was reported before.
    pub(crate) ongoing: Option<Attack>,
}

/// A key that somebody tried credentials with just now.
struct Candidate<'t> {
    key: SourceKey,
    entry: &'t Entry,
    sum: Tally,
    picture: Picture,
    verdict: Option<Detector>,
    ongoing: Option<&'t Attack>,
}

/// What [`choose`] found.
#[derive(Debug, Default)]
pub(crate) struct Choice {
    /// Attacks to report, the widest first.
    pub(crate) attempts: Vec<Attempt>,
    /// Every key touched, how strong its tries are, and whether they are an attack.
    pub(crate) strengths: Vec<(SourceKey, f64, bool)>,
}

/// The attacks that go on at `window`, among the keys that were just touched.
pub(crate) fn choose(
    table: &Table,
    touched: &BTreeSet<SourceKey>,
    window: i64,
    outage: bool,
    stuffing: &CredentialStuffingConfig,
    guessing: &TokenGuessingConfig,
) -> Choice {
    let mut choice = Choice::default();
    let mut candidates = Vec::new();
    for key in touched {
        let Some(entry) = table.get(*key) else {
            continue;
        };
        let sum = entry.sum(window);
        let picture = Picture::of(&sum, entry.habit, window, outage);
        let allowed = |detector: &Detector| match detector {
            Detector::CredentialStuffing => stuffing.mode != DetectorMode::Off,
            _ => guessing.mode != DetectorMode::Off,
        };
        let verdict = decide_attack(&picture, key.level(), stuffing, guessing).filter(allowed);
        let ongoing = entry.attack_at(window, QUIET_WINDOWS);
        let attacked = verdict.is_some() || ongoing.is_some();
        choice.strengths.push((*key, picture.strength, attacked));
        if attacked {
            candidates.push(Candidate {
                key: *key,
                entry,
                sum,
                picture,
                verdict,
                ongoing,
            });
        }
    }
    if candidates.is_empty() {
        return choice;
    }
    let actives: Vec<Active<'_>> = actives(table, window);
    candidates.sort_by_key(|candidate| (std::cmp::Reverse(candidate.key.level()), candidate.key));
    let mut reported: Vec<Candidate<'_>> = Vec::new();
    for candidate in candidates {
        let absorbed = reported.iter().any(|wider| {
            wider.key.level() > candidate.key.level()
                && is_within(&candidate.sum, candidate.entry, &wider.sum, wider.key)
        });
        if absorbed || (candidate.ongoing.is_none() && is_explained(&candidate, &actives, window)) {
            continue;
        }
        reported.push(candidate);
    }
    let attempts = reported.into_iter();
    choice.attempts = attempts
        .filter_map(|candidate| attempt(candidate, &actives, window))
        .collect();
    choice
}

/// A remembered key with tries in the last ten minutes.
struct Active<'t> {
    key: SourceKey,
    entry: &'t Entry,
    sum: Tally,
}

fn actives(table: &Table, window: i64) -> Vec<Active<'_>> {
    table
        .iter()
        .filter(|(key, entry)| key.level() < Level::Route && entry.is_active(window))
        .map(|(key, entry)| Active {
            key: *key,
            entry,
            sum: entry.sum(window),
        })
        .collect()
}

/// Whether most of what `inner` tried was tried under `outer`.
fn is_within(inner: &Tally, entry: &Entry, outer: &Tally, outer_key: SourceKey) -> bool {
    match inner.trials.share_within(&outer.trials, &[UNNAMED]) {
        Some(share) => share >= MOST,
        None => entry.keys.are_of(outer_key),
    }
}

/// Whether one narrower key made most of the tries, and no other one within is attacking already.
fn is_explained(candidate: &Candidate<'_>, actives: &[Active<'_>], window: i64) -> bool {
    let level = candidate.key.level();
    let tries = |sum: &Tally| {
        // Calls without a credential do not count in wide keys.
        f64::from(if level > Level::Prefix {
            sum.tried
        } else {
            sum.attempts()
        })
    };
    let needed = MOST * tries(&candidate.sum);
    let inside = |active: &&Active<'_>| {
        active.key.level() < level
            && is_within(&active.sum, active.entry, &candidate.sum, candidate.key)
    };
    let Some(main) = actives
        .iter()
        .filter(|active| tries(&active.sum) >= needed)
        .find(inside)
    else {
        return false;
    };
    let attacks_too = |active: &&Active<'_>| {
        active.entry.attack_at(window, QUIET_WINDOWS).is_some()
            && active.key != main.key
            && !active.entry.keys.are_of(main.key)
            && !main.entry.keys.are_of(active.key)
    };
    !actives
        .iter()
        .filter(attacks_too)
        .any(|active| inside(&active))
}

/// The attack with what its addresses were let in with.
fn attempt(candidate: Candidate<'_>, actives: &[Active<'_>], window: i64) -> Option<Attempt> {
    let detector = match candidate.ongoing {
        Some(attack) => attack.detector,
        None => candidate.verdict?,
    };
    let mut guests = Tally::default();
    let mut admitted = [0u32; 2];
    let mut add = |sum: &Tally, entry: &Entry| {
        guests.merge_guests(sum);
        admitted[0] = admitted[0].saturating_add(sum.admitted);
        admitted[1] = admitted[1].saturating_add(entry.newest(window).admitted);
    };
    if candidate.key.level() == Level::Address {
        add(&candidate.sum, candidate.entry);
    } else {
        for active in actives {
            let tries_most = active.key.level() == Level::Address
                && active.sum.admitted > 0
                && active.sum.tried >= active.sum.admitted
                && active.sum.usual == 0;
            if tries_most && is_within(&active.sum, active.entry, &candidate.sum, candidate.key) {
                add(&active.sum, active.entry);
            }
        }
    }
    Some(Attempt {
        key: candidate.key,
        detector,
        helped: decide_helped(&guests.guests, candidate.picture.credentials),
        picture: candidate.picture,
        sum: candidate.sum,
        admitted,
        ongoing: candidate.ongoing.cloned(),
    })
}

/// Which of the tokens that were let in are in the wrong hands. A single one that nobody used before may be a customer's
/// who tried a few wrong ones first.
fn decide_helped(guests: &[Guest], credentials: f64) -> Vec<TokenId> {
    let sure = guests.len() > 1
        || credentials >= BLATANT_CREDENTIALS
        || guests.iter().any(|guest| guest.is_visitor);
    let ids = guests.iter().map(|guest| guest.id).take(MAX_GUESTS);
    if sure { ids.collect() } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_new_token_after_a_few_wrong_ones_is_not_held_against_it() {
        let guest = |id, is_visitor| Guest {
            id: TokenId::from_bits(id),
            is_visitor,
        };
        for (guests, credentials, helped) in [
            (vec![guest(1, false)], 12.0, 0),
            (vec![guest(1, true)], 12.0, 1),
            (vec![guest(1, false), guest(2, false)], 12.0, 2),
            (vec![guest(1, false)], 40.0, 1),
        ] {
            assert_eq!(decide_helped(&guests, credentials).len(), helped);
        }
    }
}
