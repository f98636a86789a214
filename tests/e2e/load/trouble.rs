//! The store cannot be written, or is gone, while mail goes on: each message is answered as
//! ever, and what was answered is written down once the trouble is over, or counted as lost.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use landmarc_testkit::needs::Need;
use landmarc_testkit::tools::Folder;

use super::letter::{fate, fate_of};
use super::traffic::{Account, Traffic};
use super::written::Written;
use super::{Scene, wait_for};

/// Connections that send. Each message waits 100 ms for a store in trouble (decision D13).
const CONNECTIONS: usize = 16;
/// Connections that send more than the smallest `store.memory` takes.
const MANY_CONNECTIONS: usize = 64;
/// Room on the disk that fills up, in KiB.
const DISK: u32 = 8 * 1024;
/// Messages before, within and after the trouble.
const MESSAGES: usize = 100;
/// Messages that no MiB of memory holds.
const PAST_MEMORY: usize = 3_000;

/// How long before it is looked again whether there is room on a full disk.
const PAUSE: Duration = Duration::from_millis(1);

/// What somebody removes who knows little of what lies beside a database, or all of it.
const REMOVED: [&[&str]; 5] = [&[""], &["", "-wal", "-shm"], &["-wal", "-shm"], &["-wal"], &[]];

const TROUBLE: &str = "the store cannot be written";
const RECOVERED: &str = "the store is written again";
const GIVEN_UP: &str = "records were given up for want of memory";
const LOST: &str = "records were lost";

#[test]
fn a_full_disk_under_load_delays_and_loses_nothing() {
    let Some(disk) = Disk::mount("load-full") else {
        return;
    };
    let mut scene = Scene::start("load-full", &disk.settings());
    let traffic = Traffic::start(scene.address(), CONNECTIONS);
    traffic.wait_for_more(MESSAGES);
    let full = disk.fill();
    scene.wait_until_store_up(0);
    traffic.wait_for_later_ones(MESSAGES);
    drop(full);
    scene.wait_until_store_up(1);
    traffic.wait_for_later_ones(MESSAGES);
    let account = traffic.stop();
    scene.wait_until_written();
    assert_eq!(
        scene.figure("landmarc_store_committed_total"),
        account.answered.len()
    );
    assert_eq!(scene.stop(), Some(0));

    account.assert_fates();
    assert_eq!(account.unanswered, BTreeSet::new());
    Written::read(&disk.database()).assert_holds(&account);
    assert!(lines_with(&scene, TROUBLE) > 0 && lines_with(&scene, RECOVERED) > 0);
    assert_eq!(lines_with(&scene, GIVEN_UP) + lines_with(&scene, LOST), 0);
    scene.assert_no_panic();
}

#[test]
fn what_waits_past_its_memory_is_given_up_and_counted_to_the_last_message() {
    let Some(disk) = Disk::mount("load-memory") else {
        return;
    };
    let settings = format!("{}store.memory = \"1MiB\"\n", disk.settings());
    let mut scene = Scene::start("load-memory", &settings);
    let traffic = Traffic::start(scene.address(), MANY_CONNECTIONS);
    traffic.wait_for_more(MESSAGES);
    let full = disk.fill();
    scene.wait_until_store_up(0);
    traffic.wait_for_later_ones(PAST_MEMORY);
    drop(full);
    scene.wait_until_store_up(1);
    traffic.wait_for_later_ones(MESSAGES);
    let account = traffic.stop();
    scene.wait_until_written();
    let counted = ["observation", "tally"].map(|kind| {
        let name = format!("landmarc_store_dropped_total{{kind=\"{kind}\"}}");
        scene.figure(&name)
    });
    assert_eq!(scene.stop(), Some(0));

    account.assert_fates();
    assert_eq!(account.unanswered, BTreeSet::new());
    let written = Written::read(&disk.database());
    let end = scene.service.wait_for_line(LOST);
    let answered = account.answered.len();
    let lost = [" observations=", " tallies="].map(|name| number_after(&end, name));
    assert_eq!(lost, counted, "the log and the metrics differ");
    eprintln!("trouble: {answered} answered, {lost:?} observations and tallies given up");
    assert!(lost[0] > 0, "more memory than it was told: {end}");
    assert_eq!(
        [
            written.observations.len() + lost[0],
            written.tally.len() + lost[1]
        ],
        [answered; 2]
    );
    for record in [&written.observations, &written.tally] {
        assert!(record.values().all(|count| *count == 1));
    }
    scene.assert_no_panic();
}

#[test]
fn with_tempfail_for_a_store_in_trouble_mail_is_put_off_until_it_is_written_again() {
    let Some(disk) = Disk::mount("load-tempfail") else {
        return;
    };
    let settings = format!("{}failures.store.action = \"tempfail\"\n", disk.settings());
    let mut scene = Scene::start("load-tempfail", &settings);
    let traffic = Traffic::start(scene.address(), CONNECTIONS);
    traffic.wait_for_more(MESSAGES);
    let full = disk.fill();
    let put_off = || scene.figure("landmarc_failures_total{cause=\"store\"}");
    assert!(wait_for(|| (put_off() >= MESSAGES).then_some(())).is_some());
    drop(full);
    scene.wait_until_store_up(1);
    let recovered = traffic.next();
    traffic.wait_for_later_ones(MESSAGES);
    let account = traffic.stop();
    assert_eq!(scene.stop(), Some(0));

    let is_put_off = |number: &u64| account.answered[number].smtp_code() == Some("451");
    let (put_off, judged): (BTreeSet<u64>, BTreeSet<u64>) =
        account.answered.keys().partition(|n| is_put_off(n));
    assert!(put_off.len() >= MESSAGES, "{put_off:?}");
    assert!(
        put_off.last() < Some(&recovered),
        "it is written again, and mail is put off"
    );
    for number in &judged {
        assert_eq!(
            fate_of(&account.answered[number]),
            Some(fate(*number)),
            "message {number}"
        );
    }
    // What was put off comes again, and is counted then.
    let written = Written::read(&disk.database());
    assert_eq!(written.tally.keys().copied().collect::<BTreeSet<_>>(), judged);
    assert!(written.observations.keys().eq(account.answered.keys()));
    assert!(
        written
            .tally
            .values()
            .chain(written.observations.values())
            .all(|count| *count == 1)
    );
    scene.assert_no_panic();
}

#[test]
fn a_store_removed_under_load_is_made_anew_and_takes_all_that_follows() {
    let mut scene = Scene::start("load-removed", "");
    let store = scene.service.database();
    let mut account = Account::default();
    for what in REMOVED {
        let traffic = Traffic::resume(account, scene.address(), CONNECTIONS);
        traffic.wait_for_more(MESSAGES);
        remove(&store, what);
        let removed = traffic.next();
        traffic.wait_for_later_ones(MESSAGES);
        account = traffic.stop();
        assert_eq!(scene.stop(), Some(0));

        let written = Written::read(&store);
        written.assert_nothing_twice();
        let missing: Vec<_> = written.missing(&account).range(removed..).copied().collect();
        assert_eq!(
            missing,
            Vec::<u64>::new(),
            "sent after {what:?} were removed, and not written down"
        );
        scene.service.start_again();
    }
    account.assert_fates();
    assert_eq!(account.unanswered, BTreeSet::new());
    assert_eq!(lines_with(&scene, LOST), 0);
    scene.assert_no_panic();
}

/// Removes files of a store, or all of its directory where none are named.
fn remove(store: &Path, endings: &[&str]) {
    if endings.is_empty() {
        fs::remove_dir_all(store.parent().unwrap()).unwrap();
    }
    for ending in endings {
        let file = store.with_file_name(format!("landmarc.db{ending}"));
        // The service may make or remove some of them itself at this moment.
        if let Err(error) = fs::remove_file(&file) {
            assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{}", file.display());
        }
    }
}

#[test]
fn a_store_moved_away_under_load_and_the_next_one_hold_every_message() {
    let mut scene = Scene::start("load-moved", "");
    let store = scene.service.database();
    let aside = store.parent().unwrap().with_file_name("aside");
    let traffic = Traffic::start(scene.address(), CONNECTIONS);
    traffic.wait_for_more(MESSAGES);
    fs::rename(store.parent().unwrap(), &aside).unwrap();
    traffic.wait_for_later_ones(MESSAGES);
    let account = traffic.stop();
    assert_eq!(scene.stop(), Some(0));

    account.assert_fates();
    let (old, new) = (Written::read(&aside.join("landmarc.db")), Written::read(&store));
    old.assert_nothing_twice();
    new.assert_nothing_twice();
    let lost: Vec<_> = old
        .missing(&account)
        .intersection(&new.missing(&account))
        .copied()
        .collect();
    assert_eq!(lost, Vec::<u64>::new(), "answered, and in neither store");
    scene.assert_no_panic();
}

#[test]
fn a_directory_that_cannot_be_made_is_waited_for_under_load() {
    let mut scene = Scene::start("load-directory", "");
    let store = scene.service.database();
    let directory = store.parent().unwrap();
    let traffic = Traffic::start(scene.address(), CONNECTIONS);
    traffic.wait_for_more(MESSAGES);
    // A file in its place holds up root as well; the service may make the directory first.
    fs::rename(directory, directory.with_file_name("aside")).unwrap();
    while File::create_new(directory).is_err() {
        let _ = fs::remove_dir_all(directory);
    }
    let removed = traffic.next();
    scene.wait_until_store_up(0);
    traffic.wait_for_later_ones(MESSAGES);
    fs::remove_file(directory).unwrap();
    scene.wait_until_store_up(1);
    traffic.wait_for_later_ones(MESSAGES);
    let account = traffic.stop();
    assert_eq!(scene.stop(), Some(0));

    account.assert_fates();
    let written = Written::read(&store);
    written.assert_nothing_twice();
    let missing = written.missing(&account);
    assert!(
        missing.last() < Some(&removed),
        "sent after the removal, and not written down: {missing:?}"
    );
    assert_eq!(lines_with(&scene, GIVEN_UP) + lines_with(&scene, LOST), 0);
    scene.assert_no_panic();
}

fn lines_with(scene: &Scene, words: &str) -> usize {
    scene
        .service
        .log()
        .iter()
        .filter(|line| line.contains(words))
        .count()
}

/// The number that follows these words in a line of the log.
#[track_caller]
fn number_after(line: &str, words: &str) -> usize {
    let number = line
        .split_once(words)
        .and_then(|(_, rest)| rest.split(' ').next()?.parse().ok());
    number.unwrap_or_else(|| panic!("no{words} in {line}"))
}

/// A small disk of its own, in memory.
struct Disk {
    folder: Folder,
}

impl Disk {
    /// Mounting takes root. Elsewhere there is none, and the test says so.
    fn mount(name: &str) -> Option<Self> {
        let disk = Self {
            folder: Folder::new(&format!("{name}-disk")),
        };
        let size = format!("size={DISK}k");
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "none"])
            .arg(disk.path())
            .status();
        if mount.is_ok_and(|status| status.success()) {
            return Some(disk);
        }
        Need::Root.is_missing("only root mounts a tmpfs");
        None
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn settings(&self) -> String {
        format!("store.directory = \"{}\"\n", self.path().display())
    }

    fn database(&self) -> PathBuf {
        self.path().join("landmarc.db")
    }

    /// Takes all the room there is, and all that comes free, until it is dropped.
    fn fill(&self) -> Full {
        let path = self.path().join("filler");
        let mut file = File::create(&path).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stops = Arc::clone(&stop);
        let filling = std::thread::spawn(move || {
            while !stops.load(Ordering::Relaxed) {
                if file.write_all(&[0; 4096]).is_err() {
                    std::thread::sleep(PAUSE);
                }
            }
        });
        Full {
            path,
            stop,
            filling: Some(filling),
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: the service may still hold its files.
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}

/// A disk without room.
struct Full {
    path: PathBuf,
    stop: Arc<AtomicBool>,
    filling: Option<JoinHandle<()>>,
}

impl Drop for Full {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // A panic over there has been printed.
        drop(self.filling.take().map(JoinHandle::join));
        fs::remove_file(&self.path).unwrap();
    }
}
