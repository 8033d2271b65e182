//! Every corner of the protocol, as a dialogue in the one-line form under `tests/transcripts`.

mod dialogue;

macro_rules! transcripts {
    ($($(#[doc = $doc:literal])* $name:ident;)*) => {
        $($(#[doc = $doc])* #[test] fn $name() { dialogue::play(stringify!($name)); })*

        const NAMES: &[&str] = &[$(stringify!($name)),*];
    };
}

transcripts! {
    version; version_not_utf8; before_version; after_unknown_version; version_resets; auth; attach_several;
    walk; walk_partial; walk_in_place; walk_names; open_read; read_msize; write; create; clunk; readdir; attributes; names;
    flush; flush_read; flush_write; flush_walk; flush_many; flush_waiting; pipelined; out_of_order;
    tag_in_use; flush_tag_in_use; notag; reply_from_client; unknown_type; cut_short; trailing_bytes; string_beyond_frame; data_beyond_frame;
    frame_too_short; frame_too_long; first_frame_too_long; too_many_fids; too_many_requests; too_many_flushes; close;
    plan9; plan9_create; plan9_directory; plan9_first_use; plan9_flush;
}

#[test]
fn every_dialogue_in_the_folder_is_played() {
    let mut there: Vec<String> = std::fs::read_dir(dialogue::folder())
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    there.sort();
    let mut played: Vec<String> = NAMES.iter().map(|name| (*name).to_owned()).collect();
    played.sort();
    assert_eq!(there, played);
}
