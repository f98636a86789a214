//! One scenario: what is given, as a text, and the judgement of it.
//!
//! Above the rule, a line for each thing that is given, in the order in which it happens to
//! the message: a `body` line after `signed` changes the body after signing.
//!
//! ```text
//! zone    NAME TYPE "text" | address | preference host | FAULT      (TYPE ANY: of all types)
//! client  ADDRESS        helo  NAME        mail  <PATH>
//! from    VALUE          another From field for each such line
//! header  Name: value    below the others; top: above the others
//! body    TEXT
//! signed  by d=NAME s=NAME [key=none|testing] [l=0] [h=NAME]
//! sealed  by d=NAME s=NAME [h=NAME:NAME] claiming RESULTS
//! rules   KEY VALUE      see `set_rule`
//! rule    NAME ACTION KEY=VALUE,VALUE ...                           one of the operator's, see `operator`
//! seen    signing DOMAIN MESSAGES UNSIGNED | spoofer ADDRESS FORGED | forwarder ADDRESS | shared ADDRESS
//!         | nothing | young DAYS | away                             what the mail of the last days shows
//! name    NAME           the client's          rcpt  ADDRESS
//! ```
//!
//! In values, `\r`, `\n`, `\0` and `\xNN` stand for octets.
//! The rules are those of the defaults, but for `mode enforce`.

use std::future::poll_fn;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::Poll;

use landmarc_auth::lookup::{
    Answer, DnsName, DnsRecord, Fault, Lookup, Question, RecordType, ZoneData, Zones,
};
use landmarc_dmarc::evaluation::DiscoveryMethod;
use landmarc_dmarc::suffixes::Suffixes;
use landmarc_mail::message::HeaderLimits;
use landmarc_mail::{ClientNetwork, DomainName, Envelope, ReversePath};
use landmarc_receiver::policy::{
    ArcUse, ClientFacts, EnforcementMode, FailureTable, OnFailure, QuarantineBy, RejectRule, ReplyCodes,
    ReplyTemplate, ResultSource, Rules, UnusableAuthor, Upstream,
};
use landmarc_receiver::seen::{NetworkHistory, Seen, SeenTable, SigningHistory};
use landmarc_receiver::{Arrival, Head, Judgement, Ledgers, Transaction, judge, spf_of};
use landmarc_testkit::message::{Message, NOW, key_record};
use landmarc_testkit::{block_on, dns_name};

use crate::operator;

/// What the MTA calls the message.
pub(crate) const QUEUE_ID: &str = "C198981";

/// What is given.
pub(crate) struct Given {
    pub(crate) zones: Zones,
    pub(crate) envelope: Envelope,
    pub(crate) message: Message,
    pub(crate) rules: Rules,
    pub(crate) client: ClientFacts,
    pub(crate) questions: usize,
    pub(crate) seen: Seen,
}

impl Given {
    /// Reads the lines above the rule.
    pub(crate) fn read(text: &str) -> Self {
        let mut given = Self {
            zones: Zones::new(),
            envelope: Envelope {
                client: Some([192, 0, 2, 1].into()),
                helo: b"mx.example.net".to_vec(),
                mail_from: ReversePath::new(b"<bounce@example.net>"),
                ..Envelope::default()
            },
            message: Message::new(),
            rules: rules(),
            client: ClientFacts::default(),
            questions: landmarc_auth::lookup::QUESTIONS_PER_MESSAGE,
            seen: Seen::Off,
        };
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (key, value) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            given.take(key, value.trim());
        }
        given
    }

    fn take(&mut self, key: &str, value: &str) {
        match key {
            "zone" => self.zone(value),
            "client" => self.envelope.client = value.parse::<IpAddr>().ok(),
            "name" => self.envelope.client_name = Some(value.to_owned()),
            "rcpt" => self.envelope.rcpt_to.push(octets(value)),
            "rule" => {
                let rules = self.rules.operator.iter().cloned();
                self.rules.operator = rules.chain([operator::rule(value)]).collect();
            }
            "helo" => self.envelope.helo = octets(value),
            "mail" => self.envelope.mail_from = ReversePath::new(&octets(value)),
            "from" => self.message.append(b"From", &octets(&format!(" {value}"))),
            "header" => {
                let (name, value) = value.split_once(':').expect("a colon");
                self.message.append(&octets(name), &octets(value));
            }
            "top" => {
                let (name, value) = value.split_once(':').expect("a colon");
                self.message.put_on_top(name.as_bytes(), &octets(value));
            }
            "body" => self.message.body = [octets(value), b"\r\n".to_vec()].concat(),
            "signed" => self.signed(value),
            "sealed" => {
                let (by, results) = value.split_once(" claiming ").expect("claiming");
                let (domain, selector) = self.signer(by, "");
                let fields = option(by, "h").unwrap_or("from:subject").split(':');
                let fields: Vec<_> = fields.collect();
                self.message.seal(&domain, &selector, results, &fields);
            }
            "seen" => self.see(value),
            "rules" => {
                let (key, value) = value.split_once(' ').unwrap_or((value, ""));
                self.set_rule(key, value.trim());
            }
            _ => unreachable!("nothing is called {key:?}"),
        }
    }

    fn zone(&mut self, value: &str) {
        let mut words = value.splitn(3, char::is_whitespace);
        let name = dns_name(words.next().expect("a name"));
        let kind = words.next().expect("a type").trim();
        let data = words.next().unwrap_or_default().trim();
        let types = match kind {
            "EXISTS" => return self.zones.add_name(name),
            "ANY" => return self.zones.set_others(name, fault(data).expect("a fault")),
            "CNAME" => return self.zones.set_alias(name, dns_name(data)),
            "TXT" => RecordType::Txt,
            "A" => RecordType::A,
            "MX" => RecordType::Mx,
            "PTR" => RecordType::Ptr,
            _ => unreachable!("no type is called {kind:?}"),
        };
        if let Some(fault) = fault(data) {
            return self.zones.set(name, types, ZoneData::Fault(fault));
        }
        let record = match types {
            RecordType::Txt => return self.zones.add_txt(name, data.trim_matches('"').as_bytes()),
            RecordType::A => DnsRecord::A(data.parse().expect("an address")),
            RecordType::Ptr => DnsRecord::Ptr(dns_name(data)),
            _ => DnsRecord::Mx {
                preference: 10,
                exchange: dns_name(data),
            },
        };
        self.zones.set(name, types, ZoneData::Records(vec![record]));
    }

    fn signed(&mut self, value: &str) {
        let key = option(value, "key").unwrap_or("published");
        let (domain, selector) = self.signer(value, key);
        if option(value, "l").is_some() {
            self.message.sign_without_body(&domain, &selector);
        } else {
            self.message.sign(&domain, &selector, option(value, "h"));
        }
    }

    /// `d=` and `s=`; publishes the key, unless `key=none`.
    fn signer(&mut self, value: &str, key: &str) -> (String, String) {
        let named = |name| option(value, name).expect("d= and s=").to_owned();
        let (domain, selector) = (named("d"), named("s"));
        let name: DnsName = dns_name(&format!("{selector}._domainkey.{domain}"));
        let record = match key {
            "testing" => format!("{}; t=y", key_record()),
            _ => key_record(),
        };
        if key != "none" {
            let records = vec![DnsRecord::Txt(record.into_bytes().into())];
            self.zones.set(name, RecordType::Txt, ZoneData::Records(records));
        }
        (domain, selector)
    }

    fn see(&mut self, value: &str) {
        let words: Vec<&str> = value.split_whitespace().collect();
        let mut table = match &self.seen {
            Seen::Known(table) => SeenTable::clone(table),
            _ => SeenTable::default(),
        };
        let network = |of: &str| ClientNetwork::of(of.parse().expect("an address"));
        let number = |word: &str| word.parse().expect("a number");
        match words[..] {
            ["away"] => return self.seen = Seen::Away,
            ["young", days] => return self.seen = Seen::Young(number(days)),
            ["nothing"] => {}
            ["signing", domain, messages, unsigned] => {
                let seen = SigningHistory {
                    messages: messages.parse().expect("a number"),
                    unsigned: unsigned.parse().expect("a number"),
                    days: 30,
                    ..SigningHistory::default()
                };
                table.insert_domain(&DomainName::parse(domain).expect("a name"), seen);
            }
            ["spoofer", of, forged] => table.insert_network(
                network(of),
                NetworkHistory {
                    failed: 40,
                    forged: forged.parse().expect("a number"),
                    ..NetworkHistory::default()
                },
            ),
            ["forwarder", of] => table.insert_network(
                network(of),
                NetworkHistory {
                    passed: 1_210,
                    failed: 17,
                    forwarded: (1..=3).collect(),
                    ..NetworkHistory::default()
                },
            ),
            ["shared", of] => table.insert_network(
                network(of),
                NetworkHistory {
                    passed: 4_000,
                    authorized_by: 5,
                    ..NetworkHistory::default()
                },
            ),
            _ => unreachable!("nothing is seen as {value:?}"),
        }
        self.seen = Seen::Known(Arc::new(table));
    }

    fn set_rule(&mut self, key: &str, value: &str) {
        let rules = &mut self.rules;
        let names = || {
            value
                .split_whitespace()
                .map(|name| DomainName::parse(name).expect("a name"))
        };
        match (key, value) {
            ("mode", "observe") => rules.mode = EnforcementMode::Observe,
            ("reject", "always") => rules.reject = RejectRule::Always,
            ("reject", "never") => rules.reject = RejectRule::Never,
            ("reject_text", text) => rules.reject_text = wording(text),
            ("quarantine_text", text) => rules.quarantine_text = wording(text),
            ("unusable_author_text", text) => rules.unusable_author_text = wording(text),
            ("reject_codes", codes) => {
                let (basic, enhanced) = codes.split_once(' ').expect("two codes");
                rules.reject_codes = ReplyCodes {
                    basic: basic.parse().expect("a number"),
                    enhanced: enhanced.to_owned(),
                };
            }
            ("quarantine", name) => rules.quarantine = QuarantineBy::Header(name.to_owned()),
            ("unusable_author", "accept") => rules.unusable_author = UnusableAuthor::Accept,
            ("local_domains", _) => rules.local_domains = names().collect(),
            ("trusted_sealers", _) => rules.trusted_sealers = names().collect(),
            ("mailing_lists", "no") => rules.recognise_lists = false,
            ("remove_all_results", "yes") => rules.remove_all_results = true,
            ("keeps_results", "yes") => self.client.keeps_results = true,
            ("trusted_forwarder", "yes") => self.client.trusted_forwarder = true,
            ("tempfail", "dns") => rules.failures.dns = tempfail(),
            ("tempfail", "unusable_record") => rules.failures.unusable_record = tempfail(),
            ("accept", "dns_with_policy") => rules.failures.dns_with_policy = OnFailure::Accept,
            ("accept", "budget") => rules.failures.budget = OnFailure::Accept,
            ("arc", "always") => rules.arc = ArcUse::Always,
            ("discovery", "psl") => rules.discovery = DiscoveryMethod::Psl,
            ("spf", word) => rules.upstream.spf = source(word),
            ("dkim", word) => rules.upstream.dkim = source(word),
            ("upstream_arc", word) => rules.upstream.arc = source(word),
            ("trusted", ids) => {
                rules.upstream.trusted_authserv_ids = ids.split_whitespace().map(str::to_owned).collect();
            }
            ("received_spf", "yes") => rules.upstream.received_spf = true,
            ("job_id", "yes") => rules.authserv_id_with_job_id = true,
            ("required_header_fields", "yes") => rules.required_header_fields = true,
            ("questions", number) => self.questions = number.parse().expect("a number"),
            _ => unreachable!("no rule is {key:?} {value:?}"),
        }
    }

    /// Judges it, as the edges do.
    pub(crate) fn judge(&self) -> Judgement {
        let ledgers = Ledgers::new(self.questions, |_| Distant(&self.zones));
        block_on(async {
            let arrival = Arrival {
                client: self.client,
                queue_id: Some(QUEUE_ID),
                ..Arrival::of(&self.envelope, NOW)
            };
            let mut head = Head::new(&self.message.headers(), &self.rules, &arrival);
            let spf = spf_of(&head, &ledgers, &self.envelope, &self.rules).await;
            head.plan().ask(&ledgers).await;
            for chunk in self.message.body.chunks(3) {
                head.body(chunk);
            }
            let transaction = Transaction {
                envelope: self.envelope.clone(),
                client: self.client,
                id: "4Fb1",
                queue_id: Some(QUEUE_ID),
                seen: &self.seen,
            };
            judge(head, transaction, spf, &ledgers, &self.rules).await
        })
    }
}

/// Zones whose answers take a moment, so that questions asked together are under way together.
struct Distant<'a>(&'a Zones);

impl Lookup for Distant<'_> {
    async fn ask(&self, question: &Question) -> Answer {
        let mut waited = false;
        poll_fn(|context| {
            context.waker().wake_by_ref();
            if std::mem::replace(&mut waited, true) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
        self.0.answer(question)
    }
}

fn tempfail() -> OnFailure {
    OnFailure::TempFail {
        code: 451,
        enhanced: "4.7.0".to_owned(),
        text: wording("try again later: {reason} ({id})"),
    }
}

fn rules() -> Rules {
    Rules {
        mode: EnforcementMode::Enforce,
        authserv_id: "mx.receiver.example".to_owned(),
        authserv_id_with_job_id: false,
        upstream: Upstream::default(),
        header_limits: HeaderLimits::default(),
        check_helo: true,
        fetch_explanation: false,
        dkim: landmarc_auth::dkim::DkimOptions::default(),
        arc: ArcUse::Trusted,
        trusted_sealers: Vec::new(),
        discovery: DiscoveryMethod::TreeWalk,
        compare_rfc7489: true,
        dmarc: landmarc_dmarc::evaluation::EvaluationOptions::default(),
        suffixes: Arc::new(Suffixes::built_in()),
        operator: Arc::from([]),
        reject: RejectRule::Evidence,
        reject_text: wording("Email rejected per DMARC policy for {author_domain}: {reason} ({id})"),
        reject_codes: ReplyCodes {
            basic: 550,
            enhanced: "5.7.1".to_owned(),
        },
        quarantine: QuarantineBy::Hold,
        quarantine_text: wording("quarantined by DMARC policy for {author_domain}: {reason}"),
        unusable_author: UnusableAuthor::Refuse,
        unusable_author_text: wording("Email rejected: {reason} ({id})"),
        required_header_fields: false,
        local_domains: Vec::new(),
        recognise_lists: true,
        failures: FailureTable {
            dns_with_policy: tempfail(),
            budget: tempfail(),
            ..FailureTable::default()
        },
        remove_all_results: false,
    }
}

fn wording(text: &str) -> ReplyTemplate {
    let text = text.to_owned();
    ReplyTemplate::new(move |blanks| {
        text.replace("{author_domain}", blanks.author_domain)
            .replace("{policy_domain}", blanks.policy_domain)
            .replace(
                "{client}",
                &blanks
                    .client
                    .map_or_else(String::new, |client| client.to_string()),
            )
            .replace("{reason}", blanks.reason)
            .replace("{id}", blanks.id)
    })
}

fn source(word: &str) -> ResultSource {
    match word {
        "upstream" => ResultSource::Upstream,
        "upstream-then-self" => ResultSource::UpstreamThenOwn,
        _ => unreachable!("no source is {word:?}"),
    }
}

fn fault(word: &str) -> Option<Fault> {
    Some(match word {
        "SERVFAIL" => Fault::ServFail,
        "REFUSED" => Fault::Refused,
        "TIMEOUT" => Fault::Timeout,
        "NXDOMAIN" => Fault::NxDomain,
        "NODATA" => Fault::NoData,
        _ => return None,
    })
}

/// The value of `name=` among words.
fn option<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    let mut words = value.split_whitespace().filter_map(|word| word.split_once('='));
    words.find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// The octets a value stands for.
fn octets(text: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut rest = text;
    while let Some((before, escape)) = rest.split_once('\\') {
        octets.extend_from_slice(before.as_bytes());
        let (octet, length) = match escape.as_bytes().first() {
            Some(b'r') => (b'\r', 1),
            Some(b'n') => (b'\n', 1),
            Some(b'0') => (0, 1),
            Some(b'x') => (u8::from_str_radix(&escape[1..3], 16).expect("two digits"), 3),
            _ => unreachable!("an escape in {text:?}"),
        };
        octets.push(octet);
        rest = &escape[length..];
    }
    octets.extend_from_slice(rest.as_bytes());
    octets
}
