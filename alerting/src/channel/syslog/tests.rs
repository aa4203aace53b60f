use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;

use super::*;
use crate::testing::{NOW, channel, finding, outgoing, outgoing_of};

fn receiver(format: &str, transport: &str, port: u16) -> String {
    format!(
        "kind = \"syslog\"\nhost = \"127.0.0.1\"\nport = {port}\ntransport = \"{transport}\"\nformat = \"{format}\"\n\
         hostname = \"tw-1\"\nallow_private = true"
    )
}

fn line(format: &str, transport: &str, outgoing: &Outgoing) -> String {
    let parts = channel(&receiver(format, transport, 6514)).render(outgoing);
    match &parts[0].payload {
        Payload::Body(body) => String::from_utf8(body.clone()).expect("UTF-8"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_message_is_laid_out_as_rfc_5424_says() {
    let line = line("rfc5424", "tcp", &outgoing(finding(1)));
    let at = finding(1).detected_at;
    let head = format!(
        "<35>1 {at} tw-1 tokenwatch - finding.opened [tokenwatch@32473 notification=\"ntf_"
    );
    assert!(line.starts_with(&head), "{line}");
    assert!(line.contains(" consumer=\"acme\""), "{line}");
    assert!(
        line.ends_with("] acme's key makes 70 times its usual calls"),
        "{line}"
    );
}

#[test]
fn other_peoples_texts_stay_in_their_field() {
    let mut hostile = finding(1);
    hostile.token.as_mut().expect("a token").consumer = Some("a\"] x\\=y|\n<0>1".to_owned());
    let quoted = line("rfc5424", "tcp", &outgoing(hostile.clone()));
    assert!(
        quoted.contains("consumer=\"a\\\"\\] x\\\\=y| <0>1\""),
        "{quoted}"
    );
    let cef = line("cef", "tcp", &outgoing(hostile));
    assert!(cef.contains("suser=a\"] x\\\\\\=y| <0>1"), "{cef}");
    assert_eq!(cef.lines().count(), 1);
}

#[test]
fn cef_has_its_header_and_the_ids() {
    let line = line("cef", "tcp", &outgoing(finding(1)));
    let version = env!("CARGO_PKG_VERSION");
    let head = format!(
        "- CEF:0|Tokenwatch|Tokenwatch|{version}|rate_spike|rate_spike opened|8|externalId=fnd_00000000000000000000000001"
    );
    assert!(line.contains(&head), "{line}");
    assert!(
        line.contains(" msg=acme's key makes 70 times its usual calls suid=tok_"),
        "{line}"
    );
}

#[test]
fn what_is_too_long_is_cut_from_the_summary_alone() {
    let mut long = finding(1);
    long.summary = "ä".repeat(20_000);
    for (format, transport, limit) in [
        ("rfc5424", "udp", 2_048),
        ("cef", "udp", 2_048),
        ("rfc5424", "tls", 8_192),
        ("cef", "tcp", 8_192),
    ] {
        let line = line(format, transport, &outgoing(long.clone()));
        assert!((limit - 4..=limit).contains(&line.len()), "{}", line.len());
        assert!(line.contains("fnd_00000000000000000000000001"));
        assert!(line.contains("acme"), "{line}");
    }
}

#[tokio::test]
async fn over_tcp_messages_are_counted_and_a_broken_connection_is_opened_anew() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let mut channel = channel(&receiver("rfc5424", "tcp", port));
    let parts = channel.render(&outgoing_of((1..=2).map(finding).collect()));
    assert_eq!(parts.len(), 2);
    for part in &parts {
        assert_eq!(channel.send(part, NOW).await, Delivery::Accepted);
    }
    let (mut stream, _) = listener.accept().await.expect("a connection");
    let mut bytes = vec![0; 4_096];
    let mut text = String::new();
    while text.matches("usual calls").count() < 2 {
        let read = stream.read(&mut bytes).await.expect("octets");
        text.push_str(std::str::from_utf8(&bytes[..read]).expect("UTF-8"));
    }
    let mut rest = text.as_str();
    for part in &parts {
        let Payload::Body(body) = &part.payload else {
            panic!("a line");
        };
        let (count, after) = rest.split_once(' ').expect("a count");
        assert_eq!(count, body.len().to_string());
        assert_eq!(&after.as_bytes()[..body.len()], body);
        rest = &after[body.len()..];
    }
    assert!(rest.is_empty());
    drop(listener);
    drop(stream);
    // The first write into a connection that the other side closed may still be taken; soon one is not.
    let mut last = Delivery::Accepted;
    for _ in 0..50 {
        last = channel.send(&parts[0], NOW).await;
        if last != Delivery::Accepted {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(
        last,
        Delivery::Retry {
            reason: "no_connection".to_owned(),
            after: None
        }
    );
}
