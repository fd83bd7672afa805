//! Updates about the business: account, limits, numbers, names.

use chrono::NaiveDate;

use crate::{
    domain::time::Timestamp,
    whatsapp::{
        facts::{
            AccountAlert, AccountRestriction, Conclusion, DisplayName, LimitScope, MessagingLimit,
            NumberEvent, NumberQuality, PartnerRemoved, PortfolioLimit, Restriction,
            RestrictionKind, UsernameUpdate,
        },
        payload::{
            defects::Part,
            envelope::unknown,
            sink::{Origin, Sink},
            view::View,
        },
    },
};

/// Reads `account_update`.
pub(super) fn update(value: View<'_, '_>, origin: &Origin, sink: &mut Sink) {
    let word = value.word("event").map(str::to_ascii_uppercase);
    let event = word.as_deref().or_else(|| event_by_shape(value));
    let conclusion = match event {
        Some("ACCOUNT_RESTRICTION") => Some(restriction(value)),
        Some("DISABLED_UPDATE") => ban(value),
        Some("ACCOUNT_VIOLATION") => {
            let info = value.object("violation_info");
            let kind = info.and_then(|info| info.kept("violation_type"));
            Some(Conclusion::AccountViolation { kind })
        }
        Some("ACCOUNT_DELETED") => Some(Conclusion::AccountDeleted),
        Some("ACCOUNT_OFFBOARDED") => Some(Conclusion::AccountOffboarded),
        Some("ACCOUNT_RECONNECTED") => Some(Conclusion::AccountReconnected),
        Some("PARTNER_REMOVED") => Some(partner_removed(value)),
        Some(event) => Some(Conclusion::AccountNotice { event: event.into() }),
        None => None,
    };
    add(conclusion, value, origin, sink);
}

fn add(conclusion: Option<Conclusion>, value: View<'_, '_>, origin: &Origin, sink: &mut Sink) {
    match conclusion {
        Some(conclusion) => sink.add_of_value(origin, value.node(), conclusion),
        None => unknown(value, origin, sink),
    }
}

/// Returns the event that only one kind of content belongs to.
fn event_by_shape(value: View<'_, '_>) -> Option<&'static str> {
    [
        ("restriction_info", "ACCOUNT_RESTRICTION"),
        ("ban_info", "DISABLED_UPDATE"),
        ("violation_info", "ACCOUNT_VIOLATION"),
    ]
    .into_iter()
    .find_map(|(member, event)| value.has(member).then_some(event))
}

/// A restriction that names nothing is still told: someone should look.
fn restriction(value: View<'_, '_>) -> Conclusion {
    let nodes = value.list("restriction_info").iter();
    let views = nodes.filter_map(|node| View::of(node, Part::Value, value.defects()));
    let restrictions = views
        .filter_map(|info| {
            let kind = RestrictionKind::of_word(info.word("restriction_type")?);
            Some(Restriction { kind, until: info.moment("expiration") })
        })
        .collect();
    let number = value.id("phone_number");
    Conclusion::AccountRestriction(AccountRestriction { restrictions, number })
}

fn ban(value: View<'_, '_>) -> Option<Conclusion> {
    let info = value.object("ban_info")?;
    let day = day(info, "waba_ban_date");
    match info.word("waba_ban_state")?.to_ascii_uppercase().as_str() {
        "DISABLE" => Some(Conclusion::AccountDisabled { day }),
        "REINSTATE" => Some(Conclusion::AccountReinstated),
        "SCHEDULE_FOR_DISABLE" => Some(Conclusion::AccountDisableScheduled { day }),
        _ => None,
    }
}

/// Returns the start of a day written as `November 20, 2026`, as `2026-11-20`, or in seconds.
pub(super) fn day(view: View<'_, '_>, member: &'static str) -> Option<Timestamp> {
    let of_word = |word: &str| {
        let formats = ["%B %d, %Y", "%b %d, %Y", "%Y-%m-%d"];
        let mut days =
            formats.into_iter().filter_map(|format| NaiveDate::parse_from_str(word, format).ok());
        let start = days.next()?.and_hms_opt(0, 0, 0)?.and_utc();
        Some(Timestamp::from_unix_ms(start.timestamp_millis()))
    };
    view.either(member, of_word, |seconds| {
        Some(Timestamp::from_unix_ms(seconds.checked_mul(crate::domain::time::SECOND_MS)?))
    })
}

fn partner_removed(value: View<'_, '_>) -> Conclusion {
    let (waba, left) = (value.object("waba_info"), value.object("disconnection_info"));
    Conclusion::AccountPartnerRemoved(PartnerRemoved {
        account: waba.and_then(|waba| waba.id("waba_id")),
        owner: waba.and_then(|waba| waba.id("owner_business_id")),
        reason: left.and_then(|left| left.kept("reason")),
        by: left.and_then(|left| left.kept("initiated_by")),
    })
}

/// Reads `account_alerts`.
pub(super) fn alert(value: View<'_, '_>, origin: &Origin, sink: &mut Sink) {
    let info = value.object("alert_info");
    let alert = AccountAlert {
        kind: info.and_then(|info| info.kept("alert_type")),
        severity: info.and_then(|info| info.kept("alert_severity")),
        status: info.and_then(|info| info.kept("alert_status")),
        entity_kind: value.kept("entity_type"),
        entity: value.id("entity_id"),
    };
    sink.add_of_value(origin, value.node(), Conclusion::AccountAlert(alert));
}

/// Reads `account_review_update`.
pub(super) fn review(value: View<'_, '_>, origin: &Origin, sink: &mut Sink) {
    let decision = value.kept("decision");
    let conclusion = decision.map(|decision| Conclusion::AccountReview { decision });
    add(conclusion, value, origin, sink);
}

/// Returns a limit written in any of its ways.
pub(in crate::whatsapp) fn limit(
    view: View<'_, '_>,
    member: &'static str,
) -> Option<MessagingLimit> {
    view.either(member, MessagingLimit::of_word, MessagingLimit::of_number)
}

/// Returns the portfolio's limit, where an update has one.
fn portfolio_limit(value: View<'_, '_>) -> Option<Conclusion> {
    let limit = limit(value, "max_daily_conversations_per_business")?;
    Some(Conclusion::PortfolioLimit(PortfolioLimit { limit, scope: LimitScope::Portfolio }))
}

/// Reads `business_capability_update`. Webhooks of old versions have the limit of each number.
pub(super) fn capability(value: View<'_, '_>, origin: &Origin, sink: &mut Sink) {
    let of_each_number = || {
        let limit = limit(value, "max_daily_conversation_per_phone")?;
        Some(Conclusion::PortfolioLimit(PortfolioLimit { limit, scope: LimitScope::EachNumber }))
    };
    add(portfolio_limit(value).or_else(of_each_number), value, origin, sink);
}

/// Reads `phone_number_quality_update`, which may tell the portfolio's limit as well.
pub(super) fn number_quality(value: View<'_, '_>, origin: &Origin, sink: &mut Sink) {
    let quality = value.word("event").map(|word| {
        Conclusion::NumberQuality(NumberQuality {
            event: NumberEvent::of_word(word),
            number: value.id("display_phone_number"),
            limit_before: limit(value, "old_limit"),
            limit_now: limit(value, "current_limit"),
        })
    });
    let limit = portfolio_limit(value);
    if quality.is_some() || limit.is_none() {
        add(quality, value, origin, sink);
    }
    if let Some(limit) = limit {
        sink.add_of_value(origin, value.node(), limit);
    }
}

/// Reads `phone_number_name_update`.
pub(super) fn display_name(value: View<'_, '_>, origin: &Origin, sink: &mut Sink) {
    let update = DisplayName {
        number: value.id("display_phone_number"),
        name: value.kept("requested_verified_name"),
        decision: value.kept("decision"),
    };
    sink.add_of_value(origin, value.node(), Conclusion::NameUpdate(update));
}

/// Reads `business_username_updates`.
pub(super) fn username(value: View<'_, '_>, origin: &Origin, sink: &mut Sink) {
    let update = UsernameUpdate {
        number: value.id("display_phone_number"),
        username: value.kept("username"),
        status: value.kept("status"),
    };
    sink.add_of_value(origin, value.node(), Conclusion::UsernameUpdate(update));
}
