//! Connections: accepted, bounded in number and patience, ended in order. TCP with or without TLS, and the control socket,
//! alike.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::auth::Peer;
use super::crowd::{Crowd, Place};
use super::patient::Patient;
use super::tls::Secure;

/// Connections at once on one listener; more wait in the kernel's queue.
const CONNECTIONS: usize = 2048;
/// For a client to send its request's head.
const HEAD_PATIENCE: Duration = Duration::from_secs(15);
/// For a client to read something of what it asked for.
const READ_PATIENCE: Duration = Duration::from_secs(60);
/// Between two questions whether the client of an HTTP/2 connection is still there, and for its answer.
const STILL_THERE: Duration = Duration::from_secs(30);
/// Headers of one request, as sent.
const HEAD_BYTES: u32 = 64 * 1024;
/// For open requests to end once we stop.
const GRACE: Duration = Duration::from_secs(3);

/// Serves a TCP listener until `stop`; with `secure`, over TLS, and whoever speaks plain HTTP is led there.
pub async fn tcp(listener: TcpListener, router: Router, secure: Option<Secure>, stop: CancellationToken) {
    let door = Arc::new(listener);
    let accept = || -> Accepting<TcpStream> {
        let door = door.clone();
        Box::pin(async move {
            let (stream, address) = door.accept().await?;
            // Small answers leave at once.
            drop(stream.set_nodelay(true));
            Ok((stream, Caller::Tcp(address)))
        })
    };
    match secure {
        None => serve(accept, stop, |stream, visit| connection(stream, router.clone(), visit)).await,
        Some(secure) => {
            // In a task of its own: one client that says nothing must not keep others out.
            let start =
                |stream, visit| drop(tokio::spawn(greet(stream, secure.clone(), router.clone(), visit)));
            serve(accept, stop, start).await;
        }
    }
}

/// The first byte tells who wants TLS.
async fn greet(stream: TcpStream, secure: Secure, router: Router, visit: Visit) {
    let begun = async {
        let mut first = [0];
        let is_tls = stream.peek(&mut first).await? == 1 && first == [TLS_HANDSHAKE];
        if !is_tls {
            return Ok(Begun::Plain(stream));
        }
        let no_certificate = || io::Error::other("there is no certificate that can be used");
        let accepted = secure.acceptor().ok_or_else(no_certificate)?.accept(stream).await;
        accepted.map(|stream| Begun::Secure(Box::new(stream))).map_err(io::Error::other)
    };
    match tokio::time::timeout(HEAD_PATIENCE, begun).await {
        Ok(Ok(Begun::Secure(stream))) => connection(stream, router, visit),
        Ok(Ok(Begun::Plain(stream))) => connection(stream, Router::new().fallback(elsewhere), visit),
        Ok(Err(error)) => tracing::debug!(event = "web.connection", error = %error, "no TLS with a client"),
        Err(_elapsed) => tracing::debug!(event = "web.connection", "a client said nothing"),
    }
}

/// The type of the record that begins a TLS connection.
const TLS_HANDSHAKE: u8 = 22;

enum Begun {
    Plain(TcpStream),
    Secure(Box<tokio_native_tls::TlsStream<TcpStream>>),
}

/// Plain HTTP where HTTPS is spoken: the same address, said rightly.
async fn elsewhere(request: axum::extract::Request) -> axum::response::Response {
    use axum::http::{StatusCode, header};
    use axum::response::IntoResponse;
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let to = host.and_then(|host| http::HeaderValue::from_str(&format!("https://{host}{path}")).ok());
    match to {
        Some(to) => (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, to)]).into_response(),
        None => (StatusCode::BAD_REQUEST, "this address speaks HTTPS\n").into_response(),
    }
}

/// Serves the control socket until `stop`. `name_of` finds a user's name; a number stands where there is none.
pub async fn local(
    listener: UnixListener,
    router: Router,
    name_of: fn(u32) -> Option<String>,
    stop: CancellationToken,
) {
    let door = Arc::new(listener);
    let accept = || -> Accepting<UnixStream> {
        let door = door.clone();
        Box::pin(async move {
            let (stream, _) = door.accept().await?;
            let uid = stream.peer_cred()?.uid();
            Ok((stream, Caller::Local { uid, name_of }))
        })
    };
    serve(accept, stop, |stream, visit| connection(stream, router.clone(), visit)).await;
}

/// The next connection. Boxed, since only then is the whole `Send`: one small allocation a connection.
type Accepting<S> = Pin<Box<dyn Future<Output = io::Result<(S, Caller)>> + Send>>;

/// Who connected, before it is known by name.
enum Caller {
    Tcp(SocketAddr),
    Local { uid: u32, name_of: fn(u32) -> Option<String> },
}

impl Caller {
    /// None: too many of it are there already.
    fn enter(&self, crowd: &Crowd) -> Option<Option<Place>> {
        match self {
            Self::Tcp(address) => crowd.enter(address.ip()).map(Some),
            Self::Local { .. } => Some(None),
        }
    }

    async fn peer(self) -> Peer {
        match self {
            Self::Tcp(address) => Peer::Tcp(address),
            Self::Local { uid, name_of } => {
                // The system may ask a directory on the network, and that may take its time.
                let name = tokio::task::spawn_blocking(move || name_of(uid)).await.ok().flatten();
                Peer::Local { user: name.unwrap_or_else(|| format!("uid {uid}")).into() }
            }
        }
    }
}

/// Who came, and what goes when they go.
struct Visit {
    caller: Caller,
    graceful: Watcher,
    place: Option<Place>,
    permit: OwnedSemaphorePermit,
}

async fn serve<S>(
    accept: impl Fn() -> Accepting<S> + Send,
    stop: CancellationToken,
    begin: impl Fn(S, Visit) + Send,
) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let graceful = GracefulShutdown::new();
    let crowd = Crowd::default();
    loop {
        let permit = tokio::select! {
            () = stop.cancelled() => break,
            permit = room.clone().acquire_owned() => permit.expect("the semaphore is never closed"),
        };
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accept() => accepted,
        };
        match accepted {
            Ok((stream, caller)) => {
                // Who may not is told so by the end of the connection: an answer would be one more thing to wait for.
                let Some(place) = caller.enter(&crowd) else { continue };
                begin(stream, Visit { caller, graceful: graceful.watcher(), place, permit });
            }
            Err(error) => {
                // Out of descriptors: those in use must end first, and asking again at once would only spin.
                tracing::warn!(event = "web.accept", error = %error, "cannot take a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(tokio::time::timeout(GRACE, graceful.shutdown()).await);
}

fn connection<S>(stream: S, router: Router, visit: Visit)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Visit { caller, graceful, place, permit } = visit;
    // Ends with its client or with the grace; `graceful` knows of it.
    tokio::spawn(async move {
        let service = TowerToHyperService::new(router.layer(Extension(caller.peer().await)));
        let mut builder = Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_PATIENCE);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(100)
            .max_header_list_size(HEAD_BYTES)
            .keep_alive_interval(STILL_THERE)
            .keep_alive_timeout(STILL_THERE);
        let stream = Patient::new(stream, READ_PATIENCE);
        let serving = builder.serve_connection(TokioIo::new(stream), service).into_owned();
        if let Err(error) = graceful.watch(serving).await {
            tracing::debug!(event = "web.connection", error = %error, "a connection ended early");
        }
        drop((place, permit));
    });
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
    use tokio::time::Instant;

    use super::*;

    /// Somebody's end of a connection to a page that is larger than anything between.
    fn visitor() -> DuplexStream {
        let (ours, theirs) = tokio::io::duplex(1024);
        let router = Router::new().route("/", get(|| async { vec![b'x'; 1 << 20] }));
        let caller = Caller::Tcp(SocketAddr::from(([192, 0, 2, 7], 1)));
        let room = Arc::new(Semaphore::new(1));
        let permit = room.try_acquire_owned().unwrap();
        let visit = Visit { caller, graceful: GracefulShutdown::new().watcher(), place: None, permit };
        connection(ours, router, visit);
        theirs
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_never_comes_to_the_end_of_a_request_is_shown_the_door() {
        let (mut reader, mut writer) = tokio::io::split(visitor());
        let started = Instant::now();
        let talking = tokio::spawn(async move {
            writer.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n").await.unwrap();
            // A byte a second: always something, never the end.
            while writer.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
        let mut answer = Vec::new();
        drop(reader.read_to_end(&mut answer).await);
        assert!(started.elapsed() < HEAD_PATIENCE + Duration::from_secs(2), "{:?}", started.elapsed());
        assert!(!answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
        talking.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_asks_and_never_reads_is_given_up() {
        let mut silent = visitor();
        silent.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let started = Instant::now();
        tokio::time::sleep(READ_PATIENCE + Duration::from_secs(1)).await;
        let mut got = Vec::new();
        drop(silent.read_to_end(&mut got).await);
        assert!(got.len() <= 2048, "{} bytes after {:?}", got.len(), started.elapsed());
    }
}
