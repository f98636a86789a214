//! The milter protocol, from the filter's side: an MTA hands over each message as
//! it arrives, and does with it what we answer.
//!
//! Knows: packets ([`codec`]), the order they may come in and who waits for whom
//! ([`session`]), sockets ([`MilterServer`]). Knows nothing of judging mail: it drives
//! a [`Service`], each [`Session`] of which learns what the MTA says.
//!
//! There is no RFC for this protocol; what holds is what Sendmail and Postfix do,
//! in the versions 2 to 6. Not implemented, because no filter of ours asks for it:
//! replacing bodies, changing the reverse-path, removing recipients, verdicts
//! before the end of the message, and recipients the MTA itself has refused.
//!
//! ```
//! use landmarc_milter::{Macros, Response, Service, Session, Verdict};
//! use landmarc_net::Peer;
//!
//! /// Refuses every message for now.
//! struct Closed;
//!
//! impl Session for Closed {
//!     async fn end_of_message(&mut self, _: &Macros) -> Response {
//!         Response { edits: Vec::new(), verdict: Verdict::TempFail }
//!     }
//! }
//!
//! struct ClosedHost;
//!
//! impl Service for ClosedHost {
//!     type Session = Closed;
//!
//!     fn connect(&self, _: &Peer) -> Closed {
//!         Closed
//!     }
//! }
//! ```

mod address;
pub mod codec;
pub mod handler;
pub mod macros;
mod notices;
pub mod options;
mod server;
pub mod session;
mod statistics;

pub use address::ip_address;
pub use codec::{Actions, Capabilities, MacroStage, Protocol};
pub use handler::{Arguments, ConnectInfo, Edit, PeerAddress, Response, Service, Session, Verdict};
pub use macros::Macros;
pub use options::ServerOptions;
pub use server::MilterServer;
pub use statistics::{Gauge, MilterStatistics};
