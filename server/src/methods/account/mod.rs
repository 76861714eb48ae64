//! `account`: what belongs to a person and is nobody else's: settings of their own, and what is held about them.
//!
//! Reading order: [`settings`]; [`record`], [`deletion`], [`erasure`], [`things`], [`made`]; [`export`]; [`links`].
//!
//! Must never learn: how anything of it looks to others. That is `profile`'s.

pub mod deletion;
pub mod erasure;
pub mod export;
pub mod links;
pub mod made;
pub mod record;
pub mod settings;
pub mod things;

use crate::problem::Code;
use crate::registry::{Idempotency, Method, Rate, Role};

/// The service's methods.
pub fn methods() -> Vec<Method> {
    vec![
        Method::procedure("account.cancelDeletion", deletion::cancel)
            .role(Role::Owner)
            .emits(&["deletion.cancelled"])
            .about("Calls my erasure off, as long as it has not begun."),
        Method::query("account.getDeletion", deletion::get)
            .role(Role::Anonymous)
            .about("Shows how far an erasure is and, once nothing is left, its receipt: mine, or by the id that was chosen for it."),
        Method::query("account.getExport", export::get)
            .role(Role::Owner)
            .errors(&[Code::NotFound])
            .about("Shows how far my export is and, when it is ready, an address for it that is good for a day."),
        Method::query("account.getSettings", settings::get)
            .role(Role::Owner)
            .about("Shows my settings: language, time zone, what others see by default, and summaries."),
        Method::procedure("account.linkProvider", links::link)
            .role(Role::Owner)
            .rate(Rate::Login)
            .emits(&["account.linked"])
            .errors(&[Code::NameTaken, Code::InProgress, Code::StaleRevision])
            .about("Links an account at an identity provider by its ID token; the same account twice is the same link."),
        Method::query("account.listLinks", links::list)
            .role(Role::Owner)
            .about("Lists the accounts at identity providers that are linked to my profile."),
        Method::procedure("account.requestDeletion", deletion::request)
            .role(Role::Owner)
            .idempotency(Idempotency::ClientId)
            .emits(&["deletion.scheduled"])
            .errors(&[Code::IdTaken])
            .about("Schedules my erasure after the app's grace period; until then I sign in as ever and can call it off."),
        Method::procedure("account.requestExport", export::request)
            .role(Role::Owner)
            .idempotency(Idempotency::ClientId)
            .emits(&["export.requested"])
            .about("Starts an export of all that is held about me, as a file of JSON lines."),
        Method::procedure("account.unlinkProvider", links::unlink)
            .role(Role::Owner)
            .emits(&["account.unlinked"])
            .errors(&[Code::StaleRevision])
            .about("Unlinks an account at an identity provider; refused if it is the last way to sign in."),
        Method::procedure("account.updateSettings", settings::update)
            .role(Role::Owner)
            .idempotency(Idempotency::NaturalRev)
            .emits(&["settings.updated"])
            .errors(&[Code::StaleRevision])
            .about("Changes settings field by field; of two edits of one field the later one stands."),
    ]
}
