//! What reading a number costs, by how it is written, and what its spellings cost.
//!
//! Written forms use ranges reserved for fiction. Mexico and Brazil reserve none: their digits
//! are made up, and nothing is ever sent.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use izin::numbers::{E164, Region, parse, spellings};

/// A hundred numbers written as `shape` says, `#` being their free digits.
fn written(shape: &str) -> Vec<String> {
    (100..200).map(|free: u32| shape.replace('#', &free.to_string())).collect()
}

fn read_all(texts: &[String], region: Option<Region>) -> usize {
    texts.iter().filter(|text| parse(black_box(text), region).is_ok()).count()
}

fn bench(c: &mut Criterion) {
    let region = |code: &str| Region::parse(code).ok();
    for (name, shape, hint) in [
        ("canonical E.164, North America", "+12025550#", None),
        ("canonical E.164, Britain", "+447700900#", None),
        ("messy national, North America", " (202) 555-0# ", region("US")),
        ("messy national, Britain", "07700 900-#", region("GB")),
        ("WhatsApp link", "https://wa.me/12025550#?text=Hi", None),
    ] {
        let texts = written(shape);
        c.bench_function(&format!("parse 100, {name}"), |b| b.iter(|| read_all(&texts, hint)));
    }
    for (name, shape) in
        [("without rules", "447700900#"), ("Mexico", "5215500000#"), ("Brazil", "5531970000#")]
    {
        let numbers: Vec<_> =
            written(shape).iter().filter_map(|digits| E164::from_digits(digits).ok()).collect();
        c.bench_function(&format!("spellings of 100, {name}"), |b| {
            b.iter(|| {
                numbers.iter().map(|n| spellings(black_box(*n)).all().count()).sum::<usize>()
            });
        });
        c.bench_function(&format!("match keys of 100, {name}"), |b| {
            b.iter(|| {
                let keys = numbers.iter().map(|n| spellings(black_box(*n)).match_key());
                keys.map(|key| key.as_str().len()).sum::<usize>()
            });
        });
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
