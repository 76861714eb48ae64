//! Addresses that need no headers: of an upload for a day, of a blob for a while or for good.
//!
//! An address ends with `e`, the second until which it is good (0: for good), and `s`, an HMAC-SHA-256 over what it
//! leads to, the app and `e`. The key is derived from the app's secret, so an address of one app is nothing in
//! another. Whoever has the address has the file: that is what it is for.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gomer_core::id::Id;
use gomer_core::meta::state::App;
use gomer_core::time::Time;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::Key;
use super::sniff::Format;

/// Bytes of a signature: 128 bits.
const MAC_BYTES: usize = 16;

/// What an address leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signed {
    /// Where an upload's bytes are sent.
    Upload(Id),
    /// A blob, and what it is served as.
    Blob(Key, Format),
}

impl Signed {
    fn path(self) -> String {
        match self {
            Signed::Upload(id) => format!("uploads/{id}"),
            Signed::Blob(key, format) => format!("blobs/{key}.{}", format.ending()),
        }
    }

    /// What the last two parts of a path say, for this app.
    pub fn parse(app: &App, folder: &str, name: &str) -> Option<Signed> {
        match folder {
            "uploads" => Some(Signed::Upload(name.parse().ok()?))
                .filter(|_| name.bytes().all(|c| !c.is_ascii_uppercase())),
            "blobs" => {
                let (key, ending) = name.rsplit_once('.')?;
                Some(Signed::Blob(Key::parse(app.id, key)?, Format::with_ending(ending)?))
            }
            _ => None,
        }
    }

    /// The address, good until then, or for good.
    pub fn address(self, app: &App, until: Option<Time>) -> String {
        let until = until.map_or(0, |time| time.as_millis().div_ceil(1_000));
        let path = self.path();
        let mac = mac(app, &path, until).finalize().into_bytes();
        format!("/media/{}/{path}?e={until}&s={}", app.name, URL_SAFE_NO_PAD.encode(&mac[..MAC_BYTES]))
    }

    /// Whether this query signs it, and it is still good; then, whether for good.
    pub fn check(self, app: &App, query: &str, now: Time) -> Option<bool> {
        let (until, signature) = query.strip_prefix("e=")?.split_once("&s=")?;
        let seconds: u64 = until.parse().ok()?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok().filter(|bytes| bytes.len() == MAC_BYTES)?;
        mac(app, &self.path(), seconds).verify_truncated_left(&signature).ok()?;
        if seconds == 0 {
            return Some(true);
        }
        (now.as_millis() < seconds.saturating_mul(1_000)).then_some(false)
    }
}

fn mac(app: &App, path: &str, until: u64) -> Hmac<Sha256> {
    let keyed =
        |key: &[u8]| <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
    let mut derive = keyed(&app.secret);
    derive.update(b"gomer media addresses");
    let mut mac = keyed(&derive.finalize().into_bytes());
    mac.update(&app.id.0.to_be_bytes());
    mac.update(&until.to_be_bytes());
    mac.update(path.as_bytes());
    mac
}

#[cfg(test)]
mod tests {
    use super::super::{Object, Variant};
    use super::*;
    use gomer_core::id::AppId;

    fn app(number: u32) -> App {
        let name = format!("app{number}");
        App { id: AppId(number), name, secret: [number as u8; 32], ..crate::host::nowhere() }
    }

    fn split(address: &str) -> (&str, &str, &str) {
        let (path, query) = address.split_once('?').unwrap();
        let mut parts = path.rsplit('/');
        let name = parts.next().unwrap();
        (parts.next().unwrap(), name, query)
    }

    #[test]
    fn an_address_is_good_for_its_thing_its_app_and_its_time_only() {
        let (one, two) = (app(1), app(2));
        let id: Id = "0190a6b2-5c1e-7a3b-8f00-0123456789ab".parse().unwrap();
        let key = Key { object: Object { app: one.id, hash: [0xab; 32], id }, variant: Variant::Small };
        let now = Time::from_millis(1_000_000);
        for thing in [Signed::Upload(id), Signed::Blob(key, Format::Jpg)] {
            let address = thing.address(&one, Some(Time::from_millis(1_500_000)));
            let (folder, name, query) = split(&address);
            assert_eq!(Signed::parse(&one, folder, name), Some(thing));
            assert_eq!(thing.check(&one, query, now), Some(false));
            assert_eq!(thing.check(&one, query, Time::from_millis(1_500_000)), None, "its time is over");
            assert_eq!(thing.check(&two, query, now), None);
            assert_eq!(thing.check(&one, &query.replace("e=1500", "e=9500"), now), None);
            assert_eq!(thing.check(&one, &query.replace("e=1500", "e=0"), now), None);
            for broken in ["", "e=1500", "s=x", "e=1500&s=", "e=&s=AAAA", &query[..query.len() - 1]] {
                assert_eq!(thing.check(&one, broken, now), None, "{broken}");
            }
            let good = thing.address(&one, None);
            assert_eq!(thing.check(&one, split(&good).2, Time::from_millis(u64::MAX)), Some(true));
        }
        let small = Signed::Blob(key, Format::Jpg).address(&one, None);
        for other in [
            Signed::Blob(Key { variant: Variant::Large, ..key }, Format::Jpg),
            Signed::Blob(key, Format::Bin),
            Signed::Upload(id),
        ] {
            assert_eq!(other.check(&one, split(&small).2, now), None, "{other:?}");
        }
    }

    #[test]
    fn no_name_leads_elsewhere() {
        let one = app(1);
        let hash = "ab".repeat(32);
        let id = "0190a6b2-5c1e-7a3b-8f00-0123456789ab";
        assert!(Signed::parse(&one, "blobs", &format!("{hash}-{id}-small.jpg")).is_some());
        for name in [
            format!("{hash}-{id}-small.html"),
            format!("{hash}-{id}-huge.jpg"),
            format!("{hash}-{id}-small"),
            format!("{}-{id}-small.jpg", hash.to_uppercase()),
            format!("{hash}-{}-small.jpg", id.to_uppercase()),
            format!("../{hash}-{id}-small.jpg"),
            format!("{hash}-{id}-../small.jpg"),
            "é".repeat(60),
            String::new(),
        ] {
            assert_eq!(Signed::parse(&one, "blobs", &name), None, "{name}");
        }
        assert_eq!(Signed::parse(&one, "uploads", &id.to_uppercase()), None);
        assert_eq!(Signed::parse(&one, "scratch", id), None);
    }
}
