//! Asking before doing.

use gomer_core::id::Id;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::methods::post::hydrate::Reader;
use crate::registry::{Call, Reply, Role, Stop};
use crate::roles;
use crate::types::{List, Text, Uuid};

/// What a call would be about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Object {
    /// What it is.
    pub kind: ObjectKind,
    /// Which one.
    pub id: Uuid,
}

/// What an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ObjectKind {
    /// A person's profile.
    Profile,
    /// A post.
    Post,
}

/// Calls that I might make.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Check {
    /// 1 to 100 of them.
    calls: List<OneCall, 1, 100>,
}

/// A call that I might make.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct OneCall {
    /// The method's name.
    method: Text<1, 80>,
    /// What it would be about.
    object: Option<Object>,
}

/// Answers.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Checked {
    /// In the order asked.
    items: Vec<OneAnswer>,
}

/// An answer.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct OneAnswer {
    /// The method's name.
    method: String,
    /// What it would be about.
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<Object>,
    /// Whether I may. Limits on how often may still stand in the way.
    allowed: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Reason>,
}

/// Why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum Reason {
    /// There is no such method.
    UnknownMethod,
    /// It asks for a role that I do not hold.
    Role,
    /// There is no such object, or I may not know of it.
    NotFound,
    /// It is somebody else's.
    NotOwner,
}

/// Answers them.
pub async fn check(call: Call, args: Check) -> Result<Reply<Checked>, Stop> {
    let me = call.me()?;
    let held = roles::held(&call.cluster, &call.app, me, call.now.wall).await?;
    let mut reader = Reader::new(&call);
    let mut items = Vec::with_capacity(args.calls.0.len());
    for OneCall { method: Text(method), object } in args.calls.0 {
        let reason = reason(&call, &mut reader, me, &held, &method, object).await?;
        items.push(OneAnswer { method, object, allowed: reason.is_none(), reason });
    }
    Ok(Reply::new(Checked { items }))
}

async fn reason(
    call: &Call,
    reader: &mut Reader,
    me: Id,
    held: &[String],
    method: &str,
    object: Option<Object>,
) -> Result<Option<Reason>, Stop> {
    let Some(method) = call.host.registry.get(method) else { return Ok(Some(Reason::UnknownMethod)) };
    if !roles::allow(&call.app, held, method.name, method.role) {
        return Ok(Some(Reason::Role));
    }
    let Some(Object { kind, id: Uuid(id) }) = object else { return Ok(None) };
    let owner = match kind {
        ObjectKind::Profile if reader.sees_profile(id).await? => id,
        ObjectKind::Profile => return Ok(Some(Reason::NotFound)),
        ObjectKind::Post => {
            let Some(post) = reader.post(id).await? else { return Ok(Some(Reason::NotFound)) };
            post.author
        }
    };
    Ok((method.role == Role::Owner && owner != me).then_some(Reason::NotOwner))
}
