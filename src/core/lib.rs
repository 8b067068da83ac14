//! What vigia knows and what follows from it: no clock, no I/O, no async, no serialisation.
//!
//! Three parts, each knowing only those before it: [`model`] (what things are), [`nagios`] (what we
//! share with Nagios, text to types and back), [`engine`] (what happens).

pub mod engine;
pub mod model;
pub mod nagios;
