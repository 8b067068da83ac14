//! Every page and the API over the fixture: what is shown, what is escaped, who may do what.
#![allow(clippy::string_slice, reason = "places that were just found in the same text")]

mod acts;
mod contrast;
mod discovery;
mod documents;
mod doors;
mod files;
mod metrics;
mod roles;
mod tickets;

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
    "/alarms/1",
    "/alarms?group=root",
    "/alarms?q=%22%3E%3Cscript%3Ealert(13)&label=x%22&owner=nobody&severity=3",
    "/alarms/report",
    "/suppressions",
    "/suppressions?status=ended",
    "/hosts/db01/services/load",
    "/tickets",
    "/tickets/AVA01",
    "/tickets?status=all&q=%3Cscript%3Ealert(7)%3C%2Fscript%3E&tag=x%22",
    "/ticket-types?change=Generic",
    "/ticket-template?ticket=AVA01",
    "/act/ticket?class=Vulnerability&field-ip=%22%3E%3Cscript%3E",
    "/notifications",
    "/notifications?status=waiting",
    "/assets",
    "/assets?q=%22%3E%3Cscript%3Ealert(11)&sort=-address",
    "/assets?q=sate:down",
    "/assets/db01",
    "/assets/192.0.2.77",
    "/assets/192.0.2.40",
    "/networks",
    "/anomalies",
    "/anomalies?status=all&q=%22%3E%3Cscript%3Ealert(12)",
    "/documents",
    "/documents?q=power&link=host:db01&for=AVA01",
    "/documents?q=%22%3E%3Cscript%3Ealert(13)&due=yes",
    "/documents/1",
    "/documents/1/versions?from=1&to=2",
    "/documents/1/edit",
    "/documents/new?ticket=AVA01",
    "/discovery",
    "/discovery?network=net:office&targets=%3Cscript%3Ealert(10)&scan=full",
    "/discovery/7",
    "/discovery/7?verdict=new",
    "/discovery/6",
    "/discovery/8",
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
        for harm in
            ["<script>alert", "<img src=x", "<b>not", "<i>x", "</title> ", "onerror=alert(2)>\"", "<u>"]
        {
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
    tokio::join!(web.follow(), super::serve::tcp(listener, site.router, None, CancellationToken::new()));
}
