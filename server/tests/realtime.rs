//! `realtime`: what is streamed, resumed, refused and ended.

mod kit;

use std::time::Duration;

use gomer_net::http::LiveBody;
use kit::{Answer, Kit, Person, client_key};
use serde_json::{Value, json};

/// An event as a client sees it.
#[derive(Debug)]
struct Event {
    name: String,
    id: Option<String>,
    data: Value,
}

/// The next event; heartbeats are passed over. `None`: the stream has ended.
async fn next(stream: &mut LiveBody) -> Option<Event> {
    let within = Duration::from_secs(20);
    loop {
        let bytes = tokio::time::timeout(within, stream.next()).await.expect("something comes")?;
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
        if let Some(name) = field("event: ") {
            let data = field("data: ").unwrap_or_default();
            return Some(Event { name, id: field("id: "), data: serde_json::from_str(&data).unwrap() });
        }
    }
}

async fn open(kit: &Kit, who: &Person, address: &str, resume: Option<&str>) -> Result<LiveBody, Answer> {
    let (key, bearer) = (client_key("one"), format!("Bearer {}", who.token));
    let mut headers = vec![("gomer-key", key.as_str()), ("authorization", bearer.as_str())];
    headers.extend(resume.map(|cursor| ("last-event-id", cursor)));
    kit.open(address, &headers).await
}

async fn publish(kit: &Kit, author: &Person, text: &str) -> String {
    let id = kit.uuid();
    kit.call("post.create", Some(&author.token), json!({ "id": id, "text": text })).await.expect(200);
    id
}

/// Reads events until one is about this id; gives the last cursor seen.
async fn until(stream: &mut LiveBody, id: &str, mut cursor: Option<String>) -> Option<String> {
    loop {
        let event = next(stream).await.expect("the stream goes on");
        cursor = event.id.or(cursor);
        if event.data["id"] == id && cursor.is_some() {
            return cursor;
        }
    }
}

#[tokio::test]
async fn changes_come_as_they_happen_and_a_broken_stream_is_resumed() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    let mut stream = open(&kit, &ann, "realtime.subscribe", None).await.unwrap();
    let ready = next(&mut stream).await.unwrap();
    assert_eq!((ready.name.as_str(), ready.id.is_some()), ("ready", true), "nothing of what was before");
    let first = publish(&kit, &ann, "One").await;
    let cursor = until(&mut stream, &first, None).await.unwrap();
    drop(stream);
    let second = publish(&kit, &ann, "Two").await;
    kit.until("timeline.getHome", Some(&ann.token), json!({}), |answer| answer.text.contains(&second)).await;
    let mut stream = open(&kit, &ann, "realtime.subscribe", Some(&cursor)).await.unwrap();
    let mut seen = Vec::new();
    loop {
        let event = next(&mut stream).await.unwrap();
        if event.name == "ready" {
            break;
        }
        seen.push(event.data["id"].clone());
    }
    assert!(seen.contains(&json!(second)), "{seen:?}");
    // What the stream says is what a pull from the same cursor says.
    let pulled = kit.call("sync.pull", Some(&ann.token), json!({ "cursor": cursor })).await.expect(200);
    let pulled: Vec<Value> =
        pulled.json["items"].as_array().unwrap().iter().map(|item| item["id"].clone()).collect();
    assert_eq!(seen, pulled);
}

#[tokio::test]
async fn roots_that_are_open_are_streamed_too() {
    let kit = Kit::start().await;
    let (ann, bob) = (kit.person("ann").await, kit.person("bob").await);
    let post = publish(&kit, &ann, "Watch me").await;
    let mut stream = open(&kit, &bob, &format!("realtime.subscribe?roots=post:{post}"), None).await.unwrap();
    let mut names = Vec::new();
    loop {
        let event = next(&mut stream).await.unwrap();
        if event.name == "ready" {
            break;
        }
        names.push(event.data["op"].as_str().unwrap().to_owned());
    }
    assert_eq!(names[0], "scopeAdded");
    kit.call("post.update", Some(&ann.token), json!({ "id": post, "text": "Watched" })).await.expect(200);
    let event = next(&mut stream).await.unwrap();
    assert_eq!((event.name.as_str(), &event.data["value"]["text"]), ("change", &json!("Watched")));
    kit.call("post.delete", Some(&ann.token), json!({ "id": post })).await.expect(200);
    let event = next(&mut stream).await.unwrap();
    assert_eq!(
        (&event.data["op"], &event.data["root"]),
        (&json!("scopeDropped"), &json!(format!("post:{post}")))
    );
}

#[tokio::test]
async fn a_stream_ends_with_its_session() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    let mut stream = open(&kit, &ann, "realtime.subscribe", None).await.unwrap();
    next(&mut stream).await.unwrap();
    kit.call("auth.deleteSession", Some(&ann.token), json!({})).await.expect(200);
    while next(&mut stream).await.is_some() {}
    assert_eq!(kit.host.cluster.watching(), 0, "nobody waits any more");
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_nothing_behind() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    let mut stream = open(&kit, &ann, "realtime.subscribe", None).await.unwrap();
    next(&mut stream).await.unwrap();
    assert!(kit.host.cluster.watching() > 0);
    drop(stream);
    for _ in 0..100 {
        if kit.host.cluster.watching() == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the connection's watch stayed");
}

#[tokio::test]
async fn a_token_in_the_address_is_good_once_and_for_a_minute() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    let token =
        async || kit.call("realtime.getToken", Some(&ann.token), json!({})).await.expect(200).str("/token");
    let first = token().await;
    let address = format!("realtime.subscribe?token={first}");
    let mut stream = kit.open(&address, &[]).await.unwrap();
    let post = publish(&kit, &ann, "By token").await;
    until(&mut stream, &post, None).await;
    kit.open(&address, &[]).await.unwrap_err().problem(401, "unauthenticated");
    let late = token().await;
    kit.skip(Duration::from_secs(61));
    kit.open(&format!("realtime.subscribe?token={late}"), &[])
        .await
        .unwrap_err()
        .problem(401, "unauthenticated");
    // For nothing else, and nothing else for it.
    let spare = token().await;
    kit.open(&format!("timeline.getHome?token={spare}"), &[])
        .await
        .unwrap_err()
        .problem(401, "unauthenticated");
    let cursor = kit.call("sync.getStatus", Some(&ann.token), json!({})).await.str("/cursor");
    for bad in ["x", "", &cursor] {
        kit.open(&format!("realtime.subscribe?token={bad}"), &[])
            .await
            .unwrap_err()
            .problem(401, "unauthenticated");
    }
    kit.call("realtime.getToken", None, json!({})).await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn who_is_not_signed_in_or_shows_another_cursor_is_refused() {
    let kit = Kit::start().await;
    let (ann, bob) = (kit.person("ann").await, kit.person("bob").await);
    let key = client_key("one");
    kit.open("realtime.subscribe", &[("gomer-key", &key)]).await.unwrap_err().problem(401, "unauthenticated");
    let cursor = kit.call("sync.pull", Some(&bob.token), json!({})).await.str("/cursor");
    let refused = open(&kit, &ann, "realtime.subscribe", Some(&cursor)).await.unwrap_err();
    refused.problem(400, "cursor-invalid");
    let refused = open(&kit, &ann, "realtime.subscribe?cursor=x", None).await.unwrap_err();
    refused.problem(400, "cursor-invalid");
    let refused = open(&kit, &ann, "realtime.subscribe?roots=x", None).await.unwrap_err();
    refused.problem(422, "invalid");
}
