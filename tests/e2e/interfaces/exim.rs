//! The real Exim of Debian, without any DMARC of its own, asking us by the files of `contrib/exim` (E1–E14).

mod bodies;
mod crowds;
mod foreign;
mod marks;
mod statements;
mod trouble;

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;

use landmarc_e2e::{Delivered, HOST_NAME, Outcome, PASSWORD, Sink, Smtp, USER};
use landmarc_testkit::dns_server::DnsServer;
use landmarc_testkit::tools::wait_for;
use landmarc_testkit::tools::{Daemon, Folder, free_port, output_of, package};

use super::apart::Apart;
use super::corpus::{self, STRANGER};
use super::mta;
use crate::service::{Line, Service, Socket};
use crate::world::letter;

/// The number of the account that Exim runs as: that of `mail`.
const ACCOUNT: u32 = 8;
/// Statement 2 defers, as it did in Exim's documentation, and no client waits, so that no test does.
const DEFERRING: &str = "LANDMARC_QUARANTINE = defer\nLANDMARC_DELAY_TEMPERROR = 0s\n\
     LANDMARC_DELAY_QUARANTINE = 0s\nLANDMARC_DELAY_UNCLAIMED = 0s\n";

/// By which way Exim asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// `${readsocket}`, over a unix socket.
    Unix,
    /// The same over TCP.
    Inet,
    /// Exim's own client for rspamd.
    Spamd,
}

impl Way {
    const ALL: [Self; 3] = [Self::Unix, Self::Inet, Self::Spamd];
}

/// What a scene is made of.
struct Stage<'a> {
    way: Way,
    /// Lines of our settings.
    settings: &'a str,
    /// Lines of the main section of Exim's configuration.
    main: &'a str,
    /// Statements before ours in the ACL of DATA.
    acl: &'a str,
    /// What we are told of where the spool is; the truth by default.
    spool: Option<&'a str>,
    /// What messages are tracked with.
    secret: Option<&'a str>,
}

impl Default for Stage<'_> {
    fn default() -> Self {
        Self {
            way: Way::Unix,
            settings: "",
            main: "",
            acl: "",
            spool: None,
            secret: Some("of-this-test"),
        }
    }
}

/// Exim, the service, and the DNS server it asks.
struct Scene {
    exim: Exim,
    service: Service,
    _dns: DnsServer,
}

impl Scene {
    fn start(name: &str, stage: &Stage<'_>) -> Option<Self> {
        let tools = package("exim")?;
        let dns = DnsServer::start(corpus::zones());
        let folder = Folder::new(name);
        let port = free_port();
        let (socket, told) = match stage.way {
            Way::Unix => {
                let path = folder.join("exim.sock");
                (format!("unix:{}", path.display()), path.display().to_string())
            }
            Way::Inet => (format!("inet:127.0.0.1:{port}"), format!("inet:127.0.0.1:{port}")),
            Way::Spamd => (format!("inet:127.0.0.1:{port}"), format!("127.0.0.1 {port}")),
        };
        let (table, macros) = match stage.way {
            Way::Unix | Way::Inet => (
                format!("exim.listen = [\"{socket}\"]\nexim.socket_mode = \"0666\"\n"),
                format!("LANDMARC_SOCKET = {told}\n"),
            ),
            Way::Spamd => (
                format!("check_api.listen = [\"{socket}\"]\n"),
                format!("LANDMARC_SPAMD = {told}\n"),
            ),
        };
        let spool = match stage.spool {
            Some(told) => told.to_owned(),
            None => folder.join("spool").display().to_string(),
        };
        let settings = format!(
            "{}{table}exim.spool_directory = \"{spool}\"\n{}",
            corpus::SETTINGS,
            stage.settings
        );
        let service = Service::start(name, Socket::Inet, dns.addr(), &settings);
        let secret = stage.secret.map(|secret| format!("LANDMARC_SECRET = {secret}\n"));
        let secret = secret.unwrap_or_default();
        let main = format!("{DEFERRING}{secret}{macros}{}", stage.main);
        let exim = Exim::start(&tools, folder, &main, stage.acl);
        Some(Self {
            exim,
            service,
            _dns: dns,
        })
    }

    fn client(&self, client: Ipv4Addr) -> Smtp {
        mta::connect(client, self.exim.address)
    }

    /// From this address, by this client, in a connection of its own.
    fn send(&self, client: Ipv4Addr, mail_from: &str, message: &[u8]) -> Outcome {
        mta::send(&mut self.client(client), mail_from, message)
    }

    /// In the name of this address, from a client that its domain forbids, and not signed.
    fn spoof(&self, author: &str) -> Outcome {
        self.send(STRANGER, author, &letter(author))
    }

    /// What the recipient got, and the line of our log.
    #[track_caller]
    fn delivered(&self, outcome: &Outcome) -> (Delivered, Line) {
        let id = queue_id(outcome);
        (self.exim.delivered(&id), self.service.message(&id))
    }
}

/// The id in `OK id=1pDJ4z-0007Kd-2B`.
#[track_caller]
fn queue_id(outcome: &Outcome) -> String {
    let reply = outcome.last();
    let text = reply.text();
    let id = text.strip_prefix("OK id=").filter(|_| reply.code == 250);
    id.unwrap_or_else(|| panic!("not taken: {reply:?}")).to_owned()
}

/// The reply, digits and lines.
fn said(outcome: &Outcome) -> (u16, Vec<String>) {
    let reply = outcome.last();
    let lines = reply.lines.iter().map(|line| line.trim().to_owned());
    (reply.code, lines.collect())
}

/// A running Exim; it ends with the test.
struct Exim {
    address: SocketAddr,
    sink: Sink,
    folder: Folder,
    _daemon: Daemon,
}

impl Exim {
    fn start(tools: &Path, folder: Folder, main: &str, acl: &str) -> Self {
        let (sink, port) = (Sink::start().unwrap(), free_port());
        for name in ["spool", "log"] {
            let path = folder.join(name);
            fs::create_dir(&path).unwrap();
            chown(&path, Some(ACCOUNT), Some(ACCOUNT)).unwrap();
        }
        folder.write("exim.conf", configuration(tools, &folder, port, &sink, main, acl));
        let mut command = program(tools, &folder);
        let daemon = Daemon::start(command.arg("-bdf"), folder.join("output")).listens_on(port);
        Self {
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            sink,
            folder,
            _daemon: daemon,
        }
    }

    /// What the recipient got.
    #[track_caller]
    fn delivered(&self, id: &str) -> Delivered {
        let is_it = |one: &Delivered| one.values("Received").iter().any(|value| value.contains(id));
        wait_for(|| self.sink.delivered().into_iter().find(is_it))
            .unwrap_or_else(|| panic!("{id} was not delivered:\n{}", self.log()))
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log/mainlog")).unwrap_or_default()
    }

    /// Waits for a line of its log with these words.
    #[track_caller]
    fn wait_for_log(&self, words: &str) -> String {
        let find = || {
            self.log()
                .lines()
                .find(|line| line.contains(words))
                .map(ToOwned::to_owned)
        };
        wait_for(find).unwrap_or_else(|| panic!("no {words:?} in:\n{}", self.log()))
    }
}

/// Exim with the configuration of this folder. Debian's does not even tell its version where there is no account
/// for it; so it sees one.
fn program(tools: &Path, folder: &Folder) -> Command {
    let account = |name: &str| format!("{name}:x:{ACCOUNT}:{ACCOUNT}::/nonexistent:/usr/sbin/nologin\n");
    let users = format!(
        "root:x:0:0:root:/root:/bin/sh\n{}{}",
        account("mail"),
        account("Debian-exim")
    );
    let groups = format!("root:x:0:\nadm:x:4:\nmail:x:{ACCOUNT}:\nDebian-exim:x:{ACCOUNT}:\n");
    let mut command = Apart::new(folder)
        .file("/etc/passwd", &users)
        .file("/etc/group", &groups)
        .command(tools.join("usr/sbin/exim4"));
    command.arg("-C").arg(folder.join("exim.conf"));
    command
}

/// A host that takes mail for everybody, as docs/exim.md sets it up, and hands all of it to the sink.
fn configuration(tools: &Path, folder: &Folder, port: u16, sink: &Sink, main: &str, acl: &str) -> String {
    let (home, next_hop) = (folder.path().display(), sink.address().port());
    let (tools, ours) = (tools.display(), contrib());
    let ours = ours.display();
    format!(
        "exim_path = {tools}/usr/sbin/exim4
primary_hostname = {HOST_NAME}
spool_directory = {home}/spool
log_file_path = {home}/log/%slog
pid_file_path = {home}/exim.pid
daemon_smtp_ports = {port}
local_interfaces = 127.0.0.1
host_lookup =
helo_allow_chars = _
tls_advertise_hosts =
rfc1413_query_timeout = 0s
keep_environment =
deliver_drop_privilege = true
acl_smtp_rcpt = acl_check_rcpt
acl_smtp_data = acl_check_data
{main}
.include {ours}/landmarc-macros.conf

begin acl

acl_check_rcpt:
  accept

acl_check_data:
{acl}
.include {ours}/landmarc-acl.conf
  accept

begin routers

all:
  driver = manualroute
  route_list = * 127.0.0.1 byname
  self = send
  transport = sink

begin transports

sink:
  driver = smtp
  port = {next_hop}
  allow_localhost

begin authenticators

plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and{{{{eq{{$auth2}}{{{USER}}}}}{{eq{{$auth3}}{{{PASSWORD}}}}}}}}}
  server_set_id = $auth2
  server_advertise_condition = *
"
    )
}

/// The files that sites take over.
fn contrib() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contrib/exim")
}

/// E1: what the seed looks for is not in Debian's Exim; what we need of it is.
#[test]
fn e1_debians_exim_has_no_dmarc_of_its_own() {
    let Some(tools) = package("exim") else {
        return;
    };
    let folder = Folder::new("exim-version");
    folder.write("exim.conf", "");
    let told = output_of(program(&tools, &folder).arg("-bV"));
    let support = told
        .lines()
        .find(|line| line.starts_with("Support for:"))
        .unwrap();
    let words: Vec<_> = support.split_whitespace().collect();
    assert!(!words.contains(&"DMARC"), "{support}");
    for word in ["DKIM", "SPF", "Content_Scanning"] {
        assert!(words.contains(&word), "{support}");
    }
}
