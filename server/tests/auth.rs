//! `auth` as clients see it: every way in, every way out, and every way that must not be one.

mod kit;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use gomer::auth::password::{Busy, CheapHasher, Hashing, Password, PasswordHasher};
use gomer::host::Edges;
use gomer::model::PROFILE;
use gomer_core::id::{AppId, Id, Root, Section};
use gomer_core::rows::node::Flags;
use gomer_core::vnode::command::{Operation, Step, Write};
use kit::{Answer, Kit, PASSWORD, Person, With};
use serde_json::{Value, json};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 3_600);

async fn with_key(kit: &Kit, method: &str, key: &str, body: Value) -> Answer {
    kit.call_with(method, With { headers: &[("idempotency-key", key)], ..With::default() }, body).await
}

async fn sign_in(kit: &Kit, handle: &str, password: &str) -> Answer {
    kit.skip(MINUTE);
    kit.call("auth.createSession", None, json!({ "handle": handle, "password": password })).await
}

async fn refresh(kit: &Kit, token: &str) -> Answer {
    kit.call("auth.refreshSession", None, json!({ "refreshToken": token })).await
}

async fn who(kit: &Kit, token: &str) -> Answer {
    kit.call("auth.getSession", Some(token), json!({})).await
}

fn pair(answer: &Answer) -> (String, String) {
    (answer.str("/accessToken"), answer.str("/refreshToken"))
}

#[tokio::test]
async fn signing_up_opens_a_session_and_may_be_repeated() {
    let kit = Kit::start().await;
    let id = kit.uuid();
    let body = json!({ "id": id, "handle": "Ann", "email": "ann@example.org", "password": PASSWORD, "name": "Ann B." });
    let first = kit.call("auth.createAccount", None, body.clone()).await.expect(200);
    assert_eq!(first.header("cache-control").map(|value| value.contains("no-store")), Some(true));
    assert_eq!((first.str("/profile/handle"), first.str("/profile/name")), ("Ann".into(), "Ann B.".into()));
    let again = kit.call("auth.createAccount", None, body.clone()).await.expect(200);
    assert_eq!(pair(&first), pair(&again), "the reply was lost: the same tokens");
    let me = who(&kit, &first.str("/accessToken")).await.expect(200);
    assert_eq!((me.str("/profile/id"), me.str("/email")), (id.clone(), "ann@example.org".into()));
    assert_eq!((&me.json["emailConfirmed"], me.str("/session/device")), (&json!(false), id));
    // Now the first pair is in use: the same account again is a new sign-in.
    let later = kit.call("auth.createAccount", None, body.clone()).await.expect(200);
    assert_ne!(pair(&first), pair(&later));

    let mut other = body.clone();
    other["password"] = json!("another password");
    kit.call("auth.createAccount", None, other).await.problem(409, "id-taken");
    let mut other = body;
    other["handle"] = json!("bob");
    kit.call("auth.createAccount", None, other).await.problem(409, "id-taken");
}

#[tokio::test]
async fn what_is_wrong_with_a_sign_up_is_told() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    let with = |name: &str, value: Value| {
        let mut body = json!({ "id": kit.uuid(), "handle": "bob", "password": PASSWORD });
        body[name] = value;
        body
    };
    let taken = kit.call("auth.createAccount", None, with("handle", json!("ANN"))).await;
    assert_eq!(taken.clone().problem(409, "name-taken").str("/errors/0/pointer"), "/handle");
    for (name, value, status, code) in [
        ("password", json!("short"), 422, "invalid"),
        ("password", json!("a".repeat(129)), 422, "invalid"),
        ("password", Value::Null, 422, "invalid"),
        ("handle", json!("a b"), 422, "invalid"),
        ("handle", Value::Null, 422, "invalid"),
        ("email", json!("nobody"), 422, "invalid"),
        ("id", json!("7"), 422, "invalid"),
        ("role", json!("admin"), 400, "unknown-field"),
        ("id", json!(ann.id), 409, "id-taken"),
    ] {
        let answer = kit.call("auth.createAccount", None, with(name, value.clone())).await;
        assert_eq!((answer.status, answer.json["code"].as_str()), (status, Some(code)), "{name} {value}");
        assert!(!answer.text.contains("short"), "a password is never repeated");
    }
    // Nothing of what failed has kept the handle.
    kit.person("bob").await;
}

#[tokio::test]
async fn an_operation_id_is_good_for_one_body() {
    let kit = Kit::start().await;
    let key = kit.uuid();
    let body = json!({ "id": kit.uuid(), "handle": "ann", "password": PASSWORD });
    let first = with_key(&kit, "auth.createAccount", &key, body.clone()).await.expect(200);
    let again = with_key(&kit, "auth.createAccount", &key, body.clone()).await.expect(200);
    assert_eq!(pair(&first), pair(&again));
    let mut other = body;
    other["name"] = json!("Ann");
    with_key(&kit, "auth.createAccount", &key, other).await.problem(422, "key-reused");

    let key = kit.uuid();
    let body = json!({ "handle": "ann", "password": PASSWORD, "id": kit.uuid() });
    let first = with_key(&kit, "auth.createSession", &key, body.clone()).await.expect(200);
    let again = with_key(&kit, "auth.createSession", &key, body.clone()).await.expect(200);
    assert_eq!(pair(&first), pair(&again));
    let other = json!({ "handle": "ann", "password": PASSWORD, "id": kit.uuid() });
    with_key(&kit, "auth.createSession", &key, other).await.problem(422, "key-reused");

    let key = kit.uuid();
    let body = json!({ "refreshToken": first.str("/refreshToken") });
    let one = with_key(&kit, "auth.refreshSession", &key, body.clone()).await.expect(200);
    let two = with_key(&kit, "auth.refreshSession", &key, body.clone()).await.expect(200);
    assert_eq!(pair(&one), pair(&two));
    who(&kit, &one.str("/accessToken")).await.expect(200);
    // The very same call once more, too late: refused, but it ends nothing.
    with_key(&kit, "auth.refreshSession", &key, body).await.problem(401, "unauthenticated");
    who(&kit, &one.str("/accessToken")).await.expect(200);

    // An operation id alone names the guest that it makes.
    let key = kit.uuid();
    let first = with_key(&kit, "auth.createGuest", &key, json!({})).await.expect(200);
    let again = with_key(&kit, "auth.createGuest", &key, json!({})).await.expect(200);
    assert_eq!(pair(&first), pair(&again));
    with_key(&kit, "auth.createGuest", &key, json!({ "name": "x" })).await.problem(422, "key-reused");
}

#[tokio::test]
async fn a_wrong_password_and_nobody_are_answered_alike() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    let right = sign_in(&kit, "ANN", PASSWORD).await.expect(200);
    assert_eq!(right.str("/profile/id"), ann.id);
    let wrong = sign_in(&kit, "ann", "wrong password").await.problem(401, "unauthenticated");
    let nobody = sign_in(&kit, "nobody", "wrong password").await.problem(401, "unauthenticated");
    assert_eq!(wrong.untraced(), nobody.untraced());
    let in_two = With { app: Some("two"), ..With::default() };
    let body = json!({ "handle": "ann", "password": PASSWORD });
    let elsewhere = kit.call_with("auth.createSession", in_two, body).await;
    assert_eq!(elsewhere.untraced(), nobody.untraced());
    for body in [
        json!({ "password": PASSWORD }),
        json!({ "handle": "ann" }),
        json!({ "handle": "ann", "email": "ann@example.org", "password": PASSWORD }),
        json!({ "handle": "ann", "password": PASSWORD, "code": "123456" }),
        json!({ "handle": "ann", "code": "123456" }),
        json!({ "handle": "ann", "password": "short" }),
    ] {
        kit.skip(MINUTE);
        kit.call("auth.createSession", None, body).await.problem(422, "invalid");
    }
}

#[tokio::test]
async fn passwords_cannot_be_guessed_quickly() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    kit.person("bob").await;
    let guess = |handle: &str| json!({ "handle": handle, "password": "wrong password" });
    // From many addresses: the account is what is limited.
    for _ in 0..5 {
        kit.call("auth.createSession", None, guess("ann")).await.problem(401, "unauthenticated");
    }
    let refused = kit.call("auth.createSession", None, guess("ann")).await.problem(429, "rate-limited");
    assert!(refused.header("retry-after").is_some());
    let right = json!({ "handle": "ann", "password": PASSWORD });
    kit.call("auth.createSession", None, right.clone()).await.problem(429, "rate-limited");
    kit.call("auth.createSession", None, guess("bob")).await.problem(401, "unauthenticated");
    kit.call("auth.createSession", None, guess("nobody")).await.problem(401, "unauthenticated");
    // From one address, over many accounts.
    let client = Some(kit.address());
    let mut refused = 0;
    for n in 0..25 {
        let with = With { client, ..With::default() };
        let answer = kit.call_with("auth.createSession", with, guess(&format!("somebody{n}"))).await;
        refused += usize::from(answer.status == 429);
    }
    assert_eq!(refused, 5);
    // Who is signed in is not shut out by that.
    who(&kit, &ann.token).await.expect(200);
    kit.skip(MINUTE);
    kit.call("auth.createSession", None, right).await.expect(200);
}

#[tokio::test]
async fn the_client_picks_the_sessions_id() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    let (session, device) = (kit.uuid(), kit.uuid());
    let body = json!({
        "id": session, "handle": "ann", "password": PASSWORD,
        "device": { "id": device, "platform": "ios", "model": "Phone 9" },
    });
    let first = kit.call("auth.createSession", None, body.clone()).await.expect(200);
    assert_eq!((first.str("/session/id"), first.str("/session/device")), (session, device.clone()));
    let again = kit.call("auth.createSession", None, body.clone()).await.expect(200);
    assert_eq!(pair(&first), pair(&again));
    let (access, old) = pair(&first);
    let listed = kit.call("auth.listSessions", Some(&access), json!({})).await.expect(200);
    let items = listed.json["items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    assert_eq!(items[0]["deviceInfo"]["model"], "Phone 9");
    assert_eq!((&items[0]["current"], &items[1]["current"]), (&json!(true), &json!(false)));
    // In use now: signing in again begins anew, and what was before is worth nothing.
    kit.skip(MINUTE);
    let anew = kit.call("auth.createSession", None, body).await.expect(200);
    assert_ne!(pair(&anew), pair(&first));
    refresh(&kit, &old).await.problem(401, "unauthenticated");
    // Another session on the same device takes its place; those on other devices stay.
    let body = json!({ "handle": "ann", "password": PASSWORD, "device": { "id": device } });
    kit.call("auth.createSession", None, body).await.expect(200);
    who(&kit, &anew.str("/accessToken")).await.problem(401, "unauthenticated");
    who(&kit, &ann.token).await.expect(200);
}

#[tokio::test]
async fn a_lost_refresh_is_given_again_until_the_new_pair_is_used() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    let (one, two) = tokio::join!(refresh(&kit, &ann.refresh), refresh(&kit, &ann.refresh));
    let (one, two) = (one.expect(200), two.expect(200));
    assert_eq!(pair(&one), pair(&two), "two at once");
    kit.skip(MINUTE);
    let three = refresh(&kit, &ann.refresh).await.expect(200);
    assert_eq!(pair(&one), pair(&three), "a minute later");
    who(&kit, &ann.token).await.expect(200);
    assert_eq!(
        pair(&refresh(&kit, &ann.refresh).await.expect(200)),
        pair(&one),
        "the old access token is no use of it"
    );
    // First use, by the access token.
    let (access, new) = pair(&one);
    who(&kit, &access).await.expect(200);
    refresh(&kit, &ann.refresh).await.problem(401, "unauthenticated");
    for token in [&access, &ann.token] {
        who(&kit, token).await.problem(401, "unauthenticated");
    }
    refresh(&kit, &new).await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn an_old_refresh_token_after_the_new_one_was_refreshed_ends_the_session() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    let elsewhere = sign_in(&kit, "ann", PASSWORD).await.expect(200);
    let (_, second) = pair(&refresh(&kit, &ann.refresh).await.expect(200));
    let (access, third) = pair(&refresh(&kit, &second).await.expect(200));
    refresh(&kit, &ann.refresh).await.problem(401, "unauthenticated");
    refresh(&kit, &third).await.problem(401, "unauthenticated");
    who(&kit, &access).await.problem(401, "unauthenticated");
    who(&kit, &elsewhere.str("/accessToken")).await.expect(200);
}

#[tokio::test]
async fn forged_tokens_end_nothing() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    let other = kit.person_in("two", "ann").await;
    let mut bent = ann.refresh.clone().into_bytes();
    bent[100] = if bent[100] == b'A' { b'B' } else { b'A' };
    let bent = String::from_utf8(bent).unwrap();
    for token in [bent.as_str(), &other.refresh, &ann.token, "x", "AAAA"] {
        refresh(&kit, token).await.problem(401, "unauthenticated");
    }
    for token in [other.token.as_str(), &ann.refresh, &bent, "x"] {
        who(&kit, token).await.problem(401, "unauthenticated");
    }
    who(&kit, &ann.token).await.expect(200);
    refresh(&kit, &ann.refresh).await.expect(200);
}

#[tokio::test]
async fn tokens_run_out() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    kit.skip(MINUTE * 15);
    who(&kit, &ann.token).await.problem(401, "unauthenticated");
    let (access, second) = pair(&refresh(&kit, &ann.refresh).await.expect(200));
    who(&kit, &access).await.expect(200);
    kit.skip(DAY * 30);
    refresh(&kit, &second).await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn signing_out_counts_at_once() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    let tokens: Vec<String> = {
        let mut tokens = Vec::new();
        for _ in 0..3 {
            tokens.push(sign_in(&kit, "ann", PASSWORD).await.expect(200).str("/accessToken"));
        }
        tokens
    };
    let id = who(&kit, &tokens[0]).await.expect(200).str("/session/id");
    let end = json!({ "id": id });
    kit.call("auth.deleteSession", Some(&ann.token), end.clone()).await.expect(200);
    who(&kit, &tokens[0]).await.problem(401, "unauthenticated");
    kit.call("auth.deleteSession", Some(&ann.token), end).await.expect(200);
    kit.call("auth.deleteSession", Some(&ann.token), json!({ "id": kit.uuid() })).await.expect(200);
    who(&kit, &tokens[1]).await.expect(200);
    kit.call("auth.deleteOtherSessions", Some(&ann.token), json!({})).await.expect(200);
    for token in &tokens[1..] {
        who(&kit, token).await.problem(401, "unauthenticated");
    }
    kit.call("auth.deleteSession", Some(&ann.token), json!({})).await.expect(200);
    who(&kit, &ann.token).await.problem(401, "unauthenticated");
    refresh(&kit, &ann.refresh).await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn somebody_elses_session_cannot_be_ended() {
    let kit = Kit::start().await;
    let (ann, bob) = (kit.person("ann").await, kit.person("bob").await);
    let id = who(&kit, &ann.token).await.expect(200).str("/session/id");
    kit.call("auth.deleteSession", Some(&bob.token), json!({ "id": id })).await.expect(200);
    who(&kit, &ann.token).await.expect(200);
}

#[tokio::test]
async fn of_twenty_one_sessions_the_one_refreshed_longest_ago_goes() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    let mut all = vec![ann.refresh.clone()];
    for _ in 0..19 {
        all.push(sign_in(&kit, "ann", PASSWORD).await.expect(200).str("/refreshToken"));
    }
    kit.skip(MINUTE);
    let newest = refresh(&kit, &all[0]).await.expect(200).str("/refreshToken");
    sign_in(&kit, "ann", PASSWORD).await.expect(200);
    refresh(&kit, &all[1]).await.problem(401, "unauthenticated");
    refresh(&kit, &all[2]).await.expect(200);
    let access = refresh(&kit, &newest).await.expect(200).str("/accessToken");
    let listed = kit.call("auth.listSessions", Some(&access), json!({})).await.expect(200);
    assert_eq!(listed.json["items"].as_array().unwrap().len(), 20);
}

#[tokio::test]
async fn the_banned_stay_out() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    let id: Id = ann.id.parse().unwrap();
    let ban = Operation::FlagNode { id, set: Flags::BANNED, clear: Flags::default() };
    kit.host.cluster.write(Write::new(app(&kit, "one"), Root::profile(id), Id::NIL).op(ban)).await.unwrap();
    who(&kit, &ann.token).await.problem(403, "forbidden");
    refresh(&kit, &ann.refresh).await.problem(403, "forbidden");
    sign_in(&kit, "ann", PASSWORD).await.problem(403, "forbidden");
    sign_in(&kit, "ann", "wrong password").await.problem(401, "unauthenticated");
}

fn app(kit: &Kit, name: &str) -> AppId {
    kit.host.cluster.meta().apps[name].id
}

/// Counts what it hashes, and can be told to be busy.
#[derive(Default)]
struct Watched {
    verified: AtomicUsize,
    busy: AtomicBool,
}

impl PasswordHasher for Watched {
    fn hash(&self, password: Password, salt: [u8; 16]) -> Hashing<String> {
        if self.busy.load(Ordering::Relaxed) {
            return Box::pin(std::future::ready(Err(Busy)));
        }
        CheapHasher.hash(password, salt)
    }

    fn verify(&self, password: Password, phc: Option<String>) -> Hashing<bool> {
        self.verified.fetch_add(1, Ordering::Relaxed);
        if self.busy.load(Ordering::Relaxed) {
            return Box::pin(std::future::ready(Err(Busy)));
        }
        CheapHasher.verify(password, phc)
    }

    fn is_current(&self, phc: &str) -> bool {
        CheapHasher.is_current(phc)
    }
}

async fn watched() -> (Kit, Arc<Watched>) {
    let (cheap, mail) = Edges::cheap();
    let watched = Arc::new(Watched::default());
    (Kit::start_with(Edges { passwords: watched.clone(), ..cheap }, mail).await, watched)
}

#[tokio::test]
async fn every_way_to_fail_hashes_as_much() {
    let (kit, watched) = watched().await;
    kit.person("ann").await;
    for handle in ["ann", "nobody"] {
        let before = watched.verified.load(Ordering::Relaxed);
        sign_in(&kit, handle, "wrong password").await.problem(401, "unauthenticated");
        assert_eq!(watched.verified.load(Ordering::Relaxed), before + 1, "{handle}");
    }
}

#[tokio::test]
async fn while_too_many_wait_it_is_busy_and_nothing_is_lost() {
    let (kit, watched) = watched().await;
    with_email(&kit, "ann", "ann@example.org").await;
    ask(&kit, "reset", "ann@example.org").await.expect(200);
    let code = code(&kit);
    watched.busy.store(true, Ordering::Relaxed);
    let busy = sign_in(&kit, "ann", PASSWORD).await.problem(503, "busy");
    assert!(busy.header("retry-after").is_some());
    let body = json!({ "id": kit.uuid(), "handle": "bob", "password": PASSWORD });
    kit.call("auth.createAccount", None, body.clone()).await.problem(503, "busy");
    let reset = json!({ "email": "ann@example.org", "code": code, "password": "a new password" });
    kit.call("auth.resetPassword", None, reset.clone()).await.problem(503, "busy");
    watched.busy.store(false, Ordering::Relaxed);
    kit.call("auth.resetPassword", None, reset).await.expect(200);
    kit.call("auth.createAccount", None, body).await.expect(200);
}

// Codes.

async fn with_email(kit: &Kit, handle: &str, email: &str) -> Person {
    let id = kit.uuid();
    let body = json!({ "id": id, "handle": handle, "email": email, "password": PASSWORD });
    let answer = kit.call("auth.createAccount", None, body).await.expect(200);
    let (token, refresh) = pair(&answer);
    Person { id, handle: handle.to_owned(), token, refresh }
}

async fn ask(kit: &Kit, purpose: &str, email: &str) -> Answer {
    kit.skip(MINUTE * 20);
    kit.call("auth.requestCode", None, json!({ "purpose": purpose, "email": email })).await
}

/// The code of the newest mail: a line of its own.
fn code(kit: &Kit) -> String {
    let mail = kit.mail.all().pop().expect("a mail was sent");
    let mut lines = mail.text.lines().filter(|line| !line.is_empty() && !line.contains(' '));
    lines.next().expect("a mail has a code").to_owned()
}

#[tokio::test]
async fn a_code_signs_in_once() {
    let kit = Kit::start().await;
    let ann = with_email(&kit, "ann", "Ann@example.org").await;
    ask(&kit, "login", "ann@EXAMPLE.org").await.expect(200);
    let mail = kit.mail.all().pop().unwrap();
    assert_eq!(mail.to, "Ann@example.org", "to the address as its owner wrote it");
    let code = code(&kit);
    assert!(code.len() == 6 && mail.subject.contains(&code));
    let body = json!({ "id": kit.uuid(), "email": "ann@example.org", "code": code });
    let first = kit.call("auth.createSession", None, body.clone()).await.expect(200);
    assert_eq!(first.str("/profile/id"), ann.id);
    assert_eq!(pair(&first), pair(&kit.call("auth.createSession", None, body.clone()).await.expect(200)));
    let other = json!({ "id": kit.uuid(), "email": "ann@example.org", "code": code });
    kit.call("auth.createSession", None, other).await.problem(401, "unauthenticated");
    // Asked for one thing, it is no good for another.
    ask(&kit, "confirm", "ann@example.org").await.expect(200);
    let code = self::code(&kit);
    let body = json!({ "email": "ann@example.org", "code": code });
    kit.call("auth.createSession", None, body.clone()).await.problem(401, "unauthenticated");
    kit.call("auth.confirmCode", None, body.clone()).await.expect(200);
    kit.call("auth.confirmCode", None, body).await.expect(200);
    let me = who(&kit, &first.str("/accessToken")).await;
    assert_eq!(me.status, 401, "twenty minutes have passed");
    let access = refresh(&kit, &first.str("/refreshToken")).await.expect(200).str("/accessToken");
    assert_eq!(who(&kit, &access).await.expect(200).json["emailConfirmed"], true);
}

#[tokio::test]
async fn whether_somebody_has_an_address_is_not_told() {
    let kit = Kit::start().await;
    with_email(&kit, "ann", "ann@example.org").await;
    let known = ask(&kit, "reset", "ann@example.org").await.expect(200);
    let unknown = ask(&kit, "reset", "bob@example.org").await.expect(200);
    let keys = |answer: &Answer| {
        let mut answer = answer.json.clone();
        answer.as_object_mut().unwrap().remove("id");
        answer
    };
    assert_eq!(keys(&known), keys(&unknown));
    assert_eq!(kit.mail.all().len(), 1);
    for email in ["ann@example.org", "bob@example.org"] {
        let body = json!({ "email": email, "code": "000000", "password": PASSWORD });
        kit.call("auth.resetPassword", None, body).await.problem(401, "unauthenticated");
        let body = json!({ "email": email, "code": "000000" });
        kit.call("auth.confirmCode", None, body.clone()).await.problem(401, "unauthenticated");
        kit.call("auth.createSession", None, body).await.problem(401, "unauthenticated");
    }
}

#[tokio::test]
async fn the_same_request_sends_one_mail_and_an_address_gets_three_an_hour() {
    let kit = Kit::start().await;
    with_email(&kit, "ann", "ann@example.org").await;
    let body = json!({ "id": kit.uuid(), "purpose": "login", "email": "ann@example.org" });
    kit.call("auth.requestCode", None, body.clone()).await.expect(200);
    kit.call("auth.requestCode", None, body.clone()).await.expect(200);
    assert_eq!(kit.mail.all().len(), 1);
    kit.call("auth.requestCode", None, body.clone()).await.expect(200);
    kit.call("auth.requestCode", None, body).await.problem(429, "rate-limited");
    let body = json!({ "purpose": "login", "email": "bob@example.org" });
    kit.call("auth.requestCode", None, body).await.expect(200);
    let body = json!({ "purpose": "party", "email": "bob@example.org" });
    kit.call("auth.requestCode", None, body).await.problem(422, "invalid");
}

#[tokio::test]
async fn a_code_is_compared_five_times_at_most_also_side_by_side() {
    let kit = Kit::start().await;
    with_email(&kit, "ann", "ann@example.org").await;
    ask(&kit, "login", "ann@example.org").await.expect(200);
    let right = code(&kit);
    let wrong = if right == "000000" { "000001" } else { "000000" };
    let attempt = |code: &str| json!({ "email": "ann@example.org", "code": code });
    let tries = (0..5).map(|_| kit.call("auth.createSession", None, attempt(wrong)));
    for answer in join_all(tries).await {
        answer.problem(401, "unauthenticated");
    }
    kit.skip(MINUTE);
    kit.call("auth.createSession", None, attempt(&right)).await.problem(401, "unauthenticated");
    // A new one is good again; too late, it is not.
    ask(&kit, "login", "ann@example.org").await.expect(200);
    let right = code(&kit);
    kit.skip(MINUTE * 10);
    kit.call("auth.createSession", None, attempt(&right)).await.problem(401, "unauthenticated");
}

/// All at once, in one task.
async fn join_all<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut waiting: Vec<_> = futures.into_iter().map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|context| {
        let mut ready = true;
        for (future, done) in &mut waiting {
            if done.is_none() {
                match future.as_mut().poll(context) {
                    std::task::Poll::Ready(output) => *done = Some(output),
                    std::task::Poll::Pending => ready = false,
                }
            }
        }
        if ready { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    waiting.into_iter().filter_map(|(_, done)| done).collect()
}

#[tokio::test]
async fn a_new_password_ends_all_sessions() {
    let kit = Kit::start().await;
    let ann = with_email(&kit, "ann", "ann@example.org").await;
    ask(&kit, "reset", "ann@example.org").await.expect(200);
    let code = code(&kit);
    assert_eq!(code.len(), 43);
    let body = |password: &str| json!({ "email": "ann@example.org", "code": code, "password": password });
    kit.call("auth.resetPassword", None, body("a new password")).await.expect(200);
    refresh(&kit, &ann.refresh).await.problem(401, "unauthenticated");
    sign_in(&kit, "ann", PASSWORD).await.problem(401, "unauthenticated");
    sign_in(&kit, "ann", "a new password").await.expect(200);
    // The lost reply, and a second use.
    kit.call("auth.resetPassword", None, body("a new password")).await.expect(200);
    kit.call("auth.resetPassword", None, body("a newer password")).await.problem(401, "unauthenticated");
    sign_in(&kit, "ann", "a new password").await.expect(200);
}

#[tokio::test]
async fn changing_the_password_keeps_this_session_only() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    let other = sign_in(&kit, "ann", PASSWORD).await.expect(200).str("/accessToken");
    let change = |current: &str, password: &str| json!({ "current": current, "password": password });
    let wrong = change("wrong password", "a new password");
    kit.call("auth.changePassword", Some(&ann.token), wrong).await.problem(403, "forbidden");
    let right = change(PASSWORD, "a new password");
    kit.call("auth.changePassword", Some(&ann.token), right.clone()).await.expect(200);
    kit.call("auth.changePassword", Some(&ann.token), right).await.expect(200);
    who(&kit, &ann.token).await.expect(200);
    who(&kit, &other).await.problem(401, "unauthenticated");
    sign_in(&kit, "ann", PASSWORD).await.problem(401, "unauthenticated");
    sign_in(&kit, "ann", "a new password").await.expect(200);
}

// Guests.

#[tokio::test]
async fn a_guest_may_become_an_account() {
    let kit = Kit::start().await;
    let id = kit.uuid();
    let first = kit.call("auth.createGuest", None, json!({ "id": id, "name": "Guest" })).await.expect(200);
    let again = kit.call("auth.createGuest", None, json!({ "id": id, "name": "Guest" })).await.expect(200);
    assert_eq!(pair(&first), pair(&again));
    assert_eq!(first.json["profile"]["guest"], true);
    let token = first.str("/accessToken");
    who(&kit, &token).await.expect(200);
    // In use: whoever knows the id does not get in.
    kit.call("auth.createGuest", None, json!({ "id": id })).await.problem(409, "id-taken");
    let account = json!({ "id": id, "handle": "ann", "password": PASSWORD });
    kit.call("auth.createAccount", None, account.clone()).await.problem(409, "id-taken");
    let change = json!({ "current": PASSWORD, "password": PASSWORD });
    kit.call("auth.changePassword", Some(&token), change).await.problem(403, "forbidden");

    let upgraded = kit.call("auth.createAccount", Some(&token), account.clone()).await.expect(200);
    assert_eq!((upgraded.str("/profile/id"), upgraded.str("/profile/name")), (id.clone(), "Guest".into()));
    assert_eq!(upgraded.json["profile"]["guest"], false);
    kit.call("auth.createAccount", Some(&token), account).await.expect(200);
    assert_eq!(sign_in(&kit, "ann", PASSWORD).await.expect(200).str("/profile/id"), id);
}

#[tokio::test]
async fn a_guest_on_another_device_or_session_is_somebody_else() {
    let kit = Kit::start().await;
    let (id, session, device) = (kit.uuid(), kit.uuid(), kit.uuid());
    let body = json!({ "id": id, "sessionId": session, "device": { "id": device, "platform": "web" } });
    kit.call("auth.createGuest", None, body.clone()).await.expect(200);
    for (name, value) in [("sessionId", json!(kit.uuid())), ("device", json!({ "id": kit.uuid() }))] {
        let mut other = body.clone();
        other[name] = value;
        kit.call("auth.createGuest", None, other).await.problem(409, "id-taken");
    }
    kit.call("auth.createGuest", None, body).await.expect(200);
}

// Names.

/// Reserves a handle as a sign-up does, and goes no further.
async fn reserve(kit: &Kit, owner: Id, handle: &str) {
    let (app, name) = (app(kit, "one"), Root::name("handle", handle));
    let claim = gomer::names::reservation(owner, name, None, 0);
    let due = kit.host.cluster.now().wall + MINUTE * 10;
    let ask = Operation::AskName {
        reservation: claim,
        name,
        node: gomer::model::credential_id(owner),
        attr: "handleClaim".into(),
        used: format!("\"{claim}\""),
    };
    let asking = Write::new(app, name, Id::NIL).step(Step::to(Root::profile(owner), vec![ask]));
    let reserve = Write::new(app, name, Id::NIL)
        .op(Operation::ReserveName { owner, reservation: claim, due })
        .op(Operation::SetTimer { id: claim, due, write: Box::new(asking) });
    kit.host.cluster.write(reserve).await.unwrap();
}

async fn becomes_free(kit: &Kit, handle: &str) {
    let body = json!({ "handle": handle });
    kit.until("profile.checkHandle", None, body, |answer| answer.json["free"] == true).await;
}

#[tokio::test]
async fn a_reservation_that_is_never_used_ends() {
    let kit = Kit::start().await;
    reserve(&kit, Id::derived("test", b"a profile whose sign-up was cut off"), "ann").await;
    let body = json!({ "id": kit.uuid(), "handle": "ann", "password": PASSWORD });
    kit.call("auth.createAccount", None, body.clone()).await.problem(409, "name-taken");
    kit.skip(MINUTE * 11);
    becomes_free(&kit, "ann").await;
    kit.call("auth.createAccount", None, body).await.expect(200);
    // Used and confirmed, it stays.
    kit.skip(MINUTE * 30);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let free = kit.call("profile.checkHandle", None, json!({ "handle": "ann" })).await.expect(200);
    assert_eq!(free.json["free"], false);
}

#[tokio::test]
async fn a_sign_up_that_was_cut_off_may_be_repeated_at_any_time() {
    let kit = Kit::start().await;
    let (early, late) = (kit.uuid(), kit.uuid());
    reserve(&kit, early.parse().unwrap(), "early").await;
    reserve(&kit, late.parse().unwrap(), "late").await;
    let body = |id: &str, handle: &str| json!({ "id": id, "handle": handle, "password": PASSWORD });
    kit.call("auth.createAccount", None, body(&early, "early")).await.expect(200);
    kit.skip(MINUTE * 11);
    becomes_free(&kit, "late").await;
    // Its reservation was refused for ever: it takes another one.
    kit.call("auth.createAccount", None, body(&late, "late")).await.expect(200);
    for (id, handle) in [(early, "early"), (late, "late")] {
        let found = kit.call("profile.get", None, json!({ "handle": handle })).await.expect(200);
        assert_eq!(found.str("/id"), id);
    }
}

#[tokio::test]
async fn of_many_who_want_one_handle_at_once_one_gets_it() {
    let kit = Kit::start().await;
    let bodies = (0..6).map(|_| json!({ "id": kit.uuid(), "handle": "ann", "password": PASSWORD }));
    let answers = join_all(bodies.map(|body| kit.call("auth.createAccount", None, body))).await;
    let won = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(won, 1);
    assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 409)), "{answers:?}");
}

#[tokio::test]
async fn an_id_that_is_no_profile_is_not_taken_over() {
    let kit = Kit::start().await;
    let id = kit.uuid();
    let profile: Id = id.parse().unwrap();
    let foreign = Operation::CreateNode {
        id: profile,
        ty: PROFILE,
        section: Section::PUBLIC,
        author: profile,
        flags: Flags::default(),
        attrs: Vec::new(),
    };
    let write = Write::new(app(&kit, "one"), Root::profile(profile), Id::NIL).op(foreign);
    kit.host.cluster.write(write).await.unwrap();
    let body = json!({ "id": id, "handle": "ann", "password": PASSWORD });
    kit.call("auth.createAccount", None, body).await.problem(409, "id-taken");
    kit.call("auth.createGuest", None, json!({ "id": id })).await.problem(409, "id-taken");
}

// Roles.

#[tokio::test]
async fn who_is_not_signed_in_is_asked_to_be() {
    let kit = Kit::start().await;
    for method in [
        "auth.changePassword",
        "auth.deleteOtherSessions",
        "auth.deleteSession",
        "auth.getSession",
        "auth.listSessions",
    ] {
        kit.call(method, None, json!({})).await.problem(401, "unauthenticated");
        kit.call(method, Some("garbage"), json!({})).await.problem(401, "unauthenticated");
    }
}
