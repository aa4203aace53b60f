//! Responses in the deciding task: what is decided about findings, what people say, and what the clock asks for.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use tokenwatch_model::{
    Effect, Finding, FindingId, OrderVerb, Response, ResponseMode, ResponseResult,
};
use tokenwatch_store::StoreError;

use super::AlertingEvent;
use super::intake::Intake;
use crate::ledger::publish;
use crate::metrics::LedgerOperation;
use crate::response::{
    Ask, ResponseDecision, ResponseHistory, Step, TokenFacts, decide_effect, decide_order,
    decide_response, decide_step, lines_of, tell_effect,
};

/// Tokens about which the store is asked at the same time.
const FACTS_AT_ONCE: usize = 16;
/// Responses that the clock asks something for and that are seen to in one go: findings that came meanwhile do not wait for all.
pub(super) const AGENDA_AT_ONCE: usize = 16;
/// People's words that are older were heard, or came while nobody acted: a hold lasts a week at most.
const FIRST_ORDERS_SPAN: Duration = Duration::from_hours(8 * 24);
/// Words become visible in the order of their inserts, which may not be that of their times.
const ORDERS_SPAN: Duration = Duration::from_mins(10);

/// What was read about findings before responses to them are decided on.
pub(super) struct Background {
    /// Findings of which this process did not know whether they were answered.
    unknown: Vec<FindingId>,
    /// What the journal has of those.
    lines: Result<Vec<Response>, StoreError>,
    /// Facts about the first of those: most likely they have no answer yet.
    facts: HashMap<FindingId, Facts>,
}

/// What is known of a finding's token; nothing if the store was not asked.
type Facts = Result<Option<TokenFacts>, StoreError>;

impl Intake {
    /// How many of `findings` are decided on before people hear of them: those behind need not wait for more facts than are asked
    /// for at the same time.
    pub(super) fn at_once(&self, findings: &[Finding]) -> usize {
        let asks = |finding: &Finding| {
            self.settings.response.concerns(finding) && !self.history.knows(finding.id)
        };
        let asking = findings
            .iter()
            .enumerate()
            .filter(|(_, finding)| asks(finding));
        asking
            .map(|(place, _)| place)
            .nth(FACTS_AT_ONCE)
            .unwrap_or(findings.len())
    }

    /// Reads what deciding on responses takes, all at once: each answer that were waited for would be a stolen token's time.
    pub(super) async fn look_up(&self, findings: &[Finding]) -> Background {
        let settings = &self.settings.response;
        let concerned = findings.iter().filter(|finding| settings.concerns(finding));
        let unknown: Vec<&Finding> = concerned
            .filter(|finding| !self.history.knows(finding.id))
            .collect();
        let asked = unknown.iter().take(FACTS_AT_ONCE);
        let facts = asked.map(async |finding| (finding.id, self.facts(finding).await));
        let ids: Vec<FindingId> = unknown.iter().map(|finding| finding.id).collect();
        let (lines, facts) = tokio::join!(self.ledger.responses_of(&ids), join_all(facts));
        Background {
            unknown: ids,
            lines,
            facts: facts.into_iter().collect(),
        }
    }

    /// Decides on responses, writes the journal, and only then asks for them.
    pub(super) async fn respond(&mut self, findings: &[Finding], background: Background) {
        let settings = Arc::clone(&self.settings);
        let concerned: Vec<&Finding> = findings
            .iter()
            .filter(|finding| settings.response.concerns(finding))
            .collect();
        if concerned.is_empty() {
            return;
        }
        let mut known = background.facts;
        match background.lines {
            Ok(lines) => self.history.learn(&background.unknown, lines),
            Err(error) => return self.ledger_failed(LedgerOperation::read, &error),
        }
        let is_open = |finding: &&Finding| {
            let answer = self.history.answer(finding.id).map(|line| line.action);
            answer < settings.response.gravest(finding)
        };
        let open: Vec<&Finding> = concerned.into_iter().filter(is_open).collect();
        let mut lines = Vec::new();
        let mut answered = Vec::new();
        for part in open.chunks(FACTS_AT_ONCE) {
            let asked = part.iter().map(|finding| {
                let known = known.remove(&finding.id);
                async {
                    match known {
                        Some(facts) => facts,
                        None => self.facts(finding).await,
                    }
                }
            });
            let facts = join_all(asked).await;
            for (finding, facts) in part.iter().zip(facts) {
                match facts {
                    Ok(facts) => {
                        let is_known = facts.is_some();
                        let decided = self.decide(finding, &facts.unwrap_or_default());
                        let withheld = |line: &Response| line.result == ResponseResult::Withheld;
                        if !is_known && !decided.iter().all(withheld) {
                            // The hour ended in between: the next look asks the store.
                            self.behind.report();
                            continue;
                        }
                        for line in &decided {
                            self.history.record(line.clone());
                        }
                        if !decided.is_empty() {
                            answered.push(Arc::new((*finding).clone()));
                        }
                        lines.extend(decided);
                    }
                    Err(error) => self.ledger_failed(LedgerOperation::read, &error),
                }
            }
        }
        if self.write(lines, &answered).await.is_err() {
            tracing::warn!(
                "responses are decided on again later: the journal could not be written"
            );
        }
    }

    /// The journal's lines about `finding`. What is decided about one finding counts for the next.
    fn decide(&mut self, finding: &Finding, facts: &TokenFacts) -> Vec<Response> {
        let Some(token) = &finding.token else {
            return Vec::new();
        };
        let now = self.runtime.clock.now();
        let settings = Arc::clone(&self.settings);
        let past = self
            .history
            .past(finding.id, token, &settings.response, now);
        let decision = decide_response(finding, facts, past, &settings, now);
        if let ResponseDecision::Withhold(rule, reason) = decision {
            tracing::warn!(
                finding.id = %finding.id, token.id = %token.id, reason = reason.name(), rule = rule.name,
                "a finding asks for a response, and it is withheld"
            );
        }
        let mut lines = lines_of(decision, finding, facts, &settings.response, now);
        if let Some(action) = lines.first().map(|line| line.action) {
            lines.extend(self.agenda.overtaken(finding.id, action, now));
        }
        lines
    }

    /// What is known of the finding's token. Where no more responses are allowed in this hour, the store is not asked: a storm of
    /// findings does not keep people waiting for what nothing will be done about.
    async fn facts(&self, finding: &Finding) -> Facts {
        let settings = &self.settings.response;
        let now = self.runtime.clock.now();
        if self.history.last_hour(finding.id, settings.mode, now) >= settings.max_per_hour {
            return Ok(None);
        }
        let facts = self
            .ledger
            .token_facts(finding, settings.restricts())
            .await?;
        Ok(Some(facts))
    }

    /// Writes lines to the journal, and then asks for what they intend.
    async fn write(&mut self, lines: Vec<Response>, findings: &[Arc<Finding>]) -> Result<(), ()> {
        if lines.is_empty() {
            return Ok(());
        }
        for line in &lines {
            self.history.record(line.clone());
        }
        if let Err(error) = self.ledger.insert_responses(&lines).await {
            // Without the line nothing may be asked for. Whether it was written after all, the next look will tell.
            for line in &lines {
                self.history.forget(line);
            }
            self.ledger_failed(LedgerOperation::write, &error);
            return Err(());
        }
        for line in lines {
            self.agenda.take(&line);
            publish(
                self.runtime.events.as_ref(),
                AlertingEvent::Response(line.clone()),
            );
            let asks = matches!(
                line.result,
                ResponseResult::Intended | ResponseResult::Undoing
            );
            let of_line = |finding: &&Arc<Finding>| asks && finding.id == line.finding_id;
            match (line.result, findings.iter().find(of_line)) {
                (_, Some(finding)) => self.ask(line, finding),
                // Counted when the target said it; this line says more of its effect.
                (ResponseResult::Delivered, _) => {}
                (result, _) => self.runtime.metrics.responded(result),
            }
        }
        Ok(())
    }

    /// The journal has `line`: asks its target.
    fn ask(&self, line: Response, finding: &Arc<Finding>) {
        let (Some(target), Some(token)) = (self.target_of(&line), finding.token.clone()) else {
            tracing::error!(
                response.id = line.id,
                "the target {} is not configured any more: act by hand",
                line.target
            );
            return;
        };
        let ask = Ask {
            response: line,
            finding: Arc::clone(finding),
            token,
        };
        let responder = self.responder.clone();
        self.runtime.tracker.spawn(responder.respond(target, ask));
    }

    fn target_of(&self, line: &Response) -> Option<usize> {
        let targets = &self.settings.response.targets;
        targets
            .iter()
            .position(|target| *target.name == *line.target)
    }

    /// An outcome: for the history, and for what follows from it.
    pub(super) fn heard_outcome(&mut self, outcome: Response) {
        self.agenda.take(&outcome);
        self.history.record(outcome);
    }

    /// Carries out what people said.
    pub(super) async fn hear_orders(&mut self) {
        if self.settings.response.mode == ResponseMode::Off {
            return;
        }
        let span = if self.heard_orders.is_empty() {
            FIRST_ORDERS_SPAN
        } else {
            ORDERS_SPAN
        };
        let since = self.runtime.clock.now() - span;
        let orders = match self.ledger.response_orders(since).await {
            Ok(orders) => orders,
            Err(error) => return self.ledger_failed(LedgerOperation::read, &error),
        };
        for order in orders {
            let key = (order.response_id.clone(), order.actor.clone(), order.at);
            if self.heard_orders.contains(&key) {
                continue;
            }
            let line = match (self.agenda.get(&order.response_id), order.verb) {
                (Some(line), _) => Ok(Some(line.clone())),
                (None, OrderVerb::Undo) => self.ledger.response(&order.response_id).await,
                (None, OrderVerb::Approve | OrderVerb::Veto) => Ok(None),
            };
            let line = match line {
                Ok(line) => line,
                Err(error) => return self.ledger_failed(LedgerOperation::read, &error),
            };
            let now = self.runtime.clock.now();
            let step = line.and_then(|line| {
                let may_act = self.may_act_on(&line);
                decide_order(&line, &order, may_act, now)
            });
            if let Some(step) = step {
                tracing::info!(
                    response.id = order.response_id,
                    verb = order.verb.name(),
                    actor = order.actor,
                    "somebody decided on a response"
                );
                if self.carry_out(step).await.is_err() {
                    return;
                }
            }
            self.heard_orders.put(key, ());
        }
    }

    /// Does some of what the clock asks for, what has waited longest first; says whether the store let it.
    pub(super) async fn follow_agenda(&mut self) -> bool {
        let now = self.runtime.clock.now();
        let mut watched = Vec::new();
        for line in self.agenda.due(now, AGENDA_AT_ONCE) {
            let settings = &self.settings.response;
            let done = self
                .history
                .done(line.finding_id, line.token_id, settings, now);
            let may_act = self.may_act_on(&line);
            let step = decide_step(&line, may_act, done >= Some(line.action), now);
            if let Some(Step::Check(line)) = step {
                watched.push(line);
            } else if let Some(step) = step
                && self.carry_out(step).await.is_err()
            {
                return false;
            }
        }
        self.check_effects(watched).await.is_ok()
    }

    fn may_act_on(&self, line: &Response) -> bool {
        self.settings.response.mode == ResponseMode::Enforce && self.target_of(line).is_some()
    }

    async fn carry_out(&mut self, step: Step) -> Result<(), ()> {
        match step {
            Step::Note(line) => self.write(vec![line], &[]).await,
            Step::Check(line) => self.check_effects(vec![line]).await,
            Step::Undo(line) if self.target_of(&line).is_none() => {
                let reason = "the target is not configured any more".to_owned();
                let failed = line.followed_by(ResponseResult::UndoFailed, line.at);
                self.write(vec![Response { reason, ..failed }], &[]).await
            }
            Step::Ask(line) | Step::Undo(line) => {
                let finding = match self.ledger.finding(line.finding_id).await {
                    Ok(Some(finding)) => Arc::new(finding),
                    Ok(None) => {
                        let reason = "the finding is not stored any more".to_owned();
                        let result = ResponseResult::Failed;
                        let failed = Response {
                            reason,
                            ..line.followed_by(result, line.at)
                        };
                        return self.write(vec![failed], &[]).await;
                    }
                    Err(error) => {
                        self.ledger_failed(LedgerOperation::read, &error);
                        return Err(());
                    }
                };
                self.write(vec![line], &[finding]).await
            }
        }
    }

    /// Looks at what gateways did with the tokens' calls since each of these responses.
    async fn check_effects(&mut self, lines: Vec<Response>) -> Result<(), ()> {
        let asked = lines.into_iter().filter_map(|line| {
            let since = line.answered_at()?;
            let ledger = &self.ledger;
            Some(async move {
                let calls = ledger.calls_by_node(line.token_id, since).await;
                (line, since, calls)
            })
        });
        let mut news = Vec::new();
        let mut failure = None;
        for (mut line, since, calls) in join_all(asked).await {
            let calls = match calls {
                Ok(calls) => calls,
                Err(error) => {
                    failure = Some(error);
                    continue;
                }
            };
            let now = self.runtime.clock.now();
            let effect = decide_effect(&line, since, &calls, &self.settings.response, now);
            let known = line.details.effect.as_deref();
            if known.is_none_or(|known| says_more(&effect, known)) {
                tell_effect(&line, &effect, &self.runtime.metrics);
                let mut next = line.followed_by(line.result, now);
                next.details.effect = Some(Box::new(effect));
                news.push(next);
                continue;
            }
            // Nothing new is not worth a line.
            if let Some(known) = &mut line.details.effect {
                known.checked_at = effect.checked_at;
            }
            self.agenda.take(&line);
        }
        self.write(news, &[]).await?;
        match failure {
            Some(error) => {
                self.ledger_failed(LedgerOperation::read, &error);
                Err(())
            }
            None => Ok(()),
        }
    }

    /// What was intended and has no outcome is unknown from now on: the process died in between. Taking something back is asked for
    /// again: twice does no harm.
    pub(super) async fn recall_responses(&mut self) -> Result<(), StoreError> {
        let now = self.runtime.clock.now();
        let since = now - ResponseHistory::window(&self.settings.response);
        let mut lines = self.ledger.responses_since(since).await?;
        let mut unknown = Vec::new();
        let mut undoing = Vec::new();
        for line in &mut lines {
            match line.result {
                ResponseResult::Intended => {
                    *line = Response {
                        reason: "process_died".to_owned(),
                        ..line.followed_by(ResponseResult::Unknown, now)
                    };
                    unknown.push(line.clone());
                }
                ResponseResult::Undoing => {
                    undoing.push(line.clone());
                }
                _ => {}
            }
        }
        if !unknown.is_empty() {
            self.ledger.insert_responses(&unknown).await?;
        }
        for line in unknown {
            tracing::error!(
                response.id = line.id, token.id = %line.token_id,
                "the process died while asking for a response; check by hand what became of the token"
            );
            self.runtime.metrics.responded(line.result);
            publish(self.runtime.events.as_ref(), AlertingEvent::Response(line));
        }
        for line in lines {
            self.agenda.take(&line);
            self.history.record(line);
        }
        for line in undoing {
            if let Some(finding) = self.ledger.finding(line.finding_id).await? {
                self.ask(line, &Arc::new(finding));
            }
        }
        Ok(())
    }
}

/// Whether an effect says more than that it was looked at again.
fn says_more(effect: &Effect, known: &Effect) -> bool {
    effect.state != known.state
        || effect.is_open != known.is_open
        || effect.nodes.len() != known.nodes.len()
        || effect.effective_at != known.effective_at
}
