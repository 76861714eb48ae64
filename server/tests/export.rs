//! Taking along all that is held about oneself: what is in the file and what is not, who gets it, and that a crash
//! between any two steps leaves no line out.

mod kit;
mod pictures;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gomer::host::Edges;
use gomer::methods::account::{erasure, export};
use gomer::methods::media::sweep::sweep;
use gomer_core::id::Id;
use gomer_core::meta::state::App;
use hyper::Method;
use kit::{Kit, PASSWORD, Person, admin_key};
use pictures::{jpeg, sha256};
use serde_json::{Value, json};

fn app(kit: &Kit) -> Arc<App> {
    kit.host.cluster.meta().apps["one"].clone()
}

fn id_of(who: &Person) -> Id {
    who.id.parse().unwrap()
}

async fn done(kit: &Kit, who: &Person, method: &str, body: Value) -> kit::Answer {
    kit.skip(Duration::from_millis(300));
    kit.call(method, Some(&who.token), body).await.expect(200)
}

/// Somebody with something of each kind.
async fn scene(kit: &Kit) -> (Person, Person) {
    let (ann, bob) = (kit.person("ann").await, kit.person("bob").await);
    kit.follow(&ann, &bob).await;
    done(kit, &ann, "profile.update", json!({ "about": "About Ann" })).await;
    done(kit, &ann, "account.updateSettings", json!({ "language": "de" })).await;
    for n in 0..120 {
        let body = json!({ "id": kit.uuid(), "text": format!("Post {n}"), "audience": "public" });
        done(kit, &ann, "post.create", body).await;
    }
    let theirs = kit.publish(&bob, "A text of Bob's", "public").await;
    let reply = json!({ "id": kit.uuid(), "to": { "kind": "post", "id": theirs }, "text": "My reply" });
    done(kit, &ann, "reply.create", reply).await;
    done(kit, &ann, "note.create", json!({ "id": kit.uuid(), "text": "My note" })).await;
    let bytes = jpeg(40, 40);
    let media = kit.uuid();
    let body = json!({ "id": media, "size": bytes.len(), "sha256": sha256(&bytes) });
    let upload = done(kit, &ann, "media.createUpload", body).await;
    kit.fetch(Method::PUT, &upload.str("/url"), &[], Bytes::from(bytes)).await.expect(204);
    done(kit, &ann, "media.finishUpload", json!({ "id": media })).await;
    done(kit, &ann, "photo.create", json!({ "id": kit.uuid(), "media": media, "caption": "My photo" })).await;
    let chat = done(kit, &ann, "chat.openDirect", json!({ "with": bob.id })).await.str("/id");
    for (who, text) in [(&ann, "I say"), (&bob, "He says")] {
        done(kit, who, "chat.sendMessage", json!({ "chat": chat, "id": kit.uuid(), "text": text })).await;
    }
    let made = |answer: &kit::Answer| answer.json["items"].as_array().unwrap().len() == 100;
    let body = json!({ "id": ann.id, "limit": 100 });
    kit.until("post.listByProfile", Some(&ann.token), body, made).await;
    (ann, bob)
}

async fn lines(kit: &Kit, url: &str) -> Vec<Value> {
    let file = kit.fetch(Method::GET, url, &[], Bytes::new()).await.expect(200);
    let text = String::from_utf8(file.bytes).unwrap();
    assert!(text.ends_with('\n'));
    text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

fn by_type(lines: &[Value]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for line in lines {
        *counts.entry(line["type"].as_str().unwrap()).or_insert(0) += 1;
    }
    counts
}

fn check(lines: &[Value]) {
    let counts = by_type(lines);
    for (kind, count) in [
        ("export", 1),
        ("account", 1),
        ("session", 1),
        ("profile", 1),
        ("settings", 1),
        ("post", 120),
        ("reply", 1),
        ("note", 1),
        ("photo", 1),
        ("message", 1),
        ("follows", 1),
    ] {
        assert_eq!(counts.get(kind), Some(&count), "{kind} of {counts:?}");
    }
    let text = serde_json::to_string(lines).unwrap();
    for held in ["About Ann", "Post 0\"", "Post 119\"", "My reply", "My note", "My photo", "I say"] {
        assert!(text.contains(held), "{held}");
    }
    // Nothing of anybody else's, and nothing that would let anybody in.
    for not in ["A text of Bob's", "He says", "argon2", "password", "refreshToken", "seed"] {
        assert!(!text.contains(not), "{not}");
    }
}

#[tokio::test]
async fn everything_of_ones_own_is_in_it_and_only_its_owner_gets_it() {
    let kit = Kit::start().await;
    let (ann, bob) = scene(&kit).await;
    kit.call("account.getExport", Some(&ann.token), json!({})).await.problem(404, "not-found");
    for method in ["account.getExport", "account.requestExport"] {
        let body = if method == "account.getExport" { json!({}) } else { json!({ "id": kit.uuid() }) };
        kit.call(method, None, body.clone()).await.problem(401, "unauthenticated");
        kit.call(method, Some(&admin_key("one")), body).await.problem(401, "unauthenticated");
    }
    kit.call("account.requestExport", Some(&ann.token), json!({ "id": "x" })).await.problem(422, "invalid");
    let id = kit.uuid();
    let wish = done(&kit, &ann, "account.requestExport", json!({ "id": id })).await;
    assert_eq!((wish.str("/state"), &wish.json["url"]), ("pending".into(), &Value::Null));
    // While it is made, that one is it.
    let same = done(&kit, &ann, "account.requestExport", json!({ "id": kit.uuid() })).await;
    assert_eq!(same.str("/id"), id);
    export::round(&kit.host).await.unwrap();
    let ready = done(&kit, &ann, "account.getExport", json!({})).await;
    assert_eq!((ready.str("/state"), ready.str("/id")), ("ready".into(), id.clone()));
    kit.call("account.getExport", Some(&bob.token), json!({})).await.problem(404, "not-found");
    let url = ready.str("/url");
    let all = lines(&kit, &url).await;
    check(&all);
    assert_eq!(ready.json["lines"], all.len());
    let file = kit.fetch(Method::GET, &url, &[], Bytes::new()).await;
    assert_eq!(
        (sha256(&file.bytes), file.bytes.len()),
        (ready.str("/sha256"), ready.json["bytes"].as_u64().unwrap() as usize)
    );
    // A guessed address is none; the true one is none after two days, and is given anew.
    kit.fetch(Method::GET, &url.replace("?", "?x=1&"), &[], Bytes::new()).await;
    let without = url.split('?').next().unwrap();
    kit.fetch(Method::GET, without, &[], Bytes::new()).await.expect(404);
    kit.skip(Duration::from_secs(2 * 24 * 3_600));
    kit.fetch(Method::GET, &url, &[], Bytes::new()).await.expect(404);
    let body = json!({ "handle": "ann", "password": PASSWORD });
    let token = kit.call("auth.createSession", None, body).await.expect(200).str("/accessToken");
    let ann = Person { token, ..ann };
    for slice in 0..=255 {
        sweep(&kit.host, slice).await.unwrap();
    }
    let again = done(&kit, &ann, "account.getExport", json!({})).await;
    assert_eq!(lines(&kit, &again.str("/url")).await, all, "the sweep leaves it");
    // After a week it is gone, file and all.
    kit.skip(Duration::from_secs(6 * 24 * 3_600));
    let body = json!({ "handle": "ann", "password": PASSWORD });
    let token = kit.call("auth.createSession", None, body).await.expect(200).str("/accessToken");
    kit.call("account.getExport", Some(&token), json!({})).await.problem(404, "not-found");
    export::round(&kit.host).await.unwrap();
    for _ in 0..4 {
        kit.skip(Duration::from_secs(2 * 3_600));
        tokio::time::sleep(Duration::from_millis(100)).await;
        for slice in 0..=255 {
            sweep(&kit.host, slice).await.unwrap();
        }
    }
    let names: Vec<_> = (0..=255u8).map(|first| kit.host.blobs.io(move |store| store.list(first))).collect();
    let mut files = 0;
    for list in names {
        files += list.await.unwrap().len();
    }
    assert!(files <= 4, "only the sizes of one photo are left: {files}");
}

#[tokio::test]
async fn steps_may_be_ended_anywhere_and_nothing_is_missing_or_twice() {
    let kit = Kit::start().await;
    let (ann, _) = scene(&kit).await;
    done(&kit, &ann, "account.requestExport", json!({ "id": kit.uuid() })).await;
    let who = id_of(&ann);
    let (mut kit, mut steps) = (kit, 0);
    let mut more = true;
    while more {
        // The disk with the uploads outlives the process, as in life; the mail does not.
        let blobs = kit.host.blobs.clone();
        more = export::step(&kit.host, &app(&kit), who).await.unwrap();
        steps += 1;
        assert!(steps < 100, "it does not end");
        let (edges, mail) = Edges::cheap();
        kit = kit.restart_with(Edges { blobs, ..edges }, mail).await;
    }
    assert!(steps > 8, "{steps}");
    let ready = done(&kit, &ann, "account.getExport", json!({})).await;
    check(&lines(&kit, &ready.str("/url")).await);

    // A disk that lost what was written: it begins anew, and is whole.
    done(&kit, &ann, "account.requestExport", json!({ "id": kit.uuid() })).await;
    for _ in 0..4 {
        assert!(export::step(&kit.host, &app(&kit), who).await.unwrap());
    }
    kit = kit.restart().await;
    export::round(&kit.host).await.unwrap();
    let ready = done(&kit, &ann, "account.getExport", json!({})).await;
    check(&lines(&kit, &ready.str("/url")).await);
}

#[tokio::test]
async fn an_export_of_somebody_who_is_erased_goes_with_them() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    done(&kit, &ann, "account.requestExport", json!({ "id": kit.uuid() })).await;
    export::round(&kit.host).await.unwrap();
    let url = done(&kit, &ann, "account.getExport", json!({})).await.str("/url");
    kit.fetch(Method::GET, &url, &[], Bytes::new()).await.expect(200);
    // One that is under way when its owner goes.
    done(&kit, &ann, "account.requestExport", json!({ "id": kit.uuid() })).await;
    assert!(export::step(&kit.host, &app(&kit), id_of(&ann)).await.unwrap());
    let body = json!({ "id": kit.uuid(), "profile": ann.id, "graceDays": 0, "confirm": ann.id });
    kit.call("admin.deleteProfile", Some(&admin_key("one")), body).await.expect(200);
    for _ in 0..3 {
        erasure::round(&kit.host).await.unwrap();
        export::round(&kit.host).await.unwrap();
        kit.skip(2 * erasure::SETTLE);
    }
    for _ in 0..4 {
        kit.skip(Duration::from_secs(25 * 3_600));
        tokio::time::sleep(Duration::from_millis(100)).await;
        for slice in 0..=255 {
            sweep(&kit.host, slice).await.unwrap();
        }
    }
    let mut files = 0;
    for first in 0..=255u8 {
        files += kit.host.blobs.io(move |store| store.list(first)).await.unwrap().len();
    }
    let scratches = kit.host.blobs.io(|store| store.scratches()).await.unwrap();
    assert_eq!((files, scratches.len()), (0, 0));
}
