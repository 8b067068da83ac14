//! The running daemon: the conductor that owns the engine, the executor that runs checks, reloads.

pub mod conductor;
pub mod executor;
pub mod inbox;
mod log;
pub mod look;
pub mod meters;
pub mod places;
pub mod plugin;
pub mod reload;
pub mod snapshot;

#[cfg(test)]
mod fixture;

pub use conductor::{Batch, Kept, MOST_UNSAVED};
pub use executor::{Load, Look};
pub use inbox::{Done, Message, NotDone, Refusals};
pub use look::Tools;
pub use meters::Meters;
pub use places::{Limits, Overload};
pub use reload::{ConfigHealth, ReloadReport};
pub use snapshot::{Handle, Heads};
