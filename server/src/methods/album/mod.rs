//! `album`: photos that belong together, by one person or by several.
//!
//! An album is a root of its own with a link to each photo; each photo has one back. What an album shows of a photo is
//! what the photo's own audience allows: being in an album makes nothing visible.
//!
//! Reading order: [`view`], this, [`edit`], [`photos`].

pub mod edit;
pub mod photos;
pub mod view;

use gomer_core::id::{Id, Order, Root, RootKind, Section};
use gomer_core::rows::entry::Activity;
use gomer_core::rows::node::Flags;
use gomer_core::vnode::command::{Operation, Precondition, Step};
use schemars::JsonSchema;
use serde::Deserialize;

use self::view::{ABOUT_CHARS_MAX, Album, Albums, CONTRIBUTORS_MAX, TITLE_CHARS_MAX};
use crate::methods::account::settings::default_audience;
use crate::methods::post::each_once;
use crate::methods::post::hydrate::Reader;
use crate::methods::post::publish::VERB_CREATE;
use crate::methods::post::view::Audience;
use crate::model::{ALBUM, ALBUMS};
use crate::problem::Code;
use crate::registry::{Call, Idempotency, Method, NodeView, Reply, Role, Stop};
use crate::types::{Limit, List, Page, Text, Uuid};

/// The service's methods.
pub fn methods() -> Vec<Method> {
    vec![
        Method::procedure("album.create", create)
            .role(Role::User)
            .idempotency(Idempotency::ClientId)
            .emits(&["album.created"])
            .errors(&[Code::IdTaken, Code::CursorExpired])
            .about("Makes an album with a title, an audience, and who else may put photos in."),
        Method::query("album.get", get)
            .role(Role::Anonymous)
            .errors(&[Code::NotFound])
            .about("Shows one album with its cover and how many photos it has."),
        Method::procedure("album.update", edit::update)
            .role(Role::Owner)
            .idempotency(Idempotency::NaturalRev)
            .emits(&["album.updated"])
            .errors(&[Code::NotFound, Code::Forbidden, Code::StaleRevision])
            .about("Changes title, text and audience."),
        Method::procedure("album.delete", edit::delete)
            .role(Role::Owner)
            .emits(&["album.deleted"])
            .errors(&[Code::NotFound, Code::Forbidden, Code::StaleRevision])
            .about("Deletes an album for ever; its photos stay, or those of its owner go with it, as asked."),
        Method::query("album.listByProfile", list_by_profile)
            .role(Role::Anonymous)
            .errors(&[Code::NotFound, Code::CursorInvalid])
            .about("Lists the albums of a profile, newest first."),
        Method::query("album.listPhotos", photos::list)
            .role(Role::Anonymous)
            .errors(&[Code::NotFound, Code::CursorInvalid])
            .about("Lists the photos of an album that the caller may see, the latest that was put in first."),
        Method::procedure("album.addPhotos", photos::add)
            .role(Role::Owner)
            .emits(&["album.photosAdded"])
            .errors(&[Code::NotFound, Code::Forbidden])
            .about("Puts photos of one's own into an album: its owner may, and who contributes."),
        Method::procedure("album.removePhotos", photos::remove)
            .role(Role::Owner)
            .emits(&["album.photosRemoved"])
            .errors(&[Code::NotFound, Code::Forbidden])
            .about("Takes photos out of an album: its owner any, who contributes their own."),
    ]
}

/// An album's root.
pub fn root(id: Id) -> Root {
    Root::new(RootKind::Album, id)
}

/// A new album.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CreateAlbum {
    /// Its id, chosen by the caller.
    id: Uuid,
    /// Its title.
    title: Text<1, TITLE_CHARS_MAX>,
    /// What it is about.
    about: Option<Text<0, ABOUT_CHARS_MAX>>,
    /// Who may see it; if absent, whom one's own settings say, or else the app's for posts.
    audience: Option<Audience>,
    /// Who else may put photos in.
    contributors: Option<List<Uuid, 0, CONTRIBUTORS_MAX>>,
}

async fn create(call: Call, args: CreateAlbum) -> Result<Reply<Album>, Stop> {
    let me = call.me()?;
    let id = args.id.0;
    call.replay(root(id)).await?;
    if let Some(first) = made_before(&call, me, id).await? {
        return Ok(first);
    }
    let contributors = each_once(args.contributors.map_or(Vec::new(), |list| list.0));
    let mut reader = Reader::new(&call);
    for (at, person) in contributors.iter().enumerate() {
        if !reader.sees_profile(person.0).await? {
            return Err(Stop::invalid(format!("/contributors/{at}"), "value", "There is no such profile."));
        }
    }
    let mut album = Album::new(args.id, me, args.title.0, call.now.wall);
    album.about = args.about.map(|text| text.0).filter(|text| !text.is_empty());
    album.audience = match args.audience {
        Some(audience) => audience,
        None => default_audience(&call, me).await?,
    };
    album.contributors = contributors;
    let write = call
        .on(root(id))
        .when(Precondition::NodeAbsent(id))
        .op(Operation::CreateNode {
            id,
            ty: ALBUM,
            section: Section::PUBLIC,
            author: me,
            flags: Flags::default(),
            attrs: album.attrs(),
        })
        .step(listed(&album));
    match call.write(write, album).await {
        // Two calls with the same id at once: the other one was first.
        Err(stop) if stop.code() == Some(Code::IdTaken) => {
            made_before(&call, me, id).await?.ok_or_else(|| Code::IdTaken.into())
        }
        done => done,
    }
}

/// The first result, if the caller made this album before. 409 if the id is somebody else's or was deleted.
async fn made_before(call: &Call, me: Id, id: Id) -> Result<Option<Reply<Album>>, Stop> {
    match call.node_or_tombstone(root(id), id).await? {
        (Some(view), _) if view.author == me && view.ty == ALBUM => {
            let album = Albums::new(call).read(id, &view).await?.ok_or(Code::Internal)?;
            Ok(Some(Reply::new(album).rev(view.rev)))
        }
        (None, false) => Ok(None),
        _ => Err(Code::IdTaken.into()),
    }
}

/// The step that lists an album with its owner.
fn listed(album: &Album) -> Step {
    // What is not for everybody must not be in the section that everybody may sync.
    let section = if album.audience == Audience::Public { Section::PUBLIC } else { Section::PRIVATE };
    let activity = Activity {
        actor: album.author.0,
        verb: VERB_CREATE,
        object: root(album.id.0),
        target: None,
        extra: String::new(),
    };
    let append = Operation::Append { stream: ALBUMS, id: album.id.0, section, activity };
    Step::to(Root::profile(album.author.0), vec![append])
}

/// The caller's own album. 403 if it is somebody else's that the caller may see; else 404.
async fn mine(call: &Call, me: Id, id: Id) -> Result<NodeView, Stop> {
    let view = call.node(root(id), id).await?.filter(|view| view.ty == ALBUM);
    let view = view.ok_or_else(Stop::not_found)?;
    if view.author == me {
        return Ok(view);
    }
    if Albums::new(call).sees(&view).await? {
        return Err(Stop::forbidden("Only its owner may do this."));
    }
    Err(Stop::not_found())
}

/// Which album.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct GetAlbum {
    /// The album.
    id: Uuid,
}

async fn get(call: Call, args: GetAlbum) -> Result<Reply<Album>, Stop> {
    // Without a tag: cover and count change without a revision.
    Albums::new(&call).album(args.id.0).await?.map(Reply::new).ok_or_else(Stop::not_found)
}

/// Whose albums.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ListAlbums {
    /// The profile.
    id: Uuid,
    /// How many at most.
    #[serde(default)]
    limit: Limit,
    /// From an earlier page.
    cursor: Option<String>,
}

async fn list_by_profile(call: Call, args: ListAlbums) -> Result<Reply<Page<Album>>, Stop> {
    let list = format!("album.listByProfile/{}", args.id);
    let from: Option<Order> = call.open_cursor(&list, args.cursor.as_deref())?;
    let mut albums = Albums::new(&call);
    if !albums.photos.reader.sees_profile(args.id.0).await? {
        return Err(Stop::not_found());
    }
    let (entries, end) = call.entry_page(Root::profile(args.id.0), ALBUMS, from, true, args.limit.0).await?;
    // The cursor is the place that was read, not the last item that was shown: nothing is skipped or repeated.
    let cursor = entries.last().map(|last| call.seal_cursor(&list, &last.order)).or(args.cursor);
    let mut items = Vec::with_capacity(entries.len());
    for view in &entries {
        items.extend(albums.album(view.entry.activity.object.id).await?);
    }
    Ok(Reply::new(Page { items, cursor, end }))
}
