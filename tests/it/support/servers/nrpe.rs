//! A real NRPE daemon, as Debian starts it: TLS without certificates.

use std::fs;
use std::os::unix::fs::chown;
use std::process::Command;

use nix::unistd::{Group, User};

use super::{Server, is_root};

pub struct Nrpe {
    server: Server,
}

impl Nrpe {
    /// Knows `check_load`, which is WARNING and says `load is 7`.
    pub fn start() -> Self {
        let server = Server::start("nrpe", |port, folder| {
            // As root it insists on becoming somebody else, who then writes the pid.
            let user =
                if is_root() { User::from_name("nagios") } else { User::from_uid(nix::unistd::geteuid()) };
            let user = user.ok().flatten().expect("there is an account");
            let group = Group::from_gid(user.gid).ok().flatten().expect("it has a group");
            if is_root() {
                chown(folder, Some(user.uid.as_raw()), None).expect("it is root's to give");
            }
            let config = folder.join("nrpe.cfg");
            let text = format!(
                "server_port={port}\nserver_address=127.0.0.1\nallowed_hosts=127.0.0.1\n\
                 nrpe_user={}\nnrpe_group={}\npid_file={}\ndont_blame_nrpe=0\n\
                 command[check_load]=/usr/lib/nagios/plugins/check_dummy 1 \"load is 7\"\n",
                user.name,
                group.name,
                folder.join("pid").display()
            );
            fs::write(&config, text).expect("nrpe.cfg");
            let mut command = Command::new("/usr/sbin/nrpe");
            command.arg("-f").arg("-c").arg(config);
            command
        });
        Self { server }
    }

    pub fn port(&self) -> u16 {
        self.server.port
    }
}
