//! What all servers have in common: sockets, and the connections that come of them.
//!
//! Knows: the spellings of sockets ([`SocketAddress`]), how to open them without giving anything away
//! ([`Listeners`]), which connection makes room for another ([`Places`]), and how to keep a panic within one
//! session ([`guarded`]). Knows no protocol.

mod address;
mod error;
mod listeners;
mod panic;
mod peer;
mod places;
mod prompt;
mod socket;
mod trouble;

pub use address::{AddressError, SocketAddress};
pub use error::ListenError;
pub use listeners::Listeners;
pub use panic::{Panicked, guarded, guarded_call};
pub use peer::Peer;
pub use places::{Place, Places, Room};
pub use socket::{Stream, UnixAccess};
pub use trouble::{AcceptTrouble, EachMinute};
