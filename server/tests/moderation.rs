//! Moderation through the same code as from a socket: reports, cases, content that is taken down, bans, and the log.

mod kit;

use std::time::Duration;

use gomer_core::id::{Id, Root, RootKind};
use gomer_core::vnode::command::{Operation, Write};
use gomer_core::vnode::query::{Answer as Read, Query};
use kit::{Answer, Kit, PASSWORD, Person, With, admin_key, server_key};
use serde_json::{Value, json};

/// `DECISIONS` of the product's model; written out, because stored numbers never change.
const DECISIONS: gomer_core::id::StreamId = gomer_core::id::StreamId(40);

/// A moderator, two people, and a post of the second.
struct Scene {
    kit: Kit,
    moderator: Person,
    ann: Person,
    bob: Person,
    post: String,
}

async fn scene() -> Scene {
    let kit = Kit::start().await;
    let moderator = kit.person("moderator1").await;
    let grant = json!({ "profile": moderator.id, "role": "moderator" });
    kit.call("permission.grantRole", Some(&admin_key("one")), grant).await.expect(200);
    let (ann, bob) = (kit.person("ann").await, kit.person("bob").await);
    let post = kit.publish(&bob, "Buy now", "public").await;
    Scene { kit, moderator, ann, bob, post }
}

fn post(id: &str) -> Value {
    json!({ "kind": "post", "id": id })
}

impl Scene {
    async fn judge(&self, method: &str, body: Value) -> Answer {
        self.kit.call(method, Some(&self.moderator.token), body).await
    }

    async fn report(&self, who: &Person, object: Value) -> Answer {
        let body = json!({ "id": self.kit.uuid(), "object": object, "reason": "spam", "text": "again" });
        self.kit.call("moderation.report", Some(&who.token), body).await
    }
}

/// Every method of the service, with arguments that are taken, and the role that it asks for.
fn methods(scene: &Scene) -> Vec<(&'static str, bool, Value)> {
    let bob = json!({ "profile": scene.bob.id });
    vec![
        (
            "moderation.report",
            false,
            json!({ "id": scene.kit.uuid(), "object": post(&scene.post), "reason": "hate" }),
        ),
        ("moderation.listQueue", true, json!({})),
        ("moderation.assign", true, json!({ "object": post(&scene.post), "to": scene.moderator.id })),
        ("moderation.resolve", true, json!({ "objects": [post(&scene.post)], "outcome": "acted" })),
        ("moderation.removeContent", true, json!({ "object": post(&scene.post), "reason": "Spam" })),
        ("moderation.restoreContent", true, json!({ "object": post(&scene.post) })),
        ("moderation.ban", true, json!({ "target": bob, "reason": "Spam" })),
        ("moderation.listBans", true, json!({})),
        ("moderation.unban", true, json!({ "target": bob })),
        ("moderation.listLog", true, json!({})),
    ]
}

#[tokio::test]
async fn moderation_is_for_moderators_and_done_once() {
    let scene = scene().await;
    let kit = &scene.kit;
    for (method, moderators, args) in methods(&scene) {
        kit.call(method, None, args.clone()).await.problem(401, "unauthenticated");
        kit.call(method, Some(&server_key("two")), args.clone()).await.problem(401, "unauthenticated");
        let token = if moderators {
            kit.call(method, Some(&scene.ann.token), args.clone()).await.problem(403, "forbidden");
            &scene.moderator.token
        } else {
            &scene.ann.token
        };
        kit.call(method, Some(token), json!({ "nope": 1 })).await.problem(400, "unknown-field");
        if method.contains(".list") {
            kit.call(method, Some(token), args).await.expect(200);
            kit.call(method, Some(token), json!({ "cursor": "x" })).await.problem(400, "cursor-invalid");
            continue;
        }
        let key = kit.uuid();
        let with = || With { token: Some(token), headers: &[], ..With::default() };
        let headers = [("idempotency-key", key.as_str())];
        let keyed = || With { headers: &headers, ..with() };
        let first = kit.call_with(method, keyed(), args.clone()).await.expect(200);
        assert_eq!(first.header("gomer-replayed"), None, "{method}");
        let again = kit.call_with(method, keyed(), args.clone()).await.expect(200);
        assert_eq!((again.header("gomer-replayed"), &again.json), (Some("true"), &first.json), "{method}");
        let mut other = args.clone();
        match method {
            "moderation.resolve" => other["note"] = json!("other"),
            "moderation.assign" => other["to"] = json!(null),
            "moderation.report" => other["text"] = json!("other"),
            _ => other["reason"] = json!("other"),
        }
        kit.call_with(method, keyed(), other).await.problem(422, "key-reused");
    }
    // Each decision stands in the log once, however often it was sent.
    let log = scene.judge("moderation.listLog", json!({})).await.expect(200);
    let actions: Vec<&str> =
        log.json["items"].as_array().unwrap().iter().map(|it| it["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["unbanned", "banned", "restored", "removed", "resolved", "assigned"]);
    assert_eq!(log.json["end"], true);
}

#[tokio::test]
async fn what_people_report_is_one_case_and_the_reported_learn_nothing() {
    let scene = scene().await;
    let kit = &scene.kit;
    let carl = kit.person("carl").await;
    let other = kit.publish(&scene.bob, "Hello", "public").await;
    scene.report(&scene.ann, post(&scene.post)).await.expect(200);
    scene.report(&scene.ann, post(&other)).await.expect(200);
    scene.report(&carl, post(&other)).await.expect(200);
    scene.report(&carl, post(&other)).await.expect(200);
    let by_age = scene.judge("moderation.listQueue", json!({})).await.expect(200);
    assert_eq!(by_age.str("/items/0/object/id"), scene.post, "what has waited longest");
    let by_weight = scene.judge("moderation.listQueue", json!({ "order": "weight" })).await.expect(200);
    assert_eq!(by_weight.str("/items/0/object/id"), other);
    assert_eq!(by_weight.json["items"][0]["weight"], 2, "one person counts once");
    assert_eq!(by_weight.json["items"][0]["reports"].as_array().unwrap().len(), 3);
    // Page by page it is the same.
    let first = scene.judge("moderation.listQueue", json!({ "limit": 1 })).await.expect(200);
    let next = json!({ "limit": 1, "cursor": first.json["cursor"] });
    let second = scene.judge("moderation.listQueue", next.clone()).await.expect(200);
    assert_eq!(second.str("/items/0/object/id"), other);
    let elsewhere = json!({ "order": "weight", "cursor": first.json["cursor"] });
    scene.judge("moderation.listQueue", elsewhere).await.problem(400, "cursor-invalid");
    // Neither the post nor what its author syncs says anything of it.
    let pull = json!({ "roots": [format!("post:{other}")] });
    let pulled = kit.call("sync.pull", Some(&scene.bob.token), pull).await.expect(200);
    let seen = kit.call("post.get", Some(&scene.bob.token), json!({ "id": other })).await.expect(200);
    for text in [&pulled.text, &seen.text] {
        assert!(
            !text.contains(&scene.ann.id) && !text.contains(&carl.id) && !text.contains("report"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_report_that_cannot_be_made_is_refused() {
    let scene = scene().await;
    let kit = &scene.kit;
    let secret = kit.publish(&scene.bob, "For me", "onlyMe").await;
    let elsewhere = kit.person_in("two", "eve").await;
    let absent = scene.report(&scene.ann, post(&kit.uuid())).await.problem(404, "not-found");
    for object in [post(&secret), json!({ "kind": "profile", "id": elsewhere.id })] {
        let hidden = scene.report(&scene.ann, object).await.problem(404, "not-found");
        assert_eq!(hidden.untraced(), absent.untraced(), "what may not be seen is not there");
    }
    let own = scene.report(&scene.bob, post(&scene.post)).await.problem(422, "invalid");
    assert_eq!(own.str("/errors/0/pointer"), "/object");
    let id = kit.uuid();
    let report =
        |text: &str| json!({ "id": id, "object": post(&scene.post), "reason": "other", "text": text });
    let first = kit.call("moderation.report", Some(&scene.ann.token), report("a")).await.expect(200);
    let again = kit.call("moderation.report", Some(&scene.ann.token), report("b")).await.expect(200);
    assert_eq!(first.json, again.json, "the same id is the same report");
    let carl = kit.person("carl").await;
    kit.call("moderation.report", Some(&carl.token), report("c")).await.problem(409, "id-taken");
    kit.call("block.create", Some(&scene.bob.token), json!({ "id": carl.id })).await.expect(200);
    scene.report(&carl, post(&scene.post)).await.problem(404, "not-found");
}

#[tokio::test]
async fn cases_are_given_closed_together_and_opened_again() {
    let scene = scene().await;
    let kit = &scene.kit;
    let other = kit.publish(&scene.bob, "Hello", "public").await;
    let assign = |to: &str| json!({ "object": post(&scene.post), "to": to });
    scene.judge("moderation.assign", assign(&scene.moderator.id)).await.problem(404, "not-found");
    scene.report(&scene.ann, post(&scene.post)).await.expect(200);
    scene.report(&scene.ann, post(&other)).await.expect(200);
    let nobody = scene.judge("moderation.assign", assign(&scene.ann.id)).await.problem(422, "invalid");
    assert_eq!(nobody.str("/errors/0/pointer"), "/to");
    scene.judge("moderation.assign", assign(&scene.moderator.id)).await.expect(200);
    let mine = json!({ "assignee": scene.moderator.id });
    let queue = scene.judge("moderation.listQueue", mine).await.expect(200);
    assert_eq!(
        (queue.json["items"].as_array().unwrap().len(), queue.str("/items/0/object/id")),
        (1, scene.post.clone())
    );
    let both = json!({ "objects": [post(&scene.post), post(&other), post(&other), post(&kit.uuid())], "outcome": "dismissed" });
    let closed = scene.judge("moderation.resolve", both.clone()).await.expect(200);
    assert_eq!(closed.json["resolved"], json!([post(&scene.post), post(&other)]));
    let again = scene.judge("moderation.resolve", both).await.expect(200);
    assert_eq!(again.json["resolved"], json!([]));
    let queue = scene.judge("moderation.listQueue", json!({})).await.expect(200);
    assert_eq!(queue.json["items"], json!([]));
    scene.report(&scene.ann, post(&other)).await.expect(200);
    let queue = scene.judge("moderation.listQueue", json!({})).await.expect(200);
    assert_eq!((&queue.json["items"][0]["weight"], queue.str("/items/0/object/id")), (&json!(1), other));
}

#[tokio::test]
async fn what_is_taken_down_its_author_sees_with_the_reason_and_others_do_not() {
    let scene = scene().await;
    let kit = &scene.kit;
    let get = |token: Option<String>| {
        let id = scene.post.clone();
        async move { kit.call("post.get", token.as_deref(), json!({ "id": id })).await }
    };
    let absent = kit.call("post.get", Some(&scene.ann.token), json!({ "id": kit.uuid() })).await;
    let remove = json!({ "object": post(&scene.post), "reason": "It advertises." });
    scene.judge("moderation.removeContent", remove.clone()).await.expect(200);
    scene.judge("moderation.removeContent", remove).await.expect(200);
    assert_eq!(get(Some(scene.ann.token.clone())).await.untraced(), absent.untraced());
    get(None).await.problem(404, "not-found");
    for eyes in [&scene.bob, &scene.moderator] {
        let seen = get(Some(eyes.token.clone())).await.expect(200);
        assert_eq!(
            (&seen.json["removed"], seen.str("/removal/reason")),
            (&json!(true), "It advertises.".into())
        );
    }
    scene.judge("moderation.restoreContent", json!({ "object": post(&scene.post) })).await.expect(200);
    let seen = get(Some(scene.ann.token.clone())).await.expect(200);
    assert!(seen.json.get("removed").is_none() && seen.json.get("removal").is_none(), "{}", seen.text);
    let gone = json!({ "object": post(&kit.uuid()), "reason": "x" });
    scene.judge("moderation.removeContent", gone.clone()).await.problem(404, "not-found");
    scene
        .judge("moderation.restoreContent", json!({ "object": gone["object"] }))
        .await
        .problem(404, "not-found");
    let profile = json!({ "object": { "kind": "profile", "id": scene.bob.id }, "reason": "x" });
    scene.judge("moderation.removeContent", profile).await.problem(422, "invalid");
    let log = scene.judge("moderation.listLog", json!({})).await.expect(200);
    assert_eq!(log.json["items"].as_array().unwrap().len(), 2, "doing it again decides nothing");
    // Another app's moderator finds nothing of it.
    let with = With { app: Some("two"), token: Some(&admin_key("two")), ..With::default() };
    let foreign = json!({ "object": post(&scene.post), "reason": "x" });
    kit.call_with("moderation.removeContent", with.clone(), foreign).await.problem(404, "not-found");
    let empty = kit.call_with("moderation.listLog", with, json!({})).await.expect(200);
    assert_eq!(empty.json["items"], json!([]));
}

#[tokio::test]
async fn a_banned_profile_is_gone_at_once_and_comes_back() {
    let scene = scene().await;
    let kit = &scene.kit;
    kit.follow(&scene.ann, &scene.bob).await;
    let target = json!({ "profile": scene.bob.id });
    scene.judge("moderation.ban", json!({ "target": target, "reason": "Spam" })).await.expect(200);
    kit.call("auth.getSession", Some(&scene.bob.token), json!({})).await.problem(403, "forbidden");
    let refresh = json!({ "refreshToken": scene.bob.refresh });
    kit.call("auth.refreshSession", None, refresh).await.problem(403, "forbidden");
    let log_in = json!({ "id": kit.uuid(), "handle": "bob", "password": PASSWORD });
    kit.call("auth.createSession", None, log_in).await.problem(403, "forbidden");
    let ann = Some(scene.ann.token.as_str());
    kit.call("profile.get", ann, json!({ "id": scene.bob.id })).await.problem(404, "not-found");
    kit.call("post.get", ann, json!({ "id": scene.post })).await.problem(404, "not-found");
    for (method, args) in [
        ("timeline.getHome", json!({})),
        ("timeline.getApp", json!({})),
        ("follow.listFollowing", json!({ "id": scene.ann.id })),
        ("profile.list", json!({})),
    ] {
        let answer = kit.call(method, ann, args).await;
        assert!(!answer.text.contains(&scene.bob.id), "{method}: {}", answer.text);
    }
    let roots = json!({ "roots": [format!("profile:{}", scene.bob.id), format!("post:{}", scene.post)] });
    let pulled = kit.call("sync.pull", ann, roots).await.expect(200);
    assert!(!pulled.text.contains("Buy now"), "{}", pulled.text);
    let seen = scene.judge("profile.get", json!({ "id": scene.bob.id })).await.expect(200);
    assert_eq!(seen.json["banned"], true, "moderators see it");
    let bans = scene.judge("moderation.listBans", json!({})).await.expect(200);
    assert_eq!(
        (bans.json["items"][0]["target"].clone(), bans.str("/items/0/by")),
        (target.clone(), scene.moderator.id.clone())
    );
    for _ in 0..2 {
        scene.judge("moderation.unban", json!({ "target": target })).await.expect(200);
    }
    kit.call("auth.getSession", Some(&scene.bob.token), json!({})).await.expect(200);
    kit.call("post.get", ann, json!({ "id": scene.post })).await.expect(200);
    let bans = scene.judge("moderation.listBans", json!({})).await.expect(200);
    assert_eq!(bans.json["items"], json!([]));
}

#[tokio::test]
async fn a_ban_ends_by_the_clock_unless_another_came_in_its_place() {
    let scene = scene().await;
    let kit = &scene.kit;
    let now = kit.host.cluster.now().wall;
    let ban = |hours: u64| {
        let until = (now + Duration::from_secs(hours * 3600)).to_string();
        json!({ "target": { "profile": scene.bob.id }, "reason": "Spam", "until": until })
    };
    scene.judge("moderation.ban", ban(1)).await.expect(200);
    // The token of the kit lives for minutes: whoever asks is the app's server, for bob.
    let key = server_key("one");
    let headers = [("gomer-as", scene.bob.id.as_str())];
    let asks = || With { token: Some(&key), headers: &headers, ..With::default() };
    kit.call_with("auth.getSession", asks(), json!({})).await.problem(403, "forbidden");
    scene.judge("moderation.ban", ban(3)).await.expect(200);
    kit.skip(Duration::from_secs(2 * 3600));
    tokio::time::sleep(Duration::from_millis(300)).await;
    kit.call_with("auth.getSession", asks(), json!({})).await.problem(403, "forbidden");
    let bans = kit.call("moderation.listBans", Some(&admin_key("one")), json!({})).await.expect(200);
    assert_eq!(bans.json["items"].as_array().unwrap().len(), 1);
    kit.skip(Duration::from_secs(3600));
    let admin = admin_key("one");
    let id = json!({ "id": scene.bob.id });
    kit.until("profile.get", Some(&admin), id, |it| it.json.get("banned").is_none()).await;
    kit.call_with("auth.getSession", asks(), json!({})).await.expect(200);
    let bans = kit.call("moderation.listBans", Some(&admin), json!({})).await.expect(200);
    assert_eq!(bans.json["items"], json!([]));
}

#[tokio::test]
async fn what_cannot_be_banned_is_refused() {
    let scene = scene().await;
    let kit = &scene.kit;
    let second = kit.person("second").await;
    let grant = json!({ "profile": second.id, "role": "moderator" });
    kit.call("permission.grantRole", Some(&admin_key("one")), grant).await.expect(200);
    let elsewhere = kit.person_in("two", "eve").await;
    let ban = |target: Value| json!({ "target": target, "reason": "x" });
    for id in [kit.uuid(), elsewhere.id, scene.post.clone()] {
        scene.judge("moderation.ban", ban(json!({ "profile": id }))).await.problem(404, "not-found");
    }
    for id in [&second.id, &scene.moderator.id] {
        scene.judge("moderation.ban", ban(json!({ "profile": id }))).await.problem(403, "forbidden");
    }
    for range in ["0.0.0.0/0", "x", "10.0.0.0/33"] {
        scene.judge("moderation.ban", ban(json!({ "address": range }))).await.problem(422, "invalid");
    }
    let past =
        json!({ "target": { "profile": scene.bob.id }, "reason": "x", "until": "2020-01-01T00:00:00Z" });
    let refused = scene.judge("moderation.ban", past).await.problem(422, "invalid");
    assert_eq!(refused.str("/errors/0/pointer"), "/until");
    kit.call("moderation.ban", Some(&admin_key("one")), ban(json!({ "profile": second.id })))
        .await
        .expect(200);
    let log = scene.judge("moderation.listLog", json!({})).await.expect(200);
    assert_eq!(log.json["items"].as_array().unwrap().len(), 1, "what was refused was not decided");
}

#[tokio::test]
async fn banned_devices_and_addresses_are_turned_away() {
    let scene = scene().await;
    let kit = &scene.kit;
    let client = "203.0.113.9".parse().unwrap();
    let from = |app| With { app: Some(app), client: Some(client), ..With::default() };
    kit.call_with("app.getInfo", from("one"), json!({})).await.expect(200);
    let range = json!({ "address": "203.0.113.77/24" });
    let made = scene.judge("moderation.ban", json!({ "target": range, "reason": "x" })).await.expect(200);
    assert_eq!(made.str("/target/address"), "203.0.113.0/24");
    kit.call_with("app.getInfo", from("one"), json!({})).await.problem(403, "forbidden");
    kit.call_with("app.getInfo", from("two"), json!({})).await.expect(200);
    kit.call("app.getInfo", None, json!({})).await.expect(200);
    let server = With { token: Some(&server_key("one")), ..from("one") };
    kit.call_with("app.getInfo", server, json!({})).await.expect(200);
    scene.judge("moderation.unban", json!({ "target": range })).await.expect(200);
    kit.call_with("app.getInfo", from("one"), json!({})).await.expect(200);
    let session = kit.call("auth.getSession", Some(&scene.bob.token), json!({})).await.expect(200);
    let target = json!({ "device": session.str("/session/device") });
    scene.judge("moderation.ban", json!({ "target": target, "reason": "x" })).await.expect(200);
    kit.call("auth.getSession", Some(&scene.bob.token), json!({})).await.problem(403, "forbidden");
    kit.call("auth.getSession", Some(&scene.ann.token), json!({})).await.expect(200);
    kit.call("profile.get", Some(&scene.ann.token), json!({ "id": scene.bob.id })).await.expect(200);
    scene.judge("moderation.unban", json!({ "target": target })).await.expect(200);
    kit.call("auth.getSession", Some(&scene.bob.token), json!({})).await.expect(200);
}

#[tokio::test]
async fn a_log_that_was_changed_is_not_shown() {
    let scene = scene().await;
    let kit = &scene.kit;
    let object = post(&scene.post);
    for _ in 0..2 {
        scene.judge("moderation.removeContent", json!({ "object": object, "reason": "x" })).await.expect(200);
        scene.judge("moderation.restoreContent", json!({ "object": object })).await.expect(200);
    }
    let page = scene.judge("moderation.listLog", json!({ "limit": 3 })).await.expect(200);
    assert_eq!(page.json["items"][0]["number"], 4);
    let next = json!({ "cursor": page.json["cursor"] });
    let last = scene.judge("moderation.listLog", next.clone()).await.expect(200);
    assert_eq!((&last.json["items"][0]["number"], &last.json["end"]), (&json!(1), &json!(true)));
    // Somebody with access to the rows changes the oldest decision.
    let app = kit.host.cluster.meta().apps["one"].id;
    let root = Root::new(RootKind::Misc, Id::derived("moderation", b""));
    let query = Query::EntryPage { stream: DECISIONS, from: None, newest_first: false, limit: 1 };
    let Read::EntryPage(entries, _) = kit.host.cluster.read(app, root, query).await.unwrap().answer else {
        panic!("a page")
    };
    let extra = entries[0].entry.activity.extra.clone();
    let amend = |extra: String| {
        let id = entries[0].entry.id;
        let op = Operation::Amend { stream: DECISIONS, id, extra };
        kit.host.cluster.write(Write::new(app, root, Id::NIL).op(op))
    };
    amend(extra.replace(r#""reason":"x""#, r#""reason":"y""#)).await.unwrap();
    scene.judge("moderation.listLog", next.clone()).await.problem(500, "corrupt");
    scene.judge("moderation.listLog", json!({})).await.problem(500, "corrupt");
    amend(extra).await.unwrap();
    scene.judge("moderation.listLog", next.clone()).await.expect(200);
    // Somebody drops it.
    let drop = Operation::Retract { stream: DECISIONS, id: entries[0].entry.id };
    kit.host.cluster.write(Write::new(app, root, Id::NIL).op(drop)).await.unwrap();
    scene.judge("moderation.listLog", next).await.problem(500, "corrupt");
}
