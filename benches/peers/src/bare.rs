//! A handler that does nothing but answer: the most that this HTTP server can do.

use std::path::Path;

use actix_web::{App, HttpResponse, HttpServer, web};
use anyhow::{Context, Result};

/// Serves until it is stopped.
///
/// # Errors
///
/// When the file cannot be read or no port is free.
pub async fn run(answer: &Path) -> Result<()> {
    let answer = std::fs::read(answer).context("cannot read the answer")?;
    let answer = web::Bytes::from(answer);
    let server = HttpServer::new(move || {
        let answer = answer.clone();
        App::new().default_service(web::to(move || {
            let answer = answer.clone();
            async move { HttpResponse::Ok().content_type("application/json").body(answer) }
        }))
    })
    .bind(("127.0.0.1", 0))
    .context("cannot listen")?;
    crate::announce(&server.addrs());
    server.run().await.context("the server failed")
}
