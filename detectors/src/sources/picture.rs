//! What ten minutes of one key show, and whether it is an attack: the decisions, without state.

use tokenwatch_model::Detector;

use super::config::{CredentialStuffingConfig, TokenGuessingConfig};
use super::entry::{ANONYMOUS_PER_CREDENTIAL, Habit};
use super::key::Level;
use super::tally::{ADMITTED, NAMED, REGULAR, Tally, UNNAMED, VISITING};

/// Share of the calls of an address or network that must be refused when most of the credentials are: those that work
/// may be used meanwhile.
const LEAST_CALL_SHARE: f64 = 0.5;

/// What ten minutes show.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Picture {
    /// Different credentials that were tried and refused, and how many of them are somebody's.
    pub(crate) credentials: f64,
    pub(crate) named: f64,
    /// They are counted, not estimated.
    pub(crate) exact: bool,
    /// Different credentials that were let in for the first time.
    pub(crate) admitted: f64,
    /// Calls of those; exact where credentials are estimated.
    pub(crate) admitted_calls: u32,
    /// Refused calls that may be tries, and those of them without a credential.
    pub(crate) attempts: u32,
    pub(crate) anonymous: u32,
    /// Share of the credentials that were refused, not counting those that only go on as usual.
    pub(crate) credential_share: f64,
    /// Share of the calls that were refused.
    pub(crate) call_share: f64,
    /// Credentials tried, where ten calls without any count as one.
    pub(crate) strength: f64,
    /// What that is in the worst ten minutes of a usual day, and the days it rests on.
    pub(crate) usual: Option<(f64, f64)>,
    /// Different addresses.
    pub(crate) addresses: f64,
}

impl Picture {
    /// What `sum` shows of a key with this habit. In an outage those who are on the move are refused like everybody else,
    /// and do not count; credentials that were never accepted do.
    pub(crate) fn of(sum: &Tally, habit: Habit, window: i64, outage: bool) -> Self {
        let (all, named): (&[u32], &[u32]) = if outage {
            (&[UNNAMED, NAMED], &[NAMED])
        } else {
            (&[UNNAMED, NAMED, VISITING], &[NAMED, VISITING])
        };
        let credentials = sum.credentials.count_of(all);
        let admitted = sum.credentials.count_of(&[ADMITTED]);
        let regulars = sum.credentials.count_of(&[REGULAR]);
        let share = |part: f64, rest: f64| {
            if part > 0.0 {
                part / (part + rest)
            } else {
                0.0
            }
        };
        let attempts = sum.attempts();
        Self {
            credentials,
            named: sum.credentials.count_of(named),
            exact: sum.credentials.is_exact(),
            admitted,
            admitted_calls: sum.admitted,
            attempts,
            anonymous: sum.anonymous,
            credential_share: share(credentials, admitted + regulars),
            call_share: share(
                f64::from(attempts),
                f64::from(sum.admitted) + f64::from(sum.usual),
            ),
            strength: credentials.max(f64::from(sum.anonymous) / ANONYMOUS_PER_CREDENTIAL),
            usual: habit.usual(window),
            addresses: sum.addresses.count(),
        }
    }
}

/// Which attack a picture is of, if of any.
///
/// Credentials that are somebody's are stuffed: they were accepted elsewhere, the gateway knows whose they are, or some
/// are let in. A source that tries nothing but credentials that nobody knows guesses.
pub(crate) fn decide_attack(
    picture: &Picture,
    level: Level,
    stuffing: &CredentialStuffingConfig,
    guessing: &TokenGuessingConfig,
) -> Option<Detector> {
    let narrow = level <= Level::Prefix;
    let unusual = |ratio: f64| {
        picture
            .usual
            .is_none_or(|(usual, _)| picture.strength >= ratio * usual)
    };
    let refused = |share: f64| {
        let calls = !narrow || picture.call_share >= LEAST_CALL_SHARE;
        calls && picture.credential_share >= share
    };
    // Sums of estimated shares may fall short of a whole number by a rounding error.
    let tried = picture.credentials + picture.admitted + 1e-6;
    let many = |limit: u32| tried >= f64::from(limit);
    let let_in = narrow && picture.admitted_calls > 0;
    if let_in || picture.named + picture.admitted >= 1.0 - 1e-6 {
        let is_attack = many(stuffing.tokens)
            && refused(stuffing.refused_share)
            && unusual(stuffing.usual_ratio);
        if is_attack {
            return Some(Detector::CredentialStuffing);
        }
    } else if many(guessing.tokens)
        && refused(guessing.refused_share)
        && unusual(guessing.usual_ratio)
    {
        return Some(Detector::TokenGuessing);
    }
    let blind = narrow
        && picture.anonymous >= guessing.attempts
        && picture.call_share >= guessing.refused_share
        && unusual(guessing.usual_ratio);
    blind.then_some(Detector::TokenGuessing)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture() -> Picture {
        Picture {
            credentials: 10.0,
            named: 3.0,
            exact: true,
            admitted: 0.0,
            admitted_calls: 0,
            attempts: 10,
            anonymous: 0,
            credential_share: 1.0,
            call_share: 1.0,
            strength: 10.0,
            usual: None,
            addresses: 1.0,
        }
    }

    fn check(picture: &Picture, level: Level, want: Option<Detector>) {
        let (stuffing, guessing) = Default::default();
        assert_eq!(
            decide_attack(picture, level, &stuffing, &guessing),
            want,
            "{picture:?}"
        );
    }

    #[test]
    fn somebodys_credentials_are_stuffed_and_nobodys_are_guessed() {
        check(
            &picture(),
            Level::Address,
            Some(Detector::CredentialStuffing),
        );
        let nobodys = Picture {
            named: 0.0,
            ..picture()
        };
        check(&nobodys, Level::Address, Some(Detector::TokenGuessing));
        let let_in = Picture {
            admitted: 1.0,
            ..nobodys
        };
        check(&let_in, Level::Address, Some(Detector::CredentialStuffing));
    }

    #[test]
    fn few_credentials_healthy_company_and_what_is_usual_are_no_attack() {
        let few = Picture {
            credentials: 9.0,
            ..picture()
        };
        check(&few, Level::Address, None);
        let healthy_credentials = Picture {
            credential_share: 0.5,
            ..picture()
        };
        check(&healthy_credentials, Level::Address, None);
        check(&healthy_credentials, Level::Route, None);
        let usual = Picture {
            usual: Some((3.0, 5.0)),
            ..picture()
        };
        check(&usual, Level::Address, None);
    }

    #[test]
    fn shares_of_calls_matter_only_where_calls_are_counted() {
        let healthy_calls = Picture {
            call_share: 0.1,
            ..picture()
        };
        check(&healthy_calls, Level::Address, None);
        check(
            &healthy_calls,
            Level::System,
            Some(Detector::CredentialStuffing),
        );
    }

    #[test]
    fn calls_without_a_credential_are_guesses_of_an_address_only() {
        let blind = Picture {
            credentials: 0.0,
            named: 0.0,
            anonymous: 100,
            attempts: 100,
            ..picture()
        };
        check(&blind, Level::Address, Some(Detector::TokenGuessing));
        check(&blind, Level::System, None);
    }
}
