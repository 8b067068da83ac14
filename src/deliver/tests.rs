//! The deliverer on a real store, with programs as channels: what is sent, in which order, and what becomes of it.

use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use vigia_core::engine::world::World;
use vigia_core::model::contact::{Contact, RateLimit};
use vigia_core::model::event::{Event, What};
use vigia_core::model::id::ObjectKey;
use vigia_core::model::message::{About, Channel, MessageKind};
use vigia_core::model::state::State;

use super::facts::tests::{NOW, contact, message, notice, world};
use super::*;
use crate::os::files;
use crate::store::outbox::{DeliveryStatus, Listed, OutboxFilter, list};
use crate::store::{Batch, RunningWriter, Slice};
use crate::wording::Wording;

pub(super) fn settings() -> Settings {
    Settings {
        mail: Mail {
            host: "127.0.0.1".into(),
            port: 1,
            security: Security::Off,
            user: None,
            password: None,
            from: "vigia@monitor.example.test".into(),
            timeout: Duration::from_secs(5),
            sendmail: Vec::new(),
        },
        wording: Wording::default(),
        url: Some("https://vigia.example.test/".into()),
    }
}

/// A store, and what a deliverer needs; the deliverer may be started more than once on it.
struct Post {
    _dir: TempDir,
    store: Store,
    writer: RunningWriter,
    world: Arc<World>,
    clock: Clock,
    health: watch::Sender<Health>,
}

impl Post {
    fn new(contacts: Vec<Contact>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::starting_at(Timestamp::from_second(NOW));
        let opened = Store::open(&dir.path().join("vigia.db"), clock.clone()).unwrap();
        let world = world(contacts);
        let writer = opened.writer.start(world.clone(), mpsc::channel(1).0);
        let health = watch::Sender::new(Health::default());
        Self { _dir: dir, store: opened.store, writer, world, clock, health }
    }

    /// As the engine's events reach the outbox.
    async fn decide(&self, messages: Vec<Message>) {
        let events: Vec<Event> = messages
            .into_iter()
            .map(|message| Event { at: message.at, what: What::Notified(message) })
            .collect();
        let batch = Batch { events: events.into(), world: self.world.clone(), orders: Vec::new() };
        let commits = self.store.health().borrow().commits;
        self.writer.batches.send(batch).await.unwrap();
        self.store.health().wait_for(|health| health.commits > commits).await.unwrap();
    }

    fn start(&self) -> Running {
        let stop = CancellationToken::new();
        let (settings_sender, settings) = watch::channel(Arc::new(settings()));
        let (worlds_sender, worlds) = watch::channel(self.world.clone());
        let (unkept_sender, unkept) = mpsc::channel(1);
        let tools = Tools {
            shared: vigia_checks::Shared::new(Arc::new(|_| Err("none".to_owned()))),
            secrets: Arc::new(|_| Err("none".to_owned())),
            processes: Default::default(),
        };
        let ends = Ends { worlds, settings, unkept, health: self.health.clone() };
        let deliverer = Deliverer::new(self.store.clone(), self.clock.clone(), tools, ends);
        let task = tokio::spawn(deliverer.run(stop.clone()));
        Running { stop, task, unkept: unkept_sender, _kept: (settings_sender, worlds_sender) }
    }

    /// Delivers until nothing waits that could go, and returns the outbox, oldest first.
    async fn deliver(&self) -> Vec<Listed> {
        let running = self.start();
        self.settled().await;
        running.end().await;
        self.outbox().await
    }

    async fn settled(&self) {
        let mut health = self.store.health();
        while !self.outbox().await.iter().flat_map(|listed| &listed.ways).all(is_settled) {
            health.changed().await.unwrap();
        }
    }

    async fn outbox(&self) -> Vec<Listed> {
        let filter = OutboxFilter { slice: Slice::first(1000), ..OutboxFilter::default() };
        let mut page = self.store.read(move |connection| list(connection, &filter)).await.unwrap().items;
        page.reverse();
        page
    }
}

struct Running {
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
    unkept: mpsc::Sender<Message>,
    _kept: (watch::Sender<Arc<Settings>>, watch::Sender<Arc<World>>),
}

impl Running {
    async fn end(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

fn is_settled(way: &outbox::Way) -> bool {
    way.status.is_final() || way.status == DeliveryStatus::Waiting && !way.reason.is_empty()
}

/// A contact whose `run` appends what it is given to a file.
fn writer_to(name: &str, path: &Path) -> Contact {
    let script = format!("printf '%s\\n' \"$1 $2 $NAGIOS_NOTIFICATIONTYPE\" >> {}", path.display());
    let words = ["/bin/sh", "-c", &script, "sh", "${host.name}/${service.name}", "${service.output}"];
    Contact { email: Vec::new(), run: Some(words.map(str::to_owned).to_vec()), ..contact(name) }
}

fn run_message(kind: MessageKind, service: &str, number: u32) -> Message {
    let mut notice = notice(kind, number, State::Critical);
    notice.subject = ObjectKey::service("web1", service);
    message(notice, "ana", vec![Channel::Run])
}

fn statuses(listed: &[Listed]) -> Vec<DeliveryStatus> {
    listed.iter().flat_map(|one| one.ways.iter().map(|way| way.status)).collect()
}

fn lines(path: &Path) -> Vec<String> {
    let bytes = files::read(path, 1 << 20).unwrap_or_default();
    String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn what_is_decided_is_delivered_once_in_order_and_values_are_no_shell_text() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("told");
    let post = Post::new(vec![writer_to("ana", &file)]);
    let problem = run_message(MessageKind::Problem, "HTTP", 1);
    // The same decision twice, as after a crash between commit and answer.
    post.decide(vec![problem.clone(), run_message(MessageKind::Recovery, "HTTP", 1)]).await;
    post.decide(vec![problem]).await;
    let outbox = post.deliver().await;
    assert_eq!(statuses(&outbox), [DeliveryStatus::Sent, DeliveryStatus::Sent]);
    let output = "503 <b>'; rm -rf /";
    assert_eq!(lines(&file), [format!("web1/HTTP {output} PROBLEM"), format!("web1/HTTP {output} RECOVERY")]);
    assert_eq!(post.health.borrow().sent["run"], 2);
    assert_eq!(post.health.borrow().waiting, 0);
}

#[tokio::test]
async fn a_dead_channel_keeps_its_messages_and_holds_up_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("told");
    let ana = Contact { email: vec!["ana@example.test".into()], ..writer_to("ana", &file) };
    let post = Post::new(vec![ana]);
    let mut message = run_message(MessageKind::Problem, "HTTP", 1);
    // Nothing listens on port 1.
    message.channels = vec![Channel::Email("ana@example.test".into()), Channel::Run];
    post.decide(vec![message]).await;
    let outbox = post.deliver().await;
    assert_eq!(statuses(&outbox), [DeliveryStatus::Waiting, DeliveryStatus::Sent]);
    let mail = &outbox[0].ways[0];
    assert!(mail.reason.contains("127.0.0.1:1") && mail.attempts == 1 && mail.next.is_some(), "{mail:?}");
    assert_eq!(lines(&file).len(), 1);
}

#[tokio::test]
async fn what_can_never_arrive_has_failed_and_says_why() {
    let ana = Contact { run: Some(vec!["/no/such/program".into()]), ..contact("ana") };
    let post = Post::new(vec![ana]);
    let gone = message(notice(MessageKind::Problem, 1, State::Critical), "zoe", vec![Channel::Run]);
    let no_way = message(notice(MessageKind::Problem, 2, State::Critical), "ana", Vec::new());
    post.decide(vec![run_message(MessageKind::Problem, "HTTP", 1), gone, no_way]).await;
    let outbox = post.deliver().await;
    assert_eq!(statuses(&outbox), [DeliveryStatus::Failed, DeliveryStatus::Failed]);
    assert!(outbox[0].ways[0].reason.contains("/no/such/program"), "{outbox:?}");
    assert!(outbox[1].ways[0].reason.contains("no longer in the configuration"), "{outbox:?}");
    assert!(outbox[2].ways.is_empty(), "a contact without channels is seen, too");
}

#[tokio::test]
async fn a_program_that_asks_for_another_try_gets_it_and_is_not_overtaken() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("told");
    let script = format!(
        "echo \"$1 $NAGIOS_NOTIFICATIONTYPE\" >> {}; test $NAGIOS_NOTIFICATIONTYPE-$1 != PROBLEM-A || exit 75",
        file.display()
    );
    let words = ["/bin/sh", "-c", &script, "sh", "${service.name}"].map(str::to_owned).to_vec();
    let post = Post::new(vec![Contact { run: Some(words), email: Vec::new(), ..contact("ana") }]);
    post.decide(vec![run_message(MessageKind::Problem, "A", 1), run_message(MessageKind::Problem, "B", 1)])
        .await;
    let outbox = post.deliver().await;
    assert_eq!(statuses(&outbox), [DeliveryStatus::Waiting, DeliveryStatus::Sent]);
    // The recovery of A waits behind its problem, which waits for its second try.
    post.decide(vec![run_message(MessageKind::Recovery, "A", 1), run_message(MessageKind::Recovery, "B", 1)])
        .await;
    let now = post.clock.now();
    let due = post
        .store
        .read(move |connection| outbox::due(connection, "run", Some("ana"), now, 10))
        .await
        .unwrap();
    let due: Vec<String> = due.iter().map(|open| open.message.id.to_string()).collect();
    assert_eq!(due, ["7:RECOVERY:1:ana:web1/B"]);
    let mut told = lines(&file);
    told.sort();
    assert_eq!(told, ["A PROBLEM", "B PROBLEM"]);
}

#[tokio::test]
async fn what_was_being_sent_at_a_crash_is_sent_again_only_where_that_is_noticed() {
    let post = Post::new(vec![Contact { run: Some(vec!["/bin/true".into()]), ..contact("ana") }]);
    let mut message = run_message(MessageKind::Problem, "HTTP", 1);
    message.channels = vec![Channel::Email("ana@example.test".into()), Channel::Run];
    post.decide(vec![message]).await;
    // Marked, and then the process was gone.
    let mark = |connection: &rusqlite::Connection| {
        outbox::begin(connection, 1)?;
        outbox::begin(connection, 2)
    };
    assert!(post.store.write(mark).await.unwrap());
    let outbox = post.deliver().await;
    assert_eq!(statuses(&outbox), [DeliveryStatus::Waiting, DeliveryStatus::Unknown]);
    assert!(outbox[0].ways[0].attempts >= 2, "the mail was tried again: {outbox:?}");
    assert!(outbox[0].ways[1].reason.contains("may have arrived or not"), "{outbox:?}");
}

#[tokio::test]
async fn beyond_its_rate_limit_a_contact_gets_one_summary() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("told");
    let limit = RateLimit { messages: 3, per: Duration::from_secs(600) };
    let post = Post::new(vec![Contact { rate_limit: Some(limit), ..writer_to("ana", &file) }]);
    let names = ["A", "B", "C", "D", "E", "F"];
    post.decide(names.map(|name| run_message(MessageKind::Problem, name, 1)).to_vec()).await;
    let outbox = post.deliver().await;
    let digest = outbox.last().unwrap();
    let About::Digest(told) = &digest.about else { panic!("no summary: {outbox:?}") };
    assert_eq!((told.messages, told.services, told.hosts, told.entries.len()), (4, 4, 1, 4));
    assert_eq!(
        statuses(&outbox),
        [
            DeliveryStatus::Sent,
            DeliveryStatus::Sent,
            DeliveryStatus::Summed,
            DeliveryStatus::Summed,
            DeliveryStatus::Summed,
            DeliveryStatus::Summed,
            DeliveryStatus::Sent,
        ]
    );
    assert_eq!(lines(&file).len(), 3);
    // What comes now waits until the window opens.
    post.decide(vec![run_message(MessageKind::Problem, "G", 1)]).await;
    let outbox = post.deliver().await;
    let last = &outbox.last().unwrap().ways[0];
    assert_eq!(last.status, DeliveryStatus::Waiting);
    assert!(last.reason.contains("rate limit"), "{last:?}");
}

#[tokio::test]
async fn what_the_disk_did_not_take_is_sent_all_the_same_and_not_again_when_it_does() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("told");
    let post = Post::new(vec![writer_to("ana", &file)]);
    let running = post.start();
    let message = run_message(MessageKind::Problem, "HTTP", 1);
    running.unkept.send(message.clone()).await.unwrap();
    let mut health = post.health.subscribe();
    health.wait_for(|health| health.sent.get("run") == Some(&1)).await.unwrap();
    post.decide(vec![message]).await;
    post.settled().await;
    running.end().await;
    assert_eq!(statuses(&post.outbox().await), [DeliveryStatus::Sent]);
    assert_eq!(lines(&file).len(), 1);
    assert_eq!(post.health.borrow().sent["run"], 1, "counted once");
}
