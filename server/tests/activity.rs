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
    let create = format!("gomer:create/{}/post:{public}", ann.id);
    let by = json!({ "actor": ann.id });
    // A post comes to its author's list by a step: who follows at once may be listed before it.
    listed(&kit, "activity.list", Some(&eve.token), by.clone(), &[&create]).await;
    kit.call("follow.create", Some(&ann.token), json!({ "id": bob.id })).await.expect(200);
    let follow = format!("gomer:follow/{}/profile:{}", ann.id, bob.id);
    listed(&kit, "activity.list", Some(&eve.token), by.clone(), &[&follow, &create]).await;
    let absent = kit
        .call("activity.get", None, json!({ "id": format!("gomer:create/{}/post:{}", ann.id, kit.uuid()) }))
        .await;
    let hidden = json!({ "id": format!("gomer:create/{}/post:{close}", ann.id) });
    assert_eq!(kit.call("activity.get", None, hidden).await.untraced(), absent.untraced());
    // Somebody else did not make it.
    let forged = json!({ "id": format!("gomer:create/{}/post:{public}", bob.id) });
    assert_eq!(kit.call("activity.get", None, forged).await.untraced(), absent.untraced());
    // A block hides object and actor of a follow from the moment it is made, whoever of the two made it.
    for (one, other) in [(&eve, &bob), (&bob, &eve), (&ann, &eve)] {
        kit.call("block.create", Some(&one.token), json!({ "id": other.id })).await.expect(200);
        let seen = kit.call("activity.list", Some(&eve.token), by.clone()).await;
        if one.id == ann.id {
            assert_eq!(seen.untraced(), absent.untraced());
        } else {
            assert_eq!(ids(&seen.expect(200)), [create.as_str()], "{} blocks", one.handle);
        }
        let one_by_one = kit.call("activity.get", Some(&eve.token), json!({ "id": follow })).await;
        assert_eq!(one_by_one.untraced(), absent.untraced());
        kit.call("block.delete", Some(&one.token), json!({ "id": other.id })).await.expect(200);
        listed(&kit, "activity.list", Some(&eve.token), by.clone(), &[&follow, &create]).await;
    }
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
        ("activity.list", json!({ "targetType": "post", "targetId": public })),
        ("activity.listByObject", json!({ "objectType": "profile", "id": ann.id })),
        ("activity.listGrouped", json!({ "objectType": "post", "id": public })),
        ("activity.get", json!({ "id": follow })),
    ] {
        assert_eq!(kit.call_with(method, with.clone(), body).await.untraced(), absent.untraced(), "{method}");
    }
}

async fn reply(kit: &Kit, author: &Person, kind: &str, to: &str) -> String {
    let id = kit.uuid();
    let body = json!({ "id": id, "to": { "kind": kind, "id": to }, "text": "Yes" });
    kit.call("reply.create", Some(&author.token), body).await.expect(200);
    id
}

#[tokio::test]
async fn activities_are_listed_by_target() {
    let kit = Kit::start().await;
    let (ann, bob, eve) = (kit.person("ann").await, kit.person("bob").await, kit.person("eve").await);
    let post = publish(&kit, &ann, "public").await;
    let first = reply(&kit, &bob, "post", &post).await;
    let one = format!("gomer:create/{}/reply:{first}", bob.id);
    let to_post = json!({ "targetType": "post", "targetId": post });
    let seen = listed(&kit, "activity.list", None, to_post.clone(), &[&one]).await;
    assert_eq!(seen.json["items"][0]["target"], format!("gomer:post:{post}"));
    let second = reply(&kit, &eve, "reply", &first).await;
    let two = format!("gomer:create/{}/reply:{second}", eve.id);
    let to_reply = json!({ "targetType": "reply", "targetId": first });
    listed(&kit, "activity.list", None, to_reply.clone(), &[&two]).await;
    let of = json!({ "objectType": "reply", "id": first });
    listed(&kit, "activity.listByObject", None, of, &[&two]).await;
    // By actor and target, and by what no such activity is.
    for (filter, wanted) in [
        (json!({ "actor": bob.id }), vec![one.as_str()]),
        (json!({ "actor": eve.id }), vec![]),
        (json!({ "verb": "create", "objectType": "reply" }), vec![&one]),
        (json!({ "verb": "like" }), vec![]),
    ] {
        let mut body = to_post.clone();
        body.as_object_mut().unwrap().extend(filter.as_object().unwrap().clone());
        assert_eq!(ids(&kit.call("activity.list", None, body).await.expect(200)), wanted, "{filter}");
    }
    let nothing = json!({ "targetType": "profile", "targetId": ann.id });
    assert_eq!(ids(&kit.call("activity.list", None, nothing).await.expect(200)), Vec::<&str>::new());
    // What its target hides from somebody did not happen for them.
    let carl = kit.person("carl").await;
    kit.call("block.create", Some(&bob.token), json!({ "id": carl.id })).await.expect(200);
    let hidden = kit.call("activity.get", Some(&carl.token), json!({ "id": two })).await;
    hidden.problem(404, "not-found");
    kit.call("activity.list", Some(&carl.token), to_reply).await.problem(404, "not-found");
    assert_eq!(
        ids(&kit.call("activity.list", Some(&carl.token), to_post).await.expect(200)),
        Vec::<&str>::new()
    );
    for (body, pointer) in [
        (json!({}), "/actor"),
        (json!({ "targetType": "post" }), "/targetId"),
        (json!({ "actor": ann.id, "targetId": post }), "/targetType"),
    ] {
        let refused = kit.call("activity.list", None, body).await.problem(422, "invalid");
        assert_eq!(refused.str("/errors/0/pointer"), pointer);
    }
    let absent = json!({ "targetType": "post", "targetId": kit.uuid() });
    kit.call("activity.list", None, absent).await.problem(404, "not-found");
}

#[tokio::test]
async fn what_happened_to_a_thing_is_grouped_by_verb_and_day() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    let post = publish(&kit, &ann, "public").await;
    let of = json!({ "objectType": "post", "id": post });
    let mut likers = Vec::new();
    for handle in ["bob", "carl", "dora", "eve", "fred"] {
        let liker = kit.person(handle).await;
        kit.call("like.put", Some(&liker.token), json!({ "id": post })).await.expect(200);
        likers.push(liker);
    }
    reply(&kit, &likers[0], "post", &post).await;
    reply(&kit, &likers[0], "post", &post).await;
    let wanted = |answer: &Answer| {
        let items = answer.json["items"].as_array().unwrap();
        let mut groups: Vec<(&str, u64)> =
            items.iter().map(|it| (it["verb"].as_str().unwrap(), it["count"].as_u64().unwrap())).collect();
        groups.sort_unstable();
        groups == [("create", 1), ("like", 5)]
    };
    let answer = kit.until("activity.listGrouped", Some(&ann.token), of.clone(), wanted).await;
    let items = answer.json["items"].as_array().unwrap();
    let likes = items.iter().find(|it| it["verb"] == "like").unwrap();
    assert_eq!(likes["actors"].as_array().unwrap().len(), 3);
    assert_eq!(likes["object"], format!("gomer:post:{post}"));
    kit.call("activity.get", Some(&ann.token), json!({ "id": likes["latest"] })).await.expect(200);
    assert_eq!(answer.json["end"], json!(true));
    // In pages of one: the same groups, each once, also when somebody does more of it in between.
    let mut body = json!({ "objectType": "post", "id": post, "limit": 1 });
    let page = kit.call("activity.listGrouped", Some(&ann.token), body.clone()).await.expect(200);
    assert_eq!((&page.json["items"][0]["verb"], &page.json["end"]), (&items[0]["verb"], &json!(false)));
    let late = kit.person("gus").await;
    kit.call("like.put", Some(&late.token), json!({ "id": post })).await.expect(200);
    body["cursor"] = json!(page.str("/cursor"));
    let rest = kit.call("activity.listGrouped", Some(&ann.token), body.clone()).await.expect(200);
    assert_eq!(rest.json["items"], json!([items[1]]));
    assert_eq!(rest.json["end"], json!(true));
    body["verb"] = json!("like");
    kit.call("activity.listGrouped", Some(&ann.token), body).await.problem(400, "cursor-invalid");
    // Who is hidden from somebody is not counted for them.
    kit.call("block.create", Some(&likers[4].token), json!({ "id": likers[1].id })).await.expect(200);
    let only = json!({ "objectType": "post", "id": post, "verb": "like" });
    let fewer = |answer: &Answer| answer.json["items"][0]["count"] == json!(5);
    kit.until("activity.listGrouped", Some(&likers[1].token), only, fewer).await;
    // For who is signed in.
    kit.call("activity.listGrouped", None, of).await.problem(401, "unauthenticated");
    let absent = json!({ "objectType": "post", "id": kit.uuid() });
    kit.call("activity.listGrouped", Some(&ann.token), absent).await.problem(404, "not-found");
}
