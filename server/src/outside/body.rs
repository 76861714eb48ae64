//! The body of an answer, whole and bounded: it is counted as it comes and again as it is decompressed.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::write::MultiGzDecoder;
use http_body_util::BodyExt;
use hyper::HeaderMap;
use hyper::body::{Body, Incoming};
use hyper::header::{CONTENT_ENCODING, CONTENT_LENGTH};

use super::Unanswered;

/// The compressed form of a small text may be larger than the text.
const GZIP_OVERHEAD: usize = 1_024;

/// Reads a body to its end and decompresses it. The headers speak of it as it is given back.
pub async fn read(
    headers: &mut HeaderMap,
    mut incoming: Incoming,
    bytes_max: usize,
) -> Result<Bytes, Unanswered> {
    let gzip = is_gzip(headers)?;
    let raw_max = bytes_max.saturating_add(if gzip { GZIP_OVERHEAD } else { 0 });
    // What announces itself as too large is not even begun.
    if incoming.size_hint().lower() > raw_max as u64 {
        return Err(Unanswered::TooLarge);
    }
    let mut bytes = Unpacking::new(gzip, bytes_max);
    let mut raw = 0usize;
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(|error| Unanswered::Broken(error.to_string()))?;
        // Trailers say nothing that anybody asks for.
        let Ok(piece) = frame.into_data() else { continue };
        raw = raw.saturating_add(piece.len());
        if raw > raw_max {
            return Err(Unanswered::TooLarge);
        }
        bytes.add(&piece)?;
    }
    headers.remove(CONTENT_ENCODING);
    headers.remove(CONTENT_LENGTH);
    bytes.end()
}

/// Whether the body is compressed. Only what was asked for can be bounded.
fn is_gzip(headers: &HeaderMap) -> Result<bool, Unanswered> {
    let mut codings = Vec::new();
    for line in headers.get_all(CONTENT_ENCODING) {
        let line = line.to_str().map_err(|_| Unanswered::Broken("its encoding is no text".to_owned()))?;
        let names = line.split(',').map(|name| name.trim().to_ascii_lowercase());
        codings.extend(names.filter(|name| !name.is_empty() && name != "identity"));
    }
    match codings.as_slice() {
        [] => Ok(false),
        [one] if one == "gzip" || one == "x-gzip" => Ok(true),
        _ => Err(Unanswered::Broken("it is encoded as nobody asked for".to_owned())),
    }
}

/// A body on its way.
enum Unpacking {
    Plain(Bounded),
    Gzip { decoder: Box<MultiGzDecoder<Bounded>>, begun: bool },
}

impl Unpacking {
    fn new(gzip: bool, bytes_max: usize) -> Unpacking {
        let bounded = Bounded { bytes: Vec::new(), bytes_max, full: false };
        if gzip {
            Unpacking::Gzip { decoder: Box::new(MultiGzDecoder::new(bounded)), begun: false }
        } else {
            Unpacking::Plain(bounded)
        }
    }

    fn add(&mut self, piece: &[u8]) -> Result<(), Unanswered> {
        match self {
            Unpacking::Plain(bounded) => bounded.write_all(piece).map_err(|_| Unanswered::TooLarge),
            Unpacking::Gzip { decoder, begun } => {
                *begun |= !piece.is_empty();
                decoder.write_all(piece).map_err(|error| fault(decoder.get_ref(), &error))
            }
        }
    }

    fn end(self) -> Result<Bytes, Unanswered> {
        match self {
            Unpacking::Plain(bounded) => Ok(bounded.bytes.into()),
            // An answer without a body (304, HEAD) may still name its encoding.
            Unpacking::Gzip { begun: false, .. } => Ok(Bytes::new()),
            Unpacking::Gzip { mut decoder, .. } => {
                decoder.try_finish().map_err(|error| fault(decoder.get_ref(), &error))?;
                Ok(std::mem::take(&mut decoder.get_mut().bytes).into())
            }
        }
    }
}

fn fault(bounded: &Bounded, error: &io::Error) -> Unanswered {
    if bounded.full { Unanswered::TooLarge } else { Unanswered::Broken(format!("gzip: {error}")) }
}

/// Takes so many bytes and no more.
struct Bounded {
    bytes: Vec<u8>,
    bytes_max: usize,
    full: bool,
}

impl Write for Bounded {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        if piece.len() > self.bytes_max - self.bytes.len() {
            self.full = true;
            return Err(io::Error::other("too large"));
        }
        self.bytes.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    fn unpack(packed: &[u8], bytes_max: usize, piece: usize) -> Result<Bytes, Unanswered> {
        let mut unpacking = Unpacking::new(true, bytes_max);
        packed.chunks(piece).try_for_each(|piece| unpacking.add(piece))?;
        unpacking.end()
    }

    #[test]
    fn what_was_packed_comes_out_whatever_the_pieces() {
        let plain = b"The same, and the same again. ".repeat(2_000);
        let packed = gzip(&plain);
        for piece in [1, 7, 4_096, packed.len()] {
            assert_eq!(unpack(&packed, plain.len(), piece).unwrap(), plain);
            assert_eq!(unpack(&packed, plain.len() - 1, piece), Err(Unanswered::TooLarge));
        }
        // Two members are one body (RFC 1952, 2.2).
        let twice = [packed.clone(), packed].concat();
        assert_eq!(unpack(&twice, plain.len() * 2, 512).unwrap().len(), plain.len() * 2);
        assert_eq!(unpack(&[], 10, 1).unwrap(), "");
    }

    #[test]
    fn a_bomb_ends_at_the_bound_and_not_in_memory() {
        let bomb = gzip(&vec![0; 64 << 20]);
        assert!(bomb.len() < 100_000);
        let mut unpacking = Unpacking::new(true, 1 << 20);
        let mut taken = 0;
        for piece in bomb.chunks(512) {
            taken += piece.len();
            match unpacking.add(piece) {
                Ok(()) => {}
                Err(fault) => {
                    assert_eq!(fault, Unanswered::TooLarge);
                    break;
                }
            }
        }
        assert!(taken < bomb.len() / 8, "{taken} of {}", bomb.len());
        let Unpacking::Gzip { decoder, .. } = unpacking else { unreachable!() };
        assert!(decoder.get_ref().bytes.len() <= 1 << 20);
    }

    #[test]
    fn what_is_cut_off_or_no_gzip_is_broken() {
        let packed = gzip(b"Hello, hello, hello");
        for cut in [1, 5, 12, packed.len() - 1] {
            assert!(matches!(unpack(&packed[..cut], 100, 3), Err(Unanswered::Broken(_))), "{cut}");
        }
        let mut wrong = packed.clone();
        let crc = wrong.len() - 6;
        wrong[crc] ^= 1;
        assert!(matches!(unpack(&wrong, 100, 3), Err(Unanswered::Broken(_))));
        assert!(matches!(unpack(b"<html>never compressed</html>", 100, 3), Err(Unanswered::Broken(_))));
        assert!(matches!(
            unpack(&[packed, b"garbage behind".to_vec()].concat(), 100, 3),
            Err(Unanswered::Broken(_))
        ));
    }

    #[test]
    fn only_what_was_asked_for_is_decoded() {
        let with = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_ENCODING, value.parse().unwrap());
            is_gzip(&headers)
        };
        assert_eq!(is_gzip(&HeaderMap::new()), Ok(false));
        for (value, gzip) in
            [("gzip", true), ("GZIP", true), ("x-gzip", true), ("identity", false), ("", false)]
        {
            assert_eq!(with(value), Ok(gzip), "{value}");
        }
        for value in ["br", "deflate", "gzip, gzip", "gzip, br", "zstd", "x"] {
            assert!(with(value).is_err(), "{value}");
        }
    }
}
