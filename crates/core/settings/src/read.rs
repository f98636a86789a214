//! From text to [`Settings`]: the syntax first, then each table against its declaration.

use crate::mistake::{Mistake, Mistakes};
use crate::place::LineIndex;
use crate::reader::{Table as _, TableReader};
use crate::syntax::{self, with_syntax};
use crate::{Settings, check, nearest};

/// Reads the text; the cross-checks and those of the program are made too, the
/// warnings are not.
pub(crate) fn read(
    text: &str,
    check_of_program: impl FnOnce(&Settings) -> Vec<Mistake>,
) -> Result<Settings, Mistakes> {
    let lines = LineIndex::new(text);
    let (table, syntax) = syntax::parse(text, &lines)?;
    let mut reader = TableReader::new(&lines);
    let mut settings = Settings::default();
    settings.read(table.get_ref(), &mut reader);
    let (mut mistakes, written) = reader.into_parts();
    settings.written = written;

    let conflicts = check::conflicts(&settings, &mistakes);
    let mut refused = check_of_program(&settings);
    refused.retain(|refused| mistakes.iter().all(|mistake| mistake.key != refused.key));
    mistakes.extend(conflicts);
    mistakes.extend(refused);
    let all = with_syntax(mistakes, syntax, &settings.written.keys_by_line());
    if all.is_empty() {
        Ok(settings)
    } else {
        Err(Mistakes::gather(all, nearest::nearest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::MAX_FILE_OCTETS;

    #[test]
    fn a_file_at_the_limit_is_read_and_one_past_it_is_not() {
        let at_limit = "#".repeat(MAX_FILE_OCTETS);
        assert_eq!(read(&at_limit, |_| Vec::new()), Ok(Settings::default()));
        let mistakes = read(&(at_limit + "#"), |_| Vec::new()).unwrap_err();
        assert_eq!(
            mistakes.render("f"),
            "f:1:1: the file has 1048577 octets, at most 1048576 are read\n"
        );
    }
}
