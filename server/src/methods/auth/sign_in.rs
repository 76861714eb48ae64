//! Signing in, and exchanging a refresh token for the next pair.

use gomer_core::fault::Fault;
use gomer_core::id::{Id, Root, Section};
use gomer_core::rows::node::Flags;
use gomer_core::vnode::command::{Operation, Precondition, Write};
use schemars::JsonSchema;
use serde::Deserialize;

use super::open::{Opening, holder};
use super::sign_up::salt;
use super::{Opened, op_to_record, opened};
use crate::auth::bearer::banned;
use crate::auth::code::{self, Purpose};
use crate::auth::credential::Credential;
use crate::auth::password::Password;
use crate::auth::session::{Proof, Refresh, Session};
use crate::auth::tokens::RefreshToken;
use crate::limits::Subject;
use crate::methods::account::links::{IdToken, Nonce, ProviderName, owner_by_token};
use crate::methods::device::DeviceArgs;
use crate::model::SESSION;
use crate::names::{Email, Handle};
use crate::problem::Code;
use crate::registry::{Call, Rate, Reply, Stop};
use crate::types::{Text, Uuid};

/// Who signs in, and with what. Exactly one name, and a password or a code.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateSession {
    /// The session's id. Pick it yourself, so that a retry opens no second one.
    id: Option<Uuid>,
    /// The account's handle.
    handle: Option<Handle>,
    /// Or its e-mail address.
    email: Option<Email>,
    /// Its password.
    password: Option<Password>,
    /// Or a code that was sent to the address for this.
    code: Option<Text<1, 64>>,
    /// Or, without a name, an identity provider whose account is linked, as the app's settings call it.
    provider: Option<ProviderName>,
    /// With it, an ID token of the provider.
    id_token: Option<IdToken>,
    /// And the nonce that the token was asked for with.
    nonce: Option<Nonce>,
    /// The device; a session of it that is open ends.
    device: Option<DeviceArgs>,
}

pub async fn create_session(call: Call, args: CreateSession) -> Result<Reply<Opened>, Stop> {
    if let Some(token) = &args.id_token {
        return by_provider(&call, &args, token).await;
    }
    if args.provider.is_some() || args.nonce.is_some() {
        return Err(Stop::invalid("/idToken", "missing", "A provider goes with its ID token."));
    }
    let name = match (&args.handle, &args.email) {
        (Some(handle), None) => handle.root(),
        (None, Some(email)) => email.root(),
        (None, None) => {
            return Err(Stop::invalid("/handle", "missing", "Say who signs in: `handle` or `email`."));
        }
        (Some(_), Some(_)) => {
            return Err(Stop::invalid("/email", "value", "Give `handle` or `email`, not both."));
        }
    };
    call.take(Rate::Login, Subject::Account(name.id))?;
    let session = args.id.map_or_else(|| call.cluster.mint(), |id| id.0);
    let owner = owner_of(&call, name).await?;
    let refused = || Stop::from(Code::Unauthenticated);
    // Whether there is such an account is not told: each way costs and answers the same.
    let (shown, proof) = match (&args.password, &args.code) {
        (Some(password), None) => {
            let phc = owner.as_ref().and_then(|(_, credential)| credential.password.clone());
            let known = call.host.passwords.verify(password.clone(), phc).await.map_err(|_| Code::Busy)?;
            if !known {
                return Err(refused());
            }
            if let Some((owner, _)) = &owner {
                renew_hash(&call, *owner, password).await;
            }
            (password.reveal().as_bytes(), Proof::Password)
        }
        (None, Some(code)) if args.email.is_some() => {
            code::spend(&call, name, Purpose::Login, &code.0, session).await?;
            (code.0.as_bytes(), Proof::Code)
        }
        (None, Some(_)) => {
            return Err(Stop::invalid(
                "/email",
                "missing",
                "A code goes with the address that it was sent to.",
            ));
        }
        (None, None) => return Err(Stop::invalid("/password", "missing", "Give `password` or `code`.")),
        (Some(_), Some(_)) => {
            return Err(Stop::invalid("/code", "value", "Give `password` or `code`, not both."));
        }
    };
    let (profile, _) = owner.ok_or_else(refused)?;
    admitted(&call, &args, profile, session, (shown, proof)).await
}

/// The same with an account at an identity provider.
async fn by_provider(call: &Call, args: &CreateSession, token: &IdToken) -> Result<Reply<Opened>, Stop> {
    let Some(provider) = &args.provider else {
        return Err(Stop::invalid("/provider", "missing", "Say whose token it is."));
    };
    let others = [
        ("/handle", args.handle.is_some()),
        ("/email", args.email.is_some()),
        ("/password", args.password.is_some()),
        ("/code", args.code.is_some()),
    ];
    if let Some((pointer, _)) = others.into_iter().find(|(_, given)| *given) {
        return Err(Stop::invalid(pointer, "value", "An ID token stands alone."));
    }
    let session = args.id.map_or_else(|| call.cluster.mint(), |id| id.0);
    let nonce = args.nonce.as_ref().map(|nonce| nonce.0.as_str());
    let profile = owner_by_token(call, &provider.0, &token.0, nonce).await?;
    admitted(call, args, profile, session, (token.0.as_bytes(), Proof::Provider)).await
}

/// Opens the session of somebody who has shown who they are.
async fn admitted(
    call: &Call,
    args: &CreateSession,
    profile: Id,
    session: Id,
    (shown, proof): (&[u8], Proof),
) -> Result<Reply<Opened>, Stop> {
    let refused = || Stop::from(Code::Unauthenticated);
    let node = call.node(Root::profile(profile), profile).await?.ok_or_else(refused)?;
    if node.node.flags.has(Flags::BANNED) {
        return Err(banned());
    }
    let opening = Opening {
        holder: holder(call, profile, session, args.device.as_ref()),
        shown,
        proof,
        device: args.device.as_ref(),
    };
    let (session, token) = opening.open(call).await?;
    opened(call, opening.holder, &session, &token).await
}

/// Hashes a password anew that was just shown to be right, if its hash was made with other parameters than those
/// of today. Nothing depends on it: when it cannot be done now, the next log-in tries again.
async fn renew_hash(call: &Call, owner: Id, password: &Password) {
    let hasher = &call.host.passwords;
    let Ok(Some((mut credential, stored))) = Credential::load(call, owner).await else { return };
    let Some(phc) = credential.password.clone().filter(|phc| !hasher.is_current(phc)) else { return };
    // Changed meanwhile: then it is another password's hash.
    if hasher.verify(password.clone(), Some(phc)).await != Ok(true) {
        return;
    }
    let Ok(phc) = hasher.hash(password.clone(), salt(call)).await else { return };
    credential.password = Some(phc);
    let root = Root::profile(owner);
    let write = Write::new(call.app.id, root, owner);
    let write = write.when(Credential::unchanged(owner, &stored)).op(credential.put(owner));
    if let Err(fault) = call.cluster.write(write).await {
        tracing::warn!(%fault, "a password's hash was not renewed");
    }
}

/// Whose name it is, with the credential that says so too. A name that is only reserved is nobody's yet.
pub async fn owner_of(call: &Call, name: Root) -> Result<Option<(Id, Credential)>, Stop> {
    let Some(owner) = call.name(name).await?.map(|name| name.owner) else { return Ok(None) };
    let credential = Credential::load(call, owner).await?.map(|(credential, _)| credential);
    Ok(credential.filter(|credential| credential.has(name)).map(|credential| (owner, credential)))
}

/// The proof.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RefreshSession {
    /// The refresh token.
    refresh_token: Text<1, 256>,
}

pub async fn refresh(call: Call, args: RefreshSession) -> Result<Reply<Opened>, Stop> {
    let refused = || Stop::from(Code::Unauthenticated);
    let secret = &call.app.secret;
    let shown = RefreshToken::open(&args.refresh_token.0, call.app.id, secret).map_err(|_| refused())?;
    let (root, device) = (Root::profile(shown.holder.profile), shown.holder.device);
    for _ in 0..RACES_MAX {
        let op = op_to_record(&call, root).await?;
        let link = call.link(root, SESSION, device).await?.ok_or_else(refused)?;
        let session = Session::read(&link.link.data).ok_or_else(refused)?;
        let unchanged = Precondition::LinkData(SESSION, device, link.link.data);
        let mut write = Write::new(call.app.id, root, call.author()).when(unchanged);
        let done = match session.refresh(&shown, secret, call.now.wall) {
            Refresh::Again(token) => return opened(&call, shown.holder, &session, &token).await,
            Refresh::Refused => return Err(refused()),
            // The very same call once more, too late: no theft.
            Refresh::Reused if op.is_none() && call.op.is_some() => return Err(refused()),
            Refresh::Reused => {
                write = write.op(Operation::DeleteLink { ty: SESSION, to: device });
                None
            }
            Refresh::Next(next, token) => {
                let node = call.node(root, shown.holder.profile).await?.ok_or_else(refused)?;
                if node.node.flags.has(Flags::BANNED) {
                    return Err(banned());
                }
                write.op = op;
                write = write.op(Operation::PutLink {
                    ty: SESSION,
                    to: device,
                    section: Section::INTERNAL,
                    time: None,
                    data: next.data(),
                });
                Some((next, token))
            }
        };
        match call.cluster.write(write).await {
            Ok(outcome) if outcome.replayed.is_none() => {
                let (session, token) = done.ok_or_else(refused)?;
                return opened(&call, shown.holder, &session, &token).await;
            }
            // Another call was faster: look again.
            Ok(_) | Err(Fault::Absent) => {}
            Err(fault) => return Err(fault.into()),
        }
    }
    Err(Code::Busy.into())
}

/// Races against other calls of the same session before giving up.
const RACES_MAX: usize = 8;
