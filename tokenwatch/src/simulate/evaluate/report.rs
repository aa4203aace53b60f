//! The evaluation as a table for people.

use std::io::{self, Write};

use tokenwatch_model::Severity;

use super::Evaluation;
use super::quiet::QuietRow;
use super::recall::Row;

impl Evaluation {
    /// Writes the whole report.
    pub(crate) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let traffic = &self.traffic;
        writeln!(
            out,
            "seed {}, {} mix, {} tokens, {} days, {} calls as {} logs them, {} attacks; {:.0} s, of which the engine {:.0} s; \
             {:.0} bytes of state per token",
            traffic.seed,
            traffic.mix,
            traffic.tokens,
            traffic.days,
            traffic.events,
            traffic.format,
            traffic.attacks,
            traffic.secs,
            traffic.engine_secs,
            traffic.state_bytes_per_token
        )?;
        writeln!(
            out,
            "\nRECALL: attacks found, in brackets how many of the same windows had a hit without the attack (placebo);\n\
             time and calls from the first call of the attack to the finding"
        )?;
        recall_head(out)?;
        for rows in [
            &self.recall.by_strength,
            &self.recall.by_ratio,
            &self.recall.by_owner,
            &self.recall.by_class,
            &self.recall.by_age,
        ] {
            write_rows(out, rows)?;
        }
        self.write_quiet(out)?;
        writeln!(out, "\nGATES")?;
        for gate in &self.gates {
            writeln!(
                out,
                "  {}  {}: {}",
                gate.verdict.name(),
                gate.name,
                gate.figure
            )?;
        }
        Ok(())
    }

    fn write_quiet(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(
            out,
            "\nFALSE FINDINGS, per 1,000 token-days (medium and graver with the exact 95 % interval)\n\
             {:30} {:>10} {:>5} {:>5} {:>6} {:>5} {:>8} {:>9} {:>9}  interval",
            "", "token-days", "info", "low", "medium", "high", "critical", "all", "medium+"
        )?;
        let quiet = &self.quiet;
        for row in quiet.classes.iter().chain([&quiet.ordinary]) {
            write_quiet_row(out, row)?;
        }
        writeln!(out, "Benign cases")?;
        for row in quiet.cases.iter().chain([&quiet.elsewhere]) {
            write_quiet_row(out, row)?;
        }
        if !quiet.told.is_empty() {
            writeln!(out, "The gravest of them")?;
        }
        let grave = quiet
            .told
            .iter()
            .filter(|told| told.severity >= Severity::Medium);
        for told in grave {
            writeln!(
                out,
                "  {} {} {} [{}] {}",
                told.at, told.severity, told.detector, told.row, told.summary
            )?;
        }
        Ok(())
    }
}

fn recall_head(out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "{:42} {:>4} {:>12} {:>12} {:>12} {:>9} {:>7} {:>9} {:>6} {:>9}",
        "", "n", "signal", "finding", "medium+", "time p50", "p95", "calls p50", "p95", "findings"
    )
}

fn write_rows(out: &mut dyn Write, rows: &[Row]) -> io::Result<()> {
    let mut last = "";
    for row in rows {
        if row.attack != last {
            writeln!(out, "{}", row.attack)?;
            last = &row.attack;
        }
        let cell = |found: usize, placebo: usize| {
            let share = found as f64 / row.count.max(1) as f64 * 100.0;
            if placebo == 0 {
                format!("{found} {share:.0}%")
            } else {
                format!("{found} {share:.0}% ({placebo})")
            }
        };
        let secs = |value: Option<f64>| {
            value.map_or_else(|| "-".to_owned(), |value| format!("{value:.0} s"))
        };
        let calls =
            |value: Option<usize>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
        writeln!(
            out,
            "  {:40} {:>4} {:>12} {:>12} {:>12} {:>9} {:>7} {:>9} {:>6} {:>9}",
            row.group,
            row.count,
            cell(row.signal, row.placebo_signal),
            cell(row.finding, row.placebo_finding),
            cell(row.medium, row.placebo_medium),
            secs(row.secs_median),
            secs(row.secs_p95),
            calls(row.calls_median),
            calls(row.calls_p95),
            row.findings_per_episode
                .map_or_else(|| "-".to_owned(), |count| format!("{count:.2}")),
        )?;
    }
    Ok(())
}

fn write_quiet_row(out: &mut dyn Write, row: &QuietRow) -> io::Result<()> {
    let [info, low, medium, high, critical] = row.findings;
    writeln!(
        out,
        "  {:28} {:>10} {:>5} {:>5} {:>6} {:>5} {:>8} {:>9.2} {:>9.3}  {:.3} to {:.3}",
        row.name,
        row.token_days,
        info,
        low,
        medium,
        high,
        critical,
        row.rate,
        row.medium_rate,
        row.medium_interval.0,
        row.medium_interval.1
    )
}
