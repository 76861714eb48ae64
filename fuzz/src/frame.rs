//! Bytes between members: none make reading panic, and how the network cuts them changes nothing.

use bytes::BytesMut;
use gomer_net::peer::frame::{BODY_BYTES_MAX, Binding, Body, Direction, FrameFault, Reader};

/// The first byte says how the rest is cut. Then the rest once more, as a body whose checksum was right.
pub fn check(data: &[u8]) {
    let Some((cut, bytes)) = data.split_first() else { return };
    let whole = read(bytes, bytes.len().max(1));
    assert_eq!(read(bytes, usize::from(*cut).max(1)), whole, "in pieces of {cut}");
    if let Ok(body) = Body::decode(bytes.to_vec().into()) {
        assert_eq!(Body::decode(body.encode()).as_ref(), Ok(&body));
    }
}

fn read(bytes: &[u8], piece: usize) -> (Vec<Body>, Option<FrameFault>) {
    let mut reader = Reader::new(Binding::unknown(Direction::Out), BODY_BYTES_MAX);
    let (mut buffer, mut found) = (BytesMut::new(), Vec::new());
    for piece in bytes.chunks(piece) {
        buffer.extend_from_slice(piece);
        loop {
            match reader.take(&mut buffer) {
                Ok(Some(body)) => found.push(body),
                Ok(None) => break,
                Err(fault) => return (found, Some(fault)),
            }
        }
    }
    (found, None)
}
