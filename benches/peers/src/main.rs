//! The peers of the load measurement: as little as a server can do, and the usual way to keep a row.
//!
//! Both print `listening on ADDRESS` and run until they are stopped. Neither checks a key, keeps
//! evidence or answers a problem: what they leave out makes them faster than they could be in use.

use std::path::PathBuf;

use clap::Parser;

mod bare;
mod insert;

#[derive(Parser)]
enum Peer {
    /// Answers every request with the bytes of a file.
    Bare {
        /// The file.
        answer: PathBuf,
        /// Reads bodies to their end first.
        #[arg(long)]
        reads: bool,
    },
    /// Does one prepared INSERT per request, each its own transaction.
    Insert {
        /// Where PostgreSQL is, as `key=value` pairs.
        database: String,
        /// Connections over all workers.
        #[arg(long, default_value_t = 64)]
        connections: usize,
    },
}

#[actix_web::main]
async fn main() -> anyhow::Result<()> {
    match Peer::parse() {
        Peer::Bare { answer, reads } => bare::run(&answer, reads).await,
        Peer::Insert { database, connections } => insert::run(database, connections).await,
    }
}

/// Says where a server listens, for the script that started it.
fn announce(addresses: &[std::net::SocketAddr]) {
    for address in addresses {
        println!("listening on {address}");
    }
}
