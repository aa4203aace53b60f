//! What people read: a title, one sentence, the facts behind it and a link. Channels only lay it out.
//!
//! Everything here comes from the finding, whose texts were scrubbed when they were read; other people's bytes (user
//! agents, routes) are stripped of control characters and cut to length, and channels escape them.

use tokenwatch_model::{Finding, Response, ResponseAction, ResponseResult};
use url::Url;

use crate::channel::Outgoing;
use crate::occasion::Occasion;

/// The longest value of a fact, in characters.
const VALUE_LIMIT: usize = 400;
/// The longest summary, in characters.
const SUMMARY_LIMIT: usize = 1_000;
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
    /// The finding in the console.
    pub link: Option<String>,
    /// Said at the end: what this message is.
    pub footer: String,
}

impl Message {
    pub(crate) fn new(outgoing: &Outgoing, public_url: Option<&Url>) -> Self {
        let finding = &*outgoing.finding;
        let mut footer = format!("Tokenwatch · {} · {}", finding.id, outgoing.id);
        if outgoing.repeated {
            footer.push_str(" · possibly a repeat: an earlier attempt was interrupted");
        }
        Self {
            title: title(outgoing),
            summary: clean(&finding.summary, SUMMARY_LIMIT),
            facts: facts(finding, outgoing.response.as_ref()),
            link: public_url.map(|base| link(base, finding)),
            footer,
        }
    }
}

fn title(outgoing: &Outgoing) -> String {
    let finding = &*outgoing.finding;
    let token = finding.token.as_ref();
    let who = token
        .and_then(|token| token.consumer.clone())
        .or_else(|| token.and_then(|token| token.credential_id.clone()))
        .unwrap_or_else(|| finding.subject.id.clone());
    let severity = outgoing.severity.name().to_uppercase();
    let mark = match outgoing.occasion {
        Occasion::Opened => severity,
        Occasion::Escalated => format!("now {severity}"),
        Occasion::Closed => format!("{severity}, ended"),
    };
    format!("[{mark}] {}: {}", finding.detector, clean(&who, 80))
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
        ("Since", Some(since(finding))),
        ("How sure", Some(how_sure(finding))),
        ("Why", why(finding)),
        ("Usually", of_token(evidence.usual.as_ref())),
        ("Done already", Some(done(response))),
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
    let ResponseAction::Revoke = response.action;
    let target = clean(&response.target, 80);
    match response.result {
        ResponseResult::Intended => format!("{target} was asked to revoke the token"),
        ResponseResult::Delivered => format!("{target} took the request to revoke the token"),
        ResponseResult::Failed => format!(
            "revoking the token at {target} FAILED ({})",
            response.reason
        ),
        ResponseResult::WouldRespond => {
            format!("nothing; {target} would be asked to revoke the token if mode were enforce")
        }
        ResponseResult::Withheld => {
            format!("nothing; revoking was withheld ({})", response.reason)
        }
        ResponseResult::Unknown => {
            format!("{target} may have been asked to revoke the token; the outcome is unknown")
        }
    }
}

fn link(base: &Url, finding: &Finding) -> String {
    format!(
        "{}/findings/{}",
        base.as_str().trim_end_matches('/'),
        finding.id
    )
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
