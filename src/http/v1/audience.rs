//! A saved filter as an audience: everybody whose consent to a topic stands in one way, was given
//! or taken back at some time, somewhere, by somebody at home in one country.

use std::borrow::Cow;

use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    documents::ContactDocument,
    domain::{
        consent::{ConsentStatus, Standing, TopicIx},
        contact::Contact,
        eligibility::{QuestionError, seen_at_home},
        entry::Subject,
        names::TopicId,
        registry::Registry,
        state::State,
        time::Timestamp,
    },
    http::{
        edge::{Edge, internal},
        problem::{BODY_INVALID, Problem},
        wire,
    },
    limits::DECISIONS_AT_ONCE,
    policy::Country,
};

/// Everybody whose consent to a topic stands in one way.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AudienceBody<'a> {
    /// The topic.
    topic: Cow<'a, str>,
    /// Where their consent stands: `granted`, if left out.
    #[schema(value_type = Option<String>)]
    status: Option<ConsentStatus>,
    /// The type of the source the deciding act came from, as in the export of consents.
    source: Option<Cow<'a, str>>,
    /// The country of the number, in two letters.
    country: Option<Cow<'a, str>>,
    /// The deciding act happened then or later, as `from` of the export.
    #[schema(format = DateTime)]
    granted_from: Option<Cow<'a, str>>,
    /// The deciding act happened before, as `to` of the export.
    #[schema(format = DateTime)]
    granted_to: Option<Cow<'a, str>>,
}

/// A filter that was read.
#[derive(Debug)]
pub struct Audience {
    topic: TopicId,
    status: ConsentStatus,
    source: Option<Box<str>>,
    country: Option<Country>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
}

impl AudienceBody<'_> {
    /// Reads the filter.
    ///
    /// # Errors
    ///
    /// [`BODY_INVALID`] names the member.
    pub fn read(&self) -> Result<Audience, Problem> {
        let Self { topic, status, source, country, granted_from, granted_to } = self;
        let country = country.as_deref().map(|code| {
            Country::parse(code)
                .map_err(|error| Problem::at(BODY_INVALID, "/audience/country", error.to_string()))
        });
        Ok(Audience {
            topic: wire::name(topic, "/audience/topic", TopicId::parse)?,
            status: status.unwrap_or(ConsentStatus::Granted),
            source: source.as_deref().map(Box::from),
            country: country.transpose()?,
            from: wire::moment(granted_from.as_deref(), "/audience/granted_from")?,
            to: wire::moment(granted_to.as_deref(), "/audience/granted_to")?,
        })
    }
}

impl Audience {
    /// Calls `take` with everybody meant, a run of contacts at a time, each run under one hold of
    /// the state.
    ///
    /// # Errors
    ///
    /// If the topic is not known, the database cannot be read, or `take` fails.
    pub fn visit(
        &self,
        edge: &Edge,
        mut take: impl FnMut(&State, Timestamp, &[&Contact]) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        let mut judge = |subjects: &[Subject]| {
            let (now, state) = (edge.clock.now(), edge.views().state());
            let (ix, _) = state.registry().topic(&self.topic).ok_or(QuestionError::TopicUnknown)?;
            let contacts = subjects.iter().filter_map(|subject| state.contacts().get(*subject));
            let meant = contacts.filter(|contact| self.means(contact, (state.registry(), ix), now));
            take(&state, now, &meant.collect::<Vec<_>>())
        };
        judge(&[])?;
        if let Some(source) = &self.source {
            return self.visit_documents(edge, source, judge);
        }
        let mut next = Subject(0);
        loop {
            let run: Vec<Subject> = {
                let state = edge.views().state();
                let run = state.contacts().from(next).take(DECISIONS_AT_ONCE);
                run.map(|(subject, _)| subject).collect()
            };
            let Some(last) = run.last() else { return Ok(()) };
            next = Subject(last.0.saturating_add(1));
            judge(&run)?;
        }
    }

    /// Memory knows no sources: the documents do.
    fn visit_documents(
        &self,
        edge: &Edge,
        source: &str,
        mut judge: impl FnMut(&[Subject]) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        for number in 0..edge.store.pages().map_err(|error| internal(&error))? {
            let mut run = Vec::new();
            for (subject, document) in edge.store.page(number).map_err(|error| internal(&error))? {
                if document.merged_into.is_some() {
                    continue;
                }
                let document = edge.store.complete(subject, document);
                if self.is_from(&document.map_err(|error| internal(&error))?, source) {
                    run.push(subject);
                }
            }
            judge(&run)?;
        }
        Ok(())
    }

    fn is_from(&self, document: &ContactDocument, source: &str) -> bool {
        let of_topic = document.consent(&self.topic).map(|consent| &consent.source);
        let of_stop = document.full_stop.as_ref().map(|stop| &stop.source);
        of_topic.or(of_stop).is_some_and(|known| *known.kind == *source)
    }

    fn means(
        &self,
        contact: &Contact,
        (registry, ix): (&Registry, TopicIx),
        now: Timestamp,
    ) -> bool {
        let standing = contact.consents.standing(ix, now);
        let standing = seen_at_home(standing, contact.home, (registry, &self.topic), now);
        contact.details().merged_into.is_none()
            && standing.status == self.status
            && self.country.is_none_or(|country| contact.home.country == Some(country))
            && self.is_in_time(&standing)
    }

    fn is_in_time(&self, standing: &Standing) -> bool {
        let Some(at) = standing.at else { return self.from.is_none() && self.to.is_none() };
        self.from.is_none_or(|from| at >= from) && self.to.is_none_or(|to| at < to)
    }
}
