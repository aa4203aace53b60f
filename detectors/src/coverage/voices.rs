//! Those of one kind, nodes or streams: whose silence is told, whose has an explanation, and many at once.

use serde::{Deserialize, Serialize};

use super::voice::{Silence, Standing, Voice};
use super::{AGAIN_WINDOWS, DAY_WINDOWS, HOUR_WINDOWS, Heard, SLOT_WINDOWS};
use crate::commons::WINDOW_S;
use crate::detect::blind_window::{Blind, BlindWindowConfig, Many};

/// From so many silent ones on, one finding tells of them all.
const MANY: usize = 3;
/// Names that it lists.
const MAX_NAMES: usize = 5;
/// One that began to log so long before another fell silent, or since, has replaced it: half an hour.
const REPLACED_WINDOWS: i64 = 60;
/// A node of a smaller share than this is not missed in a fleet in which so many others came within a day.
const SMALL_SHARE: f64 = 0.1;
const CHURN: usize = 3;

/// Those of one kind, and the finding about many of them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Voices {
    pub(super) all: Vec<Voice>,
    pub(super) many: Option<Together>,
}

/// Many that are silent at once.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Together {
    since: i64,
    told: i64,
    /// As many as were silent at most, and what they log in a half-minute.
    silent: u32,
    level: f64,
    missing: f64,
}

/// The half-minute that is being sealed.
#[derive(Clone, Copy)]
pub(super) struct Moment {
    pub(super) number: i64,
    /// Events of all in it, and in a usual one of the five minutes before.
    pub(super) all: f64,
    pub(super) usual: f64,
    /// When anybody was heard first.
    pub(super) began: i64,
}

impl Voices {
    /// Takes the half-minute: who is silent in it, and who is heard again.
    pub(super) fn seal(
        &mut self,
        are_nodes: bool,
        heard: &[Heard],
        moment: Moment,
        settings: &BlindWindowConfig,
        explains: &dyn Fn(&Silence) -> bool,
        told: &mut Vec<Blind>,
    ) {
        let mut due = Vec::new();
        let silences = self.all.iter().filter_map(|voice| voice.silence.as_ref());
        let silent: f64 = silences.map(|silence| silence.level).sum();
        for (index, voice) in self.all.iter_mut().enumerate() {
            if voice.is_nobody() {
                continue;
            }
            let heard = heard.get(index).copied().unwrap_or_default();
            let ended = voice.hear(heard, moment, silent, settings);
            // Of who was gone for a day it was said that it is.
            let is_recent = |silence: &Silence| {
                silence.standing == Standing::Alone && moment.number - silence.since <= DAY_WINDOWS
            };
            if let Some(silence) = ended.filter(is_recent) {
                told.push(silence.tell(voice, are_nodes, moment.number, true));
            }
            if voice.is_due(settings) {
                due.push(index);
            }
        }
        for index in due {
            let standing = self.judge(index, moment, explains);
            if let Some(silence) = &mut self.all[index].silence {
                silence.standing = standing;
            }
        }
        self.tell(are_nodes, moment, told);
    }

    /// Whether a silence is to be told, or has an explanation that leaves nothing unseen.
    fn judge(
        &mut self,
        index: usize,
        moment: Moment,
        explains: &dyn Fn(&Silence) -> bool,
    ) -> Standing {
        let Some(silence) = self.all[index].silence.clone() else {
            return Standing::Watched;
        };
        if explains(&silence) {
            return Standing::Explained;
        }
        let new_since = |from: i64| {
            let from = from.max(moment.began + HOUR_WINDOWS);
            move |voice: &Voice| !voice.is_nobody() && voice.first >= from
        };
        let fresh = new_since(silence.since - REPLACED_WINDOWS);
        let heir = |voice: &&mut Voice| fresh(voice) && !voice.is_heir && voice.silence.is_none();
        if let Some(heir) = self.all.iter_mut().find(heir) {
            heir.is_heir = true;
            return Standing::Explained;
        }
        if silence.share() >= SMALL_SHARE {
            if silence.is_taken_over() {
                return Standing::Explained;
            }
        } else {
            let newcomer = new_since(moment.number - DAY_WINDOWS);
            if self.all.iter().filter(|voice| newcomer(voice)).count() >= CHURN {
                return Standing::Explained;
            }
        }
        Standing::New
    }

    fn tell(&mut self, are_nodes: bool, moment: Moment, told: &mut Vec<Blind>) {
        let number = moment.number;
        let count = |standing: &[Standing]| {
            let is = |voice: &&Voice| {
                let silence = voice.silence.as_ref();
                silence.is_some_and(|silence| standing.contains(&silence.standing))
            };
            self.all.iter().filter(is).count()
        };
        let together = self.many.is_some()
            || count(&[Standing::New, Standing::Alone, Standing::Together]) >= MANY;
        for voice in &mut self.all {
            let Some(mut silence) = voice.silence.clone() else {
                continue;
            };
            if silence.standing == Standing::New {
                silence.standing = if together {
                    Standing::Together
                } else {
                    Standing::Alone
                };
                silence.told = i64::MIN / 2;
            }
            // Who is gone for a day is gone.
            let lasting = number - silence.since <= DAY_WINDOWS;
            if silence.standing == Standing::Alone
                && number - silence.told >= AGAIN_WINDOWS
                && lasting
            {
                silence.told = number;
                told.push(silence.tell(voice, are_nodes, number, false));
            }
            voice.silence = Some(silence);
        }
        self.tell_many(are_nodes, moment, told);
    }

    fn tell_many(&mut self, are_nodes: bool, moment: Moment, told: &mut Vec<Blind>) {
        let number = moment.number;
        let silent: Vec<(&str, &Silence)> = self
            .all
            .iter()
            .filter_map(|voice| Some((voice.name.as_str(), voice.silence.as_ref()?)))
            .filter(|(_, silence)| {
                silence.standing == Standing::Together && number - silence.since <= DAY_WINDOWS
            })
            .collect();
        let over = silent.is_empty();
        let Some(mut many) = self.many.or_else(|| {
            let since = silent.iter().map(|(_, silence)| silence.since).min()?;
            Some(Together {
                since,
                told: i64::MIN / 2,
                silent: 0,
                level: 0.0,
                missing: 0.0,
            })
        }) else {
            return;
        };
        if !over {
            many.silent = many.silent.max(silent.len() as u32);
            many.level = silent.iter().map(|(_, silence)| silence.level).sum();
            let missing: f64 = silent.iter().map(|(_, silence)| silence.missing).sum();
            many.missing = many.missing.max(missing);
        }
        let lasting = number - many.since <= DAY_WINDOWS;
        if lasting && (over || number - many.told >= AGAIN_WINDOWS) {
            many.told = number;
            told.push(Blind::Many(Many {
                are_nodes,
                names: silent
                    .iter()
                    .take(MAX_NAMES)
                    .map(|(name, _)| (*name).to_owned())
                    .collect(),
                silent: many.silent,
                of: self.all.iter().filter(|voice| !voice.is_nobody()).count() as u32,
                share: many.level / (many.level + moment.all).max(1.0),
                since_s: many.since * WINDOW_S,
                at_s: (number + 1) * WINDOW_S,
                usual: many.level * SLOT_WINDOWS as f64,
                missing: many.missing,
                over,
            }));
        }
        self.many = (!over).then_some(many);
    }
}
