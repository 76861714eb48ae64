//! `activity`: what happened, as Activity Streams 2.0, by who did it and by what it was done to.

mod kit;

use kit::{Answer, Kit, Person, With};
use serde_json::{Value, json};

async fn publish(kit: &Kit, author: &Person, audience: &str) -> String {
    let id = kit.uuid();
    let body = json!({ "id": id, "text": "Post", "audience": audience });
    kit.call("post.create", Some(&author.token), body).await.expect(200);
    id
}

/// The activities' ids, newest first.
fn ids(answer: &Answer) -> Vec<&str> {
    answer.json["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect()
}

async fn listed(kit: &Kit, method: &str, token: Option<&str>, body: Value, wanted: &[&str]) -> Answer {
    kit.until(method, token, body, |answer| answer.status == 200 && ids(answer) == wanted).await
}

#[tokio::test]
async fn what_somebody_did_is_listed_and_shown_in_the_vocabulary() {
    let kit = Kit::start().await;
    let (ann, bob) = (kit.person("ann").await, kit.person("bob").await);
    let post = publish(&kit, &bob, "public").await;
    let own = publish(&kit, &ann, "public").await;
    let create = format!("gomer:create/{}/post:{own}", ann.id);
    let by = json!({ "actor": ann.id });
    listed(&kit, "activity.list", None, by.clone(), &[&create]).await;
    kit.call("follow.create", Some(&ann.token), json!({ "id": bob.id })).await.expect(200);
    let follow = format!("gomer:follow/{}/profile:{}", ann.id, bob.id);
    kit.call("like.put", Some(&ann.token), json!({ "id": post })).await.expect(200);
    let like = format!("gomer:like/{}/post:{post}", ann.id);
    // Others see what she published and whom she follows; what she likes is hers to know.
    let seen = listed(&kit, "activity.list", Some(&bob.token), by.clone(), &[&follow, &create]).await;
    listed(&kit, "activity.list", Some(&ann.token), by, &[&like, &follow, &create]).await;
    let first = &seen.json["items"][0];
    assert_eq!((&first["type"], &first["actor"]["preferredUsername"]), (&json!("Follow"), &json!("ann")));
    assert_eq!(first["object"]["id"], format!("gomer:profile:{}", bob.id));
    let second = &seen.json["items"][1];
    assert_eq!(second["@context"], "https://www.w3.org/ns/activitystreams");
    assert_eq!((&second["object"]["type"], &second["object"]["content"]), (&json!("Note"), &json!("Post")));
    // By verb and by type of object, in pages.
    for (filter, wanted) in [
        (json!({ "verb": "follow" }), vec![follow.as_str()]),
        (json!({ "objectType": "post" }), vec![&like, &create]),
        (json!({ "objectType": "post", "verb": "create" }), vec![&create]),
        (json!({ "objectType": "profile", "verb": "like" }), vec![]),
    ] {
        let mut body = json!({ "actor": ann.id });
        body.as_object_mut().unwrap().extend(filter.as_object().unwrap().clone());
        let answer = kit.call("activity.list", Some(&ann.token), body).await.expect(200);
        assert_eq!(ids(&answer), wanted, "{filter}");
    }
    let mut pages: Vec<String> = Vec::new();
    let mut body = json!({ "actor": ann.id, "limit": 1 });
    loop {
        let page = kit.call("activity.list", Some(&ann.token), body.clone()).await.expect(200);
        pages.extend(ids(&page).into_iter().map(str::to_owned));
        if page.json["end"] == json!(true) {
            break;
        }
        body["cursor"] = json!(page.str("/cursor"));
    }
    assert_eq!(pages, [like.as_str(), &follow, &create]);
    kit.call("activity.list", Some(&bob.token), body).await.problem(400, "cursor-invalid");
    // One by one: the same.
    for (at, id) in [&follow, &create].into_iter().enumerate() {
        let one = kit.call("activity.get", Some(&bob.token), json!({ "id": id })).await.expect(200);
        assert_eq!(one.json, seen.json["items"][at], "{id}");
    }
    kit.call("activity.get", None, json!({ "id": "gomer:like/x" })).await.problem(422, "invalid");
    // What is no longer so did not happen.
    kit.call("like.delete", Some(&ann.token), json!({ "id": post })).await.expect(200);
    let gone = |answer: &Answer| answer.status == 404;
    kit.until("activity.get", None, json!({ "id": like }), gone).await;
}

#[tokio::test]
async fn what_happened_to_a_thing_is_listed() {
    let kit = Kit::start().await;
    let (ann, bob, eve) = (kit.person("ann").await, kit.person("bob").await, kit.person("eve").await);
    let post = publish(&kit, &ann, "public").await;
    let of = json!({ "objectType": "post", "id": post });
    kit.call("like.put", Some(&bob.token), json!({ "id": post })).await.expect(200);
    let like = format!("gomer:like/{}/post:{post}", bob.id);
    listed(&kit, "activity.listByObject", None, of.clone(), &[&like]).await;
    let reply = kit.uuid();
    let body = json!({ "id": reply, "to": { "kind": "post", "id": post }, "text": "Yes" });
    kit.call("reply.create", Some(&eve.token), body).await.expect(200);
    let create = format!("gomer:create/{}/reply:{reply}", eve.id);
    let all = listed(&kit, "activity.listByObject", None, of.clone(), &[&create, &like]).await;
    assert_eq!(all.json["items"][0]["object"]["inReplyTo"], format!("gomer:post:{post}"));
    let likes = json!({ "objectType": "post", "id": post, "verb": "like" });
    listed(&kit, "activity.listByObject", None, likes, &[&like]).await;
    kit.call("follow.create", Some(&bob.token), json!({ "id": ann.id })).await.expect(200);
    let follow = format!("gomer:follow/{}/profile:{}", bob.id, ann.id);
    let profile = json!({ "objectType": "profile", "id": ann.id });
    listed(&kit, "activity.listByObject", None, profile, &[&follow]).await;
    // A block hides its two from each other; nobody else notices.
    kit.call("block.create", Some(&eve.token), json!({ "id": bob.id })).await.expect(200);
    listed(&kit, "activity.listByObject", Some(&eve.token), of.clone(), &[&create]).await;
    listed(&kit, "activity.listByObject", Some(&ann.token), of, &[&create, &like]).await;
    let one = kit.call("activity.get", Some(&eve.token), json!({ "id": like })).await;
    one.problem(404, "not-found");
}

#[tokio::test]
async fn what_one_may_not_see_did_not_happen() {
    let kit = Kit::start().await;
    let (ann, bob, eve) = (kit.person("ann").await, kit.person("bob").await, kit.person("eve").await);
    let mallory = kit.person_in("two", "mallory").await;
    let close = publish(&kit, &ann, "followers").await;
    let public = publish(&kit, &ann, "public").await;
    kit.call("follow.create", Some(&ann.token), json!({ "id": bob.id })).await.expect(200);
    let follow = format!("gomer:follow/{}/profile:{}", ann.id, bob.id);
    let by = json!({ "actor": ann.id });
    listed(
        &kit,
        "activity.list",
        Some(&eve.token),
        by.clone(),
        &[&follow, &format!("gomer:create/{}/post:{public}", ann.id)],
    )
    .await;
    let absent = kit
        .call("activity.get", None, json!({ "id": format!("gomer:create/{}/post:{}", ann.id, kit.uuid()) }))
        .await;
    let hidden = json!({ "id": format!("gomer:create/{}/post:{close}", ann.id) });
    assert_eq!(kit.call("activity.get", None, hidden).await.untraced(), absent.untraced());
    // Somebody else did not make it.
    let forged = json!({ "id": format!("gomer:create/{}/post:{public}", bob.id) });
    assert_eq!(kit.call("activity.get", None, forged).await.untraced(), absent.untraced());
    // Whom a private profile follows is for its followers.
    kit.call("profile.update", Some(&ann.token), json!({ "private": true })).await.expect(200);
    listed(&kit, "activity.list", Some(&eve.token), by.clone(), &[]).await;
    assert_eq!(
        kit.call("activity.get", Some(&eve.token), json!({ "id": follow })).await.untraced(),
        absent.untraced()
    );
    // Another app's people and posts are absent.
    let with = With { app: Some("two"), token: Some(&mallory.token), ..With::default() };
    for (method, body) in [
        ("activity.list", by),
        ("activity.listByObject", json!({ "objectType": "post", "id": public })),
        ("activity.listByObject", json!({ "objectType": "profile", "id": ann.id })),
        ("activity.get", json!({ "id": follow })),
    ] {
        assert_eq!(kit.call_with(method, with.clone(), body).await.untraced(), absent.untraced(), "{method}");
    }
}
