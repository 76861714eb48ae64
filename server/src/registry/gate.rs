//! Whether a call may go on: its app's state, its bucket, its caller's role. Checked before a handler sees
//! anything, for calls of their own and for those inside a batch or a queue.

use gomer_core::id::{Id, Root};
use gomer_core::meta::command::AppState;
use gomer_core::mutant::Mutant;
use gomer_core::vnode::command::OpKey;

use super::{Call, Caller, Kind, Method, Rate, RawArgs, Registry, Rendered, Rev, Role, Scope, Stop};
use crate::limits::{Decision, Subject};
use crate::model::{ADMIN_ROLE, MODERATOR_ROLE, grant_id};
use crate::problem::{Code, Problem};
use crate::roles;

impl Call {
    /// Takes this call from its bucket.
    pub fn take_for(&self, method: &Method) -> Decision {
        let limits = &self.host.limits;
        let subject = match method.rate {
            Rate::Login | Rate::Mail | Rate::SignUp => match self.caller {
                // What the app's own server does for many people comes from one address.
                Caller::Server { .. } | Caller::Admin => Subject::App,
                _ => Subject::address(self.client),
            },
            Rate::Read | Rate::Write | Rate::Follow | Rate::Free => Subject::of(&self.caller, self.client),
        };
        if method.rate == Rate::Follow
            && let refused @ Decision::Refused { .. } =
                limits.take(&self.app, subject, Rate::Write, self.now.mono)
        {
            return refused;
        }
        limits.take(&self.app, subject, method.rate, self.now.mono)
    }

    /// Checks that the app takes such calls, and that the caller has the method's role. Roles that had to be
    /// looked up for that stand in [`Caller::User`] afterwards.
    pub async fn authorize(&mut self, method: &Method) -> Result<(), Stop> {
        match self.app.state {
            AppState::Active => {}
            AppState::ReadOnly if method.kind == Kind::Query || self.is_app_admin() => {}
            AppState::ReadOnly => return Err(Stop::forbidden("This app takes reads only at the moment.")),
            AppState::Frozen => return Err(Stop::forbidden("This app is out of use at the moment.")),
        }
        let needed = |role: &str| Err(Stop::forbidden(format!("This takes the role {role} or more.")));
        match (&self.caller, method.role) {
            (Caller::Operator, Role::Operator) => Ok(()),
            (Caller::Operator, Role::Anonymous) if self.app.id == self.host.nowhere.id => Ok(()),
            (Caller::Operator, _) => {
                Err(Stop::forbidden("Who operates the cluster has no rights inside an app."))
            }
            (_, Role::Anonymous) => Ok(()),
            (Caller::Anonymous, _) => Err(Code::Unauthenticated.into()),
            (_, Role::Operator) => needed(Role::Operator.name()),
            (Caller::Server { .. } | Caller::Admin, _) => Ok(()),
            (Caller::User { .. }, Role::User | Role::Owner) => Ok(()),
            (Caller::User { profile, .. }, Role::Moderator | Role::AppAdmin) => {
                let held = self.roles_for(*profile, method).await?;
                if held.is_empty() {
                    return needed(method.role.name());
                }
                if let Caller::User { roles, .. } = &mut self.caller {
                    *roles = held;
                }
                Ok(())
            }
        }
    }

    /// Whether the caller is a moderator of the app, or more, and does not act for a user.
    pub async fn is_moderator(&self) -> Result<bool, Stop> {
        match &self.caller {
            Caller::User { profile, roles, .. } => {
                if roles.iter().any(|role| role == MODERATOR_ROLE || role == ADMIN_ROLE) {
                    return Ok(true);
                }
                Ok(self.holds(*profile, MODERATOR_ROLE).await? || self.holds(*profile, ADMIN_ROLE).await?)
            }
            _ => Ok(self.is_app_admin()),
        }
    }

    /// Whether a role was granted to a profile and is in force.
    pub async fn holds(&self, profile: Id, role: &str) -> Result<bool, Stop> {
        let grant = self.node(Root::profile(profile), grant_id(profile, role)).await?;
        Ok(grant.is_some_and(|grant| roles::in_force(&grant, self.now.wall)))
    }

    /// The roles of a profile by which it may call this method.
    async fn roles_for(&self, profile: Id, method: &Method) -> Result<Vec<String>, Stop> {
        let mut held = Vec::new();
        let built_in = [(MODERATOR_ROLE, Role::Moderator), (ADMIN_ROLE, Role::AppAdmin)];
        let built_in = built_in.into_iter().filter(|(_, rank)| *rank >= method.role).map(|(role, _)| role);
        let own = self.app.roles.iter().filter(|(_, role)| role.methods.iter().any(|m| m == method.name));
        for role in built_in.chain(own.map(|(name, _)| name.as_str())) {
            if self.holds(profile, role).await? {
                held.push(role.to_owned());
            }
        }
        Ok(held)
    }
}

impl Registry {
    /// Runs one call inside another: with its own role check, bucket, operation id and guard.
    pub async fn run(
        &self,
        outer: &Call,
        name: &str,
        args: RawArgs,
        op: Option<OpKey>,
        if_match: Option<Rev>,
    ) -> Result<Rendered, Stop> {
        let method = self.get(name).filter(|method| method.scope != Scope::Cluster);
        let method = method.ok_or_else(Stop::not_found)?;
        let mut call = outer.nested(method, op, if_match);
        if let Decision::Refused { retry_after_s, .. } = call.take_for(method) {
            if call.cluster.mutants().has(Mutant::RefusalUntyped) {
                return Err(Code::Internal.into());
            }
            return Err(Problem::new(Code::RateLimited).retry_after(retry_after_s).into());
        }
        call.authorize(method).await?;
        method.run(call, args).await
    }
}
