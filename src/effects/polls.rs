//! Asks WhatsApp, round after round, how every sender and the templates stand, and brings what is
//! new back as commands: some of it comes by no webhook, and a webhook may have been missed.
//!
//! Decides nothing. What is as the registry says already is not brought back. An answer is dated by
//! the second of its question, as webhooks are dated by seconds: what one reports from in between is
//! no earlier and stays.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rand::{Rng, rngs::StdRng};

use crate::{
    domain::{
        command::{Command, Envelope},
        event::Actor,
        hearing::{Heard, HeardFact},
        names::{AccountId, SenderId},
        registry::Registry,
        time::Timestamp,
    },
    effects::news,
    ledger::handle::Ledger,
    limits::{PLATFORM_PAGES_MAX, WEBHOOK_QUEUE_WAIT_MS},
    providers::{Graph, GraphFailure, Told},
    runtime::{
        clock::{Clock, Monotonic},
        shutdown::Shutdown,
    },
    whatsapp::NumberRead,
};

/// How often one question is asked in a round before it waits for the next.
const TRIES_MAX: u8 = 4;

/// While there is nobody to ask about: how soon to look again.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// Doublings of the first pause after which it grows no further, whatever the longest is.
const DOUBLINGS_MAX: u32 = 20;

/// How the rounds are paced.
#[derive(Debug, Clone, Copy)]
pub struct PollSettings {
    /// From the end of a round to the next.
    pub interval: Duration,
    /// Between two questions of a round.
    pub pace: Duration,
    /// After the first failure in a row, for half of it at least; doubled after each more.
    pub backoff: Duration,
    /// The longest such pause. What WhatsApp itself orders may be longer, up to a day.
    pub backoff_max: Duration,
}

/// What to do after a round, or a part of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Go on after this long.
    In(Duration),
    /// Ask nothing any more.
    Never,
}

/// Something to ask about.
#[derive(Debug, Clone)]
enum Subject {
    Sender(SenderId),
    Templates { account: AccountId, after: Option<Box<str>>, page: u32 },
}

/// Asks. One at a time, and whoever runs it says when.
#[derive(Debug)]
pub struct Poller {
    ledger: Ledger,
    graph: Graph,
    clock: Arc<dyn Clock>,
    chance: StdRng,
    settings: PollSettings,
    log: PollLog,
    /// What is left of the round, and how often it was asked in vain.
    left: VecDeque<(Subject, u8)>,
    failures: u32,
    throughput: BTreeMap<SenderId, Box<str>>,
}

/// How the asking goes. Clones show the same.
#[derive(Debug, Clone, Default)]
pub struct PollLog(Arc<Mutex<Polled>>);

/// How the asking went since the start.
#[derive(Debug, Clone, Default)]
pub struct Polled {
    /// Answers.
    pub answered: u64,
    /// Questions without an answer, by why.
    pub failed: BTreeMap<GraphFailure, u64>,
    /// When the last answer came.
    pub last_answer: Option<Monotonic>,
    /// Whether it was given up, for want of a good token.
    pub is_over: bool,
}

impl PollLog {
    /// Returns how it went since the start.
    pub fn polled(&self) -> Polled {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Polled> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Poller {
    /// Makes one that has not asked yet.
    pub fn new(
        ledger: Ledger,
        graph: Graph,
        clock: Arc<dyn Clock>,
        chance: StdRng,
        settings: PollSettings,
        log: PollLog,
    ) -> Self {
        let (left, throughput) = (VecDeque::new(), BTreeMap::new());
        Self { ledger, graph, clock, chance, settings, log, left, failures: 0, throughput }
    }

    /// Asks round after round until the stop begins, or until it is no use any more.
    pub async fn run(mut self, stop: Shutdown) {
        loop {
            let next = tokio::select! {
                next = self.round() => next,
                () = stop.begun() => return,
            };
            let Next::In(wait) = next else { return };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = stop.begun() => return,
            }
        }
    }

    /// Asks a round, or what is left of one, until something stands against going on at once.
    pub async fn round(&mut self) -> Next {
        if self.left.is_empty() {
            let subjects = subjects(self.ledger.views().state().registry());
            self.left.extend(subjects.into_iter().map(|subject| (subject, 0)));
        }
        if self.left.is_empty() {
            return Next::In(self.settings.interval.min(LOOK_AGAIN));
        }
        while let Some((subject, tries)) = self.left.pop_front() {
            let Told { answer, pause } = self.ask(&subject).await;
            if let Err(failure) = answer {
                tracing::warn!(
                    graph.failure = failure.as_str(),
                    "a question to WhatsApp brought no answer: {}",
                    failure.as_str()
                );
                match after(failure) {
                    After::End => return self.give_up(),
                    After::GoOn => {}
                    After::Wait => return self.wait(subject, tries, pause),
                }
            }
            if let Some(pause) = pause {
                let pause_s = pause.as_secs();
                tracing::warn!(pause_s, "WhatsApp wants to be asked nothing for a while");
                return Next::In(self.at_its_end(pause));
            }
            if !self.left.is_empty() {
                tokio::time::sleep(self.settings.pace).await;
            }
        }
        Next::In(self.settings.interval)
    }

    /// Asks about one subject, and records what is new.
    async fn ask(&mut self, subject: &Subject) -> Told<()> {
        let at = self.clock.now().floor_second();
        let Told { answer, pause } = match subject {
            Subject::Sender(sender) => {
                let Told { answer, pause } = self.graph.number(sender).await;
                let answer = match answer {
                    Ok(read) => {
                        self.note_throughput(sender, &read);
                        Ok(self.news(|registry| news::of_sender(registry, sender, &read)))
                    }
                    Err(failure) => Err(failure),
                };
                Told { answer, pause }
            }
            Subject::Templates { account, after, page } => {
                let Told { answer, pause } = self.graph.templates(account, after.as_deref()).await;
                let answer = answer.map(|read| {
                    if let Some(after) = read.next.filter(|_| *page < PLATFORM_PAGES_MAX) {
                        let (account, page) = (account.clone(), page + 1);
                        let next = Subject::Templates { account, after: Some(after), page };
                        self.left.push_front((next, 0));
                    }
                    let all = &read.templates;
                    self.news(|registry| {
                        all.iter()
                            .flat_map(|one| news::of_template(registry, account, (one, at)))
                            .collect()
                    })
                });
                Told { answer, pause }
            }
        };
        self.count(answer.as_ref().err().copied());
        let answer = match answer {
            Ok(news) => {
                self.record(at, subject, news).await;
                Ok(())
            }
            Err(failure) => Err(failure),
        };
        Told { answer, pause }
    }

    fn news(&self, of: impl FnOnce(&Registry) -> Vec<HeardFact>) -> Vec<HeardFact> {
        of(self.ledger.views().state().registry())
    }

    /// No rule asks how fast a sender may send, so it goes to the log and not into the ledger.
    fn note_throughput(&mut self, sender: &SenderId, read: &NumberRead) {
        let Some(level) = &read.throughput else { return };
        let known = self.throughput.insert(sender.clone(), level.clone());
        if known.as_ref() != Some(level) {
            tracing::info!(sender.id = %sender, sender.throughput = %level, "a sender's throughput");
        }
    }

    fn count(&mut self, failure: Option<GraphFailure>) {
        let now = self.clock.monotonic();
        let mut polled = self.log.lock();
        match failure {
            None => {
                polled.answered = polled.answered.saturating_add(1);
                polled.last_answer = Some(now);
                self.failures = 0;
            }
            Some(failure) => {
                let count = polled.failed.entry(failure).or_default();
                *count = count.saturating_add(1);
            }
        }
    }

    /// What could not be recorded is as new in the next round.
    async fn record(&self, at: Timestamp, subject: &Subject, news: Vec<HeardFact>) {
        for fact in news {
            let (account, sender) = match subject {
                Subject::Sender(sender) => (None, Some(sender.clone())),
                Subject::Templates { account, .. } => (Some(account.clone()), None),
            };
            let command = Command::Hear(Box::new(Heard { at, account, sender, fact }));
            let envelope = Envelope { actor: Actor::System, once: None, command };
            let wait = Duration::from_millis(WEBHOOK_QUEUE_WAIT_MS);
            if let Err(error) = self.ledger.submit_within(envelope, wait).await {
                tracing::warn!(%error, "failed to record how WhatsApp says something stands");
                return;
            }
        }
    }

    fn give_up(&mut self) -> Next {
        tracing::error!(
            "WhatsApp refuses the token of section whatsapp: how senders and templates stand is \
             not asked any more; give a good one and start again"
        );
        self.log.lock().is_over = true;
        Next::Never
    }

    /// Puts a question behind the others and lets some time pass, longer after each failure.
    fn wait(&mut self, subject: Subject, tries: u8, pause: Option<Duration>) -> Next {
        if tries + 1 < TRIES_MAX {
            self.left.push_back((subject, tries + 1));
        }
        let doublings = self.failures.min(DOUBLINGS_MAX);
        self.failures = self.failures.saturating_add(1);
        let PollSettings { backoff, backoff_max, .. } = self.settings;
        let longest = backoff.saturating_mul(1 << doublings).min(backoff_max);
        let longest_ms = u64::try_from(longest.as_millis()).unwrap_or(u64::MAX);
        // Not all who failed at the same moment shall come back at the same moment.
        let backoff = Duration::from_millis(self.chance.random_range(longest_ms / 2..=longest_ms));
        Next::In(self.at_its_end(backoff.max(pause.unwrap_or_default())))
    }

    /// When the round is over, a pause is not shorter than that between rounds.
    fn at_its_end(&self, pause: Duration) -> Duration {
        if self.left.is_empty() { pause.max(self.settings.interval) } else { pause }
    }
}

enum After {
    /// It is the same with every question.
    End,
    /// It is about this question alone, and would be the same again.
    GoOn,
    /// It may pass.
    Wait,
}

const fn after(failure: GraphFailure) -> After {
    match failure {
        GraphFailure::Token => After::End,
        GraphFailure::Permission
        | GraphFailure::Rejected
        | GraphFailure::Unreadable
        | GraphFailure::TooLarge
        | GraphFailure::Redirected => After::GoOn,
        GraphFailure::RateLimited
        | GraphFailure::PlatformFault
        | GraphFailure::Timeout
        | GraphFailure::Unreachable
        | GraphFailure::Interrupted => After::Wait,
    }
}

/// Every sender, and the templates of every account a sender is known to belong to.
fn subjects(registry: &Registry) -> Vec<Subject> {
    // Ids of the Graph API are digits; what was put under another id is none of WhatsApp's.
    let is_id = |id: &str| id.bytes().all(|byte| byte.is_ascii_digit());
    let senders = registry.senders().map(|(id, _)| id).filter(|id| is_id(id.as_str()));
    let senders: Vec<_> = senders.collect();
    let mut accounts: Vec<_> = senders.iter().filter_map(|id| registry.account_of(id)).collect();
    accounts.sort_unstable();
    accounts.dedup();
    let mut subjects: Vec<_> = senders.into_iter().cloned().map(Subject::Sender).collect();
    if registry.templates().next().is_some() {
        let accounts = accounts.into_iter().filter(|account| is_id(account.as_str())).cloned();
        let templates = |account| Subject::Templates { account, after: None, page: 1 };
        subjects.extend(accounts.map(templates));
    }
    subjects
}
