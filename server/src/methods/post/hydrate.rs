//! From ids and entries to what one caller may see of them: the only way by which posts leave the server.
//!
//! What is asked about a caller and an author (follows, blocks, mutes, bans) is read once per call and
//! author, from the caller's own root where it can be.

use std::collections::BTreeMap;

use gomer_core::id::{Id, Root};
use gomer_core::mutant::Mutant;
use gomer_core::rows::node::{Flags, Node};

use super::view::{Likes, Post, audience, counts_id};
use crate::methods::block::Mute;
use crate::methods::profile::relation::deciding_relations;
use crate::methods::reply::view::{reply_count, reply_count_id};
use crate::model::{ADMIN_ROLE, BLOCKS, LIKES, MODERATOR_ROLE, MUTES, NEWS_ITEM, POST, PROFILE, TWEET};
use crate::registry::{Call, Caller, NodeView, Stop};
use crate::roles::held;
use crate::visibility::{Audience, Sight, Thing, Tie, Viewer, sight};

/// Nodes of a post's root that are read with it: the post and its counts.
const POST_NODES_MAX: u32 = 8;
/// Mutes that lists look at: the newest.
const MUTES_MAX: u32 = 500;

/// What an author is, and is to the caller.
#[derive(Debug, Clone, Copy, Default)]
struct Standing {
    /// Whether there is such a profile.
    exists: bool,
    /// The profile's marks.
    flags: Flags,
    /// What is between the two.
    tie: Tie,
    /// The caller mutes the author: not hidden, but not listed unasked either.
    muted: bool,
}

/// One caller's eyes, for the length of one call.
pub struct Reader {
    call: Call,
    viewer: Viewer,
    /// Whether it was looked up if the caller moderates.
    ranked: bool,
    standings: BTreeMap<Id, Standing>,
}

impl Reader {
    /// The eyes of whoever makes this call.
    pub fn new(call: &Call) -> Reader {
        Reader {
            call: call.clone(),
            viewer: Viewer::of(&call.caller),
            ranked: false,
            standings: BTreeMap::new(),
        }
    }

    /// Whether the caller may see that there is this profile.
    pub async fn sees_profile(&mut self, profile: Id) -> Result<bool, Stop> {
        Ok(self.sight_of_profile(profile).await? > Sight::Nothing)
    }

    /// Whether the caller may see this post.
    pub async fn sees(&mut self, post: &Node) -> Result<bool, Stop> {
        self.learn([post.author]).await?;
        if !self.sees_post(post) {
            self.rank().await?;
        }
        Ok(self.sees_post(post))
    }

    /// Whether the caller may see this thing that is the app's and not its maker's: only marks hide it.
    pub async fn sees_common(&mut self, thing: &Node) -> Result<bool, Stop> {
        let common = Thing::of(Id::NIL, Flags::default(), thing.flags, Audience::Public);
        if sight(self.viewer, common, Tie::default()) != Sight::Whole {
            self.rank().await?;
        }
        Ok(sight(self.viewer, common, Tie::default()) == Sight::Whole)
    }

    /// The post with this id, if the caller may see it.
    pub async fn post(&mut self, id: Id) -> Result<Option<NodeView>, Stop> {
        let Some(view) = self.call.node(Root::post(id), id).await?.filter(|view| view.node.ty == POST) else {
            return Ok(None);
        };
        Ok(self.sees(&view.node).await?.then_some(view))
    }

    /// What people react to, be it a post, an item of news or a tweet, if the caller may see it. The latter two are
    /// nobody's: their author is [`Id::NIL`].
    pub async fn subject(&mut self, id: Id) -> Result<Option<NodeView>, Stop> {
        let Some(view) = self.call.node(Root::post(id), id).await? else { return Ok(None) };
        let sees = match view.node.ty {
            POST => self.sees(&view.node).await?,
            NEWS_ITEM | TWEET => self.sees_common(&view.node).await?,
            _ => false,
        };
        Ok(sees.then_some(view))
    }

    /// These posts, with reactions, as far as the caller may see them, in the order asked.
    pub async fn posts(&mut self, ids: &[Id]) -> Result<Vec<Post>, Stop> {
        let mut posts = Vec::with_capacity(ids.len());
        for &id in ids {
            let nodes = self.call.nodes(Root::post(id), POST_NODES_MAX).await?;
            let node = |wanted: Id| nodes.iter().find(|(id, _)| *id == wanted).map(|(_, view)| view);
            let Some(view) = node(id).filter(|view| view.node.ty == POST) else { continue };
            if self.sees(&view.node).await? {
                let counts = node(counts_id(id)).map(|view| &view.node);
                let post = Post::read(id, view).with_media(&self.call, self.flags_of(view.author));
                let replies = reply_count(node(reply_count_id(id)).map(|view| &view.node));
                posts.push(Post { likes: Some(Likes::of(counts)), replies: Some(replies), ..post });
            }
        }
        self.own_likes(&mut posts).await?;
        Ok(posts)
    }

    /// The same for lists that nobody asked for one by one: what the caller mutes is left out.
    pub async fn listed_posts(&mut self, ids: &[Id]) -> Result<Vec<Post>, Stop> {
        let mut posts = self.posts(ids).await?;
        let mutes = self.own_mutes().await?;
        posts.retain(|post| {
            let tags: Vec<&str> = post.tags.iter().map(|tag| tag.0.as_str()).collect();
            !self.mutes(post.author.0)
                && !mutes.iter().any(|mute| mute.silences(post.id.0, &post.text, &tags))
        });
        Ok(posts)
    }

    /// Those of these profiles that the caller may see, be it in outline.
    pub async fn profiles(&mut self, ids: impl IntoIterator<Item = Id>) -> Result<Vec<Id>, Stop> {
        let ids: Vec<Id> = ids.into_iter().collect();
        self.learn(ids.iter().copied()).await?;
        if ids.iter().any(|&id| self.profile_sight(id) == Sight::Nothing) {
            self.rank().await?;
        }
        Ok(ids.into_iter().filter(|&id| self.profile_sight(id) > Sight::Nothing).collect())
    }

    /// How much of a profile's own things the caller may see.
    pub async fn sight_of_profile(&mut self, profile: Id) -> Result<Sight, Stop> {
        self.learn([profile]).await?;
        if self.profile_sight(profile) < Sight::Whole {
            self.rank().await?;
        }
        Ok(self.profile_sight(profile))
    }

    /// Looks up whether the caller moderates: only when it may make a difference, and once.
    async fn rank(&mut self) -> Result<(), Stop> {
        let (Caller::User { profile, .. }, false) = (&self.call.caller, self.ranked) else { return Ok(()) };
        self.ranked = true;
        let held = held(&self.call.cluster, &self.call.app, *profile, self.call.now.wall).await?;
        if held.iter().any(|role| role == MODERATOR_ROLE || role == ADMIN_ROLE) {
            self.viewer = Viewer::Moderator(*profile);
        }
        Ok(())
    }

    /// Whether the caller may see something of an app's own types that this author made: blocks and bans
    /// hide it, and nothing else.
    pub async fn meets(&mut self, author: Id) -> Result<bool, Stop> {
        Ok(author == Id::NIL || self.sees_profile(author).await?)
    }

    /// Whether there is no such profile any more, of somebody who was looked at before.
    pub fn is_gone(&self, profile: Id) -> bool {
        self.standings.get(&profile).is_some_and(|standing| !standing.exists)
    }

    /// Whether the caller follows the author, or is the author.
    pub fn follows(&self, author: Id) -> bool {
        self.viewer.profile() == Some(author)
            || self.standings.get(&author).is_some_and(|known| known.tie.follows)
    }

    /// Whether the caller mutes this author, of whom something was looked at before.
    pub fn mutes(&self, author: Id) -> bool {
        self.standings.get(&author).is_some_and(|standing| standing.muted)
    }

    fn sees_post(&self, post: &Node) -> bool {
        let standing = self.standing(post.author);
        let leaks = self.call.cluster.mutants().has(Mutant::PrivateLeaked);
        let audience = if leaks { Audience::Public } else { audience(post).into() };
        let thing = Thing::of(post.author, standing.flags, post.flags, audience);
        standing.exists && sight(self.viewer, thing, standing.tie) == Sight::Whole
    }

    fn profile_sight(&self, profile: Id) -> Sight {
        let standing = self.standing(profile);
        if !standing.exists {
            return Sight::Nothing;
        }
        sight(self.viewer, Thing::profile(profile, standing.flags), standing.tie)
    }

    /// The marks of an author whose things were looked at before; none of anybody else.
    pub fn flags_of(&self, author: Id) -> Flags {
        self.standings.get(&author).map_or(Flags::default(), |standing| standing.flags)
    }

    fn standing(&self, author: Id) -> Standing {
        *self.standings.get(&author).expect("whoever is judged was learnt of before")
    }

    async fn learn(&mut self, authors: impl IntoIterator<Item = Id>) -> Result<(), Stop> {
        let mut new: Vec<Id> = authors.into_iter().filter(|id| !self.standings.contains_key(id)).collect();
        new.sort_unstable();
        new.dedup();
        if new.is_empty() {
            return Ok(());
        }
        let mut standings = vec![Standing::default(); new.len()];
        for (standing, &author) in standings.iter_mut().zip(&new) {
            let profile = self.call.node(Root::profile(author), author).await?;
            let profile = profile.filter(|view| view.node.ty == PROFILE);
            standing.exists = profile.is_some();
            standing.flags = profile.map_or(Flags::default(), |view| view.node.flags);
        }
        if let Some(me) = self.viewer.profile() {
            // Nobody follows, blocks or mutes themselves.
            let others: Vec<Id> = new.iter().copied().filter(|&author| author != me).collect();
            let known = deciding_relations(&self.call, me, &others).await?;
            for (standing, author) in standings.iter_mut().zip(&new) {
                if let Some(known) = known.get(author) {
                    standing.tie = known.tie();
                    standing.muted = known.relation.muted;
                }
                // A block counts from the moment it is made, before its step has come to my root.
                if !standing.tie.blocked && *author != me {
                    let block = self.call.link(Root::profile(*author), BLOCKS, me).await?;
                    standing.tie.blocked = block.is_some();
                }
                standing.tie.blocked &= !self.call.cluster.mutants().has(Mutant::BlockedStillShown);
            }
        }
        self.standings.extend(new.into_iter().zip(standings));
        Ok(())
    }

    /// What the caller mutes: people, threads, tags and words.
    pub async fn own_mutes(&self) -> Result<Vec<Mute>, Stop> {
        let Some(me) = self.viewer.profile() else { return Ok(Vec::new()) };
        let (links, _) = self.call.link_page(Root::profile(me), MUTES, None, MUTES_MAX).await?;
        let now = self.call.now.wall;
        let mutes = links.iter().filter_map(|link| Mute::read(&link.link.data));
        Ok(mutes.filter(|mute| !mute.has_ended(now)).collect())
    }

    async fn own_likes(&self, posts: &mut [Post]) -> Result<(), Stop> {
        let Some(me) = self.call.maybe_me().filter(|_| !posts.is_empty()) else { return Ok(()) };
        let ids = posts.iter().map(|post| post.id.0).collect();
        let links = self.call.links(Root::profile(me), LIKES, ids).await?;
        for (post, link) in posts.iter_mut().zip(links) {
            if let (Some(likes), Some(link)) = (&mut post.likes, link) {
                likes.mine = Some(crate::methods::like::kind_of(&link.link.data));
            }
        }
        Ok(())
    }
}
