//! What people do by form and by the API.

use vigia_core::model::acknowledgement::Until;

use super::*;

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
    let Operation::Acknowledge { comment, until, expires, .. } = &orders[0].operation else {
        panic!("{orders:?}")
    };
    assert_eq!(
        (&**comment, *until, *expires),
        ("on it", Until::Recovery, Some(fixture::now().after(std::time::Duration::from_secs(7200))))
    );
    let request = ask(Method::GET, "/problems").header(header::COOKIE, format!("{}; {said}", as_user("ivo")));
    let page = text(site.send(request.body(Body::empty()).unwrap(), local()).await).await;
    assert!(
        page.contains("Acknowledged 2 objects, until ")
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
async fn a_downtime_for_a_selector_is_shown_first_and_then_made() {
    let site = site();
    let body = |preview: bool| {
        serde_json::json!({"match": "192.0.2.194/*", "comment": "move", "for": "2h", "preview": preview})
            .to_string()
    };
    let post = |body: String| {
        let request = ask(Method::POST, "/api/v1/downtime").header(header::COOKIE, as_user("ivo"));
        request.header(header::CONTENT_TYPE, "application/json").body(Body::from(body)).unwrap()
    };
    let answer: Value =
        serde_json::from_str(&text(site.send(post(body(true)), local()).await).await).unwrap();
    let total = answer["total"].as_u64().unwrap();
    assert!(total > 1 && site.backend.orders.lock().unwrap().is_empty(), "{answer}");
    assert!(answer["message"].as_str().unwrap().starts_with("would be for "), "{answer}");
    site.send(post(body(false)), local()).await;
    assert_eq!(site.backend.orders.lock().unwrap().len() as u64, total);
    let wrong = serde_json::json!({"match": "no-such-*", "comment": "x", "for": "2h"}).to_string();
    let answer = text(site.send(post(wrong), local()).await).await;
    assert!(answer.contains("nothing matches"), "{answer}");
    let page = text(
        site.send(
            ask(Method::GET, "/act/downtime?match=192.0.2.194%2F*&end=2h").body(Body::empty()).unwrap(),
            local(),
        )
        .await,
    )
    .await;
    assert!(page.contains("192.0.2.194/MYSQL") && page.contains("What it acts on"), "{page}");
}

#[tokio::test]
async fn comments_downtimes_and_the_reason_for_each_message_have_their_place() {
    let site = site();
    let page = |path: &'static str| {
        let site = &site;
        async move {
            let request = ask(Method::GET, path).header(header::COOKIE, as_user("ivo"));
            text(site.send(request.body(Body::empty()).unwrap(), local()).await).await
        }
    };
    let comments = page("/comments").await;
    assert!(comments.contains("Delete the selected"), "{comments}");
    let downtimes = page("/downtimes").await;
    assert!(
        downtimes.contains("Cancel the selected") && downtimes.contains("/act/downtime?back="),
        "{downtimes}"
    );
    let object = page("/hosts/192.0.2.194/services/MYSQL").await;
    for says in [
        "Who is told, and why not",
        "Told of the problem: ana, ben; message 2 at ",
        "The next message is held: acknowledged.",
        "PROBLEM not to ben",
        "/notifications?host=192.0.2.194&amp;service=MYSQL",
    ] {
        assert!(
            object.contains(says) || object.contains(&says.replace("&amp;", "&#38;")),
            "{says}: {object}"
        );
    }
}
