//! Greetings and answers as real servers send them, and bytes that no server should.

use super::*;
use crate::discovery::finding::Transport;

fn shown(told: Option<Told>) -> String {
    told.map_or("nothing".to_owned(), |told| {
        let denied = if told.is_denied { "denied" } else { "" };
        let parts =
            [Some(told.name.to_owned()), told.product, told.version, told.note, Some(denied.to_owned())];
        parts.into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" | ")
    })
}

const GREETINGS: &[(&[u8], u16, &str)] = &[
    (b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10\r\n", 2222, "ssh | OpenSSH | 9.2p1 | Debian-2+deb12u10"),
    (b"SSH-2.0-dropbear_2022.83\r\n", 22, "ssh | dropbear | 2022.83"),
    (b"220 mail.example.test ESMTP Postfix (Debian/GNU)\r\n", 26, "smtp | Postfix | Debian/GNU"),
    (b"220 mail ESMTP Exim 4.96 Tue, 24 Nov 2026\r\n", 25, "smtp | Exim | 4.96"),
    (b"220 (vsFTPd 3.0.3)\r\n", 21, "ftp | vsFTPd | 3.0.3"),
    (b"220-Hello\r\n220 ProFTPD 1.3.8 Server ready\r\n", 2121, "ftp | ProFTPD | 1.3.8"),
    (b"220 ready\r\n", 25, "smtp"),
    (b"220 ready\r\n", 21, "ftp"),
    (b"554 no access\r\n", 25, "smtp | denied"),
    (b"+OK Dovecot (Debian) ready.\r\n", 110, "pop3 | Dovecot | Debian"),
    (b"* OK [CAPABILITY IMAP4rev1] Dovecot (Debian) ready.\r\n", 143, "imap | Dovecot | Debian"),
    (b"RFB 003.008\n", 5901, "vnc | protocol 003.008"),
    (b"@RSYNCD: 31.0\n", 873, "rsync | protocol 31.0"),
    (b"\xff\xfd\x18\xff\xfd\x20", 23, "telnet"),
    (b":irc.example.test NOTICE AUTH :*** Looking up\r\n", 6667, "irc"),
    (
        b"J\0\0\0\x0a5.5.5-10.11.14-MariaDB-0+deb12u2\0\x1e\0\0\0abcdefgh\0xxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        33060,
        "mysql | MariaDB | 10.11.14 | 0+deb12u2",
    ),
    (b"\x10\0\0\0\x0a8.0.36\0\x1e\0\0\0abc\0", 3306, "mysql | MySQL | 8.0.36"),
    (
        b"\x45\0\0\0\xff\x6a\x04Host '192.0.2.9' is not allowed to connect to this MariaDB server",
        3306,
        "mysql | MariaDB | answered error 1130 | denied",
    ),
    (b"-DENIED Redis is running in protected mode\r\n", 6379, "redis | Redis | denied"),
    (b"Hello, stranger\r\n", 4000, "nothing"),
    (b"", 22, "nothing"),
];

#[test]
fn servers_that_greet_are_known_by_their_greeting() {
    for (bytes, port, expected) in GREETINGS {
        assert_eq!(shown(greeting(bytes, *port)), *expected, "{}", clean(bytes, 60));
    }
}

const REPLIES: &[(Opening, &[u8], &str)] = &[
    (
        Opening::Http,
        b"HTTP/1.1 403 Forbidden\r\nDate: x\r\nServer: Apache/2.2.3 (CentOS)\r\n\r\n",
        "http | Apache | 2.2.3 | answered 403 (CentOS) | denied",
    ),
    (Opening::Http, b"HTTP/1.0 200 OK\n\nServer: body/1\n", "http | answered 200"),
    (
        Opening::Http,
        b"HTTP/1.1 200 OK\r\nserver: Microsoft-IIS/10.0\r\n\r\n",
        "http | Microsoft-IIS | 10.0 | answered 200",
    ),
    (Opening::Http, b"HTTP/1.1 999 No\r\n\r\n", "nothing"),
    (Opening::Http, b"RTSP/1.0 400 Bad Request\r\n", "rtsp"),
    (Opening::Http, b"SSH-2.0-x_1\r\n", "ssh | x | 1"),
    (Opening::Postgres, b"N", "postgresql | PostgreSQL"),
    (Opening::Postgres, b"E\0\0\0\x30SFATAL\0", "postgresql | PostgreSQL"),
    (Opening::Redis, b"+PONG\r\n", "redis | Redis"),
    (Opening::Redis, b"-NOAUTH Authentication required.\r\n", "redis | Redis | wants a login | denied"),
    (Opening::Ldap, b"0\x0c\x02\x01\x01a\x07\x0a\x01\0\x04\0\x04\0", "ldap"),
    (
        Opening::Ldap,
        b"0\x84\0\0\0\x0c\x02\x01\x01a\x07\x0a\x01\x0d\x04\0\x04\0",
        "ldap | wants TLS first | denied",
    ),
    (Opening::Rdp, b"\x03\0\0\x13\x0e\xd0\0\0\x124\0\x02\0\x08\0\x02\0\0\0", "ms-wbt-server"),
    (
        Opening::MsSql,
        b"\x04\x01\0\x25\0\0\x01\0\0\0\x0b\0\x06\x01\0\x11\0\x01\xff\x0f\0\x08\0\0\0\x02",
        "ms-sql-s | Microsoft SQL Server | 15.0.2048",
    ),
    (Opening::Memcached, b"VERSION 1.6.18\r\n", "memcached | memcached | 1.6.18"),
    (Opening::Amqp, b"\x01\0\0\0\0\x01\xff\0\x0a\0\x0a\0\x09 product RabbitMQ", "amqp | RabbitMQ"),
    (Opening::MongoDb, b"....maxWireVersion....", "mongodb | MongoDB"),
];

#[test]
fn servers_that_are_spoken_to_are_known_by_their_answer() {
    for (opening, bytes, expected) in REPLIES {
        assert_eq!(shown(reply(*opening, bytes, 4000)), *expected, "{opening:?} {}", clean(bytes, 60));
    }
}

#[test]
fn name_and_time_servers_are_known_by_their_answer() {
    let mut answer = Opening::Dns.bytes()[2..].to_vec();
    answer[2] = 0x84;
    assert_eq!(shown(dns(&answer)), "domain");
    answer[7] = 1;
    answer.extend(b"\xc0\x0c\0\x10\0\x03\0\0\0\0\0\x0d\x0cdnsmasq-2.90");
    assert_eq!(shown(dns(&answer)), "domain | dnsmasq | 2.90");
    assert_eq!(shown(dns(&Opening::Dns.bytes()[2..])), "nothing");
    let mut packet = [0; 48];
    (packet[0], packet[1]) = (0x24, 3);
    assert_eq!(shown(ntp(&packet)), "ntp | stratum 3");
    assert_eq!(shown(ntp(&packet[..47])), "nothing");
}

#[test]
fn no_opening_says_how_long_it_is_and_lies() {
    let length = |bytes: &[u8]| bytes.first().map(|first| usize::from(*first));
    assert_eq!(length(Opening::MongoDb.bytes()), Some(Opening::MongoDb.bytes().len()));
    assert_eq!(usize::from(Opening::Dns.bytes()[1]), Opening::Dns.bytes().len() - 2);
    assert_eq!(usize::from(Opening::Rdp.bytes()[3]), Opening::Rdp.bytes().len());
    assert_eq!(usize::from(Opening::MsSql.bytes()[3]), Opening::MsSql.bytes().len());
    assert_eq!(usize::from(Opening::Ldap.bytes()[1]), Opening::Ldap.bytes().len() - 2);
    assert!(is_printer(9100) && by_port(9100, Transport::Tcp) == "jetdirect");
}

#[test]
fn control_characters_and_markup_stay_text_on_one_line() {
    let told = greeting(b"SSH-2.0-Evil_1\x1b[2J<script>\x00\xe2\x80\xa8 # : {x}\r\n", 22).unwrap();
    for text in [told.product, told.version, told.note].into_iter().flatten() {
        assert!(text.chars().all(|c| c.is_ascii_graphic() || c == ' '), "{text:?}");
    }
}

#[test]
fn whatever_comes_is_survived_and_stays_short() {
    let greetings = GREETINGS.iter().map(|(bytes, _, _)| bytes.to_vec());
    let corpus: Vec<Vec<u8>> = greetings.chain(REPLIES.iter().map(|(_, bytes, _)| bytes.to_vec())).collect();
    let turn = std::cell::Cell::new(0_usize);
    crate::fixture::damage::survives("banners", &corpus, |bytes| {
        turn.set(turn.get() + 1);
        let (opening, _, _) = REPLIES[turn.get() % REPLIES.len()];
        let (_, port, _) = GREETINGS[turn.get() % GREETINGS.len()];
        let told = [reply(opening, bytes, port), greeting(bytes, port), dns(bytes), ntp(bytes)];
        for told in told.into_iter().flatten() {
            let pieces = [told.product, told.version, told.note];
            let is_short = |piece: &String| piece.len() <= 80 && !piece.contains(char::is_control);
            assert!(pieces.iter().flatten().all(is_short), "{pieces:?}");
        }
    });
}
