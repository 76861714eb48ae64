//! `account`: settings of one's own.

mod kit;

use kit::{Kit, Person, With, admin_key, server_key};
use serde_json::{Value, json};

async fn set(kit: &Kit, who: &Person, body: Value) -> kit::Answer {
    kit.call("account.updateSettings", Some(&who.token), body).await
}

async fn settings(kit: &Kit, who: &Person) -> Value {
    kit.call("account.getSettings", Some(&who.token), json!({})).await.expect(200).json
}

#[tokio::test]
async fn settings_have_defaults_change_field_by_field_and_go_back() {
    let kit = Kit::start().await;
    let (ann, bob) = (kit.person("ann").await, kit.person("bob").await);
    let plain = json!({ "showPresence": true, "digest": "never", "digestHour": 8 });
    assert_eq!(settings(&kit, &ann).await, plain);
    let first =
        set(&kit, &ann, json!({ "language": "de-AT", "timeZone": "Europe/Vienna" })).await.expect(200);
    assert_eq!((first.str("/language"), first.str("/timeZone")), ("de-AT".into(), "Europe/Vienna".into()));
    assert!(first.json["editedAt"].is_string());
    let rev = first.str("/rev");
    assert_eq!(first.header("etag"), Some(format!("\"{rev}\"").as_str()));
    let second = set(&kit, &ann, json!({ "digest": "weekly", "digestHour": 20 })).await.expect(200);
    assert_eq!((second.str("/language"), second.str("/digest")), ("de-AT".into(), "weekly".into()));
    assert_ne!(second.str("/rev"), rev);
    assert_eq!(settings(&kit, &ann).await, second.json, "what was answered is what is there");
    // The same again changes nothing.
    let again = set(&kit, &ann, json!({ "digest": "weekly" })).await.expect(200);
    assert_eq!(again.json, second.json);
    let back =
        set(&kit, &ann, json!({ "language": null, "digest": null, "digestHour": null })).await.expect(200);
    assert_eq!(back.json["language"], Value::Null);
    assert_eq!((&back.json["digest"], &back.json["digestHour"]), (&json!("never"), &json!(8)));
    assert_eq!(settings(&kit, &bob).await, plain, "each has their own");
    // Whom the app's server acts for is who they are.
    let named = [("gomer-as", ann.id.as_str())];
    let server = server_key("one");
    let with = With { token: Some(&server), headers: &named, ..With::default() };
    assert_eq!(kit.call_with("account.getSettings", with, json!({})).await.expect(200).json, back.json);
}

#[tokio::test]
async fn what_is_no_setting_is_refused_with_its_place() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    for (body, pointer) in [
        (json!({ "language": "English, please" }), "/language"),
        (json!({ "language": 7 }), "/language"),
        (json!({ "timeZone": "../../etc" }), "/timeZone"),
        (json!({ "defaultAudience": "neighbours" }), "/defaultAudience"),
        (json!({ "showPresence": "no" }), "/showPresence"),
        (json!({ "digest": "hourly" }), "/digest"),
        (json!({ "digestHour": 24 }), "/digestHour"),
        (json!({ "digestHour": -1 }), "/digestHour"),
    ] {
        let answer = set(&kit, &ann, body.clone()).await.problem(422, "invalid");
        assert_eq!(answer.str("/errors/0/pointer"), pointer, "{body}");
    }
    set(&kit, &ann, json!({ "colour": "red" })).await.problem(400, "unknown-field");
    for (token, status, code) in
        [(None, 401, "unauthenticated"), (Some(admin_key("one")), 401, "unauthenticated")]
    {
        let token = token.as_deref();
        kit.call("account.getSettings", token, json!({})).await.problem(status, code);
        kit.call("account.updateSettings", token, json!({ "digest": "daily" })).await.problem(status, code);
    }
    // A token of another app is none.
    let theo = kit.person_in("two", "theo").await;
    kit.call("account.getSettings", Some(&theo.token), json!({})).await.problem(401, "unauthenticated");
    assert_eq!(settings(&kit, &ann).await["rev"], Value::Null, "nothing of it was done");
}

#[tokio::test]
async fn a_revision_guards_them_and_a_retry_gets_the_first_reply() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    set(&kit, &ann, json!({ "digest": "daily", "ifRev": "1.00000000" })).await.problem(412, "stale-revision");
    let first = set(&kit, &ann, json!({ "language": "en" })).await.expect(200);
    let rev = first.str("/rev");
    set(&kit, &ann, json!({ "language": "fr", "ifRev": rev })).await.expect(200);
    let stale =
        set(&kit, &ann, json!({ "language": "it", "ifRev": rev })).await.problem(412, "stale-revision");
    assert_eq!(stale.str("/current/language"), "fr");
    let quoted = format!("\"{rev}\"");
    let headers = [("if-match", quoted.as_str())];
    let with = || With { token: Some(&ann.token), headers: &headers, ..With::default() };
    let stale = kit.call_with("account.updateSettings", with(), json!({ "language": "it" })).await;
    stale.problem(412, "stale-revision");

    let headers = [("idempotency-key", "0190a6b2-5c1e-4a3b-8f00-0123456789ab")];
    let with = || With { token: Some(&ann.token), headers: &headers, ..With::default() };
    let once = kit.call_with("account.updateSettings", with(), json!({ "language": "nl" })).await.expect(200);
    set(&kit, &ann, json!({ "language": "pl" })).await.expect(200);
    let again =
        kit.call_with("account.updateSettings", with(), json!({ "language": "nl" })).await.expect(200);
    assert_eq!((again.header("gomer-replayed"), &again.json), (Some("true"), &once.json));
    assert_eq!(settings(&kit, &ann).await["language"], "pl", "a retry undoes nothing");
    kit.call_with("account.updateSettings", with(), json!({ "language": "cs" }))
        .await
        .problem(422, "key-reused");
}

#[tokio::test]
async fn two_phones_that_were_offline_both_keep_what_they_can_and_hear_of_the_rest() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    let at = |seconds: u64| {
        let now = kit.host.cluster.now().wall.as_millis();
        gomer_core::time::Time::from_millis(now - 1_000_000 + 1_000 * seconds).text().as_str().to_owned()
    };
    let edit = async |args: Value, edited_at: String| {
        let op = json!({ "op": kit.uuid(), "method": "account.updateSettings", "args": args, "editedAt": edited_at });
        let pushed = kit.call("sync.push", Some(&ann.token), json!({ "operations": [op] })).await.expect(200);
        assert_eq!(pushed.json["results"][0]["status"], 200, "{}", pushed.text);
        pushed.json["results"][0]["value"].clone()
    };
    // The later edit arrives first.
    edit(json!({ "language": "de", "digest": "daily" }), at(20)).await;
    let late = edit(json!({ "language": "fr", "timeZone": "UTC" }), at(10)).await;
    assert_eq!((&late["language"], &late["timeZone"]), (&json!("de"), &json!("UTC")));
    let now = settings(&kit, &ann).await;
    assert_eq!(
        (&now["language"], &now["timeZone"], &now["digest"]),
        (&json!("de"), &json!("UTC"), &json!("daily"))
    );
    // A phone that comes from the future is held to now: an edit made after it still counts.
    edit(json!({ "language": "es" }), at(90_000_000)).await;
    set(&kit, &ann, json!({ "language": "sv" })).await.expect(200);
    assert_eq!(settings(&kit, &ann).await["language"], "sv");
    // Her other phone has them from her own root.
    let page = kit.call("sync.pull", Some(&ann.token), json!({})).await.expect(200);
    let items = page.json["items"].as_array().unwrap();
    let item = items.iter().find(|item| item["type"] == "settings").expect("settings are synced");
    assert_eq!((&item["section"], &item["value"]["language"]), (&json!("private"), &json!("sv")));
    // Nobody else has.
    let bob = kit.person("bob").await;
    let roots = json!({ "roots": [format!("profile:{}", ann.id)] });
    let theirs = kit.call("sync.pull", Some(&bob.token), roots).await.expect(200);
    assert!(!theirs.text.contains("\"settings\""), "{}", theirs.text);
}

#[tokio::test]
async fn what_is_published_without_an_audience_is_for_whom_its_author_has_set() {
    let kit = Kit::start().await;
    let (ann, bob) = (kit.person("ann").await, kit.person("bob").await);
    let post = async |text: &str, audience: Option<&str>| {
        let mut body = json!({ "id": kit.uuid(), "text": text });
        if let Some(audience) = audience {
            body["audience"] = json!(audience);
        }
        kit.call("post.create", Some(&ann.token), body).await.expect(200)
    };
    assert_eq!(post("One", None).await.str("/audience"), "public");
    set(&kit, &ann, json!({ "defaultAudience": "onlyMe" })).await.expect(200);
    let hers = post("Two", None).await;
    assert_eq!(hers.str("/audience"), "onlyMe");
    kit.call("post.get", Some(&bob.token), json!({ "id": hers.str("/id") })).await.problem(404, "not-found");
    assert_eq!(post("Three", Some("public")).await.str("/audience"), "public", "what is said counts");
    let album = json!({ "id": kit.uuid(), "title": "Hers" });
    let album = kit.call("album.create", Some(&ann.token), album).await.expect(200);
    assert_eq!(album.str("/audience"), "onlyMe");
    set(&kit, &ann, json!({ "defaultAudience": null })).await.expect(200);
    assert_eq!(post("Four", None).await.str("/audience"), "public");
}

#[tokio::test]
async fn who_does_not_show_that_they_are_there_is_not_seen_there() {
    let kit = Kit::start().await;
    let (ann, bob) = (kit.person("ann").await, kit.person("bob").await);
    let there = async || {
        let body = json!({ "ids": [ann.id] });
        let answer = kit.call("profile.listPresence", Some(&bob.token), body).await.expect(200);
        !answer.json["items"].as_array().unwrap().is_empty()
    };
    let online = async || {
        kit.call("profile.setPresence", Some(&ann.token), json!({ "state": "online" })).await.expect(200)
    };
    assert_eq!(online().await.str("/state"), "online");
    assert!(there().await);
    set(&kit, &ann, json!({ "showPresence": false })).await.expect(200);
    assert!(!there().await, "at once");
    assert_eq!(online().await.str("/state"), "hidden");
    assert!(!there().await);
    set(&kit, &ann, json!({ "showPresence": true })).await.expect(200);
    assert_eq!(online().await.str("/state"), "online");
    assert!(there().await);
}
