//! Accepting: who is let in, and one connection per member.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::connection::{End, Frames, Role, Stop, Work, receive};
use super::counts::ListenerCount;
use super::frame::Message;
use super::handshake::{Agreed, HandshakeFault};
use super::links::{Shared, Upward};
use super::secure::Secure;

/// How long accepting pauses when there is no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Handshakes that are going on, and by whom.
#[derive(Debug, Default)]
pub(super) struct Handshakes {
    by_address: Mutex<BTreeMap<IpAddr, usize>>,
}

/// One of them; dropping it ends it.
struct Handshake<'a> {
    all: &'a Handshakes,
    address: IpAddr,
}

impl Handshakes {
    fn begin(&self, address: IpAddr, most: usize, most_per_address: usize) -> Option<Handshake<'_>> {
        let mut open = self.by_address.lock().expect("nothing panics under this lock");
        let all: usize = open.values().sum();
        let own = open.get(&address).copied().unwrap_or(0);
        // Members on one machine share an address.
        let own_max = if address.is_loopback() { most } else { most_per_address };
        if all >= most || own >= own_max {
            return None;
        }
        open.insert(address, own + 1);
        Some(Handshake { all: self, address })
    }
}

impl Drop for Handshake<'_> {
    fn drop(&mut self) {
        let mut open = self.all.by_address.lock().expect("nothing panics under this lock");
        if let Some(own) = open.get_mut(&self.address) {
            *own -= 1;
            if *own == 0 {
                open.remove(&self.address);
            }
        }
    }
}

/// The place of a member's connection. Only the newest one keeps it.
#[derive(Debug)]
pub(super) struct Seat {
    newest: watch::Sender<u64>,
    taken: tokio::sync::Mutex<()>,
}

impl Default for Seat {
    fn default() -> Seat {
        Seat { newest: watch::channel(0).0, taken: tokio::sync::Mutex::default() }
    }
}

/// Accepts until the member stops.
pub(super) async fn accept<T, S, U>(listener: TcpListener, shared: Arc<Shared<S, U>>)
where
    T: Message,
    S: Secure,
    U: Upward<T>,
{
    let mut stop = shared.stop.subscribe();
    loop {
        let accepted = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop != Stop::No) => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((tcp, from)) => {
                shared.listener_counts.add(ListenerCount::Accepted);
                let shared = Arc::clone(&shared);
                let running = shared.running();
                tokio::spawn(async move {
                    serve::<T, S, U>(&shared, tcp, from.ip().to_canonical()).await;
                    drop(running);
                });
            }
            Err(error) if is_of_the_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept peers, trying again");
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

async fn serve<T, S, U>(shared: &Shared<S, U>, tcp: TcpStream, from: IpAddr)
where
    T: Message,
    S: Secure,
    U: Upward<T>,
{
    let mut stop = shared.stop.subscribe();
    let limits = shared.config.handshakes;
    let shaken = {
        let Some(_going_on) = shared.handshakes.begin(from, limits.all_max, limits.per_address_max) else {
            shared.listener_counts.add(ListenerCount::OverHandshakes);
            return;
        };
        let shake = tokio::time::timeout(shared.config.timing.handshake, shake(shared, tcp));
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop != Stop::No) => return,
            shaken = shake => shaken.unwrap_or(Err(HandshakeFault::TimedOut)),
        }
    };
    match shaken {
        Ok((agreed, stream, frames)) => keep::<T, S, U>(shared, agreed, stream, frames).await,
        Err(fault) => {
            let count = match fault {
                HandshakeFault::TimedOut => ListenerCount::HandshakeTimeout,
                HandshakeFault::Refuse(_) => ListenerCount::Refused,
                _ => ListenerCount::Strangers,
            };
            shared.listener_counts.add(count);
            match fault {
                HandshakeFault::Refuse(refusal) => tracing::warn!(%from, %refusal, "a member is refused"),
                _ => tracing::debug!(%from, why = %fault, "a stranger is sent away"),
            }
        }
    }
}

async fn shake<S: Secure, U>(
    shared: &Shared<S, U>,
    tcp: TcpStream,
) -> Result<(Agreed, S::Stream, Frames), HandshakeFault> {
    let _ = tcp.set_nodelay(true);
    let mut stream = shared.secure.accept(tcp).await.map_err(HandshakeFault::Io)?;
    let ours = shared.hello(shared.config.member);
    let proven = |stream: &S::Stream, member| shared.secure.proves(stream, member);
    let (agreed, frames) = receive(&mut stream, ours, proven, &*shared.config.admit).await?;
    Ok((agreed, stream, frames))
}

/// Takes what the member sends, once an older connection of it has ended: after its first message here,
/// none comes from there.
async fn keep<T, S, U>(shared: &Shared<S, U>, agreed: Agreed, stream: S::Stream, frames: Frames)
where
    T: Message,
    S: Secure,
    U: Upward<T>,
{
    let peer = agreed.peer;
    let seat = shared.seat(peer);
    let mut own = 0;
    seat.newest.send_modify(|newest| {
        *newest += 1;
        own = *newest;
    });
    let mut newest = seat.newest.subscribe();
    let _taken = seat.taken.lock().await;
    if *newest.borrow_and_update() != own {
        return;
    }
    // It lives, so dialling it is worth a try now.
    shared.nudge(peer);
    let counts = shared.peer_counts(peer);
    let work = Work {
        peer,
        timing: shared.config.timing,
        counts: &counts,
        disk: &*shared.config.disk,
        turns: &*shared.config.turns,
        admit: &*shared.config.admit,
        role: Role::Takes(&*shared.upward),
        stop: shared.stop.subscribe(),
        lives: &|| {},
    };
    let end = tokio::select! {
        biased;
        _ = newest.wait_for(|newest| *newest != own) => End::Replaced,
        end = work.run::<T, _>(stream, frames) => end,
    };
    if let End::Replaced = end {
        shared.listener_counts.add(ListenerCount::Replaced);
    }
    match end {
        End::Frame(_) | End::Superseded => {
            tracing::warn!(%peer, why = %end, "a connection of a peer has ended");
        }
        _ => tracing::debug!(%peer, why = %end, "a connection of a peer has ended"),
    }
}
