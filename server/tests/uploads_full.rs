//! A disk that is full: nothing of what did not fit is left, everything that was there is, and when there is space
//! again it goes on.

mod kit;
mod pictures;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use gomer::blob::memory::MemoryStore;
use gomer::blob::{BlobFault, BlobStore, Blobs, Key, Scratch, Source};
use gomer::host::Edges;
use hyper::Method;
use kit::Kit;
use pictures::{jpeg, sha256};
use serde_json::json;

/// Takes nothing more while it is full.
#[derive(Default, Clone)]
struct Filling {
    store: MemoryStore,
    full: Arc<AtomicBool>,
}

impl Filling {
    fn room(&self) -> Result<(), BlobFault> {
        if self.full.load(Ordering::SeqCst) { Err(BlobFault::Full) } else { Ok(()) }
    }
}

impl BlobStore for Filling {
    fn append(&self, scratch: Scratch, at: u64, bytes: &[u8]) -> Result<(), BlobFault> {
        self.room()?;
        self.store.append(scratch, at, bytes)
    }

    fn scratch_bytes(&self, scratch: Scratch) -> Result<u64, BlobFault> {
        self.store.scratch_bytes(scratch)
    }

    fn open_scratch(&self, scratch: Scratch) -> Result<Box<dyn Source>, BlobFault> {
        self.store.open_scratch(scratch)
    }

    fn discard(&self, scratch: Scratch) -> Result<(), BlobFault> {
        self.store.discard(scratch)
    }

    fn scratches(&self) -> Result<Vec<Scratch>, BlobFault> {
        self.store.scratches()
    }

    fn keep(&self, scratch: Scratch, key: Key) -> Result<(), BlobFault> {
        self.store.keep(scratch, key)
    }

    /// The last small file is what does not fit.
    fn put(&self, key: Key, bytes: &[u8]) -> Result<(), BlobFault> {
        if key.variant == gomer::blob::Variant::Small {
            self.room()?;
        }
        self.store.put(key, bytes)
    }

    fn bytes(&self, key: Key) -> Result<Option<u64>, BlobFault> {
        self.store.bytes(key)
    }

    fn read(&self, key: Key, at: u64, max: usize) -> Result<Bytes, BlobFault> {
        self.store.read(key, at, max)
    }

    fn delete(&self, key: Key) -> Result<(), BlobFault> {
        self.store.delete(key)
    }

    fn list(&self, first: u8) -> Result<Vec<Key>, BlobFault> {
        self.store.list(first)
    }
}

#[tokio::test]
async fn a_full_disk_is_told_and_leaves_nothing_half() {
    let store = Filling::default();
    let (cheap, mail) = Edges::cheap();
    let blobs = Blobs::inline(Arc::new(store.clone()));
    let kit = Kit::start_with(Edges { blobs, ..cheap }, mail).await;
    let ann = kit.person("ann").await;
    let bytes = jpeg(900, 600);
    let id = kit.uuid();
    let body = json!({ "id": id, "size": bytes.len(), "sha256": sha256(&bytes) });
    let upload = kit.call("media.createUpload", Some(&ann.token), body).await.expect(200);
    let url = upload.str("/url");
    let put = |offset: &'static str, part: &[u8]| {
        let part = Bytes::copy_from_slice(part);
        let (kit, url) = (&kit, url.as_str());
        async move { kit.fetch(Method::PUT, url, &[("upload-offset", offset)], part).await }
    };
    put("0", &bytes[..1_000]).await.expect(204);
    store.full.store(true, Ordering::SeqCst);
    let refused = put("1000", &bytes[1_000..]).await.expect(507);
    assert!(String::from_utf8_lossy(&refused.bytes).contains("disk-full"));
    kit.send(&format!("media.putPart?id={id}&offset=1000"), Some(&ann.token), &bytes[1_000..2_000])
        .await
        .problem(507, "disk-full");
    let seen = kit.call("media.getUpload", Some(&ann.token), json!({ "id": id })).await.expect(200);
    assert_eq!(seen.json["offset"], 1_000);
    store.full.store(false, Ordering::SeqCst);
    put("1000", &bytes[1_000..]).await.expect(204);
    // Full again, in the middle of a picture's files: none of them stays, and the upload does.
    store.full.store(true, Ordering::SeqCst);
    kit.call("media.finishUpload", Some(&ann.token), json!({ "id": id })).await.problem(507, "disk-full");
    let files: usize = (0..=255).map(|first| store.list(first).unwrap().len()).sum();
    assert_eq!(files, 0);
    store.full.store(false, Ordering::SeqCst);
    let media = kit.call("media.finishUpload", Some(&ann.token), json!({ "id": id })).await.expect(200);
    assert_eq!(kit.fetch(Method::GET, &media.str("/url"), &[], Bytes::new()).await.status, 200);
}
