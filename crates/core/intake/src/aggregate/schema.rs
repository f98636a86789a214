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

impl Child {
    const fn text(name: &'static str, place: &'static str) -> Self {
        Self {
            name,
            place,
            kind: None,
            repeats: false,
        }
    }

    const fn of(name: &'static str, kind: &'static ElementKind) -> Self {
        Self {
            name,
            place: kind.place,
            kind: Some(kind),
            repeats: false,
        }
    }

    const fn many(self) -> Self {
        Self {
            repeats: true,
            ..self
        }
    }
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

/// The root. Its children are read one at a time.
pub(super) static FEEDBACK: ElementKind = ElementKind {
    place: "",
    is_ordered: true,
    children: &[
        Child::text("version", "version"),
        Child::of("report_metadata", &REPORT_METADATA),
        Child::of("policy_published", &POLICY_PUBLISHED),
        Child::of("record", &RECORD).many(),
    ],
};

static REPORT_METADATA: ElementKind = ElementKind {
    place: "report_metadata",
    is_ordered: false,
    children: &[
        Child::text("org_name", "report_metadata/org_name"),
        Child::text("email", "report_metadata/email"),
        Child::text("extra_contact_info", "report_metadata/extra_contact_info"),
        Child::text("report_id", "report_metadata/report_id"),
        Child::of("date_range", &DATE_RANGE),
        Child::text("error", "report_metadata/error").many(),
        Child::text("generator", "report_metadata/generator"),
    ],
};

static DATE_RANGE: ElementKind = ElementKind {
    place: "report_metadata/date_range",
    is_ordered: false,
    children: &[
        Child::text("begin", "report_metadata/date_range/begin"),
        Child::text("end", "report_metadata/date_range/end"),
    ],
};

static POLICY_PUBLISHED: ElementKind = ElementKind {
    place: "policy_published",
    is_ordered: false,
    children: &[
        Child::text("domain", "policy_published/domain"),
        Child::text("discovery_method", "policy_published/discovery_method"),
        Child::text("p", "policy_published/p"),
        Child::text("sp", "policy_published/sp"),
        Child::text("np", "policy_published/np"),
        Child::text("adkim", "policy_published/adkim"),
        Child::text("aspf", "policy_published/aspf"),
        Child::text("fo", "policy_published/fo"),
        Child::text("testing", "policy_published/testing"),
        Child::text("pct", "policy_published/pct"),
    ],
};

static RECORD: ElementKind = ElementKind {
    place: "record",
    is_ordered: true,
    children: &[
        Child::of("row", &ROW),
        Child::of("identifiers", &IDENTIFIERS),
        Child::of("auth_results", &AUTH_RESULTS),
    ],
};

static ROW: ElementKind = ElementKind {
    place: "record/row",
    is_ordered: false,
    children: &[
        Child::text("source_ip", "record/row/source_ip"),
        Child::text("count", "record/row/count"),
        Child::of("policy_evaluated", &POLICY_EVALUATED),
    ],
};

static POLICY_EVALUATED: ElementKind = ElementKind {
    place: "record/row/policy_evaluated",
    is_ordered: true,
    children: &[
        Child::text("disposition", "record/row/policy_evaluated/disposition"),
        Child::text("dkim", "record/row/policy_evaluated/dkim"),
        Child::text("spf", "record/row/policy_evaluated/spf"),
        Child::of("reason", &REASON).many(),
    ],
};

static REASON: ElementKind = ElementKind {
    place: "record/row/policy_evaluated/reason",
    is_ordered: false,
    children: &[
        Child::text("type", "record/row/policy_evaluated/reason/type"),
        Child::text("comment", "record/row/policy_evaluated/reason/comment"),
    ],
};

static IDENTIFIERS: ElementKind = ElementKind {
    place: "record/identifiers",
    is_ordered: false,
    children: &[
        Child::text("header_from", "record/identifiers/header_from"),
        Child::text("envelope_from", "record/identifiers/envelope_from"),
        Child::text("envelope_to", "record/identifiers/envelope_to"),
    ],
};

static AUTH_RESULTS: ElementKind = ElementKind {
    place: "record/auth_results",
    is_ordered: true,
    children: &[Child::of("dkim", &DKIM).many(), Child::of("spf", &SPF).many()],
};

static DKIM: ElementKind = ElementKind {
    place: "record/auth_results/dkim",
    is_ordered: false,
    children: &[
        Child::text("domain", "record/auth_results/dkim/domain"),
        Child::text("selector", "record/auth_results/dkim/selector"),
        Child::text("result", "record/auth_results/dkim/result"),
        Child::text("human_result", "record/auth_results/dkim/human_result"),
    ],
};

static SPF: ElementKind = ElementKind {
    place: "record/auth_results/spf",
    is_ordered: false,
    children: &[
        Child::text("domain", "record/auth_results/spf/domain"),
        Child::text("scope", "record/auth_results/spf/scope"),
        Child::text("result", "record/auth_results/spf/result"),
        Child::text("human_result", "record/auth_results/spf/human_result"),
    ],
};

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
