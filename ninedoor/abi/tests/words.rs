//! Whatever bytes come: nothing panics, and what was read prints to what reads the same again.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a word that does not come back fails the test"
)]

use core::{fmt::Display, str::FromStr};

use ninedoor_abi::{
    Claims, CtlLine, Identity, JobDescriptor, JobRecord, LeaseRecord, LifecycleWord, PathName,
    QueenCommand, Role, Scope, ScopeVerb, Secret, StatusLine, Ticket, TicketId, UnixMs,
    ctl::RenewLine,
    job::Sha256,
    ticket::{Budget, MountSpec},
};
use proptest::prelude::*;

/// Reads, prints, reads again: the same.
fn comes_back<T>(text: &str)
where
    T: FromStr + Display + PartialEq + core::fmt::Debug,
    T::Err: core::fmt::Debug,
{
    if let Ok(value) = text.parse::<T>() {
        let printed = value.to_string();
        assert_eq!(printed.parse::<T>().unwrap(), value, "{text:?} printed as {printed:?}");
    }
}

fn read_as_everything(text: &str) {
    comes_back::<CtlLine>(text);
    comes_back::<RenewLine>(text);
    comes_back::<StatusLine>(text);
    comes_back::<QueenCommand>(text);
    comes_back::<Identity>(text);
    comes_back::<PathName>(text);
    comes_back::<LifecycleWord>(text);
    comes_back::<TicketId>(text);
    comes_back::<Sha256>(text);
    if let Ok(record) = text.parse::<LeaseRecord>() {
        assert_eq!(record.to_line().parse(), Ok(record));
    }
    if let Ok(record) = text.parse::<JobRecord>() {
        assert_eq!(record.to_line().parse(), Ok(record));
    }
    if let Ok(ticket) = Ticket::parse(text) {
        assert_eq!(ticket.expose(), text);
    }
}

/// Lines that are nearly right, by putting words of the vocabulary side by side.
fn near_line() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "LEASE",
        "RELEASE",
        "RENEW",
        "PRIORITY",
        "CANCEL",
        "RESET",
        "REVOKE",
        "TICKET",
        "OK",
        "ERR",
        "EBUSY",
        "JOB",
        "mem_mb=64",
        "streams=1",
        "ttl_s=30",
        "priority=7",
        "worker=w-1",
        "wait_s=5",
        "ops=9",
        "lease-7",
        "jid-42",
        "ticket=5e1c4c4f",
        "ticket=",
        "id=lease-1",
        "=",
        " ",
        "255",
        "256",
        "-1",
        "\u{e9}",
        "\t",
        "cordon",
    ]);
    prop::collection::vec(words, 0..7).prop_map(|words| words.join(" "))
}

/// JSON that is nearly right, by putting pieces of it side by side.
fn near_json() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        r#""spawn""#,
        r#""gpu""#,
        r#""lease""#,
        r#""gpu_id":"GPU-0""#,
        r#""mem_mb":1"#,
        r#""kill":"worker-1""#,
        r#""job":"j""#,
        r#""params""#,
        r#"{"u32":1}"#,
        r#"{"f16":"nan"}"#,
        r#""grid":[1]"#,
        "1e999",
        "-0",
        "null",
        "18446744073709551616",
        r#""\ud800""#,
    ]);
    prop::collection::vec(pieces, 0..12).prop_map(|pieces| pieces.concat())
}

fn claims() -> impl Strategy<Value = Claims> {
    let budget = (any::<Option<u64>>(), any::<Option<u64>>(), any::<Option<u64>>());
    let scope = ("(/[a-zA-Z0-9-]{1,12}){1,8}", 0_u8..3, any::<u32>());
    let scopes = prop::collection::vec(scope, 0..8);
    let quotas = prop::option::of((any::<u64>(), any::<u32>(), any::<u32>()));
    let role = prop::sample::select(Role::ALL.to_vec());
    (role, "[a-z0-9._-]{0,20}x", any::<u64>(), budget, "[ -~]{0,20}", scopes, quotas).prop_map(
        |(role, subject, issued_ms, (ticks, ops, ttl_s), at, scopes, quotas)| {
            let mut claims = Claims::new(role, Some(subject.parse().unwrap()), UnixMs(issued_ms));
            claims.budget = Budget { ticks, ops, ttl_s };
            claims.mount = MountSpec { service: "gpu-bridge".into(), at };
            claims.scopes = scopes
                .into_iter()
                .map(|(path, verb, rate_per_s)| Scope {
                    path: path.parse().unwrap(),
                    verb: ScopeVerb::from_byte(verb).unwrap(),
                    rate_per_s,
                })
                .collect();
            claims.quotas = quotas.map(|(bandwidth_bytes, cursor_resumes, cursor_advances)| {
                ninedoor_abi::Quotas { bandwidth_bytes, cursor_resumes, cursor_advances }
            });
            claims
        },
    )
}

proptest! {
    /// Proves TICKET-10, CTL-10.
    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        read_as_everything(&text);
    }

    #[test]
    fn any_nearly_right_line_is_read_or_refused(text in near_line()) {
        read_as_everything(&text);
    }

    /// Proves JOBD-11.
    #[test]
    fn any_nearly_right_json_is_read_or_refused(text in near_json()) {
        read_as_everything(&text);
        let _ = JobDescriptor::parse(text.as_bytes());
    }

    #[test]
    fn any_bytes_are_no_descriptor(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(JobDescriptor::parse(&bytes).is_err());
    }

    #[test]
    fn any_claims_come_back_from_their_ticket(claims in claims(), secret in any::<[u8; 32]>()) {
        let secret = Secret::new(secret);
        let ticket = Ticket::parse(&claims.mint(&secret).unwrap().expose()).unwrap();
        // Before it was issued no ticket has expired, unless its time is none at all.
        if claims.budget.ttl_s != Some(0) {
            prop_assert_eq!(ticket.verify(&secret, UnixMs(0)), Ok(&claims));
        }
        prop_assert!(ticket.verify(&Secret::new([0; 16]), UnixMs(0)).is_err());
    }

    #[test]
    fn any_payload_is_decoded_to_what_encodes_the_same_or_refused(payload in prop::collection::vec(any::<u8>(), 0..60)) {
        let (secret, key) = (Secret::new("s"), blake3::hash(b"s"));
        // Version, a role and flags that are known, so that more than the first byte is looked at.
        for head in [&[][..], &[1, 0], &[1, 0, 8], &[1, 2, 16], &[1, 0, 63]] {
            let payload = [head, &payload].concat();
            let hex: String = payload.iter().map(|byte| format!("{byte:02x}")).collect();
            let text = format!("cohesix-ticket-{hex}.{}", blake3::keyed_hash(key.as_bytes(), &payload));
            let Ok(ticket) = Ticket::parse(&text) else { continue };
            if let Ok(claims) = ticket.verify(&secret, UnixMs(0)) {
                prop_assert_eq!(claims.mint(&secret).unwrap().expose(), text);
            }
        }
    }
}
