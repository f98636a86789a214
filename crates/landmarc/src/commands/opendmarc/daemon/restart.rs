//! Starts the service again when it fails (P3 to P5, L6).

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::pin::pin;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use landmarc_migrate::opendmarc::settings::{Conf, Parameter, Rate};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::signal::unix::{self, SignalKind, signal};
use tokio::time::sleep;

use super::background::{again, exit_of};
use crate::exit::Exit;
use crate::failure::{CommandResult, failure};
use landmarc_runtime::load::SettingsSource;
use landmarc_runtime::logging;
use landmarc_runtime::opendmarc_conf;

/// What passes between an end and the next start: OpenDMARC waits for nothing, and forks as fast as it fails.
const PAUSE: Duration = Duration::from_secs(1);

/// The most ends that are remembered for the rate, whatever it says.
const MAX_REMEMBERED: usize = 10_000;

/// Serves by a process that is started again when it fails, until it ends well or too often.
pub(super) fn keep_running(
    source: &opendmarc_conf::OpenDmarcSource,
    conf: &Conf,
    arguments: &[OsString],
) -> CommandResult {
    let loaded = source.load()?;
    let _level = logging::start(&loaded.settings);
    if let Some(why) = SettingsSource::OpenDmarc(source.clone()).write_pid_file() {
        tracing::warn!("{why}");
    }
    let mut restarts = Restarts::of(conf);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = runtime.and_then(|runtime| runtime.block_on(watch(arguments, &mut restarts)));
    done.map_err(|error| failure!(Exit::Unavailable, "cannot start the service: {error}"))
}

async fn watch(arguments: &[OsString], restarts: &mut Restarts) -> io::Result<Exit> {
    let mut signals = Signals::new()?;
    let began = Instant::now();
    loop {
        let (status, is_to_stop) = serve_once(arguments, &mut signals).await?;
        let how = match status.signal() {
            Some(signal) => format!("terminated with signal {signal}"),
            None => format!("exited with status {}", status.code().unwrap_or_default()),
        };
        if is_to_stop || is_meant(status) {
            return Ok(exit_of(status));
        }
        if let Err(too_often) = restarts.allow(began.elapsed()) {
            tracing::error!("{how}; {too_often}");
            return Ok(Exit::Unavailable);
        }
        tracing::warn!("{how}, restarting");
        if signals.stop_within(PAUSE).await {
            return Ok(Exit::Fine);
        }
    }
}

/// What we are told, in a run of the service and between two of them. It is heard from the first run on: a signal
/// that nobody waits for would be lost, for it ends us no more.
struct Signals {
    ended: unix::Signal,
    terminate: unix::Signal,
    interrupt: unix::Signal,
    hangup: unix::Signal,
    user1: unix::Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            ended: signal(SignalKind::child())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            user1: signal(SignalKind::user_defined1())?,
        })
    }

    /// The next one that the service is to be told; none when it may have ended.
    async fn next(&mut self) -> Option<Signal> {
        tokio::select! {
            _ = self.ended.recv() => None,
            _ = self.terminate.recv() => Some(Signal::SIGTERM),
            _ = self.interrupt.recv() => Some(Signal::SIGINT),
            _ = self.hangup.recv() => Some(Signal::SIGHUP),
            _ = self.user1.recv() => Some(Signal::SIGUSR1),
        }
    }

    /// Whether we are told to stop before so much time has passed. To reload is for no service that does not run:
    /// the next one reads its settings at its start.
    async fn stop_within(&mut self, pause: Duration) -> bool {
        let mut over = pin!(sleep(pause));
        loop {
            tokio::select! {
                biased;
                _ = self.terminate.recv() => return true,
                _ = self.interrupt.recv() => return true,
                _ = self.hangup.recv() => {}
                _ = self.user1.recv() => {}
                () = &mut over => return false,
            }
        }
    }
}

/// An end that a new start would come to again, or that somebody wanted.
fn is_meant(status: ExitStatus) -> bool {
    matches!(exit_of(status), Exit::Fine | Exit::Usage | Exit::Config) && status.signal().is_none()
}

/// One run of the service, which is told what we are told; and whether that was to stop.
async fn serve_once(arguments: &[OsString], signals: &mut Signals) -> io::Result<(ExitStatus, bool)> {
    let mut child = again(arguments, "--supervised")?.spawn()?;
    let mut is_to_stop = false;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok((status, is_to_stop));
        }
        if let Some(signal) = signals.next().await {
            is_to_stop |= matches!(signal, Signal::SIGTERM | Signal::SIGINT);
            pass_on(&child, signal);
        }
    }
}

fn pass_on(child: &Child, signal: Signal) {
    if let Ok(number) = i32::try_from(child.id()) {
        // One that has just ended needs to be told nothing.
        let _ = kill(Pid::from_raw(number), signal);
    }
}

/// How often the service was started again, and how often it may be.
#[derive(Debug)]
struct Restarts {
    /// 0: as often as it takes (P4).
    most: i64,
    rate: Option<Rate>,
    count: i64,
    recent: VecDeque<Duration>,
}

/// Why it is not started again (L6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum TooOften {
    #[error("maximum restart count exceeded")]
    Count,
    #[error("maximum restart rate exceeded")]
    Rate,
}

impl Restarts {
    fn of(conf: &Conf) -> Self {
        Self {
            most: conf.number(Parameter::AutoRestartCount).unwrap_or(0),
            rate: conf.restart_rate(),
            count: 0,
            recent: VecDeque::new(),
        }
    }

    /// Counts a start at this time, since the first one.
    fn allow(&mut self, now: Duration) -> Result<(), TooOften> {
        self.count += 1;
        if self.most > 0 && self.count > self.most {
            return Err(TooOften::Count);
        }
        let Some(Rate { count, per }) = self.rate else {
            return Ok(());
        };
        self.recent.retain(|at| now.saturating_sub(*at) < per);
        let most = usize::try_from(count).unwrap_or(usize::MAX).min(MAX_REMEMBERED);
        if self.recent.len() >= most {
            return Err(TooOften::Rate);
        }
        self.recent.push_back(now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use landmarc_migrate::opendmarc::settings::read;

    use super::*;

    fn allowed(conf: &str, seconds: &[u64]) -> Vec<Result<(), TooOften>> {
        let mut restarts = Restarts::of(&read(conf.as_bytes()));
        seconds
            .iter()
            .map(|at| restarts.allow(Duration::from_secs(*at)))
            .collect()
    }

    #[test]
    fn p4_so_many_restarts_and_no_more() {
        assert_eq!(
            allowed("AutoRestartCount 2\n", &[1, 2, 3]),
            [Ok(()), Ok(()), Err(TooOften::Count)]
        );
        for endless in ["", "AutoRestartCount 0\n"] {
            assert!(allowed(endless, &[0; 100]).iter().all(Result::is_ok));
        }
    }

    #[test]
    fn p5_so_many_within_a_time() {
        let results = allowed("AutoRestartRate 2/1m\n", &[0, 10, 59, 60, 61]);
        assert_eq!(
            results,
            [Ok(()), Ok(()), Err(TooOften::Rate), Ok(()), Err(TooOften::Rate)]
        );
    }

    #[test]
    fn l6_the_words_are_the_old_ones() {
        insta::assert_snapshot!(TooOften::Count.to_string(), @"maximum restart count exceeded");
        insta::assert_snapshot!(TooOften::Rate.to_string(), @"maximum restart rate exceeded");
    }
}
