//! Editing and deleting a post.

use gomer_core::id::{Root, Section};
use gomer_core::rows::entry::Activity;
use gomer_core::vnode::command::{Operation, Precondition};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::view::{
    Audience, LINK, MENTIONS, MENTIONS_MAX, PLACE, Place, Post, TAGS, TAGS_MAX, TEXT, TEXT_CHARS_MAX, Tag,
    WebAddress, derived, json,
};
use super::{mine, publish, text_mentions, text_tags};
use crate::methods::changes::{Changes, merged};
use crate::model::{POST, REVISIONS};
use crate::problem::Code;
use crate::registry::{Call, Reply, Rev, Stop};
use crate::types::{List, Patch, Text, Timestamp, Uuid};

/// Older revisions of a post that are kept.
const REVISIONS_KEEP: u32 = 50;
/// Verb of an entry: a post was edited; what it said before is in `extra` (Activity Streams 2.0 `Update`).
const VERB_UPDATE: u16 = 2;
/// How often an edit that nobody guarded is tried again when others edit at the same time.
const ATTEMPTS: usize = 4;

/// An edit.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdatePost {
    /// The post.
    id: Uuid,
    /// What it says. Cannot be cleared.
    #[serde(default)]
    text: Patch<Text<1, TEXT_CHARS_MAX>>,
    /// Profiles that it mentions; when the text changes and this is absent, those that the text names.
    #[serde(default)]
    mentions: Patch<List<Uuid, 0, MENTIONS_MAX>>,
    /// Its tags; when the text changes and this is absent, those in the text.
    #[serde(default)]
    tags: Patch<List<Tag, 0, TAGS_MAX>>,
    /// What it points to.
    #[serde(default)]
    link: Patch<WebAddress>,
    /// Where it was written.
    #[serde(default)]
    place: Patch<Place>,
    /// Refuse if the post is not at this revision. The same as `If-Match`.
    if_rev: Option<Rev>,
}

/// Edits a post. Each field goes to its own latest edit.
pub async fn update(call: Call, args: UpdatePost) -> Result<Reply<Post>, Stop> {
    let me = call.me()?;
    let id = args.id.0;
    let root = Root::post(id);
    call.replay(root).await?;
    let changes = changes(&call, args.text, args.mentions, args.tags, args.link, args.place).await?;
    let mut attempt = 0;
    loop {
        attempt += 1;
        let view = mine(&call, me, id).await?;
        let before = Post::read(id, &view).shown(&call).await?;
        let guard = call.guard(id, &view, args.if_rev, &before)?;
        let guarded = guard.is_some();
        let (node, attrs) = merged(&call, &view, &changes);
        let after = Post::from_node(id, &node, Rev::Pending).shown(&call).await?;
        if attrs.is_empty() {
            return Ok(Reply::new(before).rev(view.rev));
        }
        // Without a guard of the caller's this is still one step from the state that was read, so that the
        // older revision that is kept, and the reply, are exact.
        let mut write = call
            .on(root)
            .when(guard.unwrap_or(Precondition::NodeRev(id, view.node.rev)))
            .op(Operation::PatchNode { id, attrs, edited: call.edited_in(&view.node) })
            .op(Operation::Append {
                stream: REVISIONS,
                id: derived("revision", id, view.node.rev),
                section: Section::PRIVATE,
                activity: Activity {
                    actor: me,
                    verb: VERB_UPDATE,
                    object: root,
                    target: None,
                    extra: json(&Revision::of(&before)),
                },
            })
            .op(Operation::Trim { stream: REVISIONS, keep: REVISIONS_KEEP });
        if after.audience == Audience::Public {
            let new: Vec<Tag> = after.tags.iter().filter(|tag| !before.tags.contains(tag)).cloned().collect();
            // A tag that is taken off is left in its list, where readers pass over it.
            let keep = call.settings().retention.tag_entries;
            write.steps.extend(publish::tagged(&after, &new, call.cluster.mint(), keep));
        }
        match call.write(write, after).await {
            Err(stop) if stop.code() == Some(Code::StaleRevision) && !guarded && attempt < ATTEMPTS => {}
            Err(stop) if stop.code() == Some(Code::StaleRevision) => {
                let view = mine(&call, me, id).await?;
                let now = Post::read(id, &view).shown(&call).await?;
                return Err(crate::problem::Problem::new(Code::StaleRevision).current(view.rev, &now).into());
            }
            done => return done,
        }
    }
}

async fn changes(
    call: &Call,
    text: Patch<Text<1, TEXT_CHARS_MAX>>,
    mentions: Patch<List<Uuid, 0, MENTIONS_MAX>>,
    tags: Patch<List<Tag, 0, TAGS_MAX>>,
    link: Patch<WebAddress>,
    place: Patch<Place>,
) -> Result<Changes, Stop> {
    let mut changes: Changes = Vec::new();
    let mut set = |name: &str, value: Option<String>| changes.push((name.to_owned(), value));
    let text = match text.change() {
        Some(None) => {
            return Err(Stop::invalid(
                "/text",
                "value",
                "A post says something: its text cannot be cleared.",
            ));
        }
        Some(Some(Text(text))) => Some(text),
        None => None,
    };
    match (mentions.change(), &text) {
        (Some(list), _) => {
            set(MENTIONS, Some(json(&list.map_or(Vec::new(), |list| super::each_once(list.0)))))
        }
        (None, Some(text)) => set(MENTIONS, Some(json(&text_mentions(call, text).await?))),
        (None, None) => {}
    }
    match (tags.change(), &text) {
        (Some(list), _) => set(TAGS, Some(json(&list.map_or(Vec::new(), |list| super::each_once(list.0))))),
        (None, Some(text)) => set(TAGS, Some(json(&text_tags(text)))),
        (None, None) => {}
    }
    if let Some(link) = link.change() {
        set(LINK, link.map(|link| json(&link)));
    }
    if let Some(place) = place.change() {
        set(PLACE, place.map(|place| json(&place)));
    }
    if let Some(text) = text {
        set(TEXT, Some(json(&text)));
    }
    Ok(changes)
}

/// What a post said before an edit.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Revision {
    text: String,
    mentions: Vec<Uuid>,
    tags: Vec<Tag>,
    link: Option<String>,
    place: Option<Place>,
    edited_at: Option<Timestamp>,
}

impl Revision {
    fn of(post: &Post) -> Revision {
        Revision {
            text: post.text.clone(),
            mentions: post.mentions.clone(),
            tags: post.tags.clone(),
            link: post.link.clone(),
            place: post.place.clone(),
            edited_at: post.edited_at,
        }
    }
}

/// Which post.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeletePost {
    /// The post.
    id: Uuid,
    /// Refuse if the post is not at this revision. The same as `If-Match`.
    if_rev: Option<Rev>,
}

/// What is gone.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Deleted {
    /// Its id.
    id: Uuid,
    /// Always true.
    deleted: bool,
}

/// Deletes a post for ever.
pub async fn delete(call: Call, args: DeletePost) -> Result<Reply<Deleted>, Stop> {
    let me = call.me()?;
    let id = args.id.0;
    let root = Root::post(id);
    call.replay(root).await?;
    let deleted = Deleted { id: args.id, deleted: true };
    let (view, gone) = call.node_or_tombstone(root, id).await?;
    if view.is_none() && gone {
        return Ok(Reply::new(deleted));
    }
    let view = mine(&call, me, id).await?;
    debug_assert_eq!(view.node.ty, POST);
    let post = Post::read(id, &view).shown(&call).await?;
    let guard = call.guard(id, &view, args.if_rev, &post)?;
    let mut write = call
        .on(root)
        .op(Operation::DeleteNode { id })
        .op(Operation::DeleteNode { id: super::view::counts_id(id) });
    write.pre.extend(guard);
    write.steps = publish::retract(&post);
    let place = crate::methods::media::references::Place::Post(args.id);
    write.steps.extend(
        post.attached
            .iter()
            .map(|attached| crate::methods::media::references::release(&call, attached, place)),
    );
    call.write(write, deleted).await
}
