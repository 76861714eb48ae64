//! Server-sent events, read as they come.

use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use crate::http::{self, Body, Reply};

/// One event. What was not sent is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Event {
    /// Its `event:`.
    pub event: String,
    /// Its `id:`, to be sent back as `Last-Event-ID`.
    pub id: String,
    /// Its `data:` lines, joined by newlines.
    pub data: String,
}

impl Event {
    /// The data as JSON. Panics, showing the event, when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }
}

/// An open stream of events.
#[derive(Debug)]
pub struct Events {
    /// The head of the answer.
    pub reply: Reply,
    lines: BufReader<Body<BufReader<TcpStream>>>,
}

impl Events {
    /// Asks for the stream and reads the head of the answer. With another status than 200 the body is in `reply`.
    pub fn open(base: &str, path: &str, headers: &[(&str, &str)]) -> io::Result<Events> {
        let authority = base.strip_prefix("http://").unwrap_or(base);
        let mut stream = BufReader::new(http::connect(authority)?);
        stream.get_mut().write_all(&http::head("GET", path, authority, headers, None))?;
        let (mut reply, framing) = http::read_head(&mut stream, "GET")?;
        let mut lines = BufReader::new(Body::new(stream, framing));
        if reply.status != 200 {
            io::Read::read_to_end(&mut lines, &mut reply.body)?;
        }
        Ok(Events { reply, lines })
    }

    /// The next event; comments are skipped. `None` when the server ends the stream or nothing comes for so long.
    ///
    /// After a `None` for silence the stream may have been left inside an event: open a new one.
    pub fn next(&mut self, patience: Duration) -> Option<Event> {
        let stream = self.lines.get_ref().get_ref().get_ref();
        stream.set_read_timeout(Some(patience)).expect("a connection takes a time-out");
        next_event(&mut self.lines)
    }
}

/// HTML standard, "Server-sent events", 9.2.6: an event ends with an empty line, and without data it is none.
fn next_event(lines: &mut impl BufRead) -> Option<Event> {
    let mut event = Event::default();
    let mut has_data = false;
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end_matches(['\n', '\r']);
        if line.is_empty() {
            if has_data {
                return Some(event);
            }
            event = Event::default();
            continue;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => event.event = value.to_owned(),
            "id" => event.id = value.to_owned(),
            "data" if has_data => event.data += &format!("\n{value}"),
            "data" => {
                has_data = true;
                event.data = value.to_owned();
            }
            // Comments, `retry`, and what is not known.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_told_apart_and_comments_skipped() {
        let text = ": hello\n\nevent: change\nid: c1\ndata: {\"a\":\ndata: 1}\n\nretry: 5\n\ndata:x\r\n\r\ndata: cut";
        let mut lines = text.as_bytes();
        let first = next_event(&mut lines).unwrap();
        assert_eq!((first.event.as_str(), first.id.as_str()), ("change", "c1"));
        assert_eq!(first.json(), serde_json::json!({"a": 1}));
        assert_eq!(next_event(&mut lines).unwrap(), Event { data: "x".into(), ..Event::default() });
        assert_eq!(next_event(&mut lines), None, "an event that was cut off is none");
    }
}
