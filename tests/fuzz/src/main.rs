//! Texts nobody would write, as numbers: none panics, none takes a millisecond, and what is read is
//! read again as the same number. `scripts/fuzz` builds and runs it.
#![no_main]

extern crate self as izin;

mod check;
// The sources of the layer itself, which needs nothing else of Izin: a server is not fuzzed here,
// and building one with the fuzzer's marks in it would take most of the time.
#[path = "../../../src/limits.rs"]
#[allow(dead_code)]
pub mod limits;
#[path = "../../../src/numbers/mod.rs"]
#[allow(dead_code)]
pub mod numbers;
#[allow(dead_code)]
mod stock;

use std::{hint::black_box, sync::LazyLock, time::Duration};

use izin::numbers::{Region, parse, prepare};
use libfuzzer_sys::fuzz_target;
use rustix::time::{ClockId, clock_gettime};

/// Longest that reading a text may take. The fuzzer's marks make the code several times as slow, so
/// what it finds is timed again without them.
const TIME_MAX: Duration = Duration::from_millis(if cfg!(fuzzing) { 10 } else { 1 });

/// How often a text is read before it is called slow: caches may have been cold.
const TRIES: usize = 3;

/// Every region there is, and the lack of one.
static REGIONS: LazyLock<Vec<Option<Region>>> = LazyLock::new(|| {
    prepare();
    let letters = || 'A'..='Z';
    let codes = letters().flat_map(|first| letters().map(move |second| format!("{first}{second}")));
    std::iter::once(None)
        .chain(codes.map(|code| Region::parse(&code).ok()).filter(Option::is_some))
        .collect()
});

/// Time this thread has worked: whatever else the machine does is not counted.
fn worked() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else { return };
    let region = REGIONS.get(usize::from(*first) % REGIONS.len()).copied().flatten();
    let text = String::from_utf8_lossy(rest);
    let mut quickest = Duration::MAX;
    for _ in 0..TRIES {
        let begun = worked();
        black_box(parse(&text, region).is_ok());
        quickest = quickest.min(worked().saturating_sub(begun));
        if quickest < TIME_MAX {
            break;
        }
    }
    assert!(quickest < TIME_MAX, "{quickest:?} for a text of {} bytes", text.len());
    check::check(&text, region);
});
