//! `reply`: threads, counts, edits, what is left of a deleted one, who sees it.

mod kit;

use kit::{Answer, Kit, Person, With};
use serde_json::{Value, json};

async fn publish(kit: &Kit, author: &Person, audience: &str) -> String {
    let id = kit.uuid();
    let body = json!({ "id": id, "text": "Post", "audience": audience });
    kit.call("post.create", Some(&author.token), body).await.expect(200);
    id
}

fn to(kind: &str, id: &str) -> Value {
    json!({ "kind": kind, "id": id })
}

async fn reply(kit: &Kit, who: &Person, to: Value, text: &str) -> String {
    let body = json!({ "id": kit.uuid(), "to": to, "text": text });
    kit.call("reply.create", Some(&who.token), body).await.expect(200).str("/id")
}

/// The list, once it has this many.
async fn listed(kit: &Kit, who: &Person, of: Value, count: usize) -> Answer {
    let wanted = |answer: &Answer| answer.json["items"].as_array().is_some_and(|items| items.len() == count);
    kit.until("reply.list", Some(&who.token), of, wanted).await
}

fn texts(answer: &Answer) -> Vec<&str> {
    answer.json["items"].as_array().unwrap().iter().map(|item| item["text"].as_str().unwrap_or("-")).collect()
}

#[tokio::test]
async fn a_reply_is_made_once_listed_and_counted() {
    let kit = Kit::start().await;
    let (ann, bob) = (kit.person("ann").await, kit.person("bob").await);
    let post = publish(&kit, &ann, "public").await;
    let (id, op) = (kit.uuid(), kit.uuid());
    let body = json!({ "id": id, "to": to("post", &post), "text": "First, @ann" });
    let headers = [("idempotency-key", op.as_str())];
    let with = With { token: Some(&bob.token), headers: &headers, ..With::default() };
    let first = kit.call_with("reply.create", with.clone(), body.clone()).await.expect(200);
    assert_eq!((&first.json["mentions"], &first.json["post"]), (&json!([ann.id]), &json!(post)));
    // Again under the operation id, under none, and as it is read.
    let again = kit.call_with("reply.create", with.clone(), body.clone()).await.expect(200);
    assert_eq!((again.header("gomer-replayed"), &again.text), (Some("true"), &first.text));
    let plain = kit.call("reply.create", Some(&bob.token), body.clone()).await.expect(200);
    assert_eq!(plain.json, first.json);
    let read = kit.call("reply.get", None, json!({ "id": id })).await.expect(200);
    for (name, value) in first.json.as_object().unwrap() {
        assert_eq!(read.json[name], *value, "{name}");
    }
    assert_eq!((&read.json["replies"], &read.json["ancestors"]), (&json!(0), &json!([])));
    let other = json!({ "id": id, "to": to("post", &post), "text": "Other" });
    kit.call_with("reply.create", with, other.clone()).await.problem(422, "key-reused");
    kit.call("reply.create", Some(&ann.token), other).await.problem(409, "id-taken");
    // It is in the list once, and counted once.
    let of = json!({ "post": post });
    assert_eq!(texts(&listed(&kit, &ann, of.clone(), 1).await), ["First, @ann"]);
    let shown = kit.call("post.get", None, json!({ "id": post })).await.expect(200);
    assert_eq!((&shown.json["replies"], &shown.json["likes"]["count"]), (&json!(1), &json!(0)));
    // Either way, in pages.
    for text in ["Second", "Third"] {
        reply(&kit, &ann, to("post", &post), text).await;
    }
    assert_eq!(texts(&listed(&kit, &ann, of, 3).await), ["First, @ann", "Second", "Third"]);
    let page = async |cursor: Option<String>| {
        let mut body = json!({ "post": post, "from": "newest", "limit": 2 });
        if let Some(cursor) = cursor {
            body["cursor"] = json!(cursor);
        }
        kit.call("reply.list", None, body).await.expect(200)
    };
    let newest = page(None).await;
    assert_eq!((texts(&newest), &newest.json["end"]), (vec!["Third", "Second"], &json!(false)));
    assert_eq!(texts(&page(Some(newest.str("/cursor"))).await), ["First, @ann"]);
    let wrong = json!({ "post": post, "cursor": newest.str("/cursor") });
    kit.call("reply.list", None, wrong).await.problem(400, "cursor-invalid");
    kit.call("reply.list", None, json!({})).await.problem(422, "invalid");
    kit.call("reply.list", None, json!({ "post": kit.uuid() })).await.problem(404, "not-found");
}

#[tokio::test]
async fn what_replies_to_a_deleted_reply_stays() {
    let kit = Kit::start().await;
    let (ann, bob) = (kit.person("ann").await, kit.person("bob").await);
    let post = publish(&kit, &ann, "public").await;
    let parent = reply(&kit, &bob, to("post", &post), "Parent").await;
    let child = reply(&kit, &ann, to("reply", &parent), "Child").await;
    let lonely = reply(&kit, &bob, to("post", &post), "Lonely").await;
    listed(&kit, &ann, json!({ "reply": parent }), 1).await;
    listed(&kit, &ann, json!({ "post": post }), 2).await;
    // Only its author; others see it, or do not.
    kit.call("reply.delete", Some(&ann.token), json!({ "id": parent })).await.problem(403, "forbidden");
    kit.call("reply.delete", Some(&ann.token), json!({ "id": kit.uuid() })).await.problem(404, "not-found");
    for id in [&parent, &lonely] {
        kit.call("reply.delete", Some(&bob.token), json!({ "id": id })).await.expect(200);
        kit.call("reply.delete", Some(&bob.token), json!({ "id": id })).await.expect(200);
    }
    let left = listed(&kit, &ann, json!({ "post": post }), 1).await;
    assert_eq!(
        (&left.json["items"][0]["deleted"], &left.json["items"][0]["text"]),
        (&json!(true), &Value::Null)
    );
    assert!(!left.text.contains("Parent") && !left.text.contains("Lonely"), "{}", left.text);
    let thread = kit.call("reply.get", None, json!({ "id": child })).await.expect(200);
    assert_eq!(thread.json["ancestors"][0]["reply"]["deleted"], json!(true));
    let none = |answer: &Answer| answer.json["replies"] == 0;
    kit.until("post.get", None, json!({ "id": post }), none).await;
    // Final: neither edited, nor replied to, nor made again.
    let edit = json!({ "id": parent, "text": "Back" });
    kit.call("reply.update", Some(&bob.token), edit).await.problem(404, "not-found");
    let on = json!({ "id": kit.uuid(), "to": to("reply", &parent), "text": "x" });
    kit.call("reply.create", Some(&ann.token), on).await.problem(404, "not-found");
    let again = json!({ "id": parent, "to": to("post", &post), "text": "x" });
    kit.call("reply.create", Some(&bob.token), again).await.problem(409, "id-taken");
}

#[tokio::test]
async fn an_edit_needs_its_author_and_the_revision_it_names() {
    let kit = Kit::start().await;
    let (ann, bob) = (kit.person("ann").await, kit.person("bob").await);
    let post = publish(&kit, &ann, "public").await;
    let id = reply(&kit, &bob, to("post", &post), "One").await;
    let first = kit.call("reply.get", None, json!({ "id": id })).await.expect(200).str("/rev");
    let edit = |text: &str, rev: &str| json!({ "id": id, "text": text, "ifRev": rev });
    let second = kit.call("reply.update", Some(&bob.token), edit("Two", &first)).await.expect(200);
    assert!(second.json["editedAt"].is_string() && second.str("/rev") != first);
    let stale = kit.call("reply.update", Some(&bob.token), edit("Three", &first)).await;
    assert_eq!(stale.problem(412, "stale-revision").str("/current/text"), "Two");
    let foreign = json!({ "id": id, "text": "Mine" });
    kit.call("reply.update", Some(&ann.token), foreign.clone()).await.problem(403, "forbidden");
    kit.call("reply.update", None, foreign).await.problem(401, "unauthenticated");
    let same =
        kit.call("reply.update", Some(&bob.token), json!({ "id": id, "text": "Two" })).await.expect(200);
    assert_eq!(same.str("/rev"), second.str("/rev"), "what changes nothing is no edit");
}

#[tokio::test]
async fn a_reply_is_seen_where_its_post_is_and_a_block_hides_only_the_pair() {
    let kit = Kit::start().await;
    let (ann, bob, eve) = (kit.person("ann").await, kit.person("bob").await, kit.person("eve").await);
    let mallory = kit.person_in("two", "mallory").await;
    let close = publish(&kit, &ann, "followers").await;
    let secret = reply(&kit, &ann, to("post", &close), "Secret").await;
    let absent = kit.call("reply.get", Some(&eve.token), json!({ "id": kit.uuid() })).await;
    let on = |id: &str| json!({ "id": kit.uuid(), "to": to("reply", id), "text": "x" });
    for (method, body) in [
        ("reply.get", json!({ "id": secret })),
        ("reply.list", json!({ "reply": secret })),
        ("reply.list", json!({ "post": close })),
        ("reply.create", on(&secret)),
        ("reply.update", json!({ "id": secret, "text": "x" })),
        ("reply.delete", json!({ "id": secret })),
    ] {
        let answer = kit.call(method, Some(&eve.token), body.clone()).await;
        assert_eq!(answer.untraced(), absent.untraced(), "{method}");
        let with = With { app: Some("two"), token: Some(&mallory.token), ..With::default() };
        assert_eq!(kit.call_with(method, with, body).await.untraced(), absent.untraced(), "{method}");
    }
    // Between bob and eve only.
    let post = publish(&kit, &ann, "public").await;
    let bobs = reply(&kit, &bob, to("post", &post), "Bob's").await;
    let anns = reply(&kit, &ann, to("reply", &bobs), "Ann's").await;
    listed(&kit, &eve, json!({ "post": post }), 1).await;
    kit.call("block.create", Some(&eve.token), json!({ "id": bob.id })).await.expect(200);
    listed(&kit, &eve, json!({ "post": post }), 0).await;
    listed(&kit, &ann, json!({ "post": post }), 1).await;
    let thread = kit.call("reply.get", Some(&eve.token), json!({ "id": anns })).await.expect(200);
    assert_eq!(thread.json["ancestors"], json!([{ "id": bobs }]), "its place, and nothing of what it says");
    // With the post its replies go out of sight.
    kit.call("post.delete", Some(&ann.token), json!({ "id": post })).await.expect(200);
    let answer = kit.call("reply.get", Some(&ann.token), json!({ "id": anns })).await;
    assert_eq!(answer.untraced(), absent.untraced());
}

#[tokio::test]
async fn a_thread_that_is_open_is_synced() {
    let kit = Kit::start().await;
    let (ann, bob) = (kit.person("ann").await, kit.person("bob").await);
    let post = publish(&kit, &ann, "public").await;
    let id = reply(&kit, &bob, to("post", &post), "Hello").await;
    listed(&kit, &ann, json!({ "post": post }), 1).await;
    let body = json!({ "roots": [format!("post:{post}"), format!("reply:{id}")] });
    let page = kit.call("sync.pull", Some(&ann.token), body).await.expect(200);
    let items = page.json["items"].as_array().unwrap();
    let has = |kind: &str| items.iter().any(|item| item["type"] == kind && item["op"] == "put");
    assert!(has("replies") && has("replyCount") && has("reply"), "{}", page.text);
}
