//! One request over a stream of bytes, for what the suite asks of servers and of the daemon.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// How long an answer may take to become the one waited for. Only ever waited out by a test that fails.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks at an answer that is not yet the one waited for.
pub const LOOK_EVERY: Duration = Duration::from_millis(25);

/// One request and its answer. HTTP/1.0, so that the end of the connection ends the answer.
pub async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    method: &str,
    path: &str,
    host: &str,
    body: &str,
) -> (u16, String) {
    let request = format!(
        "{method} {path} HTTP/1.0\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.expect("it takes the request");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("it answers");
    let answer = String::from_utf8(answer).expect("text");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    (status.unwrap_or_else(|| panic!("no status in `{head}`")), body.to_owned())
}
