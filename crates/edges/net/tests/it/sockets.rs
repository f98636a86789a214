//! Opening sockets, and what is in the way.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use landmarc_net::{ListenError, Listeners, SocketAddress, UnixAccess};
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};

/// Removed with all that is in it.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("landmarc-net-{}-{number}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn socket(&self) -> String {
        format!("unix:{}", self.0.join("s").display())
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn bind_with(address: &str, access: &UnixAccess) -> Result<Vec<SocketAddress>, ListenError> {
    open_with(address, access).map(|listeners| listeners.local_addresses())
}

fn open(address: &str) -> Listeners {
    open_with(address, &UnixAccess::default()).unwrap()
}

fn open_with(address: &str, access: &UnixAccess) -> Result<Listeners, ListenError> {
    let addresses: Vec<SocketAddress> = address.split(' ').map(|text| text.parse().unwrap()).collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(Listeners::bind(&addresses, access))
}

/// Error and remedy, both of which an operator reads.
fn refused(address: &str) -> (ListenError, String) {
    let error = bind_with(address, &UnixAccess::default()).unwrap_err();
    let text = format!("{error}: {}", error.remedy());
    assert!(text.contains(address.split(' ').next_back().unwrap()), "{text}");
    (error, text)
}

#[test]
fn several_sockets_of_every_kind_are_served_at_once() {
    let directory = Directory::new();
    let text = format!(
        "inet:0@127.0.0.1 inet6:0@[::1] inet:0@localhost {}",
        directory.socket()
    );
    let bound = bind_with(&text, &UnixAccess::default()).unwrap();
    assert_eq!(bound.len(), 4);
    assert!(
        bound.iter().all(|address| !address.to_string().ends_with(":0")),
        "{bound:?}"
    );
}

#[test]
fn the_socket_file_has_the_mode_it_was_told_and_goes_with_the_listeners() {
    let directory = Directory::new();
    let path = directory.0.join("s");
    let listeners = open(&directory.socket());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o660);
    drop(listeners);
    assert!(!path.exists());
}

#[test]
fn owner_and_group_are_set_where_that_is_allowed() {
    let directory = Directory::new();
    let ours = fs::metadata(&directory.0).unwrap();
    let access = UnixAccess {
        mode: 0o600,
        user_id: Some(ours.uid()),
        group_id: Some(ours.gid()),
    };
    bind_with(&directory.socket(), &access).unwrap();
    if ours.uid() != 0 {
        let access = UnixAccess {
            user_id: Some(0),
            ..access
        };
        let error = bind_with(&directory.socket(), &access).unwrap_err();
        assert!(matches!(error, ListenError::Access { .. }), "{error}");
        assert!(
            !directory.0.join("s").exists(),
            "what cannot be guarded is not left behind"
        );
    }
}

/// Starts under attack. Before the answer to it, about every second one gave the file away.
const ATTACKED_STARTS: usize = 200;

/// The number of the user that owns nothing.
const NOBODY: u32 = 65_534;

/// A user who may write in the directory swaps the socket for a link, as fast as the system lets them.
#[test]
fn a_link_in_the_place_of_the_socket_gives_away_and_opens_nothing() {
    let directory = Directory::new();
    let [socket, link, victim] = ["s", "link", "victim"].map(|name| directory.0.join(name));
    fs::write(&victim, "precious").unwrap();
    fs::set_permissions(&victim, fs::Permissions::from_mode(0o600)).unwrap();
    let ours = fs::metadata(&victim).unwrap();
    let given_to = if ours.uid() == 0 { NOBODY } else { ours.uid() };
    let access = UnixAccess {
        mode: 0o666,
        user_id: Some(given_to),
        group_id: None,
    };
    for _ in 0..ATTACKED_STARTS {
        for left in [&socket, &link] {
            let _ = fs::remove_file(left);
        }
        symlink(&victim, &link).unwrap();
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                let swap = || renameat2(AT_FDCWD, &link, AT_FDCWD, &socket, RenameFlags::RENAME_EXCHANGE);
                while swap().is_err() && !is_over.load(Ordering::Relaxed) {}
            });
            let bound = bind_with(&directory.socket(), &access);
            is_over.store(true, Ordering::Relaxed);
            assert!(
                matches!(bound, Ok(_) | Err(ListenError::Replaced { .. })),
                "{bound:?}"
            );
        });
        let found = fs::metadata(&victim).unwrap();
        assert_eq!((found.mode(), found.uid()), (ours.mode(), ours.uid()));
    }
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
}

#[test]
fn a_stale_socket_file_is_replaced() {
    let directory = Directory::new();
    let path = directory.0.join("s");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    assert!(UnixStream::connect(&path).is_err());
    let _listeners = open(&directory.socket());
    UnixStream::connect(&path).unwrap();
}

#[test]
fn a_socket_file_in_use_is_left_alone() {
    let directory = Directory::new();
    let path = directory.0.join("s");
    let _other = UnixListener::bind(&path).unwrap();
    let (error, text) = refused(&directory.socket());
    assert!(matches!(error, ListenError::InUse { .. }), "{text}");
    assert!(text.contains("ss -xlp"), "{text}");
    assert!(fs::metadata(&path).unwrap().file_type().is_socket());
}

#[test]
fn a_socket_file_that_another_server_put_there_is_not_removed_at_the_end() {
    let directory = Directory::new();
    let path = directory.0.join("s");
    let listeners = open(&directory.socket());
    fs::remove_file(&path).unwrap();
    let _other = UnixListener::bind(&path).unwrap();
    drop(listeners);
    assert!(path.exists());
}

#[test]
fn what_is_no_socket_is_not_removed() {
    let directory = Directory::new();
    let path = directory.0.join("s");
    fs::write(&path, "precious").unwrap();
    let (error, text) = refused(&directory.socket());
    assert!(matches!(error, ListenError::NotASocket { .. }), "{text}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
}

#[test]
fn a_directory_that_is_not_there_or_not_open_is_named() {
    let directory = Directory::new();
    let missing = directory.0.join("missing");
    let (error, text) = refused(&format!("unix:{}/s", missing.display()));
    assert!(matches!(error, ListenError::NoDirectory { .. }), "{text}");
    assert!(text.contains(&format!("create {}", missing.display())), "{text}");
    let file = directory.0.join("file");
    fs::write(&file, "").unwrap();
    let (error, text) = refused(&format!("unix:{}/s", file.display()));
    assert!(matches!(error, ListenError::NoDirectory { .. }), "{text}");
    // Root is denied nothing but what the kernel itself keeps closed.
    let (error, text) = refused("unix:/proc/self/s");
    assert!(
        matches!(
            error,
            ListenError::Denied { .. } | ListenError::NoDirectory { .. }
        ),
        "{text}"
    );
}

#[test]
fn a_path_is_as_long_as_the_system_allows_and_no_longer() {
    let directory = Directory::new();
    let start = directory.0.display().to_string();
    let path = |length: usize| format!("unix:{start}/{}", "s".repeat(length - start.len() - 1));
    bind_with(&path(107), &UnixAccess::default()).unwrap();
    let (error, text) = refused(&path(108));
    assert!(
        matches!(error, ListenError::PathTooLong { limit: 107, .. }),
        "{text}"
    );
}

#[test]
fn a_port_in_use_is_named_with_the_way_to_find_its_holder() {
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = other.local_addr().unwrap().port();
    let (error, text) = refused(&format!("inet:127.0.0.1:{port}"));
    assert!(matches!(error, ListenError::InUse { .. }), "{text}");
    assert!(text.contains(&format!("sport = :{port}")), "{text}");
}

#[test]
fn a_host_that_is_not_ours_or_of_the_wrong_kind_is_named() {
    let (error, text) = refused("inet:192.0.2.1:0");
    assert!(matches!(error, ListenError::NotOurs { .. }), "{text}");
    let (error, text) = refused("inet6:127.0.0.1:0");
    assert!(matches!(error, ListenError::Family { .. }), "{text}");
}

#[test]
fn when_one_socket_cannot_be_opened_none_is() {
    let directory = Directory::new();
    refused(&format!(
        "{} unix:{}/missing/s",
        directory.socket(),
        directory.0.display()
    ));
    assert!(!directory.0.join("s").exists());
}
