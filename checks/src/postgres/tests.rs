//! `postgres` against servers of ours that answer from a list.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::tests::{assert_harmless, check};
use crate::trial::{look, look_briefly, peer, refusals, reset, text};

fn message(kind: u8, content: &[u8]) -> Vec<u8> {
    [&[kind][..], &u32::try_from(content.len() + 4).unwrap().to_be_bytes(), content].concat()
}

fn welcome() -> Vec<u8> {
    [message(b'R', &[0; 4]), message(b'S', b"server_version\x0015\0"), message(b'Z', b"I")].concat()
}

fn row(value: &[u8]) -> Vec<u8> {
    let length = u32::try_from(value.len()).unwrap().to_be_bytes();
    message(b'D', &[&[0, 1][..], &length, value].concat())
}

async fn server(answers: Vec<Vec<u8>>) -> u16 {
    peer(async move |mut stream| {
        let mut heard = [0; 4096];
        for answer in answers {
            if stream.read(&mut heard).await.unwrap() == 0 {
                return;
            }
            stream.write_all(&answer).await.unwrap();
        }
        let _end = stream.read(&mut heard).await.is_ok();
    })
    .await
}

#[tokio::test]
async fn the_first_value_of_a_query_is_held_against_its_ranges() {
    for (value, ranges, code, begins) in [
        ("5", "", 0, "POSTGRES OK - 'SELECT 1' returned 5|time=0."),
        ("5", "-W 3 -C 10", 1, "POSTGRES WARNING - 'SELECT 1' returned 5|"),
        ("50.5", "-W 3 -C 10", 2, "POSTGRES CRITICAL - 'SELECT 1' returned 50.5|"),
        ("on|\x1b", "", 0, "POSTGRES OK - 'SELECT 1' returned on/ |"),
        ("on", "-C 3", 3, "POSTGRES UNKNOWN - 'SELECT 1' returned on, which is no number|"),
    ] {
        let rows = [row(value.as_bytes()), row(b"7"), message(b'C', b"x\0"), message(b'Z', b"I")].concat();
        let port = server(vec![welcome(), rows]).await;
        let line = format!("-H 127.0.0.1 -P {port} -l bob -d shop -q 'SELECT 1' {ranges}");
        let (got, said) = check("postgres", &line).await;
        assert!(got == code && said.starts_with(begins), "{got} {said}");
    }
    let port = server(vec![welcome(), message(b'Z', b"I")]).await;
    let (code, said) = check("postgres", &format!("-H 127.0.0.1 -P {port} -l bob -q 'SELECT 1' -C 3")).await;
    assert!(code == 3 && said.contains("returned no value"), "{said}");
}

#[tokio::test]
async fn what_a_server_refuses_is_said() {
    let denied = || message(b'E', b"SFATAL\0C28P01\0Mno such\0\0");
    let clear = || message(b'R', &[0, 0, 0, 3]);
    for (answers, more, code, said) in [
        (vec![denied()], "", 2, "POSTGRES CRITICAL - no connection to 'bob' (FATAL:  no such)"),
        (vec![denied()], "--on-denied ok", 0, "POSTGRES OK - no connection to 'bob' (FATAL:  no such)"),
        (
            vec![message(b'E', b"SFATAL\0C3D000\0Mgone\0\0")],
            "--on-denied ok",
            2,
            "POSTGRES CRITICAL - no connection to 'bob' (FATAL:  gone)",
        ),
        (
            vec![clear()],
            "",
            2,
            "POSTGRES CRITICAL - no connection to 'bob' (a password is wanted for user \"bob\")",
        ),
        (
            vec![clear()],
            "-p secret",
            2,
            "POSTGRES CRITICAL - no connection to 'bob' (the server wants the password in plain text, which is only sent \
             through TLS (`tls: on`))",
        ),
        (vec![b"N".to_vec()], "-S", 2, "POSTGRES CRITICAL - the server does not offer TLS"),
    ] {
        let port = server(answers).await;
        let (got, line) = check("postgres", &format!("-H 127.0.0.1 -P {port} -l bob {more}")).await;
        assert_eq!((got, line.as_str()), (code, said));
    }
}

#[tokio::test]
async fn without_a_user_the_greeting_is_looked_at() {
    for (answer, code) in [("S", 0), ("N", 0), ("x", 2)] {
        let port = server(vec![answer.as_bytes().to_vec()]).await;
        let (got, said) = check("postgres", &format!("-H 127.0.0.1 -P {port}")).await;
        assert_eq!(got, code, "{said}");
    }
}

#[tokio::test]
async fn a_server_that_lets_us_in_without_its_proof_is_refused() {
    let port = server(vec![message(b'R', b"\0\0\0\x0aSCRAM-SHA-256\0\0"), welcome()]).await;
    let (code, said) = check("postgres", &format!("-H 127.0.0.1 -P {port} -l bob -p secret")).await;
    assert!(code == 2 && said.contains("did not prove that it knows the password"), "{said}");
}

#[tokio::test]
async fn hostile_servers_are_given_up() {
    for part in
        [&b"2"[..], b"R\0\0\0\0", b"R\xff\xff\xff\xff", b"N\0\0\0\x04", b"D\0\0\0\x05\0", b"SSH-2.0\r\n"]
    {
        let port = peer(async move |mut stream| while stream.write_all(part).await.is_ok() {}).await;
        let outcome = look_briefly(&KIND, &[("port", text(port)), ("user", text("bob"))]).await;
        assert_eq!(outcome.state, State::Critical, "{}", outcome.output.text);
        assert_harmless(&outcome.output.text);
    }
    let port = peer(async |stream| reset(stream)).await;
    assert_eq!(look(&KIND, &[("port", text(port))]).await.state, State::Critical);
}

#[test]
fn options_that_do_not_fit_are_refused() {
    assert!(refusals(&KIND, &[("query", text("x"))])[0].contains("without `user`"));
    assert!(refusals(&KIND, &[("warn", text("5"))])[0].contains("value of a `query`"));
}
