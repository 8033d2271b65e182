//! The vocabulary on the trust line: paths, roles, tickets, ctl grammar, records, ids, time.
