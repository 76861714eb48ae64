//! Who may call what administers an app or the cluster: every method, every caller, through the same code as from
//! a socket.

mod kit;

use bytes::Bytes;
use gomer::http::{Api, Side};
use gomer_core::id::MemberId;
use gomer_core::meta::command::{AppState, MetaCommand};
use gomer_core::meta::members::found::Founding;
use gomer_core::ring::member::{Member, MemberState, Weight, Zone};
use gomer_core::ring::partition::PartitionCount;
use gomer_core::ring::table::Ring;
use gomer_net::http::{Body, Request, Service};
use hyper::header::HeaderValue;
use hyper::{HeaderMap, Method};
use kit::{Kit, With, client_key, operator_token, server_key};
use serde_json::{Value, json};

/// Methods for the app's administrators, with arguments that are taken.
fn admin_methods(kit: &Kit, person: &str) -> Vec<(&'static str, Value)> {
    vec![
        ("admin.getSettings", json!({})),
        ("admin.updateSettings", json!({ "settings": { "client": { "versionMin": "2" } } })),
        ("admin.createKey", json!({ "id": kit.uuid(), "kind": "client", "name": "x" })),
        ("admin.listKeys", json!({})),
        ("admin.listProfiles", json!({})),
        ("permission.putRole", json!({ "name": "keeper", "methods": ["admin.listKeys"] })),
        ("permission.grantRole", json!({ "profile": person, "role": "keeper" })),
        ("permission.revokeRole", json!({ "profile": person, "role": "keeper" })),
    ]
}

/// Methods of the operator, with arguments that are taken.
fn operator_methods() -> Vec<(&'static str, Value)> {
    let (app, key) = ("0190a6b2-5c1e-4a3b-8f00-000000000001", "0190a6b2-5c1e-4a3b-8f00-000000000002");
    vec![
        ("cluster.clearChanges", json!({})),
        ("cluster.createApp", json!({ "id": app, "name": "three" })),
        ("cluster.createKey", json!({ "app": "three", "key": { "id": key, "kind": "admin", "name": "x" } })),
        ("cluster.getMetrics", json!({})),
        ("cluster.getRing", json!({})),
        ("cluster.getStatus", json!({})),
        ("cluster.listApps", json!({})),
        ("cluster.listTransfers", json!({})),
        ("cluster.planChanges", json!({})),
        ("cluster.stageChange", json!({ "change": "leave", "member": "ada" })),
        ("cluster.updateApp", json!({ "id": app, "title": "Three" })),
    ]
}

/// A membership of ada and bob, so that what changes it is taken.
async fn found(kit: &Kit) {
    let mut ring = Ring::empty(PartitionCount::new(8).unwrap());
    for partition in PartitionCount::new(8).unwrap().all() {
        ring.set(
            partition,
            &[MemberId(1 + u64::from(partition.0 % 2)), MemberId(2 - u64::from(partition.0 % 2))],
        );
    }
    let member = |(id, name): (u64, &str)| {
        let (name, zone, weight, state) =
            (name.to_owned(), Zone::default(), Weight::DEFAULT, MemberState::Valid);
        (MemberId(id), Member { name, zone, weight, state })
    };
    let founding =
        Founding { members: (1..).zip(["ada", "bob"]).map(member).collect(), ring, replicas: 2, seed: 1 };
    kit.host.cluster.change_meta(MetaCommand::Found(Box::new(founding))).await.unwrap();
}

/// Calls `/v1/-/…` on one of the listeners.
async fn cluster(kit: &Kit, side: Side, token: Option<&str>, method: &str, body: &Value) -> (u16, Value) {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    if let Some(token) = token {
        headers.insert("authorization", HeaderValue::from_str(&format!("Bearer {token}")).unwrap());
    }
    let request = Request {
        method: Method::POST,
        path: format!("/v1/-/{method}"),
        query: None,
        headers,
        body: Bytes::from(body.to_string()),
        client: kit.address(),
        websocket: false,
    };
    let response = Api::new(kit.host.clone(), side).call(request).await;
    let Body::Full(bytes) = response.body else { panic!("{method} gives a stream") };
    (response.status.as_u16(), serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

async fn admin_token(kit: &Kit, app: &str) -> String {
    let make = json!({ "id": kit.uuid(), "kind": "admin", "name": "Test" });
    let key = server_key(app);
    let with = With { app: Some(app), token: Some(&key), ..With::default() };
    kit.call_with("admin.createKey", with, make).await.expect(200).str("/secret")
}

#[tokio::test]
async fn administration_is_for_administrators_and_the_apps_server() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    let (admin, of_two) = (admin_token(&kit, "one").await, admin_token(&kit, "two").await);
    let server = server_key("one");
    for (method, args) in admin_methods(&kit, &ann.id) {
        kit.call(method, None, args.clone()).await.problem(401, "unauthenticated");
        kit.call(method, Some(&ann.token), args.clone()).await.problem(403, "forbidden");
        kit.call(method, Some(&client_key("one")), args.clone()).await.problem(401, "unauthenticated");
        kit.call(method, Some(&of_two), args.clone()).await.problem(401, "unauthenticated");
        kit.call(method, Some(&server_key("two")), args.clone()).await.problem(401, "unauthenticated");
        kit.call(method, Some(&admin), args.clone()).await.expect(200);
        kit.call(method, Some(&server), args).await.expect(200);
    }
}

#[tokio::test]
async fn the_operator_has_no_rights_inside_an_app() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    for (method, args) in admin_methods(&kit, &ann.id) {
        kit.call(method, Some(&operator_token()), args).await.problem(403, "forbidden");
    }
    kit.call("permission.getMine", Some(&operator_token()), json!({})).await.problem(403, "forbidden");
}

#[tokio::test]
async fn the_cluster_is_for_its_operator_on_the_admin_listener() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    let admin = admin_token(&kit, "one").await;
    found(&kit).await;
    for (method, args) in operator_methods() {
        let (status, problem) = cluster(&kit, Side::Public, Some(&operator_token()), method, &args).await;
        assert_eq!(
            (status, &problem["code"]),
            (404, &json!("not-found")),
            "{method}: not on the public listener"
        );
        assert_eq!(cluster(&kit, Side::Admin, None, method, &args).await.0, 401, "{method}");
        for token in [admin.as_str(), ann.token.as_str(), "gomer_operator_x", &server_key("one")] {
            assert_eq!(cluster(&kit, Side::Admin, Some(token), method, &args).await.0, 401, "{method}");
        }
        kit.call(method, Some(&admin), args.clone()).await.problem(404, "not-found");
        let (status, reply) = cluster(&kit, Side::Admin, Some(&operator_token()), method, &args).await;
        assert_eq!(status, 200, "{method}: {reply}");
    }
    let (method, plan) = ("cluster.commitChanges", json!({ "planId": "0-0000000000000000" }));
    for token in [None, Some(admin.as_str()), Some(&server_key("one"))] {
        assert_eq!(cluster(&kit, Side::Admin, token, method, &plan).await.0, 401);
    }
    let (status, problem) = cluster(&kit, Side::Admin, Some(&operator_token()), method, &plan).await;
    assert_eq!(
        (status, &problem["code"], &problem["errors"][0]["code"]),
        (409, &json!("conflict"), &json!("planChanged"))
    );
}

#[tokio::test]
async fn a_granted_role_opens_its_methods_and_ends_with_the_grant() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    let server = server_key("one");
    let role = json!({ "name": "keeper", "methods": ["admin.listKeys"] });
    kit.call("permission.putRole", Some(&server), role).await.expect(200);
    let grant = json!({ "profile": ann.id, "role": "keeper" });
    kit.call("admin.listKeys", Some(&ann.token), json!({})).await.problem(403, "forbidden");
    kit.call("permission.grantRole", Some(&server), grant.clone()).await.expect(200);
    kit.call("admin.listKeys", Some(&ann.token), json!({})).await.expect(200);
    kit.call("admin.getSettings", Some(&ann.token), json!({})).await.problem(403, "forbidden");
    kit.call("permission.revokeRole", Some(&server), grant).await.expect(200);
    kit.call("admin.listKeys", Some(&ann.token), json!({})).await.problem(403, "forbidden");
    let admin = json!({ "profile": ann.id, "role": "admin" });
    kit.call("permission.grantRole", Some(&server), admin).await.expect(200);
    kit.call("admin.getSettings", Some(&ann.token), json!({})).await.expect(200);
}

#[tokio::test]
async fn a_revoked_key_opens_nothing() {
    let kit = Kit::start().await;
    let id = kit.uuid();
    let server = server_key("one");
    let make = json!({ "id": id, "kind": "admin", "name": "Ann" });
    let admin = kit.call("admin.createKey", Some(&server), make).await.expect(200).str("/secret");
    kit.call("admin.listKeys", Some(&admin), json!({})).await.expect(200);
    kit.call("admin.deleteKey", Some(&server), json!({ "id": id })).await.expect(200);
    kit.call("admin.listKeys", Some(&admin), json!({})).await.problem(401, "unauthenticated");
    kit.call("admin.deleteKey", Some(&server), json!({ "id": kit.uuid() })).await.problem(404, "not-found");
}

#[tokio::test]
async fn settings_and_state_take_effect_at_once() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    let server = server_key("one");
    let narrow = json!({ "settings": { "rates": { "write": { "count": 1, "windowS": 3600 } } } });
    kit.call("admin.updateSettings", Some(&server), narrow).await.expect(200);
    let mut refused = 0;
    for _ in 0..10 {
        let answer = kit.call("profile.update", Some(&ann.token), json!({ "about": "x" })).await;
        refused += usize::from(answer.status == 429);
    }
    assert!(refused > 0, "the app's own limit holds");
    let off = json!({ "settings": { "rates": { "enabled": false } } });
    kit.call("admin.updateSettings", Some(&server), off).await.expect(200);
    for _ in 0..10 {
        kit.call("profile.update", Some(&ann.token), json!({ "about": "x" })).await.expect(200);
    }
    let id = kit.host.cluster.meta().apps["one"].uuid;
    let states = [(AppState::ReadOnly, 200, 403), (AppState::Frozen, 403, 403), (AppState::Active, 200, 200)];
    for (state, read, write) in states {
        let app = kit.host.cluster.meta().app_by_uuid(id).unwrap().id;
        let change = MetaCommand::UpdateApp { app, if_rev: None, title: None, state: Some(state) };
        kit.host.cluster.change_meta(change).await.unwrap();
        kit.call("app.getInfo", None, json!({})).await.expect(read);
        kit.call("profile.update", Some(&ann.token), json!({ "about": "y" })).await.expect(write);
    }
}

#[tokio::test]
async fn a_secret_is_in_no_list_and_no_recorded_reply() {
    let kit = Kit::start().await;
    let server = server_key("one");
    let make = json!({ "id": kit.uuid(), "kind": "server", "name": "x" });
    let key = kit.uuid();
    let headers = [("idempotency-key", key.as_str())];
    let with = || With { token: Some(&server), headers: &headers, ..With::default() };
    let first = kit.call_with("admin.createKey", with(), make.clone()).await.expect(200);
    assert!(first.str("/secret").starts_with("gomer_server_"));
    assert_eq!(first.header("cache-control"), Some("no-store"));
    let again = kit.call_with("admin.createKey", with(), make).await.expect(200);
    assert_eq!(again.header("gomer-replayed"), Some("true"));
    assert!(again.json.get("secret").is_none());
    let list = kit.call("admin.listKeys", Some(&server), json!({})).await.expect(200);
    assert!(!list.text.contains("gomer_"), "{}", list.text);
}

#[tokio::test]
async fn a_replay_of_another_kind_of_key_is_refused() {
    let kit = Kit::start().await;
    let server = server_key("one");
    let key = kit.uuid();
    let headers = [("idempotency-key", key.as_str())];
    let with = || With { token: Some(&server), headers: &headers, ..With::default() };
    let id = kit.uuid();
    let make = |kind: &str| json!({ "id": id, "kind": kind, "name": "x" });
    kit.call_with("admin.createKey", with(), make("client")).await.expect(200);
    kit.call_with("admin.createKey", with(), make("admin")).await.problem(422, "key-reused");
}
