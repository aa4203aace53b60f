//! What a token's whereabouts make of a life, and of a theft.

use tokenwatch_model::{Client, CountryCode, Format, Http, TokenId};

use super::*;
use crate::token::Token;

#[test]
fn quiet_tokens_pay_52_bytes_and_roaming_ones_a_box_of_128() {
    assert_eq!(size_of::<Whereabouts>(), 52);
    assert!(size_of::<Roaming>() <= 120, "{}", size_of::<Roaming>());
}

const FIRST: i64 = 20_000;

fn on(day: i64) -> Timestamp {
    Timestamp::from_secs((FIRST + day) * DAY)
}

fn call(
    country: &str,
    asn: u32,
    agent: &'static str,
    at: Timestamp,
    status: u16,
) -> AccessEvent<'static> {
    AccessEvent {
        ts: at,
        format: Format::ALL[0],
        request_id: None,
        token: None,
        client: Client {
            ip: Some([192, 0, (asn % 250) as u8, 7].into()),
            country: CountryCode::parse(country),
            asn: Some(asn),
            user_agent: Some(agent.into()),
            ..Client::default()
        },
        http: Http {
            status: Some(status),
            ..Http::default()
        },
        tls: None,
        outcome: Outcome::of_status(Some(status)),
        flags: tokenwatch_model::EventFlags::default(),
        origin: tokenwatch_model::Origin::default(),
    }
}

/// A visit `day` days after the first.
fn visit(token: &mut Token, country: &str, asn: u32, day: i64) -> Visit {
    let event = call(country, asn, "acme-sdk/2", on(day), 200);
    token.visit(&event).expect("accepted")
}

#[test]
fn a_new_country_surprises_a_settled_token_more_than_a_roaming_one() {
    let mut settled = Token::new(TokenId::from_bits(1), on(0));
    assert_eq!(
        visit(&mut settled, "DE", 3_320, 0).place_is,
        Familiarity::First
    );
    for day in 1..30 {
        assert_ne!(
            visit(&mut settled, "DE", 3_320, day).place_is,
            Familiarity::New
        );
        settled.whereabouts.end_day();
    }
    let news = visit(&mut settled, "BR", 28_573, 30);
    assert!(news.new_country && news.place_db > 28.0, "{news:?}");

    let mut roaming = Token::new(TokenId::from_bits(1), on(0));
    for day in 0..30 {
        let country = ["DE", "FR", "US", "IT", "ES", "PL"][day as usize % 6];
        visit(&mut roaming, country, 100 + day as u32, day);
        roaming.whereabouts.end_day();
    }
    let news = visit(&mut roaming, "BR", 28_573, 30);
    assert!(news.new_country && news.place_db < 25.0, "{news:?}");
}

#[test]
fn a_hundred_proxies_do_not_push_out_the_home() {
    let mut token = Token::new(TokenId::from_bits(1), on(0));
    for day in 0..10 {
        visit(&mut token, "DE", 3_320, day);
    }
    let mut proxies = (0..100).map(|proxy| visit(&mut token, "DE", 64_000 + proxy, 11));
    assert_eq!(
        proxies
            .by_ref()
            .take(9)
            .filter(|visit| visit.takes_up_network)
            .count(),
        3
    );
    assert!(proxies.all(|visit| visit.place_is == Familiarity::New && !visit.takes_up_network));
    assert_eq!(
        visit(&mut token, "DE", 3_320, 11).place_is,
        Familiarity::Known
    );
    assert!(
        token.whereabouts.networks.count() < 4.0,
        "a thief does not make the token a roaming one"
    );
    assert_eq!(
        token.whereabouts.places(&token.parts).len(),
        INLINE + MORE_PLACES
    );
}

#[test]
fn a_network_is_forgotten_while_others_are_used_but_not_over_a_silence() {
    let mut token = Token::new(TokenId::from_bits(1), on(0));
    visit(&mut token, "DE", 3_320, 0);
    assert_eq!(
        visit(&mut token, "DE", 3_320, 200).place_is,
        Familiarity::Known
    );
    for day in 201..240 {
        visit(&mut token, "DE", 3_209, day);
    }
    let back = visit(&mut token, "DE", 3_320, 240);
    assert_eq!((back.place_is, back.new_country), (Familiarity::New, false));
}

#[test]
fn a_refused_credential_is_no_visit() {
    let mut token = Token::new(TokenId::from_bits(1), on(0));
    let event = call("BR", 28_573, "curl/8", on(1), 401);
    assert!(token.visit(&event).is_none());
    let event = call("BR", 28_573, "curl/8", on(1), 403);
    assert!(
        token.visit(&event).is_some(),
        "who is refused this was let in as somebody"
    );
}

#[test]
fn a_release_is_another_version_and_curl_other_software() {
    let mut token = Token::new(TokenId::from_bits(1), on(0));
    let mut use_agent = |agent, day| {
        let event = call("DE", 3_320, agent, on(day), 200);
        token.visit(&event).expect("accepted")
    };
    assert_eq!(use_agent("acme-sdk/2.1", 0).client_is, Familiarity::First);
    assert_eq!(use_agent("acme-sdk/2.2", 14).client_is, Familiarity::Known);
    let release = use_agent("acme-sdk/3.0", 15);
    assert_eq!(release.difference, Difference::Version);
    assert!(!release.is_new_software());
    let curl = use_agent("curl/8.5.0", 15);
    assert!(curl.is_new_software() && curl.client_db > 22.0, "{curl:?}");
    assert_eq!(use_agent("curl/8.5.0", 16).client_is, Familiarity::Fresh);
}
