//! `chat`: groups and pairs, messages in one order, marks, deletes, who may do what, strangers.

mod kit;

use kit::{Answer, Kit, Person, With};
use serde_json::{Value, json};

async fn group(kit: &Kit, owner: &Person, members: &[&Person]) -> String {
    let id = kit.uuid();
    let members: Vec<&str> = members.iter().map(|person| person.id.as_str()).collect();
    let body = json!({ "id": id, "title": "Choir", "members": members });
    kit.call("chat.create", Some(&owner.token), body).await.expect(200);
    id
}

async fn say(kit: &Kit, who: &Person, chat: &str, text: &str) -> Answer {
    let body = json!({ "chat": chat, "id": kit.uuid(), "text": text });
    kit.call("chat.sendMessage", Some(&who.token), body).await
}

async fn direct(kit: &Kit, who: &Person, with: &Person) -> String {
    let answer = kit.call("chat.openDirect", Some(&who.token), json!({ "with": with.id })).await;
    answer.expect(200).str("/id")
}

/// What somebody reads in a chat, newest first.
async fn texts(kit: &Kit, who: &Person, chat: &str) -> Vec<String> {
    let answer = kit.call("chat.listMessages", Some(&who.token), json!({ "chat": chat })).await.expect(200);
    let items = answer.json["items"].as_array().unwrap().iter();
    items.filter_map(|item| item["text"].as_str()).map(str::to_owned).collect()
}

/// The same call under an operation id.
async fn under(kit: &Kit, who: &Person, op: &str, method: &str, body: Value) -> Answer {
    let headers = [("idempotency-key", op)];
    let with = With { token: Some(&who.token), headers: &headers, ..With::default() };
    kit.call_with(method, with, body).await
}

/// Everything that a phone gets that has this chat open, from the start.
async fn pull(kit: &Kit, who: &Person, chat: &str) -> Vec<Value> {
    let mut items = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let body = json!({ "cursor": cursor, "roots": [format!("chat:{chat}")] });
        let body = if cursor.is_none() { json!({ "roots": body["roots"] }) } else { body };
        let page = kit.call("sync.pull", Some(&who.token), body).await.expect(200);
        items.extend(page.json["items"].as_array().unwrap().iter().cloned());
        cursor = Some(page.str("/cursor"));
        if page.json["end"] == json!(true) {
            return items;
        }
    }
}

#[tokio::test]
async fn a_group_is_made_once_and_reaches_every_member() {
    let kit = Kit::start().await;
    let (ann, bob, eve) = (kit.person("ann").await, kit.person("bob").await, kit.person("eve").await);
    let id = kit.uuid();
    let body = json!({ "id": id, "title": "Choir", "members": [bob.id, bob.id, ann.id] });
    let first = kit.call("chat.create", Some(&ann.token), body.clone()).await.expect(200);
    assert_eq!((&first.json["memberCount"], &first.json["myRole"]), (&json!(2), &json!("owner")));
    let again = kit.call("chat.create", Some(&ann.token), body.clone()).await.expect(200);
    for (name, value) in first.json.as_object().unwrap() {
        assert_eq!(again.json[name], *value, "{name}");
    }
    // Somebody else's id; somebody who does not exist; nobody.
    kit.call("chat.create", Some(&eve.token), body.clone()).await.problem(409, "id-taken");
    let stranger = json!({ "id": kit.uuid(), "title": "x", "members": [kit.uuid()] });
    let answer = kit.call("chat.create", Some(&ann.token), stranger).await.problem(422, "invalid");
    assert_eq!(answer.str("/errors/0/pointer"), "/members/0");
    kit.call("chat.create", None, body).await.problem(401, "unauthenticated");
    // It comes to the member's list, and to their own root for their phones.
    let listed = |answer: &Answer| answer.json["items"].as_array().is_some_and(|items| items.len() == 1);
    let list = kit.until("chat.list", Some(&bob.token), json!({}), listed).await;
    assert_eq!((list.str("/items/0/id"), list.str("/items/0/myRole")), (id.clone(), "member".into()));
    let own = kit.call("sync.pull", Some(&bob.token), json!({})).await.expect(200);
    assert!(own.text.contains("\"type\":\"chats\""), "{}", own.text);
    assert_eq!(kit.call("chat.list", Some(&eve.token), json!({})).await.expect(200).json["items"], json!([]));
}

#[tokio::test]
async fn a_pair_has_one_chat_also_when_both_start_at_once() {
    let kit = Kit::start().await;
    let (ann, bob) = (kit.person("ann").await, kit.person("bob").await);
    let (one, other) = tokio::join!(direct(&kit, &ann, &bob), direct(&kit, &bob, &ann));
    assert_eq!(one, other);
    assert_eq!(direct(&kit, &ann, &bob).await, one);
    let seen = kit.call("chat.get", Some(&bob.token), json!({ "id": one })).await.expect(200);
    assert_eq!((seen.str("/kind"), seen.str("/with")), ("direct".into(), ann.id.clone()));
    assert_eq!(seen.json["memberCount"], 2);
    // A pair has no roles and no others, and is not left.
    let (chat, eve) = (&one, kit.person("eve").await);
    let add = json!({ "chat": chat, "profiles": [eve.id] });
    kit.call("chat.addMembers", Some(&ann.token), add).await.problem(403, "forbidden");
    kit.call("chat.update", Some(&ann.token), json!({ "id": chat, "title": "x" }))
        .await
        .problem(403, "forbidden");
    kit.call("chat.leave", Some(&ann.token), json!({ "chat": chat })).await.problem(422, "invalid");
    kit.call("chat.openDirect", Some(&ann.token), json!({ "with": ann.id })).await.problem(422, "invalid");
    let absent = json!({ "with": kit.uuid() });
    kit.call("chat.openDirect", Some(&ann.token), absent).await.problem(404, "not-found");
}

#[tokio::test]
async fn the_other_one_hears_of_a_direct_chat_with_its_first_message() {
    let kit = Kit::start().await;
    let (ann, bob) = (kit.person("ann").await, kit.person("bob").await);
    let chat = direct(&kit, &ann, &bob).await;
    let listed = |answer: &Answer| answer.text.contains(&chat);
    kit.until("chat.list", Some(&ann.token), json!({}), listed).await;
    assert_eq!(kit.call("chat.list", Some(&bob.token), json!({})).await.json["items"], json!([]));
    say(&kit, &ann, &chat, "Hello").await.expect(200);
    let list = kit.until("chat.list", Some(&bob.token), json!({}), listed).await;
    assert_eq!(
        (list.str("/items/0/last/text"), &list.json["items"][0]["unread"]),
        ("Hello".into(), &json!(1))
    );
}

#[tokio::test]
async fn a_message_sent_twice_is_one_and_answers_as_before() {
    let kit = Kit::start().await;
    let (ann, bob, eve) = (kit.person("ann").await, kit.person("bob").await, kit.person("eve").await);
    let chat = group(&kit, &ann, &[&bob]).await;
    let (id, op) = (kit.uuid(), kit.uuid());
    let body = json!({ "chat": chat, "id": id, "text": "Hi @bob", "replyTo": kit.uuid() });
    let first = under(&kit, &ann, &op, "chat.sendMessage", body.clone()).await.expect(200);
    assert_eq!(first.json["mentions"], json!([bob.id]));
    // Under the same operation id, under none, and as it is read: the same bytes but for the replay's header.
    let again = under(&kit, &ann, &op, "chat.sendMessage", body.clone()).await.expect(200);
    assert_eq!((again.header("gomer-replayed"), &again.text), (Some("true"), &first.text));
    let plain = kit.call("chat.sendMessage", Some(&ann.token), body.clone()).await.expect(200);
    assert_eq!(plain.json, first.json);
    let read = kit.call("chat.listMessages", Some(&bob.token), json!({ "chat": chat })).await.expect(200);
    assert_eq!(read.json["items"], json!([first.json]));
    // The same operation with another body, the same id by somebody else, and by strangers.
    let other = json!({ "chat": chat, "id": id, "text": "Other" });
    under(&kit, &ann, &op, "chat.sendMessage", other.clone()).await.problem(422, "key-reused");
    kit.call("chat.sendMessage", Some(&bob.token), other.clone()).await.problem(409, "id-taken");
    let stranger = kit.call("chat.sendMessage", Some(&eve.token), other).await.problem(404, "not-found");
    let absent = json!({ "chat": kit.uuid(), "id": id, "text": "Other" });
    let nowhere = kit.call("chat.sendMessage", Some(&ann.token), absent).await.problem(404, "not-found");
    assert_eq!(stranger.untraced(), nowhere.untraced());
    // What was deleted for all is not said again under its id.
    let delete = json!({ "chat": chat, "id": id, "for": "all" });
    kit.call("chat.deleteMessage", Some(&ann.token), delete).await.expect(200);
    kit.call("chat.sendMessage", Some(&ann.token), body).await.problem(409, "id-taken");
    // Nothing is no message.
    let empty = json!({ "chat": chat, "id": kit.uuid() });
    kit.call("chat.sendMessage", Some(&ann.token), empty).await.problem(422, "invalid");
}

#[tokio::test]
async fn all_read_one_order_and_pages_meet_without_a_gap() {
    let kit = Kit::start().await;
    let (ann, bob) = (kit.person("ann").await, kit.person("bob").await);
    let chat = group(&kit, &ann, &[&bob]).await;
    for n in 0..4 {
        let (one, other) = (format!("a{n}"), format!("b{n}"));
        let (one, other) = tokio::join!(say(&kit, &ann, &chat, &one), say(&kit, &bob, &chat, &other));
        one.expect(200);
        other.expect(200);
    }
    let all = texts(&kit, &ann, &chat).await;
    assert_eq!((all.len(), &all), (8, &texts(&kit, &bob, &chat).await));
    let orders = |answer: &Answer| -> Vec<String> {
        let items = answer.json["items"].as_array().unwrap().iter();
        items.map(|item| item["order"].as_str().unwrap().to_owned()).collect()
    };
    let list = async |extra: Value| {
        let mut body = json!({ "chat": chat, "limit": 3 });
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        kit.call("chat.listMessages", Some(&bob.token), body).await.expect(200)
    };
    let newest = list(json!({})).await;
    let middle = list(json!({ "cursor": newest.str("/cursor") })).await;
    let oldest = list(json!({ "before": middle.str("/before") })).await;
    let mut pages = [orders(&newest), orders(&middle), orders(&oldest)].concat();
    assert_eq!((pages.len(), &oldest.json["end"]), (8, &json!(true)));
    assert!(pages.is_sorted_by(|a, b| a > b), "newest first: {pages:?}");
    // Back up, and what is new.
    assert_eq!(orders(&list(json!({ "after": oldest.str("/after") })).await), orders(&middle));
    assert_eq!(list(json!({ "after": newest.str("/after") })).await.json["items"], json!([]));
    say(&kit, &ann, &chat, "late").await.expect(200);
    let late = list(json!({ "after": newest.str("/after") })).await;
    assert_eq!(late.str("/items/0/text"), "late");
    // Around a place.
    pages.insert(0, late.str("/items/0/order"));
    let around = list(json!({ "around": pages[4] })).await;
    assert_eq!(orders(&around), pages[3..6]);
    // Cursors are of this list, this person and this chat.
    let other = group(&kit, &ann, &[&bob]).await;
    let wrong = json!({ "chat": other, "cursor": newest.str("/cursor") });
    kit.call("chat.listMessages", Some(&bob.token), wrong).await.problem(400, "cursor-invalid");
    let both = json!({ "chat": chat, "cursor": newest.str("/cursor"), "around": pages[0] });
    kit.call("chat.listMessages", Some(&bob.token), both).await.problem(422, "invalid");
    let wrong = json!({ "chat": chat, "cursor": newest.str("/cursor") });
    kit.call("chat.listMessages", Some(&ann.token), wrong).await.problem(400, "cursor-invalid");
}

#[tokio::test]
async fn what_was_written_offline_arrives_in_order_and_once() {
    let kit = Kit::start().await;
    let (ann, bob) = (kit.person("ann").await, kit.person("bob").await);
    let chat = group(&kit, &ann, &[&bob]).await;
    let operations: Vec<Value> = (0..5)
        .map(|n| {
            let args = json!({ "chat": chat, "id": kit.uuid(), "text": format!("m{n}") });
            json!({ "op": kit.uuid(), "method": "chat.sendMessage", "args": args })
        })
        .collect();
    let body = json!({ "operations": operations });
    let first = kit.call("sync.push", Some(&ann.token), body.clone()).await.expect(200);
    say(&kit, &bob, &chat, "in between").await.expect(200);
    let again = kit.call("sync.push", Some(&ann.token), body).await.expect(200);
    for n in 0..5 {
        let value = |answer: &Answer| answer.json["results"][n]["value"].clone();
        assert_eq!((value(&first), &again.json["results"][n]["replayed"]), (value(&again), &json!(true)));
    }
    assert_eq!(texts(&kit, &bob, &chat).await, ["in between", "m4", "m3", "m2", "m1", "m0"]);
}

#[tokio::test]
async fn a_mark_moves_forward_only_and_unread_is_counted_from_it() {
    let kit = Kit::start().await;
    let (ann, bob) = (kit.person("ann").await, kit.person("bob").await);
    let chat = group(&kit, &ann, &[&bob]).await;
    let mut sent = Vec::new();
    for text in ["one", "two @bob", "three"] {
        sent.push(say(&kit, &ann, &chat, text).await.expect(200));
    }
    say(&kit, &bob, &chat, "mine").await.expect(200);
    let unread =
        |n: u32, mentions: u32| json!({ "chats": u32::from(n > 0), "messages": n, "mentions": mentions });
    let all = |answer: &Answer| answer.json == unread(3, 1);
    kit.until("chat.getUnread", Some(&bob.token), json!({}), all).await;
    let mark = async |body: Value| {
        let mut whole = json!({ "chat": chat });
        whole.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        kit.call("chat.markRead", Some(&bob.token), whole).await
    };
    let second = mark(json!({ "id": sent[1].str("/id") })).await.expect(200);
    assert_eq!((second.str("/readTo"), &second.json["unread"]), (sent[1].str("/order"), &json!(1)));
    // Back is no way; beyond the end is the end.
    let back = mark(json!({ "id": sent[0].str("/id") })).await.expect(200);
    assert_eq!(back.json, second.json);
    assert_eq!(kit.call("chat.getUnread", Some(&bob.token), json!({})).await.json, unread(1, 0));
    let far = mark(json!({ "order": "18446744073709551615.00000" })).await.expect(200);
    assert_eq!(far.json["unread"], 0);
    say(&kit, &ann, &chat, "four").await.expect(200);
    assert_eq!(kit.call("chat.getUnread", Some(&bob.token), json!({})).await.json, unread(1, 0));
    // A message that is deleted is not unread; a muted chat does not count.
    let five = say(&kit, &ann, &chat, "five").await.expect(200).str("/id");
    assert_eq!(kit.call("chat.getUnread", Some(&bob.token), json!({})).await.json, unread(2, 0));
    let delete = json!({ "chat": chat, "id": five, "for": "all" });
    kit.call("chat.deleteMessage", Some(&ann.token), delete).await.expect(200);
    assert_eq!(kit.call("chat.getUnread", Some(&bob.token), json!({})).await.json, unread(1, 0));
    let mute = json!({ "subject": { "chat": chat } });
    kit.call("block.createMute", Some(&bob.token), mute).await.expect(200);
    assert_eq!(kit.call("chat.getUnread", Some(&bob.token), json!({})).await.json, unread(0, 0));
    // The others see how far: in the list, and, while the chat is small, on their phones.
    let read = |answer: &Answer| answer.json["items"].to_string().contains(&far.str("/readTo"));
    kit.until("chat.listMembers", Some(&ann.token), json!({ "chat": chat }), read).await;
    let items = pull(&kit, &ann, &chat).await;
    assert!(
        items.iter().any(|item| item["type"] == "chatRead" && item["id"] == bob.id.as_str()),
        "{items:?}"
    );
    mark(json!({})).await.problem(422, "invalid");
    mark(json!({ "id": kit.uuid() })).await.problem(404, "not-found");
    let eve = kit.person("eve").await;
    let body = json!({ "chat": chat, "id": sent[0].str("/id") });
    kit.call("chat.markRead", Some(&eve.token), body).await.problem(404, "not-found");
}

#[tokio::test]
async fn roles_decide_who_does_what() {
    let kit = Kit::start().await;
    let (ann, bob, eve) = (kit.person("ann").await, kit.person("bob").await, kit.person("eve").await);
    let chat = group(&kit, &ann, &[&bob]).await;
    let who = |who: &Person| json!({ "chat": chat, "profiles": [who.id] });
    let role = |who: &Person, role: &str| json!({ "chat": chat, "profile": who.id, "role": role });
    // A member neither adds, removes, changes nor gives roles; a stranger sees nothing.
    for (method, body) in [
        ("chat.addMembers", who(&eve)),
        ("chat.removeMembers", who(&ann)),
        ("chat.update", json!({ "id": chat, "title": "Mine" })),
        ("chat.setMemberRole", role(&bob, "owner")),
    ] {
        kit.call(method, Some(&bob.token), body.clone()).await.problem(403, "forbidden");
        kit.call(method, Some(&eve.token), body).await.problem(404, "not-found");
    }
    // The owner says that only moderators write.
    let update = kit
        .call(
            "chat.update",
            Some(&ann.token),
            json!({ "id": chat, "writers": "moderators", "title": "News" }),
        )
        .await
        .expect(200);
    assert_eq!((update.str("/title"), update.str("/writers")), ("News".into(), "moderators".into()));
    say(&kit, &bob, &chat, "x").await.problem(403, "forbidden");
    kit.call("chat.setMemberRole", Some(&ann.token), role(&bob, "moderator")).await.expect(200);
    say(&kit, &bob, &chat, "now").await.expect(200);
    // A moderator adds and removes members, but neither owners nor moderators.
    let added = kit.call("chat.addMembers", Some(&bob.token), who(&eve)).await.expect(200);
    assert_eq!((&added.json["changed"], &added.json["memberCount"]), (&json!([eve.id]), &json!(3)));
    let again = kit.call("chat.addMembers", Some(&bob.token), who(&eve)).await.expect(200);
    assert_eq!(again.json["changed"], json!([]));
    kit.call("chat.removeMembers", Some(&bob.token), who(&ann)).await.problem(403, "forbidden");
    kit.call("chat.removeMembers", Some(&bob.token), who(&bob)).await.problem(422, "invalid");
    kit.call("chat.removeMembers", Some(&bob.token), who(&eve)).await.expect(200);
    // The last owner stays one, until there is another.
    kit.call("chat.leave", Some(&ann.token), json!({ "chat": chat })).await.problem(403, "forbidden");
    kit.call("chat.setMemberRole", Some(&ann.token), role(&ann, "member")).await.problem(403, "forbidden");
    kit.call("chat.setMemberRole", Some(&ann.token), role(&eve, "owner")).await.problem(422, "invalid");
    kit.call("chat.setMemberRole", Some(&ann.token), role(&bob, "owner")).await.expect(200);
    kit.call("chat.leave", Some(&ann.token), json!({ "chat": chat })).await.expect(200);
    // A revision guards a change.
    let stale = json!({ "id": chat, "title": "Old", "ifRev": "1.00000000" });
    let answer = kit.call("chat.update", Some(&bob.token), stale).await.problem(412, "stale-revision");
    assert_eq!(answer.str("/current/title"), "News");
    kit.call("chat.update", Some(&bob.token), json!({ "id": chat, "title": null }))
        .await
        .problem(422, "invalid");
}

#[tokio::test]
async fn who_leaves_or_is_removed_sees_nothing_of_it_any_more() {
    let kit = Kit::start().await;
    let (ann, bob, eve) = (kit.person("ann").await, kit.person("bob").await, kit.person("eve").await);
    let chat = group(&kit, &ann, &[&bob, &eve]).await;
    say(&kit, &ann, &chat, "before").await.expect(200);
    let root = format!("chat:{chat}");
    let start = kit.call("sync.pull", Some(&bob.token), json!({ "roots": [root] })).await.expect(200);
    assert!(start.text.contains("before"), "{}", start.text);
    let remove = json!({ "chat": chat, "profiles": [bob.id] });
    kit.call("chat.removeMembers", Some(&ann.token), remove).await.expect(200);
    kit.call("chat.leave", Some(&eve.token), json!({ "chat": chat })).await.expect(200);
    say(&kit, &ann, &chat, "after").await.expect(200);
    let absent = kit.call("chat.get", Some(&bob.token), json!({ "id": kit.uuid() })).await;
    for who in [&bob, &eve] {
        for (method, body) in [
            ("chat.get", json!({ "id": chat })),
            ("chat.listMessages", json!({ "chat": chat })),
            ("chat.listMembers", json!({ "chat": chat })),
            ("chat.sendMessage", json!({ "chat": chat, "id": kit.uuid(), "text": "x" })),
        ] {
            let answer = kit.call(method, Some(&who.token), body).await;
            assert_eq!(answer.untraced(), absent.untraced(), "{method}");
        }
        let gone = |answer: &Answer| answer.json["items"] == json!([]);
        kit.until("chat.list", Some(&who.token), json!({}), gone).await;
    }
    // The phone that had it open is told that it is dropped, and gets nothing of what came after.
    let body = json!({ "cursor": start.str("/cursor"), "roots": [root] });
    let page = kit.call("sync.pull", Some(&bob.token), body).await.expect(200);
    let dropped = |item: &Value| item["op"] == "scopeDropped" && item["root"] == root.as_str();
    assert!(page.json["items"].as_array().unwrap().iter().any(dropped), "{}", page.text);
    assert!(!page.text.contains("after"), "{}", page.text);
    // To leave again, or what never was, is done.
    kit.call("chat.leave", Some(&eve.token), json!({ "chat": chat })).await.expect(200);
    kit.call("chat.leave", Some(&eve.token), json!({ "chat": kit.uuid() })).await.expect(200);
    // Who comes back reads it all, with nothing of it unread.
    let add = json!({ "chat": chat, "profiles": [bob.id] });
    kit.call("chat.addMembers", Some(&ann.token), add).await.expect(200);
    assert_eq!(texts(&kit, &bob, &chat).await, ["after", "before"]);
    let listed = |answer: &Answer| answer.json["items"].as_array().is_some_and(|items| items.len() == 1);
    let list = kit.until("chat.list", Some(&bob.token), json!({}), listed).await;
    assert_eq!(list.json["items"][0]["unread"], 0, "{}", list.text);
}

#[tokio::test]
async fn an_edit_keeps_the_place_and_a_delete_is_for_whom_it_says() {
    let kit = Kit::start().await;
    let (ann, bob) = (kit.person("ann").await, kit.person("bob").await);
    let chat = group(&kit, &ann, &[&bob]).await;
    let first = say(&kit, &bob, &chat, "frist").await.expect(200);
    let second = say(&kit, &bob, &chat, "second").await.expect(200);
    let third = say(&kit, &ann, &chat, "third").await.expect(200);
    let edit = json!({ "chat": chat, "id": first.str("/id"), "text": "first" });
    let edited = kit.call("chat.updateMessage", Some(&bob.token), edit.clone()).await.expect(200);
    assert_eq!(
        (edited.str("/order"), edited.str("/createdAt")),
        (first.str("/order"), first.str("/createdAt"))
    );
    assert!(edited.json["editedAt"].is_string() && edited.json["rev"] != first.json["rev"]);
    assert_eq!(texts(&kit, &ann, &chat).await, ["third", "second", "first"]);
    // Nobody edits what another one said, the chat's owner included; nor from an older revision.
    kit.call("chat.updateMessage", Some(&ann.token), edit).await.problem(403, "forbidden");
    let stale = json!({ "chat": chat, "id": first.str("/id"), "text": "x", "ifRev": first.str("/rev") });
    kit.call("chat.updateMessage", Some(&bob.token), stale).await.problem(412, "stale-revision");
    let absent = json!({ "chat": chat, "id": kit.uuid(), "text": "x" });
    kit.call("chat.updateMessage", Some(&bob.token), absent).await.problem(404, "not-found");
    // For me: on my devices, and on nobody else's.
    let delete =
        |message: &Answer, whom: &str| json!({ "chat": chat, "id": message.str("/id"), "for": whom });
    kit.call("chat.deleteMessage", Some(&bob.token), delete(&third, "me")).await.expect(200);
    assert_eq!(texts(&kit, &bob, &chat).await, ["second", "first"]);
    assert_eq!(texts(&kit, &ann, &chat).await, ["third", "second", "first"]);
    let items = pull(&kit, &bob, &chat).await;
    let shown = |text: &str| items.iter().any(|item| item["value"]["extra"]["text"] == text);
    assert!(shown("second") && !shown("third"), "{items:?}");
    // For all: a member only what is theirs, an owner also what is not.
    kit.call("chat.deleteMessage", Some(&bob.token), delete(&third, "all")).await.expect(200);
    assert_eq!(texts(&kit, &ann, &chat).await.len(), 3, "what bob no longer sees is not his to delete");
    let fourth = say(&kit, &ann, &chat, "fourth").await.expect(200);
    kit.call("chat.deleteMessage", Some(&bob.token), delete(&fourth, "all")).await.problem(403, "forbidden");
    kit.call("chat.deleteMessage", Some(&ann.token), delete(&second, "all")).await.expect(200);
    kit.call("chat.deleteMessage", Some(&ann.token), delete(&second, "all")).await.expect(200);
    assert_eq!(texts(&kit, &ann, &chat).await, ["fourth", "third", "first"]);
    // Cleared history: for one person, up to there.
    kit.call("chat.deleteMessage", Some(&ann.token), delete(&third, "meUpToHere")).await.expect(200);
    assert_eq!(texts(&kit, &ann, &chat).await, ["fourth"]);
    assert_eq!(texts(&kit, &bob, &chat).await, ["fourth", "first"]);
    // Bad words.
    let bad = json!({ "chat": chat, "id": first.str("/id"), "for": "everybody" });
    kit.call("chat.deleteMessage", Some(&bob.token), bad).await.problem(422, "invalid");
}

#[tokio::test]
async fn a_block_ends_a_direct_chat_and_hides_in_groups() {
    let kit = Kit::start().await;
    let (ann, bob, eve) = (kit.person("ann").await, kit.person("bob").await, kit.person("eve").await);
    let pair = direct(&kit, &ann, &bob).await;
    let trio = group(&kit, &eve, &[&ann, &bob]).await;
    say(&kit, &bob, &pair, "hey").await.expect(200);
    for who in [&bob, &eve] {
        say(&kit, who, &trio, &format!("from {}", who.handle)).await.expect(200);
    }
    kit.call("block.create", Some(&ann.token), json!({ "id": bob.id })).await.expect(200);
    let absent = kit.call("chat.get", Some(&bob.token), json!({ "id": kit.uuid() })).await;
    for who in [&ann, &bob] {
        for (method, body) in [
            ("chat.get", json!({ "id": pair })),
            ("chat.listMessages", json!({ "chat": pair })),
            ("chat.sendMessage", json!({ "chat": pair, "id": kit.uuid(), "text": "x" })),
        ] {
            let answer = kit.call(method, Some(&who.token), body).await;
            assert_eq!(answer.untraced(), absent.untraced(), "{method} of {}", who.handle);
        }
        let list = kit.call("chat.list", Some(&who.token), json!({})).await.expect(200);
        assert!(!list.text.contains(&pair), "{}", list.text);
    }
    kit.call("chat.openDirect", Some(&bob.token), json!({ "with": ann.id })).await.problem(404, "not-found");
    // In a group each of the two does without the other, and nobody else notices.
    assert_eq!(texts(&kit, &ann, &trio).await, ["from eve"]);
    assert_eq!(texts(&kit, &eve, &trio).await, ["from eve", "from bob"]);
    let members = kit.call("chat.listMembers", Some(&ann.token), json!({ "chat": trio })).await.expect(200);
    assert!(!members.text.contains(&bob.id) && members.text.contains(&eve.id), "{}", members.text);
    let items = pull(&kit, &ann, &trio).await;
    let shown = |text: &str| items.iter().any(|item| item["value"]["extra"]["text"] == text);
    assert!(shown("from eve") && !shown("from bob"));
    assert!(items.iter().all(|item| item["value"]["actor"] != bob.id.as_str()), "{items:?}");
    // Whom one of the two adds must not be hidden from them.
    let other = group(&kit, &bob, &[]).await;
    let add = json!({ "chat": other, "profiles": [ann.id] });
    kit.call("chat.addMembers", Some(&bob.token), add).await.problem(422, "invalid");
}

#[tokio::test]
async fn another_apps_chat_is_absent() {
    let kit = Kit::start().await;
    let (ann, bob) = (kit.person("ann").await, kit.person("bob").await);
    let mallory = kit.person_in("two", "mallory").await;
    let chat = group(&kit, &ann, &[&bob]).await;
    let message = say(&kit, &ann, &chat, "secret").await.expect(200).str("/id");
    let absent = kit.call("chat.get", Some(&ann.token), json!({ "id": kit.uuid() })).await;
    for (method, body) in [
        ("chat.get", json!({ "id": chat })),
        ("chat.update", json!({ "id": chat, "title": "x" })),
        ("chat.listMessages", json!({ "chat": chat })),
        ("chat.listMembers", json!({ "chat": chat })),
        ("chat.sendMessage", json!({ "chat": chat, "id": kit.uuid(), "text": "x" })),
        ("chat.updateMessage", json!({ "chat": chat, "id": message, "text": "x" })),
        ("chat.deleteMessage", json!({ "chat": chat, "id": message, "for": "all" })),
        ("chat.markRead", json!({ "chat": chat, "id": message })),
        ("chat.addMembers", json!({ "chat": chat, "profiles": [mallory.id] })),
        ("chat.removeMembers", json!({ "chat": chat, "profiles": [bob.id] })),
        ("chat.setMemberRole", json!({ "chat": chat, "profile": bob.id, "role": "owner" })),
        ("chat.openDirect", json!({ "with": bob.id })),
    ] {
        let with = With { app: Some("two"), token: Some(&mallory.token), ..With::default() };
        let answer = kit.call_with(method, with, body.clone()).await;
        assert_eq!(answer.untraced(), absent.untraced(), "{method}");
        kit.call(method, None, body).await.problem(401, "unauthenticated");
    }
    let with = With { app: Some("two"), token: Some(&mallory.token), ..With::default() };
    let body = json!({ "roots": [format!("chat:{chat}")] });
    let page = kit.call_with("sync.pull", with, body).await.expect(200);
    assert!(!page.text.contains("secret"), "{}", page.text);
}
