//! `postgres`: the greeting, a login, and one query whose first value is held against ranges. The protocol is version
//! 3, spoken by hand ([`wire`], [`login`]).

mod login;
#[cfg(test)]
mod tests;
mod wire;

use std::time::Duration;

use futures_util::future::BoxFuture;
use vigia_core::model::state::State;
use vigia_core::nagios::perfdata::Metric;
use vigia_core::nagios::threshold::{Range, Thresholds, number};

use crate::kind::{Call, Extra, Kind, Probe, Short};
use crate::net::{self, Connection, Endpoint, Failure, Trouble};
use crate::options::{Given, Opt, Reader, Secret, Threshold};
use crate::outcome::{Outcome, quoted_bytes};
use crate::secure::{Tls, TlsMode};
use crate::starttls::{self, Dialogue};
use crate::talk::{self, End, Limits};
use crate::tcp::StateWord;
use wire::Said;

pub(crate) const KIND: Kind = Kind {
    name: "postgres",
    label: "POSTGRES",
    summary: "a PostgreSQL server answers, accepts a login, answers a query",
    options: &[net::ENDPOINT, OPTIONS],
    short: Short::Option("port"),
    examples: &[
        "-H db1.example.test",
        "-H db1 -l monitor -p secret -d shop -q 'SELECT count(*) FROM orders' -W 1000 -C 5000",
    ],
    yaml: "POSTGRES: {postgres: {user: monitor, password: {file: /etc/vigia/secrets/postgres}, query: \"SELECT count(*) FROM pg_stat_activity\", warn: \"80\", crit: \"95\", tls: on}}",
    trace: Some("with `user` a login, which `log_connections` shows; without it nothing"),
    extras: EXTRAS,
    decode,
};

const OPTIONS: &[Opt] = &[
    Opt::new::<u16>("port", "the port to connect to").default("5432").flags("-P"),
    Opt::new::<String>("user", "name to log in with; without it only the greeting is looked at")
        .flags("-l --logname"),
    Opt::new::<Secret>("password", "its password; none when left out").flags("-p"),
    Opt::new::<String>("database", "database to use; the user's own when left out").flags("-d"),
    Opt::new::<String>("query", "a query whose first value is compared with `warn` and `crit`").flags("-q"),
    Opt::new::<Range>("warn", "range of the query's value outside of which it is WARNING")
        .flags("-W --query-warning"),
    Opt::new::<Range>("crit", "range outside of which it is CRITICAL").flags("-C --query-critical"),
    Opt::new::<Threshold>("time_warn", "slower than this is WARNING").flags("-w --warning"),
    Opt::new::<Threshold>("time_crit", "slower than this is CRITICAL").flags("-c --critical"),
    Opt::new::<StateWord>("on_denied", "the state when the login is refused").default("critical"),
    Opt::new::<Tls>("tls", "whether TLS is asked for, and how it is judged")
        .default("off")
        .sets(&[("-S --ssl", "on")]),
];

const EXTRAS: &[Extra] = &[Extra {
    flags: "-o --option",
    value: "sslmode=WORD",
    help: "disable, require, verify-ca or verify-full; another option of libpq is refused",
    covers: &[],
    apply: |text| match text.trim() {
        "sslmode=disable" => Ok(vec![("tls.mode", "off".to_owned())]),
        "sslmode=require" => Ok(vec![("tls.mode", "on".to_owned()), ("tls.verify", "off".to_owned())]),
        "sslmode=verify-ca" | "sslmode=verify-full" => Ok(vec![("tls.mode", "on".to_owned())]),
        _ => Err(format!("only sslmode is known here, not `{text}`")),
    },
}];

#[derive(Debug)]
struct Postgres {
    endpoint: Endpoint,
    port: u16,
    user: Option<String>,
    password: Option<Secret>,
    database: Option<String>,
    query: Option<String>,
    thresholds: Thresholds,
    on_denied: State,
    tls: Tls,
    limits: Limits,
}

fn decode(given: &Given, reader: &mut Reader) -> Option<Box<dyn Probe>> {
    let thresholds = Thresholds { warn: given.find("warn"), crit: given.find("crit") };
    let query = given.find::<String>("query");
    if query.is_none() && thresholds != Thresholds::default() {
        let mark = given.written("warn").or(given.written("crit")).unwrap_or_default();
        let hint = "limits of the time needed are `time_warn` and `time_crit`";
        reader.wrong_with_hint(mark, "`warn` and `crit` compare the value of a `query`", hint);
    }
    let user = given.find::<String>("user");
    for name in ["password", "database", "query"] {
        if let (None, Some(mark)) = (&user, given.written(name)) {
            reader.wrong(mark, format!("`{name}` without `user`: without a login only the greeting is seen"));
        }
    }
    for (name, text) in [("user", &user), ("database", &given.find("database")), ("query", &query)] {
        if text.as_ref().is_some_and(|text| text.contains('\0')) {
            reader.wrong(given.mark(name), format!("`{name}` holds a zero byte"));
        }
    }
    Some(Box::new(Postgres {
        endpoint: Endpoint::read(given),
        port: given.get("port"),
        user,
        password: given.find("password"),
        database: given.find("database"),
        query,
        thresholds,
        on_denied: given.get::<StateWord>("on_denied").0,
        tls: given.get("tls"),
        limits: Limits { warn: given.find("time_warn"), crit: given.find("time_crit") },
    }))
}

impl Probe for Postgres {
    fn run<'a>(&'a self, call: &'a Call<'a>) -> BoxFuture<'a, Outcome> {
        Box::pin(self.look(call))
    }
}

/// What was found out.
enum Found {
    Greeting,
    Login,
    /// The first value of the query; `None`: there was no row, or it was NULL.
    Value(Option<String>),
}

impl Postgres {
    async fn look(&self, call: &Call<'_>) -> Outcome {
        let mut connection = match call.connect(&self.endpoint, self.port).await {
            Ok(connection) => connection,
            Err(failure) => return failure.outcome(call),
        };
        let talked = self.talk(call, &mut connection).await;
        let took = call.elapsed();
        let outcome = match talked {
            Ok(found) => self.judge(call, &connection, found, took),
            Err(end) => end.outcome(call),
        };
        if self.user.is_some() {
            talk::within_reach(call, wire::send(&mut connection, b'X', &[])).await;
        }
        call.close(connection).await;
        outcome
    }

    async fn talk(&self, call: &Call<'_>, connection: &mut Connection) -> Result<Found, End> {
        let wants_tls = self.tls.mode != TlsMode::Off;
        if wants_tls {
            starttls::start(connection, Dialogue::Postgres).await?;
            connection.secure(call, &self.tls, self.endpoint.address(call), &[]).await?;
        }
        let Some(user) = &self.user else {
            if !wants_tls {
                wire::greeting(connection).await?;
            }
            return Ok(Found::Greeting);
        };
        let password = match &self.password {
            Some(secret) => {
                if let Some(distrust) = connection.distrust(&self.tls) {
                    return Err(distrust.into());
                }
                Some(call.reveal(secret).map_err(End::Ours)?)
            }
            None => None,
        };
        let database = self.database.as_ref().unwrap_or(user);
        wire::start(connection, user, database).await?;
        if let Err(said) = login::log_in(call, connection, user, password.as_deref()).await? {
            let state = if said.is_denial() { self.on_denied } else { State::Critical };
            return Err(End::Answer(state, format!("no connection to '{database}' ({})", said.text)));
        }
        match &self.query {
            None => Ok(Found::Login),
            Some(query) => ask(call, connection, query).await.map(Found::Value),
        }
    }

    fn judge(&self, call: &Call<'_>, connection: &Connection, found: Found, took: Duration) -> Outcome {
        let seconds = took.as_secs_f64();
        let report = |state, text| talk::report(call, connection, &self.tls, state, text, self.limits, took);
        let value = match found {
            Found::Greeting => return report(State::Ok, format!("{seconds:.3} second response time")),
            Found::Login => {
                let name = self.database.as_ref().or(self.user.as_ref()).map_or("", String::as_str);
                return report(State::Ok, format!("database {name} ({seconds:.6} sec.)"));
            }
            Found::Value(value) => value,
        };
        let query = self.query.as_deref().unwrap_or_default();
        let Some(value) = value else {
            return report(State::Unknown, format!("'{query}' returned no value"));
        };
        let Some(number) = number(value.trim()) else {
            // Without ranges any text is an answer.
            let is_asked = self.thresholds != Thresholds::default();
            let state = if is_asked { State::Unknown } else { State::Ok };
            let nature = if is_asked { ", which is no number" } else { "" };
            let shown = quoted_bytes(value.as_bytes(), 300);
            return report(state, format!("'{query}' returned {shown}{nature}"));
        };
        let mut outcome = report(self.thresholds.judge(number), format!("'{query}' returned {number}"));
        let Thresholds { warn, crit } = self.thresholds;
        let metric = Metric::new("query", number, "").thresholds(warn, crit);
        outcome.output.perfdata = format!("{} {metric}", outcome.output.perfdata).into();
        outcome
    }
}

/// The first value that a query returns.
async fn ask(call: &Call<'_>, connection: &mut Connection, query: &str) -> Result<Option<String>, End> {
    call.note(|| format!("client: {query}"));
    wire::send(connection, b'Q', &[query.as_bytes(), &[0]].concat()).await?;
    let mut first: Option<Option<String>> = None;
    loop {
        match wire::hear(connection).await? {
            Said::Row(value) => {
                // The rest may be long; what is asked for is here.
                if first.is_some() {
                    return Ok(first.flatten());
                }
                first = Some(value.map(|value| String::from_utf8_lossy(&value).into_owned()));
            }
            Said::Ready => return Ok(first.flatten()),
            Said::Error(said) => {
                return Err(End::Answer(State::Critical, format!("Error with query: {}", said.text)));
            }
            Said::Copy => {
                return Err(End::Answer(State::Unknown, "a COPY is no query with a value".to_owned()));
            }
            Said::Other(_) => {}
            Said::Authentication { .. } => {
                return Err(Failure::new(Trouble::Garbage, "a login in the middle of a session").into());
            }
        }
    }
}
