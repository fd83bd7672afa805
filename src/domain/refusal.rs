//! Why the domain says no to a command. One variant per thing a caller can act on.

use crate::domain::{
    eligibility::{QuestionError, Resolved, Verdict},
    entry::Seq,
    ids::ContactId,
    ticket::VoidCause,
    time::Timestamp,
};

/// A command the rules do not allow. Expected, and the caller's to act on.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Refusal {
    /// Neither a number nor a user id.
    #[error("a person needs a number or a user id")]
    PersonUnnamed,
    /// The number and the user id belong to two contacts.
    #[error("the number and the user id belong to two contacts")]
    IdentifiersConflict,
    /// The code is another entry point's.
    #[error("the code is another entry point's")]
    EntryCodeTaken,
    /// The contact is not known.
    #[error("the contact is not known")]
    ContactUnknown,
    /// A contact that is to be merged is not known.
    #[error("there is no such contact to merge")]
    MergeUnknown(MergeSide),
    /// A contact is to be merged into itself.
    #[error("both name the same contact")]
    MergeIntoItself,
    /// No more contacts fit.
    #[error("the ledger holds as many contacts as it can")]
    ContactsFull,
    /// A topic nobody put; the place in the caller's list.
    #[error("the topic is not known")]
    TopicUnknown {
        /// Place in the list, from 0; `None` where the command names only one.
        place: Option<usize>,
    },
    /// A statement nobody put.
    #[error("the statement is not known")]
    StatementUnknown,
    /// A language, and no statement that was shown in it.
    #[error("a language needs the statement that was shown in it")]
    StatementMissing,
    /// A language the statement does not have.
    #[error("the statement has no text in this language")]
    StatementLanguage,
    /// A topic the statement does not name; the place in the caller's list.
    #[error("the statement says nothing about this topic")]
    StatementTopic {
        /// Place in the list, from 0.
        place: usize,
    },
    /// A portfolio nobody put.
    #[error("the portfolio is not known")]
    PortfolioUnknown,
    /// A sender nobody put.
    #[error("the sender is not known")]
    SenderUnknown,
    /// No more topics or senders fit.
    #[error("the registry holds as many of these as it can")]
    RegistryFull,
    /// The act lies in the future.
    #[error("the moment lies more than {allowed_ms} ms in the future")]
    InTheFuture {
        /// What the caller calls the moment.
        member: &'static str,
        /// How far ahead clocks may be.
        allowed_ms: i64,
    },
    /// The hash is not the one that was last observed.
    #[error("the hash is not the one last observed for this contact")]
    IdentityHashMismatch,
    /// The question makes no sense.
    #[error(transparent)]
    Question(#[from] QuestionError),
    /// The message may not be sent.
    #[error("the message may not be sent")]
    SendRefused(Box<RefusedSend>),
    /// The sender has more to send than it can before the ticket would run out.
    #[error("the sender's throughput is used up for as long as the ticket would be good")]
    SenderBusy {
        /// When it can.
        frees_at: Timestamp,
    },
    /// The sender has reserved as much for this contact as it may at once.
    #[error("as many messages are reserved for this contact as may be at once")]
    TicketsOpen {
        /// When the first of the tickets runs out.
        frees_at: Timestamp,
    },
    /// The ticket is not known.
    #[error("the ticket is not known")]
    TicketUnknown,
    /// The ticket was taken back.
    #[error("the ticket was voided")]
    TicketVoided {
        /// Why.
        cause: VoidCause,
    },
    /// The ticket was given back.
    #[error("the ticket was released")]
    TicketReleased,
    /// The ticket was already used for another message.
    #[error("the ticket was already used")]
    TicketCommitted,
    /// The look-up is not under way.
    #[error("the look-up is not under way")]
    LookupUnknown,
    /// The budget does not cover the look-ups.
    #[error("the look-up budget is spent")]
    LookupBudget {
        /// How many are needed.
        wanted: u64,
        /// How many are left.
        left: u64,
        /// When enough are left, if waiting alone gets there.
        frees_at: Option<Timestamp>,
    },
    /// The review is not open.
    #[error("the review is not known, or was decided")]
    ReviewUnknown,
    /// The job is not known, or no more.
    #[error("the job is not known")]
    JobUnknown,
    /// As many jobs go on as may.
    #[error("as many jobs are under way as may be at once")]
    JobsOpen,
    /// The API key is not known.
    #[error("the API key is not known")]
    KeyUnknown,
    /// The API key ended.
    #[error("the API key was revoked")]
    KeyRevoked,
    /// Nobody could make API keys any more.
    #[error("it is the last API key that may make others")]
    LastManager,
    /// The idempotency key was used for another request.
    #[error("the idempotency key was used for another request")]
    OnceReused,
    /// The ledger is already open.
    #[error("the ledger is already open")]
    LedgerOpen,
}

/// Which of the two contacts of a merge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MergeSide {
    /// The one that becomes part of the other.
    From,
    /// The one that stays.
    Into,
}

/// A send that was refused, and everything to explain it with.
#[derive(Debug, Clone)]
pub struct RefusedSend {
    /// The question.
    pub resolved: Resolved,
    /// The answer.
    pub verdict: Verdict,
    /// When waiting alone makes it eligible.
    pub next_eligible_at: Option<Timestamp>,
    /// The contact, if there is one.
    pub contact: Option<ContactId>,
    /// The last entry taken into account.
    pub as_of: Seq,
}
