//! `push` and the tokens of `device`: what each service is asked, to whom a token belongs, and what is not sent.

mod kit;
mod pushing;

use std::sync::Arc;
use std::time::Duration;

use gomer::host::Edges;
use gomer::jobs;
use gomer::methods::push::round;
use gomer::outside::{Answering, Ask, Outside, Scripted, Unanswered};
use hyper::header::AUTHORIZATION;
use kit::{Kit, Person, With, admin_key, server_key};
use pushing::*;
use serde_json::{Value, json};

async fn like(kit: &Kit, who: &Person, post: &str) {
    kit.call("like.put", Some(&who.token), json!({ "id": post })).await.expect(200);
}

async fn mention(kit: &Kit, who: &Person, whom: &Person) {
    kit.publish(who, &format!("Hello @{}", whom.handle), "public").await;
}

#[tokio::test]
async fn apple_gets_what_its_documentation_says_and_the_app_learns_what_became_of_it() {
    let (kit, outside) = start().await;
    let (ann, bob) = (kit.person("ann").await, kit.person("bob").await);
    let phone = phone(&kit, &ann).await;
    phone.apns(&kit, 1).await;
    kit.call("profile.update", Some(&bob.token), json!({ "name": "Bob B." })).await.expect(200);
    let post = kit.publish(&ann, "Mine", "public").await;
    let reply = json!({ "id": kit.uuid(), "to": { "kind": "post", "id": post }, "text": "A secret" });
    kit.call("reply.create", Some(&bob.token), reply.clone()).await.expect(200);
    until(&kit, "a push", || !sent(&outside, 1).is_empty()).await;

    let ask = sent(&outside, 1).remove(0);
    assert_eq!(ask.method, hyper::Method::POST);
    let told = phone.call(&kit, "notification.list", json!({})).await.expect(200);
    let now_s = kit.host.cluster.now().wall.as_millis() / 1_000;
    assert_eq!(header(&ask, "apns-topic"), "org.example.app");
    assert_eq!(header(&ask, "apns-push-type"), "alert");
    assert_eq!(header(&ask, "apns-priority"), "10");
    assert_eq!(header(&ask, "apns-collapse-id"), told.str("/items/0/id"));
    let expiration: u64 = header(&ask, "apns-expiration").parse().unwrap();
    assert!((now_s + 86_000..=now_s + 86_400).contains(&expiration));
    let bearer = header(&ask, "authorization");
    let (head, claims) = claims_es256(bearer.strip_prefix("bearer ").unwrap(), &apple_key().public());
    assert_eq!(head, json!({ "alg": "ES256", "kid": "KEY1234567" }));
    assert_eq!(claims["iss"], "TEAM123456");
    assert!(claims["iat"].as_u64().unwrap().abs_diff(now_s) < 60);
    assert!(ask.headers.get(AUTHORIZATION).unwrap().is_sensitive(), "never printed");
    let payload = body(&ask);
    assert_eq!(payload["aps"]["alert"], json!({ "loc-key": "gomer.reply", "loc-args": ["Bob B."] }));
    assert_eq!(payload["aps"]["badge"], 1);
    assert_eq!(payload["gomer"]["object"], format!("reply:{}", reply["id"].as_str().unwrap()));
    assert_eq!(payload["gomer"]["target"], format!("post:{post}"));
    assert!(!payload.to_string().contains("secret"), "no text unless the app says so");

    // What became of it, for the app alone; opened by its owner alone.
    let id = delivery(&ask);
    assert_eq!(payload["gomer"]["delivery"], id);
    let known = state(&kit, &ann.id, &id).await;
    assert_eq!((known.str("/state"), known.str("/device")), ("accepted".into(), phone.device.clone()));
    let which = json!({ "profile": ann.id, "id": id });
    kit.call("push.getDelivery", Some(&ann.token), which.clone()).await.problem(403, "forbidden");
    let two = admin_key("two");
    let in_two = With { app: Some("two"), token: Some(&two), ..With::default() };
    kit.call_with("push.getDelivery", in_two, which.clone()).await.problem(404, "not-found");
    let other = json!({ "profile": bob.id, "id": id });
    kit.call("push.getDelivery", Some(&admin_key("one")), other).await.problem(404, "not-found");
    let open = json!({ "id": id });
    kit.call("push.confirmOpened", Some(&bob.token), open.clone()).await.problem(404, "not-found");
    kit.call("push.confirmOpened", None, open.clone()).await.problem(401, "unauthenticated");
    phone.call(&kit, "push.confirmOpened", open.clone()).await.expect(200);
    let opened = state(&kit, &ann.id, &id).await;
    assert_eq!(opened.str("/state"), "opened");
    kit.skip(Duration::from_secs(5));
    phone.call(&kit, "push.confirmOpened", open).await.expect(200);
    assert_eq!(state(&kit, &ann.id, &id).await.json, opened.json, "opened once");
    let devices = phone.call(&kit, "device.list", json!({})).await.expect(200);
    let mine = devices.json["items"].as_array().unwrap().iter().find(|it| it["id"] == phone.device).unwrap();
    assert_eq!(mine["push"]["service"], "apns");
    assert!(mine["push"]["acceptedAt"].is_string());
    assert!(!devices.text.contains(&device_token(1)), "a token is shown to nobody");
    // Nothing is sent twice.
    for _ in 0..5 {
        round::deliver(&kit.host).await.unwrap();
    }
    assert_eq!(sent(&outside, 1).len(), 1);
}

#[tokio::test]
async fn google_gets_a_message_and_one_token_serves_until_it_is_refused() {
    let (kit, outside) = start().await;
    let (ann, bob, eve) = (kit.person("ann").await, kit.person("bob").await, kit.person("eve").await);
    let phone = phone(&kit, &ann).await;
    let set = json!({ "service": "fcm", "token": "device:1_x" });
    phone.call(&kit, "device.setPushToken", set).await.expect(200);
    mention(&kit, &bob, &ann).await;
    until(&kit, "a push", || asked(&outside, GOOGLE).len() == 1).await;
    kit.call("follow.create", Some(&eve.token), json!({ "id": ann.id })).await.expect(200);
    until(&kit, "another", || asked(&outside, GOOGLE).len() == 2).await;

    let exchanges = asked(&outside, GOOGLE_TOKEN);
    assert_eq!(exchanges.len(), 1, "the token is kept");
    let form = String::from_utf8(exchanges[0].body.to_vec()).unwrap();
    assert!(form.starts_with("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&"));
    let (head, claims) = claims_rs256(form.split_once("assertion=").unwrap().1);
    assert_eq!(head, json!({ "alg": "RS256", "typ": "JWT", "kid": "rsa-1" }));
    assert_eq!(claims["iss"], "push@proj-1.iam.gserviceaccount.com");
    assert_eq!(claims["aud"], GOOGLE_TOKEN);
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 3_600);
    assert_eq!(claims["scope"], "https://www.googleapis.com/auth/firebase.messaging");
    let asks = asked(&outside, GOOGLE);
    assert_eq!(header(&asks[0], "authorization"), "Bearer ya29.first");
    let message = body(&asks[0])["message"].clone();
    assert_eq!(message["token"], "device:1_x");
    assert_eq!(message["android"]["priority"], "HIGH");
    assert_eq!(message["android"]["collapse_key"], message["data"]["notification"]);
    assert_eq!(message["android"]["notification"]["tag"], message["data"]["notification"]);
    assert_eq!(message["android"]["notification"]["body_loc_key"], "gomer.mention");
    let ttl = message["android"]["ttl"].as_str().unwrap().strip_suffix('s').unwrap();
    assert!((86_000..=86_400).contains(&ttl.parse::<u64>().unwrap()));
    assert!(message["data"].as_object().unwrap().values().all(Value::is_string), "{message}");
    let second = body(&asks[1])["message"].clone();
    assert_eq!((&second["android"]["priority"], &second["data"]["badge"]), (&json!("NORMAL"), &json!("2")));

    // Refused once: another token is fetched, and the message is sent with it at once.
    outside.always(GOOGLE_TOKEN, 200, r#"{"access_token":"ya29.second","expires_in":3600}"#);
    outside.at(GOOGLE, |ask| match header(ask, "authorization").as_str() {
        "Bearer ya29.second" => Ok(answer(ask, 200, &[], r#"{"name":"m"}"#)),
        _ => Ok(answer(ask, 401, &[], r#"{"error":{"status":"UNAUTHENTICATED"}}"#)),
    });
    mention(&kit, &eve, &ann).await;
    until(&kit, "a push with a new token", || asked(&outside, GOOGLE).len() == 4).await;
    assert_eq!(asked(&outside, GOOGLE_TOKEN).len(), 2);
    // The device is gone: so is its token.
    let gone = r#"{"error":{"code":404,"status":"NOT_FOUND","details":[{"errorCode":"UNREGISTERED"}]}}"#;
    outside.always(GOOGLE, 404, gone);
    mention(&kit, &bob, &ann).await;
    until(&kit, "a refusal", || asked(&outside, GOOGLE).len() == 5).await;
    let devices = phone.call(&kit, "device.list", json!({})).await.expect(200);
    assert!(!devices.text.contains("\"push\""), "{}", devices.text);
    let id = body(&asked(&outside, GOOGLE)[4])["message"]["data"]["delivery"].as_str().unwrap().to_owned();
    let known = state(&kit, &ann.id, &id).await;
    assert_eq!((known.str("/state"), known.str("/reason")), ("failed".into(), "UNREGISTERED".into()));
}

#[tokio::test]
async fn a_browser_reads_what_its_service_cannot_and_a_distributor_needs_no_key() {
    let (kit, outside) = start().await;
    let key = credentials(&kit, "one").await.str("/webPush/publicKey");
    let (ann, bob) = (kit.person("ann").await, kit.person("bob").await);
    let (web, open, closed) = (Browser::new(31), Browser::new(32), Browser::new(33));
    let mut phones = Vec::new();
    for (browser, service, keys) in
        [(&web, "webPush", true), (&open, "unifiedPush", false), (&closed, "unifiedPush", true)]
    {
        let phone = phone(&kit, &ann).await;
        let mut set = json!({ "service": service, "endpoint": browser.endpoint });
        if keys {
            set["keys"] = browser.keys();
        }
        phone.call(&kit, "device.setPushToken", set).await.expect(200);
        phones.push(phone);
    }
    mention(&kit, &bob, &ann).await;
    until(&kit, "three pushes", || asked(&outside, BROWSER).len() == 3).await;
    let ask = |browser: &Browser| asked(&outside, &browser.endpoint).remove(0);

    let sent = ask(&web);
    let told = web.read(&sent);
    assert_eq!((&told["key"], &told["args"]), (&json!("gomer.mention"), &json!(["bob"])));
    assert_eq!(header(&sent, "urgency"), "high");
    let ttl: u64 = header(&sent, "ttl").parse().unwrap();
    assert!((86_000..=86_400).contains(&ttl));
    let topic = header(&sent, "topic");
    assert!(topic.len() == 22 && topic.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_".contains(&c)));
    let vapid = header(&sent, "authorization");
    let (token, public) = vapid.strip_prefix("vapid t=").unwrap().split_once(", k=").unwrap();
    assert_eq!(public, key, "the one that the app's administrators were told");
    use base64::Engine as _;
    let public = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(public).unwrap();
    let (head, claims) = claims_es256(token, &public);
    assert_eq!(head, json!({ "typ": "JWT", "alg": "ES256" }));
    assert_eq!(
        (&claims["aud"], &claims["sub"]),
        (&json!("https://push.browser.example"), &json!("mailto:push@example.org"))
    );
    let now_s = kit.host.cluster.now().wall.as_millis() / 1_000;
    assert!((now_s..=now_s + 86_400).contains(&claims["exp"].as_u64().unwrap()));

    assert_eq!(body(&ask(&open))["key"], "gomer.mention");
    assert_eq!(closed.read(&ask(&closed))["notification"], told["notification"], "one notification");
    assert!([&open, &closed].iter().all(|it| !ask(it).headers.contains_key(AUTHORIZATION)));
    assert_ne!(ask(&web).body[..16], ask(&closed).body[..16], "a salt is used once");

    // 404 and 410 are the end of a subscription; 413 is not.
    outside.always(&web.endpoint, 410, "");
    outside.always(&open.endpoint, 404, "");
    outside.always(&closed.endpoint, 413, "");
    mention(&kit, &bob, &ann).await;
    until(&kit, "three refusals", || asked(&outside, BROWSER).len() == 6).await;
    mention(&kit, &bob, &ann).await;
    until(&kit, "the one that is left", || asked(&outside, &closed.endpoint).len() == 3).await;
    assert_eq!((asked(&outside, &web.endpoint).len(), asked(&outside, &open.endpoint).len()), (2, 2));
}

#[tokio::test]
async fn a_token_moves_and_never_lives_on_two_devices() {
    let (kit, outside) = start().await;
    let (ann, bob, eve) = (kit.person("ann").await, kit.person("bob").await, kit.person("eve").await);
    let (first, second) = (phone(&kit, &ann).await, phone(&kit, &ann).await);
    let has = |answer: &kit::Answer, phone: &Phone| {
        let items = answer.json["items"].as_array().unwrap().clone();
        items.iter().any(|it| it["id"] == phone.device && it["push"].is_object())
    };
    // From one device of mine to another.
    let set = first.apns(&kit, 1).await;
    assert_eq!(first.apns(&kit, 1).await.json, set.json, "said again it changes nothing");
    second.apns(&kit, 1).await;
    let list = first.call(&kit, "device.list", json!({})).await.expect(200);
    assert!(!has(&list, &first) && has(&list, &second), "{}", list.text);
    // A device with another token has that one alone.
    second.apns(&kit, 2).await;
    mention(&kit, &eve, &ann).await;
    until(&kit, "a push", || sent(&outside, 2).len() == 1).await;
    assert_eq!(sent(&outside, 1).len(), 0);
    // To another person, who signed in on the same device.
    let theirs = phone(&kit, &bob).await;
    theirs.apns(&kit, 2).await;
    mention(&kit, &eve, &ann).await;
    mention(&kit, &eve, &bob).await;
    until(&kit, "a push to Bob", || sent(&outside, 2).len() == 2).await;
    for _ in 0..5 {
        round::deliver(&kit.host).await.unwrap();
    }
    assert_eq!(sent(&outside, 2).len(), 2, "and none of Ann's");
    let list = first.call(&kit, "device.list", json!({})).await.expect(200);
    assert!(!has(&list, &second), "{}", list.text);
    // Two at once: one has it.
    let (a, b) = tokio::join!(first.apns(&kit, 3), theirs.apns(&kit, 3));
    assert_eq!((a.status, b.status), (200, 200));
    mention(&kit, &eve, &ann).await;
    mention(&kit, &eve, &bob).await;
    until(&kit, "one push", || !sent(&outside, 3).is_empty()).await;
    for _ in 0..10 {
        round::deliver(&kit.host).await.unwrap();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(sent(&outside, 3).len(), 1);
    // The same token in another app is another one.
    credentials(&kit, "two").await;
    let cat = kit.person_in("two", "cat").await;
    let of_two = phone_in(&kit, "two", &cat).await;
    let body = json!({ "service": "apns", "token": device_token(2) });
    let with = With { app: Some("two"), token: Some(&of_two.token), ..With::default() };
    kit.call_with("device.setPushToken", with, body).await.expect(200);
    mention(&kit, &eve, &bob).await;
    let before = sent(&outside, 3).len() + sent(&outside, 2).len();
    until(&kit, "a push", || sent(&outside, 3).len() + sent(&outside, 2).len() > before).await;
}

#[tokio::test]
async fn signing_out_deleting_and_taking_back_end_it() {
    let (kit, outside) = start().await;
    let (ann, bob) = (kit.person("ann").await, kit.person("bob").await);
    let mut phones = Vec::new();
    for number in 1..=5 {
        let phone = phone(&kit, &ann).await;
        phone.apns(&kit, number).await;
        phones.push(phone);
    }
    phones[0].call(&kit, "auth.deleteSession", json!({})).await.expect(200);
    phones[4].call(&kit, "device.delete", json!({ "id": phones[1].device })).await.expect(200);
    phones[2].call(&kit, "device.deletePushToken", json!({})).await.expect(200);
    phones[2].call(&kit, "device.deletePushToken", json!({})).await.expect(200);
    phones[4].call(&kit, "device.deletePushToken", json!({ "device": phones[3].device })).await.expect(200);
    mention(&kit, &bob, &ann).await;
    until(&kit, "the push that is left", || !sent(&outside, 5).is_empty()).await;
    assert!((1..=4).all(|number| sent(&outside, number).is_empty()));
    // Whoever signs out can set none, and nobody for another's device.
    let set = json!({ "service": "apns", "token": device_token(9) });
    phones[0].call(&kit, "device.setPushToken", set.clone()).await.problem(401, "unauthenticated");
    let mut of = set.clone();
    of["device"] = json!(phones[0].device);
    phones[4].call(&kit, "device.setPushToken", of.clone()).await.problem(404, "not-found");
    of["device"] = json!(phones[4].device);
    kit.call("device.setPushToken", Some(&bob.token), of).await.problem(404, "not-found");
    kit.call("device.deletePushToken", Some(&bob.token), json!({ "device": phones[4].device }))
        .await
        .expect(200);
    // A new password ends the other sessions: nothing goes to them, though nobody dropped their tokens.
    kit.skip(Duration::from_secs(300));
    let other = phone(&kit, &ann).await;
    other.apns(&kit, 6).await;
    let password = json!({ "current": kit::PASSWORD, "password": "another horse battery" });
    phones[4].call(&kit, "auth.changePassword", password).await.expect(200);
    mention(&kit, &bob, &ann).await;
    until(&kit, "another", || sent(&outside, 5).len() == 2).await;
    assert!(sent(&outside, 6).is_empty());
    // All others at once.
    let again =
        json!({ "handle": "ann", "password": "another horse battery", "device": { "id": kit.uuid() } });
    let opened = kit.call("auth.createSession", None, again).await.expect(200);
    let set = json!({ "service": "apns", "token": device_token(7) });
    kit.call("device.setPushToken", Some(&opened.str("/accessToken")), set).await.expect(200);
    phones[4].call(&kit, "auth.deleteOtherSessions", json!({})).await.expect(200);
    mention(&kit, &bob, &ann).await;
    until(&kit, "the last one", || sent(&outside, 5).len() == 3).await;
    assert!(sent(&outside, 7).is_empty());
}

#[tokio::test]
async fn a_service_that_asks_for_time_gets_it_and_is_given_up_in_the_end() {
    let (kit, outside) = start().await;
    let (ann, bob) = (kit.person("ann").await, kit.person("bob").await);
    let (one, two) = (phone(&kit, &ann).await, phone(&kit, &ann).await);
    one.apns(&kit, 1).await;
    let browser = Browser::new(41);
    let set = json!({ "service": "unifiedPush", "endpoint": browser.endpoint });
    two.call(&kit, "device.setPushToken", set).await.expect(200);
    let busy = |ask: &Ask| Ok(answer(ask, 503, &[("retry-after", "120")], r#"{"reason":"Shutdown"}"#));
    outside.at(APPLE, busy);
    mention(&kit, &bob, &ann).await;
    until(&kit, "an attempt", || sent(&outside, 1).len() == 1 && asked(&outside, BROWSER).len() == 1).await;
    let id = delivery(&sent(&outside, 1)[0]);
    let known = state(&kit, &ann.id, &id).await;
    assert_eq!((known.str("/state"), known.str("/reason")), ("sent".into(), "Shutdown".into()));
    // The whole service is left alone, for new pushes too; another one is not.
    mention(&kit, &bob, &ann).await;
    until(&kit, "a push by the other", || asked(&outside, BROWSER).len() == 2).await;
    kit.skip(Duration::from_secs(100));
    round::deliver(&kit.host).await.unwrap();
    assert_eq!(sent(&outside, 1).len(), 1, "not before two minutes");
    outside.always(APPLE, 200, "");
    kit.skip(Duration::from_secs(40));
    until(&kit, "both", || sent(&outside, 1).len() == 3).await;
    let again = sent(&outside, 1).iter().filter(|ask| delivery(ask) == id).count();
    assert_eq!(again, 2, "the same name for the same push");
    assert_eq!(state(&kit, &ann.id, &id).await.str("/state"), "accepted");

    // Too many at one device is no reason to leave the others alone; in the end it is given up, with the reason.
    let three = phone(&kit, &ann).await;
    three.apns(&kit, 3).await;
    let full = format!("{APPLE}{}", device_token(1));
    outside.at(&full, |ask| Ok(answer(ask, 429, &[], r#"{"reason":"TooManyRequests"}"#)));
    mention(&kit, &bob, &ann).await;
    until(&kit, "both asked", || sent(&outside, 3).len() == 1 && sent(&outside, 1).len() == 4).await;
    let id = delivery(&sent(&outside, 1)[3]);
    for _ in 0..30 {
        kit.skip(Duration::from_secs(1_800));
        round::deliver(&kit.host).await.unwrap();
    }
    let known = state(&kit, &ann.id, &id).await;
    assert_eq!((known.str("/state"), known.str("/reason")), ("failed".into(), "TooManyRequests".into()));
    assert_eq!(known.json["attempts"], 8);
    assert_eq!(sent(&outside, 1).len(), 11, "and never again");
}

#[tokio::test]
async fn an_expired_provider_token_is_renewed_and_a_dead_device_is_dropped() {
    let (kit, outside) = start().await;
    let (ann, bob) = (kit.person("ann").await, kit.person("bob").await);
    let phones = [phone(&kit, &ann).await, phone(&kit, &ann).await];
    phones[0].apns(&kit, 1).await;
    phones[1].apns(&kit, 2).await;
    mention(&kit, &bob, &ann).await;
    until(&kit, "two pushes", || asked(&outside, APPLE).len() == 2).await;
    let old = header(&asked(&outside, APPLE)[0], "authorization");
    assert!(asked(&outside, APPLE).iter().all(|ask| header(ask, "authorization") == old), "kept");
    // Apple's clock is ahead of ours.
    kit.skip(Duration::from_secs(25 * 60));
    let (refused, dead) = (old.clone(), device_token(2));
    outside.at(APPLE, move |ask| match () {
        () if header(ask, "authorization") == refused => {
            Ok(answer(ask, 403, &[], r#"{"reason":"ExpiredProviderToken"}"#))
        }
        () if ask.url.ends_with(&dead) => Ok(answer(ask, 400, &[], r#"{"reason":"BadDeviceToken"}"#)),
        () => Ok(answer(ask, 200, &[("apns-id", "x")], "")),
    });
    later(&kit, &bob.id, "post.create", json!({ "id": kit.uuid(), "text": "@ann", "audience": "public" }))
        .await
        .expect(200);
    // Two before; one that is refused for its token, and then each device's own.
    until(&kit, "another token", || asked(&outside, APPLE).len() == 5).await;
    assert_ne!(header(sent(&outside, 1).last().unwrap(), "authorization"), old);
    let id = delivery(sent(&outside, 1).last().unwrap());
    let known = state(&kit, &ann.id, &id).await;
    assert_eq!((known.str("/state"), known.json["attempts"].clone()), ("accepted".into(), json!(1)));
    let id = delivery(sent(&outside, 2).last().unwrap());
    let known = state(&kit, &ann.id, &id).await;
    assert_eq!((known.str("/state"), known.str("/reason")), ("failed".into(), "BadDeviceToken".into()));
    let devices = later(&kit, &ann.id, "device.list", json!({})).await.expect(200);
    let reached = devices.json["items"].as_array().unwrap().iter().filter(|it| it["push"].is_object());
    assert_eq!(reached.count(), 1, "{}", devices.text);
    // Gone long before the token was set: that was another installation.
    outside.at(APPLE, |ask| Ok(answer(ask, 410, &[], r#"{"reason":"Unregistered","timestamp":1000}"#)));
    later(&kit, &bob.id, "post.create", json!({ "id": kit.uuid(), "text": "@ann", "audience": "public" }))
        .await
        .expect(200);
    let before = sent(&outside, 1).len();
    until(&kit, "a refusal", || sent(&outside, 1).len() > before).await;
    let devices = later(&kit, &ann.id, "device.list", json!({})).await.expect(200);
    assert!(devices.text.contains("Unregistered") && devices.text.contains("\"push\""), "{}", devices.text);
}

/// An outside world in which one device's service never answers.
struct Hangs(Arc<Scripted>);

impl Outside for Hangs {
    fn ask(&self, ask: Ask) -> Answering<'_> {
        if ask.url.ends_with(&device_token(1)) {
            return Box::pin(std::future::pending());
        }
        self.0.ask(ask)
    }
}

#[tokio::test]
async fn a_service_of_one_app_that_never_answers_delays_no_other_app() {
    let (edges, mail) = Edges::cheap();
    let outside = Arc::new(Scripted::default());
    let kit = Kit::start_with(Edges { outside: Arc::new(Hangs(outside.clone())), ..edges }, mail).await;
    good_services(&outside);
    let mut people = Vec::new();
    for (app, number) in [("one", 1), ("two", 2)] {
        credentials(&kit, app).await;
        let (ann, bob) = (kit.person_in(app, "ann").await, kit.person_in(app, "bob").await);
        let phone = phone_in(&kit, app, &ann).await;
        let with = With { app: Some(app), token: Some(&phone.token), ..With::default() };
        let body = json!({ "service": "apns", "token": device_token(number) });
        kit.call_with("device.setPushToken", with, body).await.expect(200);
        people.push((app, ann, bob));
    }
    let running = jobs::start(&kit.host, vec![round::job()]);
    for round in 0..3 {
        for (app, ann, bob) in &people {
            let with = With { app: Some(app), token: Some(&bob.token), ..With::default() };
            let body = json!({ "id": kit.uuid(), "text": format!("@{}", ann.handle), "audience": "public" });
            kit.call_with("post.create", with, body).await.expect(200);
        }
        let mut waited = 0;
        while sent(&outside, 2).len() <= round {
            tokio::time::sleep(Duration::from_millis(50)).await;
            waited += 1;
            assert!(waited < 400, "app two waits for app one");
        }
    }
    running.stop().await;
    assert!(outside.asked().iter().all(|ask| !ask.url.ends_with(&device_token(1))));
}

#[tokio::test]
async fn what_nobody_wants_to_be_woken_for_is_not_sent() {
    let (kit, outside) = start().await;
    let (ann, bob, eve) = (kit.person("ann").await, kit.person("bob").await, kit.person("eve").await);
    let phone = phone(&kit, &ann).await;
    phone.apns(&kit, 1).await;
    let post = kit.publish(&ann, "Mine", "public").await;
    // A kind that is not pushed, somebody muted, a word muted.
    let off = json!({ "kinds": { "like": { "push": false } } });
    let set = phone.call(&kit, "notification.setPreferences", off).await.expect(200);
    assert_eq!(set.json["kinds"]["like"], json!({ "inApp": true, "push": false }));
    let mute = json!({ "subject": { "profile": eve.id } });
    phone.call(&kit, "block.createMute", mute).await.expect(200);
    phone.call(&kit, "block.createMute", json!({ "subject": { "word": "spoiler" } })).await.expect(200);
    like(&kit, &bob, &post).await;
    mention(&kit, &eve, &ann).await;
    kit.publish(&bob, "A Spoiler for @ann", "public").await;
    // What one does oneself, and what is for others.
    like(&kit, &ann, &post).await;
    kit.publish(&bob, "To myself, not @ann", "onlyMe").await;
    let is = |answer: &kit::Answer| answer.json["unread"] == 3;
    kit.until("notification.getUnread", Some(&ann.token), json!({}), is).await;
    mention(&kit, &bob, &ann).await;
    until(&kit, "the one that is wanted", || !sent(&outside, 1).is_empty()).await;
    assert_eq!(sent(&outside, 1).len(), 1);
    assert_eq!(body(&sent(&outside, 1)[0])["aps"]["badge"], 4, "all of it stands in the centre");

    // Read on another device before it was sent: nothing more is sent, and the badge is told with the next one.
    outside.always(APPLE, 503, "");
    mention(&kit, &bob, &ann).await;
    until(&kit, "an attempt", || sent(&outside, 1).len() == 2).await;
    let id = delivery(&sent(&outside, 1)[1]);
    phone.call(&kit, "notification.markSeen", json!({})).await.expect(200);
    outside.always(APPLE, 200, "");
    kit.skip(Duration::from_secs(120));
    mention(&kit, &bob, &ann).await;
    until(&kit, "the next one", || sent(&outside, 1).len() == 3).await;
    assert_eq!(body(&sent(&outside, 1)[2])["aps"]["badge"], 1);
    let known = state(&kit, &ann.id, &id).await;
    assert_eq!((known.str("/state"), known.str("/reason")), ("dropped".into(), "not-wanted".into()));
}

#[tokio::test]
async fn it_is_quiet_when_somebody_sleeps_and_comes_in_the_morning() {
    let (kit, outside) = start().await;
    let (ann, bob) = (kit.person("ann").await, kit.person("bob").await);
    let (one, two) = (phone(&kit, &ann).await, phone(&kit, &ann).await);
    one.apns(&kit, 1).await;
    let wake = json!({ "service": "apns", "token": device_token(2), "wake": true });
    two.call(&kit, "device.setPushToken", wake).await.expect(200);
    // The kit's clock starts at about 18:35 in Vienna.
    let night = json!({ "quietHours": { "from": "18:00", "to": "19:30", "timeZone": "Europe/Vienna" } });
    let set = one.call(&kit, "notification.setPreferences", night.clone()).await.expect(200);
    assert_eq!(set.json["quietHours"], night["quietHours"]);
    for bad in [
        json!({ "from": "25:00", "to": "07:00", "timeZone": "UTC" }),
        json!({ "from": "22:00", "to": "07:00", "timeZone": "Nowhere" }),
        json!({ "from": "22:00", "to": "07:00" }),
    ] {
        let bad = json!({ "quietHours": bad });
        one.call(&kit, "notification.setPreferences", bad).await.problem(422, "invalid");
    }
    mention(&kit, &bob, &ann).await;
    // The one that may be woken is, silently; nothing is shown on either.
    until(&kit, "a silent push", || !sent(&outside, 2).is_empty()).await;
    let silent = &sent(&outside, 2)[0];
    assert_eq!(header(silent, "apns-push-type"), "background");
    assert_eq!(header(silent, "apns-priority"), "5");
    assert_eq!(body(silent)["aps"], json!({ "content-available": 1, "badge": 1 }));
    assert_eq!((sent(&outside, 1).len(), sent(&outside, 2).len()), (0, 1));
    kit.skip(Duration::from_secs(3_600));
    until(&kit, "the morning", || sent(&outside, 1).len() == 1 && sent(&outside, 2).len() == 2).await;
    assert_eq!(body(&sent(&outside, 1)[0])["aps"]["alert"]["loc-key"], "gomer.mention");
    // What was read elsewhere goes from the badge of the one that may be woken.
    later(&kit, &ann.id, "notification.markSeen", json!({})).await.expect(200);
    until(&kit, "a badge of zero", || sent(&outside, 2).len() == 3).await;
    assert_eq!(body(&sent(&outside, 2)[2])["aps"], json!({ "content-available": 1, "badge": 0 }));
    assert_eq!(sent(&outside, 1).len(), 1);
    let never = later(&kit, &ann.id, "notification.setPreferences", json!({ "quietHours": null })).await;
    assert_eq!(never.expect(200).json["quietHours"], Value::Null);
}

#[tokio::test]
async fn what_comes_at_once_of_one_thing_is_one_push_and_the_app_says_what_services_see() {
    let (kit, outside) = start().await;
    let (ann, bob, eve) = (kit.person("ann").await, kit.person("bob").await, kit.person("eve").await);
    let phone = phone(&kit, &ann).await;
    phone.apns(&kit, 1).await;
    let post = kit.publish(&ann, "Mine", "public").await;
    like(&kit, &bob, &post).await;
    like(&kit, &eve, &post).await;
    let is = |answer: &kit::Answer| answer.json["unread"] == 2;
    kit.until("notification.getUnread", Some(&ann.token), json!({}), is).await;
    until(&kit, "a push", || !sent(&outside, 1).is_empty()).await;
    let alert = body(&sent(&outside, 1)[0])["aps"]["alert"].clone();
    assert_eq!(alert, json!({ "loc-key": "gomer.like.many", "loc-args": ["eve", "1"] }));
    assert_eq!(header(&sent(&outside, 1)[0], "apns-priority"), "5", "nobody is woken by a like");

    let admin = admin_key("one");
    let show = async |show: &str| {
        let body = json!({ "settings": { "push": { "show": show } } });
        kit.call("admin.updateSettings", Some(&admin), body).await
    };
    show("everything").await.problem(422, "invalid");
    show("nothing").await.expect(200);
    mention(&kit, &bob, &ann).await;
    until(&kit, "a bare push", || sent(&outside, 1).len() == 2).await;
    let bare = body(&sent(&outside, 1)[1]);
    assert_eq!(bare["aps"]["alert"], json!({ "loc-key": "gomer.news", "loc-args": [] }));
    assert!(!bare.to_string().contains("bob"));
    show("texts").await.expect(200);
    kit.publish(&bob, &format!("@ann {}", "long ".repeat(100)), "public").await;
    until(&kit, "a push with text", || sent(&outside, 1).len() == 3).await;
    let text = body(&sent(&outside, 1)[2])["gomer"]["text"].as_str().unwrap().to_owned();
    assert!(text.starts_with("@ann long") && text.ends_with('…') && text.chars().count() <= 201);
}

#[tokio::test]
async fn after_a_restart_nothing_is_sent_twice_and_nothing_is_lost() {
    let (kit, outside) = start().await;
    let (ann, bob) = (kit.person("ann").await, kit.person("bob").await);
    phone(&kit, &ann).await.apns(&kit, 1).await;
    mention(&kit, &bob, &ann).await;
    until(&kit, "a push", || sent(&outside, 1).len() == 1).await;
    let confirmed = header(&sent(&outside, 1)[0], "apns-collapse-id");
    outside.at(APPLE, |_| Err(Unanswered::TimedOut));
    mention(&kit, &bob, &ann).await;
    until(&kit, "an attempt", || sent(&outside, 1).len() == 2).await;
    let open = sent(&outside, 1).remove(1);

    let (kit, outside) = kit.restart_outside().await;
    good_services(&outside);
    mention(&kit, &bob, &ann).await;
    kit.skip(Duration::from_secs(60));
    until(&kit, "both", || sent(&outside, 1).len() == 2).await;
    for _ in 0..5 {
        round::deliver(&kit.host).await.unwrap();
    }
    let asks = sent(&outside, 1);
    assert_eq!(asks.len(), 2);
    assert!(asks.iter().all(|ask| header(ask, "apns-collapse-id") != confirmed), "confirmed before");
    let again = asks.iter().find(|ask| delivery(ask) == delivery(&open)).expect("it is sent again");
    assert_eq!(header(again, "apns-collapse-id"), header(&open, "apns-collapse-id"), "it replaces itself");
}

#[tokio::test]
async fn bad_tokens_are_told_with_their_place() {
    let (kit, _) = start().await;
    let ann = kit.person("ann").await;
    let phone = phone(&kit, &ann).await;
    let browser = Browser::new(51);
    let web = |change: fn(&mut Value)| {
        let mut set = json!({ "service": "webPush", "endpoint": browser.endpoint, "keys": browser.keys() });
        change(&mut set);
        set
    };
    for (set, pointer) in [
        (json!({ "service": "apns" }), "/token"),
        (json!({ "service": "apns", "token": "xyz" }), "/token"),
        (json!({ "service": "apns", "token": "abc".repeat(11) }), "/token"),
        (json!({ "service": "apns", "token": "ab".repeat(200) }), "/token"),
        (json!({ "service": "apns", "token": device_token(1), "endpoint": "https://a.b" }), "/endpoint"),
        (json!({ "service": "apns", "token": device_token(1), "keys": browser.keys() }), "/keys"),
        (json!({ "service": "fcm", "token": "a b" }), "/token"),
        (json!({ "service": "fcm", "token": "a", "sandbox": true }), "/sandbox"),
        (json!({ "service": "fcm", "token": "a".repeat(4_097) }), "/token"),
        (json!({ "service": "pigeon", "token": "a" }), "/service"),
        (json!({ "token": "a" }), "/service"),
        (web(|set| set["endpoint"] = json!("http://push.example/")), "/endpoint"),
        (web(|set| set["endpoint"] = json!("https://user@push.example/")), "/endpoint"),
        (web(|set| set["keys"] = Value::Null), "/keys"),
        (web(|set| set["keys"]["auth"] = json!("AAAA")), "/keys"),
        (web(|set| set["keys"]["p256dh"] = json!("AAAA")), "/keys"),
        (web(|set| set["token"] = json!("a")), "/token"),
    ] {
        let refused = phone.call(&kit, "device.setPushToken", set.clone()).await.problem(422, "invalid");
        assert!(refused.str("/errors/0/pointer").starts_with(pointer), "{set} {}", refused.text);
    }
    let good = json!({ "service": "apns", "token": device_token(1) });
    kit.call("device.setPushToken", None, good.clone()).await.problem(401, "unauthenticated");
    kit.call("device.setPushToken", Some(&admin_key("one")), good.clone())
        .await
        .problem(401, "unauthenticated");
    // The app's server says which device.
    later(&kit, &ann.id, "device.setPushToken", good.clone()).await.problem(422, "invalid");
    let mut of = good.clone();
    of["device"] = json!(phone.device);
    later(&kit, &ann.id, "device.setPushToken", of).await.expect(200);
    // Sent again under its key: the first reply; another body: refused.
    let key = kit.uuid();
    let headers = [("idempotency-key", key.as_str())];
    let with = With { token: Some(&phone.token), headers: &headers, ..With::default() };
    let first = kit.call_with("device.setPushToken", with.clone(), good.clone()).await.expect(200);
    let again = kit.call_with("device.setPushToken", with.clone(), good).await.expect(200);
    assert_eq!((again.header("gomer-replayed"), &again.text), (Some("true"), &first.text));
    let other = json!({ "service": "apns", "token": device_token(2) });
    kit.call_with("device.setPushToken", with, other).await.problem(422, "key-reused");
}

#[tokio::test]
async fn credentials_are_checked_kept_apart_and_never_shown() {
    let (kit, outside) = Kit::start_outside().await;
    let (ann, admin) = (kit.person("ann").await, admin_key("one"));
    let set = async |body: Value| kit.call("push.setCredentials", Some(&admin), body).await;
    let bad = |change: fn(&mut Value)| {
        let mut body = json!({ "apns": apns_account(), "fcm": fcm_account(), "webPush": { "subject": "mailto:a@b.example" } });
        change(&mut body);
        body
    };
    for (body, pointer) in [
        (bad(|it| it["apns"]["privateKey"] = json!("key")), "/apns/privateKey"),
        (bad(|it| it["apns"]["privateKey"] = json!(ACCOUNT_PEM)), "/apns/privateKey"),
        (bad(|it| it["apns"]["keyId"] = json!("short")), "/apns/keyId"),
        (bad(|it| it["apns"]["topic"] = json!("a\r\nb")), "/apns/topic"),
        (bad(|it| it["apns"]["topic"] = json!("a/b")), "/apns/topic"),
        (bad(|it| it["fcm"]["privateKey"] = it["apns"]["privateKey"].clone()), "/fcm/privateKey"),
        (bad(|it| it["fcm"]["projectId"] = json!("../x")), "/fcm/projectId"),
        (bad(|it| it["webPush"]["subject"] = json!("push@example.org")), "/webPush/subject"),
        (bad(|it| it["webPush"]["privateKey"] = json!("AAAA")), "/webPush/privateKey"),
    ] {
        let refused = set(body).await.problem(422, "invalid");
        assert_eq!(refused.str("/errors/0/pointer"), pointer);
    }
    set(json!({ "apns": { "key": 1 } })).await.problem(400, "unknown-field");
    let good = bad(|_| ());
    kit.call("push.setCredentials", Some(&ann.token), good.clone()).await.problem(403, "forbidden");
    kit.call("push.checkCredentials", Some(&ann.token), json!({})).await.problem(403, "forbidden");
    let none = kit.call("push.checkCredentials", Some(&admin), json!({})).await.expect(200);
    assert_eq!(none.json, json!({}));

    let first = set(good).await.expect(200);
    assert_eq!(
        first.json["apns"],
        json!({ "keyId": "KEY1234567", "teamId": "TEAM123456", "topic": "org.example.app" })
    );
    assert_eq!(first.json["fcm"]["privateKeyId"], "rsa-1");
    assert!(!first.text.contains("PRIVATE") && !first.text.contains("\"privateKey\""), "{}", first.text);
    // A key that was made stays when something else is changed, and goes when it is taken away.
    let public = first.str("/webPush/publicKey");
    let second =
        set(json!({ "webPush": { "subject": "https://example.org" }, "fcm": null })).await.expect(200);
    assert_eq!((second.str("/webPush/publicKey"), &second.json["fcm"]), (public.clone(), &Value::Null));
    assert_eq!(second.json["apns"], first.json["apns"]);
    let stale = json!({ "webPush": null, "ifRev": first.str("/rev") });
    set(stale).await.problem(412, "stale-revision");
    let third = set(json!({ "webPush": null, "ifRev": second.str("/rev") })).await.expect(200);
    assert_eq!(third.json["webPush"], Value::Null);
    let fourth = set(json!({ "webPush": { "subject": "mailto:a@b.example" } })).await.expect(200);
    assert_ne!(fourth.str("/webPush/publicKey"), public);
    set(json!({ "fcm": fcm_account() })).await.expect(200);

    // Asked of the services: a device that cannot be is how they say that the account is good.
    outside.at(APPLE, |ask| Ok(answer(ask, 400, &[], r#"{"reason":"BadDeviceToken"}"#)));
    outside.always(GOOGLE_TOKEN, 200, r#"{"access_token":"a","expires_in":3600}"#);
    outside.always(GOOGLE, 400, r#"{"error":{"status":"INVALID_ARGUMENT"}}"#);
    let checked = kit.call("push.checkCredentials", Some(&admin), json!({})).await.expect(200);
    let good = json!({ "good": true });
    assert_eq!(checked.json, json!({ "apns": good, "fcm": good, "webPush": good }));
    assert_eq!(body(&asked(&outside, GOOGLE)[0])["validate_only"], true, "nobody gets anything");
    outside.at(APPLE, |ask| Ok(answer(ask, 403, &[], r#"{"reason":"InvalidProviderToken"}"#)));
    outside.always(GOOGLE, 403, r#"{"error":{"status":"PERMISSION_DENIED"}}"#);
    let checked = kit.call("push.checkCredentials", Some(&server_key("one")), json!({})).await.expect(200);
    assert_eq!(checked.json["apns"], json!({ "good": false, "reason": "InvalidProviderToken" }));
    assert_eq!(checked.json["fcm"], json!({ "good": false, "reason": "PERMISSION_DENIED" }));
    // Another app has none of it.
    let two = admin_key("two");
    let with = With { app: Some("two"), token: Some(&two), ..With::default() };
    let theirs = kit.call_with("push.checkCredentials", with, json!({})).await.expect(200);
    assert_eq!(theirs.json, json!({}));
}

#[tokio::test]
async fn without_an_account_it_is_given_up_and_says_so() {
    let (kit, outside) = Kit::start_outside().await;
    let (ann, bob) = (kit.person("ann").await, kit.person("bob").await);
    let phone = phone(&kit, &ann).await;
    phone.apns(&kit, 1).await;
    mention(&kit, &bob, &ann).await;
    let mut reason = String::new();
    for _ in 0..400 {
        round::deliver(&kit.host).await.unwrap();
        let devices = phone.call(&kit, "device.list", json!({})).await.expect(200);
        reason = devices.text;
        if reason.contains("no-credentials") {
            break;
        }
        kit.skip(Duration::from_millis(500));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(reason.contains("no-credentials"), "{reason}");
    assert!(outside.asked().is_empty());
}

#[tokio::test]
async fn too_much_under_way_here_is_no_attempt_and_no_fault_of_the_service() {
    let (kit, outside) = start().await;
    let (ann, bob) = (kit.person("ann").await, kit.person("bob").await);
    phone(&kit, &ann).await.apns(&kit, 1).await;
    outside.at(APPLE, |_| Err(Unanswered::Busy));
    mention(&kit, &bob, &ann).await;
    until(&kit, "a try", || sent(&outside, 1).len() == 1).await;
    let id = delivery(&sent(&outside, 1)[0]);
    let known = state(&kit, &ann.id, &id).await;
    assert_eq!((known.str("/reason"), known.json["attempts"].clone()), ("busy".into(), json!(0)));
    outside.always(APPLE, 200, "");
    kit.skip(Duration::from_secs(3));
    until(&kit, "the push", || sent(&outside, 1).len() == 2).await;
    let known = state(&kit, &ann.id, &id).await;
    assert_eq!((known.str("/state"), known.json["attempts"].clone()), ("accepted".into(), json!(1)));
    assert!(known.json.get("reason").is_none(), "{}", known.text);
}
