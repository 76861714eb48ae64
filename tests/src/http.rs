//! A small blocking HTTP/1.1 client over `std::net`: keep-alive, chunked bodies, nothing hidden.
//!
//! It is not hyper on purpose: what serves and what checks must not share a mistake.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use serde_json::Value;

/// A client of one server. Keeps one connection open between calls.
#[derive(Debug)]
pub struct Http {
    authority: String,
    connection: Option<BufReader<TcpStream>>,
}

/// One answer, read to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// Names in lower case, in the order of the answer.
    pub headers: Vec<(String, String)>,
    /// The body without its transfer coding.
    pub body: Vec<u8>,
}

impl Reply {
    /// The first header of that name (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON. Panics, showing the answer, when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("no JSON ({error}): {}", self.told()))
    }

    /// Panics, showing the answer, unless it has that status. Gives itself back, to go on with.
    #[track_caller]
    pub fn expect(self, status: u16) -> Reply {
        assert_eq!(self.status, status, "{}", self.told());
        self
    }

    /// Status and body in one line, for messages.
    pub fn told(&self) -> String {
        format!("{} {}", self.status, String::from_utf8_lossy(&self.body))
    }
}

impl Http {
    /// A client of `http://host:port`, which is not connected yet.
    pub fn new(base: &str) -> Http {
        let authority = base.strip_prefix("http://").unwrap_or(base).trim_end_matches('/').to_owned();
        Http { authority, connection: None }
    }

    /// `GET` of a path with its query.
    pub fn get(&mut self, path: &str, headers: &[(&str, &str)]) -> io::Result<Reply> {
        self.send("GET", path, headers, None)
    }

    /// `POST` of a JSON body.
    pub fn post(&mut self, path: &str, headers: &[(&str, &str)], body: &Value) -> io::Result<Reply> {
        let mut all = vec![("content-type", "application/json")];
        all.extend_from_slice(headers);
        self.send("POST", path, &all, Some(body.to_string().as_bytes()))
    }

    /// Sends any request and reads the answer.
    ///
    /// A kept connection that the server has closed meanwhile is replaced and the request sent again, but
    /// only a GET: whether a POST was carried out is for the caller to find out.
    pub fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> io::Result<Reply> {
        let reused = self.connection.is_some();
        match self.send_once(method, path, headers, body) {
            Err(_) if reused && method == "GET" => self.send_once(method, path, headers, body),
            other => other,
        }
    }

    /// Closes the connection; the next call opens a new one.
    pub fn close(&mut self) {
        self.connection = None;
    }

    fn send_once(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> io::Result<Reply> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => BufReader::new(connect(&self.authority)?),
        };
        let mut request = head(method, path, &self.authority, headers, body.map(<[u8]>::len));
        request.extend_from_slice(body.unwrap_or_default());
        connection.get_mut().write_all(&request)?;
        let (mut reply, framing) = read_head(&mut connection, method)?;
        Body::new(&mut connection, framing).read_to_end(&mut reply.body)?;
        let close = reply.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        if !close && framing != Framing::UntilClose {
            self.connection = Some(connection);
        }
        Ok(reply)
    }
}

/// Opens a connection that gives up after half a minute of silence.
pub fn connect(authority: &str) -> io::Result<TcpStream> {
    let address = authority.to_socket_addrs()?.next().ok_or(io::ErrorKind::AddrNotAvailable)?;
    let stream = TcpStream::connect_timeout(&address, Duration::from_secs(10))?;
    stream.set_read_timeout(Some(Duration::from_secs(40)))?;
    stream.set_write_timeout(Some(Duration::from_secs(30)))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// The head of a request, ready to be sent.
pub fn head(
    method: &str,
    path: &str,
    host: &str,
    headers: &[(&str, &str)],
    body_length: Option<usize>,
) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\n");
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    if let Some(length) = body_length {
        text += &format!("content-length: {length}\r\n");
    }
    text += "\r\n";
    text.into_bytes()
}

/// How the end of a body is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// After so many bytes.
    Length(u64),
    /// After the chunk of length zero.
    Chunked,
    /// When the server closes.
    UntilClose,
}

/// Reads the status line and the headers; the body of the reply is still empty. Interim answers (1xx) are skipped.
pub fn read_head(from: &mut impl BufRead, method: &str) -> io::Result<(Reply, Framing)> {
    loop {
        let line = read_line(from)?;
        let status = line
            .strip_prefix("HTTP/1.1 ")
            .and_then(|rest| rest.get(..3))
            .and_then(|code| code.parse::<u16>().ok())
            .ok_or_else(|| bad(format!("no status line: {line:?}")))?;
        let mut headers = Vec::new();
        loop {
            let line = read_line(from)?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').ok_or_else(|| bad(format!("no header: {line:?}")))?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        if (100..200).contains(&status) {
            continue;
        }
        let reply = Reply { status, headers, body: Vec::new() };
        let framing = framing(&reply, method)?;
        return Ok((reply, framing));
    }
}

fn framing(reply: &Reply, method: &str) -> io::Result<Framing> {
    if method == "HEAD" || reply.status == 204 || reply.status == 304 {
        return Ok(Framing::Length(0));
    }
    if let Some(coding) = reply.header("transfer-encoding") {
        return if coding == "chunked" { Ok(Framing::Chunked) } else { Err(bad(format!("coding {coding}"))) };
    }
    match reply.header("content-length") {
        Some(length) => length.parse().map(Framing::Length).map_err(|_| bad(format!("length {length}"))),
        None => Ok(Framing::UntilClose),
    }
}

/// A body as a stream of bytes, without its framing.
#[derive(Debug)]
pub struct Body<R> {
    from: R,
    framing: Framing,
    /// Bytes left of the body, or of the current chunk.
    left: u64,
    done: bool,
    first_chunk: bool,
}

impl<R: BufRead> Body<R> {
    /// A body that begins where `from` stands.
    pub fn new(from: R, framing: Framing) -> Body<R> {
        let left = if let Framing::Length(length) = framing { length } else { 0 };
        Body { from, framing, left, done: false, first_chunk: true }
    }

    /// What is read from.
    pub fn get_ref(&self) -> &R {
        &self.from
    }

    fn next_chunk(&mut self) -> io::Result<()> {
        if !self.first_chunk && !read_line(&mut self.from)?.is_empty() {
            return Err(bad("a chunk is longer than it said".to_owned()));
        }
        self.first_chunk = false;
        let line = read_line(&mut self.from)?;
        let size = line.split(';').next().unwrap_or("").trim();
        self.left = u64::from_str_radix(size, 16).map_err(|_| bad(format!("chunk size {line:?}")))?;
        if self.left == 0 {
            // Trailers, up to the empty line.
            while !read_line(&mut self.from)?.is_empty() {}
            self.done = true;
        }
        Ok(())
    }
}

impl<R: BufRead> Read for Body<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.done || into.is_empty() {
            return Ok(0);
        }
        if self.framing == Framing::UntilClose {
            return self.from.read(into);
        }
        if self.left == 0 && self.framing == Framing::Chunked {
            self.next_chunk()?;
        }
        if self.left == 0 {
            self.done = true;
            return Ok(0);
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(into.len());
        let count = self.from.read(&mut into[..most])?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= count as u64;
        Ok(count)
    }
}

/// One line without its end. A closed connection is an error, never an empty line.
fn read_line(from: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    from.read_until(b'\n', &mut line)?;
    if line.pop() != Some(b'\n') {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    String::from_utf8(line).map_err(|_| bad("a header that is not UTF-8".to_owned()))
}

fn bad(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> io::Result<(Reply, Vec<u8>)> {
        let mut from = text.as_bytes();
        let (mut reply, framing) = read_head(&mut from, "GET")?;
        Body::new(&mut from, framing).read_to_end(&mut reply.body)?;
        Ok((reply, from.to_vec()))
    }

    #[test]
    fn a_body_ends_where_its_length_says() {
        let (reply, rest) =
            read("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nETag: \"7\"\r\n\r\nabcHTTP").unwrap();
        assert_eq!((reply.status, reply.body.as_slice(), rest.as_slice()), (200, &b"abc"[..], &b"HTTP"[..]));
        assert_eq!(reply.header("etag"), Some("\"7\""));
        assert_eq!(reply.header("age"), None);
    }

    #[test]
    fn chunks_are_joined_and_trailers_skipped() {
        let text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nt: 1\r\n\r\nrest";
        let (reply, rest) = read(text).unwrap();
        assert_eq!(reply.body, b"abc0123456789");
        assert_eq!(rest, b"rest");
    }

    #[test]
    fn interim_answers_and_empty_ones() {
        let (reply, rest) =
            read("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 304 Not Modified\r\n\r\nrest").unwrap();
        assert_eq!((reply.status, reply.body.len(), rest.as_slice()), (304, 0, &b"rest"[..]));
    }

    #[test]
    fn what_breaks_off_is_an_error() {
        for text in [
            "",
            "HTTP/1.1 200 OK\r\n",
            "HTTP/1.1 200 OK\r\nno header\r\n\r\n",
            "HTTP/1.0 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc",
            "HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nabcde",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        ] {
            assert!(read(text).is_err(), "{text:?}");
        }
    }
}
