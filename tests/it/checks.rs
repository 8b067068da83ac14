//! Each built-in check as a plugin against the real server, and beside Debian's own plugin where there is one: the same
//! exit code, and the same beginning of the text.

use std::os::unix::fs::symlink;

use crate::support::daemon::vigia;
use crate::support::servers::free_port;
use crate::support::servers::{dns::Dns, mariadb::Mariadb, nginx::Nginx, smtp::Smtp, sshd::Sshd};

/// Exit code and first line.
async fn run(mut command: tokio::process::Command) -> (i32, String) {
    let output = command.output().await.expect("it runs");
    let text = String::from_utf8(output.stdout).expect("plugins print text");
    (output.status.code().expect("it exits"), text.lines().next().unwrap_or_default().to_owned())
}

/// `vigia check …`, the words divided at blanks.
pub async fn check(words: &str) -> (i32, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let words: Vec<&str> = words.split(' ').collect();
    let mut command = vigia(folder.path(), &["check"]);
    command.args(words);
    run(command).await
}

/// Debian's plugin with the same flags.
pub async fn debians(plugin: &str, words: &str) -> (i32, String) {
    let mut command = tokio::process::Command::new(format!("/usr/lib/nagios/plugins/check_{plugin}"));
    command.args(words.split(' ')).env("LC_ALL", "C");
    run(command).await
}

/// A text without perfdata and without its numbers, which differ from run to run.
pub fn shape(text: &str) -> String {
    let words = text.split('|').next().unwrap_or_default().trim_end();
    words.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect()
}

#[tokio::test]
async fn http_answers_as_the_plugin_does() {
    let nginx = Nginx::start();
    let port = nginx.port();
    for (flags, begins) in [
        (format!("-I 127.0.0.1 -p {port} -u /health"), "HTTP OK: HTTP/1.1 200 OK - "),
        (format!("-I 127.0.0.1 -p {port}"), "HTTP WARNING: HTTP/1.1 403 Forbidden - "),
        (format!("-I 127.0.0.1 -p {port} -u /nothing"), "HTTP WARNING: HTTP/1.1 404 Not Found - "),
        (format!("-I 127.0.0.1 -p {port} -u /moved -f follow"), "HTTP OK: HTTP/1.1 200 OK - "),
        (format!("-I 127.0.0.1 -p {port} -u /moved"), "HTTP OK: HTTP/1.1 302 "),
    ] {
        let ours = check(&format!("http {flags}")).await;
        let theirs = debians("http", &flags).await;
        assert!(ours.1.starts_with(begins), "{flags}: {ours:?}");
        assert_eq!((ours.0, shape(&ours.1)), (theirs.0, shape(&theirs.1)), "{flags}: {ours:?} {theirs:?}");
        assert!(ours.1.contains("|time="), "{ours:?}");
    }
    let refused = check(&format!("http -I 127.0.0.1 -p {}", free_port())).await;
    assert_eq!(refused.0, 2, "{refused:?}");
    let missing = check(&format!("http -I 127.0.0.1 -p {port} -u /health -s nonsense")).await;
    assert_eq!(missing.0, 2, "{missing:?}");
}

#[tokio::test]
async fn tls_is_judged_by_the_whole_chain_and_http_2_is_spoken() {
    let nginx = Nginx::start();
    let (port, ca) = (nginx.tls_port(), nginx.ca().display());
    let trusted = check(&format!("tls -H 127.0.0.1 -p {port} -n localhost --ca {ca}")).await;
    assert_eq!(trusted.0, 0, "{trusted:?}");
    let strange = check(&format!("tls -H 127.0.0.1 -p {port} -n localhost")).await;
    assert_eq!(strange.0, 2, "nobody knows this authority: {strange:?}");
    let misnamed = check(&format!("tls -H 127.0.0.1 -p {port} -n www.example.test --ca {ca}")).await;
    assert_eq!(misnamed.0, 2, "{misnamed:?}");
    let soon = check(&format!("tls -H 127.0.0.1 -p {port} -n localhost --ca {ca} -w 400 -c 14")).await;
    assert_eq!(soon.0, 1, "365 days are fewer than 400: {soon:?}");

    let page = check(&format!("https -I 127.0.0.1 -H localhost -p {port} -u /health --tls-ca {ca}")).await;
    assert_eq!(page.0, 0, "{page:?}");
    assert!(page.1.starts_with("HTTP OK: HTTP/2"), "the version that was spoken: {page:?}");
}

#[tokio::test]
async fn ssh_shows_the_servers_banner_whole() {
    let sshd = Sshd::start();
    let flags = format!("-p {} 127.0.0.1", sshd.port());
    let (ours, theirs) =
        (check(&format!("ssh -H 127.0.0.1 -p {}", sshd.port())).await, debians("ssh", &flags).await);
    assert!(ours.1.starts_with("SSH OK - OpenSSH_") && ours.1.contains(" (protocol 2.0)"), "{ours:?}");
    assert_eq!((ours.0, shape(&ours.1)), (theirs.0, shape(&theirs.1)));
}

#[tokio::test]
async fn mysql_logs_in_asks_and_says_why_it_may_not() {
    let mariadb = Mariadb::start();
    let server = format!("mysql -H 127.0.0.1 -P {}", mariadb.port());
    let denied = check(&format!("{server} -u nagios")).await;
    assert_eq!(denied.0, 2, "{denied:?}");
    assert!(denied.1.starts_with("Access denied for user 'nagios'@'"), "{denied:?}");
    assert!(denied.1.contains("' (using password: NO)"), "{denied:?}");
    let known = check(&format!("{server} -u vigia -p vigia-secret")).await;
    assert!(known.0 == 0 && known.1.contains("Uptime: ") && known.1.contains("Threads: "), "{known:?}");
    for (warning, critical, code) in [("10", "20", 0), ("3", "20", 1), ("1", "3", 2)] {
        let words = format!("{server} -u vigia -p vigia-secret --query SELECT(7) -w {warning} -c {critical}");
        let asked = check(&words).await;
        assert_eq!(asked.0, code, "{words}: {asked:?}");
    }
    let not_a_replica = check(&format!("{server} -u vigia -p vigia-secret -S")).await;
    assert_ne!(not_a_replica.0, 0, "{not_a_replica:?}");
}

#[tokio::test]
async fn dns_smtp_and_tcp_answer_as_their_servers_say() {
    let (dns, smtp) = (Dns::start(), Smtp::start());
    let server = format!("dns -H 127.0.0.1 -p {}", dns.port());
    let found = check(&format!("{server} -l www.example.test -a 192.0.2.10")).await;
    assert_eq!(found.0, 0, "{found:?}");
    let other = check(&format!("{server} -l www.example.test -a 192.0.2.11")).await;
    assert_eq!(other.0, 2, "{other:?}");
    let mail = check(&format!("{server} -l example.test -T MX")).await;
    assert!(mail.0 == 0 && mail.1.contains("www.example.test"), "{mail:?}");
    let unknown = check(&format!("{server} -l nothing.example.test")).await;
    assert_eq!(unknown.0, 2, "{unknown:?}");

    let flags = format!("-H 127.0.0.1 -p {}", smtp.port());
    let (ours, theirs) = (check(&format!("smtp {flags}")).await, debians("smtp", &flags).await);
    assert!(ours.1.starts_with("SMTP OK - "), "{ours:?}");
    assert_eq!((ours.0, shape(&ours.1)), (theirs.0, shape(&theirs.1)), "{ours:?} {theirs:?}");

    let (ours, theirs) = (check(&format!("tcp {flags}")).await, debians("tcp", &flags).await);
    // The plugin of today also names the address; ours is the text of the seed.
    assert_eq!(theirs.0, ours.0, "{ours:?} {theirs:?}");
    let port = format!(" second response time on port {}|time=", smtp.port());
    assert!(ours.1.starts_with("TCP OK - ") && ours.1.contains(&port), "{ours:?}");
}

#[tokio::test]
async fn links_with_the_old_names_work_and_wrong_usage_is_unknown() {
    let nginx = Nginx::start();
    let folder = tempfile::tempdir().expect("a folder");
    let link = folder.path().join("check_http");
    symlink(env!("CARGO_BIN_EXE_vigia"), &link).expect("linked");
    let mut command = tokio::process::Command::new(&link);
    command.args(["-I", "127.0.0.1", "-p", &nginx.port().to_string(), "-u", "/health"]);
    let linked = run(command).await;
    assert!(linked.0 == 0 && linked.1.starts_with("HTTP OK: "), "{linked:?}");

    for wrong in
        ["http --nonsense", "tcp -H 127.0.0.1", "tcp -H 127.0.0.1 -p 99999", "ping", "no-such-kind -H x"]
    {
        assert_eq!(check(wrong).await.0, 3, "{wrong}");
    }
}
