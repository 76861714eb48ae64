//! A profile as it is shown, and how it is read: always through the visibility function.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use gomer_core::id::{Id, Root};
use gomer_core::rows::node::{Flags, Node};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::relation::{Known, Relation, relations};
use crate::methods::media::facts::{Life, Media};
use crate::methods::media::references::Attached;
use crate::methods::media::seen::{AVATAR, COVER};
use crate::model::{ADMIN_ROLE, BLOCKED_BY, BLOCKS, FOLLOWED_BY, FOLLOWS, MODERATOR_ROLE, PROFILE};
use crate::registry::{Call, Caller, NodeView, Rev, Stop};
use crate::roles::held;
use crate::types::{Text, Timestamp, Uuid};
use crate::visibility::{Sight, Thing, Tie, Viewer, sight};

/// Attribute of the handle.
pub const HANDLE: &str = "handle";
/// Attribute of the name.
pub const NAME: &str = "name";
/// Attribute of the text about oneself.
pub const ABOUT: &str = "about";
/// Attribute of the links.
pub const LINKS: &str = "links";
/// Attribute that marks a guest.
pub const GUEST: &str = "guest";
/// What the names of custom fields begin with.
pub const FIELD: &str = "fields.";

/// A link that somebody shows on their profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProfileLink {
    /// What it is called.
    pub label: Text<1, 64>,
    /// Where it leads: http or https.
    pub url: Text<8, 2048>,
}

/// Followers and followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProfileCounts {
    /// Who follows this profile.
    pub followers: u64,
    /// Whom it follows.
    pub following: u64,
}

/// A profile. Of a private one, strangers see the outline: neither text, cover, links nor fields.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    /// Its id.
    pub id: Uuid,
    /// Its revision.
    pub rev: Rev,
    /// Its unique handle, if it took one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handle: Option<String>,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it says about itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// Its picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avatar: Option<Media>,
    /// The picture behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cover: Option<Media>,
    /// Its links.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<ProfileLink>,
    /// The app's own fields.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, Value>,
    /// Whether it asks who may follow it, and shows what it has to followers only.
    pub private: bool,
    /// Whether it belongs to a guest.
    pub guest: bool,
    /// Whether it is banned: told to moderators, and to nobody else.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub banned: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// Followers and followed.
    pub counts: ProfileCounts,
    /// The caller's relation to it, unless it is the caller's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relation: Option<Relation>,
}

impl Profile {
    /// All of a profile's node, without counts and relation.
    pub fn read(call: &Call, id: Id, node: &Node, rev: Rev) -> Profile {
        let private = node.flags.has(Flags::PRIVATE);
        let picture = |name: &str, life: Life| {
            let attached: Attached = attr(node, name)?;
            attached.facts.show(&call.app, attached.id.0, life, call.now.wall)
        };
        let fields = node.attrs.iter().filter_map(|(name, attr)| {
            let name = name.strip_prefix(FIELD)?;
            Some((name.to_owned(), serde_json::from_str(attr.json.as_deref()?).ok()?))
        });
        Profile {
            id: Uuid(id),
            rev,
            handle: attr(node, HANDLE),
            name: attr(node, NAME),
            about: attr(node, ABOUT),
            // Everybody sees it, also of a private profile.
            avatar: picture(AVATAR, Life::ForGood),
            cover: picture(COVER, if private { Life::Day } else { Life::ForGood }),
            links: attr(node, LINKS).unwrap_or_default(),
            fields: fields.collect(),
            private,
            guest: attr(node, GUEST).unwrap_or(false),
            banned: node.flags.has(Flags::BANNED),
            created_at: Timestamp(node.created),
            counts: ProfileCounts::default(),
            relation: None,
        }
    }

    fn outlined(self) -> Profile {
        Profile { about: None, cover: None, links: Vec::new(), fields: BTreeMap::new(), ..self }
    }
}

fn attr<T: DeserializeOwned>(node: &Node, name: &str) -> Option<T> {
    serde_json::from_str(node.attr(name)?).ok()
}

/// Reads profiles for one caller.
pub struct People<'a> {
    call: &'a Call,
    viewer: Viewer,
    ranked: OnceLock<Viewer>,
}

impl<'a> People<'a> {
    /// For this caller.
    pub fn new(call: &'a Call) -> People<'a> {
        People { call, viewer: Viewer::of(&call.caller), ranked: OnceLock::new() }
    }

    /// How much the caller may see. Whether somebody moderates is looked up when it makes a difference, once.
    async fn sees(&self, thing: Thing, tie: Tie) -> Result<Sight, Stop> {
        let seen = sight(self.viewer, thing, tie);
        let Caller::User { profile, .. } = self.call.caller else { return Ok(seen) };
        if seen == Sight::Whole {
            return Ok(seen);
        }
        let ranked = match self.ranked.get() {
            Some(ranked) => *ranked,
            None => {
                let held = held(&self.call.cluster, &self.call.app, profile, self.call.now.wall).await?;
                let moderates = held.iter().any(|role| role == MODERATOR_ROLE || role == ADMIN_ROLE);
                let ranked = if moderates { Viewer::Moderator(profile) } else { self.viewer };
                *self.ranked.get_or_init(|| ranked)
            }
        };
        Ok(sight(ranked, thing, tie))
    }

    /// A profile's node, if the caller may see anything of it. For one profile, both roots are asked about
    /// blocks, so that one holds from the moment it is made.
    pub async fn node(&self, id: Id) -> Result<Option<(NodeView, Sight, Option<Known>)>, Stop> {
        let Some(node) = self.profile_node(id).await? else { return Ok(None) };
        let mut known = None;
        let mut tie = Tie::default();
        if let Some(me) = self.viewer.profile()
            && me != id
        {
            let between = relations(self.call, me, &[id]).await?.remove(&id);
            tie = between.map(|known| known.tie()).unwrap_or_default();
            tie.blocked = tie.blocked
                || self.call.link(Root::profile(id), BLOCKS, me).await?.is_some()
                || self.call.link(Root::profile(id), BLOCKED_BY, me).await?.is_some();
            known = between;
        }
        let sight = self.sees(Thing::profile(id, node.node.flags), tie).await?;
        Ok((sight > Sight::Nothing).then_some((node, sight, known)))
    }

    /// A profile; nothing if there is none, or the caller may not know of it.
    pub async fn profile(&self, id: Id) -> Result<Option<Profile>, Stop> {
        match self.node(id).await? {
            Some((node, sight, known)) => Ok(Some(self.show(id, &node, sight, known).await?)),
            None => Ok(None),
        }
    }

    /// Profiles in the order asked; nothing for those that there are not, or of which the caller may not know.
    pub async fn profiles(&self, ids: &[Id]) -> Result<Vec<Option<Profile>>, Stop> {
        let known = match self.viewer.profile() {
            Some(me) => relations(self.call, me, ids).await?,
            None => BTreeMap::new(),
        };
        let mut profiles = Vec::with_capacity(ids.len());
        for &id in ids {
            let mut shown = None;
            if let Some(node) = self.profile_node(id).await? {
                let known = known.get(&id).copied().filter(|_| self.viewer.profile() != Some(id));
                let tie = known.map(|known| known.tie()).unwrap_or_default();
                let sight = self.sees(Thing::profile(id, node.node.flags), tie).await?;
                if sight > Sight::Nothing {
                    shown = Some(self.show(id, &node, sight, known).await?);
                }
            }
            profiles.push(shown);
        }
        Ok(profiles)
    }

    async fn profile_node(&self, id: Id) -> Result<Option<NodeView>, Stop> {
        let node = self.call.node(Root::profile(id), id).await?;
        Ok(node.filter(|view| view.node.ty == PROFILE))
    }

    async fn show(
        &self,
        id: Id,
        node: &NodeView,
        sight: Sight,
        known: Option<Known>,
    ) -> Result<Profile, Stop> {
        let mut profile = Profile::read(self.call, id, &node.node, node.rev);
        profile.counts = counts(self.call, id).await?;
        profile.relation = known.map(|known| known.told());
        Ok(if sight == Sight::Whole { profile } else { profile.outlined() })
    }
}

/// Followers and followed, from the counts that are kept with the lists.
pub async fn counts(call: &Call, id: Id) -> Result<ProfileCounts, Stop> {
    let counts = call.counts(Root::profile(id), vec![FOLLOWED_BY, FOLLOWS]).await?;
    let count = |at: usize| counts.get(at).copied().unwrap_or(0);
    Ok(ProfileCounts { followers: count(0), following: count(1) })
}
