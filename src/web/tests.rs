//! Every page and the API over the fixture: what is shown, what is escaped, who may do what.
#![allow(clippy::string_slice, reason = "places that were just found in the same text")]

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::request::Builder;
use axum::http::{Method, StatusCode, header};
use axum::response::Response;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use vigia_core::model::operation::Operation;

use super::Web;
use super::auth::{Peer, Rules};
use super::fixture::{self, Fixture, HOSTILE_HOST};

const PAGES: &[&str] = &[
    "/",
    "/problems",
    "/problems?handled=all",
    "/services",
    "/services?state=problem&sort=-duration",
    "/services?host=web01",
    "/services?hostgroup=web&state_type=hard&acknowledged=no&downtime=no&q=ssh",
    "/hosts",
    "/hosts?state=down",
    "/hosts/192.0.2.194",
    "/hosts/web01",
    "/hosts/new-host",
    "/hosts/192.0.2.194/services/MYSQL",
    "/hosts/db01/services/disk%20%2Fvar",
    "/hosts/web01/services/HTTPS%20certificate",
    "/hosts/%3Cscript%3Ealert(1)%3C%2Fscript%3E",
    "/hosts/%3Cscript%3Ealert(1)%3C%2Fscript%3E/services/%22%3E%3Cimg%20src%3Dx%20onerror%3Dalert(2)%3E",
    "/alarms",
    "/alarms?status=closed",
    "/tickets",
    "/tickets/AVA01",
    "/notifications",
    "/notifications?status=waiting",
    "/config",
    "/process",
    "/login",
    "/act/acknowledge?object=192.0.2.194/MYSQL&object=web01/load&comment=%3Cscript%3Ealert(5)",
    "/act/downtime?object=db01&start=now&end=2h",
    "/act/comment?object=nobody",
    "/act/ticket?object=192.0.2.194/MYSQL",
    "/no/such/page",
    "/services?state=bad%3Cscript%3Ealert(6)%3C/script%3E",
];

struct Site {
    backend: Arc<Fixture>,
    router: Router,
    web: Web,
}

fn site() -> Site {
    site_of(Fixture::new(fixture::site()))
}

fn site_of(backend: Arc<Fixture>) -> Site {
    let rules = Rules { url: Some("https://vigia.example.test".into()), ..Rules::default() };
    let web = Web::new(backend.clone(), rules, CancellationToken::new());
    Site { backend, router: web.router(), web }
}

fn local() -> Peer {
    Peer::Tcp(SocketAddr::from(([127, 0, 0, 1], 40_000)))
}

fn remote() -> Peer {
    Peer::Tcp(SocketAddr::from(([192, 0, 2, 9], 40_000)))
}

fn ask(method: Method, path: &str) -> Builder {
    Request::builder().method(method).uri(path).header(header::HOST, "localhost:8642")
}

fn as_user(name: &str) -> String {
    format!("vigia=token-of-{name}")
}

impl Site {
    async fn send(&self, request: Request, peer: Peer) -> Response {
        let mut request = request;
        request.extensions_mut().insert(peer);
        self.router.clone().oneshot(request).await.unwrap()
    }

    async fn get(&self, path: &str) -> (StatusCode, String) {
        let response = self.send(ask(Method::GET, path).body(Body::empty()).unwrap(), local()).await;
        let status = response.status();
        (status, text(response).await)
    }

    async fn json(&self, path: &str) -> Value {
        let (status, body) = self.get(path).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    async fn form(&self, path: &str, body: &str, cookie: Option<String>) -> Response {
        let mut request =
            ask(Method::POST, path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(cookie) = cookie {
            request = request.header(header::COOKIE, cookie);
        }
        self.send(request.body(Body::from(body.to_owned())).unwrap(), local()).await
    }

    async fn post(&self, path: &str, body: Value, peer: Peer) -> (StatusCode, Value) {
        let request = ask(Method::POST, path).header(header::CONTENT_TYPE, "application/json");
        let response = self.send(request.body(Body::from(body.to_string())).unwrap(), peer).await;
        let status = response.status();
        (status, serde_json::from_str(&text(response).await).unwrap_or_default())
    }
}

async fn text(response: Response) -> String {
    String::from_utf8(to_bytes(response.into_body(), 64 << 20).await.unwrap().to_vec()).unwrap()
}

fn admin() -> Peer {
    Peer::Local { user: "root".into() }
}

#[tokio::test]
async fn nothing_from_outside_becomes_markup() {
    let site = site();
    site.backend.break_configuration();
    for page in PAGES {
        let (_, body) = site.get(page).await;
        for harm in ["<script>alert", "<img", "<b>not", "<i>x", "</title> ", "onerror=alert(2)>\"", "<u>"] {
            assert!(!body.contains(harm), "{page} lets `{harm}` through");
        }
        assert!(
            !body.contains(" style=") && !body.contains(" onclick=") && !body.contains("javascript:"),
            "{page}"
        );
        assert_eq!(body.matches("<script").count(), 1, "{page}: only our own script, by address");
    }
}

#[tokio::test]
async fn every_page_stands_on_its_own_feet() {
    let site = site();
    for page in PAGES {
        let (status, body) = site.get(page).await;
        let is_wrong = page.contains("no/such") || page.contains("state=bad");
        assert_eq!(status.is_success(), !is_wrong, "{page}: {status}");
        assert_eq!(body.matches("<h1").count(), 1, "{page} has one heading");
        assert!(
            body.contains("<html lang=\"en\"") && body.contains("<title>") && body.contains("<main"),
            "{page}"
        );
        assert!(body.len() < 150_000, "{page} weighs {}", body.len());
        labels(page, &body);
        for (at, _) in body.match_indices("http") {
            let rest = &body[at..];
            let is_address = rest.starts_with("http://") || rest.starts_with("https://");
            assert!(
                !is_address || !body[..at].ends_with("src=\"") && !body[..at].ends_with("href=\""),
                "{page} leaves the origin"
            );
        }
    }
}

/// Every control says what it is: inside a label, or by its own words.
fn labels(page: &str, body: &str) {
    for control in ["<input ", "<select ", "<textarea "] {
        for (at, _) in body.match_indices(control) {
            let tag = body[at..].split('>').next().unwrap();
            if tag.contains("type=\"hidden\"") || tag.contains("aria-label") || tag.contains("id=\"q\"") {
                continue;
            }
            let before = &body[..at];
            let is_inside = before.rfind("<label") > before.rfind("</label>");
            assert!(is_inside, "{page}: {tag} has no label");
        }
    }
    for (at, _) in body.match_indices("<button") {
        let inner = body[at..].split("</button>").next().unwrap();
        let words = inner
            .split('>')
            .skip(1)
            .any(|part| part.split('<').next().is_some_and(|text| !text.trim().is_empty()));
        assert!(words || at > body.find("id=\"pill\"").unwrap(), "{page}: a button without words: {inner}");
    }
}

#[tokio::test]
async fn the_seeds_screen_reads_as_in_the_seed() {
    let mut seed = fixture::Builder::new();
    seed.host("192.0.2.194", "192.0.2.194", Some(vigia_core::model::state::HostState::Up), fixture::seed());
    let site = site_of(Fixture::new(seed.world()));
    let (_, body) = site.get("/services").await;
    assert!(body.contains("7 Matching Service Entries Displayed"));
    let rows: Vec<&str> = body.split("<tr class=\"row").skip(1).collect();
    assert_eq!(rows.len(), 7);
    let mysql = rows[5];
    for part in [
        "MYSQL",
        "CRITICAL",
        "4/4",
        "Access denied for user &#39;nagios&#39;@&#39;192.0.2.178&#39; (using password: NO)",
        "6 d 3 h",
    ] {
        assert!(mysql.contains(part), "{part} in {mysql}");
    }
    assert!(rows[0].contains(" first\"") && !rows[1].contains(" first\""), "the host's name stands once");
    for column in ["Host", "Service", "Status", "Last Check", "Duration", "Attempt", "Status Information"] {
        assert!(body.contains(&format!(">{column}</a></th>")), "{column}");
    }
    for (total, number) in
        [("services-ok", 5), ("services-warning", 1), ("services-critical", 1), ("hosts-up", 1)]
    {
        let count =
            body.split(&format!("data-total=\"{total}\"")).nth(1).unwrap().split("<b>").nth(1).unwrap();
        assert!(count.starts_with(&format!("{number}</b>")), "{total}: {count:.20}");
    }
}

#[tokio::test]
async fn lists_are_filtered_sorted_and_cut() {
    let site = site();
    let names = async |path: &str| -> Vec<String> {
        let body = site.json(path).await;
        let items = body["items"].as_array().unwrap().clone();
        items
            .iter()
            .map(|item| {
                format!(
                    "{}/{}",
                    item["host_name"].as_str().unwrap(),
                    item["description"].as_str().unwrap_or("")
                )
            })
            .collect()
    };
    assert_eq!(names("/api/v1/services?state=2&host=192.0.2.194").await, ["192.0.2.194/MYSQL"]);
    assert_eq!(names("/api/v1/services?state=warning&state_type=soft").await, ["web01/load"]);
    assert_eq!(names("/api/v1/services?acknowledged=yes").await, ["web01/HTTPS certificate"]);
    assert_eq!(names("/api/v1/services?downtime=yes").await, ["db01/disk /var"]);
    assert_eq!(
        names("/api/v1/services?hostgroup=databases&sort=-duration&limit=1").await,
        ["db01/disk /var"]
    );
    assert_eq!(names("/api/v1/services?tag=env=prod&q=forbidden").await, ["192.0.2.194/HTTP"]);
    assert_eq!(
        names("/api/v1/services?host=web*&sort=state&limit=2&offset=2").await,
        ["web01/HTTPS certificate", "web01/load"]
    );
    assert_eq!(names("/api/v1/hosts?state=down,unreachable").await, ["db01/", "mail/"]);
    assert_eq!(names("/api/v1/services?state=pending").await, ["new-host/HTTP", "new-host/SSH"]);
    assert_eq!(site.json("/api/v1/services?limit=3").await["total"], 20);
    assert_eq!(site.get("/api/v1/services?state=purple").await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn every_sort_gives_the_same_rows_on_every_cut() {
    let site = site_of(Fixture::new(fixture::large(60)));
    for sort in ["host", "-host", "service", "-state", "duration", "-last_check", "output", "attempt"] {
        let all = site.json(&format!("/api/v1/services?sort={sort}&limit=10000")).await["items"].clone();
        let mut pieces = Vec::new();
        for offset in (0..600).step_by(70) {
            let piece = site.json(&format!("/api/v1/services?sort={sort}&limit=70&offset={offset}")).await;
            pieces.extend(piece["items"].as_array().unwrap().clone());
        }
        assert_eq!(all, Value::from(pieces), "{sort}");
    }
}

#[tokio::test]
async fn an_item_has_the_fields_and_numbers_of_livestatus() {
    let site = site();
    let item = site.json("/api/v1/hosts/192.0.2.194/services/HTTP").await;
    for (field, value) in [
        ("host_name", json!("192.0.2.194")),
        ("description", json!("HTTP")),
        ("state", json!(1)),
        ("state_type", json!(1)),
        ("current_attempt", json!(4)),
        ("max_check_attempts", json!(4)),
        (
            "plugin_output",
            json!("HTTP WARNING: HTTP/1.1 403 Forbidden - 512 bytes in 0.004 second response time"),
        ),
        ("perf_data", json!("time=0.004s;1;2;0;10 size=512B;;;0")),
        ("has_been_checked", json!(1)),
    ] {
        assert_eq!(item[field], value, "{field}");
    }
    assert!(item["last_check"].is_i64() && item["next_check"].is_i64() && item["last_state_change"].is_i64());
    assert_eq!(site.json("/api/v1/hosts/new-host").await["last_check"], 0);
    let odd =
        site.json("/api/v1/hosts/%3Cscript%3Ealert(1)%3C%2Fscript%3E/services/a%2Fb%3Fc%23d%252F").await;
    assert_eq!(
        (odd["host_name"].as_str(), odd["description"].as_str()),
        (Some(HOSTILE_HOST), Some("a/b?c#d%2F"))
    );
    assert_eq!(site.get("/api/v1/hosts/nobody").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn strangers_do_not_look_and_onlookers_do_not_act() {
    let site = site();
    let look = async |peer: Peer, forwarded: bool| {
        let mut request = ask(Method::GET, "/services");
        if forwarded {
            request = request.header("x-forwarded-for", "192.0.2.1");
        }
        site.send(request.body(Body::empty()).unwrap(), peer).await.status()
    };
    assert_eq!(look(local(), false).await, StatusCode::OK);
    assert_eq!(look(local(), true).await, StatusCode::SEE_OTHER, "a proxy's visitors log in");
    assert_eq!(look(remote(), false).await, StatusCode::SEE_OTHER);
    assert_eq!(look(admin(), false).await, StatusCode::OK);

    let act = json!({"host": "192.0.2.194", "service": "MYSQL", "comment": "on it"});
    assert_eq!(site.post("/api/v1/acknowledge", act.clone(), local()).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(site.post("/api/v1/acknowledge", act, admin()).await.0, StatusCode::OK);
    let request = ask(Method::POST, "/api/v1/reload").header(header::COOKIE, as_user("ivo"));
    let response = site.send(request.body(Body::empty()).unwrap(), local()).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN, "an operator does not reload");
    assert!(text(response).await.contains("admin"));
    let orders = site.backend.orders.lock().unwrap().clone();
    assert_eq!(orders.len(), 1);
    assert_eq!(&*orders[0].author, "root", "the audit names the user of the socket");
}

#[tokio::test]
async fn every_route_that_changes_something_needs_a_role() {
    let site = site();
    for route in super::routes::ROUTES {
        let path = route.path.replace(['{', '}'], "");
        let response = site.send(ask(Method::POST, &path).body(Body::empty()).unwrap(), local()).await;
        let is_open = matches!(route.path, "/login" | "/logout" | "/theme" | "/api/v1/login");
        let takes_post = response.status() != StatusCode::BAD_REQUEST || is_open;
        if takes_post && !is_open {
            assert!(
                matches!(response.status(), StatusCode::UNAUTHORIZED | StatusCode::SEE_OTHER),
                "{path}: {}",
                response.status()
            );
        }
        assert!(route.needs.is_some() || !route.path.starts_with("/api/v1/") || is_open, "{path} is open");
    }
    assert!(site.backend.operations().is_empty());
}

#[tokio::test]
async fn a_form_sent_without_login_comes_back_as_it_was_filled_in() {
    let site = site();
    let form = "object=192.0.2.194%2FMYSQL&comment=on+it+%26+more&back=%2Fproblems";
    let response = site.form("/act/acknowledge", form, None).await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    let to = response.headers()[header::LOCATION].to_str().unwrap().to_owned();
    assert!(to.starts_with("/login?next="), "{to}");
    let (_, login) = site.get(&to).await;
    let next = login
        .split("name=\"next\" value=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap()
        .replace("&#38;", "&");
    let wrong = site.form("/login", "name=ivo&password=wrong&next=%2F", None).await;
    assert_eq!(wrong.status(), StatusCode::UNAUTHORIZED);
    let body = format!("name=ivo&password=correct+horse&next={}", super::query::escape(&next));
    let response = site.form("/login", &body, None).await;
    assert_eq!(response.headers()[header::LOCATION].to_str().unwrap(), next);
    let cookie = response.headers()[header::SET_COOKIE].to_str().unwrap().to_owned();
    assert!(
        cookie.starts_with("vigia=token-of-ivo;")
            && cookie.contains("HttpOnly")
            && cookie.contains("SameSite=Lax"),
        "{cookie}"
    );
    let (_, page) = site.get(&next).await;
    assert!(
        page.contains("on it &#38; more") && page.contains("192.0.2.194/MYSQL"),
        "what was typed is still there"
    );
}

#[tokio::test]
async fn an_acknowledgement_by_form_is_ordered_told_and_can_be_undone() {
    let site = site();
    let form = "object=192.0.2.194%2FMYSQL&object=web01%2Fload&comment=on+it&expires=2h&back=%2Fproblems";
    let response = site.form("/act/acknowledge", form, Some(as_user("ivo"))).await;
    assert_eq!(
        (response.status(), response.headers()[header::LOCATION].to_str().unwrap()),
        (StatusCode::SEE_OTHER, "/problems")
    );
    let said = response.headers()[header::SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
    let orders = site.backend.orders.lock().unwrap().clone();
    assert_eq!(orders.len(), 2);
    assert_eq!(&*orders[0].author, "ivo");
    let Operation::Acknowledge { comment, sticky, expires, .. } = &orders[0].operation else {
        panic!("{orders:?}")
    };
    assert_eq!(
        (&**comment, *sticky, *expires),
        ("on it", true, Some(fixture::now().after(std::time::Duration::from_secs(7200))))
    );
    let request = ask(Method::GET, "/problems").header(header::COOKIE, format!("{}; {said}", as_user("ivo")));
    let page = text(site.send(request.body(Body::empty()).unwrap(), local()).await).await;
    assert!(
        page.contains("Acknowledged 2 objects until ")
            && page.contains("action=\"/act/remove-acknowledgement\"")
    );
}

#[tokio::test]
async fn what_is_typed_wrongly_stays_and_is_said_beside_the_field() {
    let site = site();
    let form = "object=db01&start=now&end=someday&comment=new+disk";
    let response = site.form("/act/downtime", form, Some(as_user("ivo"))).await;
    assert_eq!(response.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let page = text(response).await;
    assert!(
        page.contains("until 18:00")
            && page.contains("value=\"someday\"")
            && page.contains("value=\"new disk\"")
    );
    let response = site
        .form("/act/downtime", "object=db01&end=2h&comment=new+disk&services=yes", Some(as_user("ivo")))
        .await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    assert_eq!(site.backend.operations().len(), 4, "the host and its three services");
    let viewer = site.form("/act/downtime", form, Some(as_user("vera"))).await;
    assert_eq!(viewer.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn the_api_takes_no_slip_for_something_else() {
    let site = site();
    let (status, body) = site.get("/api/v1/services?stat=problem").await;
    assert!(status == StatusCode::BAD_REQUEST && body.contains("`stat` is not a filter"), "{body}");
    let stranger = ask(Method::GET, "/api/v1/services").header(header::AUTHORIZATION, "Bearer no-such-token");
    let response = site.send(stranger.body(Body::empty()).unwrap(), local()).await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    let result = |state: &str| json!({"host": "web01", "service": "HTTP", "state": state, "output": "x"});
    assert_eq!(site.post("/api/v1/result", result("2"), admin()).await.0, StatusCode::OK);
    let (status, body) = site.post("/api/v1/result", result("bad"), admin()).await;
    let said = body["error"].as_str().unwrap();
    assert!(status == StatusCode::BAD_REQUEST && said.contains("CRITICAL"), "{said}");
    let (_, body) = site.post("/api/v1/result", json!({"host": "web01"}), admin()).await;
    let said = body["error"].as_str().unwrap();
    assert!(said.contains("missing field") && !said.contains("deserialize"), "{said}");
}

#[tokio::test]
async fn the_api_acts_as_the_forms_do() {
    let site = site();
    let (status, body) = site.post("/api/v1/downtime", json!({"objects": [{"host": "db01"}, {"host": "web01", "service": "HTTP"}], "comment": "x", "for": "2h"}), admin()).await;
    assert_eq!((status, body["accepted"].as_u64()), (StatusCode::OK, Some(2)), "{body}");
    let (_, body) =
        site.post("/api/v1/tickets", json!({"title": "Disk", "host": "db01", "priority": 7}), admin()).await;
    assert_eq!(body["reference"], "AVA03");
    let (status, body) =
        site.post("/api/v1/tickets/AVA01/close", json!({"resolution": "because"}), admin()).await;
    assert!(status == StatusCode::BAD_REQUEST && body["error"].as_str().unwrap().contains("Fixed"), "{body}");
    assert_eq!(
        site.post("/api/v1/tickets/AVA01/close", json!({"resolution": "fixed"}), admin()).await.0,
        StatusCode::OK
    );
    let results = json!({"results": [
        {"host": "web01", "service": "HTTP", "state": "CRITICAL", "output": "down|time=1s"},
        {"host": "nobody", "state": 1, "output": "x"},
        {"host": "web01", "state": "WARNING", "output": "hosts have no such state"},
    ]});
    let (_, body) = site.post("/api/v1/results", results, admin()).await;
    assert_eq!(
        (body["accepted"].as_u64(), body["refused"].as_array().map(Vec::len)),
        (Some(1), Some(2)),
        "{body}"
    );
    assert_eq!(
        site.post("/api/v1/acknowledge", json!({"host": "nobody", "comment": "x"}), admin()).await.0,
        StatusCode::CONFLICT
    );
    assert_eq!(
        site.post("/api/v1/acknowledge", json!({"comment": "x"}), admin()).await.0,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(
        site.post("/api/v1/comment", json!({"host": "db01", "comment": " "}), admin()).await.0,
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn problems_are_marked_as_sorted_by_a_column_only_when_they_are() {
    let site = site();
    let (_, page) = site.get("/problems?handled=all").await;
    assert!(page.contains("the most urgent first") && !page.contains("aria-sort"), "{page}");
    assert!(page.contains("sort=host") && !page.contains("sort=-host"), "{page}");
    let (_, page) = site.get("/problems?handled=all&sort=host").await;
    assert!(!page.contains("the most urgent first") && page.contains("aria-sort=\"ascending\""), "{page}");
    assert!(page.contains("sort=-host"), "{page}");
}

#[tokio::test]
async fn a_post_from_another_site_is_refused() {
    let site = site();
    for (name, value) in [("sec-fetch-site", "cross-site"), ("origin", "https://evil.test")] {
        let request = ask(Method::POST, "/act/recheck")
            .header(name, value)
            .header(header::COOKIE, as_user("ivo"))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let response = site.send(request.body(Body::from("object=db01")).unwrap(), local()).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{name}: {value}");
    }
    assert!(site.backend.operations().is_empty());
}

#[tokio::test]
async fn every_answer_carries_the_strict_headers() {
    let site = site();
    for path in ["/", "/api/v1/hosts", "/no/such/page", "/metrics", "/healthz"] {
        let response = site.send(ask(Method::GET, path).body(Body::empty()).unwrap(), local()).await;
        let header = |name: &str| {
            response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
        };
        let policy = header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none';") && policy.contains("frame-ancestors 'none'"),
            "{path}"
        );
        assert!(!policy.contains("unsafe"), "{path}");
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header("cache-control"), "no-store", "{path}");
    }
    let strange = Request::builder().uri("/").header(header::HOST, "evil.test").body(Body::empty()).unwrap();
    assert_eq!(site.send(strange, local()).await.status(), StatusCode::MISDIRECTED_REQUEST);
}

#[tokio::test]
async fn assets_are_ours_hashed_and_kept() {
    let site = site();
    let (_, body) = site.get("/").await;
    let addresses = body.match_indices("/static/").map(|(at, _)| body[at..].split('"').next().unwrap());
    let mut count = 0;
    for address in addresses {
        let response = site.send(ask(Method::GET, address).body(Body::empty()).unwrap(), local()).await;
        assert_eq!(response.status(), StatusCode::OK, "{address}");
        assert!(response.headers()[header::CACHE_CONTROL].to_str().unwrap().contains("immutable"));
        count += 1;
    }
    assert!(count >= 3);
    assert_eq!(site.get("/static/x/..%2F..%2FCargo.toml").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_the_administrator_must_know_stands_on_every_page() {
    let site = site();
    assert!(!site.get("/").await.1.contains("class=\"banner"), "calm when all is well");
    site.backend.break_configuration();
    *site.backend.store_trouble.lock().unwrap() = Some("no space left on device".into());
    let (_, body) = site.get("/services").await;
    assert!(body.contains("service web01/HTTP has a mistake") && body.contains("no space left on device"));
    let (_, config) = site.get("/config").await;
    assert!(
        config.contains("conf.d/web.yaml:12:25")
            && config.contains("                         ^ of web1/HTTP"),
        "the line and its caret"
    );
    assert!(config.contains("as last good") && config.contains("web.listen"));
    assert_eq!(site.get("/readyz").await.0, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(site.get("/healthz").await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_change_reaches_the_browser_that_shows_it() {
    use futures_util::StreamExt;
    let site = site();
    let web = site.web.clone();
    let follower = tokio::spawn(async move { web.follow().await });
    let response = site
        .send(
            ask(Method::GET, "/api/v1/events?view=services&host=192.0.2.194").body(Body::empty()).unwrap(),
            local(),
        )
        .await;
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
    let mut stream = response.into_body().into_data_stream();
    let mut world = (*site.backend.world.borrow().clone()).clone();
    let ssh = world.inventory.find(&vigia_core::model::id::ObjectKey::parse("192.0.2.194/SSH")).unwrap();
    let vigia_core::model::id::Checkable::Service(ssh) = ssh else { panic!() };
    let status = world.services.get_mut(ssh.index());
    status.standing.state = vigia_core::model::state::State::Critical;
    status.output = vigia_core::model::check::Output::line("refused\r\n<b>");
    world.totals.services = [4, 1, 2, 0];
    site.backend.publish(world);
    let mut got = String::new();
    while !got.contains("event: totals") {
        got.push_str(std::str::from_utf8(&stream.next().await.unwrap().unwrap()).unwrap());
    }
    assert!(
        got.contains("event: rows") && got.contains("data-key=\"192.0.2.194/SSH\"") && !got.contains("<b>\n"),
        "{got}"
    );
    assert!(!got.contains("data-key=\"192.0.2.194/MYSQL\""), "only what changed");
    assert!(got.contains("\"services-critical\":2") && got.contains("id: "), "{got}");
    follower.abort();
}

/// A name, its labels, its value.
type Series = (String, Vec<(String, String)>, f64);

/// Reads the exposition format strictly: what `promtool` and Prometheus refuse, this refuses.
fn parse_metrics(text: &str) -> Vec<Series> {
    let mut kinds = std::collections::BTreeMap::new();
    let mut closed = std::collections::BTreeSet::new();
    let mut current = String::new();
    let mut series = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    assert!(text.ends_with('\n'));
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            assert!(!help.is_empty() && closed.insert(name.to_owned()), "{name} comes twice");
            current = name.to_owned();
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert_eq!(name, current);
            assert!(
                ["gauge", "counter", "histogram"].contains(&kind)
                    && (kind != "counter" || name.ends_with("_total")),
                "{line}"
            );
            kinds.insert(name.to_owned(), kind.to_owned());
        } else {
            let end = line.find(['{', ' ']).unwrap();
            let (name, rest) = line.split_at(end);
            let base = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
            let is_part =
                kinds.get(&current).is_some_and(|kind| kind == "histogram") && base == Some(&*current);
            assert!(name == current || is_part, "{line}");
            let mut labels = Vec::new();
            let mut chars = rest.chars().peekable();
            if chars.next_if_eq(&'{').is_some() {
                loop {
                    let label: String = std::iter::from_fn(|| chars.next_if(|c| *c != '=')).collect();
                    assert!(label.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{line}");
                    assert_eq!((chars.next(), chars.next()), (Some('='), Some('"')), "{line}");
                    let mut value = String::new();
                    loop {
                        match chars.next().unwrap_or_else(|| panic!("unended: {line}")) {
                            '"' => break,
                            '\\' => value.push(match chars.next() {
                                Some('n') => '\n',
                                Some(c @ ('\\' | '"')) => c,
                                other => panic!("escape {other:?} in {line}"),
                            }),
                            c => value.push(c),
                        }
                    }
                    labels.push((label, value));
                    match chars.next() {
                        Some(',') => {}
                        Some('}') => break,
                        other => panic!("{other:?} in {line}"),
                    }
                }
            }
            let value: String = chars.collect();
            let value: f64 = value
                .strip_prefix(' ')
                .unwrap_or_else(|| panic!("{line}"))
                .replace("+Inf", "inf")
                .parse()
                .unwrap();
            assert!(seen.insert((name.to_owned(), labels.clone())), "twice: {line}");
            series.push((name.to_owned(), labels, value));
        }
    }
    series
}

#[tokio::test]
async fn metrics_are_exact_whatever_the_names() {
    let mut world = fixture::Builder::new();
    let harm = "we\"ird\\name\nx{}=,";
    let output = "OK |'a\"b\\c'=1s 'a\"b\\c'=2s load=0.5;1;2 bad=x rta=0.1ms u=U";
    world.host(
        harm,
        "192.0.2.1",
        Some(vigia_core::model::state::HostState::Up),
        vec![fixture::said("s\"1\\", vigia_core::model::state::State::Ok, 1, 5, output)],
    );
    world.host(
        "\u{feff}ünï",
        "192.0.2.2",
        None,
        vec![fixture::said("waiting", vigia_core::model::state::State::Ok, 1, 0, "")],
    );
    let site = site_of(Fixture::new(world.world()));
    let (_, body) = site.get("/metrics").await;
    let series = parse_metrics(&body);
    let of = |name: &str| series.iter().filter(|(found, ..)| found == name).cloned().collect::<Vec<_>>();
    let label = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        of("vigia_host_state"),
        [("vigia_host_state".to_owned(), vec![label("host", harm)], 0.0)],
        "pending has no state"
    );
    assert_eq!(of("vigia_service_state")[0].1, [label("host", harm), label("service", "s\"1\\")]);
    let perfdata = of("vigia_service_perfdata");
    assert_eq!(perfdata.len(), 3, "a label that comes twice counts once: {perfdata:?}");
    assert_eq!(perfdata[0].1[2..], [label("label", "a\"b\\c"), label("unit", "s")]);
    assert_eq!(of("vigia_build_info").len(), 1);
}

#[tokio::test]
async fn metrics_of_a_large_site_come_in_pieces() {
    use futures_util::StreamExt;
    let site = site_of(Fixture::new(fixture::large(300)));
    let response = site.send(ask(Method::GET, "/metrics").body(Body::empty()).unwrap(), local()).await;
    let pieces: Vec<_> = response.into_body().into_data_stream().map(Result::unwrap).collect().await;
    assert!(pieces.len() > 20 && pieces.iter().all(|piece| piece.len() < 300_000));
    let series = parse_metrics(std::str::from_utf8(&pieces.concat()).unwrap());
    assert_eq!(series.iter().filter(|(name, ..)| name == "vigia_service_state").count(), 3000);
}

#[test]
fn the_index_of_problems_follows_every_world() {
    let index = super::list::ProblemIndex::default();
    let world = Arc::new(fixture::large(100));
    let problems = index.of(&world);
    assert_eq!(problems.services.len(), 20);
    let mut next = (*world).clone();
    next.services.get_mut(1).standing.state = vigia_core::model::state::State::Warning;
    next.services.get_mut(50).standing.state = vigia_core::model::state::State::Ok;
    let next = Arc::new(next);
    let after = index.of(&next);
    assert!(
        after.services.contains(&vigia_core::model::id::ServiceId(1))
            && !after.services.contains(&vigia_core::model::id::ServiceId(50))
    );
    assert_eq!(index.of(&world).services, problems.services, "and goes back");
    assert_eq!(index.of(&Arc::new(fixture::large(1))).services.len(), 1);
}

/// Contrast of the tokens, computed from the style itself.
mod contrast {
    const STYLE: &str = include_str!("static/style.css");

    /// OKLCH to linear sRGB, as CSS Color 4 defines it; out of gamut is clipped.
    fn luminance(oklch: &str) -> f64 {
        let inner = oklch.trim().strip_prefix("oklch(").unwrap().split(')').next().unwrap();
        let parts: Vec<f64> = inner.split_whitespace().take(3).map(|part| part.parse().unwrap()).collect();
        let (l, c, h) = (parts[0], parts[1], parts[2].to_radians());
        let (a, b) = (c * h.cos(), c * h.sin());
        let l_ = (l + 0.396_337_777_4 * a + 0.215_803_757_3 * b).powi(3);
        let m_ = (l - 0.105_561_345_8 * a - 0.063_854_172_8 * b).powi(3);
        let s_ = (l - 0.089_484_177_5 * a - 1.291_485_548 * b).powi(3);
        let r = 4.076_741_662_1 * l_ - 3.307_711_591_3 * m_ + 0.230_969_929_2 * s_;
        let g = -1.268_438_004_6 * l_ + 2.609_757_401_1 * m_ - 0.341_319_396_5 * s_;
        let b = -0.004_196_086_3 * l_ - 0.703_418_614_7 * m_ + 1.707_614_701 * s_;
        let clip = |x: f64| x.clamp(0.0, 1.0);
        0.2126 * clip(r) + 0.7152 * clip(g) + 0.0722 * clip(b)
    }

    fn token(name: &str, is_dark: bool) -> f64 {
        let value = STYLE.split(&format!("--{name}: ")).nth(1).unwrap().split(';').next().unwrap();
        let Some(both) = value.strip_prefix("light-dark(") else { return luminance(value) };
        let colours: Vec<&str> = both.split("oklch(").skip(1).collect();
        luminance(&format!("oklch({}", colours[usize::from(is_dark)]))
    }

    fn ratio(one: f64, two: f64) -> f64 {
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }

    #[test]
    fn text_reads_and_marks_stand_out_on_light_and_dark() {
        for is_dark in [false, true] {
            for ground in ["ground", "paper", "raised", "wash"] {
                let ground_light = token(ground, is_dark);
                let texts = [
                    "ink",
                    "soft-ink",
                    "accent",
                    "ok-text",
                    "warning-text",
                    "critical-text",
                    "unknown-text",
                    "unreachable-text",
                    "pending-text",
                ];
                for text in texts {
                    let found = ratio(token(text, is_dark), ground_light);
                    assert!(found >= 4.5, "{text} on {ground}, dark {is_dark}: {found:.2}");
                }
            }
            for ground in ["ground", "paper"] {
                for mark in ["ok", "warning", "critical", "unknown", "unreachable", "pending", "edge"] {
                    let found = ratio(token(mark, is_dark), token(ground, is_dark));
                    assert!(found >= 3.0, "{mark} on {ground}, dark {is_dark}: {found:.2}");
                }
            }
            for text in ["rail-ink", "rail-soft"] {
                let found = ratio(token(text, is_dark), token("rail", is_dark));
                assert!(found >= 4.5, "{text} on the rail, dark {is_dark}: {found:.2}");
            }
        }
    }
}

/// `VIGIA_WEB_FIXTURE=127.0.0.1:8700 cargo test web::tests::the_fixture` serves the fixture for a look in a
/// browser until it is interrupted; `VIGIA_WEB_FIXTURE_HOSTS` makes it a large one.
#[tokio::test]
async fn the_fixture_can_be_looked_at() {
    let Ok(address) = std::env::var("VIGIA_WEB_FIXTURE") else { return };
    let hosts = std::env::var("VIGIA_WEB_FIXTURE_HOSTS").ok().and_then(|hosts| hosts.parse().ok());
    let site = site_of(Fixture::new(hosts.map_or_else(fixture::site, fixture::large)));
    if std::env::var_os("VIGIA_WEB_FIXTURE_BROKEN").is_some() {
        site.backend.break_configuration();
    }
    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    let web = site.web.clone();
    tokio::join!(web.follow(), super::serve::tcp(listener, site.router, CancellationToken::new()));
}
