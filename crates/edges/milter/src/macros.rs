//! The MTA's macros: small named facts it sends ahead of a command.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;

use crate::address::ip_address;
use crate::codec::Code;
use crate::notices::Notices;

/// Octets of macros kept for one stage. The MTA sends some hundred; more is refused
/// by leaving out what does not fit.
pub const STAGE_OCTETS_LIMIT: usize = 16 * 1024;

/// Macros kept for one stage.
pub const STAGE_COUNT_LIMIT: usize = 128;

/// The macros that hold at this moment of the conversation.
///
/// What the MTA sends ahead of a command replaces what it sent ahead of the last
/// command of that kind. Macros of the connection last until it ends, those of a
/// message until the message does. Looked up is the latest stage first.
#[derive(Clone, Default)]
pub struct Macros {
    /// For each stage, in the order of [`STAGES`], `name NUL value NUL` as sent:
    /// most macros are never asked for, and are not worth taking apart.
    stages: [Box<[u8]>; STAGES.len()],
    notices: Arc<Notices>,
}

/// The latest first. Those of header fields and body chunks come by the hundred for
/// one message, and say nothing that the stages around them did not.
const STAGES: [Code; 8] = [
    Code::EndOfMessage,
    Code::EndOfHeaders,
    Code::Unknown,
    Code::Data,
    Code::Rcpt,
    Code::Mail,
    Code::Helo,
    Code::Connect,
];

/// How many of [`STAGES`], from the front, belong to a message.
const MESSAGE_STAGES: usize = 6;

impl Macros {
    pub(crate) fn new(notices: Arc<Notices>) -> Self {
        Self {
            stages: Default::default(),
            notices,
        }
    }

    /// The value of a macro, with or without braces around its name: `i`,
    /// `{auth_authen}` or `auth_authen`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        let name = bare(name.as_bytes());
        self.stages
            .iter()
            .flat_map(|stage| pairs(stage))
            .find(|(candidate, _)| bare(candidate) == name)
            .map(|(_, value)| value)
    }

    /// The value of a macro as text; `None` also when it is not UTF-8.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.get(name)?).ok()
    }

    /// The value of a macro as an IP address, with or without the prefix `IPv6:`.
    #[must_use]
    pub fn ip(&self, name: &str) -> Option<IpAddr> {
        ip_address(self.get(name)?)
    }

    /// As [`get`](Self::get), for a macro that the MTA is expected to send: the first
    /// time it is missing, the log says so, once for each name and server.
    #[must_use]
    pub fn require(&self, name: &'static str) -> Option<&[u8]> {
        let value = self.get(name);
        if value.is_none() && self.notices.first_time_missing(name) {
            tracing::warn!(
                "symbol '{name}' not available: the MTA does not send it; see its milter settings"
            );
        }
        value
    }

    /// Takes what the MTA sent ahead of the command `stage`; returns how many macros
    /// did not fit under the limits.
    pub(crate) fn set(&mut self, stage: Code, sent: &Bytes) -> usize {
        let Some(slot) = STAGES
            .iter()
            .position(|candidate| *candidate == stage)
            .and_then(|index| self.stages.get_mut(index))
        else {
            return 0;
        };
        let (mut octets, mut count, mut surplus) = (0, 0, 0);
        for (name, value) in pairs(sent) {
            let size = name.len() + value.len() + 2;
            if surplus > 0 || count == STAGE_COUNT_LIMIT || octets + size > STAGE_OCTETS_LIMIT {
                surplus += 1;
            } else {
                (octets, count) = (octets + size, count + 1);
            }
        }
        *slot = sent.get(..octets).unwrap_or_default().into();
        surplus
    }

    /// The message is over, and so are its macros, but for those of one command: that
    /// which ended this message by beginning the next.
    pub(crate) fn end_message(&mut self, but: Option<Code>) {
        for (stage, macros) in STAGES.iter().zip(&mut self.stages).take(MESSAGE_STAGES) {
            if Some(*stage) != but {
                *macros = Box::default();
            }
        }
    }

    /// The SMTP connection is over.
    pub(crate) fn end_connection(&mut self) {
        self.stages = Default::default();
    }
}

/// Macros given by name and value, as if sent ahead of CONNECT: for interfaces that are told
/// the same facts in another protocol, and for tests of handlers. The limits of a stage hold.
impl<'a> FromIterator<(&'a str, &'a str)> for Macros {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(pairs: I) -> Self {
        let mut sent = Vec::new();
        for (name, value) in pairs {
            for text in [name, value] {
                sent.extend(text.bytes().filter(|b| *b != 0));
                sent.push(0);
            }
        }
        let mut macros = Self::default();
        macros.set(Code::Connect, &sent.into());
        macros
    }
}

impl fmt::Debug for Macros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.stages.iter().rev().flat_map(|stage| pairs(stage));
        f.debug_map()
            .entries(
                all.map(|(name, value)| (name.escape_ascii().to_string(), value.escape_ascii().to_string())),
            )
            .finish()
    }
}

/// Names and values of `name NUL value NUL ...`; what is cut off at the end is left out.
fn pairs(octets: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = octets;
    std::iter::from_fn(move || {
        let (name, after) = split_at_nul(rest)?;
        let (value, after) = split_at_nul(after)?;
        rest = after;
        Some((name, value))
    })
}

fn split_at_nul(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let nul = octets.iter().position(|b| *b == 0)?;
    Some((octets.get(..nul)?, octets.get(nul + 1..)?))
}

fn bare(name: &[u8]) -> &[u8] {
    name.strip_prefix(b"{")
        .and_then(|rest| rest.strip_suffix(b"}"))
        .unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(pairs: &[(&str, &str)]) -> Bytes {
        let mut octets = Vec::new();
        for (name, value) in pairs {
            octets.extend_from_slice(format!("{name}\0{value}\0").as_bytes());
        }
        octets.into()
    }

    #[test]
    fn m03_braces_are_optional_on_both_sides() {
        let mut macros = Macros::default();
        macros.set(Code::Mail, &sent(&[("{auth_authen}", "user"), ("i", "4Fb1")]));
        for name in ["auth_authen", "{auth_authen}"] {
            assert_eq!(macros.text(name), Some("user"));
        }
        assert_eq!(macros.get("{i}"), Some(&b"4Fb1"[..]));
        assert_eq!(macros.get("j"), None);
    }

    #[test]
    fn the_latest_stage_wins_and_a_stage_is_replaced_as_a_whole() {
        let mut macros = Macros::default();
        macros.set(Code::Connect, &sent(&[("j", "mx.example"), ("i", "NOQUEUE")]));
        macros.set(Code::Rcpt, &sent(&[("{rcpt_addr}", "a"), ("x", "1")]));
        macros.set(Code::Rcpt, &sent(&[("{rcpt_addr}", "b")]));
        macros.set(Code::EndOfMessage, &sent(&[("i", "4Fb1")]));
        assert_eq!(macros.text("rcpt_addr"), Some("b"));
        assert_eq!(macros.get("x"), None);
        assert_eq!(macros.text("i"), Some("4Fb1"));
        macros.end_message(None);
        assert_eq!(macros.text("i"), Some("NOQUEUE"));
        assert_eq!(macros.text("j"), Some("mx.example"));
        macros.end_connection();
        assert_eq!(macros.get("j"), None);
    }

    #[test]
    fn the_count_limit_holds_at_the_limit_and_one_past_it() {
        let of = |count: usize| {
            let names: Vec<String> = (0..count).map(|n| format!("{{m{n}}}")).collect();
            let pairs: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "v")).collect();
            sent(&pairs)
        };
        let mut macros = Macros::default();
        assert_eq!(macros.set(Code::Mail, &of(STAGE_COUNT_LIMIT)), 0);
        assert_eq!(macros.set(Code::Mail, &of(STAGE_COUNT_LIMIT + 1)), 1);
        assert_eq!(macros.text("m0"), Some("v"));
        assert_eq!(macros.get(&format!("m{STAGE_COUNT_LIMIT}")), None);
    }

    #[test]
    fn the_size_limit_holds_at_the_limit_and_one_past_it() {
        let value = |size: usize| "v".repeat(size);
        let mut macros = Macros::default();
        assert_eq!(
            macros.set(Code::Mail, &sent(&[("m", &value(STAGE_OCTETS_LIMIT - 3))])),
            0
        );
        assert!(macros.get("m").is_some());
        assert_eq!(
            macros.set(Code::Mail, &sent(&[("m", &value(STAGE_OCTETS_LIMIT - 2))])),
            1
        );
        assert_eq!(macros.get("m"), None);
    }

    #[test]
    fn what_is_cut_off_or_of_no_stage_is_left_out() {
        let mut macros = Macros::default();
        macros.set(Code::Mail, &Bytes::from_static(b"i\0one\0j\0cut"));
        assert_eq!(macros.text("i"), Some("one"));
        assert_eq!(macros.get("j"), None);
        assert_eq!(macros.set(Code::Header, &sent(&[("z", "1")])), 0);
        assert_eq!(macros.get("z"), None);
    }

    #[test]
    fn addresses_are_read_with_and_without_prefix() {
        let macros: Macros = [
            ("{client_addr}", "IPv6:2001:db8::1"),
            ("{daemon_addr}", "192.0.2.1"),
        ]
        .into_iter()
        .collect();
        assert_eq!(macros.ip("client_addr"), "2001:db8::1".parse().ok());
        assert_eq!(macros.ip("daemon_addr"), "192.0.2.1".parse().ok());
    }

    #[test]
    fn a_missing_macro_is_remembered() {
        let macros = Macros::default();
        assert_eq!(macros.require("{auth_authen}"), None);
        assert!(!macros.notices.first_time_missing("{auth_authen}"));
        assert!(macros.notices.first_time_missing("i"));
    }
}
