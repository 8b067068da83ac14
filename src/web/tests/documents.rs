//! The knowledge base over the fixture: written, changed by two people, linked, offered where things go wrong.

use super::*;

async fn said(response: Response) -> (StatusCode, String) {
    (response.status(), text(response).await)
}

#[tokio::test]
async fn the_second_of_two_editors_keeps_what_was_typed_and_overwrites_nothing() {
    let site = site();
    let form = "version=1&title=Power&text=mine+%3Cb%3E&links=host%3Adb01&review=2027-01-31";
    let (status, page) = said(site.form("/documents/1/edit", form, Some(as_user("eva"))).await).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(
        page.contains("changed since it was looked at, by eva") && page.contains("mine &#60;b&#62;"),
        "{page}"
    );
    assert!(page.contains("name=\"version\" value=\"2\""), "the next try is for what is there now");
    let again = form.replace("version=1", "version=2");
    let response = site.form("/documents/1/edit", &again, Some(as_user("eva"))).await;
    assert_eq!(response.headers()[header::LOCATION], "/documents/1");
    let one = site.json("/api/v1/documents/1").await;
    assert_eq!((&one["version"], &one["text"]), (&json!(3), &json!("mine <b>")), "{one}");
    let versions = site.json("/api/v1/documents/1/versions").await;
    assert_eq!(versions["total"], 3);

    let (status, answer) = site.post("/api/v1/documents/1/restore", json!({"version": 1}), admin()).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let one = site.json("/api/v1/documents/1").await;
    assert_eq!(one["version"], 4, "what it said once is a version of its own");
    assert!(
        one["text"].as_str().unwrap().starts_with("# What to do") && one["links"] == json!(["host:db01"]),
        "{one}"
    );
    let (status, _) = site.post("/api/v1/documents/1/restore", json!({"version": 9}), admin()).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_slip_is_said_and_nothing_typed_is_lost() {
    let site = site();
    for (form, reason) in [
        ("title=&text=kept+words", "title: say something here"),
        ("title=a&text=", "text: say something here"),
        ("title=a&text=kept+words&links=hots%3Aweb01", "`hots:web01` is none: write `host:web01`"),
        ("title=a&text=kept+words&links=ticket%3AXYZ1", "`XYZ1` is no ticket"),
        ("title=a&text=kept+words&review=someday", "review: a day such as"),
    ] {
        let (status, page) = said(site.form("/documents/new", form, Some(as_user("eva"))).await).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{form}");
        assert!(page.contains(reason), "{reason}: {page}");
        assert!(!form.contains("kept") || page.contains("kept words"), "{form}");
    }
    assert_eq!(site.json("/api/v1/documents").await["total"], 2);
    let endless = json!({"title": "x", "text": "y".repeat(300_000)});
    assert_eq!(site.post("/api/v1/documents", endless, admin()).await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn documents_are_offered_where_what_they_are_about_goes_wrong() {
    let site = site();
    for page in ["/hosts/db01", "/hosts/192.0.2.194/services/MYSQL", "/tickets/AVA01"] {
        let (_, body) = site.get(page).await;
        assert!(body.contains("href=\"/documents/1\"") && !body.contains("href=\"/documents/2\""), "{page}");
    }
    let (_, page) = site.get("/hosts/web01").await;
    assert!(!page.contains("/documents/"), "{page}");
    let form =
        async |path: &str, form: &str, who: &str| site.form(path, form, Some(as_user(who))).await.status();
    assert_eq!(form("/documents/2/link", "ticket=AVA01", "ivo").await, StatusCode::SEE_OTHER);
    assert!(site.get("/tickets/AVA01").await.1.contains("href=\"/documents/2\""));
    assert_eq!(form("/documents/2/link", "ticket=AVA01&do=unlink", "ivo").await, StatusCode::SEE_OTHER);
    assert!(!site.get("/tickets/AVA01").await.1.contains("href=\"/documents/2\""));
    assert_eq!(form("/documents/9/link", "ticket=AVA01", "ivo").await, StatusCode::NOT_FOUND);
    let (_, page) = site.get("/documents/new?ticket=AVA01").await;
    assert!(page.contains("ticket:AVA01") && page.contains("called the data centre"), "{page}");
}

#[tokio::test]
async fn words_and_their_beginnings_find_documents_and_are_no_language() {
    let site = site();
    let total = async |query: &str| site.json(&format!("/api/v1/documents?{query}")).await["total"].clone();
    for (query, found) in [
        ("q=power", 1),
        ("q=CALL", 2),
        ("q=pow%20ana", 1),
        ("q=wai", 2),
        ("q=nothing", 0),
        ("q=%22%20OR%20title%3A*%20NEAR(", 0),
        ("q=%22%27%3B--", 2),
        ("due=yes", 1),
        ("link=service%3Amysql", 1),
        ("link=host%3Aweb99", 0),
    ] {
        assert_eq!(total(query).await, found, "{query}");
    }
    for bad in ["qq=x", "link=nonsense"] {
        assert_eq!(site.get(&format!("/api/v1/documents?{bad}")).await.0, StatusCode::BAD_REQUEST, "{bad}");
    }
}

#[tokio::test]
async fn whoever_wrote_it_and_administrators_delete_a_document() {
    let site = site();
    let by = async |id: u64, who: &str| {
        site.form(&format!("/documents/{id}"), "do=delete", Some(as_user(who))).await.status()
    };
    assert_eq!(by(1, "eva").await, StatusCode::FORBIDDEN, "ivo wrote it");
    assert_eq!(by(2, "eva").await, StatusCode::SEE_OTHER);
    assert_eq!(by(1, "ada").await, StatusCode::SEE_OTHER);
    assert_eq!(site.get("/documents/1").await.0, StatusCode::NOT_FOUND);
    let (_, answer) = site.post("/api/v1/documents", json!({"title": "new", "text": "x"}), admin()).await;
    assert_eq!(answer["id"], 3, "a number is never used again");
    assert!(!site.get("/hosts/db01").await.1.contains("/documents/1"));
}
