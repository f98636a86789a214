//! The packets of the protocol, as values. Pure: octets in, values out, and back.
//!
//! A packet is four octets of length (big-endian, counting what follows), one octet
//! that says what it is, and its content. [`Decoder`] cuts a stream into packets,
//! [`Command`] reads them, [`Capabilities`] is what both sides settle on, and
//! [`reply`] writes what we answer.

mod command;
mod flags;
mod frame;
mod negotiation;
mod packet;
pub mod reply;
mod smtp_reply;

pub use command::{Command, CommandError};
pub use flags::{Actions, Protocol};
pub use frame::{Decoder, Frame, FrameError, HARD_LIMIT, LONG_NAME_LIMIT};
pub use negotiation::{Capabilities, MacroStage, NegotiationError, Offer, VERSIONS};
pub use packet::{Code, PACKET_LIMIT};
pub use smtp_reply::smtp_reply;
