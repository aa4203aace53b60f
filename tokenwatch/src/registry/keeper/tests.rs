//! Which versions changes make, and which inventories are not believed.

use tokenwatch_model::{Format, TokenId, TokenUse};

use super::*;

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}

fn entry(token: &str, owner: &str) -> Registration {
    Registration {
        token: Some(token.to_owned()),
        owner: Some(owner.to_owned()),
        ..Registration::default()
    }
}

fn all(entries: &[Registration]) -> Change {
    Change::All {
        origin: RegistryOrigin::File,
        entries: entries.to_vec(),
    }
}

fn one(key: &str, entry: Option<Registration>) -> Change {
    Change::One {
        key: RegistryKey::of_token(key),
        entry: entry.map(Box::new),
        actor: "admin".to_owned(),
    }
}

/// Applies `change` at `secs`; the versions as `origin name owner`.
fn apply(keeper: &mut Keeper, change: Change, secs: i64) -> Result<Vec<String>, Refusal> {
    let versions = keeper.decide(change, at(secs))?;
    let told = versions
        .iter()
        .map(|version| {
            let owner = version.entry.as_ref().and_then(|entry| entry.owner.clone());
            let gone = if version.entry.is_none() { "gone" } else { "" };
            format!(
                "{} {} {}{gone}",
                version.origin.name(),
                version.key.name(),
                owner.unwrap_or_default()
            )
        })
        .collect();
    keeper.apply(versions);
    Ok(told)
}

#[test]
fn only_what_differs_becomes_a_version() {
    let mut keeper = Keeper::new(Vec::new(), 0.5, None);
    let first = [entry("a", "Ada"), entry("b", "Bob")];
    assert_eq!(
        apply(&mut keeper, all(&first), 0).expect("believed"),
        ["file a Ada", "file b Bob"]
    );
    assert_eq!(apply(&mut keeper, all(&first), 1), Ok(Vec::new()));
    let second = [entry("a", "Eve"), entry("c", "Cid")];
    assert_eq!(
        apply(&mut keeper, all(&second), 2).expect("believed"),
        ["file a Eve", "file b gone", "file c Cid"]
    );
    assert_eq!(keeper.count(RegistryOrigin::File), 2);
}

#[test]
fn an_inventory_that_is_suddenly_empty_or_small_is_not_believed() {
    for (before, now, keep_share, want) in [
        (0, 0, 0.5, Ok(())),
        (10, 5, 0.5, Ok(())),
        (10, 0, 0.5, Err(Refusal::Empty { before: 10 })),
        (10, 4, 0.5, Err(Refusal::Shrunk { before: 10, now: 4 })),
        (10, 0, 0.0, Ok(())),
        (10, 9, 1.0, Err(Refusal::Shrunk { before: 10, now: 9 })),
    ] {
        assert_eq!(
            decide_replacement(before, now, keep_share),
            want,
            "{before} {now}"
        );
    }
}

#[test]
fn a_user_decides_over_files_and_takes_a_revocation_back() {
    let mut keeper = Keeper::new(Vec::new(), 0.5, None);
    let id = TokenId::from_bits(7);
    let name = id.to_string();
    apply(&mut keeper, all(&[entry(&name, "Ada")]), 0).expect("believed");
    let revoked = || Change::Revoked { id, at: at(5) };
    assert_eq!(
        apply(&mut keeper, revoked(), 6).expect("done"),
        [format!("response {name} ")]
    );
    assert_eq!(apply(&mut keeper, revoked(), 7), Ok(Vec::new()));
    assert_eq!(
        apply(&mut keeper, one(&name, Some(entry(&name, "Eve"))), 8).expect("said"),
        [format!("api {name} Eve"), format!("response {name} gone")]
    );
    // The same old response, told again at a restart.
    assert_eq!(apply(&mut keeper, revoked(), 9), Ok(Vec::new()));
    assert_eq!(
        apply(&mut keeper, one(&name, None), 10).expect("taken back"),
        [format!("api {name} gone")]
    );
    assert_eq!(
        apply(&mut keeper, one(&name, None), 11),
        Err(Refusal::Unknown)
    );
}

#[test]
fn what_a_response_took_back_is_not_revoked_unless_another_one_holds() {
    let mut keeper = Keeper::new(Vec::new(), 0.5, None);
    let id = TokenId::from_bits(7);
    let name = id.to_string();
    let suspended = || Change::Revoked { id, at: at(5) };
    let restored = |secs| Change::Restored { id, at: at(secs) };
    apply(&mut keeper, suspended(), 6).expect("done");
    assert_eq!(
        apply(&mut keeper, restored(5), 7).expect("undone"),
        [format!("response {name} gone")]
    );
    assert_eq!(apply(&mut keeper, suspended(), 8), Ok(Vec::new()));
    assert_eq!(apply(&mut keeper, restored(5), 9), Ok(Vec::new()));

    apply(&mut keeper, Change::Revoked { id, at: at(20) }, 21).expect("done");
    let revoked = Change::Revoked { id, at: at(30) };
    assert_eq!(apply(&mut keeper, revoked, 31).expect("done").len(), 1);
    let earlier = Change::Revoked { id, at: at(20) };
    assert_eq!(apply(&mut keeper, earlier, 32), Ok(Vec::new()));
    assert_eq!(
        apply(&mut keeper, restored(20), 33),
        Ok(Vec::new()),
        "the revocation holds"
    );
}

#[test]
fn changes_count_after_all_events_that_were_judged_and_in_their_order() {
    let mut keeper = Keeper::new(Vec::new(), 0.5, None);
    assert_eq!(keeper.stamp(at(10), None), at(10));
    let tick = |secs: i64| Timestamp::from_micros(secs * 1_000_000 + 1);
    assert_eq!(keeper.stamp(at(10), Some(at(12))), tick(12));
    apply(&mut keeper, one("a", Some(entry("a", "Ada"))), 20).expect("said");
    assert_eq!(keeper.stamp(at(10), Some(at(12))), tick(20));
}

#[test]
fn one_token_under_several_names_is_the_one_that_its_gateway_names() {
    let key = TokenKey::from_bytes(&[7; 32]);
    let mut keeper = Keeper::new(Vec::new(), 0.0, Some(key.clone()));
    let raw = key.token_id(b"k-1");
    let mut known = entry("5cbc", "Ada");
    known.gateway = Some(Format::Kong);
    known.aliases = vec![raw.to_string(), "5cbc-v1".to_owned()];
    let token_at = |keeper: &Keeper, secs| keeper.registry().owner_of(raw, at(secs));
    apply(&mut keeper, all(&[known.clone()]), 10).expect("believed");
    let named = key.credential_id(Format::Kong, "5cbc");
    assert_eq!(token_at(&keeper, 9), raw);
    assert_eq!(token_at(&keeper, 10), named);
    let text = format!(r#"{{"id":"{raw}","kind":"api_key"}}"#);
    let mut used: TokenUse<'_> = serde_json::from_str(&text).expect("a token");
    keeper.registry().resolve(&mut used, at(10));
    assert_eq!(
        (used.id, used.credential_id.as_deref()),
        (named, Some("5cbc"))
    );
    // What leaked is the token, whatever it is called there.
    let leaked = Change::Leaked {
        id: raw,
        at: at(11),
        place: "GitHub".to_owned(),
        actor: "github".to_owned(),
    };
    let told = apply(&mut keeper, leaked, 12).expect("taken");
    assert_eq!(told, [format!("leak {named} ")]);
    // Neither name nor gateway is said any more.
    apply(&mut keeper, all(&[entry("5cbc", "Ada")]), 20).expect("believed");
    assert_eq!(token_at(&keeper, 19), named);
    assert_eq!(token_at(&keeper, 20), raw);
}
