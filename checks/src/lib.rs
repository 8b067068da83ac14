//! The built-in checks: each a file, each a line in the table of kinds. Knows nothing of the daemon.
