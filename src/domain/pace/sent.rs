//! What was sent to one person lately.

use smallvec::SmallVec;

use crate::domain::{
    ids::TicketId,
    named::KeyTag,
    names::PortfolioId,
    pace::moments::COUNTED_MS,
    registry::Category,
    time::{DAY_MS, Timestamp},
};

/// How long a template that was sent is remembered, in milliseconds: no cap looks back further, and
/// no ticket that is counted from its end is good for longer than a day.
pub const SENT_KEPT_MS: i64 = 367 * DAY_MS;

/// So many of each category at most, the latest: no cap allows more, and none is forgotten for
/// messages of another category.
pub const SENT_MAX: usize = 100;

/// A template that was sent to a person, or may be: its ticket is reserved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// By which ticket.
    pub ticket: TicketId,
    /// When it was sent. As long as nobody said so, the last moment at which it may have been: the
    /// end of its ticket.
    pub at: Timestamp,
    /// What it counts as for caps.
    pub category: Category,
    /// Out of whose limit it was, if out of one: it did not go into an open window.
    pub portfolio: Option<PortfolioId>,
    /// To which number, where not to the contact's own: WhatsApp counts each of a person's numbers.
    pub to: Option<KeyTag>,
    /// Whether its ticket was taken back and nobody said that it went out all the same.
    pub is_recalled: bool,
}

/// Adds a template to those a person was sent.
pub(crate) fn add(sent: &mut Vec<Sent>, new: Sent) {
    let horizon = new.at.plus_ms(-SENT_KEPT_MS);
    sent.retain(|known| known.at > horizon && known.ticket != new.ticket);
    let place = sent.partition_point(|known| (known.at, known.ticket) < (new.at, new.ticket));
    let category = new.category;
    sent.insert(place, new);
    let is_alike = |known: &Sent| known.category == category;
    if sent.iter().filter(|known| is_alike(known)).count() > SENT_MAX
        && let Some(oldest) = sent.iter().position(is_alike)
    {
        sent.remove(oldest);
    }
}

/// Returns when this number of a person was last sent something out of a portfolio's limit.
pub(crate) fn last_of(
    sent: &[Sent],
    portfolio: &PortfolioId,
    to: Option<KeyTag>,
) -> Option<Timestamp> {
    let is_meant = |known: &&Sent| known.portfolio.as_ref() == Some(portfolio) && known.to == to;
    sent.iter().filter(is_meant).map(|known| known.at).max()
}

/// Returns whether this number of a person counts for a portfolio's limit at `now`, so that one more
/// message costs nothing of it.
pub(crate) fn is_counted(
    sent: &[Sent],
    (portfolio, to): (&PortfolioId, Option<KeyTag>),
    now: Timestamp,
) -> bool {
    last_of(sent, portfolio, to).is_some_and(|at| now < at.plus_ms(COUNTED_MS))
}

/// Returns when one more template of a category is allowed under a cap of `count` in `days`;
/// `None` if it is now. What was taken back counts no longer than it does for limits: had it gone
/// out, that would be known by then.
pub(crate) fn capped_until(
    sent: &[Sent],
    category: Category,
    (count, days): (u32, u32),
    now: Timestamp,
) -> Option<Timestamp> {
    let span_ms = i64::from(days).saturating_mul(DAY_MS);
    let recalled_ms = span_ms.min(COUNTED_MS);
    let of_category = sent.iter().filter(|known| known.category == category);
    let ends = of_category
        .map(|known| known.at.plus_ms(if known.is_recalled { recalled_ms } else { span_ms }));
    let mut ends: SmallVec<[Timestamp; 4]> = ends.filter(|end| now < *end).collect();
    ends.sort_unstable();
    let count = usize::try_from(count.max(1)).unwrap_or(usize::MAX);
    ends.get(ends.len().checked_sub(count)?).copied()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const MARKETING: Category = Category::Marketing;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_unix_ms(ms)
    }

    fn sent(days: &[i64], portfolio: Option<&str>) -> Vec<Sent> {
        let mut all = Vec::new();
        for day in days {
            let ticket = TicketId::from_uuid(Uuid::from_u128(day.unsigned_abs().into()));
            let portfolio = portfolio.map(|id| PortfolioId::parse(id).unwrap());
            let (at, category) = (at(day * DAY_MS), MARKETING);
            add(&mut all, Sent { ticket, at, category, portfolio, to: None, is_recalled: false });
        }
        all
    }

    #[test]
    fn one_in_fourteen_days_is_free_again_after_exactly_fourteen_days() {
        let known = sent(&[1], None);
        let free_at = at(15 * DAY_MS);
        assert_eq!(capped_until(&known, MARKETING, (1, 14), free_at.plus_ms(-1)), Some(free_at));
        assert_eq!(capped_until(&known, MARKETING, (1, 14), free_at), None);
        assert_eq!(capped_until(&known, Category::Utility, (1, 14), at(2 * DAY_MS)), None);
    }

    #[test]
    fn of_several_the_one_that_must_leave_first_says_when() {
        let known = sent(&[5, 1, 3], None);
        let now = at(5 * DAY_MS);
        assert_eq!(capped_until(&known, MARKETING, (3, 10), now), Some(at(11 * DAY_MS)));
        assert_eq!(capped_until(&known, MARKETING, (2, 10), now), Some(at(13 * DAY_MS)));
        assert_eq!(capped_until(&known, MARKETING, (4, 10), now), None);
    }

    #[test]
    fn what_was_taken_back_leaves_a_cap_after_a_day_and_sooner_where_the_cap_is_shorter() {
        let mut known = sent(&[1, 2, 3], None);
        known[1].is_recalled = true;
        let now = at(3 * DAY_MS - 1);
        assert_eq!(capped_until(&known, MARKETING, (3, 14), now), Some(at(3 * DAY_MS)));
        assert_eq!(capped_until(&known, MARKETING, (2, 14), now), Some(at(15 * DAY_MS)));
        assert_eq!(capped_until(&known, MARKETING, (3, 14), at(3 * DAY_MS)), None);
    }

    #[test]
    fn a_person_counts_for_a_day_after_the_last_message_and_for_no_other_portfolio() {
        let known = sent(&[1, 2], Some("p1"));
        let [one, other] = ["p1", "p2"].map(|id| PortfolioId::parse(id).unwrap());
        assert!(is_counted(&known, (&one, None), at(3 * DAY_MS - 1)));
        assert!(!is_counted(&known, (&one, None), at(3 * DAY_MS)));
        assert!(!is_counted(&known, (&other, None), at(2 * DAY_MS)));
        let number = Some(KeyTag::of(crate::domain::key::ContactKey::from_bits(7)));
        assert!(!is_counted(&known, (&one, number), at(2 * DAY_MS)), "another number");
    }

    #[test]
    fn many_of_one_category_leave_the_cap_of_another_as_it_is() {
        let mut known = sent(&[1], None);
        for n in 0..500_u128 {
            let ticket = TicketId::from_uuid(Uuid::from_u128(1_000 + n));
            let category = Category::Utility;
            let (at, portfolio) = (at(2 * DAY_MS), None);
            add(&mut known, Sent { ticket, at, category, portfolio, to: None, is_recalled: false });
        }
        assert_eq!(known.len(), SENT_MAX + 1);
        let until = capped_until(&known, MARKETING, (1, 14), at(3 * DAY_MS));
        assert_eq!(until, Some(at(15 * DAY_MS)));
    }

    #[test]
    fn no_more_are_kept_than_any_cap_looks_at() {
        let days: Vec<i64> = (0..500).collect();
        let known = sent(&days, None);
        assert_eq!(known.len(), SENT_MAX);
        let ticket = known[0].ticket;
        let mut twice = known.clone();
        add(&mut twice, Sent { ticket, ..known[0].clone() });
        assert_eq!(twice, known);
    }
}
