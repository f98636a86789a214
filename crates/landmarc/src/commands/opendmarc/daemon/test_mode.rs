//! `-t`: judges messages from files, and prints what the mail server would be told (F4 to F6).
//!
//! Nothing is written down and nobody is told, whatever the settings say: OpenDMARC 1.4 appends to its
//! history and sends failure reports even so.

use std::fs::File;
use std::io::{self, Read};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use landmarc_auth::lookup::{DnsName, Zones};
use landmarc_mail::message::{MessageError, split};
use landmarc_mail::{Envelope, ReversePath};
use landmarc_migrate::opendmarc::settings::{Parameter, test_records};
use landmarc_milter::{Edit, Response, Verdict};
use landmarc_receiver::policy::Rules;

use crate::answers::DnsAnswers;
use crate::exit::Exit;
use crate::failure::{CommandResult, Failure, failure};
use crate::notes::note;
use crate::output::print;
use crate::runtime;
use landmarc_filter::{Lists, MessageContext, judge_parsed, rehearse};
use landmarc_runtime::clock::now_ms;
use landmarc_runtime::files::read_file;
use landmarc_runtime::load::Loaded;
use landmarc_runtime::opendmarc_conf;

/// The mail server's macros i and j, as OpenDMARC makes them up (F5).
const QUEUE_ID: &str = "DEBUG-i";
const HOST: &str = "DEBUG-j";

/// What stands for standard input.
const STANDARD_INPUT: &str = "-";

/// The largest message that is read, in octets.
const MAX_MESSAGE_OCTETS: u64 = 256 << 20;
/// The largest file of test records, in octets.
const MAX_RECORDS_OCTETS: usize = 16 << 20;

/// Judges them in order; the first that cannot be read ends it.
///
/// # Errors
/// With what is printed, and the exit code.
pub(super) fn run(source: &opendmarc_conf::OpenDmarcSource, files: &[PathBuf], verbose: u8) -> CommandResult {
    let loaded = source.load_for_test()?;
    let client = Client::of(|name| std::env::var(name).ok())?;
    let runtime = runtime::one_thread()?;
    let _inside = runtime.enter();
    let test = TestMode {
        rules: rules_of(&loaded),
        answers: answers(source, &loaded)?,
        loaded,
        client,
        verbose,
    };
    test.connect()?;
    for file in files {
        runtime.block_on(test.judge_file(file))?;
    }
    test.step(None, "mlfi_close()", MilterStatus::Continue);
    Ok(Exit::Fine)
}

/// Those of the settings, in the name that the mail server would have.
fn rules_of(loaded: &Loaded) -> Rules {
    let mut rules = loaded.rules();
    if loaded.settings.authserv_id.is_none() {
        rules.authserv_id = HOST.to_owned();
    }
    rules
}

/// From TestDNSData, if the file names it (P40); then no other name exists.
fn answers(source: &opendmarc_conf::OpenDmarcSource, loaded: &Loaded) -> Result<DnsAnswers, Failure> {
    let conf = source.conf()?;
    let Some(path) = conf.path(Parameter::TestDnsData) else {
        return DnsAnswers::open(None, &loaded.settings);
    };
    let octets = read_file(Path::new(&path), MAX_RECORDS_OCTETS)
        .map_err(|error| failure!(Exit::Config, "TestDNSData {path}: {error}"))?;
    let mut zones = Zones::new();
    for (name, text) in test_records(&octets) {
        match DnsName::from_octets(name.as_bytes()) {
            Some(name) => zones.add_txt(name, text.as_bytes()),
            None => {
                return Err(failure!(Exit::Config, "TestDNSData {path}: {name:?} is no name"));
            }
        }
    }
    Ok(DnsAnswers::Zones(zones))
}

/// Who delivers the messages (F5).
#[derive(Clone, Debug, PartialEq, Eq)]
struct Client {
    host: String,
    ip: IpAddr,
    /// Whether anybody has said who it is.
    is_named: bool,
    helo: String,
    mail_from: String,
}

impl Client {
    fn of(variable: impl Fn(&str) -> Option<String>) -> Result<Self, Failure> {
        let ip = variable("OPENDMARC_TEST_CLIENTIP");
        let host = variable("OPENDMARC_TEST_CLIENTHOST");
        let or = |value: Option<String>, usual: &str| value.unwrap_or_else(|| usual.to_owned());
        let is_named = ip.is_some() || host.is_some();
        let ip = or(ip, "127.0.0.1");
        let ip = ip
            .parse()
            .map_err(|error| failure!(Exit::Usage, "OPENDMARC_TEST_CLIENTIP: {ip:?}: {error}"))?;
        Ok(Self {
            ip,
            is_named,
            host: or(host, "localhost"),
            helo: or(variable("OPENDMARC_TEST_HELOHOST"), "localhost"),
            mail_from: or(variable("OPENDMARC_TEST_ENVFROM"), "<sender@example.org>"),
        })
    }
}

/// What a milter says at the end of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MilterStatus {
    Continue,
    Accept,
    Reject,
    Discard,
    TempFail,
}

impl MilterStatus {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Continue => "SMFIS_CONTINUE",
            Self::Accept => "SMFIS_ACCEPT",
            Self::Reject => "SMFIS_REJECT",
            Self::Discard => "SMFIS_DISCARD",
            Self::TempFail => "SMFIS_TEMPFAIL",
        }
    }
}

struct TestMode {
    loaded: Loaded,
    rules: Rules,
    answers: DnsAnswers,
    client: Client,
    verbose: u8,
}

impl TestMode {
    /// A client that was named and is on a list is not judged, as in the old program. The one that stands in
    /// for it when nobody was is this host, which no list of ours leaves out: it is judged, and that is said.
    fn connect(&self) -> Result<(), Failure> {
        let lists = Lists::new(&self.loaded.settings.clients, self.loaded.hosts.clone());
        let skipped = lists.of_client(self.client.ip, Some(&self.client.host));
        match skipped {
            Some(skipped) if self.client.is_named => {
                self.step(None, "mlfi_connect()", MilterStatus::Accept);
                return Err(failure!(
                    Exit::Bug,
                    "this client is not judged: {}",
                    skipped.as_str()
                ));
            }
            Some(_) => note!(
                "opendmarc: the service would not judge localhost; OPENDMARC_TEST_CLIENTIP and \
                 OPENDMARC_TEST_CLIENTHOST name another client"
            ),
            None => {}
        }
        self.step(None, "mlfi_connect()", MilterStatus::Continue);
        self.step(None, "mlfi_helo()", MilterStatus::Continue);
        Ok(())
    }

    async fn judge_file(&self, file: &Path) -> Result<(), Failure> {
        let name = match file.as_os_str() == STANDARD_INPUT {
            true => "(stdin)".to_owned(),
            false => file.display().to_string(),
        };
        let octets = read_message(file).map_err(|error| failure!(Exit::Unavailable, "{name}: {error}"))?;
        self.step(Some(&name), "mlfi_envfrom()", MilterStatus::Continue);
        let fields = field_lines(&octets)
            .map_err(|line| failure!(Exit::BadInput, "{name}: line {line}: header malformed"))?;
        for line in fields {
            self.step(
                Some(&format!("{name}: line {line}")),
                "mlfi_header()",
                MilterStatus::Continue,
            );
        }
        let response = self
            .judge(&octets)
            .await
            .map_err(|error| failure!(Exit::BadInput, "{name}: {error}"))?;
        print(&in_old_words(&response))?;
        self.step(Some(&name), "mlfi_eom()", status_of(&response.verdict));
        Ok(())
    }

    async fn judge(&self, octets: &[u8]) -> Result<Response, MessageError> {
        let parsed = split(octets, &self.rules.header_limits)?;
        let context = MessageContext {
            envelope: Envelope {
                client: Some(self.client.ip),
                client_name: Some(self.client.host.clone()),
                helo: self.client.helo.clone().into_bytes(),
                mail_from: ReversePath::new(self.client.mail_from.as_bytes()),
                rcpt_to: Vec::new(),
            },
            id: QUEUE_ID,
            queue_id: Some(QUEUE_ID),
            now: now_ms() / 1_000,
            // As OpenDMARC's test mode, which knows no records.
            seen: &landmarc_receiver::seen::Seen::Off,
        };
        let settings = &self.loaded.settings;
        let lookup = |asker| self.answers.for_message(asker);
        let judgement = judge_parsed(&parsed, context, &self.rules, settings, lookup).await;
        Ok(rehearse(&judgement, settings, &self.rules.authserv_id, QUEUE_ID))
    }

    /// Once to hear of what is not as usual, twice to hear of every step.
    fn step(&self, place: Option<&str>, step: &str, status: MilterStatus) {
        let is_printed = self.verbose > 1 || (self.verbose == 1 && status != MilterStatus::Continue);
        if is_printed {
            let place = place.map_or_else(String::new, |place| format!("{place}: "));
            note!("opendmarc: {place}{step} returned {}", status.as_str());
        }
    }
}

fn read_message(file: &Path) -> io::Result<Vec<u8>> {
    let mut octets = Vec::new();
    let limit = MAX_MESSAGE_OCTETS + 1;
    match file.as_os_str() == STANDARD_INPUT {
        true => io::stdin().lock().take(limit).read_to_end(&mut octets)?,
        false => File::open(file)?.take(limit).read_to_end(&mut octets)?,
    };
    if u64::try_from(octets.len()).unwrap_or(u64::MAX) == limit {
        return Err(io::Error::other(format!(
            "it has more than {MAX_MESSAGE_OCTETS} octets"
        )));
    }
    Ok(octets)
}

/// The lines that the header fields begin at, or the first one that begins none.
fn field_lines(octets: &[u8]) -> Result<Vec<usize>, usize> {
    let mut lines = Vec::new();
    for (index, line) in octets.split(|octet| *octet == b'\n').enumerate() {
        match line.strip_suffix(b"\r").unwrap_or(line) {
            [] => break,
            [b' ' | b'\t', ..] => {}
            line if line.contains(&b':') => lines.push(index + 1),
            _ => return Err(index + 1),
        }
    }
    Ok(lines)
}

fn status_of(verdict: &Verdict) -> MilterStatus {
    match verdict {
        Verdict::Accept | Verdict::Continue => MilterStatus::Accept,
        Verdict::Discard => MilterStatus::Discard,
        Verdict::Reply { code: 500..=599, .. } | Verdict::Reject => MilterStatus::Reject,
        Verdict::Reply { .. } | Verdict::TempFail => MilterStatus::TempFail,
    }
}

/// A line for everything the mail server would be told. A message that does not go on gets no edits.
fn in_old_words(response: &Response) -> String {
    match &response.verdict {
        Verdict::Reply { code, enhanced, text } => {
            format!(
                "### SETREPLY: rcode='{code}' xcode='{enhanced}' replytxt='{}'\n",
                on_one_line(text)
            )
        }
        Verdict::Reject | Verdict::TempFail | Verdict::Discard => String::new(),
        Verdict::Accept | Verdict::Continue => response
            .edits
            .iter()
            .rev()
            .map(|edit| edit_in_old_words(edit) + "\n")
            .collect(),
    }
}

fn edit_in_old_words(edit: &Edit) -> String {
    match edit {
        Edit::InsertHeader { index, name, value } => {
            format!(
                "### INSHEADER: idx={index} hname='{name}' hvalue='{}'",
                on_one_line(value)
            )
        }
        Edit::AddHeader { name, value } => {
            format!("### ADDHEADER: hname='{name}' hvalue='{}'", on_one_line(value))
        }
        Edit::ChangeHeader { name, nth, value } => {
            format!(
                "### CHGHEADER: hname='{name}' idx={nth} hvalue='{}'",
                on_one_line(value)
            )
        }
        Edit::DeleteHeader { name, nth } => {
            format!("### CHGHEADER: hname='{name}' idx={nth} hvalue='(null)'")
        }
        Edit::Quarantine(reason) => format!("### QUARANTINE: reason='{}'", on_one_line(reason)),
        Edit::AddRcpt(path) | Edit::AddRcptWithParameters { path, .. } => format!("### ADDRCPT: '{path}'"),
    }
}

/// Folded text, unfolded.
fn on_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f5_the_client_is_this_host_unless_somebody_says_otherwise() {
        let client = Client::of(|_| None).unwrap();
        assert_eq!((client.host.as_str(), client.is_named), ("localhost", false));
        assert_eq!(client.ip.to_string(), "127.0.0.1");
        assert_eq!(
            (client.helo.as_str(), client.mail_from.as_str()),
            ("localhost", "<sender@example.org>")
        );
        let client =
            Client::of(|name| Some(if name.ends_with("IP") { "2001:db8::1" } else { "x" }.to_owned()));
        let client = client.unwrap();
        assert_eq!(
            (client.ip.to_string().as_str(), client.is_named),
            ("2001:db8::1", true)
        );
        let failure = Client::of(|_| Some("nobody".to_owned())).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
    }

    #[test]
    fn fields_are_found_by_their_first_line() {
        assert_eq!(
            field_lines(b"A: b\r\n c\r\nD: e\r\n\r\nno field\r\n"),
            Ok(vec![1, 3])
        );
        assert_eq!(field_lines(b"A: b\nno field\n\n"), Err(2));
        assert_eq!(field_lines(b""), Ok(vec![]));
    }

    #[test]
    fn f4_edits_and_replies_have_the_old_shape() {
        let edits = vec![
            Edit::DeleteHeader {
                name: "Authentication-Results".to_owned(),
                nth: 2,
            },
            Edit::Quarantine("by a policy".to_owned()),
            Edit::InsertHeader {
                index: 0,
                name: "Authentication-Results".to_owned(),
                value: "mx;\n\tdmarc=pass".to_owned(),
            },
            Edit::AddRcpt("a@example.net".to_owned()),
        ];
        let verdict = Verdict::Accept;
        assert_eq!(
            in_old_words(&Response {
                edits: edits.clone(),
                verdict
            }),
            "### ADDRCPT: 'a@example.net'\n\
             ### INSHEADER: idx=0 hname='Authentication-Results' hvalue='mx; dmarc=pass'\n\
             ### QUARANTINE: reason='by a policy'\n\
             ### CHGHEADER: hname='Authentication-Results' idx=2 hvalue='(null)'\n"
        );
        let verdict = Verdict::Reply {
            code: 550,
            enhanced: "5.7.1".to_owned(),
            text: "no".to_owned(),
        };
        assert_eq!(status_of(&verdict), MilterStatus::Reject);
        assert_eq!(
            in_old_words(&Response { edits, verdict }),
            "### SETREPLY: rcode='550' xcode='5.7.1' replytxt='no'\n"
        );
    }
}
