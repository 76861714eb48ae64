//! Roles of the app's own, and who holds which.

use std::collections::BTreeSet;

use gomer_core::id::{Id, Root, Section};
use gomer_core::meta::command::MetaCommand;
use gomer_core::time::Time;
use gomer_core::vnode::command::{Operation, Precondition};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{GRANT, PROFILE, grant_id};
use crate::registry::{Call, Reply, Rev, Role, Stop};
use crate::roles::{self, ROLE, UNTIL};
use crate::types::{Empty, List, Text, Timestamp, Uuid};

/// What I may do.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Mine {
    /// Roles that I hold now.
    roles: Vec<String>,
    /// Methods that they allow, beyond what everybody signed in may call.
    methods: Vec<&'static str>,
}

/// Shows it.
pub async fn mine(call: Call, _: Empty) -> Result<Reply<Mine>, Stop> {
    let me = call.me()?;
    let held = roles::held(&call.cluster, &call.app, me, call.now.wall).await?;
    let beyond = call.host.registry.iter().filter(|method| method.role >= Role::Moderator);
    let methods = beyond
        .filter(|method| roles::allow(&call.app, &held, method.name, method.role))
        .map(|method| method.name)
        .collect();
    Ok(Reply::new(Mine { roles: held, methods }))
}

/// A role.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PutRole {
    /// Its name: 1 to 40 of a-z, 0-9 and -.
    #[schemars(regex(pattern = "^[a-z0-9-]{1,40}$"))]
    name: String,
    /// All methods that its holders may call beyond what everybody signed in may: moderators' and administrators' ones.
    methods: List<Text<1, 80>, 0, 100>,
    /// Refuse if the role is not at this revision. The same as `If-Match`.
    if_rev: Option<Rev>,
}

/// A role of the app's own.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RoleView {
    /// Its name.
    name: String,
    /// Methods that its holders may call, in alphabetical order.
    methods: Vec<String>,
    /// Its revision.
    rev: Rev,
}

/// Makes or changes a role.
pub async fn put_role(call: Call, args: PutRole) -> Result<Reply<RoleView>, Stop> {
    call.replay_meta().await?;
    if !roles::is_own_name(&args.name) {
        let rule = "1 to 40 of a-z, 0-9 and -, and not the name of a role that is built in.";
        return Err(Stop::invalid("/name", "value", rule));
    }
    let mut methods = BTreeSet::new();
    for (i, Text(name)) in args.methods.0.into_iter().enumerate() {
        let known = call.host.registry.get(&name);
        if !known.is_some_and(|method| matches!(method.role, Role::Moderator | Role::AppAdmin)) {
            let rule = "A method that asks for a moderator or an administrator of the app.";
            return Err(Stop::invalid(format!("/methods/{i}"), "value", rule));
        }
        methods.insert(name);
    }
    let (app, name) = (call.app.id, args.name.clone());
    let methods: Vec<String> = methods.into_iter().collect();
    let put = |if_rev| MetaCommand::PutRole { app, if_rev, name, methods };
    match call.change_meta(args.if_rev, put).await {
        Ok(_) => {
            let view = role_now(&call, &args.name);
            let recorded = role_now(&call, &args.name);
            call.meta_reply(Some(view.rev), view, &recorded).await
        }
        Err(stop) => {
            let now = role_now(&call, &args.name);
            Err(stop.or_stale(now.rev, &now))
        }
    }
}

/// The role as it is; one without methods at revision zero, if there is none.
fn role_now(call: &Call, name: &str) -> RoleView {
    let app = call.app_now();
    let role = app.roles.get(name);
    RoleView {
        name: name.to_owned(),
        methods: role.map(|role| role.methods.clone()).unwrap_or_default(),
        rev: call.meta_rev(role.map(|role| role.rev).unwrap_or_default()),
    }
}

/// A role for a profile.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GrantRole {
    /// To whom.
    profile: Uuid,
    /// `moderator`, `admin`, or a role of the app's own.
    role: Text<1, 40>,
    /// When it ends; if absent, when it is taken back.
    until: Option<Timestamp>,
}

/// A role that a profile holds or held.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Grant {
    /// Who.
    profile: Uuid,
    /// The role.
    role: String,
    /// Whether it is held now.
    held: bool,
    /// When it ends or ended.
    until: Option<Timestamp>,
    /// Its revision. Absent if the role was never given.
    #[serde(skip_serializing_if = "Option::is_none")]
    rev: Option<Rev>,
}

/// Gives a role.
pub async fn grant(call: Call, args: GrantRole) -> Result<Reply<Grant>, Stop> {
    call.replay(Root::profile(args.profile.0)).await?;
    if !roles::exists(&call.app_now(), &args.role.0) {
        return Err(Stop::invalid(
            "/role",
            "value",
            "There is no such role; make it with permission.putRole.",
        ));
    }
    if args.until.is_some_and(|until| until.0 <= call.now.wall) {
        return Err(Stop::invalid("/until", "range", "A time in the future."));
    }
    put_grant(&call, args.profile.0, args.role.0, args.until.map(|until| until.0), true).await
}

/// Which grant.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RevokeRole {
    /// From whom.
    profile: Uuid,
    /// The role.
    role: Text<1, 40>,
}

/// Takes a role back. Nobody held it: the same reply.
pub async fn revoke(call: Call, args: RevokeRole) -> Result<Reply<Grant>, Stop> {
    let root = Root::profile(args.profile.0);
    call.replay(root).await?;
    let (profile, role) = (args.profile.0, args.role.0);
    person(&call, profile).await?;
    let ended = |until, rev| Grant { profile: profile.into(), role: role.clone(), held: false, until, rev };
    match call.node(root, grant_id(profile, &role)).await? {
        None => Ok(Reply::new(ended(None, None))),
        Some(grant) if !roles::in_force(&grant, call.now.wall) => {
            let until = roles::until(&grant).map(Timestamp);
            Ok(Reply::new(ended(until, Some(grant.rev))).rev(grant.rev))
        }
        Some(_) => put_grant(&call, profile, role, Some(call.now.wall), false).await,
    }
}

async fn put_grant(
    call: &Call,
    profile: Id,
    role: String,
    until: Option<Time>,
    held: bool,
) -> Result<Reply<Grant>, Stop> {
    person(call, profile).await?;
    let json = |text: &str| serde_json::Value::from(text).to_string();
    let mut attrs = vec![(ROLE.to_owned(), json(&role))];
    attrs.extend(until.map(|until| (UNTIL.to_owned(), json(&until.to_string()))));
    let put = Operation::PutNode {
        id: grant_id(profile, &role),
        ty: GRANT,
        section: Section::PRIVATE,
        author: Id::NIL,
        attrs,
    };
    let write = call.on(Root::profile(profile)).when(Precondition::NodePresent(profile)).op(put);
    let grant =
        Grant { profile: profile.into(), role, held, until: until.map(Timestamp), rev: Some(Rev::Pending) };
    call.write(write, grant).await
}

/// 404 unless there is such a profile.
async fn person(call: &Call, profile: Id) -> Result<(), Stop> {
    let node = call.node(Root::profile(profile), profile).await?;
    node.filter(|node| node.ty == PROFILE).map(|_| ()).ok_or_else(Stop::not_found)
}
