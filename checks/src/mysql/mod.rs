//! `mysql`: a login, and what the server then says of itself, of one query, or of its replication. The protocol is
//! spoken by `mysql_async`; TLS is ours ([`relay`]), so that certificates are judged as everywhere.

mod answer;
#[cfg(test)]
mod peer;
mod relay;
mod replica;
mod status;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use mysql_async::{Conn, Opts, OptsBuilder};
use vigia_core::model::state::State;
use vigia_core::nagios::threshold::{Range, Thresholds};

use crate::cert::Verdict;
use crate::kind::{Call, Extra, Kind, Phase, Probe, Short};
use crate::net::{self, Endpoint, Failure, Trouble};
use crate::options::{Given, Opt, Reader, Secret};
use crate::outcome::{Outcome, push_seconds};
use crate::secure::{self, Tls, TlsMode};
use crate::tcp::StateWord;
use answer::Answer;
use replica::Replication;

pub(crate) const KIND: Kind = Kind {
    name: "mysql",
    label: "MYSQL",
    summary: "a MySQL or MariaDB server accepts a login, answers a query, keeps up with its source",
    options: &[net::ENDPOINT, OPTIONS],
    short: Short::Option("port"),
    examples: &[
        "-H db1.example.test -u monitor -p secret",
        "-H db1 -u monitor -p secret -d shop --query 'SELECT COUNT(*) FROM orders' -w 1000 -c 5000",
        "-H db2 -u monitor -p secret -S -w 30 -c 300",
    ],
    yaml: "MYSQL: {mysql: {user: monitor, password: {file: /etc/vigia/secrets/mysql}, replication: {warn: 30s, crit: 5m}}}",
    trace: Some("a login, which the general log shows and which counts as a connection"),
    extras: EXTRAS,
    decode,
};

const OPTIONS: &[Opt] = &[
    Opt::new::<u16>("port", "the port to connect to").default("3306").flags("-P"),
    Opt::new::<String>("socket", "a UNIX socket on this machine, instead of address and port").flags("-s"),
    Opt::new::<String>("user", "name to log in with").default("nagios").flags("-u --username"),
    Opt::new::<Secret>("password", "its password; none when left out").flags("-p"),
    Opt::new::<String>("database", "database to use").flags("-d"),
    Opt::new::<String>("query", "a query whose first value is compared with `warn` and `crit`").flags("-q"),
    Opt::new::<Range>("warn", "range of the query's value, or of the replication's lag in seconds")
        .flags("-w --warning"),
    Opt::new::<Range>("crit", "range outside of which it is CRITICAL").flags("-c --critical"),
    Opt::new::<Replication>(
        "replication",
        "that the replica runs, and how far it may lag behind: {warn, crit}",
    )
    .default("off")
    .sets(&[("-S --check-slave --check-replica", "on")]),
    Opt::new::<StateWord>("on_denied", "the state when the login is refused")
        .default("critical")
        .sets(&[("-n --ignore-auth", "ok")]),
    Opt::new::<Tls>("tls", "whether TLS is spoken, and how it is judged")
        .default("off")
        .sets(&[("-l --ssl", "on")]),
];

const EXTRAS: &[Extra] = &[
    Extra {
        flags: "-C --ca-cert",
        value: "FILE",
        help: "certificates to trust",
        covers: &[],
        apply: |text| Ok(vec![("tls.ca", text.to_owned())]),
    },
    Extra {
        flags: "-a --cert",
        value: "FILE",
        help: "our certificate",
        covers: &[],
        apply: |text| Ok(vec![("tls.cert", text.to_owned())]),
    },
    Extra {
        flags: "-k --key",
        value: "FILE",
        help: "its key",
        covers: &[],
        apply: |text| Ok(vec![("tls.key", text.to_owned())]),
    },
];

/// More than any answer that a check needs.
const PACKET_MAX: usize = 1 << 20;

#[derive(Debug)]
struct Mysql {
    endpoint: Endpoint,
    port: u16,
    socket: Option<String>,
    user: String,
    password: Option<Secret>,
    database: Option<String>,
    query: Option<String>,
    thresholds: Thresholds,
    replication: Replication,
    on_denied: State,
    tls: Tls,
}

fn decode(given: &Given, reader: &mut Reader) -> Option<Box<dyn Probe>> {
    let thresholds = Thresholds { warn: given.find("warn"), crit: given.find("crit") };
    let query = given.find::<String>("query");
    let replication = given.get::<Replication>("replication");
    if query.is_some() && replication.is_on {
        let message = "`query` and `replication` are two checks";
        reader.wrong_with_hint(given.mark("replication"), message, "make two services of them");
    }
    if query.is_none() && !replication.is_on && thresholds != Thresholds::default() {
        let mark = given.written("warn").or(given.written("crit")).unwrap_or_default();
        reader.wrong(mark, "`warn` and `crit` compare the value of a `query`, or the lag of a `replication`");
    }
    let tls: Tls = given.get("tls");
    let socket = given.find::<String>("socket");
    if socket.is_some() && tls.mode != TlsMode::Off {
        reader.wrong(given.mark("tls"), "`tls` is not spoken through a `socket`");
    }
    Some(Box::new(Mysql {
        endpoint: Endpoint::read(given),
        port: given.get("port"),
        socket,
        user: given.get("user"),
        password: given.find("password"),
        database: given.find("database"),
        query,
        thresholds,
        replication: replication.or(thresholds),
        on_denied: given.get::<StateWord>("on_denied").0,
        tls,
    }))
}

impl Probe for Mysql {
    fn run<'a>(&'a self, call: &'a Call<'a>) -> BoxFuture<'a, Outcome> {
        Box::pin(self.look(call))
    }
}

impl Mysql {
    async fn look(&self, call: &Call<'_>) -> Outcome {
        let password = match self.password.as_ref().map(|secret| call.reveal(secret)).transpose() {
            Ok(password) => password,
            Err(outcome) => return *outcome,
        };
        let opts = OptsBuilder::default()
            .user(Some(self.user.clone()))
            .pass(password.filter(|password| !password.is_empty()))
            .db_name(self.database.clone())
            .prefer_socket(false)
            .max_allowed_packet(Some(PACKET_MAX))
            .wait_timeout(Some(28_800))
            .stmt_cache_size(0);
        let (answer, verdict) = if self.tls.mode == TlsMode::Off {
            (self.look_plainly(call, opts).await, None)
        } else {
            match Box::pin(self.look_through_tls(call, opts)).await {
                Ok(looked) => looked,
                Err(failure) => return failure.outcome(call),
            }
        };
        match answer {
            Ok(answer) => report(call, answer, verdict.as_ref()),
            Err(failure) => failure.outcome(call),
        }
    }

    async fn look_plainly(&self, call: &Call<'_>, opts: OptsBuilder) -> Result<Answer, Failure> {
        if let Some(path) = &self.socket {
            call.enters(Phase::Connect);
            return self.ask(call, opts.socket(Some(path.clone())).into(), path).await;
        }
        let name = self.endpoint.address(call);
        let addresses = call.resolve(name, self.port, self.endpoint.family).await?;
        let ips: Vec<IpAddr> = addresses.iter().map(|address| address.ip()).collect();
        let peer = ips.first().map_or_else(|| name.to_owned(), ToString::to_string);
        let place = format!("address {peer} and port {}", self.port);
        call.enters(Phase::Connect);
        let opts = opts.ip_or_hostname(name).tcp_port(self.port).resolved_ips(Some(ips));
        self.ask(call, opts.into(), &place).await
    }

    /// `Err`: there was nobody to ask.
    async fn look_through_tls(
        &self,
        call: &Call<'_>,
        opts: OptsBuilder,
    ) -> Result<(Result<Answer, Failure>, Option<Verdict>), Failure> {
        let mut connection = call.connect(&self.endpoint, self.port).await?;
        let name = self.endpoint.address(call);
        let place = connection.peer.to_string();
        let greeting = match relay::greeting(&mut connection).await {
            Ok(relay::Greeting::Usable(greeting)) => greeting,
            Ok(relay::Greeting::Refusal { code, message }) => {
                call.close(connection).await;
                return Ok((Ok(answer::refusal(code, message, self.on_denied)), None));
            }
            Err(failure) => {
                call.close(connection).await;
                return Err(failure);
            }
        };
        let local = relay::Local::open()?;
        let opts = opts.socket(Some(local.name().to_owned())).into();
        let carry = relay::carry(call, &self.tls, name, connection, greeting, local);
        let (answer, carried) = tokio::join!(self.ask(call, opts, &place), carry);
        let connection = carried?;
        let verdict = connection.verdict(&self.tls);
        call.close(connection).await;
        Ok((answer, verdict))
    }

    /// Logs in, asks, and takes leave.
    async fn ask(&self, call: &Call<'_>, opts: Opts, place: &str) -> Result<Answer, Failure> {
        // What a hostile server makes of the client's decoder is the server's fault, not the check's.
        let opened = AssertUnwindSafe(Conn::new(opts)).catch_unwind();
        let latest = call.deadline.checked_sub(Duration::from_millis(30)).unwrap_or(call.deadline);
        let Ok(opened) = tokio::time::timeout_at(latest, opened).await else {
            let seconds = call.target.timeout.as_secs_f64();
            let text = format!("no answer of a MySQL server at {place} within {seconds} s");
            return Err(Failure::new(Trouble::Unreachable, text));
        };
        let mut connection = match opened {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) => return answer::of_login(&error, &self.user, place, self.on_denied),
            Err(_panic) => {
                let text = format!("what answers at {place} breaks the rules of the MySQL protocol");
                return Err(Failure::new(Trouble::Garbage, text));
            }
        };
        call.enters(Phase::Answer);
        call.note(|| format!("logged in as {}, server version {:?}", self.user, connection.server_version()));
        let answer = self.question(&mut connection).await;
        match answer {
            Ok((answer, is_finished)) => {
                // Rows that are still to come are not waited for; then the end is less polite.
                if is_finished {
                    let _gone = tokio::time::timeout_at(latest, connection.disconnect()).await.is_ok();
                }
                Ok(answer)
            }
            Err(error) => {
                let answer = answer::of_question(&error, place);
                let _gone = tokio::time::timeout_at(latest, connection.disconnect()).await.is_ok();
                answer
            }
        }
    }

    /// The answer, and whether the server has nothing more to say to it.
    async fn question(&self, connection: &mut Conn) -> mysql_async::Result<(Answer, bool)> {
        if let Some(query) = &self.query {
            return answer::of_query(connection, query, &self.thresholds).await;
        }
        let status = status::read(connection).await?;
        let mut answer = Answer { state: State::Ok, text: status.line(), perfdata: status.perfdata() };
        if self.replication.is_on {
            replica::judge(connection, &self.replication, &mut answer).await?;
        }
        Ok((answer, true))
    }
}

fn report(call: &Call<'_>, answer: Answer, verdict: Option<&Verdict>) -> Outcome {
    let Answer { state, mut text, perfdata } = answer;
    let state = secure::weigh(state, &mut text, verdict);
    let mut all = String::new();
    push_seconds(&mut all, "time", call.elapsed(), None, None, call.target.timeout);
    if !perfdata.is_empty() {
        all.push(' ');
        all.push_str(&perfdata);
    }
    let outcome = Outcome::new(state, text).perfdata(all);
    match verdict {
        Some(verdict) if !verdict.notes.is_empty() => outcome.long(&verdict.notes),
        Some(_) | None => outcome,
    }
}
