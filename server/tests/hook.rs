//! `hook`: who is told what, how deliveries are signed, fail, go on after a restart and end; and the feed that says the same.

mod kit;

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gomer::host::Edges;
use gomer::methods::hook::deliver;
use gomer::outside::{Answered, Answering, Ask, Outside, Scripted};
use hmac::{Hmac, KeyInit, Mac};
use hyper::HeaderMap;
use kit::{Answer, Kit, Person, With, admin_key, server_key};
use serde_json::{Value, json};
use sha2::Sha256;

const URL: &str = "https://hooks.example/in";

/// Makes a hook: its id and its secret.
async fn hook(kit: &Kit, patch: Value) -> (String, String) {
    let id = kit.uuid();
    let mut body = json!({ "id": id, "url": URL });
    body.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
    let made = kit.call("hook.create", Some(&admin_key("one")), body).await.expect(200);
    (id, made.str("/secret"))
}

/// Serves every hook once, to the end.
async fn deliver(kit: &Kit) {
    for task in deliver::begin(&kit.host, 0).await.unwrap() {
        task.await.unwrap();
    }
}

/// Serves until so many deliveries went to that address: for what reaches another root by a step.
async fn until(kit: &Kit, outside: &Scripted, url: &str, count: usize) -> Vec<(String, Value)> {
    for _ in 0..200 {
        deliver(kit).await;
        let told = told(outside, url);
        if told.len() >= count {
            return told;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{url} was told {:?}", told(outside, url));
}

/// Ids and bodies of what was sent to an address.
fn told(outside: &Scripted, url: &str) -> Vec<(String, Value)> {
    let to = outside.asked().into_iter().filter(|ask| ask.url == url);
    to.map(|ask| (header(&ask, "webhook-id"), serde_json::from_slice(&ask.body).unwrap())).collect()
}

fn header(ask: &Ask, name: &str) -> String {
    ask.headers[name].to_str().unwrap().to_owned()
}

fn types(told: &[(String, Value)]) -> Vec<&str> {
    told.iter().map(|(_, body)| body["type"].as_str().unwrap()).collect()
}

async fn allow(kit: &Kit, hooks: Value) {
    let settings = json!({ "settings": { "hooks": hooks } });
    kit.call("admin.updateSettings", Some(&admin_key("one")), settings).await.expect(200);
}

async fn listed(kit: &Kit) -> Answer {
    kit.call("hook.list", Some(&admin_key("one")), json!({})).await.expect(200)
}

#[tokio::test]
async fn a_post_is_told_once_signed_and_without_its_text() {
    let (kit, outside) = Kit::start_outside().await;
    let ann = kit.person("ann").await;
    kit.publish(&ann, "Before there was a hook", "public").await;
    let (_, secret) = hook(&kit, json!({})).await;
    outside.always(URL, 204, "");
    let post = kit.publish(&ann, "A text that stays here", "public").await;
    deliver(&kit).await;
    deliver(&kit).await;
    let asked = outside.asked();
    assert_eq!(asked.len(), 1, "what was before the hook is not told, and nothing is told twice");
    let ask = &asked[0];
    let body: Value = serde_json::from_slice(&ask.body).unwrap();
    let id = header(ask, "webhook-id");
    // The golden example: all of a delivery's body, but for what differs from run to run.
    assert_eq!(
        body,
        json!({
            "id": id, "type": "post.created", "timestamp": body["timestamp"],
            "data": { "object": { "type": "post", "id": post }, "actor": ann.id },
        })
    );
    let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&key).unwrap();
    mac.update(format!("{id}.{}.", header(ask, "webhook-timestamp")).as_bytes());
    mac.update(&ask.body);
    let signature = STANDARD.encode(mac.finalize().into_bytes());
    assert_eq!(header(ask, "webhook-signature"), format!("v1,{signature}"));
    let now = kit.host.cluster.now().wall.as_millis() / 1_000;
    let stamp: u64 = header(ask, "webhook-timestamp").parse().unwrap();
    assert!(stamp <= now && stamp + 60 > now);
    kit.call("post.delete", Some(&ann.token), json!({ "id": post })).await.expect(200);
    let told = until(&kit, &outside, URL, 2).await;
    assert_eq!(types(&told), ["post.created", "post.deleted"]);
    assert_eq!(told[1].1["data"], json!({ "object": { "type": "post", "id": post } }));
    assert_ne!(told[0].0, told[1].0);
    let health = &listed(&kit).await.json["items"][0]["delivery"];
    assert_eq!((&health["state"], &health["failures"]), (&json!("working"), &json!(0)));
}

#[tokio::test]
async fn what_nobody_may_see_outside_is_never_told() {
    let (kit, outside) = Kit::start_outside().await;
    outside.always("https://", 200, "");
    allow(&kit, json!({ "allowChats": true })).await;
    let (ann, bob) = (kit.person("ann").await, kit.person("bob").await);
    hook(&kit, json!({})).await;
    let chats = "https://hooks.example/chats";
    hook(&kit, json!({ "url": chats, "chats": true })).await;
    let token = Some(ann.token.as_str());
    let secret = kit.publish(&ann, "Mine alone", "onlyMe").await;
    let on_secret = json!({ "id": kit.uuid(), "to": { "kind": "post", "id": secret }, "text": "to myself" });
    kit.call("reply.create", token, on_secret).await.expect(200);
    kit.call("note.create", token, json!({ "id": kit.uuid(), "text": "A note" })).await.expect(200);
    kit.call("block.create", token, json!({ "id": bob.id })).await.expect(200);
    let log_in = json!({ "handle": "ann", "password": kit::PASSWORD });
    kit.call("auth.createSession", None, log_in).await.expect(200);
    let cleo = kit.person("cleo").await;
    let chat = kit.uuid();
    let open = json!({ "id": chat, "title": "A chat", "members": [cleo.id] });
    kit.call("chat.create", token, open).await.expect(200);
    let said = json!({ "chat": chat, "id": kit.uuid(), "text": "Between us" });
    kit.call("chat.sendMessage", token, said).await.expect(200);
    let open = kit.publish(&ann, "For those who follow", "followers").await;
    let told_of_chats = until(&kit, &outside, chats, 4).await;
    let plain = told(&outside, URL);
    let mut of_chats = types(&told_of_chats);
    of_chats.sort_unstable();
    assert_eq!(of_chats, ["chat.created", "message.created", "post.created", "profile.created"]);
    let mut of_plain = types(&plain);
    of_plain.sort_unstable();
    assert_eq!(of_plain, ["post.created", "profile.created"], "{plain:?}");
    assert!(plain.iter().any(|(_, body)| body["data"]["object"]["id"] == open.as_str()));
    let all = format!("{:?}", outside.asked());
    for never in ["Mine alone", "to myself", "A note", "Between us", "A chat", secret.as_str(), kit::PASSWORD]
    {
        assert!(!all.contains(never), "{never}");
    }
    // The app takes its leave back: also the hook that asked hears no more.
    allow(&kit, json!({ "allowChats": false })).await;
    let said = json!({ "chat": chat, "id": kit.uuid(), "text": "Again" });
    kit.call("chat.sendMessage", token, said).await.expect(200);
    kit.publish(&ann, "Hello", "public").await;
    let told = until(&kit, &outside, chats, 5).await;
    assert_eq!(types(&told)[4], "post.created");
}

#[tokio::test]
async fn follows_likes_and_what_moderators_do_are_told_and_a_hook_gets_what_it_chose() {
    let (kit, outside) = Kit::start_outside().await;
    let (ann, bob) = (kit.person("ann").await, kit.person("bob").await);
    let post = kit.publish(&ann, "Hello", "public").await;
    outside.always("https://", 200, "");
    hook(&kit, json!({})).await;
    let few = "https://hooks.example/few";
    hook(&kit, json!({ "url": few, "events": ["like.created", "content.removed"] })).await;
    kit.follow(&bob, &ann).await;
    kit.call("like.put", Some(&bob.token), json!({ "id": post })).await.expect(200);
    let liked = until(&kit, &outside, few, 1).await;
    assert_eq!(liked[0].1["data"], json!({ "object": { "type": "post", "id": post }, "actor": bob.id }));
    let judge = kit.person("judge").await;
    let grant = json!({ "profile": judge.id, "role": "moderator" });
    kit.call("permission.grantRole", Some(&admin_key("one")), grant).await.expect(200);
    let remove = json!({ "object": { "kind": "post", "id": post }, "reason": "Spam" });
    kit.call("moderation.removeContent", Some(&judge.token), remove).await.expect(200);
    let told_few = until(&kit, &outside, few, 2).await;
    assert_eq!(types(&told_few), ["like.created", "content.removed"]);
    kit.call("follow.delete", Some(&bob.token), json!({ "id": ann.id })).await.expect(200);
    for _ in 0..100 {
        deliver(&kit).await;
        let told = told(&outside, URL);
        if types(&told).contains(&"follow.deleted") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let told = told(&outside, URL);
    let follow = told.iter().find(|(_, body)| body["type"] == "follow.created").expect("a follow is told");
    assert_eq!(follow.1["data"], json!({ "object": { "type": "profile", "id": ann.id }, "actor": bob.id }));
    assert!(types(&told).contains(&"follow.deleted"), "{told:?}");
}

#[tokio::test]
async fn bad_addresses_strangers_and_too_many_are_refused() {
    let (kit, _) = Kit::start_outside().await;
    let ann = kit.person("ann").await;
    let admin = admin_key("one");
    let body = |url: &str| json!({ "id": kit.uuid(), "url": url });
    for method in ["hook.create", "hook.delete", "hook.list", "hook.readEvents"] {
        let args = match method {
            "hook.create" => body(URL),
            "hook.delete" => json!({ "id": kit.uuid() }),
            _ => json!({}),
        };
        kit.call(method, None, args.clone()).await.problem(401, "unauthenticated");
        kit.call(method, Some(&ann.token), args).await.problem(403, "forbidden");
    }
    for (url, code) in [
        ("http://hooks.example/in", "value"),
        ("ftp://hooks.example/in", "format"),
        ("hooks.example/in", "format"),
        ("https://", "format"),
        ("not an address", "format"),
        ("https://me:secret@hooks.example/", "value"),
        ("https://hooks.example/#part", "value"),
        ("", "length"),
    ] {
        let answer = kit.call("hook.create", Some(&admin), body(url)).await.expect(422);
        assert_eq!(
            (answer.str("/errors/0/pointer"), answer.str("/errors/0/code")),
            ("/url".into(), code.into())
        );
    }
    let long = format!("https://hooks.example/{}", "x".repeat(2_100));
    kit.call("hook.create", Some(&admin), body(&long)).await.problem(422, "invalid");
    for (patch, status) in [
        (json!({ "events": [] }), 422),
        (json!({ "events": ["post.eaten"] }), 422),
        (json!({ "events": ["session.opened"] }), 422),
        (json!({ "secret": "mine" }), 400),
        (json!({ "chats": true }), 403),
    ] {
        let mut args = body(URL);
        args.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
        kit.call("hook.create", Some(&admin), args).await.expect(status);
    }
    allow(&kit, json!({ "allowHttp": true })).await;
    let plain = kit.call("hook.create", Some(&admin), body("http://hooks.example/in")).await.expect(200);
    let mut ids = vec![plain.str("/id")];
    for _ in 1..10 {
        ids.push(hook(&kit, json!({})).await.0);
    }
    kit.call("hook.create", Some(&admin), body(URL)).await.problem(413, "too-large");
    // The same again is the same, without the secret; another one under its id is refused, and so is one that is gone.
    let same = json!({ "id": ids[1], "url": URL });
    let again = kit.call("hook.create", Some(&server_key("one")), same.clone()).await.expect(200);
    assert!(again.json.get("secret").is_none());
    let other = json!({ "id": ids[1], "url": "https://hooks.example/other" });
    kit.call("hook.create", Some(&admin), other).await.problem(409, "id-taken");
    // Another app knows nothing of it.
    let theirs = With { app: Some("two"), token: Some(&admin_key("two")), ..With::default() };
    kit.call_with("hook.delete", theirs.clone(), json!({ "id": ids[1] })).await.problem(404, "not-found");
    let listed_there = kit.call_with("hook.list", theirs, json!({})).await.expect(200);
    assert_eq!(listed_there.json["items"], json!([]));
    kit.call("hook.delete", Some(&admin), json!({ "id": ids[1] })).await.expect(200);
    kit.call("hook.delete", Some(&admin), json!({ "id": ids[1] })).await.expect(200);
    kit.call("hook.delete", Some(&admin), json!({ "id": kit.uuid() })).await.problem(404, "not-found");
    kit.call("hook.create", Some(&admin), same).await.problem(409, "id-taken");
    assert_eq!(listed(&kit).await.json["items"].as_array().unwrap().len(), 9);
    assert!(!listed(&kit).await.text.contains("whsec_"));
    kit.call("hook.create", Some(&admin), body(URL)).await.expect(200);
}

#[tokio::test]
async fn two_at_once_do_not_make_an_eleventh() {
    let (kit, _) = Kit::start_outside().await;
    for _ in 0..9 {
        hook(&kit, json!({})).await;
    }
    let admin = admin_key("one");
    let body = || json!({ "id": kit.uuid(), "url": URL });
    let (one, two) = tokio::join!(
        kit.call("hook.create", Some(&admin), body()),
        kit.call("hook.create", Some(&admin), body())
    );
    let mut both = [one.status, two.status];
    both.sort_unstable();
    assert_eq!(both, [200, 413], "{} {}", one.text, two.text);
}

#[tokio::test]
async fn an_operation_id_brings_the_first_reply_without_its_secret() {
    let (kit, _) = Kit::start_outside().await;
    let (admin, op) = (admin_key("one"), kit.uuid());
    let headers = [("idempotency-key", op.as_str())];
    let with = With { token: Some(&admin), headers: &headers, ..With::default() };
    let body = json!({ "id": kit.uuid(), "url": URL });
    let first = kit.call_with("hook.create", with.clone(), body.clone()).await.expect(200);
    let again = kit.call_with("hook.create", with.clone(), body).await.expect(200);
    assert_eq!(again.header("gomer-replayed"), Some("true"));
    let mut without = first.json.clone();
    assert!(without.as_object_mut().unwrap().remove("secret").is_some());
    assert_eq!(again.json, without);
    let other = json!({ "id": kit.uuid(), "url": URL });
    kit.call_with("hook.create", with, other).await.problem(422, "key-reused");
}

/// Answers with a status that a test can change.
fn moody(outside: &Scripted, url: &str) -> Arc<AtomicU16> {
    let status = Arc::new(AtomicU16::new(200));
    let answers = status.clone();
    outside.at(url, move |ask| {
        let status = answers.load(Ordering::Relaxed);
        Ok(Answered { url: ask.url.clone(), status, headers: HeaderMap::new(), body: Default::default() })
    });
    status
}

#[tokio::test]
async fn what_is_not_taken_comes_again_under_the_same_id_later_and_later() {
    let (kit, outside) = Kit::start_outside().await;
    let ann = kit.person("ann").await;
    hook(&kit, json!({ "events": ["post.created"] })).await;
    let status = moody(&outside, URL);
    status.store(500, Ordering::Relaxed);
    let post = kit.publish(&ann, "Hello", "public").await;
    deliver(&kit).await;
    deliver(&kit).await;
    assert_eq!(told(&outside, URL).len(), 1, "it rests after a failure");
    let failing = listed(&kit).await;
    assert_eq!(failing.str("/items/0/delivery/state"), "failing");
    assert_eq!(failing.json["items"][0]["delivery"]["lastFailure"]["status"], 500);
    assert!(failing.str("/items/0/delivery/notice").contains("disabled"));
    kit.skip(Duration::from_secs(6));
    deliver(&kit).await;
    kit.skip(Duration::from_secs(6));
    deliver(&kit).await;
    assert_eq!(told(&outside, URL).len(), 2, "the second rest is longer");
    kit.skip(Duration::from_secs(6));
    status.store(302, Ordering::Relaxed);
    deliver(&kit).await;
    kit.skip(Duration::from_secs(30));
    status.store(200, Ordering::Relaxed);
    deliver(&kit).await;
    deliver(&kit).await;
    let told = told(&outside, URL);
    assert_eq!(told.len(), 4, "a redirect is no yes");
    assert!(told.iter().all(|(id, body)| *id == told[0].0 && body["data"]["object"]["id"] == post.as_str()));
    let well = listed(&kit).await;
    assert_eq!(well.str("/items/0/delivery/state"), "working");
    assert!(well.json["items"][0]["delivery"].get("lastFailure").is_none());
}

#[tokio::test]
async fn a_hook_that_is_gone_or_fails_for_three_days_is_disabled() {
    let (kit, outside) = Kit::start_outside().await;
    let ann = kit.person("ann").await;
    let gone = "https://hooks.example/gone";
    hook(&kit, json!({ "url": gone })).await;
    hook(&kit, json!({})).await;
    outside.always(gone, 410, "");
    let status = moody(&outside, URL);
    status.store(503, Ordering::Relaxed);
    kit.publish(&ann, "Hello", "public").await;
    for _ in 0..80 {
        deliver(&kit).await;
        kit.skip(Duration::from_secs(3_600));
    }
    assert_eq!(told(&outside, gone).len(), 1, "410 is once");
    let tries = told(&outside, URL).len();
    assert!((70..80).contains(&tries), "{tries}");
    let listed = listed(&kit).await;
    for item in listed.json["items"].as_array().unwrap() {
        assert_eq!(item["delivery"]["state"], "disabled", "{}", listed.text);
        assert!(item["delivery"]["disabledAt"].is_string() && item["delivery"]["notice"].is_string());
    }
    status.store(200, Ordering::Relaxed);
    deliver(&kit).await;
    assert_eq!(told(&outside, URL).len(), tries, "it does not come back by itself");
}

#[tokio::test]
async fn a_deleted_hook_and_another_apps_are_told_nothing() {
    let (kit, outside) = Kit::start_outside().await;
    let ann = kit.person("ann").await;
    let (id, _) = hook(&kit, json!({})).await;
    let kept = "https://hooks.example/kept";
    hook(&kit, json!({ "url": kept })).await;
    outside.always("https://", 200, "");
    kit.publish(&ann, "One", "public").await;
    until(&kit, &outside, URL, 1).await;
    kit.call("hook.delete", Some(&admin_key("one")), json!({ "id": id })).await.expect(200);
    let theo = kit.person_in("two", "theo").await;
    let theirs = With { app: Some("two"), token: Some(&theo.token), ..With::default() };
    let post = json!({ "id": kit.uuid(), "text": "There", "audience": "public" });
    kit.call_with("post.create", theirs, post).await.expect(200);
    kit.publish(&ann, "Two", "public").await;
    let told_kept = until(&kit, &outside, kept, 2).await;
    assert_eq!(types(&told_kept), ["post.created", "post.created"]);
    assert_eq!(told(&outside, URL).len(), 1);
}

#[tokio::test]
async fn after_a_restart_it_goes_on_where_it_was() {
    let (kit, outside) = Kit::start_outside().await;
    let ann = kit.person("ann").await;
    hook(&kit, json!({ "events": ["post.created"] })).await;
    let status = moody(&outside, URL);
    let first = kit.publish(&ann, "One", "public").await;
    until(&kit, &outside, URL, 1).await;
    status.store(500, Ordering::Relaxed);
    let second = kit.publish(&ann, "Two", "public").await;
    deliver(&kit).await;
    let third = kit.publish(&ann, "Three", "public").await;
    let before = told(&outside, URL);
    assert_eq!(before.len(), 2);
    let (edges, mail) = Edges::cheap();
    let again = Arc::new(Scripted::default());
    let kit = kit.restart_with(Edges { outside: again.clone(), ..edges }, mail).await;
    again.always(URL, 200, "");
    kit.skip(Duration::from_secs(60));
    let told = until(&kit, &again, URL, 2).await;
    deliver(&kit).await;
    let ids: Vec<&str> =
        told.iter().map(|(_, body)| body["data"]["object"]["id"].as_str().unwrap()).collect();
    assert!(!ids.contains(&first.as_str()) && ids.len() == 2, "{told:?}");
    assert!(ids.contains(&second.as_str()) && ids.contains(&third.as_str()));
    let repeated = told.iter().find(|(_, body)| body["data"]["object"]["id"] == second.as_str()).unwrap();
    assert_eq!(repeated.0, before[1].0, "what may have arrived comes again under the same id");
}

/// One address that never answers.
struct Stuck(Arc<Scripted>);

impl Outside for Stuck {
    fn ask(&self, ask: Ask) -> Answering<'_> {
        if ask.url.starts_with("https://slow.") {
            return Box::pin(std::future::pending());
        }
        self.0.ask(ask)
    }
}

#[tokio::test]
async fn a_slow_hook_delays_no_other() {
    let (edges, mail) = Edges::cheap();
    let outside = Arc::new(Scripted::default());
    let kit = Kit::start_with(Edges { outside: Arc::new(Stuck(outside.clone())), ..edges }, mail).await;
    let ann = kit.person("ann").await;
    hook(&kit, json!({ "url": "https://slow.example/" })).await;
    hook(&kit, json!({})).await;
    outside.always(URL, 200, "");
    let mut tasks = Vec::new();
    for number in 1..4 {
        kit.publish(&ann, "Hello", "public").await;
        for _ in 0..200 {
            tasks.extend(deliver::begin(&kit.host, number).await.unwrap());
            tokio::time::sleep(Duration::from_millis(10)).await;
            if told(&outside, URL).len() == number {
                break;
            }
        }
        assert_eq!(told(&outside, URL).len(), number);
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    let stuck = tasks.iter().filter(|task| !task.is_finished()).count();
    assert_eq!(stuck, 1, "the slow one is served once at a time");
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
}

async fn read(kit: &Kit, args: Value) -> Answer {
    kit.skip(Duration::from_millis(200));
    kit.call("hook.readEvents", Some(&admin_key("one")), args).await.expect(200)
}

/// Reads to the end: all events, and the last cursor.
async fn read_all(kit: &Kit, mut args: Value) -> (Vec<Value>, String) {
    let mut events = Vec::new();
    for _ in 0..200 {
        let page = read(kit, args.clone()).await;
        events.extend(page.json["items"].as_array().unwrap().clone());
        let cursor = page.str("/cursor");
        if page.json["end"] == true {
            return (events, cursor);
        }
        args["cursor"] = json!(cursor);
    }
    panic!("no end after {events:?}");
}

fn named(events: &[Value]) -> Vec<String> {
    let name = |event: &Value| format!("{} {}", event["type"], event["data"]["object"]["id"]);
    let mut names: Vec<String> = events.iter().map(name).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn the_feed_says_everything_once_page_by_page_and_then_what_is_new() {
    let (kit, outside) = Kit::start_outside().await;
    outside.always(URL, 200, "");
    let people: Vec<Person> = vec![kit.person("ann").await, kit.person("bob").await];
    let mut posts = Vec::new();
    for number in 0..12 {
        posts.push(kit.publish(&people[number % 2], "Hello", "public").await);
    }
    kit.publish(&people[0], "Mine", "onlyMe").await;
    let (from_now, mut now_cursor) = read_all(&kit, json!({ "fromNow": true })).await;
    assert!(from_now.is_empty());
    hook(&kit, json!({})).await;
    let (all, cursor) = read_all(&kit, json!({})).await;
    let (paged, _) = read_all(&kit, json!({ "limit": 1 })).await;
    assert_eq!(named(&all), named(&paged));
    assert_eq!(all.len(), 14, "two people and twelve posts: {all:?}");
    let (nothing, cursor) = read_all(&kit, json!({ "cursor": cursor })).await;
    assert!(nothing.is_empty());
    kit.call("post.update", Some(&people[0].token), json!({ "id": posts[0], "text": "Hi" }))
        .await
        .expect(200);
    kit.call("post.delete", Some(&people[1].token), json!({ "id": posts[1] })).await.expect(200);
    let late = kit.publish(&people[1], "Late", "public").await;
    let mut wanted = vec![
        format!("\"post.updated\" \"{}\"", posts[0]),
        format!("\"post.deleted\" \"{}\"", posts[1]),
        format!("\"post.created\" \"{late}\""),
    ];
    wanted.sort_unstable();
    let (new, _) = read_all(&kit, json!({ "cursor": cursor })).await;
    assert_eq!(named(&new), wanted);
    // A cursor that was given out is good after a restart; so is what it leads to.
    let kit = kit.restart().await;
    let (again, _) = read_all(&kit, json!({ "cursor": cursor, "limit": 1 })).await;
    assert_eq!(named(&again), wanted);
    let ids = |events: &[Value]| events.iter().map(|event| event["id"].to_string()).collect::<Vec<_>>();
    let (mut first, mut second) = (ids(&new), ids(&again));
    first.sort_unstable();
    second.sort_unstable();
    assert_eq!(first, second, "an event has one id");
    let (since, next) = read_all(&kit, json!({ "cursor": now_cursor })).await;
    assert_eq!(named(&since), wanted);
    now_cursor = next;
    assert!(read_all(&kit, json!({ "cursor": now_cursor })).await.0.is_empty());
}

#[tokio::test]
async fn a_cursor_of_another_app_or_slice_and_a_slice_that_is_not_there_are_refused() {
    let (kit, _) = Kit::start_outside().await;
    let cursor = read(&kit, json!({})).await.str("/cursor");
    let theirs = With { app: Some("two"), token: Some(&admin_key("two")), ..With::default() };
    let with = |cursor: &str| json!({ "cursor": cursor });
    kit.call_with("hook.readEvents", theirs, with(&cursor)).await.problem(400, "cursor-invalid");
    let admin = admin_key("one");
    kit.call("hook.readEvents", Some(&admin), with("x")).await.problem(400, "cursor-invalid");
    let mut flipped = cursor.into_bytes();
    flipped[9] ^= 1;
    let flipped = String::from_utf8(flipped).unwrap();
    kit.call("hook.readEvents", Some(&admin), with(&flipped)).await.problem(400, "cursor-invalid");
    kit.call("hook.readEvents", Some(&admin), json!({ "slice": 1 })).await.problem(422, "invalid");
    kit.call("hook.readEvents", Some(&admin), json!({ "limit": 501 })).await.problem(422, "invalid");
}
