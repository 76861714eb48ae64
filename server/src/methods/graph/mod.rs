//! `graph`: nodes and links of an app's own types, with TAO's operations.
//!
//! A node is a root of its own. A link stands in the root of what it starts from; its inverse, if its type
//! declares one, follows at the other end by a step. The app's server may do everything; for everybody else
//! the type's declaration decides. What may not be read answers like what does not exist.
//!
//! These are the hottest paths of an app with data of its own: one read or one write of one root each,
//! and one read before a write where the declaration asks who owns what.
//!
//! Reading order: [`types`], `nodes`, `links`.
//!
//! Must never learn: what an app means by its types.

mod links;
mod nodes;
pub mod types;

use self::types::{Readers, Type, Writers};
use crate::problem::Code;
use crate::registry::{Call, Idempotency, Method, Rate, Role, Stop};
use crate::visibility::Viewer;

/// The service's methods.
pub fn methods() -> Vec<Method> {
    let refusals: &[Code] = &[Code::NotFound, Code::Forbidden];
    vec![
        Method::procedure("graph.putType", types::put_type)
            .role(Role::AppAdmin)
            .idempotency(Idempotency::NaturalRev)
            .emits(&["type.updated"])
            .errors(&[Code::StaleRevision, Code::TooLarge])
            .about("Declares a node or link type: its attributes, who may read and who may write."),
        Method::query("graph.listTypes", types::list_types)
            .role(Role::User)
            .about("Lists the declared types."),
        Method::query("graph.getNodes", nodes::get_nodes)
            .role(Role::User)
            .about("Shows up to 100 nodes by id; those that the caller may not see are left out."),
        Method::procedure("graph.putNode", nodes::put_node)
            .role(Role::User)
            .rate(Rate::Write)
            .idempotency(Idempotency::ClientId)
            .emits(&["node.updated"])
            .errors(&[
                Code::NotFound,
                Code::Forbidden,
                Code::IdTaken,
                Code::StaleRevision,
                Code::CursorExpired,
            ])
            .about("Makes a node, or replaces all its attributes."),
        Method::procedure("graph.patchNode", nodes::patch_node)
            .role(Role::User)
            .idempotency(Idempotency::NaturalRev)
            .emits(&["node.updated"])
            .errors(&[Code::NotFound, Code::Forbidden, Code::StaleRevision])
            .about("Changes attributes of a node; each goes to its own latest edit."),
        Method::procedure("graph.deleteNode", nodes::delete_node)
            .role(Role::User)
            .emits(&["node.deleted"])
            .errors(&[Code::NotFound, Code::Forbidden, Code::StaleRevision])
            .about("Deletes a node for ever. Its links stay until they are deleted."),
        Method::procedure("graph.putLink", links::put_link)
            .role(Role::User)
            .emits(&["link.updated"])
            .errors(refusals)
            .about("Adds a link or changes its data; the inverse follows."),
        Method::procedure("graph.changeLinkType", links::change_link_type)
            .role(Role::User)
            .emits(&["link.updated"])
            .errors(refusals)
            .about("Changes a link's type in one step, keeping its time and data."),
        Method::procedure("graph.deleteLink", links::delete_link)
            .role(Role::User)
            .emits(&["link.deleted"])
            .errors(refusals)
            .about("Removes a link, and its inverse."),
        Method::query("graph.getLinks", links::get_links)
            .role(Role::User)
            .errors(&[Code::NotFound])
            .about("Shows the links from one end to up to 100 others."),
        Method::query("graph.listLinks", links::list_links)
            .role(Role::User)
            .errors(&[Code::NotFound, Code::CursorInvalid])
            .about("Lists links newest first, by limit and time window."),
        Method::query("graph.countLinks", links::count_links)
            .role(Role::User)
            .errors(&[Code::NotFound])
            .about("Counts a link list."),
    ]
}

/// Whether this is the app's own server or an administrator, whom no declaration binds.
fn is_app(call: &Call) -> bool {
    Viewer::of(&call.caller) == Viewer::App
}

/// What a declaration says about a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leave {
    /// Yes, whoever the owner is.
    Yes,
    /// If the caller is the owner.
    IfOwner,
    /// No.
    No,
}

fn may_read(call: &Call, of_type: &Type) -> Leave {
    match of_type.declared.read {
        _ if is_app(call) => Leave::Yes,
        Readers::Anyone => Leave::Yes,
        Readers::User if call.maybe_me().is_some() => Leave::Yes,
        Readers::Owner => Leave::IfOwner,
        Readers::User | Readers::Server => Leave::No,
    }
}

fn may_write(call: &Call, of_type: &Type) -> Leave {
    match of_type.declared.write {
        _ if is_app(call) => Leave::Yes,
        Writers::User if call.maybe_me().is_some() => Leave::Yes,
        Writers::Owner if call.maybe_me().is_some() => Leave::IfOwner,
        Writers::User | Writers::Owner | Writers::Server => Leave::No,
    }
}

/// Refuses to write where the caller may read: 403. Where not even that, it looks as if there were nothing.
fn refused(call: &Call, of_type: &Type) -> Stop {
    match may_read(call, of_type) {
        Leave::Yes => Stop::forbidden("The type's declaration does not let this caller write."),
        Leave::IfOwner | Leave::No => Stop::not_found(),
    }
}
