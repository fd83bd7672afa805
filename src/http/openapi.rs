//! The API document, made from the handlers and their types.

use utoipa::{
    Modify, OpenApi,
    openapi::{
        Content, ObjectBuilder, Ref, Required, Response, ResponseBuilder,
        path::{Parameter, ParameterBuilder, ParameterIn},
        schema,
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};

use crate::{
    domain::access::Scope,
    http::{
        compat,
        door::Access,
        explain, health, metrics, problem,
        routes::TABLE,
        v1::{
            batch, capacity, changes, contacts, decision, duplicates, eligibility, entry_points,
            exports, incidents, jobs, keys, merge, numbers, opt_ins, opt_outs, outstanding, policy,
            preview, registry, reviews, sends, sends_batch, verifications,
        },
        webhooks::{handshake, log, receive},
    },
    limits::IDEMPOTENCY_KEY_BYTES_MAX,
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Izin",
        description = "May this sender send this message to this person now, and if not, why \
            not? Izin keeps the proof that people agreed to be messaged on WhatsApp, and answers \
            before every send. Errors are application/problem+json; see /docs/problems.",
    ),
    paths(
        opt_ins::create, opt_outs::create,
        contacts::get, contacts::history, contacts::report_identity, contacts::confirm_identity,
        contacts::block, contacts::unblock, contacts::traffic,
        merge::merge, duplicates::list,
        eligibility::ask, batch::ask_many,
        capacity::show, policy::get, policy::put, policy::simulate,
        sends_batch::reserve_many, preview::preview,
        sends::reserve, sends::commit, sends::release,
        numbers::explain,
        verifications::create, verifications::budget, outstanding::list, compat::contacts,
        jobs::create, jobs::get, jobs::cancel, jobs::result,
        registry::topics::list_topics, registry::topics::get_topic, registry::topics::put_topic,
        registry::statements::list_statements, registry::statements::get_statement, registry::statements::put_statement,
        registry::templates::list_templates, registry::templates::get_template, registry::templates::put_template,
        registry::senders::list_senders, registry::senders::get_sender, registry::senders::put_sender,
        registry::portfolios::list_portfolios, registry::portfolios::get_portfolio, registry::portfolios::put_portfolio,
        entry_points::list_all, entry_points::get, entry_points::put_one,
        incidents::list,
        keys::list, keys::create, keys::rotate, keys::revoke,
        changes::list, exports::consents, exports::ledger,
        reviews::list, reviews::decide,
        log::list, handshake::answer, receive::receive,
        health::live, health::ready, metrics::show,
    ),
    tags(
        (name = "consent", description = "Record that people agreed, and that they no longer do."),
        (name = "eligibility", description = "Ask who may be written to, and why not."),
        (name = "sends", description = "Ask and take a place in every limit in one step."),
        (name = "contacts", description = "What is known of one person."),
        (name = "numbers", description = "What a written number is."),
        (name = "verification", description = "Whether a number is on WhatsApp, within a budget."),
        (name = "registry", description = "What you send, from where, and on which wording."),
        (name = "policy", description = "The rules beyond consent, and what a change would do."),
        (name = "reviews", description = "What a person must decide."),
        (name = "webhooks", description = "What WhatsApp says."),
        (name = "ledger", description = "What changed, in order."),
        (name = "exports", description = "Everything, to take away."),
        (name = "keys", description = "Who may call what."),
        (name = "health", description = "How the service is."),
    ),
    components(schemas(problem::FieldError, problem::ProblemBody<'static>,
        explain::SuggestionBody, decision::DecisionBody<'static>,
        eligibility::ShortBody<'static>, batch::Totals, jobs::JobRowBody)),
    modifiers(&Keys),
)]
struct Document;

/// Says which key each call needs.
struct Keys;

impl Modify for Keys {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme("key", SecurityScheme::Http(scheme));
        for row in TABLE {
            let Access::Scope(scope) = row.access else { continue };
            let Some(item) = openapi.paths.paths.get_mut(row.path) else { continue };
            let operation = match row.method {
                "GET" => item.get.as_mut(),
                "PUT" => item.put.as_mut(),
                "POST" => item.post.as_mut(),
                "DELETE" => item.delete.as_mut(),
                _ => None,
            };
            let Some(operation) = operation else { continue };
            let no_scopes: [String; 0] = [];
            let needs = SecurityRequirement::new("key", no_scopes);
            operation.security = Some(vec![needs]);
            let about = operation.description.take().unwrap_or_default();
            operation.description = Some(format!("{about}\n\nScope: `{}`.", scope.text()));
            operation.responses.responses.insert("default".to_owned(), problem_response().into());
            // A question asked twice is answered twice; everything else that is sent is done once.
            if matches!(row.method, "POST" | "PUT") && scope != Scope::EligibilityRead {
                operation.parameters.get_or_insert_default().push(idempotency_key().into());
            }
        }
    }
}

/// What every call answers instead of success.
fn problem_response() -> Response {
    let content = Content::new(Some(Ref::from_schema_name("ProblemBody")));
    ResponseBuilder::new()
        .description("A problem; `code` is one of those under /docs/problems")
        .content("application/problem+json", content)
        .build()
}

fn idempotency_key() -> Parameter {
    let text = ObjectBuilder::new()
        .schema_type(schema::Type::String)
        .min_length(Some(1))
        .max_length(Some(IDEMPOTENCY_KEY_BYTES_MAX));
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "Bare or quoted. The same request under the same key is done once, however often it \
             is sent within two days, or what `idempotency.keep_hours` says; a repeat is marked \
             `Idempotent-Replayed: true`",
        ))
        .schema(Some(text))
        .build()
}

/// Returns the API document as pretty JSON, the same for every build of the same code.
pub fn document() -> String {
    let document = Document::openapi();
    let mut text = document.to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}
