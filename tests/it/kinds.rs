//! The checks of services that discovery finds (FTP, mail, time, directories, databases, agents), as plugins against the
//! real server, and beside Debian's own plugin where there is one.

use crate::checks::{check, debians, shape};
use crate::support::servers::{
    chrony::Chrony, dovecot::Dovecot, free_port, ftp::Ftp, nrpe::Nrpe, postgres::Postgres, redis::Redis,
    slapd, slapd::Slapd, snmpd::Snmpd,
};

/// Ours and Debian's with the same words: the same code and the same text but for its numbers.
async fn same_as_debians(kind: &str, plugin: &str, words: &str) -> String {
    let (ours, theirs) = (check(&format!("{kind} {words}")).await, debians(plugin, words).await);
    assert_eq!((ours.0, shape(&ours.1)), (theirs.0, shape(&theirs.1)), "{words}: {ours:?} {theirs:?}");
    ours.1
}

/// Runs `vigia check` and looks at the code and at words that the text has to have.
async fn expect(words: &str, code: i32, parts: &[&str]) {
    let answer = check(words).await;
    assert_eq!(answer.0, code, "{words}: {answer:?}");
    for part in parts {
        assert!(answer.1.contains(part), "{words}: no `{part}` in {answer:?}");
    }
}

#[tokio::test]
async fn ftp_greets_speaks_tls_and_lets_guests_in() {
    let ftp = Ftp::start();
    let server = format!("-H 127.0.0.1 -p {}", ftp.port());
    let text = same_as_debians("ftp", "ftp", &server).await;
    assert!(text.starts_with("FTP OK - ") && text.contains("[220 (vsFTPd "), "{text}");
    expect(&format!("ftp {server} -U anonymous -P guest@example.test"), 0, &["FTP OK - "]).await;
    expect(&format!("ftp {server} -U ana -P wrong"), 2, &["login of 'ana': 530"]).await;
    let ca = ftp.ca().display();
    let tls = format!("ftp {server} --starttls --tls-name localhost --tls-ca {ca}");
    expect(&format!("{tls} -D 30,14 -U anonymous -P guest@example.test"), 0, &["FTP OK - "]).await;
    expect(&format!("{tls} -D 400,14"), 1, &["expires in 36"]).await;
    expect(&format!("ftp {server} --starttls --tls-name localhost"), 2, &["not trusted"]).await;
}

#[tokio::test]
async fn imap_and_pop3_greet_speak_tls_and_log_in() {
    let dovecot = Dovecot::start();
    let (imap, pop3) = (dovecot.imap(), dovecot.pop3());
    let text = same_as_debians("imap", "imap", &format!("-H 127.0.0.1 -p {imap}")).await;
    assert!(text.starts_with("IMAP OK - ") && text.contains("[* OK [CAPABILITY IMAP4rev1"), "{text}");
    let text = same_as_debians("pop3", "pop", &format!("-H 127.0.0.1 -p {pop3}")).await;
    assert!(text.starts_with("POP OK - ") && text.contains("[+OK Dovecot"), "{text}");

    let tls = format!("--tls-name localhost --tls-ca {}", dovecot.ca().display());
    let imap = format!("imap -H 127.0.0.1 -p {imap}");
    let imaps = format!("imap -H 127.0.0.1 -p {} -S", dovecot.imaps());
    let pop3 = format!("pop3 -H 127.0.0.1 -p {pop3}");
    let login = "-U ana -P vigia-secret";
    for server in [&imap, &format!("{imap} --starttls {tls}"), &format!("{imaps} {tls}"), &pop3] {
        expect(&format!("{server} {login}"), 0, &[" OK - "]).await;
        expect(&format!("{server} -U ana -P wrong"), 2, &["login of 'ana'"]).await;
    }
    expect(&format!("{pop3} --starttls {tls} {login}"), 0, &["POP OK - "]).await;
    expect(&format!("{imaps} --tls-name localhost"), 2, &["not trusted"]).await;
    expect(&format!("{imaps} {tls} -D 400,14"), 1, &["expires in 36"]).await;
}

#[tokio::test]
async fn ntp_compares_the_clocks_and_minds_the_stratum() {
    let chrony = Chrony::start();
    let server = format!("-H 127.0.0.1 -p {}", chrony.port());
    let (ours, theirs) = (check(&format!("ntp {server}")).await, debians("ntp_time", &server).await);
    assert_eq!((ours.0, theirs.0), (0, 0), "{ours:?} {theirs:?}");
    assert!(ours.1.starts_with("NTP OK: Offset ") && ours.1.contains("stratum 3|offset="), "{ours:?}");
    expect(&format!("ntp {server} --stratum 2"), 2, &["stratum 3"]).await;
    expect(&format!("ntp -H 127.0.0.1 -p {} -t 1", free_port()), 2, &["NTP CRITICAL"]).await;
}

#[tokio::test]
async fn ldap_binds_searches_and_counts() {
    let slapd = Slapd::start();
    let base = "-b dc=example,dc=test";
    let server = format!("-H 127.0.0.1 -p {}", slapd.port());
    let text = same_as_debians("ldap", "ldap", &format!("{server} {base} -3")).await;
    assert!(text.starts_with("LDAP OK - "), "{text}");
    let admin = slapd::ADMIN;
    let secret = "vigia-secret";
    expect(
        &format!("ldap {server} {base} -D {admin} -P {secret} -a (objectClass=*) -C 2:2"),
        0,
        &["LDAP OK"],
    )
    .await;
    expect(&format!("ldap {server} {base} -C 3:"), 2, &["2 entries"]).await;
    expect(&format!("ldap {server} {base} -D {admin} -P wrong"), 2, &["invalid credentials"]).await;
    expect(&format!("ldap {server} -b dc=nobody,dc=test"), 2, &["LDAP CRITICAL"]).await;
    let tls = format!("--tls-name localhost --tls-ca {}", slapd.ca().display());
    expect(&format!("ldap {server} {base} -T {tls}"), 0, &["LDAP OK"]).await;
    let tls_server = format!("ldap -H 127.0.0.1 -p {} {base} -S", slapd.tls_port());
    expect(&format!("{tls_server} {tls}"), 0, &["LDAP OK"]).await;
    expect(&format!("{tls_server} --tls-name localhost"), 2, &["not trusted"]).await;
}

#[tokio::test]
async fn postgres_answers_logs_in_and_asks() {
    let postgres = Postgres::start();
    let server = format!("postgres -H 127.0.0.1 -P {}", postgres.port());
    expect(&server, 0, &["POSTGRES OK - "]).await;
    let login = format!("{server} -l vigia -p vigia-secret -d postgres");
    expect(&login, 0, &["POSTGRES OK - "]).await;
    for (warning, critical, code) in [("10", "20", 0), ("5", "20", 1), ("1", "5", 2)] {
        expect(&format!("{login} -q SELECT(7) -W {warning} -C {critical}"), code, &["7"]).await;
    }
    expect(&format!("{server} -l vigia -p wrong -d postgres"), 2, &["password authentication failed"]).await;
    expect(&format!("{server} -l vigia -p wrong -d postgres --on-denied ok"), 0, &[]).await;
    let tls = format!("-S --tls-name localhost --tls-ca {}", postgres.ca().display());
    expect(&format!("{login} {tls}"), 0, &["POSTGRES OK - "]).await;
    expect(&format!("{login} -S --tls-name localhost"), 2, &["not trusted"]).await;
}

#[tokio::test]
async fn redis_answers_whoever_knows_the_password() {
    let redis = Redis::start();
    let server = format!("redis -H 127.0.0.1 -p {}", redis.port());
    expect(&server, 2, &["REDIS CRITICAL - NOAUTH"]).await;
    expect(&format!("{server} --on-denied ok"), 0, &[]).await;
    expect(&format!("{server} -P wrong"), 2, &["WRONGPASS"]).await;
    expect(&format!("{server} -P vigia-secret"), 0, &["REDIS OK - version ", ", master, "]).await;
}

#[tokio::test]
async fn snmp_reads_and_compares() {
    let snmpd = Snmpd::start();
    let server = format!("-H 127.0.0.1 -p {} -C vigia-secret -P 2c", snmpd.port());
    let location = ".1.3.6.1.2.1.1.6.0";
    let text = same_as_debians("snmp", "snmp", &format!("{server} -o {location}")).await;
    assert!(text.starts_with("SNMP OK - \"rack 7\""), "{text}");
    same_as_debians("snmp", "snmp", &format!("{server} -o {location} -r rack.[0-9]")).await;
    same_as_debians("snmp", "snmp", &format!("{server} -o {location} -r cellar")).await;
    let first_version = format!("-H 127.0.0.1 -p {} -C vigia-secret -P 1 -o {location}", snmpd.port());
    same_as_debians("snmp", "snmp", &first_version).await;
    let services = format!("snmp {server} -o 1.3.6.1.2.1.1.7.0");
    expect(&format!("{services} -w 0:100"), 0, &["72"]).await;
    expect(&format!("{services} -w 0:10 -c 0:100"), 1, &["72"]).await;
    expect(&format!("{services} -c 0:10"), 2, &["72"]).await;
    let stranger = format!("snmp -H 127.0.0.1 -p {} -C stranger -o {location} -e 1 -t 1", snmpd.port());
    expect(&stranger, 2, &["SNMP"]).await;
}

#[tokio::test]
async fn nrpe_hands_state_and_output_through() {
    let nrpe = Nrpe::start();
    let server = format!("nrpe -H 127.0.0.1 -p {}", nrpe.port());
    expect(&format!("{server} -c check_load --tls legacy"), 1, &["WARNING: load is 7"]).await;
    expect(&format!("{server} -c check_load"), 2, &["wants `tls: legacy`"]).await;
    expect(&format!("{server} -c check_load -n"), 2, &["it speaks TLS"]).await;
    expect(&format!("{server} -c check_nothing --tls legacy"), 3, &["check_nothing"]).await;
    expect(&format!("{server} -c check_load -a 1 --tls legacy"), 2, &["perhaps it takes no arguments"]).await;
}
