//! `POST /v1/opt-ins`: a person agreed.

use actix_web::HttpResponse;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    domain::{
        access::KeyKind,
        command::{Command, OptIn},
        event::{Event, Evidence, Source},
        names::{Language, StatementId, TopicId},
    },
    http::{
        edge::{Ask, Edge, Submitted},
        members::{Members, Plain},
        person,
        problem::{BODY_INVALID, INTERNAL, Problem},
        wire::{self, ConsentAfter, ContactName, ReceiptBody},
    },
    limits::{EVIDENCE_MEMBERS_MAX, TOPICS_MAX},
    policy::ConsentBasis,
};

/// What a form, a scan or a person at a counter reports.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OptInBody {
    /// The number, in any written form.
    #[schema(example = "+62 812-3456-7890")]
    number: Option<String>,
    /// The region the number was written in, where it has no `+`.
    #[schema(example = "ID")]
    region: Option<String>,
    /// The person's business-scoped user id at WhatsApp. Not with a publishable key.
    user_id: Option<String>,
    /// What the person agreed to.
    #[schema(example = json!(["order_updates"]))]
    topics: Vec<String>,
    /// Where it came from.
    source: SourceBody,
    /// The statement that was shown. If it names topics, those of the opt-in are among them.
    statement: Option<String>,
    /// The language it was shown in: one the statement has.
    language: Option<String>,
    /// How you know: texts, numbers and truth values by name.
    #[serde(default)]
    #[schema(value_type = Object)]
    evidence: Members<Plain>,
    /// When the person did it; now, if left out. Not with a publishable key.
    #[schema(format = DateTime)]
    captured_at: Option<String>,
    /// Whether it only counts once the person confirms. Until then a `user_id` beside a number
    /// is not taken for the same person's.
    #[serde(default)]
    double_opt_in: bool,
    /// What it rests on: `express`, the default, where the person said so; `implied_purchase` or
    /// `implied_inquiry` where it follows from one; `implied` where it follows from something else.
    /// What is implied counts only while the person said neither yes nor no, lifts no withdrawal
    /// and no suspension, and ends when the policy in force says so. WhatsApp itself asks for an
    /// opt-in. Not with a publishable key.
    #[schema(value_type = Option<String>, example = "express")]
    basis: Option<ConsentBasis>,
}

/// Where an act came from.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceBody {
    /// The kind of place.
    #[serde(rename = "type")]
    #[schema(example = "web_form")]
    kind: String,
    /// Which poster, counter or form.
    entry_point: Option<String>,
    /// Which page.
    url: Option<String>,
    /// Your own name for it.
    reference: Option<String>,
}

/// What was recorded.
#[derive(Debug, Serialize, ToSchema)]
pub struct ActBody<'a> {
    /// The person.
    pub contact: ContactName<'a>,
    /// Where each topic stands now.
    pub consents: Vec<ConsentAfter<'a>>,
    /// Proof that it is in the ledger.
    pub receipt: ReceiptBody,
}

/// What the holder of a publishable key learns: that it was taken, and nothing else.
#[derive(Debug, Serialize, ToSchema)]
pub struct AcceptedBody {
    /// Always `accepted`.
    status: &'static str,
}

impl SourceBody {
    /// Checks the source.
    ///
    /// # Errors
    ///
    /// [`BODY_INVALID`].
    pub fn check(self) -> Result<Source, Problem> {
        Ok(Source {
            kind: wire::text(self.kind, "/source/type")?,
            entry_point: wire::optional_text(self.entry_point, "/source/entry_point")?,
            url: wire::optional_text(self.url, "/source/url")?,
            reference: wire::optional_text(self.reference, "/source/reference")?,
        })
    }
}

/// Checks the bounds of evidence.
///
/// # Errors
///
/// [`BODY_INVALID`].
pub fn evidence(Members(given): Members<Plain>) -> Result<Evidence, Problem> {
    if given.len() > EVIDENCE_MEMBERS_MAX {
        let detail = format!("at most {EVIDENCE_MEMBERS_MAX} members");
        return Err(Problem::at(BODY_INVALID, "/evidence", detail));
    }
    let mut evidence = Evidence::new();
    for (name, Plain(value)) in given {
        // What is absent proves nothing.
        let Some(value) = value else { continue };
        evidence.insert(wire::text(name, "/evidence")?, wire::text(value, "/evidence")?);
    }
    Ok(evidence)
}

/// Checks a list of topics.
///
/// # Errors
///
/// [`BODY_INVALID`].
pub fn topics(given: &[String]) -> Result<Vec<TopicId>, Problem> {
    if given.is_empty() || given.len() > TOPICS_MAX {
        let detail = format!("1 to {TOPICS_MAX} topics");
        return Err(Problem::at(BODY_INVALID, "/topics", detail));
    }
    let parse =
        |(place, id): (usize, &String)| wire::name(id, format!("/topics/{place}"), TopicId::parse);
    given.iter().enumerate().map(parse).collect()
}

/// Refuses what a page anyone can read a key out of must not say: a user id would tie two people
/// together, and the answer would tell whether they are known; another moment than now would move
/// what the person does themselves.
fn refuse_beyond_capture(body: &OptInBody) -> Result<(), Problem> {
    let given = [
        ("/user_id", body.user_id.is_some()),
        ("/captured_at", body.captured_at.is_some()),
        ("/basis", body.basis.is_some()),
    ];
    match given.into_iter().find(|(_, is_given)| *is_given) {
        Some((pointer, _)) => {
            Err(Problem::at(BODY_INVALID, pointer, "a publishable key may not say this"))
        }
        None => Ok(()),
    }
}

fn check(edge: &Edge, body: OptInBody, is_public: bool) -> Result<OptIn, Problem> {
    let number = body.number.as_deref();
    let language = body.language.as_deref();
    let basis = body.basis.unwrap_or_default();
    if body.double_opt_in && !basis.is_express() {
        let detail = "a second step confirms what a person said, and this is implied";
        return Err(Problem::at(BODY_INVALID, "/basis", detail));
    }
    Ok(OptIn {
        person: person::person(edge, number, body.region.as_deref(), body.user_id.as_deref())?,
        topics: topics(&body.topics)?,
        source: body.source.check()?,
        statement: body
            .statement
            .as_deref()
            .map(|id| wire::name(id, "/statement", StatementId::parse))
            .transpose()?,
        language: language
            .map(|text| wire::name(text, "/language", Language::parse))
            .transpose()?,
        evidence: evidence(body.evidence)?,
        captured_at: wire::moment(body.captured_at.as_deref(), "/captured_at")?,
        // Anyone can read a publishable key out of a page and enter somebody else's number.
        awaits_confirmation: body.double_opt_in || is_public,
        basis,
    })
}

/// Records that a person agreed.
#[utoipa::path(post, path = "/v1/opt-ins", tag = "consent", request_body = OptInBody,
    responses((status = 201, body = ActBody), (status = 202, body = AcceptedBody,
    description = "To the holder of a publishable key, whoever the person is")))]
pub(crate) async fn create(mut ask: Ask) -> Result<HttpResponse, Problem> {
    ask.edge.keep_pace()?;
    let is_public = ask.caller.kind == KeyKind::Publishable;
    // The body goes before the wait for the ledger begins.
    let (command, once) = {
        let (body, bytes) = ask.json::<OptInBody>().await?;
        if is_public {
            refuse_beyond_capture(&body)?;
        }
        (check(&ask.edge, body, is_public)?, ask.once(&bytes)?)
    };
    let submitted = ask.submit(Command::OptIn(Box::new(command)), once).await?;
    if is_public {
        let mut response = HttpResponse::Accepted().json(AcceptedBody { status: "accepted" });
        submitted.mark(&mut response);
        return Ok(response);
    }
    reply(&ask.edge, &submitted)
}

/// Renders what was recorded, from the entries alone, so that a repeated request gets the same.
///
/// # Errors
///
/// [`INTERNAL`] when the entries are not those of an opt-in or opt-out.
pub fn reply(edge: &Edge, submitted: &Submitted) -> Result<HttpResponse, Problem> {
    // A withdrawal of two contacts begins with the one that has the user id.
    let act = submitted.entries.iter().find_map(|entry| {
        if let Event::OptedIn(event) = &entry.record.event {
            Some((entry, event.number.as_ref(), &event.topics))
        } else if let Event::OptedOut(event) = &entry.record.event
            && event.derived_from.is_none()
        {
            Some((entry, event.number.as_ref(), &event.topics))
        } else {
            None
        }
    });
    let Some((entry, number, topics)) = act else {
        return Err(Problem::new(INTERNAL, "the entries of this request are gone"));
    };
    // What counts at once and what has to be confirmed are entries of their own.
    let asked = submitted.entries.iter().filter(|other| other.seq > entry.seq);
    let asked = asked.filter_map(|other| {
        let Event::OptedIn(event) = &other.record.event else { return None };
        Some((other.seq, &event.topics))
    });
    let acts = std::iter::once((entry.seq, topics)).chain(asked);
    let consents = acts
        .flat_map(|(seq, topics)| topics.iter().map(move |outcome| ConsentAfter::of(outcome, seq)));
    let number = number.map(crate::domain::phone::PhoneNumber::as_e164);
    let mut response = wire::created(&ActBody {
        contact: ContactName { id: wire::contact_id(edge, entry), number },
        consents: consents.collect(),
        receipt: ReceiptBody::of(entry),
    })?;
    submitted.mark(&mut response);
    Ok(response)
}
