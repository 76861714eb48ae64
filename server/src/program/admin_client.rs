//! A small HTTP client for the admin listener: one call, one connection, no TLS. It stands on a loopback or private
//! address.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use serde_json::Value;

use super::exit::{End, Exit};

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(30);
/// Longest answer that is read.
const ANSWER_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Calls methods of the cluster as its operator.
pub struct AdminClient {
    host: String,
    token: String,
}

impl AdminClient {
    /// A client of the server at this address, `http://HOST:PORT`.
    pub fn new(address: &str, token: &str) -> Result<AdminClient, End> {
        let host = address.strip_prefix("http://").map(|host| host.trim_end_matches('/'));
        let host = host.filter(|host| !host.is_empty() && !host.contains(['/', ' ', '\r', '\n']));
        let Some(host) = host else {
            return Err(End::new(
                Exit::Usage,
                format!("{address} is not an address like http://127.0.0.1:8081"),
            ));
        };
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let host = if has_port { host.to_owned() } else { format!("{host}:80") };
        if token.is_empty() || !token.bytes().all(|c| c.is_ascii_graphic()) {
            return Err(End::new(Exit::Usage, "the operator's token is empty or damaged"));
        }
        Ok(AdminClient { host, token: token.to_owned() })
    }

    /// Calls a method. Ends: 4 without an answer, or with one that a server gave for others that it did not reach in time
    /// (503, 504), 3 when the state refuses it (409, 412), else 1.
    pub fn call(&self, method: &str, args: &Value) -> Result<Value, End> {
        let answer = self.exchange(method, args).map_err(|error| {
            End::new(
                Exit::Unreachable,
                format!("no answer from {}: {error}; is the server running?", self.host),
            )
        })?;
        let Some((status, body)) = parse(&answer) else {
            return Err(End::new(Exit::Failed, format!("{} does not answer like a Gomer server", self.host)));
        };
        let json: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
        if (200..300).contains(&status) {
            return Ok(json);
        }
        let exit = match status {
            409 | 412 => Exit::Refused,
            503 | 504 => Exit::Unreachable,
            _ => Exit::Failed,
        };
        let field = |name: &str| json[name].as_str().unwrap_or_default();
        let why = match field("code") {
            "" => format!("{method} was answered with status {status}"),
            "unauthenticated" => format!("{method}: the operator's token is not the one of {}", self.host),
            // What exactly stands against it is the code of the place.
            "conflict" if json["errors"][0]["code"].is_string() => {
                let place = json["errors"][0]["code"].as_str().unwrap_or_default();
                format!("{method}: {place}. {}", field("detail"))
            }
            code => format!("{method}: {code}. {}. {}", field("title"), field("detail")),
        };
        Err(End::new(exit, why.trim().to_owned()))
    }

    fn exchange(&self, method: &str, args: &Value) -> std::io::Result<Vec<u8>> {
        let mut last = std::io::Error::new(std::io::ErrorKind::NotFound, "the name has no address");
        for address in self.host.to_socket_addrs()? {
            let mut stream = match TcpStream::connect_timeout(&address, CONNECT) {
                Ok(stream) => stream,
                Err(error) => {
                    last = error;
                    continue;
                }
            };
            stream.set_read_timeout(Some(ANSWER))?;
            stream.set_write_timeout(Some(ANSWER))?;
            let body = args.to_string();
            let request = format!(
                "POST /v1/-/{method} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\
                 Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                self.host,
                self.token,
                body.len(),
            );
            stream.write_all(request.as_bytes())?;
            let mut answer = Vec::new();
            stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
            return Ok(answer);
        }
        Err(last)
    }
}

/// Status and body of a whole answer.
fn parse(answer: &[u8]) -> Option<(u16, Vec<u8>)> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&answer[..end]).ok()?;
    let body = &answer[end + 4..];
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    if !first.next()?.starts_with("HTTP/1.") {
        return None;
    }
    let status = first.next()?.parse().ok()?;
    let mut length = None;
    for line in lines {
        let (name, value) = line.split_once(':')?;
        if name.eq_ignore_ascii_case("transfer-encoding") {
            return Some((status, unchunked(body)?));
        }
        if name.eq_ignore_ascii_case("content-length") {
            length = Some(value.trim().parse::<usize>().ok()?);
        }
    }
    // A body that was cut off is no answer.
    let body = body.get(..length.unwrap_or(body.len()))?;
    Some((status, body.to_vec()))
}

/// RFC 9112 §7.1.
fn unchunked(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|window| window == b"\r\n")?;
        let size = std::str::from_utf8(&rest[..end]).ok()?.split(';').next()?;
        let size = usize::from_str_radix(size.trim(), 16).ok()?;
        rest = &rest[end + 2..];
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(..size)?);
        rest = rest.get(size..)?.strip_prefix(b"\r\n")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::net::TcpListener;

    /// Answers one request with this, and gives what was asked.
    fn stub(answer: &'static str) -> (String, std::thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = Vec::new();
            let mut byte = [0];
            while !asked.ends_with(b"\r\n\r\n{\"a\":1}") {
                assert_eq!(stream.read(&mut byte).unwrap(), 1);
                asked.push(byte[0]);
            }
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8(asked).unwrap()
        });
        (address, asked)
    }

    fn ask(answer: &'static str) -> Result<Value, End> {
        let (address, asked) = stub(answer);
        let got = AdminClient::new(&address, "secret").unwrap().call("cluster.listApps", &json!({ "a": 1 }));
        let asked = asked.join().unwrap();
        assert!(asked.starts_with("POST /v1/-/cluster.listApps HTTP/1.1\r\n"), "{asked}");
        assert!(asked.contains("\r\nAuthorization: Bearer secret\r\n"), "{asked}");
        got
    }

    #[test]
    fn an_answer_is_read_whole_or_in_chunks() {
        let whole = "HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n{\"b\": 2}";
        assert_eq!(ask(whole).unwrap(), json!({ "b": 2 }));
        let chunks =
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{\"b\"\r\n4;x\r\n: 2}\r\n0\r\n\r\n";
        assert_eq!(ask(chunks).unwrap(), json!({ "b": 2 }));
    }

    #[test]
    fn refusals_end_with_their_code_and_say_why() {
        let taken = "HTTP/1.1 409 Conflict\r\ncontent-length: 64\r\n\r\n\
                     {\"code\":\"name-taken\",\"title\":\"Taken\",\"detail\":\"Choose another.\"}";
        let end = ask(taken).unwrap_err();
        assert_eq!(end.code, Exit::Refused);
        assert!(end.why.contains("name-taken. Taken. Choose another."), "{}", end.why);
        let body = r#"{"code":"conflict","title":"No","detail":"It moved.","errors":[{"pointer":"","code":"planChanged"}]}"#;
        let changed = format!("HTTP/1.1 409 Conflict\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        let end = ask(changed.leak()).unwrap_err();
        assert_eq!((end.code, end.why.as_str()), (Exit::Refused, "cluster.listApps: planChanged. It moved."));
        let wrong = "HTTP/1.1 401 Unauthorized\r\ncontent-length: 2\r\n\r\n{}";
        assert_eq!(ask(wrong).unwrap_err().code, Exit::Failed);
        for late in [
            "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 2\r\n\r\n{}",
            "HTTP/1.1 504 Gateway Timeout\r\ncontent-length: 2\r\n\r\n{}",
        ] {
            assert_eq!(ask(late).unwrap_err().code, Exit::Unreachable, "{late}");
        }
    }

    #[test]
    fn what_is_no_answer_is_none() {
        for answer in ["", "SSH-2.0\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}"] {
            assert_eq!(ask(answer).unwrap_err().code, Exit::Failed, "{answer:?}");
        }
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let client = AdminClient::new(&format!("http://{closed}"), "secret").unwrap();
        assert_eq!(client.call("x.y", &json!({})).unwrap_err().code, Exit::Unreachable);
    }

    #[test]
    fn addresses_and_tokens_are_checked_before_anything_is_sent() {
        for address in ["", "127.0.0.1:8081", "https://a", "http://", "http://a/b", "http://a\r\nx: y"] {
            assert!(AdminClient::new(address, "t").is_err(), "{address:?}");
        }
        for token in ["", "a b", "a\r\nx: y"] {
            assert!(AdminClient::new("http://a:1", token).is_err(), "{token:?}");
        }
        assert_eq!(AdminClient::new("http://a/", "t").unwrap().host, "a:80");
    }
}
