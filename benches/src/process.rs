//! Filters as processes: started, and measured by what the kernel says of them.

use std::io;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Ticks of `/proc/PID/stat` in a second: `USER_HZ`, the same on all of Linux that we run on.
const TICKS: f64 = 100.0;

/// How long a program may take to listen; rspamd prepares for seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// Processes that make up one filter.
#[derive(Debug)]
pub(crate) struct Filter {
    children: Vec<Child>,
}

/// CPU seconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cpu {
    pub(crate) user: f64,
    pub(crate) system: f64,
}

impl Cpu {
    pub(crate) fn total(self) -> f64 {
        self.user + self.system
    }

    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            user: self.user - before.user,
            system: self.system - before.system,
        }
    }
}

/// Memory of all processes, in MiB.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Memory {
    pub(crate) rss: f64,
    pub(crate) peak_rss: f64,
    pub(crate) pss: f64,
}

impl Filter {
    pub(crate) fn none() -> Self {
        Self { children: Vec::new() }
    }

    /// Starts one process more; what it says goes to this file.
    pub(crate) fn add(&mut self, command: &mut Command, log: &Path) -> io::Result<()> {
        let log = std::fs::File::create(log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        self.children.push(child);
        Ok(())
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.children
            .iter_mut()
            .all(|child| child.try_wait().is_ok_and(|status| status.is_none()))
    }

    /// The processes and all below them.
    fn ids(&self) -> Vec<u32> {
        family(self.children.iter().map(Child::id).collect())
    }

    /// User and system time of all of them, and of children that have ended.
    pub(crate) fn cpu(&self) -> Cpu {
        cpu_of(&self.ids())
    }

    pub(crate) fn memory(&self) -> Memory {
        let mut sum = Memory::default();
        for id in self.ids() {
            sum.rss += mib(&format!("/proc/{id}/status"), "VmRSS:");
            sum.peak_rss += mib(&format!("/proc/{id}/status"), "VmHWM:");
            sum.pss += mib(&format!("/proc/{id}/smaps_rollup"), "Pss:");
        }
        sum
    }
}

impl Drop for Filter {
    fn drop(&mut self) {
        // Workers of a program that is killed would live on.
        let all = self.ids();
        for child in &mut self.children {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
        for id in all.into_iter().filter_map(|id| i32::try_from(id).ok()) {
            let _ = kill(Pid::from_raw(id), Signal::SIGKILL);
        }
    }
}

/// These processes and all below them.
pub(crate) fn family(mut ids: Vec<u32>) -> Vec<u32> {
    let mut at = 0;
    while let Some(&id) = ids.get(at) {
        let threads = std::fs::read_dir(format!("/proc/{id}/task"));
        for thread in threads.into_iter().flatten().flatten() {
            let children = std::fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            ids.extend(
                children
                    .split_whitespace()
                    .filter_map(|id| id.parse::<u32>().ok()),
            );
        }
        at += 1;
    }
    ids
}

/// User and system time of these processes, and of their children that have ended.
pub(crate) fn cpu_of(ids: &[u32]) -> Cpu {
    let mut sum = Cpu::default();
    for id in ids {
        // One that ended meanwhile is counted with its parent.
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        let cpu = parse_stat(&stat);
        sum.user += cpu.user;
        sum.system += cpu.system;
    }
    sum
}

fn parse_stat(stat: &str) -> Cpu {
    // The name of the program stands in brackets and may hold blanks.
    let after = stat.rsplit_once(") ").map_or("", |(_, after)| after);
    let fields: Vec<f64> = after
        .split_whitespace()
        .map(|field| field.parse().unwrap_or(0.0))
        .collect();
    let at = |place: usize| fields.get(place).copied().unwrap_or(0.0) / TICKS;
    // utime, stime, cutime, cstime are fields 14 to 17; the state is field 3.
    Cpu {
        user: at(11) + at(13),
        system: at(12) + at(14),
    }
}

/// Memory of a process at its peak so far, in MiB; 0 when it has ended.
pub(crate) fn peak_mib(id: u32) -> f64 {
    mib(&format!("/proc/{id}/status"), "VmHWM:")
}

fn mib(file: &str, key: &str) -> f64 {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(key));
    let number = line.and_then(|line| line.trim().split(' ').next()?.parse::<f64>().ok());
    number.unwrap_or(0.0) / 1024.0
}

/// Waits until there is something, or a minute has passed.
pub(crate) fn wait_for<T>(mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        if let Some(found) = look() {
            return Some(found);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_a_name_with_blanks_and_brackets() {
        let stat = "7 (a (b) c) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 30 20 20 0 1 0 5 6 7";
        let cpu = parse_stat(stat);
        assert!((cpu.user - 2.8).abs() < 1e-9, "{cpu:?}");
        assert!((cpu.system - 0.7).abs() < 1e-9, "{cpu:?}");
        assert!(parse_stat("").total() < 1e-9);
    }

    #[test]
    fn a_family_has_the_children_of_all_threads() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let ids = family(vec![std::process::id()]);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(ids.contains(&child.id()), "{ids:?}");
    }
}
