//! `post` and `like`: what each method does, each way in which it fails, replays, strangers.

mod kit;

use kit::{Answer, Kit, Person, With};
use serde_json::{Value, json};

/// The same call under an operation id.
async fn under(kit: &Kit, who: &Person, op: &str, method: &str, body: Value) -> Answer {
    let headers = [("idempotency-key", op)];
    let with = With { token: Some(&who.token), headers: &headers, ..With::default() };
    kit.call_with(method, with, body).await
}

#[tokio::test]
async fn a_post_is_made_once_and_reads_as_it_was_answered() {
    let kit = Kit::start().await;
    let (ann, bob) = (kit.person("ann").await, kit.person("bob").await);
    let id = kit.uuid();
    let body = json!({
        "id": id, "text": "Hello @bob and @nobody, #Rust #rust", "link": "https://example.org/a",
        "place": { "latitude": 47.5, "longitude": 8.5, "name": "Home" },
    });
    let first = kit.call("post.create", Some(&ann.token), body.clone()).await.expect(200);
    assert_eq!(first.json["mentions"], json!([bob.id]), "a name that nobody has is no mention");
    assert_eq!(first.json["tags"], json!(["rust"]));
    assert_eq!(first.header("etag").map(str::to_owned), Some(format!("\"{}\"", first.str("/rev"))));
    // Again, with another body: the first result.
    let again =
        kit.call("post.create", Some(&ann.token), json!({ "id": id, "text": "Other" })).await.expect(200);
    assert_eq!(again.json, first.json);
    // As read: the same, and its reactions.
    let read = kit.call("post.get", None, json!({ "id": id.to_uppercase() })).await.expect(200);
    for (name, value) in first.json.as_object().unwrap() {
        assert_eq!(read.json[name], *value, "{name}");
    }
    assert_eq!(read.json["likes"]["count"], 0);
    // The same id by somebody else.
    kit.call("post.create", Some(&bob.token), body).await.problem(409, "id-taken");
    kit.call("post.create", None, json!({ "id": kit.uuid(), "text": "x" }))
        .await
        .problem(401, "unauthenticated");
}

#[tokio::test]
async fn an_operation_id_brings_the_first_reply_again_and_refuses_another_body() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    let (id, op) = (kit.uuid(), kit.uuid());
    let body = json!({ "id": id, "text": "Once" });
    let first = under(&kit, &ann, &op, "post.create", body.clone()).await.expect(200);
    kit.call("post.update", Some(&ann.token), json!({ "id": id, "text": "Twice" })).await.expect(200);
    let again = under(&kit, &ann, &op, "post.create", body).await.expect(200);
    assert_eq!((again.text.as_str(), again.header("gomer-replayed")), (first.text.as_str(), Some("true")));
    under(&kit, &ann, &op, "post.create", json!({ "id": id, "text": "Other" }))
        .await
        .problem(422, "key-reused");
    let op = kit.uuid();
    let gone = under(&kit, &ann, &op, "post.delete", json!({ "id": id })).await.expect(200);
    assert_eq!(under(&kit, &ann, &op, "post.delete", json!({ "id": id })).await.expect(200).text, gone.text);
}

#[tokio::test]
async fn bad_posts_are_refused_with_a_pointer() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    for (patch, code, pointer) in [
        (json!({ "text": "" }), 422, "/text"),
        (json!({ "text": "x".repeat(5_001) }), 422, "/text"),
        (json!({ "text": null }), 422, "/text"),
        (json!({ "audience": "neighbours" }), 422, "/audience"),
        (json!({ "tags": ["a b"] }), 422, "/tags/0"),
        (json!({ "mentions": ["x"] }), 422, "/mentions/0"),
        (json!({ "link": "javascript:alert(1)" }), 422, "/link"),
        (json!({ "place": { "latitude": 91, "longitude": 0 } }), 422, "/place"),
        (json!({ "colour": "red" }), 400, "/colour"),
        (json!({ "id": "00000000-0000-0000-0000-000000000000" }), 422, "/id"),
    ] {
        let mut body = json!({ "id": kit.uuid(), "text": "x" });
        body.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
        let answer = kit.call("post.create", Some(&ann.token), body).await.expect(code);
        assert_eq!(answer.str("/errors/0/pointer"), pointer, "{}", answer.text);
    }
}

#[tokio::test]
async fn an_audience_holds_and_absence_looks_the_same_to_all() {
    let kit = Kit::start().await;
    let (ann, bob, eve) = (kit.person("ann").await, kit.person("bob").await, kit.person("eve").await);
    let mallory = kit.person_in("two", "mallory").await;
    kit.follow(&bob, &ann).await;
    let public = kit.publish(&ann, "For all", "public").await;
    let close = kit.publish(&ann, "For followers", "followers").await;
    let mine = kit.publish(&ann, "For me", "onlyMe").await;
    let absent = kit.uuid();
    let nothing =
        kit.call("post.get", Some(&eve.token), json!({ "id": absent })).await.problem(404, "not-found");
    for (who, sees) in [(None, 1), (Some(&eve), 1), (Some(&bob), 2), (Some(&ann), 3)] {
        for (at, id) in [&public, &close, &mine].into_iter().enumerate() {
            let answer = kit.call("post.get", who.map(|who| who.token.as_str()), json!({ "id": id })).await;
            if at < sees {
                answer.expect(200);
            } else {
                assert_eq!(
                    answer.untraced(),
                    nothing.untraced(),
                    "the same bytes as for what does not exist"
                );
            }
        }
        let token = who.map(|who| who.token.as_str());
        let many = kit
            .call("post.getMany", token, json!({ "ids": [mine, public, close, absent] }))
            .await
            .expect(200);
        assert_eq!(many.json["items"].as_array().unwrap().len(), sees);
        let list = |answer: &Answer| answer.json["items"].as_array().unwrap().len() == sees;
        kit.until("post.listByProfile", token, json!({ "id": ann.id }), list).await;
    }
    // Another app's ids are absent.
    let other = With { app: Some("two"), token: Some(&mallory.token), ..With::default() };
    let answer = kit.call_with("post.get", other.clone(), json!({ "id": public })).await;
    assert_eq!(answer.untraced(), nothing.untraced());
    let answer = kit.call_with("post.listByProfile", other, json!({ "id": ann.id })).await;
    assert_eq!(answer.untraced(), nothing.untraced());
    // A block hides, either way.
    kit.call("block.create", Some(&ann.token), json!({ "id": eve.id })).await.expect(200);
    let hidden = |answer: &Answer| answer.status == 404;
    let answer = kit.until("post.get", Some(&eve.token), json!({ "id": public }), hidden).await;
    assert_eq!(answer.untraced(), nothing.untraced());
    kit.call("like.put", Some(&eve.token), json!({ "id": public })).await.problem(404, "not-found");
}

#[tokio::test]
async fn an_edit_needs_its_author_and_the_revision_it_names() {
    let kit = Kit::start().await;
    let (ann, bob) = (kit.person("ann").await, kit.person("bob").await);
    let id = kit.publish(&ann, "One #a", "public").await;
    let hidden = kit.publish(&ann, "Mine", "onlyMe").await;
    let first = kit.call("post.get", Some(&ann.token), json!({ "id": id })).await.str("/rev");
    let edit = json!({ "id": id, "text": "Two #b", "link": "https://example.org" });
    let edited = kit.call("post.update", Some(&ann.token), edit).await.expect(200);
    assert_eq!((&edited.json["text"], &edited.json["tags"]), (&json!("Two #b"), &json!(["b"])));
    assert!(edited.json["editedAt"].is_string());
    let read = kit.call("post.get", Some(&ann.token), json!({ "id": id })).await.expect(200);
    for (name, value) in edited.json.as_object().unwrap() {
        assert_eq!(read.json[name], *value, "{name}");
    }
    // `null` clears, absence leaves.
    let cleared =
        kit.call("post.update", Some(&ann.token), json!({ "id": id, "link": null })).await.expect(200);
    assert_eq!((cleared.json.get("link"), &cleared.json["text"]), (None, &json!("Two #b")));
    kit.call("post.update", Some(&ann.token), json!({ "id": id, "text": null }))
        .await
        .problem(422, "invalid");
    // Stale: by body and by header.
    let stale = json!({ "id": id, "text": "Three", "ifRev": first });
    let refused = kit.call("post.update", Some(&ann.token), stale).await.problem(412, "stale-revision");
    assert_eq!(refused.json["current"]["text"], "Two #b");
    assert_eq!(refused.json["rev"], cleared.json["rev"]);
    let etag = format!("\"{first}\"");
    let headers = [("if-match", etag.as_str())];
    let with = With { token: Some(&ann.token), headers: &headers, ..With::default() };
    kit.call_with("post.delete", with, json!({ "id": id })).await.problem(412, "stale-revision");
    // An edit to what it already is changes nothing.
    let same =
        kit.call("post.update", Some(&ann.token), json!({ "id": id, "text": "Two #b" })).await.expect(200);
    assert_eq!(same.json["rev"], cleared.json["rev"]);
    // Somebody else.
    kit.call("post.update", Some(&bob.token), json!({ "id": id, "text": "x" }))
        .await
        .problem(403, "forbidden");
    kit.call("post.delete", Some(&bob.token), json!({ "id": id })).await.problem(403, "forbidden");
    for method in ["post.update", "post.delete"] {
        let answer = kit.call(method, Some(&bob.token), json!({ "id": hidden })).await;
        let absent = kit.call(method, Some(&bob.token), json!({ "id": kit.uuid() })).await;
        assert_eq!(answer.untraced(), absent.problem(404, "not-found").untraced());
        kit.call(method, None, json!({ "id": id })).await.problem(401, "unauthenticated");
    }
}

#[tokio::test]
async fn a_deleted_post_is_gone_everywhere_and_for_ever() {
    let kit = Kit::start().await;
    let (ann, bob) = (kit.person("ann").await, kit.person("bob").await);
    kit.follow(&bob, &ann).await;
    let id = kit.publish(&ann, "Soon gone #brief", "public").await;
    let there = |answer: &Answer| answer.text.contains(&id);
    let gone = |answer: &Answer| !answer.text.contains(&id);
    let lists = [
        ("timeline.getHome", json!({})),
        ("timeline.getApp", json!({})),
        ("timeline.getProfile", json!({ "id": ann.id })),
        ("post.listByProfile", json!({ "id": ann.id })),
        ("post.listByTag", json!({ "tag": "#Brief" })),
    ];
    for (method, body) in &lists {
        kit.until(method, Some(&bob.token), body.clone(), there).await;
    }
    kit.call("post.delete", Some(&ann.token), json!({ "id": id })).await.expect(200);
    for (method, body) in &lists {
        kit.until(method, Some(&bob.token), body.clone(), gone).await;
    }
    kit.call("post.get", Some(&ann.token), json!({ "id": id })).await.problem(404, "not-found");
    kit.call("post.delete", Some(&ann.token), json!({ "id": id })).await.expect(200);
    kit.call("post.create", Some(&ann.token), json!({ "id": id, "text": "Back" }))
        .await
        .problem(409, "id-taken");
}

#[tokio::test]
async fn pages_put_together_are_the_whole_list() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    let mut ids = Vec::new();
    for number in 0..7 {
        ids.push(kit.publish(&ann, &format!("Post {number} #many"), "public").await);
    }
    ids.reverse();
    for (method, body) in
        [("post.listByProfile", json!({ "id": ann.id })), ("post.listByTag", json!({ "tag": "many" }))]
    {
        let full = |answer: &Answer| answer.json["items"].as_array().unwrap().len() == 7;
        kit.until(method, None, body.clone(), full).await;
        let (mut seen, mut cursor) = (Vec::new(), None);
        loop {
            let mut body = body.clone();
            body["limit"] = json!(3);
            if let Some(cursor) = &cursor {
                body["cursor"] = json!(cursor);
            }
            let page = kit.call(method, None, body).await.expect(200);
            seen.extend(
                page.json["items"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|post| post["id"].as_str().unwrap().to_owned()),
            );
            cursor = Some(page.str("/cursor"));
            if page.json["end"] == true {
                break;
            }
        }
        assert_eq!(seen, ids, "{method}");
        // Another list's, another reader's and a damaged cursor are refused.
        let cursor = cursor.unwrap();
        let mut with_cursor = body.clone();
        with_cursor["cursor"] = json!(cursor);
        kit.call(method, Some(&ann.token), with_cursor.clone()).await.problem(400, "cursor-invalid");
        with_cursor["cursor"] = json!(format!("{cursor}A"));
        kit.call(method, None, with_cursor).await.problem(400, "cursor-invalid");
        let elsewhere = json!({ "id": ids[0], "cursor": cursor });
        kit.call("like.list", None, elsewhere).await.problem(400, "cursor-invalid");
    }
}

#[tokio::test]
async fn reactions_are_counted_once_per_person() {
    let kit = Kit::start().await;
    let (ann, bob) = (kit.person("ann").await, kit.person("bob").await);
    let id = kit.publish(&ann, "Like me", "public").await;
    let before = kit.call("post.get", None, json!({ "id": id })).await.str("/rev");
    for kind in [json!({ "id": id }), json!({ "id": id }), json!({ "id": id, "kind": "love" })] {
        kit.call("like.put", Some(&bob.token), kind).await.expect(200);
    }
    kit.call("like.put", Some(&ann.token), json!({ "id": id })).await.expect(200);
    let both = |answer: &Answer| answer.json["items"][0]["count"] == 2;
    let counts =
        kit.until("like.getCounts", Some(&bob.token), json!({ "ids": [id, kit.uuid()] }), both).await;
    assert_eq!(
        counts.json["items"],
        json!([{ "id": id, "count": 2, "kinds": { "like": 1, "love": 1 }, "mine": "love" }])
    );
    assert_eq!(
        kit.call("post.get", None, json!({ "id": id })).await.str("/rev"),
        before,
        "a like is no edit"
    );
    let two = |answer: &Answer| answer.json["items"].as_array().is_some_and(|items| items.len() == 2);
    let list = kit.until("like.list", None, json!({ "id": id }), two).await;
    assert!(list.text.contains(&ann.id) && list.text.contains(&bob.id));
    // On and off in a row: the last word counts.
    for _ in 0..3 {
        kit.call("like.delete", Some(&bob.token), json!({ "id": id })).await.expect(200);
        kit.call("like.put", Some(&bob.token), json!({ "id": id })).await.expect(200);
    }
    kit.call("like.delete", Some(&bob.token), json!({ "id": id })).await.expect(200);
    kit.call("like.delete", Some(&bob.token), json!({ "id": id })).await.expect(200);
    let one =
        |answer: &Answer| answer.json["items"][0] == json!({ "id": id, "count": 1, "kinds": { "like": 1 } });
    kit.until("like.getCounts", Some(&bob.token), json!({ "ids": [id] }), one).await;
}

#[tokio::test]
async fn reactions_that_make_no_sense_are_refused() {
    let kit = Kit::start().await;
    let (ann, bob) = (kit.person("ann").await, kit.person("bob").await);
    let mine = kit.publish(&ann, "Mine", "onlyMe").await;
    let absent =
        kit.call("like.put", Some(&bob.token), json!({ "id": kit.uuid() })).await.problem(404, "not-found");
    let hidden = kit.call("like.put", Some(&bob.token), json!({ "id": mine })).await;
    assert_eq!(hidden.untraced(), absent.untraced());
    kit.call("like.list", Some(&bob.token), json!({ "id": mine })).await.problem(404, "not-found");
    kit.call("like.put", None, json!({ "id": mine })).await.problem(401, "unauthenticated");
    kit.call("like.put", Some(&ann.token), json!({ "id": mine, "kind": "Like it!" }))
        .await
        .problem(422, "invalid");
    kit.call("like.getCounts", None, json!({ "ids": [] })).await.problem(422, "invalid");
    let none = kit.call("like.getCounts", Some(&bob.token), json!({ "ids": [mine] })).await.expect(200);
    assert_eq!(none.json["items"], json!([]));
    kit.call("like.delete", Some(&bob.token), json!({ "id": mine })).await.expect(200);
    let (op, id) = (kit.uuid(), kit.publish(&ann, "All", "public").await);
    let first = under(&kit, &bob, &op, "like.put", json!({ "id": id })).await.expect(200);
    kit.call("like.delete", Some(&bob.token), json!({ "id": id })).await.expect(200);
    let again = under(&kit, &bob, &op, "like.put", json!({ "id": id })).await.expect(200);
    assert_eq!((again.text, again.headers.contains_key("gomer-replayed")), (first.text, true));
    let counts = kit.call("like.getCounts", Some(&bob.token), json!({ "ids": [id] })).await.expect(200);
    assert_eq!(counts.json["items"][0].get("mine"), None, "a replay changes nothing");
    under(&kit, &bob, &op, "like.delete", json!({ "id": id })).await.problem(422, "key-reused");
}
