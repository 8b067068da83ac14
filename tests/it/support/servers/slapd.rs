//! A real directory (slapd) with two entries below `dc=example,dc=test`, and TLS on a second port.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{Server, free_port, run};
use crate::support::chain::Chain;

/// Who may bind, with the password `vigia-secret`.
pub const ADMIN: &str = "cn=admin,dc=example,dc=test";

const ENTRIES: &str = "dn: dc=example,dc=test
objectClass: dcObject
objectClass: organization
o: Example
dc: example

dn: ou=people,dc=example,dc=test
objectClass: organizationalUnit
ou: people
";

pub struct Slapd {
    server: Server,
    tls_port: u16,
    chain: Chain,
}

impl Slapd {
    pub fn start() -> Self {
        let chain = Chain::new("localhost");
        let tls_port = free_port();
        let server = Server::start("slapd", |port, folder| {
            let config = folder.join("slapd.conf");
            if !config.exists() {
                install(&config, folder, &chain);
            }
            let mut command = Command::new("/usr/sbin/slapd");
            command.arg("-h").arg(format!("ldap://127.0.0.1:{port} ldaps://127.0.0.1:{tls_port}"));
            command.args(["-d", "0", "-f"]).arg(config);
            command
        });
        Self { server, tls_port, chain }
    }

    pub fn port(&self) -> u16 {
        self.server.port
    }

    pub fn tls_port(&self) -> u16 {
        self.tls_port
    }

    pub fn ca(&self) -> &Path {
        self.chain.root_path()
    }
}

fn install(config: &Path, folder: &Path, chain: &Chain) {
    fs::create_dir_all(folder.join("db")).expect("a folder");
    let text = format!(
        "include /etc/ldap/schema/core.schema\n\
         modulepath /usr/lib/ldap\nmoduleload back_ldif\n\
         pidfile {folder}/pid\n\
         TLSCertificateFile {}\nTLSCertificateKeyFile {}\n\
         database ldif\nsuffix \"dc=example,dc=test\"\nrootdn \"{ADMIN}\"\nrootpw vigia-secret\n\
         directory {folder}/db\n",
        chain.full_chain_path().display(),
        chain.key_path().display(),
        folder = folder.display(),
    );
    fs::write(config, text).expect("slapd.conf");
    let entries = folder.join("entries.ldif");
    fs::write(&entries, ENTRIES).expect("the entries");
    run(Command::new("/usr/sbin/slapadd").arg("-f").arg(config).arg("-l").arg(entries));
}
