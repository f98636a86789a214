//! A network of hosts in namespaces of the kernel: real addresses, a router between them, and links
//! that are cut, lossy or slow.
//!
//! Each place has one link, to the router. What is lost is dropped there, by nftables, so that TCP on
//! both ends really sends again; what is slow waits in a queue of the kernel (`tc tbf`).

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use landmarc_testkit::needs::Need;
use landmarc_testkit::tools::output_of;
use nix::sched::{CloneFlags, setns};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How the names of all namespaces begin; the number of the process follows.
const PREFIX: &str = "landmarc-";
/// The place between all others.
const ROUTER: &str = "router";
/// Where `ip netns` keeps them.
const NAMESPACES: &str = "/run/netns";
/// The link of each place, as it calls it. The router calls it by the place.
const LINK: &str = "eth0";

/// Hosts and their links; gone when the test is, with all that runs there.
pub(crate) struct Network {
    /// How the names of these namespaces begin.
    name: String,
    places: Vec<&'static str>,
}

impl Network {
    /// With these places, each with a link to a router. None where the run does without root or without tools.
    pub(crate) fn start(places: &[&'static str]) -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        if !is_possible() {
            return None;
        }
        remove_leftovers();
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let network = Self {
            name: format!("{PREFIX}{}-{number}-", std::process::id()),
            places: places.to_vec(),
        };
        network.make(ROUTER);
        network.within(ROUTER, || {
            fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
        });
        for place in places {
            network.make(place);
            network.link(place);
        }
        Some(network)
    }

    /// The address of a place.
    pub(crate) fn address(&self, place: &str) -> Ipv4Addr {
        Ipv4Addr::new(10, 77, self.number(place), 2)
    }

    /// Does something at a place: sockets that are made, threads and processes that are started, are there.
    pub(crate) fn within<T: Send>(&self, place: &str, does: impl FnOnce() -> T + Send) -> T {
        let namespace = File::open(format!("{NAMESPACES}/{}", self.namespace(place))).unwrap();
        let moved = move || {
            // Of this thread alone, which ends.
            setns(namespace, CloneFlags::CLONE_NEWNET).unwrap();
            does()
        };
        let done = std::thread::scope(|scope| scope.spawn(moved).join());
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// Nothing gets through any more, in either direction; nobody is told.
    pub(crate) fn cut(&self, place: &str) {
        self.filter(place, "counter drop");
    }

    /// One packet in so many of a hundred is lost, in either direction.
    pub(crate) fn lossy(&self, place: &str, percent: u8) {
        self.filter(place, &format!("numgen random mod 100 < {percent} counter drop"));
    }

    /// So many kilobits a second, in either direction, with a queue of half a second.
    pub(crate) fn slow(&self, place: &str, kbit: u32) {
        for (at, link) in [(ROUTER, place), (place, LINK)] {
            let shape = format!("qdisc replace dev {link} root tbf rate {kbit}kbit burst 16kb latency 500ms");
            self.tool("tc", at, &shape);
        }
    }

    /// All gets through again, as fast as it can.
    pub(crate) fn mend(&self, place: &str) {
        self.nft(&delete(place));
        for (at, link) in [(ROUTER, place), (place, LINK)] {
            // It fails where there is none.
            let mut tc = Command::new("tc");
            tc.args(["-n", &self.namespace(at), "qdisc", "del", "dev", link, "root"]);
            let _ = tc.stderr(Stdio::null()).status();
        }
    }

    /// The packets that were lost since the link was last cut or made lossy.
    pub(crate) fn lost(&self, place: &str) -> u64 {
        let rules = self.tool("nft", ROUTER, &format!("list table inet {}", table(place)));
        let mut words = rules.split_whitespace();
        let mut lost = 0;
        while words.any(|word| word == "packets") {
            lost += words.next().and_then(|count| count.parse::<u64>().ok()).unwrap();
        }
        lost
    }

    /// What is done with each packet from or to a place.
    fn filter(&self, place: &str, verdict: &str) {
        let rules = format!(
            "{}table inet {} {{ chain forward {{ type filter hook forward priority 0; policy accept;\n\
             iifname \"{place}\" {verdict}\noifname \"{place}\" {verdict}\n}}\n}}\n",
            delete(place),
            table(place)
        );
        self.nft(&rules);
    }

    fn nft(&self, rules: &str) {
        let mut nft = self.within(ROUTER, || {
            let mut nft = Command::new("nft");
            nft.args(["-f", "-"]).stdin(Stdio::piped()).spawn().unwrap()
        });
        nft.stdin.take().unwrap().write_all(rules.as_bytes()).unwrap();
        assert!(nft.wait().unwrap().success(), "{rules}");
    }

    /// Its namespace, with loopback.
    fn make(&self, place: &str) {
        output_of(Command::new("ip").args(["netns", "add", &self.namespace(place)]));
        self.tool("ip", place, "link set lo up");
    }

    /// A link between it and the router, and a way to everywhere.
    fn link(&self, place: &str) {
        let (number, ours) = (self.number(place), self.namespace(place));
        let pair = format!("link add {place} type veth peer name {LINK} netns {ours}");
        self.tool("ip", ROUTER, &pair);
        self.tool(
            "ip",
            ROUTER,
            &format!("address add 10.77.{number}.1/24 dev {place}"),
        );
        self.tool("ip", ROUTER, &format!("link set {place} up"));
        self.tool(
            "ip",
            place,
            &format!("address add 10.77.{number}.2/24 dev {LINK}"),
        );
        self.tool("ip", place, &format!("link set {LINK} up"));
        self.tool("ip", place, &format!("route add default via 10.77.{number}.1"));
    }

    fn tool(&self, program: &str, place: &str, line: &str) -> String {
        self.within(place, || {
            output_of(Command::new(program).args(line.split_whitespace()))
        })
    }

    fn namespace(&self, place: &str) -> String {
        format!("{}{place}", self.name)
    }

    fn number(&self, place: &str) -> u8 {
        let index = self.places.iter().position(|known| *known == place);
        let index = index.unwrap_or_else(|| panic!("there is no {place}"));
        u8::try_from(index + 1).unwrap()
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for place in self.places.iter().copied().chain([ROUTER]) {
            remove(&self.namespace(place));
        }
    }
}

fn table(place: &str) -> String {
    format!("link_{place}")
}

/// Whether there is one or not.
fn delete(place: &str) -> String {
    let table = table(place);
    format!("table inet {table} {{}}\ndelete table inet {table}\n")
}

/// Whether namespaces can be made, and links in them be spoiled.
fn is_possible() -> bool {
    let runs = |program: &str, argument: &str| {
        let mut command = Command::new(program);
        command.arg(argument).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let tools = runs("ip", "-V") && runs("tc", "-V") && runs("nft", "-v");
    if !tools {
        Need::Tools.is_missing("iproute2 or nftables is not installed");
    }
    let is_root = nix::unistd::geteuid().is_root();
    if !is_root {
        Need::Root.is_missing("only root makes network namespaces");
    }
    tools && is_root
}

/// Removes the namespaces of processes that ended without tidying up.
fn remove_leftovers() {
    for name in namespaces() {
        let process = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        let process = process.and_then(|number| number.parse::<u32>().ok());
        let is_alive = |number| fs::exists(format!("/proc/{number}")).unwrap_or(true);
        if process.is_some_and(|number| !is_alive(number)) {
            remove(&name);
        }
    }
}

fn namespaces() -> BTreeSet<String> {
    // There is none before the first namespace.
    let folder = fs::read_dir(NAMESPACES).into_iter().flatten().flatten();
    folder
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}

/// Ends what runs in it, and removes it. Nothing here may panic.
fn remove(namespace: &str) {
    if let Ok(pids) = Command::new("ip").args(["netns", "pids", namespace]).output() {
        let pids = String::from_utf8_lossy(&pids.stdout).into_owned();
        let ours = i32::try_from(std::process::id()).ok();
        for pid in pids.lines().filter_map(|line| line.trim().parse::<i32>().ok()) {
            if Some(pid) != ours {
                // It fails only when it has ended already.
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
        }
    }
    let _ = Command::new("ip")
        .args(["netns", "delete", namespace])
        .stderr(Stdio::null())
        .status();
}

#[cfg(test)]
mod tests {
    use std::io::{self, Read};
    use std::net::{SocketAddr, TcpListener, TcpStream};
    use std::time::Duration;

    use super::*;
    use landmarc_testkit::tools::wait_for;

    const PORT: u16 = 7777;
    /// A segment that is dropped is sent again after a second at first.
    const SOON: Duration = Duration::from_secs(2);

    /// Somebody who says back what is said.
    fn listen(network: &Network, place: &'static str) -> SocketAddr {
        let address = SocketAddr::from((network.address(place), PORT));
        let listener = network.within(place, || TcpListener::bind(address).unwrap());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                std::thread::spawn(move || io::copy(&mut &stream, &mut &stream));
            }
        });
        address
    }

    fn connect(network: &Network, from: &str, to: SocketAddr) -> io::Result<TcpStream> {
        network.within(from, || TcpStream::connect_timeout(&to, SOON))
    }

    /// Whether so many octets come back.
    fn exchange(mut stream: TcpStream, octets: usize) -> bool {
        let sent = vec![b'x'; octets];
        let mut writer = stream.try_clone().unwrap();
        let copy = sent.clone();
        let writing = std::thread::spawn(move || writer.write_all(&copy).unwrap());
        let mut received = vec![0; octets];
        stream.read_exact(&mut received).unwrap();
        writing.join().unwrap();
        received == sent
    }

    #[test]
    fn each_place_has_an_address_and_reaches_the_others() {
        let Some(network) = Network::start(&["mx1", "mx2", "db"]) else {
            return;
        };
        let db = listen(&network, "db");
        for place in ["mx1", "mx2"] {
            let stream = connect(&network, place, db).unwrap();
            assert_eq!(stream.local_addr().unwrap().ip(), network.address(place));
            assert!(exchange(stream, 100_000));
        }
        let ours = TcpListener::bind("127.0.0.1:0").unwrap();
        let error = connect(&network, "mx1", ours.local_addr().unwrap()).unwrap_err();
        assert_eq!(
            error.kind(),
            io::ErrorKind::ConnectionRefused,
            "loopback is its own"
        );
        let child = network.within("mx2", || {
            output_of(Command::new("ip").args(["-o", "-4", "address", "show", LINK]))
        });
        assert!(child.contains("10.77.2.2/24"), "{child}");
    }

    #[test]
    fn a_link_that_is_cut_carries_nothing_and_a_mended_one_all() {
        let Some(network) = Network::start(&["mx1", "mx2", "db"]) else {
            return;
        };
        let db = listen(&network, "db");
        let mut open = connect(&network, "mx1", db).unwrap();
        for cut in ["mx1", "db"] {
            network.cut(cut);
            let error = connect(&network, "mx1", db).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
            assert!(network.lost(cut) > 0);
            if cut == "mx1" {
                assert!(
                    exchange(connect(&network, "mx2", db).unwrap(), 1_000),
                    "others are not cut"
                );
            }
            open.write_all(b"x").unwrap();
            network.mend(cut);
            assert!(exchange(connect(&network, "mx1", db).unwrap(), 1_000));
            // A connection from before lives on, and has lost nothing.
            open.read_exact(&mut [0]).unwrap();
        }
    }

    #[test]
    fn a_lossy_link_loses_and_tcp_sends_again() {
        let Some(network) = Network::start(&["mx1", "db"]) else {
            return;
        };
        let db = listen(&network, "db");
        let stream = connect(&network, "mx1", db).unwrap();
        network.lossy("mx1", 10);
        let mut exchanged = 0;
        let lost = wait_for(|| {
            assert!(exchange(stream.try_clone().unwrap(), 100_000));
            exchanged += 1;
            Some(network.lost("mx1")).filter(|lost| *lost > 0)
        });
        assert!(lost.is_some(), "nothing was lost in {exchanged} exchanges");
        network.mend("mx1");
        network.slow("mx1", 2_000);
        assert!(exchange(stream, 100_000));
        network.mend("mx1");
    }

    #[test]
    fn it_is_gone_after_the_test_whatever_comes_of_that() {
        let Some(network) = Network::start(&["mx1"]) else {
            return;
        };
        let name = network.name.clone();
        let are_there = || namespaces().iter().any(|namespace| namespace.starts_with(&name));
        assert!(are_there());
        let mut sleeps = network.within("mx1", || Command::new("sleep").arg("1000").spawn().unwrap());
        let test = std::thread::spawn(move || {
            let network = network;
            panic!("a test of {} fails", network.name);
        });
        assert!(test.join().is_err());
        assert!(!are_there());
        assert!(!sleeps.wait().unwrap().success(), "what ran there was killed");
    }

    #[test]
    fn what_a_killed_process_has_left_is_removed() {
        let Some(_network) = Network::start(&["mx1"]) else {
            return;
        };
        // No process has this number (proc(5): at most 2^22).
        let left = format!("{PREFIX}4194305-0-mx1");
        output_of(Command::new("ip").args(["netns", "add", &left]));
        remove_leftovers();
        assert!(!namespaces().contains(&left));
    }
}
