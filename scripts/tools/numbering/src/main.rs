//! Makes the numbering tables that Izin reads out of Google's metadata.
//!
//! The metadata is what the parser of Izin's lock file comes with. Judges no number itself: what a
//! number is follows from the metadata alone.

mod automaton;
mod files;
#[path = "../../../../src/numbers/layout.rs"]
mod layout;
mod nfa;
mod plans;
mod source;

use std::{env, path::Path};

use anyhow::{Context, Result, bail};

/// Where the tables are, from the project's folder on.
const FOLDER: &str = "src/numbers/metadata";

fn main() -> Result<()> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let is_check = match arguments.as_slice() {
        ["write"] => false,
        ["check"] => true,
        _ => bail!("usage: izin-numbering write | check"),
    };
    let source = source::of_parser()?;
    let plans = plans::text(&source)?;
    let automaton = files::bytes(&automaton::build(&source)?, &source.version)?;
    for (name, bytes) in [("plans.tsv", plans.as_bytes()), ("automaton.bin", &automaton)] {
        let path = &Path::new(FOLDER).join(name);
        if is_check {
            let found = std::fs::read(path).with_context(|| format!("no {}", path.display()))?;
            if found != bytes {
                bail!("{} is not what metadata {} gives", path.display(), source.version);
            }
        } else {
            std::fs::create_dir_all(FOLDER)?;
            std::fs::write(path, bytes)
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
    }
    let done = if is_check { "match" } else { "are made of" };
    println!("the numbering tables {done} metadata {}", source.version);
    Ok(())
}
