//! HTTPS of the real program: who may speak it, who may not, and a certificate that is renewed while it serves.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gomer_tests::dir::Dir;
use gomer_tests::process::{Gomer, Start};
use gomer_tests::wait::wait_for;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion};

type Https = StreamOwned<ClientConnection, TcpStream>;

/// A new certificate for `localhost`.
fn certificate() -> CertifiedKey<rcgen::KeyPair> {
    generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a name makes a certificate")
}

/// Files of the listener's TLS in a folder.
struct Files {
    cert: PathBuf,
    key: PathBuf,
}

impl Files {
    fn of(folder: &Path, certified: &CertifiedKey<rcgen::KeyPair>) -> Files {
        let files = Files { cert: folder.join("cert.pem"), key: folder.join("key.pem") };
        files.write(certified);
        files
    }

    /// As a program that renews certificates does: the key first, each in one step.
    fn write(&self, certified: &CertifiedKey<rcgen::KeyPair>) {
        for (path, text) in
            [(&self.key, certified.signing_key.serialize_pem()), (&self.cert, certified.cert.pem())]
        {
            let next = path.with_extension("next");
            std::fs::write(&next, text).unwrap();
            set_mode(&next, 0o600);
            std::fs::rename(next, path).unwrap();
        }
    }

    fn start(&self, data: &Path) -> Start {
        let (cert, key) = (self.cert.to_str().unwrap(), self.key.to_str().unwrap());
        Start::new(data).args(&["--tls-cert", cert, "--tls-key", key])
    }
}

fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn socket(gomer: &Gomer) -> TcpStream {
    let address = gomer.http().strip_prefix("https://").expect("the ready line says https");
    let socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    socket
}

/// Connects, trusting that certificate alone.
fn connect(
    gomer: &Gomer,
    trusted: &CertificateDer<'static>,
    versions: &[&'static SupportedProtocolVersion],
    protocols: &[&str],
) -> Result<Https, std::io::Error> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let name = ServerName::try_from("localhost").unwrap();
    let client = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut https = StreamOwned::new(client, socket(gomer));
    while https.conn.is_handshaking() {
        https.conn.complete_io(&mut https.sock)?;
    }
    Ok(https)
}

/// Asks on a connection that stays open, and gives the head of the answer.
fn ask(https: &mut Https, path: &str) -> String {
    write!(https, "GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    https.flush().unwrap();
    let mut bytes = vec![0; 64 * 1024];
    let count = https.read(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes[..count]).into_owned()
}

#[test]
fn clients_speak_https_and_those_that_do_not_are_told() {
    let dir = Dir::new("tls");
    let certified = certificate();
    let trusted = certified.cert.der().clone();
    let files = Files::of(dir.path(), &certified);
    let gomer = files.start(&dir.path().join("data")).ready();
    for versions in [&[&TLS13][..], &[&TLS12]] {
        let mut https = connect(&gomer, &trusted, versions, &["http/1.1"]).unwrap();
        for _ in 0..2 {
            assert!(ask(&mut https, "/healthz").starts_with("HTTP/1.1 200"), "{versions:?}");
        }
    }
    // HTTP/2 is agreed on with who knows it, and its preface is answered with settings.
    let mut https = connect(&gomer, &trusted, &[&TLS13], &["h2", "http/1.1"]).unwrap();
    assert_eq!(https.conn.alpn_protocol(), Some(&b"h2"[..]));
    https.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
    let mut frame = [0; 9];
    https.read_exact(&mut frame).unwrap();
    assert_eq!(frame[3], 4, "a frame of settings comes first: {frame:?}");
    // Who trusts another certificate is not fooled.
    assert!(connect(&gomer, certificate().cert.der(), &[&TLS13], &[]).is_err());
    // Who took the wrong scheme is told, and who speaks something else is cut off; nobody else notices.
    let mut plain = socket(&gomer);
    plain.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    let mut answer = String::new();
    let _ = plain.read_to_string(&mut answer);
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("https://"), "{answer:?}");
    let mut garbage = socket(&gomer);
    garbage.write_all(&[0x16, 3, 1, 0xff, 0xff, 7, 7, 7]).unwrap();
    let ended = garbage.read_to_end(&mut Vec::new());
    assert!(ended.is_ok() || ended.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset));
    // Who says nothing has as long as for a head.
    let mut silent = socket(&gomer);
    assert_eq!(silent.read(&mut [0]).unwrap(), 0, "it is closed within the time for a head");
    assert!(ask(&mut connect(&gomer, &trusted, &[&TLS13], &[]).unwrap(), "/readyz").contains("200"));
    assert!(gomer.stop().success());
}

#[test]
fn a_renewed_certificate_is_taken_without_a_restart() {
    let dir = Dir::new("tls-renewed");
    let (old, new) = (certificate(), certificate());
    let (old_trusted, new_trusted) = (old.cert.der().clone(), new.cert.der().clone());
    let files = Files::of(dir.path(), &old);
    let gomer = files.start(&dir.path().join("data")).ready();
    let mut before = connect(&gomer, &old_trusted, &[&TLS13], &[]).unwrap();
    assert!(ask(&mut before, "/healthz").contains("200"));
    // Half of a renewal, and a file of nonsense: the old one stays, and the log says why.
    std::fs::write(&files.cert, new.cert.pem()).unwrap();
    gomer.signal("HUP");
    wait_for("the log to say that they do not fit", || {
        gomer.log().contains("new certificates cannot be used").then_some(())
    });
    assert!(ask(&mut connect(&gomer, &old_trusted, &[&TLS13], &[]).unwrap(), "/healthz").contains("200"));
    files.write(&new);
    gomer.signal("HUP");
    wait_for("the new certificate", || connect(&gomer, &new_trusted, &[&TLS13], &[]).ok());
    assert!(connect(&gomer, &old_trusted, &[&TLS13], &[]).is_err());
    assert!(ask(&mut before, "/healthz").contains("200"), "what was open goes on");
    assert!(gomer.stop().success());
}

#[test]
fn files_that_are_of_no_use_are_refused_at_the_start() {
    let dir = Dir::new("tls-refused");
    let files = Files::of(dir.path(), &certificate());
    let refused = |wanted: &str| {
        let data = dir.path().join("data");
        let (status, log) = files.start(&data).attempt().expect_err("it does not start");
        assert_eq!(status.code(), Some(2), "{log}");
        assert!(log.contains(wanted), "{wanted}: {log}");
        assert!(!data.join("operator.json").exists(), "no store is made for a start that fails");
    };
    set_mode(&files.key, 0o644);
    refused("chmod 600");
    set_mode(&files.key, 0o600);
    std::fs::write(&files.cert, certificate().cert.pem()).unwrap();
    refused("does not fit");
    std::fs::write(&files.cert, "not PEM").unwrap();
    refused("no certificate");
    std::fs::remove_file(&files.cert).unwrap();
    refused("No such file");
    let one = Start::new(&dir.path().join("data")).args(&["--tls-cert", "cert.pem"]).attempt();
    assert!(one.is_err_and(|(status, log)| status.code() == Some(2) && log.contains("belong together")));
}
