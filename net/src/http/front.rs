//! The listener: who is let in.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hyper::Version;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use super::address;
use super::body::Held;
use super::connection;
use super::counts::{Count, Counts};
use super::drain::{Drain, Entered, Gauge};
use super::handler;
use super::layer::Layer;
use super::limits::Limits;
use super::service::{Body, Refusal, Response, Service};
use super::timer::now;

/// How long accepting pauses when there is no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Most connections over a cap that are told so at once, and for how long each.
const TURNED_MAX: usize = 64;
const TURNED_TIME: Duration = Duration::from_secs(2);

/// A bound listener, not yet serving.
pub struct Front {
    listener: TcpListener,
    address: SocketAddr,
    limits: Limits,
    counts: Arc<Counts>,
    layer: Option<Arc<dyn Layer>>,
}

impl Front {
    /// Listens on `address`; port 0 takes any that is free. Fails as the system does, for example
    /// with `AddrInUse`.
    pub async fn bind(address: SocketAddr, limits: Limits) -> io::Result<Front> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Front { listener, address, limits, counts: Arc::default(), layer: None })
    }

    /// Has every connection go through a layer.
    pub fn through(self, layer: Arc<dyn Layer>) -> Front {
        Front { layer: Some(layer), ..self }
    }

    /// Whether connections go through a layer.
    pub fn is_layered(&self) -> bool {
        self.layer.is_some()
    }

    /// The address that is really listened on.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The front's counters; they live on while it serves.
    pub fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.counts)
    }

    /// Serves until `drain` begins and every connection has ended. There is no deadline in it: the
    /// caller waits as long as it likes, then calls [`Drain::cut`].
    pub async fn serve<S: Service>(self, service: Arc<S>, drain: Drain) {
        let shared = Arc::new(Shared {
            service,
            limits: self.limits,
            drain,
            counts: self.counts,
            inflight: AtomicUsize::new(0),
            bodies: Held::default(),
            epoch: now(),
            open: AtomicUsize::new(0),
            turned: AtomicUsize::new(0),
            ended: Notify::new(),
            addresses: Mutex::default(),
            layer: self.layer,
        });
        accept(self.listener, &shared).await;
        while shared.open.load(Ordering::Acquire) > 0 {
            shared.ended.notified().await;
        }
    }
}

/// What all connections of a front share.
pub(super) struct Shared<S> {
    pub(super) service: Arc<S>,
    pub(super) limits: Limits,
    pub(super) drain: Drain,
    pub(super) counts: Arc<Counts>,
    /// Requests that are being read and served.
    pub(super) inflight: AtomicUsize,
    /// What their bodies hold.
    pub(super) bodies: Held,
    /// What connections count their milliseconds from.
    pub(super) epoch: Instant,
    open: AtomicUsize,
    /// Connections over a cap that are being told so.
    turned: AtomicUsize,
    ended: Notify,
    /// Connections per address, for the addresses that are counted at all.
    addresses: Mutex<HashMap<IpAddr, usize>>,
    layer: Option<Arc<dyn Layer>>,
}

/// Accepts until the drain begins; then the listener is closed.
async fn accept<S: Service>(listener: TcpListener, shared: &Arc<Shared<S>>) {
    let mut drained = pin!(shared.drain.until_begun());
    let mut complained: Option<Instant> = None;
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut drained => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => admit(stream, peer.ip().to_canonical(), shared),
            Err(error) if is_of_the_connection(&error) => {}
            Err(error) => {
                // Out of descriptors or memory. It passes when connections end; dying would not help.
                shared.counts.add(Count::AcceptPaused);
                let at = now();
                if complained.is_none_or(|last| at.duration_since(last) >= Duration::from_secs(1)) {
                    complained = Some(at);
                    tracing::warn!(%error, "cannot accept connections, trying again");
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Whether accepting failed because the connection was gone before it was accepted.
fn is_of_the_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

fn admit<S: Service>(stream: TcpStream, peer: IpAddr, shared: &Arc<Shared<S>>) {
    shared.counts.add(Count::Accepted);
    match Place::take(shared, peer) {
        Ok(place) => {
            // Without it, small responses wait for the client's acknowledgements.
            let _ = stream.set_nodelay(true);
            tokio::spawn(async move {
                let shared = Arc::clone(&place.shared);
                match &place.shared.layer {
                    None => connection::serve(shared, stream, peer).await,
                    Some(layer) => {
                        let patience = shared.limits.head_timeout;
                        let stream = tokio::time::timeout(patience, layer.open(stream)).await;
                        match stream {
                            Ok(Ok(stream)) => connection::serve(shared, stream, peer).await,
                            Ok(Err(error)) => {
                                tracing::debug!(%error, %peer, "no TLS was agreed on");
                                shared.counts.add(Count::TlsFailed);
                            }
                            Err(_) => shared.counts.add(Count::TlsFailed),
                        }
                    }
                }
                drop(place);
            });
        }
        Err(count) => {
            shared.counts.add(count);
            turn_away(stream, shared);
        }
    }
}

/// Says why, and closes. Only so many are told at once: who floods us is not worth memory.
fn turn_away<S: Service>(mut stream: TcpStream, shared: &Arc<Shared<S>>) {
    // Agreeing on TLS first costs more than to serve.
    if shared.layer.is_some() || shared.turned.load(Ordering::Relaxed) >= TURNED_MAX {
        return;
    }
    shared.turned.fetch_add(1, Ordering::Relaxed);
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        let bytes = raw(&handler::refuse(&shared, Refusal::Busy, Version::HTTP_11));
        let say = async {
            if stream.write_all(&bytes).await.is_ok() && stream.flush().await.is_ok() {
                connection::linger(stream).await;
            }
        };
        // Too slow to be told is told nothing.
        let _ = tokio::time::timeout(TURNED_TIME, say).await;
        shared.turned.fetch_sub(1, Ordering::Relaxed);
    });
}

/// A response as HTTP/1.1 bytes, for a client that hyper never gets to see.
fn raw(response: &Response) -> Vec<u8> {
    let body: &[u8] = match &response.body {
        Body::Full(bytes) => bytes,
        Body::Sized(_) | Body::Stream(_) => b"",
    };
    let mut out =
        format!("HTTP/1.1 {}\r\nconnection: close\r\ncontent-length: {}\r\n", response.status, body.len())
            .into_bytes();
    for (name, value) in &response.headers {
        if *name != hyper::header::CONNECTION {
            out.extend_from_slice(name.as_str().as_bytes());
            out.extend_from_slice(b": ");
            out.extend_from_slice(value.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(body);
    out
}

/// A connection's place among those that are open; given back when dropped.
struct Place<S> {
    shared: Arc<Shared<S>>,
    counted: Option<IpAddr>,
    _entered: Entered,
}

impl<S: Service> Place<S> {
    fn take(shared: &Arc<Shared<S>>, peer: IpAddr) -> Result<Place<S>, Count> {
        let limits = &shared.limits;
        if shared.open.load(Ordering::Relaxed) >= limits.connections_max {
            return Err(Count::OverConnections);
        }
        let exempt = peer.is_loopback() || address::is_trusted(peer, &limits.trusted_proxies);
        if !exempt {
            let mut addresses = shared.addresses.lock().unwrap_or_else(PoisonError::into_inner);
            let open = addresses.entry(peer).or_insert(0);
            if *open >= limits.connections_per_address_max {
                return Err(Count::OverAddress);
            }
            *open += 1;
        }
        // Only the accept loop adds, so the cap cannot be overrun between the check and here.
        shared.open.fetch_add(1, Ordering::Relaxed);
        Ok(Place {
            shared: Arc::clone(shared),
            counted: (!exempt).then_some(peer),
            _entered: shared.drain.enter(Gauge::Connections),
        })
    }
}

impl<S> Drop for Place<S> {
    fn drop(&mut self) {
        if let Some(peer) = self.counted {
            let mut addresses = self.shared.addresses.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(open) = addresses.get_mut(&peer) {
                *open -= 1;
                if *open == 0 {
                    addresses.remove(&peer);
                }
            }
        }
        if self.shared.open.fetch_sub(1, Ordering::Release) == 1 {
            self.shared.ended.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use hyper::{Method, StatusCode};

    use super::super::service::Request;
    use super::*;

    struct Nobody;

    impl Service for Nobody {
        fn body_limit(&self, _: &Method, _: &str) -> u64 {
            0
        }

        async fn call(&self, _: Request) -> Response {
            Response::new(StatusCode::OK, "")
        }

        fn refuse(&self, refusal: Refusal) -> Response {
            let response = Response::new(StatusCode::SERVICE_UNAVAILABLE, format!("{refusal:?}"));
            response.with(hyper::header::RETRY_AFTER, 1.into())
        }
    }

    fn shared(limits: Limits) -> Arc<Shared<Nobody>> {
        Arc::new(Shared {
            service: Arc::new(Nobody),
            limits,
            drain: Drain::new(),
            counts: Arc::default(),
            inflight: AtomicUsize::new(0),
            bodies: Held::default(),
            epoch: now(),
            open: AtomicUsize::new(0),
            turned: AtomicUsize::new(0),
            ended: Notify::new(),
            addresses: Mutex::default(),
            layer: None,
        })
    }

    #[test]
    fn an_address_has_so_many_places_and_gets_them_back() {
        let trusted_proxies = vec!["198.51.100.0/24".parse().unwrap()];
        let shared = shared(Limits {
            connections_max: 8,
            connections_per_address_max: 2,
            trusted_proxies,
            ..Limits::default()
        });
        let take = |peer: &str| Place::take(&shared, peer.parse().unwrap());
        let place = |peer: &str| take(peer).unwrap_or_else(|count| panic!("{peer}: {count:?}"));
        let mut places = vec![place("192.0.2.1"), place("192.0.2.1")];
        assert_eq!(take("192.0.2.1").err(), Some(Count::OverAddress));
        places.push(place("192.0.2.2"));
        // Loopback and trusted proxies are not counted.
        for exempt in ["127.0.0.1", "127.0.0.1", "::1", "198.51.100.7", "198.51.100.7"] {
            places.push(place(exempt));
        }
        assert_eq!(take("203.0.113.1").err(), Some(Count::OverConnections));
        assert_eq!(shared.drain.connections(), 8);
        places.remove(0);
        places.push(place("192.0.2.1"));
        places.clear();
        assert_eq!(shared.drain.connections(), 0);
        assert!(shared.addresses.lock().unwrap().is_empty(), "nothing is kept of who has gone");
    }

    #[test]
    fn a_raw_response_is_whole() {
        let shared = shared(Limits::default());
        let bytes = raw(&handler::refuse(&shared, Refusal::Busy, Version::HTTP_11));
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            "HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 4\r\n\
             retry-after: 1\r\n\r\nBusy"
        );
    }

    #[test]
    fn only_errors_of_the_process_pause_accepting() {
        for (code, pauses) in [(103, false), (104, false), (4, false), (23, true), (24, true), (12, true)] {
            assert_eq!(!is_of_the_connection(&io::Error::from_raw_os_error(code)), pauses, "errno {code}");
        }
    }
}
