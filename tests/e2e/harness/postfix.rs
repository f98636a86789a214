//! A Postfix of our own, run from an unpacked package beside any installed MTA.
//!
//! Its master process stays our child; configuration, queue and log are in a folder of
//! this instance, and it listens on a loopback port that was free. So any number of
//! them run at once, and none of them can reach the world: all mail goes to the sink.

use std::fs::{self, File};
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use landmarc_testkit::needs::Need;
use landmarc_testkit::tools::{free_port, wait_for};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::{Pid, Uid};

use super::home::{Home, MAIL_OWNER, SETGID_GROUP};
use super::queue::{self, HeldMessage};
use super::sasl::SaslServer;
use super::sink::Sink;
use super::smtp::Smtp;

/// The host name it greets with, and its authserv-id unless told otherwise.
pub const HOST_NAME: &str = "mx.landmarc.test";

/// The largest message it takes, in octets.
const MESSAGE_SIZE_LIMIT: u32 = 60 * 1024 * 1024;

/// Master gives up by itself after this long, in case the test was killed and could not
/// stop it.
const LIFETIME_SECONDS: &str = "900";

/// A free port may be taken by another between our look and its use.
const START_ATTEMPTS: u32 = 5;

/// Ending takes milliseconds; what takes longer than this is killed.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// How long between two looks at a process that gives no sign when it is gone.
const PAUSE: Duration = Duration::from_millis(20);

/// What is particular to one instance.
#[derive(Clone, Debug, Default)]
pub struct PostfixConfig {
    /// Milters in `main.cf` form: `inet:127.0.0.1:8891`, `unix:/path`.
    pub milters: Vec<String>,
    /// Settings of `main.cf`, each in place of the one the harness makes.
    settings: Vec<(String, String)>,
    /// `name = value` of settings for the smtpd service alone (`-o` in `master.cf`).
    smtpd_options: Vec<(String, String)>,
    into_mailboxes: bool,
    chrooted: bool,
}

impl PostfixConfig {
    /// One milter, or several in their order.
    pub fn with_milters<S: Into<String>>(milters: impl IntoIterator<Item = S>) -> Self {
        Self {
            milters: milters.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }

    /// Adds a setting of `main.cf`.
    pub fn set(mut self, name: &str, value: impl Into<String>) -> Self {
        self.settings.push((name.to_owned(), value.into()));
        self
    }

    /// Delivers all mail into a Maildir in place of the sink:
    /// [`Postfix::mailboxes`].
    pub fn into_mailboxes(mut self) -> Self {
        self.into_mailboxes = true;
        self
    }

    /// Runs smtpd in a chroot, the queue directory, as Debian does.
    pub fn chrooted(mut self) -> Self {
        self.chrooted = true;
        self
    }

    /// Adds a setting of the smtpd service alone.
    pub fn smtpd_option(mut self, name: &str, value: impl Into<String>) -> Self {
        self.smtpd_options.push((name.to_owned(), value.into()));
        self
    }
}

/// A running instance; dropping it ends all its processes and removes its folder.
pub struct Postfix {
    /// Where everything it accepted ends.
    pub sink: Sink,
    address: SocketAddr,
    master: Child,
    package: Package,
    home: Home,
    _sasl: SaslServer,
}

impl Postfix {
    /// Starts one and waits until it greets. `None` where the run does without root or without tools.
    ///
    /// # Errors
    /// Whatever kept it from starting, with its log.
    ///
    /// # Panics
    /// When there is no unpacked package, or we are not root, and the run does not do without.
    #[track_caller]
    pub fn start(config: &PostfixConfig) -> io::Result<Option<Self>> {
        if !Uid::effective().is_root() {
            Need::Root.is_missing("only root starts Postfix");
            return Ok(None);
        }
        let Some(package) = Package::find() else {
            Need::Tools
                .is_missing("there is no unpacked postfix package (LANDMARC_POSTFIX names its folder)");
            return Ok(None);
        };
        Self::start_from(&package, config).map(Some)
    }

    fn start_from(package: &Package, config: &PostfixConfig) -> io::Result<Self> {
        let mut last_log = String::new();
        for _ in 0..START_ATTEMPTS {
            match Self::try_start(package, config)? {
                Started::Greets(postfix) => return Ok(*postfix),
                Started::Ended(log) => last_log = log,
            }
            if !last_log.contains("Address already in use") {
                break;
            }
        }
        Err(io::Error::other(format!("postfix does not start:\n{last_log}")))
    }

    fn try_start(package: &Package, config: &PostfixConfig) -> io::Result<Started> {
        let (sink, sasl, home) = (Sink::start()?, SaslServer::start()?, Home::create()?);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let main_cf = main_cf(package, &home, &sink, &sasl, config);
        write_old(&home.conf().join("main.cf"), &main_cf)?;
        write_old(&home.conf().join("master.cf"), &master_cf(address, config))?;
        let master = package
            .command("usr/lib/postfix/sbin/master")
            .args(["-s", "-e", LIFETIME_SECONDS, "-c"])
            .arg(home.conf())
            .env("MAIL_CONFIG", home.conf())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let mut postfix = Self {
            sink,
            address,
            master,
            package: package.clone(),
            home,
            _sasl: sasl,
        };
        let greets = wait_for(|| match postfix.master.try_wait() {
            Ok(None) => TcpStream::connect(address).ok().map(|_| true),
            Ok(Some(_)) | Err(_) => Some(false),
        });
        if greets == Some(true) && postfix.connect().is_ok() {
            Ok(Started::Greets(Box::new(postfix)))
        } else {
            Ok(Started::Ended(postfix.log()))
        }
    }

    /// The address its smtpd listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its queue directory, `/var/spool/postfix` elsewhere.
    pub fn queue_directory(&self) -> PathBuf {
        self.home.path().join("queue")
    }

    /// A new SMTP connection, greeting read.
    pub fn connect(&self) -> io::Result<Smtp> {
        Smtp::connect(self.address)
    }

    /// The mails in its mailbox, whole files, in no order.
    ///
    /// # Errors
    /// When a mailbox cannot be read.
    pub fn mailboxes(&self) -> io::Result<Vec<PathBuf>> {
        self.home.mails()
    }

    /// All it logged so far.
    pub fn log(&self) -> String {
        fs::read(self.home.log_file()).map_or_else(
            |_| String::new(),
            |octets| String::from_utf8_lossy(&octets).into(),
        )
    }

    /// Waits until a line of the log has all these parts, and returns it.
    pub fn wait_for_log(&self, parts: &[&str]) -> Option<String> {
        wait_for(|| {
            let log = self.log();
            let found = log
                .lines()
                .find(|line| parts.iter().all(|part| line.contains(part)));
            found.map(str::to_owned)
        })
    }

    /// The messages in the hold queue, which is where a milter's quarantine puts them.
    ///
    /// # Errors
    /// When the queue or a file in it cannot be read.
    pub fn held(&self) -> io::Result<Vec<HeldMessage>> {
        queue::messages(&self.home.queue("hold"), |file, option| {
            self.postcat(file, option)
        })
    }

    /// Whether the message with this queue id is one of them. It is from the moment its sender is answered.
    pub fn holds(&self, queue_id: &str) -> bool {
        self.home.queue("hold").join(queue_id).exists()
    }

    fn postcat(&self, file: &Path, option: &str) -> io::Result<Vec<u8>> {
        let output = self
            .package
            .command("usr/sbin/postcat")
            .arg("-c")
            .arg(self.home.conf())
            .arg(option)
            .arg(file)
            .output()?;
        if output.status.success() {
            Ok(output.stdout)
        } else {
            Err(io::Error::other(
                String::from_utf8_lossy(&output.stderr).into_owned(),
            ))
        }
    }

    /// Ends all its processes: master at first, which tells the others.
    fn stop(&mut self) {
        let Ok(group) = i32::try_from(self.master.id()).map(Pid::from_raw) else {
            return;
        };
        let _ = kill(group, Signal::SIGTERM);
        if !gone_within(STOP_PATIENCE, || {
            matches!(self.master.try_wait(), Ok(Some(_)) | Err(_))
        }) {
            let _ = self.master.kill();
            let _ = self.master.wait();
        }
        if !gone_within(STOP_PATIENCE, || !has_members(group)) {
            let _ = killpg(group, Signal::SIGKILL);
        }
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        self.stop();
        if std::thread::panicking() {
            let _ = writeln!(io::stderr(), "---- log of {}\n{}", self.address, self.log());
        }
    }
}

enum Started {
    Greets(Box<Postfix>),
    /// With its log.
    Ended(String),
}

/// The package, unpacked by `dpkg -x`: mail transport agents conflict as packages, and
/// an installed one would serve the machine instead of the test.
#[derive(Clone)]
struct Package {
    root: PathBuf,
}

impl Package {
    fn find() -> Option<Self> {
        let root = std::env::var_os("LANDMARC_POSTFIX").map_or_else(
            || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/postfix"),
            PathBuf::from,
        );
        // Postfix takes absolute paths only.
        let root = root.canonicalize().ok()?;
        root.join("usr/lib/postfix/sbin/master")
            .is_file()
            .then_some(Self { root })
    }

    fn path(&self, below: &str) -> String {
        self.root.join(below).display().to_string()
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.root.join(program));
        command.env("LD_LIBRARY_PATH", self.path("usr/lib/postfix"));
        command
    }
}

fn main_cf(package: &Package, home: &Home, sink: &Sink, sasl: &SaslServer, config: &PostfixConfig) -> String {
    let home_path = home.path().display();
    let next_hop = format!("smtp:[{}]:{}", sink.address().ip(), sink.address().port());
    let mut settings: Vec<(String, String)> = [
        ("compatibility_level", "3.6".to_owned()),
        ("config_directory", home.conf().display().to_string()),
        ("meta_directory", home.conf().display().to_string()),
        ("queue_directory", format!("{home_path}/queue")),
        ("data_directory", format!("{home_path}/data")),
        ("maillog_file", home.log_file().display().to_string()),
        ("maillog_file_prefixes", home_path.to_string()),
        ("daemon_directory", package.path("usr/lib/postfix/sbin")),
        ("command_directory", package.path("usr/sbin")),
        ("shlib_directory", package.path("usr/lib/postfix")),
        // Daemons need the libraries of the package, too.
        (
            "import_environment",
            "MAIL_CONFIG LANG=C LD_LIBRARY_PATH POSTLOG_SERVICE POSTLOG_HOSTNAME".to_owned(),
        ),
        ("mail_owner", MAIL_OWNER.to_owned()),
        ("setgid_group", SETGID_GROUP.to_owned()),
        ("myhostname", HOST_NAME.to_owned()),
        ("inet_interfaces", "127.0.0.1".to_owned()),
        // As on a border host: it takes mail for all the domains behind it, and only for them.
        ("mydestination", String::new()),
        ("mynetworks", String::new()),
        ("relay_domains", "static:all".to_owned()),
        ("relay_transport", next_hop.clone()),
        ("default_transport", next_hop),
        ("alias_maps", String::new()),
        ("alias_database", String::new()),
        // Nothing here asks the network's resolver.
        ("smtpd_peername_lookup", "no".to_owned()),
        ("smtp_host_lookup", "native".to_owned()),
        ("smtpd_authorized_xclient_hosts", "127.0.0.1".to_owned()),
        // One client makes all connections of a test.
        ("smtpd_client_connection_count_limit", "0".to_owned()),
        ("smtputf8_enable", "yes".to_owned()),
        ("message_size_limit", MESSAGE_SIZE_LIMIT.to_string()),
        ("mailbox_size_limit", "0".to_owned()),
        ("smtpd_sasl_auth_enable", "yes".to_owned()),
        ("smtpd_sasl_type", "dovecot".to_owned()),
        ("smtpd_sasl_path", format!("inet:{}", sasl.address())),
        ("milter_protocol", "6".to_owned()),
        ("milter_default_action", "tempfail".to_owned()),
        ("smtpd_milters", config.milters.join(", ")),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    let of_mailboxes = config.into_mailboxes.then(|| mailbox_settings(home));
    for (name, value) in of_mailboxes.iter().flatten().chain(&config.settings) {
        settings.retain(|(made, _)| made != name);
        settings.push((name.clone(), value.clone()));
    }
    settings
        .iter()
        .map(|(name, value)| format!("{name} = {value}\n"))
        .collect()
}

/// One Maildir for everybody: whom a mail is for stands in its Delivered-To. Postfix takes no part of an
/// address into the name of a mailbox.
fn mailbox_settings(home: &Home) -> Vec<(String, String)> {
    let base = home.mail();
    let owner = home.mail_owner();
    [
        ("virtual_mailbox_domains", "static:all".to_owned()),
        ("virtual_mailbox_maps", "static:all/".to_owned()),
        ("relay_domains", String::new()),
        ("virtual_mailbox_base", base.display().to_string()),
        ("virtual_minimum_uid", "1".to_owned()),
        ("virtual_uid_maps", format!("static:{owner}")),
        ("virtual_gid_maps", format!("static:{owner}")),
        ("virtual_mailbox_limit", "0".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

fn master_cf(address: SocketAddr, config: &PostfixConfig) -> String {
    let options: String = config
        .smtpd_options
        .iter()
        .map(|(name, value)| format!("    -o {{ {name} = {value} }}\n"))
        .collect();
    let chroot = if config.chrooted { "y" } else { "n" };
    format!("{address} inet n - {chroot} - - smtpd\n{options}{SERVICES}")
}

/// The services of the package's own `master.cf` that mail passes through here.
const SERVICES: &str = "\
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
";

/// Writes a file that looks a minute old. Postfix waits until a configuration file is more
/// than a second old, lest it read one that is being written; that would be most of the
/// time a test takes.
fn write_old(path: &Path, text: &str) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(text.as_bytes())?;
    file.set_modified(SystemTime::now() - Duration::from_secs(60))
}

fn gone_within(patience: Duration, mut gone: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + patience;
    while !gone() {
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(PAUSE);
    }
    true
}

/// Whether the group has a process that still runs. One that has ended and that nobody
/// reaps does not count, which is why `kill` with signal 0 is not asked.
fn has_members(group: Pid) -> bool {
    let Ok(processes) = fs::read_dir("/proc") else {
        return false;
    };
    processes.flatten().any(|process| {
        let Ok(stat) = fs::read_to_string(process.path().join("stat")) else {
            return false;
        };
        // pid (command) state parent group ...; the command may hold any character.
        let after_command = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let mut fields = after_command.split_ascii_whitespace();
        let state = fields.next();
        let its_group = fields.nth(1).and_then(|text| text.parse().ok());
        state != Some("Z") && its_group == Some(group.as_raw())
    })
}
