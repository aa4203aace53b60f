//! What people say of findings and incidents, and where that leaves them: new, acknowledged, judged, closed.
//!
//! This is beside [`FindingStatus`](crate::FindingStatus), which says whether the episode itself goes on. Every word is
//! kept; what holds now follows from all of them.

use serde::{Deserialize, Serialize};

use crate::{FindingId, Timestamp};

/// A word about a finding or an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// Somebody deals with it.
    Acknowledged,
    /// Nobody does, after all.
    AcknowledgementWithdrawn,
    /// It was what it said: misuse, or a fault that somebody had to mend.
    True,
    /// The calls were legitimate, and nobody had to know.
    Benign,
    /// The calls were legitimate, and new on purpose: a launch, a move, a test.
    ExpectedChange,
    /// Another finding tells the same.
    Duplicate,
    /// There is nothing left to do.
    Closed,
    /// There is, after all: takes back the verdict, too.
    Reopened,
}

/// A word, by whom, when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Saying {
    /// The finding's or incident's id.
    pub subject: String,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// What.
    pub word: Word,
    /// The finding that a duplicate repeats.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duplicate_of: Option<FindingId>,
    /// Why, in their words.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// Whether somebody deals with something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HandlingState {
    /// Nobody said so.
    #[default]
    New,
    /// Somebody does.
    Acknowledged,
    /// Somebody did.
    Closed,
}

/// What people's words leave something in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Handling {
    /// Whether somebody deals with it.
    pub state: HandlingState,
    /// Who brought it into this state; nobody did where it is new from the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// And when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// The verdict that stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Saying>,
}

impl Word {
    /// Every word.
    pub const ALL: [Self; 8] = [
        Self::Acknowledged,
        Self::AcknowledgementWithdrawn,
        Self::True,
        Self::Benign,
        Self::ExpectedChange,
        Self::Duplicate,
        Self::Closed,
        Self::Reopened,
    ];

    /// The contract name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Acknowledged => "acknowledged",
            Self::AcknowledgementWithdrawn => "acknowledgement_withdrawn",
            Self::True => "true",
            Self::Benign => "benign",
            Self::ExpectedChange => "expected_change",
            Self::Duplicate => "duplicate",
            Self::Closed => "closed",
            Self::Reopened => "reopened",
        }
    }

    /// The word with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|word| word.name() == name)
    }

    /// Whether it says what a finding was.
    pub const fn is_verdict(self) -> bool {
        matches!(
            self,
            Self::True | Self::Benign | Self::ExpectedChange | Self::Duplicate
        )
    }

    /// Whether nobody deals with it from here on.
    pub const fn is_withdrawal(self) -> bool {
        matches!(self, Self::AcknowledgementWithdrawn | Self::Reopened)
    }
}

impl HandlingState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::New, Self::Acknowledged, Self::Closed];

    /// The contract name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Acknowledged => "acknowledged",
            Self::Closed => "closed",
        }
    }
}

impl Handling {
    /// Where `sayings`, the oldest first, leave what they are about.
    pub fn after<'s>(sayings: impl IntoIterator<Item = &'s Saying>) -> Self {
        let mut handling = Self::default();
        for saying in sayings {
            handling.hear(saying);
        }
        handling
    }

    fn hear(&mut self, saying: &Saying) {
        let state = match saying.word {
            Word::Closed => HandlingState::Closed,
            word if word.is_withdrawal() => HandlingState::New,
            // What was closed stays closed when somebody thinks of a better verdict.
            _ if self.state == HandlingState::Closed => HandlingState::Closed,
            _ => HandlingState::Acknowledged,
        };
        if state != self.state {
            self.state = state;
            self.actor = Some(saying.actor.clone());
            self.at = Some(saying.at);
        }
        if saying.word.is_verdict() {
            self.verdict = Some(saying.clone());
        } else if saying.word == Word::Reopened {
            self.verdict = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(words: &[Word]) -> Handling {
        let sayings: Vec<Saying> = (1..)
            .zip(words)
            .map(|(secs, word)| Saying {
                subject: "fnd_1".to_owned(),
                at: Timestamp::from_secs(secs),
                actor: format!("person {secs}"),
                word: *word,
                duplicate_of: None,
                note: String::new(),
            })
            .collect();
        Handling::after(&sayings)
    }

    #[test]
    fn what_nobody_spoke_of_is_new() {
        assert_eq!(after(&[]), Handling::default());
    }

    #[test]
    fn a_verdict_is_an_acknowledgement_too() {
        let handling = after(&[Word::Benign]);
        assert_eq!(handling.state, HandlingState::Acknowledged);
        assert_eq!(
            handling.verdict.map(|saying| saying.word),
            Some(Word::Benign)
        );
    }

    #[test]
    fn who_acknowledged_first_deals_with_it() {
        let handling = after(&[Word::Acknowledged, Word::Acknowledged, Word::True]);
        assert_eq!(handling.actor.as_deref(), Some("person 1"));
    }

    #[test]
    fn a_withdrawal_leaves_the_verdict_and_reopening_does_not() {
        let withdrawn = after(&[Word::True, Word::AcknowledgementWithdrawn]);
        assert_eq!(withdrawn.state, HandlingState::New);
        assert!(withdrawn.verdict.is_some());
        let reopened = after(&[Word::True, Word::Closed, Word::Reopened]);
        assert_eq!(
            (reopened.state, reopened.actor.as_deref(), reopened.verdict),
            (HandlingState::New, Some("person 3"), None)
        );
    }

    #[test]
    fn a_better_verdict_does_not_open_what_was_closed() {
        let handling = after(&[Word::Benign, Word::Closed, Word::ExpectedChange]);
        assert_eq!(handling.state, HandlingState::Closed);
        let verdict = handling.verdict.expect("one was given");
        assert_eq!(verdict.word, Word::ExpectedChange);
    }

    #[test]
    fn names_read_back() {
        for word in Word::ALL {
            assert_eq!(Word::named(word.name()), Some(word));
            assert_eq!(
                serde_json::to_value(word).expect("a name"),
                serde_json::json!(word.name())
            );
        }
        assert_eq!(Word::named("perhaps"), None);
    }
}
