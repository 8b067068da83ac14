//! What vigia shares with Nagios, as text to types and back: plugin output, perfdata, thresholds, macros,
//! external commands.
