//! Who is attacked, when and how, and which benign cases happen to whom: drawn from the seed before the first day.

mod benign;
mod strengths;

use super::attack::Attack;
use super::calendar::{DAY, HOUR, Moment, day_of, start_of};
use super::case::{Benign, Case};
use super::dice::{Dice, Purpose};
use super::habit::Class;
use super::member::Member;
use super::options::{Options, WARMUP_DAYS};

pub(super) use benign::cases;

/// Share of the fleet that is attacked.
const ATTACKED: f64 = 0.4;
/// Valid tokens on the list of a credential stuffing.
const VALID_ON_LIST: usize = 2;
/// Attacks of a day begin from this hour, so that young tokens have had their hours.
const FIRST_HOUR: i64 = 4;

/// How long a token has been in use when it is attacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Age {
    Hours2,
    Days3,
    /// Since before the simulation, or as long as it was planned to be.
    Grown,
}

/// An attack that will happen.
#[derive(Clone, Debug)]
pub(super) struct Planned {
    /// What, and how strong.
    pub(super) attack: Attack,
    /// The token that it is about; none for credential stuffing.
    pub(super) victim: Option<u32>,
    /// The tokens of the fleet that are on the list of a credential stuffing.
    pub(super) valid: Vec<u32>,
    /// The age of the victim.
    pub(super) age: Age,
    /// The earliest and the latest start.
    pub(super) from: Moment,
    pub(super) until: Moment,
}

impl Age {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Hours2 => "2h",
            Self::Days3 => "3d",
            Self::Grown => "grown",
        }
    }

    const fn length(self) -> i64 {
        match self {
            Self::Hours2 => 2 * HOUR,
            Self::Days3 => 3 * DAY,
            Self::Grown => 0,
        }
    }
}

/// Chooses victims and days, and adapts the victims: some are young, some have been idle.
pub(super) fn attacks(options: &Options, members: &mut [Member], cases: &[Case]) -> Vec<Planned> {
    if !options.attacks {
        return Vec::new();
    }
    let mut dice = Dice::new(options.seed, Purpose::Plan, [1, 0]);
    let mut free: Vec<u32> = (0..members.len() as u32)
        .filter(|token| is_free(*token, members, cases))
        .collect();
    dice.shuffle(&mut free);
    let wanted = ((members.len() as f64 * ATTACKED) as usize).min(free.len() * 2 / 3);
    let mut planned = Vec::with_capacity(wanted);
    for attack in strengths::spread(wanted, &mut dice) {
        if let Attack::Stuffing { .. } = attack {
            let valid = free.split_off(free.len().saturating_sub(VALID_ON_LIST));
            planned.push(stuffing(attack, valid, options, &mut dice));
            continue;
        }
        let Some(at) = free
            .iter()
            .rposition(|token| suits(attack, &members[*token as usize]))
        else {
            continue;
        };
        let victim = free.swap_remove(at);
        let member = &mut members[victim as usize];
        planned.extend(on_token(attack, member, options, cases, &mut dice));
    }
    planned
}

/// Whether nothing else happens to a token that would be taken for the attack.
fn is_free(token: u32, members: &[Member], cases: &[Case]) -> bool {
    let member = &members[token as usize];
    let involved = cases.iter().any(|case| {
        let is_single = !matches!(
            case.benign,
            Benign::Outage { .. }
                | Benign::RetryStorm
                | Benign::Delivery
                | Benign::ClockChange { .. }
                | Benign::NewRoute
        );
        is_single && case.members.contains(token)
    });
    !involved && member.born == Moment::MIN && member.ends == Moment::MAX
}

/// Whether an attack on such a token is what it is called.
fn suits(attack: Attack, member: &Member) -> bool {
    match attack {
        // Bytes can only swell where there are calls.
        Attack::Exfiltration { .. } | Attack::LowAndSlow { .. } | Attack::Poisoning { .. } => {
            !matches!(
                member.class,
                Class::Sparse | Class::Batch | Class::DailyCron | Class::Growth | Class::Shift
            )
        }
        _ => true,
    }
}

fn stuffing(attack: Attack, valid: Vec<u32>, options: &Options, dice: &mut Dice) -> Planned {
    let day = dice.whole(i64::from(WARMUP_DAYS), i64::from(options.days) - 1);
    let from = start_of(day as i32) + dice.whole(0, 6 * HOUR);
    Planned {
        attack,
        victim: None,
        valid,
        age: Age::Grown,
        from,
        until: from + 1,
    }
}

fn on_token(
    attack: Attack,
    member: &mut Member,
    options: &Options,
    cases: &[Case],
    dice: &mut Dice,
) -> Option<Planned> {
    let days = options.days;
    let age = match (attack, dice.below(20)) {
        (
            Attack::Spike { .. }
            | Attack::Theft { .. }
            | Attack::Enumeration { .. }
            | Attack::Privilege { .. },
            draw,
        ) => match draw {
            0 => Age::Hours2,
            1 | 2 => Age::Days3,
            _ => Age::Grown,
        },
        _ => Age::Grown,
    };
    let last = days - attack.days();
    let first = match attack {
        Attack::Poisoning { .. } => (days - 4).max(WARMUP_DAYS),
        _ => WARMUP_DAYS,
    };
    let day = dice.whole(first.into(), i64::from(last).max(i64::from(first) + 1)) as i32;
    let mut planned = Planned {
        attack,
        victim: Some(member.index),
        valid: Vec::new(),
        age,
        from: start_of(day) + FIRST_HOUR * HOUR,
        until: start_of(day) + 20 * HOUR,
    };
    if let Attack::HiddenInOutage { .. } = attack {
        let outage = cases
            .iter()
            .find(|case| matches!(case.benign, Benign::Outage { .. }))?;
        (planned.from, planned.until) = (outage.from, outage.from + 2 * super::calendar::MINUTE);
    }
    if age != Age::Grown {
        // A narrow start, so that the age is what it is called.
        planned.from += dice.whole(0, 12 * HOUR);
        planned.until = planned.from + HOUR / 2;
        member.born = planned.from - age.length();
    }
    if let Attack::Dormant { gap_days } = attack {
        member.born = start_of(day - gap_days - 10);
        member.gap = Some((start_of(day - gap_days), Moment::MAX));
    }
    debug_assert!(day_of(planned.from) == day || age == Age::Grown);
    Some(planned)
}
