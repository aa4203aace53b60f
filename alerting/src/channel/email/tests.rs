use url::Url;

use super::*;
use crate::testing::smtp_server::SmtpServer;
use crate::testing::{finding, outgoing_of, settings};

fn channel(port: u16, tls: &str) -> EmailChannel {
    let settings = settings(&format!(
        r#"
        [[receivers]]
        kind = "email"
        name = "log"
        host = "127.0.0.1"
        port = {port}
        tls = "{tls}"
        from = "Tokenwatch <tokenwatch@example.com>"
        to = ["ops@example.com", "Second Person <second@example.com>"]
        "#
    ));
    let base = Url::parse("https://tw.example.com").expect("a URL");
    EmailChannel::new(
        &settings.receivers[0].channel,
        Layout::new(Some(base), None),
    )
    .expect("a channel")
}

fn outgoing() -> Outgoing {
    let mut finding = finding(1);
    finding.summary = "ünusual <b>use</b>".to_owned();
    let mut outgoing = crate::testing::outgoing(finding);
    "ntf_0123".clone_into(&mut outgoing.id);
    outgoing
}

async fn send(channel: &EmailChannel) -> Delivery {
    let parts = channel.render(&outgoing());
    assert_eq!(parts.len(), 1);
    channel.send(&parts[0]).await
}

#[tokio::test]
async fn a_mail_has_both_parts_all_recipients_and_a_stable_id() {
    let mut server = SmtpServer::answering("250 fine").await;
    let channel = channel(server.port, "none");
    for _ in 0..2 {
        assert_eq!(send(&channel).await, Delivery::Accepted);
        let mail = server.mails.recv().await.expect("a mail");
        assert_eq!(
            mail.recipients,
            ["RCPT TO:<ops@example.com>", "RCPT TO:<second@example.com>"]
        );
        for part in [
            "Message-ID: <ntf_0123@example.com>",
            "Auto-Submitted: auto-generated",
            "Subject: [HIGH] rate_spike: acme",
            "Content-Type: text/plain; charset=utf-8",
            "Content-Type: text/html; charset=utf-8",
            "https://tw.example.com/findings/fnd_",
        ] {
            assert!(
                mail.content.contains(part),
                "{part} is missing:\n{}",
                mail.content
            );
        }
        assert!(
            !mail.content.contains("</b></p>"),
            "HTML is escaped:\n{}",
            mail.content
        );
    }
}

#[tokio::test]
async fn a_refused_recipient_is_final_and_a_busy_server_is_not() {
    let refusing = SmtpServer::answering("550 5.1.1 <ops@example.com> unknown").await;
    assert_eq!(
        send(&channel(refusing.port, "none")).await,
        Delivery::Rejected {
            reason: "smtp_550".to_owned()
        }
    );
    let busy = SmtpServer::answering("451 4.3.2 later").await;
    assert_eq!(
        send(&channel(busy.port, "none")).await,
        Delivery::Retry {
            reason: "smtp_451".to_owned(),
            after: None
        }
    );
}

#[tokio::test]
async fn without_starttls_nothing_is_sent_in_the_clear() {
    let mut server = SmtpServer::answering("250 fine").await;
    let delivery = send(&channel(server.port, "starttls")).await;
    assert!(!matches!(delivery, Delivery::Accepted), "{delivery:?}");
    assert!(server.mails.try_recv().is_err());
}

#[test]
fn html_is_escaped() {
    assert_eq!(
        escape("<a href='x'>\"&"),
        "&lt;a href=&#39;x&#39;&gt;&quot;&amp;"
    );
}

#[tokio::test]
async fn a_group_of_five_hundred_is_one_mail_that_names_them_all() {
    let mut server = SmtpServer::answering("250 fine").await;
    let channel = channel(server.port, "none");
    let parts = channel.render(&outgoing_of((1..=500).map(finding).collect()));
    assert_eq!(parts.len(), 1);
    let Payload::Mail(message) = &parts[0].payload else {
        panic!("a mail");
    };
    let text = text(message);
    for number in 1..=500 {
        let link = format!("https://tw.example.com/findings/{}", finding(number).id);
        assert!(text.contains(&link), "{link}");
    }
    assert_eq!(channel.send(&parts[0]).await, Delivery::Accepted);
    let mail = server.mails.recv().await.expect("a mail");
    assert!(mail.content.len() < 2_000_000);
    // RFC 5322, 2.1.1.
    assert!(mail.content.lines().all(|line| line.len() <= 998));
}
