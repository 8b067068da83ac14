//! Who may do what: the peer, the session, the `Host` header, and the role a route needs.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use ipnet::IpNet;
use vigia_core::model::selector::Selection;

use super::Web;
use super::backend::Role;
use super::error::{Failure, dress};
use super::frame::{Said, Seen, Undo, Viewer};
use super::view::Eyes;

/// The other end of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    Tcp(SocketAddr),
    /// The control socket: may do everything, under the name that the kernel vouches for.
    Local {
        user: Arc<str>,
    },
}

/// `web.auth.anonymous`: who may look without login.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Anonymous {
    /// The peer is on this machine and nothing says that it forwards for another.
    #[default]
    Loopback,
    None,
    All,
}

/// What decides over strangers; from `web` in the configuration.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    pub anonymous: Anonymous,
    /// `web.url`: its host is allowed in `Host`.
    pub url: Option<String>,
    /// Other names of the listeners.
    pub names: Vec<String>,
    /// Our own listener speaks TLS.
    pub tls: bool,
    /// `web.auth.proxy`: who has asked for the password already.
    pub proxy: Option<Proxy>,
    /// `web.public_status`: what everybody may see.
    pub public: Public,
    /// `metrics.path`; empty: where it usually is.
    pub metrics: String,
}

/// A proxy that says in a header who asks. From anybody else that header is only text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    pub from: Vec<IpNet>,
    pub header: String,
    /// Of a user that vigia has no account for.
    pub role: Role,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Public {
    #[default]
    Off,
    All,
    Only(Selection),
}

/// A session's cookie. The prefixed name is only accepted by browsers over HTTPS, so plain HTTP has another.
const COOKIE: &str = "vigia";
const SECURE_COOKIE: &str = "__Host-vigia";
const SAID_COOKIE: &str = "vigia_said";
const THEME_COOKIE: &str = "vigia_theme";

/// Headers that only a proxy adds.
const FORWARDED: &[&str] = &[
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-forwarded-server",
    "x-real-ip",
    "via",
];

/// First of all layers that know of people: refuses strange `Host`s, finds out who asks, and gives failures
/// their shape.
pub(crate) async fn admit(State(web): State<Web>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let peer = parts.extensions.get::<Peer>().cloned();
    if !matches!(peer, Some(Peer::Local { .. })) && !host_is_ours(&web.rules, &parts) {
        let text =
            "This name is not one of vigia's own. Set web.url in vigia.yaml to the address people use.\n";
        return (StatusCode::MISDIRECTED_REQUEST, text).into_response();
    }
    let seen = see(web, peer.as_ref(), &parts).await;
    let mut request = Request::from_parts(parts, body);
    let has_said = seen.said.is_some();
    request.extensions_mut().insert(seen.clone());
    let mut response = next.run(request).await;
    if let Some(failure) = response.extensions_mut().remove::<Failure>() {
        response = dress(&seen, &failure);
    }
    let is_page = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    if has_said && is_page {
        // Told once.
        append_cookie(&mut response, &format!("{SAID_COOKIE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"));
    }
    response
}

async fn see(web: Web, peer: Option<&Peer>, request: &Parts) -> Seen {
    let headers = &request.headers;
    let is_secure = is_secure(&web.rules, peer, headers);
    let viewer = identify(&web, peer, headers, is_secure).await;
    let theme = match cookie(headers, THEME_COOKIE).as_deref() {
        Some("light") => "light",
        Some("dark") => "dark",
        Some(_) | None => "",
    };
    let from = match peer {
        Some(Peer::Tcp(address)) => address.ip().to_string(),
        Some(Peer::Local { user }) => format!("control socket, {user}"),
        None => "unknown".to_owned(),
    };
    Seen {
        viewer,
        path: request.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
        theme,
        said: cookie(headers, SAID_COOKIE).as_deref().and_then(read_said),
        is_secure,
        from,
        eyes: Eyes { zone: web.zone.clone(), now: web.backend.now() },
        world: web.backend.world(),
        web,
    }
}

async fn identify(web: &Web, peer: Option<&Peer>, headers: &HeaderMap, is_secure: bool) -> Viewer {
    if let Some(Peer::Local { user }) = peer {
        return Viewer { name: Some(user.clone()), role: Role::Admin, token: None };
    }
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let bearer = bearer.and_then(|value| value.strip_prefix("Bearer ")).map(str::to_owned);
    let session = cookie(headers, if is_secure { SECURE_COOKIE } else { COOKIE });
    if let Some(token) = bearer.or(session)
        && let Some(account) = web.backend.session(token.clone()).await
        && !account.is_disabled
    {
        return Viewer { name: Some(account.name), role: account.role, token: Some(token) };
    }
    if let Some(name) = named_by_proxy(&web.rules, peer, headers) {
        return by_proxy(web, name).await;
    }
    let role =
        if may_look_anonymously(web.rules.anonymous, peer, headers) { Role::Viewer } else { Role::Nobody };
    Viewer { name: None, role, token: None }
}

/// Whom a proxy that we believe names.
fn named_by_proxy(rules: &Rules, peer: Option<&Peer>, headers: &HeaderMap) -> Option<String> {
    let proxy = rules.proxy.as_ref()?;
    let Some(Peer::Tcp(address)) = peer else { return None };
    let address = address.ip().to_canonical();
    // Two of them: somebody added one before the proxy did, and we cannot know which is which.
    let mut names = headers.get_all(&proxy.header).iter();
    let name = names.next().filter(|_| names.next().is_none())?.to_str().ok()?.trim();
    let is_believed = proxy.from.iter().any(|net| net.contains(&address));
    (is_believed && !name.is_empty()).then(|| name.to_owned())
}

/// A user of ours keeps the role; one that we do not know gets that of the proxy.
async fn by_proxy(web: &Web, name: String) -> Viewer {
    let unknown = web.rules.proxy.as_ref().map(|proxy| proxy.role).unwrap_or_default();
    let role = match web.backend.users().await {
        Ok(users) => match users.iter().find(|user| *user.name == *name) {
            Some(user) if user.is_disabled => Role::Nobody,
            Some(user) => user.role,
            None => unknown,
        },
        // Whether the account is disabled is not known: rather nobody than somebody who may not.
        Err(_) => Role::Nobody,
    };
    Viewer { name: (role > Role::Nobody).then(|| name.into()), role, token: None }
}

fn may_look_anonymously(rule: Anonymous, peer: Option<&Peer>, headers: &HeaderMap) -> bool {
    match rule {
        Anonymous::All => true,
        Anonymous::None => false,
        Anonymous::Loopback => is_loopback(peer) && !FORWARDED.iter().any(|name| headers.contains_key(*name)),
    }
}

fn is_loopback(peer: Option<&Peer>) -> bool {
    matches!(peer, Some(Peer::Tcp(address)) if address.ip().to_canonical().is_loopback())
}

fn is_secure(rules: &Rules, peer: Option<&Peer>, headers: &HeaderMap) -> bool {
    let says_https = headers.get("x-forwarded-proto").is_some_and(|proto| proto.as_bytes() == b"https");
    rules.tls || (is_loopback(peer) && says_https)
}

/// Against DNS rebinding: a page of another site may have its own name resolve to us, but then that name
/// stands in `Host`. Addresses cannot be rebound, so they pass.
fn host_is_ours(rules: &Rules, request: &Parts) -> bool {
    let header = request.headers.get(header::HOST).map(|host| host.to_str().unwrap_or("\u{fffd}"));
    let Some(host) = request.uri.authority().map(|authority| authority.as_str()).or(header) else {
        return true;
    };
    let name = without_port(host).trim_end_matches('.').to_ascii_lowercase();
    let is_address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok();
    let own = rules.url.as_deref().and_then(|url| url.split_once("://")).map(|(_, rest)| rest);
    let own = own.and_then(|rest| rest.split(['/', '?', '#']).next()).map(without_port);
    is_address
        || name == "localhost"
        || own.is_some_and(|own| own.eq_ignore_ascii_case(&name))
        || rules.names.iter().any(|own| own.eq_ignore_ascii_case(&name))
}

fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        Some(_) | None => authority,
    }
}

/// The layer of one route: its role, or a failure that says which.
pub(crate) async fn require(State(needs): State<Role>, request: Request, next: Next) -> Response {
    let Some(seen) = request.extensions().get::<Seen>() else {
        return Failure::Broken("a route without admission".to_owned()).into_response();
    };
    if seen.may(needs) {
        return next.run(request).await;
    }
    if seen.viewer.name.is_some() {
        return Failure::Forbidden { needs }.into_response();
    }
    let (path, is_form) =
        (seen.path.clone(), request.method() == Method::POST && !seen.path.starts_with("/api/"));
    if !is_form {
        return Failure::NotLoggedIn { next: path }.into_response();
    }
    // The form comes back filled in after the login: what was typed becomes the query of its own page.
    let typed = axum::body::to_bytes(request.into_body(), 16 * 1024).await.unwrap_or_default();
    let path = path.split('?').next().unwrap_or("/").to_owned();
    let typed =
        String::from_utf8(typed.to_vec()).ok().filter(|typed| path.starts_with("/act/") && !typed.is_empty());
    Failure::NotLoggedIn { next: typed.map_or_else(|| "/".to_owned(), |typed| format!("{path}?{typed}")) }
        .into_response()
}

fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(found, _)| *found == name).map(|(_, value)| value.to_owned())
}

fn append_cookie(response: &mut Response, cookie: &str) {
    if let Ok(value) = cookie.parse() {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}

/// Lasts as long as the browser runs; the session behind it has its own limits.
pub(crate) fn set_session(response: &mut Response, token: &str, is_secure: bool) {
    let (name, secure) = if is_secure { (SECURE_COOKIE, "; Secure") } else { (COOKIE, "") };
    append_cookie(response, &format!("{name}={token}; Path=/; HttpOnly; SameSite=Lax{secure}"));
}

pub(crate) fn end_session(response: &mut Response, is_secure: bool) {
    let (name, secure) = if is_secure { (SECURE_COOKIE, "; Secure") } else { (COOKIE, "") };
    append_cookie(response, &format!("{name}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax{secure}"));
}

pub(crate) fn set_theme(response: &mut Response, theme: &str) {
    let (value, age) = if matches!(theme, "light" | "dark") { (theme, 31_536_000) } else { ("", 0) };
    append_cookie(response, &format!("{THEME_COOKIE}={value}; Path=/; Max-Age={age}; SameSite=Lax"));
}

/// Tells the next page what was done.
pub(crate) fn say(response: &mut Response, said: &Said) {
    let undo = said.undo.iter().flat_map(|undo| {
        let fields = undo.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        std::iter::once(("action", undo.action.as_str())).chain(fields)
    });
    let text = super::query::encode(std::iter::once(("text", said.text.as_str())).chain(undo));
    // Browsers drop a cookie beyond 4 kB: then the undo of a large selection is not offered.
    let text = if text.len() > 3500 {
        super::query::encode(std::iter::once(("text", said.text.as_str())))
    } else {
        text
    };
    if text.len() <= 3500 {
        append_cookie(response, &format!("{SAID_COOKIE}={text}; Path=/; Max-Age=60; HttpOnly; SameSite=Lax"));
    }
}

fn read_said(text: &str) -> Option<Said> {
    let pairs: Vec<(String, String)> = decode_pairs(text);
    let mut pairs = pairs.into_iter();
    let text = pairs.next().filter(|(name, _)| name == "text")?.1;
    let action = pairs.next().filter(|(name, value)| name == "action" && value.starts_with("/act/"));
    let undo = action.map(|(_, action)| Undo { action, fields: pairs.collect() });
    Some(Said { text, undo })
}

/// The pairs of a query string or form; what is not valid is left out.
pub(crate) fn decode_pairs(text: &str) -> Vec<(String, String)> {
    let uri = Uri::builder().path_and_query(format!("/?{text}")).build();
    let pairs =
        uri.ok().and_then(|uri| axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&uri).ok());
    pairs.map(|pairs| pairs.0).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    fn asks(host: &str, rules: &Rules) -> bool {
        let request = Request::builder().uri("/").header("host", host).body(Body::empty()).unwrap();
        host_is_ours(rules, &request.into_parts().0)
    }

    #[test]
    fn only_our_own_names_are_answered_to() {
        let rules = Rules { url: Some("https://Vigia.example.test:8443/x".into()), ..Rules::default() };
        for ours in [
            "localhost:8642",
            "127.0.0.1:8642",
            "[::1]:8642",
            "192.0.2.7",
            "vigia.example.test",
            "LOCALHOST.",
        ] {
            assert!(asks(ours, &rules), "{ours}");
        }
        for strange in ["evil.test", "evil.test:8642", "localhost.evil.test", "127.0.0.1.evil.test", "\u{e9}"]
        {
            assert!(!asks(strange, &rules), "{strange}");
        }
    }

    #[test]
    fn a_forwarded_request_is_not_from_here() {
        let local = Peer::Tcp("127.0.0.1:5".parse().unwrap());
        let remote = Peer::Tcp("192.0.2.9:5".parse().unwrap());
        let mapped = Peer::Tcp("[::ffff:127.0.0.1]:5".parse().unwrap());
        let plain = HeaderMap::new();
        let look =
            |peer: &Peer, headers: &HeaderMap| may_look_anonymously(Anonymous::Loopback, Some(peer), headers);
        assert!(look(&local, &plain) && look(&mapped, &plain) && !look(&remote, &plain));
        for name in FORWARDED {
            let headers = HeaderMap::from_iter([(name.parse().unwrap(), "192.0.2.9".parse().unwrap())]);
            assert!(!look(&local, &headers), "{name}");
        }
    }

    #[test]
    fn the_name_in_a_header_counts_from_the_proxy_alone() {
        let proxy = Proxy {
            from: vec!["192.0.2.0/28".parse().unwrap()],
            header: "X-Remote-User".into(),
            role: Role::Viewer,
        };
        let rules = Rules { proxy: Some(proxy), ..Rules::default() };
        let peer = |text: &str| Peer::Tcp(text.parse().unwrap());
        let said = |names: &[&str]| {
            let mut headers = HeaderMap::new();
            for name in names {
                headers.append("x-remote-user", name.parse().unwrap());
            }
            headers
        };
        let named = |peer: &Peer, names: &[&str]| named_by_proxy(&rules, Some(peer), &said(names));
        assert_eq!(named(&peer("192.0.2.9:5"), &["ana"]).as_deref(), Some("ana"));
        assert_eq!(named(&peer("[::ffff:192.0.2.9]:5"), &["ana"]).as_deref(), Some("ana"));
        assert_eq!(named(&peer("192.0.2.77:5"), &["ana"]), None, "not the proxy");
        assert_eq!(named(&peer("127.0.0.1:5"), &["ana"]), None, "this machine is not the proxy either");
        assert_eq!(named(&peer("192.0.2.9:5"), &["root", "ana"]), None, "one was smuggled in");
        assert_eq!(named(&peer("192.0.2.9:5"), &[" "]), None);
        let without = Rules::default();
        assert_eq!(named_by_proxy(&without, Some(&peer("192.0.2.9:5")), &said(&["ana"])), None);
    }

    #[test]
    fn what_was_said_survives_the_cookie() {
        let undo = Undo {
            action: "/act/remove-acknowledgement".into(),
            fields: vec![("object".into(), "a b/ä;=".into())],
        };
        let said = Said { text: "Acknowledged <b>".into(), undo: Some(undo) };
        let mut response = Response::new(Body::empty());
        say(&mut response, &said);
        let line = response.headers()[header::SET_COOKIE].to_str().unwrap().to_owned();
        let value = line.split(';').next().unwrap().split_once('=').unwrap().1;
        assert_eq!(read_said(value), Some(said));
        assert_eq!(
            read_said("text=x&action=https%3A%2F%2Fevil.test"),
            Some(Said { text: "x".into(), undo: None })
        );
    }
}
