//! What a client was given before a restart is good after it.

mod kit;

use kit::{Kit, With, admin_key};
use serde_json::json;

/// A revision once named the era of the reading, not that of its position: every start of a lone member
/// changed all ETags, and an edit made on what was read before it was refused.
#[tokio::test]
async fn a_revision_that_was_given_out_before_a_restart_is_good_after_it() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    let token = Some(ann.token.as_str());
    let before = kit.call("profile.get", token, json!({ "id": ann.id })).await.expect(200);
    let key = kit.uuid();
    let with = With { token, headers: &[("idempotency-key", key.as_str())], ..With::default() };
    let named = kit.call_with("profile.update", with.clone(), json!({ "name": "Ann" })).await.expect(200);
    assert_ne!(named.str("/rev"), before.str("/rev"));
    let admin = admin_key("one");
    let event = json!({ "name": "Event", "kind": "node", "read": "anyone", "write": "user" });
    let declared = kit.call("graph.putType", Some(&admin), event.clone()).await.expect(200);
    let settings = json!({ "settings": { "signUp": "closed" } });
    let settings = kit.call("admin.updateSettings", Some(&admin), settings).await.expect(200);
    let pulled = kit.call("sync.pull", token, json!({})).await.expect(200);

    let kit = kit.restart().await;
    let read = kit.call("profile.get", token, json!({ "id": ann.id })).await.expect(200);
    assert_eq!((read.str("/rev"), read.header("etag")), (named.str("/rev"), named.header("etag")));
    let again = kit.call("sync.pull", token, json!({})).await.expect(200);
    assert_eq!(again.json["items"], pulled.json["items"], "the same rows, the same revisions");
    let unchanged = kit.call("profile.update", token, json!({ "name": "Ann" })).await.expect(200);
    assert_eq!(
        unchanged.str("/rev"),
        named.str("/rev"),
        "nothing was changed, so nothing has a new revision"
    );
    let replayed = kit.call_with("profile.update", with, json!({ "name": "Ann" })).await.expect(200);
    assert_eq!((replayed.header("gomer-replayed"), &replayed.text), (Some("true"), &named.text));
    let kept = kit.call("admin.getSettings", Some(&admin), json!({})).await.expect(200);
    assert_eq!(kept.json["rev"], settings.json["rev"]);
    let types = kit.call("graph.listTypes", token, json!({})).await.expect(200);
    assert_eq!(types.json["items"][0]["rev"], declared.json["rev"]);

    let tag = format!("\"{}\"", named.str("/rev"));
    let with = With { token, headers: &[("if-match", tag.as_str())], ..With::default() };
    let edited = kit.call_with("profile.update", with.clone(), json!({ "name": "Anna" })).await.expect(200);
    assert_ne!(edited.str("/rev"), named.str("/rev"));
    let stale = kit.call_with("profile.update", with, json!({ "name": "Eve" })).await;
    let stale = stale.problem(412, "stale-revision");
    assert_eq!(stale.str("/rev"), edited.str("/rev"));
    let open = json!({ "settings": { "signUp": "open" }, "ifRev": settings.json["rev"] });
    kit.call("admin.updateSettings", Some(&admin), open.clone()).await.expect(200);
    let closed = json!({ "settings": { "signUp": "invite" }, "ifRev": settings.json["rev"] });
    kit.call("admin.updateSettings", Some(&admin), closed).await.problem(412, "stale-revision");
    // The same position under another era's tag is a past that did not happen.
    let (position, _) =
        edited.str("/rev").split_once('.').map(|(p, e)| (p.to_owned(), e.to_owned())).unwrap();
    let other = json!({ "name": "Eve", "ifRev": format!("{position}.0badcafe") });
    kit.call("profile.update", token, other).await.problem(412, "stale-revision");
}
