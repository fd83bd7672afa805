//! The countries a business may not write to, by what became of its messages.
//!
//! WhatsApp says so of the business, by a message of one of its numbers: it holds for every sender
//! of the same portfolio, which is the business, until a later message of any of them arrives
//! there. What each sender heard is kept by itself and put together here, so that neither the
//! order in which it is told nor a sender that comes later makes a difference.
//!
//! Source: Meta, "Error codes", 130497: the business account is restricted from messaging users in
//! this country.

use std::collections::BTreeMap;

use super::Known;
use crate::{
    domain::{absorbed::Mark, names::PortfolioId},
    policy::Country,
};

/// Returns the countries that the business behind a portfolio may not write to, in order, since
/// when, and by which entry. Where nobody says which business it is, those of any.
pub(super) fn closed_to(
    known: &impl Known,
    portfolio: Option<&PortfolioId>,
) -> Vec<(Country, Mark)> {
    let registry = known.registry();
    let mut told: BTreeMap<(&PortfolioId, Country), Mark> = BTreeMap::new();
    for (sender, country, mark) in registry.reported().all_countries() {
        let Some((_, put)) = registry.sender(sender) else { continue };
        let business = &put.value.portfolio;
        if portfolio.is_none_or(|asked| asked == business) {
            let latest = told.entry((business, country)).or_insert(mark);
            *latest = if latest.at < mark.at { mark } else { *latest };
        }
    }
    told.retain(|(business, country), mark| !is_open(known, business, *country, *mark));
    let mut closed: BTreeMap<Country, Mark> = BTreeMap::new();
    for ((_, country), mark) in told {
        let latest = closed.entry(country).or_insert(mark);
        *latest = if latest.at < mark.at { mark } else { *latest };
    }
    closed.into_iter().collect()
}

/// Returns whether a message of the business arrived in a country after it was told that it may
/// not write there.
fn is_open(known: &impl Known, business: &PortfolioId, country: Country, mark: Mark) -> bool {
    let (registry, incidents) = (known.registry(), known.incidents());
    let senders = registry.senders().filter(|(_, put)| put.value.portfolio == *business);
    let mut places = senders.filter_map(|(id, _)| Some(registry.sender(id)?.0));
    places.any(|place| {
        let arrived_at = incidents.of(place).and_then(|outcomes| outcomes.arrived(country));
        arrived_at.is_some_and(|arrived| mark.at < arrived)
    })
}
