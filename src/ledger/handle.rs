//! How everyone else reaches the writer: a queue with an end, and an answer to wait for.

use std::{sync::Arc, time::Duration};

use tokio::sync::{mpsc, oneshot};

use crate::{
    domain::{
        command::{Command, Envelope, Person},
        entry::{Seq, Subject},
        event::Record,
        hearing::{ConsentAnswer, Delivery, Failure, FailureEffect, HeardFact, Wrote},
        ids::TicketId,
        key::ContactKey,
        refusal::Refusal,
    },
    ledger::{
        recent::{Recent, RecentReader},
        views::{StopId, Views},
    },
};

/// An entry that is durable, as its command's caller sees it.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// Its position.
    pub seq: Seq,
    /// Its leaf in the ledger's tree.
    pub leaf_hash: [u8; 32],
    /// Whom it is about.
    pub subject: Subject,
    /// What happened.
    pub record: Arc<Record>,
}

/// What became of a command.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// These entries are durable; none, when nothing had to change.
    Done(Vec<Recorded>),
    /// It was done before, under the same idempotency key: these positions.
    DoneBefore {
        /// The first entry.
        first: Seq,
        /// How many there are.
        entries: u32,
    },
}

/// Why a command got no outcome.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The rules say no. Recorded nowhere.
    #[error(transparent)]
    Refused(Box<Refusal>),
    /// The queue is full.
    #[error("the ledger is busy")]
    Busy,
    /// The ledger takes no more entries; this command was certainly not recorded.
    #[error("the ledger is read-only after a storage failure")]
    ReadOnly,
    /// Storage failed under this very command; only opening the ledger again tells whether it
    /// was recorded.
    #[error("storage failed while the command was being recorded")]
    Unknown,
    /// The writer has stopped.
    #[error("the ledger is closed")]
    Closed,
}

pub(super) type Answer = Result<Outcome, SubmitError>;

/// A command that waits for its group.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) envelope: Envelope,
    pub(super) answer: oneshot::Sender<Answer>,
}

/// Submits commands. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Ledger {
    pub(super) queue: mpsc::Sender<Pending>,
    pub(super) views: Arc<Views>,
    pub(super) recent: Recent,
}

impl Ledger {
    /// Submits a command and waits until its entries are durable.
    ///
    /// # Errors
    ///
    /// [`SubmitError`] says whether to correct the request, to retry, or to look first.
    pub async fn submit(&self, envelope: Envelope) -> Answer {
        let stop = Stop::of(&self.views, &envelope);
        // By itself, so that what waits holds the command only once.
        let answer = match self.offer(envelope) {
            Ok(outcome) => outcome.await.unwrap_or(Err(SubmitError::Unknown)),
            Err(error) => Err(error),
        };
        self.note(stop, &answer);
        answer
    }

    /// As [`Self::submit`], but waits this long for a place in the queue before it is busy.
    ///
    /// # Errors
    ///
    /// As [`Self::submit`].
    pub async fn submit_within(&self, envelope: Envelope, wait: Duration) -> Answer {
        let stop = Stop::of(&self.views, &envelope);
        let answer = match self.place(wait).await {
            Ok(place) => {
                let (answer, outcome) = oneshot::channel();
                place.send(Pending { envelope, answer });
                outcome.await.unwrap_or(Err(SubmitError::Unknown))
            }
            Err(error) => Err(error),
        };
        self.note(stop, &answer);
        answer
    }

    fn offer(&self, envelope: Envelope) -> Result<oneshot::Receiver<Answer>, SubmitError> {
        if self.views.is_read_only() {
            return Err(SubmitError::ReadOnly);
        }
        let (answer, outcome) = oneshot::channel();
        let pending = Pending { envelope, answer };
        self.queue.try_send(pending).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => SubmitError::Busy,
            mpsc::error::TrySendError::Closed(_) => SubmitError::Closed,
        })?;
        Ok(outcome)
    }

    /// Begins to hand on what is committed from now on, for one who follows the ledger: see
    /// [`RecentReader`]. At most `bytes_max` bytes of entries, as stored, wait for it.
    pub fn follow(&self, bytes_max: usize) -> RecentReader {
        self.recent.follow(bytes_max)
    }

    async fn place(&self, wait: Duration) -> Result<mpsc::Permit<'_, Pending>, SubmitError> {
        if self.views.is_read_only() {
            return Err(SubmitError::ReadOnly);
        }
        match tokio::time::timeout(wait, self.queue.reserve()).await {
            Ok(place) => place.map_err(|mpsc::error::SendError(())| SubmitError::Closed),
            Err(tokio::time::error::Elapsed { .. }) => Err(SubmitError::Busy),
        }
    }

    /// Remembers who must not be written to, if the ledger could not take it down. Whoever calls
    /// learns that there was no room, and what they asked for was not done; what was heard is said
    /// again, and holds until then.
    fn note(&self, stop: Option<Stop>, answer: &Answer) {
        let Some(Stop { keys, id }) = stop else { return };
        match (answer, id) {
            (Err(SubmitError::ReadOnly | SubmitError::Unknown | SubmitError::Closed), _) => {
                self.views.note_unrecorded_stop(&keys);
            }
            (Err(SubmitError::Busy), Some(id)) => self.views.note_waiting_stop(id, &keys),
            (Ok(_), Some(id)) => self.views.forget_waiting_stop(&id),
            (Err(SubmitError::Refused(_) | SubmitError::Busy) | Ok(_), _) => {}
        }
    }

    /// Returns what readers see.
    pub const fn views(&self) -> &Arc<Views> {
        &self.views
    }

    /// Returns whether the writer still listens.
    pub fn is_open(&self) -> bool {
        !self.queue.is_closed()
    }

    /// Returns how many more commands fit into the queue.
    pub fn room(&self) -> usize {
        self.queue.capacity()
    }
}

/// What is remembered of a command until it is recorded.
struct Stop {
    keys: Vec<ContactKey>,
    /// What its repeat will have in common with it, if WhatsApp said it.
    id: Option<StopId>,
}

impl Stop {
    fn of(views: &Views, envelope: &Envelope) -> Option<Self> {
        let keys = stopped_keys(views, &envelope.command);
        if keys.is_empty() {
            return None;
        }
        let id = if let Command::Hear(heard) = &envelope.command {
            let once = envelope.once.as_ref().map(|once| StopId::Once(once.id));
            Some(once.unwrap_or_else(|| StopId::Said(heard.at, keys.clone())))
        } else {
            None
        };
        Some(Self { keys, id })
    }
}

/// Returns who must not be written to if this command cannot be recorded: the person by every
/// identifier named, weak spellings included.
fn stopped_keys(views: &Views, command: &Command) -> Vec<ContactKey> {
    let person = if let Command::OptOut(opt_out) = command {
        &opt_out.person
    } else if let Command::Hear(heard) = command {
        match stopped(&heard.fact) {
            Stopped::Person(person) => person,
            Stopped::Key(key) => return vec![key],
            Stopped::Ticket(ticket) => return ticket_keys(views, ticket),
            Stopped::Nobody => match changed(views, &heard.fact) {
                Some(person) => person,
                None => return Vec::new(),
            },
        }
    } else {
        return Vec::new();
    };
    let number = person.number.as_ref();
    let weak = number.into_iter().flat_map(|number| number.weak.iter().copied());
    let user = person.user.as_ref().map(|user| user.key);
    number.map(|number| number.key).into_iter().chain(user).chain(weak).collect()
}

/// Returns the keys of whom a ticket is for.
fn ticket_keys(views: &Views, ticket: TicketId) -> Vec<ContactKey> {
    let state = views.state();
    let contact = state.ticket(ticket).map(|ticket| state.contacts().resolve(ticket.contact));
    let contact = contact.and_then(|subject| state.contacts().get(subject));
    let keys = contact.map(|known| [known.number_key, known.user_key]);
    keys.into_iter().flatten().flatten().collect()
}

/// Returns who came with another identity hash than the one that is known.
fn changed<'a>(views: &Views, fact: &'a HeardFact) -> Option<&'a Person> {
    let (person, hash) = if let HeardFact::Wrote(wrote) = fact {
        (&wrote.person, wrote.identity_hash.as_deref()?)
    } else if let HeardFact::Delivery(delivery) = fact {
        (delivery.person.as_ref()?, delivery.identity_hash.as_deref()?)
    } else {
        return None;
    };
    let number = person.number.as_ref().map(|number| number.key);
    let user = person.user.as_ref().map(|user| user.key);
    let state = views.state();
    let is_other = |key| {
        let known = state.contacts().find(key).and_then(|subject| state.contacts().get(subject));
        known.is_some_and(|known| {
            known.details().identity.as_ref().is_some_and(|identity| identity.hash() != hash)
        })
    };
    [number, user].into_iter().flatten().any(is_other).then_some(person)
}

/// Whom a fact forbids to write to, whatever else is known.
enum Stopped<'a> {
    Person(&'a Person),
    Key(ContactKey),
    Ticket(TicketId),
    Nobody,
}

/// Returns who withdrew, may have withdrawn, or may be somebody else now. A stop of marketing counts
/// for everything: what a message is for cannot be told where this is asked.
fn stopped(fact: &HeardFact) -> Stopped<'_> {
    match fact {
        HeardFact::Wrote(Wrote {
            person,
            answer: Some(ConsentAnswer::OptOut { .. } | ConsentAnswer::Review { .. }),
            ..
        })
        | HeardFact::MarketingPreference { person, is_stopped: true }
        | HeardFact::MovedNumber { old: person, .. }
        | HeardFact::IdentityChanged { person, .. } => Stopped::Person(person),
        HeardFact::MovedUser { previous, .. } => Stopped::Key(previous.key),
        HeardFact::Delivery(Delivery {
            person,
            ticket,
            failure:
                Some(Failure {
                    effect:
                        FailureEffect::MarketingStopped
                        | FailureEffect::BlockedByBusiness
                        | FailureEffect::RefuseForever
                        | FailureEffect::Identity,
                    ..
                }),
            ..
        }) => match (person, ticket) {
            (Some(person), _) => Stopped::Person(person),
            (None, Some(ticket)) => Stopped::Ticket(*ticket),
            (None, None) => Stopped::Nobody,
        },
        HeardFact::Wrote(_)
        | HeardFact::Delivery(_)
        | HeardFact::MarketingPreference { .. }
        | HeardFact::Account(_)
        | HeardFact::Template(_)
        | HeardFact::SenderNumber(_)
        | HeardFact::Limit { .. } => Stopped::Nobody,
    }
}
