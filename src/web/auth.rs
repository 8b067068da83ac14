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
use super::error::{Failure, dress};
use super::frame::{Said, Seen, Undo, Viewer};
use super::view::Eyes;
use crate::desk::Role;

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
    /// Other names that people call this machine by.
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

/// Headers that only a proxy adds: those of the standards and of the usual servers, balancers and networks.
const FORWARDED: &[&str] = &[
    "forwarded",
    "via",
    "x-real-ip",
    "x-client-ip",
    "client-ip",
    "true-client-ip",
    "x-true-client-ip",
    "x-cluster-client-ip",
    "x-proxyuser-ip",
    "proxy-client-ip",
    "wl-proxy-client-ip",
    "x-remote-ip",
    "x-remote-addr",
    "x-originating-ip",
    "x-original-host",
    "x-original-url",
    "x-original-forwarded-for",
    "x-envoy-external-address",
    "x-azure-clientip",
    "x-appengine-user-ip",
    "cf-connecting-ip",
    "cf-connecting-ipv6",
    "fastly-client-ip",
    "fly-client-ip",
    "do-connecting-ip",
];
/// `X-Forwarded-For`, `-Host`, `-Proto`, `-Port`, `-Prefix`, `-Server`, `-User` …
const FORWARDED_PREFIX: &str = "x-forwarded-";

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
    // What is the same for everybody asks nobody's name.
    let is_open = ["/static/", "/healthz", "/readyz"].iter().any(|open| request.uri.path().starts_with(open));
    let viewer = if is_open { Viewer::default() } else { identify(&web, peer, request, is_secure).await };
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

async fn identify(web: &Web, peer: Option<&Peer>, request: &Parts, is_secure: bool) -> Viewer {
    let headers = &request.headers;
    if let Some(Peer::Local { user }) = peer {
        return Viewer { name: Some(user.clone()), role: Some(Role::Admin), ..Viewer::default() };
    }
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let bearer = bearer.and_then(|value| value.strip_prefix("Bearer ")).map(str::to_owned);
    let has_bearer = bearer.is_some();
    let session = cookie(headers, if is_secure { SECURE_COOKIE } else { COOKIE });
    if let Some(token) = bearer.or(session)
        && let Some(account) = web.backend.session(token.clone()).await
        && !account.is_disabled
    {
        return Viewer {
            name: Some(account.name),
            role: Some(account.role),
            token: Some(token),
            is_named_by_proxy: false,
        };
    }
    if let Some(name) = named_by_proxy(&web.rules, peer, headers) {
        return by_proxy(web, name).await;
    }
    // Whoever shows a token that is not good wants to be told, and not to look as somebody else.
    if has_bearer {
        return Viewer::default();
    }
    let may_look = may_look_anonymously(&web.rules, peer, request);
    Viewer { role: may_look.then_some(Role::Viewer), ..Viewer::default() }
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
    let role = match web.backend.users().await {
        Ok(users) => match users.iter().find(|user| *user.name == *name) {
            Some(user) => Some(user.role).filter(|_| !user.is_disabled),
            None => web.rules.proxy.as_ref().map(|proxy| proxy.role),
        },
        // Whether the account is disabled is not known: rather nobody than somebody who may not.
        Err(_) => None,
    };
    Viewer { name: role.map(|_| name.into()), role, token: None, is_named_by_proxy: true }
}

/// Whether somebody who was let in long ago still would be, for what stays open: the login is not over, the
/// account not disabled, its role not smaller.
pub(crate) async fn is_still(web: &Web, viewer: &Viewer) -> bool {
    match (&viewer.token, &viewer.name) {
        (Some(token), _) => web.backend.is_session(token.clone()).await,
        (None, Some(name)) if viewer.is_named_by_proxy => {
            by_proxy(web, name.to_string()).await.role.is_some()
        }
        // The control socket, and whoever may look without a name.
        (None, _) => true,
    }
}

fn may_look_anonymously(rules: &Rules, peer: Option<&Peer>, request: &Parts) -> bool {
    match rules.anonymous {
        Anonymous::All => true,
        Anonymous::None => false,
        Anonymous::Loopback => is_loopback(peer) && !is_forwarded(rules, request),
    }
}

/// Something says that the peer forwards for another: a header that only proxies add, or a `Host` that others
/// use, which a proxy handed on.
fn is_forwarded(rules: &Rules, request: &Parts) -> bool {
    let headers = &request.headers;
    let is_named = rules.proxy.as_ref().is_some_and(|proxy| headers.contains_key(&proxy.header));
    let is_called_otherwise = asked_host(request).is_some_and(|host| !is_local(&name_of(host)));
    let is_proxys = |name: &str| name.starts_with(FORWARDED_PREFIX) || FORWARDED.contains(&name);
    is_named || is_called_otherwise || headers.keys().any(|name| is_proxys(name.as_str()))
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
    let Some(host) = asked_host(request) else { return true };
    let name = name_of(host);
    address_of(&name).is_some()
        || is_local(&name)
        || own_name(rules).is_some_and(|own| own == name)
        || rules.names.iter().any(|own| own.eq_ignore_ascii_case(&name))
}

/// By what name we were asked.
fn asked_host(request: &Parts) -> Option<&str> {
    let header = request.headers.get(header::HOST).map(|host| host.to_str().unwrap_or("\u{fffd}"));
    request.uri.authority().map(|authority| authority.as_str()).or(header)
}

/// The name in an authority, as names are compared.
fn name_of(authority: &str) -> String {
    without_port(authority).trim_end_matches('.').to_ascii_lowercase()
}

fn address_of(name: &str) -> Option<IpAddr> {
    name.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// A name that only this machine itself answers to.
fn is_local(name: &str) -> bool {
    name == "localhost" || address_of(name).is_some_and(|address| address.to_canonical().is_loopback())
}

/// The host of `web.url`.
fn own_name(rules: &Rules) -> Option<String> {
    let (_, rest) = rules.url.as_deref()?.split_once("://")?;
    rest.split(['/', '?', '#']).next().map(name_of)
}

fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        Some(_) | None => authority,
    }
}

/// The layer of one route: its role, or a failure that says which.
pub(crate) async fn require(State(needs): State<Option<Role>>, request: Request, next: Next) -> Response {
    let Some(seen) = request.extensions().get::<Seen>() else {
        return Failure::Broken("a route without admission".to_owned()).into_response();
    };
    if seen.may(needs) {
        return next.run(request).await;
    }
    if let (Some(_), Some(needs)) = (&seen.viewer.name, needs) {
        return Failure::Forbidden { needs }.into_response();
    }
    // Files cannot be kept over a login: whoever had chosen some chooses again.
    let has_files = crate::web::upload::is_multipart(request.headers());
    let (path, is_form) =
        (seen.path.clone(), request.method() == Method::POST && !seen.path.starts_with("/api/"));
    if is_form && has_files {
        return Failure::NotLoggedIn { next: "/".to_owned() }.into_response();
    }
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
        let rules = Rules::default();
        let look = |peer: &Peer, request: &Parts| may_look_anonymously(&rules, Some(peer), request);
        let with = |name: &str, value: &str| {
            Request::builder().header(name, value).body(Body::empty()).unwrap().into_parts().0
        };
        let plain = with("accept", "text/html");
        assert!(look(&local, &plain) && look(&mapped, &plain) && !look(&remote, &plain));
        for name in ["x-forwarded-for", "x-forwarded-prefix", "x-forwarded-anything"].iter().chain(FORWARDED)
        {
            assert!(!look(&local, &with(name, "192.0.2.9")), "{name}");
        }
        // A proxy that adds nothing still hands on the name that it was asked by.
        assert!(
            !look(&local, &with("host", "vigia.example.test")) && !look(&local, &with("host", "192.0.2.9"))
        );
        for host in ["localhost:8642", "LOCALHOST.", "127.0.0.1:8642", "[::1]:8642", "127.0.0.2"] {
            assert!(look(&local, &with("host", host)), "{host}");
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
