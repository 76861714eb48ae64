//! A connection over a link: two pipes between the phone's end and the simulator's stream, each of which looks
//! at the link for every chunk of bytes that it carries.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, duplex, split};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::{Fate, Line, Net, Way};
use crate::plan::Link;

/// Bytes that wait in the phone's end, at most.
const BUFFER: usize = 64 * 1024;

impl Net {
    /// Connects a phone with a member. Waits while the link is cut: who asks has a time-out.
    pub async fn connect(&self, link: Link, server: SocketAddr) -> io::Result<DuplexStream> {
        let mut line = self.line(link);
        for way in [Way::To, Way::From] {
            self.until_whole(&mut line, way).await;
        }
        let stream = TcpStream::connect(server).await?;
        let (near, far) = duplex(BUFFER);
        let net = self.clone();
        tokio::spawn(async move { net.carry(link, line, far, stream).await });
        Ok(near)
    }

    /// Carries both ways until either end is gone, or the connection is.
    async fn carry(self, link: Link, line: watch::Receiver<Line>, near: DuplexStream, far: TcpStream) {
        let (from_phone, to_phone) = split(near);
        let (from_member, to_member) = split(far);
        let there = self.pipe(link, Way::To, line.clone(), from_phone, to_member);
        let back = self.pipe(link, Way::From, line, from_member, to_phone);
        // Both ends are dropped with the first that ends: a reset, or the end of the stream.
        tokio::select! {
            biased;
            () = there => {}
            () = back => {}
        }
    }

    async fn pipe(
        &self,
        link: Link,
        way: Way,
        mut line: watch::Receiver<Line>,
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
    ) {
        let site = format!("p{} m{} {way:?}", link.person, link.member);
        let mut chunk = vec![0; BUFFER];
        loop {
            let Ok(bytes) = from.read(&mut chunk).await else { return };
            if bytes == 0 {
                return;
            }
            let now = *line.borrow();
            let (bytes, last) = match self.fate(&site, now, bytes) {
                Fate::Arrives(after) => {
                    if !after.is_zero() {
                        tokio::time::sleep(after).await;
                    }
                    (bytes, false)
                }
                Fate::Reset(kept) => {
                    self.note(link, "reset", format_args!("{way:?}: {kept} of {bytes} B arrived"));
                    (kept, true)
                }
                Fate::Forgotten => {
                    self.note(link, "half-open", format_args!("{way:?}: {bytes} B are gone"));
                    return std::future::pending().await;
                }
            };
            self.until_whole(&mut line, way).await;
            if to.write_all(&chunk[..bytes]).await.is_err() || to.flush().await.is_err() || last {
                return;
            }
        }
    }

    async fn until_whole(&self, line: &mut watch::Receiver<Line>, way: Way) {
        if !line.borrow_and_update().is_cut(way) {
            return;
        }
        self.marks.hit("connection waited for a cut");
        if line.borrow().flaps > 0 {
            self.marks.hit("connection waited for a link that flaps");
        }
        while line.borrow_and_update().is_cut(way) {
            if line.changed().await.is_err() {
                return;
            }
        }
    }

    fn note(&self, link: Link, kind: &'static str, what: impl std::fmt::Display) {
        self.trace.note(&format!("p{}", link.person), kind, what);
    }
}
