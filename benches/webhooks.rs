//! What hearing WhatsApp costs before anything is decided: the signature and the reading, for one
//! status and for the largest batch there is.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hmac::{Hmac, Mac};
use izin::whatsapp::{AppSecrets, read};
use sha2::Sha256;

const SECRET: &[u8] = b"test-app-secret-0001";
const ENVELOPE: (&str, &str) = (r#"{"object":"whatsapp_business_account","entry":["#, "]}");

/// A status as WhatsApp sends it, in an entry of its own.
fn entry(number: u32) -> String {
    let person = format!("12025550{:03}", 100 + number % 100);
    format!(
        r#"{{"id":"900100200300401","changes":[{{"value":{{"messaging_product":"whatsapp",
"metadata":{{"display_phone_number":"12025550100","phone_number_id":"700100200300501"}},
"contacts":[{{"profile":{{"name":"Ana Contoh"}},"wa_id":"{person}","user_id":"US.9{number:019}"}}],
"statuses":[{{"id":"wamid.HBgLMTIwMjU1NTAxMjMVAgARGBI{number:06}","status":"delivered",
"timestamp":"1795165203","recipient_id":"{person}","recipient_user_id":"US.9{number:019}",
"biz_opaque_callback_data":"ticket-{number:08}","pricing":{{"billable":true,
"pricing_model":"PMP","type":"regular","category":"utility"}}}}]}},"field":"messages"}}]}}"#
    )
    .replace('\n', "")
}

/// A webhook of so many statuses, and its signature.
fn signed(count: u32) -> (Vec<u8>, String) {
    let entries: Vec<_> = (0..count).map(entry).collect();
    let body = format!("{}{}{}", ENVELOPE.0, entries.join(","), ENVELOPE.1).into_bytes();
    #[expect(clippy::expect_used, reason = "the library's signature allows for other MACs")]
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET).expect("HMAC takes keys of any length");
    mac.update(&body);
    let header = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
    (body, header)
}

fn bench(c: &mut Criterion) {
    let secrets = AppSecrets::new([SECRET]);
    for count in [1_u32, 1_000] {
        let (body, header) = signed(count);
        let mut group = c.benchmark_group(format!("webhook of {count}, {} bytes", body.len()));
        group.throughput(Throughput::Elements(count.into()));
        group.bench_function("signature", |b| {
            b.iter(|| secrets.signer(black_box(header.as_bytes()), black_box(&body)));
        });
        group.bench_function("read", |b| b.iter(|| read(black_box(&body))));
        group.bench_function("signature and read", |b| {
            b.iter(|| {
                let signer = secrets.signer(black_box(header.as_bytes()), black_box(&body));
                signer.map(|_| read(black_box(&body)))
            });
        });
        group.finish();
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
