//! One message under way, step by step, until it is judged.
//!
//! A bug in one of its steps is caught here, and what is done about the message is said at its end
//! by `failures.internal` (decision D6).

use std::mem::take;
use std::sync::Arc;

use landmarc_dns::resolver::{Asker, MessageLookup};
use landmarc_mail::message::{HeaderDefect, HeaderField, HeaderSection};
use landmarc_mail::{ClientNetwork, Envelope, ReversePath};
use landmarc_receiver::policy::{ClientFacts, ResultSource, Rules};
use landmarc_receiver::seen::Seen;
use landmarc_receiver::{Arrival, Head, Judgement, Ledgers, Removal, SpfPair, Transaction, check_spf, judge};
use tokio::sync::OwnedSemaphorePermit;

use super::answer::NotJudged;
use super::memory::UNCOUNTED_HEADER_OCTETS;
use super::recipients::{RecipientFacts, Recipients};
use super::reporting::{OfHeader, Traffic};
use super::running::Running;
use super::skipping::Skipped;
use super::task::{Step, Task, caught};
use landmarc_runtime::rules;

/// One message under way.
pub(super) struct Message {
    envelope: Envelope,
    client: ClientFacts,
    pub(super) skipped: Option<Skipped>,
    /// Why it cannot be judged. No more of its header section is kept then.
    pub(super) unjudged: Option<NotJudged>,
    pub(super) recipients: Recipients,
    ledgers: Arc<Ledgers<MessageLookup>>,
    pub(super) now: u64,
    spf: Option<Task<SpfPair>>,
    headers: HeaderSection,
    memory: Option<OwnedSemaphorePermit>,
    head: Option<Head>,
    for_reports: OfHeader,
    plan: Option<Task<()>>,
    /// The forged results of a message whose header section could not be taken apart.
    removals: Vec<Removal>,
}

impl Message {
    pub(super) fn new(envelope: Envelope, skipped: Option<Skipped>, running: &Running, now: u64) -> Self {
        let limit = running.in_force.settings.dns.questions_per_message;
        let client = envelope.client.map(ClientNetwork::of);
        let lookup = |purpose| running.in_force.resolver.for_message(Asker { purpose, client });
        let ledgers = Arc::new(Ledgers::new(limit, lookup));
        Self {
            client: rules::client_facts(&running.in_force.settings, envelope.client),
            envelope,
            skipped,
            unjudged: None,
            recipients: Recipients::new(running.keeps_recipients),
            ledgers,
            now,
            spf: None,
            headers: HeaderSection::default(),
            memory: None,
            head: None,
            for_reports: OfHeader::default(),
            plan: None,
            removals: Vec::new(),
        }
    }

    /// Does what is to be done at a step. After a bug in it the message is not judged.
    pub(super) fn take_step(&mut self, step: Step, work: impl FnOnce(&mut Self)) {
        if caught(step, || work(self)).is_none() {
            self.unjudged = Some(NotJudged::Internal);
        }
    }

    pub(super) fn recipient(&mut self, path: &[u8], running: &Running, rules: &Arc<Rules>) {
        let path = ReversePath::new(path);
        let known = RecipientFacts {
            is_listed: running.lists.have_recipient(&path),
            is_reader: running.copy_to.as_ref().is_some_and(|copy| copy.is_for(&path)),
            is_for_reports: running.reporting.is_own_address(&path),
        };
        self.recipients.add(&path, known);
        if !known.is_listed && rules.upstream.spf == ResultSource::Own {
            self.start_spf(rules);
        }
    }

    pub(super) fn header(&mut self, name: &[u8], value: &[u8], rules: &Rules) {
        if self.unjudged.is_none() {
            self.take_step(Step::Header, |message| {
                let field = HeaderField::from_milter(name, value);
                message.headers.push(field, &rules.header_limits);
            });
        }
        // Also of a field that a bug was in: forged results are removed by number.
        if self.unjudged.is_some() {
            let octets = name.len() + value.len();
            self.leave_out(name, octets, HeaderDefect::SectionTooLong);
        }
    }

    pub(super) fn header_too_long(&mut self, name: &[u8], size: u32) {
        let octets = usize::try_from(size).unwrap_or(usize::MAX);
        self.leave_out(name, octets, HeaderDefect::FieldTooLong);
    }

    pub(super) fn ends_at_no_field(&mut self) {
        self.take_step(Step::Header, |message| {
            message.headers.note(HeaderDefect::NotAField);
        });
    }

    fn leave_out(&mut self, name: &[u8], octets: usize, defect: HeaderDefect) {
        self.take_step(Step::LeaveOut, |message| {
            message.headers.leave_out(name, octets, defect);
        });
    }

    /// Whether its header section has just grown past what goes uncounted.
    pub(super) fn wants_memory(&self) -> bool {
        self.unjudged.is_none() && self.memory.is_none() && self.headers.octets() > UNCOUNTED_HEADER_OCTETS
    }

    /// The memory that was waited for; nothing when that was in vain.
    pub(super) fn give_memory(&mut self, permit: Option<OwnedSemaphorePermit>) {
        if permit.is_none() {
            self.unjudged = Some(NotJudged::Memory);
        }
        self.memory = permit;
    }

    /// `queue_id` is what the MTA calls the message, where it has said so by now.
    pub(super) fn end_of_headers(&mut self, running: &Running, rules: &Arc<Rules>, queue_id: Option<&str>) {
        let head = self.head_of(rules, queue_id);
        self.skipped = self.skipped_for_what_it_is(&head, running);
        if self.is_to_be_judged() {
            self.for_reports = running.reporting.look_at(&self.headers);
        }
        self.headers = HeaderSection::default();
        self.memory = None;
        if self.is_to_be_judged() {
            let (plan, ledgers) = (head.plan(), Arc::clone(&self.ledgers));
            self.plan = Some(Task::start(async move { plan.ask(&ledgers).await }));
            if head.upstream_spf().is_none() {
                self.start_spf(rules);
            }
        }
        self.head = Some(head);
    }

    fn head_of(&self, rules: &Rules, queue_id: Option<&str>) -> Head {
        let arrival = Arrival {
            client: self.client,
            envelope: &self.envelope,
            queue_id,
            now: self.now,
        };
        Head::new(&self.headers, rules, &arrival)
    }

    /// Whether a filter ahead of us has said anything; nothing where none is asked.
    pub(super) fn is_upstream_heard(&self) -> Option<bool> {
        self.head.as_ref().and_then(Head::is_upstream_heard)
    }

    /// What can still be found in a header section that could not be taken apart. Whoever provokes
    /// that shall not get results in our name past us (RFC 8601 §5).
    pub(super) fn find_removals(&mut self, rules: &Rules) {
        self.removals = landmarc_receiver::removals(&self.headers, rules, self.client);
        self.headers = HeaderSection::default();
        self.memory = None;
    }

    /// Whether its header section has been taken apart.
    pub(super) fn has_head(&self) -> bool {
        self.head.is_some()
    }

    pub(super) fn is_to_be_judged(&self) -> bool {
        self.skipped.is_none() && self.unjudged.is_none()
    }

    pub(super) fn body(&mut self, chunk: &[u8]) {
        if let Some(head) = self.head.as_mut().filter(|_| self.unjudged.is_none()) {
            head.body(chunk);
        }
    }

    /// The fields that must go, whatever becomes of it.
    pub(super) fn removals(&self) -> &[Removal] {
        self.head.as_ref().map_or(&self.removals, Head::removals)
    }

    /// Whether its recipients or its author are on a list of those that are not judged.
    fn skipped_for_what_it_is(&self, head: &Head, running: &Running) -> Option<Skipped> {
        // A recipient that a bug was in is not among those that are known.
        if self.unjudged == Some(NotJudged::Internal) {
            return None;
        }
        let by_recipients = self.recipients.are_all_listed().then_some(Skipped::Recipient);
        // Of a header section that was not kept nobody knows the author.
        let of_author = || running.lists.of_author(head.author());
        by_recipients.or_else(|| of_author().filter(|_| self.unjudged.is_none()))
    }

    /// Starts SPF while the content has yet to come (decision D12), once the MTA wants the
    /// message: who is refused every recipient shall not make us ask anything.
    fn start_spf(&mut self, rules: &Arc<Rules>) {
        if self.spf.is_some() {
            return;
        }
        let (envelope, ledgers) = (self.envelope.clone(), Arc::clone(&self.ledgers));
        let (rules, now) = (Arc::clone(rules), self.now);
        self.spf = Some(Task::start(async move {
            check_spf(&ledgers, &envelope, &rules, now).await
        }));
    }

    /// Its last moment; nothing when a part of it panicked.
    pub(super) async fn finish(
        mut self: Box<Self>,
        id: &str,
        queue_id: Option<&str>,
        rules: &Arc<Rules>,
        seen: &Seen,
    ) -> Option<(Judgement, Traffic)> {
        // A message without end of headers cannot be, but then it has no fields either.
        let head = self.head.take().unwrap_or_else(|| self.head_of(rules, queue_id));
        let spf = match head.upstream_spf() {
            Some(upstream) => upstream.clone(),
            None => {
                self.start_spf(rules);
                self.spf.take()?.outcome().await?
            }
        };
        if let Some(plan) = self.plan.take() {
            plan.outcome().await?;
        }
        let recipients = take(&mut self.recipients);
        let (all_to_us, any_to_us) = (
            recipients.are_all_for_reports(),
            recipients.have_one_for_reports(),
        );
        let transaction = Transaction {
            envelope: Envelope {
                rcpt_to: recipients.into_paths(),
                ..take(&mut self.envelope)
            },
            client: self.client,
            id,
            queue_id,
            seen,
        };
        let judgement = judge(head, transaction, spf, &self.ledgers, rules).await;
        let header = take(&mut self.for_reports);
        let traffic = Traffic::of(&judgement, header, all_to_us, any_to_us);
        Some((judgement, traffic))
    }
}
