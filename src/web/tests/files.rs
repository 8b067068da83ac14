//! Attachments over the fixture: what is taken, what is refused with what was typed, and what a browser is told of a file.

use super::*;

const PICTURE: &[u8] = b"\x89PNG\r\n\x1a\nnot really";

/// Names of fields with their values, and names of files with their bytes, as a browser sends them.
fn form(fields: &[(&str, &str)], files: &[(&str, &str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in fields {
        let part = format!("--XX\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend_from_slice(part.as_bytes());
    }
    for (name, kind, bytes) in files {
        let head = format!(
            "--XX\r\nContent-Disposition: form-data; name=\"files\"; filename=\"{name}\"\r\nContent-Type: {kind}\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--XX--\r\n");
    body
}

async fn send(site: &Site, path: &str, body: Vec<u8>, who: &str) -> Response {
    let mut request =
        ask(Method::POST, path).header(header::CONTENT_TYPE, "multipart/form-data; boundary=XX");
    if !who.is_empty() {
        request = request.header(header::COOKIE, as_user(who));
    }
    site.send(request.body(Body::from(body)).unwrap(), local()).await
}

async fn get(site: &Site, path: &str) -> Response {
    site.send(ask(Method::GET, path).body(Body::empty()).unwrap(), local()).await
}

type Named = (&'static str, &'static str, &'static [u8]);

const NOTE: &[(&str, &str)] = &[("ticket", "AVA01"), ("text", "as it <b>looked"), ("version", "4")];

#[tokio::test]
async fn a_note_brings_its_files_and_a_browser_may_do_nothing_with_them() {
    let site = site();
    let page = b"<!doctype html><script>alert(1)</script>";
    let files =
        [("../../shot.png", "text/html", PICTURE), ("harm.png", "image/png", &page[..]), ("", "", b"")];
    let response = send(&site, "/act/note-ticket", form(NOTE, &files), "ivo").await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER, "{}", text(response).await);
    let Operation::NoteTicket { note, .. } = &site.backend.operations()[0] else { panic!() };
    assert_eq!(&*note.text, "as it <b>looked");

    for (id, kind, way) in [
        (1, "image/png", "inline; filename=\"shot.png\""),
        (2, "text/plain; charset=utf-8", "attachment; filename=\"harm.png\""),
    ] {
        let response = get(&site, &format!("/attachments/{id}")).await;
        let said = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(said("content-type"), kind);
        assert!(said("content-disposition").starts_with(way), "{}", said("content-disposition"));
        assert_eq!(said("x-content-type-options"), "nosniff");
        let policy = said("content-security-policy");
        assert!(policy.contains("default-src 'none'") && policy.contains("sandbox"), "{policy}");
        assert!(!policy.contains("script-src"), "{policy}");
    }
    assert_eq!(get(&site, "/attachments/3").await.status(), StatusCode::NOT_FOUND);
    assert_eq!(get(&site, "/attachments/x").await.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn what_is_wrong_with_a_file_is_said_beside_what_was_typed() {
    let site = site();
    let limits = crate::desk::FileLimits { one: 64, all: 100 };
    crate::web::backend::Backend::files(&*site.backend).set_limits(limits);
    let many: Vec<Named> = vec![("a", "", b"x"); 21];
    let cases: [(&[Named], &str); 4] = [
        (&[("dump.bin", "", &[7; 65])], "`dump.bin` is larger than 64 B"),
        (&[("empty.txt", "", b"")], "`empty.txt` is empty"),
        (&[("a", "", &[1; 60]), ("b", "", &[2; 60])], "all together may be 100 B"),
        (&many, "at most 20 files at once"),
    ];
    for (files, reason) in cases {
        let response = send(&site, "/act/note-ticket", form(NOTE, files), "ivo").await;
        assert_eq!(response.status(), StatusCode::UNPROCESSABLE_ENTITY, "{reason}");
        let page = text(response).await;
        assert!(page.contains(reason) && page.contains("as it &#60;b&#62;looked"), "{reason}: {page}");
    }
    assert!(site.backend.operations().is_empty(), "no note without its files");
    assert_eq!(get(&site, "/attachments/1").await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_form_that_is_cut_off_or_broken_leaves_nothing() {
    let site = site();
    let whole = form(NOTE, &[("a.txt", "", b"a long text that does not arrive")]);
    for cut in [20, whole.len() / 2, whole.len() - 20] {
        let response = send(&site, "/act/note-ticket", whole[..cut].to_vec(), "ivo").await;
        let status = response.status();
        let page = text(response).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{page}");
        assert!(page.contains("cut off before its end; nothing of it was kept"), "{page}");
    }
    let response = send(&site, "/act/note-ticket", b"--XX\r\nrubbish".to_vec(), "ivo").await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert!(site.backend.operations().is_empty());
}

#[tokio::test]
async fn a_note_that_is_refused_takes_its_files_along() {
    let site = site();
    let old = [("ticket", "AVA01"), ("text", "x"), ("priority", "9"), ("version", "3")];
    let response = send(&site, "/act/note-ticket", form(&old, &[("a.txt", "", b"evidence")]), "ivo").await;
    assert_eq!(response.status(), StatusCode::CONFLICT);
    assert_eq!(get(&site, "/attachments/1").await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn files_alone_make_a_note_and_programs_send_them_as_forms() {
    let site = site();
    let files = [("a.txt", "", &b"one"[..]), ("b.txt", "", b"two")];
    let response = send(&site, "/api/v1/tickets/AVA01/attachments", form(&[], &files), "ivo").await;
    assert_eq!(response.status(), StatusCode::OK);
    let answer: Value = serde_json::from_str(&text(response).await).unwrap();
    assert_eq!(answer["ids"], json!([1, 2]), "{answer}");
    let Operation::NoteTicket { note, .. } = &site.backend.operations()[0] else { panic!() };
    assert_eq!(&*note.text, "Attached a.txt, b.txt.");
    for (path, who, status) in [
        ("/api/v1/tickets/AVA01/attachments", "", StatusCode::UNAUTHORIZED),
        ("/api/v1/tickets/AVA01/attachments", "vera", StatusCode::FORBIDDEN),
        ("/api/v1/tickets/AVA99/attachments", "ivo", StatusCode::NOT_FOUND),
        ("/act/note-ticket", "", StatusCode::SEE_OTHER),
    ] {
        assert_eq!(send(&site, path, form(&[], &files), who).await.status(), status, "{path} {who}");
    }
    let (status, _) =
        site.post("/api/v1/tickets/AVA01/attachments", json!({"text": "no file"}), admin()).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn an_administrator_deletes_what_should_not_be_there() {
    let site = site();
    send(&site, "/act/note-ticket", form(NOTE, &[("secret.txt", "", b"a password")]), "ivo").await;
    let delete = "ticket=AVA01&attachment=1";
    let by = async |who| site.form("/act/delete-attachment", delete, Some(as_user(who))).await.status();
    assert_eq!(by("eva").await, StatusCode::FORBIDDEN);
    assert_eq!(by("ada").await, StatusCode::SEE_OTHER);
    assert_eq!(by("ada").await, StatusCode::NOT_FOUND);
    assert_eq!(get(&site, "/attachments/1").await.status(), StatusCode::NOT_FOUND);
}
