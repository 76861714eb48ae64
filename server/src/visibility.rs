//! Who may see what: one function, which decides for every output.
//!
//! Must never learn: where rows come from, which method asks. It is given what is known of the viewer, of the
//! thing and of the tie between the two.

use gomer_core::id::Id;
use gomer_core::rows::node::Flags;

use crate::model::MODERATOR_ROLE;
use crate::registry::Caller;

/// Who looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Viewer {
    /// Somebody with the app's client key.
    Anonymous,
    /// Somebody signed in, or for whom the app's server acts.
    Person(Id),
    /// A moderator.
    Moderator(Id),
    /// The app's administrators and its own server.
    App,
    /// The operator of the cluster, who has no rights inside an app.
    Operator,
}

impl Viewer {
    /// What a caller is as a viewer.
    pub fn of(caller: &Caller) -> Viewer {
        match caller {
            Caller::Anonymous => Viewer::Anonymous,
            Caller::User { profile, roles, .. } => {
                let holds = |role: &str| roles.iter().any(|held| held == role);
                if holds(crate::model::ADMIN_ROLE) || holds(MODERATOR_ROLE) {
                    Viewer::Moderator(*profile)
                } else {
                    Viewer::Person(*profile)
                }
            }
            Caller::Server { acting_as: Some(profile) } => Viewer::Person(*profile),
            Caller::Server { acting_as: None } | Caller::Admin => Viewer::App,
            Caller::Operator => Viewer::Operator,
        }
    }

    /// The profile, if the viewer has one.
    pub fn profile(self) -> Option<Id> {
        match self {
            Viewer::Person(profile) | Viewer::Moderator(profile) => Some(profile),
            Viewer::Anonymous | Viewer::App | Viewer::Operator => None,
        }
    }
}

/// For whom its owner made a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Everybody, signed in or not.
    Public,
    /// Everybody who is signed in.
    Members,
    /// Those who follow the owner.
    Followers,
    /// Those whom the owner named.
    Named,
    /// The owner.
    OnlyMe,
}

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thing {
    /// Whether it is the owner's profile itself: of a private one, everybody sees the outline.
    pub is_profile: bool,
    /// Whose it is.
    pub owner: Id,
    /// The owner's marks: banned, private.
    pub owner_flags: Flags,
    /// Its own marks: removed, hidden.
    pub flags: Flags,
    /// For whom.
    pub audience: Audience,
}

impl Thing {
    /// A profile.
    pub fn profile(id: Id, flags: Flags) -> Thing {
        Thing { is_profile: true, owner: id, owner_flags: flags, flags, audience: Audience::Public }
    }

    /// Something that a profile made.
    pub fn of(owner: Id, owner_flags: Flags, flags: Flags, audience: Audience) -> Thing {
        Thing { is_profile: false, owner, owner_flags, flags, audience }
    }
}

/// What is between viewer and owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tie {
    /// One of them blocks the other.
    pub blocked: bool,
    /// The viewer follows the owner.
    pub follows: bool,
    /// The owner named the viewer, for this thing.
    pub named: bool,
}

/// How much of it may be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sight {
    /// Nothing: it answers like something that does not exist.
    Nothing,
    /// Of a private profile: that there is one, its handle, name, picture and counts.
    Outline,
    /// Everything.
    Whole,
}

/// Decides.
///
/// - Owners see what is theirs, also when it was taken down.
/// - The app's administrators see everything; moderators all but what is for named people or for its owner.
///   Blocks do not bind them.
/// - For everybody else: a block, either way, hides all; what is removed, hidden or a banned person's is hidden;
///   what a private profile publishes for all is for its followers.
/// - The operator of the cluster sees nothing.
pub fn sight(viewer: Viewer, thing: Thing, tie: Tie) -> Sight {
    let whole_if = |allowed: bool| if allowed { Sight::Whole } else { Sight::Nothing };
    if viewer.profile() == Some(thing.owner) {
        return Sight::Whole;
    }
    match viewer {
        Viewer::App => return Sight::Whole,
        Viewer::Operator => return Sight::Nothing,
        Viewer::Moderator(_) => match thing.audience {
            Audience::Public | Audience::Members | Audience::Followers => return Sight::Whole,
            Audience::Named | Audience::OnlyMe => {}
        },
        Viewer::Person(_) | Viewer::Anonymous => {}
    }
    let taken_down = thing.flags.has(Flags::REMOVED) || thing.flags.has(Flags::HIDDEN);
    if tie.blocked || taken_down || thing.owner_flags.has(Flags::BANNED) {
        return Sight::Nothing;
    }
    let is_private = thing.owner_flags.has(Flags::PRIVATE);
    match thing.audience {
        Audience::Public | Audience::Members if is_private && !tie.follows => {
            if thing.is_profile {
                Sight::Outline
            } else {
                Sight::Nothing
            }
        }
        Audience::Public => Sight::Whole,
        Audience::Members => whole_if(viewer.profile().is_some()),
        Audience::Followers => whole_if(tie.follows),
        Audience::Named => whole_if(tie.named),
        Audience::OnlyMe => Sight::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: Id = Id::from_bytes([1; 16]);
    const ANN: Id = Id::from_bytes([2; 16]);

    /// One line of the table; `None` stands for either.
    struct Line {
        viewer: Option<Viewer>,
        audience: Option<Audience>,
        profile: Option<bool>,
        blocked: Option<bool>,
        banned: Option<bool>,
        flagged: Option<bool>,
        private: Option<bool>,
        follows: Option<bool>,
        named: Option<bool>,
        sight: Sight,
    }

    const ANY: Line = Line {
        viewer: None,
        audience: None,
        profile: None,
        blocked: None,
        banned: None,
        flagged: None,
        private: None,
        follows: None,
        named: None,
        sight: Sight::Nothing,
    };

    /// The rule, as a table: the first line that fits decides.
    fn table() -> Vec<Line> {
        use Audience::{Followers, Members, Named, OnlyMe, Public};
        use Sight::{Nothing, Outline, Whole};
        let moderator = Some(Viewer::Moderator(ME));
        vec![
            Line { viewer: Some(Viewer::Person(ANN)), sight: Whole, ..ANY },
            Line { viewer: Some(Viewer::Moderator(ANN)), sight: Whole, ..ANY },
            Line { viewer: Some(Viewer::App), sight: Whole, ..ANY },
            Line { viewer: Some(Viewer::Operator), sight: Nothing, ..ANY },
            Line { viewer: moderator, audience: Some(Public), sight: Whole, ..ANY },
            Line { viewer: moderator, audience: Some(Members), sight: Whole, ..ANY },
            Line { viewer: moderator, audience: Some(Followers), sight: Whole, ..ANY },
            Line { blocked: Some(true), sight: Nothing, ..ANY },
            Line { banned: Some(true), sight: Nothing, ..ANY },
            Line { flagged: Some(true), sight: Nothing, ..ANY },
            Line { audience: Some(OnlyMe), sight: Nothing, ..ANY },
            Line { audience: Some(Named), named: Some(true), sight: Whole, ..ANY },
            Line { audience: Some(Named), sight: Nothing, ..ANY },
            Line { audience: Some(Followers), follows: Some(true), sight: Whole, ..ANY },
            Line { audience: Some(Followers), sight: Nothing, ..ANY },
            Line { profile: Some(true), private: Some(true), follows: Some(false), sight: Outline, ..ANY },
            Line { private: Some(true), follows: Some(false), sight: Nothing, ..ANY },
            Line { audience: Some(Public), sight: Whole, ..ANY },
            Line { audience: Some(Members), viewer: Some(Viewer::Anonymous), sight: Nothing, ..ANY },
            Line { audience: Some(Members), sight: Whole, ..ANY },
        ]
    }

    fn fits<T: PartialEq>(wanted: &Option<T>, is: &T) -> bool {
        wanted.as_ref().is_none_or(|wanted| wanted == is)
    }

    #[test]
    fn the_function_is_the_table() {
        use Audience::{Followers, Members, Named, OnlyMe, Public};
        let table = table();
        let mut used = vec![0; table.len()];
        let viewers = [
            Viewer::Anonymous,
            Viewer::Person(ME),
            Viewer::Person(ANN),
            Viewer::Moderator(ME),
            Viewer::Moderator(ANN),
            Viewer::App,
            Viewer::Operator,
        ];
        for viewer in viewers {
            for audience in [Public, Members, Followers, Named, OnlyMe] {
                for bits in 0..1 << 8 {
                    let [profile, blocked, banned, removed, hidden, private, follows, named] =
                        std::array::from_fn(|bit| bits >> bit & 1 == 1);
                    let mark = |on: bool, flag: Flags| if on { flag } else { Flags::default() };
                    let flags = mark(removed, Flags::REMOVED).changed(mark(hidden, Flags::HIDDEN), Flags(0));
                    let owner_flags =
                        mark(banned, Flags::BANNED).changed(mark(private, Flags::PRIVATE), Flags(0));
                    let thing = Thing { is_profile: profile, owner: ANN, owner_flags, flags, audience };
                    let line = table.iter().position(|line| {
                        fits(&line.viewer, &viewer)
                            && fits(&line.audience, &audience)
                            && fits(&line.profile, &profile)
                            && fits(&line.blocked, &blocked)
                            && fits(&line.banned, &banned)
                            && fits(&line.flagged, &(removed || hidden))
                            && fits(&line.private, &private)
                            && fits(&line.follows, &follows)
                            && fits(&line.named, &named)
                    });
                    let line = line.expect("the table covers everything");
                    used[line] += 1;
                    let tie = Tie { blocked, follows, named };
                    assert_eq!(sight(viewer, thing, tie), table[line].sight, "{viewer:?} {thing:?} {tie:?}");
                }
            }
        }
        assert!(used.iter().all(|&n| n > 0), "each line decides something: {used:?}");
    }

    #[test]
    fn a_blocked_moderator_and_a_role_without_a_meaning_here() {
        let thing = Thing::of(ANN, Flags::default(), Flags::REMOVED, Audience::Public);
        let tie = Tie { blocked: true, ..Tie::default() };
        assert_eq!(sight(Viewer::Moderator(ME), thing, tie), Sight::Whole);
        let editor = Caller::User { profile: ME, device: ME, roles: vec!["editor".into()] };
        assert_eq!(sight(Viewer::of(&editor), thing, tie), Sight::Nothing);
    }

    #[test]
    fn the_server_acting_for_somebody_sees_what_that_person_sees() {
        let thing = Thing::profile(ANN, Flags::PRIVATE);
        let as_me = Viewer::of(&Caller::Server { acting_as: Some(ME) });
        assert_eq!(sight(as_me, thing, Tie::default()), Sight::Outline);
        assert_eq!(
            sight(Viewer::of(&Caller::Server { acting_as: None }), thing, Tie::default()),
            Sight::Whole
        );
    }
}
