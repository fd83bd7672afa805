//! The API document, made from the handlers and their types.

use utoipa::OpenApi;

use crate::http::{
    compat,
    contract::{Calls, Names},
    explain, extras, health, metrics, problem,
    v1::{
        batch, capacity, changes, contacts, decision, duplicates, eligibility, entry_points,
        exports, incidents, jobs, keys, merge, numbers, opt_ins, opt_outs, outstanding, policy,
        preview,
        registry::{portfolios, senders, statements, templates, topics},
        reviews, sends, sends_batch, verifications,
    },
    webhooks::{handshake, log, receive},
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
        topics::list_topics, topics::get_topic, topics::put_topic,
        statements::list_statements, statements::get_statement,
        statements::put_statement,
        templates::list_templates, templates::get_template, templates::put_template,
        senders::list_senders, senders::get_sender, senders::put_sender,
        portfolios::list_portfolios, portfolios::get_portfolio,
        portfolios::put_portfolio,
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
    components(schemas(problem::FieldError, extras::Members, problem::ProblemBody<'static>,
        explain::SuggestionBody, decision::DecisionBody<'static>,
        eligibility::ShortBody<'static>, batch::Totals, jobs::JobRowBody)),
    modifiers(&Calls, &Names),
)]
struct Document;

/// Returns the API document as pretty JSON, the same for every build of the same code.
pub fn document() -> String {
    let document = Document::openapi();
    let mut text = document.to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}
