//! What systemd is told: that the service takes mail, reads its settings again, lives, and stops.

use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use landmarc_testkit::tools::Folder;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::binary::executable;

/// A service under somebody who plays systemd; dropping it kills it.
struct Unit {
    child: Child,
    notices: UnixDatagram,
    _folder: Folder,
}

impl Unit {
    fn start(name: &str, environment: &[(&str, &str)]) -> Self {
        let folder = Folder::new(name);
        let socket = folder.path().join("notify");
        let notices = UnixDatagram::bind(&socket).unwrap();
        notices.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let settings = folder.write(
            "landmarc.toml",
            "milter.listen = [\"inet:127.0.0.1:0\"]\nweb.listen = []\nlog.target = \"stderr\"\n",
        );
        let child = Command::new(executable())
            .args(["serve", "--config"])
            .arg(settings)
            .env("STATE_DIRECTORY", folder.path().join("store"))
            .env("NOTIFY_SOCKET", &socket)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self {
            child,
            notices,
            _folder: folder,
        }
    }

    fn next(&self) -> String {
        let mut octets = [0; 512];
        let length = self.notices.recv(&mut octets).expect("systemd is told something");
        String::from_utf8(octets[..length].to_vec())
            .unwrap()
            .trim_end()
            .to_owned()
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }
}

impl Drop for Unit {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn start_reload_and_stop_are_told_in_their_order() {
    let mut unit = Unit::start("systemd-order", &[]);
    assert_eq!(unit.next(), "READY=1");
    for _ in 0..2 {
        unit.signal(Signal::SIGHUP);
        let reloading = unit.next();
        let since = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=");
        let since: u64 = since.unwrap_or_else(|| panic!("{reloading:?}")).parse().unwrap();
        assert!(since > 0);
        assert_eq!(unit.next(), "READY=1");
    }
    unit.signal(Signal::SIGTERM);
    assert_eq!(unit.next(), "STOPPING=1");
    assert_eq!(unit.child.wait().unwrap().code(), Some(0));
}

#[test]
fn signs_of_life_come_where_a_watchdog_waits_for_them() {
    let unit = Unit::start("systemd-watchdog", &[("WATCHDOG_USEC", "100000")]);
    assert_eq!(unit.next(), "READY=1");
    for _ in 0..4 {
        assert_eq!(unit.next(), "WATCHDOG=1");
    }
    unit.signal(Signal::SIGTERM);
    let mut last = unit.next();
    while last == "WATCHDOG=1" {
        last = unit.next();
    }
    assert_eq!(last, "STOPPING=1");
}

/// The variables are for another process, which handed them on (sd_watchdog_enabled(3)).
#[test]
fn the_watchdog_of_somebody_else_is_not_fed() {
    let unit = Unit::start(
        "systemd-other",
        &[("WATCHDOG_USEC", "1000"), ("WATCHDOG_PID", "1")],
    );
    assert_eq!(unit.next(), "READY=1");
    unit.signal(Signal::SIGTERM);
    assert_eq!(unit.next(), "STOPPING=1");
}
