//! The socket as hyper sees it: with the guard in its read path, and remembering whether it hangs.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::guard::{Guard, Verdict};
use super::life::Life;

/// The method of the request that stands in for a refused one. The guard lets no client use it,
/// because real methods are upper case.
pub(super) const REFUSED: &str = "refused";

/// What hyper reads instead of a head that is refused. So the refusal is answered in its turn, after
/// the requests before it, by the same path as any other response, and closes the connection.
const STAND_IN: &[u8] = b"refused / HTTP/1.1\r\nhost: refused\r\nconnection: close\r\n\r\n";

/// How much of a head that comes in pieces is read at once.
const PIECE_BYTES: usize = 2048;

/// A stream whose requests are checked before anybody parses them.
pub(super) struct GuardedIo<T> {
    inner: T,
    life: Arc<Life>,
    /// `None` for HTTP/2, which has frames of its own.
    guard: Option<Guard>,
    /// Bytes that were read and not yet handed on: `ready` good ones, then `seen` that the guard
    /// holds, then new ones. Empty, and without memory, nearly always.
    held: Vec<u8>,
    ready: usize,
    seen: usize,
    stop: Stop,
    unflushed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stop {
    No,
    /// A head was refused; nothing is read any more.
    Refused,
    /// A body broke; the next read fails, when what is good of it was handed on.
    Broken,
}

impl<T> GuardedIo<T> {
    /// `first` was read from `inner` already.
    pub(super) fn new(inner: T, life: Arc<Life>, guard: Option<Guard>, first: Vec<u8>) -> GuardedIo<T> {
        let ready = if guard.is_none() { first.len() } else { 0 };
        GuardedIo { inner, life, guard, held: first, ready, seen: 0, stop: Stop::No, unflushed: false }
    }

    /// Whether the client may still be sending something that nobody will read.
    pub(super) fn leaves_unread(&self) -> bool {
        self.stop != Stop::No
            || !self.held.is_empty()
            || self.guard.as_ref().is_some_and(|guard| !guard.between_requests())
    }

    pub(super) fn into_inner(self) -> T {
        self.inner
    }

    /// Takes back good bytes that were handed on and not used.
    pub(super) fn put_back(&mut self, bytes: &[u8]) {
        self.held.splice(0..0, bytes.iter().copied());
        self.ready += bytes.len();
    }

    /// Takes note of what the guard says of `bytes[from..]`, and gives how many of them are good.
    fn judge(&mut self, bytes: usize, verdict: Verdict) -> usize {
        match verdict {
            Verdict::Pass => bytes,
            Verdict::Hold(at) => at,
            Verdict::Refuse(at, refusal) => {
                self.life.refuse(refusal);
                self.stop = Stop::Refused;
                at
            }
            Verdict::Break(at, why) => {
                self.life.broken(why);
                self.stop = Stop::Broken;
                at
            }
        }
    }

    /// Judges what is held, once there is something new in it.
    fn judge_held(&mut self) {
        let Some(guard) = &mut self.guard else { return };
        let verdict = guard.inspect(&self.held);
        let good = self.judge(self.held.len(), verdict);
        if self.stop != Stop::No {
            self.held.truncate(good);
        }
        self.ready = good;
        self.seen = self.held.len() - good;
        if self.stop == Stop::Refused {
            self.held.extend_from_slice(STAND_IN);
            self.ready = self.held.len();
        }
        if self.ready > 0 {
            self.life.head_complete();
        } else if self.seen > 0 {
            self.life.head_begun();
        }
    }

    /// Hands on good bytes that are held.
    fn hand_on(&mut self, buf: &mut ReadBuf<'_>) {
        let count = self.ready.min(buf.remaining());
        buf.put_slice(&self.held[..count]);
        self.ready -= count;
        if count == self.held.len() {
            self.held = Vec::new();
        } else {
            self.held.drain(..count);
        }
        if self.seen > 0 && self.ready == 0 {
            self.life.head_begun();
        }
    }
}

impl<T: AsyncRead + Unpin> GuardedIo<T> {
    /// Reads into hyper's own buffer, and takes back what the guard does not pass.
    fn poll_direct(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let start = buf.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        let fresh = &buf.filled()[start..];
        let Some(guard) = &mut self.guard else { return Poll::Ready(Ok(())) };
        if fresh.is_empty() {
            return Poll::Ready(Ok(()));
        }
        let verdict = guard.inspect(fresh);
        if verdict == Verdict::Pass {
            return Poll::Ready(Ok(()));
        }
        let good = self.judge(fresh.len(), verdict);
        match self.stop {
            Stop::No => {
                self.held = fresh[good..].to_vec();
                self.seen = self.held.len();
                self.life.head_begun();
            }
            Stop::Refused => {
                self.held = STAND_IN.to_vec();
                self.ready = STAND_IN.len();
            }
            Stop::Broken => {}
        }
        buf.set_filled(start + good);
        Poll::Ready(Ok(()))
    }

    /// Reads more behind what is held. `false` at the end of the stream.
    pub(super) fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let mut piece = [0; PIECE_BYTES];
        let mut piece = ReadBuf::new(&mut piece);
        ready!(Pin::new(&mut self.inner).poll_read(cx, &mut piece))?;
        self.held.extend_from_slice(piece.filled());
        Poll::Ready(Ok(!piece.filled().is_empty()))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for GuardedIo<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let this = &mut *self;
        loop {
            if this.ready > 0 {
                this.hand_on(buf);
                return Poll::Ready(Ok(()));
            }
            match this.stop {
                Stop::No => {}
                // The stand-in was handed on; hyper answers it and closes. No waker is needed.
                Stop::Refused => return Poll::Pending,
                Stop::Broken => return Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
            }
            if this.held.is_empty() {
                let start = buf.filled().len();
                ready!(this.poll_direct(cx, buf))?;
                let at_end = this.held.is_empty() && this.stop == Stop::No;
                if buf.filled().len() > start || at_end {
                    return Poll::Ready(Ok(()));
                }
            } else if this.held.len() > this.seen {
                this.judge_held();
            } else if !ready!(this.poll_more(cx))? {
                // The client went away in the middle of a head.
                this.held = Vec::new();
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for GuardedIo<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.unflushed = true;
        self.life.written(result.is_ready());
        result
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write_vectored(cx, slices);
        self.unflushed = true;
        self.life.written(result.is_ready());
        result
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The simulator sends a message per flush, an empty one if there is nothing.
        if self.unflushed {
            ready!(Pin::new(&mut self.inner).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(cx))?;
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
