//! Every bound of the program, with its reason, related to each other where they depend.
//!
//! Imports nothing. A number that limits what a caller may do belongs here and nowhere else.

/// Deepest nesting of a JSON body: ours need 4, and deep ones only cost.
pub const JSON_DEPTH_MAX: usize = 32;

/// Longest text of a phone number in bytes; libphonenumber reads no more than 250 characters.
pub const NUMBER_BYTES_MAX: usize = 1_000;

/// Most topics named in one opt-in or opt-out.
pub const TOPICS_MAX: usize = 64;

/// Most members of an evidence object.
pub const EVIDENCE_MEMBERS_MAX: usize = 32;

/// Longest text of one member of evidence, of a source or of a reason, in bytes.
pub const TEXT_BYTES_MAX: usize = 2_048;

/// Longest text of a statement in one language, in bytes.
pub const STATEMENT_BYTES_MAX: usize = 16_384;

/// Most recipients of one batch question.
pub const RECIPIENTS_MAX: usize = 10_000;

/// Different people one preview remembers, to count each once: some 50 MB at most.
pub const PREVIEW_PEOPLE_MAX: usize = 2_000_000;

/// Most numbers of one look-up request: each may cost one call to a provider.
pub const LOOKUPS_MAX: usize = 100;

/// Most numbers of one job: with a day's budget of the largest kind, half a day of work.
pub const JOB_NUMBERS_MAX: usize = 10_000;

/// Jobs that may be under way at once; the others wait for the first.
pub const LOOKUP_JOBS_OPEN_MAX: usize = 4;

/// How long a job that has to wait sleeps before it looks again, in milliseconds.
pub const JOB_POLL_MS: u64 = 250;

/// How many times slower a job goes while the budget is amber.
pub const JOB_AMBER_SLOWDOWN: u32 = 4;

/// Contacts looked at for one page of the people who were looked up and not written to: a quarter
/// of a million take a few milliseconds.
pub const OUTSTANDING_CONTACTS_MAX: u32 = 262_144;

/// Contacts looked at under one hold of the state: about a tenth of a millisecond.
pub const CONTACTS_AT_ONCE: u32 = 4_096;

const _: () = assert!(CONTACTS_AT_ONCE <= OUTSTANDING_CONTACTS_MAX);

/// Calls to a look-up provider at the same time, so that one request does not look like an attack.
pub const LOOKUP_CALLS_AT_ONCE: usize = 4;

/// How long recording the answer of a look-up is tried while the ledger is busy, in milliseconds.
pub const LOOKUP_RECORD_MS: u64 = 2 * 60 * 1_000;

/// Most rows of one page.
pub const PAGE_MAX: usize = 200;

/// Rows of a page when nobody says.
pub const PAGE_DEFAULT: usize = 50;

/// Longest identity hash in bytes: WhatsApp's are about 12 characters, and opaque.
pub const HASH_BYTES_MAX: usize = 256;

/// Longest message id in bytes: WhatsApp's are under 130 characters.
pub const MESSAGE_ID_BYTES_MAX: usize = 512;

/// Longest business-scoped user id in bytes. Source: Meta, "Business-scoped user IDs" (2 + 1 +
/// 128 characters, a little more for a parent's).
pub const USER_ID_BYTES_MAX: usize = 160;

/// Longest idempotency key in bytes, as is usual.
pub const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;

/// Pages of contacts one look for duplicates reads at most: 4,096 contacts, well under a second.
pub const DUPLICATES_PAGES_MAX: u32 = 256;

/// Decisions made under one hold of the state: about half a millisecond.
pub const DECISIONS_AT_ONCE: usize = 512;

/// Longest line of an NDJSON question in bytes.
pub const LINE_BYTES_MAX: usize = 65_536;

/// Most tickets of one sender that may be open for one contact: a flow sends a few messages to a
/// person at once, and a withdrawal takes back every one of them in its own group.
pub const TICKETS_OPEN_MAX: usize = 64;

/// Longest time an agreement to a topic may last, in days: a hundred years is for good, and any
/// date after it still has a name.
pub const EXPIRES_AFTER_DAYS_MAX: u32 = 36_500;

/// Longest name a caller may give a recipient of its own, in bytes.
pub const REFERENCE_BYTES_MAX: usize = 256;

/// Bytes of recipients of an NDJSON question that are held at once, the last line aside.
pub const LINES_BYTES_MAX: usize = 256 * 1_024;

/// Sealed bytes at which a group of commands ends. Far below what a log takes at once, so that
/// the last command of a group always fits too.
pub const GROUP_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Largest group a log takes, in sealed bytes; a longer length read back is damage.
pub const FRAME_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Sealed bytes of what was committed last that are kept for whoever follows the ledger: a group
/// always fits, and a busy second of opt-ins.
pub const RECENT_BYTES_MAX: usize = 16 * 1024 * 1024;

const _: () = assert!(RECENT_BYTES_MAX >= GROUP_BYTES_MAX);
const _: () = assert!(GROUP_BYTES_MAX <= FRAME_BYTES_MAX / 4);
const _: () = assert!(REFERENCE_BYTES_MAX + NUMBER_BYTES_MAX < LINE_BYTES_MAX);
const _: () = assert!(LINE_BYTES_MAX <= LINES_BYTES_MAX);

/// Exports at the same time. Each holds a thread and reads the whole database or ledger.
pub const DOWNLOADS_MAX: usize = 4;

/// How long whoever reads an answer may take nothing, in seconds, where no setting says so: a
/// network that comes back does so within a minute.
pub const STALL_S: u32 = 60;

/// The longest that a setting may say, in seconds.
pub const STALL_S_MAX: u32 = 600;

/// How long one export may take, in seconds: half an hour, in which a reader of one megabyte a
/// second gets more than a million contacts. A slower one narrows the export down.
pub const DOWNLOAD_S_MAX: u64 = 30 * 60;

const _: () = assert!(STALL_S <= STALL_S_MAX);
const _: () = assert!(PAGE_DEFAULT <= PAGE_MAX);
const _: () = assert!(NUMBER_BYTES_MAX < LINE_BYTES_MAX);
/// Bytes of a look-up provider's reply that are read at most. An answer about one number is a few
/// hundred bytes; a megabyte of error page is not worth the memory.
pub const PROVIDER_BODY_BYTES_MAX: usize = 256 * 1024;

/// Shortest total time a look-up may be given, in milliseconds: below this even a healthy
/// provider nearby would be called faulty.
pub const PROVIDER_TIMEOUT_MS_MIN: u32 = 50;

/// Longest total time a look-up may be given, in milliseconds.
pub const PROVIDER_TIMEOUT_MS_MAX: u32 = 120_000;

/// Longest pause a provider can order with `Retry-After`, in milliseconds: one day. Asking once a
/// day is polite, and one absurd header must not end look-ups for good.
pub const PROVIDER_PAUSE_MS_MAX: u64 = 24 * 60 * 60 * 1_000;

/// Characters of the longest text read as a phone number.
///
/// Source: libphonenumber, `MAX_INPUT_STRING_LENGTH`.
pub const NUMBER_TEXT_CHARS_MAX: usize = 250;

/// Longest text of a number without `+` for which regions are tried, in bytes: a number and its
/// punctuation, three times over. Each try reads the whole text.
pub const REGIONLESS_BYTES_MAX: usize = 64;

/// Most regions named as ones in which a text would be a number: more than that nobody reads.
pub const VALID_IN_MAX: usize = 12;

const _: () = assert!(REGIONLESS_BYTES_MAX < NUMBER_TEXT_CHARS_MAX);

/// Bytes of the longest line `izin normalize` reads.
///
/// Room for a number of the greatest length with every character escaped as a JSON pair, and for
/// the fields around it; what is longer is no number and is not kept in memory.
pub const NORMALIZE_LINE_BYTES_MAX: usize = 64 * 1024;

const _: () = assert!(NORMALIZE_LINE_BYTES_MAX > 12 * NUMBER_TEXT_CHARS_MAX);

/// Bytes of a message that are searched for consent words: WhatsApp's longest text, 4,096
/// characters, at 4 bytes each.
///
/// Source: Meta, "Text messages", `text.body`.
pub const CONSENT_TEXT_BYTES_MAX: usize = 4 * 4_096;

/// Longest message in bytes that can be a consent word: three times the longest phrase that is
/// listed, for invisible characters and punctuation.
pub const CONSENT_WORD_BYTES_MAX: usize = 384;

const _: () = assert!(CONSENT_WORD_BYTES_MAX < CONSENT_TEXT_BYTES_MAX);
/// Bytes of the largest webhook. Source: Meta, "Webhooks: overview" (up to 3 MB).
pub const WEBHOOK_BYTES_MAX: usize = 3 * 1024 * 1024;

/// Bytes of webhooks that are held while they are read, over all of them: four of the largest.
/// WhatsApp sends those seldom, and again when they are refused.
pub const WEBHOOK_BYTES_HELD_MAX: usize = 4 * WEBHOOK_BYTES_MAX;

/// Most updates (`changes`) of one webhook. Source: Meta, "Create a webhook endpoint".
pub const WEBHOOK_UPDATES_MAX: usize = 1_000;

/// Most messages, statuses, preferences and contacts of one webhook, over all its updates. The
/// samples have at most three per update; the rest is room.
pub const WEBHOOK_ITEMS_MAX: usize = 10_000;

/// Most JSON values in one webhook, whatever they mean: bounds the memory of reading it. An
/// update with all its members has about 50.
pub const WEBHOOK_VALUES_MAX: usize = 250_000;

/// Webhooks that are remembered to be looked at: a busy minute, or a quiet week.
pub const WEBHOOK_LOG_MAX: usize = 1_000;

/// Bytes of the largest webhook that is read where it came in: about half a millisecond. Larger
/// ones go to the blocking pool.
pub const WEBHOOK_INLINE_BYTES_MAX: usize = 16 * 1024;

/// Longest time a webhook's commands wait for a place in the ledger's queue, in milliseconds.
/// WhatsApp gives up on an answer somewhat later, and repeats.
pub const WEBHOOK_QUEUE_WAIT_MS: u64 = 5_000;

/// Commands of one webhook that are under way at once: leaves the queue room for everybody else.
pub const WEBHOOK_COMMANDS_AT_ONCE: usize = 512;

/// Most payloads of one template's buttons; WhatsApp allows 10 buttons.
pub const ANSWERS_MAX: usize = 32;

/// Longest answer about consent that is kept as evidence, in bytes.
pub const ANSWER_BYTES_MAX: usize = 100;

/// Longest word or id that WhatsApp writes and that is neither a message id nor a user id.
pub const PLATFORM_WORD_BYTES_MAX: usize = 512;

/// Bytes of the Graph API's longest answer that is read. One about a number is under a kilobyte,
/// with its health a few.
pub const PLATFORM_ANSWER_BYTES_MAX: usize = 256 * 1024;

/// How long one question to the Graph API may take, in milliseconds.
pub const PLATFORM_TIMEOUT_MS: u32 = 20_000;

/// Templates asked for at once: about 20 kB of answer, of which twelve times as much is read.
pub const PLATFORM_PAGE: usize = 100;

/// Most pages of templates asked for in one round. An account has at most 6,000 templates.
///
/// Source: Meta, "Template management", limits.
pub const PLATFORM_PAGES_MAX: u32 = 64;

/// Shortest and longest time between two rounds of questions to the Graph API, in seconds. An
/// account may be asked 200 times an hour before it is active.
///
/// Source: Meta, "WhatsApp Business Platform: rate limits".
pub const PLATFORM_INTERVAL_S_MIN: u32 = 60;
/// The longest: a day.
pub const PLATFORM_INTERVAL_S_MAX: u32 = 86_400;

const _: () = assert!(WEBHOOK_UPDATES_MAX <= WEBHOOK_ITEMS_MAX);
const _: () = assert!(WEBHOOK_UPDATES_MAX * 100 <= WEBHOOK_VALUES_MAX);

/// So many reviews of one person at most are open at once: who has more is looked at already.
pub const REVIEWS_OPEN_MAX: usize = 20;
/// Most windows of one rule of quiet hours: a few a day, or some for each day of the week.
pub const QUIET_WINDOWS_MAX: usize = 16;

/// Most public holidays of one rule of quiet hours: no country has half as many a year.
pub const HOLIDAYS_MAX: usize = 48;

/// How far ahead a moment is looked for at which nobody's quiet hours hold, in days: a week, and
/// a day for clocks that stand far apart.
pub const QUIET_DAYS_MAX: i64 = 8;

/// Most messages a cap allows: so many are remembered of a person.
pub const CAP_COUNT_MAX: u32 = 100;

/// Longest span of a cap, in days: what a person got longer ago annoys nobody, and has to be
/// remembered.
pub const CAP_DAYS_MAX: u32 = 366;

/// Longest deadline for honouring an opt-out, in hours: a year.
pub const STOP_HOURS_MAX: u32 = 366 * 24;

/// Longest deadline for honouring an opt-out, in business days.
pub const STOP_BUSINESS_DAYS_MAX: u32 = 260;

/// Longest reason of a rule of policy, or for switching one off, in bytes.
pub const POLICY_TEXT_BYTES_MAX: usize = 1_024;

/// Longest link to a source, in bytes.
pub const URL_BYTES_MAX: usize = 2_048;

/// Most rules of an operator's own, and most switched off: more is a pack, not an exception.
pub const POLICY_OVERRIDES_MAX: usize = 256;

/// Longest time a ticket is good for, in milliseconds: what may be configured is no longer.
pub const TICKET_TTL_MS_MAX: i64 = 24 * 60 * 60 * 1_000;

/// Most messages a second of a sender. Source: Meta, "Throughput".
pub const THROUGHPUT_MAX: u32 = 1_000;

/// Most messages of one batch of sends.
pub const SENDS_MAX: usize = 1_000;

/// So many of them are offered to the ledger at the same time.
pub const SENDS_AT_ONCE: usize = 256;

/// How long each of them waits for a place in the queue, in milliseconds.
pub const SENDS_QUEUE_WAIT_MS: u64 = 5_000;

/// Contacts of a state of the past that is kept between two questions: a few hundred megabytes. A
/// larger one is made anew each time, rather than held beside the one in force.
pub const PAST_CONTACTS_KEPT_MAX: usize = 1_000_000;

/// How long a state of the past is kept that nobody asks about, in seconds.
pub const PAST_KEPT_S: u64 = 5 * 60;

/// How long a question about the past waits for others to end, in milliseconds.
pub const PAST_WAIT_MS: u64 = 10_000;

/// How long one replay of the past may take before whoever asked is sent away, in seconds. It goes
/// on, so that the next one to ask finds it further.
pub const PAST_REPLAY_S: u64 = 60;

/// Entries of the past between two looks at whether the service is stopping: about a millisecond.
pub const PAST_STOP_EVERY: usize = 1_024;

/// Entries of one answer of the change feed.
pub const CHANGES_MAX: usize = 1_000;

/// Entries of one answer of the change feed when nobody says.
pub const CHANGES_DEFAULT: usize = 100;

/// Sealed bytes at which an answer of the change feed ends, its first entry aside.
pub const CHANGES_BYTES_MAX: usize = 1024 * 1024;

/// Longest wait of the change feed for something new, in seconds: proxies cut off longer ones.
pub const CHANGES_WAIT_S_MAX: u64 = 60;

const _: () = assert!(CHANGES_DEFAULT <= CHANGES_MAX);
