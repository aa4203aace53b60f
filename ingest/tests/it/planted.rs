//! Secrets planted in every place of every fixture line, one at a time, in every spelling: none may come out, not even in
//! part, neither of events nor of rejects, nor of what either prints.
//!
//! Where an id or a name is expected, randomness is no sign of a secret: the id of a credential, request or session, the
//! consumer, a scope, the gateway, a JA4. There a key is known by its shape alone, and an opaque one stays: by contract
//! these texts are what people search for. Wherever else it stands it goes.

use std::fs;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use regex::Regex;
use serde_json::Value;
use tokenwatch_ingest::{Decoder, FormatChoice};
use tokenwatch_model::{AccessEvent, Text};

use super::fixtures::{config, folder};
use super::{decode, decoder};

/// Keys that their shape gives away.
const SHAPED: [&str; 6] = [
    "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
    "xoxb-263594206564-2343594206574-FGqddMF8t08v8N7Oq4i57vs1",
    "AIzaSyDaGmWKa4JsXZ-HjGw7ISLn_3namBGewQe",
    "glpat-Zx81kQp0sLm3Vt7aYwQ9",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJzZWNyZXQtcGVyc29uIn0.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
];
/// Those that only look random, and an access key's id, which is shown where an id belongs.
const OPAQUE: [&str; 4] = [
    "Zx81kQp0sLm3Vt7aYwQ92hdB4nR6",
    "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b",
    "kX9-mQ2_vT7wZ4pL8sR1-nB6yC3_dF5gH0jK",
    "AKIAQ7ZW2M4XK9T1VB5C",
];
/// Stands for the secret while a line is made.
const PLACE: &str = "@@PLANTED@@";
/// Parts of a secret this long must not come out either: twelve characters of 62 are 71 bits.
const PIECE_BYTES: usize = 12;

/// How a secret is written.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Spelling {
    AsIs,
    Percent,
    PercentTwice,
    Base64,
    /// `\u0067` for every character, in JSON.
    Escaped,
}

/// What of a text the secret takes.
const SITES: [(&str, &str); 5] = [
    ("", ""),
    ("/v1/", "/items"),
    ("/v1/items?limit=1&cursor=", "&page=2"),
    ("acme-sdk/2.1 (", "; x64) rest"),
    ("lang=en; theme=", "; seen=1"),
];

fn percent(text: &str) -> String {
    let spelled: Vec<String> = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
    spelled.concat()
}

fn escaped(text: &str) -> String {
    let spelled: Vec<String> = text.bytes().map(|byte| format!("\\u{byte:04x}")).collect();
    spelled.concat()
}

impl Spelling {
    const ALL: [Self; 5] = [
        Self::AsIs,
        Self::Percent,
        Self::PercentTwice,
        Self::Base64,
        Self::Escaped,
    ];

    fn of(self, secret: &str) -> String {
        match self {
            Self::AsIs => secret.to_owned(),
            Self::Percent => percent(secret),
            Self::PercentTwice => percent(secret).replace('%', "%25"),
            Self::Base64 => STANDARD.encode(secret),
            Self::Escaped => escaped(secret),
        }
    }
}

/// Lines made of `line`, each with the place in another of its values and names.
fn with_places(line: &str) -> Vec<String> {
    let start = line.find(['{', '[']).unwrap_or(0);
    let Ok(whole) = serde_json::from_str::<Value>(&line[start..]) else {
        return with_places_in_text(line);
    };
    let mut lines = Vec::new();
    for site in 0..leaves(&mut whole.clone(), &mut None) {
        let mut value = whole.clone();
        leaves(&mut value, &mut Some(site));
        lines.push(format!("{}{value}", &line[..start]));
    }
    lines
}

/// Counts the values and objects in `value`; puts the place into the one whose turn it is.
fn leaves(value: &mut Value, turn: &mut Option<usize>) -> usize {
    let mut count = 0;
    let mut is_turn = || {
        count += 1;
        match turn {
            Some(0) => {
                *turn = None;
                true
            }
            Some(left) => {
                *left -= 1;
                false
            }
            None => false,
        }
    };
    let chosen = is_turn();
    match value {
        Value::Object(fields) => {
            if chosen {
                fields.insert(PLACE.to_owned(), Value::from("x"));
            }
            count
                + fields
                    .values_mut()
                    .map(|field| leaves(field, turn))
                    .sum::<usize>()
        }
        Value::Array(items) => {
            if chosen {
                items.push(Value::from(PLACE));
            }
            count
                + items
                    .iter_mut()
                    .map(|item| leaves(item, turn))
                    .sum::<usize>()
        }
        // A record in a record.
        Value::String(text) if text.starts_with('{') && text.ends_with('}') => {
            if chosen {
                *value = Value::from(PLACE);
            }
            count
        }
        _ => {
            if chosen {
                *value = Value::from(PLACE);
            }
            count
        }
    }
}

/// The same of a line that is no JSON: one word after the other gives way.
fn with_places_in_text(line: &str) -> Vec<String> {
    let is_gap = |c: char| " \"'|{}[]()<>,;=&?/".contains(c);
    let mut starts: Vec<usize> = line
        .char_indices()
        .filter(|(at, c)| !is_gap(*c) && line[..*at].chars().next_back().is_none_or(is_gap))
        .map(|(at, _)| at)
        .collect();
    starts.dedup();
    starts
        .into_iter()
        .map(|start| {
            let end = line[start..]
                .find(is_gap)
                .map_or(line.len(), |gap| start + gap);
            format!("{}{PLACE}{}", &line[..start], &line[end..])
        })
        .collect()
}

/// The event without what may hold an opaque secret by contract.
fn without_ids(mut event: AccessEvent<'static>) -> AccessEvent<'static> {
    let gone = |text: &mut Option<Text<'static>>| *text = None;
    gone(&mut event.request_id);
    gone(&mut event.client.ja4);
    gone(&mut event.origin.gateway);
    if let Some(token) = &mut event.token {
        gone(&mut token.credential_id);
        gone(&mut token.instance);
        gone(&mut token.consumer);
        token.scopes.clear();
    }
    event
}

/// A secret, and what finds any piece of it.
struct Secret {
    text: &'static str,
    pieces: Regex,
}

impl Secret {
    fn all(texts: &[&'static str]) -> Vec<Self> {
        let of = |text| {
            let pieces: Vec<String> = pieces(text).iter().map(|p| regex::escape(p)).collect();
            Self {
                text,
                pieces: Regex::new(&pieces.join("|")).unwrap(),
            }
        };
        texts.iter().copied().map(of).collect()
    }
}

/// Every piece of the secret, as it is and in the spellings in which it could be read back.
fn pieces(secret: &str) -> Vec<String> {
    let cut = |text: &str, length: usize| -> Vec<String> {
        let length = length.min(text.len());
        (0..=text.len() - length)
            .map(|at| text[at..at + length].to_owned())
            .collect()
    };
    let mut pieces = cut(secret, PIECE_BYTES);
    for spelling in [Spelling::Percent, Spelling::PercentTwice, Spelling::Escaped] {
        pieces.push(spelling.of(&secret[..PIECE_BYTES]));
    }
    for encoded in [STANDARD.encode(secret), URL_SAFE_NO_PAD.encode(secret)] {
        pieces.extend(cut(encoded.trim_end_matches('='), 2 * PIECE_BYTES));
    }
    // The header of a JWT is no secret, and the same for many.
    pieces.retain(|piece| !secret.starts_with("eyJ") || !piece.starts_with("eyJhbGci"));
    pieces
}

/// What `line`, in which the secret stands, gives away of it.
fn leak(decoder: &Decoder, line: &str, secret: &Secret, keeps_ids: bool) -> Option<String> {
    let (events, rejects) = decode(decoder, 0, line.as_bytes());
    let events: Vec<_> = events
        .into_iter()
        .map(|event| if keeps_ids { event } else { without_ids(event) })
        .collect();
    let written = serde_json::to_string(&(&events, &rejects)).unwrap();
    let out = format!("{written}{events:?}{rejects:?}");
    let piece = secret.pieces.find(&out)?.as_str();
    Some(format!(
        "{piece} of {}\n  in {line}\n  -> {written}",
        secret.text
    ))
}

/// Plants the secrets everywhere in `line`: every spelling at every site of every place, where the secrets take turns.
fn plant(
    decoder: &Decoder,
    line: &str,
    turn: usize,
    (shaped, opaque): (&[Secret], &[Secret]),
) -> (usize, Vec<String>) {
    let (mut tried, mut leaks) = (0, Vec::new());
    for (place, planted) in with_places(line).into_iter().enumerate() {
        for (kind, spelling) in Spelling::ALL.into_iter().enumerate() {
            for (site, (before, after)) in SITES.into_iter().enumerate() {
                let turn = turn + place + kind + site;
                let shaped = (&shaped[turn % shaped.len()], true);
                let opaque = (&opaque[turn % opaque.len()], false);
                for (secret, keeps_ids) in [shaped, opaque] {
                    let text = format!("{before}{}{after}", spelling.of(secret.text));
                    let line = planted.replace(PLACE, &text);
                    tried += 1;
                    leaks.extend(leak(decoder, &line, secret, keeps_ids));
                }
            }
        }
    }
    (tried, leaks)
}

#[test]
fn nothing_planted_in_any_place_of_any_format_comes_out() {
    let (shaped, opaque) = (Secret::all(&SHAPED), Secret::all(&OPAQUE));
    let (mut leaks, mut tried) = (Vec::new(), 0);
    for format in FormatChoice::ALL {
        let decoder = decoder(&config(format));
        let lines = fs::read_to_string(folder(format).join("lines.log")).unwrap();
        for (turn, line) in lines.lines().enumerate() {
            let (more, leaked) = plant(&decoder, line, turn, (&shaped, &opaque));
            tried += more;
            leaks.extend(leaked);
        }
    }
    let few: Vec<&String> = leaks.iter().take(5).collect();
    assert!(
        leaks.is_empty(),
        "{} of {tried} came out: {few:#?}",
        leaks.len()
    );
    assert!(tried > 100_000, "{tried}");
}
