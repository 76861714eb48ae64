use serde_json::json;

use crate::problem::Code;
use crate::registry::Caller;
use crate::testing::{With, World, uuid};

const OPERATOR: Caller = Caller::Operator;

#[tokio::test]
async fn an_app_is_made_once_and_its_name_is_taken_then() {
    let world = World::new().await;
    let make = json!({ "id": uuid(1), "name": "chess", "title": "Chess" });
    let made = world.done("-", &OPERATOR, "cluster.createApp", make.clone()).await.json;
    assert_eq!(
        (&made["name"], &made["state"], &made["keys"]),
        (&json!("chess"), &json!("active"), &json!(0))
    );
    assert_eq!(world.done("-", &OPERATOR, "cluster.createApp", make).await.json, made, "the same again");
    let other = json!({ "id": uuid(2), "name": "chess" });
    assert_eq!(world.refused("-", &OPERATOR, "cluster.createApp", other).await.0, Code::NameTaken);
    for name in ["", "-", "Chess", "a_b", "-a", "a-", &"x".repeat(64)] {
        let args = json!({ "id": uuid(3), "name": name });
        let refused = world.refused("-", &OPERATOR, "cluster.createApp", args).await;
        assert_eq!(refused, (Code::Invalid, "/name".to_owned()), "{name:?}");
    }
    assert_eq!(world.host.cluster.meta().apps.len(), 1);
}

#[tokio::test]
async fn apps_are_listed_page_by_page() {
    let world = World::new().await;
    for name in ["d", "a", "c", "b"] {
        world.create_app(name).await;
    }
    let names = |page: &serde_json::Value| -> Vec<String> {
        page["items"].as_array().unwrap().iter().map(|app| app["name"].as_str().unwrap().to_owned()).collect()
    };
    let first = world.done("-", &OPERATOR, "cluster.listApps", json!({ "limit": 3 })).await.json;
    assert_eq!((names(&first), &first["end"]), (vec!["a".into(), "b".into(), "c".into()], &json!(false)));
    let next = json!({ "limit": 3, "cursor": first["cursor"] });
    let last = world.done("-", &OPERATOR, "cluster.listApps", next).await.json;
    assert_eq!((names(&last), &last["end"]), (vec!["d".into()], &json!(true)));
    let beyond = json!({ "cursor": last["cursor"] });
    let none = world.done("-", &OPERATOR, "cluster.listApps", beyond).await.json;
    assert_eq!((names(&none), &none["end"]), (vec![], &json!(true)));
    let bad = json!({ "cursor": "No such name" });
    assert_eq!(world.refused("-", &OPERATOR, "cluster.listApps", bad).await.0, Code::CursorInvalid);
}

#[tokio::test]
async fn an_app_is_updated_under_its_revision() {
    let world = World::new().await;
    let make = json!({ "id": uuid(1), "name": "a" });
    let made = world.done("-", &OPERATOR, "cluster.createApp", make).await.json;
    let freeze = json!({ "id": uuid(1), "state": "readOnly", "ifRev": made["rev"] });
    let frozen = world.done("-", &OPERATOR, "cluster.updateApp", freeze.clone()).await.json;
    assert_eq!((&frozen["state"], &frozen["title"]), (&json!("readOnly"), &json!("a")));
    assert_eq!(world.done("-", &OPERATOR, "cluster.updateApp", freeze).await.json, frozen, "the same again");
    let late = json!({ "id": uuid(1), "title": "Late", "ifRev": made["rev"] });
    assert_eq!(world.refused("-", &OPERATOR, "cluster.updateApp", late).await.0, Code::StaleRevision);
    let absent = json!({ "id": uuid(9), "title": "x" });
    assert_eq!(world.refused("-", &OPERATOR, "cluster.updateApp", absent).await.0, Code::NotFound);
    let bad = json!({ "id": uuid(1), "state": "asleep" });
    assert_eq!(world.refused("-", &OPERATOR, "cluster.updateApp", bad).await.1, "/state");
}

#[tokio::test]
async fn the_operator_makes_the_first_key_of_an_app() {
    let world = World::with_app("a").await;
    let key = json!({ "id": uuid(1), "kind": "admin", "name": "First" });
    let made = world.done("-", &OPERATOR, "cluster.createKey", json!({ "app": "a", "key": key })).await.json;
    assert!(made["secret"].as_str().unwrap().starts_with("gomer_admin_"));
    assert_eq!(world.app("a").keys.len(), 1);
    let nowhere = json!({ "app": "b", "key": key });
    assert_eq!(world.refused("-", &OPERATOR, "cluster.createKey", nowhere).await.0, Code::NotFound);
}

#[tokio::test]
async fn an_operation_is_done_once() {
    let world = World::new().await;
    let with = With { op: Some(1), if_match: None };
    let make = json!({ "id": uuid(1), "name": "a" });
    let first = world.call_with("-", &OPERATOR, "cluster.createApp", make.clone(), with).await.unwrap();
    let again = world.call_with("-", &OPERATOR, "cluster.createApp", make, with).await.unwrap();
    assert!(!first.replayed && again.replayed);
    assert_eq!(first.json, again.json);
    let other = json!({ "id": uuid(2), "name": "b" });
    let problem = world.call_with("-", &OPERATOR, "cluster.createApp", other, with).await.unwrap_err();
    assert_eq!(problem.code, Code::KeyReused);
}

#[tokio::test]
async fn the_status_shows_every_partition() {
    let world = World::with_app("a").await;
    let status = world.done("-", &OPERATOR, "cluster.getStatus", json!({})).await.json;
    assert_eq!(status["apps"], 1);
    assert_eq!(status["members"][0]["state"], "valid");
    assert!(status["generation"].as_u64().unwrap() > 0);
    let extra = world.refused("-", &OPERATOR, "cluster.getStatus", json!({ "x": 1 })).await;
    assert_eq!(extra, (Code::UnknownField, "/x".to_owned()));
}
