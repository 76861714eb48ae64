//! Roles inside an app: which a profile holds, and what they allow.
//!
//! Two are built in: `moderator` and `admin`. An app may make more of its own, each a list of methods. A grant is a node in
//! the profile's root, so that its holder's phone sees it; a grant that was taken back or has run out stays, as one that ended.

use gomer_core::fault::Fault;
use gomer_core::id::{Id, Root};
use gomer_core::meta::state::App;
use gomer_core::rows::node::Node;
use gomer_core::time::Time;
use gomer_core::vnode::query::{Answer, Query};
use gomer_net::cluster::Cluster;

use crate::model::{ADMIN_ROLE, GRANT, MODERATOR_ROLE, grant_id};
use crate::registry::Role;

/// Attribute of a grant: the role's name, as JSON text.
pub const ROLE: &str = "role";
/// Attribute of a grant: when it ends, as JSON text of a time. Absent: it stays.
pub const UNTIL: &str = "until";

/// Longest name of a role.
pub const NAME_MAX: usize = 40;

/// Whether this can be the name of a role of the app's own: 1 to 40 of `a-z`, `0-9` and `-`, and none that means
/// something already.
pub fn is_own_name(name: &str) -> bool {
    const TAKEN: [&str; 7] = ["admin", "anonymous", "app-admin", "moderator", "operator", "owner", "user"];
    (1..=NAME_MAX).contains(&name.len())
        && name.bytes().all(|c| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        && !TAKEN.contains(&name)
}

/// Whether there is such a role in the app.
pub fn exists(app: &App, name: &str) -> bool {
    [MODERATOR_ROLE, ADMIN_ROLE].contains(&name) || app.roles.contains_key(name)
}

/// When a grant ends, if it is to end. What cannot be read has ended: a role is never held by mistake.
pub fn until(grant: &Node) -> Option<Time> {
    let json = grant.attr(UNTIL)?;
    let text: Option<&str> = serde_json::from_str(json).ok();
    Some(text.and_then(|text| text.parse().ok()).unwrap_or(Time::ZERO))
}

/// Whether a grant is in force.
pub fn in_force(grant: &Node, now: Time) -> bool {
    grant.ty == GRANT && until(grant).is_none_or(|until| now < until)
}

/// The roles that a profile holds now, in alphabetical order.
pub async fn held(cluster: &Cluster, app: &App, profile: Id, now: Time) -> Result<Vec<String>, Fault> {
    let mut held = Vec::new();
    let own = app.roles.keys().map(String::as_str);
    for role in [ADMIN_ROLE, MODERATOR_ROLE].into_iter().chain(own) {
        let grant = Query::Node(grant_id(profile, role));
        let reading = cluster.read(app.id, Root::profile(profile), grant).await?;
        if let Answer::Node(Some(grant)) = reading.answer
            && in_force(&grant, now)
        {
            held.push(role.to_owned());
        }
    }
    held.sort_unstable();
    Ok(held)
}

/// Whether somebody signed in who holds these roles may call a method that asks for `least`. Whether the target is
/// theirs is the method's business.
pub fn allow(app: &App, held: &[String], method: &str, least: Role) -> bool {
    let holds = |role: &str| held.iter().any(|held| held == role);
    let by_own_role = || {
        let named =
            |role: &String| app.roles.get(role).is_some_and(|role| role.methods.iter().any(|m| m == method));
        held.iter().any(named)
    };
    match least {
        Role::Anonymous | Role::User | Role::Owner => true,
        Role::Moderator => holds(MODERATOR_ROLE) || holds(ADMIN_ROLE) || by_own_role(),
        Role::AppAdmin => holds(ADMIN_ROLE) || by_own_role(),
        Role::Operator => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gomer_core::id::{Position, Section};
    use gomer_core::meta::state::Role as OwnRole;
    use gomer_core::rows::node::{Attr, Flags};

    fn grant(until: Option<&str>) -> Node {
        let attr = |json: &str| Attr { json: Some(json.to_owned()), stamp: Default::default() };
        Node {
            ty: GRANT,
            section: Section::PRIVATE,
            author: Id::NIL,
            rev: Position(1),
            created: Time::ZERO,
            updated: Time::ZERO,
            flags: Flags::default(),
            attrs: until.map(|until| (UNTIL.to_owned(), attr(until))).into_iter().collect(),
        }
    }

    #[test]
    fn a_grant_ends_when_it_says_and_a_bad_one_is_none() {
        let now = Time::from_millis(1_000);
        assert!(in_force(&grant(None), now));
        assert!(in_force(&grant(Some("\"1970-01-01T00:00:01.001Z\"")), now));
        assert!(!in_force(&grant(Some("\"1970-01-01T00:00:01.000Z\"")), now));
        for bad in ["\"soon\"", "7", "{"] {
            assert!(!in_force(&grant(Some(bad)), now), "{bad}");
        }
        assert!(!in_force(&Node { ty: crate::model::MUTE, ..grant(None) }, now), "another node of that id");
    }

    #[test]
    fn roles_allow_what_they_say_and_nobody_is_the_operator() {
        let mut app = crate::host::nowhere();
        let own = OwnRole { methods: vec!["moderation.listQueue".into()], rev: Position(1) };
        app.roles.insert("reader".into(), own);
        let may = |held: &[&str], method: &str, least| {
            let held: Vec<String> = held.iter().map(|role| (*role).to_owned()).collect();
            allow(&app, &held, method, least)
        };
        assert!(may(&[], "post.create", Role::User));
        assert!(may(&["reader"], "moderation.listQueue", Role::Moderator));
        assert!(!may(&["reader"], "moderation.ban", Role::Moderator));
        assert!(
            !may(&["gone"], "moderation.listQueue", Role::Moderator),
            "a role that is no more allows nothing"
        );
        assert!(may(&["moderator"], "moderation.ban", Role::Moderator));
        assert!(!may(&["moderator"], "admin.getSettings", Role::AppAdmin));
        assert!(may(&["admin"], "admin.getSettings", Role::AppAdmin));
        assert!(may(&["admin"], "moderation.ban", Role::Moderator));
        assert!(!may(&["admin"], "cluster.getStatus", Role::Operator));
    }

    #[test]
    fn names_that_mean_something_are_taken() {
        for good in ["a", "night-shift", "x2"] {
            assert!(is_own_name(good), "{good}");
        }
        for bad in ["", "admin", "moderator", "Owner", "owner", "a b", "ä", &"x".repeat(41)] {
            assert!(!is_own_name(bad), "{bad}");
        }
    }
}
