//! From the token of a request to who is signed in: one local read of the session's link, one of the
//! profile's marks.

use gomer_core::fault::Fault;
use gomer_core::id::{Id, Root};
use gomer_core::meta::state::App;
use gomer_core::rows::node::Flags;
use gomer_core::time::Time;
use gomer_core::vnode::command::{Operation, Precondition, Write};
use gomer_core::vnode::query::{Answer, Query};
use gomer_net::cluster::Cluster;

use super::session::Session;
use super::tokens::AccessToken;
use crate::model::SESSION;
use crate::problem::{Code, Problem};
use crate::registry::Stop;

/// Who is signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedIn {
    /// The profile.
    pub profile: Id,
    /// The device.
    pub device: Id,
    /// The session.
    pub session: Id,
    /// When the token runs out.
    pub expires: Time,
}

/// Whom an access token stands for. 401 for a token that is forged, has run out, or whose session is over: always
/// the same answer; 403 for a banned person.
///
/// The first use of a new pair is written down, so that from then on the old refresh token is worth nothing.
/// If that write fails, the call goes on: the next one tries again.
pub async fn sign_in(cluster: &Cluster, app: &App, text: &str) -> Result<SignedIn, Stop> {
    let now = cluster.now().wall;
    let refused = || Stop::from(Code::Unauthenticated);
    let token = AccessToken::open(text, app.id, &app.secret, now).map_err(|_| refused())?;
    let (profile, device) = (token.holder.profile, token.holder.device);
    let root = Root::profile(profile);
    for _ in 0..RACES_MAX {
        let query = Query::Links { ty: SESSION, to: vec![device] };
        let Answer::Links(mut links) = cluster.read(app.id, root, query).await?.answer else {
            return Err(Code::Internal.into());
        };
        let link = links.pop().flatten().ok_or_else(refused)?;
        let session = Session::read(&link.link.data).ok_or_else(refused)?;
        if !session.allows(&token, now) {
            return Err(refused());
        }
        let Some(used) = session.used(&token) else { break };
        let mark = Write::new(app.id, root, Id::NIL)
            .when(Precondition::LinkData(SESSION, device, link.link.data))
            .op(Operation::PutLink {
                ty: SESSION,
                to: device,
                section: link.link.section,
                time: None,
                data: used.data(),
            });
        match cluster.write(mark).await {
            // Refreshed, used or ended at the same moment: look again.
            Err(Fault::Absent) => {}
            _ => break,
        }
    }
    let Answer::Node(node) = cluster.read(app.id, root, Query::Node(profile)).await?.answer else {
        return Err(Code::Internal.into());
    };
    let node = node.ok_or_else(refused)?;
    if node.flags.has(Flags::BANNED) {
        return Err(banned());
    }
    Ok(SignedIn { profile, device, session: token.holder.family, expires: token.expires })
}

/// What a banned person is told.
pub fn banned() -> Stop {
    Problem::new(Code::Forbidden).detail("This profile is banned from the app.").into()
}

/// Races against other calls of the same session before giving up on writing its use down.
const RACES_MAX: usize = 8;
