//! Who sends a letter: one process, which can be told from every other, and known to be gone.
//!
//! A lease outlives a process that was killed. On the same host its successor need not wait for the
//! end of it: a process that is not there any more sends nothing.

use std::fs;
use std::path::Path;
use std::process;

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;

use crate::rules::host_name;

/// Between the parts of a name; no host name has it.
const BETWEEN: char = '/';

/// The name of this process.
pub fn lease_owner() -> String {
    format!("{}{BETWEEN}{}{BETWEEN}{}", host_name(), here(), process::id())
}

/// Whether this is the name of a process that has ended: one of this host, in which numbers of
/// processes mean what they mean to us. What cannot be known is no.
pub fn is_gone(owner: &str) -> bool {
    let mut parts = owner.split(BETWEEN);
    let (Some(host), Some(place), Some(number), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    if (host, place) != (host_name().as_str(), here().as_str()) {
        return false;
    }
    number
        .parse()
        .is_ok_and(|number| number > 0 && kill(Pid::from_raw(number), None) == Err(Errno::ESRCH))
}

/// The boot and the space of process numbers that we are in: in a container, another one may have
/// the same host name and the same numbers.
fn here() -> String {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let space = fs::read_link(Path::new("/proc/self/ns/pid")).unwrap_or_default();
    let space = space.to_string_lossy();
    let digits: String = space.chars().filter(char::is_ascii_digit).collect();
    format!("{}.{digits}", boot.trim().get(..8).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_has_ended_is_gone_and_others_are_not() {
        assert!(!is_gone(&lease_owner()), "we are here");
        let mut child = process::Command::new("true").spawn().unwrap();
        let (before, _) = lease_owner()
            .rsplit_once(BETWEEN)
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .unwrap();
        let of_child = format!("{before}{BETWEEN}{}", child.id());
        child.wait().unwrap();
        assert!(is_gone(&of_child));
        for unknown in [
            format!("elsewhere.example{BETWEEN}{}{BETWEEN}{}", here(), child.id()),
            format!("{}{BETWEEN}other{BETWEEN}{}", host_name(), child.id()),
            format!("{before}{BETWEEN}0"),
            format!("{before}{BETWEEN}-1"),
            format!("{of_child}{BETWEEN}1"),
            "somebody".to_owned(),
            String::new(),
        ] {
            assert!(!is_gone(&unknown), "{unknown}");
        }
    }
}
