//! Signing up: a guest's profile, or an account with names and a password.

use gomer_core::id::{Id, Root, Section};
use gomer_core::rows::node::Flags;
use gomer_core::vnode::command::{Operation, Precondition};
use schemars::JsonSchema;
use serde::Deserialize;

use super::open::{Opening, holder};
use super::{Opened, op_to_record, opened};
use crate::auth::claim::{ATTEMPTS_MAX, Wanted};
use crate::auth::credential::{Credential, EMAIL_CLAIM, HANDLE_CLAIM};
use crate::auth::password::Password;
use crate::auth::policy::{Joining, may_join, may_take};
use crate::auth::session::{Proof, Session};
use crate::methods::device::DeviceArgs;
use crate::methods::profile::joined;
use crate::methods::profile::view::{GUEST, HANDLE, NAME};
use crate::model::{PROFILE, SESSION};
use crate::names::{Email, Handle};
use crate::problem::Code;
use crate::registry::{Call, Reply, Stop};
use crate::types::{Text, Uuid};

/// A guest.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateGuest {
    /// The profile's id. Pick it yourself, so that a retry makes no second one.
    id: Option<Uuid>,
    /// The session's id; by default the profile's.
    session_id: Option<Uuid>,
    /// The device.
    device: Option<DeviceArgs>,
    /// A name to be shown.
    name: Option<Text<1, 64>>,
}

pub async fn create_guest(call: Call, args: CreateGuest) -> Result<Reply<Opened>, Stop> {
    let id = args.id.map_or_else(|| named_by_operation(&call), |id| id.0);
    let root = Root::profile(id);
    let session = args.session_id.map_or(id, |id| id.0);
    let opening = Opening {
        holder: holder(&call, id, session, args.device.as_ref()),
        shown: session.as_bytes(),
        proof: Proof::Guest,
        device: args.device.as_ref(),
    };
    let op = op_to_record(&call, root).await?;
    if op.is_none() && call.op.is_some() {
        return again(&call, &opening).await;
    }
    if call.node(root, id).await?.is_none() {
        may_join(&call, Joining::Guest)?;
    }
    let mut attrs = vec![(GUEST.to_owned(), "true".to_owned())];
    attrs.extend(args.name.as_ref().map(|name| (NAME.to_owned(), json(&name.0))));
    let (session, token) = opening.begin(&call, 0);
    let mut write = call
        .on(root)
        .when(Precondition::NodeAbsent(id))
        .op(create(id, attrs))
        .op(Credential::default().put(id))
        .op(opening.put(&session));
    write.ops.extend(args.device.iter().flat_map(|device| device.put(id)));
    match call.commit(write).await {
        Ok(_) => opened(&call, opening.holder, &session, &token).await,
        Err(Stop::Replay(_)) => again(&call, &opening).await,
        Err(stop) if stop.code() == Some(Code::IdTaken) => again(&call, &opening).await,
        Err(stop) => Err(stop),
    }
}

/// The first result, for whoever makes the same guest again before its tokens were used; else 409. The ids are
/// all that a guest has to show, and until then nobody else knows them.
async fn again(call: &Call, opening: &Opening<'_>) -> Result<Reply<Opened>, Stop> {
    let taken = || Stop::from(Code::IdTaken);
    let holder = opening.holder;
    let link = call.link(Root::profile(holder.profile), SESSION, holder.device).await?.ok_or_else(taken)?;
    let session = Session::read(&link.link.data).filter(|session| session.proof == Proof::Guest);
    let session = session.filter(|session| session.id.0 == holder.family).ok_or_else(taken)?;
    let token = session.first_again(holder, opening.shown, &call.app.secret).ok_or_else(taken)?;
    opened(call, holder, &session, &token).await
}

/// An account.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateAccount {
    /// The profile's id. Pick it yourself, so that a retry makes no second one. A guest who is signed in gives its
    /// own, or none, and keeps its profile.
    id: Option<Uuid>,
    /// The session's id; by default the profile's.
    session_id: Option<Uuid>,
    /// A unique handle. Handle or e-mail address must be there.
    handle: Option<Handle>,
    /// An e-mail address of which there is one account at most.
    email: Option<Email>,
    /// The password: 8 to 128 characters.
    password: Password,
    /// The device.
    device: Option<DeviceArgs>,
    /// A name to be shown.
    name: Option<Text<1, 64>>,
}

pub async fn create_account(call: Call, args: CreateAccount) -> Result<Reply<Opened>, Stop> {
    if args.handle.is_none() && args.email.is_none() {
        return Err(Stop::invalid("/handle", "missing", "Sign up with a handle or an e-mail address."));
    }
    let guest = guest_of(&call, args.id).await?;
    let id = args.id.map(|id| id.0).or(guest).unwrap_or_else(|| named_by_operation(&call));
    let root = Root::profile(id);
    let session = args.session_id.map_or(id, |id| id.0);
    let opening = Opening {
        holder: holder(&call, id, session, args.device.as_ref()),
        shown: args.password.reveal().as_bytes(),
        proof: Proof::Password,
        device: args.device.as_ref(),
    };
    op_to_record(&call, root).await?;
    match Credential::load(&call, id).await? {
        Some((credential, _)) if !credential.is_guest() => {
            return made_before(&call, &args, credential, &opening).await;
        }
        Some(_) if guest != Some(id) => return Err(Code::IdTaken.into()),
        None if call.node_or_tombstone(root, id).await?.1 => return Err(Code::IdTaken.into()),
        _ => {}
    }
    may_join(&call, Joining::Account)?;
    if let Some(handle) = &args.handle {
        may_take(&call, handle)?;
    }
    let email = args.email.as_ref().map(|email| wanted(email.root(), EMAIL_CLAIM, "/email"));
    let handle = args.handle.as_ref().map(|handle| wanted(handle.root(), HANDLE_CLAIM, "/handle"));
    for name in [email, handle].into_iter().flatten() {
        name.check(&call, id).await?;
    }
    let phc = call.host.passwords.hash(args.password.clone(), salt(&call)).await.map_err(|_| Code::Busy)?;
    for attempt in 0..ATTEMPTS_MAX {
        let mut credential = Credential { password: Some(phc.clone()), ..Credential::default() };
        let mut write = call.on(root);
        if let Some((wanted, email)) = email.zip(args.email.clone()) {
            let claim = wanted.reserve(&call, id, attempt).await?;
            write = write.when(Wanted::usable(claim)).step(wanted.confirm(id, claim));
            credential.email = Some((email, claim));
        }
        if let Some((mut wanted, handle)) = handle.zip(args.handle.clone()) {
            let held = match guest {
                Some(_) => Credential::load(&call, id).await?.and_then(|(credential, _)| credential.handle),
                None => None,
            };
            match held {
                // The guest's own handle, already.
                Some((old, claim)) if old.root() == wanted.name => credential.handle = Some((handle, claim)),
                held => {
                    wanted.before = held.as_ref().map(|(_, claim)| *claim);
                    let claim = wanted.reserve(&call, id, attempt).await?;
                    write = write.when(Wanted::usable(claim)).step(wanted.confirm(id, claim));
                    write
                        .steps
                        .extend(held.map(|(old, claim)| crate::auth::claim::release(old.root(), id, claim)));
                    credential.handle = Some((handle, claim));
                }
            }
        }
        let (session, token) = opening.begin(&call, 0);
        write = match guest {
            Some(_) => upgrade(&call, write, &args, id, credential).await?,
            None => write
                .when(Precondition::NodeAbsent(id))
                .op(create(id, args.attrs()))
                .op(credential.put(id))
                .op(opening.put(&session)),
        };
        write.ops.extend(args.device.iter().flat_map(|device| device.put(id)));
        match call.commit(write.step(joined(id))).await {
            Ok(_) if guest.is_some() => {
                let (session, token) = opening.open(&Call { op: None, ..call.clone() }).await?;
                return opened(&call, opening.holder, &session, &token).await;
            }
            Ok(_) => return opened(&call, opening.holder, &session, &token).await,
            // The reservation was asked about in between and refused: reserve again.
            Err(stop) if stop.code() == Some(Code::NameTaken) => {}
            // A call with the same ids was faster.
            Err(stop) if matches!(stop, Stop::Replay(_)) || is_race(&stop) => {
                let known = Credential::load(&call, id).await?.map(|(credential, _)| credential);
                let credential = known.filter(|known| !known.is_guest()).ok_or(Code::IdTaken)?;
                return made_before(&call, &args, credential, &opening).await;
            }
            Err(stop) => return Err(stop),
        }
    }
    Err(Code::InProgress.into())
}

fn is_race(stop: &Stop) -> bool {
    matches!(stop.code(), Some(Code::IdTaken | Code::StaleRevision))
}

/// The guest who is signed in, if it is the one that becomes an account.
async fn guest_of(call: &Call, id: Option<Uuid>) -> Result<Option<Id>, Stop> {
    let Some(me) = call.maybe_me().filter(|&me| id.is_none_or(|id| id.0 == me)) else { return Ok(None) };
    let credential = Credential::load(call, me).await?;
    Ok(credential.filter(|(credential, _)| credential.is_guest()).map(|_| me))
}

/// A guest becomes an account: the profile stays, with all that it made.
async fn upgrade(
    call: &Call,
    write: gomer_core::vnode::command::Write,
    args: &CreateAccount,
    id: Id,
    mut credential: Credential,
) -> Result<gomer_core::vnode::command::Write, Stop> {
    let (known, stored) = Credential::load(call, id).await?.ok_or_else(Stop::not_found)?;
    credential.handle = credential.handle.or(known.handle);
    let mut attrs: Vec<_> = args.attrs().into_iter().map(|(name, json)| (name, Some(json))).collect();
    attrs.push((GUEST.to_owned(), None));
    Ok(write
        .when(Credential::unchanged(id, &stored))
        .op(Operation::PatchNode { id, attrs, edited: None })
        .op(credential.put(id)))
}

/// The same account again: whoever knows its names and password is let in.
async fn made_before(
    call: &Call,
    args: &CreateAccount,
    credential: Credential,
    opening: &Opening<'_>,
) -> Result<Reply<Opened>, Stop> {
    let same = args.handle.as_ref().is_none_or(|handle| credential.has(handle.root()))
        && args.email.as_ref().is_none_or(|email| credential.has(email.root()));
    let account = crate::limits::Subject::Account(opening.holder.profile);
    call.take(crate::registry::Rate::Login, account)?;
    let phc = credential.password.filter(|_| same);
    let known = call.host.passwords.verify(args.password.clone(), phc).await.map_err(|_| Code::Busy)?;
    if !known {
        return Err(Code::IdTaken.into());
    }
    let (session, token) = opening.open(call).await?;
    opened(call, opening.holder, &session, &token).await
}

impl CreateAccount {
    fn attrs(&self) -> Vec<(String, String)> {
        let mut attrs = Vec::new();
        attrs.extend(self.handle.as_ref().map(|handle| (HANDLE.to_owned(), json(handle.as_str()))));
        attrs.extend(self.name.as_ref().map(|name| (NAME.to_owned(), json(&name.0))));
        attrs
    }
}

fn wanted(name: Root, attr: &'static str, pointer: &'static str) -> Wanted {
    Wanted { name, before: None, node: None, attr, pointer }
}

fn create(id: Id, attrs: Vec<(String, String)>) -> Operation {
    let (section, flags) = (Section::PUBLIC, Flags::default());
    Operation::CreateNode { id, ty: PROFILE, section, author: id, flags, attrs }
}

/// The id of who signs up without one: the operation id, so that a retry makes no second profile; else a new one.
fn named_by_operation(call: &Call) -> Id {
    let op = call.op.and_then(|op| op.id.to_string().parse().ok());
    op.unwrap_or_else(|| call.cluster.mint())
}

/// A new salt.
pub fn salt(call: &Call) -> [u8; 16] {
    let mut salt = [0; 16];
    salt.copy_from_slice(&call.cluster.secret()[..16]);
    salt
}

fn json(text: &str) -> String {
    serde_json::to_string(text).expect("a text can be written as JSON")
}
