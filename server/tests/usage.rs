//! `admin.getUsage`: what is counted is what was used, by app and by day, and stays after a restart.

mod kit;
mod pictures;

use std::time::Duration;

use bytes::Bytes;
use gomer::methods::admin::usage::keep;
use gomer::methods::media::sweep::sweep;
use hyper::Method;
use kit::{Answer, Kit, Person, With, admin_key};
use pictures::{jpeg, sha256};
use serde_json::{Value, json};

async fn usage(kit: &Kit) -> Value {
    kit.call("admin.getUsage", Some(&admin_key("one")), json!({})).await.expect(200).json
}

async fn upload(kit: &Kit, who: &Person, bytes: &[u8]) -> Answer {
    let id = kit.uuid();
    let body = json!({ "id": id, "size": bytes.len(), "sha256": sha256(bytes) });
    let upload = kit.call("media.createUpload", Some(&who.token), body).await.expect(200);
    if upload.str("/state") == "open" {
        kit.fetch(Method::PUT, &upload.str("/url"), &[], Bytes::copy_from_slice(bytes)).await.expect(204);
    }
    kit.call("media.finishUpload", Some(&who.token), json!({ "id": id })).await.expect(200)
}

#[tokio::test]
async fn calls_and_bytes_are_counted_by_app_and_day_and_kept() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    let before = usage(&kit).await;
    assert_eq!(before["days"], json!([]), "nothing is kept yet");
    let text = "x".repeat(1_000);
    for _ in 0..10 {
        kit.publish(&ann, &text, "public").await;
    }
    let after = usage(&kit).await;
    let number = |value: &Value, at: &str| value.pointer(at).and_then(Value::as_u64).unwrap();
    let grown = |at: &str| number(&after, at) - number(&before, at);
    // Ten posts, and the looking itself.
    assert_eq!(grown("/sinceStart/calls"), 11);
    assert!((10_000..20_000).contains(&grown("/sinceStart/bytesIn")), "{after}");
    assert!(grown("/sinceStart/bytesOut") > 10_000, "{after}");
    keep(&kit.host).await.unwrap();
    keep(&kit.host).await.unwrap();
    let kept = usage(&kit).await;
    let calls = number(&kept, "/days/0/calls");
    assert_eq!(calls, number(&after, "/sinceStart/calls") + 1, "once, however often it is kept");
    assert_eq!(number(&kept, "/pending/calls"), 0);
    // The next day is another one, also in another process.
    let kit = kit.restart().await;
    kit.skip(Duration::from_secs(24 * 3_600));
    assert_eq!(number(&usage(&kit).await, "/sinceStart/calls"), 0);
    keep(&kit.host).await.unwrap();
    let days = usage(&kit).await;
    assert_eq!((number(&days, "/days/0/calls"), number(&days, "/days/1/calls")), (1, calls), "{days}");
    let one = kit.call("admin.getUsage", Some(&admin_key("one")), json!({ "days": 1 })).await.expect(200);
    assert_eq!(one.json["days"].as_array().unwrap().len(), 1);
    // The oldest go.
    kit.skip(Duration::from_secs(63 * 24 * 3_600));
    keep(&kit.host).await.unwrap();
    let days = kit.call("admin.getUsage", Some(&admin_key("one")), json!({ "days": 62 })).await.expect(200);
    assert_eq!(days.json["days"].as_array().unwrap().len(), 1, "{}", days.text);
}

#[tokio::test]
async fn what_uploads_take_is_exact_and_shrinks_when_they_go() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    let settled = async |files: u64| {
        for _ in 0..200 {
            let now = usage(&kit).await["storage"].clone();
            if now["files"] == files {
                return now;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("never {files} files: {}", usage(&kit).await);
    };
    let text = upload(&kit, &ann, b"no picture at all").await;
    let first = settled(1).await;
    assert_eq!(first["bytes"], text.json["bytes"]);
    let picture = upload(&kit, &ann, &jpeg(900, 900)).await;
    let sizes = picture.json["sizes"].as_array().unwrap();
    let bytes: u64 = sizes.iter().map(|size| size["bytes"].as_u64().unwrap()).sum();
    let all = settled(2 + sizes.len() as u64).await;
    assert_eq!(
        all["bytes"].as_u64().unwrap(),
        17 + bytes + picture.json["bytes"].as_u64().unwrap(),
        "{}",
        picture.text
    );
    // The same bytes once more take nothing.
    upload(&kit, &ann, b"no picture at all").await;
    assert_eq!(settled(2 + sizes.len() as u64).await, all);
    // What nobody shows is swept, and then it takes nothing.
    for _ in 0..4 {
        kit.skip(Duration::from_secs(2 * 3_600));
        tokio::time::sleep(Duration::from_millis(100)).await;
        sweep(&kit.host, 0).await.unwrap();
    }
    assert_eq!(settled(0).await["bytes"], 0);
}

#[tokio::test]
async fn usage_is_for_the_apps_own_administrators() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    kit.call("admin.getUsage", None, json!({})).await.problem(401, "unauthenticated");
    kit.call("admin.getUsage", Some(&ann.token), json!({})).await.problem(403, "forbidden");
    kit.call("admin.getUsage", Some(&admin_key("two")), json!({})).await.problem(401, "unauthenticated");
    for days in [json!(0), json!(63), json!("all"), json!(-1)] {
        kit.call("admin.getUsage", Some(&admin_key("one")), json!({ "days": days }))
            .await
            .problem(422, "invalid");
    }
    let (token, app) = (admin_key("two"), Some("two"));
    let with = With { app, token: Some(&token), ..With::default() };
    let theirs = kit.call_with("admin.getUsage", with, json!({})).await.expect(200);
    assert_eq!(theirs.json["sinceStart"]["calls"], 0, "what the other app did is not theirs");
    let classes: Vec<&str> =
        theirs.json["rates"].as_array().unwrap().iter().map(|rate| rate["class"].as_str().unwrap()).collect();
    assert_eq!(classes, ["read", "write", "follow", "login", "mail", "signUp"]);
    let settings = json!({ "settings": { "rates": { "write": { "count": 7, "windowS": 70 } } } });
    kit.call("admin.updateSettings", Some(&admin_key("one")), settings).await.expect(200);
    let rates = usage(&kit).await["rates"].clone();
    assert_eq!((&rates[1]["count"], &rates[1]["windowS"]), (&json!(7), &json!(70)));
    let off = json!({ "settings": { "rates": { "enabled": false } } });
    kit.call("admin.updateSettings", Some(&admin_key("one")), off).await.expect(200);
    assert_eq!(usage(&kit).await["rates"], json!([]));
}
