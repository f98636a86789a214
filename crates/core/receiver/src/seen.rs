//! What this server, or its fleet, has seen of the mail of a domain and of a client network
//! (decision D5).
//!
//! Two figures come of the tallies of the last days. A domain whose mail practically always carries
//! its signature *signs everything*; a client network that sends nothing but mail which such domains
//! cannot have sent is a *known spoofer*. Two more spare: a network from which the signed mail of several
//! regular senders passes is a *forwarder*, and one that their SPF records authorize is *shared*.
//!
//! # Who can move the figures
//!
//! * *Signs everything* counts messages that passed SPF in alignment: hosts that the Domain Owner
//!   authorizes sent them. A failing message counts nothing, and neither does a signed message that is sent
//!   again: it passes by DKIM alone. Where a domain has no mail of the first kind, messages that passed by
//!   DKIM alone count if they come from a network that SPF of several other organizations authorizes.
//! * A *known spoofer* is refused only in the name of a domain of which nothing unsigned was seen, and
//!   only while its network sends nothing that may be genuine: forgeries that come through a forwarder must
//!   not have the mail refused that it forwards besides.
//! * The day of a message is the one on which it was judged, whatever it says of itself.
//!
//! [`Sighting`]s of a day make a [`SeenDay`], the days a [`SeenHistory`], and that the [`SeenTable`] in which a
//! judgement looks. Knows no clock and no store: the caller reads both.

mod day;
mod history;
mod organizations;
mod table;

use std::sync::Arc;

use landmarc_dmarc::suffixes::Suffixes;
use landmarc_mail::DomainName;

pub use day::{DayBuilder, SeenDay, Sighting};
pub use history::SeenHistory;
pub use organizations::Organizations;
pub use table::{NetworkHistory, SeenTable, SigningHistory};

/// Days of which the mail of a domain counts. A month has the monthly statement in it.
pub const SIGNING_DAYS: u32 = 30;
/// Messages that a domain must have sent before its habit shows. With fewer, one unsigned message among
/// two hundred would most likely not have come yet.
pub const MIN_MESSAGES: u64 = 100;
/// Days on which it must have sent them: a habit of one afternoon is none.
pub const MIN_DAYS: u32 = 7;
/// Of so many messages one may be unsigned: 99.5 % are signed. Large domains have a host that forgets.
pub const MESSAGES_PER_UNSIGNED: u64 = 200;
/// Of so many messages of its last day one may be unsigned, or a single one: a domain that has just
/// stopped to sign must not have to wait until that shows in a month.
pub const MESSAGES_PER_UNSIGNED_LATELY: u64 = 20;
/// Days on which a domain must have sent mail that passes by DKIM alone, where that is all there is. Such
/// mail says less: an unsigned message of that domain fails, and nobody knows whose it was.
pub const MIN_DAYS_BY_DKIM_ALONE: u32 = 14;
/// Messages of one reporting row and day that count where they pass by DKIM alone, so that one signed
/// message sent a thousand times is no thousand messages.
pub const MAX_BY_DKIM_ALONE: u64 = 10;

/// Messages of a domain that must have been seen, all of them signed, before a known spoofer is refused in its
/// name. A forwarder of unsigned mail looks like one as soon as somebody sends his forgeries through it.
pub const FEW_MESSAGES: u64 = 10;

/// Days of which the mail of a network counts, but for what it forwards: that is remembered for
/// [`SIGNING_DAYS`], as not every week brings mail of each sender. Addresses change hands.
pub const NETWORK_DAYS: u32 = 7;
/// Unrelated organizations whose mail a known spoofer forged. One or two may be a mistake of theirs.
pub const SPOOFED_ORGANIZATIONS: usize = 5;
/// Regular senders whose mail passes by DKIM alone from a forwarder. A host that forwards a mailbox
/// has that many in a week; a spoofer would have to send their signed mail again. How much else the network
/// sends does not matter: a neighbor who forges must not make a forwarder less of one.
pub const FORWARDED_ORGANIZATIONS: usize = 3;
/// Regular senders whose SPF record authorizes a shared network. Each has sent for a week and more, so
/// that a spoofer does not come by five of them in an afternoon.
pub const SHARING_ORGANIZATIONS: usize = 5;

/// Days on which the store must have counted mail before any of this is evidence. The habits of a domain show
/// after a week; the forwarders of its mail only show as mail of such domains passes from them, in the week after.
pub const YOUNG_DAYS: u32 = 14;
/// Domains, and networks, that are kept in the table: those with most messages. At 200 octets each, 40 MB.
pub const MAX_ENTRIES: usize = 100_000;
/// Domains, and networks, that are kept of a day. With 32 octets a domain for thirty days, and 160 a network
/// for seven, at most 63 MB; a receiver of a million messages a day has a tenth of it.
pub const MAX_DAY_ENTRIES: usize = 30_000;

/// What there is to look in.
#[derive(Clone, Debug, Default)]
pub enum Seen {
    /// The operator wants no such evidence.
    #[default]
    Off,
    /// The store has not been read yet, or cannot be read.
    Away,
    /// The store has counted mail on so many days only.
    Young(u32),
    /// What the store has counted.
    Known(Arc<SeenTable>),
}

impl Seen {
    /// What is known of a domain.
    #[must_use]
    pub fn signing(&self, author: &DomainName) -> Option<SigningHistory> {
        self.table()?.signing(author)
    }

    /// What is known of the network of a client.
    #[must_use]
    pub fn network(&self, network: landmarc_mail::ClientNetwork) -> Option<NetworkHistory> {
        self.table()?.network(network)
    }

    fn table(&self) -> Option<&SeenTable> {
        match self {
            Self::Known(table) => Some(table),
            Self::Off | Self::Away | Self::Young(_) => None,
        }
    }
}

/// Stands for an organization where different ones are counted. Two that share a number count as one,
/// which makes less of a figure and never more.
fn organization(author: &DomainName, suffixes: &Suffixes) -> u64 {
    let registrable = suffixes.registrable(author);
    let name = registrable.as_ref().unwrap_or(author).as_str();
    // FNV-1a. Zero is for no organization.
    let mix = |hash: u64, octet: u8| (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3);
    name.bytes().fold(0xcbf2_9ce4_8422_2325, mix).max(1)
}

#[cfg(test)]
mod tests;
