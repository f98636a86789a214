//! What a host says of itself between segments, in values and in JSON.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Where a host says how far behind it is.
pub const BEAT_PATH: &str = "/spool/v1/beat";

/// Octets of a beat in JSON; ours have some two hundred.
pub(crate) const MAX_BEAT_OCTETS: usize = 4 * 1024;

/// Digits of the number of a host.
const HOST_DIGITS: usize = 32;

/// Characters of a name; that of a host has 253 at most.
const MAX_NAME_CHARACTERS: usize = 255;

/// How far behind a host is: who makes reports waits for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BeatMessage {
    /// The number of the host, 16 octets in lower-case hex.
    pub host: String,
    /// What it is called; at most 255 characters, none of them for control.
    pub name: String,
    /// Its clock, in milliseconds since 1970.
    pub clock_ms: u64,
    /// By its clock: all that was recorded before is handed over. 0 when it does not say.
    pub caught_up_ms: u64,
    /// Messages that wait.
    pub pending: u64,
}

/// What the other side has of this host. 0 where it has nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BeatReply {
    /// All batches up to this number.
    pub through: u64,
    /// The highest number of any.
    pub highest: u64,
}

impl BeatMessage {
    /// Reads what another host has sent; otherwise what is wrong with it.
    pub(crate) fn from_json(octets: &[u8]) -> Result<Self, &'static str> {
        let object: Value = serde_json::from_slice(octets).map_err(|_| "it is no JSON")?;
        let text = |key| object.get(key).and_then(Value::as_str);
        let number = |key| object.get(key).and_then(Value::as_u64);
        let is_digit = |octet: u8| octet.is_ascii_digit() || (b'a'..=b'f').contains(&octet);
        let is_host = |host: &&str| host.len() == HOST_DIGITS && host.bytes().all(is_digit);
        let is_name = |name: &&str| {
            let characters = name.chars().take(MAX_NAME_CHARACTERS + 1);
            (1..=MAX_NAME_CHARACTERS).contains(&characters.count()) && !name.contains(char::is_control)
        };
        Ok(Self {
            host: text("host")
                .filter(is_host)
                .ok_or("host is no number of a host")?
                .to_owned(),
            name: text("name").filter(is_name).ok_or("name is no name")?.to_owned(),
            clock_ms: number("clock_ms").ok_or("clock_ms is no number")?,
            caught_up_ms: number("caught_up_ms").ok_or("caught_up_ms is no number")?,
            pending: number("pending").ok_or("pending is no number")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beat() -> BeatMessage {
        BeatMessage {
            host: "00112233445566778899aabbccddeeff".to_owned(),
            name: "mx1.example.org".to_owned(),
            clock_ms: u64::MAX,
            caught_up_ms: 0,
            pending: 3,
        }
    }

    #[test]
    fn both_are_read_as_they_were_written() {
        let text = serde_json::to_string(&beat()).unwrap();
        assert_eq!(
            text,
            r#"{"host":"00112233445566778899aabbccddeeff","name":"mx1.example.org","clock_ms":18446744073709551615,"caught_up_ms":0,"pending":3}"#
        );
        assert_eq!(BeatMessage::from_json(text.as_bytes()), Ok(beat()));
        let known = BeatReply {
            through: 3,
            highest: 7,
        };
        assert_eq!(
            serde_json::from_value::<BeatReply>(serde_json::to_value(known).unwrap()).unwrap(),
            known
        );
        assert!(serde_json::from_slice::<BeatReply>(b"{\"through\":3}").is_err());
    }

    #[test]
    fn a_beat_that_is_none_is_told_why() {
        let with = |key: &str, value: Value| {
            let mut object = serde_json::to_value(beat()).unwrap();
            object[key] = value;
            BeatMessage::from_json(object.to_string().as_bytes())
        };
        let longest = "\u{e4}".repeat(MAX_NAME_CHARACTERS);
        assert_eq!(
            with("name", longest.clone().into()).map(|beat| beat.name),
            Ok(longest.clone())
        );
        for (key, value, why) in [
            ("name", format!("{longest}x").into(), "name is no name"),
            ("name", "".into(), "name is no name"),
            ("name", "mx1\nmx2".into(), "name is no name"),
            (
                "host",
                "00112233445566778899AABBCCDDEEFF".into(),
                "host is no number of a host",
            ),
            (
                "host",
                "00112233445566778899aabbccddeef".into(),
                "host is no number of a host",
            ),
            ("host", Value::Null, "host is no number of a host"),
            ("clock_ms", (-1).into(), "clock_ms is no number"),
            ("caught_up_ms", 1.5.into(), "caught_up_ms is no number"),
            ("pending", "3".into(), "pending is no number"),
        ] {
            assert_eq!(with(key, value.clone()), Err(why), "{key}: {value}");
        }
        assert_eq!(BeatMessage::from_json(b"\xff"), Err("it is no JSON"));
    }
}
