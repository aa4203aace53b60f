//! The case against one subject: its evidence, its episodes, its incident. Exists only while there is any.

use serde::{Deserialize, Serialize};
use tokenwatch_model::{FindingId, Severity, Timestamp};

use crate::Detections;
use crate::calendar::DAY;
use crate::episode::{Episode, Scene, Standing};
use crate::hit::{Belonging, Hit, Tier};
use crate::incident::IncidentRecord;
use crate::risk::{Ledger, decide_severity};
use crate::subject::SubjectKey;

/// A closed episode is taken up again for this long, in its subject's own time.
const REOPEN_S: i64 = DAY;
/// Silent subjects' episodes are kept a day longer: their stream may be that far behind the one that says what time it is.
const KEEP_S: i64 = REOPEN_S + DAY;
/// Unless the new one is this many times as large.
const NEW_EPISODE: f64 = 2.0;

/// A case.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Case {
    pub(crate) ledger: Ledger,
    pub(crate) incident: IncidentRecord,
    pub(crate) episodes: Vec<Episode>,
    /// Evidence from elsewhere, by the second from which it counts.
    parked: Vec<Parked>,
    /// The registry forbids machines to revoke the token, as of its last event.
    pub(crate) protected: bool,
    /// When it will be looked at; follows from the rest.
    #[serde(skip)]
    pub(crate) scheduled: Option<Timestamp>,
}

/// What a source did to others speaks against the tokens that it was let in with.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Parked {
    at: i64,
    detector: tokenwatch_model::Detector,
    evidence_db: f64,
    /// It is in the ledger; the case is kept for it like for an episode.
    counted: bool,
}

/// What is known beside the hit when its severity is decided.
#[derive(Clone, Copy)]
pub(crate) struct Circumstances<'c> {
    /// The subject's habits are old enough to act on.
    pub(crate) mature: bool,
    /// Whether so much of the fleet failed or surged around a time that no single token is to blame.
    pub(crate) common_mode: &'c dyn Fn(&Episode, Timestamp) -> bool,
}

impl Case {
    /// An empty case that begins at `now`.
    pub(crate) fn new(now: Timestamp) -> Self {
        Self {
            ledger: Ledger::default(),
            incident: IncidentRecord::new(now),
            episodes: Vec::new(),
            parked: Vec::new(),
            protected: false,
            scheduled: None,
        }
    }

    /// Confirms what is due and ends what has ended by `now`, the subject's own time, and forgets what ended a day before.
    /// A case of which nothing is left begins anew.
    pub(crate) fn advance(
        &mut self,
        key: &SubjectKey,
        now: Timestamp,
        circumstances: Circumstances<'_>,
        out: &mut Detections,
    ) {
        // Another stream may have ended an episode whose own stream is far behind: it goes on as if nothing had been.
        for episode in &mut self.episodes {
            episode.open |= now <= episode.deadline;
        }
        self.settle(key, now, circumstances, out);
        self.forget(now, REOPEN_S);
        if self.is_empty() {
            *self = Self {
                scheduled: self.scheduled,
                protected: self.protected,
                ..Self::new(now)
            };
        }
    }

    /// The same for a subject that says nothing, by the time of others.
    pub(crate) fn expire(
        &mut self,
        key: &SubjectKey,
        now: Timestamp,
        circumstances: Circumstances<'_>,
        out: &mut Detections,
    ) {
        self.settle(key, now, circumstances, out);
        self.forget(now, KEEP_S);
    }

    fn settle(
        &mut self,
        key: &SubjectKey,
        now: Timestamp,
        circumstances: Circumstances<'_>,
        out: &mut Detections,
    ) {
        self.confirm(key, now, circumstances, out);
        for episode in &mut self.episodes {
            if episode.open && episode.deadline < now {
                episode.open = false;
                if episode.visible() {
                    episode.tell(episode.deadline);
                    self.incident.note(episode, key);
                    out.findings
                        .push(episode.finding(key, self.incident.id(key)));
                }
            }
        }
        self.tell_incident(key, out);
    }

    /// Makes findings of soft hits whose minute is over, unless the fleet explains them, and counts parked evidence.
    fn confirm(
        &mut self,
        key: &SubjectKey,
        now: Timestamp,
        circumstances: Circumstances<'_>,
        out: &mut Detections,
    ) {
        let due = |parked: &Parked| !parked.counted && parked.at <= now.as_secs();
        while let Some(parked) = self.parked.iter_mut().find(|parked| due(parked)) {
            parked.counted = true;
            let at = Timestamp::from_secs(parked.at);
            self.ledger
                .add(parked.detector, parked.evidence_db, false, at);
            if let Some(index) = self.episodes.iter().position(|e| e.open && e.visible()) {
                self.judge(index, key, at, circumstances, out);
            }
        }
        for index in 0..self.episodes.len() {
            let episode = &mut self.episodes[index];
            let Standing::Unconfirmed(at) = episode.standing else {
                continue;
            };
            if at > now.as_secs() {
                continue;
            }
            let at = Timestamp::from_secs(at);
            if (circumstances.common_mode)(episode, at) {
                episode.standing = Standing::CommonMode;
                continue;
            }
            episode.standing = Standing::Finding;
            let (detector, db, hard) = (episode.detector(), episode.evidence_db, episode.hard);
            self.ledger.add(detector, db, hard, at);
            self.judge(index, key, at, circumstances, out);
        }
    }

    fn forget(&mut self, now: Timestamp, after_s: i64) {
        let forgotten = |end: Timestamp| end.as_secs() + after_s < now.as_secs();
        self.episodes
            .retain(|episode| episode.open || !forgotten(episode.deadline));
        self.parked
            .retain(|parked| !parked.counted || !forgotten(Timestamp::from_secs(parked.at)));
    }

    fn is_empty(&self) -> bool {
        self.episodes.is_empty() && self.parked.is_empty()
    }

    /// Tells the last state of what is still open. What is not confirmed by the end of all events is confirmed.
    pub(crate) fn finish(
        &mut self,
        key: &SubjectKey,
        circumstances: Circumstances<'_>,
        out: &mut Detections,
    ) {
        self.confirm(key, Timestamp::from_micros(i64::MAX), circumstances, out);
        let incident = self.incident.id(key);
        for episode in &mut self.episodes {
            if episode.open && episode.visible() {
                episode.tell(episode.deadline);
                self.incident.note(episode, key);
                out.findings.push(episode.finding(key, incident.clone()));
            }
        }
        self.tell_incident(key, out);
    }

    /// Lets the event join the open episodes that it belongs to; `belongs` says whether it does, and whether it keeps
    /// the episode going. Versions that became due go out, except of detectors that hit just now: their hits follow.
    pub(crate) fn join(
        &mut self,
        key: &SubjectKey,
        scene: &Scene<'_, '_>,
        hits: &[Hit],
        belongs: impl Fn(&Episode) -> Option<bool>,
        out: &mut Detections,
    ) {
        for index in 0..self.episodes.len() {
            let episode = &mut self.episodes[index];
            let Some(hot) = episode.open.then(|| belongs(episode)).flatten() else {
                continue;
            };
            episode.join(scene, hot);
            if hits
                .iter()
                .any(|hit| hit.story.detector == episode.detector())
            {
                continue;
            }
            if hot && episode.decide_update(scene.now, false).is_some() {
                self.tell(index, key, scene.now, out);
            }
        }
        self.tell_incident(key, out);
    }

    /// Takes a hit: evidence, severity, episode, and the versions that follow from it.
    pub(crate) fn take(
        &mut self,
        key: &SubjectKey,
        mut hit: Hit,
        scene: &Scene<'_, '_>,
        circumstances: Circumstances<'_>,
        out: &mut Detections,
    ) {
        let now = scene.now;
        if self.incident.is_over(now) {
            self.incident = IncidentRecord::new(now);
        }
        if self.is_another_outage(&hit, now) {
            self.end_outage(key, hit.story.detector, now, out);
        }
        self.incident.touch(now);
        let (detector, db, hard) = (hit.story.detector, hit.evidence_db, hit.hard);
        let bulk = hit.bulk.take();
        let index = self.episode_for(hit, bulk, scene);
        match self.episodes[index].standing {
            // A signal and nothing more until it is confirmed; one that the fleet explains is not even that.
            Standing::Unconfirmed(_) => {
                let episode = &mut self.episodes[index];
                if episode.decide_update(now, false).is_some() {
                    episode.tell(now);
                    out.signals.push(episode.signal(key, now));
                }
            }
            Standing::CommonMode => {}
            Standing::Signals | Standing::Finding => {
                self.ledger.add(detector, db, hard, now);
                self.judge(index, key, now, circumstances, out);
            }
        }
        self.tell_incident(key, out);
    }

    /// Whether a hit of many tokens is part of nothing that goes on.
    fn is_another_outage(&self, hit: &Hit, now: Timestamp) -> bool {
        matches!(hit.story.belonging, Belonging::Together(_))
            && !self
                .episodes
                .iter()
                .any(|episode| episode.detector() == hit.story.detector && fits(episode, hit, now))
    }

    /// Ends what befell many until now, and the incident with it: another outage has to be told by itself, and an incident
    /// that was told keeps quiet what else belongs to it.
    fn end_outage(
        &mut self,
        key: &SubjectKey,
        detector: tokenwatch_model::Detector,
        now: Timestamp,
        out: &mut Detections,
    ) {
        let incident = self.incident.id(key);
        let of_detector = |episode: &&mut Episode| episode.detector() == detector;
        for episode in self.episodes.iter_mut().filter(of_detector) {
            if episode.open && episode.visible() {
                episode.open = false;
                episode.tell(now);
                self.incident.note(episode, key);
                out.findings.push(episode.finding(key, incident.clone()));
            }
        }
        self.episodes
            .retain(|episode| episode.detector() != detector);
        self.tell_incident(key, out);
        self.incident = IncidentRecord::new(now);
    }

    /// Notes evidence from elsewhere, which counts from `at` on.
    pub(crate) fn park(
        &mut self,
        detector: tokenwatch_model::Detector,
        evidence_db: f64,
        at: Timestamp,
    ) {
        const MOST: usize = 8;
        if self.parked.len() < MOST {
            self.parked.push(Parked {
                at: at.as_secs(),
                detector,
                evidence_db,
                counted: false,
            });
            self.parked
                .sort_by_key(|parked| (parked.at, parked.detector));
        }
    }

    /// Weighs all evidence at `now` and tells the episode at `index` if it says something new.
    fn judge(
        &mut self,
        index: usize,
        key: &SubjectKey,
        now: Timestamp,
        circumstances: Circumstances<'_>,
        out: &mut Detections,
    ) {
        let standing = self.ledger.standing(now);
        let worst = self.worst_other(index);
        let detector = self.episodes[index].detector();
        let common_mode =
            standing.may_act() && (circumstances.common_mode)(&self.episodes[index], now);
        let may_act = circumstances.mature && !self.protected;
        let summed = decide_severity(standing, may_act, common_mode);
        let others = self.ledger.others(detector, now);
        let episode = &mut self.episodes[index];
        let alone = episode.severity;
        let is_advice = detector.is_advice();
        if !is_advice {
            episode.total_db = episode.total_db.max(standing.total_db);
        }
        let mut graver = false;
        // Together the evidence may say more than any finding so far; then the one that tipped it says so.
        if summed > worst && summed > alone && !is_advice {
            if summed >= Severity::Medium {
                episode.standing = Standing::Finding;
            }
            graver |= episode.raise(summed, others);
        }
        let first = episode.revision == 0 && episode.visible();
        if first || episode.decide_update(now, graver).is_some() {
            if episode.visible() {
                self.incident.weigh(&self.ledger, standing, now);
            }
            self.tell(index, key, now, out);
            out.signals.push(self.episodes[index].signal(key, now));
        }
    }

    fn tell(&mut self, index: usize, key: &SubjectKey, now: Timestamp, out: &mut Detections) {
        let incident = self.incident.id(key);
        let episode = &mut self.episodes[index];
        episode.tell(now);
        if episode.visible() {
            self.incident.note(episode, key);
            out.findings.push(episode.finding(key, incident));
        }
    }

    fn tell_incident(&mut self, key: &SubjectKey, out: &mut Detections) {
        let open = self.episodes.iter().any(|e| e.open && e.visible());
        if let Some(incident) = self.incident.due(key, open) {
            out.incidents.push(incident);
        }
    }

    /// The episode that a hit belongs to: the open one, a closed one to take up again, or a new one.
    fn episode_for(
        &mut self,
        hit: Hit,
        bulk: Option<Box<crate::hit::Bulk>>,
        scene: &Scene<'_, '_>,
    ) -> usize {
        let detector = hit.story.detector;
        let known = self
            .episodes
            .iter()
            .rposition(|episode| episode.detector() == detector && fits(episode, &hit, scene.now));
        let Some(index) = known else {
            self.episodes
                .retain(|episode| episode.detector() != detector);
            self.episodes
                .push(Episode::open(Hit { bulk, ..hit }, scene));
            return self.episodes.len() - 1;
        };
        let episode = &mut self.episodes[index];
        let reopened = !episode.open;
        if reopened {
            episode.open = true;
            episode.opened_at = scene.now;
        }
        let severity = hit.severity;
        let belonging = hit.story.belonging;
        episode.strengthen(hit, bulk.is_some(), scene.now);
        episode.raise(severity, Vec::new());
        match bulk {
            Some(bulk) => {
                episode.absorb(&bulk);
                if episode.is_kept_by(belonging) {
                    episode.postpone(scene.now);
                }
            }
            None if reopened => episode.join(scene, true),
            None => {}
        }
        index
    }

    fn worst_other(&self, index: usize) -> Severity {
        self.episodes
            .iter()
            .enumerate()
            .filter(|(other, episode)| *other != index && episode.visible())
            .map(|(_, episode)| episode.severity)
            .max()
            .unwrap_or(Severity::Info)
    }

    /// The findings that are visible now, for explanations: detector's episode.
    pub(crate) fn episode_of(&self, detector: tokenwatch_model::Detector) -> Option<&Episode> {
        self.episodes
            .iter()
            .rfind(|episode| episode.detector() == detector)
    }

    /// When the case has to be looked at next, and by which stream's watermark; `None` if nothing is left.
    pub(crate) fn next_deadline(&self) -> Option<(Timestamp, u32)> {
        let kept = std::time::Duration::from_secs(KEEP_S.unsigned_abs() + 1);
        let episodes = self.episodes.iter().map(|episode| {
            let end = match episode.standing {
                Standing::Unconfirmed(at) => Timestamp::from_secs(at).min(episode.deadline),
                _ if episode.open => episode.deadline,
                _ => episode.deadline + kept,
            };
            (end, episode.stream)
        });
        let parked = self.parked.iter().map(|parked| {
            let at = Timestamp::from_secs(parked.at);
            (if parked.counted { at + kept } else { at }, u32::MAX)
        });
        episodes.chain(parked).min()
    }
}

/// Whether a hit of the same detector belongs to an episode: to an open one, or a closed one to take up again.
fn fits(episode: &Episode, hit: &Hit, now: Timestamp) -> bool {
    let same_window = episode.window_start == hit.window_start;
    let goes_on = match hit.story.belonging {
        Belonging::Together(_) => episode.open && episode.unfolds_into(hit, now),
        // What stands by itself has an end: the next time is another one, whatever its size.
        Belonging::Standing => episode.open,
        _ => episode.open || hit.size < NEW_EPISODE * episode.size,
    };
    // Signals of a soft count say nothing that the finding after them does not say better.
    let outgrown =
        episode.standing == Standing::Signals && hit.tier == Tier::Finding && hit.confirm;
    (goes_on || same_window) && !outgrown
}

/// The id of the incident of `subject` that began at `start`.
pub(crate) fn incident_id(subject: &str, start: Timestamp) -> String {
    let hash = FindingId::of_episode("incident", subject, start.as_micros());
    format!("inc_{}", &hash.to_string()[4..])
}
