//! Scans in, assets and anomalies out of a real store; what people do; searches.

use std::sync::{Mutex, PoisonError};

use vigia_core::engine::Engine;
use vigia_core::engine::world::Restored;
use vigia_core::model::anomaly::{AnomalyKind, AnomalyStatus};
use vigia_core::model::asset::{Asset, Transport};
use vigia_core::model::id::AssetId;
use vigia_core::model::operation::Operation;

use super::*;
use crate::config::{self, files::Request};
use crate::discovery::finding::{Finding, Service, Sign};
use crate::os::clock::Clock;
use crate::store::anomalies::{AnomalyFilter, AnomalyLine};
use crate::store::assets::list::{AssetFilter, AssetSort, AssetSorted};
use crate::store::{self, RunningWriter, Slice, Sorted};

struct Site {
    assets: Assets,
    world: Arc<Mutex<Arc<World>>>,
    given: Arc<Mutex<Vec<Order>>>,
    writer: RunningWriter,
    _folder: tempfile::TempDir,
}

fn at(hour: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + 3600 * hour)
}

fn locked<T: Clone>(shared: &Mutex<T>) -> T {
    shared.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

fn world_of(yaml: &str) -> Arc<World> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vigia.yaml");
    crate::os::files::write(&path, yaml.as_bytes(), 0o644).unwrap();
    let loaded = config::load(&Request::new(&path, None)).unwrap();
    assert_eq!(loaded.errors(), 0, "{:?}", loaded.problems);
    Arc::new(Engine::new(loaded.inventory.into(), Restored::default(), at(0)).world().clone())
}

fn site(yaml: &str) -> Site {
    let folder = tempfile::tempdir().unwrap();
    let opened = Store::open(&folder.path().join("vigia.db"), Clock::system()).unwrap();
    let world = Arc::new(Mutex::new(world_of(yaml)));
    let base = Arc::new(World::default());
    let writer = opened.writer.start(base, tokio::sync::mpsc::channel(8).0);
    let given: Arc<Mutex<Vec<Order>>> = Arc::default();
    let (seen, orders) = (world.clone(), given.clone());
    let take: Orders = Arc::new(move |order| {
        let mut all = orders.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(order);
        let id = TicketId(u64::try_from(all.len()).unwrap());
        Box::pin(async move { Ok(Some(id)) })
    });
    let assets = Assets::new(opened.store, folder.path().to_owned(), Arc::new(move || locked(&seen)), take);
    Site { assets, world, given, writer, _folder: folder }
}

impl Site {
    async fn scan(&self, hour: i64, findings: Vec<Finding>) -> Learnt {
        let targets = (0..=255).map(|last| IpAddr::from([192, 0, 2, last])).collect();
        let sweep = Sweep { findings, looked_at: 256, is_complete: true, ..Sweep::default() };
        self.assets.observe(Looked { targets, sweep, stale_after: 3 }, at(hour)).await.unwrap()
    }

    async fn list(&self, search: &str) -> Vec<Asset> {
        let terms = search::read(search, &self.assets.world(), at(100)).unwrap();
        let filter = AssetFilter { terms, ..AssetFilter::default() };
        let page = self
            .assets
            .store()
            .read(move |connection| store::assets::list::list(connection, &filter))
            .await
            .unwrap();
        assert_eq!(page.total, page.items.len() as u64);
        page.items.into_iter().map(|line| line.asset).collect()
    }

    async fn names(&self, search: &str) -> Vec<String> {
        self.list(search).await.iter().map(|asset| asset.name().to_owned()).collect()
    }

    async fn anomalies(&self) -> Vec<AnomalyLine> {
        let filter = AnomalyFilter::default();
        let read = move |connection: &_| store::anomalies::list(connection, &filter);
        self.assets.store().read(read).await.unwrap().items
    }

    /// Kind and status, the newest first.
    async fn told(&self) -> Vec<(AnomalyKind, AnomalyStatus)> {
        self.anomalies().await.iter().map(|line| (line.anomaly.kind, line.anomaly.status)).collect()
    }

    async fn close(self) {
        self.writer.stop().await;
    }
}

fn ssh(version: &str) -> Service {
    let ssh = Service::new(22, Transport::Tcp, "ssh");
    Service { is_sure: true, product: Some("OpenSSH".into()), version: Some(version.into()), ..ssh }
}

fn host(last: u8, services: Vec<Service>) -> Finding {
    let address = IpAddr::from([192, 0, 2, last]);
    Finding { services, is_complete: true, ..Finding::new(address, Sign::Echo { ttl: None }) }
}

fn who() -> Who {
    Who { name: "ana".into(), peer: None }
}

#[tokio::test]
async fn scans_fill_the_memory_and_what_changes_is_an_anomaly() {
    let site = site("hosts: {web1: {address: 192.0.2.1}}");
    let learnt = site.scan(1, vec![host(1, vec![ssh("9.2")]), host(2, vec![])]).await;
    assert_eq!((learnt.hosts, learnt.new, learnt.anomalies), (2, 2, 0), "the first scan is the baseline");
    assert_eq!(site.names("").await, ["192.0.2.2", "web1"]);
    let learnt = site.scan(2, vec![host(1, vec![ssh("9.6")]), host(2, vec![]), host(3, vec![])]).await;
    assert_eq!((learnt.new, learnt.anomalies), (1, 2));
    let all = site.anomalies().await;
    let line = all.iter().find(|line| line.anomaly.kind == AnomalyKind::VersionChanged).unwrap();
    assert_eq!((&*line.anomaly.old, &*line.anomaly.new), ("OpenSSH 9.2", "OpenSSH 9.6"));
    assert_eq!((&*line.asset_name, line.address.as_deref()), ("web1", Some("192.0.2.1")));
    assert!(
        all.iter().any(|line| line.anomaly.kind == AnomalyKind::HostNew && &*line.asset_name == "192.0.2.3")
    );
    site.close().await;
}

#[tokio::test]
async fn a_host_that_is_missed_is_stale_once_and_never_deleted() {
    let site = site("hosts: {}");
    site.scan(1, vec![host(1, vec![]), host(2, vec![])]).await;
    let mut stale = 0;
    for hour in 2..8 {
        stale += site.scan(hour, vec![host(1, vec![])]).await.stale;
    }
    assert_eq!(stale, 1);
    assert_eq!(site.told().await, [(AnomalyKind::HostGone, AnomalyStatus::Open)]);
    assert_eq!(site.names("state:stale").await, ["192.0.2.2"]);
    site.scan(9, vec![host(1, vec![]), host(2, vec![])]).await;
    assert_eq!(site.told().await, [(AnomalyKind::HostGone, AnomalyStatus::Over)]);
    assert!(site.names("state:stale").await.is_empty());
    site.close().await;
}

#[tokio::test]
async fn a_machine_that_moves_stays_itself_and_a_new_one_takes_its_address() {
    let site = site("hosts: {}");
    let with = |last, key: &str, card: &str| Finding {
        ssh_key: Some(key.into()),
        mac: card.parse().ok(),
        ..host(last, vec![ssh("9.2")])
    };
    site.scan(1, vec![with(1, "SHA256:a", "00:1e:c9:00:00:01")]).await;
    let before = site.list("").await[0].id;
    site.scan(2, vec![with(7, "SHA256:a", "00:1e:c9:00:00:01"), with(1, "SHA256:b", "00:1e:c9:00:00:02")])
        .await;
    let all = site.list("").await;
    let moved = all.iter().find(|asset| asset.id == before).unwrap();
    assert_eq!(moved.address(), Some(IpAddr::from([192, 0, 2, 7])));
    assert_eq!(all.len(), 2, "{all:?}");
    site.close().await;
}

#[tokio::test]
async fn a_search_finds_by_all_that_is_known() {
    let site = site(
        "networks: {office: {cidr: 192.0.2.0/29}}\nhostgroups: {web: {members: [web1]}}\n\
         hosts: {web1: {address: 192.0.2.1, asset_value: 4}, off: {address: 192.0.2.5, monitor: off}}",
    );
    let mut named = host(9, vec![Service::new(80, Transport::Tcp, "http")]);
    named.names = vec!["printer.example.test".into()];
    named.vendor = Some("Dell Inc.".into());
    named.mac = "00:1e:c9:00:00:01".parse().ok();
    site.scan(1, vec![host(1, vec![ssh("9.2")]), named]).await;
    site.assets.sync().await.unwrap();
    for (search, found) in [
        ("", &["off", "printer.example.test", "web1"][..]),
        ("net:office", &["off", "web1"]),
        ("net:192.0.2.9", &["printer.example.test"]),
        ("port:22", &["web1"]),
        ("-port:1-100", &["off"]),
        ("service:http", &["printer.example.test"]),
        ("version:9.2", &["web1"]),
        ("openssh", &["web1"]),
        ("mac:dell", &["printer.example.test"]),
        ("group:web", &["web1"]),
        ("state:monitored", &["web1"]),
        ("state:unmonitored", &["off", "printer.example.test"]),
        ("value>=4", &["web1"]),
        ("value:2 -name:off", &["printer.example.test"]),
        ("seen<7d", &["printer.example.test", "web1"]),
        ("192.0.2.9", &["printer.example.test"]),
        ("PRINTER net:office", &[]),
        ("100%", &[]),
    ] {
        let found: Vec<&str> = found.to_vec();
        assert_eq!(site.names(search).await, found, "{search}");
    }
    site.close().await;
}

#[tokio::test]
async fn a_rule_opens_a_ticket_with_old_and_new_and_another_value_is_a_note_in_it() {
    let site = site(
        "hosts: {web1: {address: 192.0.2.1, asset_value: 4}}\n\
         rules: {software: {when: {source: anomaly, anomaly: [version_changed], match: 'web*'}, ticket: {tags: [net]}}}",
    );
    site.scan(1, vec![host(1, vec![ssh("9.2")]), host(2, vec![ssh("9.2")])]).await;
    site.scan(2, vec![host(1, vec![ssh("9.6")]), host(2, vec![ssh("9.6")])]).await;
    let given = locked(&site.given);
    assert_eq!(given.len(), 1, "192.0.2.2 is not meant: {given:?}");
    let Operation::OpenTicket { ticket } = &given[0].operation else { panic!("{given:?}") };
    assert_eq!(&*ticket.title, "web1: version changed, 22/tcp OpenSSH 9.2 → OpenSSH 9.6");
    assert_eq!((ticket.class.word(), &*ticket.r#type, ticket.priority), ("Anomaly", "Anomalies", 7));
    assert!(ticket.text.contains("Previous: OpenSSH 9.2\nNew: OpenSSH 9.6"), "{}", ticket.text);
    assert_eq!(ticket.subject.as_ref().map(ToString::to_string).as_deref(), Some("web1"));
    let line = site.anomalies().await.into_iter().find(|line| &*line.asset_name == "web1").unwrap();
    assert_eq!(line.anomaly.ticket, Some(TicketId(1)));
    site.scan(3, vec![host(1, vec![ssh("9.6")]), host(2, vec![ssh("9.6")])]).await;
    assert_eq!(locked(&site.given).len(), 1, "one anomaly, one ticket");
    site.close().await;
}

#[tokio::test]
async fn accepted_is_the_new_baseline_and_kept_is_told_again_only_with_another_value() {
    let site = site("hosts: {}");
    site.scan(1, vec![host(1, vec![ssh("9.2")])]).await;
    site.scan(2, vec![host(1, vec![ssh("9.6")])]).await;
    let id = site.anomalies().await[0].anomaly.id;
    site.assets.settle(id, Verdict::Accept, who(), at(2)).await.unwrap();
    assert!(site.assets.settle(id, Verdict::Accept, who(), at(2)).await.is_err());
    site.scan(3, vec![host(1, vec![ssh("9.6")])]).await;
    assert_eq!(site.told().await.len(), 1);
    site.scan(4, vec![host(1, vec![ssh("9.7")])]).await;
    let all = site.anomalies().await;
    assert_eq!((&*all[0].anomaly.old, &*all[0].anomaly.new), ("OpenSSH 9.6", "OpenSSH 9.7"));
    site.assets.settle(all[0].anomaly.id, Verdict::Keep, who(), at(4)).await.unwrap();
    site.scan(5, vec![host(1, vec![ssh("9.7")])]).await;
    assert_eq!(site.told().await.len(), 2);
    site.scan(6, vec![host(1, vec![ssh("9.8")])]).await;
    let all = site.anomalies().await;
    assert_eq!((&*all[0].anomaly.old, &*all[0].anomaly.new), ("OpenSSH 9.6", "OpenSSH 9.8"));
    site.close().await;
}

#[tokio::test]
async fn what_a_person_said_is_kept_audited_and_no_scan_touches_it() {
    let site = site("hosts: {web1: {address: 192.0.2.1}}");
    site.scan(1, vec![host(1, vec![]), host(2, vec![ssh("9.2")])]).await;
    let id = site.list("net:192.0.2.2").await[0].id;
    let change = |field, text: &str| Change { field, text: text.into() };
    let changes = vec![
        change("name", "old mill"),
        change("latitude", "40.4168"),
        change("longitude", "-3.7038"),
        change("value", "5"),
    ];
    site.assets.edit(id, changes, who(), at(1)).await.unwrap();
    site.assets.service(id, (9999, Transport::Tcp), Some("own".into()), who(), at(1)).await.unwrap();
    for hour in 2..6 {
        site.scan(hour, vec![host(1, vec![]), host(2, vec![ssh("9.2")])]).await;
    }
    let asset = site.list("name:mill").await.remove(0);
    assert_eq!(
        (asset.set.latitude, asset.set.longitude, asset.set.value),
        (Some(40.4168), Some(-3.7038), Some(5))
    );
    let origins: Vec<String> = asset.services.iter().map(|one| one.origins.to_string()).collect();
    assert_eq!(origins, ["Active", "By hand"], "a service of a person's is not missed");
    assert_eq!(asset.services[1].gone, None);
    let audit = site
        .assets
        .store()
        .read(|connection| store::audit::list(connection, &Default::default()))
        .await
        .unwrap();
    let acts: Vec<&str> = audit.items.iter().map(|line| line.act.action.as_str()).collect();
    assert_eq!(acts, ["add-asset-service", "edit-asset"]);
    assert_eq!(audit.items[1].act.detail["name"]["new"], "old mill");
    let web1 = site.list("name:web1").await[0].id;
    let refused = site.assets.edit(web1, vec![change("value", "5")], who(), at(1)).await.unwrap_err();
    assert!(refused.to_string().contains("its key `asset_value` says this"), "{refused}");
    assert!(site.assets.forget(web1, who(), at(1)).await.is_err());
    site.assets.forget(id, who(), at(1)).await.unwrap();
    assert_eq!(site.names("").await, ["web1"]);
    site.close().await;
}

#[tokio::test]
async fn a_service_that_is_accepted_as_gone_is_new_when_it_comes_back() {
    let site = site("hosts: {}");
    site.scan(1, vec![host(1, vec![ssh("9.2")])]).await;
    site.scan(2, vec![host(1, vec![])]).await;
    site.scan(3, vec![host(1, vec![])]).await;
    assert_eq!(site.told().await, [(AnomalyKind::ServiceGone, AnomalyStatus::Open)]);
    let id = site.anomalies().await[0].anomaly.id;
    site.assets.settle(id, Verdict::Accept, who(), at(3)).await.unwrap();
    site.scan(4, vec![host(1, vec![ssh("9.2")])]).await;
    assert_eq!(site.told().await[0], (AnomalyKind::ServiceNew, AnomalyStatus::Open));
    site.close().await;
}

#[tokio::test]
async fn hosts_of_the_configuration_are_assets_and_follow_it() {
    let site = site("hosts: {web1: {address: 192.0.2.1}, gone: {address: 192.0.2.8}}");
    site.scan(1, vec![host(2, vec![])]).await;
    site.assets.sync().await.unwrap();
    assert_eq!(site.names("").await, ["192.0.2.2", "gone", "web1"]);
    let found = site.list("net:192.0.2.2").await[0].id;
    let now = "hosts: {front: {address: 192.0.2.1, was: web1}, two: {address: 192.0.2.2}}";
    *site.world.lock().unwrap() = world_of(now);
    site.assets.sync().await.unwrap();
    site.assets.sync().await.unwrap();
    assert_eq!(site.names("").await, ["front", "two"]);
    assert_eq!(site.list("name:two").await[0].id, found, "it is the one that was found before");
    site.close().await;
}

#[tokio::test]
async fn a_network_tells_how_many_of_its_assets_are_monitored_and_its_switch_is_kept() {
    let yaml = "networks: {lan: {cidr: 192.0.2.0/24}, part: {cidr: 192.0.2.0/29}, said: {cidr: 192.0.2.64/28, monitor: on}}\n\
         hosts: {web1: 192.0.2.1, off: {address: 192.0.2.2, monitor: off}}";
    let site = site(yaml);
    site.scan(1, vec![host(1, vec![ssh("9")]), host(3, vec![]), host(70, vec![])]).await;
    site.scan(2, vec![host(1, vec![ssh("10")]), host(3, vec![]), host(70, vec![])]).await;
    site.assets.sync().await.unwrap();
    let told = |lines: &[network::NetworkLine]| {
        let each = |one: &network::NetworkLine| {
            format!("{} {} of {}, {} {}", one.name, one.monitored, one.assets, one.anomalies, one.is_on)
        };
        lines.iter().map(each).collect::<Vec<_>>()
    };
    let lines = site.assets.networks().await.unwrap();
    assert_eq!(told(&lines), ["lan 1 of 4, 1 true", "part 1 of 3, 1 true", "said 0 of 1, 0 true"]);
    site.assets.switch("lan", Some(false), who(), at(3)).await.unwrap();
    let switches = config::switches::read(Some(site._folder.path())).unwrap();
    assert_eq!(switches.into_iter().collect::<Vec<_>>(), [("lan".to_owned(), false)]);
    assert!(matches!(
        site.assets.switch("said", Some(false), who(), at(3)).await,
        Err(EditError::Refused(_))
    ));
    assert!(matches!(site.assets.switch("x", None, who(), at(3)).await, Err(EditError::Missing(_))));
    site.assets.switch("lan", None, who(), at(3)).await.unwrap();
    assert!(config::switches::read(Some(site._folder.path())).unwrap().is_empty());
    site.close().await;
}

#[tokio::test]
async fn hosts_that_say_one_address_do_not_take_it_from_each_other() {
    let site = site("hosts: {a: 127.0.0.1, b: 127.0.0.1, c: {address: 127.0.0.1, aliases: [192.0.2.3]}}");
    let told = |assets: Vec<Asset>| {
        let each = |asset: &Asset| format!("{} {}", asset.name(), asset.addresses.len());
        assets.iter().map(each).collect::<Vec<_>>()
    };
    for _ in 0..3 {
        site.assets.sync().await.unwrap();
        assert_eq!(told(site.list("").await), ["a 1", "b 0", "c 1"]);
    }
    site.scan(1, vec![host(3, vec![ssh("9.2")])]).await;
    site.assets.sync().await.unwrap();
    assert_eq!(told(site.list("").await), ["a 1", "b 0", "c 1"], "a scan finds the host that says it");
    site.close().await;
}

#[tokio::test]
async fn ids_and_orders_of_a_list_are_stable() {
    let site = site("hosts: {}");
    site.scan(1, vec![host(10, vec![]), host(9, vec![]), host(100, vec![])]).await;
    let sorted = AssetSorted(Sorted { by: AssetSort::Address, is_descending: false });
    let filter = AssetFilter { sorted, slice: Slice::first(2), ..AssetFilter::default() };
    let read = move |connection: &_| store::assets::list::list(connection, &filter);
    let page = site.assets.store().read(read).await.unwrap();
    let names: Vec<&str> = page.items.iter().map(|line| line.asset.name()).collect();
    assert_eq!((page.total, names), (3, vec!["192.0.2.9", "192.0.2.10"]));
    assert_ne!(page.items[0].asset.id, AssetId(0));
    site.close().await;
}
