//! Simulated traffic: a fleet of tokens with habits, attacks on some of them, and what looks like attacks and is none.
//!
//! Everything follows from one seed. A day is drawn at a time, every token's from a stream of chance of its own, so that
//! leaving the attacks out leaves all else as it is. What becomes of a call is for others to say: a gateway's log line
//! (`lines`), or the access event that the decoder would make of that line (`event`). `evaluate` runs detection over it.
//! Nothing here knows anything of the detectors: not their windows, not their thresholds.

mod api;
mod attack;
mod calendar;
mod call;
mod case;
mod clients;
mod delivery;
mod dice;
mod evaluate;
mod event;
mod habit;
mod home;
mod labels;
mod member;
mod member_day;
mod networks;
mod options;
mod plan;
mod policy;
mod population;
mod world;

pub(crate) use evaluate::evaluate;
pub(crate) use labels::write as write_labels;
pub(crate) use options::{MIN_DAYS, Mix, Options, SimulatedFormat};
pub(crate) use policy::configure;
pub(crate) use world::World;

#[cfg(test)]
mod tests;
