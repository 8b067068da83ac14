//! The page over HTTPS: both versions of HTTP, a certificate that changes under it, and clients that say nothing or do not
//! read.

use std::net::SocketAddr;
use std::path::Path;

use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use native_tls::Certificate;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_native_tls::TlsStream;

use crate::support::chain::Chain;
use crate::support::daemon::TestDaemon;
use crate::support::http::{LOOK_EVERY, exchange};

const SITE: &str = "hosts: {web1: {address: 127.0.0.1, check: off, services: {page: {passive: {}}}}}
web: {tls: {cert: tls/cert.pem, key: tls/key.pem}}
";

/// Puts certificate and key where the configuration names them.
fn install(chain: &Chain, etc: &Path) {
    std::fs::create_dir_all(etc.join("tls")).expect("a folder");
    std::fs::copy(chain.full_chain_path(), etc.join("tls/cert.pem")).expect("copied");
    std::fs::copy(chain.key_path(), etc.join("tls/key.pem")).expect("copied");
}

async fn started(chain: &Chain) -> TestDaemon {
    let cert = std::fs::read_to_string(chain.full_chain_path()).expect("PEM");
    let key = std::fs::read_to_string(chain.key_path()).expect("PEM");
    TestDaemon::start(&[("vigia.yaml", SITE), ("tls/cert.pem", &cert), ("tls/key.pem", &key)]).await
}

/// A connection of somebody who trusts the chain's root alone.
async fn connect(
    address: SocketAddr,
    chain: &Chain,
    protocols: &[&str],
) -> Result<TlsStream<TcpStream>, native_tls::Error> {
    let root = std::fs::read(chain.root_path()).expect("PEM");
    let connector = native_tls::TlsConnector::builder()
        .add_root_certificate(Certificate::from_pem(&root).expect("a certificate"))
        .request_alpns(protocols)
        .build()
        .expect("a connector");
    let stream = TcpStream::connect(address).await.expect("it listens");
    tokio_native_tls::TlsConnector::from(connector).connect("localhost", stream).await
}

#[tokio::test]
async fn both_versions_of_http_are_spoken_over_tls_and_plain_http_leads_there() {
    let chain = Chain::new("localhost");
    let daemon = started(&chain).await;
    let line = daemon.logged("web.listening").await;
    assert!(line.contains("https://127.0.0.1:"), "{line}");

    let stream = connect(daemon.address(), &chain, &["http/1.1"]).await.expect("trusted");
    let (status, page) = exchange(stream, "GET", "/api/v1/status", "localhost", "").await;
    assert!(status == 200 && page.contains("\"https://127.0.0.1:"), "{page}");

    let stream = connect(daemon.address(), &chain, &["h2", "http/1.1"]).await.expect("trusted");
    let spoken = stream.get_ref().negotiated_alpn().expect("asked for");
    assert_eq!(spoken.as_deref(), Some(&b"h2"[..]));
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .expect("HTTP/2");
    let driving = tokio::spawn(connection);
    let request = http::Request::get("https://localhost/services").body(Empty::<bytes::Bytes>::new());
    let answer = sender.send_request(request.expect("a request")).await.expect("an answer");
    assert_eq!(answer.status(), 200);
    let page = answer.into_body().collect().await.expect("a page").to_bytes();
    assert!(String::from_utf8_lossy(&page).contains("web1"));
    driving.abort();

    let mut plain = TcpStream::connect(daemon.address()).await.expect("it listens");
    plain.write_all(b"GET /hosts?x=1 HTTP/1.0\r\nHost: localhost:1\r\n\r\n").await.expect("sent");
    let mut answer = String::new();
    plain.read_to_string(&mut answer).await.expect("an answer");
    assert!(
        answer.starts_with("HTTP/1.0 308") && answer.contains("location: https://localhost:1/hosts?x=1"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_new_certificate_is_taken_live_and_a_broken_one_keeps_the_old() {
    let (first, second) = (Chain::new("localhost"), Chain::new("localhost"));
    let daemon = started(&first).await;
    assert!(connect(daemon.address(), &second, &[]).await.is_err(), "the other root is not trusted yet");
    let open = connect(daemon.address(), &first, &["http/1.1"]).await.expect("trusted");

    install(&second, &daemon.etc());
    while connect(daemon.address(), &second, &[]).await.is_err() {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let (status, _) = exchange(open, "GET", "/healthz", "localhost", "").await;
    assert_eq!(status, 200, "a connection that is open goes on with the one it has");

    daemon.write("tls/key.pem", "no key at all");
    daemon.logged("tls.refused").await;
    status_until(&daemon, &second, |page| page.contains("holds no private key")).await;
    install(&second, &daemon.etc());
    status_until(&daemon, &second, |page| !page.contains("holds no private key")).await;
}

/// Asks with the certificate of this chain, which must be the one in use, until the answer is the one waited for.
async fn status_until(daemon: &TestDaemon, chain: &Chain, is_it: impl Fn(&str) -> bool) {
    loop {
        let stream = connect(daemon.address(), chain, &["http/1.1"]).await.expect("trusted");
        let (_, page) = exchange(stream, "GET", "/api/v1/status", "localhost", "").await;
        if is_it(&page) {
            return;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

#[tokio::test]
async fn a_certificate_that_cannot_be_used_stops_no_check_and_nobody_gets_in_unencrypted() {
    let chain = Chain::new("localhost");
    let daemon = TestDaemon::start(&[("vigia.yaml", SITE)]).await;
    daemon.logged("tls.refused").await;
    // By the control socket, which needs no certificate.
    loop {
        let output = daemon.cli(&["status"]).await;
        if String::from_utf8_lossy(&output.stdout).contains("tls/cert.pem") {
            break;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    assert!(connect(daemon.address(), &chain, &[]).await.is_err());
    let (status, page) = daemon.text("/hosts").await;
    assert_eq!(status, 308, "{page}");
    install(&chain, &daemon.etc());
    while connect(daemon.address(), &chain, &[]).await.is_err() {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Each holds a connection and gives nothing for it.
#[tokio::test]
async fn clients_that_say_nothing_or_never_read_keep_nobody_out() {
    let chain = Chain::new("localhost");
    let daemon = started(&chain).await;
    let mut held = Vec::new();
    for kind in 0..60 {
        // A small window, so that an answer does not fit into it.
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(2048).expect("set");
        let mut stream = socket.connect(daemon.address()).await.expect("it listens");
        match kind % 3 {
            // Says nothing; or half of what begins TLS.
            0 => {}
            1 => stream.write_all(&[22, 3, 1]).await.expect("sent"),
            // Asks again and again, and never reads.
            _ => stream
                .write_all(&b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(500))
                .await
                .expect("sent"),
        }
        held.push(stream);
    }
    for _ in 0..5 {
        let stream = connect(daemon.address(), &chain, &["http/1.1"]).await.expect("there is room");
        let (status, _) = exchange(stream, "GET", "/hosts", "localhost", "").await;
        assert_eq!(status, 200);
    }
    // The silent ones are shown the door: that is waited for, not timed.
    let mut silent = held.swap_remove(0);
    assert_eq!(silent.read(&mut [0; 16]).await.unwrap_or(0), 0);
    assert!(daemon.stop().await.success(), "and none of them holds up the end");
}
