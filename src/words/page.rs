//! The page that shows operators every word and what it does, made from the lists.

use std::fmt::{self, Write};

use super::{
    data::{self, Conflict, Group, List},
    signs,
    word::{Inside, Meaning},
};
use crate::limits::{CONSENT_TEXT_BYTES_MAX, CONSENT_WORD_BYTES_MAX};

const OPENING: &str = "\
# Consent words

What a message from a person means for consent, by its text alone. This page is made from the lists in the
program: `izin words` prints it.

- **Only a message that is one of these words, and nothing else, counts.** Case, width, style, punctuation, signs
  and invisible characters make no difference, and neither does saying an opt-out over and over. Diacritics make
  one, except in the lists that say so.
- A message that only *may* be an opt-out goes to review, and changes nothing until a person has looked: an
  opt-out word in a sentence, with courtesies around it, with one letter mistyped or with other diacritics. In a
  sentence a word also ends where its script does (`STOPしてください`), may be spelt out (`s t o p please`), and
  may be in letters of another script that look like its own (`ЅТОР`, which is a doubt alone as well).
- A yes or a no counts only where the sender has asked. An opt-out needs no question.
- An opt-in word with a question mark or a sign of refusal goes to review, and so does an opt-out word with a
  question mark, unless it is one of those that send any text with it to review.
- A text with the code of an entry point goes to review if what is left without the code refuses, or may: an
  opt-out, a no, or one of the negations listed with each language.
- A tap on a button or a list row that nobody registered was worded by the business. It is an opt-out only if
  its label or payload is an opt-out word that sends any text with it to review; what else is or may be an
  opt-out goes to review as if it had been typed, unless one letter differs (`Shop now`). Nothing else counts.
- A tap on a button that is registered for agreeing goes to review if its label refuses, or may, as beside a code.
- Where one language's opt-out is another's everyday word, the end of this page says what was decided, and why.
  A mistake that cannot be avoided falls on the silent side.

The setting `words.file` (`IZIN_WORDS__FILE`) names a TOML file that changes the lists. What it adds wins:

```toml
remove = [\"quit\"]

[[add]]
word = \"T\"
means = \"opt_out_everything\" # or opt_out_marketing, review, ordinary, answer_no, answer_yes, opt_in
language = \"zh\"              # und if left out
inside = \"nowhere\"           # elsewhere: nowhere, sentence, anywhere (if left out)
```

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
    writeln!(
        page,
        "A message of more than {CONSENT_WORD_BYTES_MAX} bytes is never a word; of a longer one, the first \
         {CONSENT_TEXT_BYTES_MAX}\nbytes are searched.\n"
    )?;
    write_signs(page)?;
    for list in data::lists() {
        write_list(page, &list)?;
    }
    write_conflicts(page, &data::conflicts())
}

fn write_signs(page: &mut String) -> fmt::Result {
    writeln!(page, "## Signs\n")?;
    writeln!(
        page,
        "{} alone is an opt-out from everything: it is named the stop sign, and shows the word STOP. Alone,\n\
         these go to review, because they answer many things: {}.\n",
        signs::STOP,
        signs::REFUSAL.iter().map(char::to_string).collect::<Vec<_>>().join(" ")
    )
}

fn write_list(page: &mut String, list: &List) -> fmt::Result {
    let List { language, name, bare, courtesies, negations, words } = list;
    writeln!(page, "## {name} (`{language}`)\n")?;
    if *bare {
        writeln!(
            page,
            "Each word also counts without any of its diacritics, unless it says otherwise.\n"
        )?;
    }
    for group in words {
        write_group(page, group, *bare)?;
    }
    if !courtesies.is_empty() {
        writeln!(page, "**Courtesies**, which send an opt-out word beside them to review.\n")?;
        write_words(page, courtesies)?;
    }
    if !negations.is_empty() {
        writeln!(
            page,
            "**Negations**, which send a text with the code of an entry point to review.\n"
        )?;
        write_words(page, negations)?;
    }
    Ok(())
}

fn write_group(page: &mut String, group: &Group, is_list_bare: bool) -> fmt::Result {
    let Group { means, inside, bare, because, list } = group;
    write!(page, "**{}.** {because}", title(*means))?;
    if means.opt_out().is_some() {
        let place = match inside {
            Inside::Nowhere => " Inside other texts: nothing.",
            Inside::Sentence => " Inside a short sentence: review.",
            Inside::Anywhere => " Inside any text: review.",
        };
        page.write_str(place)?;
    }
    match bare {
        Some(true) if !is_list_bare => page.write_str(" Also without diacritics.")?,
        Some(false) if is_list_bare => page.write_str(" Only with its diacritics.")?,
        Some(_) | None => {}
    }
    page.write_str("\n\n")?;
    write_words(page, list)
}

fn write_words(page: &mut String, words: &[String]) -> fmt::Result {
    let words: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
    writeln!(page, "{}\n", words.join(" · "))
}

fn write_conflicts(page: &mut String, conflicts: &[Conflict]) -> fmt::Result {
    writeln!(page, "## Where languages disagree\n")?;
    writeln!(page, "| word | taken for | because |\n|---|---|---|")?;
    for Conflict { word, means, review_in, because } in conflicts {
        let means = title(*means).to_lowercase();
        let except = if review_in.is_empty() {
            String::new()
        } else {
            format!("; to review from numbers of {}", review_in.join(", "))
        };
        writeln!(page, "| `{word}` | {means}{except} | {because} |")?;
    }
    Ok(())
}

fn title(means: Meaning) -> &'static str {
    match means {
        Meaning::OptOutEverything => "Out of everything",
        Meaning::OptOutMarketing => "Out of marketing",
        Meaning::Review => "To review",
        Meaning::Ordinary => "Nothing",
        Meaning::AnswerNo => "No, if asked",
        Meaning::AnswerYes => "Yes, if asked",
        Meaning::OptIn => "In",
    }
}
