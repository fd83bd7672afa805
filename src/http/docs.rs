//! `/openapi.json` and `/docs`: the API as a document and as pages to read, with no outside assets.

use std::sync::Arc;

use actix_web::{HttpResponse, http::header};
use utoipa_swagger_ui::{Config, Url};

use crate::http::{
    edge::Ask,
    openapi,
    problem::{self, INTERNAL, NOT_FOUND, Problem},
};

/// The viewer lays its own styles out inline and draws its icons as data; nothing comes from
/// elsewhere and nothing is sent elsewhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
     img-src 'self' data:; connect-src 'self'; form-action 'none'; base-uri 'none'; \
     frame-ancestors 'none'";

/// Serves the API document.
pub(crate) async fn openapi(_ask: Ask) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .content_type("application/json")
        .body(openapi::document()))
}

/// Leads whoever opens the bare address in a browser to the viewer.
pub(crate) async fn home(_ask: Ask) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::SeeOther().insert_header((header::LOCATION, "/docs")).finish())
}

/// Serves the viewer.
pub(crate) async fn page(_ask: Ask) -> Result<HttpResponse, Problem> {
    let page = include_str!("docs.html");
    Ok(html(page.to_owned()))
}

/// Serves the catalogue of problems.
pub(crate) async fn problems(_ask: Ask) -> Result<HttpResponse, Problem> {
    use std::fmt::Write as _;
    let mut rows = String::new();
    for code in problem::CODES {
        let problem::Code { name, status, title, help, retryable } = code;
        let (title, help) = (escaped(title), escaped(help));
        let retry = if *retryable { "can be repeated" } else { "is not cured by repeating" };
        let written = write!(
            rows,
            "<section id=\"{name}\"><h2>{name}</h2><p><b>{status}</b> {title}; {retry}.</p>\
             <p>{help}</p></section>"
        );
        if written.is_err() {
            break;
        }
    }
    Ok(html(include_str!("problems.html").replace("<!--rows-->", &rows)))
}

/// Writes text of the catalogue as HTML: what stands between backquotes is code.
fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    let mut is_code = false;
    for character in text.chars() {
        match character {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '`' => {
                html.push_str(if is_code { "</code>" } else { "<code>" });
                is_code = !is_code;
            }
            _ => html.push(character),
        }
    }
    html
}

fn html(page: String) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .content_type("text/html; charset=utf-8")
        .body(page)
}

/// Serves a file of the viewer.
pub(crate) async fn asset(ask: Ask) -> Result<HttpResponse, Problem> {
    if ask.segment("file") == "start.js" {
        return Ok(HttpResponse::Ok()
            .content_type("text/javascript")
            .body(include_str!("docs.js")));
    }
    let config = Config::new([Url::from("/openapi.json")]);
    let file = utoipa_swagger_ui::serve(&ask.segment("file"), Arc::new(config));
    match file {
        Ok(Some(file)) => Ok(HttpResponse::Ok()
            .insert_header((header::CACHE_CONTROL, "max-age=3600"))
            .content_type(file.content_type)
            .body(file.bytes.into_owned())),
        Ok(None) => Err(Problem::new(NOT_FOUND, "there is no such file")),
        Err(error) => {
            tracing::error!(%error, "failed to serve a file of the viewer");
            Err(Problem::new(INTERNAL, "the viewer's file cannot be served"))
        }
    }
}
