use gomer_core::meta::command::MetaCommand;
use serde_json::json;

use crate::problem::Code;
use crate::registry::Caller;
use crate::testing::World;

#[tokio::test]
async fn the_facts_follow_the_settings() {
    let world = World::with_app("a").await;
    let info = world.done("a", &Caller::Anonymous, "app.getInfo", json!({})).await.json;
    assert_eq!((&info["name"], &info["state"], &info["api"]), (&json!("a"), &json!("active"), &json!("v1")));
    assert_eq!(info["features"]["signUp"], "open");
    let update =
        json!({ "settings": { "signUp": "closed", "client": { "locales": ["de"], "versionMin": "2.1" } } });
    world.done("a", &Caller::Admin, "admin.updateSettings", update).await;
    let info = world.done("a", &Caller::Anonymous, "app.getInfo", json!({})).await.json;
    assert_eq!(info["features"]["signUp"], "closed");
    assert_eq!((&info["locales"], &info["versionMin"]), (&json!(["de"]), &json!("2.1")));
    let extra = world.refused("a", &Caller::Anonymous, "app.getInfo", json!({ "x": 1 })).await;
    assert_eq!(extra.0, Code::UnknownField);
}

#[tokio::test]
async fn the_schema_holds_the_apps_own_types_and_all_events() {
    let world = World::with_app("a").await;
    world.create_app("b").await;
    let put = MetaCommand::PutType {
        app: world.app("a").id,
        if_rev: None,
        name: "score".into(),
        json: r#"{"kind":"node"}"#.into(),
    };
    world.host.cluster.change_meta(put).await.unwrap();
    let schema = world.done("a", &Caller::Anonymous, "app.getSchema", json!({})).await.json;
    assert_eq!(schema["types"], json!({ "score": { "kind": "node" } }));
    let causes = schema["events"]["app.updated"].as_array().unwrap();
    assert!(causes.contains(&json!("admin.updateSettings")));
    let other = world.done("b", &Caller::Anonymous, "app.getSchema", json!({})).await.json;
    assert_eq!(other["types"], json!({}), "another app's types are its own");
}
