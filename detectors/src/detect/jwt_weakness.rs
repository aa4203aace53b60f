//! `jwt_weakness`: a JWT that should not have been issued so, or should not have been let in.
//!
//! The decoder notices the facts ([`tokenwatch_model::JwtFact`]); what is expected of an issuer's tokens is configured there,
//! and beside that it is learned here which kind of key an issuer signs with: an HMAC under an issuer of public keys is how
//! a public key is passed off as a secret. Tokens without signature and such forgeries are told whenever they are let in,
//! everything else once a token and kind; where a twentieth of the fleet is like that, it is the way of this API and no
//! news of a single token. Refused ones are attempts, not weaknesses: signals. Misses what the gateway does not log: most log no token. Its
//! main false positive is a configuration that does not know all of an issuer's algorithms, audiences and keys. Bytes per
//! token: none, and about a hundred of one of which something was told. Whether the secret behind an HMAC is weak cannot be seen.

use tokenwatch_model::{
    AccessEvent, Detector, Evidence, JwtAlgorithm, JwtFact, JwtKeyKind, JwtUse, Outcome, Severity,
    TokenId,
};

use crate::asides::Asides;
use crate::commons::Popularity;
use crate::hit::{Belonging, Hit, QUIET_S, Story, Tier};

/// Days of tokens from which the way of an issuer, or of the fleet, is learned; one in so many may be otherwise.
const LEARNED_TOKEN_DAYS: u32 = 20;
const RARE_PART: u32 = 20;
/// Features of the fleet, by days of tokens: JWTs, kinds of keys by issuer, facts.
const JWT: u64 = 0x1a3d_0000_0000_0000;
const ISSUER: u64 = 0x1a3e_0000_0000_0000;
const FACT: u64 = 0x1a3f_0000_0000_0000;

/// A call with a JWT.
#[derive(Clone, Copy)]
pub(crate) struct Judged<'e, 'a> {
    pub(crate) event: &'e AccessEvent<'a>,
    pub(crate) id: TokenId,
    pub(crate) jwt: JwtUse,
}

/// How grave it is that a token of a kind was let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Grade {
    /// Anybody can write such a token: told whenever it is used.
    Forgery,
    /// Whoever issues or checks tokens should see to it: told once.
    Breach,
    /// Likewise, and no sign of an attack.
    Sloppy,
    /// For information.
    Note,
    /// A signal only: it looks the same when keys are changed.
    Hint,
}

/// A kind of weakness.
#[derive(Clone, Copy, Debug)]
struct Kind {
    /// Its number among the kinds, for what was told: those of the facts, and two more.
    number: u8,
    grade: Grade,
    what: &'static str,
}

const UNSIGNED: Kind = Kind {
    number: 14,
    grade: Grade::Forgery,
    what: "is not signed (alg none)",
};
const CONFUSED: Kind = Kind {
    number: 15,
    grade: Grade::Forgery,
    what: "is signed with a shared secret, by an issuer that signs with public keys",
};

/// Notes once a day what the token is like, and judges it.
pub(crate) fn observe(
    asides: &mut Asides,
    popularity: &mut Popularity,
    judged: &Judged<'_, '_>,
    is_new_day: bool,
) -> Option<Hit> {
    let Judged { event, jwt, .. } = *judged;
    if is_new_day && event.outcome == Outcome::Ok {
        note(popularity, event, jwt);
    }
    // Most tokens end here: nothing was noticed, and their key is of the usual kind.
    let shared = jwt.algorithm.key_kind() == Some(JwtKeyKind::Shared);
    if jwt.facts.is_empty() && jwt.algorithm != JwtAlgorithm::None && !shared {
        return None;
    }
    let confused = shared && signs_publicly(popularity, jwt.issuer, event);
    let kinds = kinds_of(jwt, confused);
    match event.outcome {
        Outcome::Ok => accepted(asides, popularity, judged, kinds),
        Outcome::Denied => refused(event, jwt, kinds),
        Outcome::NotFound
        | Outcome::Throttled
        | Outcome::ClientError
        | Outcome::ServerError
        | Outcome::Aborted => None,
    }
}

/// Counts a token's day among those of the fleet.
fn note(popularity: &mut Popularity, event: &AccessEvent<'_>, jwt: JwtUse) {
    popularity.takes_up(JWT, event.ts);
    if let Some(kind) = jwt.algorithm.key_kind()
        && jwt.issuer != 0
    {
        popularity.takes_up(issuer_feature(jwt.issuer, kind), event.ts);
    }
    for fact in jwt.facts.iter() {
        popularity.takes_up(FACT + fact as u64, event.ts);
    }
}

fn issuer_feature(issuer: u32, kind: JwtKeyKind) -> u64 {
    ISSUER + (u64::from(issuer) << 1) + u64::from(kind == JwtKeyKind::Public)
}

/// Whether the issuer is known to sign with public keys, and hardly ever otherwise.
fn signs_publicly(popularity: &Popularity, issuer: u32, event: &AccessEvent<'_>) -> bool {
    let days = |kind| popularity.tokens_with(issuer_feature(issuer, kind), event.ts);
    let public = days(JwtKeyKind::Public);
    issuer != 0
        && public >= LEARNED_TOKEN_DAYS
        && days(JwtKeyKind::Shared).saturating_mul(RARE_PART) <= public
}

/// The weaknesses, the gravest first.
fn kinds_of(jwt: JwtUse, confused: bool) -> impl Iterator<Item = Kind> {
    let unsigned = (jwt.algorithm == JwtAlgorithm::None).then_some(UNSIGNED);
    let confused = confused.then_some(CONFUSED);
    let facts = jwt.facts.iter().filter_map(kind_of);
    // What is not signed is not expected either.
    let is_said = unsigned.is_some();
    let facts =
        facts.filter(move |kind| !(is_said && kind.number == JwtFact::UnexpectedAlgorithm as u8));
    unsigned.into_iter().chain(confused).chain(facts)
}

/// The kind of a fact; those of the keys that a token is bound to are `binding_mismatch`'s.
fn kind_of(fact: JwtFact) -> Option<Kind> {
    let (grade, what) = match fact {
        JwtFact::ConfusedAlgorithm => return Some(CONFUSED),
        JwtFact::UnexpectedAlgorithm => (
            Grade::Breach,
            "is signed with an algorithm that its issuer does not use",
        ),
        JwtFact::EmbeddedKey => (Grade::Breach, "brings along the key to verify it with"),
        JwtFact::ForeignKeyUrl => (
            Grade::Breach,
            "sends whoever verifies it elsewhere than to its issuer for the key",
        ),
        JwtFact::UnexpectedIssuer => (Grade::Breach, "is of an issuer that is not expected"),
        JwtFact::UnexpectedAudience => (Grade::Breach, "is meant for another audience"),
        JwtFact::FromTheFuture => (
            Grade::Sloppy,
            "was issued, or begins, later than it was used",
        ),
        JwtFact::MissingEnd => (Grade::Sloppy, "has no end (no exp claim)"),
        JwtFact::SecretClaims => (Grade::Sloppy, "has claims named like secrets"),
        JwtFact::PersonalClaims => (
            Grade::Note,
            "has claims named like what identifies a person",
        ),
        JwtFact::UnknownKey => (Grade::Hint, "names a key that its issuer is not known for"),
        JwtFact::CertificateMismatch | JwtFact::CertificateMissing | JwtFact::ProofKeyMismatch => {
            return None;
        }
    };
    Some(Kind {
        number: fact as u8,
        grade,
        what,
    })
}

fn accepted(
    asides: &mut Asides,
    popularity: &Popularity,
    judged: &Judged<'_, '_>,
    kinds: impl Iterator<Item = Kind>,
) -> Option<Hit> {
    let Judged { event, id, jwt } = *judged;
    let mut worst: Option<(Kind, Tier)> = None;
    let mut told = Vec::new();
    for kind in kinds {
        let tier = tier_of(kind, popularity, event);
        // What is the way of this API is not remembered of every token.
        let is_custom = tier == Tier::Signal && kind.grade != Grade::Hint;
        let is_told = is_custom || !asides.tell_weakness(id, kind.number);
        if is_told && kind.grade != Grade::Forgery {
            continue;
        }
        told.push(kind.what);
        if worst.is_none_or(|(_, known)| tier > known) {
            worst = Some((kind, tier));
        }
    }
    let (kind, tier) = worst?;
    let (severity, evidence_db, rank) = match kind.grade {
        Grade::Forgery => (Severity::High, 35.0, 3),
        Grade::Breach => (Severity::Medium, 15.0, 2),
        Grade::Sloppy => (Severity::Low, 5.0, 1),
        Grade::Note => (Severity::Info, 0.0, 0),
        Grade::Hint => (Severity::Low, 5.0, 0),
    };
    let text = format!(
        "{{name}} was let in with a JWT that {}{{outcomes}}{{sources}}",
        told.join(", ")
    );
    let hit = Hit {
        tier,
        severity,
        evidence_db,
        hard: kind.grade == Grade::Forgery,
        ..weakness(event, jwt, rank, text)
    };
    Some(hit)
}

/// Whether a kind may be a finding: not if much of the fleet is like that.
fn tier_of(kind: Kind, popularity: &Popularity, event: &AccessEvent<'_>) -> Tier {
    match kind.grade {
        Grade::Forgery => return Tier::Finding,
        Grade::Hint => return Tier::Signal,
        Grade::Breach | Grade::Sloppy | Grade::Note => {}
    }
    let all = popularity.tokens_with(JWT, event.ts);
    let with = popularity.tokens_with(FACT + u64::from(kind.number), event.ts);
    if all >= LEARNED_TOKEN_DAYS && with.saturating_mul(RARE_PART) > all {
        Tier::Signal
    } else {
        Tier::Finding
    }
}

/// Somebody tries a token that nobody should be able to make.
fn refused(
    event: &AccessEvent<'_>,
    jwt: JwtUse,
    mut kinds: impl Iterator<Item = Kind>,
) -> Option<Hit> {
    const ATTEMPT_DB: f64 = 10.0;
    let kind = kinds.find(|kind| matches!(kind.grade, Grade::Forgery | Grade::Breach))?;
    let text = format!(
        "{{name}} was tried with a JWT that {}{{outcomes}}{{sources}}",
        kind.what
    );
    Some(Hit {
        tier: Tier::Signal,
        severity: Severity::Low,
        evidence_db: ATTEMPT_DB,
        hard: false,
        ..weakness(event, jwt, 0, text)
    })
}

fn weakness(event: &AccessEvent<'_>, jwt: JwtUse, rank: u8, text: String) -> Hit {
    let algorithm = match jwt.algorithm.name() {
        "" => "not logged",
        name => name,
    };
    Hit {
        tier: Tier::Signal,
        severity: Severity::Low,
        evidence_db: 0.0,
        hard: false,
        size: 1.0,
        window_start: event.ts,
        quiet_s: QUIET_S,
        confirm: false,
        story: Story {
            detector: Detector::JwtWeakness,
            rank,
            belonging: Belonging::OwnHits,
            text,
            figures: Evidence {
                expected: Some(0.0),
                statistic: "a fact of the token's header or claims".to_owned(),
                usual: Some(format!("algorithm of this token: {algorithm}")),
                ..Evidence::default()
            },
        },
        bulk: None,
    }
}
