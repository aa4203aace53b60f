//! The closed lists of the journal: whether a response was meant, and what became of it.

use serde::{Deserialize, Serialize};

/// Whether responses are carried out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResponseMode {
    /// Nothing is done or journalled.
    Off,
    /// What would be done is journalled.
    #[default]
    DryRun,
    /// It is done.
    Enforce,
}

/// What became of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResponseResult {
    /// About to be asked for: written before the request, so that it is never asked twice.
    Intended,
    /// The target confirmed it.
    Delivered,
    /// The target refused, or could not be reached.
    Failed,
    /// Dry run: would have been asked for.
    WouldRespond,
    /// Not asked for: protected token, rate limit.
    Withheld,
    /// The process died between asking and hearing; not asked again.
    Unknown,
    /// Waits for people.
    Held,
    /// Somebody said no.
    Vetoed,
    /// Nobody said yes in time, or a graver response came first.
    Lapsed,
    /// About to be taken back: written before the request.
    Undoing,
    /// The target took it back.
    Undone,
    /// The target did not take it back; it still holds.
    UndoFailed,
}

impl ResponseMode {
    /// Every mode, in the order of its column's numbers.
    pub const ALL: [Self; 3] = [Self::Off, Self::DryRun, Self::Enforce];

    /// The contract name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::DryRun => "dry_run",
            Self::Enforce => "enforce",
        }
    }
}

impl ResponseResult {
    /// Every result, in the order of its column's numbers.
    pub const ALL: [Self; 12] = [
        Self::Intended,
        Self::Delivered,
        Self::Failed,
        Self::WouldRespond,
        Self::Withheld,
        Self::Unknown,
        Self::Held,
        Self::Vetoed,
        Self::Lapsed,
        Self::Undoing,
        Self::Undone,
        Self::UndoFailed,
    ];

    /// The contract name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Intended => "intended",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::WouldRespond => "would_respond",
            Self::Withheld => "withheld",
            Self::Unknown => "unknown",
            Self::Held => "held",
            Self::Vetoed => "vetoed",
            Self::Lapsed => "lapsed",
            Self::Undoing => "undoing",
            Self::Undone => "undone",
            Self::UndoFailed => "undo_failed",
        }
    }
}
