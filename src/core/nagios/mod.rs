//! What vigia shares with Nagios, as text to types and back: plugin output, perfdata, thresholds, macros,
//! external commands.

pub mod command;
pub mod macros;
pub mod output;
pub mod perfdata;
pub mod threshold;
pub mod words;
