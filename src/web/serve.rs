//! Connections: accepted, bounded in number and patience, ended in order. TCP and the control socket alike.

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

/// Connections at once on one listener; more wait in the kernel's queue.
const CONNECTIONS: usize = 2048;
/// For a client to send its request's head.
const HEAD_PATIENCE: Duration = Duration::from_secs(15);
/// For open requests to end once we stop.
const GRACE: Duration = Duration::from_secs(3);

/// Serves a TCP listener until `stop`.
pub async fn tcp(listener: TcpListener, router: Router, stop: CancellationToken) {
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
    serve(accept, router, stop).await;
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
    serve(accept, router, stop).await;
}

/// The next connection. Boxed, since only then is the whole `Send`: one small allocation a connection.
type Accepting<S> = Pin<Box<dyn Future<Output = io::Result<(S, Caller)>> + Send>>;

/// Who connected, before it is known by name.
enum Caller {
    Tcp(SocketAddr),
    Local { uid: u32, name_of: fn(u32) -> Option<String> },
}

impl Caller {
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

async fn serve<S>(accept: impl Fn() -> Accepting<S> + Send, router: Router, stop: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let graceful = GracefulShutdown::new();
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
            Ok((stream, caller)) => connection(stream, caller, router.clone(), graceful.watcher(), permit),
            Err(error) => {
                // Out of descriptors: those in use must end first, and asking again at once would only spin.
                tracing::warn!(event = "web.accept", error = %error, "cannot take a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(tokio::time::timeout(GRACE, graceful.shutdown()).await);
}

fn connection<S>(stream: S, caller: Caller, router: Router, graceful: Watcher, permit: OwnedSemaphorePermit)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    // Ends with its client or with the grace; `graceful` knows of it.
    tokio::spawn(async move {
        let service = TowerToHyperService::new(router.layer(Extension(caller.peer().await)));
        let mut builder = Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_PATIENCE);
        builder.http2().timer(TokioTimer::new()).max_concurrent_streams(100);
        let serving = builder.serve_connection(TokioIo::new(stream), service).into_owned();
        if let Err(error) = graceful.watch(serving).await {
            tracing::debug!(event = "web.connection", error = %error, "a connection ended early");
        }
        drop(permit);
    });
}

/// Addresses of listeners as a person can open them.
pub fn shown(address: SocketAddr) -> String {
    format!("http://{address}/")
}
