//! The catalogue of benign hard cases: what looks like an attack and is none.

mod effect;

use super::calendar::{DAY, HOUR, MINUTE, Moment};
use super::networks::NetworkId;

pub(super) use effect::{apply, earlier, tester};

/// A benign case that is about tokens.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Benign {
    /// B1: a deployment makes a client group call five times as much for a quarter of an hour.
    Deploy,
    /// B2: from now on twice as many calls.
    LevelShift,
    /// B3: twenty times as many calls at the end of the month.
    MonthEnd,
    /// B4: ten minutes in which six calls of ten fail, then a stampede.
    Outage { status: u16 },
    /// B5: calls fail and are tried again, and again.
    RetryStorm,
    /// B6: phones behind carriers' addresses and relays, all the time.
    Roaming,
    /// B6: a company's people come from another network from now on.
    VpnEgress { network: NetworkId },
    /// B7: clocks go wrong, events come late and twice.
    Delivery,
    /// B8: summer time ends; for the other half of the world it begins.
    ClockChange { earlier: i64 },
    /// B9: a client group moves to another version within three days.
    Upgrade,
    /// B10: a company's servers move to another region within an hour.
    Migration { network: NetworkId },
    /// B11: somebody who may do so attacks a token.
    Pentest { announced: bool },
    /// B12: a credential has expired, and its client tries for ever.
    Expired,
    /// B13: a new route is released and used.
    NewRoute,
}

/// A case, whom it is about, and when.
#[derive(Clone, Debug)]
pub(super) struct Case {
    /// What.
    pub(super) benign: Benign,
    /// Whom.
    pub(super) members: Members,
    /// From when.
    pub(super) from: Moment,
    /// Until when it shows.
    pub(super) until: Moment,
}

/// The tokens of a case.
#[derive(Clone, Debug)]
pub(super) enum Members {
    /// Everybody.
    All,
    /// These, in order.
    Some(Vec<u32>),
}

impl Members {
    /// Whether a token is one of them.
    pub(super) fn contains(&self, token: u32) -> bool {
        match self {
            Self::All => true,
            Self::Some(tokens) => tokens.binary_search(&token).is_ok(),
        }
    }
}

impl Benign {
    /// Its id in the catalogue.
    pub(super) const fn id(&self) -> &'static str {
        match self {
            Self::Deploy => "B1",
            Self::LevelShift => "B2",
            Self::MonthEnd => "B3",
            Self::Outage { .. } => "B4",
            Self::RetryStorm => "B5",
            Self::Roaming | Self::VpnEgress { .. } => "B6",
            Self::Delivery => "B7",
            Self::ClockChange { .. } => "B8",
            Self::Upgrade => "B9",
            Self::Migration { .. } => "B10",
            Self::Pentest { .. } => "B11",
            Self::Expired => "B12",
            Self::NewRoute => "B13",
        }
    }

    /// What it is, for people.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Deploy => "deploy burst x5",
            Self::LevelShift => "level shift x2",
            Self::MonthEnd => "month end x20",
            Self::Outage { status: 401 } => "outage, 401",
            Self::Outage { .. } => "outage, 5xx",
            Self::RetryStorm => "retry storm",
            Self::Roaming => "roaming and relays",
            Self::VpnEgress { .. } => "VPN egress change",
            Self::Delivery => "clock skew, late, twice",
            Self::ClockChange { .. } => "summer time",
            Self::Upgrade => "SDK upgrade",
            Self::Migration { .. } => "region migration",
            Self::Pentest { announced: true } => "pentest, announced",
            Self::Pentest { announced: false } => "pentest, unannounced",
            Self::Expired => "expired credential",
            Self::NewRoute => "new route",
        }
    }

    /// How long it lasts, from its start to when nothing of it is to be seen any more.
    pub(super) const fn length(&self) -> i64 {
        match self {
            Self::LevelShift | Self::Roaming | Self::ClockChange { .. } => 7 * DAY,
            Self::MonthEnd | Self::Delivery | Self::NewRoute | Self::Expired => DAY,
            Self::Deploy | Self::Outage { .. } => 15 * MINUTE,
            Self::RetryStorm => 12 * MINUTE,
            Self::VpnEgress { .. } | Self::Migration { .. } => 2 * DAY,
            Self::Upgrade => 3 * DAY,
            Self::Pentest { .. } => 2 * HOUR,
        }
    }

    /// Whether findings in it are right: somebody who may do so attacks unannounced, or something has to be repaired.
    pub(super) const fn is_reported_apart(&self) -> bool {
        matches!(self, Self::Pentest { announced: false } | Self::Expired)
    }
}
