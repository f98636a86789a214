//! Database servers of one test: Debian's own, in a folder and on a port of their own, gone when the test is.
//!
//! [`PostgreSql`] and [`MariaDb`] answer to the same methods. They are made to be quick: what they were told is lost with the
//! machine's power, unless a test asks for more ([`Setup::durable`]).

// Helpers of tests fail as tests do.
#![allow(clippy::unwrap_used, clippy::panic)]

mod mariadb;
mod postgresql;

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::Command;

use sqlx::{Column, Row};

use crate::tools::{Daemon, Folder, output_of};

pub use mariadb::MariaDb;
pub use postgresql::PostgreSql;

/// Who owns the databases that are made.
pub const USER: &str = "landmarc";
/// The password of [`USER`].
pub const PASSWORD: &str = "a password of a test";

/// How a server differs from the usual one.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Whether it syncs what it writes to the disk.
    pub durable: bool,
    /// Its settings, `name=value`.
    pub settings: Vec<String>,
    /// Its certificate and key (PEM), when it is to offer TLS.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Whether it lets in nobody without TLS, but for those on its socket.
    pub tls_only: bool,
    /// The octets of a disk of its own for the databases, which a test can fill.
    pub disk: Option<u64>,
    /// Where it listens.
    pub listen: IpAddr,
    /// What its environment has beside ours, such as a clock that is set.
    pub environment: Vec<(String, String)>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            durable: false,
            settings: Vec::new(),
            tls: None,
            tls_only: false,
            disk: None,
            listen: Ipv4Addr::LOCALHOST.into(),
            environment: Vec::new(),
        }
    }
}

/// A small disk in memory, at a folder.
#[derive(Debug)]
struct Disk(PathBuf);

impl Disk {
    fn mount(at: &Path, octets: u64) -> Self {
        let options = format!("size={octets},mode=0755");
        output_of(
            Command::new("mount")
                .args(["-t", "tmpfs", "-o", &options, "landmarc"])
                .arg(at),
        );
        Self(at.to_owned())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // It is of no use to anybody; where it stays, the folder does.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// What runs, in the order in which it goes.
#[derive(Debug)]
struct Running {
    daemon: Option<Daemon>,
    _disk: Option<Disk>,
    folder: Folder,
    listen: IpAddr,
    port: u16,
}

impl Running {
    fn daemon(&mut self) -> &mut Daemon {
        self.daemon.as_mut().expect("it runs")
    }

    fn host(&self) -> IpAddr {
        match self.listen.is_unspecified() {
            true => Ipv4Addr::LOCALHOST.into(),
            false => self.listen,
        }
    }
}

/// Asks as the text protocol answers: a line for each row, a TAB between two columns, nothing for NULL.
fn asked<DB, C>(options: &<C as sqlx::Connection>::Options, sql: &str) -> String
where
    C: sqlx::Connection<Database = DB>,
    DB: sqlx::Database<Connection = C>,
    for<'c> &'c mut C: sqlx::Executor<'c, Database = DB>,
    for<'r> Option<String>: sqlx::Decode<'r, DB>,
    usize: sqlx::ColumnIndex<DB::Row>,
{
    let work = || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut connection = C::connect_with(options).await.unwrap();
            let rows = sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
                .fetch_all(&mut connection)
                .await;
            let rows = rows.unwrap_or_else(|error| panic!("{sql}: {error}"));
            let lines: Vec<_> = rows.iter().map(line::<DB>).collect();
            connection.close().await.unwrap();
            lines.concat()
        })
    };
    // A test may be on a runtime of its own.
    std::thread::scope(|scope| scope.spawn(work).join().unwrap())
}

fn line<DB: sqlx::Database>(row: &DB::Row) -> String
where
    for<'r> Option<String>: sqlx::Decode<'r, DB>,
    usize: sqlx::ColumnIndex<DB::Row>,
{
    let text = |column: &DB::Column| {
        row.try_get_unchecked::<Option<String>, _>(column.ordinal())
            .unwrap()
    };
    let columns: Vec<_> = row
        .columns()
        .iter()
        .map(|column| text(column).unwrap_or_default())
        .collect();
    columns.join("\t") + "\n"
}

/// What both servers can do, in their own ways.
macro_rules! common {
    ($scheme:literal) => {
        /// Its port.
        #[must_use]
        pub fn port(&self) -> u16 {
            self.running.port
        }

        /// The address of one of its databases, for [`USER`].
        #[must_use]
        pub fn url(&self, database: &str) -> String {
            self.url_of(USER, database)
        }

        /// The address of one of its databases, for another user.
        #[must_use]
        pub fn url_of(&self, user: &str, database: &str) -> String {
            let host = self.running.host();
            let host = if host.is_ipv6() {
                format!("[{host}]")
            } else {
                host.to_string()
            };
            format!(
                concat!($scheme, "://{}@{}:{}/{}"),
                user, host, self.running.port, database
            )
        }

        /// The address of one of its databases by way of its socket.
        #[must_use]
        pub fn socket_url(&self, database: &str) -> String {
            format!(
                concat!($scheme, "://{}@/{}?socket={}"),
                USER,
                database,
                self.socket().display()
            )
        }

        /// Its folder.
        #[must_use]
        pub fn folder(&self) -> &std::path::Path {
            self.running.folder.path()
        }

        /// Its process.
        #[must_use]
        pub fn pid(&mut self) -> i32 {
            self.running.daemon().pid().as_raw()
        }

        /// What it has printed so far.
        #[must_use]
        pub fn log(&mut self) -> String {
            self.running.daemon().log()
        }

        /// Ends it as a machine without power does.
        pub fn kill(&mut self) {
            self.running.daemon().end(nix::sys::signal::Signal::SIGKILL);
            self.running.daemon = None;
        }

        /// Starts it again, after [`stop`](Self::stop) or [`kill`](Self::kill).
        pub fn restart(&mut self) {
            self.running.daemon = None;
            self.running.daemon = Some(self.started());
        }
    };
}
use common;

#[cfg(test)]
mod tests {
    use super::*;

    /// What a server was told is there after it was ended, in order or not.
    macro_rules! comes_back {
        ($kind:ident) => {
            let setup = Setup {
                durable: true,
                ..Setup::default()
            };
            let Some(mut server) = $kind::with(setup) else {
                return;
            };
            server.create_database("x");
            server.sql(
                "x",
                "CREATE TABLE t (a BIGINT, b VARCHAR(9)); INSERT INTO t VALUES (1, NULL), (2, 'b')",
            );
            server.stop();
            server.restart();
            server.kill();
            server.restart();
            assert_eq!(
                server.sql("x", "SELECT a, b FROM t ORDER BY a"),
                "1\t\n2\tb\n"
            );
            assert!(
                server
                    .url("x")
                    .ends_with(&format!("://landmarc@127.0.0.1:{}/x", server.port()))
            );
        };
    }

    #[test]
    fn postgresql_comes_back_with_what_it_has() {
        comes_back!(PostgreSql);
    }

    #[test]
    fn mariadb_comes_back_with_what_it_has() {
        comes_back!(MariaDb);
    }

    #[test]
    fn a_replica_has_what_its_server_has() {
        let Some(server) = PostgreSql::start() else { return };
        server.create_database("x");
        server.sql("x", "CREATE TABLE t (a BIGINT); INSERT INTO t VALUES (1)");
        assert_eq!(server.replica().sql("x", "SELECT a FROM t"), "1\n");
    }
}
