//! What may lie between a socket and HTTP.

use std::future::Future;
use std::io;
use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// A layer between sockets and HTTP: `tls::PublicTls`. Where there is none, HTTP goes over the socket as it is.
pub trait Layer: Send + Sync + 'static {
    /// Agrees on it with a client. Fails if that cannot be; then the client was told what its protocol has to say
    /// about it. Who calls bounds the time.
    fn open(&self, tcp: TcpStream) -> Opening;
}

/// The future of a stream through the layer.
pub type Opening = Pin<Box<dyn Future<Output = io::Result<Box<dyn Stream>>> + Send>>;

/// Bytes both ways.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}
