//! `[sends]`: reserved rights to send.
//!
//! Which sends are allowed is not decided here, nor can a setting allow one.

use crate::config::reader::Reader;

/// Reserved rights to send.
#[derive(Debug, Clone)]
pub struct Sends {
    /// How long a ticket lives when the caller does not say, in seconds.
    pub ticket_ttl_s: u32,
    /// How long a ticket may live at most, in seconds. At least `ticket_ttl_s`.
    pub ticket_ttl_s_max: u32,
    /// How long before WhatsApp closes a session window it counts as closed here, in seconds: a
    /// message allowed now arrives a little later.
    pub session_margin_s: u32,
}

impl Sends {
    pub(super) fn read(from: &mut Reader) -> Self {
        let read = Self {
            ticket_ttl_s: from.whole("sends.ticket_ttl_s", 300, 1..=86_400),
            ticket_ttl_s_max: from.whole("sends.ticket_ttl_s_max", 86_400, 1..=86_400),
            session_margin_s: from.whole("sends.session_margin_s", 60, 0..=3_600),
        };
        if read.ticket_ttl_s_max < read.ticket_ttl_s {
            from.rule("sends.ticket_ttl_s_max", "must be at least sends.ticket_ttl_s");
        }
        read
    }
}
