//! Zones from a JSON text: what `--dns FILE` and the test cases answer from.
//!
//! An object of names; each an object of types: `A`, `AAAA`, `PTR` (lists of text),
//! `MX` (lists of `[preference, host]`), `TXT` (lists of lists of character-strings,
//! where each character up to U+00FF is one octet), `CNAME` (a text). In place of a
//! list a fault: `SERVFAIL`, `TIMEOUT`, `NXDOMAIN`, `NODATA`, `REFUSED`. The type `*`
//! holds the fault of every type that is not listed at that name. Other types are ignored.

use std::net::{Ipv4Addr, Ipv6Addr};

use landmarc_auth::lookup::{DnsName, DnsRecord, Fault, RecordType, ZoneData, Zones};
use serde_json::Value;

/// What is wrong with a zone file.
#[derive(Debug, thiserror::Error)]
pub enum ZoneFileError {
    /// Not JSON; the source has line and column.
    #[error("the zone file is not JSON")]
    Json(#[from] serde_json::Error),
    /// JSON of another shape.
    #[error("the zone file: {place}: {problem}")]
    Shape {
        /// Name and type.
        place: String,
        /// What is expected there.
        problem: &'static str,
    },
}

/// Reads zones from JSON text.
///
/// # Errors
/// [`ZoneFileError`] with the place of the first mistake.
pub fn parse(text: &str) -> Result<Zones, ZoneFileError> {
    from_value(&serde_json::from_str(text)?)
}

/// Reads zones from a JSON value.
///
/// # Errors
/// [`ZoneFileError::Shape`] with the place of the first mistake.
pub fn from_value(value: &Value) -> Result<Zones, ZoneFileError> {
    let names = value
        .as_object()
        .ok_or_else(|| shape("the top", "an object of names is expected"))?;
    let mut zones = Zones::new();
    for (name, types) in names {
        let dns_name = dns_name(name, name)?;
        let types = types
            .as_object()
            .ok_or_else(|| shape(name, "an object of types is expected"))?;
        zones.add_name(dns_name.clone());
        for (record_type, data) in types {
            set(
                &mut zones,
                &dns_name,
                record_type,
                data,
                &format!("{name} {record_type}"),
            )?;
        }
    }
    Ok(zones)
}

/// Types that are read.
const KNOWN_TYPES: [&str; 6] = ["TXT", "A", "AAAA", "MX", "PTR", "CNAME"];

fn set(
    zones: &mut Zones,
    name: &DnsName,
    type_word: &str,
    data: &Value,
    place: &str,
) -> Result<(), ZoneFileError> {
    let record_type = match type_word {
        "TXT" => RecordType::Txt,
        "A" => RecordType::A,
        "AAAA" => RecordType::Aaaa,
        "MX" => RecordType::Mx,
        "PTR" => RecordType::Ptr,
        "CNAME" => {
            let target = data.as_str().ok_or_else(|| shape(place, "a name is expected"))?;
            zones.set_alias(name.clone(), dns_name(target, place)?);
            return Ok(());
        }
        "*" => {
            let word = data.as_str().ok_or_else(|| shape(place, "a fault is expected"))?;
            zones.set_others(name.clone(), fault(word, place)?);
            return Ok(());
        }
        // In small letters it would be ignored in silence, and the name be without records.
        _ if KNOWN_TYPES.contains(&type_word.to_ascii_uppercase().as_str()) => {
            return Err(shape(place, "types are written in capitals"));
        }
        _ => return Ok(()),
    };
    let zone_data = match data {
        Value::String(word) => ZoneData::Fault(fault(word, place)?),
        Value::Array(items) => ZoneData::Records(
            items
                .iter()
                .map(|item| record(record_type, item, place))
                .collect::<Result<_, _>>()?,
        ),
        _ => return Err(shape(place, "a list of records or a fault is expected")),
    };
    zones.set(name.clone(), record_type, zone_data);
    Ok(())
}

fn record(record_type: RecordType, item: &Value, place: &str) -> Result<DnsRecord, ZoneFileError> {
    let text = || item.as_str().ok_or_else(|| shape(place, "a text is expected"));
    Ok(match record_type {
        RecordType::Txt => {
            let strings = item
                .as_array()
                .ok_or_else(|| shape(place, "a list of character-strings is expected"))?;
            let mut joined = Vec::new();
            for string in strings {
                let string = string
                    .as_str()
                    .ok_or_else(|| shape(place, "a character-string is expected"))?;
                joined.extend(octets(string));
            }
            DnsRecord::Txt(joined.into())
        }
        RecordType::A => DnsRecord::A(
            text()?
                .parse::<Ipv4Addr>()
                .map_err(|_| shape(place, "an IPv4 address is expected"))?,
        ),
        RecordType::Aaaa => DnsRecord::Aaaa(
            text()?
                .parse::<Ipv6Addr>()
                .map_err(|_| shape(place, "an IPv6 address is expected"))?,
        ),
        RecordType::Ptr => DnsRecord::Ptr(dns_name(text()?, place)?),
        RecordType::Mx => {
            let (preference, host) = match item.as_array().map(Vec::as_slice) {
                Some([preference, host]) => (preference.as_u64(), host.as_str()),
                _ => (None, None),
            };
            let preference = preference.and_then(|number| u16::try_from(number).ok());
            let (Some(preference), Some(host)) = (preference, host) else {
                return Err(shape(place, "[preference, \"host\"] is expected"));
            };
            DnsRecord::Mx {
                preference,
                exchange: dns_name(host, place)?,
            }
        }
    })
}

fn fault(word: &str, place: &str) -> Result<Fault, ZoneFileError> {
    Ok(match word {
        "SERVFAIL" => Fault::ServFail,
        "TIMEOUT" => Fault::Timeout,
        "NXDOMAIN" => Fault::NxDomain,
        "NODATA" => Fault::NoData,
        "REFUSED" => Fault::Refused,
        _ => {
            return Err(shape(
                place,
                "a fault is SERVFAIL, TIMEOUT, NXDOMAIN, NODATA or REFUSED",
            ));
        }
    })
}

/// A name; the empty text and the dot are the root.
fn dns_name(text: &str, place: &str) -> Result<DnsName, ZoneFileError> {
    if matches!(text, "" | ".") {
        return Ok(DnsName::root());
    }
    DnsName::from_octets(&octets(text))
        .ok_or_else(|| shape(place, "a name has labels of 1 to 63 octets, 253 in all"))
}

/// Each character up to U+00FF is one octet, any other its UTF-8.
fn octets(text: &str) -> Vec<u8> {
    let mut octets = Vec::with_capacity(text.len());
    for character in text.chars() {
        match u8::try_from(u32::from(character)) {
            Ok(octet) => octets.push(octet),
            Err(_) => octets.extend(character.to_string().into_bytes()),
        }
    }
    octets
}

fn shape(place: impl Into<String>, problem: &'static str) -> ZoneFileError {
    ZoneFileError::Shape {
        place: place.into(),
        problem,
    }
}

#[cfg(test)]
mod tests {
    use landmarc_auth::lookup::{Answer, LookupError, Missing, Question};
    use landmarc_testkit::dns_name as name;

    use super::*;

    #[test]
    fn each_type_is_read_in_its_form() {
        let zones = read(
            r#"{"Example.COM": {
                "A": ["192.0.2.1"], "AAAA": ["2001:db8::1"], "PTR": ["Host.example"],
                "MX": [[10, "mx.example"], [0, ""]], "TXT": [["v=spf1 ", "-all"], []],
                "NS": ["ns.example"], "SPF": [["v=spf1"]]
            }}"#,
        );
        let answers = |record_type| zones.answer(&Question::new(name("example.com"), record_type));
        let records = |records: &[DnsRecord]| Answer::Records(records.into());
        assert_eq!(
            answers(RecordType::A),
            records(&[DnsRecord::A([192, 0, 2, 1].into())])
        );
        assert_eq!(
            answers(RecordType::Aaaa),
            records(&[DnsRecord::Aaaa("2001:db8::1".parse().unwrap())])
        );
        assert_eq!(
            answers(RecordType::Ptr),
            records(&[DnsRecord::Ptr(name("host.example"))])
        );
        let mx = |preference, exchange| DnsRecord::Mx { preference, exchange };
        assert_eq!(
            answers(RecordType::Mx),
            records(&[mx(10, name("mx.example")), mx(0, DnsName::root())])
        );
        let texts = [&b"v=spf1 -all"[..], b""].map(|text| DnsRecord::Txt(text.into()));
        assert_eq!(answers(RecordType::Txt), records(&texts));
    }

    /// It was ignored in silence once, and a record that stood there did not apply.
    #[test]
    fn a_type_in_small_letters_is_a_mistake_and_an_unknown_one_is_not() {
        for kind in ["txt", "Txt", "a", "cname"] {
            let error = parse(&format!(r#"{{"a.example": {{"{kind}": []}}}}"#)).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("the zone file: a.example {kind}: types are written in capitals")
            );
        }
        assert!(parse(r#"{"a.example": {"ns": ["ns.example"], "SPF": []}}"#).is_ok());
    }

    #[test]
    fn a_character_up_to_u_00ff_is_an_octet_and_others_are_utf_8() {
        let zones = read(r#"{"\u00e9.example": {"TXT": [["\u00ff\u0100\u0000"]]}}"#);
        let question = Question::txt(DnsName::from_octets(b"\xE9.example").unwrap());
        let expected = Answer::Records([DnsRecord::Txt((*b"\xFF\xC4\x80\0").into())].into());
        assert_eq!(zones.answer(&question), expected);
    }

    #[test]
    fn faults_stand_in_place_of_records_and_the_star_for_what_is_not_listed() {
        let zones = read(
            r#"{"a.example": {"TXT": "SERVFAIL", "A": "TIMEOUT", "AAAA": "NXDOMAIN", "MX": "NODATA", "PTR": "REFUSED"},
                "b.example": {"*": "SERVFAIL", "A": []}}"#,
        );
        let answer = |owner, record_type| zones.answer(&Question::new(name(owner), record_type));
        let failed = Answer::Failed;
        assert_eq!(
            answer("a.example", RecordType::Txt),
            failed(LookupError::ServFail)
        );
        assert_eq!(answer("a.example", RecordType::A), failed(LookupError::Timeout));
        assert_eq!(
            answer("a.example", RecordType::Aaaa),
            Answer::NxDomain(Missing::Name)
        );
        assert_eq!(answer("a.example", RecordType::Mx), Answer::NoData);
        assert_eq!(answer("a.example", RecordType::Ptr), failed(LookupError::Refused));
        assert_eq!(
            answer("b.example", RecordType::Txt),
            failed(LookupError::ServFail)
        );
        assert_eq!(answer("b.example", RecordType::A), Answer::NoData);
    }

    #[test]
    fn aliases_lead_on_and_names_without_types_exist() {
        let zones = read(
            r#"{"alias.example": {"CNAME": "Empty.example."}, "empty.example": {}, ".": {"A": "NODATA"}}"#,
        );
        let alias = Question::txt(name("alias.example"));
        assert_eq!(zones.alias(&alias), Some(&name("empty.example")));
        assert_eq!(zones.answer(&alias), Answer::NoData);
        let root = Question::new(DnsName::root(), RecordType::A);
        assert_eq!(zones.answer(&root), Answer::NoData);
        let missing = Question::new(name("missing.example"), RecordType::A);
        assert_eq!(zones.answer(&missing), Answer::NxDomain(Missing::Name));
    }

    #[test]
    fn mistakes_are_reported_with_their_place() {
        for (text, expected) in [
            ("[]", "the top: an object of names is expected"),
            (r#"{"a": []}"#, "a: an object of types is expected"),
            (
                r#"{"a..b": {}}"#,
                "a..b: a name has labels of 1 to 63 octets, 253 in all",
            ),
            (
                r#"{"a": {"A": 1}}"#,
                "a A: a list of records or a fault is expected",
            ),
            (r#"{"a": {"A": [1]}}"#, "a A: a text is expected"),
            (r#"{"a": {"A": ["::1"]}}"#, "a A: an IPv4 address is expected"),
            (
                r#"{"a": {"AAAA": ["127.0.0.1"]}}"#,
                "a AAAA: an IPv6 address is expected",
            ),
            (
                r#"{"a": {"TXT": ["text"]}}"#,
                "a TXT: a list of character-strings is expected",
            ),
            (
                r#"{"a": {"TXT": [[1]]}}"#,
                "a TXT: a character-string is expected",
            ),
            (
                r#"{"a": {"MX": [["mx", 10]]}}"#,
                "a MX: [preference, \"host\"] is expected",
            ),
            (
                r#"{"a": {"MX": [[65536, "mx"]]}}"#,
                "a MX: [preference, \"host\"] is expected",
            ),
            (
                r#"{"a": {"MX": [[10, "mx", 1]]}}"#,
                "a MX: [preference, \"host\"] is expected",
            ),
            (
                r#"{"a": {"PTR": [".a"]}}"#,
                "a PTR: a name has labels of 1 to 63 octets, 253 in all",
            ),
            (r#"{"a": {"CNAME": ["b"]}}"#, "a CNAME: a name is expected"),
            (r#"{"a": {"*": []}}"#, "a *: a fault is expected"),
            (
                r#"{"a": {"TXT": "timeout"}}"#,
                "a TXT: a fault is SERVFAIL, TIMEOUT, NXDOMAIN, NODATA or REFUSED",
            ),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert_eq!(error, format!("the zone file: {expected}"), "{text}");
        }
    }

    #[test]
    fn what_is_not_json_says_where() {
        let error = parse("{\"a\": {\n}").unwrap_err();
        insta::assert_snapshot!(error.to_string(), @"the zone file is not JSON");
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.ends_with("at line 2 column 1"), "{source}");
    }

    #[test]
    fn the_largest_preference_and_the_longest_label_fit_and_the_next_do_not() {
        let with = |preference: u32, label: usize| {
            parse(&format!(
                "{{\"a\": {{\"MX\": [[{preference}, \"{}\"]]}}}}",
                "x".repeat(label)
            ))
            .is_ok()
        };
        assert!(with(65_535, 63));
        assert!(!with(65_536, 63));
        assert!(!with(65_535, 64));
    }

    fn read(text: &str) -> Zones {
        parse(text).unwrap()
    }
}
