//! landmarc: the day goes through the recorder, as the service uses it; then `outbox send`.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use landmarc_observation::{Observation, PublishedPolicy, TallyRow};
use landmarc_store::{Recorder, RecorderOptions};
use nix::sys::resource::{UsageWho, getrusage};

use super::day::{Day, MIDNIGHT, Message, rua, zone};
use super::sink::Sink;
use super::{Outcome, check, fresh};
use crate::dns::Server;
use crate::options::Options;
use crate::process::{Cpu, family, peak_mib};

/// Messages that wait for the disk at a time, as on a busy host.
const IN_FLIGHT: usize = 256;
/// How often the memory of the program is looked at.
const LOOK: Duration = Duration::from_millis(5);

pub(super) fn run(options: &Options, day: &Day) -> io::Result<Outcome> {
    let folder = options.folder()?.join("reports-landmarc");
    fresh(&folder)?;
    let recording = record(&folder, day)?;
    let (dns, sink) = (Server::start(zone(), Duration::ZERO, 0)?, Sink::start()?);
    let config = folder.join("landmarc.toml");
    let settings = format!(
        "store.directory = \"{}\"\ndns.name_servers = [\"{}\"]\nreport.email = \"dmarc@reports.example\"\n\
         report.delivery.relay = \"{}\"\nreport.delivery.tls = \"none\"\nreport.per_host = 1000\n",
        folder.display(),
        dns.address(),
        sink.address(),
    );
    std::fs::write(&config, settings)?;
    let now = (MIDNIGHT + 86_400 + 3_600).to_string();
    let mut send = Command::new(options.binary()?);
    send.args(["outbox", "send", "--json", "--now", &now, "--config"])
        .arg(&config);
    let measured = measure(&mut send, &folder.join("send.log"))?;
    Ok(Outcome {
        program: "landmarc",
        messages: day.messages,
        least_rows: day.distinct(),
        recording: (recording, Cpu::default()),
        sending: (measured.cpu, Cpu::default()),
        wall: measured.wall,
        memory: measured.memory,
        checked: check::check(&sink.take(), &folder)?,
    })
}

/// What a program took that was run to its end.
pub(super) struct Measured {
    pub(super) cpu: Cpu,
    pub(super) wall: f64,
    /// MiB at its peak.
    pub(super) memory: f64,
}

/// Runs a program to its end; what it says goes to this file.
pub(super) fn measure(command: &mut Command, log: &Path) -> io::Result<Measured> {
    let told = std::fs::File::create(log)?;
    let (before, began) = (children()?, Instant::now());
    let mut child = command
        .stdin(Stdio::null())
        .stdout(told.try_clone()?)
        .stderr(told)
        .spawn()?;
    let mut memory: f64 = 0.0;
    let status = loop {
        let peak: f64 = family(vec![child.id()]).into_iter().map(peak_mib).sum();
        memory = memory.max(peak);
        if let Some(status) = child.try_wait()? {
            break status;
        }
        std::thread::sleep(LOOK);
    };
    if !status.success() {
        let told = std::fs::read_to_string(log)?;
        return Err(io::Error::other(format!("{command:?}: {status}\n{told}")));
    }
    Ok(Measured {
        cpu: children()?.since(before),
        wall: began.elapsed().as_secs_f64(),
        memory,
    })
}

/// CPU time of all children that have ended.
fn children() -> io::Result<Cpu> {
    usage(UsageWho::RUSAGE_CHILDREN)
}

fn usage(who: UsageWho) -> io::Result<Cpu> {
    let usage = getrusage(who)?;
    let seconds = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    Ok(Cpu {
        user: seconds(usage.user_time()),
        system: seconds(usage.system_time()),
    })
}

/// Writes the day down, and what that took.
fn record(folder: &Path, day: &Day) -> io::Result<Cpu> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let mut options = RecorderOptions::at(folder.join("landmarc.db"));
    options.answer_timeout = Duration::from_secs(60);
    let recorder = Recorder::open(options).map_err(io::Error::other)?;
    // To make the messages is not what is measured, and takes as long as to write them down.
    let made: Vec<Observation> = day.messages().enumerate().map(observation).collect();
    let before = usage(UsageWho::RUSAGE_SELF)?;
    runtime.block_on(send_all(Arc::new(recorder), made));
    Ok(usage(UsageWho::RUSAGE_SELF)?.since(before))
}

async fn send_all(recorder: Arc<Recorder>, observations: Vec<Observation>) {
    let gate = Arc::new(tokio::sync::Semaphore::new(IN_FLIGHT));
    for observation in observations {
        let Ok(permit) = Arc::clone(&gate).acquire_owned().await else {
            return;
        };
        let recorder = Arc::clone(&recorder);
        tokio::spawn(async move {
            recorder.record(observation).await;
            drop(permit);
        });
    }
    let all = u32::try_from(IN_FLIGHT).unwrap_or(u32::MAX);
    // Nobody closes it: this waits until the last message is on disk.
    drop(gate.acquire_many(all).await);
    if let Some(recorder) = Arc::into_inner(recorder) {
        recorder.close(Duration::from_secs(60));
    }
}

fn observation((number, message): (usize, Message)) -> Observation {
    let word = |passes: bool| if passes { "pass" } else { "fail" }.to_owned();
    let passes = message.spf || message.dkim;
    Observation {
        at_ms: (MIDNIGHT + number as u64 % 86_400) * 1000,
        queue_id: format!("{number:010X}"),
        id: format!("{number:012}"),
        client: Some(message.client.into()),
        author_domain: Some(message.author_domain()),
        spf: word(message.spf),
        dkim: word(message.dkim),
        arc: "none".to_owned(),
        dmarc: word(passes),
        policy_domain: Some(message.policy_domain()),
        policy: Some(message.policy().to_owned()),
        disposition: message.disposition().to_owned(),
        action: "accept".to_owned(),
        enforced_action: "accept".to_owned(),
        overrides: Vec::new(),
        rule: None,
        cause: String::new(),
        questions: 4,
        ms: 20,
        trace: Arc::default(),
        row: Some(row(&message)),
    }
}

fn row(message: &Message) -> TallyRow {
    let word = |passes: bool| if passes { "pass" } else { "fail" }.to_owned();
    let domain = message.policy_domain();
    TallyRow {
        policy_domain: domain.clone(),
        published: PublishedPolicy {
            p: message.policy().to_owned(),
            sp: message.policy().to_owned(),
            adkim: "r".to_owned(),
            aspf: "r".to_owned(),
            fo: "0".to_owned(),
            discovery_method: "treewalk".to_owned(),
            rua: vec![format!("mailto:{}", rua(message.domain))],
            ..PublishedPolicy::default()
        },
        source_ip: message.client.into(),
        disposition: message.disposition().to_owned(),
        dkim_aligned: message.dkim,
        spf_aligned: message.spf,
        reasons: Vec::new(),
        header_from: message.author_domain(),
        envelope_from: Some(message.author_domain()),
        envelope_to: None,
        dkim: vec![(domain, "s1".to_owned(), word(message.dkim))],
        spf: Some((message.author_domain(), "mfrom".to_owned(), word(message.spf))),
        incidental: false,
    }
}
