//! `email`: SMTP, as text and HTML.
//!
//! The Message-ID is the notification's id, so that a mail that was sent again after a crash is the same mail to
//! clients and archives. Servers' texts stay out of logs and the ledger: they repeat addresses.

use std::error::Error;
use std::fmt::Write as _;
use std::time::Duration;

use lettre::message::{Mailbox, MultiPart, header};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::transport::smtp::{Error as SmtpError, PoolConfig};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message as Mail, Tokio1Executor};
use secrecy::ExposeSecret as _;

use super::{Delivery, Part, Payload};
use crate::config::{ChannelSettings, SmtpTls};
use crate::layout::Layout;
use crate::message::Message;
use crate::outgoing::Outgoing;

/// For each command; a mail takes about six.
const TIMEOUT: Duration = Duration::from_secs(15);
/// One worker sends one mail at a time.
const CONNECTIONS_LIMIT: u32 = 1;
/// Characters of the findings in one mail: with headers and encoding well below the 10 MB that servers take.
const MAIL_CHARS: usize = 2_000_000;
/// Servers close idle connections after a few minutes; RFC 5321 asks for five.
const IDLE_TIMEOUT: Duration = Duration::from_mins(1);

/// Mail to a circle of addresses.
pub(crate) struct EmailChannel {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    to: Vec<Mailbox>,
    layout: Layout,
}

impl EmailChannel {
    /// `settings` are those of an e-mail receiver.
    pub(super) fn new(settings: &ChannelSettings, layout: Layout) -> Result<Self, SmtpError> {
        let ChannelSettings::Email {
            host,
            port,
            tls,
            credentials,
            from,
            to,
        } = settings
        else {
            unreachable!("Channel::new hands over e-mail receivers alone");
        };
        let tls = match tls {
            SmtpTls::Starttls => Tls::Required(TlsParameters::new(host.clone())?),
            SmtpTls::Tls => Tls::Wrapper(TlsParameters::new(host.clone())?),
            SmtpTls::None => Tls::None,
        };
        let pool = PoolConfig::new()
            .max_size(CONNECTIONS_LIMIT)
            .idle_timeout(IDLE_TIMEOUT);
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
            .port(*port)
            .tls(tls)
            .timeout(Some(TIMEOUT))
            .pool_config(pool);
        if let Some((username, password)) = credentials {
            let password = password.expose_secret().to_owned();
            builder = builder.credentials(Credentials::new(username.clone(), password));
        }
        Ok(Self {
            transport: builder.build(),
            from: from.clone(),
            to: to.clone(),
            layout,
        })
    }

    /// As few mails as possible; each stays small enough for every server.
    pub(super) fn render(&self, outgoing: &Outgoing) -> Vec<Part> {
        Message::new(outgoing, &self.layout)
            .split(MAIL_CHARS, usize::MAX, |entry| {
                // As text and as HTML, with its markup.
                2 * (entry.title.len() + entry.summary.len() + entry.subject.len()) + 500
            })
            .into_iter()
            .map(|(items, message)| {
                Part::of_range(outgoing, items, Payload::Mail(Box::new(message)))
            })
            .collect()
    }

    pub(super) async fn send(&self, part: &Part) -> Delivery {
        let Payload::Mail(message) = &part.payload else {
            unreachable!("the channel renders mails alone");
        };
        let Ok(mail) = self.mail(&part.id, message) else {
            return Delivery::Rejected {
                reason: "mail_not_built".to_owned(),
            };
        };
        match self.transport.send(mail).await {
            Ok(_) => Delivery::Accepted,
            Err(error) => classify(&error),
        }
    }

    fn mail(&self, id: &str, message: &Message) -> Result<Mail, lettre::error::Error> {
        let domain = self.from.email.domain();
        let mut builder = Mail::builder()
            .from(self.from.clone())
            .subject(&message.title)
            .message_id(Some(format!("<{id}@{domain}>")))
            .header(AutoSubmitted);
        for mailbox in &self.to {
            builder = builder.to(mailbox.clone());
        }
        builder.multipart(MultiPart::alternative_plain_html(
            text(message),
            html(message),
        ))
    }
}

/// `Auto-Submitted: auto-generated` (RFC 3834) keeps out-of-office answers away.
#[derive(Clone, Debug)]
struct AutoSubmitted;

impl header::Header for AutoSubmitted {
    fn name() -> header::HeaderName {
        header::HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> header::HeaderValue {
        header::HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// 5yz answers stay; all else may pass.
fn classify(error: &SmtpError) -> Delivery {
    let reason = match error.status() {
        Some(code) => format!("smtp_{code}"),
        None if error.is_timeout() => "timeout".to_owned(),
        None if is_of_tls(error) => "tls".to_owned(),
        None => "no_connection".to_owned(),
    };
    if error.is_permanent() {
        Delivery::Rejected { reason }
    } else {
        Delivery::Retry {
            reason,
            after: None,
        }
    }
}

/// A handshake that fails is a lost connection to lettre; what it says below that is TLS's own error.
fn is_of_tls(error: &SmtpError) -> bool {
    let mut causes = std::iter::successors(error.source(), |&cause| cause.source());
    error.is_tls() || causes.any(<dyn Error>::is::<native_tls::Error>)
}

/// The mail as text.
pub(super) fn text(message: &Message) -> String {
    let mut text = format!("{}\n\n{}\n\n", message.title, message.summary);
    for (label, value) in &message.facts {
        writeln!(text, "{label}: {value}").expect("a String takes everything");
    }
    for entry in &message.entries {
        writeln!(
            text,
            "{}\n  {}\n  {}",
            entry.title,
            entry.summary,
            entry.link.as_ref().unwrap_or(&entry.id)
        )
        .expect("a String takes everything");
    }
    if let Some(link) = &message.link {
        write!(text, "\n{link}\n").expect("a String takes everything");
    }
    write!(text, "\n-- \n{}\n", message.footer).expect("a String takes everything");
    text
}

fn html(message: &Message) -> String {
    let mut rows = String::new();
    for (label, value) in &message.facts {
        write!(
            rows,
            "<tr><th align=\"left\" valign=\"top\" style=\"padding:2px 16px 2px 0;color:#57606a;font-weight:normal\">\
             {label}</th><td style=\"padding:2px 0\">{}</td></tr>",
            escape(value)
        )
        .expect("a String takes everything");
    }
    let mut entries = String::new();
    for entry in &message.entries {
        let title = match &entry.link {
            Some(link) => format!("<a href=\"{}\">{}</a>", escape(link), escape(&entry.title)),
            None => format!(
                "{} <small>{}</small>",
                escape(&entry.title),
                escape(&entry.id)
            ),
        };
        write!(
            entries,
            "<p style=\"margin:0 0 8px\"><b>{title}</b><br>{}<br>\
             <span style=\"color:#57606a\">{}</span></p>",
            escape(&entry.summary),
            escape(&entry.subject)
        )
        .expect("a String takes everything");
    }
    let link = message.link.as_ref().map_or(String::new(), |link| {
        format!("<p><a href=\"{}\">Open in Tokenwatch</a></p>", escape(link))
    });
    format!(
        "<!doctype html><html><body style=\"font:15px/1.5 sans-serif;color:#1f2328\">\
         <h2 style=\"font-size:17px;margin:0 0 8px\">{}</h2><p>{}</p>\
         <table style=\"border-collapse:collapse;font-size:14px\">{rows}</table>{entries}{link}\
         <p style=\"color:#8c959f;font-size:12px\">{}</p></body></html>\n",
        escape(&message.title),
        escape(&message.summary).replace('\n', "<br>"),
        escape(&message.footer)
    )
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests;
