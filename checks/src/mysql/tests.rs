//! The check against peers of ours that speak the protocol, and against such as do not.

use tokio::io::AsyncWriteExt as _;

use super::peer::{Login, Saw, Server};
use super::*;
use crate::options::Value;
use crate::tests::check;
use crate::tests::made_certificates::{GOOD, Life, acceptor, leaf, root, trusted};
use crate::trial::{closed_port, look, look_briefly, map, peer, refusals, reset, text};

const DENIED: &str = "Access denied for user 'nagios'@'localhost' (using password: NO)";

/// Runs the check with options beside the port; what it says, and what the server saw.
async fn asked(server: Server, options: &[(&str, Value)]) -> (Outcome, Saw) {
    let (port, saw) = server.start().await;
    let mut all = vec![("port", text(port))];
    all.extend(options.iter().cloned());
    let outcome = look(&KIND, &all).await;
    (outcome, saw.await.unwrap())
}

fn fast() -> Server {
    Server::new(Login::Fast("secret"))
}

fn password() -> (&'static str, Value) {
    ("password", text("secret"))
}

#[tokio::test]
async fn a_denied_login_says_what_the_server_says() {
    let (outcome, _) = asked(Server::new(Login::Denied(1045, DENIED)), &[]).await;
    assert_eq!((outcome.state, &*outcome.output.text), (State::Critical, DENIED));
    let (outcome, _) = asked(Server::new(Login::Denied(1045, DENIED)), &[("on_denied", text("ok"))]).await;
    assert_eq!(outcome.state, State::Ok);
    let (outcome, _) =
        asked(Server::new(Login::Denied(1040, "Too many connections")), &[("on_denied", text("ok"))]).await;
    assert_eq!((outcome.state, &*outcome.output.text), (State::Critical, "Too many connections"));
}

#[tokio::test]
async fn a_cached_password_logs_in_and_the_status_is_shown() {
    let (outcome, saw) = asked(fast(), &[password()]).await;
    let expected = "Uptime: 1200  Threads: 2  Questions: 300  Slow queries: 1  Opens: 20  Open tables: 12  \
                    Queries per second avg: 0.250";
    assert_eq!((outcome.state, &*outcome.output.text), (State::Ok, expected));
    let perfdata = &*outcome.output.perfdata;
    assert!(
        perfdata.starts_with("time=0.") && perfdata.contains(" Connections=9c Open_tables=12 "),
        "{perfdata}"
    );
    assert!(saw.said_goodbye && !saw.spoke_tls);
    assert_eq!(saw.queries.len(), 1, "nothing is asked that the check does not need");
}

#[tokio::test]
async fn a_wrong_password_is_denied_by_both_ways_of_caching_sha2() {
    for login in [Login::Fast("other"), Login::Full("other")] {
        let (outcome, _) = asked(Server::new(login), &[password()]).await;
        assert_eq!(outcome.state, State::Critical);
        assert!(outcome.output.text.starts_with("Access denied for user"), "{}", outcome.output.text);
    }
}

#[tokio::test]
async fn a_password_that_is_not_cached_goes_encrypted_by_the_servers_key() {
    let (outcome, saw) = asked(Server::new(Login::Full("secret")), &[password()]).await;
    assert_eq!(outcome.state, State::Ok, "{}", outcome.output.text);
    assert!(saw.said_goodbye);
}

#[tokio::test]
async fn another_way_to_log_in_is_followed_or_named() {
    for plugin in ["mysql_native_password", "client_ed25519"] {
        let (outcome, _) = asked(Server::new(Login::Switch(plugin)), &[password()]).await;
        assert_eq!(outcome.state, State::Ok, "{}", outcome.output.text);
    }
    for plugin in ["sha256_password", "mysql_clear_password", "mysql_old_password"] {
        let (outcome, _) = asked(Server::new(Login::Switch(plugin)), &[password()]).await;
        assert_eq!(outcome.state, State::Unknown, "{}", outcome.output.text);
        assert!(outcome.output.text.contains(plugin), "{}", outcome.output.text);
    }
}

#[tokio::test]
async fn the_value_of_a_query_is_compared() {
    let limits = [("warn", text("40")), ("crit", text("50"))];
    let cases = [
        ("SELECT 42", State::Warning, "QUERY WARNING: 'SELECT 42' returned 42.000000"),
        (
            "SELECT text",
            State::Critical,
            "QUERY CRITICAL: 'SELECT text' returned 'many', which is not a number",
        ),
        ("SELECT nothing", State::Warning, "QUERY WARNING: 'SELECT nothing' returned no rows"),
        ("SELECT NULL", State::Critical, "QUERY CRITICAL: 'SELECT NULL' returned NULL"),
        ("SELEC", State::Critical, "ERROR 1064 (28000): You have an error in your SQL syntax"),
    ];
    for (query, state, expected) in cases {
        let options = [password(), ("query", text(query)), limits[0].clone(), limits[1].clone()];
        let (outcome, saw) = asked(fast(), &options).await;
        assert_eq!((outcome.state, &*outcome.output.text), (state, expected));
        assert!(saw.said_goodbye);
    }
    let options = [password(), ("query", text("SELECT 42")), ("crit", text("40:50"))];
    let (outcome, _) = asked(fast(), &options).await;
    assert_eq!(outcome.state, State::Ok);
    assert!(outcome.output.perfdata.ends_with(" result=42;;40:50"), "{}", outcome.output.perfdata);
}

#[tokio::test]
async fn the_lag_of_a_replica_is_compared() {
    let limits = map(&[("warn", text("30s")), ("crit", text("5m"))]);
    let (outcome, saw) = asked(fast(), &[password(), ("replication", limits)]).await;
    assert_eq!(outcome.state, State::Warning, "{}", outcome.output.text);
    let expected = "  Slave IO: Yes Slave SQL: Yes Seconds Behind Master: 45";
    assert!(outcome.output.text.ends_with(expected), "{}", outcome.output.text);
    let perfdata = &*outcome.output.perfdata;
    assert!(perfdata.ends_with(" 'seconds behind master'=45s;30;300;0"), "{perfdata}");
    assert_eq!(saw.queries[1..], ["SHOW REPLICA STATUS", "SHOW SLAVE STATUS"]);
}

#[tokio::test]
async fn what_is_no_mysql_server_is_critical() {
    for bytes in [
        &b"SSH-2.0-OpenSSH_9.2p1\r\n"[..],
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x01\0\0\0\x09",
        b"\0\0\0\0",
    ] {
        for tls in ["off", "on"] {
            let port = peer(async move |mut stream| stream.write_all(bytes).await.unwrap()).await;
            let outcome = look(&KIND, &[("port", text(port)), ("tls", text(tls))]).await;
            assert_eq!(outcome.state, State::Critical, "{}", outcome.output.text);
        }
    }
}

#[tokio::test]
async fn hostile_servers_are_given_up() {
    let port = peer(async |_stream| std::future::pending().await).await;
    let outcome = look_briefly(&KIND, &[("port", text(port))]).await;
    assert!(outcome.output.text.contains("no answer of a MySQL server"), "{}", outcome.output.text);
    assert_eq!(outcome.state, State::Critical);
    let port = peer(async |stream| reset(stream)).await;
    assert_eq!(look(&KIND, &[("port", text(port))]).await.state, State::Critical);
    let outcome = look(&KIND, &[("port", text(closed_port().await))]).await;
    assert!(outcome.output.text.contains("Connection refused"), "{}", outcome.output.text);
    for tls in ["off", "on"] {
        let port = peer(async |mut stream| while stream.write_all(&[0xff; 1000]).await.is_ok() {}).await;
        let outcome = look(&KIND, &[("port", text(port)), ("tls", text(tls))]).await;
        assert_eq!(outcome.state, State::Critical, "{}", outcome.output.text);
    }
}

#[tokio::test]
async fn a_server_without_tls_is_not_spoken_to_in_plain_when_tls_is_wanted() {
    let (outcome, saw) = asked(fast(), &[password(), ("tls", text("on"))]).await;
    assert_eq!(&*outcome.output.text, "MYSQL CRITICAL - the server does not offer TLS");
    assert_eq!(saw, Saw::default());
}

#[test]
fn options_that_do_not_fit_are_refused() {
    assert!(refusals(&KIND, &[("warn", text("1"))])[0].contains("compare the value of a `query`"));
    let both = [("query", text("SELECT 1")), ("replication", text("on"))];
    assert!(refusals(&KIND, &both)[0].contains("two checks"));
    assert!(
        refusals(&KIND, &[("socket", text("/run/x")), ("tls", text("on"))])[0].contains("not spoken through")
    );
}

/// Through TLS the password is sent as it is, but only to a server that is who it should be.
#[tokio::test]
async fn a_full_login_goes_through_tls_and_the_certificate_is_judged() {
    let root = root();
    let file = trusted(&[&root]);
    let tls = |entries: &[(&str, &str)]| {
        let mut all = vec![("ca", text(file.path().display())), ("name", text("db.example.test"))];
        all.extend(entries.iter().map(|(key, value)| (*key, text(value))));
        map(&all)
    };
    let server = |life| {
        let leaf = leaf("db.example.test", &root, life);
        Server { tls: Some(acceptor(&leaf, &[])), ..Server::new(Login::Full("secret")) }
    };
    let (outcome, saw) = asked(server(GOOD), &[password(), ("tls", tls(&[]))]).await;
    assert_eq!(outcome.state, State::Ok, "{}", outcome.output.text);
    assert!(outcome.output.text.starts_with("Uptime: 1200  "));
    assert!(saw.spoke_tls && saw.said_goodbye);
    // Soon over: a word of warning, but the login is made.
    let (outcome, saw) = asked(server(Life(10, 20)), &[password(), ("tls", tls(&[]))]).await;
    assert_eq!(outcome.state, State::Warning);
    assert!(
        outcome.output.text.contains("; certificate `db.example.test` expires in "),
        "{}",
        outcome.output.text
    );
    assert!(saw.said_goodbye);
    // The fast way is as good through TLS.
    let fast = Server { tls: server(GOOD).tls, ..fast() };
    let (outcome, saw) = asked(fast, &[password(), ("tls", tls(&[]))]).await;
    assert_eq!(outcome.state, State::Ok, "{}", outcome.output.text);
    assert!(saw.spoke_tls && saw.said_goodbye);
}

#[tokio::test]
async fn no_password_goes_to_a_server_that_is_not_trusted() {
    let root = root();
    let file = trusted(&[&root]);
    for (name, life) in [("other.example.test", GOOD), ("db.example.test", Life(100, -3))] {
        let leaf = leaf(name, &root, life);
        let server = Server { tls: Some(acceptor(&leaf, &[])), ..Server::new(Login::Full("secret")) };
        let tls = map(&[("ca", text(file.path().display())), ("name", text("db.example.test"))]);
        let (outcome, saw) = asked(server, &[password(), ("tls", tls)]).await;
        assert_eq!(outcome.state, State::Critical);
        assert!(outcome.output.text.contains("certificate `"), "{}", outcome.output.text);
        assert_eq!(saw, Saw { spoke_tls: true, ..Saw::default() });
    }
    // Said to be of no matter: then it is.
    let leaf = leaf("other.example.test", &root, GOOD);
    let server = Server { tls: Some(acceptor(&leaf, &[])), ..Server::new(Login::Full("secret")) };
    let (outcome, saw) = asked(server, &[password(), ("tls", map(&[("verify", text("off"))]))]).await;
    assert_eq!(outcome.state, State::Ok, "{}", outcome.output.text);
    assert!(saw.said_goodbye);
}

#[tokio::test]
async fn the_flags_of_check_mysql_are_understood() {
    let (port, _saw) = fast().start().await;
    let (code, said) = check("mysql", &format!("-H 127.0.0.1 -P {port} -u nagios -p secret -d shop")).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.starts_with("Uptime: 1200  Threads: 2  Questions: 300  "), "{said}");
    let (port, _saw) = fast().start().await;
    let (code, said) = check("mysql", &format!("-H 127.0.0.1 -P {port} -p secret -S -w 30 -c 300")).await;
    assert_eq!(code, 1, "{said}");
    let (port, _saw) = Server::new(Login::Denied(1045, DENIED)).start().await;
    let (code, said) = check("mysql", &format!("-H 127.0.0.1 -P {port}")).await;
    assert_eq!(code, 2);
    assert!(said.starts_with(&format!("{DENIED}|time=")), "{said}");
    let (port, _saw) = Server::new(Login::Denied(1045, DENIED)).start().await;
    assert_eq!(check("mysql", &format!("-H 127.0.0.1 -P {port} -n")).await.0, 0);
}

#[tokio::test(start_paused = true)]
async fn damaged_greetings_are_survived() {
    use crate::tests::script::Script;
    let said = |payload: &[u8]| {
        let mut packet = u32::try_from(payload.len()).unwrap().to_le_bytes();
        packet[3] = 0;
        [&packet, payload].concat()
    };
    let mut usable = b"\x0a8.4.0\0\x07\0\0\0abcdefgh\0\xff\xff\x2d\x02\0\xff\xdf\x15".to_vec();
    usable.extend([0; 10]);
    usable.extend(b"ijklmnopqrst\0caching_sha2_password\0");
    let corpus = [said(&usable), said(b"\xff\x10\x04#08004Too many connections"), said(b"")];
    let (target, shared) = (crate::trial::loopback(), crate::trial::shared());
    let call = Call::new(&KIND, &target, &shared);
    let mut good = 0;
    let (inputs, seed) =
        (crate::tests::damage::number("VIGIA_TEST_INPUTS", 20_000), crate::tests::damage::seed());
    let mut random = fastrand::Rng::with_seed(seed);
    for turn in 0..inputs {
        let bytes = crate::tests::damage::damaged(&corpus, &mut random);
        Script::new(vec![bytes.clone()], |_, _| {}, if turn % 2 == 0 { 1 } else { 9999 }, false).put();
        let mut connection = call.connect_to("127.0.0.1", 1, crate::resolve::IpFamily::Any).await.unwrap();
        // A panic ends the test with the seed in what cargo prints.
        good += u64::from(matches!(relay::greeting(&mut connection).await, Ok(relay::Greeting::Usable(_))));
    }
    println!("mysql's greeting: {inputs} inputs, {good} of them good, seed {seed}");
    assert!(good > 0);
}
