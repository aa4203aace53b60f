//! Timelines on virtual time: what is told to whom at which second. A restart throws the desk away and fills a new one
//! from what the ledger holds.

mod groups;
mod people;
mod quiet;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use tokenwatch_model::{FindingMatcher, Severity, SubjectKind};

use super::*;
use crate::config::AlertingSettings;
use crate::testing::{NOW, finding, settings};

/// A desk, the ledger beside it, and a time that is moved by hand.
struct Timeline {
    settings: AlertingSettings,
    desk: Desk,
    ledger: Vec<Notification>,
    findings: BTreeMap<FindingId, Finding>,
    words: Vec<Acknowledgement>,
    silences: Vec<Silence>,
    now: u64,
    told: Vec<String>,
    /// Whether receivers take what they are sent.
    delivers: bool,
}

fn at(secs: u64) -> Timestamp {
    NOW + Duration::from_secs(secs)
}

impl Timeline {
    fn new(text: &str) -> Self {
        let settings = settings(text);
        Self {
            desk: desk(&settings),
            settings,
            ledger: Vec::new(),
            findings: BTreeMap::new(),
            words: Vec::new(),
            silences: Vec::new(),
            now: 0,
            told: Vec::new(),
            delivers: true,
        }
    }

    /// Lets time pass until `secs`; whatever is due meanwhile happens when it is due.
    fn until(&mut self, secs: u64) -> &mut Self {
        self.flush();
        while let Some(due) = self.desk.next_due().filter(|due| *due <= at(secs)) {
            let due = due.since(NOW).as_secs();
            assert!(due > self.now, "time moves on: {due}");
            self.now = due;
            self.flush();
        }
        self.now = secs;
        self
    }

    fn flush(&mut self) {
        // Outcomes of what departed may be reason for more.
        for _ in 0..10 {
            let departures = self.desk.flush(at(self.now));
            self.take(departures);
            if self.desk.next_due().is_none_or(|due| due > at(self.now)) {
                return;
            }
        }
        panic!("there is always more to do at {} s", self.now);
    }

    fn take(&mut self, departures: Vec<Departure>) {
        for departure in departures {
            for line in &departure.lines {
                self.record(line.clone());
            }
            let Some(message) = departure.message else {
                continue;
            };
            let what: Vec<String> = message
                .items
                .iter()
                .map(|item| format!("{} {}", item.occasion.name(), item.finding.id.bits()))
                .collect();
            let what = match &message.notice {
                Some(notice) => notice.title.clone(),
                None => what.join(", "),
            };
            self.told
                .push(format!("{}s {}: {what}", self.now, message.receiver));
            if !self.delivers {
                continue;
            }
            let lines: Vec<Notification> = self
                .ledger
                .iter()
                .filter(|line| line.id == message.id)
                .cloned()
                .collect();
            for line in lines {
                let sent = Notification {
                    at: at(self.now),
                    result: NotificationResult::Sent,
                    ..line
                };
                self.record(sent.clone());
                self.desk.wrote(&sent, at(self.now));
            }
        }
    }

    fn record(&mut self, line: Notification) {
        self.ledger
            .retain(|known| (&known.id, known.finding_id) != (&line.id, line.finding_id));
        self.ledger.push(line);
    }

    fn see(&mut self, mut finding: Finding) -> &mut Self {
        let known = self.findings.get(&finding.id);
        finding.revision = known.map_or(1, |known| known.revision + 1);
        finding.last_event_at = at(self.now);
        self.findings.insert(finding.id, finding.clone());
        self.desk.observe(finding, Vec::new(), at(self.now));
        self.flush();
        self
    }

    fn open(&mut self, number: u128) -> &mut Self {
        self.see(finding(number))
    }

    fn open_as(&mut self, number: u128, change: impl Fn(&mut Finding)) -> &mut Self {
        let mut opened = finding(number);
        change(&mut opened);
        self.see(opened)
    }

    fn rise(&mut self, number: u128, severity: Severity) -> &mut Self {
        let mut graver = self.findings[&FindingId::from_bits(number)].clone();
        graver.severity = severity;
        self.see(graver)
    }

    fn close(&mut self, number: u128) -> &mut Self {
        let mut closed = self.findings[&FindingId::from_bits(number)].clone();
        closed.status = FindingStatus::Closed;
        self.see(closed)
    }

    fn silence(&mut self, from: u64, to: u64, consumer: &str) -> &mut Self {
        self.silences.push(Silence {
            id: format!("sil_{from}_{to}"),
            starts_at: at(from),
            ends_at: at(to),
            created_by: "ann".to_owned(),
            reason: "load test".to_owned(),
            matcher: FindingMatcher {
                consumers: vec![consumer.to_owned()],
                ..FindingMatcher::default()
            },
        });
        self.desk.set_silences(self.silences.clone(), at(self.now));
        self
    }

    fn acknowledge(&mut self, subject: &str) -> &mut Self {
        self.words.push(Acknowledgement {
            subject: subject.to_owned(),
            at: at(self.now),
            actor: "ann".to_owned(),
            is_withdrawn: false,
        });
        self.desk
            .set_acknowledgements(self.words.clone(), at(self.now));
        self
    }

    /// Kills the process and starts the next one, which knows what the ledger and the store hold.
    fn restart(&mut self) -> &mut Self {
        self.desk = desk(&self.settings);
        let now = at(self.now);
        self.desk.set_silences(self.silences.clone(), now);
        self.desk.set_acknowledgements(self.words.clone(), now);
        let notices: Vec<Notification> = self
            .ledger
            .iter()
            .filter(|line| line.finding_id == FindingId::NIL)
            .cloned()
            .collect();
        self.desk.learn_notices(&notices);
        for finding in self.findings.values() {
            let lines = self
                .ledger
                .iter()
                .filter(|line| line.finding_id == finding.id);
            self.desk
                .observe(finding.clone(), lines.cloned().collect(), now);
        }
        let departures = self.desk.resume(now);
        self.take(departures);
        self.flush();
        self
    }

    /// What was told since this was asked last.
    fn told(&mut self) -> Vec<String> {
        std::mem::take(&mut self.told)
    }

    /// The ledger's lines with this result, as `receiver finding reason`.
    fn lines(&self, result: NotificationResult) -> Vec<String> {
        self.ledger
            .iter()
            .filter(|line| line.result == result)
            .map(|line| {
                format!(
                    "{} {} {}",
                    line.receiver,
                    line.finding_id.bits(),
                    line.reason
                )
            })
            .collect()
    }
}

fn desk(settings: &AlertingSettings) -> Desk {
    let notices = NoticePolicy {
        receivers: settings.notices_to.clone(),
        silence_warning: settings.silence_warning,
    };
    Desk::new(Arc::clone(&settings.routing), settings.max_age, notices)
}

/// Receivers of these names, all of them logs that hear of ends.
fn receivers(names: &[&str]) -> String {
    let mut text = String::new();
    for name in names {
        text.push_str("[[receivers]]\nkind = \"log\"\nsend_closed = true\n");
        writeln!(text, "name = \"{name}\"").expect("a String takes everything");
    }
    text
}

fn config(names: &[&str], routes: &str) -> String {
    format!("{}{routes}", receivers(names))
}
