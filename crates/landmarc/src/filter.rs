//! The path from the milter socket to the reply.
//!
//! Decides nothing: it hands what the MTA says to `receiver` at the moments when
//! something can be done with it, and what `receiver` says back to the MTA.

mod answer;
mod copying;
mod ids;
mod memory;
mod record;
mod running;
mod skipping;
mod tally;
mod task;

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};

use dns::resolver::MessageLookup;
use mail::message::{HeaderDefect, HeaderField, HeaderSection};
use mail::{Envelope, ReversePath};
use milter::{
    Actions, Arguments, Capabilities, ConnectInfo, Edit, Macros, Peer, PeerAddress, Response, Service,
    Session,
};
use receiver::judge::{self, Head, Judgement, Ledgers, SpfPair, Transaction};
use receiver::local::{ClientFacts, Mode, OnFailure, QuarantineBy, Rules};
use receiver::operator::MAX_RECIPIENTS;
use receiver::results::Removal;
use receiver::story::story;
use store::{Observation, Recorded, Recorder, State};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use crate::metrics::Metrics;
use crate::{log, rules};
use answer::{Unjudged, response, unjudged};
use ids::Ids;
use memory::Memory;
use record::Moment;
pub(crate) use running::Running;
use skipping::{Lists, Skipped, verified_name};
use tally::Tally;
use task::{Task, unless_it_panics};

/// A header section up to this size is not counted against the memory of all sessions:
/// nearly all are smaller, and `milter.max_sessions` bounds them.
const UNCOUNTED_HEADER_OCTETS: usize = 64 * 1024;
/// Octets of a name or path of the envelope that are kept; RFC 5321 §4.5.3.1 allows a path 256.
/// What is longer is no name that could be looked up, and is taken for an empty one.
const MAX_ENVELOPE_OCTETS: usize = 1024;
/// What is kept of the MTA's name for a message; Postfix's own have at most 25 octets.
const MAX_QUEUE_ID_OCTETS: usize = 64;

/// The service: makes a [`Connection`] for each SMTP connection.
pub(crate) struct Filter {
    running: RwLock<Arc<Running>>,
    common: Arc<Common>,
}

/// What all sessions share, whatever is reloaded.
struct Common {
    memory: Memory,
    tally: Tally,
    ids: Ids,
    recorder: Arc<Recorder>,
    metrics: Arc<Metrics>,
    /// Whether it was said that copies cannot be made.
    told_of_no_copies: AtomicBool,
    /// Whether the story of each verdict is written down.
    keeps_stories: bool,
}

impl Filter {
    pub(crate) fn new(running: Running, recorder: Arc<Recorder>, metrics: Arc<Metrics>) -> Self {
        let common = Common {
            memory: Memory::new(running.settings.limits.memory.as_usize()),
            tally: Tally::default(),
            ids: Ids::default(),
            recorder,
            metrics,
            told_of_no_copies: AtomicBool::new(false),
            keeps_stories: running.settings.store.observations,
        };
        Self {
            running: RwLock::new(Arc::new(running)),
            common: Arc::new(common),
        }
    }

    /// Sessions that begin from now on work with these; those under way keep theirs.
    pub(crate) fn replace(&self, running: Running) {
        *self.running.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(running);
    }

    pub(crate) fn running(&self) -> Arc<Running> {
        Arc::clone(&self.running.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Octets that long header sections hold, and how many they may.
    pub(crate) fn header_memory(&self) -> (u64, u64) {
        self.common.memory.in_use()
    }
}

impl Service for Filter {
    type Session = Connection;

    fn connect(&self, _mta: &Peer) -> Connection {
        let running = self.running();
        Connection {
            rules: Arc::clone(&running.rules),
            running,
            common: Arc::clone(&self.common),
            client: None,
            client_name: None,
            helo: Vec::new(),
            skipped: None,
            adds_recipients: true,
            message: None,
        }
    }
}

/// One SMTP connection.
pub(crate) struct Connection {
    running: Arc<Running>,
    rules: Arc<Rules>,
    common: Arc<Common>,
    client: Option<IpAddr>,
    client_name: Option<String>,
    helo: Vec<u8>,
    skipped: Option<Skipped>,
    /// Whether the MTA lets us add recipients.
    adds_recipients: bool,
    /// In a box, for most connections are at rest most of the time.
    message: Option<Box<Message>>,
}

/// One message under way.
struct Message {
    /// The short id; made when all of it is there.
    id: String,
    envelope: Envelope,
    client: ClientFacts,
    skipped: Option<Skipped>,
    /// Whether all recipients so far are on the list of those whose mail is not judged; nothing
    /// before the first.
    is_to_listed_only: Option<bool>,
    ledgers: Arc<Ledgers<MessageLookup>>,
    now: u64,
    spf: Option<Task<SpfPair>>,
    headers: HeaderSection,
    memory: Option<OwnedSemaphorePermit>,
    /// Memory was waited for in vain, so no more of the header section is kept, and the
    /// message cannot be judged.
    starved: bool,
    head: Option<Head>,
    plan: Option<Task<()>>,
}

impl Session for Connection {
    fn negotiated(&mut self, capabilities: &Capabilities) {
        self.adds_recipients = capabilities.allows(Actions::ADD_RECIPIENTS);
        // An MTA that does not let us hold would deliver what we call quarantined.
        if !capabilities.allows(Actions::QUARANTINE) && self.rules.quarantine == QuarantineBy::Hold {
            let header = self.running.settings.action.quarantine_header.as_str().to_owned();
            let authserv_id = self.rules.authserv_id.clone();
            self.rules = self
                .running
                .rules_for(&authserv_id, &QuarantineBy::Header(header));
        }
    }

    async fn connected(&mut self, info: ConnectInfo, macros: &Macros) {
        let (client, local) = match info.address {
            PeerAddress::Ip(address, _port) => (Some(address.to_canonical()), false),
            PeerAddress::Unix(_) => (None, true),
            PeerAddress::Unknown => (macros.ip("client_addr").map(|ip| ip.to_canonical()), false),
        };
        self.client = client;
        self.client_name = verified_name(bounded(&info.hostname), macros);
        self.skipped = match client {
            Some(address) => self.running.lists.of_client(address, self.client_name.as_deref()),
            None => local.then_some(Skipped::LocalProgram),
        };
        self.take_name(macros);
    }

    async fn helo(&mut self, name: &[u8], _macros: &Macros) {
        self.helo = bounded(name).to_vec();
    }

    async fn mail(&mut self, path: &[u8], _arguments: Arguments<'_>, macros: &Macros) {
        let authenticated = macros.get("auth_authen").is_some_and(|user| !user.is_empty());
        let authenticated = authenticated && self.running.settings.clients.skip_authenticated;
        self.common.tally.count(authenticated);
        let skipped = self.skipped.or(authenticated.then_some(Skipped::Authenticated));
        let envelope = Envelope {
            client: self.client,
            client_name: self.client_name.clone(),
            helo: self.helo.clone(),
            mail_from: ReversePath::new(bounded(path)),
            rcpt_to: Vec::new(),
        };
        self.message = Some(Box::new(self.begin(envelope, skipped)));
    }

    async fn rcpt(&mut self, path: &[u8], _macros: &Macros) {
        let rules = Arc::clone(&self.rules);
        let path = ReversePath::new(bounded(path));
        let is_listed = self.running.lists.have_recipient(&path);
        let Some(message) = self.judged() else {
            return;
        };
        // One more than are told apart, which shows that there were more.
        if message.envelope.rcpt_to.len() <= MAX_RECIPIENTS {
            message.envelope.rcpt_to.push(path.as_bytes().to_vec());
        }
        message.is_to_listed_only = Some(is_listed && message.is_to_listed_only != Some(false));
        if !is_listed {
            message.start_spf(&rules);
        }
    }

    async fn header(&mut self, name: &[u8], value: &[u8]) {
        let limits = self.rules.header_limits;
        let Some(message) = self.judged() else {
            return;
        };
        if message.starved {
            let octets = name.len() + value.len();
            message
                .headers
                .leave_out(name, octets, HeaderDefect::SectionTooLong);
            return;
        }
        message
            .headers
            .push(HeaderField::from_milter(name, value), &limits);
        if message.memory.is_none() && message.headers.octets() > UNCOUNTED_HEADER_OCTETS {
            self.wait_for_memory(limits.section_octets).await;
        }
    }

    async fn header_too_long(&mut self, name: &[u8], size: u32) {
        if let Some(message) = self.judged() {
            let octets = usize::try_from(size).unwrap_or(usize::MAX);
            message
                .headers
                .leave_out(name, octets, HeaderDefect::FieldTooLong);
        }
    }

    async fn end_of_headers(&mut self, _macros: &Macros) {
        let (rules, running) = (Arc::clone(&self.rules), Arc::clone(&self.running));
        let Some(message) = self.judged() else {
            return;
        };
        let head = Head::new(&message.headers, &rules, message.client, message.now);
        message.headers = HeaderSection::default();
        message.memory = None;
        message.skipped = message.skipped_for_what_it_is(&head, &running.lists);
        if message.skipped.is_none() && !message.starved {
            let (plan, ledgers) = (head.plan(), Arc::clone(&message.ledgers));
            message.plan = Some(Task::start(async move { plan.ask(&ledgers).await }));
        }
        message.head = Some(head);
    }

    fn wants_body(&self) -> bool {
        self.message
            .as_ref()
            .is_some_and(|message| message.skipped.is_none() && !message.starved)
    }

    async fn body(&mut self, chunk: &[u8]) {
        if let Some(head) = self.judged().and_then(|message| message.head.as_mut()) {
            head.body(chunk);
        }
    }

    async fn end_of_message(&mut self, macros: &Macros) -> Response {
        let arrived = Instant::now();
        let queue_id = macros.require("i").map_or_else(|| "unknown".to_owned(), queue_id);
        let Some(mut message) = self.message.take() else {
            let id = self.common.ids.next(now());
            return self.give_up(Unjudged::Internal, &queue_id, &id, &[]).await;
        };
        let removals = message
            .head
            .as_ref()
            .map(Head::removals)
            .unwrap_or_default()
            .to_vec();
        if let Some(skipped) = message.skipped {
            self.skip(skipped, &queue_id);
            return answer::skipped(&removals);
        }
        let id = self.common.ids.next(message.now);
        if let Some(why) = self.obstacle(&message) {
            return self.give_up(why, &queue_id, &id, &removals).await;
        }
        message.id.clone_from(&id);
        let judgement = unless_it_panics(finish(message, Arc::clone(&self.rules))).await;
        let Some(judgement) = judgement.flatten() else {
            return self.give_up(Unjudged::Internal, &queue_id, &id, &removals).await;
        };
        let moment = Moment {
            queue_id: &queue_id,
            id: &id,
            elapsed: arrived.elapsed(),
        };
        self.write_down(&judgement, &moment).await;
        let mut response = response(&judgement);
        response.edits.extend(self.copy(&judgement));
        response
    }

    fn abort(&mut self) {
        self.message = None;
    }
}

impl Connection {
    /// Design D13: what is answered is written down first, on disk if that is not long. The
    /// record is on its way while the log line is written.
    async fn write_down(&self, judgement: &Judgement, moment: &Moment<'_>) {
        let wants_story = self.common.keeps_stories || tracing::enabled!(tracing::Level::DEBUG);
        let story = wants_story.then(|| story(judgement));
        let kept = story.as_deref().filter(|_| self.common.keeps_stories);
        let record = self
            .common
            .recorder
            .record(record::judged(judgement, kept, moment));
        log::message(moment.queue_id, judgement, moment.elapsed);
        self.common.metrics.message(judgement, moment.elapsed);
        if let Some(story) = story {
            tracing::debug!(queue_id = %moment.queue_id, "{story}");
        }
        self.tell_if_late(record.await, moment);
    }

    /// Design D13: a crash now would lose the record. While the store takes nothing at all, its
    /// own lines say so, once.
    fn tell_if_late(&self, recorded: Recorded, moment: &Moment<'_>) {
        if recorded != Recorded::Committed && self.common.recorder.state() == State::Ok {
            tracing::warn!(queue_id = %moment.queue_id, id = %moment.id, "answered before it was written down: the disk is slow; the record follows");
        }
    }

    /// The copy for a human to look at.
    fn copy(&self, judgement: &Judgement) -> Option<Edit> {
        let edit = self.running.copy_to.as_ref()?.edit(judgement)?;
        if !self.adds_recipients && !self.common.told_of_no_copies.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "the mail server lets no filter add recipients: nobody gets the copies of action.copy_to"
            );
        }
        self.adds_recipients.then_some(edit)
    }

    fn skip(&self, why: Skipped, queue_id: &str) {
        let client = self
            .client
            .map_or_else(|| "local".to_owned(), |client| client.to_string());
        log::skipped(queue_id, &client, why.as_str());
        self.common.metrics.skipped(why.as_str());
    }

    /// What keeps the message from being judged at all.
    fn obstacle(&self, message: &Message) -> Option<Unjudged> {
        let may_not_be_lost = self.rules.mode == Mode::Enforce
            && matches!(self.rules.failures.store, OnFailure::TempFail { .. });
        if message.starved {
            Some(Unjudged::Memory)
        } else if may_not_be_lost && self.common.recorder.state() == State::Degraded {
            Some(Unjudged::Store)
        } else {
            None
        }
    }

    /// The answer to a message that is not judged; that, too, is written down.
    async fn give_up(&self, why: Unjudged, queue_id: &str, id: &str, removals: &[Removal]) -> Response {
        why.tell(queue_id, id);
        self.common.metrics.failed(why.as_str());
        let response = unjudged(why, &self.rules, self.client, id, removals);
        let action = match response.verdict {
            milter::Verdict::Reply { .. } => "tempfail",
            _ => "accept",
        };
        let moment = Moment {
            queue_id,
            id,
            elapsed: Duration::ZERO,
        };
        let observation = Observation {
            client: self.client,
            ..record::unjudged(action, why.reason(), &moment)
        };
        self.tell_if_late(self.common.recorder.record(observation).await, &moment);
        response
    }

    /// The message under way, when it is one to be judged.
    fn judged(&mut self) -> Option<&mut Message> {
        let message = self.message.as_deref_mut();
        message.filter(|message| message.skipped.is_none())
    }

    fn begin(&self, envelope: Envelope, skipped: Option<Skipped>) -> Message {
        let limit = self.running.settings.dns.questions_per_message;
        let ledgers = Arc::new(Ledgers::new(limit, || self.running.resolver.for_message()));
        Message {
            id: String::new(),
            client: rules::client_facts(&self.running.settings, envelope.client),
            envelope,
            skipped,
            is_to_listed_only: None,
            ledgers,
            now: now(),
            spf: None,
            headers: HeaderSection::default(),
            memory: None,
            starved: false,
            head: None,
            plan: None,
        }
    }

    /// Without a name of our own we go by the MTA's, as its other filters do.
    fn take_name(&mut self, macros: &Macros) {
        if self.running.settings.authserv_id.is_some() {
            return;
        }
        let name = macros.text("j").map(str::to_ascii_lowercase);
        if let Some(name) = name.filter(|name| mail::DomainName::parse(name).is_ok()) {
            self.rules = self.running.rules_for(&name, &self.rules.quarantine);
        }
    }

    /// Waits until a whole header section fits; one that has begun to be counted never
    /// waits again, so those inside can always finish.
    async fn wait_for_memory(&mut self, octets: usize) {
        let patience = self.running.settings.milter.stall_timeout;
        let permit = timeout(patience, self.common.memory.take(octets))
            .await
            .ok()
            .flatten();
        if let Some(message) = self.judged() {
            message.starved = permit.is_none();
            message.memory = permit;
        }
    }
}

/// An envelope field, unless it is too long to mean anything.
fn bounded(octets: &[u8]) -> &[u8] {
    if octets.len() > MAX_ENVELOPE_OCTETS {
        &[]
    } else {
        octets
    }
}

impl Message {
    /// Whether its recipients or its author are on a list of those that are not judged.
    fn skipped_for_what_it_is(&self, head: &Head, lists: &Lists) -> Option<Skipped> {
        let by_recipients = (self.is_to_listed_only == Some(true)).then_some(Skipped::Recipient);
        // Of a header section that was not kept nobody knows the author.
        by_recipients.or_else(|| lists.of_author(head.author()).filter(|_| !self.starved))
    }

    /// Starts SPF while the content has yet to come (design D12), once the MTA wants the
    /// message: who is refused every recipient shall not make us ask anything.
    fn start_spf(&mut self, rules: &Arc<Rules>) {
        if self.spf.is_some() {
            return;
        }
        let (envelope, ledgers) = (self.envelope.clone(), Arc::clone(&self.ledgers));
        let (rules, now) = (Arc::clone(rules), self.now);
        self.spf = Some(Task::start(async move {
            judge::check_spf(&ledgers, &envelope, &rules, now).await
        }));
    }
}

/// The last moment of a message; nothing when a part of it panicked.
async fn finish(mut message: Box<Message>, rules: Arc<Rules>) -> Option<Judgement> {
    message.start_spf(&rules);
    let spf = message.spf.take()?.outcome().await?;
    if let Some(plan) = message.plan.take() {
        plan.outcome().await?;
    }
    // A message without end of headers cannot be, but then it has no fields either.
    let head = message
        .head
        .take()
        .unwrap_or_else(|| Head::new(&message.headers, &rules, message.client, message.now));
    let transaction = Transaction {
        envelope: message.envelope.clone(),
        client: message.client,
        id: &message.id,
    };
    Some(judge::judge(head, transaction, spf, &message.ledgers, &rules).await)
}

/// Seconds since the epoch.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// What the MTA calls the message, as far as it can stand in a log line and a reply.
fn queue_id(octets: &[u8]) -> String {
    octets
        .iter()
        .take(MAX_QUEUE_ID_OCTETS)
        .map(|&b| if b.is_ascii_graphic() { char::from(b) } else { '?' })
        .collect()
}

#[cfg(test)]
mod tests;
