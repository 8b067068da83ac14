//! The running daemon: the conductor that owns the engine, the executor that runs checks, reloads.
