//! `graph`: an app's own nodes and links, under the declarations of their types.

mod kit;

use kit::{Answer, Kit, Person, With, server_key};
use serde_json::{Value, json};

/// Declares a type as the app's server.
async fn declare(kit: &Kit, body: Value) -> Answer {
    kit.call("graph.putType", Some(&server_key("one")), body).await
}

async fn with_types() -> Kit {
    let kit = Kit::start().await;
    for body in [
        json!({ "name": "Event", "kind": "node", "read": "anyone", "write": "owner",
                "attributes": { "title": "string", "size": "number" } }),
        json!({ "name": "Diary", "kind": "node", "read": "owner", "write": "owner" }),
        json!({ "name": "Wiki", "kind": "node", "read": "user", "write": "user" }),
        json!({ "name": "Ledger", "kind": "node", "read": "server", "write": "server" }),
        json!({ "name": "goesTo", "kind": "link", "read": "anyone", "write": "owner", "from": "profile", "inverse": "guest" }),
        json!({ "name": "guest", "kind": "link", "read": "anyone", "write": "server", "to": "profile" }),
        json!({ "name": "near", "kind": "link", "read": "user", "write": "user" }),
        json!({ "name": "far", "kind": "link", "read": "user", "write": "user" }),
    ] {
        declare(&kit, body).await.expect(200);
    }
    kit
}

async fn put(kit: &Kit, who: &Person, of_type: &str, attributes: Value) -> String {
    let id = kit.uuid();
    let body = json!({ "id": id, "type": of_type, "attributes": attributes });
    kit.call("graph.putNode", Some(&who.token), body).await.expect(200);
    id
}

async fn nodes(kit: &Kit, token: &str, id: &str) -> usize {
    let answer = kit.call("graph.getNodes", Some(token), json!({ "ids": [id] })).await.expect(200);
    answer.json["items"].as_array().unwrap().len()
}

#[tokio::test]
async fn types_are_declared_by_the_app_and_keep_what_data_depends_on() {
    let kit = with_types().await;
    let ann = kit.person("ann").await;
    let list = kit.call("graph.listTypes", Some(&ann.token), json!({})).await.expect(200);
    assert_eq!(list.json["items"].as_array().unwrap().len(), 8);
    let event = json!({ "name": "Event", "kind": "node", "read": "anyone", "write": "user" });
    kit.call("graph.putType", Some(&ann.token), event.clone()).await.problem(403, "forbidden");
    kit.call("graph.putType", None, event.clone()).await.problem(401, "unauthenticated");
    let first = declare(&kit, event.clone()).await.expect(200).str("/rev");
    let mut stale = event.clone();
    stale["write"] = json!("server");
    declare(&kit, stale.clone()).await.expect(200);
    stale["ifRev"] = json!(first);
    let refused = declare(&kit, stale).await.problem(412, "stale-revision");
    assert_eq!(refused.json["current"]["write"], "server");
    for (patch, pointer) in [
        (json!({ "kind": "link" }), "/kind"),
        (json!({ "read": "owner" }), "/kind"),
        (json!({ "name": "profile" }), "/name"),
        (json!({ "name": "9" }), "/name"),
        (json!({ "inverse": "x" }), "/inverse"),
        (json!({ "write": "anyone" }), "/write"),
    ] {
        let mut body = event.clone();
        body.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
        let answer = declare(&kit, body).await.problem(422, "invalid");
        assert_eq!(answer.str("/errors/0/pointer"), pointer);
    }
    let link =
        json!({ "name": "likesIt", "kind": "link", "read": "user", "write": "user", "attributes": {} });
    declare(&kit, link).await.problem(422, "invalid");
}

#[tokio::test]
async fn nodes_are_read_and_written_as_their_type_says() {
    let kit = with_types().await;
    let (ann, bob) = (kit.person("ann").await, kit.person("bob").await);
    let server = server_key("one");
    let event = put(&kit, &ann, "Event", json!({ "title": "Picnic", "size": 12 })).await;
    let diary = put(&kit, &ann, "Diary", json!({ "free": ["form"] })).await;
    let wiki = put(&kit, &ann, "Wiki", json!({})).await;
    let ledger = kit.uuid();
    let body = json!({ "id": ledger, "type": "Ledger", "attributes": { "sum": 3 } });
    kit.call("graph.putNode", Some(&ann.token), body.clone()).await.problem(403, "forbidden");
    kit.call("graph.putNode", Some(&server), body).await.expect(200);
    for (id, readers) in [(&event, [1, 1, 1]), (&diary, [1, 0, 1]), (&wiki, [1, 1, 1]), (&ledger, [0, 0, 1])]
    {
        let seen = [
            nodes(&kit, &ann.token, id).await,
            nodes(&kit, &bob.token, id).await,
            nodes(&kit, &server, id).await,
        ];
        assert_eq!(seen, readers, "{id}");
    }
    // Others' nodes: by the declaration, and absence looks like secrecy.
    let patch = |id: &str| json!({ "id": id, "attributes": { "title": "Mine now" } });
    kit.call("graph.patchNode", Some(&bob.token), patch(&event)).await.problem(403, "forbidden");
    kit.call("graph.deleteNode", Some(&bob.token), json!({ "id": event })).await.problem(403, "forbidden");
    let absent =
        kit.call("graph.patchNode", Some(&bob.token), patch(&kit.uuid())).await.problem(404, "not-found");
    for id in [&diary, &ledger] {
        assert_eq!(
            kit.call("graph.patchNode", Some(&bob.token), patch(id)).await.untraced(),
            absent.untraced()
        );
        let deleted = kit.call("graph.deleteNode", Some(&bob.token), json!({ "id": id })).await;
        assert_eq!(deleted.untraced(), absent.untraced());
    }
    kit.call("graph.patchNode", Some(&bob.token), patch(&wiki)).await.expect(200);
    let taken = json!({ "id": event, "type": "Event", "attributes": {} });
    kit.call("graph.putNode", Some(&bob.token), taken.clone()).await.problem(409, "id-taken");
    let other_type = json!({ "id": event, "type": "Wiki", "attributes": {} });
    kit.call("graph.putNode", Some(&ann.token), other_type).await.problem(409, "id-taken");
    // Another app knows none of it.
    let mallory = kit.person_in("two", "mallory").await;
    let with = With { app: Some("two"), token: Some(&mallory.token), ..With::default() };
    let other = kit.call_with("graph.getNodes", with.clone(), json!({ "ids": [event] })).await.expect(200);
    assert_eq!(other.json["items"], json!([]));
    let other = kit.call_with("graph.deleteNode", with.clone(), json!({ "id": event })).await;
    assert_eq!(other.untraced(), absent.untraced());
    kit.call_with("graph.putNode", with, taken).await.problem(422, "invalid");
}

#[tokio::test]
async fn attributes_are_replaced_patched_and_checked() {
    let kit = with_types().await;
    let ann = kit.person("ann").await;
    let id = put(&kit, &ann, "Event", json!({ "title": "Picnic", "size": 12 })).await;
    let read = kit.call("graph.getNodes", Some(&ann.token), json!({ "ids": [id] })).await.expect(200);
    let first = read.str("/items/0/rev");
    assert_eq!(read.json["items"][0]["attributes"], json!({ "title": "Picnic", "size": 12 }));
    let patch = json!({ "id": id, "attributes": { "size": null, "title": "Party" } });
    let patched = kit.call("graph.patchNode", Some(&ann.token), patch).await.expect(200);
    assert_eq!(patched.json["attributes"], json!({ "title": "Party" }));
    let stale = json!({ "id": id, "attributes": { "title": "Late" }, "ifRev": first });
    let refused = kit.call("graph.patchNode", Some(&ann.token), stale).await.problem(412, "stale-revision");
    assert_eq!(
        (&refused.json["current"]["attributes"], &refused.json["rev"]),
        (&json!({ "title": "Party" }), &patched.json["rev"])
    );
    let stale = json!({ "id": id, "type": "Event", "ifRev": first });
    kit.call("graph.putNode", Some(&ann.token), stale).await.problem(412, "stale-revision");
    kit.call("graph.deleteNode", Some(&ann.token), json!({ "id": id, "ifRev": first }))
        .await
        .problem(412, "stale-revision");
    for (attributes, pointer) in [
        (json!({ "title": 7 }), "/attributes/title"),
        (json!({ "colour": "red" }), "/attributes/colour"),
        (json!({ "title": null }), "/attributes/title"),
    ] {
        let body = json!({ "id": id, "type": "Event", "attributes": attributes });
        let answer = kit.call("graph.putNode", Some(&ann.token), body).await.problem(422, "invalid");
        assert_eq!(answer.str("/errors/0/pointer"), pointer);
    }
    let unknown = json!({ "id": kit.uuid(), "type": "Nothing" });
    assert_eq!(
        kit.call("graph.putNode", Some(&ann.token), unknown)
            .await
            .problem(422, "invalid")
            .str("/errors/0/pointer"),
        "/type"
    );
    kit.call("graph.deleteNode", Some(&ann.token), json!({ "id": id })).await.expect(200);
    kit.call("graph.deleteNode", Some(&ann.token), json!({ "id": id })).await.expect(200);
    assert_eq!(nodes(&kit, &ann.token, &id).await, 0);
    let again = json!({ "id": id, "type": "Event" });
    kit.call("graph.putNode", Some(&ann.token), again).await.problem(409, "id-taken");
}

#[tokio::test]
async fn links_are_listed_newest_first_counted_and_kept_both_ways() {
    let kit = with_types().await;
    let (ann, bob) = (kit.person("ann").await, kit.person("bob").await);
    let event = put(&kit, &ann, "Event", json!({})).await;
    let goes = |who: &Person| json!({ "from": who.id, "type": "goesTo", "to": event });
    for who in [&ann, &bob] {
        let mut body = goes(who);
        body["data"] = json!({ "seats": 2 });
        kit.call("graph.putLink", Some(&who.token), body).await.expect(200);
    }
    kit.call("graph.putLink", Some(&bob.token), goes(&ann)).await.problem(403, "forbidden");
    let guests = json!({ "from": event, "type": "guest" });
    let two = |answer: &Answer| answer.json["count"] == 2;
    kit.until("graph.countLinks", Some(&bob.token), guests.clone(), two).await;
    let list = kit.call("graph.listLinks", Some(&bob.token), guests.clone()).await.expect(200);
    assert_eq!(list.json["items"][0]["data"], json!({ "seats": 2 }));
    let some = json!({ "from": event, "type": "guest", "to": [bob.id, kit.uuid()] });
    assert_eq!(
        kit.call("graph.getLinks", Some(&ann.token), some).await.expect(200).json["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    // A block hides the guest from the guest.
    kit.call("block.create", Some(&ann.token), json!({ "id": bob.id })).await.expect(200);
    let list = kit.call("graph.listLinks", Some(&ann.token), guests.clone()).await.expect(200);
    assert!(!list.text.contains(&bob.id));
    kit.call("graph.deleteLink", Some(&bob.token), goes(&bob)).await.expect(200);
    kit.call("graph.deleteLink", Some(&bob.token), goes(&bob)).await.expect(200);
    let one = |answer: &Answer| answer.json["count"] == 1;
    kit.until("graph.countLinks", Some(&server_key("one")), guests, one).await;
}

#[tokio::test]
async fn a_list_is_cut_by_time_and_paged_without_loss() {
    let kit = with_types().await;
    let ann = kit.person("ann").await;
    let from = put(&kit, &ann, "Wiki", json!({})).await;
    let mut targets = Vec::new();
    for minute in 10..17 {
        let to = kit.uuid();
        let time = format!("2026-01-01T00:{minute}:00.000Z");
        let body = json!({ "from": from, "type": "near", "to": to, "time": time });
        assert_eq!(kit.call("graph.putLink", Some(&ann.token), body).await.expect(200).str("/time"), time);
        targets.push(to);
    }
    targets.reverse();
    let list = async |more: Value| {
        let mut body = json!({ "from": from, "type": "near" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        kit.call("graph.listLinks", Some(&ann.token), body).await
    };
    let tos = |page: &Answer| -> Vec<String> {
        page.json["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|link| link["to"].as_str().unwrap().to_owned())
            .collect()
    };
    let (mut seen, mut more) = (Vec::new(), json!({ "limit": 3 }));
    loop {
        let page = list(more).await.expect(200);
        seen.extend(tos(&page));
        if page.json["end"] == true {
            break;
        }
        more = json!({ "limit": 3, "cursor": page.str("/cursor") });
    }
    assert_eq!(seen, targets);
    let window = json!({ "since": "2026-01-01T00:12:00Z", "until": "2026-01-01T00:14:00Z" });
    assert_eq!(tos(&list(window).await), targets[2..5]);
    // A cursor of one window is none of another.
    let page = list(json!({ "limit": 1 })).await;
    let other = json!({ "cursor": page.str("/cursor"), "since": "2026-01-01T00:12:00Z" });
    list(other).await.problem(400, "cursor-invalid");
    // To another list, with its time and data, in one step.
    let change = json!({ "from": from, "type": "near", "to": targets[0], "newType": "far" });
    for _ in 0..2 {
        let moved = kit.call("graph.changeLinkType", Some(&ann.token), change.clone()).await.expect(200);
        assert_eq!(
            (moved.str("/type"), moved.str("/time")),
            ("far".to_owned(), "2026-01-01T00:16:00.000Z".to_owned())
        );
    }
    let count = async |of_type: &str| {
        let body = json!({ "from": from, "type": of_type });
        kit.call("graph.countLinks", Some(&ann.token), body).await.expect(200).json["count"].clone()
    };
    assert_eq!((count("near").await, count("far").await), (json!(6), json!(1)));
    let absent = json!({ "from": from, "type": "near", "to": kit.uuid(), "newType": "far" });
    kit.call("graph.changeLinkType", Some(&ann.token), absent).await.problem(404, "not-found");
    let other_ends = json!({ "from": from, "type": "near", "to": targets[1], "newType": "goesTo" });
    kit.call("graph.changeLinkType", Some(&ann.token), other_ends).await.problem(422, "invalid");
    kit.call("graph.countLinks", Some(&ann.token), json!({ "from": from, "type": "Wiki" }))
        .await
        .problem(422, "invalid");
}
