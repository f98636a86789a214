//! How long the texts are that go to others.

use landmarc_mail::authres;

/// The longest reply line without its CRLF (RFC 5321 §4.5.3.1.5: 512 octets with it).
pub const MAX_REPLY_OCTETS: usize = 510;

/// The longest cause, so that it stands whole wherever it stands: in a reply, with the id of the
/// message behind it, and in the reason of our results. It is made of names, and they can be long.
pub const MAX_CAUSE_OCTETS: usize = authres::MAX_REASON_OCTETS;

/// The longest reason that is filled into a reply or quarantine text, so that what stands
/// behind it, such as the id of the message, is not what gets cut off. A cause fits.
pub const MAX_REASON_OCTETS: usize = MAX_CAUSE_OCTETS;
