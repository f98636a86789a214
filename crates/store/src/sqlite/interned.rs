//! What repeats is stored once and named by a number. Here are the numbers of what was used last,
//! and the statements that find or make the others.

use rusqlite::{Connection, OptionalExtension, Params, params};

use super::tally::{aligned, list};
use crate::day::{Day, as_integer};
use crate::digest::Digest;
use crate::prepared::{Counted, Kept, Trace, published_digest};
use crate::recent::Recent;

/// Numbers remembered of each kind: about 5 MB for all of them together.
const REMEMBERED: usize = 20_000;

/// How much traces are compressed: higher levels win a few percent and cost twice the time.
const COMPRESSION: flate2::Compression = flate2::Compression::new(6);

/// The numbers of what was used last.
#[derive(Debug)]
pub(super) struct Interned {
    outcomes: Numbers,
    traces: Numbers,
    texts: Numbers,
    published: Numbers,
    /// A row, its policy domain, and the day both are marked with.
    rows: Recent<Digest, (i64, i64, Day)>,
    compressor: Compressor,
}

impl Default for Interned {
    fn default() -> Self {
        Self {
            outcomes: Numbers::new(),
            traces: Numbers::new(),
            texts: Numbers::new(),
            published: Numbers::new(),
            rows: Recent::new(REMEMBERED),
            compressor: Compressor::new(),
        }
    }
}

impl Interned {
    pub(super) fn outcome(&mut self, connection: &Connection, kept: &Kept) -> rusqlite::Result<i64> {
        let day = kept.day();
        let outcome = &kept.outcome;
        self.outcomes.or_else(kept.outcome_digest, day, || {
            let sql = "INSERT INTO outcome (digest, last_day, author, spf, dkim, arc, dmarc, policy_domain, \
                       policy, disposition, action, would, overrides, rule, cause) \
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15) \
                       ON CONFLICT (digest) DO UPDATE SET last_day = max(last_day, excluded.last_day) \
                       RETURNING id";
            let author = outcome.author_domain.as_deref().map(super::log::reversed);
            let values = params![
                kept.outcome_digest.0,
                day.0,
                author,
                outcome.spf,
                outcome.dkim,
                outcome.arc,
                outcome.dmarc,
                outcome.policy_domain,
                outcome.policy,
                outcome.disposition,
                outcome.action,
                outcome.would,
                list(&outcome.overrides),
                outcome.rule.as_deref(),
                outcome.cause
            ];
            number(connection, sql, values)
        })
    }

    pub(super) fn trace(
        &mut self,
        connection: &Connection,
        day: Day,
        trace: &Trace,
    ) -> rusqlite::Result<i64> {
        let compressor = &mut self.compressor;
        self.traces.or_else(trace.digest, day, || {
            let known = "UPDATE trace SET last_day = max(last_day, ?2) WHERE digest = ?1 RETURNING id";
            let known = connection
                .prepare_cached(known)?
                .query_row((trace.digest.0, day.0), |row| row.get(0))
                .optional()?;
            if let Some(id) = known {
                return Ok(id);
            }
            let sql = "INSERT INTO trace (digest, last_day, size, text) VALUES (?1, ?2, ?3, ?4) RETURNING id";
            let text = compressor.compressed(&trace.text)?;
            let size = as_integer(trace.text.len() as u64);
            number(connection, sql, (trace.digest.0, day.0, size, text))
        })
    }

    /// The numbers of a reporting row and of its policy domain. Whatever a row refers to is marked
    /// as used on that day before the row is: so it never expires before the row does.
    pub(super) fn row(&mut self, connection: &Connection, counted: &Counted) -> rusqlite::Result<(i64, i64)> {
        let (day, row) = (counted.day, &counted.row);
        if let Some((id, policy_domain, marked)) = self.rows.find(counted.digest)
            && marked >= day
        {
            return Ok((id, policy_domain));
        }
        let texts = &mut self.texts;
        let mut text = |value: &str| intern_text(texts, connection, day, value);
        let policy_domain = text(&row.policy_domain)?;
        let optional = |text: &mut dyn FnMut(&str) -> rusqlite::Result<i64>, value: Option<&str>| {
            value.map(text).transpose()
        };
        let disposition = text(&row.disposition)?;
        let reasons = text(&list(&row.reasons))?;
        let header_from = text(&row.header_from)?;
        let envelope_from = optional(&mut text, row.envelope_from.as_deref())?;
        let envelope_to = optional(&mut text, row.envelope_to.as_deref())?;
        let dkim = text(&list(&row.dkim))?;
        let spf = text(&list(&row.spf))?;
        let published = intern_published(&mut self.published, connection, counted)?;
        let source_ip = address(row.source_ip);
        let sql = "INSERT INTO reporting_row (digest, last_day, policy_domain, published, source_ip, aligned, \
                   disposition, reasons, header_from, envelope_from, envelope_to, dkim, spf) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) \
                   ON CONFLICT (digest) DO UPDATE SET last_day = max(last_day, excluded.last_day) RETURNING id";
        let values = params![
            counted.digest.0,
            day.0,
            policy_domain,
            published,
            source_ip,
            aligned(row),
            disposition,
            reasons,
            header_from,
            envelope_from,
            envelope_to,
            dkim,
            spf
        ];
        let id = number(connection, sql, values)?;
        self.rows.remember(counted.digest, (id, policy_domain, day));
        Ok((id, policy_domain))
    }
}

fn intern_text(texts: &mut Numbers, connection: &Connection, day: Day, value: &str) -> rusqlite::Result<i64> {
    let digest = Digest::of(value.as_bytes());
    texts.or_else(digest, day, || {
        let sql = "INSERT INTO text (digest, last_day, value) VALUES (?1, ?2, ?3) \
                   ON CONFLICT (digest) DO UPDATE SET last_day = max(last_day, excluded.last_day) RETURNING id";
        number(connection, sql, (digest.0, day.0, value))
    })
}

fn intern_published(
    remembered: &mut Numbers,
    connection: &Connection,
    counted: &Counted,
) -> rusqlite::Result<i64> {
    let digest = published_digest(&counted.row);
    let published = &counted.row.published;
    remembered.or_else(digest, counted.day, || {
        let sql = "INSERT INTO published (digest, last_day, p, sp, np, adkim, aspf, fo, testing, \
                   discovery_method, rua, ruf) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) \
                   ON CONFLICT (digest) DO UPDATE SET last_day = max(last_day, excluded.last_day) RETURNING id";
        let values = params![
            digest.0,
            counted.day.0,
            published.p,
            published.sp,
            published.np,
            published.adkim,
            published.aspf,
            published.fo,
            published.testing,
            published.discovery_method,
            list(&published.rua),
            list(&published.ruf)
        ];
        number(connection, sql, values)
    })
}

fn number(connection: &Connection, sql: &str, values: impl Params) -> rusqlite::Result<i64> {
    connection
        .prepare_cached(sql)?
        .query_row(values, |row| row.get(0))
}

/// An address as the database holds it: 4 octets or 16.
pub(super) fn address(ip: std::net::IpAddr) -> Vec<u8> {
    match ip.to_canonical() {
        std::net::IpAddr::V4(ip) => ip.octets().to_vec(),
        std::net::IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

/// Compresses traces. Its tables are large, and used again for the next one.
struct Compressor(flate2::Compress);

impl Compressor {
    fn new() -> Self {
        Self(flate2::Compress::new(COMPRESSION, false))
    }

    /// The text as raw deflate.
    fn compressed(&mut self, text: &str) -> rusqlite::Result<Vec<u8>> {
        self.0.reset();
        // Deflate adds five octets for each 16 KiB that it cannot shorten, and a little at the end.
        let mut output = Vec::with_capacity(text.len() + text.len() / 1_024 + 64);
        let compressed = self
            .0
            .compress_vec(text.as_bytes(), &mut output, flate2::FlushCompress::Finish);
        match compressed {
            Ok(flate2::Status::StreamEnd) => Ok(output),
            Ok(_) => Err(conversion(std::io::ErrorKind::WriteZero.into())),
            Err(error) => Err(conversion(error.into())),
        }
    }
}

impl std::fmt::Debug for Compressor {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Compressor")
    }
}

fn conversion(error: std::io::Error) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(Box::new(error))
}

/// The numbers used last, and the day that each is known to be marked with.
#[derive(Debug)]
struct Numbers(Recent<Digest, (i64, Day)>);

impl Numbers {
    fn new() -> Self {
        Self(Recent::new(REMEMBERED))
    }

    /// The number, when it is known and marked with this day or a later one.
    fn find(&mut self, digest: Digest, day: Day) -> Option<i64> {
        let (id, marked) = self.0.find(digest)?;
        (marked >= day).then_some(id)
    }

    fn or_else(
        &mut self,
        digest: Digest,
        day: Day,
        make: impl FnOnce() -> rusqlite::Result<i64>,
    ) -> rusqlite::Result<i64> {
        if let Some(id) = self.find(digest, day) {
            return Ok(id);
        }
        let id = make()?;
        self.0.remember(digest, (id, day));
        Ok(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_compressor_serves_many_texts_of_any_kind() {
        use std::io::Read as _;
        let mut compressor = Compressor::new();
        let noise = Digest::of(b"seed").0.map(u32::from);
        let noise: String = (0..3_000)
            .flat_map(|place| noise.map(|one| char::from_u32(33 + (one * place) % 94).unwrap()))
            .collect();
        for text in ["", "short", "a".repeat(60_000).as_str(), noise.as_str(), "short"] {
            let compressed = compressor.compressed(text).unwrap();
            let mut back = String::new();
            flate2::read::DeflateDecoder::new(compressed.as_slice())
                .read_to_string(&mut back)
                .unwrap();
            assert_eq!(back, text);
        }
    }

    #[test]
    fn a_new_day_marks_it_again() {
        let mut numbers = Numbers::new();
        let digest = Digest::of(b"a");
        assert_eq!(numbers.or_else(digest, Day(5), || Ok(7)), Ok(7));
        assert_eq!(numbers.find(digest, Day(5)), Some(7));
        assert_eq!(numbers.find(digest, Day(4)), Some(7), "a later mark will do");
        assert_eq!(numbers.find(digest, Day(6)), None);
        assert_eq!(numbers.or_else(digest, Day(6), || Ok(7)), Ok(7));
        assert_eq!(numbers.find(digest, Day(6)), Some(7));
    }
}
