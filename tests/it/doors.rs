//! The ways in: a proxy that has asked for the password, the page for everybody, metrics where one wants them, old
//! bookmarks, results in bulk.

use http_body_util::BodyExt;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

use crate::support::daemon::TestDaemon;
use crate::support::site::{HEAD, acts, add_operator, report_hard};

const SITE: &str = "hosts:
  web1: {address: 192.0.2.1, hostgroups: [shop], check: {passive: {}}, services: {HTTP: {passive: {}}, SSH: {passive: {}}}}
  db1: {address: 192.0.2.2, check: {passive: {}}, services: {MYSQL: {passive: {}}}}
hostgroups: {shop: {}}
";

async fn with(web: &str) -> TestDaemon {
    TestDaemon::start(&[("vigia.yaml", &format!("{HEAD}{SITE}{web}"))]).await
}

/// A GET with headers: status, `Location`, body.
async fn get(daemon: &TestDaemon, path: &str, headers: &[(&str, &str)]) -> (u16, String, String) {
    let mut request = hyper::Request::get(daemon.url(path));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let client = hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build_http::<String>();
    let answer = client.request(request.body(String::new()).expect("a request")).await.expect("an answer");
    let location = answer.headers().get("location").map(|place| place.to_str().expect("text").to_owned());
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.expect("a whole answer").to_bytes();
    (status, location.unwrap_or_default(), String::from_utf8(body.to_vec()).expect("text"))
}

#[tokio::test]
async fn a_proxy_says_who_asks_and_nobody_else_can() {
    let web = "web: {auth: {anonymous: none, proxy: {from: [127.0.0.1], role: viewer}}}\n";
    let daemon = with(web).await;
    add_operator(&daemon).await;
    let hosts = "/api/v1/hosts";
    assert_eq!(get(&daemon, hosts, &[]).await.0, 401, "nobody looks without a name");
    assert_eq!(get(&daemon, hosts, &[("x-remote-user", "vera")]).await.0, 200);
    let forwarded = [("x-remote-user", "vera"), ("x-forwarded-for", "192.0.2.9")];
    assert_eq!(get(&daemon, hosts, &forwarded).await.0, 200);
    let users = "/api/v1/users";
    assert_eq!(get(&daemon, users, &[("x-remote-user", "vera")]).await.0, 403, "a viewer");
    let page = get(&daemon, "/hosts/web1", &[("x-remote-user", "ana")]).await.2;
    assert!(page.contains("<b>ana</b>, operator"), "a user of ours keeps the role");
    acts(&daemon, "/api/v1/users/ana/disable", json!({})).await;
    assert_eq!(get(&daemon, hosts, &[("x-remote-user", "ana")]).await.0, 401, "disabled is disabled");
    daemon.stop().await;

    let daemon = with("web: {auth: {anonymous: none, proxy: {from: [192.0.2.0/24]}}}\n").await;
    let smuggled = [("x-remote-user", "root"), ("x-forwarded-for", "192.0.2.7")];
    assert_eq!(get(&daemon, hosts, &smuggled).await.0, 401, "not from the proxy");
    daemon.stop().await;
}

#[tokio::test]
async fn everybody_may_see_what_is_public_and_nothing_else() {
    let daemon = with("web: {auth: {anonymous: none}, public_status: 'group:shop'}\n").await;
    report_hard(&daemon, "web1", "HTTP", 2, "secret output").await;
    acts(&daemon, "/api/v1/acknowledge", json!({"host": "web1", "service": "HTTP", "comment": "on it"}))
        .await;
    let (status, _, page) = get(&daemon, "/status", &[]).await;
    assert_eq!(status, 200);
    assert!(page.contains("acknowledged") && !page.contains("acknowledged by"), "{page}");
    assert!(page.contains("1 problem") && page.contains("web1") && page.contains("CRITICAL"), "{page}");
    assert!(!page.contains("secret output") && !page.contains("db1"), "{page}");
    assert_eq!(get(&daemon, "/services", &[]).await.0, 303, "the rest asks for a login");
    daemon.stop().await;

    let daemon = with("").await;
    assert_eq!(get(&daemon, "/status", &[]).await.0, 404, "nothing is public unless it is said");
    daemon.stop().await;
}

#[tokio::test]
async fn metrics_are_where_they_are_wanted() {
    let daemon = with("metrics: {path: /nagios/metrics}\n").await;
    assert!(get(&daemon, "/nagios/metrics", &[]).await.2.contains("vigia_service_state"));
    assert_eq!(get(&daemon, "/metrics", &[]).await.0, 404);
    daemon.stop().await;

    // An address that is taken is refused in the log, and metrics stay where they were.
    let daemon = with("metrics: {path: /services}\n").await;
    daemon.logged("web.metrics_path").await;
    assert_eq!(get(&daemon, "/metrics", &[]).await.0, 200);
    assert!(get(&daemon, "/services", &[]).await.2.contains("Service Detail"));
    daemon.stop().await;
}

#[tokio::test]
async fn old_bookmarks_lead_to_pages_that_are_there() {
    let daemon = with("").await;
    for old in [
        "/nagios/cgi-bin/status.cgi?host=all&servicestatustypes=248",
        "/cgi-bin/nagios3/status.cgi?hostgroup=all&style=hostdetail&hoststatustypes=12",
        "/nagios/cgi-bin/status.cgi?host=web1",
        "/nagios/cgi-bin/extinfo.cgi?type=1&host=web1",
        "/nagios/cgi-bin/extinfo.cgi?type=2&host=web1&service=HTTP",
        "/nagios/cgi-bin/extinfo.cgi?type=7",
        "/nagios/cgi-bin/extinfo.cgi?type=0",
        "/nagios/cgi-bin/outages.cgi",
        "/nagios/cgi-bin/tac.cgi",
    ] {
        let (status, place, _) = get(&daemon, old, &[]).await;
        assert_eq!(status, 308, "{old}");
        let (status, _, page) = get(&daemon, &place, &[]).await;
        assert_eq!(status, 200, "{old} leads to {place}: {page}");
    }
    assert_eq!(get(&daemon, "/nagios/cgi-bin/cmd.cgi?cmd_typ=17", &[]).await.0, 404);
    daemon.stop().await;
}

/// Lines of the audit that are results.
fn audited_results(database: &std::path::Path) -> i64 {
    let connection = rusqlite::Connection::open(database).expect("it opens");
    let count = "SELECT count(*) FROM audit WHERE action = 'submit-result'";
    connection.query_row(count, [], |row| row.get(0)).expect("a number")
}

#[tokio::test]
async fn results_come_in_bulk_and_each_that_is_refused_is_named() {
    let daemon = with("").await;
    let result = |host: &str, service: &str, state: Value| json!({"host": host, "service": service, "state": state, "output": "OK"});
    let mut results: Vec<Value> = (0..10_000).map(|n| result("web1", "HTTP", json!(n % 2))).collect();
    results.push(result("web1", "SSH", json!("WARNING")));
    results.push(result("web1", "gone", json!(0)));
    results.push(result("db1", "MYSQL", json!("splendid")));
    results.push(json!({"host": "db1", "service": "MYSQL", "state": 0}));
    let answer = acts(&daemon, "/api/v1/results", json!({"results": results})).await;
    assert_eq!(answer["accepted"], 10_001, "{answer}");
    assert_eq!(
        answer["refused"],
        json!([
            {"index": 10_001, "host": "web1", "service": "gone", "error": "there is no host or service `web1/gone`"},
            {"index": 10_002, "host": "db1", "service": "MYSQL", "error": "`splendid` is not a state; it is one of OK, WARNING, CRITICAL, UNKNOWN or 0 to 3"},
            {"index": 10_003, "host": "db1", "service": "MYSQL", "error": "missing field `output`"},
        ])
    );
    daemon.wait_for("/api/v1/hosts/web1/services/SSH", |service| service["state"] == 1).await;
    daemon.wait_for("/api/v1/hosts/web1/services/HTTP", |service| service["state"] == 1).await;
    let (_folder, database) = (daemon.folder(), daemon.state().join("vigia.db"));
    daemon.stop().await;
    assert_eq!(audited_results(&database), 0, "results are not acts of a person");
}

#[tokio::test]
async fn a_result_says_when_it_was_seen_and_is_believed_within_bounds() {
    let daemon = with("").await;
    let now = daemon.get("/api/v1/status").await["program_start"].as_i64().expect("a second");
    let result = |service: &str, at: i64| json!({"host": "web1", "service": service, "state": 2, "output": "x", "at": at});
    let (status, answer) = daemon.post("/api/v1/result", &result("HTTP", now - 200_000)).await;
    assert_eq!(status, 409, "{answer}");
    assert!(answer["error"].as_str().expect("a text").contains("more than a day ago"), "{answer}");
    let (status, answer) = daemon.post("/api/v1/result", &result("HTTP", now + 7200)).await;
    assert_eq!(status, 409, "{answer}");
    assert!(answer["error"].as_str().expect("a text").contains("still to come"), "{answer}");
    assert_eq!(daemon.get("/api/v1/tickets").await["total"], 0);
    acts(&daemon, "/api/v1/result", result("SSH", now - 3600)).await;
    let ssh = "/api/v1/hosts/web1/services/SSH";
    daemon.wait_for(ssh, |service| service["last_check"] == now - 3600).await;
    let (status, answer) = daemon.post("/api/v1/result", &result("SSH", now - 3700)).await;
    assert_eq!(status, 409, "{answer}");
    assert!(answer["error"].as_str().expect("a text").contains("newer result"), "{answer}");
    let (_folder, database) = (daemon.folder(), daemon.state().join("vigia.db"));
    daemon.stop().await;
    assert_eq!(audited_results(&database), 0, "nor is a single one");
}

#[tokio::test]
async fn every_list_is_sorted_both_ways() {
    let daemon = with("").await;
    for (service, title) in [("HTTP", "b"), ("SSH", "c")] {
        report_hard(&daemon, "web1", service, 2, "x").await;
        acts(&daemon, "/api/v1/tickets", json!({"title": title, "text": "x"})).await;
    }
    daemon.wait_for_total("/api/v1/alarms?status=open", 2).await;
    let firsts = async |list: &str, field: &str| {
        let one = daemon.get(&format!("/api/v1/{list}&sort={field}")).await["items"][0].clone();
        let other = daemon.get(&format!("/api/v1/{list}&sort=-{field}")).await["items"][0].clone();
        (one, other)
    };
    for field in ["last", "first", "host_name"] {
        let (one, other) = firsts("alarms?status=all", field).await;
        assert_ne!(one["id"], other["id"], "{field}");
    }
    for field in ["updated", "opened", "title"] {
        let (one, other) = firsts("tickets?status=all", field).await;
        assert_ne!(one["reference"], other["reference"], "{field}");
    }
    for list in ["alarms", "tickets", "services"] {
        let (status, answer) = daemon.text(&format!("/api/v1/{list}?sort=colour")).await;
        assert!(status == 400 && answer.contains("colour"), "{list}: {answer}");
    }
    daemon.stop().await;
}

#[tokio::test]
async fn a_program_shows_its_token_until_it_is_revoked() {
    let daemon = with("web: {auth: {anonymous: none}}\n").await;
    add_operator(&daemon).await;
    let made = daemon.cli(&["user", "token", "add", "ana", "backup", "--expires", "90d"]).await;
    let token = String::from_utf8(made.stdout).expect("text");
    assert!(made.status.success() && token.trim().len() > 30, "{token}");
    let bearer = format!("Bearer {}", token.trim());
    let hosts = || async { get(&daemon, "/api/v1/hosts", &[("authorization", &bearer)]).await.0 };
    assert_eq!(hosts().await, 200);
    let users = get(&daemon, "/api/v1/users", &[("authorization", &bearer)]).await.0;
    assert_eq!(users, 403, "it may what its user may");

    let again = daemon.cli(&["user", "token", "add", "ana", "backup"]).await;
    assert_eq!(again.status.code(), Some(1), "one of a label");
    let listed = daemon.cli(&["user", "token", "list", "ana"]).await;
    let listed = String::from_utf8(listed.stdout).expect("text");
    assert!(listed.contains("backup") && !listed.contains(token.trim()), "{listed}");

    let revoked = daemon.cli(&["user", "token", "revoke", "ana", "backup"]).await;
    assert!(revoked.status.success());
    assert_eq!(hosts().await, 401);
    let nobody = daemon.cli(&["user", "token", "list", "nobody"]).await;
    assert!(String::from_utf8_lossy(&nobody.stderr).contains("there is no user `nobody`"));
    daemon.stop().await;
}

/// An open stream of events under a login; ends by itself only when it is ended.
async fn stream(daemon: &TestDaemon, token: &str) -> hyper::body::Incoming {
    let request = hyper::Request::get(daemon.url("/api/v1/events?view=services"))
        .header("authorization", format!("Bearer {token}"))
        .body(String::new())
        .expect("a request");
    let client = hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build_http::<String>();
    let answer = client.request(request).await.expect("an answer");
    assert_eq!(answer.status(), 200);
    let mut body = answer.into_body();
    body.frame().await.expect("it begins").expect("a frame");
    body
}

#[tokio::test]
async fn who_is_out_sees_nothing_more_not_even_on_a_page_that_is_open() {
    let daemon = with("web: {auth: {anonymous: none}}\n").await;
    add_operator(&daemon).await;
    let (name, password) = crate::support::site::OPERATOR;
    let login = json!({"name": name, "password": password});
    let token = acts(&daemon, "/api/v1/login", login).await["token"].as_str().expect("a token").to_owned();
    let open = stream(&daemon, &token).await;
    acts(&daemon, "/api/v1/users/ana/disable", json!({})).await;
    open.collect().await.expect("it ends in order");
    let bearer = format!("Bearer {token}");
    assert_eq!(get(&daemon, "/api/v1/hosts", &[("authorization", &bearer)]).await.0, 401);

    acts(&daemon, "/api/v1/users/ana/enable", json!({})).await;
    let made = daemon.cli(&["user", "token", "add", "ana", "wall"]).await;
    let token = String::from_utf8(made.stdout).expect("text");
    let open = stream(&daemon, token.trim()).await;
    daemon.cli(&["user", "token", "revoke", "ana", "wall"]).await;
    open.collect().await.expect("it ends in order");
    daemon.stop().await;
}

#[tokio::test]
async fn a_file_under_another_hash_is_served_and_not_kept() {
    let daemon = with("").await;
    let (_, _, page) = get(&daemon, "/services", &[]).await;
    let (_, rest) = page.split_once("href=\"/static/").expect("a style");
    let (own, _) = rest.split_once('"').expect("its end");
    let kept = |path: String| async move {
        let client = hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build_http::<String>();
        let request = hyper::Request::get(path).body(String::new()).expect("a request");
        let answer = client.request(request).await.expect("an answer");
        (answer.status().as_u16(), answer.headers()["cache-control"].to_str().expect("text").to_owned())
    };
    let (status, words) = kept(daemon.url(&format!("/static/{own}"))).await;
    assert!(status == 200 && words.contains("immutable"), "{words}");
    let name = own.rsplit('/').next().expect("a name");
    assert_eq!(kept(daemon.url(&format!("/static/000000000000/{name}"))).await, (200, "no-cache".to_owned()));
    daemon.stop().await;
}

#[tokio::test]
async fn this_machines_own_name_is_answered_to_and_no_other() {
    let daemon = with("").await;
    let name = nix::unistd::gethostname().expect("a name").into_string().expect("text");
    assert_ne!(get(&daemon, "/services", &[("host", &name)]).await.0, 421);
    assert_eq!(get(&daemon, "/services", &[("host", "rebound.example.test")]).await.0, 421);
    // Who asks by a name that others use may be anybody, sent here by a proxy.
    assert_eq!(get(&daemon, "/api/v1/hosts", &[("host", &name)]).await.0, 401);
    daemon.stop().await;
}

#[tokio::test]
async fn the_audit_knows_who_did_it_and_from_where() {
    let daemon = with("").await;
    add_operator(&daemon).await;
    let (_folder, database) = (daemon.folder(), daemon.state().join("vigia.db"));
    daemon.stop().await;
    let connection = rusqlite::Connection::open(&database).expect("it opens");
    let line = "SELECT author, peer FROM audit WHERE subject LIKE '%ana%' ORDER BY id LIMIT 1";
    let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, Option<String>>(1)?));
    let (author, peer) = connection.query_row(line, [], read).expect("a line");
    assert_eq!(peer.as_deref(), Some(format!("control socket, {author}").as_str()));
}
