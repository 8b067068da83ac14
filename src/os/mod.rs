//! The operating system, wrapped once: clock, processes, files, folder watching, signals, systemd.

pub mod clock;
pub mod draft;
pub mod files;
pub mod limits;
pub mod lock;
pub mod memory;
pub mod process;
pub mod stop;
pub mod systemd;
pub mod watch;
