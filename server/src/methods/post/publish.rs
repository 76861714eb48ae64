//! Where a post goes when it is made, and whence it is taken back: the author's own streams, the home
//! timelines of the followers, the app's public feed, its tags.
//!
//! Everything is a step from the post's root, and every entry has the post's id, so that nothing appears
//! twice. The author's root does the fan-out, because the list of followers is there.

use gomer_core::id::{Id, Root, RootKind, Section, StreamId};
use gomer_core::rows::entry::Activity;
use gomer_core::vnode::command::{Operation, Step};

use super::view::{Audience, Post, Tag};
use crate::app_settings::Retention;
use crate::model::{FEED, FOLLOWED_BY, HOME, PUBLISHED, TAG};

/// Shards of an app's public feed: each is a root of its own, so that an app's posts do not all queue
/// at one partition. Stored data depends on it: never change it.
pub const FEED_SHARDS: u8 = 4;

/// Verb of an entry: somebody published something (Activity Streams 2.0 `Create`).
pub const VERB_CREATE: u16 = 1;

/// The root of a shard of the public feed.
pub fn feed_root(shard: u8) -> Root {
    Root::new(RootKind::Feed, Id::derived("feed", &[shard]))
}

/// The shard that shows a post.
fn feed_shard(post: Id) -> u8 {
    post.as_bytes()[15] % FEED_SHARDS
}

/// The root of a folded tag.
pub fn tag_root(tag: &str) -> Root {
    Root::new(RootKind::Tag, Id::derived("tag", tag.as_bytes()))
}

/// Steps that make a new post appear. `draw` is a random id: with the root it decides where this post's appends
/// trim, which must not be the author's choice; `keep` says to what length. Trimming reads as many rows as are
/// kept, so an append costs about `keep / SELDOM` reads; a timeline is seldom longer than `keep + 2 × SELDOM`.
pub fn publish(post: &Post, draw: Id, keep: Retention) -> Vec<Step> {
    let activity = Activity {
        actor: post.author.0,
        verb: VERB_CREATE,
        object: Root::post(post.id.0),
        target: None,
        extra: String::new(),
    };
    let append = |stream: StreamId, section: Section| Operation::Append {
        stream,
        id: post.id.0,
        section,
        activity: activity.clone(),
    };
    let with_trim = |append: Operation, stream: StreamId, keep: u32| {
        vec![append, Operation::TrimSeldom { stream, keep, draw }]
    };
    // What is not for everybody must not be in the section that everybody may sync.
    let section = if post.audience == Audience::Public { Section::PUBLIC } else { Section::PRIVATE };
    let home = with_trim(append(HOME, Section::PRIVATE), HOME, keep.home_entries);
    let mut own = vec![append(PUBLISHED, section)];
    own.extend(home.clone());
    if post.audience != Audience::OnlyMe {
        own.push(fan_out(post.id.0, "post.publish", home));
    }
    let mut steps = vec![Step::to(Root::profile(post.author.0), own)];
    if post.audience == Audience::Public {
        let feed = with_trim(append(FEED, Section::PUBLIC), FEED, keep.feed_entries);
        steps.push(Step::to(feed_root(feed_shard(post.id.0)), feed));
        steps.extend(tagged(post, &post.tags, draw, keep.tag_entries));
    }
    steps
}

/// A step that makes a public post appear under these tags; see [`publish`].
pub fn tagged(post: &Post, tags: &[Tag], draw: Id, keep: u32) -> Option<Step> {
    let activity = Activity {
        actor: post.author.0,
        verb: VERB_CREATE,
        object: Root::post(post.id.0),
        target: None,
        extra: String::new(),
    };
    let append = Operation::Append { stream: TAG, id: post.id.0, section: Section::PUBLIC, activity };
    to_tags(tags, vec![append, Operation::TrimSeldom { stream: TAG, keep, draw }])
}

/// Steps that take a deleted post back, from wherever it may stand: its audience may have been wider once.
pub fn retract(post: &Post) -> Vec<Step> {
    let retract = |stream: StreamId| Operation::Retract { stream, id: post.id.0 };
    let everywhere = fan_out(post.id.0, "post.retract", vec![retract(HOME)]);
    let own = vec![retract(PUBLISHED), retract(HOME), everywhere];
    let mut steps = vec![
        Step::to(Root::profile(post.author.0), own),
        Step::to(feed_root(feed_shard(post.id.0)), vec![retract(FEED)]),
    ];
    steps.extend(to_tags(&post.tags, vec![retract(TAG)]));
    steps
}

fn fan_out(post: Id, domain: &str, ops: Vec<Operation>) -> Operation {
    let step = Step { roots: Vec::new(), pre: Vec::new(), ops, then: Vec::new(), bulk: true };
    Operation::FanOut { pipe: Id::derived(domain, post.as_bytes()), links: FOLLOWED_BY, step: Box::new(step) }
}

fn to_tags(tags: &[Tag], ops: Vec<Operation>) -> Option<Step> {
    let roots: Vec<Root> = tags.iter().map(|tag| tag_root(&tag.0)).collect();
    (!roots.is_empty()).then_some(Step { roots, pre: Vec::new(), ops, then: Vec::new(), bulk: false })
}

#[cfg(test)]
mod tests {
    use super::*;
    use gomer_core::rows::channel::DEPTH_MAX;
    use gomer_core::time::Time;

    fn post(audience: Audience) -> Post {
        let mut post = Post::new(Id::from_bytes([1; 16]), Id::from_bytes([2; 16]), "x".into(), Time::ZERO);
        post.audience = audience;
        post.tags = vec![Tag("a".into()), Tag("b".into())];
        post
    }

    fn draw(last: u8) -> Id {
        Id::from_bytes([last; 16])
    }

    #[test]
    fn chains_stay_within_their_depth() {
        for step in publish(&post(Audience::Public), draw(0), Retention::default())
            .iter()
            .chain(&retract(&post(Audience::Public)))
        {
            assert!(step.depth() <= DEPTH_MAX);
        }
    }

    #[test]
    fn what_is_mine_alone_leaves_my_root_nowhere() {
        let steps = publish(&post(Audience::OnlyMe), draw(1), Retention::default());
        assert_eq!(steps.len(), 1);
        assert_eq!(steps[0].roots, [Root::profile(Id::from_bytes([2; 16]))]);
        assert!(!steps[0].ops.iter().any(|op| matches!(op, Operation::FanOut { .. })));
        assert!(
            steps[0].ops.iter().all(|op| !matches!(op, Operation::Append { section: Section::PUBLIC, .. }))
        );
    }

    #[test]
    fn what_is_for_followers_is_neither_in_the_feed_nor_in_the_public_section() {
        let steps = publish(&post(Audience::Followers), draw(1), Retention::default());
        assert_eq!(steps.len(), 1);
        assert!(steps[0].ops.iter().any(|op| matches!(op, Operation::FanOut { .. })));
        assert!(
            steps[0].ops.iter().all(|op| !matches!(op, Operation::Append { section: Section::PUBLIC, .. }))
        );
    }

    #[test]
    fn streams_are_trimmed_to_what_the_app_keeps() {
        let keep =
            Retention { home_entries: 100, feed_entries: 200, tag_entries: 300, ..Retention::default() };
        let mut trims = Vec::new();
        for step in publish(&post(Audience::Public), draw(0), keep) {
            for op in step.ops {
                match op {
                    Operation::TrimSeldom { stream, keep, .. } => trims.push((stream, keep)),
                    Operation::FanOut { step, .. } => {
                        trims.extend(step.ops.iter().filter_map(|op| match op {
                            Operation::TrimSeldom { stream, keep, .. } => Some((*stream, *keep)),
                            _ => None,
                        }))
                    }
                    _ => {}
                }
            }
        }
        assert_eq!(trims, [(HOME, 100), (HOME, 100), (FEED, 200), (TAG, 300)]);
    }
}
