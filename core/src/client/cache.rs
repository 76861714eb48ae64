//! What the server has let the phone see, and how pages change it.
//!
//! A page is applied whole and stored together with its cursor ([`super::commit`]). Within a resync the
//! cache is a mixture of old and new; only at the page with `end` is it a state that the server had.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::action::Turn;
use super::wire::Item;

/// A part of a root that is visible as a whole or not at all; the unit of a resync.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Scope {
    /// The root, as on the wire: `profile:UUID`, `post:UUID`.
    pub root: String,
    /// The section's name: `private`, `public`, `inverse`.
    pub section: String,
}

/// What a row of the cache is. A read mark may have the type and id of the stream that it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// A node, link or entry.
    Entity,
    /// How far somebody has read.
    Mark,
}

/// Names a row of the cache. Ordered by scope first, so that a scope is a range.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    /// Where it lives.
    pub scope: Scope,
    /// Entity or mark.
    pub kind: Kind,
    /// Its type, as the app's schema names it.
    #[serde(rename = "type")]
    pub of_type: String,
    /// Its id within the type.
    pub id: String,
}

impl Key {
    /// The key of an entity.
    pub fn entity(scope: &Scope, of_type: &str, id: &str) -> Key {
        Key { scope: scope.clone(), kind: Kind::Entity, of_type: of_type.to_owned(), id: id.to_owned() }
    }

    /// Not after any key of the scope.
    fn first_of(scope: &Scope) -> Key {
        Key::entity(scope, "", "")
    }
}

/// Counts resyncs, so that a row can say since which one it is known to be alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Round(u64);

/// The server's latest word on one entity or mark.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Its revision; opaque. Sent as `ifRev` by a write that must not overrule anybody.
    pub rev: String,
    /// Its value.
    pub value: Value,
    /// The round that was current when it last arrived. Stored with the row, so that a resync survives
    /// a crash between its pages.
    seen: Round,
}

/// What the phone knows of a scope that it reads.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Held {
    /// Which grant opened it; nothing for what needs none.
    grant: Option<String>,
    /// Being resynced since this round: rows not seen in it are swept at `end`.
    resync: Option<Round>,
}

/// All rows, by key.
#[derive(Debug, Default)]
pub struct Cache {
    rows: BTreeMap<Key, Row>,
    scopes: BTreeMap<Scope, Held>,
    round: Round,
}

impl Cache {
    /// The cache as it was stored.
    pub(super) fn restore(rows: BTreeMap<Key, Row>, scopes: BTreeMap<Scope, Held>, round: Round) -> Cache {
        Cache { rows, scopes, round }
    }

    /// One row, as the server last sent it.
    pub fn get(&self, key: &Key) -> Option<&Row> {
        self.rows.get(key)
    }

    /// All rows, in order of their keys.
    pub fn rows(&self) -> impl Iterator<Item = (&Key, &Row)> {
        self.rows.iter()
    }

    /// The rows of one scope, in order of their keys.
    pub fn rows_of<'a>(&'a self, scope: &'a Scope) -> impl Iterator<Item = (&'a Key, &'a Row)> {
        self.rows.range(Key::first_of(scope)..).take_while(move |(key, _)| key.scope == *scope)
    }

    /// Whether a resync is under way, so that the cache may show what no longer exists.
    pub fn is_resyncing(&self) -> bool {
        self.scopes.values().any(|held| held.resync.is_some())
    }

    /// Applies one page. `end`: the server has nothing more, so that resyncs are complete.
    pub(super) fn apply(&mut self, items: Vec<Item>, end: bool, turn: &mut Turn) {
        for item in items {
            match item {
                Item::Put { key, rev, value } => self.put(key, rev, value, turn),
                Item::Delete { key } => self.remove(key, turn),
                Item::Resync { scope } => self.begin_resync([scope], turn),
                Item::ScopeAdded { scope, grant } => self.admit(scope, grant, turn),
                Item::ScopeDropped { scope } => self.drop_scope(scope, turn),
                Item::Unknown => {}
            }
        }
        if end {
            self.finish_resyncs(turn);
        }
    }

    /// Everything is to be sent again from zero: whatever does not come by `end` is gone.
    pub(super) fn begin_full_resync(&mut self, turn: &mut Turn) {
        let all: Vec<Scope> = self.scopes.keys().cloned().collect();
        self.begin_resync(all, turn);
    }

    fn put(&mut self, key: Key, rev: String, value: Value, turn: &mut Turn) {
        if !self.scopes.contains_key(&key.scope) {
            self.set_scope(key.scope.clone(), Some(Held::default()), turn);
        }
        let row = Row { rev, value, seen: self.round };
        let same = self.rows.get(&key).is_some_and(|old| (&old.rev, &old.value) == (&row.rev, &row.value));
        if !same {
            turn.changed(&key);
        }
        turn.commit.rows.insert(key.clone(), Some(row.clone()));
        self.rows.insert(key, row);
    }

    fn remove(&mut self, key: Key, turn: &mut Turn) {
        if self.rows.remove(&key).is_some() {
            turn.changed(&key);
            turn.commit.rows.insert(key, None);
        }
    }

    /// Starts a new round: what these scopes hold now must be seen again to stay.
    fn begin_resync(&mut self, scopes: impl IntoIterator<Item = Scope>, turn: &mut Turn) {
        self.round = Round(self.round.0 + 1);
        turn.commit.round = Some(self.round);
        for scope in scopes {
            let mut held = self.scopes.get(&scope).cloned().unwrap_or_default();
            held.resync = Some(self.round);
            self.set_scope(scope, Some(held), turn);
        }
    }

    /// A scope is granted. The grant that is already known comes again whenever its row is sent again,
    /// and means nothing; another grant means that access was lost and given back in between, so that
    /// deletes were missed.
    fn admit(&mut self, scope: Scope, grant: String, turn: &mut Turn) {
        let known = self.scopes.get(&scope).cloned().unwrap_or_default();
        let regranted = known.grant.as_ref().is_some_and(|old| *old != grant);
        let complete = known.resync.is_none();
        self.set_scope(scope.clone(), Some(Held { grant: Some(grant), ..known }), turn);
        if regranted && complete {
            self.begin_resync([scope], turn);
        }
    }

    fn drop_scope(&mut self, scope: Scope, turn: &mut Turn) {
        self.sweep(&scope, |_| true, turn);
        if self.scopes.contains_key(&scope) {
            self.set_scope(scope, None, turn);
        }
    }

    fn finish_resyncs(&mut self, turn: &mut Turn) {
        let open = self.scopes.iter().filter_map(|(scope, held)| Some((scope.clone(), held.resync?)));
        for (scope, round) in open.collect::<Vec<_>>() {
            self.sweep(&scope, |row| row.seen < round, turn);
            let grant = self.scopes.get(&scope).and_then(|held| held.grant.clone());
            let left = self.rows_of(&scope).next().is_some().then_some(Held { grant, resync: None });
            self.set_scope(scope, left, turn);
        }
    }

    fn sweep(&mut self, scope: &Scope, is_dead: impl Fn(&Row) -> bool, turn: &mut Turn) {
        let dead = self.rows_of(scope).filter(|(_, row)| is_dead(row)).map(|(key, _)| key.clone());
        for key in dead.collect::<Vec<_>>() {
            self.remove(key, turn);
        }
    }

    fn set_scope(&mut self, scope: Scope, held: Option<Held>, turn: &mut Turn) {
        match held.clone() {
            Some(held) => self.scopes.insert(scope.clone(), held),
            None => self.scopes.remove(&scope),
        };
        turn.commit.scopes.insert(scope, held);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn scope(root: &str) -> Scope {
        Scope { root: root.to_owned(), section: "public".to_owned() }
    }

    fn put(root: &str, id: &str, rev: &str) -> Item {
        let key = Key::entity(&scope(root), "post", id);
        Item::Put { key, rev: rev.to_owned(), value: json!({ "rev": rev }) }
    }

    /// Applies pages of (items, end) and says which ids are left.
    fn ids_after(pages: Vec<(Vec<Item>, bool)>) -> Vec<String> {
        let mut cache = Cache::default();
        for (items, end) in pages {
            cache.apply(items, end, &mut Turn::default());
        }
        cache.rows().map(|(key, _)| format!("{}/{}", key.scope.root, key.id)).collect()
    }

    #[test]
    fn a_resync_keeps_what_it_touched_on_any_page_and_sweeps_the_rest_of_that_scope_only() {
        let left = ids_after(vec![
            (vec![put("a", "1", "1"), put("a", "2", "2"), put("a", "3", "3"), put("b", "9", "4")], true),
            (vec![Item::Resync { scope: scope("a") }, put("a", "1", "1")], false),
            (vec![put("a", "3", "5")], true),
        ]);
        assert_eq!(left, ["a/1", "a/3", "b/9"]);
    }

    #[test]
    fn nothing_is_swept_before_the_end() {
        let left = ids_after(vec![
            (vec![put("a", "1", "1"), put("a", "2", "2")], true),
            (vec![Item::Resync { scope: scope("a") }, put("a", "1", "1")], false),
        ]);
        assert_eq!(left, ["a/1", "a/2"]);
    }

    #[test]
    fn a_resync_that_starts_again_does_not_trust_its_first_half() {
        let resync = || Item::Resync { scope: scope("a") };
        let left = ids_after(vec![
            (vec![put("a", "1", "1"), put("a", "2", "2")], true),
            (vec![resync(), put("a", "1", "1")], false),
            (vec![resync(), put("a", "2", "2")], true),
        ]);
        assert_eq!(left, ["a/2"]);
    }

    #[test]
    fn the_same_grant_again_sweeps_nothing_but_another_grant_does() {
        let added = |grant: &str| Item::ScopeAdded { scope: scope("a"), grant: grant.to_owned() };
        let first = || (vec![added("7"), put("a", "1", "1"), put("a", "2", "2")], true);
        assert_eq!(ids_after(vec![first(), (vec![added("7")], true)]), ["a/1", "a/2"]);
        assert_eq!(ids_after(vec![first(), (vec![added("9"), put("a", "2", "2")], true)]), ["a/2"]);
    }

    #[test]
    fn a_grant_inside_a_resync_does_not_start_it_anew() {
        let added = |grant: &str| Item::ScopeAdded { scope: scope("a"), grant: grant.to_owned() };
        let left = ids_after(vec![
            (vec![added("7"), put("a", "1", "1")], true),
            (vec![Item::Resync { scope: scope("a") }, put("a", "1", "1"), added("9")], true),
        ]);
        assert_eq!(left, ["a/1"]);
    }

    #[test]
    fn a_dropped_scope_takes_its_rows_and_a_mark_is_not_the_entity_of_its_name() {
        let mark_key = Key { kind: Kind::Mark, ..Key::entity(&scope("b"), "post", "9") };
        let mark = Item::Put { key: mark_key, rev: "5".to_owned(), value: json!({"read": "4"}) };
        let left = ids_after(vec![
            (vec![put("a", "1", "1"), put("b", "9", "4"), mark], true),
            (vec![Item::ScopeDropped { scope: scope("a") }], true),
            (vec![Item::Delete { key: Key::entity(&scope("b"), "post", "9") }], true),
        ]);
        assert_eq!(left, ["b/9"], "the mark stays when its entity goes");
    }

    #[test]
    fn what_comes_again_unchanged_is_stored_as_seen_but_not_reported() {
        let mut cache = Cache::default();
        cache.apply(vec![put("a", "1", "1")], true, &mut Turn::default());
        let mut turn = Turn::default();
        cache.apply(vec![Item::Resync { scope: scope("a") }, put("a", "1", "1")], true, &mut turn);
        assert!(turn.changes().is_empty());
        assert_eq!(turn.commit.rows.len(), 1);
        cache.apply(vec![Item::Delete { key: Key::entity(&scope("a"), "post", "nobody") }], true, &mut turn);
        assert!(turn.changes().is_empty(), "a delete of what was never seen changes nothing");
    }
}
