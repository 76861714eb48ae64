//! A chat of ten thousand members: a message is one write at its root, and every member reads it.

mod kit;

use std::time::Duration;

use gomer::model::PROFILE;
use gomer_core::id::{Id, Root, Section};
use gomer_core::rows::node::Flags;
use gomer_core::vnode::command::{Operation, Write};
use kit::{Answer, Kit, With, server_key};
use serde_json::{Value, json};

const MEMBERS: usize = 10_000;

/// Calls on behalf of somebody, as the app's own server.
async fn acting(kit: &Kit, profile: &str, method: &str, body: Value) -> Answer {
    let token = server_key("one");
    let headers = [("gomer-as", profile)];
    kit.call_with(method, With { token: Some(&token), headers: &headers, ..With::default() }, body).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_members_read_what_is_written_once() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    let app = kit.host.cluster.meta().apps["one"].id;
    let people: Vec<String> = (0..MEMBERS).map(|_| kit.uuid()).collect();
    for person in &people {
        let id: Id = person.parse().unwrap();
        let node = Operation::CreateNode {
            id,
            ty: PROFILE,
            section: Section::PUBLIC,
            author: id,
            flags: Flags::default(),
            attrs: Vec::new(),
        };
        kit.host.cluster.write(Write::new(app, Root::profile(id), id).op(node)).await.unwrap();
    }
    let chat = kit.uuid();
    let body = json!({ "id": chat, "title": "Stadium" });
    kit.call("chat.create", Some(&ann.token), body).await.expect(200);
    for some in people.chunks(80) {
        let body = json!({ "chat": chat, "profiles": some });
        kit.call("chat.addMembers", Some(&ann.token), body).await.expect(200);
        // Writes are limited.
        kit.skip(Duration::from_secs(2));
    }
    let seen = kit.call("chat.get", Some(&ann.token), json!({ "id": chat })).await.expect(200);
    assert_eq!(seen.json["memberCount"], MEMBERS + 1);
    let some = [&people[0], &people[MEMBERS / 2], &people[MEMBERS - 1]];
    let mut cursors = Vec::new();
    for person in some {
        // The list comes to each member's root by a step.
        let mut listed = false;
        for _ in 0..400 {
            listed = acting(&kit, person, "chat.list", json!({})).await.expect(200).text.contains(&chat);
            if listed {
                break;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
            kit.skip(Duration::from_millis(500));
        }
        assert!(listed, "the chat comes to the list of each");
        let status = acting(&kit, person, "sync.getStatus", json!({})).await.expect(200);
        cursors.push(status.str("/cursor"));
    }
    let message = json!({ "chat": chat, "id": kit.uuid(), "text": "Goal!" });
    let sent = kit.call("chat.sendMessage", Some(&ann.token), message).await.expect(200);
    for (person, cursor) in some.into_iter().zip(cursors) {
        let page =
            acting(&kit, person, "chat.listMessages", json!({ "chat": chat, "limit": 1 })).await.expect(200);
        assert_eq!(page.json["items"], json!([sent.json]));
        let unread = acting(&kit, person, "chat.getUnread", json!({})).await.expect(200);
        assert_eq!(unread.json, json!({ "chats": 1, "messages": 1, "mentions": 0 }));
        // Nothing was written at the member's own root; the chat's is followed without its thousands of members.
        let own = acting(&kit, person, "sync.pull", json!({ "cursor": cursor })).await.expect(200);
        assert_eq!(own.json["items"], json!([]));
        let (mut cursor, mut seen, mut pages) = (cursor, false, 0);
        loop {
            let body = json!({ "cursor": cursor, "roots": [format!("chat:{chat}")], "limit": 1000 });
            let page = acting(&kit, person, "sync.pull", body).await.expect(200);
            assert!(!page.text.contains("\"type\":\"chatMember\""), "{}", page.text);
            seen |= page.text.contains("Goal!");
            pages += 1;
            if page.json["end"] == json!(true) {
                break;
            }
            cursor = page.str("/cursor");
        }
        // What was said of who came is the chat's history: ten thousand names, a few pages.
        assert!(seen && pages < 10, "{pages} pages");
    }
}
