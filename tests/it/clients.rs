//! Clients that hold connections and give nothing for it, against the real program: others are served all the same. The same
//! over TLS is in `https`, what is waited out in `web::serve`.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::support::daemon::TestDaemon;

const SITE: &str = "hosts: {web1: {address: 127.0.0.1, check: off, services: {page: {passive: {}}}}}\n";

/// More than one client may hold.
const MANY: usize = 600;

/// A connection from another address of this machine: the usual one is a proxy's, which comes for everybody.
async fn from_elsewhere(to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind("127.0.0.9:0".parse().expect("an address")).expect("bound");
    socket.connect(to).await.expect("the kernel takes it")
}

#[tokio::test]
async fn one_client_cannot_take_the_places_of_all_others() {
    let daemon = TestDaemon::start(&[("vigia.yaml", SITE)]).await;
    let mut held = Vec::new();
    for _ in 0..MANY {
        held.push(from_elsewhere(daemon.address()).await);
    }
    let line = daemon.logged("web.crowd").await;
    assert!(line.contains("client=127.0.0.9"), "{line}");
    // The last are closed without a word, the first are there.
    let mut last = held.pop().expect("many");
    assert_eq!(last.read(&mut [0; 16]).await.unwrap_or(0), 0);
    let first = held.first_mut().expect("many");
    first.write_all(b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n").await.expect("sent");
    let mut answer = String::new();
    first.read_to_string(&mut answer).await.expect("answered");
    assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
    assert_eq!(daemon.text("/hosts").await.0, 200, "and others are not concerned");
    drop(held);
    // Places that are given back can be had again.
    loop {
        let mut again = from_elsewhere(daemon.address()).await;
        again.write_all(b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n").await.ok();
        let mut answer = String::new();
        again.read_to_string(&mut answer).await.ok();
        if answer.starts_with("HTTP/1.0 200") {
            break;
        }
    }
    assert_eq!(daemon.log().matches("web.crowd").count(), 1, "said once");
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn clients_that_never_end_what_they_say_or_never_read_hold_up_nobody_and_not_the_end() {
    let daemon = TestDaemon::start(&[("vigia.yaml", SITE)]).await;
    let mut held = Vec::new();
    for kind in 0..90 {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(2048).expect("set");
        let mut stream = socket.connect(daemon.address()).await.expect("it listens");
        let said: &[u8] = match kind % 3 {
            // Half a head; a head that promises more than comes.
            0 => b"GET / HTTP/1.1\r\nHost: localhost\r\nX-More: ",
            1 => {
                b"POST /api/v1/result HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n{\"host\""
            }
            // Many questions, and no ear for the answers.
            _ => &b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(200),
        };
        stream.write_all(said).await.expect("sent");
        held.push(stream);
    }
    for _ in 0..5 {
        assert_eq!(daemon.text("/hosts").await.0, 200);
    }
    assert!(daemon.stop().await.success());
}
