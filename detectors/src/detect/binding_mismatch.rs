//! `binding_mismatch`: a token used without the key that it is bound to, or with another TLS client than its owner's.
//!
//! A token that says itself to which certificate or key it is bound (`cnf`), and is let in with another one, is stolen, and
//! the gateway does not look: critical at once, as research note 3.3 has it. One that is let in with no certificate at all
//! may be a listener without mTLS: medium. Refused ones are signals. Beside that: the same program by its own account with
//! another TLS handshake, while the owner's goes on for longer than a deployment takes. Misses tokens that are not bound, a
//! thief with the owner's TLS library, and gateways that log neither certificate nor JA4. Its main false positive is a
//! second service with the same SDK and another TLS library. Bytes per token: none, and about a hundred during a duel.

use serde::{Deserialize, Serialize};
use tokenwatch_model::{
    AccessEvent, Detector, JwtFact, JwtUse, Outcome, Severity, Timestamp, TokenId,
};

use super::breach::Breach;
use crate::arrival::{Arrival, Experience};
use crate::asides::Asides;
use crate::clients::{ClientKey, Difference, describe};
use crate::hit::{Hit, Tier};
use crate::token::micros;
use crate::whereabouts::Familiarity;
use crate::wording;

/// Weight of another key than the token's, of none, and of either if it was refused.
const OTHER_KEY_DB: f64 = 40.0;
const NO_KEY_DB: f64 = 25.0;
const REFUSED_DB: f64 = 15.0;
/// Weight of two handshakes of one program.
const DUEL_DB: f64 = 25.0;
/// Calls of both sides no further apart than this alternate, and so often do they.
const ALTERNATION_S: i64 = 600;
const CHANGES: u8 = 3;
/// A deployment that goes round is over by then.
const DEPLOYMENT_S: i64 = 1_800;
/// A newcomer is no newcomer any more after a day.
const LONGEST_S: i64 = 86_400;

/// Two TLS clients that claim to be the same program.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Duel {
    newcomer: ClientKey,
    #[serde(with = "micros")]
    began: Timestamp,
    last_s: i64,
    /// The usual client's last call.
    usual_s: i64,
    last_is_newcomer: bool,
    changes: u8,
}

/// A hit if the token is bound to a key that the caller does not have.
pub(crate) fn observe_key(event: &AccessEvent<'_>, jwt: JwtUse) -> Option<Hit> {
    let facts = jwt.facts;
    let (other, what, bound_to) = if facts.contains(JwtFact::CertificateMismatch) {
        (
            true,
            "with another client certificate than it is bound to",
            "a client certificate",
        )
    } else if facts.contains(JwtFact::ProofKeyMismatch) {
        (
            true,
            "with a proof of another key than it is bound to",
            "a key (DPoP)",
        )
    } else if facts.contains(JwtFact::CertificateMissing) {
        (
            false,
            "without the client certificate that it is bound to",
            "a client certificate",
        )
    } else {
        return None;
    };
    let (tier, severity, evidence_db, text) = match event.outcome {
        Outcome::Ok if other => (
            Tier::Finding,
            Severity::Critical,
            OTHER_KEY_DB,
            format!("{{name}} was LET IN {what}: it is in other hands{{outcomes}}{{sources}}"),
        ),
        Outcome::Ok => (
            Tier::Finding,
            Severity::Medium,
            NO_KEY_DB,
            format!("{{name}} was let in {what}{{outcomes}}{{sources}}"),
        ),
        Outcome::Denied => (
            Tier::Signal,
            Severity::Low,
            REFUSED_DB,
            format!("{{name}} was tried {what}{{outcomes}}{{sources}}"),
        ),
        Outcome::NotFound
        | Outcome::Throttled
        | Outcome::ClientError
        | Outcome::ServerError
        | Outcome::Aborted => return None,
    };
    let breach = Breach {
        detector: Detector::BindingMismatch,
        tier,
        severity,
        evidence_db,
        hard: tier == Tier::Finding,
        rank: if tier == Tier::Signal {
            0
        } else {
            2 + u8::from(other)
        },
        text,
        statistic: "the token's cnf claim against what the gateway logged",
        usual: format!("bound to {bound_to} by its own claim"),
    };
    Some(breach.hit(event))
}

/// Notes which of two TLS clients of one program calls; a hit if both go on.
pub(crate) fn observe_client(
    asides: &mut Asides,
    id: TokenId,
    arrival: &Arrival<'_, '_>,
) -> Option<Hit> {
    let visit = &arrival.visit;
    let client = visit.client.filter(|_| visit.succeeded)?;
    let now_s = visit.at.as_secs();
    let Some(duel) = asides.duel_mut(id) else {
        let begins = visit.client_is == Familiarity::New
            && visit.difference == Difference::Handshake
            && arrival.experience == Experience::Learned;
        if begins {
            asides.set_duel(
                id,
                Some(Duel {
                    newcomer: client,
                    began: visit.at,
                    last_s: now_s,
                    usual_s: now_s,
                    last_is_newcomer: true,
                    changes: 0,
                }),
            );
        }
        return None;
    };
    if now_s - duel.began.as_secs() > LONGEST_S {
        asides.set_duel(id, None);
        return None;
    }
    let is_newcomer = client == duel.newcomer;
    if !is_newcomer && !client.claims_to_be(duel.newcomer) {
        return None;
    }
    if is_newcomer != duel.last_is_newcomer {
        if (now_s - duel.last_s).abs() <= ALTERNATION_S {
            duel.changes = duel.changes.saturating_add(1);
        }
        duel.last_is_newcomer = is_newcomer;
    }
    duel.last_s = duel.last_s.max(now_s);
    if !is_newcomer {
        duel.usual_s = duel.usual_s.max(now_s);
    }
    let goes_on = now_s - duel.usual_s <= ALTERNATION_S;
    let outlasts = now_s - duel.began.as_secs() >= DEPLOYMENT_S;
    let is_proven = duel.changes >= CHANGES && goes_on && outlasts;
    let since = wording::moment(duel.began);
    (is_proven && is_newcomer).then(|| two_clients(arrival, &since))
}

fn two_clients(arrival: &Arrival<'_, '_>, since: &str) -> Hit {
    let name = describe(&arrival.event.client).unwrap_or_default();
    let breach = Breach {
        detector: Detector::BindingMismatch,
        tier: Tier::Finding,
        severity: Severity::Medium,
        evidence_db: DUEL_DB,
        hard: false,
        rank: 1,
        text: format!(
            "{{name}} is used with two TLS clients that both claim to be {name}: one that it never had before since \
             {since}, while the usual one goes on in between{{sources}}"
        ),
        statistic: "alternation of two TLS handshakes (JA4: protocol, number and hash of ciphers) of one program",
        usual: format!("used by {name} with one TLS handshake"),
    };
    breach.hit(arrival.event)
}
