//! History files written as OpenDMARC 1.4 writes them.

use std::fmt::{self, Write};

use crate::counted::Counted;
use crate::opendmarc::codes::{action, alignment, policy, result, tag};
use crate::opendmarc::message::{Message, RecordedSignature, Seal};

/// One record, in the order of lines of 1.4. Its importer reads it; so does [`History`](super::History).
///
/// Blanks and line ends within a value would make other lines of it: they are left out, so that nobody's
/// domain writes a record of its own.
#[must_use]
pub fn write(message: &Message) -> String {
    let mut text = String::new();
    // Writing to a text does not fail.
    let _ = lines(&mut text, message);
    text
}

/// The queue id of a message that was exported: no mail server gives one of this form.
#[must_use]
pub fn exported_job(day: u32, row: &str, number: u64) -> String {
    format!("{EXPORTED}{day}.{row}.{number}")
}

/// What queue ids of exported messages begin with.
const EXPORTED: &str = "lm";

/// Whether [`exported_job`] makes such queue ids: `lm20605.e6af0e283e6cb578.2`.
fn is_exported_job(job: &str) -> bool {
    let Some(rest) = job.strip_prefix(EXPORTED) else {
        return false;
    };
    let parts: Vec<_> = rest.splitn(4, '.').collect();
    let all = |text: &str, is_one: fn(&u8) -> bool| !text.is_empty() && text.as_bytes().iter().all(is_one);
    match *parts.as_slice() {
        [day, row, number] => {
            let are_numbers = [day, number].iter().all(|text| all(text, u8::is_ascii_digit));
            are_numbers && all(row, u8::is_ascii_hexdigit)
        }
        _ => false,
    }
}

fn lines(out: &mut String, message: &Message) -> fmt::Result {
    writeln!(out, "job {}", word(&message.job))?;
    writeln!(out, "reporter {}", word(&message.reporter))?;
    writeln!(out, "received {}", message.received_s)?;
    writeln!(out, "ipaddr {}", message.client)?;
    writeln!(out, "from {}", word(&message.author_domain))?;
    writeln!(out, "mfrom {}", word(&message.mail_from))?;
    for signature in &message.dkim {
        signature_line(out, signature)?;
    }
    // Without the line its importer has nothing for a column that cannot be empty.
    writeln!(out, "spf {}", message.spf.unwrap_or(result::UNDEFINED))?;
    writeln!(out, "pdomain {}", word(&message.policy_domain))?;
    writeln!(out, "policy {}", message.policy)?;
    match message.rua.as_slice() {
        [] => writeln!(out, "rua -")?,
        uris => uris
            .iter()
            .try_for_each(|uri| writeln!(out, "rua {}", word(uri)))?,
    }
    writeln!(out, "pct {}", message.pct)?;
    writeln!(out, "adkim {}\naspf {}", message.adkim, message.aspf)?;
    writeln!(out, "p {}\nsp {}", message.p, message.sp)?;
    writeln!(
        out,
        "align_dkim {}\nalign_spf {}",
        message.align_dkim, message.align_spf
    )?;
    arc_lines(out, message)?;
    writeln!(out, "action {}", message.action)
}

fn signature_line(out: &mut String, signature: &RecordedSignature) -> fmt::Result {
    let selector = signature
        .selector
        .as_deref()
        .map(word)
        .filter(|word| !word.is_empty());
    let selector = selector.unwrap_or_else(|| "-".to_owned());
    writeln!(
        out,
        "dkim {} {selector} {}",
        word(&signature.domain),
        signature.result
    )
}

/// `arc 7` and `arc_policy 2` are what stands there of a message without a chain.
fn arc_lines(out: &mut String, message: &Message) -> fmt::Result {
    let Some(seals) = &message.arc else {
        return writeln!(out, "arc 7\narc_policy 2 json:[]");
    };
    let object = |seal: &Seal| {
        serde_json::json!({
            "i": seal.instance, "d": seal.domain, "s": seal.selector, "ip": seal.client,
        })
    };
    let chain: serde_json::Value = seals.iter().map(object).collect();
    writeln!(out, "arc 0\narc_policy 0 json:{chain}")
}

fn word(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_whitespace() && !c.is_control())
        .collect()
}

impl Message {
    /// Whether a host of one of these names has exported it, in any case: there it is counted already.
    #[must_use]
    pub fn is_exported_by(&self, names: &[String]) -> bool {
        let is_of_host = names.iter().any(|name| name.eq_ignore_ascii_case(&self.reporter));
        is_of_host && is_exported_job(&self.job)
    }

    /// A message that counted as this, made up where nothing is known: it has this queue id, and is of
    /// this host. Its time is that of what is counted.
    #[must_use]
    pub fn of_counted(counted: &Counted, job: &str, reporter: &str) -> Self {
        let passes = counted.row.dkim_aligned || counted.row.spf_aligned;
        let published = &counted.row.published;
        let is_of_domain = counted.row.header_from == counted.row.policy_domain;
        let asked = if is_of_domain { &published.p } else { &published.sp };
        let alignment = |is_aligned| {
            if is_aligned {
                alignment::PASS
            } else {
                alignment::FAIL
            }
        };
        let signature = |(domain, selector, result): &(String, String, String)| RecordedSignature {
            domain: domain.clone(),
            selector: Some(selector.clone()).filter(|selector| !selector.is_empty()),
            result: result::code(result),
        };
        Self {
            job: job.to_owned(),
            reporter: reporter.to_owned(),
            received_s: counted.at_s,
            client: counted.row.source_ip,
            author_domain: counted.row.header_from.clone(),
            mail_from: counted.row.envelope_from.clone().unwrap_or_default(),
            spf: counted
                .row
                .spf
                .as_ref()
                .map(|(_, _, result)| result::code(result)),
            spf_scope: None,
            dkim: counted.row.dkim.iter().map(signature).collect(),
            policy_domain: counted.row.policy_domain.clone(),
            policy: match asked.as_str() {
                _ if passes => policy::PASS,
                "reject" => policy::REJECT,
                "quarantine" => policy::QUARANTINE,
                _ => policy::NONE,
            },
            rua: published.rua.clone(),
            pct: 100,
            adkim: tag::code(&published.adkim),
            aspf: tag::code(&published.aspf),
            p: tag::code(&published.p),
            sp: tag::code(&published.sp),
            fo: 0,
            align_dkim: alignment(counted.row.dkim_aligned),
            align_spf: alignment(counted.row.spf_aligned),
            arc: None,
            action: match counted.row.disposition.as_str() {
                "reject" => action::REJECT,
                "quarantine" => action::QUARANTINE,
                _ => action::ACCEPT,
            },
        }
    }
}
