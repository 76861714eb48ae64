//! `share.getPreview`: what a page says of itself, and what nobody learns by it.

mod kit;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gomer::outside::{Answered, Ask, Unanswered};
use hyper::HeaderMap;
use hyper::header::CONTENT_TYPE;
use kit::{Answer, Kit, With, server_key};
use serde_json::json;

const PAGE: &str = r#"<!doctype html><html><head><title>Plain</title><meta property="og:title" content="A &amp; B">
<meta property="og:description" content="&lt;b&gt;Bold&lt;/b&gt; words"><meta property="og:image" content="/i.png">
<meta property="og:site_name" content="The Site"><meta property="og:type" content="article"></head><body>x</body></html>"#;

fn answer(ask: &Ask, content_type: &str, body: impl Into<bytes::Bytes>) -> Result<Answered, Unanswered> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, content_type.parse().unwrap());
    Ok(Answered { url: ask.url.clone(), status: 200, headers, body: body.into() })
}

async fn preview(kit: &Kit, token: &str, url: &str) -> Answer {
    kit.skip(Duration::from_secs(2));
    kit.call("share.getPreview", Some(token), json!({ "url": url })).await
}

#[tokio::test]
async fn a_page_is_shown_in_brief_and_asked_once() {
    let (kit, outside) = Kit::start_outside().await;
    let ann = kit.person("ann").await;
    outside.at("https://page.example/", |ask| answer(ask, "text/html; charset=utf-8", PAGE));
    let first = preview(&kit, &ann.token, "https://page.example/a?b=c#part").await.expect(200);
    let golden = json!({
        "url": "https://page.example/a?b=c", "title": "A & B", "description": "Bold words",
        "image": "https://page.example/i.png", "site": "The Site", "kind": "article",
    });
    assert_eq!(first.json, golden);
    // Another part of it, another person: the same page.
    let bob = kit.person("bob").await;
    assert_eq!(preview(&kit, &bob.token, "https://PAGE.example:443/a?b=c").await.expect(200).json, golden);
    assert_eq!(outside.asked().len(), 1);
    kit.skip(Duration::from_secs(3_600));
    // Sessions end sooner than what is kept.
    let cleo = kit.person("cleo").await;
    preview(&kit, &cleo.token, "https://page.example/a?b=c").await.expect(200);
    assert_eq!(outside.asked().len(), 2);
    outside.at("https://page.example/p.png", |ask| answer(ask, "image/png", "PNG"));
    let picture = preview(&kit, &cleo.token, "https://page.example/p.png").await.expect(200);
    assert_eq!((picture.str("/kind"), picture.str("/image")), ("image".to_owned(), picture.str("/url")));
}

#[tokio::test]
async fn whatever_is_wrong_with_a_page_looks_the_same() {
    let (kit, outside) = Kit::start_outside().await;
    let ann = kit.person("ann").await;
    type Page = fn(&Ask) -> Result<Answered, Unanswered>;
    let cases: [(&str, Page); 10] = [
        ("inside", |_| Err(Unanswered::Forbidden("it is not a public address"))),
        ("down", |_| Err(Unanswered::Unreachable("nobody is there".into()))),
        ("slow", |_| Err(Unanswered::TimedOut)),
        ("large", |_| Err(Unanswered::TooLarge)),
        ("broken", |_| Err(Unanswered::Broken("no HTTP".into()))),
        ("round", |_| Err(Unanswered::TooManyRedirects)),
        ("missing", |ask| {
            answer(ask, "text/html", PAGE).map(|answered| Answered { status: 404, ..answered })
        }),
        ("file", |ask| answer(ask, "application/pdf", PAGE)),
        ("feed", |ask| answer(ask, "application/rss+xml", "<rss><channel><title>x</title></channel></rss>")),
        ("untitled", |ask| answer(ask, "text/html", "<p>Hello</p>")),
    ];
    let mut told = Vec::new();
    for (name, page) in cases {
        let url = format!("https://{name}.example/");
        outside.at(&url, page);
        told.push(preview(&kit, &ann.token, &url).await.problem(404, "not-found").untraced());
        let asked = outside.asked().len();
        preview(&kit, &ann.token, &url).await.problem(404, "not-found");
        assert_eq!(outside.asked().len(), asked, "{name} is not asked again at once");
    }
    told.dedup();
    assert_eq!(told.len(), 1, "{told:?}");
    // After a while it is.
    outside.at("https://down.example/", |ask| answer(ask, "text/html", PAGE));
    kit.skip(Duration::from_secs(301));
    preview(&kit, &ann.token, "https://down.example/").await.expect(200);
}

#[tokio::test]
async fn who_may_not_ask_and_what_is_no_address_is_refused() {
    let (kit, outside) = Kit::start_outside().await;
    let ann = kit.person("ann").await;
    let body = json!({ "url": "https://page.example/" });
    kit.call("share.getPreview", None, body.clone()).await.problem(401, "unauthenticated");
    kit.call("share.getPreview", Some(&server_key("one")), body.clone())
        .await
        .problem(401, "unauthenticated");
    for url in [
        "",
        "page.example",
        "ftp://page.example/",
        "file:///etc/passwd",
        "https://me@page.example/",
        "https://page.example\\@x/",
        "https://page.example:0/",
        "http://256.1.1.1/",
        "https://[::1/",
        "javascript:alert(1)",
    ] {
        let refused = preview(&kit, &ann.token, url).await.problem(422, "invalid");
        assert_eq!(refused.str("/errors/0/pointer"), "/url", "{url}");
    }
    kit.call("share.getPreview", Some(&ann.token), json!({})).await.expect(422);
    let unknown = json!({ "url": "https://page.example/", "depth": 1 });
    kit.call("share.getPreview", Some(&ann.token), unknown).await.problem(400, "unknown-field");
    assert_eq!(outside.asked().len(), 0);
    // Everybody may ask so often and no more.
    outside.at("https://page.example/", |ask| answer(ask, "text/html", PAGE));
    let mut limited = false;
    for number in 0..2_000 {
        let body = json!({ "url": format!("https://page.example/{number}") });
        let answer = kit.call("share.getPreview", Some(&ann.token), body).await;
        limited |= answer.status == 429;
        if limited {
            break;
        }
    }
    assert!(limited);
}

#[tokio::test]
async fn many_who_ask_at_once_cause_one_request_and_busy_is_not_kept() {
    let (kit, outside) = Kit::start_outside().await;
    let ann = kit.person("ann").await;
    let number = Arc::new(AtomicUsize::new(0));
    let count = number.clone();
    outside.at("https://busy.example/", move |ask| match count.fetch_add(1, Ordering::SeqCst) {
        0 => Err(Unanswered::Busy),
        _ => answer(ask, "text/html", PAGE),
    });
    let busy = preview(&kit, &ann.token, "https://busy.example/").await.problem(503, "busy");
    assert!(busy.header("retry-after").is_some());
    let ask = || kit.call("share.getPreview", Some(&ann.token), json!({ "url": "https://busy.example/" }));
    kit.skip(Duration::from_secs(60));
    let (one, two, three) = tokio::join!(ask(), ask(), ask());
    for answer in [one, two, three] {
        answer.expect(200);
    }
    assert_eq!(number.load(Ordering::SeqCst), 2);
    // The other app asks for itself.
    let theo = kit.person_in("two", "theo").await;
    let with = With { app: Some("two"), token: Some(&theo.token), ..With::default() };
    kit.call_with("share.getPreview", with, json!({ "url": "https://busy.example/" })).await.expect(200);
    assert_eq!(number.load(Ordering::SeqCst), 3);
}
