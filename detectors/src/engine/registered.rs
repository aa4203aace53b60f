//! What the registry has to say of a call, and findings that name whose token they are about.

use std::sync::Arc;

use tokenwatch_model::{AccessEvent, FindingToken, Timestamp, TokenUse};

use super::{Detections, Engine, found::Found};
use crate::asides::Asides;
use crate::calendar::day_of;
use crate::commons::Popularity;
use crate::detect::advice::Passed;
use crate::detect::jwt_weakness::Judged;
use crate::detect::{
    binding_mismatch, expired_token_use, geofence_violation, ip_not_allowed, jwt_weakness,
    long_lived_token, quota_approach, revoked_token_use, rotation_overdue,
};
use crate::quotas::Quotas;
use crate::registry::{Registered, Registry};
use crate::settings::DetectorSettings;
use crate::token::Token;

/// What is known of a token when one of its calls comes.
pub(super) struct Life<'r> {
    /// What the registry says at the time of the call.
    pub(super) known: Option<Registered<'r>>,
    /// The token's time that went by.
    pub(super) passed: Passed,
}

impl Engine {
    /// Judges from the next event on by this registry. What it says holds from the event times in it, so nothing that was
    /// judged before needs to be judged again, as long as changes lie after the events that were.
    pub fn set_registry(&mut self, registry: Arc<Registry>) {
        Arc::make_mut(&mut self.settings).registry = registry;
    }

    /// The registry in use.
    pub fn registry(&self) -> &Arc<Registry> {
        &self.settings.registry
    }

    /// Says whose token the findings and incidents behind `told` are about.
    pub(super) fn name_owners(&self, out: &mut Detections, told: (usize, usize)) {
        let registry = &self.settings.registry;
        if registry.is_empty() {
            return;
        }
        for finding in &mut out.findings[told.0..] {
            if let Some(token) = &mut finding.token {
                name_owner(registry, token, finding.last_event_at);
            }
        }
        for incident in &mut out.incidents[told.1..] {
            if let Some(token) = &mut incident.token {
                name_owner(registry, token, incident.last_event_at);
            }
        }
    }
}

fn name_owner(registry: &Registry, token: &mut FindingToken, at: Timestamp) {
    let (credential, consumer) = (token.credential_id.as_deref(), token.consumer.as_deref());
    let Some(known) = registry.find_by(token.id, credential, consumer, at) else {
        return;
    };
    let entry = known.entry;
    token.owner.clone_from(&entry.owner);
    token.team.clone_from(&entry.team);
    token.environment.clone_from(&entry.environment);
}

impl Found {
    /// What the decoder noticed about the JWT of a call.
    pub(super) fn observe_jwt(
        &mut self,
        asides: &mut Asides,
        event: &AccessEvent<'_>,
        used: &TokenUse<'_>,
        passed: Passed,
        popularity: &mut Popularity,
    ) {
        let Some(jwt) = used.jwt else {
            return;
        };
        let is_new_day = passed
            .before
            .is_none_or(|before| day_of(before) < day_of(passed.now));
        self.push(binding_mismatch::observe_key(event, jwt));
        let judged = Judged {
            event,
            id: used.id,
            jwt,
        };
        self.push(jwt_weakness::observe(
            asides, popularity, &judged, is_new_day,
        ));
    }

    /// What is known of the token from elsewhere than its habits.
    pub(super) fn observe_registered(
        &mut self,
        token: &Token,
        event: &AccessEvent<'_>,
        used: &TokenUse<'_>,
        life: &Life<'_>,
        quotas: &mut Quotas,
        settings: &DetectorSettings,
    ) {
        let (known, passed) = (life.known.as_ref(), life.passed);
        if known.is_none() && used.expires_at.is_none() {
            return;
        }
        self.push(expired_token_use::observe(
            token, event, used, known, settings,
        ));
        self.push(long_lived_token::observe(
            token, event, used, known, passed, settings,
        ));
        let Some(known) = known else {
            return;
        };
        self.push(ip_not_allowed::observe(event, known));
        self.push(geofence_violation::observe(event, known));
        self.push(revoked_token_use::observe(event, known, settings));
        self.push(rotation_overdue::observe(event, known, passed, settings));
        self.push(quota_approach::observe(
            quotas, event, used, known, settings,
        ));
    }
}
