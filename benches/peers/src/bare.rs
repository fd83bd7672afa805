//! A handler that does nothing but answer: the most that this HTTP server can do.

use std::path::Path;

use actix_web::{App, HttpResponse, HttpServer, web};
use anyhow::{Context, Result};

/// The largest body that is read: that of a webhook, and some.
const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Serves until it is stopped; `reads` says whether bodies are read before they are answered.
///
/// # Errors
///
/// When the file cannot be read or no port is free.
pub async fn run(answer: &Path, reads: bool) -> Result<()> {
    let answer = std::fs::read(answer).context("cannot read the answer")?;
    let answer = web::Bytes::from(answer);
    let server = HttpServer::new(move || {
        let answer = answer.clone();
        let reply =
            move || HttpResponse::Ok().content_type("application/json").body(answer.clone());
        let app = App::new().app_data(web::PayloadConfig::new(BODY_BYTES_MAX));
        app.default_service(if reads {
            web::to(move |_read: web::Bytes| {
                let reply = reply();
                async { reply }
            })
        } else {
            web::to(move || {
                let reply = reply();
                async { reply }
            })
        })
    })
    .bind(("127.0.0.1", 0))
    .context("cannot listen")?;
    crate::announce(&server.addrs());
    server.run().await.context("the server failed")
}
