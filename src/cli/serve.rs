//! `vigia serve`: the daemon.

use std::net::SocketAddr;

use super::{Answer, Common, Console, Exit, Failure};
use crate::app::{self, Ended, Options};
use crate::os::clock::Clock;
use crate::os::{limits, memory};

/// Run the daemon in the foreground
///
/// Reads the configuration, watches what it names, and serves the page, the API and the metrics. SIGHUP reads the configuration
/// again, SIGTERM stops; a second SIGTERM stops at once.
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:
  vigia serve
  vigia serve -c ./etc/demo --state-dir ./var --listen 127.0.0.1:8642
  vigia serve --strict")]
pub(crate) struct Serve {
    /// Where the page is served, in place of `web: {listen: …}`; port 0 takes a free one. May be given several times
    #[arg(long, value_name = "ADDR")]
    listen: Vec<SocketAddr>,
    /// Refuse to start with any error in the configuration, in place of running what is good
    #[arg(long)]
    strict: bool,
    /// Start with a configuration without any host although there were some before: all that was known of them is removed
    #[arg(long)]
    accept_empty: bool,
}

impl Serve {
    pub(super) fn run(&self, common: &Common, console: &mut Console) -> Answer {
        let options = Options {
            config: common.config.clone(),
            state_dir: common.state_dir.clone(),
            listen: self.listen.clone(),
            strict: self.strict,
            accept_empty: self.accept_empty,
            clock: Clock::system(),
        };
        memory::keep_few_arenas();
        limits::keep_raw_sockets_from_programs();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let ended = runtime.block_on(app::serve(&options, &mut console.err));
        // Whatever is still running has been named in the log; it is not waited for.
        runtime.shutdown_background();
        match ended {
            Ok(Ended::Asked) => Ok(Exit::DONE),
            Ok(Ended::PartFailed | Ended::NotSaved) => Ok(Exit::REFUSED),
            Err(error) => {
                let code = if error.is_configuration() { Exit::CONFIG } else { Exit::REFUSED };
                let failure = Failure::new(code, error.to_string());
                Err(match error.hint() {
                    Some(hint) => failure.hint(hint),
                    None => failure,
                })
            }
        }
    }
}
