//! How it becomes known that somebody has news, without anybody looking for it.
//!
//! A profile with a device for push has a *bell*. What tells it something also rings the bell, by a step of the same command;
//! a bell that rings already stays as it is. When it begins to ring, a step puts the profile into one of the app's *due
//! lists*, which [`super::round`] reads. Whoever takes a profile up stills the bell first and reads then, so what comes in
//! between rings it again; and the profile leaves the list only if its place there is still the one that was read.

use gomer_core::id::{Id, Root, RootKind, Section};
use gomer_core::time::Time;
use gomer_core::vnode::command::{Operation, Precondition, Step};
use serde::Serialize;

use crate::methods::post::view::json;
use crate::model::{PUSH_BELL, PUSH_DUE};
use crate::registry::{Call, Stop};

/// Due lists of an app. Stored data depends on it: never change it.
pub const DUE_LISTS: u8 = 4;

/// The node that says up to where a profile's notifications were looked at. Without it there is no bell.
pub fn state_id(profile: Id) -> Id {
    Id::derived("push state", profile.as_bytes())
}

/// What the bell's link leads to.
pub fn bell_id() -> Id {
    Id::derived("push bell", b"")
}

/// The root of a due list.
pub fn due_root(list: u8) -> Root {
    Root::new(RootKind::Misc, Id::derived("push due", &[list]))
}

/// The due list of a profile.
pub fn due_list(profile: Id) -> Root {
    due_root(profile.as_bytes()[15] % DUE_LISTS)
}

/// A place in a due list: what makes it another one than the last.
#[derive(Serialize)]
struct Place {
    draw: String,
}

/// The step that rings somebody's bell, if they have one. `news` names what is told.
pub fn ring(profile: Id, news: Id) -> Step {
    let (ty, to, section) = (PUSH_BELL, bell_id(), Section::INTERNAL);
    let bell = Operation::PutLink { ty, to, section, time: None, data: String::new() };
    Step::to(Root::profile(profile), vec![bell])
        .when(Precondition::NodePresent(state_id(profile)))
        .when(Precondition::LinkAbsent(PUSH_BELL, bell_id()))
        .then(now(profile, news))
}

/// The step that puts the caller into the list, if they have a bell: for what somebody does themselves, of which nobody
/// tells them, but which changes the badge of their devices.
pub async fn own(call: &Call) -> Result<Option<Step>, Stop> {
    let me = call.me()?;
    let bell = call.node(Root::profile(me), state_id(me)).await?;
    Ok(bell.map(|_| now(me, call.cluster.mint())))
}

/// Anew, so that one that was put off is due now.
fn now(profile: Id, draw: Id) -> Step {
    let remove = Operation::DeleteLink { ty: PUSH_DUE, to: profile };
    Step::to(due_list(profile), vec![remove, place(profile, None, draw)])
}

/// The operation that gives a profile its place: due at that time.
pub fn place(profile: Id, at: Option<Time>, draw: Id) -> Operation {
    let data = json(&Place { draw: draw.to_string() });
    Operation::PutLink { ty: PUSH_DUE, to: profile, section: Section::INTERNAL, time: at, data }
}
