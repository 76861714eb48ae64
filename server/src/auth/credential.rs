//! How a profile signs in: its names, with the claims under which it holds them, and its password's hash. One
//! node in the profile's root that never leaves the server. It is always replaced as a whole, guarded by its
//! revision.

use gomer_core::id::{Id, Root, Section};
use gomer_core::vnode::command::{Operation, Precondition};
use serde::Serialize;

use crate::model::{CREDENTIAL, credential_id};
use crate::names::{Email, Handle};
use crate::registry::{Call, NodeView, Stop};

/// The credential of a profile. A guest's has nothing in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Credential {
    /// The handle, and the claim under which it is held.
    pub handle: Option<(Handle, Id)>,
    /// The e-mail address, and the claim under which it is held.
    pub email: Option<(Email, Id)>,
    /// Whether its owner has shown to read mail sent there.
    pub email_confirmed: bool,
    /// The password's hash, as a PHC string.
    pub password: Option<String>,
}

/// Attribute that holds the handle's claim: what an expiring reservation asks about.
pub const HANDLE_CLAIM: &str = "handleClaim";
/// Attribute that holds the address's claim.
pub const EMAIL_CLAIM: &str = "emailClaim";

impl Credential {
    /// Reads a profile's credential.
    pub async fn load(call: &Call, profile: Id) -> Result<Option<(Credential, NodeView)>, Stop> {
        let node = call.node(Root::profile(profile), credential_id(profile)).await?;
        Ok(node.map(|view| (Credential::read(&view), view)))
    }

    fn read(view: &NodeView) -> Credential {
        let text = |name| view.attr(name).and_then(|json| serde_json::from_str::<String>(json).ok());
        let claim = |name| text(name).as_deref().and_then(any_id);
        Credential {
            handle: text("handle").and_then(|text| Handle::parse(&text)).zip(claim(HANDLE_CLAIM)),
            email: text("email").and_then(|text| Email::parse(&text)).zip(claim(EMAIL_CLAIM)),
            email_confirmed: view.attr("emailConfirmed") == Some("true"),
            password: text("password"),
        }
    }

    /// The operation that stores it.
    pub fn put(&self, profile: Id) -> Operation {
        let mut attrs = Vec::new();
        if let Some((handle, claim)) = &self.handle {
            attrs.push(("handle".to_owned(), json(handle)));
            attrs.push((HANDLE_CLAIM.to_owned(), claim_json(*claim)));
        }
        if let Some((email, claim)) = &self.email {
            attrs.push(("email".to_owned(), json(email)));
            attrs.push((EMAIL_CLAIM.to_owned(), claim_json(*claim)));
        }
        if self.email_confirmed {
            attrs.push(("emailConfirmed".to_owned(), "true".to_owned()));
        }
        if let Some(password) = &self.password {
            attrs.push(("password".to_owned(), json(password)));
        }
        let id = credential_id(profile);
        Operation::PutNode { id, ty: CREDENTIAL, section: Section::INTERNAL, author: profile, attrs }
    }

    /// The precondition that nobody changed it since it was read.
    pub fn unchanged(profile: Id, view: &NodeView) -> Precondition {
        Precondition::NodeRev(credential_id(profile), view.node.rev)
    }

    /// Whether its owner cannot sign in again: a guest.
    pub fn is_guest(&self) -> bool {
        self.password.is_none()
    }

    /// Whether this name is one of its own.
    pub fn has(&self, name: Root) -> bool {
        self.handle.as_ref().is_some_and(|(handle, _)| handle.root() == name)
            || self.email.as_ref().is_some_and(|(email, _)| email.root() == name)
    }
}

/// A claim as the attribute's JSON text.
pub fn claim_json(claim: Id) -> String {
    format!("\"{claim}\"")
}

/// An id of any version in its text form: derived ones too.
pub fn any_id(text: &str) -> Option<Id> {
    let digits: String = text.chars().filter(|&c| c != '-').collect();
    let plain = digits.len() == 32 && digits.bytes().all(|c| c.is_ascii_hexdigit());
    let value = plain.then(|| u128::from_str_radix(&digits, 16).ok()).flatten()?;
    Some(Id::from_bytes(value.to_be_bytes()))
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("names and hashes are plain data, which JSON can hold")
}

#[cfg(test)]
mod tests {
    use super::*;
    use gomer_core::id::Position;
    use gomer_core::rows::node::{Attr, Flags, Node, Stamp};
    use gomer_core::time::Time;

    fn stored(credential: &Credential, profile: Id) -> NodeView {
        let Operation::PutNode { ty, section, author, attrs, .. } = credential.put(profile) else {
            panic!("a credential is put")
        };
        let attrs =
            attrs.into_iter().map(|(name, json)| (name, Attr { json: Some(json), stamp: Stamp::default() }));
        let node = Node {
            ty,
            section,
            author,
            rev: Position(1),
            created: Time::ZERO,
            updated: Time::ZERO,
            flags: Flags::default(),
            attrs: attrs.collect(),
        };
        NodeView { node, rev: crate::registry::Rev::At(Position(1), 0) }
    }

    #[test]
    fn a_credential_survives_its_node_and_never_leaves_the_server() {
        let profile = Id::derived("test", b"ann");
        let full = Credential {
            handle: Handle::parse("Ann").map(|handle| (handle, Id::derived("test", b"claim"))),
            email: Email::parse("ann@example.org").map(|email| (email, Id::derived("test", b"other"))),
            email_confirmed: true,
            password: Some("$argon2id$v=19$…\"".into()),
        };
        for credential in [full, Credential::default()] {
            let view = stored(&credential, profile);
            assert_eq!(Credential::read(&view), credential);
            assert_eq!(view.section, Section::INTERNAL);
        }
    }

    #[test]
    fn ids_of_any_version_are_read_and_nothing_else() {
        let id = Id::derived("test", b"claim");
        assert_eq!(any_id(&id.to_string()), Some(id));
        for bad in ["", "12", "zz", &"0".repeat(33), "é", "+1234567-89ab-cdef-0123-456789abcdef0"] {
            assert_eq!(any_id(bad), None, "{bad}");
        }
    }
}
