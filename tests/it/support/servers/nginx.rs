//! A real nginx: answers 403 at `/`, 200 at `/health`, and speaks TLS and HTTP/2 with a chain made for it.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{Server, free_port, is_root};
use crate::support::chain::Chain;

pub struct Nginx {
    server: Server,
    tls_port: u16,
    chain: Chain,
}

impl Nginx {
    pub fn start() -> Self {
        let chain = Chain::new("localhost");
        let tls_port = free_port();
        let server =
            Server::start("nginx", |port, folder| command("127.0.0.1", port, tls_port, folder, &chain));
        Self { server, tls_port, chain }
    }

    pub fn port(&self) -> u16 {
        self.server.port
    }

    pub fn tls_port(&self) -> u16 {
        self.tls_port
    }

    /// The root certificate, for `tls: {ca: …}`.
    pub fn ca(&self) -> &Path {
        self.chain.root_path()
    }
}

/// One that stands before another server.
pub struct Front(Server);

impl Front {
    /// With this in its `server`.
    pub fn start(locations: &str) -> Self {
        Self(Server::start("nginx", |port, folder| {
            let server = format!("  server {{\n    listen 127.0.0.1:{port};\n{locations}  }}\n");
            run_by(&around(folder, &server), folder)
        }))
    }

    pub fn address(&self) -> String {
        self.0.address()
    }
}

/// The server on an address and two ports.
pub fn command(address: &str, port: u16, tls_port: u16, folder: &Path, chain: &Chain) -> Command {
    fs::create_dir_all(folder.join("site")).expect("a folder");
    fs::write(folder.join("site/health"), "all is well\n").expect("a page");
    run_by(&configuration(address, port, tls_port, folder, chain), folder)
}

fn run_by(configuration: &str, folder: &Path) -> Command {
    let config = folder.join("nginx.conf");
    fs::write(&config, configuration).expect("nginx.conf");
    let mut command = Command::new("/usr/sbin/nginx");
    command.arg("-c").arg(&config).arg("-p").arg(folder).args(["-e", "stderr", "-g", "daemon off;"]);
    command
}

fn configuration(address: &str, port: u16, tls_port: u16, folder: &Path, chain: &Chain) -> String {
    let servers = format!(
        "  server {{
    listen {address}:{port};
    location = / {{ return 403; }}
    location = /health {{ root {site}/site; }}
    location = /moved {{ return 302 /health; }}
  }}
  server {{
    listen {address}:{tls_port} ssl http2;
    ssl_certificate {}; ssl_certificate_key {};
    location / {{ root {site}/site; }}
  }}
",
        chain.full_chain_path().display(),
        chain.key_path().display(),
        site = folder.display()
    );
    around(folder, &servers)
}

/// What every nginx of ours needs around its servers.
fn around(folder: &Path, servers: &str) -> String {
    let folder = folder.display();
    let user = if is_root() { "user root;" } else { "" };
    format!(
        "{user} worker_processes 1; pid {folder}/pid;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
{servers}}}
"
    )
}
