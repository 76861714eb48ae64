//! TLS between members: certificates of the cluster's own authority on both sides, nothing else is trusted.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::client::danger::ServerCertVerifier;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore, ServerConfig, version};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use super::identity::{ClusterId, MemberId};
use super::secure::Secure;

/// TLS 1.3 with mutual authentication.
pub struct Tls {
    cluster: ClusterId,
    connector: TlsConnector,
    acceptor: TlsAcceptor,
}

/// What a member needs to speak TLS, as PEM.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    /// Its certificate.
    pub certificate: &'a [u8],
    /// The key of that.
    pub key: &'a [u8],
    /// The authority's certificate.
    pub authority: &'a [u8],
}

/// Why credentials are of no use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsFault {
    /// That one of the three is not PEM of its kind.
    Unreadable(&'static str),
    /// The key does not belong to the certificate, or is of a kind that is not supported.
    Key(String),
    /// The authority has not signed it, it has expired or is not yet valid, or it is for another member or cluster.
    Certificate(String),
}

impl fmt::Display for TlsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TlsFault::Unreadable(what) => write!(f, "the {what} is not PEM"),
            TlsFault::Key(why) => write!(f, "the key does not fit the certificate: {why}"),
            TlsFault::Certificate(why) => write!(f, "the certificate is of no use here: {why}"),
        }
    }
}

impl std::error::Error for TlsFault {}

impl Tls {
    /// TLS for that member. Credentials that no peer would accept are refused here.
    pub fn new(cluster: ClusterId, member: MemberId, given: Credentials<'_>) -> Result<Tls, TlsFault> {
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(given.certificate)
            .collect::<Result<_, _>>()
            .ok()
            .filter(|chain: &Vec<_>| !chain.is_empty())
            .ok_or(TlsFault::Unreadable("certificate"))?;
        let key = PrivateKeyDer::from_pem_slice(given.key).map_err(|_| TlsFault::Unreadable("key"))?;
        let authority = CertificateDer::from_pem_slice(given.authority);
        let authority = authority.map_err(|_| TlsFault::Unreadable("authority's certificate"))?;
        let mut roots = RootCertStore::empty();
        roots.add(authority).map_err(|_| TlsFault::Unreadable("authority's certificate"))?;
        let roots = Arc::new(roots);
        let provider = Arc::new(ring::default_provider());
        // As a peer would look at it.
        let verifier =
            rustls::client::WebPkiServerVerifier::builder_with_provider(roots.clone(), provider.clone());
        let verifier = verifier.build().map_err(|fault| TlsFault::Certificate(fault.to_string()))?;
        let (name, rest) = (server_name(cluster, member), &chain[1..]);
        let verified = verifier.verify_server_cert(&chain[0], rest, &name, &[], UnixTime::now());
        verified.map_err(|fault| TlsFault::Certificate(fault.to_string()))?;
        let fits = |fault: rustls::Error| TlsFault::Key(fault.to_string());
        let mut client = ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&version::TLS13])
            .expect("the provider speaks TLS 1.3")
            .with_root_certificates(roots.clone())
            .with_client_auth_cert(chain.clone(), key.clone_key())
            .map_err(fits)?;
        // The name would tell everybody on the way who talks to whom; and each connection shows its certificate.
        client.enable_sni = false;
        client.resumption = Resumption::disabled();
        let peers = WebPkiClientVerifier::builder_with_provider(roots, provider.clone());
        let peers = peers.build().map_err(|fault| TlsFault::Certificate(fault.to_string()))?;
        let mut server = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&version::TLS13])
            .expect("the provider speaks TLS 1.3")
            .with_client_cert_verifier(peers)
            .with_single_cert(chain, key)
            .map_err(fits)?;
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.send_tls13_tickets = 0;
        Ok(Tls { cluster, connector: Arc::new(client).into(), acceptor: Arc::new(server).into() })
    }
}

impl Secure for Tls {
    type Stream = TlsStream<Begun<TcpStream>>;

    async fn connect(&self, tcp: TcpStream, to: MemberId) -> io::Result<Self::Stream> {
        let stream = Begun { first: Vec::new(), inner: tcp };
        Ok(self.connector.connect(server_name(self.cluster, to), stream).await?.into())
    }

    async fn accept(&self, mut tcp: TcpStream) -> io::Result<Self::Stream> {
        // Who does not begin as TLS does is not even answered with an alert.
        let mut first = vec![0; HANDSHAKE_RECORD.len()];
        tcp.read_exact(&mut first).await?;
        if first != HANDSHAKE_RECORD {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it does not speak TLS"));
        }
        Ok(self.acceptor.accept(Begun { first, inner: tcp }).await?.into())
    }

    fn proves(&self, stream: &Self::Stream, peer: MemberId) -> bool {
        let certificates = match stream {
            TlsStream::Client(stream) => stream.get_ref().1.peer_certificates(),
            TlsStream::Server(stream) => stream.get_ref().1.peer_certificates(),
        };
        // rustls has verified that the authority has signed it. Whose it is, is left to say.
        let Some(certificate) = certificates.and_then(|chain| chain.first()) else { return false };
        let name = server_name(self.cluster, peer);
        let certificate = webpki::EndEntityCert::try_from(certificate);
        certificate.is_ok_and(|certificate| certificate.verify_is_valid_for_subject_name(&name).is_ok())
    }
}

fn server_name(cluster: ClusterId, member: MemberId) -> ServerName<'static> {
    ServerName::try_from(member.name(cluster)).expect("two ids make a host name")
}

/// How every TLS connection begins: a handshake record (RFC 8446, 5.1), of which clients say 3.1 or 3.3.
const HANDSHAKE_RECORD: [u8; 2] = [0x16, 0x03];

/// A stream of which the first bytes were read already.
#[derive(Debug)]
pub struct Begun<T> {
    first: Vec<u8>,
    inner: T,
}

impl<T: AsyncRead + Unpin> AsyncRead for Begun<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.first.is_empty() {
            return Pin::new(&mut self.inner).poll_read(cx, buf);
        }
        let count = self.first.len().min(buf.remaining());
        buf.put_slice(&self.first[..count]);
        self.first.drain(..count);
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Begun<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
