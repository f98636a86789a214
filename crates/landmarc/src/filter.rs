//! The path from the milter socket to the reply.
//!
//! Decides nothing: it hands what the MTA says to `receiver` at the moments when
//! something can be done with it, and what `receiver` says back to the MTA.

mod answer;
mod memory;
mod tally;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Instant, SystemTime};

use dns::resolver::{MessageLookup, Resolver};
use mail::message::{HeaderDefect, HeaderField, HeaderSection};
use mail::{Envelope, ReversePath};
use milter::{
    Actions, Arguments, Capabilities, ConnectInfo, Macros, Peer, PeerAddress, Response, Service, Session,
};
use receiver::judge::{self, Head, Judgement, Ledgers, SpfPair, Transaction};
use receiver::local::{ClientFacts, QuarantineBy, Rules};
use receiver::story::story;
use settings::Settings;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::{log, rules};
use answer::{internal_failure, no_memory, response};
use memory::Memory;
use tally::Tally;

/// A header section up to this size is not counted against the memory of all sessions:
/// nearly all are smaller, and `milter.max_sessions` bounds them.
const UNCOUNTED_HEADER_OCTETS: usize = 64 * 1024;
/// Recipients that are kept; none of them decides anything, they are for the record.
const MAX_RECIPIENTS: usize = 1_000;
/// Octets of a name or path of the envelope that are kept; RFC 5321 §4.5.3.1 allows a path 256.
/// What is longer is no name that could be looked up, and is taken for an empty one.
const MAX_ENVELOPE_OCTETS: usize = 1024;
/// What is kept of the MTA's name for a message; Postfix's own have at most 25 octets.
const MAX_QUEUE_ID_OCTETS: usize = 64;

/// What a session works with; replaced as a whole by a reload.
pub(crate) struct Running {
    pub(crate) settings: Settings,
    pub(crate) rules: Arc<Rules>,
    pub(crate) resolver: Resolver,
    /// The rules as last changed for an MTA; most hosts have but one.
    adapted: Mutex<Option<Arc<Rules>>>,
}

impl Running {
    pub(crate) fn new(settings: Settings, rules: Arc<Rules>, resolver: Resolver) -> Self {
        Self {
            settings,
            rules,
            resolver,
            adapted: Mutex::new(None),
        }
    }

    /// The rules for an MTA: in its name, and marking where it does not let us hold.
    fn rules_for(&self, authserv_id: &str, quarantine: &QuarantineBy) -> Arc<Rules> {
        let fits = |rules: &Rules| rules.authserv_id == authserv_id && rules.quarantine == *quarantine;
        if fits(&self.rules) {
            return Arc::clone(&self.rules);
        }
        let mut adapted = self.adapted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = adapted.as_ref().filter(|known| fits(known)) {
            return Arc::clone(known);
        }
        let made = Arc::new(Rules {
            authserv_id: authserv_id.to_owned(),
            quarantine: quarantine.clone(),
            ..Rules::clone(&self.rules)
        });
        *adapted = Some(Arc::clone(&made));
        made
    }
}

/// The service: makes a [`Connection`] for each SMTP connection.
pub(crate) struct Filter {
    running: RwLock<Arc<Running>>,
    memory: Memory,
    tally: Arc<Tally>,
}

impl Filter {
    pub(crate) fn new(running: Running) -> Self {
        Self {
            memory: Memory::new(running.settings.limits.memory.as_usize()),
            running: RwLock::new(Arc::new(running)),
            tally: Arc::default(),
        }
    }

    /// Sessions that begin from now on work with these; those under way keep theirs.
    pub(crate) fn replace(&self, running: Running) {
        *self.running.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(running);
    }

    pub(crate) fn running(&self) -> Arc<Running> {
        Arc::clone(&self.running.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Service for Filter {
    type Session = Connection;

    fn connect(&self, _mta: &Peer) -> Connection {
        let running = self.running();
        Connection {
            rules: Arc::clone(&running.rules),
            running,
            memory: self.memory.clone(),
            tally: Arc::clone(&self.tally),
            client: None,
            client_name: None,
            helo: Vec::new(),
            skipped: None,
            message: None,
        }
    }
}

/// One SMTP connection.
pub(crate) struct Connection {
    running: Arc<Running>,
    rules: Arc<Rules>,
    memory: Memory,
    tally: Arc<Tally>,
    client: Option<IpAddr>,
    client_name: Option<String>,
    helo: Vec<u8>,
    skipped: Option<Skipped>,
    message: Option<Message>,
}

/// Why a message is not judged (design D7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Skipped {
    TrustedNetwork,
    LocalProgram,
    Authenticated,
}

impl Skipped {
    fn as_str(self) -> &'static str {
        match self {
            Self::TrustedNetwork => "trusted_network",
            Self::LocalProgram => "local_program",
            Self::Authenticated => "authenticated",
        }
    }
}

/// One message under way.
struct Message {
    envelope: Envelope,
    client: ClientFacts,
    skipped: Option<Skipped>,
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

/// A task that ends with whoever waits for it.
struct Task<T>(JoinHandle<T>);

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl<T: Send + 'static> Task<T> {
    fn spawn(future: impl Future<Output = T> + Send + 'static) -> Self {
        Self(tokio::spawn(future))
    }

    /// What it came to; nothing when it panicked.
    async fn outcome(mut self) -> Option<T> {
        (&mut self.0).await.ok()
    }
}

impl Session for Connection {
    fn negotiated(&mut self, capabilities: &Capabilities) {
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
        self.client_name = String::from_utf8(bounded(&info.hostname).to_vec()).ok();
        self.skipped = match client {
            Some(address) if rules::is_trusted(&self.running.settings, address) => {
                Some(Skipped::TrustedNetwork)
            }
            None if local => Some(Skipped::LocalProgram),
            _ => None,
        };
        self.take_name(macros);
    }

    async fn helo(&mut self, name: &[u8], _macros: &Macros) {
        self.helo = bounded(name).to_vec();
    }

    async fn mail(&mut self, path: &[u8], _arguments: Arguments<'_>, macros: &Macros) {
        let authenticated = macros.get("auth_authen").is_some_and(|user| !user.is_empty());
        let authenticated = authenticated && self.running.settings.clients.skip_authenticated;
        self.tally.count(authenticated);
        let skipped = self.skipped.or(authenticated.then_some(Skipped::Authenticated));
        let envelope = Envelope {
            client: self.client,
            client_name: self.client_name.clone(),
            helo: self.helo.clone(),
            mail_from: ReversePath::new(bounded(path)),
            rcpt_to: Vec::new(),
        };
        self.message = Some(self.begin(envelope, skipped));
    }

    async fn rcpt(&mut self, path: &[u8], _macros: &Macros) {
        let rules = Arc::clone(&self.rules);
        let Some(message) = self.judged() else {
            return;
        };
        if message.envelope.rcpt_to.len() < MAX_RECIPIENTS {
            let path = ReversePath::new(bounded(path));
            message.envelope.rcpt_to.push(path.as_bytes().to_vec());
        }
        message.start_spf(&rules);
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
        let rules = Arc::clone(&self.rules);
        let Some(message) = self.judged() else {
            return;
        };
        let head = Head::new(&message.headers, &rules, message.client, message.now);
        message.headers = HeaderSection::default();
        message.memory = None;
        if !message.starved {
            let (plan, ledgers) = (head.plan(), Arc::clone(&message.ledgers));
            message.plan = Some(Task::spawn(async move { plan.ask(&ledgers).await }));
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
        let id = macros.require("i").map_or_else(|| "unknown".to_owned(), queue_id);
        let Some(message) = self.message.take() else {
            return internal_failure(&self.rules, &id, &[]);
        };
        if let Some(skipped) = message.skipped {
            let client = self
                .client
                .map_or_else(|| "local".to_owned(), |client| client.to_string());
            log::skipped(&id, &client, skipped.as_str());
            return Response::default();
        }
        let removals = message.head.as_ref().map(Head::removals).unwrap_or_default();
        if message.starved {
            return no_memory(&self.rules, &id, removals);
        }
        let removals = removals.to_vec();
        let rules = Arc::clone(&self.rules);
        let task = Task::spawn(finish(message, id.clone(), rules));
        match task.outcome().await.flatten() {
            Some(judgement) => {
                log::message(&id, &judgement, arrived.elapsed());
                tracing::debug!("{}", story(&judgement));
                response(&judgement)
            }
            None => internal_failure(&self.rules, &id, &removals),
        }
    }

    fn abort(&mut self) {
        self.message = None;
    }
}

impl Connection {
    /// The message under way, when it is one to be judged.
    fn judged(&mut self) -> Option<&mut Message> {
        self.message.as_mut().filter(|message| message.skipped.is_none())
    }

    fn begin(&self, envelope: Envelope, skipped: Option<Skipped>) -> Message {
        let limit = self.running.settings.dns.questions_per_message;
        let ledgers = Arc::new(Ledgers::new(limit, || self.running.resolver.for_message()));
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        Message {
            client: rules::client_facts(&self.running.settings, envelope.client),
            envelope,
            skipped,
            ledgers,
            now,
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
        let permit = timeout(patience, self.memory.take(octets)).await.ok().flatten();
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
    /// Starts SPF while the content has yet to come (design D12), once the MTA wants the
    /// message: who is refused every recipient shall not make us ask anything.
    fn start_spf(&mut self, rules: &Arc<Rules>) {
        if self.spf.is_some() {
            return;
        }
        let (envelope, ledgers) = (self.envelope.clone(), Arc::clone(&self.ledgers));
        let (rules, now) = (Arc::clone(rules), self.now);
        self.spf = Some(Task::spawn(async move {
            judge::check_spf(&ledgers, &envelope, &rules, now).await
        }));
    }
}

/// The last moment of a message; nothing when a part of it panicked.
async fn finish(mut message: Message, id: String, rules: Arc<Rules>) -> Option<Judgement> {
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
        id: &id,
    };
    Some(judge::judge(head, transaction, spf, &message.ledgers, &rules).await)
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
