//! What somebody made that no list of their own names: replies, nodes of the app's own types, short links. A link from
//! their root to each, so that all of it is found when they want it back, or want it gone.

use gomer_core::id::{Id, Root, RootKind, Section};
use gomer_core::vnode::command::{Operation, Precondition, Step};

use crate::model::MADE;
use crate::registry::Call;

/// The step that notes it. `author` is nobody for what the app itself makes: then there is none.
pub fn note(author: Id, thing: Root) -> Option<Step> {
    let put = Operation::PutLink {
        ty: MADE,
        to: Id::derived("made", &thing.to_bytes()),
        section: Section::INTERNAL,
        time: None,
        data: text(thing),
    };
    let step = Step::to(Root::profile(author), vec![put]).when(Precondition::NodePresent(author));
    (author != Id::NIL).then_some(step)
}

/// The same for whoever makes this call.
pub fn note_mine(call: &Call, thing: Root) -> Option<Step> {
    note(call.author(), thing)
}

fn text(thing: Root) -> String {
    format!("{}:{}", thing.kind as u8, thing.id)
}

/// What a link's data names. What a newer program made may not be known here.
pub fn thing_of(data: &str) -> Option<Root> {
    let (kind, id) = data.split_once(':')?;
    let id = crate::auth::credential::any_id(id)?;
    Some(Root::new(RootKind::from_byte(kind.parse().ok()?)?, id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noted_is_read_again_and_the_app_notes_nothing() {
        let id = Id::derived("short link", b"abc");
        for kind in [RootKind::Reply, RootKind::Node, RootKind::ShortLink] {
            let thing = Root::new(kind, id);
            assert_eq!(thing_of(&text(thing)), Some(thing));
        }
        for bad in ["", "13", "13:", "999:0190a6b2-5c1e-7a3b-8f00-0123456789ab", "reply:x"] {
            assert_eq!(thing_of(bad), None, "{bad}");
        }
        assert_eq!(note(Id::NIL, Root::reply(id)), None);
    }
}
