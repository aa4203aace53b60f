//! The configuration that a deployment with this fleet would have: what its applications may call, and which tests are
//! announced.

use std::collections::BTreeMap;

use tokenwatch_detectors::{AllowConfig, DetectorsConfig, ExceptionConfig, PolicyConfig};

use super::api::{NEW_ROUTE, ROUTES, RouteId};
use super::calendar::timestamp;
use super::case::{self, Benign, Case, Members};
use super::world::World;

/// Adds to `config` what the fleet's operators would have written.
pub(crate) fn configure(world: &World, config: &mut DetectorsConfig) {
    add_policies(world, config);
    for case in &world.cases {
        if case.benign == (Benign::Pentest { announced: true }) {
            add_exceptions(world, case, config);
        }
    }
}

/// A policy for every application that has one: the routes of its tokens, and the one that will be released.
fn add_policies(world: &World, config: &mut DetectorsConfig) {
    let mut consumers: BTreeMap<&str, (Vec<String>, Vec<RouteId>)> = BTreeMap::new();
    for member in world.members.iter().filter(|member| member.has_policy) {
        let (tokens, routes) = consumers.entry(&member.consumer).or_default();
        tokens.push(member.id.to_string());
        routes.extend(&member.allowed);
    }
    for (consumer, (tokens, mut routes)) in consumers {
        routes.push(NEW_ROUTE);
        routes.sort_unstable();
        routes.dedup();
        let allow = routes.iter().map(|route| {
            let route = &ROUTES[usize::from(*route)];
            AllowConfig {
                methods: vec![route.method.to_owned()],
                routes: vec![route.template.to_owned()],
            }
        });
        config.out_of_scope.policies.push(PolicyConfig {
            consumers: vec![consumer.to_owned()],
            tokens,
            allow: allow.collect(),
        });
    }
}

/// An exception for every token that is tested, and one for where the testers sit.
fn add_exceptions(world: &World, case: &Case, config: &mut DetectorsConfig) {
    let announced = ExceptionConfig {
        reason: "penetration test, announced".to_owned(),
        until: timestamp(case.until),
        from: Some(timestamp(case.from)),
        detectors: Vec::new(),
        consumer: None,
        token: None,
        route: None,
        network: None,
    };
    if let Members::Some(tokens) = &case.members {
        let of_tokens = tokens.iter().map(|token| ExceptionConfig {
            token: Some(world.members[*token as usize].id.to_string()),
            ..announced.clone()
        });
        config.exceptions.extend(of_tokens);
    }
    config.exceptions.push(ExceptionConfig {
        network: Some(format!("{}/32", case::tester(case))),
        ..announced
    });
}
