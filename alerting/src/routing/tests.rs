use super::*;
use crate::testing::{NOW, finding, settings};

const TREE: &str = r#"
[[receivers]]
kind = "log"
name = "ops"
[[receivers]]
kind = "log"
name = "soc"
[[receivers]]
kind = "log"
name = "pay"
[[routes]]
name = "all"
severity = "low"
receivers = ["ops"]
repeat = "4h"
[[routes.routes]]
name = "grave"
severity = "high"
receivers = ["soc"]
[[routes.routes.routes]]
name = "grave payments"
consumers = ["acme"]
receivers = ["pay"]
stop = true
[[routes.routes.routes]]
name = "grave for ann"
owners = ["ann"]
[[routes.routes]]
name = "teams"
teams = ["payments"]
receivers = ["pay"]
"#;

/// The ways as `route > receiver`.
fn ways(finding: &Finding) -> Vec<String> {
    let routing = settings(TREE).routing;
    routing
        .ways(finding, NOW)
        .into_iter()
        .map(|way| {
            let route = &routing.routes[way.route].name;
            format!("{route} > {}", routing.receivers[way.receiver].name)
        })
        .collect()
}

fn with(change: impl Fn(&mut Finding)) -> Finding {
    let mut finding = finding(1);
    change(&mut finding);
    finding
}

#[test]
fn the_deepest_routes_that_match_decide() {
    let mild = with(|finding| finding.severity = Severity::Low);
    assert_eq!(ways(&mild), ["all > ops"]);
    assert_eq!(ways(&finding(1)), ["grave payments > pay"]);
    let other = with(|finding| finding.token = None);
    assert_eq!(ways(&other), ["grave > soc"]);
    let info = with(|finding| finding.severity = Severity::Info);
    assert_eq!(ways(&info), Vec::<String>::new());
}

#[test]
fn stop_keeps_later_routes_from_being_asked() {
    let both = with(|finding| {
        finding.token.as_mut().expect("a token").owner = Some("ann".to_owned());
    });
    assert_eq!(ways(&both), ["grave payments > pay"]);
    let ann = with(|finding| {
        let token = finding.token.as_mut().expect("a token");
        token.owner = Some("ann".to_owned());
        token.consumer = None;
    });
    assert_eq!(
        ways(&ann),
        ["grave for ann > soc"],
        "receivers are inherited"
    );
}

#[test]
fn settings_are_inherited_until_a_route_says_otherwise() {
    let routing = settings(TREE).routing;
    let repeat = routing.routes[2].repeat.expect("inherited");
    assert_eq!(repeat.every, Duration::from_hours(4));
    let pauses: Vec<u64> = (0..5)
        .map(|count| repeat.pause(count).as_secs() / 3_600)
        .collect();
    assert_eq!(pauses, [4, 8, 16, 24, 24]);
}

#[test]
fn an_account_says_of_every_route_what_it_said() {
    let routing = settings(TREE).routing;
    let account = routing.explain(&finding(1), NOW);
    let steps: Vec<(usize, &str, RouteVerdict)> = account
        .steps
        .iter()
        .map(|step| (step.depth, step.route.as_str(), step.verdict))
        .collect();
    assert_eq!(
        steps,
        [
            (0, "all", RouteVerdict::LeavesItToChild),
            (1, "grave", RouteVerdict::LeavesItToChild),
            (2, "grave payments", RouteVerdict::Takes),
            (2, "grave for ann", RouteVerdict::NotAsked),
            (1, "teams", RouteVerdict::Mismatch("teams")),
        ]
    );
    assert_eq!(account.ways.len(), 1);
    assert_eq!(account.ways[0].receiver, "pay");
    assert_eq!(account.ways[0].terms[0], "at once");
}

#[test]
fn a_group_is_told_apart_by_what_it_groups_by() {
    let text = TREE.replace("repeat = \"4h\"", "group_by = [\"consumer\", \"detector\"]");
    let routing = settings(&text).routing;
    let group = |finding: &Finding| {
        let way = routing.ways(finding, NOW)[0];
        routing.group_id(way, finding)
    };
    assert_eq!(group(&finding(1)), group(&finding(2)));
    let other = with(|finding| finding.detector = tokenwatch_model::Detector::TokenInUrl);
    assert_ne!(group(&finding(1)), group(&other));
}
