//! Secure9P over TCP, TLS, Unix sockets and in-memory pairs.
