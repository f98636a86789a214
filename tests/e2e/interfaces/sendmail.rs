//! The real Sendmail, with us as its milter (O12, M3, M4).

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use landmarc_e2e::{Delivered, HOST_NAME, Outcome, Sink};
use landmarc_testkit::dns_server::DnsServer;
use landmarc_testkit::tools::wait_for;
use landmarc_testkit::tools::{Daemon, Folder, free_port, output_of, package, with_libraries};

use super::apart::Apart;
use super::corpus::{self, ALLOWED, HOLDING, HoldingInterface, STRANGER, SmtpInterface, judged_alike};
use super::mta::{self, accepted_id};
use crate::service::{Line, Service, Socket};
use crate::world::{letter, signed_letter, unfolded};

/// As docs/sendmail.md has it: mail is deferred while the filter is away, and the filter has the time it needs.
const FILTER: &str = "F=T, T=C:30s;S:30s;R:30s;E:5m";
/// Where Sendmail sees the folder of the service. It wants no socket below a folder that everybody may write
/// to, such as the one for temporary files.
const SOCKETS: &str = "/mnt";

/// Sendmail, the service, and the DNS server it asks.
struct Scene {
    sendmail: Sendmail,
    service: Service,
    dns: DnsServer,
}

impl Scene {
    fn start(name: &str, socket: Socket, settings: &str, options: &str) -> Option<Self> {
        let tools = package("sendmail")?;
        let dns = DnsServer::start(corpus::zones());
        let settings = format!("{}{settings}", corpus::SETTINGS);
        let service = Service::start(name, socket, dns.addr(), &settings);
        let sockets = service.settings_file().parent().unwrap().to_owned();
        let sendmail = Sendmail::start(&tools, &sockets, &filter(&service, options));
        Some(Self {
            sendmail,
            service,
            dns,
        })
    }

    fn send(&self, case: &Mail<'_>) -> Outcome {
        let mut smtp = mta::connect(case.client, self.sendmail.address);
        mta::send(&mut smtp, case.mail_from, &case.message)
    }

    /// What the recipient got, and the line of our log.
    #[track_caller]
    fn delivered(&self, outcome: &Outcome) -> (Delivered, Line) {
        mta::delivered(&self.sendmail.sink, &self.service, &accepted_id(outcome))
    }
}

/// The line of `sendmail.mc` that asks the service.
fn filter(service: &Service, options: &str) -> String {
    let socket = match service.milter().strip_prefix("unix:") {
        Some(path) => format!(
            "local:{SOCKETS}/{}",
            Path::new(path).file_name().unwrap().display()
        ),
        None => {
            let (host, port) = service
                .milter()
                .trim_start_matches("inet:")
                .rsplit_once(':')
                .unwrap();
            format!("inet:{port}@{host}")
        }
    };
    format!("INPUT_MAIL_FILTER(`landmarc', `S={socket}, {options}')dnl\n")
}

/// A message and where it comes from.
struct Mail<'a> {
    client: std::net::Ipv4Addr,
    mail_from: &'a str,
    message: Vec<u8>,
}

impl<'a> Mail<'a> {
    /// In the name of this address, from a client that its domain forbids, and not signed.
    fn spoof(author: &'a str) -> Self {
        Self {
            client: STRANGER,
            mail_from: author,
            message: letter(author),
        }
    }
}

/// A running Sendmail; it ends with the test.
struct Sendmail {
    sink: Sink,
    address: SocketAddr,
    folder: Folder,
    program: PathBuf,
    _daemon: Daemon,
}

impl Sendmail {
    fn start(tools: &Path, sockets: &Path, filter: &str) -> Self {
        let (sink, folder, port) = (Sink::start().unwrap(), Folder::new("sendmail"), free_port());
        fs::create_dir(folder.join("queue")).unwrap();
        folder.write("service.switch", "hosts files\naliases files\n");
        folder.write("sendmail.mc", settings(tools, &folder, port, &sink, filter));
        folder.write("sendmail.cf", compiled(tools, &folder));
        let apart = Apart::new(&folder).shows(SOCKETS, sockets);
        let program = tools.join("usr/libexec/sendmail/sendmail");
        let mut command = with(apart.command(&program), &folder);
        let daemon = Daemon::start(command.arg("-bD"), folder.join("log")).listens_on(port);
        Self {
            sink,
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            folder,
            program,
            _daemon: daemon,
        }
    }

    /// Runs it once more, as an operator does, on the same queue.
    fn run(&self, options: &[&str]) -> String {
        let command = Apart::new(&self.folder).command(&self.program);
        output_of(with(command, &self.folder).args(options))
    }

    /// The names of files in its queue that start so: `hf` are the ones it keeps back.
    fn queued(&self, kind: &str) -> Vec<String> {
        let files = fs::read_dir(self.folder.join("queue")).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with(kind)).collect()
    }

    /// Whether the message with this id is held; else it was delivered. It is one or the other a moment after its
    /// sender is answered.
    #[track_caller]
    fn holds(&self, id: &str) -> bool {
        let name = format!("hf{id}");
        let is_it = |one: &Delivered| one.values("Received").iter().any(|value| value.contains(id));
        let known = wait_for(|| match self.queued(&name).is_empty() {
            false => Some(true),
            true => self.sink.delivered().iter().any(is_it).then_some(false),
        });
        known.unwrap_or_else(|| panic!("{id} is neither held nor delivered"))
    }
}

/// The command with the settings of this folder.
fn with(mut command: Command, folder: &Folder) -> Command {
    command.arg("-C").arg(folder.join("sendmail.cf"));
    command
}

/// A border host that takes mail for everybody and hands all of it to the sink.
fn settings(tools: &Path, folder: &Folder, port: u16, sink: &Sink, filter: &str) -> String {
    let (cf, home) = (tools.join("usr/share/sendmail/cf"), folder.path().display());
    let (cf, next_hop) = (cf.display(), sink.address().port());
    format!(
        "define(`_CF_DIR_', `{cf}/')dnl
include(`{cf}/m4/cf.m4')dnl
OSTYPE(`linux')dnl
define(`confDOMAIN_NAME', `{HOST_NAME}')dnl
define(`confPID_FILE', `{home}/pid')dnl
define(`QUEUE_DIR', `{home}/queue')dnl
define(`STATUS_FILE', `{home}/statistics')dnl
define(`HELP_FILE', `')dnl
undefine(`ALIAS_FILE')dnl
define(`confSERVICE_SWITCH_FILE', `{home}/service.switch')dnl
define(`confTO_IDENT', `0')dnl
define(`confDEF_USER_ID', `8:8')dnl
define(`confTRUSTED_USER', `root')dnl
define(`confEIGHT_BIT_HANDLING', `pass8')dnl
define(`confDONT_BLAME_SENDMAIL', `GroupWritableDirPathSafe')dnl
define(`SMART_HOST', `esmtp:[127.0.0.1]')dnl
define(`ESMTP_MAILER_ARGS', `TCP $h {next_hop}')dnl
FEATURE(`promiscuous_relay')dnl
FEATURE(`accept_unresolvable_domains')dnl
FEATURE(`nocanonify')dnl
FEATURE(`no_default_msa')dnl
DAEMON_OPTIONS(`Name=MTA, Family=inet, Addr=127.0.0.1, Port={port}')dnl
{filter}MAILER(`local')dnl
MAILER(`smtp')dnl
"
    )
}

/// What m4 makes of it. The package of m4 is unpacked beside Sendmail's, where the machine has none.
fn compiled(tools: &Path, folder: &Folder) -> String {
    let unpacked = tools.join("usr/bin/m4");
    let mut command = match unpacked.is_file() {
        true => with_libraries(unpacked, &[tools.join("usr/lib/x86_64-linux-gnu")]),
        false => Command::new("m4"),
    };
    output_of(command.arg(folder.join("sendmail.mc")))
}

/// M3, M4: the macros that Sendmail sends by itself are enough.
#[test]
fn sendmail_hears_every_verdict_over_both_kinds_of_socket() {
    for (name, socket) in [("sendmail-inet", Socket::Inet), ("sendmail-unix", Socket::Unix)] {
        let Some(scene) = Scene::start(name, socket, "", FILTER) else {
            return;
        };
        let signed = scene.send(&Mail {
            message: signed_letter("reject.example"),
            ..Mail::spoof("a@reject.example")
        });
        let (delivered, line) = scene.delivered(&signed);
        line.says("client=127.0.0.66 spf=fail dkim=pass dmarc=pass action=accept");
        assert!(delivered.message.ends_with(b"\r\n\r\nhello\r\n.a dot\r\n"));
        let results = delivered.values("Authentication-Results");
        assert_eq!(results.len(), 1, "{results:?}");
        let results = unfolded(&results[0]);
        assert!(
            results.starts_with("mx.corpus.test;") && results.contains("dmarc=pass (p=reject"),
            "{results}"
        );

        let by_client = scene.send(&Mail {
            client: ALLOWED,
            ..Mail::spoof("a@reject.example")
        });
        let (_, line) = scene.delivered(&by_client);
        line.says("client=127.0.0.2 spf=pass dmarc=pass action=accept");

        let refused = scene.send(&Mail::spoof("ceo@reject.example"));
        let (code, text) = (refused.last().code, refused.last().text());
        assert_eq!(code, 550, "{text}");
        assert!(text.starts_with("5.7.1 "), "{text}");
        let line = &scene.service.messages(3)[2];
        line.says("spf=fail dmarc=fail policy=reject action=reject");
        for words in ["DMARC", "reject.example", line.get("id"), line.get("cause")] {
            assert!(text.contains(words), "{words:?} is not in {text:?}");
        }
        assert!(
            !scene
                .service
                .log()
                .iter()
                .any(|line| line.contains("not available"))
        );
        assert_eq!(scene.sendmail.sink.delivered().len(), 2);
    }
}

/// P37: Sendmail keeps the reason beside the message and shows it in `mailq -qQ`, until somebody releases it.
#[test]
fn sendmail_holds_what_is_quarantined() {
    let Some(scene) = Scene::start(
        "sendmail-hold",
        Socket::Inet,
        "action.quarantine = \"hold\"\n",
        "F=T",
    ) else {
        return;
    };
    let outcome = scene.send(&Mail::spoof("a@quarantine.example"));
    let id = accepted_id(&outcome);
    scene.service.message(&id).says("dmarc=fail action=quarantine");
    let held = wait_for(|| scene.sendmail.queued("hf").pop()).expect("it is held");
    assert_eq!(held, format!("hf{id}"));
    let listed = scene.sendmail.run(&["-bp", "-qQ"]);
    assert!(
        listed.contains(&id) && listed.contains("quarantined by DMARC policy for quarantine.example"),
        "{listed}"
    );
    assert!(scene.sendmail.sink.delivered().is_empty());
    scene.sendmail.run(&["-qQ", "-Q", &format!("-qI{id}")]);
    scene.sendmail.run(&[&format!("-qI{id}")]);
    let (delivered, _) = scene.delivered(&outcome);
    let results = unfolded(&delivered.values("Authentication-Results")[0]);
    assert!(
        results.contains("dmarc=fail") && results.contains("dis=quarantine"),
        "{results}"
    );
}

/// A7: fields are removed by their number, those of others stay, and ours is above them.
#[test]
fn sendmail_removes_forged_results_by_number() {
    let Some(scene) = Scene::start("sendmail-forged", Socket::Inet, "", "F=T") else {
        return;
    };
    let forged = [
        "mx.other.example; dkim=pass header.d=first.example",
        "mx.corpus.test; dmarc=pass header.from=forged.example",
        "mx.other.example; dkim=pass header.d=second.example",
        "mx.corpus.test (so says a stranger) ; spf=pass smtp.mailfrom=forged.example",
        "mx.other.example; dkim=pass header.d=third.example",
    ];
    let forged: String = forged
        .iter()
        .map(|value| format!("Authentication-Results: {value}\r\n"))
        .collect();
    let outcome = scene.send(&Mail {
        message: [forged.as_bytes(), &letter("a@none.example")].concat(),
        ..Mail::spoof("a@none.example")
    });
    let (delivered, _) = scene.delivered(&outcome);
    let results = delivered.values("Authentication-Results");
    let results: Vec<String> = results.iter().map(|value| unfolded(value)).collect();
    let owner = |value: &String| value.split(';').next().unwrap().to_owned();
    let owners: Vec<String> = results.iter().map(owner).collect();
    let other = "mx.other.example";
    assert_eq!(owners, ["mx.corpus.test", other, other, other], "{results:?}");
    assert!(results[0].contains("dmarc=fail"), "{results:?}");
    for (result, domain) in results[1..].iter().zip(["first", "second", "third"]) {
        assert!(result.contains(domain), "{results:?}");
    }
}

/// O12: Sendmail waits ten seconds for each answer of a filter and five minutes for the last one. While DNS is
/// slow it hears every five seconds that we are at it, which counts as an answer.
#[test]
fn o12_sendmail_does_not_give_up_while_dns_is_slow() {
    let Some(scene) = Scene::start("sendmail-slow", Socket::Inet, "", "F=T, T=S:6s;R:6s;E:1m") else {
        return;
    };
    scene.dns.set_delay(Duration::from_millis(3_500));
    let outcome = scene.send(&Mail::spoof("a@ghost.existing.example"));
    assert_eq!(outcome.last().code, 550, "{:?}", outcome.last());
    let line = &scene.service.messages(1)[0];
    line.says("dmarc=fail action=reject");
    // Else it was not put to the test.
    assert!(line.milliseconds() > 6_000, "{line:?}");
}

/// `F=T` defers mail while we are away; without it mail passes, unjudged.
#[test]
fn sendmail_does_without_us_as_it_was_told() {
    for (options, code) in [("F=T", 451), ("F=", 250)] {
        let name = format!("sendmail-restart-{code}");
        let Some(mut scene) = Scene::start(&name, Socket::Unix, "", options) else {
            return;
        };
        assert_eq!(scene.send(&Mail::spoof("a@reject.example")).last().code, 550);
        scene.service.terminate();
        scene.service.wait_for_end();
        let unjudged = scene.send(&Mail::spoof("a@reject.example"));
        assert_eq!(unjudged.last().code, code, "{options}: {:?}", unjudged.last());
        scene.service.start_again();
        assert_eq!(scene.send(&Mail::spoof("a@reject.example")).last().code, 550);
        assert_eq!(scene.service.messages(2).len(), 2);
    }
}

#[test]
fn corpus_is_judged_alike_by_sendmail() {
    let Some(scene) = Scene::start("corpus-sendmail", Socket::Inet, HOLDING, "F=T") else {
        return;
    };
    judged_alike(&mut HoldingInterface {
        smtp: SmtpInterface {
            service: &scene.service,
            address: scene.sendmail.address,
        },
        is_held: |outcome: &Outcome| scene.sendmail.holds(&accepted_id(outcome)),
    });
}
