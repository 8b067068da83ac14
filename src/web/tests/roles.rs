//! Each address as each role and as nobody. An address that is missing in the table fails it: who may do what is
//! decided twice, and the second time by somebody who looks at nothing else.

use super::*;
use crate::desk::Role;
use crate::web::routes::ROUTES;

const ANYBODY: Option<Role> = None;
const VIEWER: Option<Role> = Some(Role::Viewer);
const OPERATOR: Option<Role> = Some(Role::Operator);
const EDITOR: Option<Role> = Some(Role::Editor);
const ADMIN: Option<Role> = Some(Role::Admin);

type Group = (&'static str, Option<Role>, &'static [&'static str]);

/// By method and by the least role.
const TABLE: &[Group] = &[
    ("GET", ANYBODY, &["/status", "/login", "/healthz", "/readyz", "/static/{hash}/{name}"]),
    ("POST", ANYBODY, &["/login", "/logout", "/theme", "/api/v1/login"]),
    (
        "GET",
        VIEWER,
        &[
            "/",
            "/problems",
            "/services",
            "/hosts",
            "/search",
            "/hosts/{host}",
            "/hosts/{host}/services/{service}",
            "/alarms",
            "/alarms/report",
            "/alarms/{id}",
            "/suppressions",
            "/notifications",
            "/comments",
            "/downtimes",
            "/assets",
            "/assets/{asset}",
            "/networks",
            "/anomalies",
            "/discovery",
            "/discovery/{id}",
            "/tickets",
            "/tickets/{reference}",
            "/attachments/{id}",
            "/documents",
            "/documents/new",
            "/documents/{id}",
            "/documents/{id}/edit",
            "/documents/{id}/versions",
            "/api/v1/documents",
            "/api/v1/documents/{id}",
            "/api/v1/documents/{id}/versions",
            "/api/v1/attachments/{id}",
            "/ticket-types",
            "/ticket-template",
            "/config",
            "/process",
            "/act/{act}",
            "/api/v1/status",
            "/api/v1/process",
            "/api/v1/config",
            "/api/v1/hosts",
            "/api/v1/services",
            "/api/v1/hosts/{host}",
            "/api/v1/hosts/{host}/origins",
            "/api/v1/hosts/{host}/services/{service}",
            "/api/v1/hosts/{host}/services/{service}/origins",
            "/api/v1/history",
            "/api/v1/why",
            "/api/v1/comments",
            "/api/v1/downtimes",
            "/api/v1/alarms",
            "/api/v1/alarms/report",
            "/api/v1/alarm-groups",
            "/api/v1/alarms/{id}",
            "/api/v1/suppressions",
            "/api/v1/tickets",
            "/api/v1/tickets/{reference}",
            "/api/v1/assets",
            "/api/v1/assets/{asset}",
            "/api/v1/networks",
            "/api/v1/anomalies",
            "/api/v1/discovery",
            "/api/v1/discovery/scans",
            "/api/v1/discovery/scans/{id}",
            "/api/v1/ticket-tags",
            "/api/v1/ticket-types",
            "/api/v1/ticket-template",
            "/api/v1/notifications",
            "/api/v1/events",
            "/metrics",
        ],
    ),
    (
        "POST",
        OPERATOR,
        &[
            "/act/{act}",
            "/api/v1/acknowledge",
            "/api/v1/remove-acknowledgement",
            "/api/v1/comment",
            "/api/v1/comments/{id}/delete",
            "/api/v1/downtime",
            "/api/v1/downtimes/{id}/cancel",
            "/api/v1/recheck",
            "/api/v1/result",
            "/api/v1/results",
            "/api/v1/tickets",
            "/api/v1/tickets/{reference}/attachments",
            "/documents/{id}/link",
            "/api/v1/documents/{id}/link",
            "/api/v1/documents/{id}/unlink",
            "/api/v1/tickets/{reference}/note",
            "/api/v1/tickets/{reference}/close",
            "/api/v1/tickets/{reference}/reopen",
            "/api/v1/tickets/{reference}/edit",
            "/api/v1/tickets/{reference}/subscribe",
            "/api/v1/tickets/{reference}/unsubscribe",
            "/anomalies",
            "/api/v1/anomalies/{id}/ticket",
            "/api/v1/alarms/{id}/close",
            "/api/v1/alarms/{id}/own",
            "/api/v1/alarms/{id}/reopen",
            "/api/v1/alarms/{id}/comment",
            "/api/v1/alarms/{id}/label",
            "/api/v1/alarms/{id}/ticket",
            "/api/v1/suppressions/{id}/revoke",
            "/api/v1/notifications/test",
        ],
    ),
    (
        "POST",
        EDITOR,
        &[
            "/assets/{asset}",
            "/documents/new",
            "/documents/{id}",
            "/documents/{id}/edit",
            "/api/v1/documents",
            "/api/v1/documents/{id}",
            "/api/v1/documents/{id}/restore",
            "/api/v1/documents/{id}/delete",
            "/api/v1/documents/{id}/attachments",
            "/networks/{network}",
            "/discovery",
            "/discovery/{id}",
            "/api/v1/assets",
            "/api/v1/assets/import",
            "/api/v1/assets/observe",
            "/api/v1/assets/{asset}",
            "/api/v1/assets/{asset}/service",
            "/api/v1/networks/{network}",
            "/api/v1/anomalies/accept",
            "/api/v1/anomalies/keep",
            "/api/v1/anomalies/{id}/accept",
            "/api/v1/anomalies/{id}/keep",
            "/api/v1/discovery/scans",
            "/api/v1/discovery/scans/{id}/cancel",
            "/api/v1/discovery/scans/{id}/insert",
            "/ticket-types",
            "/ticket-template",
            "/api/v1/ticket-template",
            "/api/v1/ticket-types",
            "/api/v1/ticket-types/{name}",
            "/api/v1/ticket-types/{name}/delete",
        ],
    ),
    ("GET", ADMIN, &["/api/v1/users", "/api/v1/users/{name}/tokens"]),
    (
        "POST",
        ADMIN,
        &[
            "/api/v1/attachments/{id}/delete",
            "/api/v1/assets/{asset}/forget",
            "/api/v1/tickets/{reference}/delete",
            "/api/v1/reload",
            "/api/v1/backup",
            "/api/v1/users",
            "/api/v1/users/{name}/password",
            "/api/v1/users/{name}/disable",
            "/api/v1/users/{name}/enable",
            "/api/v1/users/{name}/role",
            "/api/v1/users/{name}/tokens",
            "/api/v1/users/{name}/tokens/{label}/revoke",
        ],
    ),
];

/// Acts of `/act/{act}` that need more than the others.
const ACTS_OF_ADMINS: &[&str] = &["/act/reload", "/act/delete-ticket", "/act/delete-attachment"];

fn rows() -> impl Iterator<Item = (&'static str, Option<Role>, &'static str)> {
    TABLE.iter().flat_map(|(method, needs, paths)| paths.iter().map(|path| (*method, *needs, *path)))
}

#[test]
fn the_table_has_each_address_with_its_role_and_no_other() {
    let mut known: Vec<(&str, Option<Role>)> = rows().map(|(_, needs, path)| (path, needs)).collect();
    let mut real: Vec<(&str, Option<Role>)> = ROUTES.iter().map(|route| (route.path, route.needs)).collect();
    known.sort_unstable();
    real.sort_unstable();
    let missing: Vec<_> = real.iter().filter(|row| !known.contains(row)).collect();
    assert!(missing.is_empty(), "say in this table who may call {missing:?}");
    assert_eq!(known, real);
}

#[tokio::test]
async fn each_address_answers_those_who_may_and_refuses_all_others() {
    let site = site();
    let people: [(&str, Option<Role>); 5] =
        [("", None), ("vera", VIEWER), ("ivo", OPERATOR), ("eva", EDITOR), ("ada", ADMIN)];
    let acts = ACTS_OF_ADMINS.iter().map(|path| ("POST", ADMIN, *path));
    for (method, needs, path) in rows().chain(acts) {
        for (name, role) in people {
            let is_refused = is_refused(&site, method, path, name).await;
            assert_eq!(is_refused, role < needs, "{method} {path} as {name:?}, who is {role:?}");
        }
    }
}

/// As far as who may is concerned: what is wrong with the request itself is no refusal of the person.
async fn is_refused(site: &Site, method: &str, path: &str, name: &str) -> bool {
    let filled = path.replace("{reference}", "AVA01").replace("{act}", "recheck").replace("{id}", "7");
    let filled = filled.replace(['{', '}'], "");
    let mut request = ask(method.parse().unwrap(), &filled);
    if path.starts_with("/api/") {
        request = request.header(header::CONTENT_TYPE, "application/json");
    } else {
        request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    }
    if !name.is_empty() {
        request = request.header(header::COOKIE, as_user(name));
    }
    let body = match (method, path) {
        ("GET", _) => "",
        (_, path) if path.starts_with("/api/") => "{}",
        (_, "/act/delete-ticket" | "/act/delete-attachment") => "ticket=AVA01",
        (_, _) => "",
    };
    let response = site.send(request.body(Body::from(body)).unwrap(), remote()).await;
    let to_login =
        response.headers().get(header::LOCATION).is_some_and(|to| to.to_str().unwrap().starts_with("/login"));
    // A wrong password is a refusal of the try, not of the address.
    let is_login = path == "/login" || path == "/api/v1/login";
    let is_denied =
        matches!(response.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) && !is_login;
    is_denied || (to_login && path != "/logout")
}
