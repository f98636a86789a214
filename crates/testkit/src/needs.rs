//! What some tests cannot do without: its absence fails them, unless the run was told to do without it.

/// Names, parted by commas, what a run does without: `LANDMARC_WITHOUT=root,conformance`.
const WITHOUT: &str = "LANDMARC_WITHOUT";

/// What this machine may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The conformance sets of other projects.
    Conformance,
    /// The rights of root.
    Root,
    /// Programs of others, installed or unpacked.
    Tools,
}

impl Need {
    fn as_str(self) -> &'static str {
        match self {
            Self::Conformance => "conformance",
            Self::Root => "root",
            Self::Tools => "tools",
        }
    }

    /// For a test that lacks this. It returns, for the test to end, where `LANDMARC_WITHOUT` names it.
    ///
    /// # Panics
    /// Where it does not.
    #[track_caller]
    pub fn is_missing(self, what: &str) {
        let told = std::env::var(WITHOUT).unwrap_or_default();
        assert!(
            is_named(&told, self),
            "{what}; scripts/test gets what can be had, and {WITHOUT}={} does without",
            self.as_str()
        );
        eprintln!("SKIPPED, by {WITHOUT}: {what}");
    }
}

fn is_named(told: &str, need: Need) -> bool {
    told.split(',').any(|name| name.trim() == need.as_str())
}

#[test]
fn what_a_run_does_without_is_named_one_by_one() {
    assert!(is_named("root", Need::Root));
    assert!(is_named("conformance, root", Need::Root));
    assert!(!is_named("conformance,tools", Need::Root));
    assert!(!is_named("", Need::Conformance));
    assert!(!is_named("all", Need::Tools));
}
