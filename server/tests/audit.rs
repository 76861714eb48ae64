//! The audit log: what it must name, and who stands in it.

mod kit;

use std::cell::RefCell;
use std::io::Write;
use std::sync::Once;

use kit::{Kit, With, admin_key, server_key};
use serde_json::{Value, json};

thread_local! {
    /// What this thread has logged since it began to keep it: a test and its server are one thread.
    static LOGGED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// What this thread logs from now on.
struct Lines;

impl Lines {
    /// One log for all threads, not one for each: a log that comes or goes makes all the others lose lines for a moment.
    fn keep() -> Lines {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            tracing_subscriber::fmt().json().flatten_event(true).with_writer(|| Lines).init();
        });
        LOGGED.take();
        Lines
    }

    /// Takes what the audit log says: who, method, what came of it.
    fn take(&self) -> Vec<(String, String, String)> {
        let lines = String::from_utf8(LOGGED.take()).unwrap();
        let text = |line: &Value, field: &str| line[field].as_str().unwrap().to_owned();
        lines
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .filter(|line| line["target"] == "gomer::audit")
            .map(|line| (text(&line, "who"), text(&line, "method"), text(&line, "done")))
            .collect()
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LOGGED.with_borrow_mut(|logged| logged.write(bytes))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn line(who: &str, method: &str, done: &str) -> (String, String, String) {
    (who.to_owned(), method.to_owned(), done.to_owned())
}

/// A server key wrote and read in a user's name, and no log said so: only what administrators change was written.
#[tokio::test]
async fn what_a_server_key_does_for_a_user_is_in_the_audit_log() {
    let kit = Kit::start().await;
    let (ann, server) = (kit.person("ann").await, server_key("one"));
    let lines = Lines::keep();
    let named = [("gomer-as", ann.id.as_str())];
    let for_ann = || With { token: Some(&server), headers: &named, ..With::default() };
    let who = format!("server as {}", ann.id);

    let post = json!({ "id": kit.uuid(), "text": "In her name" });
    kit.call_with("post.create", for_ann(), post.clone()).await.expect(200);
    assert_eq!(lines.take(), [line(&who, "post.create", "done")]);
    kit.call_with("sync.pull", for_ann(), json!({})).await.expect(200);
    assert_eq!(lines.take(), [line(&who, "sync.pull", "done")]);
    kit.call_with("post.get", for_ann(), json!({ "id": kit.uuid() })).await.problem(404, "not-found");
    assert_eq!(lines.take(), [line(&who, "post.get", "not-found")]);

    // What a user does is theirs, and what an app's server reads is the app's.
    kit.call("post.get", Some(&ann.token), json!({ "id": post["id"] })).await.expect(200);
    kit.call("admin.listKeys", Some(&server), json!({})).await.expect(200);
    assert_eq!(lines.take(), []);
}

/// In a batch, what administrators change was not written.
#[tokio::test]
async fn a_call_inside_another_is_in_the_audit_log_under_its_own_name() {
    let kit = Kit::start().await;
    let (ann, server) = (kit.person("ann").await, server_key("one"));
    let lines = Lines::keep();
    let role = json!({ "name": "keeper", "methods": ["admin.listKeys"] });
    let grant = json!({ "profile": ann.id, "role": "nobody" });
    let calls = json!({ "calls": [
        { "method": "permission.putRole", "args": role },
        { "method": "permission.grantRole", "args": grant },
    ] });
    kit.call("batch.run", Some(&server), calls.clone()).await.expect(200);
    let [put, granted] = lines.take().try_into().unwrap();
    assert_eq!(put, line("server", "permission.putRole", "done"));
    assert_eq!((granted.0.as_str(), granted.1.as_str()), ("server", "permission.grantRole"));
    assert_ne!(granted.2, "done");

    // One who may not, does not.
    kit.call("batch.run", Some(&ann.token), calls).await.expect(200);
    assert_eq!(lines.take(), []);
}

async fn listed(kit: &Kit, filter: Value) -> Vec<Value> {
    let answer = kit.call("admin.listAudit", Some(&admin_key("one")), filter).await.expect(200);
    answer.json["items"].as_array().unwrap().clone()
}

fn brief(entries: &[Value]) -> Vec<(&str, &str, &str)> {
    let text = |entry: &'_ Value, field: &str| entry[field].as_str().unwrap_or_default().to_owned();
    let leak = |text: String| -> &'static str { text.leak() };
    entries
        .iter()
        .map(|entry| (leak(text(entry, "by")), leak(text(entry, "method")), leak(text(entry, "outcome"))))
        .collect()
}

#[tokio::test]
async fn an_app_reads_who_did_what_to_whom_and_what_came_of_it_also_after_a_restart() {
    let kit = Kit::start().await;
    let (ann, bob, admin) = (kit.person("ann").await, kit.person("bob").await, admin_key("one"));
    let grant = json!({ "profile": ann.id, "role": "moderator" });
    let traced = [("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")];
    let with = With { token: Some(&admin), headers: &traced, ..With::default() };
    kit.call_with("permission.grantRole", with, grant).await.expect(200);
    let ban = json!({ "target": { "profile": bob.id }, "reason": "marker-of-a-text" });
    kit.call("moderation.ban", Some(&ann.token), ban.clone()).await.expect(200);
    kit.call("moderation.ban", Some(&admin), json!({ "target": { "profile": kit.uuid() }, "reason": "x" }))
        .await
        .problem(404, "not-found");
    let server = server_key("one");
    let named = [("gomer-as", ann.id.as_str())];
    let as_ann = With { token: Some(&server), headers: &named, ..With::default() };
    kit.call_with("sync.pull", as_ann, json!({})).await.expect(200);
    // What she does with her own rights is nobody's business.
    kit.call("profile.update", Some(&ann.token), json!({ "name": "Ann" })).await.expect(200);

    let kit = kit.restart().await;
    let all = listed(&kit, json!({})).await;
    assert_eq!(
        brief(&all),
        [
            ("server", "sync.pull", "done"),
            ("admin", "moderation.ban", "failed"),
            ("profile", "moderation.ban", "done"),
            ("admin", "permission.grantRole", "done"),
        ]
    );
    assert_eq!(all[0]["profile"], ann.id, "in whose name");
    assert_eq!((&all[1]["code"], &all[2]["profile"]), (&json!("not-found"), &json!(ann.id)));
    assert_eq!(all[2]["targets"], json!([bob.id]));
    assert!(all[3]["targets"].as_array().unwrap().contains(&json!("moderator")));
    assert_eq!(all[3]["trace"], "0af7651916cd43dd8448eb211c80319c");
    let text = serde_json::to_string(&all).unwrap();
    assert!(!text.contains("marker-of-a-text"), "no text of anybody's is in it");

    // Filters, one by one and together.
    for (filter, count) in [
        (json!({ "method": "moderation.ban" }), 2),
        (json!({ "method": "moderation" }), 0),
        (json!({ "profile": ann.id }), 2),
        (json!({ "profile": bob.id }), 0),
        (json!({ "target": bob.id }), 1),
        (json!({ "outcome": "failed" }), 1),
        (json!({ "outcome": "unknown" }), 0),
        (json!({ "method": "moderation.ban", "outcome": "done", "target": bob.id }), 1),
        (json!({ "until": all[3]["at"] }), 0),
        (json!({ "since": all[1]["at"], "until": all[0]["at"] }), 1),
    ] {
        assert_eq!(listed(&kit, filter.clone()).await.len(), count, "{filter}");
    }
    // Page by page, and a cursor belongs to its filter.
    let page = kit.call("admin.listAudit", Some(&admin), json!({ "limit": 1 })).await.expect(200);
    let cursor = page.str("/cursor");
    assert_eq!((page.json["items"].as_array().unwrap().len(), &page.json["end"]), (1, &json!(false)));
    let next = listed(&kit, json!({ "limit": 100, "cursor": cursor })).await;
    assert_eq!(next, all[1..]);
    let other = json!({ "cursor": cursor, "outcome": "done" });
    kit.call("admin.listAudit", Some(&admin), other).await.problem(400, "cursor-invalid");
}

#[tokio::test]
async fn the_audit_log_is_its_own_apps_administrators_to_read() {
    let kit = Kit::start().await;
    let (ann, mia) = (kit.person("ann").await, kit.person("mia").await);
    let grant = json!({ "profile": mia.id, "role": "moderator" });
    kit.call("permission.grantRole", Some(&server_key("one")), grant).await.expect(200);
    for (token, status, code) in [
        (None, 401, "unauthenticated"),
        (Some(ann.token.clone()), 403, "forbidden"),
        (Some(mia.token.clone()), 403, "forbidden"),
        (Some(admin_key("two")), 401, "unauthenticated"),
    ] {
        kit.call("admin.listAudit", token.as_deref(), json!({})).await.problem(status, code);
    }
    let (token, app) = (admin_key("two"), Some("two"));
    let with = With { app, token: Some(&token), ..With::default() };
    let theirs = kit.call_with("admin.listAudit", with, json!({})).await.expect(200);
    assert_eq!(theirs.json["items"], json!([]), "{}", theirs.text);
    for bad in [json!({ "outcome": "maybe" }), json!({ "profile": "ann" }), json!({ "since": "yesterday" })] {
        kit.call("admin.listAudit", Some(&admin_key("one")), bad).await.problem(422, "invalid");
    }
    kit.call("admin.listAudit", Some(&admin_key("one")), json!({ "secret": true }))
        .await
        .problem(400, "unknown-field");
}

/// The oldest entries go as new ones come, so that a log that nobody reads does not grow without end.
#[tokio::test]
async fn the_audit_log_keeps_as_many_entries_as_the_app_says() {
    let kit = Kit::start().await;
    let admin = admin_key("one");
    let few = json!({ "retention": { "auditEntries": 1_000 }, "rates": { "enabled": false } });
    kit.call("admin.updateSettings", Some(&admin), json!({ "settings": few })).await.expect(200);
    let call = json!({ "calls": vec![json!({ "method": "moderation.unban", "args": { "target": { "profile": kit.uuid() } } }); 50] });
    for _ in 0..60 {
        kit.call("batch.run", Some(&admin), call.clone()).await.expect(200);
    }
    let (mut count, mut cursor) = (0, Value::Null);
    loop {
        let mut body = json!({ "limit": 100 });
        if cursor.is_string() {
            body["cursor"] = cursor.clone();
        }
        let page = kit.call("admin.listAudit", Some(&admin), body).await.expect(200);
        count += page.json["items"].as_array().unwrap().len();
        if page.json["end"] == true {
            break;
        }
        cursor = page.json["cursor"].clone();
    }
    // Of 3,000; how many too many are left is up to chance: the draws are this kit's, so it is always the same.
    assert!((1_000..2_000).contains(&count), "{count}");
}
