//! What servers say, damaged: every kind that connects holds its conversation with a server in memory ([`Script`]) whose
//! replies are cut, altered, repeated, blown up, said byte by byte, or broken off. Whatever comes, a check ends, does not
//! panic, and says what can be shown. Kinds over UDP and what MySQL says first have the like beside their readers.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use vigia_core::model::check::BuiltInCheck;

use super::damage::{damaged, number, seed};
use super::script::{Fit, Script};
use crate::options::Value;
use crate::trial::{decoded, list, map, shared, text};
use crate::{Target, ber, run};

/// A kind with options, and what a server says to it, reply by reply, in one or several conversations.
struct Talk {
    kind: &'static str,
    options: Vec<(&'static str, Value)>,
    conversations: Vec<Vec<Vec<u8>>>,
    fit: Fit,
}

fn plain(_: &[u8], _: &mut Vec<u8>) {}

fn said(replies: &[&[u8]]) -> Vec<Vec<u8>> {
    replies.iter().map(|reply| reply.to_vec()).collect()
}

fn talk(kind: &'static str, options: Vec<(&'static str, Value)>, conversations: &[&[&[u8]]]) -> Talk {
    let conversations = conversations.iter().map(|replies| said(replies)).collect();
    Talk { kind, options, conversations, fit: plain }
}

fn login() -> Vec<(&'static str, Value)> {
    vec![("user", text("ana")), ("password", text("secret"))]
}

fn of_lines() -> Vec<Talk> {
    let smtp = [login(), vec![("from", text("a@b.test")), ("commands", list(&["VRFY x"]))]].concat();
    vec![
        talk(
            "tcp",
            vec![("port", text(1)), ("send", text("x")), ("expect", list(&["220", "hello"]))],
            &[&[b"220 hello there\r\n", b"more\r\n"], &[b"hello"]],
        ),
        talk(
            "ssh",
            vec![("software", text("OpenSSH_9.2p1"))],
            &[
                &[b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"],
                &[b"hello\r\nSSH-1.99-x\r\n", b"\0\0\x01\x1c\x06\x14"],
            ],
        ),
        talk(
            "smtp",
            smtp,
            &[
                &[
                    b"220-mail.example.test\r\n220 ESMTP\r\n",
                    b"250-mail.example.test\r\n250-SIZE 1000\r\n250-AUTH PLAIN LOGIN\r\n250 STARTTLS\r\n",
                    b"235 2.7.0 yes\r\n",
                    b"250 fine\r\n",
                    b"252 perhaps\r\n",
                    b"221 bye\r\n",
                ],
                &[
                    b"220 x\r\n",
                    b"250 AUTH LOGIN\r\n",
                    b"334 VXNlcm5hbWU6\r\n",
                    b"334 UGFzc3dvcmQ6\r\n",
                    b"535 no\r\n",
                    b"221 bye\r\n",
                ],
            ],
        ),
        talk(
            "ftp",
            login(),
            &[&[
                b"220-hi\r\n there\r\n220 (vsFTPd 3.0.3)\r\n",
                b"331 password\r\n",
                b"230 in\r\n",
                b"221 bye\r\n",
            ]],
        ),
        talk("pop3", login(), &[&[b"+OK ready <1@x>\r\n", b"+OK\r\n", b"+OK 2 messages\r\n", b"+OK\r\n"]]),
        talk(
            "imap",
            login(),
            &[&[
                b"* OK [CAPABILITY IMAP4rev1] ready\r\n",
                b"* CAPABILITY IMAP4rev1\r\na1 OK\r\n",
                b"+ go on\r\n",
                b"a2 OK in\r\n",
                b"* BYE\r\na3 OK out\r\n",
            ]],
        ),
        talk(
            "redis",
            vec![
                ("password", text("secret")),
                ("info", map(&[("connected_clients", map(&[("warn", text("50"))]))])),
            ],
            &[
                &[
                    b"+OK\r\n",
                    b"+PONG\r\n",
                    b"$53\r\n# Clients\r\nconnected_clients:7\r\nredis_version:7.0.1\r\n\r\n",
                    b"+OK\r\n",
                ],
                &[b"-NOAUTH Authentication required.\r\n"],
            ],
        ),
    ]
}

fn of_pages() -> Vec<Talk> {
    let pages: &[&[&[u8]]] = &[
        &[b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 12\r\nLast-Modified: Tue, 24 Nov 2026 10:00:00 GMT\r\n\r\nhello, world"],
        &[b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-More: 1\r\n\r\n"],
        &[b"HTTP/1.0 301 Moved\r\nLocation: /elsewhere\r\n\r\n", b"HTTP/1.0 404 Not Found\r\n\r\nno"],
        &[b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 25\r\n\r\n\x1f\x8b\x08\0\0\0\0\0\0\x03\xcbH\xcd\xc9\xc9\x07\0\x86\xa6\x106\x05\0\0\0"],
        &[b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n"],
    ];
    vec![talk("http", vec![("contains", list(&["hello"])), ("redirects", text("ok"))], pages)]
}

/// LDAP, PostgreSQL, NRPE, DNS.
fn of_bytes() -> Vec<Talk> {
    let result = |tag| {
        ber::joined(tag, &[ber::integer(ber::ENUMERATED, 0), ber::element(4, b""), ber::element(4, b"ok")])
    };
    let message =
        |number, content| ber::joined(ber::SEQUENCE, &[ber::integer(ber::INTEGER, number), content]);
    let entry = ber::joined(0x64, &[ber::element(4, b"cn=x"), ber::joined(ber::SEQUENCE, &[])]);
    let ldap = vec![
        message(2, result(0x61)),
        [message(3, entry.clone()), message(3, entry), message(3, result(0x65))].concat(),
    ];
    let packet = |kind: u8, content: &[u8]| {
        [&[kind][..], &u32::try_from(content.len() + 4).unwrap().to_be_bytes(), content].concat()
    };
    let welcome =
        [packet(b'R', &[0; 4]), packet(b'S', b"server_version\x0015\0"), packet(b'Z', b"I")].concat();
    let rows = [
        packet(b'T', b"\0\x01n\0\0\0\0\0\0\0\0\0\0\x17\0\x04\xff\xff\xff\xff\0\0"),
        packet(b'D', &[&[0, 1][..], &[0, 0, 0, 1], b"5"].concat()),
        packet(b'C', b"SELECT 1\0"),
        packet(b'Z', b"I"),
    ];
    let salted = vec![packet(b'R', &[0, 0, 0, 5, 1, 2, 3, 4]), welcome.clone(), rows.concat()];
    let sasl = vec![
        packet(b'R', b"\0\0\0\x0aSCRAM-SHA-256\0\0"),
        packet(b'R', b"\0\0\0\x0br=fyko+d2lbbFgONRv9qkxdawL,s=QSXCR+Q6sek8bf92,i=4096"),
        packet(b'R', b"\0\0\0\x0cv=rmF9pqV8S7suAoZWja4dJRkFsKQ="),
        welcome.clone(),
    ];
    let postgres = [login(), vec![("query", text("SELECT 1")), ("warn", text("10"))]].concat();
    let nrpe = |version: u16, said: &[u8]| {
        let mut packet = [&version.to_be_bytes()[..], &[0, 2, 0, 0, 0, 0, 0, 0]].concat();
        if version > 2 {
            packet.extend([0, 0]);
            packet.extend(u32::try_from(said.len() + 4).unwrap().to_be_bytes());
        }
        packet.extend(said);
        packet.resize(if version > 2 { packet.len() + 4 } else { 1036 }, 0);
        packet
    };
    let dns = [
        &[0, 48, 0, 0, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0][..],
        b"\x01h\x07example\x04test\0\0\x01\0\x01",
        b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\xc0\0\x02\x01",
    ];
    vec![
        Talk { kind: "ldap", options: vec![("entries", text("1:"))], conversations: vec![ldap], fit: plain },
        Talk {
            kind: "postgres",
            options: postgres,
            conversations: vec![vec![welcome, rows.concat()], salted, sasl],
            fit: plain,
        },
        Talk {
            kind: "nrpe",
            options: vec![("command", text("check_load")), ("tls", text("off"))],
            conversations: vec![vec![nrpe(4, b"fine | a=1")], vec![nrpe(3, b"x")], vec![nrpe(2, b"old")]],
            fit: |_, reply| crate::nrpe::with_its_sum(reply),
        },
        Talk {
            kind: "dns",
            options: vec![("name", text("h.example.test")), ("transport", text("tcp"))],
            conversations: vec![vec![dns.concat()]],
            fit: |asked, reply| {
                if let (Some(number), Some(place)) = (asked.get(2..4), reply.get_mut(2..4)) {
                    place.copy_from_slice(number);
                }
            },
        },
    ]
}

fn talks() -> Vec<Talk> {
    [of_lines(), of_pages(), of_bytes()].into_iter().flatten().collect()
}

/// One conversation of the kind, with damage, for the next connection.
fn put(talk: &Talk, random: &mut Rng) {
    let mut replies = random.choice(&talk.conversations).cloned().unwrap_or_default();
    let corpus: Vec<Vec<u8>> = replies.clone();
    if !replies.is_empty() {
        let at = random.usize(0..replies.len());
        replies[at] = damaged(&corpus, random);
        if random.u16(..) == 0 {
            // More than anybody may be made to keep.
            replies[at] = replies[at].repeat(2_000_000 / replies[at].len().max(1));
        }
        if random.u8(..) < 40 {
            let at = random.usize(0..replies.len());
            drop(replies.remove(at));
        }
    }
    // Half of the damage would only be found by a sum or a number that does not fit.
    let fit = if random.bool() { talk.fit } else { plain };
    let piece = *random.choice([1, 3, 100, 100_000].iter()).unwrap_or(&1);
    // Who speaks first is part of the protocol of HTTP alone.
    Script::new(replies, fit, piece, random.u8(..) < 10).waiting(talk.kind == "http").put();
}

#[tokio::test(start_paused = true)]
async fn whatever_a_server_says_a_check_ends_and_says_what_can_be_shown() {
    let (inputs, seed) = (number("VIGIA_TEST_INPUTS", 3_000), seed());
    let shared = shared();
    let target = Target {
        address: "127.0.0.1",
        timeout: Duration::from_secs(5),
        is_host_check: false,
        verbose: false,
    };
    for talk in talks() {
        let kind = crate::kind(talk.kind).unwrap();
        let check: Arc<dyn BuiltInCheck> = decoded(kind, &talk.options);
        let (mut random, started) = (Rng::with_seed(seed), std::time::Instant::now());
        let mut good = 0;
        for turn in 0..inputs {
            put(&talk, &mut random);
            let outcome = run(&*check, &target, &shared).await;
            assert!(Script::take().is_none(), "{}: it has connected", talk.kind);
            let output = &outcome.output;
            let shown = format!("{}\n{}\n{}", output.text, output.long, output.perfdata);
            let is_fine = !shown.contains("the check itself failed")
                && shown.len() < 300_000
                && !shown.chars().any(|c| c.is_control() && c != '\n');
            assert!(is_fine, "{}, seed {seed}, input {turn}: {shown:?}", talk.kind);
            good += u64::from(outcome.state == vigia_core::model::state::State::Ok);
        }
        println!(
            "{}: {inputs} conversations in {:.0?}, {good} of them good, seed {seed}",
            talk.kind,
            started.elapsed()
        );
        assert!(good > 0, "{}: a corpus that nobody takes tries nothing", talk.kind);
    }
}
