//! Messages from people.

use crate::{
    domain::time::Timestamp,
    whatsapp::{
        facts::{
            Answer, Conclusion, Context, DedupeKey, Forwarded, IdentityChanged, Inbound,
            MessageKind, Person, Private, Referral, SharedNumber,
        },
        payload::{
            defects::Part,
            people::Cards,
            sink::{Origin, Sink},
            status::faults,
            system,
            view::View,
        },
    },
};

/// Reads the messages of an update, each on its own.
pub(super) fn messages(value: View<'_, '_>, cards: &Cards, origin: &Origin, sink: &mut Sink) {
    for node in value.list("messages") {
        let Some(message) = View::of(node, Part::Message, value.defects()) else { continue };
        let is_named_system = message.word("type") == Some("system");
        if is_named_system || (!message.has("type") && message.has("system")) {
            system::message(message, origin, sink);
        } else {
            from_a_person(message, cards, origin, sink);
        }
    }
}

/// Returns who a message itself says it is from.
pub(super) fn sender(message: View<'_, '_>) -> Person {
    Person {
        wa_id: message.wa_id("from"),
        user_id: message.user_id("from_user_id"),
        parent_user_id: message.user_id("from_parent_user_id"),
        username: None,
    }
}

/// Returns the key of a message: its id.
pub(super) fn key(id: Option<&Private>) -> Option<DedupeKey> {
    id.map(|id| DedupeKey::of(&[b"message", id.expose().as_bytes()]))
}

/// Returns the id and the moment of a message; counts what is missing of them.
pub(super) fn id_and_moment(item: View<'_, '_>) -> (Option<Private>, Option<Timestamp>) {
    let (id, at) = (item.private("id"), item.moment("timestamp"));
    for (member, is_missing) in [("id", !item.has("id")), ("timestamp", !item.has("timestamp"))] {
        if is_missing {
            item.fault(member);
        }
    }
    (id, at)
}

fn from_a_person(message: View<'_, '_>, cards: &Cards, origin: &Origin, sink: &mut Sink) {
    let Some(kind) = kind(message) else {
        message.fault("type");
        return;
    };
    let known = cards.complete_sender(sender(message));
    if known.person.is_nobody() {
        message.fault("from");
        return;
    }
    let (id, at) = id_and_moment(message);
    let group = message.private("group_id");
    let old_identity = message.object("identity");
    let old_hash = old_identity.and_then(|identity| identity.private("hash"));
    let inbound = Inbound {
        message: id.clone(),
        person: known.person.clone(),
        opens_window: kind.opens_window() && group.is_none(),
        answer: if kind == MessageKind::Edit { edited(message) } else { answer(message) },
        context: context(message),
        referral: message.object("referral").map(referral),
        shared_number: shared_number(message),
        identity_hash: known.identity_hash.or_else(|| old_hash.clone()),
        group,
        faults: faults(message),
        kind,
    };
    sink.add(origin, at, key(id.as_ref()), Conclusion::Inbound(Box::new(inbound)));
    if let Some(identity) = old_identity {
        on_premises_identity(identity, known.person, at, origin, sink);
    }
}

/// The On-Premises API tells beside a message that the identity behind it changed.
fn on_premises_identity(
    identity: View<'_, '_>,
    person: Person,
    message_at: Option<Timestamp>,
    origin: &Origin,
    sink: &mut Sink,
) {
    let hash = identity.private("hash");
    let made_at = identity.moment_ms("created_timestamp");
    let acknowledged = identity.flag("acknowledged").unwrap_or(false);
    let changed = IdentityChanged { person, hash, acknowledged, made_at };
    let key = identity_key(&changed);
    sink.add(origin, made_at.or(message_at), key, Conclusion::IdentityChanged(changed));
}

/// The same identity is told beside every message until it is acknowledged.
fn identity_key(changed: &IdentityChanged) -> Option<DedupeKey> {
    let (made_at, hash) = (changed.made_at?, changed.hash.as_ref()?);
    Some(DedupeKey::of(&[
        b"identity",
        changed.person.identifier()?.expose().as_bytes(),
        hash.expose().as_bytes(),
        &made_at.unix_ms().to_be_bytes(),
    ]))
}

/// Every kind with the word for it, which is also the member that holds its content.
static KINDS: [(&str, MessageKind); 14] = [
    ("text", MessageKind::Text),
    ("button", MessageKind::Button),
    ("interactive", MessageKind::ButtonReply),
    ("image", MessageKind::Image),
    ("video", MessageKind::Video),
    ("audio", MessageKind::Audio),
    ("document", MessageKind::Document),
    ("sticker", MessageKind::Sticker),
    ("location", MessageKind::Location),
    ("contacts", MessageKind::Contacts),
    ("reaction", MessageKind::Reaction),
    ("order", MessageKind::Order),
    ("edit", MessageKind::Edit),
    ("revoke", MessageKind::Revoke),
];

/// Returns the kind of a message: the one named if its content is there or it is a new name, else
/// the one whose content is there.
fn kind(message: View<'_, '_>) -> Option<MessageKind> {
    let word = message.word("type");
    let named = word.and_then(|word| KINDS.iter().find(|(known, _)| *known == word));
    let held = || KINDS.iter().find(|(member, _)| message.has(member));
    let (name, kind) = match (named, word) {
        (Some(named), _) if message.has(named.0) => named,
        (Some(named), _) => held().unwrap_or(named),
        (None, Some("unsupported")) => return Some(MessageKind::Unsupported),
        (None, Some(word)) => return Some(MessageKind::Other(word.into())),
        (None, None) if message.has("unsupported") => return Some(MessageKind::Unsupported),
        (None, None) => held()?,
    };
    if *name != "interactive" {
        return Some(kind.clone());
    }
    let interactive = message.object("interactive");
    Some(interactive.map_or_else(|| MessageKind::Other("interactive".into()), interactive_kind))
}

/// Every kind of interactive answer, likewise.
static REPLIES: [(&str, MessageKind); 4] = [
    ("button_reply", MessageKind::ButtonReply),
    ("list_reply", MessageKind::ListReply),
    ("nfm_reply", MessageKind::Flow),
    ("call_permission_reply", MessageKind::CallPermission),
];

fn interactive_kind(interactive: View<'_, '_>) -> MessageKind {
    let word = interactive.word("type");
    let held = REPLIES.iter().find(|(member, _)| interactive.has(member));
    let named = REPLIES.iter().find(|(known, _)| Some(*known) == word);
    match (held.or(named), word) {
        (Some((_, kind)), _) => kind.clone(),
        (None, word) => MessageKind::Other(word.unwrap_or("interactive").into()),
    }
}

/// Returns what may be an answer about consent, wherever it stands: a message of a kind that is
/// new may still hold a text.
fn answer(message: View<'_, '_>) -> Option<Answer> {
    if let Some(button) = message.object("button") {
        let (payload, label) = (button.spoken("payload"), button.spoken("text"));
        return (payload.is_some() || label.is_some()).then_some(Answer::Button { payload, label });
    }
    if let Some(interactive) = message.object("interactive") {
        return reply(interactive);
    }
    if let Some(words) = message.object("text").and_then(|text| text.spoken("body")) {
        return Some(Answer::Text(words));
    }
    ["image", "video", "document"]
        .into_iter()
        .find_map(|media| message.object(media)?.spoken("caption"))
        .map(Answer::Caption)
}

/// Returns the words an edit puts in place of others. No page describes an edit; those seen hold the
/// message anew.
fn edited(message: View<'_, '_>) -> Option<Answer> {
    let edit = message.object("edit");
    let anew = edit.and_then(|edit| edit.object("message"));
    let words = |view: View<'_, '_>| {
        let text = view.object("text").and_then(|text| text.spoken("body"));
        text.or_else(|| {
            let media = ["image", "video", "document"];
            media.into_iter().find_map(|media| view.object(media)?.spoken("caption"))
        })
    };
    [anew, edit, Some(message)].into_iter().flatten().find_map(words).map(Answer::Edited)
}

fn reply(interactive: View<'_, '_>) -> Option<Answer> {
    if let Some(reply) = interactive.object("button_reply") {
        let (id, title) = (reply.spoken("id"), reply.spoken("title"));
        return (id.is_some() || title.is_some()).then_some(Answer::ButtonReply { id, title });
    }
    if let Some(reply) = interactive.object("list_reply") {
        let (id, title) = (reply.spoken("id"), reply.spoken("title"));
        return (id.is_some() || title.is_some()).then_some(Answer::ListReply { id, title });
    }
    let form = interactive.object("nfm_reply")?;
    Some(Answer::Flow { name: form.kept("name"), response: form.spoken("response_json") })
}

fn context(message: View<'_, '_>) -> Context {
    let Some(context) = message.object("context") else { return Context::default() };
    let is = |member| context.flag(member).unwrap_or(false);
    let forwarded = if is("frequently_forwarded") {
        Forwarded::Often
    } else if is("forwarded") {
        Forwarded::Yes
    } else {
        Forwarded::No
    };
    Context { message: context.private("id"), forwarded }
}

fn referral(referral: View<'_, '_>) -> Referral {
    Referral {
        kind: referral.kept("source_type"),
        id: referral.id("source_id"),
        url: referral.kept("source_url"),
        click: referral.private("ctwa_clid"),
    }
}

/// Returns the number a person shared as their own on request. If the cards name several, none is
/// taken: it cannot be told which is theirs.
fn shared_number(message: View<'_, '_>) -> Option<SharedNumber> {
    let at = |node| View::of(node, Part::Message, message.defects());
    let own = message
        .list("contacts")
        .iter()
        .filter_map(at)
        .filter(|card| card.word("origin") == Some("contact_request"));
    let mut shared: Option<SharedNumber> = None;
    for phone in own.flat_map(|card| card.list("phones")).filter_map(at) {
        let found = SharedNumber { wa_id: phone.wa_id("wa_id"), number: phone.private("phone") };
        if found.wa_id.is_none() && found.number.is_none() {
            continue;
        }
        if shared.as_ref().is_some_and(|shared| *shared != found) {
            message.fault("contacts");
            return None;
        }
        shared = Some(found);
    }
    shared
}
