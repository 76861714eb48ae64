//! A row's key as the ordered maps hold it.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;

use smallvec::SmallVec;

/// Bytes that are kept in place. With them the key takes 64, one line of a processor's cache; nearly all keys
/// fit.
const IN_PLACE: usize = 56;

/// A key, kept in place where it is short: a look-up compares a dozen keys, and with a pointer to each the
/// memory was waited for a dozen times.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowKey(SmallVec<[u8; IN_PLACE]>);

impl From<&[u8]> for RowKey {
    fn from(key: &[u8]) -> RowKey {
        RowKey(SmallVec::from_slice(key))
    }
}

impl From<Vec<u8>> for RowKey {
    fn from(key: Vec<u8>) -> RowKey {
        RowKey::from(&key[..])
    }
}

impl Deref for RowKey {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl Borrow<[u8]> for RowKey {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for RowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_ordered_as_its_bytes_are(
            a in prop::collection::vec(any::<u8>(), 0..2 * IN_PLACE),
            b in prop::collection::vec(any::<u8>(), 0..2 * IN_PLACE),
        ) {
            let (left, right) = (RowKey::from(&a[..]), RowKey::from(&b[..]));
            prop_assert_eq!(left.cmp(&right), a.cmp(&b));
            prop_assert_eq!(&*left, &a[..]);
        }
    }
}
