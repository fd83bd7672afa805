//! Facts as lines for people: one per fact, nothing hidden, for the tables of samples.

use std::fmt::Write as _;

use izin::{
    domain::time::Timestamp,
    whatsapp::{
        Answer, Conclusion, Fact, Fault, Forwarded, Inbound, Person, Private, Reading, Spoken,
        Status, TemplateCategory, TemplateKey, TemplateStatus,
    },
};

/// Returns a line per fact and one for what could not be read.
pub(super) fn shown(reading: &Reading) -> String {
    let mut lines = String::new();
    for fact in &reading.facts {
        writeln!(lines, "  {}", fact_line(fact).trim_end()).unwrap();
    }
    if reading.facts.is_empty() {
        writeln!(lines, "  nothing").unwrap();
    }
    for ((part, member), count) in &reading.unread {
        let member = if member.is_empty() { "as a whole" } else { member };
        writeln!(lines, "  unread: {part:?} {member} ×{count}").unwrap();
    }
    lines
}

fn fact_line(fact: &Fact) -> String {
    let at = fact.at.map_or("no time".into(), Timestamp::to_rfc3339);
    let mut line = format!("{at} {}", fact.conclusion.name());
    let account = fact.account.as_deref().map_or("-", last_three);
    let sender = fact.sender.as_ref().map_or("-", |id| last_three(id.as_str()));
    write!(line, " [{account}/{sender}]").unwrap();
    if fact.key.is_none() {
        line.push_str(" keyless");
    }
    line.push_str(&conclusion(&fact.conclusion));
    line
}

/// The end of an id, which tells the samples' accounts and senders apart.
fn last_three(id: &str) -> &str {
    id.split_at(id.len().saturating_sub(3)).1
}

fn conclusion(conclusion: &Conclusion) -> String {
    match conclusion {
        Conclusion::Inbound(inbound) => inbound_line(inbound),
        Conclusion::Status(status) => status_line(status),
        Conclusion::Preference(preference) => {
            let other = word(" about ", preference.other_category.as_deref());
            format!(" {:?}{other}{}", preference.choice, person(&preference.person))
        }
        Conclusion::NumberChanged(change) => {
            format!(" from{} to{}", person(&change.old), person(&change.new))
        }
        Conclusion::UserIdChanged(change) => {
            format!(" from{} to{}", person(&change.old), person(&change.new))
        }
        Conclusion::IdentityChanged(change) => {
            let made =
                change.made_at.map_or(String::new(), |at| format!(" made {}", at.to_rfc3339()));
            let known = if change.acknowledged { " acknowledged" } else { "" };
            let hash = private(" hash ", change.hash.as_ref());
            format!("{}{hash}{made}{known}", person(&change.person))
        }
        Conclusion::IdentityMismatch(mismatch) => {
            let message = private(" message ", mismatch.message.as_ref());
            let callback = private(" callback ", mismatch.callback.as_ref());
            format!("{message}{callback}{}", person(&mismatch.recipient))
        }
        Conclusion::Trouble(found) => faults(found),
        Conclusion::TemplateStatus(status) => template_status_line(status),
        Conclusion::TemplateQuality(quality) => {
            format!("{} {:?} -> {:?}", template(&quality.template), quality.previous, quality.new)
        }
        Conclusion::TemplateCategory(TemplateCategory::Impending {
            template: which,
            current,
            coming,
            from,
        }) => {
            let from = from.map_or("unknown".into(), Timestamp::to_rfc3339);
            format!("{} is {current:?}, {coming:?} from {from}", template(which))
        }
        Conclusion::TemplateCategory(TemplateCategory::Done {
            template: which,
            previous,
            current,
        }) => {
            format!("{} was {previous:?}, is {current:?}", template(which))
        }
        Conclusion::Unknown { field, shape } => {
            format!(" {}: {shape}", field.as_deref().unwrap_or("(no field)"))
        }
        business @ (Conclusion::PortfolioLimit(_)
        | Conclusion::AccountRestriction(_)
        | Conclusion::AccountDisabled { .. }
        | Conclusion::AccountReinstated
        | Conclusion::AccountDisableScheduled { .. }
        | Conclusion::AccountDeleted
        | Conclusion::AccountOffboarded
        | Conclusion::AccountReconnected
        | Conclusion::AccountPartnerRemoved(_)
        | Conclusion::AccountViolation { .. }
        | Conclusion::AccountNotice { .. }
        | Conclusion::AccountReview { .. }
        | Conclusion::AccountAlert(_)
        | Conclusion::NumberQuality(_)
        | Conclusion::NameUpdate(_)
        | Conclusion::UsernameUpdate(_)) => business_line(business),
    }
}

/// What is about the business itself has nothing to hide, so `Debug` shows it.
fn business_line(conclusion: &Conclusion) -> String {
    let debug = format!("{conclusion:?}");
    let at = debug.find(['(', ' ']).unwrap_or(debug.len());
    format!(" {}", debug.split_at(at).1.trim())
}

fn template_status_line(status: &TemplateStatus) -> String {
    let mut line = template(&status.template);
    write!(line, " {}", status.event.word()).unwrap();
    for part in [
        status.category.map(|category| format!("{category:?}")),
        status.reason.as_ref().map(|reason| format!("since {reason}")),
        status.pause.as_ref().map(|pause| {
            let lasts = pause.lasts_ms().map_or("no end".into(), |ms| format!("{ms} ms"));
            format!("{pause:?} ({lasts})")
        }),
        status.disabled_on.map(|day| format!("on {}", day.to_rfc3339())),
    ] {
        line.push_str(&part.map_or(String::new(), |part| format!(" {part}")));
    }
    line
}

fn inbound_line(inbound: &Inbound) -> String {
    let Inbound {
        message,
        person: who,
        kind,
        opens_window,
        answer: said,
        context,
        referral,
        shared_number,
        identity_hash,
        group,
        faults: found,
    } = inbound;
    let mut line = format!(" {kind:?}{}{}", private(" ", message.as_ref()), person(who));
    line.push_str(if *opens_window { ", opens" } else { ", opens nothing" });
    line.push_str(&said.as_ref().map_or(String::new(), answer));
    line.push_str(&private(", answers ", context.message.as_ref()));
    if context.forwarded != Forwarded::No {
        write!(line, ", forwarded {:?}", context.forwarded).unwrap();
    }
    if let Some(referral) = referral {
        let click = private(" click ", referral.click.as_ref());
        let of = |text: &Option<Box<str>>| text.as_deref().unwrap_or("?").to_owned();
        write!(
            line,
            ", from {} {} {}{click}",
            of(&referral.kind),
            of(&referral.id),
            of(&referral.url)
        )
        .unwrap();
    }
    if let Some(shared) = shared_number {
        line.push_str(&private(", shares wa ", shared.wa_id.as_ref()));
        line.push_str(&private(" number ", shared.number.as_ref()));
    }
    line.push_str(&private(", hash ", identity_hash.as_ref()));
    line.push_str(&private(", group ", group.as_ref()));
    line.push_str(&faults(found));
    line
}

fn status_line(status: &Status) -> String {
    let Status {
        message,
        state,
        recipient,
        group,
        callback,
        identity_hash,
        faults: found,
        pricing,
        conversation,
    } = status;
    let mut line = format!(" {state:?}{}{}", private(" ", message.as_ref()), person(recipient));
    line.push_str(&private(", group ", group.as_ref()));
    line.push_str(&private(", callback ", callback.as_ref()));
    line.push_str(&private(", hash ", identity_hash.as_ref()));
    if let Some(pricing) = pricing {
        let of = |text: &Option<Box<str>>| text.as_deref().unwrap_or("?").to_owned();
        write!(line, ", {} {} {}", of(&pricing.model), of(&pricing.kind), of(&pricing.category))
            .unwrap();
        write!(line, " billable {:?}", pricing.billable).unwrap();
    }
    if let Some(conversation) = conversation {
        let ends = conversation.ends_at.map_or("?".into(), Timestamp::to_rfc3339);
        let origin = conversation.origin.as_deref().unwrap_or("?");
        let id = conversation.id.as_deref().unwrap_or("?");
        write!(line, ", conversation {id} by {origin} until {ends}").unwrap();
    }
    if let Some(proof) = status.window_proof() {
        write!(line, ", proves {proof:?}").unwrap();
    }
    line.push_str(&faults(found));
    line
}

fn answer(answer: &Answer) -> String {
    let of = |words: &Option<Spoken>| {
        words.as_ref().map_or("-".into(), |words| format!("{:?}", words.read()))
    };
    match answer {
        Answer::Text(words) => format!(", text {:?}", words.read()),
        Answer::Caption(words) => format!(", caption {:?}", words.read()),
        Answer::Edited(words) => format!(", edited {:?}", words.read()),
        Answer::Button { payload, label } => {
            format!(", button {} labelled {}", of(payload), of(label))
        }
        Answer::ButtonReply { id, title } => format!(", reply {} titled {}", of(id), of(title)),
        Answer::ListReply { id, title } => format!(", row {} titled {}", of(id), of(title)),
        Answer::Flow { name, response } => {
            format!(", form {} {}", name.as_deref().unwrap_or("-"), of(response))
        }
    }
}

fn person(person: &Person) -> String {
    let Person { wa_id, user_id, parent_user_id, username } = person;
    let mut line = private(" wa ", wa_id.as_ref());
    line.push_str(&private(" user ", user_id.as_ref()));
    line.push_str(&private(" parent ", parent_user_id.as_ref()));
    line.push_str(&private(" @", username.as_ref()));
    if line.is_empty() { " nobody".into() } else { line }
}

fn faults(faults: &[Fault]) -> String {
    let each = faults.iter().map(|fault| {
        let details = if fault.details.is_some() { "" } else { " without details" };
        format!(", error {} -> {}{details}", fault.code, fault.rule().action.name())
    });
    each.collect()
}

fn template(template: &TemplateKey) -> String {
    let id = template.id.map_or("-".into(), |id| id.to_string());
    let name = template.name.as_ref().map_or("-", |name| name.as_str());
    let language = template.language.as_ref().map_or("-", |language| language.as_str());
    format!(" {name}/{language} ({id})")
}

fn private(before: &str, text: Option<&Private>) -> String {
    word(before, text.map(Private::expose))
}

fn word(before: &str, text: Option<&str>) -> String {
    text.map_or(String::new(), |text| format!("{before}{text}"))
}
