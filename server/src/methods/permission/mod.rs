//! `permission`: who may do what: roles, grants, and the audience of things.
//!
//! Must never learn: how a role is checked (`roles`) or what is visible (`visibility`).

mod audience;
#[cfg(test)]
mod audience_test;
pub mod check;
mod grants;
#[cfg(test)]
mod tests;

use crate::problem::Code;
use crate::registry::{Idempotency, Method, Role};

/// The service's methods.
pub fn methods() -> Vec<Method> {
    vec![
        Method::query("permission.check", check::check)
            .role(Role::User)
            .about("Says of up to 100 calls whether I may make them, and if not, why."),
        Method::query("permission.getAudience", audience::get)
            .role(Role::Owner)
            .errors(&[Code::NotFound, Code::Forbidden])
            .about("Shows for whom a post or my profile is."),
        Method::query("permission.getMine", grants::mine)
            .role(Role::User)
            .about("Shows my roles, and the methods that they allow."),
        Method::procedure("permission.grantRole", grants::grant)
            .role(Role::AppAdmin)
            .emits(&["role.granted"])
            .errors(&[Code::NotFound])
            .about("Gives a role to a profile, until a time or for good."),
        Method::procedure("permission.putRole", grants::put_role)
            .role(Role::AppAdmin)
            .idempotency(Idempotency::NaturalRev)
            .emits(&["role.updated"])
            .errors(&[Code::StaleRevision, Code::TooLarge])
            .about("Makes a role of the app's own, or changes which methods its holders may call."),
        Method::procedure("permission.revokeRole", grants::revoke)
            .role(Role::AppAdmin)
            .emits(&["role.revoked"])
            .errors(&[Code::NotFound])
            .about("Takes a role back."),
        Method::procedure("permission.setAudience", audience::set)
            .role(Role::Owner)
            .idempotency(Idempotency::NaturalRev)
            .emits(&["audience.updated"])
            .errors(&[Code::NotFound, Code::Forbidden, Code::StaleRevision])
            .about("Says for whom a post or my profile is."),
    ]
}
