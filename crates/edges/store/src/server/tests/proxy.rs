//! A network that loses what it is told to lose.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// What is lost next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// All connections, and those to come.
    Now,
    /// The next COMMIT, and its connection.
    BeforeCommit,
    /// The answer to the next COMMIT, and its connection.
    AfterCommit,
    /// The same, and all connections to come.
    ForGood,
}

/// Stands before a server.
pub(super) struct Proxy {
    port: u16,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    cut: Option<Cut>,
    is_shut: bool,
    open: Vec<TcpStream>,
}

impl Proxy {
    pub(super) fn before(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let proxy = Self {
            port: listener.local_addr().unwrap().port(),
            shared: Arc::default(),
        };
        let shared = proxy.shared.clone();
        // It ends with the process.
        thread::spawn(move || {
            for client in listener.incoming() {
                let (client, shared) = (client.unwrap(), shared.clone());
                if !lock(&shared).is_shut {
                    thread::spawn(move || carry(client, port, &shared));
                }
            }
        });
        proxy
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn cut(&self, cut: Cut) {
        let mut shared = lock(&self.shared);
        if cut == Cut::Now {
            shared.is_shut = true;
            shared.open.drain(..).for_each(|stream| shut(&stream));
        } else {
            shared.cut = Some(cut);
        }
    }

    pub(super) fn open(&self) {
        lock(&self.shared).is_shut = false;
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn carry(mut client: TcpStream, port: u16, shared: &Arc<Mutex<Shared>>) {
    let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    lock(shared)
        .open
        .extend([client.try_clone().unwrap(), server.try_clone().unwrap()]);
    let (mut answers, mut to_client) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    let loses = Arc::new(Mutex::new(false));
    let lost = loses.clone();
    let back = thread::spawn(move || {
        let mut octets = [0; 65_536];
        while let Ok(count @ 1..) = answers.read(&mut octets) {
            if *lost.lock().unwrap_or_else(PoisonError::into_inner)
                || to_client.write_all(&octets[..count]).is_err()
            {
                break;
            }
        }
        shut(&to_client);
    });
    let mut octets = [0; 65_536];
    while let Ok(count @ 1..) = client.read(&mut octets) {
        let said = &octets[..count];
        let is_commit =
            said.windows(6).any(|word| word == b"COMMIT") && !said.windows(4).any(|word| word == b"READ");
        let cut = if is_commit { lock(shared).cut.take() } else { None };
        match cut {
            Some(Cut::BeforeCommit) => break,
            Some(cut) => {
                lock(shared).is_shut = cut == Cut::ForGood;
                *loses.lock().unwrap_or_else(PoisonError::into_inner) = true;
            }
            None => {}
        }
        if server.write_all(said).is_err() {
            break;
        }
        if cut.is_some() {
            // The answer is read and dropped.
            back.join().unwrap();
            break;
        }
    }
    shut(&server);
    shut(&client);
}

fn shut(stream: &TcpStream) {
    // Whoever was quicker has shut it.
    let _ = stream.shutdown(Shutdown::Both);
}
