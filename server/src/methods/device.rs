//! `device`: the phones that a profile is used on, by installation id.
//!
//! A device that is deleted may come back, with the same installation id: so it is marked as removed and emptied
//! instead of being deleted for ever.

use gomer_core::id::{Id, Root, Section};
use gomer_core::rows::node::Flags;
use gomer_core::vnode::command::Operation;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::auth::session::{SESSIONS_MAX, Session};
use crate::methods::push::target::{self, PushHealth};
use crate::model::{DEVICE, SESSION};
use crate::problem::Code;
use crate::registry::{Call, Method, NodeView, Reply, Rev, Role, Stop};
use crate::types::{Empty, Page, Text, Timestamp, Uuid};

/// The service's methods.
pub fn methods() -> Vec<Method> {
    vec![
        Method::procedure("device.delete", delete)
            .role(Role::Owner)
            .emits(&["device.deleted", "session.closed"])
            .about("Removes a device of mine, and signs it out."),
        Method::procedure("device.deletePushToken", target::delete)
            .role(Role::Owner)
            .emits(&["device.token"])
            .about("Drops the address at which a device of mine is reached by push."),
        Method::query("device.list", list)
            .role(Role::Owner)
            .about("Lists my devices, with how they are reached by push and how that went."),
        Method::procedure("device.register", register)
            .role(Role::User)
            .emits(&["device.registered"])
            .errors(&[Code::IdTaken, Code::TooLarge])
            .about("Makes a device known, or changes what is known of it, by its installation id."),
        Method::procedure("device.setPushToken", target::set)
            .role(Role::Owner)
            .emits(&["device.token"])
            .errors(&[Code::NotFound])
            .about("Says where a device of mine that is signed in is reached by push. An address moves: it is never that of two devices."),
    ]
}

/// A device, as it describes itself. What is absent stays as it is.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeviceArgs {
    /// The installation id: chosen once by the app on the device, and kept.
    pub id: Uuid,
    /// Like `ios`, `android`, `web`.
    platform: Option<Text<1, 32>>,
    /// Like `Pixel 9`.
    model: Option<Text<1, 100>>,
    /// What its owner calls it.
    name: Option<Text<1, 100>>,
    /// BCP 47 language tag, like `de-AT`.
    locale: Option<Text<2, 35>>,
    /// IANA time zone, like `Europe/Vienna`.
    time_zone: Option<Text<1, 64>>,
    /// Build of the app.
    app_build: Option<Text<1, 64>>,
}

impl DeviceArgs {
    fn texts(&self) -> [(&'static str, Option<&str>); 6] {
        [
            ("platform", self.platform.as_ref().map(|text| text.0.as_str())),
            ("model", self.model.as_ref().map(|text| text.0.as_str())),
            ("name", self.name.as_ref().map(|text| text.0.as_str())),
            ("locale", self.locale.as_ref().map(|text| text.0.as_str())),
            ("timeZone", self.time_zone.as_ref().map(|text| text.0.as_str())),
            ("appBuild", self.app_build.as_ref().map(|text| text.0.as_str())),
        ]
    }

    /// The operations that make it known in its owner's root.
    pub fn put(&self, owner: Id) -> Vec<Operation> {
        let id = self.id.0;
        let attrs = self.texts().into_iter().filter_map(|(name, text)| {
            Some((
                name.to_owned(),
                Some(serde_json::to_string(text?).expect("a text can be written as JSON")),
            ))
        });
        let new = Operation::CreateNode {
            id,
            ty: DEVICE,
            section: Section::PRIVATE,
            author: owner,
            flags: Flags::default(),
            attrs: Vec::new(),
        };
        vec![
            new,
            Operation::FlagNode { id, set: Flags::default(), clear: Flags::REMOVED },
            Operation::PatchNode { id, attrs: attrs.collect(), edited: None },
        ]
    }
}

/// A device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Device {
    /// Its installation id.
    pub id: Uuid,
    /// Its revision.
    pub rev: Rev,
    #[serde(skip_serializing_if = "Option::is_none")]
    platform: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    locale: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_zone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    app_build: Option<String>,
    /// When it was last in contact to sign in or to refresh, if somebody is signed in on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    seen_at: Option<Timestamp>,
    /// How it is reached by push, if it is; only in `device.list`.
    #[serde(skip_serializing_if = "Option::is_none")]
    push: Option<PushHealth>,
    /// Whether it is the device that asks.
    current: bool,
}

impl Device {
    /// What a node tells.
    pub fn read(id: Id, view: &NodeView, current: Option<Id>) -> Device {
        let text = |name| serde_json::from_str(view.attr(name)?).ok();
        Device {
            id: Uuid(id),
            rev: view.rev,
            platform: text("platform"),
            model: text("model"),
            name: text("name"),
            locale: text("locale"),
            time_zone: text("timeZone"),
            app_build: text("appBuild"),
            seen_at: None,
            push: None,
            current: current == Some(id),
        }
    }
}

async fn register(call: Call, args: DeviceArgs) -> Result<Reply<Device>, Stop> {
    let me = call.me()?;
    let root = Root::profile(me);
    call.replay(root).await?;
    let id = args.id.0;
    let before = call.node(root, id).await?;
    if before.as_ref().is_some_and(|view| view.node.ty != DEVICE) {
        return Err(Code::IdTaken.into());
    }
    let known = before.as_ref().map(|view| Device::read(id, view, call.device()));
    let text = |new: &Option<&str>, old: Option<&String>| new.map(str::to_owned).or_else(|| old.cloned());
    let [platform, model, name, locale, time_zone, app_build] = args.texts().map(|(_, text)| text);
    let known = known.as_ref();
    let device = Device {
        id: args.id,
        rev: Rev::Pending,
        platform: text(&platform, known.and_then(|known| known.platform.as_ref())),
        model: text(&model, known.and_then(|known| known.model.as_ref())),
        name: text(&name, known.and_then(|known| known.name.as_ref())),
        locale: text(&locale, known.and_then(|known| known.locale.as_ref())),
        time_zone: text(&time_zone, known.and_then(|known| known.time_zone.as_ref())),
        app_build: text(&app_build, known.and_then(|known| known.app_build.as_ref())),
        seen_at: None,
        push: None,
        current: call.device() == Some(id),
    };
    let mut write = call.on(root);
    write.ops = args.put(me);
    if before.is_some() {
        // The reply's revision is what the first operation says: of a known device, the change.
        write.ops.rotate_left(2);
    }
    call.write(write, device).await
}

async fn list(call: Call, _: Empty) -> Result<Reply<Page<Device>>, Stop> {
    let me = call.me()?;
    let root = Root::profile(me);
    let reached = target::health(&call, me).await?;
    let (sessions, _) = call.link_page(root, SESSION, None, 2 * SESSIONS_MAX as u32).await?;
    let mut items = Vec::new();
    for (id, view) in call.nodes(root, NODES_MAX).await? {
        if view.node.ty != DEVICE || view.node.flags.has(Flags::REMOVED) {
            continue;
        }
        let mut device = Device::read(id, &view, call.device());
        let session =
            sessions.iter().find(|link| link.to == id).and_then(|link| Session::read(&link.link.data));
        device.seen_at = session.map(|session| Timestamp(session.refreshed()));
        device.push = reached.iter().find(|(device, _)| *device == id).map(|(_, health)| health.clone());
        items.push(device);
    }
    Ok(Reply::new(Page { items, cursor: None, end: true }))
}

/// Which device.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DeleteDevice {
    /// Its installation id.
    id: Uuid,
}

async fn delete(call: Call, args: DeleteDevice) -> Result<Reply<Empty>, Stop> {
    let me = call.me()?;
    let root = Root::profile(me);
    call.replay(root).await?;
    let id = args.id.0;
    let mut write = call.on(root);
    (write.ops, write.steps) = target::dropped(&call, me, |device| device == id).await?;
    if let Some(view) = call.node(root, id).await?.filter(|view| view.node.ty == DEVICE) {
        let cleared = view.node.attrs.keys().map(|name| (name.clone(), None)).collect();
        write = write
            .op(Operation::FlagNode { id, set: Flags::REMOVED, clear: Flags::default() })
            .op(Operation::PatchNode { id, attrs: cleared, edited: None });
    }
    call.write(write.op(Operation::DeleteLink { ty: SESSION, to: id }), Empty {}).await
}

/// Nodes of a profile's root that are looked at: itself, settings, grants and devices.
const NODES_MAX: u32 = 1_000;
