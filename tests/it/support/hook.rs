//! A webhook's receiver: keeps what it is sent, and answers as the path asks for.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::http::{LOOK_EVERY, PATIENCE};

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Hit {
    pub path: String,
    /// In lower case, as the lines of the head stand.
    pub head: String,
    pub body: Value,
}

pub struct Hook {
    port: u16,
    hits: Arc<Mutex<Vec<Hit>>>,
}

impl Hook {
    /// `/hang` never answers, `/redirect`, `/500`, `/400` and `/429` answer so, all others take it.
    /// `/once-500` fails the first time.
    pub async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a loopback port");
        let port = listener.local_addr().expect("bound").port();
        let hits: Arc<Mutex<Vec<Hit>>> = Arc::default();
        let kept = hits.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, kept.clone()));
            }
        });
        Self { port, hits }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub fn hits(&self) -> Vec<Hit> {
        self.hits.lock().expect("no panic").clone()
    }

    /// What was sent to a path, when it has come so often.
    pub async fn hits_on(&self, path: &str, count: usize) -> Vec<Hit> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut hits = self.hits();
            hits.retain(|hit| hit.path == path);
            if hits.len() >= count {
                return hits;
            }
            assert!(Instant::now() < deadline, "{} of {count} requests came to {path}", hits.len());
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

async fn serve(mut stream: TcpStream, hits: Arc<Mutex<Vec<Hit>>>) {
    let Some(hit) = read(&mut stream).await else { return };
    let path = hit.path.clone();
    let earlier = {
        let mut hits = hits.lock().expect("no panic");
        hits.push(hit);
        hits.iter().filter(|hit| hit.path == path).count() - 1
    };
    let answer = match path.as_str() {
        "/hang" => return std::future::pending().await,
        "/redirect" => "302 Found\r\nLocation: /elsewhere",
        "/500" => "500 Internal Server Error",
        "/once-500" if earlier == 0 => "500 Internal Server Error",
        "/400" => "400 Bad Request",
        "/429" => "429 Too Many Requests\r\nRetry-After: 120",
        _ => "200 OK",
    };
    let answer = format!("HTTP/1.1 {answer}\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
    drop(stream.write_all(answer.as_bytes()).await);
}

async fn read(stream: &mut TcpStream) -> Option<Hit> {
    let mut bytes = Vec::new();
    loop {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let path = head.split(' ').nth(1)?.to_owned();
        let head = head.to_ascii_lowercase();
        let length =
            head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok())?;
        if body.len() >= length {
            return Some(Hit { path, head, body: serde_json::from_str(body).unwrap_or_default() });
        }
    }
}
