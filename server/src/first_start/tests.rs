use std::path::Path;

use gomer_core::meta::command::MetaCommand;
use serde_json::Value;

use super::{DEMO_FILE, OPERATOR_FILE, SEED_FILE, run};
use crate::secrets;
use crate::testing::World;

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[tokio::test]
async fn the_operators_token_is_written_once_and_stored_as_a_hash() {
    let (world, dir) = (World::new().await, tempfile::tempdir().unwrap());
    assert_eq!(run(&world.host, dir.path(), false).await.unwrap(), None);
    let file = dir.path().join(OPERATOR_FILE);
    let token = read(&file)["operatorToken"].as_str().unwrap().to_owned();
    assert_eq!(world.host.cluster.meta().operator, Some(secrets::hash(&token)));
    run(&world.host, dir.path(), true).await.unwrap();
    assert_eq!(read(&file)["operatorToken"], token.as_str());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "a store that is not new gets no demo");
    std::fs::remove_file(&file).unwrap();
    run(&world.host, dir.path(), true).await.unwrap();
    assert!(!file.exists(), "a token that was moved away is not replaced");
}

#[tokio::test]
async fn a_token_that_was_written_before_a_crash_is_the_one() {
    let (world, dir) = (World::new().await, tempfile::tempdir().unwrap());
    let file = dir.path().join(OPERATOR_FILE);
    std::fs::write(&file, r#"{"operatorToken":"gomer_operator_x"}"#).unwrap();
    run(&world.host, dir.path(), false).await.unwrap();
    assert_eq!(world.host.cluster.meta().operator, Some(secrets::hash("gomer_operator_x")));
}

#[tokio::test]
async fn damaged_files_are_told_and_left() {
    let (world, dir) = (World::new().await, tempfile::tempdir().unwrap());
    std::fs::write(dir.path().join(OPERATOR_FILE), "{").unwrap();
    let said = format!("{:#}", run(&world.host, dir.path(), false).await.unwrap_err());
    assert!(said.contains(OPERATOR_FILE), "{said}");
    assert_eq!(world.host.cluster.meta().operator, None);
    std::fs::remove_file(dir.path().join(OPERATOR_FILE)).unwrap();
    std::fs::write(dir.path().join(SEED_FILE), "{}").unwrap();
    let said = format!("{:#}", run(&world.host, dir.path(), true).await.unwrap_err());
    assert!(said.contains(SEED_FILE), "{said}");
    assert!(!dir.path().join(DEMO_FILE).exists());
}

#[tokio::test]
async fn the_token_of_another_store_changes_nothing() {
    let (world, dir) = (World::new().await, tempfile::tempdir().unwrap());
    world.host.cluster.change_meta(MetaCommand::SetOperator { hash: [1; 32] }).await.unwrap();
    std::fs::write(dir.path().join(OPERATOR_FILE), r#"{"operatorToken":"gomer_operator_x"}"#).unwrap();
    run(&world.host, dir.path(), true).await.unwrap();
    assert_eq!(world.host.cluster.meta().operator, Some([1; 32]));
}
