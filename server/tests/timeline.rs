//! `timeline`: what is shown to whom, both ways from a cursor, and read marks.

mod kit;

use kit::{Answer, Kit};
use serde_json::{Value, json};

fn ids(page: &Answer) -> Vec<String> {
    let items = page.json["items"].as_array().expect("a page has items");
    items.iter().map(|item| item["object"]["id"].as_str().expect("an id").to_owned()).collect()
}

#[tokio::test]
async fn home_shows_whom_i_follow_and_me_and_nobody_else() {
    let kit = Kit::start().await;
    let (ann, bob, eve) = (kit.person("ann").await, kit.person("bob").await, kit.person("eve").await);
    kit.follow(&bob, &ann).await;
    let public = kit.publish(&ann, "For all", "public").await;
    let close = kit.publish(&ann, "For followers", "followers").await;
    let mine = kit.publish(&ann, "For me", "onlyMe").await;
    kit.publish(&eve, "Of a stranger", "public").await;
    let own = kit.publish(&bob, "My own", "public").await;
    let three = |answer: &Answer| ids(answer).len() == 3;
    let home = kit.until("timeline.getHome", Some(&bob.token), json!({}), three).await;
    let mut shown = ids(&home);
    shown.sort();
    let mut expected = vec![public.clone(), close.clone(), own];
    expected.sort();
    assert_eq!(shown, expected);
    assert_eq!(home.json["unread"], 3);
    let item =
        &home.json["items"].as_array().unwrap().iter().find(|item| item["object"]["id"] == public).unwrap();
    assert_eq!(
        (&item["actor"], &item["verb"], &item["object"]["type"]),
        (&json!(ann.id), &json!("create"), &json!("post"))
    );
    assert_eq!(item["object"]["likes"]["count"], 0);
    let own = |answer: &Answer| ids(answer).len() == 3;
    kit.until("timeline.getHome", Some(&ann.token), json!({}), own).await;
    let all = |answer: &Answer| {
        ids(answer).len() == 3 && !ids(answer).contains(&close) && !ids(answer).contains(&mine)
    };
    kit.until("timeline.getApp", None, json!({}), all).await;
    kit.call("timeline.getHome", None, json!({})).await.problem(401, "unauthenticated");
    // Whom I mute, I am not shown unasked; whom I no longer follow, neither.
    kit.call("block.createMute", Some(&bob.token), json!({ "subject": { "profile": ann.id } }))
        .await
        .expect(200);
    assert_eq!(ids(&kit.call("timeline.getHome", Some(&bob.token), json!({})).await).len(), 1);
    kit.call("post.get", Some(&bob.token), json!({ "id": close })).await.expect(200);
    kit.call("block.deleteMute", Some(&bob.token), json!({ "subject": { "profile": ann.id } }))
        .await
        .expect(200);
    kit.call("follow.delete", Some(&bob.token), json!({ "id": ann.id })).await.expect(200);
    assert_eq!(ids(&kit.call("timeline.getHome", Some(&bob.token), json!({})).await).len(), 1);
}

/// All pages of a timeline from its newest entry down, and back up; each as ids, newest first.
async fn both_ways(kit: &Kit, method: &str, token: Option<&str>, body: &Value, total: usize) {
    let full = |answer: &Answer| ids(answer).len() == total;
    let all = ids(&kit.until(method, token, body.clone(), full).await);
    let fetch = async |name: Option<&str>, at: Option<String>| {
        let mut body = body.clone();
        body["limit"] = json!(2);
        if let (Some(name), Some(at)) = (name, at) {
            body[name] = json!(at);
        }
        kit.call(method, token, body).await.expect(200)
    };
    let mut page = fetch(None, None).await;
    let top = page.str("/after");
    let mut down = ids(&page);
    while page.json["end"] == false {
        page = fetch(Some("cursor"), Some(page.str("/cursor"))).await;
        down.extend(ids(&page));
    }
    assert_eq!(down, all, "{method} down");
    let mut up = ids(&page);
    loop {
        page = fetch(Some("after"), Some(page.str("/after"))).await;
        up.splice(0..0, ids(&page));
        if page.json["end"] == true {
            break;
        }
    }
    let mut sorted = (up.clone(), all.clone());
    sorted.0.sort();
    sorted.1.sort();
    assert_eq!(sorted.0, sorted.1, "{method} up");
    let newer = fetch(Some("after"), Some(top)).await;
    assert_eq!((ids(&newer).len(), &newer.json["end"]), (0, &json!(true)));
}

#[tokio::test]
async fn a_timeline_is_fetched_both_ways_without_loss() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    for number in 0..7 {
        kit.publish(&ann, &format!("Post {number}"), "public").await;
    }
    both_ways(&kit, "timeline.getHome", Some(&ann.token), &json!({}), 7).await;
    both_ways(&kit, "timeline.getApp", None, &json!({}), 7).await;
    both_ways(&kit, "timeline.getProfile", None, &json!({ "id": ann.id }), 7).await;
}

#[tokio::test]
async fn odd_cursors_are_refused() {
    let kit = Kit::start().await;
    let (ann, bob) = (kit.person("ann").await, kit.person("bob").await);
    let home = kit.call("timeline.getHome", Some(&ann.token), json!({})).await.expect(200);
    let cursor = home.str("/cursor");
    for (who, method, body) in [
        (&bob, "timeline.getHome", json!({ "cursor": cursor })),
        (&ann, "timeline.getApp", json!({ "cursor": cursor })),
        (&ann, "timeline.getHome", json!({ "before": "x" })),
        (&ann, "timeline.getProfile", json!({ "id": ann.id, "after": cursor })),
    ] {
        kit.call(method, Some(&who.token), body).await.problem(400, "cursor-invalid");
    }
    let two = json!({ "cursor": cursor, "after": cursor });
    kit.call("timeline.getHome", Some(&ann.token), two).await.problem(422, "invalid");
    kit.call("timeline.getProfile", None, json!({ "id": kit.uuid() })).await.problem(404, "not-found");
    kit.call("timeline.getHome", Some(&ann.token), json!({ "limit": 101 })).await.problem(422, "invalid");
}

#[tokio::test]
async fn a_mark_moves_forward_only_and_counts_what_is_left() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    for number in 0..3 {
        kit.publish(&ann, &format!("Post {number}"), "public").await;
        let arrived = |answer: &Answer| ids(answer).len() == number + 1;
        kit.until("timeline.getHome", Some(&ann.token), json!({}), arrived).await;
    }
    let home = kit.call("timeline.getHome", Some(&ann.token), json!({})).await.expect(200);
    let at = |place: usize| home.str(&format!("/items/{place}/id"));
    let unread = async || {
        let marks = kit.call("timeline.getMarkers", Some(&ann.token), json!({})).await.expect(200);
        marks.json["items"][0]["unread"].clone()
    };
    assert_eq!(unread().await, 3);
    let mark = |id: String| json!({ "timeline": "home", "id": id });
    let moved = kit.call("timeline.setMarker", Some(&ann.token), mark(at(1))).await.expect(200);
    assert_eq!(moved.json["order"], home.json["items"][1]["order"]);
    assert_eq!(unread().await, 1);
    // Back: it stays. Beyond everything: as far as there is.
    let back = kit.call("timeline.setMarker", Some(&ann.token), mark(at(2))).await.expect(200);
    assert_eq!(back.json["order"], moved.json["order"]);
    let far = json!({ "timeline": "home", "order": "99999999999999999999.00000".replace("99999999999999999999", "09999999999999999999") });
    let far = kit.call("timeline.setMarker", Some(&ann.token), far).await.expect(200);
    assert_eq!(far.json["order"], home.json["items"][0]["order"]);
    assert_eq!(unread().await, 0);
    kit.call("timeline.setMarker", Some(&ann.token), mark(kit.uuid())).await.problem(404, "not-found");
    for bad in [
        json!({ "timeline": "home" }),
        json!({ "timeline": "home", "order": "1.1" }),
        json!({ "timeline": "work", "id": at(0) }),
    ] {
        kit.call("timeline.setMarker", Some(&ann.token), bad).await.problem(422, "invalid");
    }
    kit.call("timeline.setMarker", None, mark(at(0))).await.problem(401, "unauthenticated");
}
