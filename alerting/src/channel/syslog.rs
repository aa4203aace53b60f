//! `syslog`: RFC 5424 messages, over TLS or TCP with octet counting (RFC 5425, RFC 6587) or over UDP; the text is
//! either for people with structured data, or CEF for SIEMs.
//!
//! Each finding is one message. Collectors take 2,048 octets at least by the RFC's advice and 8,192 as a rule; what is
//! over the transport's limit is cut from the summary, never from the ids. TCP and UDP say nothing of delivery: a
//! message counts as sent once the operating system took it, and a connection that broke is opened anew.

use std::fmt::Write as _;
use std::time::Duration;

use tokenwatch_model::{Severity, Timestamp};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpStream, UdpSocket, lookup_host};
use tokio::time::timeout;
use tokio_native_tls::{TlsConnector, TlsStream};

use super::{Delivery, Part, Payload, ocsf};
use crate::config::{SyslogFormat, SyslogSettings, SyslogTransport};
use crate::http::is_public;
use crate::message::clean;
use crate::occasion::Occasion;
use crate::outgoing::{Item, Outgoing};

/// To connect, and to write.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Octets of one message over TCP and TLS: what rsyslog takes unless told otherwise.
const STREAM_LIMIT: usize = 8_192;
/// Octets of one message over UDP: what RFC 5424 advises every collector to take.
const DATAGRAM_LIMIT: usize = 2_048;
/// The enterprise number of structured data: 32473 is reserved for documentation and private use.
const STRUCTURED_ID: &str = "tokenwatch@32473";
/// `security/authorization messages`, as RFC 5424 numbers them.
const FACILITY: u8 = 4;

/// A syslog collector.
pub(crate) struct SyslogChannel {
    settings: SyslogSettings,
    connector: Option<TlsConnector>,
    connection: Option<Connection>,
}

/// An open connection.
enum Connection {
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    Udp(UdpSocket),
}

/// Why nothing was sent.
enum Failure {
    Blocked,
    Unreachable,
    TimedOut,
    Tls,
    Broken,
}

impl SyslogChannel {
    pub(super) fn new(settings: SyslogSettings) -> Result<Self, native_tls::Error> {
        let connector = match settings.transport {
            SyslogTransport::Tls => Some(native_tls::TlsConnector::new()?.into()),
            SyslogTransport::Tcp | SyslogTransport::Udp => None,
        };
        Ok(Self {
            settings,
            connector,
            connection: None,
        })
    }

    pub(super) fn render(&self, message: &Outgoing) -> Vec<Part> {
        let limit = match self.settings.transport {
            SyslogTransport::Udp => DATAGRAM_LIMIT,
            SyslogTransport::Tcp | SyslogTransport::Tls => STREAM_LIMIT,
        };
        Part::each(message, |id, item| {
            let line = match item {
                Some(item) => self.line(id, item, limit),
                None => self.notice(message),
            };
            Payload::Body(line.into_bytes())
        })
    }

    pub(super) async fn send(&mut self, part: &Part, _: Timestamp) -> Delivery {
        let Payload::Body(body) = &part.payload else {
            unreachable!("the channel renders lines alone");
        };
        // A collector that closed an idle connection tells only by breaking it: then once more, on a new one.
        let was_open = self.connection.is_some();
        let result = match self.write(body).await {
            Err(Failure::Broken) if was_open => self.write(body).await,
            result => result,
        };
        match result {
            Ok(()) => Delivery::Accepted,
            Err(failure) => failure.delivery(),
        }
    }

    async fn write(&mut self, line: &[u8]) -> Result<(), Failure> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let written = timeout(TIMEOUT, connection.write(line))
            .await
            .map_err(|_| Failure::TimedOut)?;
        written.map_err(|_| Failure::Broken)?;
        self.connection = Some(connection);
        Ok(())
    }

    async fn connect(&self) -> Result<Connection, Failure> {
        let settings = &self.settings;
        let found = lookup_host((settings.host.as_str(), settings.port))
            .await
            .map_err(|_| Failure::Unreachable)?;
        let allowed: Vec<_> = found
            .filter(|address| settings.allow_private || is_public(address.ip()))
            .collect();
        if allowed.is_empty() {
            return Err(Failure::Blocked);
        }
        if settings.transport == SyslogTransport::Udp {
            let local = if allowed[0].is_ipv6() {
                "[::]:0"
            } else {
                "0.0.0.0:0"
            };
            let socket = UdpSocket::bind(local)
                .await
                .map_err(|_| Failure::Unreachable)?;
            socket
                .connect(allowed[0])
                .await
                .map_err(|_| Failure::Unreachable)?;
            return Ok(Connection::Udp(socket));
        }
        let stream = timeout(TIMEOUT, TcpStream::connect(allowed.as_slice()))
            .await
            .map_err(|_| Failure::TimedOut)?
            .map_err(|_| Failure::Unreachable)?;
        match &self.connector {
            None => Ok(Connection::Tcp(stream)),
            Some(connector) => timeout(TIMEOUT, connector.connect(&settings.host, stream))
                .await
                .map_err(|_| Failure::TimedOut)?
                .map(|stream| Connection::Tls(Box::new(stream)))
                .map_err(|_| Failure::Tls),
        }
    }

    fn line(&self, id: &str, item: &Item, limit: usize) -> String {
        let finding = &*item.finding;
        let header = header(
            item.severity,
            finding.detected_at,
            &self.settings.hostname,
            item.occasion,
        );
        match self.settings.format {
            SyslogFormat::Rfc5424 => {
                let data = structured(id, item);
                let head = format!("{header} {data} ");
                cut(head, &clean(&finding.summary, limit), limit)
            }
            SyslogFormat::Cef => {
                let (head, tail) = cef(id, item);
                let head = format!("{header} - {head} msg=");
                let room = limit.saturating_sub(tail.len());
                cut(head, &cef_value(&clean(&finding.summary, room)), room) + &tail
            }
            // Whoever parses JSON wants it whole; a collector that takes less has to be told so.
            SyslogFormat::Ocsf => {
                format!("{header} - {}", ocsf::detection_finding(item, id))
            }
        }
    }

    fn notice(&self, message: &Outgoing) -> String {
        let notice = message.notice.as_ref();
        let header = header(
            message.severity,
            Timestamp::default(),
            &self.settings.hostname,
            Occasion::Notice,
        );
        let text = notice.map_or_else(String::new, |notice| {
            format!("{}: {}", notice.title, notice.text)
        });
        format!("{header} - {}", clean(&text, 1_000))
    }
}

impl Connection {
    async fn write(&mut self, line: &[u8]) -> std::io::Result<()> {
        match self {
            Self::Udp(socket) => socket.send(line).await.map(|_| ()),
            Self::Tcp(stream) => {
                stream.write_all(&counted(line)).await?;
                stream.flush().await
            }
            Self::Tls(stream) => {
                stream.write_all(&counted(line)).await?;
                stream.flush().await
            }
        }
    }
}

impl Failure {
    fn delivery(self) -> Delivery {
        let reason = match self {
            Self::Blocked => {
                return Delivery::Rejected {
                    reason: "blocked_address".to_owned(),
                };
            }
            Self::Unreachable => "no_connection",
            Self::TimedOut => "timeout",
            Self::Tls => "tls",
            Self::Broken => "connection_broken",
        };
        Delivery::Retry {
            reason: reason.to_owned(),
            after: None,
        }
    }
}

/// `length line`: octet counting, so that a line may hold anything.
fn counted(line: &[u8]) -> Vec<u8> {
    let mut frame = format!("{} ", line.len()).into_bytes();
    frame.extend_from_slice(line);
    frame
}

/// `<PRI>1 TIMESTAMP HOSTNAME APP-NAME PROCID MSGID`.
fn header(severity: Severity, at: Timestamp, hostname: &str, occasion: Occasion) -> String {
    let level = match severity {
        Severity::Critical => 2,
        Severity::High => 3,
        Severity::Medium => 4,
        Severity::Low => 5,
        Severity::Info => 6,
    };
    let priority = FACILITY * 8 + level;
    let at = if at == Timestamp::default() {
        "-".to_owned()
    } else {
        at.to_string()
    };
    format!(
        "<{priority}>1 {at} {hostname} tokenwatch - finding.{}",
        occasion.name()
    )
}

/// `[tokenwatch@32473 id="…" …]`.
fn structured(id: &str, item: &Item) -> String {
    let finding = &*item.finding;
    let token = finding.token.as_ref();
    let mut data = format!("[{STRUCTURED_ID}");
    let mut parameter = |name: &str, value: &str| {
        let mut escaped = String::with_capacity(value.len());
        for character in clean(value, 200).chars() {
            if matches!(character, '"' | '\\' | ']') {
                escaped.push('\\');
            }
            escaped.push(character);
        }
        write!(data, " {name}=\"{escaped}\"").expect("a String takes everything");
    };
    parameter("notification", id);
    parameter("finding", &finding.id.to_string());
    parameter("detector", finding.detector.name());
    parameter("severity", item.severity.name());
    parameter("confidence", &format!("{:.2}", finding.confidence));
    parameter("subject", &finding.subject.id);
    for (name, value) in [
        (
            "credential",
            token.and_then(|token| token.credential_id.as_deref()),
        ),
        (
            "consumer",
            token.and_then(|token| token.consumer.as_deref()),
        ),
        ("owner", token.and_then(|token| token.owner.as_deref())),
        ("incident", finding.incident_id.as_deref()),
    ] {
        if let Some(value) = value {
            parameter(name, value);
        }
    }
    data.push(']');
    data
}

/// The CEF header with the extensions before the summary, and those behind it.
fn cef(id: &str, item: &Item) -> (String, String) {
    let finding = &*item.finding;
    let level = match item.severity {
        Severity::Critical => 10,
        Severity::High => 8,
        Severity::Medium => 6,
        Severity::Low => 3,
        Severity::Info => 1,
    };
    let head = format!(
        "CEF:0|Tokenwatch|Tokenwatch|{}|{}|{}|{level}|externalId={} cs1Label=notification cs1={} act={} cnt={} start={} end={}",
        env!("CARGO_PKG_VERSION"),
        finding.detector,
        cef_header(&format!("{} {}", finding.detector, item.occasion.name())),
        finding.id,
        id,
        item.occasion.name(),
        finding.event_count,
        finding.first_event_at.as_millis(),
        finding.last_event_at.as_millis(),
    );
    let token = finding.token.as_ref();
    let mut tail = String::new();
    let mut extension = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            let value = cef_value(&clean(value, 200));
            write!(tail, " {name}={value}").expect("a String takes everything");
        }
    };
    extension(
        "src",
        finding.evidence.source_ips.first().map(String::as_str),
    );
    extension("suid", token.map(|token| token.id.to_string()).as_deref());
    extension("suser", token.and_then(|token| token.consumer.as_deref()));
    extension(
        "requestClientApplication",
        finding.evidence.user_agents.first().map(String::as_str),
    );
    extension(
        "request",
        finding.evidence.routes.first().map(String::as_str),
    );
    if let Some(incident) = &finding.incident_id {
        extension("cs2Label", Some("incident"));
        extension("cs2", Some(incident));
    }
    (head, tail)
}

fn cef_header(text: &str) -> String {
    text.replace('\\', "\\\\").replace('|', "\\|")
}

fn cef_value(text: &str) -> String {
    text.replace('\\', "\\\\").replace('=', "\\=")
}

/// `head` and as much of `text` as stays within `limit` octets.
fn cut(head: String, text: &str, limit: usize) -> String {
    let mut line = head;
    for character in text.chars() {
        if line.len() + character.len_utf8() > limit {
            break;
        }
        line.push(character);
    }
    line
}

#[cfg(test)]
mod tests;
