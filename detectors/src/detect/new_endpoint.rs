//! `new_endpoint`: the first call of a token to an endpoint that its peers do not use either.
//!
//! Evidence for other detectors, never a finding alone: clients learn new calls all the time. As surprising as the share
//! of tokens that use the endpoint is small (with half a token added), and at most as surprising as the token's own rate of
//! new endpoints allows. An endpoint that nobody had called a day ago is a release, and says nothing. Misses a thief who
//! does what the owner does. Its main false positive is a client's new feature. Bytes per token: 10, and 16 to 128 more beyond
//! four endpoints.

use tokenwatch_model::{AccessEvent, Detector, Evidence, Outcome, Severity, Timestamp};

use crate::calendar::{DAY, day_of, hour_of};
use crate::commons::Commons;
use crate::hit::{Belonging, Hit, QUIET_S, Story, Tier};
use crate::route_template::{self, Endpoint};
use crate::settings::DetectorSettings;
use crate::token::{Maturity, Token};

/// No first call surprises more than this.
const MOST_DB: f64 = 25.0;
/// Nor does it weigh more than this: a new job brings new endpoints and more calls together, and so does a new client. With one
/// of them alone it must not reach the 40 dB of a finding.
const WEIGHT_DB: f64 = 9.0;
/// An endpoint that is younger, fleet-wide, is a release.
const RELEASE_HOURS: u32 = 24;
/// Fewer tokens are no peers to compare with; then a first call says no more than this.
const FEW_TOKENS: u32 = 20;
const ALONE_DB: f64 = 15.0;
/// Keeps endpoints apart from other features that tokens take up.
const FEATURE: u64 = 0x656e_6470_6f69_6e74;

/// What a call called.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Called {
    pub(crate) endpoint: Endpoint,
    /// The token never called it before, as far as is known, and it exists.
    pub(crate) is_new: bool,
    /// It is none of those that the token calls.
    pub(crate) is_foreign: bool,
}

/// Notes what the call called, for the token and for the fleet; `None` if the log does not say it.
pub(crate) fn observe(
    token: &mut Token,
    event: &AccessEvent<'_>,
    commons: &mut Commons,
) -> Option<Called> {
    let endpoint = route_template::endpoint_of(&event.http, &commons.words, hour_of(event.ts))?;
    // What does not exist is no endpoint: whoever tries names must not fill the memory with them.
    let exists = !matches!(event.outcome, Outcome::NotFound | Outcome::ClientError);
    let day = u16::try_from(day_of(event.ts).max(0)).unwrap_or(u16::MAX);
    let is_new = exists && token.scope.visit(&mut token.parts, endpoint.hash, day);
    if is_new {
        if event.ts.as_secs() - token.first_seen().as_secs() >= DAY {
            token.scope.mark_novel();
        }
        if event.outcome == Outcome::Ok {
            commons
                .popularity
                .takes_up(endpoint.hash ^ FEATURE, event.ts);
            route_template::learn(&event.http, &mut commons.words, hour_of(event.ts));
        }
    }
    let is_foreign = is_new || (!exists && !token.scope.knows(&token.parts, endpoint.hash));
    Some(Called {
        endpoint,
        is_new,
        is_foreign,
    })
}

/// What the fleet has to do with an endpoint.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peers {
    /// Tokens that use it.
    pub(crate) tokens: u32,
    /// All tokens.
    all: u32,
    /// Their share of all tokens, half a token added.
    pub(crate) share: f64,
    /// Hours since the first of them did; `None` if that is less than one.
    pub(crate) age_hours: Option<u32>,
}

impl Peers {
    /// The fleet's use of `endpoint` by the hour before `ts`.
    pub(crate) fn of(endpoint: &Endpoint, commons: &Commons, ts: Timestamp) -> Self {
        let feature = endpoint.hash ^ FEATURE;
        let tokens = commons.popularity.tokens_with(feature, ts);
        let all = commons.popularity.tokens(ts);
        if all < FEW_TOKENS {
            return Self {
                tokens: 0,
                all,
                share: 1.0,
                age_hours: None,
            };
        }
        Self {
            tokens,
            all,
            share: (f64::from(tokens) + 0.5) / (f64::from(all.max(tokens)) + 1.0),
            age_hours: commons.popularity.age_hours(feature, ts),
        }
    }

    /// Whether there are enough to compare with.
    pub(crate) const fn are_known(&self) -> bool {
        self.all >= FEW_TOKENS
    }

    /// In words, for the end of a sentence.
    pub(crate) fn words(&self) -> String {
        match self.tokens {
            _ if !self.are_known() => "there are too few tokens to compare it with".to_owned(),
            0 => "no other token does".to_owned(),
            1 => format!("one of {} tokens does", self.all.max(2)),
            tokens => format!("{tokens} of {} tokens do", self.all.max(tokens)),
        }
    }

    /// How surprising it is, in decibans, that one more token uses it.
    pub(crate) fn surprise_db(&self) -> f64 {
        -10.0 * libm::log10(self.share)
    }
}

/// The signal that a first call amounts to, if it surprises enough.
pub(crate) fn judge(
    token: &Token,
    called: &Called,
    event: &AccessEvent<'_>,
    commons: &Commons,
    settings: &DetectorSettings,
) -> Option<Hit> {
    let happened = matches!(event.outcome, Outcome::Ok | Outcome::Denied);
    if !called.is_new || !happened || token.maturity(settings) < Maturity::Young {
        return None;
    }
    let peers = Peers::of(&called.endpoint, commons, event.ts);
    let is_release = peers.age_hours.is_none_or(|hours| hours < RELEASE_HOURS);
    if peers.are_known() && is_release {
        return None;
    }
    let own_db = token.scope.surprise_db(token.days());
    let peers_db = if peers.are_known() {
        peers.surprise_db()
    } else {
        ALONE_DB
    };
    let surprise_db = peers_db.min(own_db).min(MOST_DB);
    if surprise_db < settings.new_endpoint.signal_db {
        return None;
    }
    let known = token.scope.endpoint_count(&token.parts);
    let call = route_template::text_of(&event.http, &commons.words, hour_of(event.ts));
    Some(Hit {
        tier: Tier::Signal,
        severity: Severity::Info,
        evidence_db: surprise_db.min(WEIGHT_DB),
        hard: false,
        size: 1.0,
        window_start: event.ts,
        quiet_s: QUIET_S,
        confirm: false,
        story: Story {
            detector: Detector::NewEndpoint,
            rank: 0,
            belonging: Belonging::OwnHits,
            text: format!(
                "{{name}} called {call}, which it never did in {} days; {}{{sources}}",
                token.active_days,
                peers.words(),
            ),
            figures: Evidence {
                observed: Some(1.0),
                expected: Some(0.0),
                statistic: "the share of tokens that use the endpoint, and the token's own rate of new endpoints".to_owned(),
                p_value: Some(libm::exp10(-surprise_db / 10.0)),
                baseline_days: Some(u32::from(token.active_days)),
                usual: Some(format!("{known} other endpoints")),
                ..Evidence::default()
            },
        },
        bulk: None,
    })
}
