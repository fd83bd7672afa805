//! `[keys]`: the first key, the brake on guessing keys, and how often publishable ones may call.
//!
//! All other keys are made through the API and live in the ledger.

use std::num::NonZeroU32;

use crate::config::{
    reader::{Name, Reader},
    secret::Secret,
};

/// The first key, the brake on guessing keys, and how often publishable ones may call.
#[derive(Debug, Clone)]
pub struct Keys {
    /// The admin key to use instead of one made at first start.
    pub admin_key: Option<Secret<String>>,
    /// Wrong keys heard per minute from one network of callers.
    pub failures_per_minute_ip: NonZeroU32,
    /// Wrong keys heard per minute under one key id.
    pub failures_per_minute_key: NonZeroU32,
    /// Opt-ins taken per minute from one network of callers with publishable keys.
    pub public_writes_per_minute_ip: NonZeroU32,
    /// Opt-ins taken per minute with one publishable key.
    pub public_writes_per_minute_key: NonZeroU32,
    /// Numbers explained per minute to one network of callers with publishable keys.
    pub public_reads_per_minute_ip: NonZeroU32,
    /// Numbers explained per minute with one publishable key.
    pub public_reads_per_minute_key: NonZeroU32,
}

impl Keys {
    pub(super) fn read(from: &mut Reader) -> Self {
        Self {
            admin_key: admin_key(from),
            failures_per_minute_ip: per_minute(from, "keys.failures_per_minute_ip", 20),
            failures_per_minute_key: per_minute(from, "keys.failures_per_minute_key", 10),
            public_writes_per_minute_ip: calls(from, "keys.public_writes_per_minute_ip", 10),
            public_writes_per_minute_key: calls(from, "keys.public_writes_per_minute_key", 600),
            public_reads_per_minute_ip: calls(from, "keys.public_reads_per_minute_ip", 60),
            public_reads_per_minute_key: calls(from, "keys.public_reads_per_minute_key", 1_200),
        }
    }
}

/// The one key people may choose themselves, so the one that could be guessed: 24 characters of an
/// alphabet of eight are 72 bits, beyond whoever may try 20 a minute.
fn admin_key(from: &mut Reader) -> Option<Secret<String>> {
    from.chosen_secret(Name::fixed("keys.admin_key", "IZIN_ADMIN_KEY"), 24, 8)
}

/// The upper bound is one of memory: each failure of the last minute is remembered.
fn per_minute(from: &mut Reader, name: &'static str, default: u32) -> NonZeroU32 {
    NonZeroU32::new(from.whole(name, default, 1..=1_000)).unwrap_or(NonZeroU32::MIN)
}

/// A token bucket costs the same memory for every quota.
fn calls(from: &mut Reader, name: &'static str, default: u32) -> NonZeroU32 {
    NonZeroU32::new(from.whole(name, default, 1..=1_000_000)).unwrap_or(NonZeroU32::MIN)
}
