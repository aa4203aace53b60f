//! Failure streams of a token: refused calls (401, 403), and calls to what does not exist (404).
//!
//! 429 and 5xx are no failures here: the first is the gateway's doing, the second the upstream's.

mod few;

use serde::{Deserialize, Serialize};
use tokenwatch_model::{Outcome, Timestamp};

use crate::calendar::{DAY, day_of};
use crate::habit::{Basis, DAY_DISCOUNT, FAILURE_WIDTHS, Scale};
use crate::hit::Stream;
use crate::settings::DetectorSettings;
use crate::token::{DayEnd, age_in};
pub(crate) use few::{Failed, FewFailures};

/// Prior of the share of calls that fails: half a failure in fifty calls.
const PRIOR_FAILED: f64 = 0.5;
const PRIOR_CALLS: f64 = 50.0;
/// Weight of a day in the dispersion of a failure stream.
const DISPERSION_WEIGHT: f64 = 0.3;

/// Nothing failed today; failures of today differ in where they come from or go to.
const NO_CAUSE: u32 = 0;
const SEVERAL_CAUSES: u32 = u32::MAX;

/// What failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum FailureKind {
    /// The credential was refused.
    Denied = 0,
    /// The path does not exist.
    NotFound = 1,
}

impl FailureKind {
    pub(crate) const ALL: [Self; 2] = [Self::Denied, Self::NotFound];

    /// The count stream of such failures.
    pub(crate) const fn stream(self) -> Stream {
        match self {
            Self::Denied => Stream::Denied,
            Self::NotFound => Stream::NotFound,
        }
    }

    /// The stream that an outcome belongs to.
    pub(crate) const fn of(outcome: Outcome) -> Option<Self> {
        match outcome {
            Outcome::Denied => Some(Self::Denied),
            Outcome::NotFound => Some(Self::NotFound),
            Outcome::Ok
            | Outcome::Throttled
            | Outcome::ClientError
            | Outcome::ServerError
            | Outcome::Aborted => None,
        }
    }
}

/// Fewer failures in every hour and on every day of four weeks, and a smaller share of all calls, are no habit to keep.
const IDLE_BELOW: [f64; 2] = [4.0, 16.0];
const IDLE_SHARE: f64 = 0.05;
/// The same for a token that has no room: half the default floors.
const LOW_BELOW: [f64; 2] = [12.0, 30.0];

/// Boxed part of a token that fails more than now and then.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Failures {
    pub(crate) scales: [Scale; FAILURE_WIDTHS.len()],
    /// All calls in the same windows, newest and the one before.
    calls: [[u32; 2]; FAILURE_WIDTHS.len()],
    /// Discounted failed calls and calls of the days learned.
    failed_before: f32,
    calls_before: f32,
    /// Different paths, by linear counting: of these ten minutes, the ten before, today.
    paths: [u64; 3],
    /// Where failed calls of today come from and go to, while that is always the same; else one of the two above.
    cause: u32,
    /// The running half-minute and the one before, and the failures in them.
    windows: [u32; 2],
    marks: [u16; 2],
    since_day: u16,
    /// There were 401 today, and other failures.
    unauthorised_today: bool,
    otherwise_today: bool,
    bursting_today: bool,
    bursting_yesterday: bool,
}

impl Failures {
    /// Streams that begin on the day of `newest`.
    pub(crate) fn begin(newest: Timestamp) -> Self {
        Self {
            since_day: u16::try_from(day_of(newest).max(0)).unwrap_or(u16::MAX),
            ..Self::default()
        }
    }

    /// Moves the windows on. `day` is that of `from`.
    pub(crate) fn advance(&mut self, from: Timestamp, to: Timestamp, day: i64) {
        for (index, width) in FAILURE_WIDTHS.into_iter().enumerate() {
            let first = from.as_secs().div_euclid(width);
            let last = to.as_secs().div_euclid(width);
            if first == last {
                break;
            }
            if width == DAY {
                // The day's own counters move when the day ends.
                continue;
            }
            let expected = self.expected(width);
            self.scales[index].advance(first, last, width, day, expected);
            let newest = if last == first + 1 {
                self.calls[index][0]
            } else {
                0
            };
            self.calls[index] = [0, newest];
            if index == 1 {
                let newest = if last == first + 1 { self.paths[0] } else { 0 };
                self.paths = [0, newest, self.paths[2]];
            }
        }
    }

    /// Reads a little of each of its lines of memory.
    pub(crate) fn read(&self) -> u64 {
        let scales = self.scales.iter().map(|scale| u64::from(scale.count(0)));
        scales.fold(self.paths[0] ^ u64::from(self.since_day), |sum, read| {
            sum ^ read
        })
    }

    /// Ends a day.
    pub(crate) fn end_day(&mut self, end: &DayEnd, settings: &DetectorSettings) {
        let tainted = self.bursting_yesterday && !self.bursting_today;
        let fold = end.fold(i64::from(self.since_day), tainted);
        if let Some(fold) = fold {
            if fold.learn {
                let share = |before: f32, day: u32| {
                    (f64::from(before) * DAY_DISCOUNT + f64::from(day)) as f32
                };
                self.failed_before = share(self.failed_before, self.scales[3].count(1));
                self.calls_before = share(self.calls_before, self.calls[3][1]);
            }
            for (index, width) in FAILURE_WIDTHS.into_iter().enumerate().take(3) {
                let expected = self.expected(width);
                let windows = DAY as f64 / width as f64;
                self.scales[index].learn_dispersion(expected, windows, DISPERSION_WEIGHT);
            }
        }
        for (scale, spec) in self.scales.iter_mut().zip(&settings.failure_scales).take(3) {
            scale.end_day(spec, fold);
        }
        self.scales[3].end_whole_day(&settings.failure_scales[3], fold);
        self.calls[3] = [0, self.calls[3][0]];
        self.paths[2] = 0;
        self.cause = NO_CAUSE;
        self.unauthorised_today = false;
        self.otherwise_today = false;
        self.bursting_yesterday = self.bursting_today;
        self.bursting_today = false;
    }

    /// Makes the calls of the window at `index` and of the one before at least these.
    pub(crate) fn raise_calls(&mut self, index: usize, calls: [u32; 2]) {
        for (own, calls) in self.calls[index].iter_mut().zip(calls) {
            *own = calls.max(*own);
        }
    }

    /// Whether four weeks held nothing that could break a habit: then there is none to keep.
    pub(crate) fn is_idle(&self) -> bool {
        self.is_below(IDLE_BELOW) && self.scales[3].count(1) == 0
    }

    /// Whether four weeks held nothing near to what could.
    pub(crate) fn is_low(&self) -> bool {
        self.is_below(LOW_BELOW)
    }

    fn is_below(&self, [of_hour, of_day]: [f64; 2]) -> bool {
        let is_below = |scale: &Scale, below: f64| {
            let open = scale.count(0).max(scale.count(1));
            f64::from(open) < below && scale.max_28d() < below
        };
        is_below(&self.scales[2], of_hour)
            && is_below(&self.scales[3], of_day)
            && self.usual_share() < IDLE_SHARE
    }

    /// Counts a call that did not fail in this way.
    pub(crate) fn count_call(&mut self, newest: Timestamp, ts: Timestamp) {
        for (calls, width) in self.calls.iter_mut().zip(FAILURE_WIDTHS) {
            let age = newest.as_secs().div_euclid(width) - ts.as_secs().div_euclid(width);
            if let Some(window) = usize::try_from(age).ok().and_then(|age| calls.get_mut(age)) {
                *window = window.saturating_add(1);
            }
        }
    }

    /// Begins the half-minute `window`; the one before the last, and the failures in it.
    pub(crate) fn end_window(&mut self, window: u32) -> Option<(u32, u32)> {
        let (before, count) = (self.windows[1], self.marks[1]);
        self.windows = [window, self.windows[0]];
        self.marks = [0, self.marks[0]];
        (count > 0).then_some((before, u32::from(count)))
    }

    /// Takes failures of the half-minute `window`, which were the fleet's, out of the counts, and the day out of the habit.
    pub(crate) fn excise(&mut self, newest: Timestamp, window: u32, count: u32) {
        for (scale, width) in self.scales.iter_mut().zip(FAILURE_WIDTHS) {
            scale.excise(age_in(newest, window, width), count);
        }
        self.taint();
    }

    /// Notes what failed: a hash of its path, and one of where it came from and went to.
    pub(crate) fn note(&mut self, path_hash: u64, cause: u32, unauthorised: bool) {
        self.unauthorised_today |= unauthorised;
        self.otherwise_today |= !unauthorised;
        self.marks[0] = self.marks[0].saturating_add(1);
        let bit = 1u64 << (path_hash >> 58);
        self.paths[0] |= bit;
        self.paths[2] |= bit;
        if self.cause == NO_CAUSE {
            self.cause = cause;
        } else if self.cause != cause {
            self.cause = SEVERAL_CAUSES;
        }
    }

    /// Whether every failure of today had one cause.
    pub(crate) fn has_single_cause(&self) -> bool {
        self.cause != SEVERAL_CAUSES
    }

    /// Whether every failure of today was a 401: the credential itself is not accepted.
    pub(crate) fn is_only_401(&self) -> bool {
        self.unauthorised_today && !self.otherwise_today
    }

    /// About how many different paths failed in the window at `index` or around it.
    pub(crate) fn distinct_paths(&self, index: usize) -> u32 {
        if index <= 1 {
            (self.paths[0] | self.paths[1]).count_ones()
        } else {
            self.paths[2].count_ones()
        }
    }

    /// All calls in the window at `index`, `age` windows back.
    pub(crate) fn calls(&self, index: usize, age: i64) -> u32 {
        usize::try_from(age)
            .ok()
            .and_then(|age| self.calls[index].get(age))
            .copied()
            .unwrap_or(0)
    }

    /// The token's usual share of failed calls.
    pub(crate) fn usual_share(&self) -> f64 {
        (f64::from(self.failed_before) + PRIOR_FAILED)
            / (f64::from(self.calls_before) + PRIOR_CALLS)
    }

    /// What the habit rests on for windows of `width_s` seconds, with `days` of history.
    pub(crate) fn basis(&self, width_s: i64, days: f64) -> Basis {
        let expected = self.expected(width_s);
        Basis {
            expected,
            typical: expected,
            days,
        }
    }

    /// Failures expected in a window: the discounted days' mean, spread evenly.
    fn expected(&self, width_s: i64) -> f64 {
        self.scales[3].mean_peak() * width_s as f64 / DAY as f64
    }

    /// Keeps the day out of the habit: a burst, or an outage.
    pub(crate) fn taint(&mut self) {
        self.bursting_today = true;
    }
}
