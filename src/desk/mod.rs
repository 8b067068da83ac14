//! What people do: accounts, sessions, rights, audit, work on tickets.
