//! Attachments through the running daemon: sent by a browser and by the command line, kept over a kill and a backup, gone
//! with their ticket.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::pages::{Inspection, log_in};
use crate::support::browser::Browser;
use crate::support::daemon::{TestDaemon, vigia};
use crate::support::http::{LOOK_EVERY, PATIENCE};
use crate::support::site::{acts, add_operator};

const SITE: &str = "tickets: {attachment_max: 1MiB}\n";

/// A picture of two pixels.
const PICTURE: &[u8] = &[
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52, 0, 0, 0, 1, 0, 0, 0,
    1, 8, 6, 0, 0, 0, 0x1f, 0x15, 0xc4, 0x89, 0, 0, 0, 13, 0x49, 0x44, 0x41, 0x54, 0x78, 0x9c, 0x63, 0x64,
    0x60, 0xf8, 0x5f, 0x0f, 0, 0x02, 0x87, 0x01, 0x80, 0xeb, 0x47, 0xba, 0x92, 0, 0, 0, 0, 0x49, 0x45, 0x4e,
    0x44, 0xae, 0x42, 0x60, 0x82,
];

/// Every file below the folder of attachments, finished or not.
fn kept(state: &Path) -> Vec<PathBuf> {
    fn below(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                true => below(&entry.path(), found),
                false => found.push(entry.path()),
            }
        }
    }
    let mut found = Vec::new();
    below(&state.join("attachments"), &mut found);
    found
}

async fn wait_for_kept(daemon: &TestDaemon, count: usize) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while kept(&daemon.state()).len() != count {
        assert!(tokio::time::Instant::now() < deadline, "{:?}", kept(&daemon.state()));
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn ticket(daemon: &TestDaemon) {
    acts(daemon, "/api/v1/tickets", json!({"title": "Disk full", "class": "Custom"})).await;
}

async fn says(daemon: &TestDaemon, arguments: &[&str]) -> (Option<i32>, String) {
    let output = daemon.cli(arguments).await;
    (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

#[tokio::test]
async fn a_file_outlives_a_kill_and_a_backup_and_goes_with_its_ticket() {
    let daemon = TestDaemon::start(&[("vigia.yaml", SITE)]).await;
    ticket(&daemon).await;
    let folder = daemon.folder();
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    std::fs::write(path("dmesg.txt"), "I/O error\n").expect("a file");
    std::fs::write(path("large"), vec![7; (1 << 20) + 1]).expect("a file");
    std::fs::write(path("nothing"), "").expect("a file");
    let (code, said) =
        says(&daemon, &["ticket", "attach", "CUS01", &path("dmesg.txt"), "-m", "at 3:10"]).await;
    assert!(code == Some(0) && said.contains("1 file attached to CUS01"), "{said}");
    for (name, reason) in
        [("large", "larger than 1 MiB"), ("nothing", "`nothing` is empty"), ("none", "cannot read")]
    {
        let (code, said) = says(&daemon, &["ticket", "attach", "CUS01", &path(name)]).await;
        assert!(code == Some(1) && said.contains(reason), "{said}");
    }

    let daemon = daemon.crash_and_restart().await;
    let (_, said) = says(&daemon, &["ticket", "show", "CUS01"]).await;
    assert!(said.contains("at 3:10") && said.contains("1     dmesg.txt  10 B"), "{said}");
    let (code, said) = says(&daemon, &["ticket", "save", "1", &path("back.txt")]).await;
    assert!(code == Some(0), "{said}");
    assert_eq!(std::fs::read_to_string(path("back.txt")).expect("a file"), "I/O error\n");
    let (code, said) = says(&daemon, &["ticket", "save", "1", &path("back.txt")]).await;
    assert!(code == Some(1) && said.contains("is there already"), "{said}");
    assert_eq!(daemon.get("/api/v1/tickets?q=dmesg").await["total"], 1, "found by the name of its file");

    let (code, said) = says(&daemon, &["backup", &path("copy.tar.gz")]).await;
    assert!(code == Some(0), "{said}");
    acts(&daemon, "/api/v1/tickets/CUS01/delete", json!({})).await;
    wait_for_kept(&daemon, 0).await;
    daemon.stop().await;

    let other = Arc::new(tempfile::tempdir().expect("a folder"));
    std::fs::create_dir(other.path().join("etc")).expect("a folder");
    std::fs::write(other.path().join("etc/vigia.yaml"), SITE).expect("a file");
    let restored = vigia(other.path(), &["restore", &path("copy.tar.gz")]).output().await.expect("it runs");
    assert!(restored.status.success(), "{restored:?}");
    let daemon = TestDaemon::start_in(other.clone(), &[]).await;
    let (code, said) = says(&daemon, &["ticket", "save", "1", &path("restored.txt")]).await;
    assert!(code == Some(0), "{said}");
    assert_eq!(std::fs::read_to_string(path("restored.txt")).expect("a file"), "I/O error\n");
    daemon.stop().await;
}

#[tokio::test]
async fn nothing_stays_of_an_upload_whose_sender_is_gone() {
    let daemon = TestDaemon::start(&[("vigia.yaml", SITE)]).await;
    ticket(&daemon).await;
    let socket = tokio::net::UnixStream::connect(daemon.state().join("control.sock")).await;
    let mut stream = socket.expect("the control socket");
    let head = "POST /api/v1/tickets/CUS01/attachments HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900000\r\n\
                Content-Type: multipart/form-data; boundary=XX\r\n\r\n--XX\r\n\
                Content-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n";
    stream.write_all(head.as_bytes()).await.expect("it listens");
    stream.write_all(&[7; 600_000]).await.expect("it listens");
    wait_for_kept(&daemon, 1).await;
    drop(stream);
    wait_for_kept(&daemon, 0).await;
    assert_eq!(daemon.get("/api/v1/tickets/CUS01").await["notes"], json!([]));

    // Whoever sends too much is heard out and told why.
    let socket = tokio::net::UnixStream::connect(daemon.state().join("control.sock")).await;
    let mut stream = socket.expect("the control socket");
    let long = head.replace("900000", "4000145").replace("HTTP/1.1", "HTTP/1.0");
    stream.write_all(long.as_bytes()).await.expect("it listens");
    let body = long.len() - long.find("--XX\r\n").expect("a body");
    let end = b"\r\n--XX--\r\n";
    let rest = 4_000_145 - body - end.len();
    stream.write_all(&vec![7; rest]).await.expect("it goes on listening");
    stream.write_all(end).await.expect("it goes on listening");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.0 400") && answer.contains("larger than 1 MiB"), "{answer}");
    wait_for_kept(&daemon, 0).await;
    daemon.stop().await;
}

#[tokio::test]
async fn a_person_attaches_a_picture_and_sees_it() {
    let daemon = TestDaemon::start(&[("vigia.yaml", SITE)]).await;
    add_operator(&daemon).await;
    ticket(&daemon).await;
    let folder = daemon.folder();
    let (picture, log) = (folder.path().join("rack 7.png"), folder.path().join("kern.log"));
    std::fs::write(&picture, PICTURE).expect("a file");
    std::fs::write(&log, "sda: I/O error\n").expect("a file");
    let browser = Browser::open(1280, 800).await;
    log_in(&browser, &daemon).await;
    browser.goto(&daemon.url("/tickets/CUS01")).await;
    let found =
        browser.client.find(fantoccini::Locator::Css("form[action='/act/note-ticket'] [type=file]")).await;
    let field = found.expect("a field for files");
    field.send_keys(&format!("{}\n{}", picture.display(), log.display())).await.expect("chosen");
    browser.fill("form[action='/act/note-ticket'] [name=text]", "The lamp is red.").await;
    browser.click("form[action='/act/note-ticket'] button.main").await;
    browser.wait_until("the picture", "const img = document.querySelector('.comment .files img'); return Boolean(img) && img.complete && img.naturalWidth > 0").await;
    assert_eq!(browser.texts(".file-name > a").await, ["rack 7.png", "kern.log"]);
    let mut inspection = Inspection::begin(&browser, &daemon).await;
    inspection.look_all_ways("/tickets/CUS01", "ticket-files").await;
    inspection.end();
    browser.close().await;
    daemon.stop().await;
}
