//! An ordered map from bytes to bytes whose copies are free: nodes are shared until one side changes.
//!
//! A treap (Aragon, Seidel, FOCS 1989) whose priorities are a hash of the key: the shape depends on
//! what is in it and on nothing else, so it is the same in every run and after any order of changes.
//! A change copies the path from the root to the row, about `2 · log2(rows)` nodes, and only where
//! another copy still looks at them.

use std::cmp::Ordering;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::{Direction, Visit};

/// An ordered map from bytes to bytes. `clone` is O(1), and neither copy sees the other's changes.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    root: Link,
    len: usize,
}

type Link = Option<Arc<Node>>;

#[derive(Debug, Clone)]
struct Node {
    key: Arc<[u8]>,
    value: Arc<[u8]>,
    priority: u64,
    left: Link,
    right: Link,
}

impl Tree {
    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The value of a key.
    pub fn get(&self, key: &[u8]) -> Option<&[u8]> {
        let mut link = &self.root;
        while let Some(node) = link {
            link = match key.cmp(&node.key) {
                Ordering::Less => &node.left,
                Ordering::Greater => &node.right,
                Ordering::Equal => return Some(&node.value),
            };
        }
        None
    }

    /// Sets the value of a key.
    pub fn insert(&mut self, key: &[u8], value: &[u8]) {
        if insert(&mut self.root, key, value, priority(key)) {
            self.len += 1;
        }
    }

    /// Removes a key, and says whether it was there.
    pub fn remove(&mut self, key: &[u8]) -> bool {
        // Looked up first: removing what is absent must not copy a path.
        if self.get(key).is_none() {
            return false;
        }
        remove(&mut self.root, key);
        self.len -= 1;
        true
    }

    /// Visits the rows with `from <= key < to` in order.
    pub fn scan(&self, from: &[u8], to: &[u8], direction: Direction, visit: Visit<'_>) {
        if from < to {
            // A visitor that breaks ends the scan; there is nothing to report.
            let _ = scan(&self.root, from, to, direction, visit);
        }
    }
}

fn priority(key: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(key)
}

/// Whether a new node was made.
fn insert(link: &mut Link, key: &[u8], value: &[u8], priority: u64) -> bool {
    let Some(node) = link else {
        *link =
            Some(Arc::new(Node { key: key.into(), value: value.into(), priority, left: None, right: None }));
        return true;
    };
    let side = key.cmp(&node.key);
    if side == Ordering::Equal {
        Arc::make_mut(node).value = value.into();
        return false;
    }
    // Equal priorities of two keys are ordered by key, so that the shape stays unique. The key
    // cannot be further down when it belongs above this node: its priority would be the same.
    if (priority, key) > (node.priority, &*node.key) {
        let (left, right) = split(link.take(), key);
        *link = Some(Arc::new(Node { key: key.into(), value: value.into(), priority, left, right }));
        return true;
    }
    let node = Arc::make_mut(node);
    insert(if side == Ordering::Less { &mut node.left } else { &mut node.right }, key, value, priority)
}

/// What is below `key` and what is above; `key` itself is not in it.
fn split(link: Link, key: &[u8]) -> (Link, Link) {
    let Some(mut arc) = link else {
        return (None, None);
    };
    let node = Arc::make_mut(&mut arc);
    if *node.key < *key {
        let (middle, right) = split(node.right.take(), key);
        node.right = middle;
        (Some(arc), right)
    } else {
        let (left, middle) = split(node.left.take(), key);
        node.left = middle;
        (left, Some(arc))
    }
}

fn remove(link: &mut Link, key: &[u8]) {
    let Some(node) = link else {
        return;
    };
    match key.cmp(&node.key) {
        Ordering::Less => remove(&mut Arc::make_mut(node).left, key),
        Ordering::Greater => remove(&mut Arc::make_mut(node).right, key),
        Ordering::Equal => {
            let (left, right) = (node.left.clone(), node.right.clone());
            *link = merge(left, right);
        }
    }
}

/// One tree of two, all keys of `left` being below those of `right`.
fn merge(left: Link, right: Link) -> Link {
    let (mut l, mut r) = match (left, right) {
        (None, other) | (other, None) => return other,
        (Some(l), Some(r)) => (l, r),
    };
    if (l.priority, &*l.key) > (r.priority, &*r.key) {
        let node = Arc::make_mut(&mut l);
        node.right = merge(node.right.take(), Some(r));
        Some(l)
    } else {
        let node = Arc::make_mut(&mut r);
        node.left = merge(Some(l), node.left.take());
        Some(r)
    }
}

fn scan(link: &Link, from: &[u8], to: &[u8], direction: Direction, visit: Visit<'_>) -> ControlFlow<()> {
    let Some(node) = link else {
        return ControlFlow::Continue(());
    };
    let (below, above) = (&*node.key < from, &*node.key >= to);
    match direction {
        Direction::Up => {
            if !below {
                scan(&node.left, from, to, direction, visit)?;
            }
            if !below && !above {
                visit(&node.key, &node.value)?;
            }
            if !above {
                scan(&node.right, from, to, direction, visit)?;
            }
        }
        Direction::Down => {
            if !above {
                scan(&node.right, from, to, direction, visit)?;
            }
            if !below && !above {
                visit(&node.key, &node.value)?;
            }
            if !below {
                scan(&node.left, from, to, direction, visit)?;
            }
        }
    }
    ControlFlow::Continue(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::rng::Rng;

    fn rows(tree: &Tree, from: &[u8], to: &[u8], direction: Direction) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut rows = Vec::new();
        tree.scan(from, to, direction, &mut |key, value| {
            rows.push((key.to_vec(), value.to_vec()));
            ControlFlow::Continue(())
        });
        rows
    }

    fn depth(link: &Link) -> usize {
        link.as_ref().map_or(0, |node| 1 + depth(&node.left).max(depth(&node.right)))
    }

    #[test]
    fn agrees_with_a_btreemap_and_copies_never_change() {
        let mut rng = Rng::new(11);
        let mut tree = Tree::default();
        let mut model = BTreeMap::new();
        let mut copies = Vec::new();
        for step in 0..4_000u32 {
            let key = rng.below(300).to_be_bytes()[6..].to_vec();
            if rng.below(3) == 0 {
                assert_eq!(tree.remove(&key), model.remove(&key).is_some());
            } else {
                tree.insert(&key, &step.to_be_bytes());
                model.insert(key, step.to_be_bytes().to_vec());
            }
            assert_eq!(tree.len(), model.len());
            if step % 400 == 0 {
                copies.push((tree.clone(), model.clone()));
            }
        }
        copies.push((tree, model));
        for (tree, model) in copies {
            let (from, to) = (rng.below(150).to_be_bytes()[6..].to_vec(), [1, 0]);
            let mut want: Vec<_> =
                model.range(from.clone()..to.to_vec()).map(|(k, v)| (k.clone(), v.clone())).collect();
            assert_eq!(rows(&tree, &from, &to, Direction::Up), want);
            want.reverse();
            assert_eq!(rows(&tree, &from, &to, Direction::Down), want);
            for (key, value) in &model {
                assert_eq!(tree.get(key), Some(&value[..]));
            }
        }
    }

    #[test]
    fn the_shape_depends_on_the_content_alone() {
        let keys: Vec<[u8; 4]> = (0..1_000u32).map(u32::to_be_bytes).collect();
        let (mut up, mut down) = (Tree::default(), Tree::default());
        for key in &keys {
            up.insert(key, key);
        }
        for key in keys.iter().rev() {
            down.insert(b"gone", b"");
            down.insert(key, key);
            down.remove(b"gone");
        }
        assert_eq!(format!("{up:?}"), format!("{down:?}"));
        assert!(depth(&up.root) < 40, "sorted input must not make a list: {}", depth(&up.root));
    }

    #[test]
    fn an_empty_or_reversed_range_has_no_rows_and_absent_keys_no_value() {
        let mut tree = Tree::default();
        assert!(tree.is_empty() && tree.get(b"a").is_none() && !tree.remove(b"a"));
        tree.insert(b"a", b"1");
        assert_eq!(rows(&tree, b"b", b"a", Direction::Up), []);
        assert_eq!(rows(&tree, b"a", b"a", Direction::Down), []);
        assert!(tree.get(b"").is_none() && tree.get(b"aa").is_none());
    }
}
