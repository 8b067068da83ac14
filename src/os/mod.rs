//! The operating system, wrapped once: clock, processes, files, folder watching, signals, systemd.
