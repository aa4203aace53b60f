//! What to simulate.

use clap::ValueEnum;
use tokenwatch_model::Format;

/// Days from which a token has a history: nothing is attacked or scored before.
pub(super) const WARMUP_DAYS: i32 = 14;
/// Below these the plan has no room.
pub(crate) const MIN_DAYS: i32 = WARMUP_DAYS + 4;

/// Which classes of habit the fleet has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mix {
    /// As a real fleet: most tokens are used now and then.
    Realistic,
    /// Every class as often as the others: the worst case.
    Equal,
}

/// Which gateway writes the lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SimulatedFormat {
    /// Kong's log plugins.
    Kong,
    /// nginx, as JSON.
    Nginx,
    /// Envoy, as JSON.
    Envoy,
}

/// The simulation's parameters; the same ones give the same traffic.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    /// Decides everything that chance decides.
    pub(crate) seed: u64,
    /// How long.
    pub(crate) days: i32,
    /// How many tokens.
    pub(crate) tokens: usize,
    /// Written as which gateway's lines.
    pub(crate) format: Format,
    /// Which classes.
    pub(crate) mix: Mix,
    /// Whether anybody attacks.
    pub(crate) attacks: bool,
}

impl Mix {
    /// Its name in reports.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Realistic => "realistic",
            Self::Equal => "equal",
        }
    }
}

impl SimulatedFormat {
    /// The decoder's name of it.
    pub(crate) const fn format(self) -> Format {
        match self {
            Self::Kong => Format::Kong,
            Self::Nginx => Format::Nginx,
            Self::Envoy => Format::Envoy,
        }
    }
}

#[cfg(test)]
impl Options {
    /// Something small.
    pub(super) fn for_test() -> Self {
        Self {
            seed: 1,
            days: MIN_DAYS,
            tokens: 60,
            format: Format::Nginx,
            mix: Mix::Equal,
            attacks: true,
        }
    }
}
