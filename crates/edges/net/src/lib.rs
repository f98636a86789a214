//! What all servers have in common: sockets, and the connections that come of them.
//!
//! Knows: the spellings of sockets ([`SocketAddress`]), how to open them without giving anything away
//! ([`Listeners`]), how many connections there may be and which one is dropped for another ([`AcceptLoop`]), how to
//! keep a panic within one session ([`guarded`]) and a flood out of the log ([`LogLimit`]). Of HTTP it knows how long a
//! client is waited for ([`ConnectionDeadline`]), one connection ([`serve_http`]) and the Host field ([`HostGuard`]);
//! of other protocols nothing.
//!
//! Deliberately knows neither what is served nor to whom: each server brings a function for one [`Connection`].
//!
//! Not implemented: HTTP/2, since no client of ours has two requests at once; TLS, which only `landmarc-push` needs;
//! sockets handed over by systemd, since a socket is bound before rights are given up.
//!
//! ```
//! use landmarc_net::SocketAddress;
//!
//! let socket: SocketAddress = "inet:127.0.0.1:8894".parse()?;
//! assert!(!socket.is_exposed());
//! let socket: SocketAddress = "unix:/run/landmarc/milter.sock".parse()?;
//! assert_eq!(socket.to_string(), "unix:/run/landmarc/milter.sock");
//! # Ok::<(), landmarc_net::SocketAddressError>(())
//! ```

mod accept_loop;
mod address;
mod backoff;
mod deadline;
mod error;
mod host_guard;
mod http;
mod listeners;
mod log_limit;
mod panic;
mod peer;
mod quick_ack;
mod slots;
mod socket;
mod statistics;

pub use accept_loop::{AcceptLimits, AcceptLoop, Connection, Drained};
pub use address::{SocketAddress, SocketAddressError, is_loopback};
pub use deadline::{ConnectionDeadline, HttpTimeouts, TimedStream};
pub use error::ListenError;
pub use host_guard::{HostGuard, HostProblem};
pub use http::{HttpLimits, next_data, read_away, serve_http};
pub use listeners::Listeners;
pub use log_limit::LogLimit;
pub use panic::{Panicked, guarded, guarded_call};
pub use peer::Peer;
pub use slots::{ConnectionSlot, WhenFull};
pub use socket::{Stream, UnixAccess};
pub use statistics::{AcceptGauge, AcceptStatistics};
