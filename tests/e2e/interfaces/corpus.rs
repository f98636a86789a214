//! Two hundred messages that go through every interface, and must be judged alike by all: as `landmarc check`
//! judges them, and as it was said when they were made.

mod kinds;
mod letter;
mod zones;

use std::net::SocketAddr;

use serde_json::{Value, json};

pub(crate) use kinds::{Case, Expected};
pub(crate) use zones::{ALLOWED, STRANGER, zones};

use crate::binary::landmarc;
use crate::service::Service;
pub(crate) use crate::world::RECIPIENT;
use landmarc_e2e::{Envelope, Outcome, Smtp};

/// How many messages there are.
const COUNT: usize = 200;

/// The name that forged results of the corpus bear.
pub(crate) const AUTHSERV_ID: &str = "mx.corpus.test";

/// What the service must be told beside what its interface needs. Clients on loopback are judged, and no file
/// of this machine plays a part.
pub(crate) const SETTINGS: &str = "\
mode = \"enforce\"
authserv_id = \"mx.corpus.test\"
arc.validate = \"always\"
arc.trusted_sealers = [\"sealer.example\"]
clients.trusted_networks = []
dmarc.public_suffix_list = \"\"
failures.unusable_record.action = \"tempfail\"
";

/// For an interface that is looked at for what is held.
pub(crate) const HOLDING: &str = "action.quarantine = \"hold\"\n";

/// All messages, the same each time.
pub(crate) fn cases() -> Vec<Case> {
    let kinds = kinds::KINDS.iter();
    kinds
        .flat_map(|kind| (0..kind.count).map(|number| kind.case(number)))
        .collect()
}

/// What a sender was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Without any mark.
    Taken,
    /// Taken and held, or taken with a mark to sort it by.
    Held,
    Refused,
    Deferred,
}

impl Answer {
    /// From what an SMTP server said last.
    pub(crate) fn of(outcome: &Outcome) -> Self {
        match outcome.last().code {
            200..=299 => Self::Taken,
            500..=599 => Self::Refused,
            _ => Self::Deferred,
        }
    }
}

/// A way for messages to come to the service.
pub(crate) trait Interface {
    /// The service that judges and records.
    fn service(&self) -> &Service;

    /// Brings one message, and waits for the answer.
    fn send(&mut self, case: &Case) -> Answer;

    /// Looks once all are brought what became of those that were taken.
    fn settle(&mut self, _answers: &mut [Answer]) {}

    /// What is to be answered where the service does this: `accept`, `quarantine`, `reject`, `tempfail`.
    fn answer_to(&self, action: &str) -> Answer {
        match action {
            "quarantine" if self.tells_what_is_held() => Answer::Held,
            "reject" => Answer::Refused,
            "tempfail" => Answer::Deferred,
            _ => Answer::Taken,
        }
    }

    /// Whether it knows a message that is held, or marked, from one that is just taken.
    fn tells_what_is_held(&self) -> bool {
        false
    }
}

/// A mail server on loopback that asks the service by whatever way. What becomes of a message that it takes
/// is not looked for.
pub(crate) struct SmtpInterface<'a> {
    pub(crate) service: &'a Service,
    pub(crate) address: SocketAddr,
}

impl Interface for SmtpInterface<'_> {
    fn service(&self) -> &Service {
        self.service
    }

    fn send(&mut self, case: &Case) -> Answer {
        let outcome = send_from(case, self.address).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        Answer::of(&outcome)
    }
}

/// The same, with a look at each message that was taken.
pub(crate) struct HoldingInterface<'a, IsHeld> {
    pub(crate) smtp: SmtpInterface<'a>,
    /// Whether the message with this answer is held, or bears the mark of those that are.
    pub(crate) is_held: IsHeld,
}

impl<IsHeld: FnMut(&Outcome) -> bool> Interface for HoldingInterface<'_, IsHeld> {
    fn service(&self) -> &Service {
        self.smtp.service
    }

    fn send(&mut self, case: &Case) -> Answer {
        let outcome =
            send_from(case, self.smtp.address).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        match Answer::of(&outcome) {
            Answer::Taken if (self.is_held)(&outcome) => Answer::Held,
            answer => answer,
        }
    }

    fn tells_what_is_held(&self) -> bool {
        true
    }
}

/// Sends it in a connection of its own, from the address of its client.
pub(crate) fn send_from(case: &Case, server: SocketAddr) -> std::io::Result<Outcome> {
    let mut smtp = Smtp::connect_from(case.client, server)?;
    smtp.ehlo(&case.helo)?;
    let envelope = Envelope {
        mail_from: &case.mail_from,
        parameters: if case.message.is_ascii() {
            ""
        } else {
            "BODY=8BITMIME"
        },
        rcpt_to: &[RECIPIENT],
    };
    let outcome = smtp.send(&envelope, &case.message)?;
    smtp.quit()?;
    Ok(outcome)
}

/// Brings all messages. Each must leave one record, which must say what `check` says of the same message under
/// the same settings, and what was expected; and be answered so.
#[track_caller]
pub(crate) fn judged_alike(interface: &mut impl Interface) {
    let mut differences = Vec::new();
    for (case, answer, record) in brought(interface) {
        let checked = of_check(&checked(interface.service(), &case));
        let recorded = of_record(&record);
        if recorded != checked {
            differences.push(format!("{}:\n  check {checked}\n  found {recorded}", case.name));
        }
        differences.extend(difference(interface, &case, answer, &record));
    }
    assert_none(&differences);
}

/// The same of an interface where others check SPF and DKIM, and say so in words of their own: all messages must come
/// to what was expected.
#[track_caller]
pub(crate) fn found_as_expected(interface: &mut impl Interface) {
    let brought = brought(interface);
    let differences = brought
        .iter()
        .filter_map(|(case, answer, record)| difference(interface, case, *answer, record));
    assert_none(&differences.collect::<Vec<_>>());
}

/// All messages, one after the other, with what was answered and what is written down.
fn brought(interface: &mut impl Interface) -> Vec<(Case, Answer, Value)> {
    let (cases, mut answers) = (cases(), Vec::new());
    for (before, case) in cases.iter().enumerate() {
        answers.push(interface.send(case));
        // The next one must not overtake it.
        interface.service().messages(before + 1);
    }
    interface.settle(&mut answers);
    let records = records(interface.service(), answers.len());
    let all = cases.into_iter().zip(answers).zip(records);
    all.map(|((case, answer), record)| (case, answer, record))
        .collect()
}

fn difference(interface: &impl Interface, case: &Case, answer: Answer, record: &Value) -> Option<String> {
    let Expected { dmarc, action } = case.expected;
    let is_expected =
        record["dmarc"] == dmarc && record["action"] == action && answer == interface.answer_to(action);
    (!is_expected).then(|| {
        format!(
            "{}: not {:?} but {answer:?} for {record}",
            case.name, case.expected
        )
    })
}

#[track_caller]
fn assert_none(differences: &[String]) {
    assert!(
        differences.is_empty(),
        "{} differences:\n{}",
        differences.len(),
        differences.join("\n")
    );
}

/// What is written down about these messages, the oldest first.
fn records(service: &Service, count: usize) -> Vec<Value> {
    let settings = service.settings_file();
    let limit = count.to_string();
    let ran = landmarc([
        "log",
        "--json",
        "--limit",
        &limit,
        "--config",
        settings.to_str().unwrap(),
    ]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let records: Vec<Value> = ran
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(records.len(), count, "a record for each message");
    records
}

/// The object of `landmarc check --json` for this message, under the settings of this service.
fn checked(service: &Service, case: &Case) -> Value {
    let settings = service.settings_file();
    let message = settings.with_file_name("message.eml");
    std::fs::write(&message, &case.message).unwrap();
    let path = |path: &std::path::Path| path.display().to_string();
    landmarc([
        "check".to_owned(),
        "--json".to_owned(),
        format!("--config={}", path(&settings)),
        format!("--ip={}", case.client),
        format!("--helo={}", case.helo),
        format!("--mail-from={}", case.mail_from),
        format!("--rcpt={RECIPIENT}"),
        path(&message),
    ])
    .json()
}

/// What is compared.
fn of_check(object: &Value) -> Value {
    json!({
        "author_domain": object["author_domain"],
        "spf": object["spf"]["result"],
        "dkim": dkim_word(&object["dkim"]),
        "arc": object["arc"]["result"],
        "dmarc": object["dmarc"]["result"],
        "policy_domain": object["dmarc"]["policy_domain"],
        "policy": object["dmarc"]["policy"],
        "disposition": object["disposition"],
        "overrides": object["overrides"],
        "action": object["action"],
        "enforced_action": object["decision"]["action"],
        "cause": object["cause"],
    })
}

/// The word that a record has for all signatures: `pass` if one is good, else what the first one came to.
fn dkim_word(signatures: &Value) -> &str {
    let results = signatures.as_array().unwrap().iter();
    let results: Vec<_> = results.map(|one| one["result"].as_str().unwrap()).collect();
    let good = results.iter().find(|result| **result == "pass");
    good.or(results.first()).copied().unwrap_or("none")
}

/// The same out of a line of `landmarc log --json`.
fn of_record(record: &Value) -> Value {
    let keys = [
        "author_domain",
        "spf",
        "dkim",
        "arc",
        "dmarc",
        "policy_domain",
        "policy",
        "disposition",
        "overrides",
        "action",
        "enforced_action",
        "cause",
    ];
    let fields = keys.map(|key| (key.to_owned(), record[key].clone()));
    Value::Object(fields.into_iter().collect())
}

#[test]
fn the_corpus_is_two_hundred_different_messages_and_the_same_each_time() {
    let all = cases();
    assert_eq!(all.len(), COUNT);
    for (one, again) in all.iter().zip(cases()) {
        assert_eq!(one.message, again.message, "{}", one.name);
    }
    let names: std::collections::BTreeSet<_> = all.iter().map(|case| &case.name).collect();
    assert_eq!(names.len(), COUNT);
    for expected in ["pass", "fail", "none", "temperror", "permerror"] {
        assert!(
            all.iter().any(|case| case.expected.dmarc == expected),
            "{expected}"
        );
    }
    for expected in ["accept", "quarantine", "reject", "tempfail"] {
        assert!(
            all.iter().any(|case| case.expected.action == expected),
            "{expected}"
        );
    }
    assert!(all.iter().any(|case| !case.message.is_ascii()));
}

mod milter {
    //! The plain one: Postfix and its milter.

    use landmarc_testkit::dns_server::DnsServer;

    use super::{HOLDING, HoldingInterface, SETTINGS, SmtpInterface, judged_alike, zones};
    use crate::service::{Service, Socket};
    use crate::world::queue_id;
    use landmarc_e2e::{Outcome, Postfix, PostfixConfig};

    #[test]
    fn corpus_is_judged_alike_by_postfix() {
        let dns = DnsServer::start(zones());
        let settings = format!("{SETTINGS}{HOLDING}");
        let service = Service::start("corpus-postfix", Socket::Inet, dns.addr(), &settings);
        let config = PostfixConfig::with_milters([service.milter()]);
        let Some(postfix) = Postfix::start(&config).expect("Postfix starts") else {
            return;
        };
        judged_alike(&mut HoldingInterface {
            smtp: SmtpInterface {
                service: &service,
                address: postfix.address(),
            },
            is_held: |outcome: &Outcome| postfix.holds(queue_id(outcome)),
        });
    }
}
