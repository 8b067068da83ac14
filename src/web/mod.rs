//! Pages and API, on TCP and on the control socket.
