//! `profile`: who people are, as others see them.

mod avatar;
mod directory;
mod handle;
mod presence;
pub mod relation;
pub mod ties;
mod update;
pub mod view;

use gomer_core::id::{Id, Root};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::directory::{joined, left, page as directory_page};
use self::view::{People, Profile};
use crate::auth::policy::allows;
use crate::names::Handle;
use crate::problem::Code;
use crate::registry::{Call, Idempotency, Method, Reply, Role, Stop};
use crate::types::{List, Text, Uuid};

/// The service's methods.
pub fn methods() -> Vec<Method> {
    vec![
        Method::query("profile.checkHandle", check_handle)
            .role(Role::Anonymous)
            .about("Says whether a handle is well formed and free."),
        Method::query("profile.get", get)
            .role(Role::Anonymous)
            .errors(&[Code::NotFound])
            .about("Shows one profile, by id or handle, with the caller's relation to it."),
        Method::query("profile.getMany", get_many)
            .role(Role::Anonymous)
            .about("Shows up to 100 profiles in the order asked, and marks those that are missing."),
        Method::query("profile.list", directory::list)
            .role(Role::User)
            .errors(&[Code::CursorInvalid])
            .about("Lists the people of the app, newest first."),
        Method::query("profile.listPresence", presence::list)
            .role(Role::User)
            .about("Lists who of up to 200 profiles is there, as far as I may see them."),
        Method::procedure("profile.setPresence", presence::set)
            .role(Role::Owner)
            .emits(&["presence.changed"])
            .about("Says for a while that I am there, away or hidden; it is not stored, and ends by itself."),
        Method::procedure("profile.setAvatar", avatar::set)
            .role(Role::Owner)
            .idempotency(Idempotency::NaturalRev)
            .emits(&["profile.updated"])
            .errors(&[Code::StaleRevision])
            .about("Shows a finished upload as one's picture, or as the picture behind the profile; `null` takes it away."),
        Method::procedure("profile.setHandle", handle::set)
            .role(Role::Owner)
            .idempotency(Idempotency::NaturalRev)
            .emits(&["profile.updated"])
            .errors(&[Code::NameTaken, Code::InProgress, Code::StaleRevision])
            .about("Takes a unique handle, and frees the one before."),
        Method::procedure("profile.update", update::update)
            .role(Role::Owner)
            .idempotency(Idempotency::NaturalRev)
            .emits(&["profile.updated"])
            .errors(&[Code::StaleRevision, Code::TooLarge])
            .about("Changes name, text, links, the app's own fields, and whether the profile is private."),
    ]
}

/// Which profile: exactly one of both.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct GetProfile {
    /// By id.
    id: Option<Uuid>,
    /// By handle.
    handle: Option<Handle>,
}

async fn get(call: Call, args: GetProfile) -> Result<Reply<Profile>, Stop> {
    let id = match (args.id, args.handle) {
        (Some(id), None) => id.0,
        (None, Some(handle)) => named(&call, &handle).await?.ok_or_else(Stop::not_found)?,
        (None, None) => return Err(Stop::invalid("/id", "missing", "Say whose profile: `id` or `handle`.")),
        (Some(_), Some(_)) => {
            return Err(Stop::invalid("/handle", "value", "Give `id` or `handle`, not both."));
        }
    };
    let profile = People::new(&call).profile(id).await?.ok_or_else(Stop::not_found)?;
    let rev = profile.rev;
    Ok(Reply::new(profile).rev(rev))
}

/// Who has a handle. A name that is reserved and not used yet is nobody's; one that is used is its owner's from
/// that moment, also while the confirmation is on its way.
pub async fn named(call: &Call, handle: &Handle) -> Result<Option<Id>, Stop> {
    let Some(name) = call.name(handle.root()).await? else { return Ok(None) };
    if name.due.is_none() {
        return Ok(Some(name.owner));
    }
    let node = call.node(Root::profile(name.owner), name.owner).await?;
    let shown = node.and_then(|view| serde_json::from_str::<String>(view.attr(view::HANDLE)?).ok());
    let uses = shown.and_then(|text| Handle::parse(&text)).is_some_and(|shown| shown.root() == handle.root());
    Ok(uses.then_some(name.owner))
}

/// Which profiles.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct GetProfiles {
    /// 1 to 100 profiles.
    ids: List<Uuid, 1, 100>,
}

/// One of the profiles that were asked for.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Found {
    /// The id that was asked for.
    id: Uuid,
    /// Whether there is none, as far as the caller may know.
    missing: bool,
    /// The profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<Profile>,
}

/// Profiles.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Profiles {
    /// In the order asked.
    items: Vec<Found>,
}

async fn get_many(call: Call, args: GetProfiles) -> Result<Reply<Profiles>, Stop> {
    let ids: Vec<Id> = args.ids.0.into_iter().map(|id| id.0).collect();
    let profiles = People::new(&call).profiles(&ids).await?;
    let items = ids
        .into_iter()
        .zip(profiles)
        .map(|(id, profile)| Found { id: Uuid(id), missing: profile.is_none(), profile })
        .collect();
    Ok(Reply::new(Profiles { items }))
}

/// Which handle.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CheckHandle {
    /// Any text.
    handle: Text<0, 200>,
}

/// What is known of a handle.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct HandleState {
    /// As it was asked for.
    handle: String,
    /// Whether it may be a handle at all.
    well_formed: bool,
    /// Whether the caller could take it now, or has it.
    free: bool,
}

async fn check_handle(call: Call, args: CheckHandle) -> Result<Reply<HandleState>, Stop> {
    let handle = Handle::parse(&args.handle.0);
    let free = match &handle {
        Some(handle) => match call.name(handle.root()).await? {
            Some(name) => call.maybe_me() == Some(name.owner),
            None => allows(&call, handle),
        },
        None => false,
    };
    Ok(Reply::new(HandleState { handle: args.handle.0, well_formed: handle.is_some(), free }))
}
