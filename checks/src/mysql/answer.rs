//! What a server's answers mean: refusals of the login, errors, and the value of a query.

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, DriverError, Error, IoError, Row, Value};
use vigia_core::model::state::{Condition as _, State};
use vigia_core::nagios::perfdata::Metric;
use vigia_core::nagios::threshold::{self, Thresholds};

use crate::net::{Failure, Trouble, explain};

/// What the check will say, but for the time it took and the certificate.
pub(super) struct Answer {
    pub(super) state: State,
    pub(super) text: String,
    pub(super) perfdata: String,
}

/// Rows read behind the first one, so that the connection can end in order.
const ROWS_MAX: usize = 100;

/// Errors that say that this user may not come in: ER_DBACCESS_DENIED_ERROR, ER_ACCESS_DENIED_ERROR,
/// ER_HOST_NOT_PRIVILEGED, ER_ACCESS_DENIED_NO_PASSWORD_ERROR.
const DENIALS: &[u16] = &[1044, 1045, 1130, 1698];

/// An error of the server before anybody was logged in; its own words are the best text.
pub(super) fn refusal(code: u16, message: String, on_denied: State) -> Answer {
    let state = if DENIALS.contains(&code) { on_denied } else { State::Critical };
    Answer { state, text: message, perfdata: String::new() }
}

/// Why there was no login.
pub(super) fn of_login(error: &Error, user: &str, place: &str, on_denied: State) -> Result<Answer, Failure> {
    match error {
        Error::Server(server) => Ok(refusal(server.code, server.message.clone(), on_denied)),
        Error::Io(io) => Err(of_io(io, place)),
        Error::Driver(driver) => Err(of_driver(driver, user, place)),
        Error::Other(_) | Error::Url(_) => Err(Failure::new(Trouble::Local, error.to_string())),
    }
}

/// What went wrong after the login.
pub(super) fn of_question(error: &Error, place: &str) -> Result<Answer, Failure> {
    match error {
        Error::Server(server) => {
            let text = format!("ERROR {} ({}): {}", server.code, server.state, server.message);
            Ok(Answer { state: State::Critical, text, perfdata: String::new() })
        }
        Error::Io(io) => Err(of_io(io, place)),
        Error::Driver(_) | Error::Other(_) | Error::Url(_) => {
            Err(Failure::new(Trouble::Garbage, format!("the answer cannot be read: {error}")))
        }
    }
}

fn of_io(error: &IoError, place: &str) -> Failure {
    match error {
        IoError::Io(io) => {
            let (trouble, reason) = explain(io);
            Failure::new(trouble, format!("connect to {place}: {reason}"))
        }
        IoError::Tls(tls) => Failure::new(Trouble::Tls, tls.to_string()),
    }
}

fn of_driver(error: &DriverError, user: &str, place: &str) -> Failure {
    let other_login = |plugin: &str| {
        let text = format!(
            "the server wants '{user}' to log in by {plugin}, which is not spoken here; give it a user with \
             caching_sha2_password or mysql_native_password"
        );
        Failure::new(Trouble::Local, text)
    };
    if let DriverError::UnknownAuthPlugin { name } = error {
        other_login(name)
    } else if matches!(error, DriverError::MysqlOldPasswordDisabled) {
        other_login("mysql_old_password")
    } else if matches!(error, DriverError::CleartextPluginDisabled) {
        other_login("mysql_clear_password (the password in plain text)")
    } else if matches!(error, DriverError::ConnectionClosed) {
        Failure::new(Trouble::Closed, format!("the server at {place} ended the connection during the login"))
    } else {
        Failure::new(Trouble::Garbage, format!("what answers at {place} is no MySQL server: {error}"))
    }
}

/// Compares the first value of the first row; and whether nothing is left to be read.
pub(super) async fn of_query(
    connection: &mut Conn,
    query: &str,
    thresholds: &Thresholds,
) -> mysql_async::Result<(Answer, bool)> {
    let mut rows = connection.query_iter(query).await?;
    let first = rows.next().await?;
    let mut is_finished = false;
    for _ in 0..ROWS_MAX {
        if rows.next().await?.is_none() {
            is_finished = true;
            break;
        }
    }
    Ok((judge(query, first.as_ref(), thresholds), is_finished))
}

fn judge(query: &str, first: Option<&Row>, thresholds: &Thresholds) -> Answer {
    let say = |state: State, what: String| Answer {
        state,
        text: format!("QUERY {}: '{query}' {what}", state.word()),
        perfdata: String::new(),
    };
    let Some(row) = first else { return say(State::Warning, "returned no rows".to_owned()) };
    let Some(text) = row.as_ref(0).and_then(text) else {
        return say(State::Critical, "returned NULL".to_owned());
    };
    let Some(value) = threshold::number(text.trim()) else {
        return say(State::Critical, format!("returned '{text}', which is not a number"));
    };
    let metric = Metric::new("result", value, "").thresholds(thresholds.warn, thresholds.crit);
    Answer { perfdata: metric.to_string(), ..say(thresholds.judge(value), format!("returned {value:.6}")) }
}

/// A value of a row as text; none for NULL.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::NULL => None,
        Value::Bytes(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        Value::Int(number) => Some(number.to_string()),
        Value::UInt(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        Value::Double(number) => Some(number.to_string()),
        Value::Date(..) | Value::Time(..) => Some(value.as_sql(true)),
    }
}

/// The named column of a row as text.
pub(super) fn column(row: &Row, name: &str) -> Option<String> {
    let place = row.columns_ref().iter().position(|column| column.name_str().eq_ignore_ascii_case(name))?;
    row.as_ref(place).and_then(text)
}
