//! `moderation`: reports, the queue of what was reported, what moderators take down and whom they ban, and the log
//! of all that.
//!
//! All of it stands in one root per app, which nobody syncs: a decision, its place in the log and the state of the case
//! are one write. What follows from it at a post or a profile is a step, and the call answers when it is there. Record
//! 13 says why.
//!
//! Must never learn: who may see what (`visibility`), what a banned person is told (`auth::bearer`).
//!
//! Reading order: [`log`], `cases`, `reports`, `content`, [`bans`], [`barred`].

pub mod address;
pub mod bans;
pub mod barred;
mod cases;
mod content;
pub mod log;
mod reports;

use std::time::Duration;

use gomer_core::id::{Id, Root, RootKind};
use gomer_core::rows::node::Flags;

use crate::methods::permission::check::{Object, ObjectKind};
use crate::model::{ADMIN_ROLE, MODERATOR_ROLE};
use crate::problem::{Code, Problem};
use crate::registry::{Call, Caller, Idempotency, Method, Role, Stop};
use crate::roles::held;

/// The service's methods.
pub fn methods() -> Vec<Method> {
    vec![
        Method::procedure("moderation.assign", cases::assign)
            .role(Role::Moderator)
            .emits(&["report.assigned"])
            .errors(&[Code::NotFound, Code::Busy])
            .about("Gives an open case to a moderator, or to nobody."),
        Method::procedure("moderation.ban", bans::ban)
            .role(Role::Moderator)
            .emits(&["profile.banned"])
            .errors(&[Code::NotFound, Code::TooLarge, Code::Busy])
            .about("Bans a profile, a device or a range of addresses, until a time or for good."),
        Method::query("moderation.listBans", bans::list)
            .role(Role::Moderator)
            .errors(&[Code::CursorInvalid])
            .about("Lists the bans in force, the latest first."),
        Method::query("moderation.listLog", log::list)
            .role(Role::Moderator)
            .errors(&[Code::CursorInvalid, Code::Corrupt])
            .about(
                "Lists what moderators decided, the latest first. Each page is checked against the chain of hashes; a log \
                 that was changed is answered with `corrupt`.",
            ),
        Method::query("moderation.listQueue", cases::list)
            .role(Role::Moderator)
            .errors(&[Code::CursorInvalid])
            .about("Lists open cases, each with its latest reports: the oldest first, or those that most people reported."),
        Method::procedure("moderation.removeContent", content::remove)
            .role(Role::Moderator)
            .emits(&["content.removed"])
            .errors(&[Code::NotFound, Code::Busy])
            .about("Takes a post down. Its author still sees it, with the reason."),
        Method::procedure("moderation.report", reports::report)
            .role(Role::User)
            .idempotency(Idempotency::ClientId)
            .emits(&["report.created"])
            .errors(&[Code::NotFound, Code::IdTaken, Code::Busy])
            .about("Reports a profile or a post to the app's moderators. Who is reported does not learn of it."),
        Method::procedure("moderation.resolve", cases::resolve)
            .role(Role::Moderator)
            .emits(&["report.resolved"])
            .errors(&[Code::Busy])
            .about("Closes up to 50 cases with an outcome. A case that is closed already is left as it is."),
        Method::procedure("moderation.restoreContent", content::restore)
            .role(Role::Moderator)
            .emits(&["content.restored"])
            .errors(&[Code::NotFound, Code::Busy])
            .about("Puts a post back that was taken down."),
        Method::procedure("moderation.unban", bans::unban)
            .role(Role::Moderator)
            .emits(&["profile.unbanned"])
            .errors(&[Code::Busy])
            .about("Lifts a ban. There is none: the same reply."),
    ]
}

/// Where reports, cases, bans and the log of an app stand.
pub fn root() -> Root {
    Root::new(RootKind::Misc, Id::derived("moderation", b""))
}

/// Where an object stands.
fn root_of(object: Object) -> Root {
    match object.kind {
        ObjectKind::Profile => Root::profile(object.id.0),
        ObjectKind::Post => Root::post(object.id.0),
    }
}

/// Stops who would act on somebody of an equal or higher role.
pub async fn outranks(call: &Call, target: Id) -> Result<(), Stop> {
    let mine = match &call.caller {
        Caller::User { profile, .. } => {
            // Whoever may call this by a role of the app's own acts as a moderator.
            rank(call, *profile).await?.max(Rank::Moderator)
        }
        _ => Rank::App,
    };
    if rank(call, target).await? < mine {
        return Ok(());
    }
    Err(Stop::forbidden("Moderators do not act on people of an equal or higher role."))
}

/// Who may act on whom: on those of a lower rank.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Person,
    Moderator,
    Admin,
    App,
}

async fn rank(call: &Call, profile: Id) -> Result<Rank, Stop> {
    let held = held(&call.cluster, &call.app_now(), profile, call.now.wall).await?;
    let holds = |role: &str| held.iter().any(|held| held == role);
    Ok(match () {
        () if holds(ADMIN_ROLE) => Rank::Admin,
        () if holds(MODERATOR_ROLE) => Rank::Moderator,
        () => Rank::Person,
    })
}

/// Waits until a step has brought a mark to a node, or taken it away, so that who asks next finds it so. A member that
/// is slow does not make the decision undone: it stands in the log, and the step arrives.
async fn settled(call: &Call, root: Root, flag: Flags, wanted: bool) -> Result<(), Stop> {
    for _ in 0..SETTLE_TRIES {
        let node = call.node(root, root.id).await?;
        if node.is_none_or(|node| node.flags.has(flag) == wanted) {
            return Ok(());
        }
        tokio::time::sleep(SETTLE_WAIT).await;
    }
    Ok(())
}

/// Whether a write failed because another one was faster: to be looked at again.
fn was_overtaken(stop: &Stop) -> bool {
    matches!(stop.code(), Some(Code::StaleRevision | Code::IdTaken | Code::NotFound))
}

/// 503, after others were faster each time.
fn busy() -> Stop {
    Problem::new(Code::Busy).retry_after(1).into()
}

/// How often a decision is tried again when others decide at the same time: they all write one root.
const ATTEMPTS: usize = 16;
/// How often it is looked whether a step has arrived.
const SETTLE_TRIES: usize = 400;
/// How long in between.
const SETTLE_WAIT: Duration = Duration::from_millis(5);
