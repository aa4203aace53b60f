//! The catalogue of attacks: what each is called and how strong it can be. What its calls look like is in `attack/`.

mod abuse;
mod act;
mod drift;
mod stuffing;
mod theft;
mod volume;

use std::net::Ipv4Addr;

use super::calendar::{HOUR, MINUTE, Moment, SECOND};

pub(super) use act::{Scene, act};
pub(super) use drift::{Slow, add_slow};
pub(super) use stuffing::stuff;

/// An attack and its strength.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attack {
    /// A1: more calls than expected, from the owner's own place.
    Spike { factor: u32, window: Window },
    /// A2: a thief calls from another network with another client, and does not make more calls than usual.
    Theft { calls: u32 },
    /// A3: a thief behind residential proxies of the owner's country, with another address after so many calls.
    Proxies { per_address: u32 },
    /// A4: many credentials tried from one or many addresses, so many a minute each.
    Stuffing {
        addresses: u32,
        tokens: u32,
        per_minute: u32,
    },
    /// A5: many paths, or objects one after the other, from the owner's own place.
    Enumeration { per_minute: u32, answer: Answer },
    /// A6: calls that policy does not allow; administrative ones where there is no policy.
    Privilege { calls: u32 },
    /// A7: answers so many times as large, at the usual rate of calls.
    Exfiltration { factor: u32, over: Over },
    /// A8: a theft of a token that nobody has used for long.
    Dormant { gap_days: i32 },
    /// A9: so many per cent more calls every week.
    LowAndSlow { percent: u32 },
    /// A10: a tenth more calls every day, then a spike.
    Poisoning { factor: u32 },
    /// A11: an enumeration while everybody fails.
    HiddenInOutage { answer: Answer },
}

/// The length of a spike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Window {
    Seconds10,
    Minute,
    Minutes10,
    Hour,
}

/// How an enumeration is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Objects one after the other, and they are given out.
    Ok,
    /// Paths that do not exist.
    NotFound,
    /// Objects one after the other, and they are refused.
    Denied,
}

/// How long an exfiltration takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    Hours2,
    Days3,
}

impl Window {
    pub(super) const fn length(self) -> i64 {
        match self {
            Self::Seconds10 => 10 * SECOND,
            Self::Minute => MINUTE,
            Self::Minutes10 => 10 * MINUTE,
            Self::Hour => HOUR,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Seconds10 => "10s",
            Self::Minute => "1m",
            Self::Minutes10 => "10m",
            Self::Hour => "1h",
        }
    }
}

impl Answer {
    const fn name(self) -> &'static str {
        match self {
            Self::Ok => "2xx",
            Self::NotFound => "404",
            Self::Denied => "403",
        }
    }
}

impl Attack {
    /// Its id in the catalogue.
    pub(super) const fn id(self) -> &'static str {
        match self {
            Self::Spike { .. } => "A1",
            Self::Theft { .. } => "A2",
            Self::Proxies { .. } => "A3",
            Self::Stuffing { .. } => "A4",
            Self::Enumeration { .. } => "A5",
            Self::Privilege { .. } => "A6",
            Self::Exfiltration { .. } => "A7",
            Self::Dormant { .. } => "A8",
            Self::LowAndSlow { .. } => "A9",
            Self::Poisoning { .. } => "A10",
            Self::HiddenInOutage { .. } => "A11",
        }
    }

    /// What it is, for people.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Spike { .. } => "spike",
            Self::Theft { .. } => "theft, owner goes on",
            Self::Proxies { .. } => "theft, residential proxies",
            Self::Stuffing { .. } => "credential stuffing",
            Self::Enumeration { .. } => "enumeration",
            Self::Privilege { .. } => "privilege",
            Self::Exfiltration { .. } => "exfiltration",
            Self::Dormant { .. } => "dormant token stolen",
            Self::LowAndSlow { .. } => "low and slow",
            Self::Poisoning { .. } => "poisoning, then spike",
            Self::HiddenInOutage { .. } => "enumeration in an outage",
        }
    }

    /// How strong it is, for people.
    pub(super) fn strength(self) -> String {
        match self {
            Self::Spike { factor, window } => format!("x{factor} in {}", window.name()),
            Self::Theft { calls } | Self::Privilege { calls } => format!("{calls} calls"),
            Self::Proxies { per_address } => format!("{per_address} calls per address"),
            Self::Stuffing {
                addresses,
                tokens,
                per_minute,
            } => {
                format!("{addresses} addresses, {tokens} tokens, {per_minute}/min")
            }
            Self::Enumeration { per_minute, answer } => {
                format!("{per_minute}/min, {}", answer.name())
            }
            Self::Exfiltration {
                factor,
                over: Over::Hours2,
            } => format!("x{factor} for 2 h"),
            Self::Exfiltration {
                factor,
                over: Over::Days3,
            } => format!("x{factor} for 3 d"),
            Self::Dormant { gap_days } => format!("after {gap_days} d"),
            Self::LowAndSlow { percent } => format!("+{percent} % a week"),
            Self::Poisoning { factor } => format!("x{factor} in 10m"),
            Self::HiddenInOutage { answer } => format!("60/min, {}", answer.name()),
        }
    }

    /// The strengths by which a report groups; those of a spike by its factor alone.
    pub(super) fn group(self) -> String {
        match self {
            Self::Spike { factor, .. } => format!("x{factor}"),
            Self::Stuffing { addresses, .. } => format!("{addresses} addresses"),
            other => other.strength(),
        }
    }

    /// The width of window in which its volume is compared with the token's habit.
    pub(super) const fn scale(self) -> i64 {
        match self {
            Self::Spike { window, .. } => window.length(),
            Self::Exfiltration { .. } => HOUR,
            Self::LowAndSlow { .. } => 24 * HOUR,
            _ => 10 * MINUTE,
        }
    }

    /// Whether it is compared in bytes rather than in calls.
    pub(super) const fn is_about_bytes(self) -> bool {
        matches!(self, Self::Exfiltration { .. })
    }

    /// How many days it takes at most, from its first.
    pub(super) const fn days(self) -> i32 {
        match self {
            Self::Exfiltration {
                over: Over::Days3, ..
            } => 3,
            Self::LowAndSlow { .. } => 14,
            _ => 1,
        }
    }
}

/// What an attack turned out to be, once it was carried out.
#[derive(Clone, Debug, Default)]
pub(super) struct Run {
    /// Its first call.
    pub(super) start: Moment,
    /// Its last.
    pub(super) end: Moment,
    /// The times of its calls, in order.
    pub(super) calls: Vec<Moment>,
    /// Where credential stuffing came from.
    pub(super) sources: Vec<Ipv4Addr>,
    /// Calls of the owner from ten minutes before its first until ten minutes after its last.
    pub(super) owner_calls: usize,
    /// Its peak window over the most that the token had in the 14 days before; none without a history.
    pub(super) ratio: Option<f64>,
}
