//! PostgreSQL.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;
use sqlx::postgres::{PgConnectOptions, PgConnection};

use super::{Disk, PASSWORD, Running, Setup, USER, asked, common};
use crate::tools::{Daemon, Folder, free_port, output_of, package};

/// It refuses to run as root; this one is `nobody` of every system.
const NOBODY: u32 = 65_534;
/// Where Debian keeps the programs of version 15.
const PROGRAMS: &str = "usr/lib/postgresql/15/bin";
/// Its superuser, who is let in on the socket.
const SUPERUSER: &str = "postgres";

/// A server.
#[derive(Debug)]
pub struct PostgreSql {
    programs: PathBuf,
    setup: Setup,
    running: Running,
}

impl PostgreSql {
    /// Starts the usual one; none where there is no package.
    #[must_use]
    pub fn start() -> Option<Self> {
        Self::with(Setup::default())
    }

    /// Starts one.
    #[must_use]
    pub fn with(setup: Setup) -> Option<Self> {
        let programs = package("postgresql")?.join(PROGRAMS);
        let folder = Folder::new("postgresql");
        chown(folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        let data = folder.join("data");
        std::fs::create_dir(&data).unwrap();
        let disk = setup.disk.map(|octets| Disk::mount(&data, octets));
        chown(&data, Some(NOBODY), Some(NOBODY)).unwrap();
        let mut initdb = as_nobody(programs.join("initdb"));
        initdb
            .arg("--pgdata")
            .arg(&data)
            .arg("--waldir")
            .arg(folder.join("wal"));
        initdb.args([
            "--username",
            SUPERUSER,
            "--encoding=UTF8",
            "--no-locale",
            "--no-sync",
        ]);
        initdb.args([
            "--auth-local=trust",
            "--auth-host=scram-sha-256",
            "--wal-segsize=4",
        ]);
        output_of(&mut initdb);
        let mut server = Self {
            programs,
            running: Running {
                daemon: None,
                _disk: disk,
                folder,
                listen: setup.listen,
                port: free_port(),
            },
            setup,
        };
        server.write_rules();
        server.running.daemon = Some(server.started());
        server.user(USER, PASSWORD);
        Some(server)
    }

    common!("postgres");

    /// Its socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.running
            .folder
            .join(format!(".s.PGSQL.{}", self.running.port))
    }

    /// Makes a database of [`USER`].
    pub fn create_database(&self, name: &str) {
        // What is in the first template somebody may have open.
        self.sql(
            "postgres",
            &format!("CREATE DATABASE \"{name}\" OWNER \"{USER}\" TEMPLATE template0"),
        );
    }

    /// Removes a database, whoever uses it.
    pub fn drop_database(&self, name: &str) {
        self.sql("postgres", &format!("DROP DATABASE \"{name}\" WITH (FORCE)"));
    }

    /// Makes a user who may log in and nothing else.
    pub fn user(&self, name: &str, password: &str) {
        self.sql(
            "postgres",
            &format!("CREATE USER \"{name}\" PASSWORD '{password}'"),
        );
    }

    /// What the superuser is answered: a line for each row, a TAB between two columns.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        let options = PgConnectOptions::new_without_pgpass()
            .socket(self.running.folder.path())
            .port(self.running.port)
            .username(SUPERUSER)
            .database(database);
        asked::<sqlx::Postgres, PgConnection>(&options, sql)
    }

    /// What somebody is answered who comes over the network with a password.
    pub fn sql_of(&self, (user, password): (&str, &str), database: &str, sql: &str) -> String {
        let options = PgConnectOptions::new_without_pgpass()
            .host(&self.running.host().to_string())
            .port(self.running.port)
            .username(user)
            .password(password)
            .database(database);
        asked::<sqlx::Postgres, PgConnection>(&options, sql)
    }

    /// Ends it in order, and all connections with it.
    pub fn stop(&mut self) {
        self.running.daemon().end(Signal::SIGINT);
        self.running.daemon = None;
    }

    /// A server that follows this one and can only be read, and its port. It has what was there when it was made, and what comes.
    #[must_use]
    pub fn replica(&self) -> Self {
        let folder = Folder::new("postgresql");
        chown(folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        let mut copy = as_nobody(self.programs.join("pg_basebackup"));
        copy.arg("--pgdata")
            .arg(folder.join("data"))
            .arg("--host")
            .arg(self.folder());
        copy.args(["--port", &self.port().to_string(), "--username", SUPERUSER]);
        copy.args(["--write-recovery-conf", "--checkpoint=fast", "--no-sync"]);
        output_of(&mut copy);
        let mut replica = Self {
            programs: self.programs.clone(),
            setup: self.setup.clone(),
            running: Running {
                daemon: None,
                _disk: None,
                folder,
                listen: self.running.listen,
                port: free_port(),
            },
        };
        replica.running.daemon = Some(replica.started());
        replica
    }

    /// Who is let in: all with their passwords, on the socket all.
    fn write_rules(&self) {
        let kind = if self.setup.tls_only { "hostssl" } else { "host" };
        let rules = format!(
            "local all all trust\nlocal replication all trust\n{kind} all all 0.0.0.0/0 scram-sha-256\n{kind} all all ::/0 scram-sha-256\n"
        );
        std::fs::write(self.running.folder.join("data/pg_hba.conf"), rules).unwrap();
    }

    fn started(&self) -> Daemon {
        let folder = self.folder();
        let mut command = as_nobody(self.programs.join("postgres"));
        command.envs(self.setup.environment.iter().cloned());
        command.arg("-D").arg(folder.join("data"));
        let mut set = |setting: &str| {
            command.args(["-c", setting]);
        };
        set(&format!("listen_addresses={}", self.running.listen));
        set(&format!("port={}", self.running.port));
        set(&format!("unix_socket_directories={}", folder.display()));
        let quick = ["fsync=off", "full_page_writes=off"];
        quick
            .iter()
            .filter(|_| !self.setup.durable)
            .for_each(|setting| set(setting));
        // Small: many may run at a time.
        for setting in [
            "shared_buffers=32MB",
            "max_connections=60",
            "timezone=UTC",
            "log_timezone=UTC",
        ] {
            set(setting);
        }
        if let Some((certificate, key)) = &self.setup.tls {
            set("ssl=on");
            set(&format!(
                "ssl_cert_file={}",
                own(folder, "server.crt", certificate).display()
            ));
            set(&format!(
                "ssl_key_file={}",
                own(folder, "server.key", key).display()
            ));
        }
        self.setup.settings.iter().for_each(|setting| set(setting));
        let mut daemon = Daemon::start(&mut command, folder.join("log"));
        let mut ready = as_nobody(self.programs.join("pg_isready"));
        ready
            .arg("--quiet")
            .arg("--host")
            .arg(folder)
            .args(["--port", &self.running.port.to_string()]);
        daemon.waited_for("was ready", || ready.status().unwrap().success().then_some(()));
        daemon
    }
}

impl Drop for PostgreSql {
    fn drop(&mut self) {
        // At once, and with its processes, which are in groups of their own; killed, it would leave shared memory behind.
        if let Some(daemon) = &self.running.daemon {
            let _ = nix::sys::signal::kill(daemon.pid(), Signal::SIGQUIT);
            let _ = nix::sys::wait::waitpid(daemon.pid(), None);
        }
    }
}

fn as_nobody(program: PathBuf) -> Command {
    let mut command = Command::new(program);
    command.uid(NOBODY).gid(NOBODY).current_dir("/").env_clear();
    command
}

/// A copy that nobody else can read, as it asks for.
fn own(folder: &Path, name: &str, file: &Path) -> PathBuf {
    let copy = folder.join(name);
    std::fs::copy(file, &copy).unwrap();
    std::fs::set_permissions(&copy, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    chown(&copy, Some(NOBODY), Some(NOBODY)).unwrap();
    copy
}
