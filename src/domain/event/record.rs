//! An event as it is recorded: when, by whom, and for which command.

use serde::{Deserialize, Serialize};

use crate::domain::{
    access::KeyId,
    event::Event,
    key::{CommandId, Fingerprint},
    time::Timestamp,
};

/// An event with what every event has: what an entry of the ledger commits to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    /// Ledger time: never steps back.
    pub at: Timestamp,
    /// Who asked for it.
    pub by: Actor,
    /// The command it belongs to, on the first event of a command that can be repeated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<CommandMark>,
    /// What happened.
    pub event: Event,
}

/// Marks the events of one command, so that a repeated request finds them again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandMark {
    /// The command.
    pub id: CommandId,
    /// What was asked.
    pub fingerprint: Fingerprint,
    /// How many entries it made, this one included.
    pub entries: u32,
    /// How long it stays known.
    #[serde(default, skip_serializing_if = "MarkKept::is_usual")]
    pub kept: MarkKept,
}

/// How long the outcome of a command stays known to whoever repeats it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MarkKept {
    /// As long as the service keeps idempotency keys.
    #[default]
    Usual,
    /// 31 days: for what WhatsApp says, which it may repeat for a week, and archives for longer.
    Days31,
}

impl MarkKept {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
    const fn is_usual(&self) -> bool {
        matches!(self, Self::Usual)
    }
}

/// Who asked for a change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "type", content = "id", rename_all = "snake_case")]
pub enum Actor {
    /// The service itself.
    System,
    /// Whoever holds the admin key given by the environment.
    Operator,
    /// The holder of an API key.
    Key(KeyId),
}
