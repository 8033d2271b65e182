//! Leases and jobs as pure policy: commands, events and now in; effects and deadlines out.
