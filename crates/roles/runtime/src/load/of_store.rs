//! What the settings say of the store, for commands that need no more of them.
//!
//! Whoever looks for a message at night must not be kept from it by a mistake in a rule. So
//! neither the rules nor anything else that the settings name is read here, and a mistake in
//! another table is no more than a warning.

use std::path::Path;

use landmarc_settings::{MAX_FILE_OCTETS, Mistake, MistakeKind, Mistakes, Settings};

use super::{DEFAULT_FILE, LoadError};
use crate::files::read_file;
use crate::visible::visible_path;

/// The tables that are read: where this host keeps its records, and where those of its fleet are.
const TABLES: [&str; 2] = ["store", "fleet"];

/// What a command takes from the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Where the store is. Nothing is changed there.
    Directory,
    /// Also what is kept: what is not, is removed for good.
    Retention,
}

/// Settings whose tables `[store]` and `[fleet]` are as they were written; the rest may be at its defaults. With them
/// the name of the file, when there are mistakes elsewhere in it.
///
/// # Errors
/// When the file cannot be read, or the tables are wrong.
pub fn load_store(named: Option<&Path>, need: Need) -> Result<(Settings, Option<String>), LoadError> {
    let default = Path::new(DEFAULT_FILE);
    let Some(path) = named.or_else(|| Some(default).filter(|path| path.exists())) else {
        return Ok((Settings::default(), None));
    };
    let file = visible_path(path);
    let octets = read_file(path, MAX_FILE_OCTETS).map_err(|source| LoadError::Io {
        file: file.clone(),
        source,
    })?;
    match read(&octets, need) {
        Ok((settings, has_mistakes)) => Ok((settings, has_mistakes.then_some(file))),
        Err(mistakes) => Err(LoadError::Mistakes(mistakes.render(&file).trim_end().to_owned())),
    }
}

/// The settings, and whether there are mistakes that do not matter here.
fn read(octets: &[u8], need: Need) -> Result<(Settings, bool), Mistakes> {
    let mut taken = None;
    let read = landmarc_settings::read_checked(octets, |settings| {
        taken = Some(settings.clone());
        Vec::new()
    });
    match (read, taken) {
        (Ok((settings, _)), _) => Ok((settings, false)),
        (Err(mistakes), Some(settings)) if !mistakes.0.iter().any(|one| matters(one, &settings, need)) => {
            Ok((settings, true))
        }
        (Err(mistakes), _) => Err(mistakes),
    }
}

/// Whether the tables may not be what was meant, because of this mistake.
fn matters(mistake: &Mistake, settings: &Settings, need: Need) -> bool {
    let in_table = |key: &str| TABLES.contains(&key.split('.').next().unwrap_or(key));
    match &mistake.wrong {
        // Whatever the line was to say: the directory has been said.
        MistakeKind::Syntax { .. } => need == Need::Retention || settings.store.directory.is_none(),
        MistakeKind::UnknownKey { nearest } | MistakeKind::UnknownTable { nearest } => {
            in_table(&mistake.key) || nearest.as_deref().is_some_and(in_table)
        }
        // What is left out may be in the table.
        MistakeKind::FileTooLong { .. } | MistakeKind::NotUtf8 | MistakeKind::More { .. } => true,
        _ => in_table(&mistake.key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str, need: Need) -> Result<bool, String> {
        let read = read(text.as_bytes(), need);
        read.map(|(_, has_mistakes)| has_mistakes)
            .map_err(|mistakes| mistakes.render("f"))
    }

    const PLACE: &str = "[store]\ndirectory = \"/srv/mail\"\n";

    #[test]
    fn mistakes_elsewhere_do_not_matter() {
        for need in [Need::Directory, Need::Retention] {
            assert_eq!(told(PLACE, need), Ok(false));
            for elsewhere in [
                "mode = 3\n",
                "dns.x = 1\n",
                "action.rules_file = \"/nonexistent\"\nmode = 3\n",
            ] {
                let text = format!("{elsewhere}{PLACE}");
                assert_eq!(told(&text, need), Ok(true), "{text}");
                let (settings, _) = read(text.as_bytes(), need).unwrap();
                assert_eq!(settings.store.directory.as_deref(), Some(Path::new("/srv/mail")));
            }
            // Nothing that is named is read.
            assert_eq!(told("action.rules_file = \"/nonexistent\"\n", need), Ok(false));
        }
    }

    #[test]
    fn mistakes_about_the_store_do() {
        for text in [
            "[store]\ndirectry = \"/x\"\n",
            "[store]\nobservation_days = 0\n",
            "[stor]\ndirectory = \"/x\"\n",
            "store = 1\n",
        ] {
            let told = told(text, Need::Directory).unwrap_err();
            assert!(told.starts_with("f:"), "{text}: {told}");
        }
        assert!(read(b"[store]\ndirectory = \"/\xff\"\n", Need::Directory).is_err());
    }

    /// A broken line might have said for how long to keep.
    #[test]
    fn a_broken_line_matters_where_things_are_removed_or_the_directory_is_not_known() {
        let text = format!("{PLACE}[dns\n");
        assert_eq!(told(&text, Need::Directory), Ok(true));
        assert!(told(&text, Need::Retention).is_err());
        assert!(told("[dns\n", Need::Directory).is_err());
    }
}
