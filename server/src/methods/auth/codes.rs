//! One-time codes by e-mail. Answers never tell whether somebody has the address.

use gomer_core::id::{Id, Root};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::op_to_record;
use super::sign_in::owner_of;
use crate::auth::code::{self, Purpose};
use crate::auth::credential::Credential;
use crate::auth::mail::Mail;
use crate::limits::Subject;
use crate::names::Email;
use crate::problem::Code;
use crate::registry::{Cache, Call, Rate, Reply, Stop};
use crate::types::{Empty, Text, Uuid};

/// What for, and where to.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RequestCode {
    /// The request's id. Pick it yourself, so that a retry sends no second mail.
    id: Option<Uuid>,
    /// What for.
    purpose: Purpose,
    /// The address of an account.
    email: Email,
}

/// A code is on its way, if there is such an account.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CodeRequested {
    /// The request's id.
    id: Uuid,
    /// How long the code is good, in seconds.
    expires_in_s: u64,
}

pub async fn request(call: Call, args: RequestCode) -> Result<Reply<CodeRequested>, Stop> {
    let root = args.email.root();
    call.take(Rate::Mail, Subject::Account(root.id))?;
    let op = op_to_record(&call, root).await?;
    let request = args.id.map_or_else(|| call.cluster.mint(), |id| id.0);
    let sent_before = op.is_none() && call.op.is_some();
    if !sent_before {
        let random = call.cluster.secret();
        // Stored whether or not there is such an account, so that both cost the same.
        let code = code::store(&call, root, args.purpose, request, random, op).await?;
        let owner = owner_of(&call, root).await?;
        if let Some((code, (_, credential))) = code.zip(owner)
            && let Some((email, _)) = credential.email
            && call.host.mailer.post(mail(&call, args.purpose, &email, &code)).is_err()
        {
            tracing::warn!(app = call.app.name, "a mail was dropped: too many wait to be sent");
        }
    }
    let reply = CodeRequested { id: Uuid(request), expires_in_s: args.purpose.life().as_secs() };
    Ok(Reply::new(reply).cache(Cache::Never))
}

fn mail(call: &Call, purpose: Purpose, email: &Email, code: &str) -> Mail {
    let title = if call.app.title.is_empty() { &call.app.name } else { &call.app.title };
    let minutes = purpose.life().as_secs() / 60;
    let (subject, does) = match purpose {
        Purpose::Login => (format!("{code} is your code for {title}"), "signs you in"),
        Purpose::Confirm => (format!("{code} confirms your address for {title}"), "confirms your address"),
        Purpose::Reset => (format!("Set a new password for {title}"), "lets you set a new password"),
    };
    Mail {
        to: email.as_str().to_owned(),
        from: title.to_owned(),
        subject,
        text: format!(
            "This code {does} for {title}:\n\n{code}\n\nIt is good once, for {minutes} minutes. If you did not ask \
             for it, do nothing, and tell it to nobody.\n"
        ),
        time: call.now.wall,
    }
}

/// Which address, and the code.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConfirmCode {
    /// The address.
    email: Email,
    /// The code that was sent there.
    code: Text<1, 64>,
}

pub async fn confirm(call: Call, args: ConfirmCode) -> Result<Reply<Empty>, Stop> {
    let name = args.email.root();
    call.take(Rate::Login, Subject::Account(name.id))?;
    let mark = Id::derived("confirmed", name.id.as_bytes());
    code::spend(&call, name, Purpose::Confirm, &args.code.0, mark).await?;
    for _ in 0..RACES_MAX {
        let refused = || Stop::from(Code::Unauthenticated);
        let (owner, _) = owner_of(&call, name).await?.ok_or_else(refused)?;
        let (mut credential, stored) = Credential::load(&call, owner).await?.ok_or_else(refused)?;
        credential.email_confirmed = true;
        let root = Root::profile(owner);
        let mut write = call.on(root).when(Credential::unchanged(owner, &stored)).op(credential.put(owner));
        write.op = op_to_record(&call, root).await?;
        match call.cluster.write(write).await {
            Ok(_) => return Ok(Reply::new(Empty {})),
            Err(gomer_core::fault::Fault::Stale(_)) => {}
            Err(fault) => return Err(fault.into()),
        }
    }
    Err(Code::Busy.into())
}

/// Races against other changes of the same credential before giving up.
const RACES_MAX: usize = 8;
