//! Who is on a photo, and where.
//!
//! The photo has a link to each person, each person's root has one back: so a person's phone hears of it without
//! asking. Taking it back is one write at the photo; the other link follows by a step.

use gomer_core::id::{Id, Root, Section};
use gomer_core::vnode::command::{Operation, Precondition, Step};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::view::{Photo, Photos};
use super::{mine, root};
use crate::methods::post::hydrate::Reader;
use crate::methods::post::view::json;
use crate::model::{SHOWN_IN, SHOWS};
use crate::problem::Code;
use crate::registry::{Call, Reply, Stop};
use crate::types::Uuid;

/// Most people on a photo.
pub const PEOPLE_MAX: usize = 50;

/// Somebody on a photo.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "PhotoTag")]
pub struct Tag {
    /// Who.
    pub profile: Uuid,
    /// Where: from the left (0) to the right (1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub x: Option<Share>,
    /// Where: from the top (0) to the bottom (1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub y: Option<Share>,
}

/// A share of a side: 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct Share(#[schemars(range(min = 0, max = 1))] pub f64);

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Share, D::Error> {
        let share = f64::deserialize(from)?;
        if (0.0..=1.0).contains(&share) {
            Ok(Share(share))
        } else {
            Err(serde::de::Error::custom("range: a share of a side is 0 to 1"))
        }
    }
}

/// The data of a photo's link to a person.
#[derive(Serialize, Deserialize)]
struct Spot {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    x: Option<Share>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    y: Option<Share>,
}

/// These people, each once. 422 where the caller may not know of one.
pub async fn known(call: &Call, tags: Vec<Tag>) -> Result<Vec<Tag>, Stop> {
    let mut reader = Reader::new(call);
    let mut known: Vec<Tag> = Vec::with_capacity(tags.len());
    for (at, tag) in tags.into_iter().enumerate() {
        if !reader.sees_profile(tag.profile.0).await? {
            let pointer = format!("/people/{at}/profile");
            return Err(Stop::invalid(pointer, "value", "There is no such profile."));
        }
        if known.iter().all(|other| other.profile != tag.profile) {
            known.push(tag);
        }
    }
    Ok(known)
}

/// The link from a photo to a person.
pub fn tag_ops(tag: &Tag) -> Operation {
    Operation::PutLink {
        ty: SHOWS,
        to: tag.profile.0,
        section: Section::PUBLIC,
        time: None,
        data: json(&Spot { x: tag.x, y: tag.y }),
    }
}

/// The step that tells a person.
pub fn told(photo: &Photo, profile: Id) -> Step {
    let link = Operation::PutLink {
        ty: SHOWN_IN,
        to: photo.id.0,
        section: Section::PRIVATE,
        time: None,
        data: json(&TaggedBy { by: photo.author }),
    };
    Step::to(Root::profile(profile), vec![link]).when(Precondition::NodePresent(profile))
}

/// The data of a person's link to a photo.
#[derive(Serialize)]
struct TaggedBy {
    by: Uuid,
}

/// The step that takes it back with the person.
pub fn untold(photo: Id, profile: Id) -> Step {
    Step::to(Root::profile(profile), vec![Operation::DeleteLink { ty: SHOWN_IN, to: photo }])
}

/// Who is on a photo, as far as the reader may know of them.
pub async fn on(call: &Call, reader: &mut Reader, photo: Id) -> Result<Vec<Tag>, Stop> {
    let (links, _) = call.link_page(root(photo), SHOWS, None, PEOPLE_MAX as u32).await?;
    let seen = reader.profiles(links.iter().map(|link| link.to)).await?;
    let mut people: Vec<Tag> = links
        .into_iter()
        .filter(|link| seen.contains(&link.to))
        .map(|link| {
            let spot = serde_json::from_str(&link.link.data).unwrap_or(Spot { x: None, y: None });
            Tag { profile: Uuid(link.to), x: spot.x, y: spot.y }
        })
        .collect();
    // Lists are newest first; people are in the order in which they were named.
    people.reverse();
    Ok(people)
}

/// Who is on it.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TagProfile {
    /// The photo.
    id: Uuid,
    /// Who.
    profile: Uuid,
    /// Where: from the left (0) to the right (1).
    x: Option<Share>,
    /// Where: from the top (0) to the bottom (1).
    y: Option<Share>,
}

/// What is said of a person and a photo now.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tagged {
    /// The photo.
    id: Uuid,
    /// Who.
    profile: Uuid,
    /// Whether that person is said to be on it.
    tagged: bool,
}

/// Says who is on a photo.
pub async fn tag(call: Call, args: TagProfile) -> Result<Reply<Tagged>, Stop> {
    let me = call.me()?;
    let (id, profile) = (args.id.0, args.profile.0);
    call.replay(root(id)).await?;
    let view = mine(&call, me, id).await?;
    let photo = Photo::from_node(id, &view, view.rev).ok_or(Code::Internal)?;
    if !Reader::new(&call).sees_profile(profile).await? {
        return Err(Stop::invalid("/profile", "value", "There is no such profile."));
    }
    let is_new = call.link(root(id), SHOWS, profile).await?.is_none();
    if is_new && call.counts(root(id), vec![SHOWS]).await?.first().is_some_and(|&n| n >= PEOPLE_MAX as u64) {
        return Err(Stop::invalid("/profile", "length", "A photo shows at most 50 people."));
    }
    let tag = Tag { profile: args.profile, x: args.x, y: args.y };
    let write =
        call.on(root(id)).when(Precondition::NodePresent(id)).op(tag_ops(&tag)).step(told(&photo, profile));
    call.write(write, Tagged { id: args.id, profile: args.profile, tagged: true }).await
}

/// Who is not on it.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UntagProfile {
    /// The photo.
    id: Uuid,
    /// Who.
    profile: Uuid,
}

/// Takes back who is on a photo.
pub async fn untag(call: Call, args: UntagProfile) -> Result<Reply<Tagged>, Stop> {
    let me = call.me()?;
    let (id, profile) = (args.id.0, args.profile.0);
    call.replay(root(id)).await?;
    // Whoever is on it may take that back, whether they may see the photo or not: the link in their root names it.
    let is_on = call.link(root(id), SHOWS, profile).await?.is_some();
    if !(profile == me && is_on) {
        let photo = Photos::new(&call).photo(id).await?.ok_or_else(Stop::not_found)?;
        if photo.author.0 != me && profile != me {
            return Err(Stop::forbidden("The photo's author may do this, and the person."));
        }
    }
    let write =
        call.on(root(id)).op(Operation::DeleteLink { ty: SHOWS, to: profile }).step(untold(id, profile));
    call.write(write, Tagged { id: args.id, profile: args.profile, tagged: false }).await
}
