//! `tweet`: what each method does and each way in which it fails; how services are asked, and left alone when they say so.

mod kit;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gomer::methods::tweet::read::round;
use gomer::outside::{Answered, Ask};
use hyper::HeaderMap;
use hyper::header::HeaderName;
use kit::{Answer, Kit, With, admin_key};
use serde_json::{Value, json};

fn answer(
    ask: &Ask,
    status: u16,
    headers: &[(&'static str, &str)],
    body: impl Into<bytes::Bytes>,
) -> Answered {
    let headers = headers.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
    Answered { url: ask.url.clone(), status, headers: headers.collect::<HeaderMap>(), body: body.into() }
}

fn status(id: u32, text: &str) -> String {
    format!(
        r#"{{"id":"{id}","url":"https://social.example/@ann/{id}","content":"<p>{text}</p>","visibility":"public",
        "created_at":"2026-11-20T10:00:00.000Z","account":{{"acct":"ann","display_name":"Ann"}}}}"#
    )
}

fn count(answer: &Answer) -> usize {
    answer.json["items"].as_array().map_or(0, Vec::len)
}

async fn track(kit: &Kit, mut body: Value) -> String {
    let id = kit.uuid();
    body["id"] = json!(id);
    kit.call("tweet.createTrack", Some(&admin_key("one")), body).await.expect(200);
    let listed = |answer: &Answer| answer.text.contains(&id);
    kit.until("tweet.listTracks", None, json!({ "limit": 100 }), listed).await;
    id
}

async fn health(kit: &Kit, track: &str) -> Value {
    let listed = kit.call("tweet.listTracks", Some(&admin_key("one")), json!({})).await.expect(200);
    let items = listed.json["items"].as_array().unwrap();
    items.iter().find(|item| item["id"] == track).unwrap()["health"].clone()
}

#[tokio::test]
async fn an_account_is_looked_up_once_and_read_from_where_it_was_left() {
    let (kit, outside) = Kit::start_outside().await;
    let api = "https://social.example/api/v1/";
    outside.always(&format!("{api}accounts/lookup?acct=ann"), 200, r#"{"id":"7"}"#);
    outside.at(&format!("{api}accounts/7/statuses"), |ask| {
        let body = match ask.url.contains("&min_id=12") {
            false => format!("[{},{}]", status(12, "Second &amp; last"), status(9, "First")),
            true => format!("[{}]", status(100, "Third")),
        };
        Ok(answer(ask, 200, &[], body))
    });
    let body = json!({ "service": "mastodon", "server": "Social.Example", "account": "@ann" });
    let id = track(&kit, body).await;
    assert_eq!(round(&kit.host, 0).await.unwrap(), 1);
    let seen = |answer: &Answer| count(answer) == 2;
    let first = kit.until("tweet.list", None, json!({ "track": id }), seen).await;
    let mut golden = first.json["items"][0].clone();
    for differs in ["id", "rev", "foundAt"] {
        assert!(golden.as_object_mut().unwrap().remove(differs).is_some(), "{differs}");
    }
    let expected = json!({
        "track": id, "text": "Second & last", "link": "https://social.example/@ann/12", "handle": "ann@social.example",
        "name": "Ann", "publishedAt": "2026-11-20T10:00:00.000Z", "likes": { "count": 0, "kinds": {} }, "replies": 0,
    });
    assert_eq!(golden, expected);
    kit.skip(Duration::from_secs(3_600));
    assert_eq!(round(&kit.host, 1).await.unwrap(), 1);
    let seen = |answer: &Answer| count(answer) == 3;
    let all = kit.until("tweet.list", None, json!({}), seen).await;
    assert_eq!(all.str("/items/0/text"), "Third");
    let asked: Vec<String> = outside.asked().into_iter().map(|ask| ask.url).collect();
    assert_eq!(asked.iter().filter(|url| url.contains("lookup")).count(), 1, "{asked:?}");
    // People react here, and it is no post.
    let ann = kit.person("ann").await;
    let tweet = all.json["items"][0]["id"].clone();
    kit.call("like.put", Some(&ann.token), json!({ "id": tweet })).await.expect(200);
    let body = json!({ "id": kit.uuid(), "to": { "kind": "post", "id": tweet }, "text": "Well said" });
    kit.call("reply.create", Some(&ann.token), body).await.expect(200);
    let liked = |answer: &Answer| answer.json["likes"]["mine"] == "like" && answer.json["replies"] == 1;
    kit.until("tweet.get", Some(&ann.token), json!({ "id": tweet }), liked).await;
    kit.call("news.get", None, json!({ "id": tweet })).await.problem(404, "not-found");
    // Away, with all that was found.
    kit.call("tweet.deleteTrack", Some(&admin_key("one")), json!({ "id": id })).await.expect(200);
    kit.call("tweet.get", None, json!({ "id": tweet })).await.problem(404, "not-found");
    kit.call("tweet.list", None, json!({ "track": id })).await.problem(404, "not-found");
    kit.call("like.put", Some(&ann.token), json!({ "id": kit.uuid() })).await.problem(404, "not-found");
}

#[tokio::test]
async fn x_is_asked_with_a_token_and_not_without() {
    let (kit, outside) = Kit::start_outside().await;
    outside.at("https://api.x.com/2/tweets/search/recent", |ask| {
        assert_eq!(ask.headers["authorization"], "Bearer t0ken");
        let body = r#"{"data":[{"id":"21","text":"Hi","author_id":"1"}],"includes":{"users":[{"id":"1","username":"ann"}]},"meta":{}}"#;
        Ok(answer(ask, 200, &[], body))
    });
    let id = track(&kit, json!({ "service": "x", "tag": "Rust" })).await;
    round(&kit.host, 0).await.unwrap();
    let told = health(&kit, &id).await;
    assert!(told["problem"].as_str().unwrap().contains("token") && outside.asked().is_empty(), "{told}");
    kit.host.x_token.set("t0ken".to_owned()).unwrap();
    kit.skip(Duration::from_secs(4_000));
    round(&kit.host, 1).await.unwrap();
    let seen = |answer: &Answer| count(answer) == 1;
    let found = kit.until("tweet.list", None, json!({ "track": id }), seen).await;
    assert_eq!(found.str("/items/0/link"), "https://x.com/ann/status/21");
    assert!(outside.asked()[0].url.contains("query=%23rust%20-is%3Aretweet"), "{}", outside.asked()[0].url);
}

#[tokio::test]
async fn a_service_that_is_spent_is_left_alone_by_all_tracks() {
    let (kit, outside) = Kit::start_outside().await;
    let spent = Arc::new(AtomicBool::new(true));
    let flag = spent.clone();
    outside.at("https://social.example/api/v1/timelines/tag/", move |ask| {
        Ok(match flag.load(Ordering::SeqCst) {
            true => answer(ask, 429, &[("retry-after", "1800")], ""),
            false => answer(ask, 200, &[], format!("[{}]", status(1, "Hello"))),
        })
    });
    outside.always("https://other.example/api/v1/timelines/tag/", 200, "[]");
    let at = |server: &str, tag: &str| json!({ "service": "mastodon", "server": server, "tag": tag });
    let one = track(&kit, at("social.example", "one")).await;
    round(&kit.host, 0).await.unwrap();
    assert!(health(&kit, &one).await["problem"].as_str().unwrap().contains("429"));
    let two = track(&kit, at("social.example", "two")).await;
    let other = track(&kit, at("other.example", "two")).await;
    spent.store(false, Ordering::SeqCst);
    round(&kit.host, 1).await.unwrap();
    let asked = |part: &str| outside.asked().iter().filter(|ask| ask.url.contains(part)).count();
    assert_eq!((asked("social.example"), asked("other.example")), (1, 1));
    let told = health(&kit, &two).await;
    assert_eq!(
        (told["failures"].as_u64(), told.get("problem")),
        (Some(0), None),
        "it waits, and has not failed"
    );
    assert_eq!(health(&kit, &other).await["failures"], 0);
    kit.skip(Duration::from_secs(2_400));
    round(&kit.host, 2).await.unwrap();
    assert_eq!(asked("tag/two"), 3);
    assert_eq!(health(&kit, &one).await["failures"], 0);
}

#[tokio::test]
async fn what_is_wrong_with_a_call_is_told() {
    let (kit, outside) = Kit::start_outside().await;
    let (admin, ann) = (admin_key("one"), kit.person("ann").await);
    for method in ["tweet.createTrack", "tweet.deleteTrack"] {
        let body = json!({ "id": kit.uuid(), "service": "x", "tag": "a" });
        kit.call(method, None, body.clone()).await.problem(401, "unauthenticated");
        kit.call(method, Some(&ann.token), body).await.problem(403, "forbidden");
    }
    for (body, status, pointer) in [
        (json!({ "service": "x" }), 422, "/account"),
        (json!({ "service": "x", "tag": "a", "account": "b" }), 422, "/account"),
        (json!({ "service": "x", "tag": "a", "server": "social.example" }), 422, "/server"),
        (json!({ "service": "mastodon", "tag": "a" }), 422, "/server"),
        (json!({ "service": "mastodon", "tag": "a", "server": "localhost" }), 422, "/server"),
        (json!({ "service": "mastodon", "tag": "a", "server": "127.0.0.1" }), 422, "/server"),
        (json!({ "service": "mastodon", "tag": "a", "server": "social.example:8443" }), 422, "/server"),
        (json!({ "service": "mastodon", "tag": "a", "server": "social.example/x" }), 422, "/server"),
        (json!({ "service": "mastodon", "query": "a", "server": "social.example" }), 422, "/query"),
        (json!({ "service": "mastodon", "account": "a/b", "server": "social.example" }), 422, "/account"),
        (json!({ "service": "x", "account": "ann@social.example" }), 422, "/account"),
        (json!({ "service": "x", "tag": "two words" }), 422, "/tag"),
        (json!({ "service": "x", "query": "" }), 422, "/query"),
        (json!({ "service": "bluesky", "tag": "a" }), 422, "/service"),
        (json!({ "service": "x", "tag": "a", "token": "t" }), 400, "/token"),
    ] {
        let mut body = body;
        body["id"] = json!(kit.uuid());
        let refused = kit.call("tweet.createTrack", Some(&admin), body.clone()).await.expect(status);
        assert_eq!(refused.str("/errors/0/pointer"), pointer, "{body}");
    }
    let id = track(&kit, json!({ "service": "x", "tag": "a" })).await;
    let same = json!({ "id": id, "service": "x", "tag": "A" });
    kit.call("tweet.createTrack", Some(&admin), same).await.expect(200);
    let other = json!({ "id": id, "service": "x", "tag": "b" });
    kit.call("tweet.createTrack", Some(&admin), other).await.problem(409, "id-taken");
    kit.call("news.deleteFeed", Some(&admin), json!({ "id": id })).await.problem(404, "not-found");
    let theirs = admin_key("two");
    let with = With { app: Some("two"), token: Some(&theirs), ..With::default() };
    kit.call_with("tweet.deleteTrack", with, json!({ "id": id })).await.problem(404, "not-found");
    let stale = json!({ "id": id, "ifRev": "1.00000000" });
    kit.call("tweet.deleteTrack", Some(&admin), stale).await.problem(412, "stale-revision");
    for (method, body) in [
        ("tweet.get", json!({ "id": kit.uuid() })),
        ("tweet.list", json!({ "track": kit.uuid() })),
        ("tweet.deleteTrack", json!({ "id": kit.uuid() })),
    ] {
        kit.call(method, Some(&admin), body).await.problem(404, "not-found");
    }
    assert!(outside.asked().is_empty());
}
