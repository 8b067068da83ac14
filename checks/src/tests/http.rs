//! `http` against servers that misbehave, and with what check_http's users know.

use std::io::Write as _;

use tokio::io::AsyncWriteExt as _;

use super::peers::{
    answers, closed_port, peer, read_all, read_request, repeats, resets, says_and_waits, site,
};
use super::{assert_harmless, check};

const HELLO: &str = "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world";

async fn http(port: u16, more: &str) -> (u8, String) {
    let (code, text) = check("http", &format!("-I 127.0.0.1 -p {port} {more}")).await;
    assert_harmless(&text);
    (code, text)
}

#[tokio::test]
async fn answers_read_as_check_http_words_them() {
    for (status, code, word) in [
        ("200 OK", 0, "OK"),
        ("301 Moved Permanently", 0, "OK"),
        ("403 Forbidden", 1, "WARNING"),
        ("503 Service Unavailable", 2, "CRITICAL"),
        ("404 Nothing here", 1, "WARNING"),
    ] {
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 5\r\n\r\nhello");
        let size = answer.len();
        let port = answers(answer).await;
        let (got, text) = http(port, "").await;
        assert_eq!(got, code, "{text}");
        assert!(text.starts_with(&format!("HTTP {word}: HTTP/1.1 {status} - {size} bytes in 0.")), "{text}");
        let (_, perfdata) = text.split_once(" second response time|time=").unwrap();
        assert!(
            perfdata.contains(&format!("s;;;0.000000;10.000000 size={size}B;;;0 time_connect=")),
            "{text}"
        );
    }
}

#[tokio::test]
async fn expected_statuses_replace_the_rules() {
    let port = answers("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n").await;
    for (expect, code) in [("403", 0), ("200,4xx", 0), ("'HTTP/1.1 403'", 0), ("200", 2), ("2xx", 2)] {
        assert_eq!(http(port, &format!("-e {expect}")).await.0, code, "{expect}");
    }
    let text = http(port, "-e 200").await.1;
    let wanted = format!(
        "HTTP CRITICAL - Invalid HTTP response received from host on port {port}: HTTP/1.1 403 Forbidden - "
    );
    assert!(text.starts_with(&wanted), "{text}");
}

#[tokio::test]
async fn content_is_searched_across_chunks() {
    let chunked =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nhello \r\n5\r\nworld\r\n0\r\n\r\n";
    let port = answers(chunked).await;
    assert_eq!(http(port, "-s 'hello world'").await.0, 0);
    assert_eq!(http(port, "-r 'h.*w'").await.0, 0);
    assert_eq!(http(port, "-R 'HELLO WORLD$'").await.0, 0);
    let (code, text) = http(port, "-s absent").await;
    assert_eq!(code, 2);
    assert!(
        text.contains(&format!(
            "HTTP/1.1 200 OK - string 'absent' not found on 'http://127.0.0.1:{port}/' - "
        )),
        "{text}"
    );
    assert!(http(port, "-r absent").await.1.contains(" - pattern not found - "));
    assert!(http(port, "--not-regex world").await.1.contains(" - pattern found - "));
    assert_eq!(http(port, "-r world --invert-regex").await.0, 2);
    let lines = answers("HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello\nworld").await;
    assert_eq!(http(lines, "-r hello.world").await.0, 2);
    assert_eq!(http(lines, "-r hello.world -l").await.0, 0);
    assert!(http(port, "-m 100").await.1.contains("HTTP WARNING: HTTP/1.1 200 OK - page size 58 too small"));
    assert!(http(port, "-m 1:5").await.1.contains(" too large - "));
}

#[tokio::test]
async fn what_is_sent_is_what_was_asked_for() {
    let (port, seen) = site(|_| HELLO.to_owned()).await;
    let line = "-H shop.example.test -u '/a b?c=d' -a ana:secret -k 'X-Probe: 1' -k 'Accept: text/html' -A probe/1 -j HEAD";
    assert_eq!(http(port, line).await.0, 0);
    let request = seen.lock().unwrap().join("");
    assert!(request.starts_with("HEAD /a%20b?c=d HTTP/1.1\r\n"), "{request}");
    let host = format!("Host: shop.example.test:{port}\r\n");
    for header in [
        host.as_str(),
        "Authorization: Basic YW5hOnNlY3JldA==",
        "X-Probe: 1",
        "Accept: text/html",
        "User-Agent: probe/1",
        "Connection: close",
    ] {
        assert!(request.contains(header), "{header} in {request}");
    }
}

#[tokio::test]
async fn something_to_send_makes_it_a_post() {
    let (ended, mut got) = tokio::sync::mpsc::channel(1);
    let port = peer(move |mut stream| {
        let ended = ended.clone();
        async move {
            let request = read_request(&mut stream).await;
            let mut body = [0; 3];
            tokio::io::AsyncReadExt::read_exact(&mut stream, &mut body).await.unwrap();
            ended.send((request, body)).await.unwrap();
            stream.write_all(HELLO.as_bytes()).await.unwrap();
        }
    })
    .await;
    assert_eq!(http(port, "-P a=b").await.0, 0);
    let (request, body) = got.recv().await.unwrap();
    assert!(
        request.starts_with("POST / HTTP/1.1\r\n")
            && request.contains("Content-Type: application/x-www-form-urlencoded"),
        "{request}"
    );
    assert_eq!(&body, b"a=b");
}

#[tokio::test]
async fn servers_that_break_http_are_critical() {
    let cut = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello".to_vec();
    let chunks = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZZ\r\nhello".to_vec();
    for (what, answer, part) in [
        ("nothing", Vec::new(), "No data received from host"),
        ("half a status line", b"HTTP/1.1 20".to_vec(), "No data received from host"),
        ("another protocol", b"SSH-2.0-OpenSSH_9.2p1\r\n".to_vec(), "Invalid HTTP response received"),
        ("binary", vec![0xff; 300], "Invalid HTTP response received"),
        ("a cut body", cut, " - it ended the connection before the answer was complete - "),
        ("bad chunks", chunks, "CRITICAL"),
    ] {
        let port = answers(answer).await;
        let (code, text) = http(port, "").await;
        assert_eq!(code, 2, "{what}: {text}");
        assert!(text.contains(part), "{what}: {text}");
    }
    let (code, text) = http(resets().await, "").await;
    assert_eq!((code, text.contains("Connection reset by peer")), (2, true), "{text}");
    let (code, text) = http(closed_port().await, "").await;
    assert_eq!((code, text.ends_with("Connection refused")), (2, true), "{text}");
}

#[tokio::test]
async fn endless_answers_are_bounded() {
    let port = repeats(b"HTTP/1.1 200 OK\r\n", b"X-Endless: abcdefghijklmnopqrstuvwxyz\r\n").await;
    let (code, text) = http(port, "").await;
    assert_eq!(code, 2, "{text}");
    let port = repeats(b"HTTP/1.1 200 OK\r\nX-Long: ", b"abcdefghijklmnopqrstuvwxyz").await;
    let (code, text) = http(port, "").await;
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("the header of the answer is larger than"), "{text}");
    let port = repeats(b"HTTP/1.1 200 OK\r\n\r\n", b"abcdefghijklmnopqrstuvwxyz").await;
    let (code, text) = http(port, "").await;
    assert_eq!(code, 0, "{text}");
    let (code, text) = http(port, "-s absent").await;
    assert_eq!(code, 2);
    assert!(text.contains("not found in the first 1048576 bytes"), "{text}");
}

#[tokio::test]
async fn silence_and_slow_bodies_end_at_the_deadline() {
    let (code, text) = http(says_and_waits(b"").await, "-t 0.3").await;
    assert_eq!((code, text.as_str()), (2, "HTTP CRITICAL - connected, but no answer came within 0.3 s"));
    let port = says_and_waits(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello").await;
    let (code, text) = http(port, "-t 0.3").await;
    assert_eq!((code, text.as_str()), (2, "HTTP CRITICAL - the answer began but did not end within 0.3 s"));
    let slow = peer(|mut stream| async move {
        read_request(&mut stream).await;
        let mut drip = tokio::time::interval(std::time::Duration::from_millis(20));
        for byte in HELLO.bytes().cycle() {
            drip.tick().await;
            if stream.write_all(&[byte]).await.is_err() {
                break;
            }
        }
    })
    .await;
    assert_eq!(http(slow, "-t 0.3").await.0, 2);
}

#[tokio::test]
async fn compressed_bodies_are_searched_and_bombs_cut() {
    let gzip = |bytes: &[u8]| {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        packed.write_all(bytes).unwrap();
        let packed = packed.finish().unwrap();
        [
            format!("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n", packed.len())
                .into_bytes(),
            packed,
        ]
        .concat()
    };
    assert_eq!(http(answers(gzip(b"hello world")).await, "-s 'hello world'").await.0, 0);
    let (code, text) = http(answers(gzip(&vec![b'x'; 50 << 20])).await, "-s absent").await;
    assert_eq!(code, 2);
    assert!(text.contains("not found in the first 4194304 bytes"), "{text}");
    let broken = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello";
    assert!(http(answers(broken).await, "-s hello").await.1.contains("the gzip encoding is broken"));
}

#[tokio::test]
async fn invalid_text_in_head_and_body_is_harmless() {
    let port =
        answers(&b"HTTP/1.1 200 \xff\xfeodd\r\nX-Odd: \xff\r\nContent-Length: 3\r\n\r\n\xff\x00x"[..]).await;
    let (code, text) = http(port, "-r x").await;
    assert_eq!(code, 0, "{text}");
}

fn pages(path: &str) -> String {
    let to = |place: &str| format!("HTTP/1.1 302 Found\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n");
    match path {
        "/a/start" => to("../b?x=1"),
        "/b?x=1" => to("/end"),
        "/loop" => to("/pool"),
        "/pool" => to("/loop"),
        "/self" => to("/self"),
        "/file" => to("file:///etc/passwd"),
        "/odd" => to("http://a b/"),
        "/away" => to("http://localhost:9/"),
        _ => HELLO.to_owned(),
    }
}

#[tokio::test]
async fn redirects_are_followed_on_the_same_port_with_a_trace() {
    let (port, seen) = site(pages).await;
    let (code, text) = http(port, "-u /a/start -f follow -s hello").await;
    assert_eq!(code, 0, "{text}");
    let site = format!("http://127.0.0.1:{port}");
    assert!(
        text.contains(&format!("\n302 {site}/a/start -> {site}/b?x=1\n302 {site}/b?x=1 -> {site}/end")),
        "{text}"
    );
    assert_eq!(seen.lock().unwrap().len(), 3);
    assert_eq!(http(port, "-u /a/start").await.0, 0);
    assert_eq!(http(port, "-u /a/start -f warning").await.0, 1);
    assert_eq!(http(port, "-u /a/start -f critical").await.0, 2);
}

#[tokio::test]
async fn redirects_that_never_arrive_are_critical() {
    let (port, _) = site(pages).await;
    for (path, part) in [
        ("/loop", "maximum redirection depth 10 exceeded"),
        ("/self", "redirection creates an infinite loop"),
        ("/file", "`file` is neither http nor https"),
        ("/odd", "the redirect leads nowhere"),
        ("/away", "Connection refused"),
    ] {
        let (code, text) = http(port, &format!("-u {path} -f follow")).await;
        assert_eq!(code, 2, "{text}");
        assert!(text.contains(part), "{path}: {text}");
    }
}

#[tokio::test]
async fn passwords_do_not_follow_a_redirect_to_another_site() {
    let (other, seen) = site(|_| HELLO.to_owned()).await;
    let port = answers(format!(
        "HTTP/1.1 302 Found\r\nLocation: http://localhost:{other}/\r\nContent-Length: 0\r\n\r\n"
    ))
    .await;
    assert_eq!(http(port, "-f follow -a ana:secret -4").await.0, 0);
    let requests = seen.lock().unwrap().join("");
    assert!(!requests.is_empty() && !requests.contains("Authorization"), "{requests}");
}

#[tokio::test]
async fn a_proxy_is_asked_with_the_whole_url() {
    let (proxy, seen) = site(|_| HELLO.to_owned()).await;
    let (code, text) =
        check("http", &format!("http://shop.example.test/x --proxy http://ana:secret@127.0.0.1:{proxy}"))
            .await;
    assert_eq!(code, 0, "{text}");
    let request = seen.lock().unwrap().join("");
    assert!(request.starts_with("GET http://shop.example.test/x HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("Proxy-Authorization: Basic YW5hOnNlY3JldA=="), "{request}");
}

#[tokio::test]
async fn old_documents_are_noticed_by_the_servers_own_clock() {
    let dated = "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:59:37 GMT\r\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 0\r\n\r\n";
    let port = answers(dated).await;
    assert_eq!(http(port, "-M 1000").await.0, 0);
    let (code, text) = http(port, "-M 5m").await;
    assert_eq!((code, text.contains("Document modified 600 seconds ago")), (2, true), "{text}");
}

#[tokio::test]
async fn ipv6_literals_are_bracketed_where_they_must_be() {
    let Ok(listener) = tokio::net::TcpListener::bind("[::1]:0").await else {
        return;
    };
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let request = read_request(&mut stream).await;
        stream.write_all(HELLO.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        read_all(&mut stream).await;
        request
    });
    let (code, text) = check("http", &format!("http://[::1]:{port}/")).await;
    assert_eq!(code, 0, "{text}");
    assert!(server.await.unwrap().contains(&format!("Host: [::1]:{port}\r\n")));
}

#[tokio::test]
async fn wrong_options_are_usage_and_name_their_flag() {
    for (line, part) in [
        ("-H web1 -u 'http://web1:x/'", "-u: `x` is no port"),
        ("-H web1 -e 99", "-e: `99` is no HTTP status"),
        ("-H web1 -r '('", "-r: `regex` is no regular expression"),
        ("-H web1 -f sideways", "-f: `sideways`"),
        ("-H web1 -j connect", "-j: `connect`"),
        ("-H web1 -S9", "-S: `9` is no version of TLS"),
        ("-H web1 -k 'a b: c'", "-k: `a b` is no name of a header"),
    ] {
        let (code, text) = check("http", line).await;
        assert_eq!(code, 3, "{text}");
        assert!(text.contains(part), "{line}: {text}");
    }
}

#[tokio::test]
async fn whoever_shows_the_wrong_certificate_gets_no_password() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use vigia_core::model::state::State;

    use crate::trial::{look, map, text};

    let root = super::made_certificates::root();
    let trust = super::made_certificates::trusted(&[&root]);
    for (name, state, is_told) in
        [("127.0.0.1", State::Critical, false), ("web1.example.test", State::Ok, true)]
    {
        let leaf = super::made_certificates::leaf("web1.example.test", &root, super::made_certificates::GOOD);
        let acceptor = super::made_certificates::acceptor(&leaf, &[]);
        let (tell, heard) = tokio::sync::oneshot::channel();
        let port = crate::trial::peer(async move |stream| {
            let ssl = openssl::ssl::Ssl::new(acceptor.context()).unwrap();
            let mut stream = tokio_openssl::SslStream::new(ssl, stream).unwrap();
            std::pin::Pin::new(&mut stream).accept().await.unwrap();
            let mut request = vec![0; 4096];
            let count = stream.read(&mut request).await.unwrap_or(0);
            request.truncate(count);
            let _gone = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.is_ok();
            tell.send(String::from_utf8_lossy(&request).into_owned()).unwrap();
        })
        .await;
        let tls = map(&[("ca", text(trust.path().display())), ("name", text(name))]);
        let (user, password) = (text("bob"), text("secret"));
        let options = [
            ("port", text(port)),
            ("version", text("1.1")),
            ("user", user),
            ("password", password),
            ("tls", tls),
        ];
        let outcome = look(&crate::http::HTTPS, &options).await;
        let said = &*outcome.output.text;
        assert_eq!(outcome.state, state, "{said}");
        assert_eq!(heard.await.unwrap().to_ascii_lowercase().contains("authorization:"), is_told, "{said}");
    }
}
