//! Timelines of responses that wait, end, and are taken back, on virtual time.

use tokenwatch_model::{OrderVerb, Registration, Response, ResponseOrder, ResponseResult};
use tokenwatch_store::queries::NodeCalls;

use super::super::responses::AGENDA_AT_ONCE;
use super::*;
use crate::response::{ScriptTarget, TokenFacts};
use crate::testing::{finding, revised, settings};

fn policy(rules: &str) -> String {
    format!(
        r#"
        {ONE}
        [response]
        mode = "enforce"
        max_per_hour = 5
        effect_grace = "1m"
        [response.target]
        name = "gateway"
        url = "https://gateway.example.com/"
        secret_env = ["HOOK_SECRET"]
        undo = true
        {rules}
        "#
    )
}

const HELD: &str = r#"
    [[response.rules]]
    name = "ask first"
    action = "revoke"
    hold = "10m"
    at_hold_end = "act"
"#;

const TWO_PEOPLE: &str = r#"
    [[response.rules]]
    action = "revoke"
    hold = "10m"
    people = 2
"#;

const SUSPEND: &str = r#"
    [[response.rules]]
    severity = "high"
    action = "throttle"
    lasts = "2h"
    [[response.rules]]
    action = "suspend"
    lasts = "1h"
"#;

fn critical(number: u128) -> Finding {
    revised(&finding(number), Severity::Critical)
}

/// A world with one receiver, and one target that is asked to act.
struct Scene {
    world: World,
    ops: ScriptChannel,
    target: ScriptTarget,
}

impl Scene {
    fn new(target: ScriptTarget) -> Self {
        Self {
            world: World::new(),
            ops: ScriptChannel::default(),
            target,
        }
    }

    /// Runs a process with these settings; it is killed after `work`.
    fn process(&self, text: &str, work: impl AsyncFnOnce(&Process)) {
        let receivers = [&self.ops];
        self.world
            .process_with(text, &receivers, &self.target, work);
    }

    /// What the target was asked for, in order.
    fn asked(&self) -> Vec<String> {
        self.target.asked()
    }

    /// The journal as `action result reason` lines, without looks at the effect that change nothing else.
    fn journal(&self) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for line in self.world.ledger.all_responses() {
            let (action, result) = (line.action.name(), line.result.name());
            let text = format!("{action} {result} {}", line.reason);
            if lines.last() != Some(&text) {
                lines.push(text);
            }
        }
        lines
    }

    /// The newest line of the journal.
    fn last(&self) -> Response {
        let mut lines = self.world.ledger.all_responses();
        lines.pop().expect("a line")
    }

    fn say(&self, actor: &str, verb: OrderVerb) {
        self.world.ledger.order(ResponseOrder {
            response_id: self.last().id,
            at: self.world.clock.now(),
            actor: actor.to_owned(),
            verb,
            note: String::new(),
        });
    }
}

#[test]
fn a_response_that_waits_is_carried_out_at_its_end_also_after_a_restart() {
    let scene = Scene::new(ScriptTarget::default());
    scene.process(&policy(HELD), async |process| {
        process.announce(&scene.world, &[critical(1)]);
        pass(300).await;
    });
    assert_eq!(scene.journal(), ["revoke held "]);
    assert!(scene.asked().is_empty());
    let told = scene.ops.attempts()[0].items[0].response.clone();
    assert_eq!(told.expect("told").result, ResponseResult::Held);
    scene.process(&policy(HELD), async |_| pass(299).await);
    assert!(scene.asked().is_empty(), "ten minutes are not over");
    scene.process(&policy(HELD), async |_| pass(5).await);
    assert_eq!(
        scene.journal(),
        ["revoke held ", "revoke intended ", "revoke delivered "]
    );
    scene.process(&policy(HELD), async |process| {
        process.announce(&scene.world, &[revised(&critical(1), Severity::Critical)]);
        pass(900).await;
    });
    assert_eq!(scene.asked(), ["revoke"], "once, whatever comes");
}

#[test]
fn a_veto_ends_it_and_an_approval_hurries_it() {
    let scene = Scene::new(ScriptTarget::default());
    scene.process(&policy(HELD), async |process| {
        process.announce(&scene.world, &[critical(1)]);
        pass(5).await;
        scene.say("ann", OrderVerb::Veto);
        pass(5).await;
        scene.say("bob", OrderVerb::Approve);
        pass(900).await;
        assert_eq!(scene.journal(), ["revoke held ", "revoke vetoed "]);
        process.announce(&scene.world, &[critical(2)]);
        pass(5).await;
        scene.say("bob", OrderVerb::Approve);
        pass(2).await;
    });
    assert_eq!(scene.asked(), ["revoke"]);
    let lines = scene.world.ledger.all_responses();
    let vetoed = lines
        .iter()
        .find(|line| line.result == ResponseResult::Vetoed);
    assert_eq!(vetoed.expect("a line").details.actor, "ann");
    let approved = &lines.last().expect("a line").details.approvals;
    assert_eq!(approved[0].actor, "bob");
}

#[test]
fn two_people_have_to_approve_and_one_cannot_do_it_twice() {
    let scene = Scene::new(ScriptTarget::default());
    scene.process(&policy(TWO_PEOPLE), async |process| {
        process.announce(&scene.world, &[critical(1)]);
        for _ in 0..3 {
            pass(5).await;
            scene.say("ann", OrderVerb::Approve);
        }
        pass(5).await;
        assert!(scene.asked().is_empty());
    });
    scene.process(&policy(TWO_PEOPLE), async |process| {
        pass(5).await;
        assert!(
            scene.asked().is_empty(),
            "her word is known after a restart, too"
        );
        scene.say("bob", OrderVerb::Approve);
        pass(3).await;
        assert_eq!(scene.asked(), ["revoke"]);
        process.announce(&scene.world, &[critical(2)]);
        pass(700).await;
    });
    assert_eq!(scene.asked().len(), 1);
    let last = scene.journal().pop();
    assert_eq!(last.as_deref(), Some("revoke lapsed nobody_approved"));
}

#[test]
fn what_became_graver_climbs_the_ladder_and_every_rung_ends_by_itself() {
    let scene = Scene::new(ScriptTarget::default());
    scene.process(&policy(SUSPEND), async |process| {
        process.announce(&scene.world, &[finding(1)]);
        pass(5).await;
        assert_eq!(scene.asked(), ["throttle"]);
    });
    // The first rule takes critical findings, too: order decides.
    let graver = SUSPEND.replace(
        "severity = \"high\"",
        "severity = \"high\"\n    detectors = [\"new_client\"]",
    );
    scene.process(&policy(&graver), async |process| {
        process.announce(
            &scene.world,
            &[critical(1), revised(&critical(1), Severity::High)],
        );
        pass(5).await;
    });
    assert_eq!(scene.asked(), ["throttle"], "the newest version counts");
    scene.process(&policy(&graver), async |process| {
        let graver = revised(&revised(&critical(1), Severity::High), Severity::Critical);
        process.announce(&scene.world, &[graver]);
        pass(1_800).await;
    });
    assert_eq!(scene.asked(), ["throttle", "suspend"]);
    // The process is away when the suspension ends.
    scene.world.clock.advance(Duration::from_mins(40));
    scene.process(&policy(&graver), async |_| pass(5).await);
    assert_eq!(scene.asked(), ["throttle", "suspend", "undo suspend"]);
    scene.process(&policy(&graver), async |_| {
        pass(3_600).await;
    });
    assert_eq!(scene.asked().len(), 4, "{:?}", scene.asked());
    assert_eq!(scene.asked()[3], "undo throttle");
    let last = scene.journal().pop();
    assert_eq!(last.as_deref(), Some("throttle undone "));
}

#[test]
fn what_is_taken_back_by_hand_is_taken_back_once_and_tried_again_where_it_failed() {
    let scene = Scene::new(ScriptTarget::answering(vec![
        crate::response::Attempt::Done("plugin 7".to_owned()),
        crate::response::Attempt::Refused("http_500".to_owned()),
    ]));
    scene.process(&policy(""), async |process| {
        process.announce(&scene.world, &[critical(1)]);
        pass(5).await;
        scene.say("ann", OrderVerb::Undo);
        pass(30).await;
        assert_eq!(
            scene.asked(),
            ["revoke", "undo revoke"],
            "one word, one attempt"
        );
        scene.say("ann", OrderVerb::Undo);
        pass(30).await;
        scene.say("ann", OrderVerb::Undo);
        pass(30).await;
    });
    assert_eq!(scene.asked(), ["revoke", "undo revoke", "undo revoke"]);
    let last = scene.last();
    assert_eq!(last.result, ResponseResult::Undone);
    assert_eq!(
        (last.details.handle.as_str(), last.details.actor.as_str()),
        ("plugin 7", "ann")
    );
}

#[test]
fn protected_by_the_registry_and_too_many_for_one_owner_are_withheld() {
    let scene = Scene::new(ScriptTarget::default());
    let text = policy("").replace(
        "max_per_hour = 5",
        "max_per_hour = 5\nmax_per_hour_per_owner = 1",
    );
    scene.process(&text, async |process| {
        process.announce(&scene.world, &[critical(1)]);
        process.announce(&scene.world, &[critical(2)]);
        pass(5).await;
        let mut others = critical(3);
        others.token.as_mut().expect("a token").owner = Some("eve".to_owned());
        process.announce(&scene.world, &[others]);
        pass(5).await;
        scene.world.ledger.know(TokenFacts {
            registration: Some(Registration {
                protected: true,
                ..Registration::default()
            }),
            ..TokenFacts::default()
        });
        process.announce(&scene.world, &[critical(4)]);
        pass(5).await;
    });
    assert_eq!(scene.asked(), ["revoke", "revoke"]);
    let reasons: Vec<String> = scene
        .world
        .ledger
        .all_responses()
        .iter()
        .map(|line| line.reason.clone())
        .filter(|reason| !reason.is_empty())
        .collect();
    assert_eq!(reasons, ["owner_rate_limited", "protected_by_registry"]);
}

#[test]
fn of_two_instances_one_carries_out_what_people_said() {
    let scene = Scene::new(ScriptTarget::default());
    let second = ScriptChannel::default();
    let of = |name: &str| {
        format!(
            "instance = \"{name}\"\ntakeover_after = \"15s\"\n{}",
            policy(HELD)
        )
    };
    scene.process(&of("a"), async |a| {
        let b = scene
            .world
            .start_with(settings(&of("b")), &[&second], Some(&scene.target), None);
        pass(3).await;
        a.announce(&scene.world, &[critical(1)]);
        b.announce(&scene.world, &[critical(2)]);
        pass(20).await;
        scene.say("ann", OrderVerb::Approve);
        pass(20).await;
        assert_eq!(scene.asked(), ["revoke"]);
    });
    // Both are killed; a third goes on with the other response.
    scene.process(&of("c"), async |_| pass(700).await);
    assert_eq!(scene.asked(), ["revoke", "revoke"]);
}

#[test]
fn calls_after_a_revocation_tell_whether_it_worked() {
    let scene = Scene::new(ScriptTarget::default());
    let effect = || {
        let last = scene.last();
        let effect = last.details.effect.expect("a watched response");
        (effect.state.name(), effect.lag_ms, effect.is_open)
    };
    scene.process(&policy(""), async |process| {
        process.announce(&scene.world, &[critical(1)]);
        pass(1).await;
        assert_eq!(effect(), ("watching", None, true));
        let last = scene.last();
        let answered = last.details.answered_at.expect("an answer");
        let node = |gateway: &str, accepted: Option<u64>, refused: Option<u64>| NodeCalls {
            gateway: gateway.to_owned(),
            accepted: u64::from(accepted.is_some()),
            refused: u64::from(refused.is_some()),
            last_accepted_at: accepted.map(|secs| answered + Duration::from_secs(secs)),
            first_refused_at: refused.map(|secs| answered + Duration::from_secs(secs)),
        };
        scene.world.ledger.log_calls(vec![
            node("edge-1", Some(2), Some(3)),
            node("edge-2", Some(5), None),
        ]);
        pass(11).await;
        assert_eq!(
            effect().0,
            "watching",
            "one node has not refused anything yet"
        );
        scene.world.ledger.log_calls(vec![
            node("edge-1", Some(2), Some(3)),
            node("edge-2", Some(5), Some(7)),
        ]);
        pass(11).await;
        assert_eq!(effect(), ("effective", Some(7_000), true));
        let lines = scene.world.ledger.all_responses().len();
        pass(60).await;
        assert_eq!(
            scene.world.ledger.all_responses().len(),
            lines,
            "no news, no lines"
        );
        scene.world.ledger.log_calls(vec![
            node("edge-1", Some(2), Some(3)),
            node("edge-2", Some(90), None),
        ]);
    });
    scene.process(&policy(""), async |_| {
        pass(11).await;
        assert_eq!(effect(), ("ineffective", None, true));
        pass(3_600).await;
        assert_eq!(effect(), ("ineffective", None, false));
    });
    let last = scene.last();
    let nodes = last.details.effect.expect("an effect").nodes;
    assert_eq!(nodes[1].lag_ms, Some(90_000));
    assert_eq!(nodes[1].state.name(), "ineffective");
    assert_eq!(nodes[0].state.name(), "effective");
}

#[test]
fn many_watched_responses_are_all_looked_at_a_few_at_a_time() {
    const COUNT: usize = 3 * AGENDA_AT_ONCE + 1;
    let scene = Scene::new(ScriptTarget::default());
    let text = policy("").replace(
        "max_per_hour = 5",
        "max_per_hour = 100\nmax_per_hour_per_owner = 100",
    );
    scene.process(&text, async |process| {
        let findings: Vec<Finding> = (1..=COUNT as u128).map(critical).collect();
        process.announce(&scene.world, &findings);
        pass(1).await;
        assert_eq!(scene.asked().len(), COUNT);
        scene.world.ledger.log_calls(vec![NodeCalls {
            gateway: "edge-1".to_owned(),
            refused: 1,
            first_refused_at: Some(scene.world.clock.now() + Duration::from_secs(2)),
            ..NodeCalls::default()
        }]);
        pass(10).await;
        // While they are watched, another is answered as quickly as the first.
        process.announce(&scene.world, &[critical(1_000)]);
        pass(1).await;
        assert_eq!(scene.asked().len(), COUNT + 1);
    });
    let lines = scene.world.ledger.all_responses();
    let effective: std::collections::BTreeSet<&str> = lines
        .iter()
        .filter(|line| {
            let effect = line.details.effect.as_ref();
            effect.is_some_and(|effect| effect.state.name() == "effective")
        })
        .map(|line| line.id.as_str())
        .collect();
    assert_eq!(effective.len(), COUNT);
}
