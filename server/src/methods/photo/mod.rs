//! `photo`: pictures that people publish, with who is on them.
//!
//! A photo is a root of its own. Its author's root lists it, the roots of people on it say so, and its upload has a
//! link to it; all that follows by steps. What anybody gets to see goes through [`view::Photos`].
//!
//! Reading order: [`view`], this, [`edit`], [`people`].
//!
//! Must never learn: albums, but that it is in some.

pub mod edit;
pub mod people;
pub mod view;

use gomer_core::id::{Id, Order, Root, RootKind, Section};
use gomer_core::rows::entry::Activity;
use gomer_core::rows::node::Flags;
use gomer_core::vnode::command::{Operation, Precondition, Step};
use schemars::JsonSchema;
use serde::Deserialize;

use self::people::{PEOPLE_MAX, Tag, tag_ops, told};
use self::view::{ALT_CHARS_MAX, CAPTION_CHARS_MAX, Photo, Photos};
use crate::methods::account::settings::default_audience;
use crate::methods::media::references::{Place as MediaPlace, claim};
use crate::methods::post::hydrate::Reader;
use crate::methods::post::publish::VERB_CREATE;
use crate::methods::post::view::{Audience, Place};
use crate::model::{PHOTO, PHOTOS};
use crate::problem::Code;
use crate::registry::{Call, Idempotency, Method, NodeView, Reply, Role, Stop};
use crate::types::{Limit, List, Page, Text, Uuid};

/// The service's methods.
pub fn methods() -> Vec<Method> {
    vec![
        Method::procedure("photo.create", create)
            .role(Role::User)
            .idempotency(Idempotency::ClientId)
            .emits(&["photo.created"])
            .errors(&[Code::IdTaken, Code::CursorExpired])
            .about("Publishes a finished upload as a photo, with caption, text for who cannot see it, place and people."),
        Method::query("photo.get", get)
            .role(Role::Anonymous)
            .errors(&[Code::NotFound])
            .about("Shows one photo with its sizes, blur hash, and the people on it."),
        Method::procedure("photo.update", edit::update)
            .role(Role::Owner)
            .idempotency(Idempotency::NaturalRev)
            .emits(&["photo.updated"])
            .errors(&[Code::NotFound, Code::Forbidden, Code::StaleRevision])
            .about("Changes caption, text for who cannot see it, place and audience."),
        Method::procedure("photo.delete", edit::delete)
            .role(Role::Owner)
            .emits(&["photo.deleted"])
            .errors(&[Code::NotFound, Code::Forbidden, Code::StaleRevision])
            .about("Deletes a photo for ever, and its bytes when nothing else shows them."),
        Method::query("photo.listByProfile", list_by_profile)
            .role(Role::Anonymous)
            .errors(&[Code::NotFound, Code::CursorInvalid])
            .about("Lists the photos of a profile, newest first."),
        Method::procedure("photo.tagProfile", people::tag)
            .role(Role::Owner)
            .emits(&["photo.tagged"])
            .errors(&[Code::NotFound, Code::Forbidden])
            .about("Says who is on a photo, and where; that person is told, and may take it back."),
        Method::procedure("photo.untagProfile", people::untag)
            .role(Role::Owner)
            .emits(&["photo.untagged"])
            .errors(&[Code::NotFound, Code::Forbidden])
            .about("Takes back who is on a photo: its author may, and the person."),
    ]
}

/// A photo's root.
pub fn root(id: Id) -> Root {
    Root::new(RootKind::Photo, id)
}

/// A new photo.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CreatePhoto {
    /// Its id, chosen by the caller.
    id: Uuid,
    /// A finished upload of one's own that is a picture.
    media: Uuid,
    /// What it says.
    caption: Option<Text<0, CAPTION_CHARS_MAX>>,
    /// What is on it, for who cannot see it.
    alt: Option<Text<0, ALT_CHARS_MAX>>,
    /// Who may see it; if absent, whom one's own settings say, or else the app's for posts.
    audience: Option<Audience>,
    /// Where it was taken. Never read from the picture itself.
    place: Option<Place>,
    /// Who is on it.
    people: Option<List<Tag, 0, PEOPLE_MAX>>,
}

async fn create(call: Call, args: CreatePhoto) -> Result<Reply<Photo>, Stop> {
    let me = call.me()?;
    let id = args.id.0;
    call.replay(root(id)).await?;
    if let Some(first) = made_before(&call, me, id).await? {
        return Ok(first);
    }
    let tags = people::known(&call, args.people.map_or(Vec::new(), |list| list.0)).await?;
    let place = MediaPlace::Photo(args.id);
    let attached = claim(&call, me, &[args.media], place, |_| "/media".to_owned()).await?.pop();
    let Some(attached) = attached.filter(|attached| attached.facts.is_image()) else {
        return Err(Stop::invalid("/media", "value", "This upload is no picture."));
    };
    let mut photo = Photo::new(args.id, me, attached, call.now.wall);
    photo.audience = match args.audience {
        Some(audience) => audience,
        None => default_audience(&call, me).await?,
    };
    photo.caption = args.caption.map(|text| text.0).filter(|text| !text.is_empty());
    photo.alt = args.alt.map(|text| text.0).filter(|text| !text.is_empty());
    photo.place = args.place;
    let mut write = call.on(root(id)).when(Precondition::NodeAbsent(id)).op(Operation::CreateNode {
        id,
        ty: PHOTO,
        section: Section::PUBLIC,
        author: me,
        flags: Flags::default(),
        attrs: photo.attrs(),
    });
    write.steps.push(listed(&photo));
    for tag in &tags {
        write.ops.push(tag_ops(tag));
        write.steps.push(told(&photo, tag.profile.0));
    }
    photo.people = tags;
    let photo = photo.shown(&call).await?;
    match call.write(write, photo).await {
        // Two calls with the same id at once: the other one was first.
        Err(stop) if stop.code() == Some(Code::IdTaken) => {
            made_before(&call, me, id).await?.ok_or_else(|| Code::IdTaken.into())
        }
        done => done,
    }
}

/// The first result, if the caller made this photo before. 409 if the id is somebody else's or was deleted.
async fn made_before(call: &Call, me: Id, id: Id) -> Result<Option<Reply<Photo>>, Stop> {
    match call.node_or_tombstone(root(id), id).await? {
        (Some(view), _) if view.author == me && view.ty == PHOTO => {
            let photo = Photos::new(call).read(id, &view).await?.ok_or(Code::Internal)?;
            Ok(Some(Reply::new(photo).rev(view.rev)))
        }
        (None, false) => Ok(None),
        _ => Err(Code::IdTaken.into()),
    }
}

/// The step that lists a photo with its author.
fn listed(photo: &Photo) -> Step {
    // What is not for everybody must not be in the section that everybody may sync.
    let section = if photo.audience == Audience::Public { Section::PUBLIC } else { Section::PRIVATE };
    let activity = Activity {
        actor: photo.author.0,
        verb: VERB_CREATE,
        object: root(photo.id.0),
        target: None,
        extra: String::new(),
    };
    let append = Operation::Append { stream: PHOTOS, id: photo.id.0, section, activity };
    Step::to(Root::profile(photo.author.0), vec![append])
}

/// The caller's own photo. 403 if it is somebody else's that the caller may see; else 404.
pub async fn mine(call: &Call, me: Id, id: Id) -> Result<NodeView, Stop> {
    let view = call.node(root(id), id).await?.filter(|view| view.ty == PHOTO);
    let view = view.ok_or_else(Stop::not_found)?;
    if view.author == me {
        return Ok(view);
    }
    if Reader::new(call).sees(&view).await? {
        return Err(Stop::forbidden("Only its author may do this."));
    }
    Err(Stop::not_found())
}

/// Which photo.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct GetPhoto {
    /// The photo.
    id: Uuid,
}

async fn get(call: Call, args: GetPhoto) -> Result<Reply<Photo>, Stop> {
    let photo = Photos::new(&call).photo(args.id.0).await?.ok_or_else(Stop::not_found)?;
    let rev = photo.rev;
    Ok(Reply::new(photo).rev(rev))
}

/// Whose photos.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ListProfilePhotos {
    /// The profile.
    id: Uuid,
    /// How many at most.
    #[serde(default)]
    limit: Limit,
    /// From an earlier page.
    cursor: Option<String>,
}

async fn list_by_profile(call: Call, args: ListProfilePhotos) -> Result<Reply<Page<Photo>>, Stop> {
    let list = format!("photo.listByProfile/{}", args.id);
    let from: Option<Order> = call.open_cursor(&list, args.cursor.as_deref())?;
    let mut photos = Photos::new(&call);
    if !photos.reader.sees_profile(args.id.0).await? {
        return Err(Stop::not_found());
    }
    let (entries, end) = call.entry_page(Root::profile(args.id.0), PHOTOS, from, true, args.limit.0).await?;
    // The cursor is the place that was read, not the last item that was shown: nothing is skipped or repeated.
    let cursor = entries.last().map(|last| call.seal_cursor(&list, &last.order)).or(args.cursor);
    let mut items = Vec::with_capacity(entries.len());
    for view in &entries {
        items.extend(photos.photo(view.entry.activity.object.id).await?);
    }
    Ok(Reply::new(Page { items, cursor, end }))
}
