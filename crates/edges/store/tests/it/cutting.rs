//! A way to a server on which an answer gets lost, at the moment that a test says.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;

/// Octets that are looked at together: what is looked for may come in two pieces.
const WINDOW: usize = 4_096;

/// When a connection is cut.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cut {
    /// In place of saying this to the server.
    Before(&'static str),
    /// When the server has answered this, in place of its answer.
    After(&'static str),
}

/// Listens on a port of its own and says all that is said there to the server.
pub(crate) struct Cutter {
    port: u16,
    next: Arc<Mutex<Option<Cut>>>,
    cut: Arc<AtomicBool>,
}

impl Cutter {
    /// To a server of this host.
    pub(crate) fn to(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let cutter = Self {
            port: listener.local_addr().unwrap().port(),
            next: Arc::default(),
            cut: Arc::default(),
        };
        let (next, cut) = (Arc::clone(&cutter.next), Arc::clone(&cutter.cut));
        // It ends with the process: nothing tells it that nobody will come any more.
        thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), Ok(server)) = (client, TcpStream::connect((Ipv4Addr::LOCALHOST, port)))
                else {
                    return;
                };
                carry(client, server, &next, &cut);
            }
        });
        cutter
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Cuts the next connection on which this is said, once.
    pub(crate) fn cut(&self, when: Cut) {
        self.cut.store(false, SeqCst);
        *self.next.lock().unwrap() = Some(when);
    }

    /// Whether that has happened.
    pub(crate) fn has_cut(&self) -> bool {
        self.cut.load(SeqCst)
    }
}

fn carry(client: TcpStream, server: TcpStream, next: &Arc<Mutex<Option<Cut>>>, cut: &Arc<AtomicBool>) {
    let swallows = Arc::new(AtomicBool::new(false));
    let (next, cut) = (Arc::clone(next), Arc::clone(cut));
    let (mut from_server, mut to_client) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    let answers = Arc::clone(&swallows);
    let has_cut = Arc::clone(&cut);
    thread::spawn(move || {
        let mut octets = [0; WINDOW];
        while let Ok(length @ 1..) = from_server.read(&mut octets) {
            if answers.load(SeqCst) {
                has_cut.store(true, SeqCst);
                break;
            }
            if to_client.write_all(&octets[..length]).is_err() {
                break;
            }
        }
        close(&from_server, &to_client);
    });
    thread::spawn(move || {
        let (mut client, mut server) = (client, server);
        let mut octets = [0; WINDOW];
        let mut said: Vec<u8> = Vec::new();
        while let Ok(length @ 1..) = client.read(&mut octets) {
            said.extend(&octets[..length]);
            let has = |text: &str| said.windows(text.len()).any(|some| some == text.as_bytes());
            let mut next = next.lock().unwrap();
            match *next {
                Some(Cut::Before(text)) if has(text) => {
                    *next = None;
                    cut.store(true, SeqCst);
                    break;
                }
                Some(Cut::After(text)) if has(text) => {
                    *next = None;
                    swallows.store(true, SeqCst);
                }
                _ => {}
            }
            drop(next);
            said.drain(..said.len().saturating_sub(WINDOW));
            if server.write_all(&octets[..length]).is_err() {
                break;
            }
        }
        close(&client, &server);
    });
}

fn close(one: &TcpStream, other: &TcpStream) {
    for stream in [one, other] {
        // It may be closed.
        let _ = stream.shutdown(Shutdown::Both);
    }
}
