//! `[[alerting.routes]]`: which findings go to whom, as a tree.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokenwatch_model::{Detector, FindingMatcher, Problems, Severity, SubjectKind};

use super::windows;
use crate::calendar::{Digest, Window};
use crate::routing::{Escalation, GroupBy, Grouping, Outside, Repeat, Route, Routing};

/// Routes in all; a finding is compared with each of one level.
const ROUTES_LIMIT: usize = 512;
/// How deep the tree may be.
const DEPTH_LIMIT: usize = 8;
/// Steps of one escalation.
const STEPS_LIMIT: usize = 8;
/// A route at the top takes this severity and graver ones unless it says otherwise.
const USUAL_SEVERITY: Severity = Severity::Medium;
/// How long a new group waits for more, unless each finding is one.
const USUAL_WAIT: Duration = Duration::from_secs(30);
/// How long a group that was told waits before it tells what is new.
const USUAL_INTERVAL: Duration = Duration::from_mins(5);
/// The longest pause between repetitions.
const USUAL_LONGEST_REPEAT: Duration = Duration::from_hours(24);
/// Nothing waits for its group longer.
const LONGEST_WAIT: Duration = Duration::from_hours(12);
/// More often than this, a repetition is noise.
const LEAST_REPEAT: Duration = Duration::from_mins(1);

/// One route. What it does not say, it inherits from the route above it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RouteConfig {
    /// Its name, for the ledger and `tokenwatch routes test`; absent: its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The mildest severity that it takes; absent: medium at the top, else all that came so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// The detectors that it takes; empty takes all.
    pub detectors: Vec<Detector>,
    /// What findings may be about; empty takes all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub subjects: Vec<SubjectKind>,
    /// The consumers that it takes; empty takes all.
    pub consumers: Vec<String>,
    /// Ids or credential ids of the tokens that it takes; empty takes all.
    pub tokens: Vec<String>,
    /// The owners that it takes; empty takes all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub owners: Vec<String>,
    /// The teams that it takes; empty takes all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub teams: Vec<String>,
    /// The environments that it takes; empty takes all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub environments: Vec<String>,
    /// The tags of which one is enough; empty takes all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The names of the receivers that it leads to.
    pub receivers: Vec<String>,
    /// Whether routes beside it that come later are not asked once it took a finding.
    #[serde(skip_serializing_if = "is_false")]
    pub stop: bool,
    /// What findings that are told together have in common.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_by: Option<Vec<GroupBy>>,
    /// How long a new group waits for more.
    #[serde(with = "humantime_serde", skip_serializing_if = "Option::is_none")]
    pub group_wait: Option<Duration>,
    /// How long a group that was told waits before it tells what is new.
    #[serde(with = "humantime_serde", skip_serializing_if = "Option::is_none")]
    pub group_interval: Option<Duration>,
    /// After how long what goes on is told again; each time after twice as long.
    #[serde(with = "humantime_serde", skip_serializing_if = "Option::is_none")]
    pub repeat: Option<Duration>,
    /// The longest pause between repetitions.
    #[serde(with = "humantime_serde", skip_serializing_if = "Option::is_none")]
    pub repeat_at_most: Option<Duration>,
    /// Windows of which one has to be open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active: Option<Vec<String>>,
    /// Windows of which none may be open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inactive: Option<Vec<String>>,
    /// `wait`: findings wait for a window. `skip`: the route takes none outside of its windows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outside: Option<Outside>,
    /// Tells at these times of day alone, all together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<DigestConfig>,
    /// Who else is told if nobody acknowledges.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub escalate: Option<Vec<EscalationConfig>>,
    /// Whether an incident or an outage that was told keeps what belongs to it quiet; absent: for people alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inhibit: Option<bool>,
    /// The routes below it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<RouteConfig>,
}

/// `digest = { at = ["08:00"], zone = "Europe/Berlin" }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DigestConfig {
    /// The times of day.
    pub at: Vec<String>,
    /// Whose times of day.
    #[serde(default = "utc")]
    pub zone: String,
}

/// `escalate = [{ after = "15m", receivers = ["lead"] }]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EscalationConfig {
    /// How long after the route's receivers were told.
    #[serde(with = "humantime_serde")]
    pub after: Duration,
    /// Whom.
    pub receivers: Vec<String>,
}

/// Builds the tree from the top down.
struct Builder<'b> {
    receivers: &'b [&'b str],
    windows: &'b [Window],
    problems: &'b mut Problems,
    routes: Vec<Route>,
}

fn utc() -> String {
    "UTC".to_owned()
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde's skip_serializing_if hands over a reference"
)]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// The tree of `routes`, without the receivers' policies.
pub(super) fn validate(
    routes: &[RouteConfig],
    receivers: &[&str],
    windows: Vec<Window>,
    problems: &mut Problems,
) -> Routing {
    let mut builder = Builder {
        receivers,
        windows: &windows,
        problems,
        routes: Vec::new(),
    };
    let roots = builder.level(routes, None, "routes", 0);
    let routes = builder.routes;
    if routes.len() > ROUTES_LIMIT {
        problems.add("routes", format!("has at most {ROUTES_LIMIT} in all"));
    }
    Routing {
        routes,
        roots,
        receivers: Vec::new(),
        windows,
    }
}

impl Builder<'_> {
    fn level(
        &mut self,
        routes: &[RouteConfig],
        above: Option<usize>,
        key: &str,
        depth: usize,
    ) -> Vec<usize> {
        if depth >= DEPTH_LIMIT && !routes.is_empty() {
            let message = format!("the tree is at most {DEPTH_LIMIT} deep");
            self.problems.add(key, message);
            return Vec::new();
        }
        let mut level = Vec::with_capacity(routes.len());
        for (index, config) in routes.iter().enumerate() {
            let key = format!("{key}[{index}]");
            let index = self.routes.len();
            let route = self.route(config, above, &key);
            self.routes.push(route);
            level.push(index);
            let children = self.level(
                &config.routes,
                Some(index),
                &format!("{key}.routes"),
                depth + 1,
            );
            self.routes[index].children = children;
        }
        level
    }

    fn route(&mut self, config: &RouteConfig, above: Option<usize>, key: &str) -> Route {
        let above = above.map(|index| self.routes[index].clone());
        let mut receivers = self.receivers(&config.receivers, &format!("{key}.receivers"));
        if config.receivers.is_empty() {
            match &above {
                Some(above) => receivers.clone_from(&above.receivers),
                None if config.routes.is_empty() => {
                    let key = format!("{key}.receivers");
                    self.problems.add(key, "names no receiver");
                }
                None => {}
            }
        }
        let matcher = FindingMatcher {
            severity: match above {
                None => Some(config.severity.unwrap_or(USUAL_SEVERITY)),
                Some(_) => config.severity,
            },
            detectors: config.detectors.clone(),
            subjects: config.subjects.clone(),
            tokens: config.tokens.clone(),
            consumers: config.consumers.clone(),
            owners: config.owners.clone(),
            teams: config.teams.clone(),
            environments: config.environments.clone(),
            tags: config.tags.clone(),
            findings: Vec::new(),
            incidents: Vec::new(),
        };
        let inherited = |active: &Option<Vec<String>>, of: fn(&Route) -> &Vec<usize>| {
            active
                .is_none()
                .then(|| above.as_ref().map(|above| of(above).clone()))
                .flatten()
        };
        let active = inherited(&config.active, |route| &route.active);
        let inactive = inherited(&config.inactive, |route| &route.inactive);
        Route {
            name: config.name.clone().unwrap_or_else(|| key.to_owned()),
            matcher,
            stop: config.stop,
            children: Vec::new(),
            receivers,
            group: self.grouping(config, above.as_ref(), key),
            repeat: self.repeat(config, above.as_ref(), key),
            active: active
                .unwrap_or_else(|| self.windows(config.active.as_ref(), &format!("{key}.active"))),
            inactive: inactive.unwrap_or_else(|| {
                self.windows(config.inactive.as_ref(), &format!("{key}.inactive"))
            }),
            outside: config
                .outside
                .or(above.as_ref().map(|above| above.outside))
                .unwrap_or_default(),
            digest: self.digest(config, above.as_ref(), key),
            escalate: self.escalate(config, above.as_ref(), key),
            inhibit: config.inhibit.or(above.and_then(|above| above.inhibit)),
        }
    }

    fn receivers(&mut self, names: &[String], key: &str) -> Vec<usize> {
        let mut found = Vec::new();
        for (position, name) in names.iter().enumerate() {
            match self.receivers.iter().position(|known| known == name) {
                Some(receiver) if !found.contains(&receiver) => found.push(receiver),
                Some(_) => {}
                None => self.problems.add(
                    format!("{key}[{position}]"),
                    format!("no receiver is called {name:?}"),
                ),
            }
        }
        found
    }

    fn windows(&mut self, names: Option<&Vec<String>>, key: &str) -> Vec<usize> {
        let mut found = Vec::new();
        for (position, name) in names.into_iter().flatten().enumerate() {
            match self.windows.iter().position(|window| window.name == *name) {
                Some(window) => found.push(window),
                None => self.problems.add(
                    format!("{key}[{position}]"),
                    format!("no window is called {name:?}"),
                ),
            }
        }
        found
    }

    fn grouping(&mut self, config: &RouteConfig, above: Option<&Route>, key: &str) -> Grouping {
        let by = match (&config.group_by, above) {
            (Some(by), _) if by.is_empty() => vec![GroupBy::All],
            (Some(by), _) => by.clone(),
            (None, Some(above)) => above.group.by.clone(),
            (None, None) => vec![GroupBy::Finding],
        };
        let is_alone = by.contains(&GroupBy::Finding);
        let same = above.filter(|above| above.group.by == by);
        let usual = |usual| if is_alone { Duration::ZERO } else { usual };
        for (name, value) in [
            ("group_wait", config.group_wait),
            ("group_interval", config.group_interval),
        ] {
            if value.is_some_and(|value| value > LONGEST_WAIT) {
                self.problems
                    .add(format!("{key}.{name}"), "must be at most 12h");
            }
        }
        Grouping {
            wait: config
                .group_wait
                .or(same.map(|above| above.group.wait))
                .unwrap_or_else(|| usual(USUAL_WAIT)),
            interval: config
                .group_interval
                .or(same.map(|above| above.group.interval))
                .unwrap_or_else(|| usual(USUAL_INTERVAL)),
            by,
        }
    }

    fn repeat(&mut self, config: &RouteConfig, above: Option<&Route>, key: &str) -> Option<Repeat> {
        let above = above.and_then(|above| above.repeat);
        let every = config.repeat.or(above.map(|above| above.every))?;
        if every.is_zero() {
            // `repeat = "0s"` takes back what the route above says.
            return None;
        }
        if config.repeat.is_some() && every < LEAST_REPEAT {
            self.problems.add(
                format!("{key}.repeat"),
                "must be at least 1m, or 0s for never",
            );
        }
        Some(Repeat {
            every,
            at_most: config
                .repeat_at_most
                .or(above.map(|above| above.at_most))
                .unwrap_or(USUAL_LONGEST_REPEAT),
        })
    }

    fn digest(&mut self, config: &RouteConfig, above: Option<&Route>, key: &str) -> Option<Digest> {
        let Some(digest) = &config.digest else {
            return above.and_then(|above| above.digest.clone());
        };
        if digest.at.is_empty() {
            // `digest = { at = [] }` takes back what the route above says.
            return None;
        }
        let zone = windows::zone(&format!("{key}.digest.zone"), &digest.zone, self.problems);
        let mut at = Vec::new();
        for (index, text) in digest.at.iter().enumerate() {
            let key = format!("{key}.digest.at[{index}]");
            at.extend(windows::time(&key, text, self.problems));
        }
        Some(Digest { zone: zone?, at })
    }

    fn escalate(
        &mut self,
        config: &RouteConfig,
        above: Option<&Route>,
        key: &str,
    ) -> Vec<Escalation> {
        let Some(steps) = &config.escalate else {
            return above.map_or_else(Vec::new, |above| above.escalate.clone());
        };
        if steps.len() > STEPS_LIMIT {
            let message = format!("has at most {STEPS_LIMIT} steps");
            self.problems.add(format!("{key}.escalate"), message);
        }
        let mut found = Vec::with_capacity(steps.len());
        for (index, step) in steps.iter().enumerate() {
            let key = format!("{key}.escalate[{index}]");
            if step.receivers.is_empty() {
                self.problems
                    .add(format!("{key}.receivers"), "names no receiver");
            }
            found.push(Escalation {
                after: step.after,
                receivers: self.receivers(&step.receivers, &format!("{key}.receivers")),
            });
        }
        found
    }
}
