//! Scans of loopback through the owner, over a real store: queue, cancel, history, pages.

use std::sync::Mutex;

use tokio::net::TcpListener;
use vigia_core::model::inventory::Inventory;
use vigia_core::model::operation::{Operation, Order as EngineOrder};
use vigia_core::model::period::PeriodId;
use vigia_core::model::scan::ScanMode;

use super::super::{Chosen, Jobs, new};
use super::record::row_of_job;
use super::*;
use crate::config::files::Request;
use crate::discovery::insert::{Monitoring, Properties};
use crate::os::clock::Clock;
use crate::store::scans::{Counts, Ending, ScanRow};
use crate::store::{RunningWriter, Store};

pub(in super::super) fn job(name: &str) -> ScanJob {
    ScanJob {
        name: name.into(),
        targets: "127.0.0.1".into(),
        scan: "fast".into(),
        timing: "insane".into(),
        is_nmap: false,
        every: None,
        window: PeriodId::ALWAYS,
        mode: ScanMode::Propose,
        max_new: 50,
        stale_after: 3,
        quiet: Duration::from_secs(900),
        templates: Vec::new(),
        rules: Vec::new(),
    }
}

struct House {
    folder: tempfile::TempDir,
    jobs: Jobs,
    stop: CancellationToken,
    owner: tokio::task::JoinHandle<()>,
    worlds: watch::Sender<Arc<World>>,
    reports: Arc<Mutex<Vec<Report>>>,
    orders: Arc<Mutex<Vec<EngineOrder>>>,
    writer: RunningWriter,
}

fn world(jobs: Vec<ScanJob>) -> Arc<World> {
    let mut inventory = Inventory::default();
    inventory.scans = jobs;
    Arc::new(World { inventory: Arc::new(inventory), ..World::default() })
}

async fn house_in(folder: tempfile::TempDir, jobs: Vec<ScanJob>) -> House {
    let clock = Clock::system();
    let opened = Store::open(&folder.path().join("vigia.db"), clock.clone()).unwrap();
    let writer = opened.writer.start(Arc::new(World::default()), mpsc::channel(1).0);
    let config = folder.path().join("vigia.yaml");
    crate::os::files::write(&config, b"", 0o600).unwrap();
    let (worlds, receiver) = watch::channel(world(jobs));
    let (reports, orders) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
    let (heard, given) = (reports.clone(), orders.clone());
    let (owner, jobs) = new(Wiring {
        worlds: receiver,
        store: opened.store,
        clock,
        request: Request::new(&config, Some(folder.path())),
        state_dir: folder.path().to_path_buf(),
        limit: watch::channel(65_536).1,
        hand: Arc::new(move |report| {
            assert!(report.job.as_deref() != Some("rash"), "as a mistake in whoever learns of it");
            heard.lock().unwrap().push(report);
            Box::pin(std::future::ready(()))
        }),
        give: Arc::new(move |order| {
            given.lock().unwrap().push(order);
            Box::pin(std::future::ready(Ok(())))
        }),
    });
    let stop = CancellationToken::new();
    let owner = tokio::spawn(owner.run(stop.clone()));
    House { folder, jobs, stop, owner, worlds, reports, orders, writer }
}

async fn house(jobs: Vec<ScanJob>) -> House {
    house_in(tempfile::tempdir().unwrap(), jobs).await
}

impl House {
    async fn ended(&self, id: i64) -> (ScanRow, Option<Arc<Summary>>) {
        let mut board = self.jobs.board();
        loop {
            let (row, summary) = self.jobs.one(id).await.unwrap();
            if row.state.is_over() {
                return (row, summary);
            }
            board.changed().await.unwrap();
        }
    }

    async fn is_begun(&self, id: i64) {
        let mut board = self.jobs.board();
        let has_begun = |board: &Arc<Board>| board.live.iter().any(|one| one.id == id && one.begun.is_some());
        board.wait_for(has_begun).await.unwrap();
    }

    /// As a restart finds it.
    async fn close(self) -> tempfile::TempDir {
        self.stop.cancel();
        self.owner.await.unwrap();
        self.writer.stop().await;
        self.folder
    }

    fn page(&self, name: &str) -> String {
        let path = self.folder.path().join("discovered").join(format!("{name}.yaml"));
        String::from_utf8(crate::os::files::read(&path, 1 << 20).unwrap_or_default()).unwrap()
    }
}

fn ask(targets: &str, scan: &str, timing: &str) -> Ask {
    Ask::read(targets, scan, timing, "builtin", false).unwrap()
}

/// A server that greets as SSH does; its port.
async fn ssh() -> u16 {
    use tokio::io::AsyncWriteExt as _;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n").await.unwrap_or_default();
        }
    });
    port
}

#[tokio::test]
async fn a_scan_by_hand_is_found_inserted_and_in_the_history() {
    let (house, port) = (house(Vec::new()).await, ssh().await);
    let id = house.jobs.start(ask("127.0.0.1", &port.to_string(), "T5"), "ana".into()).await.unwrap();
    let (row, summary) = house.ended(id).await;
    assert_eq!((row.state, row.author.as_str(), row.counts.new), (ScanState::Finished, "ana", 1));
    let host = summary.unwrap().hosts[0].clone();
    assert_eq!(host.checks[0].check, format!("{{ssh: {{port: {port}}}}}"));
    assert_eq!(house.reports.lock().unwrap()[0].scan, id, "whoever learns of it was told");
    assert_eq!(house.page("manual"), "", "nothing is written unasked");
    let properties = Properties { new: Monitoring::On, ..Properties::default() };
    let named = Chosen::Named(vec![host.host_name.clone()]);
    let inserted = house.jobs.insert(id, named, properties).await.unwrap();
    assert_eq!(inserted.new, [host.host_name]);
    assert!(house.page("manual").contains("{ssh: "), "{}", house.page("manual"));
    let missing = house.jobs.insert(id, Chosen::Named(vec!["nobody".into()]), Properties::default()).await;
    assert_eq!(missing, Err(NotDone::Missing(format!("scan {id} found no host `nobody`"))));
    house.close().await;
}

#[tokio::test]
async fn a_cancelled_scan_keeps_what_it_found() {
    let (house, port) = (house(Vec::new()).await, ssh().await);
    // One host at a time, and minutes between two ports.
    let ports = format!("{port},1,2");
    let id = house.jobs.start(ask("127.0.0.1", &ports, "T0"), "ana".into()).await.unwrap();
    let mut board = house.jobs.board();
    let is_scanning = |board: &Arc<Board>| {
        board.live.iter().any(|one| one.id == id && one.progress.stage == Stage::Scanning)
    };
    board.wait_for(is_scanning).await.unwrap();
    house.jobs.cancel(id).await.unwrap();
    let (row, summary) = house.ended(id).await;
    let summary = summary.unwrap();
    assert_eq!((row.state, summary.complete), (ScanState::Stopped, false));
    assert_eq!(summary.hosts.len(), 1, "the host that answered is there");
    assert!(house.jobs.cancel(id).await.is_err(), "it is not under way any more");
    house.close().await;
}

#[tokio::test]
async fn two_scans_over_one_network_follow_each_other_and_the_same_one_is_refused() {
    let house = house(vec![job("lan"), ScanJob { timing: "paranoid".into(), ..job("slow") }]).await;
    let slow = house.jobs.start_job("slow", "ana".into()).await.unwrap();
    house.is_begun(slow).await;
    let said = house.jobs.start_job("slow", "bob".into()).await.unwrap_err().to_string();
    assert_eq!(said, format!("job `slow` is under way already: scan {slow}"));
    let second = house.jobs.start_job("lan", "ana".into()).await.unwrap();
    let elsewhere = house.jobs.start(ask("127.0.0.2", "1", "T5"), "ana".into()).await.unwrap();
    assert_eq!(house.ended(elsewhere).await.0.state, ScanState::Finished, "another network need not wait");
    let board = house.jobs.board().borrow().clone();
    let waiting = board.live.iter().find(|one| one.id == second).unwrap();
    assert_eq!((waiting.begun, waiting.waits_for), (None, Some(slow)));
    house.jobs.cancel(slow).await.unwrap();
    assert_eq!(house.ended(second).await.0.state, ScanState::Finished);
    house.close().await;
}

#[tokio::test]
async fn a_restart_says_what_was_interrupted_and_keeps_what_was_found() {
    let house = house(vec![ScanJob { timing: "paranoid".into(), ..job("slow") }]).await;
    let running = house.jobs.start_job("slow", "ana".into()).await.unwrap();
    house.is_begun(running).await;
    let waiting = house.jobs.start(ask("127.0.0.1", "1,2", "T1"), "ana".into()).await.unwrap();
    let folder = house.close().await;
    let house = house_in(folder, Vec::new()).await;
    for id in [running, waiting] {
        let (row, _) = house.jobs.one(id).await.unwrap();
        assert_eq!(row.state, ScanState::Interrupted);
        assert!(row.said.unwrap().starts_with("vigia ended before the scan did"));
    }
    assert!(house.jobs.board().borrow().live.is_empty());
    house.close().await;
}

#[tokio::test]
async fn a_job_that_monitors_writes_what_is_new_and_keeps_quiet_about_it() {
    let port = ssh().await;
    let watching = ScanJob { scan: port.to_string().into(), mode: ScanMode::Monitor, ..job("lan") };
    let house = house(vec![watching.clone()]).await;
    let id = house.jobs.start_job("lan", "ana".into()).await.unwrap();
    let (row, summary) = house.ended(id).await;
    assert_eq!(row.said.as_deref(), Some("1 host written"));
    let page = house.page("lan");
    assert!(page.contains("{ssh: ") && !page.contains("monitor"), "{page}");
    // The reload brings it.
    let name = summary.unwrap().hosts[0].host_name.clone();
    let loaded = crate::config::load(&Request::new(
        &house.folder.path().join("vigia.yaml"),
        Some(house.folder.path()),
    ));
    let mut inventory = loaded.unwrap().inventory;
    inventory.scans = vec![watching];
    let live = World { inventory: Arc::new(inventory), ..World::default() };
    assert!(live.inventory.host_id(&name).is_some());
    house.worlds.send_replace(Arc::new(live));
    let mut board = house.jobs.board();
    while house.orders.lock().unwrap().is_empty() {
        house.worlds.send_modify(|_| ());
        drop(timeout(Duration::from_millis(50), board.changed()).await);
    }
    let order = house.orders.lock().unwrap()[0].clone();
    let Operation::ScheduleDowntime { subject, start, end, .. } = order.operation else {
        panic!("{order:?}")
    };
    assert_eq!((&*subject.host, end.since(start) <= Duration::from_secs(900)), (name.as_str(), true));
    house.close().await;
}

#[tokio::test]
async fn more_new_hosts_than_allowed_become_a_proposal_and_report_writes_nothing() {
    let port = ssh().await;
    let many = ScanJob {
        scan: port.to_string().into(),
        targets: "127.0.0.1-127.0.0.4".into(),
        mode: ScanMode::Monitor,
        max_new: 0,
        ..job("many")
    };
    let report =
        ScanJob { mode: ScanMode::Report, max_new: 50, ..ScanJob { name: "report".into(), ..many.clone() } };
    let house = house(vec![many, report]).await;
    for (name, said) in [("many", "more than the 0 of `max_new`"), ("report", "the job reports alone")] {
        let id = house.jobs.start_job(name, "ana".into()).await.unwrap();
        let (row, _) = house.ended(id).await;
        assert!(row.said.as_deref().is_some_and(|text| text.contains(said)), "{row:?}");
        assert_eq!(house.page(name), "");
    }
    house.close().await;
}

#[tokio::test]
async fn a_job_comes_round_by_itself_and_its_mistakes_are_in_the_history() {
    let every = Some(vigia_core::model::scan::Every::Span(Duration::from_secs(3_600)));
    let house = house(Vec::new()).await;
    let old = ScanRow {
        asked: Timestamp::from_second(1_000),
        ..row_of_job(&job("lan"), house.jobs.store.clock().now())
    };
    let wrong = ScanRow { job: Some("wrong".into()), ..old.clone() };
    let asked = house.jobs.store.write(move |db| Ok([scans::ask(db, &old)?, scans::ask(db, &wrong)?]));
    let ending = Ending {
        state: ScanState::Finished,
        at: Timestamp::from_second(1_010),
        counts: Counts::default(),
        said: None,
        report: None,
    };
    let ids = asked.await.unwrap();
    house
        .jobs
        .store
        .write(move |db| ids.iter().try_for_each(|id| scans::end(db, *id, &ending)))
        .await
        .unwrap();
    let folder = house.close().await;
    let wrong =
        ScanJob { name: "wrong".into(), targets: "net:gone".into(), every: every.clone(), ..job("x") };
    let house = house_in(folder, vec![ScanJob { every, scan: "1".into(), ..job("lan") }, wrong]).await;
    let mut board = house.jobs.board();
    let are_done = |board: &Arc<Board>| {
        board.jobs.len() == 2
            && board
                .jobs
                .iter()
                .all(|one| one.last.is_some_and(|last| last.id > ids[1] && last.state.is_over()))
    };
    board.wait_for(are_done).await.unwrap();
    let (_, rows) = house.jobs.past(10, 0).await.unwrap();
    let of = |name: &str| rows.iter().find(|row| row.job.as_deref() == Some(name)).unwrap();
    assert_eq!((of("lan").state, of("lan").author.as_str()), (ScanState::Finished, "job lan"));
    assert_eq!(of("wrong").state, ScanState::Failed, "{rows:#?}");
    assert!(of("wrong").said.as_deref().is_some_and(|said| said.contains("there is no network `gone`")));
    assert!(board.borrow().jobs.iter().all(|one| one.next.is_some()), "both come round again");
    house.close().await;
}

#[tokio::test]
async fn a_scan_that_a_mistake_of_ours_ended_is_said_to_have_failed_and_others_go_on() {
    let house = house(vec![ScanJob { scan: "1".into(), ..job("rash") }]).await;
    let id = house.jobs.start_job("rash", "ana".into()).await.unwrap();
    let (row, _) = house.ended(id).await;
    assert_eq!(row.state, ScanState::Failed);
    let next = house.jobs.start(ask("127.0.0.1", "1", "T5"), "ana".into()).await.unwrap();
    assert_eq!(house.ended(next).await.0.state, ScanState::Finished);
    house.close().await;
}

#[tokio::test]
async fn targets_that_are_wrong_or_many_are_told_before_anything_is_sent() {
    let house = house(Vec::new()).await;
    let said = house.jobs.start(ask("127.0.0.9-127.0.0.1", "1", "T5"), "ana".into()).await.unwrap_err();
    assert!(matches!(said, NotDone::Unsettled(_)), "{said:?}");
    let said = house.jobs.start(ask("127.1.0.0/23", "1", "T5"), "ana".into()).await.unwrap_err();
    assert_eq!(said, NotDone::Unconfirmed { count: 512 });
    assert_eq!(house.jobs.past(10, 0).await.unwrap().0, 0);
    house.close().await;
}
