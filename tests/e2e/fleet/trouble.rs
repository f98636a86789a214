//! What is wrong with the database of a fleet is said once, with what can be done; mail does not notice, and afterwards
//! every message is counted.

use std::net::TcpListener;
use std::path::PathBuf;
use std::time::Duration;

use landmarc_store::Day;
use landmarc_testkit::databases::{PASSWORD, Setup, USER};
use landmarc_testkit::tools::Folder;

use super::account::{assert_same, rows, tallies_since, written};
use super::database::{Database, Engine};
use super::ground::Loopback;
use super::mx::{Mx, today};
use super::wait_for;

/// Messages that are answered while something is wrong.
const A_FEW: usize = 20;
/// The longest that the end of a service may take.
const END: Duration = Duration::from_secs(15);
/// What a host says when nothing can be handed on, and when it can be again.
const AWAY: &str = "records wait on disk to be handed on; mail goes on: ";
const BACK: &str = "what waited is handed on again";

#[test]
fn on_postgresql_who_may_not_is_told_and_mail_goes_on() {
    who_may_not_is_told(Engine::PostgreSql);
}

#[test]
fn on_mariadb_who_may_not_is_told_and_mail_goes_on() {
    who_may_not_is_told(Engine::MariaDb);
}

#[test]
fn on_postgresql_other_tables_and_no_server_are_told_and_mail_goes_on() {
    other_tables_and_no_server_are_told(Engine::PostgreSql);
}

#[test]
fn on_mariadb_other_tables_and_no_server_are_told_and_mail_goes_on() {
    other_tables_and_no_server_are_told(Engine::MariaDb);
}

fn who_may_not_is_told(engine: Engine) {
    let Some(mut scene) = Scene::start(engine) else {
        return;
    };
    let password = |word: &str, database: &Database| {
        let name = database.on(USER.to_owned(), format!("'{USER}'@'%'"));
        let set = database.on("PASSWORD", "IDENTIFIED BY");
        database.sql(&format!("ALTER USER {name} {set} '{word}'"));
        database.hang_up();
    };
    scene.told(
        |database| password("another", database),
        ["does not accept the user or the password", "the password file"],
        |database| password(PASSWORD, database),
    );
    let right = |word: &str, database: &Database| {
        let tally = database.on("tally", "landmarc.tally");
        let name = database.on(USER.to_owned(), format!("'{USER}'@'%'"));
        let whose = if word == "GRANT" { "TO" } else { "FROM" };
        database.sql(&format!("{word} INSERT ON {tally} {whose} {name}"));
    };
    scene.told(
        |database| right("REVOKE", database),
        ["the user lacks a right", "landmarc store grants"],
        |database| right("GRANT", database),
    );
    let read_only = |word: &str, database: &Database| {
        database.sql(&database.on(
            format!(
                "BEGIN READ WRITE; ALTER DATABASE landmarc SET default_transaction_read_only = {word}; COMMIT"
            ),
            format!("SET GLOBAL read_only = {word}"),
        ));
        database.hang_up();
    };
    scene.told(
        |database| read_only("ON", database),
        ["the server takes no writing", "name the primary server"],
        |database| read_only("OFF", database),
    );
    scene.end();
}

fn other_tables_and_no_server_are_told(engine: Engine) {
    let Some(mut scene) = Scene::start(engine) else {
        return;
    };
    scene.told(
        |database| {
            database.sql("DELETE FROM migration WHERE version > 1");
            database.hang_up();
        },
        [
            "the tables are at version 1 of the schema, this build needs 3",
            "landmarc store migrate",
        ],
        |database| {
            database.sql("INSERT INTO migration (version, at_ms, program) VALUES (3, 0, 'landmarc')");
        },
    );
    scene.told(
        |database| {
            database.sql("INSERT INTO migration (version, at_ms, program) VALUES (99, 0, 'landmarc')");
            database.hang_up();
        },
        [
            "the tables are at version 99 of the schema",
            "run the version that the other hosts run",
        ],
        |database| {
            database.sql("DELETE FROM migration WHERE version = 99");
        },
    );
    scene.told(
        Database::stop,
        ["the server cannot be reached", "check that the server runs"],
        Database::restart,
    );
    scene.end();
}

/// It takes connections, and never says a word.
#[test]
fn a_database_that_says_nothing_does_not_hold_up_the_end() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://{USER}@{}/landmarc", silent.local_addr().unwrap());
    let folder = Folder::new("fleet-silent");
    let reports =
        "report.email = \"noreply@reports.here.example\"\nreport.delivery.relay = \"127.0.0.1:9\"\n";
    let settings = settings(&folder, &url) + reports;
    let mut mx = Mx::new(&Loopback, None, ("mx1", 0), &settings);
    mx.begin(&Loopback);
    mx.listens();
    mx.receive(&Loopback);
    mx.answers(A_FEW);
    mx.line_after(0, AWAY);
    mx.answers(A_FEW);
    mx.rest();
    mx.stop_within(END);
    written(&mx);
}

/// One host and its database.
struct Scene {
    mx: Mx,
    database: Database,
    /// The day on which it began.
    first: Day,
    _folder: Folder,
}

impl Scene {
    /// Mail comes, and what is counted arrives.
    fn start(engine: Engine) -> Option<Self> {
        let database = Database::start(engine, Setup::default())?;
        database.create_for_three();
        let folder = Folder::new("fleet-trouble");
        let mx = Mx::new(&Loopback, None, ("mx1", 0), &settings(&folder, &database.url()));
        database.make_tables(&mx, &password_file(&folder));
        let mut scene = Self {
            mx,
            database,
            first: today(),
            _folder: folder,
        };
        scene.mx.begin(&Loopback);
        scene.mx.listens();
        scene.mx.receive(&Loopback);
        let is_counted = wait_for(|| (scene.database.counted() > 0).then_some(()));
        assert!(is_counted.is_some(), "nothing is handed on");
        Some(scene)
    }

    /// Something is in the way, and is removed: the log has one line about it and none beside it.
    #[track_caller]
    fn told(
        &mut self,
        goes_wrong: impl FnOnce(&mut Database),
        words: [&str; 2],
        is_mended: impl FnOnce(&mut Database),
    ) {
        let before = self.mx.log().len();
        goes_wrong(&mut self.database);
        let told = self.mx.line_after(before, AWAY);
        for words in words {
            assert!(told.contains(words), "{words:?} is not in: {told}");
        }
        self.mx.answers(A_FEW);
        is_mended(&mut self.database);
        let counted = self.database.counted();
        self.mx.line_after(before, BACK);
        assert_eq!(self.mx.complaints_after(before), [told]);
        let goes_on = wait_for(|| (self.database.counted() > counted).then_some(()));
        assert!(goes_on.is_some(), "nothing more is counted");
    }

    /// Every message is counted once.
    #[track_caller]
    fn end(mut self) {
        self.mx.rest();
        self.mx.stop();
        let written = written(&self.mx);
        assert!(self.mx.account().unanswered.is_empty());
        let counted = tallies_since(&self.database.place(), self.first);
        assert_same("the tallies of the database", &counted, &rows(&written));
        assert_eq!(self.mx.json(&["spool", "status", "--json"])["batches"], 0);
    }
}

/// Of a host that hands on into a database.
pub(super) fn settings(folder: &Folder, url: &str) -> String {
    format!(
        "fleet.database = \"{url}\"\nfleet.password_file = \"{}\"\nfleet.tls = \"off\"\n",
        password_file(folder).display()
    )
}

/// The password of all users.
pub(super) fn password_file(folder: &Folder) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;

    let file = folder.write("password", format!("{PASSWORD}\n"));
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    file
}
