//! A handler that keeps an opt-in as one row: one prepared INSERT, one commit, then the answer.

use std::{cell::RefCell, thread::available_parallelism};

use actix_web::{App, HttpResponse, HttpServer, error::ErrorInternalServerError, web};
use anyhow::{Context, Result};
use serde::Deserialize;
use tokio::sync::Semaphore;
use tokio_postgres::{Client, NoTls, Statement};

const TABLE: &str = "CREATE TABLE IF NOT EXISTS opt_ins (
    id bigserial PRIMARY KEY,
    number text NOT NULL,
    topics text[] NOT NULL,
    body text NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
)";
const INSERT: &str = "INSERT INTO opt_ins (number, topics, body) VALUES ($1, $2, $3) RETURNING id";

/// The members of an opt-in that get columns.
#[derive(Deserialize)]
struct OptIn {
    number: String,
    topics: Vec<String>,
}

/// One worker's connections. Each serves one request at a time.
struct Pool {
    idle: RefCell<Vec<(Client, Statement)>>,
    free: Semaphore,
}

impl Pool {
    async fn open(database: &str, connections: usize) -> Result<Self> {
        let mut idle = Vec::with_capacity(connections);
        for _ in 0..connections {
            let (client, connection) = tokio_postgres::connect(database, NoTls)
                .await
                .context("cannot connect to PostgreSQL")?;
            actix_web::rt::spawn(connection);
            let insert = client.prepare(INSERT).await.context("cannot prepare the INSERT")?;
            idle.push((client, insert));
        }
        Ok(Self { idle: RefCell::new(idle), free: Semaphore::new(connections) })
    }

    async fn insert(&self, opt_in: &OptIn, body: &str) -> Result<i64> {
        let permit = self.free.acquire().await?;
        let taken = self.idle.borrow_mut().pop();
        let (client, insert) = taken.context("a permit came without a connection")?;
        let row = client.query_one(&insert, &[&opt_in.number, &opt_in.topics, &body]).await;
        self.idle.borrow_mut().push((client, insert));
        drop(permit);
        Ok(row?.try_get(0)?)
    }
}

async fn opt_in(pool: web::Data<Pool>, body: String) -> actix_web::Result<HttpResponse> {
    let opt_in: OptIn = serde_json::from_str(&body)?;
    let id = pool.insert(&opt_in, &body).await.map_err(ErrorInternalServerError)?;
    Ok(HttpResponse::Created()
        .content_type("application/json")
        .body(format!(r#"{{"id":{id},"number":"{}"}}"#, opt_in.number)))
}

/// Serves until it is stopped.
///
/// # Errors
///
/// When PostgreSQL cannot be reached or no port is free.
pub async fn run(database: String, connections: usize) -> Result<()> {
    let (client, connection) =
        tokio_postgres::connect(&database, NoTls).await.context("cannot connect to PostgreSQL")?;
    actix_web::rt::spawn(connection);
    client.batch_execute(TABLE).await.context("cannot create the table")?;

    let workers = available_parallelism()?.get().min(connections);
    let server = HttpServer::new(move || {
        let database = database.clone();
        App::new()
            .data_factory(move || {
                let database = database.clone();
                async move {
                    let pool = Pool::open(&database, connections / workers).await;
                    pool.map_err(|error| eprintln!("{error:#}"))
                }
            })
            .route("/v1/opt-ins", web::post().to(opt_in))
    })
    .workers(workers)
    .bind(("127.0.0.1", 0))
    .context("cannot listen")?;
    crate::announce(&server.addrs());
    server.run().await.context("the server failed")
}
