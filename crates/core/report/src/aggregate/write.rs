//! Aggregate reports as XML, in the form of RFC 9990 or, for consumers that choke on it, of RFC 7489.
//!
//! The model goes out element by element; the document is never in memory. Strict: what the schema
//! cannot say is an error, never a document that is not valid (decision D21). Elements stand in the
//! order that readers of the older form depend on, where the schema leaves it open.

mod rows;
mod xml;

use std::io::{self, BufWriter, Write};

use flate2::{Compression, GzBuilder};

use super::model::{AggregateReport, Metadata, PolicyPublished};
use super::text::{MAX_ERROR_OCTETS, MAX_TEXT_OCTETS};
use super::words::{Registered, SchemaWord};
use xml::Xml;

/// The namespace of the schema (RFC 9990 Appendix A).
const NAMESPACE: &str = "urn:ietf:params:xml:ns:dmarc-2.0";
/// How much is gathered before it is compressed.
const BUFFER_OCTETS: usize = 32 * 1024;
/// Of gzip. 9 saves 2 to 9 % of the octets for 20 to 30 % more time, and packs a row of a hundred equal
/// signatures 250 times smaller: what a careful reader takes for a bomb.
const LEVEL: u32 = 6;

/// Which schema a report is written by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Form {
    /// RFC 9990 Appendix A.
    #[default]
    Rfc9990,
    /// RFC 7489 Appendix C, without a namespace, as everybody wrote it. A pass under an enforcing
    /// policy is `none` there, test mode is `other`, and `pct` is always 100.
    Rfc7489,
}

impl Form {
    /// As the setting has it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rfc9990 => "rfc9990",
            Self::Rfc7489 => "rfc7489",
        }
    }
}

/// Why a report cannot be written: it says something that the schema has no place for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unwritable {
    /// RFC 9990 §3.1: a report has at least one record.
    #[error("the report has no rows")]
    NoRows,
    /// Nothing in an element that must be there.
    #[error("the element `{0}` would be empty")]
    Empty(&'static str),
    /// A word that is not on the schema's list.
    #[error("the element `{element}` cannot be {word:?}")]
    Unregistered {
        /// The element.
        element: &'static str,
        /// The word.
        word: String,
    },
}

impl From<Unwritable> for io::Error {
    fn from(reason: Unwritable) -> Self {
        Self::new(io::ErrorKind::InvalidInput, reason)
    }
}

/// Writes the report as an XML document, in pieces of some ten thousand octets.
///
/// # Errors
/// Those of `out`; and [`io::ErrorKind::InvalidInput`] for a report without rows, with an empty
/// mandatory element or with a word that the schema does not know. Reports that
/// [`assemble`](super::assemble) makes have none of these.
pub fn write(report: &AggregateReport, form: Form, out: &mut impl Write) -> io::Result<()> {
    if report.rows.is_empty() {
        return Err(Unwritable::NoRows.into());
    }
    let mut buffer = BufWriter::with_capacity(BUFFER_OCTETS, out);
    let mut xml = Xml::new(&mut buffer);
    xml.declaration()?;
    match form {
        Form::Rfc9990 => xml.open_with("feedback", "xmlns", NAMESPACE)?,
        Form::Rfc7489 => xml.open("feedback")?,
    }
    xml.leaf("version", "1.0")?;
    metadata(&mut xml, &report.metadata, form)?;
    policy(&mut xml, &report.policy, form)?;
    for row in &report.rows {
        rows::record(&mut xml, row, form)?;
    }
    xml.close("feedback")?;
    buffer.flush()
}

/// A report as it is attached to a report mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// The compressed XML: equal reports give equal octets.
    pub gzip: Vec<u8>,
    /// How many octets it unpacks to.
    pub xml_octets: u64,
}

/// Writes the report as compressed XML, as [`write()`] does; only the compressed octets are held.
///
/// # Errors
/// [`io::ErrorKind::InvalidInput`] as there.
pub fn render(report: &AggregateReport, form: Form) -> io::Result<Rendered> {
    // No time and no file name in it: a retry has to send the same octets (RFC 9990 §3.5.2).
    let gzip = GzBuilder::new().write(Vec::new(), Compression::new(LEVEL));
    let mut counted = Counted { out: gzip, octets: 0 };
    write(report, form, &mut counted)?;
    Ok(Rendered {
        gzip: counted.out.finish()?,
        xml_octets: counted.octets,
    })
}

/// Counts what passes through.
struct Counted<W> {
    out: W,
    octets: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let written = self.out.write(octets)?;
        self.octets += u64::try_from(written).unwrap_or(u64::MAX);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        // Not passed on: flushing a compressor in the middle costs octets.
        Ok(())
    }
}

fn metadata<W: Write>(xml: &mut Xml<W>, metadata: &Metadata, form: Form) -> io::Result<()> {
    xml.open("report_metadata")?;
    required(xml, "org_name", &metadata.organization)?;
    required(xml, "email", &metadata.email)?;
    let contact = metadata.contact.as_ref();
    xml.optional_text("extra_contact_info", contact, MAX_TEXT_OCTETS, form)?;
    required(xml, "report_id", &metadata.report_id)?;
    xml.open("date_range")?;
    xml.number("begin", metadata.period.begin)?;
    xml.number("end", metadata.period.end)?;
    xml.close("date_range")?;
    xml.optional_text("error", metadata.error.as_ref(), MAX_ERROR_OCTETS, form)?;
    if form == Form::Rfc9990 {
        xml.optional_leaf("generator", metadata.generator.as_deref())?;
    }
    xml.close("report_metadata")
}

fn policy<W: Write>(xml: &mut Xml<W>, policy: &PolicyPublished, form: Form) -> io::Result<()> {
    xml.open("policy_published")?;
    required(xml, "domain", &policy.domain)?;
    match form {
        Form::Rfc9990 => policy_fields(xml, policy)?,
        Form::Rfc7489 => older_policy_fields(xml, policy)?,
    }
    xml.close("policy_published")
}

fn policy_fields<W: Write>(xml: &mut Xml<W>, policy: &PolicyPublished) -> io::Result<()> {
    let method = policy.discovery_method.map(Registered::word);
    xml.optional_leaf("discovery_method", method)?;
    word(xml, "p", &policy.policy)?;
    optional_word(xml, "sp", policy.subdomain_policy.as_ref())?;
    optional_word(xml, "np", policy.nonexistent_policy.as_ref())?;
    optional_word(xml, "adkim", policy.dkim_mode.as_ref())?;
    optional_word(xml, "aspf", policy.spf_mode.as_ref())?;
    xml.optional_leaf("fo", policy.failure_options.as_deref())?;
    let testing = policy.testing.map(|testing| if testing { "y" } else { "n" });
    xml.optional_leaf("testing", testing)
}

/// Where RFC 7489 wants an element that RFC 9990 does not, the default of the tag stands in it.
fn older_policy_fields<W: Write>(xml: &mut Xml<W>, policy: &PolicyPublished) -> io::Result<()> {
    optional_word(xml, "adkim", policy.dkim_mode.as_ref())?;
    optional_word(xml, "aspf", policy.spf_mode.as_ref())?;
    word(xml, "p", &policy.policy)?;
    word(
        xml,
        "sp",
        policy.subdomain_policy.as_ref().unwrap_or(&policy.policy),
    )?;
    xml.number("pct", 100)?;
    xml.leaf("fo", policy.failure_options.as_deref().unwrap_or("0"))
}

/// An element that has to say something.
fn required<W: Write>(xml: &mut Xml<W>, element: &'static str, text: &str) -> io::Result<()> {
    if super::text::tidy(text, MAX_TEXT_OCTETS).is_empty() {
        return Err(Unwritable::Empty(element).into());
    }
    xml.leaf(element, text)
}

/// An element with a word of a list.
fn word<W: Write, T: Registered>(
    xml: &mut Xml<W>,
    element: &'static str,
    word: &SchemaWord<T>,
) -> io::Result<()> {
    match word {
        SchemaWord::Known(known) => xml.leaf(element, known.word()),
        SchemaWord::Other(text) if text.is_empty() => Err(Unwritable::Empty(element).into()),
        SchemaWord::Other(text) => Err(Unwritable::Unregistered {
            element,
            word: super::text::tidy(text, MAX_TEXT_OCTETS).into_owned(),
        }
        .into()),
    }
}

fn optional_word<W: Write, T: Registered>(
    xml: &mut Xml<W>,
    element: &'static str,
    value: Option<&SchemaWord<T>>,
) -> io::Result<()> {
    value.map_or(Ok(()), |value| word(xml, element, value))
}

#[cfg(test)]
mod tests;
