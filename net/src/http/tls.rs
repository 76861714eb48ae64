//! TLS with clients: 1.2, for phones that never got 1.3, and 1.3. Its certificate can be replaced while it serves.

use std::fmt;
use std::io;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig, version};

use super::layer::{Layer, Opening, Stream};

/// How TLS begins: the type of a handshake record (RFC 8446, 5.1).
const HANDSHAKE_RECORD: u8 = 0x16;
/// What a client is told that speaks HTTP where TLS is spoken.
const NOT_HERE: &[u8] = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: text/plain\r\n\
                          content-length: 51\r\n\r\nThis address speaks HTTPS: ask with https:// here.\n";

/// TLS of a listener for everybody.
#[derive(Debug)]
pub struct PublicTls {
    now: RwLock<Current>,
}

struct Current {
    acceptor: TlsAcceptor,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl fmt::Debug for Current {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Current").field("certificates", &self.chain.len()).finish_non_exhaustive()
    }
}

/// Why a certificate and its key are of no use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsFault {
    /// There is no certificate in that PEM.
    Certificate,
    /// There is no private key in that PEM.
    Key,
    /// They do not belong together, or are of a kind that is not supported.
    Unfit(String),
}

impl fmt::Display for TlsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TlsFault::Certificate => f.write_str("there is no certificate in it, as PEM"),
            TlsFault::Key => f.write_str("there is no private key in it, as PEM"),
            TlsFault::Unfit(why) => write!(f, "the key does not fit the certificate: {why}"),
        }
    }
}

impl std::error::Error for TlsFault {}

impl PublicTls {
    /// TLS with this chain of certificates, the server's own first, and the key of that one, as PEM.
    pub fn new(certificates: &[u8], key: &[u8]) -> Result<PublicTls, TlsFault> {
        Ok(PublicTls { now: RwLock::new(Current::of(certificates, key)?) })
    }

    /// Takes others from now on; connections go on with what they began with. Says whether they differ. What is of no use is
    /// refused, and nothing changes.
    pub fn replace(&self, certificates: &[u8], key: &[u8]) -> Result<bool, TlsFault> {
        let next = Current::of(certificates, key)?;
        let mut now = self.now.write().unwrap_or_else(PoisonError::into_inner);
        let differs = now.chain != next.chain || now.key != next.key;
        if differs {
            *now = next;
        }
        Ok(differs)
    }
}

impl Current {
    fn of(certificates: &[u8], key: &[u8]) -> Result<Current, TlsFault> {
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(certificates)
            .collect::<Result<_, _>>()
            .ok()
            .filter(|chain: &Vec<_>| !chain.is_empty())
            .ok_or(TlsFault::Certificate)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| TlsFault::Key)?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&version::TLS13, &version::TLS12])
            .expect("the provider speaks both")
            .with_no_client_auth()
            .with_single_cert(chain.clone(), key.clone_key())
            .map_err(|fault: rustls::Error| TlsFault::Unfit(fault.to_string()))?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Current { acceptor: Arc::new(config).into(), chain, key })
    }
}

impl Layer for PublicTls {
    fn open(&self, mut tcp: TcpStream) -> Opening {
        let acceptor = self.now.read().unwrap_or_else(PoisonError::into_inner).acceptor.clone();
        Box::pin(async move {
            // A word to who took the wrong scheme; all others who do not speak TLS get an alert.
            let mut first = [0];
            if tcp.peek(&mut first).await? == 1
                && first[0] != HANDSHAKE_RECORD
                && first[0].is_ascii_uppercase()
            {
                tcp.write_all(NOT_HERE).await?;
                tcp.shutdown().await?;
                return Err(io::Error::new(io::ErrorKind::InvalidData, "it speaks HTTP, not TLS"));
            }
            Ok(Box::new(acceptor.accept(tcp).await?) as Box<dyn Stream>)
        })
    }
}
