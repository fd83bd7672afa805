//! Exports: every row once, nothing a spreadsheet runs, and a ledger anyone can verify.
#![expect(clippy::unwrap_used, reason = "a helper of tests fails the test it helps")]

use std::{collections::BTreeMap, sync::Arc, thread};

use izin::{
    domain::{
        command::{Command, RegistryCommand},
        consent::ConsentStatus,
        entry::{Seq, Subject},
        names::{Language, StatementId},
        registry::Statement,
        time::{DAY_MS, Timestamp},
    },
    export::{
        Chunk, ConsentFilter, Consents, ExportError, Format, LedgerEntries, Seen, Sink, channel,
    },
    ledger::{entry::commitment, log::LogReader as _},
    store::{Applier, Store, StoreReader},
};
use rand::{SeedableRng as _, rngs::StdRng};
use serde_json::Value;
use tokio::sync::mpsc;

use crate::business::{
    Business, START, opt_in, opt_in_of, opt_out, person, person_with_user, topic,
};

/// A business whose every consent stands somewhere else, and its documents.
fn varied() -> (Business, StoreReader) {
    let mut business = Business::new();
    let statement = Statement {
        business_name: "Toko".into(),
        texts: BTreeMap::from([(Language::parse("en").unwrap(), "I agree.".into())]),
        topics: vec![topic("orders")],
    };
    let id = StatementId::parse("signup").unwrap();
    let put = RegistryCommand::PutStatement { id: id.clone(), digest: "d1".into(), statement };
    business.run(vec![Command::Registry(Box::new(put))]);

    let mut granted = opt_in_of(person_with_user(1, "-user"), &["orders"], Some(START - DAY_MS));
    granted.statement = Some(id);
    granted.language = Some(Language::parse("en").unwrap());
    granted.source.kind = "qr".into();
    granted.source.entry_point = Some("=HYPERLINK(\"https://example.com\")".into());
    granted.source.url = Some("https://example.com/a,\"b\"\nc".into());
    granted.source.reference = Some("@SUM(A1:A9)".into());
    let mut pending = opt_in_of(person(2), &["orders"], None);
    pending.awaits_confirmation = true;
    business.run(vec![
        Command::OptIn(Box::new(granted)),
        Command::OptIn(Box::new(pending)),
        opt_in(3, &["news", "promotions"], Some(START)),
        opt_in(4, &["orders"], None),
        opt_in(5, &["orders"], None),
    ]);
    business.run(vec![
        opt_out(3, Some(&["promotions"]), None),
        opt_out(4, None, None),
        opt_out(6, None, None),
    ]);
    business.erase(5);
    let reader = documents(&business);
    (business, reader)
}

fn documents(business: &Business) -> StoreReader {
    let log = business.reader();
    let (store, _) = Store::open(&business.database(), 1 << 20, log.as_ref()).unwrap();
    let (sealer, random) = (business.sealer.clone(), StdRng::seed_from_u64(2));
    let mut applier = Applier::new(store.clone(), log, sealer.clone(), random, 64).unwrap();
    applier.catch_up(|| false).unwrap();
    store.reader(sealer)
}

/// Runs an export on a thread of its own and takes everything.
fn taken(work: impl FnOnce(Sink) -> u64 + Send + 'static) -> (u64, Result<String, ExportError>) {
    let (sink, mut chunks) = channel();
    let producer = thread::spawn(move || work(sink));
    let text = collect(&mut chunks);
    (producer.join().unwrap(), text)
}

fn collect(chunks: &mut mpsc::Receiver<Chunk>) -> Result<String, ExportError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = chunks.blocking_recv() {
        bytes.extend(chunk?);
    }
    Ok(String::from_utf8(bytes).unwrap())
}

fn seen() -> Seen {
    Box::new(|_, record, now| record.standing(now))
}

fn consents(reader: &StoreReader, filter: ConsentFilter, format: Format) -> (u64, String) {
    let now = Timestamp::from_unix_ms(START + 40 * DAY_MS);
    let consents = Consents::new(reader.clone(), seen(), filter, now);
    assert_eq!(consents.as_of(), reader.applied());
    let (count, text) = taken(move |sink| consents.run(format, sink));
    (count, text.unwrap())
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Each row as person, topic and status.
fn standings(text: &str) -> Vec<(u64, String, String)> {
    let standing = |row: Value| {
        let text = |name| row.get(name).and_then(Value::as_str).unwrap_or("-").to_owned();
        let digits = text("number").replace("+447700900", "");
        (digits.parse().unwrap(), text("topic"), text("status"))
    };
    lines(text).into_iter().map(standing).collect()
}

fn row(person: u64, topic: &str, status: &str) -> (u64, String, String) {
    (person, topic.into(), status.into())
}

#[test]
fn every_consent_is_a_row_with_where_it_stands_now() {
    let (_business, reader) = varied();
    let (count, text) = consents(&reader, ConsentFilter::default(), Format::Ndjson);
    let rows = standings(&text);
    assert_eq!(count, 7);
    assert_eq!(
        rows,
        [
            row(1, "orders", "granted"),
            row(2, "orders", "pending"),
            row(3, "news", "expired"),
            row(3, "promotions", "withdrawn"),
            row(4, "orders", "withdrawn"),
            row(4, "-", "withdrawn"),
            row(6, "-", "withdrawn"),
        ]
    );
    let rows = lines(&text);
    assert_eq!(rows[0]["number"], "+447700900001");
    assert_eq!(rows[0]["granted_at"], "2023-11-13T22:13:20Z");
    assert_eq!(rows[0]["decided_at"], "2023-11-13T22:13:20Z");
    assert_eq!(rows[0]["statement_id"], "signup");
    assert_eq!(rows[0]["statement_digest"], "d1");
    assert_eq!(rows[0]["statement_language"], "en");
    assert_eq!(rows[2]["expires_at"], "2023-12-14T22:13:20Z");
    assert_eq!(rows[3]["granted_at"], "2023-11-14T22:13:20Z", "the withdrawal keeps it");
    assert_eq!(rows[3]["source_type"], "keyword");
    assert_eq!(rows[5]["granted_at"], Value::Null);
}

#[test]
fn each_filter_keeps_exactly_what_it_names() {
    let (_business, reader) = varied();
    let ask = |filter| standings(&consents(&reader, filter, Format::Ndjson).1);
    let all = ConsentFilter::default;
    let expired = ask(ConsentFilter { status: Some(ConsentStatus::Expired), ..all() });
    assert_eq!(expired, [row(3, "news", "expired")]);
    let orders = ask(ConsentFilter { topic: Some(topic("orders")), ..all() });
    let expected = [
        row(1, "orders", "granted"),
        row(2, "orders", "pending"),
        row(4, "orders", "withdrawn"),
        row(6, "orders", "withdrawn"),
    ];
    assert_eq!(orders, expected, "a stop from everything counts for each topic, once");
    let by_code = ask(ConsentFilter { source_type: Some("qr".into()), ..all() });
    assert_eq!(by_code, [row(1, "orders", "granted")]);
    let start = Some(Timestamp::from_unix_ms(START));
    assert_eq!(ask(ConsentFilter { to: start, ..all() }), [row(1, "orders", "granted")]);
    let from = ask(ConsentFilter { from: start, ..all() });
    assert_eq!(from.len(), 6);
    assert!(from.contains(&row(3, "news", "expired")), "the first moment belongs to it");
}

#[test]
fn a_spreadsheet_finds_no_formula_and_a_parser_finds_every_cell() {
    let (_business, reader) = varied();
    let (count, text) = consents(&reader, ConsentFilter::default(), Format::Csv);
    assert_eq!(count, 7);
    let mut rows = csv::Reader::from_reader(text.as_bytes());
    let columns = rows.headers().unwrap().clone();
    let of = |name: &str| columns.iter().position(|column| column == name).unwrap();
    let rows: Vec<csv::StringRecord> = rows.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 7);
    for row in &rows {
        for cell in row {
            assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '\0']), "{cell}");
        }
    }
    let first = &rows[0];
    assert_eq!(&first[of("number")], "447700900001");
    assert_eq!(&first[of("entry_point")], "'=HYPERLINK(\"https://example.com\")");
    assert_eq!(&first[of("reference")], "'@SUM(A1:A9)");
    assert_eq!(&first[of("url")], "https://example.com/a,\"b\"\nc");
    assert_eq!(&first[of("user_id")], "'-user");
    assert_eq!(&rows[6][of("topic")], "");
    let json = lines(&consents(&reader, ConsentFilter::default(), Format::Ndjson).1);
    for (row, line) in rows.iter().zip(&json) {
        for name in ["contact_id", "status", "decided_at", "recorded_at", "source_type"] {
            assert_eq!(row[of(name)], *line[name].as_str().unwrap(), "{name}");
        }
        assert_eq!(row[of("seq")], line["seq"].to_string());
    }
}

#[test]
fn an_empty_export_has_its_columns_and_no_rows() {
    let business = Business::new();
    let reader = documents(&business);
    let (count, text) = consents(&reader, ConsentFilter::default(), Format::Csv);
    assert_eq!((count, text.lines().count()), (0, 1));
    assert!(text.starts_with("\"contact_id\",\"number\","));
    let (count, text) = consents(&reader, ConsentFilter::default(), Format::Ndjson);
    assert_eq!((count, text.as_str()), (0, ""));
}

#[test]
fn a_listener_that_leaves_ends_the_work_and_a_slow_one_is_waited_for() {
    let mut business = Business::new();
    for group in 0..2 {
        let people = group * 1_000..(group + 1) * 1_000;
        business.run(people.map(|person| opt_in(person, &["orders", "news"], None)).collect());
    }
    let reader = documents(&business);
    let (count, text) = consents(&reader, ConsentFilter::default(), Format::Ndjson);
    assert_eq!(count, 4_000);
    assert!(text.len() > 10 * 64 * 1_024, "more than the queue holds");

    let now = Timestamp::from_unix_ms(START);
    let export = Consents::new(reader, seen(), ConsentFilter::default(), now);
    let (sink, mut chunks) = channel();
    let producer = thread::spawn(move || export.run(Format::Ndjson, sink));
    assert!(chunks.blocking_recv().unwrap().is_ok());
    drop(chunks);
    assert_eq!(producer.join().unwrap(), 0);
}

#[test]
fn a_document_that_cannot_be_read_ends_the_export_with_an_error() {
    let (business, reader) = varied();
    drop(reader);
    let page = [b"p".as_slice(), &0_u32.to_be_bytes()].concat();
    let db = business.bare_database();
    db.insert(page, b"nonsense".as_slice()).unwrap();
    drop(db);
    let (store, _) =
        Store::open(&business.database(), 1 << 20, business.reader().as_ref()).unwrap();
    let reader = store.reader(business.sealer.clone());
    let now = Timestamp::from_unix_ms(START);
    let export = Consents::new(reader, seen(), ConsentFilter::default(), now);
    let (count, text) = taken(move |sink| export.run(Format::Csv, sink));
    assert_eq!(count, 0);
    assert!(matches!(text, Err(ExportError::Store(_))));
}

fn ledger(business: &Business, from: u64, until: Option<u64>) -> Vec<Value> {
    let views = Arc::clone(&business.views);
    let (log, sealer) = (business.reader(), business.sealer.clone());
    let export = LedgerEntries::new(log, sealer, views, Seq(from), until.map(Seq));
    let (count, text) = taken(move |sink| export.run(sink));
    let lines = lines(&text.unwrap());
    assert_eq!(u64::try_from(lines.len()).unwrap(), count);
    lines
}

#[test]
fn an_exported_ledger_verifies_and_names_nobody_who_was_erased() {
    let (business, _reader) = varied();
    let lines = ledger(&business, 0, None);
    assert_eq!(u64::try_from(lines.len()).unwrap(), business.log.head().next.0);
    let bytes = |text: &Value| hex::decode(text.as_str().unwrap()).unwrap();
    let erased = business.subject(5).unwrap();
    for (line, entry) in lines.iter().zip(business.reader().read(Seq(0))) {
        let header = entry.as_ref().unwrap().header;
        let subject = business.sealer.subject_of(&entry.unwrap()).unwrap();
        assert_eq!(line["seq"], header.seq.0);
        assert_eq!(bytes(&line["leaf_hash"]), header.leaf_hash());
        assert_eq!(bytes(&line["previous"]), header.previous.0);
        assert_eq!(line["at"], header.at.to_rfc3339());
        assert_eq!(line["erased"], subject == erased);
        assert_eq!(line["contact_id"].is_null(), [Subject::SYSTEM, erased].contains(&subject));
        if subject == erased {
            assert!(line["opening"].is_null());
            continue;
        }
        // What anyone can do with the line alone.
        let salt: [u8; 32] = bytes(&line["opening"]["salt"]).try_into().unwrap();
        let payload = line["opening"]["payload"].as_str().unwrap();
        let computed = commitment(&salt, payload.as_bytes());
        assert_eq!(bytes(&line["commitment"]), computed);
    }
}

#[test]
fn a_part_of_the_ledger_is_exactly_that_part() {
    let (business, _reader) = varied();
    let seqs = |from, until| -> Vec<u64> {
        ledger(&business, from, until).iter().map(|line| line["seq"].as_u64().unwrap()).collect()
    };
    assert_eq!(seqs(3, Some(6)), [3, 4, 5]);
    assert_eq!(seqs(6, Some(3)), Vec::<u64>::new());
    let head = business.log.head().next.0;
    assert_eq!(seqs(head - 1, Some(head + 100)), [head - 1]);
    assert_eq!(seqs(head + 5, None), Vec::<u64>::new());
}
