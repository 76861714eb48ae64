use std::time::Duration;

use serde_json::{Value, json};

use crate::problem::Code;
use crate::registry::Caller;
use crate::testing::{With, World, user, uuid};

/// Ann (1) has posted (9), Bob (2) follows her, Cat (3) does not.
async fn world() -> World {
    let world = World::with_app("a").await;
    for (n, handle) in [(1, "ann"), (2, "bob"), (3, "cat")] {
        let account = json!({ "id": uuid(n), "handle": handle, "password": "correct horse battery" });
        world.done("a", &Caller::Anonymous, "auth.createAccount", account).await;
    }
    world.done("a", &user(2), "follow.create", json!({ "id": uuid(1) })).await;
    world.done("a", &user(1), "post.create", json!({ "id": uuid(9), "text": "Hello" })).await;
    world
}

fn post(audience: &str) -> Value {
    json!({ "object": { "kind": "post", "id": uuid(9) }, "audience": audience })
}

async fn sees(world: &World, n: u8) -> bool {
    let get = json!({ "id": uuid(9) });
    world.call_with("a", &user(n), "post.get", get, With::default()).await.is_ok()
}

async fn in_feed(world: &World, expected: usize) {
    for _ in 0..200 {
        let page = world.done("a", &Caller::Anonymous, "timeline.getApp", json!({})).await.json;
        if page["items"].as_array().unwrap().len() == expected {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the feed never had {expected} items");
}

#[tokio::test]
async fn a_post_gets_narrower_and_wider() {
    let world = world().await;
    let before = world
        .done("a", &user(1), "permission.getAudience", json!({ "object": { "kind": "post", "id": uuid(9) } }))
        .await;
    assert_eq!(before.json["audience"], "public");
    in_feed(&world, 1).await;
    let narrow = world.done("a", &user(1), "permission.setAudience", post("followers")).await;
    assert_eq!(narrow.json["audience"], "followers");
    assert_ne!(narrow.rev, before.rev);
    assert_eq!((sees(&world, 2).await, sees(&world, 3).await), (true, false));
    in_feed(&world, 0).await;
    world.done("a", &user(1), "permission.setAudience", post("onlyMe")).await;
    assert_eq!((sees(&world, 1).await, sees(&world, 2).await), (true, false));
    world.done("a", &user(1), "permission.setAudience", post("public")).await;
    assert!(sees(&world, 3).await);
    in_feed(&world, 1).await;
}

#[tokio::test]
async fn a_post_that_becomes_public_appears_in_the_feed() {
    let world = world().await;
    let secret = json!({ "id": uuid(8), "text": "For me", "audience": "onlyMe" });
    world.done("a", &user(1), "post.create", secret).await;
    in_feed(&world, 1).await;
    let open = json!({ "object": { "kind": "post", "id": uuid(8) }, "audience": "public" });
    let opened = world.done("a", &user(1), "permission.setAudience", open.clone()).await.json;
    in_feed(&world, 2).await;
    assert_eq!(
        world.done("a", &user(1), "permission.setAudience", open).await.json,
        opened,
        "the same again"
    );
}

#[tokio::test]
async fn a_profile_is_for_all_or_for_followers() {
    let world = world().await;
    let mine =
        |audience: &str| json!({ "object": { "kind": "profile", "id": uuid(1) }, "audience": audience });
    world.done("a", &user(1), "permission.setAudience", mine("followers")).await;
    let profile = world.done("a", &user(3), "profile.get", json!({ "id": uuid(1) })).await.json;
    assert_eq!(profile["private"], true);
    world.done("a", &user(1), "permission.setAudience", mine("public")).await;
    let refused = world.refused("a", &user(1), "permission.setAudience", mine("onlyMe")).await;
    assert_eq!(refused, (Code::Invalid, "/audience".to_owned()));
}

#[tokio::test]
async fn only_its_owner_sets_it_and_strangers_learn_nothing() {
    let world = world().await;
    world.create_app("b").await;
    for (app, n, code) in [("a", 2, Code::Forbidden), ("b", 1, Code::NotFound)] {
        assert_eq!(world.refused(app, &user(n), "permission.setAudience", post("onlyMe")).await.0, code);
        let get = json!({ "object": { "kind": "post", "id": uuid(9) } });
        assert_eq!(world.refused(app, &user(n), "permission.getAudience", get).await.0, code);
    }
    world.done("a", &user(1), "permission.setAudience", post("onlyMe")).await;
    assert_eq!(
        world.refused("a", &user(2), "permission.setAudience", post("public")).await.0,
        Code::NotFound
    );
    let bad = world.refused("a", &user(1), "permission.setAudience", post("neighbours")).await;
    assert_eq!(bad, (Code::Invalid, "/audience".to_owned()));
}

#[tokio::test]
async fn it_is_guarded_and_done_once() {
    let world = world().await;
    let first = world.done("a", &user(1), "post.get", json!({ "id": uuid(9) })).await;
    let with = With { op: Some(1), if_match: first.rev };
    let narrow =
        world.call_with("a", &user(1), "permission.setAudience", post("onlyMe"), with).await.unwrap();
    let again = world.call_with("a", &user(1), "permission.setAudience", post("onlyMe"), with).await.unwrap();
    assert!(again.replayed && again.json == narrow.json);
    let stale = With { op: None, if_match: first.rev };
    let problem =
        world.call_with("a", &user(1), "permission.setAudience", post("public"), stale).await.unwrap_err();
    assert_eq!((problem.code, problem.rev), (Code::StaleRevision, narrow.rev));
}

#[tokio::test]
async fn asking_first_says_what_a_call_would_say() {
    let world = world().await;
    let ask = json!({ "calls": [
        { "method": "post.create" },
        { "method": "post.get", "object": { "kind": "post", "id": uuid(9) } },
        { "method": "post.update", "object": { "kind": "post", "id": uuid(9) } },
        { "method": "post.get", "object": { "kind": "post", "id": uuid(77) } },
        { "method": "admin.listKeys" },
        { "method": "cluster.createApp" },
        { "method": "no.such" },
        { "method": "profile.get", "object": { "kind": "profile", "id": uuid(1) } },
        { "method": "follow.create", "object": { "kind": "profile", "id": uuid(66) } },
    ] });
    let answers = world.done("a", &user(2), "permission.check", ask.clone()).await.json;
    let reasons: Vec<&str> = answers["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["reason"].as_str().unwrap_or("yes"))
        .collect();
    assert_eq!(
        reasons,
        ["yes", "yes", "notOwner", "notFound", "role", "role", "unknownMethod", "yes", "notFound"]
    );
    let own = world.done("a", &user(1), "permission.check", ask).await.json;
    assert_eq!(own["items"][2]["allowed"], true);
    let none = world.refused("a", &user(1), "permission.check", json!({ "calls": [] })).await;
    assert_eq!(none, (Code::Invalid, "/calls".to_owned()));
}

#[tokio::test]
async fn a_post_whose_author_does_not_say_is_for_whom_the_settings_say() {
    let world = world().await;
    let narrow = json!({ "settings": { "defaultAudience": "followers" } });
    world.done("a", &Caller::Admin, "admin.updateSettings", narrow).await;
    let post = json!({ "id": uuid(8), "text": "For whom?" });
    assert_eq!(world.done("a", &user(1), "post.create", post).await.json["audience"], "followers");
    let said = json!({ "id": uuid(7), "text": "For all", "audience": "public" });
    assert_eq!(world.done("a", &user(1), "post.create", said).await.json["audience"], "public");
}
