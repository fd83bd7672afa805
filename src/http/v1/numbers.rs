//! `GET /v1/numbers`: what a written number is read as, and why not, for authors of forms.
//!
//! Works from the text and the numbering metadata alone. Whether anybody is known by the number
//! is not looked up, so the answer cannot tell.

use actix_web::HttpResponse;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    http::{
        edge::{Ask, Edge},
        explain::{Explanation, SuggestionBody, Unread},
        person::{self, NotANumber},
        problem::Problem,
        query::{Query, refuse},
    },
    numbers::{self, MatchKey, Number, NumberType, Region, Spellings},
};

/// What one text is read as.
#[derive(Debug, Serialize, ToSchema)]
#[expect(clippy::struct_excessive_bools, reason = "an answer of independent facts")]
pub struct NumberBody<'a> {
    /// As it was written.
    input: &'a str,
    /// The region it was read as dialled in: the one given, or the default; `null` for none.
    #[schema(value_type = Option<String>)]
    read_in: Option<Region>,
    /// Whether an opt-in would be taken for it.
    usable: bool,
    /// The code an opt-in would be refused with.
    #[schema(value_type = Option<String>)]
    code: Option<&'static str>,
    /// Why, for people.
    detail: Option<&'static str>,
    /// The number the text was read as, in E.164.
    e164: Option<Box<str>>,
    /// The number the person would be kept under; another one for an old spelling.
    canonical: Option<Box<str>>,
    /// Whether a number of its country has this length.
    possible: bool,
    /// How the length compares, as libphonenumber names it.
    #[schema(value_type = Option<String>)]
    length: Option<&'static str>,
    /// Whether the number lies in a range that is in use.
    valid: bool,
    /// The kind of line, as libphonenumber names it.
    #[serde(rename = "type")]
    #[schema(value_type = Option<String>)]
    kind: Option<NumberType>,
    /// The region of the number.
    #[schema(value_type = Option<String>)]
    region: Option<Region>,
    /// Equal for the spellings of one person, and for no others.
    #[schema(value_type = Option<String>)]
    match_key: Option<MatchKey>,
    /// Whether the text named an extension, which is not kept.
    has_extension: bool,
    /// Why the text is not usable, as libphonenumber names it.
    #[schema(value_type = Option<String>)]
    error: Option<&'static str>,
    /// The number that was probably meant, if the text does not give a valid one.
    suggestion: Option<SuggestionBody>,
    /// Regions in which the text would be a valid number, the most plausible first; only for a
    /// text that needs a region.
    #[schema(value_type = Vec<String>)]
    valid_in: Vec<Region>,
    /// How many other spellings of the number there are.
    spellings: Option<SpellingsBody>,
}

/// How many other spellings of a number there are.
#[derive(Debug, Serialize, ToSchema)]
pub struct SpellingsBody {
    /// Those that are the same person.
    strong: usize,
    /// Those that may be, and may be another one.
    weak: usize,
}

/// Explains one written number. Says nothing of whether anybody is known by it.
#[utoipa::path(get, path = "/v1/numbers", tag = "numbers", params(
    ("input" = String, Query, description = "The number, as it was written"),
    ("region" = Option<String>, Query, description = "The region it was written in")),
    responses((status = 200, body = NumberBody)))]
pub(crate) async fn explain(ask: Ask) -> Result<HttpResponse, Problem> {
    let query = Query::read(&ask.req, &["input", "region"])?;
    let input = query.get("input").ok_or_else(|| refuse("input", "name the number to explain"))?;
    let region = person::region(&ask.edge, query.get("region"), "?region")?;
    let body = describe(&ask.edge, input, region).await;
    Ok(HttpResponse::Ok().json(body))
}

async fn describe<'a>(edge: &Edge, input: &'a str, region: Option<Region>) -> NumberBody<'a> {
    let usable = person::usable(input, region);
    let read = numbers::parse(input, region).ok();
    let is_clear = usable.is_ok() && read.is_some_and(|number| number.valid());
    let explanation = if is_clear {
        Explanation::default()
    } else {
        Unread::new(input, region).explained(edge).await
    };
    body(input, region, &usable, read, explanation)
}

fn body<'a>(
    input: &'a str,
    read_in: Option<Region>,
    usable: &Result<(Number, Spellings), NotANumber>,
    read: Option<Number>,
    explanation: Explanation,
) -> NumberBody<'a> {
    let Explanation { suggestion, valid_in } = explanation;
    let not = usable.as_ref().err();
    let spellings = read.map(|number| numbers::spellings(number.e164()));
    let others = |spellings: &Spellings| SpellingsBody {
        strong: spellings.strong().len(),
        weak: spellings.weak().len(),
    };
    NumberBody {
        input,
        read_in,
        usable: usable.is_ok(),
        code: not.map(|not| not.code().name),
        detail: not.map(|not| not.detail()),
        e164: read.map(|number| number.e164().as_str().into()),
        canonical: spellings.as_ref().map(|found| found.canonical().as_str().into()),
        possible: read.is_some_and(|number| number.possible()),
        length: read.map(|number| number.length().as_str()),
        valid: read.is_some_and(|number| number.valid()),
        kind: read.map(|number| number.kind()),
        region: read.and_then(|number| number.region()),
        match_key: spellings.as_ref().map(Spellings::match_key),
        has_extension: read.is_some_and(|number| number.has_extension()),
        error: not.map(|not| not.error()),
        suggestion,
        valid_in: valid_in.unwrap_or_default(),
        spellings: spellings.as_ref().map(others),
    }
}
