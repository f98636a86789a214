//! From the tally of a closed day to the reports about it, one policy domain after the other.
//!
//! Rows are read and reports rendered on a thread of their own ([`producer`]); what is handed on are
//! compressed reports, so that memory stays flat. Facts come from the store alone; DNS is asked about
//! destinations only.

mod producer;

use std::collections::HashSet;
use std::sync::Arc;

use landmarc_mail::DomainName;
use landmarc_report::Address;
use landmarc_report::allotment::DailyLimit;
use landmarc_report::destination::{DestinationKind, DestinationLimits};
use landmarc_report::report_id::ReportId;
use landmarc_report::timing::due_at;
use landmarc_store::{Day, NewDelivery, NewReport, StoreError, StoreLocation};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::addressees::{Addressees, ReportDns};
use super::clock::RunClock;
use super::mail_draft::Facts;
use super::settings::ReportSettings;
use super::shared::SharedOutbox;
use producer::Producer;

/// Policy domains whose destinations DNS is asked about at the same time. One that is silent must not
/// hold up the rest; and each is held in memory, compressed.
const DOMAINS_AT_ONCE: usize = 16;

/// Why a domain gets no report that we fail at. The log has the panic.
const A_BUG: &str = "a bug of landmarc: see the log";

/// What is assembled, and how.
#[derive(Clone)]
pub struct DayRequest {
    /// The day that is reported about.
    pub day: Day,
    /// Whose reports are made.
    pub selection: Selection,
    /// What time it is.
    pub clock: RunClock,
    /// Whether each domain has its own moment within the time that the settings say.
    pub spread: bool,
}

/// Which policy domains are meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// These alone; all where it is empty.
    pub only: HashSet<String>,
    /// Not these.
    pub except: HashSet<String>,
}

impl Selection {
    /// Whether it is among them.
    pub fn has(&self, policy_domain: &str) -> bool {
        (self.only.is_empty() || self.only.contains(policy_domain)) && !self.except.contains(policy_domain)
    }

    /// Whether nothing was chosen, so that all are meant.
    pub fn is_all(&self) -> bool {
        self.only.is_empty() && self.except.is_empty()
    }
}

/// Where it is known which policy domains of a day are settled.
pub enum SettledSource {
    /// From the outbox that reports go into.
    Outbox(SharedOutbox),
    /// From the store, which is not written to.
    Store,
}

/// What one policy domain came to.
#[derive(Debug)]
pub struct Settled {
    pub policy_domain: String,
    /// Messages counted that day.
    pub messages: u64,
    /// Rows of its reports; of the tally where there is none.
    pub rows: u64,
    /// Which limit of the day keeps some or all of it back.
    pub limited: Option<DailyLimit>,
    pub settlement: Settlement,
}

/// Whether there is a report.
#[derive(Debug)]
pub enum Settlement {
    /// These, with their deliveries.
    Reports {
        /// The reports.
        reports: Vec<NewReport>,
        /// To whom they go.
        addressees: Addressees,
    },
    /// None, and why.
    Skipped(String),
    /// It was settled before.
    Before,
}

/// The policy domains of one day, as they are settled.
pub struct Assembly<D> {
    made: mpsc::Receiver<Result<Made, StoreError>>,
    under_way: JoinSet<Settled>,
    is_over: bool,
    context: Context<D>,
}

/// What every domain is settled by.
struct Context<D> {
    settings: Arc<ReportSettings>,
    request: DayRequest,
    dns: D,
}

impl<D: ReportDns> Assembly<D> {
    /// Begins.
    pub fn begin(
        place: StoreLocation,
        known: SettledSource,
        settings: Arc<ReportSettings>,
        request: DayRequest,
        dns: D,
    ) -> Self {
        let (to, made) = mpsc::channel(1);
        let producer = Producer {
            settings: Arc::clone(&settings),
            request: request.clone(),
            known,
            to,
        };
        tokio::task::spawn_blocking(move || producer.run(&place));
        Self {
            made,
            under_way: JoinSet::new(),
            is_over: false,
            context: Context {
                settings,
                request,
                dns,
            },
        }
    }

    /// The next one that is settled, in no order; none when all are.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn next(&mut self) -> Option<Result<Settled, StoreError>> {
        loop {
            let may_begin = !self.is_over && self.under_way.len() < DOMAINS_AT_ONCE;
            tokio::select! {
                Some(settled) = self.under_way.join_next() => match settled {
                    Ok(settled) => return Some(Ok(settled)),
                    // It catches the panics of what it does, and is never aborted.
                    Err(_) => return Some(Err(StoreError::Ended)),
                },
                made = self.made.recv(), if may_begin => match made {
                    Some(Ok(Made::Settled(settled))) => return Some(Ok(settled)),
                    Some(Ok(Made::Reports(made))) => self.address(made),
                    Some(Ok(Made::End)) => self.is_over = true,
                    Some(Err(error)) => return Some(Err(error)),
                    // The thread is gone before its end: the day is not complete.
                    None => return Some(Err(StoreError::Ended)),
                },
                else => return None,
            }
        }
    }

    fn address(&mut self, made: Box<Reports>) {
        let Context {
            settings,
            request,
            dns,
        } = &self.context;
        let (settings, request, lookup) = (Arc::clone(settings), request.clone(), dns.for_record());
        let (policy_domain, messages, rows) = (made.policy_domain.to_string(), made.messages, made.rows);
        let addressed = tokio::spawn(async move { made.addressed(&settings, &request, &lookup).await });
        self.under_way.spawn(async move {
            addressed.await.unwrap_or_else(|_| Settled {
                policy_domain,
                messages,
                rows,
                limited: None,
                settlement: Settlement::Skipped(A_BUG.to_owned()),
            })
        });
    }
}

/// What the thread hands on.
enum Made {
    Settled(Settled),
    Reports(Box<Reports>),
    /// There is nothing more.
    End,
}

/// Reports without anybody to send them to yet.
struct Reports {
    policy_domain: DomainName,
    messages: u64,
    rows: u64,
    rua: Vec<String>,
    /// Whether that is the operator's word, not the record's.
    is_redirected: bool,
    /// The destinations that are within the limits of the day; none where these have no say.
    allotted: Option<Vec<Address>>,
    limited: Option<DailyLimit>,
    reports: Vec<NewReport>,
}

impl Reports {
    async fn addressed(
        mut self: Box<Self>,
        settings: &ReportSettings,
        request: &DayRequest,
        lookup: &impl landmarc_auth::lookup::Lookup,
    ) -> Settled {
        let room = DestinationLimits {
            limit: settings.max_destinations(&self.policy_domain),
            allotted: self.allotted.as_deref(),
        };
        let addressees = match self.is_redirected {
            true => Addressees::of_operator(&self.rua),
            false => {
                let (name, kind) = (&self.policy_domain, DestinationKind::Aggregate);
                Addressees::find(lookup, name, &self.rua, kind, room, &settings.suffixes).await
            }
        };
        let settlement = if addressees.is_nobody() {
            Settlement::Skipped(match addressees.why_not() {
                why if why.is_empty() => "no usable destination in rua".to_owned(),
                why => why,
            })
        } else {
            let next_ms = self.due_ms(settings, request);
            let submitter = &settings.reporter.submitter;
            for report in &mut self.reports {
                address(report, &addressees, submitter, next_ms);
            }
            Settlement::Reports {
                reports: self.reports,
                addressees,
            }
        };
        Settled {
            policy_domain: self.policy_domain.to_string(),
            messages: self.messages,
            rows: self.rows,
            limited: self.limited,
            settlement,
        }
    }

    fn due_ms(&self, settings: &ReportSettings, request: &DayRequest) -> u64 {
        let now = request.clock.now_ms();
        if !request.spread {
            return now;
        }
        let report = &settings.keys;
        let due = due_at(
            request.day.0.into(),
            report.settle,
            report.spread,
            &self.policy_domain,
        );
        now.max(due.saturating_mul(1_000))
    }
}

/// Gives a report its deliveries.
fn address(report: &mut NewReport, addressees: &Addressees, submitter: &DomainName, next_ms: u64) {
    // Written by ourselves a moment ago.
    let Some(report_id) = ReportId::parse(&report.report_id) else {
        return;
    };
    let unanswered = addressees.unanswered.iter().map(|(address, _)| address);
    let all = addressees.open.iter().chain(unanswered);
    report.deliveries = all
        .map(|address| NewDelivery {
            destination: address.to_string(),
            message_id: report_id.message_id(submitter, address),
            next_ms,
        })
        .collect();
    report.facts = Facts {
        unverified: addressees.unanswered_hosts(),
        ..Facts::read(&report.facts)
    }
    .to_json();
}
