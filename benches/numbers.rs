//! What reading a number costs, by how it is written, and what its spellings cost.
//!
//! `cargo bench --bench numbers` first prints how much memory the numbering metadata takes once
//! numbers of every region have been read. Texts come from the recorded corpus where the world is
//! meant; otherwise from ranges reserved for fiction, or their digits are made up.

use std::{
    fs,
    hint::black_box,
    time::{Duration, Instant},
};

use criterion::{Criterion, criterion_group};
use izin::numbers::{E164, Region, from_wa_id, normalize_stream, parse, prepare, spellings};

/// A text and where it was dialled.
type Text = (String, Option<Region>);

#[derive(serde::Deserialize)]
struct Row {
    input: String,
    region_hint: Option<String>,
    e164: Option<String>,
    valid: bool,
    category: String,
}

fn corpus() -> Vec<Row> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/numbers/corpus-dev.jsonl");
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn region(code: &str) -> Option<Region> {
    Region::parse(code).ok()
}

/// Every region there is.
fn regions() -> Vec<Region> {
    let letters = || 'A'..='Z';
    let codes = letters().flat_map(|first| letters().map(move |second| format!("{first}{second}")));
    codes.filter_map(|code| region(&code)).collect()
}

/// A hundred numbers written as `shape` says, `#` being their free digits.
fn written(shape: &str, region: Option<Region>) -> Vec<Text> {
    (100..200).map(|free: u32| (shape.replace('#', &free.to_string()), region)).collect()
}

/// The recorded texts of these written forms, all of them without a name.
fn recorded(rows: &[Row], forms: &[&str]) -> Vec<Text> {
    let is_meant = |row: &&Row| {
        let form = row.category.split(':').next().unwrap_or_default();
        forms.is_empty() || forms.contains(&form)
    };
    let text = |row: &Row| (row.input.clone(), row.region_hint.as_deref().and_then(region));
    rows.iter().filter(is_meant).map(text).collect()
}

/// Texts of 250 characters that make a parser look long: each repeats what it has to try at.
fn long() -> Vec<Text> {
    let repeated = |part: &str| part.chars().cycle().take(249).collect::<String>();
    [
        "1",
        "+",
        " ",
        "-",
        "x",
        ",",
        ";",
        "/ x",
        "\\ x",
        "#",
        "1 ",
        "1x",
        "1,",
        "A",
        "ext",
        "доб1",
        "1#",
        ";ext=1",
        "tel:",
        ";phone-context=",
        "\u{661}",
        "\u{FF11}-",
        "\u{200B}",
        "()",
    ]
    .iter()
    .flat_map(|part| {
        let text = repeated(part);
        [(text.clone(), region("US")), (format!("+62812{text}").chars().take(250).collect(), None)]
    })
    .collect()
}

fn read_all(texts: &[Text]) -> usize {
    texts.iter().filter(|(text, region)| parse(black_box(text), *region).is_ok()).count()
}

/// Reads one text after the other, so that the time is that of one text.
fn each(c: &mut Criterion, name: &str, texts: &[Text]) {
    let mut texts = texts.iter().cycle();
    c.bench_function(name, |b| {
        b.iter(|| texts.next().map(|(text, region)| parse(black_box(text), *region).is_ok()));
    });
}

#[expect(clippy::print_stdout, reason = "a benchmark tells whoever runs it")]
fn reading(c: &mut Criterion) {
    let rows = corpus();
    let valid = rows.iter().filter(|row| row.valid);
    let canonical: Vec<Text> = valid.filter_map(|row| Some((row.e164.clone()?, None))).collect();
    each(c, "canonical E.164, Indonesia", &written("+62890123#", None));
    each(c, "canonical E.164, the world", &canonical);
    let wa_ids: Vec<String> = canonical.iter().map(|(text, _)| text.replace('+', "")).collect();
    let mut ids = wa_ids.iter().cycle();
    c.bench_function("wa_id with number, the world", |b| {
        b.iter(|| ids.next().map(|id| from_wa_id(black_box(id)).map(|found| found.number())));
    });
    c.bench_function("wa_id with number and match key, the world", |b| {
        b.iter(|| {
            ids.next().map(|id| {
                from_wa_id(black_box(id)).map(|found| (found.number(), found.match_key()))
            })
        });
    });
    c.bench_function("wa_id with number and spellings, the world", |b| {
        b.iter(|| {
            ids.next().map(|id| {
                from_wa_id(black_box(id)).map(|found| (found.number(), found.spellings()))
            })
        });
    });
    each(c, "written internationally, Indonesia", &written("+62 (890) 12-3#", None));
    each(c, "messy national, Indonesia", &written(" (0812) 555-0#. ", region("ID")));
    let national = ["national_messy", "national_google", "national_prefix", "national_plain"];
    each(c, "messy national, the world", &recorded(&rows, &national));
    each(c, "all forms mixed, the world", &recorded(&rows, &[]));
    each(c, "WhatsApp link", &written("https://wa.me/62890123#?text=Hi", None));
    let rest: Vec<_> = long();
    each(c, "longest texts", &rest);
    for (text, region) in rest {
        let shown: String = text.chars().take(16).collect();
        let begun = Instant::now();
        let times = 200;
        for _ in 0..times {
            black_box(parse(black_box(&text), region).is_ok());
        }
        let mean = begun.elapsed() / times;
        if mean.as_micros() > 100 {
            println!("{mean:?} for {shown:?}… in {region:?}");
        }
    }
}

fn streaming(c: &mut Criterion) {
    let rows = corpus();
    let mut lines = String::new();
    for row in &rows {
        let line = serde_json::json!({"input": row.input, "region_hint": row.region_hint});
        lines.push_str(&line.to_string());
        lines.push('\n');
    }
    c.bench_function(&format!("normalize {} lines, all forms mixed", rows.len()), |b| {
        b.iter(|| normalize_stream(black_box(lines.as_bytes()), std::io::sink(), None).is_ok());
    });
}

fn spelling(c: &mut Criterion) {
    for (name, shape) in
        [("without rules", "447700900#"), ("Mexico", "5215500000#"), ("Brazil", "5531970000#")]
    {
        let numbers: Vec<_> = written(shape, None)
            .iter()
            .filter_map(|(digits, _)| E164::from_digits(digits).ok())
            .collect();
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

/// Resident bytes of this process, in KB.
fn resident_kb() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kb| kb.parse().ok()).unwrap_or_default()
}

#[expect(clippy::print_stdout, reason = "a benchmark tells whoever runs it")]
/// Says what the metadata takes once every region was read in, from both sides of its borders.
fn memory() {
    let (rows, regions) = (corpus(), regions());
    let (texts, before) = (recorded(&rows, &[]), resident_kb());
    let begun = Instant::now();
    prepare();
    let (prepared, took) = (resident_kb(), begun.elapsed());
    let mut slowest = Duration::ZERO;
    for region in &regions {
        for text in ["0812 3456 7890", "(202) 555-0123", "00 44 7700 900456", "12345"] {
            let begun = Instant::now();
            black_box(parse(text, Some(*region)).is_ok());
            slowest = slowest.max(begun.elapsed());
        }
    }
    black_box(read_all(&texts));
    println!(
        "metadata: {} KB resident when prepared, which took {took:?}; {} KB after all {} regions \
         and {} recorded texts; the slowest of those took {slowest:?}",
        prepared.saturating_sub(before),
        resident_kb().saturating_sub(before),
        regions.len(),
        texts.len(),
    );
}

criterion_group!(benches, reading, streaming, spelling);

fn main() {
    memory();
    benches();
    Criterion::default().configure_from_args().final_summary();
}
