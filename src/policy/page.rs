//! The page that shows every shipped rule with its reason and source, made from the packs.

use std::{
    collections::BTreeMap,
    fmt::{self, Write},
};

use super::{
    action::Action,
    category::Category,
    country::Country,
    pack::{LookedAt, Pack},
    rule::{Countries, Rule},
    settings::Settings,
    shipped,
};

const OPENING: &str = "\
# Policy packs

What Izin holds messages to, by the recipient's country and the category of the message, unless its operator
says otherwise. This page is made from the packs in the program: `izin policy-packs` prints it.

**These are defaults, not legal advice. Have counsel review them for the countries you write to.** A country
without a rule is not a country without a law: consent before marketing is asked for everywhere, by Izin too.

- A pack is a file with a version; what a version says never changes. No pack counts until an operator switches
  it on: in its newest version, unless one is named, and with every rule, unless some are switched off with a
  reason. A pack that came with a later program counts once the policy is put again.
- Where rules overlap, the stricter wins, in whatever order they come: any pause pauses; hours are quiet if any
  rule says so; the shortest expiry and the shortest deadline count; every cap holds; a confirmation that one
  rule asks for is asked for. An operator's own rules add to these and replace none.
- Hours are by the recipient's clock. A number that may be in several time zones is left alone while it is quiet
  in any of them. If no moment of the coming days suits all of them, the moment at which it is quiet in the
  fewest counts.
- A STOP counts at once. The deadline is for what may be one and waits for people to decide
  (`GET /v1/reviews`): the shortest of any rule about the person's country, else `stop_within_hours`. Beyond it
  marketing to that person waits until somebody decides, unless `overdue_stop_holds` is off.
- A deadline of business days counts 24 hours for each, weekends and holidays with them: Izin is never later
  than the source allows.
- `*` is every recipient, those whose country is unknown with them.

";

/// Returns the page as Markdown.
pub fn page() -> String {
    let mut page = String::from(OPENING);
    // Writing into a `String` cannot fail.
    let written = write_page(&mut page);
    debug_assert!(written.is_ok(), "writing into memory");
    page
}

fn write_page(page: &mut String) -> fmt::Result {
    let mut packs: Vec<&Pack> = shipped::packs().iter().collect();
    packs.sort_by_key(|pack| (pack.kind, &pack.id, pack.version));
    write_settings(page)?;
    write_countries(page, &packs)?;
    for pack in packs {
        write_pack(page, pack)?;
    }
    Ok(())
}

fn write_settings(page: &mut String) -> fmt::Result {
    let Settings {
        frequency_caps,
        general_topic,
        consent_follows_number,
        yellow_marketing_percent,
        stop_within_hours,
        overdue_stop_holds,
    } = Settings::default();
    writeln!(page, "## Settings\n\n| setting | unless said otherwise |\n|---|---|")?;
    for limit in frequency_caps {
        let cap = Action::FrequencyCap(limit.cap);
        writeln!(page, "| `frequency_caps` | {}: {cap} |", limit.category.name())?;
    }
    let switches = [
        ("general_topic", general_topic),
        ("consent_follows_number", consent_follows_number),
        ("overdue_stop_holds", overdue_stop_holds),
    ];
    for (name, value) in switches {
        writeln!(page, "| `{name}` | {value} |")?;
    }
    writeln!(page, "| `stop_within_hours` | {stop_within_hours} |")?;
    writeln!(page, "| `yellow_marketing_percent` | {yellow_marketing_percent} |")
}

/// Writes an index from each country to the rules that name it.
fn write_countries(page: &mut String, packs: &[&Pack]) -> fmt::Result {
    let mut by_country: BTreeMap<Country, Vec<String>> = BTreeMap::new();
    for pack in packs {
        for rule in &pack.rules {
            if let Countries::These(these) = rule.countries() {
                for country in these {
                    let name = format!("`{}` {}: {}", pack.id, rule.id(), rule.action().name());
                    by_country.entry(*country).or_default().push(name);
                }
            }
        }
    }
    writeln!(page, "\n## By country\n\n| country | rules |\n|---|---|")?;
    for (country, rules) in by_country {
        writeln!(page, "| {country} | {} |", rules.join("<br>"))?;
    }
    Ok(())
}

fn write_pack(page: &mut String, pack: &Pack) -> fmt::Result {
    let Pack { id, version, valid_from, kind, title, about, rules, looked_at } = pack;
    writeln!(page, "\n## {title}\n")?;
    writeln!(
        page,
        "`{id}`, version {version}, {}, in force since {}\n\n{}\n",
        kind.name(),
        valid_from.as_str(),
        about.trim()
    )?;
    writeln!(
        page,
        "| rule | recipients | messages | asks | why | source |\n|---|---|---|---|---|---|"
    )?;
    for rule in rules {
        write_rule(page, rule)?;
    }
    if !looked_at.is_empty() {
        writeln!(page, "\nLooked at, without a rule:\n")?;
    }
    for LookedAt { countries, why, source } in looked_at {
        writeln!(page, "- {}: {why} [source]({source})", countries.join(", "))?;
    }
    Ok(())
}

fn write_rule(page: &mut String, rule: &Rule) -> fmt::Result {
    let (countries, exclude) = rule.countries().texts();
    let mut recipients = countries.join(", ");
    if !exclude.is_empty() {
        let exclude: Vec<_> = exclude.iter().map(Country::to_string).collect();
        write!(recipients, " but {}", exclude.join(", "))?;
    }
    let categories = if rule.categories() == Category::ALL {
        "all".to_owned()
    } else {
        let names: Vec<_> = rule.categories().iter().map(|category| category.name()).collect();
        names.join(", ")
    };
    let mut asks = rule.action().to_string();
    if let Action::QuietHours(hours) = rule.action()
        && !hours.holidays().is_empty()
    {
        let days: Vec<_> = hours.holidays().iter().map(ToString::to_string).collect();
        write!(asks, "; holidays: {}", days.join(", "))?;
    }
    let source = rule.source().map_or_else(|| "–".to_owned(), |link| format!("[source]({link})"));
    writeln!(
        page,
        "| `{}` | {recipients} | {categories} | {asks} | {} | {source} |",
        rule.id(),
        rule.why()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_on_the_page_once() {
        let page = page();
        for pack in shipped::packs() {
            let section = page
                .split("\n## ")
                .find(|part| part.contains(&format!("\n`{}`, version {},", pack.id, pack.version)));
            let section = section.unwrap();
            for rule in &pack.rules {
                assert_eq!(section.matches(&format!("\n| `{}` | ", rule.id())).count(), 1);
                assert!(section.contains(rule.source().unwrap()));
            }
        }
    }

    #[test]
    fn no_text_breaks_a_row() {
        let page = page();
        for line in page.lines().filter(|line| line.starts_with("| `") && line.contains("http")) {
            assert_eq!(line.matches(" | ").count(), 5, "{line}");
        }
    }
}
