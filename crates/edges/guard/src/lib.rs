//! What a database server sends, within limits, before a library reads it (PostgreSQL and MariaDB).
//!
//! The library that speaks to such a server makes room for a message of any announced length, and keeps what comes for as
//! long as it comes; a server that lies, or who sits before it, ends the process by that. It also answers a server that wants the password in
//! clear. It takes no stream of ours, only a socket: so a [`GuardedConnection`] stands between, on a socket in the abstract namespace that only this
//! process may use. The guard does TLS, sees the frames of the protocol, and ends the connection when one is past
//! its limits; [`GuardedConnection::ended`] says why.
//!
//! It knows frames, and what stands in them up to the end of the login; it knows nothing of SQL.
//!
//! Not implemented: certificates of clients; `sha256_password` of MySQL; channel binding.

mod error;
mod frames;
mod limits;
mod mariadb;
mod postgresql;
mod pump;
mod tls;

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::task::JoinHandle;

pub use error::{GuardError, ProtocolViolation};
pub use limits::{
    MAX_ANSWER_COST, MAX_ANSWER_OCTETS, MAX_COLUMNS, MAX_ITERATIONS, MAX_NAMES, MAX_PREPARED, MAX_SETTINGS,
};

/// Whether a server may send this after the beginning of a connection, in these chunks: what the guard decides, without
/// a server. `secure`: the password may go out as it is.
///
/// # Errors
/// For the first thing that would end the connection.
pub fn examine(protocol: Protocol, secure: bool, chunks: &[&[u8]]) -> Result<(), ProtocolViolation> {
    match protocol {
        Protocol::PostgreSql => postgresql::examine(secure, chunks),
        Protocol::MariaDb => mariadb::examine(chunks),
    }
}

/// The name of the socket within its folder, as PostgreSQL's clients make it of the port.
const SOCKET_NAME: &str = ".s.PGSQL.5432";
/// The port that goes with it.
pub const PORT: u16 = 5432;
/// How long the library may take to connect to the guard, which is on the same host.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Whose protocol is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// PostgreSQL, version 3.
    PostgreSql,
    /// MariaDB and MySQL, version 10.
    MariaDb,
}

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerSocket {
    /// A host and a port.
    Tcp(String, u16),
    /// A socket of this host.
    Unix(PathBuf),
}

/// Whether what is said to a server is encrypted. A socket of this host never is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GuardedTls {
    /// It is not.
    Off,
    /// Where the server offers it.
    Offered,
    /// Always; the host that answers is believed to be the server.
    Encrypted,
    /// Always, with a certificate for the host: of an authority that browsers trust, or of one in these octets (PEM).
    Verified {
        /// Authorities beside those that browsers trust.
        ca: Option<Vec<u8>>,
    },
}

/// A server, and how it is reached.
#[derive(Clone)]
pub struct GuardTarget {
    /// Whose protocol it speaks.
    pub protocol: Protocol,
    /// Where it listens.
    pub place: ServerSocket,
    /// Whether what is said to it is encrypted.
    pub tls: GuardedTls,
    /// The password, for the one login that the library leaves to TLS (`caching_sha2_password` of MySQL).
    pub password: Option<String>,
}

/// A connection to a server, and the socket on which a library reaches it. Dropped, it ends.
#[derive(Debug)]
pub struct GuardedConnection {
    folder: PathBuf,
    ended: Arc<Mutex<Option<GuardError>>>,
    task: JoinHandle<()>,
}

impl GuardedConnection {
    /// Connects to the server, and waits for the library on a socket. To be called within a tokio runtime.
    ///
    /// # Errors
    /// When the server cannot be reached, or the certificates of authorities cannot be read.
    pub async fn connect(target: GuardTarget) -> Result<Self, GuardError> {
        let tls = tls::config(&target.tls)?;
        let folder = folder()?;
        let listener = UnixListener::bind(folder.join(SOCKET_NAME))?;
        let ended = Arc::new(Mutex::new(None));
        let said = Arc::clone(&ended);
        let task = match &target.place {
            ServerSocket::Tcp(host, port) => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                stream.set_nodelay(true)?;
                let is_local = stream.peer_addr()?.ip().is_loopback();
                let secure = is_local || matches!(target.tls, GuardedTls::Verified { .. });
                tokio::spawn(run(listener, stream, target, tls, secure, said))
            }
            ServerSocket::Unix(path) => {
                let stream = UnixStream::connect(path).await?;
                tokio::spawn(run(listener, stream, target, None, true, said))
            }
        };
        Ok(Self { folder, ended, task })
    }

    /// The folder of the socket, for a library that makes the name of it from [`PORT`].
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.join(SOCKET_NAME)
    }

    /// Why the guard ended the connection, if it did. It says so once.
    pub fn ended(&self) -> Option<GuardError> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for GuardedConnection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A folder of the abstract namespace that nobody guesses.
fn folder() -> io::Result<PathBuf> {
    let mut octets = [0; 16];
    let drawn = SystemRandom::new().fill(&mut octets);
    drawn.map_err(|_| io::Error::other("the system has no randomness"))?;
    let mut name = "\0landmarc-".to_owned();
    for octet in octets {
        // A text takes all that is written.
        let _ = write!(name, "{octet:02x}");
    }
    Ok(name.into())
}

/// Everything from the library's connection to the end of the server's.
async fn run<S: AsyncRead + AsyncWrite + Unpin>(
    listener: UnixListener,
    server: S,
    target: GuardTarget,
    tls: Option<tls::Connector>,
    secure: bool,
    ended: Arc<Mutex<Option<GuardError>>>,
) {
    let Ok(Ok(mut client)) = tokio::time::timeout(CONNECT_TIMEOUT, accept(&listener)).await else {
        return;
    };
    drop(listener);
    let done = match target.protocol {
        Protocol::PostgreSql => postgresql::carry(&mut client, server, &target, tls, secure).await,
        Protocol::MariaDb => mariadb::carry(&mut client, server, &target, tls, secure).await,
    };
    // It is said before the library sees the end of its connection.
    *ended.lock().unwrap_or_else(PoisonError::into_inner) = done.err();
    drop(client);
}

/// The connection of this process; those of other processes are closed.
async fn accept(listener: &UnixListener) -> io::Result<UnixStream> {
    loop {
        let (stream, _) = listener.accept().await?;
        let process = stream.peer_cred()?.pid().and_then(|id| u32::try_from(id).ok());
        if process == Some(std::process::id()) {
            return Ok(stream);
        }
    }
}
