//! What the rules say, tested on a ledger in miniature.

mod desk;
mod histories;
mod rules;

pub(crate) use desk::{Desk, RULES, opt_in_of, source, topic_id};
