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
    let (status, _, page) = get(&daemon, "/status", &[]).await;
    assert_eq!(status, 200);
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

#[tokio::test]
async fn results_come_in_bulk_and_each_that_is_refused_is_named() {
    let daemon = with("").await;
    let result = |host: &str, service: &str, state: Value| json!({"host": host, "service": service, "state": state, "output": "OK"});
    let mut results: Vec<Value> = (0..5000).map(|n| result("web1", "HTTP", json!(n % 2))).collect();
    results.push(result("web1", "SSH", json!("WARNING")));
    results.push(result("web1", "gone", json!(0)));
    results.push(result("db1", "MYSQL", json!("splendid")));
    let answer = acts(&daemon, "/api/v1/results", json!({"results": results})).await;
    assert_eq!(answer["accepted"], 5001, "{answer}");
    let refused = answer["refused"].as_array().expect("a list");
    let named: Vec<(&Value, &Value)> = refused.iter().map(|one| (&one["host"], &one["service"])).collect();
    assert_eq!(named, [(&json!("db1"), &json!("MYSQL")), (&json!("web1"), &json!("gone"))], "{answer}");
    daemon.wait_for("/api/v1/hosts/web1/services/SSH", |service| service["state"] == 1).await;
    daemon.wait_for("/api/v1/hosts/web1/services/HTTP", |service| service["state"] == 1).await;
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
