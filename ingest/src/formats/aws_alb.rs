//! AWS Application Load Balancer: the access log, text.
//!
//! Fields and their order from "Access logs for your Application Load Balancer"; new ones are appended, so a line may end
//! anywhere behind `request_creation_time`, which is there since 2018. Traps: the first time is that of the response, the call began at the one near the end;
//! times are seconds, and -1 when the target was not reached or the client went away; the request holds a whole URL with
//! a port; quotes inside of texts are written as `\x22`. There is no credential but one in the query.

use tokenwatch_model::Text;

use super::url;
use crate::call::Call;
use crate::json::{self, Scalar};

/// What a line begins with.
const SCHEMES: [&str; 6] = ["http", "https", "h2", "grpcs", "ws", "wss"];
/// The client closed the connection before it was answered.
const CLIENT_CLOSED: u64 = 460;

/// Whether `line` begins like one: `https 2025-…`.
pub(crate) fn is_line(line: &str) -> bool {
    line.split_once(' ').is_some_and(|(scheme, rest)| {
        SCHEMES.contains(&scheme)
            && matches!(rest.as_bytes(), [a, b, c, d, b'-', ..] if [a, b, c, d].iter().all(|digit| digit.is_ascii_digit()))
    })
}

/// Reads a line.
pub(crate) fn read(line: &str) -> Option<Call<'_>> {
    if !is_line(line) {
        return None;
    }
    let mut fields = Words(line);
    let mut next = || fields.next();
    let (scheme, answered_at, balancer) = (next()?, next()?, next()?);
    let (client, _target) = (next()?, next()?);
    let seconds = [next()?, next()?, next()?];
    let (status, _target_status) = (next()?, next()?);
    let (received, sent) = (next()?, next()?);
    let mut call = Call {
        gateway: present(balancer),
        peer: present(client),
        status: status
            .parse()
            .ok()
            .filter(|status| *status != CLIENT_CLOSED),
        bytes_in: received.parse().ok(),
        bytes_out: sent.parse().ok(),
        latency_ms: latency_ms(seconds),
        is_plaintext: matches!(scheme, "http" | "ws"),
        ..Call::default()
    };
    read_request(&mut call, next()?)?;
    call.user_agent = next().and_then(present);
    let _cipher = next();
    call.tls_version = next().and_then(present);
    let _target_group = next();
    call.request_id = next().and_then(present);
    // The name of the server, its certificate and the rule. A line that was cut before the time behind them may have lost
    // the end of a secret, by which the rest of it would be known.
    let created_at = fields.nth(3)?;
    call.time.set(&Scalar::Text(answered_at.into()));
    call.time.set(&Scalar::Text(created_at.into()));
    Some(call)
}

/// `GET https://api.example.com:443/v1/orders HTTP/1.1`; `- http://…:80- -` if the request could not be read.
///
/// Anything else means that a quote is missing and the words have moved: the line is refused, because the URL would pass
/// for another field.
fn read_request<'a>(call: &mut Call<'a>, request: &'a str) -> Option<()> {
    let (method, rest) = request.split_once(' ')?;
    let (target, protocol) = rest.rsplit_once(' ')?;
    let is_method = method == "-" || method.bytes().all(|byte| byte.is_ascii_uppercase());
    let is_protocol = protocol == "-" || protocol.starts_with("HTTP/");
    if method.is_empty() || !is_method || !is_protocol {
        return None;
    }
    call.method = present(method);
    if call.method.is_some() {
        call.target = present(target);
        call.host = call.target.as_ref().and_then(url::host_of);
    }
    Some(())
}

/// How long it took, if every part of it is known.
fn latency_ms(seconds: [&str; 3]) -> Option<f64> {
    let mut sum = 0.0;
    for part in seconds {
        sum += part.parse::<f64>().ok().filter(|part| *part >= 0.0)?;
    }
    Some(sum * 1e3)
}

fn present(text: &str) -> Option<Text<'_>> {
    (!json::is_missing(text)).then_some(Text::Borrowed(text))
}

/// The words of a line; those in quotes may hold blanks.
struct Words<'a>(&'a str);

impl<'a> Iterator for Words<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let rest = self.0.trim_start_matches(' ');
        if rest.is_empty() {
            return None;
        }
        let (word, rest) = match rest.strip_prefix('"') {
            // Cut off inside of quotes, there is no word.
            Some(quoted) => quoted.split_once('"')?,
            None => rest.split_once(' ').unwrap_or((rest, "")),
        };
        self.0 = rest;
        Some(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"https 2025-11-22T06:40:00.186641Z app/a/5 203.0.113.7:2817 10.0.0.1:80 0.086 0.048 0.037 200 200 412 1873 "GET https://api.example.com:443/v1/orders?limit=10 HTTP/1.1" "acme-sdk/2.1" ECDHE TLSv1.2 arn:x "Root=1-5" "api.example.com" "arn:y" 1 2025-11-22T06:40:00.015000Z "forward""#;

    #[test]
    fn a_line_may_end_anywhere_behind_the_time_and_nowhere_before() {
        let time = LINE.find("2025-11-22T06:40:00.015000Z").unwrap();
        for end in 0..LINE.len() {
            assert_eq!(read(&LINE[..end]).is_some(), end > time, "{end}");
        }
    }

    #[test]
    fn a_line_with_a_quote_missing_is_refused() {
        assert!(read(LINE).is_some());
        assert!(read(&LINE.replacen("\"GET", ":GET", 1)).is_none());
        assert!(read(&LINE.replacen("HTTP/1.1\"", "HTTP/1.1", 1)).is_none());
    }

    #[test]
    fn only_lines_of_a_load_balancer_begin_like_one() {
        assert!(is_line(LINE));
        for line in [
            "",
            "https",
            "https x",
            "tcp 2025-11-22",
            "http 20",
            "203.0.113.7 - -",
        ] {
            assert!(!is_line(line), "{line}");
        }
    }

    #[test]
    fn a_time_that_was_not_measured_makes_the_whole_unknown() {
        assert_eq!(latency_ms(["0.001", "0.5", "0"]), Some(501.0));
        assert_eq!(latency_ms(["-1", "-1", "-1"]), None);
        assert_eq!(latency_ms(["0.001", "-1", "0"]), None);
    }
}
