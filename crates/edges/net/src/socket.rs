//! Opening one listening socket, and saying what is in the way.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::task::{Context, Poll};
use std::time::Duration;

use nix::fcntl::{AtFlags, OFlag};
use nix::sys::stat::{Mode, fchmod};
use nix::unistd::{Gid, Uid, fchownat, geteuid};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, UnixListener, UnixSocket, UnixStream};
use tokio::time::{sleep, timeout};

use crate::address::SocketAddress;
use crate::error::ListenError;
use crate::peer::Peer;
use crate::quick_ack::QuickAckStream;

/// Connections that may wait to be accepted; the system may cut it further
/// (`net.core.somaxconn`).
const BACKLOG: u32 = 4_096;

/// What lies between two looks at a socket file that nobody seems to listen on: another
/// server may have put it there just now, and is about to listen.
const PROBE_PAUSE: Duration = Duration::from_millis(50);

/// How long a program that is at the other end of a socket file has to show itself.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// Octets of a path that the system takes for a socket: `sun_path`, without its NUL.
const PATH_LIMIT: usize = 107;

/// Who may connect to UNIX sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnixAccess {
    /// Permission bits of the socket file. To connect takes the right to write.
    pub mode: u32,
    /// The user it shall belong to; by default ours.
    pub user_id: Option<u32>,
    /// The group it shall belong to; by default ours.
    pub group_id: Option<u32>,
}

/// For this user and group only.
impl Default for UnixAccess {
    fn default() -> Self {
        Self {
            mode: 0o660,
            user_id: None,
            group_id: None,
        }
    }
}

/// One socket that listens.
#[derive(Debug)]
pub(crate) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener, SocketFile),
}

/// A connection by either kind of socket.
pub trait Stream: AsyncRead + AsyncWrite + AsFd + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + AsFd + Unpin + Send> Stream for T {}

impl Listener {
    pub(crate) async fn open(address: &SocketAddress, access: &UnixAccess) -> Result<Vec<Self>, ListenError> {
        match address {
            SocketAddress::Unix(path) => Ok(vec![open_unix(address, path, access).await?]),
            SocketAddress::Inet { host, port, v6 } => {
                let mut listeners = Vec::new();
                for resolved in resolve(address, host.as_deref(), *port, *v6).await? {
                    let listener = listen_tcp(resolved).map_err(|error| ListenError::new(address, error))?;
                    listeners.push(Self::Tcp(listener));
                }
                Ok(listeners)
            }
        }
    }

    pub(crate) fn open_tcp(address: SocketAddr) -> Result<Self, ListenError> {
        let opened = listen_tcp(address).map(Self::Tcp);
        opened.map_err(|error| ListenError::new(&address.into(), error))
    }

    /// The address as it turned out: with the port that the system chose.
    pub(crate) fn local_address(&self) -> Option<SocketAddress> {
        match self {
            Self::Tcp(_) => self.tcp_address().map(SocketAddress::from),
            Self::Unix(_, file) => Some(SocketAddress::Unix(file.path.clone())),
        }
    }

    /// The same of a TCP socket.
    pub(crate) fn tcp_address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok(),
            Self::Unix(..) => None,
        }
    }

    pub(crate) fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<(Box<dyn Stream>, Peer)>> {
        match self {
            Self::Tcp(listener) => listener.poll_accept(context).map_ok(|(stream, peer)| {
                (
                    Box::new(QuickAckStream::new(stream)) as Box<dyn Stream>,
                    Peer::Tcp(peer),
                )
            }),
            Self::Unix(listener, _) => listener
                .poll_accept(context)
                .map_ok(|(stream, _)| (Box::new(stream) as Box<dyn Stream>, Peer::Unix)),
        }
    }
}

/// The addresses of a host, of the one family that was asked for. A name may stand for
/// several.
async fn resolve(
    address: &SocketAddress,
    host: Option<&str>,
    port: u16,
    v6: bool,
) -> Result<Vec<SocketAddr>, ListenError> {
    let host = host.unwrap_or(if v6 { "::" } else { "0.0.0.0" });
    let found = tokio::net::lookup_host((host, port))
        .await
        .map_err(|source| ListenError::Host {
            address: address.clone(),
            source,
        })?;
    let mut found: Vec<SocketAddr> = found.filter(|found| found.is_ipv6() == v6).collect();
    found.sort();
    found.dedup();
    if found.is_empty() {
        let family = if v6 { "IPv6" } else { "IPv4" };
        let address = address.clone();
        return Err(ListenError::Family { address, family });
    }
    Ok(found)
}

fn listen_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv6() {
        TcpSocket::new_v6()?
    } else {
        TcpSocket::new_v4()?
    };
    // A restart must not wait for the old connections to be forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

async fn open_unix(
    address: &SocketAddress,
    path: &Path,
    access: &UnixAccess,
) -> Result<Listener, ListenError> {
    let failed = |error| ListenError::new(address, error);
    if path.as_os_str().len() > PATH_LIMIT {
        let (address, limit) = (address.clone(), PATH_LIMIT);
        return Err(ListenError::PathTooLong { address, limit });
    }
    remove_stale(address, path).await?;
    let socket = UnixSocket::new_stream().map_err(failed)?;
    // Linux gives the file the mode of the socket, less the umask: it never has more rights than it
    // is to have. Where a system refuses, `listen` comes after `set_access` all the same.
    let _ = fchmod(&socket, Mode::from_bits_truncate(access.mode));
    socket.bind(path).map_err(failed)?;
    let bound = open_bound(address, path)?;
    let file = SocketFile::of(path, &bound).map_err(failed)?;
    // Nobody can connect before `listen`: there is no moment in which the file is open
    // to those it shall not be open to.
    set_access(&bound, access).map_err(|source| ListenError::Access {
        address: address.clone(),
        source,
    })?;
    let listener = socket.listen(BACKLOG).map_err(failed)?;
    Ok(Listener::Unix(listener, file))
}

/// Opens the file that was bound just now, without following a link. The directory may belong to the
/// user that the service becomes, or to another: they can put a link in its place at any time, and
/// root must not give away or open up what that leads to. From here on the path is not used.
fn open_bound(address: &SocketAddress, path: &Path) -> Result<File, ListenError> {
    let no_link = OFlag::O_PATH | OFlag::O_NOFOLLOW;
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(no_link.bits())
        .open(path);
    let found = opened.and_then(|file| Ok((file.metadata()?, file)));
    match found {
        // Nobody else can make one that is ours.
        Ok((metadata, file)) if metadata.file_type().is_socket() && metadata.uid() == geteuid().as_raw() => {
            Ok(file)
        }
        Err(error) if error.kind() != ErrorKind::NotFound => Err(ListenError::new(address, error)),
        _ => Err(ListenError::Replaced {
            address: address.clone(),
        }),
    }
}

fn set_access(bound: &File, access: &UnixAccess) -> io::Result<()> {
    if access.user_id.is_some() || access.group_id.is_some() {
        let user = access.user_id.map(Uid::from_raw);
        let group = access.group_id.map(Gid::from_raw);
        fchownat(bound, "", user, group, AtFlags::AT_EMPTY_PATH)?;
    }
    let mode = bound.metadata()?.permissions().mode() & 0o7777;
    if mode == access.mode {
        return Ok(());
    }
    // fchmod(2) takes no handle that was opened with O_PATH; its name below /proc leads to that file
    // and no other.
    let handle = format!("/proc/self/fd/{}", bound.as_raw_fd());
    fs::set_permissions(handle, fs::Permissions::from_mode(access.mode))
}

/// Removes the socket file of a program that is no more. What is in use, or is no
/// socket, stays.
async fn remove_stale(address: &SocketAddress, path: &Path) -> Result<(), ListenError> {
    let Some(first_seen) = stale(address, path).await? else {
        return Ok(());
    };
    sleep(PROBE_PAUSE).await;
    let Some(seen) = stale(address, path).await? else {
        return Ok(());
    };
    if seen != first_seen {
        // It came in between: somebody else is starting too.
        return Err(ListenError::new(address, ErrorKind::AddrInUse.into()));
    }
    tracing::info!(socket = %address, "removing the socket file that an earlier run left behind");
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(ListenError::new(address, error)),
        _ => Ok(()),
    }
}

/// The socket file that nobody listens on; none where there is nothing.
async fn stale(address: &SocketAddress, path: &Path) -> Result<Option<FileId>, ListenError> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(ListenError::new(address, error)),
    };
    if !metadata.file_type().is_socket() {
        return Err(ListenError::NotASocket {
            address: address.clone(),
        });
    }
    match timeout(PROBE_TIMEOUT, UnixStream::connect(path)).await {
        Ok(Err(error)) if error.kind() == ErrorKind::ConnectionRefused => Ok(Some(FileId::of(&metadata))),
        Ok(Err(error)) if error.kind() == ErrorKind::NotFound => Ok(None),
        Ok(Err(error)) if error.kind() == ErrorKind::PermissionDenied => {
            Err(ListenError::new(address, error))
        }
        // It answers, or its queue is full, or it is slow: somebody is there.
        _ => Err(ListenError::new(address, ErrorKind::AddrInUse.into())),
    }
}

/// Which file it is, whatever its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    fn of(metadata: &fs::Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
        }
    }
}

/// The file of a UNIX socket, removed when we are done with it; unless another program
/// has put its own in the place.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    id: FileId,
}

impl SocketFile {
    fn of(path: &Path, bound: &File) -> io::Result<Self> {
        let id = FileId::of(&bound.metadata()?);
        let path = path.to_owned();
        Ok(Self { path, id })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let ours = fs::symlink_metadata(&self.path).is_ok_and(|metadata| FileId::of(&metadata) == self.id);
        if ours && let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "cannot remove the socket file");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test]
    async fn what_we_write_to_a_tcp_mta_is_not_held_back() {
        let address = "inet:0@127.0.0.1".parse().unwrap();
        let listener = Listener::open(&address, &UnixAccess::default())
            .await
            .unwrap()
            .remove(0);
        let Some(SocketAddress::Inet { port, .. }) = listener.local_address() else {
            unreachable!("a TCP socket");
        };
        let mta = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let (stream, peer) = poll_fn(|context| listener.poll_accept(context)).await.unwrap();
        assert_eq!(peer, Peer::Tcp(mta.local_addr().unwrap()));
        let accepted = std::net::TcpStream::from(stream.as_fd().try_clone_to_owned().unwrap());
        assert!(accepted.nodelay().unwrap());
        assert!(!mta.nodelay().unwrap(), "it is not so by itself");
    }

    /// Two servers that start at the same time: the file of the other is there already,
    /// and in a moment it listens.
    #[tokio::test]
    async fn a_server_that_is_just_starting_does_not_lose_its_socket_file() {
        let name = format!("landmarc-net-starting-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = fs::remove_file(&path);
        let socket = UnixSocket::new_stream().unwrap();
        socket.bind(&path).unwrap();
        let other = tokio::spawn(async move {
            sleep(PROBE_PAUSE / 5).await;
            socket.listen(1).unwrap()
        });
        let address = SocketAddress::Unix(path.clone());
        let error = Listener::open(&address, &UnixAccess::default())
            .await
            .unwrap_err();
        assert!(matches!(error, ListenError::InUse { .. }), "{error}");
        let _listening = other.await.unwrap();
        assert!(UnixStream::connect(&path).await.is_ok());
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn what_took_the_place_of_the_socket_is_not_opened() {
        let directory = std::env::temp_dir().join(format!("landmarc-net-place-{}", std::process::id()));
        fs::create_dir(&directory).unwrap();
        let [socket, link, plain] = ["socket", "link", "plain"].map(|name| directory.join(name));
        let _bound = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        std::os::unix::fs::symlink(&socket, &link).unwrap();
        fs::write(&plain, "").unwrap();
        let open = |path: &Path| open_bound(&SocketAddress::Unix(path.to_owned()), path);
        assert!(open(&socket).is_ok());
        for other in [link, plain, directory.join("nothing")] {
            let refused = open(&other);
            assert!(
                matches!(refused, Err(ListenError::Replaced { .. })),
                "{refused:?}"
            );
        }
        fs::remove_dir_all(&directory).unwrap();
    }
}
