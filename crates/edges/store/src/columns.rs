//! How lists, addresses, names and explanations stand in a column: the same on every engine.

use std::io::Read as _;
use std::net::IpAddr;

use landmarc_observation::TallyRow;
use serde_json::Value;

use crate::limits::MAX_TRACE;

/// The bits of the column `aligned`.
const DKIM: u8 = 1;
const SPF: u8 = 2;
const INCIDENTAL: u8 = 4;

/// How much traces are compressed: higher levels win a few percent and cost twice the time.
const COMPRESSION: flate2::Compression = flate2::Compression::new(6);

/// What is aligned in a row, and whether it is report traffic.
pub(crate) fn aligned(row: &TallyRow) -> u8 {
    DKIM * u8::from(row.dkim_aligned)
        + SPF * u8::from(row.spf_aligned)
        + INCIDENTAL * u8::from(row.incidental)
}

/// What [`aligned`] has written: DKIM, SPF, incidental.
pub(crate) fn read_aligned(bits: u8) -> [bool; 3] {
    [DKIM, SPF, INCIDENTAL].map(|bit| bits & bit != 0)
}

/// An address: 4 octets or 16.
pub(crate) fn address(ip: IpAddr) -> Vec<u8> {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

/// An address from its 4 or 16 octets.
pub(crate) fn read_address(octets: &[u8]) -> Option<IpAddr> {
    let four = <[u8; 4]>::try_from(octets).map(Into::into);
    four.or_else(|_| <[u8; 16]>::try_from(octets).map(Into::into))
        .ok()
}

/// A domain as it is sorted: the labels from the right, each with a dot behind it. What is at or
/// below `example.com` then begins with `com.example.`.
pub(crate) fn reversed(domain: &str) -> String {
    let labels = domain.rsplit('.');
    labels.flat_map(|label| [label, "."]).collect()
}

/// The domain that [`reversed`] was given.
pub(crate) fn unreversed(author: &str) -> String {
    let labels: Vec<_> = author.strip_suffix('.').unwrap_or(author).rsplit('.').collect();
    labels.join(".")
}

/// From where to before where all that is at or below a domain is sorted.
pub(crate) fn at_or_below(domain: &str) -> (String, String) {
    // `/` is the character after the dot.
    let from = reversed(&domain.to_ascii_lowercase());
    let to = format!("{}/", from.strip_suffix('.').unwrap_or(&from));
    (from, to)
}

/// A list as JSON: no separator for foreign text to imitate.
pub(crate) fn list(values: &(impl ToJson + ?Sized)) -> String {
    values.to_json().to_string()
}

/// The few shapes that are stored as JSON.
pub(crate) trait ToJson {
    fn to_json(&self) -> Value;
}

impl ToJson for String {
    fn to_json(&self) -> Value {
        Value::from(self.as_str())
    }
}

impl ToJson for (String, String) {
    fn to_json(&self) -> Value {
        Value::from(vec![self.0.as_str(), self.1.as_str()])
    }
}

impl ToJson for (String, String, String) {
    fn to_json(&self) -> Value {
        Value::from(vec![self.0.as_str(), self.1.as_str(), self.2.as_str()])
    }
}

impl<T: ToJson> ToJson for Vec<T> {
    fn to_json(&self) -> Value {
        Value::Array(self.iter().map(ToJson::to_json).collect())
    }
}

impl<T: ToJson> ToJson for Option<T> {
    fn to_json(&self) -> Value {
        self.as_ref().map_or(Value::Null, ToJson::to_json)
    }
}

pub(crate) fn read_strings(text: &str) -> Option<Vec<String>> {
    items(text, |value| value.as_str().map(str::to_owned))
}

pub(crate) fn read_pairs(text: &str) -> Option<Vec<(String, String)>> {
    items(text, |value| match value.as_array()?.as_slice() {
        [name, comment] => Some((name.as_str()?.to_owned(), comment.as_str()?.to_owned())),
        _ => None,
    })
}

pub(crate) fn read_triples(text: &str) -> Option<Vec<(String, String, String)>> {
    items(text, triple)
}

/// One triple, or `null` for none.
#[expect(
    clippy::option_option,
    reason = "the outer one says whether we can have written it"
)]
pub(crate) fn read_triple(text: &str) -> Option<Option<(String, String, String)>> {
    if text == "null" {
        return Some(None);
    }
    let value = serde_json::from_str(text).ok()?;
    triple(&value).map(Some)
}

fn triple(value: &Value) -> Option<(String, String, String)> {
    match value.as_array()?.as_slice() {
        [a, b, c] => Some((
            a.as_str()?.to_owned(),
            b.as_str()?.to_owned(),
            c.as_str()?.to_owned(),
        )),
        _ => None,
    }
}

fn items<T>(text: &str, read: impl Fn(&Value) -> Option<T>) -> Option<Vec<T>> {
    if text == "[]" {
        return Some(Vec::new());
    }
    let value: Value = serde_json::from_str(text).ok()?;
    value.as_array()?.iter().map(read).collect()
}

/// Compresses traces. Its tables are large, and used again for the next one.
pub(crate) struct Compressor(flate2::Compress);

impl Compressor {
    pub(crate) fn new() -> Self {
        Self(flate2::Compress::new(COMPRESSION, false))
    }

    /// The text as raw deflate.
    pub(crate) fn compressed(&mut self, text: &str) -> std::io::Result<Vec<u8>> {
        self.0.reset();
        // Deflate adds five octets for each 16 KiB that it cannot shorten, and a little at the end.
        let mut output = Vec::with_capacity(text.len() + text.len() / 1_024 + 64);
        let compressed = self
            .0
            .compress_vec(text.as_bytes(), &mut output, flate2::FlushCompress::Finish);
        match compressed {
            Ok(flate2::Status::StreamEnd) => Ok(output),
            Ok(_) => Err(std::io::ErrorKind::WriteZero.into()),
            Err(error) => Err(error.into()),
        }
    }
}

impl std::fmt::Debug for Compressor {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Compressor")
    }
}

/// The text of a trace. The store may be damaged: no more is unpacked than was ever packed.
pub(crate) fn unpacked(compressed: &[u8]) -> std::io::Result<String> {
    let limit = MAX_TRACE as u64;
    let mut text = String::new();
    flate2::read::DeflateDecoder::new(compressed)
        .take(limit)
        .read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    #[test]
    fn lists_come_back_whatever_is_in_them() {
        let nasty = "a'b\"c\\d\n\u{1f}, ] é ';--".to_owned();
        let pairs = vec![(nasty.clone(), String::new()), (String::new(), nasty.clone())];
        assert_eq!(read_pairs(&list(&pairs)), Some(pairs));
        let triples = vec![(nasty.clone(), nasty.clone(), nasty.clone())];
        assert_eq!(read_triples(&list(&triples)), Some(triples.clone()));
        assert_eq!(read_triple(&list(&triples[0])), Some(Some(triples[0].clone())));
        let strings = vec![nasty];
        assert_eq!(read_strings(&list(&strings)), Some(strings));
        assert_eq!(read_triple(&list(&None::<String>)), Some(None));
    }

    #[test]
    fn what_we_never_wrote_is_damaged() {
        for text in ["", "{}", "[1]", "[[\"a\"]]", "[[\"a\",\"b\",\"c\"]]"] {
            assert_eq!(read_pairs(text), None, "{text}");
            assert_eq!(read_triple(text), None, "{text}");
        }
        assert_eq!(read_address(&[1, 2, 3]), None);
        assert!(unpacked(&[0xff; 9]).is_err());
    }

    #[test]
    fn a_domain_is_sorted_by_its_top() {
        assert_eq!(reversed("a.example.com"), "com.example.a.");
        assert_eq!(unreversed("com.example.a."), "a.example.com");
        assert_eq!(unreversed(&reversed("com")), "com");
        assert_eq!(unreversed(&reversed("it's\"odd.example")), "it's\"odd.example");
        let (from, to) = at_or_below("Example.com");
        assert_eq!((from.as_str(), to.as_str()), ("com.example.", "com.example/"));
    }

    #[test]
    fn one_compressor_serves_many_texts_of_any_kind() {
        let mut compressor = Compressor::new();
        let noise = Digest::of(b"seed").0.map(u32::from);
        let noise: String = (0..3_000)
            .flat_map(|place| noise.map(|one| char::from_u32(33 + (one * place) % 94).unwrap()))
            .collect();
        for text in ["", "short", "a".repeat(60_000).as_str(), noise.as_str(), "short"] {
            let compressed = compressor.compressed(text).unwrap();
            assert_eq!(unpacked(&compressed).unwrap(), text);
        }
        let long = compressor.compressed(&"a".repeat(MAX_TRACE + 1)).unwrap();
        assert_eq!(
            unpacked(&long).unwrap().len(),
            MAX_TRACE,
            "no more than was ever packed"
        );
    }
}
