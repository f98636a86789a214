//! The database that hosts share, on either engine, and those who may use it.

use std::path::Path;

use landmarc_store::{DatabaseEncryption, DatabaseOptions, DatabaseServer, StoreLocation};
use landmarc_testkit::databases::{MariaDb, PASSWORD, PostgreSql, Setup, USER};

use super::ground::Loopback;
use super::mx::Mx;

/// The name of the database.
const NAME: &str = "landmarc";
/// Who owns it when the service does not, as the manual has it.
pub(super) const OWNER: &str = "landmarc_owner";
/// Who only looks.
pub(super) const READER: &str = "landmarc_reader";

/// Which database the hosts share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Engine {
    PostgreSql,
    MariaDb,
}

/// The database, as it runs.
pub(super) enum Database {
    PostgreSql(PostgreSql),
    MariaDb(MariaDb),
}

/// The same of either.
macro_rules! either {
    ($database:expr, $server:ident => $what:expr) => {
        match $database {
            Database::PostgreSql($server) => $what,
            Database::MariaDb($server) => $what,
        }
    };
}

impl Database {
    /// A server that has none yet.
    pub(super) fn start(engine: Engine, setup: Setup) -> Option<Self> {
        match engine {
            Engine::PostgreSql => PostgreSql::with(setup).map(Self::PostgreSql),
            Engine::MariaDb => MariaDb::with(setup).map(Self::MariaDb),
        }
    }

    /// One that the user of the service owns.
    pub(super) fn create(&self) {
        either!(self, server => server.create_database(NAME));
    }

    /// One with an owner, a user for the service and one who looks, as docs/fleet.md says.
    pub(super) fn create_for_three(&self) {
        for user in [OWNER, READER] {
            either!(self, server => server.user(user, PASSWORD));
        }
        match self {
            Self::PostgreSql(server) => {
                // What is in the first template somebody may have open.
                let create = format!("CREATE DATABASE {NAME} OWNER {OWNER} TEMPLATE template0");
                server.sql("postgres", &create);
                server.sql(NAME, &format!("ALTER SCHEMA public OWNER TO {OWNER}"));
                server.sql(NAME, "REVOKE CREATE ON SCHEMA public FROM PUBLIC");
            }
            Self::MariaDb(server) => {
                server.sql("mysql", &format!("CREATE DATABASE {NAME}"));
                let grant = format!("GRANT ALL PRIVILEGES ON {NAME}.* TO {OWNER} WITH GRANT OPTION");
                server.sql("mysql", &grant);
            }
        }
    }

    /// Its owner makes the tables, and says what `landmarc store grants` prints. All have the password of this file.
    #[track_caller]
    pub(super) fn make_tables(&self, mx: &Mx, password_file: &Path) {
        let password_file = password_file.display().to_string();
        let owner = self.url_of(OWNER);
        mx.says(
            &Loopback,
            &[
                "store",
                "migrate",
                "--database",
                &owner,
                "--password-file",
                &password_file,
            ],
        );
        let grants = mx.says(&Loopback, &["store", "grants"]);
        self.sql_of(OWNER, &grants);
    }

    /// What it is called by the service.
    pub(super) fn url(&self) -> String {
        self.url_of(USER)
    }

    /// What it is called by another user.
    pub(super) fn url_of(&self, user: &str) -> String {
        either!(self, server => server.url_of(user, NAME))
    }

    /// As the test looks into it, past the service.
    pub(super) fn place(&self) -> StoreLocation {
        let options = DatabaseOptions {
            password: Some(PASSWORD.to_owned()),
            tls: DatabaseEncryption::Off,
            ..DatabaseOptions::new(self.url().parse().unwrap())
        };
        DatabaseServer::new(options).unwrap().into()
    }

    /// What its superuser is answered, past all that is cut.
    pub(super) fn sql(&self, sql: &str) -> String {
        either!(self, server => server.sql(NAME, sql))
    }

    /// What another user is answered.
    pub(super) fn sql_of(&self, user: &str, sql: &str) -> String {
        either!(self, server => server.sql_of((user, PASSWORD), NAME, sql))
    }

    /// The messages in the tallies, by its own word.
    pub(super) fn counted(&self) -> u64 {
        let sum = self.sql("SELECT coalesce(sum(count), 0) FROM tally");
        sum.trim()
            .parse()
            .unwrap_or_else(|error| panic!("{error}: {sum:?}"))
    }

    /// One of two, by the engine.
    pub(super) fn on<T>(&self, postgresql: T, mariadb: T) -> T {
        match self {
            Self::PostgreSql(_) => postgresql,
            Self::MariaDb(_) => mariadb,
        }
    }

    /// Ends the connections of the service: what holds for new ones holds for all.
    pub(super) fn hang_up(&self) {
        self.sql(&self.on(
            format!("SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity WHERE usename = '{USER}'"),
            format!("KILL USER {USER}"),
        ));
    }

    /// Ends it in order.
    pub(super) fn stop(&mut self) {
        either!(self, server => server.stop());
    }

    /// Starts it again.
    pub(super) fn restart(&mut self) {
        either!(self, server => server.restart());
    }

    /// What it has printed.
    pub(super) fn log(&mut self) -> String {
        either!(self, server => server.log())
    }
}
