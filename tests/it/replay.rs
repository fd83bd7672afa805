//! Replay gives the state that was lived, whatever happened and however long it took.

use std::collections::BTreeMap;

use izin::{
    domain::{
        command::{Command, Merge, Once, RegistryCommand, RequestLookups, ReserveSend},
        contact::LookupState,
        event::{Event, Evidence, MarkKept, TrafficKind},
        ids::{JobId, LookupId, TicketId},
        key::{CommandId, Fingerprint, MessageKey},
        lookup_job::JobEnd,
        names::{Language, PortfolioId, SenderId, TemplateName},
        phone::PhoneNumber,
        registry::{Category, Portfolio, Quality, Sender, Template, TemplateRef, Topic},
        ticket::MessageKind,
        time::{DAY_MS, Timestamp},
    },
    ledger::{handle::Outcome, sealer::Sealer},
    runtime::clock::Clock as _,
};
use proptest::{prelude::*, test_runner::TestRunner};
use uuid::Uuid;

use crate::{
    business::{contact, key, opt_in_of, opt_out_of, person_beside, person_with_user, topic},
    writer::{Desk, sealer},
};

pub(crate) const PEOPLE: u32 = 8;
/// Those of them who have user ids, and so stay apart.
const WITH_USER: u32 = 4;
pub(crate) const TOPICS: [&str; 3] = ["promotions", "orders", "news"];

/// Something that may be asked of the ledger.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    In { person: u32, topic: usize, ago_s: i64, awaits: bool, user: bool },
    Out { person: u32, topic: Option<usize>, ago_s: i64 },
    Identity { person: u32, hash: char, ago_s: i64 },
    Confirm { person: u32, hash: char },
    Block { person: u32 },
    Unblock { person: u32 },
    Traffic { person: u32, kind: TrafficKind, ago_s: i64 },
    Reserve { person: u32, kind: MessageKind },
    Commit { ticket: usize, message: u128 },
    Release { ticket: usize },
    LookUp { person: u32, job: Option<usize> },
    Job { people: u32 },
    EndJob { job: usize, how: JobEnd },
    Conclude { lookup: usize, state: LookupState, has_wa_id: bool },
    Merge { from: u32, into: u32 },
}

/// Commands that are one group, some under a key for repeating them, and the hours after it.
pub(crate) type Step = (Vec<(Act, Option<u128>)>, u32);

fn act() -> impl Strategy<Value = Act> {
    let who = 0..PEOPLE;
    let ago_s = || -200_i64..200_000;
    let hash = || prop::char::range('A', 'C');
    let rarely = || prop::bool::weighted(0.2);
    let kind = prop_oneof![
        3 => Just(TrafficKind::Inbound),
        1 => Just(TrafficKind::Delivered),
        1 => Just(TrafficKind::Undeliverable),
    ];
    let form = prop_oneof![Just(MessageKind::Template), Just(MessageKind::Session)];
    let state = prop_oneof![
        Just(LookupState::Registered),
        Just(LookupState::NotRegistered),
        Just(LookupState::Unknown),
    ];
    prop_oneof![
        6 => (who.clone(), 0..TOPICS.len(), ago_s(), rarely(), rarely())
            .prop_map(|(person, topic, ago_s, awaits, user)| Act::In {
                person, topic, ago_s, awaits, user
            }),
        2 => (who.clone(), prop::option::of(0..TOPICS.len()), ago_s())
            .prop_map(|(person, topic, ago_s)| Act::Out { person, topic, ago_s }),
        2 => (who.clone(), hash(), ago_s())
            .prop_map(|(person, hash, ago_s)| Act::Identity { person, hash, ago_s }),
        1 => (who.clone(), hash()).prop_map(|(person, hash)| Act::Confirm { person, hash }),
        1 => who.clone().prop_map(|person| Act::Block { person }),
        3 => who.clone().prop_map(|person| Act::Unblock { person }),
        // Of one person nothing is heard, so that there is somebody to look up.
        3 => (1..PEOPLE, kind, ago_s())
            .prop_map(|(person, kind, ago_s)| Act::Traffic { person, kind, ago_s }),
        6 => (who.clone(), form).prop_map(|(person, kind)| Act::Reserve { person, kind }),
        2 => (any::<usize>(), 0..3_u128)
            .prop_map(|(ticket, message)| Act::Commit { ticket, message }),
        2 => any::<usize>().prop_map(|ticket| Act::Release { ticket }),
        2 => (prop_oneof![Just(0), who], prop::option::of(any::<usize>()))
            .prop_map(|(person, job)| Act::LookUp { person, job }),
        1 => (0..PEOPLE).prop_map(|people| Act::Job { people }),
        1 => (any::<usize>(), prop_oneof![Just(JobEnd::Finished), Just(JobEnd::Cancelled)])
            .prop_map(|(job, how)| Act::EndJob { job, how }),
        2 => (any::<usize>(), state, any::<bool>()).prop_map(|(lookup, state, has_wa_id)| {
            Act::Conclude { lookup, state, has_wa_id }
        }),
        1 => (WITH_USER..PEOPLE, 1..PEOPLE).prop_map(|(from, into)| Act::Merge { from, into }),
    ]
}

fn steps(groups: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Step>> {
    let hours = prop_oneof![8 => Just(0_u32), 2 => 1..24_u32, 1 => 24..240_u32];
    let acts = prop::collection::vec((act(), prop::option::weighted(0.3, 0..40_u128)), 1..9);
    prop::collection::vec((acts, hours), groups)
}

/// A business in which all of it can happen.
pub(crate) struct Life {
    pub(crate) desk: Desk,
    tickets: Vec<TicketId>,
    lookups: Vec<LookupId>,
    jobs: Vec<JobId>,
    ids: u128,
    /// Kinds of events that were recorded.
    seen: std::collections::BTreeSet<String>,
}

impl Life {
    pub(crate) fn new(sealer: &Sealer) -> Self {
        let mut desk = Desk::new(sealer, None);
        let portfolio = PortfolioId::parse("p1").unwrap();
        let news = Topic {
            name: "News".into(),
            category: Category::Marketing,
            description: None,
            expires_after_days: Some(2),
        };
        let limits = Portfolio { name: "Toko".into(), messaging_limit: None, restricted: false };
        let sends = Sender {
            portfolio: portfolio.clone(),
            number: PhoneNumber::parse("+12025550100").unwrap(),
            status: "CONNECTED".into(),
            quality: Quality::Green,
            halted: false,
            throughput: None,
            account: None,
        };
        let (category, status) = (Category::Marketing, "APPROVED".into());
        let sale =
            Template { topic: topic("promotions"), category, status, answers: BTreeMap::new() };
        let language = Language::parse("id").unwrap();
        let answers = desk.group(
            [
                RegistryCommand::PutTopic { id: topic("news"), topic: news },
                RegistryCommand::PutPortfolio { id: portfolio, portfolio: limits },
                RegistryCommand::PutSender { id: sender(), sender: sends },
                RegistryCommand::PutTemplate {
                    id: TemplateRef { name: template(), language },
                    template: sale,
                },
            ]
            .map(|command| Command::Registry(Box::new(command)))
            .into(),
        );
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        let (tickets, lookups, jobs, seen) = Default::default();
        Self { desk, tickets, lookups, jobs, ids: 0, seen }
    }

    fn id(&mut self) -> Uuid {
        self.ids += 1;
        Uuid::from_u128(self.ids)
    }

    fn command(&mut self, act: &Act) -> Command {
        let now = self.desk.clock.now();
        let when = |ago_s: i64| Some(now.plus_ms(-ago_s * 1_000).unix_ms());
        let moment = |ago_s: i64| when(ago_s).map(Timestamp::from_unix_ms);
        match act {
            Act::In { person: who, topic, ago_s, awaits, user } => {
                let user_id = format!("US.{who}");
                let person = if *user && *who < WITH_USER {
                    person_with_user(*who, &user_id)
                } else {
                    person_beside(*who)
                };
                let mut command = opt_in_of(person, &[TOPICS[*topic]], when(*ago_s));
                command.awaits_confirmation = *awaits;
                Command::OptIn(Box::new(command))
            }
            Act::Out { person, topic, ago_s } => {
                let topics = topic.map(|topic| [TOPICS[topic]]);
                let topics = topics.as_ref().map(|topics| &topics[..]);
                opt_out_of(person_beside(*person), topics, when(*ago_s))
            }
            Act::Identity { person, hash, ago_s } => {
                let (contact, hash) = (contact(*person), hash.to_string().into());
                Command::ReportIdentity { contact, hash, observed_at: moment(*ago_s) }
            }
            Act::Confirm { person, hash } => {
                let (contact, hash) = (contact(*person), hash.to_string().into());
                Command::ConfirmIdentity { contact, hash, evidence: Evidence::new() }
            }
            Act::Block { person } => Command::Block { contact: contact(*person), reason: None },
            Act::Unblock { person } => Command::Unblock { contact: contact(*person) },
            Act::Traffic { person: who, kind, ago_s } => Command::ReportTraffic {
                contact: contact(*who),
                newcomer: Some(Box::new(person_beside(*who))),
                kind: *kind,
                sender: Some(sender()),
                happened_at: moment(*ago_s),
            },
            Act::Reserve { person, kind } => self.reserve(*person, *kind),
            Act::Commit { ticket, message } => Command::CommitSend {
                ticket: self.ticket(*ticket),
                message_id: "wamid.x".into(),
                message: MessageKey::from_bits(*message + 1),
            },
            Act::Release { ticket } => Command::ReleaseSend { ticket: self.ticket(*ticket) },
            Act::LookUp { person, job } => self.look_up(*person, *job),
            Act::Job { people } => self.start_job(*people),
            Act::EndJob { job, how } => self.end_job(*job, *how),
            Act::Conclude { lookup, state, has_wa_id } => Command::ConcludeLookup {
                lookup: pick(&self.lookups, *lookup)
                    .unwrap_or(LookupId::from_uuid(Uuid::from_u128(u128::MAX))),
                state: *state,
                cause: None,
                wa_id: None,
                // A number nobody else has.
                wa_key: has_wa_id.then(|| key(PEOPLE)),
                // Nobody answers what nobody was asked.
                was_asked: *has_wa_id || *state != LookupState::Unknown,
            },
            Act::Merge { from, into } => {
                let (from, into) = (contact(*from), contact(*into));
                let evidence = Evidence::new();
                Command::Merge(Box::new(Merge { from, into, reason: None, evidence }))
            }
        }
    }

    fn look_up(&mut self, person: u32, job: Option<usize>) -> Command {
        let lookup = LookupId::from_uuid(self.id());
        let numbers = vec![(key(person), lookup)];
        let job = job.and_then(|job| pick(&self.jobs, job));
        Command::RequestLookups(RequestLookups { numbers, has_provider: true, job })
    }

    fn start_job(&mut self, people: u32) -> Command {
        let job = JobId::from_uuid(self.id());
        let rows = (0..people).map(|person| Some(key(person))).chain([None]).collect();
        Command::StartLookupJob { job, rows }
    }

    fn end_job(&self, job: usize, how: JobEnd) -> Command {
        let unknown = JobId::from_uuid(Uuid::from_u128(u128::MAX));
        let job = pick(&self.jobs, job).unwrap_or(unknown);
        Command::EndLookupJob { job, how }
    }

    fn reserve(&mut self, person: u32, kind: MessageKind) -> Command {
        let ticket = TicketId::from_uuid(self.id());
        Command::ReserveSend(Box::new(ReserveSend {
            ticket,
            recipient: contact(person),
            number: None,
            user_id: None,
            kind,
            template: (kind == MessageKind::Template).then(template),
            language: None,
            sender: sender(),
            ttl_ms: DAY_MS,
        }))
    }

    fn ticket(&self, place: usize) -> TicketId {
        pick(&self.tickets, place).unwrap_or(TicketId::from_uuid(Uuid::from_u128(u128::MAX)))
    }

    /// Lives through a history.
    pub(crate) fn live(&mut self, steps: &[Step]) {
        for (acts, hours) in steps {
            let commands = acts.iter().map(|(act, once)| {
                let once = once.map(|id| Once {
                    id: CommandId::from_bits(id + 1),
                    fingerprint: Fingerprint::from_bits(1),
                    kept: MarkKept::Usual,
                });
                (self.command(act), once)
            });
            let commands = commands.collect();
            for answer in self.desk.group_once(commands) {
                let Ok(Outcome::Done(entries)) = answer else { continue };
                for entry in entries {
                    self.seen.insert(kind(&entry.record.event));
                    if let Event::LookupRequested(made) = entry.record.event {
                        self.lookups.push(made.lookup);
                    } else if let Event::LookupJobStarted { job, .. } = &entry.record.event {
                        self.jobs.push(*job);
                    } else if let Event::TicketReserved(reserved) = &entry.record.event {
                        self.tickets.push(reserved.ticket);
                    }
                }
            }
            self.desk.clock.advance_ms(hours * 3_600_000);
        }
    }
}

fn kind(event: &Event) -> String {
    serde_json::to_value(event).unwrap()["type"].as_str().unwrap().to_owned()
}

/// Returns one of the last few: older ones are closed or forgotten.
fn pick<T: Copy>(known: &[T], place: usize) -> Option<T> {
    let recent = known.get(known.len().saturating_sub(4)..).unwrap_or_default();
    recent.get(place.checked_rem(recent.len())?).copied()
}

pub(crate) fn sender() -> SenderId {
    SenderId::parse("700100200300501").unwrap()
}

pub(crate) fn template() -> TemplateName {
    TemplateName::parse("sale").unwrap()
}

/// Runs a property over some histories of so many groups.
pub(crate) fn for_all(
    cases: u32,
    groups: std::ops::Range<usize>,
    property: impl Fn(&[Step]) -> Result<(), TestCaseError>,
) {
    // Shorter histories of the same fault come from the first test; a long one is not shortened.
    let max_shrink_iters = if groups.end > 100 { 0 } else { 256 };
    let config = ProptestConfig { max_shrink_iters, ..ProptestConfig::with_cases(cases) };
    let mut runner = TestRunner::new(config);
    if let Err(error) = runner.run(&steps(groups), |steps| property(&steps)) {
        panic!("{error}");
    }
}

#[test]
fn replay_gives_the_state_that_was_lived() {
    let sealer = sealer();
    for_all(64, 1..30, |steps| {
        let mut life = Life::new(&sealer);
        life.live(steps);
        prop_assert!(life.desk.replayed() == *life.desk.views.state());
        Ok(())
    });
}

#[test]
fn a_long_life_is_replayed_in_several_parts_and_everything_happened_in_it() {
    let sealer = sealer();
    for_all(1, 700..701, |steps| {
        let mut life = Life::new(&sealer);
        life.live(steps);
        let next = life.desk.views.state().next();
        prop_assert!(next.0 > 1_024, "{} entries are one part", next.0);
        prop_assert!(life.desk.replayed() == *life.desk.views.state());
        let expected = [
            "contact_absorbed",
            "contact_added",
            "contact_blocked",
            "contact_merged",
            "contact_unblocked",
            "identifier_linked",
            "identity_changed",
            "identity_confirmed",
            "identity_observed",
            "lookup_concluded",
            "lookup_job_ended",
            "lookup_job_started",
            "lookup_requested",
            "nothing_changed",
            "opted_in",
            "opted_out",
            "ticket_committed",
            "ticket_released",
            "ticket_reserved",
            "ticket_stepped",
            "ticket_voided",
            "traffic_seen",
        ];
        let missing: Vec<_> = expected.iter().filter(|kind| !life.seen.contains(**kind)).collect();
        prop_assert!(missing.is_empty(), "{missing:?} did not happen");
        Ok(())
    });
}

#[test]
fn a_ticket_is_forgotten_of_whoever_its_contact_became_part_of() {
    let sealer = sealer();
    let agree = |person| Act::In { person, topic: 0, ago_s: 0, awaits: false, user: false };
    let reserve = Act::Reserve { person: 6, kind: MessageKind::Template };
    let merge = Act::Merge { from: 6, into: 2 };
    let groups = [(agree(6), 0), (reserve, 192), (agree(2), 0), (merge, 0)];
    let steps: Vec<Step> = groups.map(|(act, hours)| (vec![(act, None)], hours)).into();
    let mut life = Life::new(&sealer);
    life.live(&steps);
    assert!(life.desk.replayed() == *life.desk.views.state());
    // As when it is merged once the ticket has run out, and the days come after that.
    let (head, tail) = steps.split_at(2);
    let mut life = Life::new(&sealer);
    life.live(&[(head[0].0.clone(), 0), (vec![(agree(2), None)], 0), (head[1].0.clone(), 48)]);
    life.live(&[(tail[1].0.clone(), 192), (vec![(agree(4), None)], 0)]);
    let state = life.desk.views.state();
    let holder = state.contacts().find(key(2)).unwrap();
    assert!(state.contacts().get(holder).unwrap().details().tickets.is_empty());
    assert!(life.desk.replayed() == *state);
}
