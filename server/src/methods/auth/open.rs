//! Opening a session: at most twenty of a profile, one of each device.

use gomer_core::fault::Fault;
use gomer_core::id::{Id, Root, Section};
use gomer_core::vnode::command::{Operation, Precondition, Write};
use gomer_core::vnode::query::LinkView;

use super::op_to_record;
use crate::auth::session::{Proof, SESSIONS_MAX, Session};
use crate::auth::tokens::{Holder, RefreshToken};
use crate::methods::device::DeviceArgs;
use crate::model::SESSION;
use crate::problem::Code;
use crate::registry::{Call, Stop};

/// What is to be opened.
pub struct Opening<'a> {
    /// For whom, on which device, under which session id.
    pub holder: Holder,
    /// What the client showed.
    pub shown: &'a [u8],
    /// What that is.
    pub proof: Proof,
    /// What the device says about itself.
    pub device: Option<&'a DeviceArgs>,
}

/// The ids of a session that is to be opened: the client's, or new ones. Without a device, the session is one.
pub fn holder(call: &Call, profile: Id, session: Id, device: Option<&DeviceArgs>) -> Holder {
    let device = device.map_or(session, |device| device.id.0);
    Holder { app: call.app.id, profile, device, family: session, generation: 0 }
}

impl Opening<'_> {
    /// Opens the session. The same session id again, before its tokens were used, gives the same tokens; later,
    /// it begins anew and the earlier tokens are worth nothing.
    pub async fn open(&self, call: &Call) -> Result<(Session, RefreshToken), Stop> {
        let root = Root::profile(self.holder.profile);
        let (device, secret) = (self.holder.device, &call.app.secret);
        for _ in 0..RACES_MAX {
            let op = op_to_record(call, root).await?;
            let (links, _) = call.link_page(root, SESSION, None, PAGE).await?;
            let old = links.iter().find(|link| link.to == device);
            let known = old.and_then(|link| Session::read(&link.link.data));
            let known = known.filter(|known| known.id.0 == self.holder.family);
            if let Some(known) = &known
                && let Some(token) = known.first_again(self.holder, self.shown, secret)
            {
                return Ok((known.clone(), token));
            }
            let generation = known.map_or(0, |known| known.generation.saturating_add(1));
            let (session, token) = self.begin(call, generation);
            let mut write = Write::new(call.app.id, root, call.author()).op(self.put(&session));
            write.op = op;
            write = write.when(match old {
                Some(link) => Precondition::LinkData(SESSION, device, link.link.data.clone()),
                None => Precondition::LinkAbsent(SESSION, device),
            });
            write.ops.extend(surplus(call, &links, device));
            write.ops.extend(self.device.into_iter().flat_map(|device| device.put(self.holder.profile)));
            match call.cluster.write(write).await {
                Ok(outcome) if outcome.replayed.is_none() => return Ok((session, token)),
                // Another call was faster: look again.
                Ok(_) | Err(Fault::Absent | Fault::Present) => {}
                Err(fault) => return Err(fault.into()),
            }
        }
        Err(Code::Busy.into())
    }

    /// The session and its first token.
    pub fn begin(&self, call: &Call, generation: u32) -> (Session, RefreshToken) {
        let holder = Holder { generation, ..self.holder };
        let seed = call.cluster.secret();
        Session::begin(holder, seed, self.shown, &call.app.secret, self.proof, call.now.wall)
    }

    /// The operation that stores it.
    pub fn put(&self, session: &Session) -> Operation {
        Operation::PutLink {
            ty: SESSION,
            to: self.holder.device,
            section: Section::INTERNAL,
            time: Some(call_time(session)),
            data: session.data(),
        }
    }
}

/// Sessions stand in the order in which they began.
fn call_time(session: &Session) -> gomer_core::time::Time {
    session.started()
}

/// Operations that end what has run out, and of more than are allowed those that were refreshed longest ago.
fn surplus(call: &Call, links: &[LinkView], device: Id) -> Vec<Operation> {
    let mut others: Vec<_> = links
        .iter()
        .filter(|link| link.to != device)
        .map(|link| {
            (Session::read(&link.link.data).filter(|session| !session.has_ended(call.now.wall)), link.to)
        })
        .map(|(session, to)| (session.map(|session| session.refreshed()), to))
        .collect();
    // What has run out first, then by age.
    others.sort();
    let ended = others.iter().filter(|(refreshed, _)| refreshed.is_none()).count();
    let too_many = (others.len() + 1).saturating_sub(SESSIONS_MAX);
    let ends = others.into_iter().take(ended.max(too_many));
    ends.map(|(_, to)| Operation::DeleteLink { ty: SESSION, to }).collect()
}

/// Races against other sign-ins of the same person before giving up.
const RACES_MAX: usize = 8;
/// Sessions of a profile that are looked at: as many as there can be, and some that raced.
const PAGE: u32 = 2 * SESSIONS_MAX as u32;
