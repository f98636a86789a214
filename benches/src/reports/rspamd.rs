//! rspamd: rows are counted in Redis by the script its DMARC plugin runs for each message; then
//! `rspamadm dmarc_report`.

use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::day::{Day, Message, rua, zone};
use super::landmarc::measure;
use super::sink::Sink;
use super::{Outcome, check, fresh};
use crate::dns::Server;
use crate::namespace;
use crate::options::Options;
use crate::process::{Cpu, Filter, wait_for};

/// The day, as rspamd names it.
const DATE: &str = "20260601";
/// Commands that are sent before their answers are read.
const PIPELINE: usize = 100;
/// Adds one message to its row: the same commands on the same keys as the plugin's own script.
const SCRIPT: &str = "redis.call('SADD', KEYS[1], KEYS[2]) redis.call('EXPIRE', KEYS[1], 172800) \
    redis.call('ZINCRBY', KEYS[2], 1, ARGV[1]) redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -1001) \
    redis.call('EXPIRE', KEYS[2], 172800)";
const SETTINGS: &str = include_str!("rspamd.conf");

/// Nothing when rspamd or Redis is not there, or we may not take the port of DNS.
pub(super) fn run(options: &Options, day: &Day) -> io::Result<Option<Outcome>> {
    let rspamadm = options.tools().join("usr/bin/rspamadm");
    let redis = Path::new("/usr/bin/redis-server");
    if !namespace::is_inside() || !rspamadm.is_file() || !redis.is_file() {
        println!("rspamd was not run: it takes root, its package (`--tools`) and redis-server.\n");
        return Ok(None);
    }
    let folder = options.folder()?.join("reports-rspamd");
    fresh(&folder)?;
    let (dns, sink) = (Server::start(zone(), Duration::ZERO, 53)?, Sink::start()?);
    let port = free_port()?;
    let mut server = Filter::none();
    let mut command = Command::new(redis);
    command
        .args([
            "--port",
            &port.to_string(),
            "--save",
            "",
            "--appendonly",
            "yes",
            "--dir",
        ])
        .arg(&folder);
    server.add(&mut command, &folder.join("redis.log"))?;
    let stream = wait_for(|| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok());
    let stream = stream.ok_or_else(|| io::Error::other("redis-server does not listen"))?;
    let recorded = record(stream, day)?;
    let server_recording = server.cpu();

    let config = folder.join("rspamd.conf");
    let settings = SETTINGS
        .replace("{folder}", &folder.display().to_string())
        .replace(
            "{share}",
            &options.tools().join("usr/share/rspamd").display().to_string(),
        )
        .replace("{redis}", &port.to_string())
        .replace("{smtp}", &sink.address().port().to_string());
    std::fs::write(&config, settings)?;
    std::fs::write(folder.join("suffixes.dat"), "example\n")?;
    let mut send = rspamadm_command(options.tools(), &rspamadm, &folder);
    send.arg("dmarc_report").arg("-c").arg(&config).arg(DATE);
    let measured = measure(&mut send, &folder.join("send.log"))?;
    drop(dns);
    Ok(Some(Outcome {
        program: "rspamd",
        messages: day.messages,
        least_rows: day.distinct(),
        recording: (recorded, server_recording),
        sending: (measured.cpu, server.cpu().since(server_recording)),
        wall: measured.wall,
        memory: measured.memory,
        checked: check::check(&sink.take(), &folder)?,
    }))
}

fn rspamadm_command(tools: &Path, rspamadm: &Path, folder: &Path) -> Command {
    let share = tools.join("usr/share/rspamd").display().to_string();
    let own = folder.display();
    let mut command = Command::new(rspamadm);
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
    if tools != Path::new("/") {
        let libraries = ["usr/lib", "usr/lib/x86_64-linux-gnu", "usr/lib/rspamd"];
        let libraries = libraries.map(|path| tools.join(path).display().to_string());
        command.env("LD_LIBRARY_PATH", libraries.join(":"));
    }
    command
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Counts every message. What our side of it takes is next to nothing, and is not rspamd's.
fn record(stream: TcpStream, day: &Day) -> io::Result<Cpu> {
    stream.set_nodelay(true)?;
    let mut answers = BufReader::new(stream.try_clone()?);
    let mut commands = BufWriter::new(stream);
    let mut waiting = 0;
    for message in day.messages() {
        let key = format!(
            "dmarc_rpt;{};mailto:{};{DATE}",
            message.policy_domain(),
            rua(message.domain)
        );
        command(
            &mut commands,
            &[
                "EVAL",
                SCRIPT,
                "2",
                &format!("dmarc_idx;{DATE}"),
                &key,
                &row(&message),
            ],
        )?;
        waiting += 1;
        if waiting == PIPELINE {
            read(&mut commands, &mut answers, waiting)?;
            waiting = 0;
        }
    }
    read(&mut commands, &mut answers, waiting)?;
    Ok(Cpu::default())
}

fn row(message: &Message) -> String {
    let word = |passes: bool| if passes { "pass" } else { "fail" };
    let (domain, author) = (message.policy_domain(), message.author_domain());
    let (passed, failed) = if message.dkim {
        (&domain[..], "")
    } else {
        ("", &domain[..])
    };
    format!(
        "{},{},{},{},,{author},{passed},{failed},,,{author},{}",
        message.client,
        word(message.spf),
        word(message.dkim),
        // It knows no disposition of messages that pass.
        if message.disposition() == "pass" {
            "none"
        } else {
            message.disposition()
        },
        word(message.spf),
    )
}

fn command(to: &mut impl Write, words: &[&str]) -> io::Result<()> {
    write!(to, "*{}\r\n", words.len())?;
    words
        .iter()
        .try_for_each(|word| write!(to, "${}\r\n{word}\r\n", word.len()))
}

fn read(commands: &mut impl Write, answers: &mut impl BufRead, count: usize) -> io::Result<()> {
    commands.flush()?;
    let mut line = String::new();
    for _ in 0..count {
        line.clear();
        answers.read_line(&mut line)?;
        if !line.starts_with('$') {
            return Err(io::Error::other(format!("redis-server says {line:?}")));
        }
    }
    Ok(())
}
