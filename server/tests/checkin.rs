//! `checkin`: what each method does, each way in which it fails, replays, strangers; places on the whole globe.

mod kit;

use kit::{Answer, Kit, Person, With};
use serde_json::{Value, json};

async fn place(kit: &Kit, who: &Person, name: &str, latitude: f64, longitude: f64) -> String {
    let id = kit.uuid();
    let body = json!({ "id": id, "name": name, "latitude": latitude, "longitude": longitude });
    kit.call("checkin.createPlace", Some(&who.token), body).await.expect(200);
    id
}

async fn check_in(kit: &Kit, who: &Person, place: &str, audience: &str) -> String {
    let id = kit.uuid();
    let body =
        json!({ "id": id, "place": place, "audience": audience, "note": format!("Here, for {audience}") });
    kit.call("checkin.create", Some(&who.token), body).await.expect(200);
    id
}

async fn under(kit: &Kit, who: &Person, op: &str, method: &str, body: Value) -> Answer {
    let headers = [("idempotency-key", op)];
    let with = With { token: Some(&who.token), headers: &headers, ..With::default() };
    kit.call_with(method, with, body).await
}

async fn follow(kit: &Kit, who: &Person, whom: &Person) {
    kit.call("follow.create", Some(&who.token), json!({ "id": whom.id })).await.expect(200);
    let seen = |answer: &Answer| answer.text.contains(&who.id);
    kit.until("follow.listFollowers", Some(&whom.token), json!({ "id": whom.id }), seen).await;
}

fn count(answer: &Answer) -> usize {
    answer.json["items"].as_array().map_or(0, Vec::len)
}

/// The reply without what differs from run to run.
fn golden(answer: &Answer) -> Value {
    let mut json = answer.json.clone();
    let known = json.as_object_mut().unwrap();
    assert!(known.remove("rev").is_some() && known.remove("createdAt").is_some());
    json
}

#[tokio::test]
async fn a_check_in_is_made_once_and_reads_as_it_was_answered() {
    let kit = Kit::start().await;
    let (ann, bob) = (kit.person("ann").await, kit.person("bob").await);
    let (hall, id) = (kit.uuid(), kit.uuid());
    let body = json!({
        "id": hall, "name": "Hall 7", "latitude": 47.410_123_456, "longitude": 8.5, "address": "Fair 1",
    });
    let made = kit.call("checkin.createPlace", Some(&ann.token), body.clone()).await.expect(200);
    assert_eq!(
        golden(&made),
        json!({
            "id": hall, "name": "Hall 7", "latitude": 47.410_12, "longitude": 8.5, "address": "Fair 1",
        })
    );
    let again = json!({ "id": hall, "name": "Hall 8", "latitude": 0, "longitude": 0 });
    let again = kit.call("checkin.createPlace", Some(&ann.token), again).await.expect(200);
    assert_eq!(again.json, made.json);
    kit.call("checkin.createPlace", Some(&bob.token), body).await.problem(409, "id-taken");
    let body = json!({ "id": id, "place": hall, "note": "At the booth", "audience": "public" });
    let first = kit.call("checkin.create", Some(&bob.token), body.clone()).await.expect(200);
    assert_eq!(
        golden(&first),
        json!({
            "id": id, "author": bob.id, "note": "At the booth", "audience": "public",
            "place": { "id": hall, "name": "Hall 7", "latitude": 47.410_12, "longitude": 8.5 },
        })
    );
    assert_eq!(first.header("etag").map(str::to_owned), Some(format!("\"{}\"", first.str("/rev"))));
    let again = json!({ "id": id, "place": hall, "note": "Other" });
    let again = kit.call("checkin.create", Some(&bob.token), again).await.expect(200);
    assert_eq!(again.json, first.json);
    let read = kit.call("checkin.get", None, json!({ "id": id.to_uppercase() })).await.expect(200);
    assert_eq!(read.json, first.json);
    kit.call("checkin.create", Some(&ann.token), body).await.problem(409, "id-taken");
    let nowhere = json!({ "id": kit.uuid(), "place": kit.uuid() });
    kit.call("checkin.create", Some(&ann.token), nowhere).await.problem(404, "not-found");
    for method in ["checkin.create", "checkin.createPlace", "checkin.delete"] {
        let body = json!({ "id": kit.uuid(), "place": hall, "name": "x", "latitude": 0, "longitude": 0 });
        kit.call(method, None, body).await.problem(401, "unauthenticated");
    }
    // The app's default audience, where none is said.
    let plain = json!({ "id": kit.uuid(), "place": hall });
    let plain = kit.call("checkin.create", Some(&bob.token), plain).await.expect(200);
    assert_eq!((&plain.json["audience"], plain.json.get("note")), (&json!("public"), None));
}

#[tokio::test]
async fn an_operation_id_brings_the_first_reply_again_and_refuses_another_body() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    let (hall, id) = (kit.uuid(), kit.uuid());
    let place = |name: &str| json!({ "id": hall, "name": name, "latitude": 1, "longitude": 2 });
    for (method, body, other) in [
        ("checkin.createPlace", place("One"), place("Two")),
        (
            "checkin.create",
            json!({ "id": id, "place": hall }),
            json!({ "id": id, "place": hall, "note": "x" }),
        ),
        ("checkin.delete", json!({ "id": id }), json!({ "id": kit.uuid() })),
    ] {
        let op = kit.uuid();
        let first = under(&kit, &ann, &op, method, body.clone()).await.expect(200);
        let again = under(&kit, &ann, &op, method, body).await.expect(200);
        assert_eq!(
            (again.text.as_str(), again.header("gomer-replayed")),
            (first.text.as_str(), Some("true"))
        );
        // Another id is another root, where nothing is known of the operation: then the body is what decides.
        let answer = under(&kit, &ann, &op, method, other).await;
        if method == "checkin.delete" {
            answer.problem(404, "not-found");
        } else {
            answer.problem(422, "key-reused");
        }
    }
}

#[tokio::test]
async fn bad_arguments_are_refused_with_a_pointer() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    let hall = place(&kit, &ann, "Hall", 1.0, 2.0).await;
    for (method, patch, code, pointer) in [
        ("checkin.createPlace", json!({ "latitude": 90.1 }), 422, "/latitude"),
        ("checkin.createPlace", json!({ "longitude": -180.1 }), 422, "/longitude"),
        ("checkin.createPlace", json!({ "longitude": "east" }), 422, "/longitude"),
        ("checkin.createPlace", json!({ "name": "" }), 422, "/name"),
        ("checkin.createPlace", json!({ "colour": "red" }), 400, "/colour"),
        ("checkin.create", json!({ "note": "" }), 422, "/note"),
        ("checkin.create", json!({ "note": "x".repeat(1_001) }), 422, "/note"),
        ("checkin.create", json!({ "audience": "neighbours" }), 422, "/audience"),
        ("checkin.create", json!({ "place": "here" }), 422, "/place"),
        ("checkin.create", json!({ "latitude": 1.0 }), 400, "/latitude"),
        ("checkin.searchPlaces", json!({}), 422, "/text"),
        ("checkin.searchPlaces", json!({ "text": "x - y" }), 422, "/text"),
        ("checkin.searchPlaces", json!({ "latitude": 1.0 }), 422, "/longitude"),
        ("checkin.searchPlaces", json!({ "longitude": 1.0 }), 422, "/latitude"),
        ("checkin.searchPlaces", json!({ "latitude": -91.0, "longitude": 1.0 }), 422, "/latitude"),
        ("checkin.searchPlaces", json!({ "text": "hall", "radiusM": 50_001 }), 422, "/radiusM"),
    ] {
        let mut body = match method {
            "checkin.createPlace" => json!({ "id": kit.uuid(), "name": "x", "latitude": 1, "longitude": 2 }),
            "checkin.create" => json!({ "id": kit.uuid(), "place": hall }),
            _ => json!({}),
        };
        body.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
        let answer = kit.call(method, Some(&ann.token), body).await.expect(code);
        assert_eq!(answer.str("/errors/0/pointer"), pointer, "{}", answer.text);
    }
}

#[tokio::test]
async fn an_audience_holds_and_absence_looks_the_same_to_all() {
    let kit = Kit::start().await;
    let (ann, bob, eve) = (kit.person("ann").await, kit.person("bob").await, kit.person("eve").await);
    let mallory = kit.person_in("two", "mallory").await;
    follow(&kit, &bob, &ann).await;
    let hall = place(&kit, &eve, "Hall 7", 47.41, 8.55).await;
    let mut ids = Vec::new();
    for audience in ["public", "followers", "onlyMe"] {
        ids.push(check_in(&kit, &ann, &hall, audience).await);
    }
    let absent = json!({ "id": kit.uuid() });
    let nothing =
        kit.call("checkin.get", Some(&eve.token), absent).await.problem(404, "not-found").untraced();
    // The one for the author alone is in no place's list, not even for the author.
    for (who, sees, here) in [(None, 1, 1), (Some(&eve), 1, 1), (Some(&bob), 2, 2), (Some(&ann), 3, 2)] {
        let token = who.map(|who| who.token.as_str());
        for (at, id) in ids.iter().enumerate() {
            let answer = kit.call("checkin.get", token, json!({ "id": id })).await;
            if at < sees {
                answer.expect(200);
            } else {
                assert_eq!(answer.untraced(), nothing, "the same bytes as for what does not exist");
            }
        }
        let of = json!({ "id": ann.id });
        kit.until("checkin.listByProfile", token, of, |answer| count(answer) == sees).await;
        kit.until("checkin.listByPlace", token, json!({ "id": hall }), |answer| count(answer) == here).await;
        // Only public ones are counted, for everybody alike.
        let counted = kit.call("checkin.getPlace", token, json!({ "id": hall })).await.expect(200);
        assert_eq!(counted.json["checkins"], 1, "{}", counted.text);
    }
    // Somebody else's is not to be deleted, and is not there where it may not be seen.
    let delete = |id: &str| json!({ "id": id });
    kit.call("checkin.delete", Some(&bob.token), delete(&ids[0])).await.problem(403, "forbidden");
    assert_eq!(kit.call("checkin.delete", Some(&bob.token), delete(&ids[2])).await.untraced(), nothing);
    // Another app's ids are absent.
    let other = With { app: Some("two"), token: Some(&mallory.token), ..With::default() };
    for (method, id) in [
        ("checkin.get", &ids[0]),
        ("checkin.delete", &ids[0]),
        ("checkin.getPlace", &hall),
        ("checkin.listByPlace", &hall),
        ("checkin.listByProfile", &ann.id),
    ] {
        assert_eq!(
            kit.call_with(method, other.clone(), json!({ "id": id })).await.untraced(),
            nothing,
            "{method}"
        );
    }
    let elsewhere = json!({ "id": kit.uuid(), "place": hall });
    assert_eq!(kit.call_with("checkin.create", other.clone(), elsewhere).await.untraced(), nothing);
    let near = json!({ "latitude": 47.41, "longitude": 8.55 });
    assert_eq!(count(&kit.call_with("checkin.searchPlaces", other, near).await.expect(200)), 0);
    // A block hides who was there, and not the place, whoever added it.
    kit.call("block.create", Some(&ann.token), json!({ "id": eve.id })).await.expect(200);
    let hidden = |answer: &Answer| answer.status == 404;
    let answer = kit.until("checkin.get", Some(&eve.token), json!({ "id": ids[0] }), hidden).await;
    assert_eq!(answer.untraced(), nothing);
    assert_eq!(count(&kit.call("checkin.listByPlace", Some(&eve.token), json!({ "id": hall })).await), 0);
    kit.call("checkin.getPlace", Some(&ann.token), json!({ "id": hall })).await.expect(200);
    kit.call("checkin.create", Some(&ann.token), json!({ "id": kit.uuid(), "place": hall }))
        .await
        .expect(200);
}

#[tokio::test]
async fn a_check_in_comes_to_timelines_and_phones_and_goes_again() {
    let kit = Kit::start().await;
    let (ann, bob) = (kit.person("ann").await, kit.person("bob").await);
    follow(&kit, &bob, &ann).await;
    let hall = place(&kit, &ann, "Hall 7", 47.41, 8.55).await;
    let id = check_in(&kit, &ann, &hall, "public").await;
    let there = |answer: &Answer| answer.text.contains(&id);
    let gone = |answer: &Answer| !answer.text.contains(&id);
    let lists = [
        ("timeline.getHome", json!({})),
        ("timeline.getApp", json!({})),
        ("timeline.getProfile", json!({ "id": ann.id })),
        ("checkin.listByProfile", json!({ "id": ann.id })),
        ("checkin.listByPlace", json!({ "id": hall })),
    ];
    for (method, body) in &lists {
        let page = kit.until(method, Some(&bob.token), body.clone(), there).await;
        if method.starts_with("timeline") {
            let item = &page.json["items"][0];
            assert_eq!((&item["verb"], &item["object"]["type"]), (&json!("arrive"), &json!("checkin")));
            assert_eq!(item["object"]["place"]["name"], "Hall 7");
        }
    }
    // Posts are listed as before: a check-in is none.
    assert_eq!(count(&kit.call("post.listByProfile", None, json!({ "id": ann.id })).await.expect(200)), 0);
    // The author's phone has it in its timeline, and the thing itself when it opens it.
    let roots = json!({ "roots": [format!("checkin:{id}"), format!("place:{hall}")], "limit": 500 });
    let phone = kit.call("sync.pull", Some(&ann.token), roots).await.expect(200);
    let items = phone.json["items"].as_array().unwrap();
    let entry = |item: &&Value| item["value"]["object"] == json!(format!("checkin:{id}"));
    assert!(items.iter().filter(|item| item["type"] == "home").any(|item| entry(&item)), "{}", phone.text);
    let of_type =
        |wanted: &str| items.iter().find(|item| item["type"] == wanted).cloned().unwrap_or_default();
    assert_eq!(of_type("checkin")["value"]["note"], "Here, for public");
    assert_eq!(of_type("place")["value"]["name"], "Hall 7");
    assert!(!phone.text.contains("checkedIn"), "a list that only the server reads is not sent");
    // Muting is for lists only.
    let mute = json!({ "subject": { "word": "Here, for" } });
    kit.call("block.createMute", Some(&bob.token), mute.clone()).await.expect(200);
    kit.until("timeline.getHome", Some(&bob.token), json!({}), gone).await;
    kit.call("checkin.get", Some(&bob.token), json!({ "id": id })).await.expect(200);
    kit.call("block.deleteMute", Some(&bob.token), mute).await.expect(200);
    kit.until("timeline.getHome", Some(&bob.token), json!({}), there).await;
    // Deleted: gone everywhere, for good, and not counted.
    let stale = json!({ "id": id, "ifRev": "1.00000000" });
    kit.call("checkin.delete", Some(&ann.token), stale).await.problem(412, "stale-revision");
    let deleted = kit.call("checkin.delete", Some(&ann.token), json!({ "id": id })).await.expect(200);
    for (method, body) in &lists {
        kit.until(method, Some(&bob.token), body.clone(), gone).await;
    }
    let none = |answer: &Answer| answer.json["checkins"] == 0;
    kit.until("checkin.getPlace", None, json!({ "id": hall }), none).await;
    let again = kit.call("checkin.delete", Some(&ann.token), json!({ "id": id })).await.expect(200);
    assert_eq!(again.json, deleted.json);
    kit.call("checkin.get", Some(&ann.token), json!({ "id": id })).await.problem(404, "not-found");
    let back = json!({ "id": id, "place": hall });
    kit.call("checkin.create", Some(&ann.token), back).await.problem(409, "id-taken");
}

#[tokio::test]
async fn nobody_takes_anothers_entry_away_by_choosing_its_id() {
    let kit = Kit::start().await;
    let (ann, eve, bob) = (kit.person("ann").await, kit.person("eve").await, kit.person("bob").await);
    follow(&kit, &bob, &ann).await;
    follow(&kit, &bob, &eve).await;
    let hall = place(&kit, &eve, "Hall", 1.0, 1.0).await;
    let post = kit.uuid();
    kit.call("post.create", Some(&ann.token), json!({ "id": post, "text": "Stays" })).await.expect(200);
    let there = |answer: &Answer| answer.text.contains("Stays");
    kit.until("timeline.getHome", Some(&bob.token), json!({}), there).await;
    // A check-in with the id of Ann's post, and its deletion.
    let twin = json!({ "id": post, "place": hall, "note": "Twin" });
    kit.call("checkin.create", Some(&eve.token), twin).await.expect(200);
    let twins = |answer: &Answer| answer.text.contains("Twin");
    kit.until("timeline.getHome", Some(&bob.token), json!({}), twins).await;
    let listed = kit.call("post.listByProfile", None, json!({ "id": eve.id })).await.expect(200);
    assert_eq!(count(&listed), 0, "Ann's post is not Eve's: {}", listed.text);
    kit.call("checkin.delete", Some(&eve.token), json!({ "id": post })).await.expect(200);
    let left = |answer: &Answer| !answer.text.contains("Twin");
    let home = kit.until("timeline.getHome", Some(&bob.token), json!({}), left).await;
    assert!(there(&home), "{}", home.text);
}

#[tokio::test]
async fn places_are_found_around_points_everywhere_on_the_globe() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    // Centre, and places at known distances from it.
    let spots = [
        ("Zürich", 47.3769, 8.5417),
        ("Date line", -16.8, 179.9995),
        ("North pole", 89.99, -30.0),
        ("South", -89.99, 60.0),
        ("Null", 0.0, 0.0),
    ];
    for (name, latitude, longitude) in spots {
        place(&kit, &ann, &format!("{name} here"), latitude, longitude).await;
        let beyond = if longitude > 179.0 { longitude + 0.001 - 360.0 } else { longitude + 0.001 };
        place(&kit, &ann, &format!("{name} beyond"), latitude, beyond).await;
        place(&kit, &ann, &format!("{name} far"), latitude - latitude.signum() * 0.6, longitude).await;
    }
    for (name, latitude, longitude) in spots {
        let around = json!({ "latitude": latitude, "longitude": longitude, "radiusM": 1_000 });
        let both = |answer: &Answer| count(answer) == 2;
        let found = kit.until("checkin.searchPlaces", None, around, both).await;
        let items = found.json["items"].as_array().unwrap();
        assert_eq!(
            (items[0]["name"].clone(), items[0]["distanceM"].clone()),
            (json!(format!("{name} here")), json!(0))
        );
        assert_eq!(items[1]["name"], json!(format!("{name} beyond")), "{}", found.text);
        let metres = items[1]["distanceM"].as_u64().unwrap();
        assert!(metres <= 112, "a thousandth of a degree is at most 111 m: {metres}");
        assert_eq!((&found.json["end"], found.json.get("partial")), (&json!(true), None));
        // Wider, by name, and page by page: the same order.
        let wide = json!({ "latitude": latitude, "longitude": longitude, "radiusM": 50_000, "text": "BEY" });
        // Other lists are read for a wider circle; the place comes to each by itself.
        let one = |answer: &Answer| count(answer) == 1;
        let wide = kit.until("checkin.searchPlaces", None, wide, one).await;
        assert_eq!((count(&wide), &wide.json["items"][0]["name"]), (1, &json!(format!("{name} beyond"))));
    }
}

#[tokio::test]
async fn places_are_found_by_name_and_pages_put_together_are_the_whole() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    for name in ["Café Müller", "Müller Bräu", "Mühle am Bach", "Muller", "Bar"] {
        place(&kit, &ann, name, 47.0, 8.0).await;
    }
    let search = |text: &str| json!({ "text": text, "limit": 1 });
    for (text, wanted) in [
        ("mü", &["Café Müller", "Mühle am Bach", "Müller Bräu"][..]),
        ("MÜLLER", &["Café Müller", "Müller Bräu"]),
        ("brä mül", &["Müller Bräu"]),
        ("ba", &["Bar", "Mühle am Bach"]),
        ("ller", &[]),
    ] {
        let all = json!({ "text": text });
        kit.until("checkin.searchPlaces", None, all, |answer| count(answer) == wanted.len()).await;
        let (mut seen, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let mut body = search(text);
            if let Some(cursor) = &cursor {
                body["cursor"] = json!(cursor);
            }
            let page = kit.call("checkin.searchPlaces", None, body).await.expect(200);
            seen.extend(page.json["items"].as_array().unwrap().iter().map(|item| item["name"].clone()));
            cursor = page.json["cursor"].as_str().map(str::to_owned);
            if page.json["end"] == true {
                break;
            }
        }
        assert_eq!(seen, wanted, "{text}");
        if let Some(cursor) = cursor {
            let strange = json!({ "text": "other", "cursor": cursor });
            kit.call("checkin.searchPlaces", None, strange).await.problem(400, "cursor-invalid");
            let strange = json!({ "id": ann.id, "cursor": cursor });
            kit.call("checkin.listByProfile", None, strange).await.problem(400, "cursor-invalid");
        }
    }
}

#[tokio::test]
async fn lists_come_in_pages_and_belong_to_who_asked() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    let hall = place(&kit, &ann, "Hall", 1.0, 2.0).await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(check_in(&kit, &ann, &hall, "public").await);
    }
    ids.sort();
    for (method, id) in [("checkin.listByPlace", &hall), ("checkin.listByProfile", &ann.id)] {
        kit.until(method, None, json!({ "id": id }), |answer| count(answer) == 5).await;
        let (mut seen, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let mut body = json!({ "id": id, "limit": 2 });
            if let Some(cursor) = &cursor {
                body["cursor"] = json!(cursor);
            }
            let page = kit.call(method, None, body).await.expect(200);
            seen.extend(
                page.json["items"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|item| item["id"].as_str().unwrap().to_owned()),
            );
            cursor = Some(page.str("/cursor"));
            if page.json["end"] == true {
                break;
            }
        }
        // Each comes once. Their order is that in which they arrived at the list.
        seen.sort();
        assert_eq!(seen, ids, "{method}");
        let mine = json!({ "id": id, "cursor": cursor });
        kit.call(method, Some(&ann.token), mine).await.problem(400, "cursor-invalid");
    }
    let absent = json!({ "id": kit.uuid() });
    for method in ["checkin.listByPlace", "checkin.listByProfile", "checkin.getPlace"] {
        kit.call(method, None, absent.clone()).await.problem(404, "not-found");
    }
}
