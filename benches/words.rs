//! What reading a message for consent words costs, by what the message is.
//!
//! The texts are made up. Throughput is in messages.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use izin::words::{Reading, Words};

/// What a shop hears in a day, roughly: few words, much talk.
const TALK: &[&str] = &[
    "STOP",
    "ok",
    "Halo kak, stok masih ada?",
    "Terima kasih",
    "Where is my order? It should have arrived yesterday.",
    "¿Cuánto cuesta el envío a Monterrey?",
    "jam berapa buka hari Minggu?",
    "বন্ধ করুন",
    "請問今天幾點關門",
    "👍",
    "Bom dia! Vocês têm esse modelo na cor azul?",
    "شكرا جزيلا",
];

fn bench(c: &mut Criterion) {
    let words = Words::built_in();
    let long = "Hello, I would like to know when the parcel arrives. ".repeat(78);
    let long_thai = "สวัสดีค่ะ อยากทราบว่าพัสดุจะมาถึงวันไหน ".repeat(100);
    let mut group = c.benchmark_group("read");
    for (name, texts) in [
        ("a word, ASCII", &["STOP"][..]),
        ("a word, marks", &["Dừng lại!"]),
        ("a word, Arabic", &["إلغاء الاشتراك"]),
        ("a word, Japanese", &["配信停止"]),
        ("a mistyped word", &["unsubcribe"]),
        ("a sentence with a word", &["bus stop where?"]),
        ("a sentence without", &["Where is my order? It should have arrived yesterday."]),
        ("talk of a day", TALK),
        ("4,000 characters, ASCII", &[long.as_str()]),
        ("4,000 characters, Thai", &[long_thai.as_str()]),
    ] {
        group.throughput(Throughput::Elements(u64::try_from(texts.len()).unwrap_or(u64::MAX)));
        group.bench_function(name, |b| {
            b.iter(|| {
                let read = texts.iter().map(|text| words.read(black_box(text)));
                read.filter(|reading| *reading != Reading::None).count()
            });
        });
    }
    group.finish();
    c.bench_function("building the tables", |b| b.iter(|| Words::customised(&[], &[])));
}

criterion_group!(benches, bench);
criterion_main!(benches);
