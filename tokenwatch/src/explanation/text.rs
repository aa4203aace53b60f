//! An account in words, for a terminal.

use std::io::{self, Write};
use std::time::Duration;

use tokenwatch_model::{
    DetectorVerdict, DetectorView, ExplainedFigure, Explanation, Finding, NotificationResult,
    ResponseAction, Timestamp,
};

use super::{Account, Told};

/// Figures told of each detector.
const FIGURES_TOLD: usize = 3;

/// Writes `account` for people.
pub(crate) fn write(out: &mut dyn Write, account: &Account) -> io::Result<()> {
    write_head(out, account)?;
    if let Some(explanation) = &account.explanation {
        write_detectors(out, explanation, &account.findings)?;
    }
    for told in &account.findings {
        let told_of = account.explanation.as_ref().is_some_and(|explanation| {
            let mut views = explanation.detectors.iter();
            views.any(|view| view.finding_id == Some(told.finding.id))
        });
        if !told_of {
            writeln!(
                out,
                "\nstored, and not found again with this configuration:"
            )?;
            write_finding(out, &told.finding)?;
            write_ledger(out, told)?;
        }
    }
    write_surroundings(out, account)
}

fn write_head(out: &mut dyn Write, account: &Account) -> io::Result<()> {
    let token = &account.token;
    write!(out, "{}", token.id)?;
    if let Some(name) = &token.credential_id {
        write!(out, ", {name}")?;
    }
    if let Some(consumer) = &token.consumer {
        write!(out, " of {consumer}")?;
    }
    writeln!(out, ", as of {}", time(account.at))?;
    let events = &account.events;
    let (Some(first), Some(last)) = (events.first, events.last) else {
        return writeln!(
            out,
            "no event of this token is stored between {} and then",
            time(events.since)
        );
    };
    writeln!(
        out,
        "{} stored events since {}, the newest at {}",
        events.count,
        time(first),
        time(last)
    )?;
    let Some(explanation) = &account.explanation else {
        return Ok(());
    };
    writeln!(
        out,
        "{} days of habit ({} needed); evidence {:.1} dB in {} families, {} of them hard",
        explanation.baseline_days,
        explanation.mature_days,
        explanation.evidence_db,
        explanation.families,
        explanation.hard_families
    )
}

fn write_detectors(
    out: &mut dyn Write,
    explanation: &Explanation,
    stored: &[Told],
) -> io::Result<()> {
    let mut views: Vec<&DetectorView> = explanation.detectors.iter().collect();
    // Stable: the order of the documentation within one verdict.
    views.sort_by_key(|view| rank(view.verdict));
    for view in views {
        let severity = view.severity.map(|severity| format!(", {severity}"));
        writeln!(
            out,
            "\n{}: {}{}",
            view.detector,
            words(view.verdict),
            severity.unwrap_or_default()
        )?;
        writeln!(out, "  {}", view.reason)?;
        for figure in view.figures.iter().take(FIGURES_TOLD) {
            write_figure(out, figure)?;
        }
        let Some(id) = view.finding_id else { continue };
        match stored.iter().find(|told| told.finding.id == id) {
            Some(told) => {
                writeln!(out, "  {id} is stored, {}", told.finding.severity)?;
                write_ledger(out, told)?;
            }
            None => writeln!(
                out,
                "  {id} is not stored: the service had another configuration then, or has not read these events"
            )?,
        }
    }
    Ok(())
}

fn write_figure(out: &mut dyn Write, figure: &ExplainedFigure) -> io::Result<()> {
    write!(out, "  {} {}", figure.observed, figure.name)?;
    if let Some(expected) = figure.expected {
        write!(out, ", {expected} expected")?;
    }
    if let Some(threshold) = figure.threshold {
        write!(out, ", looked at from {threshold} on")?;
    }
    writeln!(out)
}

fn write_finding(out: &mut dyn Write, finding: &Finding) -> io::Result<()> {
    writeln!(
        out,
        "  {}, {}, {}, {} to {}: {}",
        finding.id,
        finding.detector,
        finding.severity,
        time(finding.first_event_at),
        time(finding.last_event_at),
        finding.summary
    )
}

/// Who was told, and who was not, and why.
fn write_ledger(out: &mut dyn Write, told: &Told) -> io::Result<()> {
    if told.notifications.is_empty() {
        writeln!(out, "  nobody was told of it")?;
    }
    for line in &told.notifications {
        // That a message was begun is of interest only while its end is not known.
        let ended = |other: &tokenwatch_model::Notification| {
            other.id == line.id && other.result != NotificationResult::Sending
        };
        if line.result == NotificationResult::Sending && told.notifications.iter().any(ended) {
            continue;
        }
        let reason = match line.reason.as_str() {
            "" => String::new(),
            reason => format!(": {reason}"),
        };
        writeln!(
            out,
            "  {} {} ({}), {}{reason}",
            line.result.name(),
            line.receiver,
            line.channel,
            time(line.at)
        )?;
    }
    for line in &told.responses {
        let reason = match line.reason.as_str() {
            "" => String::new(),
            reason => format!(": {reason}"),
        };
        writeln!(
            out,
            "  {} {} at {}, {}{reason}",
            match line.action {
                ResponseAction::Throttle => "throttle",
                ResponseAction::Restrict => "restriction",
                ResponseAction::Suspend => "suspension",
                ResponseAction::Revoke => "revocation",
            },
            line.result.name(),
            line.target,
            time(line.at)
        )?;
    }
    Ok(())
}

fn write_surroundings(out: &mut dyn Write, account: &Account) -> io::Result<()> {
    if !account.fleet.is_empty() {
        writeln!(
            out,
            "\nthe whole fleet was in trouble; soft findings of single tokens are held back meanwhile:"
        )?;
    }
    for finding in &account.fleet {
        write_finding(out, finding)?;
    }
    let arrivals = &account.arrivals;
    if arrivals.late > 0 {
        writeln!(
            out,
            "\n{} of its {} events of the day before were stored more than 10 min after they happened, the last of them {} late",
            arrivals.late,
            arrivals.events,
            length(Duration::from_secs(arrivals.longest_s.unsigned_abs()))
        )?;
    }
    if arrivals.ahead > 0 {
        writeln!(
            out,
            "\n{} of its events carry times too far ahead to be believed; they count for nothing",
            arrivals.ahead
        )?;
    }
    for gap in &account.gaps {
        writeln!(
            out,
            "\nno event of any token is stored from {} to {} ({})",
            time(gap.from),
            time(gap.to),
            length(gap.to.since(gap.from))
        )?;
    }
    Ok(())
}

/// What is told first.
const fn rank(verdict: DetectorVerdict) -> u8 {
    match verdict {
        DetectorVerdict::Finding => 0,
        DetectorVerdict::Signal => 1,
        DetectorVerdict::Unconfirmed => 2,
        DetectorVerdict::CommonMode => 3,
        DetectorVerdict::Excepted => 4,
        DetectorVerdict::Learning => 5,
        DetectorVerdict::BelowThreshold => 6,
        DetectorVerdict::NoData => 7,
        DetectorVerdict::Off => 8,
    }
}

const fn words(verdict: DetectorVerdict) -> &'static str {
    match verdict {
        DetectorVerdict::Finding => "finding",
        DetectorVerdict::Signal => "signal only",
        DetectorVerdict::Unconfirmed => "not confirmed yet",
        DetectorVerdict::CommonMode => "suppressed, for it happened to many",
        DetectorVerdict::Excepted => "excepted",
        DetectorVerdict::Learning => "still learning",
        DetectorVerdict::BelowThreshold => "below threshold",
        DetectorVerdict::NoData => "no data for it",
        DetectorVerdict::Off => "off",
    }
}

/// A time to the second.
pub(crate) fn time(time: Timestamp) -> String {
    let text = time.to_string();
    format!("{} UTC", text[..19.min(text.len())].replace('T', " "))
}

/// A length in its two largest units.
fn length(length: Duration) -> String {
    let whole = Duration::from_secs(length.as_secs());
    let text = humantime::format_duration(whole).to_string();
    let parts: Vec<&str> = text.split(' ').take(2).collect();
    parts.join(" ")
}
