//! Whether a revocation or suspension worked: what gateways did with the token's calls since.
//!
//! A node that let a call in after the grace time has not heard of it, whatever it does later. A node that refuses calls has. Nodes
//! that nobody called say nothing. The watch goes on after the first refusals: another node may show up that lets the token in.

use std::time::Duration;

use tokenwatch_model::{Effect, EffectState, NodeEffect, Response, Timestamp};
use tokenwatch_store::queries::NodeCalls;

use crate::config::ResponseSettings;
use crate::metrics::AlertingMetrics;

/// What `calls` since `answered_at` say of the effect of `line`.
pub(crate) fn decide_effect(
    line: &Response,
    answered_at: Timestamp,
    calls: &[NodeCalls],
    settings: &ResponseSettings,
    now: Timestamp,
) -> Effect {
    let grace_ends = answered_at + settings.effect_grace;
    let watch_ends = answered_at + settings.watch_for;
    let watch_ends = line
        .details
        .ends_at
        .map_or(watch_ends, |end| end.min(watch_ends));
    let is_open = now < watch_ends;
    let nodes: Vec<NodeEffect> = calls
        .iter()
        .map(|node| decide_node(node, answered_at, grace_ends))
        .collect();
    let any = |state| nodes.iter().any(|node| node.state == state);
    let state = if any(EffectState::Ineffective) {
        EffectState::Ineffective
    } else if any(EffectState::Effective) && (!any(EffectState::Watching) || !is_open) {
        EffectState::Effective
    } else if is_open {
        EffectState::Watching
    } else {
        EffectState::Unobserved
    };
    let effective_at = nodes
        .iter()
        .filter_map(|node| node.first_refused_at)
        .max()
        .filter(|_| state == EffectState::Effective);
    Effect {
        state,
        checked_at: now,
        effective_at,
        lag_ms: effective_at.map(|at| millis(at.since(answered_at))),
        is_open,
        nodes,
    }
}

fn decide_node(node: &NodeCalls, answered_at: Timestamp, grace_ends: Timestamp) -> NodeEffect {
    let is_late = node.last_accepted_at.is_some_and(|at| at >= grace_ends);
    let state = if is_late {
        EffectState::Ineffective
    } else if node.first_refused_at.is_some() {
        EffectState::Effective
    } else {
        EffectState::Watching
    };
    let lag = node.last_accepted_at.map(|at| at.since(answered_at));
    NodeEffect {
        gateway: node.gateway.clone(),
        state,
        last_accepted_at: node.last_accepted_at,
        first_refused_at: node.first_refused_at,
        lag_ms: lag.map(millis),
        accepted: node.accepted,
        refused: node.refused,
    }
}

/// Says in the log and the metrics what became of a response, when that is news.
pub(crate) fn tell_effect(line: &Response, effect: &Effect, metrics: &AlertingMetrics) {
    let known = line.details.effect.as_ref().map(|known| known.state);
    if known == Some(effect.state) {
        return;
    }
    metrics.took_effect(effect.state);
    let (id, token) = (&line.id, line.token_id);
    match effect.state {
        EffectState::Effective => {
            if let (Some(detected), Some(at)) = (line.details.detected_at, effect.effective_at) {
                metrics.time_to_revoke(at.since(detected));
            }
            tracing::info!(
                response.id = id, token.id = %token, lag_ms = effect.lag_ms,
                "calls with the token are refused"
            );
        }
        EffectState::Ineffective => {
            let nodes: Vec<&str> = effect
                .nodes
                .iter()
                .filter(|node| node.state == EffectState::Ineffective)
                .map(|node| node.gateway.as_str())
                .collect();
            tracing::error!(
                response.id = id, token.id = %token, gateways = nodes.join(", "),
                "the response of {} is INEFFECTIVE: calls with the token are still let in", line.target
            );
        }
        EffectState::Watching | EffectState::Unobserved => {}
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
