//! What the lanes of a warp do together, with all of them there, with some of them away, and with two groups on two ways: shuffles, votes,
//! matches, reductions. The oracle is the manual's pseudo-code.

use super::oracle::edges::Noise;
use super::oracle::exact::F32;
use super::oracle::statement::{Operand, Statement};
use super::oracle::{Form, Wanted};
use super::story::Story;

/// Two whole warps and a part of one.
const THREADS: usize = 85;
const WARP: usize = 32;

/// Clamps and segments: whole warps, parts of 8 and of 4 lanes, an odd mask; `.up` takes the lower bound.
const CLAMPS: [u64; 6] = [31, 0, 0x1807, 0x181f, 0x1c1f, 0x0a15];

/// What one lane brings.
struct Lane {
    /// The value, or whether the predicate holds.
    value: u64,
    /// The distance or lane of a shuffle.
    distance: u64,
}

/// A try of a form: who takes part, and in how many groups.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    All,
    /// The others go around it.
    Some,
    /// The others do the same elsewhere.
    Both,
}

/// The story of a form, if it is one of a warp.
pub(crate) fn story(form: &str) -> Option<Story> {
    let statement = Statement::read(form)?;
    let known = ["shfl", "vote", "match", "activemask", "elect", "redux"];
    if !known.contains(&&statement.name[..]) {
        return None;
    }
    let mut story = Story::of(THREADS);
    let mut noise = Noise::of(form);
    let clamps = if statement.name == "shfl" { &CLAMPS[..] } else { &CLAMPS[..1] };
    for clamp in clamps {
        for way in [Way::All, Way::Some, Way::Both] {
            part(&mut story, &mut noise, &statement, form, *clamp, way);
        }
    }
    Some(story)
}

/// One try of the form.
fn part(
    story: &mut Story,
    noise: &mut Noise,
    statement: &Statement,
    form: &str,
    clamp: u64,
    way: Way,
) {
    let text = form.replace(", 31", &format!(", {clamp}"));
    let (text, mask) = with_mask_register(statement, &text, way);
    let inside: Vec<bool> =
        (0..THREADS).map(|_| way == Way::All || noise.next().is_multiple_of(3)).collect();
    let lanes: Vec<Lane> = (0..THREADS).map(|_| lane(noise, statement)).collect();
    let group = |thread: usize, here: bool| -> u32 {
        let first = thread / WARP * WARP;
        (first..THREADS.min(first + WARP))
            .filter(|other| inside[*other] == here)
            .fold(0, |mask, other| mask | 1 << (other - first))
    };
    for name in statement.results.iter().flat_map(Operand::registers).flatten() {
        story.input(name, |_| 0);
    }
    for (i, name) in statement.inputs().iter().enumerate() {
        if mask.as_deref() != Some(name) {
            story.input(
                name,
                |thread| if i == 0 { lanes[thread].value } else { lanes[thread].distance },
            );
        }
    }
    if let Some(mask) = &mask {
        story.input(mask, |thread| match way {
            Way::All => u64::from(u32::MAX),
            _ => group(thread, inside[thread]).into(),
        });
    }
    story.input("%p7", |thread| inside[thread].into());
    let n = story.column(|_| 0);
    let line = match way {
        Way::All => format!("{text};"),
        Way::Some => format!("@!%p7 bra around{n};\n{text};\naround{n}:"),
        Way::Both => format!(
            "@!%p7 bra other{n};\n{text};\nbra.uni around{n};\nother{n}:\n{text};\naround{n}:"
        ),
    };
    story.line(&line);
    let wanted = |thread: usize, result: usize| {
        if way == Way::Some && !inside[thread] {
            return Wanted::Bits(0);
        }
        let first = thread / WARP * WARP;
        let members = group(thread, inside[thread]);
        let in_warp = &lanes[first..THREADS.min(first + WARP)];
        expected(statement, clamp, thread - first, members, in_warp)[result].clone()
    };
    let results: Vec<&Operand> = statement.results.iter().collect();
    for (i, result) in results.iter().enumerate() {
        if let Some(Some(name)) = result.registers().first() {
            story.output(name, |thread| wanted(thread, i));
        }
    }
}

/// The form with a register for its member mask, where one is needed; and that register.
fn with_mask_register(statement: &Statement, text: &str, way: Way) -> (String, Option<String>) {
    if !statement.has("sync") {
        return (text.to_owned(), None);
    }
    match statement.sources.last() {
        Some(Operand::Register { name, .. }) => (text.to_owned(), Some(name.clone())),
        _ if way == Way::All => (text.to_owned(), None),
        _ => {
            let start = text.rsplit_once(',').map_or(text, |(start, _)| start);
            (format!("{start}, %r29"), Some("%r29".to_owned()))
        }
    }
}

fn lane(noise: &mut Noise, statement: &Statement) -> Lane {
    let value = match &statement.name[..] {
        "vote" => u64::from(!noise.next().is_multiple_of(6)),
        // few values, so that some are alike
        "match" => [7, 1 << 40, 7 | 1 << 40, 9][noise.next() as usize % 4],
        _ => statement.inputs().first().map_or(0, |name| noise.value(statement, name)),
    };
    Lane { value, distance: noise.next() % 40 }
}

/// What each result of lane `lane` must be, with these members.
fn expected(
    statement: &Statement,
    clamp: u64,
    lane: usize,
    members: u32,
    lanes: &[Lane],
) -> Vec<Wanted> {
    let here = || (0..lanes.len()).filter(move |i| members >> i & 1 == 1);
    let bits = |bits: u32| Wanted::Bits(bits.into());
    let flag = |flag: bool| Wanted::Bits(flag.into());
    match &statement.name[..] {
        "shfl" => {
            let distance = match &statement.sources[1] {
                Operand::Constant(distance) => *distance as u64,
                _ => lanes[lane].distance,
            };
            let (from, in_range) =
                source(statement, lane as i64, distance as i64 & 31, clamp as i64);
            let value = if members >> from & 1 == 1 {
                Wanted::Bits(lanes[from].value & 0xffff_ffff)
            } else {
                // the manual leaves open what a lane that is away gives
                Wanted::Anything
            };
            vec![value, flag(in_range)]
        }
        "vote" => {
            let negated = matches!(&statement.sources[0], Operand::Register { negated: true, .. });
            let ballot = here()
                .filter(|i| (lanes[*i].value == 1) != negated)
                .fold(0u32, |mask, i| mask | 1 << i);
            vec![match () {
                () if statement.has("ballot") => bits(ballot),
                () if statement.has("all") => flag(ballot == members),
                () if statement.has("any") => flag(ballot != 0),
                () => flag(ballot == 0 || ballot == members),
            }]
        }
        "match" => {
            let width = statement.types()[0].bits;
            let of = |i: usize| lanes[i].value & (u64::MAX >> (64 - width));
            let alike = here().filter(|i| of(*i) == of(lane)).fold(0u32, |mask, i| mask | 1 << i);
            if statement.has("any") {
                return vec![bits(alike)];
            }
            let all = alike == members;
            vec![bits(if all { members } else { 0 }), flag(all)]
        }
        "activemask" => vec![bits(members)],
        "elect" => {
            let leader = members.trailing_zeros();
            vec![bits(leader), flag(lane == leader as usize)]
        }
        _ => vec![reduced(statement, here().map(|i| lanes[i].value).collect())],
    }
}

/// The lane that a shuffle reads, and whether it is in range.
fn source(statement: &Statement, lane: i64, b: i64, c: i64) -> (usize, bool) {
    let (bound, segment) = (c & 31, c >> 8 & 31);
    let most = (lane & segment) | (bound & !segment);
    let least = lane & segment;
    let (from, in_range) = match () {
        () if statement.has("up") => (lane - b, lane - b >= most),
        () if statement.has("down") => (lane + b, lane + b <= most),
        () if statement.has("bfly") => (lane ^ b, lane ^ b <= most),
        () => {
            let from = least | (b & !segment);
            (from, from <= most)
        }
    };
    (if in_range { from } else { lane } as usize, in_range)
}

fn reduced(statement: &Statement, values: Vec<u64>) -> Wanted {
    let words = || values.iter().map(|value| *value as u32);
    let signed = || words().map(u32::cast_signed);
    let least = statement.has("min");
    if statement.has("f32") {
        return reduced_float(statement, values);
    }
    let is_signed = statement.has("s32");
    Wanted::Bits(u64::from(match () {
        () if statement.has("add") => words().fold(0, u32::wrapping_add),
        () if statement.has("and") => words().fold(u32::MAX, |all, word| all & word),
        () if statement.has("or") => words().fold(0, |all, word| all | word),
        () if statement.has("xor") => words().fold(0, |all, word| all ^ word),
        () if is_signed && least => signed().min().unwrap_or(0).cast_unsigned(),
        () if is_signed => signed().max().unwrap_or(0).cast_unsigned(),
        () if least => words().min().unwrap_or(0),
        () => words().max().unwrap_or(0),
    }))
}

fn reduced_float(statement: &Statement, values: Vec<u64>) -> Wanted {
    let magnitude = |bits: u64| if statement.has("abs") { F32.magnitude(bits) } else { bits };
    let (nans, numbers): (Vec<u64>, Vec<u64>) =
        values.into_iter().map(magnitude).partition(|bits| F32.is_nan(*bits));
    if numbers.is_empty() || (statement.has("NaN") && !nans.is_empty()) {
        return Wanted::NotANumber(Form::from(F32));
    }
    // -0 is below +0
    let rank = |bits: &u64| {
        let size = F32.magnitude(*bits) as i64;
        if F32.is_negative(*bits) { -1 - size } else { size }
    };
    let found = if statement.has("min") {
        numbers.into_iter().min_by_key(rank)
    } else {
        numbers.into_iter().max_by_key(rank)
    };
    found.map_or(Wanted::Anything, Wanted::Bits)
}
