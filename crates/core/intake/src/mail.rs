//! From the octets of a mail to the reports in it.

use std::borrow::Cow;

use super::file_name::{FileName, read_file_name};
use super::mime::{Entity, parts};
use super::subject::{Subject, read_subject};
use crate::archive::{self, ArchiveFormat};

/// How far into a text its root element is looked for: some write a schema before it.
const SEARCHED_OCTETS: usize = 64 * 1024;

/// What a stranger may make us look through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MailLimits {
    /// The mail, in octets.
    pub octets: usize,
    /// Parts, at any depth.
    pub parts: usize,
    /// How deep multiparts and messages may lie in each other.
    pub depth: usize,
    /// How deep messages may lie in each other: a report that was forwarded, or journaled.
    pub messages: usize,
}

impl Default for MailLimits {
    /// 48 MiB, which is a packed report of 32 MiB in base64; 200 parts; 16 deep; 3 messages deep.
    fn default() -> Self {
        Self {
            octets: 48 * 1024 * 1024,
            parts: 200,
            depth: 16,
            messages: 3,
        }
    }
}

/// What a mail carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedMail<'a> {
    /// What its Subject says of a report.
    pub subject: Option<Subject>,
    /// The reports, in their order. Whether they can be read is not known yet.
    pub carried: Vec<Carried<'a>>,
    /// What was passed over.
    pub remarks: Vec<MailRemark>,
}

/// A report in a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carried<'a> {
    /// What it is, by its octets or its structure, whatever it is said to be.
    pub kind: CarriedKind,
    /// Of an aggregate report the file, without transfer encoding; of a failure report
    /// the whole message that is one.
    pub octets: Cow<'a, [u8]>,
    /// The media type it is said to be, in lower case. RFC 9990 §3.5.1 wants it to be right.
    pub media_type: String,
    /// What its file name says; none without a name.
    pub file_name: Option<FileName>,
    /// The numbers of the parts on the way to it, from 1: `2`, or `1.2`. Empty when the mail is
    /// the report itself.
    pub place: String,
    /// What the Subject of the message around it says.
    pub subject: Option<Subject>,
}

/// What a report in a mail is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CarriedKind {
    /// An aggregate report, in a file of this form.
    Aggregate(ArchiveFormat),
    /// A failure report: `multipart/report` about feedback (RFC 5965).
    Failure,
}

/// What in a mail was passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailRemark {
    /// An attachment that is neither an archive nor XML with a report in it: its place and its
    /// media type.
    NoReport(String, String),
    /// A message deeper than [`MailLimits::messages`], at this place.
    MessageTooDeep(String),
}

/// Why a mail is not looked through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MailError {
    /// More octets than [`MailLimits::octets`].
    #[error("the mail has {octets} octets, the limit is {limit}")]
    Octets {
        /// How many.
        octets: usize,
        /// How many may be.
        limit: usize,
    },
    /// More parts than [`MailLimits::parts`].
    #[error("the mail has more than {limit} parts")]
    Parts {
        /// How many may be.
        limit: usize,
    },
    /// Deeper than [`MailLimits::depth`].
    #[error("the parts of the mail lie in each other more than {limit} deep")]
    Depth {
        /// How deep they may.
        limit: usize,
    },
}

/// Finds the reports in a mail: every part is looked at, whatever it is said to be, and those of
/// messages attached to it too.
///
/// # Errors
/// [`MailError`] when the mail is past a limit. One without reports is no error.
pub fn open_mail<'a>(mail: &'a [u8], limits: &MailLimits) -> Result<ReceivedMail<'a>, MailError> {
    if mail.len() > limits.octets {
        return Err(MailError::Octets {
            octets: mail.len(),
            limit: limits.octets,
        });
    }
    let mut walk = Walk {
        limits,
        parts: 0,
        remarks: Vec::new(),
    };
    let subject = Entity::read(mail).subject().as_deref().and_then(read_subject);
    let mut carried = Vec::new();
    let at = At {
        place: String::new(),
        depth: 1,
        messages: 0,
        subject: None,
        message: mail,
        is_digest: false,
    };
    walk.message(mail, at, &mut carried)?;
    Ok(ReceivedMail {
        subject,
        carried,
        remarks: walk.remarks,
    })
}

struct Walk<'l> {
    limits: &'l MailLimits,
    parts: usize,
    remarks: Vec<MailRemark>,
}

/// Where in a mail the walk is.
struct At<'a> {
    place: String,
    depth: usize,
    /// How many messages this one lies in.
    messages: usize,
    subject: Option<Subject>,
    /// The message this is a part of.
    message: &'a [u8],
    /// Whether a part without media type is a message (RFC 2046 §5.1.5).
    is_digest: bool,
}

impl Walk<'_> {
    fn message<'a>(
        &mut self,
        octets: &'a [u8],
        at: At<'a>,
        carried: &mut Vec<Carried<'a>>,
    ) -> Result<(), MailError> {
        let entity = Entity::read(octets);
        let subject = entity.subject().as_deref().and_then(read_subject);
        let at = At { subject, ..at };
        self.entity(entity, at, carried)
    }

    fn entity<'a>(
        &mut self,
        entity: Entity<'a>,
        at: At<'a>,
        carried: &mut Vec<Carried<'a>>,
    ) -> Result<(), MailError> {
        self.parts += 1;
        if self.parts > self.limits.parts {
            return Err(MailError::Parts {
                limit: self.limits.parts,
            });
        }
        if at.depth > self.limits.depth {
            return Err(MailError::Depth {
                limit: self.limits.depth,
            });
        }
        let media_type = match at.is_digest && !entity.has_media_type() {
            true => "message/rfc822".to_owned(),
            false => entity.media_type(),
        };
        let boundary = entity.parameter("boundary").map(str::to_owned);
        match (&*media_type, boundary) {
            (multipart, Some(boundary)) if multipart.starts_with("multipart/") => {
                self.multipart(&entity, &media_type, &boundary, at, carried)
            }
            ("message/rfc822" | "message/global", _) => self.nested(entity, at, carried),
            _ => {
                self.leaf(entity, media_type, at, carried);
                Ok(())
            }
        }
    }

    fn multipart<'a>(
        &mut self,
        entity: &Entity<'a>,
        media_type: &str,
        boundary: &str,
        at: At<'a>,
        carried: &mut Vec<Carried<'a>>,
    ) -> Result<(), MailError> {
        let is_feedback = media_type == "multipart/report"
            && entity
                .parameter("report-type")
                .is_some_and(|kind| kind.eq_ignore_ascii_case("feedback-report"));
        // What stands in a failure report is the mail it is about, and none of its parts a report to us.
        if is_feedback || has_feedback(entity.body(), boundary, self.limits.parts) {
            carried.push(Carried {
                kind: CarriedKind::Failure,
                octets: Cow::Borrowed(at.message),
                media_type: media_type.to_owned(),
                file_name: None,
                place: at.place,
                subject: at.subject,
            });
            return Ok(());
        }
        let is_digest = media_type == "multipart/digest";
        let mut found = Vec::new();
        for (number, part) in (1_usize..).zip(parts(entity.body(), boundary)) {
            let dot = if at.place.is_empty() { "" } else { "." };
            let at = At {
                place: format!("{}{dot}{number}", at.place),
                depth: at.depth + 1,
                messages: at.messages,
                subject: at.subject.clone(),
                message: at.message,
                is_digest,
            };
            self.entity(Entity::read(part), at, &mut found)?;
        }
        for found in found {
            carried.push(found.into_owned());
        }
        Ok(())
    }

    /// A message in the message.
    fn nested<'a>(
        &mut self,
        entity: Entity<'a>,
        at: At<'a>,
        carried: &mut Vec<Carried<'a>>,
    ) -> Result<(), MailError> {
        if at.messages >= self.limits.messages {
            self.remarks.push(MailRemark::MessageTooDeep(at.place));
            return Ok(());
        }
        let message = entity.into_decoded();
        let mut found = Vec::new();
        let at = At {
            place: at.place,
            depth: at.depth + 1,
            messages: at.messages + 1,
            subject: None,
            message: &message,
            is_digest: false,
        };
        self.message(&message, at, &mut found)?;
        for found in found {
            carried.push(found.into_owned());
        }
        Ok(())
    }

    fn leaf<'a>(
        &mut self,
        entity: Entity<'a>,
        media_type: String,
        at: At<'a>,
        carried: &mut Vec<Carried<'a>>,
    ) {
        let name = entity.file_name();
        let octets = entity.into_decoded();
        let form = archive::sniff(&octets)
            .filter(|form| *form != ArchiveFormat::Xml || has_feedback_element(&octets));
        match form {
            Some(form) => carried.push(Carried {
                kind: CarriedKind::Aggregate(form),
                octets,
                media_type,
                file_name: name.as_deref().map(read_file_name),
                place: at.place,
                subject: at.subject,
            }),
            // The words around a report are not worth a remark.
            None if name.is_none() && media_type.starts_with("text/") => {}
            None => self.remarks.push(MailRemark::NoReport(at.place, media_type)),
        }
    }
}

impl Carried<'_> {
    fn into_owned(self) -> Carried<'static> {
        Carried {
            octets: Cow::Owned(self.octets.into_owned()),
            kind: self.kind,
            media_type: self.media_type,
            file_name: self.file_name,
            place: self.place,
            subject: self.subject,
        }
    }
}

/// Whether one of the parts is a feedback report (RFC 5965 §2).
fn has_feedback(body: &[u8], boundary: &str, limit: usize) -> bool {
    let mut parts = parts(body, boundary).take(limit);
    parts.any(|part| Entity::read(part).media_type() == "message/feedback-report")
}

/// Tells a report from HTML and other XML: by the start of its root element, in any namespace.
fn has_feedback_element(octets: &[u8]) -> bool {
    let start = octets.get(..SEARCHED_OCTETS).unwrap_or(octets);
    // In UTF-16 there is a zero beside each letter.
    let letters: Vec<u8> = start.iter().copied().filter(|octet| *octet != 0).collect();
    let name = b"feedback";
    letters
        .windows(name.len() + 1)
        .any(|window| matches!(window, [b'<' | b':', rest @ ..] if rest.eq_ignore_ascii_case(name)))
}
