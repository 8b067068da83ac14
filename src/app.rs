//! Builds, starts, runs and drains the daemon: the only file that knows every part.
