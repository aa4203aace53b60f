//! Examples that a finding carries: at most ten of each kind, in order of appearance, kept while its episode is.

use std::io::Write as _;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use tokenwatch_model::{AccessEvent, Evidence};

/// Examples of one kind.
pub(crate) const MAX_SAMPLES: usize = 10;
/// Bytes of the longest IPv6 address as text, one that maps an IPv4 address.
const LONGEST_IP: usize = 45;
/// Bytes of one example; user agents and routes are an attacker's to choose.
const MAX_BYTES: usize = 200;

/// The examples of an episode: at most 5 x 10 x 200 bytes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Samples {
    pub(crate) source_ips: Vec<String>,
    pub(crate) countries: Vec<String>,
    pub(crate) routes: Vec<String>,
    pub(crate) user_agents: Vec<String>,
    pub(crate) request_ids: Vec<String>,
}

impl Samples {
    /// Adds what `event` has that is not there yet.
    pub(crate) fn add(&mut self, event: &AccessEvent<'_>) {
        if let Some(ip) = event.client.ip
            && self.source_ips.len() < MAX_SAMPLES
        {
            add_ip(&mut self.source_ips, ip);
        }
        if let Some(country) = &event.client.country {
            add(&mut self.countries, country.as_str());
        }
        if self.routes.len() < MAX_SAMPLES && !self.routes.iter().any(|known| is_call(known, event))
        {
            add(&mut self.routes, &call(event));
        }
        if let Some(agent) = &event.client.user_agent {
            add(&mut self.user_agents, agent);
        }
        if let Some(id) = &event.request_id {
            add(&mut self.request_ids, id);
        }
    }

    /// Adds the examples of others, as far as there is room.
    pub(crate) fn absorb(&mut self, others: &Self) {
        for (mine, theirs) in [
            (&mut self.source_ips, &others.source_ips),
            (&mut self.countries, &others.countries),
            (&mut self.routes, &others.routes),
            (&mut self.user_agents, &others.user_agents),
            (&mut self.request_ids, &others.request_ids),
        ] {
            for sample in theirs {
                add(mine, sample);
            }
        }
    }

    /// Puts the examples into the evidence of a finding.
    pub(crate) fn fill(&self, evidence: &mut Evidence) {
        evidence.source_ips.clone_from(&self.source_ips);
        evidence.countries.clone_from(&self.countries);
        evidence.routes.clone_from(&self.routes);
        evidence.user_agents.clone_from(&self.user_agents);
        evidence.request_ids.clone_from(&self.request_ids);
    }
}

/// Method and route of a call, or its path where the gateway has no routes: `DELETE /admin/users`.
pub(crate) fn call(event: &AccessEvent<'_>) -> String {
    match parts(event) {
        (Some(method), place) => format!("{method} {place}"),
        (None, place) => place.to_owned(),
    }
}

/// Whether `text` says what [`call`] says of an event.
fn is_call(text: &str, event: &AccessEvent<'_>) -> bool {
    let (method, place) = parts(event);
    let rest = match method {
        Some(method) => text
            .strip_prefix(method)
            .and_then(|rest| rest.strip_prefix(' ')),
        None => Some(text),
    };
    rest == Some(place)
}

/// Method and place of a call, shortened.
fn parts<'e>(event: &'e AccessEvent<'_>) -> (Option<&'e str>, &'e str) {
    let http = &event.http;
    let place = http.route.as_deref().filter(|route| route.starts_with('/'));
    let place = place
        .or(http.path.as_deref())
        .or(http.route.as_deref())
        .unwrap_or("?");
    (http.method.as_deref().map(shortened), shortened(place))
}

/// The first [`MAX_BYTES`] of a text, cut between characters.
pub(crate) fn shortened(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_BYTES)]
}

/// Most addresses are there already, so it is written where it costs no allocation.
fn add_ip(samples: &mut Vec<String>, ip: IpAddr) {
    let mut bytes = [0; LONGEST_IP];
    let mut free = bytes.as_mut_slice();
    if write!(free, "{ip}").is_err() {
        return;
    }
    let unused = free.len();
    if let Ok(text) = std::str::from_utf8(&bytes[..LONGEST_IP - unused]) {
        add(samples, text);
    }
}

fn add(samples: &mut Vec<String>, sample: &str) {
    let sample = shortened(sample);
    if samples.len() < MAX_SAMPLES && !samples.iter().any(|known| known == sample) {
        samples.push(sample.to_owned());
    }
}
