//! A disk that is really full: one megabyte of memory, mounted where nobody else sees it.
//!
//! The mount needs root, and a mount namespace of its own keeps it away from everybody; the child is this test
//! binary itself, told by its environment. Without root SQLite's own limit (in `trouble`) must do.

use std::process::Command;

use super::*;
use crate::store::log::{self, LogFilter};

const FOLDER: &str = "VIGIA_TEST_FULL_FOLDER";

#[tokio::test]
async fn fills_its_disk_when_it_is_told_to() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let folder = Path::new(&folder);
    let ballast = folder.join("ballast");
    std::fs::write(&ballast, vec![1; 200_000]).unwrap();
    let mut world = world(&[("web01", &["HTTP"])]);
    let running = start(folder, world.clone());
    let text = "x".repeat(2_000);
    let mut sent = 0;
    let refusal = loop {
        *world.services.get_mut(0) = checked(State::Critical, &text, sent);
        sent += 1;
        if let Err(refusal) =
            running.publish(vec![alert(sent, State::Ok, State::Critical, &text)], &world).await
        {
            break refusal;
        }
        assert!(sent < 10_000, "the disk never gets full");
    };
    assert!(refusal.why.contains("full"), "{refusal}");
    // Looking goes on.
    running.store.read(|db| log::list(db, &LogFilter { limit: 1, ..LogFilter::default() })).await.unwrap();
    for _ in 0..10 {
        sent += 1;
        let events = vec![alert(sent, State::Ok, State::Critical, &text)];
        running.publish(events, &world).await.unwrap_err();
    }
    std::fs::remove_file(&ballast).unwrap();
    let mut health = running.store.health();
    health.wait_for(|health| health.failing.is_none()).await.unwrap();
    assert_eq!(health.borrow().lost, 0);
    let filter = LogFilter { limit: 10_000, ..LogFilter::default() };
    let lines = running.store.read(move |db| log::list(db, &filter)).await.unwrap();
    assert_eq!(lines.len(), usize::try_from(sent).unwrap());
    running.writer.stop().await;
    assert_eq!(restore(folder).services.len(), 1);
}

#[test]
fn on_a_disk_that_is_really_full_persons_are_refused_and_events_wait() {
    let folder = tempfile::tempdir().unwrap();
    let test = "store::tests::full::fills_its_disk_when_it_is_told_to";
    let script = format!(
        "mount -t tmpfs -o size=1m none \"${FOLDER}\" || exit 99; exec \"$0\" --exact {test} --nocapture"
    );
    let child = Command::new("unshare")
        .args(["--mount", "sh", "-c", &script])
        .arg(std::env::current_exe().unwrap())
        .env(FOLDER, folder.path())
        .output();
    let Ok(child) = child else { return };
    let said = String::from_utf8_lossy(&child.stderr);
    // No right to mount anything here.
    if child.status.code() == Some(99) || said.contains("unshare failed") {
        return;
    }
    assert!(child.status.success(), "{said}{}", String::from_utf8_lossy(&child.stdout));
}
