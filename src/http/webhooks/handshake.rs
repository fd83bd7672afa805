//! `GET /webhooks/whatsapp`: Meta asks once whether the webhook's address is ours.
//!
//! Source: Meta, "Create a webhook endpoint", verification requests; read November 2026.

use actix_web::HttpResponse;
use subtle::ConstantTimeEq as _;

use crate::http::{
    edge::Ask,
    problem::{HANDSHAKE_REFUSED, Problem, ProblemBody, WEBHOOKS_OFF},
    query,
};

/// Longest challenge that is given back, in bytes; Meta's are about ten digits.
const CHALLENGE_BYTES_MAX: usize = 256;

/// Answers Meta's question with its challenge, if the token shown is the one in the settings.
#[utoipa::path(get, path = "/webhooks/whatsapp", tag = "webhooks",
    params(("hub.mode" = String, Query), ("hub.challenge" = String, Query),
        ("hub.verify_token" = String, Query)),
    responses((status = 200, content_type = "text/plain", body = String,
    description = "The challenge"),
    (status = 403, description = "The verify token is another one, or this is no handshake",
    body = ProblemBody<'static>, content_type = "application/problem+json"),
    (status = 503, description = "No verify token is set",
    body = ProblemBody<'static>, content_type = "application/problem+json")))]
pub(crate) async fn answer(ask: Ask) -> Result<HttpResponse, Problem> {
    let Some(expected) = &ask.edge.webhooks.verify_token else {
        return Err(Problem::new(WEBHOOKS_OFF, "no verify token is set"));
    };
    let (mut mode, mut challenge, mut token) = (None, None, None);
    // Meta adds parameters as it likes, so what nobody knows is passed over.
    for pair in ask.req.query_string().split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        match &*query::decode(name)? {
            "hub.mode" => mode = Some(query::decode(value)?),
            "hub.challenge" => challenge = Some(query::decode(value)?),
            "hub.verify_token" => token = Some(query::decode(value)?),
            _ => {}
        }
    }
    let token = token.unwrap_or_default();
    let is_ours = bool::from(token.as_bytes().ct_eq(expected.expose().as_bytes()));
    let challenge = challenge.filter(|text| {
        text.len() <= CHALLENGE_BYTES_MAX && text.bytes().all(|byte| byte.is_ascii_graphic())
    });
    match challenge {
        Some(challenge) if is_ours && mode.as_deref() == Some("subscribe") => {
            Ok(HttpResponse::Ok().content_type("text/plain").body(challenge.into_owned()))
        }
        _ => Err(Problem::new(HANDSHAKE_REFUSED, "this is not the handshake that was agreed on")),
    }
}
