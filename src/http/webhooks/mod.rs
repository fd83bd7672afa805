//! `/webhooks/whatsapp`: what WhatsApp says, heard, and on disk before WhatsApp is told so.
//!
//! Bytes are checked against the app's secrets before anything of them is read. Nothing here
//! decides what a person wants: commands say what was heard, and the rules draw the conclusion.

mod answers;
mod commands;
pub mod effects;
pub mod handshake;
pub mod log;
mod people;
mod platform;
pub mod receive;
mod statuses;

use crate::{
    config::Secret,
    http::{body::BodyBudget, webhooks::log::Log},
    limits::WEBHOOK_BYTES_HELD_MAX,
    whatsapp::AppSecrets,
    words::Words,
};

/// What webhooks are checked against and read with, and the last of them.
#[derive(Debug)]
pub struct Webhooks {
    secrets: AppSecrets,
    verify_token: Option<Secret<String>>,
    words: &'static Words,
    /// Bytes of webhooks being read. Anybody may send some before a signature can be checked, and
    /// must not take the room of those who have a key.
    bodies: BodyBudget,
    log: Log,
}

impl Webhooks {
    /// Takes what the operator set. Without secrets webhooks are refused, without a token the
    /// handshake is.
    pub fn new(
        secrets: AppSecrets,
        verify_token: Option<Secret<String>>,
        words: &'static Words,
    ) -> Self {
        let bodies = BodyBudget::new(WEBHOOK_BYTES_HELD_MAX);
        Self { secrets, verify_token, words, bodies, log: Log::default() }
    }

    /// Returns how many bytes of webhooks are being read.
    pub fn bytes_held(&self) -> usize {
        self.bodies.held()
    }

    /// Returns what came and what followed.
    pub const fn log(&self) -> &Log {
        &self.log
    }
}
