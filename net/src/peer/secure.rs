//! What lies between a socket and its frames: TLS, or nothing.

use std::future::Future;
use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::identity::MemberId;

/// How connections between members are secured. Real: `tls::Tls`. In the simulator, and on loopback: [`Plain`].
pub trait Secure: Send + Sync + 'static {
    /// A secured connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// The dialling side. Fails unless the other side is that member of this cluster, as far as it can tell.
    fn connect(&self, tcp: TcpStream, to: MemberId) -> impl Future<Output = io::Result<Self::Stream>> + Send;

    /// The accepting side. Fails, without having said anything that matters, unless the other side belongs to
    /// this cluster, as far as it can tell.
    fn accept(&self, tcp: TcpStream) -> impl Future<Output = io::Result<Self::Stream>> + Send;

    /// Whether nothing speaks against the other side being that member.
    fn proves(&self, stream: &Self::Stream, peer: MemberId) -> bool;
}

/// No security at all: for the simulator, and for members that all stand on one machine.
#[derive(Debug)]
pub struct Plain(());

impl Plain {
    /// For a listener at that address. Refused beyond loopback, where everybody could pose as a member.
    pub fn new(listen: SocketAddr) -> io::Result<Plain> {
        check(listen)?;
        if !cfg!(madsim) {
            tracing::warn!(
                %listen,
                "members talk WITHOUT TLS: every program on this machine can read and change what they say"
            );
        }
        Ok(Plain(()))
    }
}

impl Secure for Plain {
    type Stream = TcpStream;

    async fn connect(&self, tcp: TcpStream, _: MemberId) -> io::Result<TcpStream> {
        check(tcp.peer_addr()?)?;
        Ok(tcp)
    }

    async fn accept(&self, tcp: TcpStream) -> io::Result<TcpStream> {
        check(tcp.peer_addr()?)?;
        Ok(tcp)
    }

    fn proves(&self, _: &TcpStream, _: MemberId) -> bool {
        true
    }
}

/// The simulator's network has no eavesdroppers.
fn check(address: SocketAddr) -> io::Result<()> {
    if address.ip().to_canonical().is_loopback() || cfg!(madsim) {
        return Ok(());
    }
    let why = format!("{address} is not on this machine, and members talk beyond it only with TLS");
    Err(io::Error::new(io::ErrorKind::PermissionDenied, why))
}
