//! Ten thousand findings in a minute, receivers that fail at random, and a process that is killed three times.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

const FINDINGS: u128 = 10_000;
/// Each process takes a quarter of them, and lives for 15 s.
const PROCESSES: u128 = 4;
const SEED: u64 = 11;

/// Fails now and then, in every way that there is.
fn unreliable(random: &mut fastrand::Rng) -> ScriptChannel {
    let answers: Vec<Delivery> = (0..20_000)
        .map(|_| match random.u32(0..100) {
            0..5 => retry("http_500", None),
            5..8 => retry("timeout", None),
            8..9 => retry("http_429", Some(1)),
            _ => Delivery::Accepted,
        })
        .collect();
    ScriptChannel::answering(answers)
}

#[test]
fn in_a_storm_every_finding_is_accounted_for_and_none_is_new_twice() {
    let text = format!(
        "retry_delays = [\"1s\", \"2s\", \"4s\", \"8s\", \"16s\", \"30s\", \"1m\", \"2m\"]\nreconcile_every = \"10s\"\n{TWO}"
    );
    let world = World::new();
    let mut random = fastrand::Rng::with_seed(SEED);
    let mut channels = Vec::new();
    for process in 0..PROCESSES {
        let (ops, soc) = (unreliable(&mut random), unreliable(&mut random));
        world.process(&text, &[&ops, &soc], async |running| {
            let each = FINDINGS / PROCESSES;
            let mut number = process * each;
            for _ in 0..15 {
                let upto = (number + each / 15 + 1).min((process + 1) * each);
                let batch: Vec<Finding> = (number + 1..=upto).map(finding).collect();
                running.announce(&world, &batch);
                number = upto;
                pass(1).await;
                let receivers = running.dispatcher.receivers();
                assert!(receivers.iter().all(|one| one.queued <= QUEUE_LIMIT));
            }
            // The last one lives until everything is settled; the others are killed.
            if process + 1 == PROCESSES {
                pass(3_600).await;
            }
        });
        channels.push((ops, soc));
    }
    let lines = world.ledger.all_notifications();
    for receiver in ["ops", "soc"] {
        let mut settled: BTreeMap<_, NotificationResult> = BTreeMap::new();
        for line in lines.iter().filter(|line| line.receiver == receiver) {
            settled.insert(line.finding_id, line.result);
        }
        assert_eq!(settled.len(), FINDINGS as usize, "seed {SEED}");
        let open = settled
            .values()
            .filter(|result| **result != NotificationResult::Sent)
            .count();
        assert_eq!(open, 0, "seed {SEED}: {receiver} was not told of {open}");
    }
    for index in 0..2 {
        let attempts = |(ops, soc): &(ScriptChannel, ScriptChannel)| [ops, soc][index].attempts();
        let sent: Vec<_> = channels.iter().flat_map(attempts).collect();
        let ids: BTreeSet<String> = sent.iter().map(|message| message.id.clone()).collect();
        assert_eq!(
            ids.len(),
            FINDINGS as usize,
            "one id for each finding, seed {SEED}"
        );
        let new: Vec<&String> = sent
            .iter()
            .filter(|message| !message.repeated)
            .map(|message| &message.id)
            .collect();
        let distinct: BTreeSet<&String> = new.iter().copied().collect();
        assert_eq!(new.len(), distinct.len(), "none is new twice, seed {SEED}");
    }
}
