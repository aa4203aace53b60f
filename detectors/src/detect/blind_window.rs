//! `blind_window`: part of the traffic, or all of it, was not seen, so that nobody takes silence for safety.
//!
//! Catches a gateway node or a stream that logged steadily and falls silent while the others go on; a silence of all; a
//! stream that falls behind; records that can no longer be read. Misses what never logged steadily for three hours, a node
//! whose work others visibly took over, and a sudden end at an hour at which there was none yesterday. Its main false
//! positive is a node that was shut down at once for good: told once. Never pages. Keeps no state per token.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokenwatch_model::{Detector, Evidence, Problems, Severity, Timestamp};

use crate::calendar::HOUR;
use crate::config::DetectorMode;
use crate::hit::{Belonging, Bulk, Hit, Story, Tier};
use crate::subject::SubjectKey;
use crate::wording::{count, elapsed, percent};

/// Weight: how sure it is. One family, so it adds up to nothing with a failure of the fleet.
const BLIND_DB: f64 = 20.0;
/// What goes on is told every five minutes; an episode ends after two without.
const BLIND_QUIET_S: i64 = 600;
/// This part of the traffic is much of it, and this long is long for a silence of all.
const MUCH: f64 = 0.25;
const LONG_S: i64 = HOUR / 2;

/// `[detectors.blind_window]`: from what on something that is not seen matters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BlindWindowConfig {
    /// What it may do.
    pub mode: DetectorMode,
    /// A node, a stream or all that logged steadily are missed after so long.
    #[serde(with = "humantime_serde")]
    pub silence: Duration,
    /// Steady is who logs at least so many events, of five callers, in nearly every five minutes of three hours.
    pub steady_events: u32,
    /// A stream is behind if its newest event is this much older than that of the foremost; none is if this is nothing. A backlog
    /// that is read unevenly looks the same, so it is for those who read none.
    #[serde(with = "humantime_serde")]
    pub lag: Duration,
    /// At least so many records of a stream within five to ten minutes that cannot be read,
    pub rejected_records: u32,
    /// which are at least this share of all, and five times the usual share.
    pub rejected_share: f64,
}

impl Default for BlindWindowConfig {
    fn default() -> Self {
        Self {
            mode: DetectorMode::On,
            silence: Duration::from_mins(5),
            steady_events: 50,
            lag: Duration::ZERO,
            rejected_records: 50,
            rejected_share: 0.05,
        }
    }
}

impl BlindWindowConfig {
    pub(crate) fn check(&self, problems: &mut Problems) {
        let day = Duration::from_hours(24);
        let sensible = Duration::from_mins(1)..=day;
        if !sensible.contains(&self.silence) {
            problems.add("blind_window.silence", "must lie between 1m and 24h");
        }
        if !self.lag.is_zero() && !sensible.contains(&self.lag) {
            problems.add("blind_window.lag", "must be 0s or lie between 1m and 24h");
        }
        for (key, value) in [
            ("blind_window.steady_events", self.steady_events),
            ("blind_window.rejected_records", self.rejected_records),
        ] {
            if value < 5 {
                problems.add(key, "must be at least 5");
            }
        }
        if !(0.0..=1.0).contains(&self.rejected_share) {
            problems.add("blind_window.rejected_share", "must lie between 0 and 1");
        }
    }

    pub(crate) fn silence_s(&self) -> i64 {
        self.silence.as_secs() as i64
    }

    pub(crate) fn lag_s(&self) -> i64 {
        self.lag.as_secs() as i64
    }
}

/// Something that was not seen; times in seconds, `at_s` when it was decided, `usual` events in five minutes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Blind {
    Silent(Silent),
    Many(Many),
    Gap(Gap),
    Lag(Lag),
    Rejects(Rejects),
}

/// A node or a stream says nothing while the others go on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Silent {
    pub(crate) is_node: bool,
    pub(crate) name: String,
    pub(crate) since_s: i64,
    pub(crate) at_s: i64,
    pub(crate) lasted_s: i64,
    pub(crate) usual: f64,
    pub(crate) missing: f64,
    pub(crate) share: f64,
    pub(crate) over: bool,
}

/// Many of them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Many {
    pub(crate) are_nodes: bool,
    pub(crate) names: Vec<String>,
    pub(crate) silent: u32,
    pub(crate) of: u32,
    pub(crate) share: f64,
    pub(crate) since_s: i64,
    pub(crate) at_s: i64,
    pub(crate) usual: f64,
    pub(crate) missing: f64,
    pub(crate) over: bool,
}

/// Nobody said anything.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Gap {
    pub(crate) since_s: i64,
    pub(crate) at_s: i64,
    pub(crate) lasted_s: i64,
    pub(crate) usual: f64,
    pub(crate) missing: f64,
    pub(crate) over: bool,
}

/// A stream is behind the others.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Lag {
    pub(crate) name: String,
    pub(crate) since_s: i64,
    /// Where it stood then.
    pub(crate) stood_at_s: i64,
    pub(crate) at_s: i64,
    pub(crate) behind_s: i64,
    pub(crate) over: bool,
}

/// Records of a stream cannot be read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rejects {
    pub(crate) name: String,
    pub(crate) since_s: i64,
    pub(crate) at_s: i64,
    /// Since it was told last, and in all.
    pub(crate) fresh: u64,
    pub(crate) rejected: u64,
    pub(crate) share: f64,
    pub(crate) usual: f64,
    pub(crate) over: bool,
}

/// What a finding is made of.
struct Told {
    subject: String,
    severity: Severity,
    since_s: i64,
    at_s: i64,
    size: f64,
    events: u64,
    text: String,
    figures: Evidence,
}

/// The hit that it amounts to, on whom, and when it was decided.
pub(crate) fn hit(blind: Blind) -> (SubjectKey, Hit, Timestamp) {
    let told = match blind {
        Blind::Silent(silent) => of_silent(silent),
        Blind::Many(many) => of_many(&many),
        Blind::Gap(gap) => of_gap(&gap),
        Blind::Lag(lag) => of_lag(lag),
        Blind::Rejects(rejects) => of_rejects(rejects),
    };
    let decided = Timestamp::from_secs(told.at_s);
    let hit = Hit {
        tier: Tier::Finding,
        severity: told.severity,
        evidence_db: BLIND_DB,
        hard: false,
        size: told.size,
        window_start: Timestamp::from_secs(told.since_s),
        quiet_s: BLIND_QUIET_S,
        confirm: false,
        story: Story {
            detector: Detector::BlindWindow,
            rank: 0,
            belonging: Belonging::Standing,
            text: told.text,
            figures: told.figures,
        },
        bulk: Some(Box::new(Bulk {
            first_event_s: told.since_s,
            last_event_s: told.at_s,
            events: told.events,
            ..Bulk::default()
        })),
    };
    (SubjectKey::Fleet(told.subject), hit, decided)
}

fn of_silent(silent: Silent) -> Told {
    let kind = if silent.is_node {
        "Gateway node {name}"
    } else {
        "Stream {name}"
    };
    let text = if silent.over {
        format!(
            "{kind} logs again: it was silent for {} since {{since}}, while the others went on; about {} calls \
             through it were not seen",
            elapsed(silent.lasted_s),
            count(silent.missing),
        )
    } else {
        format!(
            "{kind} has logged nothing for {} since {{since}}, while the others go on; it usually logs {} calls in \
             five minutes ({} of all), and what goes through it is not seen",
            elapsed(silent.lasted_s),
            count(silent.usual),
            percent(silent.share),
        )
    };
    Told {
        subject: silent.name,
        severity: Severity::Low,
        since_s: silent.since_s,
        at_s: silent.at_s,
        size: silent.missing,
        events: 0,
        text,
        figures: figures(
            0.0,
            silent.missing,
            silent.lasted_s,
            "calls logged while the others went on",
            per_slot(silent.usual),
        ),
    }
}

fn of_many(many: &Many) -> Told {
    let kind = if many.are_nodes {
        "gateway nodes"
    } else {
        "streams"
    };
    let lasted = many.at_s - many.since_s;
    let text = if many.over {
        format!(
            "The {} {kind} that were silent since {{since}} log again, the last after {}; about {} calls were not seen",
            many.silent,
            elapsed(lasted),
            count(many.missing),
        )
    } else {
        let more = if many.names.len() < many.silent as usize {
            " and more"
        } else {
            ""
        };
        format!(
            "{} of {} {kind} have logged nothing since {{since}}, while the others go on: {}{more}; they usually log {} \
             calls in five minutes ({} of all), which are not seen",
            many.silent,
            many.of,
            many.names.join(", "),
            count(many.usual),
            percent(many.share),
        )
    };
    Told {
        subject: "fleet".to_owned(),
        severity: if many.share >= MUCH {
            Severity::Medium
        } else {
            Severity::Low
        },
        since_s: many.since_s,
        at_s: many.at_s,
        size: many.missing,
        events: 0,
        text,
        figures: figures(
            0.0,
            many.missing,
            lasted,
            "calls logged while the others went on",
            per_slot(many.usual),
        ),
    }
}

fn of_gap(gap: &Gap) -> Told {
    let text = if gap.over {
        format!(
            "Calls are logged again: nothing was, by any gateway, for {} since {{since}}; usually there are {} calls in \
             five minutes, so about {} were not seen",
            elapsed(gap.lasted_s),
            count(gap.usual),
            count(gap.missing),
        )
    } else {
        format!(
            "Nothing was logged for {} since {{since}}, by any gateway; usually there are {} calls in five minutes at \
             this time: the gateways, their log shipping or Kafka may be down, and nothing is watched meanwhile",
            elapsed(gap.lasted_s),
            count(gap.usual),
        )
    };
    Told {
        subject: "fleet".to_owned(),
        severity: if gap.lasted_s >= LONG_S {
            Severity::Medium
        } else {
            Severity::Low
        },
        since_s: gap.since_s,
        at_s: gap.at_s,
        size: gap.missing,
        events: 0,
        text,
        figures: figures(
            0.0,
            gap.missing,
            gap.lasted_s,
            "calls logged by anybody",
            per_slot(gap.usual),
        ),
    }
}

fn of_lag(lag: Lag) -> Told {
    let text = if lag.over {
        "Stream {name} is abreast of the others again; it was behind since {since}".to_owned()
    } else {
        format!(
            "Stream {{name}} is {} behind the others since {{since}}, when it stood at {}: what happens in it now is \
             judged that much later",
            elapsed(lag.behind_s),
            time_of_day(lag.stood_at_s),
        )
    };
    Told {
        subject: lag.name,
        severity: Severity::Low,
        since_s: lag.since_s,
        at_s: lag.at_s,
        size: lag.behind_s as f64,
        events: 0,
        text,
        figures: Evidence {
            observed: Some(lag.behind_s as f64),
            window_s: u64::try_from(lag.at_s - lag.since_s).ok(),
            statistic: "seconds behind the foremost stream".to_owned(),
            ..Evidence::default()
        },
    }
}

fn of_rejects(rejects: Rejects) -> Told {
    let text = if rejects.over {
        format!(
            "The records of stream {{name}} can be read again; {} could not since {{since}}, and their calls were not \
             seen",
            count(rejects.rejected as f64),
        )
    } else {
        format!(
            "{} records of stream {{name}} could not be read since {{since}}, {} of all (usually {}): has the log \
             format changed? Their calls are not seen",
            count(rejects.rejected as f64),
            percent(rejects.share),
            percent(rejects.usual),
        )
    };
    Told {
        subject: rejects.name,
        severity: if rejects.share >= MUCH && !rejects.over {
            Severity::Medium
        } else {
            Severity::Low
        },
        since_s: rejects.since_s,
        at_s: rejects.at_s,
        size: rejects.rejected as f64,
        events: rejects.fresh,
        text,
        figures: Evidence {
            observed: Some(rejects.rejected as f64),
            statistic: format!("{} of the records are rejected", percent(rejects.share)),
            usual: Some(format!("{} of the records", percent(rejects.usual))),
            ..Evidence::default()
        },
    }
}

fn figures(observed: f64, expected: f64, secs: i64, statistic: &str, usual: String) -> Evidence {
    Evidence {
        observed: Some(observed),
        expected: Some(libm::round(expected)),
        window_s: u64::try_from(secs).ok(),
        statistic: statistic.to_owned(),
        usual: Some(usual),
        ..Evidence::default()
    }
}

fn per_slot(usual: f64) -> String {
    format!("{} calls in five minutes", count(usual))
}

/// `10:00:00 UTC`.
fn time_of_day(secs: i64) -> String {
    let text = Timestamp::from_secs(secs).to_string();
    format!("{} UTC", text.get(11..19).unwrap_or(&text))
}
