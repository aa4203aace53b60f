//! What is on the list after which lines, what it says of requests, and what gateways are told.

use std::collections::BTreeSet;

use tokenwatch_model::{FindingId, ResponseDetails, ResponseMode};

use super::*;
use crate::testing::NOW;

const REVOKE: ResponseAction = ResponseAction::Revoke;
/// After everything that happens here.
const LATER: Timestamp = Timestamp::from_secs(1_895_329_600);

fn token(number: u128) -> TokenId {
    TokenId::from_bits(number)
}

/// The line that was written `at` seconds after now about response `number` on the token of the same number.
fn line(number: u128, action: ResponseAction, result: ResponseResult, at: u64) -> Response {
    Response {
        id: format!("rsp_{number}"),
        finding_id: FindingId::from_bits(number),
        token_id: token(number),
        action,
        target: "gateways".to_owned(),
        mode: ResponseMode::Enforce,
        at: NOW + Duration::from_secs(at),
        result,
        reason: String::new(),
        details: ResponseDetails {
            credential_id: Some(format!("cred-{number}")),
            asked_at: Some(NOW),
            lasts_s: (action == ResponseAction::Suspend).then_some(60),
            calls_per_minute: Some(2),
            networks: vec!["203.0.113.0/24".parse().expect("a network")],
            ..ResponseDetails::default()
        },
    }
}

fn delivered(number: u128, action: ResponseAction) -> Response {
    line(number, action, ResponseResult::Delivered, 1)
}

/// A list that has read the journal.
fn list(lines: &[Response]) -> DenyList {
    let list = DenyList::default();
    assert_eq!(list.take_in(lines, true), 0);
    list
}

fn says(list: &DenyList, number: u128, at: u64) -> &'static str {
    let now = NOW + Duration::from_secs(at);
    list.judge(&[token(number)], None, now).name()
}

fn version(list: &DenyList) -> String {
    list.version().expect("the journal was read")
}

#[test]
fn what_was_decided_is_denied_until_it_is_taken_back() {
    for result in ResponseResult::ALL {
        let is_denied = matches!(
            result,
            ResponseResult::Intended
                | ResponseResult::Delivered
                | ResponseResult::Unknown
                | ResponseResult::UndoFailed
        );
        let list = list(&[line(1, REVOKE, result, 1)]);
        let expected = if is_denied { "revoked" } else { "allow" };
        assert_eq!(says(&list, 1, 2), expected, "{}", result.name());
        assert_eq!(says(&list, 2, 2), "allow");
        assert_eq!(list.count(), usize::from(is_denied));
    }
}

#[test]
fn nobody_is_let_in_or_denied_before_the_journal_was_read() {
    let list = DenyList::default();
    list.carry_out(&line(1, REVOKE, ResponseResult::Intended, 0))
        .expect("room");
    assert_eq!(says(&list, 1, 1), "not_ready");
    assert_eq!(says(&list, 2, 1), "not_ready");
    assert!(list.version().is_none() && list.whole().is_none());
    list.take_in(&[], true);
    assert_eq!(says(&list, 1, 1), "revoked");
    assert_eq!(says(&list, 2, 1), "allow");
}

#[test]
fn an_older_line_that_is_read_late_changes_nothing() {
    let list = list(&[delivered(1, REVOKE)]);
    list.carry_out(&line(1, REVOKE, ResponseResult::Undoing, 2))
        .expect("room");
    assert_eq!(says(&list, 1, 3), "allow");
    // The journal is read from before the undo, and then up to the very line that was carried out.
    list.take_in(
        &[
            delivered(1, REVOKE),
            line(1, REVOKE, ResponseResult::Undoing, 2),
        ],
        false,
    );
    assert_eq!(says(&list, 1, 3), "allow");
    list.sweep(NOW + Duration::from_mins(10));
    list.take_in(&[delivered(1, REVOKE)], false);
    assert_eq!(says(&list, 1, 3), "allow");
}

#[test]
fn a_suspension_ends_by_itself() {
    let list = list(&[delivered(1, ResponseAction::Suspend)]);
    assert_eq!(says(&list, 1, 59), "suspended");
    assert_eq!(says(&list, 1, 60), "allow");
    let whole = list.whole().expect("read");
    assert_eq!(whole.entries[0].until, Some(NOW + Duration::from_mins(1)));
    let before = version(&list);
    list.sweep(NOW + Duration::from_mins(1));
    assert_eq!(list.count(), 0);
    let delta = list.since(&before).expect("remembered");
    assert_eq!(delta.removed, ["rsp_1"]);
}

#[test]
fn a_restricted_token_is_let_in_from_known_networks_alone() {
    let list = list(&[delivered(1, ResponseAction::Restrict)]);
    for (client, expected) in [
        (Some("203.0.113.9"), "allow"),
        (Some("198.51.100.1"), "restricted"),
        (None, "restricted"),
    ] {
        let address = client.map(|text| text.parse().expect("an address"));
        let verdict = list.judge(&[token(1)], address, NOW);
        assert_eq!(verdict.name(), expected, "{client:?}");
    }
}

#[test]
fn a_throttled_token_is_let_in_now_and_then_and_a_request_counts_once() {
    let list = list(&[delivered(1, ResponseAction::Throttle)]);
    let names = OtherNames {
        fingerprints: vec![token(101)],
        jwt_ids: Vec::new(),
    };
    list.name(token(1), &names);
    let both = [token(1), token(101)];
    let judged = |at: u64| list.judge(&both, None, NOW + Duration::from_secs(at));
    assert_eq!(judged(0), DenyVerdict::Allow);
    let retry_after = Duration::from_secs(29);
    assert_eq!(judged(1), DenyVerdict::Throttled { retry_after });
    // What it has used up is not forgotten with a newer line about the same response.
    list.take_in(
        &[line(
            1,
            ResponseAction::Throttle,
            ResponseResult::Delivered,
            5,
        )],
        false,
    );
    assert_eq!(judged(29).name(), "throttled");
    assert_eq!(judged(30), DenyVerdict::Allow);
}

#[test]
fn the_gravest_of_several_responses_decides_and_the_others_stay() {
    let mut other = delivered(2, REVOKE);
    other.token_id = token(1);
    let list = list(&[delivered(1, ResponseAction::Restrict), other]);
    assert_eq!(says(&list, 1, 1), "revoked");
    list.take_in(&[line(2, REVOKE, ResponseResult::Undone, 9)], false);
    assert_eq!(says(&list, 1, 9), "restricted");
}

#[test]
fn a_token_is_denied_under_every_fingerprint_it_was_seen_with() {
    let list = list(&[delivered(1, REVOKE)]);
    assert_eq!(list.to_be_named(LATER), [token(1)]);
    assert_eq!(says(&list, 101, 1), "allow");
    let before = version(&list);
    let names = OtherNames {
        fingerprints: vec![token(101), token(102)],
        jwt_ids: Vec::new(),
    };
    list.name(token(1), &names);
    assert!(list.to_be_named(LATER).is_empty());
    assert_eq!(list.to_be_named(NOW), [token(1)]);
    assert_eq!(says(&list, 101, 1), "revoked");
    // Gateways do not know fingerprints and are not told them: for them, the list is the same.
    assert_eq!(version(&list), before);
    let delta = list.since(&before).expect("remembered");
    assert!(delta.added.is_empty() && delta.removed.is_empty());
    list.take_in(&[line(1, REVOKE, ResponseResult::Undone, 9)], false);
    assert_eq!(says(&list, 102, 9), "allow");
}

#[test]
fn what_gateways_are_told_has_their_own_names_and_no_fingerprint() {
    let list = list(&[delivered(1, ResponseAction::Suspend)]);
    let names = OtherNames {
        fingerprints: vec![token(101)],
        jwt_ids: vec!["j-1".to_owned()],
    };
    list.name(token(1), &names);
    let told = serde_json::to_value(list.whole().expect("read").entries).expect("JSON");
    let expected = serde_json::json!([{
        "response_id": "rsp_1",
        "finding_id": FindingId::from_bits(1).to_string(),
        "action": "suspend",
        "token": {"id": token(1).to_string(), "credential_id": "cred-1", "jwt_ids": ["j-1"]},
        "since": NOW,
        "until": NOW + Duration::from_mins(1),
        "calls_per_minute": 2,
        "networks": ["203.0.113.0/24"],
    }]);
    assert_eq!(told, expected);
}

#[test]
fn the_same_list_has_the_same_version_however_it_came_about() {
    let one = list(&[delivered(1, REVOKE), delivered(2, REVOKE)]);
    let other = list(&[delivered(2, REVOKE), delivered(3, REVOKE)]);
    assert_ne!(version(&one), version(&other));
    other.take_in(
        &[
            line(3, REVOKE, ResponseResult::Undone, 2),
            delivered(1, REVOKE),
        ],
        false,
    );
    assert_eq!(version(&one), version(&other));
    assert_eq!(version(&list(&[])), "0".repeat(32));
}

/// A gateway that follows deltas has what a gateway has that takes the whole list.
#[test]
fn deltas_lead_to_the_whole_list() {
    let list = list(&[]);
    let mut followed = BTreeSet::new();
    let mut at = version(&list);
    let mut rng = fastrand::Rng::with_seed(7);
    for step in 0..300 {
        for _ in 0..rng.u32(1..4) {
            let result = [ResponseResult::Delivered, ResponseResult::Undone][rng.usize(0..2)];
            list.take_in(&[line(rng.u128(0..20), REVOKE, result, step + 1)], false);
        }
        let delta = list.since(&at).expect("remembered");
        for id in delta.removed {
            followed.remove(&id);
        }
        followed.extend(delta.added.iter().map(|entry| entry.response_id.clone()));
        at = delta.version;
        let whole = list.whole().expect("read");
        let whole: BTreeSet<_> = whole
            .entries
            .iter()
            .map(|entry| entry.response_id.clone())
            .collect();
        assert_eq!(followed, whole, "after step {step}");
    }
    for unknown in ["", "zz", "1", &"f".repeat(33)] {
        assert!(list.since(unknown).is_none(), "{unknown}");
    }
}

#[test]
fn a_list_that_is_full_says_so_and_takes_what_is_on_it_already() {
    let lines: Vec<Response> = (0..ENTRIES_LIMIT as u128 + 2)
        .map(|number| delivered(number, REVOKE))
        .collect();
    let list = DenyList::default();
    assert_eq!(list.take_in(&lines, true), 2);
    assert_eq!(
        list.carry_out(&delivered(1_000_000, REVOKE)),
        Err(DenyListFull)
    );
    assert_eq!(
        list.carry_out(&line(5, REVOKE, ResponseResult::Delivered, 9)),
        Ok(())
    );
    list.take_in(&[line(6, REVOKE, ResponseResult::Undone, 9)], false);
    assert_eq!(list.carry_out(&delivered(1_000_000, REVOKE)), Ok(()));
}
