//! What goes wrong with a server: one clear message each, with what can be done about it, on either engine.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use landmarc_store::{
    Accounts, Collector, DatabaseEncryption, DatabaseOptions, DatabaseServer, LogFilter, Migrated, NewReport,
    Reader, Recorder, RecorderOptions, ServerAddress, ServerEngine, Spool, StoreError, Trouble, grants,
};
use landmarc_testkit::databases::{MariaDb, PASSWORD, PostgreSql, Setup, USER};
use landmarc_testkit::tools::free_port;

use crate::bed::server;
use crate::letters::{NOW, outbox, report};
use crate::samples::{Directory, message, record_all};
use crate::ship::{runtime, ship, spooling};

/// The version of this build.
const VERSION: u32 = 3;
/// Users with the least rights.
const SERVICE: &str = "mx1";
const READER: &str = "looker";

/// A running server of either kind, with users and the empty database `x`.
enum Site {
    PostgreSql(PostgreSql),
    MariaDb(MariaDb),
}

/// The same of either.
macro_rules! either {
    ($site:expr, $host:ident => $what:expr) => {
        match $site {
            Site::PostgreSql($host) => $what,
            Site::MariaDb($host) => $what,
        }
    };
}

/// One test on each server; those that need a special one get the setup and start it themselves.
macro_rules! on_both {
    ($($case:ident),+ $(,)?) => {
        mod on_postgresql {
            $(
                #[test]
                fn $case() {
                    super::$case(super::Site::postgresql);
                }
            )+
        }

        mod on_mariadb {
            $(
                #[test]
                fn $case() {
                    super::$case(super::Site::mariadb);
                }
            )+
        }
    };
}

type Start = fn(Setup) -> Option<Site>;

on_both!(
    whoever_is_not_let_in_is_told_why,
    a_right_that_is_missing_is_named,
    tables_of_another_time_or_program_stay_as_they_are,
    hosts_that_migrate_at_once_do_it_once,
    a_migration_that_was_cut_off_is_gone_on_with,
    tables_of_version_2_are_refused_until_they_are_migrated,
    a_server_that_can_only_be_read_is_told,
    a_full_disk_is_told_and_nothing_is_half_done,
    tls_is_asked_for_and_checked,
    too_many_connections_are_told,
    a_server_that_was_killed_is_found_again,
);

impl Site {
    fn postgresql(setup: Setup) -> Option<Self> {
        PostgreSql::with(setup)
            .map(Self::PostgreSql)
            .map(Self::with_users)
    }

    fn mariadb(setup: Setup) -> Option<Self> {
        MariaDb::with(setup).map(Self::MariaDb).map(Self::with_users)
    }

    fn with_users(self) -> Self {
        either!(&self, host => {
            host.user(SERVICE, PASSWORD);
            host.user(READER, PASSWORD);
            host.create_database("x");
        });
        self
    }

    fn engine(&self) -> ServerEngine {
        self.on(ServerEngine::PostgreSql, ServerEngine::MariaDb)
    }

    fn url(&self) -> String {
        either!(self, host => host.url("x"))
    }

    fn elsewhere(&self, place: &str) -> ServerAddress {
        format!("{}://{USER}@{place}/x", self.on("postgres", "mysql"))
            .parse()
            .unwrap()
    }

    fn server(&self) -> DatabaseServer {
        server(&self.url())
    }

    fn as_user(&self, user: &str) -> DatabaseServer {
        server(&self.url().replace(&format!("//{USER}@"), &format!("//{user}@")))
    }

    fn with(&self, change: impl FnOnce(&mut DatabaseOptions)) -> DatabaseServer {
        let mut options = DatabaseOptions::new(self.url().parse().unwrap());
        options.password = Some(PASSWORD.to_owned());
        change(&mut options);
        DatabaseServer::new(options).unwrap()
    }

    fn sql(&self, sql: &str) -> String {
        either!(self, host => host.sql("x", sql))
    }

    fn on<T>(&self, postgresql: T, mariadb: T) -> T {
        match self {
            Self::PostgreSql(_) => postgresql,
            Self::MariaDb(_) => mariadb,
        }
    }
}

/// The trouble of an error whose words are all there: what, where, why, and what can be done.
#[track_caller]
fn told<T: std::fmt::Debug>(done: Result<T, StoreError>, words: &str, remedy: &str) -> Trouble {
    let error = done.unwrap_err();
    let text = error.in_full();
    assert!(text.starts_with("cannot ") && text.contains("://"), "{text}");
    assert!(text.contains(words), "{words:?} is not in: {text}");
    assert!(!text.contains(PASSWORD) && !text.contains("s3cret"), "{text}");
    assert!(
        error.remedy().contains(remedy),
        "{remedy:?} is not in: {} ({text})",
        error.remedy()
    );
    match error {
        StoreError::Server { trouble, .. } => trouble,
        other => panic!("{other:?}"),
    }
}

fn whoever_is_not_let_in_is_told_why(start: Start) {
    let Some(site) = start(Setup::default()) else {
        return;
    };
    let wrong = site.with(|options| options.password = Some("s3cret".to_owned()));
    assert_eq!(told(wrong.check(), "password", "password file"), Trouble::Login);
    let nobody = site.as_user("nobody");
    assert_eq!(told(nobody.check(), "nobody", "password file"), Trouble::Login);
    let nowhere = server(&site.url().replace("/x", "/elsewhere"));
    let missing = told(nowhere.check(), "elsewhere", "");
    // MariaDB tells those who have no right to a database not whether it is there.
    assert_eq!(missing, site.on(Trouble::NoDatabase, Trouble::Right));
    let closed = site.with(|options| {
        let port = free_port();
        options.address = site.elsewhere(&format!("127.0.0.1:{port}"));
    });
    assert_eq!(
        told(closed.check(), "onnection refused", "firewalls"),
        Trouble::Unreachable
    );
    // It takes the connection, and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let hangs = site.with(|options| {
        options.address = site.elsewhere(&silent.local_addr().unwrap().to_string());
        options.connect_timeout = Duration::from_millis(200);
    });
    assert_eq!(
        told(hangs.check(), "no answer within 200ms", "firewalls"),
        Trouble::Unreachable
    );
    let unknown = site.with(|options| {
        options.address = site.elsewhere("db.invalid");
    });
    assert_eq!(
        told(unknown.check(), "db.invalid", "host and port"),
        Trouble::Unreachable
    );
    let empty = told(
        site.server().check(),
        "the database is empty",
        "landmarc store migrate",
    );
    assert_eq!(empty, Trouble::Empty);
}

fn a_right_that_is_missing_is_named(start: Start) {
    let Some(site) = start(Setup::default()) else {
        return;
    };
    site.server().migrate().unwrap();
    let (service, reader) = (site.as_user(SERVICE), site.as_user(READER));
    assert_eq!(told(service.check(), "", "landmarc store grants"), Trouble::Right);
    let accounts = Accounts {
        database: "x",
        owner: USER,
        service: SERVICE,
        reader: READER,
    };
    for statement in grants(site.engine(), &accounts)
        .lines()
        .filter(|line| !line.starts_with("--"))
    {
        site.sql(statement);
    }
    assert_eq!(
        (service.check().unwrap(), reader.check().unwrap()),
        (VERSION, VERSION)
    );
    // Who may write, and where not.
    let mut writing = outbox(service.clone());
    writing.secret("key").unwrap();
    let mut looking = outbox(reader);
    assert_eq!(
        told(looking.secret("key"), "secret", "landmarc store grants"),
        Trouble::Right
    );
    let refused = told(again(&site, &service), "denied", "landmarc store grants");
    assert_eq!(refused, Trouble::Right);
    let revoke = site.on(
        "REVOKE INSERT ON suppression FROM mx1",
        "REVOKE INSERT ON x.suppression FROM mx1@'%'",
    );
    site.sql(revoke);
    let denied = writing.suppress("a@example.com", "", None, 1);
    assert_eq!(
        told(denied, "suppression", "landmarc store grants"),
        Trouble::Right
    );
    // All tables are in the list of the rights.
    let all = "SELECT table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE' AND table_schema = ";
    let all = site.sql(&(all.to_owned() + site.on("'public'", "'x'")));
    let text = grants(site.engine(), &accounts);
    for table in all.lines().filter(|table| !table.ends_with("_default")) {
        assert!(
            text.contains(&format!(" ON {}{table} TO ", site.on("", "`x`."))),
            "{table}: {text}"
        );
    }
}

/// A step that is not noted as done, for whoever has no right to make tables.
fn again(site: &Site, service: &DatabaseServer) -> Result<Migrated, StoreError> {
    site.sql("DELETE FROM migration WHERE version > 1");
    let done = service.migrate();
    site.sql("INSERT INTO migration (version, at_ms, program) VALUES (3, 0, 'landmarc')");
    done
}

fn tables_of_another_time_or_program_stay_as_they_are(start: Start) {
    let Some(site) = start(Setup::default()) else {
        return;
    };
    let server = site.server();
    assert_eq!(server.migrate().unwrap(), Migrated { from: 0, to: VERSION });
    site.sql("INSERT INTO migration (version, at_ms, program) VALUES (99, 0, 'landmarc')");
    let newer = Trouble::Newer {
        found: 99,
        known: VERSION,
    };
    assert_eq!(told(server.check(), "version 99", "other hosts"), newer);
    assert_eq!(told(server.migrate(), "version 99", "unchanged"), newer);
    site.sql("DELETE FROM migration WHERE version > 1");
    let older = Trouble::Older {
        found: 1,
        needed: VERSION,
    };
    assert_eq!(told(server.check(), "needs 3", "landmarc store migrate"), older);
    // Whatever is asked for, and not only when somebody looks.
    let asked = landmarc_store::Outbox::open(server.clone(), Duration::ZERO);
    let asked = asked.and_then(|mut outbox| outbox.secret("key"));
    assert_eq!(told(asked, "needs 3", "landmarc store migrate"), older);
    // A table `migration` of others: with no line of ours, and with other columns.
    site.sql("DELETE FROM migration");
    assert_eq!(
        told(server.check(), "another program", "database of its own"),
        Trouble::Foreign
    );
    site.sql("ALTER TABLE migration DROP COLUMN program");
    assert_eq!(
        told(server.migrate(), "another program", "unchanged"),
        Trouble::Foreign
    );
    site.sql("DROP TABLE migration");
    assert_eq!(
        told(server.migrate(), "another program", "unchanged"),
        Trouble::Foreign
    );
}

fn hosts_that_migrate_at_once_do_it_once(start: Start) {
    let Some(site) = start(Setup::default()) else {
        return;
    };
    let migrate = || site.server().migrate().unwrap();
    let mut done = thread::scope(|scope| {
        let hosts = [(); 4].map(|()| scope.spawn(migrate));
        hosts.map(|host| host.join().unwrap())
    });
    done.sort_by_key(|done| done.from);
    let after = Migrated {
        from: VERSION,
        to: VERSION,
    };
    assert_eq!(done, [Migrated { from: 0, to: VERSION }, after, after, after]);
    assert_eq!(site.server().check().unwrap(), VERSION);
    assert_eq!(site.sql("SELECT count(*) FROM outbox_lock"), "1\n");
}

/// The tables of the second step.
const OF_STEP_2: &str = "body, chunk, report, delivery, reported_day, skipped, suppression, secret, imported, \
                         redirection, lease, outbox_lock, writer";

/// Takes the third step back.
const BEFORE_STEP_3: &str = "ALTER TABLE outcome RENAME COLUMN author_domain TO author; \
                             ALTER TABLE outcome RENAME COLUMN enforced_action TO would";

fn tables_of_version_2_are_refused_until_they_are_migrated(start: Start) {
    let Some(site) = start(Setup::default()) else {
        return;
    };
    let server = site.server();
    server.migrate().unwrap();
    let (host, later) = (Directory::new(), Directory::new());
    let record = |host: &Directory, number| {
        let recorder = Recorder::open(spooling(RecorderOptions::at(host.store()))).unwrap();
        let mut one = message(number);
        one.enforced_action = "reject".to_owned();
        runtime().block_on(record_all(&recorder, [one]));
        recorder.close(Duration::from_mins(1));
    };
    record(&host, 1);
    ship(&host, "mx1", server.clone());
    site.sql(&format!(
        "DELETE FROM migration WHERE version = 3; {BEFORE_STEP_3}"
    ));
    let older = Trouble::Older {
        found: 2,
        needed: VERSION,
    };
    // As a host does when it starts: what it records waits in its spool.
    let opened = Collector::open(server.clone(), Duration::ZERO);
    record(&later, 2);
    let mut spool = Spool::open(later.store(), "mx2", Duration::from_mins(1)).unwrap();
    let segment = spool.take(1 << 20).unwrap().unwrap();
    let applied = opened.and_then(|mut collector| collector.apply(&segment, 0));
    assert_eq!(told(applied, "needs 3", "landmarc store migrate"), older);
    assert_eq!(server.migrate().unwrap(), Migrated { from: 2, to: VERSION });
    ship(&later, "mx2", server.clone());
    let refused = LogFilter {
        enforced_action: Some("reject".to_owned()),
        domain: Some("example.com".to_owned()),
        ..LogFilter::default()
    };
    let reader = Reader::open(server).unwrap();
    assert_eq!(reader.log(&refused).unwrap().len(), 2);
}

fn a_migration_that_was_cut_off_is_gone_on_with(start: Start) {
    let Some(site) = start(Setup::default()) else {
        return;
    };
    let server = site.server();
    server.migrate().unwrap();
    site.sql("INSERT INTO rule_hit (name, hits, first_ms, last_ms) VALUES ('kept', 1, 1, 1)");
    // As after the first step, and one table of the second.
    site.sql(&format!(
        "DELETE FROM migration WHERE version > 1; {BEFORE_STEP_3}; DROP TABLE {OF_STEP_2}; CREATE TABLE lease (a INT)"
    ));
    if site.engine() == ServerEngine::PostgreSql {
        assert_eq!(
            told(server.migrate(), "lease", "what the server says"),
            Trouble::Refused
        );
        assert_eq!(
            site.sql("SELECT count(*) FROM pg_class WHERE relname = 'body'"),
            "0\n",
            "a step is done or not"
        );
    }
    site.sql("DROP TABLE lease");
    if site.engine() == ServerEngine::MariaDb {
        // It was cut off behind the tables, and in the first step before the version was noted.
        server.migrate().unwrap();
        site.sql("DELETE FROM migration WHERE version > 0; DROP TABLE lease; DELETE FROM outbox_lock");
    }
    let from = site.on(1, 0);
    assert_eq!(server.migrate().unwrap(), Migrated { from, to: VERSION });
    assert_eq!(server.check().unwrap(), VERSION);
    assert_eq!(
        site.sql("SELECT name FROM rule_hit"),
        "kept\n",
        "what is there stays"
    );
    outbox(server).secret("key").unwrap();
}

fn a_server_that_can_only_be_read_is_told(start: Start) {
    let Some(site) = start(Setup::default()) else {
        return;
    };
    site.server().migrate().unwrap();
    let there = outbox(site.server()).secret("key").unwrap();
    site.sql(site.on(
        "ALTER DATABASE x SET default_transaction_read_only = on",
        "SET GLOBAL read_only = ON",
    ));
    let mut only_read = outbox(site.server());
    let refused = only_read.suppress("a@example.com", "", None, 1);
    assert_eq!(told(refused, "read", "primary"), Trouble::ReadOnly);
    assert!(only_read.suppressions().unwrap().is_empty(), "it can be read");
    assert_eq!(
        told(only_read.secret("other"), "read", "primary"),
        Trouble::ReadOnly
    );
    site.sql(site.on(
        "BEGIN READ WRITE; ALTER DATABASE x SET default_transaction_read_only = off; COMMIT",
        "SET GLOBAL read_only = OFF",
    ));
    assert_eq!(outbox(site.server()).secret("key").unwrap(), there);
}

#[test]
fn a_replica_can_be_read_and_says_that_it_is_one() {
    let Some(primary) = PostgreSql::start() else {
        return;
    };
    primary.create_database("x");
    server(&primary.url("x")).migrate().unwrap();
    let replica = primary.replica();
    let replica = server(&replica.url("x"));
    assert_eq!(replica.check().unwrap(), VERSION);
    let refused = outbox(replica).suppress("a@example.com", "", None, 1);
    assert_eq!(
        told(refused, "read-only transaction", "primary"),
        Trouble::ReadOnly
    );
}

/// A file that takes all that is left of a disk, gone when the value is.
struct Filler(PathBuf);

impl Filler {
    fn of(folder: &Path) -> Self {
        let path = folder.join("data/filler");
        let mut file = File::create(&path).unwrap();
        for size in [1 << 20, 4_096] {
            while file.write_all(&vec![1; size]).is_ok() {}
        }
        Self(path)
    }
}

impl Drop for Filler {
    fn drop(&mut self) {
        // The disk goes with the server.
        let _ = fs::remove_file(&self.0);
    }
}

fn a_full_disk_is_told_and_nothing_is_half_done(start: Start) {
    /// More than the server has in store in its files.
    const REPORTS: usize = 3_000;
    let setup = Setup {
        disk: Some(192 << 20),
        ..Setup::default()
    };
    let Some(site) = start(setup) else { return };
    let server = site.server();
    server.migrate().unwrap();
    let mut outbox = outbox(server);
    // No larger: MariaDB 10.11 ends itself when it has to take back what it has put beside a row, and has no room for that.
    let large = |number: usize| NewReport {
        body: vec![b'x'; 4_000],
        ..report(&format!("{number}.example"))
    };
    let filler = Filler::of(either!(&site, host => host.folder()));
    let full = (0..REPORTS).find_map(|number| Some((number, outbox.put_all(&[large(number)], NOW).err()?)));
    let (number, error) = full.expect("the disk is full");
    assert_eq!(told(Err::<(), _>(error), "", "make room"), Trouble::Full);
    let there = outbox.counts(NOW).unwrap().queued;
    assert_eq!(
        there,
        u64::try_from(number).unwrap(),
        "what was told to be there is there"
    );
    drop(filler);
    outbox.put_all(&[large(number)], NOW).unwrap();
    assert_eq!(outbox.counts(NOW).unwrap().queued, there + 1);
}

fn tls_is_asked_for_and_checked(start: Start) {
    let certificates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testkit/src/relay/certificates");
    let with = |name: &str| Setup {
        tls: Some((
            certificates.join(format!("{name}.pem")),
            certificates.join(format!("{name}-key.pem")),
        )),
        tls_only: true,
        ..Setup::default()
    };
    let ca = || Some(certificates.join("ca.pem"));
    let Some(site) = start(with("good")) else { return };
    site.with(|options| options.tls = DatabaseEncryption::Encrypted)
        .migrate()
        .unwrap();
    site.with(|options| options.tls = DatabaseEncryption::Offered)
        .check()
        .unwrap();
    let wanted = site.with(|options| options.tls = DatabaseEncryption::Off).check();
    match site.engine() {
        ServerEngine::PostgreSql => {
            assert_eq!(
                told(wanted, "the server wants TLS", "switch TLS on"),
                Trouble::TlsWanted
            );
        }
        // It says no more.
        ServerEngine::MariaDb => assert_eq!(told(wanted, "Access denied", "without TLS"), Trouble::Login),
    }
    let verified = |site: &Site, ca| site.with(|options| options.tls = DatabaseEncryption::Verified { ca });
    assert_eq!(
        told(verified(&site, None).check(), "UnknownIssuer", "CA file"),
        Trouble::Tls
    );
    let absent = verified(&site, Some("/nonexistent/ca.pem".into()));
    assert_eq!(told(absent.check(), "No such file", "CA file"), Trouble::Tls);
    let by_name = |site: &Site| {
        let port = either!(site, host => host.port());
        site.with(|options| {
            options.address = site.elsewhere(&format!("localhost:{port}"));
            options.tls = DatabaseEncryption::Verified { ca: ca() };
        })
    };
    by_name(&site).check().unwrap();
    verified(&site, ca()).check().unwrap();
    let other = start(with("other")).unwrap();
    assert_eq!(
        told(
            by_name(&other).check(),
            "not valid for name",
            "certificate is for the host"
        ),
        Trouble::Tls
    );
    let without = start(Setup::default()).unwrap();
    let socket = server(&either!(&without, host => host.socket_url("x")));
    socket.migrate().unwrap();
    assert!(socket.to_string().contains("@localhost:"), "{socket}");
    let missing = without
        .with(|options| options.tls = DatabaseEncryption::Encrypted)
        .check();
    assert_eq!(told(missing, "does not support TLS", "switched on"), Trouble::Tls);
}

fn too_many_connections_are_told(start: Start) {
    let Some(site) = start(Setup::default()) else {
        return;
    };
    let one = site.server();
    one.migrate().unwrap();
    site.sql(site.on(
        "ALTER USER landmarc CONNECTION LIMIT 1",
        "GRANT USAGE ON *.* TO landmarc@'%' WITH MAX_USER_CONNECTIONS 1",
    ));
    one.check().unwrap();
    let refused = told(site.server().check(), "onnections", "lower the connections");
    assert_eq!(refused, Trouble::Connections);
}

fn a_server_that_was_killed_is_found_again(start: Start) {
    let setup = Setup {
        durable: true,
        ..Setup::default()
    };
    let Some(mut site) = start(setup) else { return };
    let server = site.server();
    server.migrate().unwrap();
    let mut outbox = outbox(server.clone());
    let there = outbox.secret("key").unwrap();
    either!(&mut site, host => host.kill());
    assert_eq!(
        told(outbox.secret("key"), "", "tried again"),
        Trouble::Unreachable
    );
    assert_eq!(told(server.check(), "", "tried again"), Trouble::Unreachable);
    either!(&mut site, host => host.restart());
    assert_eq!(outbox.secret("key").unwrap(), there);
    either!(&mut site, host => host.stop());
    either!(&mut site, host => host.restart());
    assert_eq!(outbox.secret("key").unwrap(), there, "nobody has to know");
}
