//! The built-in engine: who is there, which ports are open, what answers, what it is called. One scan from beginning to
//! end; cancelled, it hands over what it has.
//!
//! Nothing here decides what becomes of a finding.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use vigia_checks::echo::{self, Echo};
use vigia_checks::liveness::{self, Sign as TcpSign};
use vigia_checks::{Resolver, Shared};

use super::finding::{Finding, Service, Sign, Sweep, Transport};
use super::knock::Host;
use super::mac::Vendors;
use super::mirage;
use super::neighbours::{self, Standing};
use super::opening::Visit;
use super::pace::Pace;
use super::plan::{Depth, Plan};
use super::targets::Targets;
use super::timing::Limits;
use super::{os_guess, ssh_key};

/// How far a scan is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    pub stage: Stage,
    /// Of the first stage addresses, of the second ports of all hosts (hosts, where it asks no ports).
    pub done: usize,
    pub total: usize,
    /// Hosts found so far.
    pub found: usize,
}

impl Progress {
    pub fn percent(&self) -> usize {
        match self.stage {
            Stage::Finished => 100,
            Stage::Searching | Stage::Scanning => {
                (self.done.saturating_mul(100) / self.total.max(1)).min(100)
            }
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// Who is there?
    #[default]
    Searching,
    /// What is there?
    Scanning,
    Finished,
}

impl Stage {
    pub fn word(self) -> &'static str {
        match self {
            Self::Searching => "searching",
            Self::Scanning => "scanning",
            Self::Finished => "finished",
        }
    }
}

/// What a scan works with.
pub struct Scanner {
    shared: Shared,
    resolver: Resolver,
    /// Megabytes of text are read when the first network card asks for it.
    vendors: LazyLock<Vendors>,
}

/// A name server that is silent costs this much a host, and a few hosts only.
const NAME_WAIT: Duration = Duration::from_secs(2);
const NAME_FAILURES: usize = 3;
/// How long the kernel takes to ask an old neighbour again.
const NEIGHBOUR_WAIT: Duration = Duration::from_secs(9);
/// Conversations with one host side by side.
const TALKS: usize = 8;

impl Scanner {
    pub fn new(shared: Shared) -> Self {
        Self { shared, resolver: Resolver::new(), vendors: LazyLock::new(Vendors::of_system) }
    }

    /// What `checks` share, for whoever tries what was found.
    pub fn shared(&self) -> &Shared {
        &self.shared
    }

    pub fn resolver(&self) -> &Resolver {
        &self.resolver
    }

    /// Scans. Ends early, with what there is, when `stop` is cancelled.
    pub async fn run(
        &self,
        targets: &Targets,
        plan: &Plan,
        progress: &watch::Sender<Progress>,
        stop: &CancellationToken,
    ) -> Sweep {
        let limits = plan.timing.limits();
        Scan::new(self, plan, &limits, progress, stop).run(targets).await
    }

    /// Adds to what another program found: first answers, keys, network cards.
    pub async fn enrich(
        &self,
        sweep: &mut Sweep,
        progress: &watch::Sender<Progress>,
        stop: &CancellationToken,
    ) {
        let (plan, limits) = (sweep.plan.clone(), sweep.plan.timing.limits());
        let scan = Scan::new(self, &plan, &limits, progress, stop);
        let total = sweep.findings.len();
        progress.send_replace(Progress { stage: Stage::Scanning, done: 0, total, found: total });
        let looks = std::mem::take(&mut sweep.findings).into_iter().map(|finding| scan.complete(finding));
        sweep.findings = futures_util::stream::iter(looks).buffered(limits.hosts).collect().await;
        let known = neighbours::all().unwrap_or_default();
        for finding in &mut sweep.findings {
            finding.mac = finding.mac.or_else(|| known.get(&finding.address).map(|one| one.mac));
            finding.os = finding.os.take().or_else(|| os_guess::guess(finding));
        }
        progress.send_modify(|progress| progress.stage = Stage::Finished);
    }
}

/// What another program says of a service, with what we heard ourselves.
fn merged(told: Service, ours: &[Service]) -> Service {
    let twin = ours.iter().find(|one| (one.port, one.transport) == (told.port, told.transport));
    let Some(ours) = twin.filter(|ours| ours.is_sure || ours.is_tls) else { return told };
    let is_better = ours.is_sure && (!told.is_sure || ours.name == told.name);
    let mut both = if is_better { ours.clone() } else { told.clone() };
    both.first = ours.first.clone();
    both.is_tls = ours.is_tls;
    both.product = both.product.or(told.product);
    both.version = both.version.or(told.version);
    both
}

struct Scan<'a> {
    scanner: &'a Scanner,
    plan: &'a Plan,
    limits: &'a Limits,
    pace: Arc<Pace>,
    progress: &'a watch::Sender<Progress>,
    stop: &'a CancellationToken,
    silent_names: AtomicUsize,
}

impl<'a> Scan<'a> {
    fn new(
        scanner: &'a Scanner,
        plan: &'a Plan,
        limits: &'a Limits,
        progress: &'a watch::Sender<Progress>,
        stop: &'a CancellationToken,
    ) -> Self {
        let pace = Arc::new(Pace::new(limits));
        Self { scanner, plan, limits, pace, progress, stop, silent_names: AtomicUsize::new(0) }
    }

    async fn run(&self, targets: &Targets) -> Sweep {
        let mut sweep = Sweep { plan: self.plan.clone(), is_complete: true, ..Sweep::default() };
        let icmp = targets.addresses.first().map(|first| echo::is_allowed(&self.scanner.shared, *first));
        if let Some(Err(why)) = &icmp {
            sweep.unknown.push(format!("hosts that answer ping alone: {why}"));
        }
        let (alive, looked_at) = self.search(targets, matches!(icmp, Some(Ok(())))).await;
        sweep.looked_at = looked_at;
        let mut findings = self.scan(alive).await;
        findings.sort_unstable_by_key(|finding| finding.address);
        self.add_cards(&mut findings);
        for finding in &mut findings {
            finding.os = os_guess::guess(finding);
        }
        mirage::mark_edges(&mut findings, targets);
        sweep.is_complete = !self.stop.is_cancelled() && findings.iter().all(|finding| finding.is_complete);
        sweep.unknown.extend(self.unknown(&findings));
        sweep.findings = findings;
        self.progress.send_modify(|progress| progress.stage = Stage::Finished);
        sweep
    }

    /// Stage one: who is there, and how many were asked.
    async fn search(&self, targets: &Targets, may_echo: bool) -> (Vec<Finding>, usize) {
        let total = targets.addresses.len();
        self.progress.send_replace(Progress { total, ..Progress::default() });
        let mut asked = futures_util::stream::iter(targets.addresses.iter().copied())
            .map(|address| async move { (address, self.sign_of(address, may_echo).await) })
            .buffer_unordered(self.limits.probes);
        let (mut alive, mut silent) = (Vec::new(), Vec::new());
        loop {
            let next = tokio::select! {
                next = asked.next() => next,
                () = self.stop.cancelled() => None,
            };
            let Some((address, sign)) = next else { break };
            match sign {
                Some(sign) => alive.push(Finding::new(address, sign)),
                None => silent.push(address),
            }
            let found = alive.len();
            self.progress
                .send_modify(|progress| (progress.done, progress.found) = (progress.done + 1, found));
        }
        let looked_at = alive.len() + silent.len();
        alive.extend(self.neighbours_among(silent).await);
        (alive, looked_at)
    }

    async fn sign_of(&self, address: IpAddr, may_echo: bool) -> Option<Sign> {
        let wait = self.limits.first_wait;
        for _ in 0..if may_echo { 2 } else { 0 } {
            let turn = self.pace.turn().await;
            let echo = echo::once(&self.scanner.shared, address, wait).await;
            drop(turn);
            match echo {
                Ok(Echo::Reply { ttl, .. }) => return Some(Sign::Echo { ttl }),
                Ok(Echo::Silence) => {}
                // No way there: a second try and a connection would say the same.
                Ok(Echo::Unreachable) | Err(_) => break,
            }
            sleep(self.limits.pause).await;
        }
        let _turn = self.pace.turn().await;
        let sign = timeout(wait.saturating_mul(2), liveness::sign_of_life(address, liveness::PORTS)).await;
        match sign {
            Ok(Ok(TcpSign::Accepted(port))) => Some(Sign::Accepted(port)),
            Ok(Ok(TcpSign::Refused(port))) => Some(Sign::Refused(port)),
            Ok(Err(_)) | Err(_) => None,
        }
    }

    /// Of those who said nothing: whose network card answered the kernel just now?
    async fn neighbours_among(&self, silent: Vec<IpAddr>) -> Vec<Finding> {
        let deadline = Instant::now() + NEIGHBOUR_WAIT;
        loop {
            let known = neighbours::all().unwrap_or_default();
            let standing = |address: &IpAddr| known.get(address).map(|one| one.standing);
            let is_open = silent.iter().any(|address| standing(address) == Some(Standing::Asking));
            if !is_open || Instant::now() > deadline || self.stop.is_cancelled() {
                let reachable = |address: &IpAddr| standing(address) == Some(Standing::Reachable);
                let found = silent.into_iter().filter(reachable);
                return found.map(|address| Finding::new(address, Sign::Neighbour)).collect();
            }
            sleep(Duration::from_millis(250)).await;
        }
    }

    /// Stage two: what is there.
    async fn scan(&self, alive: Vec<Finding>) -> Vec<Finding> {
        let (each, found) = (self.plan.depth.ports().iter().count().max(1), alive.len());
        let total = found * each;
        self.progress.send_replace(Progress { stage: Stage::Scanning, done: 0, total, found });
        let looks = futures_util::stream::iter(alive).map(|finding| self.one(finding));
        looks.buffer_unordered(self.limits.hosts).collect().await
    }

    async fn one(&self, mut finding: Finding) -> Finding {
        finding.is_complete = true;
        let address = finding.address;
        let look = async {
            if matches!(self.plan.depth, Depth::Ping) {
                self.tell(1);
            } else {
                self.look_at(&mut finding).await;
            }
        };
        // The name server is another machine: what it takes its time for is no probe of this one.
        let ((), names) = tokio::join!(look, self.names_of(address));
        finding.names = names;
        finding
    }

    fn tell(&self, more: usize) {
        self.progress.send_modify(|progress| progress.done += more);
    }

    async fn look_at(&self, finding: &mut Finding) {
        let ports: Vec<u16> = self.plan.depth.ports().iter().collect();
        let wanted = ports.len();
        let told = |more| self.tell(more);
        let (address, limits) = (finding.address, self.limits);
        let host = Host { address, limits, pace: &self.pace, stop: self.stop, told: &told };
        let visit = Visit { address, limits, shared: &self.scanner.shared };
        let has_datagrams = !matches!(self.plan.depth, Depth::Custom(_));
        let datagrams = async {
            tokio::select! {
                found = visit.datagrams(), if has_datagrams => found,
                () = std::future::ready(()), if !has_datagrams => Vec::new(),
                () = self.stop.cancelled() => Vec::new(),
            }
        };
        let (asked, datagrams) = if limits.pause.is_zero() {
            tokio::join!(host.ask(ports), datagrams)
        } else {
            // One probe after the other.
            (host.ask(ports).await, datagrams.await)
        };
        finding.is_complete = asked.is_complete;
        if let Some(note) = mirage::facade(wanted, asked.open.len()) {
            finding.notes.push(note);
            return;
        }
        if !self.talk(finding, asked.open).await {
            return;
        }
        finding.services.extend(datagrams);
        finding.services.sort_by_key(|service| (service.port, service.transport));
        finding.ssh_key = self.ssh_key(finding).await;
    }

    /// Talks to open ports; whether all of them had their turn.
    async fn talk(&self, finding: &mut Finding, open: Vec<u16>) -> bool {
        let visit = Visit { address: finding.address, limits: self.limits, shared: &self.scanner.shared };
        let talks = open.into_iter().map(|port| visit.look(port));
        let mut talks = futures_util::stream::iter(talks).buffered(TALKS.min(self.limits.probes_per_host));
        while let Some(service) = tokio::select! {
            service = talks.next() => service,
            () = self.stop.cancelled() => None,
        } {
            finding.services.push(service);
        }
        drop(talks);
        finding.is_complete &= !self.stop.is_cancelled();
        !self.stop.is_cancelled()
    }

    /// Talks to the services that another program found, for what checks and identity need and it does not tell.
    async fn complete(&self, mut finding: Finding) -> Finding {
        let told = std::mem::take(&mut finding.services);
        let tcp =
            told.iter().filter(|service| service.transport == Transport::Tcp).map(|service| service.port);
        self.talk(&mut finding, tcp.collect()).await;
        let ours = std::mem::take(&mut finding.services);
        finding.services = told.into_iter().map(|service| merged(service, &ours)).collect();
        if !self.stop.is_cancelled() {
            finding.ssh_key = self.ssh_key(&finding).await;
        }
        finding
    }

    async fn ssh_key(&self, finding: &Finding) -> Option<String> {
        let mut servers = finding.services.iter().filter(|service| service.name == "ssh" && service.is_sure);
        let at = std::net::SocketAddr::new(finding.address, servers.next()?.port);
        timeout(self.limits.conversation, ssh_key::of(at)).await.ok().flatten()
    }

    async fn names_of(&self, address: IpAddr) -> Vec<String> {
        if self.plan.is_nameless || self.silent_names.load(Ordering::Relaxed) >= NAME_FAILURES {
            return Vec::new();
        }
        let asked = tokio::select! {
            asked = timeout(NAME_WAIT, self.scanner.resolver.names_of(address)) => asked,
            () = self.stop.cancelled() => return Vec::new(),
        };
        match asked {
            Ok(Ok(mut names)) => {
                names.retain(|name| crate::config::target::is_host_name(name));
                names
            }
            Ok(Err(_)) | Err(_) => {
                self.silent_names.fetch_add(1, Ordering::Relaxed);
                Vec::new()
            }
        }
    }

    fn add_cards(&self, findings: &mut [Finding]) {
        let known: HashMap<IpAddr, neighbours::Neighbour> = neighbours::all().unwrap_or_default();
        for finding in findings {
            finding.mac = known.get(&finding.address).map(|one| one.mac);
            let real = finding.mac.filter(|mac| !mac.is_locally_administered());
            finding.vendor = real.and_then(|mac| self.scanner.vendors.of(mac)).map(str::to_owned);
        }
    }

    /// What the result cannot say, for want of rights, of a table, or of an answer.
    fn unknown(&self, findings: &[Finding]) -> Vec<String> {
        let mut unknown = Vec::new();
        if findings.iter().any(|finding| finding.mac.is_none()) {
            unknown.push("network cards of hosts that are not on a local link".to_owned());
        }
        let has_real_card =
            findings.iter().any(|one| one.mac.is_some_and(|mac| !mac.is_locally_administered()));
        if has_real_card && self.scanner.vendors.is_empty() {
            unknown.push("vendors of network cards: install the package ieee-data".to_owned());
        }
        if self.silent_names.load(Ordering::Relaxed) >= NAME_FAILURES {
            unknown.push("names of hosts: the name server does not answer".to_owned());
        }
        unknown.push(
            "operating systems, but for what servers say of themselves (engine nmap knows more)".to_owned(),
        );
        unknown
    }
}
