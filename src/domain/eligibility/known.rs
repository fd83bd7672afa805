//! What a question is resolved against: the durable state, or a draft on top of it.

use crate::domain::{
    incident::Incidents,
    pace::{Counted, UsageKey},
    registry::Registry,
    state::{Draft, State},
};

/// What is known of the business and of what it sent lately.
pub trait Known {
    /// Returns what was put and reported.
    fn registry(&self) -> &Registry;

    /// Returns what came of each sender's messages.
    fn incidents(&self) -> &Incidents;

    /// Returns what was counted lately for a limit.
    fn counted(&self, key: &UsageKey) -> Counted<'_>;
}

impl Known for State {
    fn registry(&self) -> &Registry {
        self.registry()
    }

    fn incidents(&self) -> &Incidents {
        self.incidents()
    }

    fn counted(&self, key: &UsageKey) -> Counted<'_> {
        self.counted(key)
    }
}

impl Known for Draft<'_> {
    fn registry(&self) -> &Registry {
        self.registry()
    }

    fn incidents(&self) -> &Incidents {
        self.incidents()
    }

    fn counted(&self, key: &UsageKey) -> Counted<'_> {
        self.counted(key)
    }
}
