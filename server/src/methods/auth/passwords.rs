//! New passwords: with the old one, or with a code.

use gomer_core::fault::Fault;
use gomer_core::id::{Id, Root};
use schemars::JsonSchema;
use serde::Deserialize;

use super::op_to_record;
use super::sessions::ends_but;
use super::sign_in::owner_of;
use super::sign_up::salt;
use crate::auth::code::{self, Purpose};
use crate::auth::credential::Credential;
use crate::auth::password::Password;
use crate::limits::Subject;
use crate::names::Email;
use crate::problem::Code;
use crate::registry::{Call, Rate, Reply, Stop};
use crate::types::{Empty, Text};

/// The old password and the new one.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChangePassword {
    /// The password until now.
    current: Password,
    /// The password from now on.
    password: Password,
}

pub async fn change(call: Call, args: ChangePassword) -> Result<Reply<Empty>, Stop> {
    let me = call.me()?;
    let root = Root::profile(me);
    call.replay(root).await?;
    call.take(Rate::Login, Subject::Account(me))?;
    let hasher = &call.host.passwords;
    let busy = |_| Stop::from(Code::Busy);
    for _ in 0..RACES_MAX {
        let (mut credential, stored) = Credential::load(&call, me).await?.ok_or_else(Stop::not_found)?;
        if credential.is_guest() {
            return Err(Stop::forbidden("A guest has no password: sign up with `auth.createAccount`."));
        }
        let phc = credential.password.clone();
        if !hasher.verify(args.current.clone(), phc.clone()).await.map_err(busy)? {
            // Changed before, by this very call: as asked.
            let done = hasher.verify(args.password.clone(), phc).await.map_err(busy)?;
            return if done {
                Ok(Reply::new(Empty {}))
            } else {
                Err(Stop::forbidden("The current password is another one."))
            };
        }
        credential.password = Some(hasher.hash(args.password.clone(), salt(&call)).await.map_err(busy)?);
        let mut write = call.on(root).when(Credential::unchanged(me, &stored)).op(credential.put(me));
        write.ops.extend(ends_but(&call, root, call.device()).await?);
        match call.write(write, Empty {}).await {
            Err(stop) if stop.code() == Some(Code::StaleRevision) => {}
            done => return done,
        }
    }
    Err(Code::Busy.into())
}

/// Which address, the code, and the new password.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResetPassword {
    /// The address.
    email: Email,
    /// The code that was sent there for this.
    code: Text<1, 64>,
    /// The password from now on.
    password: Password,
}

pub async fn reset(call: Call, args: ResetPassword) -> Result<Reply<Empty>, Stop> {
    let name = args.email.root();
    call.take(Rate::Login, Subject::Account(name.id))?;
    let refused = || Stop::from(Code::Unauthenticated);
    let hasher = &call.host.passwords;
    let busy = |_| Stop::from(Code::Busy);
    // Before the code is used up, so that a full queue costs nobody a code; and whether or not the code is good.
    let phc = hasher.hash(args.password.clone(), salt(&call)).await.map_err(busy)?;
    let mark = Id::derived("reset", name.id.as_bytes());
    let first = code::spend(&call, name, Purpose::Reset, &args.code.0, mark).await?;
    for _ in 0..RACES_MAX {
        let (owner, _) = owner_of(&call, name).await?.ok_or_else(refused)?;
        let (mut credential, stored) = Credential::load(&call, owner).await?.ok_or_else(refused)?;
        if !first {
            // The code is good once. If the same password was set with it, it was this call, whose reply was lost.
            let done = hasher.verify(args.password.clone(), credential.password).await.map_err(busy)?;
            return if done { Ok(Reply::new(Empty {})) } else { Err(refused()) };
        }
        credential.password = Some(phc.clone());
        credential.email_confirmed = true;
        let root = Root::profile(owner);
        let mut write = call.on(root).when(Credential::unchanged(owner, &stored)).op(credential.put(owner));
        write.ops.extend(ends_but(&call, root, None).await?);
        write.op = op_to_record(&call, root).await?;
        match call.cluster.write(write).await {
            Ok(_) => return Ok(Reply::new(Empty {})),
            Err(Fault::Stale(_)) => {}
            Err(fault) => return Err(fault.into()),
        }
    }
    Err(Code::Busy.into())
}

/// Races against other changes of the same credential before giving up.
const RACES_MAX: usize = 8;
