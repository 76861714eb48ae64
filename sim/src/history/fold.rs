//! What a follower holds who was sent certain pages of changes: folded from the replies alone, so that it can be
//! compared with what another follower holds who came another way.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::read::position;
use super::{Evidence, Record};

/// A row that is held: root, section, kind of item, type, id.
pub type Key = (String, String, String, String, String);

/// What one follower came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folded<'a> {
    /// The app.
    pub app: &'a str,
    /// Whose it is.
    pub user: &'a str,
    /// Who followed.
    pub process: &'a str,
    /// Roots that were asked for in the end, beside one's own.
    pub wanted: BTreeSet<String>,
    /// Sections that were granted, beside those of one's own root: root and section.
    pub scopes: BTreeSet<(String, String)>,
    /// The rows, each with the position of its last change and its value.
    pub rows: BTreeMap<Key, (u64, Value)>,
}

/// All who followed from the start to an end, each by the way that leads to the last page that they were sent. Which
/// replies a follower used, its cursors say: each page names the one after which it comes.
pub fn folded(evidence: &Evidence) -> Vec<Folded<'_>> {
    let mut processes: BTreeMap<(&str, &str, &str), Vec<&Record>> = BTreeMap::new();
    for record in evidence.all().filter(|record| record.method == "sync.pull" && record.mischief.is_none()) {
        if let (Some(user), Some(_)) = (record.user.as_deref(), record.ok()) {
            processes.entry((&record.app, user, &record.process)).or_default().push(record);
        }
    }
    let fold = |((app, user, process), pages): ((_, _, _), Vec<&Record>)| {
        let way = way(pages)?;
        let (scopes, rows) = fold(&way);
        let roots = way.last().and_then(|last| last.args["roots"].as_array());
        let wanted = roots.into_iter().flatten().filter_map(|root| Some(root.as_str()?.to_owned())).collect();
        Some(Folded { app, user, process, wanted, scopes, rows })
    };
    processes.into_iter().filter_map(fold).collect()
}

/// The pages that lead from the start to the last one; nothing if one of them is not known.
fn way(mut pages: Vec<&Record>) -> Option<Vec<&Record>> {
    pages.sort_by_key(|record| record.returned);
    let is_end = |record: &&Record| record.ok().is_some_and(|reply| reply["end"] == true);
    let mut last = pages.iter().rposition(is_end)?;
    let mut way = vec![pages[last]];
    while let Some(cursor) = pages[last].arg("cursor") {
        let before = &pages[..last];
        last =
            before.iter().rposition(|record| record.ok().is_some_and(|reply| reply["cursor"] == cursor))?;
        way.push(pages[last]);
    }
    way.reverse();
    Some(way)
}

type State = (BTreeSet<(String, String)>, BTreeMap<Key, (u64, Value)>);

fn fold(pages: &[&Record]) -> State {
    let mut scopes: BTreeSet<(String, String)> = BTreeSet::new();
    let mut rows: BTreeMap<Key, (u64, Value)> = BTreeMap::new();
    // Rows that have not been sent again since a resync of their scope began.
    let mut unseen: BTreeSet<Key> = BTreeSet::new();
    for page in pages {
        for item in page.items() {
            let text = |name: &str| item[name].as_str().unwrap_or_default().to_owned();
            let (op, scope) = (text("op"), (text("root"), text("section")));
            let of_scope = |key: &&Key| (&key.0, &key.1) == (&scope.0, &scope.1);
            match op.as_str() {
                "put" | "mark" => {
                    let key = (scope.0.clone(), scope.1.clone(), op, text("type"), text("id"));
                    let mut value = item["value"].clone();
                    // The count of a link's list is that of the moment at which it was sent.
                    value.as_object_mut().map(|fields| fields.remove("count"));
                    unseen.remove(&key);
                    rows.insert(key, (position(&text("rev")).unwrap_or(0), value));
                }
                "delete" => {
                    rows.remove(&(scope.0, scope.1, "put".to_owned(), text("type"), text("id")));
                }
                "resync" => unseen.extend(rows.keys().filter(of_scope).cloned()),
                "scopeAdded" => drop(scopes.insert(scope)),
                "scopeDropped" => {
                    rows.retain(|key, _| !of_scope(&key));
                    scopes.remove(&scope);
                }
                _ => {}
            }
        }
        if page.ok().is_some_and(|reply| reply["end"] == true) {
            std::mem::take(&mut unseen).iter().for_each(|key| drop(rows.remove(key)));
        }
    }
    (scopes, rows)
}

#[cfg(test)]
mod tests {
    use super::super::Outcome;
    use super::*;
    use serde_json::json;

    fn page(cursor: Option<&str>, items: Value, next: &str, end: bool, at: u64) -> Record {
        let reply = json!({ "items": items, "cursor": next, "end": end });
        Record {
            process: "p".into(),
            app: "one".into(),
            user: Some("u".into()),
            session: None,
            op: None,
            method: "sync.pull".into(),
            args: cursor.map_or(json!({}), |cursor| json!({ "cursor": cursor })),
            position: None,
            mischief: None,
            invoked: at,
            returned: Some(at + 1),
            outcome: Outcome::of_answer(200, reply, None, false, None),
        }
    }

    fn put(id: &str, rev: &str) -> Value {
        let root = json!({ "root": "post:1", "section": "public", "type": "post" });
        let mut item = json!({ "op": "put", "id": id, "rev": rev, "value": { "count": 3, "text": rev } });
        item.as_object_mut().unwrap().extend(root.as_object().unwrap().clone());
        item
    }

    fn ids(calls: Vec<Record>) -> Option<Vec<String>> {
        let evidence = Evidence { calls, ..Evidence::default() };
        let folded = folded(&evidence);
        folded.first().map(|folded| folded.rows.keys().map(|key| key.4.clone()).collect())
    }

    #[test]
    fn pages_are_folded_along_their_cursors() {
        let first = page(None, json!([put("a", "1.0"), put("b", "2.0")]), "c1", false, 10);
        // Sent, and not used: another page was asked for with the same cursor.
        let ignored = page(Some("c1"), json!([put("z", "3.0")]), "c9", false, 20);
        let gone =
            json!({ "op": "delete", "root": "post:1", "section": "public", "type": "post", "id": "a" });
        let last = page(Some("c1"), json!([gone, put("c", "4.0")]), "c2", true, 30);
        assert_eq!(ids(vec![first.clone(), ignored, last.clone()]), Some(vec!["b".into(), "c".into()]));
        assert_eq!(ids(vec![last]), None, "where it began is not known");
        assert_eq!(ids(vec![first]), None, "it has no end");
    }

    #[test]
    fn what_a_resync_does_not_send_again_is_gone_at_its_end_and_a_dropped_scope_at_once() {
        let of = |op: &str| json!({ "op": op, "root": "post:1", "section": "public" });
        let first = page(None, json!([put("a", "1.0"), put("b", "2.0")]), "c1", true, 10);
        let resync = page(Some("c1"), json!([of("resync"), put("b", "2.1")]), "c2", false, 20);
        let end = page(Some("c2"), json!([put("c", "3.1")]), "c3", true, 30);
        assert_eq!(ids(vec![first.clone(), resync, end]), Some(vec!["b".into(), "c".into()]));
        assert_eq!(
            ids(vec![first, page(Some("c1"), json!([of("scopeDropped")]), "c2", true, 20)]),
            Some(vec![])
        );
    }
}
