//! `dkim check`: whether the keys of the settings are published.

use std::path::PathBuf;

use clap::Args;
use landmarc_auth::dkim::key::{self, KeyRecordError, PublicKey};
use landmarc_auth::lookup::{Answer, DnsName, Lookup, LookupError, Question, RecordType};
use landmarc_dns::resolver::Asker;
use landmarc_mail::DomainName;
use landmarc_settings::DkimKeyFile;
use serde_json::{Value, json};

use super::record::DnsKeyRecord;
use super::show::record_of_file;
use crate::answers::DnsAnswers;
use crate::exit::Exit;
use crate::failure::{CommandResult, Failure, failure};
use crate::loading::load;
use crate::output::print;
use crate::runtime;
use landmarc_mail::text::visible;

/// What the help says below the options.
const AFTER_HELP: &str = "\
Exit code: 0 when each key is published, 1 when one is not or there is none, 2 when DNS did not answer, \
65 for a file that is no key to sign with, 78 for wrong settings; the largest of those that apply.";

/// Records at one name that are looked at: one is right.
const MAX_RECORDS: usize = 10;

/// Arguments of `dkim check`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct DkimCheckArguments {
    /// Answer DNS questions from this zone file instead of the network, as for "landmarc check"
    #[arg(long, value_name = "FILE")]
    dns: Option<PathBuf>,
    /// Read settings from this file [default: /etc/landmarc/landmarc.toml, if it exists]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print one JSON object for each key, on a line of its own
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &DkimCheckArguments) -> CommandResult {
    let loaded = load(arguments.config.as_deref())?;
    let report = &loaded.settings.report;
    let Some(domain) = report.signing_domain() else {
        return Err(failure!(
            Exit::Findings,
            "nothing is reported, and so nothing signed: report.email is empty"
        ));
    };
    if report.dkim_keys.is_empty() {
        return Err(failure!(
            Exit::Findings,
            "reports are not signed: report.dkim_keys is empty; \"landmarc dkim new\" makes a key"
        ));
    }
    let answers = DnsAnswers::open(arguments.dns.as_deref(), &loaded.settings)?;
    let runtime = runtime::one_thread()?;
    let mut worst = Exit::Fine;
    for key in &report.dkim_keys {
        let record = match record_of_file(key.file(), key.selector(), domain) {
            Ok(record) => record,
            Err(why) => {
                worst = worst.max(Failure::new(Exit::BadInput, &why).print());
                continue;
            }
        };
        let found = runtime.block_on(ask(&answers.for_message(Asker::default()), &record));
        let checked = Checked {
            key,
            domain,
            record: &record,
            found,
        };
        worst = worst.max(checked.found.exit());
        print(&if arguments.json {
            format!("{}\n", checked.object())
        } else {
            checked.in_words()
        })?;
    }
    Ok(worst)
}

async fn ask(lookup: &impl Lookup, record: &DnsKeyRecord) -> PublishedKey {
    let Some(name) = DnsName::from_octets(record.name.as_bytes()) else {
        return PublishedKey::NoName;
    };
    let question = Question {
        name,
        record_type: RecordType::Txt,
    };
    compare(&record.text, &lookup.ask(&question).await)
}

/// What is published where a key should be.
#[derive(Clone, Debug, PartialEq, Eq)]
enum PublishedKey {
    /// The key.
    Published,
    /// The key, in testing (`t=y`).
    Testing,
    /// Nothing that is a key.
    Missing,
    /// Another key.
    Different,
    /// A key record that no signature is good by.
    Unusable(KeyRecordError),
    /// More than one.
    Several(usize),
    /// The name is longer than DNS has names.
    NoName,
    /// Nobody knows.
    Unanswered(LookupError),
}

/// What an answer is to the record that should be there.
fn compare(own: &str, answer: &Answer) -> PublishedKey {
    if let Some(error) = answer.failure() {
        return PublishedKey::Unanswered(error);
    }
    let parsed = answer.texts().take(MAX_RECORDS).map(key::KeyRecord::parse);
    // What else stands there, such as the SPF record of a wildcard, is nobody's key.
    let mut keys: Vec<_> = parsed
        .filter(|parsed| !parsed.as_ref().is_err_and(|error| !error.is_key_record()))
        .collect();
    match (keys.pop(), keys.len()) {
        (None, _) => PublishedKey::Missing,
        // RFC 6376 §3.6.2.2: with several, "the results are undefined".
        (Some(_), others @ 1..) => PublishedKey::Several(others + 1),
        (Some(Err(error)), 0) => PublishedKey::Unusable(error),
        (Some(Ok(found)), 0) if Some(&found.key) != public_key(own).as_ref() => PublishedKey::Different,
        (Some(Ok(found)), 0) if found.testing => PublishedKey::Testing,
        (Some(Ok(_)), 0) => PublishedKey::Published,
    }
}

fn public_key(record: &str) -> Option<PublicKey> {
    let record = key::KeyRecord::parse(record.as_bytes()).ok()?;
    Some(record.key)
}

impl PublishedKey {
    fn exit(&self) -> Exit {
        match self {
            Self::Published => Exit::Fine,
            Self::Unanswered(_) => Exit::Unknown,
            _ => Exit::Findings,
        }
    }

    /// The word for scripts.
    fn word(&self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Testing => "testing",
            Self::Missing => "missing",
            Self::Different => "different",
            Self::Unusable(_) => "unusable",
            Self::Several(_) => "several",
            Self::NoName => "no_name",
            Self::Unanswered(_) => "unanswered",
        }
    }

    fn in_words(&self) -> String {
        match self {
            Self::Published => "published".to_owned(),
            Self::Testing => {
                "published, but in testing (t=y): receivers may take the messages for unsigned".to_owned()
            }
            Self::Missing => "not published".to_owned(),
            Self::Different => "another key is published".to_owned(),
            Self::Unusable(error) => format!("what is published is no use: {error}"),
            Self::Several(count) => format!("{count} keys are published, and nobody knows which counts"),
            Self::NoName => "the name is too long for DNS".to_owned(),
            Self::Unanswered(error) => format!("not known: {error}"),
        }
    }

    /// Whether the record is to be published, or published anew.
    fn wants_record(&self) -> bool {
        !matches!(self, Self::Published | Self::NoName | Self::Unanswered(_))
    }
}

/// A key, and what was found of it.
struct Checked<'a> {
    key: &'a DkimKeyFile,
    domain: &'a DomainName,
    record: &'a DnsKeyRecord,
    found: PublishedKey,
}

impl Checked<'_> {
    fn in_words(&self) -> String {
        let Self {
            key, record, found, ..
        } = self;
        let file = key.file().display();
        let line = format!("{} ({file}): {}\n", record.name, visible(&found.in_words()));
        if !found.wants_record() {
            return line;
        }
        let indented: String = record
            .zone_line()
            .lines()
            .map(|line| format!("  {line}\n"))
            .collect();
        format!("{line}  publish, and nothing else at that name:\n{indented}")
    }

    fn object(&self) -> Value {
        let Self {
            key,
            domain,
            record,
            found,
        } = self;
        json!({
            "selector": key.selector().as_str(),
            "domain": domain.as_str(),
            "name": record.name,
            "file": key.file().display().to_string(),
            "published": matches!(found, PublishedKey::Published | PublishedKey::Testing),
            "state": found.word(),
            "reason": found.in_words(),
            "record": record.text,
        })
    }
}

#[cfg(test)]
mod tests {
    use landmarc_auth::lookup::{DnsRecord, Missing};

    use super::*;

    const OWN: &str = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
    const OTHER: &str = "k=ed25519; p=O2onvM62pC1io6jQKm8Nc2UyFXcd4kOmOsBIoYtZ2ik=";

    fn found(texts: &[&str]) -> PublishedKey {
        let records = texts
            .iter()
            .map(|text| DnsRecord::Txt(text.as_bytes().into()))
            .collect();
        compare(OWN, &Answer::from_records(records))
    }

    #[test]
    fn a_key_is_compared_as_a_key_and_not_as_a_text() {
        for same in [
            OWN,
            "p=11qYAYKxCrfVS/7TyWQHOg7h cvPapiMlrwIaaPcHURo= ; k=ed25519",
            "v=DKIM1; h=sha256; s=email; t=s; n=ours; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
        ] {
            assert_eq!(found(&[same]), PublishedKey::Published, "{same}");
            assert_eq!(found(&["v=spf1 -all", same]), PublishedKey::Published, "{same}");
        }
    }

    #[test]
    fn what_else_is_there_has_a_word_of_its_own() {
        for (texts, word, exit) in [
            (&[][..], "missing", Exit::Findings),
            (&["v=spf1 -all"], "missing", Exit::Findings),
            (&[OTHER], "different", Exit::Findings),
            (&[OWN, OTHER], "several", Exit::Findings),
            (&[OWN, OWN], "several", Exit::Findings),
            (&["v=DKIM1; k=ed25519; p="], "unusable", Exit::Findings),
            (
                &["v=DKIM1; s=tlsrpt; k=ed25519; p=AAAA"],
                "unusable",
                Exit::Findings,
            ),
        ] {
            let found = found(texts);
            assert_eq!((found.word(), found.exit()), (word, exit), "{texts:?}");
            assert!(found.wants_record(), "{texts:?}");
        }
        let testing = found(&[&format!("{OWN}; t=y")]);
        assert_eq!((testing.word(), testing.exit()), ("testing", Exit::Findings));
    }

    #[test]
    fn what_nobody_answers_is_not_known() {
        let unanswered = compare(OWN, &Answer::Failed(LookupError::Timeout));
        assert_eq!(
            (unanswered.word(), unanswered.exit()),
            ("unanswered", Exit::Unknown)
        );
        assert!(!unanswered.wants_record());
        assert_eq!(
            compare(OWN, &Answer::NxDomain(Missing::Name)),
            PublishedKey::Missing
        );
    }
}
