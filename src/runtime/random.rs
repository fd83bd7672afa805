//! Chance, as an argument.
//!
//! Whoever needs random bytes takes a generator, so that tests can seed one. Nothing stored may
//! depend on chance that was not recorded with it.

use rand::{
    SeedableRng,
    rngs::{OsRng, StdRng},
};

/// The operating system gave no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("failed to read random bytes from the operating system")]
pub struct NoEntropy(#[source] rand::rand_core::OsError);

/// Returns a cryptographically secure generator seeded by the operating system.
///
/// # Errors
///
/// [`NoEntropy`] when the operating system has none to give; nothing secret can be made then.
pub fn from_os() -> Result<StdRng, NoEntropy> {
    StdRng::try_from_rng(&mut OsRng).map_err(NoEntropy)
}

#[cfg(test)]
mod tests {
    use rand::RngCore;

    use super::*;

    #[test]
    fn two_generators_differ() {
        assert_ne!(from_os().unwrap().next_u64(), from_os().unwrap().next_u64());
    }
}
