//! Looking at one's sessions, and ending them.

use gomer_core::id::{Id, Root};
use gomer_core::vnode::command::Operation;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SessionView;
use crate::auth::credential::Credential;
use crate::auth::session::{SESSIONS_MAX, Session};
use crate::methods::device::Device;
use crate::methods::profile::view::{People, Profile};
use crate::methods::push::target::dropped;
use crate::model::{DEVICE, SESSION};
use crate::registry::{Cache, Call, Reply, Stop};
use crate::types::{Empty, Page, Uuid};

/// Who I am.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Me {
    /// My profile.
    profile: Profile,
    /// My session; absent when the app's server acts for me.
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<SessionView>,
    /// My roles.
    roles: Vec<String>,
    /// My e-mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    /// Whether I have shown that I read mail sent there.
    email_confirmed: bool,
}

pub async fn get(call: Call, _: Empty) -> Result<Reply<Me>, Stop> {
    let me = call.me()?;
    let root = Root::profile(me);
    let profile = People::new(&call).profile(me).await?.ok_or_else(Stop::not_found)?;
    let session = match call.device() {
        Some(device) => call
            .link(root, SESSION, device)
            .await?
            .and_then(|link| Session::read(&link.link.data))
            .map(|session| SessionView::of(&session, device)),
        None => None,
    };
    let credential = Credential::load(&call, me).await?.map(|(credential, _)| credential).unwrap_or_default();
    let reply = Me {
        profile,
        session,
        roles: crate::roles::held(&call.cluster, &call.app, me, call.now.wall).await?,
        email: credential.email.map(|(email, _)| email.as_str().to_owned()),
        email_confirmed: credential.email_confirmed,
    };
    Ok(Reply::new(reply).cache(Cache::Never))
}

/// A session of mine.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MySession {
    /// The session.
    #[serde(flatten)]
    session: SessionView,
    /// What is known of the device.
    #[serde(skip_serializing_if = "Option::is_none")]
    device_info: Option<Device>,
    /// Whether it is the one that asks.
    current: bool,
}

pub async fn list(call: Call, _: Empty) -> Result<Reply<Page<MySession>>, Stop> {
    let root = Root::profile(call.me()?);
    let mut items = Vec::new();
    for (device, session) in open_sessions(&call, root).await? {
        let known = call.node(root, device).await?.filter(|view| view.node.ty == DEVICE);
        items.push(MySession {
            session: SessionView::of(&session, device),
            device_info: known.map(|view| Device::read(device, &view, call.device())),
            current: call.device() == Some(device),
        });
    }
    Ok(Reply::new(Page { items, cursor: None, end: true }).cache(Cache::Never))
}

/// Sessions that have not run out, newest first, with their devices.
async fn open_sessions(call: &Call, root: Root) -> Result<Vec<(Id, Session)>, Stop> {
    let (links, _) = call.link_page(root, SESSION, None, 2 * SESSIONS_MAX as u32).await?;
    Ok(links
        .into_iter()
        .filter_map(|link| Some((link.to, Session::read(&link.link.data)?)))
        .filter(|(_, session)| !session.has_ended(call.now.wall))
        .collect())
}

/// Which session.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeleteSession {
    /// The session; by default the one that asks.
    id: Option<Uuid>,
}

pub async fn delete(call: Call, args: DeleteSession) -> Result<Reply<Empty>, Stop> {
    let me = call.me()?;
    let root = Root::profile(me);
    call.replay(root).await?;
    let sessions = open_sessions(&call, root).await?;
    let device = match args.id {
        Some(id) => sessions.iter().find(|(_, session)| session.id == id).map(|(device, _)| *device),
        None => call.device(),
    };
    let ends = device.map(|to| Operation::DeleteLink { ty: SESSION, to });
    let mut write = call.on(root);
    (write.ops, write.steps) = dropped(&call, me, |of| Some(of) == device).await?;
    write.ops.extend(ends);
    call.write(write, Empty {}).await
}

pub async fn delete_others(call: Call, _: Empty) -> Result<Reply<Empty>, Stop> {
    let me = call.me()?;
    let root = Root::profile(me);
    call.replay(root).await?;
    let mut write = call.on(root);
    (write.ops, write.steps) = dropped(&call, me, |of| Some(of) != call.device()).await?;
    write.ops.extend(ends_but(&call, root, call.device()).await?);
    call.write(write, Empty {}).await
}

/// Operations that end all sessions of a profile but the one of this device.
pub async fn ends_but(call: &Call, root: Root, device: Option<Id>) -> Result<Vec<Operation>, Stop> {
    let (links, _) = call.link_page(root, SESSION, None, 2 * SESSIONS_MAX as u32).await?;
    let others = links.into_iter().map(|link| link.to).filter(|to| Some(*to) != device);
    Ok(others.map(|to| Operation::DeleteLink { ty: SESSION, to }).collect())
}
