//! How often, how fast, how many, at what hour: what is judged of a message beside agreement.

use std::sync::Arc;

use crate::{
    domain::{
        absorbed::Mark,
        contact::Contact,
        eligibility::{
            Hit, Hits, Known, MARKETING, Resolved, SessionPolicy, Verdict,
            countries::closed_to,
            deadline::{Overdue, overdue},
            question::resolve_sender,
        },
        home::Home,
        key::ContactKey,
        names::{PortfolioId, SenderId},
        pace::{COUNTED_MS, Counted, UsageKey, capped_until, is_counted, last_of},
        reason::Reason,
        registry::{Category, Quality, Sender},
        spans::EXPERIMENT_MS,
        ticket::MessageKind,
        time::{SECOND_MS, Timestamp},
    },
    policy::{self, Policy, QuietRule, RuleRef, Rules},
    zones,
};

/// The pace at which one sender may write to one person, in milliseconds between messages.
/// Source: Meta, "Throughput" (pair rate limit: 1 message every 6 seconds).
pub const PAIR_MS: i64 = 6 * SECOND_MS;

/// So many messages at once are borrowed from what that pace allows later. Source: as above.
pub const PAIR_BURST: i64 = 45;

/// What a share of a limit is taken of where there is none.
const UNLIMITED: u32 = 100_000;

/// What the pace of a question's messages depends on, except the person.
#[derive(Debug, Clone)]
pub(super) struct Pace {
    pub(super) policy: Arc<Policy>,
    /// What the message counts as.
    category: Option<Category>,
    /// Out of whose limit it is.
    portfolio: Option<PortfolioId>,
    /// Whether that has a limit.
    is_limited: bool,
    /// Whether the limit is used up.
    full: Full,
    /// Whether marketing is held back for its quality.
    brake: Full,
    /// The countries WhatsApp said the business may not write to.
    countries: Vec<(policy::Country, Mark)>,
}

/// Whether something has no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Full {
    /// It has.
    No,
    /// It has none until then.
    Until(Timestamp),
    /// It has none, and time alone does not change that.
    Stopped,
}

/// What spares a message the room of a portfolio's limit that it would take else, and until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Spared {
    /// When the window is treated as closed that it would go into. It counts for nothing then.
    pub window_until: Option<Timestamp>,
    /// When the person is counted no more for what they were sent. Writing to them makes that
    /// later.
    pub counted_until: Option<Timestamp>,
}

impl Spared {
    /// Returns whether nothing does.
    pub const fn is_nothing(&self) -> bool {
        self.window_until.is_none() && self.counted_until.is_none()
    }
}

/// Rules of policy that a verdict rests on.
pub type Grounds = Vec<(Reason, RuleRef)>;

impl Pace {
    pub(super) fn of(policy: &Arc<Policy>) -> Self {
        Self {
            policy: Arc::clone(policy),
            category: None,
            portfolio: None,
            is_limited: false,
            full: Full::No,
            brake: Full::No,
            countries: Vec::new(),
        }
    }

    pub(super) const fn set_category(&mut self, category: Category) {
        self.category = Some(category);
    }

    pub(super) const fn category(&self) -> Option<Category> {
        self.category
    }

    pub(super) const fn portfolio(&self) -> Option<&PortfolioId> {
        self.portfolio.as_ref()
    }

    /// A template that is received badly is marketing nobody wants.
    pub(super) const fn judge_template(&mut self, quality: Option<Quality>) {
        if matches!(quality, Some(Quality::Red)) {
            self.brake = Full::Stopped;
        }
    }

    pub(super) fn judge_sender(
        &mut self,
        known: &impl Known,
        (id, sender): (&SenderId, &Sender),
        now: Timestamp,
    ) {
        self.portfolio = Some(sender.portfolio.clone());
        let registry = known.registry();
        let limit = registry.portfolio(&sender.portfolio).and_then(|put| put.value.messaging_limit);
        self.is_limited = limit.is_some();
        if let Some(limit) = limit {
            let counted = known.counted(&UsageKey::Portfolio(sender.portfolio.clone()));
            self.full = freed(counted, limit.into(), now);
        }
        let brake = match sender.quality {
            Quality::Red => Full::Stopped,
            Quality::Yellow => {
                let share = yellow_share(&self.policy, limit);
                freed(known.counted(&UsageKey::Marketing(id.clone())), share, now)
            }
            Quality::Green | Quality::Unknown => Full::No,
        };
        // Of two the one that does not end by itself.
        self.brake = match (self.brake, brake) {
            (Full::Stopped, _) | (_, Full::Stopped) => Full::Stopped,
            (Full::No, other) => other,
            (one @ Full::Until(_), _) => one,
        };
        self.countries = closed_to(known, Some(&sender.portfolio));
    }

    /// Whoever the sender will be, what is closed to any is not promised.
    pub(super) fn judge_any_sender(&mut self, known: &impl Known) {
        self.countries = closed_to(known, None);
    }
}

/// Returns how much marketing a sender of yellow quality goes on with in 24 hours.
fn yellow_share(policy: &Policy, limit: Option<u32>) -> u64 {
    let percent = policy.settings().yellow_marketing_percent;
    u64::from(limit.unwrap_or(UNLIMITED)) * u64::from(percent) / 100
}

/// Returns how much marketing a sender may go on with now, whoever it is to; [`u64::MAX`] where
/// nothing but the portfolio's limit bounds it. None if it would be refused for the sender.
pub fn marketing_left(known: &impl Known, id: &SenderId, now: Timestamp) -> u64 {
    let registry = known.registry();
    let mut hits = Hits::new();
    resolve_sender(registry, id, MARKETING, &mut hits);
    let Some((_, put)) = registry.sender(id).filter(|_| !hits.iter().any(|hit| hit.holds(now)))
    else {
        return 0;
    };
    match put.value.quality {
        Quality::Green | Quality::Unknown => u64::MAX,
        Quality::Yellow => {
            let limit = registry.portfolio(&put.value.portfolio);
            let limit = limit.and_then(|put| put.value.messaging_limit);
            let used = known.counted(&UsageKey::Marketing(id.clone())).within(now);
            yellow_share(&registry.policy().policy, limit).saturating_sub(used)
        }
        Quality::Red => 0,
    }
}

/// Returns whether a limit is used up, and when it is not any more.
fn freed(counted: Counted<'_>, limit: u64, now: Timestamp) -> Full {
    let used = counted.within(now);
    if used < limit {
        return Full::No;
    }
    let freed_at = counted.freed_at(used.saturating_sub(limit).saturating_add(1), now);
    freed_at.map_or(Full::Stopped, Full::Until)
}

impl Full {
    /// Returns the reason it is, if it is one.
    const fn hit(self, reason: Reason) -> Option<Hit> {
        let retry_at = match self {
            Self::No => return None,
            Self::Until(at) => Some(at),
            Self::Stopped => None,
        };
        Some(Hit { retry_at, ..Hit::bare(reason) })
    }
}

impl Resolved {
    /// Returns what the message counts as for caps, by what WhatsApp files the template under.
    pub fn category(&self, now: Timestamp) -> Option<Category> {
        let category = self.pace.category.filter(|_| self.kind == MessageKind::Template)?;
        Some(if self.is_marketing(now) { Category::Marketing } else { category })
    }

    /// Returns what policy asks for about a message to somebody at home there.
    pub(super) fn rules(&self, home: Home, now: Timestamp) -> &Rules {
        let category = self.category(now).map_or(policy::Category::Session, Into::into);
        self.pace.policy.rules(home.country, category)
    }

    /// Returns what spares the message the room of the portfolio's limit that it would take else;
    /// `None` where it takes none anyway, or where there is no limit and something spares it now.
    pub fn spared(
        &self,
        (contact, key): (Option<&Contact>, Option<ContactKey>),
        (verdict, policy): (&Verdict, SessionPolicy),
        now: Timestamp,
    ) -> Option<Spared> {
        let portfolio = self.pace.portfolio.as_ref();
        let portfolio = portfolio.filter(|_| self.kind == MessageKind::Template)?;
        let window = verdict.window_closes_at.filter(|_| verdict.window_is_open);
        let last =
            contact.and_then(|known| last_of(&known.details().sent, portfolio, known.other(key)));
        let counted_until = last.map(|at| at.plus_ms(COUNTED_MS)).filter(|until| now < *until);
        let window_until = window.map(|closes_at| closes_at.plus_ms(-policy.margin_ms));
        let spared = Spared { window_until, counted_until };
        Some(spared).filter(|spared| self.pace.is_limited || spared.is_nothing())
    }

    /// Returns how much marketing the sender goes on with in 24 hours, and which, where the message
    /// is marketing and its quality bounds that.
    pub fn share(&self, known: &impl Known, now: Timestamp) -> Option<(&SenderId, u64)> {
        let id = self.sender_id.as_ref().filter(|_| self.is_marketing(now))?;
        let (_, put) = known.registry().sender(id)?;
        if put.value.quality != Quality::Yellow {
            return None;
        }
        let limit = known.registry().portfolio(&put.value.portfolio);
        let limit = limit.and_then(|put| put.value.messaging_limit);
        Some((id, yellow_share(&self.pace.policy, limit)))
    }

    /// Judges country, caps, hours, quality, pair and limit, in this order.
    pub(super) fn judge_pace(
        &self,
        (contact, key): (&Contact, Option<ContactKey>),
        is_open: bool,
        now: Timestamp,
        (hits, grounds): (&mut Hits, &mut Grounds),
    ) {
        let rules = self.rules(contact.home, now);
        self.judge_country(contact, rules, (hits, grounds));
        self.judge_held_back(contact, is_open, now, (hits, grounds));
        self.judge_caps(contact, rules, now, (hits, grounds));
        judge_hours(contact, rules, now, (hits, grounds));
        hits.extend(self.pace.brake.hit(Reason::QualityBrake).filter(|_| self.is_marketing(now)));
        self.judge_pair(contact, now, hits);
        if self.kind == MessageKind::Template
            && !is_open
            && let Some(hit) = self.pace.full.hit(Reason::MessagingLimit)
            && let Some(portfolio) = &self.pace.portfolio
            && !is_counted(&contact.details().sent, (portfolio, contact.other(key)), now)
        {
            hits.push(hit);
        }
    }

    /// A rule comes before what WhatsApp said: it says why.
    fn judge_country(
        &self,
        contact: &Contact,
        rules: &Rules,
        (hits, grounds): (&mut Hits, &mut Grounds),
    ) {
        if let Some(rule) = &rules.pause {
            hits.push(Hit::bare(Reason::CountryBlocked));
            grounds.push((Reason::CountryBlocked, rule.clone()));
            return;
        }
        let details = contact.details();
        let is_answered = |at: Timestamp| details.traffic.reached_at.is_some_and(|seen| at < seen);
        let told = details.told().country_blocked.filter(|mark| !is_answered(mark.at));
        let country = contact.home.country;
        let of_country = self.pace.countries.iter().find(|(known, _)| Some(*known) == country);
        if let Some(mark) = told.or(of_country.map(|(_, mark)| *mark)) {
            hits.push(Hit::at(Reason::CountryBlocked, Some(mark.at), Some(mark.seq)));
        }
    }

    /// What people have yet to decide comes before what WhatsApp said: waiting does not end it.
    fn judge_held_back(
        &self,
        contact: &Contact,
        is_open: bool,
        now: Timestamp,
        (hits, grounds): (&mut Hits, &mut Grounds),
    ) {
        let told = contact.details().told();
        let undecided = self.is_marketing(now).then(|| overdue(&self.pace.policy, contact, now));
        if let Some(Overdue { since, review, rule }) = undecided.flatten() {
            hits.push(Hit::at(Reason::MarketingCooldown, Some(since), Some(review.seq)));
            grounds.push((Reason::MarketingCooldown, rule));
        } else if let Some(held) =
            told.held_back.filter(|held| self.is_marketing(now) && now < held.until)
        {
            let retry_at = (held.until != Timestamp::NEVER).then_some(held.until);
            let hit = Hit::at(Reason::MarketingCooldown, Some(held.mark.at), Some(held.mark.seq));
            hits.push(Hit { retry_at, ..hit });
        }
        if let Some(mark) = told.experiment.filter(|_| self.is_marketing(now) && !is_open) {
            let ends_at = mark.at.plus_ms(EXPERIMENT_MS);
            if now < ends_at {
                let hit = Hit::at(Reason::ExperimentGroup, Some(mark.at), Some(mark.seq));
                hits.push(Hit { retry_at: Some(ends_at), ..hit });
            }
        }
    }

    /// Every cap holds; the one that ends last says when.
    fn judge_caps(
        &self,
        contact: &Contact,
        rules: &Rules,
        now: Timestamp,
        (hits, grounds): (&mut Hits, &mut Grounds),
    ) {
        let sent = &contact.details().sent;
        let Some(category) = self.category(now).filter(|_| !sent.is_empty()) else { return };
        let full = rules.frequency_caps.iter().filter_map(|one| {
            let cap = (one.cap.count.get(), one.cap.days.get());
            Some((capped_until(sent, category, cap, now)?, &one.rule))
        });
        if let Some((until, rule)) = full.max_by_key(|(until, _)| *until) {
            hits.push(Hit { retry_at: Some(until), ..Hit::bare(Reason::FrequencyCap) });
            grounds.push((Reason::FrequencyCap, rule.clone()));
        }
    }

    /// What WhatsApp refused for its pace, and what would be faster than the pace allows.
    fn judge_pair(&self, contact: &Contact, now: Timestamp, hits: &mut Hits) {
        let rest = self.sender_id.as_ref().and_then(|id| contact.details().told().rest(id));
        let rest = rest.filter(|rest| now < rest.until);
        let paced = self.sender.and_then(|sender| contact.details().paced(sender));
        let paced = paced.map(|until| until.plus_ms(-(PAIR_BURST - 1) * PAIR_MS));
        let paced = paced.filter(|at| now < *at);
        if rest.is_some() || paced.is_some() {
            let retry_at = rest.map(|rest| rest.until).max(paced);
            let hit = Hit::at(Reason::PairRate, None, rest.map(|rest| rest.seq));
            hits.push(Hit { retry_at, ..hit });
        }
    }
}

/// Judges the hours of the recipient, whose clock may be one of several.
fn judge_hours(
    contact: &Contact,
    rules: &Rules,
    now: Timestamp,
    (hits, grounds): (&mut Hits, &mut Grounds),
) {
    if rules.quiet_hours.is_empty() {
        return;
    }
    let quiet = zones::quiet(contact.home.zones(), &rules.quiet_hours, now.unix_ms());
    let Some(quiet) = quiet else { return };
    let retry_at =
        (quiet.until != zones::Until::NoneOpen).then(|| Timestamp::from_unix_ms(quiet.until_ms));
    hits.push(Hit { retry_at, ..Hit::bare(Reason::QuietHours) });
    let zones = contact.home.zones();
    let holds =
        |one: &&QuietRule| zones::quiet(zones, std::slice::from_ref(*one), now.unix_ms()).is_some();
    let holding = rules.quiet_hours.iter().filter(holds);
    grounds.extend(holding.map(|quiet| (Reason::QuietHours, quiet.rule.clone())));
}

/// Returns when the messages of a sender to a person will all have gone out at the pace of a pair,
/// if one more is sent now.
pub fn paced_until(known: Option<Timestamp>, now: Timestamp) -> Timestamp {
    known.map_or(now, |known| known.max(now)).plus_ms(PAIR_MS)
}
