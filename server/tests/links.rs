//! Accounts at identity providers: linking, signing in with them, unlinking; one profile each, and never the last way out.

mod kit;
#[path = "kit/provider.rs"]
mod provider;

use std::sync::Arc;
use std::time::Duration;

use gomer::outside::Scripted;
use kit::{Answer, Kit, PASSWORD, Person, admin_key};
use provider::Provider;
use serde_json::{Value, json};

const ISSUER: &str = "https://id.example";

struct Scene {
    kit: Kit,
    outside: Arc<Scripted>,
    provider: Provider,
}

impl Scene {
    async fn start() -> Scene {
        let (kit, outside) = Kit::start_outside().await;
        let provider = Provider::new();
        let providers = json!([
            { "name": "example", "issuer": ISSUER, "clientIds": ["app-ios", "app-web"] },
            { "name": "other", "issuer": "https://other.example", "clientIds": ["app-ios"] },
        ]);
        let settings = json!({ "settings": { "providers": providers } });
        kit.call("admin.updateSettings", Some(&admin_key("one")), settings).await.expect(200);
        for issuer in [ISSUER, "https://other.example"] {
            let keys = format!("{issuer}/keys");
            let about = json!({ "issuer": issuer, "jwks_uri": keys });
            outside.always(&format!("{issuer}/.well-known/openid-configuration"), 200, about.to_string());
            outside.always(&keys, 200, provider.keys().to_string());
        }
        Scene { kit, outside, provider }
    }

    fn claims(&self, subject: &str) -> Value {
        let now = self.kit.host.cluster.now().wall.as_millis() / 1_000;
        json!({
            "iss": ISSUER, "sub": subject, "aud": "app-ios", "exp": now + 600, "iat": now, "nonce": "n-1",
            "email": "ann@example.org", "email_verified": true,
        })
    }

    fn token(&self, subject: &str) -> String {
        self.provider.sign("ES256", &self.claims(subject))
    }

    async fn link(&self, who: &Person, token: &str) -> Answer {
        self.kit.skip(Duration::from_secs(30));
        let body = json!({ "provider": "example", "idToken": token, "nonce": "n-1" });
        self.kit.call("account.linkProvider", Some(&who.token), body).await
    }

    async fn sign_in(&self, token: &str) -> Answer {
        self.kit.skip(Duration::from_secs(30));
        let body = json!({ "provider": "example", "idToken": token, "nonce": "n-1" });
        self.kit.call("auth.createSession", None, body).await
    }

    async fn unlink(&self, who: &Person) -> Answer {
        self.kit.call("account.unlinkProvider", Some(&who.token), json!({ "provider": "example" })).await
    }

    async fn links(&self, who: &Person) -> Value {
        let list = self.kit.call("account.listLinks", Some(&who.token), json!({})).await.expect(200);
        list.json["items"].clone()
    }
}

#[tokio::test]
async fn a_linked_account_signs_in_and_an_unlinked_one_does_not() {
    let scene = Scene::start().await;
    let (ann, bob) = (scene.kit.person("ann").await, scene.kit.person("bob").await);
    scene.sign_in(&scene.token("ann-1")).await.problem(401, "unauthenticated");
    let first = scene.link(&ann, &scene.token("ann-1")).await.expect(200);
    assert_eq!((first.str("/provider"), first.str("/subject")), ("example".into(), "ann-1".into()));
    assert_eq!(first.str("/email"), "ann@example.org");
    // The same again is the same link, by either algorithm.
    let again = scene.provider.sign("RS256", &scene.claims("ann-1"));
    assert_eq!(scene.link(&ann, &again).await.expect(200).json, first.json);
    assert_eq!(scene.links(&ann).await, json!([first.json]));
    assert_eq!(scene.links(&bob).await, json!([]), "nobody else's");
    // It is hers alone, and she has one of each provider.
    scene.link(&bob, &scene.token("ann-1")).await.problem(409, "name-taken");
    scene.link(&ann, &scene.token("ann-2")).await.problem(403, "forbidden");
    let session = scene.sign_in(&scene.token("ann-1")).await.expect(200);
    assert_eq!(
        (session.str("/profile/id"), session.str("/session/proof")),
        (ann.id.clone(), "provider".into())
    );
    let me =
        scene.kit.call("auth.getSession", Some(&session.str("/accessToken")), json!({})).await.expect(200);
    assert_eq!(me.str("/profile/id"), ann.id);
    scene.sign_in(&scene.token("bob-1")).await.problem(401, "unauthenticated");
    // The provider's keys are asked for once.
    let asked = scene.outside.asked().len();
    assert_eq!(asked, 2, "{:?}", scene.outside.asked().iter().map(|ask| ask.url.clone()).collect::<Vec<_>>());

    scene.unlink(&ann).await.expect(200);
    scene.unlink(&ann).await.expect(200);
    assert_eq!(scene.links(&ann).await, json!([]));
    scene.sign_in(&scene.token("ann-1")).await.problem(401, "unauthenticated");
    // Then it is anybody's, also hers once more.
    scene.link(&bob, &scene.token("ann-1")).await.expect(200);
    scene.link(&ann, &scene.token("ann-2")).await.expect(200);
    scene.unlink(&bob).await.expect(200);
    assert_eq!(scene.sign_in(&scene.token("ann-2")).await.expect(200).str("/profile/id"), ann.id);
    // All of it survives the process.
    let Scene { kit, provider, .. } = scene;
    let kit = kit.restart().await;
    let list = kit.call("account.listLinks", Some(&ann.token), json!({})).await.expect(200);
    assert_eq!(list.str("/items/0/subject"), "ann-2");
    // Nobody outside answers this one: it says so, and lets nobody in.
    let now = kit.host.cluster.now().wall.as_millis() / 1_000;
    let claims = json!({ "iss": ISSUER, "sub": "ann-2", "aud": "app-ios", "exp": now + 600, "nonce": "n-1" });
    let body = json!({ "provider": "example", "idToken": provider.sign("ES256", &claims), "nonce": "n-1" });
    kit.call("auth.createSession", None, body).await.problem(503, "unavailable");
}

#[tokio::test]
async fn what_is_no_good_token_links_nothing_and_lets_nobody_in() {
    let scene = Scene::start().await;
    let ann = scene.kit.person("ann").await;
    scene.link(&ann, &scene.token("ann-1")).await.expect(200);
    let bob = scene.kit.person("bob").await;
    let stranger = Provider::new();
    let mut bad = vec![
        ("another's key", stranger.sign("ES256", &scene.claims("ann-1"))),
        ("no signature", scene.provider.sign_as("ES256", &json!({ "alg": "none" }), &scene.claims("ann-1"))),
        ("no token", "x.y.z".to_owned()),
    ];
    for (why, field, value) in [
        ("another issuer", "iss", json!("https://other.example")),
        ("another client", "aud", json!("somebody-else")),
        ("over", "exp", json!(1)),
        ("another nonce", "nonce", json!("n-2")),
        ("no nonce", "nonce", json!(null)),
    ] {
        let mut claims = scene.claims("ann-1");
        claims[field] = value;
        bad.push((why, scene.provider.sign("ES256", &claims)));
    }
    for (why, token) in &bad {
        let refused = scene.link(&bob, token).await.problem(422, "invalid");
        assert_eq!(refused.str("/errors/0/pointer"), "/idToken", "{why}");
        scene.sign_in(token).await.problem(401, "unauthenticated");
    }
    assert_eq!(scene.links(&bob).await, json!([]));
    let token = scene.token("ann-1");
    for (body, pointer) in [
        (json!({ "provider": "nobody", "idToken": token }), "/provider"),
        (json!({ "idToken": token }), "/provider"),
        (json!({ "provider": "example" }), "/idToken"),
        (json!({ "provider": "example", "idToken": token, "password": PASSWORD }), "/password"),
        (json!({ "provider": "example", "idToken": token, "handle": "ann" }), "/handle"),
        (json!({ "handle": "ann", "password": PASSWORD, "nonce": "n" }), "/idToken"),
    ] {
        scene.kit.skip(Duration::from_secs(10));
        let refused = scene.kit.call("auth.createSession", None, body.clone()).await.problem(422, "invalid");
        assert_eq!(refused.str("/errors/0/pointer"), pointer, "{body}");
    }
    for method in ["account.linkProvider", "account.unlinkProvider", "account.listLinks"] {
        let body = match method {
            "account.linkProvider" => json!({ "provider": "example", "idToken": token }),
            "account.unlinkProvider" => json!({ "provider": "example" }),
            _ => json!({}),
        };
        scene.kit.call(method, None, body.clone()).await.problem(401, "unauthenticated");
        scene.kit.call(method, Some(&admin_key("one")), body).await.problem(401, "unauthenticated");
    }
    // In another app there is no such provider.
    let theo = scene.kit.person_in("two", "theo").await;
    let with = kit::With { app: Some("two"), token: Some(&theo.token), ..kit::With::default() };
    let body = json!({ "provider": "example", "idToken": token, "nonce": "n-1" });
    scene.kit.call_with("account.linkProvider", with, body).await.problem(422, "invalid");
}

#[tokio::test]
async fn a_guest_with_a_linked_account_is_none_and_keeps_a_way_in() {
    let scene = Scene::start().await;
    let guest = scene.kit.call("auth.createGuest", None, json!({ "id": scene.kit.uuid() })).await.expect(200);
    let gus = Person {
        id: guest.str("/profile/id"),
        handle: String::new(),
        token: guest.str("/accessToken"),
        refresh: guest.str("/refreshToken"),
    };
    scene.link(&gus, &scene.token("gus-1")).await.expect(200);
    let session = scene.sign_in(&scene.token("gus-1")).await.expect(200);
    assert_eq!(session.str("/profile/id"), gus.id);
    assert_eq!(session.json["profile"]["guest"], false, "{}", session.text);
    scene.unlink(&gus).await.problem(403, "forbidden");
    // With a second provider it may go.
    let mut claims = scene.claims("gus-9");
    claims["iss"] = json!("https://other.example");
    let body =
        json!({ "provider": "other", "idToken": scene.provider.sign("RS256", &claims), "nonce": "n-1" });
    scene.kit.call("account.linkProvider", Some(&gus.token), body).await.expect(200);
    scene.unlink(&gus).await.expect(200);
    let last = json!({ "provider": "other" });
    scene.kit.call("account.unlinkProvider", Some(&gus.token), last.clone()).await.problem(403, "forbidden");
    // With a password of their own as well.
    let body = json!({ "handle": "gus", "password": PASSWORD });
    scene.kit.call("auth.createAccount", Some(&gus.token), body).await.expect(200);
    scene.kit.call("account.unlinkProvider", Some(&gus.token), last).await.expect(200);
}

#[tokio::test]
async fn two_who_want_the_same_account_at_once_never_both_have_it() {
    let scene = Scene::start().await;
    let (ann, bob) = (scene.kit.person("ann").await, scene.kit.person("bob").await);
    for round in 0..5 {
        let token = scene.token(&format!("both-{round}"));
        let (first, second) = tokio::join!(scene.link(&ann, &token), scene.link(&bob, &token));
        let won: Vec<u16> =
            [first.status, second.status].into_iter().filter(|&status| status == 200).collect();
        assert_eq!(won.len(), 1, "{} {}", first.text, second.text);
        let session = scene.sign_in(&token).await.expect(200);
        assert_eq!(
            session.str("/profile/id"),
            if first.status == 200 { ann.id.clone() } else { bob.id.clone() }
        );
        scene.unlink(&ann).await.expect(200);
        scene.unlink(&bob).await.expect(200);
    }
}

#[tokio::test]
async fn new_keys_of_a_provider_are_found_and_an_unknown_one_does_not_flood_it() {
    let Scene { kit, outside, provider } = Scene::start().await;
    outside.always(&format!("{ISSUER}/keys"), 200, json!({ "keys": [] }).to_string());
    let scene = Scene { kit, outside, provider };
    let ann = scene.kit.person("ann").await;
    scene.link(&ann, &scene.token("ann-1")).await.problem(422, "invalid");
    scene.outside.always(&format!("{ISSUER}/keys"), 200, scene.provider.keys().to_string());
    let before = scene.outside.asked().len();
    let body = json!({ "provider": "example", "idToken": scene.token("ann-1"), "nonce": "n-1" });
    scene.kit.call("account.linkProvider", Some(&ann.token), body).await.problem(422, "invalid");
    assert_eq!(scene.outside.asked().len(), before, "asked less than a minute ago");
    scene.kit.skip(Duration::from_secs(61));
    scene.link(&ann, &scene.token("ann-1")).await.expect(200);
    // A provider that is not there any more: its keys are good for a while after they should be asked for again.
    scene.outside.always(ISSUER, 500, "");
    scene.outside.always(&format!("{ISSUER}/keys"), 500, "");
    scene.outside.always(&format!("{ISSUER}/.well-known/openid-configuration"), 500, "");
    scene.kit.skip(Duration::from_secs(3_700));
    scene.sign_in(&scene.token("ann-1")).await.expect(200);
    // A configuration that is about somebody else is no configuration.
    let about = json!({ "issuer": "https://evil.example", "jwks_uri": "https://evil.example/keys" });
    scene.outside.always("https://other.example/.well-known/openid-configuration", 200, about.to_string());
    let mut claims = scene.claims("ann-1");
    claims["iss"] = json!("https://other.example");
    let token = scene.provider.sign("ES256", &claims);
    let body = json!({ "provider": "other", "idToken": token, "nonce": "n-1" });
    let kit = &scene.kit;
    let login = json!({ "handle": "ann", "password": PASSWORD });
    let session = kit.call("auth.createSession", None, login).await.expect(200).str("/accessToken");
    kit.call("account.linkProvider", Some(&session), body).await.problem(503, "unavailable");
}
