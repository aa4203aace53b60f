//! What was done about tokens lately: enough to say "already revoked" and "too many in this hour".
//!
//! Read from the journal at start, so that a restart forgets neither. Only responses that count are kept: the rate
//! limit bounds them to `max_per_hour` for each hour of `repeat_after`.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::time::Duration;

use lru::LruCache;
use tokenwatch_model::{FindingId, Response, ResponseMode, ResponseResult, Timestamp, TokenId};

use super::ResponsePast;
use crate::config::ResponseSettings;

/// The rate limit's window.
const HOUR: Duration = Duration::from_hours(1);
/// Findings whose answer is remembered, about 400 bytes each; what was forgotten is read from the journal again.
const ANSWERS_LIMIT: NonZeroUsize = NonZeroUsize::new(10_000).expect("not zero");

/// Responses of this process and of those before it.
pub(crate) struct ResponseHistory {
    answers: LruCache<FindingId, Option<Response>>,
    recent: VecDeque<Response>,
}

impl ResponseHistory {
    pub(crate) fn new() -> Self {
        Self {
            answers: LruCache::new(ANSWERS_LIMIT),
            recent: VecDeque::new(),
        }
    }

    /// How far back the journal has to be read.
    pub(crate) fn window(settings: &ResponseSettings) -> Duration {
        settings.repeat_after.max(HOUR)
    }

    /// Whether it is known if and how `finding` was answered.
    pub(crate) fn knows(&self, finding: FindingId) -> bool {
        self.answers.contains(&finding)
    }

    /// Takes in what the journal says of `findings`; those without a line have no answer.
    pub(crate) fn learn(&mut self, findings: &[FindingId], lines: Vec<Response>) {
        for finding in findings {
            self.answers.put(*finding, None);
        }
        for line in lines {
            self.answers.put(line.finding_id, Some(line));
        }
    }

    /// Takes back a line that could not be written.
    pub(crate) fn forget(&mut self, line: &Response) {
        self.answers.pop(&line.finding_id);
        self.recent.retain(|known| known.id != line.id);
    }

    /// The answer to `finding`, as it was when last heard of.
    pub(crate) fn answer(&mut self, finding: FindingId) -> Option<&Response> {
        self.answers.get(&finding)?.as_ref()
    }

    /// Takes in a line of the journal; later lines of a response replace earlier ones.
    pub(crate) fn record(&mut self, line: Response) {
        if counts(&line) {
            match self.recent.iter_mut().find(|known| known.id == line.id) {
                Some(known) => *known = line.clone(),
                None => self.recent.push_back(line.clone()),
            }
        }
        self.answers.put(line.finding_id, Some(line));
    }

    /// What the decision needs to know; forgets what is older than the window.
    pub(crate) fn past(
        &mut self,
        finding: FindingId,
        token: TokenId,
        settings: &ResponseSettings,
        now: Timestamp,
    ) -> ResponsePast {
        let window = Self::window(settings);
        while self
            .recent
            .front()
            .is_some_and(|oldest| now.since(oldest.at) > window)
        {
            self.recent.pop_front();
        }
        let of_mode = |line: &&Response| line.mode == settings.mode;
        let is_revoked = self
            .recent
            .iter()
            .filter(of_mode)
            .filter(|line| line.token_id == token && line.finding_id != finding)
            .any(|line| is_effective(line) && now.since(line.at) <= settings.repeat_after);
        let last_hour = self
            .recent
            .iter()
            .filter(of_mode)
            .filter(|line| now.since(line.at) <= HOUR)
            .count();
        ResponsePast {
            is_answered: self.answer(finding).is_some(),
            is_revoked,
            last_hour: u32::try_from(last_hour).unwrap_or(u32::MAX),
        }
    }
}

/// Whether a response used up the rate limit: it was asked for, or would have been.
fn counts(line: &Response) -> bool {
    line.result != ResponseResult::Withheld
}

/// Whether the token may be taken for revoked. One whose revocation failed, or whose outcome is unknown, is asked for
/// again by the next critical finding on it. A dry run takes what it would have done for done.
fn is_effective(line: &Response) -> bool {
    match line.result {
        ResponseResult::Intended | ResponseResult::Delivered => true,
        ResponseResult::WouldRespond => line.mode == ResponseMode::DryRun,
        ResponseResult::Failed | ResponseResult::Withheld | ResponseResult::Unknown => false,
    }
}
