//! Order-preserving keys: fixed-width, big-endian fields, so that byte order is tuple order.
//!
//! Every key starts with `partition u16 | kind u8`; keys of an app's data go on with
//! `app u32 | root 17`.

use crate::id::{AppId, Id, LinkType, Order, Partition, Position, Root, RootKind, Section, StreamId};
use crate::time::Time;

use super::Kind;

/// Where a root's rows live: what all its keys begin with, the kind aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The partition that [`crate::ring::partition`] gives for `app` and `root`.
    pub partition: Partition,
    /// The tenant.
    pub app: AppId,
    /// The entity.
    pub root: Root,
}

/// Writes the fields of a key one after another.
pub struct KeyWriter(Vec<u8>);

impl KeyWriter {
    /// A key of this kind that belongs to the partition as a whole.
    pub fn of_partition(partition: Partition, kind: Kind) -> KeyWriter {
        let mut bytes = Vec::with_capacity(64);
        bytes.extend_from_slice(&partition.0.to_be_bytes());
        bytes.push(kind as u8);
        KeyWriter(bytes)
    }

    /// A key of this kind that belongs to a root.
    pub fn of_root(place: Place, kind: Kind) -> KeyWriter {
        KeyWriter::of_partition(place.partition, kind).u32(place.app.0).root(place.root)
    }

    /// One byte.
    pub fn u8(mut self, value: u8) -> Self {
        self.0.push(value);
        self
    }

    /// Two bytes.
    pub fn u16(mut self, value: u16) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// Four bytes.
    pub fn u32(mut self, value: u32) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// Eight bytes.
    pub fn u64(mut self, value: u64) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// Sixteen bytes.
    pub fn id(mut self, value: Id) -> Self {
        self.0.extend_from_slice(value.as_bytes());
        self
    }

    /// Seventeen bytes.
    pub fn root(mut self, value: Root) -> Self {
        self.0.extend_from_slice(&value.to_bytes());
        self
    }

    /// Ten bytes.
    pub fn order(self, value: Order) -> Self {
        self.u64(value.position.0).u16(value.ordinal)
    }

    /// The time, inverted, so that the newest comes first.
    pub fn newest_first(self, value: Time) -> Self {
        self.u64(!value.as_millis())
    }

    /// A text of any length. Only as the last field: nothing tells where it ends.
    pub fn text(mut self, value: &str) -> Self {
        self.0.extend_from_slice(value.as_bytes());
        self
    }

    /// The key.
    pub fn end(self) -> Vec<u8> {
        self.0
    }
}

/// Reads the fields of a key; `None` as soon as it is too short or a field has no such value.
#[derive(Debug, Clone, Copy)]
pub struct KeyReader<'a>(&'a [u8]);

impl<'a> KeyReader<'a> {
    /// Reads what [`KeyWriter::of_partition`] wrote, if the kind is the expected one.
    pub fn of_partition(key: &'a [u8], kind: Kind) -> Option<(Partition, KeyReader<'a>)> {
        let mut reader = KeyReader(key);
        let partition = Partition(reader.u16()?);
        (reader.u8()? == kind as u8).then_some((partition, reader))
    }

    /// Reads what [`KeyWriter::of_root`] wrote, if the kind is the expected one.
    pub fn of_root(key: &'a [u8], kind: Kind) -> Option<(Place, KeyReader<'a>)> {
        let (partition, mut reader) = KeyReader::of_partition(key, kind)?;
        let app = AppId(reader.u32()?);
        let root = reader.root()?;
        Some((Place { partition, app, root }, reader))
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.0.split_first_chunk::<N>()?;
        self.0 = tail;
        Some(*head)
    }

    /// One byte.
    pub fn u8(&mut self) -> Option<u8> {
        self.take::<1>().map(|b| b[0])
    }

    /// Two bytes.
    pub fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_be_bytes)
    }

    /// Four bytes.
    pub fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_be_bytes)
    }

    /// Eight bytes.
    pub fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_be_bytes)
    }

    /// Sixteen bytes.
    pub fn id(&mut self) -> Option<Id> {
        self.take().map(Id::from_bytes)
    }

    /// Seventeen bytes.
    pub fn root(&mut self) -> Option<Root> {
        let kind = RootKind::from_byte(self.u8()?)?;
        Some(Root::new(kind, self.id()?))
    }

    /// Ten bytes.
    pub fn order(&mut self) -> Option<Order> {
        Some(Order { position: Position(self.u64()?), ordinal: self.u16()? })
    }

    /// An inverted time.
    pub fn newest_first(&mut self) -> Option<Time> {
        Some(Time::from_millis(!self.u64()?))
    }

    /// The rest of the key, as text.
    pub fn text(self) -> Option<&'a str> {
        std::str::from_utf8(self.0).ok()
    }

    /// The key must end here.
    pub fn end(self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

/// The first key after all keys that start with `prefix`.
pub fn after_prefix(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < 0xff {
            end.push(last + 1);
            return end;
        }
    }
    // Only a prefix of 0xff bytes alone has no successor; partitions end below that.
    vec![0xff; prefix.len() + 64]
}

/// What a change, a tombstone or a delta item speaks of, within its root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub enum RowRef {
    /// A node of the root.
    Node(Id),
    /// A link from the root.
    Link(LinkType, Id),
    /// An entry of one of the root's streams.
    Entry(StreamId, Id),
    /// A read mark.
    Mark(StreamId),
    /// How many links a list has.
    Count(LinkType),
}

impl RowRef {
    /// Appends the reference to a key.
    pub fn write(self, key: KeyWriter) -> KeyWriter {
        match self {
            RowRef::Node(id) => key.u8(1).id(id),
            RowRef::Link(ty, to) => key.u8(2).u16(ty.0).id(to),
            RowRef::Entry(stream, id) => key.u8(3).u16(stream.0).id(id),
            RowRef::Mark(stream) => key.u8(4).u16(stream.0),
            RowRef::Count(ty) => key.u8(5).u16(ty.0),
        }
    }

    /// Reads what [`RowRef::write`] wrote.
    pub fn read(key: &mut KeyReader<'_>) -> Option<RowRef> {
        Some(match key.u8()? {
            1 => RowRef::Node(key.id()?),
            2 => RowRef::Link(LinkType(key.u16()?), key.id()?),
            3 => RowRef::Entry(StreamId(key.u16()?), key.id()?),
            4 => RowRef::Mark(StreamId(key.u16()?)),
            5 => RowRef::Count(LinkType(key.u16()?)),
            _ => return None,
        })
    }
}

/// The prefix of a section's change index.
pub fn section_prefix(place: Place, section: Section) -> Vec<u8> {
    KeyWriter::of_root(place, Kind::Change).u8(section.0).end()
}
