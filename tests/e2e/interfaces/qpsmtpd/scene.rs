//! qpsmtpd-forkserver with the plugin, the service it asks, and the maildir behind it.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use landmarc_e2e::{Outcome, Smtp};
use landmarc_store::{LogFilter, Reader};
use landmarc_testkit::dns_server::DnsServer;
use landmarc_testkit::tools::wait_for;
use landmarc_testkit::tools::{Daemon, Folder, free_port, package};

use crate::interfaces::{corpus, mta};
use crate::service::{Service, Socket};
use crate::world::{Signer, letter};

/// The plugin as it is shipped.
const PLUGIN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../contrib/qpsmtpd/dmarc");
/// A client that may relay.
pub(super) const RELAY: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);
/// A client that another plugin lets by.
pub(super) const WHITELISTED: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 8);
/// Who qpsmtpd runs as.
const USER: (&str, u32) = ("nobody", 65_534);

/// Stands in for the plugins that find hosts to be trusted, and for those that read what others noted.
const OTHER_PLUGIN: &str = "\
sub hook_connect {
    my ($self) = @_;
    my $connection = $self->qp->connection;
    $connection->notes('whitelisthost', 'yes') if $connection->remote_ip eq '127.0.0.8';
    return DECLINED;
}
sub hook_queue_pre {
    my ($self) = @_;
    my $notes = $self->qp->connection->notes('authentication_results');
    $self->log(LOGINFO, 'notes: ' . (defined $notes ? $notes : ''));
    return DECLINED;
}
";

/// How the scene is set.
#[derive(Default)]
pub(super) struct Arguments {
    /// Of the plugin, beside `server`, which stands before them.
    pub(super) plugin: String,
    /// Lines of the service's settings.
    pub(super) settings: &'static str,
    /// The secret of the service, and that of the plugin; they speak by TCP then.
    pub(super) secret: Option<(&'static str, &'static str)>,
}

impl Arguments {
    pub(super) fn of(plugin: &str) -> Self {
        Self {
            plugin: plugin.to_owned(),
            ..Self::default()
        }
    }
}

pub(super) struct Scene {
    pub(super) service: Service,
    pub(super) address: SocketAddr,
    daemon: Daemon,
    folder: Folder,
    _dns: DnsServer,
}

impl Scene {
    pub(super) fn start(name: &str, arguments: &Arguments) -> Option<Self> {
        let tools = package("qpsmtpd")?;
        let folder = Folder::new(&format!("qpsmtpd-{name}"));
        let dns = DnsServer::start(corpus::zones());
        let (listen, server) = match arguments.secret {
            None => {
                let socket = format!("unix:{}", folder.join("check.sock").display());
                (socket.clone(), socket)
            }
            Some((ours, theirs)) => {
                folder.write("ours", format!("{ours}\n"));
                let file = folder.write("theirs", format!("{theirs}\n"));
                let address = format!("127.0.0.1:{}", free_port());
                (
                    format!("inet:{address}"),
                    format!("{address} secret_file {}", file.display()),
                )
            }
        };
        let secret = match arguments.secret {
            Some(_) => format!("check_api.secret_file = {:?}\n", folder.join("ours")),
            None => String::new(),
        };
        let settings = format!(
            "{}check_api.listen = [\"{listen}\"]\ncheck_api.socket_mode = \"0666\"\n{secret}{}",
            corpus::SETTINGS,
            arguments.settings
        );
        let service = Service::start(&format!("qpsmtpd-{name}"), Socket::Inet, dns.addr(), &settings);
        let port = free_port();
        let line = format!("dmarc server {server} {}", arguments.plugin);
        let mut command = prepare(&tools, &folder, port, &line);
        let daemon = Daemon::start(&mut command, folder.join("log")).listens_on(port);
        Some(Self {
            service,
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            daemon,
            folder,
            _dns: dns,
        })
    }

    /// A client at this address, which has said EHLO.
    pub(super) fn connect(&self, client: Ipv4Addr) -> Smtp {
        mta::connect(client, self.address)
    }

    /// Sends one message from this client.
    pub(super) fn send(&self, client: Ipv4Addr, mail_from: &str, message: &[u8]) -> Outcome {
        mta::send(&mut self.connect(client), mail_from, message)
    }

    pub(super) fn qpsmtpd_log(&self) -> String {
        self.daemon.log()
    }

    /// Waits until qpsmtpd has logged this.
    #[track_caller]
    pub(super) fn says(&self, words: &str) {
        self.says_times(words, 1);
    }

    /// Waits until it has logged this so often.
    #[track_caller]
    pub(super) fn says_times(&self, words: &str, times: usize) {
        let said = wait_for(|| (self.daemon.log().matches(words).count() >= times).then_some(()));
        assert!(
            said.is_some(),
            "it does not say {words:?} {times} times:\n{}",
            self.daemon.log()
        );
    }

    /// Waits for so many messages to be delivered, and gives them.
    #[track_caller]
    pub(super) fn delivered(&self, count: usize) -> Vec<Delivered> {
        let all = wait_for(|| Some(self.maildir()).filter(|all| all.len() >= count));
        all.unwrap_or_else(|| panic!("not {count} messages:\n{}", self.daemon.log()))
    }

    /// How many were delivered so far.
    pub(super) fn deliveries(&self) -> usize {
        self.maildir().len()
    }

    /// How many that bear the mark of a quarantine were delivered so far.
    pub(super) fn marked(&self) -> usize {
        let is_marked = |one: &Delivered| !one.field("DMARC-Quarantine").is_empty();
        self.maildir().iter().filter(|one| is_marked(one)).count()
    }

    fn maildir(&self) -> Vec<Delivered> {
        let files = fs::read_dir(self.folder.join("Maildir/new"));
        let files = files.into_iter().flatten().map(|file| file.unwrap().path());
        let read = |path: PathBuf| Delivered {
            text: fs::read_to_string(path).unwrap(),
        };
        files.map(read).collect()
    }

    /// The DMARC Policy Domains with something to report, once a message is written down.
    pub(super) fn domains_to_report(&self) -> Vec<String> {
        let database = self.service.database();
        let recorded = wait_for(|| {
            let reader = Reader::open(&database).ok()?;
            let is_recorded = !reader.log(&LogFilter::default()).ok()?.is_empty();
            is_recorded.then_some(reader)
        });
        let reader = recorded.expect("the message is written down");
        let days = reader.reporting_days().unwrap().into_iter();
        days.flat_map(|day| reader.policy_domains(day).unwrap()).collect()
    }
}

/// A message as the maildir has it.
pub(super) struct Delivered {
    pub(super) text: String,
}

impl Delivered {
    /// The values of all fields of this name, from the top, unfolded.
    pub(super) fn field(&self, name: &str) -> Vec<String> {
        let header = self
            .text
            .split_once("\n\n")
            .map_or(&*self.text, |(header, _)| header);
        let unfolded = header.replace("\n\t", " ").replace("\n ", " ");
        let fields = unfolded.lines().filter_map(|line| line.split_once(':'));
        let named = fields.filter(|(found, _)| found.eq_ignore_ascii_case(name));
        named
            .map(|(_, value)| value.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect()
    }
}

/// In the name of this domain, without a signature.
pub(super) fn forged(domain: &str) -> Vec<u8> {
    letter(&format!("a@{domain}"))
}

/// Signed by its author's domain.
pub(super) fn signed(domain: &str) -> Vec<u8> {
    Signer::relaxed(domain).sign(&forged(domain))
}

/// Its configuration, below the folder of the test.
fn prepare(tools: &Path, folder: &Folder, port: u16, plugin: &str) -> Command {
    let maildir = folder.join("Maildir");
    let plugins = format!(
        "relay\nother\nrcpt_ok\n{plugin}\nqueue/maildir {}\n",
        maildir.display()
    );
    let theirs = tools.join("usr/share/qpsmtpd/plugins");
    let directories = format!("{}\n{}\n", folder.join("plugins").display(), theirs.display());
    for (name, text) in [
        ("me", "mx.here.example\n".to_owned()),
        ("loglevel", "6\n".to_owned()),
        ("logging", String::new()),
        ("rcpthosts", "here.example\n".to_owned()),
        ("relayclients", format!("{RELAY}\n")),
        ("plugins", plugins),
        ("plugin_dirs", directories),
        ("spool_dir", format!("{}\n", folder.join("spool").display())),
    ] {
        folder.write(Path::new("config").join(name), text);
    }
    folder.write("plugins/dmarc", fs::read(PLUGIN).unwrap());
    folder.write("plugins/other", OTHER_PLUGIN);
    for name in ["spool", "Maildir"] {
        let directory = folder.join(name);
        fs::create_dir(&directory).unwrap();
        chown(&directory, Some(USER.1), Some(USER.1)).unwrap();
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).unwrap();
    }
    let mut command = Command::new("perl");
    command
        .arg("-Tw")
        .arg(format!("-I{}", tools.join("usr/share/perl5").display()))
        .arg(tools.join("usr/bin/qpsmtpd-forkserver"))
        .args([
            "-l",
            "127.0.0.1",
            "-H",
            "-m",
            "100",
            "-c",
            "100",
            "-u",
            USER.0,
            "-p",
        ])
        .arg(port.to_string())
        .env("QPSMTPD_CONFIG", folder.join("config"));
    command
}
