//! Cursors: opaque, authenticated tokens that a client hands back.
//!
//! A token is `base64url(version · postcard · HMAC-SHA-256/128)`. The key is derived from the app's
//! secret; what the token is for (sync, or a list of one method with one filter) and whom it was given to
//! are not in it but under the MAC: handed to another app, user, method or filter it is as wrong as one with
//! a flipped bit. Nothing in it is secret.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gomer_core::id::{AppId, Id, Root, Section};
use gomer_core::meta::state::App;
use gomer_core::vnode::query::DeltaFrom;
use hmac::{Hmac, KeyInit, Mac};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::problem::Code;
use crate::registry::{Call, Stop};

/// Most characters of a token. `sync.pull` with 50 roots stays well below.
pub const CURSOR_CHARS_MAX: usize = 8_192;

/// First byte of every token. Another one is refused: the encoding behind it may differ.
const VERSION: u8 = 1;
const MAC_BYTES: usize = 16;

/// Why a token is refused. One answer for all reasons: forgers learn nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CursorInvalid;

impl fmt::Display for CursorInvalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "not a cursor that was given out for this app, user, method and filter; start without one",
        )
    }
}

impl std::error::Error for CursorInvalid {}

/// Seals and opens the tokens of one app for one caller.
pub struct Cursors {
    key: [u8; 32],
    app: AppId,
    caller: Id,
}

impl Cursors {
    /// For this app and caller; [`Id::NIL`] stands for everybody who is not signed in and the app's server.
    pub fn new(app: &App, caller: Id) -> Cursors {
        let mut mac = hmac(&app.secret);
        mac.update(b"gomer cursors");
        Cursors { key: mac.finalize().into_bytes().into(), app: app.id, caller }
    }

    /// A token for a place in what `purpose` names.
    pub fn seal<P: Serialize>(&self, purpose: &Purpose<'_>, place: &P) -> String {
        let mut bytes = postcard::to_extend(place, vec![VERSION]).expect("places are plain data");
        let mac = self.mac(purpose, &bytes);
        bytes.extend_from_slice(&mac.finalize().into_bytes()[..MAC_BYTES]);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The place in a token that [`Cursors::seal`] gave to the same caller for the same purpose.
    pub fn open<P: DeserializeOwned>(&self, purpose: &Purpose<'_>, token: &str) -> Result<P, CursorInvalid> {
        if token.len() > CURSOR_CHARS_MAX {
            return Err(CursorInvalid);
        }
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| CursorInvalid)?;
        let (body, mac) = bytes.split_last_chunk::<MAC_BYTES>().ok_or(CursorInvalid)?;
        self.mac(purpose, body).verify_truncated_left(mac).map_err(|_| CursorInvalid)?;
        let place = body.strip_prefix(&[VERSION]).ok_or(CursorInvalid)?;
        match postcard::take_from_bytes(place) {
            Ok((place, [])) => Ok(place),
            _ => Err(CursorInvalid),
        }
    }

    fn mac(&self, purpose: &Purpose<'_>, body: &[u8]) -> Hmac<Sha256> {
        let mut mac = hmac(&self.key);
        mac.update(&self.app.0.to_be_bytes());
        mac.update(self.caller.as_bytes());
        purpose.write(&mut mac);
        mac.update(body);
        mac
    }
}

fn hmac(key: &[u8]) -> Hmac<Sha256> {
    <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length")
}

/// What a token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose<'a> {
    /// `sync.pull` and `realtime.subscribe`.
    Sync,
    /// A list, named by its method and everything else that decides what stands in it.
    List(&'a str),
    /// A live connection of a client that cannot set headers.
    Live,
}

impl Purpose<'_> {
    fn write(&self, mac: &mut Hmac<Sha256>) {
        let (kind, name) = match self {
            Purpose::Sync => (0, ""),
            Purpose::List(list) => (1, *list),
            Purpose::Live => (2, ""),
        };
        mac.update(&[kind]);
        // With its length before it, so that no name runs into what follows.
        mac.update(&(name.len() as u64).to_be_bytes());
        mac.update(name.as_bytes());
    }
}

impl Call {
    /// A cursor of this app, caller and list; `list` names the list with everything that selects it.
    pub fn seal_cursor(&self, list: &str, place: &impl Serialize) -> String {
        Cursors::new(&self.app, self.author()).seal(&Purpose::List(list), place)
    }

    /// Reads what [`Call::seal_cursor`] made; 400 `cursor-invalid` for any other.
    pub fn open_cursor<P: DeserializeOwned>(
        &self,
        list: &str,
        cursor: Option<&str>,
    ) -> Result<Option<P>, Stop> {
        let cursors = Cursors::new(&self.app, self.author());
        let open = |token| cursors.open(&Purpose::List(list), token);
        cursor.map(open).transpose().map_err(Stop::from)
    }
}

impl From<CursorInvalid> for Stop {
    fn from(_: CursorInvalid) -> Stop {
        Code::CursorInvalid.into()
    }
}

/// What a sync cursor carries: the roots that its phone follows, with a position for each section.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SyncPlace {
    /// What is followed, in the order in which it is read.
    pub roots: Vec<RootPlace>,
    /// Roots that were asked for and may not be read: the phone was told once.
    pub refused: Vec<Root>,
}

/// How far a phone has come in one root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootPlace {
    /// The root.
    pub root: Root,
    /// The sections of it that the phone may read, and how far it has come in each.
    pub sections: Vec<(Section, DeltaFrom)>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::nowhere;
    use gomer_core::id::{Position, RootKind};
    use proptest::prelude::*;

    fn app(id: u32, secret: u8) -> App {
        App { id: AppId(id), secret: [secret; 32], ..nowhere() }
    }

    const ANN: Id = Id::from_bytes([1; 16]);
    const BOB: Id = Id::from_bytes([2; 16]);

    fn place(roots: usize) -> SyncPlace {
        let from = DeltaFrom {
            position: Position(u64::MAX),
            resync: Some(Position(u64::MAX)),
            history: u64::MAX,
            era: u32::MAX,
        };
        let root = Root::new(RootKind::Post, Id::from_bytes([0xff; 16]));
        let sections = vec![(Section::PRIVATE, from), (Section::PUBLIC, from), (Section::INVERSE, from)];
        SyncPlace { roots: vec![RootPlace { root, sections }; roots], refused: Vec::new() }
    }

    #[test]
    fn a_cursor_of_fifty_roots_fits() {
        let mut place = place(51);
        for followed in &mut place.roots[1..] {
            followed.sections.truncate(2);
        }
        let token = Cursors::new(&app(1, 7), ANN).seal(&Purpose::Sync, &place);
        assert!(token.len() <= CURSOR_CHARS_MAX, "{}", token.len());
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let cursors = Cursors::new(&app(1, 7), ANN);
        let token = cursors.seal(&Purpose::Sync, &place(2));
        assert_eq!(cursors.open(&Purpose::Sync, &token), Ok(place(2)));
        let bytes = URL_SAFE_NO_PAD.decode(&token).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let bad = URL_SAFE_NO_PAD.encode(bad);
            assert_eq!(cursors.open::<SyncPlace>(&Purpose::Sync, &bad), Err(CursorInvalid), "bit {bit}");
        }
        for end in 0..token.len() {
            assert_eq!(cursors.open::<SyncPlace>(&Purpose::Sync, &token[..end]), Err(CursorInvalid));
        }
        for longer in [format!("{token}A"), format!("{token}="), format!(" {token}")] {
            assert_eq!(cursors.open::<SyncPlace>(&Purpose::Sync, &longer), Err(CursorInvalid));
        }
    }

    #[test]
    fn it_is_good_for_one_app_user_method_and_filter_only() {
        let list = Purpose::List("like.list/ab");
        let token = Cursors::new(&app(1, 7), ANN).seal(&list, &9u64);
        let open =
            |app: &App, caller, purpose: Purpose<'_>| Cursors::new(app, caller).open::<u64>(&purpose, &token);
        assert_eq!(open(&app(1, 7), ANN, list), Ok(9));
        assert!(open(&app(2, 7), ANN, list).is_err(), "another app's number");
        assert!(open(&app(1, 8), ANN, list).is_err(), "another app's secret");
        assert!(open(&app(1, 7), BOB, list).is_err());
        assert!(open(&app(1, 7), Id::NIL, list).is_err());
        assert!(open(&app(1, 7), ANN, Purpose::List("like.list/abc")).is_err());
        assert!(open(&app(1, 7), ANN, Purpose::Live).is_err());
        assert!(open(&app(1, 7), ANN, Purpose::Sync).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_refused_without_a_panic(token in "[-_A-Za-z0-9=+/é]{0,200}", bytes: Vec<u8>) {
            let cursors = Cursors::new(&app(1, 7), ANN);
            prop_assert_eq!(cursors.open::<SyncPlace>(&Purpose::Sync, &token), Err(CursorInvalid));
            let token = URL_SAFE_NO_PAD.encode(bytes);
            prop_assert_eq!(cursors.open::<SyncPlace>(&Purpose::Sync, &token), Err(CursorInvalid));
        }

        /// Any change of a token that was given out: bytes replaced, put in, taken out, moved; and another's MAC.
        #[test]
        fn a_token_that_was_altered_is_refused(
            positions: [u64; 3],
            edits in prop::collection::vec((any::<prop::sample::Index>(), any::<Option<u8>>(), any::<bool>()), 1..6),
            swap: prop::sample::Index,
        ) {
            let cursors = Cursors::new(&app(1, 7), ANN);
            let sealed = |position: u64| {
                let from = DeltaFrom { position: Position(position), ..DeltaFrom::START };
                let roots = vec![RootPlace { root: Root::profile(ANN), sections: vec![(Section::PRIVATE, from)] }];
                cursors.seal(&Purpose::Sync, &SyncPlace { roots, refused: Vec::new() })
            };
            let bytes = |position| URL_SAFE_NO_PAD.decode(sealed(position)).unwrap();
            let good = bytes(positions[0]);
            let mut altered = good.clone();
            for (at, byte, instead) in edits {
                let at = at.index(altered.len());
                match (byte, instead) {
                    (Some(byte), true) => altered[at] = byte,
                    (Some(byte), false) => altered.insert(at, byte),
                    (None, _) => drop(altered.remove(at)),
                }
                if altered.is_empty() {
                    break;
                }
            }
            let open = |bytes: &[u8]| cursors.open::<SyncPlace>(&Purpose::Sync, &URL_SAFE_NO_PAD.encode(bytes));
            prop_assert_eq!(open(&altered).is_ok(), altered == good);
            // The body of one, and the MAC of another.
            let (one, other) = (bytes(positions[1]), bytes(positions[2]));
            let cut = swap.index(one.len().min(other.len()));
            let spliced = [&one[..cut], &other[cut..]].concat();
            prop_assert_eq!(open(&spliced).is_ok(), spliced == one || spliced == other);
        }

        #[test]
        fn a_place_survives_its_token(position: u64, resync: Option<u64>, history: u64, era: u32, caller: [u8; 16]) {
            let from = DeltaFrom { position: Position(position), resync: resync.map(Position), history, era };
            let root = Root::profile(Id::from_bytes(caller));
            let roots = vec![RootPlace { root, sections: vec![(Section::PRIVATE, from)] }];
            let place = SyncPlace { roots, refused: vec![root] };
            let cursors = Cursors::new(&app(1, 7), Id::from_bytes(caller));
            prop_assert_eq!(cursors.open(&Purpose::Sync, &cursors.seal(&Purpose::Sync, &place)), Ok(place));
        }
    }
}
