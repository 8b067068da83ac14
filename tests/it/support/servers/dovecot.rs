//! A real Dovecot: IMAP and POP3, in the clear, after STARTTLS, and IMAP with TLS from the first byte. Everybody's
//! password is `vigia-secret`.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::Command;

use nix::unistd::{Group, User, getegid, geteuid};

use super::{Server, free_port, is_root};
use crate::support::chain::Chain;

pub struct Dovecot {
    server: Server,
    pop3: u16,
    imaps: u16,
    chain: Chain,
}

impl Dovecot {
    pub fn start() -> Self {
        let chain = Chain::new("localhost");
        let (pop3, imaps) = (free_port(), free_port());
        let server = Server::start("dovecot", |imap, folder| {
            install(folder);
            let config = folder.join("dovecot.conf");
            fs::write(&config, configuration([imap, imaps, pop3], folder, &chain)).expect("dovecot.conf");
            let mut command = Command::new("/usr/sbin/dovecot");
            command.arg("-F").arg("-c").arg(config);
            command
        });
        Self { server, pop3, imaps, chain }
    }

    pub fn imap(&self) -> u16 {
        self.server.port
    }

    pub fn imaps(&self) -> u16 {
        self.imaps
    }

    pub fn pop3(&self) -> u16 {
        self.pop3
    }

    pub fn ca(&self) -> &Path {
        self.chain.root_path()
    }
}

/// Who talks to strangers and reads mail: never root.
fn reader() -> User {
    let user = if is_root() { User::from_name("nobody") } else { User::from_uid(geteuid()) };
    user.ok().flatten().expect("there is an account")
}

fn install(folder: &Path) {
    let (mail, reader) = (folder.join("mail"), reader());
    fs::create_dir_all(&mail).expect("a folder");
    if is_root() {
        chown(&mail, Some(reader.uid.as_raw()), Some(reader.gid.as_raw())).expect("it is root's to give");
        fs::set_permissions(folder, fs::Permissions::from_mode(0o711)).expect("its rights");
    }
}

fn configuration([imap, imaps, pop3]: [u16; 3], folder: &Path, chain: &Chain) -> String {
    let user = User::from_uid(geteuid()).ok().flatten().expect("we have a name");
    let group = Group::from_gid(getegid()).ok().flatten().expect("a group too");
    let reader = reader();
    format!(
        "base_dir = {folder}/run
state_dir = {folder}/run
log_path = /dev/stderr
protocols = imap pop3
listen = 127.0.0.1
ssl = yes
ssl_cert = <{certificate}
ssl_key = <{key}
disable_plaintext_auth = no
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {reader}
first_valid_uid = 0
mail_location = maildir:{folder}/mail/%u
passdb {{
  driver = static
  args = password=vigia-secret
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/mail/%u
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
  }}
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
",
        folder = folder.display(),
        certificate = chain.full_chain_path().display(),
        key = chain.key_path().display(),
        user = user.name,
        reader = reader.name,
        group = group.name,
        uid = reader.uid,
        gid = reader.gid,
    )
}
