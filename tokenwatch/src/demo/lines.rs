//! The log lines of the simulated gateways: what of a call each of them knows.

use tokenwatch_model::Format;

use super::fleet::{GatewayKind, Member};
use super::traffic::Call;
use crate::log_line::LoggedCall;

/// The line of `call`, with the status that the gateway gave it, and a line break.
pub(super) fn line(member: &Member, call: &Call, status: u16, request_id: u128) -> String {
    // Kong names what it authenticated; nginx only forwards the key.
    let (format, is_named) = match member.gateway {
        GatewayKind::Kong => (Format::Kong, true),
        GatewayKind::Nginx => (Format::Nginx, false),
    };
    let logged = LoggedCall {
        at: call.at,
        request_id: &format!("{request_id:032x}"),
        address: call.address,
        user_agent: call.user_agent,
        ja4: None,
        key: &member.key,
        credential_id: is_named.then_some(&*member.credential_id),
        consumer: is_named.then_some(&*member.consumer),
        method: call.method,
        path: &call.path,
        route: is_named.then_some(call.route),
        status,
        bytes_in: call.bytes_in,
        bytes_out: call.bytes_out,
        latency_ms: call.latency_ms,
        node: None,
    };
    format!("{}\n", logged.line(format))
}
