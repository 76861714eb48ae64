//! HTTP/1.1 by hand, as far as the load needs it: requests from parts that were rendered before, replies found in a
//! buffer without copying. It shares the machine with the server that it measures, so it must cost little.

use std::ops::Range;

use gomer_core::id::Id;

/// Renders requests of one caller.
#[derive(Debug, Clone)]
pub struct Requests {
    /// What follows the address of a GET, to the end of its head.
    get: Vec<u8>,
    /// What follows the address of a POST, up to its length.
    post: Vec<u8>,
    body: Vec<u8>,
}

impl Requests {
    /// For somebody with this key and, if given, this token.
    pub fn new(key: &str, token: Option<&str>) -> Requests {
        let mut headers = format!(" HTTP/1.1\r\nHost: gomer\r\nGomer-Key: {key}\r\n");
        if let Some(token) = token {
            headers += &format!("Authorization: Bearer {token}\r\n");
        }
        let get = format!("{headers}\r\n").into_bytes();
        let post = format!("{headers}Content-Type: application/json\r\nContent-Length: ").into_bytes();
        Requests { get, post, body: Vec::new() }
    }

    /// A query: its method with its parameters, in parts that need no encoding.
    pub fn get(&self, out: &mut Vec<u8>, app: &str, address: &[&[u8]]) {
        out.extend_from_slice(b"GET /v1/");
        out.extend_from_slice(app.as_bytes());
        out.push(b'/');
        for part in address {
            out.extend_from_slice(part);
        }
        out.extend_from_slice(&self.get);
    }

    /// A call with a JSON body, which `render` writes.
    pub fn post(&mut self, out: &mut Vec<u8>, app: &str, method: &str, render: impl FnOnce(&mut Vec<u8>)) {
        self.body.clear();
        render(&mut self.body);
        out.extend_from_slice(b"POST /v1/");
        out.extend_from_slice(app.as_bytes());
        out.push(b'/');
        out.extend_from_slice(method.as_bytes());
        out.extend_from_slice(&self.post);
        out.extend_from_slice(self.body.len().to_string().as_bytes());
        out.extend_from_slice(b"\r\n\r\n");
        out.extend_from_slice(&self.body);
    }
}

/// An id as text.
pub fn text(id: Id) -> [u8; 36] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [b'-'; 36];
    let mut at = 0;
    for (number, byte) in id.as_bytes().iter().enumerate() {
        if matches!(number, 4 | 6 | 8 | 10) {
            at += 1;
        }
        text[at] = DIGITS[usize::from(byte >> 4)];
        text[at + 1] = DIGITS[usize::from(byte & 15)];
        at += 2;
    }
    text
}

/// What a buffer begins with.
#[derive(Debug, PartialEq, Eq)]
pub enum Reply {
    /// The beginning of a reply.
    Partial,
    /// A whole reply.
    Whole {
        /// Its status.
        status: u16,
        /// Where its body is. It ends where the body ends.
        body: Range<usize>,
    },
    /// Something that the load does not understand.
    Bad,
}

/// Finds the reply at the beginning of the buffer. Only such with a length are understood; the server gives no others
/// to what the load asks for.
pub fn parse(bytes: &[u8]) -> Reply {
    let mut start = 0;
    let (mut length, mut status): (Option<u32>, Option<u16>) = (None, None);
    for end in memchr::memchr_iter(b'\n', bytes) {
        let line = &bytes[start..end];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        start = end + 1;
        if status.is_none() {
            let Some(number) = first_line(line) else { return Reply::Bad };
            status = Some(number);
        } else if line.is_empty() {
            let (Some(status), Some(length)) = (status, length) else { return Reply::Bad };
            let body = start..start + length as usize;
            return if bytes.len() < body.end { Reply::Partial } else { Reply::Whole { status, body } };
        } else if let Some((name, value)) = line.split_at_checked(LENGTH.len())
            && name.eq_ignore_ascii_case(LENGTH)
        {
            let Some(number) = std::str::from_utf8(value).ok().and_then(|text| text.trim().parse().ok())
            else {
                return Reply::Bad;
            };
            length = Some(number);
        }
    }
    if bytes.len() > HEAD_BYTES_MAX && length.is_none() { Reply::Bad } else { Reply::Partial }
}

fn first_line(line: &[u8]) -> Option<u16> {
    let rest = line.strip_prefix(b"HTTP/1.1 ")?;
    std::str::from_utf8(rest.get(..3)?).ok()?.parse().ok()
}

const LENGTH: &[u8] = b"content-length:";
const HEAD_BYTES_MAX: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &[u8] = b"HTTP/1.1 404 Not Found\r\nx: y\r\nContent-Length: 2\r\n\r\n{}";

    #[test]
    fn a_reply_is_found_whole_however_it_comes() {
        for cut in 0..WHOLE.len() {
            assert_eq!(parse(&WHOLE[..cut]), Reply::Partial, "{cut}");
        }
        let body = WHOLE.len() - 2..WHOLE.len();
        assert_eq!(parse(WHOLE), Reply::Whole { status: 404, body: body.clone() });
        let two = [WHOLE, WHOLE].concat();
        assert_eq!(parse(&two), Reply::Whole { status: 404, body });
    }

    #[test]
    fn what_is_no_reply_is_bad() {
        for bytes in [
            &b"SSH-2.0-x\r\n"[..],
            b"HTTP/1.1 abc\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        ] {
            assert_eq!(parse(bytes), Reply::Bad, "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn requests_have_the_length_of_their_body() {
        let mut requests = Requests::new("key", Some("token"));
        let mut out = Vec::new();
        requests.get(&mut out, "app", &[b"a.b?id=", b"1"]);
        let head = "HTTP/1.1\r\nHost: gomer\r\nGomer-Key: key\r\nAuthorization: Bearer token\r\n";
        assert_eq!(String::from_utf8(out).unwrap(), format!("GET /v1/app/a.b?id=1 {head}\r\n"));
        let mut out = Vec::new();
        requests.post(&mut out, "app", "a.b", |body| body.extend_from_slice(b"{\"a\":1}"));
        let json = "Content-Type: application/json\r\nContent-Length: 7\r\n\r\n{\"a\":1}";
        assert_eq!(String::from_utf8(out).unwrap(), format!("POST /v1/app/a.b {head}{json}"));
    }

    #[test]
    fn ids_are_written_as_they_are_shown() {
        let id: Id = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
        assert_eq!(text(id), *id.to_string().as_bytes());
    }
}
