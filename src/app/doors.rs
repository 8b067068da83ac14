//! The listeners: bound while nothing runs yet, opened when everything else does.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::StartError;
use super::parts::Parts;
use crate::config::settings::{self, Settings};
use crate::desk::Role;
use crate::os::files::{self, FileError};
use crate::os::systemd;
use crate::telemetry::Chain;
use crate::web::auth::{Anonymous, Proxy, Public, Rules};
use crate::web::backend::Backend;
use crate::web::tls::Secure;
use crate::web::{Web, serve};

/// The group may connect, and whoever may connect is an admin.
const SOCKET_MODE: u32 = 0o660;

pub(super) struct Doors {
    tcp: Vec<TcpListener>,
    metrics: Option<TcpListener>,
    control: UnixListener,
}

impl Doors {
    pub(super) fn bind(
        listen: &[SocketAddr],
        metrics: Option<SocketAddr>,
        control: &Path,
    ) -> Result<Self, StartError> {
        let mut kept = systemd::listeners();
        let tcp = listen.iter().map(|at| bind(*at, &mut kept)).collect::<Result<_, _>>()?;
        let metrics = metrics.map(|at| bind(at, &mut kept)).transpose()?;
        for other in kept {
            let address = other.local_addr().map_or_else(|error| error.to_string(), |at| at.to_string());
            warn!(
                event = "systemd.sockets",
                address,
                "a socket of systemd is none of `web.listen` and is closed: the addresses of vigia.socket must be the same"
            );
        }
        Ok(Self { tcp, metrics, control: bind_control(control)? })
    }

    /// The addresses, with the real port where 0 was asked for.
    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        self.tcp.iter().filter_map(|listener| listener.local_addr().ok()).collect()
    }

    /// Lets people in. All of it belongs to the part `web`.
    pub(super) fn open(
        self,
        parts: &mut Parts,
        backend: Arc<dyn Backend>,
        settings: &Settings,
        secure: Option<&Secure>,
    ) {
        let streams = CancellationToken::new();
        let web = Web::new(backend, rules(settings), streams.clone());
        for listener in self.tcp {
            tell(&listener, "web.listening", scheme(settings));
            let (router, secure) = (web.router(), secure.cloned());
            parts.spawn("web", |stop| tcp(listener, router, secure, stop));
        }
        if let Some(listener) = self.metrics {
            tell(&listener, "metrics.listening", "http");
            let router = web.metrics_router();
            parts.spawn("web", |stop| tcp(listener, router, None, stop));
        }
        let (control, router) = (self.control, web.router());
        parts.spawn("web", |stop| async move {
            match tokio::net::UnixListener::from_std(control) {
                Ok(listener) => serve::local(listener, router, user_name, stop).await,
                Err(error) => error!(event = "web.failed", error = %Chain(&error), "no control socket"),
            }
        });
        // Event streams never end by themselves: they end with this part.
        parts.spawn("web", |stop| async move {
            tokio::select! {
                () = web.follow() => {}
                () = stop.cancelled() => {}
            }
            streams.cancel();
        });
    }
}

async fn tcp(listener: TcpListener, router: Router, secure: Option<Secure>, stop: CancellationToken) {
    match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => serve::tcp(listener, router, secure, stop).await,
        Err(error) => error!(event = "web.failed", error = %Chain(&error), "a listener is gone"),
    }
}

/// What the page speaks; it changes with the next start only.
pub(super) fn scheme(settings: &Settings) -> &'static str {
    if settings.web.tls.is_some() { "https" } else { "http" }
}

fn tell(listener: &TcpListener, event: &str, scheme: &str) {
    if let Ok(address) = listener.local_addr() {
        info!(event, %address, "{scheme}://{address}/");
    }
}

fn rules(settings: &Settings) -> Rules {
    let anonymous = match settings.web.anonymous {
        settings::Anonymous::Loopback => Anonymous::Loopback,
        settings::Anonymous::Nobody => Anonymous::None,
        settings::Anonymous::Everybody => Anonymous::All,
    };
    let proxy = settings.web.proxy.as_ref().map(|proxy| Proxy {
        from: proxy.from.clone(),
        header: proxy.header.clone(),
        role: Role::from_word(proxy.role).unwrap_or(Role::Viewer),
    });
    let public = match &settings.web.public_status {
        settings::PublicStatus::Off => Public::Off,
        settings::PublicStatus::On => Public::All,
        settings::PublicStatus::Only(selection) => Public::Only(selection.clone()),
    };
    let (url, metrics) = (settings.web.url.clone(), settings.metrics.path.clone());
    Rules { anonymous, url, names: names(), tls: settings.web.tls.is_some(), proxy, public, metrics }
}

/// What this machine is called: its name, and the first part of it. Nobody else can have that name point at us.
fn names() -> Vec<String> {
    let Some(name) = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()) else {
        return Vec::new();
    };
    let short = name.split('.').next().unwrap_or_default().to_owned();
    [name, short].into_iter().filter(|name| !name.is_empty()).collect()
}

fn user_name(uid: u32) -> Option<String> {
    let user = nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(uid)).ok()??;
    Some(user.name)
}

/// One that systemd has kept open for us, or a new one.
fn bind(at: SocketAddr, kept: &mut Vec<TcpListener>) -> Result<TcpListener, StartError> {
    let is_same = |listener: &TcpListener| listener.local_addr().is_ok_and(|open| open == at);
    let opened = match kept.iter().position(is_same) {
        Some(place) => Ok(kept.swap_remove(place)),
        None => TcpListener::bind(at),
    };
    let bound = opened.and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    bound.map_err(|source| StartError::Listen { at: at.to_string(), source })
}

/// A socket file that is there was left by a daemon that is gone: we hold the lock on its folder.
fn bind_control(path: &Path) -> Result<UnixListener, StartError> {
    files::remove(path)?;
    let bind = || -> io::Result<UnixListener> {
        let listener = UnixListener::bind(path)?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    };
    let listener = bind().map_err(|source| StartError::Listen { at: path.display().to_string(), source })?;
    set_mode(path).map_err(FileError::on("set the rights of", path))?;
    Ok(listener)
}

#[allow(clippy::disallowed_methods, reason = "the rights of a socket, not of a file of ours")]
fn set_mode(path: &Path) -> io::Result<()> {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(SOCKET_MODE))
}
