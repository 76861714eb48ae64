//! Typing and presence: heard by who is connected and may hear it, for a while, and stored nowhere.

mod kit;

use std::time::Duration;

use gomer_net::http::LiveBody;
use kit::{Kit, Person, With, client_key};
use serde_json::{Value, json};

/// The next event of this name; others are passed over. `None`: none came for that long.
async fn next(stream: &mut LiveBody, name: &str, within: Duration) -> Option<Value> {
    let wait = async {
        loop {
            let bytes = stream.next().await.expect("the stream goes on");
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
            if field("event: ").as_deref() == Some(name) {
                assert!(name != "signal" || field("id: ").is_none(), "a signal is in no cursor: {text}");
                return serde_json::from_str(&field("data: ").unwrap()).unwrap();
            }
        }
    };
    tokio::time::timeout(within, wait).await.ok()
}

const SOON: Duration = Duration::from_secs(20);
const NEVER: Duration = Duration::from_millis(400);

async fn open(kit: &Kit, who: &Person, root: &str) -> LiveBody {
    let (key, bearer) = (client_key("one"), format!("Bearer {}", who.token));
    let headers = [("gomer-key", key.as_str()), ("authorization", bearer.as_str())];
    let mut stream = kit.open(&format!("realtime.subscribe?roots={root}"), &headers).await.unwrap();
    next(&mut stream, "ready", SOON).await.expect("it begins");
    stream
}

#[tokio::test]
async fn typing_is_heard_by_members_and_ends_by_itself() {
    let kit = Kit::start().await;
    let (ann, bob, eve) = (kit.person("ann").await, kit.person("bob").await, kit.person("eve").await);
    let chat = kit.uuid();
    let body = json!({ "id": chat, "title": "Choir", "members": [bob.id] });
    kit.call("chat.create", Some(&ann.token), body).await.expect(200);
    let root = format!("chat:{chat}");
    let mut bobs = open(&kit, &bob, &root).await;
    let mut eves = open(&kit, &eve, &root).await;
    let typing = json!({ "chat": chat });
    let said = kit.call("chat.setTyping", Some(&ann.token), typing.clone()).await.expect(200);
    let heard = next(&mut bobs, "signal", SOON).await.expect("bob hears it");
    assert_eq!(heard["signal"], "typing");
    assert_eq!((&heard["root"], &heard["profile"]), (&json!(root), &json!(ann.id)));
    assert_eq!((&heard["state"], &heard["until"]), (&json!("active"), &said.json["until"]));
    kit.call("chat.setTyping", Some(&ann.token), json!({ "chat": chat, "typing": false })).await.expect(200);
    assert_eq!(next(&mut bobs, "signal", SOON).await.expect("and the end")["state"], "idle");
    // Not a stranger, not the one who types, and nobody who comes when it is over.
    assert_eq!(next(&mut eves, "signal", NEVER).await, None);
    kit.call("chat.setTyping", Some(&bob.token), typing.clone()).await.expect(200);
    assert_eq!(next(&mut bobs, "signal", NEVER).await, None);
    let mut anns = open(&kit, &ann, &root).await;
    assert_eq!(next(&mut anns, "signal", SOON).await.expect("it still holds")["profile"], bob.id.as_str());
    kit.skip(Duration::from_secs(6));
    let mut late = open(&kit, &ann, &root).await;
    assert_eq!(next(&mut late, "signal", NEVER).await, None);
    // Nothing of it is stored.
    let pulled = kit.call("sync.pull", Some(&ann.token), json!({ "roots": [root] })).await.expect(200);
    assert!(!pulled.text.contains("typing"), "{}", pulled.text);
    // Strangers and other apps have no such chat; whom a block hides is not heard.
    let absent = kit.call("chat.setTyping", Some(&ann.token), json!({ "chat": kit.uuid() })).await;
    let eves_try =
        kit.call("chat.setTyping", Some(&eve.token), typing.clone()).await.problem(404, "not-found");
    assert_eq!(eves_try.untraced(), absent.untraced());
    let mallory = kit.person_in("two", "mallory").await;
    let with = With { app: Some("two"), token: Some(&mallory.token), ..With::default() };
    assert_eq!(kit.call_with("chat.setTyping", with, typing.clone()).await.untraced(), absent.untraced());
    kit.call("block.create", Some(&bob.token), json!({ "id": ann.id })).await.expect(200);
    kit.call("chat.setTyping", Some(&ann.token), typing.clone()).await.expect(200);
    assert_eq!(next(&mut bobs, "signal", NEVER).await, None);
    // Who may not write does not type either.
    let quiet = json!({ "id": chat, "writers": "moderators" });
    kit.call("chat.update", Some(&ann.token), quiet).await.expect(200);
    kit.call("chat.setTyping", Some(&bob.token), typing).await.problem(403, "forbidden");
    kit.call("chat.setTyping", None, json!({ "chat": chat })).await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn presence_is_told_to_whom_the_profile_is_shown() {
    let kit = Kit::start().await;
    let (ann, bob) = (kit.person("ann").await, kit.person("bob").await);
    let ids = json!({ "ids": [ann.id, bob.id, kit.uuid()] });
    let there = async |who: &Person| -> Vec<Value> {
        let answer = kit.call("profile.listPresence", Some(&who.token), ids.clone()).await.expect(200);
        answer.json["items"].as_array().unwrap().iter().map(|item| item["state"].clone()).collect()
    };
    assert!(there(&bob).await.is_empty());
    let mut bobs = open(&kit, &bob, &format!("profile:{}", ann.id)).await;
    let set = async |state: &str| {
        let body = json!({ "state": state, "forS": 30 });
        kit.call("profile.setPresence", Some(&ann.token), body).await.expect(200)
    };
    set("away").await;
    let heard = next(&mut bobs, "signal", SOON).await.expect("bob follows the profile's root");
    assert_eq!((&heard["signal"], &heard["state"]), (&json!("presence"), &json!("away")));
    assert_eq!(there(&bob).await, ["away"]);
    set("hidden").await;
    assert_eq!((there(&bob).await.len(), there(&ann).await), (0, vec![json!("hidden")]));
    set("online").await;
    kit.skip(Duration::from_secs(31));
    assert!(there(&bob).await.is_empty(), "it ends by itself");
    // A private profile tells its followers; a block ends it.
    set("online").await;
    kit.call("profile.update", Some(&ann.token), json!({ "private": true })).await.expect(200);
    assert!(there(&bob).await.is_empty());
    kit.call("profile.update", Some(&ann.token), json!({ "private": false })).await.expect(200);
    assert_eq!(there(&bob).await, ["online"]);
    kit.call("block.create", Some(&ann.token), json!({ "id": bob.id })).await.expect(200);
    assert!(there(&bob).await.is_empty());
    for bad in [json!({ "state": "busy" }), json!({ "state": "online", "forS": 4 })] {
        kit.call("profile.setPresence", Some(&ann.token), bad).await.problem(422, "invalid");
    }
    kit.call("profile.setPresence", None, json!({ "state": "away" })).await.problem(401, "unauthenticated");
}
