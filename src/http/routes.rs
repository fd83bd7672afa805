//! The URL table: one line per method and path, with who may come in. No logic.

use std::{future::ready, rc::Rc};

use actix_web::{
    HttpRequest, HttpResponse, Resource,
    http::{Method, header},
    web::{self, Payload, ServiceConfig},
};

use crate::{
    domain::access::{HeldBy, Scope, ScopeSet},
    http::{
        compat,
        cors::{self, Callable},
        docs,
        door::{self, Access, Handler, Outgoing, Worker},
        health, metrics,
        problem::{METHOD_NOT_ALLOWED, NOT_FOUND, Problem},
        v1::{
            batch, capacity, changes, contacts, duplicates, eligibility, entry_points, exports,
            incidents, jobs, keys, merge, numbers, opt_ins, opt_outs, outstanding, policy, preview,
            registry::{portfolios, senders, statements, templates, topics},
            reviews, sends, sends_batch, verifications,
        },
        webhooks::{handshake, log, receive},
    },
};

/// One line of the table.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The method.
    pub method: &'static str,
    /// The path, as the router and the API document write it.
    pub path: &'static str,
    /// Who may come in.
    pub access: Access,
    /// Whether the handler reads the query; where it does not, there must be none.
    pub(super) has_query: bool,
    pub(super) handler: Handler,
}

macro_rules! table {
    ($($method:literal $path:literal $access:expr => $handler:path $(, $query:ident)?;)+) => {
        /// Every method of every path.
        pub const TABLE: &[Row] = &[$(Row {
            method: $method,
            path: $path,
            access: $access,
            has_query: table!(@has $($query)?),
            handler: |ask| Box::pin($handler(ask)),
        }),+];
    };
    (@has query) => { true };
    (@has) => { false };
}

const fn needs(scope: Scope) -> Access {
    Access::Scope(scope)
}

table! {
    "POST" "/v1/opt-ins" needs(Scope::OptinsWrite) => opt_ins::create;
    "POST" "/v1/opt-outs" needs(Scope::OptoutsWrite) => opt_outs::create;
    "POST" "/v1/contacts/merge" needs(Scope::ContactsWrite) => merge::merge;
    "GET" "/v1/contacts/duplicates" needs(Scope::ContactsRead) => duplicates::list, query;
    "GET" "/v1/contacts/{ref}" needs(Scope::ContactsRead) => contacts::get;
    "GET" "/v1/contacts/{ref}/history" needs(Scope::ContactsRead) => contacts::history, query;
    "PUT" "/v1/contacts/{ref}/identity" needs(Scope::ContactsWrite) => contacts::report_identity;
    "POST" "/v1/contacts/{ref}/identity/confirm" needs(Scope::ContactsWrite) => contacts::confirm_identity;
    "POST" "/v1/contacts/{ref}/block" needs(Scope::ContactsWrite) => contacts::block;
    "POST" "/v1/contacts/{ref}/unblock" needs(Scope::ContactsWrite) => contacts::unblock;
    "POST" "/v1/contacts/{ref}/traffic" needs(Scope::ContactsWrite) => contacts::traffic;
    "GET" "/v1/eligibility" needs(Scope::EligibilityRead) => eligibility::ask, query;
    "POST" "/v1/eligibility" needs(Scope::EligibilityRead) => batch::ask_many;
    "POST" "/v1/eligibility/preview" needs(Scope::EligibilityRead) => preview::preview;
    "POST" "/v1/sends" needs(Scope::SendsWrite) => sends::reserve;
    "POST" "/v1/sends/batch" needs(Scope::SendsWrite) => sends_batch::reserve_many;
    "POST" "/v1/sends/{id}/commit" needs(Scope::SendsWrite) => sends::commit;
    "POST" "/v1/sends/{id}/release" needs(Scope::SendsWrite) => sends::release;
    "GET" "/v1/numbers" needs(Scope::NumbersRead) => numbers::explain, query;
    "POST" "/v1/verifications" needs(Scope::VerificationsWrite) => verifications::create;
    "GET" "/v1/verifications/budget" needs(Scope::VerificationsRead) => verifications::budget;
    "GET" "/v1/verifications/outstanding" needs(Scope::VerificationsRead) => outstanding::list, query;
    "POST" "/v1/verifications/bulk" needs(Scope::VerificationsWrite) => jobs::create;
    "GET" "/v1/jobs/{id}" needs(Scope::VerificationsRead) => jobs::get;
    "DELETE" "/v1/jobs/{id}" needs(Scope::VerificationsWrite) => jobs::cancel;
    "GET" "/v1/jobs/{id}/result" needs(Scope::VerificationsRead) => jobs::result;
    "POST" "/compat/v1/contacts" needs(Scope::VerificationsWrite) => compat::contacts;
    "GET" "/v1/topics" needs(Scope::RegistryRead) => topics::list_topics, query;
    "GET" "/v1/topics/{id}" needs(Scope::RegistryRead) => topics::get_topic;
    "PUT" "/v1/topics/{id}" needs(Scope::RegistryWrite) => topics::put_topic;
    "GET" "/v1/statements" needs(Scope::RegistryRead) => statements::list_statements, query;
    "GET" "/v1/statements/{id}" needs(Scope::RegistryRead) => statements::get_statement;
    "PUT" "/v1/statements/{id}" needs(Scope::RegistryWrite) => statements::put_statement;
    "GET" "/v1/templates" needs(Scope::RegistryRead) => templates::list_templates, query;
    "GET" "/v1/templates/{name}/{language}" needs(Scope::RegistryRead) => templates::get_template;
    "PUT" "/v1/templates/{name}/{language}" needs(Scope::RegistryWrite) => templates::put_template;
    "GET" "/v1/senders" needs(Scope::RegistryRead) => senders::list_senders, query;
    "GET" "/v1/senders/{id}" needs(Scope::RegistryRead) => senders::get_sender;
    "PUT" "/v1/senders/{id}" needs(Scope::RegistryWrite) => senders::put_sender;
    "GET" "/v1/portfolios" needs(Scope::RegistryRead) => portfolios::list_portfolios, query;
    "GET" "/v1/portfolios/{id}" needs(Scope::RegistryRead) => portfolios::get_portfolio;
    "PUT" "/v1/portfolios/{id}" needs(Scope::RegistryWrite) => portfolios::put_portfolio;
    "GET" "/v1/portfolios/{id}/capacity" needs(Scope::RegistryRead) => capacity::show;
    "GET" "/v1/policy" needs(Scope::RegistryRead) => policy::get;
    "PUT" "/v1/policy" needs(Scope::RegistryWrite) => policy::put;
    "POST" "/v1/policy/simulate" needs(Scope::RegistryRead) => policy::simulate;
    "GET" "/v1/entry-points" needs(Scope::RegistryRead) => entry_points::list_all, query;
    "GET" "/v1/entry-points/{slug}" needs(Scope::RegistryRead) => entry_points::get;
    "PUT" "/v1/entry-points/{slug}" needs(Scope::RegistryWrite) => entry_points::put_one;
    "GET" "/v1/incidents" needs(Scope::RegistryRead) => incidents::list;
    "GET" "/v1/keys" needs(Scope::KeysManage) => keys::list, query;
    "POST" "/v1/keys" needs(Scope::KeysManage) => keys::create;
    "POST" "/v1/keys/{id}/rotate" needs(Scope::KeysManage) => keys::rotate;
    "DELETE" "/v1/keys/{id}" needs(Scope::KeysManage) => keys::revoke;
    "GET" "/v1/changes" needs(Scope::LedgerRead) => changes::list, query;
    "GET" "/v1/exports/consents" needs(Scope::ExportsRead) => exports::consents, query;
    "GET" "/v1/exports/ledger" needs(Scope::ExportsRead) => exports::ledger, query;
    "GET" "/v1/reviews" needs(Scope::ReviewsRead) => reviews::list, query;
    "POST" "/v1/reviews/{id}" needs(Scope::ReviewsWrite) => reviews::decide;
    "GET" "/v1/webhooks/log" needs(Scope::WebhooksRead) => log::list, query;
    "GET" "/webhooks/whatsapp" Access::Signed => handshake::answer, query;
    "POST" "/webhooks/whatsapp" Access::Signed => receive::receive;
    "GET" "/livez" Access::Open => health::live;
    "GET" "/readyz" Access::Open => health::ready;
    "GET" "/metrics" needs(Scope::MetricsRead) => metrics::show;
    "GET" "/openapi.json" Access::Open => docs::openapi;
    "GET" "/" Access::Open => docs::home;
    "GET" "/docs" Access::Open => docs::page;
    "GET" "/docs/problems" Access::Open => docs::problems;
    "GET" "/docs/{file}" Access::Open => docs::asset;
}

/// Where answers to requests without a row are counted, after the rows of the table.
pub const UNMATCHED: usize = TABLE.len();

/// Where answers to browsers' preflights are counted.
pub const PREFLIGHT: usize = TABLE.len() + 1;

/// Places in which answers are counted.
pub const COUNTED: usize = TABLE.len() + 2;

/// Mounts the table for one worker.
pub fn configure(app: &mut ServiceConfig, worker: &Rc<Worker>) {
    let mut paths: Vec<&'static str> = Vec::new();
    for row in TABLE {
        if !paths.contains(&row.path) {
            paths.push(row.path);
        }
    }
    // The server tries paths in this order, and those with a variable part by a regular
    // expression each, which together cost a fifth of an eligibility question.
    paths.sort_by_key(|path| path.contains('{'));
    for path in paths {
        app.service(resource(path, worker));
    }
    let worker = Rc::clone(worker);
    app.default_service(web::to(move |req: HttpRequest| {
        let problem = Problem::new(NOT_FOUND, "there is nothing at this address");
        ready(refuse(&req, &problem, &worker))
    }));
}

/// Mounts the rows of one path.
fn resource(path: &'static str, worker: &Rc<Worker>) -> Resource {
    let mut resource = web::resource(path);
    let mut methods = Vec::new();
    let mut callable = (Vec::new(), ScopeSet::EMPTY);
    for (place, row) in TABLE.iter().enumerate().filter(|(_, row)| row.path == path) {
        // Source: RFC 9110, 9.3.2: what can be got can be asked about.
        let taken = if row.method == "GET" { &["GET", "HEAD"][..] } else { &[row.method] };
        for method in taken {
            let Ok(parsed) = Method::from_bytes(method.as_bytes()) else { continue };
            let worker = Rc::clone(worker);
            let enter = move |req: HttpRequest, payload: Payload| {
                door::enter(req, payload, Rc::clone(&worker), place, row)
            };
            resource = resource.route(web::method(parsed).to(enter));
            methods.push(*method);
        }
        if let Access::Scope(scope) = row.access
            && scope.held_by() == HeldBy::AnyKey
        {
            callable.0.push(row.method);
            callable.1 = callable.1.with(scope);
        }
    }
    let (callable, scopes) = callable;
    if !callable.is_empty() {
        let (worker, open_to_pages) = (Rc::clone(worker), callable.join(", "));
        let allowed = methods.join(", ");
        let preflight = move |req: HttpRequest| {
            let callable = Callable { methods: &open_to_pages, scopes };
            ready(preflight(&req, &worker, callable, &allowed))
        };
        resource = resource.route(web::method(Method::OPTIONS).to(preflight));
    }
    let (worker, allowed) = (Rc::clone(worker), methods.join(", "));
    resource.default_service(web::to(move |req: HttpRequest| {
        ready(refuse_method(&req, &allowed, &worker))
    }))
}

fn preflight(
    req: &HttpRequest,
    worker: &Worker,
    callable: Callable<'_>,
    allowed: &str,
) -> HttpResponse {
    let outgoing = Outgoing::of(req, &worker.request_ids);
    let mut response = match cors::preflight(req, &worker.edge, callable) {
        Ok(response) => outgoing.finish(response),
        Err(problem) => {
            let is_method = problem.code() == METHOD_NOT_ALLOWED;
            let mut response = outgoing.refuse(&problem);
            if is_method {
                name_allowed(&mut response, allowed);
            }
            response
        }
    };
    cors::vary(response.headers_mut());
    worker.counters.count(PREFLIGHT, response.status());
    response
}

fn refuse_method(req: &HttpRequest, allowed: &str, worker: &Worker) -> HttpResponse {
    let problem = Problem::new(METHOD_NOT_ALLOWED, format!("this address takes {allowed}"));
    let mut response = refuse(req, &problem, worker);
    name_allowed(&mut response, allowed);
    response
}

/// Source: RFC 9110, 15.5.6: a 405 lists what the address takes.
fn name_allowed(response: &mut HttpResponse, allowed: &str) {
    if let Ok(value) = header::HeaderValue::from_str(allowed) {
        response.headers_mut().insert(header::ALLOW, value);
    }
}

fn refuse(req: &HttpRequest, problem: &Problem, worker: &Worker) -> HttpResponse {
    let response = Outgoing::of(req, &worker.request_ids).refuse(problem);
    worker.counters.count(UNMATCHED, response.status());
    response
}
