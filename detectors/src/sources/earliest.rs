//! Examples of calls that do not depend on the order of events: of each kind, the ten texts that were seen first.

use serde::{Deserialize, Serialize};
use tokenwatch_model::{AccessEvent, CountryCode};

use crate::samples::{MAX_SAMPLES, Samples, call, shortened};

/// The examples; each list ascends by (microseconds since 1970, text).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Earliest {
    source_ips: Vec<(i64, String)>,
    countries: Vec<(i64, String)>,
    routes: Vec<(i64, String)>,
    user_agents: Vec<(i64, String)>,
    request_ids: Vec<(i64, String)>,
}

/// What one call is an example of, made once for all its keys.
pub(crate) struct Example<'e> {
    at: i64,
    source_ip: Option<String>,
    country: Option<&'e str>,
    route: String,
    user_agent: Option<&'e str>,
    request_id: Option<&'e str>,
}

impl<'e> Example<'e> {
    /// The example that `event` is.
    pub(crate) fn of(event: &'e AccessEvent<'_>) -> Self {
        let client = &event.client;
        Self {
            at: event.ts.as_micros(),
            source_ip: client.ip.map(|ip| ip.to_canonical().to_string()),
            country: client.country.as_ref().map(CountryCode::as_str),
            route: call(event),
            user_agent: client.user_agent.as_deref().map(shortened),
            request_id: event.request_id.as_deref().map(shortened),
        }
    }
}

impl Earliest {
    /// Adds an example.
    pub(crate) fn note(&mut self, example: &Example<'_>) {
        for (list, text) in [
            (&mut self.source_ips, example.source_ip.as_deref()),
            (&mut self.countries, example.country),
            (&mut self.routes, Some(example.route.as_str())),
            (&mut self.user_agents, example.user_agent),
            (&mut self.request_ids, example.request_id),
        ] {
            if let Some(text) = text {
                add(list, example.at, text);
            }
        }
    }

    /// Adds the examples of others.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (mine, theirs) in [
            (&mut self.source_ips, &other.source_ips),
            (&mut self.countries, &other.countries),
            (&mut self.routes, &other.routes),
            (&mut self.user_agents, &other.user_agents),
            (&mut self.request_ids, &other.request_ids),
        ] {
            for (at, text) in theirs {
                add(mine, *at, text);
            }
        }
    }

    /// The examples as findings carry them.
    pub(crate) fn samples(&self) -> Samples {
        let texts = |list: &[(i64, String)]| list.iter().map(|(_, text)| text.clone()).collect();
        Samples {
            source_ips: texts(&self.source_ips),
            countries: texts(&self.countries),
            routes: texts(&self.routes),
            user_agents: texts(&self.user_agents),
            request_ids: texts(&self.request_ids),
        }
    }

    /// Bytes on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        [
            &self.source_ips,
            &self.countries,
            &self.routes,
            &self.user_agents,
            &self.request_ids,
        ]
        .into_iter()
        .flat_map(|list| {
            let texts = list.iter().map(|(_, text)| text.capacity());
            texts.chain([list.capacity() * size_of::<(i64, String)>()])
        })
        .sum()
    }
}

/// Adds a text seen at `at`.
fn add(list: &mut Vec<(i64, String)>, at: i64, text: &str) {
    if list.len() == MAX_SAMPLES && list.last().is_some_and(|(last, _)| at > *last) {
        return;
    }
    match list.iter().position(|(_, known)| *known == text) {
        Some(known) if list[known].0 <= at => return,
        Some(known) => {
            list.remove(known);
        }
        None => {}
    }
    let entry = (at, text.to_owned());
    let place = list.partition_point(|other| *other < entry);
    list.insert(place, entry);
    list.truncate(MAX_SAMPLES);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn examples_do_not_depend_on_order(mut seen in prop::collection::vec((0i64..50, 0u8..30), 0..120), turn in 0usize..120) {
            let list = |seen: &[(i64, u8)]| {
                let mut list = Vec::new();
                for (at, text) in seen {
                    add(&mut list, *at, &text.to_string());
                }
                list
            };
            let first = list(&seen);
            seen.reverse();
            prop_assert_eq!(&first, &list(&seen));
            let turn = turn % seen.len().max(1);
            seen.rotate_left(turn);
            prop_assert_eq!(first, list(&seen));
        }
    }
}
