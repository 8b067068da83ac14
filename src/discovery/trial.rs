//! Each proposed check, tried once through the ordinary checks: what it answers first is its baseline. (D-88)

use std::time::Duration;

use futures_util::StreamExt as _;
use vigia_checks::{Outcome, Shared, Target};
use vigia_core::model::state::{Condition as _, State};

use super::propose::{Proposal, Proposed};
use super::suggestion::Suggestion;

/// What becomes of a service whose checks are all not OK at first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FirstBad {
    /// It is watched by its port alone, where that is OK.
    #[default]
    Adjust,
    Keep,
    LeaveOut,
}

/// As of a check that nobody gave another.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Hosts are independent of each other; checks of one host follow each other.
const HOSTS: usize = 16;

/// Tries all checks of all proposals.
pub async fn try_all(proposals: &mut [Proposal], first_bad: FirstBad, shared: &Shared) {
    let tries = proposals.iter_mut().map(|proposal| try_one(proposal, first_bad, shared));
    futures_util::stream::iter(tries).buffer_unordered(HOSTS).collect::<Vec<()>>().await;
}

async fn try_one(proposal: &mut Proposal, first_bad: FirstBad, shared: &Shared) {
    let address = proposal.address.clone();
    let mut kept = Vec::with_capacity(proposal.services.len());
    for mut service in std::mem::take(&mut proposal.services) {
        settle(&mut service, first_bad, &address, shared).await;
        if service.trouble.is_none() || first_bad != FirstBad::LeaveOut {
            kept.push(service);
        }
    }
    proposal.services = kept;
}

/// Leaves the first check that is OK, or says why none is.
async fn settle(service: &mut Proposed, first_bad: FirstBad, address: &str, shared: &Shared) {
    let best = service.check().clone();
    let mut trouble = None;
    for check in std::mem::take(&mut service.checks) {
        match run(&check, address, shared).await {
            outcome if outcome.state == State::Ok => {
                service.checks = vec![check];
                return;
            }
            outcome => {
                trouble.get_or_insert_with(|| said(&outcome));
            }
        }
    }
    service.trouble = trouble;
    let port_alone = port_of(&best).map(Suggestion::tcp).filter(|_| first_bad == FirstBad::Adjust);
    if let Some(check) = port_alone
        && run(&check, address, shared).await.state == State::Ok
    {
        service.checks = vec![check];
        return;
    }
    service.checks = vec![best];
}

fn said(outcome: &Outcome) -> String {
    let text = super::identify::clean(outcome.output.text.as_bytes(), 120);
    format!("{}: {text}", outcome.state.word())
}

fn port_of(check: &Suggestion) -> Option<u16> {
    use super::suggestion::Opt;
    let written = check.options.iter().find_map(|(option, value)| match value {
        Opt::Text(text) if *option == "port" => text.parse().ok(),
        Opt::Text(_) | Opt::List(_) | Opt::Map(_) => None,
    });
    written.or(match check.kind {
        "ftp" => Some(21),
        "ssh" => Some(22),
        "smtp" => Some(25),
        "http" => Some(80),
        "pop3" => Some(110),
        "imap" => Some(143),
        "ldap" => Some(389),
        "https" => Some(443),
        "mysql" => Some(3306),
        "postgres" => Some(5432),
        "redis" => Some(6379),
        _ => None,
    })
}

async fn run(check: &Suggestion, address: &str, shared: &Shared) -> Outcome {
    let decoded = vigia_checks::kind(check.kind).and_then(|kind| kind.decode(&check.value()).check);
    let Some(decoded) = decoded else {
        return Outcome::unknown(format!("this program cannot run {}", check.yaml()));
    };
    let target = Target { address, timeout: TIMEOUT, is_host_check: false, verbose: false };
    vigia_checks::run(&*decoded, &target, shared).await
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::io::AsyncWriteExt as _;
    use tokio::net::TcpListener;

    use super::*;

    /// A server that says this to everybody; its port.
    async fn server(says: &'static [u8]) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                stream.write_all(says).await.unwrap_or_default();
                let mut rest = [0; 1_024];
                while tokio::io::AsyncReadExt::read(&mut stream, &mut rest)
                    .await
                    .is_ok_and(|length| length > 0)
                {}
            }
        });
        port
    }

    async fn settled(checks: Vec<Suggestion>, first_bad: FirstBad) -> (String, Option<String>) {
        let shared = Shared::new(Arc::new(|_| Err("no secrets here".to_owned())));
        let mut service = Proposed { name: "X".into(), checks, evidence: String::new(), trouble: None };
        settle(&mut service, first_bad, "127.0.0.1", &shared).await;
        (service.check().yaml(), service.trouble)
    }

    #[tokio::test]
    async fn the_first_check_that_is_ok_is_written() {
        let port = server(b"SSH-2.0-x\r\n").await;
        let ssh = Suggestion::new("ssh").text("port", port);
        assert_eq!(settled(vec![ssh.clone()], FirstBad::Adjust).await, (ssh.yaml(), None));
        let ftp = Suggestion::new("ftp").text("port", port);
        assert_eq!(settled(vec![ftp, ssh.clone()], FirstBad::Adjust).await, (ssh.yaml(), None));
    }

    #[tokio::test]
    async fn what_is_bad_at_first_says_so_and_is_adjusted_or_kept() {
        let port = server(b"no such service\r\n").await;
        let ssh = Suggestion::new("ssh").text("port", port);
        let (kept, trouble) = settled(vec![ssh.clone()], FirstBad::Keep).await;
        assert_eq!(kept, ssh.yaml());
        assert!(trouble.unwrap().starts_with("CRITICAL: SSH CRITICAL - "));
        let (adjusted, trouble) = settled(vec![ssh], FirstBad::Adjust).await;
        assert_eq!((adjusted, trouble.is_some()), (format!("{{tcp: {port}}}"), true));
    }
}
