//! The same cases on each engine (decision D16): on SQLite each in a test of its own, on a server all of a file in one test.
//!
//! ```ignore
//! use crate::bed::{Bed, suite};
//!
//! suite!(what_is_put_is_there, what_is_delivered_stays_so);
//!
//! fn what_is_put_is_there(bed: &Bed) {
//!     let mut outbox = Outbox::open(bed.place(), COMMAND_BUSY_TIMEOUT).unwrap();
//!     …
//! }
//! ```
//!
//! A test file so makes `on_file::what_is_put_is_there` … and `on_postgresql` and `on_mariadb`, which start one server, run each
//! case in a fresh database of its own and name those that fail.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use landmarc_store::{DatabaseOptions, DatabaseServer, StoreLocation};
use landmarc_testkit::databases::{MariaDb, PASSWORD, PostgreSql, Setup};

use crate::joins;
use crate::samples::Directory;

/// Cases that run on a server at a time.
const AT_A_TIME: usize = 3;

/// Where the store of one case is.
pub(crate) struct Bed {
    directory: Directory,
    database: Option<Database>,
}

/// A fresh database with the tables of this version.
struct Database {
    host: Arc<dyn Host>,
    name: String,
    server: DatabaseServer,
}

/// A case and its name.
pub(crate) type Case = (&'static str, fn(&Bed));

/// A server that runs for a test.
pub(crate) trait Host: Send + Sync {
    fn create(&self, database: &str);
    fn remove(&self, database: &str);
    fn url(&self, database: &str) -> String;
    /// As its superuser.
    fn sql(&self, database: &str, sql: &str) -> String;
}

impl Bed {
    /// In a file.
    pub(crate) fn file() -> Self {
        Self {
            directory: Directory::new(),
            database: None,
        }
    }

    /// In a database of this name on a server, which is removed with the bed.
    pub(crate) fn on(host: Arc<dyn Host>, name: &str) -> Self {
        host.create(name);
        let server = server(&host.url(name));
        server.migrate().unwrap();
        let name = name.to_owned();
        Self {
            directory: Directory::new(),
            database: Some(Database { host, name, server }),
        }
    }

    /// What is opened.
    pub(crate) fn place(&self) -> StoreLocation {
        match &self.database {
            Some(database) => database.server.clone().into(),
            None => self.directory.store().into(),
        }
    }

    /// A directory of this case, whatever the engine.
    pub(crate) fn directory(&self) -> &Directory {
        &self.directory
    }

    /// None on SQLite.
    pub(crate) fn server(&self) -> Option<&DatabaseServer> {
        self.database.as_ref().map(|database| &database.server)
    }

    /// Whether other hosts may share it.
    pub(crate) fn is_server(&self) -> bool {
        self.database.is_some()
    }

    /// The same database by other connections, as another host of the fleet has it; on SQLite the same file.
    pub(crate) fn elsewhere(&self) -> StoreLocation {
        match &self.database {
            Some(database) => server(&database.host.url(&database.name)).into(),
            None => self.place(),
        }
    }

    /// Whatever the program would never say: a line for each row, a TAB between two columns. Octets only on SQLite.
    pub(crate) fn sql(&self, sql: &str) -> String {
        match &self.database {
            Some(database) => database.host.sql(&database.name, sql),
            None => on_sqlite(&self.directory, sql),
        }
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        if let Some(database) = &self.database {
            // A case that failed may have left it in any state; the server goes with the test.
            let removed = catch_unwind(AssertUnwindSafe(|| database.host.remove(&database.name)));
            assert!(removed.is_ok() || thread::panicking(), "{} stays", database.name);
        }
    }
}

/// The store at this address, which belongs to the user of the tests.
pub(crate) fn server(url: &str) -> DatabaseServer {
    let mut options = DatabaseOptions::new(url.parse().unwrap());
    options.password = Some(PASSWORD.to_owned());
    DatabaseServer::new(options).unwrap()
}

fn on_sqlite(directory: &Directory, sql: &str) -> String {
    use rusqlite::types::ValueRef;
    let connection = rusqlite::Connection::open(directory.store()).unwrap();
    let mut statement = connection.prepare(sql).unwrap();
    let columns = statement.column_count();
    let mut rows = statement.query([]).unwrap();
    let mut text = String::new();
    while let Some(row) = rows.next().unwrap() {
        let shown = |column| match row.get_ref(column).unwrap() {
            ValueRef::Null => String::new(),
            ValueRef::Integer(number) => number.to_string(),
            ValueRef::Real(number) => number.to_string(),
            ValueRef::Text(octets) | ValueRef::Blob(octets) => String::from_utf8_lossy(octets).into_owned(),
        };
        let columns: Vec<_> = (0..columns).map(shown).collect();
        text += &(columns.join("\t") + "\n");
    }
    text
}

/// Makes the tests of a file from its cases.
macro_rules! suite {
    ($($case:ident),+ $(,)?) => {
        mod on_file {
            $(
                #[test]
                fn $case() {
                    super::$case(&crate::bed::Bed::file());
                }
            )+
        }

        const CASES: &[crate::bed::Case] = &[$((stringify!($case), $case)),+];

        #[test]
        fn on_postgresql() {
            crate::bed::on_postgresql(CASES);
        }

        #[test]
        fn on_mariadb() {
            crate::bed::on_mariadb(CASES);
        }
    };
}
pub(crate) use suite;

pub(crate) fn on_postgresql(cases: &[Case]) {
    let remembers = [
        "shared_preload_libraries=pg_stat_statements",
        "pg_stat_statements.max=10000",
    ];
    if let Some(host) = PostgreSql::with(setup(&remembers)) {
        host.sql("postgres", "CREATE EXTENSION pg_stat_statements");
        let host = Arc::new(host) as Arc<dyn Host>;
        run(&host, cases);
        let said = "SELECT regexp_replace(query, '\\s+', ' ', 'g') FROM pg_stat_statements AS s \
                    JOIN pg_roles AS r ON r.oid = s.userid WHERE r.rolname = 'landmarc'";
        joins::check(&host.sql("postgres", said));
    }
}

pub(crate) fn on_mariadb(cases: &[Case]) {
    let remembers = ["general-log=1", "log-output=TABLE"];
    if let Some(host) = MariaDb::with(setup(&remembers)) {
        let host = Arc::new(host) as Arc<dyn Host>;
        run(&host, cases);
        let said = "SELECT DISTINCT replace(convert(argument USING utf8mb4), char(10), ' ') FROM mysql.general_log \
                    WHERE command_type = 'Prepare' AND user_host LIKE 'landmarc%'";
        joins::check(&host.sql("mysql", said));
    }
}

/// A server that remembers what it was told.
fn setup(settings: &[&str]) -> Setup {
    Setup {
        settings: settings.iter().map(|&setting| setting.to_owned()).collect(),
        ..Setup::default()
    }
}

/// Each case in a database of its own, a few at a time; then those that failed are named. What they said stands above.
fn run(host: &Arc<dyn Host>, cases: &[Case]) {
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(Vec::new());
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some((name, case)) = cases.get(number) else {
                return;
            };
            let alone = || case(&Bed::on(host.clone(), &format!("case_{number}")));
            let tried = catch_unwind(AssertUnwindSafe(alone));
            if let Err(panic) = tried {
                let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
                failed.push(format!("{name}: {}", words(&*panic)));
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME.min(cases.len()) {
            scope.spawn(work);
        }
    });
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    assert!(
        failed.is_empty(),
        "{} of {} failed:\n{}",
        failed.len(),
        cases.len(),
        failed.join("\n")
    );
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let owned = || panic.downcast_ref::<String>().map(String::as_str);
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(owned)
        .unwrap_or_default()
}

macro_rules! host {
    ($kind:ty) => {
        impl Host for $kind {
            fn create(&self, database: &str) {
                self.create_database(database);
            }

            fn remove(&self, database: &str) {
                self.drop_database(database);
            }

            fn url(&self, database: &str) -> String {
                self.url(database)
            }

            fn sql(&self, database: &str, sql: &str) -> String {
                self.sql(database, sql)
            }
        }
    };
}
host!(PostgreSql);
host!(MariaDb);
