//! What a detector hands to the case of its subject: one raw hit, with everything that a finding says about it.

use serde::{Deserialize, Serialize};
use tokenwatch_model::{Detector, Evidence, Severity, Timestamp, TokenId};

use crate::clients::ClientKey;
use crate::common_cause::CommonCause;
use crate::habit::Judgement;
use crate::places::PlaceKey;
use crate::samples::Samples;

/// An episode ends after at least this long without cause.
pub(crate) const QUIET_S: i64 = 1_800;

/// A raw hit.
#[derive(Clone, Debug)]
pub(crate) struct Hit {
    pub(crate) tier: Tier,
    /// Severity that the hit has alone.
    pub(crate) severity: Severity,
    pub(crate) evidence_db: f64,
    /// It cannot be explained by a change of habit.
    pub(crate) hard: bool,
    /// How large, in the detector's own measure; an update is due when it doubles.
    pub(crate) size: f64,
    /// The start of the window, which names the episode.
    pub(crate) window_start: Timestamp,
    /// How long it must be quiet for the episode to end, in seconds.
    pub(crate) quiet_s: i64,
    /// It is held until the fleet is known to be well, and dropped if a common cause explains it.
    pub(crate) confirm: bool,
    pub(crate) story: Story,
    /// What a hit of many events brings along; one of a single event takes it from that event.
    pub(crate) bulk: Option<Box<Bulk>>,
}

/// What a hit may lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Tier {
    /// A signal and evidence.
    Signal,
    /// A finding.
    Finding,
}

/// The events of a sealed window, summed up.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Bulk {
    pub(crate) first_event_s: i64,
    pub(crate) last_event_s: i64,
    pub(crate) events: u64,
    pub(crate) refused: u64,
    pub(crate) succeeded: u64,
    pub(crate) samples: Samples,
    /// The token that the events are of, where the hit is about a token.
    pub(crate) token: Option<TokenId>,
}

/// What happened, in the words of its detector.
///
/// The text is one sentence without the full stop; markers in it are filled in when it is told, because they go on
/// changing: `{name}` the subject, `{events}` how often (`once`, `1,204 times`), `{since}` when the window began,
/// `{first}` when the first event was, `{outcomes}` how many were refused and how many succeeded, `{sources}` from where.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Story {
    pub(crate) detector: Detector,
    /// Of two stories of one episode the one of higher rank is told; of equal ones, the larger.
    pub(crate) rank: u8,
    /// Which later events belong to the episode.
    pub(crate) belonging: Belonging,
    pub(crate) text: String,
    /// The figures; the episode adds its samples, and its events where `observed` is absent.
    #[serde(with = "figures")]
    pub(crate) figures: Evidence,
}

/// Which later events of the subject belong to an episode, and keep it going.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Belonging {
    /// Those that count in a stream; it goes on while the count in the window of this index is at least `half`.
    Count {
        stream: Stream,
        scale: u8,
        half: u32,
    },
    /// Those that are hits of the same detector themselves.
    OwnHits,
    /// Like those, and every hit says how things stand now: the newest is told.
    Standing,
    /// Those of the same common cause; once it is over, the next one is another.
    Together(CommonCause),
    /// Those of the newcomer in the contest for the token.
    Newcomer,
    /// Those from this place.
    Place(PlaceKey),
    /// Those of this client.
    Client(ClientKey),
    /// All, while the address ranges of the hour are at least so many.
    Ranges { half: u32 },
}

/// A count stream of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Stream {
    /// All calls.
    Calls,
    /// Refused calls.
    Denied,
    /// Calls to what does not exist.
    NotFound,
    /// Bytes sent to the client.
    BytesOut,
    /// Distinct endpoints, objects, networks of an hour.
    Distinct,
    /// Distinct endpoints of an hour.
    Endpoints,
    /// Distinct objects of an hour.
    Objects,
    /// Reading actions of a cloud API within ten minutes.
    Actions,
}

/// The figures of a broken habit.
pub(crate) fn figures_of(
    judgement: &Judgement,
    width_s: i64,
    baseline_days: u32,
    statistic: &str,
    usual: String,
) -> Evidence {
    Evidence {
        observed: Some(f64::from(judgement.count)),
        expected: Some(judgement.expected),
        habitual_peak: Some(judgement.habitual_peak),
        window_s: u64::try_from(width_s).ok(),
        statistic: statistic.to_owned(),
        p_value: Some(judgement.p_value()),
        baseline_days: Some(baseline_days),
        usual: Some(usual),
        ..Evidence::default()
    }
}

/// Figures in the state: without names, and without the samples that the episode adds.
mod figures {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use tokenwatch_model::Evidence;

    type Counts = (Option<f64>, Option<f64>, Option<f64>, Option<u64>);
    type Rest = (String, Option<f64>, Option<u32>, Option<String>);

    pub(super) fn serialize<S: Serializer>(figures: &Evidence, to: S) -> Result<S::Ok, S::Error> {
        let counts: Counts = (
            figures.observed,
            figures.expected,
            figures.habitual_peak,
            figures.window_s,
        );
        let rest: Rest = (
            figures.statistic.clone(),
            figures.p_value,
            figures.baseline_days,
            figures.usual.clone(),
        );
        (counts, rest).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Evidence, D::Error> {
        let (counts, rest): (Counts, Rest) = Deserialize::deserialize(from)?;
        let (observed, expected, habitual_peak, window_s) = counts;
        let (statistic, p_value, baseline_days, usual) = rest;
        Ok(Evidence {
            observed,
            expected,
            habitual_peak,
            window_s,
            statistic,
            p_value,
            baseline_days,
            usual,
            ..Evidence::default()
        })
    }
}
