//! A real FTP server (vsftpd) that lets anybody look at an empty folder, in the clear or after `AUTH TLS`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use super::{Server, is_root};
use crate::support::chain::Chain;

pub struct Ftp {
    server: Server,
    chain: Chain,
}

impl Ftp {
    pub fn start() -> Self {
        let chain = Chain::new("localhost");
        let server = Server::start("ftp", |port, folder| {
            let empty = folder.join("empty");
            fs::create_dir_all(&empty).expect("a folder");
            // A folder of guests that they may write to is refused.
            fs::set_permissions(&empty, fs::Permissions::from_mode(0o555)).expect("its rights");
            let config = folder.join("vsftpd.conf");
            fs::write(&config, configuration(port, &empty, &chain)).expect("vsftpd.conf");
            let mut command = Command::new("/usr/sbin/vsftpd");
            command.arg(config);
            command
        });
        Self { server, chain }
    }

    pub fn port(&self) -> u16 {
        self.server.port
    }

    pub fn ca(&self) -> &Path {
        self.chain.root_path()
    }
}

fn configuration(port: u16, empty: &Path, chain: &Chain) -> String {
    // As root it becomes the user `ftp` that its package made.
    let who = if is_root() { "" } else { "run_as_launching_user=YES" };
    format!(
        "listen=YES\nbackground=NO\nlisten_address=127.0.0.1\nlisten_port={port}\n\
         anonymous_enable=YES\nlocal_enable=NO\n{who}\nseccomp_sandbox=NO\n\
         secure_chroot_dir={empty}\nanon_root={empty}\n\
         ssl_enable=YES\nallow_anon_ssl=YES\nforce_anon_logins_ssl=NO\nssl_ciphers=HIGH\n\
         rsa_cert_file={}\nrsa_private_key_file={}\n",
        chain.full_chain_path().display(),
        chain.key_path().display(),
        empty = empty.display(),
    )
}
