use gomer_core::time::Time;
use hyper::HeaderMap;

use super::mastodon::Mastodon;
use super::provider::{Message, Provider};
use super::view::{AccountName, ServerName, Subject, kept};
use super::x::X;

fn mastodon() -> Mastodon {
    Mastodon { server: "social.example".to_owned() }
}

fn x() -> X {
    X { token: "secret".to_owned() }
}

#[test]
fn names_are_names_and_nothing_else() {
    let server = |text: &str| serde_json::from_value::<ServerName>(text.into()).map(|name| name.0).ok();
    assert_eq!(server("Mastodon.Social").as_deref(), Some("mastodon.social"));
    for bad in [
        "",
        "localhost",
        "a.example/",
        "a.example/api",
        "a.example:8443",
        "me@a.example",
        "127.0.0.1",
        "[::1]",
        "0x7f.1",
        "a.example?x",
        "a.example#x",
        "https://a.example",
        "a example",
        "a.example\\x",
    ] {
        assert_eq!(server(bad), None, "{bad}");
    }
    let account = |text: &str| serde_json::from_value::<AccountName>(text.into()).map(|name| name.0).ok();
    assert_eq!(account("@ann@social.example").as_deref(), Some("ann@social.example"));
    for bad in ["", "@", "a@", "a@b@c", "a/b", "a b", "a?b", "ä", &"a".repeat(201)] {
        assert_eq!(account(bad), None, "{bad}");
    }
}

#[test]
fn what_is_asked_stays_at_its_server() {
    let subject = Subject::Tag("rust/../x?y".to_owned());
    let ask = mastodon().messages(&subject, None, Some("7&z=1"));
    assert_eq!(
        ask.url,
        "https://social.example/api/v1/timelines/tag/rust%2F..%2Fx%3Fy?limit=40&min_id=7%26z%3D1"
    );
    assert!(ask.headers.is_empty());
    let ask = x().messages(&Subject::Query("cats & dogs".to_owned()), None, None);
    assert!(
        ask.url
            .starts_with("https://api.x.com/2/tweets/search/recent?query=cats%20%26%20dogs&max_results=40&")
    );
    let token = &ask.headers["authorization"];
    assert!(token.is_sensitive() && token == "Bearer secret");
    assert!(!format!("{ask:?}").contains("secret"));
    assert_eq!(x().look_up("ann").url, "https://api.x.com/2/users/by/username/ann");
}

#[test]
fn statuses_of_mastodon_are_read() {
    let status = r#"{"id":"11","url":"https://social.example/@ann/11","content":"<p>Hello &amp; <a href='x'>#all</a></p>","visibility":"public",
        "language":"en","created_at":"2026-11-26T10:00:00.000Z","account":{"acct":"ann","display_name":"Ann","avatar":"https://social.example/a.png"},
        "media_attachments":[{"type":"video"},{"type":"image","preview_url":"https://social.example/p.png"}]}"#;
    let private = status.replace("public", "private");
    let warned = status.replace("\"id\":\"11\"", "\"id\":\"12\",\"spoiler_text\":\"Spiders\"");
    let body = format!("[{status},{private},7,{{}},{warned}]");
    let read = mastodon().read(body.as_bytes()).unwrap();
    assert_eq!(
        read[0],
        Message {
            id: "11".into(),
            url: "https://social.example/@ann/11".into(),
            text: "<p>Hello &amp; <a href='x'>#all</a></p>".into(),
            html: true,
            handle: "ann@social.example".into(),
            name: "Ann".into(),
            avatar: "https://social.example/a.png".into(),
            image: "https://social.example/p.png".into(),
            created: crate::feeds::date::read("2026-11-26T10:00:00Z"),
            language: "en".into(),
            sensitive: false,
        }
    );
    assert_eq!(
        (read.len(), read[1].text.as_str(), read[1].sensitive, read[1].image.as_str()),
        (2, "Spiders", true, "")
    );
    let item = kept(read[0].clone()).unwrap();
    assert!(item.attrs.contains(&("text".to_owned(), "\"Hello & #all\"".to_owned())), "{:?}", item.attrs);
    for bad in ["", "{}", "<html>", "{\"error\":\"x\"}"] {
        assert!(mastodon().read(bad.as_bytes()).is_err(), "{bad}");
    }
    for (body, found) in
        [("{\"id\":\"42\"}", Some("42")), ("{\"id\":\"4/2\"}", None), ("{\"id\":42}", None), ("{}", None)]
    {
        assert_eq!(mastodon().found(body.as_bytes()).ok().as_deref(), found, "{body}");
    }
}

#[test]
fn posts_of_x_are_read_with_their_authors() {
    let body = r#"{"data":[{"id":"21","text":"Hi &lt;3","author_id":"1","created_at":"2026-11-26T10:00:00.000Z","lang":"en",
        "attachments":{"media_keys":["m1"]}},{"id":"22","text":"no author","author_id":"9"},{"id":"../x","text":"x","author_id":"1"},7],
        "includes":{"users":[{"id":"1","username":"ann","name":"Ann","profile_image_url":"https://pbs.example/a.png"}],
        "media":[{"media_key":"m1","type":"photo","url":"https://pbs.example/p.png"}]},"meta":{"result_count":2}}"#;
    let read = x().read(body.as_bytes()).unwrap();
    assert_eq!(read.len(), 1);
    assert_eq!(
        (read[0].url.as_str(), read[0].image.as_str()),
        ("https://x.com/ann/status/21", "https://pbs.example/p.png")
    );
    let item = kept(read[0].clone()).unwrap();
    assert!(item.attrs.contains(&("text".to_owned(), "\"Hi <3\"".to_owned())), "{:?}", item.attrs);
    assert_eq!(x().read(br#"{"meta":{"result_count":0}}"#).unwrap(), []);
    for bad in ["", "[]", "{}", "{\"errors\":[]}"] {
        assert!(x().read(bad.as_bytes()).is_err(), "{bad}");
    }
    assert_eq!(x().found(br#"{"data":{"id":"7"}}"#).as_deref(), Ok("7"));
    for bad in ["{}", "{\"data\":{\"id\":\"a\"}}", "{\"data\":{\"id\":\"\"}}"] {
        assert!(x().found(bad.as_bytes()).is_err(), "{bad}");
    }
}

#[test]
fn what_has_nothing_to_show_is_not_kept_and_addresses_are_of_the_web() {
    let message =
        Message { id: "1".into(), handle: "ann".into(), text: "Hello".into(), ..Message::default() };
    assert!(kept(message.clone()).is_some());
    for bare in [
        Message { text: "<p></p>".into(), html: true, ..message.clone() },
        Message { handle: String::new(), ..message.clone() },
        Message { id: String::new(), ..message.clone() },
    ] {
        assert_eq!(kept(bare), None);
    }
    let hostile = Message {
        url: "javascript:alert(1)".into(),
        avatar: "file:///x".into(),
        image: "data:x".into(),
        ..message
    };
    let item = kept(hostile).unwrap();
    for name in ["link", "avatar", "image"] {
        assert!(item.attrs.contains(&(name.to_owned(), "null".to_owned())), "{name}");
    }
}

#[test]
fn services_say_when_they_may_be_asked_again() {
    let now = Time::from_millis(1_795_456_500_000);
    let headers = |pairs: &[(&'static str, &str)]| {
        pairs
            .iter()
            .map(|(name, value)| (hyper::header::HeaderName::from_static(name), value.parse().unwrap()))
            .collect::<HeaderMap>()
    };
    let later = (now + std::time::Duration::from_secs(60)).text();
    let spent = headers(&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", later.as_str())]);
    assert_eq!(mastodon().rest(200, &spent, now).map(|it| it.as_secs()), Some(60));
    let some = headers(&[("x-ratelimit-remaining", "7"), ("x-ratelimit-reset", later.as_str())]);
    assert_eq!(mastodon().rest(200, &some, now), None);
    assert_eq!(mastodon().rest(429, &HeaderMap::new(), now).map(|it| it.as_secs()), Some(300));
    let spent = headers(&[("x-rate-limit-remaining", "0"), ("x-rate-limit-reset", "1795456600")]);
    assert_eq!(x().rest(200, &spent, now).map(|it| it.as_secs()), Some(100));
    assert_eq!(
        x().rest(429, &headers(&[("x-rate-limit-reset", "soon")]), now).map(|it| it.as_secs()),
        Some(900)
    );
    assert_eq!(x().rest(500, &HeaderMap::new(), now), None);
}
