//! A small business with a real writer over a log in memory; tests choose the groups.
#![expect(clippy::unwrap_used, reason = "a helper of tests fails the test it helps")]

use std::sync::Arc;

use futures_util::FutureExt as _;
use izin::{
    domain::{
        command::{
            Command, ContactRef, Envelope, NumberIdentifier, OptIn, OptOut, Person,
            RegistryCommand, UserIdentifier,
        },
        decide::Rules,
        eligibility::SessionPolicy,
        entry::Subject,
        event::{Actor, Evidence, Source},
        governor::{Levels, LookupPolicy},
        home::Home,
        ids::ContactId,
        key::ContactKey,
        names::TopicId,
        phone::PhoneNumber,
        registry::{Category, Topic},
        time::{DAY_MS, Timestamp},
    },
    ledger::{
        handle::Ledger,
        log::{EventLog as _, LogReader},
        memory::MemoryLog,
        recent::RecentReader,
        seal::MaskKey,
        sealer::Sealer,
        vault::{Kek, Vault},
        views::Views,
        writer::{Parts, Writer},
    },
    runtime::clock::ManualClock,
};
use rand::{SeedableRng as _, rngs::StdRng};
use uuid::Uuid;

/// When the tests' ledger begins.
pub(crate) const START: i64 = 1_700_000_000_000;

/// The topics of the business.
pub(crate) const TOPICS: [&str; 3] = ["promotions", "orders", "news"];

pub(crate) struct Business {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) log: MemoryLog,
    pub(crate) sealer: Sealer,
    pub(crate) views: Arc<Views>,
    pub(crate) clock: Arc<ManualClock>,
    ledger: Ledger,
    writer: Option<Writer<MemoryLog>>,
}

impl Business {
    pub(crate) fn new() -> Self {
        Self::with_chance(1)
    }

    /// As [`Self::new`], with keys and salts of its own for each `seed`.
    pub(crate) fn with_chance(seed: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut random = StdRng::seed_from_u64(seed);
        let kek = Kek::from_bytes(&[7; 32]);
        let vault = Vault::open(&folder.path().join("vault"), kek, &mut random).unwrap();
        vault.settle(Subject::SYSTEM, &mut random).unwrap();
        let sealer = Sealer::new(MaskKey::from_bytes([8; 32]), Arc::new(vault));
        let (log, views) = (MemoryLog::new(), Arc::new(Views::default()));
        let clock = Arc::new(ManualClock::at(START));
        let (ledger, writer) = Writer::new(Parts {
            log: log.clone(),
            views: Arc::clone(&views),
            sealer: sealer.clone(),
            rules: rules(),
            clock: Arc::<ManualClock>::clone(&clock),
            random,
            group_len_max: 1_024,
            queue_len: 4_096,
        });
        let writer = Some(writer);
        let mut business = Self { folder, log, sealer, views, clock, ledger, writer };
        let open = RegistryCommand::OpenLedger { ledger: Uuid::from_u128(1) };
        let topics = TOPICS.map(|id| RegistryCommand::PutTopic {
            id: topic(id),
            topic: Topic {
                name: id.into(),
                category: Category::Marketing,
                description: None,
                expires_after_days: (id == "news").then_some(30),
            },
        });
        let commands = std::iter::once(open).chain(topics);
        business.run(commands.map(|command| Command::Registry(Box::new(command))).collect());
        business
    }

    /// Commits commands as one group. Refusals are answers like any other.
    pub(crate) fn run(&mut self, commands: Vec<Command>) {
        let answers: Vec<_> = commands
            .into_iter()
            .map(|command| {
                let envelope = Envelope { actor: Actor::Operator, once: None, command };
                let ledger = self.ledger.clone();
                let mut answer = Box::pin(async move { ledger.submit(envelope).await });
                assert!((&mut answer).now_or_never().is_none(), "it waits for its group");
                answer
            })
            .collect();
        if !answers.is_empty() {
            assert!(self.writer.as_mut().unwrap().step());
        }
        for answer in answers {
            assert!(answer.now_or_never().is_some(), "the whole group was answered");
        }
        self.clock.advance_ms(1_000);
    }

    /// Hands the writer out, and what feeds it; the business itself records nothing any more.
    pub(crate) fn take_writer(&mut self) -> (Ledger, Writer<MemoryLog>) {
        // Nobody reads the other end: a writer ends when nobody could feed it any more.
        let (nobody, _) = Writer::new(Parts {
            log: MemoryLog::new(),
            views: Arc::default(),
            sealer: self.sealer.clone(),
            rules: rules(),
            clock: Arc::<ManualClock>::clone(&self.clock),
            random: StdRng::seed_from_u64(1),
            group_len_max: 1,
            queue_len: 1,
        });
        (std::mem::replace(&mut self.ledger, nobody), self.writer.take().unwrap())
    }

    pub(crate) fn reader(&self) -> Arc<dyn LogReader> {
        self.log.reader()
    }

    pub(crate) fn follow(&self, bytes_max: usize) -> RecentReader {
        self.ledger.follow(bytes_max)
    }

    pub(crate) fn database(&self) -> std::path::PathBuf {
        self.folder.path().join("sled")
    }

    /// Opens the library behind directly, to plant what no code of ours writes. It may let its lock
    /// go a moment after its last handle.
    #[expect(clippy::disallowed_methods, reason = "the library tells nobody when its lock is free")]
    pub(crate) fn bare_database(&self) -> sled::Db {
        for _ in 0..500 {
            if let Ok(db) = sled::open(self.database()) {
                return db;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        sled::open(self.database()).unwrap()
    }

    pub(crate) fn subject(&self, person: u32) -> Option<Subject> {
        self.views.state().contacts().find(key(person))
    }

    pub(crate) fn erase(&self, person: u32) {
        let subject = self.subject(person).unwrap();
        self.sealer.vault().destroy(subject, &mut StdRng::seed_from_u64(5)).unwrap();
    }
}

pub(crate) fn rules() -> Rules {
    Rules {
        session: SessionPolicy { margin_ms: 60_000 },
        lookup: LookupPolicy {
            window_ms: 7 * DAY_MS,
            starting_allowance: 100,
            cache_ms: 7 * DAY_MS,
            lapse_ms: 600_000,
            levels: Levels::DEFAULT,
            requires_opt_in: false,
        },
        skew_ms: 300_000,
    }
}

pub(crate) fn topic(id: &str) -> TopicId {
    TopicId::parse(id).unwrap()
}

pub(crate) fn key(person: u32) -> ContactKey {
    ContactKey::from_bits(u128::from(person) + 1)
}

pub(crate) fn contact(person: u32) -> ContactRef {
    ContactRef::Key(key(person))
}

/// Returns a number nobody has. Source: Ofcom keeps +44 7700 900000 to 900999 for drama.
pub(crate) fn number(person: u32) -> String {
    format!("+447700900{:03}", person % 1_000)
}

pub(crate) fn source(kind: &str) -> Source {
    Source { kind: kind.into(), entry_point: None, url: None, reference: None }
}

pub(crate) fn person(person: u32) -> Person {
    let number = NumberIdentifier {
        number: PhoneNumber::parse(&number(person)).unwrap(),
        key: key(person),
        is_valid: true,
        written: None,
        home: Home::default(),
        weak: Vec::new(),
    };
    let new_id = ContactId::from_uuid(Uuid::from_u128(u128::from(person) + 100));
    Person { number: Some(number), user: None, new_id }
}

/// The same person, whose number may be that of the one beside them: 0 and 1, 2 and 3, and so on.
pub(crate) fn person_beside(ordinal: u32) -> Person {
    let mut who = person(ordinal);
    if let Some(number) = &mut who.number {
        number.weak.push(key(ordinal ^ 1));
    }
    who
}

/// The same person, with a user id beside the number.
pub(crate) fn person_with_user(ordinal: u32, user_id: &str) -> Person {
    let user = UserIdentifier {
        user_id: user_id.into(),
        key: ContactKey::from_bits((1 << 64) + u128::from(ordinal)),
    };
    Person { user: Some(user), ..person(ordinal) }
}

pub(crate) fn opt_in(ordinal: u32, topics: &[&str], at: Option<i64>) -> Command {
    Command::OptIn(Box::new(opt_in_of(person(ordinal), topics, at)))
}

pub(crate) fn opt_in_of(person: Person, topics: &[&str], at: Option<i64>) -> OptIn {
    OptIn {
        person,
        topics: topics.iter().map(|id| topic(id)).collect(),
        source: source("web_form"),
        statement: None,
        language: None,
        evidence: Evidence::new(),
        captured_at: at.map(Timestamp::from_unix_ms),
        awaits_confirmation: false,
        basis: izin::policy::ConsentBasis::Express,
    }
}

pub(crate) fn opt_out(ordinal: u32, topics: Option<&[&str]>, at: Option<i64>) -> Command {
    opt_out_of(person(ordinal), topics, at)
}

pub(crate) fn opt_out_of(person: Person, topics: Option<&[&str]>, at: Option<i64>) -> Command {
    Command::OptOut(Box::new(OptOut {
        person,
        topics: topics.map(|topics| topics.iter().map(|id| topic(id)).collect()),
        source: source("keyword"),
        reason: None,
        captured_at: at.map(Timestamp::from_unix_ms),
    }))
}
