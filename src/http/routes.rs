//! The URL table: one line per method and path, with who may come in. No logic.

use std::sync::Arc;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{Method, header},
    web::{self, Payload, ServiceConfig},
};

use crate::{
    domain::access::Scope,
    http::{
        docs,
        door::{self, Access, Handler},
        edge::Edge,
        health,
        problem::{METHOD_NOT_ALLOWED, NOT_FOUND, Problem},
        v1::{
            batch, contacts, eligibility, exports, keys, opt_ins, opt_outs, registry, sends,
            verifications,
        },
    },
    runtime::ids::RequestIds,
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
    handler: Handler,
}

macro_rules! table {
    ($($method:literal $path:literal $access:expr => $handler:path;)+) => {
        /// Every method of every path.
        pub const TABLE: &[Row] = &[$(Row {
            method: $method,
            path: $path,
            access: $access,
            handler: |ask| Box::pin($handler(ask)),
        }),+];
    };
}

const fn needs(scope: Scope) -> Access {
    Access::Scope(scope)
}

table! {
    "POST" "/v1/opt-ins" needs(Scope::OptinsWrite) => opt_ins::create;
    "POST" "/v1/opt-outs" needs(Scope::OptoutsWrite) => opt_outs::create;
    "GET" "/v1/contacts/{ref}" needs(Scope::ContactsRead) => contacts::get;
    "GET" "/v1/contacts/{ref}/history" needs(Scope::ContactsRead) => contacts::history;
    "PUT" "/v1/contacts/{ref}/identity" needs(Scope::ContactsWrite) => contacts::report_identity;
    "POST" "/v1/contacts/{ref}/identity/confirm" needs(Scope::ContactsWrite) => contacts::confirm_identity;
    "POST" "/v1/contacts/{ref}/block" needs(Scope::ContactsWrite) => contacts::block;
    "POST" "/v1/contacts/{ref}/unblock" needs(Scope::ContactsWrite) => contacts::unblock;
    "POST" "/v1/contacts/{ref}/traffic" needs(Scope::ContactsWrite) => contacts::traffic;
    "GET" "/v1/eligibility" needs(Scope::EligibilityRead) => eligibility::ask;
    "POST" "/v1/eligibility" needs(Scope::EligibilityRead) => batch::ask_many;
    "POST" "/v1/sends" needs(Scope::SendsWrite) => sends::reserve;
    "POST" "/v1/sends/{id}/commit" needs(Scope::SendsWrite) => sends::commit;
    "POST" "/v1/sends/{id}/release" needs(Scope::SendsWrite) => sends::release;
    "POST" "/v1/verifications" needs(Scope::VerificationsWrite) => verifications::create;
    "GET" "/v1/verifications/budget" needs(Scope::VerificationsRead) => verifications::budget;
    "GET" "/v1/topics" needs(Scope::RegistryRead) => registry::list_topics;
    "GET" "/v1/topics/{id}" needs(Scope::RegistryRead) => registry::get_topic;
    "PUT" "/v1/topics/{id}" needs(Scope::RegistryWrite) => registry::put_topic;
    "GET" "/v1/statements" needs(Scope::RegistryRead) => registry::list_statements;
    "GET" "/v1/statements/{id}" needs(Scope::RegistryRead) => registry::get_statement;
    "PUT" "/v1/statements/{id}" needs(Scope::RegistryWrite) => registry::put_statement;
    "GET" "/v1/templates" needs(Scope::RegistryRead) => registry::list_templates;
    "GET" "/v1/templates/{name}/{language}" needs(Scope::RegistryRead) => registry::get_template;
    "PUT" "/v1/templates/{name}/{language}" needs(Scope::RegistryWrite) => registry::put_template;
    "GET" "/v1/senders" needs(Scope::RegistryRead) => registry::list_senders;
    "GET" "/v1/senders/{id}" needs(Scope::RegistryRead) => registry::get_sender;
    "PUT" "/v1/senders/{id}" needs(Scope::RegistryWrite) => registry::put_sender;
    "GET" "/v1/portfolios" needs(Scope::RegistryRead) => registry::list_portfolios;
    "GET" "/v1/portfolios/{id}" needs(Scope::RegistryRead) => registry::get_portfolio;
    "PUT" "/v1/portfolios/{id}" needs(Scope::RegistryWrite) => registry::put_portfolio;
    "GET" "/v1/keys" needs(Scope::KeysManage) => keys::list;
    "POST" "/v1/keys" needs(Scope::KeysManage) => keys::create;
    "POST" "/v1/keys/{id}/rotate" needs(Scope::KeysManage) => keys::rotate;
    "DELETE" "/v1/keys/{id}" needs(Scope::KeysManage) => keys::revoke;
    "GET" "/v1/exports/consents" needs(Scope::ExportsRead) => exports::consents;
    "GET" "/v1/exports/ledger" needs(Scope::ExportsRead) => exports::ledger;
    "GET" "/livez" Access::Open => health::live;
    "GET" "/readyz" Access::Open => health::ready;
    "GET" "/openapi.json" Access::Open => docs::openapi;
    "GET" "/docs" Access::Open => docs::page;
    "GET" "/docs/problems" Access::Open => docs::problems;
    "GET" "/docs/{file}" Access::Open => docs::asset;
}

/// Mounts the table.
pub fn configure(app: &mut ServiceConfig, edge: &Arc<Edge>, request_ids: &Arc<RequestIds>) {
    let mut paths: Vec<&'static str> = Vec::new();
    for row in TABLE {
        if !paths.contains(&row.path) {
            paths.push(row.path);
        }
    }
    for path in paths {
        let rows: Vec<_> = TABLE.iter().filter(|row| row.path == path).collect();
        let mut resource = web::resource(path);
        let allowed = rows.iter().map(|row| row.method).collect::<Vec<_>>().join(", ");
        for row in rows {
            let Ok(method) = Method::from_bytes(row.method.as_bytes()) else { continue };
            let (edge, ids) = (Arc::clone(edge), Arc::clone(request_ids));
            let (access, handler) = (row.access, row.handler);
            let enter = move |req: HttpRequest, payload: Payload| {
                door::enter(req, payload, Arc::clone(&edge), Arc::clone(&ids), access, handler)
            };
            resource = resource.route(web::method(method).to(enter));
        }
        let ids = Arc::clone(request_ids);
        resource = resource.default_service(web::to(move || {
            let detail = format!("this address takes {allowed}");
            let problem = Problem::new(METHOD_NOT_ALLOWED, detail);
            let mut response = refuse(&problem, &ids);
            if let Ok(value) = header::HeaderValue::from_str(&allowed) {
                response.headers_mut().insert(header::ALLOW, value);
            }
            std::future::ready(response)
        }));
        app.service(resource);
    }
    let ids = Arc::clone(request_ids);
    app.default_service(web::to(move || {
        let problem = Problem::new(NOT_FOUND, "there is nothing at this address");
        std::future::ready(refuse(&problem, &ids))
    }));
}

fn refuse(problem: &Problem, request_ids: &RequestIds) -> HttpResponse {
    let id = request_ids.next();
    let mut response = problem.response(id.as_str());
    door::finish(&mut response, id.as_str(), None);
    response
}
