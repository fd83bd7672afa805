//! `GET /metrics`: the service's own measurements, as Prometheus reads them.
//!
//! Needs a key, also from this machine: a proxy on it would make every stranger a neighbour. In
//! labels are routes, classes and states, never a number, a key, an address or a contact.
//!
//! Source: Prometheus, "Exposition formats", text format 0.0.4.

use std::fmt::{Display, Write as _};

use actix_web::HttpResponse;

use crate::{
    domain::governor::{Budget, Level},
    effects::polls::Polled,
    http::{
        counters::CLASSES,
        edge::{Ask, Edge},
        problem::Problem,
        routes::{COUNTED, PREFLIGHT, TABLE, UNMATCHED},
        v1::reviews,
        webhooks::log::WebhookOutcome,
    },
    numbers,
    providers::{BreakerState, GraphFailure},
};

/// A page of measurements being written.
#[derive(Debug, Default)]
struct Page(String);

impl Page {
    /// Begins a measurement.
    fn about(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
    }

    /// Writes a measurement of one value.
    fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.about(name, "gauge", help);
        self.line(format_args!("{name} {value}"));
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a text cannot fail.
        if writeln!(self.0, "{line}").is_err() {
            tracing::error!("a line of /metrics was not written");
        }
    }
}

/// Shows the service's own measurements.
#[utoipa::path(get, path = "/metrics", tag = "health",
    responses((status = 200, content_type = "text/plain", body = String)))]
pub(crate) async fn show(ask: Ask) -> Result<HttpResponse, Problem> {
    let mut page = Page::default();
    build(&mut page, &ask.edge);
    ledger(&mut page, &ask.edge);
    lookups(&mut page, &ask.edge);
    polls(&mut page, &ask.edge);
    webhooks(&mut page, &ask.edge);
    requests(&mut page, &ask.edge);
    Ok(HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(page.0))
}

fn build(page: &mut Page, edge: &Edge) {
    page.about("izin_build_info", "gauge", "The program that runs; always 1.");
    page.line(format_args!(
        "izin_build_info{{version=\"{}\",numbering=\"{}\"}} 1",
        env!("CARGO_PKG_VERSION"),
        numbers::metadata_version(),
    ));
    let uptime_ms = edge.clock.monotonic().since(edge.started).as_millis();
    let uptime = format_args!("{}.{:03}", uptime_ms / 1_000, uptime_ms % 1_000).to_string();
    page.gauge("izin_uptime_seconds", "Time since the service started.", uptime);
}

fn ledger(page: &mut Page, edge: &Edge) {
    let (last, contacts, incidents, (reviews, overdue)) = {
        let (state, now) = (edge.views().state(), edge.clock.now());
        let incidents = state.incidents().open_at(now).count();
        (state.last().0, state.contacts().len(), incidents, reviews::count(&state, now))
    };
    let is_read_only = edge.views().is_read_only() || !edge.ledger.is_open();
    page.gauge("izin_ledger_seq", "Position of the last entry of the ledger.", last);
    page.gauge(
        "izin_ledger_read_only",
        "1 when the ledger takes no more entries until the next start.",
        u8::from(is_read_only),
    );
    page.gauge("izin_ledger_queue_room", "Commands that still fit.", edge.ledger.room());
    page.gauge("izin_contacts", "Contacts on record.", contacts);
    page.gauge("izin_reviews_open", "Answers that wait for people to decide.", reviews);
    page.gauge(
        "izin_reviews_overdue",
        "Of those, the ones that may be a STOP and are beyond their deadline.",
        overdue,
    );
    page.gauge("izin_incidents_open", "Senders' incidents that go on, by kind each.", incidents);
    page.gauge(
        "izin_store_lag_entries",
        "Entries the database is behind the ledger.",
        edge.lag.entries(),
    );
    page.gauge(
        "izin_store_failed",
        "1 when the database comes no further until the next start.",
        u8::from(edge.lag.is_failed()),
    );
    page.gauge("izin_body_bytes_held", "Bytes of bodies being read.", edge.bodies.held());
    page.gauge(
        "izin_webhook_bytes_held",
        "Bytes of webhooks being read, which have a budget of their own.",
        edge.webhooks.bytes_held(),
    );
}

fn lookups(page: &mut Page, edge: &Edge) {
    let now = edge.clock.now();
    let budget = edge.views().state().governor().budget(&edge.rules.lookup, now);
    let Budget { used, earned, left, left_for_several: _, level, uncontacted } = budget;
    page.gauge("izin_lookup_budget_left", "Look-ups that may be made now.", left);
    page.gauge("izin_lookup_budget_used", "Look-ups in the window.", used);
    page.gauge("izin_lookup_budget_earned", "Look-ups the window allows.", earned);
    let name = "izin_lookup_budget_level";
    page.about(name, "gauge", "1 for the level at which the look-up budget is.");
    for one in Level::ALL {
        let (word, is_at) = (one.as_str(), u8::from(one == level));
        page.line(format_args!("{name}{{level=\"{word}\"}} {is_at}"));
    }
    let help = "People found on WhatsApp and never written to since.";
    page.gauge("izin_lookup_verified_not_contacted", help, uncontacted);
    let Some(now_in) = edge.lookups.breaker() else { return };
    let name = "izin_provider_breaker_state";
    page.about(name, "gauge", "1 for the state in which the provider's breaker is.");
    let states = [BreakerState::Closed, BreakerState::HalfOpen, BreakerState::Open { until_ms: 0 }];
    for state in states.map(BreakerState::as_str) {
        let is_in = u8::from(state == now_in.as_str());
        page.line(format_args!("{name}{{state=\"{state}\"}} {is_in}"));
    }
}

/// Nothing where WhatsApp is not asked.
fn polls(page: &mut Page, edge: &Edge) {
    let Some(log) = &edge.polls else { return };
    let Polled { answered, failed, last_answer, is_over } = log.polled();
    page.gauge(
        "izin_graph_stopped",
        "1 when WhatsApp refused the token, and is not asked until the next start.",
        u8::from(is_over),
    );
    if let Some(last) = last_answer {
        let age_s = edge.clock.monotonic().since(last).as_secs();
        page.gauge("izin_graph_last_answer_age_seconds", "Time since WhatsApp answered.", age_s);
    }
    let name = "izin_graph_questions_total";
    page.about(name, "counter", "Questions to WhatsApp's Graph API, by what came of them.");
    page.line(format_args!("{name}{{outcome=\"answered\"}} {answered}"));
    for failure in GraphFailure::ALL {
        let count = failed.get(&failure).copied().unwrap_or_default();
        page.line(format_args!("{name}{{outcome=\"{}\"}} {count}", failure.as_str()));
    }
}

fn webhooks(page: &mut Page, edge: &Edge) {
    let totals = edge.webhooks.log().totals();
    let name = "izin_webhooks_total";
    page.about(name, "counter", "Webhooks from WhatsApp, by what became of them.");
    for outcome in WebhookOutcome::ALL {
        let count = totals.webhooks.get(&outcome).copied().unwrap_or_default();
        page.line(format_args!("{name}{{outcome=\"{}\"}} {count}", outcome.name()));
    }
    let name = "izin_webhook_facts_total";
    page.about(name, "counter", "What webhooks said, by kind; unknown is what nobody reads yet.");
    for (kind, count) in &totals.facts {
        page.line(format_args!("{name}{{kind=\"{kind}\"}} {count}"));
    }
    let name = "izin_webhook_unread_total";
    page.about(name, "counter", "Members of webhooks that could not be read.");
    page.line(format_args!("{name} {}", totals.unread));
}

fn requests(page: &mut Page, edge: &Edge) {
    let name = "izin_http_requests_total";
    page.about(name, "counter", "Requests answered, by route and class of status.");
    for place in 0..COUNTED {
        let (method, route) = match TABLE.get(place) {
            Some(row) => (row.method, row.path),
            None if place == PREFLIGHT => ("OPTIONS", "preflight"),
            None => ("any", "unmatched"),
        };
        for (class, total) in CLASSES.iter().zip(edge.requests.total(place)) {
            page.line(format_args!(
                "{name}{{method=\"{method}\",route=\"{route}\",status=\"{class}\"}} {total}"
            ));
        }
    }
}

const _: () = assert!(UNMATCHED < COUNTED && PREFLIGHT < COUNTED);
