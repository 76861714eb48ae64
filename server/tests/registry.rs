//! What every method gets from its declaration, and what no call gets past: arguments, verbs, keys, roles,
//! apps, replays, revisions, limits. Half of it goes over all methods, so that a new one is covered.

mod kit;

use bytes::Bytes;
use gomer::http::{Api, Side};
use gomer::methods;
use gomer::registry::{Kind, Method as Declared, Registry, Role, Scope};
use gomer_core::id::Id;
use gomer_core::meta::command::{AppState, MetaCommand};
use gomer_net::http::{Refusal, Request, Service};
use hyper::Method;
use hyper::header::{HeaderName, HeaderValue};
use kit::{Answer, Kit, With, admin_key, client_key, operator_token, server_key};
use serde_json::json;

/// Adds a header, also one that is there.
fn with(mut request: Request, headers: &[(&'static str, &str)]) -> Request {
    for (name, value) in headers {
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        request.headers.append(HeaderName::from_static(name), value);
    }
    request
}

/// A POST with these bytes, with the key of app `one`, as JSON.
fn post(kit: &Kit, method: &str, body: impl Into<Bytes>) -> Request {
    let request = kit.bare(Method::POST, &format!("/v1/one/{method}"));
    let request = with(request, &[("gomer-key", &client_key("one")), ("content-type", "application/json")]);
    Request { body: body.into(), ..request }
}

async fn ask(kit: &Kit, request: Request) -> Answer {
    kit.ask(Side::Public, request).await
}

/// A call with a token and headers.
async fn say(
    kit: &Kit,
    method: &str,
    token: Option<&str>,
    headers: &[(&'static str, &str)],
    body: serde_json::Value,
) -> Answer {
    kit.call_with(method, With { token, headers, ..With::default() }, body).await
}

fn all() -> Registry {
    Registry::new(methods::all())
}

fn in_app(method: &Declared) -> bool {
    method.scope == Scope::App
}

#[tokio::test]
async fn bad_arguments_are_refused_with_their_place() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    for (body, status, code, pointer, what) in [
        (json!({ "nope": 1 }), 400, "unknown-field", "/nope", "unknown-field"),
        (json!({}), 422, "invalid", "/id", "missing"),
        (json!({ "id": 7 }), 422, "invalid", "/id", "type"),
        (json!({ "id": null }), 422, "invalid", "/id", "type"),
        (json!({ "id": "7" }), 422, "invalid", "/id", "format"),
        (json!({ "id": "00000000-0000-0000-0000-000000000000" }), 422, "invalid", "/id", "format"),
    ] {
        let answer = kit.call("follow.create", Some(&ann.token), body.clone()).await.problem(status, code);
        assert_eq!(
            (answer.str("/errors/0/pointer"), answer.str("/errors/0/code")),
            (pointer.into(), what.into()),
            "{body}"
        );
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    }
}

#[tokio::test]
async fn bodies_that_are_not_strict_json_are_refused() {
    let kit = Kit::start().await;
    let deep = "[".repeat(40) + &"]".repeat(40);
    for (body, status, code) in [
        (&b"{"[..], 400, "bad-request"),
        (b"{}{}", 400, "bad-request"),
        (b"{\"id\":\"a\",\"id\":\"b\"}", 400, "bad-request"),
        (b"{\"id\":\"\xff\xfe\"}", 400, "bad-request"),
        (b"{\"id\":\"\\ud800\"}", 400, "bad-request"),
        (b"{\"id\":1e999}", 400, "bad-request"),
        (deep.as_bytes(), 413, "too-large"),
    ] {
        let body = Bytes::copy_from_slice(body);
        let shown = String::from_utf8_lossy(&body).into_owned();
        let answer = ask(&kit, post(&kit, "profile.get", body)).await;
        assert_eq!(
            (answer.status, answer.json["code"].as_str()),
            (status, Some(code)),
            "{shown}: {}",
            answer.text
        );
    }
    let long = json!({ "handle": "x".repeat(70_000) }).to_string();
    ask(&kit, post(&kit, "profile.get", long)).await.problem(413, "too-large");
}

#[tokio::test]
async fn a_body_is_json_and_says_so() {
    let kit = Kit::start().await;
    let bare = kit.bare(Method::POST, "/v1/one/app.getInfo");
    let with_type = |content_type: &str| {
        let request =
            with(bare.clone(), &[("gomer-key", &client_key("one")), ("content-type", content_type)]);
        Request { body: Bytes::from_static(b"{}"), ..request }
    };
    for wrong in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/json; charset=latin1",
        "multipart/form-data",
        "",
    ] {
        ask(&kit, with_type(wrong)).await.problem(415, "unsupported-media-type");
    }
    for right in ["application/json", "application/json; charset=utf-8", "APPLICATION/JSON"] {
        ask(&kit, with_type(right)).await.expect(200);
    }
    let untold = Request {
        body: Bytes::from_static(b"{}"),
        ..with(bare.clone(), &[("gomer-key", &client_key("one"))])
    };
    ask(&kit, untold).await.problem(415, "unsupported-media-type");
    let none = with(bare, &[("gomer-key", &client_key("one"))]);
    ask(&kit, none).await.expect(200);
}

#[tokio::test]
async fn arguments_of_a_query_stand_in_the_address_or_in_the_body() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    let key = client_key("one");
    let get = |query: &str| {
        with(kit.bare(Method::GET, &format!("/v1/one/profile.get{query}")), &[("gomer-key", &key)])
    };
    let by_get = ask(&kit, get(&format!("?id={}", ann.id))).await.expect(200);
    let by_post = ask(&kit, post(&kit, "profile.get", json!({ "id": ann.id }).to_string())).await.expect(200);
    assert_eq!(by_get.json, by_post.json);
    for (query, status, code) in [
        ("?nope=1", 400, "unknown-field"),
        ("?id=1", 422, "invalid"),
        ("?id=%zz", 400, "bad-request"),
        ("?id=%ff", 400, "bad-request"),
    ] {
        ask(&kit, get(query)).await.problem(status, code);
    }
    let twice = get(&format!("?id={0}&id={0}", ann.id));
    ask(&kit, twice).await.problem(422, "invalid");
    let both = Request { query: Some("id=1".into()), ..post(&kit, "profile.get", "{}") };
    ask(&kit, both).await.problem(400, "bad-request");
    let with_body = Request { body: Bytes::from_static(b"{}"), ..get("") };
    ask(&kit, with_body).await.problem(400, "bad-request");
}

#[tokio::test]
async fn other_verbs_are_refused_and_the_right_ones_named() {
    let kit = Kit::start().await;
    let key = client_key("one");
    for verb in [Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS, Method::TRACE] {
        for (path, allow) in [("/v1/one/app.getInfo", "GET, HEAD, POST"), ("/v1/one/follow.create", "POST")] {
            let request = with(kit.bare(verb.clone(), path), &[("gomer-key", &key)]);
            let answer = ask(&kit, request).await.problem(400, "bad-request");
            assert_eq!(answer.header("allow"), Some(allow), "{verb} {path}");
        }
    }
    let head = with(kit.bare(Method::HEAD, "/v1/one/app.getInfo"), &[("gomer-key", &key)]);
    ask(&kit, head).await.expect(200);
    for verb in [Method::GET, Method::HEAD] {
        let request = with(kit.bare(verb, "/v1/one/follow.create"), &[("gomer-key", &key)]);
        ask(&kit, request).await.problem(400, "bad-request");
    }
}

#[tokio::test]
async fn what_is_not_there_looks_the_same_everywhere() {
    let kit = Kit::start().await;
    let key = client_key("one");
    let mut seen = Vec::new();
    for path in [
        "/",
        "/v1",
        "/v1/one",
        "/v1/one/post.explode",
        "/v1/none/app.getInfo",
        "/v1/one/cluster.listApps",
        "/v1/-/cluster.listApps",
        "/v1/-/app.getInfo",
        "/v1/one/app%2EgetInfo",
        "/metrics",
    ] {
        let answer = ask(&kit, with(kit.bare(Method::GET, path), &[("gomer-key", &key)])).await;
        seen.push((path, answer.problem(404, "not-found").untraced()));
    }
    let unknown = kit.call("profile.get", None, json!({ "id": kit.uuid() })).await.problem(404, "not-found");
    seen.push(("an unknown profile", unknown.untraced()));
    for (path, text) in &seen {
        assert_eq!(text, &seen[0].1, "{path}");
    }
}

#[tokio::test]
async fn no_method_of_an_app_answers_without_a_good_key() {
    let kit = Kit::start().await;
    let (other, server, admin) = (client_key("two"), server_key("one"), admin_key("one"));
    let keys: [&[&str]; 6] = [&[], &["gomer_client_wrong"], &[&other], &[&server], &[&admin], &[""]];
    for method in all().iter().filter(|method| in_app(method)) {
        for key in keys {
            let request = kit.bare(Method::POST, &format!("/v1/one/{}", method.name));
            let headers: Vec<_> = key.iter().map(|key| ("gomer-key", *key)).collect();
            let answer = ask(&kit, with(request, &headers)).await;
            assert_eq!(
                answer.json["code"], "unauthenticated",
                "{} with {key:?}: {}",
                method.name, answer.text
            );
        }
    }
    let twice =
        with(kit.bare(Method::GET, "/v1/one/app.getInfo"), &[("gomer-key", &other), ("gomer-key", &other)]);
    ask(&kit, twice).await.problem(400, "bad-request");
}

#[tokio::test]
async fn a_revoked_key_is_no_key() {
    let kit = Kit::start().await;
    kit.call("app.getInfo", None, json!({})).await.expect(200);
    let app = kit.host.cluster.meta().apps["one"].id;
    let id = Id::derived("test key", client_key("one").as_bytes());
    kit.host.cluster.change_meta(MetaCommand::RevokeKey { app, id }).await.unwrap();
    kit.call("app.getInfo", None, json!({})).await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn every_method_refuses_callers_below_its_role() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    for method in all().iter().filter(|method| in_app(method)) {
        let as_nobody = kit.call(method.name, None, json!({})).await;
        match method.role {
            Role::Anonymous => {
                assert_ne!(as_nobody.json["code"], "unauthenticated", "{}", method.name);
            }
            Role::User | Role::Owner => {
                as_nobody.problem(401, "unauthenticated");
            }
            Role::Moderator | Role::AppAdmin | Role::Operator => {
                as_nobody.problem(401, "unauthenticated");
                kit.call(method.name, Some(&ann.token), json!({})).await.problem(403, "forbidden");
            }
        }
    }
}

#[tokio::test]
async fn each_kind_of_caller_gets_what_its_role_allows() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    let (server, admin, operator) = (server_key("one"), admin_key("one"), operator_token());
    let (other_server, other_admin) = (server_key("two"), admin_key("two"));
    // An app admin's method, for each who might ask for it.
    for (who, token, status) in [
        ("nobody", None, 401),
        ("a user", Some(&ann.token), 403),
        ("the app's server", Some(&server), 200),
        ("an administrator", Some(&admin), 200),
        ("the operator", Some(&operator), 403),
        ("another app's server", Some(&other_server), 401),
        ("another app's administrator", Some(&other_admin), 401),
        ("a made-up key", Some(&"gomer_server_made_up".to_owned()), 401),
        ("a made-up session", Some(&"c2Vzc2lvbg".to_owned()), 401),
    ] {
        let answer = kit.call("admin.getSettings", token.map(String::as_str), json!({})).await;
        assert_eq!(answer.status, status, "{who}: {}", answer.text);
    }
    let two = With { app: Some("two"), token: Some(&ann.token), ..With::default() };
    kit.call_with("auth.getSession", two, json!({})).await.problem(401, "unauthenticated");
    for bad in ["Basic YTpi", "Bearer", "Bearer ", "token"] {
        let headers = &[("authorization", bad)];
        let with = With { headers, ..With::default() };
        kit.call_with("app.getInfo", with, json!({})).await.problem(401, "unauthenticated");
    }
}

#[tokio::test]
async fn only_a_server_key_acts_for_somebody() {
    let kit = Kit::start().await;
    let (ann, bob) = (kit.person("ann").await, kit.person("bob").await);
    let server = server_key("one");
    let as_ann = [("gomer-as", ann.id.as_str())];
    let (admin, unknown) = (admin_key("one"), kit.uuid());
    let as_unknown = [("gomer-as", unknown.as_str())];
    for (token, headers, status, code) in [
        (Some(&server), &as_ann[..], 200, ""),
        (Some(&bob.token), &as_ann, 403, "forbidden"),
        (None, &as_ann, 403, "forbidden"),
        (Some(&admin), &as_ann, 403, "forbidden"),
        (Some(&server), &[], 401, "unauthenticated"),
        (Some(&server), &[("gomer-as", "ann")], 400, "bad-request"),
        (Some(&server), &as_unknown, 404, "not-found"),
    ] {
        let answer = say(&kit, "permission.getMine", token.map(String::as_str), headers, json!({})).await;
        let found = answer.json["code"].as_str().unwrap_or_default();
        assert_eq!((answer.status, found), (status, code), "{headers:?}: {}", answer.text);
    }
}

#[tokio::test]
async fn the_operators_methods_stand_on_the_admin_listener_for_the_operator() {
    let kit = Kit::start().await;
    let operator = format!("Bearer {}", operator_token());
    let server = format!("Bearer {}", server_key("one"));
    for method in all().iter().filter(|method| method.scope == Scope::Cluster) {
        let path = format!("/v1/-/{}", method.name);
        let bare = kit.bare(Method::POST, &path);
        kit.ask(Side::Admin, bare.clone()).await.problem(401, "unauthenticated");
        kit.ask(Side::Admin, with(bare.clone(), &[("authorization", &server)]))
            .await
            .problem(401, "unauthenticated");
        let on_public = with(bare.clone(), &[("authorization", &operator)]);
        ask(&kit, on_public.clone()).await.problem(404, "not-found");
        let answer = kit.ask(Side::Admin, on_public).await;
        assert!(![401, 403, 404].contains(&answer.status), "{path}: {}", answer.text);
    }
    let metrics = kit.ask(Side::Admin, kit.bare(Method::GET, "/metrics")).await.expect(200);
    assert!(
        metrics.text.contains("gomer_calls_total{method=\"cluster.") && metrics.text.ends_with("# EOF\n")
    );
    assert!(metrics.text.contains("le=\"+Inf\""), "every histogram ends with an open bucket");
}

#[tokio::test]
async fn the_same_operation_again_gives_the_same_reply_and_another_body_is_refused() {
    let kit = Kit::start().await;
    let (ann, bob) = (kit.person("ann").await, kit.person("bob").await);
    let (op, post) = (kit.uuid(), kit.uuid());
    let quoted = format!("\"{op}\"");
    let body = |text: &str| json!({ "id": post, "text": text });
    let bare = [("idempotency-key", op.as_str())];
    let (ann, bob) = (Some(ann.token.as_str()), Some(bob.token.as_str()));
    let first = say(&kit, "post.create", ann, &bare, body("hello")).await.expect(200);
    assert_eq!(first.header("gomer-replayed"), None);
    let again =
        say(&kit, "post.create", ann, &[("idempotency-key", &quoted)], body("hello")).await.expect(200);
    assert_eq!((again.header("gomer-replayed"), &again.text), (Some("true"), &first.text));
    say(&kit, "post.create", ann, &bare, body("another")).await.problem(422, "key-reused");
    // Somebody else's operation ids are their own; the post's id is not.
    say(&kit, "post.create", bob, &bare, body("hello")).await.problem(409, "id-taken");
    say(&kit, "post.create", ann, &[("idempotency-key", "")], body("hello"))
        .await
        .problem(400, "bad-request");
}

#[tokio::test]
async fn revisions_guard_updates_and_spare_reads() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    let (me, id) = (Some(ann.token.as_str()), json!({ "id": ann.id }));
    let name = |name: &str| json!({ "name": name });
    let first = say(&kit, "profile.get", me, &[], id.clone()).await.expect(200);
    let tag = first.header("etag").expect("a profile has a revision").to_owned();
    let unchanged = say(&kit, "profile.get", me, &[("if-none-match", &tag)], id.clone()).await.expect(304);
    assert_eq!((unchanged.text.as_str(), unchanged.header("etag")), ("", Some(tag.as_str())));
    let updated = say(&kit, "profile.update", me, &[("if-match", &tag)], name("Ann")).await.expect(200);
    let newer = updated.header("etag").expect("an update has a revision").to_owned();
    assert_ne!(newer, tag);
    let stale = say(&kit, "profile.update", me, &[("if-match", &tag)], name("Anna")).await;
    let stale = stale.problem(412, "stale-revision");
    assert_eq!((format!("\"{}\"", stale.str("/rev")), stale.str("/current/name")), (newer, "Ann".into()));
    for (value, status) in [("\"of another server\"", 412), ("bare", 400), ("*", 200)] {
        say(&kit, "profile.update", me, &[("if-match", value)], name("Anna")).await.expect(status);
    }
    say(&kit, "profile.get", me, &[("if-none-match", &tag)], id).await.expect(200);
    // Where there is nothing to compare with, a guard is not passed over in silence.
    let post = json!({ "id": kit.uuid(), "text": "x" });
    for (method, args) in [("post.create", post.clone()), ("like.put", json!({ "post": post["id"] }))] {
        let refused = say(&kit, method, me, &[("if-match", &tag)], args).await.problem(400, "bad-request");
        assert!(refused.str("/detail").contains("If-Match"), "{}", refused.text);
    }
    say(&kit, "post.get", me, &[], json!({ "id": post["id"] })).await.problem(404, "not-found");
}

#[tokio::test]
async fn replies_carry_the_contracts_headers() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    let headers = &[("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")];
    let with = With { token: Some(&ann.token), headers, ..With::default() };
    let answer = kit.call_with("profile.get", with, json!({ "id": ann.id })).await.expect(200);
    assert_eq!(answer.header("gomer-trace"), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(answer.header("access-control-allow-origin"), None);
    assert!(
        answer.header("gomer-position").is_some_and(|position| position.parse::<u64>().is_ok_and(|p| p > 0))
    );
    assert!(answer.header("cache-control").is_some_and(|value| value.contains("private")));
    assert_eq!(answer.header("ratelimit-policy"), Some("\"reads\";q=50;w=1"));
    let problem = kit.call("profile.get", None, json!({ "id": kit.uuid() })).await.problem(404, "not-found");
    assert_eq!(problem.header("gomer-trace"), problem.json["instance"].as_str());
}

#[tokio::test]
async fn too_many_calls_are_refused_and_told_when_to_come_again() {
    let kit = Kit::start().await;
    let client = Some(kit.address());
    let mut last = None;
    for _ in 0..400 {
        let answer = kit.call_with("app.getInfo", With { client, ..With::default() }, json!({})).await;
        if answer.status != 200 {
            last = Some(answer.problem(429, "rate-limited"));
            break;
        }
    }
    let refused = last.expect("the bucket of an address is emptied by 400 calls");
    assert_eq!((refused.header("retry-after"), refused.json["retry"].as_str()), (Some("1"), Some("later")));
    assert!(refused.header("ratelimit").is_some_and(|value| value.starts_with("\"reads\";r=0;")));
    kit.call("app.getInfo", None, json!({})).await.expect(200);
    kit.skip(std::time::Duration::from_secs(1));
    kit.call_with("app.getInfo", With { client, ..With::default() }, json!({})).await.expect(200);
}

#[tokio::test]
async fn an_app_out_of_use_answers_nobody_and_a_read_only_one_only_reads() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    let app = kit.host.cluster.meta().apps["one"].id;
    let set = |state| {
        let update = MetaCommand::UpdateApp { app, if_rev: None, title: None, state: Some(state) };
        kit.host.cluster.change_meta(update)
    };
    let body = || json!({ "id": kit.uuid(), "text": "hello" });
    set(AppState::ReadOnly).await.unwrap();
    kit.call("post.create", Some(&ann.token), body()).await.problem(403, "forbidden");
    kit.call("profile.get", Some(&ann.token), json!({ "id": ann.id })).await.expect(200);
    set(AppState::Frozen).await.unwrap();
    kit.call("profile.get", Some(&ann.token), json!({ "id": ann.id })).await.problem(403, "forbidden");
    set(AppState::Active).await.unwrap();
    kit.call("post.create", Some(&ann.token), body()).await.expect(200);
}

#[tokio::test]
async fn pages_of_listed_origins_may_call_and_others_may_not() {
    let kit = Kit::start().await;
    let app = kit.host.cluster.meta().apps["one"].id;
    let json = r#"{"cors":{"origins":["https://app.example"]}}"#.to_owned();
    kit.host.cluster.change_meta(MetaCommand::PutSettings { app, if_rev: None, json }).await.unwrap();
    let preflight = |origin: &str| {
        let request = kit.bare(Method::OPTIONS, "/v1/one/app.getInfo");
        with(request, &[("origin", origin), ("access-control-request-method", "POST")])
    };
    let leave = ask(&kit, preflight("https://app.example")).await.expect(204);
    assert_eq!(leave.header("access-control-allow-origin"), Some("https://app.example"));
    ask(&kit, preflight("https://evil.example")).await.problem(400, "bad-request");
    for (origin, allowed) in
        [("https://app.example", Some("https://app.example")), ("https://evil.example", None), ("null", None)]
    {
        let headers = &[("origin", origin)];
        let answer =
            kit.call_with("app.getInfo", With { headers, ..With::default() }, json!({})).await.expect(200);
        assert_eq!(answer.header("access-control-allow-origin"), allowed, "{origin}");
    }
}

#[tokio::test]
async fn probes_say_how_the_process_is() {
    let kit = Kit::start().await;
    ask(&kit, kit.bare(Method::GET, "/healthz")).await.expect(200);
    let ready = ask(&kit, kit.bare(Method::GET, "/readyz")).await.expect(200);
    assert_eq!(ready.json, json!({ "ready": true, "reasons": [] }));
    kit.host.health.drain();
    let ready = ask(&kit, kit.bare(Method::GET, "/readyz")).await.expect(503);
    assert_eq!(ready.json, json!({ "ready": false, "reasons": ["draining"] }));
    assert_eq!(ready.header("retry-after"), Some("1"));
    ask(&kit, kit.bare(Method::POST, "/healthz")).await.problem(400, "bad-request");
    let api = Api::new(kit.host.clone(), Side::Public);
    for (verb, path, probe) in [
        (Method::GET, "/healthz", true),
        (Method::HEAD, "/readyz", true),
        (Method::POST, "/healthz", false),
        (Method::GET, "/v1/one/app.getInfo", false),
        (Method::GET, "/metrics", false),
    ] {
        assert_eq!(api.is_probe(&verb, path), probe, "{verb} {path}");
    }
    let api = ask(&kit, kit.bare(Method::GET, "/v1/-/system.getOpenApi")).await.expect(200);
    assert_eq!(api.text, gomer::openapi::document());
    let errors = ask(&kit, kit.bare(Method::GET, "/v1/-/system.listErrors")).await.expect(200);
    assert_eq!(errors.json["items"].as_array().map(Vec::len), Some(23));
}

#[tokio::test]
async fn what_the_front_refuses_is_told_like_everything_else() {
    let kit = Kit::start().await;
    let api = gomer::http::Api::new(kit.host.clone(), Side::Public);
    for (refusal, status) in [
        (Refusal::HeadTooLarge, 431),
        (Refusal::TooManyHeaders, 431),
        (Refusal::UriTooLong, 414),
        (Refusal::BadRequest("no"), 400),
        (Refusal::BodyTooLarge { limit: 7 }, 413),
        (Refusal::BodyTooSlow, 408),
        (Refusal::BodyIncomplete, 400),
        (Refusal::ContentEncoding, 415),
        (Refusal::Busy, 503),
        (Refusal::Draining, 503),
        (Refusal::Panicked, 500),
    ] {
        let response = api.refuse(refusal);
        assert_eq!(response.status.as_u16(), status, "{refusal:?}");
        assert_eq!(response.headers["content-type"], "application/problem+json");
        assert_eq!(response.headers.contains_key("retry-after"), status == 503, "{refusal:?}");
    }
    for method in all().iter().filter(|method| in_app(method)) {
        let limit = api.body_limit(&Method::POST, &format!("/v1/one/{}", method.name));
        assert_eq!(limit, method.body_max, "{}", method.name);
        assert!(method.kind == Kind::Procedure || limit <= 1024 * 1024);
    }
}
