//! `push`: how notifications reach devices that are not in use.
//!
//! Where a device is reached stands in its owner's root, and whose an address is, in a root of its own ([`target`]). What is
//! told rings a bell ([`bell`]). A round ([`round`]) takes up whom it rang for: it makes a push of what is new for each
//! device ([`queue`]) and hands it to the device's service ([`deliver`]). Both are rows of the profile's root, so a process
//! may end anywhere: what was not confirmed is sent again, under the same name, and replaces itself on the screen.
//!
//! Must never learn: how a service is spoken to. That is [`crate::push`].

pub mod account;
pub mod bell;
mod deliver;
pub mod delivery;
mod queue;
pub mod round;
mod shown;
pub mod target;

use gomer_core::fault::Fault;
use gomer_core::vnode::command::Write;

use crate::problem::Code;
use crate::registry::{Call, Idempotency, Method, Role, Stop};

/// The service's methods.
pub fn methods() -> Vec<Method> {
    vec![
        Method::procedure("push.checkCredentials", account::check)
            .role(Role::AppAdmin)
            .about("Asks push services whether they take the app's credentials, without sending anything to anybody."),
        Method::procedure("push.confirmOpened", delivery::confirm)
            .role(Role::User)
            .emits(&["push.opened"])
            .errors(&[Code::NotFound])
            .about("Says that I opened this push."),
        Method::query("push.getDelivery", delivery::get)
            .role(Role::AppAdmin)
            .errors(&[Code::NotFound])
            .about("Shows one push to one device: queued, sent, accepted, failed with the service's reason, opened."),
        Method::procedure("push.setCredentials", account::set)
            .role(Role::AppAdmin)
            .idempotency(Idempotency::NaturalRev)
            .emits(&["push.credentials"])
            .errors(&[Code::Invalid, Code::StaleRevision])
            .about("Puts the app's accounts at push services: what is absent stays, null goes. Secrets are never shown again."),
    ]
}

/// Writes, if what was read is still so: whether it was.
async fn unless_changed(call: &Call, mut write: Write) -> Result<bool, Stop> {
    write.app = call.app.id;
    match call.cluster.write(write).await {
        Ok(_) => Ok(true),
        Err(Fault::Absent | Fault::Present | Fault::Stale(_)) => Ok(false),
        Err(fault) => Err(fault.into()),
    }
}
