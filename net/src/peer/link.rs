//! The link to one peer: dials, keeps the connection, dials again.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use gomer_core::rng::Rng;
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};

use super::connection::{End, Frames, Role, Stop, Work, greet};
use super::counts::{PeerCount, PeerCounts};
use super::frame::Message;
use super::handshake::{Agreed, HandshakeFault, Refusal};
use super::identity::MemberId;
use super::links::{LinkEvent, Shared, Upward};
use super::outbox::Outbox;
use super::secure::Secure;

/// One peer, as the rest of the member holds it.
pub(super) struct Link {
    pub(super) outbox: Outbox,
    pub(super) counts: Arc<PeerCounts>,
    /// Where it is. Nothing: it was forgotten, and the link ends.
    address: watch::Sender<Option<String>>,
    /// The peer was heard of: no need to wait for the end of the pause.
    pub(super) nudge: Notify,
    up: Mutex<bool>,
}

impl Link {
    pub(super) fn new(address: String, outbox: Outbox, counts: Arc<PeerCounts>) -> Link {
        let (address, _) = watch::channel(Some(address));
        Link { outbox, counts, address, nudge: Notify::new(), up: Mutex::new(false) }
    }

    pub(super) fn is_up(&self) -> bool {
        *self.up.lock().expect("nothing panics under this lock")
    }

    /// Another address; a connection to the old one ends. Nothing: the link ends.
    pub(super) fn set_address(&self, address: Option<String>) {
        let forgotten = address.is_none();
        self.address.send_if_modified(|now| {
            let differs = *now != address;
            *now = address;
            differs
        });
        if forgotten {
            self.outbox.close();
        }
    }

    fn set_up(&self, up: bool) {
        *self.up.lock().expect("nothing panics under this lock") = up;
    }
}

/// Runs the link until the peer is forgotten or the member stops.
pub(super) async fn run<T, S, U>(shared: Arc<Shared<S, U>>, peer: MemberId, link: Arc<Link>, mut rng: Rng)
where
    T: Message,
    S: Secure,
    U: Upward<T>,
{
    let mut address = link.address.subscribe();
    let mut stop = shared.stop.subscribe();
    let mut pause = Pause::new(shared.config.timing.backoff);
    let mut told: Option<String> = None;
    loop {
        let Some(to) = address.borrow_and_update().clone() else { return };
        if *stop.borrow() != Stop::No {
            return;
        }
        let dialled = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop != Stop::No) => return,
            _ = address.changed() => continue,
            dialled = dial(&shared, peer, &to) => dialled,
        };
        match dialled {
            Ok((agreed, stream, frames)) => {
                told = None;
                link.counts.add(PeerCount::Connects, 1);
                let lived = Mutex::new(false);
                let end = {
                    let work = Work {
                        peer,
                        timing: shared.config.timing,
                        counts: &link.counts,
                        disk: &*shared.config.disk,
                        turns: &*shared.config.turns,
                        admit: &*shared.config.admit,
                        role: Role::Sends(&link.outbox, &*shared.upward),
                        stop: stop.clone(),
                        lives: &|| *lived.lock().expect("nothing panics under this lock") = true,
                    };
                    up(&shared, peer, &link, agreed);
                    tokio::select! {
                        biased;
                        _ = address.changed() => End::Stopped,
                        end = work.run::<T, _>(stream, frames) => end,
                    }
                };
                if lived.into_inner().expect("nothing panics under this lock") {
                    pause.reset();
                }
                down(&shared, peer, &link, end);
            }
            Err(fault) => {
                link.counts.add(PeerCount::ConnectFailures, 1);
                // Once for each reason: it is tried again every few seconds, maybe for days.
                let why = fault.to_string();
                if told.as_ref() != Some(&why) {
                    tracing::warn!(%peer, address = %to, why, "a peer cannot be reached, trying again");
                    told = Some(why);
                }
                if let HandshakeFault::Refused(refusal) = fault {
                    shared.upward.link(peer, LinkEvent::Refused(refusal));
                }
            }
        }
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop != Stop::No) => return,
            _ = address.changed() => pause.reset(),
            () = link.nudge.notified() => {}
            () = tokio::time::sleep(pause.next(&mut rng)) => {}
        }
    }
}

async fn dial<T, S, U>(
    shared: &Shared<S, U>,
    peer: MemberId,
    address: &str,
) -> Result<(Agreed, S::Stream, Frames), HandshakeFault>
where
    T: Message,
    S: Secure,
    U: Upward<T>,
{
    let dial = async {
        let tcp = TcpStream::connect(address).await.map_err(HandshakeFault::Io)?;
        // Small frames must not wait for the peer's acknowledgements.
        let _ = tcp.set_nodelay(true);
        let mut stream = shared.secure.connect(tcp, peer).await.map_err(HandshakeFault::Io)?;
        let ours = shared.hello(peer);
        let proven = |stream: &S::Stream, member| shared.secure.proves(stream, member);
        let (agreed, frames) = greet(&mut stream, &ours, proven, &*shared.config.admit).await?;
        Ok((agreed, stream, frames))
    };
    let in_time = tokio::time::timeout(shared.config.timing.handshake, dial).await;
    in_time.unwrap_or(Err(HandshakeFault::TimedOut))
}

fn up<T: Message, S, U: Upward<T>>(shared: &Shared<S, U>, peer: MemberId, link: &Link, agreed: Agreed) {
    tracing::debug!(%peer, version = agreed.version, "a peer is reached");
    link.outbox.connected();
    link.set_up(true);
    let Agreed { version, disk, features, .. } = agreed;
    shared.upward.link(peer, LinkEvent::Up { version, disk, features });
}

fn down<T: Message, S, U: Upward<T>>(shared: &Shared<S, U>, peer: MemberId, link: &Link, end: End) {
    link.set_up(false);
    link.outbox.disconnected();
    tracing::debug!(%peer, why = %end, "a connection to a peer has ended");
    let refused = if let End::Refused(refusal) = &end { Some(*refusal) } else { None };
    shared.upward.link(peer, LinkEvent::Down(end));
    if let Some(refusal) = refused {
        shared.upward.link(peer, LinkEvent::Refused(refusal));
    }
}

/// The pause before the next attempt: doubled each time, and drawn, so that members that lost each other at
/// once do not come back at once.
struct Pause {
    bounds: (Duration, Duration),
    now: Duration,
}

impl Pause {
    fn new(bounds: (Duration, Duration)) -> Pause {
        Pause { bounds, now: bounds.0 }
    }

    fn reset(&mut self) {
        self.now = self.bounds.0;
    }

    fn next(&mut self, rng: &mut Rng) -> Duration {
        let half = self.now.as_micros() as u64 / 2;
        self.now = (self.now * 2).min(self.bounds.1);
        Duration::from_micros(half + rng.below(half + 1))
    }
}

impl Refusal {
    /// Another copy of this member's disk was seen since: this process must not go on.
    pub fn ends_this_member(self) -> bool {
        self == Refusal::Superseded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_within_their_bounds_and_differ() {
        let bounds = (Duration::from_millis(50), Duration::from_secs(3));
        let (mut pause, mut rng) = (Pause::new(bounds), Rng::new(1));
        let drawn: Vec<Duration> = (0..10).map(|_| pause.next(&mut rng)).collect();
        let mut limit = bounds.0;
        for one in &drawn {
            assert!(*one >= limit / 2 && *one <= limit, "{drawn:?}");
            limit = (limit * 2).min(bounds.1);
        }
        assert_ne!(drawn[8], drawn[9]);
        pause.reset();
        assert!(pause.next(&mut rng) <= bounds.0);
    }
}
