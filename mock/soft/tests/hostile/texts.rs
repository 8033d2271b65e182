//! Texts that no compiler writes: refused when they are loaded, or when they are launched, before they fill the host.

use super::device::{Device, Parameters};

fn text(declarations: &str, body: &str) -> String {
    format!(
        ".version 8.0\n.target sm_80\n.address_size 64\n{declarations}\n.visible .entry k()\n{{\n{body}\n  ret;\n}}\n"
    )
}

fn local(bytes: u64) -> String {
    format!(".local .b8 own[{bytes}]; .reg .b64 %d1; mov.u64 %d1, own; st.local.u8 [%d1], 1;")
}

#[test]
fn texts_that_would_fill_the_host_are_refused_when_they_are_loaded() {
    let shared = ".reg .b32 %r1; mov.u32 %r1, box; st.shared.u8 [%r1], 1;";
    let nested =
        |open: &str, close: &str| format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
    let long = format!(".reg .b32 %r1;\n{}", "add.s32 %r1, %r1, 1;\n".repeat((1 << 18) + 1));
    let wide: String = (0..=1 << 20).map(|i| format!("mov.u32 %r{i}, 1;\n")).collect();
    for (what, text, part) in [
        ("4 GiB of local memory", text("", &local(4 << 30)), "local"),
        ("local memory past all bounds", text("", &local(u64::MAX)), "local"),
        ("1 MB of shared memory", text(".shared .b8 box[1000000];", shared), "shared"),
        ("1 MB of constants", text(".const .b8 much[1000000];", ""), "constant"),
        ("a variable of 16 EiB", text(".global .b8 much[18446744073709551615];", ""), "much"),
        ("scopes in scopes", text("", &nested("{", "}")), "nest"),
        (
            "brackets in brackets",
            text(&format!(".global .u32 x = {};", nested("(", ")")), ""),
            "nest",
        ),
        ("a name of 100 KB", text("", &format!(".reg .b32 %{};", "r".repeat(100_000))), "16384"),
        ("more instructions than a kernel may have", text("", &long), "262144"),
        ("a million registers", text(".reg .b32 %r<1048578>;", &wide), ""),
        ("17 MB of blanks", " ".repeat(17 << 20), "16777216"),
    ] {
        let error =
            mock_ptx::compile(&text).err().map_or_else(String::new, |error| error.to_string());
        assert!(!error.is_empty() && error.contains(part), "{what}: {error}");
        assert!(error.len() < 1000, "{what}: an error of {} bytes", error.len());
    }
}

/// Proves SOFT-3.
#[test]
fn blocks_that_would_fill_the_host_are_refused_when_they_are_launched() {
    let count = 20_000;
    let lines = |form: &str| -> String {
        (0..count).map(|i| form.replace('#', &i.to_string()) + "\n").collect()
    };
    let all_alive = format!(
        ".reg .b32 %r<{count}>; .reg .b32 %s<2>; mov.u32 %s1, %tid.x;\n{}bar.sync 0;\n{}st.shared.u32 [box], %s1;",
        lines("mad.lo.u32 %r#, %s1, %s1, #;"),
        lines("add.u32 %s1, %s1, %r#;"),
    );
    let (registers, stack) = (text(".shared .b32 box;", &all_alive), text("", &local(400_000)));
    for (ptx, threads, part) in [
        (&registers, 1024, "bytes of registers, a block has 67108864; launch smaller blocks"),
        (&stack, 1024, "1024 threads of 400000 bytes of local memory each, a block has 268435456"),
    ] {
        let mut device = Device::load(ptx);
        let mut launch =
            |threads| device.try_launch("k", [1; 3], [threads, 1, 1], 0, &Parameters::default());
        let error = launch(threads).expect_err(part).to_string();
        assert!(error.contains(part), "{error}");
        launch(32).expect("a smaller block runs");
    }
}
