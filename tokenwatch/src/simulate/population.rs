//! The fleet: who the tokens are, drawn from one seed.

use tokenwatch_ingest::TokenKey;
use tokenwatch_model::Format;

use super::api::{ORDINARY, RouteId};
use super::calendar::{DAY, Moment, start_of};
use super::clients::{Agent, FAMILIES, OWNERS};
use super::dice::{Dice, Purpose};
use super::habit::{Class, Habit};
use super::home::Home;
use super::member::{Failures, Member, Objects};
use super::options::{Mix, Options};

/// Tokens that one application has, on average.
const TOKENS_PER_CONSUMER: usize = 2;
/// Tokens of one company, on average.
const TOKENS_PER_TENANT: usize = 12;
const COMPANIES: [&str; 12] = [
    "acme",
    "northwind",
    "globex",
    "initech",
    "umbra",
    "contoso",
    "fabrikam",
    "hooli",
    "stark",
    "tyrell",
    "aperture",
    "monarch",
];
const PURPOSES: [&str; 6] = [
    "billing",
    "sync",
    "reports",
    "mobile",
    "checkout",
    "warehouse",
];
/// Letters and digits of raw keys.
const KEY_ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const KEY_LENGTH: usize = 32;
/// One token in so many is given out while the simulation runs, one in so many given back.
const NEWCOMERS: f64 = 0.04;
const LEAVERS: f64 = 0.02;
/// How many tokens roam or are behind a relay, and people who do.
const ROAMING: f64 = 0.08;

/// An application: what its tokens have in common.
struct Consumer {
    name: String,
    tenant: u16,
    routes: Vec<RouteId>,
    has_policy: bool,
}

/// Every token of the simulation that `options` describe.
pub(super) fn members(options: &Options, key: &TokenKey) -> Vec<Member> {
    let mut dice = Dice::new(options.seed, Purpose::Population, [0, 0]);
    let consumers = consumers(options.tokens, &mut dice);
    let mut classes = classes(options.mix, options.tokens);
    dice.shuffle(&mut classes);
    (0..)
        .zip(classes)
        .map(|(index, class)| {
            let mut dice = Dice::new(options.seed, Purpose::Population, [1, u64::from(index)]);
            let consumer = &consumers[dice.below(consumers.len())];
            member(index, class, consumer, options, key, &mut dice)
        })
        .collect()
}

/// How often each class is there: as in a real fleet, or all alike.
fn classes(mix: Mix, tokens: usize) -> Vec<Class> {
    let shares = Class::ALL.map(|(class, share)| match mix {
        Mix::Realistic => (class, share as usize),
        Mix::Equal => (class, 100),
    });
    let mut classes = Vec::with_capacity(tokens);
    let mut due = 0;
    for (class, share) in shares {
        due += share * tokens;
        classes.resize(due / 1_000, class);
    }
    classes.resize(tokens, Class::Sparse);
    classes
}

fn consumers(tokens: usize, dice: &mut Dice) -> Vec<Consumer> {
    let tenants = (tokens / TOKENS_PER_TENANT).max(2);
    (0..(tokens / TOKENS_PER_CONSUMER).max(2))
        .map(|index| {
            let tenant = dice.below(tenants) as u16;
            let company = COMPANIES[usize::from(tenant) % COMPANIES.len()];
            let purpose = dice.pick(&PURPOSES);
            Consumer {
                name: format!("{company}{tenant}-{purpose}-{index}"),
                tenant,
                routes: some_routes(dice),
                has_policy: dice.chance(0.5),
            }
        })
        .collect()
}

fn some_routes(dice: &mut Dice) -> Vec<RouteId> {
    let mut all: Vec<RouteId> = (0..ORDINARY).collect();
    dice.shuffle(&mut all);
    all.truncate(2 + dice.below(7));
    all
}

fn member(
    index: u32,
    class: Class,
    consumer: &Consumer,
    options: &Options,
    key: &TokenKey,
    dice: &mut Dice,
) -> Member {
    let raw = raw_key(dice);
    let credential_id = credential_id(dice);
    let id = match options.format {
        Format::Kong => key.credential_id(Format::Kong, &credential_id),
        _ => key.token_id(raw.as_bytes()),
    };
    let is_human = class == Class::Sessions || (class == Class::Sparse && dice.chance(0.4));
    let home = match (is_human, dice.chance(ROAMING)) {
        (true, true) => Home::roaming(dice),
        (true, false) => Home::person(dice),
        (false, _) => Home::servers(dice),
    };
    let mut routes = consumer.routes.clone();
    if routes.len() > 2 {
        routes.truncate(2 + dice.below(routes.len() - 1));
    }
    let (born, ends) = life(options.days, dice);
    Member {
        index,
        id,
        key: raw,
        credential_id,
        consumer: consumer.name.clone(),
        tenant: consumer.tenant,
        class,
        habit: Habit::any(class, options.days, dice),
        home,
        agent: any_agent(is_human, dice),
        routes,
        allowed: consumer.routes.clone(),
        objects: any_objects(dice),
        failures: any_failures(dice),
        has_policy: consumer.has_policy,
        born,
        ends,
        gap: None,
    }
}

/// From when until when it is used.
fn life(days: i32, dice: &mut Dice) -> (Moment, Moment) {
    let (start, end) = (Moment::MIN, Moment::MAX);
    let any_time = |dice: &mut Dice| dice.whole(0, start_of(days));
    if dice.chance(NEWCOMERS) {
        (any_time(dice), end)
    } else if dice.chance(LEAVERS) {
        (start, any_time(dice).max(DAY))
    } else {
        (start, end)
    }
}

fn raw_key(dice: &mut Dice) -> String {
    let random = (0..KEY_LENGTH).map(|_| char::from(*dice.pick(KEY_ALPHABET)));
    "sk_live_".chars().chain(random).collect()
}

fn credential_id(dice: &mut Dice) -> String {
    let mut part = || dice.whole(0, 1 << 32);
    let (a, b, c, d) = (part(), part(), part(), part());
    format!(
        "{a:08x}-{:04x}-4{:03x}-a{:03x}-{:04x}{d:08x}",
        b >> 16,
        b & 0xfff,
        c & 0xfff,
        (c >> 16) & 0xffff
    )
}

fn any_agent(is_human: bool, dice: &mut Dice) -> Agent {
    let families: Vec<u8> = (0..OWNERS)
        .filter(|family| FAMILIES[usize::from(*family)].is_human == is_human)
        .collect();
    Agent {
        family: *dice.pick(&families),
        version: u8::from(dice.chance(0.6)),
    }
}

fn any_objects(dice: &mut Dice) -> Objects {
    let first = dice.whole(1_000, 5_000_000) as u64;
    match dice.below(3) {
        0 => Objects::Cursor { first },
        1 => Objects::Random,
        _ => Objects::Own {
            first,
            count: dice.whole(3, 60) as u64,
        },
    }
}

fn any_failures(dice: &mut Dice) -> Failures {
    Failures {
        not_found: if dice.chance(0.06) {
            dice.between(0.2, 0.6)
        } else {
            dice.magnitude(-3.5, -1.7)
        },
        denied: if dice.chance(0.05) {
            0.01
        } else {
            dice.magnitude(-5.0, -3.5)
        },
        server: dice.magnitude(-4.0, -2.5),
        other: dice.magnitude(-3.5, -2.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(tokens: usize, mix: Mix) -> Options {
        Options {
            tokens,
            mix,
            ..Options::for_test()
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_fleet() {
        let key = TokenKey::from_bytes(&[7; 32]);
        let fleet = |seed| {
            let options = Options {
                seed,
                ..options(50, Mix::Realistic)
            };
            members(&options, &key)
                .into_iter()
                .map(|member| member.id)
                .collect::<Vec<_>>()
        };
        assert_eq!(fleet(1), fleet(1));
        assert_ne!(fleet(1), fleet(2));
    }

    #[test]
    fn classes_have_their_shares() {
        let count = |mix, wanted| {
            classes(mix, 2_000)
                .into_iter()
                .filter(|class| *class == wanted)
                .count()
        };
        assert_eq!(count(Mix::Realistic, Class::Sparse), 1_200);
        assert_eq!(count(Mix::Realistic, Class::Shift), 6);
        assert_eq!(count(Mix::Equal, Class::Batch), 200);
    }
}
