//! `smtp` against small servers of canned answers, and one that speaks TLS after STARTTLS.

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use vigia_core::model::state::Condition as _;

use super::*;
use crate::tests::check;
use crate::tests::made_certificates::{GOOD, acceptor, leaf, root, trusted};
use crate::trial::{closed_port, decoded, list, look, look_briefly, map, peer, refusals, reset, text};

/// A server of canned answers: the first is its greeting. Returns what it heard.
async fn converse(stream: TcpStream, answers: &[&str]) -> String {
    let mut stream = BufReader::new(stream);
    let mut heard = String::new();
    for answer in answers {
        stream.write_all(answer.as_bytes()).await.unwrap();
        if stream.read_line(&mut heard).await.unwrap() == 0 {
            break;
        }
    }
    heard
}

async fn server(answers: &'static [&'static str]) -> (u16, tokio::sync::oneshot::Receiver<String>) {
    let (tell, heard) = tokio::sync::oneshot::channel();
    let port = peer(async move |stream| tell.send(converse(stream, answers).await).unwrap()).await;
    (port, heard)
}

const EHLO: &str = "250-mail.example.test\r\n250-AUTH LOGIN PLAIN\r\n250 SIZE 100\r\n";

#[tokio::test]
async fn a_server_that_greets_is_ok_and_left_with_quit() {
    let (port, heard) = server(&["220 mail.example.test ESMTP\r\n", EHLO, "250 ok\r\n", "221 bye\r\n"]).await;
    let options =
        [("port", text(port)), ("helo", text("me.example.test")), ("from", text("<a@example.test>"))];
    let outcome = look(&KIND, &options).await;
    let line = &*outcome.output.text;
    assert!(line.starts_with("SMTP OK - 0.") && line.ends_with(" sec. response time"), "{line}");
    assert!(outcome.output.perfdata.starts_with("time=0."));
    assert_eq!(heard.await.unwrap(), "EHLO me.example.test\r\nMAIL FROM:<a@example.test>\r\nQUIT\r\n");
}

#[tokio::test]
async fn an_old_server_is_greeted_with_helo() {
    let (port, heard) = server(&["220 old\r\n", "502 what?\r\n", "250 hello\r\n", "221 bye\r\n"]).await;
    let outcome = look(&KIND, &[("port", text(port)), ("helo", text("me"))]).await;
    assert_eq!(outcome.state, State::Ok, "{}", outcome.output.text);
    assert_eq!(heard.await.unwrap(), "EHLO me\r\nHELO me\r\nQUIT\r\n");
}

#[tokio::test]
async fn commands_are_given_and_their_answers_compared() {
    let answers = &["220 x\r\n", EHLO, "252 maybe\r\n", "214 help\r\n", "221 bye\r\n"];
    let commands = |expect: &str| {
        let first = map(&[("send", text("VRFY postmaster")), ("expect", text("252"))]);
        Value::list(vec![first, text("HELP"), text(format!("=> {expect}"))], crate::options::Mark(1))
    };
    let (port, heard) = server(answers).await;
    let outcome =
        look(&KIND, &[("port", text(port)), ("helo", text("me")), ("commands", commands("214"))]).await;
    assert_eq!(outcome.state, State::Ok, "{}", outcome.output.text);
    assert_eq!(heard.await.unwrap(), "EHLO me\r\nVRFY postmaster\r\nHELP\r\nQUIT\r\n");
    let (port, _heard) = server(answers).await;
    let outcome = look(&KIND, &[("port", text(port)), ("commands", commands("299"))]).await;
    assert_eq!(&*outcome.output.text, "SMTP WARNING - Invalid response '214 help' to command 'HELP'");
}

#[tokio::test]
async fn a_login_is_tried_in_the_way_that_is_offered() {
    let login = |port: u16, auth: &str| {
        let (user, password) = (text("bob"), text("secret"));
        vec![
            ("port", text(port)),
            ("helo", text("me")),
            ("user", user),
            ("password", password),
            ("auth", text(auth)),
        ]
    };
    let (port, heard) = server(&["220 x\r\n", EHLO, "235 welcome\r\n", "221 bye\r\n"]).await;
    let outcome = look(&KIND, &login(port, "auto")).await;
    assert_eq!(outcome.state, State::Ok, "{}", outcome.output.text);
    assert_eq!(heard.await.unwrap(), "EHLO me\r\nAUTH PLAIN AGJvYgBzZWNyZXQ=\r\nQUIT\r\n");
    let refused = [
        "220 x\r\n",
        EHLO,
        "334 VXNlcm5hbWU6\r\n",
        "334 UGFzc3dvcmQ6\r\n",
        "535 5.7.8 no\r\n",
        "221 bye\r\n",
    ];
    let (port, heard) = server(Box::leak(Box::new(refused))).await;
    let outcome = look(&KIND, &login(port, "login")).await;
    assert_eq!(&*outcome.output.text, "SMTP CRITICAL - login of 'bob': 535 5.7.8 no");
    assert_eq!(heard.await.unwrap(), "EHLO me\r\nAUTH LOGIN\r\nYm9i\r\nc2VjcmV0\r\nQUIT\r\n");
    assert!(!outcome.detail.iter().any(|step| step.contains("c2VjcmV0") || step.contains("secret")));
}

#[tokio::test]
async fn what_a_server_refuses_is_said() {
    let cases: &[(&'static [&'static str], State, &str)] = &[
        (&["554 go away\r\n", "221 bye\r\n"], State::Critical, "the greeting refuses: 554 go away"),
        (&["220 x\r\n", "550 no\r\n", "221 bye\r\n"], State::Critical, "EHLO me: 550 no"),
        (&["SSH-2.0-OpenSSH\r\n"], State::Critical, "no answer of an SMTP server: SSH-2.0-OpenSSH"),
        (&[""], State::Critical, "the server ended the connection without an answer"),
    ];
    for (answers, state, expected) in cases {
        let (port, _heard) = match answers {
            [""] => (peer(async |stream| drop(stream)).await, server(&[]).await.1),
            answers => server(answers).await,
        };
        let outcome = look(&KIND, &[("port", text(port)), ("helo", text("me"))]).await;
        assert_eq!(outcome.state, *state);
        assert_eq!(&*outcome.output.text, format!("SMTP {} - {expected}", state.word()));
    }
    let (port, _heard) = server(&["220 x\r\n", EHLO, "221 bye\r\n"]).await;
    let outcome = look(&KIND, &[("port", text(port)), ("tls", text("starttls"))]).await;
    assert_eq!(&*outcome.output.text, "SMTP CRITICAL - the server does not offer STARTTLS");
    let (port, _heard) = server(&["220 x\r\n", EHLO, "221 bye\r\n"]).await;
    let outcome = look(&KIND, &[("port", text(port)), ("expect", text("mail7"))]).await;
    assert_eq!(&*outcome.output.text, "SMTP WARNING - the greeting does not contain 'mail7': 220 x");
}

#[tokio::test]
async fn hostile_servers_are_given_up() {
    for part in [&b"2"[..], b"220-x\r\n", b"\xff\xfe\r\n"] {
        let port = peer(async move |mut stream| while stream.write_all(part).await.is_ok() {}).await;
        let outcome = look(&KIND, &[("port", text(port))]).await;
        assert_eq!(outcome.state, State::Critical, "{}", outcome.output.text);
    }
    let port = peer(async |stream| reset(stream)).await;
    assert_eq!(look(&KIND, &[("port", text(port))]).await.state, State::Critical);
    let port = peer(async |_stream| std::future::pending().await).await;
    let outcome = look_briefly(&KIND, &[("port", text(port))]).await;
    assert!(outcome.output.text.contains("no answer came within 0.3 s"), "{}", outcome.output.text);
    let outcome = look(&KIND, &[("port", text(closed_port().await))]).await;
    assert!(outcome.output.text.contains("Connection refused"), "{}", outcome.output.text);
}

#[tokio::test]
async fn starttls_leads_to_tls_and_a_second_ehlo() {
    let root = root();
    let file = trusted(&[&root]);
    for (name, login, state) in
        [("mx.example.test", "235 ok\r\n", State::Ok), ("other.test", "", State::Critical)]
    {
        let acceptor = acceptor(&leaf(name, &root, GOOD), &[]);
        let (tell, heard) = tokio::sync::oneshot::channel();
        let port = peer(async move |stream| {
            let mut stream = BufReader::new(stream);
            let mut said = String::new();
            for answer in ["220 x\r\n", "250-x\r\n250 STARTTLS\r\n", "220 go\r\n"] {
                stream.write_all(answer.as_bytes()).await.unwrap();
                if answer != "220 go\r\n" {
                    stream.read_line(&mut said).await.unwrap();
                }
            }
            let ssl = openssl::ssl::Ssl::new(acceptor.context()).unwrap();
            let mut tls = tokio_openssl::SslStream::new(ssl, stream.into_inner()).unwrap();
            std::pin::Pin::new(&mut tls).accept().await.unwrap();
            let mut tls = BufReader::new(tls);
            for answer in
                ["250-x\r\n250 AUTH PLAIN\r\n", login, "221 bye\r\n"].iter().filter(|a| !a.is_empty())
            {
                tls.read_line(&mut said).await.unwrap();
                tls.write_all(answer.as_bytes()).await.unwrap();
            }
            tls.read_line(&mut said).await.unwrap();
            tell.send(said).unwrap();
        })
        .await;
        let tls = map(&[
            ("mode", text("starttls")),
            ("ca", text(file.path().display())),
            ("name", text("mx.example.test")),
        ]);
        let options = [
            ("port", text(port)),
            ("helo", text("me")),
            ("user", text("bob")),
            ("password", text("secret")),
            ("tls", tls),
        ];
        let outcome = look(&KIND, &options).await;
        assert_eq!(outcome.state, state, "{}", outcome.output.text);
        let said = heard.await.unwrap();
        let expected = match state {
            State::Ok => "EHLO me\r\nSTARTTLS\r\nEHLO me\r\nAUTH PLAIN AGJvYgBzZWNyZXQ=\r\nQUIT\r\n",
            // Whoever shows the wrong certificate gets no password.
            State::Warning | State::Critical | State::Unknown => "EHLO me\r\nSTARTTLS\r\nEHLO me\r\nQUIT\r\n",
        };
        assert_eq!(said, expected);
    }
}

#[tokio::test]
async fn the_flags_of_check_smtp_are_understood() {
    let (port, heard) = server(&["220 x\r\n", EHLO, "250 ok\r\n", "250 ok\r\n", "221 bye\r\n"]).await;
    let line =
        format!("-H 127.0.0.1 -p {port} -F me -f a@b.test -C 'RCPT TO:<c@d.test>' -R 250 -w 4 -c 5 -t 5");
    let (code, said) = check("smtp", &line).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.starts_with("SMTP OK - 0.") && said.contains(" sec. response time|time="), "{said}");
    assert_eq!(heard.await.unwrap(), "EHLO me\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nQUIT\r\n");
}

#[test]
fn options_that_do_not_fit_are_refused() {
    assert!(refusals(&KIND, &[("user", text("bob"))])[0].contains("belong together"));
    assert!(refusals(&KIND, &[("helo", text("a\r\nb"))])[0].contains("one word"));
    assert!(refusals(&KIND, &[("commands", list(&["=> 250"]))])[0].contains("without a command"));
    assert!(refusals(&KIND, &[("commands", list(&["A\r\nB"]))])[0].contains("one line"));
    decoded(&KIND, &[("commands", list(&["A", "B", "=> 1", "=> 2"]))]);
}
