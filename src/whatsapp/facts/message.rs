//! What people do: they write, tap, stop marketing, move to another number.
//!
//! Source: Meta, "messages webhook reference" with its pages per kind, "`user_preferences` webhook
//! reference", "Business-scoped user IDs"; read November 2026.

use crate::{
    domain::time::Timestamp,
    whatsapp::facts::{Fault, Person, Private, Spoken},
};

/// A message from a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inbound {
    /// The message's id. Nothing only if it cannot be read.
    pub message: Option<Private>,
    /// Who wrote.
    pub person: Person,
    /// What kind of message it is.
    pub kind: MessageKind,
    /// Whether the message opens or renews the 24 hours in which anything may be answered.
    pub opens_window: bool,
    /// What may be an answer about consent: words, or what a button or a list row stands for.
    pub answer: Option<Answer>,
    /// The message it answers, and whether it is somebody else's words.
    pub context: Context,
    /// The advertisement it came from.
    pub referral: Option<Referral>,
    /// The person's own number, shared because it was asked for.
    pub shared_number: Option<SharedNumber>,
    /// The identity hash behind the number, if the identity check is switched on.
    pub identity_hash: Option<Private>,
    /// The group it was written in.
    pub group: Option<Private>,
    /// Why WhatsApp cannot show it, if it cannot.
    pub faults: Vec<Fault>,
}

/// What kind of message a person sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageKind {
    /// Plain text.
    Text,
    /// A tap on a template's quick-reply button.
    Button,
    /// A tap on a button of an interactive message.
    ButtonReply,
    /// A row chosen from a list.
    ListReply,
    /// A flow or form that was filled in.
    Flow,
    /// An answer to the question whether we may call; can also be given by itself when they call.
    CallPermission,
    /// A picture.
    Image,
    /// A film.
    Video,
    /// A voice message or music.
    Audio,
    /// A file.
    Document,
    /// A sticker.
    Sticker,
    /// A place.
    Location,
    /// Contact cards.
    Contacts,
    /// An emoji put on a message, or taken off.
    Reaction,
    /// An order from a catalogue.
    Order,
    /// Something the API cannot carry. Also what some clients give for edits and deletions.
    Unsupported,
    /// An earlier message was edited.
    Edit,
    /// An earlier message was taken back.
    Revoke,
    /// No message but a call of the person's.
    Call,
    /// A kind this build does not know, by WhatsApp's word for it.
    Other(Box<str>),
}

impl MessageKind {
    /// Returns whether a message of this kind opens or renews the 24 hours.
    ///
    /// "Any message or call from the user" does. Meta does not say whether a reaction does, nor
    /// what happens with messages it cannot carry (which can be edits or deletions of old ones),
    /// with edits, with call permissions that give themselves, and with kinds yet to come. For all
    /// of these the answer is no: a window wrongly closed costs a template, one wrongly open breaks
    /// a promise.
    ///
    /// Source: Meta, "Send messages", customer service windows; read November 2026.
    pub const fn opens_window(&self) -> bool {
        match self {
            Self::Text
            | Self::Button
            | Self::ButtonReply
            | Self::ListReply
            | Self::Flow
            | Self::Image
            | Self::Video
            | Self::Audio
            | Self::Document
            | Self::Sticker
            | Self::Location
            | Self::Contacts
            | Self::Order
            | Self::Call => true,
            Self::CallPermission
            | Self::Reaction
            | Self::Unsupported
            | Self::Edit
            | Self::Revoke
            | Self::Other(_) => false,
        }
    }
}

/// What may be an answer about consent. Whether it is one, only the registry and the word lists
/// can tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Words typed, or left as a link had put them.
    Text(Spoken),
    /// Words under a picture, a film or a file.
    Caption(Spoken),
    /// Words, or words under a picture, that the person put in place of earlier ones.
    Edited(Spoken),
    /// A template's button. Without a payload of its own the payload is the label.
    Button {
        /// What the button stands for.
        payload: Option<Spoken>,
        /// What it says.
        label: Option<Spoken>,
    },
    /// A button of an interactive message.
    ButtonReply {
        /// What the button stands for.
        id: Option<Spoken>,
        /// What it says.
        title: Option<Spoken>,
    },
    /// A row of a list.
    ListReply {
        /// What the row stands for.
        id: Option<Spoken>,
        /// What it says.
        title: Option<Spoken>,
    },
    /// A form.
    Flow {
        /// The form's name at WhatsApp, such as `flow`.
        name: Option<Box<str>>,
        /// What was filled in, as JSON in a text.
        response: Option<Spoken>,
    },
}

/// What a message refers to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Context {
    /// The message it answers: the question, where this is an answer about consent.
    pub message: Option<Private>,
    /// Whether these are somebody else's words.
    pub forwarded: Forwarded,
}

/// How often words were passed on before they came here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Forwarded {
    /// They are the person's own.
    #[default]
    No,
    /// Up to five times.
    Yes,
    /// More than five times.
    Often,
}

/// The advertisement or post a message came from. Links and QR codes leave no such trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Referral {
    /// `ad` or `post`.
    pub kind: Option<Box<str>>,
    /// Its id.
    pub id: Option<Box<str>>,
    /// Its address.
    pub url: Option<Box<str>>,
    /// The click's id. Advertisements in a WhatsApp status have none.
    pub click: Option<Private>,
}

/// A number a person shared as their own: an answer to our request for it, not a card they passed
/// on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedNumber {
    /// WhatsApp's spelling, digits only.
    pub wa_id: Option<Private>,
    /// The number as the card has it, with `+`.
    pub number: Option<Private>,
}

/// A person's wish about marketing, made in WhatsApp's own settings. It is about the business,
/// whichever of its numbers reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preference {
    /// Whose wish.
    pub person: Person,
    /// Which.
    pub choice: PreferenceChoice,
    /// What it is about, if not marketing: a word this build does not know. To be on the safe side
    /// a stop of something unknown may be taken for a stop of marketing, a resume may not.
    pub other_category: Option<Box<str>>,
}

/// Stop or go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PreferenceChoice {
    /// No more.
    Stop,
    /// Again, please.
    Resume,
}

/// A person left a number for another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberChanged {
    /// The identifiers left behind, from now on to be held for a stranger's.
    pub old: Person,
    /// The identifiers from now on, as far as they are shown.
    pub new: Person,
}

/// A person's user id changed and the number is not shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserIdChanged {
    /// The identifiers left behind.
    pub old: Person,
    /// The identifiers from now on.
    pub new: Person,
}

/// Another device, or another person, may be behind a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityChanged {
    /// Whose number.
    pub person: Person,
    /// The hash from now on.
    pub hash: Option<Private>,
    /// Whether the business already acknowledged it to WhatsApp. That is no proof of anything.
    pub acknowledged: bool,
    /// The moment at which WhatsApp made the hash, if it says so.
    pub made_at: Option<Timestamp>,
}
