//! Work on real servers, and what the network does to it.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod proxy;

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Barrier, mpsc};
use std::thread;
use std::time::Duration;

use landmarc_testkit::databases::{MariaDb, PASSWORD, PostgreSql};

use self::proxy::{Cut, Proxy};
use super::{DatabaseEncryption, DatabaseOptions, DatabaseServer, ServerEngine, ServerSession, Trouble};
use crate::error::StoreError;
use crate::sql::{Sql, SqlError, SqlQueries, row, values};

/// A server with one database, `x`.
struct Bed {
    host: Host,
    server: DatabaseServer,
}

enum Host {
    PostgreSql(PostgreSql),
    MariaDb(MariaDb),
}

impl Bed {
    fn new(host: Host) -> Self {
        match &host {
            Host::PostgreSql(host) => host.create_database("x"),
            Host::MariaDb(host) => host.create_database("x"),
        }
        let server = DatabaseServer::new(options(&host.url())).unwrap();
        server.migrate().unwrap();
        host.sql("CREATE TABLE t (a BIGINT PRIMARY KEY, b BIGINT NOT NULL)");
        host.sql(match &host {
            Host::PostgreSql(_) => "GRANT ALL ON t TO landmarc",
            Host::MariaDb(_) => "SELECT 1",
        });
        Self { host, server }
    }

    /// The same database, by other connections or by another way.
    fn again(&self, change: impl FnOnce(&mut DatabaseOptions)) -> DatabaseServer {
        let mut options = options(&self.host.url());
        change(&mut options);
        DatabaseServer::new(options).unwrap()
    }

    fn through(&self, proxy: &Proxy) -> DatabaseServer {
        let port =
            |url: String| url.replace(&format!(":{}/", self.host.port()), &format!(":{}/", proxy.port()));
        self.again(|options| {
            options.address = port(self.host.url()).parse().unwrap();
            // What is cut has to be read.
            options.tls = DatabaseEncryption::Off;
        })
    }

    fn rows(&self) -> String {
        self.host.sql("SELECT a, b FROM t ORDER BY a")
    }
}

impl Host {
    fn url(&self) -> String {
        match self {
            Self::PostgreSql(host) => host.url("x"),
            Self::MariaDb(host) => host.url("x"),
        }
    }

    fn port(&self) -> u16 {
        match self {
            Self::PostgreSql(host) => host.port(),
            Self::MariaDb(host) => host.port(),
        }
    }

    fn sql(&self, sql: &str) -> String {
        match self {
            Self::PostgreSql(host) => host.sql("x", sql),
            Self::MariaDb(host) => host.sql("x", sql),
        }
    }

    /// Ends all connections to the database.
    fn hang_up(&self) {
        match self {
            Self::PostgreSql(host) => {
                host.sql(
                    "postgres",
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'x'",
                );
            }
            Self::MariaDb(host) => {
                let ids = host.sql(
                    "mysql",
                    "SELECT id FROM information_schema.processlist WHERE db = 'x'",
                );
                ids.lines()
                    .for_each(|id| drop(host.sql("mysql", &format!("KILL {id}"))));
            }
        }
    }
}

fn options(url: &str) -> DatabaseOptions {
    let mut options = DatabaseOptions::new(url.parse().unwrap());
    options.password = Some(PASSWORD.to_owned());
    options
}

/// One test on each server.
macro_rules! on_both {
    ($($case:ident),+ $(,)?) => {
        mod on_postgresql {
            $(
                #[test]
                fn $case() {
                    if let Some(host) = landmarc_testkit::databases::PostgreSql::start() {
                        super::$case(&super::Bed::new(super::Host::PostgreSql(host)));
                    }
                }
            )+
        }

        mod on_mariadb {
            $(
                #[test]
                fn $case() {
                    if let Some(host) = landmarc_testkit::databases::MariaDb::start() {
                        super::$case(&super::Bed::new(super::Host::MariaDb(host)));
                    }
                }
            )+
        }
    };
}

on_both!(
    values_come_back_as_they_went,
    many_rows_go_in_one_go,
    what_was_lost_before_its_end_is_done_again,
    what_others_were_in_the_way_of_is_done_again,
    a_lost_answer_to_commit_is_looked_up,
    an_error_that_was_passed_over_undoes_all,
    one_at_a_time_writes_to_the_outbox,
    a_server_that_comes_back_is_found_again,
    a_statement_that_takes_too_long_is_given_up,
    no_more_connections_are_made_than_allowed,
    all_answers_are_about_one_state,
    tables_that_a_later_build_has_changed_are_named_at_once,
);

fn add(sql: &dyn Sql, a: i64, b: i64) -> Result<u64, SqlError> {
    sql.execute("INSERT INTO t (a, b) VALUES (?1, ?2)", values![a, b])
}

fn trouble<T>(done: Result<T, StoreError>) -> Trouble {
    match done {
        Err(StoreError::Server { trouble, .. }) => trouble,
        Err(other) => unreachable!("{other:?}"),
        Ok(_) => unreachable!("it was done"),
    }
}

fn values_come_back_as_they_went(bed: &Bed) {
    let (texts, octets) = match bed.server.engine() {
        ServerEngine::PostgreSql => ("COLLATE \"C\"", "BYTEA"),
        ServerEngine::MariaDb => ("COLLATE utf8mb4_nopad_bin", "LONGBLOB"),
    };
    bed.host.sql(&format!(
        "CREATE TABLE v (n BIGINT, i INTEGER, s SMALLINT, w VARCHAR(9) {texts}, t TEXT {texts}, o {octets})"
    ));
    if bed.server.engine() == ServerEngine::PostgreSql {
        bed.host.sql("GRANT ALL ON v TO landmarc");
    }
    let told = bed.server.transact("try", |session| {
        let write = "INSERT INTO v (n, i, s, w, t, o) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        session.execute(
            write,
            values![i64::MIN, -7_i64, true, "a ", "a\0ä'\\?1", vec![0_u8, 255]],
        )?;
        let none = (None::<i64>, None::<&str>, None::<Vec<u8>>);
        session.execute(write, values![none.0, none.0, none.0, none.1, none.1, none.2])?;
        assert_eq!(
            session.execute("UPDATE v SET i = i WHERE n = ?1", values![i64::MIN])?,
            1,
            "found, not changed"
        );
        assert!(
            !session.exists("SELECT n FROM v WHERE w = ?1", values!["a"])?,
            "a blank counts"
        );
        assert_eq!(session.count("SELECT count(*) FROM v", &[])?, 2);
        let ask =
            "SELECT n, i, s, w, t, o, n IS NULL, '?2' FROM v WHERE (n = ?2 OR ?1 = 1) ORDER BY n LIMIT ?3";
        session.rows(ask, values![1_i64, 5_i64, 9_u32], |row| {
            let numbers = [row.get::<Option<i64>>(0)?, row.get(1)?, row.get(2)?];
            let texts = [row.get::<Option<String>>(3)?, row.get(4)?];
            assert_eq!(row.text(7)?, "?2");
            Ok((
                numbers,
                texts,
                row.get::<Option<Vec<u8>>>(5)?,
                row.get::<bool>(6)?,
            ))
        })
    });
    let mut told = told.unwrap();
    told.sort_by_key(|row| row.3);
    // PostgreSQL has no NUL in a text.
    let nul = if bed.server.engine() == ServerEngine::PostgreSql {
        '\u{fffd}'
    } else {
        '\0'
    };
    let texts = [Some("a ".to_owned()), Some(format!("a{nul}ä'\\?1"))];
    let first = (
        [Some(i64::MIN), Some(-7), Some(1)],
        texts,
        Some(vec![0, 255]),
        false,
    );
    assert_eq!(told, [first, ([None; 3], [None, None], None, true)]);

    let ids = bed.server.write("try", |session| {
        let add = "INSERT INTO body (policy_domain, created_ms, size) VALUES (?1, ?2, ?3)";
        let one = session.insert(add, values!["example.com", 1_i64, 5_i64])?;
        session.execute("DELETE FROM body", &[])?;
        Ok((one, session.insert(add, values!["example.com", 1_i64, 5_i64])?))
    });
    let (one, two) = ids.unwrap();
    assert!(one > 0 && two > one, "no number is given out again");
}

fn many_rows_go_in_one_go(bed: &Bed) {
    const ROWS: i64 = 700;
    let numbers = || (0..ROWS).map(|number| row![number]).collect::<Vec<_>>();
    let squares = || (0..ROWS).map(|number| row![number, number * number]);
    let put =
        |session: &ServerSession| session.bulk("INSERT INTO t (a, b) {rows}", &squares().collect::<Vec<_>>());
    let number = u64::try_from(ROWS).unwrap();
    assert_eq!(bed.server.transact("try", put).unwrap(), number);
    let found = bed.server.read("try", |session| {
        let mut found = Vec::new();
        session.each_of("SELECT b FROM t WHERE a IN ({list})", &numbers(), &mut |row| {
            found.push(row.get::<i64>(0)?);
            Ok(true)
        })?;
        session.each_of("SELECT b FROM t WHERE a IN ({list})", &[], &mut |_| {
            unreachable!("nothing was asked for")
        })?;
        found.sort_unstable();
        Ok(found)
    });
    assert_eq!(
        found.unwrap(),
        (0..ROWS).map(|number| number * number).collect::<Vec<_>>()
    );
    let uneven = bed.server.transact("try", |session| {
        session.bulk(
            "INSERT INTO t (a, b) {rows}",
            &[row![-1_i64, 1_i64], row![-2_i64]],
        )
    });
    assert_eq!(trouble(uneven), Trouble::Refused);
}

fn what_was_lost_before_its_end_is_done_again(bed: &Bed) {
    let tried = AtomicU32::new(0);
    let done = bed.server.transact("try", |session| {
        add(session, 1, 1)?;
        if tried.fetch_add(1, Ordering::Relaxed) == 0 {
            bed.host.hang_up();
        }
        add(session, 2, 2)
    });
    assert_eq!((done.unwrap(), tried.into_inner()), (1, 2));
    assert_eq!(bed.rows(), "1\t1\n2\t2\n");
}

/// Two that take two rows in opposite orders: the server lets one of them go on.
fn what_others_were_in_the_way_of_is_done_again(bed: &Bed) {
    bed.host.sql("INSERT INTO t VALUES (1, 0), (2, 0)");
    let both_have_one = Barrier::new(2);
    let tries = AtomicU32::new(0);
    let work = |rows: [i64; 2]| {
        let mut is_first = true;
        let server = bed.again(|_| {});
        server.transact("try", |session| {
            tries.fetch_add(1, Ordering::Relaxed);
            let grow = "UPDATE t SET b = b + 1 WHERE a = ?1";
            session.execute(grow, values![rows[0]])?;
            if std::mem::replace(&mut is_first, false) {
                both_have_one.wait();
            }
            session.execute(grow, values![rows[1]])
        })
    };
    thread::scope(|scope| {
        let other = scope.spawn(|| work([2, 1]).unwrap());
        work([1, 2]).unwrap();
        other.join().unwrap();
    });
    assert_eq!(bed.rows(), "1\t2\n2\t2\n");
    assert_eq!(tries.into_inner(), 3);
}

fn a_lost_answer_to_commit_is_looked_up(bed: &Bed) {
    let proxy = Proxy::before(bed.host.port());
    let server = bed.through(&proxy);
    let tried = AtomicU32::new(0);
    let write = |a: i64| {
        tried.store(0, Ordering::Relaxed);
        server.write("try", |session| {
            tried.fetch_add(1, Ordering::Relaxed);
            add(session, a, 0)
        })
    };
    proxy.cut(Cut::AfterCommit);
    assert_eq!(write(1).unwrap(), 1);
    assert_eq!(
        tried.load(Ordering::Relaxed),
        1,
        "it was done, and is not done again"
    );
    proxy.cut(Cut::BeforeCommit);
    assert_eq!(write(2).unwrap(), 1);
    assert_eq!(tried.load(Ordering::Relaxed), 2, "it was not done");
    assert_eq!(bed.rows(), "1\t0\n2\t0\n");
    // Without the lock it is such that it may be done again.
    proxy.cut(Cut::AfterCommit);
    let repeated = server.transact("try", |session| session.execute("DELETE FROM t WHERE a = 1", &[]));
    assert_eq!((repeated.unwrap(), bed.rows()), (0, "2\t0\n".to_owned()));
    // Nobody is there any more who could tell.
    proxy.cut(Cut::ForGood);
    let unknown = write(3);
    assert_eq!(trouble(unknown), Trouble::Unknown);
    insta::allow_duplicates! {
        insta::assert_snapshot!(Trouble::Unknown, @"the connection was lost at the end: it may be done or not");
    }
    assert_eq!(bed.rows(), "2\t0\n3\t0\n");
}

fn an_error_that_was_passed_over_undoes_all(bed: &Bed) {
    let done = bed.server.transact("try", |session| {
        add(session, 1, 1)?;
        let refused = add(session, 1, 2);
        assert!(refused.is_err(), "it is there already");
        assert!(add(session, 3, 3).is_err(), "nothing more is done");
        Ok(())
    });
    assert_eq!(trouble(done), Trouble::Refused);
    assert_eq!(bed.rows(), "");
    let panicked = bed.server.transact("try", |session| {
        add(session, 1, 1)?;
        let there = (session as &dyn Sql).count("SELECT count(*) FROM t", &[])?;
        assert!(there == 0, "a defect");
        Ok(())
    });
    assert!(matches!(panicked, Err(StoreError::Panicked { panic, .. }) if panic == "a defect"));
    bed.server.transact("try", |session| add(session, 1, 1)).unwrap();
    assert_eq!(bed.rows(), "1\t1\n");
}

fn one_at_a_time_writes_to_the_outbox(bed: &Bed) {
    const EACH: i64 = 20;
    bed.host.sql("INSERT INTO t VALUES (1, 0)");
    let is_writing = AtomicBool::new(false);
    let write = |server: &DatabaseServer| {
        for _ in 0..EACH {
            let done = server.write("try", |session| {
                assert!(!is_writing.swap(true, Ordering::SeqCst), "somebody else writes");
                let count = session.count("SELECT b FROM t WHERE a = 1", &[])?;
                let count = i64::try_from(count).unwrap();
                session.execute("UPDATE t SET b = ?1 WHERE a = 1", values![count + 1])?;
                is_writing.store(false, Ordering::SeqCst);
                Ok(())
            });
            done.unwrap();
        }
    };
    let other = bed.again(|_| {});
    thread::scope(|scope| {
        for server in [&bed.server, &bed.server, &other] {
            scope.spawn(|| write(server));
        }
    });
    assert_eq!(bed.rows(), "1\t60\n");
    // Each process has a row of its own.
    assert_eq!(bed.host.sql("SELECT count(*) FROM writer"), "2\n");
}

fn a_server_that_comes_back_is_found_again(bed: &Bed) {
    let proxy = Proxy::before(bed.host.port());
    let server = bed.through(&proxy);
    server.transact("try", |session| add(session, 1, 1)).unwrap();
    proxy.cut(Cut::Now);
    assert_eq!(
        trouble(server.transact("try", |session| add(session, 2, 2))),
        Trouble::Unreachable
    );
    assert_eq!(trouble(server.check()), Trouble::Unreachable);
    proxy.open();
    server.transact("try", |session| add(session, 2, 2)).unwrap();
    assert_eq!(bed.rows(), "1\t1\n2\t2\n");
}

fn a_statement_that_takes_too_long_is_given_up(bed: &Bed) {
    let hasty = bed.again(|options| options.statement_timeout = Duration::from_secs(1));
    let sleep = match bed.server.engine() {
        ServerEngine::PostgreSql => "SELECT pg_sleep(30)",
        ServerEngine::MariaDb => "SELECT sleep(30)",
    };
    let slow = hasty.read("try", |session| (session as &dyn Sql).exists(sleep, &[]));
    assert_eq!(trouble(slow), Trouble::Slow);
    // Whoever waits for others is told so.
    let (told, holds) = mpsc::channel();
    let (end, ended) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(|| {
            let held = bed.server.write("try", move |_| {
                told.send(()).unwrap();
                // Until whoever waits for it is there.
                Ok(ended.recv().is_err())
            });
            assert!(held.unwrap());
        });
        holds.recv().unwrap();
        let late = hasty.write("try", |_| Ok(()));
        drop(end);
        assert_eq!(trouble(late), Trouble::Busy);
    });
}

fn no_more_connections_are_made_than_allowed(bed: &Bed) {
    let narrow = bed.again(|options| {
        options.connections = 1;
        options.statement_timeout = Duration::from_secs(2);
        options.connect_timeout = Duration::from_secs(1);
    });
    let within = narrow.read("try", |_| Ok(narrow.read("try", |_| Ok(()))));
    assert_eq!(trouble(within.unwrap()), Trouble::Busy);
    narrow.read("try", |_| Ok(())).unwrap();
}

fn all_answers_are_about_one_state(bed: &Bed) {
    let counted = bed.server.read("try", |session| {
        let count = |sql: &dyn Sql| sql.count("SELECT count(*) FROM t", &[]);
        let before = count(session)?;
        bed.host.sql("INSERT INTO t VALUES (1, 1)");
        Ok((before, count(session)?))
    });
    assert_eq!(counted.unwrap(), (0, 0));
    let written = bed.server.read("try", |session| add(session, 2, 2));
    assert_eq!(trouble(written), Trouble::ReadOnly, "who reads does not write");
}

/// A host of the build before holds a connection that was checked.
fn tables_that_a_later_build_has_changed_are_named_at_once(bed: &Bed) {
    let ask = || {
        bed.server.read("try", |session| {
            session.rows("SELECT author_domain FROM outcome", &[], |row| {
                row.get::<String>(0)
            })
        })
    };
    assert_eq!(ask().unwrap(), Vec::<String>::new());
    bed.host
        .sql("ALTER TABLE outcome RENAME COLUMN author_domain TO author");
    assert_eq!(trouble(ask()), Trouble::Refused, "the version is the same");
    bed.host
        .sql("INSERT INTO migration (version, at_ms, program) VALUES (4, 0, 'landmarc')");
    let (found, known) = (4, 3);
    assert_eq!(trouble(ask()), Trouble::Newer { found, known });
    assert_eq!(trouble(ask()), Trouble::Newer { found, known }, "and again");
}
