//! `tcp` and `udp` against peers that misbehave.

use tokio::io::AsyncWriteExt as _;
use tokio::net::UdpSocket;

use super::peers::{closed_port, peer, read_all, resets, says, says_and_waits};
use super::{assert_harmless, check};

#[tokio::test]
async fn an_open_port_reads_as_nagios_admins_know_it() {
    let port = says_and_waits(b"").await;
    let (code, text) = check("tcp", &format!("-H 127.0.0.1 -p {port} -w 0.8 -c 3")).await;
    assert_eq!(code, 0, "{text}");
    let seconds = text.strip_prefix("TCP OK - ").unwrap();
    let (seconds, rest) = seconds.split_once(" second response time on port ").unwrap();
    assert!(seconds.parse::<f64>().is_ok() && seconds.split_once('.').unwrap().1.len() == 3, "{text}");
    let (shown, perfdata) = rest.split_once("|time=").unwrap();
    assert_eq!(shown, port.to_string());
    assert!(perfdata.ends_with("s;0.800000;3.000000;0.000000;10.000000"), "{text}");
}

#[tokio::test]
async fn a_refused_connection_is_critical_unless_said_otherwise() {
    let port = closed_port().await;
    let (code, text) = check("tcp", &format!("-H 127.0.0.1 -p {port}")).await;
    let wanted = format!("TCP CRITICAL - connect to address 127.0.0.1 and port {port}: Connection refused");
    assert_eq!((code, text), (2, wanted));
    assert_eq!(check("tcp", &format!("-H 127.0.0.1 -p {port} -r ok")).await.0, 0);
    assert_eq!(check("tcp", &format!("-H 127.0.0.1 -p {port} -r warn")).await.0, 1);
}

#[tokio::test]
async fn silence_is_critical_and_says_how_far_it_came() {
    let port = says_and_waits(b"").await;
    let (code, text) = check("tcp", &format!("-H 127.0.0.1 -p {port} -e 220 -t 0.3")).await;
    assert_eq!((code, text.as_str()), (2, "TCP CRITICAL - connected, but no answer came within 0.3 s"));
}

#[tokio::test]
async fn half_a_banner_is_another_answer() {
    let port = says_and_waits(b"22").await;
    let (code, text) = check("tcp", &format!("-H 127.0.0.1 -p {port} -e 220 -t 0.3")).await;
    let wanted = format!("TCP WARNING - Unexpected response from host/socket on port {port} [22]|time=");
    assert_eq!(code, 1);
    assert!(text.starts_with(&wanted), "{text}");
}

#[tokio::test]
async fn an_expected_banner_is_shown_as_harmless_text() {
    let port = says(b"220 \xff\xfe\x1b[2J|mail\0\r\n").await;
    let (code, text) = check("tcp", &format!("-H 127.0.0.1 -p {port} -e 220 -q QUIT")).await;
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("[220 \u{fffd}\u{fffd} [2J/mail ]|time="), "{text}");
    assert_harmless(&text);
    assert_eq!(check("tcp", &format!("-H 127.0.0.1 -p {port} -e 554")).await.0, 1);
    assert_eq!(check("tcp", &format!("-H 127.0.0.1 -p {port} -e 554 -M crit")).await.0, 2);
    assert_eq!(check("tcp", &format!("-H 127.0.0.1 -p {port} -e 554 -e mail")).await.0, 0);
    assert_eq!(check("tcp", &format!("-H 127.0.0.1 -p {port} -e 554 -e mail -A")).await.0, 1);
    assert!(!check("tcp", &format!("-H 127.0.0.1 -p {port} -e 220 -j")).await.1.contains("mail"));
}

#[tokio::test]
async fn a_reset_is_critical() {
    let port = resets().await;
    let (code, text) = check("tcp", &format!("-H 127.0.0.1 -p {port} -s x -e 220")).await;
    assert_eq!((code, text.as_str()), (2, "TCP CRITICAL - reading the answer: Connection reset by peer"));
}

#[tokio::test]
async fn an_endless_answer_is_read_up_to_its_bound() {
    let port = peer(|mut stream| async move { while stream.write_all(&[b'x'; 4096]).await.is_ok() {} }).await;
    let (code, text) = check("tcp", &format!("-H 127.0.0.1 -p {port} -e 220")).await;
    assert_eq!(code, 1, "{text}");
    assert_harmless(&text);
}

#[tokio::test]
async fn the_connection_ends_with_a_fin_though_a_banner_was_left_unread() {
    let (ended, mut how) = tokio::sync::mpsc::channel(1);
    let port = peer(move |mut stream| {
        let ended = ended.clone();
        async move {
            stream.write_all(b"SSH-2.0-test\r\n").await.unwrap();
            ended.send(read_all(&mut stream).await).await.unwrap();
        }
    })
    .await;
    assert_eq!(check("tcp", &format!("-H 127.0.0.1 -p {port}")).await.0, 0);
    assert_eq!(how.recv().await, Some(true));
}

#[tokio::test]
async fn escapes_are_read_only_when_asked_for() {
    for (flag, wanted) in [("-E", &b"a\tb\n"[..]), ("", &b"a\\tb\\n"[..])] {
        let port = peer(move |mut stream| async move {
            let mut got = vec![0; wanted.len()];
            tokio::io::AsyncReadExt::read_exact(&mut stream, &mut got).await.unwrap();
            stream.write_all(if got == wanted { b"same" } else { b"other" }).await.unwrap();
        })
        .await;
        let (code, text) = check("tcp", &format!("-H 127.0.0.1 -p {port} {flag} -s a\\tb\\n -e same")).await;
        assert_eq!(code, 0, "{text}");
    }
}

#[tokio::test]
async fn the_wrong_family_is_said_and_not_quietly_replaced() {
    let (code, text) = check("tcp", "-H 127.0.0.1 -p 80 -6").await;
    assert_eq!((code, text.as_str()), (2, "TCP CRITICAL - `127.0.0.1` has no IPv6 address, only 127.0.0.1"));
}

#[tokio::test]
async fn thresholds_on_time_decide() {
    let port = says_and_waits(b"").await;
    assert_eq!(check("tcp", &format!("-H 127.0.0.1 -p {port} -w 0")).await.0, 1);
    assert_eq!(check("tcp", &format!("-H 127.0.0.1 -p {port} -c 0")).await.0, 2);
    // Inside of it is what is wanted here: faster than ten seconds alerts.
    assert_eq!(check("tcp", &format!("-H 127.0.0.1 -p {port} -w 10:20")).await.0, 1);
}

#[tokio::test]
async fn udp_answers_are_compared_and_closed_ports_refuse() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = socket.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut packet = [0; 100];
        while let Ok((count, from)) = socket.recv_from(&mut packet).await {
            let answer = [b"echo ", packet.get(..count).unwrap_or_default()].concat();
            socket.send_to(&answer, from).await.unwrap();
        }
    });
    let (code, text) = check("udp", &format!("-H 127.0.0.1 -p {port} -s hello -e 'echo hello'")).await;
    assert_eq!(code, 0, "{text}");
    assert!(text.contains(&format!("second response time on port {port} [echo hello]|time=")), "{text}");
    assert_eq!(check("udp", &format!("-H 127.0.0.1 -p {port} -s hello -e other")).await.0, 1);
    let closed = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let (code, text) = check("udp", &format!("-H 127.0.0.1 -p {closed} -s x -e x")).await;
    assert_eq!(code, 2);
    assert!(text.ends_with("Connection refused"), "{text}");
}

#[tokio::test]
async fn another_answer_is_said_in_time_however_long_the_peer_stays() {
    use crate::trial::{look_briefly, text};

    let port = crate::trial::peer(async |mut stream| {
        // Never ends, never listens, and does not say what is wanted.
        while tokio::io::AsyncWriteExt::write_all(&mut stream, b"22").await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let quit = text("Q".repeat(8_000_000));
    let options = [("port", text(port)), ("expect", text("220")), ("quit", quit)];
    let outcome = look_briefly(&crate::tcp::KIND, &options).await;
    let said = &*outcome.output.text;
    assert!(said.starts_with("TCP WARNING - Unexpected response from host/socket on port "), "{said}");
}
