//! `notification`: what is told, once and to whom it may be told; groups, marks, preferences.

mod kit;

use kit::{Answer, Kit, Person, With};
use serde_json::{Value, json};

async fn publish(kit: &Kit, author: &Person, text: &str, audience: &str) -> String {
    let id = kit.uuid();
    let body = json!({ "id": id, "text": text, "audience": audience });
    kit.call("post.create", Some(&author.token), body).await.expect(200);
    id
}

async fn like(kit: &Kit, who: &Person, post: &str) {
    kit.call("like.put", Some(&who.token), json!({ "id": post })).await.expect(200);
}

async fn list(kit: &Kit, who: &Person) -> Answer {
    kit.call("notification.list", Some(&who.token), json!({})).await.expect(200)
}

/// Kind and count of each group, newest first, once they are as wanted.
async fn told(kit: &Kit, who: &Person, wanted: &[(&str, u64)]) -> Answer {
    let is = |answer: &Answer| {
        let items = answer.json["items"].as_array().unwrap().iter();
        items
            .map(|item| (item["kind"].as_str().unwrap(), item["count"].as_u64().unwrap()))
            .eq(wanted.iter().copied())
    };
    kit.until("notification.list", Some(&who.token), json!({}), is).await
}

async fn unread(kit: &Kit, who: &Person) -> Value {
    kit.call("notification.getUnread", Some(&who.token), json!({})).await.expect(200).json["unread"].clone()
}

#[tokio::test]
async fn each_thing_is_told_once_and_taken_back_when_it_is_no_longer_so() {
    let kit = Kit::start().await;
    let (ann, bob, eve) = (kit.person("ann").await, kit.person("bob").await, kit.person("eve").await);
    let post = publish(&kit, &ann, "Hello", "public").await;
    like(&kit, &ann, &post).await;
    kit.call("follow.create", Some(&bob.token), json!({ "id": ann.id })).await.expect(200);
    told(&kit, &ann, &[("follow", 1)]).await;
    like(&kit, &bob, &post).await;
    told(&kit, &ann, &[("like", 1), ("follow", 1)]).await;
    like(&kit, &eve, &post).await;
    let list = told(&kit, &ann, &[("like", 2), ("follow", 1)]).await;
    assert_eq!(list.json["items"][0]["actors"], json!([eve.id, bob.id]));
    assert_eq!(list.str("/items/0/object"), format!("post:{post}"));
    // Another kind of reaction is no news; taking it back takes the notice back, and doing it again does not bring it.
    let wow = json!({ "id": post, "kind": "wow" });
    kit.call("like.put", Some(&bob.token), wow).await.expect(200);
    kit.call("like.delete", Some(&eve.token), json!({ "id": post })).await.expect(200);
    told(&kit, &ann, &[("like", 1), ("follow", 1)]).await;
    like(&kit, &eve, &post).await;
    kit.call("follow.delete", Some(&bob.token), json!({ "id": ann.id })).await.expect(200);
    told(&kit, &ann, &[("like", 1)]).await;
    // Replies, mentions, chats.
    let reply = json!({ "id": kit.uuid(), "to": { "kind": "post", "id": post }, "text": "Hi @eve" });
    kit.call("reply.create", Some(&bob.token), reply).await.expect(200);
    let list = told(&kit, &ann, &[("reply", 1), ("like", 1)]).await;
    assert_eq!(list.str("/items/0/target"), format!("post:{post}"));
    told(&kit, &eve, &[("mention", 1)]).await;
    publish(&kit, &bob, "Again @eve", "public").await;
    told(&kit, &eve, &[("mention", 1), ("mention", 1)]).await;
    let chat = json!({ "id": kit.uuid(), "title": "Choir", "members": [bob.id] });
    kit.call("chat.create", Some(&ann.token), chat).await.expect(200);
    told(&kit, &bob, &[("chatInvite", 1)]).await;
    // A private profile is asked, and answers.
    kit.call("profile.update", Some(&eve.token), json!({ "private": true })).await.expect(200);
    kit.call("follow.create", Some(&bob.token), json!({ "id": eve.id })).await.expect(200);
    told(&kit, &eve, &[("followRequest", 1), ("mention", 1), ("mention", 1)]).await;
    kit.call("follow.accept", Some(&eve.token), json!({ "id": bob.id })).await.expect(200);
    told(&kit, &bob, &[("followAccepted", 1), ("chatInvite", 1)]).await;
}

#[tokio::test]
async fn nothing_is_told_of_what_its_reader_may_not_see() {
    let kit = Kit::start().await;
    let (ann, bob, eve) = (kit.person("ann").await, kit.person("bob").await, kit.person("eve").await);
    // Mentioned where one does not see it: for followers, for the author alone, and deleted meanwhile.
    publish(&kit, &ann, "To my followers, not @bob", "followers").await;
    publish(&kit, &ann, "To myself, not @bob", "onlyMe").await;
    let gone = publish(&kit, &ann, "Hello @bob", "public").await;
    told(&kit, &bob, &[("mention", 1)]).await;
    assert_eq!(unread(&kit, &bob).await, 1);
    kit.call("post.delete", Some(&ann.token), json!({ "id": gone })).await.expect(200);
    assert_eq!(list(&kit, &bob).await.json["items"], json!([]));
    assert_eq!(unread(&kit, &bob).await, 0);
    let pulled = kit.call("sync.pull", Some(&bob.token), json!({})).await.expect(200);
    let told_of = |item: &&Value| item["type"] == "notification" && item["op"] == "put";
    assert_eq!(pulled.json["items"].as_array().unwrap().iter().filter(told_of).count(), 0, "{}", pulled.text);
    // Somebody whom a block hides.
    let post = publish(&kit, &bob, "Mine", "public").await;
    like(&kit, &eve, &post).await;
    told(&kit, &bob, &[("like", 1)]).await;
    kit.call("block.create", Some(&bob.token), json!({ "id": eve.id })).await.expect(200);
    assert_eq!(list(&kit, &bob).await.json["items"], json!([]));
    // A chat that one was put out of.
    let chat = kit.uuid();
    let body = json!({ "id": chat, "title": "Choir", "members": [bob.id] });
    kit.call("chat.create", Some(&ann.token), body).await.expect(200);
    told(&kit, &bob, &[("chatInvite", 1)]).await;
    let remove = json!({ "chat": chat, "profiles": [bob.id] });
    kit.call("chat.removeMembers", Some(&ann.token), remove).await.expect(200);
    assert_eq!(list(&kit, &bob).await.json["items"], json!([]));
}

#[tokio::test]
async fn a_block_takes_back_what_either_was_told_of_their_ties_on_every_device() {
    let kit = Kit::start().await;
    let (ann, bob) = (kit.person("ann").await, kit.person("bob").await);
    for (one, other) in [(&ann, &bob), (&bob, &ann)] {
        kit.call("follow.create", Some(&one.token), json!({ "id": other.id })).await.expect(200);
        told(&kit, other, &[("follow", 1)]).await;
    }
    let pull = |who: Person, cursor: Value| {
        let kit = &kit;
        async move { kit.call("sync.pull", Some(&who.token), json!({ "cursor": cursor })).await.expect(200) }
    };
    let notices = |answer: &Answer, op: &str| {
        let items = answer.json["items"].as_array().unwrap().iter();
        items.filter(|item| item["type"] == "notification" && item["op"] == op).count()
    };
    let mut places = Vec::new();
    for who in [&ann, &bob] {
        let before = pull(who.clone(), Value::Null).await;
        assert_eq!(notices(&before, "put"), 1, "{}", before.text);
        places.push(before.json["cursor"].clone());
    }
    kit.call("block.create", Some(&bob.token), json!({ "id": ann.id })).await.expect(200);
    // A phone that was away is told by its own log, without asking who blocks whom.
    for (who, place) in [&bob, &ann].into_iter().zip(places.into_iter().rev()) {
        told(&kit, who, &[]).await;
        let gone = kit
            .until("sync.pull", Some(&who.token), json!({ "cursor": place }), |answer| {
                notices(answer, "delete") == 1
            })
            .await;
        assert_eq!(notices(&gone, "put"), 0, "{}", gone.text);
    }
}

#[tokio::test]
async fn marks_hold_on_all_devices_and_move_forward_only() {
    let kit = Kit::start().await;
    let (ann, bob, eve) = (kit.person("ann").await, kit.person("bob").await, kit.person("eve").await);
    let (one, two) = (publish(&kit, &ann, "One", "public").await, publish(&kit, &ann, "Two", "public").await);
    like(&kit, &bob, &one).await;
    told(&kit, &ann, &[("like", 1)]).await;
    like(&kit, &eve, &one).await;
    told(&kit, &ann, &[("like", 2)]).await;
    like(&kit, &bob, &two).await;
    let all = told(&kit, &ann, &[("like", 1), ("like", 2)]).await;
    assert_eq!(unread(&kit, &ann).await, 3);
    // One group is read, then seen up to a place, then all.
    let group = json!({ "id": all.str("/items/1/id"), "group": true });
    let read = kit.call("notification.markRead", Some(&ann.token), group).await.expect(200);
    assert_eq!(read.json["ids"].as_array().unwrap().len(), 2);
    assert_eq!(unread(&kit, &ann).await, 1);
    let now = list(&kit, &ann).await;
    assert_eq!((&now.json["items"][0]["read"], &now.json["items"][1]["read"]), (&json!(false), &json!(true)));
    let (op, body) = (kit.uuid(), json!({}));
    let headers = [("idempotency-key", op.as_str())];
    let with = With { token: Some(&ann.token), headers: &headers, ..With::default() };
    let seen = kit.call_with("notification.markSeen", with.clone(), body.clone()).await.expect(200);
    assert_eq!(seen.str("/order"), all.str("/items/0/order"));
    assert_eq!(unread(&kit, &ann).await, 0);
    let replay = kit.call_with("notification.markSeen", with.clone(), body).await.expect(200);
    assert_eq!((replay.header("gomer-replayed"), &replay.text), (Some("true"), &seen.text));
    let other = json!({ "order": all.str("/items/1/order") });
    kit.call_with("notification.markSeen", with, other.clone()).await.problem(422, "key-reused");
    let back = kit.call("notification.markSeen", Some(&ann.token), other).await.expect(200);
    assert_eq!(back.json, seen.json, "never back");
    let far = json!({ "order": "18446744073709551615.00000" });
    let read = kit.call("notification.markRead", Some(&ann.token), far).await.expect(200);
    assert_eq!(read.str("/order"), all.str("/items/0/order"), "no further than to what there is");
    assert_eq!(list(&kit, &ann).await.json["items"][0]["read"], json!(true));
    // The phone hears of it all in its own root.
    let pulled = kit.call("sync.pull", Some(&ann.token), json!({})).await.expect(200);
    let marks = pulled.json["items"].as_array().unwrap().iter().filter(|item| item["op"] == "mark");
    let marks: Vec<&str> = marks.map(|item| item["id"].as_str().unwrap()).collect();
    assert!(marks.contains(&"notification") && marks.contains(&"notificationsRead"), "{marks:?}");
    // Dismissed is dismissed; what is not mine, or not there, is not marked.
    let dismiss = json!({ "id": all.str("/items/1/id"), "group": true });
    kit.call("notification.delete", Some(&ann.token), dismiss.clone()).await.expect(200);
    kit.call("notification.delete", Some(&ann.token), dismiss.clone()).await.expect(200);
    told(&kit, &ann, &[("like", 1)]).await;
    let foreign = json!({ "id": all.str("/items/0/id") });
    kit.call("notification.markRead", Some(&bob.token), foreign).await.problem(404, "not-found");
    kit.call("notification.markRead", Some(&ann.token), json!({})).await.problem(422, "invalid");
    let mallory = kit.person_in("two", "mallory").await;
    let with = With { app: Some("two"), token: Some(&mallory.token), ..With::default() };
    let foreign = json!({ "id": all.str("/items/0/id") });
    kit.call_with("notification.markRead", with.clone(), foreign).await.problem(404, "not-found");
    assert_eq!(kit.call_with("notification.list", with, json!({})).await.json["items"], json!([]));
    kit.call("notification.list", None, json!({})).await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn pages_show_each_group_once_with_all_of_its_day() {
    let kit = Kit::start().await;
    let (ann, bob, eve) = (kit.person("ann").await, kit.person("bob").await, kit.person("eve").await);
    let mut posts = Vec::new();
    for n in 0..4 {
        posts.push(publish(&kit, &ann, &format!("Post {n}"), "public").await);
    }
    // Bob's likes, then Eve's of the same posts: each group reaches from one end of the list to the other.
    for who in [&bob, &eve] {
        for (n, post) in posts.iter().enumerate() {
            like(&kit, who, post).await;
            let wanted = if who.id == bob.id { n + 1 } else { n + 5 };
            let all = |answer: &Answer| answer.json["unread"] == wanted;
            kit.until("notification.getUnread", Some(&ann.token), json!({}), all).await;
        }
    }
    let mut seen = Vec::new();
    let mut cursor = None;
    loop {
        let mut body = json!({ "limit": 1 });
        if let Some(cursor) = cursor {
            body["cursor"] = json!(cursor);
        }
        let page = kit.call("notification.list", Some(&ann.token), body).await.expect(200);
        for item in page.json["items"].as_array().unwrap() {
            assert_eq!(item["count"], 2, "{item}");
            seen.push(item["object"].as_str().unwrap().to_owned());
        }
        if page.json["end"] == json!(true) {
            break;
        }
        cursor = Some(page.str("/cursor"));
    }
    let wanted: Vec<String> = posts.iter().rev().map(|post| format!("post:{post}")).collect();
    assert_eq!(seen, wanted);
    let bad = json!({ "cursor": "AAAA" });
    kit.call("notification.list", Some(&ann.token), bad).await.problem(400, "cursor-invalid");
}

#[tokio::test]
async fn kinds_that_are_not_wanted_are_neither_shown_nor_counted() {
    let kit = Kit::start().await;
    let (ann, bob) = (kit.person("ann").await, kit.person("bob").await);
    let post = publish(&kit, &ann, "Hello", "public").await;
    like(&kit, &bob, &post).await;
    told(&kit, &ann, &[("like", 1)]).await;
    let before = kit.call("notification.getPreferences", Some(&ann.token), json!({})).await.expect(200);
    assert_eq!((&before.json["kinds"]["like"]["inApp"], &before.json["rev"]), (&json!(true), &Value::Null));
    let off = json!({ "kinds": { "like": { "inApp": false } } });
    let set = kit.call("notification.setPreferences", Some(&ann.token), off.clone()).await.expect(200);
    assert_eq!(set.json["kinds"]["follow"]["inApp"], json!(true));
    assert_eq!(
        (list(&kit, &ann).await.json["items"].clone(), unread(&kit, &ann).await),
        (json!([]), json!(0))
    );
    let after = kit.call("notification.getPreferences", Some(&ann.token), json!({})).await.expect(200);
    assert_eq!(after.json, set.json);
    // Said again it changes nothing; from an older revision it is refused; a kind that there is not is none.
    assert_eq!(kit.call("notification.setPreferences", Some(&ann.token), off).await.json, set.json);
    let on = json!({ "kinds": { "like": { "inApp": true } }, "ifRev": "1.00000000" });
    kit.call("notification.setPreferences", Some(&ann.token), on).await.problem(412, "stale-revision");
    let odd = json!({ "kinds": { "wink": { "inApp": true } } });
    kit.call("notification.setPreferences", Some(&ann.token), odd).await.expect(422);
    let on = json!({ "kinds": { "like": { "inApp": true } }, "ifRev": set.str("/rev") });
    kit.call("notification.setPreferences", Some(&ann.token), on).await.expect(200);
    told(&kit, &ann, &[("like", 1)]).await;
}
