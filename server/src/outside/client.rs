//! The real way out: HTTP/1.1 and HTTP/2 over TCP and TLS, one connection for each request.
//!
//! In this order: parse, look up, judge every address, connect to one that was judged, TLS, head, body; for a redirect,
//! all of it again. A proxy that the environment names is not used: it would connect to what nobody judged.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::header::{
    ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE,
    HOST, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LOCATION, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE, USER_AGENT,
};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::guard::Guard;
use super::place::{Place, Who};
use super::resolve::{Resolve, System};
use super::{Answered, Answering, Ask, Outside, Unanswered, body};

/// Requests under way at once.
const ASKS_MAX: usize = 128;
/// Requests under way at once to one host, so that a slow one does not take them all.
const ASKS_PER_HOST_MAX: usize = 32;
/// Addresses of one name that are tried.
const ADDRESSES_TRIED: usize = 4;
/// Longest for one address to take the connection, so that there is time for the next.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);
/// Largest head of an answer.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Most headers of an answer.
const HEADERS_MAX: usize = 128;
/// What is said of oneself unless the caller says something else.
const AGENT: &str = concat!("Gomer/", env!("CARGO_PKG_VERSION"));

/// Asks servers of others.
pub struct Client {
    guard: Guard,
    resolver: Arc<dyn Resolve>,
    tls: TlsConnector,
    asks: Semaphore,
    hosts: Mutex<HashMap<String, usize>>,
}

/// Why certificates of authorities are of no use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootsFault(&'static str);

impl fmt::Display for RootsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for RootsFault {}

impl Client {
    /// A client with this guard that looks names up as the machine does. `authorities` (PEM) are trusted beside those
    /// that browsers trust.
    pub fn new(guard: Guard, authorities: &[u8]) -> Result<Client, RootsFault> {
        Client::with_resolver(guard, authorities, Arc::new(System::default()))
    }

    /// The same with another way to look names up.
    pub fn with_resolver(
        guard: Guard,
        authorities: &[u8],
        resolver: Arc<dyn Resolve>,
    ) -> Result<Client, RootsFault> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let given: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(authorities).collect();
        let given = given.map_err(|_| RootsFault("a certificate is not PEM"))?;
        if given.is_empty() && !authorities.trim_ascii().is_empty() {
            return Err(RootsFault("there is no certificate in it"));
        }
        for authority in given {
            roots.add(authority).map_err(|_| RootsFault("a certificate cannot be an authority's"))?;
        }
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider speaks TLS 1.2 and 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let tls = Arc::new(config).into();
        let asks = Semaphore::new(ASKS_MAX);
        Ok(Client { guard, resolver, tls, asks, hosts: Mutex::default() })
    }

    /// Asks and follows redirects.
    async fn follow(&self, mut place: Place, mut ask: Ask) -> Result<Answered, Unanswered> {
        let mut left = ask.bounds.redirects_max;
        loop {
            let (response, _connection) = self.exchange(&place, &ask).await?;
            let (mut head, incoming) = response.into_parts();
            if ask.bounds.redirects_max > 0
                && is_redirect(head.status)
                && let Some(location) = head.headers.get(LOCATION)
            {
                left = left.checked_sub(1).ok_or(Unanswered::TooManyRedirects)?;
                let location = std::str::from_utf8(location.as_bytes())
                    .map_err(|_| Unanswered::Broken("it redirects to what is no text".to_owned()))?;
                let next = place.join(location)?;
                ask = redirected(ask, head.status, place.same_origin(&next))?;
                place = next;
                continue;
            }
            let body = body::read(&mut head.headers, incoming, ask.bounds.bytes_max).await?;
            let url = place.as_str().to_owned();
            return Ok(Answered { url, status: head.status.as_u16(), headers: head.headers, body });
        }
    }

    /// One request and the head of its answer; the connection lasts as long as its guard.
    async fn exchange(
        &self,
        place: &Place,
        ask: &Ask,
    ) -> Result<(Response<Incoming>, Connection<'_>), Unanswered> {
        let turn = self.turn(place)?;
        let tcp = self.connect(place).await?;
        if !place.is_secure() {
            let (response, driver) = over_http1(tcp, place, ask).await?;
            return Ok((response, Connection { _driver: driver, _turn: turn }));
        }
        let name = match place.host() {
            Who::Address(address) => ServerName::IpAddress(address.into()),
            Who::Name(name) => ServerName::try_from(name)
                .map_err(|_| Unanswered::Malformed("its host cannot be in a certificate"))?,
        };
        let stream = self.tls.connect(name, tcp).await;
        let stream = stream.map_err(|error| Unanswered::Unreachable(format!("TLS: {error}")))?;
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        let (response, driver) = if is_http2 {
            over_http2(stream, place, ask).await?
        } else {
            over_http1(stream, place, ask).await?
        };
        Ok((response, Connection { _driver: driver, _turn: turn }))
    }

    /// Connects to the first address that takes it. All of them are judged before one is tried: a name that leads to a
    /// forbidden address among others is forbidden.
    async fn connect(&self, place: &Place) -> Result<TcpStream, Unanswered> {
        let port = place.port();
        let found: Vec<IpAddr> = match place.host() {
            Who::Address(address) => vec![address],
            Who::Name(name) => self.resolver.resolve(name).await?,
        };
        for &address in &found {
            self.guard.admit(address, port)?;
        }
        let mut last = "its name has no address".to_owned();
        for address in found.into_iter().take(ADDRESSES_TRIED) {
            let connecting = TcpStream::connect(SocketAddr::new(address.to_canonical(), port));
            match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
                Ok(Ok(tcp)) => {
                    let _ = tcp.set_nodelay(true);
                    return Ok(tcp);
                }
                Ok(Err(error)) => last = error.kind().to_string(),
                Err(_) => last = io::ErrorKind::TimedOut.to_string(),
            }
        }
        Err(Unanswered::Unreachable(last))
    }

    /// A place among the requests to one host.
    fn turn(&self, place: &Place) -> Result<Turn<'_>, Unanswered> {
        let host = place.authority();
        let mut hosts = self.hosts.lock().expect(UNPOISONED);
        let busy = hosts.entry(host.clone()).or_default();
        if *busy >= ASKS_PER_HOST_MAX {
            return Err(Unanswered::Busy);
        }
        *busy += 1;
        Ok(Turn { hosts: &self.hosts, host })
    }
}

impl Outside for Client {
    fn ask(&self, mut ask: Ask) -> Answering<'_> {
        Box::pin(async move {
            let place = Place::parse(&ask.url)?;
            let Ok(_slot) = self.asks.try_acquire() else { return Err(Unanswered::Busy) };
            OURS.iter().for_each(|name| drop(ask.headers.remove(name)));
            let time_max = ask.bounds.time_max;
            let answer = tokio::time::timeout(time_max, self.follow(place, ask)).await;
            answer.unwrap_or(Err(Unanswered::TimedOut))
        })
    }
}

/// Headers that frame a message or say how it travels: never a caller's.
const OURS: [HeaderName; 9] = [
    ACCEPT_ENCODING,
    CONNECTION,
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    HOST,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Headers that another origin may see as well. Everything else may be a secret that was meant for the first one.
const FOR_ANYBODY: [HeaderName; 5] = [ACCEPT, ACCEPT_LANGUAGE, IF_MODIFIED_SINCE, IF_NONE_MATCH, USER_AGENT];

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// What is asked where a redirect leads (RFC 9110, 15.4).
fn redirected(mut ask: Ask, status: StatusCode, same_origin: bool) -> Result<Ask, Unanswered> {
    let to_get = match status.as_u16() {
        303 => ask.method != Method::HEAD,
        301 | 302 => ask.method == Method::POST,
        _ => false,
    };
    if to_get {
        ask.method = Method::GET;
        ask.body = Bytes::new();
        ask.headers.remove(CONTENT_TYPE);
    }
    if !same_origin {
        if !ask.body.is_empty() {
            return Err(Unanswered::Forbidden("what was sent to one server is not sent on to another"));
        }
        let kept = FOR_ANYBODY.iter().flat_map(|name| {
            ask.headers.get_all(name).iter().map(move |value| (name.clone(), value.clone()))
        });
        ask.headers = kept.collect();
    }
    Ok(ask)
}

async fn over_http1<T>(
    stream: T,
    place: &Place,
    ask: &Ask,
) -> Result<(Response<Incoming>, Driver), Unanswered>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut request = request(place, ask, place.target())?;
    let host = HeaderValue::from_str(&place.authority());
    let host = host.map_err(|_| Unanswered::Malformed("its host is no header"))?;
    request.headers_mut().insert(HOST, host);
    request.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    let mut builder = http1::Builder::new();
    builder.max_buf_size(HEAD_BYTES_MAX).max_headers(HEADERS_MAX);
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let driver = Driver::of(async move { drop(connection.await) });
    Ok((sender.send_request(request).await.map_err(broken)?, driver))
}

async fn over_http2<T>(
    stream: T,
    place: &Place,
    ask: &Ask,
) -> Result<(Response<Incoming>, Driver), Unanswered>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let request = request(place, ask, place.as_str())?;
    let mut builder = http2::Builder::new(Tasks);
    builder.max_header_list_size(HEAD_BYTES_MAX as u32);
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let driver = Driver::of(async move { drop(connection.await) });
    let response = sender.send_request(request).await.map_err(broken)?;
    if response.headers().len() > HEADERS_MAX {
        return Err(Unanswered::Broken("its head has too many headers".to_owned()));
    }
    Ok((response, driver))
}

fn request(place: &Place, ask: &Ask, target: &str) -> Result<Request<Full<Bytes>>, Unanswered> {
    debug_assert!(place.as_str().ends_with(target));
    let mut request = Request::new(Full::new(ask.body.clone()));
    *request.method_mut() = ask.method.clone();
    *request.uri_mut() = target.parse().map_err(|_| Unanswered::Malformed("its path cannot be asked for"))?;
    *request.headers_mut() = ask.headers.clone();
    let headers = request.headers_mut();
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(AGENT));
    Ok(request)
}

fn broken(error: hyper::Error) -> Unanswered {
    Unanswered::Broken(error.to_string())
}

/// A connection in use: it ends with this.
struct Connection<'a> {
    _driver: Driver,
    _turn: Turn<'a>,
}

/// The task that moves a connection's bytes.
struct Driver(JoinHandle<()>);

impl Driver {
    fn of(connection: impl Future<Output = ()> + Send + 'static) -> Driver {
        Driver(tokio::spawn(connection))
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// One of the requests to a host.
struct Turn<'a> {
    hosts: &'a Mutex<HashMap<String, usize>>,
    host: String,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut hosts = self.hosts.lock().expect(UNPOISONED);
        if let Some(busy) = hosts.get_mut(&self.host) {
            *busy -= 1;
            if *busy == 0 {
                hosts.remove(&self.host);
            }
        }
    }
}

/// Where HTTP/2 starts its tasks; they end with their connection.
#[derive(Clone, Copy)]
struct Tasks;

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Tasks {
    fn execute(&self, task: F) {
        tokio::spawn(task);
    }
}

const UNPOISONED: &str = "nothing panics under this lock";

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::{AUTHORIZATION, COOKIE};

    fn ask(method: Method, body: &'static str) -> Ask {
        let mut ask = Ask { method, ..Ask::post("https://a.example/", body) };
        for name in
            [ACCEPT, AUTHORIZATION, COOKIE, CONTENT_TYPE, IF_NONE_MATCH, HeaderName::from_static("x-key")]
        {
            ask.headers.insert(name, HeaderValue::from_static("x"));
        }
        ask
    }

    #[test]
    fn credentials_stay_with_the_origin_that_they_are_for() {
        let same = redirected(ask(Method::GET, ""), StatusCode::FOUND, true).unwrap();
        assert_eq!(same.headers.len(), 6);
        let other = redirected(ask(Method::GET, ""), StatusCode::FOUND, false).unwrap();
        let names: Vec<_> = other.headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["accept", "if-none-match"]);
    }

    #[test]
    fn a_body_goes_on_only_where_it_was_meant_for() {
        for (status, method, body) in [
            (301, Method::GET, ""),
            (302, Method::GET, ""),
            (303, Method::GET, ""),
            (307, Method::POST, "body"),
            (308, Method::POST, "body"),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            let next = redirected(ask(Method::POST, "body"), status, true).unwrap();
            assert_eq!((next.method, next.body), (method, Bytes::from(body)), "{status}");
            let abroad = redirected(ask(Method::POST, "body"), status, false);
            assert_eq!(abroad.is_err(), !body.is_empty(), "{status}");
        }
        let head = redirected(ask(Method::HEAD, ""), StatusCode::SEE_OTHER, true).unwrap();
        assert_eq!(head.method, Method::HEAD);
        let put = redirected(ask(Method::PUT, "body"), StatusCode::FOUND, true).unwrap();
        assert_eq!((put.method, put.body), (Method::PUT, Bytes::from("body")));
    }

    #[test]
    fn a_host_has_only_so_many_turns_and_gives_them_back() {
        let client = Client::new(Guard::default(), b"").unwrap();
        let (a, b) = (Place::parse("http://a.example/").unwrap(), Place::parse("http://b.example/").unwrap());
        let turns: Vec<_> = (0..ASKS_PER_HOST_MAX).map(|_| client.turn(&a).unwrap()).collect();
        assert_eq!(client.turn(&a).err(), Some(Unanswered::Busy));
        assert!(client.turn(&b).is_ok());
        drop(turns);
        assert!(client.turn(&a).is_ok());
        assert!(client.hosts.lock().unwrap().is_empty());
    }

    #[test]
    fn authorities_that_are_none_are_refused() {
        for bad in [
            "x",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "-----BEGIN CERTIFICATE-----\n",
        ] {
            assert!(Client::new(Guard::default(), bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(Client::new(Guard::default(), b" \n").is_ok());
    }
}
