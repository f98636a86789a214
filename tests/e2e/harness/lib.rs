//! What end-to-end tests stand on: a Postfix of our own, an SMTP client in front of
//! it, and behind it a sink that keeps every message as it was delivered.
//!
//! And pages of the documentation, with hosts on which the commands of a page run as they stand there.
//!
//! Knows nothing of landmarc: the tests beside it, and the benches, start that themselves.

mod home;
mod host;
mod page;
mod postfix;
mod queue;
mod sasl;
mod sink;
mod smtp;

use std::time::Duration;

pub use host::ScratchHost;
pub use page::{DocPage, FencedBlock};
pub use postfix::{HOST_NAME, Postfix, PostfixConfig};
pub use sasl::{PASSWORD, USER};
pub use sink::{Delivered, Sink};
pub use smtp::{Envelope, Outcome, Smtp};

/// The longest that anything here is waited for: far beyond what it takes, short
/// enough that a test which hangs is seen to.
const PATIENCE: Duration = Duration::from_secs(30);
