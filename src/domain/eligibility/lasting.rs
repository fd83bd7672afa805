//! How long policy lets a consent last, by what it rests on.

use crate::{
    domain::{
        consent::{ConsentStatus, Standing, TopicIx},
        contact::Contact,
        home::Home,
        key::ContactKey,
        names::TopicId,
        registry::Registry,
        time::{DAY_MS, Timestamp},
    },
    policy::{ConsentBasis, RuleRef, Rules},
};

/// Returns when rules take an agreement for expired, and which does; `None` if none ever does.
pub fn consent_ends(
    rules: &Rules,
    basis: ConsentBasis,
    agreed_at: Timestamp,
) -> Option<(Timestamp, &RuleRef)> {
    let limit = rules.consent_expiry_days(basis)?;
    Some((agreed_at.plus_ms(i64::from(limit.amount).saturating_mul(DAY_MS)), &limit.rule))
}

/// Returns how a consent is seen at `now` once policy had its say, and by which rule it has
/// expired, if by one. Policy makes it end sooner than its own end, never later.
pub fn under_policy(
    standing: Standing,
    rules: &Rules,
    now: Timestamp,
) -> (Standing, Option<&RuleRef>) {
    let Some(agreed_at) = standing.at.filter(|_| standing.is_granted()) else {
        return (standing, None);
    };
    let Some((end, rule)) = consent_ends(rules, standing.basis, agreed_at) else {
        return (standing, None);
    };
    if standing.expires_at.is_some_and(|own| own <= end) {
        return (standing, None);
    }
    let is_over = end <= now;
    let status = if is_over { ConsentStatus::Expired } else { standing.status };
    (Standing { status, expires_at: Some(end), ..standing }, is_over.then_some(rule))
}

/// The same of a consent to a topic of somebody at home there, by the policy in force.
pub fn seen_at_home(
    standing: Standing,
    home: Home,
    (registry, topic): (&Registry, &TopicId),
    now: Timestamp,
) -> Standing {
    let Some((_, put)) = registry.topic(topic) else { return standing };
    let rules = registry.policy().policy.rules(home.country, put.value.category.into());
    under_policy(standing, rules, now).0
}

/// Returns whether any consent is in force at `now`, by the policy in force, of whoever has this
/// identifier of a contact now. Of somebody who is blocked none is.
pub fn has_granted(
    contact: &Contact,
    key: Option<ContactKey>,
    registry: &Registry,
    now: Timestamp,
) -> bool {
    let details = contact.details();
    if details.blocked.is_some() || details.told().barred.is_some() {
        return false;
    }
    let is_theirs = |topic: &TopicIx| contact.suspended_at(*topic, key).is_none();
    contact.consents.topics().filter(is_theirs).any(|topic| {
        let standing = contact.consents.standing(topic, now);
        let named = registry.topic_id(topic).map(|id| (registry, id));
        let seen = named.map(|topic| seen_at_home(standing, contact.home, topic, now));
        seen.unwrap_or(standing).is_granted()
    })
}
