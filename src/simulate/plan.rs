//! What is to be simulated.

/// A simulation. The same plan always comes to the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Whatever is left to chance follows from it.
    pub seed: u64,
    /// How long, in days.
    pub days: u32,
    /// How many people there are.
    pub contacts: u32,
    /// Something that goes wrong on purpose, to see that it is noticed.
    pub sabotage: Option<Sabotage>,
    /// A person whose whole history is printed.
    pub trace: Option<u32>,
}

/// Something the witness sees and the rules are never told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sabotage {
    /// What people withdraw.
    LostStops,
    /// That identities changed.
    LostIdentities,
    /// That messaging limits are as low as they are.
    LooseLimits,
    /// That marketing is capped.
    LooseCaps,
    /// That quality dropped.
    LostQuality,
    /// That numbers were given up.
    LostMoves,
    /// That two are one person.
    LostMerges,
    /// That people sleep.
    LooseHours,
    /// That some agreements wait for a second step.
    LooseSteps,
    /// That look-ups have to be earned.
    LooseBudget,
}

impl Plan {
    /// Returns whether this goes wrong on purpose.
    pub(super) fn is_sabotaged(&self, sabotage: Sabotage) -> bool {
        self.sabotage == Some(sabotage)
    }
}
