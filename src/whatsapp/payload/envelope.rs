//! The outermost shape: accounts, their updates, and which reader each update is for.

use std::collections::BTreeMap;

use crate::{
    domain::names::SenderId,
    limits::{WEBHOOK_BYTES_MAX, WEBHOOK_ITEMS_MAX, WEBHOOK_UPDATES_MAX, WEBHOOK_VALUES_MAX},
    whatsapp::{
        facts::{Conclusion, Fact},
        payload::{
            account, calls,
            defects::{Defects, Part},
            inbound,
            json::{NotATree, parse},
            mend::mended,
            people::Cards,
            preference,
            shape::{self, Subject},
            sink::{Origin, Sink},
            status, template,
            view::View,
        },
    },
};

/// The one `object` whose updates are WhatsApp's.
const OBJECT: &str = "whatsapp_business_account";

/// What a webhook says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reading {
    /// Every fact, in the order written. Repeats within one webhook are still there.
    pub facts: Vec<Fact>,
    /// How often which member of which part could not be read; "" is the part as a whole.
    pub unread: BTreeMap<(Part, &'static str), u32>,
}

impl Reading {
    /// Returns how much could not be read.
    pub fn unread_total(&self) -> u32 {
        self.unread.values().fold(0, |total, count| total.saturating_add(*count))
    }
}

/// Why a webhook as a whole cannot be read. Nothing of it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// It is larger than any of WhatsApp's.
    #[error("a webhook is at most {WEBHOOK_BYTES_MAX} bytes long")]
    TooLong,
    /// It is not JSON.
    #[error("a webhook is JSON")]
    NotJson,
    /// It is not an object.
    #[error("a webhook is a JSON object")]
    NotAnObject,
    /// It has more updates, items or values than any of WhatsApp's.
    #[error(
        "a webhook has at most {WEBHOOK_UPDATES_MAX} updates, {WEBHOOK_ITEMS_MAX} items and \
         {WEBHOOK_VALUES_MAX} values"
    )]
    TooMuch,
}

impl From<NotATree> for ReadError {
    fn from(error: NotATree) -> Self {
        match error {
            NotATree::NotJson => Self::NotJson,
            NotATree::TooManyValues => Self::TooMuch,
        }
    }
}

/// Reads the body of a webhook. Whether it is WhatsApp's is for [`super::super::AppSecrets`].
///
/// Takes the Cloud API's envelope, one update without it, and the bare body of the On-Premises
/// API.
///
/// # Errors
///
/// [`ReadError`] if the body as a whole is not JSON, not an object, or beyond what WhatsApp sends.
/// Anything less only costs the part it is in.
pub fn read(body: &[u8]) -> Result<Reading, ReadError> {
    if body.len() > WEBHOOK_BYTES_MAX {
        return Err(ReadError::TooLong);
    }
    let defects = Defects::default();
    let facts = match parse(body) {
        Ok(node) => facts_of(&node, &defects)?,
        Err(NotATree::TooManyValues) => return Err(ReadError::TooMuch),
        Err(NotATree::NotJson) => {
            let mended = mended(body);
            let node = parse(mended.as_bytes())?;
            defects.note(Part::Body, "text");
            facts_of(&node, &defects)?
        }
    };
    Ok(Reading { facts, unread: defects.into_counts() })
}

fn facts_of(node: &super::json::Node<'_>, defects: &Defects) -> Result<Vec<Fact>, ReadError> {
    let body = View::of(node, Part::Body, defects).ok_or(ReadError::NotAnObject)?;
    let mut reader = Reader { sink: Sink::default(), updates: 0 };
    let object = body.word("object");
    if object.is_some_and(|object| object != OBJECT) {
        let shape = "object".into();
        let unknown = Conclusion::Unknown { field: None, shape };
        reader.sink.add_of_value(&Origin::default(), node, unknown);
    } else if body.has("entry") {
        for entry in body.list("entry") {
            if let Some(entry) = View::of(entry, Part::Entry, defects) {
                reader.entry(entry, body)?;
            }
        }
    } else if body.has("value") {
        reader.change(body, &Origin::default())?;
    } else if shape::is_conversation(body) {
        let body = body.named(Part::Value);
        reader.value(body, Subject::Conversation, Origin::default())?;
    } else {
        let shape = shape::outline(body);
        reader.sink.add_of_value(
            &Origin::default(),
            node,
            Conclusion::Unknown { field: None, shape },
        );
    }
    Ok(reader.sink.facts)
}

struct Reader {
    sink: Sink,
    updates: usize,
}

impl Reader {
    /// Reads the updates of one account. Two of Meta's own examples have the name of the field
    /// beside them instead of inside.
    fn entry(&mut self, entry: View<'_, '_>, body: View<'_, '_>) -> Result<(), ReadError> {
        let field = entry.kept("field").or_else(|| body.kept("field"));
        let (account, time) = (entry.id("id"), entry.moment("time"));
        let origin = Origin { account, time, sender: None, field };
        if !entry.has("changes") && entry.has("value") {
            return self.change(entry, &origin);
        }
        for change in entry.list("changes") {
            if let Some(change) = View::of(change, Part::Change, entry.defects()) {
                self.change(change, &origin)?;
            }
        }
        Ok(())
    }

    /// Reads one update.
    fn change(&mut self, change: View<'_, '_>, around: &Origin) -> Result<(), ReadError> {
        self.updates += 1;
        if self.updates > WEBHOOK_UPDATES_MAX {
            return Err(ReadError::TooMuch);
        }
        let value = change.object("value");
        let inside = value.and_then(|value| value.kept("field"));
        let field = change.kept("field").or(inside).or_else(|| around.field.clone());
        let Some(value) = value else {
            if !change.has("value") {
                change.fault("value");
            }
            return Ok(());
        };
        let value = value.named(Part::Value);
        let subject = shape::subject(field.as_deref(), value);
        self.value(value, subject, Origin { field, ..around.clone() })
    }

    fn value(
        &mut self,
        value: View<'_, '_>,
        subject: Subject,
        mut origin: Origin,
    ) -> Result<(), ReadError> {
        let sink = &mut self.sink;
        origin.sender = value.object("metadata").and_then(|metadata| {
            let id = metadata.id("phone_number_id")?;
            let sender = SenderId::parse(&id).ok();
            if sender.is_none() {
                value.fault("phone_number_id");
            }
            sender
        });
        match subject {
            Subject::Conversation => return conversation(value, &origin, sink),
            Subject::Calls => return calls::calls(value, &origin, sink),
            Subject::TemplateStatus => template::status(value, &origin, sink),
            Subject::TemplateQuality => template::quality(value, &origin, sink),
            Subject::TemplateCategory => template::category(value, &origin, sink),
            Subject::AccountUpdate => account::update(value, &origin, sink),
            Subject::AccountAlert => account::alert(value, &origin, sink),
            Subject::AccountReview => account::review(value, &origin, sink),
            Subject::Capability => account::capability(value, &origin, sink),
            Subject::NumberQuality => account::number_quality(value, &origin, sink),
            Subject::DisplayName => account::display_name(value, &origin, sink),
            Subject::Username => account::username(value, &origin, sink),
            Subject::Unknown => unknown(value, &origin, sink),
        }
        Ok(())
    }
}

/// Reads everything that is about people: whichever of it is there.
fn conversation(value: View<'_, '_>, origin: &Origin, sink: &mut Sink) -> Result<(), ReadError> {
    let lists = ["contacts", "messages", "statuses", "user_preferences", "user_id_update"];
    let items = lists.into_iter().map(|list| value.len(list)).sum();
    if !sink.has_room(items) {
        return Err(ReadError::TooMuch);
    }
    let cards = Cards::read(value);
    status::trouble(value, origin, sink);
    inbound::messages(value, &cards, origin, sink);
    status::statuses(value, &cards, origin, sink);
    preference::preferences(value, &cards, origin, sink);
    preference::user_ids(value, origin, sink);
    if value.has("user_actions") || !shape::is_conversation(value) {
        unknown(value, origin, sink);
    }
    Ok(())
}

/// Sets aside what no conclusion is drawn from.
pub(super) fn unknown(value: View<'_, '_>, origin: &Origin, sink: &mut Sink) {
    let shape = shape::outline(value);
    let conclusion = Conclusion::Unknown { field: origin.field.clone(), shape };
    sink.add_of_value(origin, value.node(), conclusion);
}
