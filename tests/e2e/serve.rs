//! `landmarc serve`: how it starts, what it says when it cannot, its log, and its end.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use landmarc_testkit::dns_server::DnsServer;
use landmarc_testkit::mta::{Mail, Mta, Verdict};
use landmarc_testkit::needs::Need;
use landmarc_testkit::tools::{Folder, wait_for};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::binary::{Ran, executable, landmarc, landmarc_as_nobody};

/// A running service, whose log is read as it comes; dropping it kills it.
struct Running {
    child: Child,
    /// Where its store is.
    _state: Folder,
    log: BufReader<ChildStderr>,
    /// In the form of `smtpd_milters`.
    socket: String,
    /// The lines up to the one that names the socket.
    first_lines: Vec<String>,
}

impl Running {
    fn start(arguments: &[&str]) -> Self {
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let state = Folder::new(&format!("serve-state-{number}"));
        let mut child = Command::new(executable())
            .arg("serve")
            .args(arguments)
            .env_remove("JOURNAL_STREAM")
            .env("STATE_DIRECTORY", state.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let mut running = Self {
            child,
            _state: state,
            log,
            socket: String::new(),
            first_lines: Vec::new(),
        };
        while running.socket.is_empty() {
            let line = running.next_line();
            if let Some((_, socket)) = line.split_once("in Postfix: smtpd_milters = ") {
                running.socket = socket.trim_end_matches("\"}").to_owned();
            }
            running.first_lines.push(line);
        }
        running
    }

    /// With these settings; the socket is a free port where they name none.
    fn with_settings(folder: &Folder, settings: &str) -> Self {
        let file = folder.write("landmarc.toml", settings);
        Self::start(&["--config", &file.display().to_string()])
    }

    #[track_caller]
    fn next_line(&mut self) -> String {
        let mut line = String::new();
        self.log.read_line(&mut line).unwrap();
        assert_ne!(line, "", "it has ended; its log began {:?}", self.first_lines);
        line.trim_end().to_owned()
    }

    /// Reads on up to a line with these words.
    #[track_caller]
    fn line_with(&mut self, words: &str) -> String {
        loop {
            let line = self.next_line();
            if line.contains(words) {
                return line;
            }
        }
    }

    fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).unwrap();
        kill(Pid::from_raw(id), signal).unwrap();
    }

    /// Asks it to end, and returns the exit code and the rest of its log.
    fn stop(mut self, signal: Signal) -> (Option<i32>, String) {
        self.signal(signal);
        let mut rest = String::new();
        self.log.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap().code(), rest)
    }

    fn connect(&self) -> Mta {
        Mta::connect(&for_mta(&self.socket)).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `inet:host:port` in the form of the scripted MTA.
pub(crate) fn for_mta(socket: &str) -> String {
    let inet = socket
        .strip_prefix("inet:")
        .and_then(|rest| rest.rsplit_once(':'));
    inet.map_or_else(|| socket.to_owned(), |(host, port)| format!("inet:{port}@{host}"))
}

/// Runs a service that is not to start.
fn refused(folder: &Folder, settings: &str) -> Ran {
    let file = folder.write("refused.toml", settings);
    landmarc(["serve", "--config", &file.display().to_string()])
}

/// Without a port for monitoring, of which there is only one by default.
const ANY_PORT: &str = "milter.listen = [\"inet:127.0.0.1:0\"]\nweb.listen = []\nlog.target = \"stderr\"\n";

fn unix(path: &Path) -> String {
    format!(
        "milter.listen = [\"unix:{}\"]\nweb.listen = []\nlog.target = \"stderr\"\n",
        path.display()
    )
}

/// The only test that takes the default ports.
#[test]
fn without_a_settings_file_it_observes_and_says_so() {
    if Path::new("/etc/landmarc/landmarc.toml").exists() {
        eprintln!("SKIPPED: this machine has settings of its own");
        return;
    }
    // Another run on this machine has it for as long as this test takes.
    for port in [8894, 8895] {
        wait_for(|| TcpListener::bind(("127.0.0.1", port)).ok())
            .expect("nobody else serves the default port");
    }
    let mut service = Running::start(&[]);
    service.line_with("http port http://127.0.0.1:8895/ for /metrics, /healthz and /readyz");
    let said = service.first_lines.join("\n");
    for part in [
        "observes: mail is judged and marked; nothing is refused or held",
        "a message that fails DMARC under p=reject is delivered, marked dmarc=fail",
        "with mode = \"enforce\" it would be refused (550 5.7.1) when there is further evidence",
        "no settings file: all defaults",
        "in Postfix: smtpd_milters = inet:127.0.0.1:8894",
    ] {
        assert!(said.contains(part), "{part:?} is not in\n{said}");
    }
    assert_eq!(service.stop(Signal::SIGTERM).0, Some(0));
}

#[test]
fn a_port_in_use_is_told_with_cause_and_remedy() {
    let folder = Folder::new("serve-port");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let ran = refused(&folder, &format!("milter.listen = [\"inet:127.0.0.1:{port}\"]\n"));
    assert_eq!(ran.code, 69);
    assert_eq!(
        ran.stderr,
        format!(
            "landmarc: cannot listen on inet:127.0.0.1:{port}: another program does\n  \
             stop the program that holds it (`ss -tlnp 'sport = :{port}'`), or choose another port\n"
        )
    );
}

#[test]
fn a_directory_that_is_missing_or_not_ours_is_told_with_its_remedy() {
    let folder = Folder::new("serve-directory");
    let path = folder.path().join("missing/landmarc.sock");
    let ran = refused(&folder, &unix(&path));
    assert_eq!(ran.code, 69);
    assert_eq!(
        ran.stderr,
        format!(
            "landmarc: cannot listen on unix:{}: its directory does not exist\n  \
             create {}, owned by the user of this service\n",
            path.display(),
            path.parent().unwrap().display()
        )
    );
    let ran = denied(&folder);
    let path = folder.path().join("locked/landmarc.sock");
    assert_eq!(ran.code, 69);
    assert_eq!(
        ran.stderr,
        format!(
            "landmarc: cannot listen on unix:{}: permission denied\n  \
             let the user of this service write to {}\n",
            path.display(),
            path.parent().unwrap().display()
        )
    );
}

/// Runs it in a directory that is not to be written to.
fn denied(folder: &Folder) -> Ran {
    let locked = folder.path().join("locked");
    std::fs::create_dir(&locked).unwrap();
    std::fs::set_permissions(&locked, std::fs::Permissions::from_mode(0o555)).unwrap();
    let settings = folder.write("denied.toml", unix(&locked.join("landmarc.sock")));
    landmarc_as_nobody(folder, &["serve", "--config", &settings.display().to_string()])
}

#[test]
fn the_socket_of_a_service_that_died_is_replaced_and_that_of_a_living_one_is_not() {
    let folder = Folder::new("serve-stale");
    let path = folder.path().join("landmarc.sock");
    drop(UnixListener::bind(&path).unwrap());
    assert!(UnixStream::connect(&path).is_err(), "nobody listens any more");
    let service = Running::with_settings(&folder, &unix(&path));
    assert_eq!(
        service.connect().deliver(&Mail::plain()).unwrap().verdict,
        Verdict::Accept
    );

    let ran = refused(&folder, &unix(&path));
    assert_eq!(ran.code, 69);
    assert!(
        ran.stderr.contains("another program does\n  stop the program"),
        "{}",
        ran.stderr
    );
    assert!(
        service.connect().quit().is_ok(),
        "the first one was not disturbed"
    );

    assert_eq!(service.stop(Signal::SIGTERM).0, Some(0));
    assert!(!path.exists(), "it takes its socket with it");
}

#[test]
fn a_file_in_place_of_the_socket_stays() {
    let folder = Folder::new("serve-no-socket");
    let path = folder.write("landmarc.sock", "precious");
    let ran = refused(&folder, &unix(&path));
    assert_eq!(ran.code, 69);
    assert!(ran.stderr.contains("is no socket"), "{}", ran.stderr);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
}

#[test]
fn a_unix_socket_has_the_mode_of_the_settings() {
    let folder = Folder::new("serve-mode");
    let path = folder.path().join("landmarc.sock");
    let settings = format!("{}milter.socket_mode = \"0640\"\n", unix(&path));
    let _service = Running::with_settings(&folder, &settings);
    let metadata = std::fs::metadata(&path).unwrap();
    assert!(metadata.file_type().is_socket());
    assert_eq!(metadata.permissions().mode() & 0o7777, 0o640);
}

#[test]
fn an_unknown_user_or_group_ends_it_with_78() {
    let folder = Folder::new("serve-account");
    for (settings, complaint) in [
        (
            "server.user = \"no-such-user\"\n",
            "server.user: there is no user \"no-such-user\" on this system",
        ),
        (
            "server.group = \"no-such-group\"\n",
            "server.group: there is no group \"no-such-group\" on this system",
        ),
        (
            "milter.socket_group = \"no-such-group\"\n",
            "milter.socket_group: there is no group \"no-such-group\" on this system",
        ),
    ] {
        let ran = refused(&folder, &format!("{ANY_PORT}{settings}"));
        assert_eq!(ran.code, 78, "{}", ran.stderr);
        assert!(ran.stderr.contains(&format!(": {complaint}")), "{}", ran.stderr);
    }
}

/// Started as root, it gives root up, and its socket belongs to whom it becomes.
#[test]
fn it_becomes_the_user_of_the_settings() {
    use std::os::unix::fs::MetadataExt;

    if !nix::unistd::geteuid().is_root() {
        Need::Root.is_missing("only root becomes another user");
        return;
    }
    let folder = Folder::new("serve-user");
    let directory = folder.path().join("run");
    std::fs::create_dir(&directory).unwrap();
    let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap();
    nix::unistd::chown(&directory, Some(nobody.uid), Some(nobody.gid)).unwrap();
    let path = directory.join("landmarc.sock");
    let settings = format!("{}server.user = \"nobody\"\n", unix(&path));
    let service = Running::with_settings(&folder, &settings);
    let status = std::fs::read_to_string(format!("/proc/{}/status", service.child.id())).unwrap();
    let ids = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    // Real, effective, saved, and that for files.
    assert_eq!(ids("Uid:"), vec![nobody.uid.to_string(); 4]);
    assert_eq!(ids("Gid:"), vec![nobody.gid.to_string(); 4]);
    assert_eq!(ids("Groups:"), [nobody.gid.to_string()]);
    let metadata = std::fs::metadata(&path).unwrap();
    assert_eq!(
        (metadata.uid(), metadata.gid()),
        (nobody.uid.as_raw(), nobody.gid.as_raw())
    );
    assert_eq!(
        service.connect().deliver(&Mail::plain()).unwrap().verdict,
        Verdict::Accept
    );
    assert_eq!(service.stop(Signal::SIGTERM).0, Some(0));
    assert!(!path.exists(), "it may remove what is its own");
}

/// Two would count each other's mail into one store, and each tell of it.
#[test]
fn a_second_service_on_one_store_is_refused_and_commands_are_not() {
    let folder = Folder::new("serve-lock");
    let store = folder.path().join("store");
    let settings = format!("{ANY_PORT}store.directory = \"{}\"\n", store.display());
    let mut service = Running::with_settings(&folder, &settings);
    service.line_with("records in ");
    let ran = refused(&folder, &settings);
    assert_eq!(ran.code, 69, "{}", ran.stderr);
    let begins = ran.stderr.find("landmarc: another").unwrap_or_default();
    let why = ran.stderr[begins..].replace(&store.display().to_string(), "STORE");
    insta::assert_snapshot!(why, @"
        landmarc: another service writes to STORE
          stop it, or give this one a directory of its own (store.directory)
        ");
    let config = folder.path().join("landmarc.toml").display().to_string();
    let expired = landmarc(["store", "expire", "--config", &config]);
    assert_eq!(expired.code, 0, "{}", expired.stderr);
    assert_eq!(service.stop(Signal::SIGTERM).0, Some(0));
    // With its end it has let go.
    let again = Running::with_settings(&folder, &settings);
    assert_eq!(again.stop(Signal::SIGTERM).0, Some(0));
}

#[test]
fn signals_end_it_with_0() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let folder = Folder::new(&format!("serve-{signal}"));
        let service = Running::with_settings(&folder, ANY_PORT);
        let _idle = service.connect();
        let (code, log) = service.stop(signal);
        assert_eq!(code, Some(0), "{log}");
        assert!(log.contains("stopping: messages"), "{log}");
        assert!(log.contains("stopped finished=1 cut=0"), "{log}");
    }
}

#[test]
fn a_reload_tells_what_it_took_what_it_did_not_and_what_takes_a_restart() {
    let folder = Folder::new("serve-reload");
    let mut service = Running::with_settings(&folder, ANY_PORT);
    let reload = |service: &mut Running, settings: &str| {
        let file = folder.write("landmarc.toml", settings);
        service.signal(Signal::SIGHUP);
        let mut lines = vec![service.next_line()];
        while !lines.iter().any(|line| line.contains("reloaded")) {
            lines.push(service.next_line());
        }
        let text = lines.join("\n");
        text.replace(&file.display().to_string(), "FILE")
    };
    let said = reload(&mut service, &format!("mode = \"enforce\"\n{ANY_PORT}"));
    assert!(said.ends_with("INFO configuration reloaded from FILE"), "{said}");
    assert!(
        said.contains("INFO landmarc") && said.contains("enforces DMARC policies"),
        "{said}"
    );

    let said = reload(&mut service, "mode = \"no\"\n[dns]\nquestion_timeout = 1\n");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(
        said.contains("ERROR not reloaded") && said.ends_with(": 2 mistakes"),
        "{said}"
    );
    for begins in [":1:8: mode: \"no\" is no choice", ":3:20: dns.question_timeout"] {
        let line = service.next_line();
        assert!(line.contains("ERROR") && line.contains(begins), "{line}");
    }

    // The same is said again as long as it holds.
    for _ in 0..2 {
        let said = reload(&mut service, &format!("{ANY_PORT}log.format = \"json\"\n"));
        assert!(said.contains("WARN log.format has changed"), "{said}");
    }
    let said = reload(&mut service, ANY_PORT);
    assert_eq!(said.lines().count(), 1, "{said}");
}

/// The keys of the line of a message, whatever the message: `grep` and `jq` are enough.
pub(crate) const KEYS: [&str; 23] = [
    "queue_id",
    "client",
    "author_domain",
    "spf",
    "dkim",
    "arc",
    "dmarc",
    "policy_domain",
    "policy",
    "disposition",
    "override",
    "questions",
    "ms",
    "id",
    "action",
    "enforced_action",
    "rule",
    "evidence",
    "spared_by",
    "rfc7489",
    "cause",
    "remedy",
    "interface",
];

#[test]
fn a_json_log_is_an_object_a_line_with_the_same_keys() {
    let folder = Folder::new("serve-json");
    let dns = DnsServer::start(landmarc_testkit::txt_zones(&[(
        "_dmarc.example.com",
        "v=DMARC1; p=reject",
    )]));
    let settings = format!(
        "{ANY_PORT}log.format = \"json\"\ndns.name_servers = [\"{}\"]\n",
        dns.addr()
    );
    let mut service = Running::with_settings(&folder, &settings);
    let without_author = Mail::plain().with_text(b"Subject: x\r\n\r\n");
    for mail in [Mail::plain(), without_author] {
        service.connect().deliver(&mail).unwrap();
        let line = service.line_with("queue_id");
        let object: Value = serde_json::from_str(&line).unwrap();
        let keys: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, [&["timestamp", "level"], &KEYS[..]].concat(), "{line}");
        assert_eq!(object["queue_id"], "4Fb1");
        assert!(object["questions"].is_u64() && object["ms"].is_u64(), "{line}");
        assert!(
            !line.contains("author@"),
            "local parts stay out of the log: {line}"
        );
    }
    let (_, rest) = service.stop(Signal::SIGTERM);
    for line in rest.lines() {
        let object: Value = serde_json::from_str(line).unwrap();
        assert!(object["message"].is_string(), "{line}");
    }
}

#[test]
fn without_a_log_daemon_it_says_so_and_logs_to_standard_error() {
    let folder = Folder::new("serve-syslog");
    let mut targets = Vec::new();
    if !Path::new("/dev/log").exists() {
        targets.push(("syslog", "WARN /dev/log cannot be reached: "));
    }
    if !Path::new("/run/systemd/journal/socket").exists() {
        targets.push(("journald", "WARN journald cannot be reached: "));
    }
    if targets.is_empty() {
        eprintln!("SKIPPED: this machine has both log daemons");
    }
    for (target, complaint) in targets {
        let settings =
            format!("milter.listen = [\"inet:127.0.0.1:0\"]\nweb.listen = []\nlog.target = \"{target}\"\n");
        let service = Running::with_settings(&folder, &settings);
        let said = service.first_lines.join("\n");
        assert!(said.contains(complaint), "{said}");
        assert!(said.contains("; logging to"), "{said}");
        assert_eq!(service.stop(Signal::SIGTERM).0, Some(0));
    }
}

/// M3 of what filters of this kind do: a macro that the MTA does not send is told of once.
#[test]
fn a_missing_macro_is_told_once() {
    let folder = Folder::new("serve-macro");
    let service = Running::with_settings(
        &folder,
        &format!("{ANY_PORT}clients.trusted_networks = [\"192.0.2.0/24\"]\n"),
    );
    let mut nameless = Mail::plain();
    nameless.macros.retain(|(name, _)| name != "i");
    for _ in 0..3 {
        service.connect().deliver(&nameless).unwrap();
    }
    let (_, log) = service.stop(Signal::SIGTERM);
    assert_eq!(log.matches("symbol 'i' not available").count(), 1, "{log}");
    assert_eq!(log.matches("queue_id=unknown").count(), 3, "{log}");
}

#[test]
fn malformed_packets_end_their_session_only() {
    let folder = Folder::new("serve-malformed");
    let mut service = Running::with_settings(&folder, &format!("{ANY_PORT}log.level = \"debug\"\n"));
    let mut bystander = service.connect();
    assert!(bystander.tell_up_to_body_of_plain().is_none());
    for octets in [
        // No packet has no octet, nor four thousand million.
        &b"\0\0\0\0"[..],
        b"\xff\xff\xff\xffO",
        b"GET / HTTP/1.0\r\n\r\n",
        // A command that nobody knows; a body before any message; a header without NUL.
        b"\0\0\0\x01Z",
        b"\0\0\0\x02Bx",
        b"\0\0\0\x02Lx",
    ] {
        let mut attacker = service.connect();
        attacker.wire.send_raw(octets).unwrap();
        assert!(attacker.wire.is_closed(), "{}", octets.escape_ascii());
        let line = service.line_with("the session ended early");
        assert!(line.contains("DEBUG"), "{line}");
    }
    let verdict = bystander.finish(&Mail::plain()).unwrap().verdict;
    assert_eq!(verdict, Verdict::Accept);
    assert_eq!(service.stop(Signal::SIGTERM).0, Some(0));
}

#[test]
fn sessions_that_end_early_are_one_warning_a_minute() {
    let folder = Folder::new("serve-early-ends");
    let service = Running::with_settings(&folder, ANY_PORT);
    for _ in 0..20 {
        let mut silent = service.connect();
        silent.wire.send_raw(b"\0\0\0\x01Z").unwrap();
        assert!(silent.wire.is_closed());
        let mut begun = service.connect();
        assert!(begun.tell_up_to_body_of_plain().is_none());
        begun.wire.send_raw(b"\0\0\0\x01Z").unwrap();
        assert!(begun.wire.is_closed());
    }
    let (_, log) = service.stop(Signal::SIGTERM);
    assert_eq!(log.matches("the session ended early").count(), 1, "{log}");
    assert!(log.contains("sessions=1"), "{log}");
}

/// The start of a message, to be finished later.
trait Begin {
    fn tell_up_to_body_of_plain(&mut self) -> Option<landmarc_testkit::mta::Outcome>;
}

impl Begin for Mta {
    fn tell_up_to_body_of_plain(&mut self) -> Option<landmarc_testkit::mta::Outcome> {
        let mail = Mail::plain();
        let early = self.greet(&mail).unwrap();
        early.or_else(|| self.tell_up_to_body(&mail).unwrap())
    }
}
