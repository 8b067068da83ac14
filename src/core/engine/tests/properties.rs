//! Invariants over any history.
