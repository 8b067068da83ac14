//! Ports: what usually stands behind them, and how one speaks first there.

use crate::discovery::finding::Transport;

/// How a service that keeps quiet is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::discovery) enum Opening {
    Http,
    Postgres,
    Redis,
    Ldap,
    Rdp,
    MsSql,
    Memcached,
    MongoDb,
    Amqp,
    Dns,
}

impl Opening {
    /// The opening for a port of a known protocol; else a web server is the best guess.
    pub(in crate::discovery) fn of_port(port: u16) -> Self {
        match port {
            53 => Self::Dns,
            389 | 636 | 3268 | 3269 => Self::Ldap,
            1433 | 1434 => Self::MsSql,
            3389 => Self::Rdp,
            5432 | 5433 => Self::Postgres,
            5671 | 5672 => Self::Amqp,
            6379 | 6380 => Self::Redis,
            11211 => Self::Memcached,
            27017..=27019 => Self::MongoDb,
            _ => Self::Http,
        }
    }

    /// What is sent; HTTP names the host and is made elsewhere.
    pub(in crate::discovery) fn bytes(self) -> &'static [u8] {
        match self {
            Self::Http => b"",
            // SSLRequest: answered by one letter, and no failed login in its log.
            Self::Postgres => &[0, 0, 0, 8, 4, 210, 22, 47],
            Self::Redis => b"PING\r\n",
            // Anonymous bind, version 3.
            Self::Ldap => &[0x30, 0x0c, 2, 1, 1, 0x60, 7, 2, 1, 3, 4, 0, 0x80, 0],
            // X.224 connection request that offers TLS.
            Self::Rdp => &[3, 0, 0, 19, 14, 0xe0, 0, 0, 0, 0, 0, 1, 0, 8, 0, 3, 0, 0, 0],
            // TDS pre-login with the options VERSION, ENCRYPTION (off).
            Self::MsSql => {
                &[0x12, 1, 0, 26, 0, 0, 0, 0, 0, 0, 11, 0, 6, 1, 0, 17, 0, 1, 0xff, 9, 0, 0, 0, 0, 0, 2]
            }
            Self::Memcached => b"version\r\n",
            // OP_QUERY {isMaster: 1} on admin.$cmd.
            Self::MongoDb => {
                b"\x3a\0\0\0\x01\0\0\0\0\0\0\0\xd4\x07\0\0\0\0\0\0admin.$cmd\0\0\0\0\0\x01\0\0\0\
                  \x13\0\0\0\x10isMaster\0\x01\0\0\0\0"
            }
            Self::Amqp => b"AMQP\0\0\x09\x01",
            // `version.bind`, class CH, type TXT, with its length before it.
            Self::Dns => b"\0\x1e\x76\x67\x01\0\0\x01\0\0\0\0\0\0\x07version\x04bind\0\0\x10\0\x03",
        }
    }
}

/// Speaks TLS from the first byte, as a rule.
pub(in crate::discovery) fn is_tls_port(port: u16) -> bool {
    matches!(
        port,
        443 | 465 | 563 | 636 | 853 | 989 | 990 | 992
            ..=995
                | 3269
                | 4443
                | 5061
                | 5671
                | 5986
                | 6443
                | 6514
                | 6697
                | 7443
                | 8006
                | 8443
                | 8444
                | 8883
                | 9443
                | 10443
    )
}

/// What is sent there is printed: such ports are never spoken to.
pub(in crate::discovery) fn is_printer(port: u16) -> bool {
    matches!(port, 515 | 9100..=9107)
}

/// What a port suggests; empty where it suggests nothing.
pub(in crate::discovery) fn by_port(port: u16, transport: Transport) -> &'static str {
    match (transport, port) {
        (Transport::Udp, 53) => "domain",
        (Transport::Udp, 123) => "ntp",
        (Transport::Udp, 161) => "snmp",
        (Transport::Udp, _) => "",
        (Transport::Tcp, 21) => "ftp",
        (Transport::Tcp, 22) => "ssh",
        (Transport::Tcp, 23) => "telnet",
        (Transport::Tcp, 25 | 465 | 587 | 2525) => "smtp",
        (Transport::Tcp, 53) => "domain",
        (Transport::Tcp, 80 | 443 | 3128 | 8000 | 8008 | 8080 | 8443) => "http",
        (Transport::Tcp, 110 | 995) => "pop3",
        (Transport::Tcp, 111) => "rpcbind",
        (Transport::Tcp, 113) => "ident",
        (Transport::Tcp, 135) => "msrpc",
        (Transport::Tcp, 139) => "netbios-ssn",
        (Transport::Tcp, 143 | 993) => "imap",
        (Transport::Tcp, 389 | 636) => "ldap",
        (Transport::Tcp, 445) => "microsoft-ds",
        (Transport::Tcp, 515) => "printer",
        (Transport::Tcp, 554) => "rtsp",
        (Transport::Tcp, 1433) => "ms-sql-s",
        (Transport::Tcp, 3306) => "mysql",
        (Transport::Tcp, 3389) => "ms-wbt-server",
        (Transport::Tcp, 5060) => "sip",
        (Transport::Tcp, 5432) => "postgresql",
        (Transport::Tcp, 5666) => "nrpe",
        (Transport::Tcp, 5672) => "amqp",
        (Transport::Tcp, 5900..=5903) => "vnc",
        (Transport::Tcp, 6379) => "redis",
        (Transport::Tcp, 6667..=6669) => "irc",
        (Transport::Tcp, 9100..=9107) => "jetdirect",
        (Transport::Tcp, 11211) => "memcached",
        (Transport::Tcp, 27017) => "mongodb",
        (Transport::Tcp, _) => "",
    }
}
