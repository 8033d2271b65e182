//! One function of every lane, where operands are registers or rows of memory: half a warp at a time, after one check
//! for all of them.

use std::marker::PhantomData;

use super::region::Region;
use crate::limits::WARP_LANES;

/// Lanes that are done at once.
pub const HALF_LANES: usize = WARP_LANES / 2;

/// The lanes of half a warp.
type Half = [u32; HALF_LANES];

/// Bytes of one lane.
const LANE_BYTES: usize = size_of::<u32>();

/// A value in memory for each lane.
#[derive(Debug, Clone, Copy)]
pub struct Place<'r> {
    /// Where it is.
    pub region: &'r Region,
    /// The first lane's offset.
    pub start: u64,
    /// From one lane to the next along each coordinate: along the first, side by side, or all the same.
    pub steps: [u64; 3],
}

/// A way through the lanes' values.
#[derive(Debug, Clone, Copy)]
struct Walk {
    at: *mut u8,
    /// From one half of a warp to the next, from one row to the next, from one plane to the next.
    steps: [usize; 3],
}

/// The ways through operands and result of a function of up to three operands: what is given has been checked.
#[derive(Debug)]
pub struct Walks<'a> {
    extent: [u32; 3],
    d: Walk,
    sources: [Walk; 3],
    /// The source that is the same along rows.
    spread: Option<usize>,
    borrowed: PhantomData<&'a mut u32>,
}

/// What operands that are not given are.
const ZEROS: [u32; WARP_LANES] = [0; WARP_LANES];

impl<'a> Walks<'a> {
    /// Through so many lanes along each coordinate, along the first halves of warps, to a register for the result.
    ///
    /// # Panics
    /// Where rows are no halves of warps, a register has another number of lanes, or a place in memory is not inside of its region;
    /// so do all methods.
    #[must_use]
    pub fn to_register(extent: [u32; 3], d: &'a mut [u32]) -> Self {
        let rows = extent[0].is_multiple_of(HALF_LANES as u32) && !extent.contains(&0);
        assert!(rows, "rows of {extent:?}");
        let d = Walk::register(d.as_mut_ptr().cast(), d.len(), extent);
        let zeros = Walk::same(&ZEROS);
        Self { extent, d, sources: [zeros; 3], spread: None, borrowed: PhantomData }
    }

    /// An operand is a register of all lanes.
    pub fn read_register(&mut self, source: usize, lanes: &'a [u32]) {
        let at = lanes.as_ptr().cast_mut().cast();
        self.sources[source] = Walk::register(at, lanes.len(), self.extent);
    }

    /// An operand is a register of one warp, and stands for all warps.
    pub fn read_same(&mut self, source: usize, lanes: &'a [u32; WARP_LANES]) {
        self.sources[source] = Walk::same(lanes);
    }

    /// An operand is in memory; only one of them may be the same along rows.
    pub fn read_memory(&mut self, source: usize, place: &Place<'a>) {
        if place.steps[0] == 0 {
            assert!(self.spread.is_none(), "two operands that are the same along rows");
            self.spread = Some(source);
        }
        self.sources[source] = place.walk(self.extent);
    }

    /// As few and as long loops as possible; how long they are.
    fn join(&mut self) -> [usize; 3] {
        let Self { extent: [x, y, z], d, sources, .. } = self;
        let mut counts = [1; 3];
        let mut used = 0;
        for (dimension, count) in [*x as usize / HALF_LANES, *y as usize, *z as usize]
            .into_iter()
            .enumerate()
            .filter(|(_, count)| *count > 1)
        {
            let goes_on = |walk: &Walk| {
                let through = |last: usize| walk.steps[last].wrapping_mul(counts[last]);
                used > 0 && walk.steps[dimension] == through(used - 1)
            };
            if goes_on(d) && sources.iter().all(goes_on) {
                counts[used - 1] *= count;
                continue;
            }
            counts[used] = count;
            d.steps[used] = d.steps[dimension];
            sources.iter_mut().for_each(|walk| walk.steps[used] = walk.steps[dimension]);
            used += 1;
        }
        counts
    }
}

impl Place<'_> {
    /// Where lanes of this extent go.
    fn walk(&self, extent: [u32; 3]) -> Walk {
        let is_row = [0, LANE_BYTES as u64].contains(&self.steps[0]);
        assert!(is_row, "words side by side, or one for all: {self:?}");
        let reach = |(step, n): (u64, u32)| i128::from(step.cast_signed()) * (i128::from(n) - 1);
        let (mut low, mut high) = (i128::from(self.start), i128::from(self.start));
        for reach in self.steps.into_iter().zip(extent).map(reach) {
            low += reach.min(0);
            high += reach.max(0);
        }
        let inside = low >= 0 && high + LANE_BYTES as i128 <= i128::from(self.region.bytes());
        assert!(inside, "{low} to {high} in {} bytes", self.region.bytes());
        let [step, row, plane] = self.steps.map(|step| step as usize);
        let at = self.region.start().wrapping_add(self.start as usize);
        Walk { at, steps: [step * HALF_LANES, row, plane] }
    }
}

impl Walk {
    /// Through the lanes of a register.
    fn register(at: *mut u8, lanes: usize, extent: [u32; 3]) -> Self {
        let [x, y, _] = extent.map(|n| n as usize);
        let wanted = extent.into_iter().map(u128::from).product::<u128>();
        assert!(lanes as u128 == wanted, "{lanes} lanes for {extent:?}");
        Self { at, steps: [HALF_LANES * LANE_BYTES, x * LANE_BYTES, x * y * LANE_BYTES] }
    }

    /// Through the first half of a warp, again and again.
    const fn same(lanes: &[u32; WARP_LANES]) -> Self {
        Self { at: lanes.as_ptr().cast_mut().cast(), steps: [0; 3] }
    }

    #[inline(always)]
    const fn behind(&self, dimension: usize) -> Self {
        Self { at: self.at.wrapping_add(self.steps[dimension]), ..*self }
    }
}

/// Runs a function over all lanes. No result may overlap an operand of another lane.
#[inline(always)]
pub fn lanewise(mut walks: Walks<'_>, f: impl Fn(u32, u32, u32) -> u32) {
    let counts = walks.join();
    match walks.spread {
        None => all_lanes::<3>(&walks, counts, f),
        Some(0) => all_lanes::<0>(&walks, counts, f),
        Some(1) => all_lanes::<1>(&walks, counts, f),
        Some(_) => all_lanes::<2>(&walks, counts, f),
    }
}

/// The loops; the source of number `SPREAD`, if there is one, is read once for each half.
#[inline(always)]
fn all_lanes<const SPREAD: usize>(
    walks: &Walks<'_>,
    counts: [usize; 3],
    f: impl Fn(u32, u32, u32) -> u32,
) {
    let Walks { mut d, sources: [mut a, mut b, mut c], .. } = *walks;
    for _ in 0..counts[2] {
        let outer = (d, a, b, c);
        for _ in 0..counts[1] {
            let inner = (d, a, b, c);
            for _ in 0..counts[0] {
                // SAFETY: the walks go through as many lanes as there are, in halves of warps: those of registers, whose number was
                // compared, and those of places, whose first and last were checked. Any bytes are numbers.
                let (x, y, z) = unsafe {
                    (half(a.at, SPREAD == 0), half(b.at, SPREAD == 1), half(c.at, SPREAD == 2))
                };
                let mut out = [0; HALF_LANES];
                for lane in 0..HALF_LANES {
                    out[lane] = f(x[lane], y[lane], z[lane]);
                }
                // SAFETY: as above; a register is borrowed alone.
                unsafe { d.at.cast::<Half>().write_unaligned(out) };
                (d, a, b, c) = (d.behind(0), a.behind(0), b.behind(0), c.behind(0));
            }
            (d, a, b, c) = inner;
            (d, a, b, c) = (d.behind(1), a.behind(1), b.behind(1), c.behind(1));
        }
        (d, a, b, c) = outer;
        (d, a, b, c) = (d.behind(2), a.behind(2), b.behind(2), c.behind(2));
    }
}

/// The lanes of half a warp.
///
/// # Safety
/// They are there, or one of them where it is spread.
#[inline(always)]
const unsafe fn half(at: *mut u8, spread: bool) -> Half {
    // SAFETY: the caller's promise.
    unsafe {
        if spread {
            [at.cast::<u32>().read_unaligned(); HALF_LANES]
        } else {
            at.cast::<Half>().read_unaligned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXTENT: [u32; 3] = [32, 3, 2];
    const LANES: usize = 192;

    fn region() -> Region {
        let region = Region::zeroed(4096).expect("memory");
        (0..1024).for_each(|i| region.store(4 * i, i as u32));
        region
    }

    /// What a place has for each lane, asked one by one.
    fn wanted(place: &Place<'_>) -> Vec<u32> {
        let at = |x: u64, y: u64, z: u64| {
            let terms = place.steps.into_iter().zip([x, y, z]);
            terms.fold(place.start, |at, (step, n)| at.wrapping_add(step.wrapping_mul(n)))
        };
        let [nx, ny, nz] = EXTENT.map(u64::from);
        let rows = (0..nz).flat_map(|z| (0..ny).map(move |y| (y, z)));
        rows.flat_map(|(y, z)| (0..nx).map(move |x| place.region.load(at(x, y, z)))).collect()
    }

    #[test]
    fn every_lane_gets_what_its_own_place_has() {
        let region = region();
        let register: Vec<u32> = (0..LANES as u32).map(|lane| 1000 * lane).collect();
        let back = 0u64.wrapping_sub(200);
        for steps in
            [[4, 128, 384], [4, 128, 400], [4, 256, 20], [4, back, 4], [0, 12, 600], [0, 0, 4]]
        {
            let place = Place { region: &region, start: 1024, steps };
            for source in 0..3 {
                let mut d = vec![0; LANES];
                let mut walks = Walks::to_register(EXTENT, &mut d);
                walks.read_memory(source, &place);
                walks.read_register((source + 1) % 3, &register);
                walks.read_same((source + 2) % 3, &[7; WARP_LANES]);
                lanewise(walks, |a, b, c| a + b + c);
                let sums = wanted(&place).into_iter().zip(&register).map(|(a, b)| a + b + 7);
                assert_eq!(d, sums.collect::<Vec<_>>(), "{steps:?}, operand {source}");
            }
        }
    }

    #[test]
    #[should_panic(expected = "in 4096 bytes")]
    fn a_place_outside_is_refused() {
        let (region, mut d) = (region(), vec![0; LANES]);
        let place = Place { region: &region, start: 4096 - 4 * 192 + 4, steps: [4, 128, 384] };
        Walks::to_register(EXTENT, &mut d).read_memory(0, &place);
    }

    #[test]
    #[should_panic(expected = "rows of [16, 0, 1]")]
    fn no_lanes_are_refused() {
        let _ = Walks::to_register([16, 0, 1], &mut []);
    }

    #[test]
    #[should_panic(expected = "0 lanes for")]
    fn a_register_of_more_lanes_than_there_are_numbers_is_refused() {
        let _ = Walks::to_register([1 << 22, 1 << 21, 1 << 21], &mut []);
    }

    #[test]
    #[should_panic(expected = "160 lanes for [32, 3, 2]")]
    fn a_register_of_other_lanes_is_refused() {
        let mut d = vec![0; LANES];
        Walks::to_register(EXTENT, &mut d).read_register(0, &[0; 160]);
    }
}
