//! Signals as a stream: stop, reload; who sent them; and a second request to stop is final.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use futures_util::StreamExt;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::iterator::exfiltrator::origin::{Origin, WithOrigin};
use signal_hook_tokio::{Handle, SignalsInfo};

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    Stop,
    Reload,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub request: Request,
    /// For the log: `SIGTERM from process 1, user 0`.
    pub by: String,
}

pub struct Signals {
    signals: SignalsInfo<WithOrigin>,
    handle: Handle,
}

impl Signals {
    /// Takes over SIGTERM, SIGINT and SIGHUP. Must be called inside a tokio runtime.
    pub fn take() -> io::Result<Self> {
        for signal in [SIGTERM, SIGINT] {
            let was_asked = Arc::new(AtomicBool::new(false));
            // Order matters: the first signal finds the flag down and raises it, the second finds it up.
            flag::register_conditional_shutdown(signal, 128 + signal, was_asked.clone())?;
            flag::register(signal, was_asked)?;
        }
        let signals = SignalsInfo::<WithOrigin>::new([SIGTERM, SIGINT, SIGHUP])?;
        let handle = signals.handle();
        Ok(Self { signals, handle })
    }

    /// The next signal that asks for something. Cancel-safe.
    pub async fn next(&mut self) -> Option<Asked> {
        let origin = self.signals.next().await?;
        let request = if origin.signal == SIGHUP { Request::Reload } else { Request::Stop };
        Some(Asked { request, by: describe(&origin) })
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.handle.close();
    }
}

fn describe(origin: &Origin) -> String {
    let name = match origin.signal {
        SIGHUP => "SIGHUP",
        SIGINT => "SIGINT",
        _ => "SIGTERM",
    };
    match &origin.process {
        Some(process) => format!("{name} from process {}, user {}", process.pid, process.uid),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use nix::sys::signal::{Signal, raise};

    use super::*;

    #[tokio::test]
    async fn a_signal_says_what_it_asks_for_and_who_sent_it() {
        let mut signals = Signals::take().unwrap();
        raise(Signal::SIGHUP).unwrap();
        let asked = signals.next().await.unwrap();
        assert_eq!(asked.request, Request::Reload);
        assert!(asked.by.starts_with("SIGHUP from process "), "{}", asked.by);
    }
}
