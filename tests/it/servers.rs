//! The suite's own real servers start and answer: when one of these fails, no other failure means anything.

use std::io::Read;
use std::net::TcpStream;

use crate::support::browser::Browser;
use crate::support::servers::{dns::Dns, mariadb::Mariadb, nginx::Nginx, smtp::Smtp, sshd::Sshd};

fn first_bytes(port: u16) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    let mut bytes = [0; 64];
    let count = stream.read(&mut bytes).expect("it speaks first");
    String::from_utf8_lossy(&bytes[..count]).into_owned()
}

#[test]
fn sshd_shows_its_banner_and_comes_back_on_the_same_port() {
    let mut sshd = Sshd::start();
    assert!(first_bytes(sshd.port()).starts_with("SSH-2.0-OpenSSH_"));
    sshd.stop();
    assert!(TcpStream::connect(("127.0.0.1", sshd.port())).is_err());
    sshd.start_again();
    assert!(first_bytes(sshd.port()).starts_with("SSH-2.0-OpenSSH_"));
}

#[test]
fn mariadb_greets() {
    let mariadb = Mariadb::start();
    assert!(first_bytes(mariadb.port()).contains("MariaDB"));
}

#[test]
fn the_mail_server_greets() {
    let smtp = Smtp::start();
    assert!(first_bytes(smtp.port()).starts_with("220 "));
}

#[test]
fn nginx_and_the_name_server_listen() {
    let (nginx, dns) = (Nginx::start(), Dns::start());
    for port in [nginx.port(), nginx.tls_port(), dns.port()] {
        TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    }
}

#[tokio::test]
async fn the_browser_shows_a_page() {
    let browser = Browser::open(800, 600).await;
    browser.goto("data:text/html,<h1>lookout</h1>").await;
    assert_eq!(browser.texts("h1").await, ["lookout"]);
    browser.close().await;
}
