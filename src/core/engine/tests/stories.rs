//! Scenarios that anybody in operations can read.
