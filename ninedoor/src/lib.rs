//! The namespace server without I/O: tree, authority, mounts, logs.
