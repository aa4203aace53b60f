//! Why there is, or is not, a finding: what each detector makes of a token, in words and figures, as of its newest event.
//!
//! Reads the state that the detectors decide by, so it cannot disagree with them. What happened to a finding afterwards
//! (muted, failed, acknowledged) is not known here; the ledger says that.

use tokenwatch_model::{
    AccessEvent, Detector, DetectorVerdict, DetectorView, ExplainedFigure, Explanation, TokenId,
};

use crate::case::Case;
use crate::config::DetectorMode;
use crate::detect::rate_spike::far_floor;
use crate::episode::{Episode, Standing};
use crate::failures::FailureKind;
use crate::habit::{Basis, FAILURE_WIDTHS, Habit, RATE_WIDTHS, VOLUME_WIDTHS};
use crate::log_count::LogCount;
use crate::registry::Registered;
use crate::rules::Matched;
use crate::settings::DetectorSettings;
use crate::subject::SubjectKey;
use crate::token::{Maturity, Token};
use crate::wording;

/// What all detectors of tokens make of `token`. `last` is its newest event, by which modes and exceptions are chosen.
pub(crate) fn of(
    token: &Token,
    case: Option<&Case>,
    last: Option<&AccessEvent<'_>>,
    settings: &DetectorSettings,
) -> Explanation {
    let key = SubjectKey::Token(token.id());
    let standing = case.map(|case| case.ledger.standing(token.newest));
    let detectors = Detector::ALL
        .into_iter()
        .filter(|detector| !is_about_others(*detector))
        .map(|detector| {
            let episode = case.and_then(|case| case.episode_of(detector));
            view(detector, token, episode, &key, last, settings)
        })
        .collect();
    Explanation {
        token_id: token.id(),
        as_of: token.newest,
        baseline_days: u32::from(token.active_days),
        mature_days: u32::from(settings.mature_days),
        evidence_db: standing.map_or(0.0, |s| libm::round(10.0 * s.total_db) / 10.0),
        families: standing.map_or(0, |s| s.families),
        hard_families: standing.map_or(0, |s| s.hard),
        detectors,
    }
}

/// Detectors whose subject is no token.
fn is_about_others(detector: Detector) -> bool {
    matches!(
        detector,
        Detector::CredentialStuffing
            | Detector::TokenGuessing
            | Detector::FleetFailure
            | Detector::BlindWindow
    )
}

fn view(
    detector: Detector,
    token: &Token,
    episode: Option<&Episode>,
    key: &SubjectKey,
    last: Option<&AccessEvent<'_>>,
    settings: &DetectorSettings,
) -> DetectorView {
    let mut view = DetectorView {
        detector,
        verdict: DetectorVerdict::BelowThreshold,
        reason: String::new(),
        figures: figures(detector, token, settings),
        finding_id: None,
        severity: None,
    };
    if let Some(episode) = episode {
        describe(&mut view, episode, key, token.id());
        return view;
    }
    let call = last.map(Matched::of);
    if let Some(exception) = call
        .as_ref()
        .and_then(|call| settings.rules.exception(detector, call))
    {
        view.verdict = DetectorVerdict::Excepted;
        view.reason = format!("excepted until {}: {}", exception.until, exception.reason);
        return view;
    }
    let mode = call.map_or(DetectorMode::On, |call| settings.mode(detector, &call));
    if mode == DetectorMode::Off {
        view.verdict = DetectorVerdict::Off;
        "switched off for such calls".clone_into(&mut view.reason);
        return view;
    }
    let unregistered = last.and_then(|last| unregistered(detector, last, settings));
    (view.verdict, view.reason) = match unregistered {
        Some(reason) => (DetectorVerdict::NoData, reason.to_owned()),
        None => silence(detector, token, &view.figures, settings),
    };
    if mode == DetectorMode::Signal {
        view.reason.push_str("; it may only signal");
    }
    view
}

fn describe(view: &mut DetectorView, episode: &Episode, key: &SubjectKey, id: TokenId) {
    let summary = episode.summary(key);
    let state = if episode.open { "open" } else { "closed" };
    match episode.standing {
        Standing::Finding => {
            view.verdict = DetectorVerdict::Finding;
            view.finding_id = Some(episode.finding_id(&id.to_string()));
            view.severity = Some(episode.severity);
            view.reason = format!("{state}: {summary}");
        }
        Standing::Signals => {
            view.verdict = DetectorVerdict::Signal;
            view.reason = format!(
                "a signal of {:.0} dB, no finding of its own: {summary}",
                episode.evidence_db
            );
        }
        Standing::Unconfirmed(_) => {
            view.verdict = DetectorVerdict::Unconfirmed;
            view.reason =
                format!("held for a minute, until the fleet is known to be well: {summary}");
        }
        Standing::CommonMode => {
            view.verdict = DetectorVerdict::CommonMode;
            view.reason = format!(
                "much of its fleet, consumer or client failed or surged at the same time: {summary}"
            );
        }
    }
}

/// What the registry does not say that a detector would have to know.
fn unregistered(
    detector: Detector,
    last: &AccessEvent<'_>,
    settings: &DetectorSettings,
) -> Option<&'static str> {
    let used = last.token.as_ref()?;
    let known = settings.registry.find(used, last.ts);
    let says = |fact: fn(&Registered<'_>) -> bool| known.as_ref().is_some_and(fact);
    match detector {
        Detector::IpNotAllowed if !says(|known| !known.entry.allowed_networks.is_empty()) => {
            Some("the registry names no networks for it")
        }
        Detector::GeofenceViolation if !says(|known| !known.entry.allowed_countries.is_empty()) => {
            Some("the registry names no countries for it")
        }
        Detector::ExpiredTokenUse
            if used.expires_at.is_none() && !says(|known| known.entry.expires.is_some()) =>
        {
            Some("neither the registry nor the token says when it ends")
        }
        Detector::LongLivedToken
            if used.expires_at.is_none() && !says(|known| known.entry.created.is_some()) =>
        {
            Some("neither the registry nor the token says when it was issued")
        }
        Detector::RotationOverdue
            if !says(|known| known.entry.created.is_some() || known.successor.is_some()) =>
        {
            Some("the registry does not say when it was issued, or that it was replaced")
        }
        Detector::QuotaApproach if !says(|known| known.entry.quota.is_some()) => {
            Some("the registry names no quota for it")
        }
        Detector::RevokedTokenUse if !says(|known| known.revoked.is_some()) => {
            Some("neither the registry nor a response says that it was revoked")
        }
        Detector::LeakedToken if !says(|known| known.leak.is_some()) => {
            Some("nobody has reported that it was found exposed")
        }
        Detector::JwtWeakness if used.jwt.is_none() => {
            Some("it is no JWT, or the log shows neither the token nor its header and claims")
        }
        Detector::BindingMismatch if used.jwt.is_none() && last.client.ja4.is_none() => {
            Some("the log shows neither a key that it is bound to (cnf) nor the TLS client (JA4)")
        }
        _ => None,
    }
}

/// Why a detector has nothing to say.
fn silence(
    detector: Detector,
    token: &Token,
    figures: &[ExplainedFigure],
    settings: &DetectorSettings,
) -> (DetectorVerdict, String) {
    let is_habit = matches!(
        detector,
        Detector::RateSpike
            | Detector::DataVolumeSpike
            | Detector::FailureBurst
            | Detector::EndpointEnumeration
            | Detector::OffHoursUse
            | Detector::SlowDrift
            | Detector::NewGeography
            | Detector::NewClient
            | Detector::NewEndpoint
            | Detector::PrivilegeUse
            | Detector::TokenSharing
    );
    if is_habit && token.maturity(settings) == Maturity::New {
        return (
            DetectorVerdict::Learning,
            format!(
                "still learning: {} of {} days with calls, {} of {} calls",
                token.active_days, settings.mature_days, token.calls, settings.min_calls
            ),
        );
    }
    if detector == Detector::OutOfScope && settings.policies.is_empty() {
        return (
            DetectorVerdict::NoData,
            "no policy and no scope says what it may call".to_owned(),
        );
    }
    let is_place = matches!(
        detector,
        Detector::NewGeography | Detector::ImpossibleTravel | Detector::ConcurrentUse
    );
    if is_place && token.whereabouts.places(&token.parts).is_empty() {
        return (
            DetectorVerdict::NoData,
            "its calls have neither country nor network: no geo database, or no addresses in the log".to_owned(),
        );
    }
    let nearest = figures.first().and_then(|figure| {
        let threshold = figure.threshold?;
        Some(format!(
            "{} {}, looked at from {} on",
            wording::count(figure.observed),
            figure.name,
            wording::count(threshold),
        ))
    });
    let reason =
        nearest.unwrap_or_else(|| format!("no {}", detector.noun().trim_start_matches("a ")));
    (DetectorVerdict::BelowThreshold, reason)
}

/// What a detector of counts compares, nearest to its threshold first.
fn figures(detector: Detector, token: &Token, settings: &DetectorSettings) -> Vec<ExplainedFigure> {
    let mut figures = Vec::new();
    let days = token.days();
    let mut add = |what: &str, width_s: i64, scale: &Habit, recent, basis: &Basis, spec| {
        let table = &settings.signal_quantiles;
        let trip = match detector {
            Detector::RateSpike => {
                scale.spike_count(recent, spec, basis, table, far_floor(settings))
            }
            Detector::DataVolumeSpike => scale.spike_count(recent, spec, basis, table, spec.floor),
            _ => scale.trip_count(recent, spec, basis, table),
        };
        figures.push(ExplainedFigure {
            name: format!("{what} within {}", wording::span(width_s)),
            observed: f64::from(scale.count(0).max(scale.count(1))),
            expected: Some(libm::round(10.0 * basis.expected) / 10.0),
            threshold: Some(f64::from(trip)),
        });
    };
    match detector {
        Detector::RateSpike => {
            let mut add_calls = |index: usize, scale: &Habit, recent| {
                let width_s = RATE_WIDTHS[index];
                let spec = &settings.rate_scales[index];
                add(
                    "calls",
                    width_s,
                    scale,
                    recent,
                    &token.rate_basis(width_s),
                    spec,
                );
            };
            let short = token.rate.iter().flat_map(|rate| rate.scales.iter());
            for (index, scale) in short.enumerate() {
                add_calls(index, scale, scale.recent());
            }
            add_calls(4, &token.day, LogCount::default());
        }
        Detector::FailureBurst => {
            for (kind, what) in [
                (FailureKind::Denied, "refused calls"),
                (FailureKind::NotFound, "calls to what does not exist"),
            ] {
                let Some(failures) = token.parts.failures(kind) else {
                    continue;
                };
                for (index, width_s) in FAILURE_WIDTHS.into_iter().enumerate() {
                    let basis = failures.basis(width_s, days);
                    let spec = &settings.failure_scales[index];
                    let scale = &failures.scales[index];
                    add(what, width_s, scale, scale.recent(), &basis, spec);
                }
            }
        }
        Detector::DataVolumeSpike => {
            if let Some(volume) = token.parts.volume() {
                for (index, width_s) in VOLUME_WIDTHS.into_iter().enumerate() {
                    let basis = volume.basis(index, days);
                    let spec = &settings.volume_scales[index];
                    let scale = &volume.scales[index];
                    add("KiB sent", width_s, scale, scale.recent(), &basis, spec);
                }
            }
        }
        _ => {}
    }
    let nearness =
        |figure: &ExplainedFigure| figure.observed / figure.threshold.unwrap_or(1.0).max(1.0);
    figures.sort_by(|a, b| nearness(b).total_cmp(&nearness(a)));
    figures
}
