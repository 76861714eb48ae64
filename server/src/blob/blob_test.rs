//! One suite for every store, and what is particular to the disk.

use super::disk::DiskStore;
use super::memory::MemoryStore;
use super::*;

fn scratch(n: u8) -> Scratch {
    Scratch { app: AppId(1), id: id(n) }
}

fn id(n: u8) -> Id {
    format!("0190a6b2-5c1e-7a3b-8f00-0000000000{n:02x}").parse().unwrap()
}

fn key(n: u8, variant: Variant) -> Key {
    Key { object: Object { app: AppId(1), hash: [n; 32], id: id(n) }, variant }
}

fn suite(store: &dyn BlobStore) {
    // A scratch grows at its end only.
    assert_eq!(store.scratch_bytes(scratch(1)), Ok(0));
    store.append(scratch(1), 0, b"hello ").unwrap();
    assert_eq!(store.append(scratch(1), 0, b"again"), Err(BlobFault::Moved(6)));
    assert_eq!(store.append(scratch(1), 9, b"a hole"), Err(BlobFault::Moved(6)));
    store.append(scratch(1), 6, b"world").unwrap();
    assert_eq!(store.scratch_bytes(scratch(1)), Ok(11));
    let mut text = String::new();
    store.open_scratch(scratch(1)).unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "hello world");
    assert!(store.open_scratch(scratch(2)).is_err());
    store.append(scratch(2), 0, b"x").unwrap();
    assert_eq!(store.scratches().unwrap().len(), 2);
    store.discard(scratch(2)).unwrap();
    store.discard(scratch(2)).unwrap();
    // It becomes a blob, once.
    let original = key(7, Variant::Original);
    assert_eq!(store.bytes(original), Ok(None));
    store.keep(scratch(1), original).unwrap();
    assert!(store.keep(scratch(1), original).is_err());
    assert!(store.scratches().unwrap().is_empty());
    store.put(key(7, Variant::Small), b"small").unwrap();
    store.put(key(8, Variant::Small), b"").unwrap();
    assert_eq!((store.bytes(original), store.bytes(key(8, Variant::Small))), (Ok(Some(11)), Ok(Some(0))));
    for (at, max, part) in
        [(0, 100, "hello world"), (6, 3, "wor"), (6, 5, "world"), (10, 5, "d"), (11, 5, ""), (99, 5, "")]
    {
        assert_eq!(store.read(original, at, max).unwrap(), part);
    }
    assert_eq!(store.read(key(9, Variant::Original), 0, 1), Err(BlobFault::Absent));
    let mut listed = store.list(7).unwrap();
    listed.sort();
    assert_eq!(listed, [original, key(7, Variant::Small)]);
    assert!(store.list(1).unwrap().is_empty());
    store.delete(original).unwrap();
    store.delete(original).unwrap();
    assert_eq!(store.bytes(original), Ok(None));
    // Another app's of the same name is another one.
    let other = Key { object: Object { app: AppId(2), ..original.object }, ..original };
    store.put(other, b"other").unwrap();
    assert_eq!((store.bytes(original), store.bytes(other)), (Ok(None), Ok(Some(5))));
}

#[test]
fn every_store_passes_the_same_suite() {
    suite(&MemoryStore::default());
    let dir = tempfile::tempdir().unwrap();
    suite(&DiskStore::open(&dir.path().join("blobs")).unwrap());
}

#[test]
fn a_disk_keeps_what_was_done_and_clears_what_was_not() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("blobs");
    let store = DiskStore::open(&path).unwrap();
    store.put(key(7, Variant::Small), b"small").unwrap();
    store.append(scratch(1), 0, b"half").unwrap();
    std::fs::write(path.join("tmp/half-a-blob"), b"x").unwrap();
    std::fs::write(path.join("1/07/not-ours"), b"x").unwrap();
    std::fs::write(path.join("scratch/not-ours"), b"x").unwrap();
    drop(store);
    let store = DiskStore::open(&path).unwrap();
    assert_eq!(store.read(key(7, Variant::Small), 0, 9).unwrap(), "small");
    assert_eq!((store.scratch_bytes(scratch(1)), store.scratches().unwrap()), (Ok(4), vec![scratch(1)]));
    assert_eq!(store.list(7).unwrap(), [key(7, Variant::Small)]);
    assert_eq!(std::fs::read_dir(path.join("tmp")).unwrap().count(), 0);
}

#[test]
fn nothing_of_a_blob_is_left_when_it_cannot_be_put() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("blobs");
    let store = DiskStore::open(&path).unwrap();
    // Where its folder should be, there is a file.
    std::fs::write(path.join("1"), b"x").unwrap();
    assert!(matches!(store.put(key(7, Variant::Small), b"small"), Err(BlobFault::Io(_))));
    assert_eq!(std::fs::read_dir(path.join("tmp")).unwrap().count(), 0);
    store.append(scratch(1), 0, b"half").unwrap();
    assert!(store.keep(scratch(1), key(7, Variant::Original)).is_err());
    assert_eq!(store.scratch_bytes(scratch(1)), Ok(4), "it can be tried again");
}

#[tokio::test]
async fn a_full_disk_is_told_and_hashes_are_of_the_whole() {
    let blobs = Blobs::in_memory();
    blobs.append(scratch(1), 0, vec![7; 100].into()).await.unwrap();
    blobs.set_full(true);
    assert_eq!(blobs.append(scratch(1), 100, vec![7; 1].into()).await, Err(BlobFault::Full));
    blobs.set_full(false);
    blobs.append(scratch(1), 100, vec![8; 600_000].into()).await.unwrap();
    let (hash, head) = blobs.digest(scratch(1)).await.unwrap();
    let whole = [vec![7; 100], vec![8; 600_000]].concat();
    assert_eq!((hash, head), (Sha256::digest(&whole).into(), whole[..sniff::HEAD_BYTES].to_vec()));
    assert_eq!(blobs.digest(scratch(2)).await, Err(BlobFault::Absent));
    let rooms: Vec<_> = (0..TRANSFERS_MAX).map(|_| blobs.transfer().unwrap()).collect();
    assert_eq!(blobs.transfer().err(), Some(BlobFault::Busy));
    drop(rooms);
    assert!(blobs.transfer().is_ok());
    let first = blobs.occupy(scratch(1)).unwrap();
    assert!(blobs.occupy(scratch(1)).is_none() && blobs.occupy(scratch(2)).is_some());
    drop(first);
    assert!(blobs.occupy(scratch(1)).is_some());
}

#[test]
fn names_survive_their_text() {
    for variant in Variant::ALL {
        let key = key(0xfe, variant);
        assert_eq!(Key::parse(AppId(1), &key.to_string()), Some(key));
    }
    assert_eq!(unhex(&hex(&[0x1f; 32])), Some([0x1f; 32]));
    for bad in ["", "zz", &"g".repeat(64), &"a".repeat(63), &"+1".repeat(32)] {
        assert_eq!(unhex(bad), None, "{bad}");
    }
}
