//! The way out, over real sockets: where nobody can send it, and that nothing a server does costs more than was allowed.

use std::collections::BTreeMap;
use std::future::Future;
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use gomer::outside::guard::USUAL_PORTS;
use gomer::outside::resolve::{Resolve, Resolving};
use gomer::outside::{Answered, Ask, Client, Guard, Outside, Unanswered};
use http_body_util::Full;
use hyper::header::HeaderValue;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// Names with their addresses, one list for each look-up; the last one stays.
#[derive(Default)]
struct Names {
    names: BTreeMap<&'static str, Vec<Vec<IpAddr>>>,
    looked_up: AtomicUsize,
}

impl Names {
    fn with(mut self, name: &'static str, answers: &[&[&str]]) -> Names {
        let read = |all: &&[&str]| all.iter().map(|text| text.parse().unwrap()).collect();
        self.names.insert(name, answers.iter().map(read).collect());
        self
    }
}

impl Resolve for Names {
    fn resolve(&self, name: String) -> Resolving<'_> {
        let number = self.looked_up.fetch_add(1, Ordering::SeqCst);
        let found = self.names.get(name.as_str());
        let found = found.map(|answers| answers[number.min(answers.len() - 1)].clone());
        let unknown = || Unanswered::Unreachable("its name is not known".to_owned());
        Box::pin(std::future::ready(found.ok_or_else(unknown)))
    }
}

/// A client that may go to loopback addresses, as an operator may say.
fn client() -> Client {
    client_with(Names::default(), b"")
}

fn client_with(names: Names, authorities: &[u8]) -> Client {
    let guard = Guard::new(vec!["127.0.0.0/8".parse().unwrap()], USUAL_PORTS.to_vec());
    Client::with_resolver(guard, authorities, Arc::new(names)).unwrap()
}

/// A server that does as a test says, and remembers what it was asked.
struct Stub {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Stub {
    async fn start<F, D>(answer: F) -> Stub
    where
        F: Fn(String, TcpStream) -> D + Send + Sync + 'static,
        D: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, asked) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
        let (answer, kept) = (Arc::new(answer), asked.clone());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (answer, kept) = (answer.clone(), kept.clone());
                tokio::spawn(async move {
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        let Ok(byte) = stream.read_u8().await else { return };
                        head.push(byte);
                    }
                    let head = String::from_utf8(head).unwrap();
                    kept.lock().unwrap().push(head.clone());
                    answer(head, stream).await;
                });
            }
        });
        Stub { address, asked }
    }

    /// One that says these bytes and closes.
    async fn saying(bytes: impl Into<Vec<u8>>) -> Stub {
        let bytes = bytes.into();
        Stub::start(move |_, mut stream| {
            let bytes = bytes.clone();
            async move {
                let _ = stream.write_all(&bytes).await;
                let _ = stream.shutdown().await;
            }
        })
        .await
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn ok(body: &[u8], headers: &str) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

async fn get(client: &Client, url: impl Into<String>) -> Result<Answered, Unanswered> {
    let mut ask = Ask::get(url);
    ask.bounds.bytes_max = 64 * 1024;
    ask.bounds.time_max = Duration::from_secs(5);
    client.ask(ask).await
}

#[tokio::test]
async fn no_spelling_of_a_forbidden_address_is_asked() {
    let names = Names::default()
        .with("loop.example", &[&["127.0.0.1"]])
        .with("loop6.example", &[&["::1"]])
        .with("private.example", &[&["10.1.2.3"]])
        .with("unique.example", &[&["fd12::1"]])
        .with("cloud.example", &[&["169.254.169.254"]])
        .with("mapped.example", &[&["::ffff:192.168.0.1"]])
        .with("mixed.example", &[&["93.184.216.34", "127.0.0.1"]])
        .with("mixed6.example", &[&["2606:4700::1", "fe80::1"]])
        .with("localhost", &[&["127.0.0.1", "::1"]])
        .with("metadata.google.internal", &[&["169.254.169.254"]]);
    let client = Client::with_resolver(Guard::default(), b"", Arc::new(names)).unwrap();
    let spellings = [
        // Decimal, octal, hexadecimal, short and mixed forms of IPv4.
        "http://127.0.0.1/",
        "http://127.0.0.1:8080/",
        "http://2130706433/",
        "http://017700000001/",
        "http://0x7f000001/",
        "http://0x7F.1/",
        "http://127.1/",
        "http://127.0.1/",
        "http://0177.0.0.1/",
        "http://0177.0x0.00.01/",
        "http://0x7f.0.0.0x1/",
        "http://127.0.0.1./",
        "http://0/",
        "http://0.0.0.0/",
        "http://0x0/",
        "http://00000000000000000000177.0.0.1/",
        "http://3232235777/",
        "http://0xa9fea9fe/",
        "http://2852039166/",
        "http://169.254.169.254/latest/meta-data/",
        "http://0251.0376.0251.0376/",
        "http://[::ffff:a9fe:a9fe]/",
        "http://10.0.0.1/",
        "http://172.16.0.1/",
        "http://172.31.255.255/",
        "http://192.168.1.1/",
        "http://100.64.0.1/",
        "http://100.100.100.200/",
        "http://192.0.0.192/",
        "http://192.0.2.1/",
        "http://198.18.0.1/",
        "http://198.51.100.1/",
        "http://203.0.113.1/",
        "http://224.0.0.1/",
        "http://255.255.255.255/",
        "http://240.0.0.1/",
        "http://168.63.129.16/",
        // IPv6, and IPv4 inside of it.
        "http://[::1]/",
        "http://[::]/",
        "http://[0:0:0:0:0:0:0:1]/",
        "http://[0000::0001]/",
        "http://[::127.0.0.1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://[0:0:0:0:0:ffff:127.0.0.1]/",
        "http://[64:ff9b::127.0.0.1]/",
        "http://[64:ff9b:1::7f00:1]/",
        "http://[2002:7f00:1::]/",
        "http://[2001:0:7f00:1::]/",
        "http://[fe80::1]/",
        "http://[fc00::1]/",
        "http://[fd00:ec2::254]/",
        "http://[ff02::1]/",
        "http://[2001:db8::1]/",
        "http://[fec0::1]/",
        // Digits and dots that only look different.
        "http://①②⑦.⓪.⓪.①/",
        "http://１２７.0.0.1/",
        "http://127。0。0。1/",
        "http://127．0．0．1/",
        "http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/",
        "http://%31%32%37.0.0.1/",
        "http://127%2e0%2e0%2e1/",
        "http://0x7f.①/",
        // Users that look like hosts, and hosts that look like users.
        "http://example.com@127.0.0.1/",
        "http://127.0.0.1@example.com/",
        "http://a:b@127.0.0.1/",
        "http://@127.0.0.1/",
        "http://example.com\\@127.0.0.1/",
        "http://127.0.0.1\\.example.com/",
        "http://127.0.0.1#@example.com/",
        "http://127.0.0.1?@example.com/",
        "http:127.0.0.1/",
        "http:///127.0.0.1/",
        // Names that lead there.
        "http://localhost/",
        "http://LOCALHOST/",
        "http://localhost./",
        "https://loop.example/",
        "https://loop6.example/",
        "https://private.example/",
        "https://unique.example/",
        "https://cloud.example/",
        "https://mapped.example/",
        "https://mixed.example/",
        "https://mixed6.example/",
        "http://metadata.google.internal/computeMetadata/v1/",
        "http://LOOP.example./",
        // Other ways in.
        "ftp://93.184.216.34/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:6379/_",
        "dict://127.0.0.1/",
        "http://93.184.216.34:22/",
        "http://93.184.216.34:6379/",
        "https://93.184.216.34:25/",
        "http://127.0.0.1\t/",
        "http://127.0.0.1\n/",
        "http://127.0.0.1 /",
        "http://[::1%25lo]/",
        "http://[::1",
    ];
    assert!(spellings.len() >= 90);
    for spelling in spellings {
        let ask = client.ask(Ask::get(spelling));
        let refused = tokio::time::timeout(Duration::from_secs(1), ask).await.expect("it is not even tried");
        let refused = refused.expect_err(spelling);
        assert!(
            matches!(refused, Unanswered::Forbidden(_) | Unanswered::Malformed(_)) && !refused.may_pass(),
            "{spelling}: {refused}"
        );
    }
}

#[tokio::test]
async fn a_name_is_looked_up_once_and_what_was_judged_is_connected_to() {
    let stub = Stub::saying(ok(b"here", "")).await;
    let port = stub.address.port();
    let names = Names::default().with("rebound.example", &[&["127.0.0.1"], &["10.0.0.1"]]);
    let names = Arc::new(names);
    let guard = Guard::new(vec!["127.0.0.0/8".parse().unwrap()], Vec::new());
    let client = Client::with_resolver(guard, b"", names.clone()).unwrap();
    let url = format!("http://rebound.example:{port}/");
    assert_eq!(get(&client, &url).await.unwrap().body, "here");
    assert_eq!(names.looked_up.load(Ordering::SeqCst), 1);
    assert!(stub.asked()[0].contains(&format!("host: rebound.example:{port}\r\n")), "{:?}", stub.asked());
    // The next request looks again, and is judged again.
    assert!(matches!(get(&client, &url).await, Err(Unanswered::Forbidden(_))));
    assert_eq!(stub.asked().len(), 1);
}

#[tokio::test]
async fn an_answer_comes_whole_with_what_was_asked() {
    let packed = ok(&gzip(b"Hello, hello"), "content-encoding: gzip\r\netag: \"1\"\r\n");
    let stub = Stub::saying(packed).await;
    let mut ask = Ask::get(stub.url("/a?b=c#d"));
    for (name, value) in
        [("authorization", "Bearer x"), ("host", "evil.example"), ("accept-encoding", "br"), ("te", "x")]
    {
        ask.headers.insert(name, HeaderValue::from_static(value));
    }
    let answered = client().ask(ask).await.unwrap();
    assert_eq!((answered.status, answered.body.as_ref()), (200, &b"Hello, hello"[..]));
    assert_eq!(answered.headers.get("etag").unwrap(), "\"1\"");
    assert!(!answered.headers.contains_key("content-encoding"));
    assert_eq!(answered.url, stub.url("/a?b=c"));
    let head = stub.asked().remove(0).to_lowercase();
    assert!(head.starts_with("get /a?b=c http/1.1\r\n"), "{head}");
    assert!(head.contains("authorization: bearer x") && head.contains("user-agent: gomer/"), "{head}");
    assert!(
        head.contains("accept-encoding: gzip\r\n") && !head.contains("evil") && !head.contains("te: x"),
        "{head}"
    );
    let status =
        Stub::saying("HTTP/1.1 304 Not Modified\r\ncontent-encoding: gzip\r\ncontent-length: 9\r\n\r\n")
            .await;
    let answered = get(&client(), status.url("/")).await.unwrap();
    assert_eq!((answered.status, answered.body.len()), (304, 0));
}

#[tokio::test]
async fn a_redirect_is_judged_like_any_address_and_takes_no_secrets_along() {
    let target = Stub::saying(ok(b"there", "")).await;
    let to = |location: String| {
        Stub::saying(format!("HTTP/1.1 302 Found\r\ncontent-length: 0\r\nlocation: {location}\r\n\r\n"))
    };
    // 127.0.0.1 with another port is another origin.
    let first = to(target.url("/landed")).await;
    let mut ask = Ask::get(first.url("/"));
    for name in ["authorization", "cookie", "x-api-key", "if-none-match"] {
        ask.headers.insert(name, HeaderValue::from_static("secret"));
    }
    let answered = client().ask(ask.clone()).await.unwrap();
    assert_eq!((answered.url, answered.body), (target.url("/landed"), Bytes::from("there")));
    let (before, after) = (first.asked().remove(0), target.asked().remove(0));
    assert_eq!(before.matches("secret").count(), 4, "{before}");
    assert_eq!(after.matches("secret").count(), 1, "{after}");
    assert!(after.contains("if-none-match: secret"), "{after}");
    ask.bounds.redirects_max = 0;
    assert_eq!(client().ask(ask).await.unwrap().status, 302);
    for forbidden in [
        "http://10.0.0.1/",
        "http://[::1]/",
        "http://169.254.169.254/",
        "http://0xA000001/",
        "//192.168.0.1/",
        "http://private.example/",
        "http://user@127.0.0.1/",
        "file:///etc/passwd",
        "http://93.184.216.34:22/",
    ] {
        let stub = to(forbidden.to_owned()).await;
        let client = client_with(Names::default().with("private.example", &[&["10.0.0.1"]]), b"");
        let refused = get(&client, stub.url("/")).await.unwrap_err();
        assert!(
            matches!(refused, Unanswered::Forbidden(_) | Unanswered::Malformed(_)),
            "{forbidden}: {refused}"
        );
    }
    // Round and round.
    let circle = to("/again".to_owned()).await;
    assert_eq!(get(&client(), circle.url("/")).await.unwrap_err(), Unanswered::TooManyRedirects);
    assert_eq!(circle.asked().len(), 6);
}

#[tokio::test]
async fn what_is_slow_ends_in_time() {
    let silent = Stub::start(|_, stream| async move {
        tokio::time::sleep(Duration::from_secs(60)).await;
        drop(stream);
    });
    let dripping = Stub::start(|_, mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n").await;
        while stream.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let endless_head = Stub::start(|_, mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n").await;
        while stream.write_all(b"x: y\r\n").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    for stub in [silent.await, dripping.await, endless_head.await] {
        let mut ask = Ask::get(stub.url("/"));
        ask.bounds.time_max = Duration::from_millis(300);
        let began = Instant::now();
        assert_eq!(client().ask(ask).await.unwrap_err(), Unanswered::TimedOut);
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    }
}

#[tokio::test]
async fn what_is_too_large_is_not_read() {
    let pouring = |head: &'static str, piece: Vec<u8>| {
        let poured = Arc::new(AtomicUsize::new(0));
        let (kept, piece) = (poured.clone(), Arc::new(piece));
        let stub = Stub::start(move |_, mut stream| {
            let (poured, piece) = (poured.clone(), piece.clone());
            async move {
                let _ = stream.write_all(head.as_bytes()).await;
                while stream.write_all(&piece).await.is_ok() {
                    poured.fetch_add(piece.len(), Ordering::SeqCst);
                }
            }
        });
        async move { (stub.await, kept) }
    };
    let chunk = [b"1000\r\n".to_vec(), vec![b'x'; 4_096], b"\r\n".to_vec()].concat();
    for (head, piece) in [
        ("HTTP/1.1 200 OK\r\n\r\n", vec![b'x'; 4_096]),
        ("HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n", vec![b'x'; 4_096]),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", chunk),
    ] {
        let (stub, poured) = pouring(head, piece).await;
        assert_eq!(get(&client(), stub.url("/")).await.unwrap_err(), Unanswered::TooLarge, "{head}");
        // What lies in the sockets' buffers is a few MiB at most.
        assert!(poured.load(Ordering::SeqCst) < 32 << 20);
    }
    // Heads without an end, in length and in number.
    for piece in [vec![b'x'; 4_096], b"x: y\r\n".repeat(100)] {
        let (stub, _) = pouring("HTTP/1.1 200 OK\r\n", piece).await;
        assert!(matches!(get(&client(), stub.url("/")).await, Err(Unanswered::Broken(_))));
    }
    let bomb = Stub::saying(ok(&gzip(&vec![0; 32 << 20]), "content-encoding: gzip\r\n")).await;
    assert_eq!(get(&client(), bomb.url("/")).await.unwrap_err(), Unanswered::TooLarge);
    let exact = Stub::saying(ok(&gzip(&vec![0; 64 * 1024]), "content-encoding: gzip\r\n")).await;
    assert_eq!(get(&client(), exact.url("/")).await.unwrap().body.len(), 64 * 1024);
}

#[tokio::test]
async fn what_is_cut_off_or_no_http_is_broken() {
    let packed = gzip(b"Hello, hello, hello");
    let cut = ok(&packed[..packed.len() - 4], "content-encoding: gzip\r\n");
    for (name, bytes) in [
        ("short", b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf".to_vec()),
        ("chunks", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel".to_vec()),
        ("a chunk", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nhello\r\n".to_vec()),
        ("gzip", cut),
        ("no gzip", ok(b"plain", "content-encoding: gzip\r\n")),
        ("brotli", ok(b"\x0b\x02\x80", "content-encoding: br\r\n")),
        ("nothing", Vec::new()),
        ("half a head", b"HTTP/1.1 200 OK\r\nx: ".to_vec()),
        ("0.9", b"<html>hello</html>".to_vec()),
        ("ssh", b"SSH-2.0-OpenSSH_9.9\r\n".to_vec()),
        ("zeros", vec![0; 1_000]),
        ("two lengths", b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd".to_vec()),
        ("a status", b"HTTP/1.1 2000 OK\r\n\r\n".to_vec()),
    ] {
        let stub = Stub::saying(bytes).await;
        let got = get(&client(), stub.url("/")).await;
        assert!(matches!(got, Err(Unanswered::Broken(_))), "{name}: {got:?}");
    }
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let got = get(&client(), format!("http://{nobody}/")).await;
    assert!(matches!(got, Err(Unanswered::Unreachable(_))), "{got:?}");
    let got = get(&client(), "http://unknown.example/").await;
    assert!(matches!(got, Err(Unanswered::Unreachable(_))), "{got:?}");
}

#[tokio::test]
async fn more_than_a_host_is_asked_at_once_is_busy() {
    let (release, held) = tokio::sync::watch::channel(false);
    let stub = Stub::start(move |_, mut stream| {
        let mut held = held.clone();
        async move {
            let _ = held.wait_for(|released| *released).await;
            let _ = stream.write_all(&ok(b"at last", "")).await;
        }
    })
    .await;
    let client = Arc::new(client());
    let asks: Vec<_> = (0..40)
        .map(|_| {
            let (client, url) = (client.clone(), stub.url("/"));
            tokio::spawn(async move { get(&client, url).await })
        })
        .collect();
    while stub.asked().len() < 32 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(get(&client, stub.url("/")).await.unwrap_err(), Unanswered::Busy);
    release.send(true).unwrap();
    let mut done = (0, 0);
    for ask in asks {
        match ask.await.unwrap() {
            Ok(_) => done.0 += 1,
            Err(Unanswered::Busy) => done.1 += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(done, (32, 8));
    assert!(get(&client, stub.url("/")).await.is_ok(), "there is room again");
}

/// An authority, and a server over TLS with a certificate of it for `stub.example`.
async fn secure(protocols: &[&[u8]], days: (i32, i32)) -> (String, u16) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["stub.example".to_owned()]).unwrap();
    (params.not_before, params.not_after) =
        (rcgen::date_time_ymd(days.0, 1, 1), rcgen::date_time_ymd(days.1, 1, 1));
    let certificate = params.signed_by(&key, &issuer).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(tcp).await else { return };
                let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                let service =
                    hyper::service::service_fn(|request: Request<hyper::body::Incoming>| async move {
                        let said =
                            format!("{:?} {} {}", request.version(), request.method(), request.uri().path());
                        Ok::<_, std::convert::Infallible>(Response::new(Full::new(Bytes::from(said))))
                    });
                let io = TokioIo::new(stream);
                if is_http2 {
                    let serving =
                        hyper::server::conn::http2::Builder::new(Tasks).serve_connection(io, service);
                    let _ = serving.await;
                } else {
                    let _ = hyper::server::conn::http1::Builder::new().serve_connection(io, service).await;
                }
            });
        }
    });
    (authority, port)
}

#[derive(Clone)]
struct Tasks;

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Tasks {
    fn execute(&self, task: F) {
        tokio::spawn(task);
    }
}

fn stub_names() -> Names {
    Names::default().with("stub.example", &[&["127.0.0.1"]]).with("other.example", &[&["127.0.0.1"]])
}

#[tokio::test]
async fn over_tls_both_versions_of_http_are_spoken_with_who_is_trusted() {
    for (protocols, version) in
        [(&[&b"h2"[..]][..], "HTTP/2.0"), (&[&b"http/1.1"[..]], "HTTP/1.1"), (&[], "HTTP/1.1")]
    {
        let (authority, port) = secure(protocols, (2020, 2090)).await;
        let url = format!("https://stub.example:{port}/path");
        let client = client_with(stub_names(), authority.as_bytes());
        let answered = get(&client, &url).await.unwrap();
        assert_eq!(answered.body, format!("{version} GET /path"));
        let posted = client.ask(Ask::post(&url, "body")).await.unwrap();
        assert_eq!(posted.body, format!("{version} POST /path"));
    }
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused() {
    let (authority, port) = secure(&[b"http/1.1"], (2020, 2090)).await;
    let (other_authority, _) = secure(&[b"http/1.1"], (2020, 2090)).await;
    let (expired_authority, expired) = secure(&[b"http/1.1"], (2020, 2021)).await;
    let refused = async |client: Client, url: String| match get(&client, url).await.unwrap_err() {
        Unanswered::Unreachable(why) => assert!(why.starts_with("TLS"), "{why}"),
        other => panic!("{other}"),
    };
    let url = format!("https://stub.example:{port}/");
    refused(client_with(stub_names(), b""), url.clone()).await;
    refused(client_with(stub_names(), other_authority.as_bytes()), url).await;
    let client = || client_with(stub_names(), authority.as_bytes());
    refused(client(), format!("https://other.example:{port}/")).await;
    refused(client(), format!("https://127.0.0.1:{port}/")).await;
    let url = format!("https://stub.example:{expired}/");
    refused(client_with(stub_names(), expired_authority.as_bytes()), url).await;
    // Somebody who does not speak TLS at all.
    let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = plain.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = plain.accept().await.unwrap();
        let _ = stream.write_all(&ok(b"plain", "")).await;
    });
    refused(client(), format!("https://stub.example:{port}/")).await;
}
