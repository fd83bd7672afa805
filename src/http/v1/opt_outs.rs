//! `POST /v1/opt-outs`: a person withdrew. Never refused for want of an opt-in.

use actix_web::HttpResponse;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    domain::command::{Command, OptOut},
    http::{
        edge::{Ask, Edge},
        person,
        problem::Problem,
        v1::opt_ins::{self, ActBody, SourceBody},
        wire,
    },
};

/// What a person, a channel or an operator reports.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OptOutBody {
    /// The number, in any written form.
    number: Option<String>,
    /// The region the number was written in, where it has no `+`.
    region: Option<String>,
    /// The person's business-scoped user id at WhatsApp.
    user_id: Option<String>,
    /// What the person withdrew from; everything, if left out.
    topics: Option<Vec<String>>,
    /// Where it came from.
    source: SourceBody,
    /// Why.
    reason: Option<String>,
    /// When the person did it; now, if left out.
    #[schema(format = DateTime)]
    captured_at: Option<String>,
}

fn check(edge: &Edge, body: OptOutBody) -> Result<OptOut, Problem> {
    let number = body.number.as_deref();
    Ok(OptOut {
        person: person::person(edge, number, body.region.as_deref(), body.user_id.as_deref())?,
        topics: body.topics.as_deref().map(opt_ins::topics).transpose()?,
        source: body.source.check()?,
        reason: wire::optional_text(body.reason, "/reason")?,
        captured_at: wire::moment(body.captured_at.as_deref(), "/captured_at")?,
    })
}

/// Records that a person withdrew. A number and a user id that are known as two contacts are both
/// withdrawn; the answer shows the one with the user id.
#[utoipa::path(post, path = "/v1/opt-outs", tag = "consent", request_body = OptOutBody,
    responses((status = 201, body = ActBody)))]
pub(crate) async fn create(mut ask: Ask) -> Result<HttpResponse, Problem> {
    let (body, bytes) = ask.json::<OptOutBody>().await?;
    let command = check(&ask.edge, body)?;
    let once = ask.once(&bytes)?;
    let submitted = ask.submit(Command::OptOut(Box::new(command)), once).await?;
    opt_ins::reply(&ask.edge, &submitted)
}
