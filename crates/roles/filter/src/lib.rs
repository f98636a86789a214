//! The path of a message from the socket to the reply, and to its record.
//!
//! Knows the steps of an SMTP session ([`FilterSession`]), what of a message is not judged ([`Skipped`]), and what
//! follows a verdict: edits and reply, the observation, the log line, the metrics. It hands what the mail server says to
//! `receiver` as soon as something can be done with it, and answers with what `receiver` decides.
//!
//! Does not know SPF, DKIM, DMARC or the operator's rules, and no protocol: the milter and the other interfaces drive
//! the same sessions. Reports are made elsewhere: a message that one may be made of is offered to the reporter.
//!
//! Not implemented: a session that outlives its connection, for no mail server takes one up again.

mod afterwards;
mod answer;
mod copying;
mod ending;
mod findings;
mod ids;
pub mod interfaces;
pub mod json;
pub mod log_line;
pub mod mailbox;
mod memory;
mod message;
pub mod metrics;
pub mod pasted;
mod recipients;
mod record;
mod rehearsal;
mod reporting;
pub mod rule_watch;
mod running;
pub mod seen;
mod skipping;
mod tally;
mod task;
pub mod trace;
pub mod upkeep;
mod upstream;

use std::net::IpAddr;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};

use landmarc_interfaces::Interface;
use landmarc_mail::{Envelope, ReversePath};
use landmarc_milter::{
    Actions, Arguments, Capabilities, ConnectInfo, Macros, PeerAddress, Response, Service, Session,
};
use landmarc_net::Peer;
use landmarc_receiver::policy::{QuarantineBy, Rules};
use landmarc_store::Recorder;
use tokio::time::timeout;

use crate::seen::SeenMail;
use answer::NotJudged;
use copying::Adding;
use ids::Ids;
use landmarc_net::LogLimit;
use landmarc_runtime::current::Current;
use landmarc_runtime::failure_reports::FailureReportSender;
use landmarc_runtime::panic::catch_panic;
use memory::Memory;
use message::Message;
pub use metrics::FilterMetrics;
use record::RecordIds;
pub use rehearsal::{MessageContext, judge_parsed, rehearse};
use running::Running;
use skipping::verified_name;
pub use skipping::{Lists, Skipped};
use tally::Tally;
use task::{Step, caught};
use upstream::MissingUpstreamCounter;

/// Octets of a name or path of the envelope that are kept; RFC 5321 §4.5.3.1 allows a path 256.
/// What is longer is no name that could be looked up, and is taken for an empty one.
const MAX_ENVELOPE_OCTETS: usize = 1024;
/// What is kept of the MTA's name for a message; Postfix's own have at most 25 octets.
const MAX_QUEUE_ID_OCTETS: usize = 64;
/// How often the log says what befalls messages: a log that grows by a line for each of them helps no slow disk.
const LOG_PERIOD: Duration = Duration::from_secs(1);
/// Where it has not told us one.
const UNKNOWN_QUEUE_ID: &str = "unknown";

/// The service: makes a [`FilterSession`] for each SMTP connection.
pub struct Filter {
    current: Arc<Current>,
    /// What was made of the settings that were in force when a session began last.
    running: RwLock<Arc<Running>>,
    common: Arc<Common>,
}

/// What all sessions share, whatever is reloaded.
struct Common {
    memory: Memory,
    tally: Tally,
    upstream: MissingUpstreamCounter,
    ids: Ids,
    recorder: Arc<Recorder>,
    metrics: Arc<FilterMetrics>,
    /// What the mail of the last days shows.
    seen: Arc<SeenMail>,
    /// Where messages go that a failure report may be made of; nowhere, where there is no reporter.
    offers: OnceLock<FailureReportSender>,
    /// Of such messages that found no room.
    unreported: LogLimit,
    /// Of messages that were answered before their record was on disk.
    late: LogLimit,
    /// Of those that have no record.
    dropped: LogLimit,
    /// Whether it was said that copies cannot be made.
    warned_of_no_copies: AtomicBool,
    /// Whether the explanation of each verdict is written down.
    keeps_traces: bool,
}

impl Filter {
    /// By the settings in force at each moment; records go to this recorder.
    pub fn new(
        current: Arc<Current>,
        seen: Arc<SeenMail>,
        recorder: Arc<Recorder>,
        metrics: Arc<FilterMetrics>,
    ) -> Self {
        let running = Running::new(current.get());
        let common = Common {
            memory: Memory::new(running.in_force.settings.limits.memory.as_usize()),
            tally: Tally::default(),
            upstream: MissingUpstreamCounter::default(),
            ids: Ids::default(),
            recorder,
            metrics,
            seen,
            offers: OnceLock::new(),
            unreported: LogLimit::every(LOG_PERIOD),
            late: LogLimit::every(LOG_PERIOD),
            dropped: LogLimit::every(LOG_PERIOD),
            warned_of_no_copies: AtomicBool::new(false),
            keeps_traces: running.in_force.settings.store.observations,
        };
        Self {
            current,
            running: RwLock::new(Arc::new(running)),
            common: Arc::new(common),
        }
    }

    /// Hands messages that a failure report may be made of to this reporter; those that came before are not reported.
    pub fn with_failure_reports(self, offers: FailureReportSender) -> Self {
        // There is one reporter: a second one would get nothing.
        let _ = self.common.offers.set(offers);
        self
    }

    /// What sessions work with that begin now; those under way keep what they began with.
    fn running(&self) -> Arc<Running> {
        let in_force = self.current.get();
        let running = Arc::clone(&self.running.read().unwrap_or_else(PoisonError::into_inner));
        if Arc::ptr_eq(&running.in_force, &in_force) {
            return running;
        }
        let made = Arc::new(Running::new(in_force));
        *self.running.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&made);
        made
    }

    /// Octets that long header sections hold, and how many they may.
    pub fn header_memory(&self) -> (u64, u64) {
        self.common.memory.in_use()
    }
}

impl Service for Filter {
    type Session = FilterSession;

    fn connect(&self, _mta: &Peer) -> FilterSession {
        let running = self.running();
        FilterSession {
            rules: Arc::clone(&running.in_force.rules),
            running,
            common: Arc::clone(&self.common),
            client: None,
            client_port: None,
            client_name: None,
            helo: Vec::new(),
            skipped: None,
            adding: Adding::Never,
            is_broken: false,
            message: None,
            interface: Interface::Milter,
            keeps_findings: false,
            stays_out_of_reports: false,
            findings: None,
        }
    }
}

/// One SMTP connection.
pub struct FilterSession {
    running: Arc<Running>,
    rules: Arc<Rules>,
    common: Arc<Common>,
    client: Option<IpAddr>,
    client_port: Option<u16>,
    client_name: Option<String>,
    helo: Vec<u8>,
    skipped: Option<Skipped>,
    adding: Adding,
    /// A bug in its first steps: none of its messages is judged.
    is_broken: bool,
    /// In a box, for most connections are at rest most of the time.
    message: Option<Box<Message>>,
    /// By which its messages come.
    interface: Interface,
    /// Whether that interface wants to know what was found.
    keeps_findings: bool,
    /// Whether its messages count in no report.
    stays_out_of_reports: bool,
    /// Of the message that ended last.
    findings: Option<Box<landmarc_interfaces::Findings>>,
}

impl Session for FilterSession {
    fn negotiated(&mut self, capabilities: &Capabilities) {
        self.adding = Adding::of(capabilities);
        // An MTA that does not let us hold would deliver what we call quarantined.
        if !capabilities.allows(Actions::QUARANTINE) && self.rules.quarantine == QuarantineBy::Hold {
            let header = self
                .running
                .in_force
                .settings
                .action
                .quarantine_header
                .as_str()
                .to_owned();
            let authserv_id = self.rules.authserv_id.clone();
            self.rules = self
                .running
                .rules_for(&authserv_id, &QuarantineBy::Header(header));
        }
    }

    async fn connected(&mut self, info: ConnectInfo, macros: &Macros) {
        self.is_broken = caught(Step::Connect, || self.take_client(&info, macros)).is_none();
    }

    async fn helo(&mut self, name: &[u8], _macros: &Macros) {
        self.helo = bounded(name).to_vec();
    }

    async fn mail(&mut self, path: &[u8], _arguments: Arguments<'_>, macros: &Macros) {
        let begun = caught(Step::Mail, || self.begin(path, macros));
        let is_broken = self.is_broken || begun.is_none();
        let mut message =
            begun.unwrap_or_else(|| Message::new(Envelope::default(), self.skipped, &self.running, now()));
        message.unjudged = is_broken.then_some(NotJudged::Internal);
        self.message = Some(Box::new(message));
    }

    async fn rcpt(&mut self, path: &[u8], _macros: &Macros) {
        let (rules, running) = (Arc::clone(&self.rules), Arc::clone(&self.running));
        if let Some(message) = self.judged() {
            message.take_step(Step::Rcpt, |message| {
                message.recipient(bounded(path), &running, &rules);
            });
        }
    }

    async fn header(&mut self, name: &[u8], value: &[u8]) {
        let rules = Arc::clone(&self.rules);
        let Some(message) = self.judged() else {
            return;
        };
        message.header(name, value, &rules);
        if message.wants_memory() {
            self.wait_for_memory(rules.header_limits.section_octets).await;
        }
    }

    async fn header_too_long(&mut self, name: &[u8], size: u32) {
        if let Some(message) = self.judged() {
            message.header_too_long(name, size);
        }
    }

    async fn end_of_headers(&mut self, macros: &Macros) {
        let queue_id = macros.get("i").map(queue_id);
        let (rules, running) = (Arc::clone(&self.rules), Arc::clone(&self.running));
        let Some(message) = self.judged() else {
            return;
        };
        message.take_step(Step::EndOfHeaders, |message| {
            message.end_of_headers(&running, &rules, queue_id.as_deref());
        });
        if !message.has_head() {
            message.take_step(Step::Removals, |message| message.find_removals(&rules));
        }
        if let Some(is_heard) = message.is_upstream_heard() {
            self.common.upstream.count(is_heard);
        }
    }

    fn wants_body(&self) -> bool {
        self.message.as_deref().is_some_and(Message::is_to_be_judged)
    }

    async fn body(&mut self, chunk: &[u8]) {
        if let Some(message) = self.judged() {
            message.take_step(Step::Body, |message| message.body(chunk));
        }
    }

    async fn end_of_message(&mut self, macros: &Macros) -> Response {
        let arrived = Instant::now();
        self.common.metrics.count_ingress(self.interface);
        let queue_id = macros
            .require("i")
            .map_or_else(|| UNKNOWN_QUEUE_ID.to_owned(), queue_id);
        let Some(message) = self.message.take() else {
            let id = self.common.ids.next(now());
            return self.give_up(NotJudged::Internal, &queue_id, &id, &[]).await;
        };
        let removals = message.removals().to_vec();
        if let Some(skipped) = message.skipped {
            self.skip(skipped, &queue_id);
            self.keep(|| findings::skipped(skipped, &queue_id));
            return answer::skipped(&removals);
        }
        let id = self.common.ids.next(message.now);
        if let Some(why) = self.obstacle(&message) {
            return self.give_up(why, &queue_id, &id, &removals).await;
        }
        let judged = catch_panic(self.judge(message, &queue_id, &id)).await.flatten();
        let Some((judgement, traffic, response)) = judged else {
            return self.give_up(NotJudged::Internal, &queue_id, &id, &removals).await;
        };
        let moment = RecordIds {
            queue_id: &queue_id,
            id: &id,
            elapsed: arrived.elapsed(),
        };
        if catch_panic(self.write_down(&judgement, traffic, &moment))
            .await
            .is_none()
        {
            // What was found stands: nothing about records ever refuses mail (decision D13).
            tracing::error!(queue_id = %queue_id, id = %id, "a bug in landmarc: this message may not be written down; please report it with the panic above");
            self.common.metrics.failed(NotJudged::Internal.as_str());
        }
        self.keep(|| findings::judged(&judgement, &queue_id));
        response
    }

    fn abort(&mut self) {
        self.message = None;
    }
}

impl FilterSession {
    fn take_client(&mut self, info: &ConnectInfo, macros: &Macros) {
        let (client, local) = match info.address {
            PeerAddress::Ip(address, _port) => (Some(address.to_canonical()), false),
            PeerAddress::Unix(_) => (None, true),
            PeerAddress::Unknown => (macros.ip("client_addr").map(|ip| ip.to_canonical()), false),
        };
        self.client = client;
        self.client_port = match info.address {
            PeerAddress::Ip(_, port) => Some(port).filter(|port| *port != 0),
            PeerAddress::Unix(_) | PeerAddress::Unknown => None,
        };
        self.client_name = verified_name(bounded(&info.hostname), macros);
        self.skipped = match client {
            Some(address) => self.running.lists.of_client(address, self.client_name.as_deref()),
            None => local.then_some(Skipped::LocalProgram),
        };
        self.take_name(macros);
    }

    fn begin(&self, path: &[u8], macros: &Macros) -> Message {
        let authenticated = macros.get("auth_authen").is_some_and(|user| !user.is_empty());
        let authenticated = authenticated && self.running.in_force.settings.clients.skip_authenticated;
        self.common.tally.count(authenticated);
        let skipped = self.skipped.or(authenticated.then_some(Skipped::Authenticated));
        let envelope = Envelope {
            client: self.client,
            client_name: self.client_name.clone(),
            helo: self.helo.clone(),
            mail_from: ReversePath::new(bounded(path)),
            rcpt_to: Vec::new(),
        };
        Message::new(envelope, skipped, &self.running, now())
    }

    /// The message under way, when it is one to be judged.
    fn judged(&mut self) -> Option<&mut Message> {
        let message = self.message.as_deref_mut();
        message.filter(|message| message.skipped.is_none())
    }

    /// Without a name of our own we go by the MTA's, as its other filters do.
    fn take_name(&mut self, macros: &Macros) {
        if self.running.in_force.settings.authserv_id.is_some() {
            return;
        }
        let name = macros.text("j").map(str::to_ascii_lowercase);
        if let Some(name) = name.filter(|name| landmarc_mail::DomainName::parse(name).is_ok()) {
            self.rules = self.running.rules_for(&name, &self.rules.quarantine);
        }
    }

    /// Waits until a whole header section fits; one that has begun to be counted never
    /// waits again, so those inside can always finish.
    async fn wait_for_memory(&mut self, octets: usize) {
        let stall_timeout = self.running.in_force.settings.milter.stall_timeout;
        let permit = timeout(stall_timeout, self.common.memory.take(octets))
            .await
            .ok()
            .flatten();
        if let Some(message) = self.judged() {
            message.give_memory(permit);
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
