//! What was done about tokens lately: enough to say "already revoked" and "too many in this hour".
//!
//! Read from the journal at start, so that a restart forgets neither. Only responses that count are kept: the rate
//! limit bounds them to `max_per_hour` for each hour of `repeat_after`.

use std::collections::{HashSet, VecDeque};
use std::num::NonZeroUsize;
use std::time::Duration;

use lru::LruCache;
use tokenwatch_model::{
    FindingId, FindingToken, Response, ResponseAction, ResponseMode, ResponseResult, Timestamp,
    TokenId,
};

use super::ResponsePast;
use crate::config::ResponseSettings;

/// The rate limit's window.
const HOUR: Duration = Duration::from_hours(1);
/// Findings whose answers are remembered, about 1 KB each; what was forgotten is read from the journal again.
const ANSWERS_LIMIT: NonZeroUsize = NonZeroUsize::new(10_000).expect("not zero");

/// Responses of this process and of those before it.
pub(crate) struct ResponseHistory {
    answers: LruCache<FindingId, Vec<Response>>,
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
            self.answers.put(*finding, Vec::new());
        }
        for line in lines {
            self.answer_with(line);
        }
    }

    /// Takes back lines that could not be written; what the journal has of their findings is read again.
    pub(crate) fn forget(&mut self, line: &Response) {
        self.answers.pop(&line.finding_id);
        self.recent.retain(|known| known.id != line.id);
    }

    /// The gravest answer to `finding`, as it was when last heard of.
    pub(crate) fn answer(&mut self, finding: FindingId) -> Option<&Response> {
        let answers = self.answers.get(&finding)?;
        answers.iter().rev().max_by_key(|line| line.action)
    }

    /// Takes in a line of the journal; later lines of a response replace earlier ones. It becomes an answer only beside those that
    /// were learned.
    pub(crate) fn record(&mut self, line: Response) {
        let place = self.recent.iter().position(|known| known.id == line.id);
        match (counts(&line), place) {
            (true, Some(place)) => self.recent[place] = line.clone(),
            (true, None) => self.recent.push_back(line.clone()),
            (false, Some(place)) => drop(self.recent.remove(place)),
            (false, None) => {}
        }
        // Of a finding that is not known, the journal may have more: it is read when that matters.
        if self.answers.contains(&line.finding_id) {
            self.answer_with(line);
        }
    }

    fn answer_with(&mut self, line: Response) {
        let answers = self.answers.get_or_insert_mut(line.finding_id, Vec::new);
        match answers.iter_mut().find(|known| known.id == line.id) {
            Some(known) => *known = line,
            None => answers.push(line),
        }
    }

    /// What the decision about `finding` on `token` needs to know; forgets what is older than the window.
    pub(crate) fn past(
        &mut self,
        finding: FindingId,
        token: &FindingToken,
        settings: &ResponseSettings,
        now: Timestamp,
    ) -> ResponsePast {
        let window = Self::window(settings);
        self.recent
            .retain(|line| now.since(line.decided_at()) <= window || line.is_pending());
        let tenant = tenant_of(token);
        let mut findings = HashSet::new();
        let mut of_owner = HashSet::new();
        for line in self.of_mode(settings.mode) {
            if line.finding_id != finding && now.since(line.decided_at()) <= HOUR {
                findings.insert(line.finding_id);
                if line.details.tenant == tenant {
                    of_owner.insert(line.finding_id);
                }
            }
        }
        let count = |set: &HashSet<FindingId>| u32::try_from(set.len()).unwrap_or(u32::MAX);
        ResponsePast {
            answered: self.answer(finding).map(|line| line.action),
            done: self.done(finding, token.id, settings, now),
            last_hour: count(&findings),
            last_hour_of_owner: count(&of_owner),
        }
    }

    /// Findings other than `finding` that were responded to in the last hour.
    pub(crate) fn last_hour(&self, finding: FindingId, mode: ResponseMode, now: Timestamp) -> u32 {
        let recent = self.of_mode(mode);
        let findings: HashSet<FindingId> = recent
            .filter(|line| line.finding_id != finding && now.since(line.decided_at()) <= HOUR)
            .map(|line| line.finding_id)
            .collect();
        u32::try_from(findings.len()).unwrap_or(u32::MAX)
    }

    /// The gravest action that holds for the token, or is under way, for findings other than `finding`.
    pub(crate) fn done(
        &self,
        finding: FindingId,
        token: TokenId,
        settings: &ResponseSettings,
        now: Timestamp,
    ) -> Option<ResponseAction> {
        self.of_mode(settings.mode)
            .filter(|line| line.token_id == token && line.finding_id != finding)
            .filter(|line| {
                is_effective(line) && now.since(line.decided_at()) <= settings.repeat_after
            })
            .map(|line| line.action)
            .max()
    }

    fn of_mode(&self, mode: ResponseMode) -> impl Iterator<Item = &Response> {
        self.recent.iter().filter(move |line| line.mode == mode)
    }
}

/// Whose limit a response on `token` counts against: the owner, else the team, else the consumer, else the token itself.
pub(crate) fn tenant_of(token: &FindingToken) -> String {
    let named = [
        ("owner", &token.owner),
        ("team", &token.team),
        ("consumer", &token.consumer),
    ];
    let named = named
        .into_iter()
        .find_map(|(kind, name)| Some(format!("{kind}:{}", name.as_ref()?)));
    named.unwrap_or_else(|| format!("token:{}", token.id))
}

/// Whether a response used up the rate limit: it was asked for, would have been, or may be yet.
fn counts(line: &Response) -> bool {
    use ResponseResult::{Lapsed, Vetoed, Withheld};
    !matches!(line.result, Withheld | Vetoed | Lapsed)
}

/// Whether what was asked may be taken for done. What failed, or whose outcome is unknown, is asked for again by the next finding
/// on the token. A dry run takes what it would have done for done.
fn is_effective(line: &Response) -> bool {
    use ResponseResult as Is;
    match line.result {
        Is::Intended | Is::Delivered | Is::Held | Is::UndoFailed => true,
        Is::WouldRespond => line.mode == ResponseMode::DryRun,
        Is::Failed
        | Is::Withheld
        | Is::Unknown
        | Is::Vetoed
        | Is::Lapsed
        | Is::Undoing
        | Is::Undone => false,
    }
}
