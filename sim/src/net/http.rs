//! An HTTP client over links: what stands between a phone and the fronts of the members.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{HOST, HeaderMap, HeaderValue};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;

use super::Net;
use crate::plan::Link;

type Connection = SendRequest<Full<Bytes>>;

/// A client of a cluster: of one member, until that does not answer or somebody else is met. Keeps connections open
/// and uses them again. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Client {
    net: Net,
    person: u32,
    servers: Arc<Vec<SocketAddr>>,
    state: Arc<Mutex<State>>,
}

struct State {
    /// The member that is asked.
    member: u32,
    idle: BTreeMap<u32, Vec<Connection>>,
}

/// How often a client goes to another member for no reason, in a million requests: its balancer does.
const ROAMS: u32 = 50_000;

/// A request under way. Dropped before it was answered, it has failed or lasted too long: the next is another member's.
struct Underway<'a> {
    client: &'a Client,
    member: u32,
    answered: bool,
}

impl Drop for Underway<'_> {
    fn drop(&mut self) {
        if !self.answered {
            self.client.leave(self.member);
        }
    }
}

/// What the server said.
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body; empty if it is not text.
    pub body: String,
}

impl Answer {
    /// A header that is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl Client {
    /// A client of these members, without connections.
    pub fn new(net: Net, person: u32, servers: Arc<Vec<SocketAddr>>) -> Client {
        let member = person % servers.len() as u32;
        Client { net, person, servers, state: Arc::new(Mutex::new(State { member, idle: BTreeMap::new() })) }
    }

    /// Sends one request and reads the answer to its end. Never tries twice: after a failure the outcome is
    /// unknown.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&'static str, String)],
        body: String,
    ) -> Result<Answer> {
        let mut request = Request::builder().method(method).uri(path);
        let map = request.headers_mut().context("the address is wrong")?;
        map.insert(HOST, HeaderValue::from_static("gomer.example"));
        for (name, value) in headers {
            map.insert(*name, HeaderValue::from_str(value)?);
        }
        let request = request.body(Full::new(Bytes::from(body)))?;
        let member = self.member();
        let mut underway = Underway { client: self, member, answered: false };
        let mut connection = match self.kept(member) {
            Some(connection) => connection,
            None => self.connect(member).await?,
        };
        connection.ready().await?;
        let (head, body) = connection.send_request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        self.lock().idle.entry(member).or_default().push(connection);
        // A member that has no majority says so, and another one may have. Not everybody tries.
        underway.answered = !head.status.is_server_error() || self.is_patient();
        drop(underway);
        let body = String::from_utf8(body.into()).unwrap_or_default();
        Ok(Answer { status: head.status.as_u16(), headers: head.headers, body })
    }

    /// Whom to ask.
    fn member(&self) -> u32 {
        let member = self.lock().member;
        if self.servers.len() > 1 && self.net.chance.per_million(&format!("p{} roams", self.person), ROAMS) {
            self.leave(member);
        }
        self.lock().member
    }

    /// Whether who is refused stays: whoever is cut off with a member that once led sees what that one believes.
    fn is_patient(&self) -> bool {
        self.person % 2 == 1
    }

    /// From here on the member after this one is asked, if this one was.
    fn leave(&self, member: u32) {
        let mut state = self.lock();
        if state.member == member {
            state.member = (member + 1) % self.servers.len() as u32;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect(UNPOISONED)
    }

    fn kept(&self, member: u32) -> Option<Connection> {
        let mut state = self.lock();
        let idle = state.idle.entry(member).or_default();
        idle.retain(|connection| !connection.is_closed());
        idle.pop()
    }

    async fn connect(&self, member: u32) -> Result<Connection> {
        let link = Link { person: self.person, member };
        let stream = self.net.connect(link, self.servers[member as usize]).await?;
        let (connection, driver) = http1::handshake(TokioIo::new(stream)).await?;
        // Ends with the connection, and an error of it is one of the request's.
        tokio::spawn(driver);
        Ok(connection)
    }
}

const UNPOISONED: &str = "nothing panics under this lock";
