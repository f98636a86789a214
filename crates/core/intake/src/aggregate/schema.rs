//! Which element stands where: the schema of RFC 9990 Appendix A with what RFC 7489 had besides.

/// An element that holds others.
#[derive(Debug)]
pub(super) struct ElementKind {
    /// Its place below `feedback`.
    pub(super) place: &'static str,
    /// Whether the order of its children counts.
    pub(super) is_ordered: bool,
    /// What may stand in it.
    pub(super) children: &'static [Child],
}

/// What may stand in an element.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) name: &'static str,
    /// Its place below `feedback`.
    pub(super) place: &'static str,
    /// What is in it; none for a text.
    pub(super) kind: Option<&'static ElementKind>,
    /// Whether there may be several.
    pub(super) repeats: bool,
}

/// How well a name of a document fits a name of the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    Exact,
    Alike,
}

impl ElementKind {
    /// The child of that name, with its number.
    pub(super) fn child(&self, name: &str) -> Option<(usize, &'static Child, Fit)> {
        let exact = self.children.iter().position(|child| child.name == name);
        let alike = || {
            let name = match name.eq_ignore_ascii_case("identities") {
                true => "identifiers",
                false => name,
            };
            let mut children = self.children.iter();
            children.position(|child| child.name.eq_ignore_ascii_case(name))
        };
        let fit = if exact.is_some() { Fit::Exact } else { Fit::Alike };
        let number = exact.or_else(alike)?;
        self.children.get(number).map(|child| (number, child, fit))
    }
}

/// Declares an element that holds others: where it stands, whether the order of its children counts, and each child
/// with what is in it, if that is more than text.
macro_rules! element {
    ($element:ident, $place:literal, $order:ident: $($name:literal $([$kind:ident])? $($many:ident)?),+) => {
        static $element: ElementKind = ElementKind {
            place: $place,
            is_ordered: element!(@is $order),
            children: &[$(Child {
                name: $name,
                place: concat!($place, "/", $name),
                kind: element!(@kind $($kind)?),
                repeats: element!(@is $($many)?),
            }),+],
        };
    };
    (@is) => { false };
    (@is unordered) => { false };
    (@is ordered) => { true };
    (@is many) => { true };
    (@kind) => { None };
    (@kind $kind:ident) => { Some(&$kind) };
}

/// The root. Its children are read one at a time.
pub(super) static FEEDBACK: ElementKind = ElementKind {
    place: "",
    is_ordered: true,
    children: &[
        of_root("version", None, false),
        of_root("report_metadata", Some(&REPORT_METADATA), false),
        of_root("policy_published", Some(&POLICY_PUBLISHED), false),
        of_root("record", Some(&RECORD), true),
    ],
};

const fn of_root(name: &'static str, kind: Option<&'static ElementKind>, repeats: bool) -> Child {
    Child {
        name,
        place: name,
        kind,
        repeats,
    }
}

element!(REPORT_METADATA, "report_metadata", unordered:
    "org_name", "email", "extra_contact_info", "report_id", "date_range" [DATE_RANGE], "error" many, "generator");

element!(DATE_RANGE, "report_metadata/date_range", unordered: "begin", "end");

element!(POLICY_PUBLISHED, "policy_published", unordered:
    "domain", "discovery_method", "p", "sp", "np", "adkim", "aspf", "fo", "testing", "pct");

element!(RECORD, "record", ordered: "row" [ROW], "identifiers" [IDENTIFIERS], "auth_results" [AUTH_RESULTS]);

element!(ROW, "record/row", unordered: "source_ip", "count", "policy_evaluated" [POLICY_EVALUATED]);

element!(POLICY_EVALUATED, "record/row/policy_evaluated", ordered:
    "disposition", "dkim", "spf", "reason" [REASON] many);

element!(REASON, "record/row/policy_evaluated/reason", unordered: "type", "comment");

element!(IDENTIFIERS, "record/identifiers", unordered: "header_from", "envelope_from", "envelope_to");

element!(AUTH_RESULTS, "record/auth_results", ordered: "dkim" [DKIM] many, "spf" [SPF] many);

element!(DKIM, "record/auth_results/dkim", unordered: "domain", "selector", "result", "human_result");

element!(SPF, "record/auth_results/spf", unordered: "domain", "scope", "result", "human_result");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_ends_in_its_name() {
        let mut kinds = vec![&FEEDBACK];
        let mut seen = 0;
        while let Some(kind) = kinds.pop() {
            for child in kind.children {
                let expected = match kind.place {
                    "" => child.name.to_owned(),
                    place => format!("{place}/{}", child.name),
                };
                assert_eq!(child.place, expected);
                seen += 1;
                kinds.extend(child.kind);
            }
        }
        assert_eq!(seen, 48);
    }

    #[test]
    fn names_are_matched_exactly_first() {
        let fit = |name: &str| FEEDBACK.child(name).map(|(_, child, fit)| (child.name, fit));
        assert_eq!(fit("record"), Some(("record", Fit::Exact)));
        assert_eq!(fit("Record"), Some(("record", Fit::Alike)));
        assert_eq!(fit("extension"), None);
        let identities = RECORD
            .child("identities")
            .map(|(_, child, fit)| (child.name, fit));
        assert_eq!(identities, Some(("identifiers", Fit::Alike)));
    }
}
