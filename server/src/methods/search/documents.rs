//! By what the product's things are found. Each kind is read once from its row, for the index, and once from what one caller
//! is shown of it: the same function, so that what is shown is what was asked for.

use gomer_core::id::{AppId, Id, Root};
use gomer_core::rows::node::Node;
use serde_json::Value;

use crate::methods::album::view::Album;
use crate::methods::checkin::place::Place;
use crate::methods::photo::view::Photo;
use crate::methods::post::view::{Audience, Post, read};
use crate::methods::profile::view::{ABOUT, FIELD, GUEST, HANDLE, LINKS, NAME, Profile, ProfileLink};
use crate::methods::reply::view::Comment;
use crate::model::{ALBUM, PHOTO, PLACE, POST, PROFILE, REPLY};
use crate::registry::{NodeView, Rev};
use crate::search::document::{Document, Field, Key, Kind, by_name, by_time};

/// What the index keeps of a root's own node; nothing of what is not found. Who is on a photo stands beside its node:
/// [`on_photo`].
pub fn of_node(app: AppId, root: Root, node: &Node) -> Option<Document> {
    let id = root.id;
    let view = || NodeView { rev: Rev::Pending, node: node.clone() };
    match (Kind::of_root(root)?, node.ty) {
        (Kind::Profile, PROFILE) => of_profile_node(app, id, node),
        (Kind::Post, POST) => Some(of_post(app, &Post::read(id, &view()))),
        (Kind::Reply, REPLY) => of_reply(app, &Comment::read(id, &view())?),
        (Kind::Photo, PHOTO) => Some(of_photo(app, &Photo::from_node(id, node, Rev::Pending)?)),
        (Kind::Album, ALBUM) => Some(of_album(app, &Album::from_node(id, node, Rev::Pending))),
        (Kind::Place, PLACE) => Some(of_place(app, &Place::from_node(id, &view())?)),
        _ => None,
    }
}

fn of_profile_node(app: AppId, id: Id, node: &Node) -> Option<Document> {
    // Like the directory: guests have nothing to be found by.
    if read(node, GUEST).unwrap_or(false) {
        return None;
    }
    let (handle, name): (Option<String>, Option<String>) = (read(node, HANDLE), read(node, NAME));
    let mut document = profile(app, id, handle.as_deref(), name.as_deref());
    let links: Vec<ProfileLink> = read(node, LINKS).unwrap_or_default();
    let fields = node.attrs.iter().filter(|(name, _)| name.starts_with(FIELD));
    let fields = fields.filter_map(|(_, attr)| serde_json::from_str(attr.json.as_deref()?).ok());
    let about: Option<String> = read(node, ABOUT);
    more_of_profile(&mut document, about.as_deref(), &links, fields);
    Some(document)
}

/// What somebody is shown of a profile.
pub fn of_profile(app: AppId, shown: &Profile) -> Document {
    let mut document = profile(app, shown.id.0, shown.handle.as_deref(), shown.name.as_deref());
    more_of_profile(&mut document, shown.about.as_deref(), &shown.links, shown.fields.values().cloned());
    document
}

fn profile(app: AppId, id: Id, handle: Option<&str>, name: Option<&str>) -> Document {
    let order = by_name(handle.or(name).unwrap_or_default());
    let mut document = Document::new(Key { app, kind: Kind::Profile, id }, order);
    if let Some(handle) = handle {
        document.whole(Field::Handle, handle);
        document.words(Field::Name, handle);
    }
    if let Some(name) = name {
        document.words(Field::Name, name);
    }
    document
}

/// What strangers are not shown of a private profile.
fn more_of_profile(
    document: &mut Document,
    about: Option<&str>,
    links: &[ProfileLink],
    fields: impl Iterator<Item = Value>,
) {
    if let Some(about) = about {
        document.words(Field::Text, about);
    }
    for link in links {
        document.words(Field::Text, &link.label.0);
    }
    for field in fields {
        texts(&field, &mut |text| document.words(Field::Text, text));
    }
}

/// The texts in a value. How deep it goes was bounded when it was written.
fn texts(value: &Value, see: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => see(text),
        Value::Number(number) => see(&number.to_string()),
        Value::Array(values) => values.iter().for_each(|value| texts(value, see)),
        Value::Object(values) => values.values().for_each(|value| texts(value, see)),
        Value::Null | Value::Bool(_) => {}
    }
}

/// A post, as stored or as shown.
pub fn of_post(app: AppId, post: &Post) -> Document {
    let key = Key { app, kind: Kind::Post, id: post.id.0 };
    let mut document = Document::new(key, by_time(post.created_at.0.as_millis()));
    document.words(Field::Text, &post.text);
    for tag in &post.tags {
        document.whole(Field::Tag, &tag.0);
        document.words(Field::Text, &tag.0);
    }
    if let Some(name) = post.place.as_ref().and_then(|place| place.name.as_ref()) {
        document.words(Field::Text, &name.0);
    }
    document.whole(Field::Author, &post.author.to_string());
    document.whole(Field::Audience, audience(post.audience));
    document
}

/// A reply, as stored or as shown; nothing of a deleted one.
pub fn of_reply(app: AppId, reply: &Comment) -> Option<Document> {
    let text = reply.text.as_deref().filter(|_| !reply.deleted)?;
    let key = Key { app, kind: Kind::Reply, id: reply.id.0 };
    let mut document = Document::new(key, by_time(reply.created_at.0.as_millis()));
    document.words(Field::Text, text);
    document.whole(Field::Author, &reply.author.to_string());
    // Who may see it is told by its post, which may change; so it is for all here, and the post decides when it is shown.
    document.whole(Field::Audience, audience(Audience::Public));
    Some(document)
}

/// A place, as stored or as shown.
pub fn of_place(app: AppId, place: &Place) -> Document {
    let mut document = Document::new(Key { app, kind: Kind::Place, id: place.id.0 }, by_name(&place.name));
    document.words(Field::Name, &place.name);
    if let Some(address) = &place.address {
        document.words(Field::Text, address);
    }
    document
}

/// A photo, as shown; as stored, without who is on it.
pub fn of_photo(app: AppId, photo: &Photo) -> Document {
    let key = Key { app, kind: Kind::Photo, id: photo.id.0 };
    let mut document = Document::new(key, by_time(photo.created_at.0.as_millis()));
    let place = photo.place.as_ref().and_then(|place| place.name.as_ref()).map(|name| &name.0);
    for text in [photo.caption.as_ref(), photo.alt.as_ref(), place].into_iter().flatten() {
        document.words(Field::Text, text);
    }
    for tag in &photo.people {
        on_photo(&mut document, tag.profile.0);
    }
    document.whole(Field::Author, &photo.author.to_string());
    document.whole(Field::Audience, audience(photo.audience));
    document
}

/// Somebody is on a photo.
pub fn on_photo(document: &mut Document, person: Id) {
    document.whole(Field::Person, &person.to_string());
}

/// An album, as stored or as shown.
pub fn of_album(app: AppId, album: &Album) -> Document {
    let key = Key { app, kind: Kind::Album, id: album.id.0 };
    let mut document = Document::new(key, by_time(album.created_at.0.as_millis()));
    document.words(Field::Text, &album.title);
    if let Some(about) = &album.about {
        document.words(Field::Text, about);
    }
    for contributor in &album.contributors {
        document.whole(Field::Reader, &contributor.to_string());
    }
    document.whole(Field::Author, &album.author.to_string());
    document.whole(Field::Audience, audience(album.audience));
    document
}

/// The term of an audience.
pub fn audience(audience: Audience) -> &'static str {
    match audience {
        Audience::Public => "public",
        Audience::Followers => "followers",
        Audience::OnlyMe => "me",
    }
}
