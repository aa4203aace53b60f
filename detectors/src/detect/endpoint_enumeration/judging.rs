//! The four judgements of `endpoint_enumeration`: a walk, a broken habit, a sweep over failing paths, one over services.

use tokenwatch_model::{Detector, Evidence, Severity};

use crate::calendar::HOUR;
use crate::detect::{habit_db, window_start};
use crate::distinct::{Counted, SWEEP_S};
use crate::failures::Failures;
use crate::habit::Judgement;
use crate::hit::{Belonging, Hit, QUIET_S, Story, Stream, Tier, figures_of};
use crate::settings::DetectorSettings;
use crate::token::{Maturity, Token};
use crate::wording;

/// Weight of a walk (a broken habit and 8, research note 3.7), of sweeps, and of the habit of a young token.
const WALK_DB: f64 = 28.0;
const FAILING_DB: f64 = 25.0;
const REFUSED_SWEEP_DB: f64 = 25.0;
const SWEEP_DB: f64 = 15.0;
const YOUNG_DB: f64 = 12.0;
/// Steps of the hour that a walk takes, and calls of a life before the hour.
const WALK_STEPS: u32 = 20;
const LIFE_BEFORE: u32 = 20;
/// Or days of it: a job that walks would have done so on one of them.
const DAYS_BEFORE: u16 = 3;
/// One in so many of its steps may lead the other way, unless there are so many times the objects of the busiest hour of 28 days.
const WALK_TURNS: u8 = 4;
const WALK_ABOVE_USUAL: f64 = 1.5;
/// Calls of a day that no window of the hour has counted: a token has none before.
const UNCOUNTED_CALLS: u32 = 20;
/// Weight of many different things that are no more than many calls, and from how many times the usual share they are more.
const VOLUME_DB: f64 = 8.0;
const DENSER: f64 = 2.0;
/// Failing paths are no news if the token's usual share of failures, times this, is more.
const FAILING_RATIO: f64 = 5.0;
/// Share of failing calls to what the token never calls, and usual share of failures, from which the share of all does not matter.
const FOREIGN_SHARE: f64 = 0.8;
const RARELY_FAILING: f64 = 0.05;
/// Share of refused actions that makes a sweep grave; and the least surprise of a token that is no explorer.
const REFUSED_SHARE: f64 = 0.25;
const EXPLORER_DB: f64 = 6.0;
const SETTLED_DB: f64 = 13.0;

/// A walk from id to id, unless the token always walks.
pub(super) fn walk(token: &mut Token, objects: u32, settings: &DetectorSettings) -> Option<Hit> {
    let config = &settings.enumeration;
    let (hour, _) = super::calls_of_hour(token);
    let before = token
        .calls
        .saturating_sub(hour.saturating_add(UNCOUNTED_CALLS));
    let habit = token.scope.steps;
    let distinct = token.parts.distinct_mut()?;
    let (steps, share) = distinct.steps();
    if objects < config.walk_objects || steps < WALK_STEPS || share < config.walk_share {
        return None;
    }
    // Back and forth between a few neighbours is no walk, but lines that arrive out of order look like that.
    let usual = distinct.scales[Counted::Objects as usize].max_28d();
    if !habit.leads_one_way(WALK_TURNS) && f64::from(objects) < WALK_ABOVE_USUAL * usual {
        return None;
    }
    // Who follows a sequence takes short steps when it catches up, but never goes back.
    if habit.walks_by_habit() || (habit.follows_sequence() && !habit.has_jumped()) {
        return None;
    }
    let is_news = distinct.tell(objects);
    // A token that did nothing else yet may be a job whose habit it is.
    let has_life = before >= LIFE_BEFORE || token.active_days >= DAYS_BEFORE;
    token.scope.steps.mark_walk(!has_life);
    if !is_news {
        return None;
    }
    let usual = if habit.follows_sequence() {
        "usually it follows a sequence onward, and never goes back"
    } else {
        "it did not walk through ids before"
    };
    let story = Story {
        detector: Detector::EndpointEnumeration,
        rank: 3,
        belonging: Belonging::Count {
            stream: Stream::Objects,
            scale: 0,
            half: objects / 2,
        },
        text: format!(
            "{{name}} walked from id to id: {} different objects within 1 h from {{since}}, {} of the steps between them at \
             most ten ids long; {usual}{{outcomes}}{{sources}}",
            wording::count(f64::from(objects)),
            wording::percent(share),
        ),
        figures: Evidence {
            observed: Some(f64::from(objects)),
            expected: Some(0.0),
            window_s: Some(HOUR.unsigned_abs()),
            statistic: "share of short steps between the numbers of consecutive ids".to_owned(),
            baseline_days: Some(u32::from(token.active_days)),
            usual: Some(usual.to_owned()),
            ..Evidence::default()
        },
    };
    Some(Hit {
        tier: if has_life {
            Tier::Finding
        } else {
            Tier::Signal
        },
        evidence_db: if has_life { WALK_DB } else { YOUNG_DB },
        hard: has_life,
        ..hourly(token, objects, story)
    })
}

/// So many paths that are forbidden or not found that no habit is needed.
pub(super) fn failing_paths(
    token: &mut Token,
    paths: u32,
    settings: &DetectorSettings,
) -> Option<Hit> {
    let config = &settings.enumeration;
    if paths < config.failing_paths {
        return None;
    }
    let usual = token.parts.all_failures().map(Failures::usual_share);
    let usual = usual.fold(0.0, f64::max);
    let distinct = token.parts.distinct_mut()?;
    let share = distinct.failed_share();
    // What the token never calls fails for no deployment's sake, however much else it does.
    let is_foreign = distinct.foreign_share() >= FOREIGN_SHARE && usual < RARELY_FAILING;
    let is_much = share >= config.failing_share && share >= FAILING_RATIO * usual;
    if !(is_foreign || is_much) || !distinct.tell(paths) {
        return None;
    }
    let objects = distinct.count(Counted::Objects) >= distinct.count(Counted::Endpoints);
    let stream = if objects {
        Stream::Objects
    } else {
        Stream::Endpoints
    };
    Some(Hit {
        evidence_db: FAILING_DB,
        hard: true,
        confirm: !is_foreign,
        ..hourly(
            token,
            paths,
            Story {
                detector: Detector::EndpointEnumeration,
                rank: 2,
                belonging: Belonging::Count {
                    stream,
                    scale: 0,
                    half: paths / 2,
                },
                text: format!(
                    "{{name}} tried about {} different paths within 1 h from {{since}} that are forbidden or do not exist, \
                     {} of its calls; usually {} fail{{sources}}",
                    wording::count(f64::from(paths)),
                    wording::percent(share),
                    wording::percent(usual),
                ),
                figures: Evidence {
                    observed: Some(f64::from(paths)),
                    expected: Some(0.0),
                    window_s: Some(HOUR.unsigned_abs()),
                    statistic:
                        "absolute: so many failing paths, and so large a share, need no baseline"
                            .to_owned(),
                    baseline_days: Some(u32::from(token.active_days)),
                    usual: Some(format!("{} of its calls fail so", wording::percent(usual))),
                    ..Evidence::default()
                },
            },
        )
    })
}

/// More different endpoints or objects than the token's habit knows.
pub(super) fn habit(
    token: &mut Token,
    counted: Counted,
    count: u32,
    settings: &DetectorSettings,
) -> Option<Hit> {
    let maturity = token.maturity(settings);
    let days = token.days();
    let spec = &settings.enumeration_scales[counted as usize];
    // Nothing trips below its floor; a mature token's trip count does not depend on when it is computed.
    if maturity == Maturity::Mature && count < spec.floor {
        return None;
    }
    let (calls, peak_calls) = super::calls_of_hour(token);
    let distinct = token.parts.distinct_mut()?;
    let basis = distinct.basis(counted, days);
    let scale = &mut distinct.scales[counted as usize];
    if scale.is_stale() {
        if maturity == Maturity::New {
            scale.silence();
        } else {
            let trip = scale.trip_count(spec, &basis, &settings.signal_quantiles);
            scale.arm(trip);
        }
    }
    if !scale.trips(count) {
        return None;
    }
    let judgement = scale.judge(spec, &basis, count);
    if judgement.p_now > settings.alpha_now {
        scale.arm(count.saturating_add((count / 10).max(1)));
        return None;
    }
    let mature = maturity == Maturity::Mature;
    let found = mature && judgement.p_habit <= settings.alpha_finding;
    // More calls call more things: that is for the detectors of volume to say.
    let denser = judgement.above_peak() >= DENSER * f64::from(calls) / peak_calls.max(1.0);
    let evidence_db = match (denser, mature) {
        (false, _) => VOLUME_DB,
        (true, false) => YOUNG_DB,
        (true, true) => habit_db(&judgement),
    };
    // After a signal, a finding may follow soon; after that, only twice as much is news.
    let step = if mature && !found { count / 4 } else { count };
    scale.arm(count.saturating_add(step.max(1)));
    Some(Hit {
        tier: if found { Tier::Finding } else { Tier::Signal },
        severity: Severity::Low,
        evidence_db,
        confirm: true,
        ..hourly(token, count, habit_story(token, counted, &judgement))
    })
}

fn habit_story(token: &Token, counted: Counted, judgement: &Judgement) -> Story {
    let what = counted.words();
    let peak = wording::count(judgement.habitual_peak);
    Story {
        detector: Detector::EndpointEnumeration,
        rank: 1,
        belonging: Belonging::Count {
            stream: match counted {
                Counted::Endpoints => Stream::Endpoints,
                Counted::Objects => Stream::Objects,
            },
            scale: 0,
            half: judgement.count / 2,
        },
        text: format!(
            "{{name}} called {} {what} within 1 h from {{since}}; it usually calls about {peak} in its busiest hour of a day, \
             and {} at most in 28 days{{outcomes}}{{sources}}",
            wording::count(f64::from(judgement.count)),
            wording::count(judgement.max_28d),
        ),
        figures: figures_of(
            judgement,
            HOUR,
            u32::from(token.active_days),
            "negative binomial and Student's t against the usual day's busiest hour, by linear counting",
            format!("about {peak} {what} in the busiest hour of a usual day"),
        ),
    }
}

/// Many reading actions of a cloud API, over many services, that are new to the token.
pub(super) fn sweep(token: &mut Token, settings: &DetectorSettings) -> Option<Hit> {
    let config = &settings.enumeration;
    let maturity = token.maturity(settings);
    let own_db = token.scope.surprise_db(token.days());
    let sweep = token.parts.sweep_mut();
    let (actions, services) = sweep.breadth();
    if actions < config.sweep_actions || services < config.sweep_services {
        return None;
    }
    // Someone who explores every day does not sweep.
    if (maturity > Maturity::New && own_db < EXPLORER_DB) || !sweep.tell(actions) {
        return None;
    }
    let refused = sweep.refused_share();
    let start = sweep.start();
    let settled = maturity == Maturity::Mature && own_db >= SETTLED_DB;
    let grave = settled || refused >= REFUSED_SHARE;
    let usual = match maturity {
        Maturity::New => "it is too new to have a habit".to_owned(),
        Maturity::Young | Maturity::Mature => {
            format!("in {} days it never called them", token.active_days)
        }
    };
    let story = Story {
        detector: Detector::EndpointEnumeration,
        rank: 2 + u8::from(grave),
        belonging: Belonging::Count {
            stream: Stream::Actions,
            scale: 0,
            half: actions / 2,
        },
        text: format!(
            "{{name}} looked around: about {} reading actions of {services} services within 10 min from {{since}}, {} of them \
             refused; {usual}{{sources}}",
            wording::count(f64::from(actions)),
            wording::percent(refused),
        ),
        figures: Evidence {
            observed: Some(f64::from(actions)),
            expected: Some(0.0),
            window_s: Some(SWEEP_S.unsigned_abs()),
            statistic: "absolute: so many new actions of so many services need no baseline"
                .to_owned(),
            baseline_days: Some(u32::from(token.active_days)),
            usual: Some(usual),
            ..Evidence::default()
        },
    };
    Some(Hit {
        severity: if grave {
            Severity::Medium
        } else {
            Severity::Low
        },
        evidence_db: if grave { REFUSED_SWEEP_DB } else { SWEEP_DB },
        hard: grave,
        window_start: start,
        ..hourly(token, actions, story)
    })
}

/// A hit of the newest hour; what differs is filled in over it.
fn hourly(token: &Token, count: u32, story: Story) -> Hit {
    Hit {
        tier: Tier::Finding,
        severity: Severity::Medium,
        evidence_db: 0.0,
        hard: false,
        size: f64::from(count),
        window_start: window_start(token.newest.as_secs(), HOUR, 0),
        quiet_s: QUIET_S,
        confirm: false,
        story,
        bulk: None,
    }
}
