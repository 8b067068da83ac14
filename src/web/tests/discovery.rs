//! Net Discovery over the fixture: the form, what was found, inserting, and who may.

use super::*;

fn orders(site: &Site) -> Vec<String> {
    site.backend.scan_orders.lock().unwrap().clone()
}

fn eva() -> Option<String> {
    Some(as_user("eva"))
}

#[tokio::test]
async fn an_editor_scans_and_others_do_not() {
    let site = site();
    let body =
        "network=net%3Aoffice&targets=%21192.0.2.3&scan=custom&ports=22%2C80&timing=polite&engine=builtin";
    let refused = site.form("/discovery", body, Some(as_user("ivo"))).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    let response = site.form("/discovery", body, eva()).await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    assert_eq!(response.headers()[header::LOCATION], "/discovery/9");
    assert_eq!(orders(&site), ["eva: net:office !192.0.2.3 22,80 polite"]);
    site.form("/discovery", "job=office-lan", eva()).await;
    site.form("/discovery", "cancel=8", eva()).await;
    assert_eq!(orders(&site)[1..], ["eva: job office-lan", "eva: cancel 8"]);
}

#[tokio::test]
async fn what_is_wrong_with_the_targets_stands_beside_them_and_nothing_typed_is_lost() {
    let site = site();
    let response = site.form("/discovery", "targets=10.0.0.0%2F8&scan=full&timing=insane", eva()).await;
    assert_eq!(response.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let page = text(response).await;
    assert!(page.contains("16777216 addresses") && page.contains("value=\"10.0.0.0/8\""), "{page}");
    assert!(page.contains("value=\"full\" selected") && page.contains("value=\"insane\" selected"));
    let page = text(site.form("/discovery", "targets=10.0.0.0%2F16", eva()).await).await;
    assert!(page.contains("name=\"confirmed\"") && page.contains("65536 addresses"), "{page}");
    let page = text(site.form("/discovery", "targets=a&scan=custom", eva()).await).await;
    assert!(page.contains("Ports: say which"), "{page}");
    assert_eq!(orders(&site), Vec::<String>::new());
    site.form("/discovery", "targets=10.0.0.0%2F16&confirmed=yes", eva()).await;
    assert_eq!(orders(&site).len(), 1);
}

#[tokio::test]
async fn results_show_what_was_found_with_ticks_where_something_can_be_inserted() {
    let (_, page) = site().get("/discovery/7").await;
    for shown in [
        "5 of 256 addresses answer",
        "00:1E:C9:78:C4:07",
        "Dell Inc.",
        "Debian GNU/Linux 12",
        "22/tcp OpenSSH 9.2p1",
        "discard?",
        "printer3: not seen",
        "192.0.2.255 answer as broadcasts",
        "leave as is",
    ] {
        assert!(page.contains(shown), "{shown} is missing");
    }
    let is_ticked = |name: &str| {
        let at = page.find(&format!("name=\"host\" value=\"{name}\"")).map(|at| &page[at..at + 160]);
        at.map(|text| text.split('>').next().unwrap().contains("checked"))
    };
    assert_eq!(is_ticked("web7"), Some(true), "new");
    assert_eq!(is_ticked("web01"), Some(true), "changed");
    assert_eq!(is_ticked("db01"), Some(false), "same");
    assert_eq!(is_ticked("gw"), None, "a person wrote it");
    assert!(page.contains("name=\"monitor_new\" value=\"on\" checked"), "monitoring is on for new hosts");
}

#[tokio::test]
async fn ticked_hosts_are_inserted_with_the_properties_of_the_form() {
    let site = site();
    let body = "host=web7&host=web01&monitor_new=on&asset_value=4&latitude=40.4168&longitude=-3.7&group=web";
    let response = site.form("/discovery/7", body, eva()).await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    let order = orders(&site).remove(0);
    for part in [
        "eva: insert Named([\"web7\", \"web01\"]) of 7",
        "new: On, known: Leave",
        "asset_value: Some(4)",
        "latitude: Some(40.4168), longitude: Some(-3.7)",
    ] {
        assert!(order.contains(part), "{part} is not in {order}");
    }
    site.form("/discovery/7", "host=web7&monitor_known=off", eva()).await;
    assert!(orders(&site)[1].contains("new: Off, known: Off"), "a tick that is missing counts for new hosts");
    site.form("/discovery/7", "all=yes&monitor_new=on", eva()).await;
    assert!(orders(&site)[2].contains("insert Offered of 7"));
    let refused = site.form("/discovery/7", "host=web7", Some(as_user("ivo"))).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    for (body, said) in [
        ("host=web7&latitude=95&longitude=1&description=kept", "degrees from -90 to 90"),
        ("monitor_new=on&description=kept", "nothing is ticked"),
    ] {
        let response = site.form("/discovery/7", body, eva()).await;
        assert_eq!(response.status(), StatusCode::UNPROCESSABLE_ENTITY);
        let page = text(response).await;
        assert!(page.contains(said) && page.contains("value=\"kept\""), "{said}");
    }
    assert_eq!(orders(&site).len(), 3);
}

#[tokio::test]
async fn the_api_does_what_the_page_does() {
    let site = site();
    let board = site.json("/api/v1/discovery").await;
    assert_eq!(board["scans"][0]["percent"], json!(24));
    assert_eq!(
        (&board["scans"][1]["state"], &board["scans"][1]["waits_for"]),
        (&json!("waiting"), &json!(8))
    );
    assert_eq!(board["jobs"][0]["last"]["state"], json!("finished"));
    let scan = site.json("/api/v1/discovery/scans/7").await;
    assert_eq!(scan["report"]["hosts"][1]["host_name"], json!("web7"));
    assert_eq!(site.get("/api/v1/discovery/scans/99").await.0, StatusCode::NOT_FOUND);
    let (_, started) =
        site.post("/api/v1/discovery/scans", json!({"targets": "192.0.2.1", "timing": "T4"}), admin()).await;
    assert_eq!(started["id"], json!(9));
    for (wrong, said) in [
        (json!({"targets": "192.0.2.1", "job": "x"}), "either"),
        (json!({"targets": "192.0.2.1", "scan": "deep"}), "scan: "),
        (json!({"targets": "10.0.0.0/8"}), "16777216"),
    ] {
        let (status, answer) = site.post("/api/v1/discovery/scans", wrong, admin()).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(answer["error"].as_str().unwrap().contains(said), "{answer}");
    }
    let (status, _) = site.post("/api/v1/discovery/scans", json!({"targets": "10.0.0.0/16"}), admin()).await;
    assert_eq!(status, StatusCode::CONFLICT, "so many want to be confirmed");
    let insert = json!({"hosts": ["web7"], "monitor_new": true, "asset_value": 4});
    let (_, inserted) = site.post("/api/v1/discovery/scans/7/insert", insert, admin()).await;
    assert_eq!((&inserted["new"], &inserted["left"][0]["host"]), (&json!(["web7"]), &json!("gw")));
    let (status, answer) = site.post("/api/v1/discovery/scans/7/insert", json!({"asset": 4}), admin()).await;
    assert_eq!(
        (status, answer["error"].as_str().unwrap().contains("`asset`")),
        (StatusCode::BAD_REQUEST, true)
    );
    site.post("/api/v1/discovery/scans/8/cancel", json!({}), admin()).await;
    assert_eq!(orders(&site).last().unwrap(), "root: cancel 8");
}
