//! `news`: what each method does, each way in which it fails; how feeds are read, and what hostile ones cost.

mod kit;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use gomer::methods::news::read::round;
use gomer::outside::{Answered, Ask, Unanswered};
use hyper::HeaderMap;
use hyper::header::HeaderName;
use kit::{Answer, Kit, With, admin_key, server_key};
use serde_json::{Value, json};

const URL: &str = "https://news.example/feed";

fn rss(items: &[(&str, &str)]) -> String {
    let item = |(key, title): &(&str, &str)| {
        format!(
            "<item><guid>{key}</guid><title>{title}</title><link>https://news.example/{key}</link>\
             <description>About {title}</description></item>"
        )
    };
    let items: String = items.iter().map(item).collect();
    format!("<rss><channel><title>The News</title><link>https://news.example/</link>{items}</channel></rss>")
}

fn answer(
    ask: &Ask,
    status: u16,
    headers: &[(&'static str, &str)],
    body: impl Into<bytes::Bytes>,
) -> Answered {
    let headers = headers.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
    Answered { url: ask.url.clone(), status, headers: headers.collect::<HeaderMap>(), body: body.into() }
}

async fn add(kit: &Kit, url: &str) -> String {
    let id = kit.uuid();
    let body = json!({ "id": id, "url": url });
    kit.call("news.createFeed", Some(&admin_key("one")), body).await.expect(200);
    // The list of feeds follows by a step.
    let listed = |answer: &Answer| answer.text.contains(&id);
    kit.until("news.listFeeds", None, json!({ "limit": 100 }), listed).await;
    id
}

/// Reads what is due, and waits until its items are seen.
async fn read(kit: &Kit, feed: &str, items: usize) -> Answer {
    round(&kit.host, 0).await.unwrap();
    let seen = |answer: &Answer| count(answer) == items;
    kit.until("news.list", None, json!({ "feed": feed }), seen).await
}

fn count(answer: &Answer) -> usize {
    answer.json["items"].as_array().map_or(0, Vec::len)
}

fn titles(answer: &Answer) -> Vec<String> {
    let items = answer.json["items"].as_array().cloned().unwrap_or_default();
    items.iter().map(|item| item["title"].as_str().unwrap().to_owned()).collect()
}

async fn health(kit: &Kit, feed: &str) -> Value {
    let listed =
        kit.call("news.listFeeds", Some(&admin_key("one")), json!({ "limit": 100 })).await.expect(200);
    let items = listed.json["items"].as_array().unwrap();
    items.iter().find(|item| item["id"] == feed).unwrap()["health"].clone()
}

#[tokio::test]
async fn a_feed_is_made_once_listed_read_and_deleted() {
    let (kit, outside) = Kit::start_outside().await;
    let admin = admin_key("one");
    outside.always(URL, 200, rss(&[("2", "Two"), ("1", "One")]));
    let id = kit.uuid();
    let body = json!({ "id": id, "url": "HTTPS://News.example:443/feed", "title": "Ours" });
    let first = kit.call("news.createFeed", Some(&admin), body.clone()).await.expect(200);
    assert_eq!((first.str("/url"), first.str("/title")), (URL.to_owned(), "Ours".to_owned()));
    let again = kit.call("news.createFeed", Some(&admin), body).await.expect(200);
    assert_eq!(again.json, first.json);
    let other = json!({ "id": id, "url": "https://news.example/other" });
    kit.call("news.createFeed", Some(&admin), other).await.problem(409, "id-taken");
    let listed = |answer: &Answer| count(answer) == 1;
    let anonymous = kit.until("news.listFeeds", None, json!({}), listed).await;
    assert!(anonymous.json["items"][0].get("health").is_none(), "how reading goes is for administrators");
    let news = read(&kit, &id, 2).await;
    assert_eq!(titles(&news), ["Two", "One"]);
    let all = kit.until("news.list", None, json!({}), |answer| count(answer) == 2).await;
    assert_eq!(all.json["items"], news.json["items"]);
    let item = news.json["items"][0].clone();
    let got = kit.call("news.get", None, json!({ "id": item["id"] })).await.expect(200);
    assert_eq!(got.json, item);
    // The golden example: everything in an item, but for what differs from run to run.
    let mut golden = item.clone();
    for differs in ["id", "rev", "publishedAt", "foundAt"] {
        assert!(golden.as_object_mut().unwrap().remove(differs).is_some(), "{differs}");
    }
    let expected = json!({
        "feed": id, "title": "Two", "link": "https://news.example/2", "summary": "About Two",
        "likes": { "count": 0, "kinds": {} }, "replies": 0,
    });
    assert_eq!(golden, expected);
    let page = kit.call("news.list", None, json!({ "feed": id, "limit": 1 })).await.expect(200);
    let rest = json!({ "feed": id, "limit": 1, "cursor": page.str("/cursor") });
    assert_eq!(titles(&kit.call("news.list", None, rest).await.expect(200)), ["One"]);
    let foreign = json!({ "limit": 1, "cursor": page.str("/cursor") });
    kit.call("news.list", None, foreign).await.problem(400, "cursor-invalid");
    // Gone, with its items, at once for whoever reads and then from the rows.
    let stale = json!({ "id": id, "ifRev": "1.00000000" });
    kit.call("news.deleteFeed", Some(&admin), stale).await.problem(412, "stale-revision");
    kit.call("news.deleteFeed", Some(&admin), json!({ "id": id })).await.expect(200);
    kit.call("news.deleteFeed", Some(&admin), json!({ "id": id })).await.expect(200);
    kit.call("news.list", None, json!({ "feed": id })).await.problem(404, "not-found");
    kit.call("news.get", None, json!({ "id": item["id"] })).await.problem(404, "not-found");
    let all = kit.call("news.list", None, json!({})).await.expect(200);
    assert_eq!(count(&all), 0);
    let back = json!({ "id": id, "url": URL });
    kit.call("news.createFeed", Some(&admin), back).await.problem(409, "id-taken");
    kit.until("news.listFeeds", None, json!({}), |answer| count(answer) == 0).await;
    for number in 0..6 {
        round(&kit.host, number).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(outside.asked().len(), 1, "what is deleted is read no more");
}

#[tokio::test]
async fn what_is_wrong_with_a_call_is_told() {
    let (kit, _) = Kit::start_outside().await;
    let (admin, ann) = (admin_key("one"), kit.person("ann").await);
    for method in ["news.createFeed", "news.deleteFeed"] {
        let body = json!({ "id": kit.uuid(), "url": URL });
        kit.call(method, None, body.clone()).await.problem(401, "unauthenticated");
        kit.call(method, Some(&ann.token), body).await.problem(403, "forbidden");
    }
    for url in [
        "",
        "news.example",
        "ftp://news.example/",
        "file:///etc/passwd",
        "https://me@news.example/",
        "http://",
        "https:// x/",
        "https://news.example\\@x/",
        "javascript:alert(1)",
        "https://news.example:0/",
        &format!("https://x.example/{}", "a".repeat(3_000)),
    ] {
        let refused =
            kit.call("news.createFeed", Some(&admin), json!({ "id": kit.uuid(), "url": url })).await;
        assert_eq!(refused.problem(422, "invalid").str("/errors/0/pointer"), "/url", "{url}");
    }
    for (body, status, pointer) in [
        (json!({ "id": "x", "url": URL }), 422, "/id"),
        (json!({ "id": kit.uuid(), "url": URL, "title": "" }), 422, "/title"),
        (json!({ "id": kit.uuid(), "url": URL, "every": 1 }), 400, "/every"),
        (json!({ "id": kit.uuid() }), 422, "/url"),
    ] {
        let refused = kit.call("news.createFeed", Some(&admin), body).await.expect(status);
        assert_eq!(refused.str("/errors/0/pointer"), pointer);
    }
    for (method, body) in [
        ("news.deleteFeed", json!({ "id": kit.uuid() })),
        ("news.list", json!({ "feed": kit.uuid() })),
        ("news.get", json!({ "id": kit.uuid() })),
    ] {
        kit.call(method, Some(&admin), body).await.problem(404, "not-found");
    }
    // A profile, a post: other things than feeds and items.
    let post = kit.publish(&ann, "Hello", "public").await;
    kit.call("news.get", None, json!({ "id": post })).await.problem(404, "not-found");
    kit.call("news.list", None, json!({ "feed": ann.id })).await.problem(404, "not-found");
    kit.call("news.deleteFeed", Some(&admin), json!({ "id": post })).await.problem(404, "not-found");
}

#[tokio::test]
async fn feeds_and_items_of_one_app_are_nothing_in_another() {
    let (kit, outside) = Kit::start_outside().await;
    outside.always(URL, 200, rss(&[("1", "One")]));
    let feed = add(&kit, URL).await;
    let news = read(&kit, &feed, 1).await;
    let item = news.json["items"][0]["id"].clone();
    let theirs = admin_key("two");
    let with = || With { app: Some("two"), token: Some(&theirs), ..With::default() };
    for (method, body) in [
        ("news.get", json!({ "id": item })),
        ("news.list", json!({ "feed": feed })),
        ("news.deleteFeed", json!({ "id": feed })),
        ("like.list", json!({ "id": item })),
    ] {
        kit.call_with(method, with(), body).await.problem(404, "not-found");
    }
    for method in ["news.listFeeds", "news.list"] {
        assert_eq!(count(&kit.call_with(method, with(), json!({})).await.expect(200)), 0);
    }
    // The same id is free there.
    let body = json!({ "id": feed, "url": URL });
    kit.call_with("news.createFeed", with(), body).await.expect(200);
}

#[tokio::test]
async fn an_operation_id_brings_the_first_reply_again() {
    let (kit, _) = Kit::start_outside().await;
    let (admin, id) = (server_key("one"), kit.uuid());
    for (method, body, other) in [
        (
            "news.createFeed",
            json!({ "id": id, "url": URL }),
            json!({ "id": id, "url": "https://other.example/" }),
        ),
        ("news.deleteFeed", json!({ "id": id }), json!({ "id": id, "ifRev": "1.00000000" })),
    ] {
        let op = kit.uuid();
        let headers = [("idempotency-key", op.as_str())];
        let with = || With { token: Some(&admin), headers: &headers, ..With::default() };
        let first = kit.call_with(method, with(), body.clone()).await.expect(200);
        let again = kit.call_with(method, with(), body).await.expect(200);
        assert_eq!(
            (again.text.as_str(), again.header("gomer-replayed")),
            (first.text.as_str(), Some("true"))
        );
        kit.call_with(method, with(), other).await.problem(422, "key-reused");
    }
}

#[tokio::test]
async fn a_feed_is_read_again_with_what_the_server_said_of_its_last_answer() {
    let (kit, outside) = Kit::start_outside().await;
    let asked = Arc::new(AtomicUsize::new(0));
    let number = asked.clone();
    outside.at(URL, move |ask| {
        let header = |name: &str| ask.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        let validators = [("etag", "\"v1\""), ("last-modified", "Thu, 26 Nov 2026 10:00:00 GMT")];
        Ok(match number.fetch_add(1, Ordering::SeqCst) {
            0 => {
                assert_eq!((header("if-none-match"), header("if-modified-since")), (None, None));
                answer(ask, 200, &validators, rss(&[("1", "One")]))
            }
            1 => {
                assert_eq!(header("if-none-match").as_deref(), Some("\"v1\""));
                assert_eq!(header("if-modified-since").as_deref(), Some("Thu, 26 Nov 2026 10:00:00 GMT"));
                answer(ask, 304, &[], "")
            }
            // One is changed, one is new, one came twice.
            _ => answer(ask, 200, &[], rss(&[("3", "Three"), ("3", "Three"), ("1", "One, corrected")])),
        })
    });
    let feed = add(&kit, URL).await;
    let first = read(&kit, &feed, 1).await;
    // Not due yet.
    assert_eq!(round(&kit.host, 1).await.unwrap(), 0);
    kit.skip(Duration::from_secs(1_000));
    assert_eq!(round(&kit.host, 2).await.unwrap(), 1);
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    kit.skip(Duration::from_secs(1_500));
    read(&kit, &feed, 2).await;
    let corrected = |answer: &Answer| titles(answer) == ["Three", "One, corrected"];
    let last = kit.until("news.list", None, json!({ "feed": feed }), corrected).await;
    assert_eq!(last.json["items"][1]["id"], first.json["items"][0]["id"], "it is the same item");
    let told = health(&kit, &feed).await;
    assert_eq!((told["failures"].as_u64(), told.get("problem")), (Some(0), None));
    let listed = kit.call("news.listFeeds", None, json!({})).await.expect(200);
    assert_eq!(listed.json["items"][0]["title"], "The News");
    assert_eq!(listed.json["items"][0]["site"], "https://news.example/");
}

#[tokio::test]
async fn a_feed_that_fails_is_left_alone_and_says_why() {
    let (kit, outside) = Kit::start_outside().await;
    type Failing = fn(&Ask) -> Result<Answered, Unanswered>;
    let cases: [(&str, Failing, u64, &str); 9] = [
        ("down", |_| Err(Unanswered::Unreachable("nobody is there".into())), 600, "cannot be reached"),
        ("inside", |_| Err(Unanswered::Forbidden("it is not a public address")), 600, "not allowed"),
        ("large", |_| Err(Unanswered::TooLarge), 600, "too large"),
        ("slow", |_| Err(Unanswered::TimedOut), 600, "in time"),
        ("error", |ask| Ok(answer(ask, 500, &[], "")), 600, "answers 500"),
        ("page", |ask| Ok(answer(ask, 200, &[], "<html>Hello</html>")), 600, "neither RSS"),
        ("busy", |ask| Ok(answer(ask, 503, &[("retry-after", "7200")], "")), 7_200, "answers 503"),
        ("limited", |ask| Ok(answer(ask, 429, &[("retry-after", "99999999")], "")), 86_400, "answers 429"),
        ("gone", |ask| Ok(answer(ask, 410, &[], "")), 86_400, "answers 410"),
    ];
    let mut feeds = Vec::new();
    for (name, failing, wait, why) in cases {
        let url = format!("https://{name}.example/");
        outside.at(&url, failing);
        feeds.push((add(&kit, &url).await, wait, why));
    }
    round(&kit.host, 0).await.unwrap();
    for (feed, wait, why) in &feeds {
        let told = health(&kit, feed).await;
        assert_eq!(told["failures"], 1, "{why}");
        assert!(told["problem"].as_str().unwrap().contains(why), "{told}");
        let millis = |name: &str| told[name].as_str().unwrap().parse::<gomer_core::time::Time>().unwrap();
        let waits = millis("nextAt").since(millis("readAt")).as_secs();
        assert!((*wait..=wait + wait / 10).contains(&waits), "{why}: {waits}");
    }
    // None of them is due, then those that asked for nothing are, and wait longer.
    assert_eq!(round(&kit.host, 1).await.unwrap(), 0);
    kit.skip(Duration::from_secs(700));
    assert_eq!(round(&kit.host, 2).await.unwrap(), 6);
    assert_eq!(health(&kit, &feeds[0].0).await["failures"], 2);
    kit.skip(Duration::from_secs(700));
    assert_eq!(round(&kit.host, 3).await.unwrap(), 0);
    // It is well again.
    outside.always("https://down.example/", 200, rss(&[("1", "One")]));
    kit.skip(Duration::from_secs(700));
    read(&kit, &feeds[0].0, 1).await;
    assert_eq!(health(&kit, &feeds[0].0).await["failures"], 0);
}

#[tokio::test]
async fn items_are_liked_and_replied_to_like_posts() {
    let (kit, outside) = Kit::start_outside().await;
    let (ann, bob) = (kit.person("ann").await, kit.person("bob").await);
    outside.always(URL, 200, rss(&[("1", "One")]));
    let feed = add(&kit, URL).await;
    let item = read(&kit, &feed, 1).await.json["items"][0]["id"].clone();
    kit.call("like.put", Some(&ann.token), json!({ "id": item, "kind": "wow" })).await.expect(200);
    let liked = |answer: &Answer| answer.json["likes"]["count"] == 1;
    let seen = kit.until("news.get", Some(&ann.token), json!({ "id": item }), liked).await;
    assert_eq!(seen.json["likes"], json!({ "count": 1, "kinds": { "wow": 1 }, "mine": "wow" }));
    let who = kit.call("like.list", None, json!({ "id": item })).await.expect(200);
    assert_eq!(who.json["items"][0]["profile"], ann.id);
    let (first, second) = (kit.uuid(), kit.uuid());
    let body = json!({ "id": first, "to": { "kind": "post", "id": item }, "text": "Is it so?" });
    kit.call("reply.create", Some(&ann.token), body).await.expect(200);
    let body = json!({ "id": second, "to": { "kind": "reply", "id": first }, "text": "It is" });
    kit.call("reply.create", Some(&bob.token), body).await.expect(200);
    let replied = |answer: &Answer| answer.json["replies"] == 1;
    kit.until("news.get", None, json!({ "id": item }), replied).await;
    let listed = kit.call("reply.list", None, json!({ "post": item })).await.expect(200);
    assert_eq!((count(&listed), listed.str("/items/0/text")), (1, "Is it so?".to_owned()));
    kit.call("like.delete", Some(&ann.token), json!({ "id": item })).await.expect(200);
    kit.until("news.get", None, json!({ "id": item }), |answer| answer.json["likes"]["count"] == 0).await;
    let counted = kit.call("like.getCounts", None, json!({ "ids": [kit.uuid(), item] })).await.expect(200);
    assert_eq!(counted.json["items"], json!([{ "id": item, "count": 0, "kinds": {} }]));
    // It is shared as what it is, and is gone from shares with its feed.
    let object = format!("post:{}", item.as_str().unwrap());
    let body = json!({ "id": kit.uuid(), "object": object, "comment": "Look" });
    let shared = kit.call("share.create", Some(&bob.token), body).await.expect(200);
    assert_eq!(
        (shared.str("/object/type"), shared.str("/object/title")),
        ("news".to_owned(), "One".to_owned())
    );
    kit.until("share.list", None, json!({ "object": object }), |answer| count(answer) == 1).await;
    // It is no post: what posts have besides, it has not.
    kit.call("post.get", None, json!({ "id": item })).await.problem(404, "not-found");
    kit.call("post.delete", Some(&ann.token), json!({ "id": item })).await.problem(404, "not-found");
    kit.call("news.deleteFeed", Some(&admin_key("one")), json!({ "id": feed })).await.expect(200);
    kit.call("share.list", None, json!({ "object": object })).await.problem(404, "not-found");
}

#[tokio::test]
async fn two_readers_at_once_keep_each_item_once() {
    let (kit, outside) = Kit::start_outside().await;
    let items: Vec<(String, String)> = (0..70).map(|n| (format!("k{n}"), format!("Item {n}"))).collect();
    let items: Vec<(&str, &str)> = items.iter().map(|(key, title)| (key.as_str(), title.as_str())).collect();
    outside.always(URL, 200, rss(&items));
    let feed = add(&kit, URL).await;
    let rounds = (0..4).map(|number| {
        let host = kit.host.clone();
        tokio::spawn(async move { round(&host, number).await })
    });
    for round in rounds.collect::<Vec<_>>() {
        round.await.unwrap().unwrap();
    }
    // Whatever a loser left over comes with the next reading.
    kit.skip(Duration::from_secs(3_600));
    round(&kit.host, 9).await.unwrap();
    let seen = |answer: &Answer| count(answer) == 70;
    let news = kit.until("news.list", None, json!({ "feed": feed, "limit": 100 }), seen).await;
    let mut found = titles(&news);
    found.sort();
    found.dedup();
    assert_eq!(found.len(), 70);
    let all = kit.until("news.list", None, json!({ "limit": 100 }), seen).await;
    assert_eq!(titles(&all).len(), 70);
}

#[tokio::test]
async fn hostile_feeds_stop_neither_the_others_nor_the_clock() {
    let (kit, outside) = Kit::start_outside().await;
    let mib = 1 << 20;
    let bomb = "<!DOCTYPE a [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\">]>\
        <rss><channel><title>&b;</title><item><title>&b;</title></item></channel></rss>";
    for (name, body) in [
        ("bomb", bomb.to_owned()),
        (
            "attributes",
            format!("<rss {}><channel><title>x</title></channel></rss>", "a='b' ".repeat(mib / 4)),
        ),
        ("deep", format!("<rss><channel>{}", "<item>".repeat(mib / 4))),
        ("endless", "<rss><channel><title>".to_owned() + &"x".repeat(3 * mib)),
        ("json", format!("{{\"version\":\"https://jsonfeed.org/version/1\",\"items\":{}", "[".repeat(mib))),
        (
            "dates",
            "<rss><channel><item><title>x</title><pubDate>99999999999999</pubDate></item></channel></rss>"
                .to_owned(),
        ),
        (
            "future",
            "<rss><channel><item><title>x</title><pubDate>1 Jan 9999</pubDate></item></channel></rss>"
                .to_owned(),
        ),
    ] {
        let url = format!("https://{name}.example/");
        outside.always(&url, 200, body);
        add(&kit, &url).await;
    }
    outside.always(URL, 200, rss(&[("1", "Good")]));
    let good = add(&kit, URL).await;
    let began = Instant::now();
    read(&kit, &good, 1).await;
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    let now = kit.host.cluster.now().wall;
    let all = kit.call("news.list", None, json!({ "limit": 100 })).await.expect(200);
    for item in all.json["items"].as_array().unwrap() {
        let published: gomer_core::time::Time = item["publishedAt"].as_str().unwrap().parse().unwrap();
        assert!(published <= now && item["title"].as_str().unwrap().chars().count() <= 300, "{item}");
    }
}

#[tokio::test]
async fn an_app_has_only_so_many_items_of_a_feed() {
    let (kit, outside) = Kit::start_outside().await;
    let turn = Arc::new(AtomicUsize::new(0));
    let next = turn.clone();
    outside.at(URL, move |ask| {
        let from = next.fetch_add(1, Ordering::SeqCst) * 100;
        let items: Vec<(String, String)> =
            (from..from + 100).rev().map(|n| (format!("k{n}"), format!("Item {n}"))).collect();
        let items: Vec<(&str, &str)> =
            items.iter().map(|(key, title)| (key.as_str(), title.as_str())).collect();
        Ok(answer(ask, 200, &[], rss(&items)))
    });
    let feed = add(&kit, URL).await;
    for number in 0..7 {
        round(&kit.host, number).await.unwrap();
        kit.skip(Duration::from_secs(3_600));
    }
    let mut found = 0;
    // The last ones come by steps.
    for _ in 0..40 {
        let (mut cursor, mut ends) = (None::<String>, false);
        found = 0;
        while !ends {
            let body = json!({ "feed": feed, "limit": 100, "cursor": cursor });
            let page = kit.call("news.list", None, body).await.expect(200);
            found += count(&page);
            (cursor, ends) = (page.json["cursor"].as_str().map(str::to_owned), page.json["end"] == true);
        }
        if found == 500 {
            break;
        }
        kit.skip(Duration::from_secs(2));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(found, 500);
}
