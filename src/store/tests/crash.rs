//! `kill -9` in the middle of writing: what was answered is there.
//!
//! The child is this test binary itself, told by its environment to write until it is killed.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use vigia_core::model::comment::{Comment, CommentKind};
use vigia_core::model::id::CommentId;

use super::*;

const FOLDER: &str = "VIGIA_TEST_CRASH_FOLDER";

fn a_comment(id: u64) -> Event {
    let second = i64::try_from(id).unwrap();
    event(
        second,
        What::CommentAdded(Comment {
            id: CommentId(id),
            subject: ObjectKey::host("web01"),
            author: "ana".into(),
            text: format!("number {id}").into(),
            at: at(second),
            kind: CommentKind::User,
        }),
    )
}

/// Writes comments and statuses for ever, and prints each number after it was answered.
#[tokio::test]
async fn writes_until_it_is_killed_when_it_is_told_to() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let mut world = world(&[("web01", &["HTTP"])]);
    let running = start(Path::new(&folder), world.clone());
    for id in 1.. {
        let second = i64::try_from(id).unwrap();
        *world.services.get_mut(0) = checked(State::Critical, &format!("number {id}"), second);
        world.records.next.comment = id + 1;
        running.publish(vec![a_comment(id)], &world).await.unwrap();
        let mut out = std::io::stdout().lock();
        writeln!(out, "answered {id}").unwrap();
        out.flush().unwrap();
    }
}

#[test]
fn what_was_answered_survives_a_kill_and_events_agree_with_statuses() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..5 {
        let fresh = folder.path().join(round.to_string());
        std::fs::create_dir(&fresh).unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "store::tests::crash::writes_until_it_is_killed_when_it_is_told_to"])
            .arg("--nocapture")
            .env(FOLDER, &fresh)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let wanted = format!("answered {}", 20 + 7 * round);
        let found = lines.by_ref().any(|line| line.unwrap().contains(&wanted));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(found, "the child ended too early");
        // Some answers may have been on their way when it was killed.
        let answered = lines
            .map_while(Result::ok)
            .filter_map(|line| line.strip_prefix("answered ")?.parse::<usize>().ok())
            .max()
            .unwrap_or(20 + 7 * round);
        let restored = restore(&fresh);
        let kept = restored.comments.len();
        assert!(kept >= answered, "answered {answered}, kept {kept}");
        // One transaction holds both: the status is as new as the newest comment.
        let newest = restored.comments.last().unwrap();
        assert_eq!(*restored.services[0].1.output.text, *newest.text);
        assert_eq!(restored.next.comment, newest.id.0 + 1);
    }
}
