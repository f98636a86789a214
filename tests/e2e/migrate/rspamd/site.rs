//! Redis and rspamd, as they run on such a site.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use landmarc_auth::lookup::{DnsRecord, RecordType, ZoneData, Zones};
use landmarc_store::Day;
use landmarc_testkit::dns_name;
use landmarc_testkit::dns_server::DnsServer;
use landmarc_testkit::tools::{Daemon, Folder, free_port, output_of, package, with_libraries};

use super::{Row, Sums, row};
use crate::world::{ALLOWED, RECIPIENT, RSA, STRANGER, add_text, letter, signed_letter, signing_key};

/// Domains that ask for reports, each with what it asks for.
pub(super) const DOMAINS: [(&str, &str); 4] = [
    ("alpha.example", "none"),
    ("beta.example", "quarantine"),
    ("gamma.example", "reject"),
    ("delta.example", "none"),
];
/// All that is told of rspamd's own settings; `{…}` is filled in.
const SETTINGS: &str = include_str!("rspamd.conf");
/// How long rspamd may take over a message before the test is wrong about it.
const ANSWER: Duration = Duration::from_secs(30);

/// Today in UTC, in which rspamd is made to live too.
pub(super) fn today() -> Day {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Day::at(u64::try_from(now.as_millis()).unwrap())
}

/// The domains with their records, keys and mail servers.
pub(super) fn zones() -> Zones {
    let mut zones = Zones::new();
    for (domain, policy) in DOMAINS {
        let dmarc = format!("v=DMARC1; p={policy}; rua=mailto:Dmarc@{domain}");
        add_text(&mut zones, &format!("_dmarc.{domain}"), &dmarc);
        add_text(&mut zones, domain, "v=spf1 ip4:192.0.2.0/24 -all");
        let key = signing_key(RSA).dns_record();
        add_text(&mut zones, &format!("{RSA}._domainkey.{domain}"), &key);
        let address = DnsRecord::A([127, 0, 0, 1].into());
        zones.set(dns_name(domain), RecordType::A, ZoneData::Records(vec![address]));
    }
    zones
}

/// A Redis of one test: each write is on disk before it is answered, so that it can be killed.
pub(super) struct Redis {
    root: PathBuf,
    folder: Folder,
    pub(super) port: u16,
    daemon: Option<Daemon>,
}

impl Redis {
    /// None where its package is not there.
    pub(super) fn start() -> Option<Self> {
        let mut redis = Self {
            root: package("redis")?,
            folder: Folder::new("redis"),
            port: free_port(),
            daemon: None,
        };
        redis.start_again();
        Some(redis)
    }

    pub(super) fn start_again(&mut self) {
        let mut command = Command::new(self.root.join("usr/bin/redis-server"));
        command.args([
            "--port",
            &self.port.to_string(),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
        ]);
        command.args(["--appendonly", "yes", "--appendfsync", "always"]);
        command.arg("--dir").arg(self.folder.path());
        let daemon = Daemon::start(&mut command, self.folder.join("redis.log"));
        self.daemon = Some(daemon.listens_on(self.port));
    }

    /// As a machine that loses its power does.
    pub(super) fn kill(&mut self) {
        self.daemon = None;
    }

    /// As `landmarc` is told of it.
    pub(super) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// What `redis-cli` prints for a command.
    pub(super) fn ask(&self, words: &[&str]) -> String {
        let mut command = Command::new(self.root.join("usr/bin/redis-cli"));
        command.args(["-p", &self.port.to_string()]).args(words);
        output_of(&mut command).trim_end().to_owned()
    }

    /// All keys and what is in them, to see that nobody has changed any.
    pub(super) fn digest(&self) -> String {
        self.ask(&["DEBUG", "DIGEST"])
    }
}

/// A running rspamd that counts into a Redis.
pub(super) struct Rspamd {
    root: PathBuf,
    folder: Folder,
    address: SocketAddr,
    _daemon: Daemon,
}

impl Rspamd {
    /// None where its package is not there. It asks this name server.
    pub(super) fn start(redis: &Redis, dns: &DnsServer) -> Option<Self> {
        let root = package("rspamd")?;
        let folder = Folder::new("rspamd");
        let port = free_port();
        let settings = SETTINGS
            .replace("{folder}", &folder.path().display().to_string())
            .replace("{share}", &root.join("usr/share/rspamd").display().to_string())
            .replace("{port}", &port.to_string())
            .replace("{dns}", &dns.addr().to_string())
            .replace("{redis}", &redis.address());
        let settings = folder.write("rspamd.conf", settings);
        folder.write("suffixes.dat", "example\n");
        let mut command = program(&root, "rspamd", folder.path());
        command.args(["-f", "-i", "-c"]).arg(settings);
        let daemon = Daemon::start(&mut command, folder.join("rspamd.log")).listens_on(port);
        Some(Self {
            root,
            folder,
            address: (Ipv4Addr::LOCALHOST, port).into(),
            _daemon: daemon,
        })
    }

    /// Has a message judged, and counted with it.
    #[track_caller]
    pub(super) fn judge(&self, message: &Message) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(ANSWER)).unwrap();
        let head = format!(
            "POST /checkv2 HTTP/1.0\r\nIP: {}\r\nHelo: mx.client.example\r\nFrom: {}\r\nRcpt: {RECIPIENT}\r\n\
             Content-Length: {}\r\n\r\n",
            message.client,
            message.mail_from,
            message.octets.len()
        );
        stream
            .write_all(&[head.as_bytes(), &message.octets].concat())
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.contains("DMARC_POLICY_"), "{answer}");
    }

    /// What `rspamadm dmarc_report` would tell about these days: the rows of all reports. It asks DNS as the machine
    /// is told to, so it is shown another `resolv.conf`.
    pub(super) fn reports(&self, days: &[String], zones: Zones) -> Sums {
        let server = DnsServer::start_at((own_loopback(), 53).into(), zones);
        let resolv = self
            .folder
            .write("resolv.conf", format!("nameserver {}\n", server.addr().ip()));
        let script = format!(
            "mount --make-rprivate / && mount --bind '{}' /etc/resolv.conf && exec \"$@\"",
            resolv.display()
        );
        let rspamadm = program(&self.root, "rspamadm", self.folder.path());
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "sh", "-c", &script, "sh"])
            .arg(rspamadm.get_program());
        command.args(rspamadm.get_args());
        for (name, value) in rspamadm.get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        command.args(["dmarc_report", "-n", "-v", "-c"]);
        command.arg(self.folder.join("rspamd.conf")).args(days);
        let output = command.stdin(Stdio::null()).output().unwrap();
        let printed = [output.stdout, output.stderr].concat();
        told_reports(&String::from_utf8_lossy(&printed))
    }
}

/// An address of this host that no other process of the tests takes.
fn own_loopback() -> Ipv4Addr {
    let [.., a, b] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, 153, a, b.clamp(1, 254))
}

/// A program of the package, with its Lua and its libraries where the package has them.
fn program(root: &Path, name: &str, own: &Path) -> Command {
    let libraries = ["usr/lib/rspamd", "usr/lib/x86_64-linux-gnu", "usr/lib"];
    let mut command = with_libraries(
        root.join("usr/bin").join(name),
        &libraries.map(|path| root.join(path)),
    );
    let share = root.join("usr/share/rspamd").display().to_string();
    let own = own.display();
    command.args([
        format!("--var=SHAREDIR={share}"),
        format!("--var=LUALIBDIR={share}/lualib"),
        format!("--var=PLUGINSDIR={share}/plugins"),
        format!("--var=RULESDIR={share}/rules"),
        format!("--var=CONFDIR={own}"),
        format!("--var=DBDIR={own}"),
        format!("--var=RUNDIR={own}"),
        format!("--var=LOGDIR={own}"),
    ]);
    // The day of rspamd is that of its host.
    command.env("TZ", "UTC");
    command
}

/// The reports in what it tells with `-v`, which is XML with each element on a line of its own.
fn told_reports(printed: &str) -> Sums {
    let mut sums = Sums::new();
    for xml in printed.split("<policy_published>").skip(1) {
        let policy_domain = text_of(xml, "domain");
        for record in xml.split("<record>").skip(1) {
            let passed = |name| match text_of(record, name) {
                "pass" => true,
                "fail" => false,
                other => panic!("{name} is {other}"),
            };
            let row = row(
                policy_domain,
                text_of(record, "header_from"),
                text_of(record, "source_ip"),
                (passed("spf"), passed("dkim")),
                text_of(record, "disposition"),
            );
            *sums.entry(row).or_default() += text_of(record, "count").parse::<u64>().unwrap();
        }
    }
    sums
}

/// What is in the first element of this name: of those that are there twice, `policy_evaluated` has the first.
#[track_caller]
fn text_of<'a>(xml: &'a str, name: &str) -> &'a str {
    let inner = xml
        .split_once(&format!("<{name}>"))
        .and_then(|(_, rest)| rest.split_once(&format!("</{name}>")));
    inner.unwrap_or_else(|| panic!("no {name} in {xml}")).0.trim()
}

/// A message, and the row that it is to count in.
pub(super) struct Message {
    client: IpAddr,
    mail_from: String,
    octets: Vec<u8>,
    pub(super) row: Row,
}

/// Which of the domains ten messages in a row are of: no two have as many.
const PLACES: [usize; 10] = [0, 1, 0, 2, 1, 0, 3, 2, 1, 0];
/// Which mix of SPF and DKIM they have, ten after ten; here too no two are as frequent.
const MIXES: [usize; 20] = [0, 1, 2, 3, 4, 0, 1, 2, 3, 0, 1, 2, 0, 1, 0, 0, 1, 2, 0, 3];

/// So many messages: every domain, with every mix of what SPF and DKIM say, and of a name below the domain.
pub(super) fn messages(count: usize) -> Vec<Message> {
    let signed: Vec<_> = DOMAINS.iter().map(|(domain, _)| signed_letter(domain)).collect();
    let each = (0..count).map(|number| {
        let place = PLACES[number % PLACES.len()];
        let (domain, policy) = DOMAINS[place];
        let (allowed, signs, below) = [
            (true, false, false),
            (false, true, false),
            (false, false, false),
            (true, true, false),
            (false, false, true),
        ][MIXES[number / PLACES.len() % MIXES.len()]];
        let author = if below {
            format!("mail.{domain}")
        } else {
            domain.to_owned()
        };
        let client = if allowed { ALLOWED } else { STRANGER };
        let disposition = if allowed || signs { "pass" } else { policy };
        Message {
            client: client.parse().unwrap(),
            mail_from: format!("a@{author}"),
            octets: match signs {
                true => signed[place].clone(),
                false => letter(&format!("a@{author}")),
            },
            row: row(domain, &author, client, (allowed, signs), disposition),
        }
    });
    each.collect()
}

/// What these messages come to.
pub(super) fn sums<'a>(messages: impl IntoIterator<Item = &'a Message>) -> Sums {
    let mut sums = Sums::new();
    for message in messages {
        *sums.entry(message.row.clone()).or_default() += 1;
    }
    sums
}
