//! The token registry's versions, and which of them a token's page shows.

use tokenwatch_model::{Registration, RegistryKey, RegistryOrigin, Timestamp, TokenId};
use tokenwatch_store::RegistrationVersion;
use tokenwatch_store::testing::TestStore;

const ID: TokenId = TokenId::from_bits(7);

fn version(
    key: RegistryKey,
    origin: RegistryOrigin,
    since_s: i64,
    owner: Option<&str>,
) -> RegistrationVersion {
    RegistrationVersion {
        key,
        origin,
        since: Timestamp::from_secs(since_s),
        actor: "admin".to_owned(),
        entry: owner.map(|owner| Registration {
            owner: Some(owner.to_owned()),
            ..Registration::default()
        }),
    }
}

#[tokio::test]
async fn versions_come_back_in_their_order_and_once() {
    let Some(test) = TestStore::open().await else {
        return;
    };
    let key = RegistryKey::Token(ID);
    let versions: Vec<_> = (0..12)
        .map(|n| version(key.clone(), RegistryOrigin::Api, n, Some("Ada")))
        .collect();
    for _ in 0..2 {
        test.store.insert_registrations(&versions).await.unwrap();
    }
    assert_eq!(test.store.registrations().await.unwrap(), versions[4..]);
    test.close().await;
}

#[tokio::test]
async fn the_narrowest_entry_of_the_last_origin_is_shown_with_its_revocation() {
    let Some(test) = TestStore::open().await else {
        return;
    };
    let (credential, consumer) = (
        RegistryKey::of_token("5cbc"),
        RegistryKey::Consumer("acme".to_owned()),
    );
    let mut done = version(
        RegistryKey::Token(ID),
        RegistryOrigin::Response,
        9,
        Some(""),
    );
    done.entry = Some(Registration {
        revoked: Some(Timestamp::from_secs(8)),
        ..Registration::default()
    });
    test.store
        .insert_registrations(&[
            version(consumer, RegistryOrigin::Api, 1, Some("consumer")),
            version(credential.clone(), RegistryOrigin::File, 2, Some("file")),
            version(credential.clone(), RegistryOrigin::Http, 3, Some("http")),
            version(credential.clone(), RegistryOrigin::Api, 4, Some("api")),
            version(credential, RegistryOrigin::Api, 5, None),
            done,
        ])
        .await
        .unwrap();
    let store = &test.store;
    let found = store.registration(ID, Some("5cbc"), Some("acme")).await;
    let found = found.unwrap().expect("registered");
    assert_eq!(
        (found.of, found.origin),
        ("credential", RegistryOrigin::Http)
    );
    assert_eq!(found.registration.owner.as_deref(), Some("http"));
    assert_eq!(found.registration.revoked, Some(Timestamp::from_secs(8)));
    let other = store.registration(TokenId::from_bits(8), None, Some("acme"));
    let other = other.await.unwrap().expect("its consumer is registered");
    assert_eq!(other.registration.owner.as_deref(), Some("consumer"));
    assert_eq!(other.registration.revoked, None);
    let nobody = store.registration(TokenId::from_bits(8), None, None).await;
    assert_eq!(nobody.unwrap(), None);
    test.close().await;
}
