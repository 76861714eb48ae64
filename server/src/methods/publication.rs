//! Where something that somebody published appears, and whence it is taken back: the author's own streams, the home
//! timelines of the followers, the app's public feed. (Posts have tags besides: see [`super::post::publish`].)
//!
//! The id of its entries follows from its root, kind and all. So nothing appears twice, and what one person publishes
//! and takes back never touches the entry of another thing, whatever id its author chose.
//!
//! Must never learn: what the thing is.

use gomer_core::id::{Id, Root, Section, StreamId};
use gomer_core::rows::entry::Activity;
use gomer_core::vnode::command::{Operation, Step};

use super::post::publish::{FEED_SHARDS, feed_root};
use super::post::view::Audience;
use crate::app_settings::Retention;
use crate::model::{FEED, FOLLOWED_BY, HOME, PUBLISHED};

/// Something that is published.
#[derive(Debug, Clone, Copy)]
pub struct Publication {
    /// Who publishes it.
    pub author: Id,
    /// The thing.
    pub object: Root,
    /// What happened to it.
    pub verb: u16,
    /// For whom it is.
    pub audience: Audience,
    /// A list of the author's own things of this kind, in the author's root; never synced.
    pub own: StreamId,
}

impl Publication {
    /// The id of its entries.
    pub fn entry(&self) -> Id {
        Id::derived("publication", &self.object.to_bytes())
    }

    /// The operation that appends its entry to a stream.
    pub fn append(&self, stream: StreamId, section: Section) -> Operation {
        let activity = Activity {
            actor: self.author,
            verb: self.verb,
            object: self.object,
            target: None,
            extra: String::new(),
        };
        Operation::Append { stream, id: self.entry(), section, activity }
    }

    /// The operation that takes it back.
    pub fn retract(&self, stream: StreamId) -> Operation {
        Operation::Retract { stream, id: self.entry() }
    }

    /// Steps that make it appear. `draw` is a random id that decides where streams are trimmed, which must not be the
    /// author's choice.
    pub fn appear(&self, draw: Id, keep: Retention) -> Vec<Step> {
        let trim = |stream, keep| Operation::TrimSeldom { stream, keep, draw };
        // What is not for everybody must not be in the section that everybody may sync.
        let section = if self.audience == Audience::Public { Section::PUBLIC } else { Section::PRIVATE };
        let home = vec![self.append(HOME, Section::PRIVATE), trim(HOME, keep.home_entries)];
        let mut own = vec![self.append(self.own, Section::INTERNAL), self.append(PUBLISHED, section)];
        own.extend(home.clone());
        if self.audience != Audience::OnlyMe {
            own.push(self.fan_out("appear", home));
        }
        let mut steps = vec![Step::to(Root::profile(self.author), own)];
        if self.audience == Audience::Public {
            let feed = vec![self.append(FEED, Section::PUBLIC), trim(FEED, keep.feed_entries)];
            steps.push(Step::to(feed_root(self.feed_shard()), feed));
        }
        steps
    }

    /// Steps that take it back from wherever it may stand.
    pub fn disappear(&self) -> Vec<Step> {
        let everywhere = self.fan_out("disappear", vec![self.retract(HOME)]);
        let own = vec![self.retract(self.own), self.retract(PUBLISHED), self.retract(HOME), everywhere];
        vec![
            Step::to(Root::profile(self.author), own),
            Step::to(feed_root(self.feed_shard()), vec![self.retract(FEED)]),
        ]
    }

    fn fan_out(&self, what: &str, ops: Vec<Operation>) -> Operation {
        let step = Step { roots: Vec::new(), pre: Vec::new(), ops, then: Vec::new(), bulk: true };
        let mut name = what.as_bytes().to_vec();
        name.extend(self.object.to_bytes());
        Operation::FanOut {
            pipe: Id::derived("publication.pipe", &name),
            links: FOLLOWED_BY,
            step: Box::new(step),
        }
    }

    fn feed_shard(&self) -> u8 {
        self.entry().as_bytes()[15] % FEED_SHARDS
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gomer_core::id::RootKind;
    use gomer_core::rows::channel::DEPTH_MAX;

    fn thing(kind: RootKind, audience: Audience) -> Publication {
        let (author, object) = (Id::from_bytes([2; 16]), Root::new(kind, Id::from_bytes([1; 16])));
        Publication { author, object, verb: 1, audience, own: StreamId(99) }
    }

    fn appends(steps: &[Step]) -> Vec<(StreamId, Section)> {
        let of = |op: &Operation| match op {
            Operation::Append { stream, section, .. } => Some((*stream, *section)),
            _ => None,
        };
        steps.iter().flat_map(|step| &step.ops).filter_map(of).collect()
    }

    #[test]
    fn things_of_one_id_and_two_kinds_have_two_entries() {
        let (one, other) = (thing(RootKind::Post, Audience::Public), thing(RootKind::Chat, Audience::Public));
        assert_ne!(one.entry(), other.entry());
        assert_ne!(one.entry(), one.object.id, "nor does it have the entry of a post with its id");
    }

    #[test]
    fn only_what_is_public_is_in_the_feed_and_in_the_public_section() {
        for (audience, feeds) in [(Audience::Public, 1), (Audience::Followers, 0), (Audience::OnlyMe, 0)] {
            let steps = thing(RootKind::Post, audience).appear(Id::NIL, Retention::default());
            let appended = appends(&steps);
            assert_eq!(appended.iter().filter(|(stream, _)| *stream == FEED).count(), feeds);
            assert_eq!(appended.contains(&(PUBLISHED, Section::PUBLIC)), audience == Audience::Public);
            let fans_out =
                steps.iter().flat_map(|step| &step.ops).any(|op| matches!(op, Operation::FanOut { .. }));
            assert_eq!(fans_out, audience != Audience::OnlyMe);
        }
    }

    #[test]
    fn what_appears_disappears_and_chains_stay_within_their_depth() {
        let thing = thing(RootKind::Post, Audience::Public);
        let (there, gone) = (thing.appear(Id::NIL, Retention::default()), thing.disappear());
        let mut left: Vec<StreamId> = appends(&there).into_iter().map(|(stream, _)| stream).collect();
        for op in gone.iter().flat_map(|step| &step.ops) {
            if let Operation::Retract { stream, id } = op {
                assert_eq!(*id, thing.entry());
                left.retain(|known| known != stream);
            }
        }
        assert!(left.is_empty(), "{left:?}");
        assert!(there.iter().chain(&gone).all(|step| step.depth() <= DEPTH_MAX));
    }
}
