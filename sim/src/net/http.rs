//! An HTTP client over a link: what stands between a phone and the front.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

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

/// A client of one server. Keeps connections open and uses them again. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    net: Net,
    link: Link,
    server: SocketAddr,
    idle: Arc<Mutex<Vec<Connection>>>,
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
    /// A client without connections.
    pub fn new(net: Net, link: Link, server: SocketAddr) -> Client {
        Client { net, link, server, idle: Arc::default() }
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
        let mut connection = match self.kept() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        connection.ready().await?;
        let (head, body) = connection.send_request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        self.idle.lock().expect(UNPOISONED).push(connection);
        let body = String::from_utf8(body.into()).unwrap_or_default();
        Ok(Answer { status: head.status.as_u16(), headers: head.headers, body })
    }

    fn kept(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().expect(UNPOISONED);
        idle.retain(|connection| !connection.is_closed());
        idle.pop()
    }

    async fn connect(&self) -> Result<Connection> {
        let stream = self.net.connect(self.link, self.server).await?;
        let (connection, driver) = http1::handshake(TokioIo::new(stream)).await?;
        // Ends with the connection, and an error of it is one of the request's.
        tokio::spawn(driver);
        Ok(connection)
    }
}

const UNPOISONED: &str = "nothing panics under this lock";
