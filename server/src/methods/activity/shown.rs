//! Activities as one caller may see them: the only way by which they leave the server.

use std::collections::BTreeMap;

use gomer_core::id::{Id, Root, RootKind};
use gomer_core::time::Time;

use super::source::Happened;
use super::vocabulary::{CONTEXT, Named, OneOrMore, Thing, Type};
use super::{ActivityId, Verb};
use crate::methods::post::hydrate::Reader;
use crate::methods::post::view::Post;
use crate::methods::profile::view::{People, Profile};
use crate::methods::reply::read::comment;
use crate::methods::reply::view::{Comment, ParentKind};
use crate::methods::sync::names;
use crate::registry::{Call, Stop};
use crate::types::Timestamp;
use crate::visibility::Sight;

/// One caller's eyes.
pub struct Eyes<'a> {
    call: &'a Call,
    /// The same for people and posts.
    pub reader: Reader,
}

impl<'a> Eyes<'a> {
    /// The eyes of whoever makes this call.
    pub fn new(call: &'a Call) -> Eyes<'a> {
        Eyes { call, reader: Reader::new(call) }
    }

    /// Those of these activities of which the caller may see actor, object and target.
    pub async fn show(&mut self, happened: Vec<Happened>) -> Result<Vec<Thing>, Stop> {
        let mut ids: Vec<Id> = happened.iter().map(|it| it.actor).collect();
        ids.extend(happened.iter().filter(|it| it.verb == Verb::Follow).map(|it| it.object.id));
        ids.sort_unstable();
        ids.dedup();
        // Asked of both roots, so that a block holds from the moment it is made.
        let ids = self.reader.profiles(ids).await?;
        let profiles = People::new(self.call).profiles(&ids).await?;
        let people: BTreeMap<Id, Profile> =
            ids.into_iter().zip(profiles).filter_map(|(id, profile)| Some((id, profile?))).collect();
        let mut shown = Vec::with_capacity(happened.len());
        for it in happened {
            let Some(actor) = people.get(&it.actor) else { continue };
            let id = ActivityId { verb: it.verb, actor: it.actor, object: it.object };
            let activity = |kind: Type, time: Time, object: Thing| Thing {
                context: Some(CONTEXT.to_owned()),
                id: Some(id.to_string()),
                actor: Some(person(actor).into()),
                object: Some(object.into()),
                published: Some(time.to_string()),
                ..Thing::new(kind)
            };
            match (it.verb, it.object.kind) {
                (Verb::Follow, RootKind::Profile) => {
                    // Whom a private profile follows is not for everybody.
                    if self.reader.sight_of_profile(it.actor).await? == Sight::Whole
                        && let Some(other) = people.get(&it.object.id)
                    {
                        shown.push(activity(Type::Follow, it.time, person(other)));
                    }
                }
                (verb @ (Verb::Create | Verb::Like), RootKind::Post) => {
                    let post = self.reader.posts(&[it.object.id]).await?.pop();
                    match post.filter(|post| verb != Verb::Create || post.author.0 == it.actor) {
                        Some(post) if verb == Verb::Create => {
                            shown.push(activity(Type::Create, post.created_at.0, note(&post)));
                        }
                        Some(post) => shown.push(activity(Type::Like, it.time, note(&post))),
                        None => {}
                    }
                }
                (Verb::Create, RootKind::Reply) => {
                    if let Some(reply) = self.reply(it.object.id, it.actor).await? {
                        let create = activity(Type::Create, reply.created_at.0, reply_note(&reply));
                        shown.push(Thing { target: named(target_of(&reply)), ..create });
                    }
                }
                _ => {}
            }
        }
        Ok(shown)
    }

    /// A reply of this author's, if the caller may see it and what it replies to.
    pub async fn reply(&mut self, id: Id, author: Id) -> Result<Option<Comment>, Stop> {
        let reply = comment(self.call, &mut self.reader, id).await?;
        let Some(reply) = reply.filter(|reply| !reply.deleted && reply.author.0 == author) else {
            return Ok(None);
        };
        // Of the thread's post it was asked already.
        let target = target_of(&reply);
        let seen =
            target.kind == RootKind::Post || comment(self.call, &mut self.reader, target.id).await?.is_some();
        Ok(seen.then_some(reply))
    }
}

/// What a reply replies to.
fn target_of(reply: &Comment) -> Root {
    match reply.to.kind {
        ParentKind::Post => Root::post(reply.to.id.0),
        ParentKind::Reply => Root::reply(reply.to.id.0),
    }
}

/// The address of a thing, as activities say it.
pub fn address(root: Root) -> String {
    format!("gomer:{}", names::root(root))
}

fn named(root: Root) -> Option<OneOrMore> {
    Some(OneOrMore::One(Named::Address(address(root))))
}

/// A profile as an actor.
pub fn person(profile: &Profile) -> Thing {
    Thing {
        id: Some(address(Root::profile(profile.id.0))),
        name: profile.name.clone(),
        preferred_username: profile.handle.clone(),
        ..Thing::new(Type::Person)
    }
}

fn note(post: &Post) -> Thing {
    Thing {
        id: Some(address(Root::post(post.id.0))),
        content: Some(post.text.clone()),
        attributed_to: named(Root::profile(post.author.0)),
        published: Some(published(post.created_at)),
        ..Thing::new(Type::Note)
    }
}

fn reply_note(reply: &Comment) -> Thing {
    Thing {
        id: Some(address(Root::reply(reply.id.0))),
        content: reply.text.clone(),
        attributed_to: named(Root::profile(reply.author.0)),
        in_reply_to: named(target_of(reply)),
        published: Some(published(reply.created_at)),
        ..Thing::new(Type::Note)
    }
}

fn published(time: Timestamp) -> String {
    time.0.to_string()
}
