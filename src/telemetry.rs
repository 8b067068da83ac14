//! Logs with stable event names, and an error with its causes in one line.
