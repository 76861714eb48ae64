//! The methods, one file (or folder) per service; and `publication`, which several of them share.
//!
//! Must never learn: HTTP, how many members there are, the clock. A handler reads rows of roots, writes one
//! root, and gives steps along for the others.

pub mod activity;
pub mod admin;
pub mod album;
pub mod app;
pub mod auth;
pub mod batch;
pub mod block;
pub mod changes;
pub mod chat;
pub mod checkin;
pub mod cluster;
mod cluster_status;
pub mod device;
pub mod follow;
pub mod graph;
pub mod like;
pub mod media;
pub mod moderation;
pub mod note;
pub mod notification;
pub mod permission;
pub mod photo;
pub mod post;
pub mod profile;
pub mod publication;
pub mod realtime;
pub mod reply;
pub mod share;
pub mod sync;
pub mod system;
pub mod timeline;

use crate::registry::Method;

/// Every method of the program. One line per service, in alphabetical order.
pub fn all() -> Vec<Method> {
    [
        activity::methods(),
        admin::methods(),
        album::methods(),
        app::methods(),
        auth::methods(),
        batch::methods(),
        block::methods(),
        chat::methods(),
        checkin::methods(),
        cluster::methods(),
        device::methods(),
        follow::methods(),
        graph::methods(),
        like::methods(),
        media::methods(),
        moderation::methods(),
        notification::methods(),
        note::methods(),
        permission::methods(),
        photo::methods(),
        post::methods(),
        profile::methods(),
        realtime::methods(),
        reply::methods(),
        share::methods(),
        sync::methods(),
        system::methods(),
        timeline::methods(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[cfg(test)]
mod app_test;
#[cfg(test)]
mod cluster_test;

#[cfg(test)]
mod tests {
    use crate::registry::Registry;

    #[test]
    fn every_declaration_is_sound() {
        assert!(!Registry::new(super::all()).is_empty());
    }
}
