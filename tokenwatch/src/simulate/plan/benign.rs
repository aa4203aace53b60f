//! Which benign cases there are, spread over the scored days.

use crate::simulate::calendar::{
    CLOCK_CHANGE_DAY, DAY, HOUR, MONTH_END_DAY, Moment, SECOND, start_of,
};
use crate::simulate::case::{Benign, Case, Members};
use crate::simulate::clients::{FAMILIES, OWNERS};
use crate::simulate::dice::{Dice, Purpose};
use crate::simulate::habit::{BatchDay, Habit};
use crate::simulate::home::Home;
use crate::simulate::member::Member;
use crate::simulate::networks::{NetworkKind, networks};
use crate::simulate::options::{Options, WARMUP_DAYS};

/// Tokens of the cases that are about a few.
const FEW: usize = 3;
/// Parts of the scored days that cases are spread over.
const PARTS: i64 = 12;

/// Draws the cases; `members` are as they were born.
pub(in super::super) fn cases(options: &Options, members: &[Member]) -> Vec<Case> {
    let mut draw = Draw {
        dice: Dice::new(options.seed, Purpose::Plan, [2, 0]),
        days: options.days,
        members,
        cases: Vec::new(),
    };
    draw.groups();
    draw.moves();
    draw.fleet();
    draw.singles();
    draw.cases
}

struct Draw<'m> {
    dice: Dice,
    days: i32,
    members: &'m [Member],
    cases: Vec<Case>,
}

impl Draw<'_> {
    fn add(&mut self, benign: Benign, members: Members, from: Moment) {
        let until = from + benign.length();
        self.cases.push(Case {
            benign,
            members,
            from,
            until,
        });
    }

    /// Some time in working hours of the `nth` part of the scored days.
    fn time(&mut self, nth: i64) -> Moment {
        let scored = i64::from(self.days - WARMUP_DAYS - 1) * DAY;
        let from = start_of(WARMUP_DAYS) + scored * nth / PARTS;
        from.div_euclid(DAY) * DAY + self.dice.whole(8 * 3_600, 18 * 3_600) * SECOND
    }

    fn those(&self, is_meant: impl Fn(&Member) -> bool) -> Members {
        let chosen = self.members.iter().filter(|member| is_meant(member));
        Members::Some(chosen.map(|member| member.index).collect())
    }

    fn few(&mut self, count: usize) -> Members {
        let mut all: Vec<u32> = (0..self.members.len() as u32).collect();
        self.dice.shuffle(&mut all);
        all.truncate(count.max(1));
        all.sort_unstable();
        Members::Some(all)
    }

    /// What client groups do together.
    fn groups(&mut self) {
        let mut families: Vec<u8> = (0..OWNERS)
            .filter(|family| !FAMILIES[usize::from(*family)].is_human)
            .collect();
        self.dice.shuffle(&mut families);
        for (nth, family) in [(1, families[0]), (8, families[1])] {
            let at = self.time(nth);
            let group = self.those(|member| member.agent.family == family);
            self.add(Benign::Deploy, group, at);
        }
        let at = self.time(4);
        let group = self.those(|member| member.agent.family == families[2]);
        self.add(Benign::Upgrade, group, at);
        let shifting = self.few(self.members.len() / 30);
        let at = self.time(2);
        self.add(Benign::LevelShift, shifting, at);
        let monthly = self.those(|member| {
            matches!(
                member.habit,
                Habit::Batch {
                    on: BatchDay::MonthEnd,
                    ..
                }
            )
        });
        self.add(Benign::MonthEnd, monthly, start_of(MONTH_END_DAY));
    }

    /// What happens where tokens are.
    fn moves(&mut self) {
        let roaming = self.those(|member| matches!(member.home, Home::Roaming { .. }));
        self.add(Benign::Roaming, roaming, start_of(0));
        if let Some(case) = self.cases.last_mut() {
            case.until = start_of(self.days);
        }
        let hosting = networks(|network| network.kind == NetworkKind::Hosting);
        let tenants = self.members.iter().map(|member| member.tenant).max();
        let mut tenants: Vec<u16> = (0..=tenants.unwrap_or(0)).collect();
        self.dice.shuffle(&mut tenants);
        let (people, servers) = (tenants[0], tenants[1 % tenants.len()]);
        let is_server = |member: &Member| matches!(member.home, Home::Servers(_));
        let network = *self.dice.pick(&hosting);
        let at = self.time(3);
        let group = self.those(|member| member.tenant == people && !is_server(member));
        self.add(Benign::VpnEgress { network }, group, at);
        let network = *self.dice.pick(&hosting);
        let at = self.time(6);
        let group = self.those(|member| member.tenant == servers && is_server(member));
        self.add(Benign::Migration { network }, group, at);
        for (quarter, earlier) in [(0, -HOUR), (1, HOUR)] {
            let group = self.those(|member| member.index % 4 == quarter);
            let at = start_of(CLOCK_CHANGE_DAY);
            self.add(Benign::ClockChange { earlier }, group, at);
        }
    }

    /// What happens to everybody.
    fn fleet(&mut self) {
        for (nth, status) in [(2, 503), (9, 401)] {
            let at = self.time(nth);
            self.add(Benign::Outage { status }, Members::All, at);
        }
        let at = self.time(5);
        let third = self.those(|member| member.index % 3 == 0);
        self.add(Benign::RetryStorm, third, at);
        let at = self.time(7);
        self.add(Benign::NewRoute, Members::All, at);
        let at = self.time(10);
        self.add(Benign::Delivery, Members::All, at.div_euclid(DAY) * DAY);
    }

    /// What happens to single tokens.
    fn singles(&mut self) {
        for announced in [true, false] {
            let tested = self.few(FEW);
            let at = self.time(3 + 4 * i64::from(announced));
            self.add(Benign::Pentest { announced }, tested, at);
        }
        let expired = self.few(self.members.len() / 60);
        let at = self.time(6);
        self.add(Benign::Expired, expired, at);
    }
}
