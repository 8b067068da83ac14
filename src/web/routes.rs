//! Every address with the role it needs, and the layers around all of them.

use std::any::Any;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, NotForContentType, Predicate};
use tower_http::csrf::CsrfLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::TimeoutLayer;

use super::error::Failure;
use super::{Web, api, assets, auth, live, metrics, old, pages};
use crate::desk::Role;

/// A batch of a thousand passive results with long output fits.
const BODY_LIMIT: usize = 8 * 1024 * 1024;
/// Addresses that take files, which have limits of their own (`desk::files`): beyond this nobody even listens.
const UPLOADS: &[&str] = &[
    "/act/{act}",
    "/documents/new",
    "/documents/{id}/edit",
    "/api/v1/documents/{id}/attachments",
    "/api/v1/tickets/{reference}/attachments",
];
const UPLOAD_LIMIT: usize = 1 << 30;
/// Until the head of an answer; an event stream then goes on.
const PATIENCE: Duration = Duration::from_secs(60);
/// The same where files come in, from a telephone on a train.
const UPLOAD_PATIENCE: Duration = Duration::from_secs(15 * 60);

/// Where metrics are unless `metrics.path` says otherwise.
const METRICS: &str = "/metrics";

pub(super) struct Route {
    pub(super) path: &'static str,
    /// None: anybody.
    pub(super) needs: Option<Role>,
    call: fn() -> MethodRouter<Web>,
}

const fn look(path: &'static str, call: fn() -> MethodRouter<Web>) -> Route {
    Route { path, needs: Some(Role::Viewer), call }
}

const fn open(path: &'static str, call: fn() -> MethodRouter<Web>) -> Route {
    Route { path, needs: None, call }
}

const fn act(path: &'static str, call: fn() -> MethodRouter<Web>) -> Route {
    Route { path, needs: Some(Role::Operator), call }
}

const fn edit(path: &'static str, call: fn() -> MethodRouter<Web>) -> Route {
    Route { path, needs: Some(Role::Editor), call }
}

const fn rule(path: &'static str, call: fn() -> MethodRouter<Web>) -> Route {
    Route { path, needs: Some(Role::Admin), call }
}

pub(super) const ROUTES: &[Route] = &[
    // Pages
    look("/", || get(pages::overview::page)),
    look("/problems", || get(pages::lists::problems)),
    look("/services", || get(pages::lists::services)),
    look("/hosts", || get(pages::lists::hosts)),
    look("/search", || get(pages::lists::search)),
    look("/hosts/{host}", || get(pages::object::host)),
    look("/hosts/{host}/services/{service}", || get(pages::object::service)),
    look("/alarms", || get(pages::alarms::page)),
    look("/alarms/report", || get(pages::alarms::report)),
    look("/alarms/{id}", || get(pages::alarms::one)),
    look("/suppressions", || get(pages::suppressions::page)),
    look("/notifications", || get(pages::messages::page)),
    look("/comments", || get(pages::remarks::comments)),
    look("/downtimes", || get(pages::remarks::downtimes)),
    look("/tickets", || get(pages::tickets::list)),
    look("/tickets/{reference}", || get(pages::tickets::one)),
    look("/assets", || get(pages::assets::list)),
    look("/assets/{asset}", || get(pages::assets::one)),
    edit("/assets/{asset}", || post(pages::assets::submit)),
    look("/networks", || get(pages::anomalies::networks)),
    edit("/networks/{network}", || post(pages::anomalies::switch)),
    look("/anomalies", || get(pages::anomalies::list)),
    act("/anomalies", || post(pages::anomalies::submit)),
    look("/discovery", || get(pages::discovery::page)),
    edit("/discovery", || post(pages::discovery::start)),
    look("/discovery/{id}", || get(pages::discovery::scan)),
    edit("/discovery/{id}", || post(pages::discovery::insert)),
    look("/documents", || get(pages::documents::list)),
    look("/documents/new", || get(pages::document_form::new)),
    edit("/documents/new", || post(pages::document_form::create)),
    look("/documents/{id}", || get(pages::documents::one)),
    edit("/documents/{id}", || post(pages::documents::submit)),
    look("/documents/{id}/edit", || get(pages::document_form::edit)),
    edit("/documents/{id}/edit", || post(pages::document_form::save)),
    act("/documents/{id}/link", || post(pages::documents::link_ticket)),
    look("/documents/{id}/versions", || get(pages::documents::versions)),
    look("/attachments/{id}", || get(pages::files::download)),
    look("/ticket-types", || get(pages::ticket_types::page)),
    look("/ticket-template", || get(pages::ticket_template::page)),
    edit("/ticket-template", || post(pages::ticket_template::submit)),
    edit("/ticket-types", || post(pages::ticket_types::submit)),
    look("/config", || get(pages::system::config)),
    look("/process", || get(pages::system::process)),
    open("/status", || get(pages::public::page)),
    open("/login", || get(pages::login::form)),
    open("/login", || post(pages::login::submit)),
    open("/logout", || post(pages::login::logout)),
    open("/theme", || post(pages::login::theme)),
    // Acts: the form on its own page, and what it does.
    look("/act/{act}", || get(pages::act::form)),
    act("/act/{act}", || post(pages::act::submit)),
    // API
    look("/api/v1/status", || get(api::process::status)),
    look("/api/v1/process", || get(api::process::process)),
    look("/api/v1/config", || get(api::process::config)),
    look("/api/v1/hosts", || get(api::objects::hosts)),
    look("/api/v1/services", || get(api::objects::services)),
    look("/api/v1/hosts/{host}", || get(api::objects::host)),
    look("/api/v1/hosts/{host}/origins", || get(api::objects::host_origins)),
    look("/api/v1/hosts/{host}/services/{service}", || get(api::objects::service)),
    look("/api/v1/hosts/{host}/services/{service}/origins", || get(api::objects::service_origins)),
    look("/api/v1/history", || get(api::objects::history)),
    look("/api/v1/why", || get(api::why::why)),
    look("/api/v1/comments", || get(api::objects::comments)),
    look("/api/v1/downtimes", || get(api::objects::downtimes)),
    look("/api/v1/alarms", || get(api::records::alarms)),
    look("/api/v1/alarms/report", || get(api::records::report)),
    look("/api/v1/alarm-groups", || get(api::records::groups)),
    look("/api/v1/alarms/{id}", || get(api::records::alarm)),
    look("/api/v1/suppressions", || get(api::suppressions::list)),
    look("/api/v1/tickets", || get(api::tickets::list)),
    look("/api/v1/tickets/{reference}", || get(api::tickets::one)),
    look("/api/v1/assets", || get(api::assets::all)),
    edit("/api/v1/assets", || post(api::assets::add)),
    edit("/api/v1/assets/import", || post(api::assets::import)),
    edit("/api/v1/assets/observe", || post(api::assets::observe)),
    look("/api/v1/assets/{asset}", || get(api::assets::one)),
    edit("/api/v1/assets/{asset}", || post(api::assets::edit)),
    edit("/api/v1/assets/{asset}/service", || post(api::assets::service)),
    rule("/api/v1/assets/{asset}/forget", || post(api::assets::forget)),
    look("/api/v1/networks", || get(api::assets::networks)),
    edit("/api/v1/networks/{network}", || post(api::assets::switch)),
    look("/api/v1/anomalies", || get(api::assets::anomalies)),
    edit("/api/v1/anomalies/accept", || post(api::assets::accept_many)),
    edit("/api/v1/anomalies/keep", || post(api::assets::keep_many)),
    edit("/api/v1/anomalies/{id}/accept", || post(api::assets::accept)),
    edit("/api/v1/anomalies/{id}/keep", || post(api::assets::keep)),
    act("/api/v1/anomalies/{id}/ticket", || post(api::assets::ticket)),
    look("/api/v1/notifications", || get(api::messages::messages)),
    look("/api/v1/events", || get(live::events)),
    look("/api/v1/discovery", || get(api::discovery::board)),
    look("/api/v1/discovery/scans", || get(api::discovery::scans)),
    look("/api/v1/discovery/scans/{id}", || get(api::discovery::scan)),
    edit("/api/v1/discovery/scans", || post(api::discovery::start)),
    edit("/api/v1/discovery/scans/{id}/cancel", || post(api::discovery::cancel)),
    edit("/api/v1/discovery/scans/{id}/insert", || post(api::discovery::insert)),
    act("/api/v1/acknowledge", || post(api::acts::acknowledge)),
    act("/api/v1/remove-acknowledgement", || post(api::acts::remove_acknowledgement)),
    act("/api/v1/comment", || post(api::acts::comment)),
    act("/api/v1/comments/{id}/delete", || post(api::acts::delete_comment)),
    act("/api/v1/downtime", || post(api::silence::downtime)),
    act("/api/v1/downtimes/{id}/cancel", || post(api::silence::cancel_downtime)),
    act("/api/v1/recheck", || post(api::acts::recheck)),
    act("/api/v1/result", || post(api::acts::result)),
    act("/api/v1/results", || post(api::acts::results)),
    act("/api/v1/tickets", || post(api::tickets::open)),
    look("/api/v1/documents", || get(api::documents::list)),
    edit("/api/v1/documents", || post(api::documents::create)),
    look("/api/v1/documents/{id}", || get(api::documents::one)),
    edit("/api/v1/documents/{id}", || post(api::documents::edit)),
    look("/api/v1/documents/{id}/versions", || get(api::documents::versions)),
    edit("/api/v1/documents/{id}/restore", || post(api::documents::restore)),
    edit("/api/v1/documents/{id}/delete", || post(api::documents::delete)),
    act("/api/v1/documents/{id}/link", || post(api::documents::link)),
    act("/api/v1/documents/{id}/unlink", || post(api::documents::unlink)),
    edit("/api/v1/documents/{id}/attachments", || post(api::documents::attach)),
    act("/api/v1/tickets/{reference}/attachments", || post(api::files::attach)),
    look("/api/v1/attachments/{id}", || get(pages::files::download)),
    rule("/api/v1/attachments/{id}/delete", || post(api::files::delete)),
    act("/api/v1/tickets/{reference}/note", || post(api::tickets::note)),
    act("/api/v1/tickets/{reference}/close", || post(api::tickets::close)),
    act("/api/v1/tickets/{reference}/reopen", || post(api::tickets::reopen)),
    act("/api/v1/tickets/{reference}/edit", || post(api::tickets::edit)),
    act("/api/v1/tickets/{reference}/subscribe", || post(api::tickets::subscribe)),
    act("/api/v1/tickets/{reference}/unsubscribe", || post(api::tickets::unsubscribe)),
    rule("/api/v1/tickets/{reference}/delete", || post(api::tickets::delete)),
    look("/api/v1/ticket-tags", || get(api::tickets::tags)),
    look("/api/v1/ticket-types", || get(api::tickets::types)),
    look("/api/v1/ticket-template", || get(api::ticket_template::show)),
    edit("/api/v1/ticket-template", || post(api::ticket_template::set)),
    edit("/api/v1/ticket-types", || post(api::tickets::add_type)),
    edit("/api/v1/ticket-types/{name}", || post(api::tickets::change_type)),
    edit("/api/v1/ticket-types/{name}/delete", || post(api::tickets::delete_type)),
    act("/api/v1/alarms/{id}/close", || post(api::acts::close_alarm)),
    act("/api/v1/alarms/{id}/reopen", || post(api::records::reopen)),
    act("/api/v1/alarms/{id}/comment", || post(api::records::comment)),
    act("/api/v1/alarms/{id}/label", || post(api::records::label)),
    act("/api/v1/alarms/{id}/own", || post(api::acts::own_alarm)),
    act("/api/v1/alarms/{id}/ticket", || post(api::tickets::for_alarm)),
    act("/api/v1/suppressions/{id}/revoke", || post(api::suppressions::revoke)),
    act("/api/v1/notifications/test", || post(api::messages::test)),
    rule("/api/v1/reload", || post(api::process::reload)),
    rule("/api/v1/backup", || post(api::process::back_up)),
    Route { path: "/api/v1/users", needs: Some(Role::Admin), call: || get(api::users::list) },
    rule("/api/v1/users", || post(api::users::add)),
    rule("/api/v1/users/{name}/password", || post(api::users::password)),
    rule("/api/v1/users/{name}/disable", || post(api::users::disable)),
    rule("/api/v1/users/{name}/enable", || post(api::users::enable)),
    rule("/api/v1/users/{name}/role", || post(api::users::role)),
    Route { path: "/api/v1/users/{name}/tokens", needs: Some(Role::Admin), call: || get(api::users::tokens) },
    rule("/api/v1/users/{name}/tokens", || post(api::users::add_token)),
    rule("/api/v1/users/{name}/tokens/{label}/revoke", || post(api::users::revoke_token)),
    open("/api/v1/login", || post(api::users::login)),
    // For machines
    look(METRICS, || get(metrics::page)),
    open("/healthz", || get(api::process::healthz)),
    open("/readyz", || get(api::process::readyz)),
    open("/static/{hash}/{name}", || get(assets::serve)),
];

pub(super) fn router(web: &Web) -> Router {
    let mut router = Router::new();
    for route in ROUTES {
        let (limit, patience) = if UPLOADS.contains(&route.path) {
            (UPLOAD_LIMIT, UPLOAD_PATIENCE)
        } else {
            (BODY_LIMIT, PATIENCE)
        };
        let checked = (route.call)()
            .route_layer(from_fn_with_state(route.needs, auth::require))
            .route_layer(RequestBodyLimitLayer::new(limit))
            .route_layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, patience));
        router = router.route(if route.path == METRICS { metrics_path(web) } else { route.path }, checked);
    }
    let router = router
        .fallback(old::fallback)
        .method_not_allowed_fallback(|| async {
            Failure::Wrong("This address does not take that method.".to_owned())
        })
        .layer(from_fn_with_state(web.clone(), auth::admit));
    around(web, router)
}

/// `metrics.path`, where that is an address that nothing else has.
fn metrics_path(web: &Web) -> &str {
    let asked = web.rules.metrics.as_str();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.' | '~');
    let is_free = !ROUTES.iter().any(|route| route.path == asked && route.path != METRICS);
    if asked.starts_with('/') && asked.chars().all(is_plain) && is_free {
        return asked;
    }
    if !asked.is_empty() {
        tracing::warn!(
            event = "web.metrics_path",
            path = asked,
            "metrics.path cannot be used: metrics are at {METRICS}"
        );
    }
    METRICS
}

pub(super) fn metrics_router(web: &Web) -> Router {
    let open = |call: MethodRouter<Web>| call;
    let router = Router::new()
        .route("/metrics", open(get(metrics::page)))
        .route("/healthz", open(get(api::process::healthz)))
        .route("/readyz", open(get(api::process::readyz)));
    around(web, router)
}

fn around(web: &Web, router: Router<Web>) -> Router {
    let counted = web.clone();
    router
        .with_state(web.clone())
        .layer(csrf(web))
        .layer(CompressionLayer::new().compress_when(whole_bodies()))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, UPLOAD_PATIENCE + PATIENCE))
        .layer(CatchPanicLayer::custom(move |panic: Box<dyn Any + Send>| caught(&counted, &panic)))
        .layer(from_fn(headers))
}

/// Bodies that are there as a whole. The encoder takes a pause of a streamed body for its end and cuts it off: the
/// metrics are streamed, and Prometheus refused them.
fn whole_bodies() -> impl Predicate {
    DefaultPredicate::new().and(NotForContentType::const_new("text/plain"))
}

/// A POST from a page of another origin is refused by what the browser says of it; programs, which say
/// nothing, pass and need a token or the socket anyway.
fn csrf(web: &Web) -> CsrfLayer {
    let origin = web.rules.url.as_deref().map(|url| url.splitn(4, '/').take(3).collect::<Vec<_>>().join("/"));
    let trusted = origin.and_then(|origin| CsrfLayer::new().add_trusted_origin(origin).ok());
    trusted.unwrap_or_default()
}

fn caught(web: &Web, panic: &(dyn Any + Send)) -> Response {
    web.panics.fetch_add(1, Ordering::Relaxed);
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no text");
    tracing::error!(event = "web.panic", error = %text, "a request ended in a panic");
    (StatusCode::INTERNAL_SERVER_ERROR, "vigia made a mistake; its log says more\n").into_response()
}

const HEADERS: &[(&str, &str)] = &[
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
         form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
];

async fn headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for (name, value) in HEADERS {
        // What is not ours to vouch for, a file that somebody attached, is given out with a stricter policy.
        response.headers_mut().entry(*name).or_insert(HeaderValue::from_static(value));
    }
    // Old figures must not come back from a cache and look new.
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
