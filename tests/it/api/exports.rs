//! Exports: all rows and only those asked for, and nothing a spreadsheet would run.

use serde_json::{Value, json};

use crate::app::{Reply, TestApp};

const ANN: &str = "+12025550101";
const BEN: &str = "+12025550102";

/// Ann agreed to both topics, by form and by poster; Ben agreed and withdrew a day later.
async fn business() -> TestApp {
    let app = TestApp::with_registry().await;
    app.opt_in(ANN, "orders").await;
    let poster = json!({"number": ANN, "topics": ["promotions"],
        "source": {"type": "qr", "reference": "=HYPERLINK(\"https://evil.example\",\"x\")"}});
    app.post("/v1/opt-ins").json(&poster).expect(201).await;
    app.opt_in(BEN, "orders").await;
    app.wait_hours(24);
    app.opt_out(BEN).await;
    app
}

async fn export(app: &TestApp, query: &str) -> Reply {
    let reply = app.get(&format!("/v1/exports/consents?{query}")).send().await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply
}

async fn rows(app: &TestApp, query: &str) -> Vec<Value> {
    let reply = export(app, &format!("format=ndjson&{query}")).await;
    assert_eq!(reply.header("content-type"), Some("application/x-ndjson"));
    reply.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn every_consent_is_a_row_with_what_proves_it() {
    let app = business().await;
    let all = rows(&app, "").await;
    let mut seen: Vec<_> = all
        .iter()
        .map(|row| [&row["number"], &row["topic"], &row["status"]].map(|cell| cell.as_str()))
        .collect();
    seen.sort_unstable();
    let expected = [
        [Some(ANN), Some("orders"), Some("granted")],
        [Some(ANN), Some("promotions"), Some("granted")],
        // Who withdrew from everything also withdrew from what never came up.
        [Some(BEN), None, Some("withdrawn")],
        [Some(BEN), Some("orders"), Some("withdrawn")],
    ];
    assert_eq!(seen, expected);
    let withdrawn =
        all.iter().find(|row| row["number"] == BEN && row["topic"] == "orders").unwrap();
    assert_eq!(withdrawn["granted_at"], app.moment(-24 * 3_600));
    assert_eq!(withdrawn["decided_at"], app.moment(0));
}

#[tokio::test]
async fn filters_choose_rows() {
    let app = business().await;
    let middle = app.moment(-3_600);
    for (query, count) in [
        ("status=granted".to_owned(), 2),
        ("status=withdrawn".to_owned(), 2),
        ("status=pending".to_owned(), 0),
        ("topic=promotions".to_owned(), 2),
        ("source=qr".to_owned(), 1),
        ("source=web_form".to_owned(), 1),
        (format!("from={middle}"), 2),
        (format!("to={middle}"), 2),
        (format!("status=granted&topic=orders&to={middle}"), 1),
    ] {
        assert_eq!(rows(&app, &query).await.len(), count, "{query}");
    }
    for query in ["status=maybe", "format=xml", "from=yesterday", "number=1", "topic=A%20B"] {
        let path = format!("/v1/exports/consents?{query}");
        app.get(&path).problem(400, "query_invalid").await;
    }
}

#[tokio::test]
async fn a_slip_in_a_filter_is_told_and_not_answered_with_other_rows() {
    let app = business().await;
    let problem = app.get("/v1/exports/consents?topic=ordres").problem(422, "topic_unknown").await;
    assert_eq!(problem["errors"][0]["pointer"], "?topic");
    for query in ["consents?status=", "consents?topic=", "consents?from=&to=", "ledger?until="] {
        let problem = app.get(&format!("/v1/exports/{query}")).problem(400, "query_invalid").await;
        let pointer = problem["errors"][0]["pointer"].as_str().unwrap().to_owned();
        assert!(query.contains(&pointer), "{pointer}");
    }
}

#[tokio::test]
async fn an_export_names_the_last_entry_it_knows() {
    let app = business().await;
    let last = app.ask(ANN, "orders").await["as_of"].to_string();
    assert_eq!(export(&app, "").await.header("izin-as-of"), Some(last.as_str()));
    let part = app.get("/v1/exports/ledger?from=2&until=5").send().await;
    assert_eq!(part.header("izin-as-of"), Some("4"));
}

#[tokio::test]
async fn a_csv_has_the_same_rows_and_no_formula() {
    let app = business().await;
    let reply = export(&app, "").await;
    assert_eq!(reply.header("content-type"), Some("text/csv; charset=utf-8"));
    let disposition = reply.header("content-disposition");
    assert_eq!(disposition, Some("attachment; filename=\"consents.csv\""));
    let mut reader = csv::Reader::from_reader(reply.body.as_slice());
    let columns = reader.headers().unwrap().clone();
    let place = |name: &str| columns.iter().position(|column| column == name).unwrap();
    let records: Vec<_> = reader.records().map(Result::unwrap).collect();
    assert_eq!(records.len(), rows(&app, "").await.len());
    for record in &records {
        assert!(record.iter().all(|cell| !cell.starts_with(['=', '+', '-', '@', '\t', '\r'])));
        assert!(record[place("number")].starts_with("1202555"));
    }
    let poster = records.iter().find(|record| &record[place("source_type")] == "qr").unwrap();
    assert!(poster[place("reference")].starts_with("'=HYPERLINK(\"https"));
}

#[tokio::test]
async fn a_csv_has_no_formula_where_a_spreadsheet_splits_at_something_else() {
    let app = TestApp::with_registry().await;
    for (number, reference) in [(ANN, "x;=1+1|cmd"), (BEN, "x\t=1+1")] {
        let body = json!({"number": number, "topics": ["orders"],
            "source": {"type": "web_form", "reference": reference}});
        app.post("/v1/opt-ins").json(&body).expect(201).await;
    }
    let body = export(&app, "").await.body;
    for delimiter in *b",;\t" {
        let mut reader = csv::ReaderBuilder::new();
        let reader = reader.delimiter(delimiter).has_headers(false).flexible(true);
        let records = reader.from_reader(body.as_slice()).into_records();
        let cells: Vec<_> = records
            .flat_map(|record| record.unwrap().iter().map(str::to_owned).collect::<Vec<_>>())
            .collect();
        assert!(cells.len() > 2);
        assert!(cells.iter().all(|cell| !cell.starts_with('=')), "{cells:?}");
    }
    let exact: Vec<_> = rows(&app, "").await.iter().map(|row| row["reference"].clone()).collect();
    assert!(exact.contains(&json!("x;=1+1|cmd")) && exact.contains(&json!("x\t=1+1")));
}

#[tokio::test]
async fn the_ledger_is_exported_entry_by_entry_without_a_gap() {
    let app = business().await;
    let last = app.ask(ANN, "orders").await["as_of"].as_u64().unwrap();
    let whole = app.get("/v1/exports/ledger").send().await;
    assert_eq!(whole.header("izin-as-of"), Some(last.to_string().as_str()));
    let entries: Vec<Value> =
        whole.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let seqs: Vec<_> = entries.iter().filter_map(|entry| entry["seq"].as_u64()).collect();
    assert_eq!(seqs, (0..=last).collect::<Vec<_>>());
    let part = app.get("/v1/exports/ledger?from=2&until=5").send().await;
    assert_eq!(part.text().lines().count(), 3);
}
