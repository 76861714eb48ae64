//! `cluster`: what the operator does, on the admin listener only: apps, their first keys, how the member is, and who belongs
//! to the cluster.
//!
//! Must never learn: what is in an app. The operator has no rights there.

use gomer_core::id::Id;
use gomer_core::meta::command::{MetaCommand, is_app_name};
use gomer_core::meta::state::App;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::admin::{KeyView, NewKey, put_key};
use super::app::State;
use super::{cluster_changes, cluster_config, cluster_ring, cluster_status};
use crate::metrics;
use crate::problem::Code;
use crate::registry::{Cache, Call, Idempotency, Method, Reply, Rev, Role, Scope, Stop};
use crate::types::{Empty, Limit, Page, Text, Timestamp, Uuid};

/// The service's methods.
pub fn methods() -> Vec<Method> {
    let mut methods = vec![
        Method::procedure("cluster.createApp", create_app)
            .role(Role::Operator)
            .scope(Scope::Cluster)
            .idempotency(Idempotency::ClientId)
            .emits(&["app.created"])
            .errors(&[Code::NameTaken])
            .about("Makes an app. Its first keys are made with cluster.createKey."),
        Method::procedure("cluster.createKey", create_key)
            .role(Role::Operator)
            .scope(Scope::Cluster)
            .idempotency(Idempotency::ClientId)
            .emits(&["key.created"])
            .errors(&[Code::NotFound, Code::TooLarge])
            .about("Makes a key of an app: how its first administrator gets in. The secret is in the first reply only."),
        Method::query("cluster.getMetrics", get_metrics)
            .role(Role::Operator)
            .scope(Scope::Cluster)
            .produces(metrics::CONTENT_TYPE)
            .about("Shows every counter as OpenMetrics text: the same as /metrics, for those who hold the token."),
        cluster_status::method(),
        Method::query("cluster.listApps", list_apps)
            .role(Role::Operator)
            .scope(Scope::Cluster)
            .errors(&[Code::CursorInvalid])
            .about("Lists the apps by name."),
        Method::procedure("cluster.updateApp", update_app)
            .role(Role::Operator)
            .scope(Scope::Cluster)
            .idempotency(Idempotency::NaturalRev)
            .emits(&["app.updated"])
            .errors(&[Code::NotFound, Code::StaleRevision])
            .about("Changes an app's title or state (active, read only, frozen)."),
    ];
    methods.extend(cluster_config::methods());
    methods.extend(cluster_ring::methods());
    methods.extend(cluster_changes::methods());
    methods
}

/// An app.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct AppView {
    /// The id it was created with.
    id: Uuid,
    /// Its name in addresses.
    name: String,
    /// What people read.
    title: String,
    /// What it may do.
    state: State,
    /// When it was made.
    created_at: Timestamp,
    /// Keys that are not revoked.
    keys: usize,
    /// Its revision: title and state.
    rev: Rev,
}

impl AppView {
    fn of(call: &Call, app: &App) -> AppView {
        AppView {
            id: app.uuid.into(),
            name: app.name.clone(),
            title: app.title.clone(),
            state: app.state.into(),
            created_at: app.created.into(),
            keys: app.keys.values().filter(|key| !key.revoked).count(),
            rev: call.meta_rev(app.rev),
        }
    }
}

/// A new app.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CreateApp {
    /// Its id, chosen by the caller.
    id: Uuid,
    /// Its name in addresses: 1 to 63 of a-z, 0-9 and -, with - neither first nor last. Never changes.
    #[schemars(regex(pattern = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"))]
    name: String,
    /// What people read; by default the name.
    title: Option<Text<1, 200>>,
}

async fn create_app(call: Call, args: CreateApp) -> Result<Reply<AppView>, Stop> {
    call.replay_meta().await?;
    if !is_app_name(&args.name) {
        let rule = "1 to 63 of a-z, 0-9 and -, with - neither first nor last.";
        return Err(Stop::invalid("/name", "value", rule));
    }
    let title = args.title.map_or_else(|| args.name.clone(), |title| title.0);
    let id = args.id.0;
    let create = MetaCommand::CreateApp { id, name: args.name, title, secret: call.cluster.secret() };
    call.put_meta(create).await?;
    answer(&call, id).await
}

async fn answer(call: &Call, id: Id) -> Result<Reply<AppView>, Stop> {
    let state = call.cluster.meta();
    let app = state.app_by_uuid(id).ok_or_else(Stop::not_found)?;
    let view = AppView::of(call, app);
    call.meta_reply(Some(view.rev), view, &AppView::of(call, app)).await
}

/// A new key of an app.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CreateKey {
    /// The name of the app.
    app: String,
    /// The key.
    key: NewKey,
}

async fn create_key(call: Call, args: CreateKey) -> Result<Reply<KeyView>, Stop> {
    call.replay_meta().await?;
    let app = call.cluster.meta().apps.get(&args.app).map(|app| app.id).ok_or_else(Stop::not_found)?;
    put_key(&call, app, args.key).await
}

/// Which apps.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ListApps {
    /// How many at most.
    #[serde(default)]
    limit: Limit<100, 1_000>,
    /// From an earlier page.
    cursor: Option<String>,
}

async fn list_apps(call: Call, args: ListApps) -> Result<Reply<Page<AppView>>, Stop> {
    use std::ops::Bound::{Excluded, Unbounded};
    // The operator may see every name there is: nothing in a cursor is to be protected.
    if args.cursor.as_deref().is_some_and(|cursor| !is_app_name(cursor)) {
        return Err(Code::CursorInvalid.into());
    }
    let state = call.cluster.meta();
    let from = args.cursor.clone().map_or(Unbounded, Excluded);
    let mut apps = state.apps.range((from, Unbounded)).map(|(_, app)| app);
    let items: Vec<AppView> =
        apps.by_ref().take(args.limit.0 as usize).map(|app| AppView::of(&call, app)).collect();
    let cursor = items.last().map(|app| app.name.clone()).or(args.cursor);
    Ok(Reply::new(Page { items, cursor, end: apps.next().is_none() }))
}

/// A change of an app.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct UpdateApp {
    /// The id it was created with.
    id: Uuid,
    /// What people read.
    title: Option<Text<1, 200>>,
    /// What it may do.
    state: Option<State>,
    /// Refuse if the app is not at this revision. The same as `If-Match`.
    if_rev: Option<Rev>,
}

async fn update_app(call: Call, args: UpdateApp) -> Result<Reply<AppView>, Stop> {
    call.replay_meta().await?;
    let state = call.cluster.meta();
    let app = state.app_by_uuid(args.id.0).ok_or_else(Stop::not_found)?.id;
    let change = |if_rev| MetaCommand::UpdateApp {
        app,
        if_rev,
        title: args.title.map(|title| title.0),
        state: args.state.map(Into::into),
    };
    match call.change_meta(args.if_rev, change).await {
        Ok(_) => answer(&call, args.id.0).await,
        Err(stop) => {
            let state = call.cluster.meta();
            let app = state.app_by_uuid(args.id.0).ok_or_else(Stop::not_found)?;
            let now = AppView::of(&call, app);
            Err(stop.or_stale(now.rev, &now))
        }
    }
}

async fn get_metrics(call: Call, _: Empty) -> Result<Reply<String>, Stop> {
    let page = metrics::render(&call.host);
    Ok(Reply::other(metrics::CONTENT_TYPE, page).cache(Cache::Never))
}
