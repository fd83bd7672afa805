//! Questions about a moment in the past, which the ledger answers.

use std::time::Duration;

use crate::{
    domain::time::Timestamp,
    http::{
        edge::{Edge, internal},
        problem::{MOMENT_UNKNOWN, OVERLOADED, Problem},
    },
    ledger::past::{PastError, Turn},
    limits::{PAST_KEPT_S, PAST_REPLAY_S, PAST_WAIT_MS},
};

/// How long one replay may take before whoever asked is sent away.
pub(super) const WITHIN: Duration = Duration::from_secs(PAST_REPLAY_S);

/// Waits for the turn to look into the past, for a moment that is not in the future. `pointer` says
/// where the moment was written.
///
/// # Errors
///
/// [`MOMENT_UNKNOWN`], or [`OVERLOADED`] when others take too long.
pub(super) async fn turn(
    edge: &Edge,
    at: Timestamp,
    pointer: &'static str,
) -> Result<Turn, Problem> {
    if edge.clock.now() < at {
        return Err(Problem::at(MOMENT_UNKNOWN, pointer, "the moment lies in the future"));
    }
    let turn = edge.past.turn(Duration::from_millis(PAST_WAIT_MS)).await;
    turn.map_err(|error| problem(&error, pointer))
}

/// Explains why nothing is known of a moment.
pub(super) fn problem(error: &PastError, pointer: &'static str) -> Problem {
    match error {
        PastError::Busy => {
            let detail = "others ask about the past, and one replay is made at a time";
            Problem::new(OVERLOADED, detail).retry_after_s(5)
        }
        PastError::Stopped => Problem::new(OVERLOADED, "the service is stopping").retry_after_s(5),
        PastError::BeforeLedger => {
            Problem::at(MOMENT_UNKNOWN, pointer, "the ledger began after this moment")
        }
        PastError::Log(_) | PastError::Entry(_) => internal(error),
    }
}

/// Lets the state that is kept go once nobody asked about the past for a while.
pub(super) fn let_go_later(edge: &Edge) {
    let (past, pool) = (edge.past.clone(), edge.blocking.clone());
    actix_web::rt::spawn(async move {
        // A replay that takes too long goes on after whoever asked was sent away.
        let mut before = past.uses();
        loop {
            tokio::time::sleep(Duration::from_secs(PAST_KEPT_S)).await;
            let now = past.uses();
            if before.is_some() && now != before {
                // Whoever asked since sees to it.
                return;
            }
            // Dropping a large one takes a while.
            if let Some(uses) = now.filter(|_| before == now)
                && let Some(state) = past.take_unused(uses)
                && pool.run(move || drop(state)).await.is_err()
            {
                tracing::debug!("a state of the past was dropped where it was");
            }
            if now.is_some() && before == now {
                return;
            }
            before = now;
        }
    });
}
