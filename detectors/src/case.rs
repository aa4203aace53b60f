//! The case against one token: its evidence, its episodes, its incident. Exists only while there is any.

use serde::{Deserialize, Serialize};
use tokenwatch_model::{FindingId, Severity, Timestamp, TokenId};

use crate::Detections;
use crate::calendar::DAY;
use crate::contest::Contest;
use crate::episode::{Episode, Scene};
use crate::hit::{Hit, Tier};
use crate::risk::{Ledger, decide_severity};
use crate::token::micros;

/// A closed episode is taken up again for this long, in its token's own time.
const REOPEN_S: i64 = DAY;
/// Silent tokens' episodes are kept a day longer: their stream may be that far behind the one that says what time it is.
const KEEP_S: i64 = REOPEN_S + DAY;
/// Unless the new one is this many times as large.
const NEW_EPISODE: f64 = 2.0;

/// A case.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Case {
    ledger: Ledger,
    #[serde(with = "micros")]
    incident_start: Timestamp,
    #[serde(with = "micros")]
    incident_newest: Timestamp,
    pub(crate) episodes: Vec<Episode>,
    pub(crate) contest: Option<Contest>,
    /// When it will be looked at; follows from the rest.
    #[serde(skip)]
    pub(crate) scheduled: Option<Timestamp>,
}

/// What is known beside the hit when its severity is decided.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Circumstances {
    /// The token's habits are old enough to act on.
    pub(crate) mature: bool,
    /// Much of the fleet fails just now.
    pub(crate) common_mode: bool,
}

impl Case {
    /// An empty case that begins at `now`.
    pub(crate) fn new(now: Timestamp) -> Self {
        Self {
            ledger: Ledger::default(),
            incident_start: now,
            incident_newest: now,
            episodes: Vec::new(),
            contest: None,
            scheduled: None,
        }
    }

    /// Ends what has ended by `now`, the token's own time, and forgets what ended a day before. A case of which nothing
    /// is left begins anew.
    pub(crate) fn advance(&mut self, id: TokenId, now: Timestamp, out: &mut Detections) {
        // Another stream may have ended an episode whose own stream is far behind: it goes on as if nothing had been.
        for episode in &mut self.episodes {
            episode.open |= now <= episode.deadline;
        }
        self.end(id, now, out);
        self.forget(now, REOPEN_S);
        if self.is_empty() {
            *self = Self {
                scheduled: self.scheduled,
                ..Self::new(now)
            };
        }
    }

    /// The same for a token that says nothing, by the time of others.
    pub(crate) fn expire(&mut self, id: TokenId, now: Timestamp, out: &mut Detections) {
        self.end(id, now, out);
        self.forget(now, KEEP_S);
    }

    fn end(&mut self, id: TokenId, now: Timestamp, out: &mut Detections) {
        let incident = self.incident_id(id);
        for episode in &mut self.episodes {
            if episode.open && episode.deadline < now {
                episode.open = false;
                if episode.visible {
                    episode.tell(episode.deadline);
                    out.findings.push(episode.finding(id, incident.clone()));
                }
            }
        }
    }

    fn forget(&mut self, now: Timestamp, after_s: i64) {
        let forgotten = |end: Timestamp| end.as_secs() + after_s < now.as_secs();
        self.episodes
            .retain(|episode| episode.open || !forgotten(episode.deadline));
        if self
            .contest
            .as_ref()
            .is_some_and(|contest| forgotten(contest.newest))
        {
            self.contest = None;
        }
    }

    fn is_empty(&self) -> bool {
        self.episodes.is_empty() && self.contest.is_none()
    }

    /// Tells the last state of what is still open.
    pub(crate) fn finish(&mut self, id: TokenId, out: &mut Detections) {
        let incident = self.incident_id(id);
        for episode in &mut self.episodes {
            if episode.open && episode.visible {
                episode.tell(episode.deadline);
                out.findings.push(episode.finding(id, incident.clone()));
            }
        }
    }

    /// Lets the event join the open episodes that it belongs to; `belongs` says whether it does, and whether it keeps
    /// the episode going. Versions that became due go out, except of detectors that hit just now: their hits follow.
    pub(crate) fn join(
        &mut self,
        id: TokenId,
        scene: &Scene<'_, '_>,
        hits: &[Hit],
        belongs: impl Fn(&Episode) -> Option<bool>,
        out: &mut Detections,
    ) {
        let incident = self.incident_id(id);
        for episode in self.episodes.iter_mut().filter(|episode| episode.open) {
            let Some(hot) = belongs(episode) else {
                continue;
            };
            episode.join(scene, hot);
            if hits
                .iter()
                .any(|hit| hit.story.detector() == episode.detector())
            {
                continue;
            }
            if hot && episode.decide_update(scene.now, false).is_some() {
                tell(episode, id, &incident, scene.now, out);
            }
        }
    }

    /// Takes a hit: evidence, severity, episode, and the versions that follow from it.
    pub(crate) fn take(
        &mut self,
        id: TokenId,
        hit: Hit,
        scene: &Scene<'_, '_>,
        circumstances: Circumstances,
        out: &mut Detections,
    ) {
        let now = scene.now;
        if now.as_secs() - self.incident_newest.as_secs() > DAY {
            self.incident_start = now;
        }
        self.incident_newest = self.incident_newest.max(now);
        let detector = hit.story.detector();
        self.ledger.add(detector, hit.evidence_db, hit.hard, now);
        let standing = self.ledger.standing(now);
        let summed = decide_severity(standing, circumstances.mature, circumstances.common_mode);
        let alone = hit.severity;

        let index = self.episode_for(hit, scene);
        let worst = self.worst_other(index);
        let others = self.ledger.others(detector, now);
        let incident = self.incident_id(id);
        let episode = &mut self.episodes[index];
        episode.total_db = episode.total_db.max(standing.total_db);
        let mut graver = episode.raise(alone, Vec::new());
        // Together the evidence may say more than any finding so far; then the one that tipped it says so.
        if summed > worst && summed > alone {
            episode.visible |= summed >= Severity::Medium;
            graver |= episode.raise(summed, others);
        }
        let first = episode.revision == 0 && episode.visible;
        if first || episode.decide_update(now, graver).is_some() {
            tell(episode, id, &incident, now, out);
            out.signals.push(episode.signal(id, now));
        }
    }

    /// The episode that a hit belongs to: the open one, a closed one to take up again, or a new one.
    fn episode_for(&mut self, hit: Hit, scene: &Scene<'_, '_>) -> usize {
        let detector = hit.story.detector();
        let known = self.episodes.iter().rposition(|episode| {
            let same_window = episode.window_start == hit.window_start;
            let fits = episode.open || same_window || hit.size < NEW_EPISODE * episode.size;
            // Signals of a count say nothing that the finding after them does not say better.
            let outgrown = !episode.visible && hit.tier == Tier::Finding && hit.heat.is_some();
            episode.detector() == detector && fits && !outgrown
        });
        let Some(index) = known else {
            self.episodes
                .retain(|episode| episode.detector() != detector);
            self.episodes.push(Episode::open(hit, scene));
            return self.episodes.len() - 1;
        };
        let episode = &mut self.episodes[index];
        let reopened = !episode.open;
        if reopened {
            episode.open = true;
            episode.opened_at = scene.now;
        }
        episode.strengthen(hit);
        if reopened {
            episode.join(scene, true);
        }
        index
    }

    fn worst_other(&self, index: usize) -> Severity {
        self.episodes
            .iter()
            .enumerate()
            .filter(|(other, episode)| *other != index && episode.visible)
            .map(|(_, episode)| episode.severity)
            .max()
            .unwrap_or(Severity::Info)
    }

    /// The incident that everything within a day of each other belongs to.
    fn incident_id(&self, id: TokenId) -> String {
        let subject = id.to_string();
        let hash = FindingId::of_episode("incident", &subject, self.incident_start.as_micros());
        format!("inc_{}", &hash.to_string()[4..])
    }

    /// When the case has to be looked at next, and by which stream's watermark; `None` if nothing is left.
    pub(crate) fn next_deadline(&self) -> Option<(Timestamp, u32)> {
        let kept = std::time::Duration::from_secs(KEEP_S.unsigned_abs() + 1);
        let episodes = self.episodes.iter().map(|episode| {
            let end = if episode.open {
                episode.deadline
            } else {
                episode.deadline + kept
            };
            (end, episode.stream)
        });
        let contest = self
            .contest
            .iter()
            .map(|contest| (contest.newest + kept, u32::MAX));
        episodes.chain(contest).min()
    }
}

fn tell(episode: &mut Episode, id: TokenId, incident: &str, now: Timestamp, out: &mut Detections) {
    episode.tell(now);
    if episode.visible {
        out.findings.push(episode.finding(id, incident.to_owned()));
    }
}
