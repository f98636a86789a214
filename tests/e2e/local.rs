//! What users of the same host can do to the service: with its sockets, its files, and the files it is given.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use landmarc_testkit::dns_server::DnsServer;
use landmarc_testkit::mta::{Mail, Mta, Verdict};
use landmarc_testkit::needs::Need;
use landmarc_testkit::tools::wait_for;
use landmarc_testkit::tools::{Folder, free_port};
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use nix::sys::stat::Mode;
use nix::unistd::{Uid, geteuid, mkfifo, setfsuid};

use crate::binary::{Ran, executable, landmarc};
use crate::serve::for_mta;
use crate::service::{Service, Socket};

/// Connections that are served at once.
const PLACES: usize = 4;
/// Starts under attack.
const STARTS: usize = 20;
/// The number of the user and group that own nothing.
const NOBODY: u32 = 65_534;

/// A service without a name server: the messages of these tests ask nothing that matters.
fn start(name: &str, settings: &str) -> (Service, DnsServer) {
    let dns = DnsServer::start(landmarc_testkit::txt_zones(&[]));
    let service = Service::start(name, Socket::Inet, dns.addr(), settings);
    (service, dns)
}

fn connect(service: &Service) -> Mta {
    Mta::connect(&for_mta(service.milter())).unwrap()
}

fn is_answered(mta: &mut Mta) -> bool {
    mta.deliver(&Mail::plain()).unwrap().verdict == Verdict::Accept
}

#[test]
fn connections_that_say_nothing_do_not_keep_mail_from_the_milter() {
    let (service, _dns) = start("local-milter", &format!("milter.max_sessions = {PLACES}\n"));
    let silent: Vec<Mta> = (0..PLACES).map(|_| connect(&service)).collect();
    service.wait_for_line("most connections are taken");
    assert!(is_answered(&mut connect(&service)));
    service.wait_for_line("one without a message under way made room");
    drop(silent);
}

#[test]
fn clients_that_are_slow_do_not_keep_others_from_the_check_api() {
    let port = free_port();
    let settings =
        format!("check_api.listen = [\"inet:127.0.0.1:{port}\"]\ncheck_api.max_connections = {PLACES}\n");
    let (_service, _dns) = start("local-api", &settings);
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let slow: Vec<TcpStream> = (0..PLACES).map(|_| begin_request(address)).collect();
    let mut client = begin_request(address);
    client
        .write_all(b"Host: localhost\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    drop(slow);
}

fn begin_request(address: SocketAddr) -> TcpStream {
    let mut client = TcpStream::connect(address).unwrap();
    client.write_all(b"GET /ping HTTP/1.1\r\n").unwrap();
    client
}

/// Root opens the sockets in a directory of the user that the service becomes, and that user swaps the socket for a
/// link to a file of root's.
#[test]
fn the_user_of_the_service_gets_no_file_of_roots_through_its_socket() {
    if !geteuid().is_root() {
        Need::Root.is_missing("only root gives sockets away");
        return;
    }
    let folder = Folder::new("local-socket");
    let directory = folder.path().join("run");
    fs::create_dir(&directory).unwrap();
    chown(&directory, Some(NOBODY), Some(NOBODY)).unwrap();
    let victim = folder.write("victim", "precious");
    fs::set_permissions(&victim, Permissions::from_mode(0o600)).unwrap();
    let (socket, link) = (directory.join("s"), directory.join("link"));
    let settings = format!(
        "milter.listen = [\"unix:{}\"]\nweb.listen = []\nlog.target = \"stderr\"\nserver.user = \"nobody\"\n\
         store.directory = \"{}\"\n",
        socket.display(),
        folder.path().join("store").display()
    );
    let settings = folder.write("landmarc.toml", settings);
    for _ in 0..STARTS {
        for left in [&socket, &link] {
            let _ = fs::remove_file(left);
        }
        symlink(&victim, &link).unwrap();
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                // Of this thread alone.
                setfsuid(Uid::from_raw(NOBODY));
                let swap = || renameat2(AT_FDCWD, &link, AT_FDCWD, &socket, RenameFlags::RENAME_EXCHANGE);
                while swap().is_err() && !is_over.load(Ordering::Relaxed) {}
            });
            let mut child = serve(&settings);
            let log = BufReader::new(child.stderr.take().unwrap());
            // To the line that says where it listens, or to its end.
            let listens = |line: &String| line.contains("smtpd_milters = ");
            let _ = log.lines().map_while(Result::ok).find(listens);
            is_over.store(true, Ordering::Relaxed);
            let _ = child.kill();
            child.wait().unwrap();
        });
        let found = fs::metadata(&victim).unwrap();
        assert_eq!((found.mode() & 0o7777, found.uid(), found.gid()), (0o600, 0, 0));
    }
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
}

fn serve(settings: &Path) -> Child {
    Command::new(executable())
        .args(["serve", "--config"])
        .arg(settings)
        .env_remove("JOURNAL_STREAM")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn make_fifo(path: &Path) {
    mkfifo(path, Mode::from_bits_truncate(0o600)).unwrap();
}

/// What a command comes to that must not hang.
#[track_caller]
fn in_time(arguments: &[&str]) -> Ran {
    let mut child = Command::new(executable())
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    if wait_for(|| child.try_wait().unwrap()).is_none() {
        let _ = child.kill();
        panic!("{arguments:?} hangs");
    }
    landmarc(arguments)
}

#[test]
fn a_fifo_in_the_place_of_the_database_holds_up_neither_mail_nor_readers_nor_the_end() {
    let (mut service, _dns) = start("local-fifo", "server.shutdown_grace = \"1s\"\n");
    let mut mta = connect(&service);
    assert!(is_answered(&mut mta));
    let database = service.database();
    fs::remove_file(&database).unwrap();
    make_fifo(&database);
    for _ in 0..3 {
        mta.abort().unwrap();
        assert!(is_answered(&mut mta));
    }
    let settings = service.settings_file().display().to_string();
    for command in [&["log"][..], &["store", "status"], &["explain", "x"]] {
        let ran = in_time(&[command, &["--config", &settings]].concat());
        assert_eq!(ran.code, 65, "{command:?}: {}", ran.stderr);
    }
    service.terminate();
    assert_eq!(service.wait_for_end().code(), Some(0));
}

#[test]
fn a_fifo_beside_the_database_holds_up_nobody() {
    let folder = Folder::new("local-journal");
    let database = folder.path().join("landmarc.db");
    let store = database.display().to_string();
    fs::write(&database, "").unwrap();
    make_fifo(&folder.path().join("landmarc.db-journal"));
    let ran = in_time(&["log", "--store", &store]);
    assert_eq!(ran.code, 65, "{}", ran.stderr);
}

#[test]
fn fifos_and_odd_names_among_the_files_of_others_are_skipped_and_shown_harmless() {
    let (service, _dns) = start("local-import", "");
    let settings = service.settings_file().display().to_string();
    let folder = Folder::new("local-import-files");
    let fifo = folder.path().join("a.segment");
    make_fifo(&fifo);
    let odd = folder.write("x\u{1b}[31m\ny.segment", "x");
    let names = [&fifo, &odd].map(|path: &PathBuf| path.display().to_string());
    let ran = in_time(&["store", "import", "--config", &settings, &names[0], &names[1]]);
    assert_eq!(ran.code, 65, "{}", ran.stderr);
    let printed = ran.stderr.replace(&folder.path().display().to_string(), "DIR");
    insta::assert_snapshot!(printed, @r"
    landmarc: cannot read DIR/a.segment: it is no plain file
    landmarc: DIR/x\u{1b}[31m\ny.segment: these octets are no segment: they do not begin as one
      name a file that `spool export` wrote
    ");
    let ran = in_time(&["store", "backup", "--config", &settings, &names[0]]);
    assert_eq!(ran.code, 65, "{}", ran.stderr);
    assert!(fs::symlink_metadata(&fifo).is_ok_and(|found| !found.is_file()));
    for command in [&["migrate", "opendmarc", "--config"][..], &["config", "check"]] {
        let ran = in_time(&[command, &[&names[1]]].concat());
        assert!(
            ran.stderr.contains("x\\u{1b}[31m\\ny.segment:1:"),
            "{}",
            ran.stderr
        );
    }
}

/// Open files that a process may have.
const FILES: usize = 64;

#[test]
fn a_service_with_few_descriptors_says_so_at_its_start_and_once_when_they_run_out() {
    let dns = DnsServer::start(landmarc_testkit::txt_zones(&[]));
    let folder = Folder::new("local-descriptors");
    let port = free_port();
    let settings = format!(
        "milter.listen = [\"inet:127.0.0.1:0\"]\nweb.listen = []\nlog.target = \"stderr\"\n\
         check_api.listen = [\"inet:127.0.0.1:{port}\"]\ndns.name_servers = [\"{}\"]\nstore.directory = \"{}\"\n",
        dns.addr(),
        folder.path().join("store").display()
    );
    let settings = folder.write("landmarc.toml", settings);
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let mut child = Command::new("sh")
        .args([
            "-c",
            &format!("ulimit -n {FILES}; exec \"$0\" serve --config \"$1\""),
        ])
        .args([executable(), &settings])
        .env_remove("JOURNAL_STREAM")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap())
        .lines()
        .map(Result::unwrap);
    log.find(|line| line.contains("LimitNOFILE") && line.contains(&format!("granted={FILES}")))
        .unwrap();
    log.find(|line| line.contains("check API on ")).unwrap();
    let crowd: Vec<TcpStream> = (0..2 * FILES)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    log.find(|line| line.contains("cannot accept connections"))
        .unwrap();
    // Long enough for some further attempts.
    for _ in 0..5 {
        in_time(&["config", "check", &settings.display().to_string()]);
    }
    drop(crowd);
    let mut client = begin_request(address);
    client
        .write_all(b"Host: localhost\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    let further = log
        .filter(|line| line.contains("cannot accept connections"))
        .count();
    assert_eq!(further, 0, "one line a minute");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_soft_limit_of_descriptors_is_raised_as_far_as_they_are_needed() {
    let folder = Folder::new("local-soft");
    let settings = format!(
        "milter.listen = [\"inet:127.0.0.1:0\"]\nmilter.max_sessions = 100\nweb.listen = []\nlog.target = \"stderr\"\n\
         store.directory = \"{}\"\n",
        folder.path().join("store").display()
    );
    let settings = folder.write("landmarc.toml", settings);
    let mut child = Command::new("sh")
        .args([
            "-c",
            &format!("ulimit -S -n {FILES}; exec \"$0\" serve --config \"$1\""),
        ])
        .args([executable(), &settings])
        .env_remove("JOURNAL_STREAM")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap())
        .lines()
        .map(Result::unwrap);
    log.find(|line| line.contains("smtpd_milters = ")).unwrap();
    let limits = fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
    let files = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))
        .unwrap();
    let soft: usize = files.split_whitespace().next().unwrap().parse().unwrap();
    let _ = child.kill();
    child.wait().unwrap();
    assert!(soft > FILES, "{files}");
}
