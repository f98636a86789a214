//! OpenDMARC: the history file of the day goes into MariaDB by `opendmarc-import`; then
//! `opendmarc-reports`.

use std::fmt::Write;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use super::day::{Day, Message, rua};
use super::landmarc::measure;
use super::sink::Sink;
use super::{Outcome, check, fresh};
use crate::namespace;
use crate::options::Options;
use crate::process::{Filter, wait_for};

const IMPORT: &str = "usr/sbin/opendmarc-import";
const REPORTS: &str = "usr/sbin/opendmarc-reports";
const SCHEMA: &str = "usr/share/dbconfig-common/data/opendmarc/install/mysql";
const USER: &str = "opendmarc";

/// Nothing when the programs or MariaDB are not there.
pub(super) fn run(options: &Options, day: &Day) -> io::Result<Option<Outcome>> {
    let tools = options.tools();
    let is_there = tools.join(REPORTS).is_file() && Path::new("/usr/sbin/mariadbd").is_file();
    if !namespace::is_inside() || !is_there {
        println!(
            "OpenDMARC was not run: it takes root, its package (`--tools`), mariadb-server-core and perl's DBD.\n"
        );
        return Ok(None);
    }
    let folder = options.folder()?.join("reports-opendmarc");
    fresh(&folder)?;
    let sink = Sink::start()?;
    let (server, port) = mariadb(&folder, &tools.join(SCHEMA))?;
    let history = folder.join("history");
    std::fs::write(&history, of(day))?;
    let prepared = server.cpu();
    let mut import = Command::new("perl");
    import
        .arg(tools.join(IMPORT))
        .arg("--input")
        .arg(&history)
        .args(database(port));
    let imported = measure(&mut import, &folder.join("import.log"))?;
    let server_recording = server.cpu();
    let mut send = Command::new("perl");
    send.current_dir(&folder)
        .arg(tools.join(REPORTS))
        .args(database(port))
        .args([
            "--smtp-server=127.0.0.1",
            &format!("--smtp-port={}", sink.address().port()),
            "--report-email=dmarc@reports.example",
            "--report-org=Reports",
        ]);
    let measured = measure(&mut send, &folder.join("send.log"))?;
    Ok(Some(Outcome {
        program: "OpenDMARC",
        messages: day.messages,
        least_rows: day.distinct(),
        recording: (imported.cpu, server_recording.since(prepared)),
        sending: (measured.cpu, server.cpu().since(server_recording)),
        wall: measured.wall,
        memory: measured.memory,
        checked: check::check(&sink.take(), &folder)?,
    }))
}

fn database(port: u16) -> [String; 5] {
    [
        "--dbhost=127.0.0.1".to_owned(),
        format!("--dbport={port}"),
        format!("--dbuser={USER}"),
        format!("--dbpasswd={USER}"),
        format!("--dbname={USER}"),
    ]
}

/// A MariaDB of our own with OpenDMARC's tables.
fn mariadb(folder: &Path, schema: &Path) -> io::Result<(Filter, u16)> {
    let data = folder.join("mariadb");
    let mut install = Command::new("mariadb-install-db");
    install.args([
        "--no-defaults",
        "--user=root",
        "--auth-root-authentication-method=normal",
    ]);
    install.arg(format!("--datadir={}", data.display()));
    measure(&mut install, &folder.join("install.log"))?;
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
    let socket = folder.join("mariadb.sock");
    let mut server = Filter::none();
    let mut command = Command::new("/usr/sbin/mariadbd");
    command.args([
        "--no-defaults",
        "--user=root",
        "--sql-mode=",
        "--bind-address=127.0.0.1",
    ]);
    command.arg(format!("--datadir={}", data.display()));
    command.arg(format!("--socket={}", socket.display()));
    command.arg(format!("--port={port}"));
    server.add(&mut command, &folder.join("mariadb.log"))?;
    let grant = format!(
        "CREATE USER '{USER}'@'localhost' IDENTIFIED BY '{USER}'; CREATE USER '{USER}'@'127.0.0.1' IDENTIFIED BY '{USER}'; \
         GRANT ALL ON {USER}.* TO '{USER}'@'localhost'; GRANT ALL ON {USER}.* TO '{USER}'@'127.0.0.1'"
    );
    // The package's schema is put into whatever database is selected.
    let sql = format!(
        "CREATE DATABASE IF NOT EXISTS {USER}; USE {USER}; source {}; {grant}",
        schema.display()
    );
    let client = || {
        let ended = Command::new("mariadb")
            .arg("--no-defaults")
            .arg(format!("--socket={}", socket.display()))
            .args(["--user=root", "--execute", &sql])
            .output();
        ended.is_ok_and(|ended| ended.status.success()).then_some(())
    };
    match wait_for(client) {
        Some(()) => Ok((server, port)),
        None => Err(io::Error::other("mariadbd does not take the tables")),
    }
}

/// The history file that the milter would have written.
fn of(day: &Day) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    // The last day, as `opendmarc-reports` takes it: ending now.
    let received = now.map_or(0, |since| since.as_secs()).saturating_sub(3_600);
    let mut text = String::new();
    for (number, message) in day.messages().enumerate() {
        record(&mut text, number, received, &message);
    }
    text
}

fn record(text: &mut String, number: usize, received: u64, message: &Message) {
    let (author, domain) = (message.author_domain(), message.policy_domain());
    // The codes of its history file: results by libmilter's A-R reader, policies by their letter.
    let result = |passes: bool| if passes { 0 } else { 7 };
    let alignment = |passes: bool| if passes { 4 } else { 5 };
    let policy = u32::from(message.policy().as_bytes().first().copied().unwrap_or(b'n'));
    let action = match message.disposition() {
        "reject" => 0,
        "quarantine" => 4,
        _ => 2,
    };
    // Writing to a text does not fail.
    let _ = write!(
        text,
        "job {number:010X}\nreporter mx.reports.example\nreceived {received}\nipaddr {}\nfrom {author}\nmfrom {author}\n\
         dkim {domain} s1 {}\nspf {}\npdomain {domain}\npolicy 15\nrua mailto:{}\npct 100\nadkim 114\naspf 114\n\
         p {policy}\nsp 0\nalign_dkim {}\nalign_spf {}\narc 7\narc_policy 2 json:[]\naction {action}\n",
        message.client,
        result(message.dkim),
        result(message.spf),
        rua(message.domain),
        alignment(message.dkim),
        alignment(message.spf),
    );
}
