//! What happens: from an input and a time to events. Knows no clock and waits for nothing.

pub mod table;
pub mod world;
