//! Decisions as answers show them: one shape for one question, a batch and a refused send.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::{
        consent::{ConsentStatus, Standing},
        eligibility::{Hit, Resolved, Verdict},
        entry::Seq,
        ids::ContactId,
        reason::Reason,
        ticket::MessageKind,
        time::Timestamp,
    },
    http::wire::{ContactName, Moment},
    policy::ConsentBasis,
};

/// What lifts a hold on marketing that nobody but people can lift.
const DECIDE_FIRST: &str = "Decide the review named by `seq`: what the person wrote may be a STOP.";

/// One decision, with everything needed to understand it.
#[derive(Debug, Serialize, ToSchema)]
pub struct DecisionBody<'a> {
    /// Whether the message may be sent.
    pub eligible: bool,
    /// Your own name for the recipient, if you gave one.
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<&'a str>,
    /// Whom it is about.
    pub contact: ContactName<'a>,
    /// The form of the message.
    #[schema(value_type = String)]
    pub kind: MessageKind,
    /// The last entry of the ledger the decision takes into account.
    #[schema(value_type = u64)]
    pub as_of: Seq,
    /// Every reason against, in a fixed order; none means yes.
    pub reasons: Vec<ReasonBody>,
    /// When waiting alone makes it eligible: the first moment at which no reason is left, neither
    /// one of these nor one that begins meanwhile (the next quiet hours, the end of the agreement
    /// or of the window), while nothing else happens. `null` if waiting alone is not enough, and
    /// where it is eligible.
    pub next_eligible_at: Option<Moment>,
    /// Where the consent that counts stands.
    pub consent: Option<ConsentBody<'a>>,
    /// The 24 hours in which anything may be sent.
    pub session_window: WindowBody,
    /// The identity hash to send along.
    pub recipient_identity_key_hash: Option<&'a str>,
}

/// One reason against sending.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReasonBody {
    /// Stable name.
    pub code: &'static str,
    /// Whom or what it is about.
    pub scope: &'static str,
    /// Since when.
    pub since: Option<Moment>,
    /// The entry behind it.
    #[schema(value_type = Option<u64>)]
    pub seq: Option<Seq>,
    /// When time alone cures it.
    pub retry_at: Option<Moment>,
    /// What would change it.
    pub fix: &'static str,
    /// The rules of policy behind it, as `pack@version/rule`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<String>,
}

/// Where the consent for a topic stands.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConsentBody<'a> {
    /// About what.
    pub topic: &'a str,
    /// Where it stands.
    #[schema(value_type = String)]
    pub status: ConsentStatus,
    /// When the person agreed, if that is what they last did.
    pub granted_at: Option<Moment>,
    /// When the agreement runs out, if it does.
    pub expires_at: Option<Moment>,
    /// The entry that recorded the deciding act.
    #[schema(value_type = Option<u64>)]
    pub seq: Option<Seq>,
    /// What the agreement rests on, where the person did not say it themself: `implied_purchase`,
    /// `implied_inquiry` or `implied`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub basis: Option<ConsentBasis>,
}

/// The 24 hours after a person's message.
#[derive(Debug, Serialize, ToSchema)]
pub struct WindowBody {
    /// Whether it is open now; a little before it closes it no longer is, so that a message
    /// still arrives in time.
    pub open: bool,
    /// When it closes, or closed.
    pub closes_at: Option<Moment>,
}

/// What a decision is rendered from.
#[derive(Debug)]
pub struct Rendered<'a> {
    /// The question.
    pub resolved: &'a Resolved,
    /// The answer.
    pub verdict: &'a Verdict,
    /// When waiting alone makes it eligible.
    pub next_eligible_at: Option<Timestamp>,
    /// The contact's id, if it is known.
    pub id: Option<ContactId>,
    /// The number asked about.
    pub number: Option<&'a str>,
    /// The caller's own name for the recipient.
    pub reference: Option<&'a str>,
    /// The identity hash to send along.
    pub hash: Option<&'a str>,
    /// The last entry taken into account.
    pub as_of: Seq,
}

impl ReasonBody {
    fn of(hit: &Hit, verdict: &Verdict) -> Self {
        let grounds = verdict.grounds.iter().filter(|(reason, _)| *reason == hit.reason);
        let row = hit.reason.row();
        // What a rule holds back is not what WhatsApp does.
        let is_undecided =
            hit.reason == Reason::MarketingCooldown && grounds.clone().next().is_some();
        Self {
            code: row.code,
            scope: row.scope.code(),
            since: hit.since.map(Moment),
            seq: hit.seq,
            retry_at: hit.retry_at.map(Moment),
            fix: if is_undecided { DECIDE_FIRST } else { row.fix },
            rules: grounds.map(|(_, rule)| rule.to_string()).collect(),
        }
    }
}

impl<'a> ConsentBody<'a> {
    /// Where `topic` stands.
    pub fn of(topic: &'a str, standing: &Standing) -> Self {
        let agreed = matches!(standing.status, ConsentStatus::Granted | ConsentStatus::Expired);
        Self {
            topic,
            status: standing.status,
            granted_at: standing.at.filter(|_| agreed).map(Moment),
            expires_at: standing.expires_at.map(Moment),
            seq: standing.seq,
            basis: Some(standing.basis).filter(|basis| agreed && !basis.is_express()),
        }
    }
}

impl<'a> Rendered<'a> {
    /// Returns the body of the answer.
    pub fn body(&self) -> DecisionBody<'a> {
        let Self { resolved, verdict, next_eligible_at, id, number, reference, hash, as_of } =
            *self;
        let closes_at = verdict.window_closes_at;
        let topic = resolved.topic().zip(verdict.standing.as_ref());
        DecisionBody {
            eligible: verdict.is_eligible(),
            reference,
            contact: ContactName { id, number },
            kind: resolved.kind(),
            as_of,
            reasons: verdict.hits.iter().map(|hit| ReasonBody::of(hit, verdict)).collect(),
            next_eligible_at: next_eligible_at.map(Moment),
            consent: topic.map(|(topic, standing)| ConsentBody::of(topic.as_str(), standing)),
            session_window: WindowBody {
                open: verdict.window_is_open,
                closes_at: closes_at.map(Moment),
            },
            recipient_identity_key_hash: hash,
        }
    }
}
