//! What the rules say, tested on a ledger in miniature.

mod asked;
mod desk;
mod histories;
mod numbers;
mod pace;
mod rules;
mod tickets;
mod waiting;

pub(crate) use desk::{Desk, RULES, opt_in_of, sender_id, source, topic_id};
