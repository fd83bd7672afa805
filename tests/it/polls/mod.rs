//! Asking WhatsApp how senders and templates stand, against a server that plays its answers and its
//! errors: what is asked, what is recorded of it, and when it is asked again.

mod templates;

use std::{
    collections::BTreeMap,
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use izin::{
    domain::{
        command::{Command, Envelope, RegistryCommand},
        event::Actor,
        hearing::{Heard, HeardFact, SenderFact},
        names::{AccountId, Language, PortfolioId, SenderId, TemplateName},
        phone::PhoneNumber,
        registry::{Category, Portfolio, Quality, Sender, Template, TemplateRef},
    },
    effects::polls::{Next, PollLog, PollSettings, Poller},
    ledger::handle::Ledger,
    limits::PLATFORM_ANSWER_BYTES_MAX,
    providers::{Graph, GraphFailure, GraphSettings, LookupTimeout, ProviderUrl, Token},
    runtime::{
        clock::{Clock as _, ManualClock},
        shutdown::Shutdown,
    },
};
use rand::{SeedableRng as _, rngs::StdRng};

use crate::{
    business::{Business, topic},
    fake_provider::{FakeProvider, Received, Reply},
};

const TOKEN: &str = "t0ken-s3cret";
const ACCOUNT: &str = "900100200300401";
const OTHER_ACCOUNT: &str = "900100200300402";
const FIRST: &str = "700100200300501";
const SECOND: &str = "700100200300502";
const NUMBER: &str = include_str!("../../data/whatsapp/phone_number_read.json");
const TEMPLATES: &str = include_str!("../../data/graph/templates.json");
const EXPIRED: &str = include_str!("../../data/whatsapp/graph_error_190_token.json");
const NO_TEMPLATES: &str = r#"{"data":[]}"#;

const INTERVAL: Duration = Duration::from_hours(2);
const BACKOFF: Duration = Duration::from_secs(100);
const BACKOFF_MAX: Duration = Duration::from_secs(1_000);

/// Longer than anything here takes, for what must happen.
const LONG: Duration = Duration::from_secs(30);

/// A business whose poller is stepped by the test, and the WhatsApp it asks.
struct Asking {
    business: Business,
    fake: FakeProvider,
    log: PollLog,
    ledger: Ledger,
    poller: Poller,
    writer: JoinHandle<()>,
}

fn sender_id(id: &str) -> SenderId {
    SenderId::parse(id).unwrap()
}

fn put_sender(id: &str, account: &str) -> Command {
    let sender = Sender {
        portfolio: PortfolioId::parse("main").unwrap(),
        number: PhoneNumber::parse("+12025550100").unwrap(),
        status: "CONNECTED".into(),
        quality: Quality::Green,
        halted: false,
        throughput: None,
        account: Some(AccountId::parse(account).unwrap()),
    };
    Command::Registry(Box::new(RegistryCommand::PutSender { id: sender_id(id), sender }))
}

fn template(name: &str, language: &str) -> TemplateRef {
    let (name, language) = (TemplateName::parse(name).unwrap(), Language::parse(language).unwrap());
    TemplateRef { name, language }
}

fn put_template(name: &str, language: &str) -> Command {
    let put = Template {
        topic: topic("orders"),
        category: Category::Utility,
        status: "APPROVED".into(),
        answers: BTreeMap::new(),
    };
    let id = template(name, language);
    Command::Registry(Box::new(RegistryCommand::PutTemplate { id, template: put }))
}

/// Runs a test whose business is made before there is a runtime, because it steps its writer.
fn asking(commands: Vec<Command>, test: impl AsyncFnOnce(&mut Asking)) {
    let mut business = Business::new();
    let portfolio =
        Portfolio { name: "Main".into(), messaging_limit: Some(2_000), restricted: false };
    let id = PortfolioId::parse("main").unwrap();
    let portfolio = RegistryCommand::PutPortfolio { id, portfolio };
    business.run(vec![Command::Registry(Box::new(portfolio))]);
    business.run(commands);
    let fake = FakeProvider::start();
    let (ledger, writer) = business.take_writer();
    let log = PollLog::default();
    let poller = poller(&business, &ledger, &fake, 20_000, &log);
    let writer = thread::spawn(move || writer.run());
    let mut asking = Asking { business, fake, log, ledger, poller, writer };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(test(&mut asking));
    let Asking { ledger, poller, writer, .. } = asking;
    drop((ledger, poller));
    writer.join().unwrap();
}

fn poller(
    business: &Business,
    ledger: &Ledger,
    fake: &FakeProvider,
    timeout_ms: u32,
    log: &PollLog,
) -> Poller {
    let graph = Graph::build(GraphSettings {
        url: ProviderUrl::parse(&format!("{}/v25.0", fake.url())).unwrap(),
        token: Token::parse(TOKEN).unwrap(),
        timeout: LookupTimeout::from_ms(timeout_ms).unwrap(),
    });
    let settings = PollSettings {
        interval: INTERVAL,
        pace: Duration::ZERO,
        backoff: BACKOFF,
        backoff_max: BACKOFF_MAX,
    };
    let clock = Arc::<ManualClock>::clone(&business.clock);
    let chance = StdRng::seed_from_u64(1);
    Poller::new(ledger.clone(), graph.unwrap(), clock, chance, settings, log.clone())
}

impl Asking {
    fn quality(&self, id: &str) -> Quality {
        let state = self.business.views.state();
        state.registry().sender(&sender_id(id)).unwrap().1.value.quality
    }

    fn last(&self) -> u64 {
        self.business.views.state().last().0
    }

    fn failed(&self, failure: GraphFailure) -> u64 {
        self.log.polled().failed.get(&failure).copied().unwrap_or_default()
    }

    fn targets(&self) -> Vec<String> {
        let path = |one: Received| one.target.split('?').next().unwrap().to_owned();
        self.fake.received().into_iter().map(path).collect()
    }
}

/// What WhatsApp says of a number.
fn number(id: &str, quality: &str, limit: &str) -> Reply {
    let read = NUMBER.replace(FIRST, id).replace("GREEN", quality).replace("TIER_2K", limit);
    Reply::json(&read)
}

fn error(status: u16, code: i64) -> Reply {
    let body = format!(r#"{{"error":{{"message":"x","type":"OAuthException","code":{code}}}}}"#);
    Reply::Http { status, headers: Vec::new(), body: body.into_bytes() }
}

/// The bounds of a pause after so many failures in a row.
fn is_backoff(next: Next, failures: u32) -> bool {
    let longest = (BACKOFF * 2_u32.pow(failures - 1)).min(BACKOFF_MAX);
    matches!(next, Next::In(wait) if wait >= longest / 2 && wait <= longest)
}

#[test]
fn what_is_new_is_recorded_once_and_dated_by_the_question() {
    asking(vec![put_sender(FIRST, ACCOUNT)], async |asking| {
        asking.fake.answer_by(|_| number(FIRST, "RED", "TIER_10K"));
        let before = asking.last();
        assert_eq!(asking.poller.round().await, Next::In(INTERVAL));
        assert_eq!(asking.quality(FIRST), Quality::Red);
        {
            let state = asking.business.views.state();
            let main = PortfolioId::parse("main").unwrap();
            let portfolio = &state.registry().portfolio(&main).unwrap().value;
            assert_eq!(portfolio.messaging_limit, Some(10_000));
            let report = state.registry().reported().sender(&sender_id(FIRST)).unwrap();
            assert_eq!(report.quality_at, Some(asking.business.clock.now()));
            assert_eq!(report.status_at, None, "as it was put");
        }
        let after = asking.last();
        assert_eq!(after, before + 2);
        for _ in 0..3 {
            asking.business.clock.advance_ms(7_200_000);
            asking.poller.round().await;
        }
        assert_eq!(asking.last(), after, "nothing changed");
        assert_eq!(asking.log.polled().answered, 4);

        let received = asking.fake.received();
        assert_eq!(received[0].header("authorization"), Some("Bearer t0ken-s3cret"));
        let agent = concat!("izin/", env!("CARGO_PKG_VERSION"));
        assert_eq!(received[0].header("user-agent"), Some(agent));
        let fields = "id%2Cquality_rating%2Cstatus%2Cthroughput%2C\
            whatsapp_business_manager_messaging_limit";
        assert_eq!(received[0].target, format!("/v25.0/{FIRST}?fields={fields}"));
    });
}

#[test]
fn what_a_webhook_reports_while_the_answer_is_on_its_way_counts() {
    asking(vec![put_sender(FIRST, ACCOUNT)], async |asking| {
        let clock = Arc::clone(&asking.business.clock);
        let asked_at = clock.now();
        asking.fake.answer_by(move |_| {
            clock.advance_ms(5_000);
            let pending = NUMBER.replace("CONNECTED", "PENDING");
            Reply::json(&pending)
        });
        asking.poller.round().await;
        let status = |asking: &Asking| {
            let state = asking.business.views.state();
            state.registry().sender(&sender_id(FIRST)).unwrap().1.value.status.clone()
        };
        assert_eq!(&*status(asking), "PENDING");
        let heard = Heard {
            at: asked_at.plus_ms(2_000),
            account: None,
            sender: Some(sender_id(FIRST)),
            fact: HeardFact::SenderNumber(SenderFact::Status("RESTRICTED".into())),
        };
        let command = Command::Hear(Box::new(heard));
        let envelope = Envelope { actor: Actor::System, once: None, command };
        asking.ledger.submit(envelope).await.unwrap();
        assert_eq!(&*status(asking), "RESTRICTED");
    });
}

#[test]
fn a_token_that_ran_out_ends_the_asking() {
    let senders = vec![put_sender(FIRST, ACCOUNT), put_sender(SECOND, ACCOUNT)];
    asking(senders, async |asking| {
        let body = EXPIRED.as_bytes().to_vec();
        asking.fake.answer_by(move |_| Reply::Http {
            status: 401,
            headers: Vec::new(),
            body: body.clone(),
        });
        assert_eq!(asking.poller.round().await, Next::Never);
        assert_eq!(asking.fake.received().len(), 1, "the others would be refused as well");
        let polled = asking.log.polled();
        assert!(polled.is_over && polled.last_answer.is_none());
        assert_eq!(asking.failed(GraphFailure::Token), 1);
    });
}

#[test]
fn too_many_questions_are_followed_by_longer_and_longer_silence() {
    let senders = vec![put_sender(FIRST, ACCOUNT), put_sender(SECOND, ACCOUNT)];
    asking(senders, async |asking| {
        for (failures, reply) in [
            (1, error(400, 4)),
            (2, error(400, 80_007)),
            (3, error(400, 130_429)),
            (4, Reply::status(429)),
        ] {
            asking.fake.then(reply);
            let next = asking.poller.round().await;
            assert!(is_backoff(next, failures), "{failures}: {next:?}");
            assert_eq!(asking.fake.received().len(), usize::try_from(failures).unwrap());
        }
        assert_eq!(asking.failed(GraphFailure::RateLimited), 4);
        asking.fake.then(number(FIRST, "RED", "TIER_2K"));
        asking.fake.then(error(400, 4).header("retry-after", "7000"));
        assert_eq!(asking.poller.round().await, Next::In(Duration::from_secs(7_000)));
        assert_eq!(asking.quality(FIRST), Quality::Red);
        asking.fake.then(error(400, 4));
        assert_eq!(asking.poller.round().await, Next::In(INTERVAL), "its last try in this round");
        asking.fake.then(number(FIRST, "RED", "TIER_2K")).then(error(400, 4));
        let next = asking.poller.round().await;
        assert!(is_backoff(next, 1), "an answer ends the row: {next:?}");
    });
}

#[test]
fn what_orders_a_silence_without_end_gets_one_of_a_day() {
    let (day, date) = (Duration::from_hours(24), "Sun, 06 Nov 1994 08:49:00 GMT");
    let forever = "9".repeat(30);
    for (ordered, pause) in [
        ("86399", Duration::from_secs(86_399)),
        ("99999999999", day),
        (forever.as_str(), day),
        ("Sat, 06 Nov 2094 08:49:00 GMT", day),
    ] {
        asking(vec![put_sender(FIRST, ACCOUNT)], async |asking| {
            let refused = Reply::status(429).header("retry-after", ordered).header("date", date);
            asking.fake.then(refused);
            assert_eq!(asking.poller.round().await, Next::In(pause), "{ordered}");
            let answered = number(FIRST, "RED", "TIER_2K").header("retry-after", ordered);
            asking.fake.then(answered.header("date", date));
            assert_eq!(asking.poller.round().await, Next::In(pause), "{ordered}");
            assert_eq!(asking.quality(FIRST), Quality::Red);
        });
    }
}

#[test]
fn nothing_more_is_asked_when_nearly_all_that_is_granted_is_used() {
    let senders = vec![put_sender(FIRST, ACCOUNT), put_sender(SECOND, ACCOUNT)];
    asking(senders, async |asking| {
        let usage = r#"{"900100200300401":[{"type":"whatsapp","call_count":100,
            "estimated_time_to_regain_access":19}]}"#
            .replace(['\n', ' '], "");
        let reply = number(FIRST, "RED", "TIER_2K").header("x-business-use-case-usage", &usage);
        asking.fake.then(reply);
        assert_eq!(asking.poller.round().await, Next::In(Duration::from_mins(19)));
        assert_eq!(asking.quality(FIRST), Quality::Red, "what was answered counts");
        asking
            .fake
            .then(number(SECOND, "GREEN", "TIER_2K").header("x-app-usage", r#"{"total_time":94}"#));
        assert_eq!(asking.poller.round().await, Next::In(INTERVAL));
        let first = format!("/v25.0/{FIRST}");
        assert_eq!(asking.targets(), [first, format!("/v25.0/{SECOND}")]);
    });
}

#[test]
fn what_is_wrong_with_one_question_does_not_cost_the_others() {
    let senders = vec![put_sender(FIRST, ACCOUNT), put_sender(SECOND, ACCOUNT)];
    asking(senders, async |asking| {
        let before = asking.last();
        let oversized = " ".repeat(PLATFORM_ANSWER_BYTES_MAX + 1);
        let redirect = Reply::status(302).header("location", "http://127.0.0.1:1/");
        for (reply, failure) in [
            (error(400, 100), GraphFailure::Rejected),
            (error(403, 200), GraphFailure::Permission),
            (Reply::json("<html>hello</html>"), GraphFailure::Unreadable),
            (Reply::json(r#"{"data":[]}"#), GraphFailure::Unreadable),
            (number(SECOND, "RED", "TIER_250"), GraphFailure::Unreadable),
            (Reply::json(&oversized), GraphFailure::TooLarge),
            (redirect, GraphFailure::Redirected),
        ] {
            let (known, asked) = (asking.failed(failure), asking.fake.received().len());
            asking.fake.then(reply).then(number(SECOND, "GREEN", "TIER_2K"));
            assert_eq!(asking.poller.round().await, Next::In(INTERVAL), "{failure:?}");
            assert_eq!(asking.failed(failure), known + 1, "{failure:?}");
            assert_eq!(asking.fake.received().len(), asked + 2, "{failure:?}");
        }
        assert_eq!(asking.last(), before);
        assert_eq!(asking.log.polled().answered, 7);
    });
}

#[test]
fn trouble_that_may_pass_is_met_a_few_times_a_round() {
    let senders = vec![put_sender(FIRST, ACCOUNT), put_sender(SECOND, ACCOUNT)];
    asking(senders, async |asking| {
        let (business, fake) = (&asking.business, &asking.fake);
        let mut poller = poller(business, &asking.ledger, fake, 150, &asking.log);
        fake.then(Reply::Silence);
        assert!(is_backoff(poller.round().await, 1));
        // The other one is asked before the first is asked again.
        fake.then(number(SECOND, "YELLOW", "TIER_2K")).then(Reply::status(500));
        let next = poller.round().await;
        assert!(is_backoff(next, 1), "{next:?}");
        assert_eq!(asking.quality(SECOND), Quality::Yellow);
        fake.then(Reply::hang_up());
        assert!(is_backoff(poller.round().await, 2));
        fake.then(Reply::cut_in_half(NUMBER));
        assert_eq!(poller.round().await, Next::In(INTERVAL), "that was the last try");
        for (failure, count) in [
            (GraphFailure::Timeout, 1),
            (GraphFailure::PlatformFault, 1),
            (GraphFailure::Interrupted, 2),
        ] {
            assert_eq!(asking.failed(failure), count, "{failure:?}");
        }
        let of = |id: &str| asking.targets().iter().filter(|path| path.ends_with(id)).count();
        assert_eq!((of(FIRST), of(SECOND)), (4, 1));
    });
}

#[test]
fn templates_of_the_only_account_are_asked_for_page_by_page() {
    let put = vec![
        put_sender(FIRST, ACCOUNT),
        put_template("order_update", "id"),
        put_template("sale", "en"),
        put_template("sale", "id"),
    ];
    asking(put, async |asking| {
        let last = r#"{"data":[{"name":"sale","language":"id","status":"rejected",
            "category":"UTILITY"},{"name":"nobody_put","language":"en","status":"APPROVED"}],
            "paging":{"cursors":{"after":"end"}}}"#;
        asking.fake.answer_by(move |received| match received.target.as_str() {
            target if target.contains("after=MjQZD") => Reply::json(last),
            target if target.contains("/message_templates") => Reply::json(TEMPLATES),
            _ => Reply::json(NUMBER),
        });
        assert_eq!(asking.poller.round().await, Next::In(INTERVAL));
        let after = asking.last();
        {
            let state = asking.business.views.state();
            let registry = state.registry();
            let put = |name, language| {
                let view = registry.template_for(&template(name, language), None).unwrap();
                (view.status.status.to_string(), view.category)
            };
            assert_eq!(put("order_update", "id"), ("PAUSED".into(), Category::Utility));
            assert_eq!(put("sale", "en"), ("APPROVED".into(), Category::Marketing));
            assert_eq!(put("sale", "id"), ("REJECTED".into(), Category::Utility));
            let view = registry.template_for(&template("order_update", "id"), None).unwrap();
            assert_eq!(view.quality, Some(Quality::Red));
        }
        asking.business.clock.advance_ms(7_200_000);
        asking.poller.round().await;
        assert_eq!(asking.last(), after, "nothing changed");
        let received = asking.fake.received();
        assert_eq!(received.len(), 6);
        assert!(received.iter().all(|one| !one.target.contains(TOKEN)));
        let fields = "name%2Clanguage%2Cstatus%2Ccategory%2Cquality_score";
        let page = format!("/v25.0/{ACCOUNT}/message_templates?fields={fields}&limit=100");
        assert_eq!(received[1].target, page);
        assert_eq!(received[2].target, format!("{page}&after=MjQZD"));
    });
}

#[test]
fn the_templates_of_each_account_are_asked_for_and_stand_as_it_says() {
    let put = vec![
        put_sender(FIRST, ACCOUNT),
        put_sender(SECOND, OTHER_ACCOUNT),
        put_sender("our-own-name", "our-own-account"),
        put_template("sale", "en"),
    ];
    asking(put, async |asking| {
        let one = |status: &str| {
            format!(
                r#"{{"data":[{{"name":"sale","language":"en","status":"{status}",
                "category":"MARKETING"}}]}}"#
            )
        };
        let (first, other) = (one("PAUSED"), one("APPROVED"));
        asking.fake.answer_by(move |received| match received.target.as_str() {
            target if target.contains(&format!("{ACCOUNT}/")) => Reply::json(&first),
            target if target.contains(&format!("{OTHER_ACCOUNT}/")) => Reply::json(&other),
            target if target.contains(SECOND) => number(SECOND, "GREEN", "TIER_2K"),
            _ => Reply::json(NUMBER),
        });
        assert_eq!(asking.poller.round().await, Next::In(INTERVAL));
        {
            let state = asking.business.views.state();
            let status = |sender: Option<&str>| {
                let sender = sender.map(sender_id);
                let template = template("sale", "en");
                let view = state.registry().template_for(&template, sender.as_ref()).unwrap();
                view.status.status.to_string()
            };
            assert_eq!(status(Some(FIRST)), "PAUSED");
            assert_eq!(status(Some(SECOND)), "APPROVED");
            assert_eq!(status(None), "PAUSED");
        }
        let after = asking.last();
        asking.business.clock.advance_ms(7_200_000);
        asking.poller.round().await;
        assert_eq!(asking.last(), after, "nothing changed");
        let targets = asking.targets();
        assert_eq!(targets.len(), 8, "{targets:?}");
        assert!(targets.iter().all(|target| !target.contains("our-own")), "{targets:?}");
    });
}

#[test]
fn with_nobody_to_ask_about_it_looks_again_soon() {
    asking(vec![put_template("sale", "en")], async |asking| {
        assert_eq!(asking.poller.round().await, Next::In(Duration::from_secs(10)));
        assert!(asking.fake.received().is_empty());
    });
}

#[test]
fn the_stop_does_not_wait_for_an_answer() {
    asking(vec![put_sender(FIRST, ACCOUNT)], async |asking| {
        asking.fake.answer_by(|_| Reply::Silence);
        let stop = Shutdown::default();
        let poller = poller(&asking.business, &asking.ledger, &asking.fake, 100_000, &asking.log);
        let running = tokio::spawn(poller.run(stop.clone()));
        let asked = async {
            while asking.fake.received().is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(LONG, asked).await.unwrap();
        stop.begin();
        tokio::time::timeout(LONG, running).await.unwrap().unwrap();
    });
}

#[test]
fn no_answer_about_templates_costs_what_is_known_of_them() {
    let put = vec![put_sender(FIRST, ACCOUNT), put_template("sale", "en")];
    asking(put, async |asking| {
        let before = asking.last();
        asking.fake.then(Reply::json(NUMBER)).then(Reply::json(NO_TEMPLATES));
        assert_eq!(asking.poller.round().await, Next::In(INTERVAL));
        assert_eq!(asking.last(), before);
    });
}
