//! Keys of the app: who may call, and as what.

use gomer_core::id::{AppId, Id};
use gomer_core::meta::command::{KeyKind, MetaCommand};
use gomer_core::meta::state::Key;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::registry::{Cache, Call, Reply, Rev, Stop};
use crate::secrets;
use crate::types::{Empty, Text, Timestamp, Uuid};

/// What a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum KeyUse {
    /// Names the app; stands in the app's builds. No secret.
    Client,
    /// The app's own server: app admin, may act for a user.
    Server,
    /// A person who administers the app.
    Admin,
}

impl From<KeyUse> for KeyKind {
    fn from(kind: KeyUse) -> KeyKind {
        match kind {
            KeyUse::Client => KeyKind::Client,
            KeyUse::Server => KeyKind::Server,
            KeyUse::Admin => KeyKind::Admin,
        }
    }
}

impl From<KeyKind> for KeyUse {
    fn from(kind: KeyKind) -> KeyUse {
        match kind {
            KeyKind::Client => KeyUse::Client,
            KeyKind::Server => KeyUse::Server,
            KeyKind::Admin => KeyUse::Admin,
        }
    }
}

/// A key.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyView {
    /// Its id.
    pub id: Uuid,
    /// What it may do.
    pub kind: KeyUse,
    /// What people call it.
    pub name: String,
    /// What callers show. In the first reply to its creation only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// Whether it was revoked.
    pub revoked: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// Its revision.
    pub rev: Rev,
}

impl KeyView {
    fn of(call: &Call, id: Id, key: &Key) -> KeyView {
        KeyView {
            id: id.into(),
            kind: key.kind.into(),
            name: key.name.clone(),
            secret: None,
            revoked: key.revoked,
            created_at: key.created.into(),
            rev: call.meta_rev(key.rev),
        }
    }
}

/// A new key.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewKey {
    /// Its id, chosen by the caller.
    pub id: Uuid,
    /// What it may do.
    pub kind: KeyUse,
    /// What people call it.
    pub name: Text<1, 80>,
}

/// Makes one.
pub async fn create(call: Call, args: NewKey) -> Result<Reply<KeyView>, Stop> {
    call.replay_meta().await?;
    let app = call.app.id;
    put_key(&call, app, args).await
}

/// Makes a key of any app; what the app's administrators and the operator do alike. The caller has looked
/// for a recorded reply before.
pub async fn put_key(call: &Call, app: AppId, args: NewKey) -> Result<Reply<KeyView>, Stop> {
    let id = args.id.0;
    let kind = KeyKind::from(args.kind);
    let secret = secrets::key_text(kind, &call.cluster.secret());
    let put = MetaCommand::PutKey { app, id, kind, name: args.name.0, hash: secrets::hash(&secret) };
    let outcome = call.put_meta(put).await?;
    let state = call.cluster.meta();
    let key = state.app(app).and_then(|app| app.keys.get(&id)).ok_or_else(Stop::not_found)?;
    let recorded = KeyView::of(call, id, key);
    // A repeat finds the first key, whose secret nobody knows any more.
    let secret = outcome.changed().then_some(secret);
    let view = KeyView { secret, ..recorded.clone() };
    Ok(call.meta_reply(Some(view.rev), view, &recorded).await?.cache(Cache::Never))
}

/// Which key.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WhichKey {
    /// The key.
    id: Uuid,
}

/// Revokes one. Again: the same reply.
pub async fn delete(call: Call, args: WhichKey) -> Result<Reply<KeyView>, Stop> {
    call.replay_meta().await?;
    if !call.app_now().keys.contains_key(&args.id.0) {
        return Err(Stop::not_found());
    }
    call.put_meta(MetaCommand::RevokeKey { app: call.app.id, id: args.id.0 }).await?;
    let app = call.app_now();
    let key = app.keys.get(&args.id.0).ok_or_else(Stop::not_found)?;
    let view = KeyView::of(&call, args.id.0, key);
    let recorded = view.clone();
    call.meta_reply(Some(view.rev), view, &recorded).await
}

/// All keys.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Keys {
    /// By id. At most 1,000: an app has no more.
    items: Vec<KeyView>,
}

/// Lists them.
pub async fn list(call: Call, _: Empty) -> Result<Reply<Keys>, Stop> {
    let app = call.app_now();
    let items = app.keys.iter().map(|(id, key)| KeyView::of(&call, *id, key)).collect();
    Ok(Reply::new(Keys { items }))
}
