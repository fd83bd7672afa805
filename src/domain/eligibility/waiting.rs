//! Whether waiting alone is enough, and for how long: judged again at each moment at which the last
//! reason there was has ended, since others may have begun by then.

use crate::domain::{
    contact::Contact,
    eligibility::{Hit, Resolved, SessionPolicy, Verdict},
    key::ContactKey,
    ticket::MessageKind,
    time::Timestamp,
};

/// At so many moments it is judged again at most: what begins and ends by itself is a handful of
/// things, and only the hours of the recipient's clock come back.
const MOMENTS_MAX: usize = 16;

impl Resolved {
    /// Returns the first moment at which a contact that a verdict of `now` refuses is eligible while
    /// nothing but time passes, of the reasons that count: `None` if none does, if one of them does
    /// not end by itself, or if one that does not begins before all of them have ended.
    ///
    /// Up to that moment there is a reason at every moment. Costs nothing where a reason does not
    /// end by itself, and a judgement for each moment looked at where all do.
    pub fn eligible_from(
        &self,
        whom: (Option<&Contact>, Option<ContactKey>),
        policy: SessionPolicy,
        (verdict, now): (&Verdict, Timestamp),
        counts: impl Fn(&Hit) -> bool,
    ) -> Option<Timestamp> {
        let mut at = now;
        let mut ended = last_end(verdict.hits.iter().filter(|hit| counts(hit)))?;
        if ended == Timestamp::NEVER {
            return None;
        }
        for _ in 0..MOMENTS_MAX {
            // From when it is marketing other rules hold, and what ends sooner by them counts.
            at = self.turns_marketing(at).map_or(ended, |turn| turn.min(ended));
            if at == Timestamp::NEVER {
                return None;
            }
            let verdict = self.judge(whom, policy, at);
            // A limit was looked up for `now` and says itself until when it is full: what was
            // counted only leaves as long as nothing is sent.
            let hits = verdict.hits.iter().filter(|hit| hit.holds(at) && counts(hit));
            let Some(end) = last_end(hits) else { return Some(at) };
            ended = end;
        }
        None
    }

    /// Returns when the template turns marketing after `at`, if it is known to.
    fn turns_marketing(&self, at: Timestamp) -> Option<Timestamp> {
        let (since, _) = self.marketing_since.filter(|_| self.kind == MessageKind::Template)?;
        Some(since).filter(|since| !self.is_marketing(at) && at < *since)
    }
}

/// Returns when the last of some reasons has ended by itself, [`Timestamp::NEVER`] if one does not;
/// `None` if there are none.
fn last_end<'a>(hits: impl Iterator<Item = &'a Hit>) -> Option<Timestamp> {
    hits.map(|hit| hit.retry_at.unwrap_or(Timestamp::NEVER)).max()
}
