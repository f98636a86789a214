//! What the system knows of this process. On Linux; elsewhere what cannot be read is left out.

use std::fs;

use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage};
use nix::sys::time::TimeVal;

/// How the process is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Process {
    /// Processor time that was used, of the program and of the system for it.
    pub(super) cpu_seconds: Option<f64>,
    /// Memory that is in the machine's.
    pub(super) resident_bytes: Option<u64>,
    pub(super) open_files: Option<u64>,
    pub(super) max_open_files: Option<u64>,
}

impl Process {
    /// As it is now.
    pub(crate) fn read() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let usage = getrusage(UsageWho::RUSAGE_SELF).ok();
        Self {
            cpu_seconds: usage.map(|usage| seconds(usage.user_time()) + seconds(usage.system_time())),
            resident_bytes: resident_bytes(&status),
            open_files: open_files(),
            max_open_files: getrlimit(Resource::RLIMIT_NOFILE).ok().map(|(soft, _)| soft),
        }
    }
}

/// Exact for a good million years.
#[allow(clippy::cast_precision_loss)]
fn seconds(time: TimeVal) -> f64 {
    time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6
}

/// The line `VmRSS:      1234 kB` of proc(5).
fn resident_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

fn open_files() -> Option<u64> {
    let listed = fs::read_dir("/proc/self/fd").ok()?.count();
    // One of them is open for the listing.
    u64::try_from(listed.saturating_sub(1)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_found_in_the_status_and_nothing_else_is_taken_for_it() {
        let status = "Name:\tVmRSS: 1 kB\nVmSize:\t  9000 kB\nVmRSS:\t    5124 kB\nRssAnon:\t 1 kB\n";
        assert_eq!(resident_bytes(status), Some(5124 * 1024));
        for damaged in [
            "",
            "VmRSS:",
            "VmRSS: kB",
            "VmRSS: 1 MB",
            "VmRSS: 18446744073709551615 kB",
        ] {
            assert_eq!(resident_bytes(damaged), None, "{damaged:?}");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn on_linux_all_of_it_is_known() {
        let process = Process::read();
        assert!(
            process.cpu_seconds.is_some_and(|seconds| seconds > 0.0),
            "{process:?}"
        );
        assert!(process.resident_bytes.is_some_and(|bytes| bytes > 1024 * 1024));
        let open = process.open_files.unwrap();
        assert!(open > 2 && open < process.max_open_files.unwrap());
    }
}
