//! Look-ups that meet trouble on the way back: an answer that was paid for is not lost.

use std::{sync::Arc, thread, time::Duration};

use futures_util::FutureExt as _;
use izin::{
    domain::{
        command::{Command, Envelope, RequestLookups},
        contact::LookupState,
        event::Actor,
        ids::LookupId,
        phone::PhoneNumber,
    },
    effects::lookups::Lookups,
    ledger::{handle::Ledger, index::Indexer, memory::MemoryLog, writer::Writer},
    providers::{
        BreakerSettings, LookupTimeout, Provider, ProviderKind, ProviderUrl, SessionName, Settings,
        SharedBreaker,
    },
};
use uuid::Uuid;

use crate::{
    business::{Business, contact, key, opt_in},
    fake_provider::{FakeProvider, Reply},
};

const NUMBER: &str = "+12025550123";
const VALID: &str = include_str!("../data/providers/contacts_valid.json");
const LOOKUP: LookupId = LookupId::from_uuid(Uuid::from_u128(77));

/// Longer than anything here takes, for what must not happen and for what must.
const LONG: Duration = Duration::from_secs(30);

fn lookups(business: &Business, ledger: &Ledger, fake: &FakeProvider) -> Lookups {
    let provider = Provider::build(Settings {
        kind: ProviderKind::ContactsApi,
        url: ProviderUrl::parse(&fake.url()).unwrap(),
        token: None,
        timeout: LookupTimeout::from_ms(20_000).unwrap(),
        session: SessionName::default(),
    });
    let breaker = SharedBreaker::new(BreakerSettings::default());
    let clock = Arc::<izin::runtime::clock::ManualClock>::clone(&business.clock);
    let indexer = Indexer::from_bytes([1; 32]);
    Lookups::new(ledger.clone(), indexer, clock, Some((provider.unwrap(), breaker)))
}

/// A business that has just reserved a look-up of one person.
fn reserved() -> Business {
    let mut business = Business::new();
    business.run(vec![opt_in(1, &["orders"], None)]);
    let request = RequestLookups { numbers: vec![(key(1), LOOKUP)], has_provider: true, job: None };
    business.run(vec![Command::RequestLookups(request)]);
    business
}

fn wanted() -> Vec<(LookupId, PhoneNumber)> {
    vec![(LOOKUP, PhoneNumber::parse(NUMBER).unwrap())]
}

fn answer(business: &Business) -> Option<LookupState> {
    let subject = business.subject(1).unwrap();
    let state = business.views.state();
    let lookup = state.contacts().get(subject)?.details().lookup.clone()?;
    lookup.answer.map(|(state, _)| state)
}

fn run(writer: Writer<MemoryLog>) -> thread::JoinHandle<()> {
    thread::spawn(move || writer.run())
}

/// Runs a test whose business is made before there is a runtime, because it steps its writer.
///
/// The writer ends when nobody could feed it any more, so it is waited for when the runtime is
/// gone: a look-up that goes on by itself may hold the ledger a moment longer than its test.
fn with_runtime(test: impl AsyncFnOnce(Business) -> thread::JoinHandle<()>) {
    let business = reserved();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let writer = runtime.unwrap().block_on(test(business));
    writer.join().unwrap();
}

#[test]
fn an_answer_that_meets_a_full_queue_is_recorded_once_there_is_room() {
    with_runtime(full_queue);
}

async fn full_queue(mut business: Business) -> thread::JoinHandle<()> {
    let fake = FakeProvider::start();
    fake.then(Reply::json(VALID));
    let (ledger, writer) = business.take_writer();
    let lookups = lookups(&business, &ledger, &fake);
    let mut waiting = Vec::new();
    while ledger.room() > 0 {
        let command = Command::Unblock { contact: contact(1) };
        let envelope = Envelope { actor: Actor::Operator, once: None, command };
        let ledger = ledger.clone();
        let mut answer = Box::pin(async move { ledger.submit(envelope).await });
        assert!((&mut answer).now_or_never().is_none());
        waiting.push(answer);
    }
    let mut performing = Box::pin(lookups.perform(wanted()));
    // Nobody empties the queue: whoever gave up would be done by now.
    let early = tokio::time::timeout(Duration::from_millis(400), &mut performing).await;
    assert!(early.is_err(), "{early:?}");
    assert_eq!((fake.received().len(), answer(&business)), (1, None));
    let writer = run(writer);
    let concluded = tokio::time::timeout(LONG, performing).await.unwrap();
    assert_eq!(concluded[0].state, LookupState::Registered);
    assert_eq!(answer(&business), Some(LookupState::Registered));
    drop((waiting, lookups, ledger));
    writer
}

#[test]
fn an_answer_nobody_waits_for_any_more_is_recorded_all_the_same() {
    with_runtime(nobody_waits);
}

async fn nobody_waits(mut business: Business) -> thread::JoinHandle<()> {
    let fake = FakeProvider::start();
    fake.then(Reply::Drip { body: VALID.into(), every: Duration::from_millis(1) });
    let (ledger, writer) = business.take_writer();
    let lookups = lookups(&business, &ledger, &fake);
    let writer = run(writer);
    let mut performing = Box::pin(lookups.perform(wanted()));
    while fake.received().is_empty() {
        let waited = tokio::time::timeout(Duration::from_millis(5), &mut performing).await;
        assert!(waited.is_err(), "the provider had not answered yet");
    }
    drop(performing);
    let recorded = async {
        while answer(&business).is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LONG, recorded).await.unwrap();
    assert_eq!(answer(&business), Some(LookupState::Registered));
    drop((lookups, ledger));
    writer
}
