//! The DMARC Policy Record: what stands in the TXT record at `_dmarc.` (RFC 9989 §4.7,
//! §4.8), parsed and printed. Tag names stay in here.

mod problem;
mod tags;
mod uri;
mod values;

use std::fmt;

pub use problem::RecordProblem;
pub use uri::{MAX_LOCAL_PART_OCTETS, ReportAddress, ReportUri};
pub use values::{AssessmentPolicy, FailureOptions, Mode, PolicyTag, Psd};

use landmarc_mail::text::visible_octets;
use problem::Problems;
use tags::Tag;

/// The longest record that is read, in octets: far above anything seen.
pub const MAX_RECORD_OCTETS: usize = 4096;
/// The most tags that are read; the registry knows fourteen.
pub const MAX_TAGS: usize = 64;
/// The most report URIs that are kept of one list. RFC 9990 §3.5 lets the receiver limit them.
pub const MAX_URIS: usize = 10;

/// One DMARC Policy Record, as published. What it comes to when it is applied is
/// [`PolicyRecord::usability`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyRecord {
    /// The text as published, at most [`MAX_RECORD_OCTETS`] octets of it; whatever is
    /// not printable ASCII, and the backslash, is escaped.
    pub raw: String,
    /// What is asked for the name itself, when that is there and valid.
    pub policy: Option<AssessmentPolicy>,
    /// What is asked for names below, when that is there and valid.
    pub subdomain_policy: Option<AssessmentPolicy>,
    /// What is asked for names below that do not exist, when that is there and valid.
    pub nonexistent_policy: Option<AssessmentPolicy>,
    /// Policy tags that are there and not valid: any of them disarms the record (§4.10.1).
    pub invalid_policies: Vec<PolicyTag>,
    /// Alignment of DKIM.
    pub dkim_mode: Mode,
    /// Alignment of SPF.
    pub spf_mode: Mode,
    /// Test mode: one level less is to be applied.
    pub testing: bool,
    /// Whether test mode is spoken of at all; else it may be read out of [`PolicyRecord::percent`].
    pub testing_declared: bool,
    /// Whether the name is a public suffix.
    pub psd: Psd,
    /// Where aggregate reports go; without any, none may be sent.
    pub aggregate_uris: Vec<ReportUri>,
    /// Where failure reports go; without any, none may be sent.
    pub failure_uris: Vec<ReportUri>,
    /// When failure reports are wanted; the default where there is no place to send them (§4.7).
    pub failure_options: FailureOptions,
    /// The sampling rate of RFC 7489 in percent. Historic: RFC 9989 has it ignored.
    pub percent: Option<u8>,
    /// What is wrong with the text, in the order of reading.
    pub problems: Vec<RecordProblem>,
}

/// What a retrieved record comes to when it is applied to a message (RFC 9989 §4.10.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Usability {
    /// As it is written.
    AsPublished,
    /// As if `p=none` had been retrieved: a policy is missing or not valid, but there
    /// is a place to report to.
    AsNone,
    /// Not at all: no DMARC processing for this message.
    Unusable,
}

impl PolicyRecord {
    /// Reads the text of one TXT record, character-strings joined without a blank (§4.5).
    ///
    /// `None` when it is no DMARC record: its first tag is not `v` with the value
    /// `DMARC1`. Nothing after that makes it none; a tag that cannot be read takes its
    /// default and is noted. A record over [`MAX_RECORD_OCTETS`] or [`MAX_TAGS`] is
    /// there, but stays unread, and so cannot be applied.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        if !tags::starts_with_version(text) {
            return None;
        }
        let mut record = Self::without_tags(text);
        let mut problems = Problems::default();
        match tags::read(text, &mut problems) {
            Ok(tags) => record.fill(&tags, &mut problems),
            Err(limit) => problems.add(limit),
        }
        record.problems = problems.into_vec();
        Some(record)
    }

    /// What it comes to when applied. Holds for the whole record, even where the
    /// defective tag has no bearing on the message (§4.10.1).
    #[must_use]
    pub fn usability(&self) -> Usability {
        // §4.10.1: without a valid p, or with an sp or np that is not valid, it hangs on
        // rua: at least one URI, and the record counts as p=none; none, and there is no
        // DMARC for this message. Against it, §4.7 reads a missing p as none; the more
        // specific section was taken.
        if self.policy.is_some() && self.invalid_policies.is_empty() {
            Usability::AsPublished
        } else if self.aggregate_uris.is_empty() {
            Usability::Unusable
        } else {
            Usability::AsNone
        }
    }

    /// Whether it asks for another policy of names below that exist than of those that do not.
    #[must_use]
    pub fn depends_on_existence(&self) -> bool {
        let existing = self.subdomain_policy.or(self.policy);
        self.usability() == Usability::AsPublished && self.nonexistent_policy.or(existing) != existing
    }

    fn without_tags(text: &[u8]) -> Self {
        Self {
            raw: visible_octets(text, MAX_RECORD_OCTETS),
            policy: None,
            subdomain_policy: None,
            nonexistent_policy: None,
            invalid_policies: Vec::new(),
            dkim_mode: Mode::Relaxed,
            spf_mode: Mode::Relaxed,
            testing: false,
            testing_declared: false,
            psd: Psd::Undeclared,
            aggregate_uris: Vec::new(),
            failure_uris: Vec::new(),
            failure_options: FailureOptions::default(),
            percent: None,
            problems: Vec::new(),
        }
    }

    fn fill(&mut self, tags: &[Tag], problems: &mut Problems) {
        for tag in tags {
            self.set(tag, problems);
        }
        // RFC 9989 §4.7: the content of fo must be ignored when there is no ruf. The two
        // may stand in any order, so this is known only now.
        if self.failure_uris.is_empty() {
            self.failure_options = FailureOptions::default();
        }
    }

    fn set(&mut self, tag: &Tag, problems: &mut Problems) {
        let is_valid = match tag.name.as_str() {
            "p" => self.set_policy(PolicyTag::P, tag),
            "sp" => self.set_policy(PolicyTag::Sp, tag),
            "np" => self.set_policy(PolicyTag::Np, tag),
            "adkim" => assign(&mut self.dkim_mode, tag.read(Mode::parse)),
            "aspf" => assign(&mut self.spf_mode, tag.read(Mode::parse)),
            "psd" => assign(&mut self.psd, tag.read(Psd::parse)),
            "fo" => assign(&mut self.failure_options, tag.read(FailureOptions::parse)),
            "t" => {
                self.testing_declared = assign(&mut self.testing, tag.read(yes_or_no));
                self.testing_declared
            }
            "rua" => {
                self.aggregate_uris = uris(tag, problems);
                tag.value.is_some()
            }
            "ruf" => {
                self.failure_uris = uris(tag, problems);
                tag.value.is_some()
            }
            "pct" => {
                self.percent = tag.read(percent);
                self.percent.is_some()
            }
            // §4.7: unknown tags must be ignored. Among them rf and ri, which are historic.
            _ => true,
        };
        if !is_valid {
            problems.add(tag.invalid_value());
        }
    }

    fn set_policy(&mut self, which: PolicyTag, tag: &Tag) -> bool {
        let place = match which {
            PolicyTag::P => &mut self.policy,
            PolicyTag::Sp => &mut self.subdomain_policy,
            PolicyTag::Np => &mut self.nonexistent_policy,
        };
        *place = tag.read(AssessmentPolicy::parse);
        let is_valid = place.is_some();
        if !is_valid {
            self.invalid_policies.push(which);
            self.invalid_policies.sort_unstable();
        }
        is_valid
    }

    fn policy_of(&self, which: PolicyTag) -> Option<AssessmentPolicy> {
        match which {
            PolicyTag::P => self.policy,
            PolicyTag::Sp => self.subdomain_policy,
            PolicyTag::Np => self.nonexistent_policy,
        }
    }
}

impl fmt::Display for PolicyRecord {
    /// The record in the order of the RFC's examples, defaults left out. Read again it
    /// is the same record, but for `raw` and `problems`; to that end a policy that was
    /// not valid stands there without a value, which is not valid either. The print is
    /// at most a few blanks longer than what was read.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("v=DMARC1")?;
        for which in [PolicyTag::P, PolicyTag::Sp, PolicyTag::Np] {
            if let Some(policy) = self.policy_of(which) {
                write!(f, "; {which}={policy}")?;
            } else if self.invalid_policies.contains(&which) {
                write!(f, "; {which}=")?;
            }
        }
        for (name, mode) in [("adkim", self.dkim_mode), ("aspf", self.spf_mode)] {
            if mode != Mode::Relaxed {
                write!(f, "; {name}={mode}")?;
            }
        }
        if self.testing_declared {
            write!(f, "; t={}", if self.testing { "y" } else { "n" })?;
        }
        if self.psd != Psd::Undeclared {
            write!(f, "; psd={}", self.psd)?;
        }
        for (name, uris) in [("rua", &self.aggregate_uris), ("ruf", &self.failure_uris)] {
            for (index, uri) in uris.iter().enumerate() {
                let lead = if index == 0 {
                    format!("; {name}=")
                } else {
                    ",".to_owned()
                };
                write!(f, "{lead}{uri}")?;
            }
        }
        if self.failure_options != FailureOptions::default() {
            write!(f, "; fo={}", self.failure_options)?;
        }
        if let Some(percent) = self.percent {
            write!(f, "; pct={percent}")?;
        }
        Ok(())
    }
}

/// A bad value leaves the default in place (§4.8).
fn assign<T>(place: &mut T, value: Option<T>) -> bool {
    let is_valid = value.is_some();
    if let Some(value) = value {
        *place = value;
    }
    is_valid
}

fn yes_or_no(value: &str) -> Option<bool> {
    match value {
        "y" | "Y" => Some(true),
        "n" | "N" => Some(false),
        _ => None,
    }
}

fn percent(value: &str) -> Option<u8> {
    let is_number = (1..=3).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_digit());
    value.parse().ok().filter(|&percent| is_number && percent <= 100)
}

/// The URIs of a list that can be used, the others noted (§4.6).
fn uris(tag: &Tag, problems: &mut Problems) -> Vec<ReportUri> {
    let mut uris = Vec::new();
    for item in tag.value.iter().flat_map(|value| value.split(',')) {
        let item = item.trim_matches([' ', '\t']);
        match ReportUri::parse(item) {
            Some(_) if uris.len() >= MAX_URIS => {
                problems.add(RecordProblem::TooManyUris {
                    tag: tag.name.clone(),
                });
                break;
            }
            Some(uri) => uris.push(uri),
            None => problems.add(RecordProblem::Uri {
                tag: tag.name.clone(),
                item: visible_octets(item.as_bytes(), problem::MAX_QUOTE_OCTETS),
            }),
        }
    }
    uris
}

#[cfg(test)]
mod tests {
    use landmarc_mail::text::CUT;

    use super::*;

    fn record(text: &str) -> PolicyRecord {
        PolicyRecord::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn prints_in_one_order_without_defaults() {
        let text = "v=DMARC1;rua=mailto:a@example.com , mailto:b@example.com!10m; psd=N;adkim=r;\
                    aspf=s; t=n;pct=050;sp=NONE;p=reject;ruf=mailto:f@example.com;fo=s:1; x=y";
        assert_eq!(
            record(text).to_string(),
            "v=DMARC1; p=reject; sp=none; aspf=s; t=n; psd=n; \
             rua=mailto:a@example.com,mailto:b@example.com!10m; ruf=mailto:f@example.com; fo=1:s; pct=50"
        );
    }

    #[test]
    fn a_policy_that_is_not_valid_stays_so_in_print() {
        let broken = record("v=DMARC1; p=reject; sp=bogus; rua=mailto:d@example.com");
        let print = broken.to_string();
        assert_eq!(print, "v=DMARC1; p=reject; sp=; rua=mailto:d@example.com");
        assert_eq!(record(&print).usability(), Usability::AsNone);
    }

    #[test]
    fn a_record_is_read_up_to_4096_octets() {
        let pad = |octets: usize| {
            let head = "v=DMARC1; p=reject; x=";
            record(&format!("{head}{}", "a".repeat(octets - head.len())))
        };
        assert_eq!(pad(MAX_RECORD_OCTETS).usability(), Usability::AsPublished);
        let long = pad(MAX_RECORD_OCTETS + 1);
        assert_eq!(long.usability(), Usability::Unusable);
        assert_eq!(long.raw.len(), MAX_RECORD_OCTETS + CUT.len());
        assert_eq!(
            long.problems,
            [RecordProblem::TooLong {
                octets: MAX_RECORD_OCTETS + 1
            }]
        );
    }

    #[test]
    fn a_record_is_read_up_to_64_tags() {
        let tags = |count: usize| {
            let letter = |i: usize| char::from_digit(10 + u32::try_from(i).unwrap(), 36).unwrap();
            let others = (2..count).map(|i| format!("; x{}{}=1", letter(i / 26), letter(i % 26)));
            record(&format!("v=DMARC1; p=reject{}", others.collect::<String>()))
        };
        assert_eq!(tags(MAX_TAGS).usability(), Usability::AsPublished);
        assert_eq!(tags(MAX_TAGS + 1).usability(), Usability::Unusable);
        assert_eq!(tags(MAX_TAGS + 1).problems, [RecordProblem::TooManyTags]);
    }

    #[test]
    fn ten_uris_are_kept_of_one_list() {
        let list = |count: usize| {
            let items: Vec<_> = (0..count).map(|i| format!("mailto:r{i}@example.com")).collect();
            record(&format!("v=DMARC1; p=none; rua={}", items.join(",")))
        };
        assert_eq!(list(MAX_URIS).aggregate_uris.len(), MAX_URIS);
        assert!(list(MAX_URIS).problems.is_empty());
        assert_eq!(list(MAX_URIS + 1).aggregate_uris.len(), MAX_URIS);
        assert_eq!(
            list(MAX_URIS + 1).problems,
            [RecordProblem::TooManyUris { tag: "rua".into() }]
        );
    }

    #[test]
    fn octets_outside_ascii_spoil_their_tag_only() {
        let spoiled =
            PolicyRecord::parse(b"v=DMARC1; p=reject; adkim=s\xff; aspf=s; rua=mailto:\x01@example.com")
                .unwrap();
        assert_eq!(
            (spoiled.policy, spoiled.dkim_mode),
            (Some(AssessmentPolicy::Reject), Mode::Relaxed)
        );
        assert_eq!(spoiled.spf_mode, Mode::Strict);
        assert!(spoiled.aggregate_uris.is_empty());
        assert_eq!(spoiled.problems.len(), 2);
        assert!(spoiled.raw.contains("adkim=s\\xff;"));
    }

    #[test]
    fn percent_is_a_number_up_to_100() {
        let percent = |value: &str| record(&format!("v=DMARC1; p=none; pct={value}")).percent;
        assert_eq!((percent("0"), percent("100")), (Some(0), Some(100)));
        for wrong in ["101", "-1", "+1", "", "0000", "x"] {
            assert_eq!(percent(wrong), None, "{wrong:?}");
        }
    }
}
