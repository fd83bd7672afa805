//! One person as `GET /v1/contacts/{ref}` shows them: from memory what decisions rest on, from the
//! contact's document what names them.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    documents::{ContactDocument, FormerIdentity},
    domain::{
        absorbed::Mark,
        consent::ConsentStatus,
        contact::{Contact, LookupState},
        eligibility::seen_at_home,
        entry::{Seq, Subject},
        hearing::Told,
        ids::ContactId,
        key::ContactKey,
        registry::Registry,
        state::State,
        time::Timestamp,
    },
    http::{v1::decision::ConsentBody, wire::Moment},
    policy::ConsentBasis,
};

/// One person.
#[derive(Debug, Serialize, ToSchema)]
pub struct ContactBody {
    /// The contact's id.
    #[schema(value_type = String, format = Uuid)]
    id: ContactId,
    /// The number, in E.164.
    number: Option<Box<str>>,
    /// Whether the number has the shape of one in use; `false` is a flag, not a refusal.
    number_valid: Option<bool>,
    /// The number as it was last given, where that differs.
    written: Option<Box<str>>,
    /// The number as WhatsApp writes it, if it was ever seen.
    wa_id: Option<Box<str>>,
    /// The business-scoped user id.
    user_id: Option<Box<str>>,
    /// Contacts that turned out to be this person and were merged into this one.
    merged: Vec<FormerBody>,
    /// Who is behind the number.
    pub(super) identity: IdentityBody,
    /// Where each topic stands.
    consents: Vec<OwnedConsent>,
    /// Since when the person has withdrawn from everything, whatever came later per topic.
    opted_out_of_all_at: Option<Moment>,
    /// Since when an operator blocked the contact.
    blocked_since: Option<Moment>,
    /// What WhatsApp says of the person.
    whatsapp: ToldBody,
    /// Whether the number is on WhatsApp, as far as is known.
    reachability: ReachabilityBody,
    /// The ledger's last entry when this was read.
    #[schema(value_type = u64)]
    as_of: Seq,
}

/// A contact that became part of another: whatever it was known by leads to the other.
#[derive(Debug, Serialize, ToSchema)]
pub struct FormerBody {
    /// Its id.
    #[schema(value_type = String, format = Uuid)]
    id: ContactId,
    /// Its number, in E.164.
    number: Option<Box<str>>,
    /// Its number as it was last given, where that differs.
    written: Option<Box<str>>,
    /// Its number as WhatsApp writes it, if it was ever seen.
    wa_id: Option<Box<str>>,
    /// Its business-scoped user id.
    user_id: Option<Box<str>>,
    /// When it was merged.
    merged_at: Moment,
    /// The entry that recorded it.
    #[schema(value_type = u64)]
    seq: Seq,
}

/// Where a consent of a contact stands, and whether a change of identity or of number suspends it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ContactConsentBody)]
struct OwnedConsent {
    /// About what.
    topic: Box<str>,
    /// Where it stands.
    #[schema(value_type = String)]
    status: ConsentStatus,
    /// When the person agreed, if that is what they last did.
    granted_at: Option<Moment>,
    /// When the agreement runs out, if it does.
    expires_at: Option<Moment>,
    /// The entry that recorded the deciding act.
    #[schema(value_type = Option<u64>)]
    seq: Option<Seq>,
    /// What the agreement rests on, where the person did not say it themself: `implied_purchase`,
    /// `implied_inquiry` or `implied`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    basis: Option<ConsentBasis>,
    /// Whether it does not count while nobody knows that the person is still the one who agreed:
    /// the identity or the number changed since.
    suspended: bool,
}

/// Who is behind a number, as far as WhatsApp says.
#[derive(Debug, Serialize, ToSchema)]
pub struct IdentityBody {
    /// `current`, or `changed` while agreements are suspended.
    status: &'static str,
    /// The latest hash.
    hash: Option<Box<str>>,
    /// When it was observed.
    observed_at: Option<Moment>,
    /// When it changed, if that still suspends agreements.
    changed_at: Option<Moment>,
    /// The entry that recorded the change.
    #[schema(value_type = Option<u64>)]
    seq: Option<Seq>,
}

/// What WhatsApp says of a person. None of it is a withdrawal.
#[derive(Debug, Serialize, ToSchema)]
pub struct ToldBody {
    /// Since when the person takes no marketing, as set inside WhatsApp.
    marketing_stopped_since: Option<Moment>,
    /// Since when WhatsApp holds marketing back.
    marketing_held_back_since: Option<Moment>,
    /// Until when, where time alone ends it.
    marketing_held_back_until: Option<Moment>,
    /// When the person was last found in a group that gets no marketing.
    experiment_seen_at: Option<Moment>,
    /// When the person moved to another number.
    number_changed_at: Option<Moment>,
    /// Since when WhatsApp takes no message to the person from this business.
    barred_since: Option<Moment>,
    /// When WhatsApp last said that the business may not write to the person's country.
    country_blocked_at: Option<Moment>,
}

/// Whether a number is on WhatsApp, as far as is known.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReachabilityBody {
    /// Since when WhatsApp is suspected not to reach the number.
    unreachable_since: Option<Moment>,
    /// The last sign of life.
    last_reached_at: Option<Moment>,
    /// What the last look-up said.
    #[schema(value_type = Option<String>)]
    lookup: Option<LookupState>,
    /// When it said so.
    checked_at: Option<Moment>,
}

/// Shows a contact, asked for by a key if by one, with what its document says; `None` if it is not known.
pub(super) fn show(
    state: &State,
    subject: Subject,
    (named, document): (Option<ContactKey>, Option<ContactDocument>),
    now: Timestamp,
) -> Option<ContactBody> {
    let contact = state.contacts().get(subject)?;
    let mut body = describe((contact, named), state.registry(), now, state.last());
    if let Some(document) = document {
        body.number = document.number.map(|number| number.as_e164().into());
        body.number_valid = body.number.as_ref().map(|_| document.number_valid);
        body.written = document.written;
        body.wa_id = document.wa_id;
        body.user_id = document.user_id;
        body.merged = document.former.into_iter().map(FormerBody::of).collect();
    }
    Some(body)
}

impl ToldBody {
    fn of(told: &Told) -> Self {
        let at = |mark: Option<Mark>| mark.map(|mark| Moment(mark.at));
        let held = told.held_back;
        let until = held.map(|held| held.until).filter(|until| *until != Timestamp::NEVER);
        Self {
            marketing_stopped_since: at(told.marketing_stopped()),
            marketing_held_back_since: at(held.map(|held| held.mark)),
            marketing_held_back_until: until.map(Moment),
            experiment_seen_at: at(told.experiment),
            number_changed_at: at(told.moved),
            barred_since: at(told.barred.map(|barred| barred.mark)),
            country_blocked_at: at(told.country_blocked),
        }
    }
}

impl FormerBody {
    fn of(former: FormerIdentity) -> Self {
        let FormerIdentity { id, number, written, wa_id, user_id, merged_at, seq } = former;
        Self {
            id,
            number: number.map(|number| number.as_e164().into()),
            written,
            wa_id,
            user_id,
            merged_at: Moment(merged_at),
            seq,
        }
    }
}

/// What memory says of a contact, asked for by a key if by one.
pub(super) fn describe(
    (contact, named): (&Contact, Option<ContactKey>),
    registry: &Registry,
    now: Timestamp,
    as_of: Seq,
) -> ContactBody {
    let details = contact.details();
    let change = contact.identity_changed();
    let consents = contact.consents.topics().filter_map(|ix| {
        let topic = registry.topic_id(ix)?;
        let standing = contact.consents.standing(ix, now);
        let standing = seen_at_home(standing, contact.home, (registry, topic), now);
        let body = ConsentBody::of(topic.as_str(), &standing);
        let suspended = body.granted_at.is_some() && contact.suspended_at(ix, named).is_some();
        Some(OwnedConsent {
            topic: topic.as_str().into(),
            status: body.status,
            granted_at: body.granted_at,
            expires_at: body.expires_at,
            seq: body.seq,
            basis: body.basis,
            suspended,
        })
    });
    let identity = details.identity.as_ref();
    let answer = details.lookup.as_ref().and_then(|lookup| lookup.answer);
    ContactBody {
        id: contact.id,
        number: None,
        number_valid: None,
        written: None,
        wa_id: None,
        user_id: None,
        merged: Vec::new(),
        identity: IdentityBody {
            status: if change.is_some() { "changed" } else { "current" },
            hash: contact.identity_hash().map(Box::from),
            observed_at: identity.map(|identity| Moment(identity.observed_at())),
            changed_at: change.map(|change| Moment(change.at)),
            seq: change.map(|change| change.seq),
        },
        consents: consents.collect(),
        opted_out_of_all_at: contact.consents.full_stop().map(|stop| Moment(stop.at)),
        blocked_since: details.blocked.map(|(at, _)| Moment(at)),
        whatsapp: ToldBody::of(details.told()),
        reachability: ReachabilityBody {
            unreachable_since: details.traffic.unreachable().map(|(at, _)| Moment(at)),
            last_reached_at: details.traffic.reached_at.map(Moment),
            lookup: answer.map(|(state, _)| state),
            checked_at: answer.map(|(_, at)| Moment(at)),
        },
        as_of,
    }
}
