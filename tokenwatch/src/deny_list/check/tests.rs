//! What a gateway is answered, by what is on the list and by what it tells of the request.

use std::time::{Duration, Instant};

use secrecy::SecretString;
use tokenwatch_alerting::{AlertingMetrics, DenyList, DenyListSettings};
use tokenwatch_ingest::{DecoderConfig, RequestTokens, TokenKey};
use tokenwatch_model::{
    Clock, FindingId, Format, Response as Line, ResponseAction, ResponseDetails, ResponseMode,
    ResponseResult, Timestamp, TokenId,
};

use super::*;

const NOW: Timestamp = Timestamp::from_secs(1_795_329_600);
const GATEWAY: (&str, &str) = ("x-tokenwatch-key", "a key of some length");

fn token_key() -> TokenKey {
    TokenKey::from_bytes(&[7; 32])
}

/// A delivered response on `token`.
fn delivered(token: TokenId, action: ResponseAction) -> Line {
    Line {
        id: format!("rsp_{token}"),
        finding_id: FindingId::from_bits(token.bits()),
        token_id: token,
        action,
        target: "gateways".to_owned(),
        mode: ResponseMode::Enforce,
        at: NOW,
        result: ResponseResult::Delivered,
        reason: String::new(),
        details: ResponseDetails {
            calls_per_minute: Some(1),
            networks: vec!["203.0.113.0/24".parse().expect("a network")],
            ..ResponseDetails::default()
        },
    }
}

fn checker(lines: &[Line], throttled_status: u16) -> Checker {
    let list = DenyList::default();
    list.take_in(lines, true);
    let decoder = DecoderConfig::default().validate("").expect("valid");
    Checker::new(Desk {
        list,
        settings: DenyListSettings {
            feed_keys: Vec::new(),
            check_keys: vec![SecretString::from(GATEWAY.1)],
            format: Format::Kong,
            client_address_header: "x-real-ip".to_owned(),
            credential_id_header: Some("x-credential".to_owned()),
            consumer_header: None,
            throttled_status,
        },
        tokens: RequestTokens::new(decoder, token_key(), Format::Kong),
        metrics: AlertingMetrics::default(),
        clock: Clock::fixed(NOW),
    })
}

/// The key `secret` on the list.
fn denying(secret: &str, action: ResponseAction) -> Checker {
    checker(
        &[delivered(token_key().token_id(secret.as_bytes()), action)],
        403,
    )
}

fn asked(path: &str, headers: &[(&str, &str)]) -> Request {
    let mut request = Request::builder().uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::empty()).expect("a request")
}

/// Status and verdict.
fn answer(checker: &Checker, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let mut all = vec![GATEWAY];
    all.extend(headers);
    told_by(&checker.answer(&asked(path, &all)))
}

fn told_by(response: &Response) -> (u16, String) {
    let verdict = response.headers()[VERDICT].to_str().expect("a text");
    (response.status().as_u16(), verdict.to_owned())
}

fn told(status: u16, verdict: &str) -> (u16, String) {
    (status, verdict.to_owned())
}

#[test]
fn a_token_is_found_wherever_the_gateway_tells_of_it() {
    let checker = denying("k-1", ResponseAction::Revoke);
    let revoked = told(403, "revoked");
    for headers in [
        [("x-api-key", "k-1")],
        [("authorization", "Bearer k-1")],
        [("cookie", "lang=en; session=k-1")],
        [("x-original-uri", "/v1/orders?api_key=k-1")],
        [("x-forwarded-uri", "/v1/orders?limit=1&api_key=k-1")],
    ] {
        assert_eq!(answer(&checker, PATH, &headers), revoked, "{headers:?}");
    }
    let below = format!("{PATH}/v1/orders?api_key=k-1");
    assert_eq!(answer(&checker, &below, &[]), revoked);
    assert_eq!(
        answer(&checker, PATH, &[("x-api-key", "k-2")]),
        told(200, "allow")
    );
    assert_eq!(answer(&checker, PATH, &[]), told(200, "allow"));
    let hidden = [("authorization", "Bearer k-2"), ("x-api-key", "k-1")];
    assert_eq!(answer(&checker, PATH, &hidden), revoked);
}

#[test]
fn the_gateways_own_name_of_a_credential_is_enough() {
    let token = token_key().credential_id(Format::Kong, "5cbc");
    let checker = checker(&[delivered(token, ResponseAction::Suspend)], 403);
    let named = answer(&checker, PATH, &[("x-credential", "5cbc")]);
    assert_eq!(named, told(403, "suspended"));
    let other = answer(&checker, PATH, &[("x-credential", "5cbd")]);
    assert_eq!(other, told(200, "allow"));
}

#[test]
fn a_restricted_token_is_let_in_by_the_address_that_the_gateway_tells() {
    let checker = denying("k-1", ResponseAction::Restrict);
    let from = |address: &str| {
        answer(
            &checker,
            PATH,
            &[("x-api-key", "k-1"), ("x-real-ip", address)],
        )
    };
    assert_eq!(from("203.0.113.9"), told(200, "allow"));
    assert_eq!(from("198.51.100.1"), told(403, "restricted"));
    assert_eq!(from("somewhere"), told(403, "restricted"));
}

#[test]
fn a_throttled_token_is_told_when_to_come_back() {
    let token = token_key().token_id(b"k-1");
    for status in [403, 429] {
        let checker = checker(&[delivered(token, ResponseAction::Throttle)], status);
        let call = || checker.answer(&asked(PATH, &[GATEWAY, ("x-api-key", "k-1")]));
        assert_eq!(told_by(&call()), told(200, "allow"));
        let throttled = call();
        assert_eq!(told_by(&throttled), told(status, "throttled"));
        assert_eq!(throttled.headers()["retry-after"], "61");
    }
}

#[test]
fn who_has_no_key_is_told_nothing_of_tokens() {
    let checker = denying("k-1", ResponseAction::Revoke);
    for key in ["", "another key", "a key of some lengthy"] {
        let request = asked(PATH, &[("x-tokenwatch-key", key), ("x-api-key", "k-1")]);
        assert_eq!(
            told_by(&checker.answer(&request)),
            told(401, "unknown_gateway")
        );
    }
}

#[test]
fn a_request_with_more_tokens_than_are_told_apart_is_refused() {
    let checker = denying("k-1", ResponseAction::Revoke);
    let cookies: Vec<String> = (0..40).map(|index| format!("sid=s-{index}")).collect();
    let cookies = cookies.join("; ");
    let headers = [("cookie", cookies.as_str()), ("x-api-key", "k-1")];
    assert_eq!(
        answer(&checker, PATH, &headers),
        told(403, "too_many_tokens")
    );
}

/// Not a benchmark: that would be measured in a release build. It shows that nothing slow is asked on the way.
#[test]
fn an_answer_takes_microseconds_beside_ten_thousand_entries() {
    let lines: Vec<Line> = (0..10_000)
        .map(|number| delivered(TokenId::from_bits(number), ResponseAction::Revoke))
        .collect();
    let checker = checker(&lines, 403);
    let request = asked(
        PATH,
        &[GATEWAY, ("x-api-key", "pk_live_3xQm81Vd0hTzJr5NcYw7Lb2K")],
    );
    let mut times: Vec<Duration> = (0..2_000)
        .map(|_| {
            let began = Instant::now();
            assert_eq!(checker.answer(&request).status(), StatusCode::OK);
            began.elapsed()
        })
        .collect();
    times.sort();
    let (median, p99) = (times[1_000], times[1_980]);
    println!("an answer takes {median:?} (p99 {p99:?})");
    assert!(median < Duration::from_millis(1), "{median:?}");
}
