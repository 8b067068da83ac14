//! Servers on a free port of the loopback that do one thing.

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Serves every connection with the same behaviour; gives the port.
pub(crate) async fn peer<F, Fut>(serve: F) -> u16
where
    F: Fn(TcpStream) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    port
}

/// Says its words at once, then ends.
pub(crate) async fn says(words: &'static [u8]) -> u16 {
    peer(move |mut stream| async move {
        stream.write_all(words).await.unwrap();
        stream.shutdown().await.unwrap();
        read_all(&mut stream).await;
    })
    .await
}

/// Says its words, then keeps silent and the connection open.
pub(crate) async fn says_and_waits(words: &'static [u8]) -> u16 {
    peer(move |mut stream| async move {
        stream.write_all(words).await.unwrap();
        read_all(&mut stream).await;
    })
    .await
}

/// Reads a request, answers with these bytes and ends.
pub(crate) async fn answers(answer: impl Into<Vec<u8>>) -> u16 {
    let answer: Arc<[u8]> = answer.into().into();
    peer(move |mut stream| {
        let answer = Arc::clone(&answer);
        async move {
            read_request(&mut stream).await;
            // The check may have heard enough before all is written.
            let _heard = stream.write_all(&answer).await.is_ok();
            let _ended = stream.shutdown().await.is_ok();
            read_all(&mut stream).await;
        }
    })
    .await
}

/// Answers by the request's path, and keeps the requests.
pub(crate) async fn site(pages: fn(&str) -> String) -> (u16, Arc<Mutex<Vec<String>>>) {
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let keep = Arc::clone(&seen);
    let port = peer(move |mut stream| {
        let keep = Arc::clone(&keep);
        async move {
            let request = read_request(&mut stream).await;
            let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
            keep.lock().unwrap().push(request);
            stream.write_all(pages(&path).as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
            read_all(&mut stream).await;
        }
    })
    .await;
    (port, seen)
}

/// Sends the same bytes for ever.
pub(crate) async fn repeats(start: &'static [u8], again: &'static [u8]) -> u16 {
    peer(move |mut stream| async move {
        read_request(&mut stream).await;
        stream.write_all(start).await.unwrap();
        while stream.write_all(again).await.is_ok() {}
    })
    .await
}

/// Answers with a reset.
pub(crate) async fn resets() -> u16 {
    peer(|mut stream| async move {
        stream.read_u8().await.ok();
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    })
    .await
}

/// A port that nobody listens on.
pub(crate) async fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

pub(crate) async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => request.push(byte),
            Err(_ended) => break,
        }
    }
    String::from_utf8_lossy(&request).into_owned()
}

/// Reads to the end; whether it came as an end and not as a reset.
pub(crate) async fn read_all(stream: &mut (impl AsyncRead + Unpin)) -> bool {
    let mut all = Vec::new();
    stream.read_to_end(&mut all).await.is_ok()
}
