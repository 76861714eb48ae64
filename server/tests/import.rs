//! `admin.importData`: people and what they had elsewhere, line by line, as often as one likes.

mod kit;

use kit::{Answer, Kit, PASSWORD, admin_key, server_key};
use serde_json::{Value, json};

async fn import(kit: &Kit, token: Option<&str>, lines: &[Value]) -> Answer {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    kit.send("admin.importData", token, text.as_bytes()).await
}

/// Line and status, or code, of each that came to something.
fn came(answer: &Answer) -> Vec<(u64, String)> {
    let text = |result: &Value| match result["code"].as_str() {
        Some(code) => code.to_owned(),
        None => result["status"].to_string(),
    };
    let results = answer.json["results"].as_array().unwrap();
    results.iter().map(|result| (result["line"].as_u64().unwrap(), text(result))).collect()
}

#[tokio::test]
async fn a_file_is_carried_out_and_may_be_carried_out_again() {
    let kit = Kit::start().await;
    let (ann, bob, post, reply) = (kit.uuid(), kit.uuid(), kit.uuid(), kit.uuid());
    let account = |id: &str, handle: &str| json!({ "method": "auth.createAccount", "args": { "id": id, "handle": handle, "password": PASSWORD } });
    let file = [
        account(&ann, "ann"),
        account(&bob, "bob"),
        json!({ "as": ann, "method": "profile.update", "args": { "name": "Ann" } }),
        json!({ "as": ann, "method": "post.create", "args": { "id": post, "text": "From elsewhere" } }),
        json!({ "as": bob, "method": "follow.create", "args": { "id": ann } }),
        json!({ "as": bob, "method": "reply.create", "args": { "id": reply, "to": { "kind": "post", "id": post }, "text": "Hello" } }),
        json!({ "as": bob, "method": "like.put", "args": { "id": post } }),
    ];
    let first = import(&kit, Some(&server_key("one")), &file).await.expect(200);
    assert_eq!(first.json["failed"], 0, "{}", first.text);
    assert!(!first.text.contains("Token"), "tokens are for those who sign in: {}", first.text);
    for _ in 0..2 {
        let again = import(&kit, Some(&admin_key("one")), &file).await.expect(200);
        assert_eq!(again.json, first.json);
    }
    let login = json!({ "handle": "ann", "password": PASSWORD });
    let session = kit.call("auth.createSession", None, login).await.expect(200).str("/accessToken");
    let seen = |answer: &Answer| answer.text.contains("\"count\":1") && answer.json["replies"] == 1;
    let shown = kit.until("post.get", Some(&session), json!({ "id": post }), seen).await;
    assert_eq!((shown.str("/author"), shown.str("/text")), (ann, "From elsewhere".into()));
    let followers = json!({ "id": shown.str("/author") });
    let one = |answer: &Answer| answer.json["items"].as_array().unwrap().len() == 1;
    kit.until("follow.listFollowers", Some(&session), followers, one).await;
    // Each line stands in the audit log, and the whole.
    let log = json!({ "method": "post.create" });
    let log = kit.call("admin.listAudit", Some(&admin_key("one")), log).await.expect(200);
    assert!(log.text.contains(&post) && !log.text.contains("From elsewhere"), "{}", log.text);
}

#[tokio::test]
async fn each_line_fails_alone_and_says_why() {
    let kit = Kit::start().await;
    let (ann, theo) = (kit.person("ann").await, kit.person_in("two", "theo").await);
    let post =
        |who: &str| json!({ "as": who, "method": "post.create", "args": { "id": kit.uuid(), "text": "x" } });
    let lines = [
        post(&ann.id).to_string(),
        "not JSON".to_owned(),
        String::new(),
        "{\"method\":\"post.create\",\"method\":\"post.create\",\"args\":{}}".to_owned(),
        json!({ "as": ann.id, "method": "post.create", "args": { "id": kit.uuid() } }).to_string(),
        json!({ "as": ann.id, "method": "post.create", "args": { "id": kit.uuid(), "text": "x", "colour": 1 } }).to_string(),
        json!({ "as": ann.id, "method": "post.create", "args": {}, "more": 1 }).to_string(),
        json!({ "method": "post.create", "args": { "id": kit.uuid(), "text": "x" } }).to_string(),
        post(&kit.uuid()).to_string(),
        post(&theo.id).to_string(),
        json!({ "as": ann.id, "method": "admin.createKey", "args": {} }).to_string(),
        json!({ "as": ann.id, "method": "moderation.ban", "args": {} }).to_string(),
        json!({ "as": ann.id, "method": "post.get", "args": { "id": ann.id } }).to_string(),
        json!({ "as": ann.id, "method": "media.putPart", "args": {} }).to_string(),
        json!({ "as": ann.id, "method": "sync.push", "args": { "operations": [] } }).to_string(),
        json!({ "as": ann.id, "method": "no.such", "args": {} }).to_string(),
        post(&ann.id).to_string(),
    ];
    let answer = kit
        .send("admin.importData", Some(&server_key("one")), lines.join("\r\n").as_bytes())
        .await
        .expect(200);
    let wanted = [
        (1, "200"),
        (2, "bad-request"),
        (4, "bad-request"),
        (5, "invalid"),
        (6, "unknown-field"),
        (7, "bad-request"),
        (8, "unauthenticated"),
        (9, "not-found"),
        (10, "not-found"),
        (11, "invalid"),
        (12, "invalid"),
        (13, "invalid"),
        (14, "invalid"),
        (15, "invalid"),
        (16, "invalid"),
        (17, "200"),
    ];
    let wanted: Vec<(u64, String)> = wanted.into_iter().map(|(line, came)| (line, came.to_owned())).collect();
    assert_eq!(came(&answer), wanted);
    assert_eq!(answer.json["failed"], 14);
}

#[tokio::test]
async fn a_file_that_is_too_long_or_not_for_the_caller_is_refused_as_a_whole() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    let line = json!({ "as": ann.id, "method": "profile.update", "args": { "name": "X" } });
    for (token, status, code) in [
        (None, 401, "unauthenticated"),
        (Some(ann.token.as_str()), 403, "forbidden"),
        (Some(admin_key("two").as_str()), 401, "unauthenticated"),
    ] {
        import(&kit, token, std::slice::from_ref(&line)).await.problem(status, code);
    }
    let many = vec![line; 501];
    import(&kit, Some(&server_key("one")), &many).await.problem(413, "too-large");
    let profile = kit.call("profile.get", Some(&ann.token), json!({ "id": ann.id })).await.expect(200);
    assert_eq!(profile.json.get("name"), None, "nothing of it was done");
    let nothing = kit.send("admin.importData", Some(&server_key("one")), b"\n\n").await.expect(200);
    assert_eq!(nothing.json, json!({ "results": [], "failed": 0 }));
}
