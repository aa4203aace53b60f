//! `quota_approach`: a token that will have used up its registered quota before it is renewed, or has.
//!
//! Told once a period when it is foreseen, and once when it has happened; for whoever runs the client, not for security: it
//! weighs nothing. Calls that were refused or throttled do not count. Misses quotas that the registry does not know, and a
//! gateway that counts otherwise. Its main false positive is a burst late in a period. Bytes per token: 80, only where a
//! quota is registered.

use tokenwatch_model::{AccessEvent, Detector, Evidence, Outcome, QuotaPeriod, Severity, TokenUse};

use crate::hit::{Belonging, Hit, Story, Tier};
use crate::quotas::{QuotaUse, Quotas, Told};
use crate::registry::Registered;
use crate::settings::DetectorSettings;
use crate::wording;

/// A hit if this call is the first that shows it.
pub(crate) fn observe(
    quotas: &mut Quotas,
    event: &AccessEvent<'_>,
    used: &TokenUse<'_>,
    known: &Registered<'_>,
    settings: &DetectorSettings,
) -> Option<Hit> {
    let quota = known.entry.quota?;
    if matches!(event.outcome, Outcome::Denied | Outcome::Throttled) {
        return None;
    }
    let so_far = quotas.count(used.id, quota, event.ts)?;
    let per = match quota.per {
        QuotaPeriod::Hour => "an hour",
        QuotaPeriod::Day => "a day",
        QuotaPeriod::Month => "a month",
    };
    let all = format!("{} calls {per}", wording::count(quota.calls as f64));
    if so_far.used >= quota.calls {
        if so_far.told == Told::UsedUp {
            return None;
        }
        so_far.told = Told::UsedUp;
        let early = so_far.renewed_at().since(event.ts).as_secs() as i64;
        let text = format!(
            "{{name}} has used up its {all}, {} before they are renewed",
            wording::elapsed(early)
        );
        return Some(hit(event, so_far, quota.calls, text));
    }
    if so_far.told != Told::Nothing || !so_far.has_used(settings.quota.share) {
        return None;
    }
    let out_at = so_far.forecast(event.ts)?;
    so_far.told = Told::Approach;
    let early = so_far.renewed_at().since(out_at).as_secs() as i64;
    let text = format!(
        "{{name}} has made {} of its {all}; as it goes on it will be out of them at {}, {} before they are renewed",
        wording::count(so_far.used as f64),
        wording::moment(out_at),
        wording::elapsed(early),
    );
    Some(hit(event, so_far, quota.calls, text))
}

fn hit(event: &AccessEvent<'_>, so_far: &QuotaUse, quota: u64, text: String) -> Hit {
    let used_up = so_far.told == Told::UsedUp;
    Hit {
        tier: Tier::Finding,
        severity: if used_up {
            Severity::Low
        } else {
            Severity::Info
        },
        evidence_db: 0.0,
        hard: false,
        // Used up is news at once, not at the next full hour.
        size: if used_up { 2.0 } else { 1.0 },
        window_start: event.ts,
        quiet_s: so_far.renewed_at().since(event.ts).as_secs() as i64,
        confirm: false,
        story: Story {
            detector: Detector::QuotaApproach,
            rank: u8::from(used_up),
            belonging: Belonging::OwnHits,
            text,
            figures: Evidence {
                observed: Some(so_far.used as f64),
                expected: Some(quota as f64),
                window_s: u64::try_from(so_far.period_s()).ok(),
                statistic: "calls of the period, and the quota; damped Holt forecast".to_owned(),
                ..Evidence::default()
            },
        },
        bulk: None,
    }
}
