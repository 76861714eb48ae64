//! Response bodies whose size is known before their bytes are: files. A bounded queue on one side, the response's
//! body on the other.

use std::io;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::sync::mpsc;

/// Pieces that wait for the client at most, beside the one that the sender has in hand.
const QUEUE: usize = 2;

/// A body of exactly that many bytes, and where they are put in.
pub fn channel(bytes: u64) -> (SizedSender, SizedBody) {
    let (tx, rx) = mpsc::channel(QUEUE);
    (SizedSender { tx }, SizedBody { rx, left: bytes })
}

/// The sending end. Dropped before everything was sent, it breaks the connection off: the client must not take
/// the part for the whole.
#[derive(Debug)]
pub struct SizedSender {
    tx: mpsc::Sender<Bytes>,
}

impl SizedSender {
    /// Queues a piece, and waits while the client is slow. `false` when it has gone away.
    pub async fn send(&self, piece: Bytes) -> bool {
        self.tx.send(piece).await.is_ok()
    }
}

/// The body end, to be put into a [`super::Response`]. To a HEAD it is never read.
#[derive(Debug)]
pub struct SizedBody {
    rx: mpsc::Receiver<Bytes>,
    left: u64,
}

impl SizedBody {
    /// Bytes that are still to come.
    pub fn left(&self) -> u64 {
        self.left
    }

    /// The next piece; nothing after the last. An error if there is none and there should be, or it is too much.
    pub async fn next(&mut self) -> Option<io::Result<Bytes>> {
        std::future::poll_fn(|cx| self.poll(cx)).await
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        self.rx.poll_recv(cx).map(|piece| {
            let piece = piece.filter(|piece| piece.len() as u64 <= self.left);
            let Some(piece) = piece else {
                self.left = 0;
                return Some(Err(io::Error::other("a body did not have its announced length")));
            };
            self.left -= piece.len() as u64;
            Some(Ok(piece))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_has_its_length_or_breaks_off() {
        let (sender, mut body) = channel(5);
        assert!(
            sender.send(Bytes::from_static(b"abc")).await && sender.send(Bytes::from_static(b"de")).await
        );
        assert_eq!(body.next().await.unwrap().unwrap(), "abc");
        assert_eq!((body.left(), body.next().await.unwrap().unwrap().len()), (2, 2));
        assert!(body.next().await.is_none());
        for piece in [&b"ab"[..], b"abcdef"] {
            let (sender, mut body) = channel(5);
            assert!(sender.send(Bytes::from_static(piece)).await);
            drop(sender);
            let mut last = body.next().await.unwrap();
            if last.is_ok() {
                last = body.next().await.unwrap();
            }
            assert!(last.is_err());
            assert!(body.next().await.is_none(), "said once");
        }
    }
}
