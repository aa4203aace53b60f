//! Checkpoints: whole or not at all, whatever was left behind.

use tokenwatch_store::testing::TestStore;
use tokenwatch_store::{Checkpoint, TokenRow};

use crate::fixtures::{count, position, profile, token};

fn checkpoint(id: u64, tokens: &[(i64, &[u8])]) -> Checkpoint {
    Checkpoint {
        id,
        positions: vec![position(id as i64 * 100)],
        engine_state: vec![0, 10, 13, id as u8, 255],
        tokens: tokens
            .iter()
            .map(|(number, state)| TokenRow {
                id: token(*number),
                state: state.to_vec(),
                profile: profile(token(*number), id as u32),
            })
            .collect(),
        forgotten: Vec::new(),
    }
}

async fn states(test: &TestStore) -> (u64, Vec<(i64, Vec<u8>)>) {
    let loaded = test.store.load_checkpoint().await.unwrap().unwrap();
    let mut tokens: Vec<_> = loaded
        .tokens
        .into_iter()
        .map(|(id, state)| (id.bits() as i64 - 1, state))
        .collect();
    tokens.sort();
    (loaded.id, tokens)
}

async fn run(test: &TestStore, sql: &str) {
    test.client().query(sql).execute().await.unwrap();
}

#[tokio::test]
async fn the_newest_state_of_every_token_comes_back() {
    let Some(test) = TestStore::open().await else {
        return;
    };
    assert_eq!(test.store.load_checkpoint().await.unwrap(), None);
    let first = checkpoint(1, &[(1, b"a1\0\n\n"), (2, b"b1")]);
    test.store.write_checkpoint(&first).await.unwrap();
    test.store
        .write_checkpoint(&checkpoint(2, &[(2, b"b2")]))
        .await
        .unwrap();
    test.store
        .write_checkpoint(&checkpoint(3, &[]))
        .await
        .unwrap();
    let loaded = test.store.load_checkpoint().await.unwrap().unwrap();
    assert_eq!(loaded.positions, [position(300)]);
    assert_eq!(loaded.engine_state, [0, 10, 13, 3, 255]);
    let expected = vec![(1, b"a1\0\n\n".to_vec()), (2, b"b2".to_vec())];
    assert_eq!(states(&test).await, (3, expected));
    let profile = test.store.token_profile(token(2)).await.unwrap().unwrap();
    assert_eq!(profile.baseline_days, 2);
    test.close().await;
}

#[tokio::test]
async fn rows_of_a_checkpoint_that_never_became_visible_are_never_used() {
    let Some(test) = TestStore::open().await else {
        return;
    };
    test.store
        .write_checkpoint(&checkpoint(1, &[(1, b"good")]))
        .await
        .unwrap();
    // Killed between the token rows and the visible row, then merged.
    let orphan = format!(
        "INSERT INTO checkpoint_tokens VALUES (2, '{}', 0, 'orphan', '')",
        token(1)
    );
    run(&test, &orphan).await;
    run(&test, "OPTIMIZE TABLE token_profiles FINAL").await;
    assert_eq!(states(&test).await, (1, vec![(1, b"good".to_vec())]));
    // The number is used again by a checkpoint that does not touch this token.
    test.store
        .write_checkpoint(&checkpoint(2, &[(5, b"e2")]))
        .await
        .unwrap();
    let expected = vec![(1, b"good".to_vec()), (5, b"e2".to_vec())];
    assert_eq!(states(&test).await, (2, expected));
    test.close().await;
}

#[tokio::test]
async fn a_visible_checkpoint_is_finished_at_the_next_start() {
    let Some(test) = TestStore::open().await else {
        return;
    };
    test.store
        .write_checkpoint(&checkpoint(1, &[(1, b"old")]))
        .await
        .unwrap();
    // Killed between the visible row and the copy.
    let row = format!(
        "INSERT INTO checkpoint_tokens VALUES (2, '{}', 0, 'new', '')",
        token(1)
    );
    run(&test, &row).await;
    run(
        &test,
        "INSERT INTO checkpoints (slot, id, positions, engine_state) VALUES (2, 2, '[]', '')",
    )
    .await;
    assert_eq!(states(&test).await, (2, vec![(1, b"new".to_vec())]));
    assert_eq!(
        count(&test, "SELECT count() AS x FROM checkpoint_tokens").await,
        0
    );
    test.close().await;
}

#[tokio::test]
async fn forgotten_tokens_stay_forgotten() {
    let Some(test) = TestStore::open().await else {
        return;
    };
    test.store
        .write_checkpoint(&checkpoint(1, &[(1, b"a"), (2, b"b")]))
        .await
        .unwrap();
    let mut second = checkpoint(2, &[]);
    second.forgotten.push(token(1));
    test.store.write_checkpoint(&second).await.unwrap();
    assert_eq!(states(&test).await, (2, vec![(2, b"b".to_vec())]));
    test.store
        .write_checkpoint(&checkpoint(3, &[(1, b"again")]))
        .await
        .unwrap();
    let expected = vec![(1, b"again".to_vec()), (2, b"b".to_vec())];
    assert_eq!(states(&test).await, (3, expected));
    test.close().await;
}

#[tokio::test]
async fn storage_does_not_grow_with_the_number_of_checkpoints() {
    let Some(test) = TestStore::open().await else {
        return;
    };
    for id in 1..=40 {
        test.store
            .write_checkpoint(&checkpoint(id, &[(1, b"x")]))
            .await
            .unwrap();
    }
    for table in ["checkpoints", "token_profiles"] {
        run(&test, &format!("OPTIMIZE TABLE {table} FINAL")).await;
    }
    assert_eq!(
        count(&test, "SELECT count() AS x FROM checkpoints").await,
        4
    );
    assert_eq!(
        count(&test, "SELECT count() AS x FROM token_profiles").await,
        1
    );
    test.close().await;
}
