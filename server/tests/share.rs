//! `share`: what each method does, each way in which it fails, replays, strangers; and that it makes nothing visible.

mod kit;

use kit::{Answer, Kit, Person, With};
use serde_json::{Value, json};

async fn post(kit: &Kit, who: &Person, text: &str, audience: &str) -> String {
    let id = kit.uuid();
    let body = json!({ "id": id, "text": text, "audience": audience });
    kit.call("post.create", Some(&who.token), body).await.expect(200);
    format!("post:{id}")
}

async fn share(kit: &Kit, who: &Person, object: &str, audience: &str) -> String {
    let id = kit.uuid();
    let body = json!({ "id": id, "object": object, "comment": "Look at this", "audience": audience });
    kit.call("share.create", Some(&who.token), body).await.expect(200);
    id
}

async fn under(kit: &Kit, who: &Person, op: &str, method: &str, body: Value) -> Answer {
    let headers = [("idempotency-key", op)];
    let with = With { token: Some(&who.token), headers: &headers, ..With::default() };
    kit.call_with(method, with, body).await
}

async fn follow(kit: &Kit, who: &Person, whom: &Person) {
    kit.call("follow.create", Some(&who.token), json!({ "id": whom.id })).await.expect(200);
    let seen = |answer: &Answer| answer.text.contains(&who.id);
    kit.until("follow.listFollowers", Some(&whom.token), json!({ "id": whom.id }), seen).await;
}

fn count(answer: &Answer) -> usize {
    answer.json["items"].as_array().map_or(0, Vec::len)
}

#[tokio::test]
async fn each_kind_of_thing_is_shared_once_and_reads_as_it_was_answered() {
    let kit = Kit::start().await;
    let (ann, bob) = (kit.person("ann").await, kit.person("bob").await);
    let (hall, checkin) = (kit.uuid(), kit.uuid());
    let place = json!({ "id": hall, "name": "Hall 7", "latitude": 1, "longitude": 2 });
    kit.call("checkin.createPlace", Some(&ann.token), place).await.expect(200);
    let here = json!({ "id": checkin, "place": hall });
    kit.call("checkin.create", Some(&ann.token), here).await.expect(200);
    let counted = |answer: &Answer| answer.json["checkins"] == 1;
    kit.until("checkin.getPlace", None, json!({ "id": hall }), counted).await;
    let written = post(&kit, &ann, "Hello", "public").await;
    for object in
        [&written, &format!("place:{hall}"), &format!("checkin:{checkin}"), &format!("profile:{}", ann.id)]
    {
        let id = kit.uuid();
        let body = json!({ "id": id, "object": object, "comment": "Look" });
        let first = kit.call("share.create", Some(&bob.token), body.clone()).await.expect(200);
        assert_eq!(format!("{}:{}", first.str("/object/type"), first.str("/object/id")), *object);
        let again = kit.call("share.create", Some(&bob.token), body.clone()).await.expect(200);
        assert_eq!(again.json, first.json);
        kit.call("share.create", Some(&ann.token), body).await.problem(409, "id-taken");
        let listed =
            kit.until("share.list", None, json!({ "object": object }), |answer| count(answer) == 1).await;
        assert_eq!(listed.json["items"][0]["rev"], first.json["rev"]);
        if object.starts_with("profile") {
            // The golden example: everything in a share's reply, but for what differs from run to run.
            let mut golden = first.json.clone();
            let known = golden.as_object_mut().unwrap();
            assert!(known.remove("rev").is_some() && known.remove("createdAt").is_some());
            assert_eq!(
                golden,
                json!({
                    "id": id, "author": bob.id, "comment": "Look", "audience": "public",
                    "object": { "type": "profile", "id": ann.id },
                })
            );
        }
    }
    let nothing = json!({ "id": kit.uuid(), "object": format!("post:{}", kit.uuid()) });
    kit.call("share.create", Some(&bob.token), nothing).await.problem(404, "not-found");
    for method in ["share.create", "share.createLink", "share.delete"] {
        let body = json!({ "id": kit.uuid(), "object": written });
        kit.call(method, None, body).await.problem(401, "unauthenticated");
    }
    for (patch, code, pointer) in [
        (json!({ "object": "post" }), 422, "/object"),
        (json!({ "object": format!("chat:{}", kit.uuid()) }), 422, "/object"),
        (json!({ "comment": "" }), 422, "/comment"),
        (json!({ "comment": "x".repeat(5_001) }), 422, "/comment"),
        (json!({ "audience": "all" }), 422, "/audience"),
        (json!({ "text": "x" }), 400, "/text"),
    ] {
        let mut body = json!({ "id": kit.uuid(), "object": written });
        body.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
        let answer = kit.call("share.create", Some(&ann.token), body).await.expect(code);
        assert_eq!(answer.str("/errors/0/pointer"), pointer, "{}", answer.text);
    }
}

#[tokio::test]
async fn an_operation_id_brings_the_first_reply_again_and_refuses_another_body() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    let (one, two) = (post(&kit, &ann, "One", "public").await, post(&kit, &ann, "Two", "public").await);
    let id = kit.uuid();
    for (method, body, other) in [
        ("share.create", json!({ "id": id, "object": one }), Some(json!({ "id": id, "object": two }))),
        ("share.createLink", json!({ "object": one }), None),
        ("share.delete", json!({ "id": id }), Some(json!({ "id": id, "ifRev": "1.00000000" }))),
    ] {
        let op = kit.uuid();
        let first = under(&kit, &ann, &op, method, body.clone()).await.expect(200);
        let again = under(&kit, &ann, &op, method, body).await.expect(200);
        assert_eq!(
            (again.text.as_str(), again.header("gomer-replayed")),
            (first.text.as_str(), Some("true"))
        );
        if let Some(other) = other {
            under(&kit, &ann, &op, method, other).await.problem(422, "key-reused");
        }
    }
}

#[tokio::test]
async fn a_share_makes_nothing_visible() {
    let kit = Kit::start().await;
    let (ann, bob, eve) = (kit.person("ann").await, kit.person("bob").await, kit.person("eve").await);
    let mallory = kit.person_in("two", "mallory").await;
    follow(&kit, &bob, &ann).await;
    follow(&kit, &eve, &bob).await;
    let close = post(&kit, &ann, "Among friends", "followers").await;
    // Who does not see it cannot share it, and is told that it is not there.
    let absent = json!({ "id": kit.uuid(), "object": format!("post:{}", kit.uuid()) });
    let nothing =
        kit.call("share.create", Some(&eve.token), absent).await.problem(404, "not-found").untraced();
    let blind = json!({ "id": kit.uuid(), "object": close });
    assert_eq!(kit.call("share.create", Some(&eve.token), blind.clone()).await.untraced(), nothing);
    assert_eq!(
        kit.call("share.createLink", Some(&eve.token), json!({ "object": close })).await.untraced(),
        nothing
    );
    assert_eq!(
        kit.call("share.list", Some(&eve.token), json!({ "object": close })).await.untraced(),
        nothing
    );
    // Who does may, and still nobody sees more than before.
    let id = share(&kit, &bob, &close, "public").await;
    let there = |answer: &Answer| answer.text.contains(&id);
    kit.until("timeline.getHome", Some(&bob.token), json!({}), there).await;
    kit.until("share.list", Some(&ann.token), json!({ "object": close }), there).await;
    let open = post(&kit, &ann, "For all", "public").await;
    let shared = share(&kit, &bob, &open, "followers").await;
    let arrived = |answer: &Answer| answer.text.contains(&shared);
    let home = kit.until("timeline.getHome", Some(&eve.token), json!({}), arrived).await;
    assert!(!there(&home) && !home.text.contains("Among friends"), "{}", home.text);
    let item = &home.json["items"][0];
    assert_eq!((&item["verb"], &item["object"]["type"]), (&json!("share"), &json!("share")));
    assert_eq!(
        (&item["object"]["comment"], &item["object"]["object"]["text"]),
        (&json!("Look at this"), &json!("For all"))
    );
    // For followers of who shares: nobody else, not even the author of the post.
    kit.until("share.list", Some(&eve.token), json!({ "object": open }), arrived).await;
    for who in [None, Some(&ann.token)] {
        let list =
            kit.call("share.list", who.map(String::as_str), json!({ "object": open })).await.expect(200);
        assert_eq!(count(&list), 0, "{}", list.text);
    }
    // Nor does sync: the share's own root is closed with its object.
    let roots = json!({ "roots": [format!("share:{id}"), format!("share:{shared}")], "limit": 500 });
    let pulled = kit.call("sync.pull", Some(&eve.token), roots).await.expect(200);
    let puts = pulled.json["items"].as_array().unwrap().iter().filter(|item| item["type"] == "share");
    assert_eq!(puts.map(|item| item["id"].clone()).collect::<Vec<_>>(), [json!(shared)], "{}", pulled.text);
    // Another app's ids are absent, and so is what may not be taken back.
    let other = With { app: Some("two"), token: Some(&mallory.token), ..With::default() };
    for (method, body) in [
        ("share.list", json!({ "object": open })),
        ("share.create", json!({ "id": kit.uuid(), "object": open })),
        ("share.createLink", json!({ "object": open })),
        ("share.delete", json!({ "id": shared })),
    ] {
        assert_eq!(kit.call_with(method, other.clone(), body).await.untraced(), nothing, "{method}");
    }
    assert_eq!(kit.call("share.delete", Some(&eve.token), json!({ "id": id })).await.untraced(), nothing);
    kit.call("share.delete", Some(&eve.token), json!({ "id": shared })).await.problem(403, "forbidden");
}

#[tokio::test]
async fn a_share_that_is_taken_back_is_gone_everywhere() {
    let kit = Kit::start().await;
    let (ann, bob, eve) = (kit.person("ann").await, kit.person("bob").await, kit.person("eve").await);
    follow(&kit, &eve, &bob).await;
    let object = post(&kit, &ann, "Hello", "public").await;
    let id = share(&kit, &bob, &object, "public").await;
    let there = |answer: &Answer| answer.text.contains(&id);
    let gone = |answer: &Answer| !answer.text.contains(&id);
    let lists = [
        ("timeline.getHome", json!({})),
        ("timeline.getApp", json!({})),
        ("timeline.getProfile", json!({ "id": bob.id })),
        ("share.list", json!({ "object": object })),
    ];
    for (method, body) in &lists {
        kit.until(method, Some(&eve.token), body.clone(), there).await;
    }
    // Muting who wrote what is shared is enough.
    kit.call("block.createMute", Some(&eve.token), json!({ "subject": { "profile": ann.id } }))
        .await
        .expect(200);
    kit.until("timeline.getHome", Some(&eve.token), json!({}), gone).await;
    let stale = json!({ "id": id, "ifRev": "1.00000000" });
    kit.call("share.delete", Some(&bob.token), stale).await.problem(412, "stale-revision");
    let deleted = kit.call("share.delete", Some(&bob.token), json!({ "id": id })).await.expect(200);
    for (method, body) in &lists {
        kit.until(method, Some(&bob.token), body.clone(), gone).await;
    }
    let again = kit.call("share.delete", Some(&bob.token), json!({ "id": id })).await.expect(200);
    assert_eq!(again.json, deleted.json);
    let back = json!({ "id": id, "object": object });
    kit.call("share.create", Some(&bob.token), back).await.problem(409, "id-taken");
    // A share of something that was deleted is still its author's to take back.
    let id = share(&kit, &bob, &object, "public").await;
    let of_post = object.trim_start_matches("post:");
    kit.call("post.delete", Some(&ann.token), json!({ "id": of_post })).await.expect(200);
    kit.call("share.list", None, json!({ "object": object })).await.problem(404, "not-found");
    kit.call("share.create", Some(&bob.token), json!({ "id": id, "object": object }))
        .await
        .problem(404, "not-found");
    kit.call("share.delete", Some(&bob.token), json!({ "id": id })).await.expect(200);
}

#[tokio::test]
async fn a_short_link_is_the_same_each_time_and_leads_only_who_may_see() {
    let kit = Kit::start().await;
    let (ann, bob, eve) = (kit.person("ann").await, kit.person("bob").await, kit.person("eve").await);
    follow(&kit, &bob, &ann).await;
    let open = post(&kit, &ann, "A headline\nand the rest", "public").await;
    let close = post(&kit, &ann, "Among friends", "followers").await;
    let link = kit.call("share.createLink", Some(&bob.token), json!({ "object": open })).await.expect(200);
    let code = link.str("/code");
    assert!(code.len() == 12 && code.bytes().all(|letter| letter.is_ascii_lowercase()), "{code}");
    assert_eq!(
        link.json,
        json!({
            "code": code, "object": open,
            "preview": { "kind": "article", "title": "A headline", "description": "A headline\nand the rest" },
        })
    );
    let again = kit.call("share.createLink", Some(&bob.token), json!({ "object": open })).await.expect(200);
    assert_eq!(again.json, link.json);
    let others = kit.call("share.createLink", Some(&eve.token), json!({ "object": open })).await.expect(200);
    assert_ne!(others.str("/code"), code, "each has their own");
    let resolved = kit.call("share.getLink", None, json!({ "code": code })).await.expect(200);
    assert_eq!(resolved.json, link.json);
    // Absent, hidden, of another app: the same bytes.
    let absent = json!({ "code": "bcdfghjkmnpq" });
    let nothing = kit.call("share.getLink", None, absent).await.problem(404, "not-found").untraced();
    let friends =
        kit.call("share.createLink", Some(&bob.token), json!({ "object": close })).await.expect(200);
    let friends = json!({ "code": friends.str("/code") });
    kit.call("share.getLink", Some(&ann.token), friends.clone()).await.expect(200);
    assert_eq!(kit.call("share.getLink", Some(&eve.token), friends.clone()).await.untraced(), nothing);
    assert_eq!(kit.call("share.getLink", None, friends).await.untraced(), nothing);
    let other = With { app: Some("two"), ..With::default() };
    assert_eq!(kit.call_with("share.getLink", other, json!({ "code": code })).await.untraced(), nothing);
    for bad in ["", "bcdfghjkmnp", "BCDFGHJKMNPQ", "bcdfghjkmnpa"] {
        let answer = kit.call("share.getLink", None, json!({ "code": bad })).await.problem(422, "invalid");
        assert_eq!(answer.str("/errors/0/pointer"), "/code");
    }
    // What is gone is gone for links too.
    let of_post = open.trim_start_matches("post:");
    kit.call("post.delete", Some(&ann.token), json!({ "id": of_post })).await.expect(200);
    assert_eq!(kit.call("share.getLink", None, json!({ "code": code })).await.untraced(), nothing);
}

#[tokio::test]
async fn lists_come_in_pages_and_belong_to_who_asked() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    let object = post(&kit, &ann, "Often shared", "public").await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(share(&kit, &ann, &object, "public").await);
    }
    kit.until("share.list", None, json!({ "object": object }), |answer| count(answer) == 5).await;
    let (mut seen, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let mut body = json!({ "object": object, "limit": 2 });
        if let Some(cursor) = &cursor {
            body["cursor"] = json!(cursor);
        }
        let page = kit.call("share.list", None, body).await.expect(200);
        seen.extend(
            page.json["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()),
        );
        cursor = Some(page.str("/cursor"));
        if page.json["end"] == true {
            break;
        }
    }
    seen.sort();
    ids.sort();
    assert_eq!(seen, ids);
    let mine = json!({ "object": object, "cursor": cursor });
    kit.call("share.list", Some(&ann.token), mine).await.problem(400, "cursor-invalid");
}
