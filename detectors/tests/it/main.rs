//! Tests of the whole engine: scenarios from folders, stolen keys, determinism, a simulated fleet, the size of state.

mod blind_window;
mod determinism;
mod fleet;
mod mix;
mod registry;
mod roaming;
mod scenarios;
mod sources;
mod spike;
mod state_size;
mod stolen_key;
mod support;
