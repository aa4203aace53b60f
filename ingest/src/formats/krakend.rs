//! KrakenD: the Community Edition's access log, which is gin's, and the Enterprise Edition's JSON.
//!
//! From gin's logger (1.12) and KrakenD's manual of `access_log_format`. Traps: the time is local, without a zone, and that of the
//! answer; a duration is text with a unit, and whole seconds above a minute; the colours of a terminal may be in it; the
//! Community Edition logs neither the user agent nor a credential unless it stands in the query; errors of a handler follow
//! as lines of their own, and the application's log stands between.

use serde::de::MapAccess;
use tokenwatch_model::Text;

use crate::call::Call;
use crate::json::{self, Fields, Scalar};
use crate::names::CredentialNames;

const MILLIS_PER_SECOND: f64 = 1e3;

/// One record of the Enterprise Edition: the predefined `json`, or a pattern of one's own.
pub(crate) struct Krakend<'n, 'a> {
    names: &'n CredentialNames,
    call: Call<'a>,
    query: Option<Text<'a>>,
}

impl<'n> Krakend<'n, '_> {
    pub(crate) fn new(names: &'n CredentialNames) -> Self {
        Self {
            names,
            call: Call::default(),
            query: None,
        }
    }
}

impl<'a> From<Krakend<'_, 'a>> for Call<'a> {
    fn from(krakend: Krakend<'_, 'a>) -> Self {
        let mut call = krakend.call;
        if let Some(query) = krakend.query {
            call.has_token_in_url |= call.credentials.parameters(krakend.names, &query);
        }
        call
    }
}

impl<'de> Fields<'de> for Krakend<'_, 'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        let call = &mut self.call;
        match key {
            "time" | "timestamp" | "@timestamp" => call.time.set(&map.next_value::<Scalar<'_>>()?),
            "status_code" | "status" => call.status = map.next_value::<Scalar<'_>>()?.as_unsigned(),
            "latency_ms" => call.latency_ms = map.next_value::<Scalar<'_>>()?.as_float(),
            "latency" => {
                let latency = map.next_value::<Scalar<'_>>()?;
                call.latency_ms = latency
                    .as_float()
                    .map(|seconds| seconds * MILLIS_PER_SECOND)
                    .or_else(|| duration_millis(&latency.into_text()?));
            }
            "client_ip" => call.peer = json::text(map)?,
            "x_forwarded_for" => call.forwarded_for = json::text(map)?,
            "method" => call.method = json::text(map)?,
            "path" => call.target = json::text(map)?,
            "query" => self.query = json::text(map)?,
            "host" => call.host = json::text(map)?,
            "scheme" => call.is_plaintext = json::text(map)?.as_deref() == Some("http"),
            "user_agent" => call.user_agent = json::text(map)?,
            "request_id" => call.request_id = json::text(map)?,
            "credential_id" => call.credentials.credential_id = json::text(map)?,
            _ => call.credential_field(self.names, key, map)?,
        }
        Ok(())
    }
}

/// Whether `line` is gin's.
pub(crate) fn is_text(line: &str) -> bool {
    line.starts_with("[GIN] ")
}

/// Reads `[GIN] 2025/11/22 - 06:40:00 | 200 | 34.550188ms | 203.0.113.7 | GET "/v1/orders"`.
pub(crate) fn read_text(line: &str) -> Option<Call<'_>> {
    let mut cells = line.strip_prefix("[GIN] ")?.splitn(5, '|');
    let mut call = Call::default();
    call.time.set(&Scalar::Text(cells.next()?.trim().into()));
    call.status = without_colour(cells.next()?).parse().ok();
    call.latency_ms = duration_millis(without_colour(cells.next()?));
    call.peer = Some(cells.next()?.trim().into());
    let (method, path) = cells.next()?.split_once('"')?;
    call.method = Some(without_colour(method).into());
    call.target = Some(unquote(path.strip_suffix('"')?));
    Some(call)
}

/// The word between what colours it.
fn without_colour(cell: &str) -> &str {
    cell.split_ascii_whitespace()
        .find(|word| !word.starts_with('\x1b'))
        .unwrap_or_default()
}

/// Milliseconds of Go's notation: `4.529µs`, `1m2.5s`, `80ns`.
fn duration_millis(text: &str) -> Option<f64> {
    let mut millis = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(number_end);
        let unit_end = tail
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_end);
        let unit_millis = match unit {
            "ns" => 1e-6,
            "µs" | "μs" | "us" => 1e-3,
            "ms" => 1.0,
            "s" => MILLIS_PER_SECOND,
            "m" => 60.0 * MILLIS_PER_SECOND,
            "h" => 3_600.0 * MILLIS_PER_SECOND,
            _ => return None,
        };
        millis += number.parse::<f64>().ok()? * unit_millis;
        rest = tail;
    }
    (!text.is_empty()).then_some(millis)
}

/// Go's quoted text as it was; of its escapes only those that stand in paths.
fn unquote(text: &str) -> Text<'_> {
    if !text.contains('\\') {
        return text.into();
    }
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => plain.extend(chars.next()),
            c => plain.push(c),
        }
    }
    plain.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_of_every_size_are_read() {
        for (text, millis) in [
            ("80ns", 0.000_08),
            ("4.529µs", 0.004_529),
            ("34.550188ms", 34.550_188),
            ("1.2s", 1_200.0),
            ("1m0s", 60_000.0),
            ("1h2m3.5s", 3_723_500.0),
        ] {
            let read = duration_millis(text).unwrap();
            assert!((read - millis).abs() < 1e-9, "{text}: {read}");
        }
        for text in ["", "5", "ms", "1x", "1.2.3s", "-1s"] {
            assert_eq!(duration_millis(text), None, "{text}");
        }
    }

    #[test]
    fn colours_of_a_terminal_are_left_out() {
        let line = "[GIN] 2025/11/22 - 06:40:00 |\x1b[97;42m 200 \x1b[0m|      12.679µs |     203.0.113.7 |\x1b[97;44m GET     \x1b[0m \"/v1/orders\"";
        let call = read_text(line).unwrap();
        assert_eq!(call.status, Some(200));
        assert_eq!(call.method.as_deref(), Some("GET"));
    }

    #[test]
    fn quotes_in_a_path_are_part_of_it() {
        let line =
            r#"[GIN] 2025/11/22 - 06:40:00 | 404 | 80ns | 203.0.113.7 | GET      "/a|\"x\"""#;
        assert_eq!(
            read_text(line).unwrap().target.as_deref(),
            Some(r#"/a|"x""#)
        );
    }

    #[test]
    fn a_line_cut_anywhere_is_no_call() {
        let line =
            r#"[GIN] 2025/11/22 - 06:40:00 | 200 | 1.5ms | 203.0.113.7 | GET      "/v1/orders""#;
        for end in 0..line.len() {
            assert!(read_text(&line[..end]).is_none(), "{}", &line[..end]);
        }
    }
}
