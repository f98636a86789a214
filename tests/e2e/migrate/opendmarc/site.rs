//! OpenDMARC 1.4.2 with MariaDB, as they run on such a site: the filter that writes a history file, the
//! scripts that import it and make reports of it.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use landmarc_testkit::mta::{Mail, Mta, Verdict};
use landmarc_testkit::relay::{Relay, RelayedMessage, Script};
use landmarc_testkit::tools::{Daemon, Folder, free_port, package};

/// Where the package keeps the tables of its database.
const SCHEMA: &str = "usr/share/dbconfig-common/data/opendmarc/install/mysql";
/// User, password and name of the database.
pub(in crate::migrate) const USER: &str = "opendmarc";

/// The site of one test.
pub(super) struct Site {
    pub(super) folder: Folder,
    pub(super) database_port: u16,
    programs: PathBuf,
    _mariadb: Daemon,
}

impl Site {
    /// With an empty database, or none where the packages are not there.
    pub(super) fn start() -> Option<Self> {
        let (programs, mariadb) = (package("opendmarc")?, package("mariadb")?);
        let folder = Folder::new("opendmarc");
        let database_port = free_port();
        let tables = fs::read_to_string(programs.join(SCHEMA)).unwrap();
        Some(Self {
            _mariadb: start_mariadb(&mariadb, &folder, database_port, &tables),
            folder,
            database_port,
            programs,
        })
    }

    /// The history file of the filter.
    pub(super) fn history(&self) -> PathBuf {
        self.folder.join("opendmarc.dat")
    }

    /// The address of the database, as `migrate` is told it.
    pub(super) fn address(&self) -> String {
        format!("mysql://{USER}@127.0.0.1:{}/{USER}", self.database_port)
    }

    /// Has the filter judge these messages, whose records say these DMARC records.
    pub(super) fn judge(&self, records: &[(&str, &str)], mails: &[Mail]) -> Vec<Verdict> {
        let port = free_port();
        let lines = records
            .iter()
            .map(|(domain, text)| format!("_dmarc.{domain} {text}\n"));
        let dns = self.folder.write("dns", lines.collect::<String>());
        let suffixes = self.folder.write("suffixes", "// a list of one\nexample\n");
        let nobody = self.folder.write("ignored", "203.0.113.255\n");
        let conf = self.folder.write(
            "opendmarc.conf",
            format!(
                "AuthservID mx.here.example\nTrustedAuthservIDs mx.here.example\nSocket inet:{port}@127.0.0.1\n\
                 HistoryFile {}\nRejectFailures true\nHoldQuarantinedMessages true\nRecordAllMessages true\n\
                 IgnoreHosts {}\nPublicSuffixList {}\nTestDNSData {}\nBackground false\n",
                self.history().display(),
                nobody.display(),
                suffixes.display(),
                dns.display()
            ),
        );
        let mut command = Command::new(self.programs.join("usr/sbin/opendmarc"));
        command.arg("-f").arg("-c").arg(conf);
        let _filter = Daemon::start(&mut command, self.folder.join("opendmarc.log")).listens_on(port);
        let judge = |mail: &Mail| {
            let mut mta = Mta::connect(&format!("inet:{port}@127.0.0.1")).unwrap();
            let verdict = mta.deliver(mail).unwrap().verdict;
            mta.quit().unwrap();
            verdict
        };
        mails.iter().map(judge).collect()
    }

    /// `opendmarc-import`, reading this file.
    pub(super) fn import(&self, file: &Path) -> Output {
        let input = fs::File::open(file).unwrap();
        self.script("opendmarc-import", &[], Stdio::from(input))
    }

    /// `opendmarc-reports` into an SMTP server that takes everything; its letters.
    pub(super) fn reports(&self) -> Vec<RelayedMessage> {
        let relay = Relay::start(Script::default());
        let done = self.reports_to(&relay);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        relay.messages()
    }

    /// `opendmarc-reports` into this SMTP server.
    pub(super) fn reports_to(&self, relay: &Relay) -> Output {
        let port = relay.address().port().to_string();
        let options = [
            "--smtp-server=127.0.0.1",
            "--smtp-port",
            &port,
            "--report-email=dmarc@here.example",
            "--report-org=here.example",
        ];
        self.script("opendmarc-reports", &options, Stdio::null())
    }

    /// Asks the database a question, by a script of Perl as OpenDMARC's own are.
    pub(super) fn ask(&self, sql: &str) -> String {
        let script = "use DBI; my $h = DBI->connect($ARGV[0], $ARGV[1], $ARGV[1], { RaiseError => 1 }); \
                      my $s = $h->prepare($ARGV[2]); $s->execute; \
                      if ($s->{NUM_OF_FIELDS}) { while (my @r = $s->fetchrow_array) { print join('|', @r), \"\\n\" } }";
        let name = format!(
            "DBI:mysql:database={USER};host=127.0.0.1;port={}",
            self.database_port
        );
        let mut command = Command::new("perl");
        command.args(["-e", script, &name, USER, sql]);
        landmarc_testkit::tools::output_of(&mut command)
    }

    fn script(&self, name: &str, options: &[&str], input: Stdio) -> Output {
        let mut command = Command::new("perl");
        command.arg(self.programs.join("usr/sbin").join(name));
        command.args(["--dbhost=127.0.0.1", &format!("--dbport={}", self.database_port)]);
        command.args(options).current_dir(self.folder.path()).stdin(input);
        command.output().unwrap()
    }
}

/// A server with the tables of the package, and a user who may do all with them. It is filled before it
/// listens.
pub(in crate::migrate) fn start_mariadb(mariadb: &Path, folder: &Folder, port: u16, tables: &str) -> Daemon {
    let data = folder.join("mariadb");
    fs::create_dir(&data).unwrap();
    let share = mariadb.join("usr/share/mysql");
    let read = |name: &str| fs::read_to_string(share.join(name)).unwrap();
    let grants: String = ["localhost", "127.0.0.1"]
        .map(|host| {
            format!(
                "CREATE USER '{USER}'@'{host}' IDENTIFIED BY '{USER}';\nGRANT ALL ON {USER}.* TO '{USER}'@'{host}';\n"
            )
        })
        .concat();
    let sql = format!(
        "create database mysql;\nuse mysql;\nSET @auth_root_socket=NULL;\n{}{}{tables}\nFLUSH PRIVILEGES;\n{grants}",
        read("mysql_system_tables.sql"),
        read("mysql_system_tables_data.sql"),
    );
    let sql = folder.write("mariadb.sql", sql);
    let server = || {
        let mut command = Command::new(mariadb.join("usr/sbin/mariadbd"));
        command.args(["--no-defaults", "--user=root"]);
        command.arg(format!("--datadir={}", data.display()));
        command.arg(format!("--lc-messages-dir={}", share.display()));
        command
    };
    let filled = server()
        .args(["--bootstrap", "--sql-mode=", "--enforce-storage-engine="])
        .stdin(fs::File::open(sql).unwrap())
        .output()
        .unwrap();
    assert!(
        filled.status.success(),
        "{}",
        String::from_utf8_lossy(&filled.stderr)
    );
    let mut command = server();
    command.args(["--bind-address=127.0.0.1", &format!("--port={port}")]);
    command.arg(format!("--socket={}", folder.join("mariadb.sock").display()));
    Daemon::start(&mut command, folder.join("mariadb.log")).listens_on(port)
}

/// A message as it comes to the third milter of a chain: with what the first two have found.
pub(super) struct Arriving {
    pub(super) job: String,
    pub(super) host: &'static str,
    pub(super) client: IpAddr,
    pub(super) author: String,
    /// Without brackets; empty for a null reverse-path.
    pub(super) mail_from: String,
    /// The result of SPF, about MAIL FROM.
    pub(super) spf: &'static str,
    /// Domain, selector and result of each signature.
    pub(super) dkim: Vec<(String, &'static str, &'static str)>,
}

impl Arriving {
    /// As the mail server hands it over.
    pub(super) fn mail(&self) -> Mail {
        let mut results = format!("Authentication-Results: mx.here.example; spf={} ", self.spf);
        match self.mail_from.rsplit_once('@') {
            // A2: 1.4.2 takes a whole address for a domain.
            Some((_, domain)) => results.push_str(&format!("smtp.mailfrom={domain}")),
            None => results.push_str("smtp.helo=client.example"),
        }
        for (domain, selector, result) in &self.dkim {
            results.push_str(&format!("; dkim={result} header.d={domain} header.s={selector}"));
        }
        let text = format!(
            "{results}\r\nFrom: Somebody <{}>\r\nTo: b@here.example\r\nSubject: hello\r\n\
             Date: Fri, 20 Nov 2026 10:00:00 +0000\r\nMessage-ID: <{}@client.example>\r\n\r\nhello\r\n",
            self.author, self.job
        );
        let macros = [
            ("i", self.job.clone()),
            ("j", self.host.to_owned()),
            ("{client_addr}", self.client.to_string()),
        ];
        Mail {
            client: Some(self.client),
            client_name: "client.example".to_owned(),
            helo: "client.example".to_owned(),
            mail_from: format!("<{}>", self.mail_from),
            rcpt_to: vec!["<b@here.example>".to_owned()],
            macros: macros.map(|(name, value)| (name.to_owned(), value)).to_vec(),
            ..Mail::plain()
        }
        .with_text(text.as_bytes())
    }
}
