//! The methods, one file (or folder) per service; and `publication`, which several of them share.
//!
//! Must never learn: HTTP, how many members there are, the clock. A handler reads rows of roots, writes one
//! root, and gives steps along for the others.

pub mod account;
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
pub mod cluster_back;
mod cluster_changes;
mod cluster_config;
mod cluster_ring;
mod cluster_status;
pub mod device;
pub mod follow;
pub mod graph;
pub mod hook;
pub mod like;
pub mod media;
pub mod moderation;
pub mod news;
pub mod note;
pub mod notification;
pub mod permission;
pub mod photo;
pub mod post;
pub mod profile;
pub mod publication;
pub mod push;
pub mod realtime;
pub mod reply;
pub mod search;
pub mod share;
pub mod source;
pub mod sync;
pub mod system;
pub mod timeline;
pub mod tweet;

use crate::registry::Method;

/// Every method of the program. One line per service, in alphabetical order.
pub fn all() -> Vec<Method> {
    [
        account::methods(),
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
        hook::methods(),
        like::methods(),
        media::methods(),
        moderation::methods(),
        news::methods(),
        notification::methods(),
        note::methods(),
        permission::methods(),
        photo::methods(),
        post::methods(),
        profile::methods(),
        push::methods(),
        realtime::methods(),
        reply::methods(),
        search::methods(),
        share::methods(),
        sync::methods(),
        system::methods(),
        timeline::methods(),
        tweet::methods(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[cfg(test)]
mod app_test;
#[cfg(test)]
mod cluster_changes_test;
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
