//! The pages that are printed from the sources, and whether they are up to date.

use std::fs;

use crate::source::{SourceError, Workspace};
use crate::{Finding, clauses, ids};

/// A page of `docs/`: where it is, and how it is made.
pub(crate) struct Page {
    path: &'static str,
    print: fn(&Workspace) -> String,
}

/// Each clause, its code, its tests.
const CONFORMANCE: Page = Page {
    path: "docs/conformance.md",
    print: |workspace| clauses::page(&workspace.files),
};

/// Each key of the configuration.
const SETTINGS: Page = Page {
    path: "docs/settings.md",
    print: |_| landmarc_settings::manual(),
};

/// The ids of test cases.
const CATALOGUE: Page = Page {
    path: "docs/catalogue.md",
    print: |workspace| ids::page(&workspace.files),
};

/// All printed pages.
pub(crate) const ALL: &[Page] = &[SETTINGS, CONFORMANCE, CATALOGUE];

/// Writes the pages, and says nothing.
pub(crate) fn write() -> Result<Vec<Finding>, SourceError> {
    let workspace = Workspace::read()?;
    for page in ALL {
        let path = workspace.root.join(page.path);
        fs::write(&path, (page.print)(&workspace)).map_err(|error| SourceError::Io(path, error))?;
    }
    Ok(Vec::new())
}

/// The pages that are not what would be written.
pub(crate) fn check() -> Result<Vec<Finding>, SourceError> {
    Ok(stale(&Workspace::read()?, ALL))
}

/// As [`check`], for a workspace that was read already.
pub(crate) fn stale(workspace: &Workspace, pages: &[Page]) -> Vec<Finding> {
    let is_stale = |page: &&Page| {
        let written = workspace.files.iter().find(|file| file.path == page.path);
        written.is_none_or(|file| file.text != (page.print)(workspace))
    };
    let stale = pages.iter().filter(is_stale);
    stale
        .map(|page| Finding::new(page.path, 0, "is out of date: run `cargo xtask docs`"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::SourceFile;

    const PAGE: Page = Page {
        path: "docs/a.md",
        print: |_| "new\n".to_owned(),
    };

    fn workspace(text: &str) -> Workspace {
        let files = vec![SourceFile::new("docs/a.md", text)];
        Workspace {
            root: "".into(),
            packages: Vec::new(),
            files,
        }
    }

    #[test]
    fn a_page_that_would_be_written_otherwise_is_stale() {
        assert_eq!(stale(&workspace("new\n"), &[PAGE]), []);
        assert_eq!(stale(&workspace("old\n"), &[PAGE]).len(), 1);
    }

    #[test]
    fn a_page_that_is_not_there_is_stale() {
        let empty = Workspace {
            root: "".into(),
            packages: Vec::new(),
            files: Vec::new(),
        };
        assert_eq!(stale(&empty, &[PAGE]).len(), 1);
    }
}
