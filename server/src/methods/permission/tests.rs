use std::time::Duration;

use gomer_core::id::{Id, Root, Section};
use gomer_core::rows::node::Flags;
use gomer_core::vnode::command::{Operation, Write};
use serde_json::json;

use crate::model::PROFILE;
use crate::problem::Code;
use crate::registry::Caller;
use crate::testing::{With, World, user, uuid};

const ADMIN: Caller = Caller::Admin;

async fn join(world: &World, app: &str, n: u8) {
    let id: Id = uuid(n).parse().unwrap();
    let create = Operation::CreateNode {
        id,
        ty: PROFILE,
        section: Section::PUBLIC,
        author: id,
        flags: Flags::default(),
        attrs: Vec::new(),
    };
    let write = Write::new(world.app(app).id, Root::profile(id), id).op(create);
    world.host.cluster.write(write).await.unwrap();
}

async fn roles(world: &World, app: &str, n: u8) -> serde_json::Value {
    world.done(app, &user(n), "permission.getMine", json!({})).await.json["roles"].clone()
}

#[tokio::test]
async fn a_role_is_given_held_and_taken_back() {
    let world = World::with_app("a").await;
    join(&world, "a", 1).await;
    assert_eq!(roles(&world, "a", 1).await, json!([]));
    let grant = json!({ "profile": uuid(1), "role": "moderator" });
    let given = world.done("a", &ADMIN, "permission.grantRole", grant.clone()).await;
    assert_eq!((&given.json["held"], &given.json["until"]), (&json!(true), &json!(null)));
    assert!(given.rev.is_some());
    world.done("a", &ADMIN, "permission.grantRole", grant.clone()).await;
    assert_eq!(roles(&world, "a", 1).await, json!(["moderator"]));
    let taken = world.done("a", &ADMIN, "permission.revokeRole", grant.clone()).await.json;
    assert_eq!(taken["held"], false);
    let again = world.done("a", &ADMIN, "permission.revokeRole", grant.clone()).await.json;
    assert_eq!(again, taken, "the same again");
    assert_eq!(roles(&world, "a", 1).await, json!([]));
    world.done("a", &ADMIN, "permission.grantRole", grant).await;
    assert_eq!(roles(&world, "a", 1).await, json!(["moderator"]), "it can be given again");
}

#[tokio::test]
async fn a_role_that_nobody_holds_can_be_taken_back() {
    let world = World::with_app("a").await;
    join(&world, "a", 1).await;
    let never = json!({ "profile": uuid(1), "role": "moderator" });
    let reply = world.done("a", &ADMIN, "permission.revokeRole", never).await.json;
    assert_eq!(reply["held"], false);
}

#[tokio::test]
async fn a_grant_ends_by_itself() {
    let world = World::with_app("a").await;
    join(&world, "a", 1).await;
    let until = (world.host.cluster.now().wall + Duration::from_secs(60)).to_string();
    let grant = json!({ "profile": uuid(1), "role": "admin", "until": until });
    let given = world.done("a", &ADMIN, "permission.grantRole", grant).await.json;
    assert_eq!(given["until"], until.as_str());
    assert_eq!(roles(&world, "a", 1).await, json!(["admin"]));
    world.pass(Duration::from_secs(60));
    assert_eq!(roles(&world, "a", 1).await, json!([]));
}

#[tokio::test]
async fn what_cannot_be_granted_is_refused() {
    let world = World::with_app("a").await;
    world.create_app("b").await;
    join(&world, "a", 1).await;
    for (app, args, code, pointer) in [
        ("a", json!({ "profile": uuid(2), "role": "admin" }), Code::NotFound, ""),
        ("b", json!({ "profile": uuid(1), "role": "admin" }), Code::NotFound, ""),
        ("a", json!({ "profile": uuid(1), "role": "king" }), Code::Invalid, "/role"),
        ("a", json!({ "profile": uuid(1) }), Code::Invalid, "/role"),
        ("a", json!({ "profile": uuid(1), "role": "admin", "until": "soon" }), Code::Invalid, "/until"),
        (
            "a",
            json!({ "profile": uuid(1), "role": "admin", "until": "2020-01-01T00:00:00Z" }),
            Code::Invalid,
            "/until",
        ),
    ] {
        let refused = world.refused(app, &ADMIN, "permission.grantRole", args.clone()).await;
        assert_eq!(refused, (code, pointer.to_owned()), "{app} {args}");
    }
    let absent = json!({ "profile": uuid(2), "role": "admin" });
    assert_eq!(world.refused("a", &ADMIN, "permission.revokeRole", absent).await.0, Code::NotFound);
    assert_eq!(roles(&world, "a", 1).await, json!([]));
}

#[tokio::test]
async fn an_apps_own_role_allows_its_methods_at_once() {
    let world = World::with_app("a").await;
    join(&world, "a", 1).await;
    let put =
        json!({ "name": "keeper", "methods": ["admin.listKeys", "admin.getSettings", "admin.listKeys"] });
    let role = world.done("a", &ADMIN, "permission.putRole", put.clone()).await.json;
    assert_eq!(role["methods"], json!(["admin.getSettings", "admin.listKeys"]));
    assert_eq!(world.done("a", &ADMIN, "permission.putRole", put).await.json, role, "the same again");
    world.done("a", &ADMIN, "permission.grantRole", json!({ "profile": uuid(1), "role": "keeper" })).await;
    let mine = world.done("a", &user(1), "permission.getMine", json!({})).await.json;
    assert_eq!(mine, json!({ "roles": ["keeper"], "methods": ["admin.getSettings", "admin.listKeys"] }));
    let less = json!({ "name": "keeper", "methods": [], "ifRev": role["rev"] });
    world.done("a", &ADMIN, "permission.putRole", less).await;
    let mine = world.done("a", &user(1), "permission.getMine", json!({})).await.json;
    assert_eq!(mine["methods"], json!([]));
    let stale = json!({ "name": "keeper", "methods": ["admin.listKeys"], "ifRev": role["rev"] });
    assert_eq!(world.refused("a", &ADMIN, "permission.putRole", stale).await.0, Code::StaleRevision);
}

#[tokio::test]
async fn roles_cannot_name_what_is_not_theirs_to_allow() {
    let world = World::with_app("a").await;
    for (args, pointer) in [
        (json!({ "name": "admin", "methods": [] }), "/name"),
        (json!({ "name": "Night", "methods": [] }), "/name"),
        (json!({ "name": "x", "methods": ["cluster.createApp"] }), "/methods/0"),
        (json!({ "name": "x", "methods": ["admin.listKeys", "app.getInfo"] }), "/methods/1"),
        (json!({ "name": "x", "methods": ["no.such"] }), "/methods/0"),
    ] {
        let refused = world.refused("a", &ADMIN, "permission.putRole", args.clone()).await;
        assert_eq!(refused, (Code::Invalid, pointer.to_owned()), "{args}");
    }
    assert!(world.app("a").roles.is_empty());
}

#[tokio::test]
async fn an_operation_is_done_once() {
    let world = World::with_app("a").await;
    join(&world, "a", 1).await;
    let with = With { op: Some(1), if_match: None };
    let grant = json!({ "profile": uuid(1), "role": "moderator" });
    let first = world.call_with("a", &ADMIN, "permission.grantRole", grant.clone(), with).await.unwrap();
    world.done("a", &ADMIN, "permission.revokeRole", grant.clone()).await;
    let again = world.call_with("a", &ADMIN, "permission.grantRole", grant, with).await.unwrap();
    assert!(again.replayed && again.json == first.json);
    assert_eq!(roles(&world, "a", 1).await, json!([]), "a late repeat gives nothing back");
    let put = json!({ "name": "keeper", "methods": [] });
    let first = world.call_with("a", &ADMIN, "permission.putRole", put.clone(), with).await.unwrap();
    let again = world.call_with("a", &ADMIN, "permission.putRole", put, with).await.unwrap();
    assert!(!first.replayed && again.replayed && first.json == again.json);
}

#[tokio::test]
async fn only_people_have_roles_of_their_own() {
    let world = World::with_app("a").await;
    for caller in [Caller::Anonymous, Caller::Admin, Caller::Server { acting_as: None }] {
        let refused = world.refused("a", &caller, "permission.getMine", json!({})).await;
        assert_eq!(refused.0, Code::Unauthenticated);
    }
}
