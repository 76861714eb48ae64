//! The guard in front of hyper's HTTP/1 parser: which bytes are a request, decided strictly.
//!
//! hyper is lenient where two servers may understand the same bytes differently (bare LF, several
//! `Content-Length`, `Content-Length` next to `Transfer-Encoding`). The guard follows every message
//! to its end, so that it knows where each head begins, and passes only what RFC 9112 allows
//! without any "MAY repair". It never sees a socket: bytes in, a verdict out.

use super::service::Refusal;

/// Bounds of a head.
#[derive(Clone, Copy, Debug)]
pub struct HeadLimits {
    /// Bytes, up to and with the empty line.
    pub bytes_max: usize,
    /// Headers.
    pub headers_max: usize,
    /// Bytes of the request target.
    pub uri_bytes_max: usize,
}

/// What is to be done with the bytes that were shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All of them are good.
    Pass,
    /// Those before the offset are good; the rest is the beginning of a head. Keep it, and show it
    /// again, from that offset, with more behind it.
    Hold(usize),
    /// Those before the offset are good; a head that begins there is refused. The end.
    Refuse(usize, Refusal),
    /// Those before the offset are good; there the framing of a body breaks. The end.
    Break(usize, &'static str),
}

/// Follows the requests of one HTTP/1 connection.
#[derive(Clone, Debug)]
pub struct Guard {
    limits: HeadLimits,
    at: At,
}

/// Where in the sequence of messages the guard is.
#[derive(Clone, Debug)]
enum At {
    Head(Head),
    Sized(u64),
    Chunked(Chunk),
    Ended,
}

impl Guard {
    /// A guard that expects the first byte of a connection.
    pub fn new(limits: HeadLimits) -> Guard {
        Guard { limits, at: At::Head(Head::default()) }
    }

    /// Judges the next bytes. After [`Verdict::Hold`] they start with those that were held.
    pub fn inspect(&mut self, bytes: &[u8]) -> Verdict {
        let mut start = 0;
        while start < bytes.len() {
            let rest = &bytes[start..];
            match &mut self.at {
                At::Head(head) => match head.read(rest, &self.limits) {
                    Step::More => return Verdict::Hold(start),
                    Step::Done { used, next } => {
                        start += used;
                        self.at = next;
                    }
                    Step::Bad(refusal) => {
                        self.at = At::Ended;
                        return Verdict::Refuse(start, refusal);
                    }
                },
                At::Sized(left) => {
                    let used = rest.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                    *left -= used as u64;
                    start += used;
                    if *left == 0 {
                        self.at = At::Head(Head::default());
                    }
                }
                At::Chunked(chunk) => match chunk.read(rest) {
                    Ok(used) => {
                        start += used;
                        if matches!(chunk, Chunk::Done) {
                            self.at = At::Head(Head::default());
                        }
                    }
                    Err((offset, why)) => {
                        self.at = At::Ended;
                        return Verdict::Break(start + offset, why);
                    }
                },
                At::Ended => return Verdict::Break(start, "bytes after the end"),
            }
        }
        Verdict::Pass
    }

    /// Whether the next byte would be the first of a request.
    pub fn between_requests(&self) -> bool {
        matches!(&self.at, At::Head(head) if head.scanned == 0)
    }
}

/// A head that is being read. Offsets count from its first byte.
#[derive(Clone, Debug, Default)]
struct Head {
    /// Up to where the bytes were searched for line ends.
    scanned: usize,
    /// Where the line begins that `scanned` is in.
    line_start: usize,
    /// Complete lines so far, the request line included, a leading empty line not.
    lines: usize,
    skipped_empty: bool,
    http_11: bool,
    hosts: u8,
    length: Option<u64>,
    chunked: bool,
}

enum Step {
    More,
    Done { used: usize, next: At },
    Bad(Refusal),
}

impl Head {
    fn read(&mut self, bytes: &[u8], limits: &HeadLimits) -> Step {
        let from = self.scanned;
        for end in memchr::memchr_iter(b'\n', &bytes[from..]).map(|at| from + at) {
            // First of all, as it is for a head that comes byte by byte.
            if end >= limits.bytes_max {
                return Step::Bad(self.too_large());
            }
            let line = &bytes[self.line_start..end];
            let Some((b'\r', line)) = line.split_last() else {
                return bad("a line that ends with LF alone");
            };
            let used = end + 1;
            (self.scanned, self.line_start) = (used, used);
            let result = match (self.lines, line.is_empty()) {
                // RFC 9112, 2.2: one empty line before a request is ignored.
                (0, true) if !self.skipped_empty => {
                    self.skipped_empty = true;
                    continue;
                }
                (0, true) => Err(Refusal::BadRequest("empty lines instead of a request")),
                (0, false) => self.request_line(line, limits),
                (_, false) => self.header(line, limits),
                (_, true) => {
                    return match self.finish(&bytes[..used]) {
                        Ok(next) => Step::Done { used, next },
                        Err(refusal) => Step::Bad(refusal),
                    };
                }
            };
            if let Err(refusal) = result {
                return Step::Bad(refusal);
            }
            self.lines += 1;
        }
        if bytes.len() >= limits.bytes_max {
            return Step::Bad(self.too_large());
        }
        self.scanned = bytes.len();
        Step::More
    }

    /// What is too large when the head is: its address, as long as the first line has no end.
    fn too_large(&self) -> Refusal {
        if self.lines == 0 { Refusal::UriTooLong } else { Refusal::HeadTooLarge }
    }

    fn request_line(&mut self, line: &[u8], limits: &HeadLimits) -> Result<(), Refusal> {
        let malformed = Err(Refusal::BadRequest("a malformed request line"));
        let Some(first) = memchr::memchr(b' ', line) else { return malformed };
        let (method, rest) = (&line[..first], &line[first + 1..]);
        let Some(second) = memchr::memrchr(b' ', rest) else {
            return Err(Refusal::BadRequest("a request line without a version"));
        };
        let (target, version) = (&rest[..second], &rest[second + 1..]);
        if method.is_empty()
            || method.len() > 20
            || !method.iter().all(|b| b.is_ascii_uppercase() || *b == b'-')
        {
            return Err(Refusal::BadRequest("a malformed method"));
        }
        if method == b"CONNECT" {
            return Err(Refusal::BadRequest("CONNECT is not served"));
        }
        if target.len() > limits.uri_bytes_max {
            return Err(Refusal::UriTooLong);
        }
        if !target_is_good(target) {
            return Err(Refusal::BadRequest("a malformed request target"));
        }
        self.http_11 = match version {
            b"HTTP/1.1" => true,
            b"HTTP/1.0" => false,
            _ => return Err(Refusal::BadRequest("a version other than HTTP/1.1 and HTTP/1.0")),
        };
        Ok(())
    }

    fn header(&mut self, line: &[u8], limits: &HeadLimits) -> Result<(), Refusal> {
        if self.lines > limits.headers_max {
            return Err(Refusal::TooManyHeaders);
        }
        if matches!(line[0], b' ' | b'\t') {
            return Err(Refusal::BadRequest("a header continued on a second line"));
        }
        let Some(colon) = memchr::memchr(b':', line) else {
            return Err(Refusal::BadRequest("a header without a colon"));
        };
        let (name, value) = (&line[..colon], &line[colon + 1..]);
        if name.is_empty() || !name.iter().all(|b| TOKEN[usize::from(*b)]) {
            return Err(Refusal::BadRequest("a malformed header name"));
        }
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => {
                self.hosts += 1;
                if self.hosts > 1 {
                    return Err(Refusal::BadRequest("more than one Host"));
                }
                if !trim(value).iter().all(|b| HOST[usize::from(*b)]) {
                    return Err(Refusal::BadRequest("a malformed Host"));
                }
            }
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                if self.length.is_some() {
                    return Err(Refusal::BadRequest("more than one Content-Length"));
                }
                self.length = Some(length(trim(value))?);
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                if self.chunked {
                    return Err(Refusal::BadRequest("more than one Transfer-Encoding"));
                }
                if !trim(value).eq_ignore_ascii_case(b"chunked") {
                    return Err(Refusal::BadRequest("a Transfer-Encoding other than chunked"));
                }
                self.chunked = true;
            }
            _ => {}
        }
        Ok(())
    }

    /// What follows a complete head, if it may be one.
    fn finish(&self, head: &[u8]) -> Result<At, Refusal> {
        // Every LF follows a CR; as many of each means that every CR is followed by an LF. Both loops
        // become vector instructions.
        let stray = |byte: u8| (byte < 0x20 && !matches!(byte, b'\t' | b'\r' | b'\n')) | (byte == 0x7f);
        let line_ends = self.lines + 1 + usize::from(self.skipped_empty);
        if head.iter().fold(false, |found, byte| found | stray(*byte))
            || memchr::memchr_iter(b'\r', head).count() != line_ends
        {
            return Err(Refusal::BadRequest("a control character in the head"));
        }
        if self.http_11 && self.hosts == 0 {
            return Err(Refusal::BadRequest("no Host"));
        }
        match (self.chunked, self.length) {
            (true, Some(_)) => Err(Refusal::BadRequest("both Content-Length and Transfer-Encoding")),
            (true, None) if !self.http_11 => Err(Refusal::BadRequest("Transfer-Encoding in HTTP/1.0")),
            (true, None) => Ok(At::Chunked(Chunk::Size { digits: 0, value: 0 })),
            (false, Some(length)) if length > 0 => Ok(At::Sized(length)),
            (false, _) => Ok(At::Head(Head::default())),
        }
    }
}

/// A chunked body that is being read.
#[derive(Clone, Copy, Debug)]
enum Chunk {
    Size { digits: u8, value: u64 },
    Extension { value: u64, bytes: u16 },
    SizeLf { value: u64 },
    Data { left: u64 },
    DataCr,
    DataLf,
    EndCr,
    EndLf,
    Done,
}

/// Longest chunk extension; they mean nothing to anybody, but are allowed.
const EXTENSION_BYTES_MAX: u16 = 256;

impl Chunk {
    /// How many bytes belong to this body; all of them, unless it is done.
    fn read(&mut self, bytes: &[u8]) -> Result<usize, (usize, &'static str)> {
        let mut at = 0;
        while at < bytes.len() {
            let byte = bytes[at];
            *self = match (*self, byte) {
                (Chunk::Data { left }, _) => {
                    let used = (bytes.len() - at).min(usize::try_from(left).unwrap_or(usize::MAX));
                    at += used;
                    match left - used as u64 {
                        0 => *self = Chunk::DataCr,
                        left => *self = Chunk::Data { left },
                    }
                    continue;
                }
                (Chunk::Size { digits, value }, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                    if digits == 15 {
                        return Err((at, "a chunk size that is too long"));
                    }
                    let digit = char::from(byte).to_digit(16).expect("the pattern is the hex digits");
                    Chunk::Size { digits: digits + 1, value: value << 4 | u64::from(digit) }
                }
                (Chunk::Size { digits: 1.., value }, b'\r') => Chunk::SizeLf { value },
                (Chunk::Size { digits: 1.., value }, b';') => Chunk::Extension { value, bytes: 0 },
                (Chunk::Size { .. }, _) => return Err((at, "a malformed chunk size")),
                (Chunk::Extension { value, .. }, b'\r') => Chunk::SizeLf { value },
                (Chunk::Extension { value, bytes }, b'\t' | b' '..=b'~' | 0x80..)
                    if bytes < EXTENSION_BYTES_MAX =>
                {
                    Chunk::Extension { value, bytes: bytes + 1 }
                }
                (Chunk::Extension { .. }, _) => return Err((at, "a malformed chunk extension")),
                (Chunk::SizeLf { value: 0 }, b'\n') => Chunk::EndCr,
                (Chunk::SizeLf { value }, b'\n') => Chunk::Data { left: value },
                (Chunk::DataCr, b'\r') => Chunk::DataLf,
                (Chunk::DataLf, b'\n') => Chunk::Size { digits: 0, value: 0 },
                (Chunk::EndCr, b'\r') => Chunk::EndLf,
                (Chunk::EndCr, _) => return Err((at, "trailers are not accepted")),
                (Chunk::EndLf, b'\n') => {
                    *self = Chunk::Done;
                    return Ok(at + 1);
                }
                (Chunk::SizeLf { .. } | Chunk::DataCr | Chunk::DataLf | Chunk::EndLf, _) => {
                    return Err((at, "a malformed chunk end"));
                }
                (Chunk::Done, _) => return Ok(at),
            };
            at += 1;
        }
        Ok(at)
    }
}

fn bad(why: &'static str) -> Step {
    Step::Bad(Refusal::BadRequest(why))
}

/// Origin form, `*`, or an absolute `http` address; visible ASCII only, no fragment.
fn target_is_good(target: &[u8]) -> bool {
    let visible = target.iter().all(|b| matches!(b, b'!'..=b'~') && *b != b'#');
    let form = target.starts_with(b"/")
        || target == b"*"
        || target.starts_with(b"http://")
        || target.starts_with(b"https://");
    visible && form
}

fn length(digits: &[u8]) -> Result<u64, Refusal> {
    // 15 digits are a thousand terabytes, and cannot overflow.
    if digits.is_empty() || digits.len() > 15 || !digits.iter().all(u8::is_ascii_digit) {
        return Err(Refusal::BadRequest("a malformed Content-Length"));
    }
    Ok(digits.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')))
}

/// Without spaces and tabs at both ends.
fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = value {
        value = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// `tchar` of RFC 9110, 5.6.2.
const TOKEN: [bool; 256] = table(b"!#$%&'*+-.^_`|~");

/// What may be in a host and port, percent-encoding and IPv6 brackets included.
const HOST: [bool; 256] = table(b"-._~%!$&'()*+;=:[]");

/// Letters, digits and these.
const fn table(others: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        table[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let mut at = 0;
    while at < others.len() {
        table[others[at] as usize] = true;
        at += 1;
    }
    table
}

#[cfg(test)]
#[path = "guard_test.rs"]
mod tests;
