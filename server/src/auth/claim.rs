//! Taking a name: reserve it at its own root, use it in the profile's write, confirm it by a step. If the
//! profile's write never comes, the reservation asks when it is due, and frees the name.

use std::time::Duration;

use gomer_core::fault::Fault;
use gomer_core::id::{Id, Root};
use gomer_core::vnode::command::{Operation, Precondition, Step, Write};

use super::credential::claim_json;
use crate::model::credential_id;
use crate::names;
use crate::problem::{Code, Problem};
use crate::registry::{Call, Stop};

/// How long a reservation waits for the profile's write before it asks.
pub const RESERVED: Duration = Duration::from_secs(10 * 60);

/// A name that is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// The name's root.
    pub name: Root,
    /// The claim under which the owner holds the name that this one replaces, if any.
    pub before: Option<Id>,
    /// The node that will hold the claim, if it is not the credential.
    pub node: Option<Id>,
    /// The node's attribute that will hold it.
    pub attr: &'static str,
    /// Where the name stands in the request.
    pub pointer: &'static str,
}

impl Wanted {
    /// 409 `name-taken` if somebody else has it now. Nothing is written, so that a sign-up of which one name is
    /// taken leaves no reservation of the other one behind.
    pub async fn check(&self, call: &Call, owner: Id) -> Result<(), Stop> {
        match call.name(self.name).await? {
            Some(name) if name.owner != owner => Err(self.taken()),
            _ => Ok(()),
        }
    }

    /// Reserves it and gives the claim. The same attempt again is the same claim.
    ///
    /// While an earlier claim of the same owner is still being released, this waits, at most a second: a
    /// release that is on its way must not free what was taken anew. Then 409 `in-progress`.
    pub async fn reserve(&self, call: &Call, owner: Id, attempt: u32) -> Result<Id, Stop> {
        let claim = names::reservation(owner, self.name, self.before, attempt);
        let due = call.now.wall + RESERVED;
        let ask = Operation::AskName {
            reservation: claim,
            name: self.name,
            node: self.node.unwrap_or_else(|| credential_id(owner)),
            attr: self.attr.to_owned(),
            used: claim_json(claim),
        };
        let asking =
            Write::new(call.app.id, self.name, Id::NIL).step(Step::to(Root::profile(owner), vec![ask]));
        let reserve = Write::new(call.app.id, self.name, Id::NIL)
            .op(Operation::ReserveName { owner, reservation: claim, due })
            .op(Operation::SetTimer { id: claim, due, write: Box::new(asking) });
        for _ in 0..RELEASE_TRIES {
            match call.cluster.write(reserve.clone()).await {
                Ok(_) => {}
                Err(Fault::NameTaken) => return Err(self.taken()),
                Err(fault) => return Err(fault.into()),
            }
            match call.name(self.name).await? {
                Some(name) if name.owner == owner && name.reservation == claim => return Ok(claim),
                Some(name) if name.owner != owner => return Err(self.taken()),
                _ => tokio::time::sleep(RELEASE_WAIT).await,
            }
        }
        Err(Code::InProgress.into())
    }

    /// The precondition of the write that uses the claim.
    pub fn usable(claim: Id) -> Precondition {
        Precondition::NotRefused(claim)
    }

    /// The step that tells the name that its claim was used.
    pub fn confirm(&self, owner: Id, claim: Id) -> Step {
        Step::to(self.name, vec![Operation::ConfirmName { owner, reservation: claim }])
    }

    /// 409, with the place in the request.
    pub fn taken(&self) -> Stop {
        Problem::new(Code::NameTaken).at(self.pointer, "taken").into()
    }
}

/// The step that frees a name.
pub fn release(name: Root, owner: Id, claim: Id) -> Step {
    Step::to(name, vec![Operation::ReleaseName { owner, reservation: claim }])
}

/// How often a claim of the same owner is waited for.
const RELEASE_TRIES: usize = 40;
/// How long each time.
const RELEASE_WAIT: Duration = Duration::from_millis(25);
/// Attempts to use a name whose reservations were refused meanwhile.
pub const ATTEMPTS_MAX: u32 = 4;
