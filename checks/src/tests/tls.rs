//! Certificates and TLS: made chains, made servers, and the words that come before.

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper_util::rt::{TokioExecutor, TokioIo};
use openssl::ssl::{Ssl, SslAcceptor};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_openssl::SslStream;

use super::made_certificates::{GOOD, Life, Made, OVER, acceptor, authority, leaf, root, trusted};
use super::peers::{peer, read_all, read_request, says, says_and_waits};
use super::{assert_harmless, check};

async fn accept(acceptor: &SslAcceptor, stream: TcpStream) -> Option<SslStream<TcpStream>> {
    let ssl = Ssl::new(acceptor.context()).unwrap();
    let mut stream = SslStream::new(ssl, stream).unwrap();
    Pin::new(&mut stream).accept().await.ok().map(|()| stream)
}

/// A TLS server that waits for the other side to end.
async fn server(acceptor: SslAcceptor) -> u16 {
    let acceptor = Arc::new(acceptor);
    peer(move |stream| {
        let acceptor = Arc::clone(&acceptor);
        async move {
            if let Some(mut stream) = accept(&acceptor, stream).await {
                read_all(&mut stream).await;
            }
        }
    })
    .await
}

/// What `tls` says of a server of this certificate, with that root trusted.
async fn verdict(leaf: &Made, beside: &[&Made], trust: &Made, more: &str) -> (u8, String) {
    let port = server(acceptor(leaf, beside)).await;
    let trust = trusted(&[trust]);
    let line = format!("-H 127.0.0.1 -p {port} -n web1.example.test --ca {} {more}", trust.path().display());
    let (code, text) = check("tls", &line).await;
    assert_harmless(&text);
    (code, text)
}

#[tokio::test]
async fn a_good_chain_is_ok_and_shows_its_path() {
    let root = root();
    let middle = authority(&root, GOOD);
    let leaf = leaf("web1.example.test", &middle, GOOD);
    let (code, text) = verdict(&leaf, &[&middle], &root, "").await;
    assert_eq!(code, 0, "{text}");
    assert!(text.starts_with("TLS OK - certificate `web1.example.test` expires in 100 days, on "), "{text}");
    assert!(text.contains("(TLSv1.3, TLS_AES_256_GCM_SHA384)|days_left=100;30:;14:;; time="), "{text}");
    assert!(text.contains("\n1: vigia test intermediate, from vigia test root, until "), "{text}");
    assert!(text.contains("\n2: vigia test root"), "{text}");
}

#[tokio::test]
async fn age_is_judged_by_the_earliest_expiry_of_the_used_path() {
    let root = root();
    let middle = authority(&root, GOOD);
    let expired = leaf("web1.example.test", &middle, OVER);
    let (code, text) = verdict(&expired, &[&middle], &root, "").await;
    assert_eq!(code, 2);
    assert!(
        text.starts_with("TLS CRITICAL - certificate `web1.example.test` expired 2 days ago, on "),
        "{text}"
    );
    // The server's own is good for long: it is the issuer that ends it.
    let short = authority(&root, Life(100, 20));
    let (code, text) = verdict(&leaf("web1.example.test", &short, GOOD), &[&short], &root, "").await;
    assert_eq!(code, 1);
    assert!(
        text.starts_with("TLS WARNING - certificate `vigia test intermediate` expires in 20 days"),
        "{text}"
    );
    let over = authority(&root, OVER);
    let (code, text) = verdict(&leaf("web1.example.test", &over, GOOD), &[&over], &root, "").await;
    assert_eq!(code, 2);
    assert!(text.contains("certificate `vigia test intermediate` expired"), "{text}");
    let soon = leaf("web1.example.test", &middle, Life(1, 20));
    assert_eq!(verdict(&soon, &[&middle], &root, "-w 10 -c 5").await.0, 0);
    assert_eq!(verdict(&soon, &[&middle], &root, "-w 60 -c 25").await.0, 2);
}

#[tokio::test]
async fn an_incomplete_chain_is_named() {
    let root = root();
    let middle = authority(&root, GOOD);
    let leaf = leaf("web1.example.test", &middle, GOOD);
    let (code, text) = verdict(&leaf, &[], &root, "").await;
    assert_eq!(code, 2);
    assert!(
        text.contains("the chain is incomplete or its issuer `vigia test intermediate` is not trusted"),
        "{text}"
    );
    // This machine happens to know the intermediate; others will not.
    let port = server(acceptor(&leaf, &[])).await;
    let trust = trusted(&[&root, &middle]);
    let line = format!("-H 127.0.0.1 -p {port} -n web1.example.test --ca {}", trust.path().display());
    let (code, text) = check("tls", &line).await;
    assert_eq!(code, 1, "{text}");
    assert!(
        text.contains("the chain is incomplete: the server does not send `vigia test intermediate`"),
        "{text}"
    );
}

#[tokio::test]
async fn an_expired_extra_is_noted_without_weight() {
    let root = root();
    let middle = authority(&root, GOOD);
    let leaf = leaf("web1.example.test", &middle, GOOD);
    let extra = authority(&root, OVER);
    let (code, text) = verdict(&leaf, &[&middle, &extra], &root, "").await;
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("\nsent for nothing and expired: `vigia test intermediate`"), "{text}");
}

#[tokio::test]
async fn a_wrong_name_and_a_stranger_are_critical_unless_verify_is_off() {
    let root = root();
    let other = leaf("other.example.test", &root, GOOD);
    let (code, text) = verdict(&other, &[], &root, "").await;
    assert_eq!(code, 2);
    assert!(text.contains("certificate `other.example.test` is not for `web1.example.test`"), "{text}");
    let (code, text) = verdict(&other, &[], &root, "--verify off").await;
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("\nnot verified: certificate `other.example.test` is not for"), "{text}");
    let stranger = super::made_certificates::root();
    let (code, text) = verdict(&leaf("web1.example.test", &stranger, GOOD), &[], &root, "").await;
    assert_eq!(code, 2, "{text}");
    // Both faults are said, not only the last that OpenSSL saw.
    let (_, text) = verdict(&leaf("other.example.test", &root, OVER), &[], &root, "").await;
    assert!(text.contains("expired 2 days ago") && text.contains("is not for `web1.example.test`"), "{text}");
}

#[tokio::test]
async fn peers_without_tls_are_critical_in_plain_words() {
    let (code, text) = check("tls", &format!("-H 127.0.0.1 -p {}", says(b"SSH-2.0-OpenSSH\r\n").await)).await;
    assert_eq!((code, text.contains("what answers does not speak TLS here")), (2, true), "{text}");
    let (code, text) = check("tls", &format!("-H 127.0.0.1 -p {}", says(b"").await)).await;
    assert_eq!((code, text.contains("TLS handshake: the server ended the connection")), (2, true), "{text}");
    let (code, text) = check("tls", &format!("-H 127.0.0.1 -p {} -t 0.3", says_and_waits(b"").await)).await;
    assert_eq!((code, text.as_str()), (2, "TLS CRITICAL - the TLS handshake did not end within 0.3 s"));
    let garbage = says(b"\x16\x03\x03\xff\xff\x00garbage\x00\x01\x02").await;
    assert_eq!(check("tls", &format!("-H 127.0.0.1 -p {garbage}")).await.0, 2);
    let missing = format!("-H 127.0.0.1 -p {} --ca /no/such/file", says(b"").await);
    let (code, text) = check("tls", &missing).await;
    assert_eq!(
        (code, text.contains("cannot use the trusted certificates in `/no/such/file`")),
        (3, true),
        "{text}"
    );
}

/// What is awaited and what is said then, in turns.
type Script = Vec<(&'static [u8], &'static [u8])>;

/// Says a protocol's words line by line, then speaks TLS.
async fn starts_tls(script: &'static [(&'static [u8], &'static [u8])], made: &Made) -> u16 {
    let acceptor = Arc::new(acceptor(made, &[]));
    peer(move |mut stream| {
        let acceptor = Arc::clone(&acceptor);
        async move {
            for (wanted, answer) in script {
                let mut got = vec![0; wanted.len()];
                stream.read_exact(&mut got).await.unwrap();
                assert_eq!(&got, wanted);
                stream.write_all(answer).await.unwrap();
            }
            if let Some(mut stream) = accept(&acceptor, stream).await {
                read_all(&mut stream).await;
            }
        }
    })
    .await
}

#[tokio::test]
async fn protocols_start_tls_after_their_own_words() {
    let root = root();
    let leaf = leaf("web1.example.test", &root, GOOD);
    let trust = trusted(&[&root]);
    let mysql_request: &[u8] = &{
        let mut packet = [0; 36];
        let head = [32, 0, 0, 1, 0x00, 0x8a, 0, 0, 0, 0, 0, 1, 45];
        packet[..head.len()].copy_from_slice(&head);
        packet
    };
    let mysql_request: &'static [u8] = Box::leak(mysql_request.to_vec().into_boxed_slice());
    let mysql_greeting: &[u8] = b"\x15\0\0\0\x0a8.0\0\x01\0\0\x0012345678\0\xff\xff\0";
    let scripts: Vec<(&str, Script)> = vec![
        (
            "smtp",
            vec![
                (b"", b"220-mx\r\n220 ready\r\n"),
                (b"EHLO vigia.invalid\r\n", b"250-mx\r\n250-SIZE 1\r\n250 STARTTLS\r\n"),
                (b"STARTTLS\r\n", b"220 go\r\n"),
            ],
        ),
        ("imap", vec![(b"", b"* OK ready\r\n"), (b"a1 STARTTLS\r\n", b"* soon\r\na1 OK go\r\n")]),
        ("pop3", vec![(b"", b"+OK ready\r\n"), (b"STLS\r\n", b"+OK go\r\n")]),
        ("ftp", vec![(b"", b"220-welcome\r\n to us\r\n220 ready\r\n"), (b"AUTH TLS\r\n", b"234 go\r\n")]),
        (
            "ldap",
            vec![(
                b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037",
                b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00",
            )],
        ),
        ("postgres", vec![(b"\0\0\0\x08\x04\xd2\x16\x2f", b"S")]),
        ("mysql", vec![(b"", mysql_greeting), (mysql_request, b"")]),
    ];
    for (name, script) in scripts {
        let port = starts_tls(script.leak(), &leaf).await;
        let line = format!(
            "-H 127.0.0.1 -p {port} -n web1.example.test --starttls {name} --ca {}",
            trust.path().display()
        );
        let (code, text) = check("tls", &line).await;
        assert_eq!(code, 0, "{name}: {text}");
    }
}

#[tokio::test]
async fn starttls_refuses_what_was_said_too_early_and_says_when_it_is_not_offered() {
    let injected: &[(&[u8], &[u8])] =
        &[(b"", b"+OK ready\r\n"), (b"STLS\r\n", b"+OK go\r\n+OK injected\r\n")];
    let root = root();
    let port = starts_tls(injected, &leaf("web1.example.test", &root, GOOD)).await;
    let (code, text) = check("tls", &format!("-H 127.0.0.1 -p {port} --starttls pop3")).await;
    assert_eq!((code, text.contains("went on talking before TLS began")), (2, true), "{text}");
    for (kind, words, part) in [
        ("smtp", &b"220 mx\r\n250 mx\r\n"[..], "does not offer STARTTLS"),
        ("smtp", b"554 go away\r\n", "not greeted as by SMTP: 554 go away"),
        ("imap", b"* BYE\r\n", "not greeted as by IMAP"),
        ("postgres", b"N", "the server does not offer TLS"),
        ("ldap", b"\x30\x84\xff\xff\xff\xff", "an LDAP answer of 4294967295 bytes"),
        ("mysql", b"\xff\xff\xff\0", "not greeted as by MySQL"),
        ("ftp", b"", "the server ended the connection before TLS began"),
    ] {
        let (code, text) =
            check("tls", &format!("-H 127.0.0.1 -p {} --starttls {kind}", says(words).await)).await;
        assert_eq!(code, 2, "{text}");
        assert!(text.contains(part), "{kind}: {text}");
    }
}

/// A web server on TLS that speaks whatever ALPN agreed on.
async fn web_server(acceptor: SslAcceptor) -> u16 {
    let acceptor = Arc::new(acceptor);
    peer(move |stream| {
        let acceptor = Arc::clone(&acceptor);
        async move {
            let Some(mut stream) = accept(&acceptor, stream).await else { return };
            if stream.ssl().selected_alpn_protocol() == Some(b"h2") {
                let answer =
                    hyper::service::service_fn(|request: http::Request<hyper::body::Incoming>| async move {
                        let place = request.uri().to_string();
                        Ok::<_, std::convert::Infallible>(http::Response::new(Full::new(Bytes::from(place))))
                    });
                let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                server.serve_connection(TokioIo::new(stream), answer).await.ok();
            } else {
                read_request(&mut stream).await;
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
                stream.shutdown().await.ok();
            }
        }
    })
    .await
}

#[tokio::test]
async fn https_speaks_both_versions_and_judges_the_chain() {
    let root = root();
    let trust = trusted(&[&root]);
    let good = web_server(acceptor(&leaf("web1.example.test", &root, GOOD), &[])).await;
    let line = format!("-H web1.example.test -I 127.0.0.1 -p {good} --tls-ca {}", trust.path().display());
    let (code, text) = check("https", &line).await;
    assert_eq!(code, 0, "{text}");
    assert!(text.starts_with("HTTP OK: HTTP/2 200 OK - ") && text.contains(" time_ssl="), "{text}");
    let (code, text) = check("https", &format!("{line} -s https://web1.example.test:{good}/")).await;
    assert_eq!(code, 0, "{text}");
    let (code, text) = check("https", &format!("{line} --http-version 1.1")).await;
    assert!(code == 0 && text.starts_with("HTTP OK: HTTP/1.1 200 OK - "), "{text}");
    let (code, text) = check("http", &format!("{line} -C 30,14")).await;
    assert_eq!(code, 0, "{text}");
    assert!(text.starts_with("SSL OK - certificate `web1.example.test` expires in 100 days"), "{text}");
    let old = web_server(acceptor(&leaf("web1.example.test", &root, OVER), &[])).await;
    let line = format!("-S -H web1.example.test -I 127.0.0.1 -p {old} --tls-ca {}", trust.path().display());
    let (code, text) = check("http", &line).await;
    assert_eq!(code, 2);
    assert!(text.starts_with("HTTP CRITICAL: HTTP/2 200 OK - "), "{text}");
    assert!(
        text.contains("second response time; certificate `web1.example.test` expired 2 days ago"),
        "{text}"
    );
    let (code, text) = check(
        "https",
        &format!("-H web1.example.test -I 127.0.0.1 -p {}", says_and_waits(b"HTTP/1.0 400 Bad\r\n").await),
    )
    .await;
    assert_eq!((code, text.contains("does not speak TLS here")), (2, true), "{text}");
}

#[tokio::test]
async fn a_tunnel_through_a_proxy_carries_tls() {
    let root = root();
    let trust = trusted(&[&root]);
    let site = web_server(acceptor(&leaf("web1.example.test", &root, GOOD), &[])).await;
    let proxy = peer(move |mut stream| async move {
        let request = read_request(&mut stream).await;
        assert!(request.starts_with("CONNECT web1.example.test:443 HTTP/1.1\r\n"), "{request}");
        stream.write_all(b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n").await.unwrap();
        let mut to = TcpStream::connect(("127.0.0.1", site)).await.unwrap();
        tokio::io::copy_bidirectional(&mut stream, &mut to).await.ok();
    })
    .await;
    let line = format!(
        "https://web1.example.test/ --proxy http://127.0.0.1:{proxy} --tls-ca {}",
        trust.path().display()
    );
    let (code, text) = check("https", &line).await;
    assert_eq!(code, 0, "{text}");
    let deaf = says(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n").await;
    let (code, text) =
        check("https", &format!("https://web1.example.test/ --proxy http://127.0.0.1:{deaf}")).await;
    assert_eq!(
        (code, text.contains("the proxy refused: HTTP/1.1 407 Proxy Authentication Required")),
        (2, true),
        "{text}"
    );
}

#[tokio::test]
async fn tcp_judges_certificates_too() {
    let root = root();
    let trust = trusted(&[&root]);
    let port = server(acceptor(&leaf("web1.example.test", &root, Life(1, 20)), &[])).await;
    let line =
        format!("-H 127.0.0.1 -p {port} -S --tls-name web1.example.test --tls-ca {}", trust.path().display());
    let (code, text) = check("tcp", &line).await;
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("second response time on port") && text.contains("expires in 20 days"), "{text}");
    assert_eq!(check("tcp", &format!("{line} -D 10,5")).await.0, 0);
}
