//! Every form of `docs/PTX.md` against an oracle that knows the manual and not the engine.

#![allow(
    clippy::cast_possible_truncation,
    clippy::panic,
    clippy::unwrap_used,
    reason = "widths of registers, and a story told on failure"
)]

mod accesses;
mod barriers;
mod computing;
mod control;
mod copies;
#[path = "../device/mod.rs"]
mod device;
mod matrices;
mod mbarriers;
mod notation;
mod oracle;
mod places;
mod sparse;
mod specials;
mod story;
mod warp;
mod wmma;

use mock_ptx::conformance::{Group, INSTRUCTIONS, expand};
use story::Story;

/// What stories a part of the manual's forms have.
type Teller = fn(&str) -> Option<Story>;

const TELLERS: [Teller; 10] = [
    warp::story,
    matrices::story,
    sparse::story,
    wmma::story,
    barriers::story,
    mbarriers::story,
    copies::story,
    places::story,
    specials::story,
    control::story,
];

/// All forms, each with its group.
fn forms() -> impl Iterator<Item = (Group, String)> {
    INSTRUCTIONS.iter().flat_map(|row| {
        row.forms.iter().flat_map(|form| expand(form)).map(move |form| (row.group, form))
    })
}

/// Every form of a teller is as its story goes.
fn check(teller: Teller, forms_min: usize) {
    let told: Vec<(String, Story)> =
        forms().filter_map(|(_, form)| teller(&form).map(|story| (form, story))).collect();
    assert!(told.len() >= forms_min, "{} forms", told.len());
    let wrong: Vec<String> = told.iter().flat_map(|(form, story)| story.wrong(form)).collect();
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// Proves NUM-6.
#[test]
fn lanes_of_a_warp_exchange_what_the_manual_says() {
    check(warp::story, 75);
}

/// Proves NUM-6.
#[test]
fn matrices_are_multiplied_and_moved_as_the_manual_says() {
    check(matrices::story, 76);
}

/// Proves NUM-6.
#[test]
fn matrices_of_which_half_is_empty_are_multiplied_as_the_manual_says() {
    check(sparse::story, 40);
}

/// Proves NUM-6.
#[test]
fn fragments_are_loaded_multiplied_and_stored_as_the_manual_says() {
    check(wmma::story, 196);
}

/// Proves NUM-6.
#[test]
fn barriers_and_fences_order_what_the_manual_says() {
    check(barriers::story, 48);
}

/// Proves NUM-6.
#[test]
fn barrier_objects_count_as_the_manual_says() {
    check(mbarriers::story, 60);
}

/// Proves NUM-6.
#[test]
fn asynchronous_copies_leave_what_the_manual_says() {
    check(copies::story, 30);
}

/// Proves NUM-6.
#[test]
fn places_are_named_loaded_and_told_apart_as_the_manual_says() {
    check(places::story, 90);
}

/// Proves NUM-6.
#[test]
fn special_registers_and_hints_are_what_the_manual_says() {
    check(specials::story, 60);
}

/// Proves NUM-6.
#[test]
fn control_goes_where_the_manual_says() {
    check(control::story, 21);
}

/// Proves NUM-6.
#[test]
fn no_form_is_without_its_oracle() {
    let told = |form: &str| TELLERS.iter().any(|teller| teller(form).is_some());
    let alone: Vec<String> = forms()
        .filter(|(group, form)| {
            !(computing::knows(*group, form) || accesses::knows(form) || told(form))
        })
        .map(|(_, form)| form)
        .collect();
    assert!(alone.is_empty(), "{} forms without an oracle:\n{}", alone.len(), alone.join("\n"));
}
