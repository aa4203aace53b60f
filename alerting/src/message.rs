//! What people read: a title, one sentence, the facts behind it and a link. Channels only lay it out.
//!
//! A message about several findings has an entry for each; channels that cannot hold them all split the message, so
//! that none is lost.
//!
//! Everything here comes from the finding, whose texts were scrubbed when they were read; other people's bytes (user
//! agents, routes) are stripped of control characters and cut to length, and channels escape them.

use std::ops::Range;

use tokenwatch_model::{Finding, HoldEnd, Response, ResponseResult, token_facts};
use url::Url;

use crate::layout::Layout;
use crate::occasion::Occasion;
use crate::outgoing::{Item, Notice, Outgoing};

/// The longest value of a fact, in characters.
const VALUE_LIMIT: usize = 400;
/// The longest summary, in characters.
const SUMMARY_LIMIT: usize = 1_000;
/// The longest summary of one of several findings, in characters.
const ENTRY_LIMIT: usize = 300;
/// As many addresses, routes and so on as a message lists; the console has all.
const LIST_LIMIT: usize = 5;

/// A message, ready to be laid out.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Message {
    /// `[HIGH] rate_spike: acme`.
    pub title: String,
    /// What happened, in one sentence.
    pub summary: String,
    /// Label and value, the most telling first.
    pub facts: Vec<(&'static str, String)>,
    /// Its findings, where there are several.
    pub entries: Vec<Entry>,
    /// The finding, or the list of findings, in the console.
    pub link: Option<String>,
    /// Said at the end: what this message is.
    pub footer: String,
}

/// One of several findings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// `[HIGH] rate_spike: acme`.
    pub title: String,
    /// What happened, in one sentence.
    pub summary: String,
    /// The token, or what else it is about.
    pub subject: String,
    /// The finding's id.
    pub id: String,
    /// It in the console.
    pub link: Option<String>,
}

impl Message {
    pub(crate) fn new(outgoing: &Outgoing, layout: &Layout) -> Self {
        let public_url = layout.public_url.as_ref();
        let mut message = match (&outgoing.notice, outgoing.items.as_slice()) {
            (Some(notice), _) => Self::of_notice(notice, public_url),
            (None, [item]) => Self::of_one(item, public_url),
            (None, _) => Self::of_many(outgoing, public_url),
        };
        message.footer = footer(outgoing);
        layout.apply(&mut message, outgoing);
        message
    }

    fn of_notice(notice: &Notice, public_url: Option<&Url>) -> Self {
        Self {
            title: format!("[Tokenwatch] {}", clean(&notice.title, 120)),
            summary: clean(&notice.text, SUMMARY_LIMIT),
            facts: notice
                .facts
                .iter()
                .map(|(label, value)| (*label, clean(value, VALUE_LIMIT)))
                .collect(),
            entries: Vec::new(),
            link: public_url.map(|base| page(base, "")),
            footer: String::new(),
        }
    }

    fn of_one(item: &Item, public_url: Option<&Url>) -> Self {
        let finding = &*item.finding;
        Self {
            title: title(item),
            summary: clean(&finding.summary, SUMMARY_LIMIT),
            facts: with_links(facts(finding, item.response.as_ref()), item),
            entries: Vec::new(),
            link: public_url.map(|base| link(base, finding)),
            footer: String::new(),
        }
    }

    fn of_many(outgoing: &Outgoing, public_url: Option<&Url>) -> Self {
        let worst = outgoing.items.first().map(who_of).unwrap_or_default();
        let count = outgoing.items.len();
        let kind = if outgoing.is_digest { "Digest, " } else { "" };
        Self {
            title: format!(
                "[{kind}{}] {count} findings, the gravest {worst}",
                outgoing.severity.name().to_uppercase()
            ),
            summary: counted(&outgoing.items),
            facts: Vec::new(),
            entries: outgoing
                .items
                .iter()
                .map(|item| Entry {
                    title: title(item),
                    summary: clean(&item.finding.summary, ENTRY_LIMIT),
                    subject: item.finding.token.as_ref().map_or_else(
                        || clean(&item.finding.subject.id, 80),
                        |token| token.id.to_string(),
                    ),
                    id: item.finding.id.to_string(),
                    link: public_url.map(|base| link(base, &item.finding)),
                })
                .collect(),
            link: public_url.map(|base| page(base, "findings")),
            footer: String::new(),
        }
    }

    /// The message in parts that each hold as many entries as fit into `budget` by `cost` and are at most `limit`; with
    /// which entries each part has.
    pub(crate) fn split(
        self,
        budget: usize,
        limit: usize,
        cost: impl Fn(&Entry) -> usize,
    ) -> Vec<(Range<usize>, Self)> {
        if self.entries.is_empty() {
            return vec![(0..1, self)];
        }
        let mut ranges: Vec<Range<usize>> = Vec::new();
        let mut spent = 0;
        for (index, entry) in self.entries.iter().enumerate() {
            let cost = cost(entry);
            match ranges.last_mut() {
                Some(range) if spent + cost <= budget && range.len() < limit => {
                    range.end = index + 1;
                    spent += cost;
                }
                _ => {
                    ranges.push(index..index + 1);
                    spent = cost;
                }
            }
        }
        let count = ranges.len();
        let part = |(index, range): (usize, Range<usize>)| {
            let mut part = self.clone();
            part.entries = self.entries[range.clone()].to_vec();
            if count > 1 {
                part.title = format!("{} ({} of {count})", self.title, index + 1);
            }
            (range, part)
        };
        ranges.into_iter().enumerate().map(part).collect()
    }
}

fn footer(outgoing: &Outgoing) -> String {
    let mut footer = match outgoing.items.as_slice() {
        [item] => format!("Tokenwatch · {} · {}", item.finding.id, outgoing.id),
        _ => format!("Tokenwatch · {}", outgoing.id),
    };
    match outgoing.occasion {
        Occasion::Repeated => {
            footer.push_str(" · told again: it goes on and nobody acknowledged it");
        }
        Occasion::Unacknowledged => footer.push_str(" · nobody acknowledged it in time"),
        _ => {}
    }
    if outgoing.repeated {
        footer.push_str(" · possibly a repeat: an earlier attempt was interrupted");
    }
    footer
}

/// `7 new, 2 graver, 1 ended`.
fn counted(items: &[Item]) -> String {
    let count = |occasion, word: &str| {
        let count = items
            .iter()
            .filter(|item| item.occasion == occasion)
            .count();
        (count > 0).then(|| format!("{count} {word}"))
    };
    let counts = [
        count(Occasion::Opened, "new"),
        count(Occasion::Escalated, "graver than before"),
        count(Occasion::Unacknowledged, "not acknowledged in time"),
        count(Occasion::Repeated, "still going on"),
        count(Occasion::Closed, "ended"),
    ];
    let counts: Vec<String> = counts.into_iter().flatten().collect();
    format!("{}.", counts.join(", "))
}

fn who_of(item: &Item) -> String {
    let finding = &*item.finding;
    let token = finding.token.as_ref();
    let who = token
        .and_then(|token| token.consumer.clone())
        .or_else(|| token.and_then(|token| token.credential_id.clone()))
        .unwrap_or_else(|| finding.subject.id.clone());
    format!("{}: {}", finding.detector, clean(&who, 80))
}

fn title(item: &Item) -> String {
    let severity = item.severity.name().to_uppercase();
    let mark = match item.occasion {
        Occasion::Opened | Occasion::Notice => severity,
        Occasion::Escalated => format!("now {severity}"),
        Occasion::Closed => format!("{severity}, ended"),
        Occasion::Repeated => format!("{severity}, still"),
        Occasion::Unacknowledged => format!("{severity}, unacknowledged"),
    };
    format!("[{mark}] {}", who_of(item))
}

fn facts(finding: &Finding, response: Option<&Response>) -> Vec<(&'static str, String)> {
    let evidence = &finding.evidence;
    let token = finding.token.as_ref();
    let of_token = |value: Option<&String>| value.map(|text| clean(text, VALUE_LIMIT));
    let subject = format!("{} {}", finding.subject.kind.name(), finding.subject.id);
    let facts = [
        (
            "Subject",
            token.is_none().then(|| clean(&subject, VALUE_LIMIT)),
        ),
        ("Token", token.map(|token| token.id.to_string())),
        (
            "Credential",
            of_token(token.and_then(|token| token.credential_id.as_ref())),
        ),
        (
            "Consumer",
            of_token(token.and_then(|token| token.consumer.as_ref())),
        ),
        (
            "Owner",
            of_token(token.and_then(|token| token.owner.as_ref())),
        ),
        ("Team", known(finding, "team")),
        ("Environment", known(finding, "environment")),
        (
            "Incident",
            finding.incident_id.as_ref().map(|id| clean(id, 80)),
        ),
        ("Since", Some(since(finding))),
        ("How sure", Some(how_sure(finding))),
        ("Why", why(finding)),
        ("Usually", of_token(evidence.usual.as_ref())),
        ("Done already", Some(done(response))),
        ("Who is hit", blast_radius(response)),
        ("From", list(&evidence.source_ips)),
        ("Countries", list(&evidence.countries)),
        ("Routes", list(&evidence.routes)),
        ("Clients", list(&evidence.user_agents)),
    ];
    facts
        .into_iter()
        .filter_map(|(label, value)| Some((label, value?)))
        .collect()
}

/// The facts, and the links by which a response that waits is decided on.
fn with_links(mut facts: Vec<(&'static str, String)>, item: &Item) -> Vec<(&'static str, String)> {
    if let Some(links) = &item.links {
        facts.insert(0, ("Approve", links.approve.clone()));
        facts.insert(1, ("Veto", links.veto.clone()));
    }
    facts
}

fn since(finding: &Finding) -> String {
    format!(
        "{}, {} events until {}",
        finding.first_event_at, finding.event_count, finding.last_event_at
    )
}

fn how_sure(finding: &Finding) -> String {
    format!(
        "{:.0} % ({:.1} dB of evidence)",
        finding.confidence * 100.0,
        finding.evidence_db
    )
}

fn why(finding: &Finding) -> Option<String> {
    let evidence = &finding.evidence;
    let mut parts = Vec::new();
    match (evidence.observed, evidence.expected) {
        (Some(observed), Some(expected)) => parts.push(format!(
            "{} observed, {} expected",
            number(observed),
            number(expected)
        )),
        (Some(observed), None) => parts.push(format!("{} observed", number(observed))),
        (None, _) => {}
    }
    if let Some(peak) = evidence.habitual_peak {
        parts.push(format!("{} at its usual busiest", number(peak)));
    }
    if let Some(window) = evidence.window_s {
        parts.push(format!("in {window} s"));
    }
    if !evidence.statistic.is_empty() {
        parts.push(clean(&evidence.statistic, VALUE_LIMIT));
    }
    if let Some(p_value) = evidence.p_value {
        parts.push(format!("p = {p_value:.1e}"));
    }
    if let Some(days) = evidence.baseline_days {
        parts.push(format!("baseline of {days} days"));
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// What became of the token before anybody was told.
fn done(response: Option<&Response>) -> String {
    let Some(response) = response else {
        return "nothing; nobody was asked to revoke the token".to_owned();
    };
    let (action, details) = (response.action.name(), &response.details);
    let target = clean(&response.target, 80);
    match response.result {
        ResponseResult::Intended => format!("{target} was asked to {action} the token"),
        ResponseResult::Delivered => {
            let end = details.ends_at.map(|end| format!(" until {end}"));
            let end = end.unwrap_or_default();
            format!("{target} took the request to {action} the token{end}")
        }
        ResponseResult::Failed => {
            let reason = clean(&response.reason, 80);
            format!("asking {target} to {action} the token FAILED ({reason})")
        }
        ResponseResult::WouldRespond => {
            format!("nothing; {target} would be asked to {action} the token if mode were enforce")
        }
        ResponseResult::Withheld => {
            format!(
                "nothing; the response ({action}) was withheld ({})",
                response.reason
            )
        }
        ResponseResult::Unknown => {
            format!("{target} may have been asked to {action} the token; the outcome is unknown")
        }
        ResponseResult::Held => held(response, &target),
        ResponseResult::Vetoed => {
            format!(
                "nothing; {} vetoed to {action} the token",
                clean(&details.actor, 80)
            )
        }
        ResponseResult::Lapsed => {
            format!(
                "nothing; the wait for people to {action} the token ended ({})",
                response.reason
            )
        }
        ResponseResult::Undoing | ResponseResult::Undone => {
            format!(
                "nothing that still holds; {target} was asked to {action} the token, and to undo it"
            )
        }
        ResponseResult::UndoFailed => {
            format!("{target} did {action} the token, and did NOT undo it")
        }
    }
}

fn held(response: &Response, target: &str) -> String {
    let (action, details) = (response.action.name(), &response.details);
    let until = details.held_until.map(|end| end.to_string());
    let until = until.unwrap_or_default();
    let needed = match details.approvals_needed {
        0 | 1 => "somebody approves".to_owned(),
        people => format!("{people} people approve"),
    };
    match details.at_hold_end {
        Some(HoldEnd::Act) => format!(
            "nothing YET; {target} is asked to {action} the token at {until}, or once {needed}, unless somebody vetoes"
        ),
        _ => format!(
            "nothing YET; {target} is asked to {action} the token if {needed} until {until}"
        ),
    }
}

/// Who and what is hit if the token ends.
fn blast_radius(response: Option<&Response>) -> Option<String> {
    let radius = response?.details.blast_radius.as_deref()?;
    let first = |label: &str, values: Vec<String>| {
        let values: Vec<String> = values
            .iter()
            .take(3)
            .map(|value| clean(value, 60))
            .collect();
        (!values.is_empty()).then(|| format!("{label} {}", values.join(", ")))
    };
    let clients = radius.clients.iter().map(|one| one.user_agent.clone());
    let networks = radius.networks.iter().map(|one| one.network.to_string());
    let endpoints = radius.endpoints.iter().map(|one| one.endpoint.clone());
    let parts = [
        Some(format!(
            "{} calls a minute, {} in the day before",
            number(radius.calls_per_minute),
            radius.calls_24h
        )),
        first("by", clients.collect()),
        first("from", networks.collect()),
        first("to", endpoints.collect()),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    Some(clean(&parts.join("; "), VALUE_LIMIT))
}

fn known(finding: &Finding, key: &str) -> Option<String> {
    let values = token_facts(finding, key);
    (!values.is_empty()).then(|| clean(&values.join(", "), VALUE_LIMIT))
}

fn link(base: &Url, finding: &Finding) -> String {
    page(base, &format!("findings/{}", finding.id))
}

fn page(base: &Url, path: &str) -> String {
    format!("{}/{path}", base.as_str().trim_end_matches('/'))
}

fn list(values: &[String]) -> Option<String> {
    let shown: Vec<String> = values
        .iter()
        .take(LIST_LIMIT)
        .map(|value| clean(value, 100))
        .collect();
    let more = values.len().saturating_sub(LIST_LIMIT);
    match (shown.is_empty(), more) {
        (true, _) => None,
        (false, 0) => Some(shown.join(", ")),
        (false, more) => Some(format!("{} and {more} more", shown.join(", "))),
    }
}

fn number(value: f64) -> String {
    if value.fract() == 0.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.1}")
    }
}

/// `text` on one line and of at most `limit` characters.
pub(crate) fn clean(text: &str, limit: usize) -> String {
    let mut characters = text.chars().map(|character| {
        if is_unprintable(character) {
            ' '
        } else {
            character
        }
    });
    let mut cleaned: String = characters.by_ref().take(limit).collect();
    if characters.next().is_some() {
        cleaned.pop();
        cleaned.push('…');
    }
    cleaned
}

/// Controls, and the marks that turn the direction of text around, by which one text can pass for another.
fn is_unprintable(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests;
