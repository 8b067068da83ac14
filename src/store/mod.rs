//! SQLite: what must survive. One writer thread, read-only connections for everybody else.
