//! `auth`: signing up, in and out. A session is a link from a profile to a device.
//!
//! Replies with tokens are never recorded under an operation id, because only hashes are stored: a repeat is
//! answered from the session itself, with the same tokens as long as they were not used.

mod codes;
mod open;
mod passwords;
mod sessions;
mod sign_in;
mod sign_up;

use gomer_core::id::{Id, Root};
use gomer_core::vnode::command::OpKey;
use schemars::JsonSchema;
use serde::Serialize;

use crate::auth::session::{Proof, Session};
use crate::auth::tokens::{Holder, RefreshToken};
use crate::methods::profile::view::{People, Profile};
use crate::problem::Code;
use crate::registry::{Cache, Call, Idempotency, Method, Rate, Reply, Role, Stop};
use crate::types::{Timestamp, Uuid};

/// The service's methods.
pub fn methods() -> Vec<Method> {
    vec![
        Method::procedure("auth.changePassword", passwords::change)
            .role(Role::Owner)
            .rate(Rate::Login)
            .emits(&["session.closed"])
            .errors(&[Code::Forbidden, Code::Busy])
            .about("Changes my password; all my other sessions end."),
        Method::procedure("auth.confirmCode", codes::confirm)
            .role(Role::Anonymous)
            .rate(Rate::Login)
            .emits(&["account.confirmed"])
            .errors(&[Code::Unauthenticated])
            .about("Confirms an e-mail address with the code that was sent there."),
        Method::procedure("auth.createAccount", sign_up::create_account)
            .role(Role::Anonymous)
            .rate(Rate::SignUp)
            .idempotency(Idempotency::ClientId)
            .emits(&["profile.created", "session.opened"])
            .errors(&[Code::IdTaken, Code::NameTaken, Code::Busy])
            .about("Signs up with handle or e-mail address and a password, and opens a session; a guest keeps its profile."),
        Method::procedure("auth.createGuest", sign_up::create_guest)
            .role(Role::Anonymous)
            .rate(Rate::SignUp)
            .idempotency(Idempotency::ClientId)
            .emits(&["profile.created", "session.opened"])
            .errors(&[Code::IdTaken])
            .about("Makes a guest profile for this device and opens a session."),
        Method::procedure("auth.createSession", sign_in::create_session)
            .role(Role::Anonymous)
            .rate(Rate::Login)
            .idempotency(Idempotency::ClientId)
            .emits(&["session.opened"])
            .errors(&[Code::Unauthenticated, Code::Forbidden, Code::Busy])
            .about("Signs in with a password or a one-time code; the client picks the session's id."),
        Method::procedure("auth.deleteOtherSessions", sessions::delete_others)
            .role(Role::Owner)
            .emits(&["session.closed"])
            .about("Signs out everywhere else."),
        Method::procedure("auth.deleteSession", sessions::delete)
            .role(Role::Owner)
            .emits(&["session.closed"])
            .about("Signs out this device, or another one by its session."),
        Method::query("auth.getSession", sessions::get)
            .role(Role::User)
            .about("Says who I am: profile, device, roles, and until when the session lasts."),
        Method::query("auth.listSessions", sessions::list)
            .role(Role::Owner)
            .about("Lists my open sessions with their devices."),
        Method::procedure("auth.refreshSession", sign_in::refresh)
            .role(Role::Anonymous)
            .idempotency(Idempotency::ClientId)
            .emits(&["session.refreshed"])
            .errors(&[Code::Unauthenticated])
            .about("Exchanges a refresh token for the next pair; the old one stays good until the new pair is first used."),
        Method::procedure("auth.requestCode", codes::request)
            .role(Role::Anonymous)
            // Mails are counted per e-mail address, by the handler: at a venue, everybody has the same IP address.
            .rate(Rate::Login)
            .idempotency(Idempotency::ClientId)
            .emits(&["mail.requested"])
            .about("Sends a one-time code by e-mail, to sign in, to confirm the address or to set a new password."),
        Method::procedure("auth.resetPassword", passwords::reset)
            .role(Role::Anonymous)
            .rate(Rate::Login)
            .emits(&["session.closed"])
            .errors(&[Code::Unauthenticated, Code::Busy])
            .about("Sets a new password with a code; all sessions end."),
    ]
}

/// A session that was opened or refreshed, with its tokens. They are opaque, and secret.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Opened {
    /// The profile.
    profile: Profile,
    /// The session.
    session: SessionView,
    /// For the header `Authorization: Bearer`, for 15 minutes.
    access_token: String,
    /// When it runs out.
    access_expires_at: Timestamp,
    /// For `auth.refreshSession`, once.
    refresh_token: String,
    /// When the session ends unless it is refreshed.
    refresh_expires_at: Timestamp,
}

/// A session.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct SessionView {
    /// Its id.
    id: Uuid,
    /// The device that it belongs to.
    device: Uuid,
    /// How somebody signed in.
    proof: Proof,
    /// Since when.
    created_at: Timestamp,
    /// When tokens were last given out.
    refreshed_at: Timestamp,
    /// When it ends unless it is refreshed.
    expires_at: Timestamp,
}

impl SessionView {
    fn of(session: &Session, device: Id) -> SessionView {
        SessionView {
            id: session.id,
            device: Uuid(device),
            proof: session.proof,
            created_at: Timestamp(session.started()),
            refreshed_at: Timestamp(session.refreshed()),
            expires_at: Timestamp(session.ends()),
        }
    }
}

/// Renders a session with its tokens. Nobody may keep the reply.
async fn opened(
    call: &Call,
    holder: Holder,
    session: &Session,
    refresh: &RefreshToken,
) -> Result<Reply<Opened>, Stop> {
    let secret = &call.app.secret;
    let mut own = call.clone();
    own.caller =
        crate::registry::Caller::User { profile: holder.profile, device: holder.device, roles: Vec::new() };
    let profile = People::new(&own).profile(holder.profile).await?.ok_or_else(Stop::not_found)?;
    let access = session.access(holder, call.now.wall);
    let reply = Opened {
        profile,
        session: SessionView::of(session, holder.device),
        access_token: access.seal(secret),
        access_expires_at: Timestamp(access.expires),
        refresh_token: refresh.seal(secret),
        refresh_expires_at: Timestamp(session.ends()),
    };
    Ok(Reply::new(reply).cache(Cache::Never))
}

/// The operation id to record with a write on that root, or nothing if it is recorded already; with another
/// body, 422 `key-reused`.
async fn op_to_record(call: &Call, root: Root) -> Result<Option<OpKey>, Stop> {
    match call.replay(root).await {
        Ok(()) => Ok(call.op),
        Err(Stop::Replay(_)) => Ok(None),
        Err(problem) => Err(problem),
    }
}
