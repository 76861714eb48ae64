//! Erasing people: the grace period, that nothing of theirs is left, that a crash anywhere does no harm.

mod kit;
mod pictures;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gomer::methods::account::erasure;
use gomer_core::id::Id;
use gomer_core::meta::state::App;
use hyper::Method;
use kit::{Answer, Kit, PASSWORD, Person, With, admin_key, server_key};
use pictures::{jpeg, sha256};
use serde_json::{Value, json};

/// In every field of somebody who is erased.
const GONE: &str = "zqmarkergone";
/// In what stays with others.
const KEPT: &str = "zqmarkerkept";
const DAY: Duration = Duration::from_secs(24 * 3_600);

fn app(kit: &Kit) -> Arc<App> {
    kit.host.cluster.meta().apps["one"].clone()
}

fn id_of(who: &Person) -> Id {
    who.id.parse().unwrap()
}

async fn admin(kit: &Kit, method: &str, body: Value) -> Answer {
    kit.call(method, Some(&admin_key("one")), body).await
}

/// Does all that is due, waiting for what is waited for.
async fn finish(kit: &Kit, who: &Person) {
    for _ in 0..20 {
        erasure::round(&kit.host).await.expect("a round goes through");
        let state = admin(kit, "admin.deleteProfile", again(kit, who)).await.expect(200);
        if state.json["state"] == "erased" {
            return;
        }
        kit.skip(2 * erasure::SETTLE);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the erasure does not end");
}

fn again(kit: &Kit, who: &Person) -> Value {
    json!({ "id": kit.uuid(), "profile": who.id, "graceDays": 0, "confirm": who.id })
}

async fn log_in(kit: &Kit, handle: &str) -> Answer {
    kit.skip(Duration::from_secs(3_600));
    kit.call("auth.createSession", None, json!({ "handle": handle, "password": PASSWORD })).await
}

#[tokio::test]
async fn a_wish_can_be_called_off_until_it_is_due_and_not_after() {
    let kit = Kit::start().await;
    let (ann, bob) = (kit.person("ann").await, kit.person("bob").await);
    let mine = |token: &str| {
        let token = token.to_owned();
        let kit = &kit;
        async move { kit.call("account.getDeletion", Some(&token), json!({})).await }
    };
    mine(&ann.token).await.problem(404, "not-found");
    let id = kit.uuid();
    let wish = kit.call("account.requestDeletion", Some(&ann.token), json!({ "id": id })).await.expect(200);
    assert_eq!(
        (wish.str("/state"), wish.str("/by"), wish.str("/id")),
        ("scheduled".into(), "owner".into(), id.clone())
    );
    assert!(wish.json["plan"]["erased"].as_array().unwrap().contains(&json!("posts")));
    // Again, by whichever id, is the same wish; its id is nobody else's.
    let same =
        kit.call("account.requestDeletion", Some(&ann.token), json!({ "id": kit.uuid() })).await.expect(200);
    assert_eq!(same.json, wish.json);
    kit.call("account.requestDeletion", Some(&bob.token), json!({ "id": id })).await.problem(409, "id-taken");
    assert_eq!(mine(&ann.token).await.expect(200).json, wish.json);
    // Nothing happens before it is due, and she signs in as ever.
    kit.skip(29 * DAY);
    erasure::round(&kit.host).await.unwrap();
    let session = log_in(&kit, "ann").await.expect(200).str("/accessToken");
    assert_eq!(mine(&session).await.expect(200).str("/state"), "scheduled");
    kit.call("account.cancelDeletion", Some(&session), json!({})).await.expect(200);
    kit.call("account.cancelDeletion", Some(&session), json!({})).await.expect(200);
    mine(&session).await.problem(404, "not-found");
    kit.skip(5 * DAY);
    erasure::round(&kit.host).await.unwrap();
    let session = log_in(&kit, "ann").await.expect(200).str("/accessToken");
    // Wanted once more, it is reckoned from then.
    kit.call("account.requestDeletion", Some(&session), json!({ "id": id })).await.expect(200);
    kit.skip(31 * DAY);
    let session = log_in(&kit, "ann").await.expect(200).str("/accessToken");
    assert!(erasure::step(&kit.host, &app(&kit), id_of(&ann)).await.unwrap(), "it is due");
    let late = kit.call("account.cancelDeletion", Some(&session), json!({})).await;
    late.problem(403, "forbidden");
    finish(&kit, &ann).await;
    log_in(&kit, "ann").await.problem(401, "unauthenticated");
    // Who knows its id sees the receipt; nobody else does.
    let receipt = kit.call("account.getDeletion", None, json!({ "id": id })).await.expect(200);
    assert_eq!((receipt.str("/state"), &receipt.json["counts"]["profile"]), ("erased".into(), &json!(1)));
    kit.call("account.getDeletion", None, json!({ "id": kit.uuid() })).await.problem(404, "not-found");
    kit.call("account.getDeletion", None, json!({})).await.problem(422, "invalid");
    let elsewhere = With { app: Some("two"), ..With::default() };
    kit.call_with("account.getDeletion", elsewhere, json!({ "id": id })).await.problem(404, "not-found");
    // Her handle is free, her id is not.
    let body = json!({ "id": ann.id, "handle": "annie", "password": PASSWORD });
    kit.call("auth.createAccount", None, body).await.problem(409, "id-taken");
    kit.person("ann").await;
}

#[tokio::test]
async fn administrators_erase_with_a_grace_period_or_at_once_if_they_confirm() {
    let kit = Kit::start().await;
    let (ann, mia, theo) =
        (kit.person("ann").await, kit.person("mia").await, kit.person_in("two", "theo").await);
    let grant = json!({ "profile": mia.id, "role": "moderator" });
    admin(&kit, "permission.grantRole", grant).await.expect(200);
    let at_once = json!({ "id": kit.uuid(), "profile": ann.id, "graceDays": 0, "confirm": ann.id });
    for (token, status, code) in [
        (None, 401, "unauthenticated"),
        (Some(&ann.token), 403, "forbidden"),
        (Some(&mia.token), 403, "forbidden"),
    ] {
        let token = token.map(String::as_str);
        kit.call("admin.deleteProfile", token, at_once.clone()).await.problem(status, code);
    }
    for (change, pointer) in [
        (json!({ "confirm": mia.id }), "/confirm"),
        (json!({ "confirm": null }), "/confirm"),
        (json!({ "graceDays": 91 }), "/graceDays"),
        (json!({ "graceDays": -1 }), "/graceDays"),
        (json!({ "profile": "ann" }), "/profile"),
    ] {
        let mut body = at_once.clone();
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let refused = admin(&kit, "admin.deleteProfile", body).await.problem(422, "invalid");
        assert_eq!(refused.str("/errors/0/pointer"), pointer, "{change}");
    }
    let nobody = |id: &str| json!({ "id": kit.uuid(), "profile": id, "graceDays": 0, "confirm": id });
    let theirs = admin(&kit, "admin.deleteProfile", nobody(&theo.id)).await.problem(404, "not-found");
    let none = admin(&kit, "admin.deleteProfile", nobody(&kit.uuid())).await.problem(404, "not-found");
    assert_eq!(theirs.untraced(), none.untraced());

    // With a grace period first; sooner, when they want it so; later, never.
    let body = json!({ "id": kit.uuid(), "profile": ann.id, "graceDays": 7 });
    let first = admin(&kit, "admin.deleteProfile", body).await.expect(200);
    assert_eq!((first.str("/state"), first.str("/by")), ("scheduled".into(), "admin".into()));
    let body = json!({ "id": kit.uuid(), "profile": ann.id, "graceDays": 60 });
    assert_eq!(admin(&kit, "admin.deleteProfile", body).await.expect(200).json, first.json);
    kit.call("account.cancelDeletion", Some(&ann.token), json!({})).await.problem(403, "forbidden");
    let server = server_key("one");
    let named = [("gomer-as", ann.id.as_str())];
    let as_ann = With { token: Some(&server), headers: &named, ..With::default() };
    kit.call_with("account.cancelDeletion", as_ann, json!({})).await.expect(200);
    let now = admin(&kit, "admin.deleteProfile", at_once.clone()).await.expect(200);
    assert_eq!(admin(&kit, "admin.deleteProfile", at_once).await.expect(200).json, now.json, "a repeat");
    finish(&kit, &ann).await;
    kit.call("profile.get", Some(&mia.token), json!({ "id": ann.id })).await.problem(404, "not-found");
    kit.call("auth.getSession", Some(&ann.token), json!({})).await.problem(401, "unauthenticated");
    kit.call("auth.refreshSession", None, json!({ "refreshToken": ann.refresh }))
        .await
        .problem(401, "unauthenticated");
    let people = admin(&kit, "admin.listProfiles", json!({})).await.expect(200);
    assert!(!people.text.contains(&ann.id));
}

/// Somebody with the marker in everything, and the others around them.
struct Scene {
    ann: Person,
    bob: Person,
    eve: Person,
    bobs_post: String,
    group: String,
    direct: String,
    album: String,
    photo: String,
    email: String,
}

async fn done(kit: &Kit, who: &Person, method: &str, body: Value) -> Answer {
    kit.skip(Duration::from_millis(500));
    kit.call(method, Some(&who.token), body).await.expect(200)
}

/// The same from an offline queue, so that what was answered is remembered.
async fn pushed(kit: &Kit, who: &Person, method: &str, args: Value) {
    let op = json!({ "op": kit.uuid(), "method": method, "args": args });
    let answer = done(kit, who, "sync.push", json!({ "operations": [op] })).await;
    assert_eq!(answer.json["results"][0]["status"], 200, "{}", answer.text);
}

async fn upload(kit: &Kit, who: &Person, bytes: &[u8]) -> String {
    let id = kit.uuid();
    let body = json!({ "id": id, "size": bytes.len(), "sha256": sha256(bytes) });
    let upload = done(kit, who, "media.createUpload", body).await;
    if upload.str("/state") == "open" {
        kit.fetch(Method::PUT, &upload.str("/url"), &[], Bytes::copy_from_slice(bytes)).await.expect(204);
    }
    done(kit, who, "media.finishUpload", json!({ "id": id })).await;
    id
}

async fn scene(kit: &Kit) -> Scene {
    let (bob, eve) = (kit.person("bob").await, kit.person("eve").await);
    let (id, email) = (kit.uuid(), format!("{GONE}@example.org"));
    let handle = format!("{GONE}_h");
    let device = json!({ "id": kit.uuid(), "name": GONE, "model": GONE });
    let body = json!({ "id": id, "handle": handle, "email": email, "password": PASSWORD, "name": GONE, "device": device });
    let answer = kit.call("auth.createAccount", None, body).await.expect(200);
    let ann = Person { id, handle, token: answer.str("/accessToken"), refresh: answer.str("/refreshToken") };
    kit.call("auth.requestCode", None, json!({ "purpose": "login", "email": email })).await.expect(200);
    let links = json!([{ "label": GONE, "url": format!("https://{GONE}.example") }]);
    done(kit, &ann, "profile.update", json!({ "about": GONE, "links": links, "fields": { GONE: GONE } }))
        .await;
    pushed(kit, &ann, "account.updateSettings", json!({ "timeZone": format!("Europe/{GONE}") })).await;

    // Ties.
    kit.follow(&ann, &bob).await;
    kit.follow(&bob, &ann).await;
    done(kit, &ann, "block.createMute", json!({ "subject": { "word": GONE } })).await;
    done(kit, &eve, "block.create", json!({ "id": ann.id })).await;

    // What she published.
    let post = kit.uuid();
    let place = json!({ "latitude": 1.0, "longitude": 2.0, "name": GONE });
    let body = json!({ "id": post, "text": format!("{GONE} #{GONE} @bob"), "place": place, "link": format!("https://{GONE}.example") });
    pushed(kit, &ann, "post.create", body).await;
    done(kit, &ann, "post.update", json!({ "id": post, "text": format!("{GONE} edited @bob") })).await;
    kit.publish(&ann, GONE, "onlyMe").await;
    let picture = upload(kit, &ann, &jpeg(40, 40)).await;
    done(kit, &ann, "profile.setAvatar", json!({ "media": picture })).await;
    let photo = kit.uuid();
    let body = json!({ "id": photo, "media": upload(kit, &ann, &jpeg(48, 48)).await, "caption": GONE, "alt": GONE, "people": [{ "profile": bob.id }] });
    done(kit, &ann, "photo.create", body).await;
    let album = kit.uuid();
    pushed(kit, &ann, "album.create", json!({ "id": album, "title": GONE, "about": GONE })).await;
    done(kit, &ann, "album.addPhotos", json!({ "id": album, "photos": [photo] })).await;
    let hall = kit.uuid();
    let body = json!({ "id": hall, "name": KEPT, "latitude": 47.4, "longitude": 8.5 });
    done(kit, &ann, "checkin.createPlace", body).await;
    done(
        kit,
        &ann,
        "checkin.create",
        json!({ "id": kit.uuid(), "place": hall, "note": GONE, "audience": "public" }),
    )
    .await;
    let bobs_post = kit.publish(&bob, "Hello", "public").await;
    let body = json!({ "id": kit.uuid(), "object": format!("post:{bobs_post}"), "comment": GONE, "audience": "public" });
    done(kit, &ann, "share.create", body).await;
    done(kit, &ann, "share.createLink", json!({ "object": format!("post:{bobs_post}") })).await;
    done(kit, &ann, "like.put", json!({ "id": bobs_post, "kind": "wow" })).await;
    let (alone, answered) = (kit.uuid(), kit.uuid());
    for reply in [&alone, &answered] {
        let to = json!({ "kind": "post", "id": bobs_post });
        pushed(kit, &ann, "reply.create", json!({ "id": reply, "to": to, "text": format!("{GONE} @eve") }))
            .await;
    }
    let to = json!({ "kind": "reply", "id": answered });
    done(kit, &bob, "reply.create", json!({ "id": kit.uuid(), "to": to, "text": "And I say" })).await;

    // What is hers alone.
    pushed(kit, &ann, "note.create", json!({ "id": kit.uuid(), "title": GONE, "text": GONE })).await;
    for (name, kind) in [("Thing", "node"), ("likesThing", "link")] {
        let mut body = json!({ "name": name, "kind": kind, "read": "anyone", "write": "owner" });
        if kind == "link" {
            body["from"] = json!("profile");
        }
        kit.call("graph.putType", Some(&server_key("one")), body).await.expect(200);
    }
    let node = kit.uuid();
    let body = json!({ "id": node, "type": "Thing", "attributes": { "title": GONE } });
    done(kit, &ann, "graph.putNode", body).await;
    let body = json!({ "from": ann.id, "type": "likesThing", "to": node, "data": { "why": GONE } });
    done(kit, &ann, "graph.putLink", body).await;

    // Chats: what was said there stays with those who read it.
    let group = kit.uuid();
    done(kit, &ann, "chat.create", json!({ "id": group, "title": KEPT, "members": [bob.id] })).await;
    let direct = done(kit, &ann, "chat.openDirect", json!({ "with": bob.id })).await.str("/id");
    for chat in [&group, &direct] {
        done(kit, &ann, "chat.sendMessage", json!({ "chat": chat, "id": kit.uuid(), "text": KEPT })).await;
    }
    let object = json!({ "kind": "post", "id": bobs_post });
    let report = json!({ "id": kit.uuid(), "object": object, "reason": "other", "text": KEPT });
    done(kit, &ann, "moderation.report", report).await;
    // Bob hears of it all, so that there is something to take back.
    let heard = |answer: &Answer| {
        ["\"follow\"", "\"like\"", "\"reply\"", "\"mention\""].iter().all(|kind| answer.text.contains(kind))
    };
    kit.until("notification.list", Some(&bob.token), json!({}), heard).await;
    done(kit, &bob, "like.put", json!({ "id": post })).await;
    let body = json!({ "id": post });
    kit.until("post.get", Some(&bob.token), body, |answer| answer.text.contains("\"count\":1")).await;
    Scene { ann, bob, eve, bobs_post, group, direct, album, photo, email }
}

/// What others see after: nothing of her, and their own things as before.
async fn check_gone(kit: &Kit, scene: &Scene) {
    let Scene { ann, bob, eve, bobs_post, group, direct, album, photo, .. } = scene;
    // Tokens have expired meanwhile.
    let server = server_key("one");
    let as_bob = async |method: &str, body: Value| {
        kit.skip(Duration::from_millis(500));
        let named = [("gomer-as", bob.id.as_str())];
        kit.call_with(method, With { token: Some(&server), headers: &named, ..With::default() }, body).await
    };
    for (method, body) in [
        ("profile.get", json!({ "id": ann.id })),
        ("album.get", json!({ "id": album })),
        ("photo.get", json!({ "id": photo })),
        ("profile.get", json!({ "handle": ann.handle })),
    ] {
        as_bob(method, body).await.problem(404, "not-found");
    }
    for method in ["follow.listFollowers", "follow.listFollowing"] {
        let list = as_bob(method, json!({ "id": bob.id })).await.expect(200);
        assert_eq!(list.json["items"], json!([]), "{method}");
    }
    let me = as_bob("profile.get", json!({ "id": bob.id })).await.expect(200);
    assert_eq!(me.json["counts"], json!({ "followers": 0, "following": 0 }), "{}", me.text);
    let post = as_bob("post.get", json!({ "id": bobs_post })).await.expect(200);
    assert_eq!(
        (&post.json["likes"]["count"], &post.json["replies"]),
        (&json!(0), &json!(0)),
        "{}",
        post.text
    );
    let told = as_bob("notification.list", json!({})).await.expect(200);
    assert!(!told.text.contains(&ann.id), "{}", told.text);
    let thread = as_bob("reply.list", json!({ "post": bobs_post })).await.expect(200);
    let items = thread.json["items"].as_array().unwrap();
    assert!(items.len() <= 1, "only what bob replied to keeps its place: {}", thread.text);
    let home = as_bob("timeline.getHome", json!({})).await.expect(200);
    assert!(!home.text.contains(&ann.id), "{}", home.text);
    for chat in [group, direct] {
        let said = as_bob("chat.listMessages", json!({ "chat": chat })).await.expect(200);
        let hers = said.json["items"].as_array().unwrap().iter().find(|message| message["text"] == KEPT);
        assert_eq!(hers.expect("it stays")["authorDeleted"], true, "{}", said.text);
    }
    let now = as_bob("chat.get", json!({ "id": group })).await.expect(200);
    assert_eq!((&now.json["myRole"], &now.json["memberCount"]), (&json!("owner"), &json!(1)), "{}", now.text);
    let named = [("gomer-as", eve.id.as_str())];
    let as_eve = With { token: Some(&server), headers: &named, ..With::default() };
    let blocked = kit.call_with("block.list", as_eve, json!({})).await.expect(200);
    assert!(!blocked.text.contains(&ann.id), "{}", blocked.text);
}

#[tokio::test]
async fn of_somebody_who_is_erased_no_word_is_left_in_any_row() {
    let kit = Kit::start().await;
    let scene = scene(&kit).await;
    let kit = kit.restart().await;
    assert!(kit.rows_holding(GONE).len() > 20, "there is something to be erased");
    let body = json!({ "id": kit.uuid(), "profile": scene.ann.id, "graceDays": 0, "confirm": scene.ann.id });
    admin(&kit, "admin.deleteProfile", body).await.expect(200);
    finish(&kit, &scene.ann).await;
    let receipt = admin(&kit, "admin.deleteProfile", again(&kit, &scene.ann)).await.expect(200);
    let counts = &receipt.json["counts"];
    for (kind, count) in [
        ("posts", 2),
        ("replies", 2),
        ("photos", 1),
        ("albums", 1),
        ("checkIns", 1),
        ("shares", 1),
        ("shortLinks", 1),
        ("nodes", 1),
        ("notes", 1),
        ("likes", 1),
        ("following", 1),
        ("followers", 1),
        ("chats", 2),
        ("devices", 1),
        ("sessions", 1),
    ] {
        assert_eq!(counts[kind], count, "{kind} of {counts}");
    }
    check_gone(&kit, &scene).await;
    // Both names are free.
    let body =
        json!({ "id": kit.uuid(), "handle": scene.ann.handle, "email": scene.email, "password": PASSWORD });
    let kit = kit.restart().await;
    let left = kit.rows_holding(GONE);
    assert!(left.is_empty(), "{} rows: {:#?}", left.len(), left);
    // The record says why these stay: they are part of what others said, decided and built on.
    assert!(!kit.rows_holding(KEPT).is_empty());
    kit.call("auth.createAccount", None, body).await.expect(200);
}

#[tokio::test]
async fn a_crash_between_any_two_steps_and_two_members_at_once_do_no_harm() {
    let mut kit = Kit::start().await;
    let scene = scene(&kit).await;
    let body = json!({ "id": kit.uuid(), "profile": scene.ann.id, "graceDays": 0, "confirm": scene.ann.id });
    admin(&kit, "admin.deleteProfile", body).await.expect(200);
    let who = id_of(&scene.ann);
    let mut steps = 0;
    loop {
        // Twice at once: the same work is done twice, and counted once.
        let one = app(&kit);
        let (first, second) =
            tokio::join!(erasure::step(&kit.host, &one, who), erasure::step(&kit.host, &one, who));
        let more = first.unwrap() | second.unwrap();
        steps += 1;
        assert!(steps < 200, "it does not end");
        kit = kit.restart().await;
        if !more {
            let state = admin(&kit, "admin.deleteProfile", again(&kit, &scene.ann)).await.expect(200);
            if state.json["state"] == "erased" {
                break;
            }
            kit.skip(2 * erasure::SETTLE);
        }
    }
    assert!(steps > 20, "{steps}: each stage is a step of its own");
    let receipt = admin(&kit, "admin.deleteProfile", again(&kit, &scene.ann)).await.expect(200);
    assert_eq!(
        (&receipt.json["counts"]["posts"], &receipt.json["counts"]["replies"]),
        (&json!(2), &json!(2))
    );
    check_gone(&kit, &scene).await;
    let kit = kit.restart().await;
    assert_eq!(kit.rows_holding(GONE), Vec::<String>::new());
    assert!(!erasure::step(&kit.host, &app(&kit), who).await.unwrap(), "what is done stays done");
}
