//! Tokens that were found exposed: told at the report, at their revocation, and with their calls in between.
//!
//! A report comes with the registry, as a version that counts from an event time after all that was judged. So it is stored
//! before the engine hears of it, in the order of the events, and after a crash told again under the same id. Its finding
//! belongs to the case of its token like any other: one incident, one sum of evidence.

use std::sync::Arc;

use tokenwatch_model::{AccessEvent, Timestamp};

use super::found::Found;
use super::registered::Life;
use super::{Detections, Engine};
use crate::asides::Asides;
use crate::detect::leaked_token::{self, LeakUse};
use crate::subject::SubjectKey;
use crate::token::{Fact, Token};
use crate::whereabouts::Visit;

impl Engine {
    /// Tells of tokens that the registry says were exposed, or revoked after that, since this was asked last. To be called
    /// after [`Engine::set_registry`], and once after a start.
    pub fn tell_leaks(&mut self, out: &mut Detections) {
        let settings = Arc::clone(&self.settings);
        let told = (out.findings.len(), out.incidents.len());
        for id in settings.registry.leaked() {
            let ever = Timestamp::from_micros(i64::MAX);
            let Some(known) = settings.registry.find_by(id, None, None, ever) else {
                continue;
            };
            let Some(leak) = known.leak else {
                continue;
            };
            let slot = self.tokens.find(id);
            let token = slot.map(|slot| self.tokens.at(slot));
            let newest = token.map_or(leak.reported, |token| token.newest.max(leak.reported));
            let is_new = self.asides.leak_mut(id, leak.reported).is_none();
            if is_new {
                if !leaked_token::is_live(&known, leak.reported) {
                    continue;
                }
                self.asides.set_leak(id, LeakUse::begin(leak, token));
            }
            let now = known.revoked.map_or(newest, |revoked| newest.max(revoked));
            let seen = self.asides.leak_mut(id, leak.reported);
            let hit = seen.and_then(|seen| leaked_token::tell(seen, is_new, &known, now));
            let Some(hit) = hit else {
                continue;
            };
            let key = SubjectKey::Token(id);
            if let Some(slot) = slot {
                self.tokens.at_mut(slot).marks.set(Fact::HasCase, true);
            }
            self.take_sealed(&key, hit, now, &settings, out);
            self.mark_changed(&key);
        }
        self.name_owners(out, told);
    }
}

impl Found {
    /// A call of a token that was exposed before.
    pub(super) fn observe_leak(
        &mut self,
        asides: &mut Asides,
        token: &Token,
        event: &AccessEvent<'_>,
        life: &Life<'_>,
        visit: Option<&Visit>,
    ) {
        let Some(known) = &life.known else {
            return;
        };
        let Some(leak) = known.leak else {
            return;
        };
        if let Some(seen) = asides.leak_mut(token.id(), leak.reported) {
            let outcome = event.outcome;
            self.push(leaked_token::observe(seen, token, visit, outcome, known));
        }
    }
}
