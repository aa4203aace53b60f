//! How many attacks of each kind and strength there are.

use crate::simulate::attack::{Answer, Attack, Over, Window};
use crate::simulate::dice::Dice;

/// The attacks of a simulation, `count` in all, every strength of a kind as often as the others.
pub(super) fn spread(count: usize, dice: &mut Dice) -> Vec<Attack> {
    let kinds = kinds();
    let weights: usize = kinds.iter().map(|(weight, _)| weight).sum();
    let mut attacks = Vec::with_capacity(count);
    for (weight, mut strengths) in kinds {
        dice.shuffle(&mut strengths);
        // At least one of every kind, however small the simulation.
        let share = (count * weight / weights).max(1);
        attacks.extend(strengths.iter().cycle().take(share).copied());
    }
    attacks
}

/// Every kind with all its strengths, and how often it is there relative to the others.
fn kinds() -> Vec<(usize, Vec<Attack>)> {
    vec![
        (80, spikes()),
        (
            46,
            [5, 50, 500].map(|calls| Attack::Theft { calls }).to_vec(),
        ),
        (
            18,
            [1, 10, 100]
                .map(|per_address| Attack::Proxies { per_address })
                .to_vec(),
        ),
        (12, stuffings()),
        (45, enumerations()),
        (
            30,
            [1, 5, 50].map(|calls| Attack::Privilege { calls }).to_vec(),
        ),
        (18, exfiltrations()),
        (
            10,
            [45, 180]
                .map(|gap_days| Attack::Dormant { gap_days })
                .to_vec(),
        ),
        (
            9,
            [10, 50, 100]
                .map(|percent| Attack::LowAndSlow { percent })
                .to_vec(),
        ),
        (
            9,
            [8, 16, 64]
                .map(|factor| Attack::Poisoning { factor })
                .to_vec(),
        ),
        (
            9,
            ANSWERS
                .map(|answer| Attack::HiddenInOutage { answer })
                .to_vec(),
        ),
    ]
}

const ANSWERS: [Answer; 3] = [Answer::Ok, Answer::NotFound, Answer::Denied];

fn spikes() -> Vec<Attack> {
    let windows = [
        Window::Seconds10,
        Window::Minute,
        Window::Minutes10,
        Window::Hour,
    ];
    [2, 4, 8, 16, 64]
        .into_iter()
        .flat_map(|factor| windows.map(|window| Attack::Spike { factor, window }))
        .collect()
}

fn enumerations() -> Vec<Attack> {
    [10, 60, 600]
        .into_iter()
        .flat_map(|per_minute| ANSWERS.map(|answer| Attack::Enumeration { per_minute, answer }))
        .collect()
}

fn exfiltrations() -> Vec<Attack> {
    [2, 10, 100]
        .into_iter()
        .flat_map(|factor| {
            [Over::Hours2, Over::Days3].map(|over| Attack::Exfiltration { factor, over })
        })
        .collect()
}

fn stuffings() -> Vec<Attack> {
    let mut all = Vec::new();
    for addresses in [1, 50, 2_000] {
        for tokens in [10, 1_000] {
            all.extend([1, 10].map(|per_minute| Attack::Stuffing {
                addresses,
                tokens,
                per_minute,
            }));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::simulate::dice::Purpose;

    #[test]
    fn every_kind_is_there_and_in_a_large_simulation_every_strength() {
        let mut dice = Dice::new(1, Purpose::Plan, [0, 0]);
        let few: HashSet<&str> = spread(10, &mut dice)
            .iter()
            .map(|attack| attack.id())
            .collect();
        assert_eq!(few.len(), 11);
        let many = spread(600, &mut dice);
        let strengths: HashSet<String> = many.iter().map(|attack| format!("{attack:?}")).collect();
        let all: usize = kinds().iter().map(|(_, strengths)| strengths.len()).sum();
        assert_eq!(strengths.len(), all);
    }
}
