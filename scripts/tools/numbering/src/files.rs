//! The automaton as bytes, in the shape that `layout` describes.

use anyhow::{Result, ensure};

use crate::{
    automaton::Automaton,
    layout::{
        CODE_BYTES, HEADER_BYTES, LEAP_BYTES, LEAPS, MARK, PREFIXES, REGION_BYTES, STATE_BYTES,
        TAIL_BYTES, VERSION_BYTES,
    },
};

/// Returns the file.
pub(crate) fn bytes(automaton: &Automaton, version: &str) -> Result<Vec<u8>> {
    let regions: Vec<_> = automaton.codes.iter().flat_map(|code| &code.regions).collect();
    let mut file = MARK.to_vec();
    file.extend(padded::<VERSION_BYTES>(version)?);
    let (states, tails) = (&automaton.states, &automaton.tails);
    for count in [regions.len(), automaton.codes.len(), states.len(), tails.len()] {
        file.extend(u16::try_from(count)?.to_le_bytes());
    }
    ensure!(file.len() == HEADER_BYTES, "the header");
    for region in &regions {
        file.extend(padded::<REGION_BYTES>(region)?);
    }
    let mut prefixes = [0; PREFIXES];
    let mut first_region = 0;
    for (place, code) in (1..).zip(&automaton.codes) {
        let begin = file.len();
        let digits = code.code.to_string();
        file.push(u8::try_from(digits.len())?);
        file.push(u8::try_from(code.regions.len())?);
        file.extend(u16::try_from(first_region)?.to_le_bytes());
        file.extend(code.state.to_le_bytes());
        file.extend([0; 2]);
        file.extend(code.lengths);
        ensure!(file.len() - begin == CODE_BYTES, "a calling code");
        first_region += code.regions.len();
        for (prefix, known) in prefixes.iter_mut().enumerate() {
            if format!("{prefix:03}").starts_with(&digits) {
                ensure!(*known == 0, "one calling code is the beginning of another: {digits}");
                *known = place;
            }
        }
    }
    ensure!(automaton.codes.len() < usize::from(u8::MAX), "more calling codes than fit a byte");
    file.extend(prefixes);
    let begin = file.len();
    file.extend(automaton.leaps.iter().flat_map(|state| state.to_le_bytes()));
    ensure!(file.len() - begin == LEAPS * LEAP_BYTES, "the first digits");
    for (label, next) in states {
        let begin = file.len();
        file.extend(label.to_le_bytes());
        file.extend(next.iter().flat_map(|state| state.to_le_bytes()));
        ensure!(file.len() - begin == STATE_BYTES, "a state");
    }
    for labels in tails {
        let begin = file.len();
        file.extend(labels.iter().flat_map(|label| label.to_le_bytes()));
        ensure!(file.len() - begin == TAIL_BYTES, "a tail");
    }
    Ok(file)
}

fn padded<const BYTES: usize>(text: &str) -> Result<[u8; BYTES]> {
    let mut bytes = [0; BYTES];
    ensure!(text.len() <= BYTES, "{text} is too long");
    bytes[..text.len()].copy_from_slice(text.as_bytes());
    Ok(bytes)
}
