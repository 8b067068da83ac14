//! The running daemon: the conductor that owns the engine, the executor that runs checks, reloads.

pub mod executor;
pub mod inbox;
pub mod look;
pub mod meters;
pub mod places;
pub mod plugin;

pub use executor::{Load, Look};
pub use inbox::{Done, Message, NotDone};
pub use look::Tools;
pub use meters::Meters;
pub use places::{Limits, Overload};
