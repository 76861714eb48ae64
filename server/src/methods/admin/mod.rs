//! `admin`: what the people who run an app, and its own server, can set: settings and keys.
//!
//! Must never learn: the cluster. What the operator does is in `cluster`.

mod audit;
mod import;
mod keys;
mod profiles;
mod settings;
#[cfg(test)]
mod tests;
pub mod usage;

pub use keys::{KeyView, NewKey, put_key};

use crate::methods::account::deletion::delete_profile;
use crate::problem::Code;
use crate::registry::{Idempotency, Method, Role};

/// The service's methods.
pub fn methods() -> Vec<Method> {
    vec![
        Method::procedure("admin.createKey", keys::create)
            .role(Role::AppAdmin)
            .idempotency(Idempotency::ClientId)
            .emits(&["key.created"])
            .errors(&[Code::TooLarge])
            .about("Makes a key of the app. Its secret is in the first reply only, never in a repeated one."),
        Method::procedure("admin.deleteKey", keys::delete)
            .role(Role::AppAdmin)
            .emits(&["key.deleted"])
            .errors(&[Code::NotFound])
            .about("Revokes a key for ever."),
        Method::procedure("admin.deleteProfile", delete_profile)
            .role(Role::AppAdmin)
            .idempotency(Idempotency::ClientId)
            .emits(&["deletion.scheduled"])
            .errors(&[Code::NotFound, Code::IdTaken])
            .about("Schedules somebody's erasure, or has it begin at once if that is confirmed; `account.getDeletion` tells how far it is."),
        Method::query("admin.getSettings", settings::get)
            .role(Role::AppAdmin)
            .about("Shows the app's settings, their revision, and the revisions that are kept."),
        Method::query("admin.getUsage", usage::get)
            .role(Role::AppAdmin)
            .about("Shows calls and bytes by day, what uploads take on disk, and how often may be called."),
        Method::procedure("admin.importData", import::import)
            .role(Role::AppAdmin)
            .idempotency(Idempotency::ClientId)
            .takes_bytes(import::BODY_BYTES_MAX)
            .emits(&["import.started"])
            .about(
                "Carries out lines of JSON, each a call of a method in somebody's name, and says of each what came of it; with ids \
                 that the caller chose it may be run again.",
            ),
        Method::query("admin.listAudit", audit::list)
            .role(Role::AppAdmin)
            .errors(&[Code::CursorInvalid])
            .about("Lists what was done with the rights of moderators, administrators and the app's server, newest first."),
        Method::query("admin.listKeys", keys::list)
            .role(Role::AppAdmin)
            .about("Lists the app's keys, revoked ones included, never their secrets."),
        Method::query("admin.listProfiles", profiles::list)
            .role(Role::AppAdmin)
            .errors(&[Code::CursorInvalid])
            .about("Lists the people of the app, newest first, banned and private ones included; guests are not in it."),
        Method::procedure("admin.rollbackSettings", settings::rollback)
            .role(Role::AppAdmin)
            .idempotency(Idempotency::NaturalRev)
            .emits(&["app.updated"])
            .errors(&[Code::StaleRevision, Code::NotFound])
            .about("Puts the settings of an earlier revision in force again, as a new revision."),
        Method::procedure("admin.updateSettings", settings::update)
            .role(Role::AppAdmin)
            .idempotency(Idempotency::NaturalRev)
            .emits(&["app.updated"])
            .errors(&[Code::StaleRevision, Code::TooLarge])
            .about("Changes settings: what is absent stays, null goes back to its default. Twenty revisions are kept."),
    ]
}
