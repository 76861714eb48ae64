use std::future::poll_fn;
use std::path::Path;
use std::task::Poll;
use std::time::Duration;

use gomer_core::id::Id;
use gomer_core::meta::command::MetaCommand;
use gomer_core::time::Time;
use serde_json::{Value, json};

use super::plan::{Plan, Seed};
use super::{DEMO_FILE, OPERATOR_FILE, SEED_FILE, run};
use crate::registry::Caller;
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

/// Polls a future so often at most, then drops it: as if the process had been killed there.
async fn killed_after<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = Box::pin(future);
    let mut left = polls;
    poll_fn(move |cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(cx).map(Some)
    })
    .await
}

/// What `demo.json` promises: everybody can sign in, follows and likes are there, nothing is there twice.
async fn check_demo(world: &World, credentials: &Value) {
    let app = world.app("demo");
    assert_eq!((world.host.cluster.meta().apps.len(), app.keys.len()), (1, 3));
    for name in ["clientKey", "serverKey", "adminToken"] {
        let hash = secrets::hash(credentials[name].as_str().unwrap());
        assert!(app.keys.values().any(|key| key.hash == hash), "{name}");
    }
    let people = credentials["people"].as_array().unwrap();
    assert_eq!(people.len(), 8);
    for person in people {
        let sign_in = json!({ "handle": person["handle"], "password": person["password"] });
        let session = world.done("demo", &Caller::Anonymous, "auth.createSession", sign_in).await.json;
        assert_eq!(session["profile"]["id"], person["id"], "{session}");
    }
    let plan = Plan::new(&Seed { secret: [0; 32], time: Time::ZERO });
    let feed = json!({ "limit": 100 });
    let mut shown = 0;
    for _ in 0..200 {
        let page = world.done("demo", &Caller::Anonymous, "timeline.getApp", feed.clone()).await.json;
        shown = page["items"].as_array().unwrap().len();
        if shown >= plan.posts.len() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(shown, plan.posts.len(), "each post once");
}

#[tokio::test]
async fn a_new_store_gets_a_demo_and_keeps_it() {
    let (world, dir) = (World::new().await, tempfile::tempdir().unwrap());
    let file = run(&world.host, dir.path(), true).await.unwrap().unwrap();
    assert_eq!(file, dir.path().join(DEMO_FILE));
    let credentials = read(&file);
    check_demo(&world, &credentials).await;
    let profile = json!({ "id": credentials["people"][0]["id"] });
    let ada = world.done("demo", &Caller::Anonymous, "profile.get", profile).await.json;
    assert_eq!((&ada["handle"], &ada["name"]), (&json!("ada"), &json!("Ada Okafor")));
    assert_eq!((&ada["counts"]["followers"], &ada["counts"]["following"]), (&json!(4), &json!(3)));
    let ada = Caller::User {
        profile: ada["id"].as_str().unwrap().parse().unwrap(),
        device: Id::NIL,
        roles: vec![],
    };
    let mut home = 0;
    for _ in 0..200 {
        let page = world.done("demo", &ada, "timeline.getHome", json!({ "limit": 100 })).await.json;
        home = page["items"].as_array().unwrap().len();
        if home == 6 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(home, 6, "two of hers, one of Bruno's, two of Freya's, one of Gabriel's");
    let before = world.host.cluster.meta().position;
    assert_eq!(run(&world.host, dir.path(), true).await.unwrap(), Some(file.clone()));
    assert_eq!(run(&world.host, dir.path(), false).await.unwrap(), Some(file.clone()));
    assert_eq!(
        (read(&file), world.host.cluster.meta().position),
        (credentials, before),
        "nothing is done again"
    );
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2, "the seed is gone");
}

#[tokio::test]
async fn a_start_that_was_killed_anywhere_is_completed_by_the_next() {
    for polls in [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 25, 30, 35, 40, 50, 60, 80, 100] {
        let (world, dir) = (World::new().await, tempfile::tempdir().unwrap());
        let killed = killed_after(polls, run(&world.host, dir.path(), true)).await;
        let token = std::fs::read(dir.path().join(OPERATOR_FILE)).ok();
        let file = match run(&world.host, dir.path(), true).await {
            Ok(file) => file.unwrap(),
            Err(error) => panic!("after {polls} polls: {error:#}"),
        };
        if let Some(token) = token {
            assert_eq!(std::fs::read(dir.path().join(OPERATOR_FILE)).unwrap(), token, "never rewritten");
        }
        check_demo(&world, &read(&file)).await;
        if killed.is_some() {
            return;
        }
    }
}

#[tokio::test]
async fn without_a_demo_there_is_none_later_either() {
    let (world, dir) = (World::new().await, tempfile::tempdir().unwrap());
    assert_eq!(run(&world.host, dir.path(), false).await.unwrap(), None);
    assert_eq!(run(&world.host, dir.path(), true).await.unwrap(), None);
    assert!(world.host.cluster.meta().apps.is_empty());
}
