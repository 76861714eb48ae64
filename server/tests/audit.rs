//! The audit log: what it must name, and who stands in it.

mod kit;

use std::io::Write;
use std::sync::{Arc, Mutex};

use kit::{Kit, With, server_key};
use serde_json::{Value, json};
use tracing::subscriber::DefaultGuard;

/// What this thread logs from now on.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn keep() -> (Lines, DefaultGuard) {
        let lines = Lines::default();
        let writer = lines.clone();
        let log = tracing_subscriber::fmt().json().flatten_event(true).with_writer(move || writer.clone());
        (lines, tracing::subscriber::set_default(log.finish()))
    }

    /// Takes what the audit log says: who, method, what came of it.
    fn take(&self) -> Vec<(String, String, String)> {
        let bytes = std::mem::take(&mut *self.0.lock().unwrap());
        let lines = String::from_utf8(bytes).unwrap();
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
        self.0.lock().unwrap().write(bytes)
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
    let (lines, _guard) = Lines::keep();
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
    let (lines, _guard) = Lines::keep();
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
