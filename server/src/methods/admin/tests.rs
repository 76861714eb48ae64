use std::time::Duration;

use gomer_core::id::Id;
use gomer_core::meta::command::MetaCommand;
use serde_json::{Value, json};

use crate::app_settings::AppSettings;
use crate::problem::Code;
use crate::registry::Caller;
use crate::secrets;
use crate::testing::{With, World, op_key, user, uuid};

const ADMIN: Caller = Caller::Admin;

#[tokio::test]
async fn settings_change_field_by_field_and_go_back() {
    let world = World::with_app("a").await;
    let first = world.done("a", &ADMIN, "admin.getSettings", json!({})).await;
    assert_eq!(first.json["settings"]["signUp"], "open");
    assert_eq!(first.json["revisions"], json!([]));
    let update = json!({ "settings": { "signUp": "closed" } });
    let second = world.done("a", &ADMIN, "admin.updateSettings", update).await;
    assert_eq!(second.json["settings"]["signUp"], "closed");
    assert_ne!(first.rev, second.rev);
    let update = json!({ "settings": { "guests": "refused" } });
    let third = world.done("a", &ADMIN, "admin.updateSettings", update).await;
    assert_eq!(third.json["settings"]["signUp"], "closed", "what is absent stays");
    assert_eq!(third.json["revisions"].as_array().unwrap().len(), 2);
    let back = json!({ "to": second.json["rev"] });
    let fourth = world.done("a", &ADMIN, "admin.rollbackSettings", back).await;
    assert_eq!(fourth.json["settings"], second.json["settings"]);
    assert_ne!(fourth.rev, second.rev, "going back is a new revision");
    assert_eq!(world.done("a", &ADMIN, "admin.getSettings", json!({})).await.json, fourth.json);
}

#[tokio::test]
async fn settings_are_guarded_by_their_revision() {
    let world = World::with_app("a").await;
    let first = world.done("a", &ADMIN, "admin.getSettings", json!({})).await;
    let close = json!({ "settings": { "signUp": "closed" }, "ifRev": first.json["rev"] });
    let second = world.done("a", &ADMIN, "admin.updateSettings", close.clone()).await;
    let again = world.done("a", &ADMIN, "admin.updateSettings", close).await;
    assert_eq!(again.json, second.json, "the answer was lost: the same call is no conflict");
    let open = json!({ "settings": { "signUp": "invite" }, "ifRev": first.json["rev"] });
    let stale = With { if_match: None, op: None };
    let problem = world.call_with("a", &ADMIN, "admin.updateSettings", open, stale).await.unwrap_err();
    assert_eq!((problem.code, problem.rev), (Code::StaleRevision, second.rev));
    assert!(problem.current.unwrap().get().contains("\"closed\""), "with the present settings");
    let by_header = With { if_match: first.rev, op: None };
    let open = json!({ "settings": { "signUp": "invite" } });
    let problem = world.call_with("a", &ADMIN, "admin.updateSettings", open, by_header).await.unwrap_err();
    assert_eq!(problem.code, Code::StaleRevision);
    let from_elsewhere = json!({ "settings": { "signUp": "invite" }, "ifRev": "1.00000000" });
    let refused = world.refused("a", &ADMIN, "admin.updateSettings", from_elsewhere).await;
    assert_eq!(refused.0, Code::StaleRevision, "a revision of another era");
}

#[tokio::test]
async fn bad_settings_change_nothing() {
    let world = World::with_app("a").await;
    let before = world.done("a", &ADMIN, "admin.getSettings", json!({})).await;
    for (args, code, pointer) in [
        (json!({ "settings": { "colour": 1 } }), Code::UnknownField, "/settings/colour"),
        (json!({ "settings": { "signUp": "maybe" } }), Code::Invalid, "/settings/signUp"),
        (json!({ "settings": { "cors": { "origins": ["*"] } } }), Code::Invalid, "/settings/cors/origins/0"),
        (json!({ "settings": 7 }), Code::Invalid, "/settings"),
        (json!({}), Code::Invalid, "/settings"),
        (json!({ "settings": {}, "ifRev": "x" }), Code::Invalid, "/ifRev"),
    ] {
        let refused = world.refused("a", &ADMIN, "admin.updateSettings", args.clone()).await;
        assert_eq!(refused, (code, pointer.to_owned()), "{args}");
    }
    let gone = world.refused("a", &ADMIN, "admin.rollbackSettings", json!({ "to": "1.00000000" })).await;
    assert_eq!(gone.0, Code::NotFound);
    assert_eq!(world.done("a", &ADMIN, "admin.getSettings", json!({})).await.json, before.json);
}

#[tokio::test]
async fn an_update_with_an_operation_id_is_done_once() {
    let world = World::with_app("a").await;
    let with = With { op: Some(1), if_match: None };
    let close = json!({ "settings": { "signUp": "closed" } });
    let first = world.call_with("a", &ADMIN, "admin.updateSettings", close.clone(), with).await.unwrap();
    assert!(!first.replayed);
    world.done("a", &ADMIN, "admin.updateSettings", json!({ "settings": { "signUp": "open" } })).await;
    let again = world.call_with("a", &ADMIN, "admin.updateSettings", close, with).await.unwrap();
    assert!(again.replayed, "a late repeat must not close sign-up again");
    assert_eq!(again.json, first.json);
    let now = world.done("a", &ADMIN, "admin.getSettings", json!({})).await;
    assert_eq!(now.json["settings"]["signUp"], "open");
    let other = json!({ "settings": { "signUp": "invite" } });
    let problem = world.call_with("a", &ADMIN, "admin.updateSettings", other, with).await.unwrap_err();
    assert_eq!(problem.code, Code::KeyReused);
}

/// The record was once written by a command of its own, after the change. A process that ended between the two let
/// a repeat do it all again, over whatever was changed since.
#[tokio::test]
async fn a_change_whose_reply_was_not_recorded_is_not_done_again() {
    let world = World::with_app("a").await;
    let close = json!({ "settings": { "signUp": "closed" } });
    let before = world.app("a").settings.clone();
    let settings = AppSettings::read(&before).updated(close["settings"].as_object().unwrap()).unwrap();
    let (op, app) = (op_key(1, &close), world.app("a").id);
    let put = MetaCommand::PutSettings { app, if_rev: None, json: settings.store() };
    let once = MetaCommand::Once { app, caller: Id::NIL, op, command: Box::new(put) };
    world.host.cluster.change_meta(once).await.unwrap();
    // Here the process ended. Somebody else opens sign-up before the repeat comes.
    world.done("a", &ADMIN, "admin.updateSettings", json!({ "settings": { "signUp": "open" } })).await;
    let with = With { op: Some(1), if_match: None };
    world.call_with("a", &ADMIN, "admin.updateSettings", close.clone(), with).await.unwrap();
    let now = world.done("a", &ADMIN, "admin.getSettings", json!({})).await;
    assert_eq!(now.json["settings"]["signUp"], "open");
    assert!(world.call_with("a", &ADMIN, "admin.updateSettings", close, with).await.unwrap().replayed);
}

#[tokio::test]
async fn two_administrators_at_once_both_get_what_they_change() {
    let world = World::with_app("a").await;
    let one = world.done("a", &ADMIN, "admin.updateSettings", json!({ "settings": { "signUp": "closed" } }));
    let two = world.done("a", &ADMIN, "admin.updateSettings", json!({ "settings": { "guests": "refused" } }));
    tokio::join!(one, two);
    let now = world.done("a", &ADMIN, "admin.getSettings", json!({})).await.json;
    assert_eq!(
        (&now["settings"]["signUp"], &now["settings"]["guests"]),
        (&json!("closed"), &json!("refused"))
    );
}

#[tokio::test]
async fn a_keys_secret_is_shown_once_and_its_hash_is_kept() {
    let world = World::with_app("a").await;
    let make = json!({ "id": uuid(1), "kind": "server", "name": "Build machine" });
    let made = world.done("a", &ADMIN, "admin.createKey", make.clone()).await.json;
    let secret = made["secret"].as_str().unwrap();
    assert!(secret.starts_with("gomer_server_"));
    let key = world.app("a").keys.values().next().unwrap().clone();
    assert_eq!(key.hash, secrets::hash(secret));
    let again = world.done("a", &ADMIN, "admin.createKey", make).await.json;
    assert!(again.get("secret").is_none(), "a repeat shows none, and makes no second key");
    assert_eq!(again["rev"], made["rev"]);
    let listed = world.done("a", &ADMIN, "admin.listKeys", json!({})).await.json;
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    assert!(!listed.to_string().contains(secret));
}

#[tokio::test]
async fn a_recorded_reply_holds_no_secret() {
    let world = World::with_app("a").await;
    let with = With { op: Some(1), if_match: None };
    let make = json!({ "id": uuid(1), "kind": "admin", "name": "Ann" });
    let first = world.call_with("a", &ADMIN, "admin.createKey", make.clone(), with).await.unwrap();
    assert!(first.json["secret"].is_string());
    let again = world.call_with("a", &ADMIN, "admin.createKey", make, with).await.unwrap();
    assert!(again.replayed && again.json.get("secret").is_none());
}

#[tokio::test]
async fn a_revoked_key_stays_revoked() {
    let world = World::with_app("a").await;
    let make = json!({ "id": uuid(1), "kind": "client", "name": "App" });
    world.done("a", &ADMIN, "admin.createKey", make.clone()).await;
    let gone = world.done("a", &ADMIN, "admin.deleteKey", json!({ "id": uuid(1) })).await.json;
    assert_eq!(gone["revoked"], true);
    let again = world.done("a", &ADMIN, "admin.deleteKey", json!({ "id": uuid(1) })).await.json;
    assert_eq!(again, gone);
    let made = world.done("a", &ADMIN, "admin.createKey", make).await.json;
    assert_eq!(made["revoked"], true, "its id is used up");
    assert!(world.app("a").keys.values().all(|key| key.revoked));
}

#[tokio::test]
async fn keys_are_checked_and_belong_to_one_app() {
    let world = World::with_app("a").await;
    world.create_app("b").await;
    let make = json!({ "id": uuid(1), "kind": "client", "name": "App" });
    world.done("a", &ADMIN, "admin.createKey", make).await;
    let other = world.refused("b", &ADMIN, "admin.deleteKey", json!({ "id": uuid(1) })).await;
    assert_eq!(other.0, Code::NotFound, "another app's key is simply not there");
    assert!(
        world.done("b", &ADMIN, "admin.listKeys", json!({})).await.json["items"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    assert!(world.app("a").keys.values().all(|key| !key.revoked));
    for (args, pointer) in [
        (json!({ "id": uuid(2), "kind": "king", "name": "x" }), "/kind"),
        (json!({ "id": uuid(2), "kind": "client", "name": "" }), "/name"),
        (json!({ "id": "x", "kind": "client", "name": "x" }), "/id"),
        (json!({ "kind": "client", "name": "x" }), "/id"),
    ] {
        assert_eq!(
            world.refused("a", &ADMIN, "admin.createKey", args).await,
            (Code::Invalid, pointer.to_owned())
        );
    }
}

#[tokio::test]
async fn people_are_listed_page_by_page_with_filters() {
    let world = World::with_app("a").await;
    world.create_app("b").await;
    for (n, handle) in [(1, "ann"), (2, "bob"), (3, "cat")] {
        let account = json!({ "id": uuid(n), "handle": handle, "password": "correct horse battery" });
        world.done("a", &Caller::Anonymous, "auth.createAccount", account).await;
    }
    world.done("a", &user(2), "profile.update", json!({ "private": true })).await;
    let handles = |page: &Value| -> Vec<String> {
        let items = page["items"].as_array().unwrap().iter();
        items.map(|profile| profile["handle"].as_str().unwrap().to_owned()).collect()
    };
    // The directory hears of them by steps.
    let mut page = json!({});
    for _ in 0..100 {
        page = world.done("a", &ADMIN, "admin.listProfiles", json!({ "limit": 3 })).await.json;
        if handles(&page).len() == 3 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(handles(&page).len(), 3);
    let next = json!({ "cursor": page["cursor"] });
    let last = world.done("a", &ADMIN, "admin.listProfiles", next).await.json;
    assert_eq!((handles(&last).len(), &last["end"]), (0, &json!(true)));
    let private = world.done("a", &ADMIN, "admin.listProfiles", json!({ "private": true })).await.json;
    assert_eq!(handles(&private), ["bob"]);
    let banned = world.done("a", &ADMIN, "admin.listProfiles", json!({ "banned": true })).await.json;
    assert!(handles(&banned).is_empty());
    let other = world.refused("b", &ADMIN, "admin.listProfiles", json!({ "cursor": page["cursor"] })).await;
    assert_eq!(other.0, Code::CursorInvalid, "a cursor of another app");
    let other = world.done("b", &ADMIN, "admin.listProfiles", json!({})).await.json;
    assert!(handles(&other).is_empty());
    let bad = world.refused("a", &ADMIN, "admin.listProfiles", json!({ "limit": 0 })).await;
    assert_eq!(bad, (Code::Invalid, "/limit".to_owned()));
}
