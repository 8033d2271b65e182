//! The ninedoor program: the namespace server on Linux.
