//! The command line: names, help with examples, exit codes. One file per family of subcommands.
