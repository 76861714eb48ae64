//! `note`: what each method does, each way in which it fails, replays, strangers, two devices at once.

mod kit;

use kit::{Answer, Kit, PASSWORD, Person, With};
use serde_json::{Value, json};

async fn write(kit: &Kit, who: &Person, text: &str, about: Option<&str>) -> (String, String) {
    let id = kit.uuid();
    let body = json!({ "id": id, "text": text, "about": about });
    let made = kit.call("note.create", Some(&who.token), body).await.expect(200);
    (id, made.str("/rev"))
}

async fn under(kit: &Kit, who: &Person, op: &str, method: &str, body: Value) -> Answer {
    let headers = [("idempotency-key", op)];
    let with = With { token: Some(&who.token), headers: &headers, ..With::default() };
    kit.call_with(method, with, body).await
}

/// The same person on another device.
async fn elsewhere(kit: &Kit, who: &Person) -> Person {
    let body = json!({
        "handle": who.handle, "password": PASSWORD,
        "device": { "id": kit.uuid() },
    });
    let answer = kit.call("auth.createSession", None, body).await.expect(200);
    Person { token: answer.str("/accessToken"), refresh: answer.str("/refreshToken"), ..who.clone() }
}

fn ids(answer: &Answer) -> Vec<&str> {
    answer.json["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_note_is_made_once_and_reads_as_it_was_answered() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    let (id, booth) = (kit.uuid(), kit.uuid());
    let body = json!({
        "id": id.to_uppercase(), "title": "Booth 7", "text": "Ask for \"prices\"",
        "about": format!("node:{}", booth.to_uppercase()),
    });
    let first = kit.call("note.create", Some(&ann.token), body).await.expect(200);
    // The golden example: everything in a note's reply, but for what differs from run to run.
    let mut golden = first.json.clone();
    let known = golden.as_object_mut().unwrap();
    assert!(known.remove("rev").is_some() && known.remove("createdAt").is_some());
    assert_eq!(
        golden,
        json!({
            "id": id, "title": "Booth 7", "text": "Ask for \"prices\"", "about": format!("node:{booth}"),
        })
    );
    assert_eq!(first.header("etag").map(str::to_owned), Some(format!("\"{}\"", first.str("/rev"))));
    let again = json!({ "id": id, "text": "Other" });
    let again = kit.call("note.create", Some(&ann.token), again).await.expect(200);
    assert_eq!(again.json, first.json);
    let read = kit.call("note.get", Some(&ann.token), json!({ "id": id })).await.expect(200);
    assert_eq!(read.json, first.json);
    // The id of something else of mine is taken, and so is that of what is gone.
    let mine = json!({ "id": ann.id, "text": "x" });
    kit.call("note.create", Some(&ann.token), mine).await.problem(409, "id-taken");
    kit.call("note.delete", Some(&ann.token), json!({ "id": id })).await.expect(200);
    let back = json!({ "id": id, "text": "x" });
    kit.call("note.create", Some(&ann.token), back).await.problem(409, "id-taken");
}

#[tokio::test]
async fn notes_are_their_authors_alone() {
    let kit = Kit::start().await;
    let (ann, eve) = (kit.person("ann").await, kit.person("eve").await);
    let mallory = kit.person_in("two", "mallory").await;
    let (id, _) = write(&kit, &ann, "Mine", None).await;
    let absent = kit.call("note.get", Some(&eve.token), json!({ "id": kit.uuid() })).await;
    let nothing = absent.problem(404, "not-found").untraced();
    for method in ["note.get", "note.update", "note.delete"] {
        let answer = kit.call(method, Some(&eve.token), json!({ "id": id })).await;
        assert_eq!(answer.untraced(), nothing, "{method}: the same bytes as for what does not exist");
        let other = With { app: Some("two"), token: Some(&mallory.token), ..With::default() };
        assert_eq!(kit.call_with(method, other, json!({ "id": id })).await.untraced(), nothing);
        kit.call(method, None, json!({ "id": id })).await.problem(401, "unauthenticated");
    }
    kit.call("note.list", None, json!({})).await.problem(401, "unauthenticated");
    kit.call("note.create", None, json!({ "id": kit.uuid(), "text": "x" }))
        .await
        .problem(401, "unauthenticated");
    assert_eq!(ids(&kit.call("note.list", Some(&eve.token), json!({})).await), Vec::<&str>::new());
    // The same id in somebody else's root is a note of its own, and tells nothing of mine.
    let same = json!({ "id": id, "text": "Theirs" });
    kit.call("note.create", Some(&eve.token), same).await.expect(200);
    assert_eq!(kit.call("note.get", Some(&ann.token), json!({ "id": id })).await.str("/text"), "Mine");
    // Not even a root that everybody may follow has it.
    let roots = json!({ "roots": [format!("profile:{}", ann.id)] });
    let pulled = kit.call("sync.pull", Some(&eve.token), roots).await.expect(200);
    assert!(!pulled.text.contains("Mine"), "{}", pulled.text);
}

#[tokio::test]
async fn an_operation_id_brings_the_first_reply_again_and_refuses_another_body() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    let id = kit.uuid();
    for (method, body, other) in [
        ("note.create", json!({ "id": id, "text": "One" }), json!({ "id": id, "text": "Other" })),
        ("note.update", json!({ "id": id, "text": "Two" }), json!({ "id": id, "text": "Other" })),
        ("note.delete", json!({ "id": id }), json!({ "id": kit.uuid() })),
    ] {
        let op = kit.uuid();
        let first = under(&kit, &ann, &op, method, body.clone()).await.expect(200);
        let again = under(&kit, &ann, &op, method, body).await.expect(200);
        assert_eq!(
            (again.text.as_str(), again.header("gomer-replayed")),
            (first.text.as_str(), Some("true"))
        );
        under(&kit, &ann, &op, method, other).await.problem(422, "key-reused");
    }
    kit.call("note.delete", Some(&ann.token), json!({ "id": id })).await.expect(200);
}

#[tokio::test]
async fn bad_notes_are_refused_with_a_pointer() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    for (patch, code, pointer) in [
        (json!({ "text": "x".repeat(10_001) }), 422, "/text"),
        (json!({ "text": null }), 422, "/text"),
        (json!({ "title": "" }), 422, "/title"),
        (json!({ "title": "x".repeat(201) }), 422, "/title"),
        (json!({ "about": "booth 7" }), 422, "/about"),
        (json!({ "about": format!("name:{}", kit.uuid()) }), 422, "/about"),
        (json!({ "audience": "public" }), 400, "/audience"),
        (json!({ "id": "7" }), 422, "/id"),
    ] {
        let mut body = json!({ "id": kit.uuid(), "text": "x" });
        body.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
        let answer = kit.call("note.create", Some(&ann.token), body).await.expect(code);
        assert_eq!(answer.str("/errors/0/pointer"), pointer, "{}", answer.text);
    }
}

#[tokio::test]
async fn an_edit_changes_what_it_names_and_holds_to_its_guard() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    let (id, first) = write(&kit, &ann, "One", None).await;
    let about = format!("profile:{}", ann.id);
    let edit = json!({ "id": id, "title": "T", "about": about, "ifRev": first });
    let edited = kit.call("note.update", Some(&ann.token), edit).await.expect(200);
    assert_eq!((edited.str("/title").as_str(), edited.str("/text").as_str()), ("T", "One"));
    let read = kit.call("note.get", Some(&ann.token), json!({ "id": id })).await.expect(200);
    assert_eq!(read.json, edited.json);
    let clear = json!({ "id": id, "title": null, "about": null, "text": null });
    let cleared = kit.call("note.update", Some(&ann.token), clear.clone()).await.expect(200);
    assert_eq!((cleared.json.get("title"), cleared.str("/text").as_str()), (None, ""));
    let same = kit.call("note.update", Some(&ann.token), clear).await.expect(200);
    assert_eq!(same.json["rev"], cleared.json["rev"], "an edit to what it already is changes nothing");
    for method in ["note.update", "note.delete"] {
        let stale = json!({ "id": id, "ifRev": first });
        let refused = kit.call(method, Some(&ann.token), stale).await.problem(412, "stale-revision");
        assert_eq!(refused.json["current"], cleared.json, "{method}");
    }
    let gone = kit.call("note.delete", Some(&ann.token), json!({ "id": id })).await.expect(200);
    let again = kit.call("note.delete", Some(&ann.token), json!({ "id": id })).await.expect(200);
    assert_eq!(again.json, gone.json);
    kit.call("note.get", Some(&ann.token), json!({ "id": id })).await.problem(404, "not-found");
    kit.call("note.update", Some(&ann.token), json!({ "id": id, "text": "x" }))
        .await
        .problem(404, "not-found");
}

#[tokio::test]
async fn texts_of_two_devices_are_both_kept_until_one_has_seen_both() {
    let kit = Kit::start().await;
    let phone = kit.person("ann").await;
    let tablet = elsewhere(&kit, &phone).await;
    let (id, first) = write(&kit, &phone, "Milk", None).await;
    let edit = |text: &str, rev: &str| json!({ "id": id, "text": text, "basedOn": rev });
    // Two in a row on one device, of which the second does not know the first one's revision: no conflict.
    kit.call("note.update", Some(&phone.token), edit("Milk, eggs", &first)).await.expect(200);
    let own = kit.call("note.update", Some(&phone.token), edit("Milk, six eggs", &first)).await.expect(200);
    assert_eq!(own.json.get("conflicts"), None, "{}", own.text);
    // The other device wrote without knowing of either.
    let late = kit.call("note.update", Some(&tablet.token), edit("Milk, bread", &first)).await.expect(200);
    assert_eq!(late.str("/text"), "Milk, bread");
    assert_eq!(late.str("/conflicts/0/text"), "Milk, six eggs");
    assert_eq!(late.json["conflicts"].as_array().unwrap().len(), 1);
    let read = kit.call("note.get", Some(&phone.token), json!({ "id": id })).await.expect(200);
    assert_eq!(read.json, late.json);
    // A new title settles nothing.
    let titled = json!({ "id": id, "title": "Shop", "basedOn": late.str("/rev") });
    let titled = kit.call("note.update", Some(&phone.token), titled).await.expect(200);
    assert_eq!(titled.json["conflicts"], late.json["conflicts"]);
    // What was seen after the texts were written is enough, whatever changed since.
    let both = edit("Milk, six eggs, bread", &late.str("/rev"));
    let both = kit.call("note.update", Some(&phone.token), both).await.expect(200);
    assert_eq!((both.str("/text").as_str(), both.json.get("conflicts")), ("Milk, six eggs, bread", None));
    // Without `basedOn` the later text stands.
    let plain = json!({ "id": id, "text": "Nothing" });
    let plain = kit.call("note.update", Some(&tablet.token), plain).await.expect(200);
    assert_eq!(plain.json.get("conflicts"), None);
}

#[tokio::test]
async fn an_older_text_that_comes_late_is_kept_and_the_revision_moves() {
    let kit = Kit::start().await;
    let phone = kit.person("ann").await;
    let tablet = elsewhere(&kit, &phone).await;
    let (id, first) = write(&kit, &phone, "One", None).await;
    let earlier = kit.call("note.get", Some(&phone.token), json!({ "id": id })).await.str("/createdAt");
    kit.skip(std::time::Duration::from_secs(60));
    let now = json!({ "id": id, "text": "Now", "basedOn": first });
    let now = kit.call("note.update", Some(&phone.token), now).await.expect(200);
    let queued = json!({ "operations": [{
        "op": kit.uuid(), "method": "note.update", "editedAt": earlier,
        "args": { "id": id, "text": "Then", "basedOn": first },
    }] });
    let pushed = kit.call("sync.push", Some(&tablet.token), queued).await.expect(200);
    let value = &pushed.json["results"][0]["value"];
    assert_eq!(
        (&value["text"], &value["conflicts"][0]["text"]),
        (&json!("Now"), &json!("Then")),
        "{}",
        pushed.text
    );
    assert_ne!(value["rev"], now.json["rev"], "what is kept is part of the note");
    let read = kit.call("note.get", Some(&phone.token), json!({ "id": id })).await.expect(200);
    assert_eq!(read.json, *value);
}

#[tokio::test]
async fn endless_texts_that_nobody_looks_at_are_refused() {
    let kit = Kit::start().await;
    let phone = kit.person("ann").await;
    let (id, first) = write(&kit, &phone, "", None).await;
    let mut refused = None;
    for number in 0..9 {
        let device = elsewhere(&kit, &phone).await;
        let text = format!("{number}{}", "ä".repeat(9_000));
        let edit = json!({ "id": id, "text": text, "basedOn": first });
        let answer = kit.call("note.update", Some(&device.token), edit).await;
        if answer.status != 200 {
            refused = Some(answer.problem(412, "stale-revision"));
            break;
        }
    }
    let refused = refused.expect("they do not grow without end");
    assert!(refused.json["current"]["conflicts"].as_array().unwrap().len() >= 2);
}

#[tokio::test]
async fn lists_go_by_change_and_by_object() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    let about = format!("post:{}", kit.uuid());
    let mut notes = Vec::new();
    for number in 0..7 {
        let subject = (number % 3 == 0).then_some(about.as_str());
        notes.push(write(&kit, &ann, &format!("Note {number}"), subject).await.0);
        kit.skip(std::time::Duration::from_millis(5));
    }
    let edit = json!({ "id": notes[2], "text": "Changed" });
    kit.call("note.update", Some(&ann.token), edit).await.expect(200);
    let by_change = [2, 6, 5, 4, 3, 1, 0].map(|at: usize| notes[at].clone());
    let by_object = [6, 3, 0].map(|at: usize| notes[at].clone());
    for (body, wanted) in [(json!({}), &by_change[..]), (json!({ "about": about }), &by_object[..])] {
        let (mut seen, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let mut body = body.clone();
            body["limit"] = json!(2);
            if let Some(cursor) = &cursor {
                body["cursor"] = json!(cursor);
            }
            let page = kit.call("note.list", Some(&ann.token), body).await.expect(200);
            seen.extend(ids(&page).into_iter().map(str::to_owned));
            cursor = Some(page.str("/cursor"));
            if page.json["end"] == true {
                break;
            }
        }
        assert_eq!(seen, wanted);
        // Another list's cursor is refused.
        let strange = json!({ "about": format!("post:{}", kit.uuid()), "cursor": cursor });
        kit.call("note.list", Some(&ann.token), strange).await.problem(400, "cursor-invalid");
    }
    // Moved to another object, and gone.
    kit.call("note.update", Some(&ann.token), json!({ "id": notes[3], "about": null })).await.expect(200);
    kit.call("note.delete", Some(&ann.token), json!({ "id": notes[0] })).await.expect(200);
    let left = kit.call("note.list", Some(&ann.token), json!({ "about": about })).await;
    assert_eq!(ids(&left), [notes[6].as_str()]);
}

#[tokio::test]
async fn notes_come_to_the_authors_devices() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    let (id, _) = write(&kit, &ann, "On every device", None).await;
    let pulled = kit.call("sync.pull", Some(&ann.token), json!({ "limit": 500 })).await.expect(200);
    let items = pulled.json["items"].as_array().unwrap();
    let note = items.iter().find(|item| item["type"] == "note").expect("the note is there");
    assert_eq!((&note["op"], &note["id"], &note["section"]), (&json!("put"), &json!(id), &json!("private")));
    assert_eq!(note["value"]["text"], "On every device");
    assert!(items.iter().all(|item| item["type"] != "notes"), "the index stays on the server");
    kit.call("note.delete", Some(&ann.token), json!({ "id": id })).await.expect(200);
    let next = json!({ "cursor": pulled.str("/cursor"), "limit": 500 });
    let next = kit.call("sync.pull", Some(&ann.token), next).await.expect(200);
    let gone =
        next.json["items"].as_array().unwrap().iter().any(|item| item["id"] == id && item["op"] == "delete");
    assert!(gone, "{}", next.text);
}
