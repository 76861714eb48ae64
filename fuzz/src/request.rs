//! Bytes of an HTTP/1.1 connection: how the network cuts them must not change what they mean.

use gomer_net::http::guard::{Guard, HeadLimits, Verdict};

/// The first byte says how the rest is cut. Whole, cut, and byte by byte must be judged alike.
pub fn check(data: &[u8]) {
    let Some((cut, bytes)) = data.split_first() else { return };
    let whole = judge(bytes, bytes.len().max(1));
    assert_eq!(judge(bytes, usize::from(*cut).max(1)), whole, "in pieces of {cut}");
    assert_eq!(judge(bytes, 1), whole, "byte by byte");
    assert!(whole.0 <= bytes.len());
}

/// How many bytes are good when they come in pieces of this size, and how it ended, if it did.
fn judge(bytes: &[u8], piece: usize) -> (usize, Option<String>) {
    let limits = HeadLimits { bytes_max: 512, headers_max: 8, uri_bytes_max: 64 };
    let mut guard = Guard::new(limits);
    let mut good = 0;
    let mut shown = Vec::new();
    for next in bytes.chunks(piece) {
        shown.extend_from_slice(next);
        match guard.inspect(&shown) {
            Verdict::Pass => {
                good += shown.len();
                shown.clear();
            }
            Verdict::Hold(from) => {
                assert!(from < shown.len(), "something is held");
                good += from;
                shown.drain(..from);
            }
            Verdict::Refuse(from, refusal) => return (good + from, Some(format!("{refusal:?}"))),
            Verdict::Break(from, why) => return (good + from, Some(why.to_owned())),
        }
    }
    (good, None)
}
