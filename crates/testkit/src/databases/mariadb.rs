//! MariaDB.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection};

use super::{Disk, PASSWORD, Running, Setup, USER, asked, common};
use crate::tools::{Daemon, Folder, free_port, package};

/// A server.
#[derive(Debug)]
pub struct MariaDb {
    package: PathBuf,
    setup: Setup,
    running: Running,
}

impl MariaDb {
    /// Starts the usual one; none where there is no package.
    #[must_use]
    pub fn start() -> Option<Self> {
        Self::with(Setup::default())
    }

    /// Starts one.
    #[must_use]
    pub fn with(setup: Setup) -> Option<Self> {
        let package = package("mariadb")?;
        let folder = Folder::new("mariadb");
        let data = folder.join("data");
        fs::create_dir(&data).unwrap();
        let disk = setup.disk.map(|octets| Disk::mount(&data, octets));
        let mut server = Self {
            package,
            running: Running {
                daemon: None,
                _disk: disk,
                folder,
                listen: setup.listen,
                port: free_port(),
            },
            setup,
        };
        server.fill();
        server.running.daemon = Some(server.started());
        server.user(USER, PASSWORD);
        Some(server)
    }

    common!("mysql");

    /// Its socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.running.folder.join("socket")
    }

    /// Makes a database in which [`USER`] may do all.
    pub fn create_database(&self, name: &str) {
        self.sql(
            "mysql",
            &format!("CREATE DATABASE `{name}`; GRANT ALL ON `{name}`.* TO `{USER}`@'%' WITH GRANT OPTION"),
        );
    }

    /// Removes a database.
    pub fn drop_database(&self, name: &str) {
        self.sql("mysql", &format!("DROP DATABASE `{name}`"));
    }

    /// Makes a user who may log in and nothing else.
    pub fn user(&self, name: &str, password: &str) {
        let require = if self.setup.tls_only { "REQUIRE SSL" } else { "" };
        self.sql(
            "mysql",
            &format!("CREATE USER `{name}`@'%' IDENTIFIED BY '{password}' {require}"),
        );
    }

    /// What the superuser is answered: a line for each row, a TAB between two columns.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        let options = MySqlConnectOptions::new()
            .socket(self.socket())
            .username("root")
            .database(database)
            .ssl_mode(sqlx::mysql::MySqlSslMode::Disabled);
        asked::<sqlx::MySql, MySqlConnection>(&options, sql)
    }

    /// What somebody is answered who comes over the network with a password.
    pub fn sql_of(&self, (user, password): (&str, &str), database: &str, sql: &str) -> String {
        let options = MySqlConnectOptions::new()
            .host(&self.running.host().to_string())
            .port(self.running.port)
            .username(user)
            .password(password)
            .database(database);
        asked::<sqlx::MySql, MySqlConnection>(&options, sql)
    }

    /// Ends it in order, and all connections with it.
    pub fn stop(&mut self) {
        self.running.daemon().end(Signal::SIGTERM);
        self.running.daemon = None;
    }

    /// The tables of its own, and no users but its superuser.
    fn fill(&self) {
        let read = |name: &str| fs::read_to_string(self.package.join("usr/share/mysql").join(name)).unwrap();
        let sql = format!(
            "create database mysql;\nuse mysql;\nSET @auth_root_socket=NULL;\n{}{}\nDELETE FROM global_priv WHERE User = '';\n",
            read("mysql_system_tables.sql"),
            read("mysql_system_tables_data.sql"),
        );
        let sql = self.running.folder.write("first.sql", sql);
        let mut command = self.command();
        command.args(["--bootstrap", "--sql-mode=", "--enforce-storage-engine="]);
        let filled = command
            .stdin(File::open(sql).unwrap())
            .stdout(Stdio::null())
            .output()
            .unwrap();
        assert!(
            filled.status.success(),
            "{}",
            String::from_utf8_lossy(&filled.stderr)
        );
    }

    fn started(&self) -> Daemon {
        let mut command = self.command();
        command.envs(self.setup.environment.iter().cloned());
        command.arg(format!("--bind-address={}", self.running.listen));
        command.arg(format!("--port={}", self.running.port));
        command.arg(format!("--socket={}", self.socket().display()));
        command.args(["--skip-name-resolve", "--max-connections=60"]);
        if let Some((certificate, key)) = &self.setup.tls {
            command.arg(format!("--ssl-cert={}", certificate.display()));
            command.arg(format!("--ssl-key={}", key.display()));
        }
        command.args(self.setup.tls_only.then_some("--require-secure-transport"));
        command.args(self.setup.settings.iter().map(|setting| format!("--{setting}")));
        let mut daemon = Daemon::start(&mut command, self.running.folder.join("log"));
        let socket = self.socket();
        daemon.waited_for("listened", || {
            std::os::unix::net::UnixStream::connect(&socket).ok()
        });
        daemon
    }

    fn command(&self) -> Command {
        let mut command = Command::new(self.package.join("usr/sbin/mariadbd"));
        let folder = self.running.folder.path();
        command.args(["--no-defaults", "--user=root"]);
        command.arg(format!("--datadir={}", folder.join("data").display()));
        // In one directory for all, each server that starts removes what others are using.
        command.arg(format!("--tmpdir={}", folder.display()));
        command.arg(format!(
            "--lc-messages-dir={}",
            self.package.join("usr/share/mysql").display()
        ));
        // Small: many may run at a time.
        command.args([
            "--innodb-buffer-pool-size=32M",
            "--innodb-log-file-size=16M",
            "--skip-log-bin",
        ]);
        // The disk that a test fills has tables on it: without room for the rest the server ends itself.
        for place in ["log-group-home-dir", "data-home-dir", "undo-directory", "tmpdir"] {
            command.arg(format!("--innodb-{place}={}", folder.display()));
        }
        if !self.setup.durable {
            command.args([
                "--innodb-flush-method=nosync",
                "--innodb-flush-log-at-trx-commit=0",
                "--skip-innodb-doublewrite",
            ]);
        }
        command
    }
}
