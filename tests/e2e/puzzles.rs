//! "Why was this refused, held, accepted?", asked with the queue id only: what `landmarc explain`,
//! the log line, Authentication-Results and the SMTP reply say is the same, word for word.
//!
//! The messages are those of the receiver's tests; here they come through the milter, and their
//! explanations out of the store.

use std::path::Path;

use landmarc_mail::authres::AuthenticationResults;
use landmarc_testkit::cases::{self, Case};
use landmarc_testkit::dns_server::DnsServer;
use landmarc_testkit::mta::{Edit, Mail, Mta, Outcome, Verdict};
use landmarc_testkit::tools::wait_for;
use serde_json::Value;

use crate::binary::landmarc;
use crate::serve::for_mta;
use crate::service::{Line, Service, Socket};

const QUEUE_ID: &str = "4FPUZZLE";
const SETTINGS: &str = "mode = \"enforce\"\nauthserv_id = \"mx.receiver.example\"\n";
/// Whether the records have been read when a message comes is a matter of time.
const WITHOUT_RECORDS: &str = "evidence_from_records = false\n";

#[test]
fn ten_puzzles_and_more_are_answered_from_the_queue_id_alone() {
    let inputs = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../crates/core/receiver/tests/it/puzzles/puzzles.jsonl");
    let cases = cases::read(&inputs);
    assert!(cases.len() >= 10, "{}", cases.len());
    for case in &cases {
        let told = Told::of(case);
        told.is_of_one_mind(case.id());
        insta::with_settings!({
            omit_expression => true,
            prepend_module_to_snapshot => false,
            snapshot_path => "puzzles"
        }, {
            insta::assert_snapshot!(case.id(), told.sheet(case));
        });
    }
}

/// Everything that tells of one message.
struct Told {
    /// To the client, or to the mail server.
    reply: String,
    /// The value of our field, unfolded; of a message that was refused nobody sees it.
    results: Option<String>,
    line: Line,
    explained: Value,
    /// What `explain` prints without `--json`.
    text: String,
}

impl Told {
    fn of(case: &Case) -> Self {
        let dns = DnsServer::start(case.zones());
        let settings = case.json["settings"].as_str().unwrap_or_default();
        let settings = match settings.contains("[action]") {
            true => settings.replace("[action]\n", &format!("[action]\n{WITHOUT_RECORDS}")),
            false => format!("action.{WITHOUT_RECORDS}{settings}"),
        };
        let name = format!("puzzle-{}", case.id());
        let service = Service::start(&name, Socket::Inet, dns.addr(), &format!("{SETTINGS}{settings}"));
        let mut mta = Mta::connect(&for_mta(service.milter())).unwrap();
        let outcome = mta.deliver(&mail(case)).unwrap();
        let store = service.database().display().to_string();
        let explain = |more: &[&str]| {
            let arguments = [&["explain", QUEUE_ID, "--store", &store], more].concat();
            // On a slow disk the record comes after the answer (decision D13).
            let told = wait_for(|| Some(landmarc(&arguments)).filter(|ran| ran.code == 0));
            told.expect("what was answered is recorded")
        };
        Self {
            reply: reply(&outcome),
            results: outcome.edits.iter().find_map(results),
            line: service.message(QUEUE_ID),
            explained: explain(&["--json"]).json(),
            text: explain(&[]).stdout,
        }
    }

    #[track_caller]
    fn is_of_one_mind(&self, case: &str) {
        let (cause, remedy) = (self.line.get("cause"), self.line.get("remedy"));
        let id = self.line.get("id");
        assert!(!cause.is_empty(), "{case}");
        assert_eq!(self.explained["cause"], cause, "{case}");
        assert_eq!(self.explained["id"], id, "{case}");
        let text = one_line(&self.text);
        assert!(text.contains(&format!(" Cause: {cause}.")), "{case}: {text}");
        let remedied = remedy.is_empty() || text.contains(&format!("What to do - {remedy}"));
        assert!(remedied, "{case}: {text}");
        if self.reply != "accepted" {
            assert!(self.reply.contains(cause), "{case}: {}", self.reply);
        }
        if !self.reply.starts_with("accepted") {
            assert!(self.reply.contains(&format!("({id})")), "{case}: {}", self.reply);
        }
        let Some(results) = &self.results else {
            return;
        };
        // On the wire lines end in LF alone.
        let with_crlf = results.replace('\n', "\r\n");
        let field = AuthenticationResults::parse(with_crlf.as_bytes()).unwrap();
        let dmarc = field.results.iter().find(|info| info.is("dmarc")).unwrap();
        assert_eq!(dmarc.reason.as_deref(), Some(cause), "{case}");
        let results = one_line(results);
        assert!(results.contains(&format!("id={id}")), "{case}: {results}");
        let remedied = remedy.is_empty() || results.contains(&format!("remedy: {remedy})"));
        assert!(remedied, "{case}: {results}");
    }

    /// All of it, without what is another each time.
    fn sheet(&self, case: &Case) -> String {
        let id = self.line.get("id");
        let changing = ["at  ", "ms  "];
        let is_stable = |line: &&str| !changing.iter().any(|start| line.starts_with(start));
        let explained: Vec<&str> = self.text.lines().filter(is_stable).collect();
        let sheet = format!(
            "{}\n\nreply    {}\nlog      cause={:?}\n         remedy={:?}\nresults  {}\n\n$ landmarc explain {QUEUE_ID}\n{}",
            case.json["title"].as_str().unwrap_or_default(),
            self.reply,
            self.line.get("cause"),
            self.line.get("remedy"),
            self.results.as_deref().map_or_else(|| "-".to_owned(), one_line),
            explained.join("\n"),
        );
        sheet.replace(id, "ID0000000000")
    }
}

fn mail(case: &Case) -> Mail {
    let input = |key| case.input(key).unwrap();
    Mail {
        client: Some(input("ip").parse().unwrap()),
        client_name: "unknown".to_owned(),
        helo: input("helo").to_owned(),
        mail_from: format!("<{}>", input("mailfrom")),
        macros: vec![("i".to_owned(), QUEUE_ID.to_owned())],
        ..Mail::plain()
    }
    .with_text(&case.message().unwrap())
}

fn reply(outcome: &Outcome) -> String {
    let mark = outcome.edits.iter().find_map(|edit| match edit {
        Edit::Insert { name, value, .. } if name == b"DMARC-Quarantine" => {
            Some(String::from_utf8_lossy(value.trim_ascii()).into_owned())
        }
        _ => None,
    });
    match (&outcome.verdict, mark) {
        (Verdict::Accept | Verdict::Continue, Some(mark)) => format!("accepted, and marked: {mark}"),
        (Verdict::Accept | Verdict::Continue, None) => "accepted".to_owned(),
        (Verdict::Reply(text), _) => text.replace("%%", "%"),
        other => panic!("{other:?}"),
    }
}

fn results(edit: &Edit) -> Option<String> {
    match edit {
        Edit::Insert { name, value, .. } if name == b"Authentication-Results" => {
            Some(String::from_utf8_lossy(value).into_owned())
        }
        _ => None,
    }
}

fn one_line(text: &str) -> String {
    text.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}
