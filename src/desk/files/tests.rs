//! Attachments over a real store and a real folder.

use std::path::Path;
use std::sync::Arc;

use vigia_core::engine::world::World;
use vigia_core::model::id::TicketId;

use super::*;
use crate::desk::{Desk, Policy, Role};
use crate::os::clock::Clock;
use crate::store::RunningWriter;

struct House {
    folder: tempfile::TempDir,
    files: Files,
    _writer: RunningWriter,
}

const TICKET: Place = Place::Ticket(TicketId(1));

/// With tickets 1 and 2.
fn house() -> House {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vigia.db");
    let opened = Store::open(&path, Clock::system()).unwrap();
    let db = rusqlite::Connection::open(&path).unwrap();
    db.execute_batch(
        "INSERT INTO ticket (id, class, type, title, text, priority, status, submitter, opened, updated) VALUES \
         (1, 'CUS', 'Generic', 'a', '', 5, 'Open', 'ana', 1, 1), (2, 'CUS', 'Generic', 'b', '', 5, 'Open', 'ana', 1, 1)",
    )
    .unwrap();
    let writer = opened.writer.start(Arc::new(World::default()), tokio::sync::mpsc::channel(1).0);
    let desk = Desk::new(opened.store, Policy::default(), folder.path());
    House { files: desk.files(), folder, _writer: writer }
}

fn ana() -> Who {
    Who { name: "ana".to_owned(), role: Role::Operator, contact: None, sight: None, peer: None }
}

impl House {
    async fn receive(&self, name: &str, bytes: &[u8]) -> Result<Received, FileTrouble> {
        let mut incoming = self.files.begin(name).await?;
        for piece in bytes.chunks(100_000) {
            incoming.take(piece).await?;
        }
        incoming.end().await
    }

    async fn attach(&self, place: Place, name: &str, bytes: &[u8]) -> Result<u64, FileTrouble> {
        let received = self.receive(name, bytes).await?;
        Ok(self.files.attach(&ana(), place, vec![received]).await?[0])
    }

    /// Every file below the folder of attachments.
    fn kept(&self) -> Vec<String> {
        fn below(folder: &Path, names: &mut Vec<String>) {
            for entry in std::fs::read_dir(folder).into_iter().flatten() {
                let entry = entry.unwrap();
                match entry.file_type().unwrap().is_dir() {
                    true => below(&entry.path(), names),
                    false => names.push(entry.file_name().into_string().unwrap()),
                }
            }
        }
        let mut names = Vec::new();
        below(&self.folder.path().join("attachments"), &mut names);
        names.sort();
        names
    }
}

#[tokio::test]
async fn what_is_attached_comes_back_as_it_was() {
    let house = house();
    let large: Vec<u8> = (0..900_000_u32).map(|number| u8::try_from(number % 251).unwrap()).collect();
    let id = house.attach(TICKET, "../../etc/shadow", &large).await.unwrap();
    let one = house.files.one(id).await.unwrap();
    assert_eq!((&*one.file.name, &*one.file.kind, one.file.size), ("shadow", "data", 900_000));
    assert_eq!(house.files.content(&one).await.unwrap(), large);
    assert_eq!(house.kept(), [one.file.sha256.to_string()], "by its sum, and nothing beside it");
}

#[tokio::test]
async fn the_same_bytes_lie_there_once_and_go_with_the_last_that_names_them() {
    let house = house();
    let first = house.attach(TICKET, "a.log", b"the same").await.unwrap();
    let second = house.attach(Place::Ticket(TicketId(2)), "b.log", b"the same").await.unwrap();
    assert_eq!(house.kept().len(), 1);
    house.files.delete(&ana(), first).await.unwrap();
    assert_eq!(house.files.sweep().await.unwrap(), 0);
    let left = house.files.one(second).await.unwrap();
    assert_eq!(house.files.content(&left).await.unwrap(), b"the same");
    house.files.delete(&ana(), second).await.unwrap();
    assert_eq!(house.files.sweep().await.unwrap(), 1);
    assert_eq!(house.kept(), [""; 0]);
    assert!(matches!(house.files.one(second).await, Err(FileTrouble::Missing(_))));
}

#[tokio::test]
async fn nothing_stays_of_what_is_refused_or_given_up() {
    let house = house();
    house.files.set_limits(FileLimits { one: 1000, all: 1500 });
    let refused = |result: Result<u64, FileTrouble>| result.unwrap_err().to_string();
    let too_large = refused(house.attach(TICKET, "dump", &[7; 1001]).await);
    assert_eq!(too_large, "`dump` is larger than 1000 B, the most for one file (`tickets.attachment_max`)");
    assert_eq!(refused(house.attach(TICKET, "nothing", b"").await), "`nothing` is empty");
    assert_eq!(refused(house.attach(Place::Ticket(TicketId(9)), "a", b"x").await), "there is no ticket 9");
    let mut incoming = house.files.begin("cut off").await.unwrap();
    incoming.take(b"half").await.unwrap();
    drop(incoming);
    house.attach(TICKET, "fits", &[1; 1000]).await.unwrap();
    let together = refused(house.attach(TICKET, "one too many", &[2; 600]).await);
    assert!(together.contains("1000 B are attached already and 600 B more come"), "{together}");
    house.files.sweep().await.unwrap();
    assert_eq!(house.kept().len(), 1, "only what was taken");
}

#[tokio::test]
async fn several_come_together_or_not_at_all() {
    let house = house();
    house.files.set_limits(FileLimits { one: 1000, all: 1500 });
    let both =
        vec![house.receive("a", &[1; 900]).await.unwrap(), house.receive("b", &[2; 900]).await.unwrap()];
    house.files.attach(&ana(), TICKET, both).await.unwrap_err();
    house.files.sweep().await.unwrap();
    assert_eq!(house.kept(), [""; 0]);
    let ids = house.attach(TICKET, "c", b"later").await.unwrap();
    house.files.withdraw(vec![ids]).await.unwrap();
    house.files.sweep().await.unwrap();
    assert_eq!(house.kept(), [""; 0], "the note that it came with was refused");
}

#[tokio::test]
async fn a_file_that_was_damaged_is_told_and_not_given_out() {
    let house = house();
    let id = house.attach(TICKET, "evidence.txt", b"as it was").await.unwrap();
    let one = house.files.one(id).await.unwrap();
    std::fs::write(house.files.path_of(&one.file.sha256), b"as it is?").unwrap();
    let error = house.files.content(&one).await.unwrap_err();
    assert!(error.to_string().contains("`evidence.txt` is damaged on the disk"), "{error}");
}

#[tokio::test]
async fn a_folder_that_is_not_ours_is_left_alone() {
    let house = house();
    house.attach(TICKET, "a", b"ours").await.unwrap();
    let theirs = house.folder.path().join("attachments/ab");
    std::fs::create_dir_all(&theirs).unwrap();
    std::fs::write(theirs.join("notes.txt"), "of a person").unwrap();
    assert_eq!(house.files.sweep().await.unwrap(), 0);
    assert!(theirs.join("notes.txt").exists());
}

#[test]
fn sizes_read_as_people_say_them() {
    for (bytes, text) in
        [(3, "3 B"), (1536, "1.5 KiB"), (10 << 20, "10 MiB"), (3 << 30, "3 GiB"), (1_000_000, "976 KiB")]
    {
        assert_eq!(size(bytes), text);
    }
}
