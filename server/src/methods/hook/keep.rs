//! Which hooks an app has: rows in one root, never synced.

use std::collections::BTreeSet;

use gomer_core::id::{Id, Root, RootKind, Section};
use gomer_core::rows::node::{Flags, Node};
use gomer_core::vnode::command::{Operation, Precondition};
use gomer_core::vnode::query::ChangesFrom;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::event::EventName;
use super::health::{self, Delivery, Health};
use super::sign::Secret;
use crate::followers;
use crate::methods::post::view::{CREATED_AT, json, read};
use crate::model::{HOOK, HOOK_COUNT};
use crate::problem::{Code, Problem};
use crate::registry::{Call, Reply, Rev, Stop};
use crate::types::{Empty, List, Text, Timestamp, Uuid};

/// Most hooks of an app.
pub const HOOKS_MAX: usize = 10;
/// Most characters of an address.
pub const URL_CHARS_MAX: usize = 2_048;
/// How often a change of the list is tried again that others change at the same time.
const ATTEMPTS: usize = 8;

/// A hook as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// Its id.
    pub id: Id,
    /// Where to.
    pub url: String,
    /// Which events; nothing: all.
    pub events: Option<BTreeSet<EventName>>,
    /// Whether it asked for those of chats.
    pub chats: bool,
    /// Where the partitions were when it was made, in their order.
    pub begins: Vec<ChangesFrom>,
    created: Timestamp,
    rev: Rev,
}

impl Hook {
    /// Whether it is to be told of this.
    pub fn wants(&self, name: EventName) -> bool {
        let chosen = self.events.as_ref().is_none_or(|events| events.contains(&name));
        name == EventName::Gap || (chosen && (self.chats || !name.is_of_chats()))
    }

    /// The follower that its deliveries are.
    pub fn follower(&self) -> String {
        follower_of(self.id)
    }

    fn read(id: Id, node: &Node, rev: Rev) -> Option<Hook> {
        Some(Hook {
            id,
            url: read(node, URL)?,
            events: read(node, EVENTS)?,
            chats: read(node, CHATS)?,
            begins: read(node, BEGINS)?,
            created: read(node, CREATED_AT)?,
            rev,
        })
    }
}

fn follower_of(hook: Id) -> String {
    format!("hook:{hook}")
}

/// The hooks of the app of this call, by id. One that a newer program wrote and this one cannot read is left out.
pub async fn hooks(call: &Call) -> Result<Vec<Hook>, Stop> {
    let nodes = call.nodes(root(), NODES_MAX).await?;
    let hooks = nodes.into_iter().filter(|(_, view)| view.ty == HOOK);
    Ok(hooks.filter_map(|(id, view)| Hook::read(id, &view.node, view.rev)).collect())
}

/// A hook that is wanted.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewHook {
    /// Its id, chosen by the caller.
    id: Uuid,
    /// Where deliveries go: an `https` address; an `http` one only if the app's settings allow it. Nobody is asked
    /// there while it is made.
    url: Text<1, URL_CHARS_MAX>,
    /// What it is to be told of; if absent, of everything.
    events: Option<List<EventName, 1, 50>>,
    /// Whether it is told of chats and messages too. Only if the app's settings allow it.
    #[serde(default)]
    chats: bool,
}

/// A hook.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HookView {
    /// Its id.
    id: Uuid,
    /// Where deliveries go.
    url: String,
    /// What it is told of; absent: everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    events: Option<Vec<EventName>>,
    /// Whether it is told of chats and messages too.
    chats: bool,
    /// What its deliveries are signed with. In the first reply to its creation only.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    /// When it was made.
    created_at: Timestamp,
    /// How deliveries go; in lists only.
    #[serde(skip_serializing_if = "Option::is_none")]
    delivery: Option<Delivery>,
    /// Its revision.
    rev: Rev,
}

impl HookView {
    fn of(hook: &Hook) -> HookView {
        HookView {
            id: Uuid(hook.id),
            url: hook.url.clone(),
            events: hook.events.as_ref().map(|events| events.iter().copied().collect()),
            chats: hook.chats,
            secret: None,
            created_at: hook.created,
            delivery: None,
            rev: hook.rev,
        }
    }
}

/// Makes one.
pub async fn create(call: Call, args: NewHook) -> Result<Reply<HookView>, Stop> {
    call.replay(root()).await?;
    let settings = call.settings().hooks;
    let url = checked(&args.url.0, settings.allow_http)?;
    if args.chats && !settings.allow_chats {
        return Err(Stop::forbidden("The app's setting `hooks.allowChats` is off."));
    }
    let id = args.id.0;
    let events: Option<BTreeSet<EventName>> = args.events.map(|events| events.0.into_iter().collect());
    // What happens from here on is told of, also if it happens before the hook is there.
    let mut begins = Vec::new();
    for partition in call.cluster.partitions().all() {
        let end = followers::changes(&call.host, call.app.id, partition, ChangesFrom::START, 0).await?;
        begins.push(end.next);
    }
    for _ in 0..ATTEMPTS {
        let nodes = call.nodes(root(), NODES_MAX).await?;
        if let Some((_, view)) = nodes.iter().find(|(other, view)| *other == id && view.ty == HOOK) {
            // Again: the same hook, if it is the same.
            let hook = Hook::read(id, &view.node, view.rev).ok_or(Code::Internal)?;
            let same = hook.url == url && hook.events == events && hook.chats == args.chats;
            return if same { Ok(Reply::new(HookView::of(&hook)).rev(hook.rev)) } else { Err(taken()) };
        }
        if call.node_or_tombstone(root(), id).await?.1 {
            // It was deleted: that is final.
            return Err(taken());
        }
        if nodes.iter().filter(|(_, view)| view.ty == HOOK).count() >= HOOKS_MAX {
            let detail = format!("An app has at most {HOOKS_MAX} hooks.");
            return Err(Problem::new(Code::TooLarge).detail(detail).into());
        }
        let attrs = vec![
            (URL.to_owned(), json(&url)),
            (EVENTS.to_owned(), json(&events)),
            (CHATS.to_owned(), json(&args.chats)),
            (BEGINS.to_owned(), json(&begins)),
            (CREATED_AT.to_owned(), json(&Timestamp(call.now.wall))),
        ];
        let (section, author, flags) = (Section::INTERNAL, call.author(), Flags::default());
        let made = Operation::CreateNode { id, ty: HOOK, section, author, flags, attrs };
        // Two at once must not both be the last that there is room for.
        let mut write = call.on(root()).op(made);
        write = match nodes.iter().find(|(other, _)| *other == count_id()) {
            Some((_, view)) => write.when(Precondition::NodeRev(count_id(), view.node.rev)).op(counted()),
            None => write.when(Precondition::NodeAbsent(count_id())).op(Operation::CreateNode {
                id: count_id(),
                ty: HOOK_COUNT,
                section,
                author: Id::NIL,
                flags,
                attrs: vec![(COUNT.to_owned(), "1".to_owned())],
            }),
        };
        let recorded = HookView {
            id: args.id,
            url: url.clone(),
            events: events.as_ref().map(|events| events.iter().copied().collect()),
            chats: args.chats,
            secret: None,
            created_at: Timestamp(call.now.wall),
            delivery: None,
            rev: Rev::Pending,
        };
        let view = HookView { secret: Some(Secret::of(&call.app, id).text()), ..recorded.clone() };
        match call.write_secret(write, &recorded, &view).await {
            Err(stop) if matches!(stop.code(), Some(Code::StaleRevision | Code::IdTaken)) => {}
            done => {
                call.host.hooks.forget(call.app.id);
                return done;
            }
        }
    }
    Err(Problem::new(Code::Busy).retry_after(1).into())
}

/// Which hook.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WhichHook {
    /// The hook.
    id: Uuid,
}

/// Nothing more.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Deleted {
    /// The hook.
    id: Uuid,
}

/// Removes one.
pub async fn delete(call: Call, args: WhichHook) -> Result<Reply<Deleted>, Stop> {
    call.replay(root()).await?;
    let id = args.id.0;
    match call.node_or_tombstone(root(), id).await? {
        (Some(view), _) if view.ty == HOOK => {}
        (None, true) => return Ok(Reply::new(Deleted { id: args.id })),
        _ => return Err(Stop::not_found()),
    }
    let mut write = call.on(root()).op(Operation::DeleteNode { id }).op(counted());
    write.steps = followers::leave(call.cluster.partitions(), call.app.id, &follower_of(id));
    write.steps.push(health::leave(id));
    let reply = call.write(write, Deleted { id: args.id }).await?;
    call.host.hooks.forget(call.app.id);
    Ok(reply)
}

/// All hooks.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Hooks {
    /// By id. At most ten: an app has no more.
    items: Vec<HookView>,
}

/// Lists them.
pub async fn list(call: Call, _: Empty) -> Result<Reply<Hooks>, Stop> {
    let mut items = Vec::new();
    for hook in hooks(&call).await? {
        let (health, _) = Health::load(&call, hook.id).await?;
        items.push(HookView { delivery: Some(health.shown(call.now.wall)), ..HookView::of(&hook) });
    }
    Ok(Reply::new(Hooks { items }))
}

/// An address that deliveries may go to. Where they may not go on the way there is decided when they leave.
fn checked(url: &str, allow_http: bool) -> Result<String, Stop> {
    let invalid = |code, detail: &str| Stop::invalid("/url", code, detail);
    let parsed: hyper::Uri =
        url.parse().map_err(|_| invalid("format", "An absolute address that begins with https://."))?;
    let scheme = parsed.scheme_str().map(str::to_ascii_lowercase);
    let allowed = match scheme.as_deref() {
        Some("https") => true,
        Some("http") => allow_http,
        _ => return Err(invalid("format", "An absolute address that begins with https://.")),
    };
    if !allowed {
        let detail = "Everybody on the way can read what goes to http://. The app's setting `hooks.allowHttp` allows it.";
        return Err(invalid("value", detail));
    }
    let authority = parsed.authority().map_or("", |authority| authority.as_str());
    if authority.is_empty() || authority.contains('@') || url.contains('#') {
        return Err(invalid("value", "An address without a name, a password or a fragment in it."));
    }
    Ok(url.to_owned())
}

fn taken() -> Stop {
    Code::IdTaken.into()
}

fn counted() -> Operation {
    // It only ever grows: what matters is that every change of the list is another revision of it.
    Operation::AddToAttr { id: count_id(), name: COUNT.to_owned(), delta: 1 }
}

/// The root of an app's hooks.
fn root() -> Root {
    Root::new(RootKind::Misc, Id::derived("hooks", b""))
}

fn count_id() -> Id {
    Id::derived("hook count", b"")
}

/// Hooks, and what counts them.
const NODES_MAX: u32 = 100;

const URL: &str = "url";
const EVENTS: &str = "events";
const CHATS: &str = "chats";
const BEGINS: &str = "begins";
const COUNT: &str = "changes";
