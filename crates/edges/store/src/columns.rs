//! How lists, addresses, names and explanations stand in a column: the same on every engine.

use std::io::Read as _;
use std::net::IpAddr;
use std::sync::Arc;

use landmarc_observation::{Observation, PublishedPolicy, TallyRow};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::limits::MAX_TRACE;
use crate::prepared::PreparedOutcome;
use crate::sql::{SqlError, SqlRow, SqlValue, row};

/// The columns of a policy configuration.
pub(crate) const PUBLISHED: &str =
    "p, sp, np, adkim, aspf, fo, testing, discovery_method, rua, ruf, problems, psd";
/// The columns of an outcome, but for the policy domain.
pub(crate) const OUTCOME: &str = "author_domain, spf, dkim, arc, dmarc, policy, disposition, action, \
                                  enforced_action, overrides, rule, cause";

/// The columns of an observation and its outcome, behind which the policy domain is to be asked for.
pub(crate) const OBSERVATION: &str = "o.at_ms, o.queue_id, o.short_id, o.client, o.questions, o.ms, \
    c.author_domain, c.spf, c.dkim, c.arc, c.dmarc, c.policy, c.disposition, c.action, c.enforced_action, \
    c.overrides, c.rule, c.cause";
/// The place of the first column behind all these.
pub(crate) const AFTER_OBSERVATION: usize = 19;

/// The bits of the column `aligned`.
const DKIM: u8 = 1;
const SPF: u8 = 2;
const INCIDENTAL: u8 = 4;

/// How much traces are compressed: higher levels win a few percent and cost twice the time.
const COMPRESSION: flate2::Compression = flate2::Compression::new(6);

/// What stands in the columns [`PUBLISHED`].
pub(crate) fn published_values(published: &PublishedPolicy) -> Vec<SqlValue<'_>> {
    row![
        &published.p,
        &published.sp,
        published.np.as_deref(),
        &published.adkim,
        &published.aspf,
        &published.fo,
        published.testing,
        &published.discovery_method,
        list(&published.rua),
        list(&published.ruf),
        list(&published.problems),
        published.psd,
    ]
}

/// The policy configuration in the columns [`PUBLISHED`], of which this is the place of the first.
pub(crate) fn read_published(row: &SqlRow, first: usize) -> Result<PublishedPolicy, SqlError> {
    let list = |place| read_list(row.text(place)?).ok_or(SqlError::Damaged(place));
    Ok(PublishedPolicy {
        p: row.get(first)?,
        sp: row.get(first + 1)?,
        np: row.get(first + 2)?,
        adkim: row.get(first + 3)?,
        aspf: row.get(first + 4)?,
        fo: row.get(first + 5)?,
        testing: row.get(first + 6)?,
        discovery_method: row.get(first + 7)?,
        rua: list(first + 8)?,
        ruf: list(first + 9)?,
        problems: list(first + 10)?,
        psd: row.get(first + 11)?,
    })
}

/// What stands in the columns [`OUTCOME`].
pub(crate) fn outcome_values(outcome: &PreparedOutcome) -> Vec<SqlValue<'_>> {
    row![
        outcome.author_domain.as_deref().map(reversed),
        &outcome.spf,
        &outcome.dkim,
        &outcome.arc,
        &outcome.dmarc,
        outcome.policy.as_deref(),
        &outcome.disposition,
        &outcome.action,
        &outcome.enforced_action,
        list(&outcome.overrides),
        outcome.rule.as_deref(),
        &outcome.cause,
    ]
}

/// What [`OBSERVATION`] asks for, and the policy domain: without trace and row.
pub(crate) fn read_observation(row: &SqlRow) -> Result<Observation, SqlError> {
    let client: Option<Vec<u8>> = row.get(3)?;
    let client = client.map(|octets| read_address(&octets).ok_or(SqlError::Damaged(3)));
    let author: Option<String> = row.get(6)?;
    Ok(Observation {
        at_ms: row.get(0)?,
        queue_id: row.get(1)?,
        id: row.get(2)?,
        client: client.transpose()?,
        questions: row.get(4)?,
        ms: row.get(5)?,
        author_domain: author.as_deref().map(unreversed),
        spf: row.get(7)?,
        dkim: row.get(8)?,
        arc: row.get(9)?,
        dmarc: row.get(10)?,
        policy: row.get(11)?,
        disposition: row.get(12)?,
        action: row.get(13)?,
        enforced_action: row.get(14)?,
        overrides: read_list(row.text(15)?).ok_or(SqlError::Damaged(15))?,
        rule: row.get(16)?,
        cause: row.get(17)?,
        policy_domain: row.get(18)?,
        trace: Arc::default(),
        row: None,
    })
}

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
pub(crate) fn list(values: &(impl Serialize + ?Sized)) -> String {
    serde_json::to_string(values).expect("lists of text are JSON")
}

/// What [`list`] has written; none where it has not.
pub(crate) fn read_list<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_str(text).ok()
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
        assert_eq!(read_list(&list(&pairs)), Some(pairs));
        let triples = vec![(nasty.clone(), nasty.clone(), nasty.clone())];
        assert_eq!(read_list(&list(&triples)), Some(triples.clone()));
        assert_eq!(read_list(&list(&triples[0])), Some(triples[0].clone()));
        let strings = vec![nasty];
        assert_eq!(read_list(&list(&strings)), Some(strings));
        assert_eq!(read_list(&list(&None::<String>)), Some(None::<String>));
    }

    #[test]
    fn what_we_never_wrote_is_damaged() {
        for text in ["", "{}", "[1]", "[[\"a\"]]", "[[\"a\",\"b\",\"c\"]]"] {
            assert_eq!(read_list::<Vec<(String, String)>>(text), None, "{text}");
            assert_eq!(
                read_list::<Option<(String, String, String)>>(text),
                None,
                "{text}"
            );
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
