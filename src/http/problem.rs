//! The only file that knows both our errors and HTTP status codes.
//!
//! Every problem has a stable code from one table. `api/problems.md` is made from the same table.

use std::borrow::Cow;

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    domain::{
        eligibility::QuestionError,
        refusal::{MergeSide, Refusal},
    },
    http::{
        explain::Unread,
        extras::Members,
        quota::{self, Quota},
    },
    ledger::handle::SubmitError,
    runtime::blocking::BlockingError,
};

/// One kind of problem: a row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// Stable name, and the anchor in `api/problems.md`.
    pub name: &'static str,
    /// HTTP status.
    pub status: u16,
    /// For people; the same for every occurrence.
    pub title: &'static str,
    /// Whether the same request can succeed later.
    pub retryable: bool,
    /// What it means and what to do.
    pub help: &'static str,
}

macro_rules! codes {
    ($($name:ident, $text:literal, $status:literal, $title:literal, $retryable:literal, $help:literal;)+) => {
        $(
            #[doc = $title]
            pub const $name: Code = Code {
                name: $text, status: $status, title: $title, retryable: $retryable, help: $help,
            };
        )+

        /// Every problem there is, in the order of their status and name.
        pub const CODES: &[Code] = &[$($name),+];
    };
}

codes! {
    BODY_MALFORMED, "body_malformed", 400, "The body is not the JSON it should be", false,
        "The body is not JSON, is not UTF-8 or is nested deeper than 32 levels. `errors` says where.";
    QUERY_INVALID, "query_invalid", 400, "The query does not fit the call", false,
        "A parameter is missing, unknown, given twice or malformed. `errors` names it.";
    CURSOR_INVALID, "cursor_invalid", 400, "The cursor belongs to another list", false,
        "Start again without `cursor`, with the filters you want. An `after` that the ledger does not reach means that it is another ledger, or was cut: make your copy anew.";
    KEY_MISSING, "key_missing", 401, "No API key was given", false,
        "Send `Authorization: Bearer <key>`.";
    KEY_INVALID, "key_invalid", 401, "The API key does not work", false,
        "The key is unknown, mistyped, expired or revoked.";
    SIGNATURE_INVALID, "signature_invalid", 401, "The webhook is not signed by WhatsApp", false,
        "`X-Hub-Signature-256` is missing, or none of the app secrets in the settings gives this signature of these bytes. Nothing of the body was read. Check `whatsapp.app_secret`.";
    HANDSHAKE_REFUSED, "handshake_refused", 403, "The verify token is another one", false,
        "`hub.mode` must be `subscribe` and `hub.verify_token` the token in `whatsapp.verify_token`.";
    SCOPE_MISSING, "scope_missing", 403, "The API key may not do this", false,
        "`scope` names what the key would need.";
    ORIGIN_REFUSED, "origin_refused", 403, "The key does not work from this origin", false,
        "A publishable key works only from the origins it was made for. A preflight request is answered for origins that some publishable key with the call's scope lists.";
    NOT_FOUND, "not_found", 404, "There is nothing at this address", false,
        "Check the path; `/docs` lists all of them.";
    CONTACT_UNKNOWN, "contact_unknown", 404, "The contact is not known", false,
        "Nothing was ever recorded about this person. An eligibility question about them answers `never_asked`.";
    THING_UNKNOWN, "thing_unknown", 404, "Nothing was put under this id", false,
        "Put it first, or correct the id.";
    TICKET_UNKNOWN, "ticket_unknown", 404, "The ticket is not known", false,
        "The id is wrong, or the ticket was closed more than a week ago.";
    REVIEW_UNKNOWN, "review_unknown", 404, "There is no such open review", false,
        "The id is wrong, or the review was decided already.";
    KEY_UNKNOWN, "key_unknown", 404, "There is no such API key", false,
        "Check the id with `GET /v1/keys`.";
    JOB_UNKNOWN, "job_unknown", 404, "There is no such job", false,
        "The id is wrong, or the job ended long ago: of those that ended, the last 32 are remembered.";
    METHOD_NOT_ALLOWED, "method_not_allowed", 405, "The address does not take this method", false,
        "`Allow` lists the methods it takes.";
    REQUEST_TIMEOUT, "request_timeout", 408, "The request took too long to arrive", true,
        "Send the whole request within the deadline.";
    SEND_REFUSED, "send_refused", 409, "The message may not be sent", false,
        "`reasons` says why, and what would change it. `Retry-After` is there when waiting is enough.";
    IDENTITY_HASH_MISMATCH, "identity_hash_mismatch", 409, "The hash is not the latest one", false,
        "Only the identity hash that was last observed can be confirmed. Read the contact again.";
    TICKET_VOIDED, "ticket_voided", 409, "The ticket was taken back", false,
        "The person withdrew, was blocked, or may be someone else now, or the sender was stopped. Do not send. A commit is noted all the same: the message counts, and its statuses are found. Release the ticket if nothing was sent; until then it counts as if something had been.";
    TICKET_RELEASED, "ticket_released", 409, "The ticket was given back", false,
        "Reserve another one before you send. A commit is noted all the same: the message counts, and its statuses are found.";
    TICKET_COMMITTED, "ticket_committed", 409, "The ticket was used", false,
        "One ticket is one message. Reserve another one.";
    TICKET_EXPIRED, "ticket_expired", 409, "The ticket ran out", false,
        "It was reserved by an earlier request with this `Idempotency-Key` and is good no longer. Do not send: much may have changed since. Reserve another one with another key. A commit is taken all the same, of a message that went out in time. Release the ticket if nothing was sent; until then it counts as if something had been.";
    TICKETS_OPEN, "tickets_open", 409, "Too many tickets are open for this contact", true,
        "A sender reserves at most 64 messages to one contact at a time. Commit or release some, or wait as long as `Retry-After` says: tickets run out.";
    SENDER_BUSY, "sender_busy", 429, "The sender cannot send so much before the ticket runs out", true,
        "Tickets are spaced so that the sender keeps to its throughput, and so many are waiting that this one would run out before its turn. Wait as long as `Retry-After` says, or ask for a longer `ttl_s`.";
    JOB_RUNNING, "job_running", 409, "The job goes on", true,
        "Its result is there when it has ended. `GET /v1/jobs/{id}` says how far it is; `DELETE` ends it.";
    IDENTIFIERS_CONFLICT, "identifiers_conflict", 409, "The identifiers belong to two contacts", false,
        "The number and the user id are known as two people. Send one of them, or merge the two contacts if they are one person. Two contacts that each have a user id cannot be merged: two ids are two WhatsApp accounts. An opt-out that names both is never refused: it is recorded for each.";
    MERGE_INTO_ITSELF, "merge_into_itself", 409, "A contact cannot be merged into itself", false,
        "`from` and `into` name the same contact. Nothing has to be done.";
    ENTRY_CODE_TAKEN, "entry_code_taken", 409, "The code is another entry point's", false,
        "A code leads to one entry point. Choose another, or leave it out and one is made.";
    KEY_REVOKED, "key_revoked", 409, "The API key was revoked", false,
        "A revoked key stays revoked. Make another one.";
    KEY_LAST, "key_last", 409, "The API key is the last that may make others", false,
        "Make another key with `keys:manage` first, or set `IZIN_ADMIN_KEY`.";
    BODY_TOO_LARGE, "body_too_large", 413, "The body is too large", false,
        "`limit` is the largest body in bytes. Split the request, or stream NDJSON where the call takes it.";
    CONTENT_TYPE, "content_type", 415, "The body has another content type", false,
        "Send `application/json`, in UTF-8 and not compressed, also where the body may be left out; `POST /v1/eligibility`, its preview and `POST /v1/verifications/bulk` also take `application/x-ndjson`.";
    BODY_INVALID, "body_invalid", 422, "The body does not fit the call", false,
        "`errors` points at each member that is missing, unknown, named twice, of the wrong type or out of bounds.";
    NUMBER_INVALID, "number_invalid", 422, "The text is not a phone number", false,
        "`errors` says why: no number in it, too short, too long, or an unknown calling code. `error` is the reason as libphonenumber names it. `suggestion` (`e164`, `assumption`) is there when another number was probably meant; it is never taken by itself: ask the person.";
    NUMBER_AMBIGUOUS, "number_ambiguous", 422, "The number needs a region", false,
        "The number has no `+`. Name the `region` it was written in, or write it internationally. `valid_in` lists up to 12 regions in which the text would be a valid number: first those where it is a mobile, and among them the regions with the most people first. `suggestion` (`e164`, `assumption`) is there when the digits are an international number as they stand. Neither is ever taken by itself: ask the person. A default region for all calls is the setting `numbers.default_region`.";
    TOPIC_UNKNOWN, "topic_unknown", 422, "The topic is not known", false,
        "Put the topic first, or correct its id.";
    STATEMENT_UNKNOWN, "statement_unknown", 422, "The statement is not known", false,
        "Put the statement first, or correct its id.";
    STATEMENT_MISMATCH, "statement_mismatch", 422, "The statement proves something else", false,
        "The statement does not name a topic of the opt-in, or has no text in the language. `errors` points at it. Correct the opt-in, or put the statement that was shown.";
    SENDER_UNKNOWN, "sender_unknown", 422, "The sender is not known", false,
        "Put the sender first, or correct its id.";
    PORTFOLIO_UNKNOWN, "portfolio_unknown", 422, "The portfolio is not known", false,
        "Put the portfolio first, or correct its id.";
    CAPTURED_IN_FUTURE, "captured_in_future", 422, "The moment lies in the future", false,
        "A person cannot have acted later than now. Up to 5 minutes of clock difference are accepted.";
    MOMENT_UNKNOWN, "moment_unknown", 422, "The ledger does not know this moment", false,
        "`at` lies in the future, or before the ledger began. Leave it out to ask about now.";
    QUESTION_INCOMPLETE, "question_incomplete", 422, "The question is not complete", false,
        "A template message needs a template or a topic; a session message needs a sender; a template in several languages needs one of them.";
    IDEMPOTENCY_KEY_REUSED, "idempotency_key_reused", 422, "The idempotency key was used for another request", false,
        "A new request needs a new key. Nothing was done.";
    IDEMPOTENCY_KEY_INVALID, "idempotency_key_invalid", 400, "The idempotency key is malformed", false,
        "1 to 255 visible ASCII characters, bare or as a quoted string.";
    REGISTRY_FULL, "registry_full", 422, "No more of these fit", false,
        "The ledger holds at most 65,535 topics, as many senders, and about 4 billion contacts.";
    LOOKUP_BUDGET_SPENT, "lookup_budget_spent", 429, "The look-up budget is spent", true,
        "Look-ups may not exceed messages to the people looked up, and a small starting allowance, in the moving window. A request for several numbers also leaves what lies above `red_percent` to single look-ups (`budget.left_for_several`). Nothing was looked up. `Retry-After` is there when waiting is enough.";
    JOBS_OPEN, "jobs_open", 429, "As many jobs go on as may", true,
        "Up to 4 jobs are under way or waiting at once. Nothing was taken. Wait for one to end, or end one.";
    TOO_MANY_GUESSES, "too_many_guesses", 429, "Too many wrong API keys", true,
        "Wait as long as `Retry-After` says.";
    RATE_LIMITED, "rate_limited", 429, "Too many calls with this key", true,
        "A publishable key may be used so often a minute, in all and from one network of callers. `violated-policies` says which of the two is used up (`network`, `key`), `RateLimit` what is left. Nothing was done. Wait as long as `Retry-After` says.";
    INTERNAL, "internal", 500, "Something went wrong on our side", true,
        "The failure is logged under `request_id`. Whether the request had an effect is unknown: repeat it with the same idempotency key.";
    LEDGER_BUSY, "ledger_busy", 503, "Too many requests are waiting", true,
        "Nothing was recorded. Try again after `Retry-After`.";
    LEDGER_READ_ONLY, "ledger_read_only", 503, "The ledger takes no entries", true,
        "Storage failed. `outcome` is `not_recorded`, or `unknown` if it failed under this very request: repeat it with the same idempotency key after the restart.";
    VIEW_BEHIND, "view_behind", 503, "The answer is not ready yet", true,
        "Reading is catching up with writing. Try again after `Retry-After`.";
    WEBHOOKS_OFF, "webhooks_off", 503, "Webhooks are switched off", true,
        "The settings have no `whatsapp.app_secret` (for webhooks) or no `whatsapp.verify_token` (for the handshake). Set it and start again; WhatsApp repeats what it could not deliver for up to 7 days.";
    OVERLOADED, "overloaded", 503, "Too much is under way", true,
        "Try again after `Retry-After`.";
}

/// Something wrong with one member or parameter.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct FieldError {
    /// JSON pointer to a member of the body, or `?name` for a parameter of the query.
    pub pointer: Cow<'static, str>,
    /// What is wrong with it.
    pub detail: Cow<'static, str>,
}

/// Everything a handler can answer with instead of success. One pointer wide, because every
/// answer is either this or a success.
#[derive(Debug)]
pub struct Problem(Box<Details>);

#[derive(Debug)]
struct Details {
    code: Code,
    detail: Cow<'static, str>,
    errors: Vec<FieldError>,
    extra: Map<String, Value>,
    retry_after_s: Option<u64>,
    unread: Option<Unread>,
    quota: Option<Quota>,
    cause: Option<String>,
}

/// RFC 9457 problem details, with our members.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ProblemBody<'a> {
    /// Where the problem is explained.
    r#type: String,
    /// The same for every occurrence.
    title: &'a str,
    /// HTTP status.
    status: u16,
    /// About this occurrence.
    detail: &'a str,
    /// Stable name: what programs branch on.
    code: &'a str,
    /// Names the request in the log.
    request_id: &'a str,
    /// Whether the same request can succeed later.
    retryable: bool,
    /// What is wrong with which member.
    #[serde(skip_serializing_if = "<[FieldError]>::is_empty")]
    errors: &'a [FieldError],
    /// More, depending on the code.
    #[serde(flatten)]
    #[schema(value_type = Members)]
    extra: &'a Map<String, Value>,
}

impl Problem {
    /// A problem of this kind.
    pub fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Details {
            code,
            detail: detail.into(),
            errors: Vec::new(),
            extra: Map::new(),
            retry_after_s: None,
            unread: None,
            quota: None,
            cause: None,
        }))
    }

    /// A problem with one member of the body or one parameter of the query.
    pub fn at(
        code: Code,
        pointer: impl Into<Cow<'static, str>>,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        let detail = detail.into();
        let error = FieldError { pointer: pointer.into(), detail: detail.clone() };
        let mut problem = Self::new(code, detail);
        problem.0.errors.push(error);
        problem
    }

    /// Points at another member, for a text that was read where nobody knew its place.
    #[must_use]
    pub fn pointing_at(mut self, pointer: &'static str) -> Self {
        for error in &mut self.0.errors {
            error.pointer = Cow::Borrowed(pointer);
        }
        self
    }

    /// A problem with a question whose members are written with `mark` before their name: `/` in
    /// a body, `?` in a query.
    pub fn question(error: QuestionError, mark: char) -> Self {
        let (code, member) = match error {
            QuestionError::TopicMissing => (QUESTION_INCOMPLETE, "template"),
            QuestionError::SenderMissing => (QUESTION_INCOMPLETE, "sender"),
            QuestionError::LanguageMissing => (QUESTION_INCOMPLETE, "language"),
            QuestionError::TopicUnknown => (TOPIC_UNKNOWN, "topic"),
            QuestionError::TopicContradicts => (BODY_INVALID, "topic"),
            QuestionError::TemplateInSession => (BODY_INVALID, "template"),
        };
        Self::at(code, format!("{mark}{member}"), error.to_string())
    }

    /// Returns what happened this time.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// Returns what is wrong with which member.
    pub fn errors(&self) -> &[FieldError] {
        &self.0.errors
    }

    /// Adds a member.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.extra.insert(name.to_owned(), value.into());
        self
    }

    /// Keeps the text it is about, which is explained before the problem is told.
    #[must_use]
    pub fn about(mut self, unread: Unread) -> Self {
        self.0.unread = Some(unread);
        self
    }

    /// Takes the text it is about, if there is one to be explained.
    pub fn take_unread(&mut self) -> Option<Unread> {
        self.0.unread.take()
    }

    /// Says when to try again.
    #[must_use]
    pub fn retry_after_s(mut self, seconds: u64) -> Self {
        self.0.retry_after_s = Some(seconds);
        self
    }

    /// Says which quota is spent.
    #[must_use]
    pub fn limited_by(mut self, quota: Quota) -> Self {
        self.0.quota = Some(quota);
        self
    }

    /// Keeps what happened inside for the log. It is never shown.
    #[must_use]
    pub fn caused_by(mut self, cause: String) -> Self {
        self.0.cause = Some(cause);
        self
    }

    /// Returns it as part of an answer about several things.
    pub fn value(&self) -> Value {
        let Details { code, detail, errors, extra, retry_after_s, .. } = &*self.0;
        let mut members = extra.clone();
        members.insert("code".into(), code.name.into());
        members.insert("title".into(), code.title.into());
        members.insert("detail".into(), (**detail).into());
        members.insert("retryable".into(), code.retryable.into());
        if let Some(seconds) = retry_after_s {
            members.insert("retry_after_s".into(), (*seconds).into());
        }
        if !errors.is_empty() {
            members.insert("errors".into(), serde_json::to_value(errors).unwrap_or_default());
        }
        Value::Object(members)
    }

    /// Returns the kind.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// Builds the response.
    pub fn response(&self, request_id: &str) -> HttpResponse {
        let Details { code, detail, errors, extra, retry_after_s, unread: _, quota, cause } =
            &*self.0;
        let status = StatusCode::from_u16(code.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if let Some(cause) = cause {
            tracing::error!(
                code = code.name,
                request.id = request_id,
                cause,
                "a request met a failure of ours: {cause}"
            );
        } else if status.is_server_error() {
            tracing::warn!(code = code.name, request.id = request_id, %detail, "request failed");
        }
        let mut response = HttpResponse::build(status);
        if let Some(seconds) = retry_after_s {
            response.insert_header((header::RETRY_AFTER, seconds.to_string()));
        }
        if status == StatusCode::UNAUTHORIZED {
            response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
        }
        let mut response = response
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .content_type("application/problem+json")
            .json(ProblemBody {
                r#type: format!("/docs/problems#{}", code.name),
                title: code.title,
                status: code.status,
                detail,
                code: code.name,
                request_id,
                retryable: code.retryable,
                errors,
                extra,
            });
        if let Some(quota) = quota {
            quota::show(&[*quota], response.headers_mut());
        }
        response
    }
}

impl From<SubmitError> for Problem {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Refused(refusal) => Self::from(*refusal),
            SubmitError::Busy => {
                Self::new(LEDGER_BUSY, "too many requests are waiting").retry_after_s(1)
            }
            SubmitError::ReadOnly => Self::new(LEDGER_READ_ONLY, "storage failed earlier")
                .with("outcome", "not_recorded")
                .retry_after_s(30),
            SubmitError::Unknown => {
                Self::new(LEDGER_READ_ONLY, "storage failed while this was being recorded")
                    .with("outcome", "unknown")
                    .retry_after_s(30)
            }
            SubmitError::Closed => Self::new(LEDGER_READ_ONLY, "the service is stopping")
                .with("outcome", "not_recorded")
                .retry_after_s(5),
        }
    }
}

impl From<BlockingError> for Problem {
    fn from(error: BlockingError) -> Self {
        match error {
            BlockingError::Busy => {
                Self::new(OVERLOADED, "too many reads are under way").retry_after_s(1)
            }
            BlockingError::TimedOut { .. } => {
                Self::new(VIEW_BEHIND, "the read took too long").retry_after_s(2)
            }
            BlockingError::Dropped => Self::new(INTERNAL, "the read was dropped"),
        }
    }
}

impl From<QuestionError> for Problem {
    fn from(error: QuestionError) -> Self {
        Self::question(error, '/')
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            Refusal::PersonUnnamed => Self::at(BODY_INVALID, "/number", detail),
            Refusal::IdentifiersConflict => Self::new(IDENTIFIERS_CONFLICT, detail),
            Refusal::ContactUnknown => Self::new(CONTACT_UNKNOWN, detail),
            Refusal::MergeUnknown(MergeSide::From) => Self::at(CONTACT_UNKNOWN, "/from", detail),
            Refusal::MergeUnknown(MergeSide::Into) => Self::at(CONTACT_UNKNOWN, "/into", detail),
            Refusal::MergeIntoItself => Self::at(MERGE_INTO_ITSELF, "/into", detail),
            Refusal::ContactsFull | Refusal::RegistryFull => Self::new(REGISTRY_FULL, detail),
            Refusal::TopicUnknown { place: Some(place) } => {
                Self::at(TOPIC_UNKNOWN, format!("/topics/{place}"), detail)
            }
            Refusal::TopicUnknown { place: None } => Self::at(TOPIC_UNKNOWN, "/topic", detail),
            Refusal::StatementMissing => Self::at(BODY_INVALID, "/language", detail),
            Refusal::StatementLanguage => Self::at(STATEMENT_MISMATCH, "/language", detail),
            Refusal::StatementTopic { place } => {
                Self::at(STATEMENT_MISMATCH, format!("/topics/{place}"), detail)
            }
            Refusal::StatementUnknown => Self::at(STATEMENT_UNKNOWN, "/statement", detail),
            Refusal::PortfolioUnknown => Self::at(PORTFOLIO_UNKNOWN, "/portfolio", detail),
            Refusal::EntryCodeTaken => Self::at(ENTRY_CODE_TAKEN, "/code", detail),
            Refusal::SenderUnknown => Self::at(SENDER_UNKNOWN, "/sender", detail),
            Refusal::InTheFuture { member, .. } => {
                Self::at(CAPTURED_IN_FUTURE, format!("/{member}"), detail)
            }
            Refusal::IdentityHashMismatch => Self::at(IDENTITY_HASH_MISMATCH, "/hash", detail),
            Refusal::Question(error) => Self::from(error),
            // Only `http::v1::sends` can explain it; elsewhere it cannot happen.
            Refusal::SendRefused(_) => Self::new(SEND_REFUSED, detail),
            // Only `http::v1::sends` knows the time; elsewhere it cannot happen.
            Refusal::TicketsOpen { .. } => Self::new(TICKETS_OPEN, detail),
            Refusal::SenderBusy { .. } => Self::new(SENDER_BUSY, detail),
            Refusal::TicketUnknown => Self::new(TICKET_UNKNOWN, detail),
            Refusal::TicketVoided { cause } => Self::new(TICKET_VOIDED, detail)
                .with("cause", serde_json::to_value(cause).unwrap_or_default()),
            Refusal::TicketReleased => Self::new(TICKET_RELEASED, detail),
            Refusal::TicketCommitted => Self::new(TICKET_COMMITTED, detail),
            // Only `http::v1::verifications` knows the policy; elsewhere it cannot happen.
            Refusal::LookupBudget { .. } => Self::new(LOOKUP_BUDGET_SPENT, detail),
            Refusal::ReviewUnknown => Self::new(REVIEW_UNKNOWN, detail),
            Refusal::JobUnknown => Self::new(JOB_UNKNOWN, detail),
            Refusal::JobsOpen => Self::new(JOBS_OPEN, detail).retry_after_s(60),
            Refusal::KeyUnknown => Self::new(KEY_UNKNOWN, detail),
            Refusal::KeyRevoked => Self::new(KEY_REVOKED, detail),
            Refusal::LastManager => Self::new(KEY_LAST, detail),
            Refusal::OnceReused => Self::new(IDEMPOTENCY_KEY_REUSED, detail),
            // What only the service itself asks for: a refusal of it is a bug.
            Refusal::LookupUnknown | Refusal::LedgerOpen => Self::new(INTERNAL, detail),
        }
    }
}

/// Returns `api/problems.md`, made from the table.
pub fn document() -> String {
    use std::fmt::Write as _;
    let mut text = String::from(
        "# Problems\n\nEvery error is `application/problem+json` (RFC 9457) with a stable `code`. \
         Branch on `code`; the texts may change.\n`request_id` names the request in the log, \
         `retryable` says whether the same request can succeed later, `errors[]` points at\nwhat is \
         wrong. This page is made from the code: `izin problems` prints it.\n",
    );
    for code in CODES {
        let Code { name, status, title, retryable, help } = code;
        let retry = if *retryable { "yes" } else { "no" };
        let written = write!(
            text,
            "\n## {name}\n\n`{name}` · **{status}** · {title}. Worth repeating unchanged: {retry}.\n\n{help}\n"
        );
        if written.is_err() {
            break;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        sync::{Arc, Mutex},
    };

    use super::*;

    /// Where a test's log goes.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[actix_web::test]
    async fn the_cause_of_a_failure_is_logged_under_the_request_and_never_shown() {
        let log = Log::default();
        let writer = log.clone();
        let subscriber =
            tracing_subscriber::fmt().json().with_writer(move || writer.clone()).finish();
        let problem = Problem::new(INTERNAL, "told").caused_by("what really happened".to_owned());
        let response =
            tracing::subscriber::with_default(subscriber, || problem.response("order-17"));
        let shown = actix_web::body::to_bytes(response.into_body()).await.ok().unwrap();
        assert!(!String::from_utf8_lossy(&shown).contains("what really happened"));
        let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        assert!(logged.contains("order-17") && logged.contains("what really happened"), "{logged}");
    }

    #[test]
    fn codes_are_unique_and_plain() {
        let mut names: Vec<_> = CODES.iter().map(|code| code.name).collect();
        assert!(names.iter().all(|name| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')));
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(CODES.iter().all(|code| StatusCode::from_u16(code.status).is_ok()));
    }

    #[test]
    fn whoever_was_not_heard_learns_whether_it_was_recorded_and_when_to_try_again() {
        for (error, code, outcome) in [
            (SubmitError::Busy, LEDGER_BUSY, None),
            (SubmitError::ReadOnly, LEDGER_READ_ONLY, Some("not_recorded")),
            (SubmitError::Closed, LEDGER_READ_ONLY, Some("not_recorded")),
            (SubmitError::Unknown, LEDGER_READ_ONLY, Some("unknown")),
        ] {
            let problem = Problem::from(error);
            assert_eq!(problem.code(), code);
            assert!(problem.code().retryable);
            assert_eq!(problem.0.extra.get("outcome").and_then(Value::as_str), outcome);
            let response = problem.response("r");
            assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert!(response.headers().contains_key(header::RETRY_AFTER));
        }
    }
}
