//! In what a report differs from what the RFC says.

use crate::archive::{MAX_QUOTE, Remark};
use landmarc_mail::text::excerpt;

/// One thing that a report has other than RFC 9990 says, or RFC 7489 for a report of that form.
///
/// The same thing at the same place is told once and counted, so that the list stays short
/// however long the report is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deviation {
    /// What it is.
    pub kind: DeviationKind,
    /// The element, with those it stands in below `feedback`, as in `record/row/count`. Empty
    /// where it is about the file or the document as a whole.
    pub place: String,
    /// What stands there, where it was met first: escaped and cut.
    pub quote: String,
    /// How often.
    pub times: u64,
    /// The number of the record, from 1, where it was met first; none outside of records.
    pub record: Option<u64>,
}

macro_rules! kinds {
    ($($(#[$about:meta])* $variant:ident => $word:literal,)+) => {
        /// The kinds of [`Deviation`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum DeviationKind {
            /// Of the archive the report came in.
            Archive(Remark),
            $($(#[$about])* $variant,)+
        }

        impl DeviationKind {
            /// A word that stays the same from release to release.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    Self::Archive(remark) => remark.as_str(),
                    $(Self::$variant => $word,)+
                }
            }

            /// All kinds but those of archives.
            #[cfg(test)]
            const ALL: &'static [Self] = &[$(Self::$variant,)+];
        }
    };
}

kinds! {
    // The document.
    /// The declaration names another encoding than the one the text is in.
    Encoding => "encoding",
    /// Octets that are not in the encoding; read as windows-1252.
    BadOctets => "bad_octets",
    /// Characters that XML 1.0 does not allow; left out.
    BadCharacters => "bad_characters",
    /// Blanks or text before the XML declaration.
    BeforeDeclaration => "before_declaration",
    /// Elements or text before `feedback`.
    BeforeFeedback => "before_feedback",
    /// Something after the end of `feedback`.
    AfterFeedback => "after_feedback",
    /// Another namespace than those of the RFCs.
    Namespace => "namespace",
    /// Elements of RFC 9990 without its namespace.
    NoNamespace => "no_namespace",
    /// An element without end; taken to end where the one around it does.
    Unclosed => "unclosed",
    /// The end of an element that was never begun.
    StrayEnd => "stray_end",
    /// Text between elements.
    StrayText => "stray_text",
    /// Elements, or a bare `<`, in a text.
    MarkupInText => "markup_in_text",
    /// A bare `&`, or an entity that XML does not define; kept as written.
    Entity => "entity",
    /// An attribute nobody knows, or one that is no attribute.
    Attribute => "attribute",
    /// The document ends, or cannot be read on, before its end; what follows is lost.
    CutShort => "cut_short",
    // Elements.
    /// An element nobody knows; left out.
    UnknownElement => "unknown_element",
    /// An element under another name, or in another case.
    Name => "name",
    /// An element that may be there once; the first counts.
    Repeated => "repeated",
    /// An element before one that it should follow.
    Order => "order",
    /// A mandatory element that is missing or empty.
    Missing => "missing",
    /// An element of RFC 7489 that RFC 9990 took away.
    Historic => "historic",
    /// An element of RFC 9990 in a report of the older form.
    New => "new",
    /// A text longer than the limit; cut.
    TextCut => "text_cut",
    /// More elements in one part than the limit; the rest is left out.
    ElementsCut => "elements_cut",
    // Values.
    /// A word in other than lower case, or with blanks around it.
    Case => "case",
    /// Another word for a registered one.
    Synonym => "synonym",
    /// A word that is not registered; kept as it is.
    UnknownWord => "unknown_word",
    /// A number in another form, such as `1,234`.
    Number => "number",
    /// What should be a domain name is none; kept as it is.
    DomainName => "domain_name",
    /// An address in another form, such as `::ffff:192.0.2.1`.
    Address => "address",
    /// A Report-ID that is not of the form of RFC 9990; kept as it is.
    ReportId => "report_id",
    /// A version other than 1.0.
    Version => "version",
    // The period.
    /// A time with a fraction; cut off.
    TimeFraction => "time_fraction",
    /// A time in milliseconds.
    TimeMilliseconds => "time_milliseconds",
    /// A time as text.
    TimeText => "time_text",
    /// The end before the begin; swapped.
    PeriodReversed => "period_reversed",
    /// A period without length.
    PeriodEmpty => "period_empty",
    /// More than a day: never to be taken for that of one day.
    PeriodLong => "period_long",
    // Rows.
    /// A record that cannot be counted; left out. The place says for want of what.
    RowLost => "row_lost",
    /// No record at all.
    NoRows => "no_rows",
}

/// The deviations of one report while it is read.
#[derive(Clone, Debug, Default)]
pub(super) struct Notes {
    list: Vec<Deviation>,
    /// The number of the record that is being read.
    pub(super) record: Option<u64>,
}

impl Notes {
    /// Notes one deviation, or counts it again.
    pub(super) fn add(&mut self, kind: DeviationKind, place: &str, found: &str) {
        self.add_times(kind, place, found, 1);
    }

    pub(super) fn add_times(&mut self, kind: DeviationKind, place: &str, found: &str, times: u64) {
        // There are as many kinds as there are, and as many places as the schema has: short.
        let known = self
            .list
            .iter_mut()
            .find(|known| known.kind == kind && known.place == place);
        match known {
            Some(known) => known.times = known.times.saturating_add(times),
            None => self.list.push(Deviation {
                kind,
                place: place.to_owned(),
                quote: excerpt(found, MAX_QUOTE),
                times,
                record: self.record,
            }),
        }
    }

    pub(super) fn has(&self, kind: DeviationKind) -> bool {
        self.list.iter().any(|known| known.kind == kind)
    }

    pub(super) fn into_list(self) -> Vec<Deviation> {
        self.list
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_kind_has_a_word_of_its_own() {
        let words: BTreeSet<_> = DeviationKind::ALL.iter().map(|kind| kind.as_str()).collect();
        assert_eq!(words.len(), DeviationKind::ALL.len());
    }

    #[test]
    fn the_same_at_the_same_place_is_counted() {
        let mut notes = Notes::default();
        for (record, found) in [(1, "None"), (2, "NONE"), (3, "None")] {
            notes.record = Some(record);
            notes.add(
                DeviationKind::Case,
                "record/row/policy_evaluated/disposition",
                found,
            );
        }
        notes.add(DeviationKind::Case, "policy_published/p", "None");
        let list = notes.into_list();
        assert_eq!(list.len(), 2);
        assert_eq!(
            (list[0].times, list[0].record, &*list[0].quote),
            (3, Some(1), "None")
        );
    }
}
